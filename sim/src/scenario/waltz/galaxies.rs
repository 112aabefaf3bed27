//! What a seed's waltz is made of: every point of every galaxy at the first step.

use std::f64::consts::TAU;

use super::{
    DARK,
    orbits::{Encounter, Galaxy},
};
use crate::{
    fixed::q24,
    genome::Genome,
    gravity::{CELLS, Gravity, Point},
    random::Stream,
    scenario::vector::{GOLDEN, Vector, add, cross, dot, times, unit},
};

/// Closer than this, in cells, gravity is softened.
const SOFTENING: f64 = 2.0;

/// The halo's scale and where it ends, in radii of the disc.
const HALO: [f64; 2] = [0.75, 2.0];

/// The bulge's scale and where it ends, in radii of the disc.
const BULGE: [f64; 2] = [0.10, 0.5];

/// Points that stand for a galaxy's mass where its pull is sampled.
const SAMPLES: usize = 3000;

/// Radii at which a galaxy's pull is sampled.
const RINGS: usize = 40;

/// Where a point that is seen comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// Which galaxy.
    pub(super) galaxy: usize,
    /// Distance from its middle, in radii of its disc.
    pub(super) radius: f64,
    /// Angle around its axis, radians.
    pub(super) angle: f64,
    /// Whether it belongs to the disc.
    pub(super) disc: bool,
}

/// A seed's galaxies, point by point.
pub(super) struct Cluster {
    pub(super) encounter: Encounter,
    /// Of the points that are seen, which come first.
    pub(super) origins: Vec<Origin>,
    /// Cells from the middle of the grid, and cells a step.
    states: Vec<[Vector; 2]>,
}

/// What a galaxy's discs look like.
#[derive(Debug, Clone, Copy)]
enum Form {
    Spiral { arms: f64, wound: f64, phase: f64 },
    Rings { count: f64 },
    Spokes { count: f64 },
    Veil,
}

impl Form {
    fn new(name: &str, stream: &Stream, galaxy: u64) -> Self {
        let element = galaxy + 1;
        match name {
            "spiral" => Self::Spiral {
                arms: f64::from(2 + stream.below(element, 0, 3)),
                wound: stream.between(element, 1, 2.2, 4.2),
                phase: stream.between(element, 2, 0.0, TAU),
            },
            "rings" => Self::Rings { count: f64::from(4 + stream.below(element, 3, 4)) },
            "spokes" => Self::Spokes { count: f64::from(9 + stream.below(element, 4, 12)) },
            _ => Self::Veil,
        }
    }

    /// Draws a point of an even disc towards the form; `radius` is a share of the disc's.
    fn draw(self, radius: f64, angle: f64) -> [f64; 2] {
        match self {
            Self::Spiral { arms, wound, phase } => {
                let crest = arms * (angle - phase) + wound * libm::log(radius + 0.08);
                [radius, angle - 0.8 * (radius * 3.0).min(1.0) / arms * libm::sin(crest)]
            }
            Self::Rings { count } => {
                [radius - 0.85 / (TAU * count) * libm::sin(radius * count * TAU) * (radius * 5.0).min(1.0), angle]
            }
            Self::Spokes { count } => [radius, angle - 0.85 / count * libm::sin(count * angle)],
            Self::Veil => [radius, angle],
        }
    }
}

/// Radius of the Hernquist sphere of `scale`, cut at `end`, that holds the share `u` of its mass. Hernquist, *An
/// analytical model for spherical galaxies and bulges* (1990).
fn hernquist(u: f64, [scale, end]: [f64; 2]) -> f64 {
    let most = end / (end + scale);
    let root = (u * most * most).sqrt();
    scale * root / (1.0 - root)
}

/// Radius of the exponential disc of scale 0.3, cut at 1, that holds the share `u` of its mass.
fn exponential(u: f64) -> f64 {
    let within = |r: f64| 1.0 - (1.0 + r / 0.3) * libm::exp(-r / 0.3);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if within(middle) < u * within(1.0) { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// A direction, from two numbers in [0, 1).
fn direction(u: f64, angle: f64) -> Vector {
    let y = 2.0 * u - 1.0;
    let around = (1.0 - y * y).max(0.0).sqrt();
    [around * libm::cos(angle), y, around * libm::sin(angle)]
}

/// A point of a galaxy before it moves: place in cells from the galaxy's middle, and what it is.
struct Still {
    place: Vector,
    origin: Origin,
}

impl Cluster {
    pub(super) fn new(genome: &Genome) -> Self {
        let encounter = Encounter::new(genome);
        let visible = genome.number("points") as usize;
        let dark = (visible as f64 * DARK) as usize;
        let form = genome.stream("waltz/form");
        let numbers = shares(encounter.galaxies.iter().map(|galaxy| galaxy.light), visible);
        let hidden = shares(encounter.galaxies.iter().map(|galaxy| galaxy.dark), dark);
        let total = visible + dark;
        let (mut origins, mut states, mut halos) = (vec![], vec![], vec![]);
        for (at, galaxy) in encounter.galaxies.iter().enumerate() {
            let stream = genome.stream(&format!("waltz/galaxy {at}"));
            let form = Form::new(genome.text("form"), &form, at as u64);
            let lit = luminous(galaxy, at, numbers[at], form, &stream);
            let halo: Vec<Still> = (0..hidden[at]).map(|k| dark_point(galaxy, at, k, hidden[at], &stream)).collect();
            let pull = Pull::new(&lit, &halo, encounter.pull / total as f64);
            let moving = |still: &Still, element: u64| {
                let velocity = pull.velocity(galaxy, still, &stream, element);
                [add(galaxy.center, still.place), add(galaxy.velocity, velocity)]
            };
            states.extend(lit.iter().enumerate().map(|(k, still)| moving(still, k as u64)));
            halos.extend(halo.iter().enumerate().map(|(k, still)| moving(still, (numbers[at] + k) as u64)));
            origins.extend(lit.into_iter().map(|still| still.origin));
        }
        states.extend(halos);
        Self { encounter, origins, states }
    }

    /// Number of points that are seen.
    pub(super) fn visible(&self) -> usize {
        self.origins.len()
    }

    pub(super) fn law(&self) -> Gravity {
        Gravity { softening: SOFTENING, pull: self.encounter.pull, count: self.states.len() }
    }

    pub(super) fn points(&self) -> Vec<Point> {
        let middle = CELLS as f64 / 2.0;
        let point = |[place, velocity]: &[Vector; 2]| -> Point {
            let [x, y, z] = place.map(|c| q24(c + middle));
            let [u, v, w] = velocity.map(q24);
            [x, y, z, u, v, w]
        };
        self.states.iter().map(point).collect()
    }
}

/// `whole` cut in proportion to `parts`, which add up to 1; the last gets the rest.
fn shares(parts: impl Iterator<Item = f64>, whole: usize) -> Vec<usize> {
    let mut counts: Vec<usize> = parts.map(|part| (part * whole as f64) as usize).collect();
    let given: usize = counts.iter().sum();
    if let Some(most) = (0..counts.len()).max_by_key(|at| counts[*at]) {
        counts[most] += whole.saturating_sub(given);
    }
    counts
}

/// The points of a galaxy that are seen: first its disc, then its bulge.
fn luminous(galaxy: &Galaxy, number: usize, count: usize, form: Form, stream: &Stream) -> Vec<Still> {
    let round = ((count as f64) * galaxy.bulge) as usize;
    let flat = count - round;
    let side = unit(cross(galaxy.axis, [0.31, 0.17, 0.94]));
    let front = cross(galaxy.axis, side);
    let disc = |k: usize| {
        let jitter = |draw, size: f64| stream.between(k as u64, draw, -size, size);
        let even = ((k as f64 + 0.5 + jitter(0, 0.5)) / flat as f64).clamp(0.0, 1.0);
        let [radius, angle] = form.draw(exponential(even), (k as f64 * GOLDEN) % TAU);
        let (sin, cos) = (libm::sin(angle), libm::cos(angle));
        let height = 0.018 * galaxy.radius * (jitter(1, 1.0) + jitter(2, 1.0));
        let flat = add(times(side, cos * radius * galaxy.radius), times(front, sin * radius * galaxy.radius));
        Still {
            place: add(flat, times(galaxy.axis, height)),
            origin: Origin { galaxy: number, radius, angle, disc: true },
        }
    };
    let bulge = |k: usize| {
        let radius = hernquist((k as f64 + 0.5) / round as f64, BULGE);
        let angle = stream.between((flat + k) as u64, 4, 0.0, TAU);
        let place = times(direction(stream.unit((flat + k) as u64, 3), angle), radius * galaxy.radius);
        Still { place, origin: Origin { galaxy: number, radius, angle, disc: false } }
    };
    (0..flat).map(disc).chain((0..round).map(bulge)).collect()
}

/// Point `k` of `count` of a galaxy's halo.
fn dark_point(galaxy: &Galaxy, number: usize, k: usize, count: usize, stream: &Stream) -> Still {
    let radius = hernquist((k as f64 + 0.5) / count as f64, HALO);
    let angle = stream.between(k as u64, 7, 0.0, TAU);
    let place = times(direction(stream.unit(k as u64, 6), angle), radius * galaxy.radius);
    Still { place, origin: Origin { galaxy: number, radius, angle, disc: false } }
}

/// A galaxy's own pull, sampled, and the speeds that hold it together.
struct Pull {
    /// Cells from one sample to the next.
    stride: f64,
    /// Speed on a circle in the plane of the disc, by radius.
    circular: [f64; RINGS],
    /// Spread of speeds along each axis that holds a ball up, by radius.
    spread: [f64; RINGS],
}

impl Pull {
    /// `share` is what a single point pulls with.
    fn new(lit: &[Still], halo: &[Still], share: f64) -> Self {
        let all = lit.len() + halo.len();
        let every = all.div_ceil(SAMPLES).max(1);
        let sources: Vec<Vector> =
            lit.iter().chain(halo).skip(every / 2).step_by(every).map(|still| still.place).collect();
        let farthest = lit.iter().chain(halo).map(|still| dot(still.place, still.place)).fold(0.0, f64::max).sqrt();
        let stride = farthest.max(0.1) / (RINGS - 1) as f64;
        let weight = share * all as f64 / sources.len().max(1) as f64;
        // The mean over directions spread evenly over a sphere: the ball's pull, and with that of a halo also the disc's.
        const DIRECTIONS: usize = 24;
        let inward: [f64; RINGS] = std::array::from_fn(|ring| {
            let radius = ring as f64 * stride;
            let mut sum = 0.0;
            for k in 0..DIRECTIONS {
                let towards = direction((k as f64 + 0.5) / DIRECTIONS as f64, k as f64 * GOLDEN);
                let here = times(towards, radius);
                for source in &sources {
                    let d = add(*source, times(here, -1.0));
                    let squared = dot(d, d) + SOFTENING * SOFTENING;
                    sum -= dot(d, towards) / (squared * squared.sqrt());
                }
            }
            (sum * weight / DIRECTIONS as f64).max(0.0)
        });
        // Jeans: the pressure at a radius carries the weight of all farther out. Mass by shell stands for density.
        let mut shells = [0.0; RINGS];
        for source in &sources {
            let ring = ((dot(*source, *source).sqrt() / stride) as usize).min(RINGS - 1);
            shells[ring] += 1.0;
        }
        let density = |ring: usize| {
            let (low, high) = (ring as f64, ring as f64 + 1.0);
            (shells[ring] + 1e-3) / (high * high * high - low * low * low)
        };
        let mut spread = [0.0; RINGS];
        let mut pressure = 0.0;
        for ring in (0..RINGS).rev() {
            pressure += density(ring) * inward[ring] * stride;
            spread[ring] = (pressure / density(ring)).sqrt();
        }
        let circular = std::array::from_fn(|ring| (inward[ring] * ring as f64 * stride).sqrt());
        Self { stride, circular, spread }
    }

    fn at(&self, table: &[f64; RINGS], radius: f64) -> f64 {
        let place = (radius / self.stride).min((RINGS - 1) as f64 - 1e-9);
        let ring = place as usize;
        table[ring] + (table[ring + 1] - table[ring]) * (place - ring as f64)
    }

    /// How a point moves within its galaxy.
    fn velocity(&self, galaxy: &Galaxy, still: &Still, stream: &Stream, element: u64) -> Vector {
        let radius = dot(still.place, still.place).sqrt();
        let circular = self.at(&self.circular, radius);
        // The sum of four even draws is nearly normal, and bounded: nothing flies away.
        let normal = |draw: u32| {
            let sum: f64 = (0..4).map(|k| stream.between(element, 16 + draw * 4 + k, -1.0, 1.0)).sum();
            sum * 0.866
        };
        if still.origin.disc {
            let along = cross(galaxy.axis, still.place);
            let speed = circular / dot(along, along).sqrt().max(1e-6);
            let stir = [0, 1, 2].map(|draw| normal(draw) * 0.02 * circular);
            return add(times(along, speed), stir);
        }
        let spread = self.at(&self.spread, radius).min(0.75 * circular.max(self.circular[RINGS / 4]));
        [0, 1, 2].map(|draw| normal(draw) * spread)
    }
}
