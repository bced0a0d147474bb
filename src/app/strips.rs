//! Whose last 24 hours the engine is asked for: the rows on the screen, once the list stands still.

use std::collections::HashMap;
use std::time::Duration;

use super::Effect;
use super::state::{Pane, State};
use crate::engine::api::{Command, Strip};
use crate::model::{Now, WcId};

/// A row of the accounts that is whole takes this many columns; what is more can hold a strip.
const ROW: u16 = 42;
/// A list that is scrolled is asked about when it has stood still for this long.
const REST: Duration = Duration::from_millis(150);
/// Strips of rows that are off the screen are kept up to this number: scrolling back shows them at once.
const KEPT: usize = 1_000;

/// How many cells a row's strip has in a list of this width: an hour each, two hours each, or none.
pub const fn cells(columns: u16) -> u16 {
    match columns.saturating_sub(ROW) {
        25.. => 24,
        13.. => 12,
        _ => 0,
    }
}

/// What is known of the last 24 hours, and what was asked.
#[derive(Debug, Default)]
pub struct Strips {
    known: HashMap<WcId, Strip>,
    /// Whose were asked last: the engine tells of these by itself when they change.
    asked: Vec<WcId>,
    /// Whose are to be asked, and when.
    pending: Vec<WcId>,
    due: Option<Duration>,
}

impl Strips {
    /// The strip of an account.
    pub fn get(&self, wc_id: &WcId) -> Option<&Strip> {
        self.known.get(wc_id)
    }

    /// Takes what the engine told.
    pub(super) fn take(&mut self, strips: Vec<(WcId, Strip)>) {
        if self.known.len() > KEPT {
            let Self { known, asked, .. } = self;
            known.retain(|wc_id, _| asked.contains(wc_id));
        }
        self.known.extend(strips);
    }

    /// When the next ones are asked, on the monotonic clock.
    pub(super) const fn due(&self) -> Option<Duration> {
        self.due
    }
}

impl State {
    /// The accounts whose strips are on the screen, or have their place there.
    fn in_view(&self) -> Vec<WcId> {
        let layout = self.layout();
        let mut view = Vec::new();
        if self.sign_in.is_some() || self.shows_full_screen() {
            return view;
        }
        let inner = layout.accounts.width.saturating_sub(if layout.boxed { 4 } else { 0 });
        if layout.accounts.height > 0 && cells(inner) > 0 {
            let new = self.logins.new_ones().count();
            let rows = self.top.max(new)..self.top + self.list_rows();
            view.extend(rows.filter_map(|row| self.accounts.at(row - new)).map(|account| account.wc_id.clone()));
        }
        let pane = !layout.single || self.focus == Pane::Login;
        if pane
            && self.login().is_none()
            && let Some(account) = self.account()
            && !view.contains(&account.wc_id)
        {
            view.push(account.wc_id.clone());
        }
        view
    }

    /// After a frame, and when the time has come: asks for the strips of the rows on the screen, if they are others than those asked for last and have been there
    /// for a moment: a list that is scrolled costs one question at its end.
    pub(super) fn follow_strips(&mut self, now: Now) -> Option<Effect> {
        if self.fleet.is_none() && self.token.is_none() {
            // No engine has spoken yet.
            return None;
        }
        let view = self.in_view();
        let strips = &mut self.strips;
        if view.iter().all(|wc_id| strips.asked.contains(wc_id)) {
            strips.due = None;
            strips.pending.clear();
            return None;
        }
        if strips.pending != view {
            strips.pending = view;
            strips.due = Some(now.mono + REST);
            return None;
        }
        if strips.due.is_some_and(|due| now.mono < due) {
            return None;
        }
        strips.due = None;
        strips.asked = std::mem::take(&mut strips.pending);
        Some(Effect::Engine(Command::Strips { wc_ids: strips.asked.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_to_be_good_at_has_no_room() {
        assert_eq!([42, 54, 55, 66, 67, 200].map(cells), [0, 0, 12, 12, 24, 24]);
    }
}
