//! The store in SQLite: one connection, one transaction per change, the statements in `sql/`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, SqliteTransaction};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::owner::Ownership;
use super::place;
use super::types::{Result, Scope};
use crate::model::{AttemptId, WcId};

/// A statement of `sql/`, by its file's name.
macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("sql/", $name, ".sql"))
    };
}

mod accounts;
mod attempts;
mod device;
mod feed;
mod history;
mod log;
mod logins;
mod open;
mod outbox;
mod presence;
mod rows;
mod watchers;

/// The store of one profile in one database file.
#[derive(Debug)]
pub(super) struct Sqlite {
    /// `None` once closed.
    connection: Mutex<Option<SqliteConnection>>,
    path: PathBuf,
    scope: Scope,
    /// The profile's number, which keys its rows.
    profile: i64,
    owners: Ownership,
    /// Up to where this process knows the change feed; see [`Sqlite::changes`].
    seen: AtomicI64,
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
        let mut connection = open::connect(&place).await?;
        let owners = Ownership::take(&place.path)?;
        open::migrate(&mut connection, &place).await?;
        let (profile, seen) = open::profile(&mut connection, &scope.profile).await?;
        Ok(Self {
            connection: Mutex::new(Some(connection)),
            path: place.path,
            scope,
            profile,
            owners,
            seen: AtomicI64::new(seen),
        })
    }

    /// Who this process is, and who else lives.
    pub(super) const fn owners(&self) -> &Ownership {
        &self.owners
    }

    /// The database file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, for reading, or for [`write()`].
    async fn lock(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>> {
        let guard = self.connection.lock().await;
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_closed| sqlx::Error::PoolClosed.into())
    }

    /// Tells the other processes that something changed.
    async fn changed(&self, tx: &mut SqliteConnection, subject: Subject<'_>) -> Result<()> {
        let (kind, wc_id) = match subject {
            Subject::Account(wc_id) => (0, wc_id.as_str()),
            Subject::Attempts => (1, ""),
            Subject::Fleet => (2, ""),
        };
        sqlx::query(sql!("change_put"))
            .bind(self.profile)
            .bind(kind)
            .bind(wc_id)
            .bind(&*self.owners.me().0)
            .bind(self.seen.load(Ordering::Relaxed))
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Checkpoints and closes. What was erased (image URLs) is then gone from the WAL as well, unless another process
    /// is reading just now: nobody waits for that at the end of a program.
    pub(super) async fn close(&self) {
        let Some(mut connection) = self.connection.lock().await.take() else { return };
        let checkpoint = sqlx::raw_sql("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE);");
        if let Err(error) = checkpoint.execute(&mut connection).await {
            tracing::debug!(%error, "no checkpoint at close");
        }
        if let Err(error) = connection.close().await {
            tracing::warn!(%error, "the store did not close well");
        }
    }
}

/// Starts a transaction that holds the write lock from its first statement, so that what it reads stays true until it
/// commits. Dropped without a commit, it leaves nothing behind.
async fn write(connection: &mut SqliteConnection) -> Result<SqliteTransaction<'_>> {
    Ok(connection.begin_with("BEGIN IMMEDIATE").await?)
}

/// A new attempt id that sorts by `at`.
fn new_attempt_id(at: crate::model::Stamp) -> AttemptId {
    let ms = u64::try_from(at.0).unwrap_or_default();
    AttemptId::from(ulid::Ulid::from_parts(ms, ulid::Ulid::new().random()).to_string())
}
