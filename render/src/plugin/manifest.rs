//! `renderer.toml`: what a plug-in is.

use std::fmt::Display;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::PluginError;

/// The manifest's name in a plug-in's folder.
pub(super) const MANIFEST: &str = "renderer.toml";
/// The largest manifest, in bytes.
pub(super) const MAX_MANIFEST_BYTES: u64 = 64 << 10;

/// Endings of recipes and of scene files.
const OURS: [&str; 2] = ["json", "toml"];

/// What `reads` calls our own scenes; anything else is the ending of a file's name.
pub(super) const SCENE: &str = "scene";

/// What a plug-in says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The protocol that it speaks: 1.
    pub protocol: u32,
    /// What it is called on the command line: lower-case letters, digits and `-`.
    pub name: String,
    /// Its version, as its author counts.
    pub version: String,
    /// One line about it.
    pub about: String,
    /// The program and its arguments. A program with a slash is a file of the plug-in, any other is looked for on the
    /// `PATH`.
    pub command: Vec<String>,
    /// What it draws: `scene`, or endings of files (`blend`).
    pub reads: Vec<String>,
    /// Other programs that it starts, which have to be installed.
    #[serde(default)]
    pub needs: Vec<String>,
    /// BLAKE3 digest of its files and of this manifest with zeros in the digest's place, hexadecimal; `seedstorm renderer
    /// check` says it.
    pub digest: String,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
}

/// What a plug-in may use; more than one of them ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory of all its processes together, MiB, in 16..=262144.
    pub memory_mib: u64,
    /// Seconds by the clock, whatever the number of frames, in 1..=3600.
    pub seconds_to_start: u64,
    /// Seconds more for each frame, in 1..=86400.
    pub seconds_per_frame: u64,
    /// Processes and threads at a time, in 1..=4096.
    pub processes: u64,
    /// Bytes of all its files together, MiB, in 1..=65536.
    pub output_mib: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_mib: 8192, seconds_to_start: 60, seconds_per_frame: 3600, processes: 256, output_mib: 2048 }
    }
}

impl Manifest {
    /// Reads and checks a manifest; `path` is for errors.
    ///
    /// # Errors
    ///
    /// [`PluginError::Manifest`] names the field that is wrong.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, PluginError> {
        let wrong = |problem: String| PluginError::Manifest { path: path.into(), problem };
        let manifest: Self = toml::from_str(text).map_err(|error| wrong(error.to_string().trim().to_owned()))?;
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        let expect = |holds: bool, problem: &dyn Display| if holds { Ok(()) } else { Err(problem.to_string()) };
        expect(self.protocol == 1, &format!("`protocol` is {}: this version speaks 1", self.protocol))?;
        expect(is_name(&self.name), &"`name` is 1 to 32 lower-case letters, digits and `-`, a letter first")?;
        expect(!["cpu", "gpu", "auto"].contains(&self.name.as_str()), &"`name` is one of our own renderers'")?;
        expect(is_line(&self.version, 32), &"`version` is a line of at most 32 characters")?;
        expect(is_line(&self.about, 200), &"`about` is a line of at most 200 characters")?;
        let words =
            |list: &[String]| list.iter().all(|word| !word.is_empty() && word.len() <= 1000 && !word.contains('\0'));
        expect(
            (1..=64).contains(&self.command.len()) && words(&self.command),
            &"`command` is a program and at most 63 arguments",
        )?;
        let within = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        expect(within(&self.command[0]), &"`command` names a program, or a file within the plug-in's folder")?;
        expect(
            (1..=16).contains(&self.reads.len())
                && self.reads.iter().all(|ending| is_name(ending) && !OURS.contains(&ending.as_str())),
            &"`reads` is `scene`, or endings of files such as `blend`; `json` and `toml` are Seedstorm's own",
        )?;
        let program = |name: &String| is_line(name, 64) && !name.contains('/') && !name.starts_with('-');
        expect(self.needs.len() <= 16 && self.needs.iter().all(program), &"`needs` is at most 16 names of programs")?;
        let hex =
            self.digest.len() == 64 && self.digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        expect(hex, &"`digest` is 64 hexadecimal digits; `seedstorm renderer check` says which")?;
        let Limits { memory_mib, seconds_to_start, seconds_per_frame, processes, output_mib } = self.limits;
        expect((16..=262_144).contains(&memory_mib), &"`limits.memory_mib` is 16 to 262144")?;
        expect((1..=3600).contains(&seconds_to_start), &"`limits.seconds_to_start` is 1 to 3600")?;
        expect((1..=86_400).contains(&seconds_per_frame), &"`limits.seconds_per_frame` is 1 to 86400")?;
        expect((1..=4096).contains(&processes), &"`limits.processes` is 1 to 4096")?;
        expect((1..=65_536).contains(&output_mib), &"`limits.output_mib` is 1 to 65536")
    }
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_line(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && text.chars().all(seedstorm_sim::text::is_plain)
}
