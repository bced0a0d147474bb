//! What every test here needs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use saoma::model::{Account, AttemptId, Began, Order, Presence, ProfileId, Reason, Record, Rung, Source, Stamp, WcId};
use saoma::store::{Alert, Begun, Scope, Store, Stored, Verdict};
use serde_json::Value;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// How long a code lives.
pub(crate) const CODE_LIFE: Duration = Duration::from_secs(150);

pub(crate) fn scope() -> Scope {
    Scope {
        profile: ProfileId::from("13800000000 @ 203.0.113.7:9899"),
        name: "default".into(),
        cause: "command",
        receivers: vec!["command".into()],
        lists_w_ids: true,
    }
}

pub(crate) fn record(wc_id: &str, w_id: &str) -> Record {
    Record {
        wc_id: wc_id.into(),
        w_id: w_id.into(),
        nick_name: "小诺".into(),
        w_account: "xiaonuo".into(),
        sex: Some(2),
        avatar_url: "http://203.0.113.7/a.png".into(),
    }
}

/// A store in a folder that goes with the test.
pub(crate) async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("saoma.db"), scope()).await.unwrap();
    (folder, store)
}

/// Another process's view of the same file, as far as owners and the feed go.
pub(crate) async fn beside(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("saoma.db"), scope()).await.unwrap()
}

/// A connection that goes round the store, to look or to disturb.
pub(crate) async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

/// A database that an older saoma made with these statements, and the connection that made it.
pub(crate) async fn old_file(statements: &[&'static str]) -> (tempfile::TempDir, PathBuf, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saoma.db");
    let mut old = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
    for sql in ["PRAGMA journal_mode = WAL"].iter().chain(statements) {
        sqlx::raw_sql(*sql).execute(&mut old).await.unwrap();
    }
    (folder, path, old)
}

/// Begins an attempt with a code.
pub(crate) async fn begin(store: &Store, wc_id: &str, w_id: &str, at: i64) -> AttemptId {
    let id = started(store.begin_attempt(Some(&WcId::from(wc_id)), Rung::QrLogin, Stamp(at)).await.unwrap());
    store.attempt_issued(&id, Some(&w_id.into()), None, Stamp(at + 150_000), CODE_LIFE).await.unwrap();
    id
}

pub(crate) fn started(begun: Begun) -> AttemptId {
    match begun {
        Begun::Started(id) => id,
        Begun::Busy(attempt) => panic!("busy with {attempt:?}"),
    }
}

/// A question that is asked now, whatever the clock says.
pub(crate) async fn asked(store: &Store, at: i64) -> Began {
    Began { at: Stamp(at), order: store.order().await.unwrap(), ..Began::default() }
}

/// One that was asked after all that a test puts into its store.
pub(crate) fn late(at: i64) -> Began {
    Began { at: Stamp(at), order: Order(i64::MAX), ..Began::default() }
}

/// A whole login at once.
pub(crate) async fn login(store: &Store, wc_id: &str, w_id: &str, requested: i64, at: i64) -> Stored {
    let id = begin(store, wc_id, w_id, requested).await;
    store.store_login(&id, &record(wc_id, w_id), Stamp(at)).await.unwrap()
}

pub(crate) async fn account(store: &Store, wc_id: &str) -> Account {
    store.account(&wc_id.into()).await.unwrap().unwrap()
}

pub(crate) fn verdict(wc_id: &str, presence: Presence, source: Source, at: i64) -> Verdict {
    let reason = (presence == Presence::Offline).then_some(Reason::Dropped);
    Verdict { wc_id: wc_id.into(), presence, source, began: late(at), reason }
}

pub(crate) fn alert(event: &'static str, wc_id: Option<&str>, at: i64) -> Alert {
    Alert { event, wc_id: wc_id.map(Into::into), at: Stamp(at), reason: None, fields: Vec::new() }
}

/// The outbox's objects for a receiver, without taking them.
pub(crate) async fn outbox(folder: &tempfile::TempDir) -> Vec<Value> {
    let mut connection = raw(&folder.path().join("saoma.db")).await;
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT json FROM outbox ORDER BY id").fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|(json,)| serde_json::from_str(json).unwrap()).collect()
}

/// What the outbox would tell, without taking it: event, wId, previous wId.
pub(crate) async fn told(path: &Path) -> Vec<(String, String, Option<String>)> {
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT json FROM outbox ORDER BY id").fetch_all(&mut raw(path).await).await.unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    rows.iter()
        .map(|(json,)| {
            let json: Value = serde_json::from_str(json).unwrap();
            (text(&json["event"]).unwrap(), text(&json["w_id"]).unwrap(), text(&json["previous_w_id"]))
        })
        .collect()
}
