//! CAR archives (version 1): roots with all their blocks in one file, for carrying content between stores.
//!
//! Format: <https://ipld.io/specs/transport/car/carv1/>. Blocks are written in the order of a depth-first walk, each
//! once, so that the same roots give the same archive everywhere.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use cid::Cid;
use iroh_car::{CarHeader, CarReader, CarWriter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::store::{MAX_BLOCKS, Store, StoreError};

/// The most roots that an archive may name.
pub const MAX_ROOTS: usize = 64;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Car {
    /// The roots that its header names.
    pub roots: Vec<Cid>,
    /// How many blocks it has.
    pub blocks: usize,
    /// Bytes of the blocks alone.
    pub block_bytes: u64,
}

/// Why an archive could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CarError {
    /// The archive itself could not be written, or is not one.
    #[error("CAR archive: {0}")]
    Format(#[from] iroh_car::Error),
    /// A block could not be fetched or stored, or is not what the archive says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive is larger than the caller allows.
    #[error("the CAR archive has more than {0} bytes of blocks, the most that is allowed here")]
    TooLarge(u64),
    /// No root, or more roots or blocks than any archive of ours.
    #[error("a CAR archive has 1 to {MAX_ROOTS} roots and at most {MAX_BLOCKS} blocks; this one does not")]
    TooMany,
}

/// Writes an archive with these roots (a bundle, its metadata) and every block that they lead to, a block at a time.
///
/// # Errors
///
/// No root or more than [`MAX_ROOTS`]; a block that is missing or damaged; what the writer says.
pub fn export(store: &Store, roots: &[Cid], out: impl Write + Send) -> Result<Car, CarError> {
    if roots.is_empty() || roots.len() > MAX_ROOTS {
        return Err(CarError::TooMany);
    }
    let mut writer = CarWriter::new(CarHeader::new_v1(roots.to_vec()), Blocking(out));
    let mut car = Car { roots: roots.to_vec(), blocks: 0, block_bytes: 0 };
    let mut written = HashSet::new();
    for root in roots {
        store.walk::<CarError>(root, |cid, bytes| {
            if written.insert(*cid) {
                pollster::block_on(writer.write(*cid, bytes))?;
                car.blocks += 1;
                car.block_bytes += bytes.len() as u64;
            }
            Ok(())
        })?;
    }
    pollster::block_on(writer.finish())?;
    Ok(car)
}

/// Reads an archive into the store, checking every block's hash, and that each root leads to blocks that are all there
/// (an archive that was cut off between two blocks looks whole). Pins nothing. On an error, blocks that were read before
/// it stay: each is what its CID says.
///
/// # Errors
///
/// Bytes that are no archive; a block that is not what its CID says; more than `most_bytes` of blocks; a root that is
/// incomplete.
pub fn import(store: &Store, archive: impl Read, most_bytes: u64) -> Result<Car, CarError> {
    let mut reader = pollster::block_on(CarReader::new(Blocking(archive)))?;
    let roots = reader.header().roots().to_vec();
    if roots.len() > MAX_ROOTS {
        return Err(CarError::TooMany);
    }
    let mut car = Car { roots, blocks: 0, block_bytes: 0 };
    while let Some((cid, bytes)) = pollster::block_on(reader.next_block())? {
        car.blocks += 1;
        car.block_bytes += bytes.len() as u64;
        if car.block_bytes > most_bytes {
            return Err(CarError::TooLarge(most_bytes));
        }
        if car.blocks > MAX_BLOCKS {
            return Err(CarError::TooMany);
        }
        store.put(&cid, &bytes)?;
    }
    for root in &car.roots {
        store.reachable(root)?;
    }
    Ok(car)
}

/// A blocking reader or writer in the clothes of an asynchronous one that is always ready.
struct Blocking<T>(T);

// The inner value is never pinned: it is only used through `&mut`.
impl<T> Unpin for Blocking<T> {}

impl<R: Read> AsyncRead for Blocking<R> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.0.read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<W: Write> AsyncWrite for Blocking<W> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write_all(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}
