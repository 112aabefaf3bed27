//! Renderers that are programs of their own: Blender's Cycles, POV-Ray, anybody's.
//!
//! A plug-in is a folder with a manifest ([`Manifest`]) and whatever its command needs. It is told what to do on its
//! standard input and answers on its standard output, a line of JSON at a time ([`protocol`]); pictures are files. It
//! runs where it sees its own folder, what it is to draw and a folder for its pictures, and nothing else ([`Sandbox`]).
//! Nothing that it says or leaves behind is believed before it was looked at ([`Plugin::render`]).
//!
//! `render/renderers/README.md` is the guide for authors.

pub mod check;
mod cycles;
mod digest;
mod error;
mod manifest;
mod picture;
pub mod protocol;
mod run;
mod sandbox;
pub mod scene_file;

pub use error::PluginError;
pub use manifest::{Limits, Manifest};
pub use picture::Picture;
pub use run::{Input, Plugin, Watch};
pub use sandbox::Sandbox;
