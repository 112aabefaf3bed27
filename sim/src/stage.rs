//! The photographer's studio that scenarios share: backdrops, floors and lights around a subject.

use std::sync::Arc;

use nalgebra::{Point3, Similarity3, Vector3};

use crate::{
    environment,
    genome::{TraitOption, option},
    palette::{Palette, mix, scale},
    scene::{AreaLight, Environment, Instance, Mesh, Rgb, Shape, Sky, Sun},
};

/// The radius of a liquid's particle that is seen by itself, in distances between particles at rest: no gap is left.
pub(crate) const SEEN: f32 = 1.3;

/// Values of a `light` trait.
pub(crate) const LIGHTS: &[TraitOption] =
    &[option("softbox", 40), option("golden", 28), option("noir", 20), option("overcast", 12)];

/// What else a scene may be lit by: maps of all directions.
pub(crate) const MAPS: &[&str] = &["loft", "dusk", "aurora"];

/// Values of a `palette` trait; a test holds them against the palettes' file.
pub(crate) const PALETTES: &[TraitOption] = &[
    option("vermilion", 14),
    option("reef", 14),
    option("orchid", 12),
    option("glacier", 12),
    option("ember", 12),
    option("moss", 10),
    option("sakura", 10),
    option("lagoon", 12),
    option("midas", 4),
];

/// Lights around a subject of `radius` at `center`, above a floor at y = 0.
#[derive(Debug, Clone)]
pub(crate) struct Lighting {
    /// The colour of floor and backdrop.
    pub(crate) paper: Rgb,
    pub(crate) sky: Sky,
    pub(crate) lights: Vec<AreaLight>,
    pub(crate) environment: Option<Arc<Environment>>,
    pub(crate) sun: Option<Sun>,
    pub(crate) exposure_stops: f32,
}

impl Lighting {
    /// The light called `mood`.
    pub(crate) fn new(mood: &str, palette: &Palette, center: Point3<f32>, radius: f32) -> Self {
        let panel = |from: [f32; 3], size: [f32; 2], radiance: Rgb| facing(center, radius, from, size, radiance);
        let white: Rgb = [1.0, 0.98, 0.95];
        let warm: Rgb = [1.0, 0.70, 0.42];
        let cool: Rgb = [0.60, 0.78, 1.0];
        let sky = |zenith: f32, horizon: f32, nadir: f32, tint: Rgb| Sky {
            zenith: scale(tint, zenith),
            horizon: scale(tint, horizon),
            nadir: scale(tint, nadir),
            backdrop: None,
        };
        let (mut environment, mut sun) = (None, None);
        let (sky, lights, exposure_stops) = match mood {
            // A map alone, and a sun where it has one.
            "loft" => {
                environment = Some(environment::loft(palette.ground));
                (sky(0.0, 0.0, 0.0, white), vec![], -0.15)
            }
            "dusk" => {
                let (map, disc) = environment::dusk(1, palette.ground);
                (environment, sun) = (Some(map), Some(disc));
                (sky(0.0, 0.0, 0.0, white), vec![], 0.3)
            }
            "aurora" => {
                environment = Some(environment::aurora(1, palette.ground));
                (sky(0.0, 0.0, 0.0, white), vec![], 1.2)
            }
            // A low sun through a window, and the cool sky that fills its shadows.
            "golden" => (
                sky(0.42, 0.30, 0.08, cool),
                vec![
                    // So far away that what lies behind it is beyond the picture.
                    panel([-9.0, 4.5, -1.0], [3.2, 3.2], scale(warm, 34.0)),
                    panel([2.2, 3.8, 2.8], [1.8, 1.2], scale(cool, 2.6)),
                    // Draws the edge of the shaded side.
                    panel([3.4, 2.0, -2.0], [0.45, 1.9], scale(cool, 15.0)),
                ],
                0.35,
            ),
            // Two strips from behind draw the outline; the rest stays in the dark.
            "noir" => (
                sky(0.07, 0.05, 0.02, white),
                vec![
                    panel([-3.2, 2.4, -1.3], [0.6, 2.2], scale(mix(white, palette.accent, 0.35), 26.0)),
                    panel([3.3, 2.2, -0.9], [0.6, 2.2], scale(cool, 22.0)),
                    panel([-0.6, 3.8, 2.4], [1.6, 0.9], scale(white, 8.0)),
                ],
                0.55,
            ),
            "overcast" => (
                sky(1.5, 1.1, 0.4, mix(white, cool, 0.25)),
                vec![panel([0.6, 4.4, 0.8], [2.2, 2.2], scale(white, 5.5))],
                0.0,
            ),
            // "softbox": a large key from the upper left, a strip on the other side, a little fill.
            _ => (
                sky(0.55, 0.42, 0.16, white),
                vec![
                    panel([-2.7, 3.3, 2.3], [1.45, 1.45], scale(white, 19.0)),
                    panel([3.4, 1.9, -0.2], [0.5, 1.9], scale(white, 11.0)),
                ],
                0.0,
            ),
        };
        let paper = match mood {
            "golden" => mix(palette.ground, palette.deep, 0.8),
            "noir" => palette.deep,
            _ => palette.ground,
        };
        Self { paper, sky, lights, environment: environment.map(Arc::new), sun, exposure_stops }
    }
}

/// A rectangle of `size` (half width and half height, in radii) at `from` (in radii from `center`), facing `center`.
fn facing(center: Point3<f32>, radius: f32, from: [f32; 3], size: [f32; 2], radiance: Rgb) -> AreaLight {
    let away = Vector3::from(from);
    let front = -away.normalize();
    let u = Vector3::y().cross(&front).normalize();
    let v = front.cross(&u);
    AreaLight {
        center: center + away * radius,
        u: u * size[0] * radius,
        v: v * size[1] * radius,
        radiance,
        visible: false,
    }
}

/// A floor that curves up into a wall behind the subject, seen from +z: a photographer's cove.
pub(crate) fn cove(half_width: f32, front: f32, back: f32, bend: f32, height: f32) -> Mesh {
    const ARC: usize = 24;
    // The profile in (z, y), from the front edge to the top of the wall, with its normals.
    let mut profile = vec![(front, 0.0, 0.0, 1.0)];
    for step in 0..=ARC {
        let angle = step as f32 / ARC as f32 * std::f32::consts::FRAC_PI_2;
        let (sin, cos) = libm::sincosf(angle);
        profile.push((-back + bend - bend * sin, bend - bend * cos, sin, cos));
    }
    profile.push((-back, height, 1.0, 0.0));
    let mut mesh = Mesh::default();
    for (z, y, normal_z, normal_y) in profile {
        for x in [-half_width, half_width] {
            mesh.positions.push(Point3::new(x, y, z));
            mesh.normals.push(Vector3::new(0.0, normal_y, normal_z));
        }
    }
    for row in 0..(mesh.positions.len() as u32 / 2 - 1) {
        let [a, b, c, d] = [row * 2, row * 2 + 1, row * 2 + 2, row * 2 + 3];
        mesh.triangles.extend([[a, b, d], [a, d, c]]);
    }
    mesh
}

/// Mesh number `mesh` as it is.
pub(crate) fn placed(mesh: usize, material: usize) -> Instance {
    Instance { shape: Shape::Mesh(mesh), pose: Similarity3::identity(), material, tint: [1.0; 3], emission: [0.0; 3] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_palette_of_the_trait_exists() {
        for option in PALETTES {
            assert_eq!(Palette::named(&option.value).name, option.value);
        }
    }

    #[test]
    fn the_cove_faces_the_camera() {
        let mesh = cove(4.0, 5.0, 3.0, 1.5, 6.0);
        for triangle in &mesh.triangles {
            let [a, b, c] = triangle.map(|i| mesh.positions[i as usize]);
            let normal = (b - a).cross(&(c - a));
            assert!(normal.dot(&mesh.normals[triangle[0] as usize]) > 0.0, "{triangle:?}");
        }
    }
}
