//! Sweeps and censuses that are too long for CI, through the built binary.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use miette::{IntoDiagnostic, Result, WrapErr, bail};
use serde::Deserialize;

use crate::evidence::Figure;
use crate::process;
use crate::workspace::Workspace;

/// A flower that is simulated in a twentieth of a second: what is measured is the sweep.
const SMALL_BLOOM: [&str; 6] = ["sweep", "bloom", "--param", "arms=8", "--param", "rings=6"];

/// Seeds of the run that compares one job with two.
const COMPARED: u32 = 400;

/// Seeds of the long run.
const MANY: u32 = 10_000;

/// The least that two jobs have to be faster than one, on two cores or more.
const LEAST_RATIO: f64 = 1.85;

/// How much more memory the long run may use than the short one, MB.
const GROWTH_MB: f64 = 8.0;

/// Seeds of a census.
const COUNTED: u32 = 10_000;

/// A sweep that was made.
struct Swept {
    seconds: f64,
    /// The most memory that it used at any moment, MB; none where the system does not say.
    peak_mb: Option<f64>,
    table: String,
}

/// One job and two, one after the other in homes of their own.
///
/// # Errors
///
/// If a sweep fails, the two tables differ, or two jobs are not faster by [`LEAST_RATIO`].
pub(crate) fn compared(workspace: &Workspace) -> Result<Vec<Figure>> {
    let program = workspace.build()?;
    let one = sweep(&program, COMPARED, Some(1))?;
    let two = sweep(&program, COMPARED, Some(2))?;
    if one.table != two.table {
        bail!("the table of one job is not that of two");
    }
    let ratio = one.seconds / two.seconds;
    if ratio < LEAST_RATIO && std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        bail!(help = "does something else run?", "two jobs are only {ratio:.2} times as fast as one");
    }
    Ok(vec![
        Figure::number("seeds", f64::from(COMPARED)),
        Figure::number("with one job, s", one.seconds),
        Figure::number("with two, s", two.seconds),
        Figure::number("ratio", ratio),
        Figure::text("tables", "equal, byte for byte"),
    ])
}

/// Ten thousand seeds on all cores.
///
/// # Errors
///
/// If the sweep fails, a seed is missing from its table or out of order, or memory grows with the number of seeds.
pub(crate) fn many(workspace: &Workspace) -> Result<Vec<Figure>> {
    let program = workspace.build()?;
    let few = sweep(&program, COMPARED, None)?;
    let swept = sweep(&program, MANY, None)?;
    let seeds: Vec<&str> = swept.table.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    if seeds.len() != MANY as usize || !seeds.iter().enumerate().all(|(at, seed)| **seed == at.to_string()) {
        bail!("the table does not hold the seeds 0 to {MANY} in order");
    }
    let mut figures = vec![
        Figure::number("seeds", f64::from(MANY)),
        Figure::number("whole, s", swept.seconds),
        Figure::number("seeds a second", f64::from(MANY) / swept.seconds),
    ];
    if let (Some(few), Some(many)) = (few.peak_mb, swept.peak_mb) {
        if many > few + GROWTH_MB {
            bail!("{COMPARED} seeds take {few:.1} MB, {MANY} take {many:.1} MB: memory grows with the number of seeds");
        }
        figures.push(Figure::number(format!("peak memory of {COMPARED} seeds, MB"), few));
        figures.push(Figure::number("peak memory, MB", many));
    }
    Ok(figures)
}

#[derive(Deserialize)]
struct Census {
    seeds: u32,
    traits: Vec<Counted>,
}

#[derive(Deserialize)]
struct Counted {
    name: String,
    options: Vec<Share>,
}

#[derive(Deserialize)]
struct Share {
    value: String,
    stated: f64,
    found: f64,
    deviation: f64,
}

/// How rare the traits of a scenario are among ten thousand seeds.
///
/// # Errors
///
/// If the census fails, or an option lies more than five standard deviations off.
pub(crate) fn census(workspace: &Workspace, scenario: &str) -> Result<Vec<Figure>> {
    let program = workspace.build()?;
    let seeds = COUNTED.to_string();
    let text = process::capture(Command::new(program).args(["census", scenario, "--seeds", &seeds, "--json"]))?;
    let census: Census = serde_json::from_str(&text).into_diagnostic().wrap_err("the census is no census")?;
    let options = || census.traits.iter().flat_map(|counted| &counted.options);
    let largest = options().map(|share| share.deviation.abs()).fold(0.0, f64::max);
    if census.seeds != COUNTED || largest > 5.0 {
        bail!("an option of {scenario} lies {largest:.1} standard deviations from what is stated");
    }
    let shares = |counted: &Counted| {
        let share = |s: &Share| format!("{} {:.2} % of {:.2} %", s.value, s.found * 100.0, s.stated * 100.0);
        counted.options.iter().map(share).collect::<Vec<_>>().join(", ")
    };
    let mut figures = vec![
        Figure::number("seeds", f64::from(COUNTED)),
        Figure::number("options", options().count() as f64),
        Figure::number("largest deviation, standard deviations", largest),
    ];
    figures.extend(census.traits.iter().map(|counted| Figure::text(counted.name.clone(), shares(counted))));
    Ok(figures)
}

fn sweep(program: &Path, seeds: u32, jobs: Option<u32>) -> Result<Swept> {
    let home = tempfile::tempdir().into_diagnostic().wrap_err("cannot make a temporary folder")?;
    let table = home.path().join("table.csv");
    let mut command = Command::new(program);
    command.args(SMALL_BLOOM).args(["--seeds", &format!("0..{seeds}"), "--top", "0", "--csv"]).arg(&table);
    if let Some(jobs) = jobs {
        command.args(["--jobs", &jobs.to_string()]);
    }
    command.env("SEEDSTORM_HOME", home.path()).stdin(Stdio::null()).stdout(Stdio::null());
    eprintln!("$ {}", process::line(&command));
    let start = Instant::now();
    let mut child = command.spawn().into_diagnostic().wrap_err("cannot start the sweep")?;
    let mut peak_mb = None;
    let status = loop {
        if let Some(status) = child.try_wait().into_diagnostic().wrap_err("the sweep is gone")? {
            break status;
        }
        peak_mb = peak(&child).or(peak_mb);
        std::thread::sleep(Duration::from_millis(50));
    };
    let seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        bail!("the sweep ended with {status}");
    }
    let table = fs::read_to_string(&table).into_diagnostic().wrap_err("the sweep left no table")?;
    Ok(Swept { seconds, peak_mb, table })
}

/// The most memory that a process has used so far, as Linux counts it.
fn peak(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
