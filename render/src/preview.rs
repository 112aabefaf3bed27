//! A film as a picture that moves: animated WebP, which loops by itself where a film would have to be played.

use image::imageops::{self, FilterType};
use image::{RgbImage, RgbaImage};
use webp_animation::{Encoder, EncoderOptions, EncodingConfig};

use crate::image_file::Rgb8Image;

/// Bytes that marketplaces take.
pub const MAX_BYTES: usize = 8_000_000;

/// Longest side of the first attempt, pixels.
const LONG_SIDE: u32 = 540;
/// Most moments; of a longer film, every second one, or fourth.
const MOST_FRAMES: usize = 120;
/// What is tried one after another: quality of 100, and the share of the side.
const ATTEMPTS: [(f32, f32); 4] = [(82.0, 1.0), (70.0, 0.8), (55.0, 0.6), (40.0, 0.4)];

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// No frame was pushed.
    #[error("a preview needs at least one frame")]
    Empty,
    /// The encoder failed.
    #[error("encoding the preview failed: {0:?}")]
    WebP(webp_animation::Error),
    /// A film that cannot be made small enough.
    #[error("the preview does not fit into {MAX_BYTES} bytes")]
    TooLarge,
}

/// Frames on their way into a preview.
#[derive(Debug)]
pub struct Preview {
    frames: Vec<RgbImage>,
    /// Milliseconds from one frame pushed to the next.
    interval: f64,
    /// Of how many pushed one is kept.
    every: usize,
    pushed: usize,
}

impl Preview {
    /// Of a film of so many frames a second.
    #[must_use]
    pub fn new(fps: u32) -> Self {
        Self { frames: vec![], interval: 1000.0 / f64::from(fps.max(1)), every: 1, pushed: 0 }
    }

    /// Adds the next frame, all of one size.
    pub fn push(&mut self, frame: &Rgb8Image) {
        let taken = self.pushed.is_multiple_of(self.every);
        self.pushed += 1;
        if !taken {
            return;
        }
        if self.frames.len() == MOST_FRAMES {
            let mut even = [true, false].into_iter().cycle();
            self.frames.retain(|_| even.next().unwrap_or(true));
            self.every *= 2;
            if !(self.pushed - 1).is_multiple_of(self.every) {
                return;
            }
        }
        let image = RgbImage::from_raw(frame.width as u32, frame.height as u32, frame.pixels.clone());
        let image = image.expect("an image holds its pixels");
        let [width, height] = scaled([image.width(), image.height()], LONG_SIDE);
        self.frames.push(imageops::resize(&image, width, height, FilterType::Triangle));
    }

    /// The file: at most [`MAX_BYTES`], looping for ever.
    ///
    /// # Errors
    ///
    /// No frames; what the encoder says.
    pub fn finish(&self) -> Result<Vec<u8>, PreviewError> {
        let first = self.frames.first().ok_or(PreviewError::Empty)?;
        let long = first.width().max(first.height());
        for (quality, share) in ATTEMPTS {
            let size = scaled([first.width(), first.height()], (long as f32 * share) as u32);
            let bytes = self.encode(size, quality).map_err(PreviewError::WebP)?;
            if bytes.len() <= MAX_BYTES {
                return Ok(bytes);
            }
        }
        Err(PreviewError::TooLarge)
    }

    fn encode(&self, [width, height]: [u32; 2], quality: f32) -> Result<Vec<u8>, webp_animation::Error> {
        let options =
            EncoderOptions { encoding_config: Some(EncodingConfig::new_lossy(quality)), ..EncoderOptions::default() };
        let mut encoder = Encoder::new_with_options((width, height), options)?;
        let time = |frame: usize| (frame as f64 * self.interval * self.every as f64).round() as i32;
        for (at, frame) in self.frames.iter().enumerate() {
            let fitted = imageops::resize(frame, width, height, FilterType::Triangle);
            let mut rgba = RgbaImage::new(width, height);
            for (to, from) in rgba.pixels_mut().zip(fitted.pixels()) {
                to.0 = [from.0[0], from.0[1], from.0[2], 255];
            }
            encoder.add_frame(&rgba, time(at))?;
        }
        Ok(encoder.finalize(time(self.frames.len()))?.to_vec())
    }
}

/// The size of the same shape whose longest side is at most `long`.
fn scaled([width, height]: [u32; 2], long: u32) -> [u32; 2] {
    let now = width.max(height).max(1);
    if now <= long {
        return [width.max(1), height.max(1)];
    }
    [width, height].map(|side| (u64::from(side) * u64::from(long) / u64::from(now)).max(1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(frames: usize, noise: bool) -> Preview {
        let mut preview = Preview::new(24);
        for at in 0..frames {
            let mut frame = Rgb8Image::new(96, 64);
            for (i, byte) in frame.pixels.iter_mut().enumerate() {
                let mut x = (i as u32).wrapping_mul(0x9e37_79b9) ^ (at as u32).wrapping_mul(0x85eb_ca6b);
                x = (x ^ (x >> 15)).wrapping_mul(0x2c1b_3c6d);
                *byte = if noise { (x >> 24) as u8 } else { (i / 288 + 20 * at) as u8 };
            }
            preview.push(&frame);
        }
        preview
    }

    #[test]
    fn frames_come_back_with_their_times() {
        let file = film(12, false).finish().unwrap();
        let decoder = webp_animation::Decoder::new(&file).unwrap();
        let frames: Vec<_> = decoder.into_iter().collect();
        assert_eq!(frames.len(), 12);
        assert_eq!(frames[0].dimensions(), (96, 64));
        // The end of the last.
        assert_eq!(frames[11].timestamp(), 500);
    }

    #[test]
    fn long_films_lose_moments_and_not_time() {
        let preview = film(500, true);
        assert!(preview.frames.len() <= MOST_FRAMES && preview.every == 8, "{}", preview.every);
        let file = preview.finish().unwrap();
        assert!(file.len() <= MAX_BYTES);
        let frames: Vec<_> = webp_animation::Decoder::new(&file).unwrap().into_iter().collect();
        assert_eq!(frames.len(), 63);
        assert!(matches!(Preview::new(24).finish(), Err(PreviewError::Empty)));
    }
}
