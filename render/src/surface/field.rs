//! The sum of all kernels, sampled on the nodes of a grid that is fixed in the world, stored in blocks.

use rayon::prelude::*;

use super::Vec3;
use super::cells::{BLOCK, CELLS_PER_BLOCK, CellGrid};
use super::kernel::Kernel;

/// Nodes along each side of a block.
pub(super) const SIDE: usize = 8;
/// Nodes of a block.
pub(super) const BLOCK_NODES: usize = SIDE * SIDE * SIDE;
/// Distance between nodes, in spacings.
pub(super) const NODE: f32 = BLOCK / SIDE as f32;
/// The field's value at the liquid's surface; it is about 1 inside a liquid at rest.
pub(super) const LEVEL: f32 = 0.3;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// No liquid: 0 everywhere.
    Empty,
    /// Nothing but liquid: 1 everywhere.
    Full,
    /// Samples: an index into [`Field::samples`].
    Sampled(u32),
}

/// The liquid's field.
#[derive(Debug)]
pub(super) struct Field {
    /// Blocks along each axis.
    pub(super) dims: [usize; 3],
    /// Lowest block, in blocks from the origin.
    first: [i32; 3],
    /// What each block holds, `x` fastest.
    pub(super) blocks: Vec<Block>,
    /// Values on the nodes of the sampled blocks, `x` fastest.
    samples: Vec<[f32; BLOCK_NODES]>,
}

/// A node, counted from the grid's lowest corner.
pub(super) type Node = [usize; 3];

impl Field {
    pub(super) fn new(grid: &CellGrid, kernels: &[Kernel]) -> Self {
        let dims = grid.blocks();
        let mut field = Self { dims, first: grid.first_block(), blocks: Vec::new(), samples: Vec::new() };
        let contents: Vec<Option<Box<[f32; BLOCK_NODES]>>> = (0..dims[0] * dims[1] * dims[2])
            .into_par_iter()
            .map(|index| {
                let block = field.block_at(index);
                if grid.is_deep_block(block) { None } else { field.sample(grid, kernels, block) }
            })
            .collect();
        for (index, content) in contents.into_iter().enumerate() {
            let block = field.block_at(index);
            field.blocks.push(match content {
                Some(values) => {
                    field.samples.push(*values);
                    Block::Sampled(field.samples.len() as u32 - 1)
                }
                None if grid.is_deep_block(block) => Block::Full,
                None => Block::Empty,
            });
        }
        field
    }

    pub(super) fn block_at(&self, index: usize) -> [usize; 3] {
        [index % self.dims[0], index / self.dims[0] % self.dims[1], index / (self.dims[0] * self.dims[1])]
    }

    pub(super) fn block_index(&self, block: [usize; 3]) -> usize {
        (block[2] * self.dims[1] + block[1]) * self.dims[0] + block[0]
    }

    /// Where a node lies, in spacings from the origin. Exact: nodes lie on half spacings.
    pub(super) fn place(&self, node: [i32; 3]) -> Vec3 {
        [0, 1, 2].map(|axis| (self.first[axis] * SIDE as i32 + node[axis]) as f32 * NODE)
    }

    fn sample(&self, grid: &CellGrid, kernels: &[Kernel], block: [usize; 3]) -> Option<Box<[f32; BLOCK_NODES]>> {
        let corner = self.place(block.map(|b| (b * SIDE) as i32));
        let high = corner.map(|v| v + NODE * (SIDE - 1) as f32);
        let first = block.map(|b| (b * CELLS_PER_BLOCK) as i32);
        let side = CELLS_PER_BLOCK as i32;
        let mut values = None;
        // The longest kernels reach less than two blocks, moved centres counted.
        for row in grid.rows(first.map(|c| c - 2 * side), first.map(|c| c + 3 * side - 1)) {
            for kernel in &kernels[row] {
                let apart = (0..3).any(|axis| {
                    kernel.center[axis] + kernel.extent[axis] < corner[axis]
                        || kernel.center[axis] - kernel.extent[axis] > high[axis]
                });
                if !apart {
                    splat(values.get_or_insert_with(|| Box::new([0.0; BLOCK_NODES])), corner, kernel);
                }
            }
        }
        values
    }

    fn locate(&self, node: Node) -> (usize, usize) {
        let block = self.block_index(node.map(|n| n / SIDE));
        let [x, y, z] = node.map(|n| n % SIDE);
        (block, (z * SIDE + y) * SIDE + x)
    }

    /// The field at a node.
    pub(super) fn value(&self, node: Node) -> f32 {
        let (block, at) = self.locate(node);
        match self.blocks[block] {
            Block::Empty => 0.0,
            Block::Full => 1.0,
            Block::Sampled(samples) => self.samples[samples as usize][at],
        }
    }

    /// Changes the field at a node.
    pub(super) fn set_value(&mut self, node: Node, value: f32) {
        let (block, at) = self.locate(node);
        let samples = match self.blocks[block] {
            Block::Sampled(samples) => samples as usize,
            constant => {
                self.samples.push([if constant == Block::Full { 1.0 } else { 0.0 }; BLOCK_NODES]);
                let samples = self.samples.len() - 1;
                self.blocks[block] = Block::Sampled(samples as u32);
                samples
            }
        };
        self.samples[samples][at] = value;
    }

    /// Blocks whose cells a surface may cross, in order.
    pub(super) fn surface_blocks(&self) -> Vec<usize> {
        let mut wanted = vec![false; self.blocks.len()];
        for (index, content) in self.blocks.iter().enumerate() {
            let block = self.block_at(index);
            if !matches!(content, Block::Sampled(_)) {
                continue;
            }
            // A cell belongs to the block of its lowest node, so a surface at a block's lower side lies in the
            // cells of the blocks below.
            for corner in 0..8 {
                let below = [0, 1, 2].map(|axis| block[axis].saturating_sub(corner >> axis & 1));
                wanted[self.block_index(below)] = true;
            }
        }
        (0..wanted.len()).filter(|index| wanted[*index]).collect()
    }

    /// A block's values with those of one node below it and two above, along each axis.
    pub(super) fn window(&self, block: [usize; 3]) -> Window {
        let mut values = [0.0; WINDOW_NODES];
        for neighbour in 0..27 {
            let step = [neighbour % 3, neighbour / 3 % 3, neighbour / 9];
            // The grid has a margin of empty blocks, so what lies beyond it is empty too.
            let [Some(x), Some(y), Some(z)] =
                [0, 1, 2].map(|axis| (block[axis] + step[axis]).checked_sub(1).filter(|at| *at < self.dims[axis]))
            else {
                continue;
            };
            let content = self.blocks[self.block_index([x, y, z])];
            // Of the block below, its last node; of the one above, its first two.
            let range = |axis: usize| [SIDE - 1..SIDE, 0..SIDE, 0..2][step[axis]].clone();
            let target = |axis: usize, node: usize| node + 1 + step[axis] * SIDE - SIDE;
            for k in range(2) {
                for j in range(1) {
                    let from = (k * SIDE + j) * SIDE;
                    let to = (target(2, k) * WINDOW + target(1, j)) * WINDOW + target(0, range(0).start);
                    let row = &mut values[to..to + range(0).len()];
                    match content {
                        Block::Empty => {}
                        Block::Full => row.fill(1.0),
                        Block::Sampled(samples) => {
                            let samples = &self.samples[samples as usize];
                            row.copy_from_slice(&samples[from + range(0).start..from + range(0).end]);
                        }
                    }
                }
            }
        }
        Window { values }
    }
}

/// Adds a kernel to the nodes of the block whose lowest node is `corner`.
fn splat(values: &mut [f32; BLOCK_NODES], corner: Vec3, kernel: &Kernel) {
    let offset = [0, 1, 2].map(|axis| corner[axis] - kernel.center[axis]);
    let range = |axis: usize| {
        let low = ((-kernel.extent[axis] - offset[axis]) / NODE).ceil().max(0.0) as usize;
        let high = ((kernel.extent[axis] - offset[axis]) / NODE).floor().min((SIDE - 1) as f32);
        low..(high + 1.0).max(0.0) as usize
    };
    let [xx, yy, zz, xy, xz, yz] = kernel.form;
    for k in range(2) {
        let z = offset[2] + k as f32 * NODE;
        for j in range(1) {
            let y = offset[1] + j as f32 * NODE;
            // Along the row, 1 − rᵀ form r is a parabola in x.
            let constant = 1.0 - (yy * y * y + zz * z * z + 2.0 * yz * y * z);
            let linear = 2.0 * (xy * y + xz * z);
            let at = (k * SIDE + j) * SIDE;
            for (i, value) in values[at..at + SIDE].iter_mut().enumerate() {
                let x = offset[0] + i as f32 * NODE;
                let t = (constant - x * (linear + xx * x)).max(0.0);
                *value += kernel.amplitude * (t * t * t);
            }
        }
    }
}

/// Side of a [`Window`], in nodes.
const WINDOW: usize = SIDE + 3;
const WINDOW_NODES: usize = WINDOW * WINDOW * WINDOW;

/// What lies around a block: nodes −1 to 9 of its own 0 to 7, along each axis.
pub(super) struct Window {
    values: [f32; WINDOW_NODES],
}

impl Window {
    fn index([x, y, z]: [i32; 3]) -> usize {
        ((z + 1) as usize * WINDOW + (y + 1) as usize) * WINDOW + (x + 1) as usize
    }

    /// The value at a node of −1..=9, counted from the block's lowest.
    pub(super) fn value(&self, node: [i32; 3]) -> f32 {
        self.values[Self::index(node)]
    }

    /// Whether that node lies within the liquid.
    pub(super) fn is_inside(&self, node: [i32; 3]) -> bool {
        self.value(node) >= LEVEL
    }

    /// Whether the corners of a cell lie inside; bit 0 of a corner's number is `x`, bit 1 `y`, bit 2 `z`.
    pub(super) fn corners(&self, cell: [i32; 3]) -> [bool; 8] {
        let low = Self::index(cell);
        std::array::from_fn(|c| {
            self.values[low + (c & 1) + (c >> 1 & 1) * WINDOW + (c >> 2) * WINDOW * WINDOW] >= LEVEL
        })
    }

    /// Value and gradient (per spacing) at a place in a cell, in nodes from the block's lowest; `cell` is that cell's
    /// lowest node, and the place may lie outside the cell by a fraction of a node.
    ///
    /// Both are trilinear between nodes, the gradient of central differences, so that neither jumps at the cells' sides.
    pub(super) fn at(&self, cell: [i32; 3], place: Vec3) -> (f32, Vec3) {
        let f = [0, 1, 2].map(|axis| place[axis] - cell[axis] as f32);
        let mut value = 0.0;
        let mut gradient = [0.0; 3];
        for corner in 0..8 {
            let bit = [corner & 1, corner >> 1 & 1, corner >> 2 & 1];
            let node = [0, 1, 2].map(|axis| cell[axis] + bit[axis]);
            let weight = (0..3).map(|axis| if bit[axis] == 1 { f[axis] } else { 1.0 - f[axis] }).product::<f32>();
            value += weight * self.value(node);
            for axis in 0..3 {
                let (mut low, mut high) = (node, node);
                low[axis] -= 1;
                high[axis] += 1;
                gradient[axis] += weight * (self.value(high) - self.value(low)) * (0.5 / NODE);
            }
        }
        (value, gradient)
    }
}
