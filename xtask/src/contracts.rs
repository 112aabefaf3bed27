//! The Foundry project, and the scripts that hold committed files against an independent implementation.

use std::process::Command;

use miette::{Result, miette};

use crate::workspace::Workspace;
use crate::{process, setup};

/// The version of `slither-analyzer` (PyPI) that `contracts/tools/slither.json` speaks of.
const SLITHER: &str = "0.11.6";

/// Contracts are formatted, compile, pass their tests, and cost the gas that `.gas-snapshot` records.
///
/// # Errors
///
/// If one of these does not hold.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    // The gas of a fuzz test moves with its runs, and an attack of a million payments need not run twice.
    let plain_tests = ["snapshot", "--check", "--no-match-test", "testFuzz|invariant|million"];
    for arguments in [&["fmt", "--check"][..], &["build"], &["test"], &plain_tests] {
        process::run(&mut forge(workspace, arguments))?;
    }
    Ok(())
}

/// Slither finds nothing above low in the contracts that `contracts/tools/slither.json` does not explain.
///
/// # Errors
///
/// If it does, or cannot be installed.
pub(crate) fn check_slither(workspace: &Workspace) -> Result<()> {
    let slither =
        setup::python_packages(&workspace.kept("slither"), &[&format!("slither-analyzer=={SLITHER}")])?.join("slither");
    let mut check = Command::new("node");
    process::run(check.current_dir(workspace.path("contracts")).arg("tools/slither.mjs").env("SLITHER", slither))
}

/// The long checks of the contracts, by the names of their parts.
pub(crate) const LONG_CHECKS: [&str; 8] =
    ["tests", "invariants", "coverage", "attacks", "operators 1/4", "operators 2/4", "operators 3/4", "operators 4/4"];

/// Makes one of [`LONG_CHECKS`] and says in a line what it found.
///
/// # Errors
///
/// If it does not pass.
pub(crate) fn long_check(workspace: &Workspace, name: &str) -> Result<String> {
    let (output, line) = match name {
        "tests" | "invariants" => {
            let these = if name == "tests" { "--no-match-test" } else { "--match-test" };
            let mut test = forge(workspace, &["test", these, "invariant"]);
            (process::capture(test.env("FOUNDRY_PROFILE", "full"))?, "tests passed")
        }
        "coverage" => {
            let sources = [
                "--no-match-coverage",
                "(test|script|node_modules)/",
                "--no-match-test",
                "million|test_gas|invariant_",
            ];
            let mut coverage = forge(workspace, &["coverage"]);
            (process::capture(coverage.args(sources))?, "| Total")
        }
        mutants => {
            let mut tool = Command::new("node");
            tool.current_dir(workspace.path("contracts")).arg("tools/mutants.mjs").args(mutants.split(' '));
            (process::capture(&mut tool)?, " changes: ")
        }
    };
    let found = output.lines().rev().find(|printed| printed.contains(line));
    found.map(|found| found.trim_matches(['|', ' ']).to_owned()).ok_or_else(|| miette!("{name} says nothing of itself"))
}

/// Runs forge's own binary: `node_modules/.bin/forge` is a script that ends with 0 also where forge fails.
///
/// Figures of gas that tests keep in `snapshots/` are compared, not written.
fn forge(workspace: &Workspace, arguments: &[&str]) -> Command {
    let folder = workspace.path("contracts");
    let mut forge = Command::new(folder.join(forge_binary()));
    forge.current_dir(folder).args(arguments).env("FORGE_SNAPSHOT_CHECK", "true");
    forge
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
