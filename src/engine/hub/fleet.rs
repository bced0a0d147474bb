//! The fleet list: asked, judged, stored, told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::observer::OwnTry;
use super::{Hub, List, News};
use crate::engine::api::{Event, Fleet, Token};
use crate::engine::attempt::is_suspect;
use crate::engine::presence::{Again, Answer, Judgement, Turn, answer, outage_alert, outage_over_alert, taken_offline};
use crate::engine::shared::Shared;
use crate::engine::unread;
use crate::gateway::{Error, Kind, Online};
use crate::i18n::tf;
use crate::model::{Account, Attempt, AttemptState, Began, Presence, Reason, Stamp, WId, WcId};
use crate::store::{self, Moment};

/// Between two lists that must agree.
const SOON: Duration = Duration::from_secs(1);
/// From a list that is not believed, or did not come, to the next.
const SUSPECT: Duration = Duration::from_secs(5);
/// The longest that the request for a list takes: what its connection, the first line of its answer and the rest may.
const LIST_LIMIT: Duration = Duration::from_secs(45);
/// The longest pause between lists while they fail.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

impl Hub {
    /// Asks the fleet list; `wished`: a person waits for it.
    pub(super) async fn ask_list(&mut self, wished: bool) {
        if self.asking {
            self.ask_again = Some(wished || self.ask_again == Some(true));
            return;
        }
        self.asking = true;
        if wished {
            self.tell(Event::Fleet(Fleet::Asking));
            // Whatever comes is told, also when nothing changed: somebody asked.
            self.fleet_told = false;
        }
        self.look_at_the_file().await;
        self.look_at_the_clock().await;
        self.take_over_orphans().await;
        self.look_elsewhere().await;
        if self.observing
            && let Err(error) = self.shared.store.try_begins(LIST_LIMIT).await
        {
            self.store_error(&error).await;
            // A person's wish is answered whoever observes.
            if !self.observing && !wished {
                return self.asked_enough().await;
            }
        }
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let began = shared.begin().await;
            let result = shared.list().await;
            let suspect = matches!(&result, Some(Err(error)) if is_suspect(error));
            let rejected = suspect && shared.is_token_rejected().await;
            let _ = news.send(News::Listed { began, result, rejected });
        });
    }

    pub(super) async fn news(&mut self, news: News) {
        match news {
            News::Listed { began, result, rejected } => self.listed(began, result, rejected).await,
            News::ListedWhole { began, list } => self.list_came(began, list).await,
            News::Asked { began, entries, answers } => {
                let judgement = self.judge.asked(began, &entries, &answers, &self.accounts, &self.busy());
                self.list_judged(began, judgement).await;
            }
            News::Checked { began, wc_id, w_id, answer } => self.checked(began, &wc_id, &w_id, answer).await,
            News::TakenOffline { began, wc_ids, result, rejected } => {
                if rejected {
                    self.token_rejected().await;
                }
                self.taken_offline(began, wc_ids, result).await;
            }
            News::OfflineReason { began, wc_id, result } => self.offline_reason(began, wc_id, result).await,
            News::TokenStored => self.token_stored().await,
            News::TokenTried { rejected } => {
                if rejected {
                    self.token_rejected().await;
                } else {
                    self.set_token(Token::Ok);
                }
            }
            News::StoreChanged => {
                self.store_changed().await;
                // What a process that died has left in the outbox is told from here.
                self.kick.notify_one();
            }
            News::Renewed(result) => self.renewed(result).await,
            News::Fault(message) => self.fault(message),
        }
    }

    async fn listed(&mut self, began: Began, result: List, rejected: bool) {
        match result {
            None => {
                self.set_fleet(Fleet::NeedsPassword);
                self.own_try = OwnTry::Failed;
                self.asked_enough().await;
                // Another process may know the password.
                self.observe_no_longer().await;
            }
            Some(Ok(list)) => {
                self.failures = 0;
                self.own_try = OwnTry::Listed(Moment::now());
                self.set_token(Token::Ok);
                if let Some(list) = self.read_whole(began, list) {
                    self.list_came(began, list).await;
                }
            }
            Some(Err(error)) => {
                self.failures = self.failures.saturating_add(1);
                self.own_try = OwnTry::Failed;
                if rejected {
                    self.token_rejected().await;
                }
                let judgement = self.judge.list_failed(began, is_gone(&error));
                self.note_try(Some(error.reason())).await;
                self.list_failed(&error).await;
                self.turned(judgement.turn, began.at).await;
                self.look_after_failing().await;
                self.schedule(judgement.again).await;
                self.asked_enough().await;
            }
        }
    }

    /// Says that entries of the list could not be read, once. Asks for those who may be behind them, one by one, before it
    /// is judged; gives the list where there are none.
    fn read_whole(&mut self, began: Began, list: Online) -> Option<Online> {
        if list.unread > 0 && self.unread != list.unread {
            let count = list.unread.to_string();
            self.fault(tf(self.shared.options.lang, "engine.list_unread", &[("count", &count)]));
        }
        self.unread = list.unread;
        let hidden = unread::hidden(&list, &self.accounts, &self.busy());
        if hidden.is_empty() {
            return Some(list);
        }
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let checks = shared.options.dialect.lists_w_ids();
            let list = unread::filled_in(&shared.gateway, checks, list, hidden).await;
            let _ = news.send(News::ListedWhole { began, list });
        });
        None
    }

    async fn list_came(&mut self, began: Began, list: Online) {
        let entries = list.entries;
        let judgement = self.judge.list(began, &entries, &self.accounts, &self.busy());
        if self.observing && !judgement.ask.is_empty() {
            // Still being asked, until these have answered.
            return self.ask_some(began, entries, judgement.ask);
        }
        self.list_judged(began, judgement).await;
    }

    /// Nothing is being asked any more; somebody may have wished for a list meanwhile.
    async fn asked_enough(&mut self) {
        self.asking = false;
        if let Some(wished) = self.ask_again.take() {
            // Not by way of the future that led here: it would hold itself.
            self.next_wish = Some(wished);
        }
    }

    /// Asks for some of those whom a suspect list lacks, one by one.
    fn ask_some(&self, began: Began, entries: Vec<(WcId, Option<WId>)>, ask: Vec<(WcId, WId)>) {
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let mut answers = Vec::with_capacity(ask.len());
            for (wc_id, w_id) in ask {
                let answer = check(&shared, &w_id).await;
                answers.push((wc_id, answer));
                if matches!(answer, Answer::Online | Answer::Failed) {
                    // One is enough to know that the list cannot be believed.
                    break;
                }
            }
            let _ = news.send(News::Asked { began, entries, answers });
        });
    }

    /// What became of a list that came.
    async fn list_judged(&mut self, began: Began, judgement: Judgement) {
        let again = judgement.again;
        if judgement.plausible {
            self.believe(began, judgement).await;
            self.set_fleet(Fleet::Ok { at: began.at });
            // Who can list now may take the place that it could not keep, or that its holder cannot.
            self.try_to_observe().await;
        } else {
            self.note_try(None).await;
            self.turned(judgement.turn, began.at).await;
            match self.outage.map(|outage| outage.at) {
                Some(since) => {
                    let (reason, detail) = (Reason::GatewayDown, "".into());
                    self.set_fleet(Fleet::Failing { since, reason, gateway_message: None, detail });
                }
                None => self.tell_fleet_again(),
            }
        }
        self.schedule(again).await;
        self.asked_enough().await;
    }

    /// A try of the observer's has ended without a list that is believed.
    async fn note_try(&mut self, failing: Option<Reason>) {
        if self.observing
            && let Err(error) = self.shared.store.note_try(failing).await
        {
            self.store_error(&error).await;
        }
    }

    /// Lists fail here: perhaps nobody sees the fleet any more.
    async fn look_after_failing(&mut self) {
        match self.shared.store.watchers().await {
            Ok(watchers) => self.look_whether_anybody_sees(&watchers).await,
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    /// The next list: soon, or after the interval with ±10 % jitter, longer while lists fail. Where another process
    /// observes: when its list is overdue.
    pub(super) async fn schedule(&mut self, again: Option<Again>) {
        let now = Instant::now();
        self.following = again == Some(Again::Soon);
        let interval = self.shared.options.interval;
        let soon = |pause: Duration| pause.min(interval.unwrap_or(pause));
        let pause = match (again, interval) {
            (Some(Again::Soon), _) => Some(soon(SOON)),
            (Some(Again::Suspect), _) if self.observing => Some(soon(SUSPECT)),
            (Some(Again::Suspect) | None, Some(interval)) if self.observing => Some(self.next_pause(interval)),
            (Some(Again::Suspect) | None, _) => {
                return self.wait_for_the_observer().await;
            }
        };
        self.next_list = pause.map(|pause| now + pause);
    }

    fn next_pause(&self, interval: Duration) -> Duration {
        // An outage is found before lists are asked less often; never so seldom that others take this process for one
        // that cannot act.
        let beyond = self.failures.saturating_sub(u32::from(self.shared.options.offline_after.max(1)) + 1);
        let factor = 1_u32 << beyond.min(1);
        jittered(interval.saturating_mul(factor).min(LONGEST_PAUSE.max(interval)))
    }

    /// Stores and tells what a believed list proves.
    async fn believe(&mut self, began: Began, judgement: Judgement) {
        let at = began.at;
        self.turned(judgement.turn, at).await;
        let Judgement { verdicts, alerts, words, mass, unknown, confirm, doubt, adopt, .. } = judgement;
        // First, so that nobody is given for online a wId that is not.
        if !doubt.is_empty() {
            match self.shared.store.doubt_w_ids(&doubt, began).await {
                Ok(changed) => self.accounts_changed(changed),
                Err(error) => self.store_error(&error).await,
            }
        }
        match self.shared.store.note_list(began, &verdicts, &unknown, &alerts).await {
            Ok(changed) => {
                self.store_did();
                self.presences_changed(changed, words, &mass, began).await;
            }
            Err(error) => {
                self.store_error(&error).await;
                if matches!(error, store::Error::ObservesNoLonger) {
                    return;
                }
            }
        }
        self.set_lost(None, None, at);
        if !alerts.is_empty() {
            self.kick.notify_one();
        }
        if !confirm.is_empty() {
            match self.shared.store.confirm_w_ids(&confirm).await {
                Ok(changed) => self.accounts_changed(changed),
                Err(error) => self.store_error(&error).await,
            }
        }
        for (wc_id, w_id, first) in adopt {
            self.adopt(&wc_id, &w_id, [first, began]).await;
        }
        self.freshen(at, began.order);
    }

    pub(super) fn accounts_changed(&mut self, changed: Vec<Account>) {
        for account in changed {
            self.account_changed(account);
        }
    }

    /// Tells of accounts whose presence was changed by what we judged ourselves. `mass`: those that dropped at once, sorted.
    pub(super) async fn presences_changed(
        &mut self,
        changed: Vec<Account>,
        words: Vec<(WcId, Box<str>)>,
        mass: &[WcId],
        began: Began,
    ) {
        let at = began.at;
        let mut dropped_at_once = Vec::new();
        let mut words: HashMap<WcId, Box<str>> = words.into_iter().collect();
        for mut account in changed {
            if let Some(words) = words.remove(&account.wc_id) {
                match self.shared.store.note_offline_reason(&account.wc_id, Some(&words), began).await {
                    Ok(()) => account.gateway_message = Some(words),
                    Err(error) => self.store_failed(&error.to_string()),
                }
            }
            if mass.binary_search(&account.wc_id).is_ok() {
                dropped_at_once.push(account.wc_id.clone());
                self.account_changed(account);
            } else {
                self.presence_changed(account, at);
            }
        }
        if !dropped_at_once.is_empty() {
            dropped_at_once.sort();
            tracing::warn!(accounts = dropped_at_once.len(), "mass drop");
            self.tell(Event::MassDrop { wc_ids: dropped_at_once, at });
        }
    }

    pub(super) fn presence_changed(&mut self, account: Account, at: Stamp) {
        let before = self.accounts.get(&account.wc_id).map(|before| before.presence);
        let (wc_id, name, now) = (account.wc_id.clone(), account.name().into(), account.presence);
        let reason = account.reason.unwrap_or(Reason::Dropped);
        self.account_changed(account);
        match (before, now) {
            (Some(Presence::Online), Presence::Offline) => {
                self.tell(Event::Dropped { wc_id, account: name, reason, at });
            }
            (Some(Presence::Offline), Presence::Online) => self.tell(Event::Recovered { wc_id, account: name, at }),
            _ => {}
        }
    }

    /// An outage of the gateway began or ended, as the observer sees it; nobody else decides that.
    async fn turned(&mut self, turn: Option<Turn>, at: Stamp) {
        let Some(turn) = turn else { return };
        if !self.observing {
            return self.judge.set_outage(self.outage);
        }
        let (since, alert) = match turn {
            Turn::Outage(since) => (Some(since), outage_alert(since.at, at)),
            Turn::OutageOver(since) => (None, outage_over_alert(since.at, at)),
        };
        if let Err(error) = self.shared.store.set_outage(since, &alert).await {
            self.store_error(&error).await;
            if !self.observing {
                return;
            }
        }
        self.kick.notify_one();
        self.set_outage(since, at);
    }

    /// Tells of an outage, whoever found it.
    pub(super) fn set_outage(&mut self, since: Option<Began>, at: Stamp) {
        let before = std::mem::replace(&mut self.outage, since);
        self.judge.set_outage(since);
        let now = self.shared.now().wall;
        let told = |outage: Began| outage.at.not_after(now);
        match (before.map(told), since.map(told)) {
            (None, Some(since)) => {
                tracing::warn!(since = since.rfc3339(), "the gateway has an outage");
                self.tell(Event::Outage { since, at });
            }
            (Some(since), None) => {
                tracing::info!(since = since.rfc3339(), "the outage is over");
                self.tell(Event::OutageOver { since, at });
            }
            (None, None) | (Some(_), Some(_)) => return,
        }
        self.age();
    }

    async fn adopt(&mut self, wc_id: &WcId, w_id: &WId, lists: [Began; 2]) {
        let at = lists[1].at;
        match self.shared.store.adopt(None, wc_id, w_id, lists).await {
            Ok(Some(stored)) => {
                let account = stored.account.name().into();
                self.account_changed(stored.account);
                self.kick.notify_one();
                self.tell(Event::WIdChanged {
                    wc_id: wc_id.clone(),
                    account,
                    w_id: w_id.clone(),
                    previous_w_id: stored.previous_w_id,
                    at,
                });
            }
            Ok(None) => self.read_one(wc_id).await,
            Err(error) => self.store_error(&error).await,
        }
    }

    async fn list_failed(&mut self, error: &Error) {
        let since = match &self.fleet {
            Some(Fleet::Failing { since, .. }) => *since,
            _ => match self.shared.store.last_list().await {
                Ok(Some((at, _))) => at,
                Ok(None) | Err(_) => self.shared.now().wall,
            },
        };
        let reason = error.reason();
        let (gateway_message, detail) = (error.gateway_message.clone(), error.detail.clone());
        self.set_fleet(Fleet::Failing { since, reason, gateway_message, detail });
        if let Kind::Platform(reason) = error.kind {
            tracing::warn!(reason = reason.code(), "platform account");
        }
        self.age();
    }

    pub(super) async fn taken_offline(&mut self, began: Began, wc_ids: Vec<WcId>, result: Result<(), Error>) {
        if let Err(error) = result {
            let wc_id = wc_ids.first().cloned();
            let (reason, gateway_message, detail) = (error.reason(), error.gateway_message, error.detail);
            return self.tell(Event::Rejected { wc_id, reason, gateway_message, detail });
        }
        for wc_id in &wc_ids {
            self.judge.took_offline(wc_id, began.mono);
        }
        match self.shared.store.note(&taken_offline(&wc_ids, began), &[]).await {
            Ok(changed) => self.accounts_changed(changed),
            Err(error) => self.store_failed(&error.to_string()),
        }
        self.tell(Event::TakenOffline { wc_ids, at: began.at });
    }

    /// The accounts that somebody is logging in: they are between two instances.
    pub(super) fn busy(&self) -> HashSet<WcId> {
        let ours = self.logins.values().filter(|login| !login.abandoned).filter_map(|login| login.wc_id.clone());
        ours.chain(self.busy_elsewhere.iter().cloned()).collect()
    }

    /// Notes whom other processes are logging in.
    async fn look_elsewhere(&mut self) {
        let store = &self.shared.store;
        match store.attempts().await {
            Ok(attempts) => {
                let theirs = |attempt: &Attempt| {
                    attempt.state == AttemptState::Open
                        && attempt.owner != *store.owner()
                        && store.is_able(&attempt.owner)
                };
                self.busy_elsewhere = attempts.into_iter().filter(theirs).filter_map(|attempt| attempt.wc_id).collect();
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }
}

/// Asks the gateway for one account.
pub(super) async fn check(shared: &Shared, w_id: &WId) -> Answer {
    answer(shared.gateway.is_online(w_id).await)
}

/// Whether the gateway is gone, or says nothing of use: more than a matter of our token or the platform account.
const fn is_gone(error: &Error) -> bool {
    match error.kind {
        Kind::TokenSuspect | Kind::Platform(_) | Kind::BadSettings | Kind::BadImage => false,
        Kind::Unreachable
        | Kind::TimedOut
        | Kind::Http(_)
        | Kind::Malformed
        | Kind::TooLarge
        | Kind::Refused
        | Kind::RefusedInside => true,
    }
}

/// ±10 %, so that many processes do not ask at once.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.9 + 0.2 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Call;

    #[test]
    fn a_refused_token_is_no_outage_and_whatever_else_is_no_list_is_one() {
        let gone = |kind| {
            let (call, detail) = (Call::QueryLoginWx, "".into());
            is_gone(&Error { call, kind, gateway_message: None, detail, sent: true, status: None })
        };
        for kind in [Kind::TokenSuspect, Kind::Platform(Reason::PlatformFrozen), Kind::BadSettings] {
            assert!(!gone(kind.clone()), "{kind:?}");
        }
        let broken = [Kind::Unreachable, Kind::TimedOut, Kind::Malformed, Kind::TooLarge, Kind::Refused];
        for kind in broken.into_iter().chain((300..600).map(Kind::Http)) {
            assert!(gone(kind.clone()), "{kind:?}");
        }
    }
}
