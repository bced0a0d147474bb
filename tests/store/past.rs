//! What is kept beside the accounts: device, budget, presences, the log's causes, who observes, what is told.

use std::time::Duration;

use saoma::model::{
    Budget, Cost, Device, Edit, Limits, Over, OwnProxy, Presence, ProfileId, Reason, Rung, Source, Stamp, WcId,
};
use saoma::store::{Alert, LogEntry, Scope, Store, Verdict, WATCHED_GAP_MS};
use serde_json::{Value, json};

use super::support::{
    account, alert, asked, begin, beside, late, login, outbox, raw, record, scope, started, store, verdict,
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn id(wc_id: &str) -> WcId {
    wc_id.into()
}

/// What an account was believed to be since when.
async fn believed(store: &Store, wc_id: &str) -> Vec<(i64, Presence)> {
    let changes = store.presences(Some(&id(wc_id)), Stamp(0), Stamp(i64::MAX)).await.unwrap();
    changes.into_iter().map(|change| (change.at.0, change.presence)).collect()
}

/// The log, oldest first: event and cause.
async fn logged(store: &Store) -> Vec<(String, Option<String>)> {
    let mut lines = store.recent(100).await.unwrap();
    lines.reverse();
    lines.into_iter().map(|line| (line.event.into(), line.cause.map(Into::into))).collect()
}

fn line(event: &str, cause: &str) -> (String, Option<String>) {
    (event.to_owned(), Some(cause.to_owned()))
}

fn device() -> Device {
    Device {
        device_type: Some("mac".into()),
        region: Some(18),
        own_proxy: Some(OwnProxy {
            address: "203.0.113.9:1080".into(),
            user: "me".into(),
            password: "socks \"secret\"".to_owned().into(),
        }),
        aid: Some("aid-1".into()),
        ttuid: None,
    }
}

#[tokio::test]
async fn a_device_is_kept_over_logins_and_cleared_by_an_empty_one() {
    let (folder, store) = store().await;
    let set = |device: Device| Edit { device: Some(device), ..Edit::default() };
    store.put_account(&id("wxid_a"), &set(device()), Stamp(1)).await.unwrap();
    store.put_account(&id("wxid_b"), &Edit::default(), Stamp(1)).await.unwrap();
    login(&store, "wxid_a", "w1", 10, 20).await;
    store.put_account(&id("wxid_a"), &Edit { note: Some("n".into()), ..Edit::default() }, Stamp(30)).await.unwrap();
    // Whole, in all three ways of reading it, also after the process is gone.
    store.close().await;
    let store = beside(&folder).await;
    let one = account(&store, "wxid_a").await;
    assert_eq!(one.device.as_deref(), Some(&device()));
    assert_eq!(store.accounts().await.unwrap()[0], one);
    assert_eq!(store.first_accounts(9).await.unwrap().accounts[1], one);
    assert_eq!(account(&store, "wxid_b").await.device, None);
    store.put_account(&id("wxid_a"), &set(Device::default()), Stamp(40)).await.unwrap();
    assert_eq!(account(&store, "wxid_a").await.device, None);
    // Not a trace of the password is left.
    store.close().await;
    let database = std::fs::read(folder.path().join("saoma.db")).unwrap();
    assert!(!String::from_utf8_lossy(&database).contains("socks"));
}

#[tokio::test]
async fn a_request_charges_the_budget_and_a_login_ends_the_rest() {
    let (folder, store) = store().await;
    let other = beside(&folder).await;
    store.put_account(&id("wxid_a"), &Edit::default(), Stamp(1)).await.unwrap();
    let attempt = started(store.begin_attempt(Some(&id("wxid_a")), Rung::Adopt, Stamp(10)).await.unwrap());
    store.attempt_requesting(&attempt, Rung::Adopt, Stamp(10)).await.unwrap();
    assert_eq!(account(&store, "wxid_a").await.budget, None, "adopting costs nothing");
    let seq = other.seq();
    store.attempt_requesting(&attempt, Rung::SecondLogin, Stamp(20)).await.unwrap();
    let changes = other.changes(seq).await.unwrap();
    assert_eq!((changes.wc_ids, changes.attempts), (vec![id("wxid_a")], true));
    store.refused(&id("wxid_a"), None, Stamp(30)).await.unwrap();
    assert_eq!(other.changes(changes.seq).await.unwrap().wc_ids, [id("wxid_a")]);
    store.attempt_requesting(&attempt, Rung::QrLogin, Stamp(40)).await.unwrap();
    let expected = Budget {
        second_logins: vec![Stamp(20)],
        codes: vec![Stamp(40)],
        refusals: 1,
        rests_until: Some(Stamp(30 + 600_000)),
    };
    let kept = account(&other, "wxid_a").await;
    assert_eq!(kept.budget.as_deref(), Some(&expected));
    assert_eq!(other.accounts().await.unwrap(), std::slice::from_ref(&kept));
    let over = expected.over(Cost::SecondLogin, Limits::default(), Stamp(50));
    assert_eq!(over, Some(Over::Resting { until: Stamp(600_030) }));
    // A list that adopts is no login; a login is.
    store.abandon_attempt(&attempt).await.unwrap();
    store.adopt(None, &id("wxid_a"), &"w0".into(), [asked(&store, 55).await; 2]).await.unwrap().unwrap();
    assert_eq!(account(&store, "wxid_a").await.budget.unwrap().refusals, 1);
    store.store_login(&attempt, &record("wxid_a", "w1"), Stamp(60)).await.unwrap();
    let budget = account(&store, "wxid_a").await.budget.unwrap();
    assert_eq!(*budget, Budget { refusals: 0, rests_until: None, ..expected });
    // What could not be sent is taken back.
    let unsent = started(store.begin_attempt(Some(&id("wxid_a")), Rung::SecondLogin, Stamp(65)).await.unwrap());
    store.attempt_requesting(&unsent, Rung::SecondLogin, Stamp(65)).await.unwrap();
    store.take_back(&id("wxid_a"), Cost::SecondLogin).await.unwrap();
    store.end_attempt(&unsent, "failed", None, None, Stamp(66)).await.unwrap();
    assert_eq!(account(&store, "wxid_a").await.budget.unwrap(), budget);
    // Neither a new account's code nor an ended attempt costs anybody anything.
    let new = started(store.begin_attempt(None, Rung::QrLogin, Stamp(70)).await.unwrap());
    store.attempt_requesting(&new, Rung::QrLogin, Stamp(70)).await.unwrap();
    store.attempt_requesting(&attempt, Rung::QrLogin, Stamp(80)).await.unwrap();
    assert_eq!(account(&store, "wxid_a").await.budget.unwrap(), budget);
}

#[tokio::test]
async fn a_login_that_adopts_ends_the_rest_too() {
    let (_folder, store) = store().await;
    for (wc_id, held) in [("wxid_a", None), ("wxid_b", Some("w1"))] {
        let edit = Edit { w_id: held.map(Into::into), ..Edit::default() };
        store.put_account(&id(wc_id), &edit, Stamp(1)).await.unwrap();
        store.refused(&id(wc_id), None, Stamp(5)).await.unwrap();
        let attempt = started(store.begin_attempt(Some(&id(wc_id)), Rung::Adopt, Stamp(10)).await.unwrap());
        if store.adopt(Some(&attempt), &id(wc_id), &"w1".into(), [asked(&store, 20).await; 2]).await.unwrap().is_none()
        {
            store.end_attempt(&attempt, "adopted", None, None, Stamp(30)).await.unwrap();
        }
        assert_eq!(*account(&store, wc_id).await.budget.unwrap(), Budget::default(), "{wc_id}");
    }
}

#[tokio::test]
async fn every_turn_of_a_belief_is_kept_and_nothing_else() {
    use Presence::{Offline, Online, Unknown};
    let (_folder, store) = store().await;
    let note = async |presence, source, at| {
        store.note(&[verdict("wxid_a", presence, source, at)], &[]).await.unwrap();
    };
    store.put_account(&id("wxid_a"), &Edit::default(), Stamp(1)).await.unwrap();
    assert_eq!(believed(&store, "wxid_a").await, [], "nothing is believed of it");
    login(&store, "wxid_a", "w1", 10, 20).await;
    note(Online, Source::List, 30).await;
    note(Offline, Source::Notice, 40).await;
    note(Online, Source::Check, 35).await;
    note(Offline, Source::Own, 50).await;
    note(Offline, Source::List, 60).await;
    store.adopt(None, &id("wxid_a"), &"w2".into(), [asked(&store, 70).await; 2]).await.unwrap().unwrap();
    let attempt = begin(&store, "wxid_a", "w3", 80).await;
    store.end_attempt(&attempt, "failed", Some(Reason::LoginInterrupted), None, Stamp(90)).await.unwrap();
    store.note_list(late(95), &[], &[(id("wxid_b"), None)], &[]).await.unwrap();
    assert_eq!(
        believed(&store, "wxid_a").await,
        // The check was asked before the notice came, but told after it: it cannot hold since before.
        [(20, Online), (40, Offline), (40, Online), (50, Offline), (70, Online), (90, Unknown)]
    );
    assert_eq!(believed(&store, "wxid_b").await, [(95, Online)]);
    let both = store.presences(None, Stamp(60), Stamp(i64::MAX)).await.unwrap();
    let both: Vec<(&str, i64)> = both.iter().map(|change| (change.wc_id.as_str(), change.at.0)).collect();
    assert_eq!(both, [("wxid_a", 50), ("wxid_a", 70), ("wxid_a", 90), ("wxid_b", 95)]);
    let asked = [id("wxid_b"), id("nobody")];
    assert_eq!(store.presences_of(&asked, Stamp(200), Stamp(i64::MAX)).await.unwrap().len(), 1);
    // Gone with the account.
    store.remove_account(&id("wxid_a")).await.unwrap();
    assert_eq!(believed(&store, "wxid_a").await, []);
}

/// Lists every six hours from one time to another.
async fn look(store: &Store, from: i64, to: i64) {
    for at in (from..=to).step_by(6 * HOUR as usize) {
        store.note_list(asked(store, at).await, &[], &[], &[]).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_older_than_a_month_goes_but_for_the_last_of_it() {
    use Presence::{Offline, Online};
    let (folder, store) = store().await;
    store.put_account(&id("wxid_a"), &Edit::default(), Stamp(1)).await.unwrap();
    for (day, presence) in [(1, Online), (2, Offline), (3, Online), (20, Offline), (35, Online)] {
        store.note(&[verdict("wxid_a", presence, Source::List, day * DAY)], &[]).await.unwrap();
    }
    look(&store, DAY, 35 * DAY).await;
    assert_eq!(believed(&store, "wxid_a").await, [(3 * DAY, Online), (20 * DAY, Offline), (35 * DAY, Online)]);
    let first: i64 = sqlx::query_scalar("SELECT min(since) FROM watched")
        .fetch_one(&mut raw(&folder.path().join("saoma.db")).await)
        .await
        .unwrap();
    assert_eq!(first, 4 * DAY, "those of the last 31 days");
}

#[tokio::test]
async fn a_clock_that_is_ahead_deletes_nothing() {
    use Presence::{Offline, Online};
    let (folder, store) = store().await;
    let year = 365 * DAY;
    let code = begin(&store, "wxid_a", "w0", DAY).await;
    store.end_attempt(&code, "expired", None, None, Stamp(DAY)).await.unwrap();
    login(&store, "wxid_a", "w1", DAY, DAY).await;
    for (day, presence) in [(2, Offline), (3, Online), (4, Offline), (5, Online)] {
        let (at, alerts) = (day * DAY, [alert("outage", None, day * DAY)]);
        store.note(&[verdict("wxid_a", presence, Source::List, at)], &alerts).await.unwrap();
    }
    look(&store, DAY, 6 * DAY).await;
    let rows = async || {
        let mut counts = Vec::new();
        for table in ["log", "presences", "attempts", "watched"] {
            let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            let count: i64 =
                sqlx::query_scalar(count).fetch_one(&mut raw(&folder.path().join("saoma.db")).await).await.unwrap();
            counts.push(count);
        }
        counts
    };
    let before = rows().await;
    // It is a year ahead for almost a day, in which logins, drops and lists go on; and then it is right again.
    look(&store, 6 * DAY + year, 7 * DAY + year - HOUR).await;
    login(&store, "wxid_a", "w2", 6 * DAY + year, 6 * DAY + year).await;
    for (at, presence) in [(HOUR, Offline), (2 * HOUR, Online)] {
        let at = 6 * DAY + year + at;
        store.note(&[verdict("wxid_a", presence, Source::Check, at)], &[]).await.unwrap();
    }
    look(&store, 7 * DAY, 9 * DAY).await;
    let after = rows().await;
    assert!(before.iter().zip(&after).all(|(before, after)| before <= after), "{before:?} {after:?}");
    // A clock that goes on so far ahead for longer is one that nobody looked at for a year.
    look(&store, 9 * DAY + year, 10 * DAY + year).await;
    let much_later = rows().await;
    assert!(after.iter().zip(&much_later).all(|(before, after)| after < before), "{after:?} {much_later:?}");
}

#[tokio::test]
async fn lists_that_follow_each_other_are_one_look() {
    let (_folder, store) = store().await;
    let list = async |at: i64| drop(store.note_list(late(DAY + at), &[], &[], &[]).await.unwrap());
    let watched = async |since: i64, now: i64| {
        let spans = store.watched(Stamp(DAY + since), Stamp(DAY + now)).await.unwrap();
        spans.into_iter().map(|(since, until)| (since.0 - DAY, until.0 - DAY)).collect::<Vec<_>>()
    };
    let end = 60_000 + WATCHED_GAP_MS;
    for at in [0, 30_000, 60_000, end, 50_000] {
        list(at).await;
    }
    // The last list vouches for a while, and for nothing after it.
    assert_eq!(watched(0, end + WATCHED_GAP_MS).await, [(0, end + WATCHED_GAP_MS)]);
    assert_eq!(watched(0, end + WATCHED_GAP_MS + 1).await, [(0, end)]);
    assert_eq!(watched(end + 1, end + 10 * WATCHED_GAP_MS).await, []);
    assert_eq!(watched(0, 10_000).await, [(0, 10_000)]);
    let late = end + WATCHED_GAP_MS + 1;
    list(late).await;
    list(late + 500).await;
    let later = late + 10 * WATCHED_GAP_MS;
    assert_eq!(watched(0, later).await, [(0, end), (late, late + 500)]);
    assert_eq!(watched(late, later).await, [(late, late + 500)]);
}

#[tokio::test]
async fn what_was_during_an_outage_is_not_known_however_short_it_was() {
    let span = |since: i64, until: i64| (Stamp(DAY + since), Stamp(DAY + until));
    // Whichever comes first: the list after the outage, or the word that it is over.
    for list_first in [true, false] {
        let (_folder, store) = store().await;
        let watched = async |now: i64| store.watched(Stamp(0), Stamp(DAY + now)).await.unwrap();
        let list = async |at: i64| drop(store.note_list(late(DAY + at), &[], &[], &[]).await.unwrap());
        list(0).await;
        list(30_000).await;
        store.set_outage(Some(late(DAY + 30_000)), &alert("outage", None, DAY + 60_000)).await.unwrap();
        assert_eq!(watched(100_000).await, [span(0, 30_000)], "the last list vouches no longer");
        let over = alert("outage_over", None, DAY + 120_000);
        if list_first {
            list(120_000).await;
            store.set_outage(None, &over).await.unwrap();
        } else {
            store.set_outage(None, &over).await.unwrap();
            list(120_000).await;
        }
        list(150_000).await;
        assert_eq!(watched(160_000).await, [span(0, 30_000), span(120_000, 160_000)], "{list_first}");
    }
}

#[tokio::test]
async fn the_log_says_who_or_what_caused_it() {
    use Presence::{Offline, Online};
    let (folder, store) = store().await;
    login(&store, "wxid_a", "w1", 10, 20).await;
    for (presence, source, at) in [
        (Offline, Source::List, 30),
        (Online, Source::Check, 40),
        (Offline, Source::Notice, 50),
        (Online, Source::List, 60),
        (Offline, Source::Own, 70),
    ] {
        store.note(&[verdict("wxid_a", presence, source, at)], &[]).await.unwrap();
    }
    store.adopt(None, &id("wxid_a"), &"w2".into(), [asked(&store, 80).await; 2]).await.unwrap().unwrap();
    store.refused(&id("wxid_a"), Some("不"), Stamp(90)).await.unwrap();
    let wrong = begin(&store, "wxid_a", "w3", 100).await;
    store.store_login(&wrong, &record("wxid_b", "w3"), Stamp(110)).await.unwrap();
    store.note_offline_reason(&id("wxid_a"), Some("words"), late(120)).await.unwrap();
    store.put_account(&id("wxid_c"), &Edit { w_id: Some("i1".into()), ..Edit::default() }, Stamp(130)).await.unwrap();
    store.put_account(&id("wxid_c"), &Edit { w_id: Some("i2".into()), ..Edit::default() }, Stamp(140)).await.unwrap();
    let cancelled = begin(&store, "wxid_a", "w4", 150).await;
    store.end_attempt(&cancelled, "cancelled", None, None, Stamp(160)).await.unwrap();
    let expected = [
        line("logged_in", "command"),
        line("dropped", "list"),
        line("recovered", "check"),
        line("dropped", "notice"),
        line("recovered", "list"),
        line("taken_offline", "command"),
        line("w_id_changed", "list"),
        line("recovered", "list"),
        line("second_login_failed", "phone"),
        line("logged_in", "command"),
        line("wrong_account", "phone"),
        line("offline_reason", "gateway"),
        line("w_id_changed", "command"),
        line("cancelled", "command"),
    ];
    assert_eq!(logged(&store).await, expected);
    // Of one account, since a moment, newest first, so many.
    let history = store.history(Some(&id("wxid_a")), Stamp(80), 3, Stamp(i64::MAX)).await.unwrap();
    let told: Vec<(i64, &str)> = history.iter().map(|entry| (entry.at.0, &*entry.event)).collect();
    assert_eq!(told, [(160, "cancelled"), (120, "offline_reason"), (110, "wrong_account")]);
    assert_eq!(history[1].gateway_message.as_deref(), Some("words"));
    assert_eq!(store.history(None, Stamp(0), 100, Stamp(i64::MAX)).await.unwrap().len(), expected.len());
    assert_eq!(store.history(None, Stamp(130), 100, Stamp(i64::MAX)).await.unwrap().len(), 2);
    assert_eq!(store.drops(Some(&id("wxid_a")), Stamp(30), Stamp(i64::MAX)).await.unwrap(), [Stamp(30), Stamp(50)]);
    assert_eq!(store.drops(None, Stamp(31), Stamp(i64::MAX)).await.unwrap(), [Stamp(50)]);
    store.remove_account(&id("wxid_a")).await.unwrap();
    assert_eq!(store.drops(None, Stamp(0), Stamp(i64::MAX)).await.unwrap(), []);
    // Another kind of process is another cause.
    let screen = Store::open(&folder.path().join("saoma.db"), Scope { cause: "screen", ..scope() }).await.unwrap();
    login(&screen, "wxid_c", "w9", 200, 210).await;
    assert_eq!(logged(&store).await.last(), Some(&line("logged_in", "screen")));
}

#[tokio::test]
async fn lines_are_in_the_order_of_their_times() {
    let (_folder, store) = store().await;
    for at in [30, 10, 20, 20] {
        let entry = LogEntry {
            at: Stamp(at),
            wc_id: None,
            event: format!("e{at}").into(),
            reason: None,
            gateway_message: None,
            w_id: None,
            cause: None,
        };
        store.log(&entry).await.unwrap();
    }
    let times: Vec<i64> =
        store.history(None, Stamp(10), 9, Stamp(i64::MAX)).await.unwrap().iter().map(|entry| entry.at.0).collect();
    assert_eq!(times, [30, 20, 20, 10]);
}

#[tokio::test]
async fn an_alert_is_told_only_if_its_verdict_was_applied() {
    use Presence::{Offline, Online};
    let (folder, store) = store().await;
    for (wc_id, at) in [("wxid_a", 20), ("wxid_b", 500), ("wxid_c", 20)] {
        login(&store, wc_id, &format!("w-{wc_id}"), at - 10, at).await;
    }
    let before = outbox(&folder).await.len();
    let asked = asked(&store, 100).await;
    login(&store, "wxid_b", "w-b2", 10, 20).await;
    let before = before + 2;
    let dropped = |wc_id| Alert { reason: Some(Reason::Dropped), ..alert("dropped", Some(wc_id), 100) };
    // One of them has logged in since.
    let mass = Alert { fields: vec![("wc_ids", json!(["wxid_a", "wxid_b"]))], ..alert("mass_drop", None, 100) };
    let verdicts = [
        verdict("wxid_a", Offline, Source::List, 100),
        // A login was stored since.
        Verdict { began: asked, ..verdict("wxid_b", Offline, Source::List, 100) },
        // Nothing new.
        verdict("wxid_c", Online, Source::List, 100),
    ];
    let alerts = [dropped("wxid_a"), dropped("wxid_b"), dropped("wxid_c"), mass.clone(), dropped("nobody")];
    let changed = store.note_list(late(100), &verdicts, &[], &alerts).await.unwrap();
    assert!(changed.iter().any(|account| account.wc_id == id("wxid_a")));
    let told = outbox(&folder).await.split_off(before);
    let at = "1970-01-01T00:00:00.100Z";
    assert_eq!(
        told,
        [
            json!({"schema": 1, "event": "dropped", "at": at, "profile": "default", "wc_id": "wxid_a",
                   "account": "小诺", "reason": "dropped"}),
            json!({"schema": 1, "event": "mass_drop", "at": at, "profile": "default", "wc_ids": ["wxid_a"]}),
        ]
    );
    assert_eq!(logged(&store).await[4..], [line("dropped", "list"), line("mass_drop", "list")]);
    // Somebody else says the same once more: it is written down already.
    store.note(&[verdict("wxid_a", Offline, Source::Check, 110)], &[dropped("wxid_a"), mass]).await.unwrap();
    assert_eq!(outbox(&folder).await.len(), before + 2);
    store
        .note(&[verdict("wxid_a", Online, Source::Check, 120)], &[alert("recovered", Some("wxid_a"), 120)])
        .await
        .unwrap();
    assert_eq!(outbox(&folder).await[before + 2]["event"], "recovered");
    assert_eq!(logged(&store).await[6..], [line("recovered", "check")]);
}

#[tokio::test]
async fn a_mass_drop_is_told_once_whoever_finds_it_too() {
    use Presence::Offline;
    let (folder, store) = store().await;
    let other = beside(&folder).await;
    let all = ["wxid_a", "wxid_b", "wxid_c"];
    for wc_id in all {
        login(&store, wc_id, &format!("w-{wc_id}"), 10, 20).await;
    }
    let before = outbox(&folder).await.len();
    let verdicts = |wc_ids: &[&str], at| -> Vec<Verdict> {
        wc_ids.iter().map(|wc_id| verdict(wc_id, Offline, Source::List, at)).collect()
    };
    let mass = |wc_ids: &[&str], at| Alert { fields: vec![("wc_ids", json!(wc_ids))], ..alert("mass_drop", None, at) };
    store.note_list(late(100), &verdicts(&all[..2], 100), &[], &[mass(&all[..2], 100)]).await.unwrap();
    // Another process has looked at the same moment, and saw one more that has gone.
    other.note_list(late(101), &verdicts(&all, 101), &[], &[mass(&all, 101)]).await.unwrap();
    other.note_list(late(102), &verdicts(&all, 102), &[], &[mass(&all, 102)]).await.unwrap();
    let told = outbox(&folder).await.split_off(before);
    let named: Vec<(&Value, &Value)> = told.iter().map(|told| (&told["event"], &told["wc_ids"])).collect();
    let event = json!("mass_drop");
    assert_eq!(named, [(&event, &json!(["wxid_a", "wxid_b"])), (&event, &json!(["wxid_c"]))]);
}

#[tokio::test]
async fn a_first_drop_keeps_its_label_while_lists_go_on() {
    use Presence::{Offline, Online};
    let (_folder, store) = store().await;
    login(&store, "wxid_a", "w1", 10, 20).await;
    let at = 20 + 2 * HOUR;
    store.note_list(late(at), &[verdict("wxid_a", Offline, Source::List, at)], &[], &[]).await.unwrap();
    // Two days later, with lists in between.
    store.note_list(late(at + 2 * DAY), &[], &[], &[]).await.unwrap();
    let one = account(&store, "wxid_a").await;
    assert_eq!((one.offline_since, one.observed_at), (Some(Stamp(at)), Some(Stamp(at + 2 * DAY))));
    assert!(one.is_first_drop());
    assert_eq!(store.accounts().await.unwrap(), [one]);
    let back = at + 3 * DAY;
    let changed =
        store.note_list(late(back), &[verdict("wxid_a", Online, Source::List, back)], &[], &[]).await.unwrap();
    assert_eq!((changed[0].offline_since, account(&store, "wxid_a").await.offline_since), (None, None));
    // A drop after the first day is none that is expected.
    let again = back + HOUR;
    store.note_list(late(again), &[verdict("wxid_a", Offline, Source::List, again)], &[], &[]).await.unwrap();
    let one = account(&store, "wxid_a").await;
    assert!(one.offline_since == Some(Stamp(again)) && !one.is_first_drop(), "{one:?}");
}

#[tokio::test]
async fn the_log_keeps_three_months_and_does_not_grow_for_ever() {
    let (folder, store) = store().await;
    let now = 1_000 * DAY;
    for (old, left) in [
        ([(1, 91), (2, 89), (3, 32), (1_023, 30)], &[30, 32, 89][..]),
        // Beyond the file's newest 200,000, only those that a month's figures are counted from.
        ([(1, 89), (2, 32), (3, 30), (300_000, 40)], &[30, 40]),
    ] {
        let mut raw = raw(&folder.path().join("saoma.db")).await;
        sqlx::raw_sql("DELETE FROM log").execute(&mut raw).await.unwrap();
        for (id, days) in old {
            let insert = "INSERT INTO log (id, profile, at, event) SELECT ?1, n, ?2, 'dropped' FROM profiles";
            sqlx::query(insert).bind(id).bind(now - days * DAY).execute(&mut raw).await.unwrap();
        }
        look(&store, now - 2 * DAY, now).await;
        let entries = store.history(None, Stamp(0), 99, Stamp(now)).await.unwrap();
        let days: Vec<i64> = entries.iter().map(|entry| (now - entry.at.0) / DAY).collect();
        assert_eq!(days, left);
    }
}

#[tokio::test]
async fn every_receiver_gets_its_own_row() {
    let (folder, _store) = store().await;
    let receivers = vec!["command".to_owned(), "webhook".to_owned()];
    let watch = Store::open(&folder.path().join("saoma.db"), Scope { receivers, ..scope() }).await.unwrap();
    watch.note_list(late(9), &[], &[], &[alert("mass_drop", None, 9)]).await.unwrap();
    let taken = watch.outbox_take(Stamp(9)).await.unwrap();
    let who: Vec<&str> = taken.iter().map(|item| &*item.receiver).collect();
    assert_eq!(who, ["command", "webhook"]);
    watch.outbox_done(taken[0].id).await.unwrap();
    watch.outbox_failed(taken[1].id, Stamp(10)).await.unwrap();
    assert_eq!(watch.outbox_take(Stamp(20)).await.unwrap()[0].receiver, "webhook");
}

#[tokio::test]
async fn the_higher_rank_observes_and_the_dead_do_not() {
    let (folder, screen) = store().await;
    let second = beside(&folder).await;
    assert_eq!(screen.watchers().await.unwrap().observer.map(|place| place.owner), None);
    assert!(screen.observe(1, Duration::from_secs(30), None).await.unwrap());
    let mut seq = second.changes(second.seq()).await.unwrap().seq;
    assert!(screen.observe(1, Duration::from_secs(30), None).await.unwrap(), "it is already");
    assert!(!second.changes(seq).await.unwrap().fleet, "and nobody is bothered with that");
    assert!(!second.observe(1, Duration::from_secs(30), None).await.unwrap(), "the same rank does not take it");
    let watch = beside(&folder).await;
    assert!(watch.observe(2, Duration::from_secs(30), None).await.unwrap());
    let changes = second.changes(seq).await.unwrap();
    seq = changes.seq;
    assert!(changes.fleet);
    assert_eq!(
        second.watchers().await.unwrap().observer.map(|place| (place.owner, place.rank)),
        Some((watch.owner().clone(), 2))
    );
    assert!(!screen.observe(1, Duration::from_secs(30), None).await.unwrap());
    screen.observe_no_longer().await.unwrap();
    assert_eq!(
        second.watchers().await.unwrap().observer.map(|place| (place.owner, place.rank)),
        Some((watch.owner().clone(), 2)),
        "not its own to give up"
    );
    // It dies without a word.
    drop(watch);
    assert_eq!(second.watchers().await.unwrap().observer.map(|place| place.owner), None);
    assert!(second.observe(1, Duration::from_secs(30), None).await.unwrap());
    second.observe_no_longer().await.unwrap();
    assert_eq!(screen.watchers().await.unwrap().observer.map(|place| place.owner), None);
    assert!(screen.changes(screen.seq()).await.unwrap().fleet);
    assert!(screen.observe(1, Duration::from_secs(30), None).await.unwrap());
    assert!(second.changes(seq).await.unwrap().fleet);
    // Another profile has its own.
    let other = Scope { profile: ProfileId::from("other"), ..scope() };
    let other = Store::open(&folder.path().join("saoma.db"), other).await.unwrap();
    assert!(other.observe(1, Duration::from_secs(30), None).await.unwrap());
}

#[tokio::test]
async fn an_outage_is_told_once_when_it_begins_and_once_when_it_ends() {
    let (folder, store) = store().await;
    let other = beside(&folder).await;
    let begun = Alert {
        reason: Some(Reason::GatewayDown),
        fields: vec![("since", json!("1970-01-01T00:00:00.050Z"))],
        ..alert("outage", None, 60)
    };
    store.set_outage(None, &alert("outage_over", None, 1)).await.unwrap();
    assert_eq!(outbox(&folder).await, Vec::<Value>::new(), "there was none");
    store.set_outage(Some(late(50)), &begun).await.unwrap();
    other.set_outage(Some(late(55)), &begun).await.unwrap();
    assert_eq!(other.watchers().await.unwrap().outage_since, Some(Stamp(50)));
    assert!(other.changes(other.seq()).await.unwrap().fleet);
    // The one that found it is gone; the next list is somebody else's.
    drop(store);
    other.set_outage(None, &alert("outage_over", None, 90)).await.unwrap();
    other.set_outage(None, &alert("outage_over", None, 95)).await.unwrap();
    assert_eq!(other.watchers().await.unwrap().outage_since, None);
    let told = outbox(&folder).await;
    let events: Vec<&Value> = told.iter().map(|event| &event["event"]).collect();
    assert_eq!(events, ["outage", "outage_over"]);
    assert_eq!((&told[0]["reason"], &told[0]["since"]), (&json!("gateway_down"), &json!("1970-01-01T00:00:00.050Z")));
    assert!(told[0].get("wc_id").is_none());
    assert_eq!(logged(&other).await, [line("outage", "list"), line("outage_over", "list")]);
}

#[tokio::test]
async fn the_offline_reason_is_asked_twice_a_day_at_most() {
    let (folder, store) = store().await;
    let other = beside(&folder).await;
    login(&store, "wxid_a", "w1", 10, 20).await;
    let wc_id = id("wxid_a");
    assert!(store.ask_offline_reason(&wc_id, Stamp(100)).await.unwrap());
    assert!(!other.ask_offline_reason(&wc_id, Stamp(100 + 12 * HOUR - 1)).await.unwrap());
    assert!(other.ask_offline_reason(&wc_id, Stamp(100 + 12 * HOUR)).await.unwrap());
    assert!(!store.ask_offline_reason(&wc_id, Stamp(200)).await.unwrap(), "a clock that was set back a little");
    assert!(!store.ask_offline_reason(&id("nobody"), Stamp(100)).await.unwrap());
    // Asked by a clock that was ahead: it was just now, when that is seen.
    assert!(store.bring_back(Stamp(300)).await.unwrap());
    assert!(!store.bring_back(Stamp(300)).await.unwrap(), "once");
    assert!(!other.ask_offline_reason(&wc_id, Stamp(300 + 12 * HOUR - 1)).await.unwrap());
    assert!(other.ask_offline_reason(&wc_id, Stamp(300 + 12 * HOUR)).await.unwrap());
    // Words are for an account that is off line.
    store.note_offline_reason(&wc_id, Some("online"), late(150)).await.unwrap();
    assert_eq!(account(&store, "wxid_a").await.gateway_message, None);
    store.note(&[verdict("wxid_a", Presence::Offline, Source::List, 200)], &[]).await.unwrap();
    store.note_offline_reason(&wc_id, Some("登录出现错误"), late(250)).await.unwrap();
    store.note_offline_reason(&wc_id, None, late(260)).await.unwrap();
    let kept = account(&store, "wxid_a").await;
    assert_eq!((kept.gateway_message.as_deref(), kept.reason), (Some("登录出现错误"), Some(Reason::Dropped)));
    assert!(other.changes(other.seq()).await.unwrap().wc_ids.contains(&wc_id));
    let lines = store.history(Some(&wc_id), Stamp(150), 9, Stamp(i64::MAX)).await.unwrap();
    let asked = lines.iter().filter(|entry| &*entry.event == "offline_reason").count();
    assert_eq!(asked, 3);
}
