//! What receivers have to be told, at least once.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteConnection;

use super::super::types::{OutboxItem, Result};
use super::{Sqlite, write};
use crate::model::{Owner, Stamp};

/// `id, receiver, json, due, tries, claimed_by`.
type Row = (i64, String, String, i64, u32, Option<String>);

/// Whom an event is about.
#[derive(Deserialize)]
struct About {
    wc_id: Option<String>,
}

/// The account an event is about; none for what is about all.
fn account_of(json: &str) -> Option<String> {
    serde_json::from_str::<About>(json).ok().and_then(|about| about.wc_id)
}

impl Sqlite {
    /// Puts an event into the outbox, once for each receiver.
    pub(super) async fn tell(&self, tx: &mut SqliteConnection, event: Map<String, Value>, due: Stamp) -> Result<()> {
        if self.scope.receivers.is_empty() {
            return Ok(());
        }
        let json = Value::Object(event).to_string();
        for receiver in &self.scope.receivers {
            let query = sqlx::query(sql!("outbox_add")).bind(self.profile).bind(receiver).bind(&json).bind(due.0);
            query.execute(&mut *tx).await?;
        }
        Ok(())
    }

    /// Rows for receivers of this process that no living owner is telling (nobody, or one who died over it), and that
    /// have no earlier one of the same account before them: a receiver is told in the order things happened.
    async fn untold(&self, connection: &mut SqliteConnection) -> Result<Vec<Row>> {
        let rows: Vec<Row> = sqlx::query_as(sql!("outbox")).bind(self.profile).fetch_all(connection).await?;
        let mut heads = HashSet::new();
        let is_head = |row: &Row| heads.insert((row.1.clone(), account_of(&row.2)));
        let rows: Vec<Row> =
            rows.into_iter().filter(|row| self.scope.receivers.contains(&row.1)).filter(is_head).collect();
        let free = |row: &Row| {
            let claimed = row.5.as_deref().map(|owner| Owner(owner.into()));
            claimed.is_none_or(|owner| !self.owners.is_alive(&owner))
        };
        Ok(rows.into_iter().filter(free).collect())
    }

    /// See [`super::super::Store::outbox_take`].
    pub(in super::super) async fn outbox_take(&self, now: Stamp) -> Result<Vec<OutboxItem>> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let mut due = self.untold(&mut tx).await?;
        due.retain(|row| row.3 <= now.0);
        for row in &due {
            let query = sqlx::query(sql!("outbox_claim")).bind(row.0).bind(&*self.owners.me().0);
            query.execute(&mut *tx).await?;
        }
        if due.is_empty() {
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        Ok(due.into_iter().map(|(id, receiver, json, _, tries, _)| OutboxItem { id, receiver, json, tries }).collect())
    }

    /// See [`super::super::Store::outbox_next`].
    pub(in super::super) async fn outbox_next(&self) -> Result<Option<Stamp>> {
        let mut connection = self.lock().await?;
        Ok(self.untold(&mut connection).await?.iter().map(|row| Stamp(row.3)).min())
    }

    /// See [`super::super::Store::outbox_done`].
    pub(in super::super) async fn outbox_done(&self, id: i64) -> Result<()> {
        let mut connection = self.lock().await?;
        sqlx::query(sql!("outbox_done")).bind(id).execute(&mut *connection).await?;
        Ok(())
    }

    /// See [`super::super::Store::outbox_failed`].
    pub(in super::super) async fn outbox_failed(&self, id: i64, due: Stamp) -> Result<()> {
        let mut connection = self.lock().await?;
        sqlx::query(sql!("outbox_failed")).bind(id).bind(due.0).execute(&mut *connection).await?;
        Ok(())
    }
}
