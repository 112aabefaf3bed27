//! Clouds of light and dust over a picture: splats in the order of their depth.
//!
//! Each [`Cloud`](seedstorm_sim::scene::Cloud) is a Gaussian on the picture (Zwicker et al. 2001, "EWA Volume
//! Splatting", with round kernels). One that is smaller than a pixel is widened to `LEAST_SIGMA` and thinned by as
//! much, so that it neither flickers nor gains or loses light; one out of focus is widened by its circle of confusion in
//! the same way. Nothing is sampled: there is no noise to be taken out.
//!
//! A pixel depends on the clouds and its place alone, whatever the number of threads; and as the whole picture's clouds
//! are drawn even where a part of the picture is wanted, a part equals the same pixels of the whole.

use rayon::prelude::*;
use seedstorm_sim::scene::Scene;
use wide::f32x4;

use crate::blur::blur;
use crate::camera::Lens;
use crate::error::RenderError;
use crate::validate::validate;

/// The least standard deviation of a cloud on the picture, pixels.
const LEAST_SIGMA: f32 = 0.55;
/// How far a cloud reaches, in standard deviations: where it is 1/450 of its middle.
const REACH: f32 = 3.5;
/// Edge of the squares that threads take, pixels.
const TILE: usize = 32;
/// The nearest that a cloud is drawn, in radii of its own and in world units: nearer, the lens is inside of it.
const NEAREST: f32 = 1e-3;
/// Widths of the two blurs of the bloom, in heights of the picture.
const BLOOM: [f32; 2] = [0.008, 0.045];

/// A cloud as it lies on the picture.
#[derive(Debug, Clone, Copy)]
struct Splat {
    /// Along the view.
    distance: f32,
    index: u32,
    center: [f32; 2],
    sigma: f32,
    /// Optical depth in its middle.
    depth: [f32; 3],
    radiance: [f32; 3],
}

/// Lays the haze of `scene`, if it has any, over `radiance`: a picture of everything else of `width` × `height` pixels,
/// linear, rows from the top. It is best done after the denoiser, which would take points for noise.
///
/// # Errors
///
/// [`RenderError`] where the scene cannot be drawn.
///
/// # Panics
///
/// If `radiance` does not hold `width * height` pixels.
pub fn lay_over(radiance: &mut [[f32; 3]], width: usize, height: usize, scene: &Scene) -> Result<(), RenderError> {
    assert_eq!(radiance.len(), width * height, "a picture of {width}x{height} needs as many pixels");
    let Some(haze) = &scene.haze else { return Ok(()) };
    validate(scene)?;
    let lens = Lens::new(&scene.camera, None).ok_or(RenderError::Camera("it looks nowhere"))?;
    let splats = project(scene, &lens, [width as f32, height as f32]);
    let (light, through) = draw(&splats, width, height);
    // What a lens scatters; light that leaves the picture is lost.
    let [near, far] = BLOOM.map(|share| blur(&light, width, height, share * height as f32));
    let halo = haze.bloom * 0.5;
    radiance.par_iter_mut().enumerate().for_each(|(at, pixel)| {
        for channel in 0..3 {
            let scattered = (near[at][channel] + far[at][channel]) * halo;
            pixel[channel] =
                pixel[channel] * through[at][channel] + light[at][channel] * (1.0 - haze.bloom) + scattered;
        }
    });
    Ok(())
}

/// The clouds that the picture shows, nearest first.
fn project(scene: &Scene, lens: &Lens, size: [f32; 2]) -> Vec<Splat> {
    let clouds = scene.haze.as_ref().map_or(&[][..], |haze| &haze.clouds);
    let splat = |(index, cloud): (usize, &seedstorm_sim::scene::Cloud)| {
        let (center, distance, scale) = lens.project(cloud.position.into(), size)?;
        if distance <= NEAREST || distance <= cloud.radius {
            return None;
        }
        let own = cloud.radius * scale;
        // A disc of light of this radius has half of it as its standard deviation.
        let confused = 0.5 * lens.confusion(distance) * scale;
        let sigma = (own * own + confused * confused + LEAST_SIGMA * LEAST_SIGMA).sqrt();
        let thinned = own * own / (sigma * sigma);
        let reach = REACH * sigma;
        let seen = |axis: usize| center[axis] + reach > 0.0 && center[axis] - reach < size[axis];
        (seen(0) && seen(1)).then(|| Splat {
            distance,
            index: index as u32,
            center,
            sigma,
            depth: cloud.depth.map(|depth| depth * thinned),
            radiance: cloud.radiance,
        })
    };
    let mut splats: Vec<Splat> = clouds.par_iter().enumerate().filter_map(splat).collect();
    splats.par_sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.index.cmp(&b.index)));
    splats
}

/// The pixels along an axis, below `size`, whose middles lie within reach of `center`.
fn span(center: f32, reach: f32, size: usize) -> std::ops::Range<usize> {
    let low = (center - reach - 0.5).ceil().max(0.0);
    let high = (center + reach - 0.5).floor() + 1.0;
    // A float beyond the range of numbers becomes its end.
    (low as usize).min(size)..(high.max(0.0) as usize).min(size)
}

type Picture = Vec<[f32; 3]>;

/// The clouds' light, and the share of what is behind that comes through.
fn draw(splats: &[Splat], width: usize, height: usize) -> (Picture, Picture) {
    let (columns, rows) = (width.div_ceil(TILE), height.div_ceil(TILE));
    let mut bins: Vec<Vec<u32>> = vec![vec![]; columns * rows];
    for (at, splat) in splats.iter().enumerate() {
        let reach = REACH * splat.sigma;
        let (x, y) = (span(splat.center[0], reach, width), span(splat.center[1], reach, height));
        if x.is_empty() || y.is_empty() {
            continue;
        }
        for row in y.start / TILE..=(y.end - 1) / TILE {
            for column in x.start / TILE..=(x.end - 1) / TILE {
                bins[row * columns + column].push(at as u32);
            }
        }
    }
    let squares: Vec<Square> =
        bins.par_iter().enumerate().map(|(at, bin)| square(splats, bin, [at % columns, at / columns])).collect();
    let (mut light, mut through) = (vec![[0.0; 3]; width * height], vec![[1.0; 3]; width * height]);
    for (at, square) in squares.iter().enumerate() {
        let (left, top) = (at % columns * TILE, at / columns * TILE);
        for y in 0..TILE.min(height - top) {
            for x in 0..TILE.min(width - left) {
                let to = (top + y) * width + left + x;
                let [shone, kept] = square[y * TILE + x].map(f32x4::to_array);
                light[to] = [shone[0], shone[1], shone[2]];
                through[to] = [kept[0], kept[1], kept[2]];
            }
        }
    }
    (light, through)
}

/// Light and transmittance of each pixel of a square, in rows.
type Square = Vec<[f32x4; 2]>;

fn square(splats: &[Splat], bin: &[u32], place: [usize; 2]) -> Square {
    let one = f32x4::splat(1.0);
    let mut pixels = vec![[f32x4::splat(0.0), one]; TILE * TILE];
    let (left, top) = (place[0] * TILE, place[1] * TILE);
    let mut along_x = [0.0; TILE];
    for at in bin {
        let splat = &splats[*at as usize];
        let reach = REACH * splat.sigma;
        let within = |center: f32, start: usize| {
            let span = span(center, reach, start + TILE);
            span.start.max(start)..span.end
        };
        let (columns, rows) = (within(splat.center[0], left), within(splat.center[1], top));
        let narrow = 1.0 / (2.0 * splat.sigma * splat.sigma);
        let fall = |pixel: usize, center: f32| {
            let d = pixel as f32 + 0.5 - center;
            libm::expf(-d * d * narrow)
        };
        for column in columns.clone() {
            along_x[column - left] = fall(column, splat.center[0]);
        }
        let [r, g, b] = splat.depth;
        let depth = f32x4::from([r, g, b, 0.0]);
        let [r, g, b] = splat.radiance;
        let radiance = f32x4::from([r, g, b, 0.0]);
        for row in rows {
            let here = depth * f32x4::splat(fall(row, splat.center[1]));
            for column in columns.clone() {
                let [light, through] = &mut pixels[(row - top) * TILE + column - left];
                let depth = here * f32x4::splat(along_x[column - left]);
                // exp(−depth) to the third order: exact enough for clouds thin or deep, and the same bits everywhere.
                let kept = one / (one + depth * (one + depth * (f32x4::splat(0.5) + depth * f32x4::splat(1.0 / 6.0))));
                *light += *through * (one - kept) * radiance;
                *through *= kept;
            }
        }
    }
    pixels
}
