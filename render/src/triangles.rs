//! A triangle mesh ready to be met by rays: its hierarchy, and its triangles in packs of four.

use std::sync::Arc;

use seedstorm_sim::scene::Mesh;
use wide::f32x4;

use crate::bvh::{Bounds, BoxRay, Bvh, Leaves, Stack, padded};
use crate::lanes::Lanes;
use crate::vector::{Ray, Vec3};

/// Four triangles side by side; a pack that is not full is filled up with points, which no ray hits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pack {
    /// By corner, then by axis.
    pub(crate) corners: [[f32x4; 3]; 3],
    pub(crate) ids: [u32; 4],
}

/// A mesh and its hierarchy.
#[derive(Debug, Clone)]
pub(crate) struct TriangleMesh {
    pub(crate) source: Arc<Mesh>,
    pub(crate) bounds: Bounds,
    pub(crate) tree: Bvh,
    pub(crate) packs: Vec<Pack>,
}

/// The nearest triangle found so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TriangleHit {
    pub(crate) t: f32,
    /// `u32::MAX` until one is found.
    pub(crate) triangle: u32,
}

/// What the surface is like at a hit, in the mesh's space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrianglePoint {
    pub(crate) position: Vec3,
    /// Middle of the triangle.
    pub(crate) middle: Vec3,
    /// Unit normal of the facet.
    pub(crate) facet_normal: Vec3,
    /// Interpolated unit normal; the facet's where the mesh has none.
    pub(crate) normal: Vec3,
    pub(crate) color: Vec3,
}

impl TriangleMesh {
    /// Builds the hierarchy of a mesh whose indices are known to be in range, for rays that start with coordinates up to
    /// `reach` in the mesh's space.
    pub(crate) fn new(source: Arc<Mesh>, reach: f32) -> Self {
        let corner = |i: u32| Vec3::from(source.positions[i as usize]);
        let mut bounds = Bounds::EMPTY;
        let boxes: Vec<Bounds> = source
            .triangles
            .iter()
            .map(|triangle| {
                let mut b = Bounds::EMPTY;
                for &i in triangle {
                    b.grow(corner(i));
                }
                let b = padded(b, reach);
                bounds.grow(b.min);
                bounds.grow(b.max);
                b
            })
            .collect();
        let mut packs = Vec::with_capacity(boxes.len() / 3);
        let tree = Bvh::build(&boxes, &|items| items.len() <= 4, |ids| {
            let mut lanes = [[[0.0_f32; 4]; 3]; 3];
            let mut pack_ids = [u32::MAX; 4];
            for (lane, &id) in ids.iter().enumerate() {
                pack_ids[lane] = id;
                for (vertex, &i) in source.triangles[id as usize].iter().enumerate() {
                    for (axis, x) in <[f32; 3]>::from(corner(i)).into_iter().enumerate() {
                        lanes[vertex][axis][lane] = x;
                    }
                }
            }
            packs.push(Pack { corners: lanes.map(|vertex| vertex.map(f32x4::new)), ids: pack_ids });
        });
        Self { source, bounds, tree, packs }
    }

    /// The nearest triangle in (0, `limit`], or at equal distance the one of the lowest number.
    #[inline(always)]
    pub(crate) fn nearest(&self, lanes: impl Lanes, ray: &Ray, limit: f32, stack: &mut Stack) -> Option<TriangleHit> {
        let mut search =
            Nearest { packs: &self.packs, ray: PackRay::new(ray), hit: TriangleHit { t: limit, triangle: u32::MAX } };
        self.tree.traverse::<true, _>(&BoxRay::new(lanes, ray), stack, &mut search);
        (search.hit.triangle != u32::MAX).then_some(search.hit)
    }

    /// Whether any triangle lies in (0, `limit`).
    #[inline(always)]
    pub(crate) fn any(&self, lanes: impl Lanes, ray: &Ray, limit: f32, stack: &mut Stack) -> bool {
        let mut search = Any { packs: &self.packs, ray: PackRay::new(ray), limit };
        self.tree.traverse::<false, _>(&BoxRay::new(lanes, ray), stack, &mut search)
    }

    /// The surface where the ray meets a triangle that it is known to hit.
    pub(crate) fn point(&self, ray: &Ray, triangle: u32) -> TrianglePoint {
        let corners = self.source.triangles[triangle as usize].map(|i| i as usize);
        let [a, b, c] = corners.map(|i| Vec3::from(self.source.positions[i]));
        let weights = Shear::new(ray.direction).weights([a, b, c].map(|p| p - ray.origin));
        let sum = weights[0] + weights[1] + weights[2];
        let [u, v, w] = if sum != 0.0 { weights.map(|x| x / sum) } else { [1.0 / 3.0; 3] };
        let blend = |a: Vec3, b: Vec3, c: Vec3| a * u + b * v + c * w;
        let across = (b - a).cross(c - a);
        let length2 = across.length_squared();
        // A sliver whose area is lost to rounding has no normal of its own.
        let facet_normal = if length2 > 1e-36 { across * (1.0 / length2.sqrt()) } else { -ray.direction.normalized() };
        let mesh = &*self.source;
        let mut normal = facet_normal;
        if !mesh.normals.is_empty() {
            let [x, y, z] = corners.map(|i| Vec3::from(mesh.normals[i]));
            let smooth = blend(x, y, z);
            if smooth.length_squared() > 1e-12 {
                normal = smooth.normalized();
            }
        }
        let color = if mesh.colors.is_empty() {
            Vec3::ONE
        } else {
            let [x, y, z] = corners.map(|i| Vec3::from(mesh.colors[i]));
            blend(x, y, z)
        };
        TrianglePoint { position: blend(a, b, c), middle: (a + b + c) * (1.0 / 3.0), facet_normal, normal, color }
    }
}

/// A ray's own frame: the axis along which it is longest becomes depth, and a shear makes the ray run along it.
///
/// All triangles around a vertex see it at the same place in the plane across the ray, and rounding can turn the sign of
/// an edge function there into zero but never over. Zero counts as inside: no ray slips between triangles (Woop, Benthin
/// and Wald 2013, "Watertight Ray/Triangle Intersection", JCGT 2(1)).
#[derive(Debug, Clone, Copy)]
struct Shear {
    axes: [usize; 3],
    x: f32,
    y: f32,
    z: f32,
}

impl Shear {
    #[inline]
    fn new(direction: Vec3) -> Self {
        let d = direction.abs();
        let depth = if d.x >= d.y && d.x >= d.z {
            0
        } else if d.y >= d.z {
            1
        } else {
            2
        };
        let axes = [(depth + 1) % 3, (depth + 2) % 3, depth];
        let z = 1.0 / direction.axis(depth);
        Self { axes, x: direction.axis(axes[0]) * z, y: direction.axis(axes[1]) * z, z }
    }

    /// The weights of the three corners, not yet divided by their sum, for corners relative to the ray's origin.
    #[inline]
    fn weights(&self, corners: [Vec3; 3]) -> [f32; 3] {
        let [a, b, c] = corners.map(|p| {
            let depth = p.axis(self.axes[2]);
            [p.axis(self.axes[0]) - self.x * depth, p.axis(self.axes[1]) - self.y * depth]
        });
        [c[0] * b[1] - c[1] * b[0], a[0] * c[1] - a[1] * c[0], b[0] * a[1] - b[1] * a[0]]
    }
}

/// A ray beside itself four times.
#[derive(Debug, Clone, Copy)]
struct PackRay {
    axes: [usize; 3],
    /// In the order of `axes`.
    origin: [f32x4; 3],
    shear: [f32x4; 3],
}

impl PackRay {
    #[inline]
    fn new(ray: &Ray) -> Self {
        let shear = Shear::new(ray.direction);
        Self {
            axes: shear.axes,
            origin: shear.axes.map(|axis| f32x4::splat(ray.origin.axis(axis))),
            shear: [shear.x, shear.y, shear.z].map(f32x4::splat),
        }
    }

    /// The distance to each triangle, and a bit for each that is hit in (0, `limit`].
    #[inline(always)]
    fn hits(&self, pack: &Pack, limit: f32) -> (f32x4, u32) {
        let zero = f32x4::splat(0.0);
        let [kx, ky, kz] = self.axes;
        let [sx, sy, sz] = self.shear;
        let [a, b, c] = pack.corners.map(|corner| {
            let depth = corner[kz] - self.origin[2];
            [corner[kx] - self.origin[0] - sx * depth, corner[ky] - self.origin[1] - sy * depth, depth]
        });
        let u = c[0] * b[1] - c[1] * b[0];
        let v = a[0] * c[1] - a[1] * c[0];
        let w = b[0] * a[1] - b[1] * a[0];
        let least = u.fast_min(v).fast_min(w);
        let most = u.fast_max(v).fast_max(w);
        let inside = least.simd_ge(zero) | most.simd_le(zero);
        if inside.to_bitmask() == 0 {
            return (zero, 0);
        }
        let sum = u + v + w;
        let flat = sum.simd_eq(zero);
        let depth = (u * a[2] + v * b[2] + w * c[2]) / flat.bitselect(f32x4::splat(1.0), sum);
        let t = depth * sz;
        let ahead = zero.simd_lt(t) & t.simd_le(f32x4::splat(limit));
        (t, (inside & ahead).to_bitmask() & !flat.to_bitmask())
    }
}

struct Nearest<'a> {
    packs: &'a [Pack],
    ray: PackRay,
    hit: TriangleHit,
}

impl Leaves for Nearest<'_> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        self.hit.t
    }

    #[inline(always)]
    fn visit(&mut self, leaf: u32, _: &mut Stack) -> bool {
        let pack = &self.packs[leaf as usize];
        let (t, mut bits) = self.ray.hits(pack, self.hit.t);
        let t = t.to_array();
        while bits != 0 {
            let lane = bits.trailing_zeros() as usize & 3;
            bits &= bits - 1;
            let (t, triangle) = (t[lane], pack.ids[lane]);
            if t < self.hit.t || (t == self.hit.t && triangle < self.hit.triangle) {
                self.hit = TriangleHit { t, triangle };
            }
        }
        false
    }
}

struct Any<'a> {
    packs: &'a [Pack],
    ray: PackRay,
    limit: f32,
}

impl Leaves for Any<'_> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        self.limit
    }

    #[inline(always)]
    fn visit(&mut self, leaf: u32, _: &mut Stack) -> bool {
        let (t, mut bits) = self.ray.hits(&self.packs[leaf as usize], self.limit);
        let t = t.to_array();
        while bits != 0 {
            let lane = bits.trailing_zeros() as usize & 3;
            bits &= bits - 1;
            if t[lane] < self.limit {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::FourAndFour;
    use crate::vector::vec3;
    use nalgebra::Point3;
    use proptest::prelude::*;

    /// A closed ball of triangles.
    fn ball(rings: u32, segments: u32) -> Mesh {
        let mut mesh = Mesh::default();
        for ring in 0..=rings {
            let theta = std::f32::consts::PI * ring as f32 / rings as f32;
            for segment in 0..segments {
                let phi = std::f32::consts::TAU * segment as f32 / segments as f32;
                let (st, ct) = libm::sincosf(theta);
                let (sp, cp) = libm::sincosf(phi);
                mesh.positions.push(Point3::new(st * cp, ct, st * sp));
            }
        }
        let at = |ring: u32, segment: u32| ring * segments + segment % segments;
        for ring in 0..rings {
            for segment in 0..segments {
                let [a, b] = [at(ring, segment), at(ring, segment + 1)];
                let [c, d] = [at(ring + 1, segment), at(ring + 1, segment + 1)];
                mesh.triangles.push([a, b, c]);
                mesh.triangles.push([b, d, c]);
            }
        }
        mesh
    }

    /// Möller and Trumbore's test, in doubles, over all triangles.
    fn brute_force(mesh: &Mesh, ray: &Ray) -> Option<(f64, usize)> {
        let d = ray.direction;
        let d = nalgebra::Vector3::new(d.x, d.y, d.z).cast::<f64>();
        let o = Point3::new(ray.origin.x, ray.origin.y, ray.origin.z).cast::<f64>();
        let mut best: Option<(f64, usize)> = None;
        for (id, triangle) in mesh.triangles.iter().enumerate() {
            let [a, b, c] = triangle.map(|i| mesh.positions[i as usize].cast::<f64>());
            let (e1, e2) = (b - a, c - a);
            let p = d.cross(&e2);
            let det = e1.dot(&p);
            if det == 0.0 {
                continue;
            }
            let s = o - a;
            let u = s.dot(&p) / det;
            let q = s.cross(&e1);
            let v = d.dot(&q) / det;
            let t = e2.dot(&q) / det;
            if u >= 0.0 && v >= 0.0 && u + v <= 1.0 && t > 0.0 && best.is_none_or(|(least, _)| t < least) {
                best = Some((t, id));
            }
        }
        best
    }

    proptest! {
        #[test]
        fn nearest_equals_brute_force(
            corners in prop::collection::vec((-5.0_f32..5.0, -5.0_f32..5.0, -5.0_f32..5.0), 3..120),
            o in (-9.0_f32..9.0, -9.0_f32..9.0, -9.0_f32..9.0),
            d in (-1.0_f32..1.0, -1.0_f32..1.0, -1.0_f32..1.0),
        ) {
            let direction = vec3(d.0, d.1, d.2);
            prop_assume!(direction.length() > 0.05);
            let ray = Ray { origin: vec3(o.0, o.1, o.2), direction: direction.normalized(), time: 0.0 };
            let positions: Vec<Point3<f32>> = corners.into_iter().map(|(x, y, z)| Point3::new(x, y, z)).collect();
            let triangles = (0..positions.len() as u32 / 3).map(|i| [3 * i, 3 * i + 1, 3 * i + 2]).collect();
            let mesh = Mesh { positions, triangles, ..Mesh::default() };
            let expected = brute_force(&mesh, &ray);
            let found = TriangleMesh::new(Arc::new(mesh), 40.0).nearest(FourAndFour, &ray, 1e30, &mut Vec::new());
            match (expected, found) {
                (None, None) => {}
                (Some((t, _)), Some(hit)) => prop_assert!((t - f64::from(hit.t)).abs() < 1e-3 * t.max(1.0)),
                // A hit on the very edge may fall on either side in floats.
                (expected, found) => prop_assert!(false, "{expected:?} but {found:?}"),
            }
        }

        #[test]
        fn no_ray_slips_through_a_closed_mesh(
            o in (-0.3_f32..0.3, -0.3_f32..0.3, -0.3_f32..0.3),
            vertex in 0_usize..2000,
            mix in 0.0_f32..1.0,
        ) {
            let mesh = Arc::new(ball(24, 32));
            let tree = TriangleMesh::new(Arc::clone(&mesh), 40.0);
            // Aimed exactly at vertices and along edges, where a test with gaps has them.
            let [a, b, _] = mesh.triangles[vertex % mesh.triangles.len()].map(|i| Vec3::from(mesh.positions[i as usize]));
            let origin = vec3(o.0, o.1, o.2);
            for target in [a, b, a.lerp(b, mix), a.lerp(b, 0.5)] {
                let ray = Ray { origin, direction: (target - origin).normalized(), time: 0.0 };
                prop_assert!(tree.nearest(FourAndFour, &ray, 1e30, &mut Vec::new()).is_some());
                prop_assert!(tree.any(FourAndFour, &ray, 1e30, &mut Vec::new()));
            }
        }
    }

    #[test]
    fn coinciding_triangles_are_told_apart_by_number() {
        let positions = vec![Point3::new(-1.0, -1.0, 0.0), Point3::new(1.0, -1.0, 0.0), Point3::new(0.0, 1.0, 0.0)];
        let mesh = Mesh { positions, triangles: vec![[0, 1, 2]; 100], ..Mesh::default() };
        let tree = TriangleMesh::new(Arc::new(mesh), 40.0);
        let ray = Ray { origin: vec3(0.1, 0.0, 3.0), direction: vec3(0.0, 0.0, -1.0), time: 0.0 };
        let hit = tree.nearest(FourAndFour, &ray, 1e30, &mut Vec::new()).expect("a hit");
        assert_eq!((hit.t, hit.triangle), (3.0, 0));
        for i in 0..1000_u16 {
            // From near and far, and all around.
            let (turn, far) = (f32::from(i) * 0.1, 1.0 + f32::from(i % 37));
            let origin = vec3(libm::sinf(turn) * far * far, libm::cosf(turn) * far, far);
            let ray = Ray { origin, direction: (vec3(0.01, -0.2, 0.0) - origin).normalized(), time: 0.0 };
            let hit = tree.nearest(FourAndFour, &ray, 1e30, &mut Vec::new()).expect("a hit");
            assert_eq!(hit.triangle, 0, "ray {i}");
        }
    }
}
