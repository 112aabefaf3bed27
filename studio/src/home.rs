//! Where everything is kept.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::StudioError;

/// A folder for bundles, blocks, keys and the embedded chain.
///
/// ```text
/// bundles/<recipe CID>/   finished pieces              store/    blocks and pins
/// making/<recipe CID>/    pieces in the making         chain/    the embedded chain and its collection
/// keys/                   the signing key
/// ```
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The home in the folder `root`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StudioError> {
        let home = Self { root: root.into() };
        for folder in [home.bundles(), home.making(), home.chain_folder(), home.keys()] {
            fs::create_dir_all(&folder).map_err(StudioError::io(&folder))?;
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

    fn chain_folder(&self) -> PathBuf {
        self.root.join("chain")
    }
}
