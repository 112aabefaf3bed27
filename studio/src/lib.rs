//! The Seedstorm pipeline: recipe → world → trajectory → film → bundle → token, and back again to check it.
//!
//! [`make()`] runs the whole way, [`verify()`] goes over all of it once more. Both report what they do through
//! [`Observer`], so that a command line and an app can show the same work. Everything that is kept lies in a [`Home`].
//! Nothing here simulates, renders or signs by itself: it joins the crates that do.
//!
//! ```no_run
//! use seedstorm_sim::{Backend, Film, Recipe};
//! use seedstorm_studio::{Home, Quiet, make, make::Options};
//!
//! let home = Home::open("seedstorm-home")?;
//! let recipe = Recipe::new("bloom@1", 7.into(), Film::DRAFT)?;
//! let made = make(&home, &recipe, &Options { mint: false, ..Options::default() }, &Quiet)?;
//! println!("{}", made.film.display());
//! # Ok::<(), seedstorm_studio::StudioError>(())
//! ```

pub mod census;
mod chance;
pub mod check;
mod checkpoints;
pub mod doctor;
mod error;
pub mod export;
mod film;
mod home;
pub mod import;
pub mod ledger;
mod light;
pub mod located;
pub mod make;
mod making;
mod observer;
pub mod picture;
pub mod pieces;
pub mod render;
pub mod renderers;
pub mod scene_file;
pub mod sweep;
pub mod verify;
pub mod wallet;

pub use chance::random_bytes;
pub use error::StudioError;
pub use home::Home;
pub use make::make;
pub use observer::{Observer, Quiet, Stage};
pub use render::render;
pub use verify::verify;
