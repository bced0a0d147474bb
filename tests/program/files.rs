//! What is written where somebody else may have been first, and whom a name on a terminal means.

use saoma::simulator::SimAccount;

use crate::kit::{Desk, Tui, three};

#[test]
fn a_planted_link_is_not_followed_by_a_code() {
    let desk = Desk::new(three());
    let at = |name: &str| desk.home.path().join(name);
    std::fs::write(at("victim"), "precious").unwrap();
    for target in ["victim", "nowhere"] {
        std::os::unix::fs::symlink(at(target), at("code.png")).unwrap();
        let path = at("code.png").display().to_string();
        let running = desk.start(&["login", "wxid_bela", "--qr-png", &path, "--json"]);
        running.wait_event("qr");
        let there = std::fs::symlink_metadata(at("code.png")).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        assert!(there.is_file());
        assert_eq!(there.permissions().mode() & 0o777, 0o600);
        assert!(std::fs::read(at("code.png")).unwrap().starts_with(b"\x89PNG"));
        desk.sim.scan(None).unwrap();
        desk.sim.confirm(None).unwrap();
        let went = running.end();
        assert_eq!(went.code, 0, "{went:?}");
        assert!(std::fs::symlink_metadata(at("code.png")).is_err(), "it goes with the code");
    }
    assert_eq!(std::fs::read_to_string(at("victim")).unwrap(), "precious");
    assert!(!at("nowhere").exists());
}

#[test]
fn a_terminal_is_told_who_is_meant_and_an_id_is_never_a_name() {
    let mut setup = three();
    setup.accounts.push(SimAccount::new("wxid_evil", "wxid_boss"));
    let desk = Desk::new(setup);
    let on_terminal = |arguments: &[&str]| Tui::start(desk.home.path(), arguments, 80, 24);
    for arguments in [
        &["second-login", "wxid_boss"][..],
        &["login", "wxid_boss"],
        &["status", "wxid_boss"],
        &["wid", "wxid_boss", "--any"],
        // Names and parts are for what can be seen and stopped.
        &["wid", "Bela", "--any"],
        &["wid", "wxid_bel", "--any"],
        &["offline", "Anna", "--yes"],
    ] {
        let mut terminal = on_terminal(arguments);
        assert_eq!(terminal.exit_code(), 10, "{arguments:?}: {}", terminal.text());
    }
    assert_eq!((desk.asked("secondLogin"), desk.asked("iPadLogin"), desk.asked("member/offline")), (0, 0, 0));
    for name in [&["Bela"][..], &["bela"], &["wxid_bel"], &["--name", "Bela"]] {
        let mut terminal = on_terminal(&[&["accounts", "edit", "--note", "x"], name].concat());
        terminal.wait_text("→ Bela (wxid_bela)");
        assert_eq!(terminal.exit_code(), 0);
    }
    let mut terminal = on_terminal(&["wid", "--name", "Bela", "--any"]);
    terminal.wait_text("before-wxid_bela");
    assert_eq!(terminal.exit_code(), 0);
}
