//! What can be wrong with a scene or with the settings of a frame.

use thiserror::Error;

/// Why no picture is made.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum RenderError {
    /// The camera looks nowhere.
    #[error("the camera has no view: {0}")]
    Camera(&'static str),
    /// A number of the scene is out of its range.
    #[error("{place}: {problem}")]
    Scene {
        /// Which part of the scene, with its index.
        place: String,
        /// What is wrong with it, and what it should be.
        problem: String,
    },
    /// A setting of the frame is out of its range.
    #[error("frame settings: {0}")]
    Settings(String),
    /// The graphics device cannot render the scene, or failed.
    #[error("the graphics device: {0}")]
    Device(String),
    /// Open Image Denoise failed.
    #[error("Open Image Denoise: {0}")]
    Denoiser(String),
    /// The caller gave up.
    #[error("rendering was cancelled")]
    Cancelled,
}

impl RenderError {
    pub(crate) fn scene(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Scene { place: place.into(), problem: problem.into() }
    }
}
