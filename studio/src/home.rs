//! Where everything is kept.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use seedstorm_mint::{
    files::{self, Access},
    keystore::Password,
};
use seedstorm_sim::Seal;

use crate::{StudioError, random_bytes};

/// The seal's file in the folder of the keys.
const SEAL_FILE: &str = "saves.key";

/// After what time a file that is being written is nobody's any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A folder for bundles, blocks, keys and the embedded chain.
///
/// ```text
/// bundles/<recipe CID>/   finished pieces              store/    blocks and pins
/// making/<recipe CID>/    pieces in the making         chain/    the embedded chain and its collection
/// keys/                   the signing key              sweeps/   the tables of sweeps
/// renderers/<name>/       plug-ins that were added
/// checkpoints/            bytes of checkpoints and raw light of frames, for as long as they were said to be kept
/// ```
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    password: Option<Password>,
}

impl Home {
    /// The home in the folder `root`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StudioError> {
        let home = Self { root: root.into(), password: None };
        for folder in [home.bundles(), home.making(), home.chain_folder(), home.keys()] {
            fs::create_dir_all(&folder).map_err(StudioError::io(&folder))?;
        }
        // What killed processes were writing; the rest is cleared up by who holds its lock.
        for folder in [home.chain_folder(), home.keys()] {
            files::remove_abandoned(&folder, ABANDONED).map_err(StudioError::io(&folder))?;
        }
        Ok(home)
    }

    /// The home that `SEEDSTORM_HOME` names, else `seedstorm` in the user's data folder, else `.seedstorm` here.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn default_place() -> Result<Self, StudioError> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = variable("SEEDSTORM_HOME")
            .or_else(|| Some(variable("XDG_DATA_HOME")?.join("seedstorm")))
            .or_else(|| Some(variable("HOME")?.join(".local/share/seedstorm")))
            .unwrap_or_else(|| PathBuf::from(".seedstorm"));
        Self::open(root)
    }

    /// The same home, whose key this password unlocks.
    #[must_use]
    pub fn with_password(self, password: Password) -> Self {
        Self { password: Some(password), ..self }
    }

    pub(crate) fn password(&self) -> Option<&Password> {
        self.password.as_ref()
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Finished pieces.
    #[must_use]
    pub fn bundles(&self) -> PathBuf {
        self.root.join("bundles")
    }

    /// Pieces in the making.
    pub(crate) fn making(&self) -> PathBuf {
        self.root.join("making")
    }

    /// The block store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Renderers that were added.
    #[must_use]
    pub fn renderers(&self) -> PathBuf {
        self.root.join("renderers")
    }

    /// Keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The embedded chain's file.
    #[must_use]
    pub fn chain(&self) -> PathBuf {
        self.chain_folder().join("chain.bin")
    }

    /// Where the collection on the embedded chain is.
    #[must_use]
    pub fn collection(&self) -> PathBuf {
        self.chain_folder().join("collection.json")
    }

    /// What this home seals its saved simulations with; made at first use. A lost one costs the time that they would
    /// have saved.
    pub(crate) fn seal(&self) -> Result<Seal, StudioError> {
        let path = self.keys().join(SEAL_FILE);
        let kept = || -> Option<Seal> { Some(Seal(files::read_bounded(&path, 32).ok()?.try_into().ok()?)) };
        if let Some(seal) = kept() {
            return Ok(seal);
        }
        let secret = random_bytes()?;
        files::write_atomically(&path, &secret, Access::Private).map_err(StudioError::io(&path))?;
        // Where two processes made one at once, the last one counts.
        Ok(kept().unwrap_or(Seal(secret)))
    }

    fn chain_folder(&self) -> PathBuf {
        self.root.join("chain")
    }
}
