//! The terminal comes back whole with a code on it and logins open; nothing runs on without its terminal; nothing
//! happens while nothing happens.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::eye;
use crate::kit::{Desk, LONG, Tui, eventually, three};

/// A code on the screen, and a dialog on another account's phone.
fn busy(desk: &Desk) -> (Tui, String) {
    let mut tui = desk.tui();
    tui.select("陈晨");
    tui.send(b"s");
    eventually("the phone's dialog", || desk.sim.dialogs(&"wxid_chen".into()) == 1);
    tui.wait_text("Confirm on the phone.");
    tui.select("Bela");
    tui.send(b"r");
    let code = desk.codes(1).remove(0);
    let payload = desk.sim.payload(&code).unwrap();
    tui.wait("a code that reads", |screen| eye::code(screen).as_ref() == Some(&payload));
    (tui, payload)
}

/// What was open goes on at the next start: the phones answer now.
fn assert_goes_on(desk: &Desk, payload: &str) {
    desk.sim.scan_payload(payload, None).unwrap();
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    let mut tui = desk.tui();
    tui.wait_row("Bela", "● online");
    tui.quit();
    desk.assert_stored("wxid_bela");
}

/// Processes that live in this home.
fn living(desk: &Desk) -> Vec<String> {
    let home = format!("HOME={}", desk.home.path().display());
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    processes
        .filter(|path| {
            let environment = std::fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|line| line == home.as_bytes())
        })
        .map(|path| format!("{}: {:?}", path.display(), std::fs::read_to_string(path.join("cmdline"))))
        .collect()
}

#[test]
fn quitting_gives_the_terminal_back_and_the_logins_to_the_next_start() {
    let desk = Desk::new(three());
    let (mut tui, payload) = busy(&desk);
    tui.quit();
    assert_eq!(living(&desk), Vec::<String>::new());
    assert_goes_on(&desk, &payload);
}

#[test]
fn ctrl_c_asks_once_while_codes_wait() {
    let desk = Desk::new(three());
    let (mut tui, payload) = busy(&desk);
    tui.send(b"\x03");
    tui.wait_text("Logins that wait: 2.");
    tui.send(b"\x1b");
    tui.wait("the code again", |screen| eye::code(screen).as_ref() == Some(&payload));
    // Not within two seconds of the last: that would leave at once.
    std::thread::sleep(Duration::from_millis(2100));
    tui.send(b"\x03");
    tui.wait_text("Quit?");
    tui.send(b"\x03");
    assert_eq!(tui.exit_code(), 0);
    tui.assert_whole();
    assert_eq!(living(&desk), Vec::<String>::new());
    assert_goes_on(&desk, &payload);
}

#[test]
fn signals_give_the_terminal_back() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let desk = Desk::new(three());
        let (mut tui, payload) = busy(&desk);
        tui.signal(signal);
        assert_eq!(tui.exit_code(), code, "{signal:?}");
        tui.assert_whole();
        assert_eq!(living(&desk), Vec::<String>::new(), "{signal:?}");
        assert_goes_on(&desk, &payload);
    }
}

#[test]
fn a_stop_and_a_continue_bring_the_same_code_back() {
    let desk = Desk::new(three());
    let (mut tui, payload) = busy(&desk);
    for size in [(80, 24), (120, 40)] {
        tui.signal(Signal::TSTP);
        tui.wait("the stop", |_| tui.state() == 'T');
        tui.assert_whole();
        tui.resize(size.0, size.1);
        tui.signal(Signal::CONT);
        tui.wait("the code again", |screen| {
            screen.alternate_screen() && screen.hide_cursor() && eye::code(screen).as_ref() == Some(&payload)
        });
    }
    desk.sim.scan_payload(&payload, None).unwrap();
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    tui.wait_row("Bela", "● online");
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn when_the_terminal_vanishes_so_does_the_program() {
    let desk = Desk::new(three());
    let (mut tui, payload) = busy(&desk);
    tui.vanish();
    assert_eq!(tui.exit_code(), 129);
    assert_eq!(living(&desk), Vec::<String>::new());
    assert_goes_on(&desk, &payload);
}

#[test]
fn a_success_at_the_very_moment_of_quitting_is_stored() {
    let desk = Desk::new(three());
    let (mut tui, payload) = busy(&desk);
    desk.sim.scan_payload(&payload, None).unwrap();
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    tui.send(b"q");
    assert_eq!(tui.exit_code(), 0);
    tui.assert_whole();
    // Stored now or taken over by the next start, never lost.
    let mut tui = desk.tui();
    tui.wait_row("Bela", "● online");
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn idle_is_idle() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_text("list ok");
    tui.wait_row("Bela", "offline");
    tui.send(b"j");
    let until = Instant::now() + LONG;
    // It comes to rest: toasts go, rows are put in order, threads that wait for work end.
    let mut calm = (tui.bytes(), tui.wakes());
    loop {
        std::thread::sleep(Duration::from_millis(2500));
        let now = (tui.bytes(), tui.wakes());
        if now == calm {
            break;
        }
        assert!(Instant::now() < until, "never idle: {calm:?}, then {now:?}");
        calm = now;
    }
    tui.quit();
}
