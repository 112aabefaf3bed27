//! From blocks back to files. Every block that is read was checked against its CID by the store.

use std::io::Write;

use cid::Cid;

use super::dag_pb::{Kind, Link, Node};
use super::{UnixfsError, check_name};
use crate::block::RAW;
use crate::store::Store;

/// The deepest tree, of a file's nodes or of folders, that is walked.
pub const MAX_DEPTH: usize = 32;

/// The CID at a path of names separated by slashes, below a folder; the empty path is the root itself.
///
/// # Errors
///
/// [`UnixfsError::NoSuchPath`], [`UnixfsError::WrongKind`] where a part of the path is a file, or a block that is missing
/// or damaged.
pub fn resolve(store: &Store, root: &Cid, path: &str) -> Result<Cid, UnixfsError> {
    let mut at = *root;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let link = entries(store, &at)?.into_iter().find(|link| link.name == name);
        at = link.ok_or_else(|| UnixfsError::NoSuchPath { root: *root, path: path.to_owned() })?.cid;
    }
    Ok(at)
}

/// The entries of a folder, in the order in which it has them; each name is fit to be one on a disk.
///
/// # Errors
///
/// [`UnixfsError::WrongKind`] for a file, [`UnixfsError::Name`], or a block that is missing or damaged.
pub fn entries(store: &Store, folder: &Cid) -> Result<Vec<Link>, UnixfsError> {
    let no_folder = UnixfsError::WrongKind { cid: *folder, wanted: "folder" };
    if folder.codec() == RAW {
        return Err(no_folder);
    }
    let node = node(store, folder)?;
    if node.kind != Kind::Folder {
        return Err(no_folder);
    }
    node.links.iter().try_for_each(|link| check_name(&link.name))?;
    Ok(node.links)
}

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
///
/// As [`write_file`].
pub fn read_file(store: &Store, cid: &Cid, most: u64) -> Result<Vec<u8>, UnixfsError> {
    let mut bytes = Vec::new();
    write_file(store, cid, most, &mut bytes)?;
    Ok(bytes)
}

/// Writes a file's bytes out, a block at a time, and returns how many there were.
///
/// # Errors
///
/// A block that is missing, damaged, or no part of a file; sizes that do not agree; more than `most` bytes; the
/// writer's errors.
pub fn write_file(store: &Store, cid: &Cid, most: u64, out: &mut impl Write) -> Result<u64, UnixfsError> {
    let mut left = most;
    part(store, cid, 0, &mut left, out).map_err(|error| match error {
        UnixfsError::TooLarge { .. } => UnixfsError::TooLarge { cid: *cid, most },
        other => other,
    })
}

fn part(store: &Store, cid: &Cid, depth: usize, left: &mut u64, out: &mut impl Write) -> Result<u64, UnixfsError> {
    if depth > MAX_DEPTH {
        return Err(UnixfsError::TooDeep(*cid));
    }
    if cid.codec() == RAW {
        return write(&store.get(cid)?, cid, left, out);
    }
    let node = node(store, cid)?;
    let Kind::File { inline, part_bytes } = node.kind else {
        return Err(UnixfsError::WrongKind { cid: *cid, wanted: "file" });
    };
    let mut written = write(&inline, cid, left, out)?;
    for (link, expected) in node.links.iter().zip(part_bytes) {
        if part(store, &link.cid, depth + 1, left, out)? != expected {
            return Err(UnixfsError::WrongSize(link.cid));
        }
        written += expected;
    }
    Ok(written)
}

fn write(bytes: &[u8], cid: &Cid, left: &mut u64, out: &mut impl Write) -> Result<u64, UnixfsError> {
    let length = bytes.len() as u64;
    *left = left.checked_sub(length).ok_or(UnixfsError::TooLarge { cid: *cid, most: 0 })?;
    out.write_all(bytes).map_err(UnixfsError::io("writing out"))?;
    Ok(length)
}

fn node(store: &Store, cid: &Cid) -> Result<Node, UnixfsError> {
    Node::decode(&store.get(cid)?).map_err(|source| UnixfsError::Node { cid: *cid, source })
}
