//! What matter sees of rapier's bodies, and what it does to them.

use rapier3d::{
    math::Real,
    prelude::{PhysicsWorld, RigidBody, RigidBodyHandle, SharedShape, Vector},
};

use crate::{
    fixed::{ONE, ONE30, q24, q30},
    matter::{Collider, Colliders, Impulse, MAX_SPEED, collider::MAX_REACH},
    world::SimError,
};

/// Largest angular velocity along an axis that matter sees, Q24 per step.
const MAX_SPIN: i32 = ONE / 4;

/// How the lengths and masses of a rigid world are those of the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// A cell's edge, in the rigid world's unit of length.
    pub cell: f64,
    /// Where the grid's corner is in the rigid world.
    pub corner: [f64; 3],
    /// The matter's density at rest, in the rigid world's units.
    pub density: f64,
    /// Share of the tangential speed that matter loses at a body's surface each step, 0 to 1.
    pub drag: f64,
}

/// The bodies of a rigid world as the matter sees them.
#[derive(Debug)]
pub(super) struct Seen {
    scale: Scale,
    /// Mass, in the rigid world's units, of one unit of the matter's.
    mass: f64,
    handles: Vec<RigidBodyHandle>,
    /// Which body each collider is a part of.
    parts: Vec<usize>,
    /// The colliders as they are in this step, and what never changes of them.
    pub(super) colliders: Colliders,
}

impl Seen {
    /// The bodies of `handles`, whose colliders all stand at their bodies' origins. `cell_mass` is that of the matter.
    pub(super) fn new(
        physics: &PhysicsWorld,
        handles: Vec<RigidBodyHandle>,
        scale: Scale,
        cell_mass: f64,
    ) -> Result<Self, SimError> {
        let cell = scale.cell;
        let mut seen = Self {
            scale,
            mass: scale.density * cell * cell * cell / cell_mass,
            handles,
            parts: Vec::new(),
            colliders: Colliders::default(),
        };
        for (index, handle) in seen.handles.iter().enumerate() {
            let body = &physics.bodies[*handle];
            let own: Vec<_> = body.colliders().iter().map(|collider| &physics.colliders[*collider]).collect();
            // A layer of matter of one cell around the body meets it in a step.
            let area: f64 = own.iter().map(|collider| area(collider.shared_shape())).sum();
            let layer = area * cell * scale.density;
            let mass = f64::from(body.mass());
            let give = if body.is_dynamic() { mass / (mass + layer) } else { 1.0 };
            for collider in own {
                let first = seen.colliders.planes.len() as u32;
                let (part, planes) = look(collider.shared_shape(), first, cell).ok_or_else(|| {
                    SimError::Rigid(format!("body {index} is not convex, or reaches further than {MAX_REACH} cells"))
                })?;
                seen.colliders.planes.extend(planes);
                seen.colliders.bodies.push(Collider { give: q24(give), friction: q24(scale.drag), ..part });
                seen.parts.push(index);
            }
        }
        seen.look_again(physics);
        Ok(seen)
    }

    /// Quantises where the bodies are and how they move, for the matter's next step.
    pub(super) fn look_again(&mut self, physics: &PhysicsWorld) {
        let tick = f64::from(physics.integration_parameters.dt);
        for (part, index) in self.colliders.bodies.iter_mut().zip(&self.parts) {
            show(&physics.bodies[self.handles[*index]], &self.scale, tick, part);
        }
    }

    /// Lets the matter's impulses act.
    pub(super) fn push(&self, physics: &mut PhysicsWorld, impulses: &[Impulse]) {
        let mut sums = vec![[0i64; 6]; self.handles.len()];
        for (impulse, part) in impulses.iter().zip(&self.parts) {
            for (sum, word) in sums[*part].iter_mut().zip(impulse) {
                *sum += word;
            }
        }
        let unit = self.mass * self.scale.cell / f64::from(physics.integration_parameters.dt);
        for (handle, sum) in self.handles.iter().zip(sums).filter(|(_, sum)| *sum != [0; 6]) {
            let body = &mut physics.bodies[*handle];
            let word = |word: i64, one: i32, unit: f64| (word as f64 / f64::from(one) * unit) as f32;
            let linear = Vector::new(word(sum[0], ONE, unit), word(sum[1], ONE, unit), word(sum[2], ONE, unit));
            let arm = unit * self.scale.cell;
            let moment =
                Vector::new(word(sum[3], 1 << 18, arm), word(sum[4], 1 << 18, arm), word(sum[5], 1 << 18, arm));
            let from_origin = body.center_of_mass() - body.translation();
            body.apply_impulse(linear, true);
            body.apply_torque_impulse(moment - from_origin.cross(linear), true);
        }
    }
}

/// A shape's surface: that of the box around it.
fn area(shape: &SharedShape) -> f64 {
    let half = shape.compute_local_aabb().half_extents();
    8.0 * f64::from(half.x * half.y + half.y * half.z + half.z * half.x)
}

/// A shape as matter in cells of this size sees it, and its planes, the first of which gets the number `first_plane`.
fn look(shape: &SharedShape, first_plane: u32, cell: f64) -> Option<(Collider, Vec<[i32; 4]>)> {
    let length = |x: Real| q24(f64::from(x) / cell);
    let mut collider = Collider { first_plane, ..Collider::default() };
    let mut planes = Vec::new();
    let reach = if let Some(ball) = shape.as_ball() {
        collider.radius = length(ball.radius);
        ball.radius
    } else if let Some(capsule) = shape.as_capsule() {
        let half = capsule.half_height();
        (collider.radius, collider.half) = (length(capsule.radius), length(half));
        half + capsule.radius
    } else if let Some(cuboid) = shape.as_cuboid() {
        for axis in 0..3 {
            for side in [-ONE30, ONE30] {
                let mut plane = [0, 0, 0, length(cuboid.half_extents[axis])];
                plane[axis] = side;
                planes.push(plane);
            }
        }
        cuboid.half_extents.length()
    } else {
        let polyhedron = shape.as_convex_polyhedron()?;
        for face in polyhedron.faces() {
            let normal = face.normal;
            let offset = polyhedron.points().iter().map(|p| normal.dot(*p)).fold(Real::MIN, Real::max);
            let [x, y, z] = [normal.x, normal.y, normal.z].map(|c| q30(f64::from(c)));
            planes.push([x, y, z, length(offset)]);
        }
        polyhedron.points().iter().map(|p| p.length()).fold(0.0, Real::max)
    };
    collider.planes = planes.len() as u32;
    collider.reach = length(reach);
    (collider.reach <= MAX_REACH * ONE).then_some((collider, planes))
}

/// Writes where a body is, and how it moves, into one of its colliders.
fn show(body: &RigidBody, scale: &Scale, tick: f64, part: &mut Collider) {
    let wide = |v: Vector| [f64::from(v.x), f64::from(v.y), f64::from(v.z)];
    let (place, turn) = (wide(body.translation()), body.rotation());
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
    let cells = |x: f64| q24(x / scale.cell);
    part.center = std::array::from_fn(|axis| cells(place[axis] - scale.corner[axis]));
    for (to, from) in part.turn.iter_mut().zip(rows.iter().flatten()) {
        *to = q30(*from);
    }
    part.velocity = std::array::from_fn(|axis| cells(velocity[axis] * tick + swept[axis]).clamp(-MAX_SPEED, MAX_SPEED));
    part.spin = spin.map(|c| q24(c).clamp(-MAX_SPIN, MAX_SPIN));
}
