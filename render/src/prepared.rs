//! A scene made ready to be met by rays; `search.rs` has them meet it.
//!
//! Two levels of hierarchy: one over the instances in world space, and one for each mesh in its own space. Spheres,
//! capsules and boxes are met directly.

use std::sync::Arc;

use nalgebra::Similarity3;
use rayon::prelude::*;
use seedstorm_sim::scene::{Instance, Material, Mesh, Scene, Shape};

use crate::bsdf::{is_pane, unbent_liquid};
use crate::bvh::{Bounds, Bvh, Item, padded};
use crate::camera::Lens;
use crate::error::RenderError;
use crate::fog::Fog;
use crate::glow::Ball;
use crate::light::Lights;
use crate::moving::Moving;
use crate::search::Hit;
use crate::shape::SpherePack;
use crate::triangles::TriangleMesh;
use crate::validate::validate;
use crate::vector::{Ray, Vec3, max, min, vec3};

/// A scene with its hierarchies built, from which any number of frames and tiles can be rendered.
///
/// What is built depends on the scene alone, for any number of threads.
#[derive(Debug, Clone)]
pub struct PreparedScene {
    pub(crate) lens: Lens,
    pub(crate) lights: Lights,
    pub(crate) materials: Vec<Material>,
    /// Whether a material parts the colours of light.
    pub(crate) parts_colors: bool,
    pub(crate) exposure: f32,
    pub(crate) meshes: Vec<TriangleMesh>,
    pub(crate) placed: Vec<Placed>,
    pub(crate) moving: Vec<Moving>,
    pub(crate) fog: Option<Fog>,
    pub(crate) looks: Vec<Look>,
    pub(crate) tree: Bvh,
    /// The solids that shadow rays go through.
    pub(crate) panes: Vec<u32>,
    /// The fluid, where it is clear.
    pub(crate) liquid: Option<Liquid>,
    /// What the leaves of `tree` hold, in their order.
    pub(crate) leaves: Vec<Leaf>,
}

/// A clear liquid: light goes straight through it to what is lit, or all that lies in it would be dark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Liquid {
    pub(crate) instance: u32,
    pub(crate) mesh: u32,
    /// The last of the materials, see [`unbent_liquid`].
    pub(crate) material: u32,
}

/// The geometry of an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Placed {
    Sphere {
        center: Vec3,
        radius: f32,
    },
    Capsule {
        center: Vec3,
        axis: Vec3,
        half_height: f32,
        radius: f32,
    },
    Box {
        to_local: Rotation,
        center: Vec3,
        half: Vec3,
    },
    Mesh {
        to_local: Rotation,
        scale: f32,
        center: Vec3,
        mesh: u32,
    },
    /// A mesh that stands in world space already.
    World {
        mesh: u32,
    },
    /// One that moves while the shutter is open.
    Moving(u32),
}

/// What an instance looks like, apart from where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) material: u32,
    pub(crate) tint: Vec3,
    pub(crate) emission: Vec3,
    pub(crate) pane: bool,
    /// Which of the glowing spheres that shadow rays are aimed at.
    pub(crate) ball: Option<u32>,
}

/// Most panes that shadow rays go through; any more cast shadows.
const MOST_PANES: usize = 8;
/// The rows of a rotation from world to local space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation {
    pub(crate) rows: [Vec3; 3],
}

impl Rotation {
    #[inline(always)]
    pub(crate) fn to_local(self, v: Vec3) -> Vec3 {
        vec3(self.rows[0].dot(v), self.rows[1].dot(v), self.rows[2].dot(v))
    }

    #[inline(always)]
    fn to_world(self, v: Vec3) -> Vec3 {
        self.rows[0] * v.x + self.rows[1] * v.y + self.rows[2] * v.z
    }
}

/// A leaf of the hierarchy of instances: one instance, or up to four spheres side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf {
    /// [`NO_INSTANCE`] where there are fewer.
    pub(crate) instances: [u32; 4],
    pub(crate) spheres: Option<SpherePack>,
}

/// No instance has this number.
pub(crate) const NO_INSTANCE: u32 = u32::MAX;

impl Leaf {
    fn new(ids: &[u32], placed: &[Placed], looks: &[Look]) -> Self {
        let sphere = |&id: &u32| match placed[id as usize] {
            Placed::Sphere { center, radius } if !looks[id as usize].pane => Some((center, radius)),
            _ => None,
        };
        let spheres: Option<Vec<(Vec3, f32)>> = ids.iter().map(sphere).collect();
        Self {
            instances: std::array::from_fn(|slot| ids.get(slot).copied().unwrap_or(NO_INSTANCE)),
            spheres: spheres.map(|spheres| SpherePack::new(&spheres)),
        }
    }
}

/// The surface where a ray meets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surface {
    pub(crate) position: Vec3,
    /// Unit normals outward of the body.
    pub(crate) facet_normal: Vec3,
    pub(crate) normal: Vec3,
    /// Factor on the base colour.
    pub(crate) tint: Vec3,
    pub(crate) emission: Vec3,
    pub(crate) material: u32,
    /// How far a new ray must start from the surface so as not to meet it again.
    clearance: f32,
}

impl Surface {
    /// Where a ray starts that leaves toward `direction`.
    ///
    /// The clearance is a fixed number of units in the last place of the largest coordinate that entered `position`,
    /// as that is what bounds its error; it is applied along the facet's normal, so that a ray at any angle clears the
    /// surface (the idea of Wächter and Binder 2019, "A Fast and Robust Method for Avoiding Self-Intersection", Ray
    /// Tracing Gems 6).
    #[inline]
    pub(crate) fn origin(&self, direction: Vec3) -> Vec3 {
        let side = if direction.dot(self.facet_normal) >= 0.0 { self.clearance } else { -self.clearance };
        self.position + self.facet_normal * side
    }
}

impl PreparedScene {
    /// Builds the hierarchies of a scene. The fluid, if any, becomes a mesh.
    ///
    /// # Errors
    ///
    /// [`RenderError`] names the part of the scene that is out of its range.
    pub fn new(scene: &Scene) -> Result<Self, RenderError> {
        validate(scene)?;
        let lens = Lens::new(&scene.camera, scene.sky.backdrop)
            .ok_or(RenderError::Camera("eye and target coincide, or `up` is parallel to the view"))?;
        let mut sources: Vec<Arc<Mesh>> = scene.meshes.clone();
        let mut placed: Vec<Placed> = scene.instances.iter().map(place).collect();
        let mut looks: Vec<Look> = scene
            .instances
            .iter()
            .map(|i| Look {
                material: i.material as u32,
                tint: i.tint.into(),
                emission: i.emission.into(),
                pane: false,
                ball: None,
            })
            .collect();
        let panes: Vec<u32> = (0..scene.instances.len())
            .filter(|&i| {
                let instance = &scene.instances[i];
                is_pane(&scene.materials[instance.material]) && !matches!(instance.shape, Shape::Mesh(_))
            })
            .take(MOST_PANES)
            .map(|i| i as u32)
            .collect();
        for &pane in &panes {
            looks[pane as usize].pane = true;
        }
        let moving = set_in_motion(scene, &mut placed);
        let glow = |(i, (p, l))| ball(scene, i, p, l, &moving);
        let lights = Lights::new(scene, placed.iter().zip(&looks).enumerate().filter_map(glow).collect());
        for (number, ball) in (0..).zip(&lights.glows.balls) {
            looks[ball.instance as usize].ball = Some(number);
        }
        let mut materials = scene.materials.clone();
        let mut liquid = None;
        if let Some(fluid) = &scene.fluid {
            if let Some(unbent) = unbent_liquid(&materials[fluid.material]) {
                let (instance, mesh) = (placed.len() as u32, sources.len() as u32);
                liquid = Some(Liquid { instance, mesh, material: materials.len() as u32 });
                materials.push(unbent);
            }
            placed.push(Placed::World { mesh: sources.len() as u32 });
            let (tint, emission) = (Vec3::ONE, Vec3::ZERO);
            looks.push(Look { material: fluid.material as u32, tint, emission, pane: false, ball: None });
            sources.push(Arc::new(crate::surface::mesh_fluid(fluid)));
        }
        let (reach, reaches) = reaches(scene, &placed, &moving, &sources);
        let meshes: Vec<TriangleMesh> =
            sources.into_par_iter().zip(reaches).map(|(source, reach)| TriangleMesh::new(source, reach)).collect();
        let boxes: Vec<Bounds> = placed.par_iter().map(|p| padded(bounds(p, &meshes, &moving), reach)).collect();
        let packs =
            |item: &Item| matches!(placed[item.id as usize], Placed::Sphere { .. }) && !looks[item.id as usize].pane;
        let mut leaves = Vec::with_capacity(placed.len() / 2);
        let tree = Bvh::build(&boxes, &|items| items.len() <= 4 && items.iter().all(packs), |ids| {
            leaves.push(Leaf::new(ids, &placed, &looks))
        });
        Ok(Self {
            lens,
            lights,
            parts_colors: materials.iter().any(|material| material.dispersion != 0.0),
            materials,
            exposure: libm::exp2f(scene.exposure_stops),
            meshes,
            placed,
            moving,
            fog: scene.fog.as_ref().and_then(Fog::new),
            looks,
            panes,
            liquid,
            tree,
            leaves,
        })
    }

    /// Where an instance is at a moment.
    #[inline]
    pub(crate) fn placed_at(&self, instance: u32, time: f32) -> Placed {
        match self.placed[instance as usize] {
            Placed::Moving(moving) => self.moving[moving as usize].at(time),
            still => still,
        }
    }

    /// Whether shadow rays go through this hit.
    #[inline]
    pub(crate) fn hits_pane(&self, hit: &Hit) -> bool {
        self.looks[hit.instance as usize].pane
    }

    /// The surface at a hit of this ray.
    #[inline(always)]
    pub(crate) fn surface(&self, ray: &Ray, hit: &Hit) -> Surface {
        let look = &self.looks[hit.instance as usize];
        let mut tint = look.tint;
        let (mut position, facet_normal, normal, size);
        // Where an inner edge is near, the surface beyond it is too: a point is drawn away from edges by the clearance
        // as well, toward this one.
        let mut away_from_edges: Option<Vec3> = None;
        match &self.placed_at(hit.instance, ray.time) {
            Placed::Sphere { center, radius } => {
                let n = (ray.at(hit.t) - *center).normalized();
                (facet_normal, normal) = (n, n);
                position = *center + n * *radius;
                size = center.abs().max_component() + radius;
            }
            Placed::Capsule { center, axis, half_height, radius } => {
                let p = ray.at(hit.t) - *center;
                let nearest = *axis * p.dot(*axis).clamp(-half_height, *half_height);
                let n = (p - nearest).normalized();
                (facet_normal, normal) = (n, n);
                position = *center + nearest + n * *radius;
                size = center.abs().max_component() + half_height + radius;
            }
            Placed::Box { to_local, center, half } => {
                let p = to_local.to_local(ray.at(hit.t) - *center);
                // The hit was on the face that is nearest in proportion.
                let near = [(p.x, half.x), (p.y, half.y), (p.z, half.z)].map(|(p, h)| (p.abs() - h).abs());
                let axis = if near[0] <= near[1] && near[0] <= near[2] {
                    0
                } else if near[1] <= near[2] {
                    1
                } else {
                    2
                };
                let side = 1.0_f32.copysign(p.axis(axis));
                let on_face = |i: usize| if i == axis { half.axis(i).copysign(p.axis(i)) } else { p.axis(i) };
                let n = to_local.rows[axis] * side;
                (facet_normal, normal) = (n, n);
                position = *center + to_local.to_world(vec3(on_face(0), on_face(1), on_face(2)));
                away_from_edges = Some(*center + to_local.rows[axis] * half.axis(axis).copysign(p.axis(axis)));
                size = center.abs().max_component() + half.max_component();
            }
            Placed::Mesh { to_local, scale, center, mesh } => {
                let mesh = &self.meshes[*mesh as usize];
                let point = mesh.point(&local_ray(ray, to_local, *scale, *center), hit.triangle);
                tint *= point.color;
                facet_normal = to_local.to_world(point.facet_normal);
                normal = to_local.to_world(point.normal);
                position = *center + to_local.to_world(point.position) * *scale;
                away_from_edges = Some(*center + to_local.to_world(point.middle) * *scale);
                size = center.abs().max_component() + mesh.bounds.magnitude() * scale;
            }
            Placed::World { mesh } => {
                let mesh = &self.meshes[*mesh as usize];
                let point = mesh.point(ray, hit.triangle);
                tint *= point.color;
                (position, facet_normal, normal) = (point.position, point.facet_normal, point.normal);
                away_from_edges = Some(point.middle);
                size = mesh.bounds.magnitude();
            }
            Placed::Moving(_) => unreachable!("what moves is somewhere at every moment"),
        }
        let clearance = (size + ray.origin.abs().max_component()) * (24.0 * f32::EPSILON);
        if let Some(middle) = away_from_edges {
            let toward = middle - position;
            position += toward * min(1.0, 2.0 * clearance / max(toward.length(), 1e-30));
        }
        Surface { position, facet_normal, normal, tint, emission: look.emission, material: look.material, clearance }
    }
}

/// Makes those that the scene moves, and that have a shape of their own, move.
fn set_in_motion(scene: &Scene, placed: &mut [Placed]) -> Vec<Moving> {
    let quaternion = |pose: &Similarity3<f32>| <[f32; 4]>::from(pose.isometry.rotation.into_inner().coords);
    let mut moving = Vec::new();
    for ((placed, from), to) in placed.iter_mut().zip(&scene.instances).zip(&scene.moved) {
        if from.pose != *to {
            let shift = to.isometry.translation.vector - from.pose.isometry.translation.vector;
            let turns = [quaternion(&from.pose), quaternion(to)];
            let before = std::mem::replace(placed, Placed::Moving(moving.len() as u32));
            moving.push(Moving::new(before, shift.into(), turns));
        }
    }
    moving
}

/// A sphere that glows and is not clear, as a light.
fn ball(scene: &Scene, instance: usize, placed: &Placed, look: &Look, moving: &[Moving]) -> Option<Ball> {
    let material = &scene.materials[look.material as usize];
    let radiance = Vec3::from(material.emission) + look.emission;
    if material.transmission > 0.0 || radiance.luminance() <= 0.0 {
        return None;
    }
    let (opens, shift) = match *placed {
        Placed::Moving(number) => (moving[number as usize].opens, moving[number as usize].shift),
        still => (still, Vec3::ZERO),
    };
    let Placed::Sphere { center, radius } = opens else { return None };
    let power = radiance.luminance() * (std::f32::consts::PI * radius * radius);
    Some(Ball { center, shift, radius, radiance, instance: instance as u32, power })
}

/// What is left of light after this length inside of a body (Beer and Lambert).
#[inline]
pub(crate) fn absorbed(material: &Material, length: f32) -> Vec3 {
    let [r, g, b] = material.absorption;
    if r + g + b <= 0.0 {
        return Vec3::ONE;
    }
    vec3(libm::expf(-r * length), libm::expf(-g * length), libm::expf(-b * length))
}

fn place(instance: &Instance) -> Placed {
    let center = Vec3::from(instance.pose.isometry.translation.vector);
    let scale = instance.pose.scaling();
    // The columns of the rotation are the rows of its inverse.
    let rotation = instance.pose.isometry.rotation.to_rotation_matrix().into_inner();
    let column = |i: usize| vec3(rotation[(0, i)], rotation[(1, i)], rotation[(2, i)]);
    let to_local = Rotation { rows: [column(0), column(1), column(2)] };
    match instance.shape {
        Shape::Sphere(radius) => Placed::Sphere { center, radius: radius * scale },
        Shape::Capsule { half_height, radius } => Placed::Capsule {
            center,
            axis: column(1).normalized(),
            half_height: half_height * scale,
            radius: radius * scale,
        },
        Shape::Box(half) => Placed::Box { to_local, center, half: Vec3::from(half) * scale },
        Shape::Mesh(mesh) => Placed::Mesh { to_local, scale, center, mesh: mesh as u32 },
    }
}

fn bounds(placed: &Placed, meshes: &[TriangleMesh], moving: &[Moving]) -> Bounds {
    let mut bounds = Bounds::EMPTY;
    match *placed {
        Placed::Moving(number) => {
            let moving = &moving[number as usize];
            let ends = Moving { shift: Vec3::ZERO, ..*moving };
            let [a, b] = [0.0, 1.0].map(|time| self::bounds(&ends.at(time), meshes, &[]));
            let center = (a.min + a.max) * 0.5;
            // Of a mesh, whose middle may lie outside of it, twice as far as any corner.
            let reach = (a.max - a.min).length() + (center - ends.middle()).length();
            bounds = moving.swept([a, b], reach);
        }
        Placed::Sphere { center, radius } => {
            bounds.grow(center - Vec3::splat(radius));
            bounds.grow(center + Vec3::splat(radius));
        }
        Placed::Capsule { center, axis, half_height, radius } => {
            let reach = axis.abs() * half_height + Vec3::splat(radius);
            bounds.grow(center - reach);
            bounds.grow(center + reach);
        }
        Placed::Box { to_local, center, half } => {
            let [x, y, z] = to_local.rows.map(Vec3::abs);
            let reach = x * half.x + y * half.y + z * half.z;
            bounds.grow(center - reach);
            bounds.grow(center + reach);
        }
        Placed::Mesh { to_local, scale, center, mesh } => {
            /// A mesh of no more vertices has its box taken from them rather than from its own box's corners.
            const FEW: usize = 256;
            let mesh = &meshes[mesh as usize];
            let mut grow = |p: Vec3| bounds.grow(center + to_local.to_world(p) * scale);
            if mesh.source.triangles.is_empty() {
                // Nothing to meet.
            } else if mesh.source.positions.len() <= FEW {
                mesh.source.positions.iter().for_each(|&p| grow(p.into()));
            } else {
                let Bounds { min, max } = mesh.bounds;
                for corner in 0..8 {
                    let pick = |bit: u32, low: f32, high: f32| if corner >> bit & 1 == 0 { low } else { high };
                    grow(vec3(pick(0, min.x, max.x), pick(1, min.y, max.y), pick(2, min.z, max.z)));
                }
            }
        }
        Placed::World { mesh } => bounds = meshes[mesh as usize].bounds,
    }
    // Each rotation costs a few units in the last place of the largest coordinate.
    let slack = Vec3::splat(bounds.magnitude() * (8.0 * f32::EPSILON));
    Bounds { min: bounds.min - slack, max: bounds.max + slack }
}

/// At least the largest coordinate of where rays start, in the world and in the space of each mesh: at the camera, on
/// what there is, in the fog.
fn reaches(scene: &Scene, placed: &[Placed], moving: &[Moving], sources: &[Arc<Mesh>]) -> (f32, Vec<f32>) {
    let far = |v: Vec3| v.abs().max_component();
    let size = |mesh: &Arc<Mesh>| mesh.positions.iter().map(|&p| far(p.into())).fold(0.0, max);
    let sizes: Vec<f32> = sources.par_iter().map(size).collect();
    // Where it is, or begins, and how far it goes.
    let opening = |placed: &Placed| match *placed {
        Placed::Moving(number) => (moving[number as usize].opens, far(moving[number as usize].shift)),
        still => (still, 0.0),
    };
    // Whatever is turned stays within twice its largest coordinate.
    let extent = |placed: &Placed| {
        let (placed, goes) = opening(placed);
        goes + match placed {
            Placed::Sphere { center, radius } => far(center) + radius,
            Placed::Capsule { center, half_height, radius, .. } => far(center) + half_height + radius,
            Placed::Box { center, half, .. } => far(center) + 2.0 * far(half),
            Placed::Mesh { center, scale, mesh, .. } => far(center) + 2.0 * scale * sizes[mesh as usize],
            Placed::World { mesh } => sizes[mesh as usize],
            Placed::Moving(_) => unreachable!("what moves is somewhere when the shutter opens"),
        }
    };
    let mut reach = far(scene.camera.eye.into()) + scene.camera.lens_radius;
    reach = placed.iter().map(extent).fold(reach, max);
    if let Some(fog) = &scene.fog {
        reach = max(reach, max(far(fog.low.into()), far(fog.high.into())));
    }
    // Finite, also for what is so small that it is nothing.
    const FARTHEST: f32 = 1e15;
    let mut reaches = vec![0.0_f32; sources.len()];
    for one in placed {
        let (mesh, there) = match opening(one) {
            (Placed::Mesh { center, scale, mesh, .. }, goes) => {
                (mesh, min(2.0 * (reach + far(center) + goes) / scale, FARTHEST))
            }
            (Placed::World { mesh }, _) => (mesh, reach),
            _ => continue,
        };
        let most = &mut reaches[mesh as usize];
        *most = max(*most, there);
    }
    (reach, reaches)
}

/// The ray in a mesh's space, with distances as in world space.
#[inline]
pub(crate) fn local_ray(ray: &Ray, to_local: &Rotation, scale: f32, center: Vec3) -> Ray {
    let inverse = 1.0 / scale;
    Ray {
        origin: to_local.to_local(ray.origin - center) * inverse,
        direction: to_local.to_local(ray.direction) * inverse,
        time: ray.time,
    }
}
