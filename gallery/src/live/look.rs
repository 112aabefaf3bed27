//! A scene's light, lens and materials as Bevy has them: close to what the path tracer will give.
//!
//! The strongest light casts shadows as if from far away; sky and all other lights are a small map around the scene, which
//! gives soft light and reflections. Radiance is taken as it is: a camera of [`exposure`] shows 1 as white, as ours does.

use bevy::{
    asset::RenderAssetUsages,
    camera::Exposure,
    image::Image,
    math::Vec3,
    pbr::StandardMaterial,
    prelude::*,
    render::{
        render_resource::{Extent3d, TextureDimension, TextureFormat, TextureViewDescriptor, TextureViewDimension},
        view::ColorGrading,
    },
};
use nalgebra::{Point3, Vector3};
use seedstorm_sim::scene::{AreaLight, Backdrop, Material, Rgb, Scene};

use super::orbit::Orbit;

/// Pixels along an edge of the map of the surroundings, of that of soft light, and how often the first is halved: once for
/// each step of roughness.
const EDGE: usize = 32;
const SOFT: usize = 8;
const STEPS: usize = 6;

/// Luminance of Bevy's white at an exposure value of 0 (ISO 100): what radiance is multiplied by.
pub const WHITE: f32 = 1.2;

/// The camera's exposure for a scene.
pub fn exposure(scene: &Scene) -> Exposure {
    Exposure { ev100: -scene.exposure_stops }
}

/// What the film's curve for light does beyond Bevy's.
pub fn punch(shining: bool) -> ColorGrading {
    let mut grading = ColorGrading::default();
    if shining {
        grading.global.post_saturation = 1.4;
        // Its power of 1.35, taken of the radiance.
        grading.all_sections_mut().for_each(|section| section.gamma = 1.0 / 1.35);
    }
    grading
}

pub fn color(rgb: Rgb) -> Color {
    Color::linear_rgb(rgb[0], rgb[1], rgb[2])
}

pub fn point(p: nalgebra::Point3<f32>) -> Vec3 {
    Vec3::new(p.x, p.y, p.z)
}

pub fn vector(v: nalgebra::Vector3<f32>) -> Vec3 {
    Vec3::new(v.x, v.y, v.z)
}

/// A material; the colours of vertices are factors on its own.
pub fn material(of: &Material) -> StandardMaterial {
    let clear = of.transmission > 0.5 && of.metallic < 0.5;
    let [r, g, b] = of.base_color;
    // Glass is seen through; what it takes from light on its way is a tint.
    let kept = of.absorption.map(|a| (-0.25 * a).exp());
    StandardMaterial {
        base_color: if clear {
            Color::linear_rgba(r * kept[0], g * kept[1], b * kept[2], 0.42)
        } else {
            color(of.base_color)
        },
        alpha_mode: if clear { AlphaMode::Blend } else { AlphaMode::Opaque },
        metallic: of.metallic,
        perceptual_roughness: of.roughness.max(0.05),
        reflectance: reflectance(of.ior),
        clearcoat: of.coat,
        clearcoat_perceptual_roughness: of.coat_roughness,
        emissive: LinearRgba::rgb(of.emission[0], of.emission[1], of.emission[2]),
        diffuse_transmission: 0.3 * of.subsurface,
        double_sided: true,
        cull_mode: None,
        ..default()
    }
}

/// What is behind everything, where no backdrop says more.
pub fn backdrop(scene: &Scene) -> Rgb {
    scene.sky.backdrop.map_or(scene.sky.horizon, |backdrop| backdrop.edge)
}

/// Radiance of a backdrop at a place of the picture, in halves of the film's height.
pub fn backdrop_at(backdrop: &Backdrop, [x, y]: [f32; 2]) -> Rgb {
    let (x, y) = (x - backdrop.middle[0], y - backdrop.middle[1]);
    let t = (x.hypot(y) / backdrop.radius).min(1.0);
    let blend = t * t * (3.0 - 2.0 * t);
    std::array::from_fn(|i| backdrop.center[i] + (backdrop.edge[i] - backdrop.center[i]) * blend)
}

/// The angle from the bottom of a view to its top, radians. The film is square: a view that is not shows more to the sides,
/// or above and below.
pub fn vertical_fov(scene: &Scene, size: UVec2) -> f32 {
    let tall = size.y as f32 / size.x.max(1) as f32;
    2.0 * ((0.5 * scene.camera.vertical_fov).tan() * tall.max(1.0)).atan()
}

/// The scene with its camera where somebody looks from.
pub fn seen_from(scene: &Scene, orbit: Orbit, size: UVec2) -> Scene {
    let mut seen = scene.clone();
    let [eye, target, up] = orbit.place(&scene.camera);
    let camera = &mut seen.camera;
    camera.eye = Point3::new(eye.x, eye.y, eye.z);
    camera.target = Point3::new(target.x, target.y, target.z);
    camera.up = Vector3::new(up.x, up.y, up.z);
    camera.focus_distance *= orbit.near;
    camera.vertical_fov = vertical_fov(scene, size);
    seen
}

/// Bevy's measure of a dielectric's reflectance: F₀ = 0.16 · reflectance².
fn reflectance(ior: f32) -> f32 {
    let f0 = ((ior - 1.0) / (ior + 1.0)).powi(2);
    (f0 / 0.16).sqrt().clamp(0.0, 1.0)
}

/// The light that casts shadows: where it comes from, and its irradiance at the scene.
pub struct Key {
    pub from: Vec3,
    pub color: Rgb,
}

/// The strongest light of a scene, a sun or a rectangle, as it reaches `target`.
pub fn key(scene: &Scene) -> Option<Key> {
    if let Some(sun) = &scene.sun {
        let solid_angle = std::f32::consts::PI * sun.angular_radius * sun.angular_radius;
        return Some(Key { from: vector(sun.toward).normalize(), color: sun.radiance.map(|c| c * solid_angle) });
    }
    let target = point(scene.camera.target);
    let reaching = |light: &AreaLight| {
        let away = point(light.center) - target;
        let front = vector(light.u).cross(vector(light.v));
        let area = 4.0 * front.length();
        let cos = front.normalize_or_zero().dot(-away.normalize_or_zero()).max(0.0);
        let share = area * cos / away.length_squared().max(1e-6);
        Key { from: away.normalize_or_zero(), color: light.radiance.map(|c| c * share) }
    };
    let brightness = |key: &Key| key.color.iter().sum::<f32>();
    scene.lights.iter().map(reaching).max_by(|a, b| brightness(a).total_cmp(&brightness(b)))
}

/// What light comes to the scene from all around, but for its key: as smooth surfaces show it and ever rougher ones, and as
/// matt ones do. The faces of cubes, one after the other.
pub struct Surroundings {
    pub specular: Image,
    pub diffuse: Image,
}

/// A cube's texels: where they look, how much of the sphere they take, and what comes from there.
struct Texels(Vec<(Vec3, f32, Vec3)>);

impl Texels {
    fn of(edge: usize, light: impl Fn(Vec3) -> Vec3) -> Self {
        let texel = |at: usize| {
            let (face, row, column) = (at / (edge * edge), at / edge % edge, at % edge);
            let place = |i: usize| (i as f32 + 0.5) / edge as f32 * 2.0 - 1.0;
            let (u, v) = (place(column), place(row));
            let ray = match face {
                0 => Vec3::new(1.0, -v, -u),
                1 => Vec3::new(-1.0, -v, u),
                2 => Vec3::new(u, 1.0, v),
                3 => Vec3::new(u, -1.0, -v),
                4 => Vec3::new(u, -v, 1.0),
                _ => Vec3::new(-u, -v, -1.0),
            };
            let length = ray.length();
            let solid_angle = 4.0 / ((edge * edge) as f32 * length * length * length);
            (ray / length, solid_angle, light(ray / length))
        };
        Self((0..6 * edge * edge).map(texel).collect())
    }

    /// What comes from around `direction`, weighted by what `lobe` makes of the cosine.
    fn around(&self, direction: Vec3, lobe: impl Fn(f32) -> f32) -> Vec3 {
        let (mut sum, mut weight) = (Vec3::ZERO, 0.0);
        for (ray, solid_angle, light) in &self.0 {
            let cos = ray.dot(direction);
            if cos > 0.0 {
                let share = cos * lobe(cos) * solid_angle;
                sum += *light * share;
                weight += share;
            }
        }
        sum / weight.max(1e-12)
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        for (_, _, light) in &self.0 {
            for channel in [light.x, light.y, light.z, 1.0] {
                bytes.extend(half::f16::from_f32(channel.min(60_000.0)).to_le_bytes());
            }
        }
    }
}

/// Looks around in a scene.
pub fn surroundings(scene: &Scene) -> Surroundings {
    let target = point(scene.camera.target);
    let strongest =
        scene.lights.iter().enumerate().max_by(|(_, a), (_, b)| power(a).total_cmp(&power(b))).map(|(i, _)| i);
    let others: Vec<&AreaLight> = scene
        .lights
        .iter()
        .enumerate()
        .filter(|(i, _)| scene.sun.is_some() || Some(*i) != strongest)
        .map(|(_, light)| light)
        .collect();
    let seen = |direction: Vec3| {
        let lit = others.iter().find_map(|light| met(light, target, direction));
        Vec3::from(lit.unwrap_or_else(|| sky(scene, direction)))
    };
    let sharp = Texels::of(EDGE, seen);
    let mut specular = vec![];
    // A file of a texture holds all sizes of one face before the next face.
    let mut sizes = vec![];
    for step in 0..STEPS {
        let edge = EDGE >> step;
        let alpha = (step as f32 / (STEPS - 1) as f32).powi(2);
        // What a surface so rough gathers (GGX), seen straight on.
        let lobe = |cos: f32| {
            let half = ((1.0 + cos) * 0.5).max(0.0);
            let d = half * (alpha * alpha - 1.0) + 1.0;
            alpha * alpha / (d * d)
        };
        let texels = if step == 0 { Texels::of(edge, seen) } else { Texels::of(edge, |ray| sharp.around(ray, lobe)) };
        let mut bytes = vec![];
        texels.write(&mut bytes);
        sizes.push((edge * edge * 8, bytes));
    }
    for face in 0..6 {
        for (length, bytes) in &sizes {
            specular.extend(&bytes[face * length..(face + 1) * length]);
        }
    }
    let mut diffuse = vec![];
    Texels::of(SOFT, |ray| sharp.around(ray, |_| 1.0)).write(&mut diffuse);
    Surroundings { specular: cube(EDGE, STEPS, specular), diffuse: cube(SOFT, 1, diffuse) }
}

fn cube(edge: usize, steps: usize, texels: Vec<u8>) -> Image {
    let size = Extent3d { width: edge as u32, height: edge as u32, depth_or_array_layers: 6 };
    let mut image =
        Image::new_uninit(size, TextureDimension::D2, TextureFormat::Rgba16Float, RenderAssetUsages::RENDER_WORLD);
    image.texture_descriptor.mip_level_count = steps as u32;
    image.data = Some(texels);
    image.texture_view_descriptor =
        Some(TextureViewDescriptor { dimension: Some(TextureViewDimension::Cube), ..default() });
    image
}

fn power(light: &AreaLight) -> f32 {
    light.radiance.iter().sum::<f32>() * vector(light.u).cross(vector(light.v)).length()
}

/// The radiance of a rectangle where a ray from `eye` meets it.
fn met(light: &AreaLight, eye: Vec3, direction: Vec3) -> Option<Rgb> {
    let (u, v, away) = (vector(light.u), vector(light.v), point(light.center) - eye);
    let front = u.cross(v);
    let toward = direction.dot(front);
    let t = away.dot(front) / toward;
    let across = direction * t - away;
    let inside = (across.dot(u) / u.length_squared()).abs() <= 1.0 && (across.dot(v) / v.length_squared()).abs() <= 1.0;
    (toward < 0.0 && t > 0.0 && inside).then_some(light.radiance)
}

/// The radiance of the sky, or of the map in its place.
fn sky(scene: &Scene, direction: Vec3) -> Rgb {
    if let Some(map) = &scene.environment {
        let column = (direction.z.atan2(direction.x) / std::f32::consts::TAU + 0.5) * map.width as f32;
        let row = direction.y.clamp(-1.0, 1.0).acos() / std::f32::consts::PI * map.height as f32;
        let at = (row as usize).min(map.height - 1) * map.width + (column as usize).min(map.width - 1);
        return map.radiance[at];
    }
    let t = direction.y.abs();
    let blend = t * t * (3.0 - 2.0 * t);
    let end = if direction.y >= 0.0 { scene.sky.zenith } else { scene.sky.nadir };
    std::array::from_fn(|i| scene.sky.horizon[i] + (end[i] - scene.sky.horizon[i]) * blend)
}
