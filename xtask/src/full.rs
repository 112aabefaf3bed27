//! Runs that are too long for CI. Each is a list of parts; a part that is done at this commit is not run again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use clap::{Args, ValueEnum};
use miette::{IntoDiagnostic, Result, WrapErr};
use serde::Deserialize;

use crate::contracts;
use crate::evidence::{Evidence, Figure, Part};
use crate::fuzz::{self, Fuzzers};
use crate::gallery;
use crate::images;
use crate::machine::{Machine, load};
use crate::process;
use crate::setup;
use crate::studio::{Made, Scenario, Studio};
use crate::sweep;
use crate::wasm::{self, Host};
use crate::workspace::{Workspace, write_atomically};

/// Which runs to make.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run the parts again that are done at this commit
    #[arg(long)]
    again: bool,
    /// The runs; all of them if none is named
    names: Vec<Run>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Run {
    /// A film of each scenario, made, minted and verified
    Film,
    /// A draft of each scenario, made, minted and verified
    Draft,
    /// The WGSL kernel against its Rust twin, with and without 64-bit integers
    Kernel,
    /// Random worlds in which every derived bound is asserted, long and many
    Bounds,
    /// Thousands of raw tiles from a device, judged beside what cheats would give
    Tiles,
    /// Every parser of foreign bytes, fuzzed for ten minutes
    Fuzz,
    /// Sweeps of hundreds and thousands of seeds, and a census of each scenario
    Sweep,
    /// Golden rows and whole worlds under WebAssembly, in Node and in a browser
    Wasm,
    /// The gallery with ten thousand tokens, and while a film is drawn
    Gallery,
    /// The contracts' tests with all their runs, their coverage, defences taken out, and mutations
    Contracts,
}

/// Seconds that each fuzz target runs.
const FUZZ_SECONDS: u64 = 600;

/// The test target that holds the kernel and its twin equal.
const KERNEL_TESTS: &str = "twins";

/// The test target that measures what a kernel's force, momentum and energy are worth.
const LAW_TESTS: &str = "gravity";

impl Run {
    fn name(self) -> &'static str {
        match self {
            Self::Film => "film",
            Self::Draft => "draft",
            Self::Kernel => "kernel",
            Self::Bounds => "bounds",
            Self::Tiles => "tiles",
            Self::Fuzz => "fuzz",
            Self::Sweep => "sweep",
            Self::Wasm => "wasm",
            Self::Gallery => "gallery",
            Self::Contracts => "contracts",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Film => {
                "The piece of each scenario that the README showed at this commit, at film quality, through the built binary: seconds of each stage as \
                 `seedstorm make --json` reports them, of the whole command, and of `seedstorm verify` afterwards. \
                 *load before* is the machine's load average when the part began; above 0.3, something else ran too."
            }
            Self::Draft => {
                "The piece of each scenario that the README showed at this commit, at draft quality, through the built binary: seconds of each stage as \
                 `seedstorm make --json` reports them, of the whole command, and of `seedstorm verify` afterwards. \
                 *load before* is the machine's load average when the part began; above 0.3, something else ran too."
            }
            Self::Kernel => {
                "The fluid's WGSL kernel and its Rust twin, compared bit for bit: 2,000 steps of a small world and 50 of \
                 the full one, each with 64-bit integers in the shader and with split products. A \
                 part is one test of `sim/tests/twins.rs`, alone on the machine, on the adapter named above; it passed. \
                 *gravity* is what `sim/tests/gravity.rs` measures of its law: the error of the force against direct \
                 summation, the change of momentum beside its bound, the drift of energy over 150 steps."
            }
            Self::Bounds => {
                "Random worlds of 3,600 particles of three materials and four rigid bodies in a vessel that is shaken, 100 \
                 seeds for 10,000 steps, built with assertions and checks for overflow: what the twins in \
                 `sim/src/matter` and `sim/src/gravity` assert of their bounds held (`sim/tests/bounds.rs`). Where a world's matter is \
                 squeezed beyond what a node's sums have room for, it ends, and another one of its seed goes on."
            }
            Self::Tiles => {
                "The tile test (`render/src/judge.rs`): raw linear tiles of 16x16 pixels at 16 samples, of frames of small worlds \
                 of seed 1, 2, … at draft quality, drawn by WGSL on the device named and judged beside those of the CPU; and of every \
                 fourth frame what cheats would give: 12 samples of 16, half the resolution at four times the samples \
                 scaled up, 4 samples denoised, another seed, the frame after it. *apart* is the largest share of an \
                 honest tile's speaking pixels that were apart; a sixth is forgiven. `waltz` is not among them: its \
                 light is splats without noise, which no tile says anything of."
            }
            Self::Fuzz => {
                "Every parser of foreign bytes under libFuzzer, ten minutes each from the committed corpus and what earlier \
                 runs found, as many at once as there are cores, with debug assertions and checks for overflow: no input \
                 made one panic, hang for 20 s, use more than 2 GiB or break what `fuzz/src/checks.rs` asks of it."
            }
            Self::Sweep => {
                "Sweeps of small flowers (`bloom` with 8 arms of 6 rings) through the built binary: 400 seeds with one job and \
                 with two, whose tables have to be equal, and 10,000 seeds on all cores; then how rare each option of each \
                 trait is among 10,000 seeds, beside what the scenario states."
            }
            Self::Wasm => {
                "The simulation compiled to wasm32, one thread, in Node and in the page `sim/wasm/web` in a headless Chromium: \
                 every row of `sim/tests/golden.json`, and the whole worlds of the pieces that the README showed at this \
                 commit, beside the same worlds on this machine itself. All checkpoints, the `sim_root` and the digest of \
                 the trajectory are equal."
            }
            Self::Gallery => {
                "The gallery at 1280x800, used by the scripts `gallery/e2e/wall.drive` and `making.drive` on a display without a \
                 screen: a wall of 10,000 tokens, ten of which are meant to harm, scrolled from end to end and back; and a film \
                 being drawn on all cores. A frame of the interface is what the app does for it, and its renderer until it \
                 draws, out of the app's own trace (`--trace`), without waiting for the device; *device* is the handing over and drawing, which \
                 on a software device is done by the processor too. *memory* is the app's resident memory at its highest."
            }
            Self::Contracts => {
                "The contracts: *tests* with 10,000 runs of each fuzz test; *invariants* in 1,000 runs of 100 calls; \
                 *coverage* of `src/` in lines, statements, branches and functions; *attacks*, each defence taken out of \
                 the sources and its test seen to fail; *operators*, small changes of escrow, vouchers and stakes, of \
                 which a test has to notice each, or `contracts/tools/survivors.json` says why not."
            }
        }
    }
}

/// Makes the runs, and writes each one's evidence when all its parts are done.
///
/// # Errors
///
/// If a part fails; the parts before it are kept for the next time.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let runs = if options.names.is_empty() { Run::value_variants() } else { &options.names };
    let commit = workspace.commit()?;
    for &run in runs {
        let kept = Kept { workspace, folder: format!("full/{commit}/{}", run.name()) };
        // What stands in a changed tree has no name to keep it under.
        if options.again || commit.ends_with("-dirty") {
            forget(&workspace.kept(&kept.folder))?;
            if matches!(run, Run::Film | Run::Draft) {
                forget(&workspace.home(&commit))?;
            }
        }
        let parts = match run {
            Run::Film => pieces(workspace, &commit, "film", &kept)?,
            Run::Draft => pieces(workspace, &commit, "draft", &kept)?,
            Run::Kernel => kernel(workspace, &kept)?,
            Run::Bounds => bounds(workspace, &kept)?,
            Run::Tiles => tiles(workspace, &kept)?,
            Run::Fuzz => fuzz(workspace, &kept)?,
            Run::Sweep => sweeps(workspace, &commit, &kept)?,
            Run::Wasm => under_wasm(workspace, &kept)?,
            Run::Gallery => vec![
                kept.or_measure("wall", || gallery::measure::wall(workspace))?,
                kept.or_measure("making", || gallery::measure::making(workspace))?,
            ],
            Run::Contracts => long_checks_of_contracts(workspace, &kept)?,
        };
        let evidence = Evidence {
            name: run.name().to_owned(),
            about: run.about().to_owned(),
            command: format!("cargo xtask full {}", run.name()),
            commit: commit.clone(),
            machine: Machine::this(),
            parts,
        };
        evidence.write(workspace)?;
        eprintln!("wrote docs/evidence/{}.md", run.name());
    }
    Ok(())
}

/// Where the parts of one run at one commit are kept.
#[derive(Debug)]
struct Kept<'a> {
    workspace: &'a Workspace,
    folder: String,
}

impl Kept<'_> {
    /// The part as it was measured before, or as it is measured now.
    fn or_measure(&self, name: &str, measure: impl FnOnce() -> Result<Vec<Figure>>) -> Result<Part> {
        let file = self.workspace.kept(&self.folder).join(format!("{}.json", name.replace(['/', ':'], "_")));
        if let Some(part) = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            eprintln!("=== {name}: done at this commit");
            return Ok(part);
        }
        eprintln!("\n=== {name}");
        let mut figures: Vec<Figure> = load().map(|load| Figure::number("load before", load)).into_iter().collect();
        figures.extend(measure()?);
        let part = Part { name: name.to_owned(), figures };
        let json = serde_json::to_vec_pretty(&part).into_diagnostic().wrap_err("figures that JSON cannot hold")?;
        write_atomically(&file, &json)?;
        Ok(part)
    }
}

fn forget(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).into_diagnostic().wrap_err_with(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The pieces that the README shows, in the home that `cargo xtask images` takes its pictures from.
fn pieces(workspace: &Workspace, commit: &str, quality: &str, kept: &Kept<'_>) -> Result<Vec<Part>> {
    let studio = Studio::build(workspace, &workspace.home(commit))?;
    let seeds = images::pieces(workspace)?;
    let missing = |scenario: &Scenario| !seeds.contains_key(&scenario.name);
    if let Some(scenario) = studio.scenarios()?.into_iter().find(missing) {
        miette::bail!("docs/images/pieces.json has no seed for {}", scenario.name);
    }
    seeds.iter().map(|(name, seed)| kept.or_measure(name, || piece(&studio, name, seed, quality))).collect()
}

fn piece(studio: &Studio, scenario: &str, seed: &str, quality: &str) -> Result<Vec<Figure>> {
    let start = Instant::now();
    let made = studio.make(&[scenario, "--seed", seed, "--quality", quality])?;
    let whole = start.elapsed();
    if made.reused {
        miette::bail!(help = "--again makes it anew", "the {quality} of {scenario} is there, but not its figures");
    }
    let start = Instant::now();
    let checks = studio.verify(&made.bundle)?;
    let verified = start.elapsed();

    let bytes = fs::metadata(&made.film).into_diagnostic().wrap_err("the film is gone")?.len();
    let Made { recipe_cid, seed, world_id, sim_root, bundle_cid, stages, .. } = made;
    let mut figures: Vec<Figure> =
        stages.into_iter().map(|(stage, seconds)| Figure::number(format!("{stage}, s"), seconds)).collect();
    figures.extend([
        Figure::number("make, s", whole.as_secs_f64()),
        Figure::number("verify, s", verified.as_secs_f64()),
        // Counts of checks are small and films far below 2^53 bytes: both are exact.
        Figure::number("checks passed", checks as f64),
        Figure::number("film, MB", bytes as f64 / 1e6),
        Figure::text("seed", seed),
        Figure::text("recipe", recipe_cid),
        Figure::text("world", world_id),
        Figure::text("sim_root", sim_root),
        Figure::text("bundle", bundle_cid),
    ]);
    Ok(figures)
}

fn fuzz(workspace: &Workspace, kept: &Kept<'_>) -> Result<Vec<Part>> {
    let fuzzers = Fuzzers::build(workspace)?;
    fuzz::each(|target| {
        kept.or_measure(target, || {
            // Outside of the clone: only what a person chose is committed.
            let found = workspace.kept("fuzz/found").join(target);
            Ok(fuzzers.run(target, &found, FUZZ_SECONDS)?.figures(FUZZ_SECONDS))
        })
    })
}

/// Scenarios, the tiles that are to be judged of each, 30,000 in all, and parameters that make its worlds small. What takes
/// a software device longest has the fewest.
const TILES: [(&str, &str, &[&str]); 4] = [
    ("bloom", "11000", &["arms=8", "rings=6"]),
    ("tempest", "11000", &["detail=4"]),
    ("flood", "2500", &["coarse=4"]),
    ("plunge", "5500", &["coarse=4"]),
];

/// What `render/examples/tiles.rs` prints.
#[derive(Debug, Deserialize)]
struct Judged {
    worlds: u32,
    frames: u32,
    device: String,
    /// Judged, refused, silent, and thousandths apart.
    counts: BTreeMap<String, [u32; 4]>,
}

fn tiles(workspace: &Workspace, kept: &Kept<'_>) -> Result<Vec<Part>> {
    let part = |(scenario, tiles, small): (&str, &str, &[&str])| {
        kept.or_measure(scenario, || {
            let start = Instant::now();
            let mut command = workspace.cargo("run");
            command.args(["--release", "--quiet", "--package", "seedstorm-render", "--features", "gpu"]);
            command.args(["--example", "tiles", "--", scenario, tiles, "4"]).args(small);
            let printed = process::capture(setup::demand_software_gpu(&mut command)?)?;
            let line = printed.lines().last().unwrap_or_default();
            let judged: Judged = serde_json::from_str(line).into_diagnostic().wrap_err("no counts of tiles")?;
            let mut figures = vec![
                Figure::text("device", judged.device),
                Figure::number("worlds", judged.worlds.into()),
                Figure::number("frames", judged.frames.into()),
            ];
            for (claim, [spoke, refused, silent, apart]) in judged.counts {
                let honest = claim == "honest";
                if if honest { refused > 0 } else { f64::from(refused) < 0.99 * f64::from(spoke) } {
                    miette::bail!("{scenario}, {claim}: {refused} of {spoke} tiles refused");
                }
                figures.push(Figure::text(format!("{claim}: refused"), format!("{refused} of {spoke}")));
                figures.push(Figure::number(format!("{claim}: silent"), silent.into()));
                if honest {
                    figures.push(Figure::number("apart", f64::from(apart) / 1000.0));
                }
            }
            figures.push(Figure::number("it took, s", start.elapsed().as_secs_f64()));
            Ok(figures)
        })
    };
    TILES.into_iter().map(part).collect()
}

fn sweeps(workspace: &Workspace, commit: &str, kept: &Kept<'_>) -> Result<Vec<Part>> {
    let mut parts = vec![
        kept.or_measure("one job and two", || sweep::compared(workspace))?,
        kept.or_measure("ten thousand seeds", || sweep::many(workspace))?,
    ];
    for Scenario { name, .. } in Studio::build(workspace, &workspace.home(commit))?.scenarios()? {
        parts.push(kept.or_measure(&format!("census of {name}"), || sweep::census(workspace, &name))?);
    }
    Ok(parts)
}

fn kernel(workspace: &Workspace, kept: &Kept<'_>) -> Result<Vec<Part>> {
    // The workspace's features, so that nothing is compiled for this alone.
    let test = |arguments: &[&str]| {
        let mut command = workspace.cargo("test");
        command.args(["--workspace", "--release", "--test", KERNEL_TESTS, "--"]).args(arguments);
        command
    };
    let listing = process::capture(&mut test(&["--list", "--format=terse"]))?;
    let names = listed_tests(&listing);
    if names.is_empty() {
        miette::bail!("the test target {KERNEL_TESTS} has no test");
    }
    let run = |name: &str| {
        kept.or_measure(name, || {
            let start = Instant::now();
            process::run(setup::demand_software_gpu(&mut test(&[
                "--include-ignored",
                "--nocapture",
                "--exact",
                name,
            ]))?)?;
            Ok(vec![Figure::number("test, s", start.elapsed().as_secs_f64())])
        })
    };
    let mut parts = names.into_iter().map(run).collect::<Result<Vec<Part>>>()?;
    parts.push(kept.or_measure(LAW_TESTS, || {
        let mut command = workspace.cargo("test");
        command.args(["--workspace", "--release", "--test", LAW_TESTS, "--", "--nocapture", "--test-threads", "1"]);
        let said = process::capture(setup::demand_software_gpu(&mut command)?)?;
        let measured = measured(&said);
        if measured.is_empty() {
            miette::bail!("the test target {LAW_TESTS} measured nothing");
        }
        Ok(vec![Figure::text("measured", measured.join("; "))])
    })?);
    Ok(parts)
}

fn bounds(workspace: &Workspace, kept: &Kept<'_>) -> Result<Vec<Part>> {
    let part = kept.or_measure("bounds", || {
        let start = Instant::now();
        let mut test = workspace.cargo("test");
        test.args(["--package", "seedstorm-sim", "--no-default-features", "--test", "bounds", "--", "--nocapture"]);
        let said = process::capture(test.env("SEEDSTORM_BOUNDS", "100x10000"))?;
        let measured = measured(&said);
        if measured.is_empty() {
            miette::bail!("the bounds measured nothing");
        }
        Ok(vec![
            Figure::number("test, s", start.elapsed().as_secs_f64()),
            Figure::text("measured", measured.join("; ")),
        ])
    })?;
    Ok(vec![part])
}

/// What tests said that they measured.
fn measured(said: &str) -> Vec<&str> {
    said.lines().filter_map(|line| line.split_once("measured: ")).map(|(_, found)| found).collect()
}

/// Golden rows and whole worlds, in every host.
fn under_wasm(workspace: &Workspace, kept: &Kept<'_>) -> Result<Vec<Part>> {
    const HOSTS: [(Host, &str); 2] = [(Host::Node, "Node, s"), (Host::Browser, "browser, s")];
    let module = wasm::build(workspace)?;
    let mut parts = vec![kept.or_measure("golden rows", || {
        let mut figures = Vec::new();
        for (host, name) in HOSTS {
            let start = Instant::now();
            wasm::golden(workspace, host, &module)?;
            figures.push(Figure::number(name, start.elapsed().as_secs_f64()));
        }
        figures.extend(wasm::versions());
        Ok(figures)
    })?];
    for (scenario, seed) in &images::pieces(workspace)? {
        parts.push(kept.or_measure(scenario, || {
            let native = wasm::prove_natively(workspace, scenario, seed)?;
            let mut figures = vec![Figure::number("native, s", native.seconds)];
            for (host, name) in HOSTS {
                let found = wasm::prove(workspace, host, &module, scenario, seed)?;
                if found.proof != native.proof {
                    miette::bail!("{name}: {scenario} is {}, and not {}", found.proof, native.proof);
                }
                figures.push(Figure::number(name, found.seconds));
            }
            figures.extend(native.figures());
            Ok(figures)
        })?);
    }
    Ok(parts)
}

fn long_checks_of_contracts(workspace: &Workspace, kept: &Kept<'_>) -> Result<Vec<Part>> {
    let run = |name: &&str| {
        kept.or_measure(name, || {
            let start = Instant::now();
            let found = contracts::long_check(workspace, name)?;
            Ok(vec![Figure::number("it took, s", start.elapsed().as_secs_f64()), Figure::text("found", found)])
        })
    };
    contracts::LONG_CHECKS.iter().map(run).collect()
}

/// The names in what `--list --format=terse` prints: `path::of::test: test`.
fn listed_tests(listing: &str) -> Vec<&str> {
    listing.lines().filter_map(|line| line.strip_suffix(": test")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_of_tests() {
        assert_eq!(listed_tests("small: test\nfull::wide: test\nspeed: benchmark\n"), ["small", "full::wide"]);
        assert!(listed_tests("").is_empty());
    }
}
