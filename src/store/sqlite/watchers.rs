//! Who observes, and what the observer found of the gateway.

use serde_json::json;
use sqlx::sqlite::SqliteConnection;

use super::super::types::{Alert, LogEntry, Result, Watchers};
use super::{Sqlite, Subject, write};
use crate::model::{Account, Began, Order, Owner, Stamp, json};

/// `observer, observer_rank, outage_since`.
type Row = (Option<String>, Option<u8>, Option<i64>);

impl Sqlite {
    /// See [`super::super::Store::observe`].
    pub(in super::super) async fn observe(&self, rank: u8) -> Result<bool> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let me = self.owners.me();
        let (observer, _) = self.watchers_of(&mut tx).await?;
        match observer {
            Some((owner, held)) if owner == *me && held == rank => return Ok(true),
            Some((owner, held)) if owner != *me && held >= rank => return Ok(false),
            Some(_) | None => {}
        }
        let query = sqlx::query(sql!("observer_set")).bind(self.profile).bind(&*me.0).bind(rank);
        query.execute(&mut *tx).await?;
        self.changed(&mut tx, Subject::Fleet).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// See [`super::super::Store::observe_no_longer`].
    pub(in super::super) async fn observe_no_longer(&self) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let query = sqlx::query(sql!("observer_clear")).bind(self.profile).bind(&*self.owners.me().0);
        if query.execute(&mut *tx).await?.rows_affected() > 0 {
            self.changed(&mut tx, Subject::Fleet).await?;
        }
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::watchers`].
    pub(in super::super) async fn watchers(&self) -> Result<Watchers> {
        let mut connection = self.lock().await?;
        let (observer, outage_since) = self.watchers_of(&mut connection).await?;
        let query = sqlx::query_scalar(sql!("outage_order")).bind(self.profile);
        let outage_order = Order(query.fetch_one(&mut *connection).await?);
        Ok(Watchers { observer, outage_since, outage_order })
    }

    /// The observer, if it lives, and the outage.
    pub(super) async fn watchers_of(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<(Option<(Owner, u8)>, Option<Stamp>)> {
        let row: Row = sqlx::query_as(sql!("watchers")).bind(self.profile).fetch_one(connection).await?;
        let observer = row.0.map(|owner| Owner(owner.into())).zip(row.1);
        Ok((observer.filter(|(owner, _)| self.owners.is_alive(owner)), row.2.map(Stamp)))
    }

    /// See [`super::super::Store::set_outage`].
    pub(in super::super) async fn set_outage(&self, since: Option<Began>, alert: &Alert) -> Result<()> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let (_, known) = self.watchers_of(&mut tx).await?;
        if known.is_some() == since.is_some() {
            return Ok(());
        }
        let query = sqlx::query(sql!("outage_set"))
            .bind(self.profile)
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
