//! How a bloom is photographed.

use std::sync::Arc;

use nalgebra::{Point3, Quaternion, Similarity3, Translation3, UnitQuaternion, Vector3};

use super::{
    POSITION_UNIT, RATE, ROTATION_UNIT, STEPS,
    flower::{Flower, STAMEN, TALL_RINGS, tallness},
};
use crate::{
    genome::Genome,
    palette::{Palette, mix, scale},
    scenario::Stage,
    scene::{Camera, Instance, Material, Mesh, Rgb, Scene, Shape},
    stage::{Lighting, placed},
};

/// Turns the states of a bloom into scenes.
pub(super) struct BloomStage {
    palette: &'static Palette,
    lighting: Lighting,
    /// The floor, then the tiles of the tall rings and the tile of all others.
    meshes: Vec<Arc<Mesh>>,
    tile_material: Material,
    /// Size and mesh of each tile.
    tiles: Vec<(f32, usize)>,
    arms: usize,
    stamen: f32,
    reach: f32,
    camera: (f32, f32),
    turn: f32,
}

impl BloomStage {
    pub(super) fn new(genome: &Genome) -> Self {
        let flower = Flower::new(genome);
        let palette = Palette::named(genome.text("palette"));
        let (elevation, distance) = match genome.text("camera") {
            "zenith" => (1.42, 3.7),
            "low" => (0.6, 3.75),
            _ => (0.86, 3.8),
        };
        Self {
            palette,
            lighting: Lighting::new(genome.text("light"), palette, Point3::origin(), flower.reach),
            meshes: [floor(flower.reach * 12.0)]
                .into_iter()
                .chain((0..=TALL_RINGS).map(|ring| bevelled(&flower, tallness(ring))))
                .map(Arc::new)
                .collect(),
            tile_material: finish(genome.text("finish")),
            tiles: flower.places.iter().map(|p| (p.size, 1 + p.ring.min(TALL_RINGS))).collect(),
            arms: flower.arms,
            stamen: flower.stamen_radius(),
            reach: flower.reach,
            camera: (elevation, distance),
            turn: genome.number("turn") as f32 * (std::f32::consts::PI / 180.0),
        }
    }

    fn tint(&self, fallen: f32, step: f32) -> Rgb {
        let standing = scale(mix(self.palette.ground, self.palette.colors[1], 0.65), 0.85);
        if fallen < 0.0 {
            return standing;
        }
        // A tile takes on the colour of the time at which it fell, over half a second, by way of the colours before it:
        // straight from cream to a blue would be grey halfway.
        let age = ((step - fallen) / (RATE * 0.5)).clamp(0.0, 1.0);
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let time = fallen / (STEPS as f32 * 0.82);
        mix(standing, self.palette.ramp((time - 0.4 * (1.0 - ease(age))).max(0.0)), ease((2.0 * age).min(1.0)))
    }
}

fn finish(name: &str) -> Material {
    match name {
        "porcelain" => Material { roughness: 0.22, ..Material::default() },
        "brushed" => Material { metallic: 0.85, roughness: 0.34, ..Material::default() },
        "gilded" => Material { metallic: 1.0, roughness: 0.2, ..Material::default() },
        _ => Material { roughness: 0.5, coat: 1.0, coat_roughness: 0.06, ..Material::default() },
    }
}

/// The tile for a size of 1 with its edges cut, so that they catch the light: the hull of the corners of three
/// shrunken copies, each short by a bevel along two axes.
pub(super) fn bevelled(flower: &Flower, height: f32) -> Mesh {
    let [foot, shoulder, top, at] = flower.outline;
    let (x, b) = (flower.half_thickness, flower.half_thickness * 0.45);
    // The outline, counter-clockwise in (z, y) seen from +x looking back, and the same drawn in by the bevel.
    let outer = [[foot, 0.0], [shoulder, at], [top, 1.0], [-top, 1.0], [-shoulder, at], [-foot, 0.0]]
        .map(|[z, y]| [z, y * height]);
    let inner = outer.map(|[z, y]| {
        let z = if z > 0.0 { z - b } else { z + b };
        [
            z,
            if y == 0.0 {
                b
            } else if y == height {
                height - b
            } else {
                y
            },
        ]
    });
    let layers = [(-x, inner), (-x + b, outer), (x - b, outer), (x, inner)];
    let mut mesh = Mesh::default();
    for (x, outline) in layers {
        mesh.positions.extend(outline.iter().map(|[z, y]| Point3::new(x, *y, *z)));
    }
    for layer in 0..3u32 {
        for side in 0..6u32 {
            let next = (side + 1) % 6;
            let [a, b, c, d] = [layer * 6 + side, layer * 6 + next, layer * 6 + 6 + side, layer * 6 + 6 + next];
            mesh.triangles.extend([[a, c, d], [a, d, b]]);
        }
    }
    // Fans around a shoulder, so that no triangle of a straight-sided tile is empty.
    for corner in 2..6u32 {
        let next = (corner + 1) % 6;
        mesh.triangles.push([1, corner, next]);
        mesh.triangles.push([19, 18 + next, 18 + corner]);
    }
    mesh
}

fn floor(half: f32) -> Mesh {
    let corner = |x: f32, z: f32| Point3::new(x * half, 0.0, z * half);
    Mesh {
        positions: vec![corner(-1.0, -1.0), corner(-1.0, 1.0), corner(1.0, 1.0), corner(1.0, -1.0)],
        triangles: vec![[0, 1, 2], [0, 2, 3]],
        ..Mesh::default()
    }
}

impl Stage for BloomStage {
    fn scene(&self, time: f64, values: &[f32], rates: &[f32]) -> Scene {
        let count = self.tiles.len() + self.arms + 1;
        let value = |channel: usize, index: usize| values[channel * count + index];
        let step = time as f32 * STEPS as f32;
        let instance = |index: usize, shape: Shape, offset: Vector3<f32>, size: f32, material: usize, tint: Rgb| {
            let place = [0, 1, 2].map(|c| value(c, index) / POSITION_UNIT);
            let turn = [3, 4, 5, 6].map(|c| value(c, index) / ROTATION_UNIT);
            let rotation = UnitQuaternion::from_quaternion(Quaternion::new(turn[3], turn[0], turn[1], turn[2]));
            let place = Vector3::from(place) + rotation * offset;
            // How fast it turns, roughly, in radians from one snapshot to the next.
            let spin: f32 = [3, 4, 5, 6].map(|c| (rates[c * count + index] / ROTATION_UNIT).abs()).iter().sum();
            let heat = ((spin - 0.02) * 9.0).clamp(0.0, 1.0);
            let glow = if index < self.tiles.len() { heat * heat * 0.2 } else { 0.0 };
            Instance {
                shape,
                pose: Similarity3::from_parts(Translation3::from(place), rotation, size),
                material,
                tint,
                emission: scale(self.palette.accent, glow),
            }
        };
        let mut instances = vec![placed(0, 1)];
        for (index, (size, mesh)) in self.tiles.iter().enumerate() {
            // Halfway from −1 to the step of its fall, a tile fell in no step: it is falling now.
            let falling = rates[7 * count + index].abs() > 0.5;
            let tint = self.tint(if falling { step } else { value(7, index) }, step);
            instances.push(instance(index, Shape::Mesh(*mesh), Vector3::zeros(), *size, 0, tint));
        }
        let (_, length, _) = STAMEN;
        for index in self.tiles.len()..self.tiles.len() + self.arms {
            let half_height = (length - self.stamen) / 2.0;
            let shape = Shape::Capsule { half_height, radius: self.stamen };
            let offset = Vector3::y() * (half_height + self.stamen);
            instances.push(instance(index, shape, offset, 1.0, 3, [1.0; 3]));
        }
        let ball = Shape::Sphere(Flower::ball_radius());
        instances.push(instance(count - 1, ball, Vector3::zeros(), 1.0, 2, [1.0; 3]));

        let (elevation, distance) = self.camera;
        // Draws back a little as the fall grows.
        let ease = {
            let t = time as f32;
            t * t * (3.0 - 2.0 * t)
        };
        let distance = distance * self.reach * (0.93 + 0.07 * ease);
        let (sin, cos) = libm::sincosf(self.turn * (time as f32 - 0.5));
        let (rise, run) = libm::sincosf(elevation);
        let target = Point3::new(0.0, 0.0, self.reach * 0.06 * run);
        let gold = Material { base_color: self.palette.accent, metallic: 1.0, roughness: 0.18, ..Material::default() };
        // Stamens are thinner than a pixel: what is as sharp as on the ball would sparkle on them.
        let brass = Material { roughness: 0.5, ..gold };
        let paper = Material { base_color: scale(self.lighting.paper, 0.85), roughness: 0.65, ..Material::default() };
        Scene {
            camera: Camera {
                eye: target + Vector3::new(sin * run, rise, cos * run) * distance,
                target,
                up: if elevation > 1.3 { Vector3::new(-sin, 0.0, -cos) } else { Vector3::y() },
                vertical_fov: 0.62,
                lens_radius: 0.05,
                focus_distance: distance,
            },
            sky: self.lighting.sky,
            lights: self.lighting.lights.clone(),
            materials: vec![self.tile_material, paper, gold, brass],
            meshes: self.meshes.clone(),
            instances,
            fluid: None,
            haze: None,
            fog: None,
            moved: vec![],
            environment: self.lighting.environment.clone(),
            sun: self.lighting.sun,
            exposure_stops: self.lighting.exposure_stops,
        }
    }
}
