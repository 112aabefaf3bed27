//! Which renderers there are beside our own: Cycles, and plug-ins that somebody added to the home.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use seedstorm_mint::files::{self, Access};
use seedstorm_render::plugin::{Plugin, PluginError, Sandbox};
use serde::Serialize;

use crate::{Home, StudioError};

/// How often a plug-in that is added at the same time elsewhere is replaced.
const ADDING_TRIES: u32 = 20;

/// A renderer that is a program of its own.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// A line about it.
    pub about: String,
    /// What it draws: `scene`, or endings of files.
    pub reads: Vec<String>,
    /// Whether it came with this program.
    pub embedded: bool,
    /// BLAKE3 digest of its files.
    pub digest: String,
    /// Why it cannot be used now.
    pub problem: Option<String>,
}

/// All of them: those that came with this program, then those of the home by name.
///
/// # Errors
/// The home's folder cannot be read.
pub fn list(home: &Home) -> Result<Vec<Listed>, StudioError> {
    let listed = |plugin: &Plugin, embedded| {
        let it = plugin.manifest().clone();
        let (digest, problem) = (plugin.digest(), plugin.installed().err().map(|error| error.to_string()));
        Listed { name: it.name, version: it.version, about: it.about, reads: it.reads, embedded, digest, problem }
    };
    let mut all: Vec<Listed> = embedded().iter().map(|plugin| listed(plugin, true)).collect();
    for folder in added(home)? {
        all.push(match Plugin::open(&folder) {
            Ok(plugin) => listed(&plugin, false),
            Err(error) => Listed {
                name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                version: String::new(),
                about: String::new(),
                reads: vec![],
                embedded: false,
                digest: String::new(),
                problem: Some(error.to_string()),
            },
        });
    }
    Ok(all)
}

/// The one of this name.
///
/// # Errors
/// [`StudioError::NoSuchRenderer`]; a plug-in that was changed since it was added.
pub fn find(home: &Home, name: &str) -> Result<Plugin, StudioError> {
    if let Some(plugin) = embedded().into_iter().find(|plugin| plugin.manifest().name == name) {
        return Ok(plugin);
    }
    match added(home)?.iter().find(|folder| folder.file_name().is_some_and(|there| there == name)) {
        Some(folder) => Ok(Plugin::open(folder)?),
        None => {
            let names: Vec<String> = list(home)?.into_iter().map(|listed| listed.name).collect();
            Err(StudioError::NoSuchRenderer { name: name.into(), there_are: names.join(", ") })
        }
    }
}

/// The first that reads files with this ending.
///
/// # Errors
/// The home's folder cannot be read.
pub fn that_reads(home: &Home, ending: &str) -> Result<Option<Plugin>, StudioError> {
    let reads = |plugin: &Plugin| plugin.manifest().reads.iter().any(|it| it == ending);
    if let Some(plugin) = embedded().into_iter().find(reads) {
        return Ok(Some(plugin));
    }
    Ok(added(home)?.iter().filter_map(|folder| Plugin::open(folder).ok()).find(reads))
}

/// Takes a plug-in's folder into the home, in place of one of the same name, whose version comes back too.
///
/// # Errors
/// What is wrong with the folder; a name that is taken by one that came with this program.
pub fn add(home: &Home, folder: &Path) -> Result<(Plugin, Option<String>), StudioError> {
    let plugin = Plugin::open(folder)?;
    let name = &plugin.manifest().name;
    if is_embedded(name) {
        return Err(StudioError::RendererTaken(name.clone()));
    }
    let place = home.renderers();
    fs::create_dir_all(&place).map_err(StudioError::io(&place))?;
    // Whole or not at all.
    let making = tempfile::Builder::new().prefix(".adding-").tempdir_in(&place).map_err(StudioError::io(&place))?;
    for (path, bytes) in plugin.contents() {
        let path = making.path().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(StudioError::io(parent))?;
        }
        files::write_atomically(&path, bytes, Access::Shared).map_err(StudioError::io(&path))?;
    }
    let to = place.join(name);
    let replaced = to.is_dir().then(|| Plugin::unsealed(&to).map_or_else(|_| "unknown".into(), version));
    let made = making.keep();
    // Another process may be adding one of the same name.
    let mut tries = 0..ADDING_TRIES;
    loop {
        remove(home, name)?;
        match fs::rename(&made, &to) {
            Ok(()) => break,
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && tries.next().is_some() => {}
            Err(error) => {
                let _ = fs::remove_dir_all(&made);
                return Err(StudioError::io(&to)(error));
            }
        }
    }
    Ok((plugin, replaced))
}

fn version(plugin: Plugin) -> String {
    plugin.manifest().version.clone()
}

/// Writes the digest of a plug-in's files into its manifest.
///
/// # Errors
/// What is wrong with the folder; the disk refuses.
pub fn seal(folder: &Path) -> Result<(), StudioError> {
    let plugin = Plugin::unsealed(folder)?;
    let path = folder.join("renderer.toml");
    let text = fs::read_to_string(&path).map_err(StudioError::io(&path))?;
    let text = text.replace(&plugin.manifest().digest, &plugin.digest());
    files::write_atomically(&path, text.as_bytes(), Access::Shared).map_err(StudioError::io(&path))
}

/// Removes one that was added; whether there was one.
///
/// # Errors
/// The disk refuses.
pub fn remove(home: &Home, name: &str) -> Result<bool, StudioError> {
    let Some(folder) = added(home)?.into_iter().find(|folder| folder.file_name().is_some_and(|there| there == name))
    else {
        return Ok(false);
    };
    match fs::remove_dir_all(&folder) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true).map_err(StudioError::io(&folder)),
    }
}

/// What keeps plug-ins from the rest of the machine.
///
/// # Errors
/// [`PluginError::Unconfined`] where nothing does and `unconfined` does not allow it.
pub fn sandbox(plugin: &Plugin, unconfined: bool) -> Result<Sandbox, StudioError> {
    match Sandbox::find() {
        Some(sandbox) => Ok(sandbox),
        None if unconfined => Ok(Sandbox::None),
        None => Err(PluginError::Unconfined(plugin.manifest().name.clone()).into()),
    }
}

/// Whether the renderer of this name came with this program.
#[must_use]
pub fn is_embedded(name: &str) -> bool {
    embedded().iter().any(|there| there.manifest().name == name)
}

fn embedded() -> [Plugin; 1] {
    [Plugin::cycles()]
}

fn added(home: &Home) -> Result<Vec<PathBuf>, StudioError> {
    let place = home.renderers();
    if !place.is_dir() {
        return Ok(vec![]);
    }
    let entries = fs::read_dir(&place).map_err(StudioError::io(&place))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.retain(|path| path.is_dir() && !path.file_name().unwrap_or_default().to_string_lossy().starts_with('.'));
    folders.sort();
    Ok(folders)
}
