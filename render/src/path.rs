//! One path: from the lens, by scattering, to the light.
//!
//! Each vertex draws a light for a shadow ray and the surface for the way on; what both can find is weighted by the
//! power heuristic (Veach 1997, "Robust Monte Carlo Methods for Light Transport Simulation", §9.2). Shapes that emit,
//! but for the brightest spheres, are found by the way on only.
//!
//! Two things keep a few dozen samples free of fireflies, at the price of bias:
//!
//! - after a scattering that is not narrow, lobes are at least [`ROUGHNESS_FLOOR`] rough (after Kaplanyan and Dachsbacher
//!   2013, "Path Space Regularization for Holistic and Robust Light Transport"), which blurs caustics;
//! - what a path finds beyond the direct light of its first such scattering, or after more than [`SHARP_SCATTERINGS`]
//!   scatterings of any kind, is scaled down to at most [`crate::FrameSettings::indirect_clamp`] in luminance, which
//!   darkens what a few bright paths would have carried.

use crate::bsdf::{Bsdf, Drawn, Facing, spectral};
use crate::light::{ENDLESS, Receiver};
use crate::prepared::{PreparedScene, Scratch, absorbed};
use crate::sampler::Sampler;
use crate::vector::{Ray, Vec3, min};
use crate::walk::walk;

/// The least perceptual roughness after a scattering that is not narrow.
pub(crate) const ROUGHNESS_FLOOR: f32 = 0.3;
/// Least share of reflected samples where the camera looks at glass: the mirror image of a light is a twentieth of the
/// light, but many times what is behind.
const FIRST_REFLECTED: f32 = 0.25;
/// Scatterings after which a path may be ended at random.
const ROULETTE_FROM: u32 = 3;
/// Scatterings, narrow ones included, up to which a path's finds are never scaled down: what is seen through a body of
/// glass, or in a mirror through it.
const SHARP_SCATTERINGS: u32 = 2;
/// Panes that a path may go straight through, beside its scatterings.
const MOST_PASSES: u32 = 8;
/// Mirrors and panes that the denoiser's layers look through.
const LAYERS_FOLLOW: u32 = 2;

/// Pairs of the sample sequence: two for the camera, then four for each bounce.
const PAIR_FILTER: u32 = 0;
const PAIR_LENS: u32 = 1;
const PAIRS_OF_CAMERA: u32 = 2;
const PAIRS_OF_BOUNCE: u32 = 4;
/// Beyond those of any bounce: the place in the spectrum.
const PAIR_SPECTRUM: u32 = 1 << 16;
/// Those of where a walk leaves a body, as many as of a bounce.
const PAIRS_OF_EXITS: u32 = PAIR_SPECTRUM + 1;

/// By which means light is found; all but `Both` are for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    Both,
    #[cfg(test)]
    Scattering,
    #[cfg(test)]
    Lights,
}

/// How far paths go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_bounces: u32,
    /// Most luminance of an indirect contribution.
    pub(crate) clamp: f32,
    pub(crate) strategy: Strategy,
}

/// What one path brings to its pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathSample {
    pub(crate) radiance: Vec3,
    pub(crate) albedo: Vec3,
    pub(crate) normal: Vec3,
    /// `None` where the path met no surface.
    pub(crate) depth: Option<f32>,
}

/// The ray through a pixel for this sample.
pub(crate) fn camera_ray(scene: &PreparedScene, pixel: [u32; 2], size: [u32; 2], sampler: &Sampler) -> Ray {
    scene.lens.ray(pixel, size, sampler.pair(PAIR_FILTER), sampler.pair(PAIR_LENS))
}

#[inline]
fn power_heuristic(own: f32, other: f32) -> f32 {
    let (own2, other2) = (own * own, other * other);
    own2 / (own2 + other2)
}

/// Light carried by the path that starts with `ray`.
pub(crate) fn trace(
    scene: &PreparedScene,
    limits: &Limits,
    mut ray: Ray,
    sampler: &Sampler,
    scratch: &mut Scratch,
) -> PathSample {
    let mut sample = PathSample { radiance: Vec3::ZERO, albedo: Vec3::ZERO, normal: Vec3::ZERO, depth: None };
    let mut throughput = Vec3::ONE;
    // How the last direction was drawn: its density (0 where no light sample could have drawn it), and from where.
    let mut density = 0.0;
    let mut receiver = Receiver { position: ray.origin, normal: ray.direction, translucent: false };
    let mut sees_backdrop = true;
    // Whether a scattering so far, and whether one before the last, was not narrow.
    let (mut softened, mut indirect) = (false, false);
    let mut layers_open = true;
    let mut layers_factor = Vec3::ONE;
    let mut length = 0.0;
    // Where in the spectrum the path is once glass has parted the colours, and whether it has.
    let spectrum = sampler.pair(PAIR_SPECTRUM)[0];
    let mut parted = false;

    let clamped = |contribution: Vec3, indirect: bool| {
        let luminance = contribution.luminance();
        if indirect && luminance > limits.clamp { contribution * (limits.clamp / luminance) } else { contribution }
    };
    // The share of what the way on has found that is its own to count.
    let share = |density: f32, by_light: f32| match limits.strategy {
        Strategy::Both => {
            if density > 0.0 {
                power_heuristic(density, by_light)
            } else {
                1.0
            }
        }
        #[cfg(test)]
        Strategy::Scattering => 1.0,
        #[cfg(test)]
        Strategy::Lights => f32::from(by_light <= 0.0 || density <= 0.0),
    };

    let mut bounce = 0;
    'path: for event in 0..=limits.max_bounces + MOST_PASSES {
        let hit = scene.intersect(&ray, scratch);
        let reach = hit.map_or(ENDLESS, |h| h.t);
        if let Some(light) = scene.lights.intersect(&ray, reach, bounce == 0) {
            let by_light = if density > 0.0 { scene.lights.density(&receiver, ray.direction, &light) } else { 0.0 };
            sample.radiance += clamped(throughput * light.radiance * share(density, by_light), indirect);
            break;
        }
        let Some(hit) = hit else {
            let behind = if sees_backdrop { scene.lens.backdrop(ray.direction) } else { None };
            let sky = behind.unwrap_or_else(|| scene.lights.sky(ray.direction));
            let by_light = if density > 0.0 { scene.lights.sky_density(&receiver, ray.direction) } else { 0.0 };
            sample.radiance += clamped(throughput * sky * share(density, by_light), indirect);
            if behind.is_none()
                && let Some((radiance, by_light)) = scene.lights.sun(&receiver, ray.direction)
            {
                let by_light = if density > 0.0 { by_light } else { 0.0 };
                sample.radiance += clamped(throughput * radiance * share(density, by_light), indirect);
            }
            break;
        };
        length += hit.t;
        let mut surface = scene.surface(&ray, &hit);
        let material = &scene.materials[surface.material as usize];
        let out = -ray.direction;
        let from_back = out.dot(surface.facet_normal) < 0.0;
        let inside = from_back && material.transmission > 0.0;
        if inside {
            throughput *= absorbed(material, hit.t);
        } else {
            let emission = Vec3::from(material.emission) + surface.emission;
            if emission != Vec3::ZERO {
                let by_light =
                    if density > 0.0 { scene.lights.ball_density(&receiver, hit.instance) } else { Some(0.0) };
                sample.radiance += match by_light {
                    Some(by_light) => clamped(throughput * emission * share(density, by_light), indirect),
                    // Nothing but chance finds it: as noisy as indirect light.
                    None => clamped(throughput * emission, softened || indirect),
                };
            }
        }
        let side = if from_back { -1.0 } else { 1.0 };
        let facing = Facing { normal: surface.normal * side, facet_normal: surface.facet_normal * side, out, inside };
        let pane = scene.hits_pane(&hit);
        let drawn = Drawn {
            least_roughness: if softened && !pane { ROUGHNESS_FLOOR } else { 0.0 },
            least_reflected: if bounce == 0 { FIRST_REFLECTED } else { 0.0 },
            spectrum,
        };
        // What crosses this surface keeps of each colour.
        let parts = material.dispersion > 0.0 && !parted;
        let crossing = if parts { spectral(spectrum) } else { Vec3::ONE };
        let mut bsdf = Bsdf::new(material, surface.tint, facing, drawn);

        let follow = bsdf.shows_others && event < LAYERS_FOLLOW;
        if layers_open {
            sample.albedo = layers_factor * bsdf.albedo;
            sample.normal = facing.normal;
            sample.depth = Some(length);
            layers_open = follow;
        }
        if bounce == limits.max_bounces {
            break;
        }

        let mut facet_normal = facing.facet_normal;
        let mut pairs = PAIRS_OF_CAMERA + PAIRS_OF_BOUNCE * event;
        // At the surface, and once more where a walk through the body leaves it.
        let (scatter, here, roulette) = loop {
            let position = surface.origin(facet_normal);
            let here = Receiver { position, normal: bsdf.normal(), translucent: bsdf.translucent() };
            let by_lights = match limits.strategy {
                Strategy::Both => bsdf.sees_lights(),
                #[cfg(test)]
                Strategy::Scattering => false,
                #[cfg(test)]
                Strategy::Lights => bsdf.sees_lights(),
            };
            if by_lights
                && let Some(light) = scene.lights.sample(&here, sampler.pair(pairs + 2)[0], sampler.pair(pairs + 3))
            {
                let (value, by_scattering) = bsdf.evaluate(light.direction);
                if value != Vec3::ZERO {
                    let weight = match limits.strategy {
                        Strategy::Both => power_heuristic(light.density, by_scattering),
                        #[cfg(test)]
                        _ => 1.0,
                    };
                    let shadow = Ray { origin: surface.origin(light.direction), direction: light.direction };
                    let visible = scene.visibility(&shadow, light.distance * (1.0 - 1e-4), scratch);
                    if visible != Vec3::ZERO {
                        let crosses = light.direction.dot(facet_normal) < 0.0;
                        let value = if crosses { value * crossing } else { value };
                        let contribution = throughput * value * light.radiance * visible * (weight / light.density);
                        sample.radiance += clamped(contribution, softened || indirect);
                    }
                }
            }

            let [lobe, roulette] = sampler.pair(pairs);
            let Some(scatter) = bsdf.sample(lobe, sampler.pair(pairs + 1)) else { break 'path };
            throughput *= scatter.weight;
            if !scatter.enters {
                break (scatter, here, roulette);
            }
            let Some((exit, kept)) = walk(scene, &surface, hit.instance, scatter.direction, sampler, event, scratch)
            else {
                break 'path;
            };
            throughput *= kept;
            (surface, facet_normal, bsdf) = (exit, exit.facet_normal, Bsdf::leaving(exit.normal, exit.facet_normal));
            pairs = PAIRS_OF_EXITS + PAIRS_OF_BOUNCE * event;
        };
        if scatter.transmitted {
            throughput *= crossing;
            parted |= parts;
        }
        if layers_open {
            layers_factor *= scatter.weight.min(Vec3::ONE);
        }
        if pane && scatter.straight {
            // Straight through is no scattering: shadow rays from the last vertex came this way too.
            ray = Ray { origin: surface.origin(ray.direction), direction: ray.direction };
            continue;
        }
        sees_backdrop &= scatter.transmitted || inside;
        (density, receiver) = (scatter.density, here);
        bounce += 1;
        indirect = softened || bounce > SHARP_SCATTERINGS;
        softened |= !scatter.narrow;
        let largest = throughput.max_component();
        if largest <= 0.0 {
            break;
        }
        if bounce >= ROULETTE_FROM {
            let survive = min(largest, 0.95);
            if roulette >= survive {
                break;
            }
            throughput = throughput * (1.0 / survive);
        }
        ray = Ray { origin: surface.origin(scatter.direction), direction: scatter.direction };
    }
    sample
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use nalgebra::{Point3, Similarity3, Translation3, UnitQuaternion, Vector3};
    use seedstorm_sim::scene::{AreaLight, Camera, Environment, Instance, Material, Scene, Shape, Sky, Sun};

    use super::*;
    use crate::{FrameSettings, Rect};

    /// A ball and a box on a floor, under a sky, between a near and a far light.
    fn scene(material: Material) -> Scene {
        let at = |x: f32, y: f32, z: f32| {
            Similarity3::from_parts(Translation3::new(x, y, z), UnitQuaternion::identity(), 1.0)
        };
        let instance = |shape, pose| Instance { shape, pose, material: 0, tint: [1.0, 0.8, 0.6], emission: [0.0; 3] };
        Scene {
            camera: Camera {
                eye: Point3::new(0.0, 1.5, 5.0),
                target: Point3::new(0.0, 0.6, 0.0),
                up: Vector3::y(),
                vertical_fov: 0.7,
                lens_radius: 0.0,
                focus_distance: 5.0,
            },
            sky: Sky { zenith: [0.5; 3], horizon: [0.2, 0.2, 0.3], nadir: [0.1; 3], backdrop: None },
            lights: vec![
                AreaLight {
                    center: Point3::new(0.5, 3.0, 0.5),
                    u: Vector3::new(1.0, 0.0, 0.0),
                    v: Vector3::new(0.0, 0.0, 0.7),
                    radiance: [4.0, 3.0, 2.0],
                    visible: true,
                },
                AreaLight {
                    center: Point3::new(-4.0, 1.5, 1.0),
                    u: Vector3::new(0.0, 0.0, 1.0),
                    v: Vector3::new(0.0, -1.0, 0.0),
                    radiance: [3.0; 3],
                    visible: false,
                },
            ],
            materials: vec![material],
            meshes: vec![],
            instances: vec![
                instance(Shape::Sphere(0.7), at(-0.6, 0.7, 0.0)),
                instance(Shape::Box(Vector3::new(0.4, 0.5, 0.4)), at(0.9, 0.5, 0.2)),
                instance(Shape::Box(Vector3::new(9.0, 0.1, 9.0)), at(0.0, -0.1, 0.0)),
                Instance { emission: [5.0, 3.0, 1.0], ..instance(Shape::Sphere(0.2), at(0.2, 0.2, 0.8)) },
            ],
            fluid: None,
            haze: None,
            environment: None,
            sun: None,
            exposure_stops: 0.0,
        }
    }

    /// Mean radiance of a picture, by each strategy; they must agree, since each alone finds all light.
    fn strategies_agree(material: Material, strategies: &[Strategy], tolerance: f32) {
        strategies_agree_in(scene(material), strategies, tolerance);
    }

    fn strategies_agree_in(scene: Scene, strategies: &[Strategy], tolerance: f32) {
        let prepared = PreparedScene::new(&scene).expect("a scene");
        let settings = FrameSettings {
            width: 24,
            height: 24,
            samples: 512,
            max_bounces: 3,
            seed: 1,
            indirect_clamp: f32::INFINITY,
        };
        let whole = Rect { x: 0, y: 0, width: 24, height: 24 };
        let mean = |strategy| {
            let layers =
                prepared.render_with(&settings, whole, strategy, &|_| {}, &AtomicBool::new(false)).expect("a picture");
            let sum = layers.radiance.iter().fold(Vec3::ZERO, |sum, &c| sum + Vec3::from(c));
            (sum * (1.0 / layers.radiance.len() as f32)).luminance()
        };
        let both = mean(Strategy::Both);
        assert!(both > 0.05, "the scene is lit");
        for &strategy in strategies {
            let alone = mean(strategy);
            assert!((alone / both - 1.0).abs() < tolerance, "{strategy:?}: {alone}, but together {both}");
        }
    }

    #[test]
    fn strategies_agree_on_a_coated_dielectric() {
        let material = Material { roughness: 0.5, coat: 0.7, coat_roughness: 0.4, ..Material::default() };
        strategies_agree(material, &[Strategy::Scattering, Strategy::Lights], 0.01);
    }

    #[test]
    fn strategies_agree_on_a_metal() {
        let material = Material { roughness: 0.5, metallic: 1.0, ..Material::default() };
        strategies_agree(material, &[Strategy::Scattering, Strategy::Lights], 0.01);
    }

    /// A sun, and a map with a bright spot of its own.
    #[test]
    fn strategies_agree_outdoors() {
        let mut scene = scene(Material { roughness: 0.4, coat: 0.5, coat_roughness: 0.3, ..Material::default() });
        let mut radiance = vec![[0.1, 0.15, 0.25]; 64 * 32];
        radiance[9 * 64 + 40] = [60.0, 50.0, 30.0];
        scene.environment = Some(std::sync::Arc::new(Environment { width: 64, height: 32, radiance }));
        scene.sun =
            Some(Sun { toward: Vector3::new(0.5, 0.7, 0.6), angular_radius: 0.12, radiance: [40.0, 35.0, 25.0] });
        strategies_agree_in(scene.clone(), &[Strategy::Scattering, Strategy::Lights], 0.015);
        let mut dark = scene;
        dark.environment = None;
        dark.lights.clear();
        dark.sky = Sky { zenith: [0.0; 3], horizon: [0.0; 3], nadir: [0.0; 3], backdrop: None };
        strategies_agree_in(dark, &[Strategy::Scattering, Strategy::Lights], 0.015);
    }

    #[test]
    fn strategies_agree_on_wax() {
        let wax =
            Material { roughness: 0.4, subsurface: 0.8, subsurface_radius: [0.2, 0.1, 0.05], ..Material::default() };
        strategies_agree(wax, &[Strategy::Scattering, Strategy::Lights], 0.015);
    }

    #[test]
    fn strategies_agree_on_fuzz_and_on_a_film() {
        let fuzz = Material { sheen: [0.9, 0.5, 0.7], sheen_roughness: 0.4, ..Material::default() };
        let film = Material { roughness: 0.5, metallic: 1.0, film: 420.0, ..Material::default() };
        strategies_agree(fuzz, &[Strategy::Scattering, Strategy::Lights], 0.01);
        strategies_agree(film, &[Strategy::Scattering, Strategy::Lights], 0.01);
    }

    /// The sky's own samples cover the side of the normal only, so that light samples alone cannot find the sky through
    /// glass; the two together must find what scattering alone finds.
    #[test]
    fn strategies_agree_on_rough_glass() {
        let material = Material { roughness: 0.45, transmission: 0.9, coat: 0.3, ..Material::default() };
        strategies_agree(material, &[Strategy::Scattering], 0.015);
        let parting =
            Material { roughness: 0.5, transmission: 1.0, dispersion: 0.3, film: 200.0, ..Material::default() };
        strategies_agree(parting, &[Strategy::Scattering], 0.02);
    }

    /// Shadow rays through a pane carry what paths straight through it carry.
    #[test]
    fn strategies_agree_under_a_pane() {
        let mut scene = scene(Material { roughness: 0.6, ..Material::default() });
        scene.materials.push(Material {
            base_color: [0.9, 0.8, 0.9],
            transmission: 1.0,
            ior: 1.0,
            coat: 1.0,
            coat_roughness: 0.4,
            absorption: [0.05, 0.1, 0.2],
            ..Material::default()
        });
        scene.instances.push(Instance { shape: Shape::Sphere(2.0), material: 1, ..scene.instances[0] });
        strategies_agree_in(scene, &[Strategy::Scattering], 0.015);
    }
}
