//! Smooth random fields for patterns.

use crate::random::Stream;

/// Value noise over three dimensions, in [−1, 1], with one blob a unit.
pub(crate) fn smooth(stream: &Stream, place: [f64; 3]) -> f64 {
    let cell = place.map(f64::floor);
    let fade = |t: f64| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
    let [u, v, w] = [0, 1, 2].map(|axis| fade(place[axis] - cell[axis]));
    let corner = |x: i64, y: i64, z: i64| {
        // 21 bits an axis, around the middle of their range.
        let at = |axis: usize, offset: i64| ((cell[axis] as i64 + offset + (1 << 20)) & 0x1f_ffff) as u64;
        stream.unit(at(0, x) << 42 | at(1, y) << 21 | at(2, z), 0) * 2.0 - 1.0
    };
    let lerp = |a: f64, b: f64, t: f64| a + (b - a) * t;
    let line = |y, z| lerp(corner(0, y, z), corner(1, y, z), u);
    let face = |z| lerp(line(0, z), line(1, z), v);
    lerp(face(0), face(1), w)
}
