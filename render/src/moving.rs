//! Shapes that move while the shutter is open.
//!
//! A shape's middle goes straight and evenly from where it is when the shutter opens to where it is when it closes, and it
//! turns about one axis; a ray sees all shapes at one moment of its own.

use crate::bvh::Bounds;
use crate::prepared::{Placed, Rotation};
use crate::vector::{Vec3, vec3};

/// A rotation as a unit quaternion: `x`, `y`, `z`, `w`.
pub(crate) type Quaternion = [f32; 4];

/// A shape on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moving {
    /// As it is when the shutter opens.
    pub(crate) opens: Placed,
    /// How far its middle goes.
    pub(crate) shift: Vec3,
    /// How it is turned at either end, the nearer of the two quaternions of the second.
    pub(crate) turns: [Quaternion; 2],
}

fn dot(a: Quaternion, b: Quaternion) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
}

impl Moving {
    pub(crate) fn new(opens: Placed, shift: Vec3, [from, to]: [Quaternion; 2]) -> Self {
        let to = if dot(from, to) < 0.0 { to.map(|x| -x) } else { to };
        Self { opens, shift, turns: [from, to] }
    }

    /// What it turns about.
    pub(crate) fn middle(&self) -> Vec3 {
        match self.opens {
            Placed::Sphere { center, .. }
            | Placed::Capsule { center, .. }
            | Placed::Box { center, .. }
            | Placed::Mesh { center, .. } => center,
            Placed::World { .. } | Placed::Moving(_) => Vec3::ZERO,
        }
    }

    /// The rows of the rotation into local space at a moment in [0, 1].
    #[inline]
    fn turned(&self, time: f32) -> Rotation {
        let [from, to] = self.turns;
        let between: Quaternion = std::array::from_fn(|i| from[i] * (1.0 - time) + to[i] * time);
        let unit = 1.0 / dot(between, between).sqrt();
        let [x, y, z, w] = between.map(|q| q * unit);
        Rotation {
            rows: [
                vec3(1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + z * w), 2.0 * (x * z - y * w)),
                vec3(2.0 * (x * y - z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + x * w)),
                vec3(2.0 * (x * z + y * w), 2.0 * (y * z - x * w), 1.0 - 2.0 * (x * x + y * y)),
            ],
        }
    }

    /// The shape at a moment: 0 where the shutter opens, 1 where it closes.
    #[inline]
    pub(crate) fn at(&self, time: f32) -> Placed {
        let shift = self.shift * time;
        match self.opens {
            Placed::Sphere { center, radius } => Placed::Sphere { center: center + shift, radius },
            Placed::Capsule { center, half_height, radius, .. } => {
                Placed::Capsule { center: center + shift, axis: self.turned(time).rows[1], half_height, radius }
            }
            Placed::Box { center, half, .. } => {
                Placed::Box { to_local: self.turned(time), center: center + shift, half }
            }
            Placed::Mesh { scale, center, mesh, .. } => {
                Placed::Mesh { to_local: self.turned(time), scale, center: center + shift, mesh }
            }
            still @ (Placed::World { .. } | Placed::Moving(_)) => still,
        }
    }

    /// A box around the shape at every moment, from those at both ends of the same shape that turns but stays; no point of
    /// it is farther than `reach` from its middle.
    pub(crate) fn swept(&self, ends: [Bounds; 2], reach: f32) -> Bounds {
        let [a, b] = ends;
        // A point of the shape goes along an arc about its middle: by less than this beyond the chord.
        let cos = dot(self.turns[0], self.turns[1]).clamp(-1.0, 1.0);
        let arc = Vec3::splat(reach * (1.0 - cos));
        let (low, high) = (a.min.min(b.min) - arc, a.max.max(b.max) + arc);
        Bounds { min: low.min(low + self.shift), max: high.max(high + self.shift) }
    }
}
