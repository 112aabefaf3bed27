//! The rigid side: rapier, and what the matter sees of it.

use rapier3d::{
    math::Real,
    prelude::{
        ColliderBuilder, FixedJointBuilder, GenericJoint, PhysicsWorld, Pose, PrismaticJointBuilder,
        RevoluteJointBuilder, RigidBody, RigidBodyBuilder, RigidBodyHandle, Rotation, SharedShape,
        SphericalJointBuilder, Vector,
    },
};

use super::setup::{Body, Joint, JointKind, Setup, Shape};
use crate::{
    fixed::{ONE, q24, q30},
    matter::{Collider, Colliders, Impulse, MAX_SPEED, collider::MAX_REACH},
    world::SimError,
};

/// Rapier's seconds in a step: its tolerances are made for times like this one.
pub const TICK: f32 = 1.0 / 240.0;

/// Largest angular velocity along an axis that matter sees, Q24 per step.
const MAX_SPIN: i32 = ONE / 4;

/// Rigid bodies that can be stepped.
pub(super) struct Rigid {
    pub(super) physics: PhysicsWorld,
    handles: Vec<RigidBodyHandle>,
    /// Which body each collider is a part of.
    parts: Vec<usize>,
    /// The colliders as they are in this step, and what never changes of them.
    pub(super) colliders: Colliders,
}

fn vector(v: [f64; 3]) -> Vector {
    Vector::new(v[0] as f32, v[1] as f32, v[2] as f32)
}

impl Rigid {
    /// The bodies of `setup`, if it has any.
    pub(super) fn of(setup: &Setup) -> Result<Option<Self>, SimError> {
        if setup.bodies.is_empty() { Ok(None) } else { Self::new(setup).map(Some) }
    }

    fn new(setup: &Setup) -> Result<Self, SimError> {
        let mut physics = PhysicsWorld::new();
        let per_second = f64::from(1.0 / TICK);
        physics.gravity = vector(setup.gravity.map(|g| g * per_second * per_second));
        physics.integration_parameters.dt = TICK;
        physics.integration_parameters.length_unit = setup.unit as f32;
        if let Some((low, high)) = setup.walls() {
            wall(&mut physics, low, high);
        }
        let cell_mass = f64::from(setup.matter.cell_mass()) / f64::from(ONE);
        let mut rigid = Self { physics, handles: Vec::new(), parts: Vec::new(), colliders: Colliders::default() };
        for (index, body) in setup.bodies.iter().enumerate() {
            rigid.insert(index, body, cell_mass)?;
        }
        for joint in &setup.joints {
            rigid.join(joint);
        }
        rigid.see();
        Ok(rigid)
    }

    fn insert(&mut self, index: usize, body: &Body, cell_mass: f64) -> Result<(), SimError> {
        let [x, y, z, w] = body.rotation.map(|c| c as f32);
        let pose = Pose::from_parts(vector(body.position), Rotation::from_xyzw(x, y, z, w));
        let per_second = f64::from(1.0 / TICK);
        let builder = if body.fixed { RigidBodyBuilder::fixed() } else { RigidBodyBuilder::dynamic() };
        let handle = self.physics.insert_body(
            builder
                .pose(pose)
                .linvel(vector(body.velocity.map(|v| v * per_second)))
                .angvel(vector(body.spin.map(|v| v * per_second))),
        );
        let shapes = shapes(&body.shape).ok_or_else(|| SimError::Rigid(format!("body {index} has no volume")))?;
        for shape in shapes {
            let (collider, planes) = seen(&shape, self.colliders.planes.len() as u32)
                .ok_or_else(|| SimError::Rigid(format!("body {index} reaches further than {MAX_REACH} cells")))?;
            self.colliders.planes.extend(planes);
            let mut extents = shape.compute_local_aabb().half_extents();
            extents = extents.max(Vector::splat(0.01));
            let area = 8.0 * f64::from(extents.x * extents.y + extents.y * extents.z + extents.z * extents.x);
            let collider_builder = ColliderBuilder::new(shape)
                .density((body.density * cell_mass) as f32)
                .friction(body.friction as f32)
                .restitution(body.restitution as f32);
            self.physics.insert_collider(collider_builder, Some(handle));
            self.colliders.bodies.push(Collider { friction: q24(body.drag), give: q24(area), ..collider });
            self.parts.push(index);
        }
        self.handles.push(handle);
        // A layer of matter of one cell around the body meets it in a step.
        let mut mass = 0.0;
        let of_body = |rigid: &Self| rigid.physics.bodies[handle].colliders().to_vec();
        for collider in of_body(self) {
            mass += f64::from(self.physics.colliders[collider].mass());
        }
        let own = |part: &usize| *part == index;
        let first = self.parts.iter().position(own).unwrap_or(self.parts.len());
        let area: f64 = self.colliders.bodies[first..].iter().map(|part| f64::from(part.give) / f64::from(ONE)).sum();
        let give = if body.fixed { 1.0 } else { mass / (mass + area * cell_mass) };
        for part in &mut self.colliders.bodies[first..] {
            part.give = q24(give);
        }
        Ok(())
    }

    fn join(&mut self, joint: &Joint) {
        let anchors = joint.anchors.map(vector);
        let unit = |axis: [f64; 3]| vector(axis).normalize();
        let mut data: GenericJoint = match joint.kind {
            JointKind::Fixed => FixedJointBuilder::new().build().data,
            JointKind::Ball => SphericalJointBuilder::new().build().data,
            JointKind::Hinge(axis) => RevoluteJointBuilder::new(unit(axis)).build().data,
            JointKind::Slider(axis) => PrismaticJointBuilder::new(unit(axis)).build().data,
        };
        data.local_frame1.translation = anchors[0];
        data.local_frame2.translation = anchors[1];
        let first = self.handles[joint.bodies.0];
        let second = match joint.bodies.1 {
            Some(second) => self.handles[second],
            None => self.physics.insert_body(RigidBodyBuilder::fixed()),
        };
        self.physics.insert_impulse_joint(first, second, data);
    }

    /// Quantises where the bodies are and how they move, for the matter's next step.
    pub(super) fn see(&mut self) {
        for (part, index) in self.colliders.bodies.iter_mut().zip(&self.parts) {
            show(&self.physics.bodies[self.handles[*index]], part);
        }
    }

    /// Lets the matter's impulses act, and advances one step.
    pub(super) fn step(&mut self, impulses: &[Impulse]) {
        let mut sums = vec![[0i64; 6]; self.handles.len()];
        for (impulse, part) in impulses.iter().zip(&self.parts) {
            for (sum, word) in sums[*part].iter_mut().zip(impulse) {
                *sum += word;
            }
        }
        for (handle, sum) in self.handles.iter().zip(sums).filter(|(_, sum)| *sum != [0; 6]) {
            let body = &mut self.physics.bodies[*handle];
            let word = |word: i64, unit: i32| (word as f64 / f64::from(unit) / f64::from(TICK)) as f32;
            let linear = Vector::new(word(sum[0], ONE), word(sum[1], ONE), word(sum[2], ONE));
            let about_origin = Vector::new(word(sum[3], 1 << 18), word(sum[4], 1 << 18), word(sum[5], 1 << 18));
            let arm = body.center_of_mass() - body.translation();
            body.apply_impulse(linear, true);
            body.apply_torque_impulse(about_origin - arm.cross(linear), true);
        }
        self.physics.step();
    }

    /// The first body that came to no finite place.
    pub(super) fn lost(&self) -> Option<usize> {
        self.handles.iter().position(|handle| {
            let body = &self.physics.bodies[*handle];
            let finite = body.translation().is_finite() && body.rotation().is_finite();
            !(finite && body.linvel().is_finite() && body.angvel().is_finite())
        })
    }

    /// All bodies, in their order.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &RigidBody> {
        self.handles.iter().map(|handle| &self.physics.bodies[*handle])
    }

    /// Goes on from another state of the same bodies; `false` where it is none.
    pub(super) fn restore(&mut self, physics: PhysicsWorld) -> bool {
        let same = physics.bodies.len() == self.physics.bodies.len()
            && physics.colliders.len() == self.physics.colliders.len()
            && self.handles.iter().all(|handle| physics.bodies.contains(*handle));
        if same {
            self.physics = physics;
            self.see();
        }
        same
    }
}

/// A floor, four walls and a lid, outside of the box between two corners.
fn wall(physics: &mut PhysicsWorld, low: [f64; 3], high: [f64; 3]) {
    const THICK: f64 = 8.0;
    let middle: [f64; 3] = std::array::from_fn(|axis| (low[axis] + high[axis]) / 2.0);
    let half: [f64; 3] = std::array::from_fn(|axis| (high[axis] - low[axis]) / 2.0 + 2.0 * THICK);
    for axis in 0..3 {
        for (edge, side) in [(low[axis], -1.0), (high[axis], 1.0)] {
            let (mut center, mut extents) = (middle, half);
            center[axis] = edge + side * THICK;
            extents[axis] = THICK;
            let body = physics.insert_body(RigidBodyBuilder::fixed().translation(vector(center)));
            let [x, y, z] = extents.map(|c| c as f32);
            physics.insert_collider(ColliderBuilder::cuboid(x, y, z).friction(0.5), Some(body));
        }
    }
}

fn shapes(shape: &Shape) -> Option<Vec<SharedShape>> {
    let hull = |points: &Vec<[f64; 3]>| {
        let points: Vec<Vector> = points.iter().copied().map(vector).collect();
        SharedShape::convex_hull(&points)
    };
    match shape {
        Shape::Ball(radius) => Some(vec![SharedShape::ball(*radius as f32)]),
        Shape::Capsule { half, radius } => Some(vec![SharedShape::capsule_y(*half as f32, *radius as f32)]),
        Shape::Cuboid([x, y, z]) => Some(vec![SharedShape::cuboid(*x as f32, *y as f32, *z as f32)]),
        Shape::Hulls(hulls) => hulls.iter().map(hull).collect(),
    }
}

/// A shape as the matter sees it, and its planes, the first of which gets the number `first_plane`.
fn seen(shape: &SharedShape, first_plane: u32) -> Option<(Collider, Vec<[i32; 4]>)> {
    let q = |x: Real| q24(f64::from(x));
    let mut collider = Collider { first_plane, ..Collider::default() };
    let mut planes = Vec::new();
    let reach = if let Some(ball) = shape.as_ball() {
        collider.radius = q(ball.radius);
        ball.radius
    } else if let Some(capsule) = shape.as_capsule() {
        let half = capsule.half_height();
        (collider.radius, collider.half) = (q(capsule.radius), q(half));
        half + capsule.radius
    } else if let Some(cuboid) = shape.as_cuboid() {
        for axis in 0..3 {
            for side in [-1, 1] {
                let mut plane = [0, 0, 0, q(cuboid.half_extents[axis])];
                plane[axis] = side * crate::fixed::ONE30;
                planes.push(plane);
            }
        }
        cuboid.half_extents.length()
    } else {
        let polyhedron = shape.as_convex_polyhedron()?;
        for face in polyhedron.faces() {
            let normal = face.normal;
            let offset = polyhedron.points().iter().map(|p| normal.dot(*p)).fold(Real::MIN, Real::max);
            planes.push([q30(f64::from(normal.x)), q30(f64::from(normal.y)), q30(f64::from(normal.z)), q(offset)]);
        }
        polyhedron.points().iter().map(|p| p.length()).fold(0.0, Real::max)
    };
    collider.planes = planes.len() as u32;
    collider.reach = q(reach);
    (collider.reach <= MAX_REACH * ONE).then_some((collider, planes))
}

/// Writes where a body is, and how it moves, into one of its colliders.
fn show(body: &RigidBody, part: &mut Collider) {
    let wide = |v: Vector| [f64::from(v.x), f64::from(v.y), f64::from(v.z)];
    let (place, turn, tick) = (wide(body.translation()), body.rotation(), f64::from(TICK));
    let [x, y, z, w] = [turn.x, turn.y, turn.z, turn.w].map(f64::from);
    let rows = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ];
    let spin = wide(body.angvel()).map(|c| c * tick);
    // The engine's velocity is that of the centre of mass.
    let mass = wide(body.center_of_mass());
    let arm: [f64; 3] = std::array::from_fn(|axis| place[axis] - mass[axis]);
    let swept =
        [spin[1] * arm[2] - spin[2] * arm[1], spin[2] * arm[0] - spin[0] * arm[2], spin[0] * arm[1] - spin[1] * arm[0]];
    let velocity = wide(body.linvel());
    part.center = place.map(q24);
    for (to, from) in part.turn.iter_mut().zip(rows.iter().flatten()) {
        *to = q30(*from);
    }
    part.velocity = std::array::from_fn(|axis| q24(velocity[axis] * tick + swept[axis]).clamp(-MAX_SPEED, MAX_SPEED));
    part.spin = spin.map(|c| q24(c).clamp(-MAX_SPIN, MAX_SPIN));
}
