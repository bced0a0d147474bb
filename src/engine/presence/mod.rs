//! What is true of each account, as a pure judge: evidence goes in with the time its request was started, beliefs and
//! questions come out. No clock, no channel, no handle.
//!
//! * `judge`: what lists, single checks, notices and refusals prove of one account;
//! * `doubt`: when a list is not believed, and whether many accounts dropped or the gateway has an outage.
//!
//! Offline is believed after enough agreeing observations. A transport error is none. A notice is a hint to check: it
//! counts as one together with the first answer that agrees. Evidence older than an account's last stored login changes
//! nothing, nor does what was asked before the evidence that the belief rests on. What is older is told by the store's
//! numbers, and within this process by its monotonic clock; the wall clock is for people.

use std::collections::HashSet;
use std::time::Duration;

use crate::gateway::{Error, Kind};
use crate::model::{Account, Began, Presence, Reason, Source, Stamp, WId, WcId, to_ms};
use crate::store::{Alert, Verdict};

mod doubt;
mod judge;
#[cfg(test)]
mod tests;

pub use doubt::{is_many, is_mass, is_stale_in_outage};
pub use judge::Judge;

/// A fleet list: who is online, with the wId where the dialect's list has them.
pub type Entries = [(WcId, Option<WId>)];

/// What is told of a profile's judge from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How many agreeing observations a drop needs; at least one.
    pub offline_after: u8,
    /// Whether single accounts can be asked for (`isOnline`; V2, V3).
    pub checks: bool,
}

/// How one account answered a single check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `isOnline` said yes.
    Online,
    /// `isOnline` said no.
    Offline,
    /// The gateway refused to answer, as it may for a wId that it does not know: counts only if a list agrees
    /// (protocol.md §3.6).
    Refused,
    /// No answer: proves nothing.
    Failed,
}

/// What a notice is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hinted {
    /// Nothing: not ours, not about the current wId, known already, or checked a moment ago.
    Ignore,
    /// This wId should be checked now.
    Check(WId),
    /// A list should be asked now: the account cannot be asked for alone.
    List,
}

/// When the next list should be asked, if before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Again {
    /// In about a second: something was seen that a second list settles.
    Soon,
    /// In about five seconds: this list is not believed yet, or none came.
    Suspect,
}

/// The gateway as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has an outage; since when no plausible list has come.
    Outage(Began),
    /// The outage that began then is over.
    OutageOver(Began),
}

/// What a piece of evidence leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the list is believed: then it is noted, and freshens what is believed of everybody.
    pub plausible: bool,
    /// Changes of belief.
    pub verdicts: Vec<Verdict>,
    /// What the receivers are to be told of them.
    pub alerts: Vec<Alert>,
    /// Why accounts dropped, where a notice said so.
    pub words: Vec<(WcId, Box<str>)>,
    /// Accounts that dropped all at once: one alert, one event.
    pub mass: Vec<WcId>,
    /// Listed accounts that are not in the store.
    pub unknown: Vec<(WcId, Option<WId>)>,
    /// Known wIds that a list has confirmed.
    pub confirm: Vec<(WcId, WId)>,
    /// wIds that a list showed in place of the one that is known: that one is not certain any more.
    pub doubt: Vec<(WcId, WId)>,
    /// wIds that two lists in a row showed, the first of them asked for then.
    pub adopt: Vec<(WcId, WId, Began)>,
    /// When the next list should be asked, if before its time.
    pub again: Option<Again>,
    /// Whom to ask for one by one; what they answer goes to [`Judge::asked`] together with the list.
    pub ask: Vec<(WcId, WId)>,
    /// What became of the gateway.
    pub turn: Option<Turn>,
}

/// Evidence that is said to be younger than now by more than this was noted by a clock that was ahead.
const AHEAD_MS: i64 = 10_000;

/// Whether evidence of this age is too old to be believed without a word: three intervals, at least five minutes. The age
/// of what lies ahead is not known.
pub fn is_stale(account: &Account, now: Stamp, interval: Duration) -> bool {
    is_older_than(account, now, interval.saturating_mul(3).max(Duration::from_secs(300)))
}

/// Whether the evidence is older than that. The age of what lies ahead is not known.
pub fn is_older_than(account: &Account, now: Stamp, limit: Duration) -> bool {
    let limit_ms = to_ms(limit);
    match (account.presence, account.observed_at) {
        (Presence::Unknown, _) => false,
        (_, None) => true,
        (_, Some(at)) => !(-AHEAD_MS..=limit_ms).contains(&now.ms_since(at)),
    }
}

/// What a single check comes to.
pub fn answer(reply: Result<bool, Error>) -> Answer {
    match reply {
        Ok(true) => Answer::Online,
        Ok(false) => Answer::Offline,
        Err(Error { kind: Kind::Refused | Kind::RefusedInside, .. }) => Answer::Refused,
        Err(_) => Answer::Failed,
    }
}

/// What follows for accounts that the gateway took off line on our own wish.
pub fn taken_offline(wc_ids: &[WcId], began: Began) -> Vec<Verdict> {
    let verdict = |wc_id: &WcId| Verdict {
        wc_id: wc_id.clone(),
        presence: Presence::Offline,
        source: Source::Own,
        began,
        reason: Some(Reason::TakenOffline),
    };
    wc_ids.iter().map(verdict).collect()
}

/// The alert of an outage.
pub fn outage_alert(since: Stamp, at: Stamp) -> Alert {
    fleet_alert("outage", at, vec![("since", since.rfc3339().into())])
}

/// The alert of an outage's end.
pub fn outage_over_alert(since: Stamp, at: Stamp) -> Alert {
    fleet_alert("outage_over", at, vec![("since", since.rfc3339().into())])
}

/// The alert that nobody can see the fleet.
pub fn observation_lost_alert(since: Stamp, reason: Reason, at: Stamp) -> Alert {
    let alert = fleet_alert("observation_lost", at, vec![("since", since.rfc3339().into())]);
    Alert { reason: Some(reason), ..alert }
}

/// The alert of a token that the gateway takes no more.
pub fn token_rejected_alert(at: Stamp) -> Alert {
    Alert { reason: Some(Reason::TokenRejected), ..fleet_alert("token_rejected", at, Vec::new()) }
}

/// The alert of a login that nobody waited for and that led to nothing.
pub fn login_needed(account: &Account, reason: Reason, began: Began) -> (Verdict, Alert) {
    let verdict = Verdict {
        wc_id: account.wc_id.clone(),
        presence: Presence::Offline,
        source: Source::Login,
        began,
        reason: Some(reason),
    };
    let wc_id = Some(account.wc_id.clone());
    (verdict, Alert { event: "login_needed", wc_id, at: began.at, reason: Some(reason), fields: Vec::new() })
}

fn mass_drop_alert(wc_ids: &[WcId], at: Stamp) -> Alert {
    let wc_ids: Vec<&str> = wc_ids.iter().map(WcId::as_str).collect();
    let reason = Some(Reason::Dropped);
    Alert { reason, ..fleet_alert("mass_drop", at, vec![("wc_ids", wc_ids.into())]) }
}

fn fleet_alert(event: &'static str, at: Stamp, fields: Vec<(&'static str, serde_json::Value)>) -> Alert {
    Alert { event, wc_id: None, at, reason: None, fields }
}

fn dropped_alert(account: &Account, words: Option<&str>, at: Stamp) -> Alert {
    // As it will be once the drop is believed.
    let mut then = Account { presence: Presence::Offline, reason: Some(Reason::Dropped), ..account.clone() };
    then.dropped(at);
    let mut fields = vec![("first_night", then.is_first_drop().into())];
    if let Some(words) = words {
        fields.push(("gateway_message", words.into()));
    }
    let wc_id = Some(account.wc_id.clone());
    Alert { event: "dropped", wc_id, at, reason: Some(Reason::Dropped), fields }
}

fn recovered_alert(account: &Account, at: Stamp) -> Alert {
    let wc_id = Some(account.wc_id.clone());
    Alert { event: "recovered", wc_id, at, reason: None, fields: Vec::new() }
}

/// Whether evidence changes nothing for an account: a login was stored since it was asked for, or an attempt of ours is
/// open on it.
fn is_moot(account: &Account, began: Began, busy: &HashSet<WcId>) -> bool {
    account.outdates(began) || busy.contains(&account.wc_id)
}
