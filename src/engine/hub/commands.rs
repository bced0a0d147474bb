//! What a person or a command wishes of the engine.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::{Hub, Login, News};
use crate::engine::api::{Command, Event, Token, Way};
use crate::engine::attempt::{Runner, is_suspect};
use crate::engine::login::{Input, Machine, Wish};
use crate::model::text::typed_code;
use crate::model::{Account, AttemptId, Dialect, Reason, WId, WcId};
use crate::store::{Begun, RENEW_EVERY};

impl Hub {
    pub(super) async fn command(&mut self, command: Command) {
        match command {
            Command::Login { wc_id, way, force } => self.login(wc_id, way, force).await,
            Command::Cancel { attempt } => self.to_login(&attempt, Input::Cancel),
            Command::VerifyCode { attempt, code } => {
                let code = typed_code(code.expose_secret());
                // Nothing was typed: the question stands.
                if !code.is_empty() {
                    self.to_login(&attempt, Input::VerifyCode(SecretString::from(code)));
                }
            }
            Command::SomebodyIsThere => self.shared.somebody_is_there(),
            Command::Conveyor(wish) => self.conveyor_wished(wish).await,
            Command::Edit { wc_id, edit } => self.edit(wc_id, edit).await,
            Command::History { wc_id } => self.history(wc_id),
            Command::Strips { wc_ids } => self.strips(wc_ids).await,
            Command::OfflineReason { wc_id } => self.ask_offline_reason(wc_id).await,
            Command::Refresh => self.ask_list(true).await,
            Command::Offline { wc_ids } => self.take_offline(wc_ids),
            Command::AddAccount { wc_id } => self.add_account(wc_id).await,
            Command::Token { token } => self.token_given(token).await,
            Command::GiveUp { told } => {
                self.give_up().await;
                // Who waited has stopped by now, or never waited.
                let _ = told.send(());
            }
            Command::ComeBack => self.come_back().await,
            // Taken by the loop.
            Command::Stop => {}
        }
    }

    pub(super) fn to_login(&self, attempt: &AttemptId, input: Input) {
        if let Some(login) = self.logins.get(attempt) {
            let _ = login.to.send(input);
        }
    }

    pub(super) async fn login(&mut self, wc_id: Option<WcId>, way: Way, force: bool) {
        self.shared.somebody_is_there();
        self.look_at_the_clock().await;
        if let Some(attempt) = self.open_login(wc_id.as_ref()) {
            return self.tell(Event::Busy { wc_id, attempt: Some(attempt) });
        }
        if matches!(self.token, Some(Token::Missing)) {
            let (reason, detail) = (Reason::TokenRejected, "".into());
            return self.tell(Event::Rejected { wc_id, reason, gateway_message: None, detail });
        }
        let machine = Machine::new(self.new_wish(wc_id.clone(), way, force).await);
        let at = self.shared.now().wall;
        match self.shared.store.begin_attempt(wc_id.as_ref(), machine.first_rung(), at).await {
            Ok(Begun::Started(id)) => {
                self.spawn(id, wc_id, machine);
                self.take_over_orphans().await;
            }
            Ok(Begun::Busy(_)) => self.tell(Event::Busy { wc_id, attempt: None }),
            Err(error) => {
                let detail = error.to_string();
                self.store_failed(&detail);
                let (reason, detail) = (Reason::Interrupted, detail.into());
                self.tell(Event::Rejected { wc_id, reason, gateway_message: None, detail });
            }
        }
    }

    /// A wish with what the store knows of the account just now: what it has cost, and how it dropped.
    async fn new_wish(&mut self, wc_id: Option<WcId>, way: Way, forced: bool) -> Wish {
        let mut wish = Wish { way, forced, ..self.wish_of(wc_id) };
        let Some(wc_id) = &wish.wc_id else { return wish };
        let account = match self.shared.store.account(wc_id).await {
            Ok(account) => account,
            Err(error) => {
                self.store_failed(&error.to_string());
                self.accounts.get(wc_id).cloned()
            }
        };
        if let Some(account) = account {
            wish.first_night = account.is_after_first_night();
            wish.first_day = account.may_be_after_first_night(self.shared.now().wall);
            wish.known_w_id = trusted_w_id(&account, wish.dialect);
            wish.budget = account.budget.map(|budget| *budget).unwrap_or_default();
        }
        wish
    }

    /// The open login of this process on an account; for `None`, the one of a new account.
    pub(super) fn open_login(&self, wc_id: Option<&WcId>) -> Option<AttemptId> {
        self.logins
            .iter()
            .find(|(_, login)| !login.abandoned && login.wc_id.as_ref() == wc_id)
            .map(|(id, _)| id.clone())
    }

    pub(super) fn spawn(&mut self, id: AttemptId, wc_id: Option<WcId>, machine: Machine) {
        let (to, inbox) = unbounded_channel();
        let abandoned = machine.is_abandoned();
        self.logins.insert(id.clone(), Login { wc_id: wc_id.clone(), abandoned, to });
        let (shared, hub) = (Arc::clone(&self.shared), self.from_logins.0.clone());
        self.lease_due.get_or_insert_with(|| Instant::now() + RENEW_EVERY);
        self.runners.spawn(Runner { id, wc_id, machine, shared, hub, inbox, lost_to: None, told_lost: false }.run());
    }

    pub(super) fn take_offline(&self, wc_ids: Vec<WcId>) {
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let began = shared.begin().await;
            let result = shared.gateway.member_offline(&shared.options.account, &wc_ids).await;
            let suspect = result.as_ref().is_err_and(is_suspect);
            let rejected = suspect && shared.is_token_rejected().await;
            let _ = news.send(News::TakenOffline { began, wc_ids, result, rejected });
        });
    }

    pub(super) async fn add_account(&mut self, wc_id: WcId) {
        let at = self.shared.now().wall;
        match self.shared.store.put_account(&wc_id, &crate::store::Edit::default(), at).await {
            Ok(_) => self.read_one(&wc_id).await,
            Err(error) => self.store_failed(&error.to_string()),
        }
    }
}

/// The wId that a ladder may ask the gateway about. Where V1 has lost the answer to a login, another one may be alive by
/// now or soon, as the phone still shows its dialog: what answers today would pass for it.
fn trusted_w_id(account: &Account, dialect: Dialect) -> Option<WId> {
    let interrupted = account.reason == Some(Reason::LoginInterrupted);
    let in_doubt = !account.w_id_confirmed && (interrupted || account.last_login_at.is_some());
    account.w_id.clone().filter(|_| dialect.lists_w_ids() || !in_doubt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stamp;

    #[test]
    fn a_w_id_in_doubt_is_asked_about_only_where_a_list_tells_it() {
        let lost = Some(Reason::LoginInterrupted);
        for (dialect, confirmed, logged_in, reason, trusted) in [
            (Dialect::V1, true, true, None, true),
            // Imported: nobody has lost anything.
            (Dialect::V1, false, false, None, true),
            (Dialect::V1, false, false, lost, false),
            (Dialect::V1, false, true, None, false),
            (Dialect::V2, false, true, lost, true),
        ] {
            let account = Account {
                w_id: Some(WId::from("w1")),
                w_id_confirmed: confirmed,
                last_login_at: logged_in.then_some(Stamp(1)),
                reason,
                ..Account::new(WcId::from("wxid_a"))
            };
            assert_eq!(trusted_w_id(&account, dialect).is_some(), trusted, "{dialect:?} {confirmed} {logged_in}");
        }
    }
}
