//! The Merkle trees over a world's checkpoints, and over the raw light of a film's frames.

use std::{fmt, str::FromStr};

/// A BLAKE3 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestError)?;
        Ok(Self(bytes))
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The digest of a checkpoint's canonical bytes, bound to its step.
#[must_use]
pub fn leaf(step: u32, bytes: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("seedstorm/1 checkpoint");
    hasher.update(&step.to_le_bytes());
    hasher.update(bytes);
    Digest(*hasher.finalize().as_bytes())
}

/// The root of a binary tree over `leaves`; an odd one out rises unchanged. The number of leaves is part of the root.
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    root_of(leaves, "seedstorm/1 checkpoint tree", "seedstorm/1 sim_root")
}

/// The digest of a frame's raw light: its radiance before any denoising, bound to its number.
#[must_use]
pub fn light_leaf(frame: u32, bytes: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("seedstorm/1 light");
    hasher.update(&frame.to_le_bytes());
    hasher.update(bytes);
    Digest(*hasher.finalize().as_bytes())
}

/// The same as [`root`], over the light of all frames.
#[must_use]
pub fn light_root(leaves: &[Digest]) -> Digest {
    root_of(leaves, "seedstorm/1 light tree", "seedstorm/1 light_root")
}

fn root_of(leaves: &[Digest], tree: &str, root: &str) -> Digest {
    let join = |pair: &[Digest]| match pair {
        [left, right] => {
            let mut hasher = blake3::Hasher::new_derive_key(tree);
            hasher.update(&left.0);
            hasher.update(&right.0);
            Digest(*hasher.finalize().as_bytes())
        }
        _ => pair[0],
    };
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level.chunks(2).map(join).collect();
    }
    let mut hasher = blake3::Hasher::new_derive_key(root);
    hasher.update(&(leaves.len() as u32).to_le_bytes());
    for top in &level {
        hasher.update(&top.0);
    }
    Digest(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_and_its_place_count() {
        let leaves: Vec<Digest> = (0..7).map(|step| leaf(step, b"state")).collect();
        let whole = root(&leaves);
        for at in 0..leaves.len() {
            let mut forged = leaves.clone();
            forged[at] = leaf(99, b"state");
            assert_ne!(root(&forged), whole);
        }
        let mut swapped = leaves.clone();
        swapped.swap(2, 3);
        assert_ne!(root(&swapped), whole);
        assert_ne!(root(&leaves[..6]), whole);
        assert_ne!(root(&[]), root(&leaves[..1]));
    }
}
