//! Takes the noise out of a frame of few samples, guided by what the tracer knows beside the radiance.
//!
//! Non-local means whose distances are measured against the variance that the tracer reports (Rousselle, Knaus and
//! Zwicker, *Adaptive rendering with non-local means filtering*, ACM TOG 2012), limited by normal, depth and albedo
//! (the same, *Robust denoising using feature and color information*, 2013). It runs twice: the first result is the
//! pilot that the second one compares, while the values it averages are again those of the tracer.
//!
//! Every pixel is a sum over its neighbours in one fixed order, of IEEE-exact operations, so the result is the same for
//! any number of threads and on any machine.

use rayon::prelude::*;

use crate::layers::Layers;

/// How far, in pixels along either axis, what [`denoise`] gives a pixel may depend on others: to filter a part of a
/// frame exactly, this much around it has to be there.
pub const REACH: usize = 2 * (MARGIN + 2) + 2;

/// Reach of the neighbourhood over which a pixel is averaged.
const SEARCH: usize = 7;
/// Reach of the patches that are compared.
const PATCH: usize = 2;
const PATCH_SIDE: usize = 2 * PATCH + 1;
/// Pixels of margin around every plane.
const MARGIN: usize = SEARCH + PATCH;
/// Rows that one thread filters at a time; part of no result.
const STRIP: usize = 27;
/// Added to the albedo by which radiance is divided while it is filtered: a mirror or a black surface stays finite, and
/// what a coat reflects is not scaled by more than this allows.
const ALBEDO_FLOOR: f32 = 0.2;
/// Differences that the features tolerate: of the normal, ...
const NORMAL_TOLERANCE: f32 = 0.2;
/// ... of the albedo, ...
const ALBEDO_TOLERANCE: f32 = 0.12;
/// ... and of the depth, as a share of it, beyond what the slope of the surface explains.
const DEPTH_TOLERANCE: f32 = 0.02;
/// How much stricter the albedo is on an outline: a pixel there mixes two surfaces, and radiance over albedo of a
/// mixture is that of neither.
const OUTLINE_STRICTNESS: f32 = 36.0;
/// Rec. 709 luminance.
const LUMINANCE: [f32; 3] = [0.2126, 0.7152, 0.0722];

/// Filters the noise out of a frame; returns linear radiance, rows from the top.
///
/// The strength follows `layers.variance`, the variance of each pixel's mean: where it is 0 the picture passes as it
/// is, so a frame of a single sample is not filtered. Values that are not finite are replaced by their neighbours'
/// mean. Single pixels far above their neighbours are lowered to them where the variance says that they are chance.
///
/// # Panics
///
/// If a layer does not hold `width * height` pixels.
pub fn denoise(layers: &Layers) -> Vec<[f32; 3]> {
    let (width, height) = (layers.width, layers.height);
    let pixels = width * height;
    let lengths =
        [layers.radiance.len(), layers.albedo.len(), layers.normal.len(), layers.depth.len(), layers.variance.len()];
    assert_eq!(lengths, [pixels; 5], "every layer of a frame of {width}x{height} needs as many pixels");
    if pixels == 0 {
        return Vec::new();
    }
    let (radiance, variance) = without_fireflies(layers);
    let divisor: Vec<[f32; 3]> =
        layers.albedo.iter().map(|albedo| albedo.map(|a| finite(a).clamp(0.0, 1.0) + ALBEDO_FLOOR)).collect();
    let signal: Vec<[f32; 3]> =
        radiance.iter().zip(&divisor).map(|(r, d)| [r[0] / d[0], r[1] / d[1], r[2] / d[2]]).collect();
    let noise = noise(width, height, &radiance, &divisor, &signal, &variance);
    let features = Features::new(layers);

    let signal_planes = Planes::new(width, height, &signal);
    let noise_plane = Plane::new(width, height, |at| noise[at]);
    let frame = Frame { width, height, signal: &signal_planes, noise: &noise_plane, features: &features };
    // The pilot has little noise left, but is wrong where it filtered wrongly: it is trusted less than its variance.
    let pilot = frame.filter(&signal_planes, &noise_plane, 0.5);
    let pilot_planes = Planes::new(width, height, &pilot.signal);
    let pilot_noise = Plane::new(width, height, |at| 2.0 * pilot.noise[at] + 0.02 * noise[at]);
    let filtered = frame.filter(&pilot_planes, &pilot_noise, 0.8);
    filtered.signal.iter().zip(&divisor).map(|(s, d)| [s[0] * d[0], s[1] * d[1], s[2] * d[2]]).collect()
}

pub(crate) fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}

fn luminance(c: [f32; 3]) -> f32 {
    LUMINANCE[0] * c[0] + LUMINANCE[1] * c[1] + LUMINANCE[2] * c[2]
}

/// Radiance and variance without the values that no filter should average.
fn without_fireflies(layers: &Layers) -> (Vec<[f32; 3]>, Vec<f32>) {
    /// How many times the third-brightest of 24 neighbours a pixel may be, ...
    const BOUND: f32 = 2.0;
    /// ... if its standard deviation is more than this share of it.
    const CHANCE: f32 = 0.2;
    let (width, height) = (layers.width, layers.height);
    let usable = |at: usize| layers.radiance[at].iter().all(|v| v.is_finite());
    let around = |at: usize| {
        let (x, y) = (at % width, at / width);
        (y.saturating_sub(2)..(y + 3).min(height))
            .flat_map(move |row| (x.saturating_sub(2)..(x + 3).min(width)).map(move |column| row * width + column))
            .filter(move |other| *other != at)
    };
    (0..width * height)
        .into_par_iter()
        .with_min_len(1024)
        .map(|at| {
            if !usable(at) {
                let mut sum = [0.0; 3];
                let mut count = 0.0;
                for other in around(at).filter(|other| usable(*other)) {
                    for (total, value) in sum.iter_mut().zip(layers.radiance[other]) {
                        *total += value.max(0.0);
                    }
                    count += 1.0;
                }
                let mean = sum.map(|v| if count > 0.0 { v / count } else { 0.0 });
                let own = luminance(mean);
                return (mean, own * own);
            }
            let radiance = layers.radiance[at].map(|v| v.max(0.0));
            let variance = finite(layers.variance[at]).max(0.0);
            let own = luminance(radiance);
            if variance <= (CHANCE * own) * (CHANCE * own) {
                return (radiance, variance);
            }
            let mut brightest = [0.0_f32; 3];
            let (mut sum, mut count) = (0.0, 0.0);
            for other in around(at).filter(|other| usable(*other)) {
                let mut value = luminance(layers.radiance[other]);
                sum += value;
                count += 1.0;
                for place in &mut brightest {
                    if value > *place {
                        std::mem::swap(place, &mut value);
                    }
                }
            }
            // Where hardly any pixel found the light, the mean says more than the third-brightest.
            let bound = (BOUND * brightest[2]).max(if count > 0.0 { sum / count } else { own });
            if own <= bound {
                return (radiance, variance);
            }
            let factor = bound / own;
            (radiance.map(|v| v * factor), variance * factor * factor)
        })
        .unzip()
}

/// The variance of a channel of the signal, from that of the radiance's luminance.
///
/// Noise is taken to have the light's own colour: red light has more noise in its red channel than in its luminance.
/// A variance of few samples is itself noisy, and low where the samples missed the light, so it is averaged over a
/// square.
fn noise(
    width: usize,
    height: usize,
    radiance: &[[f32; 3]],
    divisor: &[[f32; 3]],
    signal: &[[f32; 3]],
    variance: &[f32],
) -> Vec<f32> {
    const REACH: usize = 2;
    (0..width * height)
        .into_par_iter()
        .with_min_len(1024)
        .map(|at| {
            let (x, y) = (at % width, at / width);
            let (mut scaled, mut energy, mut light, mut count) = (0.0, 0.0, 0.0, 0.0);
            for row in y.saturating_sub(REACH)..(y + REACH + 1).min(height) {
                for column in x.saturating_sub(REACH)..(x + REACH + 1).min(width) {
                    let other = row * width + column;
                    let bright = luminance(radiance[other]);
                    let d = luminance(divisor[other]);
                    scaled += variance[other] / (d * d);
                    let [r, g, b] = signal[other];
                    energy += (r * r + g * g + b * b) * (1.0 / 3.0);
                    light += bright * bright / (d * d);
                    count += 1.0;
                }
            }
            let color = if light > 0.0 { (energy / light).clamp(0.3, 12.0) } else { 1.0 };
            let [r, g, b] = signal[at];
            // A floor well under what an eye can see keeps quotients finite where there is no noise.
            scaled / count * color + 1e-7 * (r * r + g * g + b * b) + 1e-12
        })
        .collect()
}

/// One value a pixel, with a margin that repeats the border.
struct Plane {
    values: Vec<f32>,
    stride: usize,
}

impl Plane {
    fn new(width: usize, height: usize, value: impl Fn(usize) -> f32) -> Self {
        let stride = width + 2 * MARGIN;
        let mut values = Vec::with_capacity(stride * (height + 2 * MARGIN));
        for y in 0..height + 2 * MARGIN {
            let row = y.saturating_sub(MARGIN).min(height - 1) * width;
            values.extend((0..stride).map(|x| value(row + x.saturating_sub(MARGIN).min(width - 1))));
        }
        Self { values, stride }
    }

    /// `count` values from a column and row that may lie in the margin.
    fn row(&self, x: isize, y: isize, count: usize) -> &[f32] {
        let at = (y + MARGIN as isize) as usize * self.stride + (x + MARGIN as isize) as usize;
        &self.values[at..at + count]
    }
}

/// Three planes.
struct Planes([Plane; 3]);

impl Planes {
    fn new(width: usize, height: usize, values: &[[f32; 3]]) -> Self {
        Self([0, 1, 2].map(|channel| Plane::new(width, height, |at| values[at][channel])))
    }

    fn row(&self, x: isize, y: isize, count: usize) -> [&[f32]; 3] {
        [self.0[0].row(x, y, count), self.0[1].row(x, y, count), self.0[2].row(x, y, count)]
    }
}

/// What guides the filter beside the colours, scaled so that a difference of 1 is at the tolerance.
struct Features {
    normal: Planes,
    albedo: Planes,
    depth: Plane,
    /// The inverse square of the tolerated difference in depth.
    depth_scale: Plane,
    /// Factor on squared differences of albedo.
    albedo_scale: Plane,
}

impl Features {
    fn new(layers: &Layers) -> Self {
        let (width, height) = (layers.width, layers.height);
        let normal: Vec<[f32; 3]> =
            layers.normal.iter().map(|n| n.map(|v| finite(v) * (1.0 / NORMAL_TOLERANCE))).collect();
        let albedo: Vec<[f32; 3]> =
            layers.albedo.iter().map(|a| a.map(|v| finite(v) * (1.0 / ALBEDO_TOLERANCE))).collect();
        let depth: Vec<f32> = layers.depth.iter().map(|d| finite(*d)).collect();
        let scale = |at: usize| {
            let (x, y) = (at % width, at / width);
            let here = depth[at];
            if here <= 0.0 {
                // Nothing was hit here, which is unlike anything that was.
                return 1.0e12;
            }
            let step = |inside: bool, other: usize| {
                if inside && depth[other] > 0.0 { (depth[other] - here).abs() } else { f32::INFINITY }
            };
            // The lesser of the steps to both sides: at an outline one of them is the surface's own slope.
            let slope = |before: f32, after: f32| {
                let least = before.min(after);
                if least.is_finite() { least } else { 0.0 }
            };
            let across = slope(step(x > 0, at.saturating_sub(1)), step(x + 1 < width, at + 1));
            let down = slope(step(y > 0, at.saturating_sub(width)), step(y + 1 < height, at + width));
            let tolerance = DEPTH_TOLERANCE * here + (across + down) * (0.75 * SEARCH as f32);
            1.0 / (tolerance * tolerance)
        };
        let depth_scale: Vec<f32> = (0..width * height).map(scale).collect();
        let albedo_scale = |at: usize| {
            let (x, y) = (at % width, at / width);
            let is_outline = (y.saturating_sub(1)..(y + 2).min(height)).any(|row| {
                (x.saturating_sub(1)..(x + 2).min(width)).any(|column| {
                    let step = depth[row * width + column] - depth[at];
                    step * step * depth_scale[at] > 1.0
                })
            });
            if is_outline { OUTLINE_STRICTNESS } else { 1.0 }
        };
        Self {
            normal: Planes::new(width, height, &normal),
            albedo: Planes::new(width, height, &albedo),
            depth_scale: Plane::new(width, height, |at| depth_scale[at]),
            albedo_scale: Plane::new(width, height, albedo_scale),
            depth: Plane::new(width, height, |at| depth[at]),
        }
    }
}

/// What a pass averages, and what limits it.
struct Frame<'a> {
    width: usize,
    height: usize,
    signal: &'a Planes,
    noise: &'a Plane,
    features: &'a Features,
}

/// What a pass makes: the averaged signal, and its variance.
struct Filtered {
    signal: Vec<[f32; 3]>,
    noise: Vec<f32>,
}

impl Frame<'_> {
    /// Averages the signal with weights from patches of `guide`, whose variance is `guide_noise`. A larger `tolerance`
    /// filters more.
    fn filter(&self, guide: &Planes, guide_noise: &Plane, tolerance: f32) -> Filtered {
        let strips: Vec<usize> = (0..self.height).step_by(STRIP).collect();
        let parts: Vec<Filtered> = strips
            .par_iter()
            .map(|first| {
                let rows = STRIP.min(self.height - first);
                self.filter_strip(*first, rows, guide, guide_noise, tolerance)
            })
            .collect();
        let mut whole = Filtered { signal: Vec::new(), noise: Vec::new() };
        for part in parts {
            whole.signal.extend(part.signal);
            whole.noise.extend(part.noise);
        }
        whole
    }

    fn filter_strip(&self, first: usize, rows: usize, guide: &Planes, guide_noise: &Plane, tolerance: f32) -> Filtered {
        let width = self.width;
        // Each pixel itself, with a weight of one.
        let mut sum: [Vec<f32>; 3] = [Vec::new(), Vec::new(), Vec::new()];
        let mut noise = Vec::new();
        for y in first..first + rows {
            for (total, row) in sum.iter_mut().zip(self.signal.row(0, y as isize, width)) {
                total.extend_from_slice(row);
            }
            noise.extend_from_slice(self.noise.row(0, y as isize, width));
        }
        let mut weight = vec![1.0_f32; rows * width];

        let wide = width + 2 * PATCH;
        let mut distances = vec![0.0; wide];
        let mut sums_along = vec![0.0; (rows + 2 * PATCH) * width];
        let reach = SEARCH as isize;
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                if dx == 0 && dy == 0 {
                    continue;
                }
                for (line, along) in sums_along.chunks_exact_mut(width).enumerate() {
                    let y = (first + line) as isize - PATCH as isize;
                    let x = -(PATCH as isize);
                    patch_distances(
                        &mut distances,
                        guide.row(x, y, wide),
                        guide.row(x + dx, y + dy, wide),
                        guide_noise.row(x, y, wide),
                        guide_noise.row(x + dx, y + dy, wide),
                        tolerance * tolerance,
                    );
                    for (x, total) in along.iter_mut().enumerate() {
                        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|i| distances[x + i]);
                        *total = ((a + b) + (c + d)) + e;
                    }
                }
                for line in 0..rows {
                    let y = (first + line) as isize;
                    if y + dy < 0 || y + dy >= self.height as isize {
                        continue;
                    }
                    // Only neighbours within the picture count.
                    let low = (-dx).max(0) as usize;
                    let high = (width as isize - dx.max(0)).max(0) as usize;
                    if low >= high {
                        continue;
                    }
                    let lines: [&[f32]; PATCH_SIDE] =
                        std::array::from_fn(|i| &sums_along[(line + i) * width + low..(line + i) * width + high]);
                    let own = line * width + low..line * width + high;
                    let [r, g, b] = &mut sum;
                    self.accumulate(
                        [low as isize, y],
                        [dx, dy],
                        lines,
                        Sums {
                            channels: [&mut r[own.clone()], &mut g[own.clone()], &mut b[own.clone()]],
                            weight: &mut weight[own.clone()],
                            noise: &mut noise[own],
                        },
                    );
                }
            }
        }
        Filtered {
            signal: (0..rows * width).map(|at| [0, 1, 2].map(|channel: usize| sum[channel][at] / weight[at])).collect(),
            noise: (0..rows * width).map(|at| noise[at] / (weight[at] * weight[at])).collect(),
        }
    }

    /// Adds the neighbours at one offset to a row of pixels that begins at `place`.
    fn accumulate(&self, place: [isize; 2], offset: [isize; 2], lines: [&[f32]; PATCH_SIDE], sums: Sums<'_>) {
        let count = sums.weight.len();
        let [x, y] = place;
        let [u, v] = [x + offset[0], y + offset[1]];
        let features = self.features;
        let (normal_p, normal_q) = (features.normal.row(x, y, count), features.normal.row(u, v, count));
        let (albedo_p, albedo_q) = (features.albedo.row(x, y, count), features.albedo.row(u, v, count));
        let (depth_p, depth_q) = (features.depth.row(x, y, count), features.depth.row(u, v, count));
        let depth_scale = features.depth_scale.row(x, y, count);
        let albedo_scale = features.albedo_scale.row(x, y, count);
        let signal = self.signal.row(u, v, count);
        let noise = self.noise.row(u, v, count);
        let [l0, l1, l2, l3, l4] = lines.map(|line| &line[..count]);
        let [sum_r, sum_g, sum_b] = sums.channels;
        for i in 0..count {
            let square = |a: f32| a * a;
            let patch = (((l0[i] + l1[i]) + (l2[i] + l3[i])) + l4[i]) * (1.0 / (PATCH_SIDE * PATCH_SIDE) as f32);
            let feature = square(normal_p[0][i] - normal_q[0][i])
                + square(normal_p[1][i] - normal_q[1][i])
                + square(normal_p[2][i] - normal_q[2][i])
                + (square(albedo_p[0][i] - albedo_q[0][i])
                    + square(albedo_p[1][i] - albedo_q[1][i])
                    + square(albedo_p[2][i] - albedo_q[2][i]))
                    * albedo_scale[i]
                + square(depth_p[i] - depth_q[i]) * depth_scale[i];
            // (1 − d/8)⁸ is close to e⁻ᵈ, ends at 0, and is made of exact operations.
            let t = (1.0 - patch.max(feature).max(0.0) * 0.125).max(0.0);
            let t2 = t * t;
            let t4 = t2 * t2;
            let w = t4 * t4;
            sums.weight[i] += w;
            sum_r[i] += w * signal[0][i];
            sum_g[i] += w * signal[1][i];
            sum_b[i] += w * signal[2][i];
            sums.noise[i] += w * w * noise[i];
        }
    }
}

/// A row of running sums.
struct Sums<'a> {
    channels: [&'a mut [f32]; 3],
    weight: &'a mut [f32],
    noise: &'a mut [f32],
}

/// Squared differences between two rows, less what their noise explains, in units of `tolerance` × that noise
/// (Rousselle et al. 2012, equation 3).
fn patch_distances(out: &mut [f32], p: [&[f32]; 3], q: [&[f32]; 3], noise_p: &[f32], noise_q: &[f32], tolerance: f32) {
    let count = out.len();
    let [pr, pg, pb] = p.map(|row| &row[..count]);
    let [qr, qg, qb] = q.map(|row| &row[..count]);
    let (noise_p, noise_q) = (&noise_p[..count], &noise_q[..count]);
    for i in 0..count {
        let (r, g, b) = (pr[i] - qr[i], pg[i] - qg[i], pb[i] - qb[i]);
        let squared = (r * r + g * g + b * b) * (1.0 / 3.0);
        let explained = noise_p[i] + noise_p[i].min(noise_q[i]);
        let distance = (squared - explained) / (tolerance * (noise_p[i] + noise_q[i]));
        // One pixel that differs beyond doubt says no more than this.
        out[i] = distance.min(1.0e4);
    }
}
