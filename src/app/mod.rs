//! The TUI's mind: [`State`], [`Msg`] in, [`Effect`] out. Pure: owns no handle, channel or clock.

pub mod effect;
pub mod msg;
pub mod state;
pub mod update;

pub use effect::{DemoPhone, Effect, SignInForm};
pub use msg::Msg;
pub use state::State;
pub use update::update;
