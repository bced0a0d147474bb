//! QR codes: picture → payload → modules → terminal cells. Knows nothing of logins.

pub mod code;
pub mod read;
pub mod render;

pub use code::Code;
