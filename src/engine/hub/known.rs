//! What the engine knows of accounts, gateway and token, and keeps in step with the store.

use std::collections::HashMap;

use super::{Hub, MANY, USUAL_INTERVAL, by_wc_id};
use crate::engine::api::{Event, Fleet, Token};
use crate::engine::login::Input;
use crate::engine::presence::{is_mass, is_older_than, is_stale, is_stale_in_outage};
use crate::i18n::t;
use crate::model::{Account, Order, Presence, Reason, SET_BACK_MS, Source, Stamp, WcId};

impl Hub {
    pub(super) fn account_changed(&mut self, mut account: Account) {
        account.stale = self.stale(&account);
        if self.accounts.get(&account.wc_id).is_none_or(|known| known.presence != account.presence) {
            self.strips_may_differ(&account.wc_id);
        }
        if self.accounts.get(&account.wc_id) != Some(&account) {
            self.accounts.insert(account.wc_id.clone(), account.clone());
            self.tell(Event::Account(Box::new(account)));
        }
    }

    pub(super) fn stale(&self, account: &Account) -> bool {
        self.stale_at(account, self.shared.now().wall)
    }

    fn stale_at(&self, account: &Account, now: Stamp) -> bool {
        let interval = self.shared.options.interval.unwrap_or(USUAL_INTERVAL);
        is_stale(account, now, interval)
            || is_stale_in_outage(account, self.outage)
            || self.blind.is_some_and(|limit| is_older_than(account, now, limit))
    }

    /// Where the wall clock went back since the last look, and at first, since nobody knows what it did before: what was
    /// noted ahead of it must not last the longer for it.
    pub(super) async fn look_at_the_clock(&mut self) {
        let now = self.shared.now();
        let began = now.start();
        let before = self.clock.replace(began);
        if before.is_some_and(|before| before.ms_since(began) < SET_BACK_MS) {
            return;
        }
        match self.shared.store.bring_back(now.wall).await {
            Ok(true) => self.read_all().await,
            Ok(false) => {}
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    pub(super) async fn read_one(&mut self, wc_id: &WcId) {
        match self.shared.store.account(wc_id).await {
            Ok(Some(account)) => self.account_changed(account),
            Ok(None) => {
                if self.accounts.remove(wc_id).is_some() {
                    self.tell(Event::AccountRemoved(wc_id.clone()));
                }
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    pub(super) async fn read_all(&mut self) {
        match self.shared.store.accounts().await {
            Ok(mut accounts) => {
                let now = self.shared.now().wall;
                for account in &mut accounts {
                    account.stale = self.stale_at(account, now);
                }
                self.accounts = by_wc_id(accounts.clone());
                self.strips_due = true;
                self.tell(Event::Accounts(accounts));
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    /// Says so where the store is another file than before, and begins with that one anew.
    pub(super) async fn look_at_the_file(&mut self) {
        match self.shared.store.was_replaced().await {
            Ok(false) => {}
            Ok(true) => {
                let message = t(self.shared.options.lang, "engine.store_replaced").into_owned();
                tracing::warn!(%message, "fault");
                self.tell(Event::Fault { message: message.into() });
                self.seq = self.shared.store.seq();
                self.read_all().await;
                self.observes_another_store().await;
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    /// Another process has written: read what it changed, and tell of drops and recoveries that it noted.
    pub(super) async fn store_changed(&mut self) {
        self.look_at_the_file().await;
        let changes = match self.shared.store.changes(self.seq).await {
            Ok(changes) => changes,
            Err(error) => return self.store_failed(&error.to_string()),
        };
        if !self.observing {
            self.store_did();
        }
        self.seq = changes.seq;
        let before: HashMap<WcId, Before> = changes
            .wc_ids
            .iter()
            .filter_map(|wc_id| Some((wc_id.clone(), Before::of(self.accounts.get(wc_id)?))))
            .collect();
        // What this process wrote itself names nobody here: each list of a large fleet comes by as such a write.
        let online = if changes.wc_ids.is_empty() { 0 } else { self.online() };
        self.look_for_orphans(changes.attempts).await;
        if changes.wc_ids.len() > MANY {
            self.read_all().await;
        } else {
            for wc_id in &changes.wc_ids {
                self.read_one(wc_id).await;
            }
        }
        let mut dropped = Vec::new();
        for wc_id in changes.wc_ids {
            let Some(account) = self.accounts.get(&wc_id) else { continue };
            let before = before.get(&wc_id).copied().unwrap_or_default();
            let after = Before::of(account);
            if before.presence != after.presence {
                self.judge.decided(&wc_id);
            }
            if after.settled > before.settled && after.login != before.login {
                self.judge.logged_in(&wc_id);
                self.supersede(&wc_id, None);
            } else {
                match (before.presence, after.presence) {
                    (_, Presence::Offline) if account.source == Some(Source::Own) => {
                        self.judge.took_offline(&wc_id, self.shared.now().mono);
                    }
                    (Presence::Online, Presence::Offline) => dropped.push(wc_id),
                    (Presence::Offline, Presence::Online) => {
                        let (account, at) = (account.name().into(), self.told_at(account));
                        self.tell(Event::Recovered { wc_id, account, at });
                    }
                    _ => {}
                }
            }
        }
        self.tell_drops(dropped, online);
        if changes.fleet {
            self.fleet_changed().await;
        }
        self.try_to_observe().await;
    }

    fn online(&self) -> usize {
        self.accounts.values().filter(|account| account.presence == Presence::Online).count()
    }

    fn told_at(&self, account: &Account) -> Stamp {
        let now = self.shared.now().wall;
        account.observed_at.map_or(now, |at| at.not_after(now))
    }

    /// Drops that another process noted: one event where there are many.
    fn tell_drops(&self, dropped: Vec<WcId>, online: usize) {
        if is_mass(dropped.len(), online) {
            return self.tell(Event::MassDrop { wc_ids: dropped, at: self.shared.now().wall });
        }
        for wc_id in dropped {
            let Some(account) = self.accounts.get(&wc_id) else { continue };
            let reason = account.reason.unwrap_or(Reason::Dropped);
            let (account, at) = (account.name().into(), self.told_at(account));
            self.tell(Event::Dropped { wc_id, account, reason, at });
        }
    }

    /// A list confirms what is believed on the ground of lists: the copies here age like the store's rows.
    pub(super) fn freshen(&mut self, at: Stamp, order: Order) {
        let older = |account: &&mut Account| account.source == Some(Source::List) && account.observed <= order;
        for account in self.accounts.values_mut().filter(older) {
            account.observed_at = Some(at);
            account.observed = order;
        }
        self.age();
    }

    /// Looks at how old the evidence is; tells all accounts when that changed what is stale.
    pub(super) fn age(&mut self) {
        let now = self.shared.now().wall;
        let stale: Vec<bool> = self.accounts.values().map(|account| self.stale_at(account, now)).collect();
        let mut changed = false;
        for (account, stale) in self.accounts.values_mut().zip(stale) {
            changed |= account.stale != stale;
            account.stale = stale;
        }
        if changed {
            let mut accounts: Vec<Account> = self.accounts.values().cloned().collect();
            accounts.sort_by(|a, b| a.wc_id.cmp(&b.wc_id));
            self.tell(Event::Accounts(accounts));
        }
    }

    pub(super) fn set_token(&mut self, token: Token) {
        if self.token == Some(token) {
            return;
        }
        let before = self.token.replace(token);
        self.tell(Event::Token(token));
        if (before, token) == (Some(Token::Rejected), Token::Ok) {
            // Somebody on the way refused it for a while: whoever waits for another one goes on with it.
            for login in self.logins.values() {
                let _ = login.to.send(Input::NewToken { was_dead: false });
            }
        }
    }

    pub(super) fn set_fleet(&mut self, fleet: Fleet) {
        if self.fleet.as_ref() != Some(&fleet) || !self.fleet_told {
            self.fleet = Some(fleet);
            self.fleet_told = false;
            self.tell_fleet_again();
        }
    }

    /// Somebody asked, and hears how it stands although nothing changed.
    pub(super) fn tell_fleet_again(&mut self) {
        if let Some(fleet) = self.fleet.clone().filter(|_| !self.fleet_told) {
            self.tell(Event::Fleet(fleet));
        }
        self.fleet_told = true;
    }
}

/// What was believed before another process wrote.
#[derive(Clone, Copy, Default)]
struct Before {
    presence: Presence,
    settled: Order,
    login: Option<Stamp>,
}

impl Before {
    const fn of(account: &Account) -> Self {
        Self { presence: account.presence, settled: account.settled, login: account.last_login_at }
    }
}
