//! What the presence judge decided, written down where it is not older than a stored login.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::sqlite::SqliteConnection;

use super::super::types::{Alert, LogEntry, Result, Verdict};
use super::accounts::HistoryEntry;
use super::rows::{self, AccountRow};
use super::{Sqlite, Subject, write};
use crate::model::{Account, Began, FirstNight, Order, Presence, Reason, Source, Stamp, WId, WcId};

/// Above this many verdicts all accounts are read at once instead of one by one.
const FEW: usize = 32;

/// What came of verdicts.
#[derive(Debug, Default)]
struct Judged {
    /// The accounts that changed, as they are now.
    changed: Vec<Account>,
    /// Those of them of whom something else is believed now.
    turned: HashSet<WcId>,
    /// What the log says of whom.
    logged: HashSet<(WcId, &'static str)>,
}

impl Judged {
    /// A mass drop of those who dropped by these verdicts: of the others somebody else has written down the same a
    /// moment before, and told it. Any other alert as it is; `None`: nothing is left of it.
    fn still_to_tell<'a>(&self, alert: &'a Alert) -> Option<Cow<'a, Alert>> {
        let named = |(name, value): &(&'static str, Value)| (*name == "wc_ids").then(|| value.as_array().cloned())?;
        let Some(all) = alert.fields.iter().find_map(named).filter(|_| alert.event == "mass_drop") else {
            return Some(Cow::Borrowed(alert));
        };
        let count = all.len();
        let turned = |wc_id: &Value| wc_id.as_str().is_some_and(|wc_id| self.turned.contains(&WcId::from(wc_id)));
        let left: Vec<Value> = all.into_iter().filter(turned).collect();
        if left.len() == count {
            return Some(Cow::Borrowed(alert));
        }
        if left.is_empty() {
            return None;
        }
        let mut alert = alert.clone();
        if let Some((_, value)) = alert.fields.iter_mut().find(|(name, _)| *name == "wc_ids") {
            *value = left.into();
        }
        Some(Cow::Owned(alert))
    }
}

/// Whether evidence of this source was only looked at, and not brought about by this process.
const fn looks_on(source: Source) -> bool {
    matches!(source, Source::List | Source::Check | Source::Notice)
}

impl Sqlite {
    /// See [`super::super::Store::note_list`].
    pub(in super::super) async fn note_list(
        &self,
        began: Began,
        verdicts: &[Verdict],
        unknown: &[(WcId, Option<WId>)],
        alerts: &[Alert],
    ) -> Result<Vec<Account>> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        self.still_observing(&mut tx).await?;
        let at = began.at;
        self.list_came(&mut tx, at).await?;
        let newest_list = self.newest_list(&mut tx).await?;
        let set = sqlx::query(sql!("last_list_set")).bind(self.profile()).bind(at.0).bind(began.order.0);
        set.execute(&mut *tx).await?;
        self.changed(&mut tx, Subject::Fleet).await?;
        self.prune(&mut tx, at).await?;
        self.watched_on(&mut tx, at).await?;
        let judged = self.judge(&mut tx, verdicts, newest_list).await?;
        self.tell_alerts(&mut tx, alerts, &judged).await?;
        let mut changed = judged.changed;
        for (wc_id, w_id) in unknown {
            changed.extend(self.meet(&mut tx, wc_id, w_id.as_ref(), began).await?);
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// See [`super::super::Store::note`].
    pub(in super::super) async fn note(&self, verdicts: &[Verdict], alerts: &[Alert]) -> Result<Vec<Account>> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        // What this process asked or did for a person counts whoever observes.
        if verdicts.iter().any(|verdict| looks_on(verdict.source)) {
            self.still_observing(&mut tx).await?;
        }
        let newest_list = self.newest_list(&mut tx).await?;
        let judged = self.judge(&mut tx, verdicts, newest_list).await?;
        self.tell_alerts(&mut tx, alerts, &judged).await?;
        tx.commit().await?;
        Ok(judged.changed)
    }

    /// The place of the newest list that was noted.
    async fn newest_list(&self, tx: &mut SqliteConnection) -> Result<Order> {
        Ok(self.last_list_of(tx).await?.map(|(_, order)| order).unwrap_or_default())
    }

    /// Applies verdicts. What was only looked at is news of nothing that was looked at later: lists not of what a list
    /// after `newest_list` said, and nothing of what the account's own evidence says.
    async fn judge(&self, tx: &mut SqliteConnection, verdicts: &[Verdict], newest_list: Order) -> Result<Judged> {
        let mut known: HashMap<WcId, Account> = HashMap::new();
        if verdicts.len() > FEW {
            let all = self.all(tx, None).await?;
            known = all.into_iter().map(|account| (account.wc_id.clone(), account)).collect();
        }
        let mut judged = Judged::default();
        for verdict in verdicts {
            let account = if verdicts.len() > FEW {
                known.get(&verdict.wc_id).cloned()
            } else {
                rows::load(tx, self.profile(), &verdict.wc_id).await?.map(|row| row.account)
            };
            let Some(mut account) = account else { continue };
            let was = account.presence;
            let newest =
                if verdict.source == Source::List { account.observed.max(newest_list) } else { account.observed };
            if (looks_on(verdict.source) && verdict.began.order < newest)
                || account.outdates(verdict.began)
                || !apply(&mut account, verdict)
            {
                continue;
            }
            sqlx::query(sql!("account_presence"))
                .bind(self.profile())
                .bind(account.wc_id.as_str())
                .bind(account.presence.name())
                .bind(account.source.map(Source::name))
                .bind(account.observed_at.map(|at| at.0))
                .bind(account.reason.map(Reason::code))
                .bind(account.gateway_message.as_deref())
                .bind(account.observed.0)
                .bind(account.first_night.map(FirstNight::name))
                .execute(&mut *tx)
                .await?;
            self.changed(tx, Subject::Account(&account.wc_id)).await?;
            if was != account.presence {
                let since = account.observed_at.unwrap_or(verdict.began.at);
                self.believe(tx, &account.wc_id, account.presence, since).await?;
                account.offline_since = (account.presence == Presence::Offline).then_some(since);
                judged.turned.insert(account.wc_id.clone());
            }
            if let Some(event) = flip(was, account.presence, verdict.source) {
                self.add_log(tx, &self.verdict_line(&account, event, verdict)).await?;
                judged.logged.insert((account.wc_id.clone(), event));
            }
            if let Some(known) = known.get_mut(&verdict.wc_id) {
                known.clone_from(&account);
            }
            judged.changed.push(account);
        }
        Ok(judged)
    }

    fn verdict_line(&self, account: &Account, event: &str, verdict: &Verdict) -> LogEntry {
        let line = self.line(verdict.began.at, Some(&account.wc_id), event);
        let cause = match verdict.source {
            Source::List | Source::Check | Source::Notice => Some(verdict.source.name().into()),
            Source::Refusal => Some("gateway".into()),
            Source::Login | Source::Own | Source::Import => line.cause,
        };
        LogEntry { reason: verdict.reason, w_id: account.w_id.clone(), cause, ..line }
    }

    /// Tells the receivers what follows from a judgement, and logs what the judgement itself did not.
    async fn tell_alerts(&self, tx: &mut SqliteConnection, alerts: &[Alert], judged: &Judged) -> Result<()> {
        let changed: HashMap<&WcId, &Account> =
            judged.changed.iter().map(|account| (&account.wc_id, account)).collect();
        for alert in alerts {
            let rest = judged.still_to_tell(alert);
            let Some(alert) = rest.as_deref() else { continue };
            let account = match &alert.wc_id {
                None => None,
                Some(wc_id) => {
                    // Somebody else may have written down the same turn a moment before, and told it.
                    let turn = matches!(alert.event, "dropped" | "recovered");
                    let account = changed.get(wc_id).copied();
                    let Some(account) = account.filter(|_| !turn || judged.turned.contains(wc_id)) else { continue };
                    Some(account)
                }
            };
            self.tell_alert(tx, alert, account).await?;
            let logged = alert.wc_id.clone().is_some_and(|wc_id| judged.logged.contains(&(wc_id, alert.event)));
            if !logged {
                self.log_alert(tx, alert, account).await?;
            }
        }
        Ok(())
    }

    /// Creates an account that a list named first; `None` if it is there.
    async fn meet(
        &self,
        tx: &mut SqliteConnection,
        wc_id: &WcId,
        w_id: Option<&WId>,
        began: Began,
    ) -> Result<Option<Account>> {
        let at = began.at;
        if rows::load(tx, self.profile(), wc_id).await?.is_some() {
            return Ok(None);
        }
        let account = Account {
            w_id: w_id.cloned(),
            w_id_confirmed: w_id.is_some(),
            presence: Presence::Online,
            source: Some(Source::List),
            observed_at: Some(at),
            observed: began.order,
            ..Account::new(wc_id.clone())
        };
        if let Some(w_id) = w_id {
            self.keep_w_id(tx, wc_id, w_id, &HistoryEntry::new("list", true, at, None)).await?;
        }
        rows::save(tx, self.profile(), &AccountRow::new(account.clone())).await?;
        self.believe(tx, wc_id, Presence::Online, at).await?;
        self.changed(tx, Subject::Account(wc_id)).await?;
        Ok(Some(account))
    }

    /// See [`super::super::Store::last_list`].
    pub(in super::super) async fn last_list(&self) -> Result<Option<(Stamp, Order)>> {
        let mut connection = self.lock().await?;
        self.last_list_of(&mut connection).await
    }

    /// When the last noted list was asked for, inside or outside of a transaction.
    pub(super) async fn last_list_of(&self, connection: &mut SqliteConnection) -> Result<Option<(Stamp, Order)>> {
        let query = sqlx::query_as(sql!("last_list")).bind(self.profile());
        let (at, order): (Option<i64>, i64) = query.fetch_one(connection).await?;
        Ok(at.map(|at| (Stamp(at), Order(order))))
    }
}

/// Applies one verdict. False when nothing is worth writing: a list that says again what a list said before moves
/// only the profile's list time (see [`rows::account`]).
fn apply(account: &mut Account, verdict: &Verdict) -> bool {
    let before = account.clone();
    if account.presence == verdict.presence {
        // The reason may say how the last login ended; an observation that nothing changed does not outdo it.
        account.reason = account.reason.or(verdict.reason);
    } else {
        account.reason = verdict.reason;
        account.gateway_message = None;
    }
    account.source = Some(verdict.source);
    let same_list = before.source == account.source && verdict.source == Source::List;
    let newer = account.observed <= verdict.began.order;
    if newer && (!same_list || before.presence != verdict.presence) {
        account.observed_at = Some(verdict.began.at);
        account.observed = verdict.began.order;
    }
    account.presence = verdict.presence;
    match (before.presence, account.presence) {
        (Presence::Offline | Presence::Unknown, Presence::Online) => account.came_online(),
        (Presence::Online | Presence::Unknown, Presence::Offline) if verdict.source != Source::Own => {
            account.dropped(account.observed_at.unwrap_or(verdict.began.at));
        }
        (Presence::Online, Presence::Online | Presence::Unknown | Presence::Offline)
        | (Presence::Offline, Presence::Offline | Presence::Unknown)
        | (Presence::Unknown, Presence::Unknown | Presence::Offline) => {}
    }
    *account != before
}

/// The log's word for a real turn; from and to unknown there is none. What we took off line ourselves did not drop.
const fn flip(from: Presence, to: Presence, source: Source) -> Option<&'static str> {
    match (from, to) {
        (Presence::Online | Presence::Unknown, Presence::Offline) if matches!(source, Source::Own) => {
            Some("taken_offline")
        }
        (Presence::Online, Presence::Offline) => Some("dropped"),
        (Presence::Offline, Presence::Online) => Some("recovered"),
        (Presence::Online, Presence::Online | Presence::Unknown)
        | (Presence::Offline, Presence::Offline | Presence::Unknown)
        | (Presence::Unknown, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_changes_what_it_should() {
        use Presence::{Offline, Online, Unknown};
        let base = || Account {
            presence: Offline,
            source: Some(Source::List),
            observed_at: Some(Stamp(100)),
            reason: Some(Reason::NobodyScanned),
            gateway_message: Some("words".into()),
            ..Account::new("wxid_a".into())
        };
        // What is said, whether it is written, the reason and the time after it.
        let cases = [
            ((Offline, Source::List, Some(Reason::Dropped)), false, Some(Reason::NobodyScanned), 100),
            ((Offline, Source::Check, None), true, Some(Reason::NobodyScanned), 200),
            ((Online, Source::List, None), true, None, 200),
            ((Unknown, Source::List, Some(Reason::GatewayDown)), true, Some(Reason::GatewayDown), 200),
        ];
        for ((presence, source, reason), written, after, at) in cases {
            let began = Began { at: Stamp(200), order: Order(2), ..Began::default() };
            let verdict = Verdict { wc_id: "wxid_a".into(), presence, source, began, reason };
            let mut account = base();
            assert_eq!(apply(&mut account, &verdict), written, "{verdict:?}");
            assert_eq!((account.presence, account.reason), (presence, after), "{verdict:?}");
            assert_eq!(account.observed_at, Some(Stamp(at)), "{verdict:?}");
            assert_eq!(account.gateway_message.is_some(), presence == Offline, "{verdict:?}");
        }
    }

    #[test]
    fn only_a_real_turn_has_a_word() {
        assert_eq!(flip(Presence::Online, Presence::Offline, Source::List), Some("dropped"));
        assert_eq!(flip(Presence::Online, Presence::Offline, Source::Own), Some("taken_offline"));
        assert_eq!(flip(Presence::Offline, Presence::Online, Source::List), Some("recovered"));
        for (from, to) in [
            (Presence::Unknown, Presence::Online),
            (Presence::Unknown, Presence::Offline),
            (Presence::Online, Presence::Unknown),
            (Presence::Online, Presence::Online),
        ] {
            assert_eq!(flip(from, to, Source::List), None);
        }
    }
}
