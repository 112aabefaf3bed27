//! Matter in fixed point: liquids, jellies, grains and pastes by the moving-least-squares material point method.
//!
//! Hu et al., *A moving least squares material point method with displacement discontinuity and two-way rigid body
//! coupling* (2018), with affine transfers (Jiang et al., *The affine particle-in-cell method*, 2015) and quadratic
//! B-splines, in grid units: one cell, one step, one particle's mass. This page is the specification that the Rust
//! twin (`twin.rs`) and the WGSL kernel (`kernel.wgsl`) both follow; `tests/twins.rs` holds them equal, bit for bit.
//!
//! **State**, sixteen `i32` a particle: position `x` (3, Q24, cells), velocity `v` (3, Q24, cells a step), velocity
//! gradient `C` (9, row by row, Q24, per step), relative density `r` (Q24, 1 at rest); in a world that has more than
//! liquid, six more: the strain `S = b − I` (xx, yy, zz, xy, xz, yz, Q24), `b` the left Cauchy–Green tensor. Products
//! are `mul24`/`mul30` of [`crate::fixed`], which round to nearest, symmetrically. Sums are exact and so may be taken in
//! any order. A particle that is not born yet takes no part.
//!
//! **Weights** of a particle in the cell `b = x >> 24`: `f = (x mod 1) − ½` in Q30, `w₀ = (½−f)²/2`,
//! `w₂ = (½+f)²/2` (the halving is a flooring shift of a positive number), `w₁ = 1 − w₀ − w₂`; a node's weight is
//! `mul30(mul30(wx, wy), wz)`. Nodes sit in the middle of cells `b−1 ..= b+1`.
//!
//! **1. Scatter.** Pressure over density is `E = clamp(mul24(stiffness, r⁶ − 1), −cohesion, MAX_PRESSURE)` with `r`
//! limited to 2 and `r⁶ = mul24(mul24(r²,r²), r²)`. The affine matrix is `A = C − 4·mul24(viscosity, C + Cᵀ) + 4E·I − 4T`
//! with the stress over density `T` that [`stress`] gives a solid's strain.
//! A particle's mass is ½, which leaves its sums more room: with `h = w >> 1`, a node at offset `d = node − x` gets
//! mass `mul30(ONE, h)` and momentum `mul30(q, h)`, `q = v + A·d`, where `A·d` is evaluated at node (0,0,0) by
//! `mul24` and then advanced by adding columns of `A`.
//!
//! **2. Grid.** At a node of mass `m > 0`: `u = div24(p, m)`, each component limited to ±[`MAX_SPEED`]; then
//! `u += g + M·(node − centre)` and `u −= mul24(u, drag)` with this step's force (`g` and `drag` Q24; `M` Q30 times
//! Q24, `mul30`); then, in a body, what [`collider`] says; then, at a node beyond the wall, what [`vessel`] says; then
//! limited again. A node of mass 0 has `u = 0`. At last each node's mass gains that of the matter that bodies and the
//! wall stand for: without it, particles beside them would miss half of their neighbours, feel no pressure and pile up
//! there. Bounds: `m <` [`Matter::max_node_mass`], and in no cell more than [`MAX_IN_CELL`] particles; otherwise the run
//! fails.
//!
//! **3. Gather.** `v' = Σ mul30(u, w)`, `ρ = Σ mul30(m, w)`, first moments `B = Σ mul30(u, w)·(offset of the node's
//! cell from b)`; `C' = 4·(B − mul24(v', f₂₄))`, `f₂₄ = (x mod 1) − ½` in Q24, each entry limited to ±[`MAX_RATE`].
//! With `ρ' = mul24(ρ, 2/rest density)` and the material's memory, `r' = ρ' + mul24(r − ρ', memory)`, then
//! `r' −= mul24(r', tr C')`, because the particle moves on, limited to 0..2.
//! `S'` is what [`strained`] makes of `S` and `C'`. `x' = x + v'`, kept inside a box, or two cells from the grid's rim
//! where the vessel is a ball, and out of bodies.

pub mod collider;
pub mod force;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod material;
pub mod twin;
pub mod vessel;

use crate::fixed::{ONE, div24, mul24, q24};

pub use collider::{Collider, Colliders, Impulse};
pub use force::Force;
pub use material::{Law, MAX_MATERIALS, Material, STRAIN_WORDS, Strain, strained, stress};
pub use vessel::Vessel;

/// Words of state a particle.
pub const WORDS: usize = 16;

/// One particle: `x` (3), `v` (3), `C` (9), `r` (1).
pub type Particle = [i32; WORDS];

/// Fastest that a node moves along an axis, Q24 cells a step.
pub const MAX_SPEED: i32 = ONE / 10 * 9;

/// Largest entry of a velocity gradient, Q24 per step.
pub const MAX_RATE: i32 = ONE / 2;

/// Largest pressure over density, Q24.
pub const MAX_PRESSURE: i32 = ONE / 20 * 3;

/// Most particles that a cell holds.
///
/// A node's mass is a sum modulo 256, so that this has to keep it below: the weight at a node is at most ¾ along an axis
/// for a particle in the node's own cell, ½ for one in a cell beside it. Over the 27 cells around a node that makes
/// (½ + ¾ + ½)³ = 5.36 times 95 halves, 254.6.
pub const MAX_IN_CELL: u8 = 95;

/// A grid node: mass and momentum, later mass and velocity, Q24.
type Node = [i32; 4];

/// What a particle is made of, and from when on it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Kind {
    /// Index into [`Matter::materials`].
    pub material: u32,
    /// The first step that it takes part in.
    pub birth: u32,
}

/// The particles of a world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Particles {
    /// Their states.
    pub states: Vec<Particle>,
    /// Their strains; none at all where everything is one liquid from the first step on.
    pub strains: Vec<Strain>,
    /// What they are, as many as there are strains.
    pub kinds: Vec<Kind>,
}

impl Particles {
    /// Particles of one liquid.
    #[must_use]
    pub fn liquid(states: Vec<Particle>) -> Self {
        Self { states, ..Self::default() }
    }

    /// Particles of these kinds, unstrained.
    #[must_use]
    pub fn of(states: Vec<Particle>, kinds: Vec<Kind>) -> Self {
        Self { strains: vec![[0; STRAIN_WORDS]; states.len()], states, kinds }
    }
}

/// The constants of matter and its vessel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matter {
    /// Cells along each axis, a multiple of 4, 16 to 96.
    pub cells: u32,
    /// Particles a cell at rest, Q24.
    pub rest_density: i32,
    /// The materials, 1 to [`MAX_MATERIALS`].
    pub materials: Vec<Material>,
    /// Share of the tangential speed lost at the wall each step, Q24.
    pub wall_friction: i32,
    /// What holds it all.
    pub vessel: Vessel,
}

impl Matter {
    /// Number of grid nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        (self.cells as usize).pow(3)
    }

    /// The grid's centre along each axis, Q24.
    #[must_use]
    pub fn center(&self) -> i32 {
        (self.cells as i32 * ONE) / 2
    }

    /// 1 / mass of a cell at rest, Q24.
    #[must_use]
    pub fn inverse_density(&self) -> i32 {
        div24(2 * ONE, self.rest_density)
    }

    /// Mass of a cell at rest, Q24.
    #[must_use]
    pub fn cell_mass(&self) -> i32 {
        self.rest_density / 2
    }

    /// Mass that no node reaches by a step that counts, Q24: that of 42 particles, or of 32 where there are solids. It keeps momentum sums within
    /// 32 bits: 21 · 5.86 < 128, and 16 · 7.66 < 128 ([`Matter::max_push`]).
    #[must_use]
    pub fn max_node_mass(&self) -> i32 {
        if self.has_solids() { 16 * ONE } else { 21 * ONE }
    }

    /// What no component of a `q` exceeds, Q24. A row of `A` sums to at most 3·½·(1 + 8·viscosity) + 4·0.15 in a liquid, whose
    /// viscosity is at most 0.1, so that it is 0.9 + 1.5·3.3 = 5.85. In a solid, of a viscosity of at most 0.05, three
    /// entries of its stress come on top: 0.9 + 1.5·(2.1 + 4·0.15·4) = 7.65. A hundredth is for rounding.
    #[must_use]
    pub fn max_push(&self) -> i32 {
        if self.has_solids() { ONE / 100 * 766 } else { ONE / 100 * 586 }
    }

    fn has_solids(&self) -> bool {
        self.materials.iter().any(|material| material.law() != Law::Liquid)
    }

    /// The wall: for each node its normal and the mass that the wall stands for there.
    #[must_use]
    pub fn wall(&self) -> Vec<[i32; 4]> {
        self.vessel.nodes(self.cells, f64::from(self.rest_density) / f64::from(ONE) / 2.0)
    }

    /// Whether all particles are as every step leaves them: at least two cells inside the grid, and their velocities,
    /// velocity gradients, densities and strains within their limits. A velocity is a sum of 27 rounded products, so it may
    /// be above by as many.
    #[must_use]
    pub fn are_within_limits(&self, particles: &Particles) -> bool {
        let within = |words: &[i32], most: i32| words.iter().all(|word| (-most..=most).contains(word));
        let state = |particle: &Particle| {
            particle[..3].iter().all(|x| (2 * ONE..(self.cells as i32 - 2) * ONE).contains(x))
                && within(&particle[3..6], MAX_SPEED + 27)
                && within(&particle[6..15], MAX_RATE)
                && (0..=2 * ONE).contains(&particle[15])
        };
        let strain = |strain: &Strain| {
            strain[..3].iter().all(|entry| (material::MIN_STRAIN..=material::MAX_STRAIN).contains(entry))
                && within(&strain[3..], material::MAX_SHEAR)
        };
        particles.states.iter().all(state) && particles.strains.iter().all(strain)
    }

    /// A particle at rest at `position` (cells) with `velocity` (cells a step).
    #[must_use]
    pub fn particle(position: [f64; 3], velocity: [f64; 3]) -> Particle {
        let mut particle = [0; WORDS];
        for axis in 0..3 {
            particle[axis] = q24(position[axis]);
            particle[3 + axis] = q24(velocity[axis]).clamp(-MAX_SPEED, MAX_SPEED);
        }
        particle[15] = ONE;
        particle
    }
}

/// Pressure over density at relative density `r`, Q24.
#[inline(always)]
#[must_use]
pub fn pressure(material: &Material, r: i32) -> i32 {
    let r = r.clamp(0, 2 * ONE);
    let squared = mul24(r, r);
    let sixth = mul24(mul24(squared, squared), squared);
    mul24(material.stiffness, sixth - ONE).clamp(-material.cohesion, MAX_PRESSURE)
}
