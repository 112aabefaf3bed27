//! The folder of a piece on the disk, and its way into the store.
//!
//! ```text
//! recipe.json         the recipe's canonical bytes        ┐
//! poster.png                                              │ content: its UnixFS folder is the bundle,
//! film.mp4                                                │ and says nothing about who, when or where
//! trajectory.bin                                          │
//! frames/0000.png …   four digits, no gap                 ┘
//! metadata.json       links the content by CID            ┐ beside it, not part of the bundle's CID
//! attestations/       <sha256 of the file>.json           ┘
//! ```
//!
//! Nothing else may be in the folder, so that a bundle's CID can be told from the folder alone. Folders come from
//! anywhere: names are checked, links are not followed, sizes are bounded before anything is read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cid::Cid;
use sha2::{Digest, Sha256};

use crate::attestation::{Attestation, AttestationError};
use crate::block;
use crate::files::{self, Access};
use crate::metadata::{MAX_METADATA_BYTES, Metadata, MetadataError};
use crate::store::{Store, StoreError};
use crate::unixfs::{self, BlockSink, Discard, Entry, Layout, UnixfsError};

/// The largest recipe, in bytes: not more than a chunk, so that the file's CID is the recipe's id.
pub const MAX_RECIPE_BYTES: u64 = 1 << 20;
/// The largest poster or frame, in bytes.
pub const MAX_IMAGE_BYTES: u64 = 256 << 20;
/// The largest film, in bytes.
pub const MAX_FILM_BYTES: u64 = 4 << 30;
/// The largest trajectory, in bytes.
pub const MAX_TRAJECTORY_BYTES: u64 = 64 << 20;
/// The most frames: what four digits can number.
pub const MAX_FRAMES: usize = 10_000;
/// The most attestations beside a bundle.
pub const MAX_ATTESTATIONS: usize = 256;
/// The most bytes that the files of a bundle may have together.
pub const MAX_BUNDLE_BYTES: u64 = 8 << 30;
/// The largest attestation, in bytes.
pub const MAX_ATTESTATION_BYTES: u64 = 16 << 10;

pub(crate) const FILES: [(&str, u64); 4] = [
    ("recipe.json", MAX_RECIPE_BYTES),
    ("poster.png", MAX_IMAGE_BYTES),
    ("film.mp4", MAX_FILM_BYTES),
    ("trajectory.bin", MAX_TRAJECTORY_BYTES),
];
pub(crate) const FRAMES: &str = "frames";
/// More than a bundle has, so that what does not belong there can be named.
const MAX_TOP_ENTRIES: usize = 1_000;
const METADATA: &str = "metadata.json";
const ATTESTATIONS: &str = "attestations";

/// The word that attestations are pinned under.
pub const ATTESTATION_PIN: &str = "attestation";

/// A bundle's folder whose shape was checked: names, kinds and sizes of all files. What is in them was not read yet.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    frames: Vec<String>,
    has_metadata: bool,
    attestations: Vec<String>,
}

/// The CIDs of a bundle's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentCids {
    /// The folder of all that follows: the bundle.
    pub bundle: Cid,
    /// The recipe, which is its id.
    pub recipe: Cid,
    /// The poster.
    pub poster: Cid,
    /// The film.
    pub film: Cid,
    /// The trajectory.
    pub trajectory: Cid,
    /// The folder of frames.
    pub frames: Cid,
}

/// A bundle in the store, pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The content.
    pub content: ContentCids,
    /// The metadata, where the folder has it: the CID that a token's word stands for.
    pub metadata: Option<Cid>,
    /// The attestations, in the order of their file names.
    pub attestations: Vec<Cid>,
}

/// Why a folder is no bundle, or could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The disk refused, or a file is too large or not a plain one.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A part of the content is not there.
    #[error("{0} is missing from the bundle")]
    Missing(PathBuf),
    /// Something that a bundle does not have.
    #[error("{0} does not belong into a bundle: is that the folder of one?")]
    Stray(PathBuf),
    /// The frames' numbers have a gap.
    #[error("frames are NNNN.png from 0000 on, without a gap: {0} is out of order")]
    Frames(String),
    /// A folder with more entries than a bundle's may have.
    #[error("{folder} has more than {most} entries, the most that a bundle may have there")]
    TooMany {
        /// The folder.
        folder: PathBuf,
        /// How many it may have.
        most: usize,
    },
    /// A file that is named for its sha-256 digest has another.
    #[error("{path} is named for other bytes than it has: they hash to {actual}")]
    WrongName {
        /// The file.
        path: PathBuf,
        /// The digest of its bytes.
        actual: String,
    },
    /// The metadata or an attestation is not about this content.
    #[error("{path} is about other content: its {field} is {says}, the content's is {actual}")]
    OtherContent {
        /// The file.
        path: PathBuf,
        /// Which link.
        field: &'static str,
        /// What the metadata says.
        says: String,
        /// What the folder has.
        actual: String,
    },
    /// The metadata cannot be read.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// An attestation cannot be read, or its signature is wrong.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// Adding to UnixFS failed.
    #[error(transparent)]
    Unixfs(#[from] UnixfsError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Bundle {
    /// Checks the shape of a folder: that the content is all there and nothing else is, that files are plain files and
    /// folders plain folders, and their sizes.
    ///
    /// # Errors
    ///
    /// What is missing, stray, too large, linked or misnumbered.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, BundleError> {
        let folder = folder.into();
        let mut bundle =
            Self { folder: folder.clone(), frames: Vec::new(), has_metadata: false, attestations: Vec::new() };
        for name in names(&folder, MAX_TOP_ENTRIES)? {
            let path = folder.join(&name);
            match name.as_str() {
                FRAMES => bundle.frames = names_in_plain_folder(&path, MAX_FRAMES)?,
                ATTESTATIONS => bundle.attestations = names_in_plain_folder(&path, MAX_ATTESTATIONS)?,
                METADATA => {
                    check_size(&path, MAX_METADATA_BYTES as u64)?;
                    bundle.has_metadata = true;
                }
                _ => {
                    let (_, most) =
                        FILES.iter().find(|(file, _)| *file == name).ok_or(BundleError::Stray(path.clone()))?;
                    check_size(&path, *most)?;
                }
            }
        }
        for (name, _) in FILES {
            // Each was met above, unless it is not there.
            fs::symlink_metadata(folder.join(name)).map_err(|_| BundleError::Missing(folder.join(name)))?;
        }
        bundle.check_frames()?;
        for name in &bundle.attestations {
            let path = folder.join(ATTESTATIONS).join(name);
            let digest = name.strip_suffix(".json").unwrap_or_default();
            if digest.len() != 64 || digest.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(BundleError::Stray(path));
            }
            check_size(&path, MAX_ATTESTATION_BYTES)?;
        }
        Ok(bundle)
    }

    fn check_frames(&self) -> Result<(), BundleError> {
        let frames = self.folder.join(FRAMES);
        if self.frames.is_empty() {
            return Err(BundleError::Missing(frames.join("0000.png")));
        }
        for (number, name) in self.frames.iter().enumerate() {
            if *name != format!("{number:04}.png") {
                return Err(BundleError::Frames(name.clone()));
            }
            check_size(&frames.join(name), MAX_IMAGE_BYTES)?;
        }
        Ok(())
    }

    /// The bundle's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many frames there are.
    pub fn frame_count(&self) -> usize {
        self.frames.len()
    }

    /// Whether the metadata was written yet.
    pub fn has_metadata(&self) -> bool {
        self.has_metadata
    }

    /// The recipe's bytes.
    ///
    /// # Errors
    ///
    /// [`BundleError::Io`].
    pub fn recipe(&self) -> Result<Vec<u8>, BundleError> {
        read(&self.folder.join("recipe.json"), MAX_RECIPE_BYTES)
    }

    /// The trajectory's bytes.
    ///
    /// # Errors
    ///
    /// [`BundleError::Io`].
    pub fn trajectory(&self) -> Result<Vec<u8>, BundleError> {
        read(&self.folder.join("trajectory.bin"), MAX_TRAJECTORY_BYTES)
    }

    /// The CIDs of the content; nothing is stored.
    ///
    /// # Errors
    ///
    /// Files that cannot be read.
    pub fn content_cids(&self) -> Result<ContentCids, BundleError> {
        self.add_content(&mut Discard)
    }

    /// The metadata and its exact bytes, checked to be about this content.
    ///
    /// # Errors
    ///
    /// [`BundleError::Missing`] where there is none yet; [`BundleError::OtherContent`].
    pub fn metadata(&self, content: &ContentCids) -> Result<(Metadata, Vec<u8>), BundleError> {
        let path = self.folder.join(METADATA);
        if !self.has_metadata {
            return Err(BundleError::Missing(path));
        }
        let bytes = read(&path, MAX_METADATA_BYTES as u64)?;
        let metadata = Metadata::from_json(&bytes)?;
        check_link(&path, "bundle", &metadata.bundle, &content.bundle)?;
        check_link(&path, "recipe", &metadata.recipe, &content.recipe)?;
        Ok((metadata, bytes))
    }

    /// The files of the content that are not those that the metadata's bundle has in the store: `frames/0007.png`.
    ///
    /// # Errors
    ///
    /// Metadata that cannot be read, or a bundle that is not in the store.
    pub fn changed_files(&self, store: &Store) -> Result<Vec<String>, BundleError> {
        let bytes = read(&self.folder.join(METADATA), MAX_METADATA_BYTES as u64)?;
        let was = Metadata::from_json(&bytes)?.bundle;
        let mut expected = Vec::new();
        for link in unixfs::entries(store, &was)? {
            if link.name == FRAMES {
                let frames = unixfs::entries(store, &link.cid)?;
                expected.extend(frames.into_iter().map(|frame| (format!("{FRAMES}/{}", frame.name), frame.cid)));
            } else {
                expected.push((link.name, link.cid));
            }
        }
        // `entries` gives no name that leads out of the folder.
        let mut changed = Vec::new();
        for (name, cid) in expected {
            let same =
                unixfs::add_path(&self.folder.join(&name), Layout::KUBO, &mut Discard).is_ok_and(|e| e.cid == cid);
            if !same {
                changed.push(name);
            }
        }
        Ok(changed)
    }

    /// The attestations beside the content, with their exact bytes. Each one's signature was checked, that its file is
    /// named for it, and that it is about this content.
    ///
    /// # Errors
    ///
    /// [`BundleError::WrongName`], [`BundleError::OtherContent`], [`BundleError::Attestation`].
    pub fn attestations(&self, content: &ContentCids) -> Result<Vec<(Attestation, Vec<u8>)>, BundleError> {
        let mut attestations = Vec::with_capacity(self.attestations.len());
        for name in &self.attestations {
            let path = self.folder.join(ATTESTATIONS).join(name);
            let bytes = read(&path, MAX_ATTESTATION_BYTES)?;
            let actual = hex::encode(Sha256::digest(&bytes));
            if name.strip_suffix(".json") != Some(actual.as_str()) {
                return Err(BundleError::WrongName { path, actual });
            }
            let attestation = Attestation::from_json(&bytes)?;
            check_link(&path, "bundle", &attestation.claim().bundle, &content.bundle)?;
            attestations.push((attestation, bytes));
        }
        Ok(attestations)
    }

    /// Writes the metadata, in its canonical form, into the folder, and returns its CID.
    ///
    /// # Errors
    ///
    /// Metadata that is out of bounds or about other content, or what the disk says.
    pub fn write_metadata(&mut self, metadata: &Metadata) -> Result<Cid, BundleError> {
        let bytes = metadata.to_json()?;
        let path = self.folder.join(METADATA);
        files::write_atomically(&path, &bytes, Access::Shared).map_err(io_error(&path))?;
        self.has_metadata = true;
        Ok(block::raw_cid(&bytes))
    }

    /// Writes an attestation into the folder, named for its digest, and returns its CID.
    ///
    /// # Errors
    ///
    /// [`BundleError::TooMany`], or what the disk says.
    pub fn write_attestation(&mut self, attestation: &Attestation) -> Result<Cid, BundleError> {
        let bytes = attestation.to_json();
        let folder = self.folder.join(ATTESTATIONS);
        fs::create_dir_all(&folder).map_err(io_error(&folder))?;
        let name = format!("{}.json", hex::encode(Sha256::digest(&bytes)));
        let path = folder.join(&name);
        if let Err(at) = self.attestations.binary_search(&name) {
            if self.attestations.len() == MAX_ATTESTATIONS {
                return Err(BundleError::TooMany { folder, most: MAX_ATTESTATIONS });
            }
            files::write_atomically(&path, &bytes, Access::Shared).map_err(io_error(&path))?;
            self.attestations.insert(at, name);
        }
        Ok(block::raw_cid(&bytes))
    }

    /// Adds everything to the store: the content, the metadata and the attestations, each of them pinned.
    ///
    /// # Errors
    ///
    /// Any of [`BundleError`]: metadata about other content and wrong signatures are not stored.
    pub fn add_to(&self, store: &Store) -> Result<Added, BundleError> {
        let content = self.add_content(&mut &*store)?;
        let metadata = if self.has_metadata { Some(store.put_raw(&self.metadata(&content)?.1)?) } else { None };
        let attestations = self.attestations(&content)?;
        let attestations = attestations.iter().map(|(_, bytes)| store.put_raw(bytes)).collect::<Result<Vec<_>, _>>()?;
        store.pin(&content.bundle, "bundle")?;
        if let Some(cid) = &metadata {
            store.pin(cid, "metadata")?;
        }
        for cid in &attestations {
            store.pin(cid, ATTESTATION_PIN)?;
        }
        Ok(Added { content, metadata, attestations })
    }

    fn add_content(&self, sink: &mut impl BlockSink) -> Result<ContentCids, BundleError> {
        let mut add = |path: PathBuf| -> Result<Entry, UnixfsError> { unixfs::add_path(&path, Layout::KUBO, sink) };
        let mut entries = Vec::with_capacity(5);
        for (name, _) in FILES {
            entries.push((name.to_owned(), add(self.folder.join(name))?));
        }
        let mut frames = Vec::with_capacity(self.frames.len());
        for name in &self.frames {
            frames.push((name.clone(), add(self.folder.join(FRAMES).join(name))?));
        }
        let frames = unixfs::add_folder(frames, Layout::KUBO, sink)?;
        let [recipe, poster, film, trajectory] = [0, 1, 2, 3].map(|index: usize| entries[index].1.cid);
        entries.push((FRAMES.to_owned(), frames));
        let bundle = unixfs::add_folder(entries, Layout::KUBO, sink)?.cid;
        Ok(ContentCids { bundle, recipe, poster, film, trajectory, frames: frames.cid })
    }
}

/// Writes the content of a bundle in the store out to a new folder: what is left to do after a CAR was imported.
///
/// # Errors
///
/// Blocks that are missing, content that is not a bundle's, or a folder that is there already.
pub fn extract(store: &Store, bundle: &Cid, folder: &Path) -> Result<Bundle, BundleError> {
    fs::create_dir(folder).map_err(io_error(folder))?;
    let mut left = MAX_BUNDLE_BYTES;
    let mut take = |cid: &Cid, path: &Path, most: u64| -> Result<(), BundleError> {
        left -= extract_file(store, cid, path, most.min(left))?;
        Ok(())
    };
    for (name, most) in FILES {
        take(&unixfs::resolve(store, bundle, name)?, &folder.join(name), most)?;
    }
    let frames = folder.join(FRAMES);
    fs::create_dir(&frames).map_err(io_error(&frames))?;
    for link in unixfs::entries(store, &unixfs::resolve(store, bundle, FRAMES)?)? {
        // `entries` gives no name that leads out of the folder; whether they are frames is checked below.
        take(&link.cid, &frames.join(&link.name), MAX_IMAGE_BYTES)?;
    }
    let extracted = Bundle::open(folder)?;
    // They differ where the folder in the store has more in it than a bundle.
    check_link(folder, "bundle", bundle, &extracted.content_cids()?.bundle)?;
    Ok(extracted)
}

fn check_link(path: &Path, field: &'static str, says: &Cid, actual: &Cid) -> Result<(), BundleError> {
    if says == actual {
        return Ok(());
    }
    let (path, says, actual) = (path.to_owned(), says.to_string(), actual.to_string());
    Err(BundleError::OtherContent { path, field, says, actual })
}

/// Writes a file out of the store; returns its size.
fn extract_file(store: &Store, cid: &Cid, path: &Path, most: u64) -> Result<u64, BundleError> {
    let mut file = io::BufWriter::new(fs::File::create_new(path).map_err(io_error(path))?);
    let written = unixfs::write_file(store, cid, most, &mut file)?;
    file.into_inner().map_err(|error| io_error(path)(error.into_error()))?.sync_all().map_err(io_error(path))?;
    Ok(written)
}

/// The sorted names in a folder that is not a link.
fn names_in_plain_folder(folder: &Path, most: usize) -> Result<Vec<String>, BundleError> {
    if !fs::symlink_metadata(folder).map_err(io_error(folder))?.is_dir() {
        let source = io::Error::new(io::ErrorKind::NotADirectory, "is not a folder (links are not followed)");
        return Err(io_error(folder)(source));
    }
    names(folder, most)
}

/// The sorted names in a folder of at most `most` entries.
fn names(folder: &Path, most: usize) -> Result<Vec<String>, BundleError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error(folder))? {
        let entry = entry.map_err(io_error(folder))?;
        let name = entry.file_name().into_string().map_err(|_| BundleError::Stray(entry.path()))?;
        if names.len() == most {
            return Err(BundleError::TooMany { folder: folder.to_owned(), most });
        }
        names.push(name);
    }
    names.sort();
    Ok(names)
}

fn check_size(path: &Path, most: u64) -> Result<(), BundleError> {
    let (_, metadata) = files::open_regular(path).map_err(io_error(path))?;
    if metadata.len() <= most {
        return Ok(());
    }
    let text = format!("has {} bytes; {most} is the most that a bundle may have there", metadata.len());
    Err(io_error(path)(io::Error::new(io::ErrorKind::FileTooLarge, text)))
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, BundleError> {
    files::read_bounded(path, most).map_err(io_error(path))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> BundleError + '_ {
    move |source| BundleError::Io { path: path.to_owned(), source }
}
