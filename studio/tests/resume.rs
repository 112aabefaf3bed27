//! A piece whose maker is killed, again and again, comes out as if nothing had happened.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use seedstorm_mint::Store;
use seedstorm_sim::{Backend, Film, Recipe, Seed, random::Stream, recipe::ParamValue};
use seedstorm_studio::{Home, Observer, Stage, ledger::Ledger, make, make::Options};
use serde_json::Value;

/// A world and a film that take a few seconds.
fn recipe() -> Recipe {
    let film = Film { frames: 24, width: 160, height: 160, samples: 4, ..Film::DRAFT };
    let mut recipe = Recipe::new("tempest@1", Seed::from(3), film).unwrap();
    recipe.params.insert("detail".into(), ParamValue::Number(6.0));
    recipe
}

fn command(home: &Path, recipe: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seedstorm"));
    command.args(["make", recipe.to_str().unwrap(), "--backend", "cpu", "--json"]);
    command.env("SEEDSTORM_HOME", home).env_remove("SEEDSTORM_PASSWORD");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finished(home: &Path, recipe: &Path) -> Value {
    let output = command(home, recipe).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn nothing_is_left_over(home: &Path) {
    let store = Store::open(home.join("store")).unwrap();
    assert_eq!(store.remove_unpinned(Duration::ZERO).unwrap(), 0, "blocks that nothing leads to");
    let unfinished = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with('.');
    for part in ["store", "bundles", "making"] {
        assert_eq!(files(&home.join(part)).into_iter().find(unfinished), None);
    }
    assert!(files(&home.join("making")).iter().all(|path| path.extension().is_some_and(|e| e == "lock")));
    assert_eq!(Ledger::read(&Home::open(home).unwrap()).unwrap().tokens().unwrap().len(), 1, "one token");
}

#[test]
fn ten_kills_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let recipe_path = folder.path().join("piece.json");
    fs::write(&recipe_path, recipe().canonical()).unwrap();
    let start = Instant::now();
    let undisturbed = finished(&folder.path().join("undisturbed"), &recipe_path);
    let whole = start.elapsed();

    let home = folder.path().join("killed");
    let moments = Stream::new(&Seed::from(1), "kills");
    for attempt in 0..10 {
        // Each run gets a tenth of the work further, give or take, so that all ten are killed at work.
        let wait = whole.mul_f64(moments.between(attempt, 0, 0.01, 0.12));
        let mut child = command(&home, &recipe_path).spawn().unwrap();
        std::thread::sleep(wait);
        assert!(child.try_wait().unwrap().is_none(), "it was done before kill {attempt}, after {wait:?} of {whole:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = finished(&home, &recipe_path);
    assert_same(&resumed, &undisturbed);
    nothing_is_left_over(&home);
}

fn assert_same(one: &Value, other: &Value) {
    for name in ["recipe_cid", "world_id", "sim_root", "bundle_cid", "metadata_cid", "token"] {
        assert_eq!(one[name], other[name], "{name}");
    }
}

/// Whoever can write to the home's folder cannot slip anything into a piece that is in the making.
#[test]
fn what_was_put_among_the_work_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("piece.json"), recipe().canonical()).unwrap();
    let mut foreign = recipe();
    foreign.seed = Seed::from(4);
    fs::write(path("foreign.json"), foreign.canonical()).unwrap();
    let undisturbed = finished(&path("undisturbed"), &path("piece.json"));
    let other = finished(&path("undisturbed"), &path("foreign.json"));

    let home = path("home");
    let mut child = command(&home, &path("piece.json")).spawn().unwrap();
    let piece = home.join("making").join(recipe().cid().to_string()).join("piece");
    while !piece.join("frames/0001.png").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let theirs = PathBuf::from(other["bundle"].as_str().unwrap());
    for name in ["frames/0000.png", "trajectory.bin"] {
        fs::copy(theirs.join(name), piece.join(name)).unwrap();
    }
    fs::copy(theirs.join("frames/0005.png"), piece.join("frames/0005.png")).unwrap();
    // And what would be in the way.
    fs::create_dir_all(piece.join("frames/0007.png")).unwrap();
    fs::write(piece.join("frames/0099.png"), b"one too many").unwrap();
    fs::write(piece.join("run.sh"), b"rm -rf /").unwrap();
    fs::create_dir_all(piece.join("attestations")).unwrap();
    fs::write(piece.join("attestations/x.json"), b"{}").unwrap();
    #[cfg(unix)]
    {
        let elsewhere = path("elsewhere");
        fs::rename(piece.join("frames"), &elsewhere).unwrap();
        let before = files(&elsewhere);
        std::os::unix::fs::symlink(&elsewhere, piece.join("frames")).unwrap();
        let resumed = finished(&home, &path("piece.json"));
        assert_same(&resumed, &undisturbed);
        assert_eq!(files(&elsewhere), before, "a link is not followed");
    }
    #[cfg(not(unix))]
    assert_same(&finished(&home, &path("piece.json")), &undisturbed);
    nothing_is_left_over(&home);
}

/// Where the child of a test ends itself, as suddenly as a kill would.
const ABORT: &str = "SEEDSTORM_TEST_ABORT";
const HOME: &str = "SEEDSTORM_TEST_HOME";

struct Aborting(Option<String>);

impl Aborting {
    fn at(&self, place: &str) {
        if self.0.as_deref() == Some(place) {
            std::process::abort();
        }
    }
}

impl Observer for Aborting {
    fn begin(&self, stage: Stage, _: u64) {
        self.at(&format!("before {}", stage.name()));
    }
    fn reached(&self, _: u64) {}
    fn end(&self, stage: Stage) {
        self.at(&format!("after {}", stage.name()));
    }
}

fn tiny() -> Recipe {
    let film = Film { frames: 2, width: 32, height: 32, samples: 1, ..Film::DRAFT };
    let mut recipe = Recipe::new("bloom@1", Seed::from(4), film).unwrap();
    recipe.params = [("arms", 8.0), ("rings", 4.0)].map(|(n, v)| (n.to_owned(), ParamValue::Number(v))).into();
    recipe
}

/// Not a test of its own: what the test below starts.
#[test]
#[ignore = "the child of another test"]
fn child() {
    let home = Home::open(env::var(HOME).unwrap()).unwrap();
    let options = Options { backend: Backend::Cpu, ..Options::default() };
    make(&home, &tiny(), &options, &Aborting(env::var(ABORT).ok())).unwrap();
}

#[test]
fn killed_between_any_two_stages() {
    let folder = tempfile::tempdir().unwrap();
    let child = |home: &Path, abort: Option<&str>| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "child", "--ignored"]).env(HOME, home).env_remove("SEEDSTORM_PASSWORD");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.envs(abort.map(|place| (ABORT, place)));
        command.status().unwrap().success()
    };
    let bundle = |home: &Path| {
        let folder = home.join("bundles").join(tiny().cid().to_string());
        seedstorm_mint::Bundle::open(folder).unwrap().content_cids().unwrap()
    };
    let undisturbed = folder.path().join("undisturbed");
    assert!(child(&undisturbed, None));
    let places = [
        "before simulate",
        "after simulate",
        "after render",
        "after encode",
        "before pin",
        "before mint",
        "after mint",
    ];
    for place in places {
        let home = folder.path().join(place);
        assert!(!child(&home, Some(place)), "{place}");
        assert!(child(&home, None), "{place}");
        assert_eq!(bundle(&home), bundle(&undisturbed), "{place}");
        nothing_is_left_over(&home);
    }
    // Between the last move and the clearing up there is no stage: what a kill leaves there.
    let left = undisturbed.join("making").join(tiny().cid().to_string());
    fs::create_dir_all(left.join("seals")).unwrap();
    fs::write(left.join("notes.json"), b"{}").unwrap();
    assert!(child(&undisturbed, None));
    nothing_is_left_over(&undisturbed);
}

/// A piece whose folder is lost or spoiled comes back, as it was minted; a recipe is never minted twice.
#[test]
fn a_lost_bundle_comes_back_as_it_was_minted() {
    let folder = tempfile::tempdir().unwrap();
    let (home, path) = (folder.path().join("home"), folder.path().join("piece.json"));
    fs::write(&path, tiny().canonical()).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = command(&home, &path);
        command.args(arguments).output().unwrap()
    };
    let value = |output: std::process::Output| -> Value {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let verified = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedstorm"));
        command.args(["verify", "1", "--json"]).env("SEEDSTORM_HOME", &home).env_remove("SEEDSTORM_PASSWORD");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    };
    let made = value(run(&["--name", "First"]));
    let bundle = PathBuf::from(made["bundle"].as_str().unwrap());

    // Out of the store, in no time.
    fs::remove_dir_all(&bundle).unwrap();
    let again = value(run(&[]));
    assert_eq!(again["reused"], true);
    assert_same(&again, &made);
    verified();

    // Made anew, where the store is damaged too.
    fs::remove_dir_all(&bundle).unwrap();
    let blocks = files(&home.join("store/blocks"));
    let largest = blocks.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    fs::write(largest, b"damaged").unwrap();
    let again = value(run(&[]));
    assert_eq!(again["reused"], false);
    assert_same(&again, &made);
    verified();

    // Under another name it is refused before the work, with a folder and without.
    for gone in [false, true] {
        if gone {
            fs::remove_dir_all(&bundle).unwrap();
        }
        let refused = run(&["--name", "Second"]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("`First`"));
        assert_eq!(bundle.exists(), !gone);
    }
    value(run(&[]));
    nothing_is_left_over(&home);
}

/// Several processes that make one piece, and another one, in one home.
#[test]
fn two_makers_do_not_harm_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let path = folder.path().join("piece.json");
    fs::write(&path, tiny().canonical()).unwrap();
    let makers: Vec<_> = (0..3).map(|_| command(&home, &path).spawn().unwrap()).collect();
    let made: Vec<Value> = makers
        .into_iter()
        .map(|maker| {
            let output = maker.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    for other in &made[1..] {
        assert_eq!((&other["metadata_cid"], &other["token"]), (&made[0]["metadata_cid"], &made[0]["token"]));
    }
    nothing_is_left_over(&home);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_at_a_good_moment() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let path = folder.path().join("piece.json");
    fs::write(&path, recipe().canonical()).unwrap();
    let maker = command(&home, &path).spawn().unwrap();
    let making = home.join("making").join(recipe().cid().to_string());
    while !making.join("piece/frames/0002.png").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &maker.id().to_string()]).status().unwrap().success());
    let output = maker.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("goes on from here"));
    assert!(output.stdout.is_empty());
    // Nothing half-written: every picture is whole, and no temporary file stays.
    let left = files(&home);
    let frames: Vec<_> = left.iter().filter(|path| path.extension().is_some_and(|e| e == "png")).collect();
    assert!(frames.len() >= 3 && frames.len() < 24, "{frames:?}");
    for path in frames {
        seedstorm_render::image_file::decode_png(&fs::read(path).unwrap()).unwrap();
    }
    let unfinished =
        |path: &&PathBuf| path.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b".new-"));
    assert_eq!(left.iter().find(unfinished), None);
    assert_eq!(fs::read_dir(home.join("bundles")).unwrap().count(), 0);
    finished(&home, &path);
    nothing_is_left_over(&home);
}
