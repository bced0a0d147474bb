//! Connecting and migrating.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Row};

use super::super::place::{self, Place};
use super::super::types::{Error, Result, is_damaged, sql};
use super::begin;
use crate::model::ProfileId;

/// The migrations in order; the n-th leads to `user_version` n.
const MIGRATIONS: [&str; 8] = [
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_history.sql"),
    include_str!("migrations/0003_made_with.sql"),
    include_str!("migrations/0004_order.sql"),
    include_str!("migrations/0005_first_login.sql"),
    include_str!("migrations/0006_epochs.sql"),
    include_str!("migrations/0007_outbox.sql"),
    include_str!("migrations/0008_attempts.sql"),
];

/// `application_id` in the file's header: "saom".
const APPLICATION: i64 = 0x7361_6f6d;

/// How long a transaction waits for another process's. Transactions take milliseconds; this is for a stalled disk.
const PATIENCE: Duration = Duration::from_secs(15);

/// Connects, and refuses a file that is not for this program before anything is changed. Also gives the schema's version.
pub(super) async fn connect(place: &Place) -> Result<(SqliteConnection, usize)> {
    let options = SqliteConnectOptions::new()
        .filename(&place.path)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        // A commit is told to people and bots as done, so it has to outlive a power cut: NORMAL would sync the WAL
        // only at checkpoints. The price, one sync per change, is small next to a login.
        .synchronous(SqliteSynchronous::Full)
        // An erased image URL must not lie about in free pages.
        .pragma("secure_delete", "ON")
        .disable_statement_logging();
    let cannot = |error: sqlx::Error| cannot("open", place, &error);
    let mut connection = options.connect().await.map_err(cannot)?;
    let version = version(&mut connection, place).await?;
    Ok((connection, version))
}

/// That what lies there is a store of this program's, or empty. Nothing is changed, and no journal beside it is read.
pub(super) async fn look(place: &Place) -> Result<()> {
    let options = SqliteConnectOptions::new().filename(&place.path).immutable(true).read_only(true);
    let mut connection = options.connect().await.map_err(|error| cannot("open", place, &error))?;
    version(&mut connection, place).await.map(|_version| ())
}

fn cannot(what: &str, place: &Place, error: &sqlx::Error) -> Error {
    if let Some(refused) = place::trouble(&place.path, error) {
        return refused;
    }
    let words = format!("cannot {what} the store {}: {}", place.path.display(), sql(error));
    if is_damaged(error) { Error::Damaged(words) } else { Error::Open(words) }
}

/// The schema's version, 0 for an empty file. Refuses a newer saoma's file and one that is not saoma's.
async fn version(connection: &mut SqliteConnection, place: &Place) -> Result<usize> {
    let path = place.path.display();
    let cannot = |error: sqlx::Error| cannot("read", place, &error);
    let row = sqlx::query(sql!("version")).fetch_one(connection).await.map_err(cannot)?;
    let (version, application, tables): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if application != APPLICATION && (application != 0 || tables != 0) {
        return Err(Error::Open(format!("{path} is a database of another program")));
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(Error::Open(format!(
            "the store {path} was written by a newer saoma (its version is {version}, this program knows {}): \
             update saoma",
            MIGRATIONS.len()
        ))),
    }
}

/// Brings the schema up to date from the `found` version. An up-to-date file is only read: nothing is written, nothing
/// synced. One process at a time: turning the WAL on needs the file for oneself and does not wait for others by itself,
/// so a lock file keeps the line.
pub(super) async fn migrate(connection: &mut SqliteConnection, place: &Place, found: usize) -> Result<()> {
    if found == MIGRATIONS.len() {
        return Ok(());
    }
    let lock = place::with_suffix(&place.path, ".owners").join("migration");
    let wrong = |error| place::refused(&lock, "cannot lock", &error);
    let line = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock).map_err(wrong)?;
    // On a thread of its own: whoever is ahead in the line may be a task of this very runtime.
    let locked = tokio::task::spawn_blocking(move || line.lock().map(|()| line)).await;
    let _line = locked.map_err(std::io::Error::other).and_then(|locked| locked).map_err(wrong)?;
    let version = version(connection, place).await?;
    if version == 0 {
        sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
    }
    let mut tx = begin(connection).await?;
    for migration in MIGRATIONS.iter().skip(version) {
        sqlx::raw_sql(*migration).execute(&mut *tx).await?;
    }
    // Pragmas take no parameters.
    let stamp = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {}", MIGRATIONS.len());
    sqlx::raw_sql(sqlx::AssertSqlSafe(stamp)).execute(&mut *tx).await?;
    tx.commit().await?;
    if place.new {
        place::sync_folders(&place.path);
    }
    Ok(())
}

/// The profile's number and the newest sequence number of its changes. Written only when the profile is new.
pub(super) async fn profile(connection: &mut SqliteConnection, id: &ProfileId) -> Result<(i64, i64)> {
    let known = sqlx::query_as(sql!("profile")).bind(id.as_str()).fetch_optional(&mut *connection).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    sqlx::query(sql!("profile_add")).bind(id.as_str()).execute(&mut *connection).await?;
    Ok(sqlx::query_as(sql!("profile")).bind(id.as_str()).fetch_one(connection).await?)
}
