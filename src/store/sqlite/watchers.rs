//! Who observes, and what the observer found of the gateway.

use std::time::Duration;

use serde_json::json;
use sqlx::sqlite::SqliteConnection;

use super::super::boot::{BootMs, boot_id};
use super::super::types::{Alert, Error, LogEntry, Moment, Place, Result, Watchers};
use super::{Sqlite, Subject, write};
use crate::model::{Account, Began, Order, Owner, Reason, Stamp, from_ms, json, to_ms};

/// So many intervals without a sign of life, and the place is free for others.
const OVERDUE: i64 = 3;
/// A request for a list is waited for so long, in milliseconds, however short the interval is.
const LONGEST_TRY_MS: i64 = 15_000;
/// The interval of a place that an older saoma holds, which wrote none down.
const USUAL_INTERVAL_MS: i64 = 30_000;

/// The columns of `watchers.sql`, in their order.
type Columns = (
    Option<String>,
    Option<u8>,
    i64,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    i64,
    Option<i64>,
);

/// The same, named.
#[derive(Debug)]
struct Row {
    observer: Option<Owner>,
    rank: Option<u8>,
    epoch: i64,
    interval: Option<i64>,
    boot: Option<String>,
    tried: Option<i64>,
    listed: Option<i64>,
    failing: Option<Reason>,
    failing_since: Option<i64>,
    outage_since: Option<Stamp>,
    outage_order: Order,
    lost_since: Option<Stamp>,
}

impl From<Columns> for Row {
    fn from(columns: Columns) -> Self {
        let (observer, rank, epoch, interval, boot, tried, listed, failing, since, outage_since, order, lost_since) =
            columns;
        Self {
            observer: observer.map(|owner| Owner(owner.into())),
            rank,
            epoch,
            interval,
            boot,
            tried,
            listed,
            failing: failing.and_then(|code| Reason::from_code(&code)),
            failing_since: since,
            outage_since: outage_since.map(Stamp),
            outage_order: Order(order),
            lost_since: lost_since.map(Stamp),
        }
    }
}

impl Sqlite {
    /// See [`super::super::Store::observe`].
    pub(in super::super) async fn observe(&self, rank: u8, interval: Duration, listed: Option<Moment>) -> Result<bool> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let me = self.owners.me();
        match self.watchers_of(&mut tx).await?.observer {
            Some(place) if place.owner == *me && place.rank == rank && *self.epoch() == Some(place.epoch) => {
                return Ok(true);
            }
            Some(place) if place.owner != *me && place.rank >= rank && !place.is_free_for(listed) => return Ok(false),
            Some(_) | None => {}
        }
        // A try may be long in coming; the place must not look overdue until then.
        self.owners.leases().try_begins(Duration::ZERO);
        let epoch: i64 = sqlx::query_scalar(sql!("observer_set"))
            .bind(self.profile())
            .bind(&*me.0)
            .bind(rank)
            .bind(to_ms(interval))
            .bind(boot_id())
            .bind(BootMs::now().0)
            .fetch_one(&mut *tx)
            .await?;
        self.changed(&mut tx, Subject::Fleet).await?;
        tx.commit().await?;
        *self.epoch() = Some(epoch);
        Ok(true)
    }

    /// See [`super::super::Store::observe_no_longer`].
    pub(in super::super) async fn observe_no_longer(&self) -> Result<()> {
        *self.epoch() = None;
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let query = sqlx::query(sql!("observer_clear")).bind(self.profile()).bind(&*self.owners.me().0);
        if query.execute(&mut *tx).await?.rows_affected() > 0 {
            self.changed(&mut tx, Subject::Fleet).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Whether this process may still write what an observer writes: always where it does not observe (a list that a
    /// person wished for is as good as any), and else as long as nobody has taken its place.
    pub(super) async fn still_observing(&self, tx: &mut SqliteConnection) -> Result<()> {
        let Some(epoch) = *self.epoch() else { return Ok(()) };
        let row = self.row(tx).await?;
        if row.epoch == epoch && row.observer.as_ref() == Some(self.owners.me()) {
            return Ok(());
        }
        *self.epoch() = None;
        Err(Error::ObservesNoLonger)
    }

    /// See [`super::super::Store::try_begins`].
    pub(in super::super) async fn try_begins(&self, limit: Duration) -> Result<()> {
        if self.epoch().is_none() {
            return Err(Error::ObservesNoLonger);
        }
        let mut connection = self.lock().await?;
        self.still_observing(&mut connection).await?;
        self.owners.leases().try_begins(limit);
        Ok(())
    }

    /// See [`super::super::Store::note_try`].
    pub(in super::super) async fn note_try(&self, failing: Option<Reason>) -> Result<()> {
        if self.epoch().is_none() {
            return Ok(());
        }
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_observing(&mut tx).await?;
        self.put_try(&mut tx, failing, false).await?;
        if failing.is_some() {
            self.changed(&mut tx, Subject::Fleet).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn put_try(&self, tx: &mut SqliteConnection, failing: Option<Reason>, listed: bool) -> Result<()> {
        self.owners.leases().try_ended();
        sqlx::query(sql!("observer_tried"))
            .bind(self.profile())
            .bind(boot_id())
            .bind(BootMs::now().0)
            .bind(failing.map(Reason::code))
            .bind(listed)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// A list came and is believed, whoever asked for it: if it was told that nobody could see the fleet, that is over.
    pub(super) async fn list_came(&self, tx: &mut SqliteConnection, at: Stamp) -> Result<()> {
        if self.epoch().is_some() {
            self.put_try(tx, None, true).await?;
        } else {
            let listed = sqlx::query(sql!("observer_listed")).bind(self.profile()).bind(boot_id());
            listed.bind(BootMs::now().0).execute(&mut *tx).await?;
        }
        let Some(since) = self.row(tx).await?.lost_since else { return Ok(()) };
        sqlx::query(sql!("lost_set")).bind(self.profile()).bind(None::<i64>).execute(&mut *tx).await?;
        let fields = vec![("since", since.rfc3339().into())];
        let alert = Alert { event: "observation_back", wc_id: None, at, reason: None, fields };
        self.tell_alert(tx, &alert, None).await?;
        self.log_alert(tx, &alert, None).await
    }

    /// See [`super::super::Store::watchers`].
    pub(in super::super) async fn watchers(&self) -> Result<Watchers> {
        let mut connection = self.lock().await?;
        self.watchers_of(&mut connection).await
    }

    /// The observer, if it lives, and what is amiss.
    pub(super) async fn watchers_of(&self, connection: &mut SqliteConnection) -> Result<Watchers> {
        let row = self.row(connection).await?;
        let Row { outage_since, outage_order, lost_since, .. } = row;
        Ok(Watchers { observer: self.place_of(row), outage_since, outage_order, lost_since })
    }

    /// Since when the gateway has an outage, as it was noted.
    pub(super) async fn outage_since(&self, connection: &mut SqliteConnection) -> Result<Option<Stamp>> {
        Ok(self.row(connection).await?.outage_since)
    }

    async fn row(&self, connection: &mut SqliteConnection) -> Result<Row> {
        let columns: Columns = sqlx::query_as(sql!("watchers")).bind(self.profile()).fetch_one(connection).await?;
        Ok(columns.into())
    }

    /// The place of a living observer.
    fn place_of(&self, row: Row) -> Option<Place> {
        let owner = row.observer?;
        if !self.owners.is_alive(&owner) {
            return None;
        }
        let interval = row.interval.unwrap_or(USUAL_INTERVAL_MS).max(1);
        let now = BootMs::now();
        // Times of another start of the machine, or none at all (an older saoma that knows no epochs): its lock is
        // all that speaks for it.
        let dated = row.boot.as_deref() == Some(boot_id());
        let tried = row.tried.filter(|_| dated);
        let trying = self.owners.leases().of(&owner).and_then(|lease| lease.trying);
        let signs = [tried, trying.map(|(began, _)| began.0)].into_iter().flatten().max();
        let quiet_until = signs.map_or(i64::MAX, |sign| sign.saturating_add(interval.saturating_mul(OVERDUE)));
        // A request that is still under way has its own limit; who hangs in it for as long as others are waited for is
        // no better than who is silent.
        let longest = interval.saturating_mul(OVERDUE).max(LONGEST_TRY_MS);
        let busy_until = trying.map_or(0, |(began, limit)| began.0.saturating_add(limit.min(longest)));
        // The last try that has ended: its end is noted, its beginning is in the lease, as long as no other has begun.
        let began = trying.map(|(began, _)| began.0).filter(|began| tried.is_some_and(|tried| *began <= tried));
        let listed = row.listed.filter(|_| dated);
        Some(Place {
            rank: row.rank?,
            epoch: row.epoch,
            interval: from_ms(interval),
            failing: row.failing,
            failing_since: row.failing_since.map(|since| Moment(BootMs(since))),
            able_for: from_ms(quiet_until.max(busy_until).saturating_sub(now.0)),
            unlisted: listed.map_or(Duration::ZERO, |listed| from_ms(now.since(BootMs(listed)))),
            tried: Moment(BootMs(began.or(tried).unwrap_or(0))),
            owner,
        })
    }

    /// See [`super::super::Store::set_outage`].
    pub(in super::super) async fn set_outage(&self, since: Option<Began>, alert: &Alert) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_observing(&mut tx).await?;
        let known = self.row(&mut tx).await?.outage_since;
        if known.is_some() == since.is_some() {
            return Ok(());
        }
        let query = sqlx::query(sql!("outage_set"))
            .bind(self.profile())
            .bind(since.map(|since| since.at.0))
            .bind(since.map_or(0, |since| since.order.0));
        query.execute(&mut *tx).await?;
        self.changed(&mut tx, Subject::Fleet).await?;
        if since.is_none() {
            // However short it was, nobody knows what was during it.
            self.watched_anew(&mut tx, alert.at).await?;
        }
        self.tell_alert(&mut tx, alert, None).await?;
        self.log_alert(&mut tx, alert, None).await?;
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::observation_lost`].
    pub(in super::super) async fn observation_lost(&self, since: Stamp, alert: &Alert) -> Result<bool> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        if self.row(&mut tx).await?.lost_since.is_some() {
            return Ok(false);
        }
        sqlx::query(sql!("lost_set")).bind(self.profile()).bind(since.0).execute(&mut *tx).await?;
        self.changed(&mut tx, Subject::Fleet).await?;
        self.tell_alert(&mut tx, alert, None).await?;
        self.log_alert(&mut tx, alert, None).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// See [`super::super::Store::token_rejected`].
    pub(in super::super) async fn token_rejected(&self, mark: &str, alert: &Alert) -> Result<bool> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let set = sqlx::query(sql!("dead_token_set")).bind(self.profile()).bind(mark).execute(&mut *tx).await?;
        if set.rows_affected() == 0 {
            return Ok(false);
        }
        self.tell_alert(&mut tx, alert, None).await?;
        self.log_alert(&mut tx, alert, None).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// An outbox row for each receiver.
    pub(super) async fn tell_alert(
        &self,
        tx: &mut SqliteConnection,
        alert: &Alert,
        account: Option<&Account>,
    ) -> Result<()> {
        let mut event = json::event(alert.event, alert.at, &self.scope.name);
        if let Some(account) = account {
            event.insert("wc_id".into(), json!(account.wc_id));
            event.insert("account".into(), json!(account.name()));
        }
        if let Some(reason) = alert.reason {
            event.insert("reason".into(), json!(reason.code()));
        }
        for (name, value) in &alert.fields {
            event.insert((*name).into(), value.clone());
        }
        self.tell(tx, event, alert.at).await
    }

    /// A line of the log: the fleet's lists are what such things are seen from.
    pub(super) async fn log_alert(
        &self,
        tx: &mut SqliteConnection,
        alert: &Alert,
        account: Option<&Account>,
    ) -> Result<()> {
        let line = LogEntry {
            reason: alert.reason,
            w_id: account.and_then(|account| account.w_id.clone()),
            cause: Some("list".into()),
            ..self.line(alert.at, alert.wc_id.as_ref(), alert.event)
        };
        self.add_log(tx, &line).await
    }
}
