//! A piece in the making: what a killed run leaves behind, and the next one goes on from.
//!
//! ```text
//! making/<recipe CID>.lock      held by the one process that makes this piece
//! making/<recipe CID>/
//!   notes.json                  when it was begun, and on what it was simulated
//!   recipe.json                 what is made, for who looks for work to go on with
//!   light-<frame>               the digest of the frame's raw light, where a device draws
//!   simulation.bin              the simulation's last save; gone once it is done
//!   piece/                      the bundle as far as it has come; moves to bundles/ when it is whole
//!   seals/                      for each file that a later run takes as it is, what only this home can write
//! ```
//!
//! Every file is written whole and then moved to its place. A file that is not what was written here for this recipe is
//! made anew.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use seedstorm_mint::files::{self, Access};
use seedstorm_render::image_file::{Rgb8Image, decode_png, encode_png};
use seedstorm_sim::{Digest, Recipe, Seal, SimError, Simulation, Trajectory, recipe::MAX_SCENE_RECIPE_BYTES};
use serde::{Deserialize, Serialize};

use crate::{Home, Observer, StudioError, checkpoints::Checkpoints, make::Options};

/// Time between two saves of a simulation.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// The largest note, in bytes.
const MAX_NOTES_BYTES: u64 = 4096;

/// Names in the folder of a piece in the making.
const NOTES: &str = "notes.json";
const SAVE: &str = "simulation.bin";
const RECIPE: &str = "recipe.json";
const PIECE: &str = "piece";
const SEALS: &str = "seals";
/// What the names begin with of files that hold the digest of a frame's light.
const LIGHT: &str = "light-";
const TRAJECTORY: &str = "piece/trajectory.bin";

/// A piece in the making, held by this process alone.
pub(crate) struct Making {
    folder: PathBuf,
    /// The recipe's CID.
    recipe: String,
    notes: Notes,
    seal: Seal,
    _lock: File,
}

/// What is to be known of a piece beside its content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// When it was begun, seconds since 1970-01-01 UTC.
    pub(crate) started_at: u64,
    /// On what it was simulated; empty before the end of the simulation.
    pub(crate) backend: String,
}

impl Making {
    /// Whether there is a piece of `recipe` in the making, or what is left of one that was finished.
    pub(crate) fn is_begun(home: &Home, recipe: &Recipe) -> bool {
        folder(home, recipe).exists()
    }

    /// Takes up the piece of `recipe` where it was left, or begins it. Waits while another process makes it.
    pub(crate) fn open(home: &Home, recipe: &Recipe) -> Result<Self, StudioError> {
        let path = lock_path(home, recipe);
        let lock = files::hold_lock(&path).map_err(StudioError::io(&path))?;
        Self::held(home, recipe, lock)
    }

    /// As [`Making::open`], where no other process makes it.
    pub(crate) fn open_alone(home: &Home, recipe: &Recipe) -> Result<Self, StudioError> {
        let path = lock_path(home, recipe);
        match files::try_lock(&path).map_err(StudioError::io(&path))? {
            Some(lock) => Self::held(home, recipe, lock),
            None => Err(StudioError::Busy(path)),
        }
    }

    fn held(home: &Home, recipe: &Recipe, lock: File) -> Result<Self, StudioError> {
        let folder = folder(home, recipe);
        let (piece, frames, seals) = (folder.join(PIECE), folder.join(PIECE).join("frames"), folder.join(SEALS));
        let frame = |name: &str| {
            let number = name.strip_suffix(".png").filter(|digits| digits.len() >= 4);
            number.and_then(|digits| digits.parse().ok()).is_some_and(|number: u32| number < recipe.film.frames)
        };
        // What a killed process was writing goes, and whatever else is not taken as it is.
        clear(
            &folder,
            |name| matches!(name, NOTES | SAVE | RECIPE) || name.starts_with(LIGHT),
            |name| matches!(name, PIECE | SEALS),
        )?;
        clear(&piece, |name| name == "trajectory.bin", |name| name == "frames")?;
        clear(&frames, frame, |_| false)?;
        clear(&seals, |name| name.ends_with(".seal"), |_| false)?;
        let (recipe_path, canonical) = (folder.join(RECIPE), recipe.canonical());
        if read(&recipe_path, canonical.len() as u64).as_deref() != Some(canonical.as_slice()) {
            write(&recipe_path, &canonical)?;
        }
        let notes = Notes { started_at: now(), backend: String::new() };
        let mut making = Self { folder, recipe: recipe.cid().to_string(), notes, seal: home.seal()?, _lock: lock };
        match making.kept(NOTES, MAX_NOTES_BYTES).and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            Some(notes) => making.notes = notes,
            None => making.keep_notes()?,
        }
        Ok(making)
    }

    /// The recipes of all pieces in the making that nobody works on, in the order of their CIDs.
    pub(crate) fn all(home: &Home) -> Vec<Recipe> {
        let mut names: Vec<PathBuf> =
            fs::read_dir(home.making()).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        names.sort_unstable();
        let recipe = |folder: &PathBuf| {
            let recipe = Recipe::from_json(&read(&folder.join(RECIPE), MAX_SCENE_RECIPE_BYTES as u64)?).ok()?;
            let cid = recipe.cid().to_string();
            // What is left of a finished piece is no work.
            let begun = folder.ends_with(&cid) && !home.bundles().join(&cid).exists();
            (begun && files::try_lock(&lock_path(home, &recipe)).is_ok_and(|lock| lock.is_some())).then_some(recipe)
        };
        names.iter().filter_map(recipe).collect()
    }

    /// Where the bundle of `recipe` grows while it is made.
    pub(crate) fn piece_of(home: &Home, recipe: &Recipe) -> PathBuf {
        folder(home, recipe).join(PIECE)
    }

    /// The bundle's folder.
    pub(crate) fn piece(&self) -> PathBuf {
        self.folder.join(PIECE)
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    fn keep_notes(&self) -> Result<(), StudioError> {
        self.keep(NOTES, &serde_json::to_vec(&self.notes).expect("a number and a text"))
    }

    /// Writes a file of the bundle.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StudioError> {
        write(&self.piece().join(name), bytes)
    }

    /// Writes a file that a later run takes as it is.
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), StudioError> {
        write(&self.folder.join(name), bytes)?;
        let seal = self.seal_path(name);
        files::write_unsynced(&seal, self.seal_of(name, bytes).as_bytes()).map_err(StudioError::io(&seal))
    }

    /// A file of at most `most` bytes that [`Self::keep`] wrote in this home for this recipe, as it was written.
    fn kept(&self, name: &str, most: u64) -> Option<Vec<u8>> {
        let bytes = read(&self.folder.join(name), most)?;
        let seal: [u8; blake3::OUT_LEN] = read(&self.seal_path(name), blake3::OUT_LEN as u64)?.try_into().ok()?;
        (self.seal_of(name, &bytes) == seal).then_some(bytes)
    }

    fn seal_path(&self, name: &str) -> PathBuf {
        self.folder.join(SEALS).join(name.replace('/', "-") + ".seal")
    }

    fn seal_of(&self, name: &str, bytes: &[u8]) -> blake3::Hash {
        let key = blake3::derive_key("seedstorm 2026-11-21 a file of a piece in the making", &self.seal.0);
        let file = blake3::hash(bytes);
        blake3::keyed_hash(&key, format!("{}\n{name}\n{file}", self.recipe).as_bytes())
    }

    /// The trajectory: the one that is there, or the rest of a simulation that was saved, or a whole one.
    pub(crate) fn trajectory(
        &mut self,
        recipe: &Recipe,
        home: &Home,
        options: &Options,
        observer: &dyn Observer,
    ) -> Result<Trajectory, StudioError> {
        let backend = options.backend;
        if !self.notes.backend.is_empty()
            && let Some(bytes) = self.kept(TRAJECTORY, seedstorm_sim::trajectory::MAX_BYTES as u64)
            && let Ok(trajectory) = Trajectory::from_bytes(bytes)
        {
            return Ok(trajectory);
        }
        let save_path = self.folder.join(SAVE);
        let saved = read(&save_path, seedstorm_sim::world::MAX_SAVED_BYTES as u64);
        let resumed = saved.map(|saved| Simulation::resume(recipe, backend, &saved, &self.seal));
        let mut simulation = match resumed {
            Some(Ok(simulation)) => simulation,
            // A save that is damaged costs the time that it would have saved.
            None | Some(Err(SimError::Saved(_) | SimError::Trajectory(_))) => Simulation::new(recipe, backend)?,
            Some(Err(error)) => return Err(error.into()),
        };
        let kept = match options.keep_checkpoints {
            Some(time) => Some((Checkpoints::open(home)?, time)),
            None => None,
        };
        let mut last = Instant::now();
        run_through(&mut simulation, observer, &mut |simulation| {
            if simulation.can_be_saved() && last.elapsed() >= SAVE_EVERY {
                let save = simulation.save(&self.seal)?;
                files::write_unsynced(&save_path, &save).map_err(StudioError::io(&save_path))?;
                last = Instant::now();
            }
            match &kept {
                Some((checkpoints, time)) => checkpoints.keep_present(simulation, self.notes.started_at, *time),
                None => Ok(()),
            }
        })?;
        let run = simulation.finish()?;
        self.keep(TRAJECTORY, run.trajectory.as_bytes())?;
        self.notes.backend = run.backend;
        self.keep_notes()?;
        match fs::remove_file(&save_path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StudioError::io(&save_path)(error)),
            _ => Ok(run.trajectory),
        }
    }

    /// The picture of frame number `frame` and its file: the one that is there, or what `render` makes.
    pub(crate) fn frame(
        &self,
        frame: u32,
        [width, height]: [u32; 2],
        render: impl FnOnce() -> Result<Rgb8Image, StudioError>,
    ) -> Result<(Rgb8Image, Vec<u8>), StudioError> {
        let name = format!("{PIECE}/frames/{frame:04}.png");
        // Eight bytes a pixel are more than any PNG of ours takes.
        let most = u64::from(width) * u64::from(height) * 8 + 65_536;
        if let Some(png) = self.kept(&name, most)
            && let Ok(image) = decode_png(&png)
        {
            return Ok((image, png));
        }
        let image = render()?;
        let png = encode_png(&image)?;
        self.keep(&name, &png)?;
        Ok((image, png))
    }

    /// The same of a frame that a device draws: with the digest of its light, which is kept as well.
    pub(crate) fn lit_frame(
        &self,
        frame: u32,
        size: [u32; 2],
        render: impl FnOnce() -> Result<(Rgb8Image, Digest), StudioError>,
    ) -> Result<(Rgb8Image, Vec<u8>), StudioError> {
        let name = format!("{LIGHT}{frame:04}");
        let lit = self.light(frame).is_some();
        let draw = || {
            let (image, digest) = render()?;
            self.keep(&name, &digest.0)?;
            Ok(image)
        };
        if lit {
            return self.frame(frame, size, draw);
        }
        let image = draw()?;
        let png = encode_png(&image)?;
        self.keep(&format!("{PIECE}/frames/{frame:04}.png"), &png)?;
        Ok((image, png))
    }

    /// The digest of the light of frame number `frame`, where a run that drew it said so.
    pub(crate) fn light(&self, frame: u32) -> Option<Digest> {
        let bytes = self.kept(&format!("{LIGHT}{frame:04}"), 32)?;
        bytes.try_into().ok().map(Digest)
    }

    /// Moves the bundle to `place`, and clears up.
    pub(crate) fn finish(self, place: &Path) -> Result<(), StudioError> {
        fs::rename(self.piece(), place).map_err(StudioError::io(place))?;
        fs::remove_dir_all(&self.folder).map_err(StudioError::io(&self.folder))
    }

    /// Clears up what is left of a piece that was finished.
    pub(crate) fn forget(self) -> Result<(), StudioError> {
        fs::remove_dir_all(&self.folder).map_err(StudioError::io(&self.folder))
    }
}

/// Runs a simulation to its end; `each` sees it at the present step, and after every stride.
pub(crate) fn run_through(
    simulation: &mut Simulation,
    observer: &dyn Observer,
    each: &mut dyn FnMut(&mut Simulation) -> Result<(), StudioError>,
) -> Result<(), StudioError> {
    loop {
        observer.reached(u64::from(simulation.step()));
        if observer.stopped() {
            return Err(StudioError::Stopped);
        }
        each(simulation)?;
        if !simulation.advance()? {
            return Ok(());
        }
    }
}

/// Makes `folder`, or removes what is in it but plain files and plain folders of the names that are wanted.
fn clear(folder: &Path, file: impl Fn(&str) -> bool, inner: impl Fn(&str) -> bool) -> Result<(), StudioError> {
    let io = || StudioError::io(folder);
    fs::create_dir_all(folder).map_err(io())?;
    for entry in fs::read_dir(folder).map_err(io())? {
        let entry = entry.map_err(io())?;
        // The kind of the entry itself: a link is neither.
        let (kind, name) = (entry.file_type().map_err(io())?, entry.file_name());
        let named =
            |wanted: &dyn Fn(&str) -> bool| name.to_str().is_some_and(|name| !name.starts_with('.') && wanted(name));
        if (kind.is_file() && named(&file)) || (kind.is_dir() && named(&inner)) {
            continue;
        }
        let gone = if kind.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        gone.map_err(io())?;
    }
    Ok(())
}

fn folder(home: &Home, recipe: &Recipe) -> PathBuf {
    home.making().join(recipe.cid().to_string())
}

fn lock_path(home: &Home, recipe: &Recipe) -> PathBuf {
    folder(home, recipe).with_extension("lock")
}

/// The bytes of a file of at most `most`; `None` where there is none, or it cannot be read.
fn read(path: &Path, most: u64) -> Option<Vec<u8>> {
    files::read_bounded(path, most).ok()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StudioError> {
    files::write_atomically(path, bytes, Access::Shared).map_err(StudioError::io(path))
}

/// Seconds since 1970-01-01 UTC, for attestations: content never holds a time.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
