//! Attempts: who runs which login.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::super::boot::{BootMs, boot_id};
use super::super::types::{Begun, Error, LogEntry, Result, SECOND_LOGIN_FAILED};
use super::{Sqlite, Subject, device, new_attempt_id, rows, write};
use crate::model::{
    Attempt, AttemptId, AttemptState, Budget, Cost, Device, Order, Presence, Reason, Rung, Stamp, WId, WcId, to_ms,
};

/// So long from now on, on the boot clock.
fn in_boot_ms(left: Duration) -> i64 {
    BootMs::now().0.saturating_add(to_ms(left))
}

/// Longer than it takes from here to the stop.
const STILL: Duration = Duration::from_millis(700);

impl Sqlite {
    /// See [`super::super::Store::begin_attempt`].
    pub(in super::super) async fn begin_attempt(&self, wc_id: Option<&WcId>, rung: Rung, at: Stamp) -> Result<Begun> {
        // From here on others believe that this process can act.
        self.owners.leases().renew();
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        if let Some(wc_id) = wc_id {
            for open in self.open_attempts(&mut tx, wc_id).await? {
                if self.owners.is_able(&open.owner) {
                    return Ok(Begun::Busy(open));
                }
                // If its owner only sleeps, it finds out when it wakes.
                let displaced = sqlx::query(sql!("attempt_displace")).bind(self.profile()).bind(open.id.as_str());
                displaced.execute(&mut *tx).await?;
            }
        }
        let attempt = Attempt {
            id: new_attempt_id(at),
            wc_id: wc_id.cloned(),
            rung,
            state: AttemptState::Open,
            w_id: None,
            image_url: None,
            requested_at: at,
            requested: self.changed(&mut tx, Subject::Attempts).await?,
            deadline: None,
            left: None,
            first_drop: false,
            owner: self.owners.me().clone(),
        };
        self.add_attempt(&mut tx, &attempt).await?;
        self.prune(&mut tx, at).await?;
        tx.commit().await?;
        self.held().insert(attempt.id.clone(), 0);
        Ok(Begun::Started(attempt.id))
    }

    /// Whether this process may still write for an attempt: always where it never held it (a person has come back to
    /// one that another process holds), and else as long as nobody has taken it over.
    pub(super) async fn still_holding(&self, tx: &mut SqliteConnection, id: &AttemptId) -> Result<()> {
        let Some(epoch) = self.held().get(id).copied() else { return Ok(()) };
        let query = sqlx::query_as(sql!("attempt_holder")).bind(self.profile()).bind(id.as_str());
        let holder: Option<(String, i64)> = query.fetch_optional(tx).await?;
        match holder {
            Some((owner, held)) if owner != *self.owners.me().0 || held != epoch => Err(Error::Replaced),
            Some(_) | None => Ok(()),
        }
    }

    /// See [`super::super::Store::still_mine`].
    pub(in super::super) async fn still_mine(&self, id: &AttemptId) -> Result<bool> {
        let mut connection = self.lock().await?;
        match self.still_holding(&mut connection, id).await {
            Ok(()) => Ok(true),
            Err(Error::Replaced) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// See [`super::super::Store::let_go`].
    pub(in super::super) fn let_go(&self, id: &AttemptId) {
        self.held().remove(id);
    }

    /// See [`super::super::Store::give_up`].
    pub(in super::super) async fn give_up(&self) -> Result<()> {
        // First what needs nobody's leave: a store that is busy or full keeps nobody from what this process holds.
        self.owners.leases().give_up();
        let told = self.tell_of_leaving().await;
        self.keep_still().await;
        told
    }

    /// Whoever waits for what this process holds learns that it is free.
    async fn tell_of_leaving(&self) -> Result<()> {
        self.observe_no_longer().await?;
        if self.held().is_empty() {
            return Ok(());
        }
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.changed(&mut tx, Subject::Attempts).await?;
        Ok(tx.commit().await?)
    }

    /// Lets nothing begin for a moment. A process that is stopped in the middle of a transaction keeps everybody else from
    /// the store; whoever sleeps longer than the moment finds it over when it wakes.
    async fn keep_still(&self) {
        let mut held = Arc::clone(&self.connection).lock_owned().await;
        if let Some(connection) = held.as_mut() {
            // What was dropped in the middle is rolled back before the answer comes.
            let _ = connection.ping().await;
        }
        tokio::spawn(async move {
            tokio::time::sleep(STILL).await;
            drop(held);
        });
    }

    /// Open attempts on an account, whoever runs them.
    pub(super) async fn open_attempts(&self, tx: &mut SqliteConnection, wc_id: &WcId) -> Result<Vec<Attempt>> {
        let query = sqlx::query(sql!("attempt_columns", "attempts_open")).bind(self.profile()).bind(wc_id.as_str());
        Ok(query.fetch_all(tx).await?.iter().map(rows::attempt).collect::<sqlx::Result<_>>()?)
    }

    /// An attempt, also one that has ended.
    pub(super) async fn load_attempt(&self, tx: &mut SqliteConnection, id: &AttemptId) -> Result<Option<Attempt>> {
        let query = sqlx::query(sql!("attempt_columns", "attempt")).bind(self.profile()).bind(id.as_str());
        Ok(query.fetch_optional(tx).await?.as_ref().map(rows::attempt).transpose()?)
    }

    async fn add_attempt(&self, tx: &mut SqliteConnection, attempt: &Attempt) -> Result<()> {
        sqlx::query(sql!("attempt_add"))
            .bind(attempt.id.as_str())
            .bind(self.profile())
            .bind(attempt.wc_id.as_ref().map(WcId::as_str))
            .bind(attempt.rung.name())
            .bind(attempt.state.name())
            .bind(attempt.w_id.as_ref().map(WId::as_str))
            .bind(attempt.requested_at.0)
            .bind(attempt.deadline.map(|at| at.0))
            .bind(&*attempt.owner.0)
            .bind(attempt.requested.0)
            .bind(attempt.left.map(|_| boot_id()))
            .bind(attempt.left.map(in_boot_ms))
            .bind(attempt.first_drop)
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn abandon(&self, tx: &mut SqliteConnection, id: &AttemptId) -> Result<bool> {
        let query = sqlx::query(sql!("attempt_abandon")).bind(self.profile()).bind(id.as_str());
        Ok(query.execute(tx).await?.rows_affected() > 0)
    }

    /// Ends an attempt and erases its image URL. True if it had not ended before.
    pub(super) async fn end(&self, tx: &mut SqliteConnection, id: &AttemptId) -> Result<bool> {
        let query = sqlx::query(sql!("attempt_end")).bind(self.profile()).bind(id.as_str());
        Ok(query.execute(tx).await?.rows_affected() > 0)
    }

    /// See [`super::super::Store::attempt_requesting`].
    pub(in super::super) async fn attempt_requesting(
        &self,
        id: &AttemptId,
        rung: Rung,
        at: Stamp,
    ) -> Result<Option<AttemptId>> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_holding(&mut tx, id).await?;
        let attempt = self.load_attempt(&mut tx, id).await?;
        let Some(attempt) = attempt.filter(|attempt| attempt.state != AttemptState::Ended) else {
            return Ok(None);
        };
        let wc_id = attempt.wc_id.clone();
        let requested = self.changed(&mut tx, Subject::Attempts).await?;
        sqlx::query(sql!("attempt_requesting"))
            .bind(self.profile())
            .bind(id.as_str())
            .bind(rung.name())
            .bind(at.0)
            .bind(requested.0)
            .execute(&mut *tx)
            .await?;
        let twin = attempt.w_id.is_some().then(|| new_attempt_id(at));
        if let Some(twin) = &twin {
            // The old code keeps its own place in the order of requests; nobody looks at its picture any more.
            let old = Attempt { id: twin.clone(), state: AttemptState::Abandoned, image_url: None, ..attempt };
            self.add_attempt(&mut tx, &old).await?;
        }
        let cost = match rung {
            Rung::Adopt => None,
            Rung::SecondLogin => Some(Cost::SecondLogin),
            Rung::QrLogin => Some(Cost::Code),
        };
        if let (Some(wc_id), Some(cost)) = (&wc_id, cost) {
            self.budget(&mut tx, wc_id, |budget| budget.spend(cost, at)).await?;
        }
        tx.commit().await?;
        if let Some(twin) = &twin {
            self.held().insert(twin.clone(), 0);
        }
        Ok(twin)
    }

    /// See [`super::super::Store::attempt_issued`].
    pub(in super::super) async fn attempt_issued(
        &self,
        id: &AttemptId,
        w_id: Option<&WId>,
        image_url: Option<&SecretString>,
        deadline: Stamp,
        left: Duration,
    ) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_holding(&mut tx, id).await?;
        sqlx::query(sql!("attempt_issued"))
            .bind(self.profile())
            .bind(id.as_str())
            .bind(w_id.map(WId::as_str))
            .bind(image_url.map(ExposeSecret::expose_secret))
            .bind(deadline.0)
            .bind(boot_id())
            .bind(in_boot_ms(left))
            .execute(&mut *tx)
            .await?;
        self.changed(&mut tx, Subject::Attempts).await?;
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::attempt_after_first_drop`].
    pub(in super::super) async fn attempt_after_first_drop(&self, id: &AttemptId) -> Result<()> {
        let mut connection = self.lock().await?;
        self.still_holding(&mut connection, id).await?;
        let put = sqlx::query(sql!("attempt_first_drop")).bind(self.profile()).bind(id.as_str());
        put.execute(&mut *connection).await?;
        Ok(())
    }

    /// See [`super::super::Store::attempt_made_with`].
    pub(in super::super) async fn attempt_made_with(&self, id: &AttemptId, made_with: &Device) -> Result<()> {
        let mut connection = self.lock().await?;
        self.still_holding(&mut connection, id).await?;
        let put = sqlx::query(sql!("attempt_device_put")).bind(self.profile()).bind(id.as_str());
        put.bind(device::json(made_with)).execute(&mut *connection).await?;
        Ok(())
    }

    /// See [`super::super::Store::what_attempt_was_made_with`].
    pub(in super::super) async fn what_attempt_was_made_with(&self, id: &AttemptId) -> Result<Option<Device>> {
        let mut connection = self.lock().await?;
        let query = sqlx::query_scalar::<_, Option<String>>(sql!("attempt_device")).bind(self.profile());
        let json = query.bind(id.as_str()).fetch_optional(&mut *connection).await?.flatten();
        Ok(json.and_then(|json| device::read(&json)))
    }

    /// See [`super::super::Store::abandon_attempt`].
    pub(in super::super) async fn abandon_attempt(&self, id: &AttemptId) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_holding(&mut tx, id).await?;
        if self.abandon(&mut tx, id).await? {
            self.changed(&mut tx, Subject::Attempts).await?;
        }
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::end_attempt`].
    pub(in super::super) async fn end_attempt(
        &self,
        id: &AttemptId,
        event: &str,
        reason: Option<Reason>,
        gateway_message: Option<&str>,
        at: Stamp,
    ) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_holding(&mut tx, id).await?;
        let attempt = self.load_attempt(&mut tx, id).await?;
        let Some(attempt) = attempt.filter(|attempt| attempt.state != AttemptState::Ended) else {
            return Ok(());
        };
        self.end(&mut tx, id).await?;
        let entry = LogEntry {
            reason,
            gateway_message: gateway_message.map(Into::into),
            w_id: attempt.w_id,
            ..self.line(at, attempt.wc_id.as_ref(), event)
        };
        // Nobody knows how this one ended, and nobody needs to: one that was requested later has worked.
        let moot = match (&attempt.wc_id, reason) {
            (Some(wc_id), Some(Reason::LoginInterrupted)) => {
                let account = rows::load(&mut tx, self.profile(), wc_id).await?;
                let success = account.and_then(|account| account.success);
                success.is_some_and(|success| success.order >= attempt.requested)
            }
            _ => false,
        };
        // It has its line already.
        if event != SECOND_LOGIN_FAILED && !moot {
            self.add_log(&mut tx, &entry).await?;
        }
        if let (Some(wc_id), Some(reason)) = (&attempt.wc_id, reason) {
            self.put_reason(&mut tx, wc_id, reason, gateway_message, attempt.requested, at).await?;
        }
        // Online under the wId that is stored already: nothing was swapped, but it is a login all the same.
        if let Some(wc_id) = attempt.wc_id.as_ref().filter(|_| event == "adopted") {
            self.budget(&mut tx, wc_id, Budget::succeeded).await?;
        }
        self.changed(&mut tx, Subject::Attempts).await?;
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::forget_attempt`].
    pub(in super::super) async fn forget_attempt(&self, id: &AttemptId) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_holding(&mut tx, id).await?;
        if self.end(&mut tx, id).await? {
            self.changed(&mut tx, Subject::Attempts).await?;
        }
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::doubt_w_id`].
    pub(in super::super) async fn doubt_w_id(&self, id: &AttemptId, at: Stamp) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let Some(attempt) = self.load_attempt(&mut tx, id).await? else { return Ok(()) };
        if let Some(wc_id) = &attempt.wc_id {
            self.put_reason(&mut tx, wc_id, Reason::LoginInterrupted, None, attempt.requested, at).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Puts on the account how its login ended, unless a login was stored since that one's request. Where nobody knows
    /// how it ended, nobody knows which wId lives either.
    pub(super) async fn put_reason(
        &self,
        tx: &mut SqliteConnection,
        wc_id: &WcId,
        reason: Reason,
        gateway_message: Option<&str>,
        requested: Order,
        at: Stamp,
    ) -> Result<()> {
        let interrupted = reason == Reason::LoginInterrupted;
        let statement = if interrupted { sql!("account_interrupted") } else { sql!("account_reason") };
        let query = sqlx::query(statement)
            .bind(self.profile())
            .bind(wc_id.as_str())
            .bind(reason.code())
            .bind(gateway_message)
            .bind(requested.0);
        if query.execute(&mut *tx).await?.rows_affected() > 0 {
            if interrupted {
                self.believe(tx, wc_id, Presence::Unknown, at).await?;
            }
            self.changed(tx, Subject::Account(wc_id)).await?;
        }
        Ok(())
    }

    /// See [`super::super::Store::attempts`].
    pub(in super::super) async fn attempts(&self) -> Result<Vec<Attempt>> {
        let mut connection = self.lock().await?;
        let rows =
            sqlx::query(sql!("attempt_columns", "attempts")).bind(self.profile()).fetch_all(&mut *connection).await?;
        Ok(rows.iter().map(rows::attempt).collect::<sqlx::Result<_>>()?)
    }

    /// See [`super::super::Store::attempt`].
    pub(in super::super) async fn attempt(&self, id: &AttemptId) -> Result<Option<Attempt>> {
        let mut connection = self.lock().await?;
        self.load_attempt(&mut connection, id).await
    }

    /// See [`super::super::Store::take_over`].
    pub(in super::super) async fn take_over(&self, id: &AttemptId) -> Result<Option<Attempt>> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let attempt = self.load_attempt(&mut tx, id).await?;
        let Some(attempt) = attempt.filter(|attempt| !self.owners.is_able(&attempt.owner)) else {
            return Ok(None);
        };
        self.owners.leases().renew();
        let query = sqlx::query_scalar(sql!("attempt_take_over"))
            .bind(self.profile())
            .bind(id.as_str())
            .bind(&*attempt.owner.0)
            .bind(&*self.owners.me().0);
        let epoch: Option<i64> = query.fetch_optional(&mut *tx).await?;
        if epoch.is_some() {
            self.changed(&mut tx, Subject::Attempts).await?;
        }
        tx.commit().await?;
        let Some(epoch) = epoch else { return Ok(None) };
        self.held().insert(id.clone(), epoch);
        Ok(Some(Attempt { owner: self.owners.me().clone(), ..attempt }))
    }
}
