//! The crates' licences, sources, duplicates and known defects, by `cargo-deny`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr};

use crate::workspace::Workspace;
use crate::{process, setup};

/// An address that nothing answers at; git is told to read a local folder in its stead.
const NO_ADVISORIES: &str = "https://no-advisories.invalid/db";

/// What `cargo-deny` takes for an advisory, which it wants to see at least one of. No crate can have this name.
const NO_ADVISORY: &str = r#"```toml
[advisory]
id = "RUSTSEC-0000-0001"
package = "0"
date = "2000-01-01"

[versions]
patched = []
```

# Nothing
"#;

/// Holds the crates against `deny.toml`; the note says if advisories could not be checked.
///
/// # Errors
///
/// If a crate is not allowed.
pub(crate) fn run(workspace: &Workspace) -> Result<String> {
    let program = setup::cargo_deny(workspace)?;
    let deny = || {
        let mut command = Command::new(&program);
        command.current_dir(workspace.path(""));
        command
    };
    process::run(deny().args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    // The database is a git repository on the internet, which a closed network does not reach.
    if process::ask(deny().args(["fetch", "db"])).is_some() {
        process::run(deny().args(["check", "--hide-inclusion-graph", "advisories"]))?;
        return Ok(String::new());
    }
    let folder = tempfile::tempdir().into_diagnostic().wrap_err("cannot make a temporary folder")?;
    let config = without_advisories(folder.path())?;
    let local = format!("url.{}.insteadOf", folder.path().join("db").display());
    let mut yanked = deny();
    yanked.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", local).env("GIT_CONFIG_VALUE_0", NO_ADVISORIES);
    process::run(yanked.arg("--config").arg(config).args(["check", "advisories"]))?;
    Ok("yanked crates checked, advisories not: their database is out of reach".to_owned())
}

/// Writes an advisory database that says nothing, and a configuration that reads it.
///
/// `cargo-deny` looks for yanked crates only once it has a database.
fn without_advisories(folder: &Path) -> Result<PathBuf> {
    let database = folder.join("db");
    let config = folder.join("deny.toml");
    let write = || {
        fs::create_dir_all(database.join("crates/0"))?;
        fs::write(database.join("crates/0/RUSTSEC-0000-0001.md"), NO_ADVISORY)?;
        let home = folder.join("fetched");
        fs::write(
            &config,
            format!("[advisories]\ndb-urls = [{NO_ADVISORIES:?}]\ndb-path = {home:?}\nyanked = \"deny\"\n"),
        )
    };
    write().into_diagnostic().wrap_err_with(|| format!("cannot write to {}", folder.display()))?;
    let git = |arguments: &[&str]| process::run(Command::new("git").current_dir(&database).args(arguments));
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["add", "crates"])?;
    let author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid", "-c", "commit.gpgsign=false"];
    git(&[&author[..], &["commit", "--quiet", "--message=none"]].concat())?;
    Ok(config)
}
