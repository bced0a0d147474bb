//! What the engine knows of accounts, gateway and token, and keeps in step with the store.

use super::{Hub, MANY, USUAL_INTERVAL, by_wc_id};
use crate::engine::api::{Event, Fleet, Token};
use crate::engine::presence::is_stale;
use crate::model::{Account, WcId};

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
        let interval = self.shared.options.interval.unwrap_or(USUAL_INTERVAL);
        is_stale(account, self.shared.now().wall, interval)
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
                for account in &mut accounts {
                    account.stale = self.stale(account);
                }
                self.accounts = by_wc_id(accounts.clone());
                self.strips_due = true;
                self.tell(Event::Accounts(accounts));
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    /// Another process has written: read what it changed.
    pub(super) async fn store_changed(&mut self) {
        let changes = match self.shared.store.changes(self.seq).await {
            Ok(changes) => changes,
            Err(error) => return self.store_failed(&error.to_string()),
        };
        self.seq = changes.seq;
        self.look_for_orphans(changes.attempts).await;
        if changes.wc_ids.len() > MANY {
            return self.read_all().await;
        }
        for wc_id in changes.wc_ids {
            let before = self.accounts.get(&wc_id).and_then(|account| account.last_login_at);
            self.read_one(&wc_id).await;
            let after = self.accounts.get(&wc_id).and_then(|account| account.last_login_at);
            if after > before {
                self.judge.logged_in(&wc_id);
                self.supersede(&wc_id, None);
            }
        }
    }

    pub(super) fn set_token(&mut self, token: Token) {
        if self.token != Some(token) {
            self.token = Some(token);
            self.tell(Event::Token(token));
        }
    }

    pub(super) fn set_fleet(&mut self, fleet: Fleet) {
        if self.fleet.as_ref() != Some(&fleet) {
            self.fleet = Some(fleet.clone());
            self.tell(Event::Fleet(fleet));
        }
    }
}
