//! The commands: events in order, exit codes, what is stored, and the first sign-in.

use std::os::unix::fs::PermissionsExt as _;

use rustix::process::{Signal, kill_process};
use saoma::gateway::{Gateway, Options};
use saoma::model::{Dialect, WcId};
use saoma::simulator::{Setup, SimAccount};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::eye;
use crate::kit::{Desk, Tui, Went, block_on, eventually, three};

fn bela() -> WcId {
    WcId::from("wxid_bela")
}

/// A QR login whose phone scans and confirms.
fn login(desk: &Desk, arguments: &[&str]) -> Went {
    let running = desk.start(arguments);
    running.wait_event("waiting");
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    running.end()
}

#[test]
fn login_json_tells_code_waiting_and_success_in_order() {
    for setup in [three(), Setup { dialect: Dialect::V1, ..three() }] {
        let desk = Desk::new(setup);
        let went = login(&desk, &["login", "wxid_bela", "--json"]);
        assert_eq!((went.code, went.err.as_str()), (0, ""), "{went:?}");
        assert_eq!(went.events(), ["qr", "waiting", "logged_in"]);
        let lines = went.lines();
        for line in &lines {
            assert_eq!((&line["schema"], &line["profile"]), (&json!(1), &json!("default")), "{line}");
            assert_eq!((&line["wc_id"], &line["account"]), (&json!("wxid_bela"), &json!("Bela")), "{line}");
            assert_eq!(line["attempt"], lines[0]["attempt"], "{line}");
            assert!(line["at"].is_string() && line["attempt"].is_string(), "{line}");
        }
        assert!(lines[0]["w_id"].is_string() && lines[0]["expires_at"].is_string(), "{}", lines[0]);
        assert_eq!(lines[2]["w_id"], json!(desk.live("wxid_bela")), "{}", lines[2]);
        assert_eq!(lines[2]["previous_w_id"], "before-wxid_bela");
        desk.assert_stored("wxid_bela");
        let payload = desk.sim.payload(&lines[0]["w_id"].as_str().unwrap().into()).unwrap();
        assert!(!went.out.contains(&payload), "only --show-payload tells the payload");
    }
}

#[test]
fn login_of_a_new_account_and_with_its_payload() {
    let mut setup = three();
    setup.accounts.push(SimAccount::new("wxid_dora", "Dora").new_here());
    let desk = Desk::new(setup);
    let running = desk.start(&["login", "--json", "--show-payload"]);
    running.wait_event("waiting");
    let code = desk.codes(1).remove(0);
    desk.sim.scan_code(&code, Some("wxid_dora".into())).unwrap();
    desk.sim.confirm(None).unwrap();
    let went = running.end();
    assert_eq!(went.code, 0, "{went:?}");
    let lines = went.lines();
    assert_eq!(lines[0]["payload"], json!(desk.sim.payload(&code)));
    assert_eq!((&lines[0]["wc_id"], &lines[2]["wc_id"]), (&json!(null), &json!("wxid_dora")));
    desk.assert_stored("wxid_dora");
}

#[test]
fn the_ladder_goes_from_the_dialog_to_the_code_or_takes_what_is_there() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let desk = Desk::new(Setup { dialect, ..three() });
        let running = desk.start(&["login", "wxid_bela", "--ladder", "--json"]);
        eventually("the phone's dialog", || desk.sim.dialogs(&bela()) == 1);
        desk.sim.cancel(Some(bela())).unwrap();
        running.wait_event("waiting");
        desk.sim.scan(None).unwrap();
        desk.sim.confirm(None).unwrap();
        let went = running.end();
        assert_eq!(went.code, 0, "{went:?}");
        assert_eq!(went.events(), ["second_login_sent", "second_login_failed", "qr", "waiting", "logged_in"]);
        assert_eq!(went.lines()[1]["reason"], "refused");
        desk.assert_stored("wxid_bela");
    }
    let desk = Desk::new(three());
    let went = desk.run(&["login", "wxid_anna", "--ladder", "--json"]);
    assert_eq!((went.code, went.events()), (0, vec!["adopted".to_owned()]), "{went:?}");
    desk.assert_stored("wxid_anna");
}

#[test]
fn a_first_drop_that_nobody_saw_rings_no_phone() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let mut setup = Setup { dialect, ..three() };
        setup.accounts.push(SimAccount::new("wxid_dora", "Dora").new_here());
        let desk = Desk::new(setup);
        let running = desk.start(&["login", "--json"]);
        running.wait_event("waiting");
        desk.sim.scan_code(&desk.codes(1).remove(0), Some("wxid_dora".into())).unwrap();
        desk.sim.confirm(None).unwrap();
        assert_eq!(running.end().code, 0);
        desk.sim.drop_account(&"wxid_dora".into()).unwrap();
        // A code that nobody scans does not end the first night.
        desk.sim.knobs(|knobs| knobs.code_life_ms = Some(300));
        assert_eq!(desk.run(&["login", "wxid_dora", "--ladder", "--json"]).code, 3);
        desk.sim.knobs(|knobs| knobs.code_life_ms = None);
        let went = login(&desk, &["login", "wxid_dora", "--ladder", "--json"]);
        assert_eq!((went.code, went.events().join(" ").as_str()), (0, "qr waiting logged_in"), "{went:?}");
        assert_eq!(desk.asked("secondLogin"), 0);
        desk.assert_stored("wxid_dora");
    }
}

#[test]
fn second_login_succeeds_or_is_exit_4() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let desk = Desk::new(Setup { dialect, ..three() });
        let running = desk.start(&["second-login", "wxid_bela", "--json"]);
        eventually("the phone's dialog", || desk.sim.dialogs(&bela()) == 1);
        desk.sim.confirm(Some(bela())).unwrap();
        let went = running.end();
        assert_eq!((went.code, went.events().join(" ").as_str()), (0, "second_login_sent logged_in"), "{went:?}");
        desk.assert_stored("wxid_bela");

        let running = desk.start(&["second-login", "wxid_chen", "--json"]);
        eventually("the phone's dialog", || desk.sim.dialogs(&"wxid_chen".into()) == 1);
        desk.sim.cancel(Some("wxid_chen".into())).unwrap();
        let went = running.end();
        assert_eq!(went.code, 4, "{went:?}");
        assert_eq!(went.lines().last().unwrap()["reason"], "refused", "{went:?}");
        assert_eq!(desk.account("wxid_chen")["w_id"], "before-wxid_chen");
    }
}

#[test]
fn exit_3_4_5_when_nobody_scans_the_phone_says_no_or_another_phone_scans() {
    let desk = Desk::new(three());
    desk.sim.knobs(|knobs| knobs.code_life_ms = Some(3_000));
    let went = desk.run(&["login", "wxid_bela", "--json"]);
    assert_eq!((went.code, went.events().join(" ").as_str()), (3, "qr waiting expired"), "{went:?}");
    desk.sim.knobs(|knobs| knobs.code_life_ms = None);

    let running = desk.start(&["login", "wxid_bela", "--json"]);
    running.wait_event("waiting");
    desk.sim.scan(None).unwrap();
    desk.sim.cancel(None).unwrap();
    let went = running.end();
    assert_eq!(went.code, 4, "{went:?}");
    let last = went.lines().pop().unwrap();
    assert_eq!((&last["event"], &last["gateway_message"]), (&json!("failed"), &json!("失败")));

    let running = desk.start(&["login", "wxid_bela", "--json"]);
    running.wait_event("waiting");
    let code = desk.codes(1).remove(0);
    desk.sim.scan_code(&code, Some("wxid_chen".into())).unwrap();
    desk.sim.confirm(None).unwrap();
    let went = running.end();
    assert_eq!(went.code, 5, "{went:?}");
    let last = went.lines().pop().unwrap();
    assert_eq!((&last["event"], &last["expected_wc_id"]), (&json!("wrong_account"), &json!("wxid_bela")));
    assert_eq!(last["wc_id"], "wxid_chen");
    desk.assert_stored("wxid_chen");
    assert_eq!(desk.account("wxid_bela")["w_id"], "before-wxid_bela");
}

#[test]
fn exit_6_and_7_when_the_token_or_the_gateway_is_no_good() {
    let desk = Desk::new(three());
    let commands: [&[&str]; 4] = [
        &["login", "wxid_bela", "--json"],
        &["second-login", "wxid_bela", "--json"],
        &["status", "--json"],
        &["offline", "wxid_anna", "--yes", "--json"],
    ];
    desk.sim.down();
    for command in commands {
        let went = desk.run(command);
        assert_eq!(went.code, 7, "{command:?} {went:?}");
        assert_eq!(went.lines().last().unwrap()["reason"], "gateway_down", "{command:?} {went:?}");
    }
    crate::kit::block_on(desk.sim.up()).unwrap();
    desk.sim.revoke_tokens();
    for command in commands {
        let went = desk.run(command);
        assert_eq!(went.code, 6, "{command:?} {went:?}");
        assert_eq!(went.lines().last().unwrap()["reason"], "token_rejected", "{command:?} {went:?}");
    }
    std::fs::remove_file(desk.state().join("credentials.toml")).unwrap();
    for command in commands {
        assert_eq!(desk.run(command).code, 6, "{command:?}");
    }
    assert_eq!(desk.account("wxid_bela")["w_id"], "before-wxid_bela");
}

#[test]
fn exit_8_leaves_the_attempt_to_be_gone_on_with() {
    let desk = Desk::new(three());
    desk.sim.knobs(|knobs| knobs.verify_code = Some("135790".into()));
    let went = login(&desk, &["login", "wxid_bela", "--json"]);
    assert_eq!(went.code, 8, "{went:?}");
    assert_eq!(went.events().last().unwrap(), "verify_code_required");
    let went = desk.run(&["login", "wxid_bela", "--verify-code", "135790", "--json"]);
    assert_eq!((went.code, went.events().last().unwrap().as_str()), (0, "logged_in"), "{went:?}");
    assert_eq!(desk.asked("iPadLogin"), 1, "the same code went on");
    desk.assert_stored("wxid_bela");
}

#[test]
fn a_verification_code_finds_its_login_without_a_name() {
    for setup in [three(), Setup { dialect: Dialect::V1, ..three() }] {
        let desk = Desk::new(setup);
        desk.sim.knobs(|knobs| knobs.verify_code = Some("135790".into()));
        let went = login(&desk, &["login", "wxid_bela", "--json"]);
        assert_eq!(went.code, 8, "{went:?}");
        let went = desk.run(&["login", "--verify-code", "135790", "--json"]);
        assert_eq!((went.code, went.events().last().unwrap().as_str()), (0, "logged_in"), "{went:?}");
        assert_eq!(desk.asked("iPadLogin"), 1, "the same code went on");
        desk.assert_stored("wxid_bela");
        // Nothing is pending any more, and no phone is to scan for a code that is over.
        for command in
            [&["login", "--verify-code", "1", "--json"][..], &["login", "wxid_bela", "--verify-code", "1", "--json"]]
        {
            let went = desk.run(command);
            assert_eq!((went.code, went.events()), (3, vec!["error".to_owned()]), "{went:?}");
        }
        assert_eq!(desk.asked("iPadLogin"), 1);
    }
}

/// The profile's token comes from a file; the one it begins with is the gateway's.
fn with_token_command(desk: &Desk, interval: &str) -> std::path::PathBuf {
    let file = desk.home.path().join("token");
    std::fs::write(&file, desk.sim.token()).unwrap();
    std::fs::remove_file(desk.state().join("credentials.toml")).unwrap();
    desk.configure(interval);
    let config = std::fs::read_to_string(desk.config()).unwrap();
    // Waits for the file where it is about to be renewed.
    let line = "token_command = 'echo . >> F.asked; until cat F 2>/dev/null; do sleep 0.05; done'\n[watch]";
    let line = line.replace('F', &file.display().to_string());
    std::fs::write(desk.config(), config.replace("[watch]", &line)).unwrap();
    file
}

/// The gateway takes another token only, and the file has it.
fn renew_token(desk: &Desk, file: &std::path::Path) {
    std::fs::remove_file(file).unwrap();
    desk.sim.revoke_tokens();
    let base = desk.sim.url().to_owned();
    let options = Options { base, dialect: desk.dialect, token: None, http_proxy: None };
    let password = SecretString::from(desk.sim.password());
    let signed_in =
        block_on(async { Gateway::new(options).unwrap().member_login(desk.sim.account(), &password).await });
    let whole = file.with_extension("new");
    std::fs::write(&whole, signed_in.unwrap().token.expose_secret()).unwrap();
    std::fs::rename(whole, file).unwrap();
}

#[test]
fn a_login_gets_another_token_by_itself_and_goes_on_with_its_code() {
    let desk = Desk::new(three());
    let file = with_token_command(&desk, "1h");
    let running = desk.start(&["login", "wxid_bela", "--json"]);
    running.wait_event("waiting");
    renew_token(&desk, &file);
    desk.sim.break_connections();
    eventually("another token", || std::fs::read_to_string(file.with_extension("asked")).unwrap().lines().count() == 2);
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    let went = running.end();
    assert_eq!((went.code, went.events().last().unwrap().as_str()), (0, "logged_in"), "{went:?}");
    assert_eq!(desk.asked("iPadLogin"), 1, "the same code went on");
    let asked = std::fs::read_to_string(file.with_extension("asked")).unwrap();
    assert_eq!(asked.lines().count(), 2, "once at the start, once for the dead token");
    desk.assert_stored("wxid_bela");
}

#[test]
fn watch_gets_another_token_by_itself_when_a_list_finds_it_dead() {
    let desk = Desk::new(three());
    let file = with_token_command(&desk, "5s");
    let running = desk.start(&["watch", "--json"]);
    eventually("a list", || desk.account("wxid_anna")["presence"] == "online");
    renew_token(&desk, &file);
    desk.sim.drop_account(&"wxid_anna".into()).unwrap();
    running.wait_event("dropped");
    running.signal(Signal::TERM);
    let went = running.end();
    assert_eq!(went.code, 143, "{went:?}");
    // The checks of this test ask the gateway nothing, so they need no token.
    let asked = std::fs::read_to_string(file.with_extension("asked")).unwrap();
    assert_eq!(asked.lines().count(), 2, "once at the start, once for the dead token");
}

#[test]
fn a_second_login_whose_answer_is_lost_gets_its_wid_from_the_list() {
    for dialect in [Dialect::V2, Dialect::V3] {
        let desk = Desk::new(Setup { dialect, ..three() });
        let running = desk.start(&["second-login", "wxid_bela", "--json"]);
        eventually("the phone's dialog", || desk.sim.dialogs(&bela()) == 1);
        desk.sim.break_connections();
        desk.sim.confirm(Some(bela())).unwrap();
        let went = running.end();
        assert_eq!((went.code, went.events().last().unwrap().as_str()), (0, "adopted"), "{went:?}");
        assert_eq!(desk.sim.dialogs(&bela()), 1, "the phone was asked once");
        desk.assert_stored("wxid_bela");
    }
}

#[test]
fn v1_hands_out_no_wid_that_a_lost_second_login_may_have_killed() {
    let desk = Desk::new(Setup { dialect: Dialect::V1, ..three() });
    let went = login(&desk, &["login", "wxid_bela", "--json"]);
    assert_eq!(went.code, 0, "{went:?}");
    let before = desk.wid("wxid_bela");
    let running = desk.start(&["second-login", "wxid_bela", "--json"]);
    eventually("the phone's dialog", || desk.sim.dialogs(&bela()) == 1);
    desk.sim.break_connections();
    desk.sim.confirm(Some(bela())).unwrap();
    let went = running.end();
    assert_eq!((went.code, &went.lines().last().unwrap()["reason"]), (1, &json!("login_interrupted")), "{went:?}");
    assert_ne!(desk.live("wxid_bela").unwrap(), before);
    assert_eq!(desk.run(&["wid", "wxid_bela"]).code, 11, "nobody knows whether it lives");
    let account = desk.account("wxid_bela");
    assert_eq!((&account["presence"], &account["w_id_confirmed"]), (&json!("unknown"), &json!(false)), "{account}");
}

#[test]
fn exit_9_10_11_when_another_logs_in_nobody_has_the_name_or_it_is_off_line() {
    let desk = Desk::new(three());
    let running = desk.start(&["login", "wxid_bela", "--json"]);
    desk.codes(1);
    let went = desk.run(&["login", "wxid_bela", "--json"]);
    assert_eq!(went.code, 9, "{went:?}");
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    assert_eq!(running.end().code, 0);
    for command in [&["login", "nobody"][..], &["wid", "nobody"], &["second-login", "nobody"], &["status", "nobody"]] {
        let went = desk.run(command);
        assert_eq!(went.code, 10, "{command:?} {went:?}");
    }
    assert_eq!(desk.run(&["wid", "wxid_chen"]).code, 11);
    let went = desk.run(&["wid", "wxid_chen", "--any"]);
    assert_eq!((went.code, went.out.as_str()), (0, "before-wxid_chen\n"));
}

#[test]
fn a_signal_ends_a_login_with_its_own_code_and_a_late_scan_still_lands() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let desk = Desk::new(three());
        let running = desk.start(&["login", "wxid_bela", "--json"]);
        let w_id = desk.codes(1).remove(0);
        kill_process(running.pid(), signal).unwrap();
        let went = running.end();
        assert_eq!(went.code, code, "{went:?}");
        desk.sim.scan_code(&w_id, None).unwrap();
        desk.sim.confirm(None).unwrap();
        let mut tui = desk.tui();
        tui.wait_row("Bela", "online");
        tui.quit();
        desk.assert_stored("wxid_bela");
    }
}

#[test]
fn status_and_offline() {
    let desk = Desk::new(three());
    let went = desk.run(&["status", "--json"]);
    assert_eq!(went.code, 0, "{went:?}");
    let object = went.lines().remove(0);
    let anna = object["accounts"].as_array().unwrap().iter().find(|account| account["wc_id"] == "wxid_anna").unwrap();
    assert_eq!((&anna["presence"], &anna["w_id"]), (&json!("online"), &json!(desk.live("wxid_anna"))), "{anna}");
    let went = desk.run(&["offline", "wxid_anna", "--yes"]);
    assert_eq!(went.code, 0, "{went:?}");
    assert_eq!(desk.live("wxid_anna"), None);
    assert_eq!(desk.account("wxid_anna")["presence"], "offline");
    assert_eq!(desk.run(&["wid", "wxid_anna"]).code, 11);
    assert_eq!(desk.asked("member/logout"), 0);
}

#[test]
fn a_login_in_a_plain_terminal_draws_the_code() {
    let desk = Desk::new(three());
    let mut plain = Tui::start(desk.home.path(), &["login", "wxid_bela"], 80, 24);
    let w_id = desk.codes(1).remove(0);
    let payload = desk.sim.payload(&w_id);
    plain.wait("a code that reads", |screen| eye::code(screen) == payload);
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    assert_eq!(plain.exit_code(), 0);
    let live = desk.live("wxid_bela").unwrap();
    plain.wait_text(live.as_str());
    plain.assert_whole();
    desk.assert_stored("wxid_bela");
}

#[test]
fn sign_in_keeps_the_token_and_nothing_else() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let desk = Desk::bare(Setup { dialect, ..three() });
        let sign_in = |password: &str| {
            let name = dialect.name();
            let arguments =
                ["sign-in", "--gateway", desk.sim.url(), "--dialect", name, "--account", desk.sim.account()];
            let output = desk.command(&arguments).env("SAOMA_PASSWORD", password).output().unwrap();
            output.status.code()
        };
        assert_ne!(sign_in("not-the-password"), Some(0));
        assert!(!desk.state().join("credentials.toml").exists());
        assert_eq!(sign_in(desk.sim.password()), Some(0));
        assert_eq!(desk.run(&["accounts"]).code, 0);
        let kept = std::fs::read_to_string(desk.state().join("credentials.toml")).unwrap();
        assert!(kept.contains(&desk.sim.token()) && !kept.contains(desk.sim.password()));
        assert_private(&desk);
        let went = login(&desk, &["login", "--json"]);
        assert_eq!(went.code, 0, "{went:?}");
    }
}

/// Folders 0700, files 0600.
fn assert_private(desk: &Desk) {
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert!(desk.state().join("saoma.db").exists());
    assert_eq!(mode(&desk.state()), 0o700);
    let files: Vec<_> = std::fs::read_dir(desk.state()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(mode(&file), if file.is_dir() { 0o700 } else { 0o600 }, "{}", file.display());
    }
}

#[test]
fn the_first_start_asks_for_the_gateway_and_ends_in_a_login() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let desk = Desk::bare(Setup { dialect, ..three() });
        let mut tui = desk.tui();
        tui.wait_text("Sign in to the gateway");
        let forms = |text: &str| format!("{text}\t").into_bytes();
        tui.send(&forms(desk.sim.url()));
        // The second generation is what is chosen.
        tui.send(if dialect == Dialect::V1 { b"\x1b[D\t" } else { b"\t" });
        tui.send(&forms(desk.sim.account()));
        tui.send(b"not-the-password\r");
        tui.wait_text("! ");
        tui.wait("the form again", |screen| !screen.contents().contains("Asking the gateway"));
        assert!(!desk.config().exists() && !desk.state().join("credentials.toml").exists());
        tui.send(&[0x7f; 16]);
        tui.send(desk.sim.password().as_bytes());
        if dialect == Dialect::V1 {
            tui.send(b"\t ");
            tui.wait_text("[x]");
        }
        tui.send(b"\r");
        tui.wait_text("list ok");
        tui.wait_row("wxid_anna", "online");
        assert_private(&desk);
        tui.send(b"n");
        let code = desk.codes(1).remove(0);
        let payload = desk.sim.payload(&code);
        tui.wait("a code that reads", |screen| eye::code(screen) == payload);
        desk.sim.scan_code(&code, Some("wxid_bela".into())).unwrap();
        desk.sim.confirm(None).unwrap();
        tui.wait_row("Bela", "online");
        tui.quit();
        desk.assert_stored("wxid_bela");
        assert_private(&desk);
        // The profile is there for the next start too.
        assert_eq!(desk.run(&["status", "--json"]).code, 0);
    }
}
