//! Every check of the workspace, as named steps.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use miette::Result;

use crate::summary::{Row, Summary, Verdict};
use crate::workspace::Workspace;
use crate::{contracts, deny, fuzz, gallery, peers, process, setup, studio, wasm};

/// What to check, and what to do when a check fails.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Go on with the other steps when one fails
    #[arg(long)]
    keep_going: bool,
    /// Print the names of the steps instead of running them
    #[arg(long)]
    list: bool,
    /// The steps to run, in this order; all of them if none is named
    steps: Vec<Step>,
}

/// A step, in the order in which all of them run: what is cheap comes before what takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Installs what a bare machine lacks: Mesa's software Vulkan, the npm packages, cargo-deny, cargo-fuzz
    Setup,
    /// Rust sources are formatted
    Fmt,
    /// Licences, sources and versions of the crates are those that deny.toml allows
    Deny,
    /// Contracts are formatted, compile without a warning, pass their tests and cost the recorded gas
    Forge,
    /// Slither finds nothing above low in the contracts that is not explained
    Slither,
    /// The committed contract artifacts come from the contracts' sources
    Artifacts,
    /// The committed CIDs are those of an independent IPFS implementation
    Cids,
    /// No lint of rustc or clippy, in any target
    Clippy,
    /// Every target compiles in the release profile
    Build,
    /// Unit, integration and documentation tests, with GPU tests on software Vulkan
    Test,
    /// With every assertion, and without the GPU feature, simulations have the same digests and keep their bounds
    DebugGolden,
    /// Under WebAssembly, in Node, simulations have the same digests
    Wasm,
    /// A Cornell box is what Mitsuba 3 draws, region by region
    Mitsuba,
    /// With Intel's denoiser built in, pictures of few samples come near those of many
    Oidn,
    /// Documentation builds without a warning
    Doc,
    /// The built binary makes a short draft of each scenario, mints it and verifies it
    Make,
    /// The gallery is used by scripts under Xvfb: a piece is made, minted, verified and tampered with, and the app is killed
    Gallery,
    /// Parsers of foreign bytes are fuzzed, a minute each
    Fuzz,
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn about(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }

    /// Runs the check; on success, says what a reader should know beside that.
    fn run(self, workspace: &Workspace) -> Result<String> {
        let silent = |()| String::new();
        match self {
            Self::Setup => setup::run(workspace).map(silent),
            Self::Fmt => {
                // `cargo fmt` does not know `--locked`: it resolves nothing.
                let mut fmt = Command::new("cargo");
                process::run(fmt.current_dir(workspace.path("")).args(["fmt", "--all", "--check"])).map(silent)
            }
            Self::Deny => deny::run(workspace),
            Self::Forge => contracts::check(workspace).map(silent),
            Self::Slither => contracts::check_slither(workspace).map(silent),
            Self::Artifacts => contracts::check_artifacts(workspace).map(silent),
            Self::Cids => contracts::check_cids(workspace).map(silent),
            Self::Clippy => {
                let mut clippy = workspace.cargo("clippy");
                clippy.args(["--workspace", "--all-targets", "--release", "--", "-D", "warnings"]);
                process::run(&mut clippy).map(silent)
            }
            Self::Build => workspace.build().map(|_| String::new()),
            Self::Test => {
                let mut test = workspace.cargo("test");
                test.args(["--workspace", "--release"]);
                process::run(setup::demand_software_gpu(&mut test)?).map(silent)
            }
            Self::DebugGolden => {
                let mut test = workspace.cargo("test");
                let tests = ["--test", "golden", "--test", "bounds"];
                test.args(["--package", "seedstorm-sim", "--no-default-features"]).args(tests);
                process::run(&mut test).map(silent)
            }
            Self::Wasm => wasm::check(workspace).map(silent),
            Self::Mitsuba => peers::check_mitsuba(workspace),
            Self::Oidn => {
                let Some(folder) = setup::oidn(workspace)? else {
                    return Ok("its library is fetched for Linux on x86-64 only".into());
                };
                let cargo = |command: &str| {
                    let mut cargo = workspace.cargo(command);
                    cargo.args(["--package", "seedstorm-studio", "--release", "--features", "oidn"]);
                    cargo.env("OIDN_DIR", &folder);
                    cargo
                };
                let sources = ["--package", "seedstorm-render", "--all-targets", "--", "-D", "warnings"];
                process::run(cargo("clippy").args(sources))?;
                process::run(cargo("test").args(["--test", "oidn"]))
                    .map(|()| format!("library in {}", folder.join("lib").display()))
            }
            Self::Doc => {
                let mut doc = workspace.cargo("doc");
                process::run(doc.args(["--workspace", "--no-deps", "--release"]).env("RUSTDOCFLAGS", "-D warnings"))
                    .map(silent)
            }
            Self::Make => studio::make_and_verify_drafts(workspace),
            Self::Gallery => gallery::check(workspace),
            Self::Fuzz => fuzz::check(workspace),
        }
    }
}

/// Runs the steps and prints a table of how they ended.
///
/// The exit code is 0 only if every step that was asked for passed.
///
/// # Errors
///
/// None of its own: a step that fails is a row of the table.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    if options.list {
        for step in Step::value_variants() {
            println!("{:12}  {}", step.name(), step.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let steps = if options.steps.is_empty() { Step::value_variants() } else { &options.steps };
    let summary = run_each(steps, options.keep_going, |step| step.run(workspace));
    println!("\n{summary}");
    Ok(if summary.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_each(steps: &[Step], keep_going: bool, run: impl Fn(Step) -> Result<String>) -> Summary {
    let mut summary = Summary::default();
    for &step in steps {
        if !keep_going && !summary.passed() {
            let (verdict, note) = (Verdict::Skipped, String::new());
            summary.rows.push(Row { step: step.name(), verdict, took: Duration::ZERO, note });
            continue;
        }
        eprintln!("\n=== {}: {}", step.name(), step.about());
        let start = Instant::now();
        let result = run(step);
        let took = start.elapsed();
        let (verdict, note) = match result {
            Ok(note) => (Verdict::Passed, note),
            Err(report) => {
                eprintln!("{report:?}");
                // The table has one line for it; the whole report stands above.
                let headline = report.to_string().lines().next().unwrap_or_default().to_owned();
                (Verdict::Failed, headline)
            }
        };
        eprintln!("=== {}: {verdict:?} after {:.1} s", step.name(), took.as_secs_f64());
        summary.rows.push(Row { step: step.name(), verdict, took, note });
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails_at(bad: Step) -> impl Fn(Step) -> Result<String> {
        move |step| if step == bad { Err(miette::miette!("broken\nin detail")) } else { Ok("fine".to_owned()) }
    }

    fn verdicts(summary: &Summary) -> Vec<(&str, Verdict, &str)> {
        summary.rows.iter().map(|row| (row.step.as_str(), row.verdict.clone(), row.note.as_str())).collect()
    }

    #[test]
    fn a_failure_stops_the_run() {
        let summary = run_each(&[Step::Fmt, Step::DebugGolden, Step::Doc], false, fails_at(Step::DebugGolden));
        let expected = [
            ("fmt", Verdict::Passed, "fine"),
            ("debug-golden", Verdict::Failed, "broken"),
            ("doc", Verdict::Skipped, ""),
        ];
        assert_eq!(verdicts(&summary), expected);
    }

    #[test]
    fn keep_going_reaches_every_step() {
        let summary = run_each(&[Step::Fmt, Step::Doc], true, fails_at(Step::Fmt));
        assert_eq!(verdicts(&summary), [("fmt", Verdict::Failed, "broken"), ("doc", Verdict::Passed, "fine")]);
        assert!(!summary.passed());
    }

    #[test]
    fn every_step_says_what_it_is_for() {
        for step in Step::value_variants() {
            assert!(step.about().len() > 10, "{step:?}");
        }
    }
}
