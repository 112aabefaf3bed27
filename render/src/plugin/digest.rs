//! A plug-in's files, and the digest that they go by.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::PluginError;
use super::manifest::MANIFEST;

/// Most files of a plug-in, most bytes of all of them, and how deep its folders go.
const MAX_FILES: usize = 1000;
const MAX_BYTES: u64 = 64 << 20;
const MAX_DEPTH: usize = 8;

/// The files of a plug-in but its manifest: their paths within `folder`, in order, and their bytes.
///
/// # Errors
///
/// [`PluginError::Folder`] for links, devices, names that are not plain text, too many files or bytes.
pub(super) fn files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, PluginError> {
    let mut found = Vec::new();
    let mut left = MAX_BYTES;
    walk(folder, Path::new(""), 0, &mut left, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(
    root: &Path,
    within: &Path,
    depth: usize,
    left: &mut u64,
    found: &mut Vec<(PathBuf, Vec<u8>)>,
) -> Result<(), PluginError> {
    let folder = root.join(within);
    for entry in fs::read_dir(&folder).map_err(PluginError::io(&folder))? {
        let entry = entry.map_err(PluginError::io(&folder))?;
        let path = entry.path();
        let wrong = |problem: &str| Err(PluginError::Folder { path: path.clone(), problem: problem.into() });
        let Some(name) = entry.file_name().to_str().filter(|name| is_plain(name)).map(str::to_owned) else {
            return wrong("a plug-in's files have names of letters, digits, `.`, `-` and `_`");
        };
        let within = within.join(&name);
        let kind = entry.file_type().map_err(PluginError::io(&path))?;
        if kind.is_dir() {
            // What Python leaves behind is no part of it.
            if name == "__pycache__" {
                continue;
            }
            if depth == MAX_DEPTH {
                return wrong("folders go too deep here");
            }
            walk(root, &within, depth + 1, left, found)?;
        } else if !kind.is_file() {
            return wrong("a plug-in holds files and folders, no links and nothing else");
        } else if within != Path::new(MANIFEST) {
            if found.len() == MAX_FILES {
                return wrong(&format!("a plug-in has at most {MAX_FILES} files"));
            }
            let mut bytes = Vec::new();
            let file = File::open(&path).map_err(PluginError::io(&path))?;
            file.take(*left + 1).read_to_end(&mut bytes).map_err(PluginError::io(&path))?;
            if bytes.len() as u64 > *left {
                return wrong(&format!("a plug-in has at most {} MiB of files", MAX_BYTES >> 20));
            }
            *left -= bytes.len() as u64;
            found.push((within, bytes));
        }
    }
    Ok(())
}

fn is_plain(name: &str) -> bool {
    name.len() <= 100
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// The BLAKE3 digest over paths and bytes, each with its length before it, and the manifest.
pub(super) fn digest(files: &[(PathBuf, Vec<u8>)], manifest: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for (path, bytes) in files {
        // Slashes on every system.
        let path: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        for part in [path.join("/").as_bytes(), bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.update(manifest.as_bytes());
    hasher.finalize().to_hex().to_string()
}
