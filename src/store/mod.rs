//! What must outlive the process: accounts, wIds, attempts, what happened, what the bots still have to be told.
//! One interface; SQLite behind it (another database may stand beside it: the SQL lives in files per database).
//!
//! Every method that changes something is one transaction. Nothing here decides: the engine's pure parts do; the
//! store keeps the two promises that need a transaction: a wId is swapped whole or not at all, and evidence older
//! than a stored login changes nothing.
//!
//! How a process lives with it: open; make a [`Watch`]; read accounts and attempts, and take over the attempts of
//! owners that are dead or not able ([`Store::is_able`], [`Store::take_over`]); take what is due in the outbox, since a dead process may have
//! left it there; then, each time [`Watch::changed`] returns, ask [`Store::changes`] and look at the attempts and the
//! outbox again if it says so. One reader of the feed per opened store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::model::{
    Account, Attempt, AttemptId, Began, Cost, Device, Order, Owner, Reason, Record, Rung, Stamp, WId, WcId,
};

mod boot;
mod lease;
mod owner;
mod place;
mod sqlite;
mod types;
mod watch;

pub use lease::RENEW_EVERY;
use sqlite::Sqlite;
pub use types::{
    Alert, Backlog, Begun, Changes, Error, FirstAccounts, Health, LogEntry, Moment, OUTBOX_PAUSES_MS, OutboxItem,
    Place, PresenceChange, Result, SECOND_LOGIN_FAILED, Scope, Stored, Verdict, WATCHED_GAP_MS, Watchers,
};
pub use watch::{Changed, Watch};

pub use crate::model::Edit;

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Sqlite>,
}

impl Store {
    /// Opens or creates the database file (0600, its folder 0700, WAL), migrates it, and takes this process's owner
    /// lock. Refuses a network file system, a database of a newer saoma and one of another program, with the reason,
    /// and leaves them as they are. An up-to-date file is not written to.
    pub async fn open(path: &Path, scope: Scope) -> Result<Self> {
        Ok(Self { inner: Arc::new(Sqlite::open(path, scope).await?) })
    }

    /// The owner that attempts of this process carry.
    pub fn owner(&self) -> &Owner {
        self.inner.owners().me()
    }

    /// All accounts of the profile, by wcId. An account's `observed_at` is at least the last noted list's time where
    /// a list is what its presence rests on. `stale` is always false here: the store knows no interval.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        self.inner.accounts().await
    }

    /// The first accounts, worst first, then by name (blanks at its ends aside, the order of the screen), and how many
    /// there are in all: what a first screen needs, at the same price however many there are. As to
    /// `observed_at` and `stale`, like [`Store::accounts`].
    pub async fn first_accounts(&self, limit: u32) -> Result<FirstAccounts> {
        self.inner.first_accounts(limit).await
    }

    /// One account.
    pub async fn account(&self, wc_id: &WcId) -> Result<Option<Account>> {
        self.inner.account(wc_id).await
    }

    /// Creates the account if it is not there, then applies the edit. True if it was created. A wId is taken only
    /// where no login and no list has confirmed another; it makes `at` the time of the first login, if there is none.
    pub async fn put_account(&self, wc_id: &WcId, edit: &Edit, at: Stamp) -> Result<bool> {
        Ok(self.inner.import(&[(wc_id.clone(), edit.clone())], at).await? > 0)
    }

    /// The same for many, in one transaction. How many were created.
    pub async fn import(&self, accounts: &[(WcId, Edit)], at: Stamp) -> Result<usize> {
        self.inner.import(accounts, at).await
    }

    /// Removes an account; its wId history and the log stay. True if it was there.
    pub async fn remove_account(&self, wc_id: &WcId) -> Result<bool> {
        self.inner.remove_account(wc_id).await
    }

    /// Commits the row of an attempt before its first request leaves. Refused as [`Begun::Busy`] while an owner
    /// that is able has an open attempt on the same account (never for `None`). An open attempt of one that is dead or not
    /// able is no hindrance: it becomes abandoned (somebody will resume it).
    pub async fn begin_attempt(&self, wc_id: Option<&WcId>, rung: Rung, at: Stamp) -> Result<Begun> {
        self.inner.begin_attempt(wc_id, rung, at).await
    }

    /// The attempt's next request is about to leave: sets rung and `requested_at`, clears wId, image URL and deadline.
    /// If it had a wId, that one goes on as an abandoned attempt of its own, whose id is returned (a late scan of the
    /// old code still counts, in its own place in the order of requests). An attempt that has ended stays so. With
    /// rung second login or QR login the account's budget is charged in the same transaction.
    pub async fn attempt_requesting(&self, id: &AttemptId, rung: Rung, at: Stamp) -> Result<Option<AttemptId>> {
        self.inner.attempt_requesting(id, rung, at).await
    }

    /// `iPadLogin` answered, or a second login is on its way (then without wId and image).
    pub async fn attempt_issued(
        &self,
        id: &AttemptId,
        w_id: Option<&WId>,
        image_url: Option<&SecretString>,
        deadline: Stamp,
        left: Duration,
    ) -> Result<()> {
        self.inner.attempt_issued(id, w_id, image_url, deadline, left).await
    }

    /// The list has shown that the account was dropped for the first time, which is noted nowhere: the login that comes of
    /// this attempt ends its first night.
    pub async fn attempt_after_first_drop(&self, id: &AttemptId) -> Result<()> {
        self.inner.attempt_after_first_drop(id).await
    }

    /// What V3 is told of device and network when the attempt's phone is asked (protocol.md §3.2). Kept until its end.
    pub async fn attempt_made_with(&self, id: &AttemptId, device: &Device) -> Result<()> {
        self.inner.attempt_made_with(id, device).await
    }

    /// What [`Store::attempt_made_with`] kept, also of another process's attempt; `None` after its end.
    pub async fn what_attempt_was_made_with(&self, id: &AttemptId) -> Result<Option<Device>> {
        self.inner.what_attempt_was_made_with(id).await
    }

    /// Nobody waits for it any more; it is polled on silently.
    pub async fn abandon_attempt(&self, id: &AttemptId) -> Result<()> {
        self.inner.abandon_attempt(id).await
    }

    /// The attempt is over without a wId: erases its image URL, writes the log (`event` as in design.md §5), and puts
    /// the reason on the account where there is one, unless a login was stored since the attempt's request; with
    /// `login_interrupted` the account is unknown and its wId no longer confirmed, unless a success of an attempt
    /// requested later is stored. An attempt that has ended already is left alone. One that ends with the failed second
    /// login has its line already ([`Self::refused`], [`Self::log`]): with [`SECOND_LOGIN_FAILED`] none is written.
    pub async fn end_attempt(
        &self,
        id: &AttemptId,
        event: &str,
        reason: Option<Reason>,
        gateway_message: Option<&str>,
        at: Stamp,
    ) -> Result<()> {
        self.inner.end_attempt(id, event, reason, gateway_message, at).await
    }

    /// The attempt is over, and nothing of it is worth remembering: its row ends, the log and the account stay as they are.
    pub async fn forget_attempt(&self, id: &AttemptId) -> Result<()> {
        self.inner.forget_attempt(id).await
    }

    /// A login succeeded: in one transaction the wId goes into the history; it becomes current, and the account
    /// online with source login, unless a success of an attempt requested later is stored already, or lists that were asked
    /// for later have shown another; the account is
    /// created if it is not there; log and outbox get their rows; the attempt ends. Told twice, it changes nothing
    /// the second time. `attempt` may be on another account than the record's (the wrong phone scanned): then that
    /// account gets the reason `wrong_account`. A success that does not become current is logged as `superseded` and
    /// told to nobody, and where no list says which wId lives (V1) the account's own is not confirmed any more; a wId that
    /// the account holds already (a list showed it first) counts as current. Other attempts that poll the same wId end
    /// as well.
    pub async fn store_login(&self, attempt: &AttemptId, record: &Record, at: Stamp) -> Result<Stored> {
        self.inner.store_login(attempt, record, at).await
    }

    /// The fleet list showed another wId for an account: in one transaction like [`Store::store_login`], with event
    /// `w_id_changed`, cause adopted. `None`, and nothing changed, when the first of the two `lists` was asked for
    /// before the last login was stored, the wId is known as current already, or an attempt other than
    /// `attempt` is open on it and its owner is able. [`Error::Replaced`] when `attempt` is another process's by now.
    /// Ends `attempt` if one is given and something was adopted; after `None` its end is the caller's. A success that was
    /// requested before the second list does not become current any more.
    pub async fn adopt(
        &self,
        attempt: Option<&AttemptId>,
        wc_id: &WcId,
        w_id: &WId,
        lists: [Began; 2],
    ) -> Result<Option<Stored>> {
        self.inner.adopt(attempt, wc_id, w_id, lists).await
    }

    /// Open and abandoned attempts, of all owners.
    pub async fn attempts(&self) -> Result<Vec<Attempt>> {
        self.inner.attempts().await
    }

    /// One attempt, also one that has ended (an ended one is remembered for some weeks).
    pub async fn attempt(&self, id: &AttemptId) -> Result<Option<Attempt>> {
        self.inner.attempt(id).await
    }

    /// Whether the owner's process lives. Blocking, but quick: tries a file lock.
    pub fn is_alive(&self, owner: &Owner) -> bool {
        self.inner.owners().is_alive(owner)
    }

    /// Whether the owner's process lives and can act: one that holds attempts has to renew its lease, and one that is
    /// stopped does not. Blocking, but quick.
    pub fn is_able(&self, owner: &Owner) -> bool {
        self.inner.owners().is_able(owner)
    }

    /// How long another process's lease lasts, unless it is renewed; `None`: as long as it lives.
    pub fn able_for(&self, owner: &Owner) -> Option<Duration> {
        self.inner.owners().leases().left(owner)
    }

    /// What kind of process an owner is (`screen`, `command`, `watch`), as far as it says so.
    pub fn role_of(&self, owner: &Owner) -> Option<String> {
        self.inner.owners().leases().of(owner).map(|lease| lease.role).filter(|role| !role.is_empty())
    }

    /// This process can act: what it holds is its own for a while. To be called every [`RENEW_EVERY`] while it holds an
    /// attempt; beginning one and taking one over do it too.
    pub fn renew_lease(&self) {
        self.inner.owners().leases().renew();
    }

    /// This process has asked of each attempt that it holds whether it is [`Self::still_mine`], and is able again.
    pub fn looked_after(&self) {
        self.inner.owners().leases().looked_after();
        self.renew_lease();
    }

    /// Whether this process has not renewed its lease in time since it last [`Self::looked_after`] what it holds: others
    /// may have taken that.
    pub fn has_lapsed(&self) -> bool {
        self.inner.owners().leases().has_lapsed()
    }

    /// This process is about to stop for an unknown time: it observes no longer, and its attempts are for others to go
    /// on with at once.
    pub async fn give_up(&self) -> Result<()> {
        self.inner.give_up().await
    }

    /// Whether an attempt is still this process's own, as far as it ever was.
    pub async fn still_mine(&self, id: &AttemptId) -> Result<bool> {
        self.inner.still_mine(id).await
    }

    /// Nothing more is written for an attempt that this process held.
    pub fn let_go(&self, id: &AttemptId) {
        self.inner.let_go(id);
    }

    /// Makes this process the owner of an attempt whose owner is dead or not able, as it is, open or abandoned, with a new
    /// epoch, and gives it as the former one left it, which may be further on than when somebody last looked. `None` if
    /// another was quicker, the owner is able (also if it is this process), or the attempt has ended.
    pub async fn take_over(&self, id: &AttemptId) -> Result<Option<Attempt>> {
        self.inner.take_over(id).await
    }

    /// A fleet list came. Applies the verdicts that are newer than the accounts' last stored logins,
    /// creates accounts that are not there (with their confirmed wId, if the list had one), writes `dropped` and
    /// `recovered` to the log, and returns the accounts that changed, as they are now. In the same transaction the
    /// receivers get those `alerts` that are about no account or about one whose verdict was applied.
    pub async fn note_list(
        &self,
        began: Began,
        verdicts: &[Verdict],
        unknown: &[(WcId, Option<WId>)],
        alerts: &[Alert],
    ) -> Result<Vec<Account>> {
        self.inner.note_list(began, verdicts, unknown, alerts).await
    }

    /// When the last noted list was asked for.
    pub async fn last_list(&self) -> Result<Option<(Stamp, Order)>> {
        self.inner.last_list().await
    }

    /// Applies verdicts that rest on something else than a list; the same rules of age and alerts.
    pub async fn note(&self, verdicts: &[Verdict], alerts: &[Alert]) -> Result<Vec<Account>> {
        self.inner.note(verdicts, alerts).await
    }

    /// Makes this process the profile's observer, with a new epoch, if nobody able of the same or a higher rank is.
    /// `interval`: how often it will ask; `listed`: when its own last list came, if its last try brought one: then it may
    /// take the place of one whose tries fail ([`Place::is_free_for`]). True: it is now (or was already). Whoever had the place
    /// learns of it by the change feed (`fleet`), and with [`Error::ObservesNoLonger`] by whatever it writes as an observer.
    pub async fn observe(&self, rank: u8, interval: Duration, listed: Option<Moment>) -> Result<bool> {
        self.inner.observe(rank, interval, listed).await
    }

    /// This process observes no longer.
    pub async fn observe_no_longer(&self) -> Result<()> {
        self.inner.observe_no_longer().await
    }

    /// A request for a list is about to leave, which may take so long. [`Error::ObservesNoLonger`]: not as the observer.
    pub async fn try_begins(&self, limit: Duration) -> Result<()> {
        self.inner.try_begins(limit).await
    }

    /// The observer's try has ended and brought no list that is believed; `failing`: why, where it failed. A list that
    /// is believed is noted by [`Store::note_list`]. Nothing happens where this process does not observe.
    pub async fn note_try(&self, failing: Option<Reason>) -> Result<()> {
        self.inner.note_try(failing).await
    }

    /// Who observes, and what is amiss. Owners that are dead are left out.
    pub async fn watchers(&self) -> Result<Watchers> {
        self.inner.watchers().await
    }

    /// Nobody can see the fleet since then: told once, until a list comes again ([`Store::note_list`] tells that). True if
    /// it was not told before.
    pub async fn observation_lost(&self, since: Stamp, alert: &Alert) -> Result<bool> {
        self.inner.observation_lost(since, alert).await
    }

    /// The gateway refuses a token for good: told once for each. `mark`: something that tells it from others without
    /// giving it away. True if it was not told before.
    pub async fn token_rejected(&self, mark: &str, alert: &Alert) -> Result<bool> {
        self.inner.token_rejected(mark, alert).await
    }

    /// An outage began or ended; the alert is told in the same transaction. Nothing happens where the store has it so
    /// already.
    pub async fn set_outage(&self, since: Option<Began>, alert: &Alert) -> Result<()> {
        self.inner.set_outage(since, alert).await
    }

    /// The clock says `now`, and may have been ahead before: what it has charged, and what is due, lies no further ahead
    /// of it from here on than the longest of its kind. True if something did.
    pub async fn bring_back(&self, now: Stamp) -> Result<bool> {
        self.inner.bring_back(now).await
    }

    /// What was charged last could not be sent: its budget takes it back.
    pub async fn take_back(&self, wc_id: &WcId, cost: Cost) -> Result<()> {
        self.inner.take_back(wc_id, cost).await
    }

    /// The phone said no to an account's second login: its budget notes it, it rests. The log gets a line
    /// `second_login_failed`, reason refused, cause `phone`, with the gateway's words.
    pub async fn refused(&self, wc_id: &WcId, gateway_message: Option<&str>, at: Stamp) -> Result<()> {
        self.inner.refused(wc_id, gateway_message, at).await
    }

    /// Nobody knows how this attempt's second login ended, nor whether the wId that is stored still lives: unless a login
    /// was stored since its request, the account is unknown, reason `login_interrupted`, its wId not confirmed any more.
    pub async fn doubt_w_id(&self, attempt: &AttemptId, at: Stamp) -> Result<()> {
        self.inner.doubt_w_id(attempt, at).await
    }

    /// Takes the right to ask `/offlineReason` for an account: false if somebody asked in the last 12 hours, or if the
    /// store has no such account.
    pub async fn ask_offline_reason(&self, wc_id: &WcId, at: Stamp) -> Result<bool> {
        self.inner.ask_offline_reason(wc_id, at).await
    }

    /// What `/offlineReason` said: the account's gateway words while it is off line, and a line `offline_reason`, cause
    /// `gateway`, of the log. Without words the account keeps those it has.
    pub async fn note_offline_reason(&self, wc_id: &WcId, words: Option<&str>, began: Began) -> Result<()> {
        self.inner.note_offline_reason(wc_id, words, began).await
    }

    /// The log since a moment, newest first, of one account or of all. All of the last 31 days is kept, and up to 90
    /// days of it while the file's log has no more than about 200,000 lines. Nothing is later than `now`: what a clock
    /// that was ahead has noted stands where it came.
    pub async fn history(&self, wc_id: Option<&WcId>, since: Stamp, limit: u32, now: Stamp) -> Result<Vec<LogEntry>> {
        self.inner.history(wc_id, since, limit, now).await
    }

    /// The changes of belief since a moment, oldest first, and before them the last one of each account that is older.
    /// Kept for 31 days. In the order they came, and none later than `now`, whatever the clock said.
    pub async fn presences(&self, wc_id: Option<&WcId>, since: Stamp, now: Stamp) -> Result<Vec<PresenceChange>> {
        self.inner.presences(wc_id.map(std::slice::from_ref), since, now).await
    }

    /// Like [`Store::presences`], of some accounts, at one query.
    pub async fn presences_of(&self, wc_ids: &[WcId], since: Stamp, now: Stamp) -> Result<Vec<PresenceChange>> {
        self.inner.presences(Some(wc_ids), since, now).await
    }

    /// When accounts dropped since a moment, oldest first: of one account or of all. Our own `offline` is no drop.
    pub async fn drops(&self, wc_id: Option<&WcId>, since: Stamp, now: Stamp) -> Result<Vec<Stamp>> {
        self.inner.drops(wc_id, since, now).await
    }

    /// From when to when the fleet was looked at, by whatever process: spans of lists that followed each other within
    /// [`WATCHED_GAP_MS`] without an outage between them, oldest first, those that ended at `since` or later. For as long
    /// the last list vouches until `now`, too. Kept for 31 days.
    pub async fn watched(&self, since: Stamp, now: Stamp) -> Result<Vec<(Stamp, Stamp)>> {
        self.inner.watched(since, now).await
    }

    /// The list carried exactly these wIds: those that are an account's current one, but not confirmed yet (imported,
    /// or from before), become confirmed. Nothing is told to anybody. The accounts that changed.
    pub async fn confirm_w_ids(&self, listed: &[(WcId, WId)]) -> Result<Vec<Account>> {
        self.inner.confirm_w_ids(listed).await
    }

    /// The list that was asked for then carried these wIds for accounts of which another is known: those known ones are not
    /// confirmed any more, unless a login was stored since. Nothing is told to anybody. The accounts that changed.
    pub async fn doubt_w_ids(&self, listed: &[(WcId, WId)], began: Began) -> Result<Vec<Account>> {
        self.inner.doubt_w_ids(listed, began).await
    }

    /// The number of the profile's last change: read before a question leaves, it says what the answer may know of.
    pub async fn order(&self) -> Result<Order> {
        self.inner.order().await
    }

    /// Up to where this process knows the change feed: at first what was there when the store was opened (read the
    /// accounts after that), then what the last [`Store::changes`] returned.
    pub fn seq(&self) -> i64 {
        self.inner.seq()
    }

    /// What changed after `seq`, normally the last call's [`Changes::seq`], at first [`Store::seq`]. What only this
    /// process itself changed is left out; asked from further back than the last call, it is included.
    pub async fn changes(&self, seq: i64) -> Result<Changes> {
        self.inner.changes(seq).await
    }

    /// Waits until another process may have written (a file watch on the WAL: no timer, no wake-up while nothing is
    /// written), or one that holds the store may have ended (its lock file was closed:
    /// Linux only; elsewhere the death of a process is noticed with the next change). May wake up for nothing, also for
    /// this process's own writes; never misses a change that was committed after the watch was made, if
    /// [`Store::changes`] is asked each time.
    ///
    /// `beside`: another file that is watched, for whatever its reader wants to know. Where the system has no watch left
    /// ([`Watch::trouble`]), the files are looked at every second, and a watch is tried for again.
    pub fn watch(&self, beside: Option<&Path>) -> Watch {
        Watch::new(self.inner.path(), beside)
    }

    /// Takes the outbox rows that are due, for this owner, oldest first: of each receiver and account the oldest one
    /// only, so that the next is not told before it. Rows that a living owner has taken (this one
    /// too) and not given back are left out, as are rows for receivers that this process does not have.
    pub async fn outbox_take(&self, now: Stamp) -> Result<Vec<OutboxItem>> {
        self.inner.outbox_take(now).await
    }

    /// When the next outbox row that could be taken is due, as of `now`, if there is any.
    pub async fn outbox_next(&self, now: Stamp) -> Result<Option<Stamp>> {
        self.inner.outbox_next(now).await
    }

    /// Drops what waits for receivers that are no more: that this process does not have, and of whom nobody who has them
    /// has told or noted anything for a week. Who, and how many rows. Nothing where the clock stands more than a day past
    /// what was written down last.
    pub async fn outbox_forget(&self, now: Stamp) -> Result<Vec<(String, u64)>> {
        self.inner.outbox_forget(now).await
    }

    /// The receiver took it.
    pub async fn outbox_done(&self, id: i64) -> Result<()> {
        self.inner.outbox_done(id).await
    }

    /// The receiver did not take it; try again at `due`.
    pub async fn outbox_failed(&self, id: i64, due: Stamp) -> Result<()> {
        self.inner.outbox_failed(id, due).await
    }

    /// Writes a line to the log.
    pub async fn log(&self, entry: &LogEntry) -> Result<()> {
        self.inner.log(entry).await
    }

    /// The newest lines of the log, newest first.
    pub async fn recent(&self, limit: u32) -> Result<Vec<LogEntry>> {
        self.inner.recent(limit).await
    }

    /// How the file and the outbox fare. Reads the whole file once.
    pub async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }

    /// Whether the file was moved, deleted or replaced since this was asked last. Then the one that is there now is open,
    /// or a new one: what was read is of another store, and whoever knows it says so.
    pub async fn was_replaced(&self) -> Result<bool> {
        self.inner.was_replaced().await
    }

    /// Checkpoints and closes; the owner lock goes with it.
    pub async fn close(self) {
        self.inner.close().await;
    }
}
