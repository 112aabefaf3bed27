//! The README's pictures: for each piece of `docs/images/pieces.json`, its poster and a strip of frames.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use clap::Args;
use image::{ImageFormat, RgbImage, imageops};
use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};

use crate::gallery;
use crate::studio::Studio;
use crate::workspace::{Workspace, write_atomically};

/// Which pictures to make.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The scenarios whose pictures to make, `renderers` or `gallery`; all of them if none is named
    scenarios: Vec<String>,
    /// Quality of the pieces
    #[arg(long, default_value = "film")]
    quality: String,
}

/// Moments of a film in a strip.
const STRIP_FRAMES: u32 = 12;

/// Moments side by side in a strip.
const STRIP_COLUMNS: u32 = 6;

/// Width of one moment in a strip, pixels.
const STRIP_FRAME_WIDTH: u32 = 200;

/// The picture of one piece by all renderers, the scenario that it shows, and each renderer with its samples.
const RENDERERS_PICTURE: &str = "renderers";
const SHOWN: &str = "plunge";
const RENDERERS: [(&str, &str); 4] = [("cpu", "64"), ("gpu", "64"), ("cycles", "768"), ("povray", "16")];

/// The film of the app.
const GALLERY_FILM: &str = "gallery";

/// Width and height of each in it.
const RENDERER_WIDTH: u32 = 300;

/// Renders the pieces' frames and writes `docs/images/SCENARIO.png` and `docs/images/SCENARIO-strip.png`.
///
/// # Errors
///
/// If a scenario is not in pieces.json, or its frames cannot be rendered or read.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.path("docs/images");
    let seeds = pieces(workspace)?;
    let studio = Studio::build(workspace, &workspace.home(&workspace.commit()?))?;
    let (side_by_side, gallery_film) = (RENDERERS_PICTURE.to_owned(), GALLERY_FILM.to_owned());
    let names: Vec<&String> = if options.scenarios.is_empty() {
        seeds.keys().chain([&side_by_side, &gallery_film]).collect()
    } else {
        options.scenarios.iter().collect()
    };
    let scratch = tempfile::tempdir().into_diagnostic().wrap_err("cannot make a temporary folder")?;
    for name in names {
        if name == RENDERERS_PICTURE {
            let seed = seeds.get(SHOWN).ok_or_else(|| miette!("pieces.json has no seed for {SHOWN}"))?;
            renderers(workspace, &studio, seed, scratch.path(), &folder)?;
            continue;
        }
        if name == GALLERY_FILM {
            gallery::film::take(workspace)?;
            continue;
        }
        let seed = seeds.get(name).ok_or_else(|| miette!("pieces.json has no seed for {name}"))?;
        // Frames of the piece, without the rest of it.
        let out = scratch.path().join(name);
        let frame = |frames: &str| -> Result<RgbImage> {
            let first = studio.render([name, seed, &options.quality], frames, &out, &[])?;
            read(&out.join(format!("{first:04}.png")))
        };
        write_atomically(&folder.join(format!("{name}.png")), &png(&frame("poster")?)?)?;
        let moments = evenly_spaced(studio.frames(name, seed, &options.quality)?, STRIP_FRAMES);
        let pictures = moments.iter().map(|at| frame(&format!("{at}..{}", at + 1))).collect::<Result<Vec<_>>>()?;
        write_atomically(&folder.join(format!("{name}-strip.png")), &png(&strip(&pictures)?)?)?;
        eprintln!("wrote docs/images/{name}.png and docs/images/{name}-strip.png");
    }
    Ok(())
}

/// One piece by four renderers, side by side.
fn renderers(workspace: &Workspace, studio: &Studio, seed: &str, scratch: &Path, folder: &Path) -> Result<()> {
    studio.add_renderer(&workspace.path("render/renderers/povray"))?;
    let mut row = RgbImage::new(RENDERERS.len() as u32 * RENDERER_WIDTH, RENDERER_WIDTH);
    for (column, (renderer, samples)) in (0..).zip(RENDERERS) {
        let out = scratch.join(renderer);
        let more = ["--renderer", renderer, "--samples", samples];
        let first = studio.render([SHOWN, seed, "film"], "poster", &out, &more)?;
        let picture = read(&out.join(format!("{first:04}.png")))?;
        let smaller = imageops::resize(&picture, RENDERER_WIDTH, RENDERER_WIDTH, imageops::FilterType::Lanczos3);
        imageops::replace(&mut row, &smaller, (column * RENDERER_WIDTH).into(), 0);
    }
    write_atomically(&folder.join(format!("{RENDERERS_PICTURE}.png")), &png(&row)?)?;
    eprintln!("wrote docs/images/{RENDERERS_PICTURE}.png");
    Ok(())
}

/// The seed of the piece that the README shows of each scenario.
///
/// # Errors
///
/// If docs/images/pieces.json cannot be read.
pub(crate) fn pieces(workspace: &Workspace) -> Result<BTreeMap<String, String>> {
    let list = workspace.path("docs/images/pieces.json");
    let text =
        fs::read_to_string(&list).into_diagnostic().wrap_err_with(|| format!("cannot read {}", list.display()))?;
    serde_json::from_str(&text)
        .into_diagnostic()
        .wrap_err_with(|| format!("{} is not an object of seeds by scenario", list.display()))
}

/// Pictures in rows.
fn strip(moments: &[RgbImage]) -> Result<RgbImage> {
    let smaller = |frame: &RgbImage| {
        let height = (frame.height() * STRIP_FRAME_WIDTH).div_ceil(frame.width());
        imageops::resize(frame, STRIP_FRAME_WIDTH, height, imageops::FilterType::Lanczos3)
    };
    let pictures: Vec<RgbImage> = moments.iter().map(smaller).collect();
    let Some(height) = pictures.first().map(RgbImage::height) else { bail!("the piece has no frames") };
    // At most STRIP_FRAMES pictures: the count fits.
    let count = pictures.len() as u32;
    let (columns, rows) = (count.min(STRIP_COLUMNS), count.div_ceil(STRIP_COLUMNS));
    let mut strip = RgbImage::new(STRIP_FRAME_WIDTH * columns, height * rows);
    for (index, picture) in (0..count).zip(&pictures) {
        let (column, row) = (index % STRIP_COLUMNS, index / STRIP_COLUMNS);
        imageops::replace(&mut strip, picture, (column * STRIP_FRAME_WIDTH).into(), (row * height).into());
    }
    Ok(strip)
}

/// Up to `wanted` indices below `length`, in order, no two alike, with both ends.
fn evenly_spaced(length: usize, wanted: u32) -> Vec<usize> {
    let count = length.min(wanted as usize);
    let last = length.saturating_sub(1);
    (0..count).map(|index| if count == 1 { 0 } else { (index * last + (count - 1) / 2) / (count - 1) }).collect()
}

fn read(path: &Path) -> Result<RgbImage> {
    let picture = image::open(path).into_diagnostic().wrap_err_with(|| format!("cannot read {}", path.display()))?;
    Ok(picture.into_rgb8())
}

fn png(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).into_diagnostic().wrap_err("cannot encode a picture")?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_has_both_ends() {
        assert_eq!(evenly_spaced(96, 6), [0, 19, 38, 57, 76, 95]);
        assert_eq!(evenly_spaced(3, 6), [0, 1, 2]);
        assert_eq!(evenly_spaced(1, 6), [0]);
        assert!(evenly_spaced(0, 6).is_empty());
    }

    #[test]
    fn a_strip_shows_the_frames_in_order() {
        let grey = |level: usize| RgbImage::from_pixel(400, 300, image::Rgb([level as u8 * 10; 3]));
        let moments: Vec<RgbImage> = evenly_spaced(23, STRIP_FRAMES).into_iter().map(grey).collect();
        let strip = strip(&moments).expect("a strip");
        assert_eq!(strip.dimensions(), (6 * STRIP_FRAME_WIDTH, 2 * 150));
        let level = |index: u32| strip.get_pixel(index % 6 * STRIP_FRAME_WIDTH + 100, index / 6 * 150 + 75).0[0] / 10;
        let levels: Vec<u8> = (0..12).map(level).collect();
        assert_eq!(levels, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]);
    }
}
