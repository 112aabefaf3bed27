//! The widest instructions that the processor has.

#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

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
    /// Does what is inlined into `work` with AVX2 where there is AVX2: the same operations in the same order, none of them
    /// fused, and so the same bits.
    #[inline(always)]
    pub(crate) fn run<R>(self, work: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return avx2.vectorize(work);
        }
        work()
    }
}
