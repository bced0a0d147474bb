//! Engines that live and cannot act: others take their place and their logins, and everybody is told once.

use std::sync::Arc;
use std::time::Duration;

use saoma::engine::api::{Command, Event, Fleet, LoginStep, Token, Way};
use saoma::engine::{Role, SignedIn, StoredToken};
use saoma::model::{Began, Dialect, Presence, Reason};
use saoma::simulator::Setup;
use saoma::store::{Scope, Store};

use super::rig::{
    Front, How, Rig, SHORT, a_list, accounts, dropped, every, id, kept, name, now, online, rig, told, wait_for,
    wait_until,
};

const ALL: [Dialect; 3] = [Dialect::V1, Dialect::V2, Dialect::V3];

async fn observer(front: &Front) -> Option<saoma::model::Owner> {
    front.store.watchers().await.unwrap().observer.map(|place| place.owner)
}

async fn observes(front: &Front) {
    wait_for("the observer's place", async || observer(front).await.as_ref() == Some(front.store.owner())).await;
}

/// Waits until the one has taken over what the other has given up.
async fn taken_over(from: &Front, by: &Front) {
    let none_left =
        async || by.store.attempts().await.unwrap().iter().all(|attempt| attempt.owner != *from.store.owner());
    wait_for("the takeover", none_left).await;
}

/// As before a stop, and waits until it has.
async fn give_up(front: &Front) {
    let (told, hears) = std::sync::mpsc::channel();
    front.engine.send(Command::GiveUp { told });
    wait_until("the word", || hears.try_recv().is_ok()).await;
}

async fn is_token(front: &mut Front, wanted: Token) {
    front.until("the token", |event| matches!(event, Event::Token(token) if *token == wanted).then_some(())).await;
}

/// A process that has the observer's place and sleeps, as the others see it.
async fn sleeper(rig: &Rig, interval: Duration) -> Store {
    let scope = Scope {
        profile: saoma::gateway::profile_id(rig.sim.account(), rig.sim.url()),
        name: "test".into(),
        cause: "watch",
        receivers: Vec::new(),
        lists_w_ids: rig.dialect.lists_w_ids(),
    };
    let store = Store::open(&rig.dir.path().join("saoma.db"), scope).await.unwrap();
    assert!(store.observe(2, interval, None).await.unwrap());
    store
}

#[tokio::test]
async fn a_token_that_was_stored_before_its_watch_began_is_used_too() {
    let rig = Rig::with(Setup { accounts: accounts(), ..Setup::default() }, How::default()).await;
    let file = rig.dir.path().join("credentials.toml");
    std::fs::write(&file, "dead").unwrap();
    let from = file.clone();
    let read = move || Some(SignedIn { token: std::fs::read_to_string(&from).ok()?.into(), password: None });
    let stored_token = Some(StoredToken { file, read: Arc::new(read) });
    // What it begins with is good: nothing but the file says otherwise.
    let mut screen = rig.another(How { stored_token, waits: true, ..every(Duration::from_secs(3_600)) }).await;
    is_token(&mut screen, Token::Rejected).await;
    screen.stop().await;
}

#[tokio::test]
async fn an_observer_with_a_dead_token_gives_way_to_who_can_list() {
    let (_dir, file, hook) = kept();
    for dialect in ALL {
        let setup = Setup { dialect, accounts: online(10), ..Setup::default() };
        let mut rig = Rig::with(setup, How { hook: Some(hook.clone()), ..every(SHORT) }).await;
        a_list(&mut rig.front).await;
        let how =
            How { role: Some(Role::Watch), token: Some("dead"), hook: Some(hook.clone()), waits: true, ..every(SHORT) };
        let mut watch = rig.another(how).await;
        is_token(&mut watch, Token::Rejected).await;
        observes(&rig.front).await;
        // What the gateway refused to the one is told once, and the drops are seen by the other.
        rig.sim.drop_account(&id(3)).unwrap();
        assert_eq!(rig.front.until("the drop", dropped).await, id(3));
        wait_until("the alerts", || told(&file).len() == 2).await;
        assert_eq!(told(&file), ["token_rejected", "dropped"], "{dialect}");
        // With a token that is taken it is the observer again, by its rank.
        let token = rig.sign_in().await;
        watch.engine.send(Command::Token { token });
        is_token(&mut watch, Token::Ok).await;
        observes(&watch).await;
        watch.stop().await;
        rig.front.stop().await;
        std::fs::remove_file(&file).unwrap();
    }
}

#[tokio::test]
async fn a_screen_takes_the_place_of_a_silent_observer_and_tells_what_dropped() {
    for dialect in ALL {
        let setup = Setup { dialect, accounts: online(10), ..Setup::default() };
        let mut rig = Rig::with(setup, every(SHORT)).await;
        a_list(&mut rig.front).await;
        let sleeper = sleeper(&rig, SHORT).await;
        rig.sim.drop_account(&id(3)).unwrap();
        assert_eq!(rig.front.until("the drop", dropped).await, id(3), "{dialect}");
        observes(&rig.front).await;
        // It wakes with a list of before.
        assert!(sleeper.note_list(Began::default(), &[], &[], &[]).await.is_err());
        assert_eq!(rig.front.account(&name(3)).await.presence, Presence::Offline);
    }
}

#[tokio::test]
async fn a_screen_that_cannot_list_says_that_what_it_shows_is_old() {
    // V1 without the password: it lives by what the observer finds.
    let setup = Setup { dialect: Dialect::V1, accounts: online(10), ..Setup::default() };
    let mut rig = Rig::with(setup, How { role: Some(Role::Watch), ..every(SHORT) }).await;
    a_list(&mut rig.front).await;
    let (_dir, file, hook) = kept();
    let mut screen = rig.another(How { password: false, hook: Some(hook), ..every(SHORT) }).await;
    rig.front.engine.send(Command::Stop);
    rig.front.until("the end", |event| matches!(event, Event::Stopped).then_some(())).await;
    let sleeper = sleeper(&rig, SHORT).await;
    let failing =
        |event: &Event| matches!(event, Event::Fleet(Fleet::Failing { reason: Reason::Interrupted, .. })).then_some(());
    screen.until("the failing list", failing).await;
    screen
        .until("old accounts", |event| match event {
            Event::Accounts(accounts) => accounts.iter().any(|account| account.stale).then_some(()),
            _ => None,
        })
        .await;
    screen.until("the loss", |event| matches!(event, Event::ObservationLost { .. }).then_some(())).await;
    wait_until("the alert", || told(&file) == ["observation_lost"]).await;
    let began = Began { at: now(), order: sleeper.order().await.unwrap(), ..Began::default() };
    sleeper.note_list(began, &[], &[], &[]).await.unwrap();
    screen.until("its end", |event| matches!(event, Event::ObservationBack { .. }).then_some(())).await;
    a_list(&mut screen).await;
    screen.stop().await;
}

#[tokio::test]
async fn a_token_that_another_process_stores_is_used_at_once() {
    for dialect in ALL {
        let rig = Rig::with(Setup { dialect, accounts: accounts(), ..Setup::default() }, How::default()).await;
        let file = rig.dir.path().join("credentials.toml");
        std::fs::write(&file, "dead").unwrap();
        let (from, password) = (file.clone(), rig.sim.password().to_owned());
        let read = move || {
            let token = std::fs::read_to_string(&from).ok()?.into();
            // In V1 the sign-in keeps the password too.
            Some(SignedIn { token, password: (dialect == Dialect::V1).then(|| password.clone().into()) })
        };
        let stored_token = Some(StoredToken { file: file.clone(), read: Arc::new(read) });
        let how = How {
            token: Some("dead"),
            password: false,
            waits: true,
            stored_token,
            ..every(Duration::from_secs(3_600))
        };
        let mut screen = rig.another(how).await;
        if dialect == Dialect::V1 {
            let needs = |event: &Event| matches!(event, Event::Fleet(Fleet::NeedsPassword)).then_some(());
            screen.until("the missing password", needs).await;
        } else {
            is_token(&mut screen, Token::Rejected).await;
        }
        let new = file.with_extension("new");
        std::fs::write(&new, rig.sim.token()).unwrap();
        std::fs::rename(&new, &file).unwrap();
        is_token(&mut screen, Token::Ok).await;
        a_list(&mut screen).await;
        screen.stop().await;
    }
}

#[tokio::test]
async fn a_login_that_is_given_up_goes_on_elsewhere() {
    for dialect in ALL {
        let (_dir, file, hook) = kept();
        let setup = Setup { dialect, accounts: accounts(), ..Setup::default() };
        let mut rig = Rig::with(setup, How { hook: Some(hook.clone()), ..How::default() }).await;
        let mut watch = rig.another(How { role: Some(Role::Watch), hook: Some(hook), ..every(SHORT) }).await;
        a_list(&mut watch).await;
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        // Ctrl-Z: it is about to be stopped.
        give_up(&rig.front).await;
        taken_over(&rig.front, &watch).await;
        rig.front.engine.send(Command::ComeBack);
        let (_, end) = rig.front.end().await;
        assert!(matches!(&end, LoginStep::TakenOver { by } if !by.is_empty()), "{dialect}: {end:?}");
        rig.phone(&code, "wxid_amy");
        let account = rig.front.account_is("wxid_amy", "online", |account| account.presence == Presence::Online).await;
        assert_eq!(account.w_id, rig.live_w_id("wxid_amy"), "{dialect}");
        wait_until("the bots", || !told(&file).is_empty()).await;
        assert_eq!(rig.calls("iPadLogin").len(), 1, "{dialect}: nothing was asked for again");
        watch.stop().await;
        rig.front.stop().await;
        let logins = told(&file).into_iter().filter(|event| event == "logged_in").count();
        assert_eq!(logins, 1, "{dialect}");
    }
}

#[tokio::test]
async fn a_login_whose_taker_dies_comes_back() {
    for dialect in ALL {
        let setup = Setup { dialect, accounts: accounts(), ..Setup::default() };
        let mut rig = Rig::with(setup, How::default()).await;
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        rig.front.store.give_up().await.unwrap();
        let attempt = rig.front.store.attempts().await.unwrap().remove(0);
        let other = sleeper(&rig, SHORT).await;
        assert!(other.take_over(&attempt.id).await.unwrap().is_some());
        let (_, end) = rig.front.end().await;
        assert!(matches!(&end, LoginStep::TakenOver { by } if &**by == "watch"), "{dialect}: {end:?}");
        drop(other);
        // What was asked before the other took it still listens, and whoever hears of the success stores it.
        rig.phone(&code, "wxid_amy");
        let account = rig.front.account_is("wxid_amy", "online", |account| account.presence == Presence::Online).await;
        assert_eq!(account.w_id, rig.live_w_id("wxid_amy"), "{dialect}");
        assert_eq!(rig.calls("iPadLogin").len(), 1, "{dialect}");
        let store = rig.front.store.clone();
        let nothing_left = async || store.attempts().await.unwrap().is_empty();
        wait_for(&format!("{dialect}: the end of the attempt"), nothing_left).await;
    }
}

#[tokio::test]
async fn a_login_that_nobody_has_taken_meanwhile_goes_on_here() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    give_up(&rig.front).await;
    rig.front.engine.send(Command::ComeBack);
    rig.phone(&code, "wxid_amy");
    assert_eq!(Some(rig.front.logged_in().await), rig.live_w_id("wxid_amy"));
}

#[tokio::test]
async fn a_second_login_whose_owner_slept_is_stored_whoever_hears_of_it() {
    for dialect in ALL {
        let setup = Setup { dialect, accounts: accounts(), ..Setup::default() };
        let mut rig = Rig::with(setup, How::default()).await;
        let mut watch = rig.another(How { role: Some(Role::Watch), ..every(SHORT) }).await;
        a_list(&mut watch).await;
        rig.front.login("wxid_amy", Way::Second);
        rig.front.step("the dialog", |step| matches!(step, LoginStep::SecondLoginSent { .. })).await;
        wait_until("the request", || rig.calls("secondLogin").len() == 1).await;
        give_up(&rig.front).await;
        taken_over(&rig.front, &watch).await;
        rig.front.engine.send(Command::ComeBack);
        rig.sim.confirm(Some("wxid_amy".into())).unwrap();
        let w_id = rig.live_w_id("wxid_amy");
        assert!(w_id.is_some());
        rig.front.account_is("wxid_amy", "online", |account| account.w_id == w_id && account.w_id_confirmed).await;
        assert_eq!(rig.calls("secondLogin").len(), 1, "{dialect}: no phone rings twice");
    }
}

#[tokio::test]
async fn two_that_can_list_stay_where_they_are_when_the_gateway_comes_and_goes() {
    let mut rig = rig(10, How { role: Some(Role::Watch), ..every(SHORT) }).await;
    a_list(&mut rig.front).await;
    let mut screen = rig.another(every(SHORT)).await;
    a_list(&mut screen).await;
    let epoch = async |front: &Front| front.store.watchers().await.unwrap().observer.unwrap().epoch;
    let before = epoch(&rig.front).await;
    for _ in 0..3 {
        rig.sim.down();
        screen.until("the outage", |event| matches!(event, Event::Outage { .. }).then_some(())).await;
        rig.sim.up().await.unwrap();
        screen.until("its end", |event| matches!(event, Event::OutageOver { .. }).then_some(())).await;
    }
    observes(&rig.front).await;
    // Each fails as often as the other.
    assert_eq!(epoch(&rig.front).await, before, "no ping-pong");
    screen.stop().await;
}

#[tokio::test]
async fn a_store_that_is_moved_away_loses_no_login() {
    for dialect in ALL {
        let mut rig = Rig::new(dialect).await;
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        for end in ["", "-wal", "-shm"] {
            let file = rig.dir.path().join(format!("saoma.db{end}"));
            std::fs::rename(&file, rig.dir.path().join(format!("old.db{end}"))).unwrap();
        }
        rig.front.until("the word", |event| matches!(event, Event::Fault { .. }).then_some(())).await;
        rig.phone(&code, "wxid_amy");
        let w_id = rig.front.logged_in().await;
        assert_eq!(Some(&w_id), rig.live_w_id("wxid_amy").as_ref(), "{dialect}");
        // Whoever looks now finds it.
        let script = rig.another(How::default()).await;
        assert_eq!(script.account("wxid_amy").await.w_id, Some(w_id), "{dialect}");
        script.stop().await;
    }
}

#[tokio::test]
async fn a_store_that_does_no_work_is_told_until_it_does() {
    let mut rig = Rig::new(Dialect::V2).await;
    let (store, aside) = (rig.dir.path().join("saoma.db"), rig.dir.path().join("aside"));
    let told =
        |works| move |event: &Event| matches!(event, Event::Store { works: told } if *told == works).then_some(());
    for _twice in 0..2 {
        std::fs::rename(&store, &aside).unwrap();
        std::fs::write(&store, "no database").unwrap();
        rig.front.until("the words", |event| matches!(event, Event::Fault { .. }).then_some(())).await;
        rig.front.until("the trouble", told(false)).await;
        std::fs::rename(&aside, &store).unwrap();
        rig.front.engine.send(Command::Refresh);
        rig.front.until("its end", told(true)).await;
    }
}

#[tokio::test]
async fn who_observes_goes_on_at_once_in_a_file_that_was_put_back() {
    let interval = Duration::from_secs(3_600);
    let mut rig = Rig::with(Setup { accounts: online(10), ..Setup::default() }, every(interval)).await;
    a_list(&mut rig.front).await;
    let epoch = async |front: &Front| front.store.watchers().await.unwrap().observer.unwrap().epoch;
    let first = epoch(&rig.front).await;
    let file = |name: &str, end: &str| rig.dir.path().join(format!("{name}{end}"));
    let replaced = |event: &Event| matches!(event, Event::Fault { .. }).then_some(());
    for end in ["", "-wal", "-shm"] {
        std::fs::rename(file("saoma.db", end), file("old.db", end)).unwrap();
    }
    rig.front.until("the word of the new file", replaced).await;
    a_list(&mut rig.front).await;
    // The file last, so that it is never without its own journal.
    for end in ["-wal", "-shm", ""] {
        std::fs::rename(file("old.db", end), file("saoma.db", end)).unwrap();
    }
    rig.front.until("the word of the old file", replaced).await;
    // It has the place of before, and takes it up.
    wait_for("another epoch", async || epoch(&rig.front).await != first).await;
}
