//! A piece as a model in three dimensions that plays: binary glTF 2.0, as marketplaces and browsers show it.
//!
//! Bodies are nodes that move and turn along keyframes. Liquids and clouds change their shape: a few moments of them, much
//! coarser than in the film, show one after another. Floors and whatever else reaches beyond the picture are left out,
//! since viewers fit a model to the window.

use std::collections::HashMap;

use nalgebra::{Point3, Vector3};
use seedstorm_sim::scene::{Cloud, Fluid, Haze, Instance, Material, Mesh, Rgb, Scene, Shape};
use serde_json::{Value, json};

use crate::surface::mesh_fluid;

/// Levels of each colour that materials of bodies have.
const LEVELS: f32 = 24.0;
/// Columns and rows of a ball, and of a capsule.
const AROUND: u32 = 20;
const DOWN: u32 = 12;
/// Moments of what changes its shape.
const MOST_SHAPES: usize = 9;
/// Of so many particles one is taken, and the surface is as much coarser.
const PARTICLES: usize = 8;
/// Most points of clouds in a moment.
const MOST_POINTS: usize = 12_000;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum GlbError {
    /// No moment, or nothing in any of them.
    #[error("there is nothing in the piece that a model could show")]
    Empty,
    /// More than a file's lengths can say.
    #[error("the model is too large: 4 GiB is the most")]
    TooLarge,
}

/// The model of `scenes`, which are as many moments at equal distances over `seconds`.
///
/// # Errors
///
/// [`GlbError`].
pub fn encode(scenes: &[Scene], seconds: f32) -> Result<Vec<u8>, GlbError> {
    let Some(first) = scenes.first() else { return Err(GlbError::Empty) };
    let mut file = File::default();
    let reach = (first.camera.eye - first.camera.target).norm();
    let time = |at: usize| seconds * at as f32 / (scenes.len() - 1).max(1) as f32;
    let times: Vec<f32> = (0..scenes.len()).map(time).collect();
    let keys = file.times(&times);
    let bodies = scenes.iter().map(|scene| scene.instances.len()).max().unwrap_or(0);
    for body in 0..bodies {
        file.body(scenes, body, reach, keys);
    }
    let shown: Vec<usize> = {
        let count = scenes.len().min(MOST_SHAPES);
        (0..count).map(|at| at * scenes.len() / count).collect()
    };
    for (place, &at) in shown.iter().enumerate() {
        let until = shown.get(place + 1).copied();
        let nodes = file.changing(&scenes[at]);
        if shown.len() > 1 {
            for node in nodes {
                file.show(node, time(at), until.map(time));
            }
        }
    }
    file.finish()
}

/// A glTF file in the making.
#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    views: Vec<Value>,
    accessors: Vec<Value>,
    materials: Vec<Value>,
    meshes: Vec<Value>,
    nodes: Vec<Value>,
    samplers: Vec<Value>,
    channels: Vec<Value>,
    extensions: Vec<&'static str>,
    known_materials: HashMap<[i32; 7], usize>,
    known_shapes: HashMap<[u32; 4], Geometry>,
}

/// Accessors of a mesh.
#[derive(Clone, Copy)]
struct Geometry {
    positions: usize,
    normals: Option<usize>,
    colors: Option<usize>,
    indices: Option<usize>,
}

/// glTF's numbers for types and uses.
const FLOAT: u32 = 5126;
const UNSIGNED_INT: u32 = 5125;
const UNSIGNED_BYTE: u32 = 5121;
const ARRAY_BUFFER: u32 = 34962;
const ELEMENT_ARRAY_BUFFER: u32 = 34963;
const POINTS: u32 = 0;
const TRIANGLES: u32 = 4;

impl File {
    /// Appends numbers, aligned to four bytes.
    fn view(&mut self, bytes: impl Iterator<Item = u8>, target: Option<u32>) -> usize {
        let offset = self.bytes.len();
        self.bytes.extend(bytes);
        let length = self.bytes.len() - offset;
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let mut view = json!({"buffer": 0, "byteOffset": offset, "byteLength": length});
        if let Some(target) = target {
            view["target"] = target.into();
        }
        self.views.push(view);
        self.views.len() - 1
    }

    fn floats<const N: usize>(&mut self, rows: &[[f32; N]], kind: &str, target: Option<u32>, bounds: bool) -> usize {
        let view = self.view(rows.iter().flatten().flat_map(|x| x.to_le_bytes()), target);
        let mut accessor = json!({"bufferView": view, "componentType": FLOAT, "count": rows.len(), "type": kind});
        if bounds {
            let fold = |pick: fn(f32, f32) -> f32| {
                rows.iter().fold(rows[0], |a, b| std::array::from_fn(|i| pick(a[i], b[i]))).to_vec()
            };
            accessor["min"] = json!(fold(f32::min));
            accessor["max"] = json!(fold(f32::max));
        }
        self.accessors.push(accessor);
        self.accessors.len() - 1
    }

    fn times(&mut self, times: &[f32]) -> usize {
        let rows: Vec<[f32; 1]> = times.iter().map(|t| [*t]).collect();
        self.floats(&rows, "SCALAR", None, true)
    }

    fn colors(&mut self, colors: &[Rgb]) -> usize {
        let code = |c: f32| (c.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        let view =
            self.view(colors.iter().flat_map(|[r, g, b]| [code(*r), code(*g), code(*b), 255]), Some(ARRAY_BUFFER));
        self.accessors.push(json!({
            "bufferView": view, "componentType": UNSIGNED_BYTE, "normalized": true, "count": colors.len(), "type": "VEC4",
        }));
        self.accessors.len() - 1
    }

    fn geometry(&mut self, mesh: &Mesh) -> Option<Geometry> {
        if mesh.positions.is_empty() || mesh.triangles.is_empty() {
            return None;
        }
        let positions: Vec<[f32; 3]> = mesh.positions.iter().map(|p| p.coords.into()).collect();
        let positions = self.floats(&positions, "VEC3", Some(ARRAY_BUFFER), true);
        let unit = |n: &Vector3<f32>| <[f32; 3]>::from(n.try_normalize(1e-12).unwrap_or_else(Vector3::y));
        let normals: Vec<[f32; 3]> = mesh.normals.iter().map(unit).collect();
        let normals = (!normals.is_empty()).then(|| self.floats(&normals, "VEC3", Some(ARRAY_BUFFER), false));
        let colors = (!mesh.colors.is_empty()).then(|| self.colors(&mesh.colors));
        let indices = mesh.triangles.iter().flatten().flat_map(|i| i.to_le_bytes());
        let view = self.view(indices, Some(ELEMENT_ARRAY_BUFFER));
        self.accessors.push(json!({
            "bufferView": view, "componentType": UNSIGNED_INT, "count": 3 * mesh.triangles.len(), "type": "SCALAR",
        }));
        Some(Geometry { positions, normals, colors, indices: Some(self.accessors.len() - 1) })
    }

    fn mesh(&mut self, it: Geometry, material: usize, mode: u32) -> usize {
        let mut attributes = json!({"POSITION": it.positions});
        if let Some(normals) = it.normals {
            attributes["NORMAL"] = normals.into();
        }
        if let Some(colors) = it.colors {
            attributes["COLOR_0"] = colors.into();
        }
        let mut primitive = json!({"attributes": attributes, "material": material, "mode": mode});
        if let Some(indices) = it.indices {
            primitive["indices"] = indices.into();
        }
        self.meshes.push(json!({"primitives": [primitive]}));
        self.meshes.len() - 1
    }

    fn extension(&mut self, name: &'static str) -> &'static str {
        if !self.extensions.contains(&name) {
            self.extensions.push(name);
        }
        name
    }

    /// A material of ours with a tint and a glow, as near as glTF comes.
    fn material(&mut self, number: usize, it: &Material, tint: Rgb, glow: Rgb) -> usize {
        let level = |x: f32| (x * LEVELS).round();
        let key: [i32; 7] = std::array::from_fn(|i| match i {
            0 => number as i32,
            1..=3 => level(tint[i - 1]) as i32,
            _ => level(glow[i - 4]) as i32,
        });
        if let Some(&known) = self.known_materials.get(&key) {
            return known;
        }
        let color: Rgb = std::array::from_fn(|i| (it.base_color[i] * level(tint[i]) / LEVELS).clamp(0.0, 1.0));
        let mut extensions = json!({});
        if it.transmission > 0.0 {
            extensions[self.extension("KHR_materials_transmission")] = json!({"transmissionFactor": it.transmission});
        }
        if it.ior != 1.5 {
            extensions[self.extension("KHR_materials_ior")] = json!({"ior": it.ior});
        }
        if it.coat > 0.0 {
            extensions[self.extension("KHR_materials_clearcoat")] =
                json!({"clearcoatFactor": it.coat, "clearcoatRoughnessFactor": it.coat_roughness});
        }
        let emission: Rgb = std::array::from_fn(|i| it.emission[i] + level(glow[i]) / LEVELS);
        let strength = emission.iter().copied().fold(0.0, f32::max);
        let mut made = json!({
            "pbrMetallicRoughness": {
                "baseColorFactor": [color[0], color[1], color[2], 1.0],
                "metallicFactor": it.metallic,
                "roughnessFactor": it.roughness,
            },
        });
        if strength > 0.0 {
            made["emissiveFactor"] = json!(emission.map(|c| c / strength.max(1.0)));
            if strength > 1.0 {
                extensions[self.extension("KHR_materials_emissive_strength")] = json!({"emissiveStrength": strength});
            }
        }
        if extensions.as_object().is_some_and(|all| !all.is_empty()) {
            made["extensions"] = extensions;
        }
        self.materials.push(made);
        self.known_materials.insert(key, self.materials.len() - 1);
        self.materials.len() - 1
    }

    /// The body of this number in all moments that have it.
    fn body(&mut self, scenes: &[Scene], number: usize, reach: f32, keys: usize) {
        let there: Vec<Option<&Instance>> = scenes.iter().map(|scene| scene.instances.get(number)).collect();
        let Some((at, body)) = there.iter().enumerate().find_map(|(at, it)| Some((at, (*it)?))) else { return };
        let moves = there.iter().flatten().any(|it| it.pose != body.pose);
        let scene = &scenes[at];
        let own;
        let (key, mesh) = match body.shape {
            Shape::Mesh(mesh) => ([3, mesh as u32, 0, 0], &*scene.meshes[mesh]),
            Shape::Sphere(radius) => {
                own = capsule(0.0, radius);
                ([0, radius.to_bits(), 0, 0], &own)
            }
            Shape::Capsule { half_height, radius } => {
                own = capsule(half_height, radius);
                ([1, half_height.to_bits(), radius.to_bits(), 0], &own)
            }
            Shape::Box(half) => {
                own = block(half);
                ([half.x.to_bits().wrapping_add(4), half.y.to_bits(), half.z.to_bits(), 1], &own)
            }
        };
        let far = mesh.positions.iter().map(|p| (body.pose * p - scene.camera.target).norm()).fold(0.0, f32::max);
        if !moves && far > reach {
            return;
        }
        let geometry = match self.known_shapes.get(&key) {
            Some(&known) => known,
            None => {
                let Some(made) = self.geometry(mesh) else { return };
                self.known_shapes.insert(key, made);
                made
            }
        };
        // A model's colours stand still: those that the bodies have in the end.
        let painted = there.iter().rev().flatten().next().unwrap_or(&body);
        let material = self.material(body.material, &scene.materials[body.material], painted.tint, painted.emission);
        let mesh = self.mesh_once(geometry, material);
        let place = |it: &Instance| -> [f32; 3] { it.pose.isometry.translation.vector.into() };
        let mut last = unit_quaternion(body);
        let turn = |it: &Instance, last: &mut [f32; 4]| {
            let q = unit_quaternion(it);
            // The short way round.
            let dot: f32 = q.iter().zip(*last).map(|(a, b)| a * b).sum();
            *last = if dot < 0.0 { q.map(|c| -c) } else { q };
            *last
        };
        let node = self.node(mesh);
        let scale = [body.pose.scaling(); 3];
        self.nodes[node] = json!({"mesh": mesh, "translation": place(body), "rotation": last, "scale": scale});
        if !moves && there.iter().all(Option::is_some) {
            return;
        }
        // Before it is there, and after it is gone, it is as it was and has no size.
        let mut known = body;
        let (mut places, mut turns, mut sizes) = (vec![], vec![], vec![]);
        for it in &there {
            known = it.unwrap_or(known);
            places.push(place(known));
            turns.push(turn(known, &mut last));
            sizes.push([if it.is_some() { known.pose.scaling() } else { 0.0 }; 3]);
        }
        let places = self.floats(&places, "VEC3", None, false);
        let turns = self.floats(&turns, "VEC4", None, false);
        self.animate(node, "translation", keys, places, "LINEAR");
        self.animate(node, "rotation", keys, turns, "LINEAR");
        if there.iter().any(Option::is_none) {
            let sizes = self.floats(&sizes, "VEC3", None, false);
            self.animate(node, "scale", keys, sizes, "STEP");
        }
    }

    /// Meshes that differ by neither shape nor material are one.
    fn mesh_once(&mut self, geometry: Geometry, material: usize) -> usize {
        let same = |mesh: &Value| {
            let primitive = &mesh["primitives"][0];
            primitive["material"] == material && primitive["attributes"]["POSITION"] == geometry.positions
        };
        // The last are the likeliest.
        match self.meshes.iter().rposition(same) {
            Some(known) => known,
            None => self.mesh(geometry, material, TRIANGLES),
        }
    }

    fn animate(&mut self, node: usize, path: &str, input: usize, output: usize, how: &str) {
        self.samplers.push(json!({"input": input, "output": output, "interpolation": how}));
        let sampler = self.samplers.len() - 1;
        self.channels.push(json!({"sampler": sampler, "target": {"node": node, "path": path}}));
    }

    /// The nodes of what has another shape in each moment.
    fn changing(&mut self, scene: &Scene) -> Vec<usize> {
        let mut nodes = vec![];
        if let Some(fluid) = &scene.fluid {
            let coarse = mesh_fluid(&coarser(fluid));
            if let Some(geometry) = self.geometry(&coarse) {
                let material = self.material(fluid.material, &scene.materials[fluid.material], [1.0; 3], [0.0; 3]);
                let mesh = self.mesh(geometry, material, TRIANGLES);
                nodes.push(self.node(mesh));
            }
        }
        if let Some(haze) = &scene.haze {
            let chosen = brightest(haze);
            if !chosen.is_empty() {
                let places: Vec<[f32; 3]> = chosen.iter().map(|cloud| cloud.position.coords.into()).collect();
                let colors: Vec<Rgb> = chosen.iter().map(|cloud| shown(cloud.radiance)).collect();
                let positions = self.floats(&places, "VEC3", Some(ARRAY_BUFFER), true);
                let colors = Some(self.colors(&colors));
                let unlit = self.extension("KHR_materials_unlit");
                self.materials.push(json!({"extensions": {unlit: {}}}));
                let material = self.materials.len() - 1;
                let mesh = self.mesh(Geometry { positions, normals: None, colors, indices: None }, material, POINTS);
                nodes.push(self.node(mesh));
            }
        }
        nodes
    }

    fn node(&mut self, mesh: usize) -> usize {
        self.nodes.push(json!({"mesh": mesh}));
        self.nodes.len() - 1
    }

    /// Shows a node from a time on, up to another.
    fn show(&mut self, node: usize, from: f32, until: Option<f32>) {
        let mut keys = vec![];
        if from > 0.0 {
            keys.push((0.0, 0.0));
        }
        keys.push((from, 1.0));
        keys.extend(until.map(|until| (until, 0.0)));
        let input = self.times(&keys.iter().map(|key| key.0).collect::<Vec<_>>());
        let sizes: Vec<[f32; 3]> = keys.iter().map(|key| [key.1; 3]).collect();
        let output = self.floats(&sizes, "VEC3", None, false);
        self.animate(node, "scale", input, output, "STEP");
    }

    fn finish(self) -> Result<Vec<u8>, GlbError> {
        if self.nodes.is_empty() {
            return Err(GlbError::Empty);
        }
        let mut document = json!({
            "asset": {"version": "2.0", "generator": "Seedstorm"},
            "scene": 0,
            "scenes": [{"nodes": (0..self.nodes.len()).collect::<Vec<_>>()}],
            "nodes": self.nodes,
            "meshes": self.meshes,
            "materials": self.materials,
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": self.bytes.len()}],
        });
        if !self.channels.is_empty() {
            document["animations"] = json!([{"channels": self.channels, "samplers": self.samplers}]);
        }
        if !self.extensions.is_empty() {
            document["extensionsUsed"] = json!(self.extensions);
        }
        let mut text = document.to_string().into_bytes();
        text.resize(text.len().next_multiple_of(4), b' ');
        let length = |bytes: usize| u32::try_from(bytes).map_err(|_| GlbError::TooLarge);
        let mut glb = Vec::new();
        glb.extend(b"glTF");
        glb.extend(2_u32.to_le_bytes());
        glb.extend(length(12 + 8 + text.len() + 8 + self.bytes.len())?.to_le_bytes());
        for (kind, bytes) in [(b"JSON", &text), (b"BIN\0", &self.bytes)] {
            glb.extend(length(bytes.len())?.to_le_bytes());
            glb.extend(kind);
            glb.extend_from_slice(bytes);
        }
        Ok(glb)
    }
}

fn unit_quaternion(it: &Instance) -> [f32; 4] {
    it.pose.isometry.rotation.into_inner().normalize().coords.into()
}

/// The same liquid of fewer particles.
fn coarser(fluid: &Fluid) -> Fluid {
    let chosen: Vec<usize> = (0..fluid.positions.len()).filter(|i| i.is_multiple_of(PARTICLES)).collect();
    Fluid {
        positions: chosen.iter().map(|&i| fluid.positions[i]).collect(),
        colors: chosen.iter().filter_map(|&i| fluid.colors.get(i).copied()).collect(),
        spacing: fluid.spacing * libm::cbrtf(PARTICLES as f32),
        ..fluid.clone()
    }
}

/// So many of the clouds that shine as a model can have, evenly over all.
fn brightest(haze: &Haze) -> Vec<&Cloud> {
    let shining: Vec<&Cloud> = haze.clouds.iter().filter(|cloud| cloud.radiance.iter().any(|c| *c > 0.0)).collect();
    let every = shining.len().div_ceil(MOST_POINTS).max(1);
    shining.into_iter().step_by(every).collect()
}

/// A colour that a screen can show, of the same hue.
fn shown(radiance: Rgb) -> Rgb {
    let most = radiance.iter().copied().fold(0.0, f32::max).max(1e-6);
    radiance.map(|c| c / (1.0 + most) * 1.2)
}

/// A capsule along y; of no height, a ball.
fn capsule(half_height: f32, radius: f32) -> Mesh {
    let mut mesh = Mesh::default();
    for row in 0..=DOWN + 1 {
        // The equator twice: once for each cap.
        let (step, side) = if row <= DOWN / 2 { (row, 1.0) } else { (row - 1, -1.0) };
        let (sin, cos) = libm::sincosf(std::f32::consts::PI * step as f32 / DOWN as f32);
        for column in 0..=AROUND {
            let (across, along) = libm::sincosf(std::f32::consts::TAU * column as f32 / AROUND as f32);
            let normal = Vector3::new(sin * along, cos, sin * across);
            mesh.normals.push(normal);
            mesh.positions.push(Point3::from(normal * radius + Vector3::y() * (side * half_height)));
        }
    }
    for row in 0..=DOWN {
        for column in 0..AROUND {
            let a = row * (AROUND + 1) + column;
            let b = a + AROUND + 1;
            mesh.triangles.extend([[a, a + 1, b], [a + 1, b + 1, b]]);
        }
    }
    mesh
}

fn block(half: Vector3<f32>) -> Mesh {
    let mut mesh = Mesh::default();
    for axis in 0..3 {
        for side in [-1.0, 1.0] {
            let first = mesh.positions.len() as u32;
            let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
            for (a, b) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
                let mut corner = Vector3::zeros();
                (corner[axis], corner[u], corner[v]) = (side * half[axis], a * half[u], b * half[v]);
                let mut normal = Vector3::zeros();
                normal[axis] = side;
                mesh.positions.push(corner.into());
                mesh.normals.push(normal);
            }
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| first + i);
            mesh.triangles.extend(if side > 0.0 { [[a, b, c], [a, c, d]] } else { [[a, c, b], [a, d, c]] });
        }
    }
    mesh
}

#[cfg(test)]
mod tests {
    use nalgebra::{Similarity3, Translation3, UnitQuaternion};
    use seedstorm_sim::scene::{Camera, Sky};

    use super::*;

    fn scene(time: f32) -> Scene {
        let put = |shape, x: f32, y: f32| Instance {
            shape,
            pose: Similarity3::from_parts(
                Translation3::new(x, y, 0.0),
                UnitQuaternion::from_axis_angle(&Vector3::z_axis(), 3.0 * time),
                1.0,
            ),
            material: 0,
            tint: [1.0, time, 0.5],
            emission: [0.0; 3],
        };
        let mut instances = vec![
            put(Shape::Sphere(0.5), 0.0, time),
            put(Shape::Box(Vector3::new(0.2, 0.3, 0.4)), 1.0, 0.0),
            put(Shape::Capsule { half_height: 0.4, radius: 0.2 }, -1.0, 0.0),
            Instance { pose: Similarity3::identity(), ..put(Shape::Box(Vector3::new(500.0, 0.1, 500.0)), 0.0, 0.0) },
        ];
        if time > 0.5 {
            // One that is born.
            instances.push(put(Shape::Sphere(0.5), 0.0, 2.0));
        }
        let spread = |i: u32| Point3::new((i % 9) as f32 * 0.1, (i / 9 % 9) as f32 * 0.1 + time, (i / 81) as f32 * 0.1);
        Scene {
            camera: Camera {
                eye: [0.0, 0.0, 5.0].into(),
                target: [0.0; 3].into(),
                up: Vector3::y(),
                vertical_fov: 0.7,
                lens_radius: 0.0,
                focus_distance: 5.0,
            },
            sky: Sky { zenith: [1.0; 3], horizon: [1.0; 3], nadir: [1.0; 3], backdrop: None },
            environment: None,
            sun: None,
            lights: vec![],
            materials: vec![Material { coat: 1.0, ..Material::default() }],
            meshes: vec![],
            instances,
            fluid: Some(Fluid { positions: (0..729).map(spread).collect(), spacing: 0.1, ..Fluid::default() }),
            haze: None,
            fog: None,
            moved: vec![],
            exposure_stops: 0.0,
        }
    }

    /// The document and the length of the numbers.
    fn parts(glb: &[u8]) -> (Value, usize) {
        let word = |at: usize| u32::from_le_bytes(glb[at..at + 4].try_into().expect("four bytes")) as usize;
        assert_eq!((&glb[..4], word(4), word(8)), (&b"glTF"[..], 2, glb.len()));
        let text = word(12);
        assert_eq!((&glb[16..20], &glb[24 + text..28 + text]), (&b"JSON"[..], &b"BIN\0"[..]));
        (serde_json::from_slice(&glb[20..20 + text]).expect("a document"), word(20 + text))
    }

    #[test]
    fn a_model_holds_what_moves_and_what_stands() {
        let scenes: Vec<Scene> = (0..12).map(|i| scene(i as f32 / 11.0)).collect();
        let glb = encode(&scenes, 2.0).expect("a model");
        let (document, bytes) = parts(&glb);
        assert_eq!(document["buffers"][0]["byteLength"], bytes);
        // Four bodies without the floor, and the liquid's moments.
        assert_eq!(document["nodes"].as_array().map(Vec::len), Some(4 + MOST_SHAPES));
        // The two balls are one mesh.
        assert_eq!(document["nodes"][0]["mesh"], document["nodes"][3]["mesh"]);
        let paths = |node: usize| -> Vec<&str> {
            let channels = document["animations"][0]["channels"].as_array().expect("channels");
            let own = channels.iter().filter(|channel| channel["target"]["node"] == node);
            own.filter_map(|channel| channel["target"]["path"].as_str()).collect()
        };
        assert_eq!(paths(0), ["translation", "rotation"]);
        assert_eq!(paths(3), ["translation", "rotation", "scale"]);
        assert_eq!(paths(4), ["scale"]);
        // Every part of the numbers lies within them.
        for view in document["bufferViews"].as_array().expect("views") {
            let end = view["byteOffset"].as_u64().zip(view["byteLength"].as_u64()).map(|(from, length)| from + length);
            assert!(end.is_some_and(|end| end <= bytes as u64));
        }
        assert!(matches!(encode(&[], 1.0), Err(GlbError::Empty)));
    }

    #[test]
    fn solids_are_closed_and_face_outwards() {
        for mesh in [block(Vector3::new(1.0, 2.0, 3.0)), capsule(0.0, 1.0), capsule(2.0, 0.5)] {
            let mut volume = 0.0;
            for [a, b, c] in &mesh.triangles {
                let [a, b, c] = [a, b, c].map(|i| mesh.positions[*i as usize].coords);
                volume += a.dot(&b.cross(&c)) / 6.0;
            }
            let extent =
                mesh.positions.iter().fold(Vector3::zeros(), |most: Vector3<f32>, p| most.sup(&p.coords.abs()));
            let boxed = 8.0 * extent.x * extent.y * extent.z;
            assert!(volume > 0.45 * boxed && volume <= 1.001 * boxed, "{volume} of {boxed}");
        }
    }
}
