//! A world that is stepped while somebody looks at it, and what is kept of it for the scrubber.

use std::{
    sync::{
        Arc, OnceLock, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use seedstorm_sim::{
    Genome, Recipe, SimError,
    gpu::OnDevice,
    resolve,
    scenario::{Chosen, Stage},
    scene::{Particles, Scene},
    trajectory::Snapshot,
    world::{Device, Plan},
};

use crate::work::{Turns, in_own_pool};

/// How long a world is played, whatever its own duration, seconds.
pub const PLAYED: f64 = 8.0;

/// How often a second a world moves on that is drawn where it is stepped.
const MOVES: f64 = 60.0;

/// What a moment may be behind what the device has, and be taken for it, as a share of the duration: half a second.
const NEARLY: f64 = 0.5 / PLAYED;

/// A world on its way from its first step to its last.
pub struct LiveWorld {
    plan: Plan,
    stage: Box<dyn Stage>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    snapshots: RwLock<Vec<Arc<Snapshot>>>,
    /// Its particles, where the device that draws steps them.
    on_device: OnceLock<OnDevice>,
    step: AtomicU32,
    stop: AtomicBool,
    failed: RwLock<Option<String>>,
}

impl LiveWorld {
    /// Begins to step the world of `recipe`.
    ///
    /// # Errors
    /// The recipe cannot be used.
    pub fn start(recipe: &Recipe, device: Device) -> Result<Self, SimError> {
        let (scenario, genome) = resolve(recipe)?;
        let plan = scenario.plan(&genome);
        let stage = scenario.stage(&genome);
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        thread::spawn(move || {
            let run = || step(&scenario, &genome, &plan, &device, &seen);
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
        if self.on_device().is_some() {
            return f64::from(self.shared.step.load(Ordering::Relaxed)) / f64::from(self.plan.steps);
        }
        let last = f64::from(self.plan.steps / self.plan.snapshot_every);
        (self.snapshots() as f64 - 1.0).max(0.0) / last
    }

    /// Whether there is anything to be seen of it.
    pub fn has_begun(&self) -> bool {
        self.snapshots() > 0
    }

    /// Why it could not go on.
    pub fn failure(&self) -> Option<String> {
        self.shared.failed.read().ok()?.clone()
    }

    fn snapshots(&self) -> usize {
        self.shared.snapshots.read().map_or(0, |snapshots| snapshots.len())
    }

    /// Its particles, where the device that draws steps them.
    pub fn on_device(&self) -> Option<&OnDevice> {
        self.shared.on_device.get()
    }

    /// Whether `time` is as far as the device that draws has stepped it, or all but, and it goes on from there.
    pub fn is_under_way_at(&self, time: f64) -> bool {
        let simulated = self.simulated();
        let moves = self.on_device().is_some() && simulated < 1.0 && self.failure().is_none();
        moves && simulated - time < NEARLY
    }

    /// The scene at `time` in [0, 1] of the duration, or at the latest moment before it that was simulated; `None` before
    /// there is any.
    pub fn scene(&self, time: f64) -> Option<Scene> {
        let (time, values, rates) = self.state(time)?;
        Some(self.stage.scene(time, &values, &rates))
    }

    /// The same without its particles, and the particles; `None` also where it has none.
    pub fn apart(&self, time: f64) -> Option<(Scene, Particles)> {
        let (_, values, rates) = self.state(time)?;
        // The device may be beyond what was kept last, and the camera goes with it.
        self.stage.apart(time.min(self.simulated()), &values, &rates)
    }

    /// The time, and the state then and its rates.
    fn state(&self, time: f64) -> Option<(f64, Vec<f32>, Vec<f32>)> {
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
        Some((place / last, values, rates))
    }
}

impl Drop for LiveWorld {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

fn step(scenario: &Chosen, genome: &Genome, plan: &Plan, device: &Device, shared: &Shared) -> Result<(), SimError> {
    /// One world at a time: several would only slow one another down.
    static TURNS: Turns = Turns::new();
    let stopped = || shared.stop.load(Ordering::Relaxed);
    if stopped() {
        return Ok(());
    }
    let mut world = scenario.world_on(genome, device)?;
    let on_device = world.on_device();
    // What is drawn where it is stepped moves no faster than it is played, and for each frame.
    let stride = match &on_device {
        Some(_) => (f64::from(plan.steps) / (PLAYED * MOVES)).ceil() as u32,
        None => plan.snapshot_every,
    };
    let stride = stride.clamp(1, plan.snapshot_every);
    let tempo = on_device.as_ref().map(|_| Duration::from_secs_f64(PLAYED * f64::from(stride) / f64::from(plan.steps)));
    if let Some(on_device) = on_device {
        // Nobody else sets it.
        let _ = shared.on_device.set(on_device);
    }
    loop {
        let begun = Instant::now();
        {
            let _turn = TURNS.take();
            if stopped() {
                return Ok(());
            }
            if world.step().is_multiple_of(plan.snapshot_every) {
                let snapshot = Arc::new(world.snapshot()?);
                if let Ok(mut snapshots) = shared.snapshots.write() {
                    snapshots.push(snapshot);
                }
            }
            if world.step() >= plan.steps {
                return Ok(());
            }
            let to_snapshot = plan.snapshot_every - world.step() % plan.snapshot_every;
            world.advance(stride.min(to_snapshot))?;
            shared.step.store(world.step(), Ordering::Relaxed);
        }
        if let Some(tempo) = tempo {
            thread::sleep(tempo.saturating_sub(begun.elapsed()));
        }
    }
}
