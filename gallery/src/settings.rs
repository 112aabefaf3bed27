//! What the app remembers from one run to the next, in the home's `gallery.json`.

use std::{collections::VecDeque, path::PathBuf};

use seedstorm_mint::files::{self, Access};
use seedstorm_sim::Seed;
use seedstorm_studio::{Home, StudioError};
use serde::{Deserialize, Serialize};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub scenario: String,
    pub seed: Seed,
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
    /// Those of this home; the usual ones where there are none, or none that can be read.
    pub fn load(home: &Home) -> Self {
        let bytes = files::read_bounded(&Self::path(home), MAX_BYTES).ok();
        let mut settings: Self = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        settings.scale = if settings.scale.is_finite() { settings.scale.clamp(0.75, 2.5) } else { 1.0 };
        settings.seen.truncate(MOST_SEEN);
        settings.liked.truncate(MOST_LIKED);
        settings.jobs.truncate(MOST_JOBS);
        settings
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_kept_and_nonsense_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert_eq!(Settings::load(&home), Settings::default());
        let mut settings = Settings { shade: Shade::Light, scale: 1.5, ..Settings::default() };
        for seed in [1, 2, 1] {
            settings.saw(Seen { scenario: "bloom@1".into(), seed: seed.into() });
        }
        settings.like(&Seen { scenario: "bloom@1".into(), seed: 2.into() });
        settings.save(&home).unwrap();
        assert_eq!(Settings::load(&home), settings);
        assert_eq!((settings.seen.len(), settings.seen[0].seed), (2, 1.into()));
        for nonsense in ["", "[]", r#"{"scale": 1e99}"#, r#"{"seen": 3}"#] {
            std::fs::write(folder.path().join("gallery.json"), nonsense).unwrap();
            assert!(Settings::load(&home).scale <= 2.5, "{nonsense}");
        }
    }
}
