//! Everything that can happen to the TUI's state.

use super::Capabilities;
use crate::action::Key;
use crate::engine::api::Event;

/// Everything that can happen to the TUI's state: plain data.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key.
    Key(Key),
    /// A bracketed paste, as one piece; outside a field it is dropped.
    Paste(String),
    /// The terminal has this size now.
    Resize {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// What is known of the terminal now.
    Terminal(Capabilities),
    /// The engine tells something.
    Engine(Event),
    /// A frame of the current state was written: a popup on it takes keys from now on.
    Drawn,
    /// A timer asked for by `State::next_wake` is due.
    Tick,
    /// [`Effect::SignIn`](super::Effect::SignIn) succeeded: the profile is saved, an engine runs.
    SignedIn {
        /// The profile's name.
        profile: String,
    },
    /// [`Effect::SignIn`](super::Effect::SignIn) failed; nothing was saved.
    SignInFailed {
        /// What failed, the gateway's words, what to do: for people, in their language, cleaned.
        message: String,
    },
    /// An effect that is no engine command failed or has something to say (a toast).
    Notice {
        /// For people, in their language, cleaned.
        message: String,
    },
    /// The terminal is being given back or came back (suspend and resume): everything has to be drawn anew.
    Repaint,
    /// In the demo: whether the phones act by themselves now.
    DemoAuto(bool),
}
