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
        let words = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy);
        assert!(output.status.success(), "{arguments:?}: {}", words.concat());
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
    let added = place.json(&["renderer", "add", &povray]);
    assert_eq!([&added["name"], &added["replaced"]], [&Value::from("povray"), &Value::Null]);
    let doctor = place.json(&["doctor"]);
    assert_eq!(doctor["bubblewrap"], true);
    assert_eq!(doctor["renderers"][1]["name"], "povray");
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
    for (renderer, most) in [("cycles", 0.02), ("povray", 0.08)] {
        let apart = look(renderer).iter().zip(&ours).map(|(a, b)| (a - b).abs()).sum::<f64>() / 64.0;
        eprintln!("{renderer}: {apart:.3} apart");
        assert!(apart < most, "{renderer}: {apart}");
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
    // Another version takes its place, and says so.
    assert_eq!(place.json(&["renderer", "add", &povray])["replaced"], "1.0.0");
    assert_eq!(place.json(&["renderer", "remove", "povray"])["removed"], "povray");
    assert_eq!(names(), ["cycles"]);
    assert!(place.refused(&["renderer", "remove", "povray"], 2).contains("no renderer called `povray` was added"));
}

#[test]
fn a_users_file_becomes_a_film() {
    let place = Place::new();
    let blend = |kind: &str| {
        let made = Command::new("blender")
            .args(["-b", "--factory-startup", "--python-exit-code", "1", "-P"])
            .arg(of_the_repository("render/tests/blend/make.py"))
            .args(["--", kind, place.path(&format!("{kind}.blend")).to_str().unwrap()])
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
    };
    blend("film");
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
    // One folder is not drawn both ways.
    let both = ["render", "film.blend", "--frames", "7..8", "--tiles", "2x3", "--out", "whole"];
    assert!(place.refused(&both, 2).contains("whole"));
    // What a full disk left of a frame is drawn again.
    fs::write(place.path("whole/0007.png"), &whole[..500]).unwrap();
    let again = place.json(&["render", "film.blend", "--frames", "6..8", "--out", "whole"]);
    assert_eq!(again["kept"], 1);
    assert!(fs::read(place.path("whole/0007.png")).unwrap() == whole);

    assert!(place.refused(&["render", "film.blend", "--frames", "20..30"], 2).contains("the film has 1..25"));
    fs::write(place.path("film.obj"), "v 0 0 0").unwrap();
    assert!(place.refused(&["render", "film.obj"], 2).contains("no renderer here reads film.obj"));
    assert!(place.refused(&["render", "film.blend", "--renderer", "cpu"], 2).contains("film.blend"));
    for option in [["--seed", "1"], ["--param", "arms=8"], ["--quality", "film"], ["--backend", "cpu"]] {
        let words = place.refused(&[&["render", "film.blend"], &option[..]].concat(), 2);
        assert!(words.contains(&format!("{} is for pieces", option[0])), "{words}");
    }
    assert!(place.refused(&["render", "nowhere.blend"], 2).contains("nowhere.blend: No such file"));
    assert!(place.refused(&["render", "whole/"], 2).contains("there is no scenario"));
    assert!(place.refused(&["model", "bloom", "--out", "nowhere/x.glb"], 1).contains("nowhere"));

    // A compositor's work on parts would not be its work on the whole.
    blend("graded");
    let words = place.refused(&["render", "graded.blend", "--frames", "1..2", "--tiles", "2x1"], 1);
    assert!(words.contains("the file's compositor works on whole frames"), "{words}");

    // What the file asks for and does not get is said; what can be no film is refused before it is drawn.
    blend("odd");
    let words = place.refused(&["render", "odd.blend", "--film"], 1);
    assert!(words.contains("a film cannot be 16000x9000"), "{words}");
    for note in ["made for BLENDER_EEVEE", "29.970 frames a second become 30"] {
        assert!(words.contains(note), "{words}");
    }
    assert!(!place.path("odd-cycles").exists());
}

/// A plug-in that reads files alone is checked with one of them.
#[test]
fn a_reader_of_files_is_checked_with_a_file() {
    let place = Place::new();
    let folder = place.path("flat");
    fs::create_dir(&folder).unwrap();
    let program = r#"
import json, os, pathlib, struct, sys, zlib
task = json.loads(sys.stdin.readline())
name = task["input"] if task["task"] == "describe" else task["frames"][0]["input"]
words = (pathlib.Path(os.environ["JOB"]) / name).read_bytes().split()
if words[:1] != [b"flat"]:
    print(json.dumps({"error": "this is no flat file"}))
    sys.exit(1)
width, height, *color = (int(word) for word in words[1:])
if task["task"] == "describe":
    print(json.dumps({"film": {"frames": [3, 3], "fps": 24, "size": [width, height]}}))
    sys.exit(0)
if task["tile"]:
    width, height = task["tile"]["width"], task["tile"]["height"]
rows = (b"\0" + bytes(color) * width) * height
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
(pathlib.Path(os.environ["OUT"]) / "it.png").write_bytes(png)
print(json.dumps({"frame": task["frames"][0]["number"], "file": "it.png"}))
"#;
    fs::write(folder.join("main.py"), program).unwrap();
    let manifest = format!(
        "protocol = 1\nname = \"flat\"\nversion = \"0.1.0\"\nabout = \"one colour\"\ncommand = [\"python3\", \"main.py\"]\n\
         reads = [\"flat\"]\ndigest = \"{}\"\n",
        "0".repeat(64)
    );
    fs::write(folder.join("renderer.toml"), manifest).unwrap();
    fs::write(place.path("red.flat"), "flat 20 10 200 30 40").unwrap();
    let output = place.run(&["renderer", "check", "flat", "--seal"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("it reads files alone: give one with --file"));
    let checked = place.json(&["renderer", "check", "flat", "--file", "red.flat", "--picture", "red.png"]);
    let findings = checked["findings"].as_array().unwrap();
    assert!(findings.len() >= 6 && findings.iter().all(|it| it["problem"].is_null()), "{checked}");
    let picture = decode_png(&fs::read(place.path("red.png")).unwrap()).unwrap();
    assert_eq!(([picture.width, picture.height], &picture.pixels[..3]), ([20, 10], &[200, 30, 40][..]));
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
