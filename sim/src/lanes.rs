//! Eight integers at a time: AVX2 where the processor has it, one after the other elsewhere, and the same bits.

use crate::fixed::{mul24, mul30};

/// Four numbers of each of two nodes.
pub(crate) type Two = [[i32; 4]; 2];

/// A way to compute with eight numbers, the four of a node beside the four of another.
pub(crate) trait Lanes: Copy {
    /// Eight numbers.
    type Eight: Copy;
    /// The weights of two nodes.
    type Weights: Copy;

    fn load(self, two: Two) -> Self::Eight;
    fn halves(self, eight: Self::Eight) -> Two;
    /// Sums, which wrap.
    fn add(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    /// Differences, which wrap.
    fn sub(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    /// [`mul24`] of each.
    fn mul24(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    /// Two weights, Q30, none of them negative.
    fn weights(self, two: [i32; 2]) -> Self::Weights;
    /// Weights times another that is not negative either, in Q`60 − SHIFT`.
    fn weigh<const SHIFT: i32>(self, weights: Self::Weights, other: i32) -> Self::Weights;
    /// [`mul30`] of each node's four numbers and its weight.
    fn times(self, a: Self::Eight, weights: Self::Weights) -> Self::Eight;

    /// The first four and the last four, one upon the other.
    #[inline(always)]
    fn sum(self, eight: Self::Eight) -> [i32; 4] {
        let [low, high] = self.halves(eight);
        std::array::from_fn(|lane| low[lane].wrapping_add(high[lane]))
    }
}

/// What is to be done in lanes.
pub(crate) trait InLanes {
    fn run<L: Lanes>(self, lanes: L);
}

/// Does it with the widest lanes that the processor has.
#[inline(always)]
pub(crate) fn in_lanes(work: impl InLanes) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = pulp::x86::V3::try_new() {
        avx2.vectorize(
            #[inline(always)]
            || work.run(avx2),
        );
        return;
    }
    work.run(OneByOne);
}

/// One number after the other.
#[derive(Debug, Clone, Copy)]
struct OneByOne;

impl Lanes for OneByOne {
    type Eight = Two;
    type Weights = [i32; 2];

    #[inline(always)]
    fn load(self, two: Two) -> Two {
        two
    }

    #[inline(always)]
    fn halves(self, eight: Two) -> Two {
        eight
    }

    #[inline(always)]
    fn add(self, a: Two, b: Two) -> Two {
        each(|node, lane| a[node][lane].wrapping_add(b[node][lane]))
    }

    #[inline(always)]
    fn sub(self, a: Two, b: Two) -> Two {
        each(|node, lane| a[node][lane].wrapping_sub(b[node][lane]))
    }

    #[inline(always)]
    fn mul24(self, a: Two, b: Two) -> Two {
        each(|node, lane| mul24(a[node][lane], b[node][lane]))
    }

    #[inline(always)]
    fn weights(self, two: [i32; 2]) -> [i32; 2] {
        two
    }

    #[inline(always)]
    fn weigh<const SHIFT: i32>(self, weights: [i32; 2], other: i32) -> [i32; 2] {
        weights.map(|weight| mul30(weight, other) >> (SHIFT - 30))
    }

    #[inline(always)]
    fn times(self, a: Two, weights: [i32; 2]) -> Two {
        each(|node, lane| mul30(a[node][lane], weights[node]))
    }
}

#[inline(always)]
fn each(of: impl Fn(usize, usize) -> i32) -> Two {
    std::array::from_fn(|node| std::array::from_fn(|lane| of(node, lane)))
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::__m256i;

    use pulp::x86::V3;

    use super::{Lanes, Two};

    impl Lanes for V3 {
        type Eight = __m256i;
        /// Each weight in the low half of two lanes of 64 bits.
        type Weights = __m256i;

        #[inline(always)]
        fn load(self, two: Two) -> __m256i {
            bytemuck::cast(two)
        }

        #[inline(always)]
        fn halves(self, eight: __m256i) -> Two {
            bytemuck::cast(eight)
        }

        #[inline(always)]
        fn add(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_add_epi32(a, b)
        }

        #[inline(always)]
        fn sub(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_sub_epi32(a, b)
        }

        #[inline(always)]
        fn mul24(self, a: __m256i, b: __m256i) -> __m256i {
            let even = product::<24>(self, a, b);
            let odd = product::<24>(self, self.avx2._mm256_srli_epi64::<32>(a), self.avx2._mm256_srli_epi64::<32>(b));
            let (even, odd) = (self.avx2._mm256_srli_epi64::<24>(even), self.avx2._mm256_slli_epi64::<8>(odd));
            self.avx2._mm256_blend_epi32::<0b1010_1010>(even, odd)
        }

        #[inline(always)]
        fn weights(self, [low, high]: [i32; 2]) -> __m256i {
            let [low, high] = [i64::from(low), i64::from(high)];
            self.avx._mm256_set_epi64x(high, high, low, low)
        }

        #[inline(always)]
        fn weigh<const SHIFT: i32>(self, weights: __m256i, other: i32) -> __m256i {
            let products = self.avx2._mm256_mul_epi32(weights, self.avx._mm256_set1_epi64x(i64::from(other)));
            let rounded = self.avx2._mm256_add_epi64(products, self.avx._mm256_set1_epi64x(1 << 29));
            self.avx2._mm256_srli_epi64::<SHIFT>(rounded)
        }

        #[inline(always)]
        fn times(self, a: __m256i, weights: __m256i) -> __m256i {
            let even = product::<30>(self, a, weights);
            let odd = product::<30>(self, self.avx2._mm256_srli_epi64::<32>(a), weights);
            let (even, odd) = (self.avx2._mm256_srli_epi64::<30>(even), self.avx2._mm256_slli_epi64::<2>(odd));
            self.avx2._mm256_blend_epi32::<0b1010_1010>(even, odd)
        }
    }

    /// Products of the low halves of lanes of 64 bits, whose 32 bits from bit `SHIFT` on are what they round to: a half and,
    /// where they are negative, −1 added.
    #[inline(always)]
    fn product<const SHIFT: i32>(simd: V3, a: __m256i, b: __m256i) -> __m256i {
        let product = simd.avx2._mm256_mul_epi32(a, b);
        let half = simd.avx._mm256_set1_epi64x(1 << (SHIFT - 1));
        let negative = simd.avx2._mm256_srli_epi64::<63>(product);
        simd.avx2._mm256_sub_epi64(simd.avx2._mm256_add_epi64(product, half), negative)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What lanes make of some numbers.
    struct All {
        a: Two,
        b: Two,
        weights: [i32; 3],
    }

    impl All {
        fn of<L: Lanes>(&self, lanes: L) -> Vec<Two> {
            let (a, b, weights) =
                (lanes.load(self.a), lanes.load(self.b), lanes.weights([self.weights[0], self.weights[1]]));
            let (whole, half) =
                (lanes.weigh::<30>(weights, self.weights[2]), lanes.weigh::<31>(weights, self.weights[2]));
            let results =
                [lanes.add(a, b), lanes.sub(a, b), lanes.mul24(a, b), lanes.times(a, whole), lanes.times(b, half)];
            results.into_iter().map(|eight| lanes.halves(eight)).chain([[lanes.sum(a); 2]]).collect()
        }
    }

    proptest! {
        #[test]
        fn all_lanes_give_the_same(
            a: [[i32; 4]; 2], b: [[i32; 4]; 2], weights in [0..=1i32 << 30, 0..=1i32 << 30, 0..=1i32 << 30],
        ) {
            let all = All { a, b, weights };
            let expected = all.of(OneByOne);
            prop_assert_eq!(expected[2][1][3], mul24(a[1][3], b[1][3]));
            #[cfg(target_arch = "x86_64")]
            if let Some(avx2) = pulp::x86::V3::try_new() {
                prop_assert_eq!(avx2.vectorize(|| all.of(avx2)), expected);
            }
        }
    }
}
