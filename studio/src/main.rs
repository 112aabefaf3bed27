//! The `seedstorm` command line.

mod bars;
mod cli;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    bars::stop_on_interrupt();
    match cli::run(&arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
