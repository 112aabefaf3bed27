//! The world as it is stepped, in three dimensions.

pub mod bake;
pub mod look;
pub mod orbit;
pub mod show;
pub mod world;
