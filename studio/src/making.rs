//! A piece in the making: what a killed run leaves behind, and the next one goes on from.
//!
//! ```text
//! making/<recipe CID>.lock      held by the one process that makes this piece
//! making/<recipe CID>/
//!   notes.json                  when it was begun, and on what it was simulated
//!   simulation.bin              the simulation's last save; gone once it is done
//!   piece/                      the bundle as far as it has come; moves to bundles/ when it is whole
//! ```
//!
//! Every file is written whole and then moved to its place. A file that was damaged since is made anew.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use seedstorm_mint::files::{self, Access};
use seedstorm_render::image_file::{Rgb8Image, decode_png, encode_png};
use seedstorm_sim::{Backend, Recipe, Seal, SimError, Simulation, Trajectory};
use serde::{Deserialize, Serialize};

use crate::{Home, Observer, StudioError};

/// Time between two saves of a simulation.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// The largest note, in bytes.
const MAX_NOTES_BYTES: u64 = 4096;

/// A piece in the making, held by this process alone.
pub(crate) struct Making {
    folder: PathBuf,
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
    /// Takes up the piece of `recipe` where it was left, or begins it. Waits while another process makes it.
    pub(crate) fn open(home: &Home, recipe: &Recipe) -> Result<Self, StudioError> {
        let folder = home.making().join(recipe.cid().to_string());
        let lock_path = folder.with_extension("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(StudioError::io(&lock_path))?;
        lock.lock().map_err(StudioError::io(&lock_path))?;
        let frames = folder.join("piece/frames");
        fs::create_dir_all(&frames).map_err(StudioError::io(&frames))?;
        // What a killed process was writing.
        for folder in [&folder, &folder.join("piece"), &frames, &folder.join("piece/attestations")] {
            if folder.exists() {
                files::remove_unfinished(folder).map_err(StudioError::io(folder))?;
            }
        }
        let notes_path = folder.join("notes.json");
        let known = read(&notes_path, MAX_NOTES_BYTES).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let notes = Notes { started_at: now(), backend: String::new() };
        let mut making = Self { folder, notes, seal: home.seal()?, _lock: lock };
        match known {
            Some(notes) => making.notes = notes,
            None => making.write_notes()?,
        }
        Ok(making)
    }

    /// The bundle's folder.
    pub(crate) fn piece(&self) -> PathBuf {
        self.folder.join("piece")
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    fn write_notes(&self) -> Result<(), StudioError> {
        let text = serde_json::to_vec(&self.notes).expect("a number and a text");
        write(&self.folder.join("notes.json"), &text)
    }

    /// Writes a file of the bundle.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StudioError> {
        write(&self.piece().join(name), bytes)
    }

    /// The trajectory: the one that is there, or the rest of a simulation that was saved, or a whole one.
    pub(crate) fn trajectory(
        &mut self,
        recipe: &Recipe,
        backend: Backend,
        observer: &dyn Observer,
    ) -> Result<Trajectory, StudioError> {
        let done = self.piece().join("trajectory.bin");
        if !self.notes.backend.is_empty()
            && let Some(bytes) = read(&done, seedstorm_sim::trajectory::MAX_BYTES as u64)
            && let Ok(trajectory) = Trajectory::from_bytes(bytes)
            && (0..trajectory.chunks()).all(|chunk| trajectory.chunk(chunk).is_ok())
        {
            return Ok(trajectory);
        }
        let save_path = self.folder.join("simulation.bin");
        let saved = read(&save_path, seedstorm_sim::world::MAX_SAVED_BYTES as u64);
        let resumed = saved.map(|saved| Simulation::resume(recipe, backend, &saved, &self.seal));
        let mut simulation = match resumed {
            Some(Ok(simulation)) => simulation,
            // A save that is damaged costs the time that it would have saved.
            None | Some(Err(SimError::Saved(_) | SimError::Trajectory(_))) => Simulation::new(recipe, backend)?,
            Some(Err(error)) => return Err(error.into()),
        };
        let mut last = Instant::now();
        loop {
            observer.reached(u64::from(simulation.step()));
            if observer.stopped() {
                return Err(StudioError::Stopped);
            }
            if simulation.can_be_saved() && last.elapsed() >= SAVE_EVERY {
                let save = simulation.save(&self.seal)?;
                files::write_unsynced(&save_path, &save).map_err(StudioError::io(&save_path))?;
                last = Instant::now();
            }
            if !simulation.advance()? {
                break;
            }
        }
        let run = simulation.finish()?;
        self.write("trajectory.bin", run.trajectory.as_bytes())?;
        self.notes.backend = run.backend;
        self.write_notes()?;
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
        let name = format!("frames/{frame:04}.png");
        // Eight bytes a pixel are more than any PNG of ours takes.
        let most = u64::from(width) * u64::from(height) * 8 + 65_536;
        if let Some(png) = read(&self.piece().join(&name), most)
            && let Ok(image) = decode_png(&png)
            && [image.width, image.height] == [width as usize, height as usize]
        {
            return Ok((image, png));
        }
        let image = render()?;
        let png = encode_png(&image)?;
        self.write(&name, &png)?;
        Ok((image, png))
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
