//! A scene's matter, in the units of the kernel: cells and steps.

use super::{
    blueprint::Blueprint,
    forces::Force as Field,
    layout::Layout,
    matter::{Material, MaterialKind, PER_CELL, Tank},
};
use crate::{
    coupled::{Scale, Setup},
    fixed::q24,
    matter::{Force, Kind, Material as Substance, Matter, Particles, Vessel},
};

/// Cells of the grid beyond each of the tank's walls.
const RIM: u32 = 3;

/// Cells along the grid are a multiple of this.
const GRID_STEP: u32 = 4;

/// Share of the tangential speed that matter loses each step along a wall, and at a body.
const WALL_FRICTION: f64 = 0.02;
const BODY_FRICTION: f64 = 0.05;

/// Stiffness of a liquid's equation of state, cells² a step²: its sound takes five steps to cross three cells.
const STIFFNESS: f64 = 0.06;

/// Share of its own density that a liquid's particle keeps each step.
const MEMORY: f64 = 0.95;

/// The shear and bulk moduli together, or the yield stress, that a material may have, over its density, cells² a step².
pub(super) const MAX_MODULI: f64 = 0.2;
pub(super) const MAX_YIELD: f64 = 0.03;

/// The most that gravity and forces accelerate matter by, cells a step²: the bounds of `crate::matter` have room for it.
pub(super) const MAX_ACCELERATION: f64 = 0.1;

impl Tank {
    /// A kilopascal over the density, in cells² a step².
    pub(super) fn kilopascal(&self, rate: u32) -> f64 {
        let step = 1.0 / (f64::from(rate) * self.cell);
        1000.0 / self.density * step * step
    }

    /// Where the grid's corner is, m.
    pub(super) fn corner(&self) -> [f64; 3] {
        let (size, rim) = (self.size(), f64::from(RIM) * self.cell);
        [-size[0] / 2.0 - rim, -rim, -size[2] / 2.0 - rim]
    }

    /// How far the grid reaches from the origin along each axis, m.
    pub(super) fn far(&self) -> [f64; 3] {
        let (corner, edge) = (self.corner(), f64::from(self.grid()) * self.cell);
        corner.map(|c| c.abs().max((c + edge).abs()))
    }

    /// How the scene's lengths and masses are those of the grid.
    pub(super) fn scale(&self) -> Scale {
        Scale { cell: self.cell, corner: self.corner(), density: self.density, drag: BODY_FRICTION }
    }

    fn grid(&self) -> u32 {
        let [x, y, z] = self.cells;
        (x.max(y).max(z) + 2 * RIM).next_multiple_of(GRID_STEP).max(16)
    }
}

impl Material {
    fn substance(&self, tank: &Tank, rate: u32) -> Substance {
        let kilopascal = tank.kilopascal(rate);
        match self.kind {
            MaterialKind::Liquid { stiffness, viscosity, cohesion } => {
                let stiffness = (STIFFNESS * stiffness).min(0.1);
                // Water's own is far below what a grid shows; honey's is as much as one takes.
                let viscosity = 0.01 + 0.09 * (viscosity / 1000.0).sqrt();
                Substance::liquid(stiffness, 0.015 * cohesion, viscosity).remembering(MEMORY)
            }
            MaterialKind::Jelly { shear, bulk } => Substance::jelly(shear * kilopascal, bulk * kilopascal),
            MaterialKind::Grains { friction_angle } => {
                Substance::grains(0.05, 0.1, friction_angle * (180.0 / std::f64::consts::PI))
            }
            MaterialKind::Paste { yield_stress } => {
                let stress = yield_stress * kilopascal;
                // It yields at a strain of no more than a third.
                Substance::paste(STIFFNESS, 0.0, 0.02, (3.0 * stress).max(0.03), stress)
            }
        }
    }
}

/// The matter of a scene at its first step.
pub(super) fn setup(scene: &Blueprint, tank: &Tank, layout: &Layout) -> Setup {
    let (grid, corner, rate) = (tank.grid(), tank.corner(), f64::from(layout.rate));
    let particle = |particle: &super::Particle| {
        let place = [0, 1, 2].map(|axis| (f64::from(particle.position[axis]) - corner[axis]) / tank.cell);
        Matter::particle(place, particle.velocity.map(|v| f64::from(v) / (rate * tank.cell)))
    };
    let kind = |particle: &super::Particle| Kind { material: particle.material.into(), birth: particle.birth };
    let middle = corner.map(|c| c + f64::from(grid) * tank.cell / 2.0);
    Setup {
        matter: Matter {
            cells: grid,
            rest_density: q24(PER_CELL * PER_CELL * PER_CELL),
            materials: scene.materials.iter().map(|(_, material)| material.substance(tank, layout.rate)).collect(),
            wall_friction: q24(WALL_FRICTION),
            vessel: Vessel::Box([RIM; 3], tank.cells.map(|cells| cells + RIM)),
        },
        particles: Particles::of(
            layout.particles.iter().map(particle).collect(),
            layout.particles.iter().map(kind).collect(),
        ),
        forces: (0..layout.steps).map(|step| force(layout, &layout.forces, step, middle, tank.cell)).collect(),
    }
}

/// What gravity and the fields do to matter in a step, about the grid's middle.
fn force(layout: &Layout, fields: &[Field], step: u32, middle: [f64; 3], cell: f64) -> Force {
    let tick = 1.0 / f64::from(layout.rate);
    let mut uniform = layout.gravity.map(f64::from);
    let mut linear = [[0.0; 3]; 3];
    let mut drag = 0.0;
    for field in fields {
        let key = field.at(step);
        let here = key.acceleration(field.center, middle);
        for axis in 0..3 {
            uniform[axis] += here[axis];
            linear[axis][axis] += key.pull[axis];
            let (j, k) = ((axis + 1) % 3, (axis + 2) % 3);
            linear[axis][k] += key.swirl[j];
            linear[axis][j] -= key.swirl[k];
        }
        drag += key.drag;
    }
    let linear = linear.map(|row| row.map(|entry| entry * tick * tick));
    Force::new(uniform.map(|a| a * tick * tick / cell), linear, 1.0 - 1.0 / (1.0 + drag * tick))
}
