//! Several saoma on one store, one of which lives and cannot act: stopped, or with a token that is refused.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use saoma::simulator::{Setup, SimAccount};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::kit::{Desk, Running, eventually, eventually_within, three, wakes, whole_lines};

/// A desk whose lists are asked as often as may be, with a hook that keeps what it is told.
fn desk(setup: Setup) -> Desk {
    let desk = Desk::new(setup);
    desk.configure("5s");
    let told = desk.home.path().join("told");
    let more = format!("[alerts]\ncommand = '''cat >> {}'''\n", told.display());
    let text = std::fs::read_to_string(desk.config()).unwrap() + &more;
    std::fs::write(desk.config(), text).unwrap();
    desk
}

/// What the hook was told of one kind.
fn told(desk: &Desk, event: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(desk.home.path().join("told")).unwrap_or_default();
    whole_lines(&text).into_iter().filter(|line| line["event"] == event).collect()
}

fn watch(desk: &Desk) -> Running {
    let running = desk.start(&["watch", "--json"]);
    running.wait_event("watching");
    running
}

/// Who observes, as doctor sees it.
fn observer(desk: &Desk) -> Value {
    let went = desk.run(&["doctor", "--json"]);
    let checks = went.lines().remove(0)["checks"].take();
    checks.as_array().unwrap().iter().find(|check| check["name"] == "observer").unwrap().clone()
}

/// Whether somebody is writing in the store.
fn is_locked(desk: &Desk) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let options = SqliteConnectOptions::new().filename(desk.state().join("saoma.db")).busy_timeout(Duration::ZERO);
    runtime.block_on(async {
        let mut connection = options.connect().await.unwrap();
        let written = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK;").execute(&mut connection).await;
        connection.close().await.unwrap();
        written.is_err()
    })
}

fn lists(desk: &Desk) -> usize {
    desk.asked("queryLoginWx")
}

#[test]
fn a_stopped_watch_loses_its_place_and_tells_nothing_twice_when_it_wakes() {
    let mut setup = three();
    // So many that one of them may be missing without the list being doubted.
    setup
        .accounts
        .extend((0..5).map(|number| SimAccount::new(format!("wxid_on{number}"), format!("No {number}")).online()));
    let desk = desk(setup);
    let first = watch(&desk);
    eventually("its lists", || told(&desk, "w_id_changed").len() == 6);
    // Not while it writes: a transaction that never ends would keep everybody from the store.
    eventually("rest", || {
        let before = wakes(first.pid());
        std::thread::sleep(Duration::from_millis(500));
        if wakes(first.pid()) != before {
            return false;
        }
        first.signal(Signal::STOP);
        // It may have begun to write just then.
        let rests = !is_locked(&desk);
        if !rests {
            first.signal(Signal::CONT);
        }
        rests
    });
    desk.sim.drop_account(&"wxid_anna".into()).unwrap();
    // Nobody looks. Once its lists are overdue, what it last saw is no longer handed out for the truth.
    // Three intervals have to go by, or the limit of a request that was under way.
    let patience = Duration::from_secs(90);
    eventually_within(patience, "old news", || {
        // Each look starts a process, and the machine has other tests to run.
        std::thread::sleep(Duration::from_millis(100));
        desk.run(&["wid", "wxid_anna"]).code == 11
    });
    assert_eq!(desk.account("wxid_anna")["stale"], json!(true));
    assert_eq!(observer(&desk)["state"], json!("fail"));
    let second = watch(&desk);
    second.wait_event("dropped");
    assert_eq!(observer(&desk)["state"], json!("ok"));
    eventually("the alert", || told(&desk, "dropped").len() == 1);
    first.signal(Signal::CONT);
    let before = lists(&desk);
    eventually("further lists", || lists(&desk) >= before + 3);
    assert_eq!(told(&desk, "dropped").len(), 1);
    assert!(told(&desk, "recovered").is_empty());
    for running in [first, second] {
        running.signal(Signal::TERM);
        assert_eq!(running.end().code, 143);
    }
}

#[test]
fn a_sign_in_heals_every_process_at_once() {
    let desk = desk(three());
    let running = watch(&desk);
    let mut tui = desk.tui();
    tui.wait_row("Anna", "online");
    let good = std::fs::read_to_string(desk.state().join("credentials.toml")).unwrap();
    put(&desk.state().join("credentials.toml"), &good.replace(&desk.sim.token(), "no-such-token"));
    running.wait_event("token_rejected");
    tui.wait("the form", |screen| crate::kit::shows(screen, "Password"));
    put(&desk.state().join("credentials.toml"), &good);
    // Without a key being touched.
    tui.wait("the accounts", |screen| !crate::kit::shows(screen, "Password") && crate::kit::shows(screen, "token ok"));
    eventually("the alert", || told(&desk, "token_rejected").len() == 1);
    tui.quit();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 143);
    assert_eq!(told(&desk, "token_rejected").len(), 1);
}

/// Replaces a file as a sign-in does.
fn put(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[test]
fn a_login_that_is_stopped_goes_on_with_the_watch_and_is_told_so() {
    let desk = desk(three());
    let watch = watch(&desk);
    let login = desk.start(&["login", "wxid_bela", "--json"]);
    login.wait_event("qr");
    let code = desk.codes(1).remove(0);
    login.signal(Signal::TSTP);
    watch.wait_event("resumed");
    login.signal(Signal::CONT);
    let went = login.end();
    assert_eq!((went.code, went.events().pop().as_deref()), (9, Some("taken_over")), "{went:?}");
    assert_eq!(went.lines().pop().unwrap()["by"], json!("watch"));
    desk.sim.scan_code(&code, Some("wxid_bela".into())).unwrap();
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    watch.wait_event("logged_in");
    desk.assert_stored("wxid_bela");
    assert_eq!(desk.asked("iPadLogin"), 1);
    eventually("the bots", || told(&desk, "logged_in").len() == 1);
    watch.signal(Signal::TERM);
    assert_eq!(watch.end().code, 143);
}

#[test]
fn ctrl_z_hands_the_place_and_the_code_over_before_it_stops() {
    let desk = desk(three());
    let mut tui = desk.tui();
    tui.select("Bela");
    tui.send(b"r");
    let code = desk.codes(1).remove(0);
    let watch = watch(&desk);
    let observes = || observer(&desk)["message"].as_str().unwrap().contains("saoma watch");
    eventually("the watch observes", observes);
    tui.signal(Signal::TSTP);
    eventually("the stop", || tui.state() == 'T');
    watch.wait_event("resumed");
    tui.signal(Signal::CONT);
    tui.wait("the word", |screen| crate::kit::shows(screen, "another saoma has taken"));
    desk.sim.scan_code(&code, Some("wxid_bela".into())).unwrap();
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    tui.wait_row("Bela", "online");
    desk.assert_stored("wxid_bela");
    tui.quit();
    watch.signal(Signal::TERM);
    assert_eq!(watch.end().code, 143);
}
