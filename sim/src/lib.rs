//! Recipes, seeds, traits, scenarios and the deterministic world of Seedstorm.

pub mod scene;
