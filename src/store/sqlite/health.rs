//! How the file and the outbox fare.

use super::super::types::{Backlog, Health, Result};
use super::Sqlite;
use crate::model::Stamp;

/// So many damages are told; one is enough to know.
const MOST_DAMAGES: &str = "PRAGMA quick_check(5)";

/// `receiver, count, tries, oldest, due`.
type Row = (String, i64, i64, Option<String>, i64);

impl Sqlite {
    /// See [`super::super::Store::health`].
    pub(in super::super) async fn health(&self) -> Result<Health> {
        let mut connection = self.lock().await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
        let found: Vec<String> = sqlx::query_scalar(MOST_DAMAGES).fetch_all(&mut *connection).await?;
        let rows: Vec<Row> =
            sqlx::query_as(sql!("outbox_backlog")).bind(self.profile()).fetch_all(&mut *connection).await?;
        let latest = sqlx::query_as(sql!("latest")).bind(self.profile());
        let (last, latest): (Option<i64>, Option<i64>) = latest.fetch_one(&mut *connection).await?;
        let bytes = |suffix: &str| {
            let path = super::super::place::with_suffix(self.path(), suffix);
            std::fs::metadata(path).map_or(0, |file| file.len())
        };
        Ok(Health {
            version: u32::try_from(version).unwrap_or_default(),
            damages: found.into_iter().filter(|line| line != "ok").collect(),
            bytes: bytes("") + bytes("-wal"),
            others: self.owners.living_others(),
            last_stored: last.map(Stamp),
            latest_stored: latest.map(Stamp),
            outbox: rows
                .into_iter()
                .map(|(receiver, waiting, tries, oldest, due)| Backlog {
                    receiver,
                    waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
                    tries: u32::try_from(tries).unwrap_or(u32::MAX),
                    oldest: oldest.as_deref().and_then(Stamp::parse),
                    due: Stamp(due),
                })
                .collect(),
        })
    }
}
