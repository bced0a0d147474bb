//! stdout is data, stderr is words. Work never waits for either.
//!
//! What is written waits in a queue, and a thread brings it out, in order: a terminal that was stopped by Ctrl-S, a pipe
//! that nobody reads and a full disk hold up the thread and nothing else. Where both go to the same place they share
//! queue and thread, so that their lines keep the order in which they were written.
//!
//! A command that does one thing ends when its output is out; where that fails it says so. One that stays
//! ([`stay`]) goes on whatever its output does: its queue is bounded, what does not fit is dropped, counted and told when
//! the output flows again, what fails is tried again, and at the end the output gets a moment, no more.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::fail::Failure;
use crate::i18n::{Lang, t, tf};
use crate::model::text;
use crate::tui::quiet;

/// So much may wait for a reader: half an hour of a busy fleet, or ten thousand lines at once.
const MOST: usize = 8 * 1024 * 1024;
/// A queue that was full takes lines again when this is left of it.
const ROOM: usize = MOST / 2;
/// So much is given to the system at once.
const CHUNK: usize = 64 * 1024;
/// Between two tries to write what failed.
const PAUSE: Duration = Duration::from_secs(1);
/// The same for what was not taken although it was to be.
const GAP: Duration = Duration::from_millis(1);
/// How long a question waits for what was said before it.
const SETTLE: Duration = Duration::from_secs(1);

/// How long an output that takes nothing is waited for at the end of a command that stays, and one that does take.
const LAST_WAIT: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(15));
/// The same after a signal.
const LAST_BLINK: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(1));

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn fd(self) -> BorrowedFd<'static> {
        match self {
            Self::Stdout => rustix::stdio::stdout(),
            Self::Stderr => rustix::stdio::stderr(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    const fn at(self) -> usize {
        self as usize
    }
}

/// Something to write.
#[derive(Debug)]
struct Piece {
    stream: Stream,
    bytes: Vec<u8>,
}

impl Piece {
    fn lines(&self) -> u64 {
        self.bytes.iter().filter(|byte| **byte == b'\n').count() as u64
    }
}

/// How it stands with one of the two.
#[derive(Debug, Default)]
struct Way {
    /// Why nothing more is written to it: nobody reads it, or a command that does one thing met an error.
    closed: Option<Errno>,
    /// What was dropped since that was last told.
    dropped: u64,
    /// A failure that was told, while it lasts.
    failing: Option<Errno>,
    /// Whether somebody was given the reason why it is closed.
    blamed: bool,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    /// Bytes that wait, those of the piece in the thread's hands among them.
    waiting: usize,
    /// The piece in the thread's hands: where it goes, how many lines it is.
    in_hand: Option<(Stream, u64)>,
    /// Bytes that were written in all.
    written: u64,
    /// It was full, and takes nothing until there is [`ROOM`].
    full: bool,
    has_thread: bool,
    ways: [Way; 2],
}

/// Gives bytes to the system.
type Sink = dyn Fn(Stream, &[u8]) -> Result<usize, Errno> + Send + Sync;

/// A queue and its thread.
struct Channel {
    queue: Mutex<Queue>,
    changed: Condvar,
    sink: Box<Sink>,
    /// See [`STAYS`].
    stays: &'static OnceLock<Lang>,
}

/// The channels of stdout and stderr; one, where both are the same file.
static CHANNELS: LazyLock<(Channel, Option<Channel>)> =
    LazyLock::new(|| (Channel::of_process(), (!is_one_file()).then(Channel::of_process)));
/// The language of a command that stays.
static STAYS: OnceLock<Lang> = OnceLock::new();
/// Rings when the reader of stdout has gone.
static GONE: Notify = Notify::const_new();
/// Whether anything was ever written.
static USED: AtomicBool = AtomicBool::new(false);

/// Whether stdout and stderr are the same terminal, pipe or file.
fn is_one_file() -> bool {
    let [Ok(out), Ok(err)] = [Stream::Stdout, Stream::Stderr].map(|stream| rustix::fs::fstat(stream.fd())) else {
        return false;
    };
    (out.st_dev, out.st_ino, out.st_rdev) == (err.st_dev, err.st_ino, err.st_rdev)
}

fn channel(stream: Stream) -> &'static Channel {
    let (first, second) = &*CHANNELS;
    match stream {
        Stream::Stdout => first,
        Stream::Stderr => second.as_ref().unwrap_or(first),
    }
}

/// This command stays, or works for somebody else than its reader: from now on no output holds it up or ends it.
pub fn stay(lang: Lang) {
    // Whoever said so first.
    let _ = STAYS.set(lang);
}

/// Whether a service manager has started us: its journal may come and go.
pub fn is_service() -> bool {
    ["NOTIFY_SOCKET", "JOURNAL_STREAM"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Ends when a line could not be written because nobody reads stdout any more.
pub async fn closed() {
    GONE.notified().await;
}

/// Writes one line to stdout: words, cleaned already, or a JSON object. False where it was dropped.
pub fn line(words: &str) -> bool {
    let words = if words.starts_with('{') { text::json(words) } else { words.into() };
    push(Stream::Stdout, format!("{words}\n").into_bytes())
}

/// Writes data to stdout. A reader that has gone away (`| head`) had enough: no failure. What fails later is told by [`finish`].
pub fn data(text: &str) -> Result<(), Failure> {
    push(Stream::Stdout, text.as_bytes().to_vec());
    failed()
}

/// Writes one JSON object to stdout, as a line.
pub fn object(map: Map<String, Value>) -> Result<(), Failure> {
    data(&format!("{}\n", text::json(&Value::Object(map).to_string())))
}

/// Writes one line of words to stderr; if nobody can read it, nobody is told.
pub fn say(text: &str) {
    push(Stream::Stderr, format!("{text}\n").into_bytes());
}

/// Fails, once, where stdout could not be written; not where its reader had enough.
fn failed() -> Result<(), Failure> {
    let mut queue = channel(Stream::Stdout).lock();
    let way = queue.way(Stream::Stdout);
    match way.closed {
        Some(error) if error != Errno::PIPE && !std::mem::replace(&mut way.blamed, true) => {
            Err(Failure::io("stdout", &error.into()))
        }
        Some(_) | None => Ok(()),
    }
}

fn push(stream: Stream, bytes: Vec<u8>) -> bool {
    USED.store(true, Ordering::Relaxed);
    channel(stream).push(Piece { stream, bytes })
}

impl Queue {
    fn way(&mut self, stream: Stream) -> &mut Way {
        let [out, err] = &mut self.ways;
        if stream.at() == 0 { out } else { err }
    }

    /// Whether everything was brought out, or cannot be.
    const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// How many lines for stdout will not get out any more; none where its reader had enough.
    fn lost(&mut self) -> u64 {
        let waiting: u64 = self.pieces.iter().filter(|piece| piece.stream == Stream::Stdout).map(Piece::lines).sum();
        let in_hand = self.in_hand.filter(|(stream, _)| *stream == Stream::Stdout && !self.is_empty());
        let way = self.way(Stream::Stdout);
        let dropped = std::mem::take(&mut way.dropped);
        if way.closed == Some(Errno::PIPE) && !is_service() {
            return 0;
        }
        dropped + waiting + in_hand.map_or(0, |(_, lines)| lines)
    }
}

impl Channel {
    fn of_process() -> Self {
        Self::new(|stream, bytes| rustix::io::write(stream.fd(), bytes), &STAYS)
    }

    fn new(
        sink: impl Fn(Stream, &[u8]) -> Result<usize, Errno> + Send + Sync + 'static,
        stays: &'static OnceLock<Lang>,
    ) -> Self {
        Self { queue: Mutex::default(), changed: Condvar::new(), sink: Box::new(sink), stays }
    }

    /// Puts a piece into the queue; false where it was dropped. What waits already goes before what is new.
    fn push(&'static self, piece: Piece) -> bool {
        let stream = piece.stream;
        let mut queue = self.lock();
        if queue.way(stream).closed.is_some() {
            queue.way(stream).dropped += piece.lines();
            return false;
        }
        let long = piece.bytes.len();
        let bounded = self.stays.get().is_some() && queue.waiting > 0;
        if bounded && (queue.full || queue.waiting + long > MOST) {
            let first = !std::mem::replace(&mut queue.full, true);
            queue.way(stream).dropped += piece.lines();
            drop(queue);
            if first {
                tell_full(stream);
            }
            return false;
        }
        queue.waiting += long;
        queue.pieces.push_back(piece);
        if !queue.has_thread {
            match thread::Builder::new().name(stream.name().to_owned()).spawn(|| self.bring_out()) {
                Ok(_) => queue.has_thread = true,
                // Late, and waiting for it, is better than never.
                Err(_) => {
                    let piece = queue.pieces.pop_back();
                    drop(queue);
                    piece.iter().for_each(|piece| self.write(piece));
                    return true;
                }
            }
        }
        drop(queue);
        self.changed.notify_all();
        true
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: one piece after another, for as long as the program runs.
    fn bring_out(&self) {
        loop {
            let mut queue = self.lock();
            queue.in_hand = None;
            let piece = loop {
                if let Some(piece) = queue.pieces.pop_front() {
                    break piece;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            queue.in_hand = Some((piece.stream, piece.lines()));
            drop(queue);
            self.write(&piece);
        }
    }

    /// Writes a piece whole, however long that takes; gives it up only where nothing will ever be written again.
    fn write(&self, piece: &Piece) {
        let stream = piece.stream;
        let mut rest = piece.bytes.as_slice();
        while let Some(chunk) = rest.get(..rest.len().min(CHUNK)).filter(|chunk| !chunk.is_empty()) {
            match (self.sink)(stream, chunk) {
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    self.went(stream, count);
                }
                Err(Errno::INTR) => {}
                // Whoever shares the file with us wants it so.
                Err(Errno::AGAIN) => {
                    let _any = poll(&mut [PollFd::new(&stream.fd(), PollFlags::OUT)], None);
                    // A terminal may say that it takes something and have no room for a line break.
                    thread::sleep(GAP);
                }
                Err(error) if error == Errno::PIPE || self.stays.get().is_none() => {
                    self.close(piece, rest.len(), error);
                    return;
                }
                Err(error) => {
                    let first = self.lock().way(stream).failing.replace(error) != Some(error);
                    if first {
                        tell_failing(stream, error);
                    }
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Bytes were written.
    fn went(&self, stream: Stream, count: usize) {
        let mut queue = self.lock();
        queue.waiting = queue.waiting.saturating_sub(count);
        queue.written += count as u64;
        queue.way(stream).failing = None;
        let mut told = Vec::new();
        if queue.waiting <= ROOM {
            queue.full = false;
            for stream in [Stream::Stdout, Stream::Stderr] {
                let dropped = std::mem::take(&mut queue.way(stream).dropped);
                told.extend((dropped > 0).then_some((stream, dropped)));
            }
        }
        drop(queue);
        self.changed.notify_all();
        for (stream, dropped) in told {
            tell_dropped(stream, dropped);
        }
    }

    /// Nothing is written to this stream any more.
    fn close(&self, piece: &Piece, left: usize, error: Errno) {
        let stream = piece.stream;
        let mut queue = self.lock();
        queue.waiting = queue.waiting.saturating_sub(left);
        let mut lines = piece.lines();
        let pieces = std::mem::take(&mut queue.pieces);
        for piece in pieces {
            if piece.stream == stream {
                queue.waiting = queue.waiting.saturating_sub(piece.bytes.len());
                lines += piece.lines();
            } else {
                queue.pieces.push_back(piece);
            }
        }
        let way = queue.way(stream);
        way.closed = Some(error);
        way.dropped += lines;
        drop(queue);
        self.changed.notify_all();
        if error == Errno::PIPE && stream == Stream::Stdout {
            if self.stays.get().is_some() {
                tracing::info!("nobody reads stdout any more");
            }
            GONE.notify_one();
        }
    }

    /// Waits until all is out: `None` as long as it takes, else as long as it moves, and never longer than the second.
    fn settle(&self, patience: Option<(Duration, Duration)>) -> bool {
        let begun = Instant::now();
        let mut queue = self.lock();
        let (mut moved, mut written) = (begun, queue.written);
        while !queue.is_empty() && queue.has_thread {
            let Some((still, whole)) = patience else {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if queue.written != written {
                (moved, written) = (Instant::now(), queue.written);
            }
            let left = still.checked_sub(moved.elapsed()).and_then(|still| {
                let whole = whole.checked_sub(begun.elapsed())?;
                Some(still.min(whole))
            });
            let Some(left) = left.filter(|left| !left.is_zero()) else { return false };
            queue = self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Waits for what was written before, for a moment: what comes now goes there by another way.
pub fn settle() {
    if USED.load(Ordering::Relaxed) {
        channel(Stream::Stdout).settle(Some((SETTLE, SETTLE)));
        channel(Stream::Stderr).settle(Some((SETTLE, SETTLE)));
    }
}

/// The end of the program: what was written gets out, or is counted. A command that stays gives it a moment, less after
/// a signal; any other waits for its reader, and fails where stdout failed.
pub fn finish(by_signal: bool) -> Result<(), Failure> {
    if !USED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let patience = STAYS.get().map(|_| if by_signal { LAST_BLINK } else { LAST_WAIT });
    let (out, err) = (channel(Stream::Stdout), channel(Stream::Stderr));
    let all = out.settle(patience);
    if STAYS.get().is_some() {
        let lost = out.lock().lost();
        if lost > 0 {
            tell_dropped(Stream::Stdout, lost);
        }
    }
    if all || !std::ptr::eq(out, err) {
        err.settle(patience);
    }
    failed()
}

/// Words on stderr about stdout. Of stderr itself only the log can tell.
fn tell(stream: Stream, words: impl FnOnce(Lang) -> String) {
    if let Some(lang) = STAYS.get().filter(|_| stream == Stream::Stdout) {
        say(&words(*lang));
    }
}

fn tell_full(stream: Stream) {
    tracing::warn!(stream = stream.name(), "nobody reads the output: lines are dropped");
    tell(stream, |lang| t(lang, "cli.out.full").into_owned());
}

fn tell_dropped(stream: Stream, lines: u64) {
    tracing::warn!(stream = stream.name(), lines, "lines of the output were dropped");
    tell(stream, |lang| tf(lang, "cli.out.dropped", &[("count", &lines.to_string())]));
}

fn tell_failing(stream: Stream, error: Errno) {
    let error = io::Error::from(error);
    tracing::warn!(stream = stream.name(), %error, "the output cannot be written: it is tried again");
    tell(stream, |lang| tf(lang, "cli.out.failing", &[("error", &error.to_string())]));
}

/// Whether a person can be asked: the questions go to stderr, the answers come from stdin.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether the TUI can run.
pub fn can_draw() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Asks and reads one line, trimmed; `None` at the end of input.
pub fn ask(question: &str) -> Option<String> {
    quiet::end();
    push(Stream::Stderr, question.as_bytes().to_vec());
    settle();
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(text::typed(&answer).trim().to_owned()),
    }
}

/// Asks on the terminal for a secret, without echo.
pub fn ask_secret(question: &str) -> io::Result<SecretString> {
    quiet::end();
    settle();
    let typed = SecretString::from(rpassword::prompt_password(question)?);
    Ok(SecretString::from(text::typed(typed.expose_secret()).into_owned()))
}

/// A secret from standard input: its first line, without echo on a terminal.
pub fn secret_line(lang: Lang) -> Result<SecretString, Failure> {
    settle();
    if io::stdin().is_terminal() {
        let asked = ask_secret(&t(lang, "cli.device.password_question"));
        return asked.map_err(|error| Failure::io("stdin", &error));
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| Failure::io("stdin", &error))?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}

/// Line numbers for people, neighbours as one: `2–5, 9`.
pub fn ranges(lines: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for line in lines {
        match runs.last_mut() {
            Some((_, last)) if *line == *last + 1 => *last = *line,
            Some((_, last)) if *line == *last => {}
            _ => runs.push((*line, *line)),
        }
    }
    let run = |(first, last): (usize, usize)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

/// Whether an answer means yes.
pub fn is_yes(answer: &str) -> bool {
    matches!(answer.to_lowercase().as_str(), "y" | "yes" | "是" | "好")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn every_line_is_named() {
        for (lines, words) in
            [(&[][..], ""), (&[3], "3"), (&[3, 4], "3, 4"), (&[3, 4, 5, 5], "3–5"), (&[1, 3, 4, 5, 9], "1, 3–5, 9")]
        {
            assert_eq!(ranges(lines), words);
        }
    }

    const LONG: Duration = Duration::from_secs(30);
    static STAYING: OnceLock<Lang> = OnceLock::new();
    static ONCE: OnceLock<Lang> = OnceLock::new();

    /// What a file takes: nothing while it is shut, then all or an error.
    #[derive(Default)]
    struct File {
        taken: Mutex<Vec<u8>>,
        shut: Mutex<bool>,
        opened: Condvar,
        fails: Mutex<Option<Errno>>,
    }

    impl File {
        fn shut(&self, shut: bool) {
            *self.shut.lock().unwrap() = shut;
            self.opened.notify_all();
        }

        fn fail(&self, error: Option<Errno>) {
            *self.fails.lock().unwrap() = error;
        }

        fn take(&self, bytes: &[u8]) -> Result<usize, Errno> {
            drop(self.opened.wait_while(self.shut.lock().unwrap(), |shut| *shut).unwrap());
            if let Some(error) = *self.fails.lock().unwrap() {
                return Err(error);
            }
            // As a pipe does, not always all of it.
            let some = bytes.get(..bytes.len().min(1000)).unwrap();
            self.taken.lock().unwrap().extend(some);
            Ok(some.len())
        }

        fn lines(&self) -> Vec<usize> {
            let taken = self.taken.lock().unwrap();
            let text = std::str::from_utf8(&taken).unwrap();
            text.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
        }
    }

    fn channel(stays: &'static OnceLock<Lang>) -> (Arc<File>, &'static Channel) {
        let _ = STAYING.set(Lang::En);
        let file = Arc::new(File::default());
        let into = Arc::clone(&file);
        (file, Box::leak(Box::new(Channel::new(move |_, bytes| into.take(bytes), stays))))
    }

    fn push(channel: &'static Channel, number: usize, long: usize) -> bool {
        channel.push(Piece { stream: Stream::Stdout, bytes: format!("{number} {}\n", "x".repeat(long)).into_bytes() })
    }

    #[test]
    fn a_burst_comes_whole_and_in_order() {
        let (file, channel) = channel(&STAYING);
        file.shut(true);
        assert!((0..10_000).all(|number| push(channel, number, 300)));
        file.shut(false);
        assert!(channel.settle(Some((LONG, LONG))));
        assert_eq!(file.lines(), (0..10_000).collect::<Vec<_>>());
        assert_eq!(channel.lock().lost(), 0);
    }

    #[test]
    fn what_does_not_fit_is_dropped_from_the_end_and_counted() {
        let (file, channel) = channel(&STAYING);
        file.shut(true);
        let kept = (0..400).filter(|number| push(channel, *number, 32 * 1024)).count();
        assert_eq!(kept, MOST / (32 * 1024) - 1, "with what each line has besides");
        assert!(!channel.settle(Some((Duration::from_millis(10), LONG))), "nothing moves");
        assert_eq!(channel.lock().ways[0].dropped, 400 - kept as u64);
        // All that did not get out is counted at an end that comes now.
        file.shut(false);
        assert!(channel.settle(Some((LONG, LONG))));
        assert!(push(channel, 1000, 10) && channel.settle(Some((LONG, LONG))), "there is room again");
        assert_eq!(file.lines(), (0..kept).chain([1000]).collect::<Vec<_>>());
        assert_eq!(channel.lock().lost(), 0, "they were told when there was room");
    }

    #[test]
    fn an_end_counts_what_still_waits() {
        let (file, channel) = channel(&STAYING);
        file.shut(true);
        assert!((0..5).all(|number| push(channel, number, 10)));
        assert_eq!(channel.lock().lost(), 5);
        file.shut(false);
    }

    #[test]
    fn a_failure_is_no_end_for_what_stays() {
        for error in [Errno::NOSPC, Errno::IO, Errno::AGAIN, Errno::CONNRESET] {
            let (file, channel) = channel(&STAYING);
            file.fail(Some(error));
            assert!((0..5).all(|number| push(channel, number, 3000)));
            assert!(!channel.settle(Some((Duration::from_millis(10), LONG))), "{error}");
            file.fail(None);
            assert!(channel.settle(Some((LONG, LONG))));
            assert_eq!(file.lines(), [0, 1, 2, 3, 4], "{error}: nothing is torn or told twice");
        }
    }

    #[test]
    fn a_failure_ends_what_does_one_thing() {
        for error in [Errno::NOSPC, Errno::PIPE] {
            let (file, channel) = channel(&ONCE);
            file.fail(Some(error));
            push(channel, 0, 10);
            assert!(channel.settle(None));
            assert_eq!(channel.lock().ways[0].closed, Some(error));
            assert!(!push(channel, 1, 10) && file.lines().is_empty());
        }
    }

    #[test]
    fn one_that_does_one_thing_drops_nothing() {
        let (file, channel) = channel(&ONCE);
        file.shut(true);
        assert!((0..3).all(|number| push(channel, number, MOST)));
        file.shut(false);
        assert!(channel.settle(None));
        assert_eq!(file.lines(), [0, 1, 2]);
    }
}
