//! Raw light of frames: what a device found before the denoiser, committed to so that it can be judged.

use seedstorm_render::Layers;

/// Red, green and blue of each pixel, rows from the top, as little-endian floats.
pub(crate) fn to_bytes(layers: &Layers) -> Vec<u8> {
    layers.radiance.iter().flatten().flat_map(|channel| channel.to_le_bytes()).collect()
}

/// The bytes that a frame of so many pixels has.
pub(crate) fn length(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height) * 12
}

/// The radiance of each pixel. The bytes are of the right length.
pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<[f32; 3]> {
    let channels: Vec<f32> = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes).collect();
    channels.as_chunks().0.to_vec()
}
