//! What goes into the engine ([`Command`]) and what comes out ([`Event`]): plain data (but for who waits for
//! an answer), the same for the TUI and the headless commands.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use secrecy::SecretString;

use crate::model::{Account, AttemptId, Edit, Over, Reason, Rung, Stamp, WId, WcId};
pub use crate::qr::Code;

mod conveyor;
mod history;

pub use conveyor::{ConveyorView, ConveyorWish, Item, Phase, Place};
pub use history::{Figures, History, HistoryLine, Strip};

/// How an account is to be logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// What `Enter` does: adopt, second login, QR login, as far as needed.
    Ladder,
    /// A QR login only.
    Qr,
    /// A second login only.
    Second,
    /// The ladder without its last rung: adopt, second login. The conveyor's, which shows the codes in their turn.
    Ring,
    /// One code, never renewed: the conveyor's, where a fresh one comes when its turn comes again.
    OneCode,
}

/// A wish put to the engine.
#[derive(Clone, Debug)]
pub enum Command {
    /// Logs an account in; `wc_id: None` is a QR login of a new account, for any phone. One wish: at most one
    /// secondLogin and 1 + 5 codes. With an open attempt on the account, answers [`Event::Busy`].
    Login {
        /// Whom.
        wc_id: Option<WcId>,
        /// How.
        way: Way,
        /// Also where the budget is spent or the account rests: a person said so.
        force: bool,
    },
    /// Many accounts, one after another.
    Conveyor(ConveyorWish),
    /// Hides an attempt; its request runs on silently (design.md §4).
    Cancel {
        /// Which.
        attempt: AttemptId,
    },
    /// Goes on with an attempt that asked for a verification code.
    VerifyCode {
        /// Which.
        attempt: AttemptId,
        /// What the phone shows.
        code: SecretString,
    },
    /// Somebody is there (a key was pressed): codes may be renewed for some minutes.
    SomebodyIsThere,
    /// Asks the gateway for the fleet list now.
    Refresh,
    /// Takes accounts off line (`/member/offline`).
    Offline {
        /// Which.
        wc_ids: Vec<WcId>,
    },
    /// Adds an account by wcId; nothing happens if it is there.
    AddAccount {
        /// Its permanent id.
        wc_id: WcId,
    },
    /// Sets fields of an account.
    Edit {
        /// Which.
        wc_id: WcId,
        /// What.
        edit: Edit,
    },
    /// Asks for the history of one account, or of the fleet; answered by [`Event::History`].
    History {
        /// Whose.
        wc_id: Option<WcId>,
    },
    /// Asks for the last 24 hours of these accounts; answered by [`Event::Strips`], and again when one of them changes.
    Strips {
        /// Whose: the rows on the screen.
        wc_ids: Vec<WcId>,
    },
    /// V3: asks the gateway why an account is off line (`/offlineReason`, at most once per 12 hours and account);
    /// answered by [`Event::OfflineReason`] or [`Event::Rejected`].
    OfflineReason {
        /// Which.
        wc_id: WcId,
    },
    /// Uses this token from now on, and lets everything that waits for one go on.
    Token {
        /// The `Authorization` value.
        token: SecretString,
    },
    /// This process is about to be stopped (`Ctrl-Z`), for nobody knows how long: its place and its attempts are for
    /// others to go on with.
    GiveUp {
        /// Hears when it has.
        told: Sender<()>,
    },
    /// It goes on after a stop.
    ComeBack,
    /// Ends the engine: requests in flight are dropped, rows stay for whoever resumes them.
    Stop,
}

/// What the engine tells.
#[derive(Clone, Debug)]
pub enum Event {
    /// All accounts, at the start.
    Accounts(Vec<Account>),
    /// One account changed or is new.
    Account(Box<Account>),
    /// An account is gone from the store.
    AccountRemoved(WcId),
    /// A step of a login.
    Login(LoginEvent),
    /// A login was wished for an account that has an open attempt already.
    Busy {
        /// The account, `None` for a new one.
        wc_id: Option<WcId>,
        /// The attempt, if it is this process's own.
        attempt: Option<AttemptId>,
    },
    /// A wish could not be taken up.
    Rejected {
        /// The account, if one was named.
        wc_id: Option<WcId>,
        /// Why.
        reason: Reason,
        /// The gateway's words, uncleaned.
        gateway_message: Option<Box<str>>,
        /// What failed technically, in English, without secrets.
        detail: Box<str>,
    },
    /// A list showed that an account has another wId than we knew.
    WIdChanged {
        /// The account.
        wc_id: WcId,
        /// Its name for people, uncleaned.
        account: Box<str>,
        /// The wId that holds now.
        w_id: WId,
        /// The one before.
        previous_w_id: Option<WId>,
        /// When.
        at: Stamp,
    },
    /// An account that was online is believed to be off line.
    Dropped {
        /// The account.
        wc_id: WcId,
        /// Its name for people, uncleaned.
        account: Box<str>,
        /// Why, as far as known.
        reason: Reason,
        /// When.
        at: Stamp,
    },
    /// An account that was off line is online again without a login of ours.
    Recovered {
        /// The account.
        wc_id: WcId,
        /// Its name for people, uncleaned.
        account: Box<str>,
        /// When.
        at: Stamp,
    },
    /// A login that nobody waited for led to nothing, and its account is off line: somebody has to log it in.
    LoginNeeded {
        /// The account.
        wc_id: WcId,
        /// Its name for people, uncleaned.
        account: Box<str>,
        /// Why the login led to nothing.
        reason: Reason,
        /// When.
        at: Stamp,
    },
    /// Many accounts are believed to have dropped at once: told instead of one [`Event::Dropped`] each.
    MassDrop {
        /// Which.
        wc_ids: Vec<WcId>,
        /// When.
        at: Stamp,
    },
    /// The gateway has an outage: what is believed of the accounts is kept and stale.
    Outage {
        /// Since when no plausible list has come.
        since: Stamp,
        /// When it was found.
        at: Stamp,
    },
    /// The first plausible list after an outage.
    OutageOver {
        /// Since when it lasted.
        since: Stamp,
        /// When it ended.
        at: Stamp,
    },
    /// No process can list the accounts, and it is neither an outage nor the token.
    ObservationLost {
        /// Since when no list has come.
        since: Stamp,
        /// Why, as far as known.
        reason: Reason,
        /// When that was found.
        at: Stamp,
    },
    /// The first list after that.
    ObservationBack {
        /// Since when none had come.
        since: Stamp,
        /// When it came.
        at: Stamp,
    },
    /// Why an account is off line, in the gateway's words.
    OfflineReason {
        /// The account.
        wc_id: WcId,
        /// The words, uncleaned; `None`: the gateway knows none.
        words: Option<Box<str>>,
        /// When it was asked.
        at: Stamp,
    },
    /// Where the conveyor is; `None`: there is none any more.
    Conveyor(Option<Box<ConveyorView>>),
    /// What happened.
    History(Box<History>),
    /// The last 24 hours of some accounts.
    Strips(Vec<(WcId, Strip)>),
    /// `member/offline` was answered.
    TakenOffline {
        /// Which accounts.
        wc_ids: Vec<WcId>,
        /// When.
        at: Stamp,
    },
    /// How the fleet list fares.
    Fleet(Fleet),
    /// What is known of the token.
    Token(Token),
    /// Whether the store does its work. Told when that changes; before the first time it does.
    Store {
        /// The last try.
        works: bool,
    },
    /// The store or a hook failed; said once per cause.
    Fault {
        /// What failed and what to do, for people, in their language.
        message: Box<str>,
    },
    /// The engine has ended.
    Stopped,
}

/// How the fleet list fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fleet {
    /// Being asked right now, on a person's wish.
    Asking,
    /// Answered.
    Ok {
        /// When the request was started.
        at: Stamp,
    },
    /// Failing.
    Failing {
        /// Since when no list has come.
        since: Stamp,
        /// Why.
        reason: Reason,
        /// The gateway's words, uncleaned.
        gateway_message: Option<Box<str>>,
        /// What failed technically, in English, without secrets.
        detail: Box<str>,
    },
    /// V1 without the platform password: no list can be asked.
    NeedsPassword,
}

/// What is known of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A call with it succeeded.
    Ok,
    /// There is none.
    Missing,
    /// The gateway refuses it, confirmed by a second call.
    Rejected,
}

/// A step of a login.
#[derive(Clone, Debug)]
pub struct LoginEvent {
    /// Which attempt.
    pub attempt: AttemptId,
    /// The account, once known.
    pub wc_id: Option<WcId>,
    /// Its name for people, uncleaned; empty when not known.
    pub account: Box<str>,
    /// When.
    pub at: Stamp,
    /// What.
    pub step: LoginStep,
}

/// What happened in a login. Steps for which [`LoginStep::ends`] holds are the last of their attempt.
#[derive(Clone, Debug)]
pub enum LoginStep {
    /// The wish is accepted and its row is in the store.
    Started {
        /// How.
        way: Way,
    },
    /// An attempt of an earlier or dead process goes on here.
    Resumed {
        /// The rung it was on.
        rung: Rung,
        /// When its code or dialog is over.
        expires_at: Option<Stamp>,
    },
    /// A rung's request is on its way.
    Requesting {
        /// Which rung.
        rung: Rung,
    },
    /// The phone shows a confirm dialog now.
    SecondLoginSent {
        /// When the dialog is taken for ignored.
        expires_at: Stamp,
    },
    /// A rung led nowhere without a phone being asked; the next one follows.
    SteppedDown {
        /// Which rung.
        rung: Rung,
        /// Why.
        why: StepDown,
        /// The gateway's words, uncleaned.
        gateway_message: Option<Box<str>>,
    },
    /// The gateway refuses the token: the login waits for another one ([`Command::Token`]).
    WaitingForToken,
    /// It would be beyond the account's budget, and nobody said that it may.
    OverBudget {
        /// Why.
        over: Over,
        /// What was wished, to wish it again with force.
        way: Way,
    },
    /// The second login did not work; the ladder goes on, a lone second login ends with [`LoginStep::Failed`].
    SecondLoginFailed {
        /// Why.
        reason: Reason,
        /// The gateway's words, uncleaned.
        gateway_message: Option<Box<str>>,
    },
    /// A code to show.
    Qr {
        /// The instance it logs in.
        w_id: WId,
        /// When it is over.
        expires_at: Stamp,
        /// The modules.
        code: Arc<Code>,
        /// The payload; shown only on an explicit wish.
        payload: SecretString,
    },
    /// The picture of the code cannot be fetched or read; the poll runs on.
    NoPicture {
        /// What is wrong with it, in English, without secrets.
        detail: Box<str>,
        /// When the unseen code is over.
        expires_at: Stamp,
    },
    /// The poll is under way.
    Waiting,
    /// The line broke; the same wId is polled again.
    PollBroken {
        /// When it is polled next.
        retry_at: Stamp,
        /// What broke, in English, without secrets.
        detail: Box<str>,
    },
    /// The phone scanned and has not confirmed yet. Optional: many gateways never say.
    Scanned,
    /// The phone shows a verification code that the gateway wants.
    VerifyCodeRequired {
        /// The gateway's words, uncleaned.
        gateway_message: Box<str>,
    },
    /// This URL has to be opened on the phone.
    DeviceVerification {
        /// The URL, uncleaned.
        url: Box<str>,
    },
    /// Logged in; the wId is in the store already.
    LoggedIn {
        /// The wId that holds now.
        w_id: WId,
        /// The one before.
        previous_w_id: Option<WId>,
        /// Nickname, uncleaned.
        nick_name: Box<str>,
        /// WeChat number, uncleaned.
        w_account: Box<str>,
    },
    /// It was online already under this wId; the wId is in the store already.
    Adopted {
        /// The wId that holds now.
        w_id: WId,
        /// The one before.
        previous_w_id: Option<WId>,
    },
    /// Another account's phone scanned; it is stored as its own.
    WrongAccount {
        /// Who was asked for.
        expected_wc_id: WcId,
        /// Who came.
        wc_id: WcId,
        /// Its wId.
        w_id: WId,
        /// Its nickname, uncleaned.
        nick_name: Box<str>,
    },
    /// The code or the dialog is over and nobody acted.
    Expired {
        /// Whether a new code is on its way.
        renewing: bool,
    },
    /// The operator cancelled.
    Cancelled,
    /// A login of this account that was asked for later has succeeded.
    Superseded,
    /// This process could not act for a while, and another one goes on with the attempt.
    TakenOver {
        /// What kind of process it is (`screen`, `command`, `watch`); empty where that is not known.
        by: Box<str>,
    },
    /// It did not work.
    Failed {
        /// Why.
        reason: Reason,
        /// The gateway's words, uncleaned.
        gateway_message: Option<Box<str>>,
        /// What failed technically, in English, without secrets.
        detail: Box<str>,
    },
}

/// Why a rung was left without a phone being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepDown {
    /// The list does not have the account.
    NotListed,
    /// The list could not be asked.
    ListFailed,
    /// V1: it is listed, but the wId that we hold does not answer.
    NoAnswer,
    /// It dropped as every account does once, and a second login would fail (protocol.md §4, rule 4).
    FirstNight,
    /// Second logins of it rest after a refusal.
    Resting,
    /// Nobody could see a code.
    NowhereToShow,
}

impl StepDown {
    /// The word in locale keys (`step_down.<name>`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotListed => "not_listed",
            Self::ListFailed => "list_failed",
            Self::NoAnswer => "no_answer",
            Self::FirstNight => "first_night",
            Self::Resting => "resting",
            Self::NowhereToShow => "nowhere_to_show",
        }
    }
}

impl LoginStep {
    /// Whether the attempt is over with this step.
    pub const fn ends(&self) -> bool {
        match self {
            Self::LoggedIn { .. }
            | Self::Adopted { .. }
            | Self::WrongAccount { .. }
            | Self::Expired { renewing: false }
            | Self::Cancelled
            | Self::Superseded
            | Self::TakenOver { .. }
            | Self::OverBudget { .. }
            | Self::Failed { .. } => true,
            Self::Started { .. }
            | Self::Resumed { .. }
            | Self::Requesting { .. }
            | Self::SecondLoginSent { .. }
            | Self::SteppedDown { .. }
            | Self::WaitingForToken
            | Self::SecondLoginFailed { .. }
            | Self::Qr { .. }
            | Self::NoPicture { .. }
            | Self::Waiting
            | Self::PollBroken { .. }
            | Self::Scanned
            | Self::VerifyCodeRequired { .. }
            | Self::DeviceVerification { .. }
            | Self::Expired { renewing: true } => false,
        }
    }
}
