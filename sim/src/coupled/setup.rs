//! A world of matter and rigid bodies before its first step, as plain data.
//!
//! Lengths are in cells of the matter's grid, from its corner; times in steps; densities are relative to the matter's at
//! rest.

use crate::matter::{Force, Matter, Particles, Vessel};

/// Everything that a world is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The matter's constants, and what holds it.
    pub matter: Matter,
    /// Its particles.
    pub particles: Particles,
    /// The force on the matter in each step.
    pub forces: Vec<Force>,
    /// Acceleration of the bodies, cells a step².
    pub gravity: [f64; 3],
    /// The bodies.
    pub bodies: Vec<Body>,
    /// What ties bodies to each other.
    pub joints: Vec<Joint>,
    /// A usual size of a body, in cells: what the rigid engine's tolerances go by.
    pub unit: f64,
}

/// A rigid body.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Its shape, about its origin.
    pub shape: Shape,
    /// Where its origin is.
    pub position: [f64; 3],
    /// Its turn: a unit quaternion, x, y, z, w.
    pub rotation: [f64; 4],
    /// Its velocity, cells a step.
    pub velocity: [f64; 3],
    /// Its angular velocity, per step.
    pub spin: [f64; 3],
    /// Its density.
    pub density: f64,
    /// Friction against other bodies and the vessel.
    pub friction: f64,
    /// How far it bounces off them, 0 to 1.
    pub restitution: f64,
    /// Share of the tangential speed that matter loses at its surface each step, 0 to 1.
    pub drag: f64,
    /// Whether nothing moves it.
    pub fixed: bool,
}

impl Body {
    /// A body at rest.
    #[must_use]
    pub fn new(shape: Shape, position: [f64; 3], density: f64) -> Self {
        Self {
            shape,
            position,
            rotation: [0.0, 0.0, 0.0, 1.0],
            velocity: [0.0; 3],
            spin: [0.0; 3],
            density,
            friction: 0.5,
            restitution: 0.0,
            drag: 0.05,
            fixed: false,
        }
    }
}

/// A body's shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A ball of this radius.
    Ball(f64),
    /// A capsule along y.
    Capsule {
        /// From the centre to the centre of either cap.
        half: f64,
        /// Radius of the caps.
        radius: f64,
    },
    /// A box of these half extents.
    Cuboid([f64; 3]),
    /// The convex hulls of these points, together.
    Hulls(Vec<Vec<[f64; 3]>>),
}

/// A tie between two bodies.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    /// Indices of the bodies; no second one ties the first to the world.
    pub bodies: (usize, Option<usize>),
    /// Where it is, in each one's own frame; in the world's for none.
    pub anchors: [[f64; 3]; 2],
    /// What it lets the bodies do.
    pub kind: JointKind,
}

/// What a joint lets bodies do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JointKind {
    /// Nothing.
    Fixed,
    /// Turn about every axis.
    Ball,
    /// Turn about this axis, the same in both frames.
    Hinge([f64; 3]),
    /// Slide along this axis, the same in both frames.
    Slider([f64; 3]),
}

impl Setup {
    /// The corners of the box that holds the bodies, where the vessel is one.
    pub(super) fn walls(&self) -> Option<([f64; 3], [f64; 3])> {
        match self.matter.vessel {
            Vessel::Box(low, high) => Some((low.map(f64::from), high.map(f64::from))),
            Vessel::Ball(_) => None,
        }
    }
}
