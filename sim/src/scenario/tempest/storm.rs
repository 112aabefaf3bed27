//! What a seed's tempest is made of: where the liquid lies at first, and what moves it.

use crate::{
    fixed::q24,
    fluid::{Force, Liquid, Particle},
    genome::Genome,
    random::Stream,
};

use super::{DETAIL, STEPS};

/// Particles at the usual detail; their number grows with the cube of it.
const PARTICLES: f64 = 262_144.0;

/// Radius of the vessel as a share of the grid's width.
const VESSEL: f64 = 0.4375;

/// A seed's tempest, in units of the vessel's radius with the vessel's centre as the origin.
pub(super) struct Storm {
    pub(super) cells: u32,
    /// Cells in one radius.
    pub(super) radius: f64,
    pub(super) liquid: Liquid,
    /// First positions of the particles, in radii, and velocities, in cells a step.
    pub(super) start: Vec<([f64; 3], [f64; 3])>,
    pub(super) motion: String,
    pub(super) energy: f64,
    pub(super) gravity: f64,
    pub(super) axis: [f64; 3],
    pub(super) phase: f64,
}

impl Storm {
    pub(super) fn new(genome: &Genome) -> Self {
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

    pub(super) fn particles(&self) -> Vec<Particle> {
        let place = |p: &[f64; 3]| p.map(|c| c * self.radius + f64::from(self.cells) / 2.0);
        self.start.iter().map(|(position, velocity)| Liquid::particle(place(position), *velocity)).collect()
    }

    /// The force in each step.
    pub(super) fn forces(&self) -> Vec<Force> {
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
                // Stirred about a leaning axis, one way and then the other, then left to itself.
                let fall = 1.0 - ((step - 480.0) / 60.0).clamp(0.0, 1.0);
                let spin = 0.000_15 * self.energy * libm::sin(turn(step, 400.0)) * fall;
                let swirl = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]].map(|row| row.map(|c| c * spin));
                Force::new([0.0, -down, 0.0], swirl)
            }
            "tides" => {
                // The ball is tilted to and fro, and slowly turned, until it comes to rest.
                let calm = 1.0 - ((step - 420.0) / 260.0).clamp(0.0, 1.0);
                let tilt = 0.75 * self.energy.min(1.2) * libm::sin(turn(step, 236.0)) * calm;
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
                let beat = 0.000_40 * self.energy * libm::sin(turn(step, 128.0));
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
fn blobs(motion: &str, stream: &Stream, energy: f64, size: f64) -> Vec<Blob> {
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
                ball([x, 0.50, z], between(3, 0.36, 0.43), [between(4, -0.06, 0.06), -0.19, between(5, -0.06, 0.06)]),
                pool(between(0, -0.34, -0.2)),
            ]
        }
        "duel" => {
            let (lift, aside) = (between(0, -0.2, 0.2), between(1, 0.08, 0.26));
            let (large, small) = (between(2, 0.44, 0.5), between(3, 0.38, 0.46));
            vec![
                ball([-0.5, lift, aside], large, [0.21, -0.07 * lift, 0.0]),
                ball([0.5, -lift, -aside], small, [-0.24, 0.07 * lift, 0.0]),
            ]
        }
        _ => vec![ball([0.0; 3], between(0, 0.64, 0.72), [0.0; 3])],
    }
}
