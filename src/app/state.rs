//! What the TUI knows.

use std::time::Duration;

use crate::model::Now;

/// What the TUI knows: everything that a frame shows follows from it.
#[derive(Debug, Default)]
pub struct State {
    /// Set when a frame would look different from the last one.
    pub dirty: bool,
}

impl State {
    /// How long until something visible changes by itself (a countdown's second, a toast's end); `None` while nothing
    /// on the screen moves, so that an idle screen has no timer.
    pub fn next_wake(&self, _now: Now) -> Option<Duration> {
        None
    }
}
