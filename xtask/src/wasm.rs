//! The simulation as a WebAssembly module: its compiler, its build, and its runs in Node and in a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};

use crate::evidence::Figure;
use crate::workspace::Workspace;
use crate::{machine, process, setup};

const TARGET: &str = "wasm32-unknown-unknown";

const PACKAGE: &str = "seedstorm-sim-wasm";

/// Debian's compiler for the web, and the sources of the standard library that it is built from.
const DEBIAN_RUST: [&str; 2] = ["rustc-web", "rust-web-src"];

/// What the sources' package holds beside the standard library.
const NOT_NEEDED: [&str; 2] = ["compiler", "src"];

/// What a world is run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// Node.
    Node,
    /// The page `sim/wasm/web` in a headless Chromium.
    Browser,
}

/// The module, built.
///
/// # Errors
///
/// If there is no compiler for wasm32 and none can be had from Debian, or the module does not compile.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.built("wasm");
    let mut build = workspace.cargo("rustc");
    build
        .args(["--package", PACKAGE, "--crate-type", "cdylib", "--release", "--target", TARGET])
        .env("CARGO_TARGET_DIR", &folder);
    if !has_target_libraries() {
        use_debian_rust(workspace, &mut build)?;
    }
    process::run(&mut build)?;
    Ok(folder.join(TARGET).join("release").join(format!("{}.wasm", PACKAGE.replace('-', "_"))))
}

/// Compares every row of the golden table in Node.
///
/// # Errors
///
/// If the module cannot be built, or a digest differs.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    golden(workspace, Host::Node, &build(workspace)?)
}

/// Compares every row of the golden table.
///
/// # Errors
///
/// If a digest differs.
pub(crate) fn golden(workspace: &Workspace, host: Host, module: &Path) -> Result<()> {
    process::run(runner(workspace, host, module)?.arg("--golden"))
}

/// A world that was run.
#[derive(Debug)]
pub(crate) struct Proved {
    /// What that proves, as JSON.
    pub(crate) proof: serde_json::Value,
    /// How long it took, with the host's start.
    pub(crate) seconds: f64,
}

impl Proved {
    fn by(command: &mut Command) -> Result<Self> {
        let start = Instant::now();
        let printed = process::capture(command)?;
        let seconds = start.elapsed().as_secs_f64();
        let proof = serde_json::from_str(&printed).into_diagnostic().wrap_err("a proof is not what was expected")?;
        Ok(Self { proof, seconds })
    }

    /// What the evidence shows of the proof.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let numbers = ["elements", "steps"].into_iter().filter_map(|name| Some((name, self.proof[name].as_f64()?)));
        let mut figures: Vec<Figure> = numbers.map(|(name, value)| Figure::number(name, value)).collect();
        figures.extend(self.proof["sim_root"].as_str().map(|root| Figure::text("sim_root", root)));
        figures
    }
}

/// Runs the world of a seed.
///
/// # Errors
///
/// If it cannot be run.
pub(crate) fn prove(workspace: &Workspace, host: Host, module: &Path, scenario: &str, seed: &str) -> Result<Proved> {
    Proved::by(runner(workspace, host, module)?.args([scenario, seed]))
}

/// Runs the world of a seed where xtask runs.
///
/// # Errors
///
/// If it cannot be run.
pub(crate) fn prove_natively(workspace: &Workspace, scenario: &str, seed: &str) -> Result<Proved> {
    let example = ["--release", "--package", PACKAGE, "--example", "prove"];
    process::run(workspace.cargo("build").args(example))?;
    Proved::by(workspace.cargo("run").arg("--quiet").args(example).args(["--", scenario, seed]))
}

/// What the worlds are run in.
pub(crate) fn versions() -> Vec<Figure> {
    let node = process::ask(Command::new("node").arg("--version"));
    let browser = process::ask(Command::new("chromium").args(["--no-sandbox", "--version"]));
    [("Node", node), ("browser", browser)]
        .into_iter()
        .filter_map(|(name, version)| Some(Figure::text(name, version?)))
        .collect()
}

fn runner(workspace: &Workspace, host: Host, module: &Path) -> Result<Command> {
    let mut node = Command::new("node");
    node.current_dir(workspace.path("sim/wasm")).arg("run.mjs");
    if host == Host::Browser {
        setup::chromium()?;
        setup::npm_packages(workspace)?;
        node.arg("--browser");
    }
    node.arg(module);
    Ok(node)
}

/// Whether the compiler in use has the target's standard library, as `rustup target add` installs it.
fn has_target_libraries() -> bool {
    let libraries = process::ask(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    libraries.is_some_and(|folder| Path::new(&folder).is_dir())
}

/// Makes cargo compile with Debian's rustc, and the standard library with it.
fn use_debian_rust<'a>(workspace: &Workspace, cargo: &'a mut Command) -> Result<&'a mut Command> {
    let debian = debian_rust(workspace)?;
    let (host, sysroot) = (machine::host()?, process::ask(Command::new("rustc").args(["--print", "sysroot"])));
    let sysroot = PathBuf::from(sysroot.ok_or_else(|| miette!("`rustc --print sysroot` fails"))?);
    // Debian's folders have its own names for machines: x86_64-linux-gnu.
    let libraries = debian.join("usr/lib").join(host.replace("-unknown", ""));
    let cargo = cargo
        .arg("-Zbuild-std=std,panic_abort")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", debian.join("usr/bin/rustc"))
        .env("LD_LIBRARY_PATH", libraries)
        // The linker of the toolchain in use is the same LLVM's.
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", sysroot.join(format!("lib/rustlib/{host}/bin/rust-lld")));
    Ok(cargo)
}

/// Where Debian's packages lie unpacked: they are not installed, for Debian would have them in rustup's stead.
fn debian_rust(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.kept("wasm32/debian");
    if folder.is_dir() {
        return Ok(folder);
    }
    let by_hand = "install it: rustup target add wasm32-unknown-unknown";
    if process::ask(Command::new("apt-get").arg("--version")).is_none() {
        bail!(
            help = by_hand,
            "the compiler has no standard library for {TARGET}, and there is no apt-get to ask for one"
        );
    }
    setup::apt_update()?;
    // What an installation would bring to this machine, with the libraries that it lacks.
    let mut plan = Command::new("apt-get");
    let plan = process::capture(plan.args(["install", "--simulate", "--no-install-recommends"]).args(DEBIAN_RUST))?;
    let packages = to_install(&plan);
    if DEBIAN_RUST.iter().any(|name| !packages.contains(name)) {
        bail!(help = by_hand, "apt-get would not install {}", DEBIAN_RUST.join(" and "));
    }
    let in_making = |error: std::io::Error| miette!("cannot unpack Debian's compiler: {error}");
    let making = folder.with_extension("part");
    match fs::remove_dir_all(&making) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(in_making(error)),
        _ => fs::create_dir_all(making.join("packages")).map_err(in_making)?,
    }
    let mut download = Command::new("apt-get");
    // Its own user could not write here.
    download.args(["-qq", "-oAcquire::Retries=3", "-oAPT::Sandbox::User=root", "download"]).args(packages);
    process::run(download.current_dir(making.join("packages")))?;
    let found = fs::read_dir(making.join("packages")).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    for package in found.map_err(in_making)? {
        process::run(Command::new("dpkg").arg("-x").arg(package.path()).arg(&making))?;
        fs::remove_file(package.path()).map_err(in_making)?;
    }
    let sources = making.join("usr/lib/rustlib/src/rust");
    for unneeded in NOT_NEEDED {
        fs::remove_dir_all(sources.join(unneeded)).map_err(in_making)?;
    }
    fs::rename(&making, &folder).map_err(in_making)?;
    Ok(folder)
}

/// The packages that `apt-get install --simulate` says it would install: `Inst name (version …`.
fn to_install(plan: &str) -> Vec<&str> {
    plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_of_apt() {
        let plan = "Reading package lists...\nInst libz3-4 (4.8 Debian:12 [amd64])\nInst rustc-web [1.85] (1.96 Debian)\n\
                    Conf libz3-4 (4.8 Debian:12 [amd64])\n";
        assert_eq!(to_install(plan), ["libz3-4", "rustc-web"]);
        assert!(to_install("0 upgraded, 0 newly installed\n").is_empty());
    }
}
