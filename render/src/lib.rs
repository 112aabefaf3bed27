//! Scene to image.

mod layers;

pub use layers::Layers;
