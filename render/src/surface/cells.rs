//! Particles sorted into cells.

use seedstorm_sim::scene::{Fluid, Rgb};

use super::Vec3;

/// Cells along each side of a block of the field.
pub(super) const CELLS_PER_BLOCK: usize = 3;
/// A block's side, in spacings.
pub(super) const BLOCK: f32 = 4.0;
/// A cell's side, in spacings.
const CELL: f32 = BLOCK / CELLS_PER_BLOCK as f32;
/// Particles further than this from the median, along an axis, are left out.
const FAR: f32 = 190.0;
/// Reach of the weight with which particles colour a vertex.
const COLOR_REACH: f32 = 2.6;

/// Particles sorted by cell, and within a cell by their order in the fluid.
pub(super) struct CellGrid {
    /// Coordinates of the particles; separate arrays, so that loops over a row of cells vectorise.
    pub(super) x: Vec<f32>,
    pub(super) y: Vec<f32>,
    pub(super) z: Vec<f32>,
    colors: Vec<Rgb>,
    /// Lowest cell, in cells from the origin; a multiple of [`CELLS_PER_BLOCK`].
    min: [i32; 3],
    /// Cells along each axis; a multiple of [`CELLS_PER_BLOCK`].
    dims: [usize; 3],
    /// Where each cell's particles begin, `x` fastest; one more entry than there are cells.
    start: Vec<u32>,
    /// Whether the liquid is whole in the cell and all around it, so that no surface can pass.
    deep: Vec<bool>,
    /// The volume that each particle stands for, in cubic spacings.
    pub(super) share: f32,
}

impl CellGrid {
    pub(super) fn new(fluid: &Fluid) -> Self {
        let mut positions = Vec::with_capacity(fluid.positions.len());
        let mut colors = Vec::with_capacity(fluid.positions.len());
        for (index, particle) in fluid.positions.iter().enumerate() {
            let p: Vec3 = (particle / fluid.spacing).into();
            // Coordinates beyond a million have no fraction worth a surface, and must fit an `i32`.
            if p.iter().all(|v| v.abs() < 1.0e6) {
                positions.push(p);
                colors.push(fluid.colors.get(index).copied().unwrap_or([1.0; 3]));
            }
        }
        leave_out_strays(&mut positions, &mut colors);
        Self::sort(&positions, &colors, fluid.share)
    }

    fn sort(positions: &[Vec3], colors: &[Rgb], share: f32) -> Self {
        let cell_of = |p: &Vec3| p.map(|v| (v / CELL).floor() as i32);
        let mut min = [0; 3];
        let mut dims = [0; 3];
        for axis in 0..3 {
            let lowest = positions.iter().map(|p| cell_of(p)[axis]).min().unwrap_or(0);
            let highest = positions.iter().map(|p| cell_of(p)[axis]).max().unwrap_or(0);
            // Two blocks of margin: a kernel reaches less than one, and a cell of the surface one node further.
            let side = CELLS_PER_BLOCK as i32;
            let first = lowest.div_euclid(side) - 2;
            let last = highest.div_euclid(side) + 2;
            min[axis] = first * side;
            dims[axis] = ((last - first + 1) * side) as usize;
        }
        let mut grid = Self {
            x: vec![0.0; positions.len()],
            y: vec![0.0; positions.len()],
            z: vec![0.0; positions.len()],
            colors: vec![[0.0; 3]; positions.len()],
            min,
            dims,
            start: vec![0; dims[0] * dims[1] * dims[2] + 1],
            deep: Vec::new(),
            share,
        };
        let cells: Vec<usize> = positions
            .iter()
            .map(|p| {
                let c = cell_of(p);
                grid.index([0, 1, 2].map(|axis| (c[axis] - min[axis]) as usize))
            })
            .collect();
        for cell in &cells {
            grid.start[cell + 1] += 1;
        }
        for cell in 1..grid.start.len() {
            grid.start[cell] += grid.start[cell - 1];
        }
        let mut next = grid.start.clone();
        for ((cell, p), color) in cells.iter().zip(positions).zip(colors) {
            let slot = next[*cell] as usize;
            next[*cell] += 1;
            [grid.x[slot], grid.y[slot], grid.z[slot]] = *p;
            grid.colors[slot] = *color;
        }
        grid.deep = grid.find_deep();
        grid
    }

    pub(super) fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.x.len()
    }

    /// Blocks along each axis.
    pub(super) fn blocks(&self) -> [usize; 3] {
        self.dims.map(|d| d / CELLS_PER_BLOCK)
    }

    /// Lowest block, in blocks from the origin.
    pub(super) fn first_block(&self) -> [i32; 3] {
        self.min.map(|m| m / CELLS_PER_BLOCK as i32)
    }

    fn index(&self, cell: [usize; 3]) -> usize {
        (cell[2] * self.dims[1] + cell[1]) * self.dims[0] + cell[0]
    }

    /// The cell that holds the particle in this slot's neighbourhood, clamped into the grid.
    pub(super) fn cell_at(&self, p: Vec3) -> [usize; 3] {
        [0, 1, 2].map(|axis| {
            let cell = (p[axis] / CELL).floor() as i32 - self.min[axis];
            cell.clamp(0, self.dims[axis] as i32 - 1) as usize
        })
    }

    /// Slots of the particles in the cells of each row of a box of cells, row by row in a fixed order; `low` and `high`
    /// are inclusive and are cut to the grid.
    pub(super) fn rows(&self, low: [i32; 3], high: [i32; 3]) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let low = low.map(|v| v.max(0) as usize);
        let high = [0, 1, 2].map(|axis| high[axis].min(self.dims[axis] as i32 - 1).max(0) as usize);
        (low[2]..=high[2]).flat_map(move |z| {
            (low[1]..=high[1]).map(move |y| {
                let row = (z * self.dims[1] + y) * self.dims[0];
                self.start[row + low[0]] as usize..self.start[row + high[0] + 1] as usize
            })
        })
    }

    /// Rows of the cells up to `reach` cells from `cell`.
    pub(super) fn rows_around(
        &self,
        cell: [usize; 3],
        reach: i32,
    ) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let cell = cell.map(|v| v as i32);
        self.rows(cell.map(|v| v - reach), cell.map(|v| v + reach))
    }

    pub(super) fn is_deep(&self, cell: [usize; 3]) -> bool {
        self.deep[self.index(cell)]
    }

    /// Whether no surface can pass through this block.
    pub(super) fn is_deep_block(&self, block: [usize; 3]) -> bool {
        let first = block.map(|b| b * CELLS_PER_BLOCK);
        (0..CELLS_PER_BLOCK).all(|z| {
            (0..CELLS_PER_BLOCK)
                .all(|y| (0..CELLS_PER_BLOCK).all(|x| self.is_deep([first[0] + x, first[1] + y, first[2] + z])))
        })
    }

    fn find_deep(&self) -> Vec<bool> {
        // 27 cells hold a volume of 64 at rest. If those around a cell hold 70 % of that, the surface runs at least
        // 0.8 spacings beyond its middle; asked of the neighbours too, it runs clear of the cell and a kernel's margin.
        let enough = (45.0 / self.share) as u32;
        let mut counts: Vec<u32> = self.start.windows(2).map(|w| w[1] - w[0]).collect();
        self.fold_neighbours(&mut counts, |a, b, c| a + b + c);
        let mut whole: Vec<u32> = counts.iter().map(|count| u32::from(*count >= enough)).collect();
        self.fold_neighbours(&mut whole, |a, b, c| a.min(b).min(c));
        whole.iter().map(|w| *w == 1).collect()
    }

    /// Replaces each cell's value by what `fold` makes of it and its neighbours, along one axis after the other; beyond
    /// the grid lie zeros.
    fn fold_neighbours(&self, values: &mut [u32], fold: impl Fn(u32, u32, u32) -> u32) {
        let strides = [1, self.dims[0], self.dims[0] * self.dims[1]];
        for (stride, side) in strides.into_iter().zip(self.dims) {
            let before = values.to_owned();
            for (cell, value) in values.iter_mut().enumerate() {
                let at = cell / stride % side;
                let low = if at > 0 { before[cell - stride] } else { 0 };
                let high = if at + 1 < side { before[cell + stride] } else { 0 };
                *value = fold(low, before[cell], high);
            }
        }
    }

    /// The weighted average of the colours of the particles around a place; white if there is none.
    ///
    /// The denser they lie, the closer are those that count: by eye, so close that pigments keep their edges and single
    /// particles do not show.
    pub(super) fn color_at(&self, p: Vec3) -> Rgb {
        let sharpness = (1.6 / libm::cbrtf(self.share * self.share)) as u32;
        let mut total = 0.0;
        let mut sum = [0.0; 3];
        for row in self.rows_around(self.cell_at(p), 2) {
            for slot in row {
                let (dx, dy, dz) = (self.x[slot] - p[0], self.y[slot] - p[1], self.z[slot] - p[2]);
                let t = 1.0 - (dx * dx + dy * dy + dz * dz) * (1.0 / (COLOR_REACH * COLOR_REACH));
                if t > 0.0 {
                    let once = t * t * t * t;
                    let weight = (1..sharpness).fold(once, |weight, _| weight * once);
                    total += weight;
                    for (channel, value) in sum.iter_mut().zip(self.colors[slot]) {
                        *channel += weight * value;
                    }
                }
            }
        }
        if total > 0.0 { sum.map(|v| v / total) } else { [1.0; 3] }
    }
}

fn leave_out_strays(positions: &mut Vec<Vec3>, colors: &mut Vec<Rgb>) {
    if positions.is_empty() {
        return;
    }
    let median = [0, 1, 2].map(|axis| {
        let mut values: Vec<f32> = positions.iter().map(|p| p[axis]).collect();
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    });
    let near = |p: &Vec3| (0..3).all(|axis| (p[axis] - median[axis]).abs() < FAR);
    let mut keep = positions.iter().map(near).collect::<Vec<_>>().into_iter();
    colors.retain(|_| keep.next().unwrap_or(false));
    positions.retain(near);
}
