//! Pictures of one moment, as fast or as good as somebody wants to look at it.

use std::sync::atomic::{AtomicBool, Ordering};

use seedstorm_render::{FrameSettings, PreparedScene, denoise::denoise, image_file::Rgb8Image};
use seedstorm_sim::{Backend, Player, Recipe, Simulation, resolve, scene::Scene};

use crate::{StudioError, film::shown};

/// A moment as the canonical tracer shows it, without its noise. `progress` is told the share that is done and answers
/// whether to stop.
///
/// # Errors
/// [`StudioError::Stopped`]; a scene that cannot be drawn.
pub fn traced(
    scene: &Scene,
    [width, height]: [u32; 2],
    samples: u32,
    progress: &(dyn Fn(f32) -> bool + Sync),
) -> Result<Rgb8Image, StudioError> {
    let settings = FrameSettings { width, height, samples, ..FrameSettings::default() };
    let cancel = AtomicBool::new(false);
    let report = |share: f32| {
        if progress(share) {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let layers = PreparedScene::new(scene)?.render(&settings, &report, &cancel)?;
    shown(denoise(&layers), width as usize, height as usize, scene)
}

/// A moment in a single path for each pixel: enough for what shines by itself.
///
/// # Errors
/// A scene that cannot be drawn.
pub fn sketched(scene: &Scene, [width, height]: [u32; 2]) -> Result<Rgb8Image, StudioError> {
    let settings = FrameSettings { width, height, samples: 1, ..FrameSettings::default() };
    let layers = PreparedScene::new(scene)?.render(&settings, &|_| {}, &AtomicBool::new(false))?;
    shown(layers.radiance, width as usize, height as usize, scene)
}

/// What a recipe looks like at its poster's moment, or at the share `until` of its time where that is earlier: simulated that
/// far, and drawn as a square of `edge` pixels with so many samples.
///
/// # Errors
/// [`StudioError::Stopped`]; a recipe that cannot be used; a device that failed.
pub fn glance(
    recipe: &Recipe,
    backend: Backend,
    until: f64,
    [edge, samples]: [u32; 2],
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Rgb8Image, StudioError> {
    let (scenario, genome) = resolve(recipe)?;
    let mut simulation = Simulation::new(recipe, backend)?;
    let until = (scenario.poster_time().min(until) * f64::from(simulation.steps())) as u32;
    while simulation.step() < until && simulation.advance()? {
        if stopped() {
            return Err(StudioError::Stopped);
        }
    }
    let share = f64::from(simulation.step()) / f64::from(simulation.steps());
    let trajectory = simulation.so_far()?;
    let (values, rates) = Player::new(&trajectory).at(1.0)?;
    let scene = scenario.stage(&genome).scene(share, &values, &rates);
    traced(&scene, [edge, edge], samples, &|_| stopped())
}
