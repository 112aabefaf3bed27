//! Files: written whole or not at all, opened without following links.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whom the process's umask allows.
    Shared,
    /// Only the file's owner (mode 0600).
    Private,
}

/// What names of files begin with that are being written; one that stays was its writer's last.
pub const UNFINISHED: &str = ".new-";

/// Writes a file beside its place and moves it there, so that no reader and no crash ever sees a part of it.
///
/// # Errors
///
/// What the system says.
pub fn write_atomically(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let file = stage(path, bytes, access)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    sync(folder_of(path))
}

/// Like [`write_atomically`], but a power cut before a sync of the file and its folder may leave a part: for content
/// that is checked when it is read and can be had again.
///
/// # Errors
///
/// What the system says.
pub fn write_unsynced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    stage(path, bytes, Access::Shared)?.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Like [`write_atomically`], but leaves a file that is there already as it is: `AlreadyExists`.
pub(crate) fn create_atomically(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let file = stage(path, bytes, access)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    sync(folder_of(path))
}

fn stage(path: &Path, bytes: &[u8], access: Access) -> io::Result<tempfile::NamedTempFile> {
    let mut file = begin(path, access)?;
    file.write_all(bytes).map_err(unnamed)?;
    Ok(file)
}

/// Begins a file beside its place; to be persisted there when it is whole.
///
/// # Errors
///
/// What the system says; something else than a file in that place, which is not to be replaced by one.
pub fn begin(path: &Path, access: Access) -> io::Result<tempfile::NamedTempFile> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "is not a regular file (links, pipes and devices are not replaced)",
        ));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(match access {
            Access::Shared => 0o666,
            Access::Private => 0o600,
        }));
    }
    #[cfg(not(unix))]
    let _ = access;
    builder.tempfile_in(folder_of(path)).map_err(unnamed)
}

/// What the system said, without the name of the temporary file: that tells nobody anything.
pub fn unnamed(error: io::Error) -> io::Error {
    // That name is wrapped around the system's error, of which only the kind can be had.
    match error.kind() {
        io::ErrorKind::Other => error,
        kind if error.to_string().contains(UNFINISHED) => kind.into(),
        _ => error,
    }
}

/// Makes what was written to a file last, or the renames in a folder (where the platform lets a folder be opened).
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    if cfg!(unix) || path.is_file() { File::open(path)?.sync_all() } else { Ok(()) }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Opens a regular file for reading; a link, a folder, a device or a pipe is an error, also when it takes the file's
/// place while this runs.
///
/// # Errors
///
/// What the system says.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    open_checked(path, File::options().read(true))
}

fn open_checked(path: &Path, how: &fs::OpenOptions) -> io::Result<(File, Metadata)> {
    let named = fs::symlink_metadata(path)?;
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file (links are not followed)");
    if !named.is_file() {
        return Err(refused());
    }
    let file = how.open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() || !same_file(&named, &opened) {
        return Err(refused());
    }
    Ok((file, opened))
}

/// Opens a file for reading and writing in place, or makes an empty one. Links are not followed, and nothing in a file
/// that is there changes.
///
/// # Errors
///
/// What the system says.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    match File::options().read(true).write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(open_checked(path, File::options().read(true).write(true))?.0)
        }
        made => made,
    }
}

/// Waits until no other process holds the lock `path`, and holds it until the file is dropped, also by a crash.
///
/// # Errors
///
/// As [`open_or_create`].
pub fn hold_lock(path: &Path) -> io::Result<File> {
    let file = open_or_create(path)?;
    file.lock()?;
    Ok(file)
}

/// The same, where nobody holds it: `None` where somebody does.
///
/// # Errors
///
/// What the system says, and [`io::ErrorKind::InvalidInput`] for what is no plain file.
pub fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open_or_create(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// Removes the unfinished files and folders in a folder. To be called where nobody else writes there.
///
/// # Errors
///
/// What the system says.
pub fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            // The kind of the entry itself: a link to a folder is a file here.
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// Removes the unfinished files in a folder that nobody wrote to for `age`: where others may write at the same time.
///
/// # Errors
///
/// What the system says.
pub fn remove_abandoned(folder: &Path, age: std::time::Duration) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
            && entry
                .metadata()
                .and_then(|file| file.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|past| past > age))
        {
            // Somebody else may have been quicker.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Reads a regular file of at most `most` bytes; a larger one is `FileTooLarge`.
///
/// # Errors
///
/// What the system says.
pub fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = open_regular(path)?;
    let too_large = || {
        io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("has more than {most} bytes, the most that is allowed here"),
        )
    };
    if metadata.len() > most {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_or_kept_as_asked_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write_atomically(&path, b"one", Access::Shared).unwrap();
        write_atomically(&path, b"two", Access::Shared).unwrap();
        let refused = create_atomically(&path, b"three", Access::Shared).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_bounded(&path, 3).unwrap(), b"two");
        assert_eq!(read_bounded(&path, 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write_atomically(&path, b"secret", Access::Private).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_folders_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, b"x").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join("link")).unwrap();
        assert!(open_regular(&folder.path().join("link")).is_err());
        assert!(hold_lock(&folder.path().join("link")).is_err());
        drop(hold_lock(&target).unwrap());
        assert_eq!(fs::read(&target).unwrap(), b"x", "a lock leaves its file as it is");
        let refused = write_atomically(&folder.path().join("link"), b"y", Access::Shared).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        assert!(folder.path().join("link").is_symlink(), "a link is not replaced");
        assert!(open_regular(folder.path()).is_err());
        open_regular(&target).unwrap();
    }
}
