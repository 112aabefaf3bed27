//! Radiance against what theory says: white furnaces, form factors, absorption.

use std::f32::consts::PI;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nalgebra::{Point3, Quaternion, Similarity3, Translation3, UnitQuaternion, Vector3};
use seedstorm_render::{FrameSettings, Layers, PreparedScene};
use seedstorm_sim::scene::{AreaLight, Camera, Instance, Material, Mesh, Scene, Shape, Sky};

fn camera(eye: [f32; 3], target: [f32; 3], vertical_fov: f32) -> Camera {
    Camera {
        eye: eye.into(),
        target: target.into(),
        up: Vector3::new(0.0, 1.0, 0.1),
        vertical_fov,
        lens_radius: 0.0,
        focus_distance: 1.0,
    }
}

fn sky(radiance: f32) -> Sky {
    Sky { zenith: [radiance; 3], horizon: [radiance; 3], nadir: [radiance; 3], backdrop: None }
}

fn at(x: f32, y: f32, z: f32) -> Similarity3<f32> {
    Similarity3::from_parts(Translation3::new(x, y, z), UnitQuaternion::identity(), 1.0)
}

fn instance(shape: Shape, pose: Similarity3<f32>, material: usize) -> Instance {
    Instance { shape, pose, material, tint: [1.0; 3], emission: [0.0; 3] }
}

fn empty(camera: Camera, sky: Sky) -> Scene {
    Scene {
        camera,
        sky,
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
        exposure_stops: 0.0,
    }
}

fn render(scene: &Scene, size: u32, samples: u32, max_bounces: u32) -> Layers {
    let settings = FrameSettings {
        width: size,
        height: size,
        samples,
        max_bounces,
        seed: 0,
        outlines: true,
        frame: 0,
        indirect_clamp: f32::INFINITY,
    };
    let prepared = PreparedScene::new(scene).expect("a scene");
    prepared.render(&settings, &|_| {}, &AtomicBool::new(false)).expect("a picture")
}

fn mean(layers: &Layers) -> f32 {
    layers.radiance.iter().map(|c| c[1]).sum::<f32>() / layers.radiance.len() as f32
}

/// A matt surface without a boundary: nothing but Lambert's law.
fn matt(albedo: f32) -> Material {
    Material { base_color: [albedo; 3], ior: 1.0, roughness: 1.0, ..Material::default() }
}

/// A white ball that fills the picture, under a sky of 1 all around, returns 1 where nothing is lost.
fn furnace(material: Material) -> f32 {
    furnace_of(material, 256)
}

fn furnace_of(material: Material, samples: u32) -> f32 {
    let mut scene = empty(camera([0.0, 0.0, 8.0], [0.0; 3], 0.2), sky(1.0));
    scene.materials.push(material);
    scene.instances.push(instance(Shape::Sphere(2.0), at(0.0, 0.0, 0.0), 0));
    mean(&render(&scene, 16, samples, 64))
}

/// Degrees off the normal from where a ball's middle says nothing.
const FROM_THE_SIDE: [f32; 4] = [45.0, 60.0, 75.0, 85.0];

/// The same of a flat surface, seen from so many degrees off its normal.
fn furnace_at(degrees: f32, material: Material) -> f32 {
    let (sin, cos) = libm::sincosf(degrees.to_radians());
    let mut scene = empty(camera([0.0, 9.0 * cos, 9.0 * sin], [0.0; 3], 0.01), sky(1.0));
    scene.materials.push(material);
    scene.instances.push(instance(Shape::Box(Vector3::new(50.0, 1.0, 50.0)), at(0.0, -1.0, 0.0), 0));
    mean(&render(&scene, 16, 256, 64))
}

/// Perceptual roughnesses, from a mirror to chalk.
const ROUGHNESSES: [f32; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

#[test]
fn a_white_opaque_ball_disappears_in_the_furnace() {
    let white = Material { base_color: [1.0; 3], ..Material::default() };
    let metal = Material { metallic: 1.0, ..white };
    for roughness in ROUGHNESSES {
        for (name, material) in [
            ("dielectric", Material { roughness, ..white }),
            ("dense dielectric", Material { roughness, ior: 2.5, ..white }),
            ("metal", Material { roughness, ..metal }),
            ("metal under a film", Material { roughness, film: 400.0, ..metal }),
            ("coated", Material { coat: 1.0, coat_roughness: roughness, ..white }),
            ("coated metal", Material { coat: 1.0, coat_roughness: roughness, roughness, ..metal }),
            ("half metal, half coated", Material { roughness, metallic: 0.5, coat: 0.5, coat_roughness: 0.4, ..white }),
        ] {
            let radiance = furnace(material);
            println!("{name} {roughness}: {radiance:.4}");
            assert!((radiance - 1.0).abs() < 0.005, "{name} of roughness {roughness}: {radiance}");
            for degrees in FROM_THE_SIDE {
                let radiance = furnace_at(degrees, material);
                assert!((radiance - 1.0).abs() < 0.005, "{name} of roughness {roughness} at {degrees}°: {radiance}");
            }
        }
    }
}

/// Fuzz and coats only ever take from what is below them.
#[test]
fn nothing_shines_brighter_than_its_furnace() {
    for roughness in ROUGHNESSES {
        let white = Material { base_color: [1.0; 3], roughness, ..Material::default() };
        let fuzz = Material { sheen: [1.0; 3], sheen_roughness: roughness, ..white };
        let coat = Material { coat: 1.0, coat_roughness: roughness, ..fuzz };
        for (name, material) in [
            ("fuzz", fuzz),
            ("fuzz over grey", Material { base_color: [0.1; 3], ..fuzz }),
            ("coloured fuzz", Material { sheen: [0.3, 1.0, 0.1], ..fuzz }),
            ("fuzz over a coat", coat),
            ("fuzz over a coat over metal", Material { metallic: 1.0, ..coat }),
            ("fuzz over a coat over glass", Material { transmission: 1.0, ..coat }),
        ] {
            let radiance = furnace(material);
            println!("{name} {roughness}: {radiance:.4}");
            if material.transmission == 0.0 {
                for degrees in FROM_THE_SIDE {
                    let radiance = furnace_at(degrees, material);
                    println!("    {degrees}: {radiance:.4}");
                    assert!(radiance < 1.003, "{name} of roughness {roughness} gains at {degrees}°: {radiance}");
                }
            }
            assert!(radiance < 1.003, "{name} of roughness {roughness} gains: {radiance}");
            let least = if name == "fuzz" || name == "fuzz over a coat" { 0.97 } else { 0.05 };
            assert!(radiance > least, "{name} of roughness {roughness} loses: {radiance}");
        }
    }
}

#[test]
fn white_glass_loses_nothing() {
    let glass = Material { base_color: [1.0; 3], transmission: 1.0, ..Material::default() };
    for roughness in ROUGHNESSES {
        // In rough diamond light stays for long, and few of many paths bring much of it out.
        let inside = match roughness {
            ..0.65 => 1024,
            ..0.95 => 4096,
            _ => 16384,
        };
        for (name, samples, material) in [
            ("glass", 256, glass),
            ("water", 256, Material { ior: 1.33, ..glass }),
            ("dispersive glass", 256, Material { dispersion: 0.2, ..glass }),
            ("diamond", inside, Material { ior: 2.42, ..glass }),
        ] {
            let radiance = furnace_of(Material { roughness, ..material }, samples);
            println!("{name} {roughness}: {radiance:.4}");
            assert!((radiance - 1.0).abs() < 0.02, "{name} of roughness {roughness}: {radiance}");
        }
        // Its tables know of no film.
        let filmed = furnace(Material { roughness, film: 300.0, ..glass });
        assert!((0.93..1.03).contains(&filmed), "filmed glass of roughness {roughness}: {filmed}");
    }
}

/// A body that is deep beside how far light goes in it returns its colour, a shallow one more or less, and none gains.
#[test]
fn wax_returns_its_albedo() {
    for albedo in [0.2_f32, 0.5, 0.8] {
        let wax = Material { base_color: [albedo; 3], subsurface: 1.0, subsurface_radius: [0.01; 3], ..matt(albedo) };
        let found = furnace(wax);
        println!("wax {albedo}: {found:.4}");
        assert!((found - albedo).abs() < 0.04, "{found} of {albedo}");
    }
    let white =
        Material { base_color: [1.0; 3], subsurface: 1.0, subsurface_radius: [0.5, 0.3, 0.1], ..Material::default() };
    let found = furnace(white);
    println!("white wax: {found:.4}");
    assert!((0.9..1.003).contains(&found), "{found}");
}

#[test]
fn a_soap_bubble_keeps_all_light() {
    let bubble = Material {
        base_color: [1.0; 3],
        transmission: 1.0,
        ior: 1.0,
        film: 350.0,
        film_ior: 1.33,
        ..Material::default()
    };
    assert!((furnace(bubble) - 1.0).abs() < 0.003);
}

#[test]
fn a_grey_ball_returns_its_albedo() {
    assert!((furnace(matt(0.3)) - 0.3).abs() < 2e-3);
}

/// A patch of floor looked at from the side.
fn floor_under(lights: Vec<AreaLight>, instances: Vec<Instance>, samples: u32) -> f32 {
    let mut scene = empty(camera([0.0, 1.0, 3.0], [0.0; 3], 0.002), sky(0.0));
    scene.materials.push(matt(0.5));
    scene.instances.push(instance(Shape::Box(Vector3::new(50.0, 1.0, 50.0)), at(0.0, -1.0, 0.0), 0));
    scene.instances.extend(instances);
    scene.lights = lights;
    mean(&render(&scene, 4, samples, 1))
}

/// Form factor from a small patch to a parallel rectangle with one corner above it (Howell, "A Catalog of Radiation
/// Heat Transfer Configuration Factors", B-3).
fn corner_factor(a: f32, b: f32, height: f32) -> f32 {
    let (a, b) = (a / height, b / height);
    let (ra, rb) = ((1.0 + a * a).sqrt(), (1.0 + b * b).sqrt());
    (a / ra * libm::atanf(b / ra) + b / rb * libm::atanf(a / rb)) / (2.0 * PI)
}

#[test]
fn a_rectangle_lights_the_floor_by_its_form_factor() {
    for (height, half_u, half_v) in [(2.0, 0.5, 0.8), (1.0, 2.0, 2.0), (6.0, 0.2, 0.2)] {
        let light = AreaLight {
            center: Point3::new(0.0, height, 0.0),
            u: Vector3::new(half_u, 0.0, 0.0),
            v: Vector3::new(0.0, 0.0, half_v),
            radiance: [7.0; 3],
            visible: true,
        };
        let expected = 0.5 * 7.0 * 4.0 * corner_factor(half_u, half_v, height);
        let found = floor_under(vec![light], vec![], 1024);
        assert!((found / expected - 1.0).abs() < 0.005, "{found}, but {expected} at {height}");
        // Turned over, it lights nothing.
        let away = floor_under(vec![AreaLight { u: -light.u, ..light }], vec![], 16);
        assert_eq!(away, 0.0);
    }
}

#[test]
fn a_glowing_ball_lights_the_floor_by_its_form_factor() {
    let (radius, height) = (0.8, 2.0);
    let ball = Instance { emission: [3.0; 3], ..instance(Shape::Sphere(radius), at(0.0, height, 0.0), 0) };
    let expected = 0.5 * 3.0 * (radius / height) * (radius / height);
    let found = floor_under(vec![], vec![ball], 1024);
    assert!((found / expected - 1.0).abs() < 0.003, "{found}, but {expected}");
}

#[test]
fn a_light_is_hidden_from_the_camera_only_if_it_says_so() {
    for visible in [true, false] {
        let mut scene = empty(camera([0.0, 0.0, 4.0], [0.0; 3], 0.1), sky(0.25));
        scene.lights.push(AreaLight {
            center: Point3::origin(),
            u: Vector3::x(),
            v: Vector3::y(),
            radiance: [2.0; 3],
            visible,
        });
        assert_eq!(mean(&render(&scene, 4, 4, 2)), if visible { 2.0 } else { 0.25 });
    }
}

#[test]
fn glass_absorbs_by_its_thickness() {
    // Index 1 bends and reflects nothing, so that only Beer and Lambert are left.
    let mut scene = empty(camera([0.0, 0.0, 4.0], [0.0; 3], 0.001), sky(1.0));
    scene.materials.push(Material {
        base_color: [1.0; 3],
        transmission: 1.0,
        ior: 1.0,
        absorption: [0.0, 0.7, 0.0],
        ..Material::default()
    });
    scene.instances.push(instance(Shape::Box(Vector3::new(1.0, 1.0, 0.75)), at(0.0, 0.0, 0.0), 0));
    let found = mean(&render(&scene, 2, 16, 8));
    assert!((found - libm::expf(-0.7 * 1.5)).abs() < 1e-4, "{found}");
}

/// Every kind of shape, closed, from the inside of a larger closed one: no ray of a dark room gets out to a bright sky.
#[test]
fn no_light_leaks_into_a_closed_room() {
    let turn = UnitQuaternion::from_quaternion(Quaternion::new(0.7, 0.3, -0.5, 0.2));
    let pose = |x: f32, y: f32, z: f32, scale: f32| Similarity3::from_parts(Translation3::new(x, y, z), turn, scale);
    // Far from the origin, where floats are coarse.
    let (x, y, z) = (300.0, 40.0, -200.0);
    let mut room = Mesh::default();
    for corner in 0..8_u32 {
        let side = |bit: u32| if corner >> bit & 1 == 1 { 3.0 } else { -3.0 };
        room.positions.push(Point3::new(side(0), side(1), side(2)));
    }
    for [a, b, c, d] in [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]] {
        room.triangles.extend([[a, b, c], [a, c, d]]);
    }
    for shape in [
        Shape::Sphere(4.0),
        Shape::Box(Vector3::new(3.0, 4.0, 3.5)),
        Shape::Capsule { half_height: 2.0, radius: 3.0 },
        Shape::Mesh(0),
    ] {
        let mut scene = empty(camera([x, y, z + 1.0], [x, y, z - 3.0], 1.5), sky(1e6));
        scene.meshes.push(Arc::new(room.clone()));
        scene.materials.push(matt(0.9));
        scene.instances.push(instance(shape, pose(x, y, z, 1.0), 0));
        scene.instances.push(instance(Shape::Box(Vector3::new(0.3, 0.3, 0.3)), pose(x, y, z - 1.0, 1.0), 0));
        scene.instances.push(instance(Shape::Capsule { half_height: 0.3, radius: 0.2 }, pose(x + 0.4, y, z, 1.0), 0));
        scene.instances.push(instance(Shape::Mesh(0), pose(x - 0.5, y, z, 0.1), 0));
        let layers = render(&scene, 64, 64, 8);
        let lit = layers.radiance.iter().filter(|c| c[1] > 0.0).count();
        assert_eq!(lit, 0, "{shape:?} leaks in {lit} pixels");
    }
}
