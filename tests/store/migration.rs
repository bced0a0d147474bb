//! A database of the first version, with rows, as a newer program finds it.

use saoma::model::{Presence, Reason, Stamp, WId};
use saoma::store::Store;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::support::{account, login, raw, scope};

const FIRST: &str = include_str!("../../src/store/sqlite/migrations/0001_start.sql");

const ROWS: &str = "
INSERT INTO profiles (n, id, last_list_at) VALUES (1, '13800000000 @ 203.0.113.7:9899', 5000);
INSERT INTO accounts (profile, wc_id, w_id, w_id_confirmed, nick_name, w_account, sex, avatar_url, presence, source,
                      observed_at, last_login_at, first_login_at, holder, tags, note, reason, gateway_message,
                      success_at, success_attempt)
VALUES (1, 'wxid_a', 'w1', 1, '小诺', 'xiaonuo', 2, '', 'online', 'list', 3000, 1000, 1000, 'Li', '[\"x\"]', 'n', NULL,
        NULL, 900, '01KABC'),
       (1, 'wxid_b', NULL, 0, '', '', NULL, '', 'offline', 'list', 4000, NULL, NULL, '', '[]', '', 'dropped', 'words',
        NULL, NULL),
       (1, 'wxid_c', NULL, 0, '', '', NULL, '', 'unknown', 'import', NULL, NULL, NULL, '', '[]', '', NULL, NULL, NULL,
        NULL);
INSERT INTO w_ids (profile, wc_id, w_id, source, confirmed, attempt, requested_at, stored_at, previous_w_id)
VALUES (1, 'wxid_a', 'w1', 'login', 1, '01KABC', 900, 1000, NULL);
INSERT INTO log (profile, at, wc_id, event, reason, gateway_message, w_id)
VALUES (1, 1000, 'wxid_a', 'logged_in', NULL, NULL, 'w1'), (1, 4000, 'wxid_b', 'dropped', 'dropped', NULL, NULL);
INSERT INTO outbox (profile, receiver, json, due, tries) VALUES (1, 'command', '{}', 1000, 2);
PRAGMA application_id = 1935765357;
PRAGMA user_version = 1;
";

#[tokio::test]
async fn a_database_of_the_first_version_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saoma.db");
    let mut old = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut old).await.unwrap();
    sqlx::raw_sql(FIRST).execute(&mut old).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut old).await.unwrap();
    drop(old);
    let store = Store::open(&path, scope()).await.unwrap();
    let accounts = store.accounts().await.unwrap();
    assert_eq!(accounts.len(), 3);
    let known = account(&store, "wxid_a").await;
    assert_eq!(known, accounts[0]);
    assert_eq!((&*known.nick_name, &*known.holder, &*known.note), ("小诺", "Li", "n"));
    assert_eq!((known.w_id, known.last_login_at), (Some(WId::from("w1")), Some(Stamp(1000))));
    assert_eq!((known.device, known.budget), (None, None));
    assert_eq!(accounts[1].reason, Some(Reason::Dropped));
    // What was believed is believed since its evidence, and the log goes on without causes of old.
    let believed: Vec<_> = store.presences(None, Stamp(0)).await.unwrap();
    let believed: Vec<(&str, i64, Presence)> =
        believed.iter().map(|change| (change.wc_id.as_str(), change.at.0, change.presence)).collect();
    assert_eq!(believed, [("wxid_a", 3000, Presence::Online), ("wxid_b", 4000, Presence::Offline)]);
    assert_eq!(store.drops(None, Stamp(0)).await.unwrap(), [Stamp(4000)]);
    assert!(store.history(None, Stamp(0), 9).await.unwrap().iter().all(|entry| entry.cause.is_none()));
    assert_eq!(store.outbox_take(Stamp(2000)).await.unwrap()[0].tries, 2);
    // And it is a store like any other: the newest success still counts.
    assert!(!login(&store, "wxid_a", "w0", 800, 6000).await.current);
    assert!(login(&store, "wxid_a", "w2", 6100, 6200).await.current);
    store.close().await;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut raw(&path).await).await.unwrap();
    assert_eq!(version, 5);
    // An up-to-date file is only read.
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    Store::open(&path, scope()).await.unwrap().close().await;
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
}
