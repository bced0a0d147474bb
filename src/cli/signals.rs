//! Signals that end a command. A thread hears them, so that they count whatever the rest of the program is waiting for.
//!
//! A command that stays asks for them ([`interrupts`]) and ends by itself. Any other is ended at once, and what it has
//! started with it: the commands of the settings are groups of their own, which a Ctrl-C at the terminal does not reach.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::exit::Exit;
use crate::child;
use crate::tui::quiet;

/// Who ends by itself.
static TAKER: Mutex<Option<UnboundedSender<Exit>>> = Mutex::new(None);
/// Whether one came.
static CAME: AtomicBool = AtomicBool::new(false);
/// The exit code of one that nobody took: the program is ending with it.
static ENDING: AtomicU8 = AtomicU8::new(0);

/// Listens from now on.
///
/// # Errors
///
/// The system refuses a handler or a thread.
pub fn listen() -> io::Result<()> {
    let nohup = is_ignored(SIGHUP);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let hear = move || {
        for signal in signals.forever() {
            let exit = match signal {
                SIGINT => Exit::Interrupted,
                SIGHUP => Exit::Hangup,
                _ => Exit::Terminated,
            };
            CAME.store(true, Ordering::Relaxed);
            let taken = TAKER.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if taken.is_some_and(|taker| taker.send(exit).is_ok()) || (nohup && signal == SIGHUP) {
                continue;
            }
            // What fails from now on fails because of this.
            ENDING.store(exit.code(), Ordering::Relaxed);
            child::end_all();
            quiet::cut_short();
            std::process::exit(exit.code().into());
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(hear).map(|_| ())
}

/// The signals, as exit codes, for a command that ends by itself. When the receiver is dropped they end it at once.
pub fn interrupts() -> UnboundedReceiver<Exit> {
    let (send, receive) = unbounded_channel();
    *TAKER.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
    receive
}

/// Whether a signal came: what is left to do has to be done soon.
pub fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

/// The exit code, where a signal is ending the program at this moment.
pub fn ending() -> Option<u8> {
    Some(ENDING.load(Ordering::Relaxed)).filter(|code| *code != 0)
}

/// Whether a signal was ignored when we were started (`nohup`). Where the system does not tell, it was not.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal - 1)) != 0
}
