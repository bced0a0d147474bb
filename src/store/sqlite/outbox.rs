//! What receivers have to be told, at least once.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteConnection;

use super::super::types::{OutboxItem, Result};
use super::{Sqlite, write};
use crate::model::{Owner, Stamp};

/// `id, receiver, json, due, tries, claimed_by`.
type Row = (i64, String, String, i64, u32, Option<String>);

/// The longest pause between two tries. A row that would be due later than this was written when the clock was ahead: it
/// has waited for nothing.
const LONGEST_PAUSE_MS: i64 = 900_000;

/// When a row may be told: at once, if nobody has tried yet.
fn due(row: &Row, now: Stamp) -> Stamp {
    let (due, tries) = (Stamp(row.3), row.4);
    let is_ahead = due.ms_since(now) > LONGEST_PAUSE_MS;
    if tries == 0 || is_ahead { due.not_after(now) } else { due }
}

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
        // Each owner is asked after once, however many rows it has claimed.
        let mut alive: HashMap<String, bool> = HashMap::new();
        let mut free = |row: &Row| {
            let Some(owner) = &row.5 else { return true };
            if let Some(alive) = alive.get(owner) {
                return !alive;
            }
            let lives = self.owners.is_alive(&Owner(owner.as_str().into()));
            alive.insert(owner.clone(), lives);
            !lives
        };
        Ok(rows.into_iter().filter(|row| free(row)).collect())
    }

    /// See [`super::super::Store::outbox_take`].
    pub(in super::super) async fn outbox_take(&self, now: Stamp) -> Result<Vec<OutboxItem>> {
        let mut connection = self.lock().await?;
        // Looked at without the write lock first: mostly there is nothing to do, and others are writing.
        if self.untold(&mut connection).await?.iter().all(|row| due(row, now) > now) {
            return Ok(Vec::new());
        }
        let mut tx = write(&mut connection).await?;
        let mut rows = self.untold(&mut tx).await?;
        rows.retain(|row| due(row, now) <= now);
        for row in &rows {
            let query = sqlx::query(sql!("outbox_claim")).bind(row.0).bind(&*self.owners.me().0);
            query.execute(&mut *tx).await?;
        }
        if rows.is_empty() {
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        Ok(rows.into_iter().map(|(id, receiver, json, _, tries, _)| OutboxItem { id, receiver, json, tries }).collect())
    }

    /// See [`super::super::Store::outbox_next`].
    pub(in super::super) async fn outbox_next(&self, now: Stamp) -> Result<Option<Stamp>> {
        let mut connection = self.lock().await?;
        Ok(self.untold(&mut connection).await?.iter().map(|row| due(row, now)).min())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Scope;

    #[tokio::test]
    async fn a_receiver_gets_the_events_of_an_account_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let scope = Scope {
            profile: "138@h:1".into(),
            name: "default".into(),
            cause: "watch",
            receivers: vec!["command".into(), "webhook".into()],
            lists_w_ids: true,
        };
        let store = Sqlite::open(&folder.path().join("saoma.db"), scope).await.unwrap();
        let mut connection = store.lock().await.unwrap();
        let mut tx = write(&mut connection).await.unwrap();
        for (number, wc_id) in [(1, Some("a")), (2, Some("a")), (3, Some("b")), (4, None)] {
            let Value::Object(event) = json!({"number": number, "wc_id": wc_id}) else { panic!() };
            store.tell(&mut tx, event, Stamp(10)).await.unwrap();
        }
        tx.commit().await.unwrap();
        drop(connection);
        let take = async |receiver: &str, at: i64| {
            let mut items = store.outbox_take(Stamp(at)).await.unwrap();
            items.retain(|item| item.receiver == receiver);
            items
        };
        let numbers = |items: &[OutboxItem]| -> Vec<u64> {
            items
                .iter()
                .map(|item| serde_json::from_str::<Value>(&item.json).unwrap()["number"].as_u64().unwrap())
                .collect()
        };
        let first = take("command", 10).await;
        assert_eq!(numbers(&first), [1, 3, 4]);
        // The first one of a is in somebody's hands: the second waits.
        assert_eq!(numbers(&take("command", 10).await), [] as [u64; 0]);
        // Not taken: it waits for the next try, and the second one with it.
        store.outbox_failed(first[0].id, Stamp(50)).await.unwrap();
        assert_eq!(numbers(&take("command", 49).await), [] as [u64; 0]);
        assert_eq!(store.outbox_next(Stamp(49)).await.unwrap(), Some(Stamp(50)));
        let again = take("command", 50).await;
        assert_eq!((numbers(&again), again[0].tries), (vec![1], 1));
        store.outbox_done(again[0].id).await.unwrap();
        assert_eq!(numbers(&take("command", 50).await), [2]);
    }
}
