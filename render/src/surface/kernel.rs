//! Each particle's anisotropic kernel (Yu and Turk 2013, section 4).

use rayon::prelude::*;

use super::cells::CellGrid;
use super::{Vec3, add, scale, smoothstep, sub};

/// Reach of a round kernel, in spacings.
const REACH: f32 = 2.0;
/// Reach of the neighbourhood whose shape a kernel takes on, in spacings; at most three cells.
const NEIGHBOURHOOD: f32 = 3.6;
/// How far a particle with many neighbours moves to their weighted mean; this is what smooths the surface.
const CENTERING: f32 = 0.9;
/// How much of the mean pull is taken off again; chosen so that a ball of particles keeps its volume.
const VOLUME_KEPT: f32 = 0.7;
/// Reach of the mean of the pulls, in spacings; at most two cells.
const PULL_REACH: f32 = 2.6;
/// Added to each principal variance (whose mean is 1), which bounds how flat or long a kernel becomes.
const ROUNDNESS: f32 = 0.4;
/// Bound on the departure of the normalised covariance from the identity, by the Frobenius norm: that of a flat sheet
/// is 1.22, of a thread 2.45.
const DEPARTURE: f32 = 1.3;
/// The size of a lone particle's kernel; makes it a drop of its own volume.
const LONE: f32 = 0.5;

/// Neighbours, by weight, in a sheet of one layer at rest.
const SHEET: f32 = 14.0;
/// How far a kernel grows at most in a sheet that is drawn out.
const DRAWN: f32 = 2.3;
/// How much a kernel of such a sheet is strengthened at most.
const THICKENED: f32 = 8.0;

/// A kernel: `amplitude · (1 − rᵀ form r)³` where that is positive, `r` from `center`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    pub(super) center: Vec3,
    /// The quadratic form: xx, yy, zz, xy, xz, yz.
    pub(super) form: [f32; 6],
    pub(super) amplitude: f32,
    /// Half the sides of the box around it.
    pub(super) extent: Vec3,
}

/// ∫ of a kernel of reach 1 and amplitude 1 is 64π/315; its inverse makes the sum over a liquid at rest 1.
const NORMALISATION: f32 = 315.0 / (64.0 * std::f32::consts::PI * REACH * REACH * REACH);

/// The kernel of every particle, in the grid's order.
pub(super) fn kernels(grid: &CellGrid) -> Vec<Kernel> {
    let place = |slot: usize| [grid.x[slot], grid.y[slot], grid.z[slot]];
    let moments: Vec<Option<Moments>> = (0..grid.len())
        .into_par_iter()
        .with_min_len(1024)
        .map(|slot| {
            let cell = grid.cell_at(place(slot));
            (!grid.is_deep(cell)).then(|| Moments::around(grid, place(slot), cell))
        })
        .collect();
    (0..grid.len())
        .into_par_iter()
        .with_min_len(1024)
        .map(|slot| {
            let p = place(slot);
            match &moments[slot] {
                None => round(p, grid.share),
                Some(own) => own.kernel(p, mean_pull(grid, &moments, p), grid.share),
            }
        })
        .collect()
}

/// The weighted mean of the pulls on the particles around a place.
///
/// Centering pulls the outermost particles inwards, and with them the surface. That part of the pull is shared by the
/// particles around, while the unevenness that is to be smoothed is not; taking the mean off again keeps the volume, as
/// the second step of Taubin's filter does for a mesh.
fn mean_pull(grid: &CellGrid, moments: &[Option<Moments>], p: Vec3) -> Vec3 {
    let mut total = 0.0;
    let mut sum = [0.0; 3];
    for row in grid.rows_around(grid.cell_at(p), 2) {
        for slot in row {
            let (dx, dy, dz) = (grid.x[slot] - p[0], grid.y[slot] - p[1], grid.z[slot] - p[2]);
            let t = 1.0 - (dx * dx + dy * dy + dz * dz) * (1.0 / (PULL_REACH * PULL_REACH));
            if t > 0.0 {
                let weight = t * t;
                total += weight;
                if let Some(around) = &moments[slot] {
                    sum = add(sum, scale(around.pull(), weight));
                }
            }
        }
    }
    scale(sum, 1.0 / total)
}

fn round(center: Vec3, share: f32) -> Kernel {
    let inverse = 1.0 / (REACH * REACH);
    Kernel {
        center,
        form: [inverse, inverse, inverse, 0.0, 0.0, 0.0],
        amplitude: NORMALISATION * share,
        extent: [REACH; 3],
    }
}

/// Weighted sums over the particles around one.
#[derive(Default)]
struct Moments {
    /// Sum of the weights.
    weight: f32,
    first: [f32; 3],
    /// xx, yy, zz, xy, xz, yz.
    second: [f32; 6],
    /// Density by the round kernel; 1 in a liquid at rest.
    density: f32,
}

impl Moments {
    fn around(grid: &CellGrid, p: Vec3, cell: [usize; 3]) -> Self {
        // Sums over eight lanes, added up at the end: the order is fixed, and the loop vectorises on any machine to the
        // same bits.
        const LANES: usize = 8;
        let mut sums = [[0.0_f32; LANES]; 11];
        for row in grid.rows_around(cell, 3) {
            let (xs, ys, zs) = (&grid.x[row.clone()], &grid.y[row.clone()], &grid.z[row]);
            let mut at = 0;
            while at < xs.len() {
                let count = (xs.len() - at).min(LANES);
                // Lanes beyond the row lie out of reach and weigh nothing.
                let mut dx = [8.0_f32; LANES];
                let mut dy = [0.0_f32; LANES];
                let mut dz = [0.0_f32; LANES];
                for lane in 0..count {
                    dx[lane] = xs[at + lane] - p[0];
                    dy[lane] = ys[at + lane] - p[1];
                    dz[lane] = zs[at + lane] - p[2];
                }
                for lane in 0..LANES {
                    let (x, y, z) = (dx[lane], dy[lane], dz[lane]);
                    let squared = x * x + y * y + z * z;
                    let t = (1.0 - squared * (1.0 / (NEIGHBOURHOOD * NEIGHBOURHOOD))).max(0.0);
                    let w = t * t;
                    let d = (1.0 - squared * (1.0 / (REACH * REACH))).max(0.0);
                    sums[0][lane] += w;
                    sums[1][lane] += w * x;
                    sums[2][lane] += w * y;
                    sums[3][lane] += w * z;
                    sums[4][lane] += w * x * x;
                    sums[5][lane] += w * y * y;
                    sums[6][lane] += w * z * z;
                    sums[7][lane] += w * x * y;
                    sums[8][lane] += w * x * z;
                    sums[9][lane] += w * y * z;
                    sums[10][lane] += d * d * d;
                }
                at += count;
            }
        }
        let total = sums.map(|lanes| {
            let [a, b, c, d, e, f, g, h] = lanes;
            (((a + b) + (c + d)) + ((e + f) + (g + h))) * grid.share
        });
        Self {
            weight: total[0],
            first: [total[1], total[2], total[3]],
            second: [total[4], total[5], total[6], total[7], total[8], total[9]],
            density: total[10] * NORMALISATION,
        }
    }

    /// How far the particle is drawn towards the weighted mean of those around it.
    fn pull(&self) -> Vec3 {
        let company = self.weight;
        let centering = CENTERING * smoothstep(1.5, 7.0, company);
        self.first.map(|v| centering * v / company)
    }

    fn kernel(&self, p: Vec3, mean_pull: Vec3, share: f32) -> Kernel {
        // The volume around, weighed: a particle's own counts whole; a full neighbourhood weighs 45, half of one 22, a sheet 14, a thread 4.
        let company = self.weight;
        let mean = self.first.map(|v| v / company);
        let center = add(p, sub(self.pull(), scale(mean_pull, VOLUME_KEPT)));

        let [xx, yy, zz, xy, xz, yz] = self.second.map(|v| v / company);
        let covariance = [
            xx - mean[0] * mean[0],
            yy - mean[1] * mean[1],
            zz - mean[2] * mean[2],
            xy - mean[0] * mean[1],
            xz - mean[0] * mean[2],
            yz - mean[1] * mean[2],
        ];
        let trace = covariance[0] + covariance[1] + covariance[2];
        let mut departure = [0.0; 6];
        if trace > 1e-6 {
            let normalised = covariance.map(|v| v * (3.0 / trace));
            departure = normalised;
            for diagonal in &mut departure[..3] {
                *diagonal -= 1.0;
            }
            let [a, b, c, d, e, f] = departure;
            let norm = (a * a + b * b + c * c + 2.0 * (d * d + e * e + f * f)).sqrt();
            let strength = smoothstep(2.0, 7.0, company) * (DEPARTURE / norm.max(DEPARTURE));
            departure = departure.map(|v| v * strength);
        }
        // Where a sheet or a thread is drawn out, its particles lie further apart: their kernels grow to meet.
        // A few particles are a drop, not a sheet.
        let sparse = smoothstep(2.0, 8.0, company / share);
        let growth = (SHEET / company).max(1.0).sqrt().min(1.0 + (DRAWN - 1.0) * sparse);
        let size = (LONE + (1.0 - LONE) * smoothstep(1.2, 8.0, company)) * growth;
        let unit = size / (1.0 + ROUNDNESS);
        // The kernel is the unit ball under `REACH · shape`.
        let mut shape = departure.map(|v| v * unit);
        for diagonal in &mut shape[..3] {
            *diagonal += (1.0 + ROUNDNESS) * unit;
        }
        let (inverse, determinant) = invert(shape);
        let form = square(inverse).map(|v| v / (REACH * REACH));
        let squared = square(shape);
        let extent = [squared[0], squared[1], squared[2]].map(|v| REACH * v.sqrt());
        let volume = (1.0 / self.density).clamp(0.6, 1.25 + (THICKENED - 1.25) * sparse);
        Kernel { center, form, amplitude: NORMALISATION * share * volume / determinant, extent }
    }
}

/// Inverse and determinant of a symmetric matrix (xx, yy, zz, xy, xz, yz).
fn invert([xx, yy, zz, xy, xz, yz]: [f32; 6]) -> ([f32; 6], f32) {
    let minors = [
        yy * zz - yz * yz,
        xx * zz - xz * xz,
        xx * yy - xy * xy,
        xz * yz - xy * zz,
        xy * yz - xz * yy,
        xy * xz - xx * yz,
    ];
    let determinant = xx * minors[0] + xy * minors[3] + xz * minors[4];
    (minors.map(|v| v / determinant), determinant)
}

/// The square of a symmetric matrix.
fn square([xx, yy, zz, xy, xz, yz]: [f32; 6]) -> [f32; 6] {
    [
        xx * xx + xy * xy + xz * xz,
        xy * xy + yy * yy + yz * yz,
        xz * xz + yz * yz + zz * zz,
        xx * xy + xy * yy + xz * yz,
        xx * xz + xy * yz + xz * zz,
        xy * xz + yy * yz + yz * zz,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_and_square_are_those_of_the_matrix() {
        let m = [2.0, 3.0, 1.5, 0.4, -0.3, 0.2];
        let (inverse, determinant) = invert(m);
        assert!((determinant - 8.362).abs() < 1e-3, "{determinant}");
        let (back, _) = invert(inverse);
        for (a, b) in m.iter().zip(back) {
            assert!((a - b).abs() < 1e-5);
        }
        let squared = square(m);
        assert!((squared[0] - (4.0 + 0.16 + 0.09)).abs() < 1e-6);
        assert!((squared[3] - (2.0 * 0.4 + 0.4 * 3.0 - 0.3 * 0.2)).abs() < 1e-6);
    }
}
