//! What can be wrong with a renderer that is a program of its own.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a plug-in drew nothing.
#[derive(Debug, Error)]
pub enum PluginError {
    /// The manifest does not say what it has to.
    #[error("{}: {problem}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The folder holds something that a plug-in's may not.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The files are not those that the manifest speaks of.
    #[error(
        "the files of renderer `{name}` are not those that its manifest was written for: they have the digest \
         {found}, it says {said}"
    )]
    Digest {
        /// The renderer.
        name: String,
        /// What the manifest says.
        said: String,
        /// What the files have.
        found: String,
    },
    /// A program that the plug-in needs is not on this machine.
    #[error("renderer `{name}` needs the program `{program}`, which is not installed here")]
    Missing {
        /// The renderer.
        name: String,
        /// The program.
        program: String,
    },
    /// Nothing keeps the plug-in from the rest of the machine.
    #[error(
        "renderer `{0}` is a program of its own, and there is no bubblewrap here to keep it from the rest of the machine"
    )]
    Unconfined(String),
    /// The plug-in does not read such files.
    #[error("renderer `{name}` does not read {what}; it reads {reads}")]
    Unreadable {
        /// The renderer.
        name: String,
        /// What it was asked to read.
        what: String,
        /// What it reads.
        reads: String,
    },
    /// It did not do what it was asked, or was stopped.
    #[error("renderer `{name}` {problem}{}", own_words(.said))]
    Failed {
        /// The renderer.
        name: String,
        /// What happened, as the end of a sentence.
        problem: String,
        /// Whether it broke a limit of its manifest.
        by_limit: bool,
        /// The end of what it said on standard error.
        said: String,
    },
    /// The caller gave up.
    #[error("rendering was cancelled")]
    Cancelled,
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl PluginError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.into(), source }
    }
}

/// Its own words, after ours.
fn own_words(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("; it said: {text}") }
}
