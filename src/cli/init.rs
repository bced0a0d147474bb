//! The first process of a container is everybody's parent in the end: it has to wait for orphans, or they stay as
//! zombies. saoma as that process runs itself as its child, which is then an ordinary process, passes signals on to it,
//! waits for whoever ends, and ends as it does.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process_group, wait};
use rustix::termios::tcsetpgrp;
use signal_hook::consts::{SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// What is passed on.
const PASSED: [i32; 8] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT];

/// Does all that, where this is the first process; its exit code. `None` where it is not, or where it cannot be done:
/// then the program runs as any other.
pub fn run(arguments: &[OsString]) -> Option<u8> {
    if !getpid().is_init() {
        return None;
    }
    let mut signals = Signals::new(PASSED).ok()?;
    let mut program = Command::new(std::env::current_exe().ok()?);
    // A group of its own: what the terminal sends to the one in front comes once then.
    program.args(arguments.get(1..).unwrap_or_default()).process_group(0);
    if let Some(name) = arguments.first() {
        program.arg0(name);
    }
    let program = Pid::from_child(&program.spawn().ok()?);
    if let Ok(terminal) = rustix::fs::open("/dev/tty", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()) {
        // In front of the terminal it can read keys.
        let _not_ours = tcsetpgrp(terminal, program);
    }
    let pass = move || {
        for signal in signals.forever() {
            if let Some(signal) = Signal::from_named_raw(signal) {
                // To the program alone: what it has started it ends itself.
                let _gone = rustix::process::kill_process(program, signal);
            }
        }
    };
    if thread::Builder::new().name("signals".to_owned()).spawn(pass).is_err() {
        // Better an end than a program that hears no signal.
        let _gone = kill_process_group(program, Signal::TERM);
    }
    loop {
        match wait(WaitOptions::UNTRACED) {
            Ok(Some((pid, status))) if pid == program => {
                if let Some(code) = code(status) {
                    return Some(code);
                }
                // Nobody else could wake it.
                let _gone = kill_process_group(program, Signal::CONT);
            }
            // An orphan, or nothing.
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return Some(1),
        }
    }
}

/// The exit code of a process that has ended, as a shell reports it; `None` when it has only stopped.
fn code(status: WaitStatus) -> Option<u8> {
    let ended = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    ended.map(|code| u8::try_from(code).unwrap_or(u8::MAX))
}
