//! Beside the world: its seed, its traits and parameters, and what can be done with them.

use bevy_egui::egui::{self, Align, Frame, Layout, Margin, RichText, Ui};
use seedstorm_sim::{Genome, Seed, recipe::ParamValue, resolve, scenario::Scenario};

use crate::{
    app::Gallery,
    icons,
    live::show::{View, Views},
    settings::Seen,
    text::capitalised,
    theme::{self, APART, NEAR},
    widgets,
};

use super::{LOOK_AT, Rolled, Wall, seed_text};

/// Its width, points.
const WIDTH: f32 = 348.0;

/// Width of a parameter's number, points.
const NUMBER: f32 = 80.0;

/// The panel.
pub fn show(
    ui: &mut Ui,
    gallery: &mut Gallery,
    views: &Views,
    scenario: &'static dyn Scenario,
    seed: Seed,
    genome: &Genome,
) {
    let colors = theme::palette(ui);
    let frame = Frame::new().fill(colors.panel).inner_margin(Margin::same(APART as i8));
    egui::Panel::right("piece").frame(frame).exact_size(WIDTH).resizable(false).show(ui, |ui| {
        egui::Panel::bottom("make").frame(Frame::new()).show_separator_line(false).show(ui, |ui| {
            ui.add_space(NEAR);
            ui.with_layout(Layout::top_down_justified(Align::Center), |ui| {
                if widgets::primary(ui, "Make this piece").clicked()
                    && let Some(recipe) = gallery.explore.recipe(scenario, seed)
                {
                    let scene = views.views.first().and_then(View::scene);
                    gallery.make(recipe, scene);
                }
            });
        });
        egui::CentralPanel::default().frame(Frame::new()).show(ui, |ui| {
            head(ui, gallery, scenario, seed, genome);
            egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                ui.set_width(ui.available_width() - 12.0);
                let beside = gallery.explore.beside.and_then(|seed| gallery.explore.recipe(scenario, seed));
                let beside = beside.and_then(|recipe| Some(resolve(&recipe).ok()?.1));
                traits(ui, gallery, scenario, genome, beside.as_ref());
                params(ui, gallery, scenario, genome, beside.as_ref());
            });
        });
    });
}

fn head(ui: &mut Ui, gallery: &mut Gallery, scenario: &'static dyn Scenario, seed: Seed, genome: &Genome) {
    ui.horizontal(|ui| {
        if widgets::icon_button(ui, icons::BACK, "All scenarios").clicked() {
            gallery.explore.piece = None;
            gallery.explore.wall = None;
        }
        widgets::title(ui, &capitalised(scenario.title()));
    });
    ui.horizontal(|ui| {
        let colors = theme::palette(ui);
        ui.label(RichText::new("Seed").color(colors.quiet));
        let field = widgets::line(&mut gallery.explore.typed)
            .font(egui::TextStyle::Monospace)
            .desired_width(ui.available_width() - 24.0 - NEAR - 12.0)
            .char_limit(80);
        let field = ui.add(field);
        field.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::TextEdit, true, "Seed"));
        // Of a long seed its two ends are shown, until somebody wants to change it.
        let shown = if field.has_focus() { seed.written() } else { seed_text(seed) };
        if field.gained_focus() {
            gallery.explore.typed.clone_from(&shown);
        }
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        if entered {
            match gallery.explore.typed.trim().parse::<Seed>() {
                Ok(typed) => {
                    gallery.trouble = None;
                    gallery.explore.change_seed(typed);
                }
                Err(error) => gallery.trouble = Some(error.to_string()),
            }
        } else if !field.has_focus() {
            gallery.explore.typed = shown;
        }
        if widgets::icon_button(ui, icons::COPY, "Copy the seed").clicked() {
            ui.ctx().copy_text(seed.written());
        }
    });
    ui.horizontal(|ui| {
        // What one comes here for.
        let accent = theme::palette(ui).accent;
        let roll = egui::Button::new(RichText::new(format!("{}  Roll", icons::DICE)).color(accent));
        let roll = widgets::named(ui.add(roll.stroke(egui::Stroke::new(1.0, accent))), "Roll");
        if roll.on_hover_text("Another seed; what is locked stays (R)").clicked() {
            gallery.explore.roll(scenario, genome, Rolled::Here);
        }
        let piece = Seen { scenario: scenario.name().into(), seed, set: gallery.explore.set.clone() };
        let liked = gallery.settings.is_liked(&piece);
        if widgets::toggle(ui, liked, icons::HEART, "Like").clicked() {
            gallery.settings.like(&piece);
        }
        let compared = gallery.explore.beside.is_some();
        if widgets::toggle(ui, compared, icons::COLUMNS, "Compare")
            .on_hover_text("Another seed beside this one")
            .clicked()
        {
            gallery.explore.beside = None;
            if !compared {
                gallery.explore.roll(scenario, genome, Rolled::Beside);
            }
        }
    });
    ui.horizontal(|ui| {
        let on = gallery.explore.wall.is_some();
        if widgets::toggle(ui, on, icons::GRID, "Wall of seeds").on_hover_text("Many seeds at a glance").clicked() {
            gallery.explore.wall =
                if on { None } else { Some(Wall::start(&gallery.explore, scenario, genome, gallery.backend)) };
        }
        if !gallery.explore.set.is_empty()
            && widgets::button(ui, icons::RESET, "Reset").on_hover_text("Take back what was set by hand").clicked()
        {
            gallery.explore.set.clear();
        }
        if let Some(beside) = gallery.explore.beside
            && ui.button("Use B").on_hover_text("Go on with the other seed").clicked()
        {
            gallery.explore.change_seed(beside);
            gallery.explore.beside = None;
        }
    });
    ui.separator();
}

fn traits(ui: &mut Ui, gallery: &mut Gallery, scenario: &dyn Scenario, genome: &Genome, beside: Option<&Genome>) {
    let colors = theme::palette(ui);
    widgets::traits_heading(ui, 24.0 + 68.0 + 104.0 + 3.0 * NEAR);
    let specs = scenario.traits();
    for it in &genome.traits {
        ui.horizontal(|ui| {
            let locked = gallery.explore.locked.contains(&it.name);
            let (icon, color, does) = match locked {
                true => (icons::LOCKED, colors.on_accent, "Unlock"),
                false => (icons::UNLOCKED, colors.quiet, "Lock"),
            };
            let (rect, lock) = ui.allocate_exact_size(egui::Vec2::splat(24.0), egui::Sense::click());
            if locked || lock.hovered() || lock.has_focus() {
                ui.painter().rect_filled(rect, 6.0, if locked { colors.accent } else { colors.raised });
            }
            let font = egui::FontId::proportional(15.0);
            ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, icon, font, color);
            let name = format!("{does} {}", it.name);
            if widgets::named(lock, &name).on_hover_text("What is locked stays when seeds are rolled").clicked() {
                gallery.explore.rolling = None;
                if locked {
                    gallery.explore.locked.remove(&it.name);
                } else {
                    gallery.explore.locked.insert(it.name.clone());
                }
            }
            widgets::column(ui, 68.0, &capitalised(&it.name));
            let Some(spec) = specs.iter().find(|spec| spec.name == it.name) else { return };
            let text =
                if it.overridden { RichText::new(&it.value).color(colors.accent) } else { RichText::new(&it.value) };
            egui::ComboBox::from_id_salt(&it.name)
                .selected_text(text)
                .width(104.0)
                .truncate()
                .show_ui(ui, |ui| {
                    for (number, option) in spec.options.iter().enumerate() {
                        let words = format!("{}   {:.0} %", option.value, 100.0 * spec.rarity(number));
                        if ui.selectable_label(it.value == option.value, words).clicked() {
                            gallery.explore.set.insert(it.name.clone(), ParamValue::Text(option.value.to_string()));
                        }
                    }
                })
                .response
                .on_hover_text(spec.about);
            if it.overridden {
                widgets::quiet(ui, "by hand");
            } else {
                widgets::rarity(ui, it.rarity);
            }
        });
        let other = beside.and_then(|beside| beside.traits.iter().find(|other| other.name == it.name));
        if let Some(other) = other.filter(|other| other.value != it.value) {
            let layout = Layout::left_to_right(Align::Center);
            ui.allocate_ui_with_layout(egui::vec2(ui.available_width(), 20.0), layout, |ui| {
                ui.add_space(24.0 + 68.0 + 2.0 * NEAR);
                widgets::column(ui, 104.0, &format!("B  {}", other.value));
                widgets::rarity(ui, other.rarity);
            });
        }
    }
}

fn params(ui: &mut Ui, gallery: &mut Gallery, scenario: &dyn Scenario, genome: &Genome, beside: Option<&Genome>) {
    let colors = theme::palette(ui);
    widgets::heading(ui, "Parameters");
    for spec in scenario.params() {
        if LOOK_AT.iter().any(|(name, _)| *name == spec.name) {
            continue;
        }
        let by_hand = gallery.explore.set.contains_key(spec.name);
        let mut value = genome.number(spec.name);
        let color = if by_hand { colors.accent } else { colors.quiet };
        let unit = if spec.unit.is_empty() { String::new() } else { format!(" ({})", spec.unit) };
        let other = beside.map(|beside| beside.number(spec.name)).filter(|other| *other != value);
        let other = other.map_or_else(String::new, |other| format!("   ·   {} in B", (other * 1e3).round() / 1e3));
        let name = format!("{}{unit}{other}", capitalised(spec.name));
        ui.label(RichText::new(name).color(color)).on_hover_text(spec.about);
        // Numbers are equally wide, whatever they are.
        ui.spacing_mut().interact_size.x = NUMBER;
        ui.spacing_mut().slider_width = (ui.available_width() - NUMBER - NEAR).max(60.0);
        let slider = egui::Slider::new(&mut value, spec.min..=spec.max)
            .step_by(if spec.integer { 1.0 } else { 0.0 })
            .max_decimals(if spec.integer { 0 } else { 3 })
            .trailing_fill(true);
        let slider = ui.add(slider);
        slider.widget_info(|| egui::WidgetInfo::slider(true, value, spec.name));
        if slider.changed() {
            gallery.explore.set.insert(spec.name.into(), ParamValue::Number(value));
        }
    }
}
