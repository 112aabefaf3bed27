//! Explore: choose a scenario, roll seeds, lock what you like, and look at the world as it is stepped.

mod side;
mod tiles;
mod wall;

use std::collections::{BTreeMap, BTreeSet};

use bevy::math::{UVec2, Vec2};
use bevy_egui::egui::{self, Align, Align2, FontId, Frame, Key, Layout, Margin, RichText, Sense, Ui};
use seedstorm_sim::{
    Backend, Film, Genome, Recipe, Seed,
    recipe::ParamValue,
    resolve,
    scenario::{self, Scenario},
};

use crate::{
    app::Gallery,
    icons,
    live::show::Views,
    settings::Seen,
    text::short,
    theme::{self, APART, NEAR},
    widgets,
    work::Job,
};

use super::{
    make::{in_words, taken},
    preview::Preview,
};

use wall::Wall;

/// How coarse worlds are while they are only looked at, where they can be.
const LOOK_AT: [(&str, f64); 3] = [("coarse", 3.0), ("detail", 8.0), ("points", 32_768.0)];

/// Most bytes that are kept of worlds that are looked at as fine as they are made.
const MOST_KEPT: usize = 600 << 20;

/// How coarse they are as tiles, all at once.
const TILES: [(&str, f64); 3] = [("coarse", 4.0), ("detail", 4.0), ("points", 8_192.0)];

/// Most rolls until all that is locked is found.
const MOST_ROLLS: u32 = 10_000;

/// What is being looked at.
#[derive(Default)]
pub struct Explore {
    /// The scenario and the seed; none while scenarios are chosen from.
    piece: Option<(&'static str, Seed)>,
    /// Another seed beside it.
    beside: Option<Seed>,
    /// What was set by hand, and traits that stay when seeds are rolled.
    set: BTreeMap<String, ParamValue>,
    locked: BTreeSet<String>,
    /// What is written in the seed's field.
    typed: String,
    /// What the worlds on the screen were asked for as, to see whether they are still what is wanted.
    shown: Vec<Recipe>,
    preview: Option<Preview>,
    /// Whether a preview is to begin as soon as the world stands on the screen.
    asked: bool,
    wall: Option<Wall>,
    /// A seed that is being rolled, and what for.
    rolling: Option<(Rolled, Job<Option<Seed>>)>,
}

/// What a rolled seed is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rolled {
    Here,
    Beside,
}

/// What a seed has to have.
#[derive(Clone)]
struct Wanted {
    scenario: &'static dyn Scenario,
    /// Locked traits by their names and values.
    traits: Vec<(String, String)>,
}

impl Wanted {
    /// A seed that has all of it; `None` where none of many has.
    fn roll(&self, stopped: &dyn Fn() -> bool) -> Option<Seed> {
        let (traits, params) = (self.scenario.traits(), self.scenario.params());
        (0..MOST_ROLLS).take_while(|_| !stopped()).map(|_| random_seed()).find(|seed| {
            let rolled = Genome::resolve(seed, &BTreeMap::new(), &traits, &params);
            rolled.is_ok_and(|rolled| self.traits.iter().all(|(name, value)| rolled.is(name, value)))
        })
    }
}

impl Explore {
    /// Looks at a seed.
    pub fn open(&mut self, scenario: &'static str, seed: Seed) {
        *self = Self { piece: Some((scenario, seed)), typed: seed.written(), ..Self::default() };
    }

    /// Looks at what was looked at before.
    fn open_again(&mut self, scenario: &'static str, seen: Seen) {
        self.open(scenario, seen.seed);
        self.set = seen.set;
    }

    /// Another page is looked at.
    pub fn leave(&mut self, views: &mut Views) {
        if !self.shown.is_empty() {
            self.shown.clear();
            views.close();
        }
        self.preview = None;
    }

    fn change_seed(&mut self, seed: Seed) {
        if let Some((_, there)) = &mut self.piece {
            *there = seed;
        }
        self.typed = seed.written();
        self.preview = None;
        // What was chosen last counts.
        self.rolling = None;
    }

    /// Whether a seed is being rolled.
    pub fn is_rolling(&self) -> bool {
        self.rolling.is_some()
    }

    /// The recipe of a seed, as it would be made.
    fn recipe(&self, scenario: &dyn Scenario, seed: Seed) -> Option<Recipe> {
        let id = format!("{}@{}", scenario.name(), scenario.version());
        let mut recipe = Recipe::new(&id, seed, Film::FILM).ok()?;
        recipe.params = self.set.clone();
        Some(recipe)
    }

    /// What another seed has to have in common with this one: its locked traits. What was set by hand, every seed has.
    fn wanted(&self, scenario: &'static dyn Scenario, genome: &Genome) -> Wanted {
        let locked = genome.traits.iter().filter(|it| self.locked.contains(&it.name) && !it.overridden);
        Wanted { scenario, traits: locked.map(|it| (it.name.clone(), it.value.clone())).collect() }
    }

    /// Begins to roll another seed.
    fn roll(&mut self, scenario: &'static dyn Scenario, genome: &Genome, what_for: Rolled) {
        let wanted = self.wanted(scenario, genome);
        self.rolling = Some((what_for, Job::start(move |observer| Ok(wanted.roll(&|| observer.stopped())))));
    }

    /// Takes the seed that was rolled; what there is to say where there is none.
    fn take_rolled(&mut self) -> Option<String> {
        let (what_for, job) = self.rolling.as_ref()?;
        let (what_for, rolled) = (*what_for, taken(job)?);
        self.rolling = None;
        match (rolled, what_for) {
            (Ok(Some(seed)), Rolled::Here) => self.change_seed(seed),
            (Ok(Some(seed)), Rolled::Beside) => self.beside = Some(seed),
            (Ok(None), _) => {
                return Some(format!(
                    "none of {MOST_ROLLS} seeds has all that is locked: unlock a trait, or choose its value"
                ));
            }
            (Err(error), _) => return Some(in_words(&error)),
        }
        None
    }
}

/// Whether no more than `most` bytes would be kept of a world for the scrubber. To lay out a large one takes its time.
fn kept(recipe: &Recipe, scenario: &dyn Scenario, most: usize) -> bool {
    most > 0
        && resolve(recipe).is_ok_and(|(_, genome)| {
            let plan = scenario.plan(&genome);
            (plan.steps / plan.snapshot_every) as usize * plan.elements * plan.channels * size_of::<i32>() <= most
        })
}

/// The same world with fewer elements, where its scenario can do with fewer: what is looked at, not what is made.
fn coarse(mut recipe: Recipe, scenario: &dyn Scenario, how: &[(&str, f64)]) -> Recipe {
    for spec in scenario.params() {
        if let Some((name, value)) = how.iter().find(|(name, _)| *name == spec.name) {
            let value = ParamValue::Number(value.clamp(spec.min, spec.max));
            recipe.params.entry((*name).to_owned()).or_insert(value);
        }
    }
    recipe
}

/// The page.
pub fn show(ui: &mut Ui, gallery: &mut Gallery, views: &mut Views, pixels: f32) {
    let Some((name, _)) = gallery.explore.piece else {
        tiles::show(ui, gallery, views, pixels);
        return;
    };
    let Ok(scenario) = scenario::newest(name) else { return };
    if let Some(problem) = gallery.explore.take_rolled() {
        gallery.trouble = Some(problem);
    }
    let Some((_, seed)) = gallery.explore.piece else { return };
    let Some(genome) = gallery.explore.recipe(scenario, seed).and_then(|recipe| Some(resolve(&recipe).ok()?.1)) else {
        gallery.explore.set.clear();
        return;
    };
    keys(ui, gallery, views, scenario, &genome);
    side::show(ui, gallery, views, scenario, seed, &genome);
    let Some((_, seed)) = gallery.explore.piece else { return };
    if gallery.explore.wall.is_some() {
        // The wall is drawn by the processor, which has enough to do.
        gallery.explore.leave(views);
        wall::show(ui, gallery, scenario);
        return;
    }
    let wanted: Vec<Recipe> = [Some(seed), gallery.explore.beside]
        .into_iter()
        .flatten()
        .filter_map(|seed| gallery.explore.recipe(scenario, seed))
        .collect();
    // A slider under way changes nothing yet.
    let settled = !ui.input(|input| input.pointer.any_down());
    if wanted != gallery.explore.shown && (settled || gallery.explore.shown.is_empty()) {
        let most = if views.are_fine(gallery.backend) { MOST_KEPT / wanted.len().max(1) } else { 0 };
        let seen = |recipe: &Recipe| {
            if kept(recipe, scenario, most) { recipe.clone() } else { coarse(recipe.clone(), scenario, &LOOK_AT) }
        };
        let seen: Vec<Recipe> = wanted.iter().map(seen).collect();
        open(gallery, views, &seen, gallery.backend);
        gallery.explore.shown = wanted;
        gallery.settings.saw(Seen { scenario: name.into(), seed, set: gallery.explore.set.clone() });
    }
    scrubber(ui, gallery, views);
    stage(ui, gallery, views, pixels);
}

fn open(gallery: &mut Gallery, views: &mut Views, recipes: &[Recipe], backend: Backend) {
    let was = (views.time, views.playing, !gallery.explore.shown.is_empty());
    if let Err(error) = views.open(recipes, backend) {
        gallery.trouble = Some(error.to_string());
    }
    if was.2 && !was.1 {
        (views.time, views.playing) = (was.0, false);
    }
    gallery.explore.shown = recipes.to_vec();
    gallery.explore.preview = None;
}

/// What the keyboard does here.
fn keys(ui: &Ui, gallery: &mut Gallery, views: &mut Views, scenario: &'static dyn Scenario, genome: &Genome) {
    if ui.ctx().egui_wants_keyboard_input() {
        return;
    }
    // A key that is held counts once.
    let pressed = |wanted: Key| {
        let is = |event: &egui::Event| matches!(event, egui::Event::Key { key, pressed: true, repeat: false, modifiers, .. } if *key == wanted && modifiers.is_none());
        ui.input(|input| input.events.iter().any(is))
    };
    if pressed(Key::R) {
        gallery.explore.roll(scenario, genome, Rolled::Here);
    }
    if pressed(Key::Space) {
        play_or_pause(gallery, views);
    }
    for (key, by) in [(Key::ArrowLeft, -1.0), (Key::ArrowRight, 1.0)] {
        if pressed(key) {
            views.playing = false;
            views.time = (views.time + by / 96.0).clamp(0.0, 1.0);
            gallery.explore.preview = None;
        }
    }
    if pressed(Key::Home) {
        views.orbit = Default::default();
    }
}

fn play_or_pause(gallery: &mut Gallery, views: &mut Views) {
    views.playing = !views.playing;
    gallery.explore.preview = None;
}

/// A view of a world in a part of the page.
fn view_into(ui: &Ui, views: &mut Views, number: usize, rect: egui::Rect, pixels: f32, round: egui::CornerRadius) {
    let Some(view) = views.views.get_mut(number) else { return };
    let size = Vec2::new(rect.width(), rect.height()) * pixels;
    view.wanted = Some(size.as_uvec2().clamp(UVec2::ONE, UVec2::splat(4096)));
    match (view.texture(ui.ctx()), view.world.failure()) {
        (Some((id, size)), _) => widgets::picture(ui, id, size, rect, round),
        (None, Some(problem)) => widgets::placeholder(ui, rect, &problem),
        (None, None) => first_step(ui, rect, round),
    }
}

/// The place of a world that takes its first step.
fn first_step(ui: &Ui, rect: egui::Rect, round: egui::CornerRadius) {
    let colors = theme::palette(ui);
    ui.painter().rect_filled(rect, round, colors.panel);
    let font = FontId::proportional(14.0);
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, "The first step…", font, colors.quiet);
}

/// A seed by its two ends, where it is long.
pub fn seed_text(seed: Seed) -> String {
    short(&seed.written())
}

/// Play, and the moment that is shown.
fn scrubber(ui: &mut Ui, gallery: &mut Gallery, views: &mut Views) {
    let colors = theme::palette(ui);
    let frame = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(APART as i8, NEAR as i8));
    egui::Panel::bottom("time").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            let (icon, name) = if views.playing { (icons::PAUSE, "Pause") } else { (icons::PLAY, "Play") };
            if widgets::icon_button(ui, icon, name).clicked() {
                play_or_pause(gallery, views);
            }
            let simulated = views.views.iter().map(|view| view.world.simulated()).fold(1.0, f64::min);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let on = gallery.explore.preview.is_some();
                if widgets::toggle(ui, on, icons::APERTURE, "Path-trace")
                    .on_hover_text("This moment as the film will show it")
                    .clicked()
                {
                    views.playing = false;
                    gallery.explore.preview = None;
                    gallery.explore.asked = !on;
                }
                let words = match simulated {
                    ..1.0 if views.views.iter().any(|view| view.world.on_device().is_some()) => {
                        format!("{:.0} %, the GPU is at {:.0} %", 100.0 * views.time, 100.0 * simulated)
                    }
                    ..1.0 => format!("{:.0} %, simulated {:.0} %", 100.0 * views.time, 100.0 * simulated),
                    _ => format!("{:.0} %", 100.0 * views.time),
                };
                // Where everything is large, the moment is what there is room for.
                if ui.available_width() > 230.0 {
                    ui.add_sized([150.0, 20.0], egui::Label::new(RichText::new(words).color(colors.quiet)));
                }
                ui.spacing_mut().slider_width = (ui.available_width() - NEAR).max(40.0);
                let slider = egui::Slider::new(&mut views.time, 0.0..=1.0).show_value(false).trailing_fill(true);
                let moved = ui.add(slider).on_hover_text("The moment that is shown: arrow keys go a frame on or back");
                if moved.changed() {
                    views.playing = false;
                    gallery.explore.preview = None;
                }
            });
        });
    });
}

/// Where the worlds are seen, and turned.
fn stage(ui: &mut Ui, gallery: &mut Gallery, views: &mut Views, pixels: f32) {
    let ground = theme::palette(ui).ground;
    egui::CentralPanel::default().frame(Frame::new().fill(ground)).show(ui, |ui| {
        let whole = ui.available_rect_before_wrap();
        let seen = ui.allocate_rect(whole, Sense::click_and_drag());
        let seen = widgets::named(seen, "World");
        let by = seen.drag_delta();
        let before = views.orbit;
        if seen.dragged_by(egui::PointerButton::Primary) {
            views.orbit.drag(Vec2::new(by.x, by.y), whole.height());
        } else if seen.dragged() {
            views.orbit.pan(Vec2::new(by.x, by.y), whole.height());
        }
        if seen.hovered() {
            let notches = ui.input(|input| input.smooth_scroll_delta().y) / 50.0;
            if notches != 0.0 {
                views.orbit.zoom(notches);
            }
        }
        if seen.double_clicked() {
            views.orbit = Default::default();
        }
        if views.orbit != before {
            gallery.explore.preview = None;
        }
        let count = views.views.len().max(1) as f32;
        for number in 0..views.views.len() {
            let left = whole.left() + whole.width() * number as f32 / count;
            let size =
                egui::vec2(whole.width() / count - if number == 0 && count > 1.0 { 2.0 } else { 0.0 }, whole.height());
            let rect = egui::Rect::from_min_size(egui::pos2(left, whole.top()), size);
            view_into(ui, views, number, rect, pixels, egui::CornerRadius::ZERO);
            if count > 1.0 && size.x < 220.0 {
                let words = ["A", "B"][number.min(1)];
                widgets::caption(ui, rect.left_bottom() + egui::vec2(NEAR, -NEAR), Align2::LEFT_BOTTOM, words);
            } else if count > 1.0 {
                let words = format!("{}  {}", ["A", "B"][number.min(1)], seed_text(views.views[number].recipe.seed));
                widgets::caption(ui, rect.left_bottom() + egui::vec2(APART, -APART), Align2::LEFT_BOTTOM, &words);
            }
        }
        if std::mem::take(&mut gallery.explore.asked) {
            gallery.explore.preview = Preview::start(views);
        }
        if let Some(preview) = &mut gallery.explore.preview {
            preview.show(ui, whole, 0);
        } else if views.orbit != Default::default() {
            widgets::caption(
                ui,
                whole.center_bottom() - egui::vec2(0.0, APART),
                Align2::CENTER_BOTTOM,
                "Double-click: back to the film's camera",
            );
        }
    });
}

fn random_seed() -> Seed {
    seedstorm_studio::random_bytes().map_or_else(|_| 0.into(), Seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_locked_stays_and_the_rest_is_rolled() {
        let mut explore = Explore::default();
        explore.open("bloom", 13.into());
        let scenario = scenario::newest("bloom").unwrap();
        let genome = resolve(&explore.recipe(scenario, 13.into()).unwrap()).unwrap().1;
        let kept = &genome.traits[0];
        explore.locked.insert(kept.name.clone());
        let mut others = BTreeSet::new();
        for _ in 0..20 {
            let seed = explore.wanted(scenario, &genome).roll(&|| false).unwrap();
            let rolled = resolve(&explore.recipe(scenario, seed).unwrap()).unwrap().1;
            assert_eq!(rolled.traits[0].value, kept.value);
            others.insert(rolled.traits[1].value.clone());
        }
        assert!(others.len() > 1, "{others:?}");
    }

    #[test]
    fn what_is_looked_at_is_coarse_and_what_is_made_is_not() {
        for scenario in scenario::all() {
            let explore = Explore::default();
            let made = explore.recipe(*scenario, 1.into()).unwrap();
            assert!(made.params.is_empty());
            resolve(&coarse(made.clone(), *scenario, &LOOK_AT)).unwrap();
            resolve(&coarse(made, *scenario, &TILES)).unwrap();
        }
    }
}
