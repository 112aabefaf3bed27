//! Clouds over a picture: the same bits for any number of threads, and no light gained or lost.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use nalgebra::{Point3, Vector3};
use seedstorm_render::{RenderError, haze::lay_over};
use seedstorm_sim::{
    Seed,
    random::Stream,
    scene::{Camera, Cloud, Haze, Scene, Sky},
};

const SIZE: [usize; 2] = [150, 110];

fn scene(clouds: Vec<Cloud>, bloom: f32) -> Scene {
    Scene {
        camera: Camera {
            eye: Point3::new(0.0, 0.0, 6.0),
            target: Point3::origin(),
            up: Vector3::y(),
            vertical_fov: 0.6,
            lens_radius: 0.0,
            focus_distance: 6.0,
        },
        sky: Sky { zenith: [0.0; 3], horizon: [0.0; 3], nadir: [0.0; 3], backdrop: None },
        lights: vec![],
        materials: vec![],
        meshes: vec![],
        instances: vec![],
        fluid: None,
        haze: Some(Haze { clouds, bloom }),
        fog: None,
        moved: vec![],
        environment: None,
        sun: None,
        exposure_stops: 0.0,
    }
}

fn cloud(x: f32, y: f32, z: f32, radius: f32, depth: f32, radiance: f32) -> Cloud {
    Cloud { position: Point3::new(x, y, z), radius, depth: [depth; 3], radiance: [radiance; 3] }
}

fn drawn(scene: &Scene, behind: f32) -> Vec<[f32; 3]> {
    let mut picture = vec![[behind; 3]; SIZE[0] * SIZE[1]];
    lay_over(&mut picture, SIZE[0], SIZE[1], scene).unwrap();
    picture
}

fn sum(picture: &[[f32; 3]]) -> f64 {
    picture.iter().map(|pixel| f64::from(pixel[0])).sum()
}

/// A crowd of stars and dust, some at equal distance.
fn crowd() -> Scene {
    let stream = Stream::new(&Seed::from(3), "haze");
    let clouds = (0..4000).map(|i| {
        let at = |draw| stream.between(i, draw, -1.6, 1.6) as f32;
        let depth = [0, 1, 2].map(|k| stream.between(i, 4 + k, 0.0, 0.6) as f32);
        let radiance = if i % 5 == 0 { [0.0; 3] } else { [7, 8, 9].map(|k| stream.unit(i, k) as f32) };
        let z = if i % 3 == 0 { 0.25 } else { at(2) };
        let radius = stream.between(i, 3, 0.001, 0.08) as f32;
        Cloud { position: Point3::new(at(0), at(1), z), radius, depth, radiance }
    });
    let mut scene = scene(clouds.collect(), 0.2);
    scene.camera.lens_radius = 0.1;
    scene
}

#[test]
fn threads_change_nothing() {
    let scene = crowd();
    let on = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| drawn(&scene, 0.1))
    };
    let one = on(1);
    assert!(one.iter().any(|pixel| pixel[0] > 0.2));
    assert_eq!(one, on(2));
    assert_eq!(one, on(3));
}

#[test]
fn the_order_of_clouds_at_different_depths_changes_nothing() {
    let mut scene = scene((0..50).map(|i| cloud(0.01 * i as f32, 0.0, 0.02 * i as f32, 0.1, 0.4, 1.0)).collect(), 0.0);
    let one = drawn(&scene, 0.3);
    scene.haze.as_mut().unwrap().clouds.reverse();
    assert_eq!(one, drawn(&scene, 0.3));
}

/// The light of a thin cloud is its cross-section times its radiance, whether it is seen sharply, is smaller than a
/// pixel, or is out of focus.
#[test]
fn a_thin_cloud_gives_the_same_light_however_wide_it_is_drawn() {
    let pixel = 2.0 * 6.0 * libm::tanf(0.3) / SIZE[1] as f32;
    for (radius, lens) in [(0.2, 0.0), (0.05, 0.0), (0.004, 0.0), (0.004, 0.5), (0.0002, 0.0)] {
        let section = 1e-4;
        let depth = section / (std::f32::consts::TAU * radius * radius);
        for shift in [0.0, 0.3 * pixel, 0.5 * pixel] {
            let mut scene = scene(vec![cloud(shift, shift, 0.0, radius, depth, 2.0)], 0.0);
            scene.camera.lens_radius = lens;
            scene.camera.focus_distance = 4.0;
            let light = sum(&drawn(&scene, 0.0));
            let wanted = f64::from(2.0 * section / (pixel * pixel));
            assert!((light / wanted - 1.0).abs() < 0.03, "radius {radius}, lens {lens}: {light}, wanted {wanted}");
        }
    }
}

#[test]
fn bloom_moves_light_and_makes_none() {
    let clouds = vec![cloud(0.0, 0.0, 0.0, 0.05, 3.0, 4.0)];
    let (sharp, soft) = (drawn(&scene(clouds.clone(), 0.0), 0.0), drawn(&scene(clouds, 0.6), 0.0));
    assert!((sum(&soft) / sum(&sharp) - 1.0).abs() < 1e-3, "{} and {}", sum(&soft), sum(&sharp));
    assert_ne!(sharp, soft);
}

/// However many clouds stand behind one another, none is brighter than the brightest, nor lets through less than
/// nothing.
#[test]
fn deep_clouds_show_their_own_radiance() {
    let clouds = (0..200).map(|i| cloud(0.0, 0.0, i as f32 * 0.01, 0.5, 1.0, 0.7)).collect();
    let picture = drawn(&scene(clouds, 0.0), 5.0);
    let middle = picture[SIZE[1] / 2 * SIZE[0] + SIZE[0] / 2];
    assert!((middle[0] - 0.7).abs() < 1e-3, "{middle:?}");
}

#[test]
fn dust_reddens_what_is_behind_it() {
    let dust = Cloud { position: Point3::origin(), radius: 0.5, depth: [0.5, 1.0, 1.5], radiance: [0.0; 3] };
    let picture = drawn(&scene(vec![dust], 0.0), 1.0);
    let [r, g, b] = picture[SIZE[1] / 2 * SIZE[0] + SIZE[0] / 2];
    assert!(r > g && g > b && b > 0.0 && r < 1.0, "{r} {g} {b}");
    assert!((r - libm::expf(-0.5)).abs() < 0.01);
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let good = cloud(0.0, 0.0, 0.0, 0.1, 1.0, 1.0);
    let refused = |cloud: Cloud, bloom: f32| {
        let result = lay_over(&mut [[0.0; 3]; 4], 2, 2, &scene(vec![good, cloud], bloom));
        matches!(result, Err(RenderError::Scene { place, .. }) if place == "haze")
    };
    assert!(!refused(good, 0.5));
    assert!(refused(good, 1.5) && refused(good, f32::NAN));
    assert!(refused(Cloud { radius: 0.0, ..good }, 0.0));
    assert!(refused(Cloud { radius: f32::INFINITY, ..good }, 0.0));
    assert!(refused(Cloud { depth: [0.0, -1.0, 0.0], ..good }, 0.0));
    assert!(refused(Cloud { radiance: [f32::NAN; 3], ..good }, 0.0));
    assert!(refused(Cloud { position: Point3::new(0.0, f32::NAN, 0.0), ..good }, 0.0));
}

#[test]
fn clouds_behind_the_camera_and_beyond_its_view_are_not_seen() {
    let clouds = vec![
        cloud(0.0, 0.0, 7.0, 0.5, 9.0, 9.0),
        cloud(0.0, 0.0, 6.0, 0.5, 9.0, 9.0),
        cloud(1e6, 0.0, 0.0, 0.5, 9.0, 9.0),
        cloud(0.0, -50.0, 0.0, 0.5, 9.0, 9.0),
    ];
    assert!(drawn(&scene(clouds, 0.3), 0.2).iter().all(|pixel| *pixel == [0.2; 3]));
}
