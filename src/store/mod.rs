//! What must outlive the process: accounts, wIds, attempts, what happened, what the bots still have to be told.
//! One interface; SQLite behind it (another database may stand beside it: the SQL lives in files per database).
//!
//! Every method that changes something is one transaction. Nothing here decides: the engine's pure parts do; the
//! store keeps the two promises that need a transaction: a wId is swapped whole or not at all, and evidence older
//! than a stored login changes nothing.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use crate::model::{
    Account, Attempt, AttemptId, Owner, Presence, ProfileId, Reason, Record, Rung, Source, Stamp, WId, WcId,
};

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
    /// A statement failed.
    #[error("the store failed: {0}")]
    Sql(#[from] sqlx::Error),
}

/// A `Result` of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    #[expect(dead_code, reason = "filled in with the store")]
    inner: Arc<()>,
}

/// The answer to [`Store::begin_attempt`].
#[derive(Clone, Debug)]
pub enum Begun {
    /// The row is committed; the request may leave.
    Started(AttemptId),
    /// An open (not abandoned) attempt of a living owner is on this account.
    Busy(Attempt),
}

/// The answer to [`Store::store_login`] and [`Store::adopt`].
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
    /// The newest sequence number; pass it to the next [`Store::changes`].
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

impl Store {
    /// Opens or creates the database file (0600, its folder 0700, WAL), migrates it, and takes this process's owner
    /// lock. Refuses a network file system and a database of a newer saoma, with the reason.
    pub async fn open(_path: &Path, _scope: Scope) -> Result<Self> {
        unimplemented!()
    }

    /// The owner that attempts of this process carry.
    pub fn owner(&self) -> &Owner {
        unimplemented!()
    }

    /// All accounts of the profile, by wcId. An account's `observed_at` is at least the last noted list's time where
    /// a list is what its presence rests on.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        unimplemented!()
    }

    /// One account.
    pub async fn account(&self, _wc_id: &WcId) -> Result<Option<Account>> {
        unimplemented!()
    }

    /// Creates the account if it is not there, then applies the edit. True if it was created.
    pub async fn put_account(&self, _wc_id: &WcId, _edit: &Edit, _at: Stamp) -> Result<bool> {
        unimplemented!()
    }

    /// The same for many, in one transaction. How many were created.
    pub async fn import(&self, _accounts: &[(WcId, Edit)], _at: Stamp) -> Result<usize> {
        unimplemented!()
    }

    /// Removes an account; its wId history and the log stay. True if it was there.
    pub async fn remove_account(&self, _wc_id: &WcId) -> Result<bool> {
        unimplemented!()
    }

    /// Commits the row of an attempt before its first request leaves. Refused as [`Begun::Busy`] while a living owner
    /// has an open attempt on the same account (never for `None`). An open attempt of a dead owner is no hindrance:
    /// it becomes abandoned (somebody will resume it).
    pub async fn begin_attempt(&self, _wc_id: Option<&WcId>, _rung: Rung, _at: Stamp) -> Result<Begun> {
        unimplemented!()
    }

    /// The attempt's next request is about to leave: sets rung and `requested_at`, clears wId, image URL and deadline.
    /// If it had a wId, that one goes on as an abandoned attempt of its own, whose id is returned (a late scan of the
    /// old code still counts).
    pub async fn attempt_requesting(&self, _id: &AttemptId, _rung: Rung, _at: Stamp) -> Result<Option<AttemptId>> {
        unimplemented!()
    }

    /// `iPadLogin` answered, or a second login is on its way (then without wId and image).
    pub async fn attempt_issued(
        &self,
        _id: &AttemptId,
        _w_id: Option<&WId>,
        _image_url: Option<&SecretString>,
        _deadline: Stamp,
    ) -> Result<()> {
        unimplemented!()
    }

    /// Nobody waits for it any more; it is polled on silently.
    pub async fn abandon_attempt(&self, _id: &AttemptId) -> Result<()> {
        unimplemented!()
    }

    /// The attempt is over without a wId: erases its image URL, writes the log (`event` as in design.md §5), and puts
    /// the reason on the account where there is one.
    pub async fn end_attempt(
        &self,
        _id: &AttemptId,
        _event: &str,
        _reason: Option<Reason>,
        _gateway_message: Option<&str>,
        _at: Stamp,
    ) -> Result<()> {
        unimplemented!()
    }

    /// A login succeeded: in one transaction the wId goes into the history; it becomes current, and the account
    /// online with source login, unless a success of an attempt requested later is stored already; the account is
    /// created if it is not there; log and outbox get their rows; the attempt ends. Told twice, it changes nothing
    /// the second time. `attempt` may be on another account than the record's (the wrong phone scanned).
    pub async fn store_login(&self, _attempt: &AttemptId, _record: &Record, _at: Stamp) -> Result<Stored> {
        unimplemented!()
    }

    /// The fleet list showed another wId for an account: in one transaction like [`Store::store_login`], with event
    /// `w_id_changed`, cause adopted. `None`, and nothing changed, when the evidence (started at `at`) is older than
    /// the last stored login, the wId is known as current already, or an attempt other than `attempt` is open on it.
    /// Ends `attempt` if one is given.
    pub async fn adopt(
        &self,
        _attempt: Option<&AttemptId>,
        _wc_id: &WcId,
        _w_id: &WId,
        _at: Stamp,
    ) -> Result<Option<Stored>> {
        unimplemented!()
    }

    /// Open and abandoned attempts, of all owners.
    pub async fn attempts(&self) -> Result<Vec<Attempt>> {
        unimplemented!()
    }

    /// Whether the owner's process lives. Blocking, but quick: tries a file lock.
    pub fn is_alive(&self, _owner: &Owner) -> bool {
        unimplemented!()
    }

    /// Makes this process the owner of an attempt whose owner is dead. False if another was quicker or the owner lives.
    pub async fn take_over(&self, _id: &AttemptId) -> Result<bool> {
        unimplemented!()
    }

    /// A fleet list came, started at `at`. Applies the verdicts that are newer than the accounts' last stored logins,
    /// creates accounts that are not there (with their confirmed wId, if the list had one), writes `dropped` and
    /// `recovered` to the log, and returns the accounts that changed, as they are now.
    pub async fn note_list(
        &self,
        _at: Stamp,
        _verdicts: &[Verdict],
        _unknown: &[(WcId, Option<WId>)],
    ) -> Result<Vec<Account>> {
        unimplemented!()
    }

    /// The last noted list's time.
    pub async fn last_list(&self) -> Result<Option<Stamp>> {
        unimplemented!()
    }

    /// Applies verdicts that rest on something else than a list; the same rule of age.
    pub async fn note(&self, _verdicts: &[Verdict]) -> Result<Vec<Account>> {
        unimplemented!()
    }

    /// What changed after `seq`.
    pub async fn changes(&self, _seq: i64) -> Result<Changes> {
        unimplemented!()
    }

    /// Waits until another process may have written (a file watch on the WAL: no timer, no wake-up while nothing is
    /// written). May wake up for nothing; never misses a change that was committed after the watch was made.
    pub fn watch(&self) -> Result<Watch> {
        unimplemented!()
    }

    /// Takes the outbox rows that are due, for this owner; rows another living owner has taken are left out.
    pub async fn outbox_take(&self, _now: Stamp) -> Result<Vec<OutboxItem>> {
        unimplemented!()
    }

    /// When the next outbox row is due, if there is any.
    pub async fn outbox_next(&self) -> Result<Option<Stamp>> {
        unimplemented!()
    }

    /// The receiver took it.
    pub async fn outbox_done(&self, _id: i64) -> Result<()> {
        unimplemented!()
    }

    /// The receiver did not take it; try again at `due`.
    pub async fn outbox_failed(&self, _id: i64, _due: Stamp) -> Result<()> {
        unimplemented!()
    }

    /// Writes a line to the log.
    pub async fn log(&self, _entry: &LogEntry) -> Result<()> {
        unimplemented!()
    }

    /// The newest lines of the log, newest first.
    pub async fn recent(&self, _limit: u32) -> Result<Vec<LogEntry>> {
        unimplemented!()
    }

    /// Checkpoints and closes; the owner lock goes with it.
    pub async fn close(self) {}
}

/// See [`Store::watch`].
#[derive(Debug)]
pub struct Watch;

impl Watch {
    /// Returns when something may have been written since the last call.
    pub async fn changed(&mut self) {
        unimplemented!()
    }
}
