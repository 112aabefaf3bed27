//! Whether a tile that another tracer claims is what the canonical one draws.
//!
//! Tracers that follow the same paths, keyed the same way, differ by rounding, which sends a path elsewhere now and then.
//! So their noise is the same noise: in an honest tile nearly every pixel agrees far better than its own noise would
//! let two independent pictures agree. Fewer samples, a denoiser, another resolution, seed or frame all change the noise
//! of nearly every pixel that has any.
//!
//! The test, on raw linear tiles before any denoising:
//!
//! - a pixel *speaks* where the standard error of its mean is at least [`LOUD`] of it;
//! - a speaking pixel is *apart* where a channel differs by more than [`CLOSE`] of the pixel's luminance;
//! - a tile of fewer than [`QUORUM`] speaking pixels proves nothing, and another one has to be drawn;
//! - of the others, those are refused in which more than [`FORGIVEN`] of the speaking pixels are apart.

use crate::layers::Layers;
use crate::vector::Vec3;

/// The least relative standard error of a pixel that speaks.
pub const LOUD: f32 = 1.0 / 32.0;

/// How far a channel may be, as a share of the pixel's luminance.
pub const CLOSE: f32 = 1.0 / 256.0;

/// The fewest speaking pixels by which a tile is judged.
pub const QUORUM: usize = 32;

/// The share of speaking pixels that may be apart.
pub const FORGIVEN: f32 = 0.25;

/// What is found of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Too few pixels speak.
    Silent,
    /// It is what the canonical tracer draws.
    Agrees,
    /// It is something else.
    Differs,
}

/// How many pixels speak, and how many of them are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Pixels noisy enough to tell.
    pub speaking: usize,
    /// Those of them that differ.
    pub apart: usize,
}

impl Count {
    /// Counts the pixels of `claimed`, rows from the top, beside what the canonical tracer drew.
    ///
    /// # Panics
    /// If they are not as many.
    #[must_use]
    pub fn of(claimed: &[[f32; 3]], canonical: &Layers) -> Self {
        assert_eq!(claimed.len(), canonical.radiance.len(), "tiles of one size");
        let mut count = Self { speaking: 0, apart: 0 };
        for ((claim, ours), variance) in claimed.iter().zip(&canonical.radiance).zip(&canonical.variance) {
            let luminance = Vec3::from(*ours).luminance();
            if luminance > 0.0 && variance.sqrt() >= LOUD * luminance {
                count.speaking += 1;
                // What is not a number is apart.
                let close = claim.iter().zip(ours).all(|(a, b)| (a - b).abs() <= CLOSE * luminance);
                count.apart += usize::from(!close);
            }
        }
        count
    }

    /// What follows from the count.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        if self.speaking < QUORUM {
            Verdict::Silent
        } else if self.apart as f32 > FORGIVEN * self.speaking as f32 {
            Verdict::Differs
        } else {
            Verdict::Agrees
        }
    }
}

/// Judges a tile.
///
/// # Panics
/// If `claimed` has not as many pixels as `canonical`.
#[must_use]
pub fn judge(claimed: &[[f32; 3]], canonical: &Layers) -> Verdict {
    Count::of(claimed, canonical).verdict()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(variance: f32) -> Layers {
        let mut layers = Layers::new(16, 16);
        layers.radiance.fill([1.0, 0.5, 0.25]);
        layers.variance.fill(variance);
        layers
    }

    #[test]
    fn what_is_the_same_agrees_and_what_is_flat_is_silent() {
        assert_eq!(judge(&tile(0.1).radiance, &tile(0.1)), Verdict::Agrees);
        assert_eq!(judge(&tile(0.1).radiance, &tile(0.0)), Verdict::Silent);
    }

    #[test]
    fn a_quarter_is_forgiven_and_no_more() {
        let ours = tile(0.1);
        let mut claimed = ours.radiance.clone();
        claimed[..64].fill([0.0; 3]);
        assert_eq!(judge(&claimed, &ours), Verdict::Agrees);
        claimed[64] = [f32::NAN; 3];
        assert_eq!(judge(&claimed, &ours), Verdict::Differs);
    }
}
