//! The one function that changes the state.

use super::{Effect, Msg, State};
use crate::model::Now;

/// Takes what happened, changes the state, says what is to be done. Never panics, whatever comes in whatever order.
pub fn update(_state: &mut State, _msg: Msg, _now: Now) -> Vec<Effect> {
    Vec::new()
}
