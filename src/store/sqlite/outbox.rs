//! What receivers have to be told, at least once.

use serde_json::{Map, Value};
use sqlx::sqlite::SqliteConnection;

use super::super::types::{OUTBOX_PAUSES_MS, OutboxItem, Result};
use super::{Sqlite, write};
use crate::model::{Owner, Stamp};

/// `id, json, tries`.
type Row = (i64, String, u32);

/// So many rows of a receiver are taken at once; the others are there the next time.
const MOST: i64 = 256;
/// A receiver of whom nobody has known anything for so long, in milliseconds, is no more.
const FORGOTTEN_MS: i64 = 7 * 24 * 3_600_000;
/// A clock that stands further past what was written down last is not believed.
const STRAY_MS: i64 = 24 * 3_600_000;
/// So many rows are dropped at once: others want to write too.
const DROPPED_AT_ONCE: i64 = 1_000;

/// The pauses for SQL, as a JSON array.
fn pauses() -> String {
    Value::from(OUTBOX_PAUSES_MS.as_slice()).to_string()
}

impl Sqlite {
    /// Puts an event into the outbox, once for each receiver.
    pub(super) async fn tell(&self, tx: &mut SqliteConnection, event: Map<String, Value>, due: Stamp) -> Result<()> {
        if self.scope.receivers.is_empty() {
            return Ok(());
        }
        let json = Value::Object(event).to_string();
        for receiver in &self.scope.receivers {
            let query = sqlx::query(sql!("outbox_add")).bind(self.profile()).bind(receiver).bind(&json).bind(due.0);
            query.execute(&mut *tx).await?;
        }
        Ok(())
    }

    /// The owners that are telling somebody something, as a JSON array. Each is asked after once, however many rows
    /// it has claimed; what one has claimed that is dead, or has not stirred for longer than any telling takes, is nobody's.
    async fn tellers(&self, connection: &mut SqliteConnection) -> Result<String> {
        let claims: Vec<String> =
            sqlx::query_scalar(sql!("outbox_owners")).bind(self.profile()).fetch_all(connection).await?;
        let alive = claims.into_iter().filter(|owner| self.owners.may_be_telling(&Owner(owner.as_str().into())));
        Ok(Value::from_iter(alive).to_string())
    }

    /// Rows for a receiver that no living owner is telling (nobody, or one who died over it), and that have no earlier one
    /// of the same account before them: a receiver is told in the order things happened.
    async fn untold(
        &self,
        connection: &mut SqliteConnection,
        tellers: &str,
        receiver: &str,
        now: Stamp,
        most: i64,
    ) -> Result<Vec<Row>> {
        let query = sqlx::query_as(sql!("outbox_waiting", "outbox_due"))
            .bind(self.profile())
            .bind(receiver)
            .bind(now.0)
            .bind(tellers);
        Ok(query.bind(pauses()).bind(most).fetch_all(connection).await?)
    }

    /// See [`super::super::Store::outbox_take`].
    pub(in super::super) async fn outbox_take(&self, now: Stamp) -> Result<Vec<OutboxItem>> {
        let mut connection = self.lock().await?;
        // Looked at without the write lock first: mostly there is nothing to do, and others are writing.
        let mut waiting = Vec::new();
        let tellers = self.tellers(&mut connection).await?;
        for receiver in &self.scope.receivers {
            if !self.untold(&mut connection, &tellers, receiver, now, 1).await?.is_empty() {
                waiting.push(receiver);
            }
        }
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        self.owners.leases().tells();
        let mut tx = write(&mut connection).await?;
        let mut taken = Vec::new();
        // Somebody may have claimed some meanwhile.
        let tellers = self.tellers(&mut tx).await?;
        for receiver in waiting {
            for (id, json, tries) in self.untold(&mut tx, &tellers, receiver, now, MOST).await? {
                let query = sqlx::query(sql!("outbox_claim")).bind(id).bind(&*self.owners.me().0);
                query.execute(&mut *tx).await?;
                taken.push(OutboxItem { id, receiver: receiver.clone(), json, tries });
            }
        }
        if taken.is_empty() {
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        taken.sort_by_key(|item| item.id);
        Ok(taken)
    }

    /// See [`super::super::Store::outbox_next`].
    pub(in super::super) async fn outbox_next(&self, now: Stamp) -> Result<Option<Stamp>> {
        let mut connection = self.lock().await?;
        let tellers = self.tellers(&mut connection).await?;
        let mut next: Option<i64> = None;
        for receiver in &self.scope.receivers {
            let query = sqlx::query_scalar(sql!("outbox_waiting", "outbox_next"))
                .bind(self.profile())
                .bind(receiver)
                .bind(now.0)
                .bind(&tellers)
                .bind(pauses());
            let due: Option<i64> = query.fetch_one(&mut *connection).await?;
            next = next.into_iter().chain(due).min();
        }
        Ok(next.map(Stamp))
    }

    /// See [`super::super::Store::outbox_forget`].
    pub(in super::super) async fn outbox_forget(&self, now: Stamp) -> Result<Vec<(String, u64)>> {
        let mut connection = self.lock().await?;
        let latest = sqlx::query_as(sql!("latest")).bind(self.profile());
        let (newest, _): (Option<i64>, Option<i64>) = latest.fetch_one(&mut *connection).await?;
        let newest = newest.unwrap_or(0);
        if now.ms_since(Stamp(newest)) > STRAY_MS {
            return Ok(Vec::new());
        }
        let tellers = self.tellers(&mut connection).await?;
        let before = now.min(Stamp(newest)).plus_ms(-FORGOTTEN_MS).0;
        let left: Vec<String> = sqlx::query_scalar(sql!("outbox_left"))
            .bind(self.profile())
            .bind(before)
            .bind(tellers)
            .fetch_all(&mut *connection)
            .await?;
        let mut gone = Vec::new();
        for receiver in left.into_iter().filter(|receiver| !self.scope.receivers.contains(receiver)) {
            let mut count = 0;
            loop {
                let mut tx = write(&mut connection).await?;
                let query = sqlx::query(sql!("outbox_forget")).bind(self.profile()).bind(&receiver);
                let dropped = query.bind(before).bind(DROPPED_AT_ONCE).execute(&mut *tx).await?.rows_affected();
                tx.commit().await?;
                count += dropped;
                if dropped == 0 {
                    break;
                }
            }
            gone.push((receiver, count));
        }
        Ok(gone)
    }

    /// See [`super::super::Store::outbox_done`].
    pub(in super::super) async fn outbox_done(&self, id: i64) -> Result<()> {
        self.owners.leases().tells();
        let mut connection = self.lock().await?;
        sqlx::query(sql!("outbox_done")).bind(id).bind(&*self.owners.me().0).execute(&mut *connection).await?;
        Ok(())
    }

    /// See [`super::super::Store::outbox_failed`].
    pub(in super::super) async fn outbox_failed(&self, id: i64, due: Stamp) -> Result<()> {
        self.owners.leases().tells();
        let mut connection = self.lock().await?;
        let query = sqlx::query(sql!("outbox_failed")).bind(id).bind(due.0).bind(&*self.owners.me().0);
        query.execute(&mut *connection).await?;
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

    /// A store, and another of the same file for other receivers.
    async fn stores(mine: &[&str], theirs: &[&str]) -> (tempfile::TempDir, Sqlite, Sqlite) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("saoma.db");
        let scope = |receivers: &[&str]| Scope {
            profile: "138@h:1".into(),
            name: "default".into(),
            cause: "watch",
            receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
            lists_w_ids: true,
        };
        let (mine, theirs) =
            (Sqlite::open(&path, scope(mine)).await.unwrap(), Sqlite::open(&path, scope(theirs)).await.unwrap());
        (folder, mine, theirs)
    }

    async fn tell(store: &Sqlite, wc_ids: impl IntoIterator<Item = String>, due: Stamp) {
        let mut connection = store.lock().await.unwrap();
        let mut tx = write(&mut connection).await.unwrap();
        for wc_id in wc_ids {
            let Value::Object(event) = json!({ "wc_id": wc_id }) else { panic!() };
            store.tell(&mut tx, event, due).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// What nobody has tried is due at once.
    async fn tried(store: &Sqlite) {
        let mut connection = store.lock().await.unwrap();
        sqlx::query("UPDATE outbox SET tries = 1").execute(&mut *connection).await.unwrap();
    }

    /// How many steps SQLite takes for a look into the outbox: no clock, the same on every machine.
    async fn steps(store: &Sqlite) -> u64 {
        let mut connection = store.lock().await.unwrap();
        let steps = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counted = std::sync::Arc::clone(&steps);
        let mut handle = connection.lock_handle().await.unwrap();
        handle.set_progress_handler(1, move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            true
        });
        drop(handle);
        drop(connection);
        assert!(store.outbox_take(Stamp(5)).await.unwrap().is_empty());
        assert_eq!(store.outbox_next(Stamp(5)).await.unwrap(), Some(Stamp(10)));
        let mut connection = store.lock().await.unwrap();
        connection.lock_handle().await.unwrap().remove_progress_handler();
        steps.load(std::sync::atomic::Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_look_costs_the_same_however_much_waits_behind_what_is_next() {
        let (_folder, store, _) = stores(&["command"], &[]).await;
        tell(&store, (0..20).map(|number| format!("wxid_{number}")), Stamp(10)).await;
        tried(&store).await;
        let few = steps(&store).await;
        tell(&store, (0..4_000).map(|number| format!("wxid_{}", number % 20)), Stamp(10)).await;
        tried(&store).await;
        let many = steps(&store).await;
        assert!(many <= few + few / 4, "{few} steps for 20 rows, {many} for 4,020");
    }

    #[tokio::test]
    async fn more_than_one_handful_is_told_in_turn() {
        let (_folder, store, _) = stores(&["command"], &[]).await;
        tell(&store, (0..600).map(|number| format!("wxid_{number:03}")), Stamp(10)).await;
        let mut told = Vec::new();
        loop {
            let items = store.outbox_take(Stamp(10)).await.unwrap();
            if items.is_empty() {
                break;
            }
            for item in items {
                store.outbox_done(item.id).await.unwrap();
                told.push(item.id);
            }
        }
        assert_eq!((told.len(), told.is_sorted()), (600, true));
    }

    #[tokio::test]
    async fn only_a_receiver_that_nobody_has_known_for_a_week_is_forgotten() {
        const DAY: i64 = 24 * 3_600_000;
        let (_folder, mine, theirs) = stores(&["command"], &["webhook"]).await;
        let log = async |at: i64| {
            let entry = crate::store::LogEntry {
                at: Stamp(at),
                wc_id: None,
                event: "outage".into(),
                reason: None,
                gateway_message: None,
                w_id: None,
                cause: None,
            };
            mine.log(&entry).await.unwrap();
        };
        let forget = async |at: i64| mine.outbox_forget(Stamp(at)).await.unwrap();
        let some = || ["a", "a", "b"].map(str::to_owned);
        let begun = 100 * DAY;
        tell(&mine, some(), Stamp(begun)).await;
        tell(&theirs, some(), Stamp(begun)).await;
        assert_eq!(forget(begun).await, []);
        // A clock that has run far ahead of all that was written down proves nothing.
        log(begun).await;
        assert_eq!(forget(begun + 300 * DAY).await, []);
        // Another process has tried within the week: behind what it tried the others wait.
        log(begun + 8 * DAY).await;
        let head = theirs.outbox_take(Stamp(begun)).await.unwrap();
        assert_eq!(forget(begun + 8 * DAY).await, [], "it is being told");
        for item in &head {
            theirs.outbox_failed(item.id, Stamp(begun + 8 * DAY)).await.unwrap();
        }
        assert_eq!(forget(begun + 8 * DAY).await, []);
        log(begun + 16 * DAY).await;
        assert_eq!(forget(begun + 16 * DAY).await, [("webhook".to_owned(), 3)]);
        assert_eq!(theirs.outbox_next(Stamp(begun)).await.unwrap(), None);
        // One's own wait for ever.
        assert_eq!(mine.outbox_next(Stamp(begun)).await.unwrap(), Some(Stamp(begun)));
    }
}
