//! Filters the unevenness that is left of the particles from the mesh, and gives it its normals.

use rayon::prelude::*;

use super::cells::CellGrid;
use super::field::{LEVEL, NODE};
use super::kernel::{self, Kernel};
use super::nets::Surface;
use super::{Vec3, add, cross, dot, length, scale, smoothstep, sub};

/// Pairs of steps of Taubin's filter.
const STEPS: usize = 60;
/// A step towards the neighbours' mean, and the one back that keeps the volume; the pass band is 1/λ + 1/μ = 0.03,
/// which keeps waves of eight spacings and more
/// (Taubin, *A signal processing approach to fair surface design*, SIGGRAPH 1995).
const LAMBDA: f32 = 0.6;
const MU: f32 = -0.610_998;

/// Drops up to this volume, in cubic spacings, are not smoothed, ...
const SMALLEST: f32 = 8.0;
/// ... and those above this one fully.
const LARGE: f32 = 150.0;

/// Smooths the mesh with Taubin's filter.
///
/// `volumes` holds the volume of the closed part that each vertex belongs to, in cubic spacings: small drops have few
/// vertices, and are round already.
pub(super) fn smooth(surface: &mut Surface, volumes: &[f32]) {
    let ring = Ring::new(surface);
    let mut next = surface.positions.clone();
    for step in 0..2 * STEPS {
        let factor = if step % 2 == 0 { LAMBDA } else { MU };
        let positions = &surface.positions;
        next.par_iter_mut().with_min_len(1024).enumerate().for_each(|(vertex, moved)| {
            let here = positions[vertex];
            let neighbours = ring.of(vertex);
            let sum = neighbours.iter().fold([0.0; 3], |sum, neighbour| add(sum, positions[*neighbour as usize]));
            let mean = scale(sum, 1.0 / neighbours.len() as f32);
            let strength = smoothstep(SMALLEST, LARGE, volumes[vertex].abs());
            *moved = add(here, scale(sub(mean, here), factor * strength));
        });
        std::mem::swap(&mut surface.positions, &mut next);
    }
}

/// Moves the vertices of small drops onto the level of the kernels' sum itself: the grid is too coarse for them.
pub(super) fn round_drops(surface: &mut Surface, volumes: &[f32], grid: &CellGrid, kernels: &[Kernel]) {
    surface.positions.par_iter_mut().enumerate().with_min_len(256).for_each(|(vertex, place)| {
        if volumes[vertex].abs() > SMALLEST {
            return;
        }
        for _ in 0..4 {
            let (value, gradient) = kernel::sum_at(grid, kernels, *place);
            let steepness = dot(gradient, gradient);
            if steepness < 1e-6 {
                break;
            }
            let step = scale(gradient, (LEVEL - value) / steepness);
            let size = length(step);
            *place = add(*place, if size > NODE { scale(step, NODE / size) } else { step });
        }
    });
}

/// Unit normals: on small drops those of the kernels' sum, elsewhere the mean of the triangles around, weighted by area.
pub(super) fn normals(surface: &Surface, volumes: &[f32], grid: &CellGrid, kernels: &[Kernel]) -> Vec<Vec3> {
    let mut normals = vec![[0.0; 3]; surface.positions.len()];
    for triangle in &surface.triangles {
        let [a, b, c] = triangle.map(|v| surface.positions[v as usize]);
        let area = cross(sub(b, a), sub(c, a));
        for vertex in triangle {
            normals[*vertex as usize] = add(normals[*vertex as usize], area);
        }
    }
    normals.par_iter_mut().enumerate().with_min_len(256).for_each(|(vertex, normal)| {
        if volumes[vertex].abs() <= SMALLEST {
            let (_, gradient) = kernel::sum_at(grid, kernels, surface.positions[vertex]);
            if length(gradient) > 1e-3 {
                *normal = scale(gradient, -1.0);
            }
        }
        let size = length(*normal);
        *normal = if size > 0.0 { scale(*normal, 1.0 / size) } else { [0.0, 1.0, 0.0] };
    });
    normals
}

/// The vertices around each vertex.
struct Ring {
    start: Vec<u32>,
    neighbours: Vec<u32>,
}

impl Ring {
    fn new(surface: &Surface) -> Self {
        // In a closed mesh every edge is once a side of a triangle in either direction, so the sides that begin at a
        // vertex lead to each neighbour once.
        let mut start = vec![0; surface.positions.len() + 1];
        for triangle in &surface.triangles {
            for vertex in triangle {
                start[*vertex as usize + 1] += 1;
            }
        }
        for vertex in 1..start.len() {
            start[vertex] += start[vertex - 1];
        }
        let mut next = start.clone();
        let mut neighbours = vec![0; surface.triangles.len() * 3];
        for triangle in &surface.triangles {
            for side in 0..3 {
                let from = triangle[side] as usize;
                neighbours[next[from] as usize] = triangle[(side + 1) % 3];
                next[from] += 1;
            }
        }
        Self { start, neighbours }
    }

    fn of(&self, vertex: usize) -> &[u32] {
        &self.neighbours[self.start[vertex] as usize..self.start[vertex + 1] as usize]
    }
}
