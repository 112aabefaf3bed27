//! Light from all around, made by rule: a loft with a tall window, a sky at dusk, the northern lights.

use nalgebra::Vector3;

use crate::{
    palette::{mix, scale},
    random::Stream,
    scenario::noise::smooth,
    scene::{Environment, Rgb, Sun},
    seed::Seed,
};

/// Rows of a map; it has twice as many columns.
const ROWS: usize = 192;

/// Where the evening's sun stands.
const SUNSET: [f32; 3] = [-0.86, 0.20, 0.30];

type Direction = Vector3<f32>;

/// The map of what `radiance` gives for each direction.
fn map(radiance: impl Fn(Direction) -> Rgb) -> Environment {
    let (width, height) = (2 * ROWS, ROWS);
    let mut texels = Vec::with_capacity(width * height);
    for row in 0..height {
        let (sin, cos) = libm::sincosf((row as f32 + 0.5) / height as f32 * std::f32::consts::PI);
        for column in 0..width {
            let longitude = ((column as f32 + 0.5) / width as f32 * 2.0 - 1.0) * std::f32::consts::PI;
            let (sin_longitude, cos_longitude) = libm::sincosf(longitude);
            texels.push(radiance(Vector3::new(sin * cos_longitude, cos, sin * sin_longitude)));
        }
    }
    Environment { width, height, radiance: texels }
}

fn add(a: Rgb, b: Rgb) -> Rgb {
    std::array::from_fn(|i| a[i] + b[i])
}

/// 0 below `from`, 1 above `to`, smooth between.
fn rise(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Where a direction meets the plane that faces the origin from `toward`, in units of its distance: to the right and up.
fn on_plane(d: Direction, toward: [f32; 3]) -> Option<[f32; 2]> {
    let front = Vector3::from(toward).normalize();
    let right = front.cross(&Vector3::y()).normalize();
    let depth = d.dot(&front);
    (depth > 0.05).then(|| [d.dot(&right) / depth, d.dot(&right.cross(&front)) / depth])
}

/// A panel of light: 1 within its half size, 0 outside, with an edge of this softness.
fn panel(d: Direction, toward: [f32; 3], half: [f32; 2], soft: f32) -> f32 {
    on_plane(d, toward)
        .map_or(0.0, |[x, y]| rise(half[0] + soft, half[0], x.abs()) * rise(half[1] + soft, half[1], y.abs()))
}

/// A dim loft: a tall window of many panes on the left, a softbox above on the right, a strip behind.
pub(crate) fn loft(ground: Rgb) -> Environment {
    const WINDOW: [f32; 3] = [-1.0, 0.42, 0.35];
    map(|d| {
        let room = if d.y < 0.0 {
            mix([0.10, 0.095, 0.09], scale(ground, 0.22), rise(0.0, 0.5, -d.y))
        } else {
            mix([0.10, 0.095, 0.09], [0.20, 0.195, 0.19], d.y)
        };
        let mut light = room;
        if let Some([x, y]) = on_plane(d, WINDOW) {
            let bars = [-0.36, 0.0, 0.36].iter().map(|bar| rise(0.012, 0.03, (x - bar).abs())).product::<f32>()
                * [-0.3, 0.12].iter().map(|bar| rise(0.012, 0.03, (y - bar).abs())).product::<f32>();
            let pane = panel(d, WINDOW, [0.7, 0.62], 0.02) * bars;
            let outside = mix([1.0, 0.80, 0.58], [0.66, 0.84, 1.0], rise(-0.45, 0.35, y));
            light = add(light, scale(outside, 13.0 * pane));
        }
        light = add(light, scale([1.0, 0.93, 0.84], 8.0 * panel(d, [0.75, 0.85, 0.55], [0.42, 0.3], 0.10)));
        add(light, scale([0.80, 0.90, 1.0], 7.0 * panel(d, [0.9, 0.25, -0.55], [0.07, 0.75], 0.05)))
    })
}

/// Octaves of noise, in about [−1, 1].
fn clouds(stream: &Stream, place: [f64; 3]) -> f32 {
    let octave = |i: i32| {
        let size = f64::from(1 << i);
        smooth(stream, place.map(|c| c * size)) * 0.55 / f64::from(1 << i).sqrt()
    };
    (0..5).map(octave).sum::<f64>() as f32
}

/// A sky at dusk: fire around the sun, violet on the other side, clouds that catch it.
pub(crate) fn dusk(seed: u64, ground: Rgb) -> (Environment, Sun) {
    let stream = Stream::new(&Seed::from(seed), "environment/dusk");
    let sun = Vector3::from(SUNSET).normalize();
    let environment = map(|d| {
        let near = (d.dot(&sun) * 0.5 + 0.5).max(0.0);
        let horizon = mix([0.42, 0.30, 0.52], [2.3, 0.92, 0.34], near * near * near);
        let zenith = mix([0.07, 0.10, 0.25], [0.16, 0.22, 0.42], near);
        let glow = scale([3.2, 1.35, 0.5], libm::expf((d.dot(&sun) - 1.0) * 26.0));
        if d.y < 0.0 {
            let lit = scale(ground, 0.10 + 0.16 * near);
            return mix(scale(horizon, 0.55), lit, rise(0.0, 0.12, -d.y));
        }
        let sky = add(mix(horizon, zenith, rise(0.0, 0.62, d.y).sqrt()), glow);
        // A plane of clouds overhead, thinner toward the horizon.
        let far = f64::from(d.y) + 0.16;
        let density = clouds(&stream, [f64::from(d.x) / far * 1.1, 7.0, f64::from(d.z) / far * 2.1]);
        let cover = rise(-0.05, 0.55, density) * rise(0.02, 0.2, d.y);
        let lit = mix([0.34, 0.22, 0.34], [3.0, 1.25, 0.62], near * near);
        mix(sky, mix(lit, scale(lit, 0.35), rise(0.2, 0.9, density)), 0.85 * cover)
    });
    (environment, Sun { toward: sun, angular_radius: 0.06, radiance: [1500.0, 820.0, 360.0] })
}

/// Curtains of green and violet light over a dark sky.
pub(crate) fn aurora(seed: u64, ground: Rgb) -> Environment {
    let stream = Stream::new(&Seed::from(seed), "environment/aurora");
    map(|d| {
        let night = mix([0.05, 0.075, 0.13], [0.018, 0.025, 0.06], d.y.max(0.0).sqrt());
        if d.y < 0.0 {
            return mix(scale(night, 0.8), scale(ground, 0.03), rise(0.0, 0.15, -d.y));
        }
        let mut light = night;
        // Each curtain is a wavy wall that stands on its foot; rays run up in it.
        for curtain in 0..3_u32 {
            let turn = f64::from(curtain) * 2.1;
            let (x, z) = (f64::from(d.x), f64::from(d.z));
            let wave = smooth(&stream, [x * 1.6, turn * 5.0, z * 1.6]) * 0.30;
            let (sin, cos) = libm::sincos(turn);
            let across = (x * cos + z * sin + wave) as f32;
            let middle = [-0.45, 0.12, 0.5][curtain as usize];
            let rays = smooth(&stream, [x * 15.0, turn * 9.0 + 40.0, z * 15.0]) as f32 * 0.5 + 0.5;
            let wall = libm::expf(-((across - middle) / 0.10) * ((across - middle) / 0.10));
            let height = rise(0.05, 0.20, d.y) * rise(1.0, 0.25, d.y);
            let color = mix([0.22, 1.0, 0.48], [0.58, 0.20, 0.95], rise(0.22, 0.72, d.y));
            light = add(light, scale(color, 9.0 * wall * height * (0.25 + 0.75 * rays * rays)));
        }
        light
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_bright_somewhere_finite_everywhere_and_the_same_for_the_same_seed() {
        let ground = [0.3, 0.2, 0.1];
        for (name, map) in [("loft", loft(ground)), ("dusk", dusk(3, ground).0), ("aurora", aurora(3, ground))] {
            assert_eq!(map.radiance.len(), map.width * map.height);
            let all = || map.radiance.iter().flatten().copied();
            assert!(all().all(|c| (0.0..100.0).contains(&c)), "{name}");
            assert!(all().fold(0.0, f32::max) > 4.0 * all().sum::<f32>() / all().count() as f32, "{name} is flat");
        }
        assert_eq!(aurora(3, ground), aurora(3, ground));
        assert_ne!(aurora(3, ground), aurora(4, ground));
    }
}
