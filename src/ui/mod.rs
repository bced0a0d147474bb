//! One file per pane; draws State, changes nothing.

use ratatui::Frame;

use crate::app::State;
use crate::model::Now;

/// Draws the whole screen.
pub fn view(_state: &State, _now: Now, _frame: &mut Frame<'_>) {}
