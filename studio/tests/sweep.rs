//! Sweeps, through the built binary: the same table for any number of jobs, and nothing done twice.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seedstorm"));
    command.args(arguments).env("SEEDSTORM_HOME", home).env_remove("SEEDSTORM_PASSWORD");
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    command(home, arguments).output().unwrap()
}

fn json(home: &Path, arguments: &[&str]) -> Value {
    let output = run(home, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A sweep of small flowers: a tenth of a second each.
const SMALL: [&str; 8] = ["sweep", "bloom", "--seeds", "3..9", "--param", "arms=6", "--param", "rings=3..5:2"];

#[test]
fn the_table_is_the_same_for_any_number_of_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (one, two) = (at("one.csv"), at("two.csv"));
    let sheet = at("sheet.png");
    let rest = ["--top", "3", "--csv"];
    let first = json(&at("a"), &[&SMALL[..], &rest, &[one.to_str().unwrap(), "--jobs", "1"]].concat());
    let outputs = [two.to_str().unwrap(), "--jobs", "2", "--sheet", sheet.to_str().unwrap(), "--mint-top", "1"];
    let second = json(&at("b"), &[&SMALL[..], &rest, &outputs].concat());
    let table = fs::read_to_string(&one).unwrap();
    assert_eq!(table, fs::read_to_string(&two).unwrap());
    assert_eq!(first["pieces"], 12);
    let seeds: Vec<&str> = table.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(seeds, ["3", "3", "4", "4", "5", "5", "6", "6", "7", "7", "8", "8"]);
    assert!(table.starts_with("seed,rings,form,"), "{table}");

    let top = first["top"].as_array().unwrap();
    assert_eq!(top.len(), 3);
    let scores: Vec<f64> = top.iter().map(|ranked| ranked["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    for (a, b) in top.iter().zip(second["top"].as_array().unwrap()) {
        assert_eq!((&a["seed"], &a["params"], &a["score"]), (&b["seed"], &b["params"], &b["score"]));
    }
    assert_eq!(second["top"][0]["token"], 1);
    let picture = seedstorm_render::image_file::decode_png(&fs::read(&sheet).unwrap()).unwrap();
    assert_eq!((picture.width, picture.height), (2 * 276 + 20, 2 * 344 + 20));

    // Again, nothing is left to do.
    let again = json(&at("a"), &[&SMALL[..], &["--top", "3"]].concat());
    assert_eq!((&again["resumed"], &again["top"]), (&first["pieces"], &first["top"]));
}

/// What surprises is measured against all pieces: how many are shown changes neither scores nor their order.
#[test]
fn surprise_does_not_depend_on_how_many_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let top = |count: &str| json(folder.path(), &[&SMALL[..], &["--top", count]].concat())["top"].clone();
    let (two, six) = (top("2"), top("6"));
    let (two, six) = (two.as_array().unwrap(), six.as_array().unwrap());
    assert_eq!((two.len(), six.len()), (2, 6));
    assert_eq!(two[..], six[..2]);
}

#[test]
fn a_killed_sweep_repeats_no_finished_seed() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let sweep = ["sweep", "bloom", "--seeds", "0..60", "--param", "arms=9", "--param", "rings=8", "--top", "0"];
    let mut child = command(&home, &sweep).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let looks = || {
        let folder = fs::read_dir(home.join("sweeps")).ok()?.next()?.ok()?.path();
        fs::read(folder.join("looks.bin")).ok()
    };
    let written = || looks().map_or(0, |bytes| bytes.chunks(40).filter(|r| r.iter().any(|byte| *byte != 0)).count());
    while written() < 5 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let finished = written();
    let resumed = json(&home, &sweep);
    assert_eq!(resumed["pieces"], 60);
    assert_eq!(resumed["resumed"].as_u64().unwrap(), finished as u64, "{resumed}");
    assert!(finished < 60, "it was killed at work");
}

#[cfg(unix)]
#[test]
fn two_sweeps_at_once_are_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let sweep = ["sweep", "bloom", "--seeds", "0..60", "--param", "arms=9", "--param", "rings=8", "--top", "0"];
    let mut first = command(&home, &sweep).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !fs::read_dir(home.join("sweeps")).is_ok_and(|mut all| all.next().is_some()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(50));
    let second = run(&home, &sweep);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(first.try_wait().unwrap().is_none(), "the first is at work");
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("another process is at work on this") && said.contains("wait for it"), "{said}");
}

#[test]
fn wrong_sweeps_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], word: &str| {
        let output = run(folder.path(), arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(word), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty());
    };
    refused(&["sweep", "bloom", "--seeds", "5..5"], "excluded");
    refused(&["sweep", "bloom", "--seeds", "5"], "A..B");
    refused(&["sweep", "bloom", "--seeds", "0..99999999999"], "at most");
    refused(&["sweep", "flower", "--seeds", "0..2"], "flower");
    refused(&["sweep", "bloom", "--seeds", "0..2", "--param", "arms=5..900:3"], "arms");
    refused(&["sweep", "bloom", "--seeds", "0..2", "--param", "arms=5..9:3", "--param", "arms=5"], "twice");
    refused(&["sweep", "bloom", "--seeds", "0..2", "--top", "0", "--sheet", "x.png"], "--top");
    refused(&["sweep", "bloom", "--seeds", "0..2", "--rank", "beauty"], "energy");
    refused(&["sweep", "bloom", "--seeds", "0..2", "--param", "arms=60..90:0"], "COUNT");
    refused(&["sweep", "bloom", "--seeds", "0..2", "--param", "arms=9..5:3"], "LOW..HIGH");
    refused(&["sweep", "bloom", "--seeds", "0..2", "--sheet", "x.jpg"], ".png");
}

#[test]
fn the_machine_the_census_and_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let doctor = json(&home, &["doctor"]);
    assert!(doctor["cores"].as_u64().unwrap() > 0);
    assert!(doctor["adapters"].is_array() && doctor["advice"].is_array());
    let census = json(&home, &["census", "tempest", "--seeds", "500"]);
    assert_eq!(census["traits"][0]["name"], "motion");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&home, &["completions", shell]);
        assert!(script.status.success() && String::from_utf8_lossy(&script.stdout).contains("export-car"), "{shell}");
    }
    let pages = folder.path().join("man");
    assert!(run(&home, &["man", pages.to_str().unwrap()]).status.success());
    let page = fs::read_to_string(pages.join("seedstorm-sweep.1")).unwrap();
    assert!(page.contains("excluded"));
}
