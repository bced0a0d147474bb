//! The store in SQLite: one connection, one transaction per change, the statements in `sql/`.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, SqliteTransaction};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::owner::Ownership;
use super::place::{self, Place};
use super::types::{Result, Scope};
use crate::model::{AttemptId, Order, WcId};

/// A statement of `sql/`, by its file's name.
macro_rules! sql {
    ($($name:literal),+) => {
        concat!($(include_str!(concat!("sql/", $name, ".sql"))),+)
    };
}

mod accounts;
mod attempts;
mod device;
mod feed;
mod health;
mod history;
mod log;
mod logins;
mod open;
mod outbox;
mod presence;
mod prune;
mod reopen;
mod rows;
mod watchers;

/// How long closing waits for a statement under way.
const LAST_STATEMENT: Duration = Duration::from_secs(1);

/// The store of one profile in one database file.
#[derive(Debug)]
pub(super) struct Sqlite {
    /// `None` once closed.
    connection: Arc<Mutex<Option<SqliteConnection>>>,
    place: Place,
    scope: Scope,
    /// The profile's number, which keys its rows. Another file may have given it another one.
    profile: AtomicI64,
    /// Which file it is.
    file: reopen::Opened,
    owners: Ownership,
    /// Up to where this process knows the change feed; see [`Sqlite::changes`].
    seen: AtomicI64,
    /// The epoch in which this process took the observer's place, as long as it believes that it has it.
    epoch: std::sync::Mutex<Option<i64>>,
    /// The attempts that this process holds, each with the epoch it took it in.
    held: std::sync::Mutex<HashMap<AttemptId, i64>>,
}

/// What a row of the change feed is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject<'a> {
    Account(&'a WcId),
    Attempts,
    Fleet,
}

impl Sqlite {
    /// See [`super::Store::open`].
    pub(super) async fn open(path: &Path, scope: Scope) -> Result<Self> {
        let place = place::prepare(path)?;
        let (mut connection, version) = open::connect(&place).await?;
        let owners = Ownership::take(&place.path, scope.cause)?;
        open::migrate(&mut connection, &place, version).await?;
        let (profile, seen) = open::profile(&mut connection, &scope.profile).await?;
        let (profile, file) = (AtomicI64::new(profile), reopen::Opened::of(&place.path));
        let (epoch, held) = (std::sync::Mutex::default(), std::sync::Mutex::default());
        let (connection, seen) = (Arc::new(Mutex::new(Some(connection))), AtomicI64::new(seen));
        Ok(Self { connection, place, scope, profile, file, owners, seen, epoch, held })
    }

    fn profile(&self) -> i64 {
        self.profile.load(Ordering::Relaxed)
    }

    fn epoch(&self) -> std::sync::MutexGuard<'_, Option<i64>> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<AttemptId, i64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who this process is, and who else lives.
    pub(super) const fn owners(&self) -> &Ownership {
        &self.owners
    }

    /// The database file.
    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    /// The connection, for reading, or for [`write()`].
    ///
    /// A full disk or a failed write makes SQLite roll a transaction back by itself, and sqlx then believes for ever
    /// that one is open: it begins no other. Such a connection is replaced by a new one.
    async fn lock(&self) -> Result<Held<'_>> {
        let guard = self.connection.lock().await;
        let mut connection = MutexGuard::try_map(guard, Option::as_mut).map_err(|_closed| sqlx::Error::PoolClosed)?;
        if self.file.is_another(&self.place.path) {
            self.reopen(&mut connection).await?;
        }
        if connection.is_in_transaction() {
            // The rollback of a transaction that was dropped may be under way; whatever is asked next comes after it.
            connection.ping().await?;
            if connection.is_in_transaction() {
                tracing::warn!("the store's connection is beyond use; opening another");
                // The new one is there before the old one goes: a last connection would take the WAL with it.
                let (another, _version) = open::connect(&self.place).await?;
                drop(std::mem::replace(&mut *connection, another));
            }
        }
        Ok(Held { connection, path: &self.place.path })
    }

    /// Tells the other processes that something changed: under the next number, which is returned.
    async fn changed(&self, tx: &mut SqliteConnection, subject: Subject<'_>) -> Result<Order> {
        let (kind, wc_id) = match subject {
            Subject::Account(wc_id) => (0, wc_id.as_str()),
            Subject::Attempts => (1, ""),
            Subject::Fleet => (2, ""),
        };
        let put = sqlx::query(sql!("change_put"))
            .bind(self.profile())
            .bind(kind)
            .bind(wc_id)
            .bind(&*self.owners.me().0)
            .bind(self.seen.load(Ordering::Relaxed))
            .execute(tx)
            .await?;
        Ok(Order(put.last_insert_rowid()))
    }

    /// See [`super::Store::order`].
    pub(super) async fn order(&self) -> Result<Order> {
        let mut connection = self.lock().await?;
        let query = sqlx::query_scalar(sql!("change_seq")).bind(self.profile());
        Ok(Order(query.fetch_one(&mut *connection).await?))
    }

    /// Checkpoints and closes. What was erased (image URLs) is then gone from the WAL as well, unless another process
    /// is reading just now: nobody waits for that at the end of a program. Nor for a statement that waits in vain for
    /// another program to let go of the file.
    pub(super) async fn close(&self) {
        let idle = async {
            let mut connection = self.connection.lock().await.take()?;
            // Answered after whatever is under way.
            connection.ping().await.is_ok().then_some(connection)
        };
        let Ok(idle) = tokio::time::timeout(LAST_STATEMENT, idle).await else {
            tracing::warn!("the store is still waited for; it is left open");
            return;
        };
        let Some(mut connection) = idle else { return };
        let checkpoint = sqlx::raw_sql("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE);");
        if let Err(error) = checkpoint.execute(&mut connection).await {
            tracing::debug!(%error, "no checkpoint at close");
        }
        if let Err(error) = connection.close().await {
            tracing::warn!(%error, "the store did not close well");
        }
    }
}

/// The connection while nobody else here has it, and the file behind it.
struct Held<'a> {
    connection: MappedMutexGuard<'a, SqliteConnection>,
    path: &'a Path,
}

impl Deref for Held<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// Starts a transaction that holds the write lock from its first statement, so that what it reads stays true until it
/// commits. Dropped without a commit, it leaves nothing behind. A refusal names the file.
async fn write<'c>(held: &'c mut Held<'_>) -> Result<SqliteTransaction<'c>> {
    let Held { connection, path } = held;
    begin(connection).await.map_err(|error| place::trouble(path, &error).unwrap_or_else(|| error.into()))
}

async fn begin(connection: &mut SqliteConnection) -> sqlx::Result<SqliteTransaction<'_>> {
    connection.begin_with("BEGIN IMMEDIATE").await
}

/// A new attempt id that sorts by `at`.
fn new_attempt_id(at: crate::model::Stamp) -> AttemptId {
    let ms = u64::try_from(at.0).unwrap_or_default();
    AttemptId::from(ulid::Ulid::from_parts(ms, ulid::Ulid::new().random()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Edit, Rung, Stamp};
    use crate::store::{Begun, Error};

    /// A store in a folder that goes with the test.
    async fn store() -> (tempfile::TempDir, Sqlite) {
        let folder = tempfile::tempdir().unwrap();
        let scope = Scope {
            profile: "138@h:1".into(),
            name: "default".into(),
            cause: "screen",
            receivers: Vec::new(),
            lists_w_ids: true,
        };
        let store = Sqlite::open(&folder.path().join("saoma.db"), scope).await.unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn a_full_disk_is_over_when_there_is_room_again() {
        let (_folder, store) = store().await;
        // No page more than there are: what a full disk says. It holds for this connection alone.
        let full = "PRAGMA max_page_count = 1";
        sqlx::raw_sql(full).execute(&mut *store.lock().await.unwrap()).await.unwrap();
        let many: Vec<(WcId, Edit)> = (0..500)
            .map(|number| {
                (format!("wxid_{number:05}").into(), Edit { note: Some("n".repeat(200).into()), ..Edit::default() })
            })
            .collect();
        let refused = store.import(&many, Stamp(1)).await.unwrap_err();
        assert!(refused.to_string().contains("full"), "{refused}");
        // Nothing of it stayed, and the next change finds a store that works.
        assert_eq!(store.accounts().await.unwrap().len(), 0);
        let begun = store.begin_attempt(Some(&"wxid_00001".into()), Rung::QrLogin, Stamp(2)).await.unwrap();
        assert!(matches!(begun, Begun::Started(_)), "{begun:?}");
        assert_eq!(store.import(&many, Stamp(3)).await.unwrap(), many.len());
        assert_eq!(store.accounts().await.unwrap().len(), many.len());
    }

    #[tokio::test]
    async fn a_locked_store_is_named_with_what_holds_it() {
        let (folder, store) = store().await;
        let scope = Scope { receivers: Vec::new(), ..store.scope.clone() };
        let other = Sqlite::open(&folder.path().join("saoma.db"), scope).await.unwrap();
        for connection in [&store, &other] {
            let mut connection = connection.lock().await.unwrap();
            sqlx::raw_sql("PRAGMA busy_timeout = 0").execute(&mut *connection).await.unwrap();
        }
        let mut held = other.lock().await.unwrap();
        let tx = write(&mut held).await.unwrap();
        let refused = store.import(&[("a".into(), Edit::default())], Stamp(1)).await.unwrap_err();
        let Error::Refused { path, trouble } = &refused else { panic!("{refused:?}") };
        assert!(path.ends_with("saoma.db") && *trouble == crate::model::Trouble::Locked, "{refused:?}");
        assert!(!refused.to_string().contains("SQLite"), "{refused}");
        tx.rollback().await.unwrap();
        assert_eq!(store.import(&[("a".into(), Edit::default())], Stamp(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_dropped_transaction_costs_no_connection() {
        let (_folder, store) = store().await;
        let mark = "PRAGMA temp.user_version = 7";
        sqlx::raw_sql(mark).execute(&mut *store.lock().await.unwrap()).await.unwrap();
        for _ in 0..20 {
            let mut connection = store.lock().await.unwrap();
            drop(write(&mut connection).await.unwrap());
        }
        let kept: i64 =
            sqlx::query_scalar("PRAGMA temp.user_version").fetch_one(&mut *store.lock().await.unwrap()).await.unwrap();
        assert_eq!(kept, 7);
    }
}
