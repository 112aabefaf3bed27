//! Fixed-point arithmetic that gives the same bits in Rust and in WGSL.
//!
//! A number in *Qn* is an `i32` that stands for itself divided by 2ⁿ. Products are taken in 64 bits and rounded to
//! nearest, ties away from zero: symmetric, so that no rounding acts as a wind. Sums wrap, as they do in WGSL; the
//! kernels assert the bounds that keep them from doing so.

/// One in Q24: positions, velocities, masses.
pub const ONE: i32 = 1 << 24;

/// One in Q30: weights and directions, at most 1 in magnitude.
pub const ONE30: i32 = 1 << 30;

/// Product of a number with one in Q24, rounded to nearest, in the first number's format.
#[inline(always)]
#[must_use]
pub fn mul24(a: i32, b: i32) -> i32 {
    round_shift(a, b, 24)
}

/// Product of a number with one in Q30, rounded to nearest, in the first number's format.
#[inline(always)]
#[must_use]
pub fn mul30(a: i32, b: i32) -> i32 {
    round_shift(a, b, 30)
}

/// `a · b / 2^shift`, ties away from zero. Adding the sign (0 or −1) before the flooring shift is what makes it
/// symmetric; where the product is zero the sign of the other factor does no harm.
#[inline(always)]
fn round_shift(a: i32, b: i32, shift: u32) -> i32 {
    let product = i64::from(a) * i64::from(b);
    ((product + (1 << (shift - 1)) + i64::from((a ^ b) >> 31)) >> shift) as i32
}

/// Weights, Q30, that a quadratic B-spline gives the cells before, at and after a coordinate in Q24.
#[inline(always)]
#[must_use]
pub(crate) fn spline(x: i32) -> [i32; 3] {
    let f = ((x & (ONE - 1)) - ONE / 2) << 6;
    let (low, high) = (ONE30 / 2 - f, ONE30 / 2 + f);
    let (first, last) = (mul30(low, low) >> 1, mul30(high, high) >> 1);
    [first, ONE30 - first - last, last]
}

/// `a / b` in Q24 for Q24 `a` and `b > 0`, rounded to nearest, ties away from zero; the low 32 bits.
#[inline(always)]
#[must_use]
pub fn div24(a: i32, b: i32) -> i32 {
    let (magnitude, divisor) = (u64::from(a.unsigned_abs()) << 24, b as u32 as u64);
    let quotient = ((magnitude + divisor / 2) / divisor) as i32;
    // For an even divisor, adding half of it and flooring is rounding half up of the magnitude; for an odd one no
    // quotient lies half-way.
    if a < 0 { quotient.wrapping_neg() } else { quotient }
}

/// √(s · 2²⁴), rounded down: 28 bits.
#[inline(always)]
#[must_use]
pub fn root(s: u32) -> u32 {
    (u64::from(s) << 24).isqrt() as u32
}

/// A real number in Q24, rounded to nearest, saturating.
#[must_use]
pub fn q24(x: f64) -> i32 {
    (x * f64::from(ONE)).round() as i32
}

/// A real number in Q30, rounded to nearest, saturating.
#[must_use]
pub fn q30(x: f64) -> i32 {
    (x * f64::from(ONE30)).round() as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, in 128 bits.
    fn nearest(numerator: i128, denominator: i128) -> i32 {
        let magnitude = (numerator.abs() * 2 + denominator) / (denominator * 2);
        (magnitude * numerator.signum()) as i32
    }

    proptest! {
        #[test]
        fn products_round_to_nearest_symmetrically(a: i32, b: i32) {
            prop_assert_eq!(mul24(a, b), nearest(i128::from(a) * i128::from(b), 1 << 24));
            prop_assert_eq!(mul30(a, b), nearest(i128::from(a) * i128::from(b), 1 << 30));
            prop_assert_eq!(mul30(-(a >> 1), b >> 1), -mul30(a >> 1, b >> 1));
        }

        #[test]
        fn ties_go_away_from_zero(n in -60i32..60) {
            let half = (2 * n + 1) << 23;
            let want = if n >= 0 { n + 1 } else { n };
            prop_assert_eq!(mul24(half, 1), want);
            prop_assert_eq!(mul24(1, half), want);
        }

        #[test]
        fn quotients_round_to_nearest_symmetrically(a in -(1 << 30)..(1i32 << 30), b in 1i32..(1 << 28)) {
            prop_assert_eq!(div24(a, b), nearest(i128::from(a) << 24, i128::from(b)));
        }
    }
}
