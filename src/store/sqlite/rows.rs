//! Rows to model and back. Columns are read by their place, which is that of the `SELECT` in `sql/`.

use std::borrow::Cow;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::super::boot::{BootMs, boot_id};
use super::super::types::{LogEntry, Result};
use super::device;
use crate::model::{
    Account, Attempt, AttemptId, AttemptState, Budget, FirstNight, Order, Owner, Presence, Reason, Rung, Source, Stamp,
    WId, WcId, from_ms,
};

/// The newest success of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Success {
    /// The number of its request; where lists showed the wId, the last change before the second of them was asked.
    pub(super) order: Order,
    /// Whose it was; `None` where lists showed it.
    pub(super) attempt: Option<AttemptId>,
}

impl Success {
    /// Whether this one, a login's, is the newer one. What lists showed was asked after the change of that number.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        match self.order.cmp(&other.order) {
            std::cmp::Ordering::Less => false,
            // Requests have numbers of their own, but for those from before there were any: their ids are in order.
            std::cmp::Ordering::Equal => other.attempt.is_some() && self.attempt >= other.attempt,
            std::cmp::Ordering::Greater => true,
        }
    }
}

/// An account, and which success of which attempt its wId stands on.
#[derive(Clone, Debug)]
pub(super) struct AccountRow {
    pub(super) account: Account,
    /// The newest stored success.
    pub(super) success: Option<Success>,
}

impl AccountRow {
    pub(super) const fn new(account: Account) -> Self {
        Self { account, success: None }
    }
}

fn text(row: &SqliteRow, at: usize) -> sqlx::Result<Box<str>> {
    row.try_get::<&str, _>(at).map(Into::into)
}

fn optional(row: &SqliteRow, at: usize) -> sqlx::Result<Option<Box<str>>> {
    Ok(row.try_get::<Option<&str>, _>(at)?.map(Into::into))
}

fn stamp(row: &SqliteRow, at: usize) -> sqlx::Result<Option<Stamp>> {
    Ok(row.try_get::<Option<i64>, _>(at)?.map(Stamp))
}

/// An account as `accounts_packed.sql` packs it and `account.sql` lists it: the columns in their order.
#[derive(Deserialize)]
struct Columns<'a> {
    wc_id: Box<str>,
    w_id: Option<Box<str>>,
    w_id_confirmed: i64,
    nick_name: Box<str>,
    w_account: Box<str>,
    sex: Option<u8>,
    avatar_url: Box<str>,
    #[serde(borrow)]
    presence: Cow<'a, str>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    observed_at: Option<Stamp>,
    last_login_at: Option<Stamp>,
    first_login_at: Option<Stamp>,
    holder: Box<str>,
    #[serde(borrow)]
    tags: Cow<'a, str>,
    note: Box<str>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    gateway_message: Option<Box<str>>,
    #[serde(borrow)]
    device: Option<Cow<'a, str>>,
    #[serde(borrow)]
    budget: Option<Cow<'a, str>>,
    offline_since: Option<Stamp>,
    observed: Order,
    settled: Order,
    #[serde(borrow)]
    first_night: Option<Cow<'a, str>>,
}

impl Columns<'_> {
    /// A list that agrees writes no rows (10,000 every half minute), so where the belief rests on a list, the last
    /// list's time counts as the time of the evidence.
    fn account(self, last_list: Option<(Stamp, Order)>) -> Account {
        let source = self.source.and_then(|name| Source::from_name(&name));
        let newer = last_list.filter(|(_, order)| source == Some(Source::List) && *order >= self.observed);
        let (observed_at, observed) = newer.map_or((self.observed_at, self.observed), |(at, order)| (Some(at), order));
        Account {
            wc_id: WcId::new(self.wc_id),
            w_id: self.w_id.map(WId::new),
            w_id_confirmed: self.w_id_confirmed != 0,
            nick_name: self.nick_name,
            w_account: self.w_account,
            sex: self.sex,
            avatar_url: self.avatar_url,
            presence: Presence::from_name(&self.presence),
            stale: false,
            source,
            observed_at,
            observed,
            offline_since: self.offline_since,
            last_login_at: self.last_login_at,
            settled: self.settled,
            first_login_at: self.first_login_at,
            first_night: self.first_night.and_then(|name| FirstNight::from_name(&name)),
            holder: self.holder,
            tags: tags(&self.tags),
            note: self.note,
            reason: self.reason.and_then(|code| Reason::from_code(&code)),
            gateway_message: self.gateway_message,
            device: self.device.and_then(|json| device::read(&json)).map(Box::new),
            budget: self.budget.and_then(|json| serde_json::from_str(&json).ok()).map(Box::new),
        }
    }
}

/// What a statement packed as JSON.
pub(super) fn unjson<T: DeserializeOwned>(packed: &str) -> Result<T> {
    Ok(serde_json::from_str(packed).map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}

/// Accounts from one row of `accounts_packed.sql`.
pub(super) fn unpack(packed: &str, last_list: Option<(Stamp, Order)>, into: &mut Vec<Account>) -> Result<()> {
    let columns: Vec<Columns<'_>> =
        serde_json::from_str(packed).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    into.extend(columns.into_iter().map(|columns| columns.account(last_list)));
    Ok(())
}

/// An account from `account.sql`.
pub(super) fn account(row: &SqliteRow, last_list: Option<(Stamp, Order)>) -> sqlx::Result<Account> {
    let columns = Columns {
        wc_id: text(row, 0)?,
        w_id: optional(row, 1)?,
        w_id_confirmed: row.try_get(2)?,
        nick_name: text(row, 3)?,
        w_account: text(row, 4)?,
        sex: row.try_get(5)?,
        avatar_url: text(row, 6)?,
        presence: Cow::Borrowed(row.try_get(7)?),
        source: row.try_get::<Option<&str>, _>(8)?.map(Cow::Borrowed),
        observed_at: stamp(row, 9)?,
        last_login_at: stamp(row, 10)?,
        first_login_at: stamp(row, 11)?,
        holder: text(row, 12)?,
        tags: Cow::Borrowed(row.try_get(13)?),
        note: text(row, 14)?,
        reason: row.try_get::<Option<&str>, _>(15)?.map(Cow::Borrowed),
        gateway_message: optional(row, 16)?,
        device: row.try_get::<Option<&str>, _>(17)?.map(Cow::Borrowed),
        budget: row.try_get::<Option<&str>, _>(18)?.map(Cow::Borrowed),
        offline_since: stamp(row, 19)?,
        observed: Order(row.try_get(20)?),
        settled: Order(row.try_get(21)?),
        first_night: row.try_get::<Option<&str>, _>(24)?.map(Cow::Borrowed),
    };
    Ok(columns.account(last_list))
}

/// Labels are a JSON array; most accounts have none.
fn tags(json: &str) -> Vec<Box<str>> {
    if json == "[]" { Vec::new() } else { serde_json::from_str(json).unwrap_or_default() }
}

/// A budget as its column.
pub(super) fn budget(budget: &Budget) -> String {
    // Four plain fields: it cannot fail.
    serde_json::to_string(budget).unwrap_or_default()
}

/// Reads one account for a change.
pub(super) async fn load(tx: &mut SqliteConnection, profile: i64, wc_id: &WcId) -> Result<Option<AccountRow>> {
    let row = sqlx::query(sql!("account")).bind(profile).bind(wc_id.as_str()).fetch_optional(tx).await?;
    let Some(row) = row else { return Ok(None) };
    let order: Option<i64> = row.try_get(22)?;
    let attempt = optional(&row, 23)?.map(AttemptId::new);
    let success = order.map(|order| Success { order: Order(order), attempt });
    Ok(Some(AccountRow { account: account(&row, None)?, success }))
}

/// Writes one account, new or not.
pub(super) async fn save(tx: &mut SqliteConnection, profile: i64, row: &AccountRow) -> Result<()> {
    let account = &row.account;
    sqlx::query(sql!("account_put"))
        .bind(profile)
        .bind(account.wc_id.as_str())
        .bind(account.w_id.as_ref().map(WId::as_str))
        .bind(account.w_id_confirmed)
        .bind(&*account.nick_name)
        .bind(&*account.w_account)
        .bind(account.sex)
        .bind(&*account.avatar_url)
        .bind(account.presence.name())
        .bind(account.source.map(Source::name))
        .bind(account.observed_at.map(|at| at.0))
        .bind(account.last_login_at.map(|at| at.0))
        .bind(account.first_login_at.map(|at| at.0))
        .bind(&*account.holder)
        .bind(serde_json::json!(account.tags).to_string())
        .bind(&*account.note)
        .bind(account.reason.map(Reason::code))
        .bind(account.gateway_message.as_deref())
        .bind(row.success.as_ref().map(|success| success.order.0))
        .bind(row.success.as_ref().and_then(|success| success.attempt.as_ref()).map(AttemptId::as_str))
        .bind(account.device.as_deref().map(device::json))
        .bind(account.budget.as_deref().map(budget))
        .bind(account.observed.0)
        .bind(account.settled.0)
        .bind(account.first_night.map(FirstNight::name))
        .execute(tx)
        .await?;
    Ok(())
}

/// An attempt from one of the `attempt*.sql`.
pub(super) fn attempt(row: &SqliteRow) -> sqlx::Result<Attempt> {
    Ok(Attempt {
        id: AttemptId::new(text(row, 0)?),
        wc_id: optional(row, 1)?.map(WcId::new),
        rung: Rung::from_name(row.try_get(2)?).unwrap_or(Rung::QrLogin),
        state: AttemptState::from_name(row.try_get(3)?),
        w_id: optional(row, 4)?.map(WId::new),
        image_url: row.try_get::<Option<String>, _>(5)?.map(SecretString::from),
        requested_at: Stamp(row.try_get(6)?),
        deadline: stamp(row, 7)?,
        owner: Owner(text(row, 8)?),
        requested: Order(row.try_get(9)?),
        left: left(row.try_get(10)?, row.try_get(11)?),
        first_drop: row.try_get(12)?,
    })
}

/// How long still until a moment on the boot clock of that start of the machine; `None` where it was another start.
fn left(boot: Option<&str>, at: Option<i64>) -> Option<Duration> {
    let at = at.filter(|_| boot == Some(boot_id()))?;
    Some(from_ms(at.saturating_sub(BootMs::now().0)))
}

/// A line of the log from `log_recent.sql`.
pub(super) fn log_entry(row: &SqliteRow) -> sqlx::Result<LogEntry> {
    log_entry_from(row, 0)
}

/// A line from `log_since.sql` and its like, with its number in the log.
pub(super) fn numbered_log_entry(row: &SqliteRow) -> sqlx::Result<(i64, LogEntry)> {
    Ok((row.try_get(0)?, log_entry_from(row, 1)?))
}

fn log_entry_from(row: &SqliteRow, first: usize) -> sqlx::Result<LogEntry> {
    Ok(LogEntry {
        at: Stamp(row.try_get(first)?),
        wc_id: optional(row, first + 1)?.map(WcId::new),
        event: text(row, first + 2)?,
        reason: row.try_get::<Option<&str>, _>(first + 3)?.and_then(Reason::from_code),
        gateway_message: optional(row, first + 4)?,
        w_id: optional(row, first + 5)?.map(WId::new),
        cause: optional(row, first + 6)?,
    })
}
