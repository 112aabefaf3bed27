//! A wall of seeds: each simulated for its first part and drawn small, filled in as they come.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bevy_egui::egui::{self, Sense, Ui};
use seedstorm_render::image_file::Rgb8Image;
use seedstorm_sim::{Backend, Genome, Recipe, Seed, scenario::Scenario};
use seedstorm_studio::{StudioError, picture};

use crate::{
    app::Gallery,
    icons,
    theme::{self, APART, NEAR},
    widgets,
    work::{in_pool_of, lock},
};

use super::{Explore, TILES, coarse};

/// How many seeds hang on a wall.
const SEEDS: usize = 24;

/// Edge of a picture on it, pixels, and paths a pixel; and how far each is simulated at most.
const EDGE: u32 = 192;
const SAMPLES: u32 = 6;
const UNTIL: f64 = 0.3;

/// A wall in the making; it is given up when it is dropped.
pub struct Wall {
    hung: Vec<Option<(Seed, egui::TextureHandle)>>,
    shared: Arc<Shared>,
}

/// A seed and its picture, or what kept it from being drawn.
type Glance = Result<(Seed, Rgb8Image), String>;

#[derive(Default)]
struct Shared {
    /// Pictures that were not hung yet, by their place; or what kept one from being drawn.
    new: Mutex<Vec<(usize, Glance)>>,
    next: AtomicUsize,
    /// No other seed was found that has all that is locked.
    no_more: AtomicBool,
    stop: AtomicBool,
}

impl Wall {
    /// Begins a wall of seeds that have in common with `genome` what is locked, drawn one after the other.
    pub fn start(explore: &Explore, scenario: &'static dyn Scenario, genome: &Genome, backend: Backend) -> Self {
        let shared = Arc::new(Shared::default());
        let recipe = |seed: Seed| Some(coarse(explore.recipe(scenario, seed)?, scenario, &TILES));
        let wanted = explore.wanted(scenario, genome);
        let Some(recipe) = recipe(genome.seed) else { return Self { hung: vec![], shared } };
        // Each on one core, as sweeps do: worlds of their own wait for nobody.
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            let (own, wanted, recipe) = (Arc::clone(&shared), wanted.clone(), recipe.clone());
            std::thread::spawn(move || {
                let stopped = || own.stop.load(Ordering::Relaxed);
                loop {
                    let place = own.next.fetch_add(1, Ordering::Relaxed);
                    if place >= SEEDS || stopped() || own.no_more.load(Ordering::Relaxed) {
                        return;
                    }
                    let Some(seed) = wanted.roll(&stopped) else {
                        own.no_more.store(true, Ordering::Relaxed);
                        return;
                    };
                    let recipe = Recipe { seed, ..recipe.clone() };
                    let glance = || picture::glance(&recipe, backend, UNTIL, [EDGE, SAMPLES], &stopped);
                    match in_pool_of(1, glance) {
                        Err(StudioError::Stopped) => return,
                        Ok(picture) => lock(&own.new).push((place, Ok((seed, picture)))),
                        Err(error) => lock(&own.new).push((place, Err(error.to_string()))),
                    }
                }
            });
        }
        Self { hung: vec![None; SEEDS], shared }
    }
}

impl Drop for Wall {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// The wall in place of the world.
pub fn show(ui: &mut Ui, gallery: &mut Gallery, scenario: &dyn Scenario) {
    let page = widgets::page(ui);
    let mut chosen = None;
    let mut closed = false;
    egui::CentralPanel::default().frame(page).show(ui, |ui| {
        let Some(wall) = &mut gallery.explore.wall else { return };
        for (place, picture) in lock(&wall.shared.new).drain(..) {
            match picture {
                Ok((seed, image)) => wall.hung[place] = Some((seed, widgets::texture(ui.ctx(), "wall", &image))),
                Err(problem) => gallery.trouble = Some(problem),
            }
        }
        ui.horizontal(|ui| {
            widgets::title(ui, "A wall of seeds");
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                closed = widgets::button(ui, icons::CLOSE, "Close the wall").clicked();
            });
        });
        let hung = wall.hung.iter().flatten().count();
        let mut words = format!(
            "{hung} of {} seeds of {}, after the first part of their time. Choose one to look at it.",
            wall.hung.len(),
            scenario.title()
        );
        let mut share = hung as f32 / wall.hung.len().max(1) as f32;
        let no_more = wall.shared.no_more.load(Ordering::Relaxed);
        if no_more {
            (words, share) = (format!("{words} No more were found that have all that is locked."), 1.0);
        }
        widgets::progress(ui, share, &words);
        ui.add_space(NEAR);
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let columns = (ui.available_width() / (150.0 + APART)).floor().max(1.0);
            let width = ((ui.available_width() - (columns - 1.0) * APART) / columns).floor();
            egui::Grid::new("wall").spacing(egui::vec2(APART, APART)).min_col_width(width).show(ui, |ui| {
                let shown = wall.hung.iter().filter(|picture| picture.is_some() || !no_more);
                for (place, picture) in shown.enumerate() {
                    let (rect, response) = ui.allocate_exact_size(egui::vec2(width, width), Sense::click());
                    let response = widgets::named(response, &format!("Seed {}", place + 1));
                    match picture {
                        Some((_, texture)) => widgets::picture(ui, texture.id(), texture.size_vec2(), rect, 8),
                        None => widgets::placeholder(ui, rect, ""),
                    }
                    if response.hovered() || response.has_focus() {
                        let line = egui::Stroke::new(2.0, theme::palette(ui).accent);
                        ui.painter().rect_stroke(rect, 8.0, line, egui::StrokeKind::Inside);
                    }
                    if let Some((seed, _)) = picture
                        && response.on_hover_text(seed.written()).clicked()
                    {
                        chosen = Some(*seed);
                    }
                    if (place + 1) % columns as usize == 0 {
                        ui.end_row();
                    }
                }
            });
        });
    });
    if let Some(seed) = chosen {
        gallery.explore.change_seed(seed);
        closed = true;
    }
    if closed {
        gallery.explore.wall = None;
    }
}
