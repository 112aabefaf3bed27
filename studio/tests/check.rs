//! Parts of a run are checked by themselves, and a forged run is found and taken apart, through the built binary.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use seedstorm_sim::{Digest, Trajectory, trajectory::TrajectoryWriter};
use serde_json::{Value, json};

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
    assert_eq!((&found["ok"], &found["segments"], &found["beginning"]), (&json!(true), &json!(96), &json!("holds")));
    assert_eq!(found["drawn"].as_array().unwrap().len(), 5);
    assert!((found["odds"][1]["found"].as_f64().unwrap() - 0.42).abs() < 0.02, "10 of 96 forged, 5 drawn");
    let all = place.json(&["check", words(&bundle), "--segments", "1000"], 0);
    assert_eq!(all["drawn"].as_array().unwrap().len(), 96);

    // A run that is forged from its 40th checkpoint on.
    let (forged, _) = place.forged(&bundle, 40);
    let found = place.json(&["check", words(&forged), "--segments", "96"], 1);
    let outcome = |segment: usize| found["drawn"][segment][1].clone();
    assert_eq!((outcome(38), outcome(39), outcome(40)), (json!("holds"), json!("forged"), json!("gone")));
    let said = String::from_utf8(place.run(&["check", words(&forged), "--segments", "96"]).stdout).unwrap();
    assert!(said.contains("segment 39  does NOT lead") && said.contains("seedstorm verify"), "{said}");
    // From its beginning on.
    let (forged, _) = place.forged(&bundle, 0);
    assert_eq!(place.json(&["check", words(&forged)], 1)["beginning"], "forged");

    // What is past its time goes, and is said to be gone.
    let kept = fs::read_dir(place.at("home/checkpoints")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 97);
    fs::rename(&kept, place.at("home/checkpoints/until-1000")).unwrap();
    let found = place.json(&["check", "1", "--segments", "96"], 1);
    assert_eq!((&found["drawn"][0][1], &found["drawn"][1][1]), (&json!("holds"), &json!("gone")));
    assert_eq!(fs::read_dir(place.at("home/checkpoints")).unwrap().count(), 0);
}

#[test]
fn two_runs_are_taken_apart_to_their_step() {
    let place = Place(tempfile::tempdir().unwrap());
    let bundle = place.make(&["--no-mint"]);
    let (forged, digests) = place.forged(&bundle, 61);
    let (honest, forged) = (words(&bundle), words(&forged));
    assert_eq!(place.json(&["bisect", honest, honest], 0), Value::Null);
    let found = place.json(&["bisect", forged, honest], 1);
    assert_eq!(found, json!({"checkpoint": 61, "segment": 60, "step": null, "right": "second"}));

    // No checkpoint is kept here: the segment is reached from the recipe.
    let journal = place.at("honest.json");
    let replayed = place.json(&["replay", honest, "--segment", "60", "--journal", words(&journal)], 0);
    assert_eq!((&replayed["ok"], &replayed["steps"]), (&json!(true), &json!([480, 488])));
    assert_eq!(place.json(&["replay", forged, "--segment", "60"], 1)["ok"], false);
    let told: Value = serde_json::from_slice(&fs::read(&journal).unwrap()).unwrap();
    assert_eq!(told["digests"][7], replayed["leads_to"]);
    // Forged in step 483: the third of the segment.
    let mut lie = told.clone();
    for (at, digest) in lie["digests"].as_array_mut().unwrap().iter_mut().enumerate().skip(2) {
        *digest = if at == 7 { json!(digests[61]) } else { json!(format!("{at:064x}")) };
    }
    let lies = place.at("forged.json");
    fs::write(&lies, lie.to_string()).unwrap();
    let found = place.json(&["bisect", honest, forged, "--journals", words(&journal), words(&lies)], 1);
    assert_eq!(found, json!({"checkpoint": 61, "segment": 60, "step": 483, "right": "first"}));

    // Journals that are none, or do not lead to what is claimed.
    let refused = |change: &dyn Fn(&mut Value), word: &str| {
        let mut changed = lie.clone();
        change(&mut changed);
        fs::write(&lies, changed.to_string()).unwrap();
        let output = place.run(&["bisect", honest, forged, "--journals", words(&journal), words(&lies)]);
        let said = String::from_utf8_lossy(&output.stderr).replace("\n  │ ", " ");
        assert!(output.status.code() == Some(1) && said.contains(word) && said.contains("--journal"), "{said}");
    };
    refused(&|journal| journal["segment"] = json!(3), "segment 60");
    refused(&|journal| journal["world_id"] = json!("x"), "of this world");
    refused(&|journal| journal["digests"][7] = json!("ab"), "64 hexadecimal digits");
    refused(&|journal| journal["digests"] = json!([]), "does not lead");
    refused(&|journal| journal["more"] = json!(1), "more");
    let output = place.run(&["replay", honest, "--segment", "96"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
