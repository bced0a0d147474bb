//! What a broken gateway does to the screen: a clear message, a living program, an unharmed store, and the next login
//! works.

use std::time::{Duration, Instant};

use saoma::simulator::{Act, Fault, Setup};

use crate::eye;
use crate::kit::{Desk, Tui, block_on, eventually, row, shows, three};

/// The store as it was before anything was tried.
const BEFORE: &str = "before-wxid_bela";

/// A QR login of the selected account, with a phone that does its part; the pane shows the new wId at its end.
#[track_caller]
fn log_in(desk: &Desk, tui: &mut Tui) {
    let asked = desk.asked("iPadLogin");
    press(tui, b"r", || desk.asked("iPadLogin") > asked);
    finish(desk, tui);
}

/// Presses a key that reaches a phone until it does: while rows move under the hand such a key does nothing, and on an
/// account with an open login it does no more than select it. So many logins are beyond the account's budget: the
/// question whether to go on all the same is answered with yes.
#[track_caller]
fn press(tui: &mut Tui, key: &[u8], reached: impl Fn() -> bool) {
    for _ in 0..10 {
        tui.send(key);
        let mut asked = false;
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            if reached() {
                return;
            }
            if !asked && tui.look(|screen| shows(screen, "all the same?")) {
                asked = true;
                tui.send(b"y");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    tui.wait("the key to reach the gateway", |_| reached());
}

/// Whether the pane says that a login ended otherwise than well, in these words.
fn ended(screen: &vt100::Screen, words: &str) -> bool {
    screen.contents_between(2, 43, 2, 80).trim_start().starts_with('–') && shows(screen, words)
}

/// The phone's part of a QR login whose code is on its way.
#[track_caller]
fn finish(desk: &Desk, tui: &Tui) {
    tui.wait("the gateway's newest code", |screen| {
        let newest = desk.sim.waiting_codes().pop().and_then(|w_id| desk.sim.payload(&w_id));
        newest.is_some() && eye::code(screen) == newest
    });
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    logged_in(desk, tui);
}

/// The row and the pane show that it worked.
#[track_caller]
fn logged_in(desk: &Desk, tui: &Tui) {
    let live = desk.live("wxid_bela").unwrap();
    tui.wait_text(live.as_str());
    tui.wait_row("Bela", "● online");
}

fn broken() -> [Fault; 8] {
    [
        Fault::Http(500),
        Fault::Html,
        Fault::Empty,
        Fault::Truncated,
        Fault::Garbage,
        Fault::Reset,
        Fault::Huge,
        Fault::NullData,
    ]
}

#[test]
fn a_code_that_cannot_be_asked_for() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_text("list ok");
    tui.select("Bela");
    let mut faults: Vec<(Fault, &str)> =
        broken().into_iter().map(|fault| (fault, "no usable answer from the gateway")).collect();
    // The second call says that the token is good: it was somebody on the way.
    faults.push((Fault::Http(401), "no usable answer from the gateway"));
    faults.push((Fault::Nested, "the gateway said no (“二次登录失败，请重新扫码登录”)"));
    faults.push((Fault::Fail("登录数量已满".into()), "no login slot is free"));
    faults.push((
        Fault::Fail("\u{1b}]0;x\u{7}\u{1b}[2J\u{202e}网络链接异常".into()),
        "the gateway's proxy does not work",
    ));
    let mut stored = BEFORE.to_owned();
    for (fault, words) in faults {
        let asked = desk.asked("iPadLogin");
        desk.sim.fault("iPadLogin", fault.clone(), 1);
        press(&mut tui, b"r", || desk.asked("iPadLogin") > asked);
        tui.wait(&format!("{fault:?}: {words}"), |screen| ended(screen, words));
        assert_eq!(desk.account("wxid_bela")["w_id"], stored.as_str(), "{fault:?}");
        log_in(&desk, &mut tui);
        stored = desk.live("wxid_bela").unwrap().to_string();
    }
    assert_eq!(tui.strange(), Vec::<String>::new());
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn a_second_login_that_is_not_answered() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_text("list ok");
    tui.select("Bela");
    let nested = (Fault::Nested, "– refused (“二次登录失败，请重新扫码登录”)");
    let faults = broken().into_iter().filter(|fault| *fault != Fault::Truncated);
    for (fault, words) in faults.map(|fault| (fault, "The line broke; again at")).chain([nested]) {
        let asked = desk.asked("secondLogin");
        desk.sim.fault("secondLogin", fault.clone(), 1);
        press(&mut tui, b"s", || desk.asked("secondLogin") > asked);
        if fault == Fault::Nested {
            tui.wait(&format!("{fault:?}: {words}"), |screen| ended(screen, words));
        } else {
            // The phone may have been asked: the lists are looked at until it is known, or nobody waits any more.
            tui.wait_text(words);
            tui.send(b"c");
            tui.wait_text("a late yes counts");
        }
        let dialogs = desk.sim.dialogs(&"wxid_bela".into());
        press(&mut tui, b"s", || desk.sim.dialogs(&"wxid_bela".into()) > dialogs);
        assert_eq!(desk.sim.dialogs(&"wxid_bela".into()), dialogs + 1, "{fault:?}");
        tui.wait_text("Confirm on the phone.");
        desk.sim.confirm(Some("wxid_bela".into())).unwrap();
        logged_in(&desk, &tui);
    }
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn a_poll_that_breaks_goes_on() {
    for dialect in [saoma::model::Dialect::V2, saoma::model::Dialect::V1] {
        let desk = Desk::new(Setup { dialect, ..three() });
        let mut tui = desk.tui();
        tui.wait_text("list ok");
        tui.select("Bela");
        let polls = [
            Fault::Http(500),
            Fault::Html,
            Fault::Empty,
            Fault::Garbage,
            Fault::Reset,
            Fault::Huge,
            Fault::NullData,
            Fault::Http(401),
        ];
        for fault in polls {
            desk.sim.fault("getIPadLoginInfo", fault, 1);
            log_in(&desk, &mut tui);
        }
        tui.quit();
        desk.assert_stored("wxid_bela");
    }
}

#[test]
fn a_poll_that_stays_broken_says_so_beside_the_code() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.select("Bela");
    desk.sim.fault("getIPadLoginInfo", Fault::Http(500), None);
    tui.send(b"r");
    tui.wait_text("The line broke; again at");
    desk.sim.clear_faults();
    finish(&desk, &tui);
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn a_picture_that_is_none() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_text("list ok");
    tui.select("Bela");
    let faults = [
        Fault::Http(500),
        Fault::Html,
        Fault::Empty,
        Fault::Truncated,
        Fault::Garbage,
        Fault::Reset,
        Fault::Huge,
        Fault::ExpiredPicture,
    ];
    for fault in faults {
        desk.sim.fault("image", fault, 1);
        log_in(&desk, &mut tui);
    }
    // One that never comes is said; whoever sees the code elsewhere can still scan it.
    desk.sim.fault("image", Fault::Garbage, None);
    tui.send(b"r");
    tui.wait_text("the picture of the code cannot be read");
    assert!(tui.look(|screen| eye::code(screen).is_none()));
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    logged_in(&desk, &tui);
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn a_list_that_is_none() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_row("Bela", "");
    tui.select("Bela");
    for fault in broken().into_iter().filter(|fault| *fault != Fault::NullData).chain([Fault::Nested, Fault::Http(401)])
    {
        // The next one is not asked for by a hand.
        tui.wait_text("list ok");
        desk.sim.fault("queryLoginWx", fault, 1);
        tui.send(b"R");
        tui.wait_text("list stale since");
        tui.send(b"R");
        tui.wait_text("list ok");
        tui.wait_row("Anna", "● online");
    }
    log_in(&desk, &mut tui);
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn a_gateway_that_is_down_at_the_start_and_comes_up_later() {
    let desk = Desk::new(three());
    desk.sim.down();
    let mut tui = desk.tui();
    tui.wait_text("list stale since");
    tui.select("Bela");
    tui.send(b"r");
    // The list says so as well: this is the login's own end.
    tui.wait_text("– Bela no usable answer");
    block_on(desk.sim.up()).unwrap();
    tui.send(b"R");
    tui.wait_text("list ok");
    tui.wait_row("Anna", "● online");
    log_in(&desk, &mut tui);
    // It goes down with a code on the screen, and comes back.
    let asked = desk.asked("iPadLogin");
    tui.send(b"r");
    eventually("a code", || desk.asked("iPadLogin") > asked && desk.sim.waiting_codes().len() == 1);
    let payload = desk.sim.payload(&desk.sim.waiting_codes()[0]);
    tui.wait("a code that reads", |screen| eye::code(screen) == payload);
    desk.sim.down();
    tui.wait_text("The line broke; again at");
    block_on(desk.sim.up()).unwrap();
    finish(&desk, &tui);
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn a_token_that_dies_opens_the_form_and_the_next_one_goes_on() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_text("list ok");
    tui.select("Bela");
    desk.sim.revoke_tokens();
    tui.send(b"R");
    tui.wait_text("Sign in to the gateway");
    tui.send(format!("{}\r", desk.sim.password()).as_bytes());
    tui.wait_text("list ok");
    tui.wait_text("token ok");
    log_in(&desk, &mut tui);
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn names_made_of_escape_sequences_touch_nothing() {
    for dialect in [saoma::model::Dialect::V2, saoma::model::Dialect::V1] {
        let desk = Desk::new(Setup { dialect, ..three() });
        desk.sim.knobs(|knobs| knobs.hostile_names = true);
        let mut tui = desk.tui();
        tui.wait_text("list ok");
        tui.select("Bela");
        tui.send(b"r");
        desk.codes(1);
        desk.sim.scan(None).unwrap();
        desk.sim.confirm(None).unwrap();
        tui.wait_text(desk.live("wxid_bela").unwrap().as_str());
        tui.wait("an honest row", |screen| {
            let rows: Vec<String> = screen.rows(0, 42).collect();
            rows[0].starts_with("default") && rows.iter().any(|row| row.contains('▸') && row.contains("● online"))
        });
        assert_eq!(tui.strange(), Vec::<String>::new());
        let raw = tui.raw();
        for bad in ["\x1b]0", "\x07", "\x1b[2J\x1b[31m", "\u{9b}", "\u{202e}"] {
            assert!(!raw.windows(bad.len()).any(|window| window == bad.as_bytes()), "{bad:?} reached the terminal");
        }
        // What is there is what a repaint brings: nothing else wrote on the screen.
        let honest = |screen: &vt100::Screen| {
            let mut rows: Vec<String> = screen.rows(0, 42).take(5).map(|row| row.trim_end().to_owned()).collect();
            // They may be put in order meanwhile.
            rows.sort();
            rows
        };
        let before = tui.look(honest);
        let bytes = tui.bytes();
        tui.send(b"\x0c");
        eventually("a repaint", || tui.bytes() > bytes + 500);
        tui.wait("the same rows", |screen| honest(screen) == before);
        tui.quit();
        desk.assert_stored("wxid_bela");
        // Tables are clean; JSON tells the name exactly, escaped.
        let went = desk.run(&["accounts"]);
        assert!(!went.out.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{went:?}");
        let name = desk.account("wxid_bela")["nick_name"].as_str().unwrap().to_owned();
        assert!(name.contains("\u{1b}]0;owned\u{7}"), "{name:?}");
        assert!(!desk.run(&["accounts", "--json"]).out.contains('\u{1b}'));
    }
}

#[test]
fn a_drop_is_seen_and_the_bots_are_told_of_what_follows() {
    let desk = Desk::new(three());
    let hook = desk.home.path().join("hook.sh");
    let told = desk.home.path().join("told");
    std::fs::write(&hook, format!("#!/bin/sh\ncat >> '{}'\nenv >> '{}.env'\n", told.display(), told.display()))
        .unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o700)).unwrap();
    desk.configure("5s");
    let config = std::fs::read_to_string(desk.config()).unwrap();
    std::fs::write(desk.config(), format!("{config}[alerts]\ncommand = '{}'\n", hook.display())).unwrap();
    let mut tui = desk.tui();
    tui.wait_row("Anna", "● online");
    desk.sim.act(Act::Drop { wc_id: "wxid_anna".into() }).unwrap();
    tui.select("Anna");
    // Two lists have to agree.
    tui.send(b"R");
    tui.wait_text("dropped off line");
    tui.wait("the row", |screen| row(screen, "Anna").is_some_and(|row| row.contains("○ offline")));
    // It was imported with a wId, so this is no first night: a tap will do.
    assert!(!tui.look(|screen| shows(screen, "Expected")));
    tui.send(b"\r");
    eventually("the phone's dialog", || desk.sim.dialogs(&"wxid_anna".into()) == 1);
    desk.sim.confirm(Some("wxid_anna".into())).unwrap();
    tui.wait_row("Anna", "● online");
    assert_eq!(desk.asked("iPadLogin"), 0);
    let live = desk.live("wxid_anna").unwrap();
    let said = || std::fs::read_to_string(&told).unwrap_or_default();
    eventually("the hook", || said().contains("\"logged_in\"") && said().contains(live.as_str()));
    assert!(!std::fs::read_to_string(told.with_extension("env")).unwrap().contains("SAOMA_"));
    tui.quit();
    desk.assert_stored("wxid_anna");
}
