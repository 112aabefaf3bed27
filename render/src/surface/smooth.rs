//! Filters the unevenness that is left of the particles from the mesh, and gives it its normals.

use rayon::prelude::*;

use super::components::Part;
use super::nets::Surface;
use super::{Vec3, add, cross, length, scale, smoothstep, sub};

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

/// Drops up to this volume, in cubic spacings, are balls, ...
const ROUND: f32 = 50.0;
/// ... and those above this one have the shape that they have: they may be threads.
const THREAD: f32 = 120.0;

/// Smooths the mesh with Taubin's filter.
///
/// `parts` holds the closed part that each vertex belongs to: small drops have few vertices, and are made round.
pub(super) fn smooth(surface: &mut Surface, parts: &[Part]) {
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
            let strength = smoothstep(SMALLEST, LARGE, parts[vertex].volume.abs());
            *moved = add(here, scale(sub(mean, here), factor * strength));
        });
        std::mem::swap(&mut surface.positions, &mut next);
    }
}

/// Makes small drops round: their liquid pulls itself together faster than the grid of the simulation can show.
pub(super) fn round_drops(surface: &mut Surface, parts: &[Part]) {
    surface.positions.par_iter_mut().zip(parts).with_min_len(256).for_each(|(place, part)| {
        let away = sub(*place, part.middle);
        let distance = length(away);
        let roundness = 1.0 - smoothstep(ROUND, THREAD, part.volume);
        if roundness > 0.0 && part.volume > 0.0 && distance > 1e-3 {
            let radius = libm::cbrtf(part.volume * (0.75 / std::f32::consts::PI));
            let moved = distance + (radius - distance) * roundness;
            *place = add(part.middle, scale(away, moved / distance));
        }
    });
}

/// Unit normals: of round drops those of the ball, elsewhere the mean of the triangles around, weighted by area.
pub(super) fn normals(surface: &Surface, parts: &[Part]) -> Vec<Vec3> {
    let mut normals = vec![[0.0; 3]; surface.positions.len()];
    for triangle in &surface.triangles {
        let [a, b, c] = triangle.map(|v| surface.positions[v as usize]);
        let area = cross(sub(b, a), sub(c, a));
        for vertex in triangle {
            normals[*vertex as usize] = add(normals[*vertex as usize], area);
        }
    }
    normals.par_iter_mut().enumerate().with_min_len(256).for_each(|(vertex, normal)| {
        let part = parts[vertex];
        if (0.0..=ROUND).contains(&part.volume) {
            *normal = sub(surface.positions[vertex], part.middle);
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
