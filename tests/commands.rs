//! The binary where no gateway is needed: help, wrong uses, settings, exit codes, JSON of errors.

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
    let (code, _, err) = run(&mut saoma(home.path()), &["accounts", "--config", "/nowhere/config.toml"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("/nowhere/config.toml"), "{err}");
    // What needs no settings works all the same.
    assert_eq!(run(&mut saoma(home.path()), &["--help"]).0, 0);
    assert_eq!(run(&mut saoma(home.path()), &["completions", "bash"]).0, 0);
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
