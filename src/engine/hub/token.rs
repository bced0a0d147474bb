//! Another token: got by itself where that is set up, given by a person, handed to every login that waits.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::observer::OwnTry;
use super::{Hub, News};
use crate::engine::api::Token;
use crate::engine::login::Input;
use crate::engine::presence::token_rejected_alert;
use crate::gateway::token_mark;
use crate::i18n::tf;
use crate::model::AttemptId;

/// The shortest time between two renewals of the token by itself.
const PAUSE: Duration = Duration::from_secs(600);

/// When the token was renewed by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Renewals {
    last: Option<Duration>,
    under_way: bool,
}

impl Renewals {
    /// Takes the right to a renewal at `now`, on the monotonic clock: one at a time, at most one in ten minutes.
    fn take(&mut self, now: Duration) -> bool {
        if self.under_way || self.last.is_some_and(|last| now.saturating_sub(last) < PAUSE) {
            return false;
        }
        self.last = Some(now);
        self.under_way = true;
        true
    }
}

impl Hub {
    /// The gateway refuses the token, confirmed. One renewal serves every login that needs it.
    pub(super) async fn token_rejected(&mut self) {
        if self.renewals.under_way {
            return;
        }
        let now = self.shared.now().mono;
        let renewer = self.shared.options.renewer.clone();
        let Some(renewer) = renewer.filter(|_| self.renewals.take(now)) else { return self.no_token().await };
        let news = self.news.0.clone();
        tokio::spawn(async move {
            let _ = news.send(News::Renewed((renewer.0)().await));
        });
    }

    /// The renewer has answered.
    pub(super) async fn renewed(&mut self, result: Result<SecretString, String>) {
        self.renewals.under_way = false;
        match result {
            // It was asked for because the one before is refused.
            Ok(token) => self.use_token(token, true).await,
            Err(error) => {
                self.fault(tf(self.shared.options.lang, "engine.renewer_failed", &[("error", &error)]));
                self.no_token().await;
            }
        }
    }

    /// Nothing but a person can get another token now: says so, and ends what no person is there for.
    async fn no_token(&mut self) {
        // Another process may have got one, and this one not have heard of it yet.
        if self.take_stored_token().await {
            return;
        }
        self.set_token(Token::Rejected);
        // Once each: the store is asked for nothing where nothing can have changed.
        let mark = self.shared.gateway.token_mark().filter(|mark| self.told_of_token.as_ref() != Some(mark));
        if let Some(mark) = mark {
            let alert = token_rejected_alert(self.shared.now().wall);
            match self.shared.store.token_rejected(&mark, &alert).await {
                Ok(_) => {
                    self.told_of_token = Some(mark);
                    self.kick.notify_one();
                }
                Err(error) => self.store_failed(&error.to_string()),
            }
        }
        if !self.shared.options.waits_for_token {
            for login in self.logins.values() {
                let _ = login.to.send(Input::NoToken);
            }
        }
    }

    /// A login waits for a token. What it is told, it is told after it has begun to wait.
    pub(super) fn needs_token(&self, attempt: &AttemptId) {
        let rejected = self.token == Some(Token::Rejected) && !self.renewals.under_way;
        if rejected && !self.shared.options.waits_for_token {
            self.to_login(attempt, Input::NoToken);
        }
    }

    /// A person gives another token.
    pub(super) async fn token_given(&mut self, token: SecretString) {
        let was_dead = self.renewals.under_way || self.token == Some(Token::Rejected);
        self.use_token(token, was_dead).await;
    }

    /// The file with the tokens was written: a token that another process has put there is everybody's.
    pub(super) async fn token_stored(&mut self) {
        self.take_stored_token().await;
    }

    /// Takes the token, and V1's password, that another process has stored. True if it is another one than that in use.
    async fn take_stored_token(&mut self) -> bool {
        let Some(source) = self.shared.options.stored_token.clone() else { return false };
        let Some(stored) = (source.read)() else { return false };
        let mut news = false;
        if let Some(password) = stored.password {
            news = self.shared.set_password(password) && !self.shared.options.dialect.lists_w_ids();
        }
        let another = self.shared.gateway.token_mark() != Some(token_mark(&stored.token));
        if another {
            let was_dead = self.renewals.under_way || self.token == Some(Token::Rejected);
            self.use_token(stored.token, was_dead).await;
        } else if news {
            self.ask_list(false).await;
        }
        if news {
            // Who could ask no list for want of it can now.
            self.own_try = OwnTry::None;
            self.try_to_observe().await;
        }
        another
    }

    /// A token that no list has tried (V1 without the password) is tried with a harmless call.
    fn try_token(&self) {
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let rejected = shared.is_token_rejected().await;
            let _ = news.send(News::TokenTried { rejected });
        });
    }

    /// Uses another token from now on; whatever waits for one goes on. `was_dead`: the one before is refused.
    async fn use_token(&mut self, token: SecretString, was_dead: bool) {
        self.shared.set_token(token);
        self.token = None;
        for login in self.logins.values() {
            let _ = login.to.send(Input::NewToken { was_dead });
        }
        if !self.shared.can_list() {
            return self.try_token();
        }
        self.ask_list(false).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_once_in_ten_minutes_and_one_at_a_time() {
        let mut renewals = Renewals::default();
        let minute = |minutes: u64| Duration::from_secs(minutes * 60);
        assert!(renewals.take(minute(0)));
        assert!(!renewals.take(minute(20)), "the first one has not answered");
        renewals.under_way = false;
        assert!(!renewals.take(minute(9)));
        assert!(renewals.take(minute(10)));
        renewals.under_way = false;
        assert!(!renewals.take(minute(19)));
    }
}
