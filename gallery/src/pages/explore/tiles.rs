//! All scenarios to choose from, each with a world under way; and what was looked at before.

use bevy_egui::egui::{self, Align2, FontId, RichText, Sense, Ui};
use seedstorm_sim::{
    Backend, Film, Recipe,
    scenario::{self, Scenario},
};

use crate::{
    app::Gallery,
    icons,
    live::show::Views,
    settings::Seen,
    text::capitalised,
    theme::{self, APART, NEAR},
    widgets,
};

use super::{TILES, coarse, open, random_seed, seed_text, view_into};

/// The seeds that tiles show.
const TILE_SEEDS: [(&str, u64); 5] = [("bloom", 13), ("tempest", 87), ("waltz", 12), ("flood", 13), ("plunge", 3)];

/// The corners of a tile's picture: its text follows below.
const ABOVE_TEXT: egui::CornerRadius = egui::CornerRadius { nw: 9, ne: 9, sw: 0, se: 0 };

/// Height of the text below a tile's picture, points.
const TILE_TEXT: f32 = 72.0;

/// Height of a line of pieces that were seen before, with its heading, points.
const LIST: f32 = 72.0;

/// All scenarios, each with a world under way.
pub(super) fn show(ui: &mut Ui, gallery: &mut Gallery, views: &mut Views, pixels: f32) {
    let tiles: Vec<(&'static dyn Scenario, Recipe)> = scenario::all()
        .iter()
        .filter_map(|scenario| {
            let id = format!("{}@{}", scenario.name(), scenario.version());
            let seed = TILE_SEEDS.iter().find(|(name, _)| *name == scenario.name()).map_or(1, |(_, seed)| *seed);
            let recipe = Recipe::new(&id, seed.into(), Film::DRAFT).ok()?;
            Some((*scenario, coarse(recipe, *scenario, &TILES)))
        })
        .collect();
    let recipes: Vec<Recipe> = tiles.iter().map(|(_, recipe)| recipe.clone()).collect();
    if gallery.explore.shown != recipes {
        // A processor that plays the device is too slow for so many.
        let backend = if views.slow { Backend::Cpu } else { gallery.backend };
        open(gallery, views, &recipes, backend);
        (views.playing, views.orbit) = (true, Default::default());
    }
    let page = widgets::page(ui);
    egui::CentralPanel::default().frame(page).show(ui, |ui| {
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.set_width(ui.available_width() - 12.0);
            widgets::title(ui, "What shall grow from a seed?");
            widgets::quiet(ui, "These worlds are simulated while you look at them. Choose one, and roll its seeds.");
            hints(ui, gallery);
            ui.add_space(APART);
            // Five scenarios and a dice, in rows that are full.
            let columns = match ui.available_width() {
                ..560.0 => 1.0_f32,
                ..840.0 => 2.0,
                ..2400.0 => 3.0,
                _ => 6.0,
            };
            let width = ((ui.available_width() - (columns - 1.0) * APART) / columns).floor();
            let columns = columns as usize;
            // All of them are seen at once, where they can be.
            let rows = (tiles.len() + 1).div_ceil(columns) as f32;
            let lists = [gallery.settings.liked.is_empty(), gallery.settings.seen.is_empty()];
            let below = lists.into_iter().filter(|empty| !empty).count() as f32 * LIST;
            let room = (ui.available_height() - rows * (TILE_TEXT + 2.0 * NEAR) - NEAR - below) / rows;
            let height = room.clamp(0.36 * width, 0.68 * width).round();
            for first in (0..=tiles.len()).step_by(columns) {
                ui.horizontal_top(|ui| {
                    ui.spacing_mut().item_spacing.x = APART;
                    for number in first..(first + columns).min(tiles.len() + 1) {
                        let chosen = match tiles.get(number) {
                            Some((scenario, _)) => {
                                let words = (scenario.title(), scenario.about());
                                tile(ui, words, [width, height], |ui, rect| {
                                    view_into(ui, views, number, rect, pixels, ABOVE_TEXT)
                                })
                                .then_some(number)
                            }
                            None => tile(ui, ("surprise me", "A random seed of a random world"), [width, height], dice)
                                .then(random_number),
                        };
                        if let Some(number) = chosen {
                            gallery.explore.open(tiles[number % tiles.len()].0.name(), random_seed());
                        }
                    }
                });
                ui.add_space(NEAR);
            }
            seen_before(ui, gallery);
        });
    });
}

/// The colours of its seeds, an arm each.
const SUNFLOWER: [egui::Color32; 5] = [
    egui::Color32::from_rgb(0xe8, 0xb9, 0x62),
    egui::Color32::from_rgb(0xe0, 0x7a, 0x5f),
    egui::Color32::from_rgb(0xb5, 0x4f, 0x6f),
    egui::Color32::from_rgb(0x3d, 0x8f, 0x94),
    egui::Color32::from_rgb(0x9f, 0xc4, 0xc0),
];

/// What the tile shows that leaves the choice to chance.
fn dice(ui: &Ui, rect: egui::Rect) {
    // Seeds as they stand in a sunflower: Vogel 1979, "A better way to construct the sunflower head".
    const SEEDS: u32 = 240;
    const GOLDEN_ANGLE: f32 = 2.399_963;
    let colors = theme::palette(ui);
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect_filled(rect, ABOVE_TEXT, colors.panel);
    let step = rect.height() / (SEEDS as f32).sqrt() * 0.46;
    for seed in 14..SEEDS {
        let far = (seed as f32).sqrt();
        let place = rect.center() + step * far * egui::Vec2::angled(GOLDEN_ANGLE * seed as f32);
        let color = SUNFLOWER[seed as usize % 21 * SUNFLOWER.len() / 21];
        painter.circle_filled(place, step * (0.3 + 0.02 * far), color);
    }
    let font = FontId::proportional(5.4 * step);
    painter.text(rect.center(), Align2::CENTER_CENTER, icons::DICE, font, colors.accent);
}

/// Something to choose, by its picture, its title and what it is about; whether it was chosen.
fn tile(
    ui: &mut Ui,
    (title, about): (&str, &str),
    [width, height]: [f32; 2],
    picture: impl FnOnce(&Ui, egui::Rect),
) -> bool {
    let (rect, response) = ui.allocate_exact_size(egui::vec2(width, height + TILE_TEXT), Sense::click());
    let response = widgets::named(response, &capitalised(title));
    if !ui.is_rect_visible(rect) {
        return response.clicked();
    }
    let colors = theme::palette(ui);
    let line = if response.hovered() || response.has_focus() { colors.accent } else { colors.line };
    ui.painter().rect(rect, 10.0, colors.raised, egui::Stroke::new(1.0, line), egui::StrokeKind::Inside);
    let place = egui::Rect::from_min_size(rect.min, egui::vec2(width, height)).shrink(1.0);
    picture(ui, place);
    let text = egui::Rect::from_min_max(place.left_bottom(), rect.max).shrink2(egui::vec2(14.0, 8.0));
    let down = egui::Layout::top_down(egui::Align::Min);
    let mut inner = ui.new_child(egui::UiBuilder::new().max_rect(text).layout(down));
    inner.heading(capitalised(title));
    let about = RichText::new(about).small().line_height(Some(16.0)).color(colors.quiet);
    inner.add(egui::Label::new(about).wrap().selectable(false));
    response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}

/// Three things to know at first.
fn hints(ui: &mut Ui, gallery: &mut Gallery) {
    const HINTS: [(&str, &str); 3] = [
        (icons::DICE, "A seed decides everything. Roll until you like what grows; lock a trait to keep it."),
        (icons::MAKE, "Make turns a seed into a film. It can be stopped at any time, and goes on where it was."),
        (icons::PROVED, "Every piece can be checked: the same seed gives the same bits on every machine."),
    ];
    if gallery.settings.hints_read {
        return;
    }
    let colors = theme::palette(ui);
    ui.add_space(NEAR);
    widgets::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            let width = (ui.available_width() - 76.0) / HINTS.len() as f32 - 18.0 - 2.0 * NEAR;
            for (icon, words) in HINTS {
                ui.label(RichText::new(icon).color(colors.accent).size(18.0));
                ui.vertical(|ui| {
                    ui.set_width(width);
                    widgets::words(ui, words);
                });
            }
            if ui.button("Got it").clicked() {
                gallery.settings.hints_read = true;
            }
        });
    });
}

/// What was liked, and what was looked at, to go back to.
fn seen_before(ui: &mut Ui, gallery: &mut Gallery) {
    let mut chosen = None;
    let lists = [("Liked", &gallery.settings.liked.iter().rev().take(24).cloned().collect::<Vec<_>>())];
    let seen: Vec<Seen> = gallery.settings.seen.iter().take(12).cloned().collect();
    for (title, list) in lists.into_iter().chain([("Looked at lately", &seen)]) {
        if list.is_empty() {
            continue;
        }
        widgets::heading(ui, title);
        ui.horizontal_wrapped(|ui| {
            for piece in list {
                let by_hand = if piece.set.is_empty() { "" } else { ", by hand" };
                let name = format!("{} {}{by_hand}", capitalised(&piece.scenario), seed_text(piece.seed));
                if ui.button(name).clicked() {
                    chosen = Some(piece.clone());
                }
            }
        });
    }
    if let Some(piece) = chosen
        && let Ok(scenario) = scenario::newest(&piece.scenario)
    {
        gallery.explore.open_again(scenario.name(), piece);
    }
}

fn random_number() -> usize {
    seedstorm_studio::random_bytes().map_or(0, |[byte]: [u8; 1]| usize::from(byte))
}
