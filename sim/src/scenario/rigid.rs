//! What scenarios with rapier's bodies have in common.

use rapier3d::prelude::{PhysicsWorld, RigidBody, RigidBodyHandle};
use serde::{Serialize, de::DeserializeOwned};

use crate::world::SimError;

/// Refuses bodies that came to no finite place by `step`.
pub(super) fn all_finite(physics: &PhysicsWorld, bodies: &[RigidBodyHandle], step: u32) -> Result<(), SimError> {
    let finite = |handle: &RigidBodyHandle| {
        let body = &physics.bodies[*handle];
        body.translation().is_finite()
            && body.rotation().is_finite()
            && body.linvel().is_finite()
            && body.angvel().is_finite()
    };
    match bodies.iter().position(|handle| !finite(handle)) {
        Some(body) => Err(SimError::NotFinite { body, step }),
        None => Ok(()),
    }
}

/// A body's place and its rotation (x, y, z, w), in these units, as a snapshot has them.
///
/// q and −q are one rotation. Rapier's keeps its sign from step to step, so that states between two snapshots can be had
/// by interpolation; choosing a sign here would break that.
pub(super) fn pose_numbers(body: &RigidBody, position_unit: f32, rotation_unit: f32) -> [i32; 7] {
    let (place, turn) = (body.translation(), body.rotation());
    let place = [place.x, place.y, place.z].map(|x| x * position_unit);
    let turn = [turn.x, turn.y, turn.z, turn.w].map(|x| x * rotation_unit);
    let [x, y, z] = place.map(|x| x.round() as i32);
    let [i, j, k, w] = turn.map(|x| x.round() as i32);
    [x, y, z, i, j, k, w]
}

/// Writes a state after what `to` holds. `size` is how long the last one was, so that room is made once.
pub(super) fn write(state: &impl Serialize, mut to: Vec<u8>, size: &mut usize) -> Result<Vec<u8>, SimError> {
    let before = to.len();
    // A state grows from checkpoint to checkpoint as bodies meet.
    to.reserve(*size + *size / 8);
    let written = postcard::to_extend(state, to).map_err(|error| SimError::Rigid(error.to_string()))?;
    *size = written.len() - before;
    Ok(written)
}

/// The state that these bytes, all of them, are; `None` where they are none.
pub(super) fn read<T: DeserializeOwned>(state: &[u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(state).ok()?;
    rest.is_empty().then_some(value)
}
