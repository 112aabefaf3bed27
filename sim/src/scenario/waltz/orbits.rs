//! Who meets whom: the galaxies of an encounter, where each starts and how it moves.

use crate::{
    genome::Genome,
    random::Stream,
    scenario::vector::{Vector, add, cross, leaning, times, unit},
};

/// A galaxy before the encounter.
#[derive(Debug, Clone)]
pub(super) struct Galaxy {
    /// Where its middle is, in cells from the middle of the grid.
    pub(super) center: Vector,
    /// Cells a step, once [`Encounter::pull`] is known.
    pub(super) velocity: Vector,
    /// Unit normal of its disc; it turns counter-clockwise about it.
    pub(super) axis: Vector,
    /// Radius of its disc, cells.
    pub(super) radius: f64,
    /// Its share of the points that are seen.
    pub(super) light: f64,
    /// Its share of those that are not.
    pub(super) dark: f64,
    /// The share of its visible points that lies in its round middle.
    pub(super) bulge: f64,
}

/// The galaxies of a piece.
#[derive(Debug, Clone)]
pub(super) struct Encounter {
    pub(super) galaxies: Vec<Galaxy>,
    /// As in [`crate::gravity::Gravity`].
    pub(super) pull: f64,
}

/// Pull of the usual encounter.
const PULL: f64 = 0.5;

/// Relative velocity of two bodies at distance `apart` along x, on a Kepler orbit of eccentricity `e` that brings them
/// as near as `nearest`: towards each other, and across along z.
fn approach(pull: f64, apart: f64, nearest: f64, e: f64) -> [f64; 2] {
    let squared = (pull * (2.0 / apart - (1.0 - e) / nearest)).max(0.0);
    let across = (pull * nearest * (1.0 + e)).sqrt() / apart;
    [(squared - across * across).max(0.0).sqrt(), across]
}

impl Encounter {
    pub(super) fn new(genome: &Genome) -> Self {
        let stream = genome.stream("waltz/encounter");
        let pull = PULL * genome.number("pull");
        let reach = genome.number("reach");
        let lean = genome.number("lean") * (std::f64::consts::PI / 180.0);
        let name = genome.text("encounter");
        let mut galaxies = match name {
            "cartwheel" => cartwheel(&stream, pull, reach, lean),
            "trio" => trio(&stream, pull, reach, lean),
            "dive" => dive(&stream, pull, reach, lean),
            "ribbons" => ribbons(&stream, pull, reach),
            _ => pair(&stream, pull, reach, lean, name == "counterturn"),
        };
        // The middle of all mass rests in the middle of the grid.
        let weight = |galaxy: &Galaxy| (galaxy.light + galaxy.dark * super::DARK) / (1.0 + super::DARK);
        let mean = |of: fn(&Galaxy) -> Vector| {
            galaxies.iter().fold([0.0; 3], |sum, galaxy| add(sum, times(of(galaxy), weight(galaxy))))
        };
        let (center, velocity) = (mean(|galaxy| galaxy.center), mean(|galaxy| galaxy.velocity));
        for galaxy in &mut galaxies {
            galaxy.center = add(galaxy.center, times(center, -1.0));
            galaxy.velocity = add(galaxy.velocity, times(velocity, -1.0));
        }
        Self { galaxies, pull }
    }
}

/// Two discs that graze each other, come back and merge.
fn pair(stream: &Stream, pull: f64, reach: f64, lean: f64, against: bool) -> Vec<Galaxy> {
    let between = |draw, low, high| stream.between(0, draw, low, high);
    let apart = 14.0;
    let [towards, across] = approach(pull, apart, 3.8 * reach.max(0.02), 0.74);
    let share = between(0, 0.46, 0.6);
    let (one, two) = (between(1, 0.0, std::f64::consts::TAU), between(2, 0.0, std::f64::consts::TAU));
    // The orbit turns about −y.
    let with = if against { 1.0 } else { -1.0 };
    let half = |side: f64, share: f64, radius: f64, axis: Vector| Galaxy {
        center: [side * apart / 2.0, 0.0, 0.0],
        velocity: [-side * towards / 2.0, 0.0, side * across / 2.0],
        axis,
        radius,
        light: share,
        dark: share,
        bulge: 0.14,
    };
    vec![
        half(-1.0, share, between(3, 5.6, 6.4), leaning(with, lean * between(4, 0.2, 0.8), one)),
        half(1.0, 1.0 - share, between(5, 4.6, 5.4), leaning(with, lean, two)),
    ]
}

/// A small galaxy falls through the middle of a large disc, and a ring runs outward.
fn cartwheel(stream: &Stream, pull: f64, reach: f64, lean: f64) -> Vec<Galaxy> {
    let between = |draw, low, high| stream.between(0, draw, low, high);
    let axis = leaning(1.0, lean * 0.5, between(0, 0.0, std::f64::consts::TAU));
    let aside = unit(cross(axis, [0.3, 0.1, 1.0]));
    let apart = 11.0;
    let speed = 0.80 * (2.0 * pull / apart).sqrt();
    let large = Galaxy {
        center: [0.0; 3],
        velocity: [0.0; 3],
        axis,
        radius: between(1, 9.0, 10.0),
        light: 0.80,
        dark: 0.68,
        bulge: 0.06,
    };
    let small = Galaxy {
        center: add(times(axis, apart), times(aside, between(2, 0.3, 1.1) * reach)),
        velocity: times(axis, -speed),
        axis: unit(add(aside, times(axis, 0.6))),
        radius: between(3, 2.6, 3.4),
        light: 0.20,
        dark: 0.32,
        bulge: 0.3,
    };
    vec![large, small]
}

/// Three discs on a triangle that fall together.
fn trio(stream: &Stream, pull: f64, reach: f64, lean: f64) -> Vec<Galaxy> {
    let between = |draw, low, high| stream.between(0, draw, low, high);
    let turn = between(0, 0.0, std::f64::consts::TAU);
    (0..3)
        .map(|body: u32| {
            let angle = turn + f64::from(body) * (std::f64::consts::TAU / 3.0);
            let out = [libm::cos(angle), 0.0, libm::sin(angle)];
            let along = [-libm::sin(angle), 0.0, libm::cos(angle)];
            let distance = between(1 + body, 9.4, 11.0);
            // Of what a circle would take: they fall in, one a little before the others.
            let speed = (0.577 * pull / distance).sqrt() * between(4 + body, 0.42, 0.62) * (0.5 + 0.5 * reach);
            let heading = between(7 + body, 0.0, std::f64::consts::TAU);
            let up = if body == 2 { 1.0 } else { -1.0 };
            Galaxy {
                center: times(out, distance),
                velocity: times(along, speed),
                axis: leaning(up, lean, heading),
                radius: between(10 + body, 4.4, 5.2),
                light: 1.0 / 3.0,
                dark: 1.0 / 3.0,
                bulge: 0.12,
            }
        })
        .collect()
}

/// A dwarf falls almost straight into a large galaxy, again and again, and leaves a shell at each turning point.
fn dive(stream: &Stream, pull: f64, reach: f64, lean: f64) -> Vec<Galaxy> {
    let between = |draw, low, high| stream.between(0, draw, low, high);
    let heading = between(0, 0.0, std::f64::consts::TAU);
    let large = Galaxy {
        center: [0.0; 3],
        velocity: [0.0; 3],
        axis: leaning(1.0, lean, heading),
        radius: between(1, 5.0, 6.0),
        light: 0.52,
        dark: 1.0,
        bulge: 0.5,
    };
    let apart = 13.5;
    let across = 0.12 * reach * (pull / apart).sqrt();
    let small = Galaxy {
        center: [apart, between(2, 0.5, 2.5), 0.0],
        velocity: [-0.25 * (pull / apart).sqrt(), 0.0, across],
        axis: leaning(1.0, 0.9, between(3, 0.0, std::f64::consts::TAU)),
        radius: between(4, 3.0, 3.8),
        light: 0.48,
        dark: 0.0,
        bulge: 0.25,
    };
    vec![large, small]
}

/// Small discs circle a halo that nobody sees, which draws them out into ribbons.
fn ribbons(stream: &Stream, pull: f64, reach: f64) -> Vec<Galaxy> {
    let count = 8 + stream.below(0, 0, 4);
    let host = Galaxy {
        center: [0.0; 3],
        velocity: [0.0; 3],
        axis: [0.0, 1.0, 0.0],
        radius: 4.0,
        light: 0.12,
        dark: 1.0,
        bulge: 0.7,
    };
    let dwarf = |body: u32| {
        let between = |draw, low, high| stream.between(1 + u64::from(body), draw, low, high);
        let angle = (f64::from(body) + between(0, 0.1, 0.9)) * (std::f64::consts::TAU / f64::from(count));
        let axis = leaning(1.0, between(1, 0.1, 1.1), between(2, 0.0, std::f64::consts::TAU));
        let out = unit(cross(axis, [libm::cos(angle), 0.2, libm::sin(angle)]));
        let along = cross(axis, out);
        let distance = between(3, 7.0, 13.5);
        let speed = (0.7 * pull / distance).sqrt() * between(4, 0.7, 0.95) * (0.7 + 0.3 * reach);
        Galaxy {
            center: times(out, distance),
            velocity: times(along, speed),
            axis: unit(add(axis, times(out, 0.4))),
            radius: between(5, 2.3, 2.9),
            light: 0.88 / f64::from(count),
            dark: 0.0,
            bulge: 0.05,
        }
    };
    std::iter::once(host).chain((0..count).map(dwarf)).collect()
}
