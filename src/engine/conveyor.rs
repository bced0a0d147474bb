//! The conveyor, as a pure state machine: many accounts logged in one after another, without a key between scans.
//!
//! [`Conveyor::on`] takes what happened and says what is to be done; it owns no clock, channel or handle. Phones that
//! can confirm are rung, a few at once ([`Way::Ring`](super::api::Way::Ring)); what that leaves, and accounts that
//! only a scan can log in, wait in a queue of codes, of which one is shown at a time
//! ([`Way::OneCode`](super::api::Way::OneCode)). A place on a started conveyor is one wish (design.md §2): at most one
//! secondLogin, never again in the same run, and at most six codes.

use std::time::Duration;

use self::row::{Asked, Open, Row, by_holder};
use super::api::{ConveyorView, Fleet, Item, LoginStep, Phase, Place};
use crate::model::{AttemptId, Cost, Limits, Now, Over, Reason, Stamp, WcId};

mod row;

pub use self::row::Facts;

/// How many phones ring at once, unless somebody says otherwise.
pub const AT_ONCE: u8 = 3;
/// How many codes one place buys (design.md §2).
const CODES: u8 = 6;
/// After so many times that logins did not reach the gateway, somebody should look.
const BREAKS: u32 = 3;
/// After so many questions without an answer one login is tried: a gateway may have no list and be there all the same.
const TRIES: usize = 3;
/// Between two questions whether the gateway is there again.
const LOOKS: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(30)];

/// What a conveyor is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many phones may ring at once; at least one does.
    pub at_once: u8,
    /// What an account may cost in a day.
    pub limits: Limits,
    /// Beyond that too: a person said so.
    pub force: bool,
}

/// What can happen to a conveyor.
#[derive(Clone, Debug)]
pub enum Input {
    /// A person: begin what the preview showed.
    Start,
    /// A person: the code on the screen goes to the back.
    Skip,
    /// A person: the code on the screen's account leaves the queue.
    Drop,
    /// A person: go on after a pause.
    Resume,
    /// A person: over.
    Stop,
    /// What [`Output::Ring`] or [`Output::Code`] asked for has begun.
    Begun {
        /// Whose.
        wc_id: WcId,
        /// As which attempt.
        attempt: AttemptId,
    },
    /// It has not: somebody else is at it, or the store has failed.
    NotBegun {
        /// Whose.
        wc_id: WcId,
    },
    /// A login told a step: any login of the process, the conveyor knows its own.
    Told {
        /// Which attempt.
        attempt: AttemptId,
        /// What.
        step: LoginStep,
    },
    /// What is known of an account changed.
    Account {
        /// Which.
        wc_id: WcId,
        /// What.
        facts: Facts,
    },
    /// An account is gone from the store.
    Gone {
        /// Which.
        wc_id: WcId,
    },
    /// Whether there is a token that the gateway takes, as far as known.
    Token {
        /// Whether logins may be sent with it.
        usable: bool,
    },
    /// How the fleet list fares: whether the gateway answers.
    Fleet(Fleet),
    /// [`Conveyor::next_wake`] has come.
    Tick,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Log in as [`Way::Ring`](super::api::Way::Ring); answered by [`Input::Begun`] or [`Input::NotBegun`].
    Ring(WcId),
    /// Log in as [`Way::OneCode`](super::api::Way::OneCode); answered likewise.
    Code(WcId),
    /// Hide a login; what it still brings counts.
    Cancel(AttemptId),
    /// Ask the fleet list, to see whether the gateway is there again.
    AskList,
}

/// Since when the gateway is not there, and when to look.
#[derive(Clone, Copy, Debug)]
struct Down {
    since: Stamp,
    looks: usize,
    next: Duration,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Conveyor {
    settings: Settings,
    phase: Phase,
    /// Sorted by holder, then by name; the order does not change.
    rows: Vec<Row>,
    /// Codes that nobody scanned, counted.
    turns: u64,
    /// How many of them were before the last sign of somebody being there.
    round: u64,
    token: bool,
    down: Option<Down>,
    /// How often in a row logins did not reach the gateway.
    breaks: u32,
    /// It paused because they did not.
    broken: bool,
    /// The list fails, for the last it was told.
    unlisted: bool,
    /// The list's failures are not believed: one login at a time is sent, until one is answered.
    trial: bool,
    /// V1 without the platform password: no list can tell whether the gateway is there.
    blind: bool,
}

type Outputs = Vec<Output>;

impl Conveyor {
    /// Plans: who is rung, who gets a code, who rests. Accounts that are online are left out; whoever calls leaves
    /// out those with an open login.
    pub fn preview(accounts: impl IntoIterator<Item = (WcId, Facts)>, settings: Settings, now: Now) -> Self {
        let mut rows: Vec<Row> = accounts
            .into_iter()
            .filter(|(_, facts)| !facts.online)
            .map(|(wc_id, facts)| Row::new(wc_id, facts, settings, now))
            .collect();
        rows.sort_by(by_holder);
        rows.dedup_by(|a, b| a.wc_id == b.wc_id);
        Self {
            settings,
            phase: Phase::Preview,
            rows,
            turns: 0,
            round: 0,
            token: true,
            down: None,
            breaks: 0,
            broken: false,
            unlisted: false,
            trial: false,
            blind: false,
        }
    }

    /// Where it is.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Its accounts and what it knows of them.
    pub fn facts(&self) -> impl Iterator<Item = (&WcId, &Facts)> {
        self.rows.iter().map(|row| (&row.wc_id, &row.facts))
    }

    /// When to feed it [`Input::Tick`], on the monotonic clock.
    pub fn next_wake(&self) -> Option<Duration> {
        let looks = self.phase == Phase::Running || (self.phase == Phase::Paused && self.broken && !self.blind);
        self.down.as_ref().filter(|_| looks).map(|down| down.next)
    }

    /// What it shows.
    pub fn view(&self) -> ConveyorView {
        ConveyorView {
            phase: self.phase,
            items: self
                .rows
                .iter()
                .map(|row| Item { wc_id: row.wc_id.clone(), place: row.place.clone(), unscanned: row.unscanned })
                .collect(),
            shown: self.shown().map(|row| (row.wc_id.clone(), row.open.as_ref().and_then(|open| open.attempt.clone()))),
            queue: self.queue().into_iter().map(|row| row.wc_id.clone()).collect(),
        }
    }

    /// Takes what happened, says what is to be done.
    pub fn on(&mut self, input: Input, now: Now) -> Outputs {
        let mut out = Outputs::new();
        match input {
            Input::Start => {
                if self.phase == Phase::Preview {
                    self.phase = Phase::Running;
                }
            }
            Input::Skip => self.skip(&mut out),
            Input::Drop => self.drop_shown(&mut out),
            Input::Resume => {
                if self.phase == Phase::Paused {
                    self.phase = Phase::Running;
                    self.somebody_is_there();
                    self.breaks = 0;
                    self.broken = false;
                    if let Some(down) = &mut self.down {
                        down.next = now.mono;
                    }
                }
            }
            Input::Stop => self.stop(&mut out),
            Input::Begun { wc_id, attempt } => self.begun(&wc_id, attempt, &mut out),
            Input::NotBegun { wc_id } => self.not_begun(&wc_id),
            Input::Told { attempt, step } => self.told(&attempt, &step, now),
            Input::Account { wc_id, facts } => self.account(&wc_id, facts, &mut out),
            Input::Gone { wc_id } => self.gone(&wc_id, &mut out),
            Input::Token { usable } => self.token = usable,
            Input::Fleet(fleet) => self.fleet(&fleet, now),
            Input::Tick => self.tick(now, &mut out),
        }
        self.advance(now, &mut out);
        out
    }

    // ── What a person wishes ─────────────────────────────────────────────────────────────────────────────────────

    fn skip(&mut self, out: &mut Outputs) {
        let turn = self.turns + 1;
        let Some(row) = self.shown_mut() else { return };
        row.hide(out);
        row.put_last(turn);
        row.unscanned = row.unscanned.saturating_add(1);
        self.turns = turn;
    }

    fn drop_shown(&mut self, out: &mut Outputs) {
        if let Some(row) = self.shown_mut() {
            row.hide(out);
            row.place = Place::Left(Reason::Cancelled);
        }
    }

    fn stop(&mut self, out: &mut Outputs) {
        for row in &mut self.rows {
            row.hide(out);
            if !row.is_settled() {
                row.place = Place::Left(Reason::Cancelled);
            }
        }
        self.phase = Phase::Done;
    }

    // ── What becomes of logins ───────────────────────────────────────────────────────────────────────────────────

    fn begun(&mut self, wc_id: &WcId, attempt: AttemptId, out: &mut Outputs) {
        let open = self.row_mut(wc_id).and_then(|row| row.open.as_mut()).filter(|open| open.attempt.is_none());
        match open {
            Some(open) => open.attempt = Some(attempt),
            // Nobody waits for it any more.
            None => out.push(Output::Cancel(attempt)),
        }
    }

    fn not_begun(&mut self, wc_id: &WcId) {
        let turn = self.turns + 1;
        let Some(row) = self.row_mut(wc_id) else { return };
        if row.open.as_ref().is_none_or(|open| open.attempt.is_some()) {
            return;
        }
        row.open = None;
        if !row.is_settled() {
            row.put_last(turn);
            self.turns = turn;
        }
    }

    fn told(&mut self, attempt: &AttemptId, step: &LoginStep, now: Now) {
        // Whoever scanned is logged in, whose code it was does not matter.
        if let LoginStep::WrongAccount { wc_id, .. } = step {
            self.somebody_is_there();
            if let Some(row) = self.row_mut(wc_id) {
                row.done();
            }
        }
        let own = |row: &&mut Row| row.open.as_ref().is_some_and(|open| open.attempt.as_ref() == Some(attempt));
        let Some(row) = self.rows.iter_mut().find(own) else { return };
        let Some(asked) = row.open.as_ref().map(|open| open.asked) else { return };
        if is_answer(step) {
            self.breaks = 0;
            self.trial = false;
        }
        if step.ends() && row.is_settled() {
            // It was settled by other means while its phone rang.
            row.open = None;
            return;
        }
        match step {
            LoginStep::Started { .. }
            | LoginStep::Resumed { .. }
            | LoginStep::Requesting { .. }
            | LoginStep::SteppedDown { .. }
            | LoginStep::WaitingForToken
            | LoginStep::SecondLoginFailed { .. }
            | LoginStep::Qr { .. }
            | LoginStep::NoPicture { .. }
            | LoginStep::Waiting
            | LoginStep::PollBroken { .. }
            | LoginStep::Expired { renewing: true } => {}
            LoginStep::SecondLoginSent { .. } => {
                if let Some(open) = &mut row.open {
                    open.sent = true;
                }
            }
            LoginStep::Scanned | LoginStep::VerifyCodeRequired { .. } | LoginStep::DeviceVerification { .. } => {
                self.somebody_is_there();
            }
            // Superseded: another login of the account succeeded.
            LoginStep::LoggedIn { .. } | LoginStep::Adopted { .. } | LoginStep::Superseded => {
                row.open = None;
                row.done();
                self.somebody_is_there();
            }
            LoginStep::WrongAccount { .. } => {
                row.open = None;
                row.place = Place::WaitsForCode;
                row.front = true;
            }
            LoginStep::TakenOver { .. } => {
                row.open = None;
                row.place = Place::Left(Reason::TakenOver);
            }
            LoginStep::Cancelled => {
                row.open = None;
                row.place = Place::Left(Reason::Cancelled);
            }
            LoginStep::Expired { renewing: false } => self.nobody_acted(attempt),
            LoginStep::OverBudget { over, .. } => {
                row.open = None;
                row.place = match (asked, over) {
                    (Asked::Ring, Over::Spent { .. } | Over::Resting { .. }) => Place::WaitsForCode,
                    (Asked::Code, Over::Resting { .. } | Over::Spent { .. }) => Place::Left(Reason::Resting),
                };
            }
            LoginStep::Failed { reason, .. } => self.failed(attempt, asked, *reason, now),
        }
    }

    /// The dialog or the code ran out.
    fn nobody_acted(&mut self, attempt: &AttemptId) {
        let turn = self.turns + 1;
        let Some(row) = self.rows.iter_mut().find(|row| row.is_of(attempt)) else { return };
        match row.open.take().map(|open| open.asked) {
            // Its code has not had a turn yet.
            Some(Asked::Ring) => row.place = Place::WaitsForCode,
            Some(Asked::Code) => {
                row.put_last(turn);
                row.unscanned = row.unscanned.saturating_add(1);
                self.turns = turn;
            }
            None => {}
        }
    }

    fn failed(&mut self, attempt: &AttemptId, asked: Asked, reason: Reason, now: Now) {
        let Some(row) = self.rows.iter_mut().find(|row| row.is_of(attempt)) else { return };
        let sent = row.open.as_ref().is_some_and(|open| open.sent);
        match reason {
            // Nothing was wrong with the account: its turn comes again, but no phone is rung twice.
            Reason::GatewayDown | Reason::TokenRejected => {
                row.open = None;
                if asked == Asked::Ring && !sent {
                    row.rung = false;
                    row.place = Place::WaitsToRing;
                } else {
                    row.place = Place::WaitsForCode;
                    row.front = asked == Asked::Code;
                }
                if reason == Reason::GatewayDown {
                    self.broke(now);
                }
            }
            // No account can log in now: somebody has to see to the platform first.
            Reason::SlotsFull | Reason::PlatformFrozen | Reason::PlatformExpired => {
                row.open = None;
                row.place = Place::WaitsForCode;
                row.front = asked == Asked::Code;
                self.phase = Phase::Paused;
            }
            // The gateway's words do not tell a person's no from a failure (protocol.md §6), so a scan may still
            // work, as on the ladder. And nobody can scan a code that cannot be seen.
            _ if asked == Asked::Ring => {
                row.open = None;
                row.place = Place::WaitsForCode;
            }
            Reason::NobodyScanned | Reason::ImageFailed | Reason::Interrupted => self.nobody_acted(attempt),
            Reason::Refused
            | Reason::Cancelled
            | Reason::VerificationNeeded
            | Reason::WrongAccount
            | Reason::ProxyFailed
            | Reason::Superseded
            | Reason::TakenOver
            | Reason::Abandoned
            | Reason::Resting
            | Reason::NowhereToShow
            | Reason::GatewaySaid
            | Reason::LoginInterrupted
            | Reason::NeedsPassword
            | Reason::Dropped
            | Reason::TakenOffline => {
                row.open = None;
                row.place = Place::Left(reason);
            }
        }
    }

    // ── What is known of accounts and gateway ────────────────────────────────────────────────────────────────────

    fn account(&mut self, wc_id: &WcId, facts: Facts, out: &mut Outputs) {
        let planned = self.phase == Phase::Preview;
        let Some(row) = self.row_mut(wc_id) else { return };
        row.facts = facts;
        if !row.facts.online || matches!(row.place, Place::Done | Place::Resting { .. }) {
            return;
        }
        if planned {
            self.rows.retain(|row| row.wc_id != *wc_id);
            return;
        }
        // A code that nobody needs any more makes room; a dialog ends by itself.
        if row.open.as_ref().is_some_and(|open| open.asked == Asked::Code) {
            row.hide(out);
        }
        row.done();
        self.somebody_is_there();
    }

    fn gone(&mut self, wc_id: &WcId, out: &mut Outputs) {
        if let Some(row) = self.row_mut(wc_id) {
            row.hide(out);
        }
        self.rows.retain(|row| row.wc_id != *wc_id);
    }

    fn fleet(&mut self, fleet: &Fleet, now: Now) {
        match fleet {
            Fleet::Asking => {}
            Fleet::Ok { at } => {
                if self.down.is_some_and(|down| *at >= down.since) {
                    self.down = None;
                }
                // The outage that it paused for is over.
                if std::mem::take(&mut self.unlisted) && self.broken && self.phase == Phase::Paused {
                    self.phase = Phase::Running;
                    self.broken = false;
                    self.breaks = 0;
                }
            }
            Fleet::Failing { reason: Reason::GatewayDown, .. } => {
                if !self.unlisted {
                    self.down(now);
                }
                self.unlisted = true;
            }
            // It answers, whatever it says.
            Fleet::Failing { .. } => self.down = None,
            Fleet::NeedsPassword => self.blind = true,
        }
    }

    /// A login did not reach the gateway. What was sent at the same time and fared likewise counts as one.
    fn broke(&mut self, now: Now) {
        if self.down.is_some() {
            return;
        }
        self.down(now);
        self.breaks = self.breaks.saturating_add(1);
        if self.breaks >= BREAKS && self.phase == Phase::Running {
            self.phase = Phase::Paused;
            self.broken = true;
        }
    }

    fn down(&mut self, now: Now) {
        if self.down.is_none() {
            self.down = Some(Down { since: now.wall, looks: 0, next: now.mono + pause(0) });
        }
    }

    fn tick(&mut self, now: Now, out: &mut Outputs) {
        let Some(down) = self.down.as_mut().filter(|down| now.mono >= down.next) else { return };
        match self.phase {
            Phase::Preview | Phase::Done => {}
            Phase::Running if self.blind || down.looks >= TRIES => {
                self.down = None;
                self.trial = true;
            }
            Phase::Running | Phase::Paused => {
                down.looks = down.looks.saturating_add(1);
                down.next = now.mono + pause(down.looks);
                out.push(Output::AskList);
            }
        }
    }

    // ── Going on ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// Sends what may be sent now.
    fn advance(&mut self, now: Now, out: &mut Outputs) {
        if self.phase == Phase::Running && self.token && self.down.is_none() {
            self.ring(now, out);
            self.show(now, out);
        }
        let started = matches!(self.phase, Phase::Running | Phase::Paused);
        if started && self.rows.iter().all(Row::is_settled) {
            self.phase = Phase::Done;
        }
    }

    fn ring(&mut self, now: Now, out: &mut Outputs) {
        let settings = self.settings;
        let at_once = if self.trial { 1 } else { usize::from(settings.at_once.max(1)) };
        let counts = |row: &&Row| row.is_asked(Asked::Ring) || (self.trial && row.open.is_some());
        let mut ringing = self.rows.iter().filter(counts).count();
        for row in self.rows.iter_mut().filter(|row| row.place == Place::WaitsToRing) {
            if ringing >= at_once {
                return;
            }
            if row.rung || !row.facts.can_ring || row.over(Cost::SecondLogin, settings, now).is_some() {
                row.place = Place::WaitsForCode;
                continue;
            }
            row.rung = true;
            row.place = Place::Ringing;
            row.open = Some(Open { asked: Asked::Ring, attempt: None, sent: false });
            out.push(Output::Ring(row.wc_id.clone()));
            ringing += 1;
        }
    }

    fn show(&mut self, now: Now, out: &mut Outputs) {
        let settings = self.settings;
        while self.shown().is_none() && !(self.trial && self.rows.iter().any(|row| row.open.is_some())) {
            let Some(head) = self.queue().first().map(|row| row.wc_id.clone()) else { return };
            let (round, ringing) = (self.round, self.rings());
            let Some(row) = self.row_mut(&head) else { return };
            if row.codes >= CODES {
                row.place = Place::Left(Reason::NobodyScanned);
                continue;
            }
            if row.over(Cost::Code, settings, now).is_some() {
                row.place = Place::Left(Reason::Resting);
                continue;
            }
            // Everybody who waits had a turn, and nobody came. While phones ring, somebody still may.
            if row.turn > round && !row.front {
                if !ringing {
                    self.phase = Phase::Paused;
                }
                return;
            }
            row.codes = row.codes.saturating_add(1);
            row.front = false;
            row.place = Place::Shown;
            row.open = Some(Open { asked: Asked::Code, attempt: None, sent: true });
            out.push(Output::Code(head));
        }
    }

    fn somebody_is_there(&mut self) {
        self.round = self.turns;
    }

    /// Whether a second login is out or still to come.
    fn rings(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.place, Place::Ringing | Place::WaitsToRing))
    }

    // ── Rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    fn row_mut(&mut self, wc_id: &WcId) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.wc_id == *wc_id)
    }

    fn shown(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.is_asked(Asked::Code))
    }

    fn shown_mut(&mut self) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.is_asked(Asked::Code))
    }

    /// Those that wait for their code: whose code was used up first, then those that have had none yet by holder and
    /// name, then the others as they had theirs.
    fn queue(&self) -> Vec<&Row> {
        let mut queue: Vec<&Row> =
            self.rows.iter().filter(|row| row.place == Place::WaitsForCode && row.open.is_none()).collect();
        queue.sort_by_key(|row| (!row.front, row.turn));
        queue
    }
}

/// Whether a step shows that the gateway answers.
const fn is_answer(step: &LoginStep) -> bool {
    match step {
        LoginStep::Qr { .. }
        | LoginStep::NoPicture { .. }
        | LoginStep::Scanned
        | LoginStep::VerifyCodeRequired { .. }
        | LoginStep::DeviceVerification { .. }
        | LoginStep::LoggedIn { .. }
        | LoginStep::Adopted { .. }
        | LoginStep::WrongAccount { .. }
        | LoginStep::Expired { .. } => true,
        LoginStep::SecondLoginFailed { reason, .. } | LoginStep::Failed { reason, .. } => {
            !matches!(reason, Reason::GatewayDown | Reason::Interrupted)
        }
        LoginStep::Started { .. }
        | LoginStep::Resumed { .. }
        | LoginStep::Requesting { .. }
        | LoginStep::SecondLoginSent { .. }
        | LoginStep::SteppedDown { .. }
        | LoginStep::WaitingForToken
        | LoginStep::OverBudget { .. }
        | LoginStep::Waiting
        | LoginStep::PollBroken { .. }
        | LoginStep::Cancelled
        | LoginStep::TakenOver { .. }
        | LoginStep::Superseded => false,
    }
}

fn pause(looks: usize) -> Duration {
    LOOKS.get(looks).or(LOOKS.last()).copied().unwrap_or(Duration::from_secs(30))
}
