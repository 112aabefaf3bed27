//! Where a plug-in runs: what it sees, what it may use, and that nothing of it is left afterwards.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::PluginError;
use super::manifest::{Limits, Manifest};

/// Most bytes in the temporary folder of a plug-in, which lies in memory.
const MAX_TEMPORARY_BYTES: u64 = 256 << 20;

/// What a file takes of the disk, however little is in it.
const ENTRY_BYTES: u64 = 4096;

/// What keeps a plug-in from the rest of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sandbox {
    /// Bubblewrap: no network, its own folder and the system's programs to read, one folder to write to, own processes.
    Bubblewrap(PathBuf),
    /// Nothing but the limits of time and output. For plug-ins that are trusted as far as any other program.
    None,
}

/// The folders of one run.
#[derive(Debug)]
pub(super) struct Folders<'a> {
    /// The plug-in's own files.
    pub(super) plugin: &'a Path,
    /// What it reads.
    pub(super) job: &'a Path,
    /// What it writes.
    pub(super) out: &'a Path,
}

impl Sandbox {
    /// Bubblewrap, where it is installed and works.
    #[must_use]
    pub fn find() -> Option<Self> {
        let bwrap = program("bwrap")?;
        let sandbox = Self::Bubblewrap(bwrap);
        let mut probe = sandbox.confined(&["true".into()], Limits::default(), &[], None)?;
        let ran = probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        ran.is_ok_and(|status| status.success()).then_some(sandbox)
    }

    /// The command of a plug-in, ready to be started.
    pub(super) fn command(&self, manifest: &Manifest, folders: &Folders<'_>) -> Result<Command, PluginError> {
        let mut words: Vec<OsString> = manifest.command.iter().map(OsString::from).collect();
        let own = manifest.command[0].contains('/');
        let mut command = match self {
            Self::Bubblewrap(_) => {
                if own {
                    words[0] = Path::new("/plugin").join(&manifest.command[0]).into();
                }
                self.confined(&words, manifest.limits, &manifest.needs, Some(folders))
                    .ok_or_else(|| PluginError::Unconfined(manifest.name.clone()))?
            }
            Self::None => {
                let program = if own { folders.plugin.join(&words[0]).into() } else { words.remove(0) };
                let mut command = Command::new(program);
                command.args(if own { &words[1..] } else { &words[..] });
                command.current_dir(folders.plugin).env("JOB", folders.job).env("OUT", folders.out);
                command
            }
        };
        // A Ctrl-C at the terminal is for us alone, who end it in order.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// `words` under bubblewrap.
    fn confined(
        &self,
        words: &[OsString],
        limits: Limits,
        needs: &[String],
        folders: Option<&Folders<'_>>,
    ) -> Option<Command> {
        let Self::Bubblewrap(bwrap) = self else { return None };
        // As the superuser it would be bound by no limit on processes: then it becomes nobody.
        let mut command = if let Some(nobody) = nobody() {
            let mut command = Command::new(program("setpriv")?);
            command.arg(format!("--reuid={nobody}")).arg(format!("--regid={nobody}"));
            command.args(["--clear-groups", "--no-new-privs"]).arg(bwrap);
            command
        } else {
            Command::new(bwrap)
        };
        // Bubblewrap itself is a process that the plug-in can look at: what we were told in secret is not for it.
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.args(["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]);
        command.args([
            "--disable-userns",
            "--unshare-cgroup-try",
            "--die-with-parent",
            "--new-session",
            "--hostname",
            "sandbox",
        ]);
        command.args(["--cap-drop", "ALL", "--clearenv", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"]);
        for (name, value) in [("HOME", "/tmp"), ("LANG", "C.UTF-8"), ("JOB", "/job"), ("OUT", "/out")] {
            command.args(["--setenv", name, value]);
        }
        command.args(["--ro-bind", "/usr", "/usr"]);
        for folder in ["/bin", "/sbin", "/lib", "/lib32", "/lib64"] {
            match fs::read_link(folder) {
                Ok(target) => command.arg("--symlink").arg(target).arg(folder),
                Err(_) => command.args(["--ro-bind-try", folder, folder]),
            };
        }
        // Programs find the folders of their settings; a file there may be anything, such as `passwd`.
        let settings = needs.iter().map(String::as_str).filter(|name| Path::new("/etc").join(name).is_dir());
        for file in ["alternatives", "fonts", "ld.so.cache"].into_iter().chain(settings) {
            let file = format!("/etc/{file}");
            command.args(["--ro-bind-try", &file, &file]);
        }
        // Programs that look for disks find those of the sandbox.
        command.args(["--symlink", "/proc/self/mounts", "/etc/mtab"]);
        // What lies in memory and is no process's is bounded where it is made.
        let temporary = (limits.memory_mib << 18).min(MAX_TEMPORARY_BYTES).to_string();
        command.args(["--proc", "/proc", "--dev", "/dev", "--size", "1048576", "--tmpfs", "/dev/shm"]);
        command.args(["--remount-ro", "/dev", "--size", &temporary, "--tmpfs", "/tmp"]);
        if let Some(Folders { plugin, job, out }) = folders {
            for (how, from, to) in
                [("--ro-bind", plugin, "/plugin"), ("--ro-bind", job, "/job"), ("--bind", out, "/out")]
            {
                command.arg(how).arg(from).arg(to);
            }
            command.args(["--chdir", "/plugin"]);
        }
        command.args(["--remount-ro", "/", "--", "prlimit", "--core=0", "--nofile=1024"]);
        command
            .arg(format!("--nproc={}", limits.processes))
            .arg(format!("--fsize={}", limits.output_mib << 20))
            .args(words);
        Some(command)
    }
}

/// Under whose name a plug-in runs where we are the superuser.
pub(super) fn nobody() -> Option<u32> {
    #[cfg(unix)]
    if rustix::process::geteuid().is_root() {
        // Of nobody else: limits count by name, and another run's processes are not ours to see.
        return Some(2_000_000_000 + std::process::id() % 100_000_000);
    }
    None
}

/// Where a program is.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A plug-in that runs, and all that it starts; ended when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    limits: Limits,
    until: Instant,
    looked: Instant,
    out: PathBuf,
    confined: bool,
}

impl Running {
    pub(super) fn new(child: Child, sandbox: &Sandbox, limits: Limits, frames: usize, out: &Path) -> Self {
        let now = Instant::now();
        let seconds = limits.seconds_to_start.saturating_add(limits.seconds_per_frame.saturating_mul(frames as u64));
        // A year is as good as any longer time.
        let time = Duration::from_secs(seconds.min(365 * 86_400));
        let confined = *sandbox != Sandbox::None;
        Self { child, limits, until: now + time, looked: now, out: out.into(), confined }
    }

    /// Whether it keeps to its limits; otherwise which one it broke, as the end of a sentence.
    pub(super) fn keeps_to_limits(&mut self) -> Result<(), String> {
        let now = Instant::now();
        if now > self.until {
            return Err("did not finish in its time".into());
        }
        if now - self.looked < Duration::from_millis(50) {
            return Ok(());
        }
        self.looked = now;
        let Limits { memory_mib, output_mib, processes, .. } = self.limits;
        let Usage { threads, memory, unlinked } = usage(self.child.id(), &self.out);
        if memory > memory_mib << 20 {
            return Err(format!("needed more than {memory_mib} MiB of memory"));
        }
        // A few of these are the sandbox's own.
        if threads > processes + 8 {
            return Err(format!("started more than {processes} processes"));
        }
        if written(&self.out, 0) + unlinked > output_mib << 20 {
            return Err(format!("wrote more than {output_mib} MiB"));
        }
        Ok(())
    }

    fn kill(&mut self) {
        #[cfg(unix)]
        if !self.confined
            && let Some(group) = rustix::process::Pid::from_raw(self.child.id() as i32)
        {
            // Whatever it started and left in its group.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        // Of a sandbox, the first process: all others end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What `root` and all that it has started hold.
#[derive(Debug, Default)]
struct Usage {
    threads: u64,
    /// Bytes that processes hold, and that lie in memory as files without a name.
    memory: u64,
    /// Bytes of files on the disk of `out` that have no name any more.
    unlinked: u64,
}

#[cfg(target_os = "linux")]
fn usage(root: u32, out: &Path) -> Usage {
    use std::collections::{HashMap, HashSet};
    use std::os::unix::fs::MetadataExt as _;
    // By parent: process, threads, pages.
    let mut children: HashMap<u32, Vec<(u32, u64, u64)>> = HashMap::new();
    let mut own = (0, 0);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name stands in brackets, and may hold anything.
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // proc(5): after the name, state is field 3, ppid 4, num_threads 20, rss 24.
        let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        if id == root {
            own = (field(20), field(24));
        }
        children.entry(field(4) as u32).or_default().push((id, field(20), field(24)));
    }
    let page = rustix::param::page_size() as u64;
    let mut sum = Usage { threads: own.0, memory: own.1 * page, unlinked: 0 };
    let (mut open, mut all) = (vec![root], vec![root]);
    while let Some(parent) = open.pop() {
        for (id, threads, pages) in children.remove(&parent).into_iter().flatten() {
            sum.threads += threads;
            sum.memory += pages * page;
            open.push(id);
            all.push(id);
        }
    }
    let disk = fs::metadata(out).map(|meta| meta.dev()).unwrap_or_default();
    let mut seen = HashSet::new();
    for id in all {
        for entry in fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten() {
            let Ok(meta) = fs::metadata(entry.path()) else { continue };
            if meta.is_file() && meta.nlink() == 0 && seen.insert((meta.dev(), meta.ino())) {
                let bytes = meta.blocks() * 512;
                if meta.dev() == disk {
                    sum.unlinked += bytes;
                } else {
                    sum.memory += bytes;
                }
            }
        }
    }
    sum
}

#[cfg(not(target_os = "linux"))]
fn usage(_: u32, _: &Path) -> Usage {
    Usage::default()
}

/// Bytes of all files below a folder, each at least [`ENTRY_BYTES`]; links are not followed.
fn written(folder: &Path, depth: u32) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        sum += meta.len().max(ENTRY_BYTES);
        if meta.is_dir() {
            // Nothing that is looked for lies so deep.
            sum += if depth == 16 { u64::from(u32::MAX) << 20 } else { written(&entry.path(), depth + 1) };
        }
    }
    sum
}
