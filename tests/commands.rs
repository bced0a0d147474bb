//! The binary where no gateway is needed: help, wrong uses, settings, exit codes, JSON of errors; and with
//! a gateway of a few lines: sign-in, accounts, status, wid, offline.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a helper that fails fails its test")]

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// The program in a home of its own, without terminal and without anything of ours in the environment.
fn saoma(home: &Path) -> Command {
    let mut command = Command::cargo_bin("saoma").unwrap();
    command
        .env_clear()
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write_config(home: &Path, text: &str) {
    std::fs::create_dir_all(home.join("config/saoma")).unwrap();
    std::fs::write(home.join("config/saoma/config.toml"), text).unwrap();
}

/// Runs and returns exit code, stdout, stderr.
fn run(command: &mut Command, arguments: &[&str]) -> (i32, String, String) {
    let output = command.args(arguments).output().unwrap();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn help_is_in_the_readers_language() {
    let home = home();
    let (code, out, err) = run(&mut saoma(home.path()), &["--help"]);
    assert_eq!((code, err.as_str()), (0, ""));
    for part in ["Usage: saoma", "Commands:", "sign-in", "second-login", "--profile", "Exit codes"] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let (code, out, _) = run(saoma(home.path()).env("LANG", "zh_CN.UTF-8"), &["login", "--help"]);
    assert_eq!(code, 0);
    for part in ["用法: saoma login", "选项:", "参数:", "扫码登录"] {
        assert!(out.contains(part), "{part} in {out}");
    }
    for english in ["Usage", "Options", "default:"] {
        assert!(!out.contains(english), "{english} in {out}");
    }
    // SAOMA_LANG beats the locale.
    let (_, out, _) = run(saoma(home.path()).env("LANG", "zh_CN.UTF-8").env("SAOMA_LANG", "en"), &["--help"]);
    assert!(out.contains("Usage: saoma"), "{out}");
}

#[test]
fn the_version_is_data() {
    let home = home();
    let (code, out, _) = run(&mut saoma(home.path()), &["--version"]);
    assert_eq!((code, out), (0, format!("saoma {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let home = home();
    for arguments in [&[][..], &["demo"]] {
        let (code, out, err) = run(&mut saoma(home.path()), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains("saoma status"), "{err}");
    }
}

#[test]
fn wrong_uses_are_exit_2_in_words_or_json() {
    let home = home();
    for arguments in [
        &["stauts"][..],
        &["login", "--nope"],
        &["wid"],
        &["second-login"],
        &["login", "--ladder"],
        &["accounts", "--sort", "sideways"],
        &["offline", "wxid_a"],
        &["completions", "cmd"],
    ] {
        let (code, out, err) = run(&mut saoma(home.path()), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.starts_with("saoma: "), "{err}");
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let (code, out, err) = run(&mut saoma(home.path()), &with_json);
        assert_eq!((code, err.as_str()), (2, ""), "{arguments:?}: {out}");
        let object: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&object["event"], &object["schema"]), (&"error".into(), &1.into()), "{out}");
        assert!(object["at"].is_string() && object["reason"].is_string() && object["message"].is_string(), "{out}");
        assert!(object.as_object().unwrap().contains_key("hint"), "{out}");
    }
}

#[test]
fn without_a_profile_it_says_how_to_get_one() {
    let home = home();
    for arguments in [&["status"][..], &["accounts"], &["wid", "wxid_a"], &["offline", "wxid_a", "--yes"]] {
        let (code, out, err) = run(&mut saoma(home.path()), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains("saoma sign-in"), "{err}");
    }
}

#[test]
fn several_profiles_are_listed() {
    let home = home();
    let profile = |name| format!("[profile.{name}]\ngateway = 'http://127.0.0.1:9'\naccount = '1'\n");
    write_config(home.path(), &(profile("a") + &profile("b")));
    let (code, _, err) = run(&mut saoma(home.path()), &["status"]);
    assert_eq!(code, 2);
    assert!(err.contains("a, b"), "{err}");
    let (code, _, err) = run(&mut saoma(home.path()), &["status", "--profile", "c"]);
    assert_eq!(code, 2);
    assert!(err.contains("\"c\"") && err.contains("a, b"), "{err}");
}

#[test]
fn a_broken_config_is_named_with_its_line() {
    let home = home();
    for (text, part) in [
        ("[profile.a]\ngatway = 'x'", "config.toml:2"),
        ("[watch]\ninterval = '2s'", "config.toml:2"),
        ("[ui\n", "config.toml:1"),
    ] {
        write_config(home.path(), text);
        let (code, _, err) = run(&mut saoma(home.path()), &["accounts"]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(part), "{text}: {err}");
    }
    for keys in ["frobnicate = 's'", "second_login = 'ctrl-c'", "second_login = 'nonsense'", "second_login = 'R'"] {
        write_config(home.path(), &format!("[keys]\npage_down = 'R'\n{keys}"));
        let (code, out, _) = run(&mut saoma(home.path()), &["doctor"]);
        assert_eq!(code, 1, "{out}");
        // Of two lines with the same key either may be meant.
        assert!(
            out.contains("config.toml:3") || out.contains("config.toml:2") && keys.ends_with("'R'"),
            "{keys}: {out}"
        );
    }
    write_config(home.path(), "");
    // What needs no settings works all the same.
    assert_eq!(run(&mut saoma(home.path()), &["--help"]).0, 0);
    assert_eq!(run(&mut saoma(home.path()), &["completions", "bash"]).0, 0);
}

/// Two is what a service manager is told not to try again.
#[test]
fn settings_that_cannot_be_read_are_exit_2() {
    let home = home();
    let at = |name: &str| home.path().join(name).display().to_string();
    std::fs::write(at("gbk"), b"# \xc4\xe3\xba\xc3\n").unwrap();
    std::fs::write(at("utf16"), b"\xff\xfe[\0").unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    for path in ["/nowhere/config.toml".to_owned(), at("gbk"), at("utf16"), at("folder"), at("gbk/below")] {
        for command in ["accounts", "status", "watch", "keys"] {
            let (code, out, err) = run(&mut saoma(home.path()), &[command, "--config", &path]);
            assert_eq!((code, out.as_str()), (2, ""), "{command} {path}: {err}");
            assert!(err.contains(&path), "{err}");
            let (code, _, err) = run(saoma(home.path()).env("SAOMA_CONFIG", &path), &[command]);
            assert_eq!(code, 2, "{command} {path}: {err}");
        }
        let (code, out, _) = run(&mut saoma(home.path()), &["doctor", "--json", "--config", &path]);
        let object: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &object["checks"][0]["state"]), (1, &"fail".into()), "{object}");
    }
    for (variable, value) in [
        ("SAOMA_LANG", "fr"),
        ("SAOMA_LOG", "loud"),
        ("SAOMA_DIALECT", "v9"),
        ("SAOMA_GATEWAY", "ftp://h"),
        ("SAOMA_DATABASE_URL", "sqlite::memory:"),
        ("SAOMA_DATABASE_URL", "mysql://h/db"),
        ("SAOMA_DATABASE_URL", "postgres://h/db"),
    ] {
        let mut command = saoma(home.path());
        command.env("SAOMA_GATEWAY", "http://127.0.0.1:9").env("SAOMA_ACCOUNT", "1").current_dir(home.path());
        let (code, _, err) = run(command.env(variable, value), &["accounts"]);
        assert_eq!(code, 2, "{variable}={value}: {err}");
        if value.starts_with("sqlite:") {
            assert!(err.contains("sqlite:PATH") && err.contains(value), "{err}");
        }
    }
    use std::os::unix::ffi::OsStrExt as _;
    let gbk = std::ffi::OsStr::from_bytes(b"\xc4\xe3");
    let (code, _, err) = run(saoma(home.path()).env("SAOMA_ACCOUNT", gbk), &["accounts"]);
    assert!(code == 2 && err.contains("SAOMA_ACCOUNT"), "{code} {err}");
    assert!(!home.path().join(":memory:").exists());
}

#[test]
fn settings_that_others_may_write_are_not_obeyed() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = home();
    let folder = home.path().join("config/saoma");
    let file = folder.join("config.toml");
    let ran = home.path().join("ran");
    write_config(
        home.path(),
        &format!(
            "[profile.a]\ngateway = 'http://127.0.0.1:9'\naccount = '1'\ntoken_command = 'touch {}; echo t'\n",
            ran.display()
        ),
    );
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    for (of_folder, of_file, shown) in
        [(0o755, 0o666, "0666"), (0o755, 0o664, "0664"), (0o777, 0o644, "0777"), (0o775, 0o644, "0775")]
    {
        set(&folder, of_folder);
        set(&file, of_file);
        for command in [&["status"][..], &["login", "--json"], &["watch"], &["sign-in", "--account", "2"]] {
            let (code, out, err) = run(&mut saoma(home.path()), command);
            assert_eq!(code, 2, "{command:?}: {out}{err}");
            let words = format!("{out}{err}");
            assert!(words.contains("chmod go-w") && words.contains(shown), "{words}");
        }
    }
    assert!(!ran.exists(), "no command of it was run");
    set(&folder, 0o755);
    set(&file, 0o644);
    assert_eq!(run(&mut saoma(home.path()), &["status"]).0, 7);
    assert!(ran.exists());
}

#[test]
fn sign_ins_at_the_same_time_lose_nothing() {
    let home = home();
    let (url, world) = gateway::start();
    let sign_in = |at: usize| {
        let (profile, account) = (format!("p{at}"), format!("138{at}"));
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("saoma"));
        command.env_clear().env("HOME", home.path()).env("SAOMA_PASSWORD", gateway::PASSWORD);
        command.env("XDG_CONFIG_HOME", home.path().join("config")).env("XDG_STATE_HOME", home.path().join("state"));
        command.args(["sign-in", "--profile", &profile, "--gateway", &url, "--account", &account]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    world.lock().unwrap().together = Some(std::sync::Arc::new(std::sync::Barrier::new(12)));
    // Each of them once for the first time, and once more.
    for _ in 0..2 {
        let running: Vec<_> = (0..12).map(sign_in).collect();
        for child in running {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let config = std::fs::read_to_string(home.path().join("config/saoma/config.toml")).unwrap();
        let credentials = std::fs::read_to_string(home.path().join("state/saoma/credentials.toml")).unwrap();
        for at in 0..12 {
            assert!(config.contains(&format!("[profile.p{at}]")), "{at}: {config}");
            assert!(credentials.contains(&format!("\"138{at}@")), "{at}");
        }
        assert_eq!(config.matches("[profile.").count(), 12, "{config}");
    }
}

#[test]
fn sign_in_without_anybody_to_ask_says_what_is_missing() {
    let home = home();
    let (code, _, err) = run(&mut saoma(home.path()), &["sign-in"]);
    assert_eq!(code, 2);
    assert!(err.contains("--gateway"), "{err}");
    let (code, _, err) = run(&mut saoma(home.path()), &["sign-in", "--gateway", "127.0.0.1:9", "--account", "138"]);
    assert_eq!(code, 2);
    assert!(err.contains("SAOMA_PASSWORD"), "{err}");
    assert!(!home.path().join("config").exists(), "nothing is written before the gateway said yes");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let home = home();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, err) = run(&mut saoma(home.path()), &["completions", shell]);
        assert_eq!((code, err.as_str()), (0, ""), "{shell}");
        assert!(out.contains("second-login"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    use std::process::{Command, Stdio};
    let home = home();
    let binary = assert_cmd::cargo::cargo_bin("saoma");
    let mut child = Command::new(binary)
        .args(["completions", "zsh"])
        .env("HOME", home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

mod gateway {
    //! A gateway of a few lines: enough of protocol.md for the commands that make no login.

    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Barrier, Mutex};

    use serde_json::{Value, json};

    /// What the gateway says, and what it was asked.
    #[derive(Default)]
    pub(crate) struct World {
        /// Who is online, as queryLoginWx tells it.
        pub(crate) online: Vec<(&'static str, &'static str)>,
        /// Who is online whatever queryLoginWx tells, as isOnline tells it.
        pub(crate) truly: Vec<&'static str>,
        /// Sign-ins are answered when so many have asked.
        pub(crate) together: Option<Arc<Barrier>>,
        /// The next code's wId.
        pub(crate) code: Option<&'static str>,
        /// Every call: path and body.
        pub(crate) calls: Vec<(String, Value)>,
    }

    pub(crate) const TOKEN: &str = "test-token";
    pub(crate) const PASSWORD: &str = "test-password";

    /// Starts it; lives as long as the test program.
    pub(crate) fn start() -> (String, Arc<Mutex<World>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World::default()));
        let shared = Arc::clone(&world);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream.unwrap(), &shared));
            }
        });
        (url, world)
    }

    fn serve(mut stream: TcpStream, shared: &Mutex<World>) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let header = |name: &str| {
            lines.iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let Some(path) = lines.first().and_then(|line| line.split(' ').nth(1)) else { return };
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let together = shared.lock().unwrap().together.clone();
        if let Some(together) = together.filter(|_| path == "/member/login") {
            together.wait();
        }
        let reply = answer(&mut shared.lock().unwrap(), path, &body, header("authorization").as_deref());
        let (status, reply) = reply;
        let text = reply.to_string();
        let _ = write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
    }

    fn answer(world: &mut World, path: &str, body: &Value, token: Option<&str>) -> (u16, Value) {
        world.calls.push((path.to_owned(), body.clone()));
        let ok = |data: Value| (200, json!({"code": "1000", "message": "成功", "data": data}));
        if path == "/member/login" {
            return if body["password"] == PASSWORD {
                ok(json!({"Authorization": TOKEN, "status": 0, "callbackUrl": null}))
            } else {
                (200, json!({"code": "1001", "message": "密码\u{1b}[31m不对", "data": null}))
            };
        }
        if token != Some(TOKEN) {
            return (401, json!({"code": "1001", "message": "token", "data": null}));
        }
        match path {
            "/queryLoginWx" => {
                ok(world.online.iter().map(|(wc_id, w_id)| json!({"wcId": wc_id, "wId": w_id})).collect())
            }
            "/member/getLoginWcIds" if body["password"] == PASSWORD => {
                ok(world.online.iter().map(|(wc_id, _)| json!(wc_id)).collect())
            }
            "/isOnline" => {
                let is_online = world.truly.iter().any(|w_id| body["wId"] == *w_id);
                ok(json!({"isOnline": is_online}))
            }
            "/iPadLogin" => {
                ok(json!({"wId": world.code.unwrap_or("w-coded"), "qrCodeUrl": "http://127.0.0.1:1/1.png"}))
            }
            "/getIPadLoginInfo" => ok(match world.online.iter().find(|(_, w_id)| body["wId"] == *w_id) {
                Some((wc_id, w_id)) => json!({"wcId": wc_id, "wId": w_id, "nickName": "甲", "headUrl": ""}),
                None => json!({"status": 1}),
            }),
            "/member/offline" => {
                let gone = body["wcIds"].as_array().unwrap().clone();
                world.online.retain(|(wc_id, _)| !gone.contains(&json!(wc_id)));
                ok(Value::Null)
            }
            _ => (404, json!({})),
        }
    }
}

/// A home that is signed in to a gateway of its own.
fn signed_in(dialect: &str, keep: bool) -> (tempfile::TempDir, std::sync::Arc<std::sync::Mutex<gateway::World>>) {
    let home = home();
    let (url, world) = gateway::start();
    let mut arguments = vec!["sign-in", "--gateway", &url, "--dialect", dialect, "--account", "138", "--json"];
    if keep {
        arguments.push("--keep-password");
    }
    let (code, out, err) = run(saoma(home.path()).env("SAOMA_PASSWORD", gateway::PASSWORD), &arguments);
    assert_eq!(code, 0, "{out}{err}");
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&object["event"], &object["profile"]), (&"signed_in".into(), &"default".into()));
    (home, world)
}

fn json(home: &Path, arguments: &[&str]) -> (i32, Value) {
    let mut all = arguments.to_vec();
    all.push("--json");
    let (code, out, err) = run(&mut saoma(home), &all);
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}{err}")))
}

#[test]
fn sign_in_keeps_token_and_profile_and_nothing_more() {
    use std::os::unix::fs::MetadataExt;
    let (home, _) = signed_in("v2", false);
    let config = std::fs::read_to_string(home.path().join("config/saoma/config.toml")).unwrap();
    assert!(config.contains("[profile.default]") && config.contains("account = \"138\""), "{config}");
    assert!(!config.contains("test-"), "no secret in {config}");
    let credentials = home.path().join("state/saoma/credentials.toml");
    assert_eq!(std::fs::metadata(&credentials).unwrap().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(home.path().join("state/saoma")).unwrap().mode() & 0o777, 0o700);
    let text = std::fs::read_to_string(credentials).unwrap();
    assert!(text.contains(gateway::TOKEN) && !text.contains(gateway::PASSWORD), "{text}");
}

#[test]
fn sign_in_says_what_comes_next() {
    let home = home();
    let (url, _world) = gateway::start();
    for (profile, next) in [("default", "Next: saoma\n"), ("office", "Next: saoma --profile office\n")] {
        let arguments = ["sign-in", "--profile", profile, "--gateway", &url, "--account", "138"];
        let (code, _, err) = run(saoma(home.path()).env("SAOMA_PASSWORD", gateway::PASSWORD), &arguments);
        assert_eq!(code, 0, "{err}");
        assert!(err.ends_with(next), "{err}");
    }
}

#[test]
fn credentials_that_others_can_read_are_closed_and_told_of_once() {
    use std::os::unix::fs::PermissionsExt;
    let (home, _) = signed_in("v2", false);
    let credentials = home.path().join("state/saoma/credentials.toml");
    for (mode, shown) in [(0o644, "(644)"), (0o640, "(640)"), (0o620, "(620)"), (0o604, "(604)"), (0o777, "(777)")] {
        std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(mode)).unwrap();
        let (code, _, err) = run(&mut saoma(home.path()), &["status"]);
        assert_eq!(code, 0, "{err}");
        assert!(err.contains("credentials.toml") && err.contains(shown), "{err}");
        assert_eq!(std::fs::metadata(&credentials).unwrap().permissions().mode() & 0o777, 0o600);
        let (_, _, err) = run(&mut saoma(home.path()), &["status"]);
        assert!(!err.contains(shown), "{err}");
    }
}

#[test]
fn a_second_profile_is_added_by_name() {
    let (home, _) = signed_in("v2", false);
    let (url, _) = gateway::start();
    let (code, out, err) = run(
        saoma(home.path()).env("SAOMA_PASSWORD", gateway::PASSWORD),
        &["sign-in", "--profile", "other", "--gateway", &url, "--account", "139", "--json"],
    );
    assert_eq!(code, 0, "{out}{err}");
    let config = std::fs::read_to_string(home.path().join("config/saoma/config.toml")).unwrap();
    assert!(config.contains("[profile.default]") && config.contains("[profile.other]"), "{config}");
    let (code, object) = json(home.path(), &["status", "--profile", "other"]);
    assert_eq!((code, &object["profile"]), (0, &"other".into()));
    let (code, object) = json(home.path(), &["wid", "nobody"]);
    assert_eq!((code, &object["profile"]), (10, &"default".into()));
}

#[test]
fn a_refused_sign_in_keeps_nothing() {
    let home = home();
    let (url, _) = gateway::start();
    let (code, out, err) =
        run(saoma(home.path()).env("SAOMA_PASSWORD", "wrong"), &["sign-in", "--gateway", &url, "--account", "138"]);
    assert_eq!((code, out.as_str()), (6, ""), "{err}");
    assert!(err.contains("密码") && !err.contains('\u{1b}') && !err.contains("wrong"), "{err}");
    assert!(!home.path().join("config").exists());
    assert!(!home.path().join("state/saoma/credentials.toml").exists());
}

#[test]
fn status_brings_the_accounts_and_wid_hands_them_out() {
    let (home, world) = signed_in("v2", false);
    let home = home.path();
    assert_eq!(run(&mut saoma(home), &["wid", "wxid_a"]).0, 10);
    world.lock().unwrap().online = vec![("wxid_a", "w-1"), ("wxid_b", "w-2")];
    let (code, object) = json(home, &["status"]);
    assert_eq!((code, &object["event"]), (0, &"status".into()));
    let accounts = object["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 2);
    assert_eq!((&accounts[0]["presence"], &accounts[0]["stale"]), (&"online".into(), &false.into()));
    assert_eq!(run(&mut saoma(home), &["wid", "wxid_a"]), (0, "w-1\n".into(), String::new()));

    // A new wId, and a drop: two lists agree.
    world.lock().unwrap().online = vec![("wxid_a", "w-3")];
    let (code, object) = json(home, &["status", "wxid_b"]);
    assert_eq!((code, &object["accounts"][0]["presence"]), (11, &"offline".into()));
    assert_eq!(run(&mut saoma(home), &["wid", "wxid_a"]).1, "w-3\n");
    let (code, out, err) = run(&mut saoma(home), &["wid", "wxid_b"]);
    assert_eq!((code, out.as_str()), (11, ""), "{err}");
    assert_eq!(run(&mut saoma(home), &["wid", "wxid_b", "--any"]).1, "w-2\n");
    let (code, object) = json(home, &["wid", "wxid_b", "--check"]);
    assert_eq!((code, &object["event"], &object["reason"]), (11, &"error".into(), &"not_online".into()));
    // Parts are for people at a terminal.
    assert_eq!(run(&mut saoma(home), &["wid", "xid_a"]).0, 10);
}

/// A list that lacks most of the accounts while one of them says that it is online is the gateway's fault: said so, and
/// nothing that rests on older lists is handed out as certain.
#[test]
fn a_list_that_cannot_be_believed_is_told_as_an_outage() {
    let (home, world) = signed_in("v2", false);
    let home = home.path();
    world.lock().unwrap().online = vec![("wxid_a", "w-1"), ("wxid_b", "w-2"), ("wxid_c", "w-3"), ("wxid_d", "w-4")];
    assert_eq!(json(home, &["status"]).0, 0);
    {
        let mut world = world.lock().unwrap();
        world.online.truncate(1);
        world.truly = vec!["w-2", "w-3", "w-4"];
        world.calls.clear();
    }
    let (code, object) = json(home, &["status", "wxid_b"]);
    assert_eq!((code, &object["accounts"][0]["presence"]), (11, &"online".into()), "{object}");
    assert_eq!(object["accounts"][0]["stale"], true);
    assert!(object["outage_since"].is_string(), "{object}");
    // Two lists and one check settle it.
    let asked: Vec<String> = world.lock().unwrap().calls.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(asked, ["/queryLoginWx", "/queryLoginWx", "/isOnline"]);
    let (code, out, err) = run(&mut saoma(home), &["wid", "wxid_b", "--check"]);
    assert_eq!((code, out.as_str()), (11, ""), "{err}");
    assert!(!err.contains("--check"), "{err}");
    // Well again.
    world.lock().unwrap().online = vec![("wxid_a", "w-1"), ("wxid_b", "w-2"), ("wxid_c", "w-3"), ("wxid_d", "w-4")];
    let (code, object) = json(home, &["status", "wxid_b"]);
    assert_eq!((code, &object["outage_since"]), (0, &Value::Null), "{object}");
    assert_eq!(run(&mut saoma(home), &["wid", "wxid_b"]).1, "w-2\n");
}

#[test]
fn offline_takes_a_yes_and_says_so_to_the_gateway() {
    let (home, world) = signed_in("v2", false);
    let home = home.path();
    world.lock().unwrap().online = vec![("wxid_a", "w-1"), ("wxid_b", "w-2")];
    assert_eq!(json(home, &["status"]).0, 0);
    assert_eq!(json(home, &["offline", "wxid_a"]).0, 2);
    let (code, object) = json(home, &["offline", "wxid_a", "--yes"]);
    assert_eq!((code, &object["wc_ids"][0]), (0, &"wxid_a".into()));
    let call = world.lock().unwrap().calls.last().cloned().unwrap();
    assert_eq!(call, ("/member/offline".into(), serde_json::json!({"account": "138", "wcIds": ["wxid_a"]})));
    assert_eq!(run(&mut saoma(home), &["wid", "wxid_a"]).0, 11);
    let (_, object) = json(home, &["accounts", "--offline"]);
    assert_eq!(object["accounts"][0]["source"], "own");
}

#[test]
fn a_rejected_token_and_a_dead_gateway_have_their_codes() {
    let (home, world) = signed_in("v2", false);
    let asked = || world.lock().unwrap().calls.iter().filter(|(path, _)| path == "/queryLoginWx").count();
    let before = asked();
    let (code, out, err) = run(saoma(home.path()).env("SAOMA_TOKEN", "old"), &["status"]);
    assert_eq!((code, out.as_str()), (6, ""), "{err}");
    assert_eq!(asked() - before, 2, "a suspect token is confirmed by a second harmless call");
    let dead =
        saoma(home.path()).env("SAOMA_GATEWAY", "127.0.0.1:1").env("SAOMA_TOKEN", "t").run(&["status", "--json"]);
    assert_eq!(dead.0, 7, "{dead:?}");
    assert!(dead.1.contains("\"gateway_down\""), "{dead:?}");
    // Signed in elsewhere means not signed in here.
    let other = run(saoma(home.path()).env("SAOMA_ACCOUNT", "139"), &["status"]);
    assert_eq!(other.0, 6, "{other:?}");
}

trait Run {
    fn run(&mut self, arguments: &[&str]) -> (i32, String, String);
}

impl Run for Command {
    fn run(&mut self, arguments: &[&str]) -> (i32, String, String) {
        self::run(self, arguments)
    }
}

#[test]
fn status_finishes_what_a_killed_login_left() {
    // V1's list knows no wIds: if nobody asks for the code again, the wId is lost.
    for keep in [true, false] {
        let (home, world) = signed_in("v1", keep);
        let polls = || world.lock().unwrap().calls.iter().filter(|(path, _)| path == "/getIPadLoginInfo").count();
        let mut login = std::process::Command::new(assert_cmd::cargo::cargo_bin("saoma"))
            .env_clear()
            .env("XDG_CONFIG_HOME", home.path().join("config"))
            .env("XDG_STATE_HOME", home.path().join("state"))
            .args(["login", "--json"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while polls() == 0 {
            assert!(std::time::Instant::now() < deadline, "the login never polled");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        login.kill().unwrap();
        login.wait().unwrap();

        world.lock().unwrap().online = vec![("wxid_a", "w-coded")];
        let (code, object) = json(home.path(), &["status"]);
        assert_eq!((code, &object["accounts"][0]["w_id"]), (0, &"w-coded".into()), "{object}");
        assert_eq!(run(&mut saoma(home.path()), &["wid", "wxid_a"]), (0, "w-coded\n".into(), String::new()));
        let codes = world.lock().unwrap().calls.iter().filter(|(path, _)| path == "/iPadLogin").count();
        assert_eq!(codes, 1, "no code was asked for twice");
    }
}

/// All that is stored is as a clock would have noted it that was so far ahead.
fn set_ahead(home: &Path, ms: i64) {
    use sqlx::ConnectOptions as _;
    let database = sqlx::sqlite::SqliteConnectOptions::new().filename(home.join("state/saoma/saoma.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = database.connect().await.unwrap();
        for (table, columns) in [
            ("accounts", &["observed_at", "last_login_at", "first_login_at"][..]),
            ("attempts", &["requested_at", "deadline"]),
            ("w_ids", &["requested_at", "stored_at"]),
            ("presences", &["at"]),
            ("log", &["at"]),
            ("outbox", &["due"]),
            ("watched", &["since", "until"]),
            ("profiles", &["last_list_at", "clock_from", "clock_at"]),
        ] {
            let set: Vec<_> = columns.iter().map(|column| format!("{column} = {column} + {ms}")).collect();
            let statement = sqlx::AssertSqlSafe(format!("UPDATE {table} SET {}", set.join(", ")));
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
    });
}

#[test]
fn no_dead_wid_is_handed_out_after_a_clock_that_was_ahead() {
    let (hours, minutes, year) = (8 * 3_600_000, 600_000, 365 * 86_400_000);
    for (dialect, aheads) in [("v1", &[hours][..]), ("v2", &[minutes, hours, year]), ("v3", &[hours])] {
        for ahead in aheads.iter().copied() {
            let (home, world) = signed_in(dialect, true);
            let home = home.path();
            let log_in = |w_id: &'static str| {
                {
                    let mut world = world.lock().unwrap();
                    (world.code, world.online) = (Some(w_id), vec![("wxid_a", w_id), ("wxid_b", "w-b")]);
                }
                let (code, out, err) = run(&mut saoma(home), &["login", "--json"]);
                assert_eq!(code, 0, "{dialect} {ahead}: {out}{err}");
                let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
                assert_eq!((&last["event"], &last["w_id"]), (&"logged_in".into(), &w_id.into()), "{out}");
            };
            let wid = |more: &[&str]| {
                let (code, out, _) = run(&mut saoma(home), &[&["wid", "wxid_a"], more].concat());
                (code, out)
            };
            log_in("w-1");
            assert_eq!(wid(&[]), (0, "w-1\n".into()));
            set_ahead(home, ahead);
            // How old that evidence is nobody knows: it may be asked for.
            assert_eq!(wid(&[]), (11, String::new()), "{dialect} {ahead}");
            assert_eq!(wid(&["--check"]), (0, "w-1\n".into()), "{dialect} {ahead}");
            assert_eq!(wid(&[]), (0, "w-1\n".into()), "{dialect} {ahead}");
            set_ahead(home, ahead);
            // It drops.
            world.lock().unwrap().online.remove(0);
            for more in [&["--check"][..], &[], &["--check"]] {
                assert_eq!(wid(more), (11, String::new()), "{dialect} {ahead} {more:?}");
            }
            set_ahead(home, ahead);
            log_in("w-2");
            assert_eq!(wid(&[]), (0, "w-2\n".into()), "{dialect} {ahead}");
            // What it has noted is of the past.
            let (_, object) = json(home, &["accounts"]);
            let now = jiff::Timestamp::now();
            let accounts = object["accounts"].as_array().unwrap();
            let account = accounts.iter().find(|account| account["wc_id"] == "wxid_a").unwrap();
            for field in ["observed_at", "last_login_at"] {
                let at: jiff::Timestamp = account[field].as_str().unwrap().parse().unwrap();
                assert!(at <= now, "{field} {at}");
            }
            let (_, history) = json(home, &["history"]);
            let lines = history["lines"].as_array().unwrap();
            assert!(lines.len() >= 3, "{history}");
            for line in lines {
                let at: jiff::Timestamp = line["at"].as_str().unwrap().parse().unwrap();
                assert!(at <= now, "{line}");
            }
            let (_, doctor) = json(home, &["doctor"]);
            let checks = doctor["checks"].as_array().unwrap();
            let clock = checks.iter().find(|check| check["name"] == "clock").unwrap();
            assert_eq!(clock["state"], "warn", "{clock}");
        }
    }
}

#[test]
fn v1_needs_the_password_for_its_list() {
    let (home, world) = signed_in("v1", false);
    world.lock().unwrap().online = vec![("wxid_a", "unseen")];
    let (code, object) = json(home.path(), &["status"]);
    assert_eq!((code, &object["reason"]), (0, &"needs_password".into()));
    assert_eq!(object["accounts"], serde_json::json!([]));

    let (home, world) = signed_in("v1", true);
    world.lock().unwrap().online = vec![("wxid_a", "unseen")];
    let (code, object) = json(home.path(), &["status"]);
    let account = &object["accounts"][0];
    assert_eq!((code, &account["presence"], &account["w_id"]), (0, &"online".into(), &Value::Null));
    // On line, but V1's list never says under which wId.
    assert_eq!(run(&mut saoma(home.path()), &["wid", "wxid_a"]).0, 11);
    // Nor whether an imported one lives: asking it is no advice.
    let imported = saoma(home.path()).write_stdin("wc_id,w_id\nwxid_a,w-1\n").run(&["accounts", "import", "-"]);
    assert_eq!(imported.0, 0, "{imported:?}");
    let (code, out, err) = run(&mut saoma(home.path()), &["wid", "wxid_a", "--check"]);
    assert_eq!((code, out.as_str()), (11, ""), "{err}");
    assert!(err.contains("--ladder") && !err.contains("--check"), "{err}");
}

#[test]
fn accounts_are_added_edited_exported_imported_removed() {
    let (home, world) = signed_in("v2", false);
    let home = home.path();
    let (code, object) = json(home, &["accounts", "add", "wxid_a", "--holder", "王五", "--tags", "a,b"]);
    assert_eq!(
        (code, &object["created"], &object["account"]["tags"]),
        (0, &true.into(), &serde_json::json!(["a", "b"]))
    );
    assert_eq!(json(home, &["accounts", "add", "wxid_a"]).1["created"], false);
    assert_eq!(json(home, &["accounts", "edit", "wxid_a", "--note", "n"]).1["account"]["note"], "n");
    assert_eq!(run(&mut saoma(home), &["accounts", "edit", "wxid_a"]).0, 2);

    let file = home.join("more.csv");
    std::fs::write(&file, "wc_id,w_id,nick_name\nwxid_b,w-9,李四\nwxid_a,,张三\n").unwrap();
    let (code, object) = json(home, &["accounts", "import", file.to_str().unwrap()]);
    assert_eq!((code, &object["read"], &object["created"]), (0, &2.into(), &1.into()));
    std::fs::write(&file, "wc_id\nwxid_c\nwx id\n").unwrap();
    let (code, _, err) = run(&mut saoma(home), &["accounts", "import", file.to_str().unwrap()]);
    assert_eq!(code, 1, "{err}");
    assert_eq!(json(home, &["accounts"]).1["accounts"].as_array().unwrap().len(), 2, "all rows or none");

    let (code, csv, _) = run(&mut saoma(home), &["accounts", "export"]);
    assert_eq!(code, 0);
    assert_eq!(csv, "wc_id,w_id,nick_name,w_account,holder,tags,note\nwxid_a,,张三,,王五,a;b,n\nwxid_b,w-9,李四,,,,\n");
    // An imported wId is the last known one, not a confirmed one.
    assert_eq!(run(&mut saoma(home), &["wid", "wxid_b"]).0, 11);
    assert_eq!(run(&mut saoma(home), &["wid", "wxid_b", "--any"]).1, "w-9\n");
    // Until a list carries it.
    world.lock().unwrap().online = vec![("wxid_b", "w-9")];
    assert_eq!(run(&mut saoma(home), &["wid", "--name", "李四", "--check"]).1, "w-9\n");

    let (code, table, _) = run(&mut saoma(home), &["accounts", "--sort", "wc-id"]);
    assert_eq!(code, 0);
    assert!(table.starts_with("NAME") && table.lines().count() == 3 && !table.contains('\u{1b}'), "{table}");

    assert_eq!(run(&mut saoma(home), &["accounts", "remove", "wxid_a"]).0, 2);
    assert_eq!(json(home, &["accounts", "remove", "wxid_a", "--yes"]).1["wc_ids"][0], "wxid_a");
    assert_eq!(json(home, &["accounts"]).1["accounts"].as_array().unwrap().len(), 1);
    let again = saoma(home).write_stdin(csv).run(&["accounts", "import", "-", "--json"]);
    assert_eq!(again.0, 0, "{again:?}");
    assert!(again.1.contains("\"created\":1"), "{again:?}");
}

/// A holder chooses his nickname, and may choose the id of an account that is not known here.
#[test]
fn a_name_is_not_an_id() {
    let all = ["wxid_boss", "李四", "王五", "wxid_cfo", "WXID_EVIL", "wxid_", "w-evil", ""];
    for (dialect, names) in [("v1", &all[..2]), ("v2", &all), ("v3", &all[..2])] {
        let (home, world) = signed_in(dialect, true);
        let home = home.path();
        let fleet = r#"[{"wc_id":"wxid_evil","w_id":"w-evil","nick_name":"wxid_boss","w_account":"wxid_cfo"},
            {"wc_id":"wxid_b","w_id":"w-b","nick_name":"李四"},{"wc_id":"wxid_c","nick_name":"李四"},
            {"wc_id":"wxid_d","nick_name":"wxid_b"},{"wc_id":"old-id","nick_name":" 王五 ","w_id":"w-5"}]"#;
        assert_eq!(saoma(home).write_stdin(fleet).run(&["accounts", "import", "-"]).0, 0);
        world.lock().unwrap().online = vec![("wxid_evil", "w-evil"), ("wxid_b", "w-b")];
        world.lock().unwrap().calls.clear();
        for &name in names {
            for command in [
                &["wid", name][..],
                &["wid", name, "--any"],
                &["offline", name, "--yes"],
                &["offline", "wxid_b", name, "--yes"],
                &["login", name],
                &["login", name, "--ladder"],
                &["second-login", name],
                &["status", name],
                &["history", name],
                &["accounts", "edit", name, "--note", "x"],
                &["accounts", "remove", name, "--yes"],
            ] {
                let (code, object) = json(home, command);
                assert_eq!((code, &object["event"]), (10, &"error".into()), "{dialect} {command:?} {object}");
                assert!(object["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{object}");
            }
        }
        let asked = world.lock().unwrap().calls.clone();
        let harmless = ["/queryLoginWx", "/member/getLoginWcIds", "/isOnline"];
        assert!(asked.iter().all(|(path, _)| harmless.contains(&path.as_str())), "{asked:?}");
        // Whoever says that it is a name gets who has it, if one has.
        let any = |name: &str| run(&mut saoma(home), &["wid", "--any", "--name", name]);
        for (name, w_id) in
            [("wxid_boss", "w-evil\n"), ("wxid_cfo", "w-evil\n"), ("王五", "w-5\n"), ("old-id", "w-5\n")]
        {
            assert_eq!(any(name), (0, w_id.into(), String::new()), "{name}");
        }
        for (name, candidates) in [("李四", ["(wxid_b)", "(wxid_c)"]), ("wxid_b", ["(wxid_b)", "(wxid_d)"])] {
            let (code, object) = json(home, &["wid", "--any", "--name", name]);
            assert_eq!((code, &object["reason"]), (10, &"ambiguous".into()), "{object}");
            for part in candidates {
                assert!(object["hint"].as_str().unwrap().contains(part), "{object}");
            }
        }
        assert_eq!([any("").0, any("王").0, any("nobody").0], [10, 10, 10]);
        // An id is one, whoever is called so.
        assert_eq!(run(&mut saoma(home), &["wid", " wxid_b", "--any"]), (0, "w-b\n".into(), String::new()));
        let (code, object) = json(home, &["offline", "wxid_b", "--name", "wxid_boss", "--name", "王五", "--yes"]);
        assert_eq!((code, &object["wc_ids"]), (0, &serde_json::json!(["wxid_b", "wxid_evil", "old-id"])), "{object}");
        // One of the two.
        assert_eq!(run(&mut saoma(home), &["wid", "wxid_b", "--name", "王五"]).0, 2);
        assert_eq!(run(&mut saoma(home), &["login", "--all-offline", "--yes", "--name", "王五"]).0, 2);
    }
}

#[test]
fn a_list_of_ids_holds_nothing_but_ids() {
    let (home, _world) = signed_in("v2", false);
    let home = home.path();
    let fleet = r#"[{"wc_id":"wxid_a","nick_name":"wxid_c"},{"wc_id":"wxid_b","nick_name":"李四"}]"#;
    assert_eq!(saoma(home).write_stdin(fleet).run(&["accounts", "import", "-"]).0, 0);
    let status = |bytes: &[u8]| {
        let file = home.join("ids");
        std::fs::write(&file, bytes).unwrap();
        let list = format!("@{}", file.display());
        let (code, out, _) = run(&mut saoma(home), &["status", &list, "--json"]);
        let (piped, also, _) = saoma(home).write_stdin(bytes).run(&["status", "-", "--json"]);
        assert_eq!(code, piped);
        let object: Value = serde_json::from_str(&out).unwrap();
        let ids = |object: &Value| {
            object["accounts"].as_array().map(|list| list.iter().map(|a| a["wc_id"].clone()).collect::<Vec<_>>())
        };
        assert_eq!(ids(&serde_json::from_str(&also).unwrap()), ids(&object));
        (code, object)
    };
    let utf16: Vec<u8> = "\u{feff}wxid_a\r\nwxid_b\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [&b"wxid_a\nwxid_b\nwxid_a\n"[..], b"\xef\xbb\xbf# mine\r\n wxid_a \r\n\r\nwxid_b", &utf16] {
        let (code, object) = status(bytes);
        // Eleven: they are not online.
        assert_eq!((code, object["accounts"].as_array().unwrap().len()), (11, 2), "{object}");
    }
    for bytes in [&b"wxid_a\nwxid_c\n"[..], "wxid_a\n李四\n".as_bytes(), b"wxid_a\nwxid_a,wxid_b\n"] {
        let (code, object) = status(bytes);
        assert_eq!((code, &object["reason"]), (10, &"no_such_account".into()), "{object}");
        assert!(object["message"].as_str().unwrap().contains("line 2"), "{object}");
    }
    assert_eq!(status(b"# nobody\n\n").0, 2);
    assert_eq!(run(&mut saoma(home), &["wid", &format!("@{}", home.join("nowhere").display())]).0, 1);
}

#[test]
fn an_import_is_looked_at_before_it_is_believed() {
    let (home, _world) = signed_in("v2", false);
    let home = home.path();
    let file = home.join("fleet.csv");
    let path = file.to_str().unwrap();
    let import = |bytes: &[u8], flags: &[&str]| {
        std::fs::write(&file, bytes).unwrap();
        json(home, &[&["accounts", "import", path], flags].concat())
    };
    let count = || json(home, &["accounts"]).1["accounts"].as_array().unwrap().len();
    let text = "wc_id,nick_name,tags\r\n#wxid_a,张三,\r\nwxid_b,李,四,x\r\nwxid_c,\"王五\r\nwxid_d,赵六,vip|shop\r\n张三,,\r\n";
    let (code, object) = import(text.as_bytes(), &[]);
    assert_eq!((code, &object["reason"]), (1, &"import".into()), "{object}");
    for part in ["2–4, 6", "(4)", "#wxid_a", "Line 3", "Line 4", "Line 6"] {
        assert!(object["message"].as_str().unwrap().contains(part), "{part}: {object}");
    }
    assert!(object["hint"].as_str().unwrap().contains("--skip-bad"), "{object}");
    assert_eq!(count(), 0, "all rows or none");
    let (code, object) = import(text.as_bytes(), &["--skip-bad"]);
    assert_eq!(
        (code, &object["read"], &object["skipped"]),
        (0, &1.into(), &serde_json::json!([2, 3, 4, 6])),
        "{object}"
    );
    let (_, list) = json(home, &["accounts"]);
    assert_eq!(list["accounts"][0]["tags"], serde_json::json!(["vip", "shop"]), "{list}");
    let (code, _, err) = run(&mut saoma(home), &["accounts", "import", path, "--skip-bad"]);
    assert!(code == 0 && err.contains("left out (4)") && err.contains("2–4, 6"), "{err}");

    // What spreadsheets in China save.
    let text = "wc_id;nick_name\r\nwxid_gbk;张三\r\n";
    let gbk = encoding_rs::GB18030.encode(text).0.into_owned();
    let utf16: Vec<u8> = format!("\u{feff}{}", text.replace(';', "\t").replace("gbk", "utf16"))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (bytes, wc_id, encoding) in [(gbk, "wxid_gbk", "GB18030"), (utf16, "wxid_utf16", "UTF-16")] {
        let (code, object) = import(&bytes, &[]);
        assert_eq!((code, &object["encoding"], &object["created"]), (0, &encoding.into(), &1.into()), "{object}");
        let (_, list) = json(home, &["accounts"]);
        let known = list["accounts"].as_array().unwrap().iter().find(|account| account["wc_id"] == wc_id);
        assert_eq!(known.unwrap()["nick_name"], "张三", "{list}");
    }
    let before = count();
    for bytes in [
        &b"wxid_x;name;holder\n"[..],
        b"wxid_x\tname\n",
        b"nick_name,holder\nx,y\n",
        b"PK\x03\x04",
        b"wc_id,note\nwxid_x,\x00\xff\xfe\n",
        b"{\"code\":\"1001\",\"data\":null}",
        b"[{\"wcId\":\"wxid_x\"",
    ] {
        for flags in [&[][..], &["--skip-bad"]] {
            let (code, object) = import(bytes, flags);
            assert_eq!((code, &object["event"]), (1, &"error".into()), "{object}");
        }
    }
    // The end of what is no list is not waited for.
    let endless = saoma(home).write_stdin(vec![b'a'; 17 << 20]).run(&["accounts", "import", "-"]);
    assert!(endless.0 == 1 && endless.2.contains("16 MiB"), "{endless:?}");
    assert_eq!(count(), before);
    // The gateway's own list.
    let (code, object) = import(br#"{"code":"1000","message":"ok","data":[{"wcId":"wxid_l","wId":"w-l"}]}"#, &[]);
    assert_eq!((code, &object["created"]), (0, &1.into()), "{object}");
    assert_eq!(run(&mut saoma(home), &["wid", "wxid_l", "--any"]).1, "w-l\n");
}

#[test]
fn an_export_is_safe_in_a_spreadsheet_and_comes_back() {
    let (home, _world) = signed_in("v2", false);
    let fleet = r#"[{"wc_id":"wxid_a","nick_name":"=cmd|'/C calc'!A0","holder":"-王五","note":"@\nx","tags":["+vip","shop"]},
        {"wc_id":"wxid_b","nick_name":"'=1","w_account":"'plain"}]"#;
    assert_eq!(saoma(home.path()).write_stdin(fleet).run(&["accounts", "import", "-"]).0, 0);
    let (code, csv, _) = run(&mut saoma(home.path()), &["accounts", "export", "--bom"]);
    assert_eq!(code, 0);
    let plain = run(&mut saoma(home.path()), &["accounts", "export"]).1;
    assert_eq!(csv, format!("\u{feff}{plain}"));
    assert!(plain.contains("wxid_a,,'=cmd|'/C calc'!A0,,'-王五,'+vip;shop,\"'@\nx\"\n"), "{plain}");
    assert_eq!(run(&mut saoma(home.path()), &["accounts", "export", "--bom", "--json"]).0, 2);
    let (other, _world) = signed_in("v2", false);
    assert_eq!(saoma(other.path()).write_stdin(csv).run(&["accounts", "import", "-"]).0, 0);
    let accounts = |home: &Path| json(home, &["accounts"]).1["accounts"].clone();
    assert_eq!(accounts(other.path()), accounts(home.path()));
}

#[test]
fn what_is_not_a_wc_id_is_not_added() {
    let (home, _world) = signed_in("v2", false);
    for text in
        ["张三", "wxid_a;张三;老王", "wxid_a,wxid_b", "wx id", "@wxid_a", "#wxid_a", "", "a/b", "wxid_a\u{200b}"]
    {
        let (code, object) = json(home.path(), &["accounts", "add", text]);
        assert_eq!((code, &object["event"]), (2, &"error".into()), "{text}: {object}");
        assert!(object["hint"].as_str().unwrap().contains("wxid_"), "{object}");
    }
    assert_eq!(json(home.path(), &["accounts"]).1["accounts"], serde_json::json!([]));
}

#[test]
fn tags_come_and_go_holders_filter_and_devices_are_checked() {
    let (home, _world) = signed_in("v2", false);
    let home = home.path();
    let edit = |flags: &[&str]| json(home, &[&["accounts", "edit", "wxid_a"], flags].concat()).1["account"].clone();
    json(home, &["accounts", "add", "wxid_a", "--holder", "王五", "--tags", "a,b"]);
    json(home, &["accounts", "add", "wxid_b", "--holder", "李四"]);
    assert_eq!(edit(&["--tags", "-a,+c"])["tags"], serde_json::json!(["b", "c"]));
    assert_eq!(edit(&["--tags", "x"])["tags"], serde_json::json!(["x"]));
    assert_eq!(run(&mut saoma(home), &["accounts", "edit", "wxid_a", "--tags", "+a,b"]).0, 2);
    // Nobody fits, which is not nobody at all.
    let (code, out, err) = run(&mut saoma(home), &["accounts", "--holder", "谁"]);
    assert_eq!((code, out.as_str(), err.trim()), (0, "", "No account fits."));
    let only = json(home, &["accounts", "--holder", "李四"]).1;
    assert_eq!((only["accounts"].as_array().unwrap().len(), &only["accounts"][0]["wc_id"]), (1, &"wxid_b".into()));
    assert_eq!(only["accounts"][0]["budget"]["codes"], 0);

    for bad in [
        &["--device", "my ipad"][..],
        &["--proxy", "me:hunter2@203.0.113.9:1080"],
        &["--proxy-user", "me"],
        &["--aid", "a b"],
    ] {
        let (code, _, err) = run(&mut saoma(home), &[&["accounts", "edit", "wxid_a"], bad].concat());
        assert_eq!(code, 2, "{bad:?}");
        assert!(!err.contains("hunter2") && !err.contains("cli."), "{err}");
    }
    let flags = ["accounts", "edit", "wxid_a", "--proxy", "203.0.113.9:1080", "--proxy-password-stdin"];
    let (code, out, err) = saoma(home).write_stdin("hunter2\n").run(&flags);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("v2"), "a gateway of V2 is told nothing of it: {err}");
    assert!(!out.contains("hunter2") && !err.contains("hunter2"));
}
