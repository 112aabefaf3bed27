//! Scene files on the disk: read with the meshes beside them, none of which may lie outside of the scene's folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use seedstorm_mint::files;
use seedstorm_sim::scenario::authored::{Document, Folder, MAX_FILE_BYTES, SceneError, import};

use crate::StudioError;

/// Reads a scene file and what it names.
///
/// # Errors
/// The disk refuses, or the scene is wrong: with its line and field. Whether it makes sense as a whole is found when it is
/// resolved.
pub fn read(path: &Path) -> Result<Document, StudioError> {
    let wrong = |error| StudioError::Scene { path: path.to_owned(), error: Box::new(error) };
    let whole =
        |reason: String, help: &str| wrong(SceneError { place: None, field: String::new(), reason, help: help.into() });
    let bytes = files::read_bounded(path, MAX_FILE_BYTES as u64).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => whole(
            format!("the file {error}"),
            "say it in fewer words: one entry with `arrange` and distributions stands for many bodies",
        ),
        _ => StudioError::io(path)(error),
    })?;
    let text = String::from_utf8(bytes).map_err(|_| whole("the file is not UTF-8".into(), "a scene is a TOML file"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut folder = Beside(parent.unwrap_or(Path::new(".")).to_owned());
    import(&text, &mut folder).map_err(wrong)
}

/// The folder that a scene file lies in.
struct Beside(PathBuf);

impl Folder for Beside {
    /// `path` was checked to have plain names alone; here none of them may be a link.
    fn read(&mut self, path: &str, most: usize) -> Result<Vec<u8>, String> {
        let mut place = self.0.clone();
        for part in path.split('/') {
            place.push(part);
            let metadata = place.symlink_metadata().map_err(|error| said(path, &error))?;
            if metadata.is_symlink() {
                return Err(format!("is {path:?}, where {part:?} is a link, which may lead out of the scene's folder"));
            }
        }
        files::read_bounded(&place, most as u64).map_err(|error| said(path, &error))
    }
}

fn said(path: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("is {path:?}, and there is no such file in the scene's folder"),
        _ => format!("is {path:?}, which cannot be read: {error}"),
    }
}
