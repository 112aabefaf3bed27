//! A world that is stepped while somebody looks at it, and what is kept of it for the scrubber.

use std::{
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use seedstorm_sim::{
    Backend, Genome, Recipe, SimError, resolve,
    scenario::{Chosen, Stage},
    scene::Scene,
    trajectory::Snapshot,
    world::Plan,
};

use crate::work::{in_own_pool, lock};

/// A world on its way from its first step to its last.
pub struct LiveWorld {
    plan: Plan,
    stage: Box<dyn Stage>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    snapshots: RwLock<Vec<Arc<Snapshot>>>,
    stop: AtomicBool,
    failed: RwLock<Option<String>>,
}

impl LiveWorld {
    /// Begins to step the world of `recipe`.
    ///
    /// # Errors
    /// The recipe cannot be used.
    pub fn start(recipe: &Recipe, backend: Backend) -> Result<Self, SimError> {
        let (scenario, genome) = resolve(recipe)?;
        let plan = scenario.plan(&genome);
        let stage = scenario.stage(&genome);
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        thread::spawn(move || {
            let run = || step(&scenario, &genome, &plan, backend, &seen);
            if let Err(error) = in_own_pool(run)
                && let Ok(mut failed) = seen.failed.write()
            {
                *failed = Some(error.to_string());
            }
        });
        Ok(Self { plan, stage, shared })
    }

    /// The share of its duration that has been simulated, in [0, 1].
    pub fn simulated(&self) -> f64 {
        let last = f64::from(self.plan.steps / self.plan.snapshot_every);
        (self.snapshots() as f64 - 1.0).max(0.0) / last
    }

    /// Why it could not go on.
    pub fn failure(&self) -> Option<String> {
        self.shared.failed.read().ok()?.clone()
    }

    fn snapshots(&self) -> usize {
        self.shared.snapshots.read().map_or(0, |snapshots| snapshots.len())
    }

    /// The scene at `time` in [0, 1] of the duration, or at the latest moment before it that was simulated; `None` before
    /// there is any.
    pub fn scene(&self, time: f64) -> Option<Scene> {
        let last = f64::from(self.plan.steps / self.plan.snapshot_every);
        let place = (time.clamp(0.0, 1.0) * last).min(self.snapshots().checked_sub(1)? as f64);
        let before = place.floor() as usize;
        let (a, b) = {
            let snapshots = self.shared.snapshots.read().ok()?;
            (Arc::clone(snapshots.get(before)?), Arc::clone(snapshots.get(before + 1).or(snapshots.last())?))
        };
        let t = (place - before as f64) as f32;
        let values: Vec<f32> = a.iter().zip(b.iter()).map(|(a, b)| *a as f32 + (*b as f32 - *a as f32) * t).collect();
        let rates: Vec<f32> = a.iter().zip(b.iter()).map(|(a, b)| *b as f32 - *a as f32).collect();
        Some(self.stage.scene(place / last, &values, &rates))
    }
}

impl Drop for LiveWorld {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

fn step(scenario: &Chosen, genome: &Genome, plan: &Plan, backend: Backend, shared: &Shared) -> Result<(), SimError> {
    /// One world at a time: several would only slow one another down.
    static TURN: Mutex<()> = Mutex::new(());
    let stopped = || shared.stop.load(Ordering::Relaxed);
    if stopped() {
        return Ok(());
    }
    let mut world = scenario.world(genome, backend)?;
    loop {
        let _turn = lock(&TURN);
        if stopped() {
            return Ok(());
        }
        let snapshot = Arc::new(world.snapshot()?);
        if let Ok(mut snapshots) = shared.snapshots.write() {
            snapshots.push(snapshot);
        }
        if world.step() >= plan.steps || stopped() {
            return Ok(());
        }
        world.advance(plan.snapshot_every)?;
    }
}
