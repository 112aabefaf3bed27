//! A liquid's particles as one smooth closed surface.
//!
//! The way of Yu and Turk, *Reconstructing surfaces of particle-based fluids using anisotropic kernels* (ACM TOG
//! 2013): every particle's kernel is stretched along the liquid's surface and flattened across it, so that flat liquid
//! is flat, sheets stay thin and drops stay round. The sum of the kernels is sampled on a grid that is fixed in the
//! world, so that the surface does not swim from frame to frame, and cut at one level by surface nets; what is left of
//! the particles' unevenness is filtered from the mesh (Taubin 1995).
//!
//! All lengths inside are in units of the particles' spacing, measured from the world's origin. Particles are gathered
//! in one fixed order for every block of the grid and for every vertex, hence the mesh is the same for any number of
//! threads.

mod cells;
mod components;
mod field;
mod kernel;
mod nets;
mod repair;
mod smooth;

use nalgebra::{Point3, Vector3};
use rayon::prelude::*;
use seedstorm_sim::scene::{Fluid, Mesh};

use self::cells::CellGrid;
use self::field::Field;

/// Turns a liquid's particles into one smooth closed surface.
///
/// Every triangle faces outwards, every edge belongs to exactly two of them, and normals are unit vectors. Vertex
/// colours are weighted averages of the colours of the particles around; a particle without a colour counts as white,
/// and a fluid without colours gives a mesh without colours.
///
/// Bubbles of gas inside the liquid are filled if they are narrower than about six spacings: those are gaps between
/// particles.
///
/// Particles whose position is not finite are left out, as are those further than 190 spacings along an axis from the
/// median of all (a stray particle must not cost the memory of the space between). A fluid without usable particles, or
/// whose spacing or share is not a positive number, gives an empty mesh.
pub fn mesh_fluid(fluid: &Fluid) -> Mesh {
    let spacing = fluid.spacing;
    if !(spacing.is_finite() && spacing > 0.0 && fluid.share > 0.0) {
        return Mesh::default();
    }
    let grid = CellGrid::new(fluid);
    if grid.is_empty() {
        return Mesh::default();
    }
    let kernels = kernel::kernels(&grid);
    let mut field = Field::new(&grid, &kernels);
    repair::make_manifold(&mut field);
    let mut surface = nets::extract(&field);
    let parts = components::drop_specks_and_bubbles(&mut surface);
    if surface.positions.is_empty() {
        return Mesh::default();
    }
    smooth::smooth(&mut surface, &parts);
    smooth::round_drops(&mut surface, &parts);
    let normals = smooth::normals(&surface, &parts);
    let colors = if fluid.colors.is_empty() {
        Vec::new()
    } else {
        surface.positions.par_iter().map(|position| grid.color_at(*position)).collect()
    };
    Mesh {
        positions: surface.positions.iter().map(|p| Point3::from(*p) * spacing).collect(),
        normals: normals.iter().map(|n| Vector3::from(*n)).collect(),
        colors,
        triangles: surface.triangles,
    }
}

type Vec3 = [f32; 3];

fn dot(a: Vec3, b: Vec3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn scale(a: Vec3, s: f32) -> Vec3 {
    [a[0] * s, a[1] * s, a[2] * s]
}

fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn length(a: Vec3) -> f32 {
    dot(a, a).sqrt()
}

/// Rises smoothly from 0 at `from` to 1 at `to`.
fn smoothstep(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
