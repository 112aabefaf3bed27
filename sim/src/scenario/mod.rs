//! Scenarios: what a seed can become.

use std::{
    fmt::Debug,
    ops::Deref,
    sync::{Arc, LazyLock},
};

use authored::Authored;
use serde::Serialize;

use crate::{
    genome::{Genome, ParamSpec, TraitSpec},
    recipe::{Recipe, RecipeError, ScenarioId},
    scene::{Particles, Scene},
    world::{Backend, Device, Plan, SimError, World},
};

pub mod authored;
mod bloom;
pub(crate) mod noise;
mod rigid;
mod tempest;
mod vector;
mod waltz;

/// What moves a scenario's world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Rigid bodies.
    Rigid,
    /// An integer kernel.
    Kernel,
    /// Both, acting on each other.
    Coupled,
}

/// A kind of piece. Everything it does is a pure function of the genome.
pub trait Scenario: Debug + Sync {
    /// Its name: lower-case letters, digits and hyphens.
    fn name(&self) -> &str;
    /// Its version; any change of a digest or of a picture is a new one.
    fn version(&self) -> u32;
    /// What moves its world.
    fn kind(&self) -> Kind;
    /// One sentence for people.
    fn about(&self) -> &str;
    /// What its pieces are called, for people.
    fn title(&self) -> &str {
        self.name()
    }
    /// What a seed picks.
    fn traits(&self) -> Vec<TraitSpec<'_>>;
    /// What a seed draws.
    fn params(&self) -> Vec<ParamSpec<'_>>;
    /// The moment that the poster shows, in [0, 1] of the duration.
    fn poster_time(&self) -> f64;
    /// How long the world runs and what is kept of it.
    fn plan(&self, genome: &Genome) -> Plan;
    /// The world at its first step.
    ///
    /// # Errors
    /// The backend that was asked for is not there.
    fn world_on(&self, genome: &Genome, device: &Device) -> Result<Box<dyn World>, SimError>;
    /// The same on `backend`.
    ///
    /// # Errors
    /// As [`Scenario::world_on`].
    fn world(&self, genome: &Genome, backend: Backend) -> Result<Box<dyn World>, SimError> {
        self.world_on(genome, &backend.into())
    }
    /// What turns the world's states into pictures.
    fn stage(&self, genome: &Genome) -> Box<dyn Stage>;
}

/// Turns states of a trajectory into scenes.
pub trait Stage: Send + Sync {
    /// The scene at `time` in [0, 1] of the duration. `values` is the state as the trajectory keeps it, `rates` its
    /// change from one snapshot to the next.
    fn scene(&self, time: f64, values: &[f32], rates: &[f32]) -> Scene;
    /// The same scene without its particles, and the particles by themselves, for whoever has no time for their surface;
    /// `None` where the world is of other things.
    fn apart(&self, _time: f64, _values: &[f32], _rates: &[f32]) -> Option<(Scene, Particles)> {
        None
    }
    /// For how much of the time to the next frame the shutter is open, in [0, 1].
    fn shutter(&self) -> f64 {
        0.0
    }
}

/// Those that are written as others write theirs.
static FLOOD: LazyLock<Authored> = LazyLock::new(|| Authored::own("flood", include_str!("authored/flood.toml")));
static PLUNGE: LazyLock<Authored> = LazyLock::new(|| Authored::own("plunge", include_str!("authored/plunge.toml")));

/// All scenarios of this engine.
#[must_use]
pub fn all() -> &'static [&'static dyn Scenario] {
    static ALL: LazyLock<[&dyn Scenario; 5]> =
        LazyLock::new(|| [&bloom::Bloom, &tempest::Tempest, &waltz::Waltz, &*FLOOD, &*PLUNGE]);
    &*ALL
}

/// The scenario of a recipe: one of this engine, or the scene that it carries.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// One of [`all`].
    Own(&'static dyn Scenario),
    /// A scene.
    Authored(Arc<Authored>),
}

impl Deref for Chosen {
    type Target = dyn Scenario;

    fn deref(&self) -> &(dyn Scenario + 'static) {
        match self {
            Self::Own(scenario) => *scenario,
            Self::Authored(scene) => &**scene,
        }
    }
}

/// The scenario of `recipe`.
///
/// # Errors
/// [`RecipeError::UnknownScenario`]; a scene that is missing, makes no sense, or stands where none belongs.
pub fn of(recipe: &Recipe) -> Result<Chosen, RecipeError> {
    recipe.check_scene()?;
    match &recipe.scene {
        Some(document) => Ok(Chosen::Authored(Arc::new(Authored::new(document)?))),
        None => find(&recipe.scenario).map(Chosen::Own),
    }
}

/// The scenario of that name and version.
///
/// # Errors
/// [`RecipeError::UnknownScenario`].
pub fn find(id: &ScenarioId) -> Result<&'static dyn Scenario, RecipeError> {
    let found = all().iter().find(|s| s.name() == id.name && s.version() == id.version);
    found.copied().ok_or_else(|| RecipeError::UnknownScenario {
        name: id.to_string(),
        known: all().iter().map(|s| format!("{}@{}", s.name(), s.version())).collect::<Vec<_>>().join(", "),
    })
}

/// The newest scenario called `name`, for people who leave the version out.
///
/// # Errors
/// [`RecipeError::UnknownScenario`].
pub fn newest(name: &str) -> Result<&'static dyn Scenario, RecipeError> {
    let found = all().iter().filter(|s| s.name() == name).max_by_key(|s| s.version());
    found.copied().ok_or_else(|| RecipeError::UnknownScenario {
        name: name.into(),
        known: all().iter().map(|s| s.name()).collect::<Vec<_>>().join(", "),
    })
}
