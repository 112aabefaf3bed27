//! Recipes, seeds, traits, scenarios and the deterministic world of Seedstorm.

pub mod fixed;
pub mod fluid;
pub mod genome;
pub mod merkle;
pub mod palette;
pub mod random;
pub mod recipe;
pub mod scenario;
pub mod scene;
pub mod seed;
mod stage;
pub mod trajectory;
pub mod world;

pub use genome::Genome;
pub use merkle::Digest;
pub use recipe::{ENGINE, Film, Recipe, RecipeError};
pub use seed::{Seed, SeedError};
pub use trajectory::{Player, Trajectory};
pub use world::{Backend, SimError, resolve, simulate};
