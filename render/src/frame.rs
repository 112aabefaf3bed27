//! A frame, or a tile of one: pixels handed out to threads, each a pure function of its place.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::bsdf::ROUGHNESS_FLOOR;
use crate::error::RenderError;
use crate::layers::Layers;
use crate::path::{Limits, Strategy, camera_ray, trace};
use crate::prepared::PreparedScene;
use crate::sampler::Sampler;
use crate::search::Scratch;
use crate::vector::{Vec3, max, min};

/// Edge of the squares that threads take, in pixels.
const TILE: u32 = 16;

/// How many times as many paths a pixel takes that sees an outline: there, light differs most from path to path, and
/// the denoiser finds the fewest neighbours that are alike.
const OUTLINE: u32 = 4;

/// The same before something far behind, which is smooth as a rule: what is left of the noise there is a fringe that
/// anyone sees.
const RIM: u32 = 16;

/// How much farther than the nearest surface the farthest is that counts as far behind.
const FAR_BEHIND: f32 = 1.1;

/// Length of a mean of unit vectors that point about the same way.
const ALIKE: f32 = 0.9;

/// How many times as many paths a pixel takes, by the sum of the normals that its first ones found, the number of those
/// that met a surface, and the least and the greatest distance to it. Their light has no say in it, so that taking more leaves its expectation as it is.
fn effort(normals: Vec3, met: u32, taken: u32, [nearest, farthest]: [f32; 2]) -> u32 {
    match met {
        0 => 1,
        _ if met < taken || farthest > FAR_BEHIND * nearest => RIM,
        _ if normals.length() < ALIKE * met as f32 => OUTLINE,
        _ => 1,
    }
}

/// Size and effort of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameSettings {
    /// Pixels in a row, in [1, 16384].
    pub width: u32,
    /// Rows, in [1, 16384].
    pub height: u32,
    /// Paths a pixel, in [1, 2²⁴]; powers of two are spread best. With `outlines`, a pixel that sees one takes four times as
    /// many, and one of something before what is far behind sixteen times.
    pub samples: u32,
    /// Most scatterings of a path, in [1, 64]; 1 is direct light only.
    pub max_bounces: u32,
    /// Chooses one of 2³² independent sample sequences. Equal for all frames of a film; another one gives a validator
    /// fresh samples of the same picture.
    pub seed: u32,
    /// Whether pixels that see outlines take more paths: worth it where a denoiser follows.
    pub outlines: bool,
    /// The frame's number in its film: three pixels in eight take other samples in each.
    pub frame: u32,
    /// Most luminance, exposure included, that a path may bring beyond direct light; above 0. This is bias, and what
    /// keeps pictures free of fireflies; `f32::INFINITY` switches it off, and so the blur of caustics: the picture is then
    /// what light does, however many paths that takes.
    pub indirect_clamp: f32,
}

impl Default for FrameSettings {
    fn default() -> Self {
        Self {
            width: 540,
            height: 540,
            samples: 32,
            max_bounces: 6,
            seed: 0,
            outlines: true,
            frame: 0,
            indirect_clamp: 1.0,
        }
    }
}

impl FrameSettings {
    /// The least perceptual roughness after a scattering that is not narrow.
    pub(crate) fn roughness_floor(&self) -> f32 {
        if self.indirect_clamp < f32::INFINITY { ROUGHNESS_FLOOR } else { 0.0 }
    }

    pub(crate) fn check(&self, rect: Rect) -> Result<(), RenderError> {
        let refuse = |what: &str| Err(RenderError::Settings(what.into()));
        if !(1..=16384).contains(&self.width) || !(1..=16384).contains(&self.height) {
            return refuse("width and height should lie in [1, 16384]");
        }
        if !(1..=1 << 24).contains(&self.samples) {
            return refuse("samples should lie in [1, 2^24]");
        }
        if !(1..=64).contains(&self.max_bounces) {
            return refuse("max_bounces should lie in [1, 64]");
        }
        if self.indirect_clamp.is_nan() || self.indirect_clamp <= 0.0 {
            return refuse("indirect_clamp should be above 0");
        }
        let fits = |from: u32, size: u32, whole: u32| size > 0 && from < whole && size <= whole - from;
        if !fits(rect.x, rect.width, self.width) || !fits(rect.y, rect.height, self.height) {
            return refuse(&format!("{rect:?} is not inside of the frame"));
        }
        Ok(())
    }
}

/// A rectangle of pixels; `x` and `y` count from the top left of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rect {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl PreparedScene {
    /// Renders a whole frame on the threads of the current rayon pool.
    ///
    /// `progress` is told the share that is done, in (0, 1], from any thread; setting `cancel` ends the work soon.
    ///
    /// # Errors
    ///
    /// [`RenderError::Settings`] where a setting is out of its range, [`RenderError::Cancelled`] after `cancel`.
    pub fn render(
        &self,
        settings: &FrameSettings,
        progress: &(dyn Fn(f32) + Sync),
        cancel: &AtomicBool,
    ) -> Result<Layers, RenderError> {
        let whole = Rect { x: 0, y: 0, width: settings.width, height: settings.height };
        self.render_with(settings, whole, Strategy::Both, progress, cancel)
    }

    /// Renders a part of the frame that `settings` describe: bit for bit the same pixels as the whole frame has there.
    ///
    /// # Errors
    ///
    /// [`RenderError::Settings`] where a setting is out of its range or `tile` is not inside of the frame.
    pub fn render_tile(&self, settings: &FrameSettings, tile: Rect) -> Result<Layers, RenderError> {
        self.render_with(settings, tile, Strategy::Both, &|_| {}, &AtomicBool::new(false))
    }

    pub(crate) fn render_with(
        &self,
        settings: &FrameSettings,
        rect: Rect,
        strategy: Strategy,
        progress: &(dyn Fn(f32) + Sync),
        cancel: &AtomicBool,
    ) -> Result<Layers, RenderError> {
        settings.check(rect)?;
        let limits = Limits {
            max_bounces: settings.max_bounces,
            clamp: settings.indirect_clamp / self.exposure,
            floor: settings.roughness_floor(),
            strategy,
        };
        let mut squares = Vec::new();
        for y in (0..rect.height).step_by(TILE as usize) {
            for x in (0..rect.width).step_by(TILE as usize) {
                let (width, height) = (TILE.min(rect.width - x), TILE.min(rect.height - y));
                squares.push(Rect { x: rect.x + x, y: rect.y + y, width, height });
            }
        }
        let done = AtomicUsize::new(0);
        let parts: Vec<Layers> = squares
            .par_iter()
            .map_init(Scratch::default, |scratch, &square| {
                let part = self.render_square(settings, &limits, square, scratch, cancel);
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                progress(done as f32 / squares.len() as f32);
                part
            })
            .collect();
        if cancel.load(Ordering::Relaxed) {
            return Err(RenderError::Cancelled);
        }
        let mut layers = Layers::new(rect.width as usize, rect.height as usize);
        for (square, part) in squares.iter().zip(&parts) {
            layers.put(part, square.x - rect.x, square.y - rect.y);
        }
        Ok(layers)
    }

    fn render_square(
        &self,
        settings: &FrameSettings,
        limits: &Limits,
        square: Rect,
        scratch: &mut Scratch,
        cancel: &AtomicBool,
    ) -> Layers {
        let mut layers = Layers::new(square.width as usize, square.height as usize);
        let size = [settings.width, settings.height];
        for row in 0..square.height {
            if cancel.load(Ordering::Relaxed) {
                break;
            }
            for column in 0..square.width {
                let pixel = [square.x + column, square.y + row];
                let (mut radiance, mut albedo, mut normal) = (Vec3::ZERO, Vec3::ZERO, Vec3::ZERO);
                let (mut depth, mut deep) = (0.0_f32, 0_u32);
                let mut reach = [f32::MAX, 0.0];
                // Welford's running moments, which lose no digits to a large mean.
                let (mut mean, mut squares) = (0.0_f64, 0.0_f64);
                let (mut taken, mut wanted) = (0, settings.samples);
                while taken < wanted {
                    let index = taken;
                    taken += 1;
                    let sampler = Sampler::new(pixel[0], pixel[1], index, settings.seed, settings.frame);
                    let ray = camera_ray(self, pixel, size, &sampler);
                    let sample = scratch.widest.run(
                        #[inline(always)]
                        || trace(self, limits, ray, &sampler, scratch),
                    );
                    // A path whose numbers overflowed is worth nothing, and must not spoil its neighbours.
                    let light = if sample.radiance.is_finite() { sample.radiance } else { Vec3::ZERO };
                    radiance += light;
                    albedo += sample.albedo;
                    normal += sample.normal;
                    if let Some(d) = sample.depth {
                        depth += d;
                        reach = [min(reach[0], d), max(reach[1], d)];
                        deep += 1;
                    }
                    let luminance = f64::from(light.luminance());
                    let delta = luminance - mean;
                    mean += delta / f64::from(taken);
                    squares += delta * (luminance - mean);
                    if taken == settings.samples && settings.outlines {
                        wanted = taken.saturating_mul(effort(normal, deep, taken, reach));
                    }
                }
                let at = (row * square.width + column) as usize;
                let share = 1.0 / taken as f32;
                layers.radiance[at] = (radiance * share).into();
                layers.albedo[at] = (albedo * share).into();
                layers.normal[at] = (normal * share).into();
                layers.depth[at] = if deep > 0 { depth / deep as f32 } else { 0.0 };
                let n = f64::from(taken);
                layers.variance[at] = if taken > 1 { (squares / (n * (n - 1.0))) as f32 } else { 0.0 };
            }
        }
        layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::vec3;

    #[test]
    fn outlines_take_more_paths() {
        let up = vec3(0.0, 1.0, 0.0);
        let near = [5.0, 5.1];
        assert_eq!(effort(Vec3::ZERO, 0, 16, [f32::MAX, 0.0]), 1, "nothing was met");
        assert_eq!(effort(up * 16.0, 16, 16, near), 1, "one flat surface");
        assert_eq!(effort(up * 9.0, 9, 16, near), RIM, "a surface before nothing");
        assert_eq!(effort(up * 16.0, 16, 16, [5.0, 9.0]), RIM, "a surface before another, far behind");
        assert_eq!(effort(up * 8.0 + vec3(8.0, 0.0, 0.0), 16, 16, near), OUTLINE, "two surfaces that meet");
    }
}
