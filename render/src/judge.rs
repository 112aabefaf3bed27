//! Whether a tile that another tracer claims is what the canonical one draws.
//!
//! Tracers that follow the same paths, keyed the same way, differ by rounding, which sends a path elsewhere now and then.
//! So their noise is the same noise: in an honest tile nearly every pixel agrees far better than its own noise would
//! let two independent pictures agree. Fewer samples, a denoiser, another resolution or seed change the noise of nearly
//! every pixel that has any, the neighbouring frame that of three in eight even where nothing moves.
//!
//! The test, on raw linear tiles before any denoising:
//!
//! - a pixel *speaks* where the standard error of its mean is at least [`LOUD`] of it;
//! - a speaking pixel is *apart* where a channel differs by more than [`CLOSE`] of that standard error: of sixteen paths,
//!   one that rounding sent elsewhere is forgiven mostly, and four that were never drawn in one pixel of three at most;
//! - any pixel is *off* where a channel differs by more than [`LOUD`] of its luminance and would be apart: where there is no
//!   noise, there is no excuse;
//! - a tile is refused if more than [`FORGIVEN`] of its speaking pixels are apart, or of all its pixels off;
//! - of the others, one of fewer than [`QUORUM`] speaking pixels says nothing of how it was made.

use crate::layers::Layers;
use crate::vector::Vec3;

/// The least relative standard error of a pixel that speaks.
pub const LOUD: f32 = 1.0 / 32.0;

/// How far a channel may be, as a share of the standard error of the pixel's luminance.
pub const CLOSE: f32 = 1.0 / 4.0;

/// The fewest speaking pixels by which a tile is judged.
pub const QUORUM: usize = 64;

/// What differs by less is black to any eye.
pub const DARK: f32 = 1e-6;

/// The share of speaking pixels that may be apart, and of all pixels that may be off.
///
/// Of the frames by which it was chosen, honest tiles have one speaking pixel in eleven apart at worst, the neighbouring
/// frame two in eleven at best; of the 30,000 honest tiles of `docs/evidence/tiles.md`, one in seven and a half at worst.
pub const FORGIVEN: f32 = 1.0 / 6.0;

/// What is found of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It looks right, and too few pixels speak of more.
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
    /// All pixels.
    pub all: usize,
    /// Those of them that differ by far.
    pub off: usize,
}

impl Count {
    /// Counts the pixels of `claimed`, rows from the top, beside what the canonical tracer drew.
    ///
    /// # Panics
    /// If they are not as many.
    #[must_use]
    pub fn of(claimed: &[[f32; 3]], canonical: &Layers) -> Self {
        assert_eq!(claimed.len(), canonical.radiance.len(), "tiles of one size");
        let mut count = Self { speaking: 0, apart: 0, all: claimed.len(), off: 0 };
        for ((claim, ours), variance) in claimed.iter().zip(&canonical.radiance).zip(&canonical.variance) {
            let (luminance, error) = (Vec3::from(*ours).luminance(), variance.sqrt());
            // What is not a number is apart.
            let within = |most: f32| claim.iter().zip(ours).all(|(a, b)| (a - b).abs() <= most + DARK);
            count.off += usize::from(!within((LOUD * luminance).max(CLOSE * error)));
            if luminance > 0.0 && error >= LOUD * luminance {
                count.speaking += 1;
                count.apart += usize::from(!within(CLOSE * error));
            }
        }
        count
    }

    /// What follows from the count.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        let too_many = |some: usize, of: usize| some as f32 > FORGIVEN * of as f32;
        if too_many(self.off, self.all) {
            Verdict::Differs
        } else if self.speaking < QUORUM {
            Verdict::Silent
        } else if too_many(self.apart, self.speaking) {
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
    fn a_sixth_is_forgiven_and_no_more() {
        let ours = tile(0.1);
        let mut claimed = ours.radiance.clone();
        claimed[..42].fill([0.0; 3]);
        assert_eq!(judge(&claimed, &ours), Verdict::Agrees);
        claimed[42] = [f32::NAN; 3];
        assert_eq!(judge(&claimed, &ours), Verdict::Differs);
    }

    /// Between what is apart and what is off, the noise of the pixel is the measure.
    #[test]
    fn apart_is_told_by_the_noise() {
        let luminance = Vec3::from([1.0, 0.5, 0.25]).luminance();
        let ours = tile(luminance * luminance / 256.0);
        let changed = |by: f32| {
            let mut claimed = ours.radiance.clone();
            claimed[..65].iter_mut().for_each(|pixel| pixel[0] += by * luminance);
            Count::of(&claimed, &ours)
        };
        let [little, more, far] = [1.0 / 80.0, 1.0 / 48.0, 1.0 / 16.0].map(changed);
        assert_eq!((little.speaking, little.apart, little.off), (256, 0, 0));
        assert_eq!((more.apart, more.off, more.verdict()), (65, 0, Verdict::Differs));
        assert_eq!((far.apart, far.off), (65, 65));
        // In a noise as large as the light itself, nothing is off that is not apart.
        let loud = Count::of(&changed_by(&ours.radiance, 0.2 * luminance), &tile(luminance * luminance));
        assert_eq!((loud.apart, loud.off, loud.verdict()), (0, 0, Verdict::Agrees));
    }

    fn changed_by(radiance: &[[f32; 3]], by: f32) -> Vec<[f32; 3]> {
        radiance.iter().map(|[r, g, b]| [r + by, *g, *b]).collect()
    }

    #[test]
    fn what_is_flat_and_wrong_is_refused() {
        assert_eq!(judge(&vec![[0.0; 3]; 256], &tile(0.0)), Verdict::Differs);
        assert_eq!(judge(&vec![[0.99, 0.5, 0.25]; 256], &tile(0.0)), Verdict::Silent);
    }
}
