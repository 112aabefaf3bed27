//! A weakly compressible liquid in fixed point: the moving-least-squares material point method.
//!
//! Hu et al., *A moving least squares material point method with displacement discontinuity and two-way rigid body
//! coupling* (2018), with affine transfers (Jiang et al., *The affine particle-in-cell method*, 2015) and quadratic
//! B-splines, in grid units: one cell, one step, one particle's mass. This page is the specification that the Rust
//! twin (`twin.rs`) and the WGSL kernel (`kernel.wgsl`) both follow; `tests/twins.rs` holds them equal, bit for bit.
//!
//! **State**, sixteen `i32` a particle: position `x` (3, Q24, cells), velocity `v` (3, Q24, cells a step), velocity
//! gradient `C` (9, row by row, Q24, per step), relative density `r` (Q24, 1 at rest). Products are `mul24`/`mul30`
//! of [`crate::fixed`], which round to nearest, symmetrically. Sums are exact and so may be taken in any order.
//!
//! **Weights** of a particle in the cell `b = x >> 24`: `f = (x mod 1) − ½` in Q30, `w₀ = (½−f)²/2`,
//! `w₂ = (½+f)²/2` (the halving is a flooring shift of a positive number), `w₁ = 1 − w₀ − w₂`; a node's weight is
//! `mul30(mul30(wx, wy), wz)`. Nodes sit in the middle of cells `b−1 ..= b+1`.
//!
//! **1. Scatter.** Pressure over density is `E = clamp(mul24(stiffness, r⁶ − 1), −cohesion, MAX_PRESSURE)` with `r`
//! limited to 2 and `r⁶ = mul24(mul24(r²,r²), r²)`. The affine matrix is `A = C − 4·mul24(viscosity, C + Cᵀ) + 4E·I`.
//! A particle's mass is ½, which leaves its sums more room: with `h = w >> 1`, a node at offset `d = node − x` gets
//! mass `mul30(ONE, h)` and momentum `mul30(q, h)`, `q = v + A·d`, where `A·d` is evaluated at node (0,0,0) by
//! `mul24` and then advanced by adding columns of `A`.
//!
//! **2. Grid.** At a node of mass `m > 0`: `u = div24(p, m)`, each component limited to ±[`MAX_SPEED`]; then
//! `u += g + M·(node − centre)` and `u −= mul24(u, drag)` with this step's force (`g` and `drag` Q24; `M` Q30 times
//! Q24, `mul30`); then, at a node beyond
//! the wall, with its stored outward normal `n` (Q30): `s = Σ mul30(u, n)`; where `s > 0`, `u −= mul30(n, s)` and the
//! rest is damped by `u −= mul24(u, wall_friction)`; then limited again. A node of mass 0 has `u = 0`. At last each node's
//! mass gains that of the liquid that the wall stands for ([`Liquid::wall`]): without it, particles at the wall would
//! miss half of their neighbours, feel no pressure and pile up there.
//! Bounds: `m < MAX_NODE_MASS`; otherwise the run fails.
//!
//! **3. Gather.** `v' = Σ mul30(u, w)`, `ρ = Σ mul30(m, w)`, first moments `B = Σ mul30(u, w)·(offset of the node's
//! cell from b)`; `C' = 4·(B − mul24(v', f₂₄))`, `f₂₄ = (x mod 1) − ½` in Q24, each entry limited to ±[`MAX_RATE`].
//! `r' = mul24(ρ, 2/rest density)`, then `r' −= mul24(r', tr C')`, because the particle moves on, limited to 0..2.
//! `x' = x + v'`, kept two cells from the grid's rim.

pub mod force;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod twin;

use crate::fixed::{ONE, div24, mul24, q24};

pub use force::Force;

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

/// Mass that no node reaches, Q24: that of 42 particles. It keeps momentum sums within 32 bits: no component of `q` exceeds
/// 0.9 + 1.5·(3·½·(1 + 8·0.1) + 4·0.15) = 5.85 in magnitude, and 21 · 5.85 < 128.
pub const MAX_NODE_MASS: i32 = 21 * ONE;

/// The constants of a liquid and its vessel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Liquid {
    /// Cells along each axis, a multiple of 4, 16 to 96.
    pub cells: u32,
    /// Particles a cell at rest, Q24.
    pub rest_density: i32,
    /// Stiffness of the equation of state, Q24 cells² a step².
    pub stiffness: i32,
    /// Largest tension over density, Q24.
    pub cohesion: i32,
    /// Kinematic viscosity, Q24 cells² a step, at most 0.1.
    pub viscosity: i32,
    /// Share of the tangential speed lost at the wall each step, Q24.
    pub wall_friction: i32,
    /// Radius of the spherical vessel around the grid's centre, in cells, Q24.
    pub vessel_radius: i32,
}

impl Liquid {
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

    /// The wall: for each node (x slowest), beyond the vessel its outward unit normal, Q30, and zero elsewhere; then
    /// the mass that liquid at rest would have in the part of its cell that lies beyond the vessel, Q24.
    #[must_use]
    pub fn wall(&self) -> Vec<[i32; 4]> {
        let (cells, radius) = (i64::from(self.cells), f64::from(self.vessel_radius) / f64::from(ONE));
        let cell_mass = f64::from(self.rest_density) / f64::from(ONE) / 2.0;
        let offset = |i: i64| (i as f64 + 0.5) - cells as f64 / 2.0;
        let node = |index: i64| {
            let d = [offset(index / (cells * cells)), offset(index / cells % cells), offset(index % cells)];
            let length = (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt();
            let beyond = q24(cell_mass * (length - radius + 0.5).clamp(0.0, 1.0));
            let [x, y, z] = if length <= radius { [0; 3] } else { d.map(|c| crate::fixed::q30(c / length)) };
            [x, y, z, beyond]
        };
        (0..cells * cells * cells).map(node).collect()
    }

    /// Whether a particle is as every step leaves it: at least two cells inside the grid, and its velocity, velocity
    /// gradient and density within their limits. A velocity is a sum of 27 rounded products, so it may be above by as many.
    #[must_use]
    pub fn is_within_limits(&self, particle: &Particle) -> bool {
        let within = |words: &[i32], most: i32| words.iter().all(|word| (-most..=most).contains(word));
        particle[..3].iter().all(|x| (2 * ONE..(self.cells as i32 - 2) * ONE).contains(x))
            && within(&particle[3..6], MAX_SPEED + 27)
            && within(&particle[6..15], MAX_RATE)
            && (0..=2 * ONE).contains(&particle[15])
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

/// Pressure over density of a particle of relative density `r`, Q24.
#[inline(always)]
#[must_use]
pub fn pressure(liquid: &Liquid, r: i32) -> i32 {
    let r = r.clamp(0, 2 * ONE);
    let squared = mul24(r, r);
    let sixth = mul24(mul24(squared, squared), squared);
    mul24(liquid.stiffness, sixth - ONE).clamp(-liquid.cohesion, MAX_PRESSURE)
}

/// Why a liquid could not be stepped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FluidError {
    /// A grid sum could have overflowed.
    #[error("the liquid was squeezed beyond {} particles a node by step {step}: lower the forces", MAX_NODE_MASS / ONE * 2)]
    Overfull {
        /// The step in which, or by which, it was seen.
        step: u32,
    },
    /// The graphics device failed.
    #[error("the graphics device failed: {0}; run with `--backend cpu`")]
    Device(String),
}
