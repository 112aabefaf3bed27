//! The `seedstorm` command line.

mod bars;
mod cli;
mod output;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bars::stop_on_interrupt();
    match cli::run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
