//! What is said to a plug-in and by it: one JSON document on its standard input, then lines of JSON on its standard
//! output.
//!
//! Files are named within the folders that the plug-in finds in its environment: `JOB` has what it reads, `OUT` takes
//! its pictures. `render/renderers/README.md` has the whole of it in words.

use serde::{Deserialize, Serialize};

use crate::frame::Rect;

/// The protocol that this version speaks.
pub const VERSION: u32 = 1;

/// The longest line that a plug-in may say, in bytes, and the most lines.
pub(super) const MAX_LINE_BYTES: usize = 64 << 10;
pub(super) const MAX_LINES: usize = 1 << 20;

/// What a plug-in is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Task {
    /// What is in a file: answered by [`Reply::Film`].
    Describe {
        /// [`VERSION`].
        protocol: u32,
        /// The file, in `JOB`.
        input: String,
    },
    /// To draw frames: each answered by [`Reply::Frame`].
    Render {
        /// [`VERSION`].
        protocol: u32,
        /// The frames, in the order that they are wanted.
        frames: Vec<Frame>,
        /// Pixels of a whole frame; what the file says where it is left out.
        size: Option<[u32; 2]>,
        /// Samples a pixel; what the file says where they are left out.
        samples: Option<u32>,
        /// Keys whatever the renderer draws by chance.
        seed: u32,
        /// The part of each frame to draw; all of it where it is left out.
        tile: Option<Rect>,
        /// What the pictures are.
        format: Format,
        /// As many threads as it may keep busy.
        threads: u32,
    },
}

/// A frame to draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Its number.
    pub number: u32,
    /// The file that it is in, in `JOB`.
    pub input: String,
}

/// What a picture's numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// OpenEXR: linear Rec. 709 radiance, half or full floats, not developed in any way.
    Exr,
    /// PNG: what is to be seen, 8 or 16 bits, sRGB.
    Png,
}

impl Format {
    /// How a file's name ends.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Exr => "exr",
            Self::Png => "png",
        }
    }
}

/// What a plug-in answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Reply {
    /// A frame is there.
    Frame {
        /// Its number.
        frame: u32,
        /// The picture, in `OUT`.
        file: String,
    },
    /// The share of all that was asked that is done, in [0, 1].
    Progress {
        /// The share.
        progress: f32,
    },
    /// What a file holds.
    Film {
        /// It.
        film: Film,
    },
    /// What it was asked cannot be done; the last thing that it says.
    Error {
        /// Why, and what to do about it.
        error: String,
    },
}

/// The film in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Film {
    /// The first frame and the last.
    pub frames: [u32; 2],
    /// Frames a second, in 1..=120.
    pub fps: u32,
    /// Pixels of a frame, each in 1..=16384.
    pub size: [u32; 2],
    /// What of the file will not be as its author sees it, in words for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
