//! From a trajectory to frames: the one place that says which moment a frame shows and how it becomes a picture.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use seedstorm_render::{
    FrameSettings, Layers, PreparedScene, Rect, RenderError,
    denoise::{self, denoise},
    gpu::GpuTracer,
    haze,
    image_file::{Rgb8Image, decode_png},
    tone::{ToneCurve, develop},
};
use seedstorm_sim::{
    Film, Genome, Player, Trajectory, scenario::Scenario, scenario::Stage as SceneStage, scene::Scene,
};

use crate::{StudioError, render::Denoiser};

/// The number of the frame that the poster shows.
pub(crate) fn poster_frame(scenario: &dyn Scenario, film: &Film) -> u32 {
    (scenario.poster_time() * f64::from(film.frames - 1)).round() as u32
}

/// What follows the paths of light.
pub(crate) enum Tracer {
    /// The canonical tracer.
    Cpu,
    /// Its twin on a graphics device.
    Gpu(GpuTracer),
}

impl Tracer {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu(tracer) => tracer.name(),
        }
    }

    fn render(
        &self,
        scene: &PreparedScene,
        settings: &FrameSettings,
        progress: &(dyn Fn(f32) + Sync),
        cancel: &AtomicBool,
    ) -> Result<Layers, RenderError> {
        let whole = Rect { x: 0, y: 0, width: settings.width, height: settings.height };
        match self {
            Self::Cpu => scene.render(settings, progress, cancel),
            Self::Gpu(tracer) => tracer.scene(scene)?.render(settings, whole, &progress, cancel),
        }
    }
}

/// A trajectory and the means to draw any frame of it.
pub(crate) struct Shoot<'a> {
    tracer: Tracer,
    denoiser: Denoiser,
    stage: Box<dyn SceneStage>,
    player: Player<'a>,
    film: &'a Film,
}

impl<'a> Shoot<'a> {
    pub(crate) fn new(scenario: &dyn Scenario, genome: &Genome, film: &'a Film, trajectory: &'a Trajectory) -> Self {
        let (tracer, denoiser) = (Tracer::Cpu, Denoiser::Own);
        Self { tracer, denoiser, stage: scenario.stage(genome), player: Player::new(trajectory), film }
    }

    /// The same with whole frames by this tracer.
    pub(crate) fn by(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// The same with whole frames denoised by this.
    pub(crate) fn without_noise_by(self, denoiser: Denoiser) -> Self {
        Self { denoiser, ..self }
    }

    /// The scene of frame number `frame`: the first shows the first moment, the last the last.
    pub(crate) fn scene(&mut self, frame: u32) -> Result<Scene, StudioError> {
        let time = if self.film.frames == 1 { 1.0 } else { f64::from(frame) / f64::from(self.film.frames - 1) };
        let opens = self.at(time)?;
        let shutter = self.stage.shutter();
        if shutter <= 0.0 || self.film.frames == 1 {
            return Ok(opens);
        }
        let closes = time + shutter / f64::from(self.film.frames - 1);
        Ok(opens.exposed_until(&self.at(closes.min(1.0))?))
    }

    fn at(&mut self, time: f64) -> Result<Scene, StudioError> {
        let (values, rates) = self.player.at(time)?;
        Ok(self.stage.scene(time, &values, &rates))
    }

    /// The picture of frame number `frame`. `progress` is told the share that is done and answers whether to stop.
    pub(crate) fn frame(
        &mut self,
        frame: u32,
        progress: &(dyn Fn(f32) -> bool + Sync),
    ) -> Result<Rgb8Image, StudioError> {
        self.drawn(frame, progress).map(|(image, _)| image)
    }

    /// The same, and what it was made from.
    pub(crate) fn drawn(
        &mut self,
        frame: u32,
        progress: &(dyn Fn(f32) -> bool + Sync),
    ) -> Result<(Rgb8Image, Layers), StudioError> {
        let scene = self.scene(frame)?;
        let cancel = AtomicBool::new(false);
        let report = |share: f32| {
            if progress(share) {
                cancel.store(true, Ordering::Relaxed);
            }
        };
        let (prepared, settings) = (PreparedScene::new(&scene)?, self.settings(frame));
        let layers = match (self.tracer.render(&prepared, &settings, &report, &cancel), &self.tracer) {
            // Drivers are reset and cards fall off the bus: the frame begins again, if on another device of that name.
            (Err(RenderError::Device(problem)), Tracer::Gpu(lost)) => {
                let found = GpuTracer::open()?;
                if found.name() != lost.name() {
                    return Err(RenderError::Device(problem).into());
                }
                self.tracer = Tracer::Gpu(found);
                self.tracer.render(&prepared, &settings, &report, &cancel)?
            }
            (layers, _) => layers?,
        };
        let radiance = match self.denoiser {
            Denoiser::Own => denoise(&layers),
            #[cfg(feature = "oidn")]
            Denoiser::Oidn => seedstorm_render::oidn::denoise(&layers)?,
        };
        Ok((shown(radiance, layers.width, layers.height, &scene)?, layers))
    }

    /// A picture of the moment `time` of the trajectory, which is the first `share` of a whole one.
    pub(crate) fn moment(&mut self, time: f64, share: f64) -> Result<Rgb8Image, StudioError> {
        let (values, rates) = self.player.at(time)?;
        let scene = self.stage.scene(time * share, &values, &rates);
        let layers = PreparedScene::new(&scene)?.render(&self.settings(0), &|_| {}, &AtomicBool::new(false))?;
        finish(&layers, &scene)
    }

    /// The pixels of `tile` of frame number `frame`, bit for bit those of [`Shoot::frame`] by the canonical tracer, without
    /// rendering more of the frame than the denoiser looks at. Rows from the top, three bytes a pixel.
    pub(crate) fn tile(&mut self, frame: u32, tile: Rect) -> Result<Vec<u8>, StudioError> {
        let (scene, layers) = self.around(frame, tile)?;
        Ok(crop(&finish(&layers, &scene)?, tile))
    }

    /// What the canonical tracer finds in `tile`, and the pixels that come of the raw light that is claimed in its place.
    pub(crate) fn judged(
        &mut self,
        frame: u32,
        tile: Rect,
        claimed: &[[f32; 3]],
    ) -> Result<(Layers, Vec<u8>), StudioError> {
        let (scene, mut layers) = self.around(frame, tile)?;
        let own = layers.cut(tile);
        // Claims may hold anything; the tile around is ours where it was rendered, and black where nobody looks.
        for (ours, theirs) in layers.radiance.iter_mut().zip(claimed) {
            if theirs.iter().all(|c| c.is_finite()) {
                *ours = *theirs;
            }
        }
        Ok((own, crop(&finish(&layers, &scene)?, tile)))
    }

    /// The scene, and the layers of as much of the frame as the denoiser looks at for `tile`.
    fn around(&mut self, frame: u32, tile: Rect) -> Result<(Scene, Layers), StudioError> {
        let scene = self.scene(frame)?;
        let (width, height) = (self.film.width, self.film.height);
        let margin = denoise::REACH as u32;
        let (x, y) = (tile.x.saturating_sub(margin), tile.y.saturating_sub(margin));
        let around = Rect {
            x,
            y,
            width: (tile.x + tile.width + margin).min(width) - x,
            height: (tile.y + tile.height + margin).min(height) - y,
        };
        let part = PreparedScene::new(&scene)?.render_tile(&self.settings(frame), around)?;
        let mut layers = Layers::new(width as usize, height as usize);
        layers.put(&part, x, y);
        Ok((scene, layers))
    }

    fn settings(&self, frame: u32) -> FrameSettings {
        let Film { width, height, samples, .. } = *self.film;
        FrameSettings { width, height, samples, frame, ..FrameSettings::default() }
    }
}

/// A frame of the bundle in `folder`.
pub(crate) fn frame_image(folder: &Path, frame: u32) -> Result<Rgb8Image, StudioError> {
    let path = folder.join(format!("frames/{frame:04}.png"));
    Ok(decode_png(&std::fs::read(&path).map_err(StudioError::io(&path))?)?)
}

/// The pixels of a part of a picture, three bytes each.
pub(crate) fn crop(image: &Rgb8Image, tile: Rect) -> Vec<u8> {
    let rows = tile.y as usize..(tile.y + tile.height) as usize;
    rows.flat_map(|y| {
        let start = (y * image.width + tile.x as usize) * 3;
        image.pixels[start..start + tile.width as usize * 3].iter().copied()
    })
    .collect()
}

fn finish(layers: &Layers, scene: &Scene) -> Result<Rgb8Image, StudioError> {
    shown(denoise(layers), layers.width, layers.height, scene)
}

/// The picture that radiance comes out as, whoever found it.
pub(crate) fn shown(
    mut radiance: Vec<[f32; 3]>,
    width: usize,
    height: usize,
    scene: &Scene,
) -> Result<Rgb8Image, StudioError> {
    haze::lay_over(&mut radiance, width, height, scene)?;
    // What shines by itself wants a curve for light, what is lit one that keeps its colour.
    let shines = scene.haze.as_ref().is_some_and(|haze| haze.bloom > 0.0);
    let curve = if shines { ToneCurve::AgxPunchy } else { ToneCurve::KhronosNeutral };
    Ok(develop(&radiance, width, height, scene.exposure_stops, curve))
}

#[cfg(test)]
mod tests {
    use seedstorm_sim::{Backend, Recipe, Seed, recipe::ParamValue, resolve, simulate};

    use super::*;

    /// Points that bloom across the picture, too.
    #[test]
    fn a_tile_equals_the_pixels_of_the_frame() {
        let film = Film { frames: 3, fps: 12, width: 90, height: 70, samples: 2, renderer: "cpu".into() };
        let mut recipe = Recipe::new("waltz@1", Seed::from(4), film).unwrap();
        let small = [("points", 4096.0), ("bars", 4.0)];
        recipe.params.extend(small.map(|(name, value)| (name.to_owned(), ParamValue::Number(value))));
        recipe.params.insert("ground".into(), ParamValue::Text("night".into()));
        let run = simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
        let (scenario, genome) = resolve(&recipe).unwrap();
        let scenario = &*scenario;
        let mut shoot = Shoot::new(scenario, &genome, &recipe.film, &run.trajectory);
        let whole = shoot.frame(1, &|_| false).unwrap();
        for (x, y, width, height) in [(0, 0, 16, 16), (31, 20, 33, 17), (74, 54, 16, 16)] {
            let tile = Rect { x, y, width, height };
            assert_eq!(shoot.tile(1, tile).unwrap(), crop(&whole, tile), "{tile:?}");
        }
    }
}
