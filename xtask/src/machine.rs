//! What a figure was measured on.

use std::fs;
use std::process::Command;

use miette::{Result, miette};
use serde::Serialize;

use crate::process;

/// The machine and the compiler, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Machine {
    /// Processor, as it names itself.
    pub(crate) cpu: String,
    /// Threads that can run at once.
    pub(crate) cores: usize,
    /// Main memory.
    pub(crate) memory: String,
    /// Vulkan driver that GPU work ran on.
    pub(crate) adapter: String,
    /// Operating system and architecture.
    pub(crate) system: String,
    /// The compiler.
    pub(crate) rustc: String,
}

impl Machine {
    /// This machine; what cannot be found out is said to be unknown.
    pub(crate) fn this() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| field(&text, "model name"));
        let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory(&text));
        let unknown = || "unknown".to_owned();
        Self {
            cpu: cpu
                .or_else(|| process::ask(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"])))
                .unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory.unwrap_or_else(unknown),
            adapter: adapter(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            rustc: process::ask(Command::new("rustc").arg("--version")).unwrap_or_else(unknown),
        }
    }
}

/// Processes that want a core, averaged over the last minute: above 0 before a run, its seconds are too many.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// What the compiler in use compiles for by itself.
///
/// # Errors
///
/// If it does not say.
pub(crate) fn host() -> Result<String> {
    let version = process::ask(Command::new("rustc").arg("-vV")).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| miette!("`rustc -vV` does not say what it compiles for"))
}

fn adapter() -> String {
    let version = process::ask(Command::new("dpkg-query").args(["-W", "-f=${Version}", "mesa-vulkan-drivers"]));
    match (std::env::var("VK_DRIVER_FILES"), version) {
        (Ok(chosen), _) => chosen,
        (Err(_), Some(version)) if cfg!(target_os = "linux") => format!("llvmpipe, Mesa {version} (software)"),
        _ => "the system's own".to_owned(),
    }
}

/// The value of the first `name : value` line.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.split_whitespace().collect::<Vec<_>>().join(" "))
    })
}

fn memory(meminfo: &str) -> Option<String> {
    let total = field(meminfo, "MemTotal")?;
    let kibibytes: f64 = total.strip_suffix(" kB")?.parse().ok()?;
    Some(format!("{:.1} GiB", kibibytes / 1024.0 / 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_tables() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some  CPU @ 2.00GHz\n\nmodel name\t: Other\n";
        assert_eq!(field(cpuinfo, "model name").as_deref(), Some("Some CPU @ 2.00GHz"));
        assert_eq!(field(cpuinfo, "flags"), None);
        assert_eq!(memory("MemTotal:       25165824 kB\nMemFree: 1 kB\n").as_deref(), Some("24.0 GiB"));
        assert_eq!(memory("MemTotal: many\n"), None);
    }
}
