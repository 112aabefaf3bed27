//! What a bare machine lacks: Debian packages, npm packages, `cargo-deny`, `cargo-fuzz`; Slither installs itself where it
//! is used.
//!
//! A linker is not among it: rustc links with its own `rust-lld` on x86-64 Linux since 1.90.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};

use crate::process;
use crate::workspace::{Workspace, write_atomically};

/// Mesa's software Vulkan (lavapipe), and the loader that finds it.
const VULKAN: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];

/// A display without a screen, and what the gallery's windows take of X.
const DISPLAY: [&str; 6] = ["xvfb", "libx11-6", "libx11-xcb1", "libxcursor1", "libxi6", "libxkbcommon-x11-0"];

/// Python with what it takes to install Slither in a folder of its own.
const PYTHON: [&str; 2] = ["python3", "python3-venv"];

/// Folders with a `package-lock.json`: the contracts' tool set, the implementation that CIDs are held against, and what
/// drives a browser.
const NPM_FOLDERS: [&str; 4] = ["contracts", "mint/tests/oracle", "sim/wasm", "studio/tests/players"];

/// The major version of Node that the npm packages need.
const NODE_MAJOR: u32 = 20;

/// The version of `cargo-deny` that reads `deny.toml`.
const CARGO_DENY: &str = "0.20.2";

/// The version of `cargo-fuzz`, for the targets in `fuzz/`.
const CARGO_FUZZ: &str = "0.13.2";

/// The wheel that brings Open Image Denoise 2.3.
const OIDN_WHEEL: &str = "bpy==5.0.1";

/// Takes from it what a processor needs, and gives the library the name that linkers look for.
const UNPACK_OIDN: &str = r#"
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
lib = folder / "lib"
lib.mkdir(exist_ok=True)
starts = ("libOpenImageDenoise.so", "libOpenImageDenoise_core.so", "libOpenImageDenoise_device_cpu.so", "libtbb.so")
for wheel in (folder / "wheels").glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            file = pathlib.PurePosixPath(name)
            if file.parent.as_posix() == "bpy/lib" and file.name.startswith(starts):
                (lib / file.name).write_bytes(archive.read(name))
link = lib / "libOpenImageDenoise.so"
link.unlink(missing_ok=True)
link.symlink_to(next(lib.glob("libOpenImageDenoise.so.*")).name)
"#;

/// Where Vulkan loaders look for drivers.
const DRIVER_FOLDERS: [&str; 3] = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// Installs what is missing.
///
/// # Errors
///
/// If something is missing that cannot be installed from here.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    system_packages()?;
    npm_packages(workspace)?;
    cargo_deny(workspace)?;
    if !cfg!(windows) {
        cargo_fuzz(workspace)?;
    }
    Ok(())
}

/// Installs packages of PyPI (`name==version`) in a folder of their own, where they are not there yet; gives where their
/// programs are.
///
/// # Errors
///
/// If one cannot be installed.
pub(crate) fn python_packages(place: &Path, packages: &[&str]) -> Result<PathBuf> {
    let (wanted, stamp) = (packages.join(" "), place.join("installed"));
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(place))?;
        process::run(Command::new(place.join("bin/pip")).args(["install", "--quiet"]).args(packages))?;
        write_atomically(&stamp, wanted.as_bytes())?;
    }
    Ok(place.join("bin"))
}

/// The folder in whose `lib` Intel's denoiser is, out of Blender's wheel on PyPI: its own packages are on no registry.
/// `None` where that wheel is for another kind of machine.
///
/// # Errors
///
/// If it cannot be fetched.
pub(crate) fn oidn(workspace: &Workspace) -> Result<Option<PathBuf>> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(None);
    }
    let folder = workspace.kept("oidn");
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).ok().as_deref() != Some(OIDN_WHEEL) {
        let (python, wheels) = (folder.join("python"), folder.join("wheels"));
        process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&python))?;
        let kind = ["--no-deps", "--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_28_x86_64"];
        process::run(
            Command::new(python.join("bin/pip"))
                .args(["download", "--quiet", "--dest"])
                .arg(&wheels)
                .args(kind)
                .arg(OIDN_WHEEL),
        )?;
        process::run(Command::new("python3").args(["-c", UNPACK_OIDN]).arg(&folder))?;
        fs::remove_dir_all(&wheels).into_diagnostic()?;
        write_atomically(&stamp, OIDN_WHEEL.as_bytes())?;
    }
    Ok(Some(folder))
}

fn system_packages() -> Result<()> {
    // Elsewhere the system's own Vulkan or Metal driver serves, or GPU tests say what they miss.
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let mut missing = Vec::new();
    if software_vulkan().is_none() || !has_vulkan_loader() {
        missing.extend(VULKAN);
    }
    if process::ask(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_none() {
        missing.extend(PYTHON);
    }
    // Renderers that are programs of their own, what keeps them from the rest of the machine, and what films are played by.
    for (program, how, package) in [
        ("bwrap", "--version", "bubblewrap"),
        ("blender", "--version", "blender"),
        ("povray", "--version", "povray"),
        ("ffprobe", "-version", "ffmpeg"),
    ] {
        if process::ask(Command::new(program).arg(how)).is_none() {
            missing.push(package);
        }
    }
    if !has_chromium() {
        missing.push("chromium");
    }
    if process::ask(Command::new("Xvfb").arg("-help")).is_none() {
        missing.extend(DISPLAY);
    }
    install(&missing)
}

/// The browser that the wasm32 worlds are tried in, where it is not on the PATH.
///
/// # Errors
///
/// If it cannot be installed from here.
pub(crate) fn chromium() -> Result<()> {
    if has_chromium() { Ok(()) } else { install(&["chromium"]) }
}

fn has_chromium() -> bool {
    process::ask(Command::new("chromium").args(["--no-sandbox", "--version"])).is_some()
}

/// Blender, for Cycles.
///
/// # Errors
///
/// If it cannot be installed from here.
pub(crate) fn blender() -> Result<PathBuf> {
    if process::ask(Command::new("blender").arg("--version")).is_none() {
        install(&["blender"])?;
    }
    Ok("blender".into())
}

/// The library of LLVM that Mitsuba compiles its kernels with: older ones abort.
///
/// # Errors
///
/// If it cannot be installed from here.
pub(crate) fn llvm() -> Result<PathBuf> {
    let folder = PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    let library = folder.join("libLLVM.so.19.1");
    if !library.is_file() {
        install(&["libllvm19"])?;
    }
    Ok(library)
}

fn install(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let by_hand = format!("install what these Debian packages hold: {names}");
    if process::ask(Command::new("apt-get").arg("--version")).is_none() {
        bail!(help = by_hand, "{names}: missing, and there is no apt-get to install them with");
    }
    if !is_root() {
        bail!(help = by_hand, "{names}: missing, and only root can install them");
    }
    apt_update()?;
    apt(&[&["install", "--yes", "--no-install-recommends"], missing].concat())
}

/// Learns which packages there are now, where that is allowed.
///
/// # Errors
///
/// If the archive does not answer.
pub(crate) fn apt_update() -> Result<()> {
    if is_root() { apt(&["update"]) } else { Ok(()) }
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    process::run(
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-qq", "-oAcquire::Retries=3", "-oDpkg::Use-Pty=0"])
            .args(arguments),
    )
}

fn is_root() -> bool {
    process::ask(Command::new("id").arg("-u")).as_deref() == Some("0")
}

fn has_vulkan_loader() -> bool {
    // `ldconfig` is in /sbin, which is not on everybody's PATH.
    ["ldconfig", "/sbin/ldconfig"]
        .iter()
        .find_map(|ldconfig| process::ask(Command::new(ldconfig).arg("-p")))
        .is_some_and(|libraries| libraries.contains("libvulkan.so.1"))
}

/// The manifest of Mesa's software Vulkan driver for this machine's processor.
fn software_vulkan() -> Option<PathBuf> {
    DRIVER_FOLDERS.iter().find_map(|folder| software_vulkan_in(Path::new(folder)))
}

fn software_vulkan_in(folder: &Path) -> Option<PathBuf> {
    let names = [format!("lvp_icd.{}.json", std::env::consts::ARCH), "lvp_icd.json".to_owned()];
    names.iter().map(|name| folder.join(name)).find(|manifest| manifest.is_file())
}

/// Makes GPU tests run, and fail where they find no adapter, on the same software adapter everywhere.
///
/// A driver that the caller has chosen with `VK_DRIVER_FILES` is kept.
///
/// # Errors
///
/// If there is no software adapter, on a system that can have one.
pub(crate) fn demand_software_gpu(command: &mut Command) -> Result<&mut Command> {
    command.env("SEEDSTORM_REQUIRE_GPU", "1");
    if cfg!(target_os = "linux") && std::env::var_os("VK_DRIVER_FILES").is_none() {
        let manifest = software_vulkan()
            .ok_or_else(|| miette!(help = "run `cargo xtask ci setup` first", "Mesa's software Vulkan is missing"))?;
        // Loaders before 1.3.207 know the second name only.
        command.env("VK_DRIVER_FILES", &manifest).env("VK_ICD_FILENAMES", &manifest);
    }
    Ok(command)
}

/// Installs what the lock files say, where that was not done before.
///
/// # Errors
///
/// If Node is missing or too old, or npm fails.
pub(crate) fn npm_packages(workspace: &Workspace) -> Result<()> {
    let node = process::ask(Command::new("node").arg("--version"));
    if node.as_deref().and_then(node_major).is_none_or(|major| major < NODE_MAJOR) {
        let found = node.unwrap_or_else(|| "none".to_owned());
        bail!(help = "install it together with npm", "Node {NODE_MAJOR} or newer is needed; found: {found}");
    }
    for folder in NPM_FOLDERS {
        let folder = workspace.path(folder);
        let lock = folder.join("package-lock.json");
        let wanted = fs::read(&lock).into_diagnostic().wrap_err_with(|| format!("cannot read {}", lock.display()))?;
        // `npm ci` installs what the lock file says: a copy of it tells whether that was done to the end.
        let installed = folder.join("node_modules/.installed-package-lock.json");
        if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
            continue;
        }
        // The packages that have install scripts would only look for what their own packages bring.
        let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        process::run(Command::new("npm").current_dir(&folder).args(install))?;
        write_atomically(&installed, &wanted)?;
    }
    Ok(())
}

fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The place of `cargo-deny`, which is compiled if need be.
///
/// # Errors
///
/// If it does not compile.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<PathBuf> {
    tool(workspace, "cargo-deny", CARGO_DENY)
}

/// The place of `cargo-fuzz`, which is compiled if need be.
///
/// # Errors
///
/// If it does not compile.
pub(crate) fn cargo_fuzz(workspace: &Workspace) -> Result<PathBuf> {
    tool(workspace, "cargo-fuzz", CARGO_FUZZ)
}

fn tool(workspace: &Workspace, name: &str, version: &str) -> Result<PathBuf> {
    let program = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let wanted = format!("{name} {version}");
    let root = workspace.kept(format!("{name}-{version}"));
    for candidate in [PathBuf::from(&program), root.join("bin").join(&program)] {
        if process::ask(Command::new(&candidate).arg("--version")).as_ref() == Some(&wanted) {
            return Ok(candidate);
        }
    }
    // Such a tool comes with settings for the fastest possible binary. It runs for two seconds here, so what counts is how
    // fast it compiles: without these, it would take several times as long.
    process::run(
        Command::new("cargo")
            .args(["install", "--quiet", "--locked", "--force", "--root"])
            .arg(&root)
            .arg(format!("{name}@={version}"))
            .current_dir(workspace.path(""))
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            // Its crates have settings of their own and would only lie about in the workspace's target directory.
            .env_remove("CARGO_TARGET_DIR"),
    )?;
    Ok(root.join("bin").join(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("v8.0.0"), Some(8));
        assert_eq!(node_major("20.20.2"), None);
        assert_eq!(node_major("vNext"), None);
    }

    #[test]
    fn the_driver_is_that_of_this_processor() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "{}").expect("a file");
            path
        };
        file("radeon_icd.json");
        file("lvp_icd.mips.json");
        assert_eq!(software_vulkan_in(folder.path()), None);
        let plain = file("lvp_icd.json");
        assert_eq!(software_vulkan_in(folder.path()), Some(plain));
        let ours = file(&format!("lvp_icd.{}.json", std::env::consts::ARCH));
        assert_eq!(software_vulkan_in(folder.path()), Some(ours));
    }
}
