//! A database of the first version, with rows, as a newer program finds it.

use std::path::PathBuf;

use saoma::model::{Presence, Reason, Source, Stamp, WId};
use saoma::store::{Store, Verdict};

use super::support::{account, asked, login, old_file, raw, scope};

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

/// A database of the first version with [`ROWS`], and what else is done to it.
async fn old(more: &'static str) -> (tempfile::TempDir, PathBuf) {
    let (folder, path, _) = old_file(&[FIRST, ROWS, more]).await;
    (folder, path)
}

/// What a clock that was hours ahead has noted before the numbers came.
const AHEAD: &str = "
UPDATE accounts SET observed_at = observed_at + 28800000, last_login_at = last_login_at + 28800000,
                    first_login_at = first_login_at + 28800000, success_at = success_at + 28800000;
UPDATE profiles SET last_list_at = last_list_at + 28800000;
UPDATE log SET at = at + 28800000;
UPDATE outbox SET due = due + 28800000;
";

#[tokio::test]
async fn what_a_clock_that_was_ahead_left_in_an_old_database_holds_nothing_up() {
    let (_folder, path) = old(AHEAD).await;
    let store = Store::open(&path, scope()).await.unwrap();
    let now = Stamp(9_000);
    let began = asked(&store, now.0).await;
    let (presence, source, reason) = (Presence::Offline, Source::List, Some(Reason::Dropped));
    let gone = Verdict { wc_id: "wxid_a".into(), presence, source, began, reason };
    let changed = store.note_list(began, &[gone], &[], &[]).await.unwrap();
    assert_eq!((changed.len(), changed[0].presence, changed[0].observed_at), (1, Presence::Offline, Some(now)));
    assert_eq!(store.last_list().await.unwrap().map(|(at, _)| at), Some(now));
    assert!(login(&store, "wxid_a", "w2", 9_100, 9_200).await.current);
    assert_eq!(store.outbox_take(now).await.unwrap()[0].tries, 2, "it is due");
    let told = store.history(None, Stamp(0), 9, Stamp(9_300)).await.unwrap();
    let told: Vec<(&str, i64)> = told.iter().map(|line| (&*line.event, line.at.0)).collect();
    // Each in its place: before what came after it.
    assert_eq!(told, [("logged_in", 9_200), ("dropped", 9_000), ("dropped", 9_000), ("logged_in", 9_000)]);
}

#[tokio::test]
async fn a_database_of_the_first_version_keeps_its_rows() {
    let (_folder, path) = old("").await;
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
    let believed: Vec<_> = store.presences(None, Stamp(0), Stamp(i64::MAX)).await.unwrap();
    let believed: Vec<(&str, i64, Presence)> =
        believed.iter().map(|change| (change.wc_id.as_str(), change.at.0, change.presence)).collect();
    assert_eq!(believed, [("wxid_a", 3000, Presence::Online), ("wxid_b", 4000, Presence::Offline)]);
    assert_eq!(store.drops(None, Stamp(0), Stamp(i64::MAX)).await.unwrap(), [Stamp(4000)]);
    assert!(store.history(None, Stamp(0), 9, Stamp(i64::MAX)).await.unwrap().iter().all(|entry| entry.cause.is_none()));
    assert_eq!(store.outbox_take(Stamp(2000)).await.unwrap()[0].tries, 2);
    // And it is a store like any other: whatever is requested from now on is newer, whatever the clock says.
    assert!(login(&store, "wxid_a", "w0", 800, 6000).await.current);
    assert!(login(&store, "wxid_a", "w2", 600, 620).await.current);
    store.close().await;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut raw(&path).await).await.unwrap();
    assert_eq!(version, 8);
    // An up-to-date file is only read.
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    Store::open(&path, scope()).await.unwrap().close().await;
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
}
