//! Curated palettes, chosen in OKLCH so that their colours agree.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::scene::Rgb;

/// Two grounds, four colours for the piece and an accent, linear Rec. 709.
#[derive(Debug, Clone, PartialEq)]
pub struct Palette {
    /// Its name.
    pub name: String,
    /// Paper and floor.
    pub ground: Rgb,
    /// Paper and floor by night: dark, so that the colours glow before it.
    pub deep: Rgb,
    /// The piece's own colours.
    pub colors: [Rgb; 4],
    /// What clear water lends to white light on its way.
    pub water: Rgb,
    /// For the few things that should be seen first.
    pub accent: Rgb,
}

#[derive(Deserialize)]
struct File {
    palettes: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    ground: [f32; 3],
    deep: [f32; 3],
    colors: [[f32; 3]; 4],
    water: [f32; 3],
    accent: [f32; 3],
}

static PALETTES: LazyLock<Vec<Palette>> = LazyLock::new(|| {
    let file: File = serde_json::from_str(include_str!("../../assets/palettes.json")).expect("a test reads the file");
    let palette = |entry: Entry| Palette {
        name: entry.name,
        ground: oklch(entry.ground),
        deep: oklch(entry.deep),
        colors: entry.colors.map(oklch),
        water: oklch(entry.water),
        accent: oklch(entry.accent),
    };
    file.palettes.into_iter().map(palette).collect()
});

impl Palette {
    /// The palette called `name`.
    ///
    /// # Panics
    /// If there is none; names are those of the scenarios' own traits, which a test holds against the file.
    #[must_use]
    pub fn named(name: &str) -> &'static Self {
        PALETTES.iter().find(|p| p.name == name).unwrap_or_else(|| panic!("no palette {name}"))
    }

    /// The colour at `t` along the piece's four colours, blended smoothly; `t` is limited to [0, 1].
    #[must_use]
    pub fn ramp(&self, t: f32) -> Rgb {
        let place = t.clamp(0.0, 1.0) * 3.0;
        let index = (place as usize).min(2);
        let f = place - index as f32;
        mix(self.colors[index], self.colors[index + 1], f * f * (3.0 - 2.0 * f))
    }
}

/// From `a` to `b` by `t` in [0, 1].
#[must_use]
pub fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
}

/// `color` times `factor`.
#[must_use]
pub fn scale(color: Rgb, factor: f32) -> Rgb {
    color.map(|c| c * factor)
}

/// Linear Rec. 709 of an OKLCH colour (lightness, chroma, hue in degrees), limited to [0, 1]. Björn Ottosson, *A
/// perceptual color space for image processing* (2020).
#[must_use]
pub fn oklch([lightness, chroma, hue]: [f32; 3]) -> Rgb {
    let angle = hue * (std::f32::consts::PI / 180.0);
    let (a, b) = (chroma * libm::cosf(angle), chroma * libm::sinf(angle));
    let cube = |x: f32| x * x * x;
    let l = cube(lightness + 0.396_337_78 * a + 0.215_803_76 * b);
    let m = cube(lightness - 0.105_561_346 * a - 0.063_854_17 * b);
    let s = cube(lightness - 0.089_484_18 * a - 1.291_485_5 * b);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
    .map(|c| c.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_is_white_and_the_file_reads() {
        assert!(oklch([1.0, 0.0, 0.0]).iter().all(|c| (c - 1.0).abs() < 1e-3));
        assert!(PALETTES.len() >= 8);
    }
}
