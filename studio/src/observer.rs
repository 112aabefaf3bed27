//! How long work reports and is stopped.

use serde::Serialize;

/// A part of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The world is stepped.
    Simulate,
    /// Frames are rendered.
    Render,
    /// The film is encoded.
    Encode,
    /// Content goes to the store.
    Pin,
    /// The token is minted.
    Mint,
    /// Segments are run again.
    Replay,
    /// Seeds are looked at quickly.
    Sweep,
    /// The best seeds are looked at in full.
    Finals,
}

impl Stage {
    /// How far [`Observer::reached`] goes over one frame of [`Stage::Render`].
    pub const FRAME: u64 = 1000;

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Simulate => "simulate",
            Self::Render => "render",
            Self::Encode => "encode",
            Self::Pin => "pin",
            Self::Mint => "mint",
            Self::Replay => "replay",
            Self::Sweep => "sweep",
            Self::Finals => "finals",
        }
    }
}

/// Watches long work and may stop it.
pub trait Observer: Sync {
    /// A stage begins; `total` is how far [`Observer::reached`] will go.
    fn begin(&self, stage: Stage, total: u64);
    /// The present stage has come this far. Called from any thread.
    fn reached(&self, done: u64);
    /// The present stage is done.
    fn end(&self, stage: Stage);
    /// A checkpoint was reached once more, of `of` that there are, and is `equal` to what was claimed of it or not.
    fn compared(&self, _checkpoint: u32, _of: u32, _equal: bool) {}
    /// Whether to stop soon.
    fn stopped(&self) -> bool {
        false
    }
}

/// Says nothing and never stops.
#[derive(Debug, Clone, Copy)]
pub struct Quiet;

impl Observer for Quiet {
    fn begin(&self, _: Stage, _: u64) {}
    fn reached(&self, _: u64) {}
    fn end(&self, _: Stage) {}
}
