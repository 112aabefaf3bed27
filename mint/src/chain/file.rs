//! The chain's file: one header line in text, then the chain as JSON.
//!
//! ```text
//! seedstorm-chain 1 <bytes of what follows> <their sha-256 in hex>
//! {"blocks":…}
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::state::Ledger;
use super::{ChainError, MAX_CHAIN_BYTES};
use crate::files::{self, Access};

const NAME: &str = "seedstorm-chain";
const VERSION: &str = "1";
/// More than any header line has.
const MAX_HEADER_BYTES: usize = 160;

/// Where a chain is kept, and which state of it was read last.
#[derive(Debug)]
pub(super) struct ChainFile {
    path: PathBuf,
    /// The header line of that state; empty before there is a file.
    seen: Mutex<String>,
    /// Whether its lock is held for many changes, which are written together.
    held: AtomicBool,
}

/// Changes that are written together; without that, they are taken back when it is dropped.
struct Held<'a> {
    file: &'a ChainFile,
    ledger: &'a Mutex<Ledger>,
    before: Option<Ledger>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.file.held.store(false, Ordering::Relaxed);
        if let Some(before) = self.before.take() {
            *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = before;
        }
    }
}

impl ChainFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, seen: Mutex::new(String::new()), held: AtomicBool::new(false) }
    }

    /// Reads the chain; `None` where there is no file yet.
    pub(super) fn load(&self) -> Result<Option<Ledger>, ChainError> {
        let bytes = match files::read_bounded(&self.path, MAX_CHAIN_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io_error(error)),
        };
        let end = bytes.iter().take(MAX_HEADER_BYTES).position(|byte| *byte == b'\n');
        let (header, body) = bytes.split_at(end.map_or(0, |end| end + 1));
        let header = str::from_utf8(header).map_err(|_| self.damaged("its first line is not text"))?;
        let fields: Vec<&str> = header.split_whitespace().collect();
        let [NAME, version, length, digest] = fields[..] else {
            return Err(self.damaged("it does not begin like a chain of seedstorm"));
        };
        if version != VERSION {
            return Err(self.damaged(format!("it has version {version}, and this program reads version {VERSION}")));
        }
        if length != body.len().to_string() || digest != hex::encode(Sha256::digest(body)) {
            return Err(self.damaged("its bytes are not those that were written: restore a copy, or move it away"));
        }
        let mut json = serde_json::Deserializer::from_slice(body);
        let ledger: Ledger = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| self.damaged(format!("its field `{}` is wrong: {}", error.path(), error.inner())))?;
        json.end().map_err(|error| self.damaged(error.to_string()))?;
        if !ledger.is_consistent() {
            return Err(self.damaged("its blocks and accounts contradict one another"));
        }
        self.remember(header);
        Ok(Some(ledger))
    }

    /// Reads the chain again if another process wrote it since.
    pub(super) fn refresh(&self, ledger: &mut Ledger) -> Result<(), ChainError> {
        if self.held.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut header = Vec::with_capacity(MAX_HEADER_BYTES);
        match File::open(&self.path) {
            Ok(file) => {
                file.take(MAX_HEADER_BYTES as u64).read_to_end(&mut header).map_err(|error| self.io_error(error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.io_error(error)),
        }
        let line = header.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        if line != self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_bytes() {
            // A file that vanished is a chain that begins again.
            *ledger = self.load()?.unwrap_or_else(|| {
                self.remember("");
                Ledger::genesis()
            });
        }
        Ok(())
    }

    /// Changes the newest state and writes it, alone among all processes. Where anything fails, `ledger` and the file
    /// stay as they were.
    pub(super) fn update<T>(
        &self,
        ledger: &mut Ledger,
        change: impl FnOnce(&mut Ledger) -> T,
    ) -> Result<T, ChainError> {
        let held = self.held.load(Ordering::Relaxed);
        let _lock = if held { None } else { Some(self.lock()?) };
        self.refresh(ledger)?;
        let mut next = ledger.clone();
        let result = change(&mut next);
        if next.blocks().len() != ledger.blocks().len() {
            if !held {
                self.write(&next)?;
            }
            *ledger = next;
        }
        Ok(result)
    }

    /// Makes all changes of `work` without writing one, alone among all processes, and writes them together. Where the disk
    /// refuses, or `work` panics, `ledger` and the file stay as they were.
    pub(super) fn hold<T>(&self, ledger: &Mutex<Ledger>, work: impl FnOnce() -> T) -> Result<T, ChainError> {
        let newest = || ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = self.lock()?;
        self.refresh(&mut newest())?;
        let before = newest().clone();
        let blocks = before.blocks().len();
        self.held.store(true, Ordering::Relaxed);
        let mut held = Held { file: self, ledger, before: Some(before) };
        let result = work();
        let written = {
            let now = newest();
            if now.blocks().len() == blocks { Ok(()) } else { self.write(&now) }
        };
        written?;
        held.before = None;
        Ok(result)
    }

    fn lock(&self) -> Result<File, ChainError> {
        let lock = self.path.with_added_extension("lock");
        files::hold_lock(&lock).map_err(|source| ChainError::Io { path: lock, source })
    }

    fn write(&self, ledger: &Ledger) -> Result<(), ChainError> {
        let body = serde_json::to_vec(ledger).expect("a ledger has a JSON form");
        let header = format!("{NAME} {VERSION} {} {}\n", body.len(), hex::encode(Sha256::digest(&body)));
        let bytes = [header.as_bytes(), &body].concat();
        if bytes.len() as u64 > MAX_CHAIN_BYTES {
            return Err(ChainError::Full(self.path.clone()));
        }
        files::write_atomically(&self.path, &bytes, Access::Shared).map_err(|error| self.io_error(error))?;
        self.remember(&header);
        Ok(())
    }

    fn remember(&self, header: &str) {
        header.clone_into(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn io_error(&self, source: io::Error) -> ChainError {
        ChainError::Io { path: self.path.clone(), source }
    }

    fn damaged(&self, problem: impl Into<String>) -> ChainError {
        ChainError::Damaged { path: self.path.clone(), problem: problem.into() }
    }
}
