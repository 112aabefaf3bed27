//! Renderers that are programs of their own, honest and hostile. Needs bubblewrap and Python.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::{ImageFormat, Rgb32FImage};
use seedstorm_render::Rect;
use seedstorm_render::plugin::protocol::{self, Format, Task};
use seedstorm_render::plugin::scene_file::SceneFile;
use seedstorm_render::plugin::{Input, Picture, Plugin, PluginError, Sandbox, Watch};
use seedstorm_sim::scene::{Camera, Scene, Sky};

const SIZE: [u32; 2] = [24, 16];

fn sandbox() -> Sandbox {
    Sandbox::find().expect("bubblewrap is installed and works here")
}

/// A plug-in in a folder of its own: `script` in Python, and limits.
fn plugin(script: &str, limits: &str) -> (tempfile::TempDir, Plugin) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run.py"), script).unwrap();
    let mut picture = Rgb32FImage::new(SIZE[0], SIZE[1]);
    picture.put_pixel(3, 2, image::Rgb([4.0, 0.5, 0.25]));
    picture.save_with_format(folder.path().join("good.exr"), ImageFormat::OpenExr).unwrap();
    Rgb32FImage::new(5, 5).save_with_format(folder.path().join("small.exr"), ImageFormat::OpenExr).unwrap();
    let manifest = |digest: &str| {
        format!(
            "protocol = 1\nname = \"probe\"\nversion = \"1\"\nabout = \"a test\"\ncommand = [\"python3\", \"run.py\"]\n\
             reads = [\"scene\", \"txt\"]\ndigest = \"{digest}\"\n\n[limits]\n{limits}\n"
        )
    };
    let path = folder.path().join("renderer.toml");
    fs::write(&path, manifest(&"0".repeat(64))).unwrap();
    let digest = Plugin::unsealed(folder.path()).unwrap().digest();
    fs::write(&path, manifest(&digest)).unwrap();
    let plugin = Plugin::open(folder.path()).unwrap();
    (folder, plugin)
}

/// What all scripts begin with.
const START: &str = "\
import json, os, shutil, sys, time, pathlib
OUT, JOB = pathlib.Path(os.environ['OUT']), pathlib.Path(os.environ['JOB'])
task = json.loads(sys.stdin.readline())
def say(**reply): print(json.dumps(reply), flush=True)
def give(frame, name, picture='good.exr'):
    shutil.copy(picture, OUT / name)
    say(frame=frame, file=name)
";

#[derive(Default)]
struct Kept {
    pictures: BTreeMap<u32, Picture>,
    share: f32,
    stop_after: Option<Instant>,
}

impl Watch for Kept {
    fn reached(&mut self, share: f32) {
        self.share = share;
    }
    fn stopped(&mut self) -> bool {
        self.stop_after.is_some_and(|until| Instant::now() > until)
    }
    fn frame(&mut self, number: u32, picture: Picture) -> Result<(), PluginError> {
        self.pictures.insert(number, picture);
        Ok(())
    }
}

fn task(tile: Option<Rect>) -> Task {
    Task::Render {
        protocol: protocol::VERSION,
        frames: vec![],
        size: Some(SIZE),
        samples: Some(1),
        seed: 1,
        tile,
        format: Format::Exr,
        threads: 1,
    }
}

fn scene() -> SceneFile {
    let scene = Scene {
        camera: Camera {
            eye: [0.0, 0.0, 3.0].into(),
            target: [0.0; 3].into(),
            up: nalgebra::Vector3::y(),
            vertical_fov: 0.7,
            lens_radius: 0.0,
            focus_distance: 3.0,
        },
        sky: Sky { zenith: [1.0; 3], horizon: [1.0; 3], nadir: [1.0; 3], backdrop: None },
        environment: None,
        sun: None,
        lights: vec![],
        materials: vec![],
        meshes: vec![],
        instances: vec![],
        fluid: None,
        haze: None,
        fog: None,
        moved: vec![],
        exposure_stops: 0.0,
    };
    SceneFile::new(&scene, "scene.bin")
}

/// Frames 0 and 1 by a script.
fn run(script: &str, limits: &str, kept: &mut Kept) -> Result<(), PluginError> {
    let (_folder, plugin) = plugin(&format!("{START}{script}"), limits);
    let scene = scene();
    let inputs = [(0, Input::Scene(&scene)), (1, Input::Scene(&scene))];
    plugin.render(&sandbox(), &task(None), &inputs, kept)
}

/// What is said of a script that does not do as it should.
fn problem(script: &str, limits: &str) -> String {
    let error = run(script, limits, &mut Kept::default()).expect_err("it does not do as it should");
    assert!(matches!(error, PluginError::Failed { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn an_honest_one_draws() {
    let script = "\
assert task['task'] == 'render' and task['size'] == [24, 16]
for frame in task['frames']:
    assert json.loads((JOB / frame['input']).read_text())['version'] == 1
    give(frame['number'], f\"{frame['number']:04}.exr\")
    say(progress=0.5)
print('a word of its own', file=sys.stderr)
";
    let mut kept = Kept::default();
    run(script, "", &mut kept).unwrap();
    assert_eq!(kept.pictures.keys().collect::<Vec<_>>(), [&0, &1]);
    assert_eq!(kept.share, 0.5);
    let picture = &kept.pictures[&0];
    assert_eq!([picture.width, picture.height], SIZE);
    assert_eq!(picture.pixels[2 * 24 + 3], [4.0, 0.5, 0.25]);
}

#[test]
fn what_it_says_and_does_is_looked_at() {
    let cases = [
        ("print('hello')", "said what is no answer: hello"),
        ("sys.stdout.buffer.write(bytes(range(256)) * 64); sys.stdout.flush()", "said what is no answer"),
        ("sys.stdout.write('x' * 200000); sys.stdout.flush()", "said a line that is too long"),
        ("say(frame=7, file='0007.exr')", "drew frame 7, which was not asked for"),
        ("give(0, 'a.exr'); give(0, 'b.exr')", "drew frame 0, which was not asked for or was there already"),
        ("give(0, 'a.exr')", "ended without frame 1"),
        ("say(frame=0, file='a.exr')", "says that frame 0 is in a.exr, which cannot be read: No such file"),
        ("give(0, 'a.exr', 'small.exr')", "which is 5x5, not 24x16"),
        ("give(0, 'a.exr', 'run.py')", "which is no exr that can be read"),
        ("say(frame=0, file='../plugin/good.exr')", "a name is of letters, digits"),
        ("say(frame=0, file='/plugin/good.exr')", "a name is of letters, digits"),
        ("say(frame=0, file='.exr')", "a name is of letters, digits"),
        ("os.symlink('/plugin/good.exr', OUT / 'a.exr'); say(frame=0, file='a.exr')", "cannot be read"),
        ("os.symlink('/etc/passwd', OUT / 'a.exr'); say(frame=0, file='a.exr')", "cannot be read"),
        (
            "shutil.copy('good.exr', OUT / 'b'); os.link(OUT / 'b', OUT / 'a.exr'); say(frame=0, file='a.exr')",
            "is not a file of its own",
        ),
        ("os.mkfifo(OUT / 'a.exr'); say(frame=0, file='a.exr')", "is not a file of its own"),
        ("os.mkdir(OUT / 'a.exr'); say(frame=0, file='a.exr')", "is not a file of its own"),
        ("say(film={'frames': [0, 1], 'fps': 24, 'size': [8, 8]})", "answered what it was not asked"),
        ("say(error='no \\x1b[31mlight\\n in here')", "says: no [31mlight in here"),
        ("say(frame=0, file='a.exr', more=1)", "said what is no answer"),
        ("sys.stderr.write('the reason\\n'); sys.exit(3)", "ended with exit status: 3; it said: the reason"),
        ("os.kill(os.getpid(), 11)", "ended with"),
    ];
    for (script, expected) in cases {
        let problem = problem(script, "");
        assert!(problem.contains(expected), "{script}: {problem}");
        assert!(!problem.chars().any(char::is_control), "{problem:?}");
    }
}

/// More than a plug-in's limits allow ends it and all that it started, in words, and nothing stays behind.
#[test]
fn limits_hold() {
    let bomb = "\
while True:
    try:
        os.fork()
    except OSError:
        pass
";
    let many = "\
for _ in range(200):
    if os.fork() == 0:
        time.sleep(600)
time.sleep(600)
";
    let cases = [
        ("time.sleep(600)", "seconds_to_start = 1\nseconds_per_frame = 1", "did not finish in its time"),
        ("os.close(1); time.sleep(600)", "seconds_to_start = 1\nseconds_per_frame = 1", "did not finish in its time"),
        ("x = bytearray(900 << 20); time.sleep(600)", "memory_mib = 128", "needed more than 128 MiB of memory"),
        (
            "for _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(64 << 20)\n        time.sleep(600)\ntime.sleep(600)",
            "memory_mib = 256",
            "needed more than 256 MiB of memory",
        ),
        ("f = open(OUT / 'big', 'wb')\nwhile True: f.write(bytes(1 << 20))", "output_mib = 16", "ended with"),
        ("open(OUT / '0000.exr', 'wb').truncate(100 << 30)", "output_mib = 16", "ended with"),
        (
            "for i in range(100000):\n    open(OUT / str(i), 'wb').truncate(15 << 20)\ntime.sleep(600)",
            "output_mib = 16\nseconds_to_start = 5\nseconds_per_frame = 1",
            "",
        ),
        (
            "for i in range(100000):\n    (OUT / str(i)).write_bytes(bytes(8 << 20))\ntime.sleep(600)",
            "output_mib = 32",
            "wrote more than 32 MiB",
        ),
        (
            "fds = [os.memfd_create(str(i)) for i in range(30)]\nfor fd in fds: os.write(fd, bytes(8 << 20))\ntime.sleep(600)",
            "memory_mib = 128",
            "needed more than 128 MiB of memory",
        ),
        (
            "kept = []\nfor i in range(30):\n    kept.append(open(OUT / 'x', 'wb'))\n    os.unlink(OUT / 'x')\n    kept[-1].write(bytes(4 << 20))\n    kept[-1].flush()\ntime.sleep(600)",
            "output_mib = 16",
            "wrote more than 16 MiB",
        ),
        (
            "for i in range(60000): open(OUT / str(i), 'w').close()\ntime.sleep(600)",
            "output_mib = 16",
            "wrote more than 16 MiB",
        ),
        ("while True: say(progress=0.1)", "seconds_to_start = 2\nseconds_per_frame = 1", ""),
        (bomb, "processes = 40\nseconds_to_start = 1\nseconds_per_frame = 2", ""),
        (many, "processes = 40\nseconds_to_start = 2\nseconds_per_frame = 2", ""),
    ];
    for (script, limits, expected) in cases {
        let start = Instant::now();
        let problem = problem(script, limits);
        assert!(problem.contains(expected), "{script}: {problem}");
        assert!(start.elapsed() < Duration::from_secs(60), "{script}: {:?}", start.elapsed());
    }
    assert_eq!(left_behind(), Vec::<PathBuf>::new());
}

/// Whatever runs from a plug-in's folder, or lies there.
fn left_behind() -> Vec<PathBuf> {
    let folders = format!("seedstorm-renderer-{}-", std::process::id());
    let left = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&folders));
    let own = |path: &Path| {
        let is_run_py = |bytes: Vec<u8>| bytes.split(|b| *b == 0).any(|word| word == b"run.py");
        fs::read(path.join("cmdline")).is_ok_and(is_run_py)
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let running = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).filter(|path| own(path));
        let temporary = fs::read_dir(std::env::temp_dir()).unwrap().flatten().map(|entry| entry.path()).filter(left);
        let found: Vec<PathBuf> = running.chain(temporary).collect();
        // Other tests of this file run beside this one, and end.
        if found.is_empty() || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// It sees its own folder, what it reads and the system's programs; it writes to one folder; it reaches nobody.
#[test]
fn it_is_kept_from_the_rest_of_the_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "mine").unwrap();
    let script = format!(
        "\
import socket, subprocess
done = []
def tries(name, do):
    try:
        do()
        done.append(name)
    except Exception:
        pass
tries('reads a secret', lambda: open('{secret}').read())
tries('sees the home', lambda: os.listdir('/root') or os.listdir('/home'))
tries('writes beside itself', lambda: open('/plugin/x', 'w'))
tries('writes to the job', lambda: open('/job/x', 'w'))
tries('writes to the system', lambda: open('/usr/x', 'w'))
tries('writes a host file', lambda: open('{outside}/x', 'w'))
tries('writes to the root', lambda: open('/x', 'w'))
tries('writes to devices', lambda: open('/dev/y', 'w'))
tries('has much in memory', lambda: open('/dev/shm/a', 'wb').write(bytes(4 << 20)))
tries('is in another world', lambda: subprocess.run(['unshare', '--user', 'true'], check=True, capture_output=True))
tries('connects', lambda: socket.create_connection(('127.0.0.1', {port}), 2))
tries('connects outside', lambda: socket.create_connection(('1.1.1.1', 53), 2))
for name in pathlib.Path('/proc').glob('[0-9]*/environ'):
    try:
        if b'SEEDSTORM' in name.read_bytes() or b'CARGO' in name.read_bytes(): print('reads the environment of', name, file=sys.stderr)
    except OSError:
        pass
tries('mounts', lambda: subprocess.run(['mount', '-t', 'tmpfs', 'x', '/plugin'], check=True, capture_output=True))
tries('is the superuser', lambda: os.setuid(0))
tries('sees others', lambda: [p for p in os.listdir('/proc') if p.isdigit()][5])
tries('has a name', lambda: os.environ['USER'])
say(error='did: ' + ', '.join(done))
",
        secret = secret.display(),
        outside = outside.path().display(),
    );
    let problem = problem(&script, "");
    assert!(problem.contains("says: did:") && problem.trim_end().ends_with("did:"), "{problem}");
    assert!(listener.accept().is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_run_can_be_stopped() {
    let mut kept = Kept { stop_after: Some(Instant::now() + Duration::from_millis(500)), ..Kept::default() };
    let start = Instant::now();
    assert!(matches!(run("time.sleep(600)", "", &mut kept), Err(PluginError::Cancelled)));
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_file_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("piece.txt");
    fs::write(&file, "words").unwrap();
    let describe = |script: &str| {
        let (_folder, plugin) = plugin(&format!("{START}{script}"), "");
        plugin.describe(&sandbox(), &file, &mut || false)
    };
    let honest = "\
assert task['task'] == 'describe' and (JOB / task['input']).read_text() == 'words'
say(film={'frames': [1, 24], 'fps': 24, 'size': [640, 480]})
";
    assert_eq!(describe(honest).unwrap(), protocol::Film { frames: [1, 24], fps: 24, size: [640, 480], note: None });
    for film in [
        "'frames': [5, 1], 'fps': 24, 'size': [8, 8]",
        "'frames': [1, 2], 'fps': 0, 'size': [8, 8]",
        "'frames': [1, 2], 'fps': 24, 'size': [8, 100000]",
    ] {
        let error = describe(&format!("say(film={{{film}}})")).unwrap_err().to_string();
        assert!(error.contains("a film that there cannot be"), "{error}");
    }
    assert!(describe("pass").unwrap_err().to_string().contains("without saying what is in the file"));
    let (_folder, plugin) = plugin("", "");
    let other = folder.path().join("piece.png");
    assert!(matches!(plugin.describe(&sandbox(), &other, &mut || false), Err(PluginError::Unreadable { .. })));
}

#[test]
fn folders_are_looked_at_before_they_are_used() {
    let (folder, _) = plugin("", "");
    let path = folder.path().join("renderer.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(folder.path().join("run.py"), "changed").unwrap();
    assert!(matches!(Plugin::open(folder.path()), Err(PluginError::Digest { .. })));
    fs::write(folder.path().join("run.py"), "").unwrap();
    Plugin::open(folder.path()).unwrap();
    // What it runs is a part of what the digest is of.
    fs::write(&path, text.replace("\"run.py\"", "\"-c\", \"1\"")).unwrap();
    assert!(matches!(Plugin::open(folder.path()), Err(PluginError::Digest { .. })));
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
    assert!(Plugin::unsealed(folder.path()).unwrap_err().to_string().contains("no links"));
    fs::remove_file(folder.path().join("link")).unwrap();
    for (from, to) in [
        ("protocol = 1", "protocol = 2"),
        ("name = \"probe\"", "name = \"cpu\""),
        ("name = \"probe\"", "name = \"../up\""),
        ("about = \"a test\"", "about = \"a\\u202etest\""),
        ("reads = [\"scene\", \"txt\"]", "reads = []"),
        ("command = [\"python3\", \"run.py\"]", "command = []"),
        ("command = [\"python3\", \"run.py\"]", "command = [\"/bin/sh\"]"),
        ("command = [\"python3\", \"run.py\"]", "command = [\"../sh\"]"),
        ("[limits]", "[limits]\nmemory_mib = 1"),
        ("[limits]", "[limits]\nprocesses = 0"),
        ("[limits]", "[limits]\nspeed = 1"),
    ] {
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = Plugin::unsealed(folder.path()).unwrap_err();
        assert!(matches!(error, PluginError::Manifest { .. }), "{to}: {error}");
    }
    fs::write(&path, "x".repeat(100_000)).unwrap();
    assert!(Plugin::unsealed(folder.path()).unwrap_err().to_string().contains("at most 64 KiB"));
}
