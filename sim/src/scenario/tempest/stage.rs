//! How a tempest is photographed.

use std::sync::Arc;

use nalgebra::{Point3, Vector3};

use super::{SNAPSHOT_UNIT, storm::Storm};
use crate::{
    fixed::ONE,
    genome::Genome,
    palette::{Palette, mix, scale},
    scenario::{Stage, noise::smooth},
    scene::{Camera, Fluid, Material, Mesh, Rgb, Scene},
    stage::{Lighting, cove, placed},
};

/// Where the ball floats above the floor, in its radii.
const HEIGHT: f32 = 1.22;

/// Turns the states of a tempest into scenes.
pub(super) struct TempestStage {
    palette: &'static Palette,
    lighting: Lighting,
    material: Material,
    floor: Arc<Mesh>,
    pigments: Vec<Rgb>,
    cells: f32,
    radius: f32,
    spacing: f32,
    camera: (f32, f32),
    turn: f32,
}

impl TempestStage {
    pub(super) fn new(genome: &Genome) -> Self {
        let storm = Storm::new(genome);
        let palette = Palette::named(genome.text("palette"));
        let radius = storm.radius as f32;
        let density = f64::from(storm.liquid.rest_density) / f64::from(ONE);
        let center = Point3::new(0.0, HEIGHT, 0.0);
        Self {
            palette,
            lighting: Lighting::new(genome.text("light"), palette, center, 1.0),
            material: material(genome.text("material")),
            floor: Arc::new(cove(14.0, 9.0, 4.6, 2.6, 12.0)),
            pigments: pigments(genome, palette, &storm),
            cells: storm.cells as f32,
            radius,
            spacing: (1.0 / libm::cbrt(density)) as f32 / radius,
            camera: match genome.text("camera") {
                "above" => (0.52, 6.0),
                "below" => (-0.06, 5.9),
                _ => (0.17, 6.0),
            },
            turn: genome.number("turn") as f32 * (std::f32::consts::PI / 180.0),
        }
    }
}

fn material(name: &str) -> Material {
    match name {
        "pearl" => Material { metallic: 0.35, roughness: 0.38, coat: 1.0, coat_roughness: 0.06, ..Material::default() },
        "mercury" => Material { metallic: 1.0, roughness: 0.16, ..Material::default() },
        "wax" => Material { roughness: 0.55, coat: 0.25, coat_roughness: 0.35, ..Material::default() },
        _ => Material { roughness: 0.45, coat: 1.0, coat_roughness: 0.04, ..Material::default() },
    }
}

/// The colour of each particle, from where it lay at the start.
fn pigments(genome: &Genome, palette: &Palette, storm: &Storm) -> Vec<Rgb> {
    let stream = genome.stream("tempest/pigment");
    let (bands, warp) = (stream.between(0, 1, 5.0, 9.0), stream.between(0, 2, 0.3, 0.9));
    let angle = stream.between(0, 3, 0.0, std::f64::consts::TAU);
    let pattern = genome.text("pigment");
    let metal = genome.is("material", "mercury");
    let second_ball = |p: [f64; 3]| storm.motion == "duel" && p[0] > 0.0 || storm.motion == "crown" && p[1] > 0.0;
    let color = |(p, _): &([f64; 3], [f64; 3])| {
        let coarse = smooth(&stream, p.map(|c| c * 2.3));
        let fine = smooth(&stream, p.map(|c| c * 6.0 + 50.0));
        let along = p[0] * libm::cos(angle) + p[2] * libm::sin(angle);
        let t = match pattern {
            "strata" => p[1] * bands + coarse * warp,
            "marble" => (coarse * 1.6 + fine * 0.5 + along * 0.6) * bands * 0.35,
            "yin-yang" => {
                let side = along + 0.25 * libm::sin(p[1] * 5.0) + coarse * 0.08;
                if side > 0.06 {
                    0.0
                } else if side > 0.0 {
                    8.5
                } else {
                    1.0
                }
            }
            _ => {
                let center = if storm.motion == "duel" { [p[0].abs() - 0.5, p[1], p[2]] } else { *p };
                (center[0] * center[0] + center[1] * center[1] + center[2] * center[2]).sqrt() * bands * 0.9
                    + coarse * 0.15
            }
        };
        // The second body wears the other half of the palette.
        let shift = if second_ball(*p) { 2 } else { 0 };
        if t == 8.5 {
            return palette.accent;
        }
        let band = t.floor() as i64;
        let part = t - t.floor();
        let pick = |k: i64| {
            let hash = stream.below((k + (1 << 20)) as u64, 9, 16);
            if hash == 0 { palette.accent } else { palette.colors[((k + shift).rem_euclid(4)) as usize] }
        };
        // Bands meet within a twelfth of their width.
        let blend = ((part - 0.92) / 0.08).clamp(0.0, 1.0) as f32;
        mix(pick(band), pick(band + 1), blend)
    };
    let shine = |c: Rgb| if metal { mix(c, [0.9; 3], 0.35) } else { c };
    storm.start.iter().map(|particle| shine(color(particle))).collect()
}

impl Stage for TempestStage {
    fn scene(&self, time: f64, values: &[f32], rates: &[f32]) -> Scene {
        let count = self.pigments.len();
        let at =
            |axis: usize, i: usize| (values[axis * count + i] / SNAPSHOT_UNIT as f32 - self.cells / 2.0) / self.radius;
        let speed = |i: usize| {
            let [x, y, z] = [0, 1, 2].map(|axis| rates[axis * count + i] / (SNAPSHOT_UNIT as f32 * self.radius));
            (x * x + y * y + z * z).sqrt()
        };
        // Fast liquid whitens a little, like foam.
        let foam = |i: usize| ((speed(i) - 0.10) / 0.16).clamp(0.0, 1.0) * 0.18;
        let fluid = Fluid {
            positions: (0..count).map(|i| Point3::new(at(0, i), at(1, i) + HEIGHT, at(2, i))).collect(),
            colors: (0..count).map(|i| mix(self.pigments[i], [0.92; 3], foam(i))).collect(),
            spacing: self.spacing,
            material: 0,
            vessel: Some((Point3::new(0.0, HEIGHT, 0.0), 1.0)),
        };
        let (elevation, distance) = self.camera;
        let angle = self.turn * (time as f32 - 0.5);
        let (sin, cos) = libm::sincosf(angle);
        let (rise, run) = libm::sincosf(elevation);
        let target = Point3::new(0.0, HEIGHT * 0.95, 0.0);
        let eye = target + Vector3::new(sin * run, rise, cos * run) * distance;
        let floor = Material { base_color: scale(self.palette.ground, 0.9), roughness: 0.9, ..Material::default() };
        Scene {
            camera: Camera {
                eye,
                target,
                up: Vector3::y(),
                vertical_fov: 0.50,
                lens_radius: 0.03,
                focus_distance: distance - 0.8,
            },
            sky: self.lighting.sky,
            lights: self.lighting.lights.clone(),
            materials: vec![self.material, floor],
            meshes: vec![self.floor.clone()],
            instances: vec![placed(0, 1)],
            fluid: Some(fluid),
            haze: None,
            exposure_stops: self.lighting.exposure_stops,
        }
    }
}
