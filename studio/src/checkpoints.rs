//! Bytes that are kept for a while so that parts of a piece can be checked: those of checkpoints, so that single segments
//! can be run again, and the raw light of frames that a device drew.
//!
//! ```text
//! checkpoints/until-<seconds since 1970>/<digest>        a checkpoint, or a frame's light
//! checkpoints/until-<seconds since 1970>/<light root>    the digests of all frames' light
//! ```
//!
//! They are found by their digests, which a trajectory or an attestation leads to, and are checked against them when they
//! are read.

use std::{fs, path::PathBuf, time::Duration};

use seedstorm_mint::files;
use seedstorm_sim::{Backend, Digest, Recipe, Simulation, Trajectory, merkle, segment::Replayer};

use crate::{
    Home, Observer, Stage, StudioError,
    making::{now, run_through},
};

/// The largest checkpoint that is read, in bytes.
const MAX_BYTES: u64 = seedstorm_sim::world::MAX_SAVED_BYTES as u64;

/// What folders' names begin with.
const UNTIL: &str = "until-";

/// The checkpoints that a home keeps.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    root: PathBuf,
}

impl Checkpoints {
    /// Those of a home; what is past its time goes, and folders that hold nothing.
    pub(crate) fn open(home: &Home) -> Result<Self, StudioError> {
        let checkpoints = Self { root: home.root().join("checkpoints") };
        for (until, folder) in checkpoints.folders()? {
            if until < now() {
                fs::remove_dir_all(&folder).map_err(StudioError::io(&folder))?;
            } else if fs::remove_dir(&folder).is_err() {
                // It holds something.
                files::remove_unfinished(&folder).map_err(StudioError::io(&folder))?;
            }
        }
        Ok(checkpoints)
    }

    /// The folder that is kept until then, seconds since 1970.
    fn folder(&self, until: u64) -> Result<PathBuf, StudioError> {
        let folder = self.root.join(format!("{UNTIL}{until}"));
        fs::create_dir_all(&folder).map_err(StudioError::io(&folder))?;
        Ok(folder)
    }

    /// Folders, each with the time until which it is kept, in the order of those.
    fn folders(&self) -> Result<Vec<(u64, PathBuf)>, StudioError> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries.map_err(StudioError::io(&self.root))?,
        };
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StudioError::io(&self.root))?;
            let name = entry.file_name();
            if let Some(until) = name.to_str().and_then(|name| name.strip_prefix(UNTIL)?.parse().ok()) {
                folders.push((until, entry.path()));
            }
        }
        folders.sort_unstable();
        Ok(folders)
    }

    /// Keeps the bytes of a checkpoint for `time` from `since`, seconds since 1970.
    fn keep(&self, digest: &Digest, bytes: &[u8], since: u64, time: Duration) -> Result<(), StudioError> {
        let folder = self.folder(since.saturating_add(time.as_secs()))?;
        let path = folder.join(digest.to_string());
        files::write_unsynced(&path, bytes).map_err(StudioError::io(&path))
    }

    /// Keeps the light of frame number `frame`, and gives its digest.
    pub(crate) fn keep_light(
        &self,
        frame: u32,
        bytes: &[u8],
        since: u64,
        time: Duration,
    ) -> Result<Digest, StudioError> {
        let digest = merkle::light_leaf(frame, bytes);
        self.keep(&digest, bytes, since, time)?;
        Ok(digest)
    }

    /// Keeps the digests of all frames' light, and gives their root.
    pub(crate) fn keep_lights(&self, digests: &[Digest], since: u64, time: Duration) -> Result<Digest, StudioError> {
        let root = merkle::light_root(digests);
        let bytes: Vec<u8> = digests.iter().flat_map(|digest| digest.0).collect();
        self.keep(&root, &bytes, since, time)?;
        Ok(root)
    }

    /// The digests of `frames` frames' light that lead to `root`, if they are kept and whole.
    pub(crate) fn lights(&self, root: &Digest, frames: u32) -> Result<Option<Vec<Digest>>, StudioError> {
        self.find(root, u64::from(frames) * 32, |bytes| {
            let digests: Vec<Digest> = bytes.as_chunks().0.iter().copied().map(Digest).collect();
            (digests.len() == frames as usize && merkle::light_root(&digests) == *root).then_some(digests)
        })
    }

    /// The light of frame number `frame` with this digest, at most `most` bytes, if it is kept and whole.
    pub(crate) fn light(&self, frame: u32, digest: &Digest, most: u64) -> Result<Option<Vec<u8>>, StudioError> {
        self.find(digest, most, |bytes| (merkle::light_leaf(frame, &bytes) == *digest).then_some(bytes))
    }

    /// What `whole` makes of a file of this name, where it makes anything of one.
    fn find<T>(
        &self,
        digest: &Digest,
        most: u64,
        whole: impl Fn(Vec<u8>) -> Option<T>,
    ) -> Result<Option<T>, StudioError> {
        let kept = self.folders()?.into_iter();
        let mut kept = kept.filter_map(|(_, folder)| files::read_bounded(&folder.join(digest.to_string()), most).ok());
        Ok(kept.find_map(whole))
    }

    /// Keeps the checkpoint at the present step, where there is one.
    pub(crate) fn keep_present(
        &self,
        simulation: &mut Simulation,
        since: u64,
        time: Duration,
    ) -> Result<(), StudioError> {
        match simulation.present_checkpoint()? {
            Some((digest, bytes)) => self.keep(&digest, &bytes, since, time),
            None => Ok(()),
        }
    }

    /// Keeps those of a run that was made before; runs its world again where one is missing.
    pub(crate) fn keep_all(
        &self,
        recipe: &Recipe,
        trajectory: &Trajectory,
        backend: Backend,
        time: Duration,
        observer: &dyn Observer,
    ) -> Result<(), StudioError> {
        let since = now();
        if self.keep_on(trajectory, since.saturating_add(time.as_secs()))? {
            return Ok(());
        }
        let mut simulation = Simulation::new(recipe, backend)?;
        observer.begin(Stage::Simulate, u64::from(simulation.steps()));
        run_through(&mut simulation, observer, &mut |simulation| self.keep_present(simulation, since, time))?;
        observer.end(Stage::Simulate);
        Ok(())
    }

    /// Moves those that are kept to where they are kept until later; whether all of them are there.
    fn keep_on(&self, trajectory: &Trajectory, until: u64) -> Result<bool, StudioError> {
        let later = self.folder(until)?;
        let mut all = true;
        for digest in trajectory.checkpoints() {
            let name = digest.to_string();
            let mut kept = self.folders()?.into_iter().filter(|(_, folder)| folder.join(&name).is_file());
            match kept.next_back() {
                None => all = false,
                Some((earlier, folder)) if earlier < until => {
                    let place = folder.join(&name);
                    fs::rename(&place, later.join(&name)).map_err(StudioError::io(&place))?;
                }
                Some(_) => {}
            }
        }
        Ok(all)
    }

    /// The bytes of the checkpoint at `step` with this digest, if they are kept and whole.
    pub(crate) fn get(&self, step: u32, digest: &Digest) -> Result<Option<Vec<u8>>, StudioError> {
        self.find(digest, MAX_BYTES, |bytes| (merkle::leaf(step, &bytes) == *digest).then_some(bytes))
    }

    /// The bytes of the checkpoint that segment number `segment` of a run begins with: those that are kept, or what comes
    /// out of running everything since the last one that is, or since the recipe.
    pub(crate) fn reach(
        &self,
        segment: u32,
        trajectory: &Trajectory,
        replayer: &mut Replayer,
        observer: &dyn Observer,
    ) -> Result<Vec<u8>, StudioError> {
        let every = replayer.plan().checkpoint_every;
        let digest = |at: u32| &trajectory.checkpoints()[at as usize];
        let mut from = segment;
        let mut state = loop {
            if from == 0 {
                break replayer.first().to_vec();
            }
            if let Some(state) = self.get(from * every, digest(from))? {
                break state;
            }
            from -= 1;
        };
        if from == segment {
            return Ok(state);
        }
        observer.begin(Stage::Replay, u64::from(segment - from));
        for at in from..segment {
            if observer.stopped() {
                return Err(StudioError::Stopped);
            }
            let replayed = replayer.replay(at, &state)?;
            if replayed.digest != *digest(at + 1) {
                return Err(StudioError::Parted(at));
            }
            state = replayed.checkpoint;
            observer.reached(u64::from(at + 1 - from));
        }
        observer.end(Stage::Replay);
        Ok(state)
    }
}
