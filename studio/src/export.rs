//! What others show a piece by: a film of rendered frames with a preview and a poster, and a model in three dimensions.

use std::{
    fs,
    path::{Path, PathBuf},
};

use seedstorm_mint::files::{self, Access};
use seedstorm_render::{
    film::{FilmEncoder, FilmError},
    glb,
    image_file::{Rgb8Image, decode_png},
    preview::Preview,
};
use seedstorm_sim::{Backend, Recipe, resolve};
use serde::Serialize;

use crate::{Home, Observer, Stage, StudioError, film::Shoot, make::Options, making::Making, render::Rendered};

/// A film of the frames in a folder.
#[derive(Debug, Serialize)]
pub struct Compiled {
    /// H.264 in MP4.
    pub film: PathBuf,
    /// An animated WebP of it, which loops.
    pub preview: PathBuf,
    /// Its middle.
    pub poster: PathBuf,
    /// Frames.
    pub frames: u32,
    /// Frames a second.
    pub fps: u32,
    /// Pixels of a frame: video has even sides.
    pub size: [u32; 2],
}

/// Makes a film, a preview that marketplaces take and a poster of the frames that [`crate::render()`] or [`crate::render::render_file`] left.
///
/// # Errors
/// A frame that is not there or not of the others' size; what the encoders say.
pub fn compile(rendered: &Rendered, fps: u32, observer: &dyn Observer) -> Result<Compiled, StudioError> {
    let [first, end] = rendered.frames;
    let folder = &rendered.folder;
    observer.begin(Stage::Encode, u64::from(end - first));
    let mut preview = Preview::new(fps);
    let mut film: Option<FilmEncoder> = None;
    let mut size = [0; 2];
    let poster = folder.join("poster.png");
    for frame in first..end {
        let path = folder.join(format!("{frame:04}.png"));
        let png = fs::read(&path).map_err(StudioError::io(&path))?;
        let image = even(decode_png(&png)?);
        if film.is_none() {
            film = Some(FilmEncoder::new(image.width, image.height, fps)?);
            size = [image.width as u32, image.height as u32];
        }
        if let Some(film) = &mut film {
            film.push(&image)?;
        }
        preview.push(&image);
        if frame == first + (end - first) / 2 {
            files::write_atomically(&poster, &png, Access::Shared).map_err(StudioError::io(&poster))?;
        }
        observer.reached(u64::from(frame - first + 1));
        if observer.stopped() {
            return Err(StudioError::Stopped);
        }
    }
    let film = film.ok_or(FilmError::Empty)?;
    let [mp4, webp] = ["film.mp4", "preview.webp"].map(|name| folder.join(name));
    files::write_atomically(&mp4, &film.finish()?, Access::Shared).map_err(StudioError::io(&mp4))?;
    files::write_atomically(&webp, &preview.finish()?, Access::Shared).map_err(StudioError::io(&webp))?;
    observer.end(Stage::Encode);
    Ok(Compiled { film: mp4, preview: webp, poster, frames: end - first, fps, size })
}

/// Whether frames of this size can be a film.
///
/// # Errors
/// What the encoder says.
pub fn can_be_filmed([width, height]: [u32; 2], fps: u32) -> Result<(), StudioError> {
    FilmEncoder::new(width as usize & !1, height as usize & !1, fps)?;
    Ok(())
}

/// The picture without its last column or row where H.264 could not halve them.
fn even(image: Rgb8Image) -> Rgb8Image {
    let (width, height) = (image.width & !1, image.height & !1);
    if (width, height) == (image.width, image.height) {
        return image;
    }
    let rows = image.pixels.chunks(image.width * 3).take(height);
    let mut cut = Rgb8Image::new(width, height);
    cut.pixels = rows.flat_map(|row| &row[..width * 3]).copied().collect();
    cut
}

/// A piece as a model that plays.
#[derive(Debug, Serialize)]
pub struct Modelled {
    /// The recipe's CID.
    pub recipe: String,
    /// The binary glTF file.
    pub model: PathBuf,
    /// Its size.
    pub bytes: usize,
}

/// Moments of a model.
const MOMENTS: u32 = 36;

/// Writes a piece as binary glTF, for who shows it in three dimensions: `out`, or a file named after the recipe.
///
/// # Errors
/// Whatever the simulation or the disk say; a piece in which there is nothing to show.
pub fn model(
    home: &Home,
    recipe: &Recipe,
    backend: Backend,
    out: Option<&Path>,
    observer: &dyn Observer,
) -> Result<Modelled, StudioError> {
    let (scenario, genome) = resolve(recipe)?;
    // Before a simulation that may take long.
    let folder = out.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::read_dir(folder).map_err(StudioError::io(folder))?;
    }
    let cid = recipe.cid().to_string();
    let mut making = Making::open(home, recipe)?;
    observer.begin(Stage::Simulate, u64::from(scenario.plan(&genome).steps));
    let trajectory = making.trajectory(recipe, home, &Options { backend, ..Options::default() }, observer)?;
    observer.end(Stage::Simulate);
    let film = &recipe.film;
    let mut shoot = Shoot::new(&*scenario, &genome, film, &trajectory);
    let last = film.frames - 1;
    let count = MOMENTS.min(film.frames);
    let at = |moment: u32| if count == 1 { last } else { last * moment / (count - 1) };
    let scenes = (0..count).map(|moment| shoot.scene(at(moment))).collect::<Result<Vec<_>, _>>()?;
    observer.begin(Stage::Encode, 1);
    let bytes = glb::encode(&scenes, last as f32 / film.fps as f32)?;
    let model = out.map_or_else(|| PathBuf::from(format!("{cid}.glb")), Path::to_owned);
    files::write_atomically(&model, &bytes, Access::Shared).map_err(StudioError::io(&model))?;
    observer.end(Stage::Encode);
    Ok(Modelled { recipe: cid, model, bytes: bytes.len() })
}
