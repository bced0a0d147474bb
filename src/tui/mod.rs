//! The TUI's body: the terminal, its input and signals, the loop.
//!
//! One thread owns the terminal and sleeps in one `poll(2)` on keys, signals and the [`Inbox`]. [`run`] is the way in.
//!
//! * [`event_loop`] waits, reads all there is, lets the mind think, draws at most once;
//! * [`input`] makes keys of bytes, however the line has cut them;
//! * [`backend`] lets ratatui draw, [`screen`] makes few bytes of it;
//! * `owed` remembers what the terminal was asked, [`quiet`] for commands: its answers must not become somebody's input;
//! * [`terminal`] sets the terminal up and brings it back; [`signals`] and `crash` see to it that this always happens.

pub mod backend;
pub mod capabilities;
pub mod clipboard;
mod crash;
pub mod event_loop;
mod inbox;
pub mod input;
pub mod notify;
mod owed;
mod pen;
pub mod probe;
pub mod quiet;
pub mod screen;
pub mod signals;
pub mod terminal;

use std::io;

pub use event_loop::{Exit, Mind, Options, run};
pub use inbox::Inbox;

use crate::app::State;
/// What whoever starts the TUI hands in and takes out.
pub use crate::app::{Capabilities, DemoPhone, Effect, Msg, Multiplexer, Palette, Pictures, SignInForm, state::Start};
use crate::i18n::{Lang, t, tf};

/// Does the effects that are not the terminal's own: engine commands, sign-in, the demo's phones.
pub trait Backstage {
    /// Starts the effect; must not block. Results come back through the [`Inbox`].
    fn perform(&mut self, effect: Effect);

    /// The process is about to be stopped: what it holds is given up, so that others can go on with it. May take a moment.
    fn give_up(&mut self) {}

    /// It goes on after a stop.
    fn come_back(&mut self) {}
}

/// Runs the TUI from `start` on; see [`run`].
///
/// # Errors
///
/// As [`run`].
pub fn open(start: Start, options: Options, stage: impl FnOnce(Inbox) -> Box<dyn Backstage>) -> Result<Exit, Error> {
    run(State::new(start), options, stage)
}

/// Why there is no TUI.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// stdin or stdout is no terminal.
    #[error("stdin and stdout are not a terminal")]
    NoTerminal,
    /// The terminal fails.
    #[error("the terminal failed: {0}")]
    Io(#[from] io::Error),
}

impl Error {
    /// For people. What to do instead is the caller's to say: it knows the commands.
    pub fn words(&self, lang: Lang) -> String {
        match self {
            Self::NoTerminal => t(lang, "tui.no_terminal").into_owned(),
            Self::Io(error) => tf(lang, "tui.terminal_failed", &[("error", &error.to_string())]),
        }
    }
}
