//! A film made of frames must be a file that players open, whose pictures are the frames, and whose bytes repeat.

use openh264::decoder::Decoder;
use openh264::formats::YUVSource;
use seedstorm_render::film::FilmEncoder;
use seedstorm_render::image_file::Rgb8Image;
use shiguredo_mp4::boxes::SampleEntry;
use shiguredo_mp4::demux::{Input, Mp4FileDemuxer};

const WIDTH: usize = 180;
const HEIGHT: usize = 132;
const FRAMES: usize = 30;
const RATE: u32 = 24;

/// A lit backdrop with coloured balls that move: what a rendered frame is made of.
fn frame(index: usize) -> Rgb8Image {
    let mut image = Rgb8Image::new(WIDTH, HEIGHT);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let mut rgb = [40 + x as i32 / 3, 50 + y as i32 / 4, 70 + (x + y) as i32 / 5];
            for ball in 0..5_i32 {
                let center = [20 + ball * 32 + index as i32, 30 + (ball * 17 + index as i32 * 2) % 80];
                let (dx, dy) = (x as i32 - center[0], y as i32 - center[1]);
                let inside = 20 * 20 - dx * dx - dy * dy;
                if inside > 0 {
                    let shade = inside / 4 + 40;
                    let color = [shade + 60 * (ball % 2), shade / 2 + 25 * ball, shade * (5 - ball) / 4];
                    // Edges a few pixels wide: 4:2:0 cannot hold a sharp edge between two saturated colours.
                    let cover = inside.min(128);
                    rgb = [0, 1, 2].map(|c| (color[c] * cover + rgb[c] * (128 - cover)) / 128);
                }
            }
            for (channel, value) in rgb.into_iter().enumerate() {
                image.pixels[(y * WIDTH + x) * 3 + channel] = value.clamp(0, 255) as u8;
            }
        }
    }
    image
}

fn film() -> Vec<u8> {
    let mut film = FilmEncoder::new(WIDTH, HEIGHT, RATE).expect("the size is even");
    for index in 0..FRAMES {
        film.push(&frame(index)).expect("frames fit the film");
    }
    film.finish().expect("there are frames")
}

/// Types and places of the file's outermost boxes.
fn boxes(file: &[u8]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let size = match u32::from_be_bytes(file[at..at + 4].try_into().expect("four bytes")) {
            0 => file.len() - at,
            1 => u64::from_be_bytes(file[at + 8..at + 16].try_into().expect("eight bytes")) as usize,
            size => size as usize,
        };
        found.push((String::from_utf8_lossy(&file[at + 4..at + 8]).into_owned(), at));
        at += size;
    }
    found
}

#[test]
fn the_pictures_in_the_film_are_the_frames() {
    let file = film();
    let mut demuxer = Mp4FileDemuxer::new();
    demuxer.handle_input(Input { position: 0, data: &file });
    assert_eq!(demuxer.tracks().unwrap().len(), 1);

    let mut decoder = Decoder::new().unwrap();
    let mut decoded = 0;
    let mut worst = f64::MAX;
    while let Some(sample) = demuxer.next_sample().unwrap() {
        assert_eq!(sample.timestamp, decoded as u64);
        assert_eq!(sample.track.timescale.get(), RATE);
        assert_eq!(sample.keyframe, decoded % RATE as usize == 0, "frame {decoded}");
        let mut annex_b = Vec::new();
        if let Some(SampleEntry::Avc1(entry)) = sample.sample_entry {
            assert_eq!((usize::from(entry.visual.width), usize::from(entry.visual.height)), (WIDTH, HEIGHT));
            for set in entry.avcc_box.sps_list.iter().chain(&entry.avcc_box.pps_list) {
                annex_b.extend_from_slice(&[0, 0, 0, 1]);
                annex_b.extend_from_slice(set);
            }
        }
        let mut data = &file[sample.data_offset as usize..sample.data_offset as usize + sample.data_size];
        while let Some((length, rest)) = data.split_first_chunk::<4>() {
            let (unit, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            assert!(![7, 8].contains(&(unit[0] & 31)), "an avc1 track keeps its parameter sets in the sample entry");
            annex_b.extend_from_slice(&[0, 0, 0, 1]);
            annex_b.extend_from_slice(unit);
            data = rest;
        }
        let picture = decoder.decode(&annex_b).unwrap().expect("every sample is a whole picture");
        worst = worst.min(psnr(&frame(decoded), &picture));
        decoded += 1;
    }
    assert_eq!(decoded, FRAMES);
    assert!(worst > 38.0, "a frame came back with {worst} dB only");
}

/// Peak signal-to-noise ratio, over R'G'B', of a decoded picture against a frame.
fn psnr(frame: &Rgb8Image, picture: &impl YUVSource) -> f64 {
    let (luma_stride, chroma_stride, _) = picture.strides();
    // Chroma stands on the even columns, between two rows: interpolated to the pixel.
    let chroma = |plane: &[u8], x: usize, y: usize| {
        let at = |column: usize, row: usize| f64::from(plane[row * chroma_stride + column]);
        let column = x / 2;
        let right = if x.is_multiple_of(2) { column } else { (column + 1).min(WIDTH / 2 - 1) };
        let row = y / 2;
        let other = if y.is_multiple_of(2) { row.saturating_sub(1) } else { (row + 1).min(HEIGHT / 2 - 1) };
        let mix = |row: usize| 0.5 * (at(column, row) + at(right, row));
        (0.75 * mix(row) + 0.25 * mix(other) - 128.0) / 224.0
    };
    let mut error = 0.0;
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let luma = (f64::from(picture.y()[y * luma_stride + x]) - 16.0) / 219.0;
            let (cb, cr) = (chroma(picture.u(), x, y), chroma(picture.v(), x, y));
            let (r, b) = (luma + 1.5748 * cr, luma + 1.8556 * cb);
            let g = (luma - 0.2126 * r - 0.0722 * b) / 0.7152;
            for (value, original) in [r, g, b].into_iter().zip(frame.pixel(x, y)) {
                let difference = (255.0 * value).clamp(0.0, 255.0) - f64::from(original);
                error += difference * difference;
            }
        }
    }
    10.0 * libm::log10(255.0 * 255.0 * (WIDTH * HEIGHT * 3) as f64 / error)
}

#[test]
fn the_index_stands_before_the_pictures_and_knows_no_clock() {
    let file = film();
    let order: Vec<String> = boxes(&file).into_iter().map(|(name, _)| name).filter(|name| name != "free").collect();
    assert_eq!(order, ["ftyp", "moov", "mdat"]);
    for name in [*b"mvhd", *b"tkhd", *b"mdhd"] {
        let at = file.windows(4).position(|window| *window == name).expect("every movie has this header");
        // Version and flags, then the creation time: seconds since 1904, of the epoch of 1970.
        assert_eq!(file[at + 4], 0);
        assert_eq!(file[at + 8..at + 12], 2_082_844_800_u32.to_be_bytes());
    }
    let color = file.windows(4).position(|window| window == b"colr").expect("the colours are described");
    assert_eq!(file[color + 4..color + 15], *b"nclx\0\x01\0\x01\0\x01\0");
}

#[test]
fn bytes_are_those_of_this_engine_version() {
    let file = film();
    assert_eq!(file, film(), "two encodings of the same frames differ");
    assert_eq!(
        blake3::hash(&file).to_hex().as_str(),
        "91c920762d7b396531e7f5d40f15e471fc8d820a1bf4bc69a2d5a09a5898e6af",
        "the film encoder changed: every film's CID changes with it, so this is a new engine version"
    );
}
