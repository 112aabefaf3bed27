//! The gallery: explore, make, own and verify pieces.
// A program: its parts are public to one another only.
#![allow(missing_docs, missing_debug_implementations, unreachable_pub)]

mod app;
mod drive;
mod icons;
mod keys;
mod live;
mod pages;
mod settings;
mod text;
mod theme;
mod trace;
mod widgets;
mod work;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use seedstorm_sim::{Backend, gpu::adapters};
use seedstorm_studio::Home;

use settings::Shade;

/// Explore, make, own and verify pieces.
///
/// Everything is kept in SEEDSTORM_HOME (else in the user's data folder), as the command line does.
#[derive(Debug, Parser)]
#[command(name = "seedstorm-gallery", version)]
struct Arguments {
    /// Width and height of the window.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x800", value_parser = size)]
    size: [u32; 2],
    /// Light or dark, in place of what was chosen before.
    #[arg(long)]
    shade: Option<Shade>,
    /// Size of everything in per cent, in place of what was chosen before.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(75..=250))]
    scale: Option<u32>,
    /// Where worlds are stepped: auto, cpu, gpu or gpu-split.
    #[arg(long, default_value = "auto")]
    backend: Backend,
    /// Use the app as this script says, with the pointer and the keys of the display that it runs on.
    #[arg(long, value_name = "SCRIPT", requires = "shots")]
    drive: Option<PathBuf>,
    /// Write how long each frame of the interface took, as a trace that Perfetto shows, when the app ends.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Where the script's pictures go.
    #[arg(long, value_name = "DIR", requires = "drive")]
    shots: Option<PathBuf>,
}

fn size(text: &str) -> Result<[u32; 2], String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|side| (320..=7680).contains(side));
    let parts = text.split_once('x').and_then(|(width, height)| Some([number(width)?, number(height)?]));
    parts.ok_or_else(|| format!("`{text}` is no WIDTHxHEIGHT, each 320 to 7680"))
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("seedstorm-gallery: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let drive = match (&arguments.drive, arguments.shots) {
        (Some(script), Some(shots)) => Some(drive::Drive::read(script, shots)?),
        _ => None,
    };
    if adapters().is_empty() {
        return Err("there is no adapter for Vulkan, Metal or DirectX 12 here, and the gallery draws with one. On Debian, \
             `apt install mesa-vulkan-drivers` brings one that runs on the CPU. All of it works from the command line too: \
             `seedstorm make bloom`, `seedstorm verify 1`, `seedstorm help`"
            .into());
    }
    if cfg!(target_os = "linux") && std::env::var_os("DISPLAY").is_none() {
        return Err(
            "there is no display here (DISPLAY is not set). `xvfb-run` brings one; all of it works from the command \
             line too: `seedstorm help`"
                .into(),
        );
    }
    // Held to the end: a server without any client begins anew, and refuses who comes meanwhile.
    #[cfg(target_os = "linux")]
    let _display = display()?;
    let home = Home::default_place().map_err(|error| error.to_string())?;
    let mut gallery = app::Gallery::new(home, arguments.backend);
    if let Some(shade) = arguments.shade {
        gallery.settings.shade = shade;
    }
    if let Some(percent) = arguments.scale {
        gallery.settings.scale = percent as f32 / 100.0;
    }
    Ok(app::run(gallery, arguments.size, drive, arguments.trace))
}

/// A connection to the display.
#[cfg(target_os = "linux")]
fn display() -> Result<x11rb::rust_connection::RustConnection, String> {
    const TRIES: u32 = 5;
    let mut tried = 1;
    loop {
        match x11rb::connect(None) {
            Ok((connection, _)) => return Ok(connection),
            Err(error) if tried == TRIES => {
                let display = std::env::var("DISPLAY").unwrap_or_default();
                return Err(format!(
                    "the display {display} cannot be reached: {error}. All of it works from the command line too: `seedstorm help`"
                ));
            }
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(200)),
        }
        tried += 1;
    }
}
