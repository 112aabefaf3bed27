//! Files and folders as UnixFS, with the CIDs that Kubo gives to the same bytes.
//!
//! A file is cut into chunks of one size; each chunk is a leaf, and a balanced tree of nodes with a bounded number of
//! links leads to them. A file of one chunk is that leaf, without a tree. A folder is one node with its entries in the
//! order of their names' bytes. [`Layout::KUBO`] is what content uses; the fixtures in `tests/golden/cids.json`, made by
//! an independent implementation, hold it and the others to their word.

mod add;
mod dag_pb;
mod read;

use cid::Cid;

pub use add::{BlockSink, Discard, add_file, add_folder, add_path};
pub use dag_pb::{Kind, Link, Node, NodeError};
pub use read::{MAX_DEPTH, entries, read_file, resolve, write_file};

use crate::store::StoreError;

/// From this size on Kubo would shard a folder: the sum of its entries' names and CIDs, in bytes. Sharded folders are
/// not written here; a folder that large is [`UnixfsError::FolderTooLarge`].
pub const MAX_FOLDER_BYTES: usize = 256 << 10;

/// How a file is cut up and how its blocks are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Version of the CIDs, 0 or 1.
    pub cid_version: u8,
    /// Whether leaves are the chunks themselves (codec raw); otherwise each is wrapped in a node.
    pub raw_leaves: bool,
    /// Bytes in a chunk, in 1..=1 MiB.
    pub chunk_bytes: usize,
    /// Most links in a node of a file's tree, in 2..=1,024.
    pub links_per_node: usize,
}

impl Layout {
    /// CIDv1, raw leaves, 1 MiB chunks, 1,024 links: Kubo's profile `unixfs-v1-2025`.
    pub const KUBO: Self = Self { cid_version: 1, raw_leaves: true, chunk_bytes: 1 << 20, links_per_node: 1024 };
    /// CIDv1, raw leaves, 256 KiB chunks, 174 links: `ipfs add --cid-version 1` before that profile.
    pub const KUBO_256K: Self = Self { chunk_bytes: 256 << 10, links_per_node: 174, ..Self::KUBO };
    /// CIDv0, wrapped leaves, 256 KiB chunks, 174 links: plain `ipfs add`.
    pub const KUBO_V0: Self = Self { cid_version: 0, raw_leaves: false, ..Self::KUBO_256K };

    fn check(self) -> Result<Self, UnixfsError> {
        let good = self.cid_version <= 1
            && (self.cid_version == 1 || !self.raw_leaves)
            && (1..=1 << 20).contains(&self.chunk_bytes)
            && (2..=1024).contains(&self.links_per_node);
        if good { Ok(self) } else { Err(UnixfsError::Layout(self)) }
    }
}

/// A file or folder that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its root.
    pub cid: Cid,
    /// Bytes of all its blocks.
    pub total_bytes: u64,
    /// Bytes of the file, or of all files in the folder.
    pub file_bytes: u64,
}

/// Why something could not be added or read as UnixFS.
#[derive(Debug, thiserror::Error)]
pub enum UnixfsError {
    /// The layout's numbers are out of range.
    #[error(
        "{0:?} is not a layout: version 0 goes without raw leaves, chunks have 1 to 1,048,576 bytes, nodes 2 to 1,024 links"
    )]
    Layout(Layout),
    /// Reading the content or writing it out failed.
    #[error("{path}: {source}")]
    Io {
        /// The file, or what was being read.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A block could not be stored or fetched.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block is not a node.
    #[error("block {cid} is {source}")]
    Node {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: NodeError,
    },
    /// A file's node holds other than it says.
    #[error("block {0} does not have the size that the node above it says")]
    WrongSize(Cid),
    /// The tree is deeper than [`MAX_DEPTH`].
    #[error("the tree below {0} is deeper than {MAX_DEPTH} levels")]
    TooDeep(Cid),
    /// The file is larger than the caller allows.
    #[error("{cid} has more than {most} bytes, the most that is allowed here")]
    TooLarge {
        /// The file.
        cid: Cid,
        /// The caller's bound.
        most: u64,
    },
    /// A folder's entry cannot have this name.
    #[error(
        "{0:?} cannot be the name of an entry: it is empty, has a slash or a zero byte, is `.` or `..`, or occurs twice"
    )]
    Name(String),
    /// A name on the disk is not UTF-8.
    #[error("{0}: the name is not UTF-8")]
    NotUtf8(String),
    /// A folder that Kubo would shard.
    #[error(
        "the folder's entries take {0} bytes; from {MAX_FOLDER_BYTES} on it would have to be sharded: put files into sub-folders"
    )]
    FolderTooLarge(usize),
    /// Neither a file nor a folder.
    #[error("{0} is neither a file nor a folder (links are not followed)")]
    NotAFile(String),
    /// The path leads nowhere.
    #[error("there is no {path:?} in {root}")]
    NoSuchPath {
        /// Where the path starts.
        root: Cid,
        /// What is not there.
        path: String,
    },
    /// A folder where a file was wanted, or the other way round.
    #[error("{cid} is not a {wanted}")]
    WrongKind {
        /// The block.
        cid: Cid,
        /// `file` or `folder`.
        wanted: &'static str,
    },
}

impl UnixfsError {
    pub(crate) fn io(path: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_string(), source }
    }
}

/// Whether a folder's entry may have this name, here and on any disk.
pub(crate) fn check_name(name: &str) -> Result<(), UnixfsError> {
    let bad = name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']);
    if bad { Err(UnixfsError::Name(name.to_owned())) } else { Ok(()) }
}
