//! What happened, what was believed since when, what it has cost, and when anybody looked.

use sqlx::sqlite::SqliteConnection;

use super::super::types::{LogEntry, PresenceChange, Result, SECOND_LOGIN_FAILED, WATCHED_GAP_MS};
use super::{Sqlite, Subject, rows, write};
use crate::model::{Budget, Cost, Presence, Reason, Stamp, WcId};

/// How long it is known when somebody looked: as long as what was believed then.
const KEPT_MS: i64 = 31 * 24 * 3_600_000;
/// Between two questions for an account's offline reason (protocol.md §3.12).
const ASK_AGAIN_MS: i64 = 12 * 3_600_000;

impl Sqlite {
    /// Notes what is believed of an account from `at` on, if it is something else than before; belongs into the
    /// transaction that changes the account. What is older than 31 days goes, but for the last of it (a trigger).
    pub(super) async fn believe(
        &self,
        tx: &mut SqliteConnection,
        wc_id: &WcId,
        presence: Presence,
        at: Stamp,
    ) -> Result<()> {
        sqlx::query(sql!("presence_add"))
            .bind(self.profile)
            .bind(wc_id.as_str())
            .bind(at.0)
            .bind(presence.name())
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Notes that the fleet was looked at.
    pub(super) async fn watched_on(&self, tx: &mut SqliteConnection, at: Stamp) -> Result<()> {
        let (_, outage_since) = self.watchers_of(tx).await?;
        if outage_since.is_some() {
            return self.watched_anew(tx, at).await;
        }
        let on = sqlx::query(sql!("watched_on")).bind(self.profile).bind(at.0).bind(at.plus_ms(-WATCHED_GAP_MS).0);
        if on.execute(&mut *tx).await?.rows_affected() == 0 {
            self.watched_anew(tx, at).await?;
        }
        Ok(())
    }

    /// Notes that the fleet is looked at again after a time in which it was not, or in which there was nothing to see.
    pub(super) async fn watched_anew(&self, tx: &mut SqliteConnection, at: Stamp) -> Result<()> {
        sqlx::query(sql!("watched_add")).bind(self.profile).bind(at.0).execute(&mut *tx).await?;
        let prune = sqlx::query(sql!("watched_prune")).bind(self.profile).bind(at.plus_ms(-KEPT_MS).0);
        prune.execute(tx).await?;
        Ok(())
    }

    /// Changes an account's budget, if there is such an account.
    pub(super) async fn budget(
        &self,
        tx: &mut SqliteConnection,
        wc_id: &WcId,
        change: impl FnOnce(&mut Budget) + Send,
    ) -> Result<()> {
        let Some(row) = rows::load(tx, self.profile, wc_id).await? else { return Ok(()) };
        let before = row.account.budget.as_deref().cloned().unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        sqlx::query(sql!("account_budget"))
            .bind(self.profile)
            .bind(wc_id.as_str())
            .bind(rows::budget(&after))
            .execute(&mut *tx)
            .await?;
        self.changed(tx, Subject::Account(wc_id)).await
    }

    /// See [`super::super::Store::take_back`].
    pub(in super::super) async fn take_back(&self, wc_id: &WcId, cost: Cost) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.budget(&mut tx, wc_id, |budget| budget.take_back(cost)).await?;
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::refused`].
    pub(in super::super) async fn refused(&self, wc_id: &WcId, gateway_message: Option<&str>, at: Stamp) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.budget(&mut tx, wc_id, |budget| budget.refused(at)).await?;
        let line = LogEntry {
            reason: Some(Reason::Refused),
            cause: Some("phone".into()),
            gateway_message: gateway_message.map(Into::into),
            ..self.line(at, Some(wc_id), SECOND_LOGIN_FAILED)
        };
        self.add_log(&mut tx, &line).await?;
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::ask_offline_reason`].
    pub(in super::super) async fn ask_offline_reason(&self, wc_id: &WcId, at: Stamp) -> Result<bool> {
        let mut connection = self.lock().await?;
        let ask = sqlx::query(sql!("offline_reason_ask"))
            .bind(self.profile)
            .bind(wc_id.as_str())
            .bind(at.0)
            .bind(ASK_AGAIN_MS);
        Ok(ask.execute(&mut *connection).await?.rows_affected() > 0)
    }

    /// See [`super::super::Store::note_offline_reason`].
    pub(in super::super) async fn note_offline_reason(
        &self,
        wc_id: &WcId,
        words: Option<&str>,
        at: Stamp,
    ) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        if words.is_some() {
            let note =
                sqlx::query(sql!("offline_reason_note")).bind(self.profile).bind(wc_id.as_str()).bind(words).bind(at.0);
            if note.execute(&mut *tx).await?.rows_affected() > 0 {
                self.changed(&mut tx, Subject::Account(wc_id)).await?;
            }
        }
        let line = LogEntry {
            gateway_message: words.map(Into::into),
            cause: Some("gateway".into()),
            ..self.line(at, Some(wc_id), "offline_reason")
        };
        self.add_log(&mut tx, &line).await?;
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::history`].
    pub(in super::super) async fn history(
        &self,
        wc_id: Option<&WcId>,
        since: Stamp,
        limit: u32,
    ) -> Result<Vec<LogEntry>> {
        let mut connection = self.lock().await?;
        let statement = if wc_id.is_some() { sql!("log_of_account") } else { sql!("log_since") };
        let mut query = sqlx::query(statement).bind(self.profile).bind(since.0).bind(limit);
        if let Some(wc_id) = wc_id {
            query = query.bind(wc_id.as_str());
        }
        let rows = query.fetch_all(&mut *connection).await?;
        Ok(rows.iter().map(rows::log_entry).collect::<sqlx::Result<_>>()?)
    }

    /// See [`super::super::Store::drops`].
    pub(in super::super) async fn drops(&self, wc_id: Option<&WcId>, since: Stamp) -> Result<Vec<Stamp>> {
        let mut connection = self.lock().await?;
        let query = sqlx::query_scalar(sql!("drops")).bind(self.profile).bind(since.0).bind(wc_id.map(WcId::as_str));
        let packed: String = query.fetch_one(&mut *connection).await?;
        rows::unjson(&packed)
    }

    /// See [`super::super::Store::presences`].
    pub(in super::super) async fn presences(
        &self,
        wc_ids: Option<&[WcId]>,
        since: Stamp,
    ) -> Result<Vec<PresenceChange>> {
        let mut connection = self.lock().await?;
        let statement = if wc_ids.is_some() { sql!("presences_of") } else { sql!("presences") };
        let mut query = sqlx::query_scalar(statement).bind(self.profile).bind(since.0);
        if let Some(wc_ids) = wc_ids {
            query = query.bind(serde_json::json!(wc_ids).to_string());
        }
        let packed: Option<String> = query.fetch_one(&mut *connection).await?;
        let Some(packed) = packed else { return Ok(Vec::new()) };
        let rows: Vec<(WcId, Stamp, Presence)> = rows::unjson(&packed)?;
        Ok(rows.into_iter().map(|(wc_id, at, presence)| PresenceChange { wc_id, at, presence }).collect())
    }

    /// See [`super::super::Store::watched`].
    pub(in super::super) async fn watched(&self, since: Stamp, now: Stamp) -> Result<Vec<(Stamp, Stamp)>> {
        let mut connection = self.lock().await?;
        let vouches_from = now.plus_ms(-WATCHED_GAP_MS);
        // What is to come vouches for nothing, the last list for a while.
        let query = sqlx::query_as(sql!("watched")).bind(self.profile).bind(since.0.min(vouches_from.0));
        let rows: Vec<(i64, i64)> = query.fetch_all(&mut *connection).await?;
        let mut spans: Vec<(Stamp, Stamp)> =
            rows.into_iter().map(|(since, until)| (Stamp(since), Stamp(until).min(now))).collect();
        let (_, outage_since) = self.watchers_of(&mut connection).await?;
        let last = spans.last_mut().filter(|(_, until)| outage_since.is_none() && *until >= vouches_from);
        if let Some((_, until)) = last {
            *until = now;
        }
        spans.retain(|(from, until)| from < until && *until >= since);
        Ok(spans)
    }
}
