//! *Tempest*: a storm in an invisible glass ball. A quarter of a million particles of coloured liquid are stirred,
//! tilted, dropped on or thrown at each other, held by a sphere that nobody sees.

use nalgebra::{Point3, Vector3};

use super::{Kind, Scenario, Stage, noise::smooth};
use crate::{
    fixed::{ONE, q24},
    fluid::{Force, Liquid, Particle, twin::TwinLiquid},
    genome::{Genome, ParamSpec, TraitSpec, option},
    palette::{Palette, mix, scale},
    scene::{Camera, Fluid, Material, Mesh, Rgb, Scene},
    stage::{LIGHTS, Lighting, PALETTES, cove, placed},
    trajectory::Snapshot,
    world::{Backend, Plan, SimError, World},
};

/// Steps of the world.
const STEPS: u32 = 768;

/// Steps from one snapshot, and one checkpoint, to the next.
const STRIDE: u32 = 8;

/// Particles at the usual detail; their number grows with the cube of it.
const PARTICLES: f64 = 262_144.0;

/// The usual value of `detail`.
const DETAIL: f64 = 16.0;

/// Radius of the vessel as a share of the grid's width.
const VESSEL: f64 = 0.4375;

/// Steps of a snapshot's position in one cell.
const SNAPSHOT_UNIT: i32 = 32;

/// Where the ball floats above the floor, in its radii.
const HEIGHT: f32 = 1.22;

#[derive(Debug)]
pub(super) struct Tempest;

const TRAITS: &[TraitSpec] = &[
    TraitSpec {
        name: "motion",
        about: "what happens to the liquid",
        options: &[
            option("maelstrom", 28),
            option("tides", 22),
            option("crown", 22),
            option("duel", 18),
            option("heartbeat", 10),
        ],
    },
    TraitSpec {
        name: "pigment",
        about: "how the colours lie in the liquid at first",
        options: &[option("strata", 32), option("marble", 32), option("yin-yang", 20), option("onion", 16)],
    },
    TraitSpec {
        name: "material",
        about: "what the liquid is made of",
        options: &[option("lacquer", 44), option("pearl", 26), option("mercury", 18), option("wax", 12)],
    },
    TraitSpec { name: "palette", about: "its colours", options: PALETTES },
    TraitSpec { name: "light", about: "how it is lit", options: LIGHTS },
    TraitSpec {
        name: "camera",
        about: "where it is seen from",
        options: &[option("level", 45), option("above", 35), option("below", 20)],
    },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "energy",
        about: "strength of the motion",
        unit: "",
        min: 0.0,
        max: 1.6,
        usual: [0.85, 1.15],
        integer: false,
    },
    ParamSpec {
        name: "gravity",
        about: "weight of the liquid",
        unit: "",
        min: 0.0,
        max: 2.0,
        usual: [0.8, 1.2],
        integer: false,
    },
    ParamSpec {
        name: "viscosity",
        about: "thickness of the liquid",
        unit: "cells²/step",
        min: 0.0,
        max: 0.08,
        usual: [0.001, 0.012],
        integer: false,
    },
    ParamSpec {
        name: "turn",
        about: "how far the camera travels around the ball",
        unit: "°",
        min: -180.0,
        max: 180.0,
        usual: [-28.0, 28.0],
        integer: false,
    },
    ParamSpec {
        name: "detail",
        about: "fineness: the grid has four times as many cells along each axis",
        unit: "",
        min: 4.0,
        max: 20.0,
        usual: [DETAIL, DETAIL],
        integer: true,
    },
];

/// A seed's tempest, in units of the vessel's radius with the vessel's centre as the origin.
struct Storm {
    cells: u32,
    /// Cells in one radius.
    radius: f64,
    liquid: Liquid,
    /// First positions of the particles, in radii, and velocities, in cells a step.
    start: Vec<([f64; 3], [f64; 3])>,
    motion: String,
    energy: f64,
    gravity: f64,
    axis: [f64; 3],
    phase: f64,
}

impl Storm {
    fn new(genome: &Genome) -> Self {
        let detail = genome.number("detail");
        let cells = detail as u32 * 4;
        let radius = f64::from(cells) * VESSEL;
        let motion = genome.text("motion").to_string();
        let energy = genome.number("energy");
        let stream = genome.stream("tempest/start");
        // A unit vector that leans at most 25° from upright.
        let (lean, heading) = (stream.between(0, 0, 0.1, 0.43), stream.between(0, 1, 0.0, std::f64::consts::TAU));
        let axis = [libm::sin(lean) * libm::cos(heading), libm::cos(lean), libm::sin(lean) * libm::sin(heading)];
        let blobs = blobs(&motion, &stream, energy, f64::from(cells) / 64.0);
        let inside = |p: [f64; 3]| blobs.iter().find(|blob| blob.holds(p));
        // As many particles whatever the volume: the volume is counted on a coarse lattice.
        let count = (-40..=40)
            .flat_map(|x| (-40..=40).flat_map(move |y| (-40..=40).map(move |z| [x, y, z])))
            .filter(|p| inside(p.map(|c| f64::from(c) / 40.0)).is_some())
            .count();
        let volume = count as f64 / 64_000.0;
        let wanted = PARTICLES * (detail / DETAIL) * (detail / DETAIL) * (detail / DETAIL);
        let spacing = libm::cbrt(volume / wanted);
        let half = (1.0 / spacing).ceil() as i32;
        let mut start = Vec::with_capacity(wanted as usize * 11 / 10);
        for x in -half..=half {
            for y in -half..=half {
                for z in -half..=half {
                    let id = start.len() as u64;
                    let jitter = |axis: u32| stream.between(id, 4 + axis, -0.2, 0.2);
                    let place = [f64::from(x) + jitter(0), f64::from(y) + jitter(1), f64::from(z) + jitter(2)];
                    let place = place.map(|c| c * spacing);
                    if let Some(blob) = inside(place) {
                        start.push((place, blob.velocity));
                    }
                }
            }
        }
        let density = 1.0 / (spacing * radius * spacing * radius * spacing * radius);
        let weightless = matches!(motion.as_str(), "duel" | "heartbeat");
        let liquid = Liquid {
            cells,
            rest_density: q24(density),
            stiffness: q24(0.1),
            cohesion: q24(if weightless { 0.004 } else { 0.001 }),
            viscosity: q24(genome.number("viscosity")),
            wall_friction: q24(0.002),
            vessel_radius: q24(radius),
        };
        let phase = stream.between(0, 2, 0.0, std::f64::consts::TAU);
        Self { cells, radius, liquid, start, motion, energy, gravity: genome.number("gravity"), axis, phase }
    }

    fn particles(&self) -> Vec<Particle> {
        let place = |p: &[f64; 3]| p.map(|c| c * self.radius + f64::from(self.cells) / 2.0);
        self.start.iter().map(|(position, velocity)| Liquid::particle(place(position), *velocity)).collect()
    }

    /// The force in each step.
    fn forces(&self) -> Vec<Force> {
        (0..STEPS).map(|step| self.force(f64::from(step))).collect()
    }

    fn force(&self, step: f64) -> Force {
        // Lengths grow with the grid, so do accelerations that are to look the same.
        let size = f64::from(self.cells) / 64.0;
        let down = 0.0026 * self.gravity * size;
        let [x, y, z] = self.axis;
        let turn = |t: f64, period: f64| t / period * std::f64::consts::TAU;
        match self.motion.as_str() {
            "maelstrom" => {
                // Stirred about a leaning axis, hard at first, then left to itself.
                let rise = (step / 60.0).min(1.0);
                let fall = 1.0 - ((step - 430.0) / 120.0).clamp(0.0, 1.0);
                let spin = 0.000_16 * self.energy * rise * fall;
                let swirl = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]].map(|row| row.map(|c| c * spin));
                Force::new([0.0, -down, 0.0], swirl)
            }
            "tides" => {
                // The ball is tilted to and fro, and slowly turned, until it comes to rest.
                let calm = 1.0 - ((step - 420.0) / 260.0).clamp(0.0, 1.0);
                let tilt = 1.25 * self.energy.min(1.2) * libm::sin(turn(step, 236.0)) * calm;
                let heading = self.phase + step * 0.0022;
                let (sin, cos) = (libm::sin(tilt), libm::cos(tilt));
                Force::new(
                    [down * sin * libm::cos(heading), -down * cos, down * sin * libm::sin(heading)],
                    [[0.0; 3]; 3],
                )
            }
            "crown" => Force::new([0.0, -down * 0.8, 0.0], [[0.0; 3]; 3]),
            "duel" => {
                // Two bodies fall into each other and are drawn together ever after.
                let pull = -0.000_022 * (1.0 + 2.0 * (step / f64::from(STEPS)));
                Force::new([0.0; 3], diagonal([pull; 3]))
            }
            // "heartbeat": pressed in and out along turning axes, so that lobes grow and fall back.
            _ => {
                let beat = 0.000_34 * self.energy * libm::sin(turn(step, 128.0));
                let calm = 1.0 - ((step - 512.0) / 128.0).clamp(0.0, 1.0);
                let pull = -0.000_03;
                let wobble = beat * calm;
                let lean = 0.5 * libm::sin(turn(step, 512.0) + self.phase);
                let mut linear = diagonal([wobble + pull, -wobble * (1.0 + lean) + pull, wobble * lean + pull]);
                linear[0][2] += wobble * 0.5;
                linear[2][0] += wobble * 0.5;
                Force::new([0.0; 3], linear)
            }
        }
    }
}

fn diagonal(d: [f64; 3]) -> [[f64; 3]; 3] {
    [[d[0], 0.0, 0.0], [0.0, d[1], 0.0], [0.0, 0.0, d[2]]]
}

/// A body of liquid at the start.
struct Blob {
    center: [f64; 3],
    radius: f64,
    /// Only what lies below this height, in radii of the vessel.
    below: f64,
    velocity: [f64; 3],
}

impl Blob {
    fn holds(&self, p: [f64; 3]) -> bool {
        let square = |p: [f64; 3], c: [f64; 3]| {
            let d = [p[0] - c[0], p[1] - c[1], p[2] - c[2]];
            d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
        };
        p[1] < self.below && square(p, self.center) < self.radius * self.radius && square(p, [0.0; 3]) < 0.97 * 0.97
    }
}

/// What the liquid is at the start; velocities in cells a step of a grid of 64, times `size`.
fn blobs(motion: &str, stream: &crate::random::Stream, energy: f64, size: f64) -> Vec<Blob> {
    let pool = |below| Blob { center: [0.0; 3], radius: 2.0, below, velocity: [0.0; 3] };
    let ball = |center, radius, velocity: [f64; 3]| Blob {
        center,
        radius,
        below: 2.0,
        velocity: velocity.map(|v| v * energy * size),
    };
    let between = |draw, low, high| stream.between(1, draw, low, high);
    match motion {
        "maelstrom" => vec![pool(between(0, -0.05, 0.2))],
        "tides" => vec![pool(between(0, -0.2, 0.1))],
        "crown" => {
            let (x, z) = (between(1, -0.16, 0.16), between(2, -0.16, 0.16));
            vec![
                ball([x, 0.50, z], between(3, 0.36, 0.43), [between(4, -0.06, 0.06), -0.26, between(5, -0.06, 0.06)]),
                pool(between(0, -0.34, -0.2)),
            ]
        }
        "duel" => {
            let (lift, aside) = (between(0, -0.2, 0.2), between(1, 0.08, 0.26));
            let (large, small) = (between(2, 0.44, 0.5), between(3, 0.38, 0.46));
            vec![
                ball([-0.5, lift, aside], large, [0.30, -0.10 * lift, 0.0]),
                ball([0.5, -lift, -aside], small, [-0.34, 0.10 * lift, 0.0]),
            ]
        }
        _ => vec![ball([0.0; 3], between(0, 0.60, 0.68), [0.0; 3])],
    }
}

impl Scenario for Tempest {
    fn name(&self) -> &'static str {
        "tempest"
    }

    fn version(&self) -> u32 {
        1
    }

    fn kind(&self) -> Kind {
        Kind::Kernel
    }

    fn about(&self) -> &'static str {
        "A storm of coloured liquid in a glass ball that nobody sees"
    }

    fn traits(&self) -> &'static [TraitSpec] {
        TRAITS
    }

    fn params(&self) -> &'static [ParamSpec] {
        PARAMS
    }

    fn poster_time(&self) -> f64 {
        0.42
    }

    fn plan(&self, genome: &Genome) -> Plan {
        Plan {
            steps: STEPS,
            snapshot_every: STRIDE,
            checkpoint_every: STRIDE,
            elements: Storm::new(genome).start.len(),
            channels: 3,
        }
    }

    fn world(&self, genome: &Genome, backend: Backend) -> Result<Box<dyn World>, SimError> {
        let storm = Storm::new(genome);
        let (particles, forces) = (storm.particles(), storm.forces());
        #[cfg(feature = "gpu")]
        if backend != Backend::Cpu {
            use crate::fluid::gpu::{Gpu, GpuLiquid, Products};
            match Gpu::open(Products::Auto) {
                // A software adapter runs the kernel on the CPU, at half of the twin's speed.
                Ok(gpu) if backend == Backend::Gpu || !gpu.is_software() => {
                    let name = format!("wgpu: {}", gpu.name());
                    let liquid = GpuLiquid::new(gpu, &storm.liquid, &particles, &forces)?;
                    return Ok(Box::new(LiquidWorld { engine: Engine::Gpu(liquid), forces, step: 0, name }));
                }
                Err(error) if backend == Backend::Gpu => return Err(error.into()),
                _ => {}
            }
        }
        #[cfg(not(feature = "gpu"))]
        if backend == Backend::Gpu {
            return Err(crate::fluid::FluidError::Device("this build has no kernels for it".into()).into());
        }
        let engine = Engine::Twin(TwinLiquid::new(storm.liquid, particles));
        Ok(Box::new(LiquidWorld { engine, forces, step: 0, name: "cpu".into() }))
    }

    fn stage(&self, genome: &Genome) -> Box<dyn Stage> {
        Box::new(TempestStage::new(genome))
    }
}

enum Engine {
    Twin(TwinLiquid),
    #[cfg(feature = "gpu")]
    Gpu(crate::fluid::gpu::GpuLiquid),
}

struct LiquidWorld {
    engine: Engine,
    forces: Vec<Force>,
    step: u32,
    name: String,
}

impl LiquidWorld {
    fn particles(&self) -> Result<Vec<Particle>, SimError> {
        match &self.engine {
            Engine::Twin(twin) => Ok(twin.particles()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => Ok(gpu.particles()?),
        }
    }
}

impl World for LiquidWorld {
    fn advance(&mut self, steps: u32) -> Result<(), SimError> {
        match &mut self.engine {
            Engine::Twin(twin) => {
                for force in &self.forces[self.step as usize..(self.step + steps) as usize] {
                    twin.step(force)?;
                }
            }
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.advance(steps)?,
        }
        self.step += steps;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>, SimError> {
        let particles = self.particles()?;
        let mut bytes = Vec::with_capacity(size_of_val(particles.as_slice()) + 8);
        bytes.extend(self.step.to_le_bytes());
        bytes.extend((particles.len() as u32).to_le_bytes());
        for word in particles.iter().flatten() {
            bytes.extend(word.to_le_bytes());
        }
        Ok(bytes)
    }

    fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        let particles = self.particles()?;
        // Rounded to nearest; positions are positive.
        let unit = ONE / SNAPSHOT_UNIT;
        let channel = |axis: usize| particles.iter().map(move |p| (p[axis] + unit / 2) / unit);
        Ok(channel(0).chain(channel(1)).chain(channel(2)).collect())
    }

    fn backend(&self) -> String {
        self.name.clone()
    }
}

struct TempestStage {
    palette: &'static Palette,
    lighting: Lighting,
    material: Material,
    floor: std::sync::Arc<Mesh>,
    pigments: Vec<Rgb>,
    cells: f32,
    radius: f32,
    spacing: f32,
    camera: (f32, f32),
    turn: f32,
}

impl TempestStage {
    fn new(genome: &Genome) -> Self {
        let storm = Storm::new(genome);
        let palette = Palette::named(genome.text("palette"));
        let radius = storm.radius as f32;
        let density = f64::from(storm.liquid.rest_density) / f64::from(ONE);
        let center = Point3::new(0.0, HEIGHT, 0.0);
        Self {
            palette,
            lighting: Lighting::new(genome.text("light"), palette, center, 1.0),
            material: material(genome.text("material")),
            floor: std::sync::Arc::new(cove(14.0, 9.0, 4.6, 2.6, 12.0)),
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
        let floor = Material { base_color: scale(self.palette.ground, 0.9), roughness: 0.42, ..Material::default() };
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
            exposure_stops: self.lighting.exposure_stops,
        }
    }
}
