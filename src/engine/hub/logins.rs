//! The logins of this process, what they tell, and the orphans it takes over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Hub, News};
use crate::engine::Role;
use crate::engine::api::{Event, LoginEvent, LoginStep, Token, Way};
use crate::engine::attempt::FromLogin;
use crate::engine::login::{Input, Machine, Remains, Wish};
use crate::model::{Account, Attempt, AttemptId, AttemptState, Owner, WcId, to_ms};
use crate::store::{RENEW_EVERY, Stored};

/// Behind the end of a lease: who renews it may be doing so just now.
const LEASE_GRACE: Duration = Duration::from_millis(200);
/// When to look once more whether a process has died.
const DEATHS: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(300), Duration::from_secs(2)];

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
            FromLogin::Token(true) => self.set_token(Token::Ok),
            FromLogin::Token(false) => self.token_rejected().await,
            FromLogin::ObservesNoLonger => self.replaced().await,
            FromLogin::NeedsToken(attempt) => self.needs_token(&attempt),
            FromLogin::StoreFailed(error) => self.store_failed(&error),
            FromLogin::Over(attempt) => {
                let wc_id = self.logins.remove(&attempt).and_then(|login| login.wc_id);
                if let Some(wc_id) = &wc_id {
                    self.read_one(wc_id).await;
                }
                self.orphan_over(&attempt, wc_id.as_ref()).await;
                // Whoever took it over may be gone: while it went on here, it was not taken back.
                self.take_over_orphans().await;
            }
        }
    }

    /// The wish behind an attempt that goes on; it asks no phone.
    pub(super) fn wish_of(&self, wc_id: Option<WcId>) -> Wish {
        let options = &self.shared.options;
        let wish = Wish::new(wc_id, Way::Qr, options.dialect, options.renewal.times());
        Wish {
            can_list: self.shared.can_list(),
            limits: options.limits,
            waits_for_token: options.waits_for_token || options.renewer.is_some(),
            shows_codes: !options.no_codes,
            tap: options.tap.unwrap_or(wish.tap),
            ..wish
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

    /// Goes on with the attempts of processes that cannot act, and tells the logins here of those that others have taken.
    pub(super) async fn take_over_orphans(&mut self) {
        let attempts = match self.shared.store.attempts().await {
            Ok(attempts) => attempts,
            Err(error) => return self.store_failed(&error.to_string()),
        };
        let mut others = HashSet::new();
        let mut next: Option<Duration> = None;
        for attempt in attempts {
            if attempt.owner == *self.shared.store.owner() {
                continue;
            }
            // What runs here still is over here first, whatever has become of who took it over.
            let was_mine = self.logins.contains_key(&attempt.id) && !self.is_revived(&attempt.id);
            if was_mine {
                self.taken_over(&attempt.id, &attempt.owner);
            }
            if !self.shared.is_orphaned(&attempt.owner) {
                if let Some(left) = self.shared.store.able_for(&attempt.owner).filter(|left| !left.is_zero()) {
                    next = Some(next.map_or(left, |next| next.min(left)));
                }
                others.insert(attempt.owner);
                continue;
            }
            if was_mine {
                continue;
            }
            match self.shared.store.take_over(&attempt.id).await {
                Ok(Some(taken)) => self.resume(taken).await,
                Ok(None) => {}
                Err(error) => self.store_failed(&error.to_string()),
            }
        }
        self.others = others;
        // Whoever renews its lease does so without a word.
        self.others_due = next.map(|left| Instant::now() + left + LEASE_GRACE);
    }

    fn is_revived(&self, id: &AttemptId) -> bool {
        self.shared.options.revive.as_ref() == Some(id)
    }

    fn taken_over(&self, id: &AttemptId, owner: &Owner) {
        let by = self.shared.role_of(owner);
        tracing::warn!(attempt = %id, by = &*by, "taken over");
        self.to_login(id, Input::TakenOver { by });
    }

    /// Says that this process can act, as long as it holds attempts. If it could not for a while, it finds out first
    /// what it has lost.
    pub(super) async fn look_after_lease(&mut self) {
        if self.logins.is_empty() {
            self.lease_due = None;
            return;
        }
        let mut knows = true;
        if self.shared.store.has_lapsed() {
            for id in self.logins.keys().cloned().collect::<Vec<_>>() {
                match self.shared.store.still_mine(&id).await {
                    Ok(false) => {
                        let by = self.shared.who_took(&id).await;
                        self.to_login(&id, Input::TakenOver { by });
                    }
                    Ok(true) => {}
                    Err(error) => {
                        knows = false;
                        self.store_failed(&error.to_string());
                    }
                }
            }
        }
        if knows {
            self.shared.store.looked_after();
        } else {
            self.shared.store.renew_lease();
        }
        self.lease_due = Some(Instant::now() + RENEW_EVERY);
    }

    /// Something was written, or somebody died: takes orphans over where there may be any. Costs nothing as long as no
    /// attempt of another process is known.
    pub(super) async fn look_for_orphans(&mut self, attempts_changed: bool) {
        if !attempts_changed && self.others.is_empty() {
            return;
        }
        self.take_over_orphans().await;
        if self.others.is_empty() {
            return;
        }
        // The word of a death may come a moment before the kernel drops the dead one's lock.
        // Nothing is held on to: this process's own lock must go with it.
        let (shared, news, others) = (Arc::downgrade(&self.shared), self.news.0.clone(), self.others.clone());
        tokio::spawn(async move {
            for pause in DEATHS {
                tokio::time::sleep(pause).await;
                let Some(shared) = shared.upgrade() else { return };
                if others.iter().any(|owner| shared.is_orphaned(owner)) {
                    let _ = news.send(News::StoreChanged);
                    return;
                }
            }
        });
    }

    /// Goes on with the attempt that somebody has come back to, also where another process listens to it: polls of one
    /// wId do not disturb each other (protocol.md §3.4), and whoever hears of the success first stores it.
    pub(super) async fn revive(&mut self) {
        let Some(id) = self.shared.options.revive.clone().filter(|id| !self.logins.contains_key(id)) else { return };
        let attempt = match self.shared.store.attempt(&id).await {
            Ok(attempt) => attempt,
            Err(error) => return self.store_failed(&error.to_string()),
        };
        match attempt.filter(|attempt| attempt.state != AttemptState::Ended) {
            Some(attempt) => self.resume(attempt).await,
            None => self.told(id, LoginStep::Expired { renewing: false }),
        }
    }

    pub(super) async fn resume(&mut self, attempt: Attempt) {
        tracing::info!(attempt = %attempt.id, rung = attempt.rung.name(), "taking over");
        let account = match &attempt.wc_id {
            Some(wc_id) => self.shared.store.account(wc_id).await.unwrap_or_default(),
            None => None,
        };
        let known_w_id = account.and_then(|account| account.w_id);
        let revived = self.shared.options.revive.as_ref() == Some(&attempt.id);
        // A person who has started a new login meanwhile looks at that one.
        let busy = self.open_login(attempt.wc_id.as_ref()).is_some();
        let remains = Remains {
            rung: attempt.rung,
            w_id: attempt.w_id,
            image_url: attempt.image_url,
            // By this process's own wall clock, whatever that of the other one said.
            deadline: attempt.left.map(|left| self.shared.now().wall.plus_ms(to_ms(left))).or(attempt.deadline),
            requested_at: attempt.requested_at,
            abandoned: busy || (attempt.state == AttemptState::Abandoned && !revived),
            known_w_id,
            orphan: true,
        };
        let machine = Machine::resumed(self.wish_of(attempt.wc_id.clone()), remains, self.shared.options.show_resumed);
        // Somebody waited for it, and nobody does now.
        let nobody = machine.is_abandoned() || self.shared.options.role == Role::Watch;
        // It must not stand in the way of whoever wants to log the account in now, and nobody could cancel it.
        if nobody
            && attempt.state == AttemptState::Open
            && let Err(error) = self.shared.store.abandon_attempt(&attempt.id).await
        {
            self.store_failed(&error.to_string());
        }
        if nobody && attempt.state == AttemptState::Open {
            let account = attempt.wc_id.as_ref().and_then(|wc_id| self.accounts.get(wc_id));
            let settled = account.map(|account| account.settled).unwrap_or_default();
            self.orphans.insert(attempt.id.clone(), settled);
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
        LoginStep::TakenOver { .. } => "taken_over",
        LoginStep::Failed { .. } => "failed",
    }
}
