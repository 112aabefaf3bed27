//! A moment as the path tracer shows it, better from second to second.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use bevy::math::UVec2;
use bevy_egui::egui::{self, Ui};
use seedstorm_render::image_file::Rgb8Image;
use seedstorm_sim::scene::Scene;
use seedstorm_studio::picture;

use crate::{
    live::{look, show::Views},
    widgets,
    work::{in_own_pool, lock},
};

/// Passes: by how much the picture is smaller than the page, and paths a pixel.
const PASSES: [(u32, u32); 4] = [(4, 4), (2, 8), (1, 16), (1, 64)];

/// The longest edge, pixels.
const EDGE: u32 = 960;

/// A picture in the making; it is given up when it is dropped.
pub struct Preview {
    shared: Arc<Shared>,
    screen: widgets::Screen,
}

#[derive(Default)]
struct Shared {
    latest: Mutex<Option<Rgb8Image>>,
    problem: Mutex<Option<String>>,
    pass: AtomicU32,
    thousandths: AtomicU32,
    stop: AtomicBool,
}

impl Preview {
    /// Begins to draw what the first of the views shows.
    pub fn start(views: &Views) -> Option<Self> {
        let view = views.views.first()?;
        let size = view.wanted?;
        Some(Self::draw(look::seen_from(&view.scene()?, views.orbit, size), size))
    }

    /// Begins to draw a scene as its camera sees it, for a place of so many pixels.
    pub fn draw(scene: Scene, size: UVec2) -> Self {
        let scale = (EDGE as f32 / size.max_element() as f32).min(1.0);
        let size = (size.as_vec2() * scale).as_uvec2().max(UVec2::splat(8));
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            in_own_pool(|| {
                for (pass, (smaller, samples)) in PASSES.iter().enumerate() {
                    own.pass.store(pass as u32, Ordering::Relaxed);
                    let progress = |share: f32| {
                        own.thousandths.store((1000.0 * share) as u32, Ordering::Relaxed);
                        own.stop.load(Ordering::Relaxed)
                    };
                    match picture::traced(&scene, (size / *smaller).max(UVec2::splat(8)).into(), *samples, &progress) {
                        Ok(image) => *lock(&own.latest) = Some(image),
                        Err(error) => {
                            *lock(&own.problem) = Some(error.to_string());
                            return;
                        }
                    }
                }
                own.pass.store(PASSES.len() as u32, Ordering::Relaxed);
            });
        });
        Self { shared, screen: Default::default() }
    }

    /// Whether it is as good as it gets.
    pub fn is_done(&self) -> bool {
        let ended = self.shared.pass.load(Ordering::Relaxed) as usize >= PASSES.len();
        lock(&self.shared.problem).is_some() || ended && self.screen.is_ready()
    }

    /// Shows what there is of it over `rect`.
    pub fn show(&mut self, ui: &Ui, rect: egui::Rect, round: u8) {
        if self.screen.is_ready()
            && let Some(image) = lock(&self.shared.latest).take()
        {
            self.screen.set(ui.ctx(), &image);
        }
        if let Some(texture) = self.screen.texture(ui.ctx()) {
            widgets::picture(ui, texture.id(), texture.size_vec2(), rect, round);
        }
        let pass = self.shared.pass.load(Ordering::Relaxed) as usize;
        let words = if let Some(problem) = &*lock(&self.shared.problem) {
            problem.clone()
        } else if let Some((_, samples)) = PASSES.get(pass) {
            let share = self.shared.thousandths.load(Ordering::Relaxed) as f32 / 10.0;
            format!("Path-tracing: {samples} paths a pixel, {share:.0} %")
        } else {
            "Path-traced".into()
        };
        widgets::caption(ui, rect.center_top() + egui::vec2(0.0, 16.0), egui::Align2::CENTER_TOP, &words);
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}
