//! A plain terminal that was asked something and has not answered yet, while a command goes on: what comes is read away
//! and not echoed, until the answer is there or somebody has to be asked something.
//!
//! `keep` begins it, [`end`] ends it: before a person is asked, and at the end of the program.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcsetattr};

use super::input::{Input, Reader};
use super::owed::{self, Last, Owed};
use super::probe;
use crate::action::{Key, KeyCode};
use crate::app::Capabilities;

/// An answer that comes later than this is too late even to be read away.
const LONGEST: Duration = Duration::from_secs(10);
/// A stop has to have reached all threads before one of them touches the terminal again; a command gives up first what it
/// holds, which may take a moment.
const STOPS_WITHIN: Duration = Duration::from_millis(400);

/// How the terminal was, while it is quiet.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
/// The one terminal of this process.
static KEPT: Mutex<State> = Mutex::new(State::Never);

#[derive(Debug)]
enum State {
    /// Nothing was asked.
    Never,
    Watched(Watch),
    /// All is said, or nobody reads it away any more.
    Over {
        /// What the terminal said, late.
        told: Option<Capabilities>,
        /// Its last answer never came: it may still be typed at any time.
        silent: bool,
    },
}

#[derive(Debug)]
struct Watch {
    thread: JoinHandle<()>,
    /// Closed when the watch is to end.
    stop: OwnedFd,
    told: Arc<Mutex<Option<Capabilities>>>,
}

/// No echo, no lines, no signals of keys; output as it was.
pub(super) fn quieten(before: &Termios) -> rustix::io::Result<()> {
    let mut quiet = before.clone();
    quiet
        .local_modes
        .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
    quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
    quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
    lock(&BEFORE).get_or_insert_with(|| before.clone());
    tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &quiet)
}

/// Gives the terminal back as it was, without what was typed meanwhile.
pub(super) fn give_back(before: &Termios) {
    let stdin = rustix::stdio::stdin();
    owed::forget_typed(stdin);
    // The terminal was there a moment ago; if it is gone there is nothing to bring back.
    let _gone = tcsetattr(stdin, OptionalActions::Now, before);
    *lock(&BEFORE) = None;
}

/// The terminal is as it was, at once: the program ends here and now.
pub fn cut_short() {
    if let Some(before) = lock(&BEFORE).take().filter(|_| is_ours()) {
        let _gone = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &before);
    }
}

/// Goes on reading away what the terminal, quiet already, still has to say.
pub(super) fn keep(before: Termios, reader: Reader, known: Capabilities, owed: Owed) {
    let told = Arc::new(Mutex::new(None));
    let watch = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(std::io::Error::from).and_then(
        |(wake, stop)| {
            let watcher = Watcher { before: before.clone(), reader, known, owed, wake, told: Arc::clone(&told) };
            let thread = std::thread::Builder::new().name("terminal".to_owned()).spawn(move || watcher.run())?;
            Ok(Watch { thread, stop, told })
        },
    );
    *state() = match watch {
        Ok(watch) => State::Watched(watch),
        Err(_) => {
            owed::swallow(rustix::stdio::stdin(), Some(owed));
            give_back(&before);
            State::Over { told: None, silent: true }
        }
    };
}

/// The terminal is as it was after this, and what it had to say is not typed: waits for its last answer as long as one may
/// come, and drops what is in the queue.
pub fn end() {
    let mut state = state();
    match std::mem::replace(&mut *state, State::Never) {
        State::Never => {}
        State::Watched(Watch { thread, stop, told }) => {
            drop(stop);
            let silent = thread.join().is_err();
            let told = lock(&told).take();
            *state = State::Over { told, silent: silent || told.is_none() };
        }
        State::Over { told, silent } => {
            if silent {
                owed::forget_typed(rustix::stdio::stdin());
            }
            *state = State::Over { told, silent };
        }
    }
}

/// What the terminal has said since it was asked, if that came late.
pub fn told_late() -> Option<Capabilities> {
    match &*state() {
        State::Never => None,
        State::Watched(watch) => *lock(&watch.told),
        State::Over { told, .. } => *told,
    }
}

/// [`end`], however the program ends.
#[derive(Debug)]
pub struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        end();
    }
}

/// Whether we are in the foreground of the terminal.
fn is_ours() -> bool {
    rustix::termios::tcgetpgrp(rustix::stdio::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

fn state() -> MutexGuard<'static, State> {
    lock(&KEPT)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Watcher {
    before: Termios,
    reader: Reader,
    known: Capabilities,
    owed: Owed,
    wake: OwnedFd,
    told: Arc<Mutex<Option<Capabilities>>>,
}

impl Watcher {
    fn run(mut self) {
        let begun = Instant::now();
        let mut until = self.owed.by.max(begun + LONGEST);
        let mut ending = false;
        let mut buffer = [0; 256];
        loop {
            let stdin = rustix::stdio::stdin();
            let left = until.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(&self.wake, PollFlags::IN), PollFd::new(&stdin, PollFlags::IN)];
            let heeded = fds.get_mut(usize::from(ending)..).unwrap_or_default();
            match poll(heeded, Timespec::try_from(left).ok().as_ref()) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
            let [wake, typed] = fds.map(|fd| fd.revents());
            if !ending && !wake.is_empty() {
                ending = true;
                until = self.owed.by;
            }
            if typed.is_empty() {
                continue;
            }
            let Some(count) = rustix::io::read(stdin, &mut buffer).ok().filter(|count| *count > 0) else { break };
            let found = self.reader.feed(buffer.get(..count).unwrap_or_default(), begun.elapsed());
            if found.iter().any(|input| self.heard(input)) {
                break;
            }
        }
        // Whoever is in the background has no terminal to give back, and would be stopped for trying.
        if is_ours() {
            give_back(&self.before);
        }
    }

    /// True when nothing more is to come.
    fn heard(&mut self, input: &Input) -> bool {
        if let Input::Key(key) = input {
            return !self.act_on(*key);
        }
        self.known = probe::take_inline(self.known, input);
        let last = Last::Place.is(input, true);
        if last {
            *lock(&self.told) = Some(probe::settle(self.known));
        }
        last
    }

    /// What the terminal itself would have made of the key. False when the terminal is another's by now.
    fn act_on(&self, key: Key) -> bool {
        let signal = match (key.ctrl, key.code) {
            (true, KeyCode::Char('c')) => Signal::INT,
            (true, KeyCode::Char('\\' | '4')) => Signal::QUIT,
            (true, KeyCode::Char('z')) => Signal::TSTP,
            _ => return true,
        };
        if !self.before.local_modes.contains(LocalModes::ISIG) {
            return true;
        }
        give_back(&self.before);
        let _refused = kill_current_process_group(signal);
        std::thread::sleep(STOPS_WITHIN);
        is_ours() && quieten(&self.before).is_ok()
    }
}
