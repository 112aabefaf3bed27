//! Counter-based randomness: a value depends on (seed, stream, element, draw) and on nothing else.
//!
//! Philox 4×32-10 (Salmon, Moraes, Dror, Shaw: *Parallel random numbers: as easy as 1, 2, 3*, SC 2011). Because no
//! state is carried from one draw to the next, neither threads nor the order of calls can change a result.

use crate::seed::Seed;

/// A named stream of random numbers of one seed.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    key: [u32; 2],
}

impl Stream {
    /// The stream called `name` of `seed`; streams of different names are independent.
    #[must_use]
    pub fn new(seed: &Seed, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("seedstorm/1 random stream");
        hasher.update(&seed.0);
        hasher.update(name.as_bytes());
        let digest = *hasher.finalize().as_bytes();
        let word = |i: usize| u32::from_le_bytes([digest[i], digest[i + 1], digest[i + 2], digest[i + 3]]);
        Self { key: [word(0), word(4)] }
    }

    /// Four random words for draw number `draw` of `element`.
    #[must_use]
    pub fn words(&self, element: u64, draw: u32) -> [u32; 4] {
        philox([element as u32, (element >> 32) as u32, draw, 0], self.key)
    }

    /// A whole number in `0..bound`, uniform to within 2⁻³².
    #[must_use]
    pub fn below(&self, element: u64, draw: u32, bound: u32) -> u32 {
        ((u64::from(self.words(element, draw)[0]) * u64::from(bound)) >> 32) as u32
    }

    /// A number in [0, 1) with 32 random bits.
    #[must_use]
    pub fn unit(&self, element: u64, draw: u32) -> f64 {
        f64::from(self.words(element, draw)[0]) / 4_294_967_296.0
    }

    /// A number in [`low`, `high`).
    #[must_use]
    pub fn between(&self, element: u64, draw: u32, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit(element, draw)
    }
}

/// Philox 4×32 with ten rounds.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers from the Random123 distribution.
    #[test]
    fn philox_known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn streams_differ_and_repeat() {
        let seed = Seed::from(7);
        let (a, b) = (Stream::new(&seed, "a"), Stream::new(&seed, "b"));
        assert_eq!(a.words(3, 1), Stream::new(&seed, "a").words(3, 1));
        assert_ne!(a.words(3, 1), b.words(3, 1));
        assert_ne!(a.words(3, 1), a.words(4, 1));
        assert_ne!(a.words(3, 1), a.words(3, 2));
    }
}
