//! `saoma login --all-offline`: the conveyor in the plain terminal. The codes come one after another in one place, what
//! the other logins tell is written above; no key between scans.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::args::LoginArgs;
use super::context::local;
use super::exit::Exit;
use super::fail::{reason_words, with_detail};
use super::login::{Draw, Driver, Plan, Ports};
use super::out;
use super::printer::Printer;
use super::resolve;
use crate::engine::api::{Command, ConveyorView, ConveyorWish, Event, Fleet, LoginEvent, LoginStep, Phase, Place};
use crate::i18n::{t, tf};
use crate::model::text::clean;
use crate::model::{Account, AttemptId, Presence, Reason, WcId};

/// How long cancelled logins may take to say so.
const GRACE: Duration = Duration::from_secs(2);
/// Far enough away to be never.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Who is to be logged in.
#[derive(Clone, Debug)]
pub struct Belt {
    accounts: Vec<Account>,
    force: bool,
    yes: bool,
    at_once: u8,
}

impl Belt {
    /// The accounts that are off line and fit. `accounts` are the store's.
    pub fn new(args: &LoginArgs, accounts: &[Account]) -> Self {
        let fits = |account: &&Account| {
            account.presence == Presence::Offline
                && args.tag.as_ref().is_none_or(|tag| account.tags.iter().any(|own| **own == **tag))
                && args.holder.as_ref().is_none_or(|holder| *account.holder == **holder)
        };
        Self {
            accounts: accounts.iter().filter(fits).cloned().collect(),
            force: args.options.force,
            yes: args.yes,
            at_once: args.at_once.unwrap_or_default(),
        }
    }

    /// How many phones ring at once; 0: as many as usual.
    pub const fn at_once(&self) -> u8 {
        self.at_once
    }
}

/// What a person was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Begin,
    GoOn,
}

/// Whose turn it is.
#[derive(Debug, Default)]
struct Turn {
    /// What is said before the words under a code.
    words: RefCell<String>,
    /// Whether a code is drawn, where codes are.
    up: Cell<bool>,
}

struct Line<'a> {
    ports: &'a Ports<'a>,
    printer: &'a Printer,
    json: bool,
    yes: bool,
    teller: Driver<'a>,
    turn: &'a Turn,
    accounts: HashMap<WcId, Account>,
    view: Option<ConveyorView>,
    /// The code that was drawn last, while it is up.
    drawn: Option<LoginEvent>,
    /// Attempts that have begun and not ended.
    open: HashSet<AttemptId>,
    /// Second logins of which was said that they did not work: a code follows, so that is no end.
    fell: HashSet<AttemptId>,
    /// Accounts whose login waits for a verification code that nobody can give.
    unverified: HashSet<WcId>,
    /// What the accounts that are left come to.
    left: Option<Exit>,
    /// The last thing that stood in the way of all.
    trouble: Option<Reason>,
    /// Why no list comes, once that was told.
    failing: Option<Reason>,
    questions: UnboundedSender<(Question, bool)>,
    over: bool,
}

/// Previews, asks, starts, and tells what happens until every account is done with; the exit code of design.md §5.
pub async fn drive(
    belt: Belt,
    plan: Plan,
    ports: &Ports<'_>,
    printer: &Printer,
    json: bool,
    events: &mut UnboundedReceiver<Event>,
    interrupts: &mut UnboundedReceiver<Exit>,
) -> Exit {
    let (answers, mut answered) = unbounded_channel();
    let (questions, mut decided) = unbounded_channel();
    let turn = Turn::default();
    let draw = |picture: Draw<'_>| draw_in_turn(ports, &turn, picture);
    let in_turn = Ports {
        send: ports.send,
        data: ports.data,
        words: ports.words,
        draw: &draw,
        png: ports.png,
        ask: ports.ask.clone(),
    };
    let wc_ids: Vec<WcId> = belt.accounts.iter().map(|account| account.wc_id.clone()).collect();
    let mut line = Line {
        ports,
        printer,
        json,
        yes: belt.yes,
        teller: Driver::teller(&in_turn, printer, json, plan.png, answers),
        turn: &turn,
        accounts: belt.accounts.into_iter().map(|account| (account.wc_id.clone(), account)).collect(),
        view: None,
        drawn: None,
        open: HashSet::new(),
        fell: HashSet::new(),
        unverified: HashSet::new(),
        left: None,
        trouble: None,
        failing: None,
        questions,
        over: false,
    };
    if wc_ids.is_empty() {
        line.say("all_offline.nobody", &[]);
        return Exit::Done;
    }
    (ports.send)(Command::Conveyor(ConveyorWish::Preview { wc_ids, force: belt.force }));
    let limit = tokio::time::sleep(plan.timeout.unwrap_or(NEVER));
    tokio::pin!(limit);
    while !line.is_over() {
        let before = line.left.is_some() || line.over;
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => line.event(event),
                None => break,
            },
            Some(exit) = interrupts.recv() => {
                if line.left.is_some() {
                    return exit;
                }
                line.stop(exit);
            }
            Some((attempt, code)) = answered.recv() => line.verified(attempt, code),
            Some((question, yes)) = decided.recv() => line.decided(question, yes),
            () = &mut limit => {
                if line.left.is_some() || line.over {
                    break;
                }
                line.stop(Exit::Expired);
            }
        }
        if !before && (line.left.is_some() || line.over) {
            limit.as_mut().reset(tokio::time::Instant::now() + GRACE);
        }
    }
    line.end()
}

/// Draws a code with whose turn it is; where nothing is drawn, that is said.
fn draw_in_turn(ports: &Ports<'_>, turn: &Turn, picture: Draw<'_>) -> bool {
    match picture {
        Draw::Code(code, words) => {
            let whose = turn.words.borrow();
            let taken = (ports.draw)(Draw::Code(code, &format!("{whose} · {words}")));
            if !taken {
                (ports.words)(&whose);
            }
            turn.up.set(taken);
            taken
        }
        Draw::Words(words) => (ports.draw)(Draw::Words(words)),
        Draw::Cover(words) => (ports.draw)(Draw::Cover(words)),
        Draw::Leave => (ports.draw)(Draw::Leave),
    }
}

impl Line<'_> {
    fn event(&mut self, event: Event) {
        match event {
            Event::Conveyor(Some(view)) => self.viewed(*view),
            Event::Conveyor(None) | Event::Stopped => self.over = true,
            Event::Login(event) => self.login(&event),
            Event::Account(account) => {
                if let Some(known) = self.accounts.get_mut(&account.wc_id) {
                    *known = *account;
                }
            }
            // Each list may fail in another way; that it fails is told once.
            Event::Fleet(Fleet::Failing { reason, .. }) if self.failing == Some(reason) => {}
            Event::Fleet(Fleet::Failing { reason, gateway_message, detail, .. }) => {
                self.failing = Some(reason);
                let gateway = gateway_message.as_deref();
                let words = with_detail(reason_words(self.printer.lang, reason, gateway), reason, gateway, &detail);
                self.above(&words);
                if reason == Reason::GatewayDown {
                    self.above(&t(self.printer.lang, "all_offline.waits"));
                }
            }
            Event::Rejected { reason, gateway_message, detail, .. } => {
                let gateway = gateway_message.as_deref();
                let words = with_detail(reason_words(self.printer.lang, reason, gateway), reason, gateway, &detail);
                self.above(&words);
            }
            Event::Fault { message } => self.above(&message),
            Event::Fleet(Fleet::Ok { .. }) => self.failing = None,
            Event::Accounts(_)
            | Event::AccountRemoved(_)
            | Event::Busy { .. }
            | Event::WIdChanged { .. }
            | Event::Dropped { .. }
            | Event::Recovered { .. }
            | Event::LoginNeeded { .. }
            | Event::TakenOffline { .. }
            | Event::MassDrop { .. }
            | Event::Outage { .. }
            | Event::OutageOver { .. }
            | Event::ObservationLost { .. }
            | Event::ObservationBack { .. }
            | Event::OfflineReason { .. }
            | Event::History(_)
            | Event::Strips(_)
            | Event::Store { .. }
            | Event::Fleet(Fleet::Asking | Fleet::NeedsPassword)
            | Event::Token(_) => {}
        }
    }

    // ── The conveyor ─────────────────────────────────────────────────────────────────────────────────────────────

    fn viewed(&mut self, view: ConveyorView) {
        let before = self.view.as_ref().map(|view| view.phase);
        let phase = view.phase;
        self.view = Some(view);
        if before == Some(phase) || self.left.is_some() {
            return;
        }
        match phase {
            Phase::Preview => self.preview(),
            Phase::Running => {}
            Phase::Paused => self.paused(),
            Phase::Done => self.over = true,
        }
    }

    fn preview(&mut self) {
        let Some(view) = &self.view else { return };
        if view.items.is_empty() {
            self.say("all_offline.nobody", &[]);
            self.over = true;
            return;
        }
        let (second, codes, resting) = view.counts();
        let counts = [
            ("count", view.items.len().to_string()),
            ("second", second.to_string()),
            ("codes", codes.to_string()),
            ("resting", resting.to_string()),
        ];
        self.say("all_offline.preview", &counts.each_ref().map(|(key, value)| (*key, value.as_str())));
        for item in &view.items {
            let what = match &item.place {
                Place::Resting { until } => {
                    self.words("all_offline.resting", &[("until", &local(*until, "%m-%d %H:%M"))])
                }
                Place::WaitsForCode => self.words("all_offline.code", &[]),
                Place::WaitsToRing | Place::Ringing | Place::Shown | Place::Done | Place::Left(_) => {
                    self.words("all_offline.second", &[])
                }
            };
            let (holder, account) = (self.holder(&item.wc_id), self.label(&item.wc_id));
            self.say("all_offline.line", &[("holder", &holder), ("account", &account), ("what", &what)]);
        }
        if view.total() == 0 {
            self.say("all_offline.all_rest", &[]);
            self.over = true;
        } else if self.yes {
            self.wish(ConveyorWish::Start);
        } else {
            self.ask(Question::Begin);
        }
    }

    fn paused(&mut self) {
        let Some(view) = &self.view else { return };
        let (left, total) = (view.total() - view.settled(), view.total());
        let numbers = [left.to_string(), total.to_string()];
        let [left, total] = numbers.each_ref().map(String::as_str);
        let words = match self.trouble {
            Some(reason) => reason_words(self.printer.lang, reason, None),
            None => self.words("all_offline.paused", &[("left", left), ("total", total)]),
        };
        self.above(&words);
        if self.ports.ask.is_some() {
            self.ask(Question::GoOn);
        } else {
            self.give_up();
        }
    }

    /// Nobody is there to go on.
    fn give_up(&mut self) {
        let exit = self.trouble.map_or(Exit::Expired, |reason| Exit::of_reason(reason, false));
        self.stop(exit);
    }

    /// Asks on a thread of its own; where nobody can be asked the answer is no.
    fn ask(&self, question: Question) {
        let key = match question {
            Question::Begin => "all_offline.question",
            Question::GoOn => "all_offline.go_on",
        };
        let (questions, words) = (self.questions.clone(), t(self.printer.lang, key).into_owned());
        let Some(ask) = self.ports.ask.clone() else {
            let _ = questions.send((question, false));
            return;
        };
        tokio::task::spawn_blocking(move || {
            use secrecy::ExposeSecret as _;
            let yes = ask(&words).is_some_and(|answer| out::is_yes(answer.expose_secret()));
            // When nobody listens any more the command is over.
            let _ = questions.send((question, yes));
        });
    }

    fn decided(&mut self, question: Question, yes: bool) {
        if self.left.is_some() {
            return;
        }
        match (question, yes) {
            (Question::Begin, true) => self.wish(ConveyorWish::Start),
            (Question::Begin, false) => {
                self.say("cli.error.not_done", &[]);
                self.stop(Exit::Other);
            }
            (Question::GoOn, true) => {
                self.trouble = None;
                self.wish(ConveyorWish::Resume);
            }
            (Question::GoOn, false) => self.give_up(),
        }
    }

    fn wish(&self, wish: ConveyorWish) {
        (self.ports.send)(Command::Conveyor(wish));
    }

    /// Nothing more is sent; what is open is cancelled, which hides it.
    fn stop(&mut self, exit: Exit) {
        self.left = Some(exit);
        self.wish(ConveyorWish::Stop);
    }

    fn is_over(&self) -> bool {
        // What has just come online has yet to say so; a dialog that nobody needs any more is not waited for.
        self.over && self.open.is_empty()
    }

    // ── Its logins ───────────────────────────────────────────────────────────────────────────────────────────────

    fn login(&mut self, event: &LoginEvent) {
        match &event.step {
            LoginStep::Started { .. } => {
                self.open.insert(event.attempt.clone());
            }
            LoginStep::Failed { reason, .. } => match reason {
                Reason::GatewayDown | Reason::SlotsFull | Reason::PlatformFrozen | Reason::PlatformExpired => {
                    self.trouble = Some(*reason);
                }
                // Logins that may wait for another token do; this one may not, nor may the next.
                Reason::TokenRejected if self.left.is_none() => self.stop(Exit::Token),
                _ => {}
            },
            LoginStep::SecondLoginFailed { .. } => {
                self.fell.insert(event.attempt.clone());
            }
            LoginStep::LoggedIn { .. } | LoginStep::Adopted { .. } | LoginStep::Scanned => self.trouble = None,
            _ => {}
        }
        if event.step.ends() {
            self.open.remove(&event.attempt);
        }
        self.tell(event);
        if let LoginStep::VerifyCodeRequired { .. } = event.step {
            self.teller.verify(event);
        }
    }

    fn tell(&mut self, event: &LoginEvent) {
        let is_code = matches!(event.step, LoginStep::Qr { .. });
        let of_drawn = self.drawn.as_ref().is_some_and(|drawn| drawn.attempt == event.attempt);
        if is_code {
            self.turn.words.replace(self.turn_words(event));
            self.drawn = Some(event.clone());
        }
        if is_code || of_drawn {
            self.teller.picture(event);
        }
        if of_drawn && event.step.ends() {
            self.drawn = None;
        }
        if self.json || is_code || of_drawn {
            return self.teller.tell(event);
        }
        // What other logins do is told above the code; that they are asked for is not worth a line.
        let noise = matches!(
            event.step,
            LoginStep::Started { .. }
                | LoginStep::Requesting { .. }
                | LoginStep::Waiting
                | LoginStep::PollBroken { .. }
                | LoginStep::SteppedDown { .. }
        );
        let ends = matches!(event.step, LoginStep::Failed { .. } | LoginStep::Expired { .. });
        let said = ends && self.fell.contains(&event.attempt);
        if !(noise || said) {
            self.around(|line| line.teller.say(event));
        }
    }

    /// Says something above the code that is up.
    fn above(&self, words: &str) {
        self.around(|line| (line.ports.words)(&clean(words)));
    }

    fn around(&self, say: impl Fn(&Self)) {
        let up = self.drawn.as_ref().filter(|_| self.turn.up.get());
        if up.is_some() {
            (self.ports.draw)(Draw::Leave);
        }
        say(self);
        if let Some(event) = up {
            self.turn.words.replace(self.turn_words(event));
            self.teller.tell(event);
        }
    }

    fn verified(&mut self, attempt: AttemptId, code: Option<secrecy::SecretString>) {
        if code.is_none()
            && let Some((wc_id, _)) = self.view.as_ref().and_then(|view| view.shown.clone())
        {
            self.unverified.insert(wc_id);
        }
        self.teller.answer(attempt, code);
    }

    // ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────

    fn turn_words(&self, event: &LoginEvent) -> String {
        let (number, total) = self.view.as_ref().map_or((0, 0), |view| (view.number(), view.total()));
        let holder = event.wc_id.as_ref().map(|wc_id| self.holder(wc_id)).unwrap_or_default();
        let numbers = [number.to_string(), total.to_string()];
        let [number, total] = numbers.each_ref().map(String::as_str);
        self.words("all_offline.turn", &[("number", number), ("total", total), ("holder", &holder)])
    }

    fn holder(&self, wc_id: &WcId) -> String {
        let holder = self.accounts.get(wc_id).map(|account| account.holder.trim()).unwrap_or_default();
        if holder.is_empty() { self.words("all_offline.no_holder", &[]) } else { clean(holder).into_owned() }
    }

    fn label(&self, wc_id: &WcId) -> String {
        self.accounts.get(wc_id).map_or_else(|| clean(wc_id.as_str()).into_owned(), resolve::label)
    }

    fn words(&self, key: &str, values: &[(&str, &str)]) -> String {
        clean(&tf(self.printer.lang, key, values)).into_owned()
    }

    fn say(&self, key: &str, values: &[(&str, &str)]) {
        (self.ports.words)(&self.words(key, values));
    }

    /// What it came to.
    fn end(self) -> Exit {
        let Some(view) = &self.view else { return self.left.unwrap_or(Exit::Other) };
        if view.phase != Phase::Preview {
            let done = view.items.iter().filter(|item| item.place == Place::Done).count().to_string();
            self.say("all_offline.done", &[("done", &done), ("total", &view.items.len().to_string())]);
        }
        match self.left {
            Some(signal @ (Exit::Interrupted | Exit::Terminated | Exit::Hangup)) => signal,
            left => Exit::of_all(view.items.iter().map(|item| match &item.place {
                Place::Done => Exit::Done,
                Place::Resting { .. } => Exit::Resting,
                _ if self.unverified.contains(&item.wc_id) => Exit::Verification,
                Place::Left(reason) => Exit::of_reason(*reason, true),
                Place::WaitsToRing | Place::Ringing | Place::WaitsForCode | Place::Shown => left.unwrap_or(Exit::Other),
            })),
        }
    }
}

#[cfg(test)]
mod tests;
