//! Scene to image: the canonical path tracer, and what turns its radiance into pictures and films.
//!
//! A [`Scene`](seedstorm_sim::scene::Scene) becomes a [`PreparedScene`], which renders frames and tiles into [`Layers`]:
//! linear, undenoised radiance with what a denoiser wants to know. The same scene and [`FrameSettings`] give the same
//! bits on every machine and for any number of threads, and a tile gives the same bits as the frame it is cut from;
//! that is what makes the CPU tracer the canonical renderer, by which others are judged.
//!
//! The crate never simulates, never reads a scenario, never talks to a network, and never lets anything but the scene
//! and the settings into a pixel.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//!
//! use nalgebra::{Point3, Similarity3, Vector3};
//! use seedstorm_render::{FrameSettings, PreparedScene, Rect};
//! use seedstorm_sim::scene::{Camera, Instance, Material, Scene, Shape, Sky};
//!
//! let scene = Scene {
//!     camera: Camera {
//!         eye: Point3::new(0.0, 0.0, 4.0),
//!         target: Point3::origin(),
//!         up: Vector3::y(),
//!         vertical_fov: 0.7,
//!         lens_radius: 0.0,
//!         focus_distance: 4.0,
//!     },
//!     sky: Sky { zenith: [1.0; 3], horizon: [0.4; 3], nadir: [0.1; 3], backdrop: None },
//!     lights: vec![],
//!     materials: vec![Material::default()],
//!     meshes: vec![],
//!     instances: vec![Instance {
//!         shape: Shape::Sphere(1.0),
//!         pose: Similarity3::identity(),
//!         material: 0,
//!         tint: [1.0, 0.6, 0.3],
//!         emission: [0.0; 3],
//!     }],
//!     fluid: None,
//!     haze: None,
//!     fog: None,
//!     moved: vec![],
//!     environment: None,
//!     sun: None,
//!     exposure_stops: 0.0,
//! };
//! let settings = FrameSettings { width: 32, height: 32, samples: 4, ..FrameSettings::default() };
//! let prepared = PreparedScene::new(&scene)?;
//! let frame = prepared.render(&settings, &|_done| {}, &AtomicBool::new(false))?;
//! let tile = prepared.render_tile(&settings, Rect { x: 16, y: 8, width: 1, height: 1 })?;
//! assert_eq!(tile.radiance[0], frame.radiance[8 * 32 + 16]);
//! # Ok::<(), seedstorm_render::RenderError>(())
//! ```

mod blur;
mod bsdf;
mod bvh;
mod camera;
pub mod denoise;
mod environment;
mod error;
pub mod film;
mod fog;
mod frame;
pub mod glb;
mod glow;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod haze;
pub mod image_file;
pub mod judge;
mod lanes;
mod layers;
mod light;
mod microfacet;
mod moving;
#[cfg(feature = "oidn")]
pub mod oidn;
mod path;
pub mod plugin;
mod prepared;
pub mod preview;
mod sampler;
mod search;
mod shape;
mod sheen;
pub mod surface;
mod table;
mod thin_film;
pub mod tone;
mod triangles;
mod validate;
mod vector;
mod walk;

pub use error::RenderError;
pub use frame::{FrameSettings, Rect};
pub use layers::Layers;
pub use prepared::PreparedScene;
pub use surface::mesh_fluid;
