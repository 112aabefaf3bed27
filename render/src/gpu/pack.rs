//! A prepared scene in the device's buffers.

use seedstorm_sim::scene::Material;

use crate::bvh::{Bvh, LEAF};
use crate::camera::filter_table;
use crate::error::RenderError;
use crate::glow::Glows;
use crate::light::Rectangle;
use crate::microfacet::{glass_tables, reflectance_table};
use crate::prepared::{NO_INSTANCE, Placed, PreparedScene};
use crate::triangles::TriangleMesh;
use crate::vector::Vec3;

/// Four numbers, which may be bits of words.
pub(super) type Row = [f32; 4];

/// No number of anything.
pub(super) const NONE: u32 = u32::MAX;

/// Rows of a node.
const NODE_ROWS: usize = 7;

/// Children that can wait, as in `prepared.wgsl`.
const STACK: usize = 96;

/// What a scene is on the device; see `common.wgsl` for the layout of each.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub(super) nodes: Vec<Row>,
    pub(super) packs: Vec<Row>,
    pub(super) instances: Vec<Row>,
    pub(super) vertices: Vec<u32>,
    pub(super) looks: Vec<Row>,
    /// Where in `looks`: rectangles, balls, filter, reflectance, materials, meshes, sheen, glass, the map's
    /// texels and rows, clusters of balls, motions.
    pub(super) places: [u32; 12],
    /// Where the hierarchy of the instances begins.
    pub(super) root: u32,
}

fn bits(word: u32) -> f32 {
    f32::from_bits(word)
}

fn row(v: Vec3, w: f32) -> Row {
    [v.x, v.y, v.z, w]
}

impl Packed {
    /// # Errors
    /// [`RenderError::Device`] where the scene's hierarchy is deeper than the device's traversal.
    pub(super) fn new(scene: &PreparedScene) -> Result<Self, RenderError> {
        let mut packed = Self::default();
        // A mesh's root in `nodes`, and the children that can wait in it.
        let meshes: Vec<(u32, usize)> = scene.meshes.iter().map(|mesh| packed.mesh(mesh)).collect();
        let waiting = |instance: u32| match opening(scene, instance).0 {
            Placed::Mesh { mesh, .. } | Placed::World { mesh } => meshes[mesh as usize].1,
            _ => 0,
        };
        let within = |leaf: u32| scene.leaves[leaf as usize].instances.into_iter().take_while(|&id| id != NO_INSTANCE);
        let needed = most_waiting(&scene.tree, 0, &|leaf| within(leaf).map(waiting).max().unwrap_or(0));
        if needed > STACK {
            return Err(RenderError::Device(format!(
                "the scene's hierarchy lets {needed} nodes wait, the tracer there has room for {STACK}"
            )));
        }
        // The leaves' instances stand behind the nodes.
        let leaves = (packed.nodes.len() + NODE_ROWS * scene.tree.fours.len()) as u32;
        packed.root = packed.tree(&scene.tree, |leaf| leaves + leaf);
        packed.nodes.extend(scene.leaves.iter().map(|leaf| leaf.instances.map(bits)));
        for instance in 0..scene.placed.len() {
            packed.instance(scene, instance, &meshes);
        }
        packed.looks(scene);
        Ok(packed)
    }

    /// Appends a hierarchy and returns where it begins.
    fn tree(&mut self, tree: &Bvh, leaf: impl Fn(u32) -> u32) -> u32 {
        if tree.fours.is_empty() {
            return NONE;
        }
        let base = (self.nodes.len() / NODE_ROWS) as u32;
        for node in &tree.fours {
            for side in &node.planes {
                self.nodes.extend(side);
            }
            // Slots that are not filled hold a box that no ray meets.
            let filled = |slot: usize| node.planes[0][0][slot] <= node.planes[1][0][slot];
            self.nodes.push(std::array::from_fn(|slot| {
                let child = node.children[slot];
                bits(match (filled(slot), child & LEAF) {
                    (false, _) => LEAF,
                    (true, 0) => child + base,
                    _ => LEAF | leaf(child & !LEAF),
                })
            }));
        }
        base
    }

    fn mesh(&mut self, mesh: &TriangleMesh) -> (u32, usize) {
        let first = (self.packs.len() / 10) as u32;
        for pack in &mesh.packs {
            for corner in &pack.corners {
                self.packs.extend(corner.iter().map(|lanes| lanes.to_array()));
            }
            self.packs.push(pack.ids.map(bits));
        }
        (self.tree(&mesh.tree, |pack| pack + first), most_waiting(&mesh.tree, 0, &|_| 0))
    }

    fn instance(&mut self, scene: &PreparedScene, index: usize, meshes: &[(u32, usize)]) {
        let look = &scene.looks[index];
        let (zero, unit) = (Vec3::ZERO, Vec3::ONE);
        let magnitude = |mesh: u32| scene.meshes[mesh as usize].bounds.magnitude();
        let far = |center: Vec3| center.abs().max_component();
        // Center, kind, rows of the rotation, extent, size of the coordinates, mesh.
        let (placed, motion) = opening(scene, index as u32);
        let (center, kind, rows, extent, size, mesh) = match placed {
            Placed::Sphere { center, radius } => {
                (center, 0, [zero; 3], Vec3::splat(radius), far(center) + radius, None)
            }
            Placed::Capsule { center, axis, half_height, radius } => {
                let extent = crate::vector::vec3(radius, half_height, 0.0);
                (center, 1, [zero, axis, zero], extent, far(center) + half_height + radius, None)
            }
            Placed::Box { to_local, center, half } => {
                (center, 2, to_local.rows, half, far(center) + half.max_component(), None)
            }
            Placed::Mesh { to_local, scale, center, mesh } => {
                (center, 3, to_local.rows, Vec3::splat(scale), far(center) + magnitude(mesh) * scale, Some(mesh))
            }
            Placed::World { mesh } => (zero, 4, [zero; 3], unit, magnitude(mesh), Some(mesh)),
            Placed::Moving(_) => unreachable!("it is somewhere as the shutter opens"),
        };
        let ball = look.ball.map_or(0, |ball| ball + 1);
        self.instances.extend([
            row(center, bits(kind)),
            row(rows[0], bits(look.material)),
            row(rows[1], bits(mesh.unwrap_or(NONE))),
            row(rows[2], bits(u32::from(look.pane) | motion << 1)),
            row(extent, size),
            row(look.tint, bits(ball)),
            row(look.emission, bits(mesh.map_or(NONE, |mesh| meshes[mesh as usize].0))),
        ]);
    }

    fn looks(&mut self, scene: &PreparedScene) {
        let rectangles = scene.lights.rectangles.iter().flat_map(rectangle_rows).collect();
        let Glows { balls, clusters } = &scene.lights.glows;
        let balls = balls.iter().flat_map(|b| [row(b.center, b.radius), row(b.radiance, b.power), row(b.shift, 0.0)]);
        let balls = balls.collect();
        let clusters =
            clusters.iter().flat_map(|c| [row(c.center, c.radius), [c.power, bits(c.count), bits(c.place), 0.0]]);
        let clusters = clusters.collect();
        let motions = scene.moving.iter().flat_map(|m| [row(m.shift, 0.0), m.turns[0], m.turns[1]]).collect();
        let filter = fours(filter_table());
        let reflectance = fours(&reflectance_table());
        let materials: Vec<Row> = scene.materials.iter().flat_map(material_rows).collect();
        let mut parts = Vec::new();
        for mesh in &scene.meshes {
            let source = &mesh.source;
            let mut put = |numbers: Vec<u32>| {
                let at = self.vertices.len() as u32;
                self.vertices.extend(&numbers);
                if numbers.is_empty() { NONE } else { at }
            };
            let bits_of = |v: [f32; 3]| v.map(f32::to_bits);
            let positions = put(source.positions.iter().flat_map(|p| bits_of([p.x, p.y, p.z])).collect());
            let normals = put(source.normals.iter().flat_map(|n| bits_of([n.x, n.y, n.z])).collect());
            let colors = put(source.colors.iter().flat_map(|c| bits_of(*c)).collect());
            let triangles = put(source.triangles.iter().flatten().copied().collect());
            parts.push([positions, normals, colors, triangles].map(bits));
        }
        let (sheen, glass) = (fours(crate::sheen::table()), fours(&glass_tables()));
        let map = scene.lights.environment.as_ref();
        let (texels, rows) = map.map(|map| (map.texels.clone(), fours(&map.rows))).unwrap_or_default();
        let tables =
            [rectangles, balls, filter, reflectance, materials, parts, sheen, glass, texels, rows, clusters, motions];
        for (place, table) in self.places.iter_mut().zip(tables) {
            *place = self.looks.len() as u32;
            self.looks.extend(table);
        }
    }
}

/// An instance as the shutter opens, and the number of its motion from 1 on, 0 where it has none.
fn opening(scene: &PreparedScene, instance: u32) -> (Placed, u32) {
    match scene.placed[instance as usize] {
        Placed::Moving(number) => (scene.moving[number as usize].opens, number + 1),
        still => (still, 0),
    }
}

/// The most children of a hierarchy that wait at a time, those within its leaves included.
fn most_waiting(tree: &Bvh, node: u32, in_leaf: &dyn Fn(u32) -> usize) -> usize {
    let Some(node) = tree.fours.get(node as usize) else { return 0 };
    let filled = |slot: &usize| node.planes[0][0][*slot] <= node.planes[1][0][*slot];
    let children: Vec<u32> = (0..4).filter(filled).map(|slot| node.children[slot]).collect();
    let below = children.iter().map(|child| match child & LEAF {
        0 => most_waiting(tree, *child, in_leaf),
        _ => in_leaf(child & !LEAF),
    });
    below.max().unwrap_or(0) + children.len().saturating_sub(1)
}

fn fours(numbers: &[f32]) -> Vec<Row> {
    let row = |four: &[f32]| std::array::from_fn(|i| four.get(i).copied().unwrap_or(0.0));
    numbers.chunks(4).map(row).collect()
}

fn rectangle_rows(r: &Rectangle) -> [Row; 7] {
    [
        row(r.center, r.area),
        row(r.u, r.power),
        row(r.v, f32::from(r.visible)),
        row(r.u_dual, 0.0),
        row(r.v_dual, 0.0),
        row(r.normal, 0.0),
        row(r.radiance, 0.0),
    ]
}

fn material_rows(m: &Material) -> [Row; 7] {
    let with = |[r, g, b]: [f32; 3], w| [r, g, b, w];
    [
        with(m.base_color, m.metallic),
        with(m.absorption, m.roughness),
        with(m.emission, m.transmission),
        [m.ior, m.coat, m.coat_roughness, m.dispersion],
        [m.film, m.film_ior, 0.0, 0.0],
        with(m.sheen, m.sheen_roughness),
        with(m.subsurface_radius, m.subsurface),
    ]
}
