//! The fleet list: asked, judged, stored, told.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Hub, List, News, USUAL_INTERVAL};
use crate::engine::api::{Event, Fleet, Token};
use crate::engine::attempt::is_suspect;
use crate::engine::presence::{is_stale, taken_offline};
use crate::gateway::{Error, Kind};
use crate::model::{Account, Presence, Reason, Stamp, WId, WcId};

/// Between two lists that must agree.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The longest pause between lists while they fail.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

impl Hub {
    /// Asks the fleet list; `wished`: a person waits for it.
    pub(super) async fn ask_list(&mut self, wished: bool) {
        if self.asking {
            self.ask_again |= wished;
            return;
        }
        self.asking = true;
        if wished {
            self.tell(Event::Fleet(Fleet::Asking));
            // Whatever comes is told, also when nothing changed: somebody asked.
            self.fleet = None;
        }
        self.take_over_orphans().await;
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let at = shared.now().wall;
            let result = shared.list().await;
            let suspect = matches!(&result, Some(Err(error)) if is_suspect(error));
            let rejected = suspect && shared.is_token_rejected().await;
            let _ = news.send(News::Listed { at, result, rejected });
        });
    }

    pub(super) async fn news(&mut self, news: News) {
        match news {
            News::Listed { at, result, rejected } => {
                self.asking = false;
                self.listed(at, result, rejected).await;
                if std::mem::take(&mut self.ask_again) {
                    self.ask_list(true).await;
                }
            }
            News::TakenOffline { at, wc_ids, result } => self.taken_offline(at, wc_ids, result).await,
            News::StoreChanged => {
                // What a process that died has left in the outbox is told from here.
                self.kick.notify_one();
                self.store_changed().await;
            }
            News::Renewed(result) => self.renewed(result).await,
            News::Fault(message) => self.fault(message),
        }
    }

    pub(super) async fn listed(&mut self, at: Stamp, result: List, rejected: bool) {
        match result {
            None => {
                self.set_fleet(Fleet::NeedsPassword);
                self.next_list = None;
            }
            Some(Ok(entries)) => {
                self.failures = 0;
                self.set_token(Token::Ok);
                let look_again = self.judge_list(at, &entries).await;
                self.set_fleet(Fleet::Ok { at });
                self.schedule(look_again.then_some(LOOK_AGAIN));
            }
            Some(Err(error)) => {
                self.failures = self.failures.saturating_add(1);
                if rejected {
                    self.token_rejected();
                }
                self.list_failed(&error).await;
                self.schedule(None);
            }
        }
    }

    /// The next list: soon, or after the interval with ±10 % jitter, longer while lists fail.
    pub(super) fn schedule(&mut self, soon: Option<Duration>) {
        let Some(interval) = self.shared.options.interval else {
            self.next_list = soon.map(|pause| Instant::now() + pause);
            return;
        };
        let factor = 1_u32 << self.failures.min(2);
        let longest = LONGEST_PAUSE.max(interval);
        let pause = soon.unwrap_or_else(|| {
            interval
                .saturating_mul(if self.failures == 0 { 1 } else { factor / 2 })
                .min(longest)
                .mul_f64(0.9 + 0.2 * fastrand::f64())
        });
        self.next_list = Some(Instant::now() + pause);
    }

    /// Returns whether a second list should settle something soon.
    pub(super) async fn judge_list(&mut self, at: Stamp, entries: &[(WcId, Option<WId>)]) -> bool {
        let busy: HashSet<WcId> =
            self.logins.values().filter(|login| !login.abandoned).filter_map(|login| login.wc_id.clone()).collect();
        let judgement = self.judge.list(at, entries, self.accounts.values(), &busy);
        let was_stale = self.accounts.values().any(|account| account.stale);
        match self.shared.store.note_list(at, &judgement.verdicts, &judgement.unknown, &[]).await {
            Ok(changed) => {
                for account in changed {
                    self.presence_changed(account, at);
                }
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
        if !judgement.confirm.is_empty() {
            match self.shared.store.confirm_w_ids(&judgement.confirm).await {
                Ok(changed) => {
                    for account in changed {
                        self.account_changed(account);
                    }
                }
                Err(error) => self.store_failed(&error.to_string()),
            }
        }
        for (wc_id, w_id, since) in judgement.adopt {
            self.adopt(&wc_id, &w_id, since, at).await;
        }
        if was_stale {
            self.read_all().await;
        } else {
            self.freshen(at);
        }
        judgement.look_again
    }

    /// A list confirms what is believed of everybody: the copies here age like the store's rows.
    pub(super) fn freshen(&mut self, at: Stamp) {
        for account in self.accounts.values_mut().filter(|account| account.presence != Presence::Unknown) {
            account.observed_at = account.observed_at.max(Some(at));
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

    pub(super) async fn adopt(&mut self, wc_id: &WcId, w_id: &WId, since: Stamp, at: Stamp) {
        match self.shared.store.adopt(None, wc_id, w_id, since).await {
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
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    pub(super) async fn list_failed(&mut self, error: &Error) {
        let since = match &self.fleet {
            Some(Fleet::Failing { since, .. }) => *since,
            _ => match self.shared.store.last_list().await {
                Ok(Some(at)) => at,
                Ok(None) | Err(_) => self.shared.now().wall,
            },
        };
        let reason = error.reason();
        self.set_fleet(Fleet::Failing { since, reason, gateway_message: error.gateway_message.clone() });
        if let Kind::Platform(reason) = error.kind {
            tracing::warn!(reason = reason.code(), "platform account");
        }
        let now = self.shared.now().wall;
        let interval = self.shared.options.interval.unwrap_or(USUAL_INTERVAL);
        let aged = self.accounts.values().any(|account| !account.stale && is_stale(account, now, interval));
        if aged {
            self.read_all().await;
        }
    }

    pub(super) async fn taken_offline(&mut self, at: Stamp, wc_ids: Vec<WcId>, result: Result<(), Error>) {
        if let Err(error) = result {
            if is_suspect(&error) && self.shared.is_token_rejected().await {
                self.token_rejected();
            }
            let wc_id = wc_ids.first().cloned();
            let gateway_message = error.gateway_message.clone();
            return self.tell(Event::Rejected { wc_id, reason: error.reason(), gateway_message });
        }
        for wc_id in &wc_ids {
            self.judge.took_offline(wc_id, at);
        }
        match self.shared.store.note(&taken_offline(&wc_ids, at), &[]).await {
            Ok(changed) => {
                for account in changed {
                    self.account_changed(account);
                }
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
        self.tell(Event::TakenOffline { wc_ids, at });
    }
}
