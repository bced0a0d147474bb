//! `saoma login` and `saoma second-login`: wishes go to the engine, its events come out as JSON lines or words.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::args::{LoginArgs, SecondLoginArgs};
use super::context::{Context, now};
use super::exit::Exit;
use super::fail::Failure;
use super::out;
use super::png::PngFile;
use super::printer::{Printer, Words, outcome};
use super::resolve::{self, Asked};
use crate::engine::api::{Command, Event, LoginEvent, LoginStep, StepDown, Way};
use crate::i18n::{t, tf};
use crate::model::text::typed_code;
use crate::model::{Account, Attempt, AttemptId, AttemptState, Reason, Stamp, WcId};
use crate::qr::Code;

/// How long a cancelled attempt may take to say so.
const GRACE: Duration = Duration::from_secs(2);

/// What is wished for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom; `None` is a new account.
    pub wishes: Vec<Option<WcId>>,
    /// How.
    pub way: Way,
    /// An attempt that waits for its verification code is there already: nothing new is started.
    pub resume: Option<AttemptId>,
    /// Whose phones may come although a new account is wished for: the accounts that are there.
    pub known: HashSet<WcId>,
    /// Give up after this long.
    pub timeout: Option<Duration>,
    /// The first answer to a question for a verification code.
    pub verify_code: Option<SecretString>,
    /// Where to write the code.
    pub png: Option<PathBuf>,
    /// New codes after an expired one: an option of the engine.
    pub renew: u8,
    /// Log in although the account rests: an option of the engine.
    pub force: bool,
    /// Why nobody could see a code, if so: told when one is due.
    pub unseen: Option<Failure>,
}

impl Plan {
    /// What `login` wishes for. `accounts` and `attempts` are the store's.
    pub fn login(
        context: &Context,
        args: LoginArgs,
        accounts: &[Account],
        attempts: &[Attempt],
    ) -> Result<Self, Failure> {
        let verify_code = args.verify_code.as_deref().map(typed_code);
        if verify_code.as_deref() == Some("") {
            return Err(Failure::usage(context.t("cli.login.no_code")));
        }
        let asked = Asked::one(args.account.as_ref(), args.name.as_ref());
        let wc_id = if asked.is_empty() { None } else { Some(resolve::resolve_one(context, accounts, asked)?.wc_id) };
        let resume =
            if args.verify_code.is_some() { Some(pending(context, accounts, attempts, wc_id.as_ref())?) } else { None };
        let wc_id = resume.as_ref().map_or(wc_id, |attempt| attempt.wc_id.clone());
        let known = if wc_id.is_none() {
            accounts.iter().map(|account| account.wc_id.clone()).collect()
        } else {
            HashSet::new()
        };
        Ok(Self {
            resume: resume.map(|attempt| attempt.id),
            wishes: vec![wc_id],
            known,
            way: if args.ladder { Way::Ladder } else { Way::Qr },
            timeout: args.options.timeout,
            verify_code: verify_code.map(SecretString::from),
            png: args.qr_png,
            renew: args.renew.unwrap_or(if out::can_draw() { 5 } else { 0 }),
            force: args.options.force,
            unseen: None,
        })
    }

    /// What concerns every kind of login, with no wish in it.
    pub fn none(args: LoginArgs) -> Self {
        Self {
            wishes: Vec::new(),
            way: Way::Ladder,
            resume: None,
            known: HashSet::new(),
            timeout: args.options.timeout,
            verify_code: None,
            png: args.qr_png,
            renew: 0,
            force: args.options.force,
            unseen: None,
        }
    }

    /// What `second-login` wishes for.
    pub fn second_login(context: &Context, args: &SecondLoginArgs, accounts: &[Account]) -> Result<Self, Failure> {
        let chosen = resolve::resolve(context, accounts, Asked::new(&args.accounts, &args.name))?;
        Ok(Self {
            wishes: chosen.into_iter().map(|account| Some(account.wc_id)).collect(),
            way: Way::Second,
            resume: None,
            known: HashSet::new(),
            timeout: args.options.timeout,
            verify_code: None,
            png: None,
            renew: 0,
            force: args.options.force,
            unseen: None,
        })
    }
}

/// The attempt that a verification code is for: the account's, or without one the only one that is pending: one that
/// somebody waited for, else one that is listened to by now, and none of an account that was logged in since. Several
/// are a usage error that names them. Where nothing is pending, it is over: no new code is asked for with an old one's.
fn pending(
    context: &Context,
    accounts: &[Account],
    attempts: &[Attempt],
    wc_id: Option<&WcId>,
) -> Result<Attempt, Failure> {
    let newest = waiting(accounts, attempts, wc_id, now());
    match newest.as_slice() {
        [] => {
            let failure =
                Failure::new(Exit::Expired, Reason::NobodyScanned.code(), context.t("cli.login.nothing_pending"));
            Err(failure.hint(context.t("cli.login.nothing_pending_hint")))
        }
        [attempt] => Ok((*attempt).clone()),
        several => {
            let name = |attempt: &&Attempt| match &attempt.wc_id {
                Some(wc_id) => accounts
                    .iter()
                    .find(|account| account.wc_id == *wc_id)
                    .map_or_else(|| wc_id.to_string(), resolve::label),
                None => context.t("cli.login.anyone"),
            };
            let names: Vec<String> = several.iter().map(name).collect();
            Err(Failure::usage(context.tf("cli.login.several_pending", &[("accounts", &names.join(", "))])))
        }
    }
}

/// The attempts that a verification code may be for, of each account the newest one.
fn waiting<'a>(accounts: &[Account], attempts: &'a [Attempt], wc_id: Option<&WcId>, now: Stamp) -> Vec<&'a Attempt> {
    let alive = |attempt: &&Attempt| wc_id.is_some() || attempt.deadline.is_some_and(|deadline| now < deadline);
    let mut waiting: Vec<&Attempt> = attempts
        .iter()
        .filter(|attempt| attempt.state != AttemptState::Ended && attempt.w_id.is_some())
        .filter(|attempt| wc_id.is_none() || attempt.wc_id.as_ref() == wc_id)
        .filter(alive)
        .collect();
    // Of one account the newest code counts; older ones are listened to, hidden, after a renewal.
    waiting.sort_by_key(|attempt| (attempt.state == AttemptState::Open, attempt.requested));
    let mut newest: Vec<&Attempt> = Vec::new();
    for attempt in waiting.into_iter().rev() {
        let again = newest.iter().any(|known| known.wc_id == attempt.wc_id);
        if !again || (attempt.wc_id.is_none() && attempt.state == AttemptState::Open) {
            newest.push(attempt);
        }
    }
    if wc_id.is_none() {
        let settled = |wc_id: &WcId| Some(accounts.iter().find(|account| account.wc_id == *wc_id)?.settled);
        let is_open = |attempt: &&Attempt| attempt.state == AttemptState::Open;
        newest
            .retain(|attempt| attempt.wc_id.as_ref().and_then(settled).is_none_or(|order| order <= attempt.requested));
        if newest.iter().any(is_open) {
            newest.retain(is_open);
        }
    }
    newest
}

/// Asks a person and waits for the answer; runs on a thread of its own.
pub type Ask = Arc<dyn Fn(&str) -> Option<SecretString> + Send + Sync>;

/// What is to be drawn on a plain terminal.
#[derive(Clone, Copy, Debug)]
pub enum Draw<'a> {
    /// A code with words under it, over what was drawn before.
    Code(&'a Code, &'a str),
    /// Other words under the code.
    Words(&'a str),
    /// The code is over, the next one comes in its place: words there meanwhile.
    Cover(&'a str),
    /// The code is over, and what comes now is written below.
    Leave,
}

/// The ways out of [`drive`].
pub struct Ports<'a> {
    /// Into the engine.
    pub send: &'a dyn Fn(Command),
    /// Writes data to stdout: one or more whole lines, without the last line break.
    pub data: &'a dyn Fn(&str),
    /// Writes a line of words to stderr.
    pub words: &'a dyn Fn(&str),
    /// Draws on a plain terminal; false where that took no words, so that they are to be said elsewhere.
    pub draw: &'a dyn Fn(Draw<'_>) -> bool,
    /// A code as PNG.
    pub png: &'a dyn Fn(&Code) -> Result<Vec<u8>, String>,
    /// Asks for a verification code; `None` when there is nobody to ask.
    pub ask: Option<Ask>,
}

impl fmt::Debug for Ports<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").field("ask", &self.ask.is_some()).finish_non_exhaustive()
    }
}

/// Asks on this terminal, if it is one.
pub fn ask_here() -> Option<Ask> {
    out::can_ask().then(|| -> Ask {
        let answer = |question: &str| out::ask(question).map(|answer| typed_code(&answer));
        Arc::new(move |question| answer(question).filter(|answer| !answer.is_empty()).map(SecretString::from))
    })
}

/// One wish and what became of it.
#[derive(Debug)]
struct Wish {
    wc_id: Option<WcId>,
    attempt: Option<AttemptId>,
    /// Whether a phone was shown something.
    phone: bool,
    outcome: Option<Exit>,
}

/// Tells what logins do, and answers what they ask.
pub(super) struct Driver<'a> {
    ports: &'a Ports<'a>,
    printer: &'a Printer,
    json: bool,
    wishes: Vec<Wish>,
    known: HashSet<WcId>,
    verify_code: Option<SecretString>,
    png: Option<PngFile>,
    unseen: Option<Failure>,
    stopping: Option<Exit>,
    answers: UnboundedSender<(AttemptId, Option<SecretString>)>,
}

/// Puts the wishes to the engine and tells what happens until each is over; the exit code of design.md §5. A signal or
/// the timeout cancels what is open (which hides it; the phone still shows its dialog).
pub async fn drive(
    plan: Plan,
    ports: &Ports<'_>,
    printer: &Printer,
    json: bool,
    events: &mut UnboundedReceiver<Event>,
    interrupts: &mut UnboundedReceiver<Exit>,
) -> Exit {
    let (answers, mut answered) = unbounded_channel();
    let mut driver = Driver {
        ports,
        printer,
        json,
        wishes: plan
            .wishes
            .iter()
            .map(|wc_id| Wish { wc_id: wc_id.clone(), attempt: plan.resume.clone(), phone: false, outcome: None })
            .collect(),
        known: plan.known,
        verify_code: plan.verify_code,
        png: plan.png.map(PngFile::new),
        unseen: plan.unseen,
        stopping: None,
        answers,
    };
    if plan.resume.is_none() {
        for wc_id in plan.wishes {
            (ports.send)(Command::Login { wc_id, way: plan.way, force: plan.force });
        }
    }
    // Far enough away to be never, where there is no limit.
    let limit = tokio::time::sleep(plan.timeout.unwrap_or(Duration::from_secs(365 * 24 * 3600)));
    tokio::pin!(limit);
    while driver.wishes.iter().any(|wish| wish.outcome.is_none()) {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => driver.event(event),
                None => break,
            },
            Some(exit) = interrupts.recv() => {
                if driver.stopping.is_some() {
                    return exit;
                }
                driver.stop(exit);
                limit.as_mut().reset(tokio::time::Instant::now() + GRACE);
            }
            Some((attempt, code)) = answered.recv() => driver.answer(attempt, code),
            () = &mut limit => {
                if driver.stopping.is_some() {
                    break;
                }
                driver.stop(Exit::Expired);
                limit.as_mut().reset(tokio::time::Instant::now() + GRACE);
            }
        }
    }
    driver.end()
}

impl<'a> Driver<'a> {
    /// One that follows no wishes of its own: it is told what to tell.
    pub(super) fn teller(
        ports: &'a Ports<'a>,
        printer: &'a Printer,
        json: bool,
        png: Option<PathBuf>,
        answers: UnboundedSender<(AttemptId, Option<SecretString>)>,
    ) -> Self {
        let (wishes, png) = (Vec::new(), png.map(PngFile::new));
        let (known, verify_code, unseen, stopping) = (HashSet::new(), None, None, None);
        Self { ports, printer, json, wishes, known, verify_code, png, unseen, stopping, answers }
    }
}

impl Driver<'_> {
    fn event(&mut self, event: Event) {
        match event {
            Event::Login(event) => self.login(event),
            Event::Busy { wc_id, attempt } => self.busy(wc_id.as_ref(), attempt),
            Event::Rejected { wc_id, reason, gateway_message, detail } => {
                let exit = Exit::of_reason(reason, false);
                let gateway = gateway_message.as_deref();
                let failure = Failure::of_reason(self.printer.lang, reason, gateway, exit).because(reason, &detail);
                self.refuse(wc_id.as_ref(), &failure);
            }
            Event::Fault { message } => (self.ports.words)(&message),
            Event::Stopped => {
                for wish in self.wishes.iter_mut().filter(|wish| wish.outcome.is_none()) {
                    wish.outcome = Some(Exit::Other);
                }
            }
            Event::Accounts(_)
            | Event::Account(_)
            | Event::AccountRemoved(_)
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
            | Event::Conveyor(_)
            | Event::History(_)
            | Event::Strips(_)
            | Event::Store { .. }
            | Event::Fleet(_)
            | Event::Token(_) => {}
        }
    }

    /// Which wish a step belongs to: by attempt; the first steps by account; and a success of the account that was
    /// asked for counts whatever attempt brought it (a late scan of a renewed code has an attempt of its own).
    fn wish_of(&mut self, event: &LoginEvent) -> Option<&mut Wish> {
        let step = &event.step;
        let begins = matches!(step, LoginStep::Started { .. });
        let resumes = matches!(step, LoginStep::Resumed { .. });
        let succeeds = matches!(step, LoginStep::LoggedIn { .. } | LoginStep::Adopted { .. });
        let at = self.wishes.iter().position(|wish| wish.attempt.as_ref() == Some(&event.attempt)).or_else(|| {
            self.wishes.iter().position(|wish| {
                let same = wish.wc_id == event.wc_id;
                wish.outcome.is_none()
                    && same
                    && ((begins && wish.attempt.is_none())
                        || (resumes && wish.attempt.is_none() && wish.wc_id.is_some())
                        || (succeeds && wish.wc_id.is_some()))
            })
        })?;
        let wish = self.wishes.get_mut(at)?;
        if wish.attempt.is_none() {
            wish.attempt = Some(event.attempt.clone());
        }
        Some(wish)
    }

    fn login(&mut self, event: LoginEvent) {
        let stopping = self.stopping;
        let Some(wish) = self.wish_of(&event) else { return };
        if wish.outcome.is_some() {
            return;
        }
        if matches!(event.step, LoginStep::SecondLoginSent { .. } | LoginStep::Qr { .. } | LoginStep::Waiting) {
            wish.phone = true;
        }
        wish.outcome = match (&event.step, stopping) {
            (LoginStep::Cancelled, Some(exit)) => Some(exit),
            (step, _) => outcome(step, wish.phone),
        };
        let any_phone = wish.wc_id.is_none();
        self.picture(&event);
        self.tell(&event);
        if any_phone && let (LoginStep::LoggedIn { .. }, Some(wc_id)) = (&event.step, &event.wc_id) {
            self.tell_known(wc_id, &event.account);
        }
        if let LoginStep::VerifyCodeRequired { .. } = event.step {
            self.verify(&event);
        }
    }

    /// A code for any phone was scanned by an account that is known: it lives on a new device now.
    fn tell_known(&self, wc_id: &WcId, name: &str) {
        if self.known.contains(wc_id) {
            let (who, wc_id) = (if name.trim().is_empty() { wc_id.as_str() } else { name }, wc_id.as_str());
            let words = tf(self.printer.lang, "cli.login.known_account", &[("who", who), ("wc_id", wc_id)]);
            (self.ports.words)(&crate::model::text::clean(&words));
        }
    }

    /// Writes the code's picture, or removes it when the code is over.
    pub(super) fn picture(&mut self, event: &LoginEvent) {
        let Some(file) = &mut self.png else { return };
        match &event.step {
            LoginStep::Qr { code, .. } => {
                if let Err(detail) = (self.ports.png)(code).and_then(|png| file.put(&png)) {
                    file.remove();
                    (self.ports.words)(&crate::model::text::clean(&detail));
                }
            }
            LoginStep::Expired { .. } => file.remove(),
            step if step.ends() => file.remove(),
            _ => {}
        }
    }

    pub(super) fn tell(&self, event: &LoginEvent) {
        let png = self.png.as_ref().map(PngFile::path).filter(|path| path.exists());
        if self.json {
            match self.printer.object(event, png) {
                Some(object) => (self.ports.data)(&object.to_string()),
                // What JSON has no event for is still said: a picture that cannot be read, a line that broke.
                None if !matches!(event.step, LoginStep::Started { .. } | LoginStep::Requesting { .. }) => {
                    self.say(event);
                }
                None => {}
            }
            return;
        }
        let draw = |picture: Draw<'_>| (self.ports.draw)(picture);
        let words = || match self.printer.words(event) {
            Some(Words::Data(words) | Words::Note(words)) => words,
            None => String::new(),
        };
        let taken = match &event.step {
            LoginStep::Qr { code, payload, .. } => {
                let shown = self.printer.show_payload.then(|| payload.expose_secret());
                let mut words = words();
                if let Some(payload) = shown {
                    // With the code, so that it goes with it.
                    words = format!("{words} {}", crate::model::text::clean(payload));
                }
                let taken = draw(Draw::Code(code, &words));
                if let Some(payload) = shown.filter(|_| !taken) {
                    (self.ports.data)(payload);
                }
                taken
            }
            LoginStep::Expired { renewing: true } => draw(Draw::Cover(&words())),
            LoginStep::Waiting => true,
            LoginStep::Started { .. } | LoginStep::Requesting { .. } | LoginStep::PollBroken { .. } => {
                draw(Draw::Words(&words()))
            }
            LoginStep::Resumed { .. }
            | LoginStep::SteppedDown { .. }
            | LoginStep::WaitingForToken
            | LoginStep::OverBudget { .. }
            | LoginStep::SecondLoginSent { .. }
            | LoginStep::SecondLoginFailed { .. }
            | LoginStep::NoPicture { .. }
            | LoginStep::Scanned
            | LoginStep::VerifyCodeRequired { .. }
            | LoginStep::DeviceVerification { .. }
            | LoginStep::LoggedIn { .. }
            | LoginStep::Adopted { .. }
            | LoginStep::WrongAccount { .. }
            | LoginStep::Expired { renewing: false }
            | LoginStep::Cancelled
            | LoginStep::Superseded
            | LoginStep::TakenOver { .. }
            | LoginStep::Failed { .. } => {
                draw(Draw::Leave);
                false
            }
        };
        if !taken {
            self.say(event);
        }
    }

    pub(super) fn say(&self, event: &LoginEvent) {
        // A code is due: why nobody could see it says more than that.
        let due = match &event.step {
            LoginStep::SteppedDown { why, .. } => *why == StepDown::NowhereToShow,
            LoginStep::Failed { reason, .. } => *reason == Reason::NowhereToShow,
            _ => false,
        };
        if let Some(unseen) = self.unseen.as_ref().filter(|_| due) {
            self.complain("", unseen);
            return;
        }
        match self.printer.words(event) {
            Some(Words::Data(words)) => (self.ports.data)(&words),
            Some(Words::Note(words)) => (self.ports.words)(&words),
            None => {}
        }
    }

    /// Gives the code from the command line, else asks; with nobody to ask the attempt is left pending (exit 8).
    pub(super) fn verify(&mut self, event: &LoginEvent) {
        let attempt = event.attempt.clone();
        if let Some(code) = self.verify_code.take() {
            (self.ports.send)(Command::VerifyCode { attempt, code });
            return;
        }
        let Some(ask) = self.ports.ask.clone() else {
            self.answer(attempt, None);
            return;
        };
        let (answers, question) = (self.answers.clone(), t(self.printer.lang, "cli.login.ask_code").into_owned());
        tokio::task::spawn_blocking(move || {
            // When nobody listens any more the attempt is over.
            let _ = answers.send((attempt, ask(&question)));
        });
    }

    pub(super) fn answer(&mut self, attempt: AttemptId, code: Option<SecretString>) {
        if let Some(code) = code {
            (self.ports.send)(Command::VerifyCode { attempt, code });
            return;
        }
        let mut account = String::new();
        for wish in self.wishes.iter_mut().filter(|wish| wish.attempt.as_ref() == Some(&attempt)) {
            wish.outcome.get_or_insert(Exit::Verification);
            // A new account has no name yet: its login is found without one.
            account = wish
                .wc_id
                .as_ref()
                .map(|wc_id| format!(" {}", crate::model::text::clean(wc_id.as_str())))
                .unwrap_or_default();
        }
        (self.ports.words)(&tf(self.printer.lang, "cli.login.verify_later", &[("account", &account)]));
    }

    /// An attempt of our own on the account (one that was resumed) is the one to follow; another's is in the way.
    fn busy(&mut self, wc_id: Option<&WcId>, attempt: Option<AttemptId>) {
        let waiting = |wish: &&mut Wish| wish.outcome.is_none() && wish.wc_id.as_ref() == wc_id;
        if let Some(attempt) = attempt {
            if let Some(wish) = self.wishes.iter_mut().find(waiting) {
                wish.attempt = Some(attempt);
            }
            return;
        }
        let lang = self.printer.lang;
        let failure = Failure::new(Exit::Busy, "busy", t(lang, "cli.login.busy")).hint(t(lang, "cli.login.busy_hint"));
        self.refuse(wc_id, &failure);
    }

    fn refuse(&mut self, wc_id: Option<&WcId>, failure: &Failure) {
        let wish = self.wishes.iter_mut().find(|wish| wish.outcome.is_none() && wish.wc_id.as_ref() == wc_id);
        let Some(wish) = wish else { return };
        wish.outcome = Some(failure.exit);
        if self.json {
            let mut object = failure.json(now(), Some(&self.printer.profile));
            if let Some(map) = object.as_object_mut() {
                map.insert("wc_id".into(), serde_json::json!(wc_id));
            }
            (self.ports.data)(&object.to_string());
            return;
        }
        let who = wc_id.map(|wc_id| format!("{wc_id}: ")).unwrap_or_default();
        self.complain(&who, failure);
    }

    /// What is wrong, and what to do. `who`: whom it is about, with a colon.
    fn complain(&self, who: &str, failure: &Failure) {
        (self.ports.words)(&crate::model::text::clean(&format!("saoma: {who}{}", failure.message)));
        if let Some(hint) = &failure.hint {
            (self.ports.words)(&format!("  {hint}"));
        }
    }

    fn stop(&mut self, exit: Exit) {
        self.stopping = Some(exit);
        for wish in self.wishes.iter_mut().filter(|wish| wish.outcome.is_none()) {
            match &wish.attempt {
                Some(attempt) => (self.ports.send)(Command::Cancel { attempt: attempt.clone() }),
                None => wish.outcome = Some(exit),
            }
        }
    }

    fn end(mut self) -> Exit {
        if let Some(file) = &mut self.png {
            file.remove();
        }
        let stopping = self.stopping;
        match stopping {
            Some(exit) if exit.is_signal() => exit,
            _ => Exit::of_all(
                self.wishes.iter().map(|wish| wish.outcome.unwrap_or_else(|| stopping.unwrap_or(Exit::Other))),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
