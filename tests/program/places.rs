//! Where the program finds itself: terminals of impossible sizes, stores and folders that others hold, cores.

use std::process::{Command, Stdio};

use rustix::process::{Resource, Signal, getrlimit};

use crate::kit::{Desk, Tui, eventually, three};

#[test]
fn no_size_of_a_terminal_breaks_anything() {
    let desk = Desk::new(three());
    // Inside tmux nothing is asked, and no answer waited for.
    let env = [("SAOMA_LANG", "en"), ("TMUX", "/tmp/tmux-0/default,1,0")];
    let mut shell = Tui::shell(desk.home.path(), &env, 100, 40);
    shell.wait_text(">");
    for (columns, rows) in [(65_535, 65_535), (65_535, 1), (1, 65_535), (1, 1), (0, 0), (2, 2)] {
        for (command, code) in [("saoma", 0), ("saoma login wxid_bela --force", 130), ("saoma doctor", 0)] {
            let mark = format!("{columns}x{rows}{}", command.len());
            let line = format!(
                "clear; before=$(stty -g); stty cols {columns} rows {rows}; {command}; code=$?; stty cols 100 rows 40; \
                 after=$(stty -g); clear; [ \"$before\" = \"$after\" ] && echo \"{mark} co\"de=$code\n"
            );
            let codes = desk.asked("iPadLogin");
            let seen = shell.bytes();
            shell.send(line.as_bytes());
            let since =
                |what: &[u8]| shell.raw().get(seen..).unwrap_or_default().windows(what.len()).any(|at| at == what);
            match code {
                0 if command == "saoma" => {
                    eventually("the screen", || since(b"\x1b[?1049h"));
                    shell.send(b"q");
                }
                130 => {
                    eventually("a code", || desk.asked("iPadLogin") > codes);
                    shell.send(b"\x03");
                }
                _ => {}
            }
            shell.wait_text(&format!("{mark} code={code}"));
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_core_is_left_whatever_the_limit() {
    use std::os::unix::process::ExitStatusExt as _;
    let desk = Desk::new(three());
    // As somebody does who wants cores.
    let command = desk.command(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -S -c $(ulimit -H -c) && exec \"$0\" watch"]).arg(command.get_program());
    shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the list", || desk.asked("queryLoginWx") > 0);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core: Vec<&str> =
        limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().split_whitespace().collect();
    assert_eq!(core[4], "0", "{core:?}");
    // What it starts may have cores again.
    let before = getrlimit(Resource::Core).maximum.map_or_else(|| "unlimited".to_owned(), |most| most.to_string());
    assert_eq!(core[5], before, "{core:?}");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::ABORT).unwrap();
    let ended = child.wait().unwrap();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}
