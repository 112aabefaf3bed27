//! Recipes, seeds, traits, scenarios and the deterministic world of Seedstorm.
//!
//! A [`Recipe`] names a scenario and a seed. [`simulate`] runs its world to the end and gives a [`Trajectory`] (what
//! the world looked like) and a `sim_root` (the Merkle root over every checkpoint of its whole state). Both are pure
//! functions of the recipe: the same bits on every machine, for any number of threads, on a CPU or a GPU. A
//! scenario's [`scenario::Stage`] turns the trajectory into [`scene::Scene`]s for a renderer to draw.
//!
//! ```
//! use seedstorm_sim::{Backend, Film, Recipe, recipe::ParamValue, simulate};
//!
//! let mut recipe = Recipe::new("bloom@1", 7.into(), Film::DRAFT)?;
//! recipe.params.insert("arms".into(), ParamValue::Number(6.0));
//! recipe.params.insert("rings".into(), ParamValue::Number(4.0));
//! let run = simulate(&recipe, Backend::Auto, &mut |_step, _of| true)?;
//! assert_eq!(run.trajectory.elements(), 6 * 4 + 6 + 1);
//! assert_eq!(run.sim_root, simulate(&recipe, Backend::Cpu, &mut |_, _| true)?.sim_root);
//! # Ok::<(), seedstorm_sim::SimError>(())
//! ```
//!
//! The crate never renders, never touches the network, a clock, a key or a file, and never lets a thread, an
//! adapter or the order of a map into a result.

pub mod coupled;
mod environment;
pub mod fixed;
pub mod genome;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod gravity;
mod lanes;
pub mod matter;
pub mod merkle;
pub mod palette;
mod platform;
pub mod random;
pub mod recipe;
pub mod scenario;
pub mod scene;
pub mod seed;
pub mod segment;
mod stage;
pub mod text;
pub mod trajectory;
pub mod world;

pub use genome::Genome;
pub use merkle::Digest;
pub use recipe::{ENGINE, Film, Recipe, RecipeError};
pub use seed::{Seed, SeedError};
pub use trajectory::{Player, Trajectory};
pub use world::{Backend, Seal, SimError, Simulation, resolve, simulate};
