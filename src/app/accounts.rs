//! The accounts and the order they are listed in. Rows do not move under a hand: a change that would move one only
//! marks the order as due; whoever owns the clock says when it is renewed.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::filter::Query;
use crate::model::{Account, Presence, Stamp, WcId};

/// Which accounts are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// The offline ones.
    Offline,
    /// The unknown ones.
    Unknown,
}

impl Filter {
    const fn takes(self, presence: Presence) -> bool {
        match self {
            Self::All => true,
            Self::Offline => matches!(presence, Presence::Offline),
            Self::Unknown => matches!(presence, Presence::Unknown),
        }
    }
}

/// Accounts, their listed order, and how many there are of each presence.
#[derive(Debug, Default)]
pub struct Accounts {
    all: Vec<Account>,
    index: HashMap<WcId, usize>,
    /// All accounts as places in `all`, in their right order as it was last renewed: a filter needs no sorting.
    ranked: Vec<usize>,
    /// Whether `ranked` may be wrong.
    unranked: bool,
    /// Listed accounts as places in `all`, in their order.
    order: Vec<usize>,
    /// Where in `order` an account stands; parallel to `all`, `usize::MAX` when it is not listed.
    place: Vec<usize>,
    filter: Filter,
    query: Query,
    /// What the clock said last: a rest ends by it.
    clock: Stamp,
    counts: [usize; 3],
    due: bool,
}

const NOWHERE: usize = usize::MAX;

/// Worst first; then by name and wcId, so that the order is the same everywhere and always.
fn compare(a: &Account, b: &Account) -> Ordering {
    const fn rank(presence: Presence) -> u8 {
        match presence {
            Presence::Offline => 0,
            Presence::Unknown => 1,
            Presence::Online => 2,
        }
    }
    rank(a.presence).cmp(&rank(b.presence)).then_with(|| a.name().cmp(b.name())).then_with(|| a.wc_id.cmp(&b.wc_id))
}

const fn slot(presence: Presence) -> usize {
    match presence {
        Presence::Online => 0,
        Presence::Offline => 1,
        Presence::Unknown => 2,
    }
}

impl Accounts {
    /// Replaces everything; a later account with the same wcId wins. The order is renewed at once.
    pub fn replace(&mut self, accounts: Vec<Account>) {
        self.all.clear();
        self.index.clear();
        for account in accounts {
            match self.index.get(&account.wc_id).and_then(|at| self.all.get_mut(*at)) {
                Some(there) => *there = account,
                None => {
                    self.index.insert(account.wc_id.clone(), self.all.len());
                    self.all.push(account);
                }
            }
        }
        self.counts = [0; 3];
        for account in &self.all {
            if let Some(count) = self.counts.get_mut(slot(account.presence)) {
                *count += 1;
            }
        }
        self.unranked = true;
        self.sort();
    }

    /// How many there are of each presence while only the first ones are there: more than can be counted here, until
    /// [`Accounts::replace`] brings the others.
    pub fn expect(&mut self, counts: [usize; 3]) {
        self.counts = counts;
    }

    /// Puts one account in. A new one goes to the list's end until the order is renewed.
    pub fn put(&mut self, account: Account) {
        self.count(account.presence, 1);
        if let Some(at) = self.index.get(&account.wc_id).copied() {
            let Some(there) = self.all.get_mut(at) else { return };
            let old = std::mem::replace(there, account);
            self.unranked |= compare(&old, there).is_ne();
            self.count(old.presence, -1);
            self.due |= self.is_misplaced(at);
        } else {
            let at = self.all.len();
            self.index.insert(account.wc_id.clone(), at);
            let listed = self.takes(&account);
            self.unranked = true;
            self.all.push(account);
            self.place.push(if listed { self.order.len() } else { NOWHERE });
            if listed {
                self.order.push(at);
                self.due |= self.is_misplaced(at);
            }
        }
    }

    /// Takes one account out; the rows below move up at once.
    pub fn remove(&mut self, wc_id: &WcId) {
        let Some(at) = self.index.remove(wc_id) else { return };
        let gone = self.all.swap_remove(at);
        self.count(gone.presence, -1);
        let moved_from = self.all.len();
        if let Some(moved) = self.all.get(at) {
            self.index.insert(moved.wc_id.clone(), at);
        }
        for places in [&mut self.order, &mut self.ranked] {
            places.retain(|other| *other != at);
            for other in places {
                if *other == moved_from {
                    *other = at;
                }
            }
        }
        self.number();
    }

    /// Lists other accounts, in their right order, at once.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.sort();
    }

    /// What is listed.
    pub const fn filter(&self) -> Filter {
        self.filter
    }

    /// Lists those that a query takes, in their right order, at once.
    pub fn set_query(&mut self, query: Query) {
        self.query = query;
        self.sort();
    }

    /// Another spelling of the query: it takes the same.
    pub(super) fn rename_query(&mut self, query: Query) {
        self.query = query;
    }

    /// Who is listed, beside [`Accounts::filter`].
    pub const fn query(&self) -> &Query {
        &self.query
    }

    /// Takes both filters away.
    pub fn show_all(&mut self) {
        self.filter = Filter::All;
        self.set_query(Query::default());
    }

    /// What the clock says: nothing moves for it, but what is listed next knows who rests.
    pub const fn set_clock(&mut self, now: Stamp) {
        self.clock = now;
    }

    fn takes(&self, account: &Account) -> bool {
        self.filter.takes(account.presence) && self.query.takes(account, self.clock)
    }

    /// Whether the rows stand differently from how they should.
    pub const fn is_due(&self) -> bool {
        self.due
    }

    /// Renews the order.
    pub fn sort(&mut self) {
        let Self { all, ranked, order, filter, query, clock, .. } = self;
        if self.unranked || ranked.len() != all.len() {
            ranked.clear();
            ranked.extend(0..all.len());
            ranked.sort_unstable_by(|a, b| match (all.get(*a), all.get(*b)) {
                (Some(a), Some(b)) => compare(a, b),
                _ => Ordering::Equal,
            });
        }
        order.clear();
        let taken = |at: &&usize| {
            all.get(**at).is_some_and(|account| filter.takes(account.presence) && query.takes(account, *clock))
        };
        order.extend(ranked.iter().filter(taken));
        self.unranked = false;
        self.number();
        self.due = false;
    }

    /// How many are listed.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is listed.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many there are, listed or not.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// How many are online, offline, unknown.
    pub const fn counts(&self) -> [usize; 3] {
        self.counts
    }

    /// The account in a listed place.
    pub fn at(&self, place: usize) -> Option<&Account> {
        self.order.get(place).and_then(|at| self.all.get(*at))
    }

    /// One account, listed or not.
    pub fn get(&self, wc_id: &WcId) -> Option<&Account> {
        self.index.get(wc_id).and_then(|at| self.all.get(*at))
    }

    /// The listed place of an account.
    pub fn place(&self, wc_id: &WcId) -> Option<usize> {
        let at = self.index.get(wc_id)?;
        self.place.get(*at).copied().filter(|place| *place != NOWHERE)
    }

    fn number(&mut self) {
        self.place.clear();
        self.place.resize(self.all.len(), NOWHERE);
        for (place, at) in self.order.iter().enumerate() {
            if let Some(mine) = self.place.get_mut(*at) {
                *mine = place;
            }
        }
    }

    fn count(&mut self, presence: Presence, by: isize) {
        if let Some(count) = self.counts.get_mut(slot(presence)) {
            *count = count.saturating_add_signed(by);
        }
    }

    /// Whether an account stands wrongly between its neighbours, is listed and should not be, or the other way round.
    fn is_misplaced(&self, at: usize) -> bool {
        let Some(account) = self.all.get(at) else { return false };
        let place = self.place.get(at).copied().unwrap_or(NOWHERE);
        if place == NOWHERE {
            return self.takes(account);
        }
        !self.takes(account)
            || place.checked_sub(1).and_then(|p| self.at(p)).is_some_and(|above| compare(above, account).is_gt())
            || self.at(place + 1).is_some_and(|below| compare(account, below).is_gt())
    }
}

#[cfg(test)]
mod tests {
    use crate::property::cases;
    use proptest::prelude::*;

    use super::*;

    fn account(id: u8, presence: Presence) -> Account {
        Account { presence, ..Account::new(WcId::new(format!("wxid_{id:03}"))) }
    }

    fn ids(accounts: &Accounts) -> Vec<String> {
        (0..accounts.len()).map(|at| accounts.at(at).unwrap().wc_id.to_string()).collect()
    }

    #[test]
    fn worst_first_and_frozen_until_renewed() {
        let mut list = Accounts::default();
        list.replace(vec![account(1, Presence::Online), account(2, Presence::Unknown), account(3, Presence::Offline)]);
        assert_eq!(ids(&list), ["wxid_003", "wxid_002", "wxid_001"]);
        list.put(account(1, Presence::Offline));
        assert_eq!(ids(&list), ["wxid_003", "wxid_002", "wxid_001"]);
        assert!(list.is_due());
        list.sort();
        assert_eq!(ids(&list), ["wxid_001", "wxid_003", "wxid_002"]);
        assert_eq!(list.counts(), [0, 2, 1]);
    }

    #[test]
    fn a_change_that_moves_nothing_is_not_due() {
        let mut list = Accounts::default();
        list.replace(vec![account(1, Presence::Online), account(2, Presence::Online)]);
        list.put(Account { stale: true, ..account(2, Presence::Online) });
        assert!(!list.is_due());
        list.put(account(3, Presence::Online));
        assert!(!list.is_due(), "a new account that belongs at the end");
    }

    #[test]
    fn the_first_ones_stand_for_all_until_the_others_come() {
        let mut list = Accounts::default();
        list.replace(vec![account(1, Presence::Offline)]);
        list.expect([2, 1, 0]);
        assert_eq!((list.total(), list.len(), list.counts()), (3, 1, [2, 1, 0]));
        list.put(account(1, Presence::Online));
        assert_eq!((list.total(), list.counts()), (3, [3, 0, 0]));
        list.replace((1..5).map(|id| account(id, Presence::Online)).collect());
        assert_eq!((list.total(), list.len(), list.counts()), (4, 4, [4, 0, 0]));
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn the_books_balance(steps in proptest::collection::vec((0u8..4, 0u8..12, 0u8..3), 0..80)) {
            let mut list = Accounts::default();
            for (what, id, presence) in steps {
                let presence = [Presence::Online, Presence::Offline, Presence::Unknown][usize::from(presence)];
                match what {
                    0 | 1 => list.put(account(id, presence)),
                    2 => list.remove(&account(id, presence).wc_id),
                    _ if id < 4 => list.set_query(Query::parse(["", "1", "offline", "_00"][usize::from(id)])),
                    _ => list.set_filter([Filter::All, Filter::Offline, Filter::Unknown][slot(presence)]),
                }
                prop_assert_eq!(list.all.len(), list.total());
                for place in 0..list.len() {
                    prop_assert_eq!(list.place(&list.at(place).unwrap().wc_id), Some(place));
                }
                let before = ids(&list);
                let due = list.is_due();
                let query = list.query().clone();
                let mut sorted = Accounts { filter: list.filter(), query, ..Accounts::default() };
                sorted.replace(list.all.clone());
                // Not due means in order; a row may also be due and come back by itself.
                if !due {
                    prop_assert_eq!(before, ids(&sorted));
                }
            }
        }
    }
}
