//! Frames of a recipe in a folder, by either tracer: a look at a piece, or at a part of its film, without making it.

use std::{
    fmt, fs,
    ops::Range,
    path::{Path, PathBuf},
    str::FromStr,
    time::Instant,
};

use seedstorm_mint::files::{self, Access};
use seedstorm_render::{gpu::GpuTracer, image_file::encode_png};
use seedstorm_sim::{Backend, Recipe, resolve};
use serde::{Deserialize, Serialize};

use crate::{
    Home, Observer, Stage, StudioError,
    film::{Shoot, Tracer, poster_frame},
    make::Options,
    making::Making,
};

/// Which tracer draws.
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
            _ => Err(format!("`{text}` is no renderer: choose cpu or gpu")),
        }
    }
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
    /// By which tracer.
    pub renderer: Renderer,
    /// Where the simulation runs.
    pub backend: Backend,
    /// The folder that they go to, made where it is missing; named after the recipe where it is left out.
    pub out: Option<PathBuf>,
}

/// Frames that were rendered.
#[derive(Debug, Serialize)]
pub struct Rendered {
    /// The recipe's CID.
    pub recipe: String,
    /// The folder.
    pub folder: PathBuf,
    /// The first frame, and the one after the last.
    pub frames: [u32; 2],
    /// How many of them were there already.
    pub kept: u32,
    /// What drew the others: `cpu`, or the device's name.
    pub tracer: String,
    /// Seconds that the others took.
    pub seconds: f64,
}

/// What a folder holds frames of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    recipe: String,
    tracer: String,
}

const NOTE: &str = "render.json";

/// The largest note, in bytes.
const MAX_NOTE_BYTES: u64 = 4096;

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recipe {} by {}", self.recipe, self.tracer)
    }
}

/// Renders frames of `recipe` into a folder. What an earlier run left there of the same recipe by the same tracer stays;
/// the simulation is kept in the home, and [`crate::make()`] goes on from it.
///
/// # Errors
/// Frames that the film does not have; a folder of something else; whatever the simulation, the tracer or the disk say.
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
        return Err(StudioError::Frames { asked: frames, frames: film.frames });
    }
    let tracer = match wishes.renderer {
        Renderer::Cpu => Tracer::Cpu,
        Renderer::Gpu => Tracer::Gpu(GpuTracer::open()?),
    };
    let name = tracer.name().to_owned();
    let cid = recipe.cid().to_string();
    let folder = match &wishes.out {
        Some(folder) => folder.clone(),
        None => PathBuf::from(format!("{cid}-{}", wishes.renderer)),
    };
    claim(&folder, &Note { recipe: cid.clone(), tracer: name.clone() })?;

    let mut making = Making::open(home, recipe)?;
    observer.begin(Stage::Simulate, u64::from(scenario.plan(&genome).steps));
    let trajectory =
        making.trajectory(recipe, home, &Options { backend: wishes.backend, ..Options::default() }, observer)?;
    observer.end(Stage::Simulate);

    let mut shoot = Shoot::new(&*scenario, &genome, film, &trajectory).by(tracer);
    observer.begin(Stage::Render, u64::from(frames.end - frames.start) * 1000);
    let start = Instant::now();
    let mut kept = 0;
    for (done, frame) in (0u64..).zip(frames.clone()) {
        let path = folder.join(format!("{frame:04}.png"));
        if path.is_file() {
            kept += 1;
        } else {
            let report = |share: f32| {
                observer.reached(done * 1000 + (share * 1000.0) as u64);
                observer.stopped()
            };
            let png = encode_png(&shoot.frame(frame, &report)?)?;
            files::write_atomically(&path, &png, Access::Shared).map_err(StudioError::io(&path))?;
        }
        observer.reached((done + 1) * 1000);
        if observer.stopped() {
            return Err(StudioError::Stopped);
        }
    }
    observer.end(Stage::Render);
    let seconds = start.elapsed().as_secs_f64();
    Ok(Rendered { recipe: cid, folder, frames: [frames.start, frames.end], kept, tracer: name, seconds })
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
                    by: "frames that nobody signed for".into(),
                });
            }
            let bytes = serde_json::to_vec_pretty(note).expect("two texts");
            files::write_atomically(&path, &bytes, Access::Shared).map_err(StudioError::io(&path))
        }
    }
}
