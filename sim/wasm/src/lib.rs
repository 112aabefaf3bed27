//! Seedstorm's worlds as one WebAssembly module: a page, or Node, computes the `sim_root` of a recipe by itself.
//!
//! [`Session`] is the whole of it, and compiles everywhere; on wasm32 alone the module `exports` gives it C names, of
//! which `web/seedstorm.mjs` is the other side. The module imports nothing, so it has neither a clock nor files nor
//! randomness of its own; it runs on one thread.
//!
//! ```
//! use seedstorm_sim::{Film, Recipe, recipe::ParamValue};
//! use seedstorm_sim_wasm::Session;
//!
//! let mut recipe = Recipe::new("bloom@1", 7.into(), Film::DRAFT)?;
//! recipe.params.insert("arms".into(), ParamValue::Number(6.0));
//! recipe.params.insert("rings".into(), ParamValue::Number(4.0));
//! let mut session = Session::new(&recipe.canonical())?;
//! while session.advance()? {}
//! let proof = session.finish()?;
//! assert_eq!(proof.checkpoints.len(), 1 + proof.steps as usize / 24);
//! # Ok::<(), seedstorm_sim::SimError>(())
//! ```

#[cfg(target_arch = "wasm32")]
mod exports;

use seedstorm_sim::{Backend, Digest, ENGINE, Film, Recipe, SimError, Simulation, scenario};
use serde::Serialize;

/// A world on its way to its last step.
#[derive(Debug)]
pub struct Session {
    simulation: Simulation,
    world: String,
}

/// What a run proves; equal on every machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The world's id: the CID of the recipe without its film.
    pub world_id: String,
    /// Elements in the world.
    pub elements: usize,
    /// Steps from the first state to the last.
    pub steps: u32,
    /// The Merkle root over the checkpoints.
    pub sim_root: Digest,
    /// BLAKE3 of the trajectory.
    pub trajectory: Digest,
    /// How large the trajectory is.
    pub trajectory_bytes: usize,
    /// The digest of each checkpoint.
    pub checkpoints: Vec<Digest>,
}

/// What this engine can run, for who writes a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The engine's name and version.
    pub engine: &'static str,
    /// A film for recipes of which only the world matters.
    pub film: Film,
    /// Name and version of each scenario, and what it is.
    pub scenarios: Vec<(String, &'static str)>,
}

impl Session {
    /// The world of the recipe in these JSON bytes, at its first step.
    ///
    /// # Errors
    /// What [`Recipe::from_json`] and [`Simulation::new`] say.
    pub fn new(recipe: &[u8]) -> Result<Self, SimError> {
        let recipe = Recipe::from_json(recipe)?;
        let simulation = Simulation::new(&recipe, Backend::Cpu)?;
        Ok(Self { simulation, world: recipe.world_id().to_string() })
    }

    /// The step reached.
    #[must_use]
    pub fn step(&self) -> u32 {
        self.simulation.step()
    }

    /// The last step.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.simulation.steps()
    }

    /// Advances to the next snapshot or checkpoint; `false` where the last step was reached before.
    ///
    /// # Errors
    /// What [`Simulation::advance`] says.
    pub fn advance(&mut self) -> Result<bool, SimError> {
        self.simulation.advance()
    }

    /// What the run proves, once [`Session::advance`] said `false`.
    ///
    /// # Errors
    /// What [`Simulation::finish`] says.
    ///
    /// # Panics
    /// Before the last step.
    pub fn finish(self) -> Result<Proof, SimError> {
        let steps = self.steps();
        let run = self.simulation.finish()?;
        let bytes = run.trajectory.as_bytes();
        Ok(Proof {
            world_id: self.world,
            elements: run.trajectory.elements(),
            steps,
            sim_root: run.sim_root,
            trajectory: Digest(*blake3::hash(bytes).as_bytes()),
            trajectory_bytes: bytes.len(),
            checkpoints: run.trajectory.checkpoints().to_vec(),
        })
    }
}

/// What this engine can run.
#[must_use]
pub fn description() -> Description {
    let scenarios = scenario::all().iter().map(|each| (format!("{}@{}", each.name(), each.version()), each.about()));
    let film = Film { renderer: "cpu".into(), ..Film::DRAFT };
    Description { engine: ENGINE, film, scenarios: scenarios.collect() }
}
