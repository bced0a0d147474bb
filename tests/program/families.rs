//! What saoma starts ends with it, and is never waited for longer than it may take: hooks, and the commands that secrets
//! come from.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use saoma::simulator::Act;

use crate::kit::{Desk, Tui, eventually, three};

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// A process is gone when it is nobody's, or a zombie that its new parent has not looked at yet.
fn is_gone(pid: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit(") ").next().is_some_and(|state| state.starts_with('Z'))
}

/// A hook that hangs with a child and a grandchild, none of which wants to end; the file with the numbers of the three.
fn hanging(desk: &Desk) -> PathBuf {
    let pids = desk.home.path().join("pids");
    let stubborn = "trap \"\" TERM; echo $$ >> PIDS; while :; do sleep 0.1; done";
    let script = format!("#!/bin/sh\n(sh -c '{stubborn}' & sh -c '{stubborn}') &\n{stubborn}\n");
    let hook = desk.home.path().join("hook");
    std::fs::write(&hook, script.replace("PIDS", pids.to_str().unwrap())).unwrap();
    append(&desk.config(), &format!("[alerts]\ncommand = 'sh {} secret-argument'\n", hook.display()));
    pids
}

fn pids(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// That `saoma status` works, and ends before what it must not wait for: that takes longer than any test waits.
#[track_caller]
fn assert_status_ends(desk: &Desk) {
    let mut running = desk.start(&["status"]);
    eventually("its end", || running.is_over());
    let went = running.end();
    assert_eq!(went.code, 0, "{went:?}");
}

#[test]
fn a_hook_that_hangs_ends_with_the_watch() {
    // Killed, it has no exit code.
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::KILL, -1)] {
        let desk = Desk::new(three());
        desk.configure("5s");
        let file = hanging(&desk);
        let watch = desk.start(&["watch"]);
        watch.wait_event("watching");
        desk.sim.act(Act::Online { wc_id: "wxid_bela".into() }).unwrap();
        eventually("the hook", || pids(&file).len() == 3);
        watch.signal(signal);
        assert_eq!(watch.end().code, code);
        for pid in pids(&file) {
            eventually("the hook's end", || is_gone(&pid));
        }
    }
}

#[test]
fn a_hook_that_hangs_ends_with_the_screen() {
    for signal in [None, Some(Signal::TERM), Some(Signal::HUP)] {
        let desk = Desk::new(three());
        desk.configure("5s");
        let file = hanging(&desk);
        let mut tui = desk.tui();
        desk.sim.act(Act::Online { wc_id: "wxid_bela".into() }).unwrap();
        eventually("the hook", || pids(&file).len() == 3);
        match signal {
            Some(signal) => tui.signal(signal),
            None => tui.send(b"q"),
        }
        tui.exit_code();
        tui.assert_whole();
        for pid in pids(&file) {
            eventually("the hook's end", || is_gone(&pid));
        }
    }
}

#[test]
fn a_hook_that_hangs_does_not_hold_up_a_command() {
    let desk = Desk::new(three());
    let file = hanging(&desk);
    desk.sim.act(Act::Online { wc_id: "wxid_bela".into() }).unwrap();
    for _ in 0..2 {
        assert_status_ends(&desk);
        let pids = pids(&file);
        assert!(pids.len() >= 3, "it is tried again: {pids:?}");
        for pid in pids {
            eventually("the hook's end", || is_gone(&pid));
        }
        std::fs::remove_file(&file).unwrap();
    }
    // It waits in the store for one that takes it.
    let told = desk.home.path().join("told");
    std::fs::write(desk.home.path().join("hook"), format!("cat >> {}\n", told.display())).unwrap();
    assert_eq!(desk.run(&["status"]).code, 0);
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("w_id_changed") && told.contains("wxid_bela"), "{told}");
}

#[test]
fn a_failing_hook_is_named_without_its_arguments() {
    for (line, name) in [
        ("sh -c \"exit 3\" secret-argument", Some("sh: exit status: 3")),
        ("TOKEN=secret-argument false", None),
        ("/no/such/hook --token=secret-argument", Some("/no/such/hook: exit status: 127")),
    ] {
        let desk = Desk::new(three());
        append(&desk.config(), &format!("[alerts]\ncommand = '{line}'\n"));
        desk.sim.act(Act::Online { wc_id: "wxid_bela".into() }).unwrap();
        let went = desk.run(&["status"]);
        let log = std::fs::read_to_string(desk.state().join("saoma.log")).unwrap();
        assert!(log.contains("exit status: ") && name.is_none_or(|name| log.contains(name)), "{log}");
        let doctor = desk.run(&["doctor"]);
        for text in [&log, &went.err, &went.out, &doctor.out, &doctor.err] {
            assert!(!text.contains("secret-argument"), "{line}: {text}");
        }
    }
}

/// A profile whose token comes from a command.
fn with_token_command(line: &str) -> Desk {
    let desk = Desk::new(three());
    let text = std::fs::read_to_string(desk.config()).unwrap();
    let token = desk.home.path().join("token");
    std::fs::write(&token, desk.sim.token()).unwrap();
    let line = line.replace("TOKEN", &format!("cat {}", token.display()));
    std::fs::write(desk.config(), text.replace("[watch]", &format!("token_command = '''{line}'''\n[watch]"))).unwrap();
    desk
}

#[test]
fn a_token_command_that_keeps_its_output_open_is_not_waited_for() {
    for line in ["sleep 3600 & TOKEN", "setsid sleep 120 2>/dev/null & TOKEN", "TOKEN; sleep 3600 &"] {
        let desk = with_token_command(line);
        assert_status_ends(&desk);
    }
}

#[test]
fn what_a_command_says_is_seen_in_the_shell_and_not_on_the_screen() {
    let desk = with_token_command("echo NOISE >&2; TOKEN");
    assert!(desk.run(&["status"]).err.contains("NOISE"));
    let mut tui = desk.tui();
    tui.wait_text("list ok");
    assert!(!String::from_utf8_lossy(&tui.raw()).contains("NOISE"));
    tui.quit();
}

#[test]
fn a_login_that_is_alone_waits_for_a_slow_hook() {
    let desk = Desk::new(three());
    let told = desk.home.path().join("told");
    // Longer than any other command waits.
    append(&desk.config(), &format!("[alerts]\ncommand = 'sleep 7; cat >> {}'\n", told.display()));
    let login = desk.start(&["login", "wxid_bela", "--json"]);
    desk.codes(1);
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    let went = login.end();
    assert_eq!(went.code, 0, "{went:?}");
    assert!(went.err.contains("the alerts are still being delivered"), "{went:?}");
    assert!(std::fs::read_to_string(told).unwrap().contains("\"logged_in\""));
}

#[test]
fn a_token_command_that_asks_on_the_terminal_is_told_of() {
    let desk = with_token_command("read answer < /dev/tty; TOKEN");
    let mut tui = Tui::start(desk.home.path(), &["status"], 120, 24);
    tui.wait_text("token_command");
    tui.wait_text("it wants to ask on the terminal");
    assert_ne!(tui.exit_code(), 0);
}

#[test]
fn a_signal_ends_what_waits_for_a_secret_and_the_command_with_it() {
    for arguments in [&["status"][..], &["watch"], &["login", "wxid_bela"]] {
        let desk = with_token_command("sh -c 'echo $$ >> PIDS; sleep 3600' & echo $$ >> PIDS; wait");
        let file = desk.home.path().join("pids");
        let text = std::fs::read_to_string(desk.config()).unwrap();
        std::fs::write(desk.config(), text.replace("PIDS", file.to_str().unwrap())).unwrap();
        let running = desk.start(arguments);
        eventually("the command", || pids(&file).len() == 2);
        running.signal(Signal::TERM);
        assert_eq!(running.end().code, 143, "{arguments:?}");
        for pid in pids(&file) {
            eventually("the command's end", || is_gone(&pid));
        }
    }
}

#[test]
fn as_the_first_process_it_waits_for_orphans_and_passes_signals_on() {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).args(arguments);
        command
    };
    if !unshare(&["true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        // Without the right to make a namespace there is no first process to be. Where all has to be tried, that is no pass.
        assert!(std::env::var_os("CI").is_none(), "unshare is not allowed here");
        return;
    }
    let desk = Desk::new(three());
    desk.configure("5s");
    let told = desk.home.path().join("told");
    // Each call leaves an orphan that ends a moment later.
    let hook = format!("[alerts]\ncommand = 'setsid sh -c \"(sleep 0.1 &)\"; cat >> {}'\n", told.display());
    append(&desk.config(), &hook);
    let saoma = desk.command(&["watch"]);
    let mut command = unshare(&[saoma.get_program().to_str().unwrap(), "watch"]);
    let environment = saoma.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    command.env_clear().envs(environment.collect::<Vec<_>>()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    // unshare, the first process, the program.
    let children = |pid: &str| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut first = String::new();
    eventually("the program", || {
        first = children(&child.id().to_string()).pop().unwrap_or_default();
        !first.is_empty() && children(&first).len() == 1
    });
    for wc_id in ["wxid_bela", "wxid_chen"] {
        desk.sim.act(Act::Online { wc_id: wc_id.into() }).unwrap();
    }
    let hooked = || std::fs::read_to_string(&told).unwrap_or_default();
    eventually("the hooks", || hooked().contains("wxid_bela") && hooked().contains("wxid_chen"));
    eventually("no zombies", || children(&first).len() == 1);
    let first = rustix::process::Pid::from_raw(first.parse().unwrap()).unwrap();
    rustix::process::kill_process(first, Signal::TERM).unwrap();
    eventually("its end", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}
