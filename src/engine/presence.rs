//! What a fleet list proves, as a pure judge.
//!
//! A list says who is online; who is missing from it is believed to be off line only after enough lists in a row
//! agree. A list replaces a wId only when no attempt of ours is open on the account and two lists in a row agree
//! (design.md §3 rule 3). Evidence older than an account's last stored login changes nothing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::model::{Account, Presence, Reason, Source, Stamp, WId, WcId};
use crate::store::Verdict;

/// For this long after our own `member/offline` a list may still show the account (protocol.md §3.9).
const OFFLINE_LAG_MS: i64 = 30_000;

/// Whether evidence of this age is too old to be believed without a word: three intervals, at least five minutes.
pub fn is_stale(account: &Account, now: Stamp, interval: Duration) -> bool {
    let limit = interval.saturating_mul(3).max(Duration::from_secs(300));
    let limit_ms = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    match (account.presence, account.observed_at) {
        (Presence::Unknown, _) => false,
        (_, None) => true,
        (_, Some(at)) => now.ms_since(at) > limit_ms,
    }
}

/// What follows for accounts that the gateway took off line on our own wish, asked for at `at`.
pub fn taken_offline(wc_ids: &[WcId], at: Stamp) -> Vec<Verdict> {
    let verdict = |wc_id: &WcId| Verdict {
        wc_id: wc_id.clone(),
        presence: Presence::Offline,
        source: Source::Own,
        at,
        reason: Some(Reason::TakenOffline),
    };
    wc_ids.iter().map(verdict).collect()
}

/// What one list leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Changes of belief.
    pub verdicts: Vec<Verdict>,
    /// Listed accounts that are not in the store.
    pub unknown: Vec<(WcId, Option<WId>)>,
    /// Known wIds that a list has confirmed.
    pub confirm: Vec<(WcId, WId)>,
    /// wIds that two lists in a row showed, with the time of the first.
    pub adopt: Vec<(WcId, WId, Stamp)>,
    /// Whether something was seen that a second list should settle soon.
    pub look_again: bool,
}

/// Remembers between lists what is not settled yet: only exceptions take memory.
#[derive(Clone, Debug)]
pub struct Judge {
    offline_after: u8,
    missing: HashMap<WcId, u8>,
    changed: HashMap<WcId, (WId, Stamp)>,
    taken_offline: HashMap<WcId, Stamp>,
}

impl Judge {
    /// A judge that believes a drop after `offline_after` agreeing lists (at least one).
    pub fn new(offline_after: u8) -> Self {
        Self {
            offline_after: offline_after.max(1),
            missing: HashMap::new(),
            changed: HashMap::new(),
            taken_offline: HashMap::new(),
        }
    }

    /// Notes that we took the account off line ourselves.
    pub fn took_offline(&mut self, wc_id: &WcId, at: Stamp) {
        self.taken_offline.insert(wc_id.clone(), at);
        self.missing.remove(wc_id);
    }

    /// Notes that a login of the account was stored: what lists showed before is settled.
    pub fn logged_in(&mut self, wc_id: &WcId) {
        self.taken_offline.remove(wc_id);
        self.missing.remove(wc_id);
        self.changed.remove(wc_id);
    }

    /// Judges a list whose request was started at `at`. `busy`: accounts with an open attempt of ours.
    pub fn list<'a>(
        &mut self,
        at: Stamp,
        entries: &[(WcId, Option<WId>)],
        accounts: impl IntoIterator<Item = &'a Account>,
        busy: &HashSet<WcId>,
    ) -> Judgement {
        let mut judgement = Judgement::default();
        let mut listed: HashMap<&WcId, Option<&WId>> = HashMap::with_capacity(entries.len());
        for (wc_id, w_id) in entries {
            listed.insert(wc_id, w_id.as_ref());
        }
        self.taken_offline.retain(|_, since| at.ms_since(*since) <= OFFLINE_LAG_MS);
        for account in accounts {
            let entry = listed.remove(&account.wc_id);
            if account.last_login_at.is_some_and(|login| at <= login) {
                continue;
            }
            match entry {
                Some(w_id) => self.present(at, account, w_id, busy, &mut judgement),
                None => self.absent(at, account, busy, &mut judgement),
            }
        }
        judgement.unknown = entries
            .iter()
            .filter(|(wc_id, _)| listed.remove(wc_id).is_some())
            .map(|(wc_id, w_id)| (wc_id.clone(), w_id.clone()))
            .collect();
        judgement
    }

    fn present(
        &mut self,
        at: Stamp,
        account: &Account,
        w_id: Option<&WId>,
        busy: &HashSet<WcId>,
        judgement: &mut Judgement,
    ) {
        self.missing.remove(&account.wc_id);
        let same = w_id.is_none() || w_id == account.w_id.as_ref();
        if same && self.taken_offline.contains_key(&account.wc_id) {
            return;
        }
        if account.presence != Presence::Online {
            judgement.verdicts.push(Verdict {
                wc_id: account.wc_id.clone(),
                presence: Presence::Online,
                source: Source::List,
                at,
                reason: None,
            });
        }
        let Some(w_id) = w_id else { return };
        if same && !account.w_id_confirmed {
            judgement.confirm.push((account.wc_id.clone(), w_id.clone()));
        }
        if same || busy.contains(&account.wc_id) {
            self.changed.remove(&account.wc_id);
            return;
        }
        match self.changed.get(&account.wc_id) {
            Some((seen, since)) if seen == w_id => {
                judgement.adopt.push((account.wc_id.clone(), w_id.clone(), *since));
                self.changed.remove(&account.wc_id);
            }
            Some(_) | None => {
                self.changed.insert(account.wc_id.clone(), (w_id.clone(), at));
                judgement.look_again = true;
            }
        }
    }

    fn absent(&mut self, at: Stamp, account: &Account, busy: &HashSet<WcId>, judgement: &mut Judgement) {
        self.changed.remove(&account.wc_id);
        if account.presence == Presence::Offline || busy.contains(&account.wc_id) {
            self.missing.remove(&account.wc_id);
            return;
        }
        let misses = self.missing.entry(account.wc_id.clone()).or_insert(0);
        *misses = misses.saturating_add(1);
        if *misses < self.offline_after {
            return;
        }
        self.missing.remove(&account.wc_id);
        let dropped = account.presence == Presence::Online;
        judgement.verdicts.push(Verdict {
            wc_id: account.wc_id.clone(),
            presence: Presence::Offline,
            source: Source::List,
            at,
            reason: dropped.then_some(Reason::Dropped),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(presence: Presence, w_id: Option<&str>) -> Account {
        let mut account = Account::new(WcId::from("wxid_a"));
        account.presence = presence;
        account.w_id = w_id.map(WId::from);
        account.w_id_confirmed = w_id.is_some();
        account
    }

    fn listed(w_id: Option<&str>) -> Vec<(WcId, Option<WId>)> {
        vec![(WcId::from("wxid_a"), w_id.map(WId::from))]
    }

    fn presences(judgement: &Judgement) -> Vec<Presence> {
        judgement.verdicts.iter().map(|verdict| verdict.presence).collect()
    }

    #[test]
    fn a_drop_is_believed_after_enough_lists_and_not_before() {
        for (from, after, expected) in [
            (Presence::Online, 2, vec![vec![], vec![Presence::Offline]]),
            (Presence::Unknown, 2, vec![vec![], vec![Presence::Offline]]),
            (Presence::Online, 1, vec![vec![Presence::Offline]]),
            (Presence::Online, 3, vec![vec![], vec![], vec![Presence::Offline]]),
            (Presence::Offline, 2, vec![vec![], vec![], vec![]]),
        ] {
            let mut judge = Judge::new(after);
            let account = account(from, Some("w1"));
            for (round, expected) in expected.into_iter().enumerate() {
                let at = Stamp(1_000 * (round as i64 + 1));
                let judgement = judge.list(at, &[], [&account], &HashSet::new());
                assert_eq!(presences(&judgement), expected, "{from:?} after {after}, round {round}");
            }
        }
    }

    #[test]
    fn a_flap_of_one_list_raises_nothing() {
        let mut judge = Judge::new(2);
        let account = account(Presence::Online, Some("w1"));
        for (round, entries) in [vec![], listed(Some("w1")), vec![], listed(Some("w1"))].iter().enumerate() {
            let judgement = judge.list(Stamp(round as i64 + 1), entries, [&account], &HashSet::new());
            assert_eq!(judgement, Judgement::default());
        }
    }

    #[test]
    fn another_w_id_is_adopted_when_two_lists_in_a_row_agree() {
        let mut judge = Judge::new(2);
        let account = account(Presence::Online, Some("w1"));
        let first = judge.list(Stamp(1), &listed(Some("w2")), [&account], &HashSet::new());
        assert!(first.look_again && first.adopt.is_empty());
        let other = judge.list(Stamp(2), &listed(Some("w3")), [&account], &HashSet::new());
        assert!(other.look_again && other.adopt.is_empty());
        let agreed = judge.list(Stamp(3), &listed(Some("w3")), [&account], &HashSet::new());
        assert_eq!(agreed.adopt, [(WcId::from("wxid_a"), WId::from("w3"), Stamp(2))]);
    }

    #[test]
    fn a_known_w_id_is_confirmed_by_one_list() {
        let mut judge = Judge::new(2);
        let mut account = account(Presence::Online, Some("w1"));
        account.w_id_confirmed = false;
        let judgement = judge.list(Stamp(1), &listed(Some("w1")), [&account], &HashSet::new());
        assert_eq!(judgement.confirm, [(WcId::from("wxid_a"), WId::from("w1"))]);
        assert!(!judgement.look_again);
    }

    #[test]
    fn an_open_attempt_keeps_the_list_out() {
        let mut judge = Judge::new(1);
        let busy = HashSet::from([WcId::from("wxid_a")]);
        let account = account(Presence::Online, Some("w1"));
        for round in 1..5 {
            let entries = if round % 2 == 0 { listed(Some("w2")) } else { Vec::new() };
            assert_eq!(judge.list(Stamp(round), &entries, [&account], &busy), Judgement::default());
        }
    }

    #[test]
    fn evidence_older_than_the_last_login_changes_nothing() {
        let mut judge = Judge::new(1);
        let mut account = account(Presence::Online, Some("w1"));
        account.last_login_at = Some(Stamp(10));
        assert_eq!(judge.list(Stamp(10), &[], [&account], &HashSet::new()), Judgement::default());
        assert_eq!(judge.list(Stamp(9), &listed(Some("w0")), [&account], &HashSet::new()), Judgement::default());
        assert_eq!(presences(&judge.list(Stamp(11), &[], [&account], &HashSet::new())), [Presence::Offline]);
    }

    #[test]
    fn a_list_without_w_ids_proves_presence_only() {
        let mut judge = Judge::new(2);
        let account = account(Presence::Offline, Some("w1"));
        let judgement = judge.list(Stamp(1), &listed(None), [&account], &HashSet::new());
        assert_eq!(presences(&judgement), [Presence::Online]);
        assert!(judgement.adopt.is_empty() && !judgement.look_again);
    }

    #[test]
    fn a_list_that_lags_behind_our_own_offline_does_not_revive_the_account() {
        let mut judge = Judge::new(2);
        let account = account(Presence::Offline, Some("w1"));
        judge.took_offline(&account.wc_id, Stamp(1_000));
        let lagging = judge.list(Stamp(5_000), &listed(Some("w1")), [&account], &HashSet::new());
        assert_eq!(lagging, Judgement::default());
        let later = judge.list(Stamp(32_000), &listed(Some("w1")), [&account], &HashSet::new());
        assert_eq!(presences(&later), [Presence::Online]);
    }

    #[test]
    fn unknown_w_c_ids_come_out_once_each() {
        let mut judge = Judge::new(2);
        let twice = [listed(Some("w1")), listed(Some("w1"))].concat();
        let judgement = judge.list(Stamp(1), &twice, [], &HashSet::new());
        assert_eq!(judgement.unknown, listed(Some("w1")));
    }

    #[test]
    fn staleness_needs_old_evidence() {
        let interval = Duration::from_secs(30);
        let mut account = account(Presence::Online, Some("w1"));
        assert!(is_stale(&account, Stamp(0), interval));
        account.observed_at = Some(Stamp(0));
        assert!(!is_stale(&account, Stamp(300_000), interval));
        assert!(is_stale(&account, Stamp(300_001), interval));
        assert!(!is_stale(&account, Stamp(600_000), Duration::from_secs(200)));
        account.presence = Presence::Unknown;
        assert!(!is_stale(&account, Stamp(900_000), interval));
    }
}
