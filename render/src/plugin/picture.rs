//! A picture that a plug-in left behind.

use std::fs::{self, File};
use std::io::{self, Cursor, Read as _};
use std::path::Path;

use image::{ImageDecoder as _, ImageFormat, ImageReader, Limits};

use super::protocol::Format;
use crate::image_file::Rgb8Image;

/// Longest side of a picture, in pixels.
pub(super) const MAX_SIDE: u32 = 16_384;

/// A picture by a plug-in; rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Linear Rec. 709 radiance of an EXR; of a PNG, what is to be seen in [0, 1], coded as sRGB is.
    pub pixels: Vec<[f32; 3]>,
}

impl Picture {
    /// A picture that is what is to be seen, in bytes.
    #[must_use]
    pub fn shown(&self) -> Rgb8Image {
        let mut image = Rgb8Image::new(self.width as usize, self.height as usize);
        for (byte, x) in image.pixels.iter_mut().zip(self.pixels.iter().flatten()) {
            *byte = (x.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        }
        image
    }

    /// Reads what is a file of its own, no link, of at most `most` bytes, and of this size where one is given.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the end of a sentence.
    pub(super) fn read(path: &Path, format: Format, most: u64, size: Option<[u32; 2]>) -> Result<Self, String> {
        let file = open(path).map_err(|error| format!("cannot be read: {error}"))?;
        let meta = file.metadata().map_err(|error| format!("cannot be read: {error}"))?;
        if !meta.is_file() || links(&meta) != 1 {
            return Err("is not a file of its own".into());
        }
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
        if bytes.len() as u64 > most {
            return Err("is larger than a picture of its size can be".into());
        }
        Self::decode(&bytes, format, size)
    }

    fn decode(bytes: &[u8], format: Format, size: Option<[u32; 2]>) -> Result<Self, String> {
        let kind = match format {
            Format::Exr => ImageFormat::OpenExr,
            Format::Png => ImageFormat::Png,
        };
        let broken = |error: image::ImageError| format!("is no {} that can be read: {error}", format.ending());
        let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
        let mut limits = Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
        limits.max_alloc = Some(4 << 30);
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(broken)?;
        let (width, height) = decoder.dimensions();
        if let Some([w, h]) = size.filter(|size| *size != [width, height]) {
            return Err(format!("is {width}x{height}, not {w}x{h}"));
        }
        let read = image::DynamicImage::from_decoder(decoder).map_err(broken)?.into_rgb32f();
        let pixels: Vec<[f32; 3]> = read.pixels().map(|pixel| pixel.0).collect();
        let strange = pixels.iter().filter(|pixel| !pixel.iter().all(|c| c.is_finite())).count();
        if strange * 1000 > pixels.len() {
            return Err(format!("has {strange} pixels that are no numbers"));
        }
        Ok(Self { width, height, pixels })
    }
}

/// Follows no link, and waits for nobody at the other end of a pipe.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, how, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(unix)]
fn links(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(meta)
}

#[cfg(not(unix))]
fn links(_: &fs::Metadata) -> u64 {
    1
}

#[cfg(test)]
mod tests {
    use image::Rgb32FImage;

    use super::*;

    #[test]
    fn what_is_no_number_is_no_picture() {
        let file = |strange: u32| {
            let mut image = Rgb32FImage::new(40, 40);
            (0..strange).for_each(|x| image.put_pixel(x, 0, image::Rgb([0.0, f32::NAN, f32::INFINITY])));
            let mut file = Cursor::new(Vec::new());
            image.write_to(&mut file, ImageFormat::OpenExr).expect("a picture");
            Picture::decode(file.get_ref(), Format::Exr, Some([40, 40]))
        };
        // One in a thousand is a renderer's slip.
        assert!(file(1).is_ok());
        assert!(file(20).is_err_and(|problem| problem.contains("20 pixels that are no numbers")));
    }
}
