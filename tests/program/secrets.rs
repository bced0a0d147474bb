//! Token, password, payload and the picture's address in a whole run: in nobody's eye but the phone's.

use crate::eye;
use crate::kit::{Desk, eventually, three};

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Every file under the home, with its bytes.
fn files(desk: &Desk) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![desk.home.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
            }
        }
    }
    found
}

#[test]
fn a_whole_run_leaves_no_secret_behind() {
    let desk = Desk::bare(three());
    let sign_in = desk
        .command(&["sign-in", "--gateway", desk.sim.url(), "--dialect", "v2", "--account", desk.sim.account()])
        .env("SAOMA_PASSWORD", desk.sim.password())
        .env("SAOMA_LOG", "trace")
        .output()
        .unwrap();
    assert!(sign_in.status.success());
    let token = desk.sim.token();
    let import = r#"[{"wc_id": "wxid_bela", "nick_name": "Bela", "w_id": "before-wxid_bela"}]"#;
    assert_eq!(desk.run_with(&["accounts", "import", "-"], import).code, 0);
    let mut tui = desk.tui_with(&[("SAOMA_LOG", "trace")]);
    tui.wait_text("list ok");
    tui.select("Bela");
    let mut payloads = Vec::new();
    let look = |tui: &crate::kit::Tui, payloads: &mut Vec<String>| {
        eventually("a code", || !desk.sim.waiting_codes().is_empty());
        let payload = desk.sim.payload(desk.sim.waiting_codes().last().unwrap()).unwrap();
        tui.wait("a code that reads", |screen| eye::code(screen).as_ref() == Some(&payload));
        payloads.push(payload);
    };
    // One that is refused on the phone, one that is scanned, one that breaks, a second login, and one that is open.
    tui.send(b"r");
    look(&tui, &mut payloads);
    let store = || files(&desk).into_iter().filter(|(name, _)| name.contains("saoma.db")).collect::<Vec<_>>();
    assert!(store().iter().any(|(_, bytes)| contains(bytes, ".png")), "the needle is right: an open attempt has a URL");
    desk.sim.scan(None).unwrap();
    desk.sim.cancel(None).unwrap();
    tui.wait_text("– the gateway said no");
    tui.send(b"r");
    look(&tui, &mut payloads);
    desk.sim.fault("getIPadLoginInfo", saoma::simulator::Fault::Garbage, 1);
    desk.sim.break_connections();
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    tui.wait_text(desk.live("wxid_bela").unwrap().as_str());
    tui.send(b"s");
    eventually("the phone's dialog", || desk.sim.dialogs(&"wxid_bela".into()) == 1);
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    tui.wait_text(desk.live("wxid_bela").unwrap().as_str());
    tui.send(b"r");
    look(&tui, &mut payloads);
    tui.send(b"z");
    tui.wait("the whole screen", |screen| !screen.contents().contains("Accounts"));
    tui.send(b"z");
    let argv = std::fs::read(format!("/proc/{}/cmdline", tui.pid().as_raw_nonzero())).unwrap();
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    tui.wait_text(desk.live("wxid_bela").unwrap().as_str());
    tui.quit();

    let mut seen = files(&desk);
    assert!(seen.iter().any(|(name, bytes)| name.ends_with("saoma.log") && !bytes.is_empty()), "there is a log");
    seen.push(("the terminal".into(), tui.raw()));
    seen.push(("the command line".into(), argv));
    seen.push(("sign-in's words".into(), [sign_in.stdout, sign_in.stderr].concat()));
    let went = desk.run(&["accounts", "--json"]);
    seen.push(("accounts --json".into(), went.out.into_bytes()));
    assert_eq!(payloads.len(), 3);
    for (name, bytes) in seen {
        for payload in &payloads {
            assert!(!contains(&bytes, payload), "a payload is in {name}");
            assert!(!contains(&bytes, payload.rsplit('/').next().unwrap()), "a part of a payload is in {name}");
        }
        assert!(!contains(&bytes, desk.sim.password()), "the password is in {name}");
        assert!(name.ends_with("credentials.toml") || !contains(&bytes, &token), "the token is in {name}");
        assert!(!contains(&bytes, ".png"), "the address of a picture is in {name}");
    }
}
