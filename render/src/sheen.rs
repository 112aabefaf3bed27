//! The sheen of cloth, dust and fuzz: brightest where the surface is seen from the side.
//!
//! Conty Estevez and Kulla 2017, "Production Friendly Microfacet Sheen BRDF", with the visibility of Neubelt and Pettineo
//! 2013, "Crafting a Next-Gen Material Pipeline for The Order: 1886".

use std::sync::LazyLock;

use crate::table::Table;
use crate::vector::{Vec3, max, min, vec3};

/// The least perceptual roughness: below, the lobe is a line along the horizon.
const LEAST_ROUGHNESS: f32 = 0.25;

/// Steps of the table along either axis.
pub(crate) const STEPS: usize = 32;

/// The lobe × cosine between two directions of the local frame, both above the surface, before it is limited.
fn lobe(roughness: f32, out: Vec3, toward: Vec3) -> f32 {
    let power = 1.0 / (roughness * roughness);
    let half = (out + toward).normalized();
    let sin = max(1.0 - half.z * half.z, 0.0).sqrt();
    let density = (2.0 + power) * libm::powf(sin, power) * (0.5 * std::f32::consts::FRAC_1_PI);
    density * toward.z / (4.0 * max(out.z + toward.z - out.z * toward.z, 1e-6))
}

/// Directional reflectance by roughness above the least, then by the root of the cosine, before it is limited: nearly
/// linear there between the table's steps, so that what is taken from below the fuzz is what it gives.
static REFLECTANCE: LazyLock<Table<2>> = LazyLock::new(|| {
    const SAMPLES: u32 = 1024;
    Table::new(STEPS, |[rougher, root]| {
        let (roughness, cos) = (LEAST_ROUGHNESS + rougher * (1.0 - LEAST_ROUGHNESS), max(root * root, 1e-3));
        let out = vec3((1.0 - cos * cos).sqrt(), 0.0, cos);
        let sum = (0..SAMPLES).map(|i| {
            // Even over the hemisphere: the lobe is widest near the horizon.
            let z = (i as f32 + 0.5) / SAMPLES as f32;
            let angle = (i.reverse_bits() as f32 / 4_294_967_296.0 + 0.5 / SAMPLES as f32) * std::f32::consts::TAU;
            let (sin_phi, cos_phi) = libm::sincosf(angle);
            let r = (1.0 - z * z).sqrt();
            lobe(roughness, out, vec3(r * cos_phi, r * sin_phi, z)) * std::f32::consts::TAU
        });
        sum.sum::<f32>() / SAMPLES as f32
    })
});

/// The table behind [`reflectance`].
#[cfg(feature = "gpu")]
pub(crate) fn table() -> &'static [f32] {
    REFLECTANCE.values()
}

/// A sheen of one roughness, as seen from one direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sheen {
    roughness: f32,
    /// Share of light that is scattered, at most 1.
    pub(crate) reflected: f32,
    /// What keeps it there.
    limit: f32,
}

impl Sheen {
    /// That of a surface without fuzz.
    pub(crate) const NONE: Self = Self { roughness: 1.0, reflected: 0.0, limit: 0.0 };

    /// Seen at this cosine.
    pub(crate) fn new(roughness: f32, cos: f32) -> Self {
        let roughness = max(roughness, LEAST_ROUGHNESS);
        let rougher = (roughness - LEAST_ROUGHNESS) / (1.0 - LEAST_ROUGHNESS);
        let whole = REFLECTANCE.at([rougher, max(cos, 0.0).sqrt()]);
        let reflected = min(whole, 1.0);
        Self { roughness, reflected, limit: reflected / max(whole, 1e-9) }
    }

    /// Lobe × cosine.
    #[inline]
    pub(crate) fn evaluate(&self, out: Vec3, toward: Vec3) -> f32 {
        lobe(self.roughness, out, toward) * self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_shines_from_the_side_and_never_gives_more_than_it_gets() {
        for roughness in [0.0, 0.3, 0.6, 1.0] {
            let seen = |cos| Sheen::new(roughness, cos).reflected;
            assert!(seen(0.05) > 1.5 * seen(1.0), "roughness {roughness}: {} and {}", seen(0.05), seen(1.0));
            assert!((0..=20).all(|i| seen(i as f32 / 20.0) <= 1.0));
        }
    }
}
