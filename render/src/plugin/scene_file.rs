//! Our scenes as files that any program reads: JSON for what is small, and beside it one file of plain numbers.
//!
//! `render/renderers/README.md` says what each field means; `version` counts changes.

use std::mem::size_of_val;

use nalgebra::{Similarity3, UnitQuaternion};
use seedstorm_sim::scene::{Backdrop, Instance, Material, Mesh, Rgb, Scene, Shape};
use serde_json::{Value, json};

/// The format's version.
pub const VERSION: u32 = 1;

/// A scene as JSON, and the numbers that it refers to.
#[derive(Debug)]
pub struct SceneFile {
    /// The document.
    pub json: Value,
    /// Little-endian 32-bit numbers: floats, and the whole numbers of triangles.
    pub numbers: Vec<u8>,
}

impl SceneFile {
    /// Of a scene; `numbers` is the name of the file that the numbers will be in.
    ///
    /// A liquid is a mesh here, and panes, motion and everything else that a scene has is there; what a renderer makes
    /// of it is its own affair.
    #[must_use]
    pub fn new(scene: &Scene, numbers: &str) -> Self {
        let mut blob = Blob::default();
        let mut meshes: Vec<Value> = scene.meshes.iter().map(|mesh| blob.mesh(mesh)).collect();
        let mut instances: Vec<Value> =
            scene.instances.iter().enumerate().map(|(i, it)| instance(scene, i, it)).collect();
        if let Some(fluid) = &scene.fluid {
            instances.push(json!({
                "shape": {"kind": "mesh", "mesh": meshes.len()},
                "position": [0.0, 0.0, 0.0], "rotation": [0.0, 0.0, 0.0, 1.0], "scale": 1.0,
                "material": fluid.material, "tint": [1.0, 1.0, 1.0], "emission": [0.0, 0.0, 0.0],
            }));
            meshes.push(blob.mesh(&crate::surface::mesh_fluid(fluid)));
        }
        let camera = &scene.camera;
        let json = json!({
            "version": VERSION,
            "numbers": numbers,
            "exposure_stops": scene.exposure_stops,
            "camera": {
                "eye": camera.eye.coords.as_slice(),
                "target": camera.target.coords.as_slice(),
                "up": camera.up.as_slice(),
                "vertical_fov": camera.vertical_fov,
                "lens_radius": camera.lens_radius,
                "focus_distance": camera.focus_distance,
            },
            "sky": {
                "zenith": scene.sky.zenith, "horizon": scene.sky.horizon, "nadir": scene.sky.nadir,
                "backdrop": scene.sky.backdrop.map(|Backdrop { center, edge, middle, radius }| {
                    json!({"center": center, "edge": edge, "middle": middle, "radius": radius})
                }),
            },
            "environment": scene.environment.as_ref().map(|map| {
                json!({"width": map.width, "height": map.height, "radiance": blob.floats(map.radiance.iter().flatten())})
            }),
            "sun": scene.sun.map(|sun| json!({
                "toward": sun.toward.as_slice(), "angular_radius": sun.angular_radius, "radiance": sun.radiance,
            })),
            "lights": scene.lights.iter().map(|light| json!({
                "center": light.center.coords.as_slice(), "u": light.u.as_slice(), "v": light.v.as_slice(),
                "radiance": light.radiance, "visible": light.visible,
            })).collect::<Vec<_>>(),
            "materials": scene.materials.iter().map(material).collect::<Vec<_>>(),
            "meshes": meshes,
            "instances": instances,
            "haze": scene.haze.as_ref().map(|haze| {
                let numbers = haze.clouds.iter().flat_map(|cloud| {
                    let [x, y, z] = cloud.position.coords.into();
                    let ([dr, dg, db], [r, g, b]) = (cloud.depth, cloud.radiance);
                    [x, y, z, cloud.radius, dr, dg, db, r, g, b]
                });
                json!({"bloom": haze.bloom, "clouds": blob.floats(numbers.collect::<Vec<_>>().iter())})
            }),
            "fog": scene.fog.map(|fog| json!({
                "low": fog.low.coords.as_slice(), "high": fog.high.coords.as_slice(), "density": fog.density,
                "albedo": fog.albedo, "anisotropy": fog.anisotropy,
            })),
        });
        Self { json, numbers: blob.bytes }
    }
}

fn instance(scene: &Scene, number: usize, it: &Instance) -> Value {
    let shape = match it.shape {
        Shape::Sphere(radius) => json!({"kind": "sphere", "radius": radius}),
        Shape::Capsule { half_height, radius } => {
            json!({"kind": "capsule", "half_height": half_height, "radius": radius})
        }
        Shape::Box(half) => json!({"kind": "box", "half": half.as_slice()}),
        Shape::Mesh(mesh) => json!({"kind": "mesh", "mesh": mesh}),
    };
    let mut placed = json!({
        "shape": shape, "material": it.material, "tint": it.tint, "emission": it.emission, "scale": it.pose.scaling(),
        "position": it.pose.isometry.translation.vector.as_slice(), "rotation": quaternion(&it.pose),
    });
    if let Some(later) = scene.moved.get(number).filter(|later| **later != it.pose) {
        placed["moved"] =
            json!({"position": later.isometry.translation.vector.as_slice(), "rotation": quaternion(later)});
    }
    placed
}

/// x, y, z and w.
fn quaternion(pose: &Similarity3<f32>) -> [f32; 4] {
    let rotation: UnitQuaternion<f32> = pose.isometry.rotation;
    rotation.into_inner().coords.into()
}

fn material(it: &Material) -> Value {
    json!({
        "base_color": it.base_color,
        "metallic": it.metallic,
        "roughness": it.roughness,
        "transmission": it.transmission,
        "subsurface": it.subsurface,
        "subsurface_radius": it.subsurface_radius,
        "ior": it.ior,
        "dispersion": it.dispersion,
        "absorption": it.absorption,
        "coat": it.coat,
        "coat_roughness": it.coat_roughness,
        "film": it.film,
        "film_ior": it.film_ior,
        "sheen": it.sheen,
        "sheen_roughness": it.sheen_roughness,
        "emission": it.emission,
    })
}

/// Numbers one after another.
#[derive(Default)]
struct Blob {
    bytes: Vec<u8>,
}

impl Blob {
    fn mesh(&mut self, mesh: &Mesh) -> Value {
        json!({
            "positions": self.floats(mesh.positions.iter().flat_map(|p| p.coords.iter())),
            "normals": self.floats(mesh.normals.iter().flat_map(|n| n.iter())),
            "colors": self.floats(mesh.colors.iter().flat_map(|color: &Rgb| color.iter())),
            "triangles": self.put(mesh.triangles.iter().flatten().map(|i| i.to_le_bytes())),
        })
    }

    fn floats<'a>(&mut self, numbers: impl Iterator<Item = &'a f32>) -> Value {
        self.put(numbers.map(|x| x.to_le_bytes()))
    }

    /// Where they begin, in bytes, and how many there are.
    fn put(&mut self, numbers: impl Iterator<Item = [u8; 4]>) -> Value {
        let offset = self.bytes.len();
        numbers.for_each(|number| self.bytes.extend(number));
        json!({"offset": offset, "count": (self.bytes.len() - offset) / size_of_val(&0_u32)})
    }
}
