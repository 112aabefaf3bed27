//! What the tracer tells the denoiser beside the radiance.

use std::sync::atomic::AtomicBool;

use nalgebra::{Point3, Similarity3, Translation3, UnitQuaternion, Vector3};
use seedstorm_render::{FrameSettings, Layers, PreparedScene};
use seedstorm_sim::scene::{AreaLight, Camera, Instance, Material, Scene, Shape, Sky};

const MATT: usize = 0;
const MIRROR: usize = 1;
const GLASS: usize = 2;

fn at(x: f32, y: f32, z: f32) -> Similarity3<f32> {
    Similarity3::from_parts(Translation3::new(x, y, z), UnitQuaternion::identity(), 1.0)
}

/// Looks straight down at whatever lies below, through a narrow angle.
fn looking_down(instances: Vec<Instance>) -> Scene {
    Scene {
        camera: Camera {
            eye: Point3::new(0.0, 5.0, 0.0),
            target: Point3::origin(),
            up: Vector3::z(),
            vertical_fov: 0.01,
            lens_radius: 0.0,
            focus_distance: 5.0,
        },
        sky: Sky { zenith: [1.0; 3], horizon: [0.5; 3], nadir: [0.2; 3], backdrop: None },
        lights: vec![AreaLight {
            center: Point3::new(3.0, 3.0, 0.0),
            u: Vector3::new(0.0, 0.0, 1.0),
            v: Vector3::new(-0.7, 0.7, 0.0),
            radiance: [5.0; 3],
            visible: true,
        }],
        materials: vec![
            Material { base_color: [0.2, 0.4, 0.6], ior: 1.0, ..Material::default() },
            Material { base_color: [0.5, 1.0, 1.0], metallic: 1.0, roughness: 0.0, ..Material::default() },
            Material { base_color: [1.0; 3], transmission: 1.0, roughness: 0.0, ior: 1.0, ..Material::default() },
        ],
        meshes: vec![],
        instances,
        fluid: None,
        haze: None,
        fog: None,
        moved: vec![],
        environment: None,
        sun: None,
        exposure_stops: 0.0,
    }
}

fn slab(y: f32, material: usize) -> Instance {
    let shape = Shape::Box(Vector3::new(2.0, 0.5, 2.0));
    Instance { shape, pose: at(0.0, y - 0.5, 0.0), material, tint: [1.0; 3], emission: [0.0; 3] }
}

fn render(scene: &Scene, seed: u32) -> Layers {
    let settings = FrameSettings { width: 8, height: 8, samples: 16, seed, ..FrameSettings::default() };
    let prepared = PreparedScene::new(scene).expect("a scene");
    prepared.render(&settings, &|_| {}, &AtomicBool::new(false)).expect("a picture")
}

fn near(a: [f32; 3], b: [f32; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.01)
}

#[test]
fn a_matt_surface_is_described_as_it_is() {
    let layers = render(&looking_down(vec![slab(0.0, MATT)]), 0);
    assert!(layers.albedo.iter().all(|&a| near(a, [0.2, 0.4, 0.6])));
    assert!(layers.normal.iter().all(|&n| near(n, [0.0, 1.0, 0.0])));
    assert!(layers.depth.iter().all(|d| (d - 5.0).abs() < 0.01));
}

#[test]
fn a_miss_has_no_surface() {
    let layers = render(&looking_down(vec![]), 0);
    assert!(layers.albedo.iter().chain(&layers.normal).all(|v| *v == [0.0; 3]));
    assert!(layers.depth.iter().all(|&d| d == 0.0));
    assert!(layers.radiance.iter().all(|&c| near(c, [0.2; 3])));
}

#[test]
fn mirrors_and_clear_glass_are_looked_through() {
    // Down through a pane onto a matt floor.
    let layers = render(&looking_down(vec![slab(2.0, GLASS), slab(0.0, MATT)]), 0);
    assert!(layers.albedo.iter().all(|&a| near(a, [0.2, 0.4, 0.6])), "{:?}", layers.albedo[0]);
    assert!(layers.depth.iter().all(|d| (d - 5.0).abs() < 0.01));
    // Down into a mirror that shows the underside of a slab above the camera.
    let layers = render(&looking_down(vec![slab(0.0, MIRROR), slab(8.0, MATT)]), 0);
    assert!(layers.albedo.iter().all(|&a| near(a, [0.1, 0.4, 0.6])), "{:?}", layers.albedo[0]);
    assert!(layers.normal.iter().all(|&n| near(n, [0.0, -1.0, 0.0])));
    assert!(layers.depth.iter().all(|d| (d - 12.0).abs() < 0.02), "{}", layers.depth[0]);
    // A mirror that shows the sky alone stands for itself.
    let layers = render(&looking_down(vec![slab(0.0, MIRROR)]), 0);
    assert!(layers.albedo.iter().all(|&a| near(a, [0.5, 1.0, 1.0])));
    assert!(layers.normal.iter().all(|&n| near(n, [0.0, 1.0, 0.0])));
}

#[test]
fn the_variance_bounds_what_other_samples_bring() {
    let scene = looking_down(vec![slab(0.0, MATT)]);
    let frames: Vec<Layers> = (0..64).map(|seed| render(&scene, seed)).collect();
    let luminance = |c: [f32; 3]| f64::from(0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]);
    let (mut found, mut stated) = (0.0, 0.0);
    for pixel in 0..64 {
        let values: Vec<f64> = frames.iter().map(|f| luminance(f.radiance[pixel])).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        found += values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (values.len() - 1) as f64;
        stated += frames.iter().map(|f| f64::from(f.variance[pixel])).sum::<f64>() / frames.len() as f64;
    }
    assert!(found > 0.0, "other seeds bring other samples");
    assert!(found < stated, "{found} is more than the {stated} of independent samples");
}
