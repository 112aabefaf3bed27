//! What the app remembers from one run to the next, in the home's `gallery.json`.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use seedstorm_mint::files::{self, Access};
use seedstorm_sim::{Seed, recipe::ParamValue};
use seedstorm_studio::{Home, StudioError};
use serde::{Deserialize, Serialize};

use crate::work::lock;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Most seeds that are remembered as seen, and as liked.
const MOST_SEEN: usize = 100;
const MOST_LIKED: usize = 1000;
const MOST_JOBS: usize = 50;

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shade {
    #[default]
    Dark,
    Light,
}

/// A piece somebody has looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub scenario: String,
    pub seed: Seed,
    /// What was set by hand.
    #[serde(default)]
    pub set: BTreeMap<String, ParamValue>,
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub shade: Shade,
    /// Size of everything: 1 is 100 %.
    pub scale: f32,
    /// Whether the hints of the first run were read.
    pub hints_read: bool,
    /// The latest first.
    pub seen: VecDeque<Seen>,
    pub liked: Vec<Seen>,
    /// Recipes of pieces that are being made, or are made and not minted, as their canonical text.
    pub jobs: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { shade: Shade::Dark, scale: 1.0, hints_read: false, seen: VecDeque::new(), liked: vec![], jobs: vec![] }
    }
}

impl Settings {
    /// Those of this home, or the usual ones; and what is wrong with a file that cannot be read, which is put aside.
    pub fn load(home: &Home) -> (Self, Option<String>) {
        let path = Self::path(home);
        let (mut settings, problem) = match files::read_bounded(&path, MAX_BYTES) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(settings) => (settings, None),
                Err(error) => (Self::default(), Some(Self::put_aside(&path, &error))),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Self::default(), None),
            Err(error) => (Self::default(), Some(Self::put_aside(&path, &error))),
        };
        settings.scale = if settings.scale.is_finite() { settings.scale.clamp(0.75, 2.5) } else { 1.0 };
        settings.seen.truncate(MOST_SEEN);
        settings.liked.truncate(MOST_LIKED);
        settings.jobs.truncate(MOST_JOBS);
        (settings, problem)
    }

    /// Moves a file that cannot be read away, over none that was moved before; what there is to say of it.
    fn put_aside(path: &std::path::Path, error: &dyn std::fmt::Display) -> String {
        let free = |number: &u32| !path.with_extension(format!("json.unreadable-{number}")).exists();
        let aside = (1..100).find(free).map(|number| path.with_extension(format!("json.unreadable-{number}")));
        let kept = match aside.map(|aside| (std::fs::rename(path, &aside), aside)) {
            Some((Ok(()), aside)) => format!("it is kept as {}", aside.display()),
            _ => "it cannot be put aside, and is written over with the next change".into(),
        };
        format!("{} cannot be read ({error}); {kept}", path.display())
    }

    /// Keeps them.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn save(&self, home: &Home) -> Result<(), StudioError> {
        let path = Self::path(home);
        let bytes = serde_json::to_vec_pretty(self).expect("plain values");
        files::write_atomically(&path, &bytes, Access::Shared).map_err(|source| StudioError::Io { path, source })
    }

    fn path(home: &Home) -> PathBuf {
        home.root().join("gallery.json")
    }

    /// Remembers that this was looked at.
    pub fn saw(&mut self, piece: Seen) {
        // Of a seed that is being changed by hand, the latest state counts.
        let same = |there: &Seen| there.scenario == piece.scenario && there.seed == piece.seed;
        if self.seen.front().is_some_and(same) {
            self.seen.pop_front();
        }
        self.seen.retain(|there| *there != piece);
        self.seen.push_front(piece);
        self.seen.truncate(MOST_SEEN);
    }

    pub fn is_liked(&self, piece: &Seen) -> bool {
        self.liked.contains(piece)
    }

    /// Likes it, or no longer.
    pub fn like(&mut self, piece: &Seen) {
        match self.liked.iter().position(|there| there == piece) {
            Some(at) => drop(self.liked.remove(at)),
            None if self.liked.len() < MOST_LIKED => self.liked.push(piece.clone()),
            None => {}
        }
    }
}

/// Writes settings beside the interface, the latest alone where they change quickly. What is not written yet is, before
/// this is dropped.
#[derive(Debug, Default)]
pub struct Keeper {
    latest: Arc<Mutex<Option<Settings>>>,
    problem: Arc<Mutex<Option<String>>>,
    writer: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Keeps these.
    pub fn keep(&mut self, home: &Home, settings: Settings) {
        let mut slot = lock(&self.latest);
        let writes = slot.replace(settings).is_some();
        if writes && self.writer.as_ref().is_some_and(|writer| !writer.is_finished()) {
            // It has not come to what was there before.
            return;
        }
        let (latest, problem, home) = (Arc::clone(&self.latest), Arc::clone(&self.problem), home.clone());
        let before = self.writer.take();
        self.writer = Some(std::thread::spawn(move || {
            let _ = before.map(JoinHandle::join);
            let taken = lock(&latest).take();
            if let Some(Err(error)) = taken.map(|settings| settings.save(&home)) {
                *lock(&problem) = Some(error.to_string());
            }
        }));
    }

    /// What went wrong, once.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).take()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_kept_and_nonsense_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert_eq!(Settings::load(&home), (Settings::default(), None));
        let mut settings = Settings { shade: Shade::Light, scale: 1.5, ..Settings::default() };
        for seed in [1, 2, 1] {
            settings.saw(Seen { scenario: "bloom@1".into(), seed: seed.into(), set: BTreeMap::new() });
        }
        // Of a seed that is being changed by hand, the latest state alone is listed.
        for arms in [3.0, 4.0] {
            let set = BTreeMap::from([("arms".to_owned(), ParamValue::Number(arms))]);
            settings.saw(Seen { scenario: "bloom@1".into(), seed: 1.into(), set });
        }
        settings.like(&Seen { scenario: "bloom@1".into(), seed: 2.into(), set: BTreeMap::new() });
        let mut keeper = Keeper::default();
        for scale in [1.0, 1.25, 1.5] {
            keeper.keep(&home, Settings { scale, ..settings.clone() });
        }
        drop(keeper);
        assert_eq!(Settings::load(&home), (settings.clone(), None));
        assert_eq!((settings.seen.len(), settings.seen[0].seed), (2, 1.into()));
        assert_eq!(settings.seen[0].set["arms"], ParamValue::Number(4.0));
        for nonsense in ["", "[]", r#"{"scale": 1e99}"#, r#"{"seen": 3}"#] {
            let path = folder.path().join("gallery.json");
            std::fs::write(&path, nonsense).unwrap();
            let (read, problem) = Settings::load(&home);
            assert!(read.scale <= 2.5, "{nonsense}");
            let name = problem.as_ref().and_then(|problem| problem.rsplit_once(' ')).map(|(_, name)| name.to_owned());
            let kept = name.and_then(|aside| std::fs::read_to_string(aside).ok());
            assert_eq!(kept.as_deref(), problem.is_some().then_some(nonsense), "what is there is not lost");
        }
    }
}
