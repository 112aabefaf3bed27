//! Three floats and the few operations on them that the tracer's hot loop needs.
//!
//! Written out here rather than taken from `nalgebra`, so that the order of every addition, and with it every bit of a
//! picture, is fixed by this crate and by no dependency's release. Only IEEE-exact operations are used.

use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

use nalgebra::{Point3, Vector3};

/// The smaller of two; unlike [`f32::min`], the same bits everywhere for zeros of unlike sign.
#[inline(always)]
pub(crate) fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The larger of two; unlike [`f32::max`], the same bits everywhere for zeros of unlike sign.
#[inline(always)]
pub(crate) fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// A point, a direction or a linear Rec. 709 colour.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Vec3 {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) z: f32,
}

/// Shorthand for [`Vec3`].
#[inline(always)]
pub(crate) const fn vec3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    pub(crate) const ZERO: Self = vec3(0.0, 0.0, 0.0);
    pub(crate) const ONE: Self = vec3(1.0, 1.0, 1.0);

    #[inline(always)]
    pub(crate) const fn splat(value: f32) -> Self {
        vec3(value, value, value)
    }

    #[inline(always)]
    pub(crate) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    #[inline(always)]
    pub(crate) fn cross(self, other: Self) -> Self {
        vec3(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }

    #[inline(always)]
    pub(crate) fn length_squared(self) -> f32 {
        self.dot(self)
    }

    #[inline(always)]
    pub(crate) fn length(self) -> f32 {
        self.length_squared().sqrt()
    }

    /// This direction at length 1; the caller knows that it is not zero.
    #[inline(always)]
    pub(crate) fn normalized(self) -> Self {
        self * (1.0 / self.length())
    }

    #[inline(always)]
    pub(crate) fn min(self, other: Self) -> Self {
        vec3(min(self.x, other.x), min(self.y, other.y), min(self.z, other.z))
    }

    #[inline(always)]
    pub(crate) fn max(self, other: Self) -> Self {
        vec3(max(self.x, other.x), max(self.y, other.y), max(self.z, other.z))
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        vec3(self.x.abs(), self.y.abs(), self.z.abs())
    }

    #[inline(always)]
    pub(crate) fn max_component(self) -> f32 {
        max(max(self.x, self.y), self.z)
    }

    /// Every component through an exact square root.
    #[inline(always)]
    pub(crate) fn sqrt(self) -> Self {
        vec3(self.x.sqrt(), self.y.sqrt(), self.z.sqrt())
    }

    /// `self` at 0, `other` at 1.
    #[inline(always)]
    pub(crate) fn lerp(self, other: Self, t: f32) -> Self {
        self * (1.0 - t) + other * t
    }

    /// Relative luminance of a linear Rec. 709 colour (ITU-R BT.709, item 3.2).
    #[inline(always)]
    pub(crate) fn luminance(self) -> f32 {
        0.2126 * self.x + 0.7152 * self.y + 0.0722 * self.z
    }

    pub(crate) fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite() && self.z.is_finite()
    }

    /// The component along axis 0, 1 or 2.
    #[inline(always)]
    pub(crate) fn axis(self, axis: usize) -> f32 {
        match axis {
            0 => self.x,
            1 => self.y,
            _ => self.z,
        }
    }
}

impl Add for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        vec3(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl AddAssign for Vec3 {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        vec3(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Mul for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        vec3(self.x * other.x, self.y * other.y, self.z * other.z)
    }
}

impl MulAssign for Vec3 {
    #[inline(always)]
    fn mul_assign(&mut self, other: Self) {
        *self = *self * other;
    }
}

impl Mul<f32> for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        vec3(self.x * factor, self.y * factor, self.z * factor)
    }
}

impl Div<f32> for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn div(self, divisor: f32) -> Self {
        self * (1.0 / divisor)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        vec3(-self.x, -self.y, -self.z)
    }
}

impl From<[f32; 3]> for Vec3 {
    #[inline(always)]
    fn from([x, y, z]: [f32; 3]) -> Self {
        vec3(x, y, z)
    }
}

impl From<Vec3> for [f32; 3] {
    #[inline(always)]
    fn from(v: Vec3) -> Self {
        [v.x, v.y, v.z]
    }
}

impl From<Vector3<f32>> for Vec3 {
    #[inline(always)]
    fn from(v: Vector3<f32>) -> Self {
        vec3(v.x, v.y, v.z)
    }
}

impl From<Point3<f32>> for Vec3 {
    #[inline(always)]
    fn from(p: Point3<f32>) -> Self {
        vec3(p.x, p.y, p.z)
    }
}

/// Three perpendicular unit vectors, right-handed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Basis {
    pub(crate) x: Vec3,
    pub(crate) y: Vec3,
    pub(crate) z: Vec3,
}

impl Basis {
    /// A basis around a unit `z`, without a branch on its direction but its sign (Duff et al. 2017, "Building an
    /// Orthonormal Basis, Revisited").
    #[inline(always)]
    pub(crate) fn around(z: Vec3) -> Self {
        let sign = 1.0_f32.copysign(z.z);
        let a = -1.0 / (sign + z.z);
        let b = z.x * z.y * a;
        Self { x: vec3(1.0 + sign * z.x * z.x * a, sign * b, -sign * z.x), y: vec3(b, sign + z.y * z.y * a, -z.y), z }
    }

    #[inline(always)]
    pub(crate) fn to_local(self, v: Vec3) -> Vec3 {
        vec3(v.dot(self.x), v.dot(self.y), v.dot(self.z))
    }

    #[inline(always)]
    pub(crate) fn to_world(self, v: Vec3) -> Vec3 {
        self.x * v.x + self.y * v.y + self.z * v.z
    }
}

/// A half-line from `origin` along the unit `direction`, at a moment of the time that the shutter is open, in [0, 1].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ray {
    pub(crate) origin: Vec3,
    pub(crate) direction: Vec3,
    pub(crate) time: f32,
}

impl Ray {
    #[inline(always)]
    pub(crate) fn at(&self, t: f32) -> Vec3 {
        self.origin + self.direction * t
    }
}
