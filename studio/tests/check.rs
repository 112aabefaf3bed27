//! Parts of a run are checked by themselves, and a forged run is found and taken apart, through the built binary.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use seedstorm_sim::{Digest, Trajectory, trajectory::TrajectoryWriter};
use serde_json::{Value, json};

/// Those of `bloom`, of 24 steps each.
const SEGMENTS: usize = 32;

struct Place(tempfile::TempDir);

impl Place {
    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedstorm"));
        command.args(arguments).env("SEEDSTORM_HOME", self.at("home")).env_remove("SEEDSTORM_PASSWORD");
        command.output().unwrap()
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A small piece; its folder.
    fn make(&self, more: &[&str]) -> PathBuf {
        let film = json!({"frames": 2, "fps": 12, "width": 32, "height": 32, "samples": 1, "renderer": "cpu"});
        let recipe = json!({
            "engine": seedstorm_sim::recipe::ENGINE, "scenario": "bloom@1", "seed": format!("{:064x}", 5),
            "params": {"arms": 8, "rings": 4}, "film": film,
        });
        fs::write(self.at("recipe.json"), recipe.to_string()).unwrap();
        let made = self.json(&[&["make", words(&self.at("recipe.json"))], more].concat(), 0);
        made["bundle"].as_str().unwrap().into()
    }

    /// A copy of a piece that claims other checkpoints from number `from` on, and names no metadata.
    fn forged(&self, bundle: &Path, from: usize) -> (PathBuf, Vec<Digest>) {
        let forged = self.at("forged");
        fs::create_dir_all(forged.join("frames")).unwrap();
        for name in ["recipe.json", "film.mp4", "poster.png", "frames/0000.png", "frames/0001.png"] {
            fs::copy(bundle.join(name), forged.join(name)).unwrap();
        }
        let run = Trajectory::from_bytes(fs::read(bundle.join("trajectory.bin")).unwrap()).unwrap();
        let mut digests = run.checkpoints().to_vec();
        digests[from..].iter_mut().for_each(|digest| digest.0[7] ^= 0x55);
        let mut writer = TrajectoryWriter::new(run.elements(), run.channels());
        (0..run.snapshots()).for_each(|at| writer.push(run.snapshot(at).unwrap()));
        fs::write(forged.join("trajectory.bin"), writer.finish(&digests)).unwrap();
        (forged, digests)
    }
}

fn words(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn segments_are_checked_where_their_checkpoints_are_kept() {
    let place = Place(tempfile::tempdir().unwrap());
    let bundle = place.make(&["--keep-checkpoints"]);
    let found = place.json(&["check", "1"], 0);
    assert_eq!(
        (&found["ok"], &found["segments"], &found["beginning"]),
        (&json!(true), &json!(SEGMENTS), &json!("holds"))
    );
    assert_eq!(found["drawn"].as_array().unwrap().len(), 5);
    assert!((found["odds"][1]["found"].as_f64().unwrap() - 0.51).abs() < 0.02, "4 of 32 forged, 5 drawn");
    let all = place.json(&["check", words(&bundle), "--segments", "1000"], 0);
    assert_eq!(all["drawn"].as_array().unwrap().len(), SEGMENTS);

    // A run that is forged from its 20th checkpoint on.
    let (forged, _) = place.forged(&bundle, 20);
    let found = place.json(&["check", words(&forged), "--segments", "32"], 1);
    let outcome = |segment: usize| found["drawn"][segment][1].clone();
    assert_eq!((outcome(18), outcome(19), outcome(20)), (json!("holds"), json!("forged"), json!("gone")));
    let said = String::from_utf8(place.run(&["check", words(&forged), "--segments", "32"]).stdout).unwrap();
    assert!(said.contains("segment 19  does NOT lead") && said.contains("seedstorm verify"), "{said}");
    // From its beginning on.
    let (forged, _) = place.forged(&bundle, 0);
    assert_eq!(place.json(&["check", words(&forged)], 1)["beginning"], "forged");

    // A picture that the world never showed, and a history with more or fewer of them.
    let run = Trajectory::from_bytes(fs::read(bundle.join("trajectory.bin")).unwrap()).unwrap();
    let rewritten = |change: &dyn Fn(&mut Vec<Vec<i32>>)| {
        let mut shown: Vec<_> = (0..run.snapshots()).map(|at| run.snapshot(at).unwrap()).collect();
        change(&mut shown);
        let mut writer = TrajectoryWriter::new(run.elements(), run.channels());
        shown.into_iter().for_each(|snapshot| writer.push(snapshot));
        fs::write(place.at("forged/trajectory.bin"), writer.finish(run.checkpoints())).unwrap();
    };
    rewritten(&|shown| shown[0][5] += 1);
    assert_eq!(place.json(&["check", words(&forged)], 1)["beginning"], "forged");
    assert_eq!(place.json(&["replay", words(&forged), "--segment", "0"], 1)["ok"], false);
    for change in [&(|shown: &mut Vec<Vec<i32>>| shown.truncate(9)) as &dyn Fn(&mut Vec<Vec<i32>>), &|shown| {
        shown.push(shown[0].clone());
    }] {
        rewritten(change);
        for command in [
            vec!["check", words(&forged)],
            vec!["replay", words(&forged), "--segment", "31"],
            vec!["bisect", words(&forged), words(&bundle)],
        ] {
            let output = place.run(&command);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(1) && said.contains("snapshots"), "{command:?}: {said}");
        }
    }

    // What is past its time goes, and is said to be gone.
    let kept = fs::read_dir(place.at("home/checkpoints")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_dir(&kept).unwrap().count(), SEGMENTS + 1);
    fs::rename(&kept, place.at("home/checkpoints/until-1000")).unwrap();
    let found = place.json(&["check", "1", "--segments", "32"], 1);
    assert_eq!((&found["drawn"][0][1], &found["drawn"][1][1]), (&json!("holds"), &json!("gone")));
    assert_eq!(fs::read_dir(place.at("home/checkpoints")).unwrap().count(), 0);
    // Made again, a piece that is there keeps them after all.
    place.make(&["--keep-checkpoints=2"]);
    assert_eq!(place.json(&["check", "1", "--segments", "32"], 0)["ok"], true);
    // And what is kept already is kept for longer.
    let latest = || {
        let folders = fs::read_dir(place.at("home/checkpoints")).unwrap().map(|folder| folder.unwrap().path());
        let latest = folders.max().unwrap();
        (latest.file_name().unwrap().to_owned(), fs::read_dir(&latest).unwrap().count())
    };
    let (short, _) = latest();
    place.make(&["--keep-checkpoints=30"]);
    let (long, files) = latest();
    assert!(long > short && files == SEGMENTS + 1, "{short:?}, then {long:?} with {files}");
}

#[test]
fn two_runs_are_taken_apart_to_their_step() {
    let place = Place(tempfile::tempdir().unwrap());
    let bundle = place.make(&["--no-mint"]);
    let (forged, digests) = place.forged(&bundle, 21);
    let (honest, forged) = (words(&bundle), words(&forged));
    assert_eq!(place.json(&["bisect", honest, honest], 0), Value::Null);
    let found = place.json(&["bisect", forged, honest], 1);
    assert_eq!(found, json!({"checkpoint": 21, "segment": 20, "step": null, "right": "second"}));

    // No checkpoint is kept here: the segment is reached from the recipe.
    let journal = place.at("honest.json");
    let replayed = place.json(&["replay", honest, "--segment", "20", "--journal", words(&journal)], 0);
    assert_eq!((&replayed["ok"], &replayed["steps"]), (&json!(true), &json!([480, 504])));
    assert_eq!(place.json(&["replay", forged, "--segment", "20"], 1)["ok"], false);
    let told: Value = serde_json::from_slice(&fs::read(&journal).unwrap()).unwrap();
    assert_eq!(told["digests"][23], replayed["leads_to"]);
    // Forged in step 483: the third of the segment.
    let mut lie = told.clone();
    for (at, digest) in lie["digests"].as_array_mut().unwrap().iter_mut().enumerate().skip(2) {
        *digest = if at == 23 { json!(digests[21]) } else { json!(format!("{at:064x}")) };
    }
    let lies = place.at("forged.json");
    fs::write(&lies, lie.to_string()).unwrap();
    let found = place.json(&["bisect", honest, forged, "--journals", words(&journal), words(&lies)], 1);
    assert_eq!(found, json!({"checkpoint": 21, "segment": 20, "step": 483, "right": "first"}));

    // Journals that are none, or do not lead to what is claimed.
    let refused = |change: &dyn Fn(&mut Value), word: &str| {
        let mut changed = lie.clone();
        change(&mut changed);
        fs::write(&lies, changed.to_string()).unwrap();
        let output = place.run(&["bisect", honest, forged, "--journals", words(&journal), words(&lies)]);
        let said = String::from_utf8_lossy(&output.stderr).replace("\n  │ ", " ");
        assert!(output.status.code() == Some(1) && said.contains(word) && said.contains("--journal"), "{said}");
    };
    refused(&|journal| journal["segment"] = json!(3), "segment 20");
    refused(&|journal| journal["world_id"] = json!("x"), "of this world");
    refused(&|journal| journal["digests"][23] = json!("ab"), "64 hexadecimal digits");
    refused(&|journal| journal["digests"] = json!([]), "does not lead");
    refused(&|journal| journal["more"] = json!(1), "more");
    let output = place.run(&["replay", honest, "--segment", "32"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
