//! Text that somebody else wrote, made fit to be shown.

pub use seedstorm_sim::text::capitalised;
use seedstorm_sim::text::is_plain;

/// The most letters of a line that is shown.
const MOST: usize = 1000;

/// The text with what would change how its neighbours are read or drawn as visible marks: control characters, and the
/// characters that turn the direction of writing; and no longer than a screen.
pub fn plain(text: &str) -> String {
    let mut shown: String =
        text.chars().take(MOST).map(|letter| if is_plain(letter) { letter } else { '\u{fffd}' }).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// A long name by its beginning and its end.
pub fn short(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= 20 {
        return text.into();
    }
    letters[..10].iter().chain(&['…']).chain(&letters[letters.len() - 6..]).collect()
}

/// A time that somebody waits.
pub fn duration(time: std::time::Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Wei of the embedded chain as ether, to as many places as tell it from nothing.
pub fn ether(wei: seedstorm_mint::U256) -> String {
    let ether = wei.to_string().parse::<f64>().unwrap_or(0.0) / 1e18;
    // Rounded down: nobody has more than is said.
    let parts = (wei / seedstorm_mint::U256::from(10_u64.pow(14))).to_string().parse::<usize>().unwrap_or(usize::MAX);
    match ether {
        0.0 => "0 test ETH".into(),
        ..1e-9 => format!("{ether:.3e} test ETH"),
        ..1e-3 => format!("{ether:.9} test ETH"),
        ..10.0 => format!("{ether:.6} test ETH"),
        _ => format!("{}.{:04} test ETH", count(parts / 10_000), parts % 10_000),
    }
}

/// Wei of the embedded chain as a part of a sum, all of whose parts have as many places: what is paid is rounded up, what
/// somebody has, down.
pub fn ether_in_sum(wei: seedstorm_mint::U256, paid: bool) -> String {
    let millionth = seedstorm_mint::U256::from(10_u64.pow(12));
    let millionths = if paid { wei.div_ceil(millionth) } else { wei / millionth };
    let millionths: usize = millionths.to_string().parse().unwrap_or(usize::MAX);
    format!("{}.{:06} test ETH", count(millionths / 1_000_000), millionths % 1_000_000)
}

/// A number with its thousands apart.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mischief_is_shown_as_such() {
        assert_eq!(plain("a\u{202e}b\nc\u{200f}\u{7}"), "a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}");
        assert_eq!(plain("<script>&amp;"), "<script>&amp;");
        assert_eq!(plain(&"x".repeat(2000)).chars().count(), MOST + 1);
    }

    #[test]
    fn names_times_and_sums_are_short() {
        assert_eq!(short("0x0123456789abcdef0123456789abcdef"), "0x01234567…abcdef");
        assert_eq!(duration(std::time::Duration::from_secs(3725)), "1 h 02 min");
        assert_eq!(ether(seedstorm_mint::U256::from(2_500_000_000_000_000_000_u64)), "2.500000 test ETH");
        let wei = seedstorm_mint::U256::from(10_030_000_000_000_000_000_u64) * seedstorm_mint::U256::from(1000);
        assert_eq!(ether_in_sum(wei, false), "10,030.000000 test ETH");
        assert_eq!(ether_in_sum(seedstorm_mint::U256::from(1), true), "0.000001 test ETH");
        assert_eq!(ether(seedstorm_mint::U256::from(10_030_000_000_000_000_000_u64)), "10.0300 test ETH");
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1000, 1_234_567].map(count).each_ref().map(String::as_str)
        );
    }
}
