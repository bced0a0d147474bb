//! Marked accounts: what the conveyor takes. A mark belongs to the wcId, so it stays with its account wherever the row
//! goes, and when a filter hides it.

use std::collections::HashSet;

use super::accounts::Accounts;
use super::state::{Pane, Selected, State};
use crate::model::{Account, WcId};

/// The marked accounts.
#[derive(Debug, Default)]
pub struct Marks {
    marked: HashSet<WcId>,
}

impl Marks {
    /// Whether an account is marked.
    pub fn has(&self, wc_id: &WcId) -> bool {
        self.marked.contains(wc_id)
    }

    /// How many are marked.
    pub fn len(&self) -> usize {
        self.marked.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    /// The marked accounts, sorted by wcId: the conveyor has an order of its own.
    pub fn all(&self) -> Vec<WcId> {
        let mut all: Vec<WcId> = self.marked.iter().cloned().collect();
        all.sort_unstable();
        all
    }

    /// An account is gone: so is its mark.
    pub(super) fn remove(&mut self, wc_id: &WcId) {
        self.marked.remove(wc_id);
    }

    /// Forgets the marks of accounts that are not there.
    pub(super) fn keep(&mut self, accounts: &Accounts) {
        self.marked.retain(|wc_id| accounts.get(wc_id).is_some());
    }

    fn toggle(&mut self, wc_id: &WcId) {
        if !self.marked.remove(wc_id) {
            self.marked.insert(wc_id.clone());
        }
    }
}

/// Marks the selected account, or takes its mark away.
pub(super) fn toggle(state: &mut State) {
    if let Selected::Account(wc_id) = &state.selected {
        state.marks.toggle(wc_id);
        state.focus = Pane::Accounts;
    }
}

/// Marks every account that is listed.
pub(super) fn mark_all(state: &mut State) {
    let State { marks, accounts, .. } = state;
    let listed = (0..accounts.len()).filter_map(|place| accounts.at(place));
    marks.marked.extend(listed.map(|account: &Account| account.wc_id.clone()));
}

/// Takes all marks away.
pub(super) fn clear(state: &mut State) {
    state.marks = Marks::default();
}
