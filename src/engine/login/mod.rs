//! One login, as a pure state machine (design.md §4).
//!
//! [`Machine::on`] takes what happened and says what is to be done; it owns no clock, channel or handle. Answers carry
//! the generation of their question, so that a late one cannot move a machine that has gone on — except a success that
//! carries a wId, which is never stale: it is always handed to the store.
//!
//! What it does is written by subject: `ladder` down to a second login, `code` with its polls, `rest` for what a
//! dead process left, `token` when the gateway refuses it. `table` makes the documents' table by running it.

use std::time::Duration;

use secrecy::SecretString;

use super::api::{LoginStep, Way};
use crate::gateway::{Error, Kind};
use crate::model::{Began, Cost, Now, Over, Reason, Record, Rung, WId};

mod code;
mod ladder;
mod rest;
pub mod table;
mod token;
mod types;

pub use self::types::{Generation, Input, Output, Picture, Remains, Swapped, Wish};

/// How often a question that rings nobody is asked once more when its answer broke, where nothing asks it again anyway.
const ONCE_MORE: u8 = 2;
/// How long the last poll after a deadline may take.
const LAST_POLL: Duration = Duration::from_secs(5);
/// From this long before a deadline, a failure that the gateway does not name counts as expiry.
const NEARLY_OVER: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
enum State {
    /// Not begun.
    New,
    /// Asking the fleet list. `seen`: what the first of two lists showed, and when it was asked. `until`: as long as a
    /// phone may still confirm what a list is to tell of, on the monotonic clock.
    Listing { seen: Option<(WId, Began)>, until: Option<Duration> },
    /// V1: the account is listed, and the instance of the wId that we hold is asked whether it lives. `list`: when the
    /// list was asked.
    Probing { list: Began },
    /// The phone shows a confirm dialog.
    Second,
    /// `iPadLogin` is on its way.
    Requesting,
    /// A code is out and polled.
    Polling(Polling),
    /// The token was refused, and the question with it: both wait for another token, this long.
    AwaitingToken { question: Question, until: Duration },
    /// What the list showed is with the store, which may find the evidence outdated.
    Adopting,
    /// A success is with the store.
    Storing,
    /// Over.
    Over,
}

/// A question that a refused token has taken with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// The fleet list; `until` as in [`State::Listing`].
    List { until: Option<Duration> },
    /// `secondLogin`.
    Second,
    /// `iPadLogin`.
    Code,
}

#[derive(Clone, Debug)]
struct Polling {
    w_id: WId,
    image_url: Option<SecretString>,
    /// When the code is over, on both clocks: the one countdown of poll and picture.
    deadline: Now,
    phase: Phase,
    /// The verification code that a person typed last, until the gateway has taken it.
    typed: Option<Typed>,
    /// Polls broken in a row.
    broken: u32,
    /// Questions after the deadline that came to nothing.
    broken_at_the_end: u8,
    picture: PictureState,
    /// When the picture is fetched again.
    refetch: Option<Duration>,
    scanned: bool,
    url: Option<String>,
    /// The number of the question this code began with.
    first: Generation,
}

/// A verification code.
#[derive(Clone, Debug)]
struct Typed {
    code: SecretString,
    is: Is,
    /// Whether it has gone out more than once.
    again: bool,
}

/// How far a verification code has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    /// The next poll takes it along.
    Unsent,
    /// With the poll that is out.
    Sent,
    /// With a poll that broke: the gateway may have taken it or not.
    Unsure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A poll is in flight.
    Asking,
    /// The next poll goes out then.
    Pausing(Duration),
    /// A person has to type a code first.
    AwaitingCode,
    /// The last, short poll after the deadline is in flight, or the list that has the last word on a resumed code.
    Last,
    /// The token is being tried with another call.
    CheckingToken(Doubted),
    /// The token is dead; another one is waited for, this long.
    AwaitingToken(Duration),
}

/// Which call raised the suspicion that the token is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubted {
    Poll,
    LastPoll,
    LastList,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PictureState {
    /// So many tries failed.
    Missing(usize),
    /// Shown.
    Shown,
    /// Given up.
    Failed,
    /// Not wanted: nobody looks.
    Unwanted,
}

/// One login.
#[derive(Clone, Debug)]
pub struct Machine {
    wish: Wish,
    state: State,
    generation: Generation,
    abandoned: bool,
    resumed: Option<Remains>,
    /// Whether a person is there; kept up to date by the driver, asked when a code expires.
    somebody: bool,
    /// How often the list or the instance has been asked once more on the ladder's first rung.
    asked_again: u8,
    /// What took the answer to this machine's second login away: its phone may confirm all the same.
    lost: Option<Error>,
    /// Until when the dialog of the second login may be confirmed, on the monotonic clock.
    dialog_until: Option<Duration>,
    /// When the second login was sent.
    second_sent: Duration,
    /// Whether its refusal took as long as a person takes.
    rang: bool,
    /// Whether another token has come since the last question: a refusal of that question was of the old one.
    renewed: bool,
    /// Whether the old one is known to be refused, so that what was sent with it has not reached a phone.
    was_dead: bool,
}

/// The outputs of one step.
type Outputs = Vec<Output>;

impl Machine {
    /// A machine for a wish; feed it [`Input::Start`] once its row is committed.
    pub const fn new(wish: Wish) -> Self {
        let state = State::New;
        Self {
            wish,
            state,
            generation: 0,
            abandoned: false,
            resumed: None,
            somebody: true,
            asked_again: 0,
            lost: None,
            dialog_until: None,
            second_sent: Duration::ZERO,
            rang: false,
            renewed: false,
            was_dead: false,
        }
    }

    /// A machine that goes on with an attempt whose process died. `visible`: somebody may be shown its code.
    pub fn resumed(wish: Wish, remains: Remains, visible: bool) -> Self {
        let abandoned = remains.abandoned || !visible;
        Self { abandoned, resumed: Some(remains), ..Self::new(wish) }
    }

    /// The rung its row begins with.
    pub const fn first_rung(&self) -> Rung {
        match (&self.wish.wc_id, self.wish.way) {
            (Some(_), Way::Ladder | Way::Ring) if self.can_adopt() => Rung::Adopt,
            (Some(_), Way::Ladder) if self.wish.first_night => Rung::QrLogin,
            (Some(_), Way::Ladder | Way::Second | Way::Ring) => Rung::SecondLogin,
            (_, Way::Qr | Way::Ladder | Way::Second | Way::Ring | Way::OneCode) => Rung::QrLogin,
        }
    }

    /// Whether there is anything to ask for adopting: V2's and V3's list, or V1's together with a wId that we hold.
    const fn can_adopt(&self) -> bool {
        self.wish.can_list && (self.wish.dialect.lists_w_ids() || self.wish.known_w_id.is_some())
    }

    /// Whether it is over: nothing will come out of it any more.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Whether nobody waits for it any more.
    pub const fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Says whether a person is there, for the next renewal.
    pub const fn set_somebody(&mut self, somebody: bool) {
        self.somebody = somebody;
    }

    /// When to feed it [`Input::Tick`], on the monotonic clock.
    pub fn next_wake(&self) -> Option<Duration> {
        let polling = match &self.state {
            State::Polling(polling) => polling,
            State::AwaitingToken { until, .. } => return Some(*until),
            State::New
            | State::Listing { .. }
            | State::Probing { .. }
            | State::Second
            | State::Requesting
            | State::Adopting
            | State::Storing
            | State::Over => return None,
        };
        let pause = match polling.phase {
            Phase::Pausing(at) => Some(at),
            Phase::AwaitingCode => Some(polling.deadline.mono),
            Phase::AwaitingToken(until) if self.abandoned => Some(until),
            Phase::AwaitingToken(until) => Some(until.min(polling.deadline.mono)),
            Phase::Asking | Phase::Last | Phase::CheckingToken(_) => None,
        };
        [pause, polling.refetch].into_iter().flatten().min()
    }

    /// Whether it goes by what others have noted on the wall clock: deadlines, what was spent.
    #[cfg(test)]
    pub(super) fn has_a_past(&self) -> bool {
        self.resumed.is_some() || self.wish.budget != crate::model::Budget::default()
    }

    /// Takes what happened, says what is to be done.
    pub fn on(&mut self, input: Input, now: Now) -> Outputs {
        let mut out = Outputs::new();
        match input {
            Input::Start => self.start(now, &mut out),
            Input::Listed { generation, began, result } => {
                if self.is_current(generation) {
                    self.listed(began, result, now, &mut out);
                }
            }
            Input::Probed { generation, result } => {
                if self.is_current(generation) {
                    self.probed(result, now, &mut out);
                }
            }
            Input::SecondAnswered { generation, result } => self.second_answered(generation, result, now, &mut out),
            Input::Issued { generation, result } => {
                if self.is_current(generation) {
                    self.issued(result, now, &mut out);
                }
            }
            Input::Pictured { generation, result } => self.pictured(generation, result, now, &mut out),
            Input::Polled { generation, result } => self.polled(generation, result, now, &mut out),
            Input::TokenChecked { generation, rejected, error } => {
                if self.is_current(generation) {
                    self.token_checked(rejected, error, now, &mut out);
                }
            }
            Input::NewToken { was_dead } => self.new_token(was_dead, now, &mut out),
            Input::NoToken => self.no_token(&mut out),
            Input::Tick => self.tick(now, &mut out),
            Input::VerifyCode(code) => self.verify_code(code, now, &mut out),
            Input::Cancel => self.leave(LoginStep::Cancelled, Reason::Cancelled, "cancelled", &mut out),
            Input::Supersede => self.leave(LoginStep::Superseded, Reason::Superseded, "superseded", &mut out),
            Input::TakenOver { by } => self.taken_over(by, &mut out),
            Input::Stored { record, adopted, swapped } => self.stored(record, adopted, swapped, &mut out),
            Input::NotAdopted => self.not_adopted(now, &mut out),
            Input::RowFailed { detail } => match self.state {
                State::Over | State::Storing => {}
                State::New
                | State::Listing { .. }
                | State::Probing { .. }
                | State::Second
                | State::Requesting
                | State::Polling(_)
                | State::AwaitingToken { .. }
                | State::Adopting => self.fail(Reason::Interrupted, None, detail, &mut out),
            },
        }
        out
    }

    const fn is_current(&self, generation: Generation) -> bool {
        self.generation == generation
    }

    const fn ask(&mut self) -> Generation {
        self.renewed = false;
        self.generation = self.generation.wrapping_add(1);
        self.generation
    }

    fn tell(&self, step: LoginStep, out: &mut Outputs) {
        if !self.abandoned {
            out.push(Output::Tell(step));
        }
    }

    /// The code that is out, if one is.
    const fn polling(&mut self) -> Option<&mut Polling> {
        match &mut self.state {
            State::Polling(polling) => Some(polling),
            State::New
            | State::Listing { .. }
            | State::Probing { .. }
            | State::Second
            | State::Requesting
            | State::AwaitingToken { .. }
            | State::Adopting
            | State::Storing
            | State::Over => None,
        }
    }

    // ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────

    fn tick(&mut self, now: Now, out: &mut Outputs) {
        match &self.state {
            State::Polling(_) => self.tick_polling(now, out),
            State::AwaitingToken { until, .. } if now.mono >= *until => self.give_up_token(out),
            State::AwaitingToken { .. }
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

    // ── Budget ───────────────────────────────────────────────────────────────────────────────────────────────────

    /// Charges the wish's own account of the budget, or says why it may not be. A new account has none.
    fn charge(&mut self, cost: Cost, now: Now) -> Result<(), Over> {
        let Wish { wc_id, budget, limits, forced, .. } = &mut self.wish;
        if wc_id.is_none() {
            return Ok(());
        }
        match budget.over(cost, *limits, now.wall) {
            Some(over) if !*forced => Err(over),
            Some(_) | None => {
                budget.spend(cost, now.wall);
                Ok(())
            }
        }
    }

    /// A request that never left costs nothing.
    fn take_back(&mut self, cost: Cost, error: &Error, out: &mut Outputs) {
        if error.kind == Kind::Unreachable && !error.sent && self.wish.wc_id.is_some() {
            self.wish.budget.take_back(cost);
            out.push(Output::TakeBack(cost));
        }
    }

    /// Nobody said that the phone may be asked beyond the budget: nothing is sent.
    fn over_budget(&mut self, over: Over, out: &mut Outputs) {
        if self.abandoned {
            return self.idle(out);
        }
        // Nothing was sent, so the account is as it was, and so is what is known of it.
        self.state = State::Over;
        out.push(Output::Forget);
        // A yes is for what was asked: whoever wants one more code wants no dialog along with it.
        let way = match (over, self.wish.way) {
            (Over::Spent { cost: Cost::Code, .. }, Way::Ladder) => Way::Qr,
            (Over::Spent { .. } | Over::Resting { .. }, way) => way,
        };
        self.tell(LoginStep::OverBudget { over, way }, out);
    }

    /// A code is due, and nobody could see it: none is asked for.
    fn nowhere_to_show(&mut self, out: &mut Outputs) {
        if self.abandoned {
            return self.idle(out);
        }
        self.state = State::Over;
        out.push(Output::Forget);
        let (reason, detail) = (Reason::NowhereToShow, "there is nowhere to show a code".into());
        self.tell(LoginStep::Failed { reason, gateway_message: None, detail }, out);
    }

    // ── Ends ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// A wId has come. Never stale: whatever the machine was about, it goes to the store.
    fn success(&mut self, record: Record, out: &mut Outputs) {
        self.state = State::Storing;
        self.ask();
        out.push(Output::StoreLogin(record));
    }

    fn stored(&mut self, record: Record, adopted: bool, swapped: Swapped, out: &mut Outputs) {
        self.state = State::Over;
        let Record { wc_id, w_id, nick_name, w_account, .. } = record;
        let expected = self.wish.wc_id.clone().filter(|wished| *wished != wc_id);
        let previous_w_id = swapped.previous_w_id;
        let step = match expected {
            Some(expected_wc_id) => LoginStep::WrongAccount { expected_wc_id, wc_id, w_id, nick_name },
            None if !swapped.current => LoginStep::Superseded,
            None if adopted => LoginStep::Adopted { w_id, previous_w_id },
            None => LoginStep::LoggedIn { w_id, previous_w_id, nick_name, w_account },
        };
        // A success is told even if nobody waited for it any more.
        out.push(Output::Tell(step));
    }

    /// Hides the login: free at once for the screen, silently gone on with where a phone may still answer.
    fn leave(&mut self, step: LoginStep, reason: Reason, event: &'static str, out: &mut Outputs) {
        if self.abandoned {
            return;
        }
        match &mut self.state {
            // A dead process asked the phone, and only the list will tell what came of it.
            State::Listing { until: Some(_), .. }
            | State::AwaitingToken { question: Question::List { until: Some(_) }, .. }
            | State::Second
            | State::Requesting => {
                out.push(Output::Abandon);
                out.push(Output::Tell(step));
                self.abandoned = true;
            }
            // No phone was asked, or the request that asks it was refused with its token.
            State::New | State::Listing { .. } | State::Probing { .. } | State::AwaitingToken { .. } => {
                self.end(event, Some(reason), None, out);
                out.push(Output::Tell(step));
            }
            State::Polling(polling) => {
                polling.refetch = None;
                polling.picture = PictureState::Unwanted;
                let waits_for_person = polling.phase == Phase::AwaitingCode;
                if waits_for_person {
                    self.end(event, Some(reason), None, out);
                } else {
                    out.push(Output::Abandon);
                }
                out.push(Output::Tell(step));
                self.abandoned = true;
            }
            // The wId is on its way into the store: that is what will be told.
            State::Adopting | State::Storing | State::Over => {}
        }
    }

    /// Another process goes on with it: here it is over, but for the answer to a request that is under way, which may
    /// carry a wId. Nothing more is asked, and the row is the other's.
    fn taken_over(&mut self, by: Box<str>, out: &mut Outputs) {
        match &self.state {
            // The wId is on its way into the store: that is what will be told.
            State::Storing | State::Over => return,
            State::Second | State::Requesting => {}
            State::Polling(polling) if matches!(polling.phase, Phase::Asking | Phase::Last) => {}
            State::Polling(_)
            | State::New
            | State::Listing { .. }
            | State::Probing { .. }
            | State::AwaitingToken { .. }
            // The store has not taken it: an answer of the store comes before any other word.
            | State::Adopting => self.state = State::Over,
        }
        self.tell(LoginStep::TakenOver { by }, out);
        self.abandoned = true;
    }

    /// An abandoned attempt ends without a word.
    fn idle(&mut self, out: &mut Outputs) {
        if !self.abandoned {
            return self.expired(out);
        }
        self.end("abandoned", None, None, out);
    }

    /// The row is over.
    fn end(
        &mut self,
        event: &'static str,
        reason: Option<Reason>,
        gateway_message: Option<Box<str>>,
        out: &mut Outputs,
    ) {
        self.state = State::Over;
        let doubts = reason == Some(Reason::LoginInterrupted) && self.wish.wc_id.is_some();
        out.push(if self.is_old_code() && !doubts {
            // The login goes on with the new one: that nothing came of the old one is nothing to remember.
            Output::Forget
        } else {
            Output::End { event, reason, gateway_message }
        });
    }

    fn expired(&mut self, out: &mut Outputs) {
        self.end("expired", Some(Reason::NobodyScanned), None, out);
        self.tell(LoginStep::Expired { renewing: false }, out);
    }

    fn fail_with(&mut self, error: &Error, out: &mut Outputs) {
        self.fail(error.reason(), error.gateway_message.clone(), error.detail.clone(), out);
    }

    fn fail(&mut self, reason: Reason, gateway_message: Option<Box<str>>, detail: Box<str>, out: &mut Outputs) {
        self.end("failed", Some(reason), gateway_message.clone(), out);
        self.tell(LoginStep::Failed { reason, gateway_message, detail }, out);
    }
}
