//! Where a piece is: in a folder, or in the store.

use std::path::{Path, PathBuf};

use seedstorm_mint::{
    Attestation, Bundle, Cid, Metadata, Store, Token, bundle, metadata::MAX_METADATA_BYTES, store::Scratch, unixfs,
};

use crate::{Home, StudioError, ledger::Ledger};

/// A bundle's folder, in the file system or written out of the store for as long as it is looked at.
#[derive(Debug)]
pub struct Located {
    folder: PathBuf,
    pub(crate) token: Option<u64>,
    _temporary: Option<Scratch>,
}

impl Located {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

/// Finds the bundle of a token, by its number, or in a folder.
///
/// # Errors
/// Nothing is known by that name, or the token's content is not in the store.
pub fn locate(home: &Home, piece: &str) -> Result<Located, StudioError> {
    let Ok(id) = piece.parse::<u64>() else {
        if !Path::new(piece).is_dir() {
            return Err(StudioError::NoSuchPiece(piece.into()));
        }
        return Ok(Located { folder: piece.into(), token: None, _temporary: None });
    };
    let token = Ledger::read(home)?.token(id)?;
    // What its owner looks at is checked; the store stands in where the folder is gone.
    let kept = home.bundles().join(token.recipe.to_string());
    if kept.is_dir() {
        return Ok(Located { folder: kept, token: Some(id), _temporary: None });
    }
    let store = Store::open(home.store())?;
    // In the store's folder, where what a killed process leaves is cleared up.
    store.clear_up()?;
    let temporary = store.scratch()?;
    let folder = temporary.folder().join("bundle");
    extract(&store, &token, &folder)?;
    Ok(Located { folder, token: Some(id), _temporary: Some(temporary) })
}

/// Writes a token's bundle out of the store to a new folder, with its metadata and the attestations that were pinned.
pub(crate) fn extract(store: &Store, token: &Token, folder: &Path) -> Result<(), StudioError> {
    let metadata = stored_metadata(store, token)?;
    if !store.has(&metadata.bundle) {
        return Err(not_stored(store, token));
    }
    let mut copy = bundle::extract(store, &metadata.bundle, folder)?;
    copy.write_metadata(&metadata)?;
    write_pinned_attestations(store, &metadata.bundle, &mut copy)
}

/// The metadata that a token commits to.
pub(crate) fn stored_metadata(store: &Store, token: &Token) -> Result<Metadata, StudioError> {
    if !store.has(&token.metadata) {
        return Err(not_stored(store, token));
    }
    Ok(Metadata::from_json(&unixfs::read_file(store, &token.metadata, MAX_METADATA_BYTES as u64)?)?)
}

fn not_stored(store: &Store, token: &Token) -> StudioError {
    StudioError::NotStored { token: token.id, store: store.folder().to_owned() }
}

/// Writes the attestations that were pinned of this content into its folder.
pub(crate) fn write_pinned_attestations(store: &Store, content: &Cid, to: &mut Bundle) -> Result<(), StudioError> {
    for attestation in pinned_attestations(store, content)? {
        to.write_attestation(&attestation)?;
    }
    Ok(())
}

/// The attestations in the store that are about a bundle.
pub(crate) fn pinned_attestations(store: &Store, bundle: &Cid) -> Result<Vec<Attestation>, StudioError> {
    let mut found = Vec::new();
    for pin in store.pins()?.iter().filter(|pin| pin.label == bundle::ATTESTATION_PIN) {
        let attestation = Attestation::from_json(&store.get(&pin.cid)?)?;
        if attestation.claim().bundle == *bundle {
            found.push(attestation);
        }
    }
    Ok(found)
}
