//! What a seed makes of a scene: every body, joint, particle and force, as plain numbers.

use nalgebra::{Quaternion, UnitQuaternion, Vector3};

use super::{
    blueprint::Blueprint,
    bodies::{DrawnShape, Spot, places},
    forces::Force,
    joints::{Joined, JointKind},
    matter::{Block, BlockShape, Emitter, MAX_PARTICLES, Mouth, Tank},
    mesh::{EmbeddedMesh, Triangles},
    quantity::{When, Word, fixed, values},
};
use crate::genome::Genome;

/// A scene at its first step. A pure function of the scene, the seed and the overrides.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Steps from the first state to the last.
    pub steps: u32,
    /// Steps a second.
    pub rate: u32,
    /// m/s².
    pub gravity: [f32; 3],
    /// Fields of force, which add up.
    pub forces: Vec<Force>,
    /// Friction and restitution of a floor without end at y = 0.
    pub ground: Option<[f32; 2]>,
    /// What matter is in.
    pub tank: Option<Tank>,
    /// Bodies, group by group.
    pub bodies: Vec<Body>,
    /// Joints.
    pub joints: Vec<JointLayout>,
    /// Particles, in the order of their birth steps; those of the first step come first.
    pub particles: Vec<Particle>,
}

/// A body at the first step.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Its group, in the order of the scene, and its place in it.
    pub group: usize,
    /// Its place in the group.
    pub index: u32,
    /// Its shape, around its own origin.
    pub shape: BodyShape,
    /// Metres.
    pub position: [f32; 3],
    /// x, y, z, w, of length 1.
    pub rotation: [f32; 4],
    /// m/s.
    pub velocity: [f32; 3],
    /// rad/s.
    pub spin: [f32; 3],
    /// kg/m³.
    pub density: f32,
    /// Coulomb's coefficient.
    pub friction: f32,
    /// 0 to 1.
    pub restitution: f32,
    /// Whether it never moves.
    pub fixed: bool,
    /// Whether it sleeps until something touches it.
    pub asleep: bool,
}

/// The shape of a body, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BodyShape {
    /// Radius.
    Ball(f32),
    /// Along y.
    Capsule {
        /// From the middle to the centre of either cap.
        half_height: f32,
        /// Radius.
        radius: f32,
    },
    /// Half edges.
    Box([f32; 3]),
    /// Along y, with [`CYLINDER_SIDES`] sides.
    Cylinder {
        /// Half the height.
        half_height: f32,
        /// Of its corners.
        radius: f32,
    },
    /// The scene's mesh of that number.
    Mesh {
        /// Which.
        mesh: usize,
        /// Factor on its lengths.
        scale: f32,
    },
}

/// Sides of a cylinder, which is a convex body like any other.
pub const CYLINDER_SIDES: usize = 24;

/// A joint at the first step, in world coordinates.
#[derive(Debug, Clone, PartialEq)]
pub struct JointLayout {
    /// What it leaves free.
    pub kind: JointKind,
    /// The bodies that it joins; `None` is the ground.
    pub bodies: [Option<usize>; 2],
    /// Where it joins them, metres.
    pub anchor: [f32; 3],
    /// Of length 1, for hinges and sliders.
    pub axis: [f32; 3],
    /// Radians or metres.
    pub limits: Option<[f32; 2]>,
    /// Whether the two collide.
    pub contacts: bool,
}

/// A particle where it comes into the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Particle {
    /// Metres.
    pub position: [f32; 3],
    /// m/s.
    pub velocity: [f32; 3],
    /// Which of the scene's materials, in the order of their names.
    pub material: u8,
    /// The step at which it appears.
    pub birth: u32,
}

impl Layout {
    /// What `genome` makes of a scene.
    #[must_use]
    pub fn new(scene: &Blueprint, genome: &Genome) -> Self {
        let (bodies, spots) = bodies(scene, genome);
        let ground = scene.ground.as_ref();
        let tank = scene.tank.as_ref().map(|basin| basin.fix(genome));
        Self {
            steps: scene.time.steps(),
            rate: scene.time.rate,
            gravity: values(&scene.gravity, genome).map(|x| x as f32),
            forces: scene.forces.iter().map(|force| force.fix(genome, &scene.time)).collect(),
            ground: ground.map(|g| [g.friction.value(genome) as f32, g.restitution.value(genome) as f32]),
            joints: joints(scene, genome, &bodies, &spots),
            bodies,
            particles: tank.map_or_else(Vec::new, |tank| particles(scene, &tank, genome)),
            tank,
        }
    }
}

impl Body {
    /// How its own space stands in the world's.
    #[must_use]
    pub fn turn(&self) -> UnitQuaternion<f32> {
        let [x, y, z, w] = self.rotation;
        UnitQuaternion::new_unchecked(Quaternion::new(w, x, y, z))
    }
}

impl BodyShape {
    /// From the lowest point to the origin, as long as it is not turned, metres.
    fn foot(&self, scene: &Blueprint) -> f32 {
        match *self {
            Self::Ball(radius) => radius,
            Self::Capsule { half_height, radius } => half_height + radius,
            Self::Box([_, y, _]) => y,
            Self::Cylinder { half_height, .. } => half_height,
            Self::Mesh { mesh, scale } => -scale * scene.meshes[mesh].1.low[1],
        }
    }

    /// From the origin to the farthest point, roughly, metres.
    #[must_use]
    pub fn reach(&self, scene: &Blueprint) -> f32 {
        match *self {
            Self::Ball(radius) => radius,
            Self::Capsule { half_height, radius } => half_height + radius,
            Self::Box([x, y, z]) => (x * x + y * y + z * z).sqrt(),
            Self::Cylinder { half_height, radius } => (half_height * half_height + radius * radius).sqrt(),
            Self::Mesh { mesh, scale } => {
                let high = scene.meshes[mesh].1.high;
                scale * (high[0] * high[0] + high[1] * high[1] + high[2] * high[2]).sqrt()
            }
        }
    }
}

fn bodies(scene: &Blueprint, genome: &Genome) -> (Vec<Body>, Vec<Vec<Spot>>) {
    let mut bodies = Vec::new();
    let mut all_spots = Vec::new();
    for (number, group) in scene.bodies.iter().enumerate() {
        let drawn = group.fix(genome);
        let there = When::holds(group.when.as_ref(), genome);
        let spots = if there { group.arrange.spots(genome, &group.path) } else { Vec::new() };
        for (index, spot) in spots.iter().enumerate() {
            let at = index as u64;
            let mut position: [f32; 3] = std::array::from_fn(|i| (drawn.position[i].at(at) + spot.offset[i]) as f32);
            let half = |drawn: &super::quantity::Drawn| (drawn.at(at) * 0.5) as f32;
            let shape = match &drawn.shape {
                DrawnShape::Ball(radius) => BodyShape::Ball(radius.at(at) as f32),
                DrawnShape::Capsule([radius, length]) => {
                    BodyShape::Capsule { half_height: half(length), radius: radius.at(at) as f32 }
                }
                DrawnShape::Box(edges) => BodyShape::Box(edges.each_ref().map(half)),
                DrawnShape::Cylinder([radius, height]) => {
                    BodyShape::Cylinder { half_height: half(height), radius: radius.at(at) as f32 }
                }
                DrawnShape::Mesh(mesh, scale) => BodyShape::Mesh { mesh: *mesh, scale: scale.at(at) as f32 },
            };
            if group.stands {
                position[1] += shape.foot(scene);
            }
            bodies.push(Body {
                group: number,
                index: index as u32,
                shape,
                position,
                rotation: rotation(spot.heading, drawn.turn.each_ref().map(|angle| angle.at(at))),
                velocity: drawn.velocity.each_ref().map(|v| v.at(at) as f32),
                spin: drawn.spin.each_ref().map(|v| v.at(at) as f32),
                density: drawn.density.at(at) as f32,
                friction: drawn.friction.at(at) as f32,
                restitution: drawn.restitution.at(at) as f32,
                fixed: group.fixed,
                asleep: group.asleep,
            });
        }
        all_spots.push(spots);
    }
    (bodies, all_spots)
}

/// About z first, then x, then y (degrees), then by `heading` about y (radians).
fn rotation(heading: f64, [x, y, z]: [f64; 3]) -> [f32; 4] {
    let about = |axis: usize, angle: f64| {
        let (sin, cos) = libm::sincos(angle * 0.5);
        let mut vector = [0.0; 3];
        vector[axis] = sin;
        Quaternion::new(cos, vector[0], vector[1], vector[2])
    };
    const DEGREE: f64 = std::f64::consts::PI / 180.0;
    let q = about(1, heading) * about(1, y * DEGREE) * about(0, x * DEGREE) * about(2, z * DEGREE);
    let length = (q.i * q.i + q.j * q.j + q.k * q.k + q.w * q.w).sqrt();
    [q.i, q.j, q.k, q.w].map(|part| (part / length) as f32)
}

fn joints(scene: &Blueprint, genome: &Genome, bodies: &[Body], spots: &[Vec<Spot>]) -> Vec<JointLayout> {
    let first: Vec<usize> = spots
        .iter()
        .scan(0, |next, spots| {
            let first = *next;
            *next += spots.len();
            Some(first)
        })
        .collect();
    let middle = |a: [f32; 3], b: [f32; 3]| -> [f32; 3] { std::array::from_fn(|i| (a[i] + b[i]) * 0.5) };
    let mut out = Vec::new();
    for joint in &scene.joints {
        let mut push = |bodies: [Option<usize>; 2], anchor: [f32; 3]| {
            out.push(JointLayout {
                kind: joint.kind,
                bodies,
                anchor,
                axis: joint.axis.map(|x| x as f32),
                limits: joint.limits.map(|limits| limits.map(|x| x as f32)),
                contacts: joint.contacts,
            });
        };
        match &joint.of {
            Joined::Two { ends, at } => {
                let ends = ends.map(|end| end.map(|(group, index)| first[group] + index as usize));
                let place = |end: Option<usize>| end.map(|body| bodies[body].position);
                let anchor = match (at, place(ends[0]), place(ends[1])) {
                    (Some(at), ..) => values(at, genome).map(|x| x as f32),
                    (None, Some(a), Some(b)) => middle(a, b),
                    (None, Some(only), None) | (None, None, Some(only)) => only,
                    (None, None, None) => [0.0; 3],
                };
                push(ends, anchor);
            }
            Joined::Chain { group, axis, hang } => {
                for (index, spot) in spots[*group].iter().enumerate() {
                    let body = first[*group] + index;
                    let here = bodies[body].position;
                    if let Some(before) = spot.before[*axis] {
                        let before = first[*group] + before as usize;
                        push([Some(before), Some(body)], middle(bodies[before].position, here));
                    } else if *hang {
                        // As far before the first as the next joint is after it.
                        let next = spots[*group].iter().position(|other| other.before[*axis] == Some(index as u32));
                        let anchor = next.map_or(here, |next| {
                            let next = bodies[first[*group] + next].position;
                            std::array::from_fn(|i| here[i] - (next[i] - here[i]) * 0.5)
                        });
                        push([None, Some(body)], anchor);
                    }
                }
            }
        }
    }
    out
}

fn particles(scene: &Blueprint, tank: &Tank, genome: &Genome) -> Vec<Particle> {
    let there = |when: &Option<When>| When::holds(when.as_ref(), genome);
    let mut particles = Vec::new();
    for block in scene.matter.iter().filter(|block| there(&block.when)) {
        fill(scene, block, genome, tank.spacing(), &mut particles);
    }
    for emitter in scene.emitters.iter().filter(|emitter| there(&emitter.when)) {
        emit(scene, emitter, tank, genome, &mut particles);
    }
    // Stable, so that particles of one step keep the order of the file.
    particles.sort_by_key(|particle| particle.birth);
    particles.truncate(MAX_PARTICLES);
    particles
}

/// The number of a material, in the order of their names.
fn material(scene: &Blueprint, name: &Word, genome: &Genome) -> u8 {
    let name = name.value(genome);
    scene.materials.iter().position(|(other, _)| other == name).unwrap_or(0) as u8
}

/// A grid of points for each of a block's places, moved a little by chance, as far as it lies in the block.
fn fill(scene: &Blueprint, block: &Block, genome: &Genome, spacing: f64, out: &mut Vec<Particle>) {
    let position = fixed(&block.position, genome);
    let velocity = fixed(&block.velocity, genome);
    let stream = genome.stream(&format!("scene/{}", block.path));
    let material = material(scene, &block.material, genome);
    let mut element = 0_u64;
    for (index, spot) in block.arrange.spots(genome, &block.path).iter().enumerate() {
        let center: [f64; 3] = std::array::from_fn(|axis| position[axis].at(index as u64) + spot.offset[axis]);
        let solid = Solid::of(scene, block, genome, index as u64);
        let (low, high) = solid.bounds();
        let counts: [u32; 3] = std::array::from_fn(|i| ((high[i] - low[i]) / spacing).round().max(1.0) as u32);
        let step: [f64; 3] = std::array::from_fn(|i| (high[i] - low[i]) / f64::from(counts[i]));
        for [i, j, k] in places(counts) {
            let words = stream.words(element, 0);
            element += 1;
            let at: [f64; 3] = std::array::from_fn(|axis| {
                let jitter = (f64::from(words[axis]) / 4_294_967_296.0 - 0.5) * 0.5;
                low[axis] + (f64::from([i, j, k][axis]) + 0.5 + jitter) * step[axis]
            });
            if out.len() < MAX_PARTICLES && solid.holds(at) {
                out.push(Particle {
                    position: std::array::from_fn(|axis| (center[axis] + at[axis]) as f32),
                    velocity: velocity.each_ref().map(|v| v.at(element) as f32),
                    material,
                    birth: 0,
                });
            }
        }
    }
}

/// The inside of one of a block's places, around its middle.
enum Solid<'a> {
    /// Half edges.
    Box([f64; 3]),
    Ball(f64),
    /// For each convex piece, the planes of its faces: outward normals and offsets. The mesh, and its scale.
    Pieces(Vec<Vec<(Vector3<f64>, f64)>>, &'a EmbeddedMesh, f64),
}

impl<'a> Solid<'a> {
    fn of(scene: &'a Blueprint, block: &Block, genome: &Genome, index: u64) -> Self {
        match &block.shape {
            BlockShape::Box(edges) => Self::Box(fixed(edges, genome).map(|edge| edge.at(index) * 0.5)),
            BlockShape::Ball(radius) => Self::Ball(radius.fix(genome).at(index)),
            BlockShape::Mesh(mesh, scale) => {
                let planes = |piece: &Triangles| {
                    let plane = |face: &[u16; 3]| {
                        let [a, b, c] = piece.face(*face);
                        let normal = (b - a).cross(&(c - a));
                        (normal, normal.dot(&a))
                    };
                    piece.faces.iter().map(plane).collect()
                };
                let mesh = &scene.meshes[*mesh].1;
                Self::Pieces(mesh.pieces.iter().map(planes).collect(), mesh, scale.fix(genome).at(index))
            }
        }
    }

    /// The corners of the box around it.
    fn bounds(&self) -> ([f64; 3], [f64; 3]) {
        match self {
            Self::Box(half) => (half.map(|x| -x), *half),
            Self::Ball(radius) => ([-radius; 3], [*radius; 3]),
            Self::Pieces(_, mesh, scale) => {
                (mesh.low.map(|x| f64::from(x) * scale), mesh.high.map(|x| f64::from(x) * scale))
            }
        }
    }

    fn holds(&self, at: [f64; 3]) -> bool {
        match self {
            Self::Box(_) => true,
            Self::Ball(radius) => at.iter().map(|x| x * x).sum::<f64>() <= radius * radius,
            Self::Pieces(pieces, _, scale) => {
                let at = Vector3::from(at) / *scale;
                pieces.iter().any(|planes| planes.iter().all(|(normal, offset)| normal.dot(&at) <= *offset))
            }
        }
    }
}

fn emit(scene: &Blueprint, emitter: &Emitter, tank: &Tank, genome: &Genome, out: &mut Vec<Particle>) {
    let (steps, rate) = (scene.time.steps(), emitter.rate(tank, genome));
    let material = material(scene, &emitter.material, genome);
    let center = values(&emitter.position, genome);
    let velocity = fixed(&emitter.velocity, genome);
    let stream = genome.stream(&format!("scene/{}", emitter.path));
    let count = (rate * (emitter.until - emitter.from)).ceil() as u64;
    // Two directions across the jet.
    let along = Vector3::from(velocity.each_ref().map(|v| v.at(0)));
    let along = along.try_normalize(1e-9).unwrap_or_else(Vector3::y);
    let other = if along.y.abs() < 0.9 { Vector3::y() } else { Vector3::x() };
    let u = along.cross(&other).normalize();
    let v = along.cross(&u);
    for element in 0..count {
        let birth = ((emitter.from + element as f64 / rate) * f64::from(scene.time.rate)).round();
        if out.len() >= MAX_PARTICLES || birth > f64::from(steps) {
            return;
        }
        let unit = |draw: u32| stream.unit(element, draw);
        let offset = match &emitter.mouth {
            Mouth::Box(edges) => {
                let edges = values(edges, genome);
                Vector3::new((unit(0) - 0.5) * edges[0], (unit(1) - 0.5) * edges[1], (unit(2) - 0.5) * edges[2])
            }
            Mouth::Disc(radius) => {
                let distance = radius.value(genome) * unit(0).sqrt();
                let (sin, cos) = libm::sincos(std::f64::consts::TAU * unit(1));
                (u * cos + v * sin) * distance
            }
        };
        out.push(Particle {
            position: std::array::from_fn(|axis| (center[axis] + offset[axis]) as f32),
            velocity: velocity.each_ref().map(|v| v.at(element) as f32),
            material,
            birth: birth as u32,
        });
    }
}
