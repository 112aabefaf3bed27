//! A scene as triangles: one mesh for each of its materials, with the shapes' tints as colours of the vertices.
//!
//! So a world of thousands of bodies is drawn at once, whatever the graphics device, and a liquid is a mesh among others.

use nalgebra::{Point3, Vector3};
use rayon::prelude::*;
use seedstorm_render::mesh_fluid;
use seedstorm_sim::scene::{Instance, Mesh, Rgb, Scene, Shape};

/// The triangles of what is made of one material.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baked {
    /// Index into the scene's materials.
    pub material: usize,
    /// Vertices in world space, their unit normals and linear colours, of which the base colour is a factor.
    pub positions: Vec<[f32; 3]>,
    pub normals: Vec<[f32; 3]>,
    pub colors: Vec<[f32; 4]>,
    pub indices: Vec<u32>,
}

impl Baked {
    fn add(&mut self, mesh: &Mesh, instance: &Instance) {
        let pose = &instance.pose;
        let place = |p: &Point3<f32>| pose.transform_point(p).into();
        let turn = |n: Vector3<f32>| -> [f32; 3] { (pose.isometry.rotation * n).into() };
        let shine = |color: Rgb| {
            let tinted: [f32; 3] = std::array::from_fn(|i| color[i] * instance.tint[i] + instance.emission[i]);
            [tinted[0], tinted[1], tinted[2], 1.0]
        };
        let color = |vertex: usize| shine(mesh.colors.get(vertex).copied().unwrap_or([1.0; 3]));
        if mesh.normals.is_empty() {
            // Flat facets have corners of their own.
            for corners in &mesh.triangles {
                let [a, b, c] = corners.map(|i| mesh.positions[i as usize]);
                let normal = turn((b - a).cross(&(c - a)).try_normalize(0.0).unwrap_or(Vector3::y()));
                for (corner, position) in corners.iter().zip([a, b, c]) {
                    self.indices.push(self.positions.len() as u32);
                    self.positions.push(place(&position));
                    self.normals.push(normal);
                    self.colors.push(color(*corner as usize));
                }
            }
            return;
        }
        let first = self.positions.len() as u32;
        self.positions.extend(mesh.positions.iter().map(place));
        self.normals.extend(mesh.normals.iter().map(|normal| turn(*normal)));
        self.colors.extend((0..mesh.positions.len()).map(color));
        self.indices.extend(mesh.triangles.iter().flatten().map(|corner| first + corner));
    }
}

/// The meshes of a scene, by material.
pub fn bake(scene: &Scene) -> Vec<Baked> {
    let many = scene.instances.iter().filter(|i| matches!(i.shape, Shape::Sphere(_))).count() > 2000;
    let rounds = Rounds::new(if many { 1 } else { 3 });
    let mut baked: Vec<Baked> = (0..scene.materials.len())
        .into_par_iter()
        .map(|material| {
            let mut baked = Baked { material, ..Baked::default() };
            for instance in scene.instances.iter().filter(|instance| instance.material == material) {
                match instance.shape {
                    Shape::Mesh(mesh) => baked.add(&scene.meshes[mesh], instance),
                    Shape::Sphere(radius) => baked.add(&rounds.sphere(radius), instance),
                    Shape::Capsule { half_height, radius } => baked.add(&rounds.capsule(half_height, radius), instance),
                    Shape::Box(half) => baked.add(&cuboid(half), instance),
                }
            }
            baked
        })
        .collect();
    if let Some(fluid) = &scene.fluid {
        let mesh = mesh_fluid(fluid);
        let instance = Instance {
            shape: Shape::Mesh(0),
            pose: nalgebra::Similarity3::identity(),
            material: fluid.material,
            tint: [1.0; 3],
            emission: [0.0; 3],
        };
        baked[fluid.material].add(&mesh, &instance);
    }
    baked.retain(|baked| !baked.indices.is_empty());
    baked
}

/// A ball of unit radius, from which spheres and capsules are made.
struct Rounds {
    ball: Mesh,
}

impl Rounds {
    /// An octahedron whose faces are divided in four so many times.
    fn new(divisions: u32) -> Self {
        let corners = [Vector3::x(), -Vector3::x(), Vector3::y(), -Vector3::y(), Vector3::z(), -Vector3::z()];
        let mut normals = corners.to_vec();
        let mut triangles = vec![];
        for (x, y, z) in (0..8_u32).map(|octant| (octant & 1, octant >> 1 & 1, octant >> 2 & 1)) {
            let [a, b, c] = [x, 2 + y, 4 + z];
            // Seen from outside, the corners run counter-clockwise.
            triangles.push(if (x + y + z) % 2 == 0 { [a, b, c] } else { [a, c, b] });
        }
        for _ in 0..divisions {
            let mut middles = std::collections::HashMap::new();
            let mut middle = |a: u32, b: u32| {
                *middles.entry((a.min(b), a.max(b))).or_insert_with(|| {
                    normals.push((normals[a as usize] + normals[b as usize]).normalize());
                    normals.len() as u32 - 1
                })
            };
            triangles = triangles
                .iter()
                .flat_map(|&[a, b, c]| {
                    let (ab, bc, ca) = (middle(a, b), middle(b, c), middle(c, a));
                    [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
                })
                .collect();
        }
        let positions = normals.iter().map(|n| Point3::from(*n)).collect();
        Self { ball: Mesh { positions, normals, triangles, ..Mesh::default() } }
    }

    fn sphere(&self, radius: f32) -> Mesh {
        self.capsule(0.0, radius)
    }

    /// The halves of the ball, drawn apart along y.
    fn capsule(&self, half_height: f32, radius: f32) -> Mesh {
        let mut mesh = self.ball.clone();
        for (position, normal) in mesh.positions.iter_mut().zip(&self.ball.normals) {
            // The equator belongs to the upper half; the lower one's edge is within a triangle of it.
            let shift = if normal.y >= 0.0 { half_height } else { -half_height };
            *position = Point3::from(normal * radius + Vector3::y() * shift);
        }
        mesh
    }
}

fn cuboid(half: Vector3<f32>) -> Mesh {
    let positions = (0..8_u32)
        .map(|corner| {
            let side = |axis: u32| if corner >> axis & 1 == 1 { 1.0 } else { -1.0 };
            Point3::new(side(0) * half.x, side(1) * half.y, side(2) * half.z)
        })
        .collect();
    let faces = [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]];
    let triangles = faces.iter().flat_map(|[a, b, c, d]| [[*a, *b, *c], [*a, *c, *d]]).collect();
    Mesh { positions, triangles, ..Mesh::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every triangle looks away from the middle of its closed shape.
    fn looks_outward(mesh: &Mesh) {
        for corners in &mesh.triangles {
            let [a, b, c] = corners.map(|i| mesh.positions[i as usize]);
            let middle = (a.coords + b.coords + c.coords) / 3.0;
            assert!((b - a).cross(&(c - a)).dot(&middle) > 0.0, "{corners:?}");
        }
    }

    #[test]
    fn shapes_look_outward() {
        looks_outward(&cuboid(Vector3::new(1.0, 2.0, 3.0)));
        let rounds = Rounds::new(3);
        looks_outward(&rounds.sphere(2.0));
        looks_outward(&rounds.capsule(1.0, 0.5));
        let height = rounds.capsule(1.0, 0.5).positions.iter().map(|p| p.y).fold(0.0, f32::max);
        assert!((height - 1.5).abs() < 1e-6);
    }
}
