//! The stepping loop: a recipe's world, run to its end, with checkpoints and a trajectory.

use std::str::FromStr;

use crate::{
    genome::Genome,
    merkle::{self, Digest},
    recipe::{Recipe, RecipeError},
    scenario::{self, Scenario},
    trajectory::{Snapshot, Trajectory, TrajectoryError, TrajectoryWriter},
};

/// Where kernels run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// A graphics device where there is one that is likely to be faster, else the CPU.
    #[default]
    Auto,
    /// The Rust twins.
    Cpu,
    /// A graphics device; an error where there is none.
    Gpu,
}

impl FromStr for Backend {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            _ => Err(format!("`{text}` is no backend: choose auto, cpu or gpu")),
        }
    }
}

/// How long a world runs and what is kept of it; a function of the scenario and the genome alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Steps from the first state to the last.
    pub steps: u32,
    /// Steps between two snapshots of the trajectory; divides `steps`.
    pub snapshot_every: u32,
    /// Steps between two checkpoints; divides `steps`.
    pub checkpoint_every: u32,
    /// Elements in a snapshot.
    pub elements: usize,
    /// Numbers that each element has in a snapshot.
    pub channels: usize,
}

/// A world that can be stepped.
pub trait World: Send {
    /// Advances `steps` steps.
    ///
    /// # Errors
    /// The state left the range in which it is exact, or a device failed.
    fn advance(&mut self, steps: u32) -> Result<(), SimError>;

    /// The whole state in canonical bytes.
    ///
    /// # Errors
    /// A device failed.
    fn checkpoint(&mut self) -> Result<Vec<u8>, SimError>;

    /// What the trajectory keeps: `channels × elements` numbers.
    ///
    /// # Errors
    /// A device failed.
    fn snapshot(&mut self) -> Result<Snapshot, SimError>;

    /// What the world runs on, for people and attestations.
    fn backend(&self) -> String;
}

/// Why a world could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The liquid kernel failed.
    #[error(transparent)]
    Fluid(#[from] crate::fluid::FluidError),
    /// A rigid world's state could not be written.
    #[error("the rigid world could not be written: {0}")]
    Rigid(String),
    /// A body left the range of finite numbers.
    #[error("body {body} came to no finite place by step {step}: lower the forces")]
    NotFinite {
        /// Which body.
        body: usize,
        /// By which step.
        step: u32,
    },
    /// The trajectory cannot be read.
    #[error(transparent)]
    Trajectory(#[from] TrajectoryError),
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

/// A world that was run to its end.
#[derive(Debug)]
pub struct Run {
    /// The trajectory; it holds the digests of the checkpoints.
    pub trajectory: Trajectory,
    /// The Merkle root over the checkpoints.
    pub sim_root: Digest,
    /// What it ran on.
    pub backend: String,
}

/// Runs the world of `recipe` to its end. `progress` is told the step reached and the last one, and stops the run by
/// answering `false`.
///
/// # Errors
/// The recipe names no scenario or is out of range, a device failed, or the run was stopped.
pub fn simulate(
    recipe: &Recipe,
    backend: Backend,
    progress: &mut dyn FnMut(u32, u32) -> bool,
) -> Result<Run, SimError> {
    let (scenario, genome) = resolve(recipe)?;
    let plan = scenario.plan(&genome);
    let mut world = scenario.world(&genome, backend)?;
    let mut trajectory = TrajectoryWriter::new(plan.elements, plan.channels);
    let mut checkpoints = Vec::new();
    let mut step = 0;
    loop {
        if step % plan.checkpoint_every == 0 {
            checkpoints.push(merkle::leaf(step, &world.checkpoint()?));
        }
        if step % plan.snapshot_every == 0 {
            trajectory.push(world.snapshot()?);
        }
        if !progress(step, plan.steps) {
            return Err(SimError::Stopped);
        }
        if step == plan.steps {
            break;
        }
        let to = |every: u32| every - step % every;
        let stride = to(plan.checkpoint_every).min(to(plan.snapshot_every)).min(plan.steps - step);
        world.advance(stride)?;
        step += stride;
    }
    let trajectory = Trajectory::from_bytes(trajectory.finish(&checkpoints))?;
    Ok(Run { sim_root: trajectory.sim_root(), trajectory, backend: world.backend() })
}

/// The scenario of `recipe`, and what its seed and overrides decide.
///
/// # Errors
/// No such scenario; overrides that it does not have or that are out of range.
pub fn resolve(recipe: &Recipe) -> Result<(&'static dyn Scenario, Genome), RecipeError> {
    let scenario = scenario::find(&recipe.scenario)?;
    let genome = Genome::resolve(&recipe.seed, &recipe.params, scenario.traits(), scenario.params())?;
    Ok((scenario, genome))
}
