//! Every chore of the workspace, run the same way by a person and by CI: `cargo xtask help`.
//!
//! `ci` is what a change has to pass; `full` holds the runs that are too long for that, and `bench`
//! what is faster or slower than what, whose figures are committed;
//! `artifacts` and `images` regenerate what is committed but made by a program. It never decides what a check
//! means: that lives in the crate or the folder that is checked.

mod bench;
mod ci;
mod contracts;
mod deny;
mod evidence;
mod full;
mod fuzz;
mod gallery;
mod images;
mod machine;
mod peers;
mod process;
mod setup;
mod studio;
mod summary;
mod sweep;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The chores of the Seedstorm workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Runs every check, or the ones that are named
    Ci(ci::Options),
    /// Makes the runs that are too long for CI and writes their figures to docs/evidence
    Full(full::Options),
    /// Measures how fast a part is beside what others have, and writes docs/evidence
    Bench(bench::Options),
    /// Compiles the contracts again and rewrites their committed artifacts
    Artifacts,
    /// Makes the pieces of docs/images/pieces.json again and rewrites the README's pictures
    Images(images::Options),
}

fn main() -> ExitCode {
    let chore = CommandLine::parse().chore;
    let done = Workspace::find().and_then(|workspace| match chore {
        Chore::Ci(options) => ci::run(&workspace, &options),
        Chore::Full(options) => full::run(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Chore::Bench(options) => bench::run(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Chore::Artifacts => contracts::regenerate_artifacts(&workspace).map(|()| ExitCode::SUCCESS),
        Chore::Images(options) => images::run(&workspace, &options).map(|()| ExitCode::SUCCESS),
    });
    done.unwrap_or_else(|report| {
        eprintln!("{report:?}");
        ExitCode::FAILURE
    })
}
