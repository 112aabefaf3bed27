//! `seedstorm render`, the built binary: frames of a recipe, by either tracer.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use seedstorm_render::image_file::decode_png;
use serde_json::Value;

struct Place {
    folder: tempfile::TempDir,
    recipe: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recipe = folder.path().join("small.json");
        let params = r#"{"arms":9,"rings":5}"#;
        let film = r#"{"frames":4,"fps":12,"width":64,"height":48,"samples":2,"renderer":"cpu"}"#;
        let engine = seedstorm_sim::ENGINE;
        let text = format!(
            r#"{{"engine":"{engine}","scenario":"bloom@1","seed":"{:064x}","params":{params},"film":{film}}}"#,
            5
        );
        fs::write(&recipe, text).unwrap();
        Self { folder, recipe }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_seedstorm"))
            .arg("render")
            .arg(&self.recipe)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("SEEDSTORM_HOME", self.path("home"))
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], word: &str) {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{said}");
    }
}

fn pixels(path: &Path) -> Vec<u8> {
    decode_png(&fs::read(path).unwrap()).unwrap().pixels
}

#[test]
fn frames_come_from_either_tracer_and_stay() {
    let place = Place::new();
    let said = place.json(&["--frames", "1..3", "--out", "cpu"]);
    assert_eq!((&said["frames"], &said["kept"], &said["tracer"]), (&Value::from([1, 3]), &0.into(), &"cpu".into()));
    let mut names: Vec<_> = fs::read_dir(place.path("cpu")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["0001.png", "0002.png", "render.json"]);
    // What is there stays; what is missing comes.
    let first = fs::read(place.path("cpu/0001.png")).unwrap();
    assert_eq!(place.json(&["--out", "cpu"])["kept"], 2);
    assert_eq!(fs::read(place.path("cpu/0001.png")).unwrap(), first);
    // They are the frames of the piece.
    let film = Command::new(env!("CARGO_BIN_EXE_seedstorm"))
        .args(["make", "--no-mint", "--json"])
        .arg(&place.recipe)
        .env("SEEDSTORM_HOME", place.path("home"))
        .output()
        .unwrap();
    let made: Value = serde_json::from_slice(&film.stdout).unwrap();
    let bundle = Path::new(made["bundle"].as_str().unwrap());
    for frame in ["0000.png", "0001.png", "0002.png", "0003.png"] {
        let (ours, its) = (fs::read(place.path("cpu").join(frame)), fs::read(bundle.join("frames").join(frame)));
        assert_eq!(ours.unwrap(), its.unwrap(), "{frame}");
    }
    let said = place.json(&["--frames", "poster", "--out", "poster"]);
    let poster = place.path("poster").join(format!("{:04}.png", said["frames"][0].as_u64().unwrap()));
    assert_eq!(fs::read(poster).unwrap(), fs::read(bundle.join("poster.png")).unwrap());
    // The same picture by the device, but for rounding.
    place.json(&["--renderer", "gpu", "--frames", "2..3", "--out", "gpu"]);
    let (ours, its) = (pixels(&place.path("cpu/0002.png")), pixels(&place.path("gpu/0002.png")));
    let apart: u32 = ours.iter().zip(&its).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    assert!(f64::from(apart) / (ours.len() as f64) < 0.5, "{apart} apart");
    assert!(ours.iter().max().unwrap() - ours.iter().min().unwrap() > 60, "there is a picture");
}

/// Pictures that a failing disk has left are drawn again, by what the recipe says where nothing else is said.
#[test]
fn what_is_damaged_is_drawn_again() {
    let place = Place::new();
    let recipe = fs::read_to_string(&place.recipe).unwrap().replace(r#""renderer":"cpu""#, r#""renderer":"gpu""#);
    fs::write(&place.recipe, recipe).unwrap();
    let options = ["--out", "out", "--exr", "--frames", "0..3"];
    let said = place.json(&options);
    assert!(said["tracer"] != "cpu" && said["kept"] == 0, "{said}");
    let mut picture = fs::read(place.path("out/0000.png")).unwrap();
    let middle = picture.len() / 2;
    picture[middle..middle + 40].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(place.path("out/0000.png"), picture).unwrap();
    fs::write(place.path("out/0001.exr"), b"v").unwrap();
    assert_eq!(place.json(&options)["kept"], 1);
    assert_eq!(place.json(&options)["kept"], 3);
    pixels(&place.path("out/0000.png"));
}

#[test]
fn what_cannot_be_rendered_is_refused() {
    let place = Place::new();
    place.refused(&["--frames", "2..5"], "4");
    place.refused(&["--frames", "3..3"], "excluded");
    place.refused(&["--frames", "5"], "A..B");
    place.refused(&["--frames", "0..99999999999"], "frames");
    place.refused(&["--renderer", "crayon"], "there is no renderer `crayon`");
    place.refused(&["--denoiser", "sponge"], "choose own or oidn");
    if cfg!(not(feature = "oidn")) {
        place.refused(&["--denoiser", "oidn"], "without Open Image Denoise");
    }
    fs::create_dir(place.path("other")).unwrap();
    fs::write(place.path("other/render.json"), r#"{"recipe":"bafy","tracer":"cpu"}"#).unwrap();
    place.refused(&["--out", "other"], "holds other frames");
    fs::create_dir(place.path("mine")).unwrap();
    fs::write(place.path("mine/0007.png"), b"a holiday").unwrap();
    place.refused(&["--out", "mine"], "holds other frames");
    assert_eq!(fs::read(place.path("mine/0007.png")).unwrap(), b"a holiday");
    assert_eq!(fs::read_dir(place.path("home/making")).unwrap().count(), 0, "nothing was simulated for it");
}
