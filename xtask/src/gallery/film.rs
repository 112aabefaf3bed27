//! The film of the app that the README shows, taken from the display while a script uses it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use miette::{IntoDiagnostic, Result, WrapErr, bail};

use super::{Display, Gallery};
use crate::process;
use crate::workspace::Workspace;

/// Size of the window, frames a second that are taken and shown, and the film's width.
const SIZE: [u32; 2] = [1280, 800];
const RATE: u32 = 10;
const WIDTH: u32 = 800;

/// Pictures that the script takes for the README.
const STILLS: [&str; 2] = ["explore", "verified"];

/// Takes pictures of a display until it is told to end.
struct Recorder(Child);

impl Recorder {
    fn start(display: &Display, to: &Path) -> Result<Self> {
        let [width, height] = SIZE;
        let started = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "x11grab", "-framerate", &RATE.to_string()])
            .args(["-video_size", &format!("{width}x{height}"), "-i", &display.name])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-qp", "0"])
            .arg(to)
            .stdin(Stdio::piped())
            .spawn();
        Ok(Self(started.into_diagnostic().wrap_err("cannot start ffmpeg: `cargo xtask ci setup` installs it")?))
    }

    /// Ends it, so that its file is whole.
    fn end(mut self) -> Result<()> {
        // To ffmpeg, this key is a wish to end.
        if let Some(mut keys) = self.0.stdin.take() {
            keys.write_all(b"q").into_diagnostic()?;
        }
        for _ in 0..600 {
            if let Some(status) = self.0.try_wait().into_diagnostic()? {
                if !status.success() {
                    bail!("ffmpeg ended with {status}");
                }
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("ffmpeg did not end")
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Nothing is left to do about one that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has the script use the app, and writes `docs/images/gallery.webp` and two pictures.
///
/// # Errors
///
/// If the script or ffmpeg fails.
pub(crate) fn take(workspace: &Workspace) -> Result<()> {
    let folder = tempfile::tempdir().into_diagnostic()?;
    let home = folder.path().join("home");
    fs::create_dir(&home).into_diagnostic()?;
    let gallery = Gallery::build(workspace, &home, SIZE)?;
    let display = Display::open(SIZE)?;
    let (raw, shots) = (folder.path().join("raw.mkv"), folder.path().join("shots"));
    let recorder = Recorder::start(&display, &raw)?;
    let began = SystemTime::now();
    let status = gallery.drive_on(&display, "film", &shots, &["--shade", "dark"])?;
    // What follows is an empty display.
    let length = began.elapsed().into_diagnostic()?.as_secs_f64() - 1.0;
    recorder.end()?;
    if !status.success() {
        bail!("film.drive ended with {status}");
    }
    let speeds = fs::read_to_string(home.join("speeds")).into_diagnostic()?;
    let began = began.duration_since(SystemTime::UNIX_EPOCH).into_diagnostic()?.as_secs_f64();
    let chosen = chosen(&speeds, began, length)?;
    let film = workspace.path("docs/images/gallery.webp");
    let made = folder.path().join("gallery.webp");
    let filter = format!("select='{chosen}',setpts=N/({RATE}*TB),scale={WIDTH}:-2:flags=lanczos");
    let mut encode = Command::new("ffmpeg");
    encode.args(["-v", "error", "-y", "-i"]).arg(&raw).args(["-vf", &filter, "-r", &RATE.to_string()]);
    encode.args(["-c:v", "libwebp_anim", "-loop", "0", "-quality", "50", "-compression_level", "6"]).arg(&made);
    process::run(&mut encode)?;
    fs::copy(&made, &film).into_diagnostic()?;
    for still in STILLS {
        let to = workspace.path(format!("docs/images/gallery-{still}.png"));
        fs::copy(shots.join(format!("{still}.png")), to).into_diagnostic()?;
    }
    eprintln!("wrote {}", film.display());
    Ok(())
}

/// Which frames of the seconds that were taken are shown, as ffmpeg's `select` has it: from each moment on, one of so many.
fn chosen(speeds: &str, began: f64, length: f64) -> Result<String> {
    let mut parts: Vec<(f64, u32)> = Vec::new();
    for line in speeds.lines() {
        let fields = line.split_once(' ').and_then(|(speed, at)| Some((at.parse::<f64>().ok()?, speed.parse().ok()?)));
        let Some((at, speed)) = fields else { bail!("`{line}` is no speed and time") };
        parts.push((at / 1e6 - began, speed));
    }
    if parts.is_empty() {
        bail!("the script set no speed");
    }
    let until = |index: usize| parts.get(index + 1).map_or(length, |(at, _)| *at);
    let part = |(index, (from, speed)): (usize, &(f64, u32))| {
        format!("gte(t,{from:.2})*lt(t,{:.2})*not(mod(n,{speed}))", until(index))
    };
    Ok(parts.iter().enumerate().map(part).collect::<Vec<_>>().join("+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_chosen_by_speed() {
        let chosen = chosen("2 1000000\n30 5500000\n", 0.5, 9.0).unwrap();
        assert_eq!(chosen, "gte(t,0.50)*lt(t,5.00)*not(mod(n,2))+gte(t,5.00)*lt(t,9.00)*not(mod(n,30))");
        assert!(super::chosen("", 0.0, 9.0).is_err() && super::chosen("x y", 0.0, 9.0).is_err());
    }
}
