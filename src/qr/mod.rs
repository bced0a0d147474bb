//! QR codes: picture → payload → modules → terminal cells. Knows nothing of logins.
//!
//! The way of a code: [`read`](read::read) takes the gateway's picture and gives the payload; [`Code::encode`] turns it
//! into modules; [`verify`](verify::verify) proves that what will be drawn says the same; [`render::fit`] finds the
//! place and [`render::cells`] draws. [`ansi`] is the same cells for a plain terminal, [`png`] a picture for a phone
//! that is elsewhere. The measurements behind every choice are in qr.md.

pub mod ansi;
pub mod code;
mod engine;
pub mod png;
pub mod read;
pub mod render;
mod variants;
pub mod verify;

pub use code::{Code, Ec, EncodeError};
pub use read::{ReadError, Reading, Stage, read};
pub use render::{Cells, Layout, Missing, Palette, Placement};
pub use verify::verify;
