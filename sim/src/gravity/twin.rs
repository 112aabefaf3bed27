//! The Rust twin of the gravity kernel, on rayon.

use rayon::prelude::*;

use super::{CELLS, Gravity, Green, MAX_SPEED, ON_GRID, PADDED, Point, RANGE, twiddles};
use crate::fixed::{mul30, q30, spline};

/// Points handed to a thread at a time.
const BATCH: usize = 8192;

/// A complex number.
type Complex = [i32; 2];

/// Points under their own gravity, stepped on the CPU.
#[derive(Debug)]
pub struct TwinGravity {
    mass: i32,
    green: Green,
    twiddles: [Complex; PADDED / 2],
    points: Vec<Point>,
    /// Planes of x, each `[y][z]`.
    field: Vec<Complex>,
    /// The same with the axes turned: `[y][z][x]`.
    turned: Vec<Complex>,
    gradient: Vec<[i32; 3]>,
}

/// The cells around a point and their weights, as in the liquid.
struct Stencil {
    base: [usize; 3],
    weights: [[i32; 3]; 3],
}

impl Stencil {
    /// `None` for a point that is not on the grid.
    #[inline(always)]
    fn new(point: &Point) -> Option<Self> {
        let mut stencil = Self { base: [0; 3], weights: [[0; 3]; 3] };
        for (axis, x) in point[..3].iter().enumerate() {
            if !ON_GRID.contains(x) {
                return None;
            }
            stencil.base[axis] = (x >> 24) as usize - 1;
            stencil.weights[axis] = spline(*x);
        }
        Some(stencil)
    }

    /// Calls `visit` with the index on the grid of each node and its weight.
    #[inline(always)]
    fn each(&self, mut visit: impl FnMut(usize, i32)) {
        let [wx, wy, wz] = self.weights;
        for (x, along_x) in wx.into_iter().enumerate() {
            for (y, along_y) in wy.into_iter().enumerate() {
                let weight = mul30(along_x, along_y);
                let start = ((self.base[0] + x) * CELLS + self.base[1] + y) * CELLS + self.base[2];
                for (z, along_z) in wz.into_iter().enumerate() {
                    visit(start + z, mul30(weight, along_z));
                }
            }
        }
    }
}

fn times([r, i]: Complex, [c, s]: Complex) -> Complex {
    [mul30(r, c) - mul30(i, s), mul30(r, s) + mul30(i, c)]
}

fn forwards(line: &mut [Complex], twiddles: &[Complex]) {
    let mut half = line.len() / 2;
    while half > 0 {
        let stride = PADDED / 2 / half;
        for block in line.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let difference = [a[0] - b[0], a[1] - b[1]];
                *a = [a[0] + b[0], a[1] + b[1]];
                *b = times(difference, twiddles[k * stride]);
            }
        }
        half /= 2;
    }
}

fn backwards(line: &mut [Complex], twiddles: &[Complex]) {
    let mut half = 1;
    while half < line.len() {
        let stride = PADDED / 2 / half;
        for block in line.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let [c, s] = twiddles[k * stride];
                let turned = times(*b, [c, -s]);
                *b = [a[0] - turned[0], a[1] - turned[1]];
                *a = [a[0] + turned[0], a[1] + turned[1]];
            }
        }
        half *= 2;
    }
}

impl TwinGravity {
    /// `points` under the law of `gravity`.
    #[must_use]
    pub fn new(gravity: &Gravity, points: Vec<Point>) -> Self {
        let padded = PADDED * PADDED * PADDED;
        Self {
            mass: gravity.mass(),
            green: Green::new(gravity),
            twiddles: twiddles(),
            points,
            field: vec![[0; 2]; padded],
            turned: vec![[0; 2]; padded],
            gradient: vec![[0; 3]; CELLS * CELLS * CELLS],
        }
    }

    /// The points, in the order in which they were given.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Advances one step.
    pub fn step(&mut self) {
        self.solve();
        let (gradient, strength) = (&self.gradient, self.green.strength);
        self.points.par_chunks_mut(BATCH).for_each(|points| {
            for point in points {
                if let Some(stencil) = Stencil::new(point) {
                    let mut sum = [0; 3];
                    stencil.each(|node, weight| {
                        for axis in 0..3 {
                            sum[axis] += mul30(gradient[node][axis], weight);
                        }
                    });
                    for axis in 0..3 {
                        let v = point[3 + axis] + mul30(sum[axis], strength);
                        point[3 + axis] = v.clamp(-MAX_SPEED, MAX_SPEED);
                    }
                }
                for axis in 0..3 {
                    point[axis] = (point[axis] + point[3 + axis]).clamp(*RANGE.start(), *RANGE.end());
                }
            }
        });
    }

    /// The masses on the grid, `[x][y][z]`.
    fn deposit(&self) -> Vec<i32> {
        let nodes = CELLS * CELLS * CELLS;
        let add = |mut a: Vec<i32>, b: Vec<i32>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        let share = self.points.len().div_ceil(rayon::current_num_threads()).max(1);
        let of = |points: &[Point]| {
            let mut masses = vec![0; nodes];
            for stencil in points.iter().filter_map(Stencil::new) {
                stencil.each(|node, weight| masses[node] += mul30(self.mass, weight));
            }
            masses
        };
        self.points.par_chunks(share).map(of).reduce_with(add).unwrap_or_else(|| vec![0; nodes])
    }

    /// Masses, potential, gradient.
    fn solve(&mut self) {
        let masses = self.deposit();
        let plane = PADDED * PADDED;
        let twiddles = &self.twiddles;
        // Only the first half of the planes and of their rows hold mass.
        self.field[..CELLS * plane].par_chunks_mut(plane).enumerate().for_each(|(x, field)| {
            field.fill([0; 2]);
            let rows = masses[x * CELLS * CELLS..(x + 1) * CELLS * CELLS].chunks_exact(CELLS);
            for (row, masses) in field.chunks_exact_mut(PADDED).zip(rows) {
                row.iter_mut().zip(masses).for_each(|(to, mass)| to[0] = *mass);
                forwards(row, twiddles);
            }
            columns(field, |line| forwards(line, twiddles));
        });
        let (field, modes) = (&self.field, &self.green.modes);
        self.turned.par_chunks_mut(plane).enumerate().for_each(|(y, turned)| {
            for (z, line) in turned.chunks_exact_mut(PADDED).enumerate() {
                line.fill([0; 2]);
                for (x, to) in line[..CELLS].iter_mut().enumerate() {
                    *to = field[x * plane + y * PADDED + z];
                }
                forwards(line, twiddles);
                for (x, value) in line.iter_mut().enumerate() {
                    let mode = modes[x * plane + y * PADDED + z];
                    *value = value.map(|part| mul30(part, mode));
                }
                backwards(line, twiddles);
            }
        });
        let turned = &self.turned;
        self.field[..CELLS * plane].par_chunks_mut(plane).enumerate().for_each(|(x, field)| {
            for (at, to) in field.iter_mut().enumerate() {
                *to = turned[at * PADDED + x];
            }
            columns(field, |line| backwards(line, twiddles));
            for row in field.chunks_exact_mut(PADDED).take(CELLS) {
                backwards(row, twiddles);
            }
        });
        let field = &self.field;
        let (near, far) = (q30(2.0 / 3.0), q30(1.0 / 12.0));
        self.gradient.par_chunks_mut(CELLS * CELLS).enumerate().for_each(|(x, gradient)| {
            // Points on the grid touch nodes 3 to 61.
            if !(2..CELLS - 2).contains(&x) {
                return;
            }
            for y in 2..CELLS - 2 {
                for z in 2..CELLS - 2 {
                    let at = x * plane + y * PADDED + z;
                    let along = |stride: usize| {
                        let phi = |offset: isize| field[at.wrapping_add_signed(offset * stride as isize)][0];
                        mul30(phi(1) - phi(-1), near) - mul30(phi(2) - phi(-2), far)
                    };
                    gradient[y * CELLS + z] = [along(plane), along(PADDED), along(1)];
                }
            }
        });
    }
}

/// Does `work` to each column of a plane.
fn columns(plane: &mut [Complex], work: impl Fn(&mut [Complex])) {
    let mut line = [[0; 2]; PADDED];
    for z in 0..PADDED {
        for (y, value) in line.iter_mut().enumerate() {
            *value = plane[y * PADDED + z];
        }
        work(&mut line);
        for (y, value) in line.iter().enumerate() {
            plane[y * PADDED + z] = *value;
        }
    }
}
