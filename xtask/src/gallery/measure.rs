//! What the interface costs: its frames, out of the trace that the app writes, and its memory.

use std::fs;
use std::path::Path;

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};
use serde::Deserialize;

use super::Gallery;
use crate::evidence::Figure;
use crate::workspace::Workspace;

/// Tokens on the wall, as the script has it.
const TOKENS: &str = "10000";

/// The most memory that the app may have had with them, KiB.
const MOST_MEMORY: u64 = 1_000_000;

/// The longest that a frame of the interface may take while a film is drawn, without the device's own time; milliseconds.
const LONGEST: f64 = 50.0;

#[derive(Debug, Deserialize)]
struct Trace {
    #[serde(rename = "traceEvents")]
    events: Vec<Event>,
}

/// A part of a frame, in microseconds since 1970.
#[derive(Debug, Deserialize)]
struct Event {
    name: String,
    ts: u64,
    dur: u64,
}

/// A wall of ten thousand tokens is scrolled.
///
/// # Errors
///
/// If the script fails, or the app took more than a gigabyte.
pub(crate) fn wall(workspace: &Workspace) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir().into_diagnostic()?;
    let home = folder.path().join("home");
    super::mint_many(workspace, &home, TOKENS)?;
    let (mut figures, memory) = measured(workspace, &home, "wall")?;
    if memory > MOST_MEMORY {
        bail!("the app took {memory} KiB with {TOKENS} tokens");
    }
    figures.insert(0, Figure::text("tokens", TOKENS));
    Ok(figures)
}

/// A film is drawn, by the processor that draws the interface too.
///
/// # Errors
///
/// If the script fails, or a frame of the interface took too long.
pub(crate) fn making(workspace: &Workspace) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir().into_diagnostic()?;
    let home = folder.path().join("home");
    fs::create_dir(&home).into_diagnostic()?;
    let (figures, _) = measured(workspace, &home, "making")?;
    Ok(figures)
}

/// What a script's frames took, and KiB of the app's memory at its highest.
fn measured(workspace: &Workspace, home: &Path, script: &str) -> Result<(Vec<Figure>, u64)> {
    let gallery = Gallery::build(workspace, home, [1280, 800])?;
    let trace = home.join("trace.json");
    let more = ["--trace".as_ref(), trace.as_os_str()].map(|word| word.to_str().unwrap_or_default());
    let status = gallery.drive(script, &workspace.kept("gallery"), &more)?;
    if !status.success() {
        bail!("{script}.drive ended with {status}; its pictures are in {}", workspace.kept("gallery").display());
    }
    let noted = |name: &str| -> Result<String> {
        let path = home.join(name);
        fs::read_to_string(&path).into_diagnostic().wrap_err_with(|| format!("cannot read {}", path.display()))
    };
    let time = |name: &str| -> Result<u64> { noted(name)?.trim().parse().into_diagnostic() };
    let (began, ended) = (time("began")?, time("ended")?);
    let memory = noted("memory")?;
    let memory = memory.split_whitespace().find_map(|word| word.parse::<u64>().ok());
    let memory = memory.ok_or_else(|| miette!("/proc does not say how much memory the app had"))?;
    let trace: Trace = serde_json::from_str(&noted("trace.json")?).into_diagnostic()?;
    let part = |name: &str| -> Vec<&Event> {
        let mut events: Vec<&Event> = trace.events.iter().filter(|event| event.name == name).collect();
        events.sort_by_key(|event| event.ts);
        events
    };
    let (prepare, acquire) = (part("prepare"), part("acquire"));
    let within = |event: &&&Event| (began..ended).contains(&event.ts);
    let milliseconds = |event: &Event| event.dur as f64 / 1000.0;
    // What the app has updated, the renderer takes next, while the app works at the frame after.
    let own: Vec<f64> = part("update")
        .iter()
        .filter(within)
        .filter_map(|update| {
            let taken = prepare[prepare.partition_point(|event| event.ts < update.ts + update.dur)..].first()?;
            let waits = acquire.iter().filter(|wait| (taken.ts..taken.ts + taken.dur).contains(&wait.ts));
            let waited: f64 = waits.map(|wait| milliseconds(wait)).sum();
            Some(milliseconds(update) + milliseconds(taken) - waited)
        })
        .collect();
    let draw: Vec<f64> = part("draw").iter().filter(within).map(|event| milliseconds(event)).collect();
    if own.len() < 100 {
        bail!("{script}.drive had {} frames", own.len());
    }
    let worst = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    if script == "making" && worst(&own) > LONGEST {
        bail!("a frame of the interface took {:.1} ms while a film was drawn", worst(&own));
    }
    let figures = vec![
        Figure::number("frames", own.len() as f64),
        Figure::number("seconds", (ended - began) as f64 / 1e6),
        Figure::number("median, ms", median(&own)),
        Figure::number("worst, ms", worst(&own)),
        Figure::number("device: median, ms", median(&draw)),
        Figure::number("device: worst, ms", worst(&draw)),
        Figure::number("memory at most, MB", memory as f64 * 1024.0 / 1e6),
    ];
    Ok((figures, memory))
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
