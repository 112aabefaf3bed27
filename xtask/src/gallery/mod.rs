//! The gallery, used by scripts on a display without a screen.

pub(crate) mod film;
pub(crate) mod measure;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};

use crate::workspace::Workspace;
use crate::{process, setup};

/// The longest that a script may take.
const PATIENCE: Duration = Duration::from_secs(1500);

/// The scripts that CI runs one after the other in one home, and whether the app is killed at the end of each.
const SCRIPTS: [(&str, bool); 3] = [("1-begun", true), ("2-resumed", true), ("3-owned", false)];

/// A display of the X server without a screen; it ends when it is dropped.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    fn open([width, height]: [u32; 2]) -> Result<Self> {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &format!("{width}x{height}x24")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .into_diagnostic()
            .wrap_err("cannot start Xvfb: `cargo xtask ci setup` installs it")?;
        let mut number = String::new();
        if let Some(said) = server.stdout.take() {
            BufReader::new(said).read_line(&mut number).into_diagnostic()?;
        }
        let display = Self { server, name: format!(":{}", number.trim()) };
        if number.trim().is_empty() {
            bail!("Xvfb ended before it had a display");
        }
        Ok(display)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // Nothing is left to do about a server that has ended.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The built gallery with a home and a display.
#[derive(Clone)]
pub(crate) struct Gallery<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
    home: PathBuf,
    size: [u32; 2],
}

impl<'a> Gallery<'a> {
    /// Builds it.
    ///
    /// # Errors
    ///
    /// If it does not compile.
    pub(crate) fn build(workspace: &'a Workspace, home: &Path, size: [u32; 2]) -> Result<Self> {
        let folder = workspace.build()?;
        let program = folder.with_file_name(format!("seedstorm-gallery{}", std::env::consts::EXE_SUFFIX));
        Ok(Self { workspace, program, home: home.to_owned(), size })
    }

    /// Has a script use it; its pictures go to `shots`.
    ///
    /// # Errors
    ///
    /// If the app could not be started or did not end in time.
    pub(crate) fn drive(&self, script: &str, shots: &Path, more: &[&str]) -> Result<ExitStatus> {
        self.drive_on(&Display::open(self.size)?, script, shots, more)
    }

    /// The same on a display that is there.
    fn drive_on(&self, display: &Display, script: &str, shots: &Path, more: &[&str]) -> Result<ExitStatus> {
        let [width, height] = self.size;
        let mut app = Command::new(&self.program);
        app.args(["--size", &format!("{width}x{height}"), "--drive"])
            .arg(self.workspace.path(format!("gallery/e2e/{script}.drive")))
            .arg("--shots")
            .arg(shots)
            .args(more)
            .env("SEEDSTORM_HOME", &self.home)
            .env("XDG_RUNTIME_DIR", &self.home)
            .env("DISPLAY", &display.name)
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("SEEDSTORM_PASSWORD")
            .stdin(Stdio::null());
        let mut app = setup::demand_software_gpu(&mut app)?.spawn().into_diagnostic()?;
        let began = Instant::now();
        loop {
            if let Some(status) = app.try_wait().into_diagnostic()? {
                return Ok(status);
            }
            if began.elapsed() > PATIENCE {
                app.kill().into_diagnostic()?;
                app.wait().into_diagnostic()?;
                bail!("{script}.drive took more than {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Uses the gallery as a creator does and a collector after, and kills it on the way.
///
/// # Errors
///
/// If a script did not come to its end, or more than one token is there after it.
pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let folder = tempfile::tempdir().into_diagnostic().wrap_err("cannot make a temporary folder")?;
    let home = folder.path().join("home");
    std::fs::create_dir(&home).into_diagnostic()?;
    let gallery = Gallery::build(workspace, &home, [1280, 800])?;
    let shots = workspace.kept("gallery");
    for (script, killed) in SCRIPTS {
        let status = gallery.drive(script, &shots, &[])?;
        if killed == status.success() {
            bail!("{script}.drive ended with {status}; its pictures are in {}", shots.display());
        }
        if killed && !was_killed(status) {
            bail!("{script}.drive did not come to its end: {status}; its pictures are in {}", shots.display());
        }
    }
    let tokens = process::ask(Command::new(workspace.build()?).args(["tokens", "--json"]).env("SEEDSTORM_HOME", &home))
        .ok_or_else(|| miette!("`seedstorm tokens` does not answer"))?;
    let tokens: Vec<serde_json::Value> = serde_json::from_str(&tokens).into_diagnostic()?;
    if tokens.len() != 1 {
        bail!("the scripts mint one token, and there are {}", tokens.len());
    }
    without_an_adapter(&gallery)?;
    let crowd = folder.path().join("crowd");
    mint_many(workspace, &crowd, "12")?;
    let live = folder.path().join("live");
    std::fs::create_dir(&live).into_diagnostic()?;
    let others = [
        (Gallery { home: crowd, ..gallery.clone() }, "harm", &[][..]),
        (Gallery { home: live, size: [800, 520], ..gallery }, "live", &["--backend", "gpu"]),
    ];
    for (gallery, script, more) in others {
        let status = gallery.drive(script, &shots, more)?;
        if !status.success() {
            bail!("{script}.drive ended with {status}; its pictures are in {}", shots.display());
        }
    }
    Ok("made, killed twice, resumed, minted once, verified, found changed; harm shown as such; a liquid drawn where it is stepped".to_owned())
}

/// Makes a home with so many tokens, ten of which are meant to harm.
fn mint_many(workspace: &Workspace, home: &Path, count: &str) -> Result<()> {
    let built = workspace.build()?.with_file_name("examples").join(format!("wall{}", std::env::consts::EXE_SUFFIX));
    process::run(Command::new(built).arg(home).arg(count))
}

#[cfg(unix)]
fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(9)
}

#[cfg(not(unix))]
fn was_killed(_: ExitStatus) -> bool {
    false
}

/// Where nothing can draw, it says so, and what works all the same.
fn without_an_adapter(gallery: &Gallery<'_>) -> Result<()> {
    let output = Command::new(&gallery.program)
        .env("SEEDSTORM_HOME", &gallery.home)
        .env("VK_DRIVER_FILES", "/nowhere.json")
        .env("VK_ICD_FILENAMES", "/nowhere.json")
        .stdin(Stdio::null())
        .output()
        .into_diagnostic()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !said.contains("no adapter") || !said.contains("seedstorm make") {
        bail!("without an adapter the gallery ends with {} and says: {said}", output.status);
    }
    Ok(())
}
