//! What happened, for whoever asks.

use std::collections::HashMap;
use std::sync::Arc;

use super::Hub;
use crate::engine::api::Event;
use crate::engine::history::{self, SPANS_MS, Watched};
use crate::engine::past::Past;
use crate::i18n::tf;
use crate::model::{Account, WcId};

/// More lines than this nobody reads on a screen.
const LINES: u32 = 500;

impl Hub {
    /// Answers [`crate::engine::api::Command::History`], beside the hub's own work: of a large fleet there is much to
    /// read.
    pub(super) fn history(&self, wc_id: Option<WcId>) {
        let named = |account: &Account| (account.wc_id.clone(), account.name().into());
        let names: HashMap<WcId, Box<str>> = match &wc_id {
            Some(wc_id) => self.accounts.get(wc_id).map(named).into_iter().collect(),
            None => self.accounts.values().map(named).collect(),
        };
        let (shared, sink) = (Arc::clone(&self.shared), Arc::clone(&self.sink));
        tokio::spawn(async move {
            let now = shared.now().wall;
            sink(match Past::read(&shared.store, wc_id.as_ref(), now.plus_ms(-SPANS_MS[2]), LINES, now).await {
                Ok(past) => {
                    let name = |wc_id: &WcId| names.get(wc_id).cloned();
                    Event::History(Box::new(history::history(wc_id, past, name, now)))
                }
                Err(error) => {
                    let values = [("error", error.to_string())];
                    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
                    Event::Fault { message: tf(shared.options.lang, "engine.store_failed", &values).into() }
                }
            });
        });
    }

    /// Answers [`crate::engine::api::Command::Strips`], and remembers whose day is looked at.
    pub(super) async fn strips(&mut self, wc_ids: Vec<WcId>) {
        self.strips_of = wc_ids;
        self.tell_strips().await;
    }

    /// An account's presence may have changed.
    pub(super) fn strips_may_differ(&mut self, wc_id: &WcId) {
        self.strips_due |= self.strips_of.contains(wc_id);
    }

    /// Tells the strips once more if one of them changed; once however many did.
    pub(super) async fn tell_due_strips(&mut self) {
        if self.strips_due {
            self.tell_strips().await;
        }
    }

    async fn tell_strips(&mut self) {
        self.strips_due = false;
        if self.strips_of.is_empty() {
            return;
        }
        let (now, store) = (self.shared.now().wall, &self.shared.store);
        let from = now.plus_ms(-SPANS_MS[0]);
        let read =
            async { Ok((store.presences_of(&self.strips_of, from, now).await?, store.watched(from, now).await?)) };
        let read: crate::store::Result<_> = read.await;
        match read {
            Ok((changes, watched)) => {
                let watched = Watched::new(&watched);
                self.tell(Event::Strips(history::strips(&self.strips_of, &changes, &watched, now)));
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }
}
