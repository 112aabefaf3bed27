//! The measures of a sweep's pieces on the disk: one record each, at a place of its own.
//!
//! A record is its measures as little-endian `f64` and the first 8 bytes of their BLAKE3 digest. A record that was never
//! written, or only in part, has another digest and counts as missing.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use seedstorm_mint::files;

use super::measures::{Measures, Spread};
use crate::StudioError;

const NUMBERS: usize = Measures::NAMES.len();
const RECORD: usize = NUMBERS * 8 + 8;

/// A table of measures in a file.
pub(super) struct Table {
    path: PathBuf,
    file: Mutex<File>,
    len: u64,
}

impl Table {
    /// Opens the table of `len` records, or makes it. It belongs to this process until it is dropped.
    pub(super) fn open(path: &Path, len: u64) -> Result<Self, StudioError> {
        let error = |source| StudioError::Io { path: path.to_owned(), source };
        let file = files::open_or_create(path).map_err(error)?;
        file.try_lock().map_err(|_| StudioError::Busy(path.to_owned()))?;
        file.set_len(len * RECORD as u64).map_err(error)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), len })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    fn with_file<T>(&self, at: u64, work: impl FnOnce(&mut File) -> std::io::Result<T>) -> Result<T, StudioError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at * RECORD as u64))
            .and_then(|_| work(&mut file))
            .map_err(StudioError::io(&self.path))
    }

    /// Record number `at`, if it was written.
    pub(super) fn get(&self, at: u64) -> Result<Option<Measures>, StudioError> {
        let mut record = [0; RECORD];
        self.with_file(at, |file| file.read_exact(&mut record))?;
        let (body, digest) = record.split_at(NUMBERS * 8);
        if blake3::hash(body).as_bytes()[..8] != *digest {
            return Ok(None);
        }
        let mut words = body.as_chunks::<8>().0.iter();
        let numbers = std::array::from_fn(|_| words.next().map_or(0.0, |word| f64::from_le_bytes(*word)));
        Ok(Some(Measures::from_numbers(numbers)))
    }

    /// Writes record number `at`.
    pub(super) fn set(&self, at: u64, measures: &Measures) -> Result<(), StudioError> {
        let mut record = Vec::with_capacity(RECORD);
        for number in measures.numbers() {
            record.extend(number.to_le_bytes());
        }
        let digest = blake3::hash(&record);
        record.extend(&digest.as_bytes()[..8]);
        self.with_file(at, |file| file.write_all(&record))
    }

    /// Mean and deviation of all records, taken in their order.
    pub(super) fn spread(&self) -> Result<Spread, StudioError> {
        let mut spread = Spread::default();
        for at in 0..self.len {
            if let Some(measures) = self.get(at)? {
                spread.add(&measures);
            }
        }
        Ok(spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_kept_and_torn_ones_are_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("looks.bin");
        let measures = Measures::from_numbers([1.0, -2.5, 3.0, 1e-9]);
        {
            let table = Table::open(&path, 5).expect("a table");
            table.set(3, &measures).expect("written");
            assert!(Table::open(&path, 5).is_err(), "one process at a time");
        }
        let table = Table::open(&path, 5).expect("a table");
        assert_eq!(table.get(3).expect("read"), Some(measures));
        assert_eq!(table.get(2).expect("read"), None);
        drop(table);
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[3 * RECORD + 4] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(Table::open(&path, 5).expect("a table").get(3).expect("read"), None);
    }
}
