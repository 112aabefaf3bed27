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
mod stage;
mod tank;
mod world;

use super::{Kind, Scenario, Stage};
use crate::{
    genome::{Genome, ParamSpec, TraitSpec},
    recipe::ScenarioId,
    world::{Device, Plan, SimError, World},
};
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

/// The name and version of the scenario that reads the scene which its recipe carries.
pub const SCENARIO: &str = "scene@1";

/// A snapshot's positions are in units of 1/16384 m.
const POSITION_UNIT: f32 = 16384.0;

/// A snapshot's quaternions are in units of 1/32767.
const ROTATION_UNIT: f32 = 32767.0;

/// Numbers of an element in a snapshot: position (3), rotation (x, y, z, w).
const CHANNELS: usize = 7;

/// Whether a recipe of this scenario carries a scene.
#[must_use]
pub fn is_scene(id: &ScenarioId) -> bool {
    id.to_string() == SCENARIO
}

/// The scenario that a scene is.
#[derive(Debug)]
pub struct Authored {
    name: &'static str,
    scene: Blueprint,
}

impl Authored {
    /// The scene that a recipe carries.
    ///
    /// # Errors
    /// As [`Blueprint::read`].
    pub fn new(document: &Document) -> Result<Self, SceneError> {
        Ok(Self { name: "scene", scene: Blueprint::read(document)? })
    }

    /// A scene of this engine: the text of a file without meshes.
    ///
    /// # Panics
    /// Where there is something wrong with it.
    pub(super) fn own(name: &'static str, text: &str) -> Self {
        let scene = Document::from_toml(text).and_then(|document| Blueprint::read(&document));
        Self { name, scene: scene.unwrap_or_else(|error| panic!("{name}: {error}")) }
    }

    /// The scene.
    #[must_use]
    pub fn blueprint(&self) -> &Blueprint {
        &self.scene
    }
}

impl Scenario for Authored {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> u32 {
        1
    }

    fn kind(&self) -> Kind {
        let (matter, bodies) = (self.scene.most_particles() > 0, self.scene.bodies()[1] > 0);
        match (matter, bodies) {
            (false, _) => Kind::Rigid,
            (true, false) => Kind::Kernel,
            (true, true) => Kind::Coupled,
        }
    }

    fn about(&self) -> &str {
        &self.scene.about
    }

    fn title(&self) -> &str {
        &self.scene.title
    }

    fn traits(&self) -> Vec<TraitSpec<'_>> {
        self.scene.declared.trait_specs()
    }

    fn params(&self) -> Vec<ParamSpec<'_>> {
        self.scene.declared.param_specs()
    }

    fn poster_time(&self) -> f64 {
        self.scene.time.poster
    }

    fn plan(&self, genome: &Genome) -> Plan {
        let (time, layout) = (&self.scene.time, Layout::new(&self.scene, genome));
        // The engine's state of bodies takes long to read beside the few steps between two snapshots.
        let snapshots = if self.kind() == Kind::Rigid { 4 } else { 2 };
        Plan {
            steps: time.steps(),
            snapshot_every: time.stride(),
            checkpoint_every: snapshots * time.stride(),
            elements: layout.bodies.len() + layout.particles.len(),
            channels: CHANNELS,
        }
    }

    fn world_on(&self, genome: &Genome, device: &Device) -> Result<Box<dyn World>, SimError> {
        Ok(Box::new(world::AuthoredWorld::new(&self.scene, &Layout::new(&self.scene, genome), device)?))
    }

    fn stage(&self, genome: &Genome) -> Box<dyn Stage> {
        Box::new(stage::AuthoredStage::new(&self.scene, genome))
    }
}
