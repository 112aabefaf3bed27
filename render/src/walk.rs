//! Light that goes through a body of wax, jade or milk: a walk at random from where it enters to where it leaves.
//!
//! Chiang, Kutz and Burley 2016, "Practical and Controllable Subsurface Scattering for Production Path Tracing". The
//! distance of a step is drawn for one colour and weighed for all three (Wrenninge, Villemin and Hery 2017, "Path Traced
//! Subsurface Scattering using Anisotropic Phase Functions and Non-Exponential Free Flights").

use seedstorm_sim::scene::Material;

use crate::prepared::{PreparedScene, Surface};
use crate::sampler::Sampler;
use crate::search::Scratch;
use crate::vector::{Ray, Vec3, max, min, vec3};

/// Most steps of a walk.
const MOST_STEPS: u32 = 128;
/// Steps after which a walk may be ended at random.
const ROULETTE_FROM: u32 = 4;

/// Where walks begin among the pairs of the sample sequence, and how many each may take.
const PAIR_WALK: u32 = 1 << 17;
const PAIRS_OF_WALK: u32 = 1 << 10;

/// How a body scatters within.
struct Inside {
    /// Share of light that survives a scattering.
    albedo: Vec3,
    /// Scatterings a world unit.
    extinction: Vec3,
}

impl Inside {
    fn new(material: &Material, color: Vec3) -> Self {
        let each = |f: fn(f32) -> f32, v: Vec3| vec3(f(v.x), f(v.y), f(v.z));
        // What a deep slab has to scatter at each meeting for this much to come back.
        let albedo = |a: f32| 1.0 - libm::expf(a * (-5.094_06 + a * (2.611_88 - a * 4.318_05)));
        Self {
            albedo: each(albedo, color),
            extinction: each(|radius| 1.0 / max(radius, 1e-6), Vec3::from(material.subsurface_radius)),
        }
    }
}

fn exp(v: Vec3) -> Vec3 {
    vec3(libm::expf(v.x), libm::expf(v.y), libm::expf(v.z))
}

/// Where the walk that enters `body` at `surface` along a ray's direction leaves it, and how much of each colour does; `None`
/// where it is absorbed, or lost among other things.
pub(crate) fn walk(
    scene: &PreparedScene,
    surface: &Surface,
    body: u32,
    Ray { direction, time, .. }: Ray,
    sampler: &Sampler,
    event: u32,
    scratch: &mut Scratch,
) -> Option<(Surface, Vec3)> {
    let material = &scene.materials[surface.material as usize];
    let color = (Vec3::from(material.base_color) * surface.tint).max(Vec3::ZERO).min(Vec3::ONE);
    let inside = Inside::new(material, color);
    let mut ray = Ray { origin: surface.origin(direction), direction, time };
    let mut throughput = Vec3::ONE;
    let first = PAIR_WALK + event * PAIRS_OF_WALK;
    for step in 0..MOST_STEPS {
        let [choice, distance] = sampler.pair(first + 2 * step);
        let hit = scene.intersect(&ray, scratch)?;
        // The colour that the distance is drawn for.
        let sum = throughput.x + throughput.y + throughput.z;
        let shares = throughput * (1.0 / sum);
        let rate = if choice < shares.x {
            inside.extinction.x
        } else if choice < shares.x + shares.y {
            inside.extinction.y
        } else {
            inside.extinction.z
        };
        let reach = -libm::logf(1.0 - distance) / rate;
        if reach >= hit.t {
            let through = exp(inside.extinction * -hit.t);
            throughput = throughput * through * (1.0 / max(shares.dot(through), 1e-30));
            let exit = scene.surface(&ray, &hit);
            let leaves = hit.instance == body && exit.facet_normal.dot(ray.direction) > 0.0;
            return leaves.then_some((exit, throughput));
        }
        let met = inside.extinction * exp(inside.extinction * -reach);
        throughput = throughput * inside.albedo * met * (1.0 / max(shares.dot(met), 1e-30));
        let largest = throughput.max_component();
        if largest <= 0.0 {
            return None;
        }
        let [u, v] = sampler.pair(first + 2 * step + 1);
        if step >= ROULETTE_FROM {
            let survive = min(largest, 0.98);
            if sampler.pair(first + 2 * (MOST_STEPS + step))[0] >= survive {
                return None;
            }
            throughput = throughput * (1.0 / survive);
        }
        let z = 1.0 - 2.0 * u;
        let r = max(1.0 - z * z, 0.0).sqrt();
        let (sin, cos) = libm::sincosf(v * std::f32::consts::TAU);
        ray = Ray { origin: ray.at(reach), direction: vec3(r * cos, r * sin, z), time };
    }
    None
}
