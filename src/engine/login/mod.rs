//! One login, as a pure state machine (design.md §4).
//!
//! [`Machine::on`] takes what happened and says what is to be done; it owns no clock, channel or handle. Answers carry
//! the generation of their question, so that a late one cannot move a machine that has gone on — except a success that
//! carries a wId, which is never stale: it is always handed to the store.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::api::{LoginStep, Way};
use crate::gateway::{Error, Kind, PollReply, QrIssued};
use crate::model::{Dialect, Now, Reason, Record, Rung, Stamp, WId, WcId};
use crate::qr::Code;

/// How long the last poll after a deadline may take.
const LAST_POLL: Duration = Duration::from_secs(5);
/// From this long before a deadline, a failure that the gateway does not name counts as expiry.
const NEARLY_OVER: Duration = Duration::from_secs(10);
/// The shortest time between two polls of one wId (design.md §3 rule 6).
const POLL_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after broken polls.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long to wait before each further try to fetch the picture.
const PICTURE_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Between the two lists that must agree.
const LIST_PAUSE: Duration = Duration::from_secs(1);
/// Between lists while an interrupted second login may still be confirmed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Which question an answer belongs to.
pub type Generation = u32;

/// What a machine is made with.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The account; `None` for a new one.
    pub wc_id: Option<WcId>,
    /// How.
    pub way: Way,
    /// The gateway's dialect.
    pub dialect: Dialect,
    /// How many codes may follow the first one.
    pub renewals: u8,
    /// Whether the account is off line as every account is once ([`crate::model::Account::is_first_drop`]): a second
    /// login would fail, so the ladder goes straight to a code (protocol.md §4, rule 4).
    pub first_night: bool,
}

/// What the store still knows of an attempt whose process died.
#[derive(Clone, Debug)]
pub struct Remains {
    /// The rung it was on.
    pub rung: Rung,
    /// The wId it had.
    pub w_id: Option<WId>,
    /// Where its picture is.
    pub image_url: Option<SecretString>,
    /// When it is over.
    pub deadline: Option<Stamp>,
    /// When its request was started.
    pub requested_at: Stamp,
    /// Whether nobody waits for it any more.
    pub abandoned: bool,
    /// The wId that the store holds for the account: a list that shows another one means the login has worked.
    pub known_w_id: Option<WId>,
    /// Whether its process died, which may have been told of a success; an old code of a living one was not.
    pub orphan: bool,
}

/// A code that was read and can be shown.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its modules.
    pub code: Arc<Code>,
    /// Its payload.
    pub payload: SecretString,
}

/// What the store answered to [`Output::StoreLogin`] or [`Output::Adopt`].
#[derive(Clone, Debug)]
pub struct Swapped {
    /// Whether the wId became the current one.
    pub current: bool,
    /// The wId before.
    pub previous_w_id: Option<WId>,
}

/// What can happen to a login.
#[derive(Clone, Debug)]
pub enum Input {
    /// The row is committed: begin.
    Start,
    /// The fleet list was asked; `Ok(None)`: the account is not in it.
    Listed {
        /// Of which question.
        generation: Generation,
        /// When the request was started.
        at: Stamp,
        /// The wId the list has for the account, or for an unknown account the entry with this attempt's wId.
        result: Result<Option<(WcId, WId)>, Error>,
    },
    /// `secondLogin` answered.
    SecondAnswered {
        /// Of which question.
        generation: Generation,
        /// The account's record, or what failed.
        result: Result<Record, Error>,
    },
    /// `iPadLogin` answered.
    Issued {
        /// Of which question.
        generation: Generation,
        /// The new instance, or what failed.
        result: Result<QrIssued, Error>,
    },
    /// The picture was fetched and read, or not.
    Pictured {
        /// Of which question.
        generation: Generation,
        /// The code, or what is wrong, in English, without secrets.
        result: Result<Picture, Box<str>>,
    },
    /// `getIPadLoginInfo` answered.
    Polled {
        /// Of which question.
        generation: Generation,
        /// The answer, or what failed.
        result: Result<PollReply, Error>,
    },
    /// A suspect token was tried with a second, harmless call.
    TokenChecked {
        /// Of which question.
        generation: Generation,
        /// Whether the gateway refuses it there too.
        rejected: bool,
        /// The failure that raised the suspicion.
        error: Error,
    },
    /// [`Machine::next_wake`] has come.
    Tick,
    /// A person typed the verification code.
    VerifyCode(SecretString),
    /// The operator cancels.
    Cancel,
    /// Another attempt on the same account succeeded.
    Supersede,
    /// The store took a success.
    Stored {
        /// Whose and which.
        record: Record,
        /// Whether a list showed it rather than a login reply.
        adopted: bool,
        /// What became of it.
        swapped: Swapped,
    },
    /// The list's evidence was outdated when the store looked at it.
    NotAdopted,
    /// The store refused a row: the request that needed it did not leave.
    RowFailed {
        /// Why, in English.
        detail: Box<str>,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask the fleet list, after a pause.
    AskList {
        /// Of the question.
        generation: Generation,
        /// How long to wait before.
        pause: Duration,
    },
    /// Commit the row, then send `secondLogin`, once.
    SecondLogin {
        /// Of the question.
        generation: Generation,
        /// When the dialog is taken for ignored.
        deadline: Stamp,
        /// How long to wait for the answer.
        limit: Duration,
    },
    /// Commit the row, then send `iPadLogin`, once.
    IPadLogin {
        /// Of the question.
        generation: Generation,
    },
    /// Commit what `iPadLogin` gave; the outputs behind it need the row.
    Issued {
        /// The new instance.
        w_id: WId,
        /// Where its picture is.
        image_url: SecretString,
        /// When it is over.
        deadline: Stamp,
    },
    /// Fetch and read the picture.
    Fetch {
        /// Of the question.
        generation: Generation,
        /// Where.
        image_url: SecretString,
    },
    /// Poll.
    Poll {
        /// Of the question.
        generation: Generation,
        /// Which instance.
        w_id: WId,
        /// With a verification code.
        verify_code: Option<SecretString>,
        /// How long to wait for the answer.
        limit: Duration,
    },
    /// Try the token with a second call.
    CheckToken {
        /// Of the question.
        generation: Generation,
        /// The failure that raised the suspicion.
        error: Error,
    },
    /// Store a success, in one transaction; answered by [`Input::Stored`].
    StoreLogin(Record),
    /// Store what two lists showed; answered by [`Input::Stored`] or [`Input::NotAdopted`].
    Adopt {
        /// The account.
        wc_id: WcId,
        /// Its wId.
        w_id: WId,
        /// When the first of the two lists was asked.
        at: Stamp,
    },
    /// Mark the row: nobody waits for it any more.
    Abandon,
    /// End the row without a success.
    End {
        /// The event's name for the log (design.md §5).
        event: &'static str,
        /// Why.
        reason: Option<Reason>,
        /// The gateway's words.
        gateway_message: Option<Box<str>>,
    },
    /// Tell the front end.
    Tell(LoginStep),
}

#[derive(Clone, Debug)]
enum State {
    /// Not begun.
    New,
    /// Asking the fleet list. `seen`: what the first of two lists showed, and when it was asked.
    Listing { seen: Option<(WId, Stamp)>, until: Option<Stamp> },
    /// The phone shows a confirm dialog.
    Second,
    /// `iPadLogin` is on its way.
    Requesting,
    /// A code is out and polled.
    Polling(Polling),
    /// What two lists showed is with the store, which may find the evidence outdated.
    Adopting,
    /// A success is with the store.
    Storing,
    /// Over.
    Over,
}

#[derive(Clone, Debug)]
struct Polling {
    w_id: WId,
    image_url: Option<SecretString>,
    /// When the code is over, on both clocks.
    deadline: Now,
    phase: Phase,
    verify_code: Option<SecretString>,
    /// Polls broken in a row.
    broken: u32,
    picture: PictureState,
    /// When the picture is fetched again.
    refetch: Option<Duration>,
    scanned: bool,
    url: Option<String>,
    /// The number of the question this code began with.
    first: Generation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A poll is in flight.
    Asking,
    /// The next poll goes out then.
    Pausing(Duration),
    /// A person has to type a code first.
    AwaitingCode,
    /// The last, short poll after the deadline is in flight.
    Last,
    /// The token is being tried with another call.
    CheckingToken,
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
}

/// The outputs of one step.
type Outputs = Vec<Output>;

impl Machine {
    /// A machine for a wish; feed it [`Input::Start`] once its row is committed.
    pub const fn new(wish: Wish) -> Self {
        Self { wish, state: State::New, generation: 0, abandoned: false, resumed: None, somebody: true }
    }

    /// A machine that goes on with an attempt whose process died. `visible`: somebody may be shown its code.
    pub const fn resumed(wish: Wish, remains: Remains, visible: bool) -> Self {
        let abandoned = remains.abandoned || !visible;
        Self { wish, state: State::New, generation: 0, abandoned, resumed: Some(remains), somebody: true }
    }

    /// The rung its row begins with.
    pub const fn first_rung(&self) -> Rung {
        match (&self.wish.wc_id, self.wish.way) {
            (Some(_), Way::Ladder) if self.wish.dialect.lists_w_ids() => Rung::Adopt,
            (Some(_), Way::Ladder) if self.wish.first_night => Rung::QrLogin,
            (Some(_), Way::Ladder | Way::Second) => Rung::SecondLogin,
            (_, Way::Qr | Way::Ladder | Way::Second) => Rung::QrLogin,
        }
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
        let State::Polling(polling) = &self.state else { return None };
        let pause = match polling.phase {
            Phase::Pausing(at) => Some(at),
            Phase::AwaitingCode => Some(polling.deadline.mono),
            Phase::Asking | Phase::Last | Phase::CheckingToken => None,
        };
        [pause, polling.refetch].into_iter().flatten().min()
    }

    /// Takes what happened, says what is to be done.
    pub fn on(&mut self, input: Input, now: Now) -> Outputs {
        let mut out = Outputs::new();
        match input {
            Input::Start => self.start(now, &mut out),
            Input::Listed { generation, at, result } => {
                if self.is_current(generation) {
                    self.listed(at, result, now, &mut out);
                }
            }
            Input::SecondAnswered { generation, result } => self.second_answered(generation, result, &mut out),
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
            Input::Tick => self.tick(now, &mut out),
            Input::VerifyCode(code) => self.verify_code(code, now, &mut out),
            Input::Cancel => self.leave(LoginStep::Cancelled, Reason::Cancelled, "cancelled", &mut out),
            Input::Supersede => self.leave(LoginStep::Superseded, Reason::Superseded, "superseded", &mut out),
            Input::Stored { record, adopted, swapped } => self.stored(record, adopted, swapped, &mut out),
            Input::NotAdopted => self.not_adopted(now, &mut out),
            Input::RowFailed { detail } => match self.state {
                State::Over | State::Adopting | State::Storing => {}
                State::New | State::Listing { .. } | State::Second | State::Requesting | State::Polling(_) => {
                    self.fail(Reason::Interrupted, None, detail, &mut out);
                }
            },
        }
        out
    }

    const fn is_current(&self, generation: Generation) -> bool {
        self.generation == generation
    }

    const fn ask(&mut self) -> Generation {
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
            | State::Second
            | State::Requesting
            | State::Adopting
            | State::Storing
            | State::Over => None,
        }
    }

    // ── Beginning ────────────────────────────────────────────────────────────────────────────────────────────────

    fn start(&mut self, now: Now, out: &mut Outputs) {
        match self.state {
            State::New => {}
            State::Listing { .. }
            | State::Second
            | State::Requesting
            | State::Polling(_)
            | State::Adopting
            | State::Storing
            | State::Over => return,
        }
        if let Some(remains) = self.resumed.clone() {
            return self.resume(remains, now, out);
        }
        self.tell(LoginStep::Started { way: self.wish.way }, out);
        match self.first_rung() {
            Rung::Adopt => {
                self.tell(LoginStep::Requesting { rung: Rung::Adopt }, out);
                self.state = State::Listing { seen: None, until: None };
                let generation = self.ask();
                out.push(Output::AskList { generation, pause: Duration::ZERO });
            }
            Rung::SecondLogin => self.second_login(now, out),
            Rung::QrLogin => self.request_code(out),
        }
    }

    /// Goes on with what a dead process left.
    fn resume(&mut self, remains: Remains, now: Now, out: &mut Outputs) {
        self.tell(LoginStep::Resumed { rung: remains.rung, expires_at: remains.deadline }, out);
        let Some(w_id) = remains.w_id else {
            // Without a wId only the list can tell; V1's has none (design.md §4).
            if self.wish.dialect.lists_w_ids() && self.wish.wc_id.is_some() {
                let until = remains.deadline.unwrap_or_else(|| {
                    remains.requested_at.plus_ms(if remains.rung == Rung::SecondLogin {
                        self.wish.dialect.login_limit_ms()
                    } else {
                        0
                    })
                });
                self.state = State::Listing { seen: None, until: Some(until) };
                let generation = self.ask();
                out.push(Output::AskList { generation, pause: Duration::ZERO });
            } else {
                let reason = if self.wish.dialect.lists_w_ids() || self.wish.wc_id.is_none() {
                    Reason::Interrupted
                } else {
                    Reason::LoginInterrupted
                };
                self.fail(reason, None, "the program that ran this login is gone".into(), out);
            }
            return;
        };
        let left_ms = remains.deadline.map_or(0, |deadline| deadline.ms_since(now.wall)).clamp(0, 600_000);
        let left = Duration::from_millis(left_ms.unsigned_abs());
        let deadline = Now { wall: now.wall.plus_ms(left_ms), mono: now.mono + left };
        let wanted = !self.abandoned && left > NEARLY_OVER;
        let generation = self.ask();
        let mut polling = Polling::new(w_id.clone(), remains.image_url.clone(), deadline, generation);
        if !wanted {
            polling.picture = PictureState::Unwanted;
        }
        if let (true, Some(image_url)) = (wanted, remains.image_url) {
            out.push(Output::Fetch { generation, image_url });
        }
        let limit = if left.is_zero() {
            polling.phase = Phase::Last;
            LAST_POLL
        } else {
            left
        };
        out.push(Output::Poll { generation, w_id, verify_code: None, limit });
        self.state = State::Polling(polling);
        if !left.is_zero() {
            self.tell(LoginStep::Waiting, out);
        }
    }

    // ── Adopt ────────────────────────────────────────────────────────────────────────────────────────────────────

    fn listed(&mut self, at: Stamp, result: Result<Option<(WcId, WId)>, Error>, now: Now, out: &mut Outputs) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Listing { seen, until: None } => self.listed_for_ladder(seen, at, result, now, out),
            State::Listing { seen, until: Some(until) } => self.listed_for_rest(seen, until, at, result, now, out),
            State::Polling(polling) => self.listed_at_the_end(polling, result, out),
            other @ (State::New
            | State::Second
            | State::Requesting
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
        seen: Option<(WId, Stamp)>,
        at: Stamp,
        result: Result<Option<(WcId, WId)>, Error>,
        now: Now,
        out: &mut Outputs,
    ) {
        match (result, seen) {
            (Ok(Some((wc_id, w_id))), Some((first, since))) if first == w_id => {
                self.state = State::Adopting;
                out.push(Output::Adopt { wc_id, w_id, at: since });
            }
            (Ok(Some((_, w_id))), _) => {
                self.state = State::Listing { seen: Some((w_id, at)), until: None };
                let generation = self.ask();
                out.push(Output::AskList { generation, pause: LIST_PAUSE });
            }
            (Err(error), _) if error.kind == Kind::TokenSuspect => {
                self.state = State::Listing { seen: None, until: None };
                self.check_token(error, out);
            }
            // Nobody there: no phone needs to ring to find that out again.
            (Err(error), _) if matches!(error.kind, Kind::Unreachable | Kind::TimedOut) => self.fail_with(&error, out),
            (Ok(None) | Err(_), _) => self.step_down(now, out),
        }
    }

    /// An interrupted login without a wId: the list decides, until its dialog is over.
    fn listed_for_rest(
        &mut self,
        seen: Option<(WId, Stamp)>,
        until: Stamp,
        at: Stamp,
        result: Result<Option<(WcId, WId)>, Error>,
        now: Now,
        out: &mut Outputs,
    ) {
        let known = self.resumed.as_ref().and_then(|remains| remains.known_w_id.clone());
        let news = match result {
            Ok(entry) => entry.filter(|(_, w_id)| Some(w_id) != known.as_ref()),
            // Nothing seen is not the same as seen nothing.
            Err(_) => None,
        };
        let pause = match (news, seen) {
            (Some((wc_id, w_id)), Some((first, since))) if first == w_id => {
                self.state = State::Adopting;
                out.push(Output::Adopt { wc_id, w_id, at: since });
                return;
            }
            (Some((_, w_id)), _) => {
                self.state = State::Listing { seen: Some((w_id, at)), until: Some(until) };
                LIST_PAUSE
            }
            (None, _) if now.wall < until => {
                self.state = State::Listing { seen: None, until: Some(until) };
                LOOK_AGAIN
            }
            (None, _) => {
                self.fail(Reason::Interrupted, None, "the program that ran this login is gone".into(), out);
                return;
            }
        };
        let generation = self.ask();
        out.push(Output::AskList { generation, pause });
    }

    /// A resumed code has no success to tell any more: perhaps it was told to the process that died.
    fn listed_at_the_end(&mut self, polling: Polling, result: Result<Option<(WcId, WId)>, Error>, out: &mut Outputs) {
        match result {
            Ok(Some((wc_id, w_id))) if w_id == polling.w_id => {
                self.state = State::Storing;
                out.push(Output::StoreLogin(Record {
                    wc_id,
                    w_id,
                    nick_name: "".into(),
                    w_account: "".into(),
                    sex: None,
                    avatar_url: "".into(),
                }));
            }
            Ok(_) | Err(_) => self.idle(out),
        }
    }

    fn not_adopted(&mut self, now: Now, out: &mut Outputs) {
        match self.state {
            State::Adopting if self.resumed.is_some() => {
                self.fail(Reason::Interrupted, None, "the list was older than the last login".into(), out);
            }
            State::Adopting if self.abandoned => self.idle(out),
            State::Adopting => self.step_down(now, out),
            State::New
            | State::Listing { .. }
            | State::Second
            | State::Requesting
            | State::Polling(_)
            | State::Storing
            | State::Over => {}
        }
    }

    // ── Second login ─────────────────────────────────────────────────────────────────────────────────────────────

    /// From the ladder's first rung to the next one that can work.
    fn step_down(&mut self, now: Now, out: &mut Outputs) {
        if self.wish.first_night {
            self.request_code(out);
        } else {
            self.second_login(now, out);
        }
    }

    fn second_login(&mut self, now: Now, out: &mut Outputs) {
        self.state = State::Second;
        let generation = self.ask();
        let limit_ms = self.wish.dialect.login_limit_ms();
        let deadline = now.wall.plus_ms(limit_ms);
        let limit = Duration::from_millis(limit_ms.unsigned_abs());
        self.tell(LoginStep::Requesting { rung: Rung::SecondLogin }, out);
        out.push(Output::SecondLogin { generation, deadline, limit });
        self.tell(LoginStep::SecondLoginSent { expires_at: deadline }, out);
    }

    fn second_answered(&mut self, generation: Generation, result: Result<Record, Error>, out: &mut Outputs) {
        let error = match result {
            Ok(record) => return self.success(record, out),
            Err(error) => error,
        };
        match self.state {
            State::Second if self.is_current(generation) => {}
            State::New
            | State::Listing { .. }
            | State::Second
            | State::Requesting
            | State::Polling(_)
            | State::Adopting
            | State::Storing
            | State::Over => return,
        }
        if error.kind == Kind::TokenSuspect {
            return self.check_token(error, out);
        }
        self.second_failed(&error, out);
    }

    fn second_failed(&mut self, error: &Error, out: &mut Outputs) {
        if self.abandoned {
            return self.idle(out);
        }
        let ignored = error.kind == Kind::TimedOut;
        let reason = if ignored { Reason::NobodyScanned } else { error.reason() };
        self.tell(LoginStep::SecondLoginFailed { reason, gateway_message: error.gateway_message.clone() }, out);
        match self.wish.way {
            Way::Ladder => self.request_code(out),
            Way::Second | Way::Qr if ignored => self.expired(out),
            Way::Second | Way::Qr => self.fail_with(error, out),
        }
    }

    // ── QR login ─────────────────────────────────────────────────────────────────────────────────────────────────

    fn request_code(&mut self, out: &mut Outputs) {
        self.state = State::Requesting;
        let generation = self.ask();
        self.tell(LoginStep::Requesting { rung: Rung::QrLogin }, out);
        out.push(Output::IPadLogin { generation });
    }

    fn issued(&mut self, result: Result<QrIssued, Error>, now: Now, out: &mut Outputs) {
        match self.state {
            State::Requesting => {}
            State::New
            | State::Listing { .. }
            | State::Second
            | State::Polling(_)
            | State::Adopting
            | State::Storing
            | State::Over => {
                return;
            }
        }
        let QrIssued { w_id, image_url } = match result {
            // Nobody has seen this code and nobody will: it cannot be scanned.
            _ if self.abandoned => return self.idle(out),
            Ok(issued) => issued,
            Err(error) if error.kind == Kind::TokenSuspect => return self.check_token(error, out),
            Err(error) => return self.fail_with(&error, out),
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

    fn pictured(&mut self, generation: Generation, result: Result<Picture, Box<str>>, now: Now, out: &mut Outputs) {
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

    fn polled(&mut self, generation: Generation, result: Result<PollReply, Error>, now: Now, out: &mut Outputs) {
        let result = match result {
            Ok(PollReply::LoggedIn(record)) => return self.success(record, out),
            other => other,
        };
        if !self.is_current(generation) {
            return;
        }
        let polls_alone = self.is_told_by_polls_alone();
        let Some(polling) = self.polling() else { return };
        let last = polling.phase == Phase::Last;
        // A token under suspicion is a broken poll too, once the other call has cleared it.
        if result.is_ok() {
            polling.broken = 0;
        }
        match result {
            Ok(PollReply::Expired { .. }) => self.code_over(out),
            Err(error) if polls_alone && is_last_word(&error, last) => {
                self.fail(Reason::LoginInterrupted, error.gateway_message, error.detail, out);
            }
            // The code is over whatever else is said, except that it worked.
            Ok(_) if last => self.code_over(out),
            Err(error) if last => {
                if may_pass(&error) && error.kind != Kind::TimedOut && !self.abandoned {
                    self.fail_with(&error, out);
                } else {
                    self.code_over(out);
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
            Ok(PollReply::VerifyCode { gateway_message, .. }) => {
                polling.verify_code = None;
                polling.phase = Phase::AwaitingCode;
                // Somebody may still come back with the code for a login whose process has ended (exit 8).
                if self.abandoned && !self.resumed.as_ref().is_some_and(|remains| remains.orphan) {
                    self.idle(out);
                } else {
                    self.tell(LoginStep::VerifyCodeRequired { gateway_message }, out);
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
            Err(error) if error.kind == Kind::TokenSuspect => {
                polling.phase = Phase::CheckingToken;
                self.check_token(error, out);
            }
            Err(error) if may_pass(&error) => self.poll_broke(&error, now, out),
            Err(_) if now.mono + NEARLY_OVER >= polling.deadline.mono => self.code_over(out),
            Err(error) if self.resumed.is_some() && self.wish.dialect.lists_w_ids() => {
                drop(error);
                self.ask_at_the_end(out);
            }
            Err(error) => self.fail_with(&error, out),
            // Taken above.
            Ok(PollReply::LoggedIn(record)) => self.success(record, out),
        }
    }

    /// Whether only polls can tell how a dead process's login ended: a gateway that tells a success once may have told
    /// it to that process, and no list will say (V1).
    fn is_told_by_polls_alone(&self) -> bool {
        self.resumed.as_ref().is_some_and(|remains| remains.orphan) && !self.wish.dialect.lists_w_ids()
    }

    /// The line broke: the same wId is polled again after 1, 2, 4 … 10 s (design.md §4).
    fn poll_broke(&mut self, error: &Error, now: Now, out: &mut Outputs) {
        let Some(polling) = self.polling() else { return };
        if now.mono >= polling.deadline.mono {
            return self.last_poll(out);
        }
        // The poll's own limit is the deadline's; a poll that merely ran out is no broken line.
        if error.kind == Kind::TimedOut {
            polling.pause(POLL_PAUSE, now);
            return;
        }
        let pause = POLL_PAUSE.saturating_mul(1 << polling.broken.min(4)).min(LONGEST_PAUSE);
        polling.broken += 1;
        polling.pause(pause, now);
        let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        let retry_at = now.wall.plus_ms(pause_ms);
        self.tell(LoginStep::PollBroken { retry_at, detail: error.detail.clone() }, out);
    }

    fn verify_code(&mut self, code: SecretString, now: Now, out: &mut Outputs) {
        let Some(polling) = self.polling() else { return };
        polling.verify_code = Some(code);
        if polling.phase == Phase::AwaitingCode && now.mono < polling.deadline.mono {
            self.poll(now, out);
            self.tell(LoginStep::Waiting, out);
        }
    }

    fn tick(&mut self, now: Now, out: &mut Outputs) {
        let (current, abandoned) = (self.generation, self.abandoned);
        let Some(polling) = self.polling() else { return };
        if polling.refetch.is_some_and(|at| now.mono >= at) {
            polling.refetch = None;
            if let (false, Some(image_url)) = (abandoned, polling.image_url.clone()) {
                out.push(Output::Fetch { generation: current, image_url });
            }
        }
        match polling.phase {
            Phase::Pausing(at) if now.mono >= at => {
                if now.mono >= polling.deadline.mono {
                    self.last_poll(out);
                } else {
                    self.poll(now, out);
                }
            }
            Phase::AwaitingCode if now.mono >= polling.deadline.mono => self.last_poll(out),
            Phase::Asking | Phase::Pausing(_) | Phase::AwaitingCode | Phase::Last | Phase::CheckingToken => {}
        }
    }

    fn poll(&mut self, now: Now, out: &mut Outputs) {
        let Some(polling) = self.polling() else { return };
        let limit = polling.deadline.mono.saturating_sub(now.mono).max(POLL_PAUSE);
        self.send_poll(Phase::Asking, limit, out);
    }

    fn last_poll(&mut self, out: &mut Outputs) {
        self.send_poll(Phase::Last, LAST_POLL, out);
    }

    fn send_poll(&mut self, phase: Phase, limit: Duration, out: &mut Outputs) {
        let generation = self.ask();
        let Some(polling) = self.polling() else { return };
        polling.phase = phase;
        out.push(Output::Poll {
            generation,
            w_id: polling.w_id.clone(),
            verify_code: polling.verify_code.clone(),
            limit,
        });
    }

    /// Nobody scanned in time: a new code while somebody is there, else idle.
    fn code_over(&mut self, out: &mut Outputs) {
        if self.resumed.is_some() && self.wish.dialect.lists_w_ids() {
            return self.ask_at_the_end(out);
        }
        if self.abandoned {
            return self.idle(out);
        }
        let State::Polling(polling) = &self.state else { return };
        if polling.picture == PictureState::Failed {
            return self.fail(Reason::ImageFailed, None, "the picture of the code could not be read".into(), out);
        }
        if self.wish.renewals > 0 && self.somebody {
            self.wish.renewals -= 1;
            self.tell(LoginStep::Expired { renewing: true }, out);
            self.request_code(out);
        } else {
            self.expired(out);
        }
    }

    /// Before a resumed attempt ends without success: one look at the list for its wId.
    fn ask_at_the_end(&mut self, out: &mut Outputs) {
        let generation = self.ask();
        if let State::Polling(polling) = &mut self.state {
            polling.phase = Phase::Last;
        }
        out.push(Output::AskList { generation, pause: Duration::ZERO });
    }

    // ── Token ────────────────────────────────────────────────────────────────────────────────────────────────────

    fn check_token(&mut self, error: Error, out: &mut Outputs) {
        let generation = self.ask();
        out.push(Output::CheckToken { generation, error });
    }

    fn token_checked(&mut self, rejected: bool, error: Error, now: Now, out: &mut Outputs) {
        if rejected && !matches!(self.state, State::Over | State::Adopting | State::Storing) {
            return self.fail(Reason::TokenRejected, error.gateway_message, error.detail, out);
        }
        // The token is good: this one call was refused, for whatever reason.
        let error = Error { kind: Kind::Refused, ..error };
        match &mut self.state {
            State::Listing { .. } => self.step_down(now, out),
            State::Second => self.second_failed(&error, out),
            State::Requesting => self.fail_with(&error, out),
            State::Polling(polling) => {
                polling.phase = Phase::Asking;
                self.poll_broke(&error, now, out);
            }
            State::New | State::Adopting | State::Storing | State::Over => {}
        }
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
            State::New | State::Listing { .. } => {
                self.state = State::Over;
                out.push(Output::End { event, reason: Some(reason), gateway_message: None });
                out.push(Output::Tell(step));
            }
            State::Second | State::Requesting => {
                out.push(Output::Abandon);
                out.push(Output::Tell(step));
                self.abandoned = true;
            }
            State::Polling(polling) => {
                polling.refetch = None;
                polling.picture = PictureState::Unwanted;
                let waits_for_person = polling.phase == Phase::AwaitingCode;
                if waits_for_person {
                    self.state = State::Over;
                    out.push(Output::End { event, reason: Some(reason), gateway_message: None });
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

    /// An abandoned attempt ends without a word.
    fn idle(&mut self, out: &mut Outputs) {
        if !self.abandoned {
            return self.expired(out);
        }
        self.state = State::Over;
        out.push(Output::End { event: "abandoned", reason: None, gateway_message: None });
    }

    fn expired(&mut self, out: &mut Outputs) {
        self.state = State::Over;
        out.push(Output::End { event: "expired", reason: Some(Reason::NobodyScanned), gateway_message: None });
        self.tell(LoginStep::Expired { renewing: false }, out);
    }

    fn fail_with(&mut self, error: &Error, out: &mut Outputs) {
        self.fail(error.reason(), error.gateway_message.clone(), error.detail.clone(), out);
    }

    fn fail(&mut self, reason: Reason, gateway_message: Option<Box<str>>, detail: Box<str>, out: &mut Outputs) {
        self.state = State::Over;
        out.push(Output::End { event: "failed", reason: Some(reason), gateway_message: gateway_message.clone() });
        self.tell(LoginStep::Failed { reason, gateway_message, detail }, out);
    }
}

/// Whether a failed poll says nothing about the login: the line or the gateway broke, and may be whole again.
const fn may_pass(error: &Error) -> bool {
    match error.kind {
        Kind::Unreachable | Kind::TimedOut | Kind::Malformed | Kind::TooLarge => true,
        Kind::Http(status) => status >= 500,
        Kind::TokenSuspect
        | Kind::Refused
        | Kind::RefusedInside
        | Kind::Platform(_)
        | Kind::BadImage
        | Kind::BadSettings => false,
    }
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
    const fn new(w_id: WId, image_url: Option<SecretString>, deadline: Now, first: Generation) -> Self {
        Self {
            w_id,
            image_url,
            deadline,
            phase: Phase::Asking,
            verify_code: None,
            broken: 0,
            picture: PictureState::Missing(0),
            refetch: None,
            scanned: false,
            url: None,
            first,
        }
    }

    const fn pause(&mut self, pause: Duration, now: Now) {
        let at = now.mono.saturating_add(pause);
        // A pause never runs past the deadline: the last poll is due then.
        self.phase =
            Phase::Pausing(if at.as_nanos() < self.deadline.mono.as_nanos() { at } else { self.deadline.mono });
    }
}
