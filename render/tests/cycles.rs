//! Blender's Cycles as a plug-in: users' files, whole and in parts, and what hostile ones come to. Needs Blender 3.4 or
//! later and bubblewrap.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use seedstorm_render::Rect;
use seedstorm_render::plugin::check::check;
use seedstorm_render::plugin::protocol::{self, Film, Format, Task};
use seedstorm_render::plugin::{Input, Picture, Plugin, PluginError, Sandbox, Watch};

const SIZE: [u32; 2] = [64, 48];

/// A file of `tests/blend/make.py`.
fn blend(folder: &Path, kind: &str, more: &[&str]) -> PathBuf {
    let file = folder.join(format!("{kind}.blend"));
    let mut command = Command::new("blender");
    command.args(["-b", "--factory-startup", "--python-exit-code", "1", "-P"]);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blend/make.py"))
        .args(["--", kind])
        .arg(&file)
        .args(more);
    let made = command.stdout(Stdio::null()).status().expect("Blender is installed");
    assert!(made.success());
    file
}

fn sandbox() -> Sandbox {
    Sandbox::find().expect("bubblewrap is installed and works here")
}

#[derive(Default)]
struct Kept(BTreeMap<u32, Picture>);

impl Watch for Kept {
    fn reached(&mut self, _: f32) {}
    fn stopped(&mut self) -> bool {
        false
    }
    fn frame(&mut self, number: u32, picture: Picture) -> Result<(), PluginError> {
        self.0.insert(number, picture);
        Ok(())
    }
}

fn draw(
    plugin: &Plugin,
    sandbox: &Sandbox,
    file: &Path,
    frames: impl Iterator<Item = u32>,
    tile: Option<Rect>,
) -> Result<BTreeMap<u32, Picture>, PluginError> {
    let task = Task::Render {
        protocol: protocol::VERSION,
        frames: vec![],
        size: None,
        samples: None,
        seed: 3,
        tile,
        format: Format::Png,
        threads: 2,
    };
    let inputs: Vec<_> = frames.map(|frame| (frame, Input::File(file))).collect();
    let mut kept = Kept::default();
    plugin.render(sandbox, &task, &inputs, &mut kept)?;
    Ok(kept.0)
}

/// The plug-in with other limits.
fn limited(folder: &Path, limits: &str) -> Plugin {
    let place = folder.join("plugin");
    std::fs::create_dir_all(&place).unwrap();
    for (path, bytes) in Plugin::cycles().contents() {
        std::fs::write(place.join(path), bytes).unwrap();
    }
    let manifest = place.join("renderer.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let (head, _) = text.split_once("[limits]").unwrap();
    std::fs::write(&manifest, format!("{}[limits]\n{limits}\n", head.replace("\"cycles\"", "\"cycles-limited\"")))
        .unwrap();
    let unsealed = Plugin::unsealed(&place).unwrap();
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace(&unsealed.manifest().digest, &unsealed.digest())).unwrap();
    Plugin::open(&place).unwrap()
}

#[test]
fn it_does_what_the_protocol_asks() {
    let folder = tempfile::tempdir().unwrap();
    let file = blend(folder.path(), "film", &[]);
    let report = check(&Plugin::cycles(), &sandbox(), Some(&file), &mut |_| {}, || false);
    for finding in &report.findings {
        assert_eq!(finding.problem, None, "{}", finding.what);
    }
    assert!(report.findings.len() >= 14);
}

/// 24 frames in two halves are those in one go, byte for byte, and frames from tiles are those in one piece.
#[test]
fn parts_make_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (cycles, sandbox) = (Plugin::cycles(), sandbox());
    let file = blend(folder.path(), "film", &[]);
    let film = cycles.describe(&sandbox, &file, &mut || false).unwrap();
    assert_eq!(film, Film { frames: [1, 24], fps: 24, size: SIZE, note: None });

    let whole = draw(&cycles, &sandbox, &file, 1..=24, None).unwrap();
    assert_eq!(whole.len(), 24);
    assert!((1..24).all(|frame| whole[&frame].pixels != whole[&(frame + 1)].pixels));
    let mut halves = draw(&cycles, &sandbox, &file, 1..=12, None).unwrap();
    halves.extend(draw(&cycles, &sandbox, &file, 13..=24, None).unwrap());
    assert_eq!(halves, whole);

    let mut worst = 0.0_f32;
    for (x, y, width, height) in [(0, 0, 21, 31), (21, 0, 43, 31), (0, 31, 21, 17), (21, 31, 43, 17)] {
        let tile = Rect { x, y, width, height };
        let parts = draw(&cycles, &sandbox, &file, [1, 12, 24].into_iter(), Some(tile)).unwrap();
        for (frame, part) in parts {
            assert_eq!([part.width, part.height], [width, height]);
            for (at, pixel) in part.pixels.iter().enumerate() {
                let (column, row) = (x + at as u32 % width, y + at as u32 / width);
                let same = whole[&frame].pixels[(row * SIZE[0] + column) as usize];
                worst = pixel.iter().zip(same).map(|(a, b)| (a - b).abs()).fold(worst, f32::max);
            }
        }
    }
    assert_eq!(worst, 0.0, "of 255: {}", worst * 255.0);
}

/// Scripts, drivers and handlers of a file do not run, and its own ways to the disk lead nowhere: even with no sandbox, and
/// within it too.
#[test]
fn what_is_embedded_never_runs() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let marker = folder.path().join("marker");
    let port = listener.local_addr().unwrap().port().to_string();
    let file = blend(folder.path(), "hostile", &[marker.to_str().unwrap(), &port]);
    // Making it may have run it.
    let _ = std::fs::remove_file(&marker);
    while listener.accept().is_ok() {}
    let names = || {
        let entries = std::fs::read_dir(folder.path()).unwrap().flatten();
        entries
            .map(|entry| entry.file_name())
            .filter(|name| name.to_string_lossy().starts_with("marker"))
            .collect::<Vec<_>>()
    };
    for entry in names() {
        std::fs::remove_dir_all(folder.path().join(entry)).unwrap();
    }
    for sandbox in [Sandbox::None, sandbox()] {
        let drawn = draw(&Plugin::cycles(), &sandbox, &file, 1..=2, None).unwrap();
        assert_eq!(drawn.len(), 2);
        assert_eq!(names(), Vec::<std::ffi::OsString>::new(), "{sandbox:?}");
        assert!(listener.accept().is_err(), "{sandbox:?}");
    }
}

#[test]
fn files_that_want_too_much_are_stopped_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let heavy = blend(folder.path(), "heavy", &[]);
    let little = limited(folder.path(), "memory_mib = 700");
    let error = draw(&little, &sandbox(), &heavy, 1..=1, None).unwrap_err().to_string();
    assert!(error.contains("needed more than 700 MiB of memory"), "{error}");

    let slow = blend(folder.path(), "slow", &[]);
    let short = limited(folder.path(), "seconds_to_start = 5\nseconds_per_frame = 3");
    let error = draw(&short, &sandbox(), &slow, 1..=1, None).unwrap_err().to_string();
    assert!(error.contains("did not finish in its time"), "{error}");

    let broken = folder.path().join("broken.blend");
    std::fs::write(&broken, b"BLENDER-v304REND\0\0\0 and nothing else").unwrap();
    let error = draw(&Plugin::cycles(), &sandbox(), &broken, 1..=1, None).unwrap_err().to_string();
    assert!(error.contains("says: ") && error.contains("cannot open the file"), "{error}");
}
