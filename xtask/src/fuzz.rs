//! The fuzz targets of `fuzz/`: built by `cargo-fuzz`, run for a while each, as many at once as there are cores.
//!
//! They are built without a sanitizer: every parser is safe Rust, so what there is to find are panics, overflows (checks
//! for them are on) and wrong answers, and without one inputs run several times as fast. libFuzzer's coverage needs
//! unstable flags of rustc, which a stable one takes under `RUSTC_BOOTSTRAP=1`; on x86-64 Linux it takes
//! `-Zsanitizer=address` that way too, and has the runtime for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};

use crate::evidence::Figure;
use crate::workspace::Workspace;
use crate::{machine, process, setup};

/// The targets, with the longest input that is tried, in bytes. The slowest come first, so that none runs alone at last.
pub(crate) const TARGETS: [(&str, u32); 8] = [
    ("checkpoint", 4096),
    ("chain", 65_536),
    ("car", 8192),
    ("keystore", 2048),
    ("scene", 8192),
    ("trajectory", 4096),
    ("metadata", 4096),
    ("recipe", 4096),
];

/// Seconds that each target runs in CI.
const CI_SECONDS: u64 = 60;

/// Memory that a target may use, in MiB, and seconds that one input may take.
const MAX_MEMORY_MB: u32 = 2048;
const MAX_SECONDS: u32 = 20;

/// The built targets.
#[derive(Debug)]
pub(crate) struct Fuzzers<'a> {
    workspace: &'a Workspace,
    programs: PathBuf,
}

/// What a run of one target did.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    executions: u64,
    peak_memory_mb: u64,
    slowest_seconds: u64,
    /// Inputs that were kept, from the committed corpus and found.
    corpus: u64,
    /// Edges of the control flow that were reached.
    coverage: u64,
}

/// Builds the targets, and runs each for a minute from the committed corpus; what is found on the way is forgotten.
///
/// # Errors
///
/// If something does not compile, or an input makes a target fail.
pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    if cfg!(windows) {
        return Ok("not run: there is no libFuzzer here".to_owned());
    }
    let fuzzers = Fuzzers::build(workspace)?;
    let found = tempfile::tempdir().into_diagnostic().wrap_err("cannot make a temporary folder")?;
    let outcomes = each(|target| fuzzers.run(target, &found.path().join(target), CI_SECONDS))?;
    let executions: u64 = outcomes.iter().map(|outcome| outcome.executions).sum();
    Ok(format!("{} targets, {CI_SECONDS} s each, {:.1} million inputs", TARGETS.len(), executions as f64 / 1e6))
}

/// Calls `run` with every target's name, as many at once as there are cores; all of them, even if one fails.
///
/// # Errors
///
/// Of the targets that fail, the first in their order.
pub(crate) fn each<T: Send>(run: impl Fn(&str) -> Result<T> + Sync) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(TARGETS.len()) {
            scope.spawn(|| {
                while let Some((target, _)) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = run(target);
                    if let Err(report) = &result {
                        eprintln!("{report:?}");
                    }
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((*target, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(name, _)| TARGETS.iter().position(|(target, _)| target == name));
    results.into_iter().map(|(_, result)| result).collect()
}

impl<'a> Fuzzers<'a> {
    /// Builds all targets.
    ///
    /// # Errors
    ///
    /// If `cargo-fuzz` or a target does not compile, or the lock file is not up to date.
    pub(crate) fn build(workspace: &'a Workspace) -> Result<Self> {
        let cargo_fuzz = setup::cargo_fuzz(workspace)?;
        // `cargo fuzz` has no `--locked`.
        let mut metadata = Command::new("cargo");
        metadata.current_dir(workspace.path("fuzz")).args(["metadata", "--locked", "--format-version=1"]);
        if process::ask(&mut metadata).is_none() {
            bail!(help = "`cargo metadata` in fuzz/ writes it", "fuzz/Cargo.lock is not up to date");
        }
        let host = machine::host()?;
        let target = workspace.built("fuzz");
        process::run(
            Command::new(&cargo_fuzz)
                .current_dir(workspace.path(""))
                .args(["build", "--sanitizer=none", "--target"])
                .arg(&host)
                .arg("--target-dir")
                .arg(&target)
                .env("RUSTC_BOOTSTRAP", "1")
                .env_remove("CARGO_TARGET_DIR"),
        )?;
        Ok(Self { workspace, programs: target.join(host).join("release") })
    }

    /// Runs a target for so many seconds; inputs that reach something new go to the folder `found`.
    ///
    /// # Errors
    ///
    /// If an input makes it fail: the report says where the input is and how to run it again.
    pub(crate) fn run(&self, target: &str, found: &Path, seconds: u64) -> Result<Outcome> {
        let longest = TARGETS.iter().find(|(name, _)| *name == target).map_or(4096, |(_, longest)| *longest);
        let kept = self.workspace.kept("fuzz");
        let make = |folder: &Path| {
            fs::create_dir_all(folder).into_diagnostic().wrap_err_with(|| format!("cannot make {}", folder.display()))
        };
        make(found)?;
        make(&kept)?;
        let artifacts = kept.join(format!("{target}-"));
        let mut command = Command::new(self.programs.join(target));
        command
            .arg(found)
            .arg(self.workspace.path("fuzz/corpus").join(target))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={longest}"))
            .arg(format!("-rss_limit_mb={MAX_MEMORY_MB}"))
            .arg(format!("-timeout={MAX_SECONDS}"))
            .arg(format!("-artifact_prefix={}", artifacts.display()))
            .args(["-print_final_stats=1", "-use_value_profile=1"])
            // One thread a target: as many targets run at once as there are cores.
            .env("RAYON_NUM_THREADS", "1");
        let dictionary = self.workspace.path(format!("fuzz/dictionaries/{target}.dict"));
        if dictionary.is_file() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        eprintln!("$ {}", process::line(&command));
        let output = command
            .stdin(Stdio::null())
            .output()
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot start the fuzz target {target}"))?;
        let log = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(self.failure(target, &log));
        }
        outcome(&log).ok_or_else(|| miette!("the fuzz target {target} ended without its figures:\n{}", tail(&log)))
    }

    fn failure(&self, target: &str, log: &str) -> miette::Report {
        let artifact =
            log.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path.trim()));
        let place = artifact.unwrap_or("ARTIFACT");
        miette!(
            help = format!(
                "run it again: RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer=none --target-dir {} {target} {place}\n\
                 mend the parser, and keep the input as fuzz/corpus/{target}/found-WHAT, named for the bug",
                self.workspace.built("fuzz").display()
            ),
            "the fuzz target {target} failed on the input {place}:\n{}",
            tail(log)
        )
    }
}

impl Outcome {
    /// What the evidence shows.
    pub(crate) fn figures(&self, seconds: u64) -> Vec<Figure> {
        // Counts that a run of minutes reaches are far below 2^53.
        vec![
            Figure::number("s", seconds as f64),
            Figure::number("executions", self.executions as f64),
            Figure::number("executions a second", (self.executions / seconds.max(1)) as f64),
            Figure::number("slowest input, s", self.slowest_seconds as f64),
            Figure::number("peak memory, MiB", self.peak_memory_mb as f64),
            Figure::number("corpus, inputs", self.corpus as f64),
            Figure::number("coverage, edges", self.coverage as f64),
        ]
    }
}

/// What libFuzzer prints at the end: `stat::name: number` lines, and before them `DONE cov: 1 ft: 2 corp: 3/4Kb …`.
fn outcome(log: &str) -> Option<Outcome> {
    let number = |word: &str| -> Option<u64> {
        word.trim().chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    let stat = |name: &str| {
        log.lines().find_map(|line| number(line.trim().strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':')?))
    };
    let done = log.lines().rev().find(|line| line.contains("DONE"))?;
    let after = |name: &str| done.split_once(name).and_then(|(_, rest)| number(rest));
    Some(Outcome {
        executions: stat("number_of_executed_units")?,
        peak_memory_mb: stat("peak_rss_mb")?,
        slowest_seconds: stat("slowest_unit_time_sec")?,
        corpus: after("corp:")?,
        coverage: after("cov:")?,
    })
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_log() {
        let log = "INFO: Seed: 1\n#99\tDONE   cov: 1361 ft: 5210 corp: 388/71Kb lim: 4096 exec/s: 9 rss: 61Mb\n\
                   Done 99 runs in 11 second(s)\nstat::number_of_executed_units: 99\n\
                   stat::average_exec_per_sec:     9\nstat::new_units_added:          3\n\
                   stat::slowest_unit_time_sec:    0\nstat::peak_rss_mb:              61\n";
        let expected = Outcome { executions: 99, peak_memory_mb: 61, slowest_seconds: 0, corpus: 388, coverage: 1361 };
        assert_eq!(outcome(log), Some(expected));
        assert_eq!(outcome("==1== ERROR: libFuzzer: deadly signal\n"), None);
    }

    #[test]
    fn every_target_runs_even_if_one_fails() {
        let ran = AtomicUsize::new(0);
        let result = each(|target| {
            ran.fetch_add(1, Ordering::Relaxed);
            if target == "car" { Err(miette!("{target} fails")) } else { Ok(()) }
        });
        assert_eq!(ran.into_inner(), TARGETS.len());
        assert_eq!(result.expect_err("one failed").to_string(), "car fails");
    }
}
