//! Texts by others, which people read on a line of their terminal.

/// Whether a character shows what it is: neither a control character nor one that ends a line or turns the direction of
/// what follows, with which a title could rewrite the line that it stands in.
///
/// Boucher and Anderson, *Trojan Source: Invisible Vulnerabilities* (2021).
#[must_use]
pub fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name with its first letter large, as titles and labels have it.
#[must_use]
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_letters_are_large() {
        assert_eq!((capitalised("émail bleu"), capitalised("")), ("Émail bleu".to_owned(), String::new()));
    }

    #[test]
    fn words_of_any_script_are_plain_and_marks_are_not() {
        assert!("Gewitter über 東京 – הסערה 👩‍🔬 क्‍ष".chars().all(is_plain));
        for mark in ['\n', '\u{1b}', '\u{202e}', '\u{2067}', '\u{200f}', '\u{2029}'] {
            assert!(!is_plain(mark), "{mark:?}");
        }
    }
}
