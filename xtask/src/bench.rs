//! How fast parts are, beside what others have, in one run.

use std::process::Command;

use clap::{Args, ValueEnum};
use miette::{IntoDiagnostic, Result, WrapErr};
use serde::Deserialize;

use crate::evidence::{Evidence, Figure, Part};
use crate::machine::{Machine, load};
use crate::workspace::{Workspace, write_atomically};
use crate::{images, peers, process, setup};

/// Which benchmark to make.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What is measured
    name: Bench,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Rigid bodies beside rapier alone, liquid beside Taichi
    Sim,
    /// Pictures beside Cycles and Mitsuba: error over time
    Render,
}

/// The version of `taichi` (PyPI) that the liquid is measured beside.
const TAICHI: &str = "1.7.4";

/// Threads that everything is measured with.
const THREADS: &str = "2";

/// Runs of either pile, in turns.
const RIGID_ROUNDS: &str = "10";

/// How often the liquids take turns.
const LIQUID_ROUNDS: usize = 5;

/// The steps of each turn.
const LIQUID_STEPS: &str = "40";

/// Makes the benchmark and writes its evidence.
///
/// # Errors
///
/// If something cannot be built, installed or run.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let evidence = match options.name {
        Bench::Sim => sim(workspace)?,
        Bench::Render => render(workspace)?,
    };
    evidence.write(workspace)?;
    eprintln!("wrote docs/evidence/{}.md", evidence.name);
    Ok(())
}

/// The size and the samples of the frame of a million particles.
const MILLION: [&str; 2] = ["540", "64"];

fn render(workspace: &Workspace) -> Result<Evidence> {
    let commit = workspace.commit()?;
    workspace.build()?;
    let mut parts = Vec::new();
    for (scene, title) in [("spheres", "10,000 spheres"), ("triangles", "100,352 triangles")] {
        let load = load_before();
        let curves = peers::curves(workspace, scene)?;
        let file = format!("docs/evidence/bench-render-{scene}.svg");
        write_atomically(&workspace.path(&file), peers::plot(title, &curves).as_bytes())?;
        let [ours, others @ ..] = &curves[..] else { miette::bail!("there is no curve of {scene}") };
        // In the middle of what was measured.
        let error = ours.points[ours.points.len() / 2][1];
        let mut figures: Vec<Figure> = load.into_iter().collect();
        figures.push(Figure::text("error", format!("{error:.4}")));
        for curve in &curves {
            figures.push(Figure::number(format!("{}, s to it", curve.name), curve.seconds_to(error)));
            figures.push(Figure::text(format!("{}, mean", curve.name), format!("{:.4}", curve.mean)));
        }
        // At its end, too: what does not grow with the samples weighs less there.
        let least = ours.points[ours.points.len() - 1][1];
        for other in others {
            let [ratio, later] = [error, least].map(|error| other.seconds_to(error) / ours.seconds_to(error));
            figures.push(Figure::text(format!("{} / ours", other.name), format!("{ratio:.2} (at 256: {later:.2})")));
        }
        figures.push(Figure::text("curves", file.replace("docs/evidence/", "")));
        parts.push(Part { name: title.to_owned(), figures });
    }
    let load = load_before();
    let [size, samples] = MILLION;
    let found = peers::million(workspace, size, samples)?;
    let share = (found.build_seconds + found.upload_seconds) / found.seconds;
    let figures = [
        Figure::text("frame", format!("{size} x {size} pixels, {samples} samples")),
        Figure::number("frame on the CPU, s", found.seconds),
        Figure::number("building, s", found.build_seconds),
        Figure::text("building and uploading, of the frame", format!("{:.1} %", share * 100.0)),
        Figure::text("device", found.device),
        Figure::number("packing and uploading, s", found.upload_seconds),
    ];
    parts.push(Part { name: "a million particles".to_owned(), figures: load.into_iter().chain(figures).collect() });
    Ok(Evidence {
        name: "bench-render".to_owned(),
        about: format!(
            "Time to equal error beside Cycles and Mitsuba (`xtask/peers`), with {THREADS} threads: the scenes of \
             `render/examples/measure.rs`, 160 x 160 pixels, five scatterings, no clamp, no more paths at outlines. *error* is \
             the root of the mean square difference to the same tracer's own picture of 4,096 samples and another seed, \
             as a share of that picture's mean; it is taken where ours is at 64 samples, and for the ratio in brackets at \
             256; peers' times are read from their curves, beyond an end along the last stretch. Cycles draws the spheres \
             twice: as points of a cloud, which it meets as spheres, and as instances of a mesh of 320 triangles. Mitsuba \
             draws its default, independent samples. Seconds are those of tracing alone, the least of three turns. Then a \
             million spheres: building their hierarchy beside a frame, and packing and uploading them to the device, with a \
             tile of one path a pixel. *load before* is the machine's load average when the part began, the parts before it included."
        ),
        command: "cargo xtask bench render".to_owned(),
        commit,
        machine: Machine::this(),
        parts,
    })
}

fn sim(workspace: &Workspace) -> Result<Evidence> {
    let commit = workspace.commit()?;
    process::run(workspace.cargo("build").args(EXAMPLE))?;
    let taichi = setup::python_packages(&workspace.kept("taichi"), &[&format!("taichi=={TAICHI}")])?;
    let mut parts = vec![rigid(workspace)?, liquid(workspace, &taichi.join("python"))?];
    for (scenario, seed) in &images::pieces(workspace)? {
        parts.push(segments(workspace, scenario, seed)?);
    }
    Ok(Evidence {
        name: "bench-sim".to_owned(),
        about: format!(
            "Seconds of the fastest round of each, with {THREADS} threads. *rigid bodies*: boxes and balls that fall \
             into a pile, in rapier alone and as a scene: its steps, its checkpoints (all of rapier's state, \
             written and hashed) and a whole run with both and the trajectory, in turns; all end in the same places. \
             *liquid*: a column of 270,336 particles that collapses in a box of 64³ cells, by our integers on the CPU \
             and by a plain MLS-MPM in Taichi {TAICHI} (`xtask/peers/taichi_mpm.py`), in turns. Then, of the pieces \
             that the README showed at this commit, a whole run and all its segments one by one, each from the bytes \
             of its checkpoint: what a check of k of n segments costs is k/n of the latter. *load before* is the \
             machine's load average when the part began, the parts before it included. A whole run is longer than its \
             segments where packing the trajectory takes more than reading the checkpoints."
        ),
        command: "cargo xtask bench sim".to_owned(),
        commit,
        machine: Machine::this(),
        parts,
    })
}

/// The program that measures our side.
const EXAMPLE: [&str; 5] = ["--release", "--package", "seedstorm-sim", "--example", "bench"];

/// What a side of a benchmark prints.
#[derive(Debug, Deserialize)]
struct Printed {
    seconds: Vec<f64>,
    /// Of the peer, where one program measures both.
    #[serde(default)]
    alone: Vec<f64>,
    /// Of what a whole run has, its steps and its checkpoints, measured apart.
    #[serde(default)]
    stepping: Vec<f64>,
    #[serde(default)]
    checkpoints: Vec<f64>,
    #[serde(default)]
    bodies: f64,
    #[serde(default)]
    particles: f64,
    #[serde(default)]
    segments: f64,
}

impl Printed {
    fn by(command: &mut Command) -> Result<Self> {
        let printed = process::capture(command)?;
        let line = printed.lines().last().unwrap_or_default();
        serde_json::from_str(line).into_diagnostic().wrap_err_with(|| format!("`{line}` is no measurement"))
    }
}

fn ours(workspace: &Workspace, arguments: &[&str]) -> Result<Printed> {
    let mut command = workspace.cargo("run");
    Printed::by(command.arg("--quiet").args(EXAMPLE).arg("--").args(arguments).env("RAYON_NUM_THREADS", THREADS))
}

fn rigid(workspace: &Workspace) -> Result<Part> {
    let load = load_before();
    let Printed { seconds, stepping, checkpoints, alone, bodies, .. } = ours(workspace, &["rigid", RIGID_ROUNDS])?;
    let (whole, steps, checkpoints, alone) = (least(&seconds), least(&stepping), least(&checkpoints), least(&alone));
    let figures = [
        Figure::number("bodies", bodies),
        Figure::number("rapier alone, s", alone),
        Figure::number("our steps, s", steps),
        Figure::number("our checkpoints, s", checkpoints),
        Figure::number("our whole run, s", whole),
        Figure::text("our steps / rapier alone", format!("{:.3}", steps / alone)),
        Figure::text("our whole run / rapier alone", format!("{:.3}", whole / alone)),
    ];
    Ok(Part { name: "rigid bodies".to_owned(), figures: load.into_iter().chain(figures).collect() })
}

fn liquid(workspace: &Workspace, python: &std::path::Path) -> Result<Part> {
    let load = load_before();
    let peer = workspace.path("xtask/peers/taichi_mpm.py");
    let (mut ours_took, mut peer_took, mut particles) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..LIQUID_ROUNDS {
        let found = ours(workspace, &["matter", LIQUID_STEPS])?;
        particles = found.particles;
        ours_took.push(found.seconds.iter().sum::<f64>() / found.seconds.len() as f64);
        let found = Printed::by(Command::new(python).arg(&peer).args([THREADS, LIQUID_STEPS]))?;
        peer_took.push(found.seconds.iter().sum::<f64>() / found.seconds.len() as f64);
    }
    let (ours, peer) = (least(&ours_took), least(&peer_took));
    let figures = [
        Figure::number("particles", particles),
        Figure::number("ours, ms a step", ours * 1e3),
        Figure::number("Taichi, ms a step", peer * 1e3),
        Figure::text("ours, million particle-steps a second", format!("{:.2}", particles / ours / 1e6)),
        Figure::text("Taichi, million particle-steps a second", format!("{:.2}", particles / peer / 1e6)),
        Figure::text("Taichi / ours", format!("{:.2}", peer / ours)),
    ];
    Ok(Part { name: "liquid".to_owned(), figures: load.into_iter().chain(figures).collect() })
}

fn segments(workspace: &Workspace, scenario: &str, seed: &str) -> Result<Part> {
    let load = load_before();
    let Printed { segments, seconds, alone, .. } = ours(workspace, &["segments", scenario, seed])?;
    let (apart, whole) = (least(&seconds), least(&alone));
    let figures = [
        Figure::number("segments", segments),
        Figure::number("whole run, s", whole),
        Figure::number("all segments, s", apart),
        Figure::text("all segments / whole run", format!("{:.3}", apart / whole)),
    ];
    Ok(Part { name: format!("{scenario}, seed {seed}"), figures: load.into_iter().chain(figures).collect() })
}

fn load_before() -> Option<Figure> {
    load().map(|load| Figure::number("load before", load))
}

fn least(seconds: &[f64]) -> f64 {
    seconds.iter().copied().fold(f64::INFINITY, f64::min)
}
