//! Surface nets (Gibson 1998) over the field.
//!
//! Each cell that the surface crosses has one vertex, which is moved onto the level of the field; each grid edge that it
//! crosses has a quadrilateral between the vertices of the four cells around.

use rayon::prelude::*;

use super::field::{BLOCK_NODES, Field, LEVEL, NODE, SIDE};
use super::{Vec3, add, dot, length, scale, sub};

/// A closed triangle mesh, in spacings from the origin.
#[derive(Debug, Default)]
pub(super) struct Surface {
    pub(super) positions: Vec<Vec3>,
    pub(super) triangles: Vec<[u32; 3]>,
}

/// The vertices of a block's cells.
struct Vertices {
    positions: Vec<Vec3>,
    /// Index of each cell's vertex, [`NONE`] without one.
    of_cell: Box<[u32; BLOCK_NODES]>,
}

const NONE: u32 = u32::MAX;

pub(super) fn extract(field: &Field) -> Surface {
    let blocks = field.surface_blocks();
    let parts: Vec<Vertices> = blocks.par_iter().map(|index| vertices(field, field.block_at(*index))).collect();

    let mut surface = Surface::default();
    let mut part_of_block = vec![NONE; field.blocks.len()];
    let mut offsets = Vec::with_capacity(parts.len());
    for (part, (block, vertices)) in blocks.iter().zip(&parts).enumerate() {
        part_of_block[*block] = part as u32;
        offsets.push(surface.positions.len() as u32);
        surface.positions.extend_from_slice(&vertices.positions);
    }

    let vertex = |cell: [usize; 3]| {
        let part = part_of_block[field.block_index(cell.map(|c| c / SIDE))];
        assert_ne!(part, NONE, "cells beside a crossed edge lie in the blocks that were searched");
        let [x, y, z] = cell.map(|c| c % SIDE);
        let local = parts[part as usize].of_cell[(z * SIDE + y) * SIDE + x];
        assert_ne!(local, NONE, "a cell with a crossed edge has a vertex");
        offsets[part as usize] + local
    };
    surface.triangles = blocks
        .par_iter()
        .flat_map_iter(|index| triangles(field, field.block_at(*index), &surface.positions, &vertex))
        .collect();
    surface
}

fn node_bits(corner: usize) -> [i32; 3] {
    [(corner & 1) as i32, (corner >> 1 & 1) as i32, (corner >> 2 & 1) as i32]
}

fn vertices(field: &Field, block: [usize; 3]) -> Vertices {
    let window = field.window(block);
    let first = block.map(|b| (b * SIDE) as i32);
    let mut found = Vertices { positions: Vec::new(), of_cell: Box::new([NONE; BLOCK_NODES]) };
    for at in 0..BLOCK_NODES {
        let cell = [(at % SIDE) as i32, (at / SIDE % SIDE) as i32, (at / (SIDE * SIDE)) as i32];
        let inside = window.corners(cell);
        if inside.iter().all(|i| *i) || inside.iter().all(|i| !*i) {
            continue;
        }
        let corners: [(f32, Vec3); 8] = std::array::from_fn(|corner| {
            let node = [0, 1, 2].map(|axis| cell[axis] + node_bits(corner)[axis]);
            (window.value(node), field.place([0, 1, 2].map(|axis| first[axis] + node[axis])))
        });
        let mut sum = [0.0; 3];
        let mut count = 0.0;
        for low in 0..8 {
            for axis in 0..3 {
                let high = low | 1 << axis;
                if high == low || inside[low] == inside[high] {
                    continue;
                }
                let (inner, outer) = if inside[low] { (low, high) } else { (high, low) };
                let ((inner, from), (outer, to)) = (corners[inner], corners[outer]);
                let crossing = (inner - LEVEL) / (inner - outer);
                sum = add(sum, add(from, scale(sub(to, from), crossing)));
                count += 1.0;
            }
        }
        let start = scale(sum, 1.0 / count);
        let origin = field.place(first);
        let sampled = |place: Vec3| window.at(cell, scale(sub(place, origin), 1.0 / NODE));
        found.of_cell[at] = found.positions.len() as u32;
        found.positions.push(settle(start, sampled));
    }
    found
}

/// Moves a vertex from the mean of its cell's crossings onto the surface.
fn settle(start: Vec3, sampled: impl Fn(Vec3) -> (f32, Vec3)) -> Vec3 {
    /// A vertex stays within this many spacings of where it began, so that neighbours keep their order.
    const LEASH: f32 = 0.5 * NODE;
    let mut place = start;
    for _ in 0..3 {
        let (value, gradient) = sampled(place);
        let steepness = dot(gradient, gradient);
        if steepness < 1e-6 {
            break;
        }
        let step = scale(gradient, (LEVEL - value) / steepness);
        let moved = sub(add(place, step), start);
        let distance = length(moved);
        place = if distance > LEASH { add(start, scale(moved, LEASH / distance)) } else { add(place, step) };
    }
    place
}

/// The triangles around the crossed grid edges that begin at a block's nodes.
fn triangles(
    field: &Field,
    block: [usize; 3],
    positions: &[Vec3],
    vertex: &(impl Fn([usize; 3]) -> u32 + Sync),
) -> Vec<[u32; 3]> {
    let window = field.window(block);
    let first = block.map(|b| b * SIDE);
    let mut found = Vec::new();
    for at in 0..BLOCK_NODES {
        let local = [(at % SIDE) as i32, (at / SIDE % SIDE) as i32, (at / (SIDE * SIDE)) as i32];
        let is_low_inside = window.is_inside(local);
        for axis in 0..3 {
            let mut next = local;
            next[axis] += 1;
            if is_low_inside == window.is_inside(next) {
                continue;
            }
            let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
            let node = [0, 1, 2].map(|a| first[a] + local[a] as usize);
            let cell = |down_u: usize, down_v: usize| {
                let mut cell = node;
                cell[u] -= down_u;
                cell[v] -= down_v;
                vertex(cell)
            };
            // Counter-clockwise seen from the edge's upper end.
            let mut quad = [cell(1, 1), cell(0, 1), cell(0, 0), cell(1, 0)];
            if !is_low_inside {
                quad.reverse();
            }
            let [a, b, c, d] = quad;
            let squared = |p: u32, q: u32| {
                let line = sub(positions[p as usize], positions[q as usize]);
                dot(line, line)
            };
            if squared(a, c) <= squared(b, d) {
                found.extend([[a, b, c], [a, c, d]]);
            } else {
                found.extend([[b, c, d], [b, d, a]]);
            }
        }
    }
    found
}
