//! The built binary with renderers that are programs of their own, and models for other programs. Needs Blender, POV-Ray,
//! bubblewrap, FFmpeg, Chromium, and Node with what `cargo xtask ci setup` installs.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use seedstorm_render::image_file::decode_png;
use serde_json::Value;

/// A folder that the binary runs in, with its home.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedstorm"));
        command.args(arguments).current_dir(self.0.path()).env("SEEDSTORM_HOME", self.path("home")).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {words}");
        // As one line, however it was wrapped.
        words.replace("│", " ").split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn of_the_repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).to_string_lossy().into_owned()
}

#[test]
fn a_plug_in_is_added_draws_a_piece_and_is_removed() {
    let place = Place::new();
    let names = || -> Vec<String> {
        let listed = place.json(&["renderers"]);
        listed["plugins"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(), ["cycles"]);
    let piece = ["render", "bloom", "--seed", "5", "--param", "arms=8", "--param", "rings=6", "--samples", "4"];
    let frames = ["--quality", "draft", "--frames", "30..31", "--renderer"];
    fn asked<'a>(piece: &[&'a str], frames: &[&'a str], renderer: &'a str) -> Vec<&'a str> {
        [piece, frames, &[renderer, "--out", renderer]].concat()
    }
    assert!(place.refused(&asked(&piece, &frames, "povray"), 2).contains("there are cpu, gpu, cycles"));

    let povray = of_the_repository("render/renderers/povray");
    let checked = place.json(&["renderer", "check", &povray, "--picture", "check.png"]);
    assert!(checked["findings"].as_array().unwrap().iter().all(|it| it["problem"].is_null()), "{checked}");
    let picture = decode_png(&fs::read(place.path("check.png")).unwrap()).unwrap();
    assert_eq!([picture.width, picture.height], [240, 80]);
    assert_eq!(place.json(&["renderer", "add", &povray])["name"], "povray");
    assert_eq!(names(), ["cycles", "povray"]);

    // Brightness of a grid of fields.
    let look = |renderer: &str| -> Vec<f64> {
        let rendered = place.json(&asked(&piece, &frames, renderer));
        assert_eq!(rendered["frames"], serde_json::json!([30, 31]));
        let image = decode_png(&fs::read(place.path(renderer).join("0030.png")).unwrap()).unwrap();
        let mut fields = vec![0.0; 64];
        for (at, pixel) in image.pixels.chunks(3).enumerate() {
            let (x, y) = (at % image.width * 8 / image.width, at / image.width * 8 / image.height);
            fields[y * 8 + x] += pixel.iter().map(|c| f64::from(*c)).sum::<f64>() / (3.0 * 1024.0 * 255.0);
        }
        fields
    };
    let ours = look("cpu");
    for renderer in ["cycles", "povray"] {
        let apart = look(renderer).iter().zip(&ours).map(|(a, b)| (a - b).abs()).sum::<f64>() / 64.0;
        assert!(apart < 0.08, "{renderer}: {apart}");
    }
    // What is there stays.
    assert_eq!(place.json(&asked(&piece, &frames, "cycles"))["kept"], 1);
    // Raw light that was not kept is found again.
    let raw = [&asked(&piece, &frames, "cpu")[..], &["--exr"]].concat();
    assert_eq!(place.json(&raw)["kept"], 0);
    assert_eq!(place.json(&raw)["kept"], 1);
    assert_eq!(&fs::read(place.path("cpu/0030.exr")).unwrap()[..4], [0x76, 0x2f, 0x31, 0x01]);

    // A plug-in that was changed in the home is not used.
    fs::write(place.path("home/renderers/povray/main.py"), "print('hello')").unwrap();
    assert!(
        place.refused(&asked(&piece, &frames, "povray"), 2).contains("are not those that its manifest was written for")
    );
    assert!(place.run(&["renderer", "remove", "povray"]).status.success());
    assert_eq!(names(), ["cycles"]);
    assert!(place.refused(&["renderer", "remove", "povray"], 2).contains("no renderer called `povray` was added"));
}

#[test]
fn a_users_file_becomes_a_film() {
    let place = Place::new();
    let made = Command::new("blender")
        .args(["-b", "--factory-startup", "--python-exit-code", "1", "-P"])
        .arg(of_the_repository("render/tests/blend/make.py"))
        .args(["--", "film", place.path("film.blend").to_str().unwrap()])
        .stdout(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let made = place.json(&["render", "film.blend", "--film", "--out", "whole"]);
    assert_eq!(made["frames"], serde_json::json!([1, 25]));
    assert_eq!(made["compiled"]["fps"], 24);
    let film = fs::read(place.path("whole/film.mp4")).unwrap();
    assert_eq!(&film[4..8], b"ftyp");
    let preview = fs::read(place.path("whole/preview.webp")).unwrap();
    assert!(preview.len() < 8_000_000 && &preview[8..12] == b"WEBP");
    assert!(place.path("whole/poster.png").is_file());
    plays(&place);

    // In tiles, each by itself, it is the same picture.
    place.json(&["render", "film.blend", "--frames", "7..8", "--tiles", "2x3", "--out", "tiles"]);
    let [whole, tiles] = ["whole", "tiles"].map(|folder| fs::read(place.path(folder).join("0007.png")).unwrap());
    assert!(whole == tiles);

    assert!(place.refused(&["render", "film.blend", "--frames", "20..30"], 2).contains("the film has 1..25"));
    fs::write(place.path("film.obj"), "v 0 0 0").unwrap();
    assert!(place.refused(&["render", "film.obj"], 2).contains("no renderer here reads film.obj"));
    assert!(place.refused(&["render", "film.blend", "--renderer", "cpu"], 2).contains("film.blend"));
}

/// Khronos' validator finds nothing wrong with models of bodies, of a liquid and of clouds.
#[test]
fn models_are_valid() {
    let place = Place::new();
    let pieces: [&[&str]; 3] = [
        &["bloom", "--param", "arms=8", "--param", "rings=6"],
        &["flood", "--param", "coarse=2"],
        &["waltz", "--param", "points=4096", "--param", "bars=4"],
    ];
    for piece in pieces {
        let arguments = [&["model"], piece, &["--seed", "5", "--quality", "draft", "--out", "piece.glb"]].concat();
        let made = place.json(&arguments);
        assert!(made["bytes"].as_u64().unwrap() > 10_000, "{made}");
        let script = of_the_repository("studio/tests/players/validate.mjs");
        let output = Command::new("node").arg(script).arg(place.path("piece.glb")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        for kind in ["numErrors", "numWarnings"] {
            assert_eq!(report["issues"][kind], 0, "{}: {}", piece[0], report["issues"]);
        }
        assert_eq!(report["info"]["animationCount"], 1, "{}", piece[0]);
    }
}

/// Film and preview of the folder `whole`, and a model, in a browser, and what FFmpeg says of the film.
fn plays(place: &Place) {
    let model = ["model", "flood", "--param", "coarse=2", "--seed", "5", "--quality", "draft"];
    place.json(&[&model[..], &["--out", "whole/piece.glb"]].concat());
    let played = Command::new("node")
        .arg(of_the_repository("studio/tests/players/play.mjs"))
        .arg(place.path("whole"))
        .output()
        .unwrap();
    assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
    let played: Value = serde_json::from_slice(&played.stdout).unwrap();
    let film = &played["film"];
    assert_eq!((&film["width"], &film["height"]), (&64.into(), &48.into()));
    for time in ["duration", "played"] {
        assert!((film[time].as_f64().unwrap() - 1.0).abs() < 0.02, "{film}");
    }
    // The first frame and the last, by the mean colours of sixteen fields.
    for (moment, frame) in ["0001", "0024"].iter().enumerate() {
        let image = decode_png(&fs::read(place.path("whole").join(format!("{frame}.png"))).unwrap()).unwrap();
        let mut fields = vec![0.0; 48];
        for (at, pixel) in image.pixels.chunks(3).enumerate() {
            let field = 4 * (at / image.width * 4 / image.height) + at % image.width * 4 / image.width;
            for (channel, code) in pixel.iter().enumerate() {
                fields[3 * field + channel] += f64::from(*code) * 16.0 / (image.width * image.height) as f64;
            }
        }
        let seen = film["moments"][moment].as_array().unwrap().iter().map(|code| code.as_f64().unwrap());
        let worst = seen.zip(&fields).map(|(seen, code)| (seen - code).abs()).fold(0.0, f64::max);
        assert!(worst < 6.0, "frame {frame} is {worst} codes off");
    }
    let preview = &played["preview"];
    assert_eq!((&preview["frames"], &preview["forever"]), (&24.into(), &true.into()));
    assert!((preview["seconds"].as_f64().unwrap() - 1.0).abs() < 0.02, "{preview}");
    let model = &played["model"];
    assert!(model["covered"].as_f64().unwrap() > 0.02 && model["moved"].as_f64().unwrap() > 0.01, "{model}");

    let entries = "stream=color_space,color_transfer,color_primaries,nb_read_frames";
    let probed = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", entries, "-of", "csv=p=0"])
        .arg(place.path("whole/film.mp4"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&probed.stdout).trim(), "bt709,bt709,bt709,24");
    // The index stands before the pictures.
    let film = fs::read(place.path("whole/film.mp4")).unwrap();
    let at = |name: &[u8]| film.windows(4).position(|word| word == name).unwrap();
    assert!(at(b"moov") < at(b"mdat"));
}
