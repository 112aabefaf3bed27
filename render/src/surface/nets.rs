//! Surface nets (Gibson 1998) over the field, cut by the vessel's wall.
//!
//! Each cell that the surface crosses has one vertex, each grid edge that it crosses a quadrilateral between the
//! vertices of the four cells around. A vertex is moved onto the level of the field; on the wall, onto the sphere;
//! where both meet, onto the curve that they share, as dual contouring does (Ju et al. 2002). Vertices on that crease
//! exist twice, once for either side.

use rayon::prelude::*;

use super::field::{BLOCK_NODES, Field, LEVEL, NODE, SIDE};
use super::{Vec3, add, dot, length, scale, sub};

/// A closed triangle mesh, in spacings from the origin.
#[derive(Debug, Default)]
pub(super) struct Surface {
    pub(super) positions: Vec<Vec3>,
    /// Whether each vertex is one of the wall's.
    pub(super) on_wall: Vec<bool>,
    pub(super) triangles: Vec<[u32; 3]>,
    /// Pairs of vertices at one place: that of the free surface and that of the wall.
    pub(super) creases: Vec<[u32; 2]>,
}

/// What the surface is made of at a crossing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Free,
    Wall,
}

/// The vertices of a block's cells.
struct Vertices {
    positions: Vec<Vec3>,
    on_wall: Vec<bool>,
    /// Index of the first vertex of each cell, [`NONE`] without one.
    of_cell: Box<[u32; BLOCK_NODES]>,
    /// Indices of free vertices that the wall's vertex follows.
    creases: Vec<u32>,
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
        let offset = surface.positions.len() as u32;
        offsets.push(offset);
        surface.positions.extend_from_slice(&vertices.positions);
        surface.on_wall.extend_from_slice(&vertices.on_wall);
        surface.creases.extend(vertices.creases.iter().map(|free| [offset + free, offset + free + 1]));
    }

    // The vertex of a cell, for a surface of this kind; the wall's follows the free one at a crease.
    let is_crease: Vec<bool> = {
        let mut flags = vec![false; surface.positions.len()];
        for [free, _] in &surface.creases {
            flags[*free as usize] = true;
        }
        flags
    };
    let vertex = |cell: [usize; 3], side: Side| {
        let part = part_of_block[field.block_index(cell.map(|c| c / SIDE))];
        assert_ne!(part, NONE, "cells beside a crossed edge lie in the blocks that were searched");
        let [x, y, z] = cell.map(|c| c % SIDE);
        let local = parts[part as usize].of_cell[(z * SIDE + y) * SIDE + x];
        assert_ne!(local, NONE, "a cell with a crossed edge has a vertex");
        let first = offsets[part as usize] + local;
        if side == Side::Wall && is_crease[first as usize] { first + 1 } else { first }
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

/// Where the surface crosses the edge from an inner to an outer node, as a fraction of the edge, and what it is there.
fn crossing(field: &Field, inner: (f32, Vec3), outer: (f32, Vec3)) -> (f32, Side) {
    let free = if outer.0 < LEVEL { (inner.0 - LEVEL) / (inner.0 - outer.0) } else { 1.0 };
    let mut wall = 2.0;
    if let Some(radius) = field.wall {
        let squared = |p: Vec3| dot(p, p);
        if squared(outer.1) >= radius * radius {
            // |inner + t (outer − inner)|² = radius², t in [0, 1].
            let step = sub(outer.1, inner.1);
            let (a, b, c) = (dot(step, step), dot(inner.1, step), squared(inner.1) - radius * radius);
            wall = (((b * b - a * c).max(0.0)).sqrt() - b) / a;
        }
    }
    if wall <= free { (wall.clamp(0.0, 1.0), Side::Wall) } else { (free, Side::Free) }
}

fn vertices(field: &Field, block: [usize; 3]) -> Vertices {
    let window = field.window(block);
    let first = block.map(|b| (b * SIDE) as i32);
    let mut found = Vertices {
        positions: Vec::new(),
        on_wall: Vec::new(),
        of_cell: Box::new([NONE; BLOCK_NODES]),
        creases: Vec::new(),
    };
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
        let (mut free, mut wall) = (false, false);
        for low in 0..8 {
            for axis in 0..3 {
                let high = low | 1 << axis;
                if high == low || inside[low] == inside[high] {
                    continue;
                }
                let (inner, outer) = if inside[low] { (low, high) } else { (high, low) };
                let (t, side) = crossing(field, corners[inner], corners[outer]);
                let edge = sub(corners[outer].1, corners[inner].1);
                sum = add(sum, add(corners[inner].1, scale(edge, t)));
                count += 1.0;
                match side {
                    Side::Free => free = true,
                    Side::Wall => wall = true,
                }
            }
        }
        let start = scale(sum, 1.0 / count);
        let origin = field.place(first);
        let sampled = |place: Vec3| window.at(cell, scale(sub(place, origin), 1.0 / NODE));
        let place = settle(field, start, free, wall, sampled);
        found.of_cell[at] = found.positions.len() as u32;
        if free {
            if wall {
                found.creases.push(found.positions.len() as u32);
            }
            found.positions.push(place);
            found.on_wall.push(false);
        }
        if wall {
            found.positions.push(place);
            found.on_wall.push(true);
        }
    }
    found
}

/// Moves a vertex from the mean of its cell's crossings onto the surface.
fn settle(field: &Field, start: Vec3, free: bool, wall: bool, sampled: impl Fn(Vec3) -> (f32, Vec3)) -> Vec3 {
    /// A vertex stays within this many spacings of where it began, so that neighbours keep their order.
    const LEASH: f32 = 0.5 * NODE;
    let on_wall = |p: Vec3| match field.wall {
        Some(radius) => scale(p, radius / length(p)),
        None => p,
    };
    let mut place = start;
    if free {
        for _ in 0..3 {
            let (value, gradient) = sampled(place);
            let steepness = dot(gradient, gradient);
            if steepness < 1e-6 {
                break;
            }
            let mut step = scale(gradient, (LEVEL - value) / steepness);
            if wall {
                // Along the wall only.
                let normal = unit(place);
                let along = dot(step, normal);
                step = sub(step, scale(normal, along));
            }
            let moved = sub(add(place, step), start);
            let distance = length(moved);
            place = if distance > LEASH { add(start, scale(moved, LEASH / distance)) } else { add(place, step) };
            if wall {
                place = on_wall(place);
            }
        }
    }
    if wall || field.wall.is_some_and(|radius| length(place) > radius) { on_wall(place) } else { place }
}

fn unit(v: Vec3) -> Vec3 {
    let size = length(v);
    if size > 0.0 { scale(v, 1.0 / size) } else { [0.0, 1.0, 0.0] }
}

/// The triangles around the crossed grid edges that begin at a block's nodes.
fn triangles(
    field: &Field,
    block: [usize; 3],
    positions: &[Vec3],
    vertex: &(impl Fn([usize; 3], Side) -> u32 + Sync),
) -> Vec<[u32; 3]> {
    let window = field.window(block);
    let first = block.map(|b| b * SIDE);
    let mut found = Vec::new();
    for at in 0..BLOCK_NODES {
        let local = [(at % SIDE) as i32, (at / SIDE % SIDE) as i32, (at / (SIDE * SIDE)) as i32];
        let corner =
            |node: [i32; 3]| (window.value(node), field.place([0, 1, 2].map(|axis| first[axis] as i32 + node[axis])));
        let is_low_inside = window.is_inside(local);
        for axis in 0..3 {
            let mut next = local;
            next[axis] += 1;
            if is_low_inside == window.is_inside(next) {
                continue;
            }
            let (inner, outer) = if is_low_inside { (local, next) } else { (next, local) };
            let (_, side) = crossing(field, corner(inner), corner(outer));
            let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
            let node = [0, 1, 2].map(|a| first[a] + local[a] as usize);
            let cell = |down_u: usize, down_v: usize| {
                let mut cell = node;
                cell[u] -= down_u;
                cell[v] -= down_v;
                vertex(cell, side)
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
