//! The contact sheet: the best of a sweep in rows, each under its picture with seed, traits and score.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use seedstorm_render::image_file::Rgb8Image;

use super::{Ranked, Swept};

/// Pixels between pictures, and around them.
const GAP: usize = 20;
const LINE: usize = 20;
/// Lines of text under a picture.
const LINES: usize = 3;
const PAPER: [u8; 3] = [17, 17, 20];
const INK: [u8; 3] = [236, 233, 226];
const FAINT: [u8; 3] = [150, 147, 142];

/// The sheet, best first, in a shape near a square.
pub(super) fn draw(swept: &Swept) -> Rgb8Image {
    let (width, height) = (swept.top[0].image.width, swept.top[0].image.height);
    let columns = (1..).find(|columns| columns * columns >= swept.top.len()).unwrap_or(1);
    let rows = swept.top.len().div_ceil(columns);
    let cell = (width + GAP, height + LINES * LINE + GAP + 8);
    let mut sheet = Rgb8Image::new(columns * cell.0 + GAP, rows * cell.1 + GAP);
    for pixel in sheet.pixels.as_chunks_mut::<3>().0 {
        *pixel = PAPER;
    }
    for (at, ranked) in swept.top.iter().enumerate() {
        let (x, y) = (GAP + at % columns * cell.0, GAP + at / columns * cell.1);
        paste(&mut sheet, &ranked.image, x, y);
        let metric = format!("{:?}", swept.metric).to_lowercase();
        let first = format!("{}  {metric} {:.2}", name(ranked), ranked.score);
        write(&mut sheet, &first, x, y + height + 6, width, INK);
        let room = width / get_raster_width(FontWeight::Regular, RasterHeight::Size16);
        for (line, text) in wrap(&ranked.traits, room).iter().take(LINES - 1).enumerate() {
            write(&mut sheet, text, x, y + height + 6 + (line + 1) * LINE, width, FAINT);
        }
    }
    sheet
}

/// Its seed, and its place in the grid.
fn name(ranked: &Ranked) -> String {
    let params = ranked.params.iter().map(|(name, value)| format!(" {name} {}", value_text(value)));
    format!("#{}{}", ranked.seed, params.collect::<String>())
}

fn value_text(value: &seedstorm_sim::recipe::ParamValue) -> String {
    match value {
        seedstorm_sim::recipe::ParamValue::Number(number) => format!("{number:.3}"),
        seedstorm_sim::recipe::ParamValue::Text(text) => text.clone(),
    }
}

/// Words in lines of at most `room` letters.
fn wrap(words: &[String], room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + word.len() < room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.clone());
        }
    }
    lines
}

fn paste(sheet: &mut Rgb8Image, image: &Rgb8Image, x: usize, y: usize) {
    for row in 0..image.height {
        let from = row * image.width * 3..(row + 1) * image.width * 3;
        let to = ((y + row) * sheet.width + x) * 3;
        sheet.pixels[to..to + image.width * 3].copy_from_slice(&image.pixels[from]);
    }
}

/// Writes a line of text, cut off after `width` pixels.
fn write(sheet: &mut Rgb8Image, text: &str, x: usize, y: usize, width: usize, ink: [u8; 3]) {
    let step = get_raster_width(FontWeight::Regular, RasterHeight::Size16);
    for (at, letter) in text.chars().take(width / step).enumerate() {
        let raster = get_raster(letter, FontWeight::Regular, RasterHeight::Size16)
            .or_else(|| get_raster('?', FontWeight::Regular, RasterHeight::Size16));
        let Some(raster) = raster else { continue };
        for (row, line) in raster.raster().iter().enumerate() {
            for (column, cover) in line.iter().enumerate() {
                let place = ((y + row) * sheet.width + x + at * step + column) * 3;
                for (channel, ink) in ink.iter().enumerate() {
                    let paper = u32::from(sheet.pixels[place + channel]);
                    let cover = u32::from(*cover);
                    sheet.pixels[place + channel] = ((paper * (255 - cover) + u32::from(*ink) * cover) / 255) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped() {
        let words: Vec<String> = ["spiral", "petal", "free", "lacquer"].map(String::from).into();
        assert_eq!(wrap(&words, 13), ["spiral petal", "free lacquer"]);
        assert_eq!(wrap(&words, 3).len(), 4);
    }
}
