//! The world as it is stepped, in three dimensions.
#![expect(clippy::disallowed_methods, reason = "what is only looked at need not have the same bits everywhere")]

pub mod bake;
pub mod look;
pub mod orbit;
pub mod particles;
pub mod show;
pub mod world;
