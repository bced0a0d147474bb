//! `saoma watch` as a process: its lines, its alerts across a death, its end, and what it shares with others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{KeyInit as _, Mac as _};
use rustix::process::Signal;
use saoma::gateway::profile_id;
use saoma::simulator::{Act, Setup};
use saoma::store::{Scope, Store};
use serde_json::{Value, json};

use crate::kit::{Desk, Running, block_on, eventually, three, wakes};

const KEY: &str = "a key of both sides";

/// What one request brought.
#[derive(Clone, Debug)]
struct Post {
    head: String,
    body: String,
}

impl Post {
    fn header(&self, name: &str) -> &str {
        let value = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        value.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    fn object(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// That whoever sent this knows the key.
    fn assert_signed(&self) {
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        mac.update(format!("{}.{}", self.header("X-Saoma-Timestamp"), self.body).as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(self.header("X-Saoma-Signature"), format!("sha256={hex}"));
    }
}

/// A receiver of webhooks.
struct Receiver {
    url: String,
    posts: Arc<Mutex<Vec<Post>>>,
    /// Takes requests and never answers.
    holds: Arc<AtomicBool>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (posts, holds) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (into, holding) = (Arc::clone(&posts), Arc::clone(&holds));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (into, holding) = (Arc::clone(&into), Arc::clone(&holding));
                std::thread::spawn(move || take(stream.unwrap(), &into, &holding));
            }
        });
        Self { url, posts, holds }
    }

    fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }
}

fn take(mut stream: TcpStream, into: &Mutex<Vec<Post>>, holds: &AtomicBool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        head.push_str(&line.replace("\r\n", "\n"));
    }
    let length = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.trim().parse().ok();
    let mut body = vec![0; head.lines().find_map(length).unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    into.lock().unwrap().push(Post { head, body: String::from_utf8(body).unwrap() });
    if holds.load(Ordering::Relaxed) {
        // Until the other side gives up.
        let _gone = reader.read(&mut [0]);
        return;
    }
    let _gone = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

/// A desk whose list is asked for often, with more settings.
fn desk(setup: Setup, more: &str) -> Desk {
    let desk = Desk::new(setup);
    desk.configure("5s");
    append(&desk.config(), more);
    desk
}

fn append(path: &Path, text: &str) {
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Watches, and has seen the first list.
fn watch(desk: &Desk) -> Running {
    let running = desk.start(&["watch"]);
    running.wait_event("watching");
    let lists = desk.asked("queryLoginWx");
    eventually("a list", || desk.asked("queryLoginWx") > lists);
    running
}

fn event(running: &Running, name: &str) -> Value {
    first(running, name, |_line| true)
}

/// The same of one account: others have their own.
fn event_of(running: &Running, name: &str, wc_id: &str) -> Value {
    first(running, name, |line| line["wc_id"] == wc_id)
}

fn first(running: &Running, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut found = None;
    eventually(name, || {
        found = running.told().into_iter().find(|line| line["event"] == name && wanted(line));
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_drop_is_one_line_and_a_signal_ends_it() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let desk = desk(three(), "");
        let running = watch(&desk);
        eventually("anna online", || desk.account("wxid_anna")["presence"] == "online");
        desk.sim.drop_account(&"wxid_anna".into()).unwrap();
        let dropped = event(&running, "dropped");
        assert_eq!((&dropped["wc_id"], &dropped["reason"]), (&json!("wxid_anna"), &json!("dropped")), "{dropped}");
        running.signal(signal);
        let went = running.end();
        assert_eq!(went.code, code, "{went:?}");
        let lines = went.lines();
        assert_eq!(lines[0]["event"], "watching");
        assert_eq!(lines[0]["accounts"], 3);
        assert_eq!(lines.iter().filter(|line| line["event"] == "dropped").count(), 1, "{went:?}");
        for line in &lines {
            assert_eq!((&line["schema"], &line["profile"]), (&json!(1), &json!("default")), "{line}");
        }
        assert!(!went.err.is_empty() && !went.err.contains('{'), "{went:?}");
    }
}

/// The watch dies when one receiver has taken an alert and the other has it in its hands.
fn dies_between(webhook_holds: bool) {
    let receiver = Receiver::start();
    receiver.holds.store(webhook_holds, Ordering::Relaxed);
    let desk = Desk::new(three());
    desk.configure("5s");
    let (log, gate) = (desk.home.path().join("hook.log"), desk.home.path().join("gate"));
    // Without the gate it holds what it got until it is ended with its parent.
    let hook = format!("[ -e {} ] || exec sleep 20; cat >> {}", gate.display(), log.display());
    append(
        &desk.config(),
        &format!(
            "[alerts]\nevents = ['dropped']\ncommand = '{hook}'\nwebhook = '{}'\nwebhook_secret_command = 'echo {KEY}'\n",
            receiver.url
        ),
    );
    if webhook_holds {
        std::fs::write(&gate, "").unwrap();
    }
    let running = watch(&desk);
    eventually("anna online", || desk.account("wxid_anna")["presence"] == "online");
    desk.sim.drop_account(&"wxid_anna".into()).unwrap();
    event(&running, "dropped");
    let hooked = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    eventually("the first receiver", || !receiver.posts().is_empty() && (!webhook_holds || hooked() == 1));
    running.signal(Signal::KILL);
    drop(running);

    // What the outbox still has for the one that answered: its answer may not have been written down in time.
    let left = |receiver: &str| {
        let scope = Scope {
            profile: profile_id(desk.sim.account(), desk.sim.url()),
            name: "default".into(),
            cause: "command",
            receivers: vec![receiver.to_owned()],
            lists_w_ids: true,
        };
        block_on(async {
            let store = Store::open(&desk.state().join("saoma.db"), scope).await.unwrap();
            let next = store.outbox_next(saoma::model::Stamp(0)).await.unwrap();
            store.close().await;
            usize::from(next.is_some())
        })
    };
    let (again_hook, again_post) = (left("command"), left("webhook"));
    assert_eq!(if webhook_holds { again_post } else { again_hook }, 1, "the one that did not answer");
    let (hooks, posts) = (hooked(), receiver.posts().len());
    receiver.holds.store(false, Ordering::Relaxed);
    std::fs::write(&gate, "").unwrap();
    let running = watch(&desk);
    eventually("both told", || hooked() >= hooks + again_hook && receiver.posts().len() >= posts + again_post);
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 143);
    // Its end waits for what is due: nothing more is to come.
    assert_eq!((hooked(), receiver.posts().len()), (hooks + again_hook, posts + again_post));
    assert_eq!((left("command"), left("webhook")), (0, 0));

    let posts = receiver.posts();
    for post in &posts {
        post.assert_signed();
        assert_eq!(post.header("X-Saoma-Delivery"), posts[0].header("X-Saoma-Delivery"), "the same event");
        assert_eq!(post.header("Content-Type"), "application/json");
    }
    let hook: Value = serde_json::from_str(std::fs::read_to_string(&log).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!(hook, posts[0].object(), "both receivers get the same object");
    assert_eq!((&hook["event"], &hook["wc_id"]), (&json!("dropped"), &json!("wxid_anna")));
    assert_eq!((&hook["reason"], &hook["profile"]), (&json!("dropped"), &json!("default")));
    let token = desk.sim.token();
    for post in &posts {
        assert!(!post.body.contains(&token) && !post.head.contains(&token) && !post.head.contains(KEY));
    }
}

#[test]
fn killed_before_the_command_answered_it_tells_it_after_the_restart() {
    dies_between(false);
}

#[test]
fn killed_before_the_webhook_answered_it_tells_it_after_the_restart() {
    dies_between(true);
}

#[test]
fn a_slow_webhook_holds_up_neither_the_command_nor_the_end() {
    let receiver = Receiver::start();
    receiver.holds.store(true, Ordering::Relaxed);
    let desk = Desk::new(three());
    desk.configure("5s");
    let log = desk.home.path().join("hook.log");
    let hook = format!("cat >> {}", log.display());
    append(&desk.config(), &format!("[alerts]\ncommand = '{hook}'\nwebhook = '{}'\n", receiver.url));
    let running = watch(&desk);
    for wc_id in ["wxid_anna", "wxid_bela"] {
        desk.sim.act(Act::Online { wc_id: wc_id.into() }).unwrap();
    }
    let hooked = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("the command", || hooked().contains("wxid_anna") && hooked().contains("wxid_bela"));
    let posts = receiver.posts();
    let same = posts.iter().all(|post| post.body == posts[0].body);
    assert!(same && !posts.is_empty(), "one at a time, and the first one is not answered: {}", posts.len());
    // The first signal waits for the bots, a further one does not.
    let mut running = running;
    eventually("its end", || {
        running.signal(Signal::TERM);
        std::thread::sleep(Duration::from_millis(50));
        running.is_over()
    });
    assert_eq!(running.end().code, 143);
}

#[test]
fn what_another_process_does_is_told_too() {
    let desk = desk(three(), "");
    let running = watch(&desk);
    let second = desk.start(&["second-login", "wxid_bela", "--json"]);
    eventually("the phone's dialog", || desk.sim.dialogs(&"wxid_bela".into()) == 1);
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    let went = second.end();
    assert_eq!(went.code, 0, "{went:?}");
    let logged_in = event_of(&running, "logged_in", "wxid_bela");
    assert_eq!((&logged_in["wc_id"], &logged_in["attempt"]), (&json!("wxid_bela"), &json!(null)), "{logged_in}");
    let changed = event_of(&running, "w_id_changed", "wxid_bela");
    assert_eq!((&changed["w_id"], &changed["cause"]), (&json!(desk.live("wxid_bela")), &json!("login")), "{changed}");
    assert_eq!(changed["previous_w_id"], "before-wxid_bela");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 143);
}

#[test]
fn a_refused_token_is_told_once_and_a_new_one_taken_up() {
    let desk = desk(three(), "");
    let running = watch(&desk);
    desk.sim.revoke_tokens();
    let error = event(&running, "error");
    assert_eq!(error["reason"], "token_rejected", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("saoma sign-in"), "{error}");
    let signed_in = desk.command(&["sign-in"]).env("SAOMA_PASSWORD", desk.sim.password()).output().unwrap();
    assert!(signed_in.status.success(), "{signed_in:?}");
    desk.sim.act(Act::Online { wc_id: "wxid_bela".into() }).unwrap();
    event_of(&running, "w_id_changed", "wxid_bela");
    running.signal(Signal::TERM);
    let went = running.end();
    assert_eq!(went.code, 143);
    assert_eq!(went.events().iter().filter(|event| *event == "error").count(), 1, "{went:?}");
}

#[test]
fn without_a_token_or_with_a_wrong_use_it_says_so_at_once() {
    let desk = Desk::bare(three());
    desk.configure("5s");
    let went = desk.run(&["watch", "--json"]);
    assert_eq!((went.code, went.events()), (6, vec!["error".to_owned()]), "{went:?}");
    assert_eq!(desk.run(&["watch", "--all-profiles", "--profile", "default"]).code, 2);
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let desk = Desk::new(three());
    let mut child = desk.command(&["watch"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("\"watching\""), "{line}");
    // Nothing more is written within the hour: it has to notice all the same.
    drop(reader);
    eventually("its end", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn all_profiles_are_watched_by_one_process() {
    let desk = desk(three(), "");
    let other = Desk::bare(three());
    append(
        &desk.config(),
        &format!(
            "[profile.other]\ngateway = '{}'\naccount = '{}'\ntoken_command = 'echo {}'\n",
            other.sim.url(),
            other.sim.account(),
            other.sim.token()
        ),
    );
    let running = desk.start(&["watch", "--all-profiles"]);
    let online =
        |profile: &str| running.told().iter().any(|line| line["event"] == "watching" && line["profile"] == profile);
    eventually("both profiles", || online("default") && online("other"));
    eventually("both lists", || desk.asked("queryLoginWx") > 0 && other.asked("queryLoginWx") > 0);
    eventually("the other's accounts", || {
        desk.run(&["--profile", "other", "accounts", "--online", "--json"]).out.contains("wxid_anna")
    });
    other.sim.drop_account(&"wxid_anna".into()).unwrap();
    let dropped = event(&running, "dropped");
    assert_eq!((&dropped["profile"], &dropped["wc_id"]), (&json!("other"), &json!("wxid_anna")));
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 143);
    let both = desk.command(&["watch", "--all-profiles"]).env("SAOMA_TOKEN", "x").output().unwrap();
    assert_eq!(both.status.code(), Some(2), "one token cannot be that of two profiles");
}

#[test]
fn a_service_manager_hears_of_its_life() {
    let desk = Desk::new(three());
    let path = desk.home.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let hear = || {
        let mut buffer = [0; 256];
        let count = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..count]).trim().to_owned()
    };
    let mut command = desk.command(&["watch"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    assert_eq!(hear(), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let last = std::iter::repeat_with(hear).find(|word| word != "WATCHDOG=1").unwrap();
    assert_eq!(last, "STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn nothing_wakes_it_between_two_lists() {
    let desk = Desk::new(three());
    let running = desk.start(&["watch"]);
    running.wait_event("watching");
    // The first list shows an account under another wId; a second one a second later has to agree.
    eventually("the lists", || desk.account("wxid_anna")["w_id"] == json!(desk.live("wxid_anna")));
    // It has come to rest when it has slept for a while.
    let asleep = |millis| {
        let before = wakes(running.pid());
        std::thread::sleep(Duration::from_millis(millis));
        // Less than before: a thread has ended meanwhile, and what it did is not counted any more.
        wakes(running.pid()).checked_sub(before)
    };
    eventually("rest", || asleep(500) == Some(0));
    let woke = std::iter::repeat_with(|| asleep(3_000)).flatten().next().unwrap();
    assert!(woke <= 1, "it woke up with nothing to do");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 143);
}

#[test]
fn the_screen_calls_for_a_drop_in_the_terminals_own_way() {
    for (term, tmux, notify, wanted) in [
        ("xterm-kitty", "", "auto", "\x07\x1b]9;saoma default: Anna 安娜 dropped off line\x1b\\"),
        ("xterm-kitty", "/tmp/tmux,1,0", "auto", "\x07"),
        ("xterm-256color", "", "off", ""),
    ] {
        let desk = desk(three(), &format!("[ui]\nnotify = '{notify}'\n"));
        let mut tui = desk.tui_with(&[("TERM", term), ("TMUX", tmux)]);
        tui.wait_row("Anna", "online");
        desk.sim.drop_account(&"wxid_anna".into()).unwrap();
        tui.wait_row("Anna", "offline");
        let raw = || String::from_utf8_lossy(&tui.raw()).into_owned();
        if wanted.is_empty() {
            assert!(!raw().contains('\x07') && !raw().contains("\x1b]9;"), "{notify}");
        } else {
            eventually("the call", || raw().contains(wanted));
            assert_eq!(raw().contains("\x1b]9;"), wanted.contains("]9;"), "{term} {tmux}");
        }
        tui.quit();
    }
}
