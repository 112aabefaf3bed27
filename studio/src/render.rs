//! Frames of a recipe, or of a user's own file, in a folder: a look at a piece, or at a part of its film, without making it.

use std::{
    fmt, fs,
    ops::Range,
    path::{Path, PathBuf},
    str::FromStr,
    thread,
    time::Instant,
};

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use seedstorm_mint::files::{self, Access};
use seedstorm_render::{
    Rect,
    gpu::GpuTracer,
    image_file::{Rgb8Image, decode_exr, decode_png, encode_exr, encode_png},
    plugin::{
        Input, Picture, Plugin, PluginError, Sandbox, Watch,
        protocol::{self, Film, Format, Task},
        scene_file::SceneFile,
    },
};
use seedstorm_sim::{Backend, Recipe, resolve, scene::Scene};
use serde::{Deserialize, Serialize};

use crate::{
    Home, Observer, Stage, StudioError, export,
    film::{Shoot, Tracer, poster_frame, shown},
    make::Options,
    making::Making,
};

/// Which of our own tracers draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Renderer {
    /// The canonical one, bit for bit the same everywhere.
    #[default]
    Cpu,
    /// The one on the graphics device: the same paths, rounded as the device rounds.
    Gpu,
}

impl fmt::Display for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        })
    }
}

impl FromStr for Renderer {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            _ => Err(format!("`{text}` is no renderer of pieces: choose cpu or gpu")),
        }
    }
}

/// What takes the noise out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Denoiser {
    /// Our own, bit for bit the same everywhere; what other renderers draw stays as it comes.
    #[default]
    Own,
    /// Intel Open Image Denoise.
    #[cfg(feature = "oidn")]
    Oidn,
}

impl Denoiser {
    /// What it is called in notes, where it is not our own.
    fn noted(self) -> Option<String> {
        match self {
            Self::Own => None,
            #[cfg(feature = "oidn")]
            Self::Oidn => Some("oidn".into()),
        }
    }
}

impl FromStr for Denoiser {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "own" => Ok(Self::Own),
            #[cfg(feature = "oidn")]
            "oidn" => Ok(Self::Oidn),
            #[cfg(not(feature = "oidn"))]
            "oidn" => {
                Err("this seedstorm was built without Open Image Denoise: README.md says how to build it in".into())
            }
            _ => Err(format!("`{text}` is no denoiser: choose own or oidn")),
        }
    }
}

/// What draws.
#[derive(Debug, Clone)]
pub enum By {
    /// One of our own.
    Own(Renderer),
    /// A program of its own, and what keeps it from the rest of the machine.
    Plugin(Box<Plugin>, Sandbox),
}

/// Which frames of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frames {
    /// All of them.
    All,
    /// These, the end excluded.
    Some(Range<u32>),
    /// The one that the poster shows.
    Poster,
}

/// What is to be rendered, and how.
#[derive(Debug)]
pub struct Wishes {
    /// Which frames.
    pub frames: Frames,
    /// By which renderer.
    pub by: By,
    /// What takes the noise out.
    pub denoiser: Denoiser,
    /// Whether the raw light of each frame is kept too, as OpenEXR.
    pub exr: bool,
    /// Where the simulation runs.
    pub backend: Backend,
    /// The folder that they go to, made where it is missing; named after the recipe where it is left out.
    pub out: Option<PathBuf>,
}

/// Frames that were rendered.
#[derive(Debug, Serialize)]
pub struct Rendered {
    /// The recipe's CID, or the BLAKE3 digest of a user's file.
    pub recipe: String,
    /// The folder.
    pub folder: PathBuf,
    /// The first frame, and the one after the last.
    pub frames: [u32; 2],
    /// How many of them were there already.
    pub kept: u32,
    /// What drew the others: `cpu`, the device's name, or a plug-in's with its version.
    pub tracer: String,
    /// Seconds that the others took.
    pub seconds: f64,
}

/// What a folder holds frames of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    recipe: String,
    tracer: String,
    /// Where they are not what the recipe or the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    samples: Option<u32>,
    /// Where frames were drawn in parts, which not every file comes out of the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tiles: Option<[u32; 2]>,
    /// Where it was not our own denoiser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    denoiser: Option<String>,
}

const NOTE: &str = "render.json";

/// The largest note, in bytes.
const MAX_NOTE_BYTES: u64 = 4096;

/// The largest picture of a frame, in bytes.
const MAX_FRAME_BYTES: u64 = 1 << 30;

/// Frames that a plug-in is asked for at once: it starts once for all of them.
const BATCH: usize = 4;

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.recipe, self.tracer)?;
        self.samples.map_or(Ok(()), |samples| write!(f, ", {samples} samples"))?;
        self.tiles.map_or(Ok(()), |[columns, rows]| write!(f, ", in {columns}x{rows} tiles"))?;
        self.denoiser.as_ref().map_or(Ok(()), |denoiser| write!(f, ", denoised by {denoiser}"))
    }
}

/// Renders frames of `recipe` into a folder. What an earlier run left there of the same recipe by the same tracer stays;
/// the simulation is kept in the home, and [`crate::make()`] goes on from it.
///
/// # Errors
/// Frames that the film does not have; a folder of something else; whatever the simulation, the renderer or the disk say.
pub fn render(home: &Home, recipe: &Recipe, wishes: &Wishes, observer: &dyn Observer) -> Result<Rendered, StudioError> {
    let film = &recipe.film;
    let (scenario, genome) = resolve(recipe)?;
    let frames = match &wishes.frames {
        Frames::All => 0..film.frames,
        Frames::Some(frames) => frames.clone(),
        Frames::Poster => {
            let poster = poster_frame(&*scenario, film);
            poster..poster + 1
        }
    };
    if frames.is_empty() || frames.end > film.frames {
        return Err(StudioError::Frames { asked: frames, there_are: 0..film.frames });
    }
    let own = match &wishes.by {
        By::Own(Renderer::Gpu) => Tracer::Gpu(GpuTracer::open()?),
        _ => Tracer::Cpu,
    };
    let (short, tracer) = match &wishes.by {
        By::Own(renderer) => (renderer.to_string(), own.name().to_owned()),
        By::Plugin(plugin, _) => named(plugin),
    };
    let cid = recipe.cid().to_string();
    let denoiser = wishes.denoiser.noted();
    let names: Vec<&str> = [&cid, &short].into_iter().chain(&denoiser).map(String::as_str).collect();
    let folder = wishes.out.clone().unwrap_or_else(|| PathBuf::from(names.join("-")));
    claim(&folder, &Note { recipe: cid.clone(), tracer: tracer.clone(), samples: None, tiles: None, denoiser })?;

    let mut making = Making::open(home, recipe)?;
    observer.begin(Stage::Simulate, u64::from(scenario.plan(&genome).steps));
    let trajectory =
        making.trajectory(recipe, home, &Options { backend: wishes.backend, ..Options::default() }, observer)?;
    observer.end(Stage::Simulate);

    let mut shoot = Shoot::new(&*scenario, &genome, film, &trajectory).by(own).without_noise_by(wishes.denoiser);
    let mut roll = Roll::begin(&folder, frames.clone(), observer);
    let raw = |frame: u32, radiance: &[[f32; 3]]| -> Result<(), StudioError> {
        if !wishes.exr {
            return Ok(());
        }
        let path = folder.join(format!("{frame:04}.exr"));
        let exr = encode_exr(radiance, film.width as usize, film.height as usize)?;
        files::write_atomically(&path, &exr, Access::Shared).map_err(StudioError::io(&path))
    };
    match &wishes.by {
        By::Own(_) => {
            for frame in roll.missing(wishes.exr) {
                let (image, layers) = shoot.drawn(frame, &|share| roll.drawing(share))?;
                raw(frame, &layers.radiance)?;
                roll.keep(frame, &encode_png(&image)?)?;
            }
        }
        By::Plugin(plugin, sandbox) => {
            let task = Task::Render {
                protocol: protocol::VERSION,
                frames: vec![],
                size: Some([film.width, film.height]),
                samples: Some(film.samples),
                seed: 0,
                tile: None,
                format: Format::Exr,
                threads: threads(),
            };
            for batch in roll.missing(wishes.exr).chunks(BATCH) {
                let scenes = batch.iter().map(|&frame| shoot.scene(frame)).collect::<Result<Vec<_>, _>>()?;
                let files: Vec<SceneFile> = batch
                    .iter()
                    .zip(&scenes)
                    .map(|(frame, scene)| SceneFile::new(scene, &format!("{frame:04}.bin")))
                    .collect();
                let inputs: Vec<_> =
                    batch.iter().zip(&files).map(|(frame, file)| (*frame, Input::Scene(file))).collect();
                roll.by_plugin(plugin, sandbox, &task, &inputs, &|frame, picture| {
                    let at = batch.iter().position(|asked| *asked == frame);
                    raw(frame, &picture.pixels)?;
                    developed(picture, &scenes[at.expect("only frames that were asked for come")], wishes.denoiser)
                })?;
            }
        }
    }
    Ok(roll.end(cid, tracer))
}

/// What is to be rendered of a user's file, and how.
#[derive(Debug)]
pub struct FileWishes {
    /// Which frames, by the file's own numbers.
    pub frames: Frames,
    /// By which plug-in, and what keeps it from the rest of the machine.
    pub by: (Plugin, Sandbox),
    /// Samples a pixel, in place of what the file says.
    pub samples: Option<u32>,
    /// Columns and rows of tiles that each frame is drawn in, each by itself.
    pub tiles: [u32; 2],
    /// Whether a film of them is wanted: what could not be one is refused before anything is drawn.
    pub film: bool,
    /// The folder that they go to, made where it is missing; named after the file where it is left out.
    pub out: Option<PathBuf>,
}

/// Renders frames of a user's file into a folder, as [`render`] does of a recipe. What is in the file is drawn; nothing in
/// it is run. `found` hears what the file holds before any of it is drawn.
///
/// # Errors
/// As for [`render`].
pub fn render_file(
    file: &Path,
    wishes: &FileWishes,
    observer: &dyn Observer,
    found: &mut dyn FnMut(&Film),
) -> Result<(Rendered, Film), StudioError> {
    let (plugin, sandbox) = &wishes.by;
    let digest = digest_of(file)?;
    let film = plugin.describe(sandbox, file, &mut || observer.stopped())?;
    found(&film);
    if wishes.film {
        export::can_be_filmed(film.size, film.fps)?;
    }
    let there_are = film.frames[0]..film.frames[1] + 1;
    let middle = there_are.start + (there_are.end - there_are.start) / 2;
    let frames = match &wishes.frames {
        Frames::All => there_are.clone(),
        Frames::Some(frames) => frames.clone(),
        Frames::Poster => middle..middle + 1,
    };
    if frames.is_empty() || frames.start < there_are.start || frames.end > there_are.end {
        return Err(StudioError::Frames { asked: frames, there_are });
    }
    let (short, tracer) = named(plugin);
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = wishes.out.clone().unwrap_or_else(|| PathBuf::from(format!("{stem}-{short}")));
    let note = Note {
        recipe: digest.clone(),
        tracer: tracer.clone(),
        samples: wishes.samples,
        tiles: Some(wishes.tiles).filter(|tiles| *tiles != [1, 1]),
        denoiser: None,
    };
    claim(&folder, &note)?;
    let mut roll = Roll::begin(&folder, frames, observer);
    let task = |tile| Task::Render {
        protocol: protocol::VERSION,
        frames: vec![],
        size: None,
        samples: wishes.samples,
        seed: 0,
        tile,
        format: Format::Png,
        threads: threads(),
    };
    let missing = roll.missing(false);
    if wishes.tiles == [1, 1] {
        for batch in missing.chunks(BATCH) {
            let inputs: Vec<_> = batch.iter().map(|&frame| (frame, Input::File(file))).collect();
            roll.by_plugin(plugin, sandbox, &task(None), &inputs, &|_, picture| Ok(picture.shown()))?;
        }
    } else {
        for frame in missing {
            let image = roll.in_tiles(film.size, wishes.tiles, &mut |tile, watch| {
                plugin.render(sandbox, &task(Some(tile)), &[(frame, Input::File(file))], watch)
            })?;
            roll.keep(frame, &encode_png(&image)?)?;
        }
    }
    Ok((roll.end(digest, tracer), film))
}

/// A plug-in's name, and what it is called in notes.
fn named(plugin: &Plugin) -> (String, String) {
    let it = plugin.manifest();
    (it.name.clone(), format!("{} {} {}", it.name, it.version, &it.digest[..16]))
}

fn threads() -> u32 {
    thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// The BLAKE3 digest of a file.
fn digest_of(file: &Path) -> Result<String, StudioError> {
    let mut hasher = blake3::Hasher::new();
    let mut source = fs::File::open(file).map_err(StudioError::io(file))?;
    std::io::copy(&mut source, &mut hasher).map_err(StudioError::io(file))?;
    Ok(format!("blake3:{}", hasher.finalize().to_hex()))
}

/// What a plug-in found in a scene, as our own pictures are developed.
fn developed(picture: Picture, scene: &Scene, denoiser: Denoiser) -> Result<Rgb8Image, StudioError> {
    let Picture { width, height, mut pixels, .. } = picture;
    for channel in pixels.iter_mut().flatten() {
        *channel = if channel.is_finite() { channel.max(0.0) } else { 0.0 };
    }
    let (width, height) = (width as usize, height as usize);
    let pixels = match denoiser {
        Denoiser::Own => pixels,
        #[cfg(feature = "oidn")]
        Denoiser::Oidn => seedstorm_render::oidn::denoise_radiance(&pixels, [width, height])?,
    };
    shown(pixels, width, height, scene)
}

/// Whether a file is a picture from beginning to end: a disk that was full or failed may have left less.
fn is_whole<T, E>(path: &Path, decode: fn(&[u8]) -> Result<T, E>) -> bool {
    files::read_bounded(path, MAX_FRAME_BYTES).is_ok_and(|file| decode(&file).is_ok())
}

/// Frames on their way into a folder.
struct Roll<'a> {
    folder: &'a Path,
    frames: Range<u32>,
    observer: &'a dyn Observer,
    start: Instant,
    done: u32,
    kept: u32,
}

impl<'a> Roll<'a> {
    fn begin(folder: &'a Path, frames: Range<u32>, observer: &'a dyn Observer) -> Self {
        observer.begin(Stage::Render, u64::from(frames.end - frames.start) * Stage::FRAME);
        Self { folder, frames, observer, start: Instant::now(), done: 0, kept: 0 }
    }

    fn path(&self, frame: u32) -> PathBuf {
        self.folder.join(format!("{frame:04}.png"))
    }

    /// Those that are not there yet, with their raw light where it is wanted.
    fn missing(&mut self, exr: bool) -> Vec<u32> {
        let there = |frame: u32| {
            let path = self.path(frame);
            is_whole(&path, decode_png) && (!exr || is_whole(&path.with_extension("exr"), decode_exr))
        };
        let missing: Vec<u32> = self.frames.clone().into_par_iter().filter(|frame| !there(*frame)).collect();
        self.kept = self.frames.end - self.frames.start - missing.len() as u32;
        self.done = self.kept;
        self.observer.reached(u64::from(self.done) * Stage::FRAME);
        missing
    }

    /// So much of the present frame, or frames, is done; whether to stop.
    fn drawing(&self, share: f32) -> bool {
        self.observer.reached(u64::from(self.done) * Stage::FRAME + (share * Stage::FRAME as f32) as u64);
        self.observer.stopped()
    }

    fn keep(&mut self, frame: u32, png: &[u8]) -> Result<(), StudioError> {
        let path = self.path(frame);
        files::write_atomically(&path, png, Access::Shared).map_err(StudioError::io(&path))?;
        self.done += 1;
        self.observer.reached(u64::from(self.done) * Stage::FRAME);
        if self.observer.stopped() { Err(StudioError::Stopped) } else { Ok(()) }
    }

    /// Has a plug-in draw frames, each of which is kept as soon as it is there.
    fn by_plugin(
        &mut self,
        plugin: &Plugin,
        sandbox: &Sandbox,
        task: &Task,
        inputs: &[(u32, Input<'_>)],
        develop: &dyn Fn(u32, Picture) -> Result<Rgb8Image, StudioError>,
    ) -> Result<(), StudioError> {
        let (before, asked) = (self.done, inputs.len() as f32);
        let mut watch = Developing { roll: self, before, asked, develop, failed: None };
        let result = plugin.render(sandbox, task, inputs, &mut watch);
        match watch.failed.take() {
            Some(error) => Err(error),
            None => Ok(result?),
        }
    }

    /// A frame from tiles, each drawn by itself.
    fn in_tiles(
        &self,
        [width, height]: [u32; 2],
        [columns, rows]: [u32; 2],
        draw: &mut dyn FnMut(Rect, &mut dyn Watch) -> Result<(), PluginError>,
    ) -> Result<Rgb8Image, StudioError> {
        let mut image = Rgb8Image::new(width as usize, height as usize);
        let edge = |length: u32, of: u32, at: u32| (u64::from(length) * u64::from(at) / u64::from(of)) as u32;
        for tile in 0..columns * rows {
            let (column, row) = (tile % columns, tile / columns);
            let (x, y) = (edge(width, columns, column), edge(height, rows, row));
            let rect =
                Rect { x, y, width: edge(width, columns, column + 1) - x, height: edge(height, rows, row + 1) - y };
            let mut one = One { roll: self, tile, tiles: columns * rows, picture: None };
            draw(rect, &mut one)?;
            let part = one.picture.expect("a run that ends well gave the frame").shown();
            for (row, pixels) in part.pixels.chunks(part.width * 3).enumerate() {
                let to = ((rect.y as usize + row) * image.width + rect.x as usize) * 3;
                image.pixels[to..to + pixels.len()].copy_from_slice(pixels);
            }
        }
        Ok(image)
    }

    fn end(self, recipe: String, tracer: String) -> Rendered {
        self.observer.end(Stage::Render);
        let seconds = self.start.elapsed().as_secs_f64();
        let frames = [self.frames.start, self.frames.end];
        Rendered { recipe, folder: self.folder.into(), frames, kept: self.kept, tracer, seconds }
    }
}

/// Keeps what a plug-in draws.
struct Developing<'r, 'a> {
    roll: &'r mut Roll<'a>,
    /// Frames that were there before, and how many it draws.
    before: u32,
    asked: f32,
    develop: &'r dyn Fn(u32, Picture) -> Result<Rgb8Image, StudioError>,
    /// What ended it, where it was not the plug-in.
    failed: Option<StudioError>,
}

impl Watch for Developing<'_, '_> {
    fn reached(&mut self, share: f32) {
        let frames = self.before as f32 + share * self.asked;
        self.roll.observer.reached((frames * Stage::FRAME as f32) as u64);
    }

    fn stopped(&mut self) -> bool {
        self.roll.observer.stopped()
    }

    fn frame(&mut self, number: u32, picture: Picture) -> Result<(), PluginError> {
        let kept = (self.develop)(number, picture)
            .and_then(|image| Ok(encode_png(&image)?))
            .and_then(|png| self.roll.keep(number, &png));
        kept.map_err(|error| {
            self.failed = Some(error);
            PluginError::Cancelled
        })
    }
}

/// Takes one picture.
struct One<'r, 'a> {
    roll: &'r Roll<'a>,
    /// Which it is, and of how many.
    tile: u32,
    tiles: u32,
    picture: Option<Picture>,
}

impl Watch for One<'_, '_> {
    fn reached(&mut self, share: f32) {
        self.roll.drawing((self.tile as f32 + share) / self.tiles as f32);
    }

    fn stopped(&mut self) -> bool {
        self.roll.observer.stopped()
    }

    fn frame(&mut self, _: u32, picture: Picture) -> Result<(), PluginError> {
        self.picture = Some(picture);
        Ok(())
    }
}

/// Takes a folder for these frames, or says what it holds.
fn claim(folder: &Path, note: &Note) -> Result<(), StudioError> {
    fs::create_dir_all(folder).map_err(StudioError::io(folder))?;
    let path = folder.join(NOTE);
    let there = files::read_bounded(&path, MAX_NOTE_BYTES).ok();
    match there.map(|bytes| serde_json::from_slice::<Note>(&bytes)) {
        Some(Ok(there)) if there == *note => Ok(()),
        Some(Ok(there)) => Err(StudioError::Occupied { folder: folder.into(), by: there.to_string() }),
        Some(Err(_)) => Err(StudioError::Occupied { folder: folder.into(), by: format!("a {NOTE} of something else") }),
        None => {
            let has_frame = fs::read_dir(folder).map_err(StudioError::io(folder))?.flatten().any(|entry| {
                let name = entry.file_name();
                name.to_str().is_some_and(|name| {
                    name.strip_suffix(".png").is_some_and(|stem| stem.len() >= 4 && stem.parse::<u32>().is_ok())
                })
            });
            if has_frame {
                return Err(StudioError::Occupied {
                    folder: folder.into(),
                    by: "frames without a note of whose they are".into(),
                });
            }
            let bytes = serde_json::to_vec_pretty(note).expect("two texts");
            files::write_atomically(&path, &bytes, Access::Shared).map_err(StudioError::io(&path))
        }
    }
}
