//! What is believed of accounts, by engines over real HTTP: drops, outages, notices, one observer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use saoma::engine::api::{Command, Event, Fleet, Way};
use saoma::engine::notices::Ports;
use saoma::engine::{Listen, Role, Secret};
use saoma::model::{Dialect, Presence, Reason, Source, WId, WcId};
use saoma::simulator::{Act, Knobs, Setup, SimAccount, Simulator};

use tokio::io::AsyncWriteExt as _;

use super::rig::{
    Front, How, Rig, SHORT, a_list, dropped, every, id, kept, name, online, rig, told, wait_for, wait_until,
};

const LONG: Duration = Duration::from_secs(3_600);

fn lists(sim: &Simulator) -> usize {
    sim.requests()
        .iter()
        .filter(|request| matches!(&*request.endpoint, "queryLoginWx" | "member/getLoginWcIds"))
        .count()
}

fn checks(sim: &Simulator) -> usize {
    sim.requests().iter().filter(|request| request.endpoint == "isOnline").count()
}

// ── Drops ────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_silent_drop_is_believed_after_two_lists_and_not_before() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        let setup = Setup { dialect, accounts: online(10), ..Setup::default() };
        let mut rig = Rig::with(setup, every(SHORT)).await;
        a_list(&mut rig.front).await;
        rig.sim.drop_account(&id(3)).unwrap();
        let before = lists(&rig.sim);
        assert_eq!(rig.front.until("the drop", dropped).await, id(3));
        assert!(lists(&rig.sim) >= before + 2, "{dialect}");
        assert_eq!(checks(&rig.sim), 0);
        let account = rig.front.account(&name(3)).await;
        assert_eq!((account.presence, account.reason), (Presence::Offline, Some(Reason::Dropped)));
    }
}

#[tokio::test]
async fn a_flap_of_one_interval_raises_nothing() {
    let (_dir, file, hook) = kept();
    let mut rig = rig(10, How { hook: Some(hook), ..every(SHORT) }).await;
    a_list(&mut rig.front).await;
    rig.sim.knobs(|knobs| knobs.empty_lists = 1);
    for _ in 0..4 {
        a_list(&mut rig.front).await;
    }
    assert_eq!(rig.front.account(&name(3)).await.presence, Presence::Online);
    rig.front.stop().await;
    assert!(told(&file).is_empty(), "{:?}", told(&file));
}

#[tokio::test]
async fn fifty_at_once_are_one_alert() {
    for dialect in [Dialect::V1, Dialect::V2] {
        let (_dir, file, hook) = kept();
        let setup = Setup { dialect, accounts: online(60), ..Setup::default() };
        let mut rig = Rig::with(setup, How { hook: Some(hook), ..every(SHORT) }).await;
        a_list(&mut rig.front).await;
        for number in 0..50 {
            rig.sim.drop_account(&id(number)).unwrap();
        }
        let all = rig
            .front
            .until("the mass drop", |event| match event {
                Event::MassDrop { wc_ids, .. } => Some(wc_ids.clone()),
                Event::Dropped { wc_id, .. } => panic!("{wc_id} told by itself"),
                _ => None,
            })
            .await;
        assert_eq!(all.len(), 50, "{dialect}");
        assert_eq!(rig.front.account(&name(49)).await.presence, Presence::Offline);
        assert_eq!(rig.front.account(&name(50)).await.presence, Presence::Online);
        assert_eq!(checks(&rig.sim), if dialect.lists_w_ids() { 5 } else { 0 });
        a_list(&mut rig.front).await;
        wait_until("the alert", || !told(&file).is_empty()).await;
        rig.front.stop().await;
        assert_eq!(told(&file), ["mass_drop"], "{dialect}");
    }
}

#[tokio::test]
async fn the_last_remaining_account_can_drop_too() {
    for dialect in [Dialect::V1, Dialect::V2] {
        let setup = Setup { dialect, accounts: online(1), ..Setup::default() };
        let mut rig = Rig::with(setup, every(SHORT)).await;
        a_list(&mut rig.front).await;
        rig.sim.drop_account(&id(0)).unwrap();
        assert_eq!(rig.front.until("the drop", dropped).await, id(0), "{dialect}");
    }
}

#[tokio::test]
async fn a_restart_of_the_gateway_is_one_outage_and_one_recovery() {
    let (_dir, file, hook) = kept();
    let mut rig = rig(10, How { hook: Some(hook), ..every(SHORT) }).await;
    a_list(&mut rig.front).await;
    rig.sim.down();
    rig.front.until("the outage", |event| matches!(event, Event::Outage { .. }).then_some(())).await;
    assert!(rig.front.store.watchers().await.unwrap().outage_since.is_some());
    // What was believed is kept, and stale.
    rig.front
        .until("stale accounts", |event| match event {
            Event::Accounts(accounts) => {
                let known = accounts.iter().filter(|account| account.presence == Presence::Online);
                known.clone().count().eq(&10).then(|| assert!(known.clone().all(|account| account.stale)))
            }
            _ => None,
        })
        .await;
    rig.sim.up().await.unwrap();
    // After its start it knows nobody for a moment.
    rig.sim.knobs(|knobs| knobs.empty_lists = 2);
    rig.front.until("its end", |event| matches!(event, Event::OutageOver { .. }).then_some(())).await;
    a_list(&mut rig.front).await;
    assert_eq!(rig.front.account(&name(3)).await.presence, Presence::Online);
    assert_eq!(rig.front.store.watchers().await.unwrap().outage_since, None);
    wait_until("both alerts", || told(&file).len() >= 2).await;
    rig.front.stop().await;
    assert_eq!(told(&file), ["outage", "outage_over"]);
}

#[tokio::test]
async fn empty_lists_of_accounts_that_answer_are_an_outage() {
    let mut rig = rig(10, every(SHORT)).await;
    a_list(&mut rig.front).await;
    rig.sim.knobs(|knobs| knobs.empty_lists = 4);
    rig.front
        .until("the outage", |event| match event {
            Event::Dropped { .. } | Event::MassDrop { .. } => panic!("{event:?}"),
            event => matches!(event, Event::Outage { .. }).then_some(()),
        })
        .await;
    rig.front.until("its end", |event| matches!(event, Event::OutageOver { .. }).then_some(())).await;
}

#[tokio::test]
async fn a_thousand_accounts_cost_the_calls_of_ten() {
    let mut calls = Vec::new();
    for count in [10, 1_000] {
        let mut rig = rig(count, every(LONG)).await;
        a_list(&mut rig.front).await;
        for _ in 0..3 {
            rig.front.engine.send(Command::Refresh);
            a_list(&mut rig.front).await;
        }
        rig.sim.drop_account(&id(3)).unwrap();
        for _ in 0..2 {
            rig.front.engine.send(Command::Refresh);
            a_list(&mut rig.front).await;
        }
        assert_eq!(rig.front.account(&name(3)).await.presence, Presence::Offline);
        calls.push(rig.sim.requests().len());
    }
    assert_eq!(calls[0], calls[1]);
}

// ── Notices ──────────────────────────────────────────────────────────────────────────────────────────────────────

const SECRET: &str = "n0t1ce-path";

/// A port that is free and stays so: the system gives none below 32768 to whoever asks for any.
fn free_port() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(31).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(20_000 + number % 10_000).unwrap()));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A place to listen at, and the whole URL.
fn listen() -> (Listen, String) {
    let address = free_port();
    let listen = Listen {
        address,
        secret: Secret(SECRET.into()),
        forward: None,
        public_url: Some(format!("http://{address}")),
        register: false,
    };
    (listen, format!("http://{address}/{SECRET}"))
}

/// An engine that asks no list for an hour after its first, and listens.
async fn listening(dialect: Dialect, change: impl FnOnce(&mut Listen)) -> (Rig, String) {
    let (mut listen, url) = listen();
    change(&mut listen);
    let setup = Setup { dialect, accounts: online(10), ..Setup::default() };
    let how = How { listen: Some(listen), role: Some(Role::Watch), ..every(LONG) };
    let mut rig = Rig::with(setup, how).await;
    a_list(&mut rig.front).await;
    (rig, url)
}

async fn post(url: &str, body: impl Into<reqwest::Body>) -> u16 {
    reqwest::Client::new().post(url).body(body).send().await.unwrap().status().as_u16()
}

/// At the same moment: what comes within a fifth of a second is looked at together.
async fn post_all(url: &str, bodies: impl IntoIterator<Item = String>) {
    let client = reqwest::Client::new();
    let posts = bodies.into_iter().map(|body| client.post(url).body(body).send());
    for answer in futures_util::future::join_all(posts).await {
        assert_eq!(answer.unwrap().status().as_u16(), 200);
    }
}

fn notice(dialect: Dialect, number: usize, w_id: &str) -> String {
    let wc_id = name(number);
    match dialect {
        Dialect::V1 => serde_json::json!({"message": {"data": w_id, "messageType": 3}, "wcId": wc_id}),
        Dialect::V2 => serde_json::json!({"account": "1", "data": {"wId": w_id}, "messageType": 4, "wcId": wc_id}),
        Dialect::V3 => serde_json::json!({"account": "1", "wcId": wc_id, "messageType": "30000",
                                          "data": {"wId": w_id, "reason": "在其他设备登录"}}),
    }
    .to_string()
}

#[tokio::test]
async fn a_notice_is_followed_at_once() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        let (mut rig, url) = listening(dialect, |_| {}).await;
        let w_id = rig.live_w_id(&name(3)).unwrap();
        let (lists_before, checks_before) = (lists(&rig.sim), checks(&rig.sim));
        rig.sim.drop_account(&id(3)).unwrap();
        let body = notice(dialect, 3, w_id.as_str());
        post_all(&url, std::iter::repeat_n(body, 5)).await;
        assert_eq!(rig.front.until("the drop", dropped).await, id(3), "{dialect}");
        let account = rig.front.account(&name(3)).await;
        assert_eq!((account.presence, account.source), (Presence::Offline, Some(Source::Notice)));
        if dialect == Dialect::V3 {
            assert_eq!(account.gateway_message.as_deref(), Some("在其他设备登录"));
        }
        // Five notices, one question.
        let asked = (lists(&rig.sim) - lists_before, checks(&rig.sim) - checks_before);
        assert_eq!(asked, if dialect.lists_w_ids() { (0, 1) } else { (1, 0) }, "{dialect}");
    }
}

#[tokio::test]
async fn strangers_and_stale_notices_do_nothing() {
    let (mut rig, url) = listening(Dialect::V2, |_| {}).await;
    let root = url.strip_suffix(SECRET).unwrap().to_owned();
    let w_id = rig.live_w_id(&name(3)).unwrap();
    let good = notice(Dialect::V2, 3, w_id.as_str());
    let before = rig.sim.requests().len();
    for path in ["", "n0t1ce-patH", "n0t1ce-path/more", "?n0t1ce-path"] {
        assert_eq!(post(&format!("{root}{path}"), good.clone()).await, 404, "{path}");
    }
    let got = reqwest::get(&url).await.unwrap();
    assert_eq!(got.status().as_u16(), 405);
    assert_eq!(post(&url, vec![b'x'; 1024 * 1024 + 1]).await, 413);
    // What is no notice, or about nobody, or about an instance of yesterday.
    for body in [
        String::new(),
        "<xml/>".to_owned(),
        "[1]".to_owned(),
        r#"{"messageType":"00000","data":{"content":"验证回调地址是否可用"}}"#.to_owned(),
        notice(Dialect::V2, 3, "w-of-yesterday"),
        notice(Dialect::V2, 77, "w-77"),
    ] {
        let response = reqwest::Client::new().post(&url).body(body).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, "{}".to_owned()));
    }
    // What comes after them is looked at after them: nothing was asked for their sake.
    let other = rig.live_w_id(&name(4)).unwrap();
    rig.sim.drop_account(&id(4)).unwrap();
    post(&url, notice(Dialect::V2, 4, other.as_str())).await;
    assert_eq!(rig.front.until("the drop", dropped).await, id(4));
    assert_eq!(rig.sim.requests().len() - before, 1);
    assert_eq!(rig.front.account(&name(3)).await.presence, Presence::Online);
}

/// The gateway waits as long for an answer to its notice.
const GATEWAYS_PATIENCE: Duration = Duration::from_secs(6);

#[tokio::test]
async fn a_crowd_of_silent_strangers_keeps_no_notice_out() {
    let (mut rig, url) = listening(Dialect::V2, |_| {}).await;
    let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let mut crowd = Vec::new();
    for (number, many) in [(3, 64), (4, 193), (5, 1000)] {
        while crowd.len() < many {
            let mut stranger = tokio::net::TcpStream::connect(&address).await.unwrap();
            // Some begin to say something, and never end.
            if crowd.len() % 3 == 0 {
                let _gone = stranger.write_all(b"POST /n0t1ce-path HTTP/1.1\r\ncontent-length: 10\r\n\r\n{").await;
            }
            crowd.push(stranger);
        }
        let w_id = rig.live_w_id(&name(number)).unwrap();
        rig.sim.drop_account(&id(number)).unwrap();
        let told = post(&url, notice(Dialect::V2, number, w_id.as_str()));
        let told = tokio::time::timeout(GATEWAYS_PATIENCE, told).await;
        assert_eq!(told.expect("answered while the gateway waits"), 200, "{many}");
        assert_eq!(rig.front.until("the drop", dropped).await, id(number), "{many}");
    }
}

#[tokio::test]
async fn a_notice_of_an_account_that_is_online_changes_nothing() {
    let (rig, url) = listening(Dialect::V2, |_| {}).await;
    let w_id = rig.live_w_id(&name(3)).unwrap();
    post(&url, notice(Dialect::V2, 3, w_id.as_str())).await;
    wait_until("the check", || checks(&rig.sim) == 1).await;
    assert_eq!(rig.front.account(&name(3)).await.presence, Presence::Online);
}

#[tokio::test]
async fn many_notices_are_settled_by_a_list() {
    let (mut rig, url) = listening(Dialect::V2, |_| {}).await;
    let before = checks(&rig.sim);
    let live: Vec<WId> = (0..8).map(|number| rig.live_w_id(&name(number)).unwrap()).collect();
    for number in 0..8 {
        rig.sim.drop_account(&id(number)).unwrap();
    }
    for (number, w_id) in live.iter().enumerate() {
        post(&url, notice(Dialect::V2, number, w_id.as_str())).await;
    }
    let all = rig
        .front
        .until("the mass drop", |event| match event {
            Event::MassDrop { wc_ids, .. } => Some(wc_ids.len()),
            _ => None,
        })
        .await;
    assert!(all >= 3);
    assert!(checks(&rig.sim) - before <= 10);
}

#[tokio::test]
async fn a_notice_that_comes_late_is_told_with_the_others() {
    let (mut rig, url) = listening(Dialect::V2, |_| {}).await;
    let live: Vec<WId> = (0..5).map(|number| rig.live_w_id(&name(number)).unwrap()).collect();
    let (lists_before, checks_before) = (lists(&rig.sim), checks(&rig.sim));
    for number in 0..5 {
        rig.sim.drop_account(&id(number)).unwrap();
    }
    post_all(&url, (0..4).map(|number| notice(Dialect::V2, number, live[number].as_str()))).await;
    wait_until("the first list", || lists(&rig.sim) > lists_before).await;
    // By now that list lacks many, and the next one will say whether that is so.
    tokio::time::sleep(Duration::from_millis(300)).await;
    post(&url, notice(Dialect::V2, 4, live[4].as_str())).await;
    let first = rig.front.until("what is told", |event| match event {
        Event::MassDrop { wc_ids, .. } => Some(wc_ids.clone()),
        Event::Dropped { wc_id, .. } => panic!("{wc_id} is told by itself"),
        _ => None,
    });
    assert_eq!(first.await, (0..5).map(id).collect::<Vec<_>>());
    assert!(checks(&rig.sim) - checks_before <= 5);
}

#[tokio::test]
async fn two_notices_at_once_are_one_list() {
    let (mut rig, url) = listening(Dialect::V2, |_| {}).await;
    let live: Vec<WId> = (0..2).map(|number| rig.live_w_id(&name(number)).unwrap()).collect();
    let (lists_before, checks_before) = (lists(&rig.sim), checks(&rig.sim));
    for number in 0..2 {
        rig.sim.drop_account(&id(number)).unwrap();
    }
    post_all(&url, (0..2).map(|number| notice(Dialect::V2, number, live[number].as_str()))).await;
    for _ in 0..2 {
        rig.front.until("a drop", dropped).await;
    }
    assert_eq!((lists(&rig.sim) - lists_before, checks(&rig.sim) - checks_before), (1, 0));
}

/// Where only lists can tell, one notice after another is followed by one list after another.
#[tokio::test]
async fn notices_one_after_another_are_each_followed() {
    let (mut rig, url) = listening(Dialect::V1, |_| {}).await;
    for number in 0..3 {
        let w_id = rig.live_w_id(&name(number)).unwrap();
        rig.sim.drop_account(&id(number)).unwrap();
        post(&url, notice(Dialect::V1, number, w_id.as_str())).await;
        assert_eq!(rig.front.until("the drop", dropped).await, id(number));
    }
}

#[tokio::test]
async fn the_last_one_of_v1_drops_when_a_notice_says_so() {
    let (listen, url) = listen();
    let setup = Setup { dialect: Dialect::V1, accounts: online(1), ..Setup::default() };
    let mut rig = Rig::with(setup, How { listen: Some(listen), role: Some(Role::Watch), ..every(LONG) }).await;
    a_list(&mut rig.front).await;
    let w_id = rig.live_w_id(&name(0)).unwrap();
    rig.sim.drop_account(&id(0)).unwrap();
    post(&url, notice(Dialect::V1, 0, w_id.as_str())).await;
    assert_eq!(rig.front.until("the drop", dropped).await, id(0));
}

#[tokio::test]
async fn engines_of_one_process_share_a_port() {
    let (listen, url) = listen();
    let ports = Ports::default();
    let how = || How { listen: Some(listen.clone()), ports: ports.clone(), role: Some(Role::Watch), ..every(LONG) };
    let setup = |from: usize| Setup { accounts: online(12).split_off(from), ..Setup::default() };
    let (mut first, mut second) = (Rig::with(setup(0), how()).await, Rig::with(setup(6), how()).await);
    a_list(&mut first.front).await;
    a_list(&mut second.front).await;
    // One that only the first knows, one that both know and only the second has lost.
    let only = first.live_w_id(&name(3)).unwrap();
    first.sim.drop_account(&id(3)).unwrap();
    post(&url, notice(Dialect::V2, 3, only.as_str())).await;
    assert_eq!(first.front.until("the drop", dropped).await, id(3));
    let both = second.live_w_id(&name(8)).unwrap();
    second.sim.drop_account(&id(8)).unwrap();
    post(&url, notice(Dialect::V2, 8, both.as_str())).await;
    assert_eq!(second.front.until("the drop", dropped).await, id(8));
    assert_eq!(first.front.account(&name(8)).await.presence, Presence::Online);
    // The port stays open while one of them is left.
    first.front.stop().await;
    let left = second.live_w_id(&name(9)).unwrap();
    second.sim.drop_account(&id(9)).unwrap();
    assert_eq!(post(&url, notice(Dialect::V2, 9, left.as_str())).await, 200);
    assert_eq!(second.front.until("the drop", dropped).await, id(9));
}

#[tokio::test]
async fn who_takes_over_listens_as_soon_as_the_port_is_free() {
    let (listen, url) = listen();
    let how = |role| How { listen: Some(listen.clone()), role: Some(role), ..every(LONG) };
    let setup = Setup { accounts: online(10), ..Setup::default() };
    let mut rig = Rig::with(setup, how(Role::Screen)).await;
    a_list(&mut rig.front).await;
    let mut watch = rig.another(how(Role::Watch)).await;
    a_list(&mut watch).await;
    let w_id = rig.live_w_id(&name(3)).unwrap();
    rig.sim.drop_account(&id(3)).unwrap();
    // Whoever listens now or in a moment: what is not heard is called again (protocol.md §3.11).
    let body = notice(Dialect::V2, 3, w_id.as_str());
    let call = async {
        loop {
            let _ = reqwest::Client::new().post(&url).body(body.clone()).send().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let told = watch.until("the drop", |event| match event {
        Event::Fault { message } => panic!("{message}"),
        event => dropped(event),
    });
    tokio::select! {
        wc_id = told => assert_eq!(wc_id, id(3)),
        () = call => {}
    }
    watch.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_and_lists_go_on() {
    let (listen, _) = listen();
    let _taken = std::net::TcpListener::bind(listen.address).unwrap();
    let setup = Setup { accounts: online(3), ..Setup::default() };
    let mut rig = Rig::with(setup, How { listen: Some(listen.clone()), ..every(SHORT) }).await;
    let words = rig
        .front
        .until("the fault", |event| match event {
            Event::Fault { message } => Some(message.to_string()),
            _ => None,
        })
        .await;
    assert!(words.contains(&listen.address.to_string()) && !words.contains(SECRET), "{words}");
    a_list(&mut rig.front).await;
}

#[tokio::test]
async fn the_callback_is_registered_only_where_nobody_lives_on_it() {
    // Nobody: it is set, and the simulator's own notices arrive.
    let (mut rig, url) = listening(Dialect::V2, |listen| listen.register = true).await;
    wait_until("the registration", || !rig.calls("setHttpCallbackUrl").is_empty()).await;
    rig.sim.drop_account(&id(3)).unwrap();
    assert_eq!(rig.front.until("the drop", dropped).await, id(3));
    rig.front.stop().await;
    // A further process with another secret finds the first one's URL.
    let (mut other, _) = listen();
    other.secret = Secret("another".into());
    other.register = true;
    let how = |listen: &Listen| How { listen: Some(listen.clone()), role: Some(Role::Watch), ..every(LONG) };
    let rest = rig.sim.clone();
    let dir = tempfile::tempdir().unwrap();
    let mut second = Front::start(&rest, dir.path(), Dialect::V2, how(&other)).await;
    let words = second
        .until("the refusal", |event| match event {
            Event::Fault { message } => Some(message.to_string()),
            _ => None,
        })
        .await;
    assert!(words.contains("127.0.0.1") && !words.contains(SECRET), "{words}");
    second.stop().await;
    let set = || rest.requests().iter().filter(|request| request.endpoint == "setHttpCallbackUrl").count();
    assert_eq!(set(), 1);
    // It passes on to the first one: then it may.
    other.forward = Some(url.clone());
    let dir = tempfile::tempdir().unwrap();
    let third = Front::start(&rest, dir.path(), Dialect::V2, how(&other)).await;
    wait_until("the second registration", || set() == 2).await;
    third.stop().await;
}

#[tokio::test]
async fn what_is_heard_is_passed_on_whole() {
    // The bot that lives on the callback: another listener of saoma's own, so that something understands it.
    let (bot, bot_url) = listening(Dialect::V2, |_| {}).await;
    let (front, url) = listening(Dialect::V2, |listen| listen.forward = Some(bot_url.clone())).await;
    let w_id = bot.live_w_id(&name(3)).unwrap();
    assert_eq!(post(&url, notice(Dialect::V2, 3, w_id.as_str())).await, 200);
    wait_until("the bot's check", || checks(&bot.sim) == 1).await;
    drop(front);
}

#[tokio::test]
async fn a_message_much_larger_than_a_notice_is_passed_on_too() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let socket = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let bot_url = format!("http://{}/bot", socket.local_addr().unwrap());
    let sizes = Arc::clone(&heard);
    let take = move |body: axum::body::Bytes| async move { sizes.lock().unwrap().push(body.len()) };
    let limit = axum::extract::DefaultBodyLimit::disable();
    let bot = axum::Router::new().fallback(take).layer(limit);
    tokio::spawn(async { axum::serve(socket, bot).await });
    let (front, url) = listening(Dialect::V2, |listen| listen.forward = Some(bot_url)).await;
    for size in [300_000, 1024 * 1024] {
        assert_eq!(post(&url, vec![b'x'; size]).await, 200);
    }
    wait_until("both", || *heard.lock().unwrap() == [300_000, 1024 * 1024]).await;
    drop(front);
}

// ── One observer ─────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn two_processes_make_the_calls_of_one() {
    let mut rig = rig(10, How { role: Some(Role::Watch), ..every(SHORT) }).await;
    a_list(&mut rig.front).await;
    let mut screen = rig.another(every(SHORT)).await;
    // It hears of the other's lists, and of a drop.
    a_list(&mut screen).await;
    rig.sim.drop_account(&id(3)).unwrap();
    assert_eq!(screen.until("the drop", dropped).await, id(3));
    rig.front.until("the drop", dropped).await;
    // Every list that was asked was told by the first; so many as one process asks in that time.
    let requests: Vec<u64> =
        rig.sim.requests().iter().filter(|request| request.endpoint == "queryLoginWx").map(|r| r.at_ms).collect();
    let close = requests.windows(2).filter(|pair| pair[1] - pair[0] < 60).count();
    assert!(close <= 1, "{requests:?}");
    // An outage too.
    rig.sim.down();
    screen.until("the outage", |event| matches!(event, Event::Outage { .. }).then_some(())).await;
    rig.sim.up().await.unwrap();
    screen.until("its end", |event| matches!(event, Event::OutageOver { .. }).then_some(())).await;
    screen.stop().await;
}

#[tokio::test]
async fn watch_takes_the_role_and_a_screen_takes_it_back() {
    let mut rig = rig(10, every(SHORT)).await;
    a_list(&mut rig.front).await;
    let observer = || async { rig.front.store.watchers().await.unwrap().observer.map(|place| place.owner) };
    assert_eq!(observer().await.as_ref(), Some(rig.front.store.owner()));
    let mut watch = rig.another(How { role: Some(Role::Watch), ..every(SHORT) }).await;
    a_list(&mut watch).await;
    assert_eq!(observer().await.as_ref(), Some(watch.store.owner()));
    watch.stop().await;
    wait_for("an observer", async || observer().await.as_ref() == Some(rig.front.store.owner())).await;
    let before = lists(&rig.sim);
    wait_until("lists", || lists(&rig.sim) > before + 2).await;
}

#[tokio::test]
async fn a_command_never_observes() {
    let rig = rig(3, How { role: Some(Role::Command), ..every(SHORT) }).await;
    let mut screen = rig.another(every(SHORT)).await;
    a_list(&mut screen).await;
    let observer = rig.front.store.watchers().await.unwrap().observer.map(|place| place.owner);
    assert_eq!(observer.as_ref(), Some(screen.store.owner()));
    screen.stop().await;
}

// ── Reasons ──────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn why_an_account_is_off_line_is_asked_once_in_twelve_hours() {
    let setup = Setup { dialect: Dialect::V3, accounts: online(10), ..Setup::default() };
    let mut rig = Rig::with(setup, every(SHORT)).await;
    a_list(&mut rig.front).await;
    let ask = || Command::OfflineReason { wc_id: id(3) };
    // Not asked, so nothing is put into the gateway's mouth.
    rig.front.engine.send(ask());
    rig.front.until("the refusal", |event| matches!(event, Event::Fault { .. }).then_some(())).await;
    rig.sim.kick(&id(3)).unwrap();
    rig.front.until("the drop", dropped).await;
    rig.front.engine.send(ask());
    let words = rig
        .front
        .until("the reason", |event| match event {
            Event::OfflineReason { words, .. } => Some(words.clone()),
            _ => None,
        })
        .await;
    assert!(words.is_some());
    assert_eq!(rig.front.account(&name(3)).await.gateway_message, words);
    rig.front.engine.send(ask());
    rig.front.until("the refusal", |event| matches!(event, Event::Fault { .. }).then_some(())).await;
    assert_eq!(rig.calls("offlineReason").len(), 1);
}

#[tokio::test]
async fn doubled_notices_of_the_gateway_are_one_question() {
    let (rig, _url) = listening(Dialect::V2, |listen| listen.register = true).await;
    wait_until("the registration", || !rig.calls("setHttpCallbackUrl").is_empty()).await;
    let before = checks(&rig.sim);
    rig.sim.act(Act::Notice { wc_id: name(5), w_id: None, times: Some(3) }).unwrap();
    wait_until("the check", || checks(&rig.sim) == before + 1).await;
    assert_eq!(rig.front.account(&name(5)).await.presence, Presence::Online);
}

#[tokio::test]
async fn a_login_that_nobody_watches_any_more_ends_with_an_alert() {
    let (_dir, file, hook) = kept();
    let knobs = Knobs { code_life_ms: Some(1_500), poll_ms: Some(1_500), ..Knobs::default() };
    let mut accounts = online(5);
    accounts.push(SimAccount::new("wxid_amy", "Amy"));
    let mut rig = Rig::with(Setup { accounts, knobs, ..Setup::default() }, every(SHORT)).await;
    rig.front.account_is("wxid_amy", "off line", |account| account.presence == Presence::Offline).await;
    rig.front.login("wxid_amy", Way::Qr);
    rig.shown().await;
    let rest = rig.die().await;
    let how = How { role: Some(Role::Watch), hook: Some(hook), ..every(SHORT) };
    let mut watch = rest.another(how).await;
    wait_until("the alert", || !told(&file).is_empty()).await;
    let needed = |event: &Event| match event {
        Event::LoginNeeded { wc_id, .. } => Some(wc_id.clone()),
        _ => None,
    };
    assert_eq!(watch.until("the event", needed).await, WcId::new("wxid_amy"));
    watch.stop().await;
    assert_eq!(told(&file), ["login_needed"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"wxid_amy\"") && text.contains("\"reason\""), "{text}");
}

#[tokio::test]
async fn what_another_process_took_off_line_is_no_drop_and_no_recovery() {
    let (_dir, file, hook) = kept();
    let mut rig = rig(10, How { role: Some(Role::Watch), hook: Some(hook), ..every(SHORT) }).await;
    a_list(&mut rig.front).await;
    // The lists lag behind.
    rig.sim.knobs(|knobs| knobs.list_lag_ms = 800);
    let command = rig.another(How { role: Some(Role::Command), ..How::default() }).await;
    command.engine.send(Command::Offline { wc_ids: vec![id(3)] });
    rig.front
        .until("the account off line", |event| match event {
            Event::Dropped { .. } | Event::Recovered { .. } => panic!("{event:?}"),
            Event::Account(account) if account.wc_id == id(3) => (account.presence == Presence::Offline).then_some(()),
            _ => None,
        })
        .await;
    let until = tokio::time::Instant::now() + Duration::from_millis(1_500);
    while tokio::time::Instant::now() < until {
        let told = rig.front.until("a list", |event| match event {
            Event::Dropped { .. } | Event::Recovered { .. } => panic!("{event:?}"),
            event => matches!(event, Event::Fleet(Fleet::Ok { .. })).then_some(()),
        });
        told.await;
    }
    assert_eq!(rig.front.account(&name(3)).await.reason, Some(Reason::TakenOffline));
    command.stop().await;
    rig.front.stop().await;
    assert!(told(&file).is_empty(), "{:?}", told(&file));
}

#[tokio::test]
async fn a_screen_asks_once_for_each_wish_where_another_observes() {
    let mut rig = rig(10, How { role: Some(Role::Watch), ..every(LONG) }).await;
    a_list(&mut rig.front).await;
    let mut screen = rig.another(every(SHORT)).await;
    a_list(&mut screen).await;
    // Of those of whom nothing was known yet the observer asks once more by itself.
    rig.front.account_is("wxid_amy", "off line", |account| account.presence == Presence::Offline).await;
    rig.sim.drop_account(&id(3)).unwrap();
    let before = lists(&rig.sim);
    screen.engine.send(Command::Refresh);
    let at = a_list(&mut screen).await;
    // The observer's screen hears of it.
    rig.front.account_is(&name(4), "as fresh", |account| account.observed_at >= Some(at)).await;
    tokio::time::sleep(SHORT * 6).await;
    assert_eq!(lists(&rig.sim), before + 1);
    screen.stop().await;
}
