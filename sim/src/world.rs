//! The stepping loop: a recipe's world, run to its end, with checkpoints and a trajectory.

use std::str::FromStr;

use cid::Cid;

use crate::{
    genome::Genome,
    merkle::{self, Digest},
    recipe::{Recipe, RecipeError},
    scenario::{self, Chosen},
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
    /// The same without the device's 64-bit integers: as devices do it that have none.
    GpuSplit,
}

/// Where a world is stepped: on a backend, and, where that is a graphics device, perhaps on one that is open already.
#[derive(Debug, Clone)]
pub struct Device {
    backend: Backend,
    #[cfg(feature = "gpu")]
    lent: Option<crate::gpu::Gpu>,
}

impl From<Backend> for Device {
    fn from(backend: Backend) -> Self {
        Self {
            backend,
            #[cfg(feature = "gpu")]
            lent: None,
        }
    }
}

impl Device {
    /// `backend`, with `gpu` for its device.
    #[cfg(feature = "gpu")]
    #[must_use]
    pub fn lent(backend: Backend, gpu: crate::gpu::Gpu) -> Self {
        Self { backend, lent: Some(gpu) }
    }

    /// Whether nothing but a graphics device will do.
    pub(crate) fn is_insisted_on(&self) -> bool {
        matches!(self.backend, Backend::Gpu | Backend::GpuSplit)
    }

    /// The graphics device, if one is asked for. A software adapter runs the kernels on the CPU, slower than the twins do,
    /// and is used only where a device is insisted on.
    ///
    /// # Errors
    /// [`KernelError::Device`] where a device is insisted on and there is none.
    #[cfg(feature = "gpu")]
    pub(crate) fn gpu(&self) -> Result<Option<crate::gpu::Gpu>, KernelError> {
        use crate::gpu::{Gpu, Products};
        let open = |products| match &self.lent {
            Some(gpu) => Ok(gpu.clone().with_products(products)),
            None => Gpu::open(products),
        };
        match self.backend {
            Backend::Cpu => Ok(None),
            Backend::Gpu => open(Products::Auto).map(Some),
            Backend::GpuSplit => open(Products::Split).map(Some),
            Backend::Auto => Ok(open(Products::Auto).ok().filter(|gpu| !gpu.is_software())),
        }
    }
}

impl FromStr for Backend {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            "gpu-split" => Ok(Self::GpuSplit),
            _ => Err(format!("`{text}` is no backend: choose auto, cpu, gpu or gpu-split")),
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

    /// Goes on from a state that [`World::checkpoint`] gave for the same recipe.
    ///
    /// # Errors
    /// [`SimError::Saved`] where the bytes are no such state; a device failed.
    fn restore(&mut self, state: &[u8]) -> Result<(), SimError>;

    /// What the trajectory keeps: `channels × elements` numbers.
    ///
    /// # Errors
    /// A device failed.
    fn snapshot(&mut self) -> Result<Snapshot, SimError>;

    /// The step of the present state.
    fn step(&self) -> u32;

    /// The particles where a graphics device has them; `None` where there are none, or they are stepped elsewhere.
    #[cfg(feature = "gpu")]
    fn on_device(&self) -> Option<crate::gpu::OnDevice> {
        None
    }

    /// What the world runs on, for people and attestations.
    fn backend(&self) -> String;
}

/// Why a kernel could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A grid sum could have overflowed.
    #[error(
        "matter was squeezed beyond {most} particles a node by step {step}: put less of it in one place, or lower the forces"
    )]
    Overfull {
        /// The step in which, or by which, it was seen.
        step: u32,
        /// The particles that a node has room for.
        most: i32,
    },
    /// The graphics device failed.
    #[error("the graphics device failed: {0}; run with `--backend cpu`")]
    Device(String),
}

/// Why a world could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A kernel failed.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A scene that puts nothing there for this seed.
    #[error("there is nothing in the world of this seed: choose another, or give the scene something for every option")]
    Empty,
    /// Bodies in each other: more contacts than a machine can follow.
    #[error(
        "the bodies of this seed lie in each other in more than {most} pairs, those of `{group}` most of all: spread them"
    )]
    Crowded {
        /// The group with the most of them.
        group: String,
        /// How many pairs may be.
        most: usize,
    },
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
    /// What was saved of a simulation cannot be used.
    #[error("the saved simulation cannot be used: {0}")]
    Saved(&'static str),
    /// A world has no such segment.
    #[error("there is no segment {segment}: this world has {segments}, from 0")]
    NoSegment {
        /// What was asked for.
        segment: u32,
        /// How many there are.
        segments: u32,
    },
    /// A history that is of another world.
    #[error("a history of this world has {expected} {what}, and not {found}")]
    OtherPlan {
        /// What is counted.
        what: &'static str,
        /// How many a history of this world has.
        expected: usize,
        /// How many this one has.
        found: usize,
    },
    /// A party to a dispute does not answer.
    #[error("the history does not answer: {0}")]
    History(String),
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

/// A world on its way from its first step to its last, with what is kept of it so far.
pub struct Simulation {
    world: Box<dyn World>,
    plan: Plan,
    world_id: Cid,
    trajectory: TrajectoryWriter,
    checkpoints: Vec<Digest>,
    step: u32,
    /// What the steps ran on, in order.
    backends: Vec<String>,
}

/// The secret that a home seals its saved simulations with.
///
/// A rigid world's state is mostly the engine's own indices, which cannot be checked one by one and are not checked where
/// they are used. So a save is gone on with only where it was written by somebody with the same seal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seal(pub [u8; 32]);

impl Seal {
    /// Bytes of a save before its body.
    pub const HEAD: usize = MAGIC.len() + 32;

    /// A save with this body: `MAGIC`, the keyed BLAKE3 digest of the body, the body.
    #[must_use]
    pub fn apply(&self, body: &[u8]) -> Vec<u8> {
        [MAGIC.as_slice(), blake3::keyed_hash(&self.0, body).as_bytes(), body].concat()
    }

    fn body<'a>(&self, saved: &'a [u8]) -> Result<&'a [u8], SimError> {
        let rest = saved.strip_prefix(MAGIC).ok_or(SimError::Saved("it does not begin as one"))?;
        let (digest, body) = rest.split_first_chunk::<32>().ok_or(SimError::Saved("it is cut short"))?;
        // This comparison takes the same time wherever they differ.
        if blake3::keyed_hash(&self.0, body) != *digest {
            return Err(SimError::Saved("it is damaged, or was not written here"));
        }
        Ok(body)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

/// What [`Simulation::save`] writes, under a [`Seal`].
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    world_id: Vec<u8>,
    step: u32,
    backends: Vec<String>,
    checkpoints: Vec<[u8; 32]>,
    chunks: Vec<u8>,
    chunk_lengths: Vec<u32>,
    state: Vec<u8>,
}

const MAGIC: &[u8; 8] = b"SSSAVE\x02\n";

/// The largest saved simulation that is read, in bytes.
pub const MAX_SAVED_BYTES: usize = 512 << 20;

impl Simulation {
    /// The world of `recipe` at its first step.
    ///
    /// # Errors
    /// The recipe names no scenario or is out of range, or a device failed.
    pub fn new(recipe: &Recipe, backend: Backend) -> Result<Self, SimError> {
        let mut simulation = Self::empty(recipe, backend)?;
        simulation.record()?;
        Ok(simulation)
    }

    /// The world of `recipe` at the step where [`Simulation::save`] wrote `saved` under the same seal; its backend may be
    /// another.
    ///
    /// # Errors
    /// [`SimError::Saved`] for other bytes; what [`Simulation::new`] says.
    pub fn resume(recipe: &Recipe, backend: Backend, saved: &[u8], seal: &Seal) -> Result<Self, SimError> {
        if saved.len() > MAX_SAVED_BYTES {
            return Err(SimError::Saved("it is larger than 512 MiB"));
        }
        let unreadable = |_| SimError::Saved("its parts cannot be read");
        let (saved, rest) = postcard::take_from_bytes::<Saved>(seal.body(saved)?).map_err(unreadable)?;
        if !rest.is_empty() {
            return Err(SimError::Saved("it goes on after its end"));
        }
        let mut simulation = Self::empty(recipe, backend)?;
        let plan = simulation.plan;
        if saved.world_id != simulation.world_id.to_bytes() {
            return Err(SimError::Saved("it is of another world"));
        }
        let expected = saved.step / plan.checkpoint_every + 1;
        if saved.step > plan.steps || saved.checkpoints.len() as u64 != u64::from(expected) {
            return Err(SimError::Saved("its steps contradict one another"));
        }
        let trajectory = TrajectoryWriter::restore(plan.elements, plan.channels, saved.chunks, &saved.chunk_lengths)?;
        if trajectory.snapshots() as u64 != u64::from(saved.step / plan.snapshot_every + 1) {
            return Err(SimError::Saved("its steps contradict one another"));
        }
        simulation.world.restore(&saved.state)?;
        simulation.trajectory = trajectory;
        simulation.checkpoints = saved.checkpoints.into_iter().map(Digest).collect();
        simulation.step = saved.step;
        simulation.backends = saved.backends;
        simulation.note_backend();
        Ok(simulation)
    }

    fn empty(recipe: &Recipe, backend: Backend) -> Result<Self, SimError> {
        let (scenario, genome) = resolve(recipe)?;
        let plan = scenario.plan(&genome);
        let mut simulation = Self {
            world: scenario.world(&genome, backend)?,
            plan,
            world_id: recipe.world_id(),
            trajectory: TrajectoryWriter::new(plan.elements, plan.channels),
            checkpoints: Vec::new(),
            step: 0,
            backends: Vec::new(),
        };
        simulation.note_backend();
        Ok(simulation)
    }

    fn note_backend(&mut self) {
        let backend = self.world.backend();
        if !self.backends.contains(&backend) {
            self.backends.push(backend);
        }
    }

    /// The step reached.
    #[must_use]
    pub fn step(&self) -> u32 {
        self.step
    }

    /// Steps from the first state to the last.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.plan.steps
    }

    /// Advances to the next snapshot or checkpoint; `false` where the last step was reached before.
    ///
    /// # Errors
    /// The state left the range in which it is exact, or a device failed.
    pub fn advance(&mut self) -> Result<bool, SimError> {
        if self.step == self.plan.steps {
            return Ok(false);
        }
        let to = |every: u32| every - self.step % every;
        let stride = to(self.plan.checkpoint_every).min(to(self.plan.snapshot_every)).min(self.plan.steps - self.step);
        self.world.advance(stride)?;
        self.step += stride;
        self.record()?;
        Ok(true)
    }

    fn record(&mut self) -> Result<(), SimError> {
        if self.step.is_multiple_of(self.plan.checkpoint_every) {
            self.checkpoints.push(merkle::leaf(self.step, &self.world.checkpoint()?));
        }
        if self.step.is_multiple_of(self.plan.snapshot_every) {
            self.trajectory.push(self.world.snapshot()?);
        }
        Ok(())
    }

    /// Whether [`Simulation::save`] may be called at this step: a chunk of the trajectory is complete.
    #[must_use]
    pub fn can_be_saved(&self) -> bool {
        self.trajectory.is_at_chunk_end()
    }

    /// The number and the digest of the checkpoint at this step, where the plan has one.
    #[must_use]
    pub fn latest_checkpoint(&self) -> Option<(usize, Digest)> {
        let last = self.checkpoints.len().checked_sub(1)?;
        self.step.is_multiple_of(self.plan.checkpoint_every).then(|| (last, self.checkpoints[last]))
    }

    /// The digest and the bytes of the checkpoint at this step, where the plan has one.
    ///
    /// # Errors
    /// A device failed.
    pub fn present_checkpoint(&mut self) -> Result<Option<(Digest, Vec<u8>)>, SimError> {
        match self.checkpoints.last() {
            Some(digest) if self.step.is_multiple_of(self.plan.checkpoint_every) => {
                Ok(Some((*digest, self.world.checkpoint()?)))
            }
            _ => Ok(None),
        }
    }

    /// The world's whole state at this step, in canonical bytes: what a checkpoint's digest is of.
    ///
    /// # Errors
    /// A device failed.
    pub fn checkpoint(&mut self) -> Result<Vec<u8>, SimError> {
        self.world.checkpoint()
    }

    /// Everything that [`Simulation::resume`] needs.
    ///
    /// # Errors
    /// A device failed.
    ///
    /// # Panics
    /// Where [`Simulation::can_be_saved`] says no.
    pub fn save(&mut self, seal: &Seal) -> Result<Vec<u8>, SimError> {
        assert!(self.can_be_saved(), "a simulation is saved at the end of a chunk");
        let (chunks, chunk_lengths) = self.trajectory.parts();
        let saved = Saved {
            world_id: self.world_id.to_bytes(),
            step: self.step,
            backends: self.backends.clone(),
            checkpoints: self.checkpoints.iter().map(|digest| digest.0).collect(),
            chunks: chunks.to_vec(),
            chunk_lengths,
            state: self.world.checkpoint()?,
        };
        let body = postcard::to_allocvec(&saved).expect("plain numbers and bytes");
        Ok(seal.apply(&body))
    }

    /// The trajectory up to this step, for a look at a world that is not run to its end.
    ///
    /// # Errors
    /// A trajectory that is too large.
    pub fn so_far(self) -> Result<Trajectory, SimError> {
        Ok(Trajectory::from_bytes(self.trajectory.finish(&self.checkpoints))?)
    }

    /// The whole run, once [`Simulation::advance`] said `false`.
    ///
    /// # Errors
    /// A trajectory that is too large.
    ///
    /// # Panics
    /// Before the last step.
    pub fn finish(self) -> Result<Run, SimError> {
        assert_eq!(self.step, self.plan.steps, "a simulation is finished at its last step");
        let trajectory = Trajectory::from_bytes(self.trajectory.finish(&self.checkpoints))?;
        Ok(Run { sim_root: trajectory.sim_root(), trajectory, backend: self.backends.join(", then ") })
    }
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Simulation({} at step {} of {})", self.world_id, self.step, self.plan.steps)
    }
}

/// Runs the world of `recipe` to its end. `progress` is told the step reached and the last one, and stops the run by
/// answering `false`.
///
/// Rapier blocks a thread of rayon's pool while it waits for others of that pool: call this from outside of it, or give
/// each run a pool of its own, but never run several worlds in one pool.
///
/// # Errors
/// The recipe names no scenario or is out of range, a device failed, or the run was stopped.
pub fn simulate(
    recipe: &Recipe,
    backend: Backend,
    progress: &mut dyn FnMut(u32, u32) -> bool,
) -> Result<Run, SimError> {
    let mut simulation = Simulation::new(recipe, backend)?;
    while progress(simulation.step(), simulation.steps()) {
        if !simulation.advance()? {
            return simulation.finish();
        }
    }
    Err(SimError::Stopped)
}

/// The scenario of `recipe`, and what its seed and overrides decide.
///
/// # Errors
/// No such scenario, or a scene that makes no sense; overrides that it does not have or that are out of range.
pub fn resolve(recipe: &Recipe) -> Result<(Chosen, Genome), RecipeError> {
    let scenario = scenario::of(recipe)?;
    let genome = Genome::resolve(&recipe.seed, &recipe.params, &scenario.traits(), &scenario.params())?;
    Ok((scenario, genome))
}
