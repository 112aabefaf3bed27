//! What the tracer is measured by: scenes that peers can draw too, and a million particles.
//!
//! `cargo run --release -p seedstorm-render --example measure -- scene NAME` prints a scene for the peers in `xtask/peers`,
//! `… -- draw NAME OUT SAMPLES SEED [SIZE]` draws it with these samples (`1,4,16`), writes each picture to `OUT/SAMPLES.f32`
//! (linear RGB, rows from the top) and prints the seconds; `… -- million SIZE SAMPLES` builds and draws a million particles.

use std::error::Error;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use nalgebra::{Point3, Similarity3, Translation3, UnitQuaternion, Vector3};
use seedstorm_render::{FrameSettings, PreparedScene};
use seedstorm_sim::scene::{AreaLight, Camera, Instance, Material, Mesh, Rgb, Scene, Shape, Sky};
use serde_json::{Value, json};

/// Bounces of all tracers.
const BOUNCES: u32 = 5;
/// Edge of the pictures, in pixels.
const SIZE: u32 = 160;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["scene", name] => println!("{}", Neutral::named(name)?.json()),
        ["draw", name, out, samples, seed] => draw(name, out, samples, seed.parse()?, SIZE)?,
        ["draw", name, out, samples, seed, size] => draw(name, out, samples, seed.parse()?, size.parse()?)?,
        ["million", size, samples] => million(size.parse()?, samples.parse()?)?,
        _ => return Err("say scene NAME, draw NAME OUT SAMPLES SEED, or million SIZE SAMPLES".into()),
    }
    Ok(())
}

/// A scene of what all tracers have.
struct Neutral {
    eye: [f32; 3],
    target: [f32; 3],
    vertical_fov: f32,
    sky: Rgb,
    lights: Vec<[[f32; 3]; 4]>,
    materials: Vec<Neutrals>,
    /// Middle, radius and material.
    spheres: Vec<([f32; 3], f32, usize)>,
    meshes: Vec<(Mesh, usize)>,
}

#[derive(Clone, Copy)]
enum Neutrals {
    Diffuse(Rgb),
    Mirror(Rgb),
    Glass(f32),
}

impl Neutral {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "spheres" => Ok(spheres(10_000)),
            "triangles" => Ok(triangles()),
            "cornell" => Ok(cornell()),
            other => Err(format!("there is no scene `{other}`: spheres, triangles or cornell")),
        }
    }

    fn json(&self) -> Value {
        let materials = self.materials.iter().map(|material| match material {
            Neutrals::Diffuse(color) => json!({"kind": "diffuse", "color": color}),
            Neutrals::Mirror(color) => json!({"kind": "metal", "color": color, "roughness": 0.0}),
            Neutrals::Glass(ior) => json!({"kind": "glass", "ior": ior}),
        });
        let lights = self
            .lights
            .iter()
            .map(|[center, u, v, radiance]| json!({"center": center, "u": u, "v": v, "radiance": radiance}));
        let spheres = self.spheres.iter().map(|([x, y, z], radius, material)| json!([x, y, z, radius, material]));
        let meshes = self.meshes.iter().map(|(mesh, material)| {
            let positions: Vec<[f32; 3]> = mesh.positions.iter().map(|p| [p.x, p.y, p.z]).collect();
            json!({"positions": positions, "triangles": mesh.triangles, "material": material})
        });
        json!({
            "width": SIZE,
            "height": SIZE,
            "camera": {
                "eye": self.eye, "target": self.target, "up": [0.0, 1.0, 0.0], "vertical_fov": self.vertical_fov,
            },
            "sky": self.sky,
            "lights": lights.collect::<Vec<_>>(),
            "materials": materials.collect::<Vec<_>>(),
            "spheres": spheres.collect::<Vec<_>>(),
            "meshes": meshes.collect::<Vec<_>>(),
        })
    }

    fn scene(self) -> Scene {
        // Of index 1, nothing but the diffuse base is left.
        let bare = Material { ior: 1.0, roughness: 1.0, ..Material::default() };
        let material = |material: &Neutrals| match *material {
            Neutrals::Diffuse(base_color) => Material { base_color, ..bare },
            Neutrals::Mirror(base_color) => {
                Material { base_color, metallic: 1.0, roughness: 0.0, ..Material::default() }
            }
            Neutrals::Glass(ior) => {
                Material { base_color: [1.0; 3], transmission: 1.0, roughness: 0.0, ior, ..Material::default() }
            }
        };
        let placed = |shape, [x, y, z]: [f32; 3], material| Instance {
            shape,
            pose: Similarity3::from_parts(Translation3::new(x, y, z), UnitQuaternion::identity(), 1.0),
            material,
            tint: [1.0; 3],
            emission: [0.0; 3],
        };
        let balls = self.spheres.iter().map(|&(at, radius, material)| placed(Shape::Sphere(radius), at, material));
        let meshes = self.meshes.iter().enumerate();
        let meshes = meshes.map(|(i, &(_, material))| placed(Shape::Mesh(i), [0.0; 3], material));
        let distance = (Point3::from(self.target) - Point3::from(self.eye)).norm();
        Scene {
            camera: Camera {
                eye: self.eye.into(),
                target: self.target.into(),
                up: Vector3::y(),
                vertical_fov: self.vertical_fov,
                lens_radius: 0.0,
                focus_distance: distance,
            },
            sky: Sky { zenith: self.sky, horizon: self.sky, nadir: self.sky, backdrop: None },
            environment: None,
            sun: None,
            lights: self
                .lights
                .iter()
                .map(|&[center, u, v, radiance]| AreaLight {
                    center: center.into(),
                    u: u.into(),
                    v: v.into(),
                    radiance,
                    visible: true,
                })
                .collect(),
            materials: self.materials.iter().map(material).collect(),
            instances: balls.chain(meshes).collect(),
            meshes: self.meshes.into_iter().map(|(mesh, _)| mesh.into()).collect(),
            fluid: None,
            haze: None,
            fog: None,
            moved: vec![],
            exposure_stops: 0.0,
        }
    }
}

/// A number in [0, 1) from two others.
fn chance(index: u32, stream: u32) -> f32 {
    let mut x = index.wrapping_mul(0x9e37_79b9) ^ stream.wrapping_mul(0x85eb_ca6b) ^ 0x5eed;
    for factor in [0x7feb_352d_u32, 0x846c_a68b] {
        x = (x ^ (x >> 16)).wrapping_mul(factor);
    }
    (x >> 8) as f32 / (1 << 24) as f32
}

fn quad(corners: [[f32; 3]; 4]) -> Mesh {
    Mesh { positions: corners.map(Point3::from).to_vec(), triangles: vec![[0, 1, 2], [0, 2, 3]], ..Mesh::default() }
}

fn floor(y: f32) -> Mesh {
    quad([[-40.0, y, 40.0], [40.0, y, 40.0], [40.0, y, -40.0], [-40.0, y, -40.0]])
}

/// So many balls in a ball, over a floor, under a grey sky and one light.
fn spheres(count: u32) -> Neutral {
    let ink = |i| Neutrals::Diffuse([0.25 + 0.6 * chance(i, 1), 0.25 + 0.6 * chance(i, 2), 0.25 + 0.6 * chance(i, 3)]);
    let radius = 1.0 / libm::cbrtf(count as f32);
    let ball = |i| {
        let (z, turn) = (2.0 * chance(i, 4) - 1.0, chance(i, 5) * std::f32::consts::TAU);
        let (flat, reach) = ((1.0 - z * z).sqrt(), libm::cbrtf(chance(i, 6)));
        let at = [reach * flat * libm::cosf(turn), 1.1 + reach * z, reach * flat * libm::sinf(turn)];
        (at, radius * (0.4 + 0.4 * chance(i, 7)), 1 + (i as usize) % 8)
    };
    Neutral {
        eye: [0.0, 2.2, 5.2],
        target: [0.0, 1.0, 0.0],
        vertical_fov: 0.55,
        sky: [0.5, 0.6, 0.8],
        lights: vec![[[-3.0, 4.5, 2.0], [1.0, 0.0, 1.0], [0.6, 0.6, -0.6], [9.0, 8.0, 6.5]]].square_and_inward(),
        materials: std::iter::once(Neutrals::Diffuse([0.6, 0.6, 0.6])).chain((0..8).map(ink)).collect(),
        spheres: (0..count).map(ball).collect(),
        meshes: vec![(floor(-0.05), 0)],
    }
}

/// A rough planet of 100,352 triangles.
fn triangles() -> Neutral {
    const STEPS: u32 = 224;
    let mut mesh = Mesh::default();
    for row in 0..=STEPS {
        for column in 0..STEPS {
            let (up, around) = (row as f32 / STEPS as f32, column as f32 / STEPS as f32);
            let (sin, cos) = libm::sincosf(up * std::f32::consts::PI);
            let (across, along) = libm::sincosf(around * std::f32::consts::TAU);
            let waves = libm::sinf(9.0 * along * sin + 7.0 * cos) * libm::sinf(8.0 * across * sin - 3.0 * cos);
            let grit = chance(row * STEPS + column, 8);
            let reach = if row % STEPS == 0 { 1.0 } else { 1.0 + 0.12 * waves + 0.02 * grit };
            mesh.positions.push(Point3::new(reach * sin * along, 1.15 + reach * cos, reach * sin * across));
        }
    }
    for row in 0..STEPS {
        for column in 0..STEPS {
            let [a, b] = [column, (column + 1) % STEPS].map(|c| row * STEPS + c);
            mesh.triangles.extend([[a, a + STEPS, b], [b, a + STEPS, b + STEPS]]);
        }
    }
    // Counter-clockwise from outside.
    mesh.triangles.iter_mut().for_each(|corners| corners.swap(1, 2));
    Neutral {
        spheres: vec![],
        materials: vec![Neutrals::Diffuse([0.6, 0.6, 0.6]), Neutrals::Diffuse([0.75, 0.5, 0.35])],
        meshes: vec![(floor(-0.1), 0), (mesh, 1)],
        ..spheres(1)
    }
}

/// A box with two coloured walls, a matte ball, one of glass and a mirror.
fn cornell() -> Neutral {
    let wall = |corners, material| (quad(corners), material);
    let (l, h, d) = (1.0, 2.0, 1.0);
    Neutral {
        eye: [0.0, 1.0, 3.9],
        target: [0.0, 1.0, 0.0],
        vertical_fov: 0.66,
        sky: [0.0; 3],
        lights: vec![[[0.0, 1.98, 0.0], [0.0, 0.0, 0.35], [-0.35, 0.0, 0.0], [12.0, 10.0, 7.0]]].square_and_inward(),
        materials: vec![
            Neutrals::Diffuse([0.73, 0.71, 0.68]),
            Neutrals::Diffuse([0.63, 0.06, 0.05]),
            Neutrals::Diffuse([0.14, 0.45, 0.09]),
            Neutrals::Mirror([0.9, 0.85, 0.7]),
            Neutrals::Glass(1.5),
        ],
        spheres: vec![([-0.5, 0.36, -0.35], 0.36, 3), ([0.5, 0.3, 0.3], 0.3, 4), ([0.05, 0.2, 0.55], 0.2, 0)],
        meshes: vec![
            wall([[-l, 0.0, d], [l, 0.0, d], [l, 0.0, -d], [-l, 0.0, -d]], 0),
            wall([[-l, h, -d], [l, h, -d], [l, h, d], [-l, h, d]], 0),
            wall([[-l, 0.0, -d], [l, 0.0, -d], [l, h, -d], [-l, h, -d]], 0),
            wall([[-l, 0.0, d], [-l, 0.0, -d], [-l, h, -d], [-l, h, d]], 1),
            wall([[l, 0.0, -d], [l, 0.0, d], [l, h, d], [l, h, -d]], 2),
        ],
    }
}

/// Lights with perpendicular edges that face the middle of the scene.
trait SquareAndInward {
    fn square_and_inward(self) -> Self;
}

impl SquareAndInward for Vec<[[f32; 3]; 4]> {
    fn square_and_inward(mut self) -> Self {
        for [center, u, v, _] in &mut self {
            let (along, across) = (Vector3::from(*u), Vector3::from(*v));
            let across = across - along * (across.dot(&along) / along.norm_squared());
            // Toward the middle of the scene.
            let toward = Vector3::new(0.0, 1.0, 0.0) - Vector3::from(*center);
            let flip = if along.cross(&across).dot(&toward) < 0.0 { -1.0 } else { 1.0 };
            *v = (across * flip).into();
        }
        self
    }
}

fn draw(name: &str, out: &str, samples: &str, seed: u32, size: u32) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let prepared = PreparedScene::new(&Neutral::named(name)?.scene())?;
    let built = start.elapsed().as_secs_f64();
    let mut runs = Vec::new();
    for samples in samples.split(',') {
        let samples: u32 = samples.parse()?;
        let settings = FrameSettings {
            width: size,
            height: size,
            samples,
            max_bounces: BOUNCES,
            seed,
            outlines: false,
            frame: 0,
            indirect_clamp: f32::INFINITY,
        };
        let start = Instant::now();
        let layers = prepared.render(&settings, &|_| {}, &AtomicBool::new(false))?;
        runs.push(json!({"samples": samples, "seconds": start.elapsed().as_secs_f64()}));
        let bytes: Vec<u8> = layers.radiance.iter().flatten().flat_map(|c| c.to_le_bytes()).collect();
        std::fs::create_dir_all(out)?;
        std::fs::write(format!("{out}/{samples}.f32"), bytes)?;
    }
    println!("{}", json!({"name": "Seedstorm", "build_seconds": built, "runs": runs}));
    Ok(())
}

fn million(size: u32, samples: u32) -> Result<(), Box<dyn Error>> {
    let scene = spheres(1_000_000).scene();
    let start = Instant::now();
    let prepared = PreparedScene::new(&scene)?;
    let built = start.elapsed().as_secs_f64();
    let settings = FrameSettings { width: size, height: size, samples, ..FrameSettings::default() };
    let start = Instant::now();
    prepared.render(&settings, &|_| {}, &AtomicBool::new(false))?;
    let drawn = start.elapsed().as_secs_f64();
    #[cfg_attr(not(feature = "gpu"), expect(unused_mut, reason = "a device adds to it"))]
    let mut found = json!({"build_seconds": built, "seconds": drawn, "samples": samples, "size": size});
    #[cfg(feature = "gpu")]
    {
        // A tile of one path a pixel takes little beside packing and uploading what it meets.
        let tracer = seedstorm_render::gpu::GpuTracer::open()?;
        let tile = seedstorm_render::Rect { x: 0, y: 0, width: 16, height: 16 };
        let once = FrameSettings { samples: 1, outlines: false, ..settings };
        tracer.scene(&PreparedScene::new(&spheres(8).scene())?)?.render(
            &once,
            tile,
            &|_| {},
            &AtomicBool::new(false),
        )?;
        let start = Instant::now();
        tracer.scene(&prepared)?.render(&once, tile, &|_| {}, &AtomicBool::new(false))?;
        found["upload_seconds"] = json!(start.elapsed().as_secs_f64());
        found["device"] = json!(tracer.name());
    }
    println!("{found}");
    Ok(())
}
