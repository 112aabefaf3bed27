//! Where the workspace and its build products are.

use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr};

use crate::process;

/// The workspace's folders.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the workspace that `cargo xtask` was called in.
    ///
    /// # Errors
    ///
    /// If cargo cannot read the workspace.
    pub(crate) fn find() -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Metadata {
            workspace_root: PathBuf,
            target_directory: PathBuf,
        }
        // Asked of cargo, because the target directory may come from the environment or from a configuration file.
        let mut command = Command::new("cargo");
        command.args(["metadata", "--no-deps", "--format-version=1"]);
        if let Some(xtask) = std::env::var_os("CARGO_MANIFEST_DIR") {
            command.current_dir(xtask);
        }
        let text = process::ask(&mut command).ok_or_else(|| {
            miette::miette!(help = "call `cargo xtask` inside the workspace", "cargo cannot read the workspace")
        })?;
        let Metadata { workspace_root, target_directory } =
            serde_json::from_str(&text).into_diagnostic().wrap_err("cargo metadata is not what was expected")?;
        Ok(Self { root: workspace_root, target: target_directory })
    }

    /// A path below the workspace's root.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A path in the target directory.
    pub(crate) fn built(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.target.join(relative)
    }

    /// A folder of xtask's own in the target directory: tools that it installed, and what long runs keep.
    pub(crate) fn kept(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.target.join("xtask").join(relative)
    }

    /// The home of the pieces that the chores make at a commit.
    pub(crate) fn home(&self, commit: &str) -> PathBuf {
        self.kept(format!("home/{commit}"))
    }

    /// A cargo command at the workspace's root, which takes the versions of `Cargo.lock` or fails.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(&self.root).arg(subcommand).arg("--locked");
        command
    }

    /// Builds everything that tests build too, and returns the place of `seedstorm`.
    ///
    /// Features are unified over all selected packages: building the binary alone would compile a second set of
    /// dependencies beside the one that the tests use.
    ///
    /// # Errors
    ///
    /// If something does not compile.
    pub(crate) fn build(&self) -> Result<PathBuf> {
        process::run(self.cargo("build").args(["--workspace", "--all-targets", "--release"]))?;
        Ok(self.target.join("release").join(format!("seedstorm{}", std::env::consts::EXE_SUFFIX)))
    }

    /// The commit that is checked out; `-dirty` is added if a tracked file outside `docs/` differs from it.
    ///
    /// Results under `docs/` are what the long runs write: they do not change what the next one measures.
    ///
    /// # Errors
    ///
    /// If git does not know the workspace.
    pub(crate) fn commit(&self) -> Result<String> {
        let git = |arguments: &[&str]| {
            process::ask(Command::new("git").current_dir(&self.root).args(arguments)).ok_or_else(|| {
                miette::miette!(help = "call it inside a git clone that has a commit", "git cannot name the commit")
            })
        };
        let commit = git(&["rev-parse", "HEAD"])?;
        let changes = git(&["status", "--porcelain", "--untracked-files=no", "--", ":!docs"])?;
        Ok(if changes.is_empty() { commit } else { commit + "-dirty" })
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
///
/// If the folder cannot be made or written to.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, bytes)?;
        // A temporary file is its owner's alone; what is committed is for everyone to read.
        #[cfg(unix)]
        std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(path)?;
        Ok::<(), std::io::Error>(())
    };
    write().into_diagnostic().wrap_err_with(|| format!("cannot write {}", path.display()))
}
