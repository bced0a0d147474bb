//! The rules, one by one.

use std::os::unix::fs::PermissionsExt;

use saoma::model::{Attempt, AttemptId, AttemptState, Owner, Presence, Reason, Rung, Source, Stamp, WId, WcId};
use saoma::store::{Begun, Edit, Error, LogEntry, Scope, Store, Verdict};
use secrecy::ExposeSecret;
use sqlx::Connection;

use super::support::{CODE_LIFE, account, asked, begin, beside, late, login, raw, record, scope, started, store, told};

fn verdict(wc_id: &str, presence: Presence, source: Source, at: i64) -> Verdict {
    Verdict { wc_id: wc_id.into(), presence, source, began: late(at), reason: None }
}

fn events(log: &[LogEntry]) -> Vec<&str> {
    log.iter().map(|entry| &*entry.event).collect()
}

fn triple(event: &str, w_id: &str, previous: Option<&str>) -> (String, String, Option<String>) {
    (event.into(), w_id.into(), previous.map(Into::into))
}

async fn attempt(store: &Store, id: &saoma::model::AttemptId) -> Option<Attempt> {
    store.attempts().await.unwrap().into_iter().find(|attempt| attempt.id == *id)
}

#[tokio::test]
async fn a_login_is_stored_and_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/saoma.db");
    let store = Store::open(&path, scope()).await.unwrap();
    let first = login(&store, "wxid_a", "w1", 100, 200).await;
    assert!(first.current && first.new_account && first.previous_w_id.is_none());
    let second = login(&store, "wxid_a", "w2", 300, 400).await;
    assert!(second.current && !second.new_account);
    assert_eq!(second.previous_w_id, Some("w1".into()));
    store.close().await;
    assert!(!path.with_extension("db-wal").exists(), "closed by the last process, the WAL is gone");

    let store = Store::open(&path, scope()).await.unwrap();
    let accounts = store.accounts().await.unwrap();
    assert_eq!(accounts, [second.account]);
    let account = &accounts[0];
    assert_eq!(account.w_id, Some("w2".into()));
    assert!(account.w_id_confirmed);
    assert_eq!((account.presence, account.source), (Presence::Online, Some(Source::Login)));
    assert_eq!((account.first_login_at, account.last_login_at), (Some(Stamp(200)), Some(Stamp(400))));
    assert_eq!(&*account.nick_name, "小诺");
    assert!(store.attempts().await.unwrap().is_empty());
    assert_eq!(
        told(&path).await,
        [
            triple("logged_in", "w1", None),
            triple("logged_in", "w2", Some("w1")),
            triple("w_id_changed", "w2", Some("w1"))
        ]
    );
    assert_eq!(events(&store.recent(9).await.unwrap()), ["logged_in", "logged_in"]);
}

/// So many codes of one account, w0, w1, …, asked for one after the other; nobody waits for them any more. The clock goes
/// back all the while.
async fn ask(store: &Store, count: usize) -> Vec<AttemptId> {
    let mut attempts = Vec::new();
    for n in 0..count {
        let id = begin(store, "wxid_a", &format!("w{n}"), 900 - 100 * n as i64).await;
        store.abandon_attempt(&id).await.unwrap();
        attempts.push(id);
    }
    attempts
}

/// Who becomes current, for each order in which they are told.
#[tokio::test]
async fn the_success_requested_last_becomes_current() {
    let cases: [(&[usize], &str); 5] =
        [(&[0, 1], "w1"), (&[1, 0], "w1"), (&[0, 2, 1], "w2"), (&[2, 1, 0], "w2"), (&[1, 0, 2], "w2")];
    for (told_in, winner) in cases {
        let (folder, store) = store().await;
        let attempts = ask(&store, told_in.len()).await;
        for n in told_in {
            let w_id = format!("w{n}");
            let record = record("wxid_a", &w_id);
            let stored = store.store_login(&attempts[*n], &record, Stamp(1000 + *n as i64)).await.unwrap();
            assert_eq!(stored.current, stored.account.w_id == Some(w_id.as_str().into()), "{told_in:?}");
        }
        assert_eq!(account(&store, "wxid_a").await.w_id, Some(winner.into()), "{told_in:?}");
        let told = told(&folder.path().join("saoma.db")).await;
        assert_eq!(told.last().map(|told| told.1.as_str()), Some(winner), "{told_in:?}");
        let kept: Vec<(String,)> = sqlx::query_as("SELECT w_id FROM w_ids")
            .fetch_all(&mut raw(&folder.path().join("saoma.db")).await)
            .await
            .unwrap();
        assert_eq!(kept.len(), told_in.len(), "the history holds all");
    }
}

/// Two logins have worked, and which of them came last only a list with wIds can tell.
#[tokio::test]
async fn without_wids_in_the_list_an_earlier_wish_that_worked_too_leaves_doubt() {
    for (told_in, lists_w_ids, certain) in [([0, 1], false, true), ([1, 0], false, false), ([1, 0], true, true)] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("saoma.db"), Scope { lists_w_ids, ..scope() }).await.unwrap();
        let attempts = ask(&store, told_in.len()).await;
        for n in told_in {
            let record = record("wxid_a", &format!("w{n}"));
            let stored = store.store_login(&attempts[n], &record, Stamp(1000)).await.unwrap();
            assert_eq!(stored.account, account(&store, "wxid_a").await);
        }
        let account = account(&store, "wxid_a").await;
        assert_eq!(
            (account.presence, account.w_id_confirmed),
            (Presence::Online, certain),
            "{told_in:?} {lists_w_ids}"
        );
        let newer = login(&store, "wxid_a", "w9", 300, 2000).await;
        assert!(newer.account.w_id_confirmed, "a later login settles it");
    }
}

#[tokio::test]
async fn a_success_told_twice_is_stored_once() {
    let (folder, store) = store().await;
    let id = begin(&store, "wxid_a", "w1", 100).await;
    let first = store.store_login(&id, &record("wxid_a", "w1"), Stamp(200)).await.unwrap();
    let newer = login(&store, "wxid_a", "w2", 300, 400).await;
    assert!(newer.current);
    let again = store.store_login(&id, &record("wxid_a", "w1"), Stamp(500)).await.unwrap();
    assert!(!again.current && !again.new_account);
    assert_eq!(again.account, newer.account);
    assert_eq!(again.previous_w_id, first.previous_w_id);
    assert_eq!(told(&folder.path().join("saoma.db")).await.len(), 3);
    assert_eq!(store.recent(9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_attempt_that_nobody_remembers_is_no_hindrance() {
    let (_folder, store) = store().await;
    let strange = "01ARZ3NDEKTSV4RRFFQ69G5FAV".into();
    let stored = store.store_login(&strange, &record("wxid_a", "w1"), Stamp(200)).await.unwrap();
    assert!(stored.current);
}

#[tokio::test]
async fn the_wrong_phone_is_stored_as_its_own() {
    let (_folder, store) = store().await;
    store.put_account(&"wxid_a".into(), &Edit::default(), Stamp(1)).await.unwrap();
    let id = begin(&store, "wxid_a", "w1", 100).await;
    let stored = store.store_login(&id, &record("wxid_b", "w1"), Stamp(200)).await.unwrap();
    assert!(stored.current && stored.new_account);
    assert_eq!(stored.account.wc_id, "wxid_b".into());
    let expected = account(&store, "wxid_a").await;
    assert_eq!((expected.w_id, expected.reason), (None, Some(Reason::WrongAccount)));
    assert!(store.attempts().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_record_leaves_out_stays() {
    let (_folder, store) = store().await;
    login(&store, "wxid_a", "w1", 100, 200).await;
    let id = begin(&store, "wxid_a", "w2", 300).await;
    let mut bare = record("wxid_a", "w2");
    bare.nick_name = "".into();
    bare.sex = None;
    let stored = store.store_login(&id, &bare, Stamp(400)).await.unwrap();
    assert_eq!((&*stored.account.nick_name, stored.account.sex), ("小诺", Some(2)));
}

#[tokio::test]
async fn a_renewed_code_goes_on_as_a_twin_in_its_old_place() {
    let (_folder, store) = store().await;
    let id = begin(&store, "wxid_a", "w1", 100).await;
    assert!(store.attempt_requesting(&id, Rung::QrLogin, Stamp(200)).await.unwrap().is_some());
    assert!(store.attempt_requesting(&id, Rung::QrLogin, Stamp(250)).await.unwrap().is_none(), "it has no wId yet");
    store.attempt_issued(&id, Some(&"w2".into()), None, Stamp(400), CODE_LIFE).await.unwrap();
    let attempts = store.attempts().await.unwrap();
    let twin = attempts.iter().find(|attempt| attempt.id != id).unwrap();
    assert_eq!((twin.state, &twin.w_id, twin.requested_at), (AttemptState::Abandoned, &Some("w1".into()), Stamp(100)));
    assert_eq!(twin.deadline, Some(Stamp(150_100)));
    // The new code wins although the old one is told later; also when the old one is told under the wrong id.
    store.store_login(&id, &record("wxid_a", "w2"), Stamp(500)).await.unwrap();
    let late = store.store_login(&id, &record("wxid_a", "w1"), Stamp(600)).await.unwrap();
    assert!(!late.current);
    assert_eq!(late.account.w_id, Some("w2".into()));
    assert!(store.attempts().await.unwrap().is_empty(), "the twin has its answer as well");
}

#[tokio::test]
async fn the_image_url_is_erased_when_the_attempt_ends() {
    let (folder, store) = store().await;
    let url = "http://203.0.113.7:9899/SAOMA-very-secret.png";
    for (n, how) in ["end", "login", "renew"].into_iter().enumerate() {
        let id = started(store.begin_attempt(None, Rung::QrLogin, Stamp(100)).await.unwrap());
        let w_id = WId::from(format!("w{n}"));
        store.attempt_issued(&id, Some(&w_id), Some(&url.to_owned().into()), Stamp(200), CODE_LIFE).await.unwrap();
        let kept = attempt(&store, &id).await.unwrap();
        assert_eq!(kept.image_url.as_ref().map(|url| url.expose_secret()), Some(url));
        assert!(!format!("{kept:?}").contains("SAOMA-very-secret"));
        match how {
            "end" => store.end_attempt(&id, "expired", Some(Reason::NobodyScanned), None, Stamp(300)).await.unwrap(),
            "login" => drop(store.store_login(&id, &record("wxid_a", w_id.as_str()), Stamp(300)).await.unwrap()),
            _ => drop(store.attempt_requesting(&id, Rung::QrLogin, Stamp(300)).await.unwrap()),
        }
    }
    store.close().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(17).any(|part| part == b"SAOMA-very-secret"), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn an_open_attempt_of_a_living_owner_is_busy() {
    let (folder, store) = store().await;
    let other = beside(&folder).await;
    let wc_id = WcId::from("wxid_a");
    let id = begin(&store, "wxid_a", "w1", 100).await;
    for asking in [&store, &other] {
        let begun = asking.begin_attempt(Some(&wc_id), Rung::SecondLogin, Stamp(200)).await.unwrap();
        assert!(matches!(begun, Begun::Busy(attempt) if attempt.id == id));
    }
    assert!(other.take_over(&id).await.unwrap().is_none(), "its owner lives");
    started(other.begin_attempt(None, Rung::QrLogin, Stamp(200)).await.unwrap());
    store.abandon_attempt(&id).await.unwrap();
    started(other.begin_attempt(Some(&wc_id), Rung::QrLogin, Stamp(300)).await.unwrap());
}

#[tokio::test]
async fn a_dead_owners_attempt_is_taken_over_once() {
    let (folder, store) = store().await;
    let (one, two) = (beside(&folder).await, beside(&folder).await);
    let id = begin(&store, "wxid_a", "w1", 100).await;
    let dead = store.owner().clone();
    assert!(one.is_alive(&dead));
    drop(store);
    assert!(!one.is_alive(&dead));
    let (first, second) = tokio::join!(one.take_over(&id), two.take_over(&id));
    assert!(first.unwrap().is_some() ^ second.unwrap().is_some());
    let taken = attempt(&one, &id).await.unwrap();
    assert_eq!(taken.state, AttemptState::Open);
    assert!(taken.owner == *one.owner() || taken.owner == *two.owner());
}

#[tokio::test]
async fn an_attempt_is_taken_over_as_its_owner_left_it() {
    let (folder, store) = store().await;
    let other = beside(&folder).await;
    let id = started(store.begin_attempt(Some(&"wxid_a".into()), Rung::QrLogin, Stamp(100)).await.unwrap());
    let seen = attempt(&other, &id).await.unwrap();
    assert_eq!(seen.w_id, None);
    // It goes on, and dies, between the look and the taking.
    store.attempt_issued(&id, Some(&"w1".into()), None, Stamp(900), CODE_LIFE).await.unwrap();
    drop(store);
    let taken = other.take_over(&seen.id).await.unwrap().unwrap();
    assert_eq!((taken.w_id, taken.deadline), (Some("w1".into()), Some(Stamp(900))));
    assert_eq!(taken.owner, *other.owner());
}

#[tokio::test]
async fn a_dead_owners_open_attempt_does_not_stop_a_new_one() {
    let (folder, store) = store().await;
    let id = begin(&store, "wxid_a", "w1", 100).await;
    drop(store);
    let store = beside(&folder).await;
    begin(&store, "wxid_a", "w2", 200).await;
    assert_eq!(attempt(&store, &id).await.unwrap().state, AttemptState::Abandoned);
}

#[tokio::test]
async fn owners_by_other_names_are_dead_and_their_files_go() {
    let (folder, store) = store().await;
    for name in ["", ".", "../saoma.db", "migration", "01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
        assert!(!store.is_alive(&Owner(name.into())), "{name:?}");
    }
    let owners = folder.path().join("saoma.db.owners");
    std::fs::write(owners.join("01ARZ3NDEKTSV4RRFFQ69G5FAV"), "").unwrap();
    let other = beside(&folder).await;
    assert!(!owners.join("01ARZ3NDEKTSV4RRFFQ69G5FAV").exists());
    assert!(other.is_alive(store.owner()) && store.is_alive(other.owner()));
    let gone = other.owner().clone();
    other.close().await;
    assert!(!owners.join(&*gone.0).exists());
}

#[tokio::test]
async fn ending_says_why_unless_a_login_came_after_the_request() {
    let (_folder, store) = store().await;
    let early = begin(&store, "wxid_a", "w2", 150).await;
    store.abandon_attempt(&early).await.unwrap();
    login(&store, "wxid_a", "w1", 100, 120).await;
    store.end_attempt(&early, "failed", Some(Reason::Refused), Some("二次登录失败"), Stamp(300)).await.unwrap();
    assert_eq!(account(&store, "wxid_a").await.reason, None);
    let late = begin(&store, "wxid_a", "w3", 400).await;
    for _ in 0..2 {
        store.end_attempt(&late, "failed", Some(Reason::Refused), Some("二次登录失败"), Stamp(500)).await.unwrap();
    }
    let ended = account(&store, "wxid_a").await;
    assert_eq!((ended.reason, ended.gateway_message.as_deref()), (Some(Reason::Refused), Some("二次登录失败")));
    assert_eq!(events(&store.recent(9).await.unwrap()), ["failed", "failed", "logged_in"], "ended twice, logged once");
    assert_eq!(login(&store, "wxid_a", "w4", 600, 700).await.account.reason, None);
}

#[tokio::test]
async fn a_login_that_ended_unknown_leaves_the_wid_unconfirmed() {
    let (_folder, store) = store().await;
    let first = begin(&store, "wxid_a", "w1", 100).await;
    let last = begin_beside(&store, "wxid_a", 200).await;
    // The earlier one succeeds last; the later one's end is not known: its wId may be the live one.
    store.store_login(&first, &record("wxid_a", "w1"), Stamp(300)).await.unwrap();
    store.end_attempt(&last, "failed", Some(Reason::LoginInterrupted), None, Stamp(400)).await.unwrap();
    let unknown = account(&store, "wxid_a").await;
    assert_eq!((unknown.presence, unknown.w_id_confirmed), (Presence::Unknown, false));
    assert_eq!((unknown.w_id, unknown.reason), (Some("w1".into()), Some(Reason::LoginInterrupted)));
    // A success that was requested later settles it, and an older unknown end does not unsettle that.
    let older = begin_beside(&store, "wxid_a", 450).await;
    assert!(login(&store, "wxid_a", "w2", 500, 600).await.account.w_id_confirmed);
    store.end_attempt(&older, "failed", Some(Reason::LoginInterrupted), None, Stamp(700)).await.unwrap();
    let sure = account(&store, "wxid_a").await;
    assert_eq!((sure.presence, sure.w_id_confirmed, sure.reason), (Presence::Online, true, None));
}

/// Begins an attempt where another is open: that one is hidden first.
async fn begin_beside(store: &Store, wc_id: &str, at: i64) -> saoma::model::AttemptId {
    for attempt in store.attempts().await.unwrap() {
        store.abandon_attempt(&attempt.id).await.unwrap();
    }
    let id = started(store.begin_attempt(Some(&wc_id.into()), Rung::SecondLogin, Stamp(at)).await.unwrap());
    store.abandon_attempt(&id).await.unwrap();
    id
}

#[tokio::test]
async fn a_dead_owners_open_attempt_does_not_keep_the_list_out() {
    let (folder, store) = store().await;
    login(&store, "wxid_a", "w1", 100, 200).await;
    begin(&store, "wxid_a", "w2", 300).await;
    let other = beside(&folder).await;
    let lists = [asked(&other, 400).await; 2];
    assert!(other.adopt(None, &"wxid_a".into(), &"w9".into(), lists).await.unwrap().is_none());
    drop(store);
    assert!(other.adopt(None, &"wxid_a".into(), &"w9".into(), lists).await.unwrap().is_some());
}

#[tokio::test]
async fn adopting_has_its_conditions() {
    let (folder, store) = store().await;
    let first = asked(&store, 300).await;
    login(&store, "wxid_a", "w1", 100, 200).await;
    let adopt_seen = async |w_id: &str, lists| {
        let stored = store.adopt(None, &"wxid_a".into(), &w_id.into(), lists).await.unwrap();
        stored.map(|stored| (stored.account.w_id, stored.previous_w_id))
    };
    let adopt = async |w_id: &str, at| adopt_seen(w_id, [asked(&store, at).await; 2]).await;
    assert_eq!(adopt_seen("w9", [first, asked(&store, 310).await]).await, None, "the first is older than the login");
    assert_eq!(adopt("w1", 300).await, None, "known");
    let id = begin(&store, "wxid_a", "w2", 300).await;
    assert_eq!(adopt("w9", 400).await, None, "an attempt is open");
    store.abandon_attempt(&id).await.unwrap();
    assert_eq!(adopt("w9", 400).await, Some((Some("w9".into()), Some("w1".into()))));
    assert_eq!(told(&folder.path().join("saoma.db")).await.last(), Some(&triple("w_id_changed", "w9", Some("w1"))));
    // The abandoned code is scanned after all: it is kept, but what lists have shown since its request stays, and where
    // it is the newer one all the same, they will show it.
    let stored = store.store_login(&id, &record("wxid_a", "w2"), Stamp(500)).await.unwrap();
    assert!(!stored.current);
    assert_eq!(stored.account.w_id, Some("w9".into()));
    assert_eq!(adopt("w2", 600).await, Some((Some("w2".into()), Some("w9".into()))));
    // One that was requested after the lists is newer than they.
    assert!(login(&store, "wxid_a", "w3", 50, 60).await.current);
}

#[tokio::test]
async fn an_attempt_may_adopt_for_itself() {
    let (folder, store) = store().await;
    login(&store, "wxid_a", "w1", 100, 200).await;
    let id = started(store.begin_attempt(Some(&"wxid_a".into()), Rung::Adopt, Stamp(300)).await.unwrap());
    let stored =
        store.adopt(Some(&id), &"wxid_a".into(), &"w9".into(), [asked(&store, 310).await; 2]).await.unwrap().unwrap();
    assert!(stored.account.w_id_confirmed && stored.current);
    assert_eq!(stored.account.last_login_at, Some(Stamp(200)), "nobody logged in");
    assert!(store.attempts().await.unwrap().is_empty());
    let rows: Vec<(String,)> = sqlx::query_as("SELECT json FROM outbox ORDER BY id DESC LIMIT 1")
        .fetch_all(&mut raw(&folder.path().join("saoma.db")).await)
        .await
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&rows[0].0).unwrap();
    assert_eq!((json["cause"].as_str(), json["attempt"].as_str()), (Some("adopted"), Some(id.as_str())));
    assert_eq!(json["profile"].as_str(), Some("default"));
}

#[tokio::test]
async fn a_wid_that_a_list_showed_first_is_still_a_login() {
    let (folder, store) = store().await;
    login(&store, "wxid_a", "w1", 100, 200).await;
    let id = begin(&store, "wxid_a", "w2", 300).await;
    store.abandon_attempt(&id).await.unwrap();
    store.adopt(None, &"wxid_a".into(), &"w2".into(), [asked(&store, 400).await; 2]).await.unwrap().unwrap();
    let stored = store.store_login(&id, &record("wxid_a", "w2"), Stamp(500)).await.unwrap();
    assert!(stored.current);
    assert_eq!(stored.previous_w_id, Some("w1".into()));
    let told = told(&folder.path().join("saoma.db")).await;
    assert_eq!(told[1..], [triple("w_id_changed", "w2", Some("w1")), triple("logged_in", "w2", Some("w1"))]);
}

#[tokio::test]
async fn evidence_older_than_the_login_changes_nothing() {
    let (_folder, store) = store().await;
    let id = begin(&store, "wxid_a", "w1", 100).await;
    let during = asked(&store, 999).await;
    store.store_login(&id, &record("wxid_a", "w1"), Stamp(200)).await.unwrap();
    let after = asked(&store, 1).await;
    for (began, applies) in [(during, false), (after, true)] {
        let gone = Verdict { began, ..verdict("wxid_a", Presence::Offline, Source::Check, 0) };
        let changed = store.note(&[gone], &[]).await.unwrap();
        assert_eq!(!changed.is_empty(), applies, "{began:?}");
    }
    assert_eq!(account(&store, "wxid_a").await.presence, Presence::Offline);
    assert_eq!(events(&store.recent(9).await.unwrap()), ["dropped", "logged_in"]);
}

#[tokio::test]
async fn a_list_writes_what_changes_and_no_more() {
    let (folder, store) = store().await;
    let unknown = [("wxid_a".into(), Some("w1".into())), ("wxid_b".into(), None)];
    let met = store.note_list(late(100), &[], &unknown, &[]).await.unwrap();
    assert_eq!(met.len(), 2);
    assert!(met[0].w_id_confirmed && !met[1].w_id_confirmed);
    assert_eq!(met[0].presence, Presence::Online);
    let other = beside(&folder).await;
    let online = [
        verdict("wxid_a", Presence::Online, Source::List, 200),
        verdict("wxid_b", Presence::Online, Source::List, 200),
    ];
    assert_eq!(store.note_list(late(200), &online, &unknown, &[]).await.unwrap(), []);
    let changes = other.changes(other.seq()).await.unwrap();
    assert!(changes.fleet && changes.wc_ids.is_empty());
    assert_eq!(account(&store, "wxid_a").await.observed_at, Some(Stamp(200)), "the list's time counts");
    assert_eq!(store.last_list().await.unwrap().map(|(at, _)| at), Some(Stamp(200)));
    assert_eq!(store.recent(9).await.unwrap(), [], "from unknown there is no turn");

    let mut gone = verdict("wxid_a", Presence::Offline, Source::List, 300);
    gone.reason = Some(Reason::Dropped);
    let changed = store.note_list(late(300), &[gone.clone()], &[], &[]).await.unwrap();
    assert_eq!((changed.len(), changed[0].reason), (1, Some(Reason::Dropped)));
    gone.began.at = Stamp(400);
    assert_eq!(store.note_list(late(400), &[gone], &[], &[]).await.unwrap(), []);
    let back = verdict("wxid_a", Presence::Online, Source::List, 500);
    let changed = store.note_list(late(500), &[back], &[], &[]).await.unwrap();
    assert_eq!((changed[0].presence, changed[0].reason), (Presence::Online, None));
    assert_eq!(events(&store.recent(9).await.unwrap()), ["recovered", "dropped"]);
    assert_eq!(other.changes(changes.seq).await.unwrap().wc_ids, ["wxid_a".into()]);
}

#[tokio::test]
async fn many_verdicts_are_the_same_as_few() {
    let (_folder, store) = store().await;
    let names: Vec<String> = (0..100).map(|n| format!("wxid_{n:03}")).collect();
    let unknown: Vec<_> = names.iter().map(|name| (WcId::from(name.as_str()), None)).collect();
    assert_eq!(store.note_list(late(100), &[], &unknown, &[]).await.unwrap().len(), 100);
    let verdicts: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            verdict(name, if n % 10 == 0 { Presence::Offline } else { Presence::Online }, Source::List, 200)
        })
        .collect();
    let changed = store.note_list(late(200), &verdicts, &unknown, &[]).await.unwrap();
    assert_eq!(changed.len(), 10);
    let offline = store.accounts().await.unwrap().into_iter().filter(|account| account.presence == Presence::Offline);
    assert_eq!(offline.count(), 10);
}

#[tokio::test]
async fn an_imported_wid_gives_way_to_a_confirmed_one() {
    let (folder, store) = store().await;
    let edit = |w_id: &str| Edit { w_id: Some(w_id.into()), holder: Some("Zhang".into()), ..Edit::default() };
    assert!(store.put_account(&"wxid_a".into(), &edit("w1"), Stamp(100)).await.unwrap());
    let imported = account(&store, "wxid_a").await;
    assert_eq!((imported.w_id, imported.w_id_confirmed), (Some("w1".into()), false));
    assert_eq!((imported.first_login_at, imported.presence), (None, Presence::Unknown));
    let listed = [("wxid_a".into(), "w1".into()), ("wxid_b".into(), "w1".into())];
    assert_eq!(store.confirm_w_ids(&listed).await.unwrap().len(), 1);
    assert_eq!(store.confirm_w_ids(&listed).await.unwrap().len(), 0);
    let many = [("wxid_a".into(), edit("w2")), ("wxid_b".into(), edit("w3"))];
    assert_eq!(store.import(&many, Stamp(200)).await.unwrap(), 1);
    assert_eq!(account(&store, "wxid_a").await.w_id, Some("w1".into()));
    assert_eq!(account(&store, "wxid_b").await.w_id, Some("w3".into()));
    assert_eq!(told(&folder.path().join("saoma.db")).await, []);
}

#[tokio::test]
async fn editing_leaves_alone_what_is_not_named() {
    let (_folder, store) = store().await;
    let wc_id = WcId::from("wxid_a");
    let edit = Edit { tags: Some(vec!["a\"b".into(), "客服".into()]), note: Some("x".into()), ..Edit::default() };
    store.put_account(&wc_id, &edit, Stamp(1)).await.unwrap();
    store.put_account(&wc_id, &Edit { note: Some("y".into()), ..Edit::default() }, Stamp(2)).await.unwrap();
    let account = account(&store, "wxid_a").await;
    assert_eq!(account.tags, ["a\"b".into(), "客服".into()]);
    assert_eq!(&*account.note, "y");
    assert!(!account.was_logged_in());
    assert!(store.remove_account(&wc_id).await.unwrap());
    assert!(!store.remove_account(&wc_id).await.unwrap());
    assert_eq!(store.accounts().await.unwrap(), []);
}

#[tokio::test]
async fn hostile_text_comes_back_exactly() {
    let (_folder, store) = store().await;
    let nasty = "\u{0}\u{1b}[31m\"\\\u{202e}\u{1f}'; DROP TABLE accounts; --\r\n\u{2028}👩‍👩‍👧";
    for n in 0..3 {
        let wc_id = format!("wxid_{n}{nasty}");
        let id = begin(&store, &wc_id, "w1", 100).await;
        let mut record = record(&wc_id, &format!("w{n}"));
        record.nick_name = nasty.into();
        record.w_account = nasty.into();
        store.store_login(&id, &record, Stamp(200)).await.unwrap();
    }
    let accounts = store.accounts().await.unwrap();
    assert_eq!(accounts.len(), 3);
    for listed in accounts {
        assert_eq!(&*listed.nick_name, nasty);
        assert_eq!(account(&store, listed.wc_id.as_str()).await, listed);
    }
}

#[tokio::test]
async fn all_accounts_come_in_order_however_many() {
    let (_folder, store) = store().await;
    let many: Vec<_> = (0..1203).map(|n| (WcId::from(format!("wxid_{n:04}")), Edit::default())).collect();
    assert_eq!(store.import(&many, Stamp(1)).await.unwrap(), 1203);
    let listed: Vec<_> = store.accounts().await.unwrap().into_iter().map(|account| account.wc_id).collect();
    assert!(listed.iter().eq(many.iter().map(|(wc_id, _)| wc_id)));
}

#[tokio::test]
async fn the_feed_tells_what_others_did_once_and_in_order() {
    let (folder, store) = store().await;
    let other = beside(&folder).await;
    let seq = store.seq();
    for (wc_id, w_id) in [("wxid_a", "w1"), ("wxid_b", "w2"), ("wxid_a", "w3")] {
        login(&other, wc_id, w_id, 100, 200).await;
    }
    let changes = store.changes(seq).await.unwrap();
    assert_eq!(changes.wc_ids, ["wxid_b".into(), "wxid_a".into()]);
    assert!(changes.attempts && !changes.fleet);
    let none = store.changes(changes.seq).await.unwrap();
    assert!(none.wc_ids.is_empty() && !none.attempts && none.seq == changes.seq);
    // One's own changes are not news, unless one asks from further back.
    store.remove_account(&"wxid_b".into()).await.unwrap();
    assert!(store.changes(none.seq).await.unwrap().wc_ids.is_empty());
    assert_eq!(store.changes(0).await.unwrap().wc_ids.len(), 2);
    // Another's change stays news although one changed the same account after it, unread.
    let note = |text: &str| Edit { note: Some(text.into()), ..Edit::default() };
    let seq = store.changes(store.seq()).await.unwrap().seq;
    other.put_account(&"wxid_a".into(), &note("theirs"), Stamp(1)).await.unwrap();
    store.put_account(&"wxid_a".into(), &note("ours"), Stamp(2)).await.unwrap();
    assert_eq!(store.changes(seq).await.unwrap().wc_ids, ["wxid_a".into()]);
    assert_eq!(other.changes(other.seq()).await.unwrap().wc_ids.last(), Some(&"wxid_a".into()));
}

#[tokio::test]
async fn profiles_do_not_see_each_other() {
    let (folder, store) = store().await;
    let path = folder.path().join("saoma.db");
    let other = Scope { profile: "someone else".into(), name: "b".into(), receivers: vec![], ..scope() };
    let other = Store::open(&path, other).await.unwrap();
    login(&store, "wxid_a", "w1", 100, 200).await;
    begin(&store, "wxid_a", "w2", 300).await;
    assert_eq!(other.accounts().await.unwrap(), []);
    assert!(other.attempts().await.unwrap().is_empty());
    assert!(other.changes(0).await.unwrap().wc_ids.is_empty());
    assert!(other.outbox_take(Stamp(999)).await.unwrap().is_empty());
    assert!(other.recent(9).await.unwrap().is_empty());
    login(&other, "wxid_a", "w3", 100, 200).await;
    assert_eq!(account(&store, "wxid_a").await.w_id, Some("w1".into()));
    assert_eq!(told(&path).await.len(), 1, "nobody is to be told for the other profile");
}

#[tokio::test]
async fn the_outbox_is_told_by_one_and_again_after_a_death() {
    let (folder, store) = store().await;
    let other = beside(&folder).await;
    login(&store, "wxid_a", "w1", 100, 200).await;
    assert_eq!(store.outbox_next(Stamp(200)).await.unwrap(), Some(Stamp(200)));
    let items = store.outbox_take(Stamp(200)).await.unwrap();
    assert_eq!((items.len(), items[0].tries, &*items[0].receiver), (1, 0, "command"));
    for waiting in [&store, &other] {
        assert!(waiting.outbox_take(Stamp(300)).await.unwrap().is_empty(), "being told");
        assert_eq!(waiting.outbox_next(Stamp(200)).await.unwrap(), None);
    }
    store.outbox_failed(items[0].id, Stamp(400)).await.unwrap();
    assert_eq!(other.outbox_next(Stamp(200)).await.unwrap(), Some(Stamp(400)));
    assert!(store.outbox_take(Stamp(399)).await.unwrap().is_empty(), "not due");
    assert_eq!(store.outbox_take(Stamp(400)).await.unwrap()[0].tries, 1);
    drop(store);
    let again = other.outbox_take(Stamp(400)).await.unwrap();
    assert_eq!(again[0].json, items[0].json);
    other.outbox_done(again[0].id).await.unwrap();
    assert_eq!(other.outbox_next(Stamp(200)).await.unwrap(), None);
}

#[tokio::test]
async fn files_are_private_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/saoma.db");
    let store = Store::open(&path, scope()).await.unwrap();
    login(&store, "wxid_a", "w1", 100, 200).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let state = folder.path().join("state");
    assert_eq!((mode(&state), mode(&state.join("saoma.db.owners"))), (0o700, 0o700));
    for name in ["saoma.db", "saoma.db-wal", "saoma.db-shm"] {
        assert_eq!(mode(&state.join(name)), 0o600, "{name}");
    }
    store.close().await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&path, scope()).await.unwrap();
    assert_eq!(mode(&path), 0o600, "a file that came from elsewhere is made private");
    store.close().await;
}

#[tokio::test]
async fn what_is_no_file_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saoma.db");
    std::fs::create_dir(&path).unwrap();
    let refused = Store::open(&path, scope()).await.unwrap_err().to_string();
    assert!(refused.contains("is not a file") && refused.contains("saoma.db"), "{refused}");
    assert!(!refused.contains("SQLite"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (name, sql, words) in [
        ("newer.db", "", "newer saoma"),
        ("other.db", "CREATE TABLE t (x)", "another program"),
        ("garbage.db", "", "not a database"),
    ] {
        let path = folder.path().join(name);
        match name {
            "newer.db" => {
                Store::open(&path, scope()).await.unwrap().close().await;
                let mut raw = raw(&path).await;
                sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut raw).await.unwrap();
                raw.close().await.unwrap();
            }
            "garbage.db" => std::fs::write(&path, [b'x'; 512]).unwrap(),
            _ => {
                std::fs::write(&path, "").unwrap();
                let mut raw = raw(&path).await;
                sqlx::raw_sql(sql).execute(&mut raw).await.unwrap();
                raw.close().await.unwrap();
            }
        }
        let before = std::fs::read(&path).unwrap();
        match Store::open(&path, scope()).await {
            Err(Error::Open(message)) if name != "garbage.db" => assert!(message.contains(words), "{message}"),
            Err(Error::Damaged(message)) if name == "garbage.db" => assert!(message.contains(words), "{message}"),
            other => panic!("{name}: {other:?}"),
        }
        assert!(std::fs::read(&path).unwrap() == before, "{name} was changed");
        assert!(name == "newer.db" || !path.with_extension("db.owners").exists(), "{name}");
    }
}

#[tokio::test]
async fn many_may_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saoma.db");
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move {
                let store = Store::open(&path, scope()).await.unwrap();
                store.begin_attempt(Some(&"wxid_a".into()), Rung::QrLogin, Stamp(100)).await.map(|begun| (store, begun))
            })
        })
        .collect();
    let mut begun = Vec::new();
    for opened in opening {
        begun.push(opened.await.unwrap().unwrap());
    }
    let started = begun.iter().filter(|(_, begun)| matches!(begun, Begun::Started(_))).count();
    assert_eq!(started, 1, "one of them owns the attempt");
    assert_eq!(begun[0].0.attempts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_that_is_given_up_halfway_leaves_nothing() {
    let (_folder, store) = store().await;
    for polls in 0..12 {
        let wc_id = WcId::from(format!("wxid_{polls}"));
        {
            let edit = Edit { w_id: Some("w1".into()), ..Edit::default() };
            let change = store.put_account(&wc_id, &edit, Stamp(1));
            tokio::pin!(change);
            for _ in 0..polls {
                tokio::select! { biased; _ = &mut change => break, () = tokio::task::yield_now() => {} }
            }
        }
        // Either whole or not at all, and the store goes on.
        if let Some(account) = store.account(&wc_id).await.unwrap() {
            assert_eq!(account.w_id, Some("w1".into()));
        }
        store.put_account(&wc_id, &Edit::default(), Stamp(2)).await.unwrap();
    }
}

#[tokio::test]
async fn the_first_accounts_are_the_worst_in_the_order_of_the_screen() {
    let (folder, store) = store().await;
    assert!(store.first_accounts(10).await.unwrap().is_all());
    let presences = [Presence::Online, Presence::Offline, Presence::Unknown];
    let edits: Vec<_> = (0..60)
        .map(|number: usize| {
            let text =
                |every: usize, name: String| Some(if number.is_multiple_of(every) { "  ".into() } else { name.into() });
            let edit = Edit {
                nick_name: text(2, format!("客服{}", number % 7)),
                w_account: text(3, format!("Agent {}", number % 5)),
                ..Edit::default()
            };
            (WcId::from(format!("wxid_{:03}", number * 37 % 60)), edit)
        })
        .collect();
    store.import(&edits, Stamp(1)).await.unwrap();
    let verdicts: Vec<_> = edits
        .iter()
        .enumerate()
        .map(|(number, (wc_id, _))| verdict(wc_id.as_str(), presences[number % 3], Source::Check, 5))
        .collect();
    store.note(&verdicts, &[]).await.unwrap();
    store.note_list(late(9), &[], &[], &[]).await.unwrap();

    let mut all = store.accounts().await.unwrap();
    let rank = |presence| presences.map(|p| p == presence).iter().rposition(|same| *same).map(|at| (at + 2) % 3);
    all.sort_by(|a, b| (rank(a.presence), a.name(), &a.wc_id).cmp(&(rank(b.presence), b.name(), &b.wc_id)));
    for limit in [0, 1, 25, 60, 100] {
        let first = store.first_accounts(limit).await.unwrap();
        assert_eq!(first.accounts, all[..all.len().min(limit as usize)]);
        assert_eq!((first.offline, first.unknown, first.online), (20, 20, 20));
        assert_eq!(first.is_all(), limit >= 60);
    }

    // What it is for: neither statement sorts, and the count reads the index alone.
    let mut raw = raw(&folder.path().join("saoma.db")).await;
    for (statement, wanted) in [
        (
            concat!(
                include_str!("../../src/store/sqlite/sql/accounts_packed.sql"),
                include_str!("../../src/store/sqlite/sql/accounts_first.sql")
            ),
            "USING INDEX accounts_worst_first",
        ),
        (include_str!("../../src/store/sqlite/sql/accounts_count.sql"), "USING COVERING INDEX accounts_worst_first"),
    ] {
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")))
                .fetch_all(&mut raw)
                .await
                .unwrap();
        let plan: Vec<&str> = plan.iter().map(|(_, _, _, step)| step.as_str()).collect();
        assert!(plan.iter().any(|step| step.contains(wanted)), "{plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
    }
}
