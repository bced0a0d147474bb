//! Ctrl-Z in a command that stays: what it holds is for others to go on with before it stops, and it finds out what is
//! left of it when it goes on.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::SIGTSTP;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::engine::Engine;
use crate::engine::api::Command;
use crate::tui::signals::has_shell;

/// How long a stop waits for the engines to give up what they hold. One that does not answer is found out by the others
/// all the same, only later.
const PATIENCE: Duration = Duration::from_millis(300);

/// From now on a stop is told to these engines first.
///
/// # Errors
///
/// The system refuses a handler or a thread.
pub(super) fn watch(engines: Vec<Engine>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTSTP])?;
    let hear = move || {
        for _ in signals.forever() {
            // Nobody could wake us: a stop would freeze the line for good.
            if !has_shell() {
                continue;
            }
            let (tell, told) = mpsc::channel();
            engines.iter().for_each(|engine| engine.send(Command::GiveUp { told: tell.clone() }));
            let until = Instant::now() + PATIENCE;
            for _ in &engines {
                let _ = told.recv_timeout(until.saturating_duration_since(Instant::now()));
            }
            if let Err(error) = emulate_default_handler(SIGTSTP) {
                tracing::warn!(%error, "cannot stop");
            }
            // Awake again.
            engines.iter().for_each(|engine| engine.send(Command::ComeBack));
        }
    };
    thread::Builder::new().name("stop".to_owned()).spawn(hear).map(|_| ())
}
