//! Why an account is off line, in the gateway's own words; and whether somebody has to log it in.

use std::sync::Arc;

use super::{Hub, News};
use crate::engine::api::Event;
use crate::engine::presence::login_needed;
use crate::gateway::Error;
use crate::i18n::t;
use crate::model::{AttemptId, Began, Dialect, Presence, Reason, WcId};

/// What `/offlineReason` said.
pub(super) type Words = Result<Option<Box<str>>, Error>;

impl Hub {
    /// V3: at most once in twelve hours and account, whoever asks (protocol.md §3.12).
    pub(super) async fn ask_offline_reason(&self, wc_id: WcId) {
        let lang = self.shared.options.lang;
        // The gateway was not asked: these are our words, not its.
        let refuse = |key: &str| self.tell(Event::Fault { message: t(lang, key).into() });
        if self.shared.options.dialect != Dialect::V3 {
            return refuse("engine.offline_reason.dialect");
        }
        if self.accounts.get(&wc_id).is_none_or(|account| account.presence != Presence::Offline) {
            return refuse("engine.offline_reason.not_offline");
        }
        let began = self.shared.begin().await;
        match self.shared.store.ask_offline_reason(&wc_id, began.at).await {
            Ok(true) => {}
            Ok(false) => return refuse("engine.offline_reason.too_soon"),
            Err(error) => {
                let (reason, detail) = (Reason::Interrupted, error.to_string().into());
                return self.tell(Event::Rejected { wc_id: Some(wc_id), reason, gateway_message: None, detail });
            }
        }
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let result = shared.gateway.offline_reason(&wc_id).await;
            let _ = news.send(News::OfflineReason { began, wc_id, result });
        });
    }

    pub(super) async fn offline_reason(&mut self, began: Began, wc_id: WcId, result: Words) {
        let words = match result {
            Ok(words) => words,
            Err(error) => {
                let (reason, gateway_message, detail) = (error.reason(), error.gateway_message, error.detail);
                return self.tell(Event::Rejected { wc_id: Some(wc_id), reason, gateway_message, detail });
            }
        };
        if let Err(error) = self.shared.store.note_offline_reason(&wc_id, words.as_deref(), began).await {
            self.store_failed(&error.to_string());
        }
        self.read_one(&wc_id).await;
        self.tell(Event::OfflineReason { wc_id, words, at: began.at });
    }

    /// A taken-over attempt that nobody watched is over: if it led to nothing and its account is off line, somebody
    /// has to log it in, and is told.
    pub(super) async fn orphan_over(&mut self, attempt: &AttemptId, wc_id: Option<&WcId>) {
        let Some(before) = self.orphans.remove(attempt) else { return };
        let Some(account) = wc_id.and_then(|wc_id| self.accounts.get(wc_id)) else { return };
        if account.presence != Presence::Offline || account.settled > before {
            return;
        }
        let began = self.shared.begin().await;
        let at = began.at;
        let (wc_id, name, reason) =
            (account.wc_id.clone(), account.name().into(), account.reason.unwrap_or(Reason::Interrupted));
        let (verdict, alert) = login_needed(account, reason, began);
        match self.shared.store.note(&[verdict], &[alert]).await {
            Ok(changed) => self.accounts_changed(changed),
            Err(error) => self.store_failed(&error.to_string()),
        }
        self.kick.notify_one();
        self.tell(Event::LoginNeeded { wc_id, account: name, reason, at });
    }
}
