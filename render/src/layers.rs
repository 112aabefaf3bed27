//! What the tracer makes of a frame, before anything is done to please the eye.

use crate::frame::Rect;

/// What the tracer makes of a frame: linear, undenoised, one value a pixel, rows from the top.
///
/// `radiance` is what a validator compares; the other layers guide the denoiser.
#[derive(Debug, Clone, PartialEq)]
pub struct Layers {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Mean linear Rec. 709 radiance.
    pub radiance: Vec<[f32; 3]>,
    /// Mean reflectance, in [0, 1], of the first surface that is not a mirror or clear glass, seen through at most two
    /// that are; where those show nothing but the sky or a light, of the last of them. Black on a miss.
    pub albedo: Vec<[f32; 3]>,
    /// Mean world-space shading normal of that surface; shorter than 1 where samples disagree, zero on a miss.
    pub normal: Vec<[f32; 3]>,
    /// Mean length of the path from the lens to that surface in world units, over the samples that found one; 0 where
    /// none did.
    pub depth: Vec<f32>,
    /// Variance of the mean of `radiance`'s luminance, as if samples were independent; as they are stratified, the true
    /// variance is smaller. 0 with a single sample.
    pub variance: Vec<f32>,
}

impl Layers {
    /// Black layers of this size.
    pub fn new(width: usize, height: usize) -> Self {
        let pixels = width * height;
        Self {
            width,
            height,
            radiance: vec![[0.0; 3]; pixels],
            albedo: vec![[0.0; 3]; pixels],
            normal: vec![[0.0; 3]; pixels],
            depth: vec![0.0; pixels],
            variance: vec![0.0; pixels],
        }
    }

    /// A part of them.
    ///
    /// # Panics
    /// If `part` is not inside of them.
    #[must_use]
    pub fn cut(&self, part: Rect) -> Self {
        let Rect { x, y, width, height } = part;
        let mut cut = Self::new(width as usize, height as usize);
        for row in 0..cut.height {
            cut.copy_row(row * cut.width, self, (y as usize + row) * self.width + x as usize, width as usize);
        }
        cut
    }

    /// Puts `part` into them, its first pixel at column `x` of row `y`.
    ///
    /// # Panics
    /// If it does not fit.
    pub fn put(&mut self, part: &Self, x: u32, y: u32) {
        for row in 0..part.height {
            self.copy_row((y as usize + row) * self.width + x as usize, part, row * part.width, part.width);
        }
    }

    fn copy_row(&mut self, at: usize, other: &Self, from: usize, width: usize) {
        let (to, from) = (at..at + width, from..from + width);
        self.radiance[to.clone()].copy_from_slice(&other.radiance[from.clone()]);
        self.albedo[to.clone()].copy_from_slice(&other.albedo[from.clone()]);
        self.normal[to.clone()].copy_from_slice(&other.normal[from.clone()]);
        self.depth[to.clone()].copy_from_slice(&other.depth[from.clone()]);
        self.variance[to].copy_from_slice(&other.variance[from]);
    }
}
