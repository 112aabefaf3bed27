//! Bodies of a scene: what they are, and how many of them stand where.

use super::{
    Declared, SceneError,
    quantity::{Drawn, Quantity, When, fixed, values},
    reader::{Bounds, Field, Table, bounds},
};
use crate::{genome::Genome, random::Stream};

/// The most bodies of a scene.
pub const MAX_BODIES: usize = 4096;

/// Lengths of a body, in metres.
pub(super) const SIZE: Bounds = bounds(0.005, 100.0, "m");
/// Places, in metres.
pub(super) const PLACE: Bounds = bounds(-500.0, 500.0, "m");
pub(super) const SPEED: Bounds = bounds(-100.0, 100.0, "m/s");
const ANGLE: Bounds = bounds(-3600.0, 3600.0, "°");
const SPIN: Bounds = bounds(-200.0, 200.0, "rad/s");
const DENSITY: Bounds = bounds(1.0, 25_000.0, "kg/m³");
pub(super) const FRICTION: Bounds = bounds(0.0, 4.0, "");
pub(super) const RESTITUTION: Bounds = bounds(0.0, 1.0, "");

/// Bodies that are alike.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: Option<String>,
    /// The path of the group, which keys its randomness.
    pub(super) path: String,
    pub(super) when: Option<When>,
    pub(super) shape: Shape,
    pub(super) arrange: Arrangement,
    pub(super) position: [Quantity; 3],
    pub(super) turn: [Quantity; 3],
    pub(super) velocity: [Quantity; 3],
    pub(super) spin: [Quantity; 3],
    pub(super) density: Quantity,
    pub(super) friction: Quantity,
    pub(super) restitution: Quantity,
    pub(super) fixed: bool,
    /// Whether `position` is that of its foot.
    pub(super) stands: bool,
    pub(super) asleep: bool,
    pub(super) look: usize,
    /// No seed has fewer or more bodies than these; none at all where `when` may not hold.
    pub(super) counts: [u32; 2],
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Ball(Quantity),
    /// Radius, and length from end to end of its straight part, along y.
    Capsule([Quantity; 2]),
    /// Lengths of the edges.
    Box([Quantity; 3]),
    /// Radius and height, along y.
    Cylinder([Quantity; 2]),
    /// Index of the mesh, and its size.
    Mesh(usize, Quantity),
}

#[derive(Debug, Clone)]
pub(super) enum Arrangement {
    One,
    Row {
        count: Quantity,
        step: [Quantity; 3],
    },
    /// Along x, y and z, around the middle in x and z and upward in y (downward where the step is).
    Grid {
        counts: [Quantity; 3],
        step: [Quantity; 3],
    },
    /// Bricks: along x, up, and deep; every second course is moved by half a step.
    Wall {
        counts: [Quantity; 3],
        step: [Quantity; 3],
    },
    /// Heaps of bodies on each other, in rows along x and z, each as high as is drawn for it.
    Towers {
        counts: [Quantity; 2],
        storeys: Quantity,
        step: [Quantity; 3],
    },
    /// Along a spiral about y, evenly, from the inside out.
    Spiral {
        count: Quantity,
        radii: [Quantity; 2],
        turns: Quantity,
    },
    /// Circles above each other; every second one is turned by half a step.
    Ring {
        count: Quantity,
        radius: Quantity,
        courses: Quantity,
        rise: Quantity,
    },
    /// By chance within a box, each as far from the others as the best of a few places.
    Scatter {
        count: Quantity,
        size: [Quantity; 3],
    },
}

/// Where an arrangement puts a body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spot {
    pub(super) offset: [f64; 3],
    /// About y, in radians: along +x, a ring's bodies look outward, and those of a spiral along it.
    pub(super) heading: f64,
    /// The body before it along x (a row, a ring, a spiral), y and z (a grid), by its place in the group.
    pub(super) before: [Option<u32>; 3],
}

impl Group {
    pub(super) fn read(
        field: &Field<'_>,
        declared: &Declared,
        meshes: &[&str],
        looks: &[&str],
    ) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let name = table.get("name").map(|field| Ok(field.name()?.to_owned())).transpose()?;
        let when = When::of(&mut table, declared)?;
        let shape = Shape::read(&table.need("shape")?, declared, meshes)?;
        let (arrange, counts) = Arrangement::of(&mut table, declared)?;
        let counts = [if when.is_some() { 0 } else { counts[0] }, counts[1]];
        let position = table.need("position")?.quantities(declared, PLACE)?;
        let turn = vector(&mut table, "turn", declared, ANGLE)?;
        let velocity = vector(&mut table, "velocity", declared, SPEED)?;
        let spin = vector(&mut table, "spin", declared, SPIN)?;
        let density = number(&mut table, "density", declared, DENSITY, 1000.0)?;
        let friction = number(&mut table, "friction", declared, FRICTION, 0.5)?;
        let restitution = number(&mut table, "restitution", declared, RESTITUTION, 0.1)?;
        let is_fixed = truth(&mut table, "fixed")?;
        let stands = truth(&mut table, "stands")?;
        let asleep = truth(&mut table, "asleep")?;
        let look = table.need("look")?.one_of(looks)?;
        table.finish()?;
        Ok(Self {
            name,
            path: field.path.clone(),
            when,
            shape,
            arrange,
            position,
            turn,
            velocity,
            spin,
            density,
            friction,
            restitution,
            fixed: is_fixed,
            stands,
            asleep,
            look,
            counts,
        })
    }
}

pub(super) fn truth(table: &mut Table<'_>, name: &'static str) -> Result<bool, SceneError> {
    table.get(name).map_or(Ok(false), |field| field.truth())
}

pub(super) fn number(
    table: &mut Table<'_>,
    name: &'static str,
    declared: &Declared,
    bounds: Bounds,
    usual: f64,
) -> Result<Quantity, SceneError> {
    table.get(name).map_or_else(|| Ok(Quantity::constant(usual)), |field| field.quantity(declared, bounds))
}

/// Three numbers, 0 where they are left out.
pub(super) fn vector(
    table: &mut Table<'_>,
    name: &'static str,
    declared: &Declared,
    bounds: Bounds,
) -> Result<[Quantity; 3], SceneError> {
    let zero = || Ok(std::array::from_fn(|_| Quantity::constant(0.0)));
    table.get(name).map_or_else(zero, |field| field.quantities(declared, bounds))
}

impl Shape {
    fn read(field: &Field<'_>, declared: &Declared, meshes: &[&str]) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let (kind, value) = table.choice(&["ball", "capsule", "box", "cylinder", "mesh"])?;
        let shape = match kind {
            "ball" => Self::Ball(value.quantity(declared, SIZE)?),
            "capsule" => Self::Capsule(value.quantities(declared, SIZE)?),
            "box" => Self::Box(value.quantities(declared, SIZE)?),
            "cylinder" => Self::Cylinder(value.quantities(declared, SIZE)?),
            _ => {
                let mesh = value.one_of(meshes)?;
                Self::Mesh(mesh, number(&mut table, "scale", declared, bounds(0.01, 100.0, ""), 1.0)?)
            }
        };
        table.finish()?;
        Ok(shape)
    }
}

impl Arrangement {
    /// The arrangement, and the least and the greatest number of bodies that it makes.
    fn read(field: &Field<'_>, declared: &Declared) -> Result<(Self, [u32; 2]), SceneError> {
        const MOST: u32 = MAX_BODIES as u32;
        let mut table = field.table()?;
        let (kind, value) = table.choice(&["row", "grid", "wall", "towers", "ring", "spiral", "scatter"])?;
        let count = |field: &Field<'_>| undrawn(field, field.count(declared, 1, MOST)?);
        let three = |field: &Field<'_>| -> Result<[Quantity; 3], SceneError> {
            let all = field.array::<3>()?.iter().map(count).collect::<Result<Vec<_>, _>>()?;
            Ok(all.try_into().expect("three of three"))
        };
        let arrangement = match kind {
            "row" => Self::Row { count: count(&value)?, step: table.need("step")?.quantities(declared, PLACE)? },
            "grid" => Self::Grid { counts: three(&value)?, step: table.need("step")?.quantities(declared, PLACE)? },
            "wall" => Self::Wall { counts: three(&value)?, step: table.need("step")?.quantities(declared, PLACE)? },
            "towers" => {
                let [along, across] = value.array::<2>()?;
                let storeys = table.need("storeys")?;
                Self::Towers {
                    counts: [count(&along)?, count(&across)?],
                    storeys: storeys.count(declared, 0, MOST)?,
                    step: table.need("step")?.quantities(declared, PLACE)?,
                }
            }
            "spiral" => Self::Spiral {
                count: count(&value)?,
                radii: table.need("radius")?.quantities(declared, bounds(0.0, 500.0, "m"))?,
                turns: table.need("turns")?.quantity(declared, bounds(-100.0, 100.0, ""))?,
            },
            "ring" => Self::Ring {
                count: count(&value)?,
                radius: table.need("radius")?.quantity(declared, bounds(0.0, 500.0, "m"))?,
                courses: table.get("courses").map_or_else(|| Ok(Quantity::constant(1.0)), |field| count(&field))?,
                rise: number(&mut table, "rise", declared, PLACE, 0.0)?,
            },
            _ => Self::Scatter {
                count: count(&value)?,
                size: table.need("size")?.quantities(declared, bounds(0.0, 500.0, "m"))?,
            },
        };
        table.finish()?;
        let factors: Vec<&Quantity> = match &arrangement {
            Self::One => vec![],
            Self::Row { count, .. } | Self::Spiral { count, .. } | Self::Scatter { count, .. } => vec![count],
            Self::Towers { counts, storeys, .. } => counts.iter().chain([storeys]).collect(),
            Self::Grid { counts, .. } | Self::Wall { counts, .. } => counts.iter().collect(),
            Self::Ring { count, courses, .. } => vec![count, courses],
        };
        let product = |end: usize| factors.iter().map(|q| q.reach(declared)[end].round()).product::<f64>();
        if product(1) > MAX_BODIES as f64 {
            return Err(
                value.wrong(format!("makes {} bodies", product(1)), format!("a scene has at most {MAX_BODIES}"))
            );
        }
        let counts = [product(0) as u32, product(1) as u32];
        Ok((arrangement, counts))
    }

    /// What `arrange` of a table says, or one where it says nothing; and the least and the greatest number of things that
    /// this makes.
    pub(super) fn of(table: &mut Table<'_>, declared: &Declared) -> Result<(Self, [u32; 2]), SceneError> {
        table.get("arrange").map_or(Ok((Self::One, [1; 2])), |field| Self::read(&field, declared))
    }

    /// How far from `position` it puts things at most, by axis.
    pub(super) fn reach(&self, declared: &Declared) -> [[f64; 2]; 3] {
        let most = |quantity: &Quantity| quantity.reach(declared)[1];
        let steps = |count: &Quantity| (most(count).round() - 1.0).max(0.0);
        let onward = |step: &Quantity, steps: f64| {
            let [a, b] = step.reach(declared);
            [(a * steps).min(0.0), (b * steps).max(0.0)]
        };
        let around = |step: &Quantity, steps: f64| {
            let [a, b] = step.reach(declared);
            let far = a.abs().max(b.abs()) * steps / 2.0;
            [-far, far]
        };
        let grid = |counts: [&Quantity; 3], step: &[Quantity; 3], shift: f64| {
            let [x, y, z] = counts.map(steps);
            [around(&step[0], x + shift), onward(&step[1], y), around(&step[2], z)]
        };
        match self {
            Self::One => [[0.0; 2]; 3],
            Self::Row { count, step } => step.each_ref().map(|step| onward(step, steps(count))),
            Self::Grid { counts, step } => grid(counts.each_ref(), step, 0.0),
            Self::Wall { counts, step } => grid(counts.each_ref(), step, 0.5),
            Self::Towers { counts: [x, z], storeys, step } => grid([x, storeys, z], step, 0.0),
            Self::Ring { radius, courses, rise, .. } => {
                [around(radius, 2.0), onward(rise, steps(courses)), around(radius, 2.0)]
            }
            Self::Spiral { radii: [a, b], .. } => {
                let far = most(a).max(most(b));
                [[-far, far], [0.0; 2], [-far, far]]
            }
            Self::Scatter { size, .. } => size.each_ref().map(|size| around(size, 1.0)),
        }
    }

    /// Whether bodies have one before them along `axis`.
    pub(super) fn runs_along(&self, axis: usize) -> bool {
        match self {
            Self::One | Self::Scatter { .. } | Self::Wall { .. } | Self::Towers { .. } => false,
            Self::Row { .. } | Self::Ring { .. } | Self::Spiral { .. } => axis == 0,
            Self::Grid { .. } => true,
        }
    }

    /// Where the bodies of a seed are.
    pub(super) fn spots(&self, genome: &Genome, path: &str) -> Vec<Spot> {
        let whole = |count: &Quantity| count.value(genome).round() as u32;
        let spot = |offset| Spot { offset, heading: 0.0, before: [None; 3] };
        match self {
            Self::One => vec![spot([0.0; 3])],
            Self::Row { count, step } => {
                let step = values(step, genome);
                let each = (0..whole(count)).map(|at| Spot {
                    before: [at.checked_sub(1), None, None],
                    ..spot(step.map(|s| s * f64::from(at)))
                });
                each.collect()
            }
            Self::Grid { counts, step } => {
                let (counts, step) = (counts.each_ref().map(whole), values(step, genome));
                let mut spots = Vec::new();
                for [i, j, k] in places(counts) {
                    let index = spots.len() as u32;
                    let before = |at: u32, stride: u32| (at > 0).then(|| index - stride);
                    spots.push(Spot {
                        before: [before(i, 1), before(j, counts[0]), before(k, counts[0] * counts[1])],
                        ..spot([
                            centred(i, counts[0]) * step[0],
                            f64::from(j) * step[1],
                            centred(k, counts[2]) * step[2],
                        ])
                    });
                }
                spots
            }
            Self::Wall { counts, step } => {
                let (counts, step) = (counts.each_ref().map(whole), values(step, genome));
                let brick = |[i, j, k]: [u32; 3]| {
                    let shift = if j % 2 == 1 { 0.25 } else { -0.25 };
                    let x = (centred(i, counts[0]) + shift) * step[0];
                    spot([x, f64::from(j) * step[1], centred(k, counts[2]) * step[2]])
                };
                places(counts).map(brick).collect()
            }
            Self::Towers { counts, storeys, step } => {
                let ([along, across], step) = (counts.each_ref().map(whole), values(step, genome));
                let storeys = storeys.fix(genome);
                let mut spots = Vec::new();
                for (tower, [i, _, k]) in places([along, 1, across]).enumerate() {
                    let foot = [centred(i, along) * step[0], 0.0, centred(k, across) * step[2]];
                    let high = storeys.at(tower as u64).round() as u32;
                    spots.extend((0..high).map(|j| spot([foot[0], f64::from(j) * step[1], foot[2]])));
                }
                spots
            }
            Self::Spiral { count, radii, turns } => spiral(whole(count), values(radii, genome), turns.value(genome)),
            Self::Ring { count, radius, courses, rise } => {
                let (count, courses) = (whole(count), whole(courses));
                let (radius, rise) = (radius.value(genome), rise.value(genome));
                let mut spots = Vec::new();
                for course in 0..courses {
                    for at in 0..count {
                        let turn = f64::from(at) + if course % 2 == 1 { 0.5 } else { 0.0 };
                        let heading = std::f64::consts::TAU * turn / f64::from(count);
                        let (sin, cos) = libm::sincos(heading);
                        let offset = [radius * cos, rise * f64::from(course), -radius * sin];
                        let before = [(at > 0).then(|| course * count + at - 1), None, None];
                        spots.push(Spot { offset, heading, before });
                    }
                }
                spots
            }
            Self::Scatter { count, size } => {
                let stream = genome.stream(&format!("scene/{path}.arrange.scatter"));
                scattered(&stream, whole(count), values(size, genome)).into_iter().map(spot).collect()
            }
        }
    }
}

/// Places along a spiral of Archimedes at equal distances.
fn spiral(count: u32, [inner, outer]: [f64; 2], turns: f64) -> Vec<Spot> {
    /// Straight pieces between two bodies, by which the way is measured.
    const PIECES: u32 = 16;
    let at = |share: f64| {
        let (sin, cos) = libm::sincos(std::f64::consts::TAU * turns * share);
        let radius = inner + (outer - inner) * share;
        [radius * cos, -radius * sin]
    };
    let pieces = PIECES * count.max(2);
    let share = |piece: u32| f64::from(piece) / f64::from(pieces);
    let mut way = vec![0.0];
    for piece in 0..pieces {
        let ([x0, z0], [x1, z1]) = (at(share(piece)), at(share(piece + 1)));
        way.push(way[piece as usize] + ((x1 - x0) * (x1 - x0) + (z1 - z0) * (z1 - z0)).sqrt());
    }
    let length = way[pieces as usize];
    let body = |index: u32| {
        let mark = length * f64::from(index) / f64::from((count - 1).max(1));
        let piece = way.partition_point(|behind| *behind <= mark).clamp(1, pieces as usize) - 1;
        let span = way[piece + 1] - way[piece];
        let part = if span > 0.0 { (mark - way[piece]) / span } else { 0.0 };
        let ([x0, z0], [x1, z1]) = (at(share(piece as u32)), at(share(piece as u32 + 1)));
        let offset = [x0 + (x1 - x0) * part, 0.0, z0 + (z1 - z0) * part];
        Spot { offset, heading: libm::atan2(z0 - z1, x1 - x0), before: [index.checked_sub(1), None, None] }
    };
    (0..count).map(body).collect()
}

/// A count of bodies is one number for a seed.
fn undrawn(field: &Field<'_>, quantity: Quantity) -> Result<Quantity, SceneError> {
    if quantity.is_drawn() {
        return Err(field.wrong("is drawn by chance", "let a param with `integer = true` say how many"));
    }
    Ok(quantity)
}

/// All places of a grid: x first, then y, then z.
pub(super) fn places([x, y, z]: [u32; 3]) -> impl Iterator<Item = [u32; 3]> {
    (0..z).flat_map(move |k| (0..y).flat_map(move |j| (0..x).map(move |i| [i, j, k])))
}

fn centred(at: u32, count: u32) -> f64 {
    f64::from(at) - f64::from(count - 1) * 0.5
}

/// Points in a box around the origin, each the best of a few by its distance to those before it (Mitchell, *Spectrally
/// optimal sampling for distribution ray tracing*, 1991).
fn scattered(stream: &Stream, count: u32, size: [f64; 3]) -> Vec<[f64; 3]> {
    const TRIES: u32 = 6;
    let mut points: Vec<[f64; 3]> = Vec::new();
    for element in 0..u64::from(count) {
        let candidate = |draw: u32| -> [f64; 3] {
            let words = stream.words(element, draw);
            std::array::from_fn(|i| size[i] * (f64::from(words[i]) / 4_294_967_296.0 - 0.5))
        };
        let clearance = |at: &[f64; 3]| {
            let apart = |other: &[f64; 3]| (0..3).map(|i| (at[i] - other[i]) * (at[i] - other[i])).sum::<f64>();
            points.iter().map(apart).fold(f64::MAX, f64::min)
        };
        let mut best = candidate(0);
        let mut room = clearance(&best);
        for draw in 1..TRIES {
            let other = candidate(draw);
            let other_room = clearance(&other);
            if other_room > room {
                (best, room) = (other, other_room);
            }
        }
        points.push(best);
    }
    points
}

/// The numbers of a group for one seed.
pub(super) struct DrawnGroup {
    pub(super) shape: DrawnShape,
    pub(super) position: [Drawn; 3],
    pub(super) turn: [Drawn; 3],
    pub(super) velocity: [Drawn; 3],
    pub(super) spin: [Drawn; 3],
    pub(super) density: Drawn,
    pub(super) friction: Drawn,
    pub(super) restitution: Drawn,
}

pub(super) enum DrawnShape {
    Ball(Drawn),
    Capsule([Drawn; 2]),
    Box([Drawn; 3]),
    Cylinder([Drawn; 2]),
    Mesh(usize, Drawn),
}

impl Group {
    pub(super) fn fix(&self, genome: &Genome) -> DrawnGroup {
        DrawnGroup {
            shape: match &self.shape {
                Shape::Ball(radius) => DrawnShape::Ball(radius.fix(genome)),
                Shape::Capsule(of) => DrawnShape::Capsule(fixed(of, genome)),
                Shape::Box(edges) => DrawnShape::Box(fixed(edges, genome)),
                Shape::Cylinder(of) => DrawnShape::Cylinder(fixed(of, genome)),
                Shape::Mesh(mesh, scale) => DrawnShape::Mesh(*mesh, scale.fix(genome)),
            },
            position: fixed(&self.position, genome),
            turn: fixed(&self.turn, genome),
            velocity: fixed(&self.velocity, genome),
            spin: fixed(&self.spin, genome),
            density: self.density.fix(genome),
            friction: self.friction.fix(genome),
            restitution: self.restitution.fix(genome),
        }
    }
}
