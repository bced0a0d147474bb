//! What goes into the store and what comes out, besides the model's own types.

use std::time::Duration;

use super::boot::BootMs;
use crate::model::{
    Account, Attempt, AttemptId, Began, Order, Owner, Presence, ProfileId, Reason, Source, Stamp, Trouble, WId, WcId,
};

/// Whose rows: one profile of the config.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Keys the rows.
    pub profile: ProfileId,
    /// The profile's local name, for the JSON of outbox events.
    pub name: String,
    /// What kind of process this is (`screen`, `command`, `watch`): the cause of what it does, in the log.
    pub cause: &'static str,
    /// Who is to be told of what happens (`command`, `webhook`): an outbox row each.
    pub receivers: Vec<String>,
    /// Whether the gateway's list says which wId is live (V2, V3; protocol.md §3.8): what is in doubt, it settles.
    pub lists_w_ids: bool,
}

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened, or is on a network file system, or belongs to a newer saoma.
    #[error("{0}")]
    Open(String),
    /// The file cannot be used as it has to be, and a person can do something about it.
    #[error("cannot use {path}: {}", .trouble.words())]
    Refused {
        /// Which file or folder.
        path: String,
        /// What stands in the way.
        trouble: Trouble,
    },
    /// The file watch cannot be made or kept.
    #[error("cannot watch the store: {0}")]
    Watch(String),
    /// A statement failed.
    #[error("{}", sql(.0))]
    Sql(#[from] sqlx::Error),
    /// The file is no database any more.
    #[error("{0}")]
    Damaged(String),
    /// Another process has taken the attempt that this one wrote for: nothing was changed.
    #[error("another saoma has taken this login over")]
    Replaced,
    /// Another process has taken the observer's place, for which this one wrote: nothing was changed, and from now on this one
    /// writes as one that does not observe.
    #[error("another saoma observes now")]
    ObservesNoLonger,
}

impl Error {
    /// Whether the file itself is broken, so that trying again cannot help.
    pub fn is_damaged(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Sql(error) => is_damaged(error),
            Self::Open(_) | Self::Refused { .. } | Self::Watch(_) | Self::Replaced | Self::ObservesNoLonger => false,
        }
    }
}

/// What SQLite says, without the library's frame around it.
pub(super) fn sql(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("{} (SQLite {code})", error.message()),
            None => error.message().to_owned(),
        },
        error => error.to_string(),
    }
}

/// SQLite's primary code: the lowest byte of what it says.
pub(super) fn code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff)
}

/// Whether SQLite says that the file is malformed (11) or no database (26).
pub(super) fn is_damaged(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(11 | 26))
}

/// A `Result` of the store.
pub type Result<T> = std::result::Result<T, Error>;

/// The answer to [`super::Store::first_accounts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstAccounts {
    /// The first ones in the order that people see.
    pub accounts: Vec<Account>,
    /// How many there are in all that are believed online.
    pub online: usize,
    /// The same, offline.
    pub offline: usize,
    /// The same, unknown.
    pub unknown: usize,
}

impl FirstAccounts {
    /// Whether there are no others.
    pub const fn is_all(&self) -> bool {
        self.accounts.len() == self.online + self.offline + self.unknown
    }
}

/// The answer to [`super::Store::begin_attempt`].
#[derive(Clone, Debug)]
pub enum Begun {
    /// The row is committed; the request may leave.
    Started(AttemptId),
    /// An open (not abandoned) attempt of an owner that is able is on this account.
    Busy(Attempt),
}

/// The answer to [`super::Store::store_login`] and [`super::Store::adopt`].
#[derive(Clone, Debug)]
pub struct Stored {
    /// The account as it is now.
    pub account: Account,
    /// The wId before.
    pub previous_w_id: Option<WId>,
    /// Whether this wId became the current one; if not, a login requested later has been stored already.
    pub current: bool,
    /// Whether the account was not in the store before.
    pub new_account: bool,
}

/// A change to what is believed of an account, decided by the presence judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whom.
    pub wc_id: WcId,
    /// What is believed now.
    pub presence: Presence,
    /// From which kind of evidence.
    pub source: Source,
    /// When the request behind the evidence was started.
    pub began: Began,
    /// Why, if it is worth saying.
    pub reason: Option<Reason>,
}

/// Something that receivers are to be told besides logins: an outbox row each, and a line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The event's name (design.md §5): `dropped`, `recovered`, `mass_drop`, `outage`, `outage_over`, `login_needed`.
    pub event: &'static str,
    /// The account, if it is about one.
    pub wc_id: Option<WcId>,
    /// When.
    pub at: Stamp,
    /// Why, if that is worth saying.
    pub reason: Option<Reason>,
    /// What the JSON carries besides `schema`, `event`, `at`, `profile`, `wc_id`, `account` and `reason`.
    pub fields: Vec<(&'static str, serde_json::Value)>,
}

/// Who observes the fleet of a profile, and what is amiss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watchers {
    /// The observer's place, where a living owner has it. `None`: nobody.
    pub observer: Option<Place>,
    /// Since when the gateway has an outage, as the observer sees it.
    pub outage_since: Option<Stamp>,
    /// The same in the store's order.
    pub outage_order: Order,
    /// Since when nobody can see the fleet, if that was told.
    pub lost_since: Option<Stamp>,
}

impl Watchers {
    /// The outage as the judge knows it.
    pub fn outage(&self) -> Option<Began> {
        self.outage_since.map(|at| Began { at, order: self.outage_order, ..Began::default() })
    }

    /// How old evidence may be while nobody sees the fleet; `None`: somebody does ([`Place::blind`]).
    pub fn blind(&self) -> Option<Duration> {
        self.observer.as_ref().and_then(Place::blind)
    }
}

/// A moment by the clock of this machine's start, which nobody sets. Only good for being compared with another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub(super) BootMs);

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self(BootMs::now())
    }
}

/// The observer's place, and how its holder fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who has it.
    pub owner: Owner,
    /// Its rank.
    pub rank: u8,
    /// Raised each time that somebody takes it.
    pub epoch: i64,
    /// How often its holder asks for a list.
    pub interval: Duration,
    /// Why its holder's last try brought no list; `None`: it did, or there was none yet.
    pub failing: Option<Reason>,
    /// When the first of its holder's tries that failed in a row ended.
    pub failing_since: Option<Moment>,
    /// How long its holder may still be silent; zero: it is overdue, and its place is free.
    pub able_for: Duration,
    /// How long ago the last list came, whoever asked for it.
    pub unlisted: Duration,
    /// When its holder's last try that has ended began.
    pub tried: Moment,
}

impl Place {
    /// Whether its holder is taken not to be able to act.
    pub const fn is_overdue(&self) -> bool {
        self.able_for.is_zero()
    }

    /// Whether it brings no lists: its tries fail, or it is overdue.
    pub const fn is_silent(&self) -> bool {
        self.failing.is_some() || self.is_overdue()
    }

    /// Whether nobody sees the fleet: no list has come for three intervals, and its holder fails or is overdue. Gives how
    /// old evidence may be then: as long as that.
    pub fn blind(&self) -> Option<Duration> {
        let limit = self.interval.saturating_mul(3);
        (self.is_silent() && self.unlisted > limit).then_some(limit)
    }

    /// Whether a process may take it although its holder's rank is not lower. `listed`: when its own last list came, if
    /// its last try brought one. A holder whose tries fail gives way only to who has had a list
    /// since, and then only if it tried again after that, and failed: in an outage nobody plays ping-pong.
    pub fn is_free_for(&self, listed: Option<Moment>) -> bool {
        let listed_meanwhile = |since| listed.is_some_and(|listed| since < listed && listed < self.tried);
        self.is_overdue() || self.failing_since.is_some_and(listed_meanwhile)
    }
}

/// Lists that follow each other within this time, in milliseconds, are one unbroken look at the fleet; what was believed
/// during a longer gap was believed without anybody looking. Well above the longest pause between lists that work.
pub const WATCHED_GAP_MS: i64 = 15 * 60_000;

/// Pauses before the second, third … try to tell a receiver something, in milliseconds; the last one repeats. A row that
/// would be due later than that was written by a clock that was ahead.
pub const OUTBOX_PAUSES_MS: [i64; 5] = [2_000, 10_000, 60_000, 300_000, 900_000];

/// The log's event of a second login that did not work: the one line that it gets, also where the attempt ends with it.
pub const SECOND_LOGIN_FAILED: &str = "second_login_failed";

/// A change of belief, for uptime figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceChange {
    /// Whose.
    pub wc_id: WcId,
    /// Since when it holds.
    pub at: Stamp,
    /// What is believed since then.
    pub presence: Presence,
}

/// What other processes (or this one) changed since a sequence number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The newest sequence number; pass it to the next [`super::Store::changes`].
    pub seq: i64,
    /// Accounts that changed, came or went, each once, in the order of their last change.
    pub wc_ids: Vec<WcId>,
    /// Whether attempts changed.
    pub attempts: bool,
    /// Whether a fleet list was noted, the observer changed, or an outage began or ended.
    pub fleet: bool,
}

/// How the store fares, for `doctor`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The schema's version.
    pub version: u32,
    /// What an integrity check found, in the database's words; nothing: it is sound.
    pub damages: Vec<String>,
    /// Size of the file and its journal.
    pub bytes: u64,
    /// Other living processes that have it open, besides this one.
    pub others: usize,
    /// The time of what was stored last.
    pub last_stored: Option<Stamp>,
    /// The latest time of all that is stored: a later one than the clock's is of a clock that was ahead, or this one is
    /// behind.
    pub latest_stored: Option<Stamp>,
    /// What receivers have not been told yet, by receiver.
    pub outbox: Vec<Backlog>,
}

/// What one receiver has not been told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Who.
    pub receiver: String,
    /// How many events.
    pub waiting: u32,
    /// How often the one that was tried most was tried.
    pub tries: u32,
    /// When the oldest of them happened.
    pub oldest: Option<Stamp>,
    /// When the next is tried.
    pub due: Stamp,
}

/// Something a receiver has to be told, at least once.
#[derive(Clone, Debug)]
pub struct OutboxItem {
    /// Its row.
    pub id: i64,
    /// Who is to be told.
    pub receiver: String,
    /// The JSON object, one line.
    pub json: String,
    /// How often it was tried.
    pub tries: u32,
}

/// One line of the log of what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When.
    pub at: Stamp,
    /// The account, if one.
    pub wc_id: Option<WcId>,
    /// The event's name as in design.md §5 (`logged_in`, `dropped`, …).
    pub event: Box<str>,
    /// Why.
    pub reason: Option<Reason>,
    /// The gateway's words, uncleaned.
    pub gateway_message: Option<Box<str>>,
    /// The wId, where the event is about one.
    pub w_id: Option<WId>,
    /// Who or what caused it ([`crate::engine::api::HistoryLine::cause`]).
    pub cause: Option<Box<str>>,
}
