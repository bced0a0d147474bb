//! The TUI's body: the terminal, its input and signals, the loop.

use crate::app::{Effect, Msg};

/// The way into the loop from other threads: queues a message and wakes the loop.
#[derive(Clone, Debug)]
pub struct Inbox;

impl Inbox {
    /// Queues `msg` and wakes the loop. Never blocks; after the loop's end it does nothing.
    pub fn send(&self, _msg: Msg) {}
}

/// Does the effects that are not the terminal's own: engine commands, sign-in, the demo's phones.
pub trait Backstage {
    /// Starts the effect; must not block. Results come back through the [`Inbox`].
    fn perform(&mut self, effect: Effect);
}
