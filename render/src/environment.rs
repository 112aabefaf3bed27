//! Light from a map of all directions: looked up smoothly, and drawn where it is bright.

use seedstorm_sim::scene;

use crate::vector::{Vec3, max, vec3};

/// A map made ready to be drawn from.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Radiance of each texel, rows from the zenith; then the share of its row's light that it and those before it have.
    pub(crate) texels: Vec<[f32; 4]>,
    /// The share of all light that each row and those above it have.
    pub(crate) rows: Vec<f32>,
    /// Luminance from all directions in the mean.
    pub(crate) mean: f32,
    /// How it leans: its mean product with the direction.
    pub(crate) lean: Vec3,
}

impl Environment {
    pub(crate) fn new(map: &scene::Environment) -> Self {
        let (width, height) = (map.width, map.height);
        let mut made = Self {
            width,
            height,
            texels: map.radiance.iter().map(|[r, g, b]| [*r, *g, *b, 0.0]).collect(),
            rows: vec![0.0; height],
            mean: 0.0,
            lean: Vec3::ZERO,
        };
        let luminance = |x: usize, y: usize| Vec3::from(map.radiance[y * width + x]).luminance();
        let (mut total, mut solid, mut mean, mut lean) = (0.0, 0.0, 0.0, Vec3::ZERO);
        for y in 0..height {
            let mut sum = 0.0;
            for x in 0..width {
                let direction = made.direction(x as f32 + 0.5, y as f32 + 0.5);
                let size = sine(y, height);
                mean += luminance(x, y) * size;
                lean += direction * (luminance(x, y) * size);
                solid += size;
                // Looked up smoothly, a bright texel shines into its neighbours too.
                let mut most = 0.0;
                for near_y in y.saturating_sub(1)..(y + 2).min(height) {
                    for near_x in [x + width - 1, x, x + 1] {
                        most = max(most, luminance(near_x % width, near_y));
                    }
                }
                sum += most;
                made.texels[y * width + x][3] = sum;
            }
            for x in 0..width {
                let share = &mut made.texels[y * width + x][3];
                *share = if sum > 0.0 { *share / sum } else { (x + 1) as f32 / width as f32 };
            }
            total += sum * sine(y, height);
            made.rows[y] = total;
        }
        for row in &mut made.rows {
            *row = if total > 0.0 { *row / total } else { 0.0 };
        }
        made.mean = mean / solid;
        made.lean = lean * (1.0 / solid);
        made
    }

    /// The direction to a place of the map, in texels.
    #[inline]
    fn direction(&self, x: f32, y: f32) -> Vec3 {
        let (sin_azimuth, cos_azimuth) = libm::sincosf((x / self.width as f32 * 2.0 - 1.0) * std::f32::consts::PI);
        let (sin, cos) = libm::sincosf(y / self.height as f32 * std::f32::consts::PI);
        vec3(sin * cos_azimuth, cos, sin * sin_azimuth)
    }

    /// The place of a unit direction, in texels.
    #[inline]
    fn place(&self, direction: Vec3) -> [f32; 2] {
        let azimuth = libm::atan2f(direction.z, direction.x) * std::f32::consts::FRAC_1_PI;
        let polar = libm::acosf(direction.y.clamp(-1.0, 1.0)) * std::f32::consts::FRAC_1_PI;
        [(azimuth + 1.0) * 0.5 * self.width as f32, polar * self.height as f32]
    }

    /// Radiance from a unit direction.
    pub(crate) fn radiance(&self, direction: Vec3) -> Vec3 {
        let [x, y] = self.place(direction);
        let (x, y) = (x - 0.5, max(y - 0.5, 0.0));
        let (left, top) = (x.floor(), y.floor());
        let (right_share, low_share) = (x - left, y - top);
        let column = |x: f32| (x as isize).rem_euclid(self.width as isize) as usize;
        let row = |y: f32| (y as usize).min(self.height - 1);
        let texel = |x: f32, y: f32| {
            let [r, g, b, _] = self.texels[row(y) * self.width + column(x)];
            vec3(r, g, b)
        };
        let upper = texel(left, top).lerp(texel(left + 1.0, top), right_share);
        let lower = texel(left, top + 1.0).lerp(texel(left + 1.0, top + 1.0), right_share);
        upper.lerp(lower, low_share)
    }

    /// A unit direction, drawn by how bright the map is there.
    pub(crate) fn sample(&self, u: [f32; 2]) -> Vec3 {
        let y = self.rows.partition_point(|share| *share <= u[0]).min(self.height - 1);
        let row = &self.texels[y * self.width..(y + 1) * self.width];
        let x = row.partition_point(|texel| texel[3] <= u[1]).min(self.width - 1);
        let within = |before: f32, after: f32, u: f32| ((u - before) / max(after - before, 1e-12)).clamp(0.0, 1.0);
        let above = if y == 0 { 0.0 } else { self.rows[y - 1] };
        let left = if x == 0 { 0.0 } else { row[x - 1][3] };
        self.direction(x as f32 + within(left, row[x][3], u[1]), y as f32 + within(above, self.rows[y], u[0]))
    }

    /// The density over solid angle with which [`Environment::sample`] draws a direction.
    pub(crate) fn density(&self, direction: Vec3) -> f32 {
        let [x, y] = self.place(direction);
        let (x, y) = ((x as usize).min(self.width - 1), (y as usize).min(self.height - 1));
        let above = if y == 0 { 0.0 } else { self.rows[y - 1] };
        let row = &self.texels[y * self.width..(y + 1) * self.width];
        let left = if x == 0 { 0.0 } else { row[x - 1][3] };
        let sin = max(1.0 - direction.y * direction.y, 1e-8).sqrt();
        let texels = (self.width * self.height) as f32;
        (self.rows[y] - above) * (row[x][3] - left) * texels / (2.0 * std::f32::consts::PI * std::f32::consts::PI * sin)
    }
}

/// The sine of the polar angle in the middle of a row.
fn sine(row: usize, height: usize) -> f32 {
    libm::sinf((row as f32 + 0.5) / height as f32 * std::f32::consts::PI)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> Environment {
        let (width, height) = (32, 16);
        let mut radiance = vec![[0.2, 0.3, 0.5]; width * height];
        radiance[3 * width + 31] = [50.0, 40.0, 30.0];
        radiance[9 * width + 12] = [5.0, 9.0, 2.0];
        Environment::new(&scene::Environment { width, height, radiance })
    }

    #[test]
    fn what_is_drawn_weighs_as_much_as_what_shines() {
        let map = map();
        let count = 1 << 16;
        let (mut drawn, mut even) = (Vec3::ZERO, Vec3::ZERO);
        for i in 0..count {
            let u = [(i as f32 + 0.5) / count as f32, (i as u32).reverse_bits() as f32 / 4_294_967_296.0];
            let direction = map.sample(u);
            let density = map.density(direction);
            assert!(density > 0.0 && (direction.length() - 1.0).abs() < 1e-4);
            drawn += map.radiance(direction) * (1.0 / density);
            let z = 1.0 - 2.0 * u[0];
            let (sin, cos) = libm::sincosf(u[1] * std::f32::consts::TAU);
            let r = max(1.0 - z * z, 0.0).sqrt();
            even += map.radiance(vec3(r * cos, z, r * sin)) * (4.0 * std::f32::consts::PI);
        }
        let (drawn, even) = (drawn * (1.0 / count as f32), even * (1.0 / count as f32));
        for (a, b) in [(drawn.x, even.x), (drawn.y, even.y), (drawn.z, even.z)] {
            assert!((a / b - 1.0).abs() < 0.02, "{drawn:?} and {even:?}");
        }
        let mean = even.luminance() / (4.0 * std::f32::consts::PI);
        assert!((map.mean / mean - 1.0).abs() < 0.02, "{} of {mean}", map.mean);
    }
}
