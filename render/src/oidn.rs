//! Intel Open Image Denoise, for whoever has its library: a trained filter in place of [`crate::denoise`].
//!
//! Its pictures are smoother at few samples, and it needs no more than radiance, so that it helps what other renderers
//! draw too. Of fine detail ours keeps more. They are not the same on every machine: no pixel of a piece comes from it.

use ::oidn::{Device, RayTracing};

use crate::{Layers, RenderError, denoise::finite};

/// Filters the noise out of a frame of our own tracers; returns linear radiance, rows from the top.
///
/// # Errors
/// [`RenderError::Denoiser`] where the library fails.
pub fn denoise(layers: &Layers) -> Result<Vec<[f32; 3]>, RenderError> {
    let albedo: Vec<[f32; 3]> = layers.albedo.iter().map(|a| a.map(|c| finite(c).clamp(0.0, 1.0))).collect();
    let normal: Vec<[f32; 3]> = layers.normal.iter().map(|n| n.map(|c| finite(c).clamp(-1.0, 1.0))).collect();
    filter(&layers.radiance, [layers.width, layers.height], Some([&albedo, &normal]))
}

/// The same by radiance alone, of whichever renderer, `size` pixels wide and high.
///
/// # Errors
/// [`RenderError::Denoiser`] where the library fails, or there are not that many pixels.
pub fn denoise_radiance(radiance: &[[f32; 3]], size: [usize; 2]) -> Result<Vec<[f32; 3]>, RenderError> {
    filter(radiance, size, None)
}

fn filter(
    radiance: &[[f32; 3]],
    [width, height]: [usize; 2],
    guides: Option<[&[[f32; 3]]; 2]>,
) -> Result<Vec<[f32; 3]>, RenderError> {
    if width.checked_mul(height) != Some(radiance.len()) {
        return Err(RenderError::Denoiser(format!("{} pixels are no {width}x{height}", radiance.len())));
    }
    if radiance.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |error: ::oidn::Error| RenderError::Denoiser(error.to_string());
    let device = Device::cpu().map_err(failed)?;
    let mut filter = RayTracing::try_new(&device).map_err(failed)?;
    filter.hdr(true).image_dimensions(width, height);
    if let Some([albedo, normal]) = guides {
        let buffer = |of: &[[f32; 3]]| device.create_buffer(of.as_flattened()).map_err(failed);
        filter.albedo_normal_buffer(buffer(albedo)?, buffer(normal)?).map_err(failed)?;
    }
    let color: Vec<[f32; 3]> = radiance.iter().map(|r| r.map(|c| finite(c).max(0.0))).collect();
    let mut found = vec![[0.0; 3]; color.len()];
    filter.filter(color.as_flattened(), found.as_flattened_mut()).map_err(failed)?;
    Ok(found)
}
