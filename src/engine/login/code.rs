//! A QR login: the code, its picture, its polls, its renewal.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    Doubted, Generation, Is, LAST_POLL, Machine, NEARLY_OVER, ONCE_MORE, Output, Outputs, Phase, Picture, PictureState,
    Polling, State, Typed,
};
use crate::engine::api::{LoginStep, Way};
use crate::gateway::{Error, Kind, PollReply, QrIssued};
use crate::model::{Cost, Now, Reason, Rung, WId, to_ms};

/// The shortest time between two polls of one wId (design.md §3 rule 6).
const POLL_PAUSE: Duration = Duration::from_secs(1);
/// Between two polls of a renewed code's old wId, once the gateway has called it expired.
const TWIN_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause after broken polls.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long to wait before each further try to fetch the picture.
const PICTURE_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

impl Machine {
    /// `again`: it went out before and was refused with its token.
    pub(super) fn request_code(&mut self, again: bool, now: Now, out: &mut Outputs) {
        if !self.wish.shows_codes {
            return self.nowhere_to_show(out);
        }
        if !again && let Err(over) = self.charge(Cost::Code, now) {
            return self.over_budget(over, out);
        }
        self.send_for_code(again, out);
    }

    fn send_for_code(&mut self, again: bool, out: &mut Outputs) {
        self.state = State::Requesting;
        let generation = self.ask();
        self.tell(LoginStep::Requesting { rung: Rung::QrLogin }, out);
        out.push(Output::IPadLogin { generation, again });
    }

    pub(super) fn issued(&mut self, result: Result<QrIssued, Error>, now: Now, out: &mut Outputs) {
        match self.state {
            State::Requesting => {}
            State::New
            | State::Listing { .. }
            | State::Probing { .. }
            | State::Second
            | State::Polling(_)
            | State::AwaitingToken { .. }
            | State::Adopting
            | State::Storing
            | State::Over => {
                return;
            }
        }
        let QrIssued { w_id, image_url } = match result {
            // Nobody has seen this code and nobody will: it cannot be scanned.
            Ok(_) if self.abandoned => return self.idle(out),
            Ok(issued) => issued,
            Err(error) if error.kind == Kind::TokenSuspect && !self.abandoned => {
                return self.suspect(error, now, out);
            }
            Err(error) => {
                self.take_back(Cost::Code, &error, out);
                return if self.abandoned { self.idle(out) } else { self.fail_with(&error, out) };
            }
        };
        let limit_ms = self.wish.dialect.login_limit_ms();
        let limit = Duration::from_millis(limit_ms.unsigned_abs());
        let deadline = Now { wall: now.wall.plus_ms(limit_ms), mono: now.mono + limit };
        let generation = self.ask();
        self.state = State::Polling(Polling::new(w_id.clone(), Some(image_url.clone()), deadline, generation));
        out.push(Output::Issued { w_id: w_id.clone(), image_url: image_url.clone(), deadline: deadline.wall });
        out.push(Output::Poll { generation, w_id, verify_code: None, limit });
        out.push(Output::Fetch { generation, image_url });
    }

    // ── Picture ──────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn pictured(
        &mut self,
        generation: Generation,
        result: Result<Picture, Box<str>>,
        now: Now,
        out: &mut Outputs,
    ) {
        let abandoned = self.abandoned;
        let Some(polling) = self.polling() else { return };
        // Polls of this code have asked further questions since; an older code's picture has an older wId's number.
        if abandoned || generation < polling.first {
            return;
        }
        let PictureState::Missing(tries) = polling.picture else { return };
        if now.mono >= polling.deadline.mono {
            return;
        }
        // The code was scanned: what the phone wants now must not be covered by it.
        if polling.phase == Phase::AwaitingCode || polling.url.is_some() {
            polling.picture = PictureState::Unwanted;
            return;
        }
        match result {
            Ok(picture) => {
                polling.picture = PictureState::Shown;
                polling.refetch = None;
                let step = LoginStep::Qr {
                    w_id: polling.w_id.clone(),
                    expires_at: polling.deadline.wall,
                    code: picture.code,
                    payload: picture.payload,
                };
                self.tell(step, out);
                self.tell(LoginStep::Waiting, out);
            }
            Err(detail) => match PICTURE_PAUSES.get(tries) {
                Some(pause) => {
                    polling.picture = PictureState::Missing(tries + 1);
                    polling.refetch = Some(now.mono + *pause);
                }
                None => {
                    polling.picture = PictureState::Failed;
                    let expires_at = polling.deadline.wall;
                    self.tell(LoginStep::NoPicture { detail, expires_at }, out);
                }
            },
        }
    }

    // ── Polls ────────────────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn polled(
        &mut self,
        generation: Generation,
        result: Result<PollReply, Error>,
        now: Now,
        out: &mut Outputs,
    ) {
        let result = match result {
            Ok(PollReply::LoggedIn(record)) => return self.success(record, out),
            other => other,
        };
        if !self.is_current(generation) {
            return;
        }
        let abandoned = self.abandoned;
        let (polls_alone, is_twin) = (self.is_told_by_polls_alone(), self.is_twin());
        let Some(polling) = self.polling() else { return };
        let last = polling.phase == Phase::Last;
        // A token under suspicion is a broken poll too, once the other call has cleared it.
        if let Ok(reply) = &result {
            polling.broken = 0;
            let asks_again = matches!(reply, PollReply::VerifyCode { .. });
            // It has been taken, and a code is taken once.
            polling.typed.take_if(|typed| typed.is == Is::Sent && !asks_again);
        }
        match result {
            // Expired to the gateway's mind: a phone that scanned it in time may still confirm.
            Ok(PollReply::Expired { .. }) if is_twin && !last => polling.pause(TWIN_PAUSE, now),
            Ok(PollReply::Expired { .. }) => self.code_over(now, out),
            Err(error) if error.kind == Kind::TokenSuspect => {
                polling.phase = Phase::CheckingToken(if last { Doubted::LastPoll } else { Doubted::Poll });
                self.suspect(error, now, out);
            }
            // What the gateway says to a wrong code is not known (protocol.md §3.4): a person reads it, and may correct it.
            Err(error) if polling.is_code_on_trial() && !last && !abandoned && is_refusal(&error) => {
                self.ask_for_code(error.gateway_message.unwrap_or_default(), out);
            }
            Err(error) if last && polling.may_ask_again(&error) => self.last_poll_broke(now),
            Err(error) if polls_alone && is_last_word(&error, last) => {
                self.fail(Reason::LoginInterrupted, error.gateway_message, error.detail, out);
            }
            // The code is over whatever else is said, except that it worked.
            Ok(_) if last => self.code_over(now, out),
            Err(error) if last => {
                let list_tells = self.resumed.is_some() && self.wish.dialect.lists_w_ids();
                if may_pass(&error) && error.kind != Kind::TimedOut && !self.abandoned && !list_tells {
                    self.fail_with(&error, out);
                } else {
                    self.code_over(now, out);
                }
            }
            Ok(PollReply::NotDone { status }) => {
                let news = status == Some(2) && !polling.scanned;
                if news {
                    polling.scanned = true;
                }
                polling.pause(POLL_PAUSE, now);
                if news {
                    self.tell(LoginStep::Scanned, out);
                }
            }
            // One was typed, and the gateway has not had it.
            Ok(PollReply::VerifyCode { .. }) if polling.has_code_left() => polling.pause(POLL_PAUSE, now),
            Ok(PollReply::VerifyCode { gateway_message, .. }) => {
                // Somebody may still come back with the code for a login whose process has ended (exit 8).
                if abandoned && !self.resumed.as_ref().is_some_and(|remains| remains.orphan) {
                    self.idle(out);
                } else {
                    self.ask_for_code(gateway_message, out);
                }
            }
            Ok(PollReply::DeviceVerification { url }) => {
                let news = polling.url.as_ref() != Some(&url);
                polling.url = Some(url.clone());
                polling.pause(POLL_PAUSE * 2, now);
                if news {
                    self.tell(LoginStep::DeviceVerification { url: url.into() }, out);
                }
            }
            Err(error) if may_pass(&error) => self.poll_broke(&error, now, out),
            Err(_) if now.mono + NEARLY_OVER >= polling.deadline.mono => self.code_over(now, out),
            Err(error) if self.resumed.is_some() && self.wish.dialect.lists_w_ids() => {
                drop(error);
                self.ask_at_the_end(Duration::ZERO, out);
            }
            // The gateway knows the old code no more: that is no failure of the login, which goes on with the new one.
            Err(_) if is_twin => self.idle(out),
            Err(error) => self.fail_with(&error, out),
            // Taken above.
            Ok(PollReply::LoggedIn(record)) => self.success(record, out),
        }
    }

    /// The line broke: the same wId is polled again after 1, 2, 4 … 10 s (design.md §4).
    pub(super) fn poll_broke(&mut self, error: &Error, now: Now, out: &mut Outputs) {
        let Some(polling) = self.polling() else { return };
        if now.mono >= polling.deadline.mono {
            return self.last_poll(out);
        }
        // Whether the gateway took the code that went with it nobody knows, but where it was never sent. A code is taken
        // once, so the next poll goes without: a gateway that wants it still asks.
        polling.code_went(if error.sent { Is::Unsure } else { Is::Unsent });
        // The poll's own limit is the deadline's; a poll that merely ran out is no broken line.
        if error.kind == Kind::TimedOut {
            polling.pause(POLL_PAUSE, now);
            return;
        }
        let pause = POLL_PAUSE.saturating_mul(1 << polling.broken.min(4)).min(LONGEST_PAUSE);
        polling.broken += 1;
        polling.pause(pause, now);
        let pause_ms = to_ms(pause);
        let retry_at = now.wall.plus_ms(pause_ms);
        self.tell(LoginStep::PollBroken { retry_at, detail: error.detail.clone() }, out);
    }

    /// The last poll broke: asked once more, since what it would have told may be told to nobody else.
    pub(super) fn last_poll_broke(&mut self, now: Now) {
        let Some(polling) = self.polling() else { return };
        polling.broken_at_the_end += 1;
        polling.phase = Phase::Pausing(now.mono.saturating_add(POLL_PAUSE));
    }

    pub(super) fn ask_for_code(&mut self, gateway_message: Box<str>, out: &mut Outputs) {
        let Some(polling) = self.polling() else { return };
        polling.typed = None;
        polling.phase = Phase::AwaitingCode;
        self.tell(LoginStep::VerifyCodeRequired { gateway_message }, out);
    }

    pub(super) fn verify_code(&mut self, code: SecretString, now: Now, out: &mut Outputs) {
        let Some(polling) = self.polling() else { return };
        polling.typed = Some(Typed { code, is: Is::Unsent, again: false });
        if polling.phase == Phase::AwaitingCode && now.mono < polling.deadline.mono {
            self.poll(now, out);
            self.tell(LoginStep::Waiting, out);
        }
    }

    pub(super) fn tick_polling(&mut self, now: Now, out: &mut Outputs) {
        let (current, abandoned) = (self.generation, self.abandoned);
        let Some(polling) = self.polling() else { return };
        if polling.refetch.is_some_and(|at| now.mono >= at) {
            polling.refetch = None;
            if let (false, Some(image_url)) = (abandoned, polling.image_url.clone()) {
                out.push(Output::Fetch { generation: current, image_url });
            }
        }
        let over = now.mono >= polling.deadline.mono;
        match polling.phase {
            Phase::Pausing(at) if now.mono >= at => {
                if over {
                    self.last_poll(out);
                } else {
                    self.poll(now, out);
                }
            }
            Phase::AwaitingCode if over => self.last_poll(out),
            Phase::AwaitingToken(until) if now.mono >= until => self.give_up_token(out),
            Phase::AwaitingToken(_) if over && !abandoned => self.expired_without_token(out),
            Phase::Asking
            | Phase::Pausing(_)
            | Phase::AwaitingCode
            | Phase::Last
            | Phase::CheckingToken(_)
            | Phase::AwaitingToken(_) => {}
        }
    }

    pub(super) fn poll(&mut self, now: Now, out: &mut Outputs) {
        let Some(polling) = self.polling() else { return };
        let limit = polling.deadline.mono.saturating_sub(now.mono).max(POLL_PAUSE);
        self.send_poll(Phase::Asking, limit, out);
    }

    pub(super) fn last_poll(&mut self, out: &mut Outputs) {
        self.send_poll(Phase::Last, LAST_POLL, out);
    }

    fn send_poll(&mut self, phase: Phase, limit: Duration, out: &mut Outputs) {
        let generation = self.ask();
        let Some(polling) = self.polling() else { return };
        polling.phase = phase;
        let unsent = polling.typed.as_mut().filter(|typed| typed.is == Is::Unsent);
        let verify_code = unsent.map(|typed| {
            typed.is = Is::Sent;
            typed.code.clone()
        });
        out.push(Output::Poll { generation, w_id: polling.w_id.clone(), verify_code, limit });
    }

    // ── Renewal ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Nobody scanned in time: a new code while somebody is there and the day's codes last, else idle.
    pub(super) fn code_over(&mut self, now: Now, out: &mut Outputs) {
        if self.resumed.is_some() && self.wish.dialect.lists_w_ids() {
            return self.ask_at_the_end(Duration::ZERO, out);
        }
        if self.abandoned {
            return self.idle(out);
        }
        let State::Polling(polling) = &self.state else { return };
        if polling.picture == PictureState::Failed {
            return self.fail(Reason::ImageFailed, None, "the picture of the code could not be read".into(), out);
        }
        if self.may_renew(now) {
            self.wish.renewals -= 1;
            self.wish.budget.spend(Cost::Code, now.wall);
            self.tell(LoginStep::Expired { renewing: true }, out);
            self.send_for_code(false, out);
        } else {
            self.expired(out);
        }
    }

    /// A yes of a person bought this wish's first code, not its renewals: those stay within the day's limit.
    fn may_renew(&self, now: Now) -> bool {
        let wish = &self.wish;
        let within = wish.wc_id.is_none() || wish.budget.spent(Cost::Code, now.wall) < wish.limits.codes;
        wish.renewals > 0 && wish.shows_codes && wish.way != Way::OneCode && self.somebody && within
    }
}

/// Whether a failed poll says nothing about the login: the line, the gateway or something on the way broke, and may be
/// whole again. No HTTP status is more than that: proxies say them all, and a redeploy says some for a few seconds.
const fn may_pass(error: &Error) -> bool {
    match error.kind {
        Kind::Unreachable | Kind::TimedOut | Kind::Malformed | Kind::TooLarge | Kind::Http(_) => true,
        Kind::TokenSuspect
        | Kind::Refused
        | Kind::RefusedInside
        | Kind::Platform(_)
        | Kind::BadImage
        | Kind::BadSettings => false,
    }
}

/// Whether the gateway has answered no.
const fn is_refusal(error: &Error) -> bool {
    matches!(error.kind, Kind::Refused | Kind::RefusedInside)
}

/// Whether no further poll will tell more than this failed one.
const fn is_last_word(error: &Error, last: bool) -> bool {
    match error.kind {
        // Nobody confirmed so far, or the token has to be looked at first.
        Kind::TokenSuspect | Kind::TimedOut => false,
        Kind::Unreachable | Kind::Malformed | Kind::TooLarge | Kind::Http(_) => last,
        Kind::Refused | Kind::RefusedInside | Kind::Platform(_) | Kind::BadImage | Kind::BadSettings => true,
    }
}

impl Polling {
    pub(super) const fn new(w_id: WId, image_url: Option<SecretString>, deadline: Now, first: Generation) -> Self {
        Self {
            w_id,
            image_url,
            deadline,
            phase: Phase::Asking,
            typed: None,
            broken: 0,
            broken_at_the_end: 0,
            picture: PictureState::Missing(0),
            refetch: None,
            scanned: false,
            url: None,
            first,
        }
    }

    /// What became of the code in the poll that is over, where it took one along.
    pub(super) fn code_went(&mut self, is: Is) {
        if let Some(typed) = self.typed.as_mut().filter(|typed| typed.is == Is::Sent) {
            typed.is = is;
        }
    }

    /// Whether a code was typed that the gateway, which asks for one, may not have had. The next poll takes it along; but
    /// it is sent twice at most, since it may be a wrong one, and tries are counted.
    fn has_code_left(&mut self) -> bool {
        self.typed.as_mut().is_some_and(|typed| match typed.is {
            Is::Unsent => true,
            Is::Unsure if !typed.again => {
                *typed = Typed { code: typed.code.clone(), is: Is::Unsent, again: true };
                true
            }
            Is::Unsure | Is::Sent => false,
        })
    }

    /// Whether the gateway has not answered yet to a code that was sent.
    pub(super) fn is_code_on_trial(&self) -> bool {
        self.typed.as_ref().is_some_and(|typed| typed.is != Is::Unsent)
    }

    /// Whether a question after the deadline that came to nothing is asked once more.
    pub(super) const fn may_ask_again(&self, error: &Error) -> bool {
        error.is_transport() && !matches!(error.kind, Kind::TimedOut) && self.broken_at_the_end < ONCE_MORE
    }

    const fn pause(&mut self, pause: Duration, now: Now) {
        let at = now.mono.saturating_add(pause);
        // A pause never runs past the deadline: the last poll is due then.
        self.phase =
            Phase::Pausing(if at.as_nanos() < self.deadline.mono.as_nanos() { at } else { self.deadline.mono });
    }
}
