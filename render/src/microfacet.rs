//! The GGX microfacet distribution, Fresnel's equations, and how much light a rough surface reflects in all.
//!
//! Directions are local: the macroscopic normal is +z. Walter, Marschner, Li and Torrance 2007, "Microfacet Models for
//! Refraction through Rough Surfaces"; Heitz 2014, "Understanding the Masking-Shadowing Function in Microfacet-Based
//! BRDFs".

use std::sync::LazyLock;

use crate::table::Table;
use crate::vector::{Vec3, max, vec3};

/// The least GGX α of a surface that is not a perfect mirror; below, floats run out of digits.
pub(crate) const LEAST_ALPHA: f32 = 1.5e-3;

/// The GGX distribution of one roughness.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ggx {
    alpha: f32,
}

impl Ggx {
    #[inline]
    pub(crate) fn new(alpha: f32) -> Self {
        Self { alpha: max(alpha, LEAST_ALPHA) }
    }

    /// Density of microfacet normals `h` (z > 0). Written with the tangent, which keeps its digits where `h` is close
    /// to the normal and the surface smooth.
    #[inline]
    pub(crate) fn density(&self, h: Vec3) -> f32 {
        let a2 = self.alpha * self.alpha;
        let s = (h.x * h.x + h.y * h.y) / a2 + h.z * h.z;
        1.0 / (std::f32::consts::PI * a2 * s * s)
    }

    /// Smith's Λ.
    #[inline]
    fn lambda(&self, w: Vec3) -> f32 {
        let tan2 = (w.x * w.x + w.y * w.y) / max(w.z * w.z, 1e-20);
        0.5 * ((1.0 + self.alpha * self.alpha * tan2).sqrt() - 1.0)
    }

    /// Share of the facets that face `w` and are seen from it.
    #[inline]
    pub(crate) fn seen(&self, w: Vec3) -> f32 {
        1.0 / (1.0 + self.lambda(w))
    }

    /// Share seen from both sides, heights correlated. For refraction the lower direction's z is negative.
    #[inline]
    pub(crate) fn seen_from_both(&self, a: Vec3, b: Vec3) -> f32 {
        1.0 / (1.0 + self.lambda(a) + self.lambda(b))
    }

    /// Density with which [`Ggx::sample`] draws `h` as seen from `w` (z > 0).
    #[inline]
    pub(crate) fn visible_density(&self, w: Vec3, h: Vec3) -> f32 {
        self.seen(w) * max(w.dot(h), 0.0) * self.density(h) / w.z
    }

    /// A facet normal in proportion to how much of it is seen from `w` (z > 0) (Dupuy and Benyoub 2023, "Sampling
    /// Visible GGX Normals with Spherical Caps").
    #[inline]
    pub(crate) fn sample(&self, w: Vec3, u: [f32; 2]) -> Vec3 {
        let stretched = vec3(w.x * self.alpha, w.y * self.alpha, w.z).normalized();
        let (sin_phi, cos_phi) = libm::sincosf(u[0] * std::f32::consts::TAU);
        let z = (1.0 - u[1]) * (1.0 + stretched.z) - stretched.z;
        let r = max(1.0 - z * z, 0.0).sqrt();
        let h = vec3(r * cos_phi, r * sin_phi, z) + stretched;
        vec3(h.x * self.alpha, h.y * self.alpha, max(h.z, 1e-12)).normalized()
    }
}

/// (1 − x)⁵.
#[inline]
pub(crate) fn schlick(cos: f32) -> f32 {
    let x = (1.0 - cos).clamp(0.0, 1.0);
    let x2 = x * x;
    x2 * x2 * x
}

/// Reflectance at normal incidence between air and a dielectric.
#[inline]
pub(crate) fn normal_reflectance(ior: f32) -> f32 {
    let r = (ior - 1.0) / (ior + 1.0);
    r * r
}

/// Unpolarised reflectance of a smooth dielectric boundary, and the cosine of the refracted ray; `eta` is the index on
/// the far side over that on the near side. (1, 0) under total reflection.
#[inline]
pub(crate) fn fresnel(cos: f32, eta: f32) -> (f32, f32) {
    let sin2_t = (1.0 - cos * cos) / (eta * eta);
    if sin2_t >= 1.0 {
        return (1.0, 0.0);
    }
    let cos_t = (1.0 - sin2_t).sqrt();
    let perpendicular = (cos - eta * cos_t) / (cos + eta * cos_t);
    let parallel = (eta * cos - cos_t) / (eta * cos + cos_t);
    (0.5 * (perpendicular * perpendicular + parallel * parallel), cos_t)
}

/// Steps of the reflectance table along either axis.
const STEPS: usize = 32;

/// Directional reflectance of a GGX surface with Schlick's Fresnel term is `F₀·a + b`: (a, b) by roughness, then by
/// cosine (Karis 2013, "Real Shading in Unreal Engine 4").
static REFLECTANCE: LazyLock<Vec<[[f32; 2]; STEPS]>> = LazyLock::new(|| {
    (0..STEPS)
        .map(|row| {
            let roughness = row as f32 / (STEPS - 1) as f32;
            let ggx = Ggx::new(roughness * roughness);
            std::array::from_fn(|column| {
                let cos = max(column as f32 / (STEPS - 1) as f32, 1e-3);
                integrate(&ggx, cos)
            })
        })
        .collect()
});

/// The whole table behind [`reflectance`].
#[cfg(feature = "gpu")]
pub(crate) fn reflectance_table() -> Vec<f32> {
    REFLECTANCE.iter().flatten().flatten().copied().collect()
}

/// Facet normals as [`Ggx::sample`] draws them, evenly.
fn visible_normals(ggx: &Ggx, w: Vec3, samples: u32) -> impl Iterator<Item = Vec3> {
    let share = 1.0 / samples as f32;
    (0..samples).map(move |i| {
        let second = i.reverse_bits() as f32 / 4_294_967_296.0 + 0.5 * share;
        ggx.sample(w, [(i as f32 + 0.5) * share, second])
    })
}

fn direction(cos: f32) -> Vec3 {
    vec3((1.0 - cos * cos).sqrt(), 0.0, cos)
}

fn integrate(ggx: &Ggx, cos: f32) -> [f32; 2] {
    const SAMPLES: u32 = 512;
    let w = direction(cos);
    let (mut a, mut b) = (0.0, 0.0);
    for h in visible_normals(ggx, w, SAMPLES) {
        let out = h * (2.0 * w.dot(h)) - w;
        if out.z > 0.0 {
            let weight = ggx.seen_from_both(w, out) / ggx.seen(w);
            let grazing = schlick(w.dot(h));
            a += weight * (1.0 - grazing);
            b += weight * grazing;
        }
    }
    [a / SAMPLES as f32, b / SAMPLES as f32]
}

/// The (a, b) of `F₀·a + b`, the share of light from a direction of this cosine that a GGX surface of this perceptual
/// roughness reflects after a single scattering.
#[inline]
pub(crate) fn reflectance(cos: f32, roughness: f32) -> [f32; 2] {
    let table = &*REFLECTANCE;
    let place = |x: f32| {
        let x = x.clamp(0.0, 1.0) * (STEPS - 1) as f32;
        let i = (x as usize).min(STEPS - 2);
        (i, x - i as f32)
    };
    let ((row, fr), (column, fc)) = (place(roughness), place(cos));
    let at = |k: usize| {
        let upper = table[row][column][k] * (1.0 - fc) + table[row][column + 1][k] * fc;
        let lower = table[row + 1][column][k] * (1.0 - fc) + table[row + 1][column + 1][k] * fc;
        upper * (1.0 - fr) + lower * fr
    };
    [at(0), at(1)]
}

/// Steps of the tables of glass along each axis.
pub(crate) const GLASS_STEPS: usize = 16;

/// The densest glass, of which [`crate::validate`] lets none be denser, dispersion included.
const DENSEST: f32 = 3.25;

/// Share of light from a direction that a rough boundary of glass reflects and refracts after a single scattering: by
/// the normal amplitude of its reflection, roughness and cosine; from outside, and from within.
static GLASS: LazyLock<[Table<3>; 2]> = LazyLock::new(|| {
    const SAMPLES: u32 = 256;
    [false, true].map(|inside| {
        Table::new(GLASS_STEPS, |[amplitude, roughness, cos]| {
            let amplitude = amplitude * amplitude_of(DENSEST);
            let ior = (1.0 + amplitude) / (1.0 - amplitude);
            let eta = if inside { 1.0 / ior } else { ior };
            let (ggx, w) = (Ggx::new(roughness * roughness), direction(max(cos, 1e-3)));
            let mut sum = 0.0;
            for h in visible_normals(&ggx, w, SAMPLES) {
                let cos = w.dot(h);
                let (reflected, cos_t) = fresnel(cos, eta);
                let mirrored = h * (2.0 * cos) - w;
                let refracted = h * (cos / eta - cos_t) - w * (1.0 / eta);
                if mirrored.z > 0.0 {
                    sum += reflected * ggx.seen_from_both(w, mirrored);
                }
                if refracted.z < 0.0 {
                    sum += (1.0 - reflected) * ggx.seen_from_both(w, refracted);
                }
            }
            sum / (ggx.seen(w) * SAMPLES as f32)
        })
    })
});

fn amplitude_of(ior: f32) -> f32 {
    (ior - 1.0) / (ior + 1.0)
}

/// The tables behind [`glass_keeps`], one after the other.
#[cfg(feature = "gpu")]
pub(crate) fn glass_tables() -> Vec<f32> {
    GLASS.iter().flat_map(Table::values).copied().collect()
}

/// Share of light that a rough boundary of glass of this index keeps after a single scattering, seen at this cosine.
#[inline]
pub(crate) fn glass_keeps(cos: f32, roughness: f32, ior: f32, inside: bool) -> f32 {
    GLASS[usize::from(inside)].at([amplitude_of(ior) * (1.0 / amplitude_of(DENSEST)), roughness, cos])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ∫ D(h) cos θ dω = 1, by quadrature.
    #[test]
    fn projected_facets_cover_the_plane() {
        for alpha in [0.05, 0.3, 1.0] {
            let ggx = Ggx::new(alpha);
            let mut sum = 0.0_f64;
            let steps = 20_000;
            for i in 0..steps {
                // Uniform in tan θ / (1 + tan θ), so that narrow peaks are resolved.
                let s = (f64::from(i) + 0.5) / f64::from(steps);
                let tan = s / (1.0 - s);
                let cos = 1.0 / (1.0 + tan * tan).sqrt();
                let d_theta = cos * cos / ((1.0 - s) * (1.0 - s)) / f64::from(steps);
                let sin = tan * cos;
                sum += f64::from(ggx.density(direction(cos as f32))) * cos * sin * std::f64::consts::TAU * d_theta;
            }
            assert!((sum - 1.0).abs() < 2e-3, "α = {alpha}: {sum}");
        }
    }

    #[test]
    fn sampled_normals_follow_their_density() {
        // The mean of 1/pdf over the hemisphere's drawn normals is the solid angle of those that can be drawn.
        let ggx = Ggx::new(0.8);
        let w = direction(0.9);
        let n = 1 << 16;
        let mut solid_angle = 0.0_f64;
        for i in 0..n {
            let u = [(i as f32 + 0.5) / n as f32, (i as u32).reverse_bits() as f32 / 4_294_967_296.0];
            let h = ggx.sample(w, u);
            assert!(h.z > 0.0 && (h.length() - 1.0).abs() < 1e-5);
            if h.z > 0.2 && w.dot(h) > 0.2 {
                solid_angle += 1.0 / f64::from(ggx.visible_density(w, h));
            }
        }
        solid_angle /= f64::from(n);
        let mut expected = 0.0_f64;
        let steps = 1000;
        for i in 0..steps {
            for j in 0..steps {
                let z = (f64::from(i) + 0.5) / f64::from(steps);
                let phi = std::f64::consts::TAU * (f64::from(j) + 0.5) / f64::from(steps);
                let r = (1.0 - z * z).sqrt();
                let h = vec3((r * libm::cos(phi)) as f32, (r * libm::sin(phi)) as f32, z as f32);
                if h.z > 0.2 && w.dot(h) > 0.2 {
                    expected += std::f64::consts::TAU / f64::from(steps * steps);
                }
            }
        }
        assert!((solid_angle / expected - 1.0).abs() < 0.01, "{solid_angle} of {expected}");
    }

    #[test]
    fn fresnel_agrees_with_its_known_points() {
        assert!((fresnel(1.0, 1.5).0 - 0.04).abs() < 1e-6);
        assert_eq!(fresnel(1e-9, 1.5).0, 1.0);
        // Brewster's angle: tan θ = n, and the reflectance is half of the perpendicular one.
        let cos = 1.0 / (1.0_f32 + 1.5 * 1.5).sqrt();
        let expected = 0.5 * ((1.0 - 2.25) / (1.0 + 2.25_f32)) * ((1.0 - 2.25) / (1.0 + 2.25));
        assert!((fresnel(cos, 1.5).0 - expected).abs() < 1e-6);
        // From inside, beyond the critical angle.
        assert_eq!(fresnel(0.5, 1.0 / 1.5), (1.0, 0.0));
    }

    #[test]
    fn a_smooth_mirror_reflects_all() {
        let [a, b] = reflectance(0.7, 0.0);
        assert!((a + b - 1.0).abs() < 1e-3);
        assert!((b - schlick(0.7)).abs() < 2e-3);
    }
}
