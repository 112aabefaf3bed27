//! One picture for any number of threads, and for any way of cutting it into tiles.
//!
//! # What this proves
//!
//! - `pools_of_any_size`: pools of 1, 2 and 3 threads, which build the hierarchies and trace the pixels in different
//!   orders, give the same BLAKE3 of every layer.
//! - `tiles_are_crops`: a tile, of any place and size, holds the very bits of the same pixels of the frame.
//! - `golden`: the bits are those that stand below, whatever the machine. The scene holds every shape, a mesh with
//!   thousands of triangles (enough that its hierarchy is built in parallel), every kind of material, a clear liquid,
//!   both kinds of light, a lens and a backdrop.
//!
//! # Elsewhere
//!
//! `cargo test --release -p seedstorm-render --test determinism` on the other machine. A build for that machine's own
//! instructions (`RUSTFLAGS=-Ctarget-cpu=native`) must give the same.
//!
//! # When the golden fails
//!
//! Either the tracer was changed so that pictures differ: that is a change of the engine version, so put the new digest
//! in once the change is wanted. Or the bits depend on the machine: look for a float function that is not in `libm`, a
//! fused multiply-add, or a minimum of signed zeros, in our code or in a new version of `nalgebra`, `libm` or `wide`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nalgebra::{Point3, Quaternion, Similarity3, Translation3, UnitQuaternion, Vector3};
use proptest::prelude::*;
use seedstorm_render::{FrameSettings, Layers, PreparedScene, Rect, RenderError};
use seedstorm_sim::scene::{
    AreaLight, Backdrop, Camera, Environment, Fluid, Instance, Material, Mesh, Scene, Shape, Sky, Sun,
};

const SETTINGS: FrameSettings = FrameSettings {
    width: 70,
    height: 52,
    samples: 6,
    max_bounces: 6,
    seed: 0,
    outlines: true,
    frame: 0,
    indirect_clamp: 2.0,
};

fn scene() -> Scene {
    let base = Material::default();
    let turn = UnitQuaternion::new_normalize(Quaternion::new(0.9, 0.2, -0.3, 0.25));
    let pose = |x: f32, y: f32, z: f32, scale: f32| Similarity3::from_parts(Translation3::new(x, y, z), turn, scale);
    let instance =
        |shape, pose, material| Instance { shape, pose, material, tint: [1.0, 0.9, 0.8], emission: [0.0; 3] };
    let mut instances = vec![instance(
        Shape::Box(Vector3::new(20.0, 1.0, 20.0)),
        Similarity3::from_parts(Translation3::new(0.0, -1.0, 0.0), UnitQuaternion::identity(), 1.0),
        0,
    )];
    for i in 0..60_usize {
        let (x, z) = ((i % 10) as f32 * 0.5 - 2.25, (i / 10) as f32 * 0.6 - 2.0);
        let shape = match i % 4 {
            0 => Shape::Sphere(0.2),
            1 => Shape::Capsule { half_height: 0.15, radius: 0.1 },
            2 => Shape::Box(Vector3::new(0.15, 0.2, 0.1)),
            _ => Shape::Mesh(0),
        };
        instances.push(instance(shape, pose(x, 0.35, z, 0.8 + 0.004 * i as f32), i % 12));
    }
    instances.push(Instance { emission: [4.0, 2.0, 1.0], ..instance(Shape::Sphere(0.3), pose(0.0, 1.4, 0.0, 1.0), 1) });
    // A pane, which shadow rays go through.
    instances.push(instance(Shape::Sphere(0.6), pose(-0.8, 0.6, 0.5, 1.0), 12));
    Scene {
        camera: Camera {
            eye: Point3::new(0.7, 2.2, 5.0),
            target: Point3::new(0.0, 0.4, 0.0),
            up: Vector3::y(),
            vertical_fov: 0.7,
            lens_radius: 0.05,
            focus_distance: 5.0,
        },
        sky: Sky {
            zenith: [0.5, 0.6, 0.9],
            horizon: [0.4; 3],
            nadir: [0.1, 0.1, 0.05],
            backdrop: Some(Backdrop { center: [0.8; 3], edge: [0.1, 0.1, 0.2], middle: [0.1, 0.2], radius: 1.2 }),
        },
        lights: vec![
            AreaLight {
                center: Point3::new(-2.0, 4.0, 2.0),
                u: Vector3::new(1.0, 0.0, 0.0),
                v: Vector3::new(0.0, 0.0, 1.0),
                radiance: [8.0, 7.0, 6.0],
                visible: true,
            },
            AreaLight {
                center: Point3::new(4.0, 2.0, -1.0),
                u: Vector3::new(0.0, 0.8, 0.0),
                v: Vector3::new(0.0, 0.0, 0.8),
                radiance: [2.0, 4.0, 8.0],
                visible: false,
            },
        ],
        materials: vec![
            Material { base_color: [0.4; 3], ..base },
            Material { base_color: [0.8, 0.3, 0.2], roughness: 0.3, ..base },
            Material { base_color: [1.0, 0.8, 0.4], metallic: 1.0, roughness: 0.25, ..base },
            Material { transmission: 1.0, roughness: 0.0, absorption: [0.5, 1.0, 2.0], ..base },
            Material { transmission: 1.0, roughness: 0.4, ior: 1.3, ..base },
            Material { coat: 0.8, coat_roughness: 0.1, ..base },
            Material { metallic: 0.5, transmission: 0.5, coat: 0.5, emission: [0.1, 0.2, 0.3], ..base },
            Material { transmission: 1.0, roughness: 0.3, dispersion: 0.2, film: 300.0, ..base },
            Material { transmission: 1.0, roughness: 0.0, dispersion: 0.1, ..base },
            Material { metallic: 1.0, roughness: 0.4, film: 450.0, base_color: [0.5, 0.6, 0.4], ..base },
            Material { sheen: [0.7, 0.5, 0.9], sheen_roughness: 0.3, ..base },
            Material { subsurface: 0.9, subsurface_radius: [0.1, 0.05, 0.02], ..base },
            Material { transmission: 1.0, ior: 1.0, coat: 1.0, absorption: [0.2, 0.1, 0.0], ..base },
            Material { transmission: 0.95, roughness: 0.0, ior: 1.33, absorption: [1.0, 0.3, 0.2], ..base },
        ],
        meshes: vec![Arc::new(wave(72))],
        instances,
        fluid: Some(Fluid {
            positions: (0..400_u16)
                .map(f32::from)
                .map(|i| {
                    Point3::new(
                        0.6 + 0.1 * (i % 10.0),
                        0.1 * (i / 100.0).floor(),
                        1.2 + 0.1 * (i / 10.0 % 10.0).floor(),
                    )
                })
                .collect(),
            spacing: 0.1,
            material: 13,
            ..Fluid::default()
        }),
        haze: None,
        fog: None,
        moved: vec![],
        environment: Some(Arc::new(Environment {
            width: 24,
            height: 12,
            radiance: (0..24 * 12).map(|i| [0.1 + 0.02 * (i % 24) as f32, 0.4, 0.9 - 0.003 * i as f32]).collect(),
        })),
        sun: Some(Sun { toward: Vector3::new(0.5, 0.8, 0.4), angular_radius: 0.05, radiance: [90.0, 70.0, 50.0] }),
        exposure_stops: 0.5,
    }
}

/// A bumpy, smoothly shaded, coloured sheet of 2 n² triangles.
fn wave(n: u32) -> Mesh {
    let mut mesh = Mesh::default();
    for j in 0..=n {
        for i in 0..=n {
            let (u, v) = (i as f32 / n as f32 - 0.5, j as f32 / n as f32 - 0.5);
            let height = 0.05 * libm::sinf(20.0 * u) * libm::cosf(17.0 * v);
            mesh.positions.push(Point3::new(u * 0.5, height, v * 0.5));
            let slope = Vector3::new(-libm::cosf(20.0 * u), 1.0, libm::sinf(17.0 * v));
            let length = (slope.x * slope.x + 1.0 + slope.z * slope.z).sqrt();
            mesh.normals.push(slope / length);
            mesh.colors.push([0.5 + u, 0.5 + v, 0.7]);
        }
    }
    for j in 0..n {
        for i in 0..n {
            let [a, b] = [j * (n + 1) + i, j * (n + 1) + i + 1];
            let [c, d] = [a + n + 1, b + n + 1];
            mesh.triangles.extend([[a, c, b], [b, c, d]]);
        }
    }
    mesh
}

fn digest(layers: &Layers) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut eat = |x: f32| {
        hasher.update(&x.to_bits().to_le_bytes());
    };
    layers.radiance.iter().flatten().for_each(|&x| eat(x));
    layers.albedo.iter().flatten().for_each(|&x| eat(x));
    layers.normal.iter().flatten().for_each(|&x| eat(x));
    layers.depth.iter().for_each(|&x| eat(x));
    layers.variance.iter().for_each(|&x| eat(x));
    hasher.finalize().to_hex().to_string()
}

fn in_pool(threads: usize) -> String {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| {
        let prepared = PreparedScene::new(&scene()).expect("a scene");
        digest(&prepared.render(&SETTINGS, &|_| {}, &AtomicBool::new(false)).expect("a picture"))
    })
}

#[test]
fn pools_of_any_size() {
    let one = in_pool(1);
    assert_eq!(one, in_pool(2));
    assert_eq!(one, in_pool(3));
}

#[test]
fn golden() {
    assert_eq!(in_pool(2), "ba17096481366fd2c8169de201e90f522f27e08a6ec099a2975c1856e5e96cf9");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn tiles_are_crops(x in 0_u32..70, y in 0_u32..52, width in 1_u32..40, height in 1_u32..40) {
        use std::sync::LazyLock;
        static FRAME: LazyLock<(PreparedScene, Layers)> = LazyLock::new(|| {
            let prepared = PreparedScene::new(&scene()).expect("a scene");
            let frame = prepared.render(&SETTINGS, &|_| {}, &AtomicBool::new(false)).expect("a picture");
            (prepared, frame)
        });
        let (prepared, frame) = &*FRAME;
        let rect = Rect { x, y, width: width.min(70 - x), height: height.min(52 - y) };
        let tile = prepared.render_tile(&SETTINGS, rect).expect("a tile");
        for row in 0..tile.height {
            let from = (rect.y as usize + row) * frame.width + rect.x as usize;
            let (crop, own) = (from..from + tile.width, row * tile.width..(row + 1) * tile.width);
            prop_assert_eq!(&frame.radiance[crop.clone()], &tile.radiance[own.clone()]);
            prop_assert_eq!(&frame.albedo[crop.clone()], &tile.albedo[own.clone()]);
            prop_assert_eq!(&frame.normal[crop.clone()], &tile.normal[own.clone()]);
            prop_assert_eq!(&frame.depth[crop.clone()], &tile.depth[own.clone()]);
            prop_assert_eq!(&frame.variance[crop], &tile.variance[own]);
        }
    }
}

#[test]
fn a_tile_outside_of_the_frame_is_refused() {
    let prepared = PreparedScene::new(&scene()).expect("a scene");
    for rect in [
        Rect { x: 70, y: 0, width: 1, height: 1 },
        Rect { x: 60, y: 0, width: 11, height: 1 },
        Rect { x: 0, y: 0, width: 0, height: 1 },
        Rect { x: 0, y: 1, width: 1, height: u32::MAX },
    ] {
        assert!(matches!(prepared.render_tile(&SETTINGS, rect), Err(RenderError::Settings(_))));
    }
}

#[test]
fn cancelling_ends_the_frame() {
    let prepared = PreparedScene::new(&scene()).expect("a scene");
    let cancel = AtomicBool::new(false);
    let result = prepared.render(&SETTINGS, &|_| cancel.store(true, Ordering::Relaxed), &cancel);
    assert_eq!(result, Err(RenderError::Cancelled));
}

#[test]
fn a_scene_that_cannot_be_drawn_names_what_is_wrong() {
    type Change = fn(&mut Scene);
    let cases: [(&str, Change); 16] = [
        ("camera", |s| s.camera.target = s.camera.eye),
        ("vertical_fov", |s| s.camera.vertical_fov = f32::NAN),
        ("light 1", |s| s.lights[1].u = s.lights[1].v),
        ("material 2", |s| s.materials[2].roughness = 1.5),
        ("dispersion", |s| s.materials[2].dispersion = -0.1),
        ("film", |s| s.materials[2].film = f32::NAN),
        ("sheen green", |s| s.materials[2].sheen[1] = 1.1),
        ("subsurface_radius", |s| s.materials[2].subsurface_radius[2] = 0.0),
        ("environment", |s| {
            s.environment = Some(Arc::new(Environment { width: 7, height: 2, radiance: vec![[0.0; 3]; 13] }))
        }),
        ("texel", |s| Arc::make_mut(s.environment.as_mut().expect("a map")).radiance[5] = [f32::NAN; 3]),
        ("sun", |s| s.sun.as_mut().expect("a sun").toward = Vector3::zeros()),
        ("instance 3", |s| s.instances[3].material = 99),
        ("instance 4", |s| s.instances[4].shape = Shape::Mesh(1)),
        ("instance 5", |s| s.instances[5].pose.isometry.translation.vector.x = f32::INFINITY),
        ("triangle 9", |s| Arc::make_mut(&mut s.meshes[0]).triangles[9][1] = 1_000_000),
        ("normals", |s| Arc::make_mut(&mut s.meshes[0]).normals.truncate(5)),
    ];
    for (named, change) in cases {
        let mut scene = scene();
        change(&mut scene);
        let error = PreparedScene::new(&scene).map(|_| ()).expect_err(named).to_string();
        assert!(error.contains(named), "{error}");
    }
}
