//! Places and attempts of processes that live and yet cannot act: who takes them, and how their holders find out.

use std::time::Duration;

use saoma::model::{AttemptState, Began, Presence, Reason, Rung, Source, Stamp, WcId};
use saoma::store::{Begun, Error, Moment, Place, Store, Verdict};

use super::support::{
    CODE_LIFE, account, alert, asked, begin, beside, late, login, outbox, raw, record, started, store, told, verdict,
};

/// So short that a test can wait until its holder is overdue.
const BRIEF: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(3_600);

async fn place(store: &Store) -> Place {
    store.watchers().await.unwrap().observer.unwrap()
}

async fn overdue(store: &Store) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !place(store).await.is_overdue() {
        assert!(std::time::Instant::now() < deadline, "it is never overdue");
        tokio::time::sleep(BRIEF).await;
    }
}

fn observes_no_longer<T: std::fmt::Debug>(written: Result<T, Error>) -> bool {
    matches!(written, Err(Error::ObservesNoLonger))
}

#[tokio::test]
async fn a_silent_observer_loses_its_place_and_what_it_writes_changes_nothing() {
    let (folder, watch) = store().await;
    let screen = beside(&folder).await;
    login(&watch, "wxid_a", "w1", 100, 200).await;
    // Whatever the sleeper would write first is where it finds out.
    for what in 0..7 {
        assert!(watch.observe(2, BRIEF, None).await.unwrap());
        assert!(watch.try_begins(Duration::ZERO).await.is_ok());
        overdue(&screen).await;
        assert!(screen.observe(1, LONG, None).await.unwrap());
        let taken = place(&screen).await;
        assert_eq!((&taken.owner, taken.is_overdue()), (screen.owner(), false));
        let gone = [verdict("wxid_a", Presence::Offline, Source::List, 10_000_000_000_000)];
        let listed = [(WcId::from("wxid_a"), "w9".into())];
        assert!(
            match what {
                0 => observes_no_longer(watch.try_begins(Duration::ZERO).await),
                1 => observes_no_longer(watch.note_list(late(9_000), &gone, &[], &[alert("dropped", None, 9)]).await),
                2 => observes_no_longer(watch.note(&gone, &[alert("dropped", None, 9)]).await),
                3 => observes_no_longer(watch.set_outage(Some(late(1)), &alert("outage", None, 9)).await),
                4 => observes_no_longer(
                    watch.adopt(None, &"wxid_a".into(), &"w9".into(), [late(8_000), late(9_000)]).await
                ),
                5 => observes_no_longer(watch.confirm_w_ids(&listed).await),
                _ => observes_no_longer(watch.note_try(Some(Reason::GatewayDown)).await),
            },
            "{what}"
        );
        // From then on it writes as one that does not observe: a list that a person wished for counts.
        assert!(watch.note_list(late(300), &[], &[], &[]).await.is_ok());
        assert_eq!(place(&watch).await.owner, *screen.owner());
        screen.observe_no_longer().await.unwrap();
    }
    let found = account(&screen, "wxid_a").await;
    assert_eq!((found.presence, found.w_id.unwrap().as_str()), (Presence::Online, "w1"));
    assert_eq!(screen.watchers().await.unwrap().outage_since, None);
    let events: Vec<String> =
        told(&folder.path().join("saoma.db")).await.into_iter().map(|(event, ..)| event).collect();
    assert_eq!(events, ["logged_in"]);
}

#[tokio::test]
async fn a_request_that_is_under_way_has_its_own_limit() {
    let (folder, watch) = store().await;
    let screen = beside(&folder).await;
    assert!(watch.observe(1, BRIEF, None).await.unwrap());
    watch.try_begins(Duration::from_secs(600)).await.unwrap();
    tokio::time::sleep(BRIEF * 5).await;
    let able_for = place(&screen).await.able_for;
    assert!(able_for > Duration::from_secs(5), "{able_for:?}");
    assert!(able_for <= Duration::from_secs(15), "who hangs is not waited for that long: {able_for:?}");
    assert!(!screen.observe(1, LONG, None).await.unwrap());
    // Once it has ended, the intervals count again.
    watch.note_try(Some(Reason::GatewayDown)).await.unwrap();
    overdue(&screen).await;
    assert!(screen.observe(1, LONG, None).await.unwrap());
}

#[tokio::test]
async fn who_fails_gives_way_only_to_who_has_listed_since() {
    let (folder, watch) = store().await;
    let screen = beside(&folder).await;
    assert!(watch.observe(2, LONG, None).await.unwrap());
    let later = async || {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Moment::now()
    };
    let fails = async || {
        watch.try_begins(Duration::ZERO).await.unwrap();
        watch.note_try(Some(Reason::TokenRejected)).await.unwrap();
    };
    let before = later().await;
    assert!(!screen.observe(1, LONG, Some(before)).await.unwrap(), "it does not fail");
    later().await;
    fails().await;
    assert_eq!(place(&screen).await.failing, Some(Reason::TokenRejected));
    assert!(!screen.observe(1, LONG, None).await.unwrap(), "who has listed nothing is no better");
    assert!(!screen.observe(1, LONG, Some(before)).await.unwrap(), "nor who did before it failed");
    let since = later().await;
    assert!(!screen.observe(1, LONG, Some(since)).await.unwrap(), "the holder has not tried since");
    later().await;
    fails().await;
    assert!(!screen.observe(1, LONG, Some(before)).await.unwrap());
    assert!(screen.observe(1, LONG, Some(since)).await.unwrap());
    // A list that comes is the end of failing.
    screen.note_list(late(5), &[], &[], &[]).await.unwrap();
    assert_eq!(place(&watch).await.failing, None);
}

#[tokio::test]
async fn that_nobody_sees_the_fleet_is_told_once_and_so_is_its_end() {
    let (folder, watch) = store().await;
    let screen = beside(&folder).await;
    assert!(watch.observe(2, LONG, None).await.unwrap());
    let lost = alert("observation_lost", None, 9);
    assert!(screen.observation_lost(Stamp(5), &lost).await.unwrap());
    assert!(!watch.observation_lost(Stamp(6), &lost).await.unwrap());
    assert_eq!(watch.watchers().await.unwrap().lost_since, Some(Stamp(5)));
    screen.note_list(late(20), &[], &[], &[]).await.unwrap();
    watch.note_list(late(30), &[], &[], &[]).await.unwrap();
    assert_eq!(watch.watchers().await.unwrap().lost_since, None);
    let dead = alert("token_rejected", None, 40);
    for (mark, news) in [("a", true), ("a", false), ("b", true), ("b", false)] {
        assert_eq!(watch.token_rejected(mark, &dead).await.unwrap(), news, "{mark}");
        assert!(!screen.token_rejected(mark, &dead).await.unwrap());
    }
    let log: Vec<String> = screen.recent(9).await.unwrap().into_iter().map(|line| line.event.into()).collect();
    assert_eq!(log, ["token_rejected", "token_rejected", "observation_back", "observation_lost"]);
    let told = outbox(&folder).await;
    let events: Vec<&str> = told.iter().map(|told| told["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["observation_lost", "observation_back", "token_rejected", "token_rejected"]);
}

// ── Attempts ─────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn what_a_process_gives_up_is_taken_over_and_only_its_success_still_counts() {
    let (folder, sleeper) = store().await;
    let other = beside(&folder).await;
    let id = begin(&sleeper, "wxid_a", "w1", 100).await;
    assert!(sleeper.still_mine(&id).await.unwrap() && other.is_able(sleeper.owner()));
    assert!(other.take_over(&id).await.unwrap().is_none(), "its owner is able");
    sleeper.give_up().await.unwrap();
    assert!(other.is_alive(sleeper.owner()) && !other.is_able(sleeper.owner()));
    assert!(other.changes(other.seq()).await.unwrap().attempts, "others hear of it");
    let taken = other.take_over(&id).await.unwrap().unwrap();
    assert_eq!(taken.w_id, Some("w1".into()));
    assert!(sleeper.take_over(&id).await.unwrap().is_none(), "its new owner is able");
    // Awake again: nothing that it writes for the attempt counts.
    sleeper.renew_lease();
    assert!(sleeper.has_lapsed(), "until it has looked");
    assert!(!sleeper.still_mine(&id).await.unwrap() && other.still_mine(&id).await.unwrap());
    let replaced = |written: Result<(), Error>| matches!(written, Err(Error::Replaced));
    assert!(matches!(sleeper.attempt_requesting(&id, Rung::QrLogin, Stamp(300)).await, Err(Error::Replaced)));
    assert!(replaced(sleeper.attempt_issued(&id, Some(&"w2".into()), None, Stamp(400), CODE_LIFE).await));
    assert!(replaced(sleeper.abandon_attempt(&id).await));
    assert!(replaced(sleeper.end_attempt(&id, "expired", Some(Reason::NobodyScanned), None, Stamp(400)).await));
    let row = other.attempt(&id).await.unwrap().unwrap();
    assert_eq!((row.w_id.unwrap().as_str(), row.state), ("w1", AttemptState::Open));
    // But the wId that it brings does, whoever brings it, and is told once.
    let record = record("wxid_a", "w1");
    assert!(sleeper.store_login(&id, &record, Stamp(500)).await.unwrap().current);
    assert!(other.store_login(&id, &record, Stamp(501)).await.unwrap().current);
    assert_eq!(told(&folder.path().join("saoma.db")).await.len(), 1);
}

#[tokio::test]
async fn a_login_that_a_new_one_displaced_is_told_so() {
    let (folder, sleeper) = store().await;
    let other = beside(&folder).await;
    let id = begin(&sleeper, "wxid_a", "w1", 100).await;
    sleeper.give_up().await.unwrap();
    let begun = other.begin_attempt(Some(&"wxid_a".into()), Rung::QrLogin, Stamp(200)).await.unwrap();
    assert!(matches!(begun, Begun::Started(_)));
    sleeper.renew_lease();
    assert!(!sleeper.still_mine(&id).await.unwrap());
    let asked = sleeper.attempt_requesting(&id, Rung::QrLogin, Stamp(300)).await;
    assert!(matches!(asked, Err(Error::Replaced)), "it asks for no further code: {asked:?}");
}

#[tokio::test]
async fn a_process_that_says_nothing_of_itself_is_able_as_long_as_it_lives() {
    // As an older saoma, or one whose folder takes no file.
    let (folder, old) = store().await;
    let id = begin(&old, "wxid_a", "w1", 100).await;
    std::fs::remove_file(folder.path().join("saoma.db.owners/leases").join(&*old.owner().0)).unwrap();
    let other = beside(&folder).await;
    assert!(other.is_able(old.owner()));
    assert!(other.take_over(&id).await.unwrap().is_none());
    drop(old);
    assert!(other.take_over(&id).await.unwrap().is_some());
    assert_eq!(std::fs::read_dir(folder.path().join("saoma.db.owners/leases")).unwrap().count(), 1);
}

#[tokio::test]
async fn what_a_sleeper_was_telling_is_told_by_another() {
    let (folder, sleeper) = store().await;
    let other = beside(&folder).await;
    sleeper.note_list(late(9), &[], &[], &[alert("outage", None, 9)]).await.unwrap();
    let taken = sleeper.outbox_take(Stamp(10)).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert!(other.outbox_take(Stamp(10)).await.unwrap().is_empty(), "it is being told");
    sleeper.give_up().await.unwrap();
    assert_eq!(other.outbox_take(Stamp(10)).await.unwrap().len(), 1);
    // Whatever came of it in the end, whether it was told is the other's to say.
    sleeper.outbox_failed(taken[0].id, Stamp(20)).await.unwrap();
    sleeper.outbox_done(taken[0].id).await.unwrap();
    other.outbox_failed(taken[0].id, Stamp(50)).await.unwrap();
    assert_eq!(other.outbox_next(Stamp(10)).await.unwrap(), Some(Stamp(50)));
}

#[tokio::test]
async fn a_wid_that_a_list_contradicts_is_not_certain_until_one_carries_it_again() {
    let (_folder, store) = store().await;
    login(&store, "wxid_a", "w1", 100, 200).await;
    let listed = |w_id: &str| vec![(WcId::from("wxid_a"), w_id.into())];
    assert!(store.doubt_w_ids(&listed("w2"), Began::default()).await.unwrap().is_empty(), "older than the login");
    assert!(store.doubt_w_ids(&listed("w1"), late(300)).await.unwrap().is_empty());
    assert!(account(&store, "wxid_a").await.w_id_confirmed);
    let doubted = store.doubt_w_ids(&listed("w2"), late(300)).await.unwrap();
    assert!(doubted.len() == 1 && !account(&store, "wxid_a").await.w_id_confirmed);
    assert!(store.doubt_w_ids(&listed("w2"), late(310)).await.unwrap().is_empty(), "once");
    store.confirm_w_ids(&listed("w1")).await.unwrap();
    assert!(account(&store, "wxid_a").await.w_id_confirmed);
}

#[tokio::test]
async fn what_is_left_of_a_code_does_not_go_by_the_wall_clock() {
    let (folder, store) = store().await;
    let id = started(store.begin_attempt(Some(&"wxid_a".into()), Rung::QrLogin, Stamp(100)).await.unwrap());
    assert_eq!(store.attempt(&id).await.unwrap().unwrap().left, None);
    store.attempt_issued(&id, Some(&"w1".into()), None, Stamp(200), CODE_LIFE).await.unwrap();
    let left = store.attempt(&id).await.unwrap().unwrap().left.unwrap();
    assert!(left <= CODE_LIFE && left > CODE_LIFE - Duration::from_secs(60), "{left:?}");
    // Written before the machine's last start.
    let mut raw = raw(&folder.path().join("saoma.db")).await;
    sqlx::query("UPDATE attempts SET deadline_boot = 'another'").execute(&mut raw).await.unwrap();
    let row = store.attempt(&id).await.unwrap().unwrap();
    assert_eq!((row.left, row.deadline), (None, Some(Stamp(200))));
}

#[tokio::test]
async fn a_receiver_waits_no_longer_than_its_own_pause_whatever_the_clock_said() {
    let (_folder, store) = store().await;
    store.note_list(late(9), &[], &[], &[alert("outage", None, 9)]).await.unwrap();
    let taken = store.outbox_take(Stamp(10)).await.unwrap();
    // Refused while the clock was ten minutes ahead.
    let ahead = 10 + 600_000;
    store.outbox_failed(taken[0].id, Stamp(ahead + 2_000)).await.unwrap();
    assert_eq!(store.outbox_take(Stamp(20)).await.unwrap().len(), 1);
    // Within its pause it does wait.
    store.outbox_failed(taken[0].id, Stamp(20 + 10_000)).await.unwrap();
    assert!(store.outbox_take(Stamp(21)).await.unwrap().is_empty());
    assert_eq!(store.outbox_next(Stamp(21)).await.unwrap(), Some(Stamp(20 + 10_000)));
}

#[tokio::test]
async fn what_a_list_says_is_no_news_of_what_a_later_one_has_said() {
    let (_folder, store) = store().await;
    login(&store, "wxid_a", "w1", 100, 200).await;
    let early = asked(&store, 300).await;
    store.put_account(&"wxid_b".into(), &saoma::model::Edit::default(), Stamp(310)).await.unwrap();
    let later = asked(&store, 320).await;
    // The later one is there first, and has nothing to say of the account.
    store.note_list(later, &[], &[], &[]).await.unwrap();
    let gone = Verdict { began: early, ..verdict("wxid_a", Presence::Offline, Source::List, 300) };
    assert!(store.note(std::slice::from_ref(&gone), &[]).await.unwrap().is_empty());
    assert_eq!(account(&store, "wxid_a").await.presence, Presence::Online);
    let gone = Verdict { began: asked(&store, 330).await, ..gone };
    assert_eq!(store.note(&[gone], &[]).await.unwrap().len(), 1);
}
