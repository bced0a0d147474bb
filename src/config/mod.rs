//! Settings and where they came from.

pub mod keymap;
pub mod theme;
