//! A bundle as an archive carries it: one folder of content, and beside it metadata and attestations as raw blocks.

use cid::Cid;

use crate::attestation::Attestation;
use crate::block::RAW;
use crate::bundle::{self, ATTESTATION_PIN, MAX_ATTESTATIONS, MAX_RECIPE_BYTES};
use crate::metadata::Metadata;
use crate::store::{Store, StoreError};
use crate::unixfs::{self, UnixfsError};

/// The bundle that an archive's roots are.
#[derive(Debug, Clone, PartialEq)]
pub struct Archived {
    /// The folder of the content.
    pub bundle: Cid,
    /// The recipe's bytes.
    pub recipe: Vec<u8>,
    /// The metadata and its CID, where it is there.
    pub metadata: Option<(Cid, Metadata)>,
    /// The attestations, in the order of the roots.
    pub attestations: Vec<Cid>,
}

/// Why roots are not those of a bundle.
#[derive(Debug, thiserror::Error)]
pub enum ArchivedError {
    /// Not one folder, more than one metadata document, or too many attestations.
    #[error("these are not the roots of one bundle: {0}")]
    Roots(&'static str),
    /// The folder is not that of a bundle.
    #[error("{0} is not the folder of a bundle: {1}")]
    NoBundle(Cid, &'static str),
    /// A block beside the folder that is neither metadata nor an attestation of this bundle.
    #[error("{0} is neither the metadata nor an attestation of the bundle beside it")]
    Stranger(Cid),
    /// A folder or file that cannot be read.
    #[error(transparent)]
    Unixfs(#[from] UnixfsError),
    /// A block that is missing or damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Archived {
    /// Finds out which bundle these roots are: that the folder has a bundle's names, that metadata and attestations are
    /// about it, and that signatures are right. Sizes are checked when the content is written out.
    ///
    /// # Errors
    ///
    /// What does not belong to a bundle, or cannot be read.
    pub fn recognise(store: &Store, roots: &[Cid]) -> Result<Self, ArchivedError> {
        let (documents, folders): (Vec<&Cid>, Vec<&Cid>) = roots.iter().partition(|cid| cid.codec() == RAW);
        let [bundle] = folders[..] else {
            return Err(ArchivedError::Roots("they have to name one folder"));
        };
        check_names(store, bundle)?;
        let recipe = unixfs::resolve(store, bundle, "recipe.json")?;
        let recipe_bytes = unixfs::read_file(store, &recipe, MAX_RECIPE_BYTES)?;
        let mut archived = Self { bundle: *bundle, recipe: recipe_bytes, metadata: None, attestations: Vec::new() };
        for cid in documents {
            let bytes = store.get(cid)?;
            if let Ok(metadata) = Metadata::from_json(&bytes)
                && metadata.bundle == *bundle
                && metadata.recipe == recipe
            {
                if archived.metadata.replace((*cid, metadata)).is_some() {
                    return Err(ArchivedError::Roots("they name two metadata documents"));
                }
            } else if Attestation::from_json(&bytes).is_ok_and(|said| said.claim().bundle == *bundle) {
                archived.attestations.push(*cid);
            } else {
                return Err(ArchivedError::Stranger(*cid));
            }
        }
        if archived.attestations.len() > MAX_ATTESTATIONS {
            return Err(ArchivedError::Roots("they name more attestations than a bundle may have"));
        }
        Ok(archived)
    }

    /// Pins the roots as [`crate::Bundle::add_to`] does. The content comes last: where it is pinned, all is.
    ///
    /// # Errors
    ///
    /// Blocks that are not in the store.
    pub fn pin(&self, store: &Store) -> Result<(), StoreError> {
        for cid in &self.attestations {
            store.pin(cid, ATTESTATION_PIN)?;
        }
        if let Some((cid, _)) = &self.metadata {
            store.pin(cid, "metadata")?;
        }
        store.pin(&self.bundle, "bundle")
    }
}

fn check_names(store: &Store, bundle: &Cid) -> Result<(), ArchivedError> {
    let wrong = |problem| ArchivedError::NoBundle(*bundle, problem);
    let mut names = Vec::new();
    for link in unixfs::entries(store, bundle)? {
        if link.name == bundle::FRAMES {
            let frames = unixfs::entries(store, &link.cid)?;
            let in_order = frames.iter().enumerate().all(|(number, frame)| frame.name == format!("{number:04}.png"));
            if frames.is_empty() || frames.len() > bundle::MAX_FRAMES || !in_order {
                return Err(wrong("its frames are not 0000.png and so on"));
            }
        }
        names.push(link.name);
    }
    let mut expected: Vec<&str> = bundle::FILES.iter().map(|(name, _)| *name).chain([bundle::FRAMES]).collect();
    names.sort();
    expected.sort_unstable();
    if names == expected { Ok(()) } else { Err(wrong("its files are others")) }
}
