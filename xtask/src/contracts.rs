//! The Foundry project, and the scripts that hold committed files against an independent implementation.

use std::process::Command;

use miette::Result;

use crate::process;
use crate::workspace::Workspace;

/// Contracts are formatted, compile, pass their tests, and cost the gas that `.gas-snapshot` records.
///
/// # Errors
///
/// If one of these does not hold.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    // The gas of a fuzz test moves with its runs, and an attack of a million payments need not run twice.
    let plain_tests = ["snapshot", "--check", "--no-match-test", "testFuzz|invariant|million"];
    for arguments in [&["fmt", "--check"][..], &["build"], &["test"], &plain_tests] {
        forge(workspace, arguments)?;
    }
    Ok(())
}

/// Runs forge's own binary: `node_modules/.bin/forge` is a script that ends with 0 also where forge fails.
fn forge(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let folder = workspace.path("contracts");
    process::run(Command::new(folder.join(forge_binary())).current_dir(folder).args(arguments))
}

/// Where npm puts it, by its names of systems and processors.
fn forge_binary() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("node_modules/@foundry-rs/forge-{system}-{processor}/bin/forge{}", std::env::consts::EXE_SUFFIX)
}

/// The committed artifacts are what the contracts' sources compile to.
///
/// # Errors
///
/// If they are not, or the sources do not compile.
pub(crate) fn check_artifacts(workspace: &Workspace) -> Result<()> {
    node(workspace, "contracts", &["tools/artifacts.mjs", "--check"])
}

/// Compiles the contracts and rewrites the committed artifacts.
///
/// # Errors
///
/// If the sources do not compile.
pub(crate) fn regenerate_artifacts(workspace: &Workspace) -> Result<()> {
    node(workspace, "contracts", &["tools/artifacts.mjs"])
}

/// The committed CIDs are those that an independent implementation gives to the same bytes.
///
/// # Errors
///
/// If one differs.
pub(crate) fn check_cids(workspace: &Workspace) -> Result<()> {
    node(workspace, "mint/tests/oracle", &["cids.mjs", "--check"])
}

fn node(workspace: &Workspace, folder: &str, arguments: &[&str]) -> Result<()> {
    process::run(Command::new("node").current_dir(workspace.path(folder)).args(arguments))
}
