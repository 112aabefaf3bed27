//! The Rust twin of the liquid kernel, on rayon.
//!
//! Particles are kept in cell order for the cache, each with its id; the order is not part of the state. The scatter
//! runs over slabs of two planes: slabs of one colour write to separate planes, so there are neither locks nor
//! atomics, and the sums come out the same in any order because they are sums of integers.

use rayon::prelude::*;

use super::{FluidError, Force, Liquid, MAX_NODE_MASS, MAX_RATE, MAX_SPEED, Particle, pressure};
use crate::fixed::{ONE, div24, mul24, mul30, spline};

/// Steps between two sortings of the particles into cell order.
const SORT_EVERY: u32 = 24;

/// Particles handed to a thread at a time.
const BATCH: usize = 2048;

/// A grid node: mass and momentum, later mass and velocity, Q24.
type Node = [i32; 4];

/// A liquid stepped on the CPU.
#[derive(Debug)]
pub struct TwinLiquid {
    liquid: Liquid,
    inverse_density: i32,
    wall: Vec<[i32; 4]>,
    /// Planes −1 ..= cells, one more on either side than the grid has.
    grid: Vec<Node>,
    particles: Vec<Particle>,
    ids: Vec<u32>,
    steps: u32,
}

/// The cells around a particle and their weights.
struct Stencil {
    /// Index of the first of the 27 nodes within a grid whose first plane is −1.
    base: [usize; 3],
    /// Weights by axis, Q30.
    weights: [[i32; 3]; 3],
    /// Position within the cell minus ½, Q24.
    offset: [i32; 3],
}

impl Stencil {
    #[inline(always)]
    fn new(particle: &Particle) -> Self {
        let mut stencil = Self { base: [0; 3], weights: [[0; 3]; 3], offset: [0; 3] };
        for (axis, x) in particle[..3].iter().enumerate() {
            stencil.base[axis] = (x >> 24) as usize - 1;
            stencil.offset[axis] = (x & (ONE - 1)) - ONE / 2;
            stencil.weights[axis] = spline(*x);
        }
        stencil
    }
}

impl TwinLiquid {
    /// A liquid of `particles`, which all lie at least two cells inside the grid.
    #[must_use]
    pub fn new(liquid: Liquid, particles: Vec<Particle>) -> Self {
        let plane = (liquid.cells * liquid.cells) as usize;
        let ids = (0..particles.len() as u32).collect();
        Self {
            inverse_density: liquid.inverse_density(),
            wall: liquid.wall(),
            grid: vec![[0; 4]; liquid.nodes() + 2 * plane],
            particles,
            ids,
            steps: 0,
            liquid,
        }
    }

    /// Advances one step under `force`.
    ///
    /// # Errors
    /// [`FluidError::Overfull`] where a node holds more particles than its sums have room for.
    pub fn step(&mut self, force: &Force) -> Result<(), FluidError> {
        if self.steps.is_multiple_of(SORT_EVERY) {
            self.sort();
        }
        self.steps += 1;
        self.scatter();
        let heaviest = self.update_grid(force);
        if heaviest >= MAX_NODE_MASS {
            return Err(FluidError::Overfull { step: self.steps });
        }
        self.gather();
        Ok(())
    }

    /// The particles in the order of their ids.
    #[must_use]
    pub fn particles(&self) -> Vec<Particle> {
        let mut ordered = vec![[0; super::WORDS]; self.particles.len()];
        for (particle, id) in self.particles.iter().zip(&self.ids) {
            ordered[*id as usize] = *particle;
        }
        ordered
    }

    fn plane(&self) -> usize {
        (self.liquid.cells * self.liquid.cells) as usize
    }

    fn sort(&mut self) {
        let cells = self.liquid.cells;
        let key = |p: &Particle| ((p[0] >> 24) as u32 * cells + (p[1] >> 24) as u32) * cells + (p[2] >> 24) as u32;
        let mut order: Vec<(u32, u32, u32)> =
            self.particles.iter().zip(&self.ids).enumerate().map(|(at, (p, id))| (key(p), *id, at as u32)).collect();
        order.par_sort_unstable();
        self.particles = order.par_iter().map(|(_, _, at)| self.particles[*at as usize]).collect();
        self.ids = order.iter().map(|(_, id, _)| *id).collect();
    }

    /// Indices of the particles by plane of their cell, and where each plane's begin.
    fn by_plane(&self) -> (Vec<u32>, Vec<usize>) {
        let mut starts = vec![0; self.liquid.cells as usize + 1];
        for particle in &self.particles {
            starts[(particle[0] >> 24) as usize + 1] += 1;
        }
        for plane in 1..starts.len() {
            starts[plane] += starts[plane - 1];
        }
        let (mut next, mut order) = (starts.clone(), vec![0; self.particles.len()]);
        for (index, particle) in self.particles.iter().enumerate() {
            let slot = &mut next[(particle[0] >> 24) as usize];
            order[*slot] = index as u32;
            *slot += 1;
        }
        (order, starts)
    }

    fn scatter(&mut self) {
        let (plane, cells) = (self.plane(), self.liquid.cells as usize);
        let (order, starts) = self.by_plane();
        let (liquid, particles) = (&self.liquid, &self.particles);
        self.grid.par_chunks_mut(plane).for_each(|nodes| nodes.fill([0; 4]));
        // Slab `s` holds planes 2s and 2s + 1 and writes 2s − 1 ..= 2s + 2, stored from plane 2s of `grid` on.
        for colour in 0..2 {
            self.grid[colour * 2 * plane..].par_chunks_mut(4 * plane).enumerate().for_each(|(at, nodes)| {
                let first = at * 4 + colour * 2;
                if first >= cells {
                    return;
                }
                let last = (first + 2).min(cells);
                for index in &order[starts[first]..starts[last]] {
                    scatter_one(liquid, &particles[*index as usize], nodes, first, cells);
                }
            });
        }
    }

    /// Turns momenta into velocities; returns the largest mass of a node.
    fn update_grid(&mut self, force: &Force) -> i32 {
        let (plane, cells) = (self.plane(), self.liquid.cells as usize);
        let (liquid, center) = (&self.liquid, self.liquid.center());
        let planes = self.grid[plane..(cells + 1) * plane].par_chunks_mut(plane).zip(self.wall.par_chunks(plane));
        planes
            .enumerate()
            .map(|(x, (nodes, wall))| {
                let mut heaviest = 0;
                for (index, (node, normal)) in nodes.iter_mut().zip(wall).enumerate() {
                    let mass = node[0];
                    // A sum that wrapped would be negative here.
                    heaviest = heaviest.max(if mass < 0 { i32::MAX } else { mass });
                    if mass > 0 {
                        let place = [x, index / cells, index % cells].map(|c| (c as i32 * ONE + ONE / 2) - center);
                        update_node(liquid, node, normal, force, place);
                    }
                    node[0] = node[0].wrapping_add(normal[3]);
                }
                heaviest
            })
            .max()
            .unwrap_or(0)
    }

    fn gather(&mut self) {
        let (cells, plane) = (self.liquid.cells as usize, self.plane());
        let (grid, inverse_density) = (&self.grid, self.inverse_density);
        self.particles.par_chunks_mut(BATCH).for_each(|batch| {
            for particle in batch {
                gather_one(particle, grid, inverse_density, cells, plane);
            }
        });
    }
}

/// Adds one particle to the nodes of its slab, whose first plane in `nodes` is `first − 1`.
#[inline(always)]
fn scatter_one(liquid: &Liquid, particle: &Particle, nodes: &mut [Node], first: usize, cells: usize) {
    let stencil = Stencil::new(particle);
    let c = &particle[6..15];
    let bulk = 4 * pressure(liquid, particle[15]);
    let mut affine = [[0i32; 3]; 3];
    for row in 0..3 {
        for column in 0..3 {
            let shear = c[row * 3 + column] + c[column * 3 + row];
            affine[row][column] = c[row * 3 + column] - 4 * mul24(liquid.viscosity, shear);
        }
        affine[row][row] += bulk;
    }
    // At node (0,0,0), d = −1 − offset along each axis.
    let mut corner = [0i32; 3];
    for row in 0..3 {
        corner[row] = particle[3 + row];
        for (entry, offset) in affine[row].iter().zip(stencil.offset) {
            corner[row] += mul24(*entry, -ONE - offset);
        }
    }
    let columns: [[i32; 3]; 3] = std::array::from_fn(|axis| std::array::from_fn(|row| affine[row][axis]));
    let add = |a: [i32; 3], b: [i32; 3]| [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
    let [bx, by, bz] = stencil.base;
    let [wx, wy, wz] = stencil.weights;
    // Plane bx (the first that is written) is stored at bx − (first − 1).
    let mut at_x = ((bx + 1 - first) * cells + by) * cells + bz;
    for along_x in wx {
        let mut at_y = at_x;
        let mut row_q = corner;
        for along_y in wy {
            let wij = mul30(along_x, along_y);
            let mut q = row_q;
            for (node, w) in nodes[at_y..at_y + 3].iter_mut().zip(wz) {
                let weight = mul30(wij, w) >> 1;
                node[0] = node[0].wrapping_add(mul30(ONE, weight));
                for axis in 0..3 {
                    node[1 + axis] = node[1 + axis].wrapping_add(mul30(q[axis], weight));
                }
                q = add(q, columns[2]);
            }
            row_q = add(row_q, columns[1]);
            at_y += cells;
        }
        corner = add(corner, columns[0]);
        at_x += cells * cells;
    }
}

#[inline(always)]
fn update_node(liquid: &Liquid, node: &mut Node, normal: &[i32; 4], force: &Force, place: [i32; 3]) {
    let limit = |u: i32| u.clamp(-MAX_SPEED, MAX_SPEED);
    let mut u = [0i32; 3];
    for axis in 0..3 {
        u[axis] = limit(div24(node[1 + axis], node[0])) + force.uniform[axis];
        for (entry, d) in force.linear[axis * 3..axis * 3 + 3].iter().zip(place) {
            u[axis] += mul30(d, *entry);
        }
        u[axis] -= mul24(u[axis], force.drag);
    }
    let outward = mul30(u[0], normal[0]) + mul30(u[1], normal[1]) + mul30(u[2], normal[2]);
    if outward > 0 {
        for axis in 0..3 {
            u[axis] -= mul30(outward, normal[axis]);
            u[axis] -= mul24(u[axis], liquid.wall_friction);
        }
    }
    for axis in 0..3 {
        node[1 + axis] = limit(u[axis]);
    }
}

#[inline(always)]
fn gather_one(particle: &mut Particle, grid: &[Node], inverse_density: i32, cells: usize, plane: usize) {
    let stencil = Stencil::new(particle);
    let [bx, by, bz] = stencil.base;
    let [wx, wy, wz] = stencil.weights;
    // Sums over the whole stencil of (mass, velocity) and of velocity times the node's place (−1, 0, 1) by axis.
    let mut total = [0i32; 4];
    let mut moment = [[0i32; 4]; 3];
    let mut at_x = (bx + 1) * plane + by * cells + bz;
    for (along_x, i) in wx.into_iter().zip(-1..) {
        let mut slab = [0i32; 4];
        let mut at_y = at_x;
        for (along_y, j) in wy.into_iter().zip(-1..) {
            let wij = mul30(along_x, along_y);
            let mut line = [0i32; 4];
            for ((node, w), k) in grid[at_y..at_y + 3].iter().zip(wz).zip(-1..) {
                let weight = mul30(wij, w);
                for lane in 0..4 {
                    let term = mul30(node[lane], weight);
                    line[lane] += term;
                    moment[2][lane] += term * k;
                }
            }
            for lane in 0..4 {
                slab[lane] += line[lane];
                moment[1][lane] += line[lane] * j;
            }
            at_y += cells;
        }
        for lane in 0..4 {
            total[lane] += slab[lane];
            moment[0][lane] += slab[lane] * i;
        }
        at_x += plane;
    }
    let mut divergence = 0;
    for row in 0..3 {
        let v = total[1 + row];
        for column in 0..3 {
            let rate = 4 * (moment[column][1 + row] - mul24(v, stencil.offset[column]));
            particle[6 + row * 3 + column] = rate.clamp(-MAX_RATE, MAX_RATE);
        }
        divergence += particle[6 + row * 4];
        particle[3 + row] = v;
        particle[row] = (particle[row] + v).clamp(2 * ONE, (cells as i32 - 2) * ONE - 1);
    }
    let density = mul24(total[0], inverse_density);
    particle[15] = (density - mul24(density, divergence)).clamp(0, 2 * ONE);
}
