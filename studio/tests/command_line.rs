//! The built binary, from a recipe to a verified token and back.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// A home that goes away with the test.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_seedstorm"))
            .args(arguments)
            .env("SEEDSTORM_HOME", self.0.path().join("home"))
            .env_remove("SEEDSTORM_PASSWORD")
            .output()
            .unwrap()
    }

    /// The JSON document of a command that succeeds.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A recipe small enough for a test: `make` takes it in about a second.
    fn small(&self, scenario: &str, params: &str) -> PathBuf {
        let path = self.0.path().join(format!("{scenario}.json"));
        let film = r#"{"frames":3,"fps":12,"width":48,"height":48,"samples":2,"renderer":"cpu"}"#;
        let text = format!(
            r#"{{"engine":"seedstorm/12","scenario":"{scenario}@1","seed":"{:064x}","params":{params},"film":{film}}}"#,
            5
        );
        fs::write(&path, text).unwrap();
        path
    }
}

fn words(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn failed_checks(output: &Output) -> Vec<String> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["ok"] == false);
    failed.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_piece_is_made_minted_verified_and_exported() {
    let home = Home::new();
    let recipe = home.small("bloom", r#"{"arms":9,"rings":5}"#);
    let made = home.json(&["make", words(&recipe)]);
    assert_eq!(made["token"], 1);
    for stage in ["simulate", "render", "encode", "pin", "mint"] {
        assert!(made["stages"][stage].is_number(), "{stage}");
    }
    assert!(Path::new(made["film"].as_str().unwrap()).is_file());
    let bundle = PathBuf::from(made["bundle"].as_str().unwrap());
    let canonical = fs::read(bundle.join("recipe.json")).unwrap();
    let printed = home.run(&["recipe", words(&recipe)]).stdout;
    assert_eq!(printed.strip_suffix(b"\n").unwrap(), canonical);

    let again = home.json(&["make", words(&recipe)]);
    assert_eq!(again["token"], 1, "a piece is minted once");
    assert_eq!(again["bundle_cid"], made["bundle_cid"]);
    assert_eq!(home.json(&["tokens"]).as_array().unwrap().len(), 1);
    assert_eq!(home.json(&["show", "1"])["sim_root"], made["sim_root"]);
    for piece in ["1", words(&bundle)] {
        let report = home.json(&["verify", piece]);
        assert_eq!(report["ok"], true, "{report}");
    }

    let archive = home.0.path().join("piece.car");
    let exported = home.json(&["export-car", "1", "--out", words(&archive)]);
    assert_eq!(exported["roots"][0], made["bundle_cid"]);
    assert!(archive.metadata().unwrap().len() > exported["bytes"].as_u64().unwrap());

    // Another home takes it in, and gives the same archive.
    let other = Home::new();
    let imported = other.json(&["import-car", words(&archive)]);
    assert_eq!((&imported["bundle"], &imported["recipe"]), (&made["bundle_cid"], &made["recipe_cid"]));
    assert_eq!((&imported["metadata"], &imported["attestations"]), (&made["metadata_cid"], &Value::from(1)));
    assert_eq!(imported["known"], false);
    assert_eq!(other.json(&["import-car", words(&archive)])["known"], true);
    let pins = |home: &Home| fs::read_dir(home.0.path().join("home/store/pins")).unwrap().count();
    assert_eq!((pins(&other), pins(&home)), (3, 3));
    let folder = bundle.with_extension("away");
    fs::rename(&bundle, &folder).unwrap();
    let kept = home.0.path().join("home/store");
    fs::remove_dir_all(&kept).unwrap();
    assert_eq!(home.run(&["verify", "1"]).status.code(), Some(1), "its content is lost");
    home.json(&["import-car", words(&archive)]);
    assert_eq!(home.json(&["verify", "1"])["ok"], true, "and was brought back");
    fs::rename(&folder, &bundle).unwrap();

    // The collection is found again when its file is lost, and a piece keeps its name.
    fs::remove_file(home.0.path().join("home/chain/collection.json")).unwrap();
    assert_eq!(home.json(&["tokens"]).as_array().map(Vec::len), Some(1), "a lost file is no empty collection");
    assert_eq!(home.json(&["make", words(&recipe)])["contract"], made["contract"]);
    let renamed = home.run(&["make", words(&recipe), "--name", "Other"]);
    assert_eq!(renamed.status.code(), Some(2));

    // Another piece in the folder of this one is not taken for it.
    let other = home.small("tempest", r#"{"detail":4}"#);
    let other = home.json(&["make", words(&other), "--no-mint"]);
    let moved = bundle.with_extension("moved");
    fs::rename(&bundle, &moved).unwrap();
    fs::rename(other["bundle"].as_str().unwrap(), &bundle).unwrap();
    let output = home.run(&["make", words(&recipe)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("move the folder"));

    // Elsewhere, with another key, the same recipe gives the same content.
    let elsewhere = Home::new();
    let same = elsewhere.json(&["make", words(&recipe), "--backend", "cpu", "--no-mint"]);
    for name in ["recipe_cid", "world_id", "sim_root", "bundle_cid", "metadata_cid"] {
        assert_eq!(same[name], made[name], "{name}");
    }
    assert_eq!(same["token"], Value::Null);
}

#[test]
fn what_was_changed_is_named() {
    let home = Home::new();
    let recipe = home.small("tempest", r#"{"detail":4}"#);
    let made = home.json(&["make", words(&recipe), "--no-mint"]);
    let bundle = PathBuf::from(made["bundle"].as_str().unwrap());
    let verify = || home.run(&["verify", words(&bundle), "--json"]);
    assert_eq!(failed_checks(&verify()), ["token"], "an unminted piece fails");
    assert_eq!(home.json(&["verify", words(&bundle), "--unminted"])["ok"], true);

    for name in ["recipe.json", "film.mp4", "trajectory.bin", "poster.png", "frames/0001.png", "metadata.json"] {
        let path = bundle.join(name);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&path, changed).unwrap();
        let output = home.run(&["verify", words(&bundle), "--unminted", "--json"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(!failed_checks(&output).is_empty(), "{name}");
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(home.json(&["verify", words(&bundle), "--unminted"])["ok"], true);
}

#[test]
fn wrong_use_is_said_in_words() {
    let home = Home::new();
    let recipe = home.small("bloom", r#"{"arms":1000}"#);
    let cases: &[(&[&str], &str)] = &[
        (&["make", "nothing"], "bloom, tempest, waltz, flood, plunge"),
        (&["make", "bloom@9"], "bloom@1"),
        (&["make", "bloom", "--seed", "12z"], "64 hexadecimal digits"),
        (&["make", "bloom", "--param", "gravity"], "NAME=VALUE"),
        (&["make", "bloom", "--param", "wind=3"], "no parameter or trait `wind`"),
        (&["make", "bloom", "--param", "gravity=nan"], "finite"),
        (&["make", "bloom", "--param", "gravity=1e9"], "params.gravity"),
        (&["make", "bloom", "--param", "tile=cube"], "petal"),
        (&["make", words(&recipe)], "params.arms"),
        (&["make", words(&recipe), "--seed", "1"], "leave out"),
        (&["make", "bloom", "--backend", "abacus"], "auto, cpu, gpu or gpu-split"),
        (&["verify", "nowhere"], "neither a token's number"),
        (&["show", "99"], "seedstorm tokens"),
        (&["make", "nothing.json"], "no recipe at"),
        (&["make", "bloom", "--name", ""], "name"),
        (&["make", "bloom", "--name", "a\u{1b}[31m"], "control characters"),
    ];
    for (arguments, expected) in cases {
        let output = home.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).replace("\n  │ ", " ");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    assert!(home.json(&["tokens"]).as_array().unwrap().is_empty());
}

#[test]
fn scenarios_say_what_scripts_need() {
    let home = Home::new();
    let scenarios = home.json(&["scenarios"]);
    for scenario in scenarios.as_array().unwrap() {
        for key in ["name", "version", "kind", "params", "traits"] {
            assert!(!scenario[key].is_null(), "{key}");
        }
        let name = scenario["name"].as_str().unwrap();
        let traits = home.json(&["traits", name, "--seed", "1"]);
        assert_eq!(traits["traits"].as_array().unwrap().len(), scenario["traits"].as_array().unwrap().len());
    }
}
