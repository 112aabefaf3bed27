//! What the app shows, a page at a time.

pub mod collection;
pub mod explore;
pub mod film;
pub mod make;
pub mod piece;
pub mod preview;
pub mod wallet;

use bevy_egui::egui::{self, Align, Frame, Key, Layout, Margin, Modifiers, RichText, Stroke, Ui, Vec2};

use crate::{
    app::Gallery,
    icons,
    settings::Shade,
    theme::{self, APART, NEAR},
    widgets,
};

/// The pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    Explore,
    Make,
    Collection,
    Wallet,
}

const PAGES: [(Page, &str, &str, Key); 4] = [
    (Page::Explore, icons::EXPLORE, "Explore", Key::Num1),
    (Page::Make, icons::MAKE, "Make", Key::Num2),
    (Page::Collection, icons::COLLECTION, "Collection", Key::Num3),
    (Page::Wallet, icons::WALLET, "Wallet", Key::Num4),
];

/// The bar on top: where one is, and how the app looks.
pub fn navigation(ui: &mut Ui, gallery: &mut Gallery) {
    let colors = theme::palette(ui);
    for (page, _, _, key) in PAGES {
        if ui.input_mut(|input| input.consume_key(Modifiers::CTRL, key)) {
            gallery.page = page;
        }
    }
    let frame = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(APART as i8, NEAR as i8));
    egui::Panel::top("navigation").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.label(RichText::new("Seedstorm").text_style(theme::title()).size(26.0));
            ui.add_space(APART);
            ui.spacing_mut().item_spacing.x = APART;
            for (number, (page, icon, name, _)) in PAGES.into_iter().enumerate() {
                let on = gallery.page == page;
                let color = if on { colors.text } else { colors.quiet };
                let text = RichText::new(format!("{icon}  {name}")).color(color);
                let button = ui.add(egui::Button::new(text).frame(false).min_size(Vec2::new(0.0, 32.0)));
                let button = widgets::named(button, name).on_hover_text(format!("Ctrl+{}", number + 1));
                if on {
                    let line = button.rect.expand2(Vec2::new(-4.0, 6.0));
                    ui.painter().hline(line.x_range(), line.bottom(), Stroke::new(2.0, colors.accent));
                }
                if button.clicked() {
                    gallery.page = page;
                }
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let settings = &mut gallery.settings;
                let (icon, name) = match settings.shade {
                    Shade::Dark => (icons::SUN, "Light"),
                    Shade::Light => (icons::MOON, "Dark"),
                };
                if widgets::icon_button(ui, icon, name).clicked() {
                    settings.shade = if settings.shade == Shade::Dark { Shade::Light } else { Shade::Dark };
                }
                egui::ComboBox::from_id_salt("scale")
                    .selected_text(format!("{:.0} %", 100.0 * settings.scale))
                    .width(72.0)
                    .show_ui(ui, |ui| {
                        for scale in [1.0, 1.25, 1.5, 2.0] {
                            ui.selectable_value(&mut settings.scale, scale, format!("{:.0} %", 100.0 * scale));
                        }
                    });
                if let Some((share, name)) = gallery.make.under_way() {
                    widgets::quiet(ui, format!("{:.0} %  {name}", 100.0 * share));
                    widgets::busy(ui);
                }
            });
        });
    });
}
