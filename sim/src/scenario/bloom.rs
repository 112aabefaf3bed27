//! *Bloom*: thousands of standing tiles, each a little larger than the one before, fall outward from a seed. A ball
//! drops among hinged stamens; they open, and the smallest tiles carry the fall to the largest.

use std::sync::Arc;

use nalgebra::{Point3, Quaternion, Similarity3, Translation3, UnitQuaternion, Vector3};
use rapier3d::prelude::{
    ColliderBuilder, Group, InteractionGroups, InteractionTestMode, PhysicsWorld, Pose, RevoluteJointBuilder,
    RigidBodyBuilder, RigidBodyHandle, Rotation, Vector,
};

use super::{Kind, Scenario, Stage};
use crate::{
    genome::{Genome, ParamSpec, TraitSpec, option},
    palette::{Palette, mix, scale},
    scene::{Camera, Instance, Material, Mesh, Rgb, Scene, Shape},
    stage::{LIGHTS, Lighting, PALETTES, placed},
    trajectory::Snapshot,
    world::{Backend, Plan, SimError, World},
};

/// Steps of the world.
const STEPS: u32 = 768;

/// Steps a second.
const RATE: f32 = 192.0;

/// Steps from one snapshot to the next.
const SNAPSHOT_STRIDE: u32 = 4;

/// Steps from one checkpoint to the next.
const CHECKPOINT_STRIDE: u32 = 8;

/// A snapshot's positions are in units of 1/8192.
const POSITION_UNIT: f32 = 8192.0;

/// A snapshot's quaternions are in units of 1/32767.
const ROTATION_UNIT: f32 = 32767.0;

/// Numbers of an element in a snapshot: position (3), rotation (x, y, z, w), the step in which it fell or −1.
const CHANNELS: usize = 8;

/// Radius of the innermost ring of tiles.
const INNER: f32 = 1.0;

/// Spacing along an arm as a share of a tile's height.
const SPACING: f32 = 0.56;

/// Radius of the ring on which the stamens are hinged, their length, and their lean towards the axis, in radians.
const STAMEN: (f32, f32, f32) = (0.47, 0.78, 0.36);

#[derive(Debug)]
pub(super) struct Bloom;

const TRAITS: &[TraitSpec] = &[
    TraitSpec {
        name: "form",
        about: "how the arms run outward",
        options: &[option("sunburst", 24), option("spiral", 34), option("galaxy", 22), option("ripple", 20)],
    },
    TraitSpec {
        name: "tile",
        about: "the shape of a tile",
        options: &[option("petal", 36), option("slab", 28), option("kite", 22), option("fan", 14)],
    },
    TraitSpec {
        name: "footing",
        about: "whether tiles stand free or turn on a hinge",
        options: &[option("free", 64), option("hinged", 36)],
    },
    TraitSpec {
        name: "finish",
        about: "what the tiles are made of",
        options: &[option("lacquer", 40), option("porcelain", 28), option("brushed", 22), option("gilded", 10)],
    },
    TraitSpec { name: "palette", about: "its colours", options: PALETTES },
    TraitSpec { name: "light", about: "how it is lit", options: LIGHTS },
    TraitSpec {
        name: "camera",
        about: "where it is seen from",
        options: &[option("oblique", 50), option("zenith", 30), option("low", 20)],
    },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "arms",
        about: "number of arms",
        unit: "",
        min: 5.0,
        max: 96.0,
        usual: [55.0, 76.0],
        integer: true,
    },
    ParamSpec {
        name: "rings",
        about: "tiles along an arm",
        unit: "",
        min: 2.0,
        max: 80.0,
        usual: [56.0, 66.0],
        integer: true,
    },
    ParamSpec {
        name: "gravity",
        about: "how fast everything falls",
        unit: "units/s²",
        min: 2.0,
        max: 90.0,
        usual: [48.0, 56.0],
        integer: false,
    },
    ParamSpec {
        name: "turn",
        about: "how far the camera travels around the flower",
        unit: "°",
        min: -180.0,
        max: 180.0,
        usual: [-22.0, 22.0],
        integer: false,
    },
];

/// Where a tile stands: the middle of its base, the heading in which it falls (radians from +x towards −z), its size.
#[derive(Debug, Clone, Copy)]
struct Place {
    x: f32,
    z: f32,
    heading: f32,
    size: f32,
}

/// A seed's flower.
struct Flower {
    /// Tile outline for a height of 1: half widths at the foot, the shoulder and the top, and the shoulder's height.
    outline: [f32; 4],
    half_thickness: f32,
    places: Vec<Place>,
    arms: usize,
    /// Radius beyond the last ring.
    reach: f32,
    hinged: bool,
    gravity: f32,
}

impl Flower {
    fn new(genome: &Genome) -> Self {
        let arms = genome.number("arms") as usize;
        let rings = genome.number("rings") as usize;
        let stream = genome.stream("bloom/form");
        // The angle of an arm against the radius.
        let (low, high) = match genome.text("form") {
            "sunburst" => (0.0, 0.0),
            "spiral" => (0.35, 0.62),
            "galaxy" => (0.8, 0.98),
            _ => (0.3, 0.45),
        };
        let side = if stream.unit(0, 1) < 0.5 { -1.0 } else { 1.0 };
        let twist = side * stream.between(0, 0, low, high) as f32;
        let (sin, cos) = libm::sincosf(twist);
        // Every form ends at about the same radius, however many rings there are.
        let reach = 13.0f32;
        let growth = libm::powf(reach / INNER, 1.0 / rings as f32);
        let lobes = if genome.is("form", "ripple") { 3.0 + f32::from(stream.below(0, 2, 4) as u16) } else { 0.0 };
        let mut places = Vec::with_capacity(arms * rings);
        for arm in 0..arms {
            let start = std::f32::consts::TAU * arm as f32 / arms as f32;
            for ring in 0..rings {
                let radius = INNER * libm::powf(growth, ring as f32);
                let swirl = libm::logf(radius) * sin / cos;
                // A ripple's arms swing to and fro instead of turning on.
                let (angle, lean) = if lobes > 0.0 {
                    let phase = libm::logf(radius) * lobes;
                    (start + 0.22 * libm::sinf(phase) * side, libm::atanf(0.22 * side * lobes * libm::cosf(phase)))
                } else {
                    (start + swirl, twist)
                };
                let step = radius * (growth - 1.0) / libm::cosf(lean);
                let (s, c) = libm::sincosf(angle);
                places.push(Place { x: radius * c, z: -radius * s, heading: angle + lean, size: step / SPACING });
            }
        }
        // As wide as the gap between two arms permits where they lean most, for a height of 1.
        let narrowest = if lobes > 0.0 { libm::cosf(libm::atanf(0.22 * lobes)) } else { cos };
        let height = (growth - 1.0) / narrowest / SPACING;
        let half = 0.44 * std::f32::consts::TAU * narrowest / arms as f32 / height;
        let outline = match genome.text("tile") {
            "slab" => [half, half, half, 0.9],
            "kite" => [half * 0.55, half, half * 0.30, 0.55],
            "fan" => [half * 0.55, half * 0.9, half, 0.9],
            _ => [half * 0.8, half, half * 0.62, 0.62],
        };
        Self {
            outline,
            half_thickness: 0.065,
            places,
            arms,
            reach,
            hinged: genome.is("footing", "hinged"),
            // Arms that lean are longer: they fall a little faster, so that every form ends in time.
            gravity: genome.number("gravity") as f32 / cos,
        }
    }

    fn stamen_radius(&self) -> f32 {
        let (ring, length, lean) = STAMEN;
        let tips = ring - length * libm::sinf(lean);
        (0.7 * std::f32::consts::PI * tips / self.arms as f32).min(0.03)
    }

    fn ball_radius() -> f32 {
        0.36
    }

    /// Tiles, then stamens, then the ball.
    fn elements(&self) -> usize {
        self.places.len() + self.arms + 1
    }

    /// The tile for a height of 1, standing on the origin, facing +x: its corners, without bevels.
    fn corners(&self) -> Vec<[f32; 3]> {
        let [foot, shoulder, top, at] = self.outline;
        let mut corners = Vec::new();
        for x in [-self.half_thickness, self.half_thickness] {
            for (y, half) in [(0.0, foot), (at, shoulder), (1.0, top)] {
                corners.extend([[x, y, -half], [x, y, half]]);
            }
        }
        corners
    }
}

/// Triangles over [`Flower::corners`], counter-clockwise from outside.
const TILE: [[u32; 3]; 20] = [
    // Back (x < 0), then front.
    [0, 1, 3],
    [0, 3, 2],
    [2, 3, 5],
    [2, 5, 4],
    [6, 9, 7],
    [6, 8, 9],
    [8, 11, 9],
    [8, 10, 11],
    // Foot and top.
    [0, 6, 7],
    [0, 7, 1],
    [4, 5, 11],
    [4, 11, 10],
    // Sides: −z, then +z.
    [0, 2, 8],
    [0, 8, 6],
    [2, 4, 10],
    [2, 10, 8],
    [1, 7, 9],
    [1, 9, 3],
    [3, 9, 11],
    [3, 11, 5],
];

fn tile_pose(place: &Place, tilt: f32) -> Pose {
    // Turned about y so that +x points along the heading, then tipped about its own z.
    let rotation = Rotation::from_xyzw(0.0, libm::sinf(place.heading / 2.0), 0.0, libm::cosf(place.heading / 2.0))
        * Rotation::from_xyzw(0.0, 0.0, libm::sinf(tilt / 2.0), libm::cosf(tilt / 2.0));
    Pose::from_parts(Vector::new(place.x, 0.0, place.z), rotation)
}

impl Scenario for Bloom {
    fn name(&self) -> &'static str {
        "bloom"
    }

    fn version(&self) -> u32 {
        1
    }

    fn kind(&self) -> Kind {
        Kind::Rigid
    }

    fn about(&self) -> &'static str {
        "A ball drops on a flower of standing tiles, and the smallest fells the largest"
    }

    fn traits(&self) -> &'static [TraitSpec] {
        TRAITS
    }

    fn params(&self) -> &'static [ParamSpec] {
        PARAMS
    }

    fn poster_time(&self) -> f64 {
        0.62
    }

    fn plan(&self, genome: &Genome) -> Plan {
        Plan {
            steps: STEPS,
            snapshot_every: SNAPSHOT_STRIDE,
            checkpoint_every: CHECKPOINT_STRIDE,
            elements: Flower::new(genome).elements(),
            channels: CHANNELS,
        }
    }

    fn world(&self, genome: &Genome, _: Backend) -> Result<Box<dyn World>, SimError> {
        Ok(Box::new(BloomWorld::new(&Flower::new(genome))?))
    }

    fn stage(&self, genome: &Genome) -> Box<dyn Stage> {
        Box::new(BloomStage::new(genome))
    }
}

struct BloomWorld {
    physics: PhysicsWorld,
    bodies: Vec<RigidBodyHandle>,
    /// Directions that point up in a body that still stands.
    fallen: Vec<i32>,
    tiles: usize,
    step: u32,
}

impl BloomWorld {
    fn new(flower: &Flower) -> Result<Self, SimError> {
        let mut physics = PhysicsWorld::new();
        physics.gravity = Vector::new(0.0, -flower.gravity, 0.0);
        physics.integration_parameters.dt = 1.0 / RATE;
        // The tiles that start the fall are a tenth of a unit high.
        physics.integration_parameters.length_unit = 0.1;
        let groups = |own: Group, others: Group| InteractionGroups::new(own, others, InteractionTestMode::And);
        let (floor_group, tile_group, stamen_group) = (Group::GROUP_1, Group::GROUP_2, Group::GROUP_3);
        let floor = physics.insert_body(RigidBodyBuilder::fixed().translation(Vector::new(0.0, -1.0, 0.0)));
        physics.insert_collider(
            ColliderBuilder::cuboid(60.0, 1.0, 60.0).friction(0.9).collision_groups(groups(floor_group, Group::ALL)),
            Some(floor),
        );
        let mut bodies = Vec::with_capacity(flower.elements());
        for place in &flower.places {
            let body = physics.insert_body(RigidBodyBuilder::dynamic().pose(tile_pose(place, 0.0)).sleeping(true));
            let corner = |c: [f32; 3]| Vector::new(c[0] * place.size, c[1] * place.size, c[2] * place.size);
            let collider = ColliderBuilder::convex_mesh(flower.corners().into_iter().map(corner).collect(), &TILE)
                .ok_or_else(|| SimError::Rigid("a tile is not convex".into()))?
                .friction(0.35)
                .restitution(0.0)
                .density(1.0)
                .collision_groups(groups(tile_group, Group::ALL));
            physics.insert_collider(collider, Some(body));
            if flower.hinged {
                let foot = Vector::new(flower.half_thickness * place.size, 0.0, 0.0);
                let pose = tile_pose(place, 0.0);
                let joint = RevoluteJointBuilder::new(Vector::Z)
                    .contacts_enabled(true)
                    .local_anchor1(pose * foot - Vector::new(0.0, -1.0, 0.0))
                    .local_anchor2(foot);
                let mut joint = joint.build().data;
                // The floor's own frame is turned with the tile, so that the hinge runs across its fall.
                joint.local_frame1.rotation = pose.rotation * joint.local_frame2.rotation;
                physics.insert_impulse_joint(floor, body, joint);
            }
            bodies.push(body);
        }
        let (ring, length, lean) = STAMEN;
        let radius = flower.stamen_radius();
        for arm in 0..flower.arms {
            // The tiles of an arm begin at this angle.
            let place = flower.places[arm * (flower.places.len() / flower.arms)];
            let angle = libm::atan2f(-place.z, place.x);
            let (s, c) = libm::sincosf(angle);
            let foot = Place { x: ring * c, z: -ring * s, heading: angle, size: 1.0 };
            let mut pose = tile_pose(&foot, lean);
            pose.translation.y = radius;
            let body = physics.insert_body(RigidBodyBuilder::dynamic().pose(pose));
            let collider = ColliderBuilder::capsule_from_endpoints(
                Vector::new(0.0, radius, 0.0),
                Vector::new(0.0, length, 0.0),
                radius,
            );
            physics.insert_collider(
                collider.density(1.5).friction(0.1).collision_groups(groups(stamen_group, Group::ALL ^ stamen_group)),
                Some(body),
            );
            // Falls outward from where it leans; cannot lean further in.
            let mut joint = RevoluteJointBuilder::new(Vector::Z)
                .contacts_enabled(false)
                .local_anchor1(pose.translation - Vector::new(0.0, -1.0, 0.0))
                .local_anchor2(Vector::ZERO)
                .limits([-std::f32::consts::FRAC_PI_2 - lean, 0.0])
                .build()
                .data;
            joint.local_frame1.rotation = pose.rotation * joint.local_frame2.rotation;
            physics.insert_impulse_joint(floor, body, joint);
            bodies.push(body);
        }
        let ball = physics.insert_body(
            RigidBodyBuilder::dynamic().translation(Vector::new(0.0, 1.5, 0.0)).linvel(Vector::new(0.0, -1.0, 0.0)),
        );
        physics.insert_collider(
            ColliderBuilder::ball(Flower::ball_radius())
                .density(30.0)
                .friction(0.2)
                .collision_groups(groups(Group::GROUP_4, Group::ALL)),
            Some(ball),
        );
        bodies.push(ball);
        let tiles = flower.places.len();
        Ok(Self { physics, fallen: vec![-1; bodies.len()], bodies, tiles, step: 0 })
    }
}

impl World for BloomWorld {
    fn advance(&mut self, steps: u32) -> Result<(), SimError> {
        for _ in 0..steps {
            self.physics.step();
            self.step += 1;
            for (index, handle) in self.bodies[..self.tiles].iter().enumerate() {
                let body = &self.physics.bodies[*handle];
                if self.fallen[index] < 0 && !body.is_sleeping() && (*body.rotation() * Vector::Y).y < 0.94 {
                    self.fallen[index] = self.step as i32;
                }
            }
        }
        let finite = |handle: &RigidBodyHandle| {
            let body = &self.physics.bodies[*handle];
            body.translation().is_finite() && body.linvel().is_finite()
        };
        match self.bodies.iter().position(|handle| !finite(handle)) {
            Some(body) => Err(SimError::NotFinite { body, step: self.step }),
            None => Ok(()),
        }
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>, SimError> {
        postcard::to_allocvec(&(self.step, &self.fallen, &self.bodies, &self.physics))
            .map_err(|error| SimError::Rigid(error.to_string()))
    }

    fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        let count = self.bodies.len();
        let mut snapshot = vec![0; count * CHANNELS];
        for (index, handle) in self.bodies.iter().enumerate() {
            let body = &self.physics.bodies[*handle];
            let (place, turn) = (body.translation(), body.rotation());
            // q and −q are one rotation: the one with a positive scalar part keeps the differences small.
            let sign = if turn.w < 0.0 { -1.0 } else { 1.0 };
            let numbers = [
                place.x * POSITION_UNIT,
                place.y * POSITION_UNIT,
                place.z * POSITION_UNIT,
                turn.x * sign * ROTATION_UNIT,
                turn.y * sign * ROTATION_UNIT,
                turn.z * sign * ROTATION_UNIT,
                turn.w * sign * ROTATION_UNIT,
            ];
            for (channel, number) in numbers.iter().enumerate() {
                snapshot[channel * count + index] = number.round() as i32;
            }
            snapshot[7 * count + index] = self.fallen[index];
        }
        Ok(snapshot)
    }

    fn backend(&self) -> String {
        "cpu".into()
    }
}

struct BloomStage {
    palette: &'static Palette,
    lighting: Lighting,
    tile: Arc<Mesh>,
    floor: Arc<Mesh>,
    tile_material: Material,
    sizes: Vec<f32>,
    arms: usize,
    stamen: f32,
    reach: f32,
    camera: (f32, f32),
    turn: f32,
}

impl BloomStage {
    fn new(genome: &Genome) -> Self {
        let flower = Flower::new(genome);
        let palette = Palette::named(genome.text("palette"));
        let (elevation, distance) = match genome.text("camera") {
            "zenith" => (1.42, 3.7),
            "low" => (0.6, 3.75),
            _ => (0.86, 3.8),
        };
        Self {
            palette,
            lighting: Lighting::new(genome.text("light"), palette, Point3::origin(), flower.reach),
            tile: Arc::new(bevelled(&flower)),
            floor: Arc::new(floor(flower.reach * 12.0)),
            tile_material: finish(genome.text("finish")),
            sizes: flower.places.iter().map(|p| p.size).collect(),
            arms: flower.arms,
            stamen: flower.stamen_radius(),
            reach: flower.reach,
            camera: (elevation, distance),
            turn: genome.number("turn") as f32 * (std::f32::consts::PI / 180.0),
        }
    }

    fn tint(&self, fallen: f32, step: f32) -> Rgb {
        let standing = scale(mix(self.palette.ground, self.palette.colors[1], 0.65), 0.85);
        if fallen < 0.0 {
            return standing;
        }
        // A tile takes on the colour of the time at which it fell, over a quarter of a second.
        let age = ((step - fallen) / (RATE * 0.25)).clamp(0.0, 1.0);
        mix(standing, self.palette.ramp(fallen / (STEPS as f32 * 0.82)), age * age * (3.0 - 2.0 * age))
    }
}

fn finish(name: &str) -> Material {
    match name {
        "porcelain" => Material { roughness: 0.22, ..Material::default() },
        "brushed" => Material { metallic: 0.85, roughness: 0.34, ..Material::default() },
        "gilded" => Material { metallic: 1.0, roughness: 0.2, ..Material::default() },
        _ => Material { roughness: 0.5, coat: 1.0, coat_roughness: 0.06, ..Material::default() },
    }
}

/// The tile for a height of 1 with its edges cut, so that they catch the light: the hull of the corners of three
/// shrunken copies, each short by a bevel along two axes.
fn bevelled(flower: &Flower) -> Mesh {
    let [foot, shoulder, top, at] = flower.outline;
    let (x, b) = (flower.half_thickness, flower.half_thickness * 0.45);
    // The outline, counter-clockwise in (z, y) seen from +x looking back, and the same drawn in by the bevel.
    let outer = [[foot, 0.0], [shoulder, at], [top, 1.0], [-top, 1.0], [-shoulder, at], [-foot, 0.0]];
    let inner = outer.map(|[z, y]| {
        let z = if z > 0.0 { z - b } else { z + b };
        [
            z,
            if y == 0.0 {
                b
            } else if y == 1.0 {
                1.0 - b
            } else {
                y
            },
        ]
    });
    let layers = [(-x, inner), (-x + b, outer), (x - b, outer), (x, inner)];
    let mut mesh = Mesh::default();
    for (x, outline) in layers {
        mesh.positions.extend(outline.iter().map(|[z, y]| Point3::new(x, *y, *z)));
    }
    for layer in 0..3u32 {
        for side in 0..6u32 {
            let next = (side + 1) % 6;
            let [a, b, c, d] = [layer * 6 + side, layer * 6 + next, layer * 6 + 6 + side, layer * 6 + 6 + next];
            mesh.triangles.extend([[a, c, d], [a, d, b]]);
        }
    }
    // Fans around a shoulder, so that no triangle of a straight-sided tile is empty.
    for corner in 2..6u32 {
        let next = (corner + 1) % 6;
        mesh.triangles.push([1, corner, next]);
        mesh.triangles.push([19, 18 + next, 18 + corner]);
    }
    mesh
}

fn floor(half: f32) -> Mesh {
    let corner = |x: f32, z: f32| Point3::new(x * half, 0.0, z * half);
    Mesh {
        positions: vec![corner(-1.0, -1.0), corner(-1.0, 1.0), corner(1.0, 1.0), corner(1.0, -1.0)],
        triangles: vec![[0, 1, 2], [0, 2, 3]],
        ..Mesh::default()
    }
}

impl Stage for BloomStage {
    fn scene(&self, time: f64, values: &[f32], rates: &[f32]) -> Scene {
        let count = self.sizes.len() + self.arms + 1;
        let value = |channel: usize, index: usize| values[channel * count + index];
        let step = time as f32 * STEPS as f32;
        let instance = |index: usize, shape: Shape, offset: Vector3<f32>, size: f32, material: usize, tint: Rgb| {
            let place = [0, 1, 2].map(|c| value(c, index) / POSITION_UNIT);
            let turn = [3, 4, 5, 6].map(|c| value(c, index) / ROTATION_UNIT);
            let rotation = UnitQuaternion::from_quaternion(Quaternion::new(turn[3], turn[0], turn[1], turn[2]));
            let place = Vector3::from(place) + rotation * offset;
            // How fast it turns, roughly, in radians from one snapshot to the next.
            let spin: f32 = [3, 4, 5, 6].map(|c| (rates[c * count + index] / ROTATION_UNIT).abs()).iter().sum();
            let heat = ((spin - 0.02) * 9.0).clamp(0.0, 1.0);
            let glow = if index < self.sizes.len() { heat * heat * 0.35 } else { 0.0 };
            Instance {
                shape,
                pose: Similarity3::from_parts(Translation3::from(place), rotation, size),
                material,
                tint,
                emission: scale(self.palette.accent, glow),
            }
        };
        let mut instances = vec![placed(1, 1)];
        for (index, size) in self.sizes.iter().enumerate() {
            let tint = self.tint(value(7, index), step);
            instances.push(instance(index, Shape::Mesh(0), Vector3::zeros(), *size, 0, tint));
        }
        let (_, length, _) = STAMEN;
        for index in self.sizes.len()..self.sizes.len() + self.arms {
            let half_height = (length - self.stamen) / 2.0;
            let shape = Shape::Capsule { half_height, radius: self.stamen };
            let offset = Vector3::y() * (half_height + self.stamen);
            instances.push(instance(index, shape, offset, 1.0, 2, [1.0; 3]));
        }
        let ball = Shape::Sphere(Flower::ball_radius());
        instances.push(instance(count - 1, ball, Vector3::zeros(), 1.0, 2, [1.0; 3]));

        let (elevation, distance) = self.camera;
        // Draws back a little as the fall grows.
        let ease = {
            let t = time as f32;
            t * t * (3.0 - 2.0 * t)
        };
        let distance = distance * self.reach * (0.93 + 0.07 * ease);
        let (sin, cos) = libm::sincosf(self.turn * (time as f32 - 0.5));
        let (rise, run) = libm::sincosf(elevation);
        let target = Point3::new(0.0, 0.0, self.reach * 0.06 * run);
        let gold = Material { base_color: self.palette.accent, metallic: 1.0, roughness: 0.18, ..Material::default() };
        let paper = Material { base_color: scale(self.palette.ground, 0.85), roughness: 0.5, ..Material::default() };
        Scene {
            camera: Camera {
                eye: target + Vector3::new(sin * run, rise, cos * run) * distance,
                target,
                up: if elevation > 1.3 { Vector3::new(-sin, 0.0, -cos) } else { Vector3::y() },
                vertical_fov: 0.62,
                lens_radius: 0.05,
                focus_distance: distance,
            },
            sky: self.lighting.sky,
            lights: self.lighting.lights.clone(),
            materials: vec![self.tile_material, paper, gold],
            meshes: vec![self.tile.clone(), self.floor.clone()],
            instances,
            fluid: None,
            exposure_stops: self.lighting.exposure_stops,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seed, world};

    fn flower() -> Flower {
        let genome = Genome::resolve(&Seed::from(3), &Default::default(), TRAITS, PARAMS).unwrap();
        Flower::new(&genome)
    }

    /// Every triangle of a closed convex mesh looks away from the middle.
    fn faces_outward(positions: &[Point3<f32>], triangles: &[[u32; 3]], middle: Point3<f32>) {
        for triangle in triangles {
            let [a, b, c] = triangle.map(|i| positions[i as usize]);
            let normal = (b - a).cross(&(c - a));
            assert!(normal.dot(&(a - middle)) > 0.0, "{triangle:?}");
        }
    }

    #[test]
    fn tiles_face_outward() {
        let flower = flower();
        let middle = Point3::new(0.0, 0.5, 0.0);
        let corners: Vec<_> = flower.corners().into_iter().map(Point3::from).collect();
        faces_outward(&corners, &TILE, middle);
        let mesh = bevelled(&flower);
        faces_outward(&mesh.positions, &mesh.triangles, middle);
    }

    #[test]
    fn tiles_do_not_overlap_at_the_start() {
        let flower = flower();
        let mut world = BloomWorld::new(&flower).unwrap();
        world.physics.step();
        for pair in world.physics.contact_pairs() {
            for manifold in pair.manifolds() {
                for point in &manifold.points {
                    assert!(point.dist > -0.02, "{} deep", point.dist);
                }
            }
        }
    }

    #[test]
    fn most_tiles_of_any_seed_fall() {
        for seed in 0..2 {
            let mut recipe = crate::Recipe::new("bloom@1", Seed::from(seed), crate::Film::DRAFT).unwrap();
            recipe.params.insert("arms".into(), crate::recipe::ParamValue::Number(20.0));
            recipe.params.insert("rings".into(), crate::recipe::ParamValue::Number(12.0));
            let run = world::simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
            let last = run.trajectory.snapshot(run.trajectory.snapshots() - 1).unwrap();
            let count = run.trajectory.elements();
            let fallen = last[7 * count..7 * count + 240].iter().filter(|step| **step >= 0).count();
            assert!(fallen > 225, "seed {seed}: {fallen} of 240");
        }
    }
}
