//! The Rust twin of the gravity kernel, on rayon.

use rayon::prelude::*;

use super::{CELLS, Gravity, Green, MAX_SPEED, ON_GRID, PADDED, Point, RANGE, twiddles};
use crate::fixed::{mul30, q30, spline};

/// Points handed to a thread at a time.
const BATCH: usize = 8192;

/// Lines that are transformed side by side.
const LANES: usize = 8;

/// Blocks of [`LANES`] numbers in a padded line.
const BLOCKS: usize = PADDED / LANES;

/// Real and imaginary parts of one number of each of [`LANES`] lines.
type Lanes = [[i32; LANES]; 2];

const ZERO: Lanes = [[0; LANES]; 2];

/// Points under their own gravity, stepped on the CPU.
#[derive(Debug)]
pub struct TwinGravity {
    mass: i32,
    strength: i32,
    twiddles: [[i32; 2]; PADDED / 2],
    /// Green's function as `[y][z / LANES][x]`, for the transforms along x.
    modes: Vec<[i32; LANES]>,
    points: Vec<Point>,
    /// The half of the planes of x that holds mass, each `[y][z / LANES]`.
    field: Vec<Lanes>,
    /// The same with the axes turned: `[y][z / LANES][x]`.
    turned: Vec<Lanes>,
    /// The potential on the grid.
    potential: Vec<i32>,
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

/// `(r, i) · (c, s)` of each lane.
#[inline(always)]
fn times([r, i]: &Lanes, c: i32, s: i32) -> Lanes {
    [std::array::from_fn(|l| mul30(r[l], c) - mul30(i[l], s)), std::array::from_fn(|l| mul30(r[l], s) + mul30(i[l], c))]
}

#[inline(always)]
fn plus(a: &Lanes, b: &Lanes) -> Lanes {
    std::array::from_fn(|part| std::array::from_fn(|l| a[part][l] + b[part][l]))
}

#[inline(always)]
fn minus(a: &Lanes, b: &Lanes) -> Lanes {
    std::array::from_fn(|part| std::array::from_fn(|l| a[part][l] - b[part][l]))
}

/// `−i · a`, to which a product with a twiddle of a quarter turn comes down, exactly.
#[inline(always)]
fn quarter([r, i]: &Lanes) -> Lanes {
    [*i, std::array::from_fn(|l| -r[l])]
}

/// Where the twiddle of butterfly `k` of `half` is 1 or a quarter turn, its products round nothing and are left out.
#[inline(always)]
fn turn(a: &Lanes, k: usize, half: usize, [c, s]: [i32; 2]) -> Lanes {
    if k == 0 {
        *a
    } else if 2 * k == half {
        // Of the two quarter turns, the twiddles' own sign tells which.
        if s < 0 { quarter(a) } else { minus(&ZERO, &quarter(a)) }
    } else {
        times(a, c, s)
    }
}

fn forwards(line: &mut [Lanes; PADDED], twiddles: &[[i32; 2]]) {
    let mut half = PADDED / 2;
    while half > 0 {
        let stride = PADDED / 2 / half;
        for block in line.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let difference = minus(a, b);
                *a = plus(a, b);
                *b = turn(&difference, k, half, twiddles[k * stride]);
            }
        }
        half /= 2;
    }
    debug_assert!(within_bounds(line));
}

fn backwards(line: &mut [Lanes; PADDED], twiddles: &[[i32; 2]]) {
    let mut half = 1;
    while half < PADDED {
        let stride = PADDED / 2 / half;
        for block in line.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let [c, s] = twiddles[k * stride];
                let turned = turn(b, k, half, [c, -s]);
                *b = minus(a, &turned);
                *a = plus(a, &turned);
            }
        }
        half *= 2;
    }
    debug_assert!(within_bounds(line));
}

/// No number of a transform exceeds 2³⁰ by more than rounding.
fn within_bounds(line: &[Lanes; PADDED]) -> bool {
    line.iter().flatten().flatten().all(|x| x.unsigned_abs() < (1 << 30) + (1 << 8))
}

impl TwinGravity {
    /// `points` under the law of `gravity`.
    #[must_use]
    pub fn new(gravity: &Gravity, points: Vec<Point>) -> Self {
        let Green { modes, strength } = Green::new(gravity);
        let mut turned_modes = Vec::with_capacity(PADDED * BLOCKS * PADDED);
        for y in 0..PADDED {
            for z in (0..PADDED).step_by(LANES) {
                let at = |x: usize| (x * PADDED + y) * PADDED + z;
                turned_modes.extend((0..PADDED).map(|x| std::array::from_fn::<_, LANES, _>(|l| modes[at(x) + l])));
            }
        }
        Self {
            mass: gravity.mass(),
            strength,
            twiddles: twiddles(),
            modes: turned_modes,
            points,
            field: vec![ZERO; CELLS * PADDED * BLOCKS],
            turned: vec![ZERO; PADDED * BLOCKS * CELLS],
            potential: vec![0; CELLS * CELLS * CELLS],
            gradient: vec![[0; 3]; CELLS * CELLS * CELLS],
        }
    }

    /// Goes on from `points`, as many as before.
    pub fn restore(&mut self, points: &[Point]) {
        self.points.copy_from_slice(points);
    }

    /// The points, in the order in which they were given.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Advances one step.
    pub fn step(&mut self) {
        self.solve();
        let (gradient, strength) = (&self.gradient, self.strength);
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
        let (twiddles, modes) = (&self.twiddles, &self.modes);
        // Only the first half of the planes and of their rows hold mass.
        self.field.par_chunks_mut(PADDED * BLOCKS).enumerate().for_each(|(x, field)| {
            let mut line = [ZERO; PADDED];
            for y in (0..CELLS).step_by(LANES) {
                let rows = &masses[(x * CELLS + y) * CELLS..][..LANES * CELLS];
                for (z, value) in line.iter_mut().enumerate() {
                    *value = ZERO;
                    if z < CELLS {
                        value[0] = std::array::from_fn(|l| rows[l * CELLS + z]);
                    }
                }
                forwards(&mut line, twiddles);
                for (block, values) in line.as_chunks::<LANES>().0.iter().enumerate() {
                    for (l, turned) in transposed(values).into_iter().enumerate() {
                        field[(y + l) * BLOCKS + block] = turned;
                    }
                }
            }
            for block in 0..BLOCKS {
                for (y, value) in line.iter_mut().enumerate() {
                    *value = if y < CELLS { field[y * BLOCKS + block] } else { ZERO };
                }
                forwards(&mut line, twiddles);
                for (y, value) in line.iter().enumerate() {
                    field[y * BLOCKS + block] = *value;
                }
            }
        });
        let field = &self.field;
        let lines = self.turned.par_chunks_mut(CELLS).zip(modes.par_chunks(PADDED)).enumerate();
        lines.for_each(|(at, (turned, modes))| {
            let mut line = [ZERO; PADDED];
            for (x, value) in line[..CELLS].iter_mut().enumerate() {
                *value = field[x * PADDED * BLOCKS + at];
            }
            forwards(&mut line, twiddles);
            for (value, mode) in line.iter_mut().zip(modes) {
                *value = value.map(|part| std::array::from_fn(|l| mul30(part[l], mode[l])));
            }
            backwards(&mut line, twiddles);
            turned.copy_from_slice(&line[..CELLS]);
        });
        let turned = &self.turned;
        self.potential.par_chunks_mut(CELLS * CELLS).enumerate().for_each(|(x, potential)| {
            let mut line = [ZERO; PADDED];
            let mut half = vec![ZERO; CELLS * BLOCKS];
            for block in 0..BLOCKS {
                for (y, value) in line.iter_mut().enumerate() {
                    *value = turned[(y * BLOCKS + block) * CELLS + x];
                }
                backwards(&mut line, twiddles);
                for (y, value) in line[..CELLS].iter().enumerate() {
                    half[y * BLOCKS + block] = *value;
                }
            }
            for y in (0..CELLS).step_by(LANES) {
                for (block, to) in line.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    *to = transposed(&std::array::from_fn(|l| half[(y + l) * BLOCKS + block]));
                }
                backwards(&mut line, twiddles);
                for (z, [real, _]) in line[..CELLS].iter().enumerate() {
                    for (l, phi) in real.iter().enumerate() {
                        potential[(y + l) * CELLS + z] = *phi;
                    }
                }
            }
        });
        let potential = &self.potential;
        let (near, far) = (q30(2.0 / 3.0), q30(1.0 / 12.0));
        self.gradient.par_chunks_mut(CELLS * CELLS).enumerate().for_each(|(x, gradient)| {
            // Points on the grid touch nodes 3 to 61.
            if !(2..CELLS - 2).contains(&x) {
                return;
            }
            for y in 2..CELLS - 2 {
                for z in 2..CELLS - 2 {
                    let at = (x * CELLS + y) * CELLS + z;
                    let along = |stride: usize| {
                        let phi = |offset: isize| potential[at.wrapping_add_signed(offset * stride as isize)];
                        mul30(phi(1) - phi(-1), near) - mul30(phi(2) - phi(-2), far)
                    };
                    gradient[y * CELLS + z] = [along(CELLS * CELLS), along(CELLS), along(1)];
                }
            }
        });
    }
}

/// Lanes become places and places lanes.
#[inline(always)]
fn transposed(values: &[Lanes; LANES]) -> [Lanes; LANES] {
    std::array::from_fn(|l| std::array::from_fn(|part| std::array::from_fn(|at| values[at][part][l])))
}
