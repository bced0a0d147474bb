//! Who observes, and what the observer found of the gateway.

use super::super::types::{Alert, LogEntry, PresenceChange, Result, Watchers};
use super::Sqlite;
use crate::model::{Stamp, WcId};

impl Sqlite {
    pub(in super::super) async fn observe(&self, _rank: u8) -> Result<bool> {
        Ok(true)
    }

    pub(in super::super) async fn observe_no_longer(&self) -> Result<()> {
        Ok(())
    }

    pub(in super::super) async fn watchers(&self) -> Result<Watchers> {
        Ok(Watchers::default())
    }

    pub(in super::super) async fn set_outage(&self, _since: Option<Stamp>, _alert: &Alert) -> Result<()> {
        Ok(())
    }

    pub(in super::super) async fn refused(&self, _wc_id: &WcId, _at: Stamp) -> Result<()> {
        Ok(())
    }

    pub(in super::super) async fn ask_offline_reason(&self, _wc_id: &WcId, _at: Stamp) -> Result<bool> {
        Ok(true)
    }

    pub(in super::super) async fn note_offline_reason(
        &self,
        _wc_id: &WcId,
        _words: Option<&str>,
        _at: Stamp,
    ) -> Result<()> {
        Ok(())
    }

    pub(in super::super) async fn history(
        &self,
        _wc_id: Option<&WcId>,
        _since: Stamp,
        _limit: u32,
    ) -> Result<Vec<LogEntry>> {
        Ok(Vec::new())
    }

    pub(in super::super) async fn presences(
        &self,
        _wc_id: Option<&WcId>,
        _since: Stamp,
    ) -> Result<Vec<PresenceChange>> {
        Ok(Vec::new())
    }
}
