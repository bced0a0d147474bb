//! What does the work for both front ends: logins, presence, the wId's way to the bots.
//!
//! [`login`] and [`presence`] are pure; the hub in this file is the one task that owns what they work on. It takes
//! [`Command`]s, runs every login as a task of its own, asks the fleet list, watches the store for what other
//! processes change, and tells [`Event`]s in the order things were stored.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::api::{Command, Event};
use self::hub::Hub;
use self::shared::Shared;
use crate::gateway::Gateway;
use crate::i18n::Lang;
use crate::model::{Account, AttemptId, Device, Dialect, Limits};
use crate::store::Store;

pub mod alerts;
pub mod api;
mod attempt;
pub mod conveyor;
#[cfg(test)]
mod conveyor_tests;
pub mod history;
#[cfg(test)]
mod history_tests;
mod hub;
pub mod login;
#[cfg(test)]
mod login_tests;
pub mod notices;
pub mod past;
pub mod presence;
mod shared;
pub mod unread;

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

/// What kind of process an engine runs in: who observes the fleet, who is called when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A headless command: asks no lists by itself, tells the bots of what it did.
    #[default]
    Command,
    /// A TUI: observes where no `watch` does.
    Screen,
    /// `saoma watch`: observes before any TUI.
    Watch,
}

impl Role {
    /// Its name among the causes of what happened (history).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Screen => "screen",
            Self::Watch => "watch",
        }
    }
}

/// Gets another token by itself (`token_command`, or `password_command` and member/login). The error is for people.
#[derive(Clone)]
pub struct Renewer(pub Arc<dyn Fn() -> BoxFuture<'static, Result<SecretString, String>> + Send + Sync>);

impl fmt::Debug for Renewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewer")
    }
}

/// What a sign-in has stored.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The token.
    pub token: SecretString,
    /// The platform password, where it is kept (V1).
    pub password: Option<SecretString>,
}

/// Where a sign-in puts a token: a file, and the way to read it. What is in it is everybody's as soon as it is written.
#[derive(Clone)]
pub struct StoredToken {
    /// The file.
    pub file: std::path::PathBuf,
    /// Reads the profile's entry.
    pub read: Arc<dyn Fn() -> Option<SignedIn> + Send + Sync>,
}

impl fmt::Debug for StoredToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredToken").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Where the gateway's offline notices are listened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// `ip:port`.
    pub address: std::net::SocketAddr,
    /// The secret part of the path: whoever does not know it is a stranger.
    pub secret: Secret,
    /// Where what was heard is passed on to, whole.
    pub forward: Option<String>,
    /// What the gateway would call: the listener's URL as the gateway reaches it, without the secret path.
    pub public_url: Option<String>,
    /// Whether saoma may set the gateway's callback to it.
    pub register: bool,
}

/// A secret text that can be compared.
#[derive(Clone)]
pub struct Secret(pub SecretString);

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A receiver of alerts over HTTP. `Debug` does not show the URL: its path may be a secret of the receiver's.
#[derive(Clone)]
pub struct Webhook {
    /// Where events are posted.
    pub url: String,
    /// The key of the HMAC-SHA256 over timestamp and body; `None`: not signed.
    pub secret: Option<WebhookKey>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("signed", &self.secret.is_some()).finish_non_exhaustive()
    }
}

/// Gives the key that webhooks are signed with, when there is something to sign: it may come from a command that takes
/// its time, so it may block. The error is for people.
#[derive(Clone)]
pub struct WebhookKey(pub Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>);

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey")
    }
}

impl Default for Renewal {
    fn default() -> Self {
        Self::Times(0)
    }
}

/// What an engine needs to know.
#[derive(Clone, Debug, Default)]
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
    /// The `[alerts] webhook`.
    pub webhook: Option<Webhook>,
    /// The events that receivers are told of; `None`: all.
    pub alert_events: Option<Vec<String>>,
    /// What kind of process this is.
    pub role: Role,
    /// What an account may cost in a day.
    pub limits: Limits,
    /// How many phones the conveyor rings at once; 0: [`conveyor::AT_ONCE`].
    pub ring_at_once: u8,
    /// V3: device and network of accounts that have none of their own.
    pub device: Device,
    /// Whether the end waits until what is due to the bots was tried, as long as that may take; else only for a moment. What
    /// they were not told waits in the store.
    pub is_patient: bool,
    /// Gets another token when the gateway refuses this one; at most once in ten minutes.
    pub renewer: Option<Renewer>,
    /// Where a sign-in in another process puts a token.
    pub stored_token: Option<StoredToken>,
    /// Whether logins wait for a token when theirs is refused (somebody can sign in); else they end.
    pub waits_for_token: bool,
    /// Where notices are listened for, if this process observes.
    pub listen: Option<Listen>,
    /// The ports for that which engines of this process share.
    pub ports: notices::Ports,
    /// How codes are renewed.
    pub renewal: Renewal,
    /// Whether nobody could see a code here: none is asked for then.
    pub no_codes: bool,
    /// Sooner than this after a second login was sent a refusal is no person's; `None`: the usual.
    pub tap: Option<Duration>,
    /// Whether attempts of dead processes are shown (TUI) or go on silently.
    pub show_resumed: bool,
    /// An attempt that is shown even if nobody waited for it any more: somebody has come back to it.
    pub revive: Option<AttemptId>,
    /// The language of [`Event::Fault`].
    pub lang: Lang,
    /// Added to the wall clock, in milliseconds: the demo can begin at any time. May be set at any time, as clocks are.
    pub wall_offset_ms: Arc<AtomicI64>,
}

/// A running engine. Cheap to clone; it ends with [`Command::Stop`].
#[derive(Clone, Debug)]
pub struct Engine {
    commands: UnboundedSender<Command>,
    /// Says the end past all that waits in `commands`.
    ending: CancellationToken,
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
        let ending = CancellationToken::new();
        let ended = tokio::spawn(hub.run(accounts, ending.clone()));
        (Self { commands, ending }, ended)
    }

    /// Puts a wish to the engine; after its end it does nothing.
    pub fn send(&self, command: Command) {
        let ends = matches!(command, Command::Stop);
        let _ = self.commands.send(command);
        if ends {
            self.ending.cancel();
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}
