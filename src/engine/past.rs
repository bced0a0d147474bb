//! What the store knows of the past, read for [`super::history`].

use super::history::SPANS_MS;
use crate::model::{Stamp, WcId};
use crate::store::{LogEntry, PresenceChange, Result, Store};

/// What figures are reckoned from and lines are told of.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// What happened, newest first.
    pub entries: Vec<LogEntry>,
    /// Changes of belief, oldest first; before the longest span each account's last one.
    pub changes: Vec<PresenceChange>,
    /// When somebody dropped, oldest first.
    pub drops: Vec<Stamp>,
    /// When the fleet was looked at.
    pub watched: Vec<(Stamp, Stamp)>,
}

impl Past {
    /// Reads what there is of one account, or of all: at most `limit` entries since `since`, the rest for the longest
    /// span before `now`.
    pub async fn read(store: &Store, wc_id: Option<&WcId>, since: Stamp, limit: u32, now: Stamp) -> Result<Self> {
        let from = now.plus_ms(-SPANS_MS[2]);
        Ok(Self {
            entries: store.history(wc_id, since, limit, now).await?,
            changes: store.presences(wc_id, from, now).await?,
            drops: store.drops(wc_id, from, now).await?,
            watched: store.watched(from, now).await?,
        })
    }
}
