//! A bundle out of an archive into the store.

use std::{fs::File, io::BufReader, path::Path};

use seedstorm_mint::{
    Archived, Store,
    car::{self, Car},
};

use crate::{Home, StudioError};

/// A bundle that an archive brought; its roots are pinned.
#[derive(Debug)]
pub struct Imported {
    /// What it is.
    pub archived: Archived,
    /// What the archive held.
    pub car: Car,
    /// Whether it was in the store, pinned, before.
    pub known: bool,
}

/// Reads a CAR archive of a bundle into the home's store: every block is checked, the roots have to be a bundle's and
/// whole, and on any error the store holds what it held before.
///
/// # Errors
/// A file that cannot be read or is no such archive, or a disk that refuses.
pub fn import_car(home: &Home, path: &Path) -> Result<Imported, StudioError> {
    let io = StudioError::io;
    if !path.metadata().map_err(io(path))?.is_file() {
        return Err(io(path)(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let file = File::open(path).map_err(io(path))?;
    let store = Store::open(home.store())?;
    store.clear_up()?;
    let staged = car::stage(&store, BufReader::new(file), car::MAX_ARCHIVE_BYTES)?;
    let archived = Archived::recognise(staged.blocks(), &staged.car().roots)?;
    let known = store.pins()?.iter().any(|pin| pin.cid == archived.bundle);
    let car = staged.keep()?;
    archived.pin(&store)?;
    Ok(Imported { archived, car, known })
}
