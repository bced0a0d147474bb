//! The wId swap: whole or not at all.

use serde_json::{Map, Value};
use sqlx::sqlite::SqliteConnection;

use super::super::types::{LogEntry, Result, Stored};
use super::accounts::HistoryEntry;
use super::rows::{self, AccountRow, Success};
use super::{Sqlite, Subject, write};
use crate::model::{
    Account, Attempt, AttemptId, Began, Order, Presence, Reason, Record, Rung, Source, Stamp, WId, WcId, json,
};

impl Sqlite {
    /// See [`super::super::Store::store_login`].
    pub(in super::super) async fn store_login(&self, id: &AttemptId, record: &Record, at: Stamp) -> Result<Stored> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let attempt = self.load_attempt(&mut tx, id).await?;
        let requested = self.requested(&mut tx, attempt.as_ref(), &record.w_id).await?;
        let mut ended = self.end(&mut tx, id).await?;
        ended |= self.end_by_w_id(&mut tx, &record.w_id).await?;
        if ended {
            self.changed(&mut tx, Subject::Attempts).await?;
        }
        let known = self.known_w_id(&mut tx, &record.wc_id, &record.w_id).await?;
        let before = rows::load(&mut tx, self.profile(), &record.wc_id).await?;
        let stored = match known {
            Some((source, previous_w_id)) if source == "login" => {
                let account = before.map_or_else(|| Account::new(record.wc_id.clone()), |row| row.account);
                let current = account.w_id.as_ref() == Some(&record.w_id);
                Stored { account, previous_w_id, current, new_account: false }
            }
            known => {
                let adopted_over = known.and_then(|(_, previous)| previous);
                let (requested, requested_at) = requested.unwrap_or((Order::default(), at));
                let success = Success { order: requested, attempt: Some(id.clone()) };
                let told = (record, attempt.as_ref());
                let stored = self.swap(&mut tx, before, told, success, requested_at, adopted_over, at).await?;
                self.note_wrong_account(&mut tx, attempt.as_ref(), record, at).await?;
                stored
            }
        };
        tx.commit().await?;
        Ok(stored)
    }

    /// Under which number, and when, the request behind this wId was written down. The wId may belong to an older code
    /// of the attempt, whose abandoned twin remembers. `None`: nobody remembers, so it is older than whatever is known.
    async fn requested(
        &self,
        tx: &mut SqliteConnection,
        attempt: Option<&Attempt>,
        w_id: &WId,
    ) -> Result<Option<(Order, Stamp)>> {
        let of = |attempt: &Attempt| (attempt.requested, attempt.requested_at);
        if let Some(attempt) = attempt.filter(|attempt| attempt.w_id.as_ref() == Some(w_id)) {
            return Ok(Some(of(attempt)));
        }
        let query = sqlx::query(sql!("attempt_columns", "attempt_by_w_id")).bind(self.profile()).bind(w_id.as_str());
        if let Some(row) = query.fetch_optional(tx).await? {
            return Ok(Some(of(&rows::attempt(&row)?)));
        }
        Ok(attempt.map(of))
    }

    /// Ends every attempt that polls this wId: it has its answer.
    async fn end_by_w_id(&self, tx: &mut SqliteConnection, w_id: &WId) -> Result<bool> {
        let query = sqlx::query(sql!("attempts_end_w_id")).bind(self.profile()).bind(w_id.as_str());
        Ok(query.execute(tx).await?.rows_affected() > 0)
    }

    /// The history's source of a wId and the wId before it.
    async fn known_w_id(
        &self,
        tx: &mut SqliteConnection,
        wc_id: &WcId,
        w_id: &WId,
    ) -> Result<Option<(String, Option<WId>)>> {
        let query = sqlx::query_as(sql!("w_id")).bind(self.profile()).bind(wc_id.as_str()).bind(w_id.as_str());
        let row: Option<(String, Option<String>)> = query.fetch_optional(tx).await?;
        Ok(row.map(|(source, previous)| (source, previous.map(WId::from))))
    }

    /// Stores a success that is told for the first time, with the attempt that brought it where it is remembered.
    /// `adopted_over`: the wId before, when a list had shown this one already.
    #[expect(clippy::too_many_arguments, reason = "what a success consists of")]
    async fn swap(
        &self,
        tx: &mut SqliteConnection,
        before: Option<AccountRow>,
        (record, attempt): (&Record, Option<&Attempt>),
        success: Success,
        requested_at: Stamp,
        adopted_over: Option<WId>,
        at: Stamp,
    ) -> Result<Stored> {
        let new_account = before.is_none();
        let mut row = before.unwrap_or_else(|| AccountRow::new(Account::new(record.wc_id.clone())));
        let held = row.account.w_id.clone();
        // A list may have shown this very wId after the later success: then it lives, and is current already.
        let newest = row.success.as_ref().is_none_or(|stored| success.is_newer_than(stored));
        let current = newest || held.as_ref() == Some(&record.w_id);
        let previous_w_id = if held.as_ref() == Some(&record.w_id) { adopted_over } else { held.clone() };
        let is_first = match attempt.filter(|attempt| attempt.rung == Rung::QrLogin) {
            Some(code) => {
                !self.was_logged_in(tx, &row.account, &record.w_id, code.w_id.as_ref(), (requested_at, at)).await?
            }
            None => false,
        };
        let entry = HistoryEntry {
            attempt: success.attempt.as_ref().map(AttemptId::as_str),
            requested_at: Some(requested_at),
            ..HistoryEntry::new("login", true, at, previous_w_id.as_ref())
        };
        self.keep_w_id(tx, &record.wc_id, &record.w_id, &entry).await?;
        row.account.last_login_at = Some(at);
        row.account.settled = self.changed(tx, Subject::Account(&record.wc_id)).await?;
        if attempt.is_some_and(|attempt| attempt.first_drop) {
            // Seen by nobody else: the login that follows it is what ends the first night.
            row.account.dropped(requested_at);
        }
        row.account.logged_in(is_first, at);
        let id = success.attempt.clone();
        if newest {
            row.success = Some(success);
        }
        if current {
            take_record(&mut row.account, record, at);
        } else if !self.scope.lists_w_ids {
            // Two logins have worked, in an order that only the gateway knows, and no list will tell which one lives.
            row.account.w_id_confirmed = false;
        }
        succeeded(&mut row.account);
        rows::save(tx, self.profile(), &row).await?;
        if current {
            self.believe(tx, &record.wc_id, Presence::Online, at).await?;
        }
        let log = LogEntry {
            reason: (!current).then_some(Reason::Superseded),
            w_id: Some(record.w_id.clone()),
            ..self.line(at, Some(&record.wc_id), if current { "logged_in" } else { "superseded" })
        };
        self.add_log(tx, &log).await?;
        let account = row.account;
        if current {
            let (profile, w_id, previous) = (self.scope.name.as_str(), &record.w_id, previous_w_id.as_ref());
            let event = json::logged_in(at, profile, id.as_ref(), &account, w_id, previous);
            self.tell(tx, event, at).await?;
            if held.is_some() && held.as_ref() != Some(w_id) {
                let event = json::w_id_changed(at, profile, &account, w_id, previous, "login");
                self.tell(tx, with_attempt(event, id.as_ref()), at).await?;
            }
        }
        Ok(Stored { account, previous_w_id, current, new_account })
    }

    /// Whether the account was logged in before the request of `requested_at` that brought `w_id`, polled as `polled`, at
    /// `at`: a login, a list or an import says so. That it was named is no such knowledge, nor is a list that shows this
    /// very login before its own answer is here.
    async fn was_logged_in(
        &self,
        tx: &mut SqliteConnection,
        account: &Account,
        w_id: &WId,
        polled: Option<&WId>,
        (requested_at, at): (Stamp, Stamp),
    ) -> Result<bool> {
        if account.first_night.is_some() || account.last_login_at.is_some() {
            return Ok(true);
        }
        let query = sqlx::query_scalar(sql!("was_logged_in"))
            .bind(self.profile())
            .bind(account.wc_id.as_str())
            .bind(w_id.as_str())
            .bind(requested_at.0)
            .bind(polled.map(WId::as_str))
            .bind(at.0);
        Ok(query.fetch_one(tx).await?)
    }

    /// Says on the account that was asked for that another one came.
    async fn note_wrong_account(
        &self,
        tx: &mut SqliteConnection,
        attempt: Option<&Attempt>,
        record: &Record,
        at: Stamp,
    ) -> Result<()> {
        let Some(attempt) = attempt else { return Ok(()) };
        let Some(expected) = attempt.wc_id.as_ref().filter(|wc_id| **wc_id != record.wc_id) else { return Ok(()) };
        let log = LogEntry {
            reason: Some(Reason::WrongAccount),
            w_id: Some(record.w_id.clone()),
            cause: Some("phone".into()),
            ..self.line(at, Some(expected), "wrong_account")
        };
        self.add_log(tx, &log).await?;
        self.put_reason(tx, expected, Reason::WrongAccount, None, attempt.requested, at).await
    }

    /// See [`super::super::Store::adopt`].
    pub(in super::super) async fn adopt(
        &self,
        attempt: Option<&AttemptId>,
        wc_id: &WcId,
        w_id: &WId,
        [first, second]: [Began; 2],
    ) -> Result<Option<Stored>> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        match attempt {
            Some(attempt) => self.still_holding(&mut tx, attempt).await?,
            None => self.still_observing(&mut tx).await?,
        }
        let before = rows::load(&mut tx, self.profile(), wc_id).await?;
        let new_account = before.is_none();
        let mut row = before.unwrap_or_else(|| AccountRow::new(Account::new(wc_id.clone())));
        if row.account.outdates(first) || row.account.w_id.as_ref() == Some(w_id) {
            return Ok(None);
        }
        let open = self.open_attempts(&mut tx, wc_id).await?;
        // What a dead process left open asks nothing of the phone any more; its late success is stored all the same.
        if open.iter().any(|open| Some(&open.id) != attempt && self.owners.is_able(&open.owner)) {
            return Ok(None);
        }
        if let Some(attempt) = attempt
            && self.end(&mut tx, attempt).await?
        {
            self.changed(&mut tx, Subject::Attempts).await?;
        }
        let at = second.at;
        let previous_w_id = row.account.w_id.replace(w_id.clone());
        let entry = HistoryEntry {
            attempt: attempt.map(AttemptId::as_str),
            ..HistoryEntry::new("adopted", true, at, previous_w_id.as_ref())
        };
        self.keep_w_id(&mut tx, wc_id, w_id, &entry).await?;
        // An answer to an older request tells of the instance that this one has replaced.
        row.success = Some(Success { order: second.order, attempt: None });
        let account = &mut row.account;
        account.settled = self.changed(&mut tx, Subject::Account(wc_id)).await?;
        let recovered = attempt.is_none() && account.presence == Presence::Offline;
        account.w_id_confirmed = true;
        online(account, Source::List, at);
        if attempt.is_some() {
            succeeded(account);
        }
        rows::save(&mut tx, self.profile(), &row).await?;
        self.believe(&mut tx, wc_id, Presence::Online, at).await?;
        let mut log = LogEntry { w_id: Some(w_id.clone()), ..self.line(at, Some(wc_id), "w_id_changed") };
        if attempt.is_none() {
            log.cause = Some(Source::List.name().into());
        }
        self.add_log(&mut tx, &log).await?;
        if recovered {
            log.event = "recovered".into();
            self.add_log(&mut tx, &log).await?;
        }
        let (profile, previous) = (self.scope.name.as_str(), previous_w_id.as_ref());
        let event = json::w_id_changed(at, profile, &row.account, w_id, previous, "adopted");
        self.tell(&mut tx, with_attempt(event, attempt), at).await?;
        tx.commit().await?;
        Ok(Some(Stored { account: row.account, previous_w_id, current: true, new_account }))
    }

    /// See [`super::super::Store::confirm_w_ids`].
    pub(in super::super) async fn confirm_w_ids(&self, listed: &[(WcId, WId)]) -> Result<Vec<Account>> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_observing(&mut tx).await?;
        let mut confirmed = Vec::new();
        for (wc_id, w_id) in listed {
            let Some(mut row) = rows::load(&mut tx, self.profile(), wc_id).await? else { continue };
            if row.account.w_id_confirmed || row.account.w_id.as_ref() != Some(w_id) {
                continue;
            }
            row.account.w_id_confirmed = true;
            rows::save(&mut tx, self.profile(), &row).await?;
            let history =
                sqlx::query(sql!("w_id_confirm")).bind(self.profile()).bind(wc_id.as_str()).bind(w_id.as_str());
            history.execute(&mut *tx).await?;
            self.changed(&mut tx, Subject::Account(wc_id)).await?;
            confirmed.push(row.account);
        }
        tx.commit().await?;
        Ok(confirmed)
    }

    /// See [`super::super::Store::doubt_w_ids`].
    pub(in super::super) async fn doubt_w_ids(&self, listed: &[(WcId, WId)], began: Began) -> Result<Vec<Account>> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_observing(&mut tx).await?;
        let mut doubted = Vec::new();
        for (wc_id, w_id) in listed {
            let Some(mut row) = rows::load(&mut tx, self.profile(), wc_id).await? else { continue };
            let known = row.account.w_id.as_ref();
            if !row.account.w_id_confirmed || known == Some(w_id) || row.account.outdates(began) {
                continue;
            }
            row.account.w_id_confirmed = false;
            rows::save(&mut tx, self.profile(), &row).await?;
            self.changed(&mut tx, Subject::Account(wc_id)).await?;
            doubted.push(row.account);
        }
        tx.commit().await?;
        Ok(doubted)
    }
}

/// The account as a login's record has it. What the gateway left out stays.
fn take_record(account: &mut Account, record: &Record, at: Stamp) {
    account.w_id = Some(record.w_id.clone());
    account.w_id_confirmed = true;
    for (field, value) in [
        (&mut account.nick_name, &record.nick_name),
        (&mut account.w_account, &record.w_account),
        (&mut account.avatar_url, &record.avatar_url),
    ] {
        if !value.is_empty() {
            field.clone_from(value);
        }
    }
    account.sex = record.sex.or(account.sex);
    online(account, Source::Login, at);
}

fn online(account: &mut Account, source: Source, at: Stamp) {
    account.came_online();
    account.presence = Presence::Online;
    account.source = Some(source);
    account.observed_at = Some(at);
    account.observed = account.settled;
    account.offline_since = None;
    account.reason = None;
    account.gateway_message = None;
}

/// A login ends the account's row of refusals, and its rest.
fn succeeded(account: &mut Account) {
    if let Some(budget) = &mut account.budget {
        budget.succeeded();
    }
}

/// Puts the attempt into an event that was made without one.
fn with_attempt(mut event: Map<String, Value>, attempt: Option<&AttemptId>) -> Map<String, Value> {
    if let Some(attempt) = attempt {
        event.insert("attempt".into(), attempt.as_str().into());
    }
    event
}
