//! The card of a piece on its way: its film as it grows, its stages, its name, its price.

use bevy_egui::egui::{self, Align, Layout, RichText, Ui};
use seedstorm_sim::{Film as FilmSize, text::is_plain};
use seedstorm_studio::{
    Home, Stage,
    ledger::Quote,
    make::{self, Made},
};

use crate::{
    icons,
    text::{capitalised, duration, ether_in_sum, plain},
    theme::{self, APART, NEAR},
    widgets,
    work::Job,
};

use super::{
    super::{explore::seed_text, film::Film},
    Item, LARGE, MAX_DESCRIPTION, MAX_NAME, State, Wish, seconds, stage_name,
};

/// The card; what is wished by who used it.
pub(super) fn show(ui: &mut Ui, item: &mut Item, home: &Home, edge: f32) -> Option<Wish> {
    let mut wish = None;
    widgets::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            let edge = edge.min(ui.available_width() * 0.42);
            let (rect, _) = ui.allocate_exact_size(egui::vec2(edge, edge), egui::Sense::hover());
            if ui.is_rect_visible(rect) && !matches!(item.state, State::Waiting | State::Remembered) {
                let (home, recipe, film) = (home.clone(), item.recipe.clone(), &item.recipe.film);
                let grows = matches!(item.state, State::Making(_));
                let frame = move |frame| Ok(make::frame_so_far(&home, &recipe, frame));
                let film = || Film::new([film.frames, film.fps], LARGE as usize, grows, frame);
                item.film.get_or_insert_with(film).show(ui, rect);
            } else {
                item.film = None;
                widgets::placeholder(ui, rect, "");
            }
            ui.add_space(APART);
            ui.vertical(|ui| wish = details(ui, item));
        });
    });
    wish
}

fn details(ui: &mut Ui, item: &mut Item) -> Option<Wish> {
    let colors = theme::palette(ui);
    let film = &item.recipe.film;
    let seed = seed_text(item.recipe.seed);
    let title = format!("{} {seed}", capitalised(&item.recipe.scenario.name));
    if matches!(item.state, State::Minted(_)) {
        widgets::title(ui, &plain(&item.name));
    } else {
        ui.horizontal(|ui| {
            ui.heading(if item.name.is_empty() { title } else { plain(&item.name) });
            widgets::quiet(ui, format!("{} × {}, {:.0} s", film.width, film.height, seconds(film)));
        });
    }
    let mut wish = None;
    match &mut item.state {
        State::Remembered | State::Discarded(_) => {}
        State::Waiting => {
            widgets::quiet(ui, "Waits until the piece before it is made.");
            if ui.button("Remove").clicked() {
                wish = Some(Wish::Remove);
            }
        }
        State::Making(job) => {
            stages(ui, job, item.film.as_ref().map_or(0, Film::there), film.frames);
            let cancelled = job.is_cancelled();
            let words = if cancelled { "Stopping…" } else { "Pause" };
            let tip = "What is done is kept, and it goes on from there, today or after a restart";
            if ui.add_enabled(!cancelled, egui::Button::new(words)).on_hover_text(tip).clicked() {
                job.cancel();
            }
        }
        State::Damaged(why) => {
            widgets::notice(ui, icons::WARNING, colors.bad, why);
            let tip = "From this list: what there is of it stays on the disk";
            if widgets::aside(ui, "Remove").on_hover_text(tip).clicked() {
                wish = Some(Wish::Remove);
            }
        }
        State::Stopped(why) => {
            match why {
                Some(why) => widgets::notice(ui, icons::WARNING, colors.bad, why),
                None => {
                    let there = item.film.as_ref().map_or(0, Film::there);
                    let so_far = if there > 0 {
                        format!("Paused with {there} of {} frames.", film.frames)
                    } else {
                        "Paused.".into()
                    };
                    widgets::quiet(ui, format!("{so_far} What is done is kept, and it goes on from there."));
                }
            }
            ui.horizontal(|ui| {
                if widgets::primary(ui, "Resume").clicked() {
                    wish = Some(Wish::Resume);
                }
                let tip = "Throws away what is done; the seed is what it was";
                if widgets::aside(ui, "Discard").on_hover_text(tip).clicked() {
                    wish = Some(Wish::Discard);
                }
            });
        }
        State::Made => {
            ui.label(RichText::new(format!("{}  Finished", icons::CHECK)).color(colors.good));
            if film.width <= FilmSize::DRAFT.width {
                widgets::quiet(ui, "A draft. Make the same seed as a film if it is to hang on a wall.");
            }
            ui.add_space(NEAR);
            ui.label(RichText::new("Name").color(colors.quiet));
            let width = ui.available_width().min(480.0);
            let field = ui.add(widgets::line(&mut item.name).char_limit(MAX_NAME).desired_width(width));
            label(field, "Name");
            item.name.retain(is_plain);
            ui.add_space(NEAR);
            ui.label(RichText::new("Description").color(colors.quiet));
            let text = widgets::lines(&mut item.description).char_limit(MAX_DESCRIPTION).desired_rows(2);
            label(ui.add(text.desired_width(width)), "Description");
            item.description.retain(|letter| is_plain(letter) || letter == '\n');
            ui.add_space(NEAR);
            ui.horizontal(|ui| {
                ui.label(RichText::new("Royalty").color(colors.quiet));
                let royalty = egui::DragValue::new(&mut item.royalty_percent).range(0.0..=10.0).speed(0.1).suffix(" %");
                let royalty = ui.add(royalty);
                label(royalty, "Royalty")
                    .on_hover_text("Of each resale, for all of your collection: it is set with its first token");
            });
            ui.add_space(APART);
            ui.horizontal(|ui| {
                let ready = !item.name.trim().is_empty();
                if ui.add_enabled_ui(ready, |ui| widgets::primary(ui, "Mint…")).inner.clicked() {
                    wish = Some(Wish::Quote);
                }
                let tip = "From this list: the piece stays in the collection";
                if widgets::aside(ui, "Remove").on_hover_text(tip).clicked() {
                    wish = Some(Wish::Remove);
                }
            });
        }
        State::Quoting(_) => {
            ui.horizontal(|ui| {
                widgets::busy(ui);
                ui.label("Working out what it costs…");
            });
        }
        State::Quoted(price) => wish = quoted(ui, &item.name, &price.1),
        State::Minting(_) => {
            ui.horizontal(|ui| {
                widgets::busy(ui);
                ui.label("Minting…");
            });
        }
        State::Minted(id) => {
            let words = format!("{}  Minted. Token {id} of your collection, on the chain", icons::PROVED);
            ui.label(RichText::new(words).color(colors.good));
            ui.add_space(NEAR);
            widgets::words(ui, plain(&item.description));
            ui.add_space(APART);
            ui.horizontal(|ui| {
                if widgets::primary(ui, "View in collection").clicked() {
                    wish = Some(Wish::Look);
                }
                if widgets::aside(ui, "Clear from list").clicked() {
                    wish = Some(Wish::Remove);
                }
            });
        }
    }
    wish
}

/// Names a field for who cannot see what stands above it.
fn label(field: egui::Response, name: &str) -> egui::Response {
    field.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::TextEdit, true, name));
    field
}

fn quoted(ui: &mut Ui, name: &str, quote: &Quote) -> Option<Wish> {
    let colors = theme::palette(ui);
    widgets::words(ui, format!("“{}” becomes a token on the embedded chain.", plain(name)));
    ui.add_space(NEAR);
    widgets::fact(ui, "Price", &ether_in_sum(quote.cost, true));
    widgets::fact(ui, "You have", &ether_in_sum(quote.balance, false));
    widgets::fact(ui, "Left after it", &ether_in_sum(quote.balance.saturating_sub(quote.cost), false));
    if quote.new_collection {
        widgets::quiet(ui, "Your first mint also makes your collection; later ones cost less.");
    }
    let enough = quote.balance >= quote.cost;
    if !enough {
        widgets::notice(ui, icons::WARNING, colors.bad, "That is more than you have.");
    }
    let mut wish = None;
    ui.add_space(APART);
    widgets::words(ui, "This cannot be undone.");
    ui.horizontal(|ui| {
        if ui.add_enabled_ui(enough, |ui| widgets::primary(ui, "Pay and mint")).inner.clicked() {
            wish = Some(Wish::Mint);
        }
        if ui.button("Cancel").clicked() {
            wish = Some(Wish::NotNow);
        }
    });
    wish
}

/// The stages of a piece, and how far it is.
fn stages(ui: &mut Ui, job: &Job<Made>, frames: usize, of: u32) {
    const STAGES: [Stage; 4] = [Stage::Simulate, Stage::Render, Stage::Encode, Stage::Pin];
    let colors = theme::palette(ui);
    let progress = job.progress();
    for stage in STAGES {
        let took = progress.past.iter().find(|(past, _)| *past == stage).map(|(_, took)| *took);
        let now = progress.stage == Some(stage);
        ui.horizontal(|ui| {
            let (icon, color) = match (took, now) {
                (Some(_), _) => (icons::CHECK, colors.good),
                (None, true) => (icons::MAKE, colors.accent),
                (None, false) => ("·", colors.quiet),
            };
            ui.add_sized([18.0, 18.0], egui::Label::new(RichText::new(icon).color(color)));
            let color = if now || took.is_some() { colors.text } else { colors.quiet };
            ui.label(RichText::new(stage_name(Some(stage))).color(color));
            if let Some(took) = took {
                widgets::quiet(ui, duration(took));
            }
        });
    }
    let mut words = format!("{:.0} %", 100.0 * progress.share);
    if progress.stage == Some(Stage::Render) {
        words = format!("{words}, frame {} of {of}", (frames + 1).min(of as usize));
    }
    if let Some(left) = progress.left {
        words = format!("{words}, {} left", duration(left));
    }
    ui.add_space(NEAR);
    ui.with_layout(Layout::top_down(Align::Min), |ui| {
        ui.set_max_width(ui.available_width().min(480.0));
        widgets::progress(ui, progress.share, &words);
    });
}
