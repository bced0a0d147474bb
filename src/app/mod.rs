//! The TUI's mind: [`State`], [`Msg`] in, [`Effect`] out. Pure: owns no handle, channel or clock.

pub mod accounts;
pub mod capabilities;
pub mod conveyor;
pub mod drawing;
pub mod edit;
pub mod effect;
pub mod events;
pub mod field;
pub mod filter;
mod gateway_news;
mod heard;
pub mod history;
mod keys;
pub mod layout;
pub mod logins;
pub mod marks;
pub mod msg;
mod notify;
pub mod popup;
pub mod questions;
pub mod said;
pub mod sign_in;
pub mod state;
pub mod strips;
pub mod update;

// What the face needs to read the state, so that it has to know nobody behind the mind.
pub use crate::action::Action;
pub use crate::engine::api::{
    Code, ConveyorView, Figures, Fleet, History, HistoryLine, Item, Phase, Place, Strip, Token,
};
pub use capabilities::{Capabilities, Multiplexer, Palette, Pictures, Protocol};
pub use effect::{DemoPhone, Effect, SignInForm};
pub use msg::Msg;
pub use state::{Start, State};
pub use update::update;
