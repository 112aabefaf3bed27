//! From files and folders to blocks.

use std::fs;
use std::io::Read;
use std::path::Path;

use cid::Cid;

use super::dag_pb::{Kind, Link, Node};
use super::{Entry, Layout, MAX_DEPTH, MAX_FOLDER_BYTES, UnixfsError, check_name};
use crate::block::{self, DAG_PB, RAW};
use crate::files;
use crate::store::{Store, StoreError};

/// Where the blocks go as they are made.
pub trait BlockSink {
    /// Takes one block; the CID is that of the bytes.
    ///
    /// # Errors
    ///
    /// What hinders the sink.
    fn put(&mut self, cid: &Cid, bytes: &[u8]) -> Result<(), StoreError>;
}

/// A sink that forgets the blocks: for CIDs alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Discard;

impl BlockSink for Discard {
    fn put(&mut self, _: &Cid, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
}

impl BlockSink for &Store {
    fn put(&mut self, cid: &Cid, bytes: &[u8]) -> Result<(), StoreError> {
        Store::put(self, cid, bytes)
    }
}

/// Adds a file from a reader. Holds one chunk at a time, and of the tree the links that are not in a node yet.
///
/// # Errors
///
/// The reader's or the sink's, or a layout out of range.
pub fn add_file(mut content: impl Read, layout: Layout, sink: &mut impl BlockSink) -> Result<Entry, UnixfsError> {
    let mut adder = Adder::new(layout, sink)?;
    let mut chunk = Vec::with_capacity(layout.chunk_bytes);
    loop {
        chunk.clear();
        let most = layout.chunk_bytes as u64;
        content.by_ref().take(most).read_to_end(&mut chunk).map_err(UnixfsError::io("the content"))?;
        if chunk.is_empty() {
            return adder.finish();
        }
        adder.leaf(&chunk)?;
        if chunk.len() < layout.chunk_bytes {
            return adder.finish();
        }
    }
}

/// A file's tree while it grows, from the leaves up.
#[derive(Debug)]
struct Adder<'a, S> {
    layout: Layout,
    sink: &'a mut S,
    /// Per level, leaves first, the parts that no node leads to yet.
    levels: Vec<Vec<Part>>,
    leaves: u64,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    cid: Cid,
    total_bytes: u64,
    file_bytes: u64,
}

impl<'a, S: BlockSink> Adder<'a, S> {
    fn new(layout: Layout, sink: &'a mut S) -> Result<Self, UnixfsError> {
        Ok(Self { layout: layout.check()?, sink, levels: vec![Vec::new()], leaves: 0 })
    }

    fn leaf(&mut self, chunk: &[u8]) -> Result<(), UnixfsError> {
        let part = if self.layout.raw_leaves {
            let cid = block::raw_cid(chunk);
            self.sink.put(&cid, chunk)?;
            Part { cid, total_bytes: chunk.len() as u64, file_bytes: chunk.len() as u64 }
        } else {
            let kind = Kind::File { inline: chunk.to_vec(), part_bytes: Vec::new() };
            self.node(Node { kind, links: Vec::new() }, chunk.len() as u64)?
        };
        self.leaves += 1;
        self.push(0, part)
    }

    fn push(&mut self, level: usize, part: Part) -> Result<(), UnixfsError> {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        // A full level moves up only when there is more: the last node may stay the root.
        if self.levels[level].len() == self.layout.links_per_node {
            self.move_up(level)?;
        }
        self.levels[level].push(part);
        Ok(())
    }

    /// Makes one node of a level's parts, and a part of the level above of it.
    fn move_up(&mut self, level: usize) -> Result<(), UnixfsError> {
        let parts = std::mem::take(&mut self.levels[level]);
        let links = parts
            .iter()
            .map(|part| Link { cid: part.cid, name: String::new(), total_bytes: part.total_bytes })
            .collect();
        let part_bytes: Vec<u64> = parts.iter().map(|part| part.file_bytes).collect();
        let file_bytes = part_bytes.iter().sum();
        let node = self.node(Node { kind: Kind::File { inline: Vec::new(), part_bytes }, links }, file_bytes)?;
        self.push(level + 1, node)
    }

    fn node(&mut self, node: Node, file_bytes: u64) -> Result<Part, UnixfsError> {
        let bytes = node.encode();
        let cid = node_cid(&bytes, self.layout);
        self.sink.put(&cid, &bytes)?;
        let below: u64 = node.links.iter().map(|link| link.total_bytes).sum();
        Ok(Part { cid, total_bytes: bytes.len() as u64 + below, file_bytes })
    }

    fn finish(mut self) -> Result<Entry, UnixfsError> {
        if self.leaves == 0 {
            self.leaf(&[])?;
        }
        let mut level = 0;
        while level + 1 < self.levels.len() || self.levels[level].len() > 1 {
            self.move_up(level)?;
            level += 1;
        }
        let root = self.levels[level][0];
        Ok(Entry { cid: root.cid, total_bytes: root.total_bytes, file_bytes: root.file_bytes })
    }
}

/// Adds a folder out of entries that were added before, in any order.
///
/// # Errors
///
/// A name that cannot be an entry's, or too many entries for one block.
pub fn add_folder(
    entries: impl IntoIterator<Item = (String, Entry)>,
    layout: Layout,
    sink: &mut impl BlockSink,
) -> Result<Entry, UnixfsError> {
    let mut entries: Vec<(String, Entry)> = entries.into_iter().collect();
    entries.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    for (name, _) in &entries {
        check_name(name)?;
    }
    if let Some(twice) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(UnixfsError::Name(twice[0].0.clone()));
    }
    let size = entries.iter().map(|(name, entry)| name.len() + entry.cid.encoded_len()).sum();
    if size >= MAX_FOLDER_BYTES {
        return Err(UnixfsError::FolderTooLarge(size));
    }
    let below: u64 = entries.iter().map(|(_, entry)| entry.total_bytes).sum();
    let file_bytes = entries.iter().map(|(_, entry)| entry.file_bytes).sum();
    let links = entries
        .into_iter()
        .map(|(name, entry)| Link { cid: entry.cid, name, total_bytes: entry.total_bytes })
        .collect();
    let bytes = Node { kind: Kind::Folder, links }.encode();
    let cid = node_cid(&bytes, layout);
    sink.put(&cid, &bytes)?;
    Ok(Entry { cid, total_bytes: bytes.len() as u64 + below, file_bytes })
}

/// Adds a file or a whole folder from the disk. Links, devices and pipes are errors.
///
/// # Errors
///
/// Any of [`UnixfsError`]'s about files, names and sizes.
pub fn add_path(path: &Path, layout: Layout, sink: &mut impl BlockSink) -> Result<Entry, UnixfsError> {
    add_path_at(path, layout, sink, 0)
}

fn add_path_at(path: &Path, layout: Layout, sink: &mut impl BlockSink, depth: usize) -> Result<Entry, UnixfsError> {
    let shown = path.display();
    if depth > MAX_DEPTH {
        return Err(UnixfsError::NotAFile(format!("{shown} (more than {MAX_DEPTH} folders deep)")));
    }
    let kind = fs::symlink_metadata(path).map_err(UnixfsError::io(&shown))?.file_type();
    if kind.is_file() {
        let (file, _) = files::open_regular(path).map_err(UnixfsError::io(&shown))?;
        return add_file(file, layout, sink);
    }
    if !kind.is_dir() {
        return Err(UnixfsError::NotAFile(shown.to_string()));
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(UnixfsError::io(&shown))? {
        let entry = entry.map_err(UnixfsError::io(&shown))?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|_| UnixfsError::NotUtf8(entry.path().display().to_string()))?;
        entries.push((name, add_path_at(&entry.path(), layout, sink, depth + 1)?));
    }
    add_folder(entries, layout, sink)
}

fn node_cid(bytes: &[u8], layout: Layout) -> Cid {
    if layout.cid_version == 1 {
        return block::cid_of(DAG_PB, bytes);
    }
    let hash = *block::cid_of(RAW, bytes).hash();
    Cid::new_v0(hash).expect("version 0 takes any sha2-256 hash")
}
