//! Token, password, payload and the picture's address in a whole run: in nobody's eye but the phone's.

use std::process::Stdio;

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

#[test]
fn proxy_webhook_listener_and_verification_leave_no_secret_behind() {
    const PROXY: &str = "socks-SAOMA-very-secret";
    const KEY: &str = "hmac-SAOMA-very-secret";
    const HOOK: &str = "hook-SAOMA-very-secret";
    const CODE: &str = "86420975";
    let desk = Desk::new(saoma::simulator::Setup { dialect: saoma::model::Dialect::V3, ..three() });
    let key = desk.home.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    // Nobody is there: every event is a failure that is told.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = format!(
        "listen = '127.0.0.1:0'\nforward = 'http://{port}/{HOOK}'\n[alerts]\nwebhook = 'http://{port}/{HOOK}'\n\
         webhook_secret_file = '{}'\n",
        key.display()
    );
    let config = std::fs::read_to_string(desk.config()).unwrap();
    std::fs::write(desk.config(), config + &more).unwrap();
    let import = format!(
        r#"[{{"wc_id": "wxid_bela", "proxy": "203.0.113.9:1080", "proxy_user": "me", "proxy_password": "{PROXY}"}}]"#
    );
    let mut seen = Vec::new();
    let run = |arguments: &[&str]| {
        let went = desk.command(arguments).env("SAOMA_LOG", "trace").output().unwrap();
        (arguments.join(" "), [went.stdout, went.stderr].concat())
    };
    let went = desk.run_with(&["accounts", "import", "-"], &import);
    assert_eq!(went.code, 0, "{went:?}");
    // A login that asks for a verification code, told to a webhook that is not there.
    desk.sim.knobs(|knobs| knobs.verify_code = Some(CODE.into()));
    let spawn = |arguments: &[&str]| {
        let mut command = desk.command(arguments);
        command.env("SAOMA_LOG", "trace").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let login = spawn(&["login", "wxid_bela", "--json"]);
    eventually("a code", || !desk.sim.waiting_codes().is_empty());
    desk.sim.scan(Some("wxid_bela".into())).unwrap();
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    let login = login.wait_with_output().unwrap();
    assert_eq!(login.status.code(), Some(8));
    seen.push(("login".into(), [login.stdout, login.stderr].concat()));
    seen.push(run(&["login", "wxid_bela", "--verify-code", CODE, "--json"]));
    desk.assert_stored("wxid_bela");
    // A watch that listens, and fails to tell of the login.
    let watch = spawn(&["watch"]);
    let log = || std::fs::read_to_string(desk.state().join("saoma.log")).unwrap_or_default();
    eventually("a listener", || log().contains("listening for notices"));
    eventually("a webhook that fails", || log().contains("not told"));
    let notice = std::fs::read_to_string(desk.state().join("notice-path")).unwrap();
    let path = notice.trim();
    assert!(path.len() >= 32, "{path}");
    let pid = rustix::process::Pid::from_child(&watch);
    // The second signal does not wait for the webhook.
    for _ in 0..2 {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let watch = watch.wait_with_output().unwrap();
    seen.push(("watch".into(), [watch.stdout, watch.stderr].concat()));
    for arguments in [
        &["accounts", "--json"][..],
        &["accounts", "export"],
        &["history", "--json"],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--json"],
    ] {
        seen.push(run(arguments));
    }
    let store = |name: &str| name.contains("saoma.db");
    assert!(
        files(&desk).iter().any(|(name, bytes)| store(name) && contains(bytes, PROXY)),
        "the needle is right: the store keeps it"
    );
    seen.extend(files(&desk));
    for (name, bytes) in seen {
        assert!(store(&name) || !contains(&bytes, PROXY), "the proxy's password is in {name}");
        assert!(name.ends_with("/key") || !contains(&bytes, KEY), "the webhook's key is in {name}");
        assert!(name.ends_with("config.toml") || !contains(&bytes, HOOK), "the webhook's path is in {name}");
        assert!(name.ends_with("notice-path") || !contains(&bytes, path), "the listener's path is in {name}");
        assert!(!contains(&bytes, CODE), "the verification code is in {name}");
    }
}
