//! What a service manager is told (sd_notify): ready, stopping, still alive. Nothing where there is none.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

/// See the module.
#[derive(Debug)]
pub(super) struct Service {
    /// How often a sign of life is wanted, if at all.
    watchdog: Option<Duration>,
    next_ping: Option<Instant>,
    ready: bool,
}

impl Service {
    pub(super) fn new() -> Self {
        // Twice as often as it is wanted.
        Self { watchdog: sd_notify::watchdog_enabled().map(|every| every / 2), next_ping: None, ready: false }
    }

    /// Everything runs. Told once.
    pub(super) fn ready(&mut self) {
        if !std::mem::replace(&mut self.ready, true) {
            say(NotifyState::Ready);
            self.ping();
        }
    }

    pub(super) fn stopping(&mut self) {
        self.next_ping = None;
        say(NotifyState::Stopping);
    }

    /// When the next sign of life is due; `None` where nobody wants one, so that there is no timer.
    pub(super) const fn next_ping(&self) -> Option<Instant> {
        self.next_ping
    }

    pub(super) fn ping(&mut self) {
        if let Some(every) = self.watchdog {
            say(NotifyState::Watchdog);
            self.next_ping = Some(Instant::now() + every);
        }
    }
}

fn say(state: NotifyState<'_>) {
    // A service manager that does not listen is not missed.
    let _ = sd_notify::notify(&[state]);
}
