//! Recipes, seeds, traits, scenarios and the deterministic world of Seedstorm.

pub mod fixed;
pub mod fluid;
pub mod genome;
pub mod random;
pub mod recipe;
pub mod scene;
pub mod seed;

pub use genome::Genome;
pub use recipe::{ENGINE, Film, Recipe, RecipeError};
pub use seed::{Seed, SeedError};
