//! The logins of this process as the screen knows them: what the engine told of each, in the order of the wishes.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::field::Field;
use super::said::Said;
use crate::engine::api::{Code, LoginEvent, LoginStep, StepDown, Way};
use crate::model::{AttemptId, Now, Reason, Rung, SET_BACK_MS, Stamp, WId, WcId};

/// This process's own number for a login: there before the engine gave it an [`AttemptId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoginNumber(pub u64);

/// How a rung of the ladder fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RungState {
    /// Not reached.
    Ahead,
    /// Under way.
    Running,
    /// It was not needed or not possible.
    Passed,
    /// It was left without a phone being asked.
    Skipped(StepDown),
    /// It did not work.
    Failed(Reason),
    /// It brought the account on line.
    Done,
}

/// What the login waits for.
#[derive(Clone, Debug)]
pub enum Stage {
    /// The engine has not taken the wish up.
    Wished,
    /// A rung's request is on its way.
    Requesting,
    /// The phone shows a dialog.
    Dialog,
    /// The code is there to be scanned.
    Scan,
    /// The code is there, but its picture cannot be read.
    NoPicture,
    /// The phone scanned and has to confirm.
    Scanned,
    /// A verification code has to be typed.
    Verify {
        /// What is typed.
        field: Field,
        /// Whether a frame showed the field, so that it takes keys.
        drawn: bool,
        /// Whether the code typed before was refused.
        again: bool,
    },
    /// It waits for another token; then it goes on where it was.
    Token {
        /// Where.
        before: Box<Self>,
    },
    /// The typed verification code is with the gateway.
    Checking,
    /// A QR login of an earlier process goes on: its code is not here to show, but can still be scanned.
    Resumed,
    /// A URL has to be opened on the phone.
    Device {
        /// The URL, uncleaned.
        url: Box<str>,
    },
    /// The last code is over, the next one on its way.
    Renewing,
    /// It is over.
    Ended(Ending),
}

/// How a login ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Logged in with this wId.
    LoggedIn(WId),
    /// It was online already under this wId.
    Adopted(WId),
    /// It did not come to a login.
    Not(Reason),
}

/// How the rungs fared, and what is known of each.
type Climbed = ([RungState; 3], [Option<Said>; 3]);

/// One login.
#[derive(Clone, Debug)]
pub struct Login {
    /// Our number.
    pub number: LoginNumber,
    /// The engine's name for it, once told.
    pub attempt: Option<AttemptId>,
    /// Whom; `None` for a new account.
    pub wc_id: Option<WcId>,
    /// Whether it is anybody's whose phone scans.
    any_phone: bool,
    /// Whether it goes on where a login before it left the ladder.
    goes_on: bool,
    /// How.
    pub way: Way,
    /// Whether a key of this screen wished it.
    pub ours: bool,
    /// The rungs adopt, second login, QR login.
    pub rungs: [RungState; 3],
    /// What is known of how each rung ended.
    rung_words: [Option<Said>; 3],
    /// What it waits for.
    pub stage: Stage,
    /// The code, while one can be scanned; see [`Login::code`].
    code: Option<Arc<Code>>,
    /// What the code says, as long as it is there.
    payload: Option<SecretString>,
    /// Whether somebody wants this code as text.
    pub as_text: bool,
    /// When the code or the dialog is over.
    pub deadline: Option<Stamp>,
    /// What is known of the last thing that went wrong.
    pub words: Option<Said>,
    /// Who came, where another account scanned: its wcId and its nickname, uncleaned.
    pub came: Option<(WcId, Box<str>)>,
    /// Whether a code for any phone was scanned by an account that was known already.
    pub was_known: bool,
    /// The poll's line is broken until then.
    pub broken: Option<Stamp>,
    /// When the last step came (both clocks are the wish's until then).
    pub at: Stamp,
    /// When it was wished.
    pub since: Duration,
}

const fn rung_index(rung: Rung) -> usize {
    match rung {
        Rung::Adopt => 0,
        Rung::SecondLogin => 1,
        Rung::QrLogin => 2,
    }
}

impl Login {
    /// Whether somebody still waits for it.
    pub const fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Ended(_))
    }

    /// The code, if it can still be scanned at `now`: never one that is over, used or cancelled.
    pub fn code(&self, now: Stamp) -> Option<&Arc<Code>> {
        match self.stage {
            Stage::Scan => self.code.as_ref().filter(|_| self.deadline.is_some_and(|deadline| deadline > now)),
            _ => None,
        }
    }

    /// What the code says, if it can still be scanned at `now`.
    pub fn payload(&self, now: Stamp) -> Option<&SecretString> {
        self.payload.as_ref().filter(|_| self.code(now).is_some())
    }

    /// The code is over, used or gone: nothing of it stays.
    fn cover(&mut self) {
        self.code = None;
        self.payload = None;
        self.as_text = false;
    }

    /// Whether it waits for an answer of unknown length, so that a spinner is due.
    pub const fn spins(&self) -> bool {
        matches!(self.stage, Stage::Wished | Stage::Requesting | Stage::Renewing | Stage::Checking)
    }

    /// How it ended, if it has.
    pub const fn ending(&self) -> Option<&Ending> {
        match &self.stage {
            Stage::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    /// The rungs this login may use.
    pub const fn ladder(&self) -> &'static [Rung] {
        match self.way {
            _ if self.goes_on => &[Rung::Adopt, Rung::SecondLogin, Rung::QrLogin],
            Way::Ladder => &[Rung::Adopt, Rung::SecondLogin, Rung::QrLogin],
            Way::Ring => &[Rung::Adopt, Rung::SecondLogin],
            Way::Second => &[Rung::SecondLogin],
            Way::Qr | Way::OneCode => &[Rung::QrLogin],
        }
    }

    /// How one rung fares.
    pub fn rung(&self, rung: Rung) -> &RungState {
        self.rungs.get(rung_index(rung)).unwrap_or(&RungState::Ahead)
    }

    /// Whether it came as far as a code, or was for one alone.
    pub fn reached_code(&self) -> bool {
        *self.ladder() == [Rung::QrLogin] || self.rung(Rung::QrLogin) != &RungState::Ahead
    }

    /// What is known of how a rung ended.
    pub fn rung_words(&self, rung: Rung) -> Option<&Said> {
        self.rung_words.get(rung_index(rung)).and_then(Option::as_ref).filter(|said| !said.text().trim().is_empty())
    }

    /// The last rung that was left without success.
    pub fn last_left(&self) -> Option<Rung> {
        let left = |rung: &&Rung| matches!(self.rung(**rung), RungState::Skipped(_) | RungState::Failed(_));
        self.ladder().iter().rev().find(left).copied()
    }

    /// A rung is over; those before it that were not tried are passed.
    fn leave(&mut self, rung: Rung, how: RungState, words: Option<Said>) {
        self.reach(rung);
        let here = rung_index(rung);
        if let Some(state) = self.rungs.get_mut(here) {
            *state = how;
        }
        if let Some(kept) = self.rung_words.get_mut(here) {
            *kept = words;
        }
    }

    /// The login is over: so is the rung it was on.
    fn close_rung(&mut self, ending: &Ending) {
        let mut how = match ending {
            Ending::LoggedIn(_) | Ending::Adopted(_) => RungState::Done,
            Ending::Not(Reason::Cancelled | Reason::Superseded | Reason::TakenOver) => RungState::Passed,
            Ending::Not(reason) => RungState::Failed(*reason),
        };
        for state in self.rungs.iter_mut().filter(|state| **state == RungState::Running) {
            *state = std::mem::replace(&mut how, RungState::Passed);
        }
    }

    fn reach(&mut self, rung: Rung) {
        let here = rung_index(rung);
        for (at, state) in self.rungs.iter_mut().enumerate() {
            if at < here && matches!(state, RungState::Ahead | RungState::Running) {
                *state = RungState::Passed;
            } else if at == here {
                *state = RungState::Running;
            }
        }
    }

    /// Takes a step in; `now` is the moment of the message.
    fn step(&mut self, step: LoginStep, at: Stamp) {
        self.at = at;
        if !matches!(step, LoginStep::Waiting | LoginStep::PollBroken { .. }) {
            self.broken = None;
        }
        match step {
            LoginStep::Started { way } => {
                self.way = way;
                self.stage = Stage::Requesting;
            }
            LoginStep::Resumed { rung, expires_at } => {
                self.reach(rung);
                self.cover();
                self.deadline = expires_at;
                self.stage = match rung {
                    Rung::SecondLogin => Stage::Dialog,
                    Rung::Adopt | Rung::QrLogin => Stage::Resumed,
                };
            }
            LoginStep::Requesting { rung } => {
                self.reach(rung);
                self.cover();
                // They were about the rung before, which keeps them.
                self.words = None;
                self.deadline = None;
                self.stage = Stage::Requesting;
            }
            LoginStep::SecondLoginSent { expires_at } => {
                self.reach(Rung::SecondLogin);
                self.deadline = Some(expires_at);
                self.stage = Stage::Dialog;
            }
            LoginStep::SecondLoginFailed { reason, gateway_message } => {
                let said = gateway_message.map(Said::Gateway);
                self.leave(Rung::SecondLogin, RungState::Failed(reason), said.clone());
                self.words = said;
                self.deadline = None;
                self.stage = Stage::Requesting;
            }
            LoginStep::Qr { w_id: _, expires_at, code, payload } => {
                self.reach(Rung::QrLogin);
                self.cover();
                self.words = None;
                self.payload = Some(payload);
                self.code = Some(code);
                self.deadline = Some(expires_at);
                self.stage = Stage::Scan;
            }
            LoginStep::NoPicture { detail: _, expires_at } => {
                self.reach(Rung::QrLogin);
                self.cover();
                self.deadline = Some(expires_at);
                self.stage = Stage::NoPicture;
            }
            LoginStep::SteppedDown { rung, why, gateway_message } => {
                self.leave(rung, RungState::Skipped(why), gateway_message.map(Said::Gateway));
                self.cover();
                self.deadline = None;
                self.stage = Stage::Requesting;
            }
            LoginStep::WaitingForToken => {
                if !matches!(self.stage, Stage::Token { .. }) {
                    let before = Box::new(std::mem::replace(&mut self.stage, Stage::Wished));
                    self.stage = Stage::Token { before };
                }
            }
            LoginStep::OverBudget { .. } => self.end(Ending::Not(Reason::Resting)),
            LoginStep::Waiting => {
                self.broken = None;
                if let Stage::Token { before } = &mut self.stage {
                    self.stage = std::mem::replace(before, Stage::Wished);
                }
            }
            LoginStep::PollBroken { retry_at, detail: _ } => self.broken = Some(retry_at),
            LoginStep::Scanned => {
                self.cover();
                self.stage = Stage::Scanned;
            }
            LoginStep::VerifyCodeRequired { gateway_message } => {
                self.cover();
                self.words = Some(Said::Gateway(gateway_message));
                // Asked again while somebody types, the field stays as it is.
                if !matches!(self.stage, Stage::Verify { .. }) {
                    let again = matches!(self.stage, Stage::Checking);
                    self.stage = Stage::Verify { field: Field::default(), drawn: false, again };
                }
            }
            LoginStep::DeviceVerification { url } => {
                self.cover();
                self.stage = Stage::Device { url };
            }
            LoginStep::Expired { renewing: true } => {
                self.cover();
                self.deadline = None;
                self.stage = Stage::Renewing;
            }
            LoginStep::LoggedIn { w_id, previous_w_id, .. } => {
                self.was_known = self.any_phone && previous_w_id.is_some();
                self.end(Ending::LoggedIn(w_id));
            }
            LoginStep::Adopted { w_id, .. } => {
                self.reach(Rung::Adopt);
                self.end(Ending::Adopted(w_id));
            }
            LoginStep::WrongAccount { nick_name, wc_id, .. } => {
                self.words = Some(Said::Gateway(nick_name.clone()));
                self.came = Some((wc_id, nick_name));
                self.end(Ending::Not(Reason::WrongAccount));
            }
            LoginStep::Expired { renewing: false } => self.end(Ending::Not(Reason::NobodyScanned)),
            LoginStep::Cancelled => self.end(Ending::Not(Reason::Cancelled)),
            LoginStep::Superseded => self.end(Ending::Not(Reason::Superseded)),
            LoginStep::TakenOver { .. } => self.end(Ending::Not(Reason::TakenOver)),
            LoginStep::Failed { reason, gateway_message, detail } => {
                self.words = Said::of(reason, gateway_message, detail);
                let running = self.rungs.iter().position(|state| *state == RungState::Running);
                if let Some(kept) = running.and_then(|at| self.rung_words.get_mut(at)) {
                    kept.clone_from(&self.words);
                }
                self.end(Ending::Not(reason));
            }
        }
    }

    fn end(&mut self, ending: Ending) {
        self.cover();
        self.deadline = None;
        self.close_rung(&ending);
        self.stage = Stage::Ended(ending);
    }
}

/// How many ended logins are remembered, for the words on the account's pane.
const REMEMBERED: usize = 200;

/// All logins, open and lately ended.
#[derive(Debug, Default)]
pub struct Logins {
    list: Vec<Login>,
    next: u64,
    /// What the wall clock says of the moment at which the monotonic one began.
    clock: Option<Stamp>,
}

impl Logins {
    /// Where the wall clock was set back, what is left of a code is what it was. One that went ahead may have gone on
    /// while the machine slept: nothing is left of a code then.
    pub fn keep_time(&mut self, now: Now) {
        let began = now.start();
        let set = self.clock.replace(began).map_or(0, |before| began.ms_since(before));
        if set > -SET_BACK_MS {
            return;
        }
        for deadline in self.list.iter_mut().filter_map(|login| login.deadline.as_mut()) {
            *deadline = deadline.plus_ms(set);
        }
    }

    /// Notes a wish that was put to the engine, so that the screen shows it at once.
    pub fn wish(&mut self, wc_id: Option<WcId>, way: Way, now: Now) -> LoginNumber {
        self.forget(wc_id.as_ref());
        self.add(wc_id, way, true, now)
    }

    fn add(&mut self, wc_id: Option<WcId>, way: Way, ours: bool, now: Now) -> LoginNumber {
        if self.list.len() > REMEMBERED
            && let Some(oldest) = self.list.iter().position(|login| !login.is_open())
        {
            self.list.remove(oldest);
        }
        self.next += 1;
        let number = LoginNumber(self.next);
        self.list.push(Login {
            number,
            attempt: None,
            any_phone: wc_id.is_none(),
            goes_on: false,
            wc_id,
            way,
            ours,
            rungs: [RungState::Ahead, RungState::Ahead, RungState::Ahead],
            rung_words: [None, None, None],
            stage: Stage::Wished,
            code: None,
            payload: None,
            as_text: false,
            deadline: None,
            words: None,
            came: None,
            was_known: false,
            broken: None,
            at: now.wall,
            since: now.mono,
        });
        number
    }

    /// Takes an engine's step in. Gives the login's number; `None` for a step of a login that has ended already or
    /// that began in the dark (a late end of an abandoned one).
    pub fn event(&mut self, event: LoginEvent, now: Now) -> Option<LoginNumber> {
        let LoginEvent { attempt, wc_id, account: _, at, step } = event;
        let known = self.list.iter().position(|login| login.attempt.as_ref() == Some(&attempt));
        let at_index = match known {
            Some(index) => index,
            None => {
                let way = match &step {
                    // Beyond the budget is the only step of its attempt: it answers a wish, or nobody.
                    LoginStep::Started { way } | LoginStep::OverBudget { way, .. } => *way,
                    LoginStep::Resumed { rung: Rung::SecondLogin, .. } => Way::Second,
                    LoginStep::Resumed { .. } => Way::Qr,
                    step if step.ends() => return None,
                    _ => Way::Qr,
                };
                let wished = self
                    .list
                    .iter()
                    .position(|login| login.attempt.is_none() && login.is_open() && login.wc_id == wc_id);
                let index = wished.unwrap_or_else(|| {
                    let before = self.left_ladder(wc_id.as_ref());
                    self.add(wc_id.clone(), way, false, now);
                    let last = self.list.last_mut().filter(|login| *login.ladder() == [Rung::QrLogin]);
                    if let (Some((rungs, words)), Some(login)) = (before, last) {
                        (login.rungs, login.rung_words, login.goes_on) = (rungs, words, true);
                    }
                    self.list.len().saturating_sub(1)
                });
                if let Some(login) = self.list.get_mut(index) {
                    login.attempt = Some(attempt);
                }
                index
            }
        };
        let login = self.list.get_mut(at_index)?;
        if !login.is_open() {
            return None;
        }
        let wrong_account = matches!(step, LoginStep::WrongAccount { .. });
        if login.wc_id.is_none() && !wrong_account {
            login.wc_id = wc_id;
        }
        login.step(step, at);
        Some(login.number)
    }

    /// How an account's last login left the rungs before the QR login, where a login that nobody here wished is that
    /// rung alone: the conveyor asks the phone first and shows the code when its turn comes, which is one ladder to
    /// whoever looks.
    fn left_ladder(&self, wc_id: Option<&WcId>) -> Option<Climbed> {
        let before = self.of(wc_id?).filter(|login| !login.is_open())?;
        let fell = [Rung::Adopt, Rung::SecondLogin].map(|rung| before.rung(rung));
        let fell = fell.into_iter().any(|state| matches!(state, RungState::Skipped(_) | RungState::Failed(_)));
        if !fell {
            return None;
        }
        let ([adopt, second, _], [adopt_words, second_words, _]) = (before.rungs.clone(), before.rung_words.clone());
        Some(([adopt, second, RungState::Ahead], [adopt_words, second_words, None]))
    }

    /// The engine did not take a wish up: forgets it. True if there was one.
    pub fn unwish(&mut self, wc_id: Option<&WcId>) -> bool {
        let before = self.list.len();
        self.list.retain(|login| login.attempt.is_some() || !login.is_open() || login.wc_id.as_ref() != wc_id);
        before != self.list.len()
    }

    /// Forgets how the last login of an account ended.
    pub fn forget(&mut self, wc_id: Option<&WcId>) -> bool {
        let before = self.list.len();
        self.list.retain(|login| login.is_open() || login.wc_id.as_ref() != wc_id);
        before != self.list.len()
    }

    /// Forgets a login altogether.
    pub fn remove(&mut self, number: LoginNumber) {
        self.list.retain(|login| login.number != number);
    }

    /// One login.
    pub fn get(&self, number: LoginNumber) -> Option<&Login> {
        self.list.iter().find(|login| login.number == number)
    }

    /// One login.
    pub fn get_mut(&mut self, number: LoginNumber) -> Option<&mut Login> {
        self.list.iter_mut().find(|login| login.number == number)
    }

    /// The newest login of an account that is open; without one, the newest that ended.
    pub fn of(&self, wc_id: &WcId) -> Option<&Login> {
        let mine = || self.list.iter().rev().filter(|login| login.wc_id.as_ref() == Some(wc_id));
        mine().find(|login| login.is_open()).or_else(|| mine().next())
    }

    /// The open logins of new accounts, oldest first.
    pub fn new_ones(&self) -> impl Iterator<Item = &Login> {
        self.list.iter().filter(|login| login.wc_id.is_none() && login.is_open())
    }

    /// The open logins.
    pub fn open(&self) -> impl Iterator<Item = &Login> {
        self.list.iter().filter(|login| login.is_open())
    }
}
