//! CAR archives (version 1): roots with all their blocks in one file, for carrying content between stores.
//!
//! Format: <https://ipld.io/specs/transport/car/carv1/>. Blocks are written in the order of a depth-first walk, each
//! once, so that the same roots give the same archive everywhere.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use cid::Cid;
use iroh_car::{CarHeader, CarReader, CarWriter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::store::{MAX_BLOCKS, Scratch, Store, StoreError};

/// The most roots that an archive may name.
pub const MAX_ROOTS: usize = 64;
/// The longest header that is read, in bytes; one with [`MAX_ROOTS`] roots is shorter.
pub const MAX_HEADER_BYTES: usize = 4 << 10;
/// The most bytes of blocks that an archive of a bundle may have.
pub const MAX_ARCHIVE_BYTES: u64 = 8 << 30;

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
    /// The header is none, or not in the one form that DAG-CBOR gives it.
    #[error("this is no CAR archive of version 1: {0}")]
    Header(&'static str),
    /// The archive ends in the middle of a part.
    #[error("the CAR archive is cut short")]
    Truncated,
    /// The archive could not be read.
    #[error("CAR archive: {0}")]
    Io(io::Error),
    /// A block could not be fetched or stored, or is not what the archive says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A root leads to a block that is not in the archive.
    #[error("the CAR archive lacks block {0}, which one of its roots is or leads to")]
    Incomplete(Cid),
    /// A block that nobody asked for.
    #[error("the CAR archive has blocks that none of its roots leads to")]
    Stray,
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

/// An archive that was read and checked, and is not in the store yet. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Staged<'a> {
    store: &'a Store,
    blocks: Store,
    reached: Vec<Cid>,
    car: Car,
    // Last, so that its lock outlives what it guards.
    _scratch: Scratch,
}

impl Staged<'_> {
    /// What the archive holds.
    pub fn car(&self) -> &Car {
        &self.car
    }

    /// A store of the archive's blocks alone, for a look before they are kept.
    pub fn blocks(&self) -> &Store {
        &self.blocks
    }

    /// Moves the blocks to the store. Pins nothing: what is cut off here are blocks that nothing leads to.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn keep(self) -> Result<Car, CarError> {
        for cid in &self.reached {
            self.store.adopt(&self.blocks, cid)?;
        }
        Ok(self.car)
    }
}

/// Reads an archive beside the store, checking every block's hash, that each root leads to blocks that are all in the
/// archive (one that was cut off between two blocks looks whole), and that it has no others. A block may stand in it
/// more than once.
///
/// # Errors
///
/// Bytes that are no archive; a block that is not what its CID says; more than `most_bytes` of blocks; a root that is
/// incomplete. The store is as it was.
pub fn stage<'a>(store: &'a Store, archive: impl Read, most_bytes: u64) -> Result<Staged<'a>, CarError> {
    let scratch = store.scratch()?;
    let blocks = Store::open(scratch.folder())?;
    let mut distinct = HashSet::new();
    let car = read(archive, most_bytes, |cid, bytes| {
        blocks.put(cid, bytes)?;
        // A CID of version 0 names the same block.
        distinct.insert((cid.codec(), *cid.hash()));
        Ok(())
    })?;
    let mut reached = HashSet::with_capacity(distinct.len());
    let mut order = Vec::with_capacity(distinct.len());
    for root in &car.roots {
        let whole = blocks.reachable(root).map_err(|error| match error {
            StoreError::Missing(cid) => CarError::Incomplete(cid),
            other => other.into(),
        })?;
        order.extend(whole.into_iter().filter(|cid| reached.insert((cid.codec(), *cid.hash()))));
    }
    if reached.len() != distinct.len() {
        return Err(CarError::Stray);
    }
    Ok(Staged { store, blocks, reached: order, car, _scratch: scratch })
}

/// Reads an archive into the store, all of it or nothing: [`stage`], then [`Staged::keep`]. Pins nothing.
///
/// # Errors
///
/// As [`stage`] and [`Staged::keep`].
pub fn import(store: &Store, archive: impl Read, most_bytes: u64) -> Result<Car, CarError> {
    stage(store, archive, most_bytes)?.keep()
}

/// Calls `block` with each block of an archive, a block at a time; hashes are not checked here.
fn read(
    mut archive: impl Read,
    most_bytes: u64,
    mut block: impl FnMut(&Cid, &[u8]) -> Result<(), CarError>,
) -> Result<Car, CarError> {
    let header = read_header(&mut archive)?;
    // The crate's reader wants the header too; how far it has read tells an end from a cut.
    let position = Rc::new(Cell::new(0));
    let whole = Counted { inner: io::Cursor::new(header).chain(archive), position: Rc::clone(&position) };
    let mut reader = pollster::block_on(CarReader::new(Blocking(whole)))?;
    let mut car = Car { roots: reader.header().roots().to_vec(), blocks: 0, block_bytes: 0 };
    if car.roots.len() > MAX_ROOTS {
        return Err(CarError::TooMany);
    }
    let mut end = position.get();
    while let Some((cid, bytes)) = pollster::block_on(reader.next_block())? {
        end = position.get();
        car.blocks += 1;
        car.block_bytes += bytes.len() as u64;
        if car.block_bytes > most_bytes {
            return Err(CarError::TooLarge(most_bytes));
        }
        if car.blocks > MAX_BLOCKS {
            return Err(CarError::TooMany);
        }
        block(&cid, &bytes)?;
    }
    if position.get() == end { Ok(car) } else { Err(CarError::Truncated) }
}

/// The header with the length before it, checked to be the bytes that every writer gives for its roots.
fn read_header(archive: &mut impl Read) -> Result<Vec<u8>, CarError> {
    let cut = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => CarError::Truncated,
        _ => CarError::Io(error),
    };
    let mut bytes = Vec::new();
    let mut length = 0;
    // 4,096 takes two bytes of seven bits each.
    for shift in [0, 7] {
        let mut byte = [0];
        archive.read_exact(&mut byte).map_err(cut)?;
        bytes.extend(byte);
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    if bytes.last().is_some_and(|byte| *byte >= 0x80) || length > MAX_HEADER_BYTES {
        return Err(CarError::Header("its header is longer than any of ours"));
    }
    let start = bytes.len();
    bytes.resize(start + length, 0);
    archive.read_exact(&mut bytes[start..]).map_err(cut)?;
    let header = CarHeader::decode(&bytes[start..])?;
    if header.encode()? != bytes[start..] {
        return Err(CarError::Header("its header is not in canonical form"));
    }
    Ok(bytes)
}

/// A reader that says how far it has come.
struct Counted<R> {
    inner: R,
    position: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.position.set(self.position.get() + count as u64);
        Ok(count)
    }
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
