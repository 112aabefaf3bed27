//! What others show a piece by: a film of rendered frames with a preview and a poster, and a model in three dimensions.

use std::{
    fs,
    path::{Path, PathBuf},
};

use seedstorm_mint::{
    Bundle, Store,
    car::{self, Car},
    files::{self, Access},
};
use seedstorm_render::{
    film::{FilmEncoder, FilmError},
    glb,
    image_file::{Rgb8Image, decode_png},
    preview::Preview,
};
use seedstorm_sim::{Backend, Recipe, resolve};
use serde::Serialize;

use crate::{
    Home, Observer, Stage, StudioError, film::Shoot, located::locate, make::Options, making::Making, render::Rendered,
};

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
        let image = even(decode_png(&png).map_err(|source| StudioError::Frame { path: path.clone(), source })?);
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

/// Writes a piece as a CAR archive: `out`, or a file named after its content, here.
///
/// # Errors
/// Nothing is known by that name, it is not whole, or what the disk says.
pub fn car(home: &Home, piece: &str, out: Option<&Path>) -> Result<(PathBuf, Car), StudioError> {
    let folder = locate(home, piece)?;
    let store = Store::open(home.store())?;
    let added = Bundle::open(folder.path())?.add_to(&store)?;
    let roots: Vec<_> = std::iter::once(added.content.bundle).chain(added.metadata).chain(added.attestations).collect();
    let path = out.map_or_else(|| PathBuf::from(format!("{}.car", added.content.bundle)), Path::to_owned);
    let error = |source| StudioError::io(&path)(files::unnamed(source));
    let mut file = files::begin(&path, Access::Shared).map_err(error)?;
    let car = car::export(&store, &roots, std::io::BufWriter::new(file.as_file_mut()))?;
    file.as_file().sync_all().map_err(error)?;
    file.persist(&path).map_err(|e| error(e.error))?;
    Ok((path, car))
}

/// Writes a piece into the new folder `out`: its content, its metadata, what was attested of it.
///
/// # Errors
/// Nothing is known by that name, `out` is there already, or what the disk says.
pub fn folder(home: &Home, piece: &str, out: &Path) -> Result<(), StudioError> {
    let error = |source| StudioError::io(out)(source);
    if out.exists() {
        return Err(error(std::io::ErrorKind::AlreadyExists.into()));
    }
    let located = locate(home, piece)?;
    let bundle = Bundle::open(located.path())?;
    bundle.content_cids()?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(error)?;
    // What is there in the end is there whole.
    let beside = tempfile::tempdir_in(parent).map_err(error)?;
    copy_plain(located.path(), &beside.path().join("piece"))?;
    std::fs::rename(beside.path().join("piece"), out).map_err(error)
}

/// Copies plain files and the folders that they lie in.
fn copy_plain(from: &Path, to: &Path) -> Result<(), StudioError> {
    std::fs::create_dir(to).map_err(StudioError::io(to))?;
    for entry in std::fs::read_dir(from).map_err(StudioError::io(from))? {
        let entry = entry.map_err(StudioError::io(from))?;
        let (kind, to) = (entry.file_type().map_err(StudioError::io(from))?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_plain(&entry.path(), &to)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &to).map_err(StudioError::io(&to))?;
        }
    }
    Ok(())
}
