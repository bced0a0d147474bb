//! A program in a terminal of its own, and the terminal's side of it.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::process::Used;

/// Nothing for this long is silence. Shorter than the 50 ms that saoma keeps between frames nobody asked for, so that
/// its second frame, which the gateway's first answer brings, is not taken for a part of the first.
pub(crate) const SILENCE: Duration = Duration::from_millis(40);
/// Nobody is waited for longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// What ends a frame of saoma (DEC 2026).
const END_FRAME: &[u8] = b"\x1b[?2026l";

/// A running program and what it has written.
pub(crate) struct Terminal {
    child: Child,
    master: OwnedFd,
    born: Instant,
    screen: vt100::Parser,
    /// What was asked of the terminal that it would have to answer.
    pub(crate) queries: usize,
}

/// What came until silence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Burst {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// From what caused it to its last byte.
    pub(crate) took: Duration,
}

impl Burst {
    /// How many frames it holds.
    pub(crate) fn frames(&self) -> usize {
        self.bytes.windows(END_FRAME.len()).filter(|window| *window == END_FRAME).count()
    }

    /// The bytes of its largest frame.
    pub(crate) fn largest_frame(&self) -> usize {
        let mut rest = self.bytes.as_slice();
        let mut largest = 0;
        while let Some(at) = rest.windows(END_FRAME.len()).position(|window| window == END_FRAME) {
            largest = largest.max(at + END_FRAME.len());
            rest = &rest[at + END_FRAME.len()..];
        }
        largest
    }
}

impl Terminal {
    /// Starts a program in a new terminal of this size. The clock runs from before the start.
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        tcsetwinsize(&master, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 })?;
        let name = ptsname(&master, Vec::new())?;
        let name = name.to_str().map_err(io::Error::other)?;
        let flags = i32::try_from(OFlags::NOCTTY.bits()).map_err(io::Error::other)?;
        let slave = OpenOptions::new().read(true).write(true).custom_flags(flags).open(name)?;
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
        let born = Instant::now();
        let child = command.spawn()?;
        Ok(Self { child, master, born, screen: vt100::Parser::new(size(rows), size(columns), 0), queries: 0 })
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has used so far.
    pub(crate) fn used(&self) -> Used {
        Used::of(self.pid())
    }

    /// The text on the screen.
    pub(crate) fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// From the start to the last byte before silence.
    pub(crate) fn first(&mut self) -> io::Result<Burst> {
        let born = self.born;
        self.listen(born, SILENCE)
    }

    /// Sends bytes as one write, and waits for what they bring.
    pub(crate) fn send(&mut self, bytes: &[u8], silence: Duration) -> io::Result<Burst> {
        let since = Instant::now();
        rustix::io::write(&self.master, bytes)?;
        self.listen(since, silence)
    }

    /// Sends bytes that should bring nothing.
    pub(crate) fn send_quietly(&self, bytes: &[u8]) -> io::Result<()> {
        rustix::io::write(&self.master, bytes)?;
        Ok(())
    }

    /// What comes until there is nothing for so long; at least one byte, unless that never comes.
    pub(crate) fn listen(&mut self, since: Instant, silence: Duration) -> io::Result<Burst> {
        let mut burst = Burst::default();
        let mut buffer = [0; 16384];
        let mut wait = PATIENCE;
        while self.readable(wait)? {
            let count = match rustix::io::read(&self.master, &mut buffer) {
                Ok(count) => count,
                // The program has ended.
                Err(rustix::io::Errno::IO) => break,
                Err(error) => return Err(error.into()),
            };
            burst.took = since.elapsed();
            burst.bytes.extend_from_slice(&buffer[..count]);
            wait = silence;
        }
        self.queries += queries(&burst.bytes);
        self.screen.process(&burst.bytes);
        Ok(burst)
    }

    /// All that comes in this time.
    pub(crate) fn collect(&mut self, time: Duration) -> io::Result<Burst> {
        let since = Instant::now();
        let mut all = Burst::default();
        while let Some(left) = time.checked_sub(since.elapsed()) {
            if self.readable(left)? {
                all.bytes.extend(self.listen(since, Duration::ZERO)?.bytes);
            }
        }
        Ok(all)
    }

    fn readable(&self, wait: Duration) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        Ok(poll(&mut fds, Some(&wait))? > 0)
    }

    /// Sends a signal, and waits for the end.
    pub(crate) fn kill(mut self, signal: Signal) -> io::Result<(Duration, ExitStatus)> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("no pid"))?;
        let since = Instant::now();
        kill_process(pid, signal)?;
        let status = self.child.wait()?;
        Ok((since.elapsed(), status))
    }

    /// Presses a key that ends the program, and waits for the end.
    pub(crate) fn quit(mut self, key: &[u8]) -> io::Result<(Duration, ExitStatus)> {
        let since = Instant::now();
        rustix::io::write(&self.master, key)?;
        let status = self.child.wait()?;
        Ok((since.elapsed(), status))
    }

    /// Takes the terminal away, and waits for the end.
    pub(crate) fn close(self) -> io::Result<(Duration, ExitStatus)> {
        let Self { mut child, master, .. } = self;
        let since = Instant::now();
        drop(master);
        let status = child.wait()?;
        Ok((since.elapsed(), status))
    }
}

/// Sequences that wait for an answer: device attributes, cursor position, modes, keyboard protocol, colours.
fn queries(bytes: &[u8]) -> usize {
    let known: [&[u8]; 9] = [
        b"\x1b[c",
        b"\x1b[0c",
        b"\x1b[>c",
        b"\x1b[>0c",
        b"\x1b[6n",
        b"\x1b[5n",
        b"\x1b[?u",
        b"\x1b]10;?",
        b"\x1b]11;?",
    ];
    known.iter().map(|query| bytes.windows(query.len()).filter(|window| window == query).count()).sum()
}

fn size(cells: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(cells).unwrap_or(std::num::NonZeroU16::MIN)
}
