//! What goes into the store and what comes out, besides the model's own types.

use crate::model::{Account, Attempt, AttemptId, Presence, ProfileId, Reason, Source, Stamp, WId, WcId};

/// Whose rows: one profile of the config.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Keys the rows.
    pub profile: ProfileId,
    /// The profile's local name, for the JSON of outbox events.
    pub name: String,
    /// Who is to be told of `logged_in` and `w_id_changed` (for now `command` or nobody): an outbox row each.
    pub receivers: Vec<String>,
}

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened, or is on a network file system, or belongs to a newer saoma.
    #[error("{0}")]
    Open(String),
    /// The file watch cannot be made or kept.
    #[error("cannot watch the store: {0}")]
    Watch(String),
    /// A statement failed.
    #[error("the store failed: {0}")]
    Sql(#[from] sqlx::Error),
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
    /// An open (not abandoned) attempt of a living owner is on this account.
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
    pub at: Stamp,
    /// Why, if it is worth saying.
    pub reason: Option<Reason>,
}

/// Fields of an account that people set. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// A known wId (import); stored as not confirmed.
    pub w_id: Option<WId>,
    /// Nickname (import).
    pub nick_name: Option<Box<str>>,
    /// WeChat number (import).
    pub w_account: Option<Box<str>>,
    /// Whose phone.
    pub holder: Option<Box<str>>,
    /// Labels.
    pub tags: Option<Vec<Box<str>>>,
    /// Free words.
    pub note: Option<Box<str>>,
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
    /// Whether a fleet list was noted.
    pub fleet: bool,
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
}
