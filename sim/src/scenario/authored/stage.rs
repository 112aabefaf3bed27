//! How a scene is photographed.

use std::{collections::BTreeMap, sync::Arc};

use nalgebra::{Point3, Quaternion, Similarity3, Translation3, UnitQuaternion, Vector3};

use super::{
    CHANNELS, POSITION_UNIT, ROTATION_UNIT,
    blueprint::{Blueprint, SNAPSHOTS},
    layout::{BodyShape, CYLINDER_SIDES, Layout},
    look::{Color, Ink, Measure},
    quantity::values,
};
use crate::{
    coupled::SNAPSHOT_UNIT,
    genome::Genome,
    palette::{Palette, mix, scale},
    scenario::Stage,
    scene::{Backdrop, Camera, Fluid, Fog, Instance, Material, Mesh, Particles, Rgb, Scene, Seen, Shape},
    stage::{Lighting, SEEN, cove, placed},
};

/// A grain's radius, in spacings.
const GRAIN: f32 = 0.55;

/// How many times as far apart as particles lie is what a liquid's surface takes for their spacing.
const COARSER: f32 = 1.6;
/// How far fog goes from the subject's middle, in radii.
const FOG_REACH: f32 = 9.0;

/// Turns the states of a scene into pictures' scenes.
pub(super) struct AuthoredStage {
    palette: &'static Palette,
    /// The tank's walls, where they are seen.
    panes: Vec<Instance>,
    lighting: Lighting,
    fog: Option<Fog>,
    backdrop: Backdrop,
    /// One for each look, then the floor's.
    materials: Vec<Material>,
    meshes: Vec<Arc<Mesh>>,
    floor: Option<usize>,
    bodies: Vec<Thing>,
    particles: Vec<Thing>,
    /// Which of the particles are grains, each seen by itself.
    grains: Vec<bool>,
    /// Metres between particles at rest.
    spacing: f32,
    /// A cell's edge and the grid's corner, metres.
    cell: f32,
    corner: Vector3<f32>,
    /// One for each look; `None` where the material has a colour of its own.
    colors: Vec<Option<Color>>,
    /// Whether nothing is seen of what has this look.
    unseen: Vec<bool>,
    camera: CameraPath,
}

/// A body or a particle, as far as the picture is concerned.
struct Thing {
    shape: Shape,
    size: f32,
    look: usize,
    start: Point3<f32>,
    /// Its place in its group and by chance, each in [0, 1].
    order: f32,
    chance: f32,
}

struct CameraPath {
    fov: f32,
    lens: f32,
    shutter: f64,
    keys: Vec<(f64, [f64; 6])>,
}

impl AuthoredStage {
    pub(super) fn new(scene: &Blueprint, genome: &Genome) -> Self {
        let layout = Layout::new(scene, genome);
        let look = &scene.look;
        let palette = Palette::named(look.palette.value(genome));
        let subject = Point3::from(values(&look.subject, genome).map(|x| x as f32));
        let radius = look.radius.value(genome) as f32;
        let mut lighting = Lighting::new(look.light.value(genome), palette, subject, radius);
        lighting.exposure_stops += look.exposure.value(genome) as f32;
        let fog = look.fog.value(genome) as f32;
        let (mut materials, mut colors) = (Vec::new(), Vec::new());
        for (_, finish) in &scene.finishes {
            let (name, color) = (finish.substance.value(genome), finish.color.fix(genome));
            let (material, own) = match (name, &color) {
                ("water", Color::Of(ink)) => (water(ink_of(palette, *ink), finish.depth as f32), true),
                ("water", _) => (water([1.0; 3], 1.0), false),
                _ => (substance(name, palette, radius), OWN_COLORS.contains(&name)),
            };
            materials.push(material);
            colors.push((!own).then_some(color));
        }
        materials.push(Material { base_color: scale(lighting.paper, 0.85), roughness: 0.65, ..Material::default() });
        let mut meshes: Vec<Arc<Mesh>> = scene.meshes.iter().map(|(_, mesh)| mesh.surface.clone()).collect();
        let panes = match (look.tank.value(genome), layout.tank) {
            ("glass", Some(tank)) => {
                materials.push(Material {
                    base_color: [1.0; 3],
                    roughness: 0.0,
                    transmission: 1.0,
                    ior: 1.0,
                    coat: 0.45,
                    coat_roughness: 0.02,
                    absorption: [2.0, 0.5, 0.8],
                    ..Material::default()
                });
                panes(tank.size().map(|size| size as f32), materials.len() - 1)
            }
            _ => vec![],
        };
        let floor = match look.floor.value(genome) {
            "cove" => Some(cove(radius * 16.0, radius * 9.0, radius * 4.5, radius * 2.5, radius * 12.0)),
            "plain" => Some(plain(radius * 60.0)),
            _ => None,
        };
        let floor = floor.map(|mut mesh| {
            mesh.positions.iter_mut().for_each(|point| *point += Vector3::new(subject.x, 0.0, subject.z));
            meshes.push(Arc::new(mesh));
            meshes.len() - 1
        });
        let mut made = BTreeMap::new();
        let mut shape = |shape: BodyShape| match shape {
            BodyShape::Ball(radius) => (Shape::Sphere(radius), 1.0),
            BodyShape::Capsule { half_height, radius } => (Shape::Capsule { half_height, radius }, 1.0),
            BodyShape::Mesh { mesh, scale } => (Shape::Mesh(mesh), scale),
            BodyShape::Box(half) => {
                let mesh = *made.entry(half.map(f32::to_bits)).or_insert_with(|| {
                    meshes.push(Arc::new(bevelled_box(half)));
                    meshes.len() - 1
                });
                (Shape::Mesh(mesh), 1.0)
            }
            BodyShape::Cylinder { half_height, radius } => {
                let mesh = *made.entry([half_height.to_bits(), radius.to_bits(), 0]).or_insert_with(|| {
                    meshes.push(Arc::new(bevelled_cylinder(half_height, radius)));
                    meshes.len() - 1
                });
                (Shape::Mesh(mesh), 1.0)
            }
        };
        let mut counts = vec![0_u32; scene.bodies.len()];
        layout.bodies.iter().for_each(|body| counts[body.group] += 1);
        let chances: Vec<_> = scene.bodies.iter().map(|g| genome.stream(&format!("scene/{}.color", g.path))).collect();
        let bodies = layout.bodies.iter().map(|body| {
            let (shape, size) = shape(body.shape);
            Thing {
                shape,
                size,
                look: scene.bodies[body.group].look,
                start: Point3::from(body.position),
                order: body.index as f32 / (counts[body.group] - 1).max(1) as f32,
                chance: chances[body.group].unit(u64::from(body.index), 0) as f32,
            }
        });
        let bodies = bodies.collect();
        let chance = genome.stream("scene/particles.color");
        let many = (layout.particles.len() as f32 - 1.0).max(1.0);
        let particles = layout.particles.iter().enumerate().map(|(index, particle)| Thing {
            shape: Shape::Sphere(GRAIN * layout.tank.map_or(0.0, |tank| tank.spacing() as f32)),
            size: 1.0,
            look: scene.materials[usize::from(particle.material)].1.look,
            start: Point3::from(particle.position),
            order: index as f32 / many,
            chance: chance.unit(index as u64, 0) as f32,
        });
        Self {
            palette,
            backdrop: Backdrop {
                center: scale(lighting.paper, 1.05),
                edge: scale(lighting.paper, 0.4),
                middle: [0.0, 0.0],
                radius: 1.9,
            },
            panes,
            fog: (fog > 0.0).then(|| Fog {
                low: subject - Vector3::repeat(FOG_REACH * radius),
                high: subject + Vector3::repeat(FOG_REACH * radius),
                density: fog / radius,
                albedo: [0.97; 3],
                anisotropy: 0.45,
            }),
            lighting,
            materials,
            floor,
            particles: particles.collect(),
            grains: layout.particles.iter().map(|particle| scene.is_grain(particle.material)).collect(),
            spacing: layout.tank.map_or(0.0, |tank| tank.spacing() as f32),
            cell: layout.tank.map_or(0.0, |tank| tank.cell as f32),
            corner: Vector3::from(layout.tank.map_or([0.0; 3], |tank| tank.corner().map(|c| c as f32))),
            bodies,
            meshes,
            colors,
            unseen: scene.finishes.iter().map(|(_, finish)| finish.substance.value(genome) == "unseen").collect(),
            camera: CameraPath::new(scene, genome),
        }
    }

    fn color(&self, thing: &Thing, place: Point3<f32>, speed: f32) -> Rgb {
        let Some(color) = &self.colors[thing.look] else { return [1.0; 3] };
        let color = match color {
            Color::Of(ink) => ink_of(self.palette, *ink),
            Color::Pick(inks) => {
                ink_of(self.palette, inks[((thing.chance * inks.len() as f32) as usize).min(inks.len() - 1)])
            }
            Color::By(measure, [from, to], bands) => {
                let value = match measure {
                    Measure::Height => thing.start.y,
                    Measure::Radius => (thing.start.x * thing.start.x + thing.start.z * thing.start.z).sqrt(),
                    Measure::X => thing.start.x,
                    Measure::Z => thing.start.z,
                    Measure::Rise => place.y,
                    Measure::Order => thing.order,
                    Measure::Chance => thing.chance,
                    Measure::Speed => speed,
                    Measure::Travel => (place - thing.start).norm(),
                };
                let share = ((value - *from as f32) / (*to - *from) as f32).clamp(0.0, 1.0);
                let Some(bands) = *bands else { return self.palette.ramp(share) };
                let band = ((share * bands as f32) as u32).min(bands - 1) % 6;
                self.palette.colors[band.min(6 - band) as usize]
            }
        };
        // Light takes the colour of glass twice at least, and is not to drown in it.
        if self.materials[thing.look].transmission >= 1.0 { mix(color, [1.0; 3], 0.35) } else { color }
    }
}

fn ink_of(palette: &Palette, ink: Ink) -> Rgb {
    match ink {
        Ink::Ramp(at) => palette.ramp(at / 3.0),
        Ink::Accent => palette.accent,
        Ink::Ground => palette.ground,
        Ink::Water => palette.water,
    }
}

/// Clear water, in which white light takes this colour on so many metres; a little of it is turbid, so that it is seen
/// before a dark ground too.
fn water(color: Rgb, depth: f32) -> Material {
    Material {
        base_color: mix(color, [1.0; 3], 0.4),
        roughness: 0.0,
        transmission: 0.96,
        ior: 1.33,
        absorption: color.map(|share| -libm::logf(share.max(LEAST_LEFT)) / depth),
        ..Material::default()
    }
}

/// What is left at least of a colour of light in water.
const LEAST_LEFT: f32 = 0.02;

/// The looks that have colours of their own.
const OWN_COLORS: &[&str] = &["mercury", "steel", "gold", "copper", "oil", "soap"];

/// What a look is made of, in a scene of this radius.
fn substance(name: &str, palette: &Palette, radius: f32) -> Material {
    // How far red, green and blue light goes in a body, as a share of the scene.
    let through = |shares: [f32; 3]| shares.map(|share| share * radius);
    let plain = Material { base_color: [1.0; 3], ..Material::default() };
    match name {
        "porcelain" => Material { roughness: 0.22, coat: 0.4, ..plain },
        "pearl" => Material { metallic: 0.35, roughness: 0.34, coat: 1.0, coat_roughness: 0.08, ..plain },
        "wax" => Material {
            roughness: 0.45,
            coat: 0.15,
            coat_roughness: 0.35,
            subsurface: 0.9,
            subsurface_radius: through([0.05, 0.025, 0.014]),
            ..plain
        },
        "jade" => Material {
            roughness: 0.25,
            coat: 0.5,
            coat_roughness: 0.06,
            subsurface: 0.95,
            subsurface_radius: through([0.03, 0.06, 0.04]),
            ..plain
        },
        "milk" => {
            Material { roughness: 0.1, subsurface: 1.0, subsurface_radius: through([0.04, 0.034, 0.026]), ..plain }
        }
        "rubber" => Material { roughness: 0.8, ..plain },
        "velvet" => Material { roughness: 1.0, ior: 1.0, sheen: [0.75; 3], sheen_roughness: 0.45, ..plain },
        "glass" => Material { roughness: 0.0, transmission: 1.0, ior: 1.5, ..plain },
        "crystal" => Material { roughness: 0.0, transmission: 1.0, ior: 1.7, dispersion: 0.09, ..plain },
        "soap" => Material { transmission: 1.0, ior: 1.0, film: 420.0, film_ior: 1.34, ..plain },
        "frosted" => Material { roughness: 0.3, transmission: 0.95, ior: 1.45, ..plain },
        "mercury" => Material { base_color: [0.78, 0.79, 0.8], metallic: 1.0, roughness: 0.03, ..plain },
        "steel" => Material { base_color: [0.56, 0.57, 0.58], metallic: 1.0, roughness: 0.22, ..plain },
        "gold" => Material { base_color: [1.0, 0.71, 0.29], metallic: 1.0, roughness: 0.16, ..plain },
        "copper" => Material { base_color: [0.95, 0.56, 0.42], metallic: 1.0, roughness: 0.2, ..plain },
        "beetle" => Material {
            metallic: 1.0,
            roughness: 0.26,
            film: 380.0,
            film_ior: 1.55,
            coat: 0.7,
            coat_roughness: 0.05,
            ..plain
        },
        "oil" => Material {
            base_color: [0.16, 0.16, 0.18],
            metallic: 1.0,
            roughness: 0.08,
            film: 520.0,
            film_ior: 1.5,
            ..plain
        },
        "glow" => Material { base_color: [0.0; 3], emission: scale(palette.accent, 0.2), ..plain },
        // Lacquer.
        _ => Material { roughness: 0.32, coat: 1.0, coat_roughness: 0.04, ..plain },
    }
}

/// Radiance of a glowing body, per unit of its colour.
const GLOW: f32 = 3.0;

impl CameraPath {
    fn new(scene: &Blueprint, genome: &Genome) -> Self {
        let camera = &scene.look.camera;
        let keys = camera.keys.iter().map(|key| {
            let ([ex, ey, ez], [tx, ty, tz]) = (values(&key.eye, genome), values(&key.target, genome));
            (key.at, [ex, ey, ez, tx, ty, tz])
        });
        Self {
            fov: (camera.fov.value(genome) * (std::f64::consts::PI / 180.0)) as f32,
            lens: camera.lens.value(genome) as f32,
            shutter: camera.shutter.value(genome),
            keys: keys.collect(),
        }
    }

    /// The camera at `time`, along cubic curves through the keys that begin and end at rest.
    fn at(&self, time: f64) -> Camera {
        let after = self.keys.partition_point(|(at, _)| *at <= time);
        let place = match (after.checked_sub(1), self.keys.get(after)) {
            (Some(before), Some(_)) => self.between(before, time),
            (Some(last), None) => self.keys[last].1,
            (None, _) => self.keys[0].1,
        };
        let place = place.map(|x| x as f32);
        let (eye, mut target) = (Point3::new(place[0], place[1], place[2]), Point3::new(place[3], place[4], place[5]));
        if (target - eye).norm() < 1e-3 {
            target = eye - Vector3::z();
        }
        let view = target - eye;
        // Straight down or up, the top of the picture is to the back.
        let up = if view.x.abs() + view.z.abs() < 1e-2 * view.norm() { -Vector3::z() } else { Vector3::y() };
        Camera { eye, target, up, vertical_fov: self.fov, lens_radius: self.lens, focus_distance: view.norm() }
    }

    fn between(&self, before: usize, time: f64) -> [f64; 6] {
        let ((t0, a), (t1, b)) = (self.keys[before], self.keys[before + 1]);
        let slope = |key: usize, axis: usize| {
            let inner = key > 0 && key + 1 < self.keys.len();
            if !inner {
                return 0.0;
            }
            let ((from, p), (to, q)) = (self.keys[key - 1], self.keys[key + 1]);
            (q[axis] - p[axis]) / (to - from)
        };
        let (span, t) = (t1 - t0, (time - t0) / (t1 - t0));
        let (t2, t3) = (t * t, t * t * t);
        std::array::from_fn(|axis| {
            (2.0 * t3 - 3.0 * t2 + 1.0) * a[axis]
                + (t3 - 2.0 * t2 + t) * span * slope(before, axis)
                + (3.0 * t2 - 2.0 * t3) * b[axis]
                + (t3 - t2) * span * slope(before + 1, axis)
        })
    }
}

impl Stage for AuthoredStage {
    fn shutter(&self) -> f64 {
        self.camera.shutter
    }

    /// Elements are the bodies, with place and rotation in channels 0 to 6, and then the particles, with their place in
    /// channels 0 to 2, in cells of the grid, and, in channel 3, 1 once they are born.
    fn scene(&self, time: f64, values: &[f32], rates: &[f32]) -> Scene {
        let mut scene = self.bare(time, values, rates);
        let mut fluid =
            Fluid { spacing: COARSER * self.spacing, share: 1.0 / (COARSER * COARSER * COARSER), ..Fluid::default() };
        let seen = self.seen(values, rates).zip(&self.particles).zip(&self.grains);
        for (((place, (tint, material)), thing), grain) in seen {
            let Some(material) = material else { continue };
            if *grain {
                let pose = Similarity3::from_parts(Translation3::from(place.coords), UnitQuaternion::identity(), 1.0);
                let shape = thing.shape;
                scene.instances.push(Instance { shape, pose, material, tint, emission: [0.0; 3] });
            } else {
                fluid.positions.push(place);
                fluid.colors.push(tint);
                fluid.material = material;
            }
        }
        scene.fluid = (!fluid.positions.is_empty()).then_some(fluid);
        scene
    }

    fn apart(&self, time: f64, values: &[f32], rates: &[f32]) -> Option<(Scene, Particles)> {
        let (places, looks) = self.seen(values, rates).unzip();
        let mut radii = vec![SEEN * self.spacing; self.materials.len()];
        for (thing, _) in self.particles.iter().zip(&self.grains).filter(|(_, grain)| **grain) {
            radii[thing.look] = GRAIN * self.spacing;
        }
        let (cell, corner) = (self.cell, Point3::from(self.corner));
        let particles = Particles { places, cell, corner, seen: Seen::Balls { radii, looks } };
        (!self.particles.is_empty()).then(|| (self.bare(time, values, rates), particles))
    }
}

impl AuthoredStage {
    /// Where each particle is, and its tint and material where it is seen.
    fn seen(&self, values: &[f32], rates: &[f32]) -> impl Iterator<Item = (Point3<f32>, (Rgb, Option<usize>))> {
        let (first, count) = (self.bodies.len(), values.len() / CHANNELS);
        let cells = move |numbers: &[f32], index: usize| {
            let unit = self.cell / SNAPSHOT_UNIT as f32;
            Vector3::from([0, 1, 2].map(|channel| numbers[channel * count + index] * unit))
        };
        let born = move |index: usize| values.get(3 * count + index).is_some_and(|alive| *alive > 0.5);
        self.particles.iter().enumerate().map(move |(index, thing)| {
            let place = Point3::from(self.corner + cells(values, first + index));
            if !born(first + index) || self.unseen[thing.look] {
                return (place, ([0.0; 3], None));
            }
            let tint = self.color(thing, place, cells(rates, first + index).norm() * SNAPSHOTS as f32);
            (place, (tint, Some(thing.look)))
        })
    }

    /// The scene without its particles.
    fn bare(&self, time: f64, values: &[f32], rates: &[f32]) -> Scene {
        let count = values.len() / CHANNELS;
        let place = |numbers: &[f32], index: usize| {
            Vector3::from([0, 1, 2].map(|channel| numbers[channel * count + index] / POSITION_UNIT))
        };
        let seen = |thing: &Thing, index: usize| {
            let at = Point3::from(place(values, index));
            (at, self.color(thing, at, place(rates, index).norm() * SNAPSHOTS as f32))
        };
        let mut instances: Vec<Instance> = self.floor.map(|mesh| placed(mesh, self.colors.len())).into_iter().collect();
        for (index, thing) in self.bodies.iter().enumerate().filter(|(_, thing)| !self.unseen[thing.look]) {
            let (at, color) = seen(thing, index);
            let turn = [3, 4, 5, 6].map(|channel| values[channel * count + index] / ROTATION_UNIT);
            let rotation = UnitQuaternion::from_quaternion(Quaternion::new(turn[3], turn[0], turn[1], turn[2]));
            let material = &self.materials[thing.look];
            let glows = material.emission != [0.0; 3];
            instances.push(Instance {
                shape: thing.shape,
                pose: Similarity3::from_parts(Translation3::from(at.coords), rotation, thing.size),
                material: thing.look,
                tint: color,
                emission: if glows { scale(color, GLOW) } else { [0.0; 3] },
            });
        }
        instances.extend(&self.panes);
        let mut sky = self.lighting.sky;
        sky.backdrop = Some(self.backdrop);
        Scene {
            camera: self.camera.at(time),
            sky,
            lights: self.lighting.lights.clone(),
            materials: self.materials.clone(),
            meshes: self.meshes.clone(),
            instances,
            fluid: None,
            haze: None,
            fog: self.fog,
            moved: vec![],
            environment: self.lighting.environment.clone(),
            sun: self.lighting.sun,
            exposure_stops: self.lighting.exposure_stops,
        }
    }
}

/// Walls of glass around a tank of this size, about half as high.
fn panes([width, height, depth]: [f32; 3], material: usize) -> Vec<Instance> {
    const THICKNESS: f32 = 0.012;
    const LEFT_OUT: f32 = 0.45;
    let (thick, high) = (THICKNESS * width.max(depth), height * (1.0 - LEFT_OUT));
    let pane = |half: [f32; 3], middle: [f32; 2]| Instance {
        shape: Shape::Box(Vector3::from(half)),
        pose: Similarity3::from_parts(
            Translation3::new(middle[0], 0.5 * high + 1e-3, middle[1]),
            UnitQuaternion::identity(),
            1.0,
        ),
        material,
        tint: [1.0; 3],
        emission: [0.0; 3],
    };
    let (x, z) = (0.5 * (width + thick), 0.5 * (depth + thick));
    let mut panes = Vec::with_capacity(4);
    for side in [-1.0, 1.0] {
        panes.push(pane([0.5 * thick, 0.5 * high, 0.5 * depth], [side * x, 0.0]));
        panes.push(pane([0.5 * width + thick, 0.5 * high, 0.5 * thick], [0.0, side * z]));
    }
    panes
}

fn plain(half: f32) -> Mesh {
    let corner = |x: f32, z: f32| Point3::new(x * half, 0.0, z * half);
    Mesh {
        positions: vec![corner(-1.0, -1.0), corner(-1.0, 1.0), corner(1.0, 1.0), corner(1.0, -1.0)],
        triangles: vec![[0, 1, 2], [0, 2, 3]],
        ..Mesh::default()
    }
}

/// A box with its edges cut, so that they catch the light: three corners for each of the box's, one on each face.
fn bevelled_box(half: [f32; 3]) -> Mesh {
    let least = half[0].min(half[1]).min(half[2]);
    let bevel = least * 0.12;
    let mut mesh = Mesh::default();
    // Corner number 3c + f lies on the face across axis f, at the box's corner c, whose bits are its signs.
    for corner in 0..8_usize {
        for face in 0..3 {
            let at = |axis: usize| {
                let sign = if corner >> axis & 1 == 1 { 1.0 } else { -1.0 };
                sign * (half[axis] - if axis == face { 0.0 } else { bevel })
            };
            mesh.positions.push(Point3::new(at(0), at(1), at(2)));
        }
    }
    let at = |corner: usize, face: usize| (3 * corner + face) as u32;
    // Each polygon is turned outward: its corners lie around a middle that points away from the box's.
    let mut polygon = |corners: &[u32]| {
        let [a, b, c] = [corners[0], corners[1], corners[2]].map(|index| mesh.positions[index as usize]);
        let outward = (b - a).cross(&(c - a)).dot(&(a.coords + b.coords + c.coords)) > 0.0;
        for next in 1..corners.len() - 1 {
            let [p, q, r] = [corners[0], corners[next], corners[next + 1]];
            mesh.triangles.push(if outward { [p, q, r] } else { [p, r, q] });
        }
    };
    for axis in 0..3 {
        let (u, v) = (1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3));
        for side in [0, 1 << axis] {
            polygon(&[at(side, axis), at(side | u, axis), at(side | u | v, axis), at(side | v, axis)]);
        }
        // The edges along this axis, between the faces across the two others.
        for start in [0, u, v, u | v] {
            let (f, g) = ((axis + 1) % 3, (axis + 2) % 3);
            let end = start | 1 << axis;
            polygon(&[at(start, f), at(end, f), at(end, g), at(start, g)]);
        }
    }
    for corner in 0..8 {
        polygon(&[at(corner, 0), at(corner, 1), at(corner, 2)]);
    }
    mesh
}

/// A cylinder of as many sides as the body has, with its rims cut.
fn bevelled_cylinder(half_height: f32, radius: f32) -> Mesh {
    let bevel = half_height.min(radius) * 0.12;
    let rings = [
        (radius - bevel, -half_height),
        (radius, -half_height + bevel),
        (radius, half_height - bevel),
        (radius - bevel, half_height),
    ];
    let sides = CYLINDER_SIDES as u32;
    let mut mesh = Mesh::default();
    for (radius, y) in rings {
        for side in 0..sides {
            let (sin, cos) = libm::sincosf(std::f32::consts::TAU * side as f32 / sides as f32);
            mesh.positions.push(Point3::new(radius * cos, y, -radius * sin));
        }
    }
    for ring in 0..3 {
        for side in 0..sides {
            let next = (side + 1) % sides;
            let [a, b, c, d] =
                [ring * sides + side, ring * sides + next, (ring + 1) * sides + next, (ring + 1) * sides + side];
            mesh.triangles.extend([[a, b, c], [a, c, d]]);
        }
    }
    for side in 1..sides - 1 {
        mesh.triangles.push([0, side + 1, side]);
        mesh.triangles.push([3 * sides, 3 * sides + side, 3 * sides + side + 1]);
    }
    mesh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_closed_and_look_outward() {
        for mesh in [bevelled_box([0.4, 0.1, 0.2]), bevelled_cylinder(0.3, 0.2)] {
            let mut edges = std::collections::BTreeSet::new();
            for triangle in &mesh.triangles {
                let [a, b, c] = triangle.map(|index| mesh.positions[index as usize]);
                assert!((b - a).cross(&(c - a)).dot(&(a - Point3::origin())) > 0.0, "{triangle:?}");
                (0..3).for_each(|i| assert!(edges.insert((triangle[i], triangle[(i + 1) % 3]))));
            }
            assert!(edges.iter().all(|(a, b)| edges.contains(&(*b, *a))));
        }
    }
}
