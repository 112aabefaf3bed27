//! What a seed's tempest is made of: where the liquid lies at first, and what moves it.

use crate::{
    coupled::Setup,
    fixed::q24,
    genome::Genome,
    matter::{Force, Material, Matter, Particles, Vessel},
    random::Stream,
    scenario::vector::{GOLDEN, cross, dot, leaning, times, unit},
};

use super::{DETAIL, STEPS};

/// Particles at the usual detail; their number grows with the cube of it.
const PARTICLES: f64 = 262_144.0;

/// Radius of the vessel as a share of the grid's width: a wall far outside, that nobody sees and few drops reach.
const VESSEL: f64 = 0.4375;

/// What draws the liquid to the middle, per step²: whatever is thrown out is back after π/√PULL = 440 steps.
const PULL: f64 = 0.000_05;

/// The steps from which, and by which, the pull and the drag of the end are there.
const GATHER: [f64; 2] = [390.0, 690.0];

/// The pull of the end, per step².
const GATHERING: f64 = 0.000_2;

/// The drag of the end, per step.
const CALM: f64 = 0.03;

/// A seed's tempest, in units of the vessel's radius with the vessel's centre as the origin.
pub(super) struct Storm {
    pub(super) cells: u32,
    /// Cells in one radius.
    pub(super) radius: f64,
    pub(super) matter: Matter,
    pub(super) bodies: Vec<Body>,
    /// First places of the particles, in radii, each with its body.
    pub(super) start: Vec<([f64; 3], usize)>,
}

impl Storm {
    pub(super) fn new(genome: &Genome) -> Self {
        let detail = genome.number("detail");
        let cells = detail as u32 * 6;
        let radius = f64::from(cells) * VESSEL;
        let bodies = bodies(genome.text("motion"), &genome.stream("tempest/start"), genome.number("energy"));
        let inside = |p: [f64; 3]| bodies.iter().position(|body| body.holds(p));
        // As many particles whatever the volume: the volume is counted on a coarse lattice.
        let count = (-40..=40)
            .flat_map(|x| (-40..=40).flat_map(move |y| (-40..=40).map(move |z| [x, y, z])))
            .filter(|p| inside(p.map(|c| f64::from(c) / 40.0)).is_some())
            .count();
        let volume = count as f64 / 64_000.0;
        let wanted = PARTICLES * (detail / DETAIL) * (detail / DETAIL) * (detail / DETAIL);
        let spacing = libm::cbrt(volume / wanted);
        let half = (1.0 / spacing).ceil() as i32;
        let stream = genome.stream("tempest/jitter");
        let mut start = Vec::with_capacity(wanted as usize * 11 / 10);
        for x in -half..=half {
            for y in -half..=half {
                for z in -half..=half {
                    let id = start.len() as u64;
                    let jitter = |axis: u32| stream.between(id, axis, -0.2, 0.2);
                    let place = [f64::from(x) + jitter(0), f64::from(y) + jitter(1), f64::from(z) + jitter(2)];
                    let place = place.map(|c| c * spacing);
                    if let Some(body) = inside(place) {
                        start.push((place, body));
                    }
                }
            }
        }
        let density = 1.0 / (spacing * radius * spacing * radius * spacing * radius);
        let matter = Matter {
            cells,
            rest_density: q24(density),
            materials: vec![Material::liquid(0.1, 0.015, genome.number("viscosity"))],
            wall_friction: q24(0.002),
            vessel: Vessel::Ball(q24(radius)),
        };
        Self { cells, radius, matter, bodies, start }
    }

    /// The world at its first step.
    pub(super) fn setup(self) -> Setup {
        let particle = |(place, body): &([f64; 3], usize)| {
            let velocity = self.bodies[*body].velocity(*place).map(|v| v * self.radius);
            Matter::particle(place.map(|c| c * self.radius + f64::from(self.cells) / 2.0), velocity)
        };
        Setup {
            particles: Particles::liquid(self.start.iter().map(particle).collect()),
            forces: forces(),
            matter: self.matter,
        }
    }
}

/// The force in each step: a pull to the middle. In the end it gathers the liquid, and a drag calms it.
fn forces() -> Vec<Force> {
    let force = |step: u32| {
        let t = ((f64::from(step) - GATHER[0]) / (GATHER[1] - GATHER[0])).clamp(0.0, 1.0);
        let gathered = t * t * (3.0 - 2.0 * t);
        let pull = -(PULL + (GATHERING - PULL) * gathered);
        Force::new([0.0; 3], [[pull, 0.0, 0.0], [0.0, pull, 0.0], [0.0, 0.0, pull]], CALM * gathered)
    };
    (0..STEPS).map(force).collect()
}

/// A ball of liquid at the start; lengths in radii of the vessel, speeds in those a step.
pub(super) struct Body {
    center: [f64; 3],
    radius: f64,
    drift: [f64; 3],
    inner: Inner,
}

/// How a body moves within itself.
enum Inner {
    Still,
    /// It bursts along these directions, this fast.
    Jets(Vec<[f64; 3]>, f64),
    /// Its halves turn about an axis, against each other, this fast.
    Twist([f64; 3], f64),
}

impl Body {
    fn ball(center: [f64; 3], radius: f64, drift: [f64; 3]) -> Self {
        Self { center, radius, drift, inner: Inner::Still }
    }

    fn holds(&self, p: [f64; 3]) -> bool {
        let local = self.local(p);
        dot(local, local) < 1.0
    }

    /// A place as the body sees it: from its centre, in its radii.
    pub(super) fn local(&self, p: [f64; 3]) -> [f64; 3] {
        [0, 1, 2].map(|axis| (p[axis] - self.center[axis]) / self.radius)
    }

    fn velocity(&self, p: [f64; 3]) -> [f64; 3] {
        let p = self.local(p);
        let inner = match &self.inner {
            Inner::Still => [0.0; 3],
            Inner::Jets(directions, speed) => {
                let distance = dot(p, p).sqrt().max(1e-9);
                // Each jet is a cone: half as fast a third of a radian from its middle, and fastest at the surface.
                let near = |direction: &[f64; 3]| libm::exp(14.0 * (dot(p, *direction) / distance - 1.0));
                let strength: f64 = directions.iter().map(near).sum();
                times(p, speed * strength.min(1.0))
            }
            Inner::Twist(axis, speed) => {
                let height = dot(p, *axis);
                let side = cross(*axis, p);
                times(side, speed * (height * 5.0).clamp(-1.0, 1.0))
            }
        };
        [0, 1, 2].map(|axis| self.drift[axis] + inner[axis])
    }
}

/// Two unit vectors that are at right angles to `axis` and to each other.
fn across(axis: [f64; 3]) -> [[f64; 3]; 2] {
    let helper = if axis[0].abs() < 0.7 { [1.0, 0.0, 0.0] } else { [0.0, 0.0, 1.0] };
    let u = unit(cross(helper, axis));
    [u, cross(axis, u)]
}

/// The radius of each of `count` balls that have this volume together.
fn ball_radius(volume: f64, count: usize) -> f64 {
    libm::cbrt(volume / count as f64 * 0.75 / std::f64::consts::PI)
}

/// `count` unit vectors spread evenly over the sphere, the first along `axis`: a spiral of golden angles.
fn spread(count: usize, axis: [f64; 3]) -> Vec<[f64; 3]> {
    let [u, v] = across(axis);
    let point = |k: usize| {
        let height = 1.0 - 2.0 * k as f64 / (count - 1) as f64;
        let (sin, cos) = libm::sincos(k as f64 * GOLDEN);
        let around = (1.0 - height * height).max(0.0).sqrt();
        [0, 1, 2].map(|i| axis[i] * height + (u[i] * cos + v[i] * sin) * around)
    };
    (0..count).map(point).collect()
}

/// What the liquid is at the start.
fn bodies(motion: &str, stream: &Stream, energy: f64) -> Vec<Body> {
    use std::f64::consts::TAU;
    let between = |draw, low, high| stream.between(0, draw, low, high);
    let heading = between(0, 0.0, TAU);
    match motion {
        // Two bodies that do not quite meet head on.
        "duel" => {
            let (lift, aside) = (between(1, -0.14, 0.14), between(2, 0.06, 0.22));
            let (large, small) = (between(3, 0.40, 0.44), between(4, 0.34, 0.40));
            let speed = 0.0038 * energy;
            vec![
                Body::ball([-0.5, lift, aside], large, times([1.0, -0.3 * lift, 0.0], speed)),
                Body::ball([0.5, -lift, -aside], small, times([-1.2, 0.3 * lift, 0.0], speed)),
            ]
        }
        // A small fast body into a large one at rest.
        "crown" => {
            let from = leaning(1.0, between(1, 0.1, 0.7), heading);
            let small = between(2, 0.24, 0.3);
            vec![
                Body::ball(times(from, -0.10), between(3, 0.46, 0.52), [0.0; 3]),
                Body::ball(times(from, 0.95 - small), small, times(from, -0.010 * energy)),
            ]
        }
        // Several fall together from all sides.
        "chorus" => {
            let corners: &[[f64; 3]] = match stream.below(0, 1, 3) {
                0 => &[[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]],
                1 => &[
                    [1.0, 0.0, 0.0],
                    [-1.0, 0.0, 0.0],
                    [0.0, 1.0, 0.0],
                    [0.0, -1.0, 0.0],
                    [0.0, 0.0, 1.0],
                    [0.0, 0.0, -1.0],
                ],
                _ => &[
                    [1.0, 1.0, 1.0],
                    [1.0, 1.0, -1.0],
                    [1.0, -1.0, 1.0],
                    [1.0, -1.0, -1.0],
                    [-1.0, 1.0, 1.0],
                    [-1.0, 1.0, -1.0],
                    [-1.0, -1.0, 1.0],
                    [-1.0, -1.0, -1.0],
                ],
            };
            let radius = ball_radius(between(2, 0.4, 0.55), corners.len());
            let axis = leaning(1.0, between(3, 0.0, 0.5), heading);
            let [u, v] = across(axis);
            let (speed, swirl) = (0.0041 * energy, between(4, -0.003, 0.003));
            let ball = |corner: &[f64; 3]| {
                let unit = times(*corner, 1.0 / dot(*corner, *corner).sqrt());
                let turned = [0, 1, 2].map(|k| u[k] * unit[0] + axis[k] * unit[1] + v[k] * unit[2]);
                let [x, _, z] = unit;
                let round = [0, 1, 2].map(|k| u[k] * z - v[k] * x);
                let velocity = [0, 1, 2].map(|k| -speed * turned[k] + swirl * round[k]);
                Body::ball(times(turned, 0.9 - radius), radius, velocity)
            };
            corners.iter().map(ball).collect()
        }
        // A ring that closes as it turns.
        "wreath" => {
            let count = 3 + stream.below(0, 1, 5) as usize;
            let radius = ball_radius(0.45, count);
            let axis = leaning(1.0, between(2, 0.2, 1.1), heading);
            let [u, v] = across(axis);
            let (inwards, round) = (0.0040 * energy, between(3, 0.0018, 0.0036));
            let ball = |k: usize| {
                let (sin, cos) = libm::sincos(k as f64 / count as f64 * TAU);
                let out = [0, 1, 2].map(|k| u[k] * cos + v[k] * sin);
                let side = [0, 1, 2].map(|k| v[k] * cos - u[k] * sin);
                let velocity = [0, 1, 2].map(|k| round * side[k] - inwards * out[k]);
                Body::ball(times(out, 0.9 - radius), radius, velocity)
            };
            (0..count).map(ball).collect()
        }
        // One that bursts into arms.
        "urchin" => {
            let axis = leaning(1.0, between(1, 0.0, 1.0), heading);
            let arms = spread(5 + stream.below(0, 2, 10) as usize, axis);
            let inner = Inner::Jets(arms, 0.0082 * energy);
            vec![Body { inner, ..Body::ball([0.0; 3], between(3, 0.5, 0.56), [0.0; 3]) }]
        }
        // "twist": the halves of one turn against each other.
        _ => {
            let axis = leaning(1.0, between(1, 0.1, 1.3), heading);
            let inner = Inner::Twist(axis, 0.0085 * energy);
            vec![Body { inner, ..Body::ball([0.0; 3], between(3, 0.5, 0.56), [0.0; 3]) }]
        }
    }
}
