//! The sample sequence: two-dimensional Sobol points, Owen-scrambled, padded pair by pair.
//!
//! A coordinate is a pure function of (pixel, sample index, dimension, seed): no thread, tile or frame order enters it,
//! so a tile draws the very samples of the whole frame. Every pair of dimensions takes the same (0, 2)-sequence in an
//! independently shuffled order (Burley 2020, "Practical Hash-based Owen Scrambling", JCGT 9(4)).

/// Nested uniform scrambling of the bits of `x`, lowest first: a hash in which each bit depends only on the bits
/// below it. The structure is Laine and Karras's (2011, "Stratified Sampling for Stochastic Transparency"), the
/// constants are Vegdahl's (2021, "Building a Better LK Hash").
#[inline(always)]
fn scramble_low_first(mut x: u32, seed: u32) -> u32 {
    x ^= x.wrapping_mul(0x3d20_adea);
    x = x.wrapping_add(seed);
    x = x.wrapping_mul((seed >> 16) | 1);
    x ^= x.wrapping_mul(0x0552_6c56);
    x ^ x.wrapping_mul(0x53a2_2864)
}

/// A 32-bit finaliser with low bias (Wellons 2018, "Prospecting for Hash Functions", `lowbias32`).
#[inline(always)]
pub(crate) fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Sobol's second dimension of `index`, with its bits reversed.
///
/// Joe and Kuo's table (2008, `new-joe-kuo-6.21201`) gives it the primitive polynomial of degree 1 and `m = 1`, so that
/// its direction numbers are the rows of Pascal's triangle modulo 2. By Lucas's theorem, bit `i` of the reversed value
/// is then the sum modulo 2 of the index bits `j` whose position contains `i`'s as a subset: five folding steps.
#[inline(always)]
fn sobol_second_reversed(index: u32) -> u32 {
    let mut x = index;
    x ^= (x >> 1) & 0x5555_5555;
    x ^= (x >> 2) & 0x3333_3333;
    x ^= (x >> 4) & 0x0f0f_0f0f;
    x ^= (x >> 8) & 0x00ff_00ff;
    x ^ ((x >> 16) & 0x0000_ffff)
}

/// The top 24 bits as a float in [0, 1).
#[inline(always)]
fn unit(bits: u32) -> f32 {
    (bits >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// The samples of one path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampler {
    /// The sample index, bits reversed.
    index_reversed: u32,
    pixel: u32,
}

impl Sampler {
    /// The path `index` of the pixel at (`x`, `y`) of the whole frame number `frame`.
    ///
    /// Three pixels in eight, by chance, take other samples in each frame: few enough for what noise is left to stand still
    /// in a film, enough for a frame not to pass for its neighbour where nothing moves.
    #[inline]
    pub(crate) fn new(x: u32, y: u32, index: u32, seed: u32, frame: u32) -> Self {
        let place = hash(x ^ hash(y ^ hash(seed ^ 0x5eed_5707)));
        let pixel = if place % 8 < 3 { hash(place ^ frame) } else { place };
        Self { index_reversed: index.reverse_bits(), pixel }
    }

    /// The coordinates numbered `pair` of this path, each in [0, 1).
    #[inline]
    pub(crate) fn pair(&self, pair: u32) -> [f32; 2] {
        let seed = hash(self.pixel ^ pair.wrapping_mul(0x9e37_79b9));
        let index = scramble_low_first(self.index_reversed, seed).reverse_bits();
        // Sobol's first dimension is the index with its bits reversed, and scrambling works on reversed bits too: the
        // two reversals cancel.
        let first = scramble_low_first(index, hash(seed ^ 0x68bc_21eb));
        let second = scramble_low_first(sobol_second_reversed(index), hash(seed ^ 0x02e5_be93));
        [unit(first.reverse_bits()), unit(second.reverse_bits())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook construction: XOR of direction numbers v₁ = ½, v_k = v_{k−1} ⊕ v_{k−1}/2.
    fn sobol_second_by_direction_numbers(index: u32) -> u32 {
        let mut direction = 0x8000_0000_u32;
        let mut value = 0;
        for bit in 0..32 {
            if index >> bit & 1 == 1 {
                value ^= direction;
            }
            direction ^= direction >> 1;
        }
        value
    }

    #[test]
    fn folding_equals_direction_numbers() {
        for index in (0..70_000).chain([u32::MAX, 0x8000_0001, 0xdead_beef]) {
            assert_eq!(sobol_second_reversed(index).reverse_bits(), sobol_second_by_direction_numbers(index));
        }
    }

    /// A (0, 2)-sequence puts exactly one of 2^m points into each elementary interval, and Owen scrambling keeps that.
    #[test]
    fn every_elementary_interval_holds_one_point() {
        for pair in [0, 1, 7, 40] {
            for log_width in 0..=6 {
                let (columns, rows) = (1_usize << log_width, 1_usize << (6 - log_width));
                let mut seen = vec![0; 64];
                for index in 0..64 {
                    let [x, y] = Sampler::new(17, 4, index, 0, 0).pair(pair);
                    let column = (x * columns as f32) as usize;
                    let row = (y * rows as f32) as usize;
                    seen[row * columns + column] += 1;
                }
                assert!(seen.iter().all(|&count| count == 1), "pair {pair}, {columns} × {rows}: {seen:?}");
            }
        }
    }

    /// Padded pairs are not aligned with one another: over many pixels the correlation of their coordinates vanishes.
    #[test]
    fn pairs_are_independent() {
        for (pair, other) in [(0, 1), (2, 3), (2, 6), (5, 9)] {
            let mut sum = 0.0_f64;
            let mut count = 0.0;
            for y in 0..40 {
                for x in 0..40 {
                    for index in 0..16 {
                        let sampler = Sampler::new(x, y, index, 0, 0);
                        sum += f64::from(sampler.pair(pair)[0] - 0.5) * f64::from(sampler.pair(other)[0] - 0.5);
                        count += 1.0;
                    }
                }
            }
            // A product of independent uniforms about zero has deviation 1/12; five of them for 25,600 samples.
            assert!((sum / count).abs() < 5.0 / 12.0 / 160.0, "{pair} and {other}: {}", sum / count);
        }
    }
}
