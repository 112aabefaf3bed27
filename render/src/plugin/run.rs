//! A plug-in, and what it is asked to do.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::digest::{digest, files};
use super::manifest::{MANIFEST, MAX_MANIFEST_BYTES, Manifest, SCENE};
use super::picture::{MAX_SIDE, Picture};
use super::protocol::{Film, Frame, MAX_LINE_BYTES, MAX_LINES, Reply, Task, VERSION};
use super::sandbox::{Folders, Running, Sandbox, nobody, program};
use super::{PluginError, scene_file::SceneFile};

/// How folders of runs are called in the system's folder for temporary files, before the number of the process.
const FOLDERS: &str = "seedstorm-renderer-";

/// Last frame that a film may have: the last of Blender's.
const MAX_FRAME: u32 = 1_048_574;

/// Bytes of what it says on standard error that are kept.
const MAX_SAID: usize = 2000;

/// A renderer that is a program of its own.
#[derive(Debug, Clone)]
pub struct Plugin {
    manifest: Manifest,
    text: String,
    files: Vec<(PathBuf, Vec<u8>)>,
}

/// What a run tells, and asks.
pub trait Watch {
    /// The share that is done.
    fn reached(&mut self, share: f32);
    /// Whether to stop.
    fn stopped(&mut self) -> bool;
    /// A frame is there.
    ///
    /// # Errors
    ///
    /// Whatever ends the run.
    fn frame(&mut self, number: u32, picture: Picture) -> Result<(), PluginError>;
}

/// Something that a task reads.
#[derive(Debug)]
pub enum Input<'a> {
    /// One of our scenes.
    Scene(&'a SceneFile),
    /// A user's file.
    File(&'a Path),
}

impl Plugin {
    /// Reads a plug-in's folder.
    ///
    /// # Errors
    ///
    /// What is wrong with the manifest, or with the files beside it.
    pub fn open(folder: &Path) -> Result<Self, PluginError> {
        let plugin = Self::unsealed(folder)?;
        let found = plugin.digest();
        if found != plugin.manifest.digest {
            let Manifest { name, digest: said, .. } = plugin.manifest;
            return Err(PluginError::Digest { name, said, found });
        }
        Ok(plugin)
    }

    /// The same, whatever digest its manifest has.
    ///
    /// # Errors
    ///
    /// As for [`Plugin::open`].
    pub fn unsealed(folder: &Path) -> Result<Self, PluginError> {
        let path = folder.join(MANIFEST);
        let mut text = String::new();
        let file = File::open(&path).map_err(PluginError::io(&path))?;
        file.take(MAX_MANIFEST_BYTES + 1).read_to_string(&mut text).map_err(PluginError::io(&path))?;
        if text.len() as u64 > MAX_MANIFEST_BYTES {
            let problem = format!("a manifest has at most {} KiB", MAX_MANIFEST_BYTES >> 10);
            return Err(PluginError::Manifest { path, problem });
        }
        Ok(Self { manifest: Manifest::parse(&text, &path)?, files: files(folder)?, text })
    }

    /// One that is part of this program.
    ///
    /// # Errors
    ///
    /// As for [`Plugin::open`].
    pub fn embedded(manifest: &str, files: &[(&str, &str)]) -> Result<Self, PluginError> {
        let mut files: Vec<(PathBuf, Vec<u8>)> =
            files.iter().map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec())).collect();
        files.sort();
        let manifest_of = Manifest::parse(manifest, Path::new(MANIFEST))?;
        Ok(Self { manifest: manifest_of, text: manifest.to_owned(), files })
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest that its files have.
    #[must_use]
    pub fn digest(&self) -> String {
        let manifest = self.text.replace(&self.manifest.digest, &"0".repeat(64));
        digest(&self.files, &manifest)
    }

    /// Its files and its manifest, as they would lie in a folder.
    pub fn contents(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let own = self.files.iter().map(|(path, bytes)| (path.as_path(), &bytes[..]));
        own.chain([(Path::new(MANIFEST), self.text.as_bytes())])
    }

    /// Whether all programs that it needs are here.
    ///
    /// # Errors
    ///
    /// [`PluginError::Missing`] names the first that is not.
    pub fn installed(&self) -> Result<(), PluginError> {
        let own = Some(&self.manifest.command[0]).filter(|name| !name.contains('/'));
        match own.into_iter().chain(&self.manifest.needs).find(|name| program(name).is_none()) {
            None => Ok(()),
            Some(program) => Err(PluginError::Missing { name: self.manifest.name.clone(), program: program.clone() }),
        }
    }

    /// What a user's file holds.
    ///
    /// # Errors
    ///
    /// As for [`Plugin::render`].
    pub fn describe(
        &self,
        sandbox: &Sandbox,
        file: &Path,
        stopped: &mut dyn FnMut() -> bool,
    ) -> Result<Film, PluginError> {
        let input = self.input_name(0, &Input::File(file))?;
        let task = Task::Describe { protocol: VERSION, input: input.clone() };
        let run = Run::start(self, sandbox, &task, &[(input, Input::File(file))], 1)?;
        let mut film = None;
        run.hear_out(stopped, &mut |_, reply| match reply {
            Reply::Film { film: found } if film.is_none() => {
                let Film { frames: [first, last], fps, size, .. } = found;
                let sizes = size.iter().all(|side| (1..=MAX_SIDE).contains(side));
                if first > last || last > MAX_FRAME || !(1..=120).contains(&fps) || !sizes {
                    let [width, height] = size;
                    return Err(self.failed(format!(
                        "described a film that there cannot be: frames {first} to {last}, {fps} a second, {width}x{height}"
                    )));
                }
                film = Some(Film { note: found.note.map(|note| plain(note.as_bytes())), ..found });
                Ok(())
            }
            Reply::Progress { .. } => Ok(()),
            other => Err(self.failed(format!("answered what it was not asked: {}", shown(&other)))),
        })?;
        film.ok_or_else(|| self.failed("ended without saying what is in the file"))
    }

    /// Draws frames: `task` without its frames, which are these.
    ///
    /// # Errors
    ///
    /// [`PluginError::Failed`] where it did not do what it was asked or broke a limit, [`PluginError::Cancelled`], and
    /// whatever `watch` says of a frame.
    pub fn render(
        &self,
        sandbox: &Sandbox,
        task: &Task,
        inputs: &[(u32, Input<'_>)],
        watch: &mut dyn Watch,
    ) -> Result<(), PluginError> {
        let mut task = task.clone();
        let Task::Render { frames, size, tile, format, .. } = &mut task else {
            return Err(self.failed("was to draw, and was asked something else"));
        };
        let mut named = Vec::new();
        for (number, input) in inputs {
            // Frames of one file share it.
            let name = self.input_name(*number, input)?;
            frames.push(Frame { number: *number, input: name.clone() });
            if !named.iter().any(|(there, _)| *there == name) {
                named.push((name, Input::clone_of(input)));
            }
        }
        let expected = tile.map_or(*size, |tile| Some([tile.width, tile.height]));
        let format = *format;
        let mut missing: BTreeSet<u32> = inputs.iter().map(|(number, _)| *number).collect();
        // Four floats a pixel, and what is said beside them.
        let raw = expected.map_or(1 << 30, |[width, height]| u64::from(width) * u64::from(height) * 20 + (1 << 20));
        let most = raw.min(self.manifest.limits.output_mib << 20);
        let run = Run::start(self, sandbox, &task, &named, inputs.len())?;
        let watch = std::cell::RefCell::new(watch);
        run.hear_out(&mut || watch.borrow_mut().stopped(), &mut |out, reply| match reply {
            Reply::Progress { progress } => {
                if (0.0..=1.0).contains(&progress) {
                    watch.borrow_mut().reached(progress);
                }
                Ok(())
            }
            Reply::Frame { frame, file } => {
                if !missing.remove(&frame) {
                    return Err(self.failed(format!("drew frame {frame}, which was not asked for or was there already")));
                }
                if !is_picture_name(&file, format.ending()) {
                    return Err(self.failed(format!(
                        "called the picture of frame {frame} {file:?}: a name is of letters, digits, `-` and `_` and ends \
                         in `.{}`",
                        format.ending()
                    )));
                }
                let path = out.join(&file);
                let picture = Picture::read(&path, format, most, expected)
                    .map_err(|problem| self.failed(format!("says that frame {frame} is in {file}, which {problem}")))?;
                // It may be as large as all output may be, and has been read.
                let _ = fs::remove_file(&path);
                watch.borrow_mut().frame(frame, picture)
            }
            other => Err(self.failed(format!("answered what it was not asked: {}", shown(&other)))),
        })?;
        match missing.first() {
            None => Ok(()),
            Some(frame) => Err(self.failed(format!("ended without frame {frame}"))),
        }
    }

    /// What an input is called in `JOB`.
    fn input_name(&self, number: u32, input: &Input<'_>) -> Result<String, PluginError> {
        let (kind, name) = match input {
            Input::Scene(_) => (SCENE.to_owned(), format!("{number:04}.json")),
            Input::File(path) => {
                let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
                let name = format!("file.{ending}");
                (ending, name)
            }
        };
        if self.manifest.reads.contains(&kind) {
            return Ok(name);
        }
        let what = match input {
            Input::Scene(_) => "pieces".to_owned(),
            Input::File(path) => format!("files such as {}", path.display()),
        };
        let (name, reads) = (self.manifest.name.clone(), self.manifest.reads.join(", "));
        Err(PluginError::Unreadable { name, what, reads })
    }

    fn failed(&self, problem: impl Into<String>) -> PluginError {
        PluginError::Failed {
            name: self.manifest.name.clone(),
            problem: problem.into(),
            by_limit: false,
            said: String::new(),
        }
    }
}

impl<'a> Input<'a> {
    fn clone_of(of: &Self) -> Self {
        match of {
            Self::Scene(scene) => Self::Scene(scene),
            Self::File(path) => Self::File(path),
        }
    }
}

/// A run under way, in a folder of its own.
struct Run<'a> {
    plugin: &'a Plugin,
    running: Running,
    replies: mpsc::Receiver<Result<Reply, String>>,
    said: Arc<Mutex<Vec<u8>>>,
    readers: Vec<thread::JoinHandle<()>>,
    out: PathBuf,
    // Last, so that it goes when nothing runs any more.
    _folder: tempfile::TempDir,
}

impl<'a> Run<'a> {
    fn start(
        plugin: &'a Plugin,
        sandbox: &Sandbox,
        task: &Task,
        inputs: &[(String, Input<'_>)],
        frames: usize,
    ) -> Result<Self, PluginError> {
        plugin.installed()?;
        remove_abandoned();
        let prefix = format!("{FOLDERS}{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
        let folder = folder.map_err(PluginError::io(&std::env::temp_dir()))?;
        let [own, job, out] = ["plugin", "job", "out"].map(|name| folder.path().join(name));
        for (path, bytes) in plugin.contents() {
            write(&own.join(path), bytes)?;
        }
        fs::create_dir(&job).map_err(PluginError::io(&job))?;
        for (name, input) in inputs {
            match input {
                Input::Scene(scene) => {
                    write(&job.join(name), scene.json.to_string().as_bytes())?;
                    // Beside the scene, under the name that it has there.
                    let numbers = scene.json["numbers"].as_str().unwrap_or("scene.bin");
                    write(&job.join(numbers), &scene.numbers)?;
                }
                Input::File(path) => {
                    fs::copy(path, job.join(name)).map_err(PluginError::io(path))?;
                }
            }
        }
        fs::create_dir(&out).map_err(PluginError::io(&out))?;
        open_to_others(folder.path(), &out)?;

        let folders = Folders { plugin: &own, job: &job, out: &out };
        let mut command = sandbox.command(&plugin.manifest, &folders)?;
        let name = &plugin.manifest.name;
        let mut child = command.spawn().map_err(|error| plugin.failed(format!("could not be started: {error}")))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let running = Running::new(child, sandbox, plugin.manifest.limits, frames, &out);
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(plugin.failed("has no standard streams"));
        };
        let line = serde_json::to_string(task).map_err(|error| plugin.failed(format!("cannot be asked: {error}")))?;
        // A full pipe stops the writer, and nobody else.
        thread::Builder::new()
            .name(format!("{name} in"))
            .spawn(move || ask(stdin, &line))
            .map_err(PluginError::io(&own))?;
        let (tell, replies) = mpsc::sync_channel(64);
        let said = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&said);
        let readers = vec![
            thread::Builder::new().name(format!("{name} out")).spawn(move || listen(stdout, &tell)),
            thread::Builder::new().name(format!("{name} err")).spawn(move || keep_the_end(stderr, &keep)),
        ];
        let readers = readers.into_iter().collect::<Result<_, _>>().map_err(PluginError::io(&own))?;
        Ok(Self { plugin, running, replies, said, readers, out, _folder: folder })
    }

    /// Hears all of it, until it has ended.
    fn hear_out(
        mut self,
        stopped: &mut dyn FnMut() -> bool,
        hear: &mut dyn FnMut(&Path, Reply) -> Result<(), PluginError>,
    ) -> Result<(), PluginError> {
        let result = self.heard(stopped, hear);
        // What holds the pipes goes first, so that the readers come to an end.
        drop(self.running);
        drop(self.replies);
        for reader in self.readers {
            let _ = reader.join();
        }
        result.map_err(|error| match error {
            PluginError::Failed { name, problem, by_limit, .. } => {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                PluginError::Failed { name, problem, by_limit, said: plain(&said) }
            }
            other => other,
        })
    }

    fn heard(
        &mut self,
        stopped: &mut dyn FnMut() -> bool,
        hear: &mut dyn FnMut(&Path, Reply) -> Result<(), PluginError>,
    ) -> Result<(), PluginError> {
        loop {
            match self.replies.recv_timeout(Duration::from_millis(20)) {
                Ok(Ok(Reply::Error { error })) => {
                    return Err(self.plugin.failed(format!("says: {}", plain(error.as_bytes()))));
                }
                Ok(Ok(reply)) => hear(&self.out, reply)?,
                Ok(Err(problem)) => return Err(self.plugin.failed(problem)),
                Err(RecvTimeoutError::Timeout) => {}
                // It has closed its output, and ends, or has ended.
                Err(RecvTimeoutError::Disconnected) => {
                    if let Some(status) = self.running.child.try_wait().map_err(PluginError::io(&self.out))? {
                        return if status.success() {
                            Ok(())
                        } else {
                            Err(self.plugin.failed(format!("ended with {status}")))
                        };
                    }
                    thread::sleep(Duration::from_millis(5));
                }
            }
            if stopped() {
                return Err(PluginError::Cancelled);
            }
            if let Err(problem) = self.running.keeps_to_limits() {
                let (name, said) = (self.plugin.manifest.name.clone(), String::new());
                return Err(PluginError::Failed { name, problem, by_limit: true, said });
            }
        }
    }
}

/// Removes the folders of runs whose process was killed.
#[cfg(unix)]
fn remove_abandoned() {
    use rustix::process::{Pid, test_kill_process};
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(FOLDERS)?.split('-').next()?.parse().ok());
        if let Some(owner) = owner.and_then(Pid::from_raw)
            && test_kill_process(owner) == Err(rustix::io::Errno::SRCH)
        {
            // Another's is not ours to remove.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(not(unix))]
fn remove_abandoned() {}

fn write(path: &Path, bytes: &[u8]) -> Result<(), PluginError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(PluginError::io(folder))?;
    }
    fs::write(path, bytes).map_err(PluginError::io(path))
}

/// Lets the name under which a plug-in runs read what is here, and write to `out`.
#[cfg(unix)]
fn open_to_others(folder: &Path, out: &Path) -> Result<(), PluginError> {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let Some(nobody) = nobody() else { return Ok(()) };
    fn readable(path: &Path) -> std::io::Result<()> {
        let meta = fs::symlink_metadata(path)?;
        let executable = meta.is_dir() || path.components().any(|part| part.as_os_str() == "plugin");
        fs::set_permissions(path, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        if meta.is_dir() {
            for entry in fs::read_dir(path)? {
                readable(&entry?.path())?;
            }
        }
        Ok(())
    }
    readable(folder).map_err(PluginError::io(folder))?;
    chown(out, Some(nobody), Some(nobody)).map_err(PluginError::io(out))
}

#[cfg(not(unix))]
fn open_to_others(_: &Path, _: &Path) -> Result<(), PluginError> {
    Ok(())
}

fn ask(mut stdin: ChildStdin, line: &str) {
    // One that does not listen is found out by what it answers.
    let _ = stdin.write_all(line.as_bytes()).and_then(|()| stdin.write_all(b"\n"));
}

/// Reads lines, and ends with the first that is none.
fn listen(stdout: impl Read, tell: &SyncSender<Result<Reply, String>>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    for _ in 0..MAX_LINES {
        line.clear();
        let reply = match (&mut stdout).take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(bytes) if bytes > MAX_LINE_BYTES => Err("said a line that is too long".to_owned()),
            Ok(_) => serde_json::from_slice::<Reply>(&line)
                .map_err(|_| format!("said what is no answer: {}", plain(&line[..line.len().min(200)]))),
            Err(error) => Err(format!("cannot be heard: {error}")),
        };
        let ends = reply.is_err();
        if tell.send(reply).is_err() || ends {
            return;
        }
    }
    let _ = tell.send(Err("talks without end".into()));
}

/// Keeps the last of what is said.
fn keep_the_end(mut stderr: impl Read, keep: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut bytes) {
        let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&bytes[..count]);
        let over = kept.len().saturating_sub(MAX_SAID);
        kept.drain(..over);
    }
}

/// A text by somebody else on one line.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| seedstorm_sim::text::is_plain(*c)).collect()
}

fn shown(reply: &Reply) -> String {
    serde_json::to_string(reply).unwrap_or_default()
}

/// A name without a folder, a dot at its beginning or anything that a shell would read.
fn is_picture_name(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).and_then(|name| name.strip_suffix('.')).is_some_and(|stem| {
        (1..=100).contains(&stem.len()) && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}
