//! How a tempest is photographed.

use std::sync::Arc;

use nalgebra::{Point3, Vector3};

use super::storm::Storm;
use crate::{
    coupled::SNAPSHOT_UNIT,
    fixed::ONE,
    genome::Genome,
    palette::{Palette, mix, scale},
    scenario::{Stage, noise::smooth},
    scene::{Camera, Fluid, Material, Mesh, Particles, Rgb, Scene, Seen},
    stage::{Lighting, SEEN, cove, placed},
};

/// Where the middle floats above the floor, in radii of the vessel.
const HEIGHT: f32 = 1.22;

/// How many times as far apart as the particles lie is what the surface takes for its spacing: between them the liquid's
/// grid leaves pores and ripples that it cannot see itself.
const COARSER: f32 = 1.7;

/// How much farther away the camera is while the liquid is thrown about.
const AWAY: f32 = 1.15;

/// 1 while the liquid is thrown about, then down to 0 as it gathers.
fn thrown(time: f32) -> f32 {
    let t = ((time - 0.32) / 0.48).clamp(0.0, 1.0);
    1.0 - t * t * (3.0 - 2.0 * t)
}

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
        let density = f64::from(storm.matter.rest_density) / f64::from(ONE);
        let center = Point3::new(0.0, HEIGHT, 0.0);
        Self {
            palette,
            lighting: Lighting::new(genome.text("light"), palette, center, 1.0),
            material: material(genome.text("material")),
            floor: Arc::new(cove(14.0, 9.0, 4.6, 2.6, 12.0)),
            pigments: pigments(genome, palette, &storm),
            cells: storm.cells as f32,
            radius,
            spacing: COARSER * (1.0 / libm::cbrt(density)) as f32 / radius,
            camera: match genome.text("camera") {
                "above" => (0.52, 3.4),
                "below" => (-0.06, 3.4),
                _ => (0.17, 3.4),
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
    let (bands, warp) = (stream.between(0, 1, 2.2, 4.2), stream.between(0, 2, 0.15, 0.5));
    let tilt = stream.between(0, 3, -0.8, 0.8);
    // The heart of an onion lies off its centre, towards the viewer, so that its shells are seen as rings.
    let heart = [stream.between(0, 4, -0.4, 0.4), stream.between(0, 5, -0.1, 0.5), stream.between(0, 6, 0.2, 0.6)];
    let pattern = genome.text("pigment");
    let metal = genome.is("material", "mercury");
    let color = |(place, body): &([f64; 3], usize)| {
        let p = storm.bodies[*body].local(*place);
        let shift = |axis: f64| axis + 20.0 * *body as f64;
        let coarse = smooth(&stream, [p[0] * 1.1, shift(p[1] * 1.1), p[2] * 1.1]);
        let fine = smooth(&stream, [p[0] * 3.0 + 50.0, shift(p[1] * 3.0), p[2] * 3.0]);
        let t = match pattern {
            "strata" => (p[1] + p[0] * tilt) * bands + coarse * warp,
            "marble" => coarse * 3.0 + fine * 0.9 + p[1] * 0.6,
            "onion" => {
                let [x, y, z] = [p[0] - heart[0], p[1] - heart[1], p[2] - heart[2]];
                (x * x + y * y + z * z).sqrt() * bands + coarse * 0.12
            }
            _ => 0.5,
        };
        let band = t.floor() as i64;
        let part = t - t.floor();
        // Each body begins elsewhere in the palette, and one band in six wears the accent.
        let pick = |k: i64| {
            let first = *body as i64 * if pattern == "pure" { 1 } else { 2 };
            let hash = stream.below((k + (1 << 20)) as u64, 9 + *body as u32, 6);
            if hash == 0 && pattern != "pure" {
                palette.accent
            } else {
                palette.colors[((k + first).rem_euclid(4)) as usize]
            }
        };
        // Bands meet within a twentieth of their width.
        let blend = ((part - 0.95) / 0.05).clamp(0.0, 1.0) as f32;
        mix(pick(band), pick(band + 1), blend)
    };
    let shine = |c: Rgb| if metal { mix(c, [0.9; 3], 0.35) } else { c };
    storm.start.iter().map(|particle| shine(color(particle))).collect()
}

impl Stage for TempestStage {
    fn scene(&self, time: f64, values: &[f32], _rates: &[f32]) -> Scene {
        let fluid = Fluid {
            positions: self.places(values).collect(),
            colors: self.pigments.clone(),
            spacing: self.spacing,
            share: 1.0 / (COARSER * COARSER * COARSER),
            material: 0,
        };
        Scene { fluid: Some(fluid), ..self.bare(time) }
    }

    fn apart(&self, time: f64, values: &[f32], _rates: &[f32]) -> Option<(Scene, Particles)> {
        let looks = self.pigments.iter().map(|tint| (*tint, Some(0))).collect();
        let particles = Particles {
            places: self.places(values).collect(),
            seen: Seen::Balls { radii: vec![SEEN * self.spacing / COARSER; 2], looks },
            cell: 1.0 / self.radius,
            corner: Point3::new(0.0, HEIGHT, 0.0) - Vector3::repeat(self.cells / 2.0 / self.radius),
        };
        Some((self.bare(time), particles))
    }
}

impl TempestStage {
    fn places(&self, values: &[f32]) -> impl Iterator<Item = Point3<f32>> {
        let count = self.pigments.len();
        let at = move |axis: usize, i: usize| {
            (values[axis * count + i] / SNAPSHOT_UNIT as f32 - self.cells / 2.0) / self.radius
        };
        (0..count).map(move |i| Point3::new(at(0, i), at(1, i) + HEIGHT, at(2, i)))
    }

    /// The scene without the liquid.
    fn bare(&self, time: f64) -> Scene {
        let (elevation, distance) = self.camera;
        // Comes near as the liquid gathers.
        let distance = distance + AWAY * thrown(time as f32);
        let angle = self.turn * (time as f32 - 0.5);
        let (sin, cos) = libm::sincosf(angle);
        let (rise, run) = libm::sincosf(elevation);
        let target = Point3::new(0.0, HEIGHT * 0.95, 0.0);
        let eye = target + Vector3::new(sin * run, rise, cos * run) * distance;
        let floor = Material { base_color: scale(self.palette.deep, 0.9), roughness: 0.5, ..Material::default() };
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
