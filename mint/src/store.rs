//! A folder of blocks, and of the roots that are to be kept.
//!
//! `blocks/xy/<cid>` holds a block, sharded by the two characters before the CID's last; `pins/<cid>` names a root and
//! holds the word that it was pinned under. Every file is written whole and then moved to its place, and a block's name
//! is its content, so that any number of processes can use one store at once. Each block is checked against its name
//! when it is read, so a damaged disk is noticed and never served.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cid::Cid;

use crate::block::{self, BlockError, MAX_BLOCK_BYTES, RAW};
use crate::files::{self, Access};
use crate::unixfs::{Node, NodeError};

/// The most blocks that one root may lead to.
pub const MAX_BLOCKS: usize = 1 << 20;
/// The longest word under which a root is pinned, in bytes.
pub const MAX_LABEL_BYTES: usize = 256;

/// A local block store.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// A folder beside the blocks for what is not part of the store, or not yet. It goes away when this is dropped; what a
/// killed process leaves goes with the next [`Store::clear_up`].
#[derive(Debug)]
pub struct Scratch {
    folder: tempfile::TempDir,
    // Dropped after the folder: as long as it is held, nobody else clears up.
    _lock: File,
}

impl Scratch {
    /// The folder, empty at first.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A root that is kept, with all that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The root.
    pub cid: Cid,
    /// What it was pinned as.
    pub label: String,
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk refused.
    #[error("block store, {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The block is not here.
    #[error("block {0} is not in the store: import a CAR that has it, or make its piece again from the recipe")]
    Missing(Cid),
    /// The bytes are not those of the block.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A block on the way is not a node.
    #[error("block {cid} is {source}")]
    Node {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: NodeError,
    },
    /// The root leads to more than [`MAX_BLOCKS`] blocks.
    #[error("{0} leads to more than {MAX_BLOCKS} blocks")]
    TooManyBlocks(Cid),
    /// The word to pin under is too long or has a line's end in it.
    #[error("a pin's label is one line of at most {MAX_LABEL_BYTES} bytes")]
    Label,
    /// A file that does not belong into the store's folders.
    #[error("{0} does not belong into a block store: move it away")]
    Stray(PathBuf),
}

impl Store {
    /// Opens the store in a folder, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self { root: folder.into() };
        for part in ["blocks", "pins"] {
            let path = store.root.join(part);
            fs::create_dir_all(&path).map_err(io_error(&path))?;
        }
        Ok(store)
    }

    /// The store's folder.
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// Whether there is a file for the block. Whether its bytes are right shows only when it is read.
    pub fn has(&self, cid: &Cid) -> bool {
        self.block_path(cid).is_file()
    }

    /// A block's bytes, checked against its CID.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`]; [`StoreError::Block`] where the bytes on the disk are not those of the block.
    pub fn get(&self, cid: &Cid) -> Result<Vec<u8>, StoreError> {
        block::check_kind(cid)?;
        let path = self.block_path(cid);
        let bytes = files::read_bounded(&path, MAX_BLOCK_BYTES as u64).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::Missing(*cid),
            _ => StoreError::Io { path, source },
        })?;
        block::verify(cid, &bytes)?;
        Ok(bytes)
    }

    /// Stores a block after checking it against its CID. One that is there already stays; a damaged one is replaced.
    /// It outlives a power cut from when a root that leads to it is pinned.
    ///
    /// # Errors
    ///
    /// [`StoreError::Block`] and [`StoreError::Io`].
    pub fn put(&self, cid: &Cid, bytes: &[u8]) -> Result<(), StoreError> {
        block::verify(cid, bytes)?;
        let path = self.block_path(cid);
        // Shared with other writers, so that only `remove_unpinned` has to wait, and does not judge by an old date.
        let _lock = self.lock(File::lock_shared)?;
        if files::read_bounded(&path, MAX_BLOCK_BYTES as u64).is_ok_and(|there| there == bytes) {
            let touch = File::options().append(true).open(&path).and_then(|f| f.set_modified(SystemTime::now()));
            return touch.map_err(io_error(&path));
        }
        let shard = path.parent().expect("a block's path has a folder");
        fs::create_dir_all(shard).map_err(io_error(shard))?;
        files::write_unsynced(&path, bytes).map_err(io_error(&path))
    }

    /// A new folder on the disk of the blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        let lock = self.lock(File::lock_shared)?;
        let folder = tempfile::Builder::new().prefix(files::UNFINISHED).tempdir_in(&self.root);
        Ok(Scratch { folder: folder.map_err(files::unnamed).map_err(io_error(&self.root))?, _lock: lock })
    }

    /// Moves a block here from another store on the same disk, where it was checked.
    pub(crate) fn adopt(&self, from: &Store, cid: &Cid) -> Result<(), StoreError> {
        let (old, path) = (from.block_path(cid), self.block_path(cid));
        let _lock = self.lock(File::lock_shared)?;
        if self.get(cid).is_ok() {
            let touch = File::options().append(true).open(&path).and_then(|f| f.set_modified(SystemTime::now()));
            return touch.map_err(io_error(&path));
        }
        let shard = path.parent().expect("a block's path has a folder");
        fs::create_dir_all(shard).map_err(io_error(shard))?;
        fs::rename(&old, &path).map_err(io_error(&path))
    }

    /// Stores bytes as one raw block.
    ///
    /// # Errors
    ///
    /// As [`Store::put`].
    pub fn put_raw(&self, bytes: &[u8]) -> Result<Cid, StoreError> {
        let cid = block::raw_cid(bytes);
        self.put(&cid, bytes)?;
        Ok(cid)
    }

    /// Keeps a root, and all that it leads to, which has to be here already. Pinning again changes the label.
    ///
    /// # Errors
    ///
    /// What [`Store::reachable`] finds, or a label that is too long.
    pub fn pin(&self, cid: &Cid, label: &str) -> Result<(), StoreError> {
        if label.len() > MAX_LABEL_BYTES || label.contains('\n') {
            return Err(StoreError::Label);
        }
        let mut folders = BTreeSet::from([self.root.join("blocks")]);
        for block in self.reachable(cid)? {
            let path = self.block_path(&block);
            files::sync(&path).map_err(io_error(&path))?;
            folders.extend(path.parent().map(Path::to_owned));
        }
        for folder in folders {
            files::sync(&folder).map_err(io_error(&folder))?;
        }
        let path = self.pin_path(cid);
        let _lock = self.lock(File::lock_shared)?;
        files::write_atomically(&path, label.as_bytes(), Access::Shared).map_err(io_error(&path))
    }

    /// Stops keeping a root; its blocks stay until [`Store::remove_unpinned`]. Says whether it was pinned.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn unpin(&self, cid: &Cid) -> Result<bool, StoreError> {
        let path = self.pin_path(cid);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io_error(&path)(error)),
        }
    }

    /// All roots that are kept, in the order of their CIDs' text.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`], or a file among the pins that is none.
    pub fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        let mut pins = Vec::new();
        for path in self.list("pins")? {
            let cid = cid_of_path(&path)?;
            let label = match files::read_bounded(&path, MAX_LABEL_BYTES as u64) {
                Ok(label) => String::from_utf8(label).map_err(|_| StoreError::Stray(path))?,
                // Unpinned since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io_error(&path)(error)),
            };
            pins.push(Pin { cid, label });
        }
        pins.sort_by_key(|pin| pin.cid.to_string());
        Ok(pins)
    }

    /// Removes what killed writers left half-written, unless somebody writes at this moment.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn clear_up(&self) -> Result<(), StoreError> {
        let path = self.root.join("lock");
        let file = files::open_or_create(&path).map_err(io_error(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(()),
            Err(fs::TryLockError::Error(error)) => return Err(io_error(&path)(error)),
        }
        let shards = self.list("blocks")?;
        for folder in shards.iter().chain([&self.root.join("pins"), &self.root]) {
            files::remove_unfinished(folder).map_err(io_error(folder))?;
        }
        Ok(())
    }

    /// Every block that a root leads to, each once, in the order of a depth-first walk, the root first. Reads and checks
    /// all of them.
    ///
    /// # Errors
    ///
    /// The first block that is missing, damaged or no node.
    pub fn reachable(&self, root: &Cid) -> Result<Vec<Cid>, StoreError> {
        let mut order = Vec::new();
        self.walk::<StoreError>(root, |cid, _| {
            order.push(*cid);
            Ok(())
        })?;
        Ok(order)
    }

    /// Calls `visit` with every block that a root leads to, as [`Store::reachable`] orders them.
    pub(crate) fn walk<E: From<StoreError>>(
        &self,
        root: &Cid,
        mut visit: impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut seen = HashSet::from([*root]);
        let mut waiting = vec![*root];
        while let Some(cid) = waiting.pop() {
            let bytes = self.get(&cid)?;
            visit(&cid, &bytes)?;
            if cid.codec() == RAW {
                continue;
            }
            let node = Node::decode(&bytes).map_err(|source| StoreError::Node { cid, source })?;
            for link in node.links.iter().rev() {
                if seen.insert(link.cid) {
                    waiting.push(link.cid);
                }
            }
            if seen.len() > MAX_BLOCKS {
                return Err(StoreError::TooManyBlocks(*root).into());
            }
        }
        Ok(())
    }

    /// Removes blocks that no pin leads to and that nobody stored within `min_age`, and returns how many bytes that
    /// freed. The age keeps what another process has stored and is about to pin: an hour is plenty.
    ///
    /// # Errors
    ///
    /// A pin whose blocks are incomplete stops it before anything is removed.
    pub fn remove_unpinned(&self, min_age: Duration) -> Result<u64, StoreError> {
        let _lock = self.lock(File::lock)?;
        let mut kept = HashSet::new();
        for pin in self.pins()? {
            kept.extend(self.reachable(&pin.cid)?.iter().map(|cid| self.block_path(cid)));
        }
        let now = SystemTime::now();
        let mut freed = 0;
        for shard in self.list("blocks")? {
            for path in self.list_at(&shard)? {
                let metadata = fs::symlink_metadata(&path).map_err(io_error(&path))?;
                let modified = metadata.modified().map_err(io_error(&path))?;
                let old = now.duration_since(modified).is_ok_and(|age| age >= min_age);
                if old && !kept.contains(&path) {
                    cid_of_path(&path)?;
                    fs::remove_file(&path).map_err(io_error(&path))?;
                    freed += metadata.len();
                }
            }
        }
        Ok(freed)
    }

    fn list(&self, folder: &str) -> Result<Vec<PathBuf>, StoreError> {
        self.list_at(&self.root.join(folder))
    }

    /// The files of a folder but those that are being written.
    fn list_at(&self, folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(io_error(folder))? {
            let entry = entry.map_err(io_error(folder))?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn lock(&self, take: fn(&File) -> io::Result<()>) -> Result<File, StoreError> {
        let path = self.root.join("lock");
        let file = files::open_or_create(&path).map_err(io_error(&path))?;
        take(&file).map_err(io_error(&path))?;
        Ok(file)
    }

    /// Blocks are kept by what they hash to and their codec, whatever the version of the CID that asks for them.
    fn block_path(&self, cid: &Cid) -> PathBuf {
        let name = Cid::new_v1(cid.codec(), *cid.hash()).to_string();
        let shard = &name[name.len() - 3..name.len() - 1];
        self.root.join("blocks").join(shard).join(&name)
    }

    fn pin_path(&self, cid: &Cid) -> PathBuf {
        self.root.join("pins").join(cid.to_string())
    }
}

fn cid_of_path(path: &Path) -> Result<Cid, StoreError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| Cid::try_from(name).ok()).ok_or_else(|| StoreError::Stray(path.to_owned()))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    move |source| StoreError::Io { path: path.to_owned(), source }
}
