//! Trajectories: what a world looked like at regular times, small enough to be pinned.
//!
//! A trajectory is a table of snapshots, each of `elements × channels` whole numbers that the scenario gives a
//! meaning. Snapshots are grouped in chunks that can be read alone; within a chunk each is stored as its difference
//! from a straight continuation of the two before it, as zigzag varints, deflated. Every chunk and the index carry
//! a BLAKE3 digest. The layout, little-endian:
//!
//! ```text
//! "SSTRAJ\x01\n"  chunk …  index  index length (u32)  BLAKE3 of all before (32)
//! index: elements, channels, snapshots, snapshots a chunk, chunks, checkpoints (u32 each),
//!        per chunk: offset (u64), length (u32), BLAKE3 (32); per checkpoint: BLAKE3 (32)
//! ```

use crate::merkle::{self, Digest};

const MAGIC: &[u8; 8] = b"SSTRAJ\x01\n";

/// Snapshots in a chunk.
const CHUNK: usize = 8;

/// Level of the deflate encoder; part of the engine version.
const DEFLATE_LEVEL: u8 = 6;

/// The largest trajectory that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// The most numbers in a snapshot.
const MAX_VALUES: usize = 1 << 22;

/// The most snapshots, and the most checkpoints.
const MAX_SNAPSHOTS: usize = 1 << 14;

/// Why bytes are not a trajectory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the trajectory is damaged or was made by another version: {0}")]
pub struct TrajectoryError(&'static str);

/// One state of the world, as numbers: channel by channel, each over all elements.
pub type Snapshot = Vec<i32>;

/// Collects snapshots into a trajectory.
#[derive(Debug)]
pub struct TrajectoryWriter {
    elements: usize,
    channels: usize,
    snapshots: usize,
    bytes: Vec<u8>,
    chunks: Vec<Chunk>,
    pending: Vec<Snapshot>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Chunk {
    offset: usize,
    length: usize,
    digest: Digest,
}

impl TrajectoryWriter {
    /// A writer of snapshots of `elements × channels` numbers.
    #[must_use]
    pub fn new(elements: usize, channels: usize) -> Self {
        Self { elements, channels, snapshots: 0, bytes: MAGIC.to_vec(), chunks: vec![], pending: vec![] }
    }

    /// Goes on where the writer that gave these [`TrajectoryWriter::parts`] was.
    ///
    /// # Errors
    /// Parts that contradict one another.
    pub fn restore(
        elements: usize,
        channels: usize,
        bytes: Vec<u8>,
        chunk_lengths: &[u32],
    ) -> Result<Self, TrajectoryError> {
        if !bytes.starts_with(MAGIC) {
            return Err(TrajectoryError("it does not begin as a trajectory"));
        }
        let mut chunks = Vec::new();
        let mut offset = MAGIC.len();
        for length in chunk_lengths {
            let length = *length as usize;
            let packed = bytes.get(offset..).and_then(|rest| rest.get(..length));
            let packed = packed.ok_or(TrajectoryError("a chunk lies outside of the file"))?;
            chunks.push(Chunk { offset, length, digest: Digest(*blake3::hash(packed).as_bytes()) });
            offset += length;
        }
        if offset != bytes.len() {
            return Err(TrajectoryError("it holds bytes that belong to nothing"));
        }
        Ok(Self { elements, channels, snapshots: chunks.len() * CHUNK, bytes, chunks, pending: vec![] })
    }

    /// How many snapshots were added.
    #[must_use]
    pub fn snapshots(&self) -> usize {
        self.snapshots
    }

    /// Whether every snapshot lies in a complete chunk.
    #[must_use]
    pub fn is_at_chunk_end(&self) -> bool {
        self.pending.is_empty()
    }

    /// What [`TrajectoryWriter::restore`] needs at the end of a chunk: the bytes so far, and the length of each chunk.
    ///
    /// # Panics
    /// Within a chunk.
    #[must_use]
    pub fn parts(&self) -> (&[u8], Vec<u32>) {
        assert!(self.is_at_chunk_end(), "parts are taken at the end of a chunk");
        (&self.bytes, self.chunks.iter().map(|chunk| chunk.length as u32).collect())
    }

    /// Adds a snapshot.
    ///
    /// # Panics
    /// If it does not hold `elements × channels` numbers.
    pub fn push(&mut self, snapshot: Snapshot) {
        assert_eq!(snapshot.len(), self.elements * self.channels, "a snapshot is elements × channels numbers");
        self.pending.push(snapshot);
        self.snapshots += 1;
        if self.pending.len() == CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let plain = encode(&self.pending, self.elements);
        let packed = miniz_oxide::deflate::compress_to_vec(&plain, DEFLATE_LEVEL);
        let digest = Digest(*blake3::hash(&packed).as_bytes());
        self.chunks.push(Chunk { offset: self.bytes.len(), length: packed.len(), digest });
        self.bytes.extend(packed);
        self.pending.clear();
    }

    /// The bytes of the trajectory, with the digests of the world's checkpoints.
    #[must_use]
    pub fn finish(mut self, checkpoints: &[Digest]) -> Vec<u8> {
        if !self.pending.is_empty() {
            self.flush();
        }
        let start = self.bytes.len();
        let counts = [self.elements, self.channels, self.snapshots, CHUNK, self.chunks.len(), checkpoints.len()];
        for count in counts {
            self.bytes.extend((count as u32).to_le_bytes());
        }
        for chunk in &self.chunks {
            self.bytes.extend((chunk.offset as u64).to_le_bytes());
            self.bytes.extend((chunk.length as u32).to_le_bytes());
            self.bytes.extend(chunk.digest.0);
        }
        for checkpoint in checkpoints {
            self.bytes.extend(checkpoint.0);
        }
        let length = (self.bytes.len() - start) as u32;
        self.bytes.extend(length.to_le_bytes());
        let digest = blake3::hash(&self.bytes);
        self.bytes.extend(digest.as_bytes());
        self.bytes
    }
}

/// A trajectory that can be read at any snapshot.
#[derive(Debug, Clone)]
pub struct Trajectory {
    bytes: Vec<u8>,
    elements: usize,
    channels: usize,
    snapshots: usize,
    chunks: Vec<Chunk>,
    checkpoints: Vec<Digest>,
}

impl Trajectory {
    /// Reads a trajectory's index and checks its digest; the chunks are checked when they are read.
    ///
    /// # Errors
    /// Bytes that no [`TrajectoryWriter`] wrote.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, TrajectoryError> {
        if bytes.len() > MAX_BYTES {
            return Err(TrajectoryError("it is larger than 64 MiB"));
        }
        if bytes.len() < MAGIC.len() + 36 || !bytes.starts_with(MAGIC) {
            return Err(TrajectoryError("it does not begin as a trajectory"));
        }
        let (body, digest) = bytes.split_at(bytes.len() - 32);
        if blake3::hash(body).as_bytes() != digest {
            return Err(TrajectoryError("its digest does not match"));
        }
        let (body, length) = body.split_at(body.len() - 4);
        let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
        let start = body.len().checked_sub(length).filter(|s| *s >= MAGIC.len());
        let start = start.ok_or(TrajectoryError("its index is too long"))?;
        let mut index = Reader(&body[start..]);
        let mut count = || index.u32().map(|n| n as usize);
        let (elements, channels, snapshots) = (count()?, count()?, count()?);
        let (a_chunk, chunk_count, checkpoint_count) = (count()?, count()?, count()?);
        let sane = elements.checked_mul(channels).is_some_and(|n| n <= MAX_VALUES)
            && snapshots <= MAX_SNAPSHOTS
            && checkpoint_count <= MAX_SNAPSHOTS
            && a_chunk == CHUNK
            && chunk_count == snapshots.div_ceil(CHUNK);
        if !sane {
            return Err(TrajectoryError("its sizes are out of bounds"));
        }
        let mut chunks = Vec::with_capacity(chunk_count);
        let mut expected = MAGIC.len();
        for _ in 0..chunk_count {
            let chunk = Chunk {
                offset: usize::try_from(index.u64()?).map_err(|_| TrajectoryError("an offset is too large"))?,
                length: index.u32()? as usize,
                digest: index.digest()?,
            };
            if chunk.offset != expected || chunk.length > start - expected {
                return Err(TrajectoryError("a chunk lies outside of the file"));
            }
            expected += chunk.length;
            chunks.push(chunk);
        }
        let checkpoints = (0..checkpoint_count).map(|_| index.digest()).collect::<Result<Vec<_>, _>>()?;
        if expected != start || !index.0.is_empty() {
            return Err(TrajectoryError("it holds bytes that belong to nothing"));
        }
        Ok(Self { elements, channels, snapshots, chunks, checkpoints, bytes })
    }

    /// The bytes that it was read from.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Numbers that each element has in a snapshot.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of snapshots.
    #[must_use]
    pub fn snapshots(&self) -> usize {
        self.snapshots
    }

    /// Number of chunks.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Digests of the world's checkpoints, in order.
    #[must_use]
    pub fn checkpoints(&self) -> &[Digest] {
        &self.checkpoints
    }

    /// The Merkle root over the checkpoints.
    #[must_use]
    pub fn sim_root(&self) -> Digest {
        merkle::root(&self.checkpoints)
    }

    /// The snapshots of chunk number `chunk`.
    ///
    /// # Errors
    /// A damaged chunk.
    ///
    /// # Panics
    /// If there is no such chunk.
    pub fn chunk(&self, chunk: usize) -> Result<Vec<Snapshot>, TrajectoryError> {
        let place = &self.chunks[chunk];
        let packed = &self.bytes[place.offset..place.offset + place.length];
        if *blake3::hash(packed).as_bytes() != place.digest.0 {
            return Err(TrajectoryError("a chunk's digest does not match"));
        }
        let count = (self.snapshots - chunk * CHUNK).min(CHUNK);
        // A varint of 32 bits takes at most five bytes.
        let limit = count * self.elements * self.channels * 5;
        let plain = miniz_oxide::inflate::decompress_to_vec_with_limit(packed, limit)
            .map_err(|_| TrajectoryError("a chunk cannot be unpacked"))?;
        decode(&plain, count, self.elements, self.channels)
    }

    /// Snapshot number `index`, and the chunk that it lies in for reading its neighbours.
    ///
    /// # Errors
    /// No such snapshot, or a damaged chunk.
    pub fn snapshot(&self, index: usize) -> Result<Snapshot, TrajectoryError> {
        if index >= self.snapshots {
            return Err(TrajectoryError("it has fewer snapshots"));
        }
        Ok(self.chunk(index / CHUNK)?.swap_remove(index % CHUNK))
    }
}

/// Reads a trajectory forwards, keeping the chunks near the present in memory.
#[derive(Debug)]
pub struct Player<'a> {
    trajectory: &'a Trajectory,
    chunks: Vec<(usize, Vec<Snapshot>)>,
}

impl<'a> Player<'a> {
    /// A player of `trajectory`.
    #[must_use]
    pub fn new(trajectory: &'a Trajectory) -> Self {
        Self { trajectory, chunks: vec![] }
    }

    /// The state at `time` in [0, 1] of the duration, by cubic interpolation between snapshots: values, and their
    /// change from one snapshot to the next.
    ///
    /// # Errors
    /// A damaged chunk.
    pub fn at(&mut self, time: f64) -> Result<(Vec<f32>, Vec<f32>), TrajectoryError> {
        let last = self.trajectory.snapshots.checked_sub(1).ok_or(TrajectoryError("it holds no snapshot"))?;
        let place = time.clamp(0.0, 1.0) * last as f64;
        let before = (place.floor() as usize).min(last.saturating_sub(1));
        let t = (place - before as f64) as f32;
        let indices = [before.saturating_sub(1), before, (before + 1).min(last), (before + 2).min(last)];
        self.load(&indices)?;
        let [a, b, c, d] = indices.map(|index| self.get(index));
        // Catmull–Rom, and its derivative.
        let value = |p: [f32; 4]| {
            let (tangent_b, tangent_c) = ((p[2] - p[0]) * 0.5, (p[3] - p[1]) * 0.5);
            let (square, cube) = (t * t, t * t * t);
            let position = (2.0 * cube - 3.0 * square + 1.0) * p[1]
                + (cube - 2.0 * square + t) * tangent_b
                + (3.0 * square - 2.0 * cube) * p[2]
                + (cube - square) * tangent_c;
            let rate = (6.0 * square - 6.0 * t) * (p[1] - p[2])
                + (3.0 * square - 4.0 * t + 1.0) * tangent_b
                + (3.0 * square - 2.0 * t) * tangent_c;
            (position, rate)
        };
        Ok((0..b.len()).map(|i| value([a[i] as f32, b[i] as f32, c[i] as f32, d[i] as f32])).unzip())
    }

    fn load(&mut self, indices: &[usize]) -> Result<(), TrajectoryError> {
        let needed = |chunk: usize| indices.iter().any(|index| index / CHUNK == chunk);
        self.chunks.retain(|(chunk, _)| needed(*chunk));
        for index in indices {
            let chunk = index / CHUNK;
            if !self.chunks.iter().any(|(there, _)| *there == chunk) {
                self.chunks.push((chunk, self.trajectory.chunk(chunk)?));
            }
        }
        Ok(())
    }

    fn get(&self, index: usize) -> &Snapshot {
        let held = self.chunks.iter().find(|(chunk, _)| *chunk == index / CHUNK);
        &held.expect("load() was called for this index").1[index % CHUNK]
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], TrajectoryError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(TrajectoryError("its index is cut short"))?;
        self.0 = rest;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32, TrajectoryError> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, TrajectoryError> {
        self.take().map(u64::from_le_bytes)
    }

    fn digest(&mut self) -> Result<Digest, TrajectoryError> {
        self.take().map(Digest)
    }
}

/// What value `index` of snapshot `at` is expected to be, from those before it in the chunk.
fn predict(done: &[Snapshot], current: &[i32], at: usize, index: usize, elements: usize) -> i32 {
    match at {
        // The neighbouring element of the same channel; elements are laid out so that neighbours are alike.
        0 if index.is_multiple_of(elements) => 0,
        0 => current[index - 1],
        1 => done[0][index],
        _ => done[at - 1][index].wrapping_mul(2).wrapping_sub(done[at - 2][index]),
    }
}

fn encode(snapshots: &[Snapshot], elements: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(snapshots.len() * snapshots[0].len() * 2);
    for (at, snapshot) in snapshots.iter().enumerate() {
        for (index, value) in snapshot.iter().enumerate() {
            let rest = value.wrapping_sub(predict(&snapshots[..at], snapshot, at, index, elements));
            let mut zigzag = (rest.wrapping_shl(1) ^ (rest >> 31)) as u32;
            while zigzag >= 0x80 {
                out.push(zigzag as u8 | 0x80);
                zigzag >>= 7;
            }
            out.push(zigzag as u8);
        }
    }
    out
}

fn decode(mut bytes: &[u8], count: usize, elements: usize, channels: usize) -> Result<Vec<Snapshot>, TrajectoryError> {
    let mut snapshots: Vec<Snapshot> = Vec::with_capacity(count);
    for at in 0..count {
        let mut snapshot = Vec::with_capacity(elements * channels);
        for index in 0..elements * channels {
            let mut zigzag = 0u32;
            let mut shift = 0;
            loop {
                let (byte, rest) = bytes.split_first().ok_or(TrajectoryError("a chunk is cut short"))?;
                bytes = rest;
                if shift == 28 && *byte > 0x0f {
                    return Err(TrajectoryError("a number is too large"));
                }
                zigzag |= u32::from(byte & 0x7f) << shift;
                if *byte < 0x80 {
                    break;
                }
                shift += 7;
            }
            let rest = (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32);
            snapshot.push(rest.wrapping_add(predict(&snapshots, &snapshot, at, index, elements)));
        }
        snapshots.push(snapshot);
    }
    if bytes.is_empty() { Ok(snapshots) } else { Err(TrajectoryError("a chunk is too long")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(snapshots: &[Snapshot], elements: usize, channels: usize) -> Vec<u8> {
        let mut writer = TrajectoryWriter::new(elements, channels);
        snapshots.iter().for_each(|s| writer.push(s.clone()));
        writer.finish(&[merkle::leaf(0, b"a"), merkle::leaf(8, b"b")])
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(snapshots in prop::collection::vec(prop::collection::vec(any::<i32>(), 6), 0..20)) {
            let trajectory = Trajectory::from_bytes(written(&snapshots, 3, 2)).unwrap();
            prop_assert_eq!(trajectory.snapshots(), snapshots.len());
            for (index, snapshot) in snapshots.iter().enumerate() {
                prop_assert_eq!(&trajectory.snapshot(index).unwrap(), snapshot);
            }
            prop_assert_eq!(trajectory.checkpoints().len(), 2);
        }

        #[test]
        fn any_changed_byte_is_noticed(at in 0usize..400, bit in 0u8..8) {
            let mut bytes = written(&vec![vec![1, 2, 3, 4, 5, 6]; 9], 3, 2);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(Trajectory::from_bytes(bytes).is_err());
        }

        #[test]
        fn hostile_chunks_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes, 2, 4, 3);
        }
    }

    #[test]
    fn interpolation_meets_the_snapshots_and_straight_motion() {
        let snapshots: Vec<Snapshot> = (0..17).map(|k| vec![k * 100]).collect();
        let trajectory = Trajectory::from_bytes(written(&snapshots, 1, 1)).unwrap();
        let mut player = Player::new(&trajectory);
        for k in 0..=16 {
            assert_eq!(player.at(f64::from(k) / 16.0).unwrap().0, [k as f32 * 100.0]);
        }
        let (value, rate) = player.at(5.25 / 16.0).unwrap();
        assert!((value[0] - 525.0).abs() < 1e-3 && (rate[0] - 100.0).abs() < 1e-3);
    }
}
