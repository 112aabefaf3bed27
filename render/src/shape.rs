//! Where a ray enters and leaves a sphere, a capsule and a box.
//!
//! All three are convex solids: a ray that meets one enters it once and leaves it once. Each function returns both
//! distances, which may lie behind the origin.

use wide::f32x4;

use crate::bvh::finite_inverse;
use crate::vector::{Ray, Vec3, max, min};

/// The sphere around `center`.
///
/// The discriminant comes from the distance between centre and line, which keeps its digits where a small sphere is far
/// away (Haines, Günther and Akenine-Möller 2019, "Precision Improvements for Ray/Sphere Intersection", Ray Tracing
/// Gems 7).
#[inline]
pub(crate) fn sphere(ray: &Ray, center: Vec3, radius: f32) -> Option<[f32; 2]> {
    let from_center = ray.origin - center;
    let along = -from_center.dot(ray.direction);
    let beside = from_center + ray.direction * along;
    let square = radius * radius - beside.length_squared();
    if square < 0.0 {
        return None;
    }
    let half = square.sqrt();
    // The root of the larger size is exact; the other follows from the product of the two.
    let product = from_center.length_squared() - radius * radius;
    if along >= 0.0 {
        let leave = along + half;
        let enter = if leave > 0.0 { product / leave } else { leave };
        Some([enter, leave])
    } else {
        let enter = along - half;
        Some([enter, product / enter])
    }
}

/// Four spheres side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpherePack {
    center: [f32x4; 3],
    radius: f32x4,
    /// A bit for each that there is.
    filled: u32,
}

impl SpherePack {
    /// Of at most four spheres: their middles and radii.
    pub(crate) fn new(spheres: &[(Vec3, f32)]) -> Self {
        let lanes =
            |part: fn(&(Vec3, f32)) -> f32| f32x4::new(std::array::from_fn(|slot| spheres.get(slot).map_or(0.0, part)));
        Self {
            center: [lanes(|s| s.0.x), lanes(|s| s.0.y), lanes(|s| s.0.z)],
            radius: lanes(|s| s.1),
            filled: (1 << spheres.len()) - 1,
        }
    }

    /// The first distance ahead at which the ray crosses each sphere, and a bit for each where there is one in
    /// (0, `limit`]: bit for bit what [`sphere`] finds, which says why it is computed so.
    #[inline(always)]
    pub(crate) fn meets(&self, ray: &Ray, limit: f32) -> ([f32; 4], u32) {
        let (o, d) = (ray.origin, ray.direction);
        let d = [d.x, d.y, d.z].map(f32x4::splat);
        let from = [
            f32x4::splat(o.x) - self.center[0],
            f32x4::splat(o.y) - self.center[1],
            f32x4::splat(o.z) - self.center[2],
        ];
        let dot = |a: [f32x4; 3], b: [f32x4; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let zero = f32x4::splat(0.0);
        let along = -dot(from, d);
        let beside = [from[0] + d[0] * along, from[1] + d[1] * along, from[2] + d[2] * along];
        let radius2 = self.radius * self.radius;
        let square = radius2 - dot(beside, beside);
        let met = square.simd_ge(zero).to_bitmask() & self.filled;
        if met == 0 {
            return ([0.0; 4], 0);
        }
        let half = square.sqrt();
        let ahead = along.simd_ge(zero);
        let far = along + half;
        let product = dot(from, from) - radius2;
        let other = product / ahead.select(far, along - half);
        // Of a sphere ahead, the far side where the near one lies behind.
        let t = ahead.select(other.simd_gt(zero).select(other, far), other);
        let within = t.simd_gt(zero) & t.simd_le(f32x4::splat(limit));
        (t.to_array(), within.to_bitmask() & met)
    }
}

/// The capsule around the segment from `center − axis·half_height` to `center + axis·half_height`; `axis` is of unit
/// length.
#[inline]
pub(crate) fn capsule(ray: &Ray, center: Vec3, axis: Vec3, half_height: f32, radius: f32) -> Option<[f32; 2]> {
    // Measured from the point nearest to the centre, so that distance costs no digits.
    let shift = (center - ray.origin).dot(ray.direction);
    let o = ray.at(shift) - center;
    let d = ray.direction;
    let (o_along, d_along) = (o.dot(axis), d.dot(axis));
    let (o_across, d_across) = (o - axis * o_along, d - axis * d_along);
    let a = d_across.length_squared();
    let b = o_across.dot(d_across);
    let c = o_across.length_squared() - radius * radius;
    // Where the ray crosses the endless cylinder; a ray along the axis is inside of it for ever, or never.
    let along_axis = a < 1e-12;
    let (enter, leave) = if along_axis {
        if c > 0.0 {
            return None;
        }
        (-1e30, 1e30)
    } else {
        let square = b * b - a * c;
        if square < 0.0 {
            return None;
        }
        let root = square.sqrt();
        ((-b - root) / a, (-b + root) / a)
    };
    // Beyond the segment's ends the endless cylinder gives way to the cap on that side: a ray that enters (or leaves)
    // the cylinder there can only enter (or leave) the capsule through that cap.
    let cap = |t: f32| -> Option<f32> {
        let y = if along_axis { d_along * t } else { o_along + t * d_along };
        if y.abs() <= half_height && !along_axis {
            return None;
        }
        Some(half_height.copysign(y))
    };
    let through = |end: f32| {
        let [near, far] = sphere(&Ray { origin: o, direction: d, time: 0.0 }, axis * end, radius)?;
        Some([near + shift, far + shift])
    };
    let enter = match cap(enter) {
        None => enter + shift,
        Some(end) => through(end)?[0],
    };
    let leave = match cap(leave) {
        None => leave + shift,
        Some(end) => through(end)?[1],
    };
    Some([enter, leave])
}

/// The box of these half extents around the origin.
#[inline]
pub(crate) fn aligned_box(ray: &Ray, half: Vec3) -> Option<[f32; 2]> {
    let (mut enter, mut leave) = (-1e30_f32, 1e30_f32);
    for axis in 0..3 {
        let inverse = finite_inverse(ray.direction.axis(axis));
        let a = (-half.axis(axis) - ray.origin.axis(axis)) * inverse;
        let b = (half.axis(axis) - ray.origin.axis(axis)) * inverse;
        enter = max(enter, min(a, b));
        leave = min(leave, max(a, b));
    }
    (enter <= leave).then_some([enter, leave])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::vec3;
    use proptest::prelude::*;

    fn direction() -> impl Strategy<Value = Vec3> {
        (-1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0)
            .prop_map(|(x, y, z)| vec3(x, y, z))
            .prop_filter("too short", |v| v.length() > 0.05)
            .prop_map(Vec3::normalized)
    }

    fn point(size: f32) -> impl Strategy<Value = Vec3> {
        (-size..size, -size..size, -size..size).prop_map(|(x, y, z)| vec3(x, y, z))
    }

    /// Signed distance from a capsule, in doubles.
    fn capsule_distance(p: [f64; 3], axis: Vec3, half_height: f32, radius: f32) -> f64 {
        let a = [axis.x, axis.y, axis.z].map(f64::from);
        let along = (p[0] * a[0] + p[1] * a[1] + p[2] * a[2]).clamp(-f64::from(half_height), half_height.into());
        let d: f64 = (0..3).map(|i| (p[i] - a[i] * along) * (p[i] - a[i] * along)).sum();
        d.sqrt() - f64::from(radius)
    }

    fn at(ray: &Ray, t: f64) -> [f64; 3] {
        [0, 1, 2].map(|i| f64::from(ray.origin.axis(i)) + f64::from(ray.direction.axis(i)) * t)
    }

    /// The two distances bound exactly the part of the line where `distance` is negative.
    fn check(ray: &Ray, found: Option<[f32; 2]>, size: f64, distance: impl Fn([f64; 3]) -> f64) {
        let tolerance = 2e-4 * size;
        let reach = 80.0;
        let deepest = (0..=16_000)
            .map(|i| reach * (f64::from(i) / 8_000.0 - 1.0))
            .map(|t| (distance(at(ray, t)), t))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .expect("many");
        match found {
            None => {
                assert!(deepest.0 > -tolerance - 1e-2 * size, "misses, but is {} inside at {}", deepest.0, deepest.1)
            }
            Some([enter, leave]) => {
                assert!(enter <= leave + 1e-3 * size as f32, "{enter} after {leave}");
                for t in [enter, leave] {
                    let d = distance(at(ray, t.into()));
                    assert!(d.abs() < tolerance, "{d} from the surface at {t}");
                }
                let middle = distance(at(ray, f64::from(enter + leave) * 0.5));
                assert!(middle < tolerance, "outside between the two hits: {middle}");
                if deepest.0 < -0.05 * size {
                    assert!(enter <= deepest.1 as f32 + 0.02 && leave >= deepest.1 as f32 - 0.02);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// What one lane finds is what the sphere alone gives, in every bit.
        #[test]
        fn a_pack_is_four_spheres(
            spheres in prop::collection::vec(((-3.0_f32..3.0, -3.0_f32..3.0, -3.0_f32..3.0), 0.05_f32..2.5), 1..5),
            d in direction(),
            limit in 0.5_f32..9.0,
        ) {
            let spheres: Vec<(Vec3, f32)> = spheres.into_iter().map(|((x, y, z), r)| (vec3(x, y, z), r)).collect();
            let ray = Ray { origin: vec3(0.1, -0.2, 0.3), direction: d, time: 0.0 };
            let (t, met) = SpherePack::new(&spheres).meets(&ray, limit);
            prop_assert_eq!(met >> spheres.len(), 0);
            for (slot, (center, radius)) in spheres.iter().enumerate() {
                let alone = sphere(&ray, *center, *radius).map(|[enter, leave]| if enter > 0.0 { enter } else { leave });
                let alone = alone.filter(|t| *t > 0.0 && *t <= limit);
                let in_pack = (met >> slot & 1 == 1).then(|| t[slot]);
                prop_assert_eq!(in_pack.map(f32::to_bits), alone.map(f32::to_bits));
            }
        }

        #[test]
        fn sphere_hits_lie_on_the_sphere(
            origin in point(20.0), d in direction(), center in point(5.0), radius in 0.05_f32..8.0,
        ) {
            let ray = Ray { origin, direction: d, time: 0.0 };
            let c = [center.x, center.y, center.z].map(f64::from);
            check(&ray, sphere(&ray, center, radius), f64::from(radius).max(1.0), |p| {
                let d: f64 = (0..3).map(|i| (p[i] - c[i]) * (p[i] - c[i])).sum();
                d.sqrt() - f64::from(radius)
            });
        }

        #[test]
        fn capsule_hits_lie_on_the_capsule(
            origin in point(20.0), d in direction(), axis in direction(), half_height in 0.0_f32..5.0,
            radius in 0.1_f32..4.0,
        ) {
            let ray = Ray { origin, direction: d, time: 0.0 };
            let found = capsule(&ray, Vec3::ZERO, axis, half_height, radius);
            check(&ray, found, 5.0, |p| capsule_distance(p, axis, half_height, radius));
        }

        #[test]
        fn capsule_is_met_from_inside_and_along_its_axis(
            axis in direction(), half_height in 0.1_f32..5.0, radius in 0.1_f32..4.0, aside in -0.9_f32..0.9,
        ) {
            let across = crate::vector::Basis::around(axis).x;
            let ray = Ray { origin: across * (aside * radius), direction: axis, time: 0.0 };
            let [enter, leave] = capsule(&ray, Vec3::ZERO, axis, half_height, radius).expect("starts inside");
            let reach = half_height + radius * (1.0 - aside * aside).sqrt();
            prop_assert!((leave - reach).abs() < 2e-3 * reach && (enter + reach).abs() < 2e-3 * reach);
        }

        #[test]
        fn box_hits_lie_on_the_box(
            origin in point(20.0), d in direction(), half in (0.1_f32..5.0, 0.1_f32..5.0, 0.1_f32..5.0),
        ) {
            let ray = Ray { origin, direction: d, time: 0.0 };
            let half = vec3(half.0, half.1, half.2);
            let found = aligned_box(&ray, half);
            check(&ray, found, 5.0, |p| {
                let q = [0, 1, 2].map(|i| p[i].abs() - f64::from(half.axis(i)));
                let outside: f64 = q.iter().map(|x| x.max(0.0) * x.max(0.0)).sum();
                outside.sqrt() + q[0].max(q[1]).max(q[2]).min(0.0)
            });
        }
    }
}
