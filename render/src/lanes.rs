//! Eight numbers at a time, by the widest instructions that the processor has.
//!
//! The same operations in the same order, none of them fused, and so the same bits everywhere.

use wide::f32x4;

#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

/// A way to compute with eight numbers.
pub(crate) trait Lanes: Copy {
    /// Eight numbers.
    type Eight: Copy;

    fn load(self, x: &[f32; 8]) -> Self::Eight;
    fn store(self, x: Self::Eight) -> [f32; 8];
    fn splat(self, x: f32) -> Self::Eight;
    fn sub(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    fn mul(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    /// The smaller; of numbers alone.
    fn min(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    /// The larger; of numbers alone.
    fn max(self, a: Self::Eight, b: Self::Eight) -> Self::Eight;
    /// A bit for each lane where `a` ≤ `b`, the first the lowest.
    fn at_most(self, a: Self::Eight, b: Self::Eight) -> u32;
}

/// What is to be done in lanes.
pub(crate) trait InLanes {
    type Found;

    fn run<L: Lanes>(self, lanes: L) -> Self::Found;
}

/// Which instructions there are, asked once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Widest {
    #[cfg(target_arch = "x86_64")]
    avx2: Option<V3>,
}

impl Default for Widest {
    fn default() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: V3::try_new(),
        }
    }
}

impl Widest {
    /// As on a processor that has nothing beyond what every one has.
    #[cfg(test)]
    pub(crate) fn of_any_processor() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: None,
        }
    }

    /// Does what is inlined into `work` with all the instructions that there are.
    #[inline(always)]
    pub(crate) fn run<R>(self, work: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return avx2.vectorize(work);
        }
        work()
    }

    /// Does `work` in the widest lanes that there are.
    #[inline(always)]
    pub(crate) fn in_lanes<W: InLanes>(self, work: W) -> W::Found {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return avx2.vectorize(
                #[inline(always)]
                || work.run(avx2),
            );
        }
        work.run(FourAndFour)
    }
}

/// Four numbers, and then the other four.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FourAndFour;

impl FourAndFour {
    #[inline(always)]
    fn each(a: [f32x4; 2], b: [f32x4; 2], of: impl Fn(f32x4, f32x4) -> f32x4) -> [f32x4; 2] {
        [of(a[0], b[0]), of(a[1], b[1])]
    }
}

impl Lanes for FourAndFour {
    type Eight = [f32x4; 2];

    #[inline(always)]
    fn load(self, x: &[f32; 8]) -> Self::Eight {
        let [a, b, c, d, e, f, g, h] = *x;
        [f32x4::new([a, b, c, d]), f32x4::new([e, f, g, h])]
    }

    #[inline(always)]
    fn store(self, x: Self::Eight) -> [f32; 8] {
        let ([a, b, c, d], [e, f, g, h]) = (x[0].to_array(), x[1].to_array());
        [a, b, c, d, e, f, g, h]
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::Eight {
        [f32x4::splat(x); 2]
    }

    #[inline(always)]
    fn sub(self, a: Self::Eight, b: Self::Eight) -> Self::Eight {
        Self::each(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Self::Eight, b: Self::Eight) -> Self::Eight {
        Self::each(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn min(self, a: Self::Eight, b: Self::Eight) -> Self::Eight {
        Self::each(a, b, f32x4::fast_min)
    }

    #[inline(always)]
    fn max(self, a: Self::Eight, b: Self::Eight) -> Self::Eight {
        Self::each(a, b, f32x4::fast_max)
    }

    #[inline(always)]
    fn at_most(self, a: Self::Eight, b: Self::Eight) -> u32 {
        a[0].simd_le(b[0]).to_bitmask() | a[1].simd_le(b[1]).to_bitmask() << 4
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{__m256, _CMP_LE_OQ};

    use pulp::x86::V3;

    use super::Lanes;

    impl Lanes for V3 {
        type Eight = __m256;

        #[inline(always)]
        fn load(self, x: &[f32; 8]) -> __m256 {
            pulp::cast(*x)
        }

        #[inline(always)]
        fn store(self, x: __m256) -> [f32; 8] {
            pulp::cast(x)
        }

        #[inline(always)]
        fn splat(self, x: f32) -> __m256 {
            self.avx._mm256_set1_ps(x)
        }

        #[inline(always)]
        fn sub(self, a: __m256, b: __m256) -> __m256 {
            self.avx._mm256_sub_ps(a, b)
        }

        #[inline(always)]
        fn mul(self, a: __m256, b: __m256) -> __m256 {
            self.avx._mm256_mul_ps(a, b)
        }

        #[inline(always)]
        fn min(self, a: __m256, b: __m256) -> __m256 {
            self.avx._mm256_min_ps(a, b)
        }

        #[inline(always)]
        fn max(self, a: __m256, b: __m256) -> __m256 {
            self.avx._mm256_max_ps(a, b)
        }

        #[inline(always)]
        fn at_most(self, a: __m256, b: __m256) -> u32 {
            self.avx._mm256_movemask_ps(self.avx._mm256_cmp_ps::<_CMP_LE_OQ>(a, b)).cast_unsigned()
        }
    }
}
