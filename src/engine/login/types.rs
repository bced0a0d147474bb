//! What goes into a login machine and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::engine::api::{LoginStep, Way};
use crate::gateway::{Error, PollReply, QrIssued};
use crate::model::{Began, Budget, Cost, Dialect, Limits, Reason, Record, Rung, Stamp, WId, WcId};
use crate::qr::Code;

/// Which question an answer belongs to.
pub type Generation = u32;

/// Sooner than this nobody has seen a dialog come and has tapped on it.
const TAP: Duration = Duration::from_secs(1);

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
    /// Whether the account is off line as every account is once ([`crate::model::Account::is_after_first_night`]): a
    /// second login would fail, so the ladder goes straight to a code (protocol.md §4, rule 4).
    pub first_night: bool,
    /// Whether the same holds as soon as a list lacks the account
    /// ([`crate::model::Account::may_be_after_first_night`]).
    pub first_day: bool,
    /// The wId that the store holds for the account: V1's list has none, so this one is asked (protocol.md §3.8).
    pub known_w_id: Option<WId>,
    /// Whether the fleet list can be asked: V1's needs the platform password.
    pub can_list: bool,
    /// What the account has cost lately, before this wish.
    pub budget: Budget,
    /// What it may cost in a day.
    pub limits: Limits,
    /// Whether a person said that the phone may be asked beyond the budget. Renewals stay within it all the same.
    pub forced: bool,
    /// Whether a refused token is waited for; else the login ends with it.
    pub waits_for_token: bool,
    /// Whether a code could be seen by anybody: where not, none is asked for.
    pub shows_codes: bool,
    /// A refusal that comes sooner than this after a second login was sent is no person's: no phone rang.
    pub tap: Duration,
}

impl Wish {
    /// A wish without a history: nothing spent, no wId known, and nobody who could give another token.
    pub fn new(wc_id: Option<WcId>, way: Way, dialect: Dialect, renewals: u8) -> Self {
        Self {
            wc_id,
            way,
            dialect,
            renewals,
            first_night: false,
            first_day: false,
            known_w_id: None,
            can_list: dialect.lists_w_ids(),
            budget: Budget::default(),
            limits: Limits::default(),
            forced: false,
            waits_for_token: false,
            shows_codes: true,
            tap: TAP,
        }
    }
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
        began: Began,
        /// The entry the list has for the account, or for an unknown account the one with this attempt's wId. V1's
        /// entries have no wId.
        result: Result<Option<(WcId, Option<WId>)>, Error>,
    },
    /// The instance whose wId we hold was asked whether it lives.
    Probed {
        /// Of which question.
        generation: Generation,
        /// The answer, or what failed.
        result: Result<PollReply, Error>,
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
    /// Requests carry another token from now on.
    NewToken {
        /// Whether the gateway is known to refuse the one before it.
        was_dead: bool,
    },
    /// No other token can be had, and nobody is there who could sign in.
    NoToken,
    /// [`super::Machine::next_wake`] has come.
    Tick,
    /// A person typed the verification code.
    VerifyCode(SecretString),
    /// The operator cancels.
    Cancel,
    /// Another attempt on the same account succeeded.
    Supersede,
    /// Another process goes on with this attempt, since this one could not act for a while.
    TakenOver {
        /// What kind of process it is.
        by: Box<str>,
    },
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
    /// V1: one short `getIPadLoginInfo` of the wId that we hold. A live instance answers with its record at once.
    Probe {
        /// Of the question.
        generation: Generation,
        /// Which instance.
        w_id: WId,
        /// How long to wait before.
        pause: Duration,
        /// How long to wait for the answer.
        limit: Duration,
    },
    /// Commit the row, then send `secondLogin`, once.
    SecondLogin {
        /// Of the question.
        generation: Generation,
        /// When the dialog is taken for ignored.
        deadline: Stamp,
        /// How long to wait for the answer.
        limit: Duration,
        /// Whether the same request went out before and was refused with its token: it never reached a phone, so it
        /// is still the one of this wish, and is not charged again.
        again: bool,
    },
    /// Commit the row, then send `iPadLogin`, once.
    IPadLogin {
        /// Of the question.
        generation: Generation,
        /// As in [`Output::SecondLogin`].
        again: bool,
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
    /// Say that this login waits for another token; answered by [`Input::NewToken`] or [`Input::NoToken`].
    NeedToken,
    /// The request that was charged last never left: the account's budget takes it back.
    TakeBack(Cost),
    /// Write down that a second login did not work; where a phone `rang` and the reason is [`Reason::Refused`] the
    /// account's budget notes it too, with [`Reason::LoginInterrupted`] nobody knows any more which of its wIds lives.
    SecondFailed {
        /// Whether a person may have answered.
        rang: bool,
        /// Why.
        reason: Reason,
        /// The gateway's words.
        gateway_message: Option<Box<str>>,
    },
    /// Store a success, in one transaction; answered by [`Input::Stored`].
    StoreLogin(Record),
    /// Store what two lists, or V1's list and an answer of the instance itself, showed; answered by [`Input::Stored`]
    /// or [`Input::NotAdopted`].
    Adopt {
        /// The account.
        wc_id: WcId,
        /// Its wId.
        w_id: WId,
        /// When the evidence was asked for: the two lists, or twice the list before the answer.
        lists: [Began; 2],
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
    /// End the row without a word in the log or on the account: what happened to it is as it was.
    Forget,
    /// The account was found to have been dropped for the first time.
    FirstDrop,
    /// Tell the front end.
    Tell(LoginStep),
}
