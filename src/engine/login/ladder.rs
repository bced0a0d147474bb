//! The ladder down to a second login: adopt, where that needs no phone; else the confirm dialog.

use std::time::Duration;

use super::{Generation, Machine, ONCE_MORE, Output, Outputs, Phase, State};
use crate::engine::api::{LoginStep, StepDown, Way};
use crate::gateway::{Error, Kind, PollReply};
use crate::model::{Began, Cost, Now, Reason, Record, Rung, WId, WcId};
use crate::store::SECOND_LOGIN_FAILED;

/// Between the two lists that must agree.
pub(super) const LIST_PAUSE: Duration = Duration::from_secs(1);
/// How long a live instance may take to say who it is (protocol.md §3.4: it answers at once).
const PROBE: Duration = Duration::from_secs(4);

/// A list's entry for an account; V1's has no wId.
pub(super) type Entry = (WcId, Option<WId>);

impl Machine {
    pub(super) fn start(&mut self, now: Now, out: &mut Outputs) {
        match self.state {
            State::New => {}
            State::Listing { .. }
            | State::Probing { .. }
            | State::Second
            | State::Requesting
            | State::Polling(_)
            | State::AwaitingToken { .. }
            | State::Adopting
            | State::Storing
            | State::Over => return,
        }
        if let Some(remains) = self.resumed.clone() {
            return self.resume(remains, now, out);
        }
        self.tell(LoginStep::Started { way: self.wish.way }, out);
        match (self.first_rung(), self.wish.way) {
            (Rung::Adopt, _) => {
                self.tell(LoginStep::Requesting { rung: Rung::Adopt }, out);
                self.ask_list(None, out);
            }
            (Rung::SecondLogin | Rung::QrLogin, Way::Ladder) => self.ask_phone(now, out),
            (Rung::SecondLogin, _) => self.second_login(false, now, out),
            (Rung::QrLogin, _) => self.request_code(false, now, out),
        }
    }

    // ── Adopt ────────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn ask_list(&mut self, until: Option<Duration>, out: &mut Outputs) {
        self.state = State::Listing { seen: None, until };
        let generation = self.ask();
        out.push(Output::AskList { generation, pause: Duration::ZERO });
    }

    pub(super) fn listed(&mut self, began: Began, result: Result<Option<Entry>, Error>, now: Now, out: &mut Outputs) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Listing { seen, until: None } => self.listed_for_ladder(seen, began, result, now, out),
            State::Listing { seen, until: Some(until) } => self.listed_for_rest(seen, until, began, result, now, out),
            State::Polling(polling) if polling.phase == Phase::Last => {
                self.listed_at_the_end(polling, result, now, out);
            }
            other @ (State::New
            | State::Probing { .. }
            | State::Second
            | State::Requesting
            | State::Polling(_)
            | State::AwaitingToken { .. }
            | State::Adopting
            | State::Storing
            | State::Over) => {
                self.state = other;
            }
        }
    }

    /// The ladder's first rung.
    fn listed_for_ladder(
        &mut self,
        seen: Option<(WId, Began)>,
        began: Began,
        result: Result<Option<Entry>, Error>,
        now: Now,
        out: &mut Outputs,
    ) {
        match (result, seen) {
            (Ok(Some((wc_id, Some(w_id)))), Some((seen, first))) if seen == w_id => {
                self.state = State::Adopting;
                out.push(Output::Adopt { wc_id, w_id, lists: [first, began] });
            }
            (Ok(Some((_, Some(w_id)))), _) => {
                self.state = State::Listing { seen: Some((w_id, began)), until: None };
                let generation = self.ask();
                out.push(Output::AskList { generation, pause: LIST_PAUSE });
            }
            // V1's list says that it is online, not as which instance: the one we hold is asked.
            (Ok(Some((_, None))), _) => match self.wish.known_w_id.clone() {
                Some(w_id) => {
                    self.ask_instance(began, w_id, Duration::ZERO, out);
                }
                None => self.step_down(StepDown::NoAnswer, None, now, out),
            },
            (Ok(None), _) => self.step_down(StepDown::NotListed, None, now, out),
            (Err(error), _) => {
                self.state = State::Listing { seen: None, until: None };
                match error.kind {
                    Kind::TokenSuspect => self.suspect(error, now, out),
                    Kind::Unreachable
                    | Kind::TimedOut
                    | Kind::Http(_)
                    | Kind::Malformed
                    | Kind::TooLarge
                    | Kind::Refused
                    | Kind::RefusedInside
                    | Kind::Platform(_)
                    | Kind::BadImage
                    | Kind::BadSettings => self.list_failed(error, now, out),
                }
            }
        }
    }

    /// The ladder's list did not come. One odd answer is no reason to ring a phone.
    pub(super) fn list_failed(&mut self, error: Error, now: Now, out: &mut Outputs) {
        // A gateway that has no such list says so each time.
        let none_there = matches!(error.kind, Kind::Http(404 | 405 | 501));
        if !none_there && self.may_ask_again(&error) {
            self.state = State::Listing { seen: None, until: None };
            let generation = self.ask();
            out.push(Output::AskList { generation, pause: LIST_PAUSE });
            return;
        }
        match error.kind {
            // Nobody there: no phone needs to ring to find that out again.
            Kind::Unreachable | Kind::TimedOut => self.fail_with(&error, out),
            Kind::Http(_)
            | Kind::Malformed
            | Kind::TooLarge
            | Kind::TokenSuspect
            | Kind::Refused
            | Kind::RefusedInside
            | Kind::Platform(_)
            | Kind::BadImage
            | Kind::BadSettings => self.step_down(StepDown::ListFailed, error.gateway_message, now, out),
        }
    }

    /// Whether a question that rings nobody is asked once more, because its answer broke.
    fn may_ask_again(&mut self, error: &Error) -> bool {
        let again = error.is_lost_answer() && self.asked_again < ONCE_MORE;
        self.asked_again += u8::from(again);
        again
    }

    /// V1: asks the instance that we hold whether it lives. `list`: when the list was asked.
    fn ask_instance(&mut self, list: Began, w_id: WId, pause: Duration, out: &mut Outputs) {
        self.state = State::Probing { list };
        let generation = self.ask();
        out.push(Output::Probe { generation, w_id, pause, limit: PROBE });
    }

    pub(super) fn probe_failed(&mut self, error: Error, now: Now, out: &mut Outputs) {
        if let (State::Probing { list }, Some(w_id)) = (&self.state, self.wish.known_w_id.clone()) {
            let list = *list;
            if self.may_ask_again(&error) {
                return self.ask_instance(list, w_id, LIST_PAUSE, out);
            }
        }
        self.step_down(StepDown::NoAnswer, error.gateway_message, now, out);
    }

    /// The instance that we hold was asked. An answer for another account proves nothing of this one.
    pub(super) fn probed(&mut self, result: Result<PollReply, Error>, now: Now, out: &mut Outputs) {
        let State::Probing { list } = self.state else { return };
        match result {
            Ok(PollReply::LoggedIn(record)) if Some(&record.wc_id) == self.wish.wc_id.as_ref() => {
                self.state = State::Adopting;
                out.push(Output::Adopt { wc_id: record.wc_id, w_id: record.w_id, lists: [list; 2] });
            }
            Err(error) if error.kind == Kind::TokenSuspect => self.suspect(error, now, out),
            Ok(PollReply::Expired { gateway_message } | PollReply::VerifyCode { gateway_message, .. }) => {
                self.step_down(StepDown::NoAnswer, Some(gateway_message), now, out);
            }
            Ok(PollReply::LoggedIn(_) | PollReply::NotDone { .. } | PollReply::DeviceVerification { .. }) => {
                self.step_down(StepDown::NoAnswer, None, now, out);
            }
            Err(error) => self.probe_failed(error, now, out),
        }
    }

    pub(super) fn not_adopted(&mut self, now: Now, out: &mut Outputs) {
        match self.state {
            // Older than a login that was stored since, or another login is under way: what lives now, a later list tells.
            State::Adopting if self.resumed.is_some() || self.lost.is_some() => {
                let until = self.dialog_until.unwrap_or(now.mono);
                self.look_again(until, true, now, out);
            }
            State::Adopting if self.abandoned => self.idle(out),
            State::Adopting => self.step_down(StepDown::ListFailed, None, now, out),
            State::New
            | State::Listing { .. }
            | State::Probing { .. }
            | State::Second
            | State::Requesting
            | State::Polling(_)
            | State::AwaitingToken { .. }
            | State::Storing
            | State::Over => {}
        }
    }

    // ── Second login ─────────────────────────────────────────────────────────────────────────────────────────────

    /// Nothing to adopt: says why, and goes on to the next rung.
    pub(super) fn step_down(&mut self, why: StepDown, message: Option<Box<str>>, now: Now, out: &mut Outputs) {
        if self.wish.first_day && why == StepDown::NotListed && !self.wish.first_night {
            self.wish.first_night = true;
            out.push(Output::FirstDrop);
        }
        self.tell(LoginStep::SteppedDown { rung: Rung::Adopt, why, gateway_message: message }, out);
        self.ask_phone(now, out);
    }

    /// The first rung that asks the phone and can work.
    fn ask_phone(&mut self, now: Now, out: &mut Outputs) {
        let resting = self.wish.budget.rest(now.wall).filter(|_| !self.wish.forced);
        let why = match resting {
            _ if self.wish.way != Way::Ladder => None,
            _ if self.wish.first_night => Some(StepDown::FirstNight),
            // Without a place for the code, what is in the way is the rest.
            Some(_) if self.wish.shows_codes => Some(StepDown::Resting),
            Some(_) | None => None,
        };
        let Some(why) = why else { return self.second_login(false, now, out) };
        self.tell(LoginStep::SteppedDown { rung: Rung::SecondLogin, why, gateway_message: None }, out);
        self.request_code(false, now, out);
    }

    /// `again`: it went out before and was refused with its token.
    pub(super) fn second_login(&mut self, again: bool, now: Now, out: &mut Outputs) {
        if !again && let Err(over) = self.charge(Cost::SecondLogin, now) {
            return self.over_budget(over, out);
        }
        self.state = State::Second;
        let generation = self.ask();
        let limit_ms = self.wish.dialect.login_limit_ms();
        let deadline = now.wall.plus_ms(limit_ms);
        let limit = Duration::from_millis(limit_ms.unsigned_abs());
        self.dialog_until = Some(now.mono.saturating_add(limit));
        self.second_sent = now.mono;
        self.tell(LoginStep::Requesting { rung: Rung::SecondLogin }, out);
        out.push(Output::SecondLogin { generation, deadline, limit, again });
        self.tell(LoginStep::SecondLoginSent { expires_at: deadline }, out);
    }

    pub(super) fn second_answered(
        &mut self,
        generation: Generation,
        result: Result<Record, Error>,
        now: Now,
        out: &mut Outputs,
    ) {
        let error = match result {
            Ok(record) => return self.success(record, out),
            Err(error) => error,
        };
        match self.state {
            State::Second if self.is_current(generation) => {}
            State::New
            | State::Listing { .. }
            | State::Probing { .. }
            | State::Second
            | State::Requesting
            | State::Polling(_)
            | State::AwaitingToken { .. }
            | State::Adopting
            | State::Storing
            | State::Over => return,
        }
        self.rang = now.mono.saturating_sub(self.second_sent) >= self.wish.tap;
        if error.kind == Kind::TokenSuspect {
            return self.suspect(error, now, out);
        }
        self.take_back(Cost::SecondLogin, &error, out);
        self.second_failed(&error, now, out);
    }

    pub(super) fn second_failed(&mut self, error: &Error, now: Now, out: &mut Outputs) {
        let ignored = error.kind == Kind::TimedOut;
        // The phone may have been asked, and no list will tell what it answered (V1).
        let untold = error.is_lost_answer() && !self.wish.dialect.lists_w_ids();
        let reason = match () {
            () if ignored => Reason::NobodyScanned,
            () if untold => Reason::LoginInterrupted,
            () => error.reason(),
        };
        let falls_to_code = self.wish.way == Way::Ladder && self.wish.shows_codes;
        if let Some(until) = self.dialog_until.filter(|_| !falls_to_code)
            && error.is_lost_answer()
            && self.wish.dialect.lists_w_ids()
        {
            return self.answer_lost(error, until, now, out);
        }
        let gateway_message = error.gateway_message.clone();
        out.push(Output::SecondFailed { rang: self.rang, reason, gateway_message: gateway_message.clone() });
        if self.abandoned {
            return self.idle(out);
        }
        self.tell(LoginStep::SecondLoginFailed { reason, gateway_message: gateway_message.clone() }, out);
        if falls_to_code {
            return self.request_code(false, now, out);
        }
        if self.wish.way == Way::Ladder {
            let (rung, why) = (Rung::QrLogin, StepDown::NowhereToShow);
            self.tell(LoginStep::SteppedDown { rung, why, gateway_message: None }, out);
        }
        self.end(SECOND_LOGIN_FAILED, Some(reason), gateway_message.clone(), out);
        let failed = LoginStep::Failed { reason, gateway_message, detail: error.detail.clone() };
        self.tell(if ignored { LoginStep::Expired { renewing: false } } else { failed }, out);
    }
}
