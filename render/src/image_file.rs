//! Finished pictures and their files: 8-bit sRGB, PNG.
//!
//! A frame's file is content, so its bytes must repeat on every machine: one thread, no time or text chunk, fixed
//! filter and compression. The compressor is `fdeflate`, which `png` always builds in; `flate2`'s levels are avoided
//! because any other crate in a binary may change its backend through feature unification, and with it the bytes.

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngDecoder, PngEncoder};
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits, Rgb32FImage};

/// The widest or highest picture that [`decode_png`] accepts, in pixels.
pub const MAX_DIMENSION: u32 = 8192;

/// A finished picture: sRGB, 8 bits a channel, rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb8Image {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue of each pixel; `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

impl Rgb8Image {
    /// A black picture of this size.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height * 3] }
    }

    /// Red, green and blue of the pixel in column `x` of row `y`.
    ///
    /// # Panics
    ///
    /// Outside the picture.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(x < self.width && y < self.height, "pixel ({x}, {y}) lies outside {}x{}", self.width, self.height);
        let at = (y * self.width + x) * 3;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }
}

/// Why a picture could not be written to or read from its file format.
#[derive(Debug, thiserror::Error)]
pub enum ImageFileError {
    /// The picture is empty, too large for the format's reader, or its pixels do not fill it.
    #[error(
        "a picture of {width}x{height} with {bytes} bytes cannot be written: both sides must lie in 1..={MAX_DIMENSION} \
         and there must be three bytes a pixel"
    )]
    Shape {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes that were given.
        bytes: usize,
    },
    /// The file's header announces more than [`MAX_DIMENSION`].
    #[error("the PNG says it is {width}x{height}: frames are at most {MAX_DIMENSION} pixels a side")]
    TooLarge {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The file holds another kind of pixel than the one that [`encode_png`] writes.
    #[error("the PNG holds {0:?} pixels: frames are 8-bit RGB without alpha")]
    Color(ColorType),
    /// The picture is damaged.
    #[error("not a readable picture, fetch or render it again: {0}")]
    Damaged(#[from] image::ImageError),
}

/// Encodes a picture as PNG: 8-bit RGB, adaptive filter, `fdeflate` compression, no ancillary chunk.
///
/// The same pixels give the same bytes on every machine for one version of this crate.
///
/// # Errors
///
/// [`ImageFileError::Shape`] if the picture is empty, larger than [`MAX_DIMENSION`] or inconsistent.
pub fn encode_png(image: &Rgb8Image) -> Result<Vec<u8>, ImageFileError> {
    let (width, height, bytes) = (image.width, image.height, image.pixels.len());
    let limit = MAX_DIMENSION as usize;
    let fits = (1..=limit).contains(&width) && (1..=limit).contains(&height) && bytes == width * height * 3;
    if !fits {
        return Err(ImageFileError::Shape { width, height, bytes });
    }
    let mut file = Vec::with_capacity(bytes / 2);
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive).write_image(
        &image.pixels,
        width as u32,
        height as u32,
        ExtendedColorType::Rgb8,
    )?;
    Ok(file)
}

/// Encodes linear radiance as OpenEXR: 32-bit floats, RGB, rows from the top.
///
/// # Errors
///
/// [`ImageFileError::Shape`] as for [`encode_png`].
pub fn encode_exr(radiance: &[[f32; 3]], width: usize, height: usize) -> Result<Vec<u8>, ImageFileError> {
    let limit = MAX_DIMENSION as usize;
    if !((1..=limit).contains(&width) && (1..=limit).contains(&height) && radiance.len() == width * height) {
        return Err(ImageFileError::Shape { width, height, bytes: size_of_val(radiance) });
    }
    let pixels: Vec<f32> = radiance.iter().flatten().copied().collect();
    let image = Rgb32FImage::from_raw(width as u32, height as u32, pixels).expect("as many as the size says");
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::OpenExr)?;
    Ok(file.into_inner())
}

/// Decodes what [`encode_exr`] may have written, from bytes that nobody vouches for: its linear radiance.
///
/// # Errors
///
/// [`ImageFileError::Damaged`] if the file is, or larger than [`MAX_DIMENSION`] a side.
pub fn decode_exr(file: &[u8]) -> Result<Vec<[f32; 3]>, ImageFileError> {
    let mut reader = ImageReader::with_format(Cursor::new(file), ImageFormat::OpenExr);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_DIMENSION), Some(MAX_DIMENSION));
    limits.max_alloc = Some(u64::from(MAX_DIMENSION) * u64::from(MAX_DIMENSION) * 16);
    reader.limits(limits);
    Ok(reader.decode()?.into_rgb32f().pixels().map(|pixel| pixel.0).collect())
}

/// Decodes a PNG that [`encode_png`] may have written, from bytes that nobody vouches for.
///
/// The dimensions are checked before anything of their size is allocated.
///
/// # Errors
///
/// [`ImageFileError::TooLarge`] above [`MAX_DIMENSION`] a side, [`ImageFileError::Color`] if the pixels are not 8-bit
/// RGB, [`ImageFileError::Damaged`] if the file is.
pub fn decode_png(file: &[u8]) -> Result<Rgb8Image, ImageFileError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(u64::from(MAX_DIMENSION) * u64::from(MAX_DIMENSION) * 4);
    let decoder = PngDecoder::with_limits(Cursor::new(file), limits)?;
    let (width, height) = decoder.dimensions();
    if width > MAX_DIMENSION || height > MAX_DIMENSION {
        return Err(ImageFileError::TooLarge { width, height });
    }
    if decoder.color_type() != ColorType::Rgb8 {
        return Err(ImageFileError::Color(decoder.color_type()));
    }
    let mut image = Rgb8Image::new(width as usize, height as usize);
    decoder.read_image(&mut image.pixels)?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn radiance_comes_back_from_exr() {
        let radiance: Vec<[f32; 3]> = (0..12).map(|i| [i as f32 * 1e3, 0.1 / (i + 1) as f32, 0.0]).collect();
        let file = encode_exr(&radiance, 4, 3).unwrap();
        assert_eq!(decode_exr(&file).unwrap(), radiance);
        assert!(matches!(decode_exr(&file[..file.len() - 9]), Err(ImageFileError::Damaged(_))));
        assert!(matches!(encode_exr(&radiance, 5, 3), Err(ImageFileError::Shape { .. })));
    }

    fn gradient(width: usize, height: usize) -> Rgb8Image {
        let mut image = Rgb8Image::new(width, height);
        for (i, byte) in image.pixels.iter_mut().enumerate() {
            let (x, y) = ((i / 3) % width, i / 3 / width);
            *byte = (x * 3 + y * (i % 3) + (x * y) / 7) as u8;
        }
        image
    }

    #[test]
    fn only_the_three_chunks_that_hold_the_picture_are_written() {
        let file = encode_png(&gradient(40, 30)).unwrap();
        let mut chunks = Vec::new();
        let mut at = 8;
        while at < file.len() {
            let length = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
            chunks.push(String::from_utf8(file[at + 4..at + 8].to_vec()).unwrap());
            at += length + 12;
        }
        chunks.dedup();
        assert_eq!(chunks, ["IHDR", "IDAT", "IEND"]);
    }

    #[test]
    fn bytes_are_those_of_this_engine_version() {
        let digest = blake3::hash(&encode_png(&gradient(270, 270)).unwrap());
        assert_eq!(
            digest.to_hex().as_str(),
            "500aa9dd3a2b00d57a89e6dea1450131fbfd0c026a9b90c6fee6b5de9b670386",
            "the PNG encoder changed: every frame's CID changes with it, so this is a new engine version"
        );
    }

    #[test]
    fn a_header_that_lies_about_its_size_is_refused_before_allocation() {
        let mut file = encode_png(&gradient(8, 8)).unwrap();
        file[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        // The header's checksum (PNG, second edition, 5.5) is made to fit the lie.
        let crc = crc32(&file[12..29]);
        file[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(matches!(decode_png(&file), Err(ImageFileError::TooLarge { width: 60_000, height: 8 })));
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
        })
    }

    #[test]
    fn pictures_that_do_not_fit_their_pixels_are_refused() {
        assert!(matches!(encode_png(&Rgb8Image::new(0, 5)), Err(ImageFileError::Shape { .. })));
        let short = Rgb8Image { width: 2, height: 2, pixels: vec![0; 11] };
        assert!(matches!(encode_png(&short), Err(ImageFileError::Shape { bytes: 11, .. })));
    }

    proptest! {
        #[test]
        fn every_picture_comes_back(width in 1_usize..40, height in 1_usize..40, seed in any::<u64>()) {
            let mut image = Rgb8Image::new(width, height);
            let mut state = seed | 1;
            for byte in &mut image.pixels {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = (state >> 32) as u8;
            }
            prop_assert_eq!(decode_png(&encode_png(&image).unwrap()).unwrap(), image);
        }

        #[test]
        fn damaged_files_never_panic(cut in 0_usize..400, at in 0_usize..400, value in any::<u8>()) {
            let mut file = encode_png(&gradient(12, 12)).unwrap();
            let length = file.len();
            file[at % length] ^= value;
            file.truncate(length - cut % length);
            if let Ok(image) = decode_png(&file) {
                prop_assert_eq!(image.pixels.len(), image.width * image.height * 3);
            }
        }
    }
}
