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
    // The gas of a fuzz test moves with its runs.
    let plain_tests = ["snapshot", "--check", "--no-match-test", "testFuzz"];
    for arguments in [&["fmt", "--check"][..], &["build"], &["test"], &plain_tests] {
        forge(workspace, arguments)?;
    }
    Ok(())
}

fn forge(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let folder = workspace.path("contracts");
    process::run(Command::new(folder.join("node_modules/.bin/forge")).current_dir(folder).args(arguments))
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
