//! Accounts as people see and edit them.

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::super::types::{FirstAccounts, LogEntry, Result};
use super::rows::{self, AccountRow};
use super::{Sqlite, Subject, write};
use crate::model::{Account, Edit, FirstNight, Order, Source, Stamp, WId, WcId};

impl Sqlite {
    /// See [`super::super::Store::accounts`].
    pub(in super::super) async fn accounts(&self) -> Result<Vec<Account>> {
        let mut connection = self.lock().await?;
        let mut tx = connection.begin().await?;
        let last_list = self.last_list_of(&mut tx).await?;
        let accounts = self.all(&mut tx, last_list).await?;
        tx.rollback().await?;
        Ok(accounts)
    }

    /// See [`super::super::Store::first_accounts`].
    pub(in super::super) async fn first_accounts(&self, limit: u32) -> Result<FirstAccounts> {
        let mut connection = self.lock().await?;
        let mut tx = connection.begin().await?;
        let last_list = self.last_list_of(&mut tx).await?;
        let mut first = FirstAccounts::default();
        let query = sqlx::query_scalar(sql!("accounts_packed", "accounts_first")).bind(self.profile()).bind(limit);
        let packed: Option<String> = query.fetch_one(&mut *tx).await?;
        if let Some(packed) = packed {
            rows::unpack(&packed, last_list, &mut first.accounts)?;
        }
        let query = sqlx::query_as(sql!("accounts_count")).bind(self.profile());
        let counts: Vec<(i64, i64)> = query.fetch_all(&mut *tx).await?;
        for (rank, count) in counts {
            let count = usize::try_from(count).unwrap_or(0);
            match rank {
                0 => first.offline = count,
                1 => first.unknown = count,
                _ => first.online = count,
            }
        }
        tx.rollback().await?;
        Ok(first)
    }

    /// All accounts, by wcId, some hundred at a time. Packed as JSON, since sqlx copies every value of every row on
    /// its own: 19 columns of 10,000 rows cost several times what SQLite's and serde's JSON do.
    pub(super) async fn all(
        &self,
        tx: &mut SqliteConnection,
        last_list: Option<(Stamp, Order)>,
    ) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        let mut after = String::new();
        loop {
            let query = sqlx::query_as(sql!("accounts_packed", "accounts")).bind(self.profile()).bind(&after);
            let page: (Option<String>, Option<String>) = query.fetch_one(&mut *tx).await?;
            let (Some(packed), Some(last)) = page else { return Ok(accounts) };
            rows::unpack(&packed, last_list, &mut accounts)?;
            after = last;
        }
    }

    /// See [`super::super::Store::account`].
    pub(in super::super) async fn account(&self, wc_id: &WcId) -> Result<Option<Account>> {
        let mut connection = self.lock().await?;
        let last_list = self.last_list_of(&mut connection).await?;
        let query = sqlx::query(sql!("account")).bind(self.profile()).bind(wc_id.as_str());
        let row = query.fetch_optional(&mut *connection).await?;
        Ok(row.map(|row| rows::account(&row, last_list)).transpose()?)
    }

    /// See [`super::super::Store::import`]; one account is the same.
    pub(in super::super) async fn import(&self, accounts: &[(WcId, Edit)], at: Stamp) -> Result<usize> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let mut created = 0;
        for (wc_id, edit) in accounts {
            created += usize::from(self.edit(&mut tx, wc_id, edit, at).await?);
        }
        tx.commit().await?;
        Ok(created)
    }

    /// Creates and edits one account; writes nothing when nothing is different. True if it was created.
    async fn edit(&self, tx: &mut SqliteConnection, wc_id: &WcId, edit: &Edit, at: Stamp) -> Result<bool> {
        let before = rows::load(tx, self.profile(), wc_id).await?;
        let mut row = before.clone().unwrap_or_else(|| AccountRow::new(Account::new(wc_id.clone())));
        let account = &mut row.account;
        if before.is_none() {
            account.source = Some(Source::Import);
        }
        let set = |field: &mut Box<str>, value: &Option<Box<str>>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut account.nick_name, &edit.nick_name);
        set(&mut account.w_account, &edit.w_account);
        set(&mut account.holder, &edit.holder);
        set(&mut account.note, &edit.note);
        if let Some(tags) = &edit.tags {
            account.tags.clone_from(tags);
        }
        if let Some(device) = &edit.device {
            account.device = (!device.is_empty()).then(|| Box::new(device.clone()));
        }
        if edit.was_logged_in && account.first_night.is_none() {
            account.first_night = Some(FirstNight::Over);
        }
        // What a login or a list said of the wId is worth more than a file.
        let w_id = edit.w_id.as_ref().filter(|w_id| !account.w_id_confirmed && account.w_id.as_ref() != Some(w_id));
        if let Some(w_id) = w_id {
            let previous = account.w_id.replace(w_id.clone());
            self.keep_w_id(tx, wc_id, w_id, &HistoryEntry::new("import", false, at, previous.as_ref())).await?;
            if previous.is_some() {
                let w_id = Some(w_id.clone());
                self.add_log(tx, &LogEntry { w_id, ..self.line(at, Some(wc_id), "w_id_changed") }).await?;
            }
        }
        if before.as_ref().is_none_or(|before| before.account != row.account) {
            rows::save(tx, self.profile(), &row).await?;
            self.changed(tx, Subject::Account(wc_id)).await?;
        }
        Ok(before.is_none())
    }

    /// See [`super::super::Store::remove_account`].
    pub(in super::super) async fn remove_account(&self, wc_id: &WcId) -> Result<bool> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let query = sqlx::query(sql!("account_remove")).bind(self.profile()).bind(wc_id.as_str());
        let removed = query.execute(&mut *tx).await?.rows_affected() > 0;
        if removed {
            let query = sqlx::query(sql!("presences_remove")).bind(self.profile()).bind(wc_id.as_str());
            query.execute(&mut *tx).await?;
            self.changed(&mut tx, Subject::Account(wc_id)).await?;
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// Puts a wId into the account's history; one that is there is brought up to date.
    pub(super) async fn keep_w_id(
        &self,
        tx: &mut SqliteConnection,
        wc_id: &WcId,
        w_id: &WId,
        entry: &HistoryEntry<'_>,
    ) -> Result<()> {
        sqlx::query(sql!("w_id_put"))
            .bind(self.profile())
            .bind(wc_id.as_str())
            .bind(w_id.as_str())
            .bind(entry.source)
            .bind(entry.confirmed)
            .bind(entry.attempt)
            .bind(entry.requested_at.map(|at| at.0))
            .bind(entry.stored_at.0)
            .bind(entry.previous.map(WId::as_str))
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// What the history says of a wId, besides whose it is.
#[derive(Debug)]
pub(super) struct HistoryEntry<'a> {
    /// `login`, `adopted`, `list` or `import`.
    pub(super) source: &'static str,
    pub(super) confirmed: bool,
    pub(super) attempt: Option<&'a str>,
    pub(super) requested_at: Option<Stamp>,
    pub(super) stored_at: Stamp,
    pub(super) previous: Option<&'a WId>,
}

impl<'a> HistoryEntry<'a> {
    /// An entry that no attempt stands behind.
    pub(super) const fn new(
        source: &'static str,
        confirmed: bool,
        stored_at: Stamp,
        previous: Option<&'a WId>,
    ) -> Self {
        Self { source, confirmed, attempt: None, requested_at: None, stored_at, previous }
    }
}
