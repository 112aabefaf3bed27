//! The icons that the app uses, as letters of Phosphor's regular weight. `assets/fonts/Phosphor.ttf` holds these alone, as
//! `pyftsubset Phosphor.ttf --unicodes=…` cuts them out.

pub const DICE: &str = "\u{e1ee}";
pub const HEART: &str = "\u{e2a8}";
pub const COLUMNS: &str = "\u{e546}";
pub const GRID: &str = "\u{e296}";
pub const LOCKED: &str = "\u{e308}";
pub const UNLOCKED: &str = "\u{e30a}";
pub const PLAY: &str = "\u{e3d0}";
pub const PAUSE: &str = "\u{e39e}";
pub const SUN: &str = "\u{e472}";
pub const MOON: &str = "\u{e330}";
pub const SEARCH: &str = "\u{e30c}";
pub const BACK: &str = "\u{e058}";
pub const CLOSE: &str = "\u{e4f6}";
pub const CHECK: &str = "\u{e182}";
pub const PROVED: &str = "\u{e606}";
pub const WARNING: &str = "\u{e4e2}";
pub const WALLET: &str = "\u{e68a}";
pub const COLLECTION: &str = "\u{e836}";
pub const EXPLORE: &str = "\u{e1c8}";
pub const MAKE: &str = "\u{e792}";
pub const APERTURE: &str = "\u{e00a}";
pub const COPY: &str = "\u{e1ca}";
pub const EXPORT: &str = "\u{eaf0}";
pub const SEND: &str = "\u{e398}";
pub const RESET: &str = "\u{e038}";
