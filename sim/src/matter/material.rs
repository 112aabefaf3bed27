//! What matter is made of: how it answers to being squeezed and sheared.
//!
//! **Stress over density** `T` of a strain `S`, by the material's law, is nothing for a liquid;
//! - for a jelly, compressible neo-Hookean (Simo and Pister, *Remarks on rate constitutive equations for finite
//!   deformation problems*, 1984): `T = shear·S + (bulk/2)(det b − 1)·I`, with `b = I + S`; so at `det b → 0` the pressure
//!   is bulk/2, which is bounded, and nothing is taken a root or a logarithm of;
//! - for a paste and for grains, `T = shear·S`, and `S` has no trace: their pressure is the liquid's.
//!
//! The determinant is `b_xx·m₁ − b_xy·m₂ + b_xz·m₃` with the minors of the first row, all by `mul24`. Each entry of `T` is
//! limited to ±[`MAX_STRESS`]. *Bounds:* no diagonal entry of `b` is negative or exceeds 4, no other exceeds 2; so
//! −4 ≤ m₁ ≤ 16, |m₂|, |m₃| ≤ 12, and −64 ≤ det b ≤ 112.
//!
//! **The strain moves with the matter**: with `M = I + C'`, `S' = M·b·Mᵀ − I` (the products `M·b` first), diagonal entries
//! limited to `MIN_STRAIN..=MAX_STRAIN`, others to ±[`MAX_SHEAR`], which cuts off nothing that is stretched to less than
//! twice its length. *Bounds:* an entry of `C'` is at most ½, so that no entry of `M·b` exceeds 8, and none of `M·b·Mᵀ` 20. Of a
//! paste's and of grains' strain the trace is taken away, each entry is limited to ±½, and then it
//! yields (Saramito, *A new constitutive equation for elastoviscoplastic fluid flows*, 2007; for grains the limit is that
//! of Drucker and Prager): with `n` its Frobenius norm and `limit = yield + mul24(max(E, 0), friction)`, both over the shear
//! modulus and below 22, where `n > limit` each entry becomes `mul24(S, div24(limit, n))`.
//!
//! The norm is `root(s) >> 3` with `s` the sum of squares in Q30, `mul24(S << 3, S << 3)` each, and `root` that of
//! [`crate::fixed`].

use crate::fixed::{ONE, div24, mul24, q24, root};

use super::{MAX_PRESSURE, pressure};

/// Materials in one world.
pub const MAX_MATERIALS: usize = 8;

/// Largest entry of a stress over density, Q24.
pub const MAX_STRESS: i32 = MAX_PRESSURE;

/// Range of a strain's diagonal, Q24: from a quarter of a length to twice of it.
pub const MIN_STRAIN: i32 = -ONE / 16 * 15;
/// See [`MIN_STRAIN`].
pub const MAX_STRAIN: i32 = 3 * ONE;

/// Largest other entry of a strain, Q24.
pub const MAX_SHEAR: i32 = 2 * ONE;

/// Words of a strain: xx, yy, zz, xy, xz, yz.
pub const STRAIN_WORDS: usize = 6;

/// A particle's strain, Q24.
pub type Strain = [i32; STRAIN_WORDS];

/// Which law a material follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// It resists pressure, and shear only while it flows.
    Liquid,
    /// It goes back to the shape it had.
    Jelly,
    /// It keeps its shape up to a limit, and beyond it flows.
    Plastic,
}

/// The constants of a material; all Q24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Material {
    /// 0 a liquid's, 1 a jelly's, 2 a plastic's.
    law: i32,
    /// Stiffness of the equation of state, cells² a step².
    pub(super) stiffness: i32,
    /// Largest tension over density.
    pub(super) cohesion: i32,
    /// Kinematic viscosity, cells² a step.
    pub(super) viscosity: i32,
    /// Shear modulus over density, cells² a step².
    shear: i32,
    /// Half of the bulk term over density.
    half_bulk: i32,
    /// Strain at which it yields without any pressure.
    yields: i32,
    /// Strain by which it yields later, per pressure over density.
    friction: i32,
    /// Share of a particle's own density that it keeps, where the grid says another.
    pub(super) memory: i32,
}

impl Material {
    /// A liquid: the stiffness of its equation of state and its largest tension, cells² a step², up to 0.15; its viscosity,
    /// cells² a step, up to 0.1.
    #[must_use]
    pub fn liquid(stiffness: f64, cohesion: f64, viscosity: f64) -> Self {
        let [stiffness, cohesion, viscosity] = [stiffness, cohesion, viscosity].map(q24);
        Self { law: 0, stiffness, cohesion, viscosity, shear: 0, half_bulk: 0, yields: 0, friction: 0, memory: 0 }
    }

    /// The same, with particles that keep this share of their own density each step, 0 to 1, where the grid, which cannot
    /// see how they lie within a cell, says another: what is nearly at rest stays even.
    #[must_use]
    pub fn remembering(self, memory: f64) -> Self {
        Self { memory: q24(memory), ..self }
    }

    /// A jelly: its shear modulus and its second Lamé parameter over its density, cells² a step², up to 0.2 together.
    #[must_use]
    pub fn jelly(shear: f64, bulk: f64) -> Self {
        let [shear, half_bulk] = [shear, bulk / 2.0].map(q24);
        Self { law: 1, shear, half_bulk, ..Self::liquid(0.0, 0.0, 0.0) }
    }

    /// Grains that slide past each other at this angle, in degrees; stiffness and shear modulus in cells² a step².
    #[must_use]
    pub fn grains(stiffness: f64, shear: f64, angle: f64) -> Self {
        let sine = libm::sin(angle * (std::f64::consts::PI / 180.0));
        // Where a sample under pressure p on all sides fails as Mohr and Coulomb say, |dev σ| is this times p.
        let slope = 2.0 * 6f64.sqrt() * sine / (3.0 - sine);
        Self { law: 2, shear: q24(shear), friction: q24(slope / shear), ..Self::liquid(stiffness, 0.0, 0.0) }
    }

    /// A paste that holds still up to a stress over density, cells² a step²; the rest as for a liquid and grains. No strain
    /// comes to 2, so that one which would yield there never does.
    #[must_use]
    pub fn paste(stiffness: f64, cohesion: f64, viscosity: f64, shear: f64, stress: f64) -> Self {
        let liquid = Self::liquid(stiffness, cohesion, viscosity);
        Self { law: 2, shear: q24(shear), yields: q24((stress / shear).min(2.0)), ..liquid }
    }

    /// Its law.
    #[must_use]
    pub fn law(&self) -> Law {
        match self.law {
            0 => Law::Liquid,
            1 => Law::Jelly,
            _ => Law::Plastic,
        }
    }
}

/// Stress over density of a strained solid, Q24: xx, yy, zz, xy, xz, yz.
#[inline(always)]
#[must_use]
pub fn stress(material: &Material, strain: &Strain) -> Strain {
    let mut volume = 0;
    if material.law() == Law::Jelly {
        let [xx, yy, zz, xy, xz, yz] = *strain;
        let [xx, yy, zz] = [xx + ONE, yy + ONE, zz + ONE];
        let minors = [mul24(yy, zz) - mul24(yz, yz), mul24(xy, zz) - mul24(yz, xz), mul24(xy, yz) - mul24(yy, xz)];
        let determinant = mul24(xx, minors[0]) - mul24(xy, minors[1]) + mul24(xz, minors[2]);
        debug_assert!((-64 * ONE..=112 * ONE).contains(&determinant));
        volume = mul24(material.half_bulk, determinant - ONE);
    }
    let mut stress = [0; STRAIN_WORDS];
    for (word, (to, from)) in stress.iter_mut().zip(strain).enumerate() {
        let more = if word < 3 { volume } else { 0 };
        *to = (mul24(material.shear, *from) + more).clamp(-MAX_STRESS, MAX_STRESS);
    }
    stress
}

/// The strain after a step with the velocity gradient `c` (row by row), at relative density `density`.
#[inline(always)]
#[must_use]
pub fn strained(material: &Material, strain: &Strain, c: &[i32; 9], density: i32) -> Strain {
    let [xx, yy, zz, xy, xz, yz] = *strain;
    let b = [[xx + ONE, xy, xz], [xy, yy + ONE, yz], [xz, yz, zz + ONE]];
    let mut m = [[0; 3]; 3];
    for (row, entries) in m.iter_mut().enumerate() {
        entries.copy_from_slice(&c[row * 3..row * 3 + 3]);
        entries[row] += ONE;
    }
    let mut carried = [[0; 3]; 3];
    for row in 0..3 {
        for column in 0..3 {
            carried[row][column] =
                mul24(m[row][0], b[0][column]) + mul24(m[row][1], b[1][column]) + mul24(m[row][2], b[2][column]);
        }
    }
    debug_assert!(carried.iter().flatten().all(|entry| entry.abs() <= 8 * ONE));
    let entry = |row: usize, column: usize| {
        mul24(carried[row][0], m[column][0])
            + mul24(carried[row][1], m[column][1])
            + mul24(carried[row][2], m[column][2])
    };
    let stretch = |row: usize| (entry(row, row) - ONE).clamp(MIN_STRAIN, MAX_STRAIN);
    let shear = |row: usize, column: usize| entry(row, column).clamp(-MAX_SHEAR, MAX_SHEAR);
    let strain = [stretch(0), stretch(1), stretch(2), shear(0, 1), shear(0, 2), shear(1, 2)];
    if material.law() == Law::Plastic { yielded(material, strain, density) } else { strain }
}

#[inline(always)]
fn yielded(material: &Material, mut strain: Strain, density: i32) -> Strain {
    let mean = mul24(strain[0] + strain[1] + strain[2], ONE / 3);
    let mut squares = 0u32;
    for (word, entry) in strain.iter_mut().enumerate() {
        if word < 3 {
            *entry -= mean;
        }
        *entry = (*entry).clamp(-ONE / 2, ONE / 2);
        let square = mul24(*entry << 3, *entry << 3) as u32;
        squares += if word < 3 { square } else { 2 * square };
    }
    let norm = (root(squares) >> 3) as i32;
    debug_assert!(norm <= ONE / 2 * 3);
    let limit = material.yields + mul24(pressure(material, density).max(0), material.friction);
    debug_assert!((0..22 * ONE).contains(&limit));
    if norm > limit {
        let kept = div24(limit, norm);
        strain = strain.map(|entry| mul24(entry, kept));
    }
    strain
}
