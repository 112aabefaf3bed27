//! Frames to a film: H.264 in MP4, as browsers play it.
//!
//! The bytes are content, so they must repeat: one thread, one slice, a constant quantiser, integer colour conversion,
//! no clock in the container.

use std::fmt;
use std::num::NonZeroU32;

use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange,
    RateControlMode, UsageType, VuiConfig,
};
use openh264::formats::YUVBuffer;
use shiguredo_mp4::bitstream::h264::{
    H264NalUnitType, H264SampleEntryConfig, LengthSize, build_avc1_box_from_annexb, parse_annexb_nal_units,
};
use shiguredo_mp4::boxes::{SampleEntry, UnknownBox};
use shiguredo_mp4::mux::{Mp4FileMuxer, Mp4FileMuxerOptions, Sample, estimate_maximum_moov_box_size};
use shiguredo_mp4::{BoxSize, BoxType, TrackKind};

use crate::image_file::Rgb8Image;

/// The quantiser of every macroblock, of 0 to 51: about 42 dB on rendered frames.
const QUANTISER: u8 = 20;

/// The widest film, in pixels; a limit of the encoder (3840×2160, either way round).
pub const MAX_LONG_SIDE: usize = 3840;
/// The other side's limit.
pub const MAX_SHORT_SIDE: usize = 2160;

/// Why a film could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    /// The size does not suit 4:2:0 video or the encoder.
    #[error(
        "a film cannot be {width}x{height}: choose even sides from 16 pixels up to {MAX_LONG_SIDE}x{MAX_SHORT_SIDE} or \
         {MAX_SHORT_SIDE}x{MAX_LONG_SIDE}"
    )]
    Size {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The frame rate is out of range.
    #[error("a film cannot have {0} frames a second: choose 1 to 120")]
    FrameRate(u32),
    /// A frame is not of the film's size.
    #[error("frame {frame} is {width}x{height}: every frame of this film must be {film_width}x{film_height}")]
    FrameSize {
        /// The frame, from 0.
        frame: usize,
        /// Its pixels in a row.
        width: usize,
        /// Its rows.
        height: usize,
        /// The film's pixels in a row.
        film_width: usize,
        /// The film's rows.
        film_height: usize,
    },
    /// No frame was pushed.
    #[error("a film needs at least one frame")]
    Empty,
    /// The H.264 encoder failed.
    #[error("H.264 encoding of frame {frame} failed: {source}")]
    H264 {
        /// The frame, from 0.
        frame: usize,
        /// What the encoder says.
        source: openh264::Error,
    },
    /// The H.264 encoder left out a frame or did not begin with one that can be decoded alone.
    #[error("the H.264 encoder returned no usable picture for frame {0}: this is a fault of the engine, report it")]
    Dropped(usize),
    /// The encoder's output could not be put into its container.
    #[error("packing the film into MP4 failed: {0}")]
    Mp4(String),
}

/// Encodes frames into an MP4 film in memory.
///
/// H.264 High profile, 4:2:0, BT.709 in the video range (said in the stream and in the container), constant quantiser,
/// an independently decodable frame every second and no frame that refers forward, so that a film can be looped and
/// entered anywhere; the index stands before the pictures, so that playback starts before the file has arrived.
///
/// ```
/// use seedstorm_render::film::FilmEncoder;
/// use seedstorm_render::image_file::Rgb8Image;
///
/// let mut film = FilmEncoder::new(64, 32, 24)?;
/// film.push(&Rgb8Image::new(64, 32))?;
/// let mp4 = film.finish()?;
/// assert_eq!(&mp4[4..8], b"ftyp");
/// # Ok::<(), seedstorm_render::film::FilmError>(())
/// ```
pub struct FilmEncoder {
    width: usize,
    height: usize,
    frames_per_second: NonZeroU32,
    encoder: Encoder,
    /// Annex B access units and whether each can be decoded alone.
    pictures: Vec<(Vec<u8>, bool)>,
}

impl fmt::Debug for FilmEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilmEncoder")
            .field("width", &self.width)
            .field("height", &self.height)
            .field("frames_per_second", &self.frames_per_second)
            .field("frames", &self.pictures.len())
            .finish_non_exhaustive()
    }
}

impl FilmEncoder {
    /// Prepares a film of `width` × `height` pixels at a whole number of frames a second, in 1..=120.
    ///
    /// # Errors
    ///
    /// [`FilmError::Size`] if a side is odd, under 16 or over the encoder's limits; [`FilmError::FrameRate`].
    pub fn new(width: usize, height: usize, frames_per_second: u32) -> Result<Self, FilmError> {
        let (long, short) = (width.max(height), width.min(height));
        if !width.is_multiple_of(2)
            || !height.is_multiple_of(2)
            || short < 16
            || long > MAX_LONG_SIDE
            || short > MAX_SHORT_SIDE
        {
            return Err(FilmError::Size { width, height });
        }
        let rate = NonZeroU32::new(frames_per_second)
            .filter(|rate| rate.get() <= 120)
            .ok_or(FilmError::FrameRate(frames_per_second))?;
        // With rate control off this encoder uses a quantiser of 26 whatever is asked for. The "buffer-based" mode
        // clips one quantiser a frame to the range given, in integers, so a range of one value makes it constant.
        // Scene change detection would raise the lower end; adaptive quantisation and background detection vary it.
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .rate_control_mode(RateControlMode::Bufferbased)
            .qp(QpRange::new(QUANTISER, QUANTISER))
            // Decides nothing but the level that the stream announces.
            .bitrate(BitRate::from_bps(18_000_000))
            // So does this, of which the encoder knows at most 60.
            .max_frame_rate(FrameRate::from_hz(frames_per_second.min(60) as f32))
            .skip_frames(false)
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .profile(Profile::High)
            .complexity(Complexity::High)
            .intra_frame_period(IntraFramePeriod::from_num_frames(frames_per_second))
            .vui(VuiConfig::bt709())
            .num_threads(1);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|source| FilmError::H264 { frame: 0, source })?;
        Ok(Self { width, height, frames_per_second: rate, encoder, pictures: Vec::new() })
    }

    /// Appends a frame.
    ///
    /// # Errors
    ///
    /// [`FilmError::FrameSize`] if the frame is not of the film's size; [`FilmError::H264`], [`FilmError::Dropped`].
    pub fn push(&mut self, image: &Rgb8Image) -> Result<(), FilmError> {
        let frame = self.pictures.len();
        if (image.width, image.height) != (self.width, self.height)
            || image.pixels.len() != self.width * self.height * 3
        {
            return Err(FilmError::FrameSize {
                frame,
                width: image.width,
                height: image.height,
                film_width: self.width,
                film_height: self.height,
            });
        }
        let yuv = YUVBuffer::from_vec(to_yuv420(image), self.width, self.height);
        let stream = self.encoder.encode(&yuv).map_err(|source| FilmError::H264 { frame, source })?;
        let key = matches!(stream.frame_type(), FrameType::IDR);
        let picture = stream.to_vec();
        if picture.is_empty() || (frame == 0 && !key) {
            return Err(FilmError::Dropped(frame));
        }
        self.pictures.push((picture, key));
        Ok(())
    }

    /// Packs the film.
    ///
    /// # Errors
    ///
    /// [`FilmError::Empty`] without a frame; [`FilmError::Mp4`].
    pub fn finish(self) -> Result<Vec<u8>, FilmError> {
        let packing = |what: &dyn fmt::Display| FilmError::Mp4(what.to_string());
        let (first, _) = self.pictures.first().ok_or(FilmError::Empty)?;
        let mut avc1 = build_avc1_box_from_annexb(first, &H264SampleEntryConfig { length_size: LengthSize::FourBytes })
            .map_err(|e| packing(&e))?;
        avc1.unknown_boxes.push(color_box());
        let mut entry = Some(SampleEntry::Avc1(avc1));

        // The creation time defaults to the epoch: no clock enters the file.
        let options = Mp4FileMuxerOptions {
            reserved_moov_box_size: estimate_maximum_moov_box_size(&[self.pictures.len()]),
            ..Mp4FileMuxerOptions::default()
        };
        let mut muxer = Mp4FileMuxer::with_options(options).map_err(|e| packing(&e))?;
        let mut file = muxer.initial_boxes_bytes().to_vec();
        for (picture, key) in &self.pictures {
            let data = sample_data(picture)?;
            muxer
                .append_sample(&Sample {
                    track_kind: TrackKind::Video,
                    sample_entry: entry.take(),
                    keyframe: *key,
                    timescale: self.frames_per_second,
                    duration: 1,
                    composition_time_offset: None,
                    data_offset: file.len() as u64,
                    data_size: data.len(),
                })
                .map_err(|e| packing(&e))?;
            file.extend_from_slice(&data);
        }
        let boxes = muxer.finalize().map_err(|e| packing(&e))?;
        if !boxes.is_faststart_enabled() {
            return Err(FilmError::Mp4("the index does not fit before the pictures".into()));
        }
        for (offset, bytes) in boxes.offset_and_bytes_pairs() {
            let at = usize::try_from(offset).map_err(|e| packing(&e))?;
            file.get_mut(at..at + bytes.len())
                .ok_or_else(|| FilmError::Mp4("the index lies outside the file".into()))?
                .copy_from_slice(bytes);
        }
        Ok(file)
    }
}

/// One picture as MP4 stores it: each NAL unit behind its length, parameter sets left to the sample entry
/// (ISO/IEC 14496-15, 5.4.2: an `avc1` track carries them there only).
fn sample_data(annex_b: &[u8]) -> Result<Vec<u8>, FilmError> {
    let mut data = Vec::with_capacity(annex_b.len());
    for unit in parse_annexb_nal_units(annex_b).map_err(|e| FilmError::Mp4(e.to_string()))? {
        if matches!(unit.nal_unit_type, H264NalUnitType::Sps | H264NalUnitType::Pps) {
            continue;
        }
        let length = u32::try_from(unit.data.len()).map_err(|e| FilmError::Mp4(e.to_string()))?;
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(unit.data);
    }
    Ok(data)
}

/// The container's colour box (ISO/IEC 14496-12, 12.1.5; code points of ITU-T H.273): BT.709 primaries, transfer and
/// matrix, video range. QuickTime and Safari read this one rather than the stream's.
fn color_box() -> UnknownBox {
    let payload = vec![b'n', b'c', b'l', b'x', 0, 1, 0, 1, 0, 1, 0];
    let box_type = BoxType::Normal(*b"colr");
    UnknownBox { box_type, box_size: BoxSize::with_payload_size(box_type, payload.len() as u64), payload }
}

/// R'G'B' to Y'CbCr 4:2:0 of ITU-R BT.709 in the video range (luma 16–235, chroma 16–240), planes one behind the
/// other.
///
/// Fixed point with 16 fractional bits, rounded to nearest. Chroma samples stand where H.264 puts them by default
/// (Annex E, type 0): on every second column, halfway between two rows; hence weights of 1, 2, 1 along the row.
fn to_yuv420(image: &Rgb8Image) -> Vec<u8> {
    let (width, height) = (image.width, image.height);
    let mut planes = vec![0_u8; width * height * 3 / 2];
    let (luma, chroma) = planes.split_at_mut(width * height);
    let (cb, cr) = chroma.split_at_mut(width * height / 4);
    // 219/255 × (0.2126, 0.7152, 0.0722) × 2^16.
    for (code, rgb) in luma.iter_mut().zip(image.pixels.chunks_exact(3)) {
        let [r, g, b] = [rgb[0], rgb[1], rgb[2]].map(i32::from);
        *code = ((11_966 * r + 40_254 * g + 4_064 * b + (16 << 16) + (1 << 15)) >> 16) as u8;
    }
    for y in 0..height / 2 {
        for x in 0..width / 2 {
            let mut sum = [0_i32; 3];
            for row in [2 * y, 2 * y + 1] {
                let left = (2 * x).saturating_sub(1);
                for (column, weight) in [(left, 1), (2 * x, 2), (2 * x + 1, 1)] {
                    for (total, value) in sum.iter_mut().zip(image.pixel(column, row)) {
                        *total += weight * i32::from(value);
                    }
                }
            }
            // 224/255 × 2^16 / 8 of (B' − Y') / 1.8556 and (R' − Y') / 1.5748; each row of weights sums to zero.
            let [r, g, b] = sum;
            let at = y * (width / 2) + x;
            cb[at] = ((-6_596 * r - 22_189 * g + 28_785 * b + (128 << 19) + (1 << 18)) >> 19) as u8;
            cr[at] = ((28_784 * r - 26_145 * g - 2_639 * b + (128 << 19) + (1 << 18)) >> 19) as u8;
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(rgb: [u8; 3]) -> Rgb8Image {
        Rgb8Image { width: 16, height: 16, pixels: rgb.repeat(256) }
    }

    #[test]
    fn colours_become_the_codes_of_bt_709() {
        // Y' = 16 + 219 (0.2126 R + 0.7152 G + 0.0722 B), Cb and Cr about 128 with a span of 224.
        for (rgb, expected) in [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            ([255, 0, 0], [63, 102, 240]),
            ([0, 255, 0], [173, 42, 26]),
            ([0, 0, 255], [32, 240, 118]),
            ([128, 128, 128], [126, 128, 128]),
        ] {
            let planes = to_yuv420(&flat(rgb));
            assert_eq!([planes[0], planes[256], planes[256 + 64]], expected, "{rgb:?}");
            assert!(planes[..256].iter().all(|v| *v == expected[0]));
            assert!(planes[256..320].iter().all(|v| *v == expected[1]));
        }
    }

    #[test]
    fn chroma_stands_on_the_even_columns() {
        // One blue column: an even one gives half of its own sample, an odd one a quarter to each neighbour.
        let column = |at: usize| {
            let mut image = Rgb8Image::new(16, 16);
            for y in 0..16 {
                image.pixels[(y * 16 + at) * 3 + 2] = 255;
            }
            let planes = to_yuv420(&image);
            [planes[256 + 2], planes[256 + 3], planes[256 + 4]].map(|v| i32::from(v) - 128)
        };
        assert_eq!(column(6), [0, 56, 0]);
        assert_eq!(column(7), [0, 28, 28]);
    }

    #[test]
    fn sizes_and_rates_that_no_player_takes_are_refused_in_words() {
        let odd = FilmEncoder::new(541, 540, 24).unwrap_err().to_string();
        assert!(odd.contains("541x540") && odd.contains("even"), "{odd}");
        assert!(matches!(FilmEncoder::new(4096, 2160, 24), Err(FilmError::Size { .. })));
        assert!(matches!(FilmEncoder::new(64, 64, 0), Err(FilmError::FrameRate(0))));
        assert!(matches!(FilmEncoder::new(64, 64, 121), Err(FilmError::FrameRate(121))));
        let mut film = FilmEncoder::new(64, 64, 24).unwrap();
        assert!(matches!(film.push(&Rgb8Image::new(64, 62)), Err(FilmError::FrameSize { frame: 0, .. })));
        assert!(matches!(film.finish(), Err(FilmError::Empty)));
    }
}
