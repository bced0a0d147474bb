//! The past as it is asked for: by a screen of the engine, by a person or a script of `saoma history`.

use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command as Program;
use saoma::engine::api::{Command, Event, Figures, Strip};
use saoma::engine::{Engine, Options};
use saoma::gateway::{self, Gateway};
use saoma::model::{Dialect, Edit, Presence, Reason, Source, Stamp, WcId};
use saoma::store::{Scope, Store, Verdict};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::support::{late, login, scope};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn now() -> Stamp {
    Stamp(jiff::Timestamp::now().as_millisecond())
}

/// A day of lists every ten minutes up to now: wxid_a is logged in at first, drops ten hours ago and is back after two;
/// wxid_b is first seen six hours ago.
async fn live_a_day(store: &Store) {
    let begin = now().plus_ms(-24 * HOUR - MINUTE);
    login(store, "wxid_a", "w1", begin.0, begin.0 + 1).await;
    for step in 0..=144 {
        let at = begin.plus_ms(step * 10 * MINUTE + 2);
        let (presence, reason) = match step {
            84 => (Some(Presence::Offline), Some(Reason::Dropped)),
            96 => (Some(Presence::Online), None),
            _ => (None, None),
        };
        let verdict = presence.map(|presence| Verdict {
            wc_id: "wxid_a".into(),
            presence,
            source: Source::List,
            began: late(at.0),
            reason,
        });
        let met = (step == 108).then(|| (WcId::from("wxid_b"), Some("wb".into())));
        store.note_list(late(at.0), verdict.as_slice(), met.as_slice(), &[]).await.unwrap();
    }
}

async fn wait<T>(events: &mut UnboundedReceiver<Event>, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = wanted(events.recv().await.unwrap()) {
                break found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.unwrap()
}

async fn strips(events: &mut UnboundedReceiver<Event>) -> Vec<(WcId, Strip)> {
    wait(events, |event| match event {
        Event::Strips(strips) => Some(strips),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn the_engine_tells_the_past_and_strips_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saoma.db");
    let store = Store::open(&path, scope()).await.unwrap();
    live_a_day(&store).await;
    let other = Store::open(&path, Scope { cause: "watch", ..scope() }).await.unwrap();
    // Nobody is asked anything: there is no gateway.
    let base = "http://127.0.0.1:9".to_owned();
    let gateway = Gateway::new(gateway::Options { base, dialect: Dialect::V2, token: None, http_proxy: None }).unwrap();
    let (to, mut events) = unbounded_channel();
    let sink = Arc::new(move |event| drop(to.send(event)));
    let (engine, ended) = Engine::start(Options::default(), gateway, store, None, sink);
    let mut history = async |wc_id: Option<&str>| {
        engine.send(Command::History { wc_id: wc_id.map(Into::into) });
        wait(&mut events, |event| match event {
            Event::History(history) => Some(history),
            _ => None,
        })
        .await
    };
    let one = history(Some("wxid_a")).await;
    let [day, week, month] = one.figures;
    assert_eq!((day.drops, day.online_ms), (1, day.known_ms - 2 * HOUR));
    assert!((24 * HOUR - MINUTE..=24 * HOUR).contains(&day.known_ms), "{day:?}");
    assert_eq!((week.known_ms, month.drops), (month.known_ms, 1));
    let told: Vec<(&str, Option<&str>)> = one.lines.iter().map(|line| (&*line.event, line.cause.as_deref())).collect();
    assert_eq!(told, [("recovered", Some("list")), ("dropped", Some("list")), ("logged_in", Some("command"))]);
    assert_eq!((&*one.lines[0].account, one.strip.0[23]), ("小诺", Presence::Online));
    assert!(one.strip.0.contains(&Presence::Offline));
    let fleet = history(None).await;
    assert_eq!((fleet.wc_id, fleet.online.len(), fleet.online[47]), (None, 48, 2));
    assert_eq!(fleet.figures[0].drops, 1);
    assert!((day.known_ms + 5 * HOUR..day.known_ms + 7 * HOUR).contains(&fleet.figures[0].known_ms));
    // Two rows are looked at; what becomes of a third is nothing to them.
    engine.send(Command::Strips { wc_ids: vec!["wxid_b".into(), "wxid_a".into()] });
    let seen = strips(&mut events).await;
    assert_eq!((seen[0].0.as_str(), &seen[1].1), ("wxid_b", &one.strip));
    assert_eq!(seen[0].1.0[23], Presence::Online);
    other.put_account(&"wxid_c".into(), &Edit::default(), now()).await.unwrap();
    let gone = Verdict {
        wc_id: "wxid_b".into(),
        presence: Presence::Offline,
        source: Source::List,
        began: late(now().0),
        reason: Some(Reason::Dropped),
    };
    // Time has to pass for an account to have been off line in it.
    let later = gone.began.at.plus_ms(1);
    while now() <= later {
        tokio::task::yield_now().await;
    }
    other.note_list(gone.began, std::slice::from_ref(&gone), &[], &[]).await.unwrap();
    let seen = strips(&mut events).await;
    assert_eq!((seen[0].1.0[23], seen[1].1.0[23]), (Presence::Offline, Presence::Online));
    engine.send(Command::Stop);
    ended.await.unwrap();
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, Event::Strips(_)), "told once more than anything changed");
    }
}

/// The program in a home with the day of [`live_a_day`].
fn saoma(home: &std::path::Path) -> Program {
    let mut program = Program::cargo_bin("saoma").unwrap();
    program
        .env_clear()
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"))
        .env("TZ", "UTC")
        .arg("history");
    program
}

#[tokio::test]
async fn the_command_draws_it_and_tells_it_as_json() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("config/saoma")).unwrap();
    let config = "[profile.default]\ngateway = \"http://203.0.113.7:9899\"\naccount = \"13800000000\"\n";
    std::fs::write(home.path().join("config/saoma/config.toml"), config).unwrap();
    let profile = gateway::profile_id("13800000000", "http://203.0.113.7:9899");
    let path = home.path().join("state/saoma/saoma.db");
    let store = Store::open(&path, Scope { profile, ..scope() }).await.unwrap();
    live_a_day(&store).await;
    store.close().await;
    let run = |arguments: &[&str], code: i32| {
        let output = saoma(home.path()).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        (String::from_utf8(output.stdout).unwrap(), error)
    };
    let object = |arguments: &[&str]| -> Value {
        let (out, _) = run(arguments, 0);
        assert_eq!(out.lines().count(), 1, "one object: {out}");
        serde_json::from_str(&out).unwrap()
    };
    let one = object(&["--name", "xiaonuo", "--json"]);
    assert_eq!((&one["schema"], &one["event"], &one["profile"]), (&json!(1), &json!("history"), &json!("default")));
    assert_eq!((&one["wc_id"], &one["account"]), (&json!("wxid_a"), &json!("小诺")));
    let day = &one["figures"][0];
    let figures = Figures {
        span_ms: 24 * HOUR,
        online_ms: day["online_ms"].as_i64().unwrap(),
        known_ms: day["known_ms"].as_i64().unwrap(),
        drops: 1,
    };
    assert_eq!(figures.online_ms, figures.known_ms - 2 * HOUR);
    let expected = json!({
        "span": "24h", "uptime": figures.uptime(), "online_ms": figures.online_ms, "known_ms": figures.known_ms,
        "drops": 1, "between_drops_ms": figures.online_ms,
    });
    assert_eq!(*day, expected);
    assert_eq!((&one["figures"][1]["span"], &one["figures"][2]["span"]), (&json!("7d"), &json!("30d")));
    assert_eq!((one["strip"].as_array().unwrap().len(), one.get("online")), (24, None));
    let line = &one["lines"][1];
    let kept = (&line["event"], &line["cause"], &line["reason"], &line["w_id"]);
    assert_eq!(kept, (&json!("dropped"), &json!("list"), &json!("dropped"), &json!("w1")));
    let fleet = object(&["--json", "--since", "12h", "--limit", "1"]);
    assert_eq!((&fleet["wc_id"], fleet["lines"].as_array().unwrap().len()), (&Value::Null, 1));
    assert_eq!((fleet["online"].as_array().unwrap().len(), fleet.get("strip")), (48, None));
    // For people: drawn, with words, in their language.
    let (out, _) = run(&["wxid_a"], 0);
    for part in
        ["小诺 (wxid_a)", "24 hours  [######", "drops: 1", "!", "# online  ! offline  . unknown", "dropped off line"]
    {
        assert!(out.contains(part), "{part} in {out}");
    }
    let (out, hint) = run(&["--limit", "2"], 0);
    assert!(out.contains("least 0, most 2, now 2") && out.contains("▄") && out.contains("█"), "{out}");
    assert!(hint.contains("--limit"), "{hint}");
    let (_, error) = run(&["--since", "soon"], 2);
    assert!(error.contains("7d"), "{error}");
    run(&["nobody"], 10);
    let output = saoma(home.path()).env("LANG", "zh_CN.UTF-8").arg("wxid_a").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    for part in ["24 小时", "掉线 1 次", "在线", "列表", "登录成功"] {
        assert!(out.contains(part), "{part} in {out}");
    }
}
