//! When the gateway refuses the token: confirmed by a second call, waited for, gone on with.
//!
//! A request that was refused with its token never reached a phone. So it is sent again with the next token, and is
//! still the one of its wish.

use std::time::Duration;

use super::{Doubted, Is, Machine, Output, Outputs, Phase, Question, State};
use crate::engine::api::LoginStep;
use crate::gateway::{Error, Kind};
use crate::model::{Now, Reason};

/// How long a login waits for another token: a person may have to look a password up.
const PATIENCE: Duration = Duration::from_secs(600);

/// So many refused polls in a row, with their pauses, take half a minute.
const REFUSED_POLLS: u32 = 6;

impl Machine {
    /// A call was refused as with a dead token. Where another token has come since it was sent, that one is used;
    /// else a second, harmless call tells.
    pub(super) fn suspect(&mut self, error: Error, now: Now, out: &mut Outputs) {
        if self.renewed && (self.was_dead || !self.asks_phone()) {
            return self.go_on(now, out);
        }
        let generation = self.ask();
        out.push(Output::CheckToken { generation, error });
    }

    /// Whether a request is out that a phone may have seen: the words of a refusal alone do not say that none has.
    const fn asks_phone(&self) -> bool {
        matches!(self.state, State::Second | State::Requesting)
    }

    pub(super) fn token_checked(&mut self, rejected: bool, error: Error, now: Now, out: &mut Outputs) {
        if self.renewed && (self.was_dead || rejected || !self.asks_phone()) {
            return self.go_on(now, out);
        }
        if rejected && !self.is_hardly_proven(&error) {
            return self.token_rejected(error, now, out);
        }
        // The token is good, or nobody knows: this one call was refused, for whatever reason.
        let error = error.with_good_token();
        let abandoned = self.abandoned;
        match &mut self.state {
            State::Listing { until: None, .. } => self.list_failed(error, now, out),
            State::Listing { until: Some(until), .. } => {
                let until = *until;
                self.look_again(until, true, now, out);
            }
            State::Probing { .. } => self.probe_failed(error, now, out),
            State::Second => self.second_failed(&error, now, out),
            State::Requesting => self.fail_with(&error, out),
            State::Polling(polling) => match polling.phase {
                Phase::CheckingToken(Doubted::LastPoll) if polling.may_ask_again(&error) => self.last_poll_broke(now),
                Phase::CheckingToken(Doubted::LastPoll) => self.code_over(now, out),
                Phase::CheckingToken(Doubted::LastList) => self.last_list_broke(&error, out),
                // It is the code that was typed: sent again as it is, it would be refused again.
                Phase::CheckingToken(Doubted::Poll)
                    if polling.is_code_on_trial() && !abandoned && error.kind == Kind::Refused =>
                {
                    self.ask_for_code(error.gateway_message.unwrap_or_default(), out);
                }
                Phase::CheckingToken(Doubted::Poll) => {
                    polling.phase = Phase::Asking;
                    self.poll_broke(&error, now, out);
                }
                Phase::Asking | Phase::Pausing(_) | Phase::AwaitingCode | Phase::Last | Phase::AwaitingToken(_) => {}
            },
            State::New | State::AwaitingToken { .. } | State::Adopting | State::Storing | State::Over => {}
        }
    }

    /// V1 without the password: the second call is another poll, and whoever answers polls oddly for a while answers both.
    /// The token has just brought a code, so it is believed dead only when polls have been refused for half a minute.
    /// The gateway's own words are believed at once.
    fn is_hardly_proven(&mut self, error: &Error) -> bool {
        let proves = self.wish.dialect.lists_w_ids() || self.wish.can_list || error.status.is_none();
        !proves && self.polling().is_some_and(|polling| polling.broken < REFUSED_POLLS)
    }

    /// The token is dead. What asked a phone already, or may have, keeps its row for whoever has a better token.
    fn token_rejected(&mut self, error: Error, now: Now, out: &mut Outputs) {
        let waits = self.wish.waits_for_token || self.abandoned;
        let until = now.mono.saturating_add(PATIENCE);
        match std::mem::replace(&mut self.state, State::Over) {
            // Refused before it reached a phone, and nobody wants it any more.
            State::Second | State::Requesting if self.abandoned => return self.idle(out),
            State::Listing { until: rest, .. } if waits => {
                self.state = State::AwaitingToken { question: Question::List { until: rest }, until };
            }
            State::Probing { .. } if waits => {
                self.state = State::AwaitingToken { question: Question::List { until: None }, until };
            }
            State::Second if waits => self.state = State::AwaitingToken { question: Question::Second, until },
            State::Requesting if waits => self.state = State::AwaitingToken { question: Question::Code, until },
            // Nobody asked.
            State::Polling(polling) if !matches!(polling.phase, Phase::CheckingToken(_)) => {
                self.state = State::Polling(polling);
                return;
            }
            State::Polling(mut polling) if waits => {
                polling.phase = Phase::AwaitingToken(until);
                self.state = State::Polling(polling);
            }
            State::Polling(_) | State::Listing { until: Some(_), .. } => {
                return self.leave_open(error.gateway_message, error.detail, out);
            }
            State::Listing { until: None, .. } | State::Probing { .. } | State::Second | State::Requesting => {
                return self.fail(Reason::TokenRejected, error.gateway_message, error.detail, out);
            }
            other @ (State::New | State::AwaitingToken { .. } | State::Adopting | State::Storing | State::Over) => {
                self.state = other;
                return;
            }
        }
        self.tell(LoginStep::WaitingForToken, out);
        out.push(Output::NeedToken);
    }

    pub(super) fn new_token(&mut self, was_dead: bool, now: Now, out: &mut Outputs) {
        let waiting = match &self.state {
            State::AwaitingToken { .. } => true,
            State::Polling(polling) => matches!(polling.phase, Phase::AwaitingToken(_)),
            State::New
            | State::Listing { .. }
            | State::Probing { .. }
            | State::Second
            | State::Requesting
            | State::Adopting
            | State::Storing
            | State::Over => false,
        };
        if waiting {
            self.go_on(now, out);
        } else {
            // Of two that came since, one that replaced a dead one is enough.
            self.was_dead = was_dead || (self.renewed && self.was_dead);
            self.renewed = true;
        }
    }

    /// Sends again, with another token, what was refused with the old one.
    fn go_on(&mut self, now: Now, out: &mut Outputs) {
        match &self.state {
            State::Listing { until, .. } => {
                let until = *until;
                self.ask_list(until, out);
            }
            State::Probing { .. } => self.ask_list(None, out),
            State::Second | State::Requesting if self.abandoned => self.idle(out),
            State::Second => self.second_login(true, now, out),
            State::Requesting => self.request_code(true, now, out),
            State::AwaitingToken { question, .. } => match *question {
                Question::List { until } => self.ask_list(until, out),
                Question::Second => self.second_login(true, now, out),
                Question::Code => self.request_code(true, now, out),
            },
            State::Polling(_) => {
                if let Some(polling) = self.polling() {
                    // It was refused with its token.
                    polling.code_went(Is::Unsent);
                    if now.mono >= polling.deadline.mono {
                        return self.last_poll(out);
                    }
                }
                self.poll(now, out);
                self.tell(LoginStep::Waiting, out);
            }
            State::New | State::Adopting | State::Storing | State::Over => {}
        }
    }

    /// Nobody can get another token. What goes on unseen waits on: it is in nobody's way.
    pub(super) fn no_token(&mut self, out: &mut Outputs) {
        match &self.state {
            State::AwaitingToken { question, .. } if !self.abandoned => match question {
                Question::List { until: Some(_) } => self.leave_open(None, DEAD.into(), out),
                Question::List { until: None } | Question::Second | Question::Code => {
                    self.fail(Reason::TokenRejected, None, DEAD.into(), out);
                }
            },
            State::Polling(polling) if matches!(polling.phase, Phase::AwaitingToken(_)) && !self.abandoned => {
                self.leave_open(None, DEAD.into(), out);
            }
            State::AwaitingToken { .. }
            | State::Polling(_)
            | State::New
            | State::Listing { .. }
            | State::Probing { .. }
            | State::Second
            | State::Requesting
            | State::Adopting
            | State::Storing
            | State::Over => {}
        }
    }

    /// The time for another token is over.
    pub(super) fn give_up_token(&mut self, out: &mut Outputs) {
        match &self.state {
            // It may have worked meanwhile: V2's and V3's list will say, V1's cannot.
            State::Polling(_) if !self.wish.dialect.lists_w_ids() => {
                self.fail(Reason::LoginInterrupted, None, DEAD.into(), out);
            }
            State::Polling(_) if self.abandoned => self.idle(out),
            State::Polling(_) | State::AwaitingToken { .. } => {
                self.fail(Reason::TokenRejected, None, DEAD.into(), out);
            }
            State::New
            | State::Listing { .. }
            | State::Probing { .. }
            | State::Second
            | State::Requesting
            | State::Adopting
            | State::Storing
            | State::Over => {}
        }
    }

    /// A code that runs out while its login waits for a token: it is covered and the row is free, but once there is a
    /// token it is polled a last time.
    pub(super) fn expired_without_token(&mut self, out: &mut Outputs) {
        out.push(Output::Abandon);
        self.tell(LoginStep::Expired { renewing: false }, out);
        self.abandoned = true;
    }

    /// Over for whoever looks at it, while the row stays for the next process.
    fn leave_open(&mut self, gateway_message: Option<Box<str>>, detail: Box<str>, out: &mut Outputs) {
        self.state = State::Over;
        self.tell(LoginStep::Failed { reason: Reason::TokenRejected, gateway_message, detail }, out);
    }
}

/// What failed, where no call is at hand to tell.
const DEAD: &str = "the gateway refuses the token and there is no other one";
