//! Renders one of a few test scenes to a PNG and prints how fast:
//! `cargo run --release -p seedstorm-render --example still -- OUT.png [materials|crowd|glass|torus|honey|paint|globe] [size] [samples]`

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use nalgebra::{Isometry3, Point3, Similarity3, Translation3, UnitQuaternion, Vector3};
use seedstorm_render::image_file::encode_png;
use seedstorm_render::tone::{ToneCurve, develop};
use seedstorm_render::{FrameSettings, PreparedScene};
use seedstorm_sim::scene::{AreaLight, Backdrop, Camera, Fluid, Instance, Material, Mesh, Scene, Shape, Sky};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let out = args.next().ok_or("say where the PNG goes")?;
    let name = args.next().unwrap_or_else(|| "materials".into());
    let size: u32 = args.next().map_or(Ok(540), |s| s.parse())?;
    let samples: u32 = args.next().map_or(Ok(32), |s| s.parse())?;
    let scene = match name.as_str() {
        "materials" => materials(),
        "crowd" => crowd(),
        "glass" => glass(),
        "torus" => torus_scene(),
        "honey" => fluid(true),
        "paint" => fluid(false),
        "globe" => globe(),
        other => return Err(format!("there is no scene `{other}`").into()),
    };
    let start = Instant::now();
    let prepared = PreparedScene::new(&scene)?;
    let built = start.elapsed();
    if let Some(fluid) = &scene.fluid {
        println!("{} particles", fluid.positions.len());
    }
    let settings = FrameSettings { width: size, height: size, samples, ..FrameSettings::default() };
    let start = Instant::now();
    let layers = prepared.render(&settings, &|_| {}, &AtomicBool::new(false))?;
    let traced = start.elapsed();
    let paths = f64::from(size) * f64::from(size) * f64::from(samples);
    println!(
        "{name}: built in {:.3} s, traced in {:.3} s, {:.3} M paths/s on {} threads",
        built.as_secs_f64(),
        traced.as_secs_f64(),
        paths / traced.as_secs_f64() * 1e-6,
        rayon::current_num_threads(),
    );
    let image = develop(&layers.radiance, layers.width, layers.height, scene.exposure_stops, ToneCurve::KhronosNeutral);
    std::fs::write(out, encode_png(&image)?)?;
    Ok(())
}

fn at(x: f32, y: f32, z: f32) -> Similarity3<f32> {
    Similarity3::from_isometry(Isometry3::translation(x, y, z), 1.0)
}

fn instance(shape: Shape, pose: Similarity3<f32>, material: usize) -> Instance {
    Instance { shape, pose, material, tint: [1.0; 3], emission: [0.0; 3] }
}

/// A dark studio: a graded floor, a large soft key, a cool rim.
fn studio() -> Scene {
    let light = |from: [f32; 3], to: [f32; 3], size: f32, radiance: [f32; 3]| {
        let (center, to) = (Point3::from(from), Point3::from(to));
        let normal = (to - center).normalize();
        let u = Vector3::y().cross(&normal).normalize();
        let v = normal.cross(&u);
        AreaLight { center, u: u * size, v: v * size, radiance, visible: false }
    };
    Scene {
        camera: Camera {
            eye: Point3::new(0.0, 2.6, 9.0),
            target: Point3::new(0.0, 0.9, 0.0),
            up: Vector3::y(),
            vertical_fov: 0.55,
            lens_radius: 0.06,
            focus_distance: 9.0,
        },
        sky: Sky {
            zenith: [0.22, 0.25, 0.32],
            horizon: [0.10, 0.10, 0.12],
            nadir: [0.02, 0.02, 0.02],
            backdrop: Some(Backdrop {
                center: [0.16, 0.17, 0.2],
                edge: [0.012, 0.012, 0.018],
                middle: [0.0, 0.25],
                radius: 1.5,
            }),
        },
        lights: vec![
            light([-5.0, 7.0, 5.0], [0.0, 0.5, 0.0], 2.2, [9.0, 8.4, 7.6]),
            light([5.5, 3.5, -4.5], [0.0, 0.8, 0.0], 1.2, [7.0, 9.0, 14.0]),
        ],
        materials: vec![Material { base_color: [0.12, 0.12, 0.13], roughness: 0.35, ..Material::default() }],
        meshes: vec![],
        instances: vec![instance(Shape::Box(Vector3::new(60.0, 0.5, 60.0)), at(0.0, -0.5, 0.0), 0)],
        fluid: None,
        haze: None,
        fog: None,
        moved: vec![],
        environment: None,
        sun: None,
        exposure_stops: 0.6,
    }
}

fn materials() -> Scene {
    let mut scene = studio();
    let base = Material::default();
    let looks = [
        Material { base_color: [0.75, 0.18, 0.10], roughness: 0.45, ..base },
        Material { base_color: [1.0, 0.72, 0.32], metallic: 1.0, roughness: 0.28, ..base },
        Material { base_color: [0.95, 0.97, 0.98], transmission: 1.0, roughness: 0.0, ..base },
        Material { base_color: [0.05, 0.12, 0.30], coat: 1.0, roughness: 0.6, ..base },
        Material { base_color: [0.9, 0.9, 0.92], metallic: 1.0, roughness: 0.05, ..base },
        Material { base_color: [0.80, 0.92, 0.95], transmission: 1.0, roughness: 0.35, ..base },
        Material { base_color: [0.95; 3], transmission: 1.0, absorption: [0.2, 1.6, 2.6], roughness: 0.0, ..base },
        Material { base_color: [0.8, 0.78, 0.72], roughness: 0.9, ..base },
    ];
    for (i, look) in looks.into_iter().enumerate() {
        let material = scene.materials.len();
        scene.materials.push(look);
        let x = (i % 4) as f32 * 1.5 - 2.25;
        let (y, z) = if i < 4 { (0.6, 0.9) } else { (0.75, -0.9) };
        let turn = UnitQuaternion::from_quaternion(nalgebra::Quaternion::new(0.88, 0.15, 0.40, 0.20));
        let pose = |y: f32| Similarity3::from_parts(Translation3::new(x, y, z), turn, 1.0);
        let shape = match i {
            3 => instance(Shape::Box(Vector3::new(0.42, 0.42, 0.42)), pose(0.66), material),
            6 => instance(Shape::Capsule { half_height: 0.5, radius: 0.35 }, pose(0.85), material),
            _ => instance(Shape::Sphere(if i < 4 { 0.6 } else { 0.75 }), at(x, y, z), material),
        };
        scene.instances.push(shape);
    }
    let glow = Instance { emission: [6.0, 1.6, 0.3], ..instance(Shape::Sphere(0.16), at(0.0, 0.16, 2.0), 0) };
    scene.instances.push(glow);
    scene
}

fn glass() -> Scene {
    let mut scene = studio();
    let clear = scene.materials.len();
    scene.materials.push(Material {
        base_color: [0.96, 0.98, 1.0],
        transmission: 1.0,
        roughness: 0.0,
        ..Material::default()
    });
    let amber = scene.materials.len();
    scene.materials.push(Material {
        base_color: [1.0; 3],
        transmission: 1.0,
        roughness: 0.12,
        absorption: [0.3, 1.2, 4.0],
        ..Material::default()
    });
    for i in 0..60_u32 {
        let (ring, step) = (i / 12, i % 12);
        let (sin, cos) = libm_sincos((step as f32 + ring as f32 * 0.5) / 12.0);
        let r = 0.5 + 0.35 * ring as f32;
        let y = 0.3 + 0.42 * (4 - ring) as f32;
        let material = if i % 3 == 0 { amber } else { clear };
        scene.instances.push(instance(Shape::Sphere(0.28), at(r * cos, y, r * sin), material));
    }
    scene
}

fn libm_sincos(turns: f32) -> (f32, f32) {
    libm::sincosf(turns * std::f32::consts::TAU)
}

/// A spiral of twenty thousand pieces, some of them boxes, some capsules, some small meshes.
fn crowd() -> Scene {
    let mut scene = studio();
    let first = scene.materials.len();
    for color in [[0.85, 0.30, 0.10], [0.95, 0.85, 0.70], [0.08, 0.22, 0.30], [0.9, 0.6, 0.2]] {
        scene.materials.push(Material { base_color: color, roughness: 0.35, coat: 0.5, ..Material::default() });
    }
    scene.materials[first + 3].metallic = 1.0;
    scene.meshes.push(Arc::new(torus(24, 10)));
    for i in 0..20_000_u32 {
        let f = i as f32 / 20_000.0;
        let (sin, cos) = libm_sincos(f * 610.0 * 0.618_034);
        let r = 3.2 * f.sqrt();
        let y = 0.05 + 1.6 * (1.0 - f) * (1.0 - f) + 0.25 * libm::sinf(r * 6.0) * (1.0 - f);
        let turn = UnitQuaternion::new_unchecked(nalgebra::Quaternion::new(cos, 0.0, sin, 0.0));
        let pose = Similarity3::from_parts(Translation3::new(r * sin, y.max(0.04), r * cos), turn, 1.0);
        let shape = match i % 3 {
            0 => Shape::Box(Vector3::new(0.04, 0.03, 0.015)),
            1 => Shape::Capsule { half_height: 0.03, radius: 0.018 },
            _ => Shape::Mesh(0),
        };
        let pose = if i % 3 == 2 { Similarity3::from_isometry(pose.isometry, 0.035) } else { pose };
        let material = first + [0, 0, 1, 0, 2, 3, 1][(i % 7) as usize];
        scene.instances.push(instance(shape, pose, material));
    }
    scene
}

fn torus(around: u32, across: u32) -> Mesh {
    let mut mesh = Mesh::default();
    for i in 0..around {
        let (si, ci) = libm_sincos(i as f32 / around as f32);
        for j in 0..across {
            let (sj, cj) = libm_sincos(j as f32 / across as f32);
            let normal = Vector3::new(cj * ci, sj, cj * si);
            mesh.positions.push(Point3::new(ci, 0.0, si) + normal * 0.4);
            mesh.normals.push(normal);
            let (next_i, next_j) = ((i + 1) % around, (j + 1) % across);
            let [a, b] = [i * across + j, i * across + next_j];
            let [c, d] = [next_i * across + j, next_i * across + next_j];
            mesh.triangles.push([a, b, c]);
            mesh.triangles.push([b, d, c]);
        }
    }
    mesh
}

/// One large smooth mesh, the size of a fluid's surface, with colours.
fn torus_scene() -> Scene {
    let mut scene = studio();
    let mut mesh = torus(700, 350);
    for (p, n) in mesh.positions.iter_mut().zip(&mesh.normals) {
        let ripple = 0.05 * libm::sinf(p.x * 9.0) * libm::sinf(p.y * 9.0 + 1.0) * libm::sinf(p.z * 9.0);
        *p += n * ripple;
        let hot = (0.5 + ripple * 9.0).clamp(0.0, 1.0);
        mesh.colors.push([0.1 + 0.85 * hot, 0.25 + 0.2 * hot, 0.6 - 0.5 * hot]);
    }
    scene.meshes.push(Arc::new(mesh));
    let material = scene.materials.len();
    scene.materials.push(Material { base_color: [1.0; 3], roughness: 0.25, coat: 1.0, ..Material::default() });
    let turn = UnitQuaternion::from_quaternion(nalgebra::Quaternion::new(0.8, 0.5, 0.2, 0.1));
    let pose = Similarity3::from_parts(Translation3::new(0.0, 1.55, 0.0), turn, 1.2);
    scene.instances.push(instance(Shape::Mesh(0), pose, material));
    scene
}

/// A ball half full of a splash: a quarter of a million particles, clear or opaque.
fn fluid(clear: bool) -> Scene {
    let mut scene = studio();
    let (center, radius, spacing) = (Point3::new(0.0, 1.5, 0.0), 1.5, 0.027);
    let mut fluid = Fluid { spacing, ..Fluid::default() };
    let steps = (2.0 * radius / spacing) as i32;
    for i in 0..steps {
        for j in 0..steps {
            for k in 0..steps {
                let p = Vector3::new(i as f32, j as f32, k as f32) * spacing - Vector3::from_element(radius);
                let swirl = libm::sinf(3.0 * p.x + 4.0 * p.z * p.x) * 0.25 + libm::cosf(2.5 * p.z - p.x) * 0.25;
                let drop = (p - Vector3::new(0.4, 0.75, 0.3)).norm() < 0.2;
                if p.norm() < radius && (p.y < swirl - 0.15 || drop) {
                    let hot = (0.5 + 0.8 * swirl + 0.2 * p.y).clamp(0.0, 1.0);
                    fluid.positions.push(center + p);
                    fluid.colors.push([0.9, 0.25 + 0.6 * hot, 0.1 + 0.5 * hot * hot]);
                }
            }
        }
    }
    fluid.material = scene.materials.len();
    scene.materials.push(if clear {
        Material {
            base_color: [1.0; 3],
            transmission: 1.0,
            roughness: 0.05,
            ior: 1.45,
            absorption: [0.15, 0.6, 1.8],
            ..Material::default()
        }
    } else {
        Material { base_color: [1.0; 3], roughness: 0.4, coat: 1.0, ..Material::default() }
    });
    scene.fluid = Some(fluid);
    scene
}

/// The opaque splash in a sphere as thin as a soap bubble.
fn globe() -> Scene {
    let mut scene = fluid(false);
    let material = scene.materials.len();
    scene.materials.push(Material {
        base_color: [0.97, 0.99, 1.0],
        transmission: 1.0,
        ior: 1.0,
        coat: 1.0,
        coat_roughness: 0.02,
        ..Material::default()
    });
    scene.instances.push(instance(Shape::Sphere(1.55), at(0.0, 1.5, 0.0), material));
    scene
}
