//! What the tracer makes of a frame, before anything is done to please the eye.

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
}
