//! Codes that nobody could see: found out before one is asked for, with the cause.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use saoma::model::{Dialect, WcId};
use saoma::simulator::{Fault, Setup, SimAccount};

use crate::kit::{Desk, Tui, eventually, three};

const DIALECTS: [Dialect; 3] = [Dialect::V1, Dialect::V2, Dialect::V3];

/// As quickly as that no person answers a dialog: a refusal is the gateway's own.
const TAP: Duration = Duration::from_secs(1);

fn bela() -> WcId {
    "wxid_bela".into()
}

#[test]
fn without_a_place_for_the_code_nothing_is_sent() {
    for dialect in DIALECTS {
        let desk = Desk::new(Setup { dialect, ..three() });
        let before = desk.sim.requests().len();
        for arguments in [
            &["login"][..],
            &["login", "wxid_bela"],
            &["login", "wxid_bela", "--force", "--renew", "3", "--timeout", "1s"],
            &["login", "wxid_bela", "--qr-layout", "half"],
            &["login", "--all-offline", "--yes"],
            &["login", "--all-offline"],
        ] {
            let went = desk.run(arguments);
            assert_eq!((went.code, went.out.as_str()), (2, ""), "{arguments:?} {went:?}");
            for word in ["standard output is not a terminal", "ssh -t", "--qr-png"] {
                assert!(went.err.contains(word), "{arguments:?}: {word}: {}", went.err);
            }
        }
        assert_eq!(desk.sim.requests().len(), before, "{dialect}");
        // Nor is anything of it in the history.
        assert_eq!(desk.run(&["history"]).code, 0);
        assert!(!desk.run(&["history"]).out.contains("wxid_bela"));
    }
}

#[test]
fn a_terminal_that_cannot_draw_is_named() {
    let desk = Desk::new(three());
    for (term, words) in [(Some("dumb"), "TERM=dumb"), (Some(""), "TERM is not set"), (None, "TERM is not set")] {
        for arguments in [&["login", "wxid_bela"][..], &["login"], &["login", "--all-offline", "--yes"]] {
            let mut tui = Tui::in_terminal(desk.home.path(), arguments, term);
            assert_eq!(tui.exit_code(), 2, "{term:?} {arguments:?}: {}", tui.text());
            tui.wait("the cause", |screen| {
                let flat: String = screen.contents().split_whitespace().collect::<Vec<_>>().join(" ");
                flat.contains(words) && flat.contains("--qr-png")
            });
        }
    }
    // A code as text that may not be shown is no code either.
    let mut tui = Tui::start(desk.home.path(), &["login", "wxid_bela", "--qr-layout", "text"], 80, 24);
    assert_eq!(tui.exit_code(), 2);
    tui.wait_text("--show-payload");
    assert_eq!(desk.asked("iPadLogin"), 0);
}

#[test]
fn what_can_be_seen_otherwise_is_asked_for() {
    let desk = Desk::new(three());
    let png = desk.home.path().join("code.png");
    for arguments in [
        &["login", "wxid_bela", "--qr-png", png.to_str().unwrap()][..],
        &["login", "wxid_bela", "--show-payload"],
        &["login", "wxid_bela", "--json"],
    ] {
        let running = desk.start(arguments);
        desk.codes(1);
        desk.sim.scan(None).unwrap();
        desk.sim.confirm(None).unwrap();
        let went = running.end();
        assert_eq!(went.code, 0, "{arguments:?} {went:?}");
        assert!(!png.exists());
        desk.sim.drop_account(&bela()).unwrap();
    }
}

#[test]
fn a_picture_that_could_not_be_written_costs_no_code() {
    for dialect in DIALECTS {
        let desk = Desk::new(Setup { dialect, ..three() });
        let home = desk.home.path();
        std::fs::write(home.join("file"), "").unwrap();
        let closed = home.join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
        let before = desk.sim.requests().len();
        let long = home.join(format!("{}.png", "n".repeat(252)));
        let mut places = vec![home.join("none/code.png"), home.join("file/code.png"), home.join("state"), long];
        // Whoever is root may write everywhere.
        if std::fs::write(closed.join("probe"), "").is_err() {
            places.push(closed.join("code.png"));
        }
        for path in places {
            let path = path.to_str().unwrap();
            for more in [&[][..], &["--json"], &["--ladder"], &["--show-payload"]] {
                let went = desk.run(&[&["login", "wxid_bela", "--qr-png", path], more].concat());
                assert_eq!(went.code, 2, "{path} {more:?} {went:?}");
                let words = format!("{}{}", went.out, went.err);
                assert!(words.contains("--qr-png") && !words.contains(".saoma-"), "{went:?}");
            }
            let went = desk.run(&["login", "--all-offline", "--yes", "--qr-png", path]);
            assert_eq!(went.code, 2, "{path} {went:?}");
        }
        assert_eq!(desk.sim.requests().len(), before, "{dialect}");
    }
}

#[test]
fn the_ladder_needs_a_place_only_when_a_code_is_due() {
    for dialect in DIALECTS {
        let mut setup = Setup { dialect, ..three() };
        setup.accounts.push(SimAccount::new("wxid_dora", "Dora").new_here());
        let desk = Desk::new(setup);
        // The phone says yes.
        let running = desk.start(&["login", "wxid_bela", "--ladder"]);
        eventually("the phone's dialog", || desk.sim.dialogs(&bela()) == 1);
        desk.sim.confirm(Some(bela())).unwrap();
        let went = running.end();
        assert_eq!(went.code, 0, "{dialect} {went:?}");
        // The phone says no: that is what it comes to, and why it goes no further.
        desk.sim.drop_account(&bela()).unwrap();
        let running = desk.start(&["login", "wxid_bela", "--ladder"]);
        eventually("the phone's dialog", || desk.sim.dialogs(&bela()) == 2);
        std::thread::sleep(TAP + Duration::from_millis(100));
        desk.sim.cancel(Some(bela())).unwrap();
        let went = running.end();
        assert_eq!(went.code, 4, "{dialect} {went:?}");
        assert!(went.err.contains("ssh -t") && went.err.contains("--qr-png"), "{}", went.err);
        assert_eq!(desk.asked("iPadLogin"), 0);
        // Now the dialog rests, and the code is another way: with a place it comes at once.
        let went = desk.run(&["login", "wxid_bela", "--ladder"]);
        assert_eq!(went.code, 12, "{dialect} {went:?}");
        assert_eq!(desk.run(&["second-login", "wxid_bela"]).code, 12);
        for way in [&["login", "wxid_bela", "--json"][..], &["login", "wxid_bela", "--ladder", "--json"]] {
            let running = desk.start(way);
            running.wait_event("waiting");
            running.signal(rustix::process::Signal::INT);
            assert_eq!(running.end().code, 130, "{way:?}");
        }
        assert_eq!((desk.sim.dialogs(&bela()), desk.asked("iPadLogin")), (2, 2), "{dialect}");
        // Off line as every account is once: a code alone would help.
        let running = desk.start(&["login", "--json"]);
        running.wait_event("waiting");
        let code = desk.sim.waiting_codes().pop().unwrap();
        desk.sim.scan_code(&code, Some("wxid_dora".into())).unwrap();
        desk.sim.confirm(Some("wxid_dora".into())).unwrap();
        assert_eq!(running.end().code, 0);
        desk.sim.drop_account(&"wxid_dora".into()).unwrap();
        desk.run(&["status"]);
        let went = desk.run(&["login", "wxid_dora", "--ladder"]);
        assert_eq!(went.code, 2, "{dialect} {went:?}");
        assert!(went.err.contains("ssh -t"), "{}", went.err);
        assert_eq!((desk.sim.dialogs(&"wxid_dora".into()), desk.asked("iPadLogin")), (0, 3), "{dialect}");
        let history = desk.run(&["history", "wxid_dora", "--json"]).out;
        assert!(!history.contains("nowhere_to_show") && !history.contains("\"failed\""), "{history}");
    }
}

#[test]
fn what_was_not_sent_leaves_the_history_as_it_is() {
    for dialect in DIALECTS {
        let desk = Desk::new(Setup { dialect, ..three() });
        let running = desk.start(&["second-login", "wxid_bela", "--json"]);
        eventually("the phone's dialog", || desk.sim.dialogs(&bela()) == 1);
        // As long as a person takes.
        std::thread::sleep(TAP + Duration::from_millis(100));
        desk.sim.cancel(Some(bela())).unwrap();
        assert_eq!(running.end().code, 4);
        let history = desk.run(&["history", "wxid_bela", "--json"]).lines()[0]["lines"].clone();
        let went = desk.run(&["second-login", "wxid_bela", "--json"]);
        assert_eq!(went.code, 12, "{dialect} {went:?}");
        let mut tui = desk.tui();
        tui.wait_text("Bela");
        tui.select("Bela");
        tui.send(b"s");
        tui.wait_text("Ask all the same?");
        tui.send(b"\x1b");
        tui.wait("no question", |screen| !screen.contents().contains("Ask all the same?"));
        tui.quit();
        assert!(!history.is_null());
        let after = desk.run(&["history", "wxid_bela", "--json"]).lines()[0]["lines"].clone();
        let failures = |lines: &serde_json::Value| {
            let all = lines.as_array().unwrap();
            all.iter().filter(|line| line["event"] != "recovered" && line["event"] != "dropped").count()
        };
        assert_eq!(failures(&after), failures(&history), "{dialect} {after}");
    }
}

#[test]
fn a_refusal_by_the_gateway_alone_blocks_nothing() {
    for dialect in DIALECTS {
        let refused = || {
            let desk = Desk::new(Setup { dialect, ..three() });
            desk.sim.fault("secondLogin", Fault::Fail("系统失败,请重试".into()), 2);
            for _ in 0..2 {
                let began = Instant::now();
                let went = desk.run(&["second-login", "wxid_bela", "--json"]);
                if began.elapsed() >= TAP {
                    return None;
                }
                assert_eq!((went.code, &went.lines().last().unwrap()["reason"]), (4, &"refused".into()), "{went:?}");
            }
            Some(desk)
        };
        // On a machine that stalls a person may have been there in between: that was no test.
        let desk = (0..20).find_map(|_| refused()).unwrap();
        let running = desk.start(&["login", "wxid_bela", "--json"]);
        running.wait_event("waiting");
        running.signal(rustix::process::Signal::INT);
        assert_eq!(running.end().code, 130);
    }
}

#[test]
fn a_verification_code_holds_nothing_that_the_terminal_said() {
    let desk = Desk::new(three());
    desk.sim.knobs(|knobs| knobs.verify_code = Some("135790".into()));
    let running = desk.start(&["login", "wxid_bela", "--json"]);
    running.wait_event("waiting");
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    assert_eq!(running.end().code, 8);
    for nothing in ["\u{1b}[2;2R", " ", ""] {
        let went = desk.run(&["login", "wxid_bela", "--verify-code", nothing, "--json"]);
        assert_eq!(went.code, 2, "{nothing:?} {went:?}");
    }
    // Without a place for a new code: none is asked for.
    let went = desk.run(&["login", "wxid_bela", "--verify-code", "\u{1b}[2;2R135790"]);
    assert_eq!(went.code, 0, "{went:?}");
    assert_eq!(desk.asked("iPadLogin"), 1);
    desk.assert_stored("wxid_bela");
}
