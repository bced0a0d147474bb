//! Signals as something to poll for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

/// Signals that end the program. Without a handler they would end it too, but leave the terminal in pieces.
pub const ENDING: [i32; 7] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM];

/// What a signal means to the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Leave; the signal's number.
    End(i32),
    /// Give the terminal back and stop.
    Stop,
    /// We were stopped and go on now.
    Continue,
    /// The terminal may have another size.
    Resize,
}

/// The handlers and the pipe through which they tell.
#[derive(Debug)]
pub struct Signals(SignalDelivery<UnixStream, SignalOnly>);

impl Signals {
    /// Installs the handlers, whatever was inherited: under `nohup` SIGHUP comes in ignored (perf.md §3.9).
    ///
    /// # Errors
    ///
    /// The system refuses a pipe or a handler.
    pub fn install() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let all = ENDING.into_iter().chain([SIGTSTP, SIGCONT, SIGWINCH]);
        SignalDelivery::with_pipe(read, write, SignalOnly, all).map(Self)
    }

    /// What came since the last call, each signal once.
    pub fn take(&mut self) -> Vec<Told> {
        let told = |signal| match signal {
            SIGTSTP => Told::Stop,
            SIGCONT => Told::Continue,
            SIGWINCH => Told::Resize,
            ending => Told::End(ending),
        };
        self.0.pending().map(told).collect()
    }
}

impl AsFd for Signals {
    /// Becomes readable when there is something to [`Signals::take`].
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}

/// Stops this process as SIGTSTP would; returns when it goes on.
///
/// # Errors
///
/// The system refuses.
pub fn stop() -> io::Result<()> {
    signal_hook::low_level::emulate_default_handler(SIGTSTP)
}

/// Whether a shell with job control started us, so that somebody can wake us after a stop. The leader of a session (as
/// under `ssh -t host saoma`) has nobody: stopping would freeze the line for good.
pub fn has_shell() -> bool {
    let group = rustix::process::getpgrp().as_raw_nonzero().get();
    session().is_some_and(|session| session != group)
}

/// The session's number; 0 where its leader is outside of our process namespace.
fn session() -> Option<i32> {
    match std::fs::read_to_string("/proc/self/stat") {
        // The name before it is in parentheses, and may hold any character.
        Ok(stat) => stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(3)?.parse().ok(),
        Err(_) => rustix::process::getsid(None).ok().map(|session| session.as_raw_nonzero().get()),
    }
}

/// Asks everything that was started together with us to stop, us included, as Ctrl-Z does: a parent such as `cargo run`
/// has to stop too, or the shell would never notice. Our own stop comes back as [`Told::Stop`].
pub fn stop_group() {
    let _refused = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
}
