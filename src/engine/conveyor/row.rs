//! One account on the conveyor: what is known of it, where it is, what it was asked for.

use std::cmp::Ordering;

use super::{Output, Outputs, Settings};
use crate::engine::api::Place;
use crate::model::{Account, AttemptId, Budget, Cost, Now, Over, Presence, WcId};

/// What counts of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whose phone.
    pub holder: Box<str>,
    /// The name people see, uncleaned.
    pub name: Box<str>,
    /// Whether it is believed to be online: it is done then, whoever did it.
    pub online: bool,
    /// Whether a second login of it can work, as on the ladder: it has not just had its first night (protocol.md §4,
    /// rule 4). Whether the gateway knows an account that was only named is the gateway's to say (§3.5).
    pub can_ring: bool,
    /// What it has cost lately.
    pub budget: Option<Box<Budget>>,
}

impl Facts {
    /// What counts of this account.
    pub fn of(account: &Account) -> Self {
        Self {
            holder: account.holder.clone(),
            name: account.name().into(),
            online: account.presence == Presence::Online,
            can_ring: !account.is_after_first_night(),
            budget: account.budget.clone(),
        }
    }

    /// Whether nothing of this account has changed that counts here.
    pub fn are_of(&self, account: &Account) -> bool {
        let Self { holder, name, online, can_ring, budget } = self;
        **holder == *account.holder
            && **name == *account.name()
            && *online == (account.presence == Presence::Online)
            && *can_ring != account.is_after_first_night()
            && *budget == account.budget
    }
}

/// What an account is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Ring,
    Code,
}

/// A login under way.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) asked: Asked,
    /// `None` until it has begun.
    pub(super) attempt: Option<AttemptId>,
    /// Whether its phone may have been asked.
    pub(super) sent: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) wc_id: WcId,
    pub(super) facts: Facts,
    pub(super) place: Place,
    pub(super) open: Option<Open>,
    pub(super) unscanned: u8,
    /// Whether its phone was rung in this run: never again.
    pub(super) rung: bool,
    /// Codes asked for in this run.
    pub(super) codes: u8,
    /// What was spent before this run.
    pub(super) spent: [u8; 2],
    /// The number of the last code of its that nobody scanned; 0: none.
    pub(super) turn: u64,
    /// Its code was used up through no fault of its own: it is next.
    pub(super) front: bool,
}

impl Row {
    /// An account that is planned, with what it had cost before.
    pub(super) fn new(wc_id: WcId, facts: Facts, settings: Settings, now: Now) -> Self {
        let count = |cost| facts.budget.as_ref().map_or(0, |budget| budget.spent(cost, now.wall));
        let spent = [count(Cost::SecondLogin), count(Cost::Code)];
        let place = plan(&facts, settings, now);
        Self { wc_id, facts, place, open: None, unscanned: 0, rung: false, codes: 0, spent, turn: 0, front: false }
    }

    pub(super) const fn is_settled(&self) -> bool {
        matches!(self.place, Place::Done | Place::Left(_) | Place::Resting { .. })
    }

    pub(super) fn is_asked(&self, asked: Asked) -> bool {
        self.open.as_ref().is_some_and(|open| open.asked == asked)
    }

    pub(super) fn is_of(&self, attempt: &AttemptId) -> bool {
        self.open.as_ref().is_some_and(|open| open.attempt.as_ref() == Some(attempt))
    }

    /// Online.
    pub(super) fn done(&mut self) {
        if !matches!(self.place, Place::Resting { .. }) {
            self.place = Place::Done;
        }
    }

    /// Its login goes on unseen; one that has not begun yet is cancelled when it has.
    pub(super) fn hide(&mut self, out: &mut Outputs) {
        if let Some(Open { attempt: Some(attempt), .. }) = self.open.take() {
            out.push(Output::Cancel(attempt));
        }
    }

    pub(super) const fn put_last(&mut self, turn: u64) {
        self.place = Place::WaitsForCode;
        self.front = false;
        self.turn = turn;
    }

    /// Why one more of a kind is too much.
    pub(super) fn over(&self, cost: Cost, settings: Settings, now: Now) -> Option<Over> {
        if settings.force {
            return None;
        }
        let budget = self.facts.budget.as_deref().cloned().unwrap_or_default();
        budget.over(cost, settings.limits, now.wall).or_else(|| {
            // The store may be behind what this run has sent.
            let [rings, codes] = self.spent;
            let (before, sent, limit) = match cost {
                Cost::SecondLogin => (rings, u8::from(self.rung), settings.limits.second_logins),
                Cost::Code => (codes, self.codes, settings.limits.codes),
            };
            let spent = before.saturating_add(sent);
            (spent >= limit).then(|| Over::Spent { cost, next: spent.saturating_add(1), limit, free_at: now.wall })
        })
    }
}

/// Where an account begins.
fn plan(facts: &Facts, settings: Settings, now: Now) -> Place {
    let begins = if facts.can_ring { Place::WaitsToRing } else { Place::WaitsForCode };
    if settings.force {
        return begins;
    }
    let budget = facts.budget.as_deref().cloned().unwrap_or_default();
    let ring = facts.can_ring.then(|| budget.over(Cost::SecondLogin, settings.limits, now.wall));
    let code = budget.over(Cost::Code, settings.limits, now.wall);
    match (ring, code.map(Over::until)) {
        (Some(None), _) => Place::WaitsToRing,
        // What rests or is spent is the dialog: a code is another way.
        (Some(Some(_)) | None, None) => Place::WaitsForCode,
        (Some(Some(ring)), Some(code)) => Place::Resting { until: ring.until().min(code) },
        (None, Some(code)) => Place::Resting { until: code },
    }
}

/// By holder, then by name; those without a holder last.
pub(super) fn by_holder(a: &Row, b: &Row) -> Ordering {
    let key = |row: &Row| (row.facts.holder.trim().is_empty(), row.facts.holder.clone(), row.facts.name.clone());
    key(a).cmp(&key(b)).then_with(|| a.wc_id.cmp(&b.wc_id))
}
