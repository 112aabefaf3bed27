//! The denoiser must take noise away and nothing else.

use seedstorm_render::Layers;
use seedstorm_render::denoise::{REACH, denoise};

const SIDE: usize = 96;
const SAMPLES: f32 = 16.0;

/// A number in [0, 1) of a pixel and a stream.
fn random(at: usize, stream: u64) -> f32 {
    let mut x = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93);
    for _ in 0..3 {
        x ^= x >> 32;
        x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    }
    (x >> 40) as f32 / 16_777_216.0
}

/// Two painted walls that meet in a corner, lit softly; one of them is checkered.
fn clean() -> Layers {
    let mut layers = Layers::new(SIDE, SIDE);
    for at in 0..SIDE * SIDE {
        let (x, y) = ((at % SIDE) as f32 / SIDE as f32, (at / SIDE) as f32 / SIDE as f32);
        let left = x + 0.3 * y < 0.6;
        let check = ((at % SIDE) / 8 + at / SIDE / 8).is_multiple_of(2);
        let albedo = match (left, check) {
            (true, _) => [0.7, 0.3, 0.2],
            (false, true) => [0.8; 3],
            (false, false) => [0.1, 0.2, 0.4],
        };
        let light = if left { 0.3 + 0.6 * y } else { 1.2 - 0.8 * (x - 0.5) * (x - 0.5) };
        layers.albedo[at] = albedo;
        layers.radiance[at] = albedo.map(|a| a * light);
        layers.normal[at] = if left { [0.8, 0.0, 0.6] } else { [-0.6, 0.0, 0.8] };
        layers.depth[at] = if left { 5.0 - x } else { 4.2 + x };
    }
    layers
}

/// The same as a path tracer would see it with few samples: the light is found by chance.
fn noisy(stream: u64) -> Layers {
    let mut layers = clean();
    for at in 0..SIDE * SIDE {
        let (mut sum, mut squares) = (0.0, 0.0);
        for sample in 0..SAMPLES as u64 {
            // Found in one of three tries, and then three times as bright.
            let found = if random(at, stream * 1000 + sample) < 1.0 / 3.0 { 3.0 } else { 0.0 };
            sum += found;
            squares += found * found;
        }
        let mean = sum / SAMPLES;
        let [r, g, b] = layers.radiance[at];
        let luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        let variance = (squares / SAMPLES - mean * mean) / (SAMPLES - 1.0);
        layers.variance[at] = variance * luminance * luminance;
        layers.radiance[at] = [r * mean, g * mean, b * mean];
    }
    layers
}

fn error(picture: &[[f32; 3]], at: impl Fn(usize) -> bool) -> f64 {
    let reference = clean().radiance;
    let (mut sum, mut count) = (0.0, 0.0);
    for index in (0..picture.len()).filter(|index| at(*index)) {
        for (value, expected) in picture[index].iter().zip(reference[index]) {
            sum += f64::from((value - expected) * (value - expected));
            count += 1.0;
        }
    }
    sum / count
}

#[test]
fn noise_falls_and_edges_stay() {
    let noisy = noisy(1);
    let filtered = denoise(&noisy);
    let plain = |at: usize| (at % SIDE) as f32 + 0.3 * ((at / SIDE) as f32) < 0.5 * SIDE as f32;
    let (before, after) = (error(&noisy.radiance, plain), error(&filtered, plain));
    assert!(after * 30.0 < before, "on the plain wall the squared error went from {before} to {after}");
    let (before, after) = (error(&noisy.radiance, |at| !plain(at)), error(&filtered, |at| !plain(at)));
    assert!(after * 3.0 < before, "on the checkers the squared error went from {before} to {after}");
    // Beside the edges of the checkers, where a blur would be at its worst, it may be no more than twice that.
    let beside = |at: usize| !plain(at) && ((at % SIDE).is_multiple_of(8) || (at % SIDE) % 8 == 7);
    let there = error(&filtered, beside);
    assert!(there < 2.0 * after, "{there} at the edges, {after} all over");
}

#[test]
fn two_takes_of_one_picture_agree() {
    // Frames of a film differ in their noise; what is left of it flickers.
    let (a, b) = (noisy(1), noisy(2));
    let apart = |a: &[[f32; 3]], b: &[[f32; 3]]| {
        a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| f64::from((a - b) * (a - b))).sum::<f64>()
    };
    let (before, after) = (apart(&a.radiance, &b.radiance), apart(&denoise(&a), &denoise(&b)));
    assert!(after * 3.5 < before, "{before} became {after}");
}

#[test]
fn a_picture_without_noise_passes() {
    let layers = clean();
    for (at, (filtered, original)) in denoise(&layers).iter().zip(&layers.radiance).enumerate() {
        for (a, b) in filtered.iter().zip(original) {
            assert!((a - b).abs() < 2e-3 * b + 1e-6, "{filtered:?} instead of {original:?} at {at}");
        }
    }
}

#[test]
fn reflections_that_no_feature_knows_stay() {
    // A thin bright stripe in a mirror: features are flat, the samples agree.
    let mut layers = Layers::new(64, 64);
    layers.depth.fill(3.0);
    layers.normal.fill([0.0, 0.0, 1.0]);
    layers.albedo.fill([0.9; 3]);
    for at in 0..64_usize * 64 {
        let stripe = (at % 64).abs_diff(at / 64) < 2;
        let level = if stripe { 2.0 } else { 0.2 };
        let jitter = 0.05 * (random(at, 3) - 0.5);
        layers.radiance[at] = [level * (1.0 + jitter); 3];
        layers.variance[at] = level * level * 0.05 * 0.05 / 12.0;
    }
    let filtered = denoise(&layers);
    for (at, value) in filtered.iter().enumerate() {
        let expected = if (at % 64).abs_diff(at / 64) < 2 { 2.0 } else { 0.2 };
        assert!((value[1] / expected - 1.0).abs() < 0.03, "{} at {at}", value[1]);
    }
}

#[test]
fn a_firefly_is_put_out_and_a_lamp_is_not() {
    let mut layers = noisy(4);
    let (firefly, lamp) = (30 * SIDE + 70, 60 * SIDE + 20);
    // One path of sixteen found a very bright place: the mean and its deviation are alike.
    layers.radiance[firefly] = [400.0; 3];
    layers.variance[firefly] = 400.0 * 400.0;
    layers.radiance[lamp] = [400.0; 3];
    layers.variance[lamp] = 4.0;
    layers.normal[lamp] = [0.0; 3];
    let filtered = denoise(&layers);
    let reference = clean().radiance;
    assert!(filtered[firefly][0] < 2.0 * reference[firefly][0], "{:?}", filtered[firefly]);
    assert!(filtered[lamp][0] > 380.0, "{:?}", filtered[lamp]);
    for (dx, dy) in [(1, 0), (0, 1), (3, 2)] {
        let beside = filtered[firefly + dx + dy * SIDE];
        assert!(beside[0] < 2.0, "the firefly lit its neighbour: {beside:?}");
    }
}

#[test]
fn what_is_not_a_number_does_not_spread() {
    let sound = noisy(5);
    let mut damaged = sound.clone();
    let at = 40 * SIDE + 40;
    damaged.radiance[at] = [f32::NAN, 1.0, f32::INFINITY];
    damaged.variance[at + 5] = f32::NAN;
    damaged.normal[at + 9] = [f32::NAN; 3];
    damaged.albedo[at + 13] = [f32::INFINITY; 3];
    damaged.depth[at + 17] = f32::NEG_INFINITY;
    let filtered = denoise(&damaged);
    assert!(filtered.iter().flatten().all(|v| v.is_finite() && *v >= 0.0));
    let reference = clean().radiance;
    assert!((filtered[at][1] / reference[at][1] - 1.0).abs() < 0.5, "{:?} for {:?}", filtered[at], reference[at]);
    let all = vec![[f32::NAN; 3]; SIDE * SIDE];
    assert!(denoise(&Layers { radiance: all, ..sound }).iter().flatten().all(|v| *v == 0.0));
}

#[test]
fn the_result_is_the_same_for_any_number_of_threads() {
    let layers = noisy(6);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let filtered = pool.install(|| denoise(&layers));
        let bits: Vec<u8> = filtered.iter().flatten().flat_map(|v| v.to_bits().to_le_bytes()).collect();
        blake3::hash(&bits).to_hex().to_string()
    };
    let alone = with(1);
    assert_eq!(alone, with(2));
    assert_eq!(alone, with(3));
    assert_eq!(
        alone, "88de0941de7ca3be8566270f85f5ec459b198e8b55d10b92c4331ad666901dd6",
        "the denoiser changed: so does every frame, and this is a new engine version"
    );
}

#[test]
fn a_pixel_depends_on_nothing_beyond_the_reach() {
    // A validator filters a tile with its surroundings, and must find the bits of the whole frame.
    let whole = noisy(7);
    let (x, y) = (70, 30);
    let mut part = whole.clone();
    for at in 0..SIDE * SIDE {
        if (at % SIDE).abs_diff(x) > REACH || (at / SIDE).abs_diff(y) > REACH {
            part.radiance[at] = [50.0 * random(at, 1); 3];
            part.albedo[at] = [random(at, 2); 3];
            part.normal[at] = [0.0, 0.0, random(at, 3)];
            part.depth[at] = 100.0 * random(at, 4);
            part.variance[at] = 30.0 * random(at, 5);
        }
    }
    let at = y * SIDE + x;
    assert_eq!(denoise(&whole)[at].map(f32::to_bits), denoise(&part)[at].map(f32::to_bits));
    assert_ne!(denoise(&whole)[10], denoise(&part)[10]);
}

#[test]
fn small_pictures_are_filtered_too() {
    for (width, height) in [(1, 1), (3, 2), (2, 40)] {
        let mut layers = Layers::new(width, height);
        layers.radiance.fill([0.5, 0.25, 0.125]);
        layers.variance.fill(0.01);
        for value in denoise(&layers).iter() {
            assert!(value.iter().zip([0.5, 0.25, 0.125]).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }
    assert!(denoise(&Layers::new(0, 0)).is_empty());
}
