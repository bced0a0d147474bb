//! Answers that the terminal still owes. Over a slow line they come long after their question, and one that comes when
//! nobody reads any more is typed: into the next question, or into the shell.
//!
//! Whoever asks the terminal notes it here, and reads what is owed away before it gives the terminal back.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{QueueSelector, tcflush};

use super::input::{ESC_HOLD_SLOW, Input, Reader};
use crate::action::KeyCode;

/// An answer that has not come by now never comes: the terminal gives none.
const PATIENCE: Duration = Duration::from_millis(2500);
/// The same over SSH: the line there and back, and what is in its buffers.
const PATIENCE_REMOTE: Duration = Duration::from_millis(3500);

/// What the terminal was asked last: it answers in order, so nothing more is to come behind that answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// Where the cursor is.
    Place,
    /// How large a cell is.
    Cell,
}

impl Last {
    /// Whether this is the answer. The cursor's place was asked in another row than the first, where it looks like a key:
    /// on a line of its own (`inline`) the row is not known.
    pub(super) const fn is(self, input: &Input, inline: bool) -> bool {
        match (self, input) {
            (Self::Place, Input::Position { row, .. }) => inline || *row > 1,
            (Self::Cell, Input::CellSize { .. }) => true,
            _ => false,
        }
    }
}

/// An answer that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    pub(super) last: Last,
    /// Until when it is waited for.
    pub(super) by: Instant,
}

impl Owed {
    /// Asked just now.
    pub(super) fn since_now(last: Last) -> Self {
        Self { last, by: Instant::now() + patience() }
    }
}

/// Whether the terminal is at the other end of a line.
pub(super) fn is_remote() -> bool {
    ["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"].iter().any(|name| std::env::var_os(name).is_some())
}

/// How long after a question its answer may still come.
pub(super) fn patience() -> Duration {
    if is_remote() { PATIENCE_REMOTE } else { PATIENCE }
}

/// Reads away what is owed and whatever else is in the queue. The terminal has to be in raw mode, or the answer is echoed.
/// Ctrl-C ends the wait.
pub(super) fn swallow(terminal: BorrowedFd<'_>, owed: Option<Owed>) {
    // Whether it came or not, nobody waits for it any more.
    let _came = owed.is_none_or(|owed| await_last(terminal, owed));
    forget_typed(terminal);
}

/// Drops what was typed and not read.
pub(super) fn forget_typed(terminal: BorrowedFd<'_>) {
    // A terminal that is gone has nothing to drop.
    let _gone = tcflush(terminal, QueueSelector::IFlush);
}

/// Whether the answer came, or a person wants no more waiting.
fn await_last(terminal: BorrowedFd<'_>, owed: Owed) -> bool {
    let mut reader = Reader::new(ESC_HOLD_SLOW);
    reader.expect_answers(true);
    reader.expect_pictures();
    let begun = Instant::now();
    let mut buffer = [0; 256];
    loop {
        let left = owed.by.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::from_borrowed_fd(terminal, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return false,
        }
        let count = match rustix::io::read(terminal, &mut buffer) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => continue,
            Err(_) => return false,
        };
        let found = reader.feed(buffer.get(..count).unwrap_or_default(), begun.elapsed());
        let over = |input: &Input| owed.last.is(input, true) || is_interrupt(input);
        if found.iter().any(over) {
            return true;
        }
    }
}

/// Ctrl-C.
pub(super) fn is_interrupt(input: &Input) -> bool {
    matches!(input, Input::Key(key) if key.ctrl && key.code == KeyCode::Char('c'))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

    use super::*;

    /// A terminal and what is behind it, in raw mode.
    fn pair() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let slave = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
        let mut raw = tcgetattr(&slave).unwrap();
        raw.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &raw).unwrap();
        (master, slave)
    }

    fn waiting(slave: &std::os::fd::OwnedFd) -> u64 {
        rustix::io::ioctl_fionread(slave).unwrap()
    }

    fn owed(last: Last, wait: Duration) -> Owed {
        Owed { last, by: Instant::now() + wait }
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn what_comes_late_is_read_away_to_its_last_answer() {
        for (last, pieces) in [
            (Last::Place, &[b"\x1b[2;2R".as_slice()][..]),
            (Last::Place, &[b"\x1b[1;2R"]),
            (
                Last::Place,
                &[b"\x1bP>|kitty(0.40.0)\x1b\\", b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c", b"\x1b[6;18;9t\x1b[2", b";2R"],
            ),
            (Last::Cell, &[b"\x1b[2;2R", b"\x1b[6;18;9t"]),
            // Nobody waits against a person's will.
            (Last::Place, &[b"\x03"]),
        ] {
            let (master, slave) = pair();
            let came = std::thread::scope(|scope| {
                let reads = scope.spawn(|| await_last(slave.as_fd(), owed(last, LONG)));
                for piece in pieces {
                    rustix::io::write(&master, piece).unwrap();
                }
                reads.join().unwrap()
            });
            assert!(came && waiting(&slave) == 0, "{pieces:?}");
        }
    }

    #[test]
    fn a_terminal_that_never_answers_holds_nobody_and_what_was_typed_is_dropped() {
        let (master, slave) = pair();
        rustix::io::write(&master, b"typed").unwrap();
        swallow(slave.as_fd(), Some(owed(Last::Place, Duration::ZERO)));
        assert_eq!(waiting(&slave), 0);
        rustix::io::write(&master, b"\x1b[2;2R").unwrap();
        swallow(slave.as_fd(), None);
        assert_eq!(waiting(&slave), 0);
        assert!(!tcgetattr(&slave).unwrap().local_modes.contains(LocalModes::ICANON));
        // One that is gone holds nobody either.
        drop(master);
        assert!(!await_last(slave.as_fd(), owed(Last::Place, LONG)));
    }
}
