//! The wall around matter.
//!
//! **At a node beyond the wall**, with its stored outward normal `n`:
//! - a ball's, `n` a unit vector in Q30: `s = Σ mul30(u, n)`; where `s > 0`, `u −= mul30(n, s)` and the rest is damped by
//!   `u −= mul24(u, wall_friction)`.
//! - a box's, which nodes less than a cell inside have too (`collider.rs` says why), each component of `n` one of −1, 0, 1:
//!   a component of `u` that points as `n`'s does becomes 0, and where
//!   there was one the others are damped in the same way. So an edge holds as both of its faces do.
//!
//! **The mass that the wall stands for** at a node is the share of its surroundings beyond the wall, times a cell's mass
//! at rest.

use crate::fixed::{ONE, q24, q30};

/// What holds the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vessel {
    /// A ball around the grid's centre, of this radius in cells, Q24.
    Ball(i32),
    /// A box between two corners, in whole cells, at least 3 from the grid's rim.
    Box([u32; 3], [u32; 3]),
}

impl Vessel {
    /// Where particles may be along each axis, Q24: from the first of each pair to below the second.
    pub(super) fn range(self, cells: u32) -> [[i32; 2]; 3] {
        match self {
            Self::Ball(_) => [[2 * ONE, (cells as i32 - 2) * ONE]; 3],
            Self::Box(low, high) => std::array::from_fn(|axis| [low[axis] as i32 * ONE, high[axis] as i32 * ONE]),
        }
    }

    /// For each node (x slowest) its normal, zero within; then the mass that it gains, Q24, where `cell_mass` is that of a
    /// cell at rest.
    pub(super) fn nodes(self, cells: u32, cell_mass: f64) -> Vec<[i32; 4]> {
        let size = i64::from(cells);
        let place = |index: i64| [index / (size * size), index / size % size, index % size];
        let node: &dyn Fn([i64; 3]) -> [i32; 4] = match self {
            Self::Ball(radius) => &move |place| ball(place, size, f64::from(radius) / f64::from(ONE), cell_mass),
            Self::Box(low, high) => &move |place| boxed(place, low, high, cell_mass),
        };
        (0..size * size * size).map(|index| node(place(index))).collect()
    }
}

fn ball(place: [i64; 3], size: i64, radius: f64, cell_mass: f64) -> [i32; 4] {
    let d = place.map(|i| (i as f64 + 0.5) - size as f64 / 2.0);
    let length = (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt();
    let beyond = q24(cell_mass * (length - radius + 0.5).clamp(0.0, 1.0));
    let [x, y, z] = if length <= radius { [0; 3] } else { d.map(|c| q30(c / length)) };
    [x, y, z, beyond]
}

fn boxed(place: [i64; 3], low: [u32; 3], high: [u32; 3], cell_mass: f64) -> [i32; 4] {
    let (mut node, mut within) = ([0; 4], 1.0);
    for axis in 0..3 {
        let at = place[axis] as f64 + 0.5;
        let (below, above) = (at - f64::from(low[axis]), f64::from(high[axis]) - at);
        node[axis] = if below < 1.0 { -1 } else { i32::from(above < 1.0) };
        within *= spread(below) - spread(-above);
    }
    node[3] = q24(cell_mass * (1.0 - within));
    node
}

/// The share of a quadratic B-spline around a node that lies within a plane, which is `depth` cells away.
fn spread(depth: f64) -> f64 {
    let d = depth.abs().min(1.5);
    let beyond = if d < 0.5 { 0.5 - 0.75 * d + d * d * d / 3.0 } else { (1.5 - d) * (1.5 - d) * (1.5 - d) / 6.0 };
    if depth < 0.0 { beyond } else { 1.0 - beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Full of liquid at rest, a box looks the same from every node: what is missing beyond the wall is what it stands for.
    #[test]
    fn a_box_stands_for_what_is_missing() {
        let (low, high) = ([3, 4, 3], [13, 9, 12]);
        let nodes = Vessel::Box(low, high).nodes(16, 4.0);
        let mut mass = nodes.iter().map(|node| f64::from(node[3]) / f64::from(ONE)).collect::<Vec<_>>();
        // Sixteen particles along each axis of a cell.
        let line = |axis: usize| (low[axis] * 16..high[axis] * 16).map(|i| (f64::from(i) + 0.5) / 16.0);
        let weights = |x: f64| {
            let f = x - x.floor() - 0.5;
            [(0.5 - f) * (0.5 - f) / 2.0, 0.75 - f * f, (0.5 + f) * (0.5 + f) / 2.0]
        };
        let axis_mass = |axis: usize| {
            let mut sums = [0.0; 16];
            for x in line(axis) {
                for (node, w) in (x as usize - 1..).zip(weights(x)) {
                    sums[node] += w / 16.0;
                }
            }
            sums
        };
        let sums = [0, 1, 2].map(axis_mass);
        for (index, mass) in mass.iter_mut().enumerate() {
            *mass += 4.0 * sums[0][index / 256] * sums[1][index / 16 % 16] * sums[2][index % 16];
            assert!((*mass - 4.0).abs() < 0.002, "{index}: {mass}");
        }
    }
}
