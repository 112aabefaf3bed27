//! Scenes that others wrote: a document of bodies, joints, matter and forces that a recipe carries, instead of code.
//!
//! [`import`] makes a [`Document`] of a TOML file and the meshes beside it; [`Blueprint::read`] finds out whether it makes
//! sense, for every seed; [`Layout::new`] is what a seed makes of it. `docs/scenes.md` describes the format.

mod blueprint;
mod bodies;
mod document;
mod forces;
mod gltf;
mod import;
mod joints;
mod layout;
mod look;
mod matter;
mod mesh;
mod quantity;
mod reader;

use blueprint::{Declared, MAX_MESHES, Named, Time};

pub use blueprint::Blueprint;
pub use bodies::MAX_BODIES;
pub use document::{Document, MAX_FILE_BYTES, MAX_SCENE_BYTES, Place};
pub use forces::{Force, ForceKey};
pub use gltf::MAX_MESH_BYTES;
pub use import::{Folder, import};
pub use joints::JointKind;
pub use layout::{Body, BodyShape, CYLINDER_SIDES, JointLayout, Layout, Particle};
pub use matter::{MAX_CELLS, MAX_PARTICLES, Material, MaterialKind, Tank};
pub use reader::SceneError;
