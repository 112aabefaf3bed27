//! Scene to image.

pub mod film;
pub mod image_file;
mod layers;
pub mod tone;

pub use layers::Layers;
