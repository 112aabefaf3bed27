//! The Rust twin of the kernel, on rayon.
//!
//! Particles are kept in cell order for the cache, each with its id; the order is not part of the state. The scatter
//! runs over slabs of two planes: slabs of one colour write to separate planes, so there are neither locks nor
//! atomics, and the sums come out the same in any order because they are sums of integers.

use rayon::prelude::*;

use super::{
    Colliders, Force, Impulse, Kind, Law, MAX_IN_CELL, MAX_RATE, MAX_SPEED, Material, Matter, Node, Particle,
    Particles, Strain, Vessel, pressure, strained, stress,
};
use crate::{
    fixed::{ONE, div24, mul24, mul30, spline},
    lanes::{InLanes, Lanes, Two, in_lanes},
    world::KernelError,
};

/// Steps between two sortings of the particles into cell order.
const SORT_EVERY: u32 = 24;

/// Particles handed to a thread at a time.
const BATCH: usize = 2048;

/// Matter stepped on the CPU.
#[derive(Debug)]
pub struct TwinMatter {
    matter: Matter,
    inverse_density: i32,
    wall: Vec<[i32; 4]>,
    /// Planes −1 ..= cells, one more on either side than the grid has.
    grid: Vec<Node>,
    /// Particles by cell, in planes as `grid` is.
    counts: Vec<u8>,
    particles: Particles,
    ids: Vec<u32>,
    steps: u32,
}

/// A body, and what a node gives it.
type Push = (usize, [i32; 6]);

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

impl TwinMatter {
    /// `particles` that all lie at least two cells inside the grid, before step `step`.
    #[must_use]
    pub fn new(matter: Matter, particles: Particles, step: u32) -> Self {
        let plane = (matter.cells * matter.cells) as usize;
        let mut twin = Self {
            inverse_density: matter.inverse_density(),
            wall: matter.wall(),
            grid: vec![[0; 4]; matter.nodes() + 2 * plane],
            counts: vec![0; matter.nodes() + 2 * plane],
            particles: Particles::default(),
            ids: Vec::new(),
            steps: 0,
            matter,
        };
        twin.restore(particles, step);
        twin
    }

    /// Goes on from `particles`, as many as before, before step `step`.
    pub fn restore(&mut self, particles: Particles, step: u32) {
        self.ids = (0..particles.states.len() as u32).collect();
        (self.particles, self.steps) = (particles, step);
        self.sort();
    }

    /// Advances one step under `force`, among `bodies`. Gives the impulse on each of them.
    ///
    /// # Errors
    /// [`KernelError::Overfull`] where a node holds more particles than its sums have room for.
    pub fn step(&mut self, force: &Force, bodies: Option<&Colliders>) -> Result<Vec<Impulse>, KernelError> {
        if self.steps.is_multiple_of(SORT_EVERY) {
            self.sort();
        }
        let (step, most) = (self.steps, self.matter.max_node_mass());
        self.steps += 1;
        self.scatter(step);
        // Before the sums are used: where a cell is crowded, they may have wrapped.
        let crowded = self
            .counts
            .par_chunks(self.plane())
            .any(|counts| counts.iter().fold(0, |most, count| most.max(*count)) > MAX_IN_CELL);
        let (heaviest, impulses) = if crowded { (i32::MAX, Vec::new()) } else { self.update_grid(force, bodies) };
        if heaviest >= most {
            return Err(KernelError::Overfull { step: self.steps, most: most / ONE * 2 });
        }
        self.gather(step, bodies);
        Ok(impulses)
    }

    /// The particles in the order of their ids.
    #[must_use]
    pub fn particles(&self) -> Particles {
        let own = &self.particles;
        let mut ordered = own.clone();
        for (at, id) in self.ids.iter().enumerate() {
            ordered.states[*id as usize] = own.states[at];
            if !own.strains.is_empty() {
                ordered.strains[*id as usize] = own.strains[at];
                ordered.kinds[*id as usize] = own.kinds[at];
            }
        }
        ordered
    }

    fn plane(&self) -> usize {
        (self.matter.cells * self.matter.cells) as usize
    }

    fn sort(&mut self) {
        let cells = self.matter.cells;
        let key = |p: &Particle| ((p[0] >> 24) as u32 * cells + (p[1] >> 24) as u32) * cells + (p[2] >> 24) as u32;
        let own = &self.particles;
        let mut order: Vec<(u32, u32, u32)> =
            own.states.iter().zip(&self.ids).enumerate().map(|(at, (p, id))| (key(p), *id, at as u32)).collect();
        order.par_sort_unstable();
        let places = || order.par_iter().map(|(_, _, at)| *at as usize);
        self.particles = Particles {
            states: places().map(|at| own.states[at]).collect(),
            strains: if own.strains.is_empty() { Vec::new() } else { places().map(|at| own.strains[at]).collect() },
            kinds: if own.kinds.is_empty() { Vec::new() } else { places().map(|at| own.kinds[at]).collect() },
        };
        self.ids = order.iter().map(|(_, id, _)| *id).collect();
    }

    /// Indices of the particles by plane of their cell, and where each plane's begin.
    fn by_plane(&self) -> (Vec<u32>, Vec<usize>) {
        let states = &self.particles.states;
        let mut starts = vec![0; self.matter.cells as usize + 1];
        for particle in states {
            starts[(particle[0] >> 24) as usize + 1] += 1;
        }
        for plane in 1..starts.len() {
            starts[plane] += starts[plane - 1];
        }
        let (mut next, mut order) = (starts.clone(), vec![0; states.len()]);
        for (index, particle) in states.iter().enumerate() {
            let slot = &mut next[(particle[0] >> 24) as usize];
            order[*slot] = index as u32;
            *slot += 1;
        }
        (order, starts)
    }

    fn scatter(&mut self, step: u32) {
        let (plane, cells) = (self.plane(), self.matter.cells as usize);
        let (order, starts) = self.by_plane();
        let (matter, particles) = (&self.matter, &self.particles);
        self.grid.par_chunks_mut(plane).for_each(|nodes| nodes.fill([0; 4]));
        self.counts.fill(0);
        // Slab `s` holds planes 2s and 2s + 1 and writes 2s − 1 ..= 2s + 2, stored from plane 2s of `grid` on.
        for colour in 0..2 {
            let slabs = self.grid[colour * 2 * plane..].par_chunks_mut(4 * plane);
            let counts = self.counts[colour * 2 * plane..].par_chunks_mut(4 * plane);
            slabs.zip(counts).enumerate().for_each(|(at, (nodes, counts))| {
                let first = at * 4 + colour * 2;
                if first < cells {
                    let last = (first + 2).min(cells);
                    let order = &order[starts[first]..starts[last]];
                    in_lanes(Scatter { step, matter, particles, order, nodes, counts, first });
                }
            });
        }
    }

    /// Turns momenta into velocities; gives the largest mass of a node, and the impulse on each body.
    fn update_grid(&mut self, force: &Force, bodies: Option<&Colliders>) -> (i32, Vec<Impulse>) {
        let (plane, cells) = (self.plane(), self.matter.cells as usize);
        let (matter, center, cell_mass) = (&self.matter, self.matter.center(), self.matter.cell_mass());
        let planes = self.grid[plane..(cells + 1) * plane].par_chunks_mut(plane).zip(self.wall.par_chunks(plane));
        let done: Vec<(i32, Vec<Push>)> = planes
            .enumerate()
            .map(|(x, (nodes, wall))| {
                let (mut heaviest, mut sound, mut impulses) = (0, true, Vec::new());
                for (index, (node, wall)) in nodes.iter_mut().zip(wall).enumerate() {
                    let mass = node[0];
                    // A sum that wrapped would be negative here.
                    heaviest = heaviest.max(if mass < 0 { i32::MAX } else { mass });
                    sound &= !cfg!(debug_assertions) || carries(node, matter.max_push());
                    let at = [x, index / cells, index % cells];
                    if mass > 0 {
                        let place = at.map(|c| (c as i32 * ONE + ONE / 2) - center);
                        accelerate(node, force, place);
                    }
                    let mut more = wall[3];
                    if let Some(bodies) = bodies {
                        let near = bodies.near(matter.cells, at);
                        if !near.is_empty() {
                            let place = at.map(|c| c as i32 * ONE + ONE / 2);
                            let (body_mass, impulse) = bodies.act(near, place, node, cell_mass);
                            more += body_mass;
                            impulses.extend(impulse);
                        }
                    }
                    if mass > 0 {
                        hold(matter, node, wall);
                    }
                    node[0] = node[0].wrapping_add(more);
                }
                // Where a sum may have wrapped, its neighbours are too heavy, and the step fails.
                debug_assert!(sound || heaviest >= matter.max_node_mass());
                (heaviest, impulses)
            })
            .collect();
        let mut sums = vec![[0i64; 6]; bodies.map_or(0, |bodies| bodies.bodies.len())];
        for (body, impulse) in done.iter().flat_map(|(_, impulses)| impulses) {
            for (sum, part) in sums[*body].iter_mut().zip(impulse) {
                *sum += i64::from(*part);
            }
        }
        (done.iter().map(|(heaviest, _)| *heaviest).max().unwrap_or(0), sums)
    }

    fn gather(&mut self, step: u32, bodies: Option<&Colliders>) {
        let (matter, grid, inverse_density) = (&self.matter, &self.grid, self.inverse_density);
        let Particles { states, strains, kinds } = &mut self.particles;
        let gather = |states, strains, kinds| {
            in_lanes(Gather { step, matter, inverse_density, grid, bodies, states, strains, kinds });
        };
        let states = states.par_chunks_mut(BATCH);
        if kinds.is_empty() {
            states.for_each(|states| gather(states, &mut [], &[]));
        } else {
            let batches = states.zip(strains.par_chunks_mut(BATCH)).zip(kinds.par_chunks(BATCH));
            batches.for_each(|((states, strains), kinds)| gather(states, strains, kinds));
        }
    }
}

/// The scatter of the particles of one slab, in lanes.
struct Scatter<'a> {
    step: u32,
    matter: &'a Matter,
    particles: &'a Particles,
    /// The slab's particles.
    order: &'a [u32],
    /// The nodes it writes to, from the plane before the slab's first one on.
    nodes: &'a mut [Node],
    /// The particles in their cells, laid out alike.
    counts: &'a mut [u8],
    first: usize,
}

impl InLanes for Scatter<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (materials, cells) = (&self.matter.materials, self.matter.cells as usize);
        for index in self.order {
            let index = *index as usize;
            let state = &self.particles.states[index];
            let affine = match self.particles.kinds.get(index) {
                None => affine(&materials[0], state, None),
                Some(kind) if kind.birth <= self.step => {
                    affine(&materials[kind.material as usize], state, Some(&self.particles.strains[index]))
                }
                Some(_) => continue,
            };
            let [x, y, z] = std::array::from_fn(|axis| (state[axis] >> 24) as usize);
            let count = &mut self.counts[((x + 1 - self.first) * cells + y) * cells + z];
            *count = count.saturating_add(1);
            debug_assert!(pushes(state, &affine).iter().all(|q| *q <= i64::from(self.matter.max_push())));
            scatter_one(lanes, state, &affine, self.nodes, self.first, cells);
        }
    }
}

/// The most that `q` can be along each axis at any node, Q24.
fn pushes(particle: &Particle, affine: &[[i32; 3]; 3]) -> [i64; 3] {
    let size = |x: i32| i64::from(x).abs();
    std::array::from_fn(|row| size(particle[3 + row]) + 3 * affine[row].map(size).iter().sum::<i64>() / 2)
}

/// The gather of a batch of particles, in lanes.
struct Gather<'a> {
    step: u32,
    matter: &'a Matter,
    inverse_density: i32,
    grid: &'a [Node],
    bodies: Option<&'a Colliders>,
    states: &'a mut [Particle],
    strains: &'a mut [Strain],
    kinds: &'a [Kind],
}

impl InLanes for Gather<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { step, matter, inverse_density, grid, bodies, states, strains, kinds } = self;
        let range = matter.vessel.range(matter.cells);
        if kinds.is_empty() {
            for state in states {
                gather_one(lanes, state, grid, inverse_density, matter.materials[0].memory, matter.cells as usize);
                keep(state, range, matter.cells, bodies);
            }
            return;
        }
        for ((state, strain), kind) in states.iter_mut().zip(strains).zip(kinds) {
            if kind.birth <= step {
                let material = &matter.materials[kind.material as usize];
                gather_one(lanes, state, grid, inverse_density, material.memory, matter.cells as usize);
                keep(state, range, matter.cells, bodies);
                if material.law() != Law::Liquid {
                    let c = state[6..15].try_into().expect("nine words");
                    *strain = strained(material, strain, c, state[15]);
                }
            }
        }
    }
}

/// Keeps a particle within its vessel, and out of bodies.
#[inline(always)]
fn keep(particle: &mut Particle, range: [[i32; 2]; 3], cells: u32, bodies: Option<&Colliders>) {
    let place = particle.first_chunk_mut().expect("a position");
    let within = |place: &mut [i32; 3]| {
        for (x, [low, high]) in place.iter_mut().zip(range) {
            *x = (*x).clamp(low, high - 1);
        }
    };
    within(place);
    if let Some(bodies) = bodies {
        bodies.expel(cells, place);
        within(place);
    }
}

/// The affine matrix of a particle, row by row.
#[inline(always)]
fn affine(material: &Material, particle: &Particle, strain: Option<&Strain>) -> [[i32; 3]; 3] {
    let c = &particle[6..15];
    let law = material.law();
    let bulk = if law == Law::Jelly { 0 } else { 4 * pressure(material, particle[15]) };
    let mut affine = [[0i32; 3]; 3];
    for row in 0..3 {
        for column in row..3 {
            let [here, across] = [c[row * 3 + column], c[column * 3 + row]];
            let drag = 4 * mul24(material.viscosity, here + across);
            (affine[row][column], affine[column][row]) = (here - drag, across - drag);
        }
        affine[row][row] += bulk;
    }
    if let Some(strain) = strain
        && law != Law::Liquid
    {
        let [xx, yy, zz, xy, xz, yz] = stress(material, strain);
        for (row, stresses) in [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]].iter().enumerate() {
            for column in 0..3 {
                affine[row][column] -= 4 * stresses[column];
            }
        }
    }
    affine
}

/// Adds one particle to the nodes of its slab, whose first plane in `nodes` is `first − 1`.
#[inline(always)]
fn scatter_one<L: Lanes>(
    lanes: L,
    particle: &Particle,
    affine: &[[i32; 3]; 3],
    nodes: &mut [Node],
    first: usize,
    cells: usize,
) {
    let stencil = Stencil::new(particle);
    let columns: [[i32; 4]; 3] = std::array::from_fn(|axis| [0, affine[0][axis], affine[1][axis], affine[2][axis]]);
    // At node (0,0,0), d = −1 − offset along each axis.
    let d = stencil.offset.map(|offset| [-ONE - offset; 4]);
    let moved = [
        lanes.halves(lanes.mul24(lanes.load([columns[0], columns[1]]), lanes.load([d[0], d[1]]))),
        lanes.halves(lanes.mul24(lanes.load([columns[2]; 2]), lanes.load([d[2]; 2]))),
    ];
    let mut corner = [ONE, particle[3], particle[4], particle[5]];
    for lane in 1..4 {
        corner[lane] += moved[0][0][lane] + moved[0][1][lane] + moved[1][0][lane];
    }
    let mut plane_q = lanes.load([corner, std::array::from_fn(|lane| corner[lane] + columns[2][lane])]);
    let [next_x, next_y, next_z] =
        [lanes.load([columns[0]; 2]), lanes.load([columns[1]; 2]), lanes.load([columns[2].map(|c| 2 * c); 2])];
    let [bx, by, bz] = stencil.base;
    let [wx, wy, [w0, w1, w2]] = stencil.weights;
    // A line has a fourth node of no weight, which makes two pairs of it.
    let (near_z, far_z) = (lanes.weights([w0, w1]), lanes.weights([w2, 0]));
    // Plane bx (the first that is written) is stored at bx − (first − 1).
    let mut at_x = ((bx + 1 - first) * cells + by) * cells + bz;
    for along_x in wx {
        let mut at_y = at_x;
        let mut q = plane_q;
        for along_y in wy {
            let weight = mul30(along_x, along_y);
            let line: &mut [Node; 4] = (&mut nodes[at_y..at_y + 4]).try_into().expect("four nodes");
            let [near, far]: &mut [Two; 2] = bytemuck::cast_mut(line);
            let push = lanes.times(q, lanes.weigh::<31>(near_z, weight));
            *near = lanes.halves(lanes.add(lanes.load(*near), push));
            let push = lanes.times(lanes.add(q, next_z), lanes.weigh::<31>(far_z, weight));
            *far = lanes.halves(lanes.add(lanes.load(*far), push));
            q = lanes.add(q, next_y);
            at_y += cells;
        }
        plane_q = lanes.add(plane_q, next_x);
        at_x += cells * cells;
    }
}

/// Whether a node's momentum is what a mass pushed by at most `most` can have; each particle's share is rounded.
fn carries(node: &Node, most: i32) -> bool {
    let bound = ((i64::from(node[0]) * i64::from(most)) >> 24) + (1 << 12);
    node[1..].iter().all(|p| i64::from(*p).abs() <= bound)
}

fn limit(u: i32) -> i32 {
    u.clamp(-MAX_SPEED, MAX_SPEED)
}

/// Turns a node's momentum into its velocity under `force`.
#[inline(always)]
fn accelerate(node: &mut Node, force: &Force, place: [i32; 3]) {
    for axis in 0..3 {
        let mut u = limit(div24(node[1 + axis], node[0])) + force.uniform[axis];
        for (entry, d) in force.linear[axis * 3..axis * 3 + 3].iter().zip(place) {
            u += mul30(d, *entry);
        }
        node[1 + axis] = u - mul24(u, force.drag);
    }
}

/// Holds a node's velocity within the wall and its limit.
#[inline(always)]
fn hold(matter: &Matter, node: &mut Node, wall: &[i32; 4]) {
    let [_, u @ ..] = node;
    let mut held = false;
    let mut free = [true; 3];
    match matter.vessel {
        Vessel::Ball(_) => {
            let outward = mul30(u[0], wall[0]) + mul30(u[1], wall[1]) + mul30(u[2], wall[2]);
            if outward > 0 {
                held = true;
                for axis in 0..3 {
                    u[axis] -= mul30(outward, wall[axis]);
                }
            }
        }
        Vessel::Box(..) => {
            for axis in 0..3 {
                if u[axis] * wall[axis].signum() > 0 {
                    (u[axis], free[axis], held) = (0, false, true);
                }
            }
        }
    }
    for axis in 0..3 {
        if held && free[axis] {
            u[axis] -= mul24(u[axis], matter.wall_friction);
        }
        u[axis] = limit(u[axis]);
    }
}

#[inline(always)]
fn gather_one<L: Lanes>(
    lanes: L,
    particle: &mut Particle,
    grid: &[Node],
    inverse_density: i32,
    memory: i32,
    cells: usize,
) {
    let (stencil, plane) = (Stencil::new(particle), cells * cells);
    let [bx, by, bz] = stencil.base;
    let [wx, wy, [w0, w1, w2]] = stencil.weights;
    // A line has a fourth node of no weight, which makes two pairs of it.
    let (near_z, far_z) = (lanes.weights([w0, w1]), lanes.weights([w2, 0]));
    // Sums over the whole stencil of (mass, velocity) and of velocity times the node's place (−1, 0, 1) by axis.
    let zero = lanes.load([[0; 4]; 2]);
    let (mut planes, mut moment_y, mut moment_z) = ([zero; 3], zero, zero);
    let mut at_x = (bx + 1) * plane + by * cells + bz;
    for (along_x, sum) in wx.into_iter().zip(&mut planes) {
        let mut at_y = at_x;
        let mut lines = [zero; 3];
        for (along_y, line) in wy.into_iter().zip(&mut lines) {
            let weight = mul30(along_x, along_y);
            let nodes: &[Node; 4] = (&grid[at_y..at_y + 4]).try_into().expect("four nodes");
            let [near, far]: &[Two; 2] = bytemuck::cast_ref(nodes);
            let near = lanes.times(lanes.load(*near), lanes.weigh::<30>(near_z, weight));
            let far = lanes.times(lanes.load(*far), lanes.weigh::<30>(far_z, weight));
            *line = lanes.add(near, far);
            moment_z = lanes.add(moment_z, lanes.sub(far, near));
            at_y += cells;
        }
        *sum = lanes.add(lanes.add(lines[0], lines[1]), lines[2]);
        moment_y = lanes.add(moment_y, lanes.sub(lines[2], lines[0]));
        at_x += plane;
    }
    let total = lanes.sum(lanes.add(lanes.add(planes[0], planes[1]), planes[2]));
    let moment = [lanes.sum(lanes.sub(planes[2], planes[0])), lanes.sum(moment_y), lanes.halves(moment_z)[0]];
    let mut divergence = 0;
    for row in 0..3 {
        let v = total[1 + row];
        for column in 0..3 {
            let rate = 4 * (moment[column][1 + row] - mul24(v, stencil.offset[column]));
            particle[6 + row * 3 + column] = rate.clamp(-MAX_RATE, MAX_RATE);
        }
        divergence += particle[6 + row * 4];
        particle[3 + row] = v;
        particle[row] += v;
    }
    let here = mul24(total[0], inverse_density);
    let density = here + mul24(particle[15] - here, memory);
    particle[15] = (density - mul24(density, divergence)).clamp(0, 2 * ONE);
}
