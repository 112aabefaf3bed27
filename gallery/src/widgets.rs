//! What pages are put together from.

use bevy_egui::egui::{
    self, Align, Align2, Color32, CornerRadius, FontId, Frame, Layout, Margin, Rect, Response, RichText, Sense, Stroke,
    StrokeKind, TextureHandle, Ui, Vec2, WidgetInfo, WidgetType, pos2,
};
use seedstorm_render::image_file::Rgb8Image;

use crate::{
    icons,
    theme::{self, APART, FAR, NEAR, TIGHT},
};

/// From line to line of text that wraps, points.
const LEADING: f32 = 20.0;

/// The one thing that a page is there for.
pub fn primary(ui: &mut Ui, text: &str) -> Response {
    let colors = theme::palette(ui);
    ui.add(
        egui::Button::new(RichText::new(text).color(colors.on_accent).strong())
            .fill(colors.accent)
            .stroke(Stroke::NONE),
    )
}

/// A button with an icon before its name.
pub fn button(ui: &mut Ui, icon: &str, text: &str) -> Response {
    named(ui.button(format!("{icon}  {text}")), text)
}

/// A button that stays pressed.
pub fn toggle(ui: &mut Ui, on: bool, icon: &str, text: &str) -> Response {
    let response = ui.add(egui::Button::selectable(on, format!("{icon}  {text}")).frame_when_inactive(true));
    named(response, text)
}

/// What is seldom wanted, without a frame of its own.
pub fn aside(ui: &mut Ui, text: &str) -> Response {
    let color = theme::palette(ui).quiet;
    ui.add(egui::Button::new(RichText::new(text).color(color)).frame_when_inactive(false))
}

/// An icon alone; `name` is what it is called by who cannot see it, and what its tip says.
pub fn icon_button(ui: &mut Ui, icon: &str, name: &str) -> Response {
    named(ui.add(egui::Button::new(RichText::new(icon).size(16.0)).frame(false)), name).on_hover_text(name)
}

/// Gives a widget a name other than the text that stands on it.
pub fn named(response: Response, name: &str) -> Response {
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, enabled, name));
    response
}

/// Text that is there, but not what one came for.
pub fn quiet(ui: &mut Ui, text: impl Into<String>) -> Response {
    let text = RichText::new(text.into()).color(theme::palette(ui).quiet);
    // Beside other words it stands on their line.
    let leading = ui.layout().main_dir().is_vertical().then_some(LEADING);
    ui.add(egui::Label::new(text.line_height(leading)).wrap())
}

/// Text that people read.
pub fn words(ui: &mut Ui, text: impl Into<String>) -> Response {
    ui.add(egui::Label::new(RichText::new(text.into()).line_height(Some(LEADING))).wrap())
}

/// One of several things to choose from, as a card with a ring before its name; whether it was pressed.
pub fn choice(ui: &mut Ui, on: bool, name: &str, size: Vec2, about: &[String]) -> bool {
    let colors = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(WidgetType::RadioButton, true, on, name));
    let line = if on || response.has_focus() {
        colors.accent
    } else if response.hovered() {
        colors.quiet
    } else {
        colors.line
    };
    let fill = if on { colors.panel } else { colors.raised };
    ui.painter().rect(rect, 8.0, fill, Stroke::new(if on { 2.0 } else { 1.0 }, line), StrokeKind::Inside);
    let mut inner = ui.new_child(
        egui::UiBuilder::new().max_rect(rect.shrink2(Vec2::new(14.0, 12.0))).layout(Layout::top_down(Align::Min)),
    );
    inner.spacing_mut().item_spacing.y = 2.0;
    inner.horizontal(|ui| {
        let (ring, _) = ui.allocate_exact_size(Vec2::splat(16.0), Sense::empty());
        ui.painter().circle_stroke(ring.center(), 7.0, Stroke::new(1.5, if on { colors.accent } else { colors.quiet }));
        if on {
            ui.painter().circle_filled(ring.center(), 3.5, colors.accent);
        }
        ui.add(egui::Label::new(RichText::new(name).strong()).truncate().selectable(false));
    });
    inner.add_space(TIGHT);
    for text in about {
        let text = RichText::new(text).size(13.0).line_height(Some(18.0)).color(colors.quiet);
        inner.add(egui::Label::new(text).wrap().selectable(false));
    }
    response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}

/// A heading over traits, and over the column that says how common they are.
pub fn traits_heading(ui: &mut Ui, width: f32) {
    ui.add_space(NEAR);
    ui.horizontal(|ui| {
        cell(ui, width, Layout::left_to_right(Align::Center), RichText::new("Traits").heading());
        ui.label(RichText::new("rarity").small().color(theme::palette(ui).quiet));
    });
}

/// A heading over a group.
pub fn heading(ui: &mut Ui, text: &str) {
    ui.add_space(NEAR);
    ui.heading(text);
}

/// A page's title.
pub fn title(ui: &mut Ui, text: &str) -> Response {
    ui.label(RichText::new(text).text_style(theme::title()))
}

/// A ring that turns as often as the page is drawn anyway. egui's own asks for every frame that can be drawn, which takes
/// the processor from the very work that is waited for.
pub fn busy(ui: &mut Ui) {
    let color = theme::palette(ui).accent;
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(18.0), Sense::hover());
    let time = ui.input(|input| input.time) as f32;
    let points = (0..=16).map(|i| rect.center() + 7.0 * Vec2::angled(time * 5.0 + i as f32 * 0.28)).collect();
    ui.painter().add(egui::Shape::line(points, Stroke::new(2.0, color)));
}

/// A name at the beginning of a line, so wide.
pub fn column(ui: &mut Ui, width: f32, name: &str) -> Response {
    let color = theme::palette(ui).quiet;
    cell(ui, width, Layout::left_to_right(Align::Center), RichText::new(name).color(color))
}

/// A text in a place so wide.
fn cell(ui: &mut Ui, width: f32, layout: Layout, text: RichText) -> Response {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(width, 20.0), Sense::hover());
    let mut inner = ui.new_child(egui::UiBuilder::new().max_rect(rect).layout(layout));
    inner.add(egui::Label::new(text).truncate())
}

/// A trait: its name, its value, and how common it is where that says something.
pub fn trait_row(ui: &mut Ui, name: &str, value: &str, share: Option<f64>, note: &str) {
    row(ui, name, |ui| {
        let width = (ui.available_width() - 108.0).clamp(60.0, 150.0);
        cell(ui, width, Layout::left_to_right(Align::Center), RichText::new(value));
        match share {
            Some(share) => rarity(ui, share),
            None if !note.is_empty() => drop(quiet(ui, note)),
            None => {}
        }
    });
}

/// A name and what it stands for, one below the other where the line is short.
pub fn fact(ui: &mut Ui, name: &str, value: &str) {
    row(ui, name, |ui| drop(ui.add(egui::Label::new(value).wrap())));
}

/// A line that begins with a name: all that stands in it is on one height.
fn row(ui: &mut Ui, name: &str, rest: impl FnOnce(&mut Ui)) {
    let layout = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(Vec2::new(ui.available_width(), 20.0), layout, |ui| {
        ui.spacing_mut().interact_size.y = 20.0;
        column(ui, 112.0, name);
        rest(ui);
    });
}

/// The same for what machines read: shortened, and copied with a click.
pub fn code(ui: &mut Ui, name: &str, value: &str) {
    copied(ui, name, &crate::text::short(value), value);
}

/// A name and what is copied with a click, as it is shown and as it is.
pub fn copied(ui: &mut Ui, name: &str, shown: &str, value: &str) {
    row(ui, name, |ui| {
        ui.label(RichText::new(shown).monospace()).on_hover_text(value);
        if icon_button(ui, icons::COPY, &format!("Copy {}", name.to_lowercase())).clicked() {
            ui.ctx().copy_text(value.into());
        }
    });
}

/// A field of one line.
pub fn line(text: &mut String) -> egui::TextEdit<'_> {
    egui::TextEdit::singleline(text).margin(Margin::symmetric(8, 6))
}

/// A field of several lines.
pub fn lines(text: &mut String) -> egui::TextEdit<'_> {
    egui::TextEdit::multiline(text).margin(Margin::symmetric(8, 6))
}

/// Something that stands out of the page.
pub fn card(ui: &Ui) -> Frame {
    let colors = theme::palette(ui);
    Frame::new()
        .fill(colors.raised)
        .stroke(Stroke::new(1.0, colors.line))
        .corner_radius(10)
        .inner_margin(Margin::same(APART as i8))
}

/// The ground of a page, with its margins.
pub fn page(ui: &Ui) -> Frame {
    Frame::new().fill(theme::palette(ui).ground).inner_margin(Margin::symmetric(FAR as i8, 24))
}

/// What is not to grow wider than `widest` stands in the middle of the page.
pub fn middle<R>(ui: &mut Ui, widest: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let whole = ui.available_rect_before_wrap();
    let aside = ((whole.width() - widest) / 2.0).max(0.0).floor();
    let place = whole.shrink2(Vec2::new(aside, 0.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(place), add).inner
}

/// What a page shows where there is nothing yet; whether the button was pressed.
pub fn empty(ui: &mut Ui, icon: &str, words: &str, what_to_do: &str, button: &str) -> bool {
    let colors = theme::palette(ui);
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.add_space((ui.available_height() * 0.22).max(APART));
        ui.label(RichText::new(icon).size(44.0).color(colors.quiet));
        ui.label(RichText::new(words).text_style(theme::title()));
        let text = RichText::new(what_to_do).color(colors.quiet).line_height(Some(LEADING));
        ui.add(egui::Label::new(text).wrap().halign(Align::Center));
        ui.add_space(NEAR);
        !button.is_empty() && primary(ui, button).clicked()
    })
    .inner
}

/// Words about something that went wrong, or that is to be known.
pub fn notice(ui: &mut Ui, icon: &str, color: Color32, text: &str) {
    let colors = theme::palette(ui);
    Frame::new()
        .fill(colors.raised)
        .stroke(Stroke::new(1.0, color))
        .corner_radius(8)
        .inner_margin(Margin::same(10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal_top(|ui| {
                ui.label(RichText::new(icon).color(color).size(16.0));
                words(ui, text);
            });
        });
}

/// How much of something is done.
pub fn progress(ui: &mut Ui, share: f32, words: &str) {
    let colors = theme::palette(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 6.0), Sense::hover());
    ui.painter().rect_filled(rect, 3.0, colors.line);
    let mut done = rect;
    done.set_width(rect.width() * share.clamp(0.0, 1.0));
    ui.painter().rect_filled(done, 3.0, colors.accent);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::ProgressIndicator, true, words));
    if !words.is_empty() {
        quiet(ui, words);
    }
}

/// How common a value is, as a short bar, full for what every seed has, and as a number.
pub fn rarity(ui: &mut Ui, share: f64) {
    let colors = theme::palette(ui);
    let color = if share < 0.1 { colors.accent } else { colors.quiet };
    let (rect, response) = ui.allocate_exact_size(Vec2::new(28.0, 4.0), Sense::hover());
    ui.painter().rect_filled(rect, 0.0, colors.line);
    let mut part = rect;
    part.set_width((rect.width() * share as f32).max(2.0));
    ui.painter().rect_filled(part, 0.0, color);
    response.on_hover_text(format!("{:.1} % of all seeds have this", 100.0 * share));
    let right = Layout::right_to_left(Align::Center);
    cell(ui, 36.0, right, RichText::new(format!("{:.0} %", 100.0 * share)).color(color));
}

/// A picture that fills `rect` with round corners, as much of its middle as fits.
pub fn picture(ui: &Ui, texture: egui::TextureId, size: Vec2, rect: Rect, round: impl Into<CornerRadius>) {
    let shape = rect.width() / rect.height().max(1.0);
    let own = size.x / size.y.max(1.0);
    let part = if own > shape { Vec2::new(shape / own, 1.0) } else { Vec2::new(1.0, own / shape) };
    let uv = Rect::from_center_size(pos2(0.5, 0.5), part);
    let image = egui::epaint::RectShape::filled(rect, round.into(), Color32::WHITE).with_texture(texture, uv);
    ui.painter().add(image);
}

/// By how much a picture is enlarged at most: beyond that, it is only soft.
pub const ENLARGED: f32 = 2.5;

/// A frame of film, whole, in the middle of `rect`; where it lies.
pub fn whole_picture(ui: &Ui, texture: &TextureHandle, rect: Rect, round: u8) -> Rect {
    let size = texture.size_vec2();
    let scale = (rect.width() / size.x).min(rect.height() / size.y).min(ENLARGED);
    let place = Rect::from_center_size(rect.center(), size * scale);
    picture(ui, texture.id(), size, place, round);
    place
}

/// Words on a picture.
pub fn caption(ui: &Ui, at: egui::Pos2, align: Align2, words: &str) {
    let galley = ui.painter().layout_no_wrap(words.into(), FontId::proportional(12.0), egui::Color32::WHITE);
    let rect = align.anchor_size(at, galley.size() + egui::vec2(16.0, 8.0));
    let said = ui.interact(rect, ui.id().with(("caption", align, at.x as i32)), Sense::empty());
    said.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::Label, true, words));
    ui.painter().rect_filled(rect, 12.0, egui::Color32::from_black_alpha(180));
    ui.painter().galley(rect.min + egui::vec2(8.0, 4.0), galley, egui::Color32::WHITE);
}

/// The place of a picture that is not there yet, or will not come.
pub fn placeholder(ui: &Ui, rect: Rect, words: &str) {
    let colors = theme::palette(ui);
    ui.painter().rect(rect, CornerRadius::same(8), colors.panel, Stroke::new(1.0, colors.line), StrokeKind::Inside);
    if !words.is_empty() {
        let font = FontId::proportional(12.0);
        let galley = ui.painter().layout(words.to_owned(), font, colors.quiet, rect.width() - 2.0 * NEAR);
        let place = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect.shrink(TIGHT));
        ui.painter().galley(place.min, galley, colors.quiet);
    }
}

/// A picture that changes. What is new is shown once it has come to the graphics device: until then, what was there stays.
#[derive(Default)]
pub struct Screen {
    textures: [Option<TextureHandle>; 2],
    front: usize,
    /// In which pass of the interface the other texture was written.
    written: Option<u64>,
}

impl Screen {
    /// How many passes a texture takes to the device.
    const PASSES: u64 = 2;

    /// Whether another picture can be taken already.
    pub fn is_ready(&self) -> bool {
        self.written.is_none()
    }

    /// Takes another picture.
    pub fn set(&mut self, context: &egui::Context, image: &Rgb8Image) {
        let picture = egui::ColorImage::from_rgb([image.width, image.height], &image.pixels);
        match &mut self.textures[1 - self.front] {
            Some(texture) => texture.set(picture, egui::TextureOptions::LINEAR),
            none => *none = Some(context.load_texture("screen", picture, egui::TextureOptions::LINEAR)),
        }
        self.written = Some(context.cumulative_pass_nr());
    }

    /// What is shown now.
    pub fn texture(&mut self, context: &egui::Context) -> Option<&TextureHandle> {
        if self.written.is_some_and(|pass| context.cumulative_pass_nr() >= pass + Self::PASSES) {
            (self.front, self.written) = (1 - self.front, None);
        }
        self.textures[self.front].as_ref()
    }
}

/// A picture of ours as a texture.
pub fn texture(context: &egui::Context, name: &str, image: &Rgb8Image) -> TextureHandle {
    let picture = egui::ColorImage::from_rgb([image.width, image.height], &image.pixels);
    context.load_texture(name, picture, egui::TextureOptions::LINEAR)
}
