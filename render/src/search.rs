//! What a ray meets: the nearest primitive, or anything at all between a point and a light.

use crate::bsdf::through_pane;
use crate::bvh::{BoxRay, Leaves, Stack};
use crate::lanes::{InLanes, Lanes, Widest};
use crate::prepared::{Liquid, NO_INSTANCE, Placed, PreparedScene, absorbed, local_ray};
use crate::shape;
use crate::triangles::{TriangleHit, TriangleMesh};
use crate::vector::{Ray, Vec3, max, min};

/// Most times that a shadow ray goes in or out of a liquid.
const MOST_CROSSINGS: u32 = 12;

/// The nearest primitive that a ray meets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    pub(crate) t: f32,
    pub(crate) instance: u32,
    pub(crate) triangle: u32,
}

/// What each thread keeps between rays.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) stack: Stack,
    pub(crate) widest: Widest,
}

impl PreparedScene {
    /// The nearest primitive ahead, or at equal distance the one of the lowest (instance, triangle).
    // Apart, for registers of its own.
    #[inline(never)]
    pub(crate) fn intersect(&self, ray: &Ray, scratch: &mut Scratch) -> Option<Hit> {
        scratch.widest.in_lanes(FindNearest { scene: self, ray, stack: &mut scratch.stack })
    }

    /// The share of light that comes from `limit` to the ray's origin: none where something stands between, all
    /// elsewhere, but for what panes and `liquid` withhold.
    #[inline]
    pub(crate) fn visibility(&self, ray: &Ray, limit: f32, liquid: Option<&Liquid>, scratch: &mut Scratch) -> Vec3 {
        if self.lights.occlude(ray, limit) {
            return Vec3::ZERO;
        }
        let passed = liquid.map_or(NO_INSTANCE, |liquid| liquid.instance);
        if scratch.widest.in_lanes(FindAny { scene: self, ray, limit, passed, stack: &mut scratch.stack }) {
            return Vec3::ZERO;
        }
        let mut share = match &self.fog {
            Some(fog) => Vec3::splat(fog.through(ray, limit)),
            None => Vec3::ONE,
        };
        for &pane in &self.panes {
            share *= self.through_pane(pane, ray, limit);
        }
        if let Some(liquid) = liquid {
            share *= self.through_liquid(liquid, ray, limit, scratch);
        }
        share
    }

    fn through_pane(&self, pane: u32, ray: &Ray, limit: f32) -> Vec3 {
        let Some([enter, leave]) = self.placed_at(pane, ray.time).crossings(ray) else { return Vec3::ONE };
        let look = &self.looks[pane as usize];
        let material = &self.materials[look.material as usize];
        let length = min(leave, limit) - max(enter, 0.0);
        if length <= 0.0 {
            return Vec3::ONE;
        }
        let mut share = absorbed(material, length);
        for (t, inside) in [(enter, false), (leave, true)] {
            if t > 0.0 && t < limit {
                let surface = self.surface(ray, &Hit { t, instance: pane, triangle: 0 });
                let cos = ray.direction.dot(surface.normal).abs();
                // As for a path that runs the same way, the coat withholds from outside only.
                share *= through_pane(material, surface.tint, cos, inside);
            }
        }
        share
    }

    fn through_liquid(&self, liquid: &Liquid, ray: &Ray, limit: f32, scratch: &mut Scratch) -> Vec3 {
        let material = &self.materials[liquid.material as usize];
        let mesh = &self.meshes[liquid.mesh as usize];
        let (mut share, mut ray, mut limit) = (Vec3::ONE, *ray, limit);
        for _ in 0..MOST_CROSSINGS {
            let search = FindInMesh { mesh, ray: &ray, limit, stack: &mut scratch.stack };
            let Some(found) = scratch.widest.in_lanes(search) else { return share };
            let hit = Hit { t: found.t, instance: liquid.instance, triangle: found.triangle };
            let surface = self.surface(&ray, &hit);
            let inside = ray.direction.dot(surface.facet_normal) > 0.0;
            if inside {
                share *= absorbed(material, hit.t);
            }
            share *= through_pane(material, surface.tint, ray.direction.dot(surface.normal).abs(), inside);
            limit -= hit.t;
            ray.origin = surface.origin(ray.direction);
        }
        Vec3::ZERO
    }
}

impl Placed {
    /// Where the ray enters and leaves a solid; not for meshes.
    #[inline(always)]
    fn crossings(&self, ray: &Ray) -> Option<[f32; 2]> {
        match self {
            Self::Sphere { center, radius } => shape::sphere(ray, *center, *radius),
            Self::Capsule { center, axis, half_height, radius } => {
                shape::capsule(ray, *center, *axis, *half_height, *radius)
            }
            Self::Box { to_local, center, half } => {
                let local = Ray {
                    origin: to_local.to_local(ray.origin - *center),
                    direction: to_local.to_local(ray.direction),
                    time: ray.time,
                };
                shape::aligned_box(&local, *half)
            }
            Self::Mesh { .. } | Self::World { .. } | Self::Moving(_) => None,
        }
    }
}

/// The first of two crossings that lies ahead.
#[inline(always)]
fn ahead([enter, leave]: [f32; 2]) -> f32 {
    if enter > 0.0 { enter } else { leave }
}

struct FindNearest<'a> {
    scene: &'a PreparedScene,
    ray: &'a Ray,
    stack: &'a mut Stack,
}

impl InLanes for FindNearest<'_> {
    type Found = Option<Hit>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Option<Hit> {
        let Self { scene, ray, stack } = self;
        let nothing = Hit { t: f32::MAX, instance: u32::MAX, triangle: u32::MAX };
        let mut search = Nearest { scene, ray, hit: nothing, lanes };
        scene.tree.traverse::<true, _>(&BoxRay::new(lanes, ray), stack, &mut search);
        (search.hit.instance != u32::MAX).then_some(search.hit)
    }
}

struct FindInMesh<'a> {
    mesh: &'a TriangleMesh,
    ray: &'a Ray,
    limit: f32,
    stack: &'a mut Stack,
}

impl InLanes for FindInMesh<'_> {
    type Found = Option<TriangleHit>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Option<TriangleHit> {
        self.mesh.nearest(lanes, self.ray, self.limit, self.stack)
    }
}

struct FindAny<'a> {
    scene: &'a PreparedScene,
    ray: &'a Ray,
    limit: f32,
    passed: u32,
    stack: &'a mut Stack,
}

impl InLanes for FindAny<'_> {
    type Found = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> bool {
        let Self { scene, ray, limit, passed, stack } = self;
        let mut search = Any { scene, ray, limit, passed, lanes };
        scene.tree.traverse::<false, _>(&BoxRay::new(lanes, ray), stack, &mut search)
    }
}

struct Nearest<'a, L> {
    scene: &'a PreparedScene,
    ray: &'a Ray,
    hit: Hit,
    lanes: L,
}

impl<L: Lanes> Leaves for Nearest<'_, L> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        self.hit.t
    }

    #[inline(always)]
    fn visit(&mut self, leaf: u32, stack: &mut Stack) -> bool {
        let leaf = &self.scene.leaves[leaf as usize];
        if let Some(spheres) = &leaf.spheres {
            let (t, mut bits) = spheres.meets(self.ray, self.hit.t);
            while bits != 0 {
                let slot = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let (t, instance) = (t[slot], leaf.instances[slot]);
                if t < self.hit.t || (t == self.hit.t && instance < self.hit.instance) {
                    self.hit = Hit { t, instance, triangle: 0 };
                }
            }
            return false;
        }
        let instance = leaf.instances[0];
        let mut placed = &self.scene.placed[instance as usize];
        let moved;
        if let Placed::Moving(number) = placed {
            moved = self.scene.moving[*number as usize].at(self.ray.time);
            placed = &moved;
        }
        let found = match placed {
            Placed::Mesh { to_local, scale, center, mesh } => {
                let local = local_ray(self.ray, to_local, *scale, *center);
                self.scene.meshes[*mesh as usize]
                    .nearest(self.lanes, &local, self.hit.t, stack)
                    .map(|h| (h.t, h.triangle))
            }
            Placed::World { mesh } => self.scene.meshes[*mesh as usize]
                .nearest(self.lanes, self.ray, self.hit.t, stack)
                .map(|h| (h.t, h.triangle)),
            solid => solid.crossings(self.ray).map(|crossings| (ahead(crossings), 0)),
        };
        if let Some((t, triangle)) = found
            && t > 0.0
            && (t < self.hit.t || (t == self.hit.t && instance < self.hit.instance))
        {
            self.hit = Hit { t, instance, triangle };
        }
        false
    }
}

struct Any<'a, L> {
    scene: &'a PreparedScene,
    ray: &'a Ray,
    limit: f32,
    /// An instance that does not count.
    passed: u32,
    lanes: L,
}

impl<L: Lanes> Leaves for Any<'_, L> {
    #[inline(always)]
    fn limit(&self) -> f32 {
        self.limit
    }

    #[inline(always)]
    fn visit(&mut self, leaf: u32, stack: &mut Stack) -> bool {
        let leaf = &self.scene.leaves[leaf as usize];
        if let Some(spheres) = &leaf.spheres {
            let (t, bits) = spheres.meets(self.ray, self.limit);
            return (0..4).any(|slot| bits >> slot & 1 == 1 && t[slot] < self.limit);
        }
        let instance = leaf.instances[0];
        if instance == self.passed || (!self.scene.panes.is_empty() && self.scene.looks[instance as usize].pane) {
            return false;
        }
        let mut placed = &self.scene.placed[instance as usize];
        let moved;
        if let Placed::Moving(number) = placed {
            moved = self.scene.moving[*number as usize].at(self.ray.time);
            placed = &moved;
        }
        match placed {
            Placed::Mesh { to_local, scale, center, mesh } => {
                let local = local_ray(self.ray, to_local, *scale, *center);
                self.scene.meshes[*mesh as usize].any(self.lanes, &local, self.limit, stack)
            }
            Placed::World { mesh } => self.scene.meshes[*mesh as usize].any(self.lanes, self.ray, self.limit, stack),
            solid => solid.crossings(self.ray).is_some_and(|crossings| {
                let t = ahead(crossings);
                t > 0.0 && t < self.limit
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Point3, Similarity3, Translation3, UnitQuaternion, Vector3};
    use seedstorm_sim::scene::{Camera, Instance, Material, Mesh, Scene, Shape, Sky};

    use super::*;
    use crate::lanes::FourAndFour;
    use crate::sampler::Sampler;
    use crate::vector::vec3;

    /// Things in one place, faces in one plane, and others around them.
    fn crowd() -> Scene {
        let chance = |i: u32, of: u32| Sampler::new(i, of, 0, 7, 0).pair(0)[0];
        let instance = |shape, at: [f32; 3], turn: f32| Instance {
            shape,
            pose: Similarity3::from_parts(
                Translation3::from(at),
                UnitQuaternion::from_euler_angles(turn, 0.7 * turn, 0.0),
                1.0,
            ),
            material: 0,
            tint: [1.0; 3],
            emission: [0.0; 3],
        };
        let slab = Shape::Box(Vector3::new(3.0, 0.25, 2.0));
        let mut instances = vec![
            instance(slab, [0.2, -0.25, 0.1], 0.0),
            instance(slab, [0.2, -0.25, 0.1], 0.0),
            instance(Shape::Mesh(0), [0.0; 3], 0.0),
            instance(Shape::Mesh(0), [0.0; 3], 0.0),
            instance(Shape::Sphere(0.8), [1.1, 0.3, -0.4], 0.0),
            instance(Shape::Sphere(0.8), [1.1, 0.3, -0.4], 0.3),
            instance(slab, [-1.0, 1.0, 0.5], 0.6),
            instance(slab, [-1.0, 1.0, 0.5], 0.6),
        ];
        for i in 0..80 {
            let at = [0, 1, 2].map(|axis| 5.0 * chance(i, axis) - 2.5);
            let shape = match i % 3 {
                0 => Shape::Sphere(0.1 + 0.2 * chance(i, 3)),
                1 => Shape::Box(Vector3::new(0.2, 0.1, 0.1 + 0.2 * chance(i, 3))),
                _ => Shape::Capsule { half_height: 0.2, radius: 0.1 },
            };
            instances.push(instance(shape, at, if i % 2 == 0 { 0.0 } else { 6.0 * chance(i, 4) }));
        }
        let corners = [[-40.0, 0.0, 40.0], [40.0, 0.0, 40.0], [40.0, 0.0, -40.0], [-40.0, 0.0, -40.0]];
        let floor = Mesh {
            positions: corners.map(Point3::from).to_vec(),
            triangles: vec![[0, 1, 2], [0, 2, 3], [0, 1, 3], [1, 2, 3]],
            ..Mesh::default()
        };
        Scene {
            camera: Camera {
                // No ray may start farther away.
                eye: Point3::new(0.0, 1.0, 1200.0),
                target: Point3::origin(),
                up: Vector3::y(),
                vertical_fov: 0.7,
                lens_radius: 0.0,
                focus_distance: 5.0,
            },
            sky: Sky { zenith: [1.0; 3], horizon: [1.0; 3], nadir: [1.0; 3], backdrop: None },
            environment: None,
            sun: None,
            lights: vec![],
            materials: vec![Material::default()],
            instances,
            meshes: vec![floor.into()],
            fluid: None,
            haze: None,
            fog: None,
            moved: vec![],
            exposure_stops: 0.0,
        }
    }

    /// The hierarchy only saves time: what counts is what would be found by trying all, the lowest number where several are
    /// met at one distance, from near and from far.
    #[test]
    fn the_nearest_is_that_of_all() {
        let scene = PreparedScene::new(&crowd()).expect("a scene");
        let mut scratch = Scratch::default();
        let mut seen = [0; 8];
        for index in 0..60_000 {
            let sampler = Sampler::new(index, 1, 0, 3, 0);
            let ([turn, up], [x, y], [z, distance]) = (sampler.pair(0), sampler.pair(1), sampler.pair(2));
            let (sin, cos) = libm::sincosf(turn * std::f32::consts::TAU);
            let far = libm::exp2f(2.0 + 8.0 * distance);
            let origin = vec3(sin * far, (2.0 * up - 1.0) * far, cos * far);
            let toward = vec3(5.0 * x - 2.5, 2.0 * y - 1.0, 5.0 * z - 2.5) - origin;
            let ray = Ray { origin, direction: toward.normalized(), time: 0.0 };
            let found = scene.intersect(&ray, &mut scratch);
            let nothing = Hit { t: f32::MAX, instance: u32::MAX, triangle: u32::MAX };
            let mut all = Nearest { scene: &scene, ray: &ray, hit: nothing, lanes: FourAndFour };
            for leaf in 0..scene.leaves.len() {
                all.visit(leaf as u32, &mut scratch.stack);
            }
            let found = found.unwrap_or(nothing);
            let bits = |hit: Hit| (hit.t.to_bits(), hit.instance, hit.triangle);
            assert_eq!(bits(found), bits(all.hit), "ray {index}: {ray:?}");
            if let Some(count) = seen.get_mut(found.instance as usize) {
                *count += 1;
            }
        }
        assert!([0, 2, 4, 6].iter().all(|&first| seen[first] > 500), "what lies in one place was met: {seen:?}");
        // Whose faces are computed alike; of those that are turned or lie on others, any may be a hair nearer.
        assert_eq!([seen[1], seen[3], seen[5], seen[7]], [0; 4], "the second of two in one place");
    }
}
