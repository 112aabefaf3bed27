//! The world of a scene: rapier and its tank of matter, stepped, with all of it in every checkpoint.

use rapier3d::prelude::{
    BoundingVolume as _, ColliderBuilder, FixedJointBuilder, GenericJoint, PhysicsWorld, Pose, PrismaticJointBuilder,
    RevoluteJointBuilder, RigidBodyBuilder, RigidBodyHandle, Rotation, SharedShape, SphericalJointBuilder, Vector,
};

use super::{
    CHANNELS, POSITION_UNIT, ROTATION_UNIT,
    blueprint::Blueprint,
    forces::Force,
    joints::JointKind,
    layout::{Body, BodyShape, CYLINDER_SIDES, JointLayout, Layout},
    mesh::Triangles,
};
use crate::{
    coupled::{SNAPSHOT_UNIT, Tank},
    fixed::ONE,
    matter::Particles,
    scenario::rigid::{all_finite, pose_numbers, read, write},
    trajectory::Snapshot,
    world::{Device, SimError, World},
};

/// A step of a particle's position in a snapshot, Q24 cells.
const UNIT: i32 = ONE / SNAPSHOT_UNIT;

/// Bodies that may lie in each other at first: each of the most that a scene can have in 64 others, or all of 724.
const MOST_PAIRS: usize = 1 << 18;

/// Chains are stiff only where the solver goes over them often.
const CHAIN_ITERATIONS: usize = 12;

/// A scene that can be stepped.
pub(super) struct AuthoredWorld {
    physics: PhysicsWorld,
    bodies: Vec<RigidBodyHandle>,
    /// Which of them no force wakes.
    sleepers: Vec<bool>,
    forces: Vec<Force>,
    tank: Option<Tank>,
    dt: f64,
    step: u32,
    /// Bytes of the bodies in the last checkpoint.
    size: usize,
}

impl AuthoredWorld {
    pub(super) fn new(scene: &Blueprint, layout: &Layout, device: &Device) -> Result<Self, SimError> {
        if layout.bodies.is_empty() && layout.particles.is_empty() {
            return Err(SimError::Empty);
        }
        let mut physics = PhysicsWorld::new();
        physics.gravity = Vector::from(layout.gravity);
        physics.integration_parameters.dt = 1.0 / layout.rate as f32;
        physics.integration_parameters.length_unit = length_unit(scene, layout);
        if !layout.joints.is_empty() {
            physics.integration_parameters.num_solver_iterations = CHAIN_ITERATIONS;
        }
        let ground = physics.insert_body(RigidBodyBuilder::fixed());
        if let Some([friction, restitution]) = layout.ground {
            let floor =
                ColliderBuilder::new(SharedShape::halfspace(Vector::Y)).friction(friction).restitution(restitution);
            physics.insert_collider(floor, Some(ground));
        }
        if let Some(tank) = &layout.tank {
            wall(&mut physics, ground, tank);
        }
        let mut bodies = Vec::with_capacity(layout.bodies.len());
        for body in &layout.bodies {
            let builder = if body.fixed { RigidBodyBuilder::fixed() } else { RigidBodyBuilder::dynamic() };
            let handle = physics.insert_body(
                builder
                    .pose(pose(body))
                    .linvel(Vector::from(body.velocity))
                    .angvel(Vector::from(body.spin))
                    .sleeping(body.asleep && !body.fixed),
            );
            for collider in colliders(scene, body)? {
                let collider = collider.density(body.density).friction(body.friction).restitution(body.restitution);
                physics.insert_collider(collider, Some(handle));
            }
            bodies.push(handle);
        }
        not_crowded(&physics, &bodies, scene, layout)?;
        for joint in &layout.joints {
            let [a, b] = joint.bodies.map(|end| end.map_or(ground, |body| bodies[body]));
            let poses = joint.bodies.map(|end| end.map_or(Pose::IDENTITY, |body| pose(&layout.bodies[body])));
            physics.insert_impulse_joint(a, b, joint_of(joint, poses));
        }
        let tank = layout.tank.filter(|_| !layout.particles.is_empty()).map(|tank| {
            let (setup, scale) = (super::tank::setup(scene, &tank, layout), tank.scale());
            Tank::open(setup, Some((&physics, bodies.clone(), scale)), device.clone())
        });
        let tank = tank.transpose()?;
        let sleepers = layout.bodies.iter().map(|body| body.asleep).collect();
        Ok(Self {
            physics,
            bodies,
            sleepers,
            tank,
            forces: layout.forces.clone(),
            dt: 1.0 / f64::from(layout.rate),
            step: 0,
            size: 0,
        })
    }

    /// Changes velocities by what the fields of force do in one step.
    fn push(&mut self) {
        let keys: Vec<_> = self.forces.iter().map(|force| (force.center, force.at(self.step))).collect();
        if keys.is_empty() {
            return;
        }
        let acts = keys.iter().any(|(_, key)| [key.push, key.pull, key.swirl].iter().flatten().any(|x| *x != 0.0));
        let slowed = 1.0 / (1.0 + self.dt * keys.iter().map(|(_, key)| key.drag).sum::<f64>());
        for (handle, sleeper) in self.bodies.iter().zip(&self.sleepers) {
            let body = &mut self.physics.bodies[*handle];
            // What came to rest is taken up again; what was put to sleep waits for a touch.
            if !body.is_dynamic() || (body.is_sleeping() && (*sleeper || !acts)) {
                continue;
            }
            let place = <[f32; 3]>::from(body.translation()).map(f64::from);
            let mut velocity = <[f32; 3]>::from(body.linvel()).map(f64::from);
            for (center, key) in &keys {
                let acceleration = key.acceleration(*center, place);
                (0..3).for_each(|i| velocity[i] += acceleration[i] * self.dt);
            }
            let spin = body.angvel() * slowed as f32;
            body.set_linvel(Vector::from(velocity.map(|v| (v * slowed) as f32)), acts);
            body.set_angvel(spin, false);
        }
    }
}

/// Refuses bodies that lie in each other in more pairs than [`MOST_PAIRS`], their convex pieces counted one by one.
fn not_crowded(
    physics: &PhysicsWorld,
    bodies: &[RigidBodyHandle],
    scene: &Blueprint,
    layout: &Layout,
) -> Result<(), SimError> {
    let bounds = |handle: &RigidBodyHandle| {
        let pieces = physics.bodies[*handle].colliders();
        let boxes = pieces.iter().map(|piece| physics.colliders[*piece].compute_aabb());
        let whole = boxes.reduce(|a, b| a.merged(&b)).expect("every body has a shape");
        (whole, pieces.len())
    };
    let mut boxes: Vec<_> = bodies.iter().map(bounds).zip(&layout.bodies).collect();
    boxes.sort_by(|((a, _), _), ((b, _), _)| a.mins.x.total_cmp(&b.mins.x));
    let (mut pairs, mut of_groups) = (0, vec![0; scene.bodies.len()]);
    for (at, ((one, pieces), body)) in boxes.iter().enumerate() {
        for ((other, more), beside) in boxes[at + 1..].iter().take_while(|((other, _), _)| other.mins.x < one.maxs.x) {
            if one.intersects(other) && !(body.fixed && beside.fixed) {
                pairs += pieces * more;
                of_groups[body.group] += pieces * more;
                of_groups[beside.group] += pieces * more;
            }
        }
    }
    if pairs <= MOST_PAIRS {
        return Ok(());
    }
    let group =
        (0..of_groups.len()).max_by_key(|group| of_groups[*group]).map_or("", |group| &scene.bodies[group].path);
    Err(SimError::Crowded { group: group.to_owned(), most: MOST_PAIRS })
}

/// A floor and walls around a tank, as high as it is, that bodies do not pass.
fn wall(physics: &mut PhysicsWorld, ground: RigidBodyHandle, tank: &super::Tank) {
    let [x, y, z] = tank.size().map(|edge| edge as f32 / 2.0);
    let thick = tank.cell as f32 * 4.0;
    let mut add = |half: [f32; 3], center: [f32; 3]| {
        let collider = ColliderBuilder::cuboid(half[0], half[1], half[2]).translation(Vector::from(center));
        physics.insert_collider(collider, Some(ground));
    };
    for side in [-1.0, 1.0] {
        add([thick, y, z + 2.0 * thick], [side * (x + thick), y, 0.0]);
        add([x + 2.0 * thick, y, thick], [0.0, y, side * (z + thick)]);
    }
    add([x + 2.0 * thick, thick, z + 2.0 * thick], [0.0, -thick, 0.0]);
}

/// The size of a typical body, which the engine's tolerances are in proportion to.
fn length_unit(scene: &Blueprint, layout: &Layout) -> f32 {
    let mut sizes: Vec<f32> =
        layout.bodies.iter().filter(|body| !body.fixed).map(|body| 2.0 * body.shape.reach(scene)).collect();
    sizes.sort_by(f32::total_cmp);
    sizes.get(sizes.len() / 2).map_or(1.0, |size| size.clamp(0.02, 1.0))
}

fn pose(body: &Body) -> Pose {
    let [x, y, z, w] = body.rotation;
    Pose::from_parts(Vector::from(body.position), Rotation::from_xyzw(x, y, z, w))
}

fn colliders(scene: &Blueprint, body: &Body) -> Result<Vec<ColliderBuilder>, SimError> {
    let hull = |points: Vec<Vector>, faces: &[[u32; 3]]| {
        ColliderBuilder::convex_mesh(points, faces).ok_or_else(|| SimError::Rigid("a shape is not convex".into()))
    };
    Ok(match body.shape {
        BodyShape::Ball(radius) => vec![ColliderBuilder::ball(radius)],
        BodyShape::Capsule { half_height, radius } => vec![ColliderBuilder::capsule_y(half_height, radius)],
        BodyShape::Box([x, y, z]) => vec![ColliderBuilder::cuboid(x, y, z)],
        BodyShape::Cylinder { half_height, radius } => {
            let (points, faces) = cylinder(half_height, radius);
            vec![hull(points, &faces)?]
        }
        BodyShape::Mesh { mesh, scale } => {
            let piece = |piece: &Triangles| {
                let points = piece.points.iter().map(|point| Vector::from(*point) * scale).collect();
                let faces: Vec<[u32; 3]> = piece.faces.iter().map(|face| face.map(u32::from)).collect();
                hull(points, &faces)
            };
            scene.meshes[mesh].1.pieces.iter().map(piece).collect::<Result<_, _>>()?
        }
    })
}

/// A prism, its corners below and above in turn.
fn cylinder(half_height: f32, radius: f32) -> (Vec<Vector>, Vec<[u32; 3]>) {
    let mut points = Vec::new();
    for side in 0..CYLINDER_SIDES {
        let (sin, cos) = libm::sincosf(std::f32::consts::TAU * side as f32 / CYLINDER_SIDES as f32);
        for y in [-half_height, half_height] {
            points.push(Vector::new(radius * cos, y, -radius * sin));
        }
    }
    let count = points.len() as u32;
    let mut faces = Vec::new();
    for low in (0..count).step_by(2) {
        let next = (low + 2) % count;
        faces.extend([[low, next, next + 1], [low, next + 1, low + 1]]);
        if low > 0 && next > 0 {
            faces.extend([[0, next, low], [1, low + 1, next + 1]]);
        }
    }
    (points, faces)
}

fn joint_of(joint: &JointLayout, poses: [Pose; 2]) -> GenericJoint {
    let axis = Vector::from(joint.axis);
    let contacts = joint.contacts;
    let mut data = match joint.kind {
        JointKind::Fixed => FixedJointBuilder::new().contacts_enabled(contacts).build().data,
        JointKind::Ball => SphericalJointBuilder::new().contacts_enabled(contacts).build().data,
        JointKind::Hinge => {
            let builder = RevoluteJointBuilder::new(axis).contacts_enabled(contacts);
            joint.limits.map_or(builder, |limits| builder.limits(limits)).build().data
        }
        JointKind::Slider => {
            let builder = PrismaticJointBuilder::new(axis).contacts_enabled(contacts);
            joint.limits.map_or(builder, |limits| builder.limits(limits)).build().data
        }
    };
    // The builders' frames are those of the world here: what each body sees of the one frame that both share.
    let shared = Pose::from_parts(Vector::from(joint.anchor), data.local_frame1.rotation);
    data.local_frame1 = poses[0].inverse() * shared;
    data.local_frame2 = poses[1].inverse() * shared;
    data
}

impl World for AuthoredWorld {
    fn advance(&mut self, steps: u32) -> Result<(), SimError> {
        for _ in 0..steps {
            self.push();
            if let Some(tank) = &mut self.tank {
                tank.step(&mut self.physics)?;
            }
            self.physics.step();
            self.step += 1;
        }
        all_finite(&self.physics, &self.bodies, self.step)
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>, SimError> {
        let matter = self.tank.as_ref().map_or(Ok(Vec::new()), Tank::write)?;
        write(&(self.step, &self.bodies, &self.physics), matter, &mut self.size)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SimError> {
        let wrong = || SimError::Saved("it is no state of this scene");
        let rigid = self.tank.as_mut().map_or(Ok(state), |tank| tank.restore(state))?;
        let (step, bodies, physics): (u32, Vec<RigidBodyHandle>, PhysicsWorld) = read(rigid).ok_or_else(wrong)?;
        let one_step = self.tank.as_ref().is_none_or(|tank| tank.present_step() == step);
        if !one_step || bodies != self.bodies || !bodies.iter().all(|handle| physics.bodies.contains(*handle)) {
            return Err(wrong());
        }
        (self.step, self.physics) = (step, physics);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        let particles = self.tank.as_ref().map_or(Ok(Particles::default()), Tank::particles)?;
        let count = self.bodies.len() + particles.states.len();
        let mut snapshot = vec![0; count * CHANNELS];
        for (index, handle) in self.bodies.iter().enumerate() {
            let numbers = pose_numbers(&self.physics.bodies[*handle], POSITION_UNIT, ROTATION_UNIT);
            for (channel, number) in numbers.into_iter().enumerate() {
                snapshot[channel * count + index] = number;
            }
        }
        for (index, (particle, kind)) in particles.states.iter().zip(&particles.kinds).enumerate() {
            for axis in 0..3 {
                snapshot[axis * count + self.bodies.len() + index] = (particle[axis] + UNIT / 2) / UNIT;
            }
            snapshot[3 * count + self.bodies.len() + index] = i32::from(kind.birth <= self.step);
        }
        Ok(snapshot)
    }

    fn step(&self) -> u32 {
        self.step
    }

    fn backend(&self) -> String {
        self.tank.as_ref().map_or("cpu", Tank::name).into()
    }

    #[cfg(feature = "gpu")]
    fn on_device(&self) -> Option<crate::gpu::OnDevice> {
        self.tank.as_ref()?.on_device()
    }
}
