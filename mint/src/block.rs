//! Blocks and their identifiers: the few kinds of CID that content here is made of.

use cid::Cid;
use multihash::Multihash;
use sha2::{Digest, Sha256};

/// The multicodec of a block whose bytes are the content itself.
pub const RAW: u64 = 0x55;
/// The multicodec of a DAG-PB node: a folder, or the index of a file of several chunks.
pub const DAG_PB: u64 = 0x70;
/// The multicodec of sha2-256, the only hash function in use here.
pub const SHA2_256: u64 = 0x12;
/// The most bytes that one block may have: 2 MiB, what IPFS peers exchange.
pub const MAX_BLOCK_BYTES: usize = 2 << 20;

/// Why bytes are not the block that a CID names.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The CID's hash function is not sha2-256 with 32 bytes, or its codec is neither raw nor DAG-PB.
    #[error("{0} is of a kind that is not kept here (sha2-256 with codec raw or dag-pb is)")]
    UnknownKind(Cid),
    /// The bytes do not have the hash that the CID names.
    #[error("block {0} is damaged: its bytes have another hash")]
    WrongHash(Cid),
    /// A block above [`MAX_BLOCK_BYTES`].
    #[error("block {cid} has {bytes} bytes; {MAX_BLOCK_BYTES} is the most that a block may have")]
    TooLarge {
        /// The block's name.
        cid: Cid,
        /// Its size.
        bytes: u64,
    },
}

/// The CID (version 1) of a block with these bytes and this codec.
pub fn cid_of(codec: u64, bytes: &[u8]) -> Cid {
    Cid::new_v1(codec, sha256_multihash(Sha256::digest(bytes).into()))
}

/// The CID of a raw block: for a file of at most one chunk, the file's own CID.
pub fn raw_cid(bytes: &[u8]) -> Cid {
    cid_of(RAW, bytes)
}

/// The CID of the raw block with this sha-256 digest: what a token's one word stands for.
pub fn raw_cid_from_digest(digest: [u8; 32]) -> Cid {
    Cid::new_v1(RAW, sha256_multihash(digest))
}

/// The sha-256 digest in a CID.
///
/// # Errors
///
/// [`BlockError::UnknownKind`] where the CID holds another hash.
pub fn sha256_digest(cid: &Cid) -> Result<[u8; 32], BlockError> {
    if cid.hash().code() != SHA2_256 {
        return Err(BlockError::UnknownKind(*cid));
    }
    cid.hash().digest().try_into().map_err(|_| BlockError::UnknownKind(*cid))
}

/// Checks that the bytes are the block that the CID names, and of a kind that is kept.
///
/// # Errors
///
/// Any [`BlockError`].
pub fn verify(cid: &Cid, bytes: &[u8]) -> Result<(), BlockError> {
    check_kind(cid)?;
    if bytes.len() > MAX_BLOCK_BYTES {
        return Err(BlockError::TooLarge { cid: *cid, bytes: bytes.len() as u64 });
    }
    if cid_of(cid.codec(), bytes).hash() == cid.hash() { Ok(()) } else { Err(BlockError::WrongHash(*cid)) }
}

pub(crate) fn check_kind(cid: &Cid) -> Result<(), BlockError> {
    sha256_digest(cid)?;
    if cid.codec() == RAW || cid.codec() == DAG_PB { Ok(()) } else { Err(BlockError::UnknownKind(*cid)) }
}

fn sha256_multihash(digest: [u8; 32]) -> Multihash<64> {
    Multihash::wrap(SHA2_256, &digest).expect("32 bytes fit into a multihash of 64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_cid_is_its_digest_in_other_clothes() {
        // Computed apart, with Python's hashlib and base64; the contract's tests have the same line.
        let cid = raw_cid(b"hello world");
        assert_eq!(cid.to_string(), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
        assert_eq!(raw_cid_from_digest(sha256_digest(&cid).unwrap()), cid);
    }

    #[test]
    fn verify_tells_other_bytes_other_hashes_and_other_codecs_apart() {
        let cid = raw_cid(b"a");
        verify(&cid, b"a").unwrap();
        assert!(matches!(verify(&cid, b"b"), Err(BlockError::WrongHash(_))));
        let identity = Cid::new_v1(RAW, Multihash::wrap(0, b"a").unwrap());
        assert!(matches!(verify(&identity, b"a"), Err(BlockError::UnknownKind(_))));
        let json = cid_of(0x0129, b"a");
        assert!(matches!(verify(&json, b"a"), Err(BlockError::UnknownKind(_))));
        let large = vec![0; MAX_BLOCK_BYTES + 1];
        assert!(matches!(verify(&raw_cid(&large), &large), Err(BlockError::TooLarge { .. })));
    }
}
