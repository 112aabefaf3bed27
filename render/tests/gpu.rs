//! The tracer in WGSL against the canonical one, on whatever adapter there is: the software adapter, in CI.
#![cfg(feature = "gpu")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
};

use nalgebra::{Point3, Similarity3, Translation3, UnitQuaternion, Vector3};
use seedstorm_render::{FrameSettings, Layers, PreparedScene, Rect, RenderError, denoise::denoise, gpu::GpuTracer};
use seedstorm_sim::gpu::{Gpu, Products};
use seedstorm_sim::scene::{
    AreaLight, Backdrop, Camera, Environment, Fluid, Fog, Instance, Material, Mesh, Scene, Shape, Sky, Sun,
};

fn at(x: f32, y: f32, z: f32) -> Similarity3<f32> {
    let turn = UnitQuaternion::from_euler_angles(0.3 * x, 0.7 + y, 0.2 * z);
    Similarity3::from_parts(Translation3::new(x, y, z), turn, 1.1)
}

fn octahedron() -> Mesh {
    let axes = [Vector3::x(), Vector3::y(), Vector3::z()];
    let corners: Vec<Vector3<f32>> = axes.iter().flat_map(|axis| [*axis, -axis]).collect();
    let triangles = vec![[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]];
    Mesh {
        positions: corners.iter().map(|c| Point3::from(c * 0.5)).collect(),
        normals: corners.clone(),
        colors: corners.iter().map(|c| [0.6 + 0.4 * c.x, 0.7, 0.6 + 0.4 * c.z]).collect(),
        triangles,
    }
}

/// Every kind of shape, of material and of light.
fn everything() -> Scene {
    let material = |base_color, roughness| Material { base_color, roughness, ..Material::default() };
    let materials = vec![
        material([0.8, 0.7, 0.6], 0.6),
        Material { metallic: 1.0, ..material([0.9, 0.7, 0.4], 0.25) },
        Material { transmission: 1.0, ior: 1.5, absorption: [0.2, 0.6, 1.2], ..material([1.0; 3], 0.0) },
        Material { transmission: 0.9, ior: 1.3, ..material([0.8, 1.0, 0.9], 0.4) },
        Material { coat: 1.0, coat_roughness: 0.1, ..material([0.7, 0.1, 0.1], 0.5) },
        Material { transmission: 1.0, dispersion: 0.2, ..material([0.9, 1.0, 0.95], 0.2) },
        Material { metallic: 1.0, film: 420.0, ..material([0.7, 0.6, 0.5], 0.3) },
        Material { sheen: [0.9, 0.6, 0.5], sheen_roughness: 0.4, ..material([0.2, 0.05, 0.1], 1.0) },
        Material { subsurface: 0.9, subsurface_radius: [0.3, 0.15, 0.08], ..material([0.9, 0.8, 0.6], 0.3) },
        Material { transmission: 1.0, ior: 1.0, film: 300.0, ..material([1.0; 3], 0.0) },
        Material { transmission: 1.0, ior: 1.0, coat: 0.5, absorption: [0.3, 0.1, 0.1], ..material([0.9; 3], 0.1) },
    ];
    let instance =
        |shape, pose, material| Instance { shape, pose, material, tint: [1.0, 0.95, 0.9], emission: [0.0; 3] };
    let capsule = Shape::Capsule { half_height: 0.4, radius: 0.2 };
    let floor = Similarity3::from_parts(Translation3::new(0.0, -0.1, 0.0), UnitQuaternion::identity(), 1.0);
    let mut instances = vec![
        instance(Shape::Box(Vector3::new(9.0, 0.1, 9.0)), floor, 0),
        instance(Shape::Sphere(0.5), at(-1.4, 0.55, 0.0), 1),
        instance(Shape::Sphere(0.5), at(-0.2, 0.55, 0.9), 2),
        instance(Shape::Box(Vector3::new(0.3, 0.3, 0.3)), at(1.0, 0.5, 0.7), 3),
        instance(capsule, at(0.3, 0.7, -0.6), 4),
        instance(Shape::Mesh(0), at(1.4, 0.8, -0.7), 4),
        instance(Shape::Mesh(0), at(-1.0, 0.6, -1.4), 1),
        instance(Shape::Box(Vector3::new(0.5, 0.4, 0.05)), at(0.4, 0.45, 1.6), 10),
        instance(Shape::Sphere(0.3), at(1.7, 0.35, 1.0), 5),
        instance(Shape::Sphere(0.35), at(-1.5, 0.4, 1.2), 6),
        instance(Shape::Sphere(0.35), at(1.9, 0.4, -0.1), 7),
        instance(Shape::Sphere(0.3), at(-0.7, 1.5, 0.6), 9),
        instance(Shape::Mesh(0), at(0.2, 1.6, -0.2), 8),
        instance(Shape::Box(Vector3::new(0.25, 0.3, 0.2)), at(-2.1, 0.4, 0.3), 8),
        Instance { emission: [6.0, 4.0, 2.0], ..instance(Shape::Sphere(0.15), at(0.7, 0.2, 0.1), 0) },
    ];
    // Many, so that the hierarchy has depth.
    for i in 0..200_u16 {
        let (angle, reach) = (f32::from(i) * 2.399_963, 0.2 * f32::from(i).sqrt());
        let pose = at(reach * libm::cosf(angle), 0.05, -0.5 + reach * libm::sinf(angle));
        instances.push(instance(Shape::Sphere(0.05), pose, usize::from(i % 10)));
    }
    let drops = (0..60_u8)
        .map(f32::from)
        .map(|i| Point3::new(-0.6 + 0.05 * (i % 5.0), 1.3 + 0.05 * (i / 5.0 % 4.0).floor(), 0.05 * (i / 20.0).floor()));
    let positions: Vec<_> = drops.collect();
    Scene {
        camera: Camera {
            eye: Point3::new(0.4, 1.6, 5.0),
            target: Point3::new(0.0, 0.6, 0.0),
            up: Vector3::y(),
            vertical_fov: 0.6,
            lens_radius: 0.03,
            focus_distance: 4.6,
        },
        sky: Sky {
            zenith: [0.4, 0.5, 0.7],
            horizon: [0.3, 0.25, 0.2],
            nadir: [0.05; 3],
            backdrop: Some(Backdrop { center: [0.5, 0.4, 0.3], edge: [0.1; 3], middle: [0.1, 0.2], radius: 1.5 }),
        },
        lights: vec![
            AreaLight {
                center: Point3::new(0.5, 3.0, 1.5),
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
        materials,
        meshes: vec![Arc::new(octahedron())],
        instances,
        fluid: Some(Fluid {
            colors: vec![[0.3, 0.6, 0.9]; positions.len()],
            positions,
            spacing: 0.05,
            share: 1.0,
            material: 2,
        }),
        haze: None,
        fog: None,
        moved: vec![],
        environment: None,
        sun: None,
        exposure_stops: 0.0,
    }
}

fn settings(samples: u32) -> FrameSettings {
    FrameSettings {
        width: 64,
        height: 48,
        samples,
        max_bounces: 6,
        seed: 3,
        outlines: true,
        frame: 0,
        indirect_clamp: 2.0,
    }
}

fn both(scene: &Scene, settings: &FrameSettings, rect: Rect) -> [Layers; 2] {
    let prepared = PreparedScene::new(scene).unwrap();
    let tracer = GpuTracer::open().unwrap();
    let on_gpu = tracer.scene(&prepared).unwrap();
    let never = AtomicBool::new(false);
    [prepared.render_tile(settings, rect).unwrap(), on_gpu.render(settings, rect, &|_| {}, &never).unwrap()]
}

fn mean(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + f64::from(value), count + 1.0));
    sum / count
}

/// The same under a sun and a map of the sky.
fn outdoors() -> Scene {
    let mut scene = everything();
    let (width, height) = (32, 16);
    let texel = |i: usize| {
        let glow = if i == 5 * width + 7 { 30.0 } else { 0.2 };
        [glow, 0.2 + 0.02 * (i / width) as f32, 0.5 - 0.02 * (i / width) as f32]
    };
    let radiance = (0..width * height).map(texel).collect();
    scene.environment = Some(Arc::new(Environment { width, height, radiance }));
    scene.sun = Some(Sun { toward: Vector3::new(-0.4, 0.6, 0.7), angular_radius: 0.08, radiance: [60.0, 50.0, 40.0] });
    scene.sky.backdrop = None;
    scene.lights.truncate(1);
    scene
}

#[test]
fn the_picture_is_the_canonical_one() {
    compare(&everything(), "studio");
}

#[test]
fn so_it_is_outdoors() {
    compare(&outdoors(), "outdoors");
}

/// In fog, with the shutter open for a while and hundreds of lights.
fn at_night() -> Scene {
    let mut scene = everything();
    let (low, high) = (Point3::new(-4.0, -1.0, -4.0), Point3::new(4.0, 3.0, 6.0));
    scene.fog = Some(Fog { low, high, density: 0.12, albedo: [0.8, 0.9, 1.0], anisotropy: 0.5 });
    for (i, instance) in (0_u8..).zip(&mut scene.instances[15..]) {
        if i % 2 == 0 {
            instance.emission = [2.0 + f32::from(i % 7), 3.0, 1.0 + f32::from(i % 5)];
        }
    }
    scene.moved = scene.instances.iter().map(|instance| instance.pose).collect();
    for (i, pose) in (0_u8..).zip(&mut scene.moved).skip(1) {
        let turn = UnitQuaternion::from_euler_angles(0.1 * f32::from(i % 5), 0.4, 0.0);
        if i % 3 != 0 {
            pose.isometry.rotation = turn * pose.isometry.rotation;
            pose.isometry.translation.vector += Vector3::new(0.02, 0.06, -0.03) * f32::from(i % 4);
        }
    }
    scene.sky.zenith = [0.05; 3];
    scene
}

#[test]
fn so_it_is_at_night() {
    compare(&at_night(), "night");
}

fn compare(scene: &Scene, called: &str) {
    let settings = settings(16);
    let whole = Rect { x: 0, y: 0, width: 64, height: 48 };
    let [cpu, gpu] = both(scene, &settings, whole);
    if let Some(folder) = std::env::var_os("SEEDSTORM_PICTURES") {
        for (layers, name) in [(&cpu, "cpu"), (&gpu, "gpu")] {
            let bytes = layers.radiance.iter().flatten().map(|c| (c.max(0.0).sqrt() * 255.0).min(255.0) as u8);
            let picture = image::RgbImage::from_raw(64, 48, bytes.collect()).unwrap();
            picture.save(std::path::Path::new(&folder).join(format!("{called}-{name}.png"))).unwrap();
        }
    }
    let light = mean(cpu.radiance.iter().flatten().copied());
    let apart = mean(cpu.radiance.iter().flatten().zip(gpu.radiance.iter().flatten()).map(|(a, b)| (a - b).abs()));
    let bias = mean(gpu.radiance.iter().flatten().zip(cpu.radiance.iter().flatten()).map(|(a, b)| a - b));
    println!("{called}: mean {light:.4}, apart {:.5}, bias {:.5}", apart / light, bias / light);
    assert!(apart / light < 0.005, "{} apart", apart / light);
    assert!(bias.abs() / light < 0.002, "{} biased", bias / light);
    // No part of the picture is brighter or darker than the other's by more than chance makes it.
    let blocks = (0..48).map(|block| {
        let (left, top) = (block % 8 * 8, block / 8 * 8);
        let of = |layers: &Layers| {
            let pixels = (0..64).map(|at| layers.radiance[(top + at / 8) * 64 + left + at % 8]);
            mean(pixels.flatten())
        };
        (of(&gpu) - of(&cpu)).abs()
    });
    let worst = blocks.fold(0.0, f64::max);
    println!("{called}: worst block {:.5}", worst / light);
    assert!(worst / light < 0.02, "a block is {} off", worst / light);
    for (a, b) in [(&cpu.albedo, &gpu.albedo), (&cpu.normal, &gpu.normal)] {
        let apart = mean(a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()));
        assert!(apart < 0.003, "{apart}");
    }
    let depth = mean(cpu.depth.iter().zip(&gpu.depth).map(|(a, b)| (a - b).abs()));
    assert!(depth < 0.01, "{depth}");
}

/// Tiles from the device agree with ours; what a cheat would give in their place does not.
#[test]
fn tiles_are_told_from_what_cheats_would_give() {
    use seedstorm_render::judge::{Verdict, judge};
    const TILE: u32 = 16;
    let paid = FrameSettings { width: 96, height: 64, ..settings(16) };
    let whole = Rect { x: 0, y: 0, width: paid.width, height: paid.height };
    let never = AtomicBool::new(false);
    let tracer = GpuTracer::open().unwrap();
    let ours = |scene: &Scene, settings: &FrameSettings| {
        let whole = Rect { width: settings.width, height: settings.height, ..whole };
        PreparedScene::new(scene).unwrap().render_tile(settings, whole).unwrap()
    };
    // A row of judgements for each kind of claim: judged, and refused.
    let mut rows: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for scene in [everything(), outdoors()] {
        let canonical = ours(&scene, &paid);
        let prepared = PreparedScene::new(&scene).unwrap();
        let honest = tracer.scene(&prepared).unwrap().render(&paid, whole, &|_| {}, &never).unwrap();
        let fewer = ours(&scene, &FrameSettings { samples: 12, ..paid });
        let small = ours(&scene, &FrameSettings { width: 48, height: 32, samples: 64, ..paid });
        let mut scaled = canonical.clone();
        for (at, pixel) in scaled.radiance.iter_mut().enumerate() {
            let (x, y) = (at % 96, at / 96);
            *pixel = small.radiance[y / 2 * 48 + x / 2];
        }
        let cheap = ours(&scene, &FrameSettings { samples: 4, ..paid });
        let denoised = Layers { radiance: denoise(&cheap), ..cheap };
        let reseeded = ours(&scene, &FrameSettings { seed: paid.seed + 1, ..paid });
        let mut later = scene.clone();
        later.camera.eye.x += 0.02;
        later.instances.iter_mut().for_each(|instance| instance.pose.isometry.translation.vector.y += 0.01);
        let neighbour = ours(&later, &paid);
        let claims = [
            ("honest", honest),
            ("fewer", fewer),
            ("scaled", scaled),
            ("denoised", denoised),
            ("reseeded", reseeded),
            ("neighbour", neighbour),
        ];
        for (name, claim) in claims {
            for tile in 0..6 * 4 {
                let square = Rect { x: tile % 6 * TILE, y: tile / 6 * TILE, width: TILE, height: TILE };
                let verdict = judge(&claim.cut(square).radiance, &canonical.cut(square));
                let row = rows.entry(name).or_default();
                row[0] += usize::from(verdict != Verdict::Silent);
                row[1] += usize::from(verdict == Verdict::Differs);
            }
        }
    }
    println!("measured: judged and refused {rows:?}");
    for (name, [judged, refused]) in rows {
        assert!(judged >= 30, "{name}: only {judged} tiles speak");
        let wanted = if name == "honest" { 0 } else { judged };
        assert_eq!(refused, wanted, "{name}, of {judged}");
    }
}

/// A tile is cut from the frame.
#[test]
fn a_tile_is_a_part_of_the_frame() {
    let prepared = PreparedScene::new(&everything()).unwrap();
    let tracer = GpuTracer::open().unwrap();
    let on_gpu = tracer.scene(&prepared).unwrap();
    let never = AtomicBool::new(false);
    let settings = settings(4);
    let whole = on_gpu.render(&settings, Rect { x: 0, y: 0, width: 64, height: 48 }, &|_| {}, &never).unwrap();
    let tile = Rect { x: 17, y: 9, width: 16, height: 12 };
    let part = on_gpu.render(&settings, tile, &|_| {}, &never).unwrap();
    assert_eq!(part.radiance, whole.cut(tile).radiance);
    let outside = on_gpu.render(&settings, Rect { x: 60, ..tile }, &|_| {}, &never);
    assert!(matches!(outside, Err(RenderError::Settings(_))));
    let cancelled = on_gpu.render(&settings, tile, &|_| {}, &AtomicBool::new(true));
    assert!(matches!(cancelled, Err(RenderError::Cancelled)));
}

/// A frame of more pixels than the device binds at once, 80 bytes each, is the same.
#[test]
fn a_frame_that_is_too_large_is_drawn_in_bands() {
    let tracer = GpuTracer::open().unwrap();
    let side = (seedstorm_sim::gpu::adapters()[0].largest_binding as f64 / 80.0).sqrt() as u32 + 2;
    if side > 4096 {
        eprintln!("SKIPPED: the device binds a frame of {side}² pixels");
        return;
    }
    let mut scene = Scene { fluid: None, ..everything() };
    scene.instances.truncate(7);
    let prepared = PreparedScene::new(&scene).unwrap();
    let settings = FrameSettings { width: side, height: side, max_bounces: 1, outlines: false, ..settings(1) };
    let shares = std::cell::RefCell::new(vec![]);
    let whole = Rect { x: 0, y: 0, width: side, height: side };
    let progress = |share| shares.borrow_mut().push(share);
    let drawn = tracer.scene(&prepared).unwrap().render(&settings, whole, &progress, &AtomicBool::new(false)).unwrap();
    let shares = shares.into_inner();
    assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{shares:?}");
    for y in [0, side / 2, side - 16] {
        let tile = Rect { x: side / 2, y, width: 16, height: 16 };
        let (expected, found) = (prepared.render_tile(&settings, tile).unwrap(), drawn.cut(tile));
        let close = expected.albedo.iter().zip(&found.albedo).filter(|(a, b)| (a[1] - b[1]).abs() < 1e-3).count();
        assert!(close > 250, "{close} of 256 pixels at row {y}");
    }
}

/// What was lost says so, and another device gives the same.
#[test]
fn a_device_may_be_lost() {
    let prepared = PreparedScene::new(&everything()).unwrap();
    let (settings, tile) = (settings(2), Rect { x: 8, y: 8, width: 8, height: 8 });
    let never = AtomicBool::new(false);
    let draw = |tracer: &GpuTracer| tracer.scene(&prepared)?.render(&settings, tile, &|_| {}, &never);
    let gpu = Gpu::open(Products::Auto).unwrap();
    let tracer = GpuTracer::new(gpu.clone());
    let before = draw(&tracer).unwrap();
    gpu.unplug();
    assert!(matches!(draw(&tracer), Err(RenderError::Device(_))));
    assert_eq!(draw(&GpuTracer::open().unwrap()).unwrap().radiance, before.radiance);
}

/// Nothing is asked of a device that it cannot bind.
#[test]
fn a_scene_that_the_device_cannot_hold_is_refused() {
    let mut scene = everything();
    let ball = *scene.instances.last().unwrap();
    let binds = seedstorm_sim::gpu::adapters()[0].largest_binding;
    let count = usize::try_from(binds).unwrap_or(usize::MAX) / 112 + 1;
    if count > 8_000_000 {
        eprintln!("SKIPPED: the device binds {binds} bytes");
        return;
    }
    scene.instances.extend((0..count).map(|i| Instance {
        pose: at((i % 1000) as f32 * 0.01, 5.0 + (i / 1000 % 100) as f32 * 0.01, (i / 100_000) as f32 * 0.01),
        ..ball
    }));
    let prepared = PreparedScene::new(&scene).unwrap();
    let tracer = GpuTracer::open().unwrap();
    let tile = Rect { x: 0, y: 0, width: 8, height: 8 };
    let drawn = tracer.scene(&prepared).unwrap().render(&settings(1), tile, &|_| {}, &AtomicBool::new(false));
    assert!(matches!(&drawn, Err(RenderError::Device(problem)) if problem.contains("binds at most")), "{drawn:?}");
}
