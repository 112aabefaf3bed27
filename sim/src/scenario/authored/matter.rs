//! Matter of a scene: its tank, what it is made of, the blocks that are there at first and the emitters.

use super::{
    Declared, Named, SceneError, Time,
    bodies::{Arrangement, PLACE, SPEED, vector},
    mesh::EmbeddedMesh,
    quantity::{Quantity, When, Word, fixed, values},
    reader::{Field, Table, bounds},
    tank::{MAX_MODULI, MAX_YIELD},
};
use crate::genome::Genome;

/// The most particles of a scene.
pub const MAX_PARTICLES: usize = 400_000;

/// Edges of cells that a tank may have, over all seeds.
const MAX_TANKS: usize = 16;

/// The most cells of a tank along an axis, and the fewest.
pub const MAX_CELLS: u32 = 88;
const MIN_CELLS: u32 = 8;

/// The most particles that an emitter gives off in a second.
const MOST_A_SECOND: f64 = 1e6;

/// Particles along a cell.
pub(super) const PER_CELL: f64 = 2.0;

/// A box around the origin of x and z, from y = 0 up, that matter cannot leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tank {
    /// Cells along x, y and z, 8 to 88 each.
    pub cells: [u32; 3],
    /// The edge of a cell, metres.
    pub cell: f64,
    /// Density of all matter in it, kg/m³.
    pub density: f64,
}

/// A tank as the file has it.
#[derive(Debug, Clone)]
pub(super) struct Basin {
    size: [f64; 3],
    cell: Quantity,
    density: f64,
}

/// What matter is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Material {
    /// How it moves.
    pub kind: MaterialKind,
    /// Which of the scene's looks, in the order of their names.
    pub look: usize,
}

/// How matter moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaterialKind {
    /// Flows.
    Liquid {
        /// Pressure for a volume change, relative to water in these tanks, 0.1 to 10.
        stiffness: f64,
        /// Relative to water, 0 to 1000.
        viscosity: f64,
        /// How it holds together, 0 to 1.
        cohesion: f64,
    },
    /// Springs back.
    Jelly {
        /// Shear modulus, kPa, 0.1 to 1000.
        shear: f64,
        /// Bulk modulus, kPa, 0.1 to 1000.
        bulk: f64,
    },
    /// Sand: slides when it is steeper than its friction angle.
    Grains {
        /// Radians, from 0 to 60°.
        friction_angle: f64,
    },
    /// Holds its shape until it is pushed harder than it can bear.
    Paste {
        /// kPa, 0.01 to 100.
        yield_stress: f64,
    },
}

/// Matter that is there at first.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) when: Option<When>,
    pub(super) material: Word,
    pub(super) path: String,
    pub(super) shape: BlockShape,
    pub(super) arrange: Arrangement,
    pub(super) position: [Quantity; 3],
    pub(super) velocity: [Quantity; 3],
}

#[derive(Debug, Clone)]
pub(super) enum BlockShape {
    Box([Quantity; 3]),
    Ball(Quantity),
    Mesh(usize, Quantity),
}

/// Gives off matter.
#[derive(Debug, Clone)]
pub(super) struct Emitter {
    pub(super) when: Option<When>,
    pub(super) material: Word,
    pub(super) path: String,
    /// Where particles come from.
    pub(super) mouth: Mouth,
    pub(super) position: [Quantity; 3],
    pub(super) velocity: [Quantity; 3],
    /// Particles a second; as many as fill the jet where it is left out.
    pub(super) rate: Option<f64>,
    /// Seconds.
    pub(super) from: f64,
    pub(super) until: f64,
}

#[derive(Debug, Clone)]
pub(super) enum Mouth {
    Box([Quantity; 3]),
    /// Of this radius, facing along the velocity.
    Disc(Quantity),
}

impl Basin {
    /// The basin, and every tank that a seed or an override can make of it.
    pub(super) fn read(field: &Field<'_>, declared: &Declared) -> Result<(Self, Vec<Tank>), SceneError> {
        let mut table = field.table()?;
        let size = table.need("size")?.numbers::<3>(bounds(0.05, 100.0, "m"))?;
        let cell_field = table.need("cell")?;
        let cell = cell_field.quantity(declared, bounds(0.002, 5.0, "m"))?;
        let density = table.get("density");
        let density = density.map_or(Ok(1000.0), |field| field.number(bounds(100.0, 10_000.0, "kg/m³")))?;
        table.finish()?;
        let mut edges = cell.each(declared).unwrap_or_default();
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        if !(1..=MAX_TANKS).contains(&edges.len()) {
            let help = "choose it by a number, a trait, or a param with `integer = true` and up to 16 values";
            return Err(cell_field.wrong("can be too many numbers to look at each of them", help));
        }
        let basin = Self { size, cell, density };
        let tanks: Vec<Tank> = edges.into_iter().map(|edge| basin.with(edge)).collect();
        for many in tanks.iter().flat_map(|tank| tank.cells) {
            if !(MIN_CELLS..=MAX_CELLS).contains(&many) {
                let help = format!("each axis has {MIN_CELLS} to {MAX_CELLS} cells: choose another `size` or `cell`");
                return Err(cell_field.wrong(format!("makes {many} cells along an axis"), help));
            }
        }
        Ok((basin, tanks))
    }

    fn with(&self, cell: f64) -> Tank {
        Tank { cells: self.size.map(|edge| (edge / cell).round() as u32), cell, density: self.density }
    }

    pub(super) fn fix(&self, genome: &Genome) -> Tank {
        self.with(self.cell.value(genome))
    }
}

impl Tank {
    /// Its edges, in metres.
    #[must_use]
    pub fn size(&self) -> [f64; 3] {
        self.cells.map(|n| f64::from(n) * self.cell)
    }

    /// Metres between particles at rest.
    pub(super) fn spacing(&self) -> f64 {
        self.cell / PER_CELL
    }

    /// Particles a second that a jet at rest density has, of so many m³ a second.
    fn full_jet(&self, flow: f64) -> f64 {
        let spacing = self.spacing();
        (flow / (spacing * spacing * spacing)).min(MOST_A_SECOND)
    }

    /// Refuses matter that could stand outside, for some seed.
    fn holds(
        &self,
        field: &Field<'_>,
        position: &[Quantity; 3],
        reach: [[f64; 2]; 3],
        declared: &Declared,
    ) -> Result<(), SceneError> {
        let (size, slack) = (self.size(), 1e-9);
        for axis in 0..3 {
            let (low, high) = if axis == 1 { (0.0, size[1]) } else { (-size[axis] / 2.0, size[axis] / 2.0) };
            let [mut least, mut most] = position[axis].reach(declared);
            (least, most) = (least + reach[axis][0], most + reach[axis][1]);
            if least < low - slack || most > high + slack {
                return Err(field.wrong(
                    format!("can reach from {least:.3} to {most:.3} m in {}", ["x", "y", "z"][axis]),
                    format!("matter stays in the tank: there, from {low:.3} to {high:.3} m"),
                ));
            }
        }
        Ok(())
    }
}

impl Material {
    pub(super) fn read(field: &Field<'_>, looks: &[&str], tanks: &[Tank], time: &Time) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let number = |table: &mut Table<'_>, name, low, high, unit, usual: f64| {
            table.get(name).map_or(Ok(usual), |field: Field<'_>| field.number(bounds(low, high, unit)))
        };
        let kind = match table.need("kind")?.one_of(&["liquid", "jelly", "grains", "paste"])? {
            0 => MaterialKind::Liquid {
                stiffness: number(&mut table, "stiffness", 0.1, 10.0, "", 1.0)?,
                viscosity: number(&mut table, "viscosity", 0.0, 1000.0, "", 1.0)?,
                cohesion: number(&mut table, "cohesion", 0.0, 1.0, "", 0.0)?,
            },
            1 => MaterialKind::Jelly {
                shear: number(&mut table, "shear", 0.1, 1000.0, "kPa", 10.0)?,
                bulk: number(&mut table, "bulk", 0.1, 1000.0, "kPa", 20.0)?,
            },
            2 => MaterialKind::Grains {
                friction_angle: number(&mut table, "friction_angle", 0.0, 60.0, "°", 35.0)?
                    * (std::f64::consts::PI / 180.0),
            },
            _ => MaterialKind::Paste { yield_stress: number(&mut table, "yield_stress", 0.01, 100.0, "kPa", 1.0)? },
        };
        let look = table.need("look")?.one_of(looks)?;
        table.finish()?;
        let material = Self { kind, look };
        tanks.iter().try_for_each(|tank| material.fits(field, tank, time))?;
        Ok(material)
    }

    /// Refuses what is too stiff for the cells and steps: its waves would run further than a cell in a step.
    fn fits(&self, field: &Field<'_>, tank: &Tank, time: &Time) -> Result<(), SceneError> {
        let (what, stiff, most) = match self.kind {
            MaterialKind::Jelly { shear, bulk } => ("`shear` and `bulk` together", shear + bulk, MAX_MODULI),
            MaterialKind::Paste { yield_stress } => ("`yield_stress`", yield_stress, MAX_YIELD),
            MaterialKind::Liquid { .. } | MaterialKind::Grains { .. } => return Ok(()),
        };
        let most = most / tank.kilopascal(time.rate);
        if stiff <= most {
            return Ok(());
        }
        Err(field.wrong(
            format!("is too stiff: {what} come to {stiff} kPa, of at most {most:.3} for these cells and steps"),
            "choose less, a larger `cell` of the tank, or a higher `rate` of the time",
        ))
    }
}

/// The edge of the smallest cells.
fn finest(tanks: &[Tank]) -> f64 {
    tanks.iter().map(|tank| tank.cell).fold(f64::MAX, f64::min)
}

/// What flows through the faces of a box, m³ a second.
fn through_box(edges: [f64; 3], velocity: [f64; 3]) -> f64 {
    (0..3).map(|i| velocity[i].abs() * edges[(i + 1) % 3] * edges[(i + 2) % 3]).sum()
}

/// What flows through a disc across the velocity, m³ a second.
fn through_disc(radius: f64, velocity: [f64; 3]) -> f64 {
    std::f64::consts::PI * radius * radius * velocity.iter().map(|v| v * v).sum::<f64>().sqrt()
}

impl Block {
    /// The block, and the most places that it can be in and particles that it can be.
    pub(super) fn read(
        field: &Field<'_>,
        declared: &Declared,
        tanks: &[Tank],
        materials: &[&str],
        meshes: &Named<EmbeddedMesh>,
    ) -> Result<(Self, [u64; 2]), SceneError> {
        let mut table = field.table()?;
        let when = When::of(&mut table, declared)?;
        let material = table.need("material")?.word(declared, materials)?;
        let size = bounds(finest(tanks), 100.0, "m");
        let (kind, value) = table.choice(&["box", "ball", "mesh"])?;
        let shape = match kind {
            "box" => BlockShape::Box(value.quantities(declared, size)?),
            "ball" => BlockShape::Ball(value.quantity(declared, size)?),
            _ => {
                let names: Vec<&str> = meshes.iter().map(|(name, _)| name.as_str()).collect();
                let mesh = value.one_of(&names)?;
                let scale = super::bodies::number(&mut table, "scale", declared, bounds(0.01, 100.0, ""), 1.0)?;
                BlockShape::Mesh(mesh, scale)
            }
        };
        let (arrange, [_, places]) = Arrangement::of(&mut table, declared)?;
        let place = table.need("position")?;
        let position = place.quantities(declared, PLACE)?;
        let velocity = vector(&mut table, "velocity", declared, SPEED)?;
        table.finish()?;
        let most = |quantity: &Quantity| quantity.reach(declared)[1];
        let half: [f64; 3] = match &shape {
            BlockShape::Box(edges) => edges.each_ref().map(|edge| most(edge) / 2.0),
            BlockShape::Ball(radius) => [most(radius); 3],
            BlockShape::Mesh(mesh, scale) => {
                let (_, EmbeddedMesh { low, high, .. }) = &meshes[*mesh];
                std::array::from_fn(|i| most(scale) * f64::from(high[i].abs().max(low[i].abs())))
            }
        };
        let offsets = arrange.reach(declared);
        let reach = std::array::from_fn(|i| [offsets[i][0] - half[i], offsets[i][1] + half[i]]);
        let mut most_particles = 0;
        for tank in tanks {
            tank.holds(&place, &position, reach, declared)?;
            let along = half.map(|half| (2.0 * half / tank.spacing()).round().max(1.0));
            let all = along.iter().product::<f64>();
            // Of the points of a grid, a ball holds little more than its share of their volume.
            let round = matches!(shape, BlockShape::Ball(_));
            let count = if round { (0.53 * all + 4.0 * along[0] * along[0]).min(all) } else { all };
            most_particles = most_particles.max((count as u64).saturating_mul(places.into()));
        }
        let block = Self { when, material, path: field.path.clone(), shape, arrange, position, velocity };
        Ok((block, [places.into(), most_particles]))
    }
}

impl Emitter {
    /// The emitter, and how many particles it gives off.
    pub(super) fn read(
        field: &Field<'_>,
        declared: &Declared,
        tanks: &[Tank],
        materials: &[&str],
        time: &Time,
    ) -> Result<(Self, u64), SceneError> {
        let mut table = field.table()?;
        let when = When::of(&mut table, declared)?;
        let material = table.need("material")?.word(declared, materials)?;
        let (kind, value) = table.choice(&["disc", "box"])?;
        let size = bounds(finest(tanks) / 2.0, 100.0, "m");
        let mouth = match kind {
            "disc" => Mouth::Disc(value.quantity(declared, size)?),
            _ => Mouth::Box(value.quantities(declared, size)?),
        };
        let place = table.need("position")?;
        let position = place.quantities(declared, PLACE)?;
        let velocity = vector(&mut table, "velocity", declared, SPEED)?;
        let most = |quantity: &Quantity| quantity.reach(declared)[1];
        let half = match &mouth {
            Mouth::Box(edges) => edges.each_ref().map(|edge| most(edge) / 2.0),
            Mouth::Disc(radius) => [most(radius); 3],
        };
        tanks.iter().try_for_each(|tank| tank.holds(&place, &position, half.map(|half| [-half, half]), declared))?;
        let rate = table.get("rate").map(|field| field.number(bounds(1.0, MOST_A_SECOND, "particles a second")));
        let rate = rate.transpose()?;
        let may_stop =
            || velocity.iter().all(|v| matches!(v.reach(declared), [low, high] if low <= 0.0 && high >= 0.0));
        if rate.is_none() && (velocity.iter().any(Quantity::is_drawn) || may_stop()) {
            let help = "give it a `rate`, or a velocity that is not drawn and never 0";
            return Err(field.wrong("has no `rate`, and none that follows from its velocity", help));
        }
        let second = bounds(0.0, time.seconds(), "s");
        let from = table.get("from").map_or(Ok(0.0), |field| field.number(second))?;
        let until = table.get("until");
        let end = until.as_ref().map_or(Ok(time.seconds()), |field| field.number(second))?;
        if end < from {
            return Err(until
                .unwrap_or(place)
                .wrong("is before `from`", "an emitter gives off between `from` and `until`"));
        }
        table.finish()?;
        let fastest = velocity.each_ref().map(|v| {
            let [low, high] = v.reach(declared);
            low.abs().max(high.abs())
        });
        let full = tanks.iter().map(|tank| match &mouth {
            Mouth::Box(edges) => tank.full_jet(through_box(edges.each_ref().map(most), fastest)),
            Mouth::Disc(radius) => tank.full_jet(through_disc(most(radius), fastest)),
        });
        let count = rate.unwrap_or_else(|| full.fold(0.0, f64::max)) * (end - from);
        let path = field.path.clone();
        Ok((Self { when, material, path, mouth, position, velocity, rate, from, until: end }, count.ceil() as u64))
    }

    /// Particles a second.
    pub(super) fn rate(&self, tank: &Tank, genome: &Genome) -> f64 {
        let velocity = fixed(&self.velocity, genome).map(|v| v.at(0));
        self.rate.unwrap_or_else(|| match &self.mouth {
            Mouth::Box(edges) => tank.full_jet(through_box(values(edges, genome), velocity)),
            Mouth::Disc(radius) => tank.full_jet(through_disc(radius.value(genome), velocity)),
        })
    }
}
