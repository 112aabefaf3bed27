//! Changes the few nodes at which the surface would touch itself along an edge or in a corner.
//!
//! The mesh of surface nets is the boundary of the set of inner nodes, each taken as a cube. It is a manifold if and
//! only if that set is well-composed (Latecki, 1997): no two inner nodes meet across a square's or a cube's diagonal
//! alone, nor two outer ones.

use rayon::prelude::*;

use super::field::{BLOCK_NODES, Field, LEVEL, Node, SIDE};

/// Makes the set of inner nodes well-composed.
///
/// A node is brought in where that is possible, so that thin sheets do not tear, and taken out otherwise. No node is
/// brought in twice, so this ends.
pub(super) fn make_manifold(field: &mut Field) {
    let blocks = field.surface_blocks();
    let mut work: Vec<Node> = blocks
        .par_iter()
        .flat_map_iter(|index| {
            let block = field.block_at(*index);
            let window = field.window(block);
            let conflicts = (0..BLOCK_NODES).filter_map(move |at| {
                let cell = [at % SIDE, at / SIDE % SIDE, at / (SIDE * SIDE)];
                conflict(window.corners(cell.map(|c| c as i32)))?;
                Some([0, 1, 2].map(|axis| block[axis] * SIDE + cell[axis]))
            });
            conflicts.filter(|cell| is_within_grid(field, *cell)).collect::<Vec<_>>()
        })
        .collect();
    let mut changed: Vec<Node> = Vec::new();
    while let Some(cell) = work.pop() {
        let corners: [Node; 8] = std::array::from_fn(|corner| {
            [cell[0] + (corner & 1), cell[1] + (corner >> 1 & 1), cell[2] + (corner >> 2)]
        });
        while let Some(involved) = conflict(corners.map(|node| is_inside(field, node))) {
            let nodes: Vec<Node> = involved.iter().map(|corner| corners[*corner]).collect();
            let node = change(field, &nodes, &changed);
            changed.push(node);
            for corner in 0..8 {
                let around = [0, 1, 2].map(|axis| node[axis].wrapping_sub(corner >> axis & 1));
                if is_within_grid(field, around) {
                    work.push(around);
                }
            }
        }
    }
}

fn is_within_grid(field: &Field, cell: Node) -> bool {
    (0..3).all(|axis| cell[axis] < field.dims[axis] * SIDE - 1)
}

fn is_inside(field: &Field, node: Node) -> bool {
    field.value(node) >= LEVEL
}

/// The corners of the first square of a cell, or all of the cell's, whose inner or outer ones meet across a diagonal
/// alone.
fn conflict(inside: [bool; 8]) -> Option<Vec<usize>> {
    let count = inside.iter().filter(|i| **i).count();
    if count == 0 || count == 8 {
        return None;
    }
    // Squares: corners that share one bit; the other two bits run around it.
    for axis in 0..3 {
        let (u, v) = (1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3));
        for side in [0, 1 << axis] {
            let square = [side, side | u, side | v, side | u | v];
            let [a, b, c, d] = square.map(|corner| inside[corner]);
            if a == d && b == c && a != b {
                return Some(square.to_vec());
            }
        }
    }
    // Cubes: two corners across the diagonal against six.
    let lonely = count == 2;
    let across = |corner: usize| inside[corner] == lonely && inside[7 - corner] == lonely;
    ((count == 2 || count == 6) && (0..4).any(across)).then(|| (0..8).collect())
}

/// Brings a node of a square or cube in, or takes one out; returns it.
fn change(field: &mut Field, nodes: &[Node], changed: &[Node]) -> Node {
    let candidate = nodes
        .iter()
        .filter(|node| !is_inside(field, **node) && !changed.contains(*node))
        .max_by(|a, b| field.value(**a).total_cmp(&field.value(**b)))
        .copied();
    if let Some(node) = candidate {
        field.set_value(node, LEVEL * 1.01);
        return node;
    }
    let node = nodes
        .iter()
        .filter(|node| is_inside(field, **node))
        .min_by(|a, b| field.value(**a).total_cmp(&field.value(**b)))
        .copied()
        .expect("a conflict has inner nodes");
    field.set_value(node, LEVEL * 0.99);
    node
}
