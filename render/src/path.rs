//! One path: from the lens, by scattering, to the light.
//!
//! Each vertex draws a light for a shadow ray and the surface for the way on; what both can find is weighted by the
//! power heuristic (Veach 1997, "Robust Monte Carlo Methods for Light Transport Simulation", §9.2). Shapes that emit and
//! are no spheres are found by the way on only.
//!
//! Three things keep a few dozen samples free of fireflies, at the price of bias:
//!
//! - after a scattering that is not narrow, lobes are at least [`crate::bsdf::ROUGHNESS_FLOOR`] rough (after Kaplanyan and Dachsbacher
//!   2013, "Path Space Regularization for Holistic and Robust Light Transport"), which blurs caustics;
//! - to what scatters widely, light comes straight through a clear liquid: the caustics on a tank's floor would be
//!   nothing but fireflies, and without them it would be dark;
//! - what a path finds beyond the direct light of its first such scattering, or after more than [`SHARP_SCATTERINGS`]
//!   scatterings of any kind, is scaled down to at most [`crate::FrameSettings::indirect_clamp`] in luminance, which
//!   darkens what a few bright paths would have carried.

use crate::bsdf::{Bsdf, Drawn, Facing, spectral};
use crate::light::{ENDLESS, Receiver, Side};
use crate::prepared::{PreparedScene, Surface, absorbed};
use crate::sampler::Sampler;
use crate::search::Scratch;
use crate::vector::{Ray, Vec3};
use crate::walk::walk;

/// Least share of reflected samples where the camera looks at glass: the mirror image of a light is a twentieth of the
/// light, but many times what is behind.
const FIRST_REFLECTED: f32 = 0.25;
/// Scatterings after which a path may be ended at random.
const ROULETTE_FROM: u32 = 3;
/// That many times its largest colour is the share of such paths that go on.
const ROULETTE_KEEPS: f32 = 3.0;
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
/// Beyond those of any bounce: the moment, and four for each meeting with fog.
const PAIR_TIME: u32 = 1 << 15;
const PAIRS_OF_FOG: u32 = PAIR_TIME + 1;
/// Beyond those: the place in the spectrum.
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
    /// The least perceptual roughness after a scattering that is not narrow.
    pub(crate) floor: f32,
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
    let ray = scene.lens.ray(pixel, size, sampler.pair(PAIR_FILTER), || sampler.pair(PAIR_LENS));
    if scene.moving.is_empty() { ray } else { Ray { time: sampler.pair(PAIR_TIME)[0], ..ray } }
}

/// Whether the ray comes to this surface from within a clear body.
#[inline]
fn comes_from_inside(scene: &PreparedScene, ray: &Ray, surface: &Surface) -> bool {
    ray.direction.dot(surface.facet_normal) > 0.0 && scene.materials[surface.material as usize].transmission > 0.0
}

#[inline]
fn power_heuristic(own: f32, other: f32) -> f32 {
    let (own2, other2) = (own * own, other * other);
    own2 / (own2 + other2)
}

/// Light carried by the path that starts with `ray`.
#[inline(always)]
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
    let mut receiver = Receiver { position: ray.origin, normal: ray.direction, side: Side::Front, time: ray.time };
    let mut sees_backdrop = true;
    // Whether a scattering so far, and whether one before the last, was not narrow.
    let (mut softened, mut indirect) = (false, false);
    let mut layers_open = true;
    let mut layers_factor = Vec3::ONE;
    let mut length = 0.0;
    // Where in the spectrum the path is once glass has parted the colours, and whether it has.
    let spectrum = if scene.parts_colors { sampler.pair(PAIR_SPECTRUM)[0] } else { 0.5 };
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

    // Where paths are kept smooth, light goes straight through clear liquids to what scatters it widely.
    let liquid = scene.liquid.as_ref().filter(|_| limits.floor > 0.0);
    let by_lights = match limits.strategy {
        Strategy::Both => true,
        #[cfg(test)]
        Strategy::Scattering => false,
        #[cfg(test)]
        Strategy::Lights => true,
    };
    // The share of what a shadow ray has found.
    let weight_of = |by_light: f32, by_scattering: f32| match limits.strategy {
        Strategy::Both => power_heuristic(by_light, by_scattering),
        #[cfg(test)]
        _ => 1.0,
    };

    let mut bounce = 0;
    'path: for event in 0..=limits.max_bounces + MOST_PASSES {
        let hit = scene.intersect(&ray, scratch);
        let reach = hit.map_or(ENDLESS, |h| h.t);
        let light = scene.lights.intersect(&ray, reach, bounce == 0);
        let met = hit.filter(|_| light.is_none()).map(|hit| (hit, scene.surface(&ray, &hit)));
        let inside = met.is_some_and(|(_, surface)| comes_from_inside(scene, &ray, &surface));
        if let Some(fog) = scene.fog.as_ref().filter(|_| !inside) {
            let pairs = PAIRS_OF_FOG + PAIRS_OF_BOUNCE * event;
            let [distance, roulette] = sampler.pair(pairs);
            if let Some(t) = fog.meets(&ray, light.map_or(reach, |light| light.t), distance) {
                if let Some((hit, surface)) = met.filter(|_| layers_open) {
                    // The layers show what stands behind.
                    let side = if ray.direction.dot(surface.facet_normal) > 0.0 { -1.0 } else { 1.0 };
                    let normal = surface.normal * side;
                    let facing =
                        Facing { normal, facet_normal: surface.facet_normal * side, out: -ray.direction, inside };
                    let drawn = Drawn { least_roughness: 0.0, least_reflected: 0.0, spectrum };
                    let material = &scene.materials[surface.material as usize];
                    sample.albedo = layers_factor * Bsdf::new(material, surface.tint, facing, drawn).albedo;
                    (sample.normal, sample.depth) = (normal, Some(length + hit.t));
                }
                layers_open = false;
                if bounce == limits.max_bounces {
                    break;
                }
                length += t;
                throughput *= fog.albedo;
                let here = Receiver { position: ray.at(t), normal: ray.direction, side: Side::All, time: ray.time };
                if by_lights
                    && let Some(light) =
                        scene.lights.sample(&here, || sampler.pair(pairs + 2)[0], sampler.pair(pairs + 3))
                {
                    let value = fog.phase(ray.direction, light.direction);
                    let shadow = Ray { origin: here.position, direction: light.direction, time: ray.time };
                    let visible = scene.visibility(&shadow, light.distance * (1.0 - 1e-4), liquid, scratch);
                    let weight = weight_of(light.density, value);
                    let contribution = throughput * visible * light.radiance * (value * weight / light.density);
                    sample.radiance += clamped(contribution, softened || indirect);
                }
                let (direction, turned) = fog.turn(ray.direction, sampler.pair(pairs + 1));
                (density, receiver, sees_backdrop) = (turned, here, false);
                bounce += 1;
                (indirect, softened) = (softened || bounce > SHARP_SCATTERINGS, true);
                let Some(kept) = spared(throughput, bounce, || roulette) else { break };
                throughput = kept;
                ray = Ray { origin: here.position, direction, time: ray.time };
                continue;
            }
        }
        if let Some(light) = light {
            let by_light = if density > 0.0 { scene.lights.density(&receiver, ray.direction, &light) } else { 0.0 };
            sample.radiance += clamped(throughput * light.radiance * share(density, by_light), indirect);
            break;
        }
        let Some((hit, mut surface)) = met else {
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
        let unbent = liquid.filter(|liquid| softened && liquid.instance == hit.instance);
        if let Some(liquid) = unbent {
            surface.material = liquid.material;
        }
        let material = &scene.materials[surface.material as usize];
        let out = -ray.direction;
        let from_back = out.dot(surface.facet_normal) < 0.0;
        if inside {
            throughput *= absorbed(material, hit.t);
        } else {
            let emission = Vec3::from(material.emission) + surface.emission;
            if emission != Vec3::ZERO {
                sample.radiance += match scene.looks[hit.instance as usize].ball {
                    _ if density <= 0.0 => clamped(throughput * emission * share(density, 0.0), indirect),
                    Some(ball) => {
                        let by_light = scene.lights.ball_density(&receiver, ball);
                        clamped(throughput * emission * share(density, by_light), indirect)
                    }
                    // Nothing but chance finds it: as noisy as indirect light.
                    None => clamped(throughput * emission, softened || indirect),
                };
            }
        }
        let side = if from_back { -1.0 } else { 1.0 };
        let facing = Facing { normal: surface.normal * side, facet_normal: surface.facet_normal * side, out, inside };
        let pane = unbent.is_some() || scene.hits_pane(&hit);
        let drawn = Drawn {
            least_roughness: if softened && !pane { limits.floor } else { 0.0 },
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
        let (scatter, here) = loop {
            let position = surface.origin(facet_normal);
            let seen_from = if bsdf.translucent() { Side::Both } else { Side::Front };
            let here = Receiver { position, normal: bsdf.normal(), side: seen_from, time: ray.time };
            if by_lights
                && bsdf.sees_lights()
                && let Some(light) = scene.lights.sample(&here, || sampler.pair(pairs + 2)[0], sampler.pair(pairs + 3))
            {
                let (value, by_scattering) = bsdf.evaluate(light.direction);
                if value != Vec3::ZERO {
                    let weight = weight_of(light.density, by_scattering);
                    let origin = surface.origin(light.direction);
                    let shadow = Ray { origin, direction: light.direction, time: ray.time };
                    let visible = scene.visibility(&shadow, light.distance * (1.0 - 1e-4), liquid, scratch);
                    if visible != Vec3::ZERO {
                        let crosses = light.direction.dot(facet_normal) < 0.0;
                        let value = if crosses { value * crossing } else { value };
                        let contribution = throughput * value * light.radiance * visible * (weight / light.density);
                        sample.radiance += clamped(contribution, softened || indirect);
                    }
                }
            }

            let lobe = || sampler.pair(pairs)[0];
            let Some(scatter) = bsdf.sample(lobe, sampler.pair(pairs + 1)) else { break 'path };
            throughput *= scatter.weight;
            if !scatter.enters {
                break (scatter, here);
            }
            let inward = Ray { direction: scatter.direction, ..ray };
            let Some((exit, kept)) = walk(scene, &surface, hit.instance, inward, sampler, event, scratch) else {
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
            ray = Ray { origin: surface.origin(ray.direction), ..ray };
            continue;
        }
        sees_backdrop &= scatter.transmitted || inside;
        (density, receiver) = (scatter.density, here);
        bounce += 1;
        indirect = softened || bounce > SHARP_SCATTERINGS;
        softened |= !scatter.narrow;
        let Some(kept) = spared(throughput, bounce, || sampler.pair(pairs)[1]) else { break };
        throughput = kept;
        ray = Ray { origin: surface.origin(scatter.direction), direction: scatter.direction, time: ray.time };
    }
    sample
}

/// What a path carries on after `bounce` scatterings; `None` where it ends, at random once it is long.
#[inline]
fn spared(throughput: Vec3, bounce: u32, roulette: impl FnOnce() -> f32) -> Option<Vec3> {
    let largest = throughput.max_component();
    if largest <= 0.0 {
        return None;
    }
    if bounce < ROULETTE_FROM {
        return Some(throughput);
    }
    // Only faint paths are ended: under a bright sky, what a long path brings is worth more than its time.
    let survive = ROULETTE_KEEPS * largest;
    if survive >= 1.0 {
        return Some(throughput);
    }
    (roulette() < survive).then(|| throughput * (1.0 / survive))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use nalgebra::{Point3, Similarity3, Translation3, UnitQuaternion, Vector3};
    use seedstorm_sim::scene::{
        AreaLight, Camera, Environment, Fluid, Fog, Instance, Material, Mesh, Scene, Shape, Sky, Sun,
    };

    use super::*;
    use crate::lanes::Widest;
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
            fog: None,
            moved: vec![],
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
        strategies_agree_below(f32::INFINITY, scene, strategies, tolerance);
    }

    fn strategies_agree_below(indirect_clamp: f32, scene: Scene, strategies: &[Strategy], tolerance: f32) {
        let prepared = PreparedScene::new(&scene).expect("a scene");
        let settings = FrameSettings {
            width: 24,
            height: 24,
            samples: 512,
            max_bounces: 3,
            seed: 1,
            outlines: true,
            frame: 0,
            indirect_clamp,
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

    /// Thin and thick, lit by everything that there is, around a ball of glass.
    #[test]
    fn strategies_agree_in_fog() {
        let mut scene = scene(Material { roughness: 0.5, ..Material::default() });
        scene.materials.push(Material { transmission: 1.0, roughness: 0.4, ..Material::default() });
        scene.instances[0].material = 1;
        scene.sun =
            Some(Sun { toward: Vector3::new(0.5, 0.7, 0.6), angular_radius: 0.12, radiance: [20.0, 15.0, 10.0] });
        for (density, anisotropy) in [(0.1, 0.6), (1.5, -0.3)] {
            let (low, high) = (Point3::new(-3.0, -0.5, -3.0), Point3::new(3.0, 2.5, 6.0));
            scene.fog = Some(Fog { low, high, density, albedo: [0.9, 0.95, 1.0], anisotropy });
            strategies_agree_in(scene.clone(), &[Strategy::Scattering, Strategy::Lights], 0.015);
        }
    }

    /// Hundreds of glowing balls, some of which move.
    #[test]
    fn strategies_agree_among_many_glowing_balls() {
        let mut scene = scene(Material { roughness: 0.5, coat: 0.5, coat_roughness: 0.4, ..Material::default() });
        let glowing = scene.instances[3];
        for i in 0..400 {
            let place = |by: i32| (i * by % 401) as f32 / 401.0;
            let at = Translation3::new(place(31) * 5.0 - 2.5, place(57) * 1.5 + 0.05, place(73) * 4.0 - 2.0);
            let emission = [4.0 * place(7), 3.0 * place(13), 3.0 * place(29)];
            let pose = Similarity3::from_parts(at, UnitQuaternion::identity(), 0.1 + 0.2 * place(11));
            scene.instances.push(Instance { emission, pose, ..glowing });
        }
        let later = scene.instances.iter().enumerate().map(|(i, instance)| {
            let by = if i % 3 == 1 { 0.2 } else { 0.0 };
            Translation3::new(0.0, by, 0.5 * by) * instance.pose
        });
        scene.moved = later.collect();
        strategies_agree_in(scene, &[Strategy::Scattering, Strategy::Lights], 0.015);
    }

    fn tetrahedron() -> std::sync::Arc<Mesh> {
        let corners = [[0.0, 0.6, 0.0], [0.6, -0.3, 0.1], [-0.5, -0.3, 0.4], [0.1, -0.4, -0.6]];
        std::sync::Arc::new(Mesh {
            positions: corners.map(Point3::from).to_vec(),
            triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
            ..Mesh::default()
        })
    }

    /// Paths are the same, bit for bit, with the instructions that every processor has.
    #[test]
    fn paths_are_the_same_by_any_instructions() {
        let mut scene = scene(Material { roughness: 0.4, coat: 0.5, sheen: [0.2; 3], ..Material::default() });
        scene.materials.push(Material { transmission: 1.0, roughness: 0.3, dispersion: 0.1, ..Material::default() });
        scene.instances[1].material = 1;
        paths_are_the_same(&scene);
        // Wax, water, a mesh and fog, outdoors, all of it moving.
        scene.materials.push(Material { subsurface: 0.8, subsurface_radius: [0.2, 0.1, 0.05], ..Material::default() });
        scene.materials.push(Material { transmission: 0.95, roughness: 0.0, ior: 1.33, ..Material::default() });
        scene.meshes.push(tetrahedron());
        scene.instances.push(Instance { shape: Shape::Mesh(0), material: 2, ..scene.instances[1] });
        let lattice = (0..400).map(|i| [i % 10, i / 10 % 4, i / 40].map(|i| i as f32 * 0.15));
        let positions = lattice.map(|[x, y, z]| Point3::new(x - 1.0, y, z + 0.3)).collect();
        scene.fluid = Some(Fluid { positions, spacing: 0.15, material: 3, ..Fluid::default() });
        let (low, high) = (Point3::new(-3.0, -0.5, -3.0), Point3::new(3.0, 2.5, 6.0));
        scene.fog = Some(Fog { low, high, density: 0.2, albedo: [0.9, 0.95, 1.0], anisotropy: 0.5 });
        let radiance = (0..64 * 32).map(|i| [0.2 + 0.001 * i as f32, 0.5, 0.9]).collect();
        scene.environment = Some(std::sync::Arc::new(Environment { width: 64, height: 32, radiance }));
        scene.sun =
            Some(Sun { toward: Vector3::new(0.5, 0.7, 0.6), angular_radius: 0.05, radiance: [90.0, 80.0, 60.0] });
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), 0.4);
        scene.moved = scene.instances.iter().map(|instance| turn * instance.pose).collect();
        paths_are_the_same(&scene);
    }

    fn paths_are_the_same(scene: &Scene) {
        let prepared = PreparedScene::new(scene).expect("a scene");
        let limits = Limits { max_bounces: 6, clamp: 4.0, floor: 0.3, strategy: Strategy::Both };
        let mut plain = Scratch { widest: Widest::of_any_processor(), ..Scratch::default() };
        let mut widest = Scratch::default();
        let mut lit = 0;
        for index in 0..4096 {
            let pixel = [index % 64, index / 64];
            let sampler = Sampler::new(pixel[0], pixel[1], index, 3, 0);
            let ray = camera_ray(&prepared, pixel, [64, 64], &sampler);
            let by_any = trace(&prepared, &limits, ray, &sampler, &mut plain);
            let by_widest = widest.widest.run(
                #[inline(always)]
                || trace(&prepared, &limits, ray, &sampler, &mut widest),
            );
            let bits = |sample: &PathSample| {
                let colors = [sample.radiance, sample.albedo, sample.normal].map(<[f32; 3]>::from);
                (colors.map(|color| color.map(f32::to_bits)), sample.depth.map(f32::to_bits))
            };
            assert_eq!(bits(&by_any), bits(&by_widest), "path {index}");
            lit += u32::from(by_any.radiance != Vec3::ZERO);
        }
        assert!(lit > 2048, "{lit} paths found light");
    }

    /// A picture while the shutter is open is the mean of those of all its moments.
    #[test]
    fn a_moving_picture_is_the_mean_of_its_moments() {
        let mut opens = scene(Material { roughness: 0.6, ..Material::default() });
        opens.meshes.push(tetrahedron());
        let capsule = Shape::Capsule { half_height: 0.5, radius: 0.2 };
        opens.instances[0] = Instance { shape: capsule, ..opens.instances[0] };
        opens.instances.push(Instance { shape: Shape::Mesh(0), ..opens.instances[1] });
        let later = |i: usize, share: f32| {
            let mut pose = opens.instances[i].pose;
            if i != 2 {
                let by = Vector3::new(0.5, 0.3, -0.4) * if i == 3 { -1.0 } else { 1.0 };
                pose.isometry.translation.vector += by * share;
                pose.isometry.rotation = UnitQuaternion::from_euler_angles(0.5 * share, 0.0, 0.0)
                    * UnitQuaternion::from_axis_angle(&Vector3::z_axis(), 0.9 * share);
            }
            pose
        };
        let all = 0..opens.instances.len();
        let (from, to): (Vec<_>, Vec<_>) = all.map(|i| (later(i, 0.0), later(i, 1.0))).unzip();
        let settings = |samples| FrameSettings {
            width: 48,
            height: 48,
            samples,
            max_bounces: 2,
            seed: 5,
            outlines: true,
            frame: 0,
            indirect_clamp: f32::INFINITY,
        };
        let picture = |scene: &Scene, samples| {
            let prepared = PreparedScene::new(scene).expect("a scene");
            prepared.render(&settings(samples), &|_| {}, &AtomicBool::new(false)).expect("a picture").radiance
        };
        let moving = picture(&Scene { moved: to.clone(), ..opens.clone() }, 1024);
        let moments = 32;
        let mut mean = vec![Vec3::ZERO; moving.len()];
        for moment in 0..moments {
            let share = (moment as f32 + 0.5) / moments as f32;
            let mut still = opens.clone();
            for ((instance, from), to) in still.instances.iter_mut().zip(&from).zip(&to) {
                let at = from.isometry.translation.vector.lerp(&to.isometry.translation.vector, share);
                let turn = from.isometry.rotation.nlerp(&to.isometry.rotation, share);
                instance.pose = Similarity3::from_parts(at.into(), turn, instance.pose.scaling());
            }
            for (sum, pixel) in mean.iter_mut().zip(picture(&still, 64)) {
                *sum += Vec3::from(pixel) * (1.0 / moments as f32);
            }
        }
        let (mut apart, mut whole) = (0.0, 0.0);
        for (a, b) in moving.iter().zip(&mean) {
            apart += (Vec3::from(*a) - *b).abs().luminance();
            whole += b.luminance();
        }
        assert!(apart / whole < 0.02, "{}", apart / whole);
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

    /// As long as paths are kept smooth, a clear liquid is as a pane to what lies in it, and what lies in it is lit.
    #[test]
    fn strategies_agree_in_a_clear_liquid() {
        let mut scene = scene(Material { roughness: 0.6, ..Material::default() });
        let absorption = [0.9, 0.3, 0.2];
        scene.materials.push(Material {
            transmission: 0.95,
            roughness: 0.0,
            ior: 1.33,
            absorption,
            ..Material::default()
        });
        let lattice = |i: usize| [i % 20, i / 20 % 6, i / 120].map(|i| i as f32 * 0.15);
        let positions = (0..2400).map(lattice).map(|[x, y, z]| Point3::new(x - 1.5, y, z - 1.5)).collect();
        scene.fluid = Some(Fluid { positions, spacing: 0.15, material: 1, ..Fluid::default() });
        strategies_agree_below(1e9, scene.clone(), &[Strategy::Scattering], 0.02);

        let lit = |indirect_clamp| {
            let prepared = PreparedScene::new(&scene).expect("a scene");
            let settings =
                FrameSettings { width: 24, height: 24, samples: 64, indirect_clamp, ..FrameSettings::default() };
            let layers = prepared.render(&settings, &|_| {}, &AtomicBool::new(false)).expect("a picture");
            layers.radiance.iter().map(|&c| Vec3::from(c).luminance()).sum::<f32>()
        };
        // Without any bias the same light finds its way by chance, and bent.
        let [smooth, free] = [lit(1e9), lit(f32::INFINITY)];
        assert!((smooth / free - 1.0).abs() < 0.1, "{smooth}, and {free} without bias");
    }
}
