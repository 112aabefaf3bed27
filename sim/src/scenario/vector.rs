//! Vectors of scenarios, in numbers that are the same on every machine.

pub(super) type Vector = [f64; 3];

/// The golden angle: points laid out by it are even, so that no noise of chance is amplified.
pub(super) const GOLDEN: f64 = 2.399_963_229_728_653;

pub(super) fn add(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|i| a[i] + b[i])
}

pub(super) fn times(a: Vector, factor: f64) -> Vector {
    a.map(|c| c * factor)
}

pub(super) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn unit(a: Vector) -> Vector {
    times(a, 1.0 / dot(a, a).sqrt())
}

/// The unit vector `up` (1 or −1, along y) leant by `angle` (radians) towards `heading` (radians, about y).
pub(super) fn leaning(up: f64, angle: f64, heading: f64) -> Vector {
    let (sin, cos) = (libm::sin(angle), libm::cos(angle));
    [sin * libm::cos(heading), up * cos, sin * libm::sin(heading)]
}
