//! The log of what happened.

use sqlx::sqlite::SqliteConnection;

use super::super::types::{LogEntry, Result};
use super::{Sqlite, rows};
use crate::model::{Reason, Stamp, WId, WcId};

impl Sqlite {
    /// A line about what people of this process did.
    pub(super) fn line(&self, at: Stamp, wc_id: Option<&WcId>, event: &str) -> LogEntry {
        LogEntry {
            at,
            wc_id: wc_id.cloned(),
            event: event.into(),
            reason: None,
            gateway_message: None,
            w_id: None,
            cause: Some(self.scope.cause.into()),
        }
    }

    /// Writes a line.
    pub(super) async fn add_log(&self, tx: &mut SqliteConnection, entry: &LogEntry) -> Result<()> {
        sqlx::query(sql!("log_add"))
            .bind(self.profile())
            .bind(entry.at.0)
            .bind(entry.wc_id.as_ref().map(WcId::as_str))
            .bind(&*entry.event)
            .bind(entry.reason.map(Reason::code))
            .bind(entry.gateway_message.as_deref())
            .bind(entry.w_id.as_ref().map(WId::as_str))
            .bind(entry.cause.as_deref())
            .execute(tx)
            .await?;
        Ok(())
    }

    /// See [`super::super::Store::log`].
    pub(in super::super) async fn log(&self, entry: &LogEntry) -> Result<()> {
        let mut connection = self.lock().await?;
        self.add_log(&mut connection, entry).await
    }

    /// See [`super::super::Store::recent`].
    pub(in super::super) async fn recent(&self, limit: u32) -> Result<Vec<LogEntry>> {
        let mut connection = self.lock().await?;
        let query = sqlx::query(sql!("log_recent")).bind(self.profile()).bind(limit);
        let rows = query.fetch_all(&mut *connection).await?;
        Ok(rows.iter().map(rows::log_entry).collect::<sqlx::Result<_>>()?)
    }
}
