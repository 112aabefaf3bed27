//! The thin-lens camera and its pixel filter.

use std::sync::LazyLock;

use nalgebra::Vector3;
use seedstorm_sim::scene;

use crate::vector::{Ray, Vec3};

/// Full width of the pixel filter, in pixels.
const FILTER_WIDTH: f32 = 3.0;
/// Steps of the table of the filter's inverse distribution.
const FILTER_STEPS: usize = 256;

/// The inverse of the cumulative Blackman–Harris window: a uniform number becomes an offset from the pixel's middle.
///
/// Drawing offsets from the filter instead of weighting samples by it keeps each sample in its own pixel, so that a
/// tile needs nothing of its neighbours (Ernst, Stamminger and Greiner 2006, "Filter Importance Sampling"). The
/// window's half width at half height is about half a pixel.
static FILTER: LazyLock<[f32; FILTER_STEPS + 1]> = LazyLock::new(|| {
    const FINE: usize = 4096;
    // Harris 1978, "On the Use of Windows for Harmonic Analysis", the four-term window of −92 dB.
    let window = |u: f64| {
        let a = std::f64::consts::TAU * u;
        0.35875 - 0.48829 * libm::cos(a) + 0.14128 * libm::cos(2.0 * a) - 0.01168 * libm::cos(3.0 * a)
    };
    let mut cumulative = vec![0.0; FINE + 1];
    for i in 0..FINE {
        cumulative[i + 1] = cumulative[i] + window((i as f64 + 0.5) / FINE as f64);
    }
    let total = cumulative[FINE];
    let mut table = [0.0; FILTER_STEPS + 1];
    let mut i = 0;
    for (step, offset) in table.iter_mut().enumerate() {
        let wanted = total * step as f64 / FILTER_STEPS as f64;
        while i + 1 < FINE && cumulative[i + 1] < wanted {
            i += 1;
        }
        let within = (wanted - cumulative[i]) / (cumulative[i + 1] - cumulative[i]);
        *offset = (((i as f64 + within) / FINE as f64 - 0.5) * f64::from(FILTER_WIDTH)) as f32;
    }
    table
});

/// The filter's table, for a twin of [`Lens::ray`].
#[cfg(feature = "gpu")]
pub(crate) fn filter_table() -> &'static [f32] {
    &*FILTER
}

#[inline]
fn filter_offset(table: &[f32; FILTER_STEPS + 1], u: f32) -> f32 {
    let x = u * FILTER_STEPS as f32;
    let i = (x as usize).min(FILTER_STEPS - 1);
    let f = x - i as f32;
    table[i] * (1.0 - f) + table[i + 1] * f
}

/// A camera made ready for one size of picture.
#[derive(Debug, Clone)]
pub(crate) struct Lens {
    pub(crate) eye: Vec3,
    pub(crate) right: Vec3,
    pub(crate) up: Vec3,
    pub(crate) forward: Vec3,
    /// Tangent of half the vertical angle of view.
    pub(crate) tan_half: f32,
    pub(crate) lens_radius: f32,
    pub(crate) focus_distance: f32,
    pub(crate) backdrop: Option<scene::Backdrop>,
}

impl Lens {
    /// `None` where the camera has no view: eye on target, or `up` along the view.
    pub(crate) fn new(camera: &scene::Camera, backdrop: Option<scene::Backdrop>) -> Option<Self> {
        // Products, sums and square roots only: no rounding is left to a maths library.
        let unit = |v: Vector3<f32>| {
            let length = Vec3::from(v).length();
            (length.is_finite() && length > 1e-12).then(|| v / length)
        };
        let forward = unit(camera.target - camera.eye)?;
        let right = unit(forward.cross(&unit(camera.up)?))?;
        let up = right.cross(&forward);
        Some(Self {
            eye: camera.eye.into(),
            right: right.into(),
            up: up.into(),
            forward: forward.into(),
            tan_half: libm::tanf(camera.vertical_fov * 0.5),
            lens_radius: camera.lens_radius,
            focus_distance: camera.focus_distance,
            backdrop,
        })
    }

    /// The ray through pixel (`x`, `y`) of a `width` × `height` picture as the shutter opens, for one pair of filter and
    /// one of lens samples.
    #[inline]
    pub(crate) fn ray(
        &self,
        pixel: [u32; 2],
        size: [u32; 2],
        filter: [f32; 2],
        lens: impl FnOnce() -> [f32; 2],
    ) -> Ray {
        let table = &*FILTER;
        let [width, height] = size.map(|n| n as f32);
        let x = pixel[0] as f32 + 0.5 + filter_offset(table, filter[0]);
        let y = pixel[1] as f32 + 0.5 + filter_offset(table, filter[1]);
        let scale = self.tan_half * 2.0 / height;
        let through = self.forward + self.right * ((x - width * 0.5) * scale) + self.up * ((height * 0.5 - y) * scale);
        if self.lens_radius > 0.0 {
            let [out, around] = lens();
            let r = out.sqrt() * self.lens_radius;
            let (sin, cos) = libm::sincosf(around * std::f32::consts::TAU);
            let origin = self.eye + self.right * (r * cos) + self.up * (r * sin);
            let focus = self.eye + through * self.focus_distance;
            Ray { origin, direction: (focus - origin).normalized(), time: 0.0 }
        } else {
            Ray { origin: self.eye, direction: through.normalized(), time: 0.0 }
        }
    }

    /// Where a point lies on a picture of `size` pixels, how far away it is along the view, and how many pixels a world
    /// unit takes there. `None` behind the camera.
    pub(crate) fn project(&self, point: Vec3, size: [f32; 2]) -> Option<([f32; 2], f32, f32)> {
        let away = point - self.eye;
        let distance = away.dot(self.forward);
        if distance <= 0.0 {
            return None;
        }
        let scale = size[1] / (2.0 * self.tan_half * distance);
        let center = [size[0] * 0.5 + away.dot(self.right) * scale, size[1] * 0.5 - away.dot(self.up) * scale];
        Some((center, distance, scale))
    }

    /// Radius of the disc that a point at this distance along the view becomes, measured there in world units.
    pub(crate) fn confusion(&self, distance: f32) -> f32 {
        self.lens_radius * (distance - self.focus_distance).abs() / self.focus_distance
    }

    /// What the camera sees behind everything in this direction, if it has a backdrop.
    #[inline]
    pub(crate) fn backdrop(&self, direction: Vec3) -> Option<Vec3> {
        let backdrop = self.backdrop.as_ref()?;
        let forward = direction.dot(self.forward);
        let (center, edge) = (Vec3::from(backdrop.center), Vec3::from(backdrop.edge));
        if forward <= 1e-4 {
            // Behind the camera, where only a ray bent by glass arrives.
            return Some(edge);
        }
        let x = direction.dot(self.right) / (forward * self.tan_half) - backdrop.middle[0];
        let y = direction.dot(self.up) / (forward * self.tan_half) - backdrop.middle[1];
        let r = ((x * x + y * y).sqrt() / backdrop.radius).clamp(0.0, 1.0);
        Some(center.lerp(edge, r * r * (3.0 - 2.0 * r)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Point3;

    fn camera() -> scene::Camera {
        scene::Camera {
            eye: Point3::new(1.0, 2.0, 8.0),
            target: Point3::new(1.0, 2.0, 0.0),
            up: Vector3::y(),
            vertical_fov: std::f32::consts::FRAC_PI_2,
            lens_radius: 0.0,
            focus_distance: 8.0,
        }
    }

    #[test]
    fn the_corners_of_the_picture_are_where_the_angle_of_view_puts_them() {
        let lens = Lens::new(&camera(), None).expect("a view");
        // Filter sample ½ is the pixel's middle: of a 2 × 2 picture at 90°, half way to the edge.
        let ray = lens.ray([0, 0], [2, 2], [0.5; 2], || [0.0; 2]);
        let expected = Vec3::from([-0.5, 0.5, -1.0]).normalized();
        assert!((ray.direction - expected).length() < 1e-6, "{:?}", ray.direction);
    }

    #[test]
    fn every_lens_sample_goes_through_the_point_in_focus() {
        let lens = Lens::new(&scene::Camera { lens_radius: 0.7, ..camera() }, None).expect("a view");
        let pinhole = Lens::new(&camera(), None).expect("a view");
        let sharp = pinhole.ray([3, 1], [8, 8], [0.3, 0.8], || [0.0; 2]);
        let focus = sharp.at(8.0 / sharp.direction.dot(pinhole.forward));
        for sample in [[0.0, 0.0], [0.9, 0.1], [0.5, 0.6], [0.99, 0.99]] {
            let ray = lens.ray([3, 1], [8, 8], [0.3, 0.8], || sample);
            let along = (focus - ray.origin).dot(ray.direction);
            assert!((ray.at(along) - focus).length() < 1e-4);
            assert!((ray.origin - Vec3::from(camera().eye)).length() <= 0.7001);
        }
    }

    #[test]
    fn the_filter_is_symmetric_and_narrow() {
        let table = &*FILTER;
        for i in 0..=FILTER_STEPS {
            assert!((table[i] + table[FILTER_STEPS - i]).abs() < 2e-3);
        }
        // Half of the samples fall within the middle 0.55 pixels.
        assert!(filter_offset(table, 0.25) > -0.3 && filter_offset(table, 0.25) < -0.2);
    }

    #[test]
    fn a_camera_without_a_view_is_refused() {
        assert!(Lens::new(&scene::Camera { target: camera().eye, ..camera() }, None).is_none());
        assert!(Lens::new(&scene::Camera { up: Vector3::z(), ..camera() }, None).is_none());
    }
}
