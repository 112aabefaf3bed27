//! The colours of a film as thin as light's wavelengths: of soap, oil, and the wings of beetles.
//!
//! What both faces of the film reflect, time and again, adds up in or out of phase (Airy's formula; Born and Wolf,
//! *Principles of Optics*, §7.6), for each polarisation, at three wavelengths of each of red, green and blue.

use crate::vector::{Vec3, max, vec3};

/// Wavelengths that stand for red, green and blue, nanometres.
const WAVELENGTHS: [[f32; 3]; 3] = [[590.0, 615.0, 645.0], [525.0, 545.0, 570.0], [440.0, 460.0, 485.0]];

/// A film between what light comes from and what lies below.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThinFilm {
    /// Nanometres; 0 where there is none.
    pub(crate) thickness: f32,
    /// Its index.
    pub(crate) ior: f32,
    /// Index of where the viewer is.
    pub(crate) near: f32,
    /// Index of what lies below, where that is clear.
    pub(crate) far: f32,
}

/// What a face of the film reflects of a wave: the amplitudes of both polarisations.
fn face(from: f32, to: f32, cos_from: f32, cos_to: f32) -> [f32; 2] {
    [
        (from * cos_from - to * cos_to) / (from * cos_from + to * cos_to),
        (to * cos_from - from * cos_to) / (to * cos_from + from * cos_to),
    ]
}

impl ThinFilm {
    /// Whether there is one.
    #[inline]
    pub(crate) fn is_there(&self) -> bool {
        self.thickness > 0.0
    }

    /// The cosine within a layer of this index; `None` where no light enters.
    fn within(&self, cos: f32, ior: f32) -> Option<f32> {
        let ratio = self.near / ior;
        let cos2 = 1.0 - ratio * ratio * (1.0 - cos * cos);
        (cos2 > 0.0).then(|| cos2.sqrt())
    }

    fn reflected(&self, cos_film: f32, upper: [f32; 2], lower: impl Fn(usize) -> [f32; 2]) -> Vec3 {
        let path = 4.0 * std::f32::consts::PI * self.ior * self.thickness * cos_film;
        let channel = |channel: usize| {
            let lower = lower(channel);
            let mut sum = 0.0;
            for wavelength in WAVELENGTHS[channel] {
                let phase = libm::cosf(path / wavelength);
                for (a, b) in upper.iter().zip(lower) {
                    let both = 2.0 * a * b * phase;
                    sum += (a * a + b * b + both) / (1.0 + a * a * b * b + both);
                }
            }
            sum * (1.0 / 6.0)
        };
        vec3(channel(0), channel(1), channel(2)).max(Vec3::ZERO).min(Vec3::ONE)
    }

    /// Reflectance over glass.
    pub(crate) fn over_glass(&self, cos: f32) -> Vec3 {
        let (Some(cos_film), Some(cos_far)) = (self.within(cos, self.ior), self.within(cos, self.far)) else {
            return Vec3::ONE;
        };
        let lower = face(self.ior, self.far, cos_film, cos_far);
        self.reflected(cos_film, face(self.near, self.ior, cos, cos_film), |_| lower)
    }

    /// Reflectance over a metal that reflects `color` at normal incidence, and turns the wave over.
    pub(crate) fn over_metal(&self, cos: f32, color: Vec3) -> Vec3 {
        let Some(cos_film) = self.within(cos, self.ior) else { return Vec3::ONE };
        let grazing = crate::microfacet::schlick(cos_film);
        let below = color + (Vec3::ONE - color) * grazing;
        let amplitude = [below.x, below.y, below.z].map(|share| max(share, 0.0).sqrt());
        let upper = face(self.near, self.ior, cos, cos_film);
        self.reflected(cos_film, upper, |channel| [-amplitude[channel], amplitude[channel]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::microfacet::fresnel;

    /// A film of no thickness is none: Fresnel's equations come out of Airy's formula.
    #[test]
    fn a_film_of_no_thickness_changes_nothing() {
        for cos in [1.0, 0.7, 0.3, 0.05] {
            for (near, far) in [(1.0, 1.5), (1.5, 1.0), (1.0, 2.4)] {
                let film = ThinFilm { thickness: 0.0, ior: 1.33, near, far };
                let (expected, _) = fresnel(cos, far / near);
                let found = film.over_glass(cos);
                assert!((found.x - expected).abs() < 1e-4, "{near} to {far} at {cos}: {} of {expected}", found.x);
            }
        }
    }

    /// A quarter of a wave of the geometric mean of the indices reflects nothing: a lens's coating.
    #[test]
    fn a_quarter_wave_is_an_antireflection_coating() {
        let film = ThinFilm { thickness: 545.0 / (4.0 * 1.5_f32.sqrt()), ior: 1.5_f32.sqrt(), near: 1.0, far: 1.5 };
        assert!(film.over_glass(1.0).y < 5e-4, "{:?}", film.over_glass(1.0));
        assert!(ThinFilm { thickness: 545.0 / (2.0 * 1.5_f32.sqrt()), ..film }.over_glass(1.0).y > 0.035);
    }

    #[test]
    fn a_film_over_metal_is_coloured_and_loses_nothing_of_a_mirror() {
        let film = ThinFilm { thickness: 350.0, ior: 1.5, near: 1.0, far: 1.0 };
        let found = film.over_metal(0.8, Vec3::splat(0.5));
        assert!(found.max_component() - found.x.min(found.y).min(found.z) > 0.1, "{found:?}");
        assert!((film.over_metal(0.8, Vec3::ONE).y - 1.0).abs() < 1e-5);
    }
}
