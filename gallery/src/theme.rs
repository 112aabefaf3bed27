//! How the app looks: one scale of type, one of space, and few colours, so that the art is the colour.

use bevy_egui::egui::{
    self, Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke,
    TextStyle, Theme, Vec2, Visuals,
    epaint::FontColorTransferFunction,
    style::{ScrollStyle, Selection, WidgetVisuals},
};

/// Space between things that belong together, between groups, and between sections; points.
pub const TIGHT: f32 = 4.0;
pub const NEAR: f32 = 8.0;
pub const APART: f32 = 16.0;
pub const FAR: f32 = 32.0;

/// The type scale.
const SMALL: f32 = 12.0;
const BODY: f32 = 14.0;
const LARGE: f32 = 16.0;
const TITLE: f32 = 34.0;

/// For titles of pages and pieces, beside egui's own heading.
pub fn title() -> TextStyle {
    TextStyle::Name("title".into())
}

/// Inter's semi-bold.
fn strong() -> FontFamily {
    FontFamily::Name("strong".into())
}

/// Instrument Serif.
fn display() -> FontFamily {
    FontFamily::Name("display".into())
}

/// Our typefaces; before each the icons, whose places in Unicode Inter uses for
/// letters of its own.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let files: [(&str, &'static [u8]); 5] = [
        ("inter", include_bytes!("../../assets/fonts/Inter-Regular.ttf")),
        ("inter-strong", include_bytes!("../../assets/fonts/Inter-SemiBold.ttf")),
        ("serif", include_bytes!("../../assets/fonts/InstrumentSerif-Regular.ttf")),
        ("mono", include_bytes!("../../assets/fonts/JetBrainsMono-Regular.ttf")),
        ("icons", include_bytes!("../../assets/fonts/Phosphor.ttf")),
    ];
    for (name, bytes) in files {
        fonts.font_data.insert(name.into(), FontData::from_static(bytes).into());
    }
    let families = [
        (FontFamily::Proportional, "inter"),
        (FontFamily::Monospace, "mono"),
        (strong(), "inter-strong"),
        (display(), "serif"),
    ];
    for (family, first) in families {
        fonts.families.insert(family, ["icons", first, "inter"].map(String::from).into());
    }
    fonts
}

/// The colours of one of the two themes.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    /// Behind everything, behind panels, behind what stands out of them.
    pub ground: Color32,
    pub panel: Color32,
    pub raised: Color32,
    pub line: Color32,
    pub text: Color32,
    pub quiet: Color32,
    /// What can be pressed first of all.
    pub accent: Color32,
    pub on_accent: Color32,
    pub good: Color32,
    pub bad: Color32,
}

const DARK: Palette = Palette {
    ground: Color32::from_rgb(0x0d, 0x0e, 0x11),
    panel: Color32::from_rgb(0x15, 0x16, 0x1a),
    raised: Color32::from_rgb(0x1f, 0x21, 0x27),
    line: Color32::from_rgb(0x2e, 0x31, 0x39),
    text: Color32::from_rgb(0xec, 0xea, 0xe4),
    quiet: Color32::from_rgb(0x9a, 0x9d, 0xa6),
    accent: Color32::from_rgb(0xe8, 0xb9, 0x62),
    on_accent: Color32::from_rgb(0x1b, 0x16, 0x0a),
    good: Color32::from_rgb(0x7c, 0xc7, 0x9a),
    bad: Color32::from_rgb(0xea, 0x78, 0x6c),
};

const LIGHT: Palette = Palette {
    ground: Color32::from_rgb(0xe9, 0xe6, 0xdf),
    panel: Color32::from_rgb(0xf7, 0xf5, 0xf1),
    raised: Color32::from_rgb(0xff, 0xff, 0xff),
    line: Color32::from_rgb(0xcc, 0xc6, 0xb9),
    text: Color32::from_rgb(0x1c, 0x1d, 0x21),
    quiet: Color32::from_rgb(0x4e, 0x51, 0x59),
    accent: Color32::from_rgb(0x8a, 0x5c, 0x0e),
    on_accent: Color32::from_rgb(0xff, 0xfb, 0xf2),
    good: Color32::from_rgb(0x1a, 0x6e, 0x3f),
    bad: Color32::from_rgb(0xb3, 0x34, 0x2a),
};

/// The colours in use.
pub fn palette(ui: &egui::Ui) -> &'static Palette {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

/// The longest that a press may last and be a click, seconds.
const MAX_CLICK: f64 = 3.0;

/// Dresses both themes of a context.
pub fn dress(context: &Context) {
    context.set_fonts(fonts());
    // Where frames are slow, a click is no shorter than one.
    context.options_mut(|options| options.input_options.max_click_duration = MAX_CLICK);
    for (theme, colors) in [(Theme::Dark, &DARK), (Theme::Light, &LIGHT)] {
        context.set_visuals_of(theme, visuals(theme, colors));
    }
    context.all_styles_mut(|style| {
        let font = |size: f32| FontId::new(size, FontFamily::Proportional);
        style.text_styles = [
            (TextStyle::Small, font(SMALL)),
            (TextStyle::Body, font(BODY)),
            (TextStyle::Button, font(BODY)),
            (TextStyle::Monospace, FontId::new(SMALL, FontFamily::Monospace)),
            (TextStyle::Heading, FontId::new(LARGE, strong())),
            (title(), FontId::new(TITLE, display())),
        ]
        .into();
        let space = &mut style.spacing;
        space.item_spacing = Vec2::new(NEAR, NEAR);
        space.button_padding = Vec2::new(12.0, 6.0);
        space.interact_size = Vec2::new(32.0, 28.0);
        space.window_margin = Margin::same(APART as i8);
        space.menu_margin = Margin::same(NEAR as i8);
        space.slider_width = 150.0;
        // What is scrolled past is cut off, in both themes.
        space.scroll = ScrollStyle { foreground_color: false, ..ScrollStyle::floating() };
        space.scroll.fade.strength = 0.0;
        // What is to be copied has a button for that.
        style.interaction.selectable_labels = false;
        style.animation_time = 0.12;
    });
}

fn visuals(theme: Theme, colors: &Palette) -> Visuals {
    let mut visuals = if theme == Theme::Dark { Visuals::dark() } else { Visuals::light() };
    if theme == Theme::Light {
        // Dark letters on a light ground look thinner than light ones on a dark ground.
        visuals.text_options.color_transfer_function = FontColorTransferFunction::Gamma(0.65);
    }
    visuals.text_cursor.stroke.color = colors.accent;
    let round = CornerRadius::same(6);
    let widget = |fill: Color32, line: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, line),
        corner_radius: round,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let widgets = &mut visuals.widgets;
    widgets.noninteractive = widget(colors.panel, colors.line, colors.text);
    // What is filled in where it can be pressed, like a radio button's circle, stands out of cards too.
    widgets.inactive = WidgetVisuals { bg_fill: colors.line, ..widget(colors.raised, colors.line, colors.text) };
    widgets.hovered = widget(colors.raised, colors.quiet, colors.text);
    widgets.active = widget(colors.line, colors.accent, colors.text);
    widgets.open = widget(colors.raised, colors.quiet, colors.text);
    visuals.selection =
        Selection { bg_fill: colors.accent.gamma_multiply(0.35), stroke: Stroke::new(1.0, colors.text) };
    visuals.weak_text_color = Some(colors.quiet);
    visuals.hyperlink_color = colors.accent;
    visuals.faint_bg_color = colors.raised;
    visuals.extreme_bg_color = if theme == Theme::Dark { colors.ground } else { colors.raised };
    visuals.warn_fg_color = colors.accent;
    visuals.error_fg_color = colors.bad;
    visuals.window_fill = colors.panel;
    visuals.panel_fill = colors.panel;
    visuals.window_stroke = Stroke::new(1.0, colors.line);
    visuals.window_corner_radius = CornerRadius::same(10);
    visuals.menu_corner_radius = CornerRadius::same(8);
    visuals.window_shadow = Shadow { offset: [0, 8], blur: 32, spread: 0, color: Color32::from_black_alpha(70) };
    visuals.popup_shadow = Shadow { offset: [0, 4], blur: 16, spread: 0, color: Color32::from_black_alpha(50) };
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours, as WCAG 2 defines it.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |color: Color32| {
            let [r, g, b, _] = egui::Rgba::from(color).to_array();
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read() {
        for colors in [&DARK, &LIGHT] {
            for ground in [colors.ground, colors.panel, colors.raised] {
                assert!(contrast(colors.text, ground) > 10.0);
                for quieter in [colors.quiet, colors.accent, colors.good, colors.bad] {
                    assert!(
                        contrast(quieter, ground) > 4.5,
                        "{quieter:?} on {ground:?}: {}",
                        contrast(quieter, ground)
                    );
                }
            }
            assert!(contrast(colors.on_accent, colors.accent) > 4.5);
        }
    }
}
