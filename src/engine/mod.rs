//! What does the work for both front ends: logins, presence, the wId's way to the bots.
//!
//! [`login`] and [`presence`] are pure; the hub in this file is the one task that owns what they work on. It takes
//! [`Command`]s, runs every login as a task of its own, asks the fleet list, watches the store for what other
//! processes change, and tells [`Event`]s in the order things were stored.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use self::api::{Command, Event};
use self::hub::Hub;
use self::shared::Shared;
use crate::gateway::Gateway;
use crate::i18n::Lang;
use crate::model::{Account, AttemptId, Dialect};
use crate::store::Store;

pub mod alerts;
pub mod api;
mod attempt;
mod hub;
pub mod login;
#[cfg(test)]
mod login_tests;
pub mod presence;
mod shared;

/// How codes are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// So many times, whoever is there (headless).
    Times(u8),
    /// So many times, while a key was pressed within this time (TUI).
    WhileSomebodyIsThere {
        /// How many times.
        times: u8,
        /// How long somebody counts as there after a key.
        within: Duration,
    },
}

impl Renewal {
    /// How many codes may follow the first one.
    pub const fn times(self) -> u8 {
        match self {
            Self::Times(times) | Self::WhileSomebodyIsThere { times, .. } => times,
        }
    }
}

/// What an engine needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The platform account.
    pub account: String,
    /// The gateway's dialect.
    pub dialect: Dialect,
    /// The platform password, where it is kept for V1's list.
    pub password: Option<SecretString>,
    /// Whether there is a token to work with.
    pub has_token: bool,
    /// How often the fleet list is asked; jittered. `None`: only on [`Command::Refresh`] (headless logins).
    pub interval: Option<Duration>,
    /// How many agreeing lists a drop needs.
    pub offline_after: u8,
    /// The `[alerts] command`.
    pub alert_command: Option<String>,
    /// How codes are renewed.
    pub renewal: Renewal,
    /// Whether attempts of dead processes are shown (TUI) or go on silently.
    pub show_resumed: bool,
    /// An attempt that is shown even if nobody waited for it any more: somebody has come back to it.
    pub revive: Option<AttemptId>,
    /// The language of [`Event::Fault`].
    pub lang: Lang,
    /// Added to the wall clock, in milliseconds: the demo can begin at any time.
    pub wall_offset_ms: i64,
}

/// A running engine. Cheap to clone; it ends with [`Command::Stop`].
#[derive(Clone, Debug)]
pub struct Engine {
    commands: UnboundedSender<Command>,
}

/// Takes the engine's events, on the engine's thread; must not block.
pub type Sink = Arc<dyn Fn(Event) + Send + Sync>;

impl Engine {
    /// Starts an engine on the current tokio runtime. `accounts`: what the caller has read from the store already, so
    /// that it is not read twice; with `None` the engine reads them and tells [`Event::Accounts`] first. The handle
    /// ends when the engine has stopped and what was due to the bots has been tried.
    pub fn start(
        options: Options,
        gateway: Gateway,
        store: Store,
        accounts: Option<Vec<Account>>,
        sink: Sink,
    ) -> (Self, JoinHandle<()>) {
        let (commands, inbox) = unbounded_channel();
        let shared = Arc::new(Shared::new(options, gateway, store));
        let hub = Hub::new(shared, sink, inbox);
        (Self { commands }, tokio::spawn(hub.run(accounts)))
    }

    /// Puts a wish to the engine; after its end it does nothing.
    pub fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}
