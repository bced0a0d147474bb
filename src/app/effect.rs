//! Everything the TUI's mind asks its body to do: data.

use std::sync::Arc;

use secrecy::SecretString;

use crate::engine::api::{Code, Command};
use crate::model::{Dialect, WcId};

/// Everything `update` can ask for.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Hand this to the engine.
    Engine(Command),
    /// Get a token with this form; answered by `Msg::SignedIn` or `Msg::SignInFailed`.
    SignIn(SignInForm),
    /// Copy to the clipboard of the person's own machine (OSC 52).
    Copy(String),
    /// Write this code as a PNG file that only its owner can read, over the one that this login had before; answered
    /// by `Msg::Notice`, which says where it is.
    WritePng {
        /// Whose, by [`LoginNumber`](super::logins::LoginNumber).
        login: u64,
        /// The account; `None` for a new one.
        wc_id: Option<WcId>,
        /// The code.
        code: Arc<Code>,
    },
    /// The code is over: its file goes.
    RemovePng {
        /// Whose.
        login: u64,
    },
    /// Ring the bell.
    Bell,
    /// Call somebody to the terminal: the bell, or a desktop notification, as the settings and the terminal have it.
    Notify {
        /// In whose name, cleaned.
        title: String,
        /// What for, in the person's language, cleaned.
        body: String,
    },
    /// Clear and draw everything anew.
    Repaint,
    /// Give the terminal back and stop (`Ctrl-Z`).
    Suspend,
    /// Leave.
    Quit,
    /// In the demo: make the simulated phones do something.
    Demo(DemoPhone),
}

/// What the sign-in form holds.
#[derive(Clone, Debug)]
pub struct SignInForm {
    /// Base URL of the gateway.
    pub gateway: String,
    /// Which API.
    pub dialect: Dialect,
    /// Platform account.
    pub account: String,
    /// Platform password.
    pub password: SecretString,
    /// Keep the password for V1's list (asked for V1 only).
    pub keep_password: bool,
}

/// What the simulated phones can be made to do in the demo (design.md §7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DemoPhone {
    /// `6`: scan the code on the screen (the wanted account's phone, else a new one).
    Scan(Option<WcId>),
    /// `7`: confirm what the phone shows.
    Confirm(Option<WcId>),
    /// `8`: cancel it.
    Cancel(Option<WcId>),
    /// `9`: drop the account.
    Drop(WcId),
    /// `0`: let the phones act by themselves, or stop that.
    Auto,
}
