//! Which login is an account's first, whatever way it came to be known, and what its first drop is taken for.

use saoma::model::{AttemptId, Edit, FirstNight, Presence, Reason, Rung, Source, Stamp, WcId};
use saoma::store::{Scope, Store, Verdict};

use super::support::{CODE_LIFE, account, asked, begin, late, old_file, record, scope, started};

const HOUR: i64 = 3_600_000;
/// When the code is asked for, and when its phone has confirmed.
const ASKED: i64 = 1_000;
const DONE: i64 = 2_000;
/// The wId that the code gets.
const CODE: &str = "w-code";

fn id() -> WcId {
    "wxid_a".into()
}

fn online(at: i64) -> Verdict {
    Verdict { wc_id: id(), presence: Presence::Online, source: Source::List, began: late(at), reason: None }
}

fn offline(at: i64) -> Verdict {
    let reason = Some(Reason::Dropped);
    Verdict { presence: Presence::Offline, reason, ..online(at) }
}

async fn open(folder: &tempfile::TempDir, lists_w_ids: bool) -> Store {
    Store::open(&folder.path().join("saoma.db"), Scope { lists_w_ids, ..scope() }).await.unwrap()
}

/// A code for the account, or for any phone.
async fn code(store: &Store, wc_id: Option<&str>) -> AttemptId {
    let wc_id = wc_id.map(WcId::from);
    let id = started(store.begin_attempt(wc_id.as_ref(), Rung::QrLogin, Stamp(ASKED)).await.unwrap());
    store.attempt_issued(&id, Some(&CODE.into()), None, Stamp(ASKED + 150_000), CODE_LIFE).await.unwrap();
    id
}

/// Everything that can have happened before the code, or beside it.
const BEFORE: &[(&str, bool)] = &[
    ("nobody knew it", true),
    ("named", true),
    ("imported by name", true),
    ("a list lacked it", true),
    ("asked before, and nobody scanned", true),
    ("its phone refused a second login", true),
    ("a list shows this very login first", true),
    ("adopted as this very login first", true),
    ("a list shows the wId that was polled, the reply has another", true),
    ("V1's list shows this very login first", true),
    ("the wrong phone's", true),
    ("of a dead process", true),
    ("imported with a wId", false),
    ("imported with the same wId", false),
    ("imported with a time", false),
    ("on a list", false),
    ("on V1's list", false),
    ("on V1's list by a clock that was ahead", false),
    ("on a list once, and off line since", false),
    ("on a list as another instance than known", false),
    ("adopted", false),
    ("a second login", false),
    ("logged in, removed and added again", false),
    ("on a list, removed and added again", false),
];

/// Plays what came before, and the code. True if the account's first login was that code's.
async fn is_first(how: &str) -> (tempfile::TempDir, Store, bool) {
    let folder = tempfile::tempdir().unwrap();
    let v1 = how.contains("V1");
    let mut store = open(&folder, !v1).await;
    let put = async |store: &Store, edit: Edit| {
        store.put_account(&id(), &edit, Stamp(10)).await.unwrap();
    };
    let named = Edit { nick_name: Some("小诺".into()), holder: Some("Li".into()), ..Edit::default() };
    let list = async |store: &Store, at: i64, verdict: Option<Verdict>, w_id: Option<&str>| {
        let verdicts: Vec<Verdict> = verdict.into_iter().collect();
        let unknown = if verdicts.is_empty() { vec![(id(), w_id.map(Into::into))] } else { Vec::new() };
        store.note_list(asked(store, at).await, &verdicts, &unknown, &[]).await.unwrap();
    };
    let mut whose = Some("wxid_a");
    match how {
        "nobody knew it" => whose = None,
        "named" => put(&store, Edit::default()).await,
        "a list lacked it" => {
            put(&store, named).await;
            list(&store, 20, Some(Verdict { reason: None, ..offline(20) }), None).await;
        }
        "asked before, and nobody scanned" => {
            let before = begin(&store, "wxid_a", "w-before", 30).await;
            store.end_attempt(&before, "expired", Some(Reason::NobodyScanned), None, Stamp(40)).await.unwrap();
        }
        "its phone refused a second login" => {
            put(&store, named).await;
            store.refused(&id(), None, Stamp(30)).await.unwrap();
        }
        "imported with a wId" => put(&store, Edit { w_id: Some("w-file".into()), ..named }).await,
        "imported with the same wId" => put(&store, Edit { w_id: Some(CODE.into()), ..named }).await,
        "imported with a time" => put(&store, Edit { was_logged_in: true, ..named }).await,
        "on V1's list" => list(&store, 20, None, None).await,
        "on V1's list by a clock that was ahead" => list(&store, DONE + 8 * HOUR, None, None).await,
        "on a list once, and off line since" => {
            put(&store, named).await;
            list(&store, 20, Some(online(20)), None).await;
            list(&store, 30, Some(offline(30)), None).await;
        }
        "on a list as another instance than known" | "adopted" => {
            put(&store, named).await;
            store.adopt(None, &id(), &"w-list".into(), [asked(&store, 20).await; 2]).await.unwrap().unwrap();
        }
        "a second login" => {
            put(&store, named).await;
            let second = started(store.begin_attempt(Some(&id()), Rung::SecondLogin, Stamp(20)).await.unwrap());
            store.store_login(&second, &record("wxid_a", "w-second"), Stamp(30)).await.unwrap();
        }
        "logged in, removed and added again" => {
            let before = begin(&store, "wxid_a", "w-before", 20).await;
            store.store_login(&before, &record("wxid_a", "w-before"), Stamp(30)).await.unwrap();
        }
        "on a list" | "on a list, removed and added again" => list(&store, 20, None, Some("w-list")).await,
        "the wrong phone's" => whose = Some("wxid_b"),
        _ => put(&store, named).await,
    }
    if how.contains("removed") {
        assert!(store.remove_account(&id()).await.unwrap());
        put(&store, Edit::default()).await;
    }
    let attempt = code(&store, whose).await;
    let mut w_id = CODE;
    match how {
        "a list shows this very login first" => {
            store.remove_account(&id()).await.unwrap();
            list(&store, ASKED + 500, None, Some(CODE)).await;
        }
        "adopted as this very login first" => {
            store
                .adopt(Some(&attempt), &id(), &CODE.into(), [asked(&store, ASKED + 500).await; 2])
                .await
                .unwrap()
                .unwrap();
        }
        "a list shows the wId that was polled, the reply has another" => {
            store.remove_account(&id()).await.unwrap();
            list(&store, ASKED + 500, None, Some(CODE)).await;
            w_id = "w-reply";
        }
        "V1's list shows this very login first" => list(&store, ASKED + 500, Some(online(ASKED + 500)), None).await,
        "of a dead process" => {
            store.close().await;
            store = open(&folder, true).await;
            store.take_over(&attempt).await.unwrap().unwrap();
        }
        _ => {}
    }
    store.store_login(&attempt, &record("wxid_a", w_id), Stamp(DONE)).await.unwrap();
    let account = account(&store, "wxid_a").await;
    let first = account.first_login_at == Some(Stamp(DONE));
    assert_eq!(first, account.first_login_at.is_some(), "{how}");
    assert_eq!(account.first_night, Some(if first { FirstNight::Ahead } else { FirstNight::Over }), "{how}");
    (folder, store, first)
}

#[tokio::test]
async fn a_first_login_is_a_code_of_which_nothing_was_known_before() {
    for (how, expected) in BEFORE {
        let (folder, store, first) = is_first(how).await;
        assert_eq!(first, *expected, "{how}");
        // And so is its drop, seen by whatever process.
        let beside = open(&folder, true).await;
        beside.note_list(asked(&beside, DONE + HOUR).await, &[offline(DONE + HOUR)], &[], &[]).await.unwrap();
        let dropped = account(&store, "wxid_a").await;
        assert_eq!((dropped.is_first_drop(), dropped.is_after_first_night()), (first, first), "{how}");
        assert_eq!(store.accounts().await.unwrap().iter().find(|one| one.wc_id == id()), Some(&dropped), "{how}");
        let shown = store.first_accounts(9).await.unwrap().accounts;
        assert_eq!(shown.iter().find(|one| one.wc_id == id()), Some(&dropped), "{how}");
    }
}

#[tokio::test]
async fn neither_a_second_login_nor_an_import_is_ever_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, true).await;
    for (wc_id, w_id) in [("wxid_a", None), ("wxid_b", Some("w-file"))] {
        let edit = Edit { w_id: w_id.map(Into::into), ..Edit::default() };
        store.put_account(&wc_id.into(), &edit, Stamp(10)).await.unwrap();
        assert_eq!(account(&store, wc_id).await.first_login_at, None);
        let second = started(store.begin_attempt(Some(&wc_id.into()), Rung::SecondLogin, Stamp(20)).await.unwrap());
        store.attempt_requesting(&second, Rung::SecondLogin, Stamp(20)).await.unwrap();
        store.store_login(&second, &record(wc_id, "w1"), Stamp(30)).await.unwrap();
        let known = account(&store, wc_id).await;
        assert_eq!((known.first_login_at, known.last_login_at), (None, Some(Stamp(30))));
    }
    // An attempt that nobody remembers may have been anything.
    store.store_login(&"01KUNKNOWN".into(), &record("wxid_c", "w2"), Stamp(40)).await.unwrap();
    assert_eq!(account(&store, "wxid_c").await.first_login_at, None);
}

#[tokio::test]
async fn only_the_first_drop_of_the_first_day_is_the_one() {
    let day = 24 * HOUR;
    // What happens after the first login, and whether the drop that ends it is the expected one.
    for (story, expected) in [
        (&[("drop", HOUR)][..], true),
        (&[("drop", day)], true),
        (&[("drop", day + 1)], false),
        (&[("drop", HOUR), ("lists go on", 3 * day)], true),
        (&[("drop", HOUR), ("nobody scans", 2 * HOUR)], true),
        (&[("drop", HOUR), ("recovers", 2 * HOUR), ("drop", 3 * HOUR)], false),
        (&[("drop", HOUR), ("adopted", 2 * HOUR), ("drop", 3 * HOUR)], false),
        (&[("drop", HOUR), ("code", 2 * HOUR), ("drop", 3 * HOUR)], false),
        (&[("drop", HOUR), ("second login", 2 * HOUR), ("drop", 3 * HOUR)], false),
        // Logged in once more without a drop: that one is still to come.
        (&[("second login", HOUR), ("drop", 2 * HOUR)], true),
        (&[("adopted", HOUR), ("drop", 2 * HOUR)], true),
        // Our own doing is no drop, and does not use it up.
        (&[("taken offline", HOUR)], false),
        (&[("taken offline", HOUR), ("second login", 2 * HOUR), ("drop", 3 * HOUR)], true),
    ] {
        let (_folder, store, first) = is_first("named").await;
        assert!(first);
        for (what, after) in story {
            let at = DONE + after;
            let listed = at + 8 * HOUR;
            match *what {
                "drop" => {
                    drop(store.note_list(asked(&store, listed).await, &[offline(at)], &[], &[]).await.unwrap());
                }
                "recovers" => drop(store.note(&[online(at)], &[]).await.unwrap()),
                "lists go on" => drop(store.note_list(asked(&store, listed).await, &[], &[], &[]).await.unwrap()),
                "adopted" => {
                    let w_id = format!("w{at}").as_str().into();
                    store.adopt(None, &id(), &w_id, [asked(&store, at).await; 2]).await.unwrap().unwrap();
                }
                "nobody scans" => {
                    let code = begin(&store, "wxid_a", "w-later", at).await;
                    let reason = Some(Reason::NobodyScanned);
                    store.end_attempt(&code, "expired", reason, None, Stamp(at + 1)).await.unwrap();
                }
                "taken offline" => {
                    let own = Verdict { source: Source::Own, reason: Some(Reason::TakenOffline), ..offline(at) };
                    store.note(&[own], &[]).await.unwrap();
                }
                rung => {
                    let kind = if rung == "code" { Rung::QrLogin } else { Rung::SecondLogin };
                    let again = store.begin_attempt(Some(&id()), kind, Stamp(at - 10)).await.unwrap();
                    let w_id = format!("w{at}");
                    store.store_login(&started(again), &record("wxid_a", &w_id), Stamp(at)).await.unwrap();
                }
            }
        }
        let account = account(&store, "wxid_a").await;
        assert_eq!(account.is_after_first_night(), expected, "{story:?}: {account:?}");
    }
    // By a clock that was ahead at the login. The store takes nothing older than the login; that is another rule's.
    let (_folder, store, first) = is_first("named").await;
    assert!(first);
    let mut account = account(&store, "wxid_a").await;
    account.dropped(Stamp(DONE - 8 * HOUR));
    assert_eq!(account.first_night, Some(FirstNight::Dropped));
}

// ── Stores from before ───────────────────────────────────────────────────────────────────────────────────────────

const SCHEMA: [&str; 3] = [
    include_str!("../../src/store/sqlite/migrations/0001_start.sql"),
    include_str!("../../src/store/sqlite/migrations/0002_history.sql"),
    include_str!("../../src/store/sqlite/migrations/0003_made_with.sql"),
];

/// An account that an older saoma took for new since 1000: presence, its wIds (wId, source, stored at, wId before), the
/// rung of its login, its presences, its drops, and its last login.
struct Old {
    wc_id: &'static str,
    presence: &'static str,
    w_ids: &'static [(&'static str, &'static str, i64, Option<&'static str>)],
    rung: Option<&'static str>,
    presences: &'static [(i64, &'static str)],
    drops: &'static [i64],
    last_login_at: Option<i64>,
    night: Option<FirstNight>,
}

const REAL: Old = Old {
    wc_id: "real",
    presence: "online",
    w_ids: &[("w1", "login", 1_000, None)],
    rung: Some("qr_login"),
    presences: &[(1_000, "online")],
    drops: &[],
    last_login_at: Some(1_000),
    night: Some(FirstNight::Ahead),
};

#[tokio::test]
async fn a_store_from_before_keeps_what_nothing_disproves() {
    let (_folder, path, mut old) = old_file(&SCHEMA).await;
    let olds = [
        REAL,
        // Its attempt is not remembered any more: nothing disproves it.
        Old { wc_id: "long ago", rung: None, ..REAL },
        Old { wc_id: "dropped", presence: "offline", drops: &[5_000], night: Some(FirstNight::Dropped), ..REAL },
        Old {
            wc_id: "dropped late",
            presence: "offline",
            drops: &[100_000_000],
            night: Some(FirstNight::Over),
            ..REAL
        },
        Old {
            wc_id: "dropped and back",
            drops: &[5_000],
            presences: &[(1_000, "online"), (5_000, "offline"), (6_000, "online")],
            night: Some(FirstNight::Over),
            ..REAL
        },
        Old {
            wc_id: "dropped twice",
            presence: "offline",
            drops: &[5_000, 7_000],
            presences: &[(1_000, "online"), (5_000, "offline"), (6_000, "online"), (7_000, "offline")],
            night: Some(FirstNight::Over),
            ..REAL
        },
        Old {
            wc_id: "logged in after its drop",
            presence: "offline",
            w_ids: &[("w1", "login", 1_000, None), ("w2", "login", 6_000, Some("w1"))],
            drops: &[5_000, 7_000],
            last_login_at: Some(6_000),
            night: Some(FirstNight::Over),
            ..REAL
        },
        Old { wc_id: "second login", rung: Some("second_login"), night: None, ..REAL },
        Old {
            wc_id: "imported",
            w_ids: &[("w1", "import", 1_000, None)],
            rung: None,
            presences: &[],
            last_login_at: None,
            night: None,
            ..REAL
        },
        Old {
            wc_id: "imported, then logged in",
            w_ids: &[("w0", "import", 1_000, None), ("w1", "login", 5_000, Some("w0"))],
            last_login_at: Some(5_000),
            night: None,
            ..REAL
        },
        Old {
            wc_id: "on a list",
            w_ids: &[("w0", "list", 500, None), ("w1", "login", 1_000, Some("w0"))],
            night: None,
            ..REAL
        },
        Old {
            wc_id: "removed meanwhile",
            w_ids: &[("w0", "login", 500, None), ("w1", "login", 1_000, None)],
            night: None,
            ..REAL
        },
        Old { wc_id: "on V1's list", presences: &[(500, "online")], night: None, ..REAL },
    ];
    sqlx::raw_sql("INSERT INTO profiles (n, id) VALUES (1, '13800000000 @ 203.0.113.7:9899')")
        .execute(&mut old)
        .await
        .unwrap();
    for account in &olds {
        let wc_id = account.wc_id;
        sqlx::query(
            "INSERT INTO accounts (profile, wc_id, w_id_confirmed, nick_name, w_account, avatar_url, presence,
                                   last_login_at, first_login_at, holder, tags, note)
             VALUES (1, ?1, 1, '', '', '', ?2, ?3, 1000, '', '[]', '')",
        )
        .bind(wc_id)
        .bind(account.presence)
        .bind(account.last_login_at)
        .execute(&mut old)
        .await
        .unwrap();
        for (w_id, source, at, previous) in account.w_ids {
            sqlx::query("INSERT INTO w_ids VALUES (1, ?1, ?2, ?3, 1, ?4, ?5, ?6, ?7)")
                .bind(wc_id)
                .bind(w_id)
                .bind(source)
                .bind((*source == "login").then(|| format!("{wc_id} {w_id}")))
                .bind((*source == "login").then_some(at - 100))
                .bind(at)
                .bind(previous)
                .execute(&mut old)
                .await
                .unwrap();
        }
        if let Some(rung) = account.rung {
            sqlx::query(
                "INSERT INTO attempts (id, profile, wc_id, rung, state, requested_at, owner)
                 VALUES (?1, 1, ?2, ?3, 'ended', 900, 'x')",
            )
            .bind(format!("{wc_id} w1"))
            .bind(wc_id)
            .bind(rung)
            .execute(&mut old)
            .await
            .unwrap();
        }
        for (at, presence) in account.presences {
            let query = sqlx::query("INSERT INTO presences VALUES (1, ?1, ?2, ?3)").bind(wc_id).bind(at).bind(presence);
            query.execute(&mut old).await.unwrap();
        }
        for at in account.drops {
            let query = sqlx::query("INSERT INTO log (profile, at, wc_id, event) VALUES (1, ?1, ?2, 'dropped')");
            query.bind(at).bind(wc_id).execute(&mut old).await.unwrap();
        }
    }
    sqlx::raw_sql("PRAGMA application_id = 1935765357; PRAGMA user_version = 3").execute(&mut old).await.unwrap();
    drop(old);
    let store = Store::open(&path, scope()).await.unwrap();
    for old in &olds {
        let account = account(&store, old.wc_id).await;
        assert_eq!(account.first_night, old.night, "{}", old.wc_id);
        assert_eq!(account.first_login_at, old.night.map(|_| Stamp(1_000)), "{}", old.wc_id);
    }
}
