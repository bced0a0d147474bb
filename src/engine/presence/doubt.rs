//! When a list is not believed at once: it is empty, or lacks many of those who were online, or did not come at all.

use std::collections::{BTreeSet, HashSet};

use super::{Entries, is_moot};
use crate::model::{Account, Began, Presence, WId, WcId};

/// So many of the missing ones are asked one by one at most.
const ASKED: usize = 5;
/// With fewer accounts online than this, the missing are not asked one by one.
const FEW: usize = 3;
/// So many drops at once are one event, however large the fleet.
const MASS: usize = 10;

/// Whether so many of so many that were online are too many to go by one list: at least three, and a fifth.
pub const fn is_many(missing: usize, online: usize) -> bool {
    missing >= FEW && missing.saturating_mul(5) >= online
}

/// Whether so many drops, found by one list, are told as one: of a large fleet, few may still be more than anybody
/// wants to be told of one by one.
pub const fn is_mass(dropped: usize, online: usize) -> bool {
    dropped >= MASS || is_many(dropped, online)
}

/// Whether what is believed of an account is from before the outage that began then.
pub fn is_stale_in_outage(account: &Account, outage: Option<Began>) -> bool {
    account.presence != Presence::Unknown && outage.is_some_and(|since| account.observed < since.order)
}

/// What is left of a list that is not believed.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    /// When the first such list was asked for.
    pub(super) since: Began,
    /// How many such lists came in a row.
    pub(super) lists: u8,
    /// Who was missing from all of them.
    pub(super) missing: BTreeSet<WcId>,
    /// How many accounts were online before.
    pub(super) online: usize,
}

/// Who of the accounts believed to be online a list lacks, if these are so many that it is suspect.
pub(super) fn suspicious<'a>(
    began: Began,
    entries: &Entries,
    accounts: impl Iterator<Item = &'a Account>,
    busy: &HashSet<WcId>,
) -> Option<(BTreeSet<WcId>, usize)> {
    let listed: HashSet<&WcId> = entries.iter().map(|(wc_id, _)| wc_id).collect();
    let mut missing = BTreeSet::new();
    let mut online = 0;
    for account in accounts.filter(|account| account.presence == Presence::Online && !is_moot(account, began, busy)) {
        online += 1;
        if !listed.contains(&account.wc_id) {
            missing.insert(account.wc_id.clone());
        }
    }
    let suspect = !missing.is_empty() && (entries.is_empty() || is_many(missing.len(), online));
    suspect.then_some((missing, online))
}

impl Doubt {
    /// Adds one more such list to those before it. Who came back in between is not in doubt any more.
    pub(super) fn add(before: Option<Self>, began: Began, missing: BTreeSet<WcId>, online: usize) -> Self {
        match before {
            Some(before) => {
                let both: BTreeSet<WcId> = before.missing.intersection(&missing).cloned().collect();
                if both.is_empty() {
                    Self { since: before.since, lists: 1, missing, online }
                } else {
                    Self { since: before.since, lists: before.lists.saturating_add(1), missing: both, online }
                }
            }
            None => Self { since: began, lists: 1, missing, online },
        }
    }

    /// Whether the missing ones are few enough to be believed after one list more than usual.
    pub(super) const fn is_small(&self) -> bool {
        self.online < FEW
    }

    /// Whom to ask: at most five, evenly spread.
    pub(super) fn sample<'a>(&self, wid_of: impl Fn(&WcId) -> Option<&'a WId>) -> Vec<(WcId, WId)> {
        let known: Vec<(&WcId, &WId)> = self.missing.iter().filter_map(|wc_id| Some((wc_id, wid_of(wc_id)?))).collect();
        let step = known.len().div_ceil(ASKED).max(1);
        known.into_iter().step_by(step).map(|(wc_id, w_id)| (wc_id.clone(), w_id.clone())).collect()
    }
}
