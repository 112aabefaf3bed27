//! From scene radiance to a picture on a screen: exposure, a tone curve, sRGB, eight bits.

use rayon::prelude::*;

use crate::image_file::Rgb8Image;

/// How radiance, which has no upper bound, becomes a colour that a screen can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToneCurve {
    /// AgX by Troy Sobotka in its base look, with the Rec. 2020 inset of Blender 4: filmic, bright colours bleach
    /// towards white, soft saturation. For scenes with very bright lights and emission.
    Agx,
    /// AgX with the "punchy" look: more contrast and saturation, hence nearer to a product photograph.
    #[default]
    AgxPunchy,
    /// The PBR Neutral tone mapper of the Khronos Group: colours below 0.8 pass nearly unchanged, highlights are
    /// compressed and bleached. For scenes whose base colours must be recognised.
    KhronosNeutral,
}

/// Develops linear Rec. 709 radiance into an 8-bit sRGB picture.
///
/// `radiance` holds `width * height` pixels, rows from the top; it is multiplied by two to the power `exposure_stops`.
/// A value that is not a number counts as black, one above the range as its end. The eighth bit is dithered by the
/// pixel's place alone (an R2 sequence, M. Roberts 2018), so that a smooth backdrop shows no bands and a still
/// picture stays still from frame to frame.
///
/// # Panics
///
/// If `radiance` does not hold `width * height` pixels.
pub fn develop(radiance: &[[f32; 3]], width: usize, height: usize, exposure_stops: f32, curve: ToneCurve) -> Rgb8Image {
    assert_eq!(radiance.len(), width * height, "a picture of {width}x{height} needs as many pixels");
    let mut image = Rgb8Image::new(width, height);
    if image.pixels.is_empty() {
        return image;
    }
    let exposure = libm::exp2f(exposure_stops);
    let agx = AgxCurve::new();
    image.pixels.par_chunks_mut(width * 3).zip(radiance.par_chunks(width)).enumerate().for_each(
        |(y, (row, pixels))| {
            for (x, (out, pixel)) in row.chunks_exact_mut(3).zip(pixels).enumerate() {
                let linear = agx.map(pixel.map(|v| finite(v * exposure)), curve);
                for (channel, (byte, value)) in out.iter_mut().zip(linear).enumerate() {
                    let code = encode_srgb(value) * 255.0 + dither(x, y, channel);
                    *byte = code.clamp(0.0, 255.0) as u8;
                }
            }
        },
    );
    image
}

/// The display colour, linear Rec. 709 in [0, 1], that `curve` gives to a linear Rec. 709 radiance.
pub fn tone_map(radiance: [f32; 3], curve: ToneCurve) -> [f32; 3] {
    AgxCurve::new().map(radiance.map(finite), curve)
}

/// The largest radiance that the curves are asked for; far above what any of them distinguishes from white.
const BRIGHTEST: f32 = 1.0e6;

fn finite(value: f32) -> f32 {
    // A NaN is not above zero.
    if value > 0.0 { value.min(BRIGHTEST) } else { 0.0 }
}

/// The sRGB transfer function (IEC 61966-2-1), from linear to display code in [0, 1].
fn encode_srgb(linear: f32) -> f32 {
    if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * libm::powf(linear, 1.0 / 2.4) - 0.055 }
}

/// A threshold in [0, 1) for the fraction that eight bits cannot hold.
///
/// The additive R2 sequence in 32-bit fixed point, folded into a triangle wave: its energy lies at high frequencies,
/// as that of blue noise does. Channels are shifted against each other, so that luminance is dithered more finely
/// than one channel alone.
fn dither(x: usize, y: usize, channel: usize) -> f32 {
    let phase = (x as u32)
        .wrapping_mul(3_242_174_889)
        .wrapping_add((y as u32).wrapping_mul(2_447_445_414))
        .wrapping_add((channel as u32).wrapping_mul(1_431_655_765));
    let folded = if phase < 1 << 31 { phase } else { !phase };
    // 24 bits are exact in an `f32`, so the result stays below one.
    (folded >> 7) as f32 / 16_777_216.0
}

/// Rec. 709 to Rec. 2020, both linear, D65 (ITU-R BT.2087).
const REC709_TO_REC2020: [[f32; 3]; 3] =
    [[0.627_404, 0.329_283, 0.043_313], [0.069_097, 0.919_540, 0.011_362], [0.016_391, 0.088_013, 0.895_595]];

/// The inverse of [`REC709_TO_REC2020`].
const REC2020_TO_REC709: [[f32; 3]; 3] =
    [[1.660_491, -0.587_641, -0.072_850], [-0.124_550, 1.132_9, -0.008_349], [-0.018_151, -0.100_579, 1.118_73]];

/// AgX's inset of the Rec. 2020 primaries, which makes bright saturated light bleach; published with Blender 4.
const AGX_INSET: [[f32; 3]; 3] = [
    [0.856_627_15, 0.095_121_24, 0.048_251_606],
    [0.137_318_97, 0.761_242, 0.101_439_04],
    [0.111_898_21, 0.076_799_42, 0.811_302_37],
];

/// AgX's outset, which gives back some of the saturation that the inset took; published with Blender 4.
const AGX_OUTSET: [[f32; 3]; 3] = [
    [1.127_100_6, -0.110_606_64, -0.016_493_939],
    [-0.141_329_76, 1.157_823_7, -0.016_493_939],
    [-0.141_329_76, -0.110_606_64, 1.251_936_4],
];

/// AgX works on log2 radiance from ten stops below middle grey to six and a half above it.
const AGX_STOPS_BELOW_GREY: f32 = 10.0;
const AGX_STOPS: f32 = 16.5;
/// Slope of the sigmoid at middle grey.
const AGX_SLOPE: f32 = 2.4;
/// The sigmoid's output is a display code of this gamma.
const AGX_GAMMA: f32 = 2.4;
const MIDDLE_GREY: f32 = 0.18;

/// The sigmoid of AgX: two hyperbolas of power 1.5 that meet with one slope at middle grey, through (0, 0) and (1, 1).
struct AgxCurve {
    log2_floor: f32,
    pivot_x: f32,
    pivot_y: f32,
    toe: f32,
    shoulder: f32,
}

impl AgxCurve {
    fn new() -> Self {
        let pivot_x = AGX_STOPS_BELOW_GREY / AGX_STOPS;
        let pivot_y = libm::powf(MIDDLE_GREY, 1.0 / AGX_GAMMA);
        Self {
            log2_floor: libm::log2f(MIDDLE_GREY) - AGX_STOPS_BELOW_GREY,
            pivot_x,
            pivot_y,
            toe: hyperbola_scale(AGX_SLOPE * pivot_x, pivot_y),
            shoulder: hyperbola_scale(AGX_SLOPE * (1.0 - pivot_x), 1.0 - pivot_y),
        }
    }

    fn map(&self, radiance: [f32; 3], curve: ToneCurve) -> [f32; 3] {
        match curve {
            ToneCurve::Agx => self.agx(radiance, 1.0, 1.0),
            // The values of the look in Blender's and Filament's implementations: an ASC CDL.
            ToneCurve::AgxPunchy => self.agx(radiance, 1.35, 1.4),
            ToneCurve::KhronosNeutral => khronos_neutral(radiance),
        }
    }

    fn agx(&self, radiance: [f32; 3], power: f32, saturation: f32) -> [f32; 3] {
        let inset = multiply(&AGX_INSET, multiply(&REC709_TO_REC2020, radiance));
        let mut code = inset.map(|v| self.sigmoid(v));
        if power != 1.0 || saturation != 1.0 {
            code = code.map(|v| libm::powf(v, power));
            let luma = 0.2627 * code[0] + 0.678 * code[1] + 0.0593 * code[2];
            code = code.map(|v| luma + saturation * (v - luma));
        }
        let linear = code.map(|v| libm::powf(v.clamp(0.0, 1.0), AGX_GAMMA));
        multiply(&REC2020_TO_REC709, multiply(&AGX_OUTSET, linear)).map(|v| v.clamp(0.0, 1.0))
    }

    fn sigmoid(&self, linear: f32) -> f32 {
        if linear <= 0.0 {
            return 0.0;
        }
        let x = ((libm::log2f(linear) - self.log2_floor) / AGX_STOPS).clamp(0.0, 1.0);
        if x < self.pivot_x {
            self.pivot_y - hyperbola(AGX_SLOPE * (self.pivot_x - x), self.toe)
        } else {
            self.pivot_y + hyperbola(AGX_SLOPE * (x - self.pivot_x), self.shoulder)
        }
        .clamp(0.0, 1.0)
    }
}

/// `u / (1 + (u / scale)^1.5)^(2/3)`: slope one at zero, levelling off at `scale`.
fn hyperbola(u: f32, scale: f32) -> f32 {
    let v = u / scale;
    let root = libm::cbrtf(1.0 + v * v.sqrt());
    u / (root * root)
}

/// The scale at which [`hyperbola`] of `u` is `value`, for `u > value > 0`.
fn hyperbola_scale(u: f32, value: f32) -> f32 {
    let ratio = u / value;
    let root = libm::cbrtf(ratio * ratio.sqrt() - 1.0);
    u / (root * root)
}

/// Khronos PBR Neutral (specification of the Khronos Group's ToneMapping repository, 2024).
fn khronos_neutral(radiance: [f32; 3]) -> [f32; 3] {
    const START: f32 = 0.8 - 0.04;
    const DESATURATION: f32 = 0.15;
    let lowest = radiance[0].min(radiance[1]).min(radiance[2]);
    let offset = if lowest < 0.08 { lowest - 6.25 * lowest * lowest } else { 0.04 };
    let color = radiance.map(|v| v - offset);
    let peak = color[0].max(color[1]).max(color[2]);
    if peak < START {
        return color.map(|v| v.clamp(0.0, 1.0));
    }
    let room = 1.0 - START;
    let compressed = 1.0 - room * room / (peak + room - START);
    let bleach = 1.0 - 1.0 / (DESATURATION * (peak - compressed) + 1.0);
    color.map(|v| {
        let scaled = v * (compressed / peak);
        (scaled + (compressed - scaled) * bleach).clamp(0.0, 1.0)
    })
}

fn multiply(matrix: &[[f32; 3]; 3], v: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVES: [ToneCurve; 3] = [ToneCurve::Agx, ToneCurve::AgxPunchy, ToneCurve::KhronosNeutral];

    #[test]
    fn black_stays_black_and_greys_rise_and_stay_grey() {
        for curve in CURVES {
            assert_eq!(tone_map([0.0; 3], curve), [0.0; 3], "{curve:?}");
            let mut last = 0.0;
            for step in 0..400 {
                let grey = libm::exp2f(step as f32 / 20.0 - 14.0);
                let [r, g, b] = tone_map([grey; 3], curve);
                assert!((r - g).abs() < 2e-4 && (g - b).abs() < 2e-4, "{curve:?} tints {grey}: {r} {g} {b}");
                assert!(g >= last - 1e-6 && g <= 1.0, "{curve:?} falls at {grey}");
                last = g;
            }
            assert!(last > 0.98, "{curve:?} never reaches white: {last}");
        }
    }

    #[test]
    fn known_values() {
        // AgX keeps middle grey; its ends are the ends of its 16.5 stops.
        let [_, grey, _] = tone_map([0.18; 3], ToneCurve::Agx);
        assert!((grey - 0.18).abs() < 1e-3, "{grey}");
        let curve = AgxCurve::new();
        assert_eq!(curve.sigmoid(1e-9), 0.0);
        assert!((curve.sigmoid(1e6) - 1.0).abs() < 1e-6);
        // Khronos PBR Neutral: 0.04 is taken off above 0.08, and nothing else happens below 0.8.
        let [r, g, b] = tone_map([0.5, 0.3, 0.2], ToneCurve::KhronosNeutral);
        assert!((r - 0.46).abs() < 1e-6 && (g - 0.26).abs() < 1e-6 && (b - 0.16).abs() < 1e-6);
        // Of a radiance of one: peak 0.96, compressed to 1 - 0.24²/0.44.
        let [white, ..] = tone_map([1.0; 3], ToneCurve::KhronosNeutral);
        assert!((white - 0.869_090_9).abs() < 1e-6, "{white}");
        // sRGB: the code of linear 0.18 is 117.6 of 255 (IEC 61966-2-1).
        assert!((encode_srgb(0.18) * 255.0 - 117.64).abs() < 0.02);
    }

    #[test]
    fn saturated_colours_keep_their_order_and_their_strength() {
        for curve in CURVES {
            for stops in [-2.0_f32, -1.0, 0.0, 1.0] {
                let gain = libm::exp2f(stops);
                let [r, g, b] = tone_map([0.8 * gain, 0.1 * gain, 0.05 * gain], curve);
                assert!(r > g && g >= b, "{curve:?} at {stops}: {r} {g} {b}");
            }
        }
        // In display code, chroma of a red as painted, of the same through the curves.
        let chroma = |rgb: [f32; 3]| encode_srgb(rgb[0]) - encode_srgb(rgb[2]);
        let painted = [0.6, 0.05, 0.04];
        let base = chroma(tone_map(painted, ToneCurve::Agx));
        let punchy = chroma(tone_map(painted, ToneCurve::AgxPunchy));
        let neutral = chroma(tone_map(painted, ToneCurve::KhronosNeutral));
        assert!(punchy > 1.1 * base, "the punchy look must be stronger: {punchy} against {base}");
        assert!(punchy > 0.75 * chroma(painted), "{punchy} of {}", chroma(painted));
        assert!(neutral > 0.95 * chroma(painted), "{neutral} of {}", chroma(painted));
    }

    #[test]
    fn what_is_not_a_number_becomes_black_and_what_is_infinite_white() {
        for curve in CURVES {
            let image = develop(&[[f32::NAN; 3], [f32::INFINITY; 3], [f32::NEG_INFINITY; 3]], 3, 1, 0.0, curve);
            assert_eq!(image.pixel(0, 0), [0; 3], "{curve:?}");
            assert!(image.pixel(1, 0).iter().all(|v| *v >= 254), "{curve:?}: {:?}", image.pixel(1, 0));
            assert_eq!(image.pixel(2, 0), [0; 3], "{curve:?}");
        }
    }

    #[test]
    fn a_stop_of_exposure_is_a_factor_of_two() {
        let bright = develop(&[[0.2, 0.1, 0.05]; 64], 8, 8, 1.0, ToneCurve::Agx);
        let given = develop(&[[0.4, 0.2, 0.1]; 64], 8, 8, 0.0, ToneCurve::Agx);
        assert_eq!(bright, given);
    }

    #[test]
    fn dithering_keeps_the_mean_of_a_flat_tone() {
        // A tone between two codes comes out as both, in the right proportion.
        let value = 0.05_f32;
        let image = develop(&vec![[value; 3]; 128 * 128], 128, 128, 0.0, ToneCurve::KhronosNeutral);
        let expected = f64::from(encode_srgb(tone_map([value; 3], ToneCurve::KhronosNeutral)[0])) * 255.0;
        let mean = image.pixels.iter().map(|v| f64::from(*v)).sum::<f64>() / image.pixels.len() as f64;
        assert!((mean - expected).abs() < 0.02, "{mean} instead of {expected}");
        let (least, most) = (image.pixels.iter().min().unwrap(), image.pixels.iter().max().unwrap());
        assert_eq!(most - least, 1);
    }
}
