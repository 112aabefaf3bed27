//! Air that scatters light: how far a ray goes in it, and where the light goes then.
//!
//! The air is grey in what it takes from a ray and coloured in what it leaves, so that a ray's way through needs no
//! weight: it goes through exactly as often as light does.

use seedstorm_sim::scene;

use crate::vector::{Basis, Ray, Vec3, max, min, vec3};

/// A fog made ready to be met by rays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fog {
    pub(crate) low: Vec3,
    pub(crate) high: Vec3,
    pub(crate) density: f32,
    pub(crate) albedo: Vec3,
    pub(crate) anisotropy: f32,
}

impl Fog {
    /// `None` where it is none.
    pub(crate) fn new(fog: &scene::Fog) -> Option<Self> {
        let scene::Fog { low, high, density, albedo, anisotropy } = *fog;
        let (low, high) = (low.into(), high.into());
        (density > 0.0).then_some(Self { low, high, density, albedo: albedo.into(), anisotropy })
    }

    /// Where the ray enters and leaves the fog before `limit`; nothing of it is within where the first is not less.
    #[inline]
    fn within(&self, ray: &Ray, limit: f32) -> [f32; 2] {
        let (mut enter, mut leave) = (0.0, limit);
        for axis in 0..3 {
            let inverse = crate::bvh::finite_inverse(ray.direction.axis(axis));
            let a = (self.low.axis(axis) - ray.origin.axis(axis)) * inverse;
            let b = (self.high.axis(axis) - ray.origin.axis(axis)) * inverse;
            enter = max(enter, min(a, b));
            leave = min(leave, max(a, b));
        }
        [enter, leave]
    }

    /// The share of light that comes through to `limit`.
    #[inline]
    pub(crate) fn through(&self, ray: &Ray, limit: f32) -> f32 {
        let [enter, leave] = self.within(ray, limit);
        if enter < leave { libm::expf(-self.density * (leave - enter)) } else { 1.0 }
    }

    /// How far away the ray meets a droplet, where it does before `limit`; `u` in [0, 1).
    #[inline]
    pub(crate) fn meets(&self, ray: &Ray, limit: f32, u: f32) -> Option<f32> {
        let [enter, leave] = self.within(ray, limit);
        let t = enter - libm::logf(1.0 - u) / self.density;
        (t < leave).then_some(t)
    }

    /// Share of the light that goes from `direction` into `other`, per solid angle: also the density of [`Fog::turn`]
    /// (Henyey and Greenstein 1941, "Diffuse Radiation in the Galaxy").
    #[inline]
    pub(crate) fn phase(&self, direction: Vec3, other: Vec3) -> f32 {
        let g = self.anisotropy;
        let spread = 1.0 + g * g - 2.0 * g * direction.dot(other);
        (1.0 - g * g) / (4.0 * std::f32::consts::PI * spread * spread.sqrt())
    }

    /// A direction after a meeting, and its density.
    #[inline]
    pub(crate) fn turn(&self, direction: Vec3, u: [f32; 2]) -> (Vec3, f32) {
        let g = self.anisotropy;
        let cos = if g.abs() < 1e-3 {
            1.0 - 2.0 * u[0]
        } else {
            let part = (1.0 - g * g) / (1.0 + g - 2.0 * g * u[0]);
            ((1.0 + g * g - part * part) / (2.0 * g)).clamp(-1.0, 1.0)
        };
        let sin = max(1.0 - cos * cos, 0.0).sqrt();
        let (along_y, along_x) = libm::sincosf(u[1] * std::f32::consts::TAU);
        let turned = Basis::around(direction).to_world(vec3(sin * along_x, sin * along_y, cos)).normalized();
        (turned, self.phase(direction, turned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fog(anisotropy: f32) -> Fog {
        Fog { low: Vec3::splat(-1.0), high: Vec3::splat(1.0), density: 0.7, albedo: Vec3::ONE, anisotropy }
    }

    /// The phase function is spread over the sphere, of unit sum, with the mean cosine that it is given, and drawn as it is.
    #[test]
    fn directions_are_drawn_as_the_phase_function_says() {
        for g in [-0.8, -0.3, 0.0, 0.5, 0.85] {
            let (fog, ahead) = (fog(g), vec3(0.6, 0.0, 0.8));
            let (mut whole, mut mean, mut drawn) = (0.0, 0.0, 0.0);
            let n = 4096;
            for i in 0..n {
                for j in 0..8 {
                    let u = [(i as f32 + 0.5) / n as f32, (j as f32 + 0.5) / 8.0];
                    let cos = 1.0 - 2.0 * u[0];
                    let sin = (1.0 - cos * cos).sqrt();
                    let (y, x) = libm::sincosf(u[1] * std::f32::consts::TAU);
                    let direction = Basis::around(ahead).to_world(vec3(sin * x, sin * y, cos));
                    let share = fog.phase(ahead, direction) * 4.0 * std::f32::consts::PI / (n * 8) as f32;
                    (whole, mean) = (whole + share, mean + share * cos);
                    let (turned, density) = fog.turn(ahead, u);
                    assert!((density - fog.phase(ahead, turned)).abs() <= 1e-4 * density);
                    drawn += turned.dot(ahead) / (n * 8) as f32;
                }
            }
            assert!((whole - 1.0).abs() < 0.01, "{g}: {whole}");
            assert!((mean - g).abs() < 0.01, "{g}: {mean}");
            assert!((drawn - g).abs() < 0.01, "{g}: {drawn}");
        }
    }

    #[test]
    fn as_many_rays_come_through_as_light() {
        let ray = Ray { origin: vec3(-3.0, 0.2, 0.1), direction: vec3(1.0, 0.0, 0.0), time: 0.0 };
        let fog = fog(0.0);
        let n = 10_000;
        let stopped = (0..n).filter_map(|i| fog.meets(&ray, 2.5, (i as f32 + 0.5) / n as f32)).collect::<Vec<_>>();
        let through = 1.0 - stopped.len() as f32 / n as f32;
        assert!((through - fog.through(&ray, 2.5)).abs() < 1e-3);
        assert!(stopped.iter().all(|t| (2.0..2.5).contains(t)));
        assert_eq!(fog.meets(&Ray { origin: vec3(0.0, 3.0, 0.0), ..ray }, 9.0, 0.999), None);
    }
}
