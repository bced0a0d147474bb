//! The logins of this process, what they tell, and the orphans it takes over.

use super::Hub;
use crate::engine::Role;
use crate::engine::api::{Event, LoginEvent, LoginStep, Token, Way};
use crate::engine::attempt::FromLogin;
use crate::engine::login::{Input, Machine, Remains, Wish};
use crate::model::{Account, Attempt, AttemptId, AttemptState, WcId};
use crate::store::Stored;

impl Hub {
    pub(super) async fn login_told(&mut self, news: FromLogin) {
        match news {
            FromLogin::Told(attempt, step) => self.told(attempt, step),
            FromLogin::Swapped(attempt, stored) => self.swapped(&attempt, *stored),
            FromLogin::Abandoned(attempt) => {
                if let Some(login) = self.logins.get_mut(&attempt) {
                    login.abandoned = true;
                }
            }
            FromLogin::Twin(twin, remains, wc_id) => {
                let machine = Machine::resumed(self.wish_of(wc_id.clone()), remains, false);
                self.spawn(twin, wc_id, machine);
            }
            FromLogin::Token(taken) => self.set_token(if taken { Token::Ok } else { Token::Rejected }),
            FromLogin::StoreFailed(error) => self.store_failed(&error),
            FromLogin::Over(attempt) => {
                let wc_id = self.logins.remove(&attempt).and_then(|login| login.wc_id);
                if let Some(wc_id) = &wc_id {
                    self.read_one(wc_id).await;
                }
                self.orphan_over(&attempt, wc_id.as_ref()).await;
            }
        }
    }

    pub(super) fn wish_of(&self, wc_id: Option<WcId>) -> Wish {
        Wish {
            wc_id,
            way: Way::Qr,
            dialect: self.shared.options.dialect,
            renewals: self.shared.options.renewal.times(),
            first_night: false,
        }
    }

    pub(super) fn told(&mut self, attempt: AttemptId, step: LoginStep) {
        if let Some(login) = self.logins.get_mut(&attempt).filter(|_| step.ends()) {
            login.abandoned = true;
        }
        let wc_id = self.logins.get(&attempt).and_then(|login| login.wc_id.clone());
        let account = wc_id.as_ref().and_then(|wc_id| self.accounts.get(wc_id)).map_or("", Account::name).into();
        self.conveyor.told(&attempt, &step);
        tracing::info!(attempt = %attempt, step = step_name(&step), "login");
        self.tell(Event::Login(LoginEvent { attempt, wc_id, account, at: self.shared.now().wall, step }));
    }

    /// A wId was swapped: everybody who should know is told, and older wishes on the account are over.
    pub(super) fn swapped(&mut self, attempt: &AttemptId, stored: Stored) {
        let wc_id = stored.account.wc_id.clone();
        self.judge.logged_in(&wc_id);
        self.kick.notify_one();
        if let Some(login) = self.logins.get_mut(attempt)
            && login.wc_id.is_none()
        {
            login.wc_id = Some(wc_id.clone());
        }
        self.account_changed(stored.account);
        if stored.current {
            self.supersede(&wc_id, Some(attempt));
        }
    }

    /// Ends every other open login of an account: it is online now.
    pub(super) fn supersede(&self, wc_id: &WcId, except: Option<&AttemptId>) {
        for (id, login) in &self.logins {
            if Some(id) != except && !login.abandoned && login.wc_id.as_ref() == Some(wc_id) {
                let _ = login.to.send(Input::Supersede);
            }
        }
    }

    /// Goes on with the attempts of processes that are dead.
    pub(super) async fn take_over_orphans(&mut self) {
        let attempts = match self.shared.store.attempts().await {
            Ok(attempts) => attempts,
            Err(error) => return self.store_failed(&error.to_string()),
        };
        for attempt in attempts {
            let ours = attempt.owner == *self.shared.store.owner();
            if ours || self.shared.store.is_alive(&attempt.owner) {
                continue;
            }
            match self.shared.store.take_over(&attempt.id).await {
                Ok(true) => self.resume(attempt).await,
                Ok(false) => {}
                Err(error) => self.store_failed(&error.to_string()),
            }
        }
    }

    pub(super) async fn resume(&mut self, attempt: Attempt) {
        tracing::info!(attempt = %attempt.id, rung = attempt.rung.name(), "taking over");
        let known_w_id =
            attempt.wc_id.as_ref().and_then(|wc_id| self.accounts.get(wc_id)).and_then(|account| account.w_id.clone());
        let revived = self.shared.options.revive.as_ref() == Some(&attempt.id);
        // A person who has started a new login meanwhile looks at that one.
        let busy = self.open_login(attempt.wc_id.as_ref()).is_some();
        let remains = Remains {
            rung: attempt.rung,
            w_id: attempt.w_id,
            image_url: attempt.image_url,
            deadline: attempt.deadline,
            requested_at: attempt.requested_at,
            abandoned: busy || (attempt.state == AttemptState::Abandoned && !revived),
            known_w_id,
            orphan: true,
        };
        let machine = Machine::resumed(self.wish_of(attempt.wc_id.clone()), remains, self.shared.options.show_resumed);
        // What goes on unseen must not stand in the way of whoever wants to log the account in now.
        if machine.is_abandoned()
            && attempt.state == AttemptState::Open
            && let Err(error) = self.shared.store.abandon_attempt(&attempt.id).await
        {
            self.store_failed(&error.to_string());
        }
        // Somebody waited for it, and nobody does now.
        let nobody = machine.is_abandoned() || self.shared.options.role == Role::Watch;
        if nobody && attempt.state == AttemptState::Open {
            let login = attempt.wc_id.as_ref().and_then(|wc_id| self.accounts.get(wc_id)?.last_login_at);
            self.orphans.insert(attempt.id.clone(), login);
        }
        self.spawn(attempt.id, attempt.wc_id, machine);
    }
}

/// The step's name for the log: never its contents.
const fn step_name(step: &LoginStep) -> &'static str {
    match step {
        LoginStep::Started { .. } => "started",
        LoginStep::Resumed { .. } => "resumed",
        LoginStep::Requesting { .. } => "requesting",
        LoginStep::SecondLoginSent { .. } => "second_login_sent",
        LoginStep::SecondLoginFailed { .. } => "second_login_failed",
        LoginStep::Qr { .. } => "qr",
        LoginStep::NoPicture { .. } => "no_picture",
        LoginStep::SteppedDown { .. } => "stepped_down",
        LoginStep::WaitingForToken => "waiting_for_token",
        LoginStep::OverBudget { .. } => "over_budget",
        LoginStep::Waiting => "waiting",
        LoginStep::PollBroken { .. } => "poll_broken",
        LoginStep::Scanned => "scanned",
        LoginStep::VerifyCodeRequired { .. } => "verify_code_required",
        LoginStep::DeviceVerification { .. } => "device_verification",
        LoginStep::LoggedIn { .. } => "logged_in",
        LoginStep::Adopted { .. } => "adopted",
        LoginStep::WrongAccount { .. } => "wrong_account",
        LoginStep::Expired { .. } => "expired",
        LoginStep::Cancelled => "cancelled",
        LoginStep::Superseded => "superseded",
        LoginStep::Failed { .. } => "failed",
    }
}
