//! The rigid world of a bloom: rapier, stepped, with all of it in every checkpoint.

use rapier3d::prelude::{
    ColliderBuilder, Group, InteractionGroups, InteractionTestMode, PhysicsWorld, Pose, RevoluteJointBuilder,
    RigidBodyBuilder, RigidBodyHandle, Rotation, Vector,
};

use super::{
    CHANNELS, POSITION_UNIT, RATE, ROTATION_UNIT,
    flower::{Flower, Place, STAMEN, TILE, tallness},
};
use crate::{
    scenario::rigid::{all_finite, pose_numbers, read, write},
    trajectory::Snapshot,
    world::{SimError, World},
};

fn tile_pose(place: &Place, tilt: f32) -> Pose {
    // Turned about y so that +x points along the heading, then tipped about its own z.
    let rotation = Rotation::from_xyzw(0.0, libm::sinf(place.heading / 2.0), 0.0, libm::cosf(place.heading / 2.0))
        * Rotation::from_xyzw(0.0, 0.0, libm::sinf(tilt / 2.0), libm::cosf(tilt / 2.0));
    Pose::from_parts(Vector::new(place.x, 0.0, place.z), rotation)
}

/// A bloom that can be stepped.
pub(super) struct BloomWorld {
    pub(super) physics: PhysicsWorld,
    bodies: Vec<RigidBodyHandle>,
    /// The step in which each tile fell; −1 while it stands.
    fallen: Vec<i32>,
    tiles: usize,
    step: u32,
    /// Bytes of the last checkpoint.
    size: usize,
}

impl BloomWorld {
    pub(super) fn new(flower: &Flower) -> Result<Self, SimError> {
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
            let collider = ColliderBuilder::convex_mesh(
                flower.corners(tallness(place.ring)).into_iter().map(corner).collect(),
                &TILE,
            )
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
            let foot = Place { x: ring * c, z: -ring * s, heading: angle, size: 1.0, ring: 0 };
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
        Ok(Self { physics, fallen: vec![-1; bodies.len()], bodies, tiles, step: 0, size: 0 })
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
        all_finite(&self.physics, &self.bodies, self.step)
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>, SimError> {
        write(&(self.step, &self.fallen, &self.bodies, &self.physics), Vec::new(), &mut self.size)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SimError> {
        let wrong = || SimError::Saved("it is no state of this rigid world");
        let (step, fallen, bodies, physics): (u32, Vec<i32>, Vec<RigidBodyHandle>, PhysicsWorld) =
            read(state).ok_or_else(wrong)?;
        let whole = fallen.len() == self.fallen.len()
            && bodies == self.bodies
            && bodies.iter().all(|handle| physics.bodies.contains(*handle));
        if !whole {
            return Err(wrong());
        }
        *self = Self { physics, bodies, fallen, tiles: self.tiles, step, size: self.size };
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        let count = self.bodies.len();
        let mut snapshot = vec![0; count * CHANNELS];
        for (index, handle) in self.bodies.iter().enumerate() {
            let numbers = pose_numbers(&self.physics.bodies[*handle], POSITION_UNIT, ROTATION_UNIT);
            for (channel, number) in numbers.into_iter().enumerate() {
                snapshot[channel * count + index] = number;
            }
            snapshot[7 * count + index] = self.fallen[index];
        }
        Ok(snapshot)
    }

    fn step(&self) -> u32 {
        self.step
    }

    fn backend(&self) -> String {
        "cpu".into()
    }
}
