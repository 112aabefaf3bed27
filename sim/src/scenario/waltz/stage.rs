//! How a waltz is photographed.

use nalgebra::{Point3, Vector3};

use super::{
    POINTS, SNAPSHOT_UNIT,
    galaxies::{Cluster, Origin},
};
use crate::{
    genome::Genome,
    gravity::CELLS,
    palette::{Palette, mix, scale},
    random::Stream,
    scenario::{Stage, noise::smooth},
    scene::{Backdrop, Camera, Haze, Particles, Puff, Rgb, Scene, Seen, Sky},
};

/// Cells in a world unit.
const UNIT: f32 = 8.0;

/// Optical depth of all points that are seen, spread over a square world unit.
const INK: f32 = 1.3;

/// A point's radius, world units.
const GRAIN: f32 = 0.007;

/// One point in so many carries the veil that fills what is between points.
const VEIL_EVERY: usize = 3;

/// A veil's radius, world units.
const VEIL: f32 = 0.05;

/// One disc point in so many is a cluster of young stars.
const KNOT_EVERY: u32 = 60;

/// How a point that is seen looks, apart from where it is.
#[derive(Debug, Clone, Copy)]
enum Look {
    Star,
    Knot,
    Dust,
}

/// Turns the states of a waltz into scenes.
pub(super) struct WaltzStage {
    origins: Vec<Origin>,
    looks: Vec<Look>,
    /// Radius of each galaxy's disc, world units, and the points that mark its middle.
    galaxies: Vec<(f32, Vec<usize>)>,
    inks: Inks,
    pigment: String,
    paper: bool,
    smoke: bool,
    sky: Sky,
    /// The ground's own light.
    glimmer: Rgb,
    camera: (f32, f32),
    turn: f32,
}

/// The palette as light: from the darkest, which the ground wears, to the accent.
#[derive(Debug, Clone, Copy)]
struct Inks {
    colors: [Rgb; 3],
    accent: Rgb,
    core: Rgb,
    dust: Rgb,
}

fn luminance(c: Rgb) -> f32 {
    0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]
}

/// `color` made as bright as `wanted`.
fn lit(color: Rgb, wanted: f32) -> Rgb {
    scale(color, wanted / luminance(color).max(1e-3))
}

/// `color` with its distance from grey times `factor`.
fn vivid(color: Rgb, factor: f32) -> Rgb {
    let grey = luminance(color);
    color.map(|c| (grey + (c - grey) * factor).max(0.0))
}

impl WaltzStage {
    pub(super) fn new(genome: &Genome) -> Self {
        let cluster = Cluster::new(genome);
        let palette = Palette::named(genome.text("palette"));
        let stream = genome.stream("waltz/look");
        let mut sorted = palette.colors;
        sorted.sort_by(|a, b| luminance(*a).total_cmp(&luminance(*b)));
        let [dark, colors @ ..] = sorted;
        let paper = genome.is("ground", "paper");
        let dust = genome.text("dust");
        let looks = cluster.origins.iter().enumerate().map(|(at, origin)| look(&stream, at, origin, dust)).collect();
        let radii = cluster.encounter.galaxies.iter().map(|galaxy| galaxy.radius as f32 / UNIT);
        let middle = |number: usize| {
            let near = |(at, origin): (usize, &Origin)| (origin.galaxy == number && origin.radius < 0.12).then_some(at);
            cluster.origins.iter().enumerate().filter_map(near).collect()
        };
        let galaxies = radii.enumerate().map(|(number, radius)| (radius, middle(number))).collect();
        let sky = ground(genome.text("ground"), dark, palette);
        Self {
            looks,
            galaxies,
            glimmer: sky.horizon,
            inks: Inks::new(dark, colors, palette, paper),
            pigment: genome.text("pigment").into(),
            paper,
            smoke: dust == "smoke",
            sky,
            camera: match genome.text("camera") {
                "zenith" => (1.36, 11.0),
                "low" => (0.30, 10.2),
                _ => (0.80, 10.6),
            },
            turn: genome.number("turn") as f32 * (std::f32::consts::PI / 180.0),
            origins: cluster.origins,
        }
    }

    /// The colour of a point: what it remembers of its birth, or shows of its life.
    fn color(&self, origin: &Origin, speed: f32, exile: f32) -> Rgb {
        let Inks { colors, accent, core, .. } = self.inks;
        let ramp = |t: f32| {
            let t = t.clamp(0.0, 1.0) * 2.0;
            if t < 1.0 { mix(colors[2], colors[1], t) } else { mix(colors[1], colors[0], t - 1.0) }
        };
        let radius = origin.radius as f32;
        let inner = (1.0 - radius / 0.22).clamp(0.0, 1.0);
        let plain = match self.pigment.as_str() {
            "birth" => {
                let turns = origin.angle as f32 * (1.0 / std::f32::consts::TAU);
                let sector = (turns - turns.floor() + origin.galaxy as f32 * 0.37) * 3.0;
                let at = sector.floor();
                let f = ((sector - at - 0.85) / 0.15).clamp(0.0, 1.0);
                let pick = |k: f32| colors[(k as usize) % 3];
                mix(pick(at), pick(at + 1.0), f)
            }
            "speed" => ramp(1.0 - (speed / 0.30)),
            "exile" => ramp(0.15 + 0.85 * exile),
            // Each galaxy wears its own colours.
            _ => {
                let own = colors[2 - origin.galaxy % 3];
                let edge = colors[2 - (origin.galaxy + 1) % 3];
                mix(own, edge, ((radius - 0.75) / 0.3).clamp(0.0, 1.0) * 0.5)
            }
        };
        let plain = mix(plain, core, inner * if origin.disc { 0.7 } else { 0.9 });
        mix(plain, accent, exile * if self.pigment == "exile" { 0.85 } else { 0.35 })
    }

    fn middles(&self, place: impl Fn(usize) -> Point3<f32>) -> Vec<Point3<f32>> {
        let middle = |(_, points): &(f32, Vec<usize>)| {
            let sum = points.iter().fold(Vector3::zeros(), |sum, at| sum + place(*at).coords);
            Point3::from(sum / points.len().max(1) as f32)
        };
        self.galaxies.iter().map(middle).collect()
    }
}

/// What a point is: chance, and where it was born, decide.
fn look(stream: &Stream, at: usize, origin: &Origin, dust: &str) -> Look {
    if !origin.disc {
        return Look::Star;
    }
    // Dust is born in patches, which the discs draw out into lanes.
    let (sin, cos) = (libm::sin(origin.angle), libm::cos(origin.angle));
    let place = [origin.radius * cos * 7.0, origin.galaxy as f64 * 9.0, origin.radius * sin * 7.0];
    let patch = smooth(stream, place) + 0.5 * smooth(stream, place.map(|c| c * 2.3 + 40.0));
    let share = match dust {
        "lanes" => 0.60 * ((patch - 0.10) / 0.3).clamp(0.0, 1.0),
        "smoke" => 0.40 * ((patch + 0.15) / 0.6).clamp(0.0, 1.0),
        _ => 0.0,
    };
    if stream.unit(at as u64, 0) < share {
        Look::Dust
    } else if stream.below(at as u64, 1, KNOT_EVERY) == 0 && origin.radius > 0.15 {
        Look::Knot
    } else {
        Look::Star
    }
}

impl Inks {
    fn new(dark: Rgb, colors: [Rgb; 3], palette: &Palette, paper: bool) -> Self {
        if paper {
            // Paint on paper: as dark as its colour allows.
            let deep = |c: Rgb, most: f32| lit(c, luminance(c).min(most));
            return Self {
                colors: [deep(dark, 0.03), deep(colors[0], 0.13), deep(colors[1], 0.10)],
                accent: deep(palette.accent, 0.22),
                core: deep(dark, 0.015),
                dust: deep(colors[0], 0.3),
            };
        }
        let shining = |c: Rgb| {
            let c = vivid(c, 1.6);
            lit(c, 0.30 + 0.35 * luminance(c))
        };
        Self {
            colors: colors.map(shining),
            accent: lit(vivid(palette.accent, 1.15), 0.9),
            core: lit(vivid(mix(palette.accent, colors[2], 0.4), 1.3), 1.6),
            dust: scale(dark, 0.05),
        }
    }
}

/// What they are seen against.
fn ground(name: &str, dark: Rgb, palette: &Palette) -> Sky {
    let light =
        palette.colors.iter().copied().fold(palette.ground, |a, b| if luminance(b) > luminance(a) { b } else { a });
    let deep = |c: Rgb, brightness: f32| lit(vivid(lit(c, 0.2), 0.62), brightness);
    let (center, edge, middle, radius) = match name {
        "dusk" => (deep(mix(dark, palette.colors[0], 0.6), 0.055), deep(dark, 0.009), [0.0, -1.3], 2.8),
        "ember" => (deep(mix(dark, palette.colors[0], 0.75), 0.036), deep(dark, 0.007), [0.2, 0.1], 1.5),
        "paper" => (lit(mix(light, [1.0; 3], 0.65), 0.84), lit(mix(light, [1.0; 3], 0.5), 0.68), [-0.1, 0.15], 1.9),
        _ => (deep(dark, 0.012), deep(dark, 0.004), [0.0, 0.05], 1.7),
    };
    Sky { zenith: edge, horizon: center, nadir: edge, backdrop: Some(Backdrop { center, edge, middle, radius }) }
}

impl Stage for WaltzStage {
    fn scene(&self, time: f64, values: &[f32], rates: &[f32]) -> Scene {
        let places = self.places(values);
        let clouds = self.puffs(&places, rates).into_iter().map(|puff| puff.at(places[puff.around as usize])).collect();
        Scene { haze: Some(Haze { clouds, bloom: if self.paper { 0.0 } else { 0.22 } }), ..self.bare(time) }
    }

    fn apart(&self, time: f64, values: &[f32], rates: &[f32]) -> Option<(Scene, Particles)> {
        let places = self.places(values);
        let seen = Seen::Clouds { puffs: self.puffs(&places, rates), shining: !self.paper };
        let corner = Point3::from(Vector3::repeat(-(CELLS as f32) / 2.0 / UNIT));
        Some((self.bare(time), Particles { places, cell: 1.0 / UNIT, corner, seen }))
    }
}

impl WaltzStage {
    fn places(&self, values: &[f32]) -> Vec<Point3<f32>> {
        let count = self.origins.len();
        let at = |axis: usize, i: usize| (values[axis * count + i] / SNAPSHOT_UNIT as f32 - CELLS as f32 / 2.0) / UNIT;
        (0..count).map(|i| Point3::new(at(0, i), at(1, i), at(2, i))).collect()
    }

    /// The light and the dust around the points.
    fn puffs(&self, places: &[Point3<f32>], rates: &[f32]) -> Vec<Puff> {
        let count = self.origins.len();
        let speed = |i: usize| {
            let [x, y, z] = [0, 1, 2].map(|axis| rates[axis * count + i]);
            (x * x + y * y + z * z).sqrt() / (SNAPSHOT_UNIT as f32 * super::STRIDE as f32)
        };
        let middles = self.middles(|i| places[i]);
        let share = POINTS as f32 / count as f32;
        // What is thin shows less on paper than against the night.
        let ink = INK / POINTS as f32 * share * if self.paper { 4.2 } else { 1.0 };
        // Fewer points are larger ones.
        let swell = share.sqrt();
        let mut puffs = Vec::with_capacity(count + count / VEIL_EVERY);
        for (i, (origin, look)) in self.origins.iter().zip(&self.looks).enumerate() {
            let position = places[i];
            let (own, _) = self.galaxies[origin.galaxy];
            let strayed = (position - middles[origin.galaxy]).norm() / own - origin.radius as f32;
            let exile = ((strayed - 0.5) / 1.6).clamp(0.0, 1.0);
            let color = self.color(origin, speed(i), exile);
            let dusty = matches!(look, Look::Dust);
            // Discs shine most in their middle, and end in nothing rather than in a line.
            let inward = (1.0 - origin.radius as f32).clamp(0.0, 1.0);
            let color = if self.paper { color } else { scale(color, 0.75 + 1.25 * inward * inward) };
            let ink = ink * (0.2 + 3.0 * inward).min(1.0);
            let mut cloud = |radius: f32, ink: f32, tint: Rgb, radiance: Rgb| {
                let depth = ink / (std::f32::consts::TAU * radius * radius);
                // What shines, shines over the ground, and is nowhere darker than it.
                let over = if self.paper || dusty { [0.0; 3] } else { self.glimmer };
                let radiance = std::array::from_fn(|c| radiance[c] + over[c]);
                puffs.push(Puff { around: i as u32, radius, depth: tint.map(|c| c * depth), radiance });
            };
            match look {
                Look::Star => {
                    cloud(GRAIN * swell, ink * 0.6, [1.0; 3], scale(color, if self.paper { 1.5 } else { 3.4 }))
                }
                Look::Knot => {
                    let bright = if self.paper { color } else { scale(mix(color, self.inks.accent, 0.5), 7.0) };
                    cloud(GRAIN * swell, ink * 2.0, [1.0; 3], bright);
                }
                Look::Dust => {
                    let (radius, factor) = if self.smoke { (0.10, 4.0) } else { (0.05, 3.0) };
                    cloud(radius, ink * factor, [0.62, 1.0, 1.5], self.inks.dust);
                }
            }
            if i % VEIL_EVERY == 0 && !dusty {
                let radiance = if self.paper { color } else { scale(color, 1.8) };
                cloud(VEIL, ink * 0.3 * VEIL_EVERY as f32, [1.0; 3], radiance);
            }
        }
        puffs
    }

    /// The scene without its points.
    fn bare(&self, time: f64) -> Scene {
        let (elevation, distance) = self.camera;
        let ease = {
            let t = (time as f32 * 1.6).min(1.0);
            t * t * (3.0 - 2.0 * t)
        };
        // Draws back as the tails grow, and rests.
        let distance = distance * (0.82 + 0.36 * ease);
        let (sin, cos) = libm::sincosf(self.turn * (time as f32 - 0.5));
        let (rise, run) = libm::sincosf(elevation);
        let target = Point3::origin();
        Scene {
            camera: Camera {
                eye: target + Vector3::new(sin * run, rise, cos * run) * distance,
                target,
                up: if elevation > 1.3 { Vector3::new(-sin, 0.0, -cos) } else { Vector3::y() },
                vertical_fov: 0.50,
                lens_radius: 0.06,
                focus_distance: distance - 0.4,
            },
            sky: self.sky,
            lights: vec![],
            materials: vec![],
            meshes: vec![],
            instances: vec![],
            fluid: None,
            haze: None,
            fog: None,
            moved: vec![],
            environment: None,
            sun: None,
            exposure_stops: if self.paper { 0.0 } else { 0.85 },
        }
    }
}
