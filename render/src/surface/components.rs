//! Connected parts of a surface, and which of them are worth keeping.

use super::nets::Surface;
use super::{Vec3, cross, dot, length, sub};

/// Bubbles of gas within the liquid whose volume is less than this many spacings times their area are filled: where the
/// liquid is stretched, gaps between particles join into a sponge, which is not gas. A round bubble has a third of its
/// radius.
const LEAST_BUBBLE: f32 = 1.0;
/// Drops below this volume are left out: slivers of the grid. A lone particle makes about 0.9.
const LEAST_DROP: f32 = 0.05;

/// The closed part of the surface that a vertex belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// In cubic spacings, negative for a bubble.
    pub(super) volume: f32,
    /// The mean of its vertices.
    pub(super) middle: Vec3,
}

/// Removes the closed parts of the surface that are too small to be meant; returns the part of each vertex that is left.
pub(super) fn drop_specks_and_bubbles(surface: &mut Surface) -> Vec<Part> {
    let mut parts = Parts::new(surface.positions.len());
    for [a, b, c] in &surface.triangles {
        parts.join(*a, *b);
        parts.join(*b, *c);
    }
    // The volume under a triangle, seen from a vertex of its part, summed over the closed part (divergence theorem).
    let mut volumes = vec![0.0_f64; surface.positions.len()];
    let mut areas = vec![0.0_f64; surface.positions.len()];
    for triangle in &surface.triangles {
        let root = parts.root(triangle[0]) as usize;
        let [a, b, c] = triangle.map(|v| sub(surface.positions[v as usize], surface.positions[root]));
        volumes[root] += f64::from(dot(a, cross(b, c))) / 6.0;
        areas[root] += f64::from(length(cross(sub(b, a), sub(c, a)))) / 2.0;
    }
    let roots: Vec<usize> = (0..surface.positions.len() as u32).map(|vertex| parts.root(vertex) as usize).collect();
    let mut sums = vec![([0.0_f64; 3], 0.0_f64); surface.positions.len()];
    for (position, root) in surface.positions.iter().zip(&roots) {
        let (sum, count) = &mut sums[*root];
        *sum = std::array::from_fn(|axis| sum[axis] + f64::from(position[axis]));
        *count += 1.0;
    }
    let keep: Vec<bool> = roots
        .iter()
        .map(|root| {
            let (volume, area) = (volumes[*root] as f32, areas[*root] as f32);
            volume > LEAST_DROP || volume < -LEAST_BUBBLE * area
        })
        .collect();
    let mut kept = 0;
    let renumbered: Vec<u32> = keep
        .iter()
        .map(|keep| {
            kept += u32::from(*keep);
            kept.wrapping_sub(1)
        })
        .collect();
    let mut flags = keep.iter();
    surface.positions.retain(|_| flags.next().copied().unwrap_or(false));
    surface.triangles.retain(|triangle| keep[triangle[0] as usize]);
    for triangle in &mut surface.triangles {
        *triangle = triangle.map(|v| renumbered[v as usize]);
    }
    let part = |root: usize| {
        let (sum, count) = sums[root];
        Part { volume: volumes[root] as f32, middle: sum.map(|sum| (sum / count) as f32) }
    };
    roots.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(root, _)| part(*root)).collect()
}

/// A disjoint-set forest over vertices; the root of a part is its lowest vertex.
struct Parts {
    parent: Vec<u32>,
}

impl Parts {
    fn new(vertices: usize) -> Self {
        Self { parent: (0..vertices as u32).collect() }
    }

    fn root(&mut self, mut vertex: u32) -> u32 {
        while self.parent[vertex as usize] != vertex {
            let above = self.parent[self.parent[vertex as usize] as usize];
            self.parent[vertex as usize] = above;
            vertex = above;
        }
        vertex
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }
}
