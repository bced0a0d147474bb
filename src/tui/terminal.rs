//! The terminal as we found it, as we need it, and back: on quit, error, panic, signals and stops.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ratatui::layout::Size;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr, ttyname};

use super::owed::{self, Owed};
use super::{Error, capabilities};
use crate::app::Protocol;

/// Alternate screen, cursor hidden, pastes bracketed. No mouse, no keyboard protocol: what is not turned on need not be
/// turned off, and the terminal keeps its own selection of text.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// Ends whatever sequence was cut off (CAN), then all of [`ENTER`] back, and a frame that was begun.
const LEAVE: &[u8] = b"\x18\x1b[?2026l\x1b[m\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// For terminals that may have no alternate screen: nothing of ours stays behind, the prompt comes at the top.
const WIPE: &[u8] = b"\x1b[m\x1b[H\x1b[J";

/// What brings the terminal back; in a static, so that the panic hook finds it.
static ACTIVE: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

#[derive(Debug)]
struct Shared {
    input: OwnedFd,
    output: OwnedFd,
    wipe: bool,
    state: Mutex<Saved>,
}

#[derive(Debug)]
struct Saved {
    termios: Termios,
    entered: bool,
    /// How pictures were shown, if any was.
    pictures: Option<Protocol>,
    /// An answer of the terminal that is on its way.
    owed: Option<Owed>,
}

/// The terminal of this process. Dropping it brings the terminal back.
#[derive(Clone, Debug)]
pub struct Tty(Arc<Shared>);

/// Gives the terminal back when it goes out of scope, however that happens.
#[derive(Debug)]
pub struct Guard(Tty);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.leave(Duration::from_millis(40));
        *lock(&ACTIVE) = None;
    }
}

impl Tty {
    /// Takes hold of the terminal on stdin and stdout and notes how it is set; changes nothing yet.
    ///
    /// # Errors
    ///
    /// [`Error::NoTerminal`] when either is no terminal.
    pub fn open() -> Result<(Self, Guard), Error> {
        let (stdin, stdout) = (rustix::stdio::stdin(), rustix::stdio::stdout());
        if !isatty(stdin) || !isatty(stdout) {
            return Err(Error::NoTerminal);
        }
        let termios = tcgetattr(stdin).map_err(io::Error::from)?;
        let shared = Arc::new(Shared {
            input: own(stdin)?,
            output: own(stdout)?,
            wipe: may_lack_alternate_screen(std::env::var_os("TERM").as_deref()),
            state: Mutex::new(Saved { termios, entered: false, pictures: None, owed: None }),
        });
        *lock(&ACTIVE) = Some(Arc::clone(&shared));
        let tty = Self(shared);
        Ok((tty.clone(), Guard(tty)))
    }

    /// Raw mode on. Gives the bytes that set the screen up; they belong in front of the next frame.
    ///
    /// # Errors
    ///
    /// The terminal is gone.
    pub fn enter(&self) -> io::Result<Vec<u8>> {
        let mut saved = lock(&self.0.state);
        if !saved.entered {
            // Whoever had the terminal meanwhile may have set it differently.
            saved.termios = tcgetattr(&self.0.input)?;
        }
        let mut raw = saved.termios.clone();
        raw.make_raw();
        // In the background this stops us until we are brought to the front (SIGTTOU).
        retry_on_intr(|| tcsetattr(&self.0.input, OptionalActions::Now, &raw))?;
        saved.entered = true;
        drop(saved);
        let mut bytes = ENTER.to_vec();
        if self.0.wipe {
            bytes.extend_from_slice(WIPE);
        }
        Ok(bytes)
    }

    /// A picture is about to be shown: to be taken away when the terminal is given back.
    pub fn will_show(&self, protocol: Protocol) {
        lock(&self.0.state).pictures = Some(protocol);
    }

    /// What the terminal was asked and has not answered: it is read away before the terminal is given back.
    pub(super) fn owes(&self, owed: Option<Owed>) {
        lock(&self.0.state).owed = owed;
    }

    /// Brings the terminal back as it was found. A terminal that takes no bytes gets `patience`, then only its settings.
    pub fn leave(&self, patience: Duration) {
        leave(&self.0, patience);
    }

    /// Columns and rows; see [`capabilities::size`].
    pub fn size(&self) -> Size {
        Size::from(capabilities::size(&self.0.output))
    }

    /// Where keys come from.
    pub fn input(&self) -> BorrowedFd<'_> {
        self.0.input.as_fd()
    }

    /// Where frames go to.
    pub fn output(&self) -> BorrowedFd<'_> {
        self.0.output.as_fd()
    }
}

impl io::Write for Tty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.0.output, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Brings the terminal of this process back, if it is taken; for the panic hook.
pub(super) fn leave_active() {
    // `try_lock`, because the panic may have come while the lock was held.
    let active = ACTIVE.try_lock().ok().and_then(|active| active.clone());
    if let Some(shared) = active {
        leave(&shared, Duration::from_millis(200));
    }
}

fn leave(shared: &Shared, patience: Duration) {
    let mut saved = match shared.state.try_lock() {
        Ok(saved) => saved,
        Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(std::sync::TryLockError::WouldBlock) => return,
    };
    if !std::mem::take(&mut saved.entered) {
        return;
    }
    let mut bytes = LEAVE.to_vec();
    if let Some(protocol) = saved.pictures {
        // The end of a picture that was cut off, which not every terminal lets CAN be; the picture itself; its cells.
        let gone = [b"\x18\x1b\\".as_slice(), &protocol.removal(), WIPE].concat();
        bytes.splice(0..0, gone);
    }
    if shared.wipe {
        let at = bytes.len() - b"\x1b[?1049l".len();
        bytes.splice(at..at, WIPE.iter().copied());
    }
    let until = Instant::now() + patience;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(&shared.output, PollFlags::OUT)];
        match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
            Ok(0) => break,
            Ok(_) => match rustix::io::write(&shared.output, rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(_) => break,
            },
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    // Still without echo: what the terminal has yet to say must not become the shell's.
    owed::swallow(shared.input.as_fd(), saved.owed.take());
    // Not `Drain`: a terminal that takes no bytes would keep us here.
    let _gone = retry_on_intr(|| tcsetattr(&shared.input, OptionalActions::Now, &saved.termios));
}

/// A handle of our own on the terminal behind `fd`, so that not waiting for it (`O_NONBLOCK`) is our affair alone: the
/// shell shares the inherited one. A terminal without a name here (of another container), or that is another user's
/// (after `su`), is opened as the one that controls us, if it is that. Else the inherited one, which may wait.
fn own(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let named = ttyname(fd, Vec::new()).and_then(|name| rustix::fs::open(name, flags, Mode::empty()));
    let controls = || tcgetpgrp(fd).is_ok();
    let own = match named {
        Err(_) if controls() => rustix::fs::open("/dev/tty", flags, Mode::empty()),
        named => named,
    };
    match own {
        Ok(own) => Ok(own),
        Err(_) => fd.try_clone_to_owned(),
    }
}

/// GNU screen as it comes, the Linux console of old and unknown terminals draw on their one and only screen.
fn may_lack_alternate_screen(term: Option<&OsStr>) -> bool {
    let term = term.map(OsStr::as_bytes).unwrap_or_default();
    term.is_empty() || [b"screen".as_slice(), b"linux", b"dumb", b"vt"].iter().any(|known| term.starts_with(known))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
