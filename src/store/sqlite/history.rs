//! What happened, what was believed since when, what it has cost, and when anybody looked.

use sqlx::sqlite::SqliteConnection;

use super::super::types::{LogEntry, PresenceChange, Result, SECOND_LOGIN_FAILED, WATCHED_GAP_MS};
use super::{Sqlite, Subject, rows, write};
use crate::model::{Began, Budget, Cost, LONGEST_LIFE_MS, Presence, Reason, Stamp, WcId};

/// Between two questions for an account's offline reason (protocol.md §3.12).
const ASK_AGAIN_MS: i64 = 12 * 3_600_000;

impl Sqlite {
    /// Notes what is believed of an account from `at` on, if it is something else than before; belongs into the
    /// transaction that changes the account.
    pub(super) async fn believe(
        &self,
        tx: &mut SqliteConnection,
        wc_id: &WcId,
        presence: Presence,
        at: Stamp,
    ) -> Result<()> {
        sqlx::query(sql!("presence_add"))
            .bind(self.profile())
            .bind(wc_id.as_str())
            .bind(at.0)
            .bind(presence.name())
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Notes that the fleet was looked at.
    pub(super) async fn watched_on(&self, tx: &mut SqliteConnection, at: Stamp) -> Result<()> {
        if self.outage_since(tx).await?.is_some() {
            return self.watched_anew(tx, at).await;
        }
        let on = sqlx::query(sql!("watched_on")).bind(self.profile()).bind(at.0).bind(at.plus_ms(-WATCHED_GAP_MS).0);
        if on.execute(&mut *tx).await?.rows_affected() == 0 {
            self.watched_anew(tx, at).await?;
        }
        Ok(())
    }

    /// Notes that the fleet is looked at again after a time in which it was not, or in which there was nothing to see.
    pub(super) async fn watched_anew(&self, tx: &mut SqliteConnection, at: Stamp) -> Result<()> {
        sqlx::query(sql!("watched_add")).bind(self.profile()).bind(at.0).execute(tx).await?;
        Ok(())
    }

    /// Changes an account's budget, if there is such an account.
    pub(super) async fn budget(
        &self,
        tx: &mut SqliteConnection,
        wc_id: &WcId,
        change: impl FnOnce(&mut Budget) + Send,
    ) -> Result<()> {
        let Some(row) = rows::load(tx, self.profile(), wc_id).await? else { return Ok(()) };
        let before = row.account.budget.as_deref().cloned().unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        sqlx::query(sql!("account_budget"))
            .bind(self.profile())
            .bind(wc_id.as_str())
            .bind(rows::budget(&after))
            .execute(&mut *tx)
            .await?;
        self.changed(tx, Subject::Account(wc_id)).await?;
        Ok(())
    }

    /// See [`super::super::Store::bring_back`].
    pub(in super::super) async fn bring_back(&self, now: Stamp) -> Result<bool> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let rows: Vec<(String, String)> =
            sqlx::query_as(sql!("budgets")).bind(self.profile()).fetch_all(&mut *tx).await?;
        let mut moved = 0;
        for (wc_id, packed) in rows {
            let Ok(before) = serde_json::from_str::<Budget>(&packed) else { continue };
            let mut after = before.clone();
            after.bring_back(now);
            if after != before {
                self.budget(&mut tx, &wc_id.into(), |budget| *budget = after).await?;
                moved += 1;
            }
        }
        let asked = sqlx::query(sql!("offline_reason_bring_back")).bind(self.profile()).bind(now.0);
        moved += asked.execute(&mut *tx).await?.rows_affected();
        let attempts = sqlx::query(sql!("attempts_bring_back")).bind(self.profile()).bind(now.0);
        moved += attempts.bind(LONGEST_LIFE_MS).execute(&mut *tx).await?.rows_affected();
        if moved > 0 {
            tracing::info!(moved, "times that lie ahead of the clock are brought back to it");
            tx.commit().await?;
        }
        Ok(moved > 0)
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
            .bind(self.profile())
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
        began: Began,
    ) -> Result<()> {
        let at = began.at;
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        if words.is_some() {
            let note = sqlx::query(sql!("offline_reason_note")).bind(self.profile()).bind(wc_id.as_str()).bind(words);
            let note = note.bind(began.order.0);
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
        now: Stamp,
    ) -> Result<Vec<LogEntry>> {
        let mut connection = self.lock().await?;
        let statement = if wc_id.is_some() { sql!("log_of_account") } else { sql!("log_since") };
        let mut query = sqlx::query(statement).bind(self.profile()).bind(since.0).bind(limit);
        if let Some(wc_id) = wc_id {
            query = query.bind(wc_id.as_str());
        }
        let rows = query.fetch_all(&mut *connection).await?;
        let mut lines: Vec<(i64, LogEntry)> = rows.iter().map(rows::numbered_log_entry).collect::<sqlx::Result<_>>()?;
        if lines.first().is_some_and(|(_, newest)| newest.at > now) {
            into_the_past(&mut lines, now);
        }
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    }

    /// See [`super::super::Store::drops`].
    pub(in super::super) async fn drops(&self, wc_id: Option<&WcId>, since: Stamp, now: Stamp) -> Result<Vec<Stamp>> {
        let mut connection = self.lock().await?;
        let query = sqlx::query_scalar(sql!("drops")).bind(self.profile()).bind(since.0).bind(wc_id.map(WcId::as_str));
        let packed: String = query.fetch_one(&mut *connection).await?;
        let drops: Vec<Stamp> = rows::unjson(&packed)?;
        Ok(drops.into_iter().map(|at| at.not_after(now)).collect())
    }

    /// See [`super::super::Store::presences`].
    pub(in super::super) async fn presences(
        &self,
        wc_ids: Option<&[WcId]>,
        since: Stamp,
        now: Stamp,
    ) -> Result<Vec<PresenceChange>> {
        let mut connection = self.lock().await?;
        let statement = if wc_ids.is_some() { sql!("presences_of") } else { sql!("presences") };
        let mut query = sqlx::query_scalar(statement).bind(self.profile()).bind(since.0);
        if let Some(wc_ids) = wc_ids {
            query = query.bind(serde_json::json!(wc_ids).to_string());
        }
        let packed: Option<String> = query.fetch_one(&mut *connection).await?;
        let Some(packed) = packed else { return Ok(Vec::new()) };
        let rows: Vec<(WcId, Stamp, Presence)> = rows::unjson(&packed)?;
        let mut changes: Vec<PresenceChange> =
            rows.into_iter().map(|(wc_id, at, presence)| PresenceChange { wc_id, at, presence }).collect();
        for account in changes.chunk_by_mut(|one, next| one.wc_id == next.wc_id) {
            let mut times: Vec<Stamp> = account.iter().map(|change| change.at).collect();
            put_in_order(&mut times, now);
            account.iter_mut().zip(times).for_each(|(change, at)| change.at = at);
        }
        // Stable: one account's turns stay in their order.
        changes.sort_by_key(|change| change.at);
        Ok(changes)
    }

    /// See [`super::super::Store::watched`].
    pub(in super::super) async fn watched(&self, since: Stamp, now: Stamp) -> Result<Vec<(Stamp, Stamp)>> {
        let mut connection = self.lock().await?;
        let vouches_from = now.plus_ms(-WATCHED_GAP_MS);
        // What is to come vouches for nothing, the last list for a while.
        let query = sqlx::query_as(sql!("watched")).bind(self.profile()).bind(since.0.min(vouches_from.0));
        let rows: Vec<(i64, i64)> = query.fetch_all(&mut *connection).await?;
        let mut spans: Vec<(Stamp, Stamp)> =
            rows.into_iter().map(|(since, until)| (Stamp(since), Stamp(until).not_after(now))).collect();
        // Noted by a clock that was ahead.
        spans.retain(|(from, _)| *from <= now);
        let outage_since = self.outage_since(&mut connection).await?;
        let last = spans.last_mut().filter(|(_, until)| outage_since.is_none() && *until >= vouches_from);
        if let Some((_, until)) = last {
            *until = now;
        }
        spans.retain(|(from, until)| from < until && *until >= since);
        Ok(spans)
    }
}

/// Lines whose time lies ahead of `now`, newest first, in the place that they have in the log: what came after them says
/// when they were at the latest.
fn into_the_past(lines: &mut [(i64, LogEntry)], now: Stamp) {
    lines.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let mut latest = now;
    for (_, line) in &mut *lines {
        if line.at > now {
            line.at = latest;
        } else {
            latest = line.at;
        }
    }
    lines.sort_by_key(|(number, line)| std::cmp::Reverse((line.at, *number)));
}

/// Times of what came one after the other, told by a clock that was set in between: the most of them that are in order
/// are believed, and the others are as near to what they say as the order allows. None is after `now`.
fn put_in_order(times: &mut [Stamp], now: Stamp) {
    if times.is_sorted() && times.last().is_none_or(|last| *last <= now) {
        return;
    }
    // For each length the chain that ends earliest, by its last member; and who comes before whom.
    let mut ends: Vec<(Stamp, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; times.len()];
    for (number, at) in times.iter().enumerate().filter(|(_, at)| **at <= now) {
        let length = ends.partition_point(|(end, _)| end <= at);
        let previous = length.checked_sub(1).and_then(|last| ends.get(last)).map(|(_, number)| *number);
        before.get_mut(number).into_iter().for_each(|slot| *slot = previous);
        match ends.get_mut(length) {
            Some(end) => *end = (*at, number),
            None => ends.push((*at, number)),
        }
    }
    let mut believed = vec![false; times.len()];
    let mut next = ends.last().map(|(_, number)| *number);
    while let Some(number) = next {
        believed.get_mut(number).into_iter().for_each(|slot| *slot = true);
        next = before.get(number).copied().flatten();
    }
    let mut latest = now;
    for (at, believed) in times.iter_mut().zip(&believed).rev() {
        *at = (*at).min(latest);
        if *believed {
            latest = *at;
        }
    }
    let mut earliest = Stamp(i64::MIN);
    for at in times {
        *at = (*at).max(earliest);
        earliest = *at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_moves_no_turn_but_its_own() {
        for (told, reckoned) in [
            (&[1, 2, 3][..], &[1, 2, 3][..]),
            // Ahead for one turn, for the last one, for all so far; by little and by much.
            (&[1, 2, 90, 3, 4], &[1, 2, 3, 3, 4]),
            (&[1, 2, 500], &[1, 2, 100]),
            (&[500, 501], &[100, 100]),
            (&[1, 5, 4, 6], &[1, 4, 4, 6]),
            // Behind.
            (&[50, 60, 1, 70], &[50, 60, 60, 70]),
            (&[50, 60, 70, 1], &[50, 60, 70, 70]),
            // For long.
            (&[10, 11, 90, 91, 92, 12, 13, 14, 15], &[10, 11, 12, 12, 12, 12, 13, 14, 15]),
        ] {
            let mut times: Vec<Stamp> = told.iter().map(|at| Stamp(*at)).collect();
            put_in_order(&mut times, Stamp(100));
            assert_eq!(times.iter().map(|at| at.0).collect::<Vec<_>>(), reckoned, "{told:?}");
        }
    }
}
