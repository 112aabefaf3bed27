//! Self-gravity of points in fixed point: a particle mesh with isolated boundaries.
//!
//! Hockney and Eastwood, *Computer Simulation Using Particles* (1988), chapters 5, 6 and 8, in grid units: one cell, one
//! step, the mass of all points together. Every point pulls every other as a Plummer sphere of radius ε does: its
//! potential at distance r is −1/√(r² + ε²). This page is the specification that the Rust twin (`twin.rs`) and the
//! WGSL kernel (`kernel.wgsl`) both follow; `tests/gravity.rs` holds them equal, bit for bit, and holds both against
//! direct summation.
//!
//! **State**, six `i32` a point: position `x` (3, Q24, cells), velocity `v` (3, Q24, cells a step). Points have equal
//! masses `m = ⌊2³⁰ / count⌋`. Products are `mul30` of [`crate::fixed`].
//!
//! A point is *on the grid* while each coordinate lies in `4 ..= 60` cells. One that is not pulls nobody, is pulled by
//! nobody, and flies on straight; coordinates stop at −64 and 127.
//!
//! **1. Deposit.** Quadratic B-spline weights as in [`crate::matter`]; a node of weight `w` gets `mul30(m, w)`. Integers,
//! so the sum may be taken in any order, and the sum of all is at most 2³⁰.
//!
//! **2. Potential.** The masses, padded with zeros to [`PADDED`]³, go through a discrete Fourier transform, are
//! multiplied by [`Green`], and come back. Each axis is a radix-2 transform of complex Q0 numbers, forwards by decimation
//! in frequency (`a' = a + b`, `b' = (a − b)·w`), backwards by decimation in time with the conjugate (`t = b·w̄`,
//! `a' = a + t`, `b' = a − t`), unscaled, so that nothing is put in order in between; twiddles `w` are Q30 and a complex
//! product is `mul30(r, w_r) − mul30(i, w_i)`, `mul30(r, w_i) + mul30(i, w_r)`. Forwards the axes are z, y, x; backwards
//! x, y, z. *Bounds:* forwards no number exceeds the sum of the masses, 2³⁰; backwards none exceeds
//! `Σ|mass_k|·Σ Green_k ≤ 2³⁰`, because Green's function sums to less than 1. Rounding adds less than 2⁸ to either.
//!
//! **3. Gradient.** Along each axis `d = mul30(φ₊₁ − φ₋₁, ⅔) − mul30(φ₊₂ − φ₋₂, 1/12)`.
//!
//! **4. Kick and drift.** `v += mul30(Σ mul30(d, w), strength)`, limited to ±[`MAX_SPEED`]; `x += v`.
//!
//! Because masses and forces use the same weights and both the transform's kernel and the difference are symmetric,
//! forces between points are equal and opposite up to rounding: that of `mul30` over 27 nodes, at most
//! [`momentum_bound`].

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod twin;

use crate::fixed::{ONE, ONE30, q30};

/// Cells of the grid along each axis.
pub const CELLS: usize = 64;

/// Cells along each axis once the grid is padded, so that images of the points do not pull.
pub const PADDED: usize = 2 * CELLS;

/// Words of state a point.
pub const WORDS: usize = 6;

/// One point: `x` (3), `v` (3).
pub type Point = [i32; WORDS];

/// Fastest that a point moves along an axis, Q24 cells a step.
pub const MAX_SPEED: i32 = ONE / 2;

/// A coordinate's range on the grid, Q24.
pub const ON_GRID: std::ops::RangeInclusive<i32> = 4 * ONE..=(CELLS as i32 - 4) * ONE;

/// How far a point flies, Q24.
pub const RANGE: std::ops::RangeInclusive<i32> = -64 * ONE..=127 * ONE;

/// The constants of a world of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Gravity {
    /// ε, in cells, at least 2: closer to a point its pull is softened, and finer the grid cannot resolve.
    pub softening: f64,
    /// What two points of the whole mass would feel: acceleration at distance r is `pull · r / (r² + ε²)^(3/2)`, in
    /// cells a step².
    pub pull: f64,
    /// Number of points, 1 to 2²⁰.
    pub count: usize,
}

impl Gravity {
    /// The mass of a point, Q0; all together weigh at most 2³⁰.
    #[must_use]
    pub fn mass(&self) -> i32 {
        ONE30 / self.count as i32
    }
}

/// Green's function in the transform's own order, and what makes an acceleration of a gradient.
#[derive(Debug, Clone)]
pub struct Green {
    /// Q30, one number a mode: `[x][y][z]`, each index with its bits reversed.
    pub modes: Vec<i32>,
    /// Q30: acceleration in Q24 cells a step² over the gradient's number.
    pub strength: i32,
}

/// Twiddle factors of an axis: `(cos, −sin)` of `2πk / PADDED`, Q30.
#[must_use]
pub fn twiddles() -> [[i32; 2]; PADDED / 2] {
    std::array::from_fn(|k| {
        let angle = std::f64::consts::TAU * k as f64 / PADDED as f64;
        [q30(libm::cos(angle)), q30(-libm::sin(angle))]
    })
}

/// An index of [`PADDED`] with its bits in reverse.
#[must_use]
pub fn reversed(index: usize) -> usize {
    (index as u32).reverse_bits() as usize >> (u32::BITS - PADDED.trailing_zeros())
}

impl Green {
    /// Green's function of `gravity`: that of a Plummer sphere, sharpened by what spreading masses and forces over the
    /// grid will blur.
    #[must_use]
    pub fn new(gravity: &Gravity) -> Self {
        let squared = gravity.softening * gravity.softening;
        let distance = |i: usize| (i.min(PADDED - i)) as f64;
        // By symmetry, one octant of the modes tells all; the transform itself is a sum of cosines along each axis.
        let half = PADDED / 2 + 1;
        let cosine: Vec<f64> =
            (0..PADDED).map(|k| libm::cos(std::f64::consts::TAU * k as f64 / PADDED as f64)).collect();
        let mut octant: Vec<f64> = Vec::with_capacity(half * half * half);
        for x in 0..half {
            for y in 0..half {
                for z in 0..half {
                    let [x, y, z] = [x, y, z].map(distance);
                    octant.push(1.0 / (x * x + y * y + z * z + squared).sqrt());
                }
            }
        }
        for stride in [1, half, half * half] {
            cosine_transform(&mut octant, stride, half, &cosine);
        }
        let blur: Vec<f64> = (0..half)
            .map(|k| {
                let x = std::f64::consts::PI * k as f64 / PADDED as f64;
                let sinc = if k == 0 { 1.0 } else { libm::sin(x) / x };
                // Three factors for the spline; once for masses, once for forces.
                let cubed = sinc * sinc * sinc;
                cubed * cubed
            })
            .collect();
        let at = |x: usize, y: usize, z: usize| {
            let [x, y, z] = [x, y, z].map(|k| k.min(PADDED - k));
            (octant[(x * half + y) * half + z] / (blur[x] * blur[y] * blur[z])).max(0.0)
        };
        let mut sum = 0.0;
        for x in 0..PADDED {
            for y in 0..PADDED {
                for z in 0..PADDED {
                    sum += at(x, y, z);
                }
            }
        }
        // A little less than 1 in all, so that rounding up cannot exceed it.
        let scale = 0.99 / sum;
        let mut modes = Vec::with_capacity(PADDED * PADDED * PADDED);
        for x in 0..PADDED {
            for y in 0..PADDED {
                for z in 0..PADDED {
                    // Rounded down: the sum of all stays below 1.
                    let mode = at(reversed(x), reversed(y), reversed(z)) * scale * f64::from(ONE30);
                    modes.push(mode as i32);
                }
            }
        }
        // The grid's number for a potential of 1 (all masses at distance 1 without softening): 2³⁰ · PADDED³ · scale.
        let number = f64::from(ONE30) * (PADDED * PADDED * PADDED) as f64 * scale;
        let whole = f64::from(gravity.mass()) * gravity.count as f64 / f64::from(ONE30);
        let strength = q30(gravity.pull * f64::from(ONE) / (number * whole));
        Self { modes, strength }
    }
}

/// The cosine transform of an even sequence of period [`PADDED`] along one axis of its octant.
fn cosine_transform(octant: &mut [f64], stride: usize, half: usize, cosine: &[f64]) {
    let lines = octant.len() / half;
    let mut line = vec![0.0; half];
    for number in 0..lines {
        let start = number / stride * stride * half + number % stride;
        for (i, value) in line.iter_mut().enumerate() {
            *value = octant[start + i * stride];
        }
        for k in 0..half {
            let last = if k % 2 == 0 { line[half - 1] } else { -line[half - 1] };
            let inner: f64 = (1..half - 1).map(|i| line[i] * cosine[i * k % PADDED]).sum();
            octant[start + k * stride] = line[0] + last + 2.0 * inner;
        }
    }
}

/// The most that a step can change a component of the momentum of `points` points by rounding, Q24 point masses a step:
/// half a unit for each product of 27 nodes' gradients with their weights, and one for the product with the strength.
#[must_use]
pub fn momentum_bound(gravity: &Gravity, green: &Green) -> f64 {
    // Weights are off by up to 2⁻²⁸ and deposits by ½ of `mass`; a node's gradient is below 2²⁸.
    let per_point = 27.0 * (0.5 + 0.5 * f64::from(1 << 28) / f64::from(gravity.mass()));
    gravity.count as f64 * (per_point * f64::from(green.strength) / f64::from(ONE30) + 0.5)
}
