//! What a piece is measured by.

use clap::ValueEnum;
use seedstorm_render::image_file::Rgb8Image;
use seedstorm_sim::Trajectory;
use serde::{Deserialize, Serialize};

use crate::StudioError;

/// Measures of a piece, each larger where a person would say that there is more of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Mean square distance that an element moves from one snapshot to the next, in thousandths of the world's extent,
    /// averaged over time.
    pub energy: f64,
    /// Root mean square distance of the elements from their middle, over the same at the start.
    pub spread: f64,
    /// Entropy of the picture's lightness and of its change from pixel to pixel, in bits.
    pub entropy: f64,
    /// Colourfulness of the picture (Hasler and Süsstrunk, *Measuring colourfulness in natural images*, 2003).
    pub colour: f64,
}

/// What pieces are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Motion energy over time
    Energy,
    /// How far the elements scatter
    Spread,
    /// Visual entropy: how much there is to see
    Entropy,
    /// Variety of colour
    Colour,
    /// Distance from the scenario's mean in all of the others
    Surprise,
}

impl Metric {
    /// What a piece is ranked by under this metric.
    pub(super) fn score(self, measures: &Measures, surprise: f64) -> f64 {
        match self {
            Self::Energy => measures.energy,
            Self::Spread => measures.spread,
            Self::Entropy => measures.entropy,
            Self::Colour => measures.colour,
            Self::Surprise => surprise,
        }
    }
}

impl Measures {
    /// The measures' names, in order.
    pub const NAMES: [&'static str; 4] = ["energy", "spread", "entropy", "colour"];

    pub(super) fn numbers(&self) -> [f64; 4] {
        [self.energy, self.spread, self.entropy, self.colour]
    }

    pub(super) fn from_numbers([energy, spread, entropy, colour]: [f64; 4]) -> Self {
        Self { energy, spread, entropy, colour }
    }

    /// Of a trajectory, whose first three channels are positions, and of a picture of it.
    pub(super) fn of(trajectory: &Trajectory, image: &Rgb8Image) -> Result<Self, StudioError> {
        let elements = trajectory.elements();
        let mut motion = Motion::default();
        for chunk in 0..trajectory.chunks() {
            for snapshot in trajectory.chunk(chunk)? {
                motion.add(&snapshot[..3 * elements], elements);
            }
        }
        let (energy, spread) = motion.measures();
        Ok(Self { energy, spread, entropy: entropy(image), colour: colourfulness(image) })
    }
}

/// Gathers how the elements move, from one snapshot to the next.
#[derive(Default)]
struct Motion {
    before: Vec<i32>,
    extent: f64,
    first_radius: f64,
    radius: f64,
    squares: f64,
    count: f64,
}

impl Motion {
    fn add(&mut self, positions: &[i32], elements: usize) {
        let axes = || positions.chunks_exact(elements);
        let variance = |axis: &[i32]| {
            let mean = axis.iter().map(|x| f64::from(*x)).sum::<f64>() / elements as f64;
            axis.iter().map(|x| (f64::from(*x) - mean) * (f64::from(*x) - mean)).sum::<f64>() / elements as f64
        };
        self.radius = axes().map(variance).sum::<f64>().sqrt();
        if self.before.is_empty() {
            self.first_radius = self.radius;
            let extent = |axis: &[i32]| {
                let (low, high) = axis.iter().fold((i32::MAX, i32::MIN), |(l, h), x| (l.min(*x), h.max(*x)));
                let side = f64::from(high) - f64::from(low);
                side * side
            };
            self.extent = axes().map(extent).sum::<f64>().sqrt().max(1.0);
        } else {
            let square = |(a, b): (&i32, &i32)| {
                let step = (f64::from(*a) - f64::from(*b)) * (1000.0 / self.extent);
                step * step
            };
            self.squares += positions.iter().zip(&self.before).map(square).sum::<f64>() / elements as f64;
            self.count += 1.0;
        }
        self.before.clear();
        self.before.extend_from_slice(positions);
    }

    fn measures(&self) -> (f64, f64) {
        (self.squares / self.count.max(1.0), self.radius / self.first_radius.max(1.0))
    }
}

fn lightness([r, g, b]: [u8; 3]) -> f64 {
    0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b)
}

/// Entropy in bits of lightness (32 levels) and of its step to the right and down (16 levels), added up.
fn entropy(image: &Rgb8Image) -> f64 {
    let (mut levels, mut steps) = ([0u64; 32], [0u64; 16]);
    for y in 0..image.height {
        for x in 0..image.width {
            let here = lightness(image.pixel(x, y));
            levels[(here / 8.0) as usize] += 1;
            let right = lightness(image.pixel((x + 1).min(image.width - 1), y));
            let below = lightness(image.pixel(x, (y + 1).min(image.height - 1)));
            let step = (here - right).abs().max((here - below).abs());
            steps[((step / 4.0) as usize).min(15)] += 1;
        }
    }
    shannon(&levels) + shannon(&steps)
}

fn shannon(counts: &[u64]) -> f64 {
    let total = counts.iter().sum::<u64>() as f64;
    let part = |count: &u64| {
        let share = *count as f64 / total;
        if share > 0.0 { -share * libm::log2(share) } else { 0.0 }
    };
    counts.iter().map(part).sum()
}

fn colourfulness(image: &Rgb8Image) -> f64 {
    let (mut red_green, mut yellow_blue) = (Moments::default(), Moments::default());
    for pixel in image.pixels.as_chunks::<3>().0 {
        let [r, g, b] = pixel.map(f64::from);
        red_green.add(r - g);
        yellow_blue.add((r + g) / 2.0 - b);
    }
    let length = |a: f64, b: f64| (a * a + b * b).sqrt();
    length(red_green.deviation(), yellow_blue.deviation()) + 0.3 * length(red_green.mean, yellow_blue.mean)
}

/// Mean and variance of a stream (Welford 1962).
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, x: f64) {
        self.count += 1.0;
        let off = x - self.mean;
        self.mean += off / self.count;
        self.squares += off * (x - self.mean);
    }

    fn deviation(&self) -> f64 {
        (self.squares / self.count.max(1.0)).sqrt()
    }
}

/// Mean and deviation of each measure over many pieces.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread([Moments; 4]);

impl Spread {
    pub(super) fn add(&mut self, measures: &Measures) {
        for (moments, number) in self.0.iter_mut().zip(measures.numbers()) {
            moments.add(number);
        }
    }

    /// How many standard deviations a piece lies from the mean, root mean square over the measures.
    pub(super) fn surprise(&self, measures: &Measures) -> f64 {
        let square = |(moments, number): (&Moments, f64)| {
            let deviation = moments.deviation();
            let off = if deviation > 0.0 { (number - moments.mean) / deviation } else { 0.0 };
            off * off
        };
        (self.0.iter().zip(measures.numbers()).map(square).sum::<f64>() / 4.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(pixel: impl Fn(usize) -> [u8; 3]) -> Rgb8Image {
        let mut image = Rgb8Image::new(32, 32);
        image.pixels = (0..32 * 32).flat_map(pixel).collect();
        image
    }

    #[test]
    fn pictures_rank_as_a_person_would() {
        let flat = image(|_| [90, 90, 90]);
        let ramp = image(|i| [(i / 4) as u8; 3]);
        let checks = image(|i| if (i / 3 + i / 96) % 2 == 0 { [240, 30, 20] } else { [20, 60, 230] });
        assert_eq!(entropy(&flat), 0.0);
        assert!(entropy(&ramp) > 3.0);
        assert!(colourfulness(&flat) < 1e-9 && colourfulness(&ramp) < 1e-9);
        assert!(colourfulness(&checks) > 50.0);
    }

    #[test]
    fn motion_is_measured_against_the_extent() {
        let mut motion = Motion::default();
        // Two elements that fly apart: x of both, then y, then z.
        motion.add(&[0, 1000, 0, 0, 0, 0], 2);
        motion.add(&[-10, 1010, 0, 0, 0, 0], 2);
        let (energy, spread) = motion.measures();
        assert!((energy - 100.0).abs() < 1e-9, "{energy}");
        assert!((spread - 1.02).abs() < 1e-9, "{spread}");
    }

    #[test]
    fn the_odd_one_out_surprises() {
        let mut spread = Spread::default();
        let usual = Measures::from_numbers([1.0, 1.0, 5.0, 40.0]);
        let odd = Measures::from_numbers([9.0, 2.0, 7.0, 90.0]);
        (0..20).for_each(|_| spread.add(&usual));
        spread.add(&odd);
        assert!(spread.surprise(&odd) > 4.0 * spread.surprise(&usual));
    }
}
