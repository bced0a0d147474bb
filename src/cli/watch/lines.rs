//! An event of the engine → lines: a JSON object of design.md §5, words for people. Pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::context::local;
use super::super::exit::Exit;
use super::super::fail::{Failure, next_words, reason_words};
use super::super::printer::{Printer, Words};
use crate::config::Profile;
use crate::engine::api::{Event, Fleet, LoginEvent, LoginStep, Token};
use crate::i18n::{Lang, t, tf};
use crate::model::text::clean;
use crate::model::{Account, Presence, Reason, Stamp, WId, WcId, json as objects};

/// So many accounts are named in one line of words.
const NAMED: usize = 5;

/// Something to print.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// When it happened.
    pub(super) at: Stamp,
    /// For programs: stdout.
    pub(super) object: Option<Value>,
    /// For people, cleaned.
    pub(super) words: Option<String>,
    /// Whether the words belong on stderr, also where programs read stdout.
    pub(super) note: bool,
}

/// What was last known of an account.
#[derive(Clone, Debug)]
struct Known {
    name: Box<str>,
    w_id: Option<WId>,
    last_login_at: Option<Stamp>,
}

/// Makes the lines of one profile.
#[derive(Debug)]
pub(super) struct Teller {
    printer: Printer,
    gateway: String,
    dialect: &'static str,
    interval: Duration,
    known: HashMap<WcId, Known>,
    /// Accounts whose login goes on here: their end comes as an event of its own.
    open: HashSet<WcId>,
    /// New wIds of logins whose end has not been told yet.
    held: HashMap<WcId, Line>,
    ready: bool,
    token: Option<Token>,
    failing: bool,
    needs_password: bool,
}

impl Teller {
    pub(super) fn new(profile: &Profile, lang: Lang, interval: Duration) -> Self {
        Self {
            printer: Printer { profile: profile.name.clone(), lang, show_payload: false },
            gateway: profile.gateway.value.clone(),
            dialect: profile.dialect.value.name(),
            interval,
            known: HashMap::new(),
            open: HashSet::new(),
            held: HashMap::new(),
            ready: false,
            token: None,
            failing: false,
            needs_password: false,
        }
    }

    /// Whether the accounts are known.
    pub(super) const fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether there is no token that the gateway takes.
    pub(super) const fn wants_token(&self) -> bool {
        matches!(self.token, Some(Token::Missing | Token::Rejected))
    }

    /// The lines for an event.
    pub(super) fn tell(&mut self, event: Event, now: Stamp) -> Vec<Line> {
        match event {
            Event::Accounts(accounts) if !self.ready => vec![self.begin(&accounts, now)],
            Event::Accounts(accounts) => accounts.iter().flat_map(|account| self.account(account, now)).collect(),
            Event::Account(account) => self.account(&account, now),
            Event::AccountRemoved(wc_id) => {
                self.known.remove(&wc_id);
                Vec::new()
            }
            Event::Login(event) => self.login(&event),
            Event::Dropped { wc_id, account, reason, at } => vec![self.dropped(&wc_id, &account, reason, at)],
            Event::Recovered { wc_id, account, at } => {
                let words = self.say("recovered", &[("who", self.name(&account, &wc_id))]);
                vec![result(at, self.about("recovered", at, &wc_id, &account), words)]
            }
            Event::MassDrop { wc_ids, at } => vec![self.mass_drop(&wc_ids, at)],
            Event::Outage { since, at } => vec![self.outage("outage", since, at)],
            Event::OutageOver { since, at } => vec![self.outage("outage_over", since, at)],
            Event::Fleet(fleet) => self.fleet(fleet, now),
            Event::Token(token) => self.token(token, now),
            Event::Fault { message } => {
                let failure = Failure::new(Exit::Other, "fault", clean(&message));
                vec![self.error(&failure, now)]
            }
            Event::Rejected { reason, gateway_message, .. } => {
                let exit = Exit::of_reason(reason, false);
                let failure = Failure::of_reason(self.printer.lang, reason, gateway_message.as_deref(), exit);
                vec![self.error(&failure, now)]
            }
            // A new wId is told when the account itself comes, whoever found it.
            Event::WIdChanged { .. }
            | Event::Busy { .. }
            | Event::TakenOffline { .. }
            | Event::OfflineReason { .. }
            | Event::Conveyor(_)
            | Event::History(_)
            | Event::Strips(_)
            | Event::Stopped => Vec::new(),
        }
    }

    fn begin(&mut self, accounts: &[Account], now: Stamp) -> Line {
        self.ready = true;
        self.known = accounts.iter().map(|account| (account.wc_id.clone(), Known::of(account))).collect();
        let online = accounts.iter().filter(|account| account.presence == Presence::Online).count();
        let interval = self.interval.as_secs();
        let mut map = objects::event("watching", now, &self.printer.profile);
        for (key, value) in [
            ("gateway", json!(self.gateway)),
            ("dialect", json!(self.dialect)),
            ("interval_s", json!(interval)),
            ("accounts", json!(accounts.len())),
            ("online", json!(online)),
        ] {
            map.insert(key.into(), value);
        }
        let words = self.say(
            "watching",
            &[
                ("profile", self.printer.profile.clone()),
                ("count", accounts.len().to_string()),
                ("online", online.to_string()),
                ("interval", interval.to_string()),
            ],
        );
        Line { note: true, ..result(now, map, words) }
    }

    /// What another process did to an account, or a list showed: a new wId is told whoever brought it.
    fn account(&mut self, account: &Account, now: Stamp) -> Vec<Line> {
        let before = self.known.insert(account.wc_id.clone(), Known::of(account));
        let Some(w_id) = account.w_id.as_ref().filter(|_| account.w_id_confirmed) else { return Vec::new() };
        let previous = before.as_ref().and_then(|before| before.w_id.as_ref());
        let login = account.last_login_at > before.as_ref().and_then(|before| before.last_login_at);
        // A new account that a list has shown was told to nobody before.
        if (before.is_none() && !login) || (before.is_some() && previous == Some(w_id)) {
            return Vec::new();
        }
        let at = account.last_login_at.filter(|_| login).or(account.observed_at).unwrap_or(now);
        let mut lines = Vec::new();
        if login && !self.open.contains(&account.wc_id) {
            let map = objects::logged_in(at, &self.printer.profile, None, account, w_id, previous);
            let who = account.name().to_owned();
            let values = [("who", who.as_str()), ("w_id", w_id.as_str())];
            let words = clean(&tf(self.printer.lang, "cli.login.logged_in", &values)).into_owned();
            lines.push(result(at, map, words));
        }
        let cause = if login { "login" } else { "adopted" };
        let map = objects::w_id_changed(at, &self.printer.profile, account, w_id, previous, cause);
        let words = self.say("w_id_changed", &[("who", account.name().to_owned()), ("w_id", w_id.as_str().to_owned())]);
        let line = Line { words: (!login).then_some(words), ..result(at, map, String::new()) };
        if self.open.contains(&account.wc_id) {
            // After the login's own end, as the bots are told.
            self.held.insert(account.wc_id.clone(), line);
        } else {
            lines.push(line);
        }
        lines
    }

    fn login(&mut self, event: &LoginEvent) -> Vec<Line> {
        let mut held = None;
        if let Some(wc_id) = &event.wc_id {
            if event.step.ends() {
                self.open.remove(wc_id);
                held = self.held.remove(wc_id);
            } else {
                self.open.insert(wc_id.clone());
            }
        }
        // What is shown on a phone is of no use to who reads a log; the object says it all the same.
        let words = match self.printer.words(event) {
            Some(Words::Data(words) | Words::Note(words)) if !matches!(event.step, LoginStep::Requesting { .. }) => {
                Some(words)
            }
            _ => None,
        };
        let object = self.printer.object(event, None);
        let told = object.is_some() || words.is_some();
        let line = told.then_some(Line { at: event.at, object, words, note: false });
        line.into_iter().chain(held).collect()
    }

    fn dropped(&self, wc_id: &WcId, account: &str, reason: Reason, at: Stamp) -> Line {
        let lang = self.printer.lang;
        let mut map = self.about("dropped", at, wc_id, account);
        map.insert("reason".into(), json!(reason.code()));
        map.insert("message".into(), json!(reason_words(lang, reason, None)));
        let words = self.say(
            "dropped",
            &[
                ("who", self.name(account, wc_id)),
                ("why", reason_words(lang, reason, None)),
                ("next", next_words(lang, reason).into_owned()),
            ],
        );
        result(at, map, words)
    }

    fn mass_drop(&self, wc_ids: &[WcId], at: Stamp) -> Line {
        let mut map = objects::event("mass_drop", at, &self.printer.profile);
        map.insert("count".into(), json!(wc_ids.len()));
        map.insert("wc_ids".into(), json!(wc_ids));
        let mut names: Vec<String> = wc_ids.iter().take(NAMED).map(|wc_id| self.name("", wc_id)).collect();
        if wc_ids.len() > NAMED {
            names.push("…".to_owned());
        }
        let words = self.say("mass_drop", &[("count", wc_ids.len().to_string()), ("accounts", names.join(", "))]);
        result(at, map, words)
    }

    fn outage(&self, event: &str, since: Stamp, at: Stamp) -> Line {
        let mut map = objects::event(event, at, &self.printer.profile);
        map.insert("since".into(), json!(since.rfc3339()));
        result(at, map, self.say(event, &[("since", local(since, "%H:%M:%S"))]))
    }

    fn fleet(&mut self, fleet: Fleet, now: Stamp) -> Vec<Line> {
        let lang = self.printer.lang;
        match fleet {
            Fleet::Failing { reason, gateway_message, .. } => {
                if std::mem::replace(&mut self.failing, true) || reason == Reason::TokenRejected {
                    return Vec::new();
                }
                let why = reason_words(lang, reason, gateway_message.as_deref());
                vec![note(now, self.say("list_failing", &[("why", why)]))]
            }
            Fleet::Ok { at } => {
                if std::mem::take(&mut self.failing) {
                    vec![note(at, self.say("list_back", &[]))]
                } else {
                    Vec::new()
                }
            }
            Fleet::NeedsPassword => {
                if std::mem::replace(&mut self.needs_password, true) {
                    return Vec::new();
                }
                let failure = Failure::of_reason(lang, Reason::NeedsPassword, None, Exit::Other);
                vec![self.error(&failure, now)]
            }
            Fleet::Asking => Vec::new(),
        }
    }

    fn token(&mut self, token: Token, now: Stamp) -> Vec<Line> {
        let before = self.token.replace(token);
        let lang = self.printer.lang;
        match token {
            Token::Ok if matches!(before, Some(Token::Missing | Token::Rejected)) => {
                vec![note(now, self.say("token_ok", &[]))]
            }
            Token::Ok => Vec::new(),
            Token::Missing | Token::Rejected if before == Some(token) => Vec::new(),
            Token::Missing => {
                let failure = Failure::new(Exit::Token, "token_missing", t(lang, "cli.error.token_missing"));
                vec![self.error(&failure.hint(t(lang, "cli.watch.token_wait")), now)]
            }
            Token::Rejected => {
                let failure = Failure::of_reason(lang, Reason::TokenRejected, None, Exit::Token);
                vec![self.error(&failure.hint(t(lang, "cli.watch.token_wait")), now)]
            }
        }
    }

    fn error(&self, failure: &Failure, at: Stamp) -> Line {
        Line {
            at,
            object: Some(failure.json(at, Some(&self.printer.profile))),
            words: Some(failure.words()),
            note: true,
        }
    }

    fn about(&self, event: &str, at: Stamp, wc_id: &WcId, account: &str) -> Map<String, Value> {
        let mut map = objects::event(event, at, &self.printer.profile);
        map.insert("wc_id".into(), json!(wc_id));
        map.insert("account".into(), json!(account));
        map
    }

    fn name(&self, told: &str, wc_id: &WcId) -> String {
        let known = || self.known.get(wc_id).map_or_else(|| wc_id.as_str().into(), |known| known.name.clone());
        if told.trim().is_empty() { known().into() } else { told.to_owned() }
    }

    fn say(&self, key: &str, values: &[(&str, String)]) -> String {
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        clean(&tf(self.printer.lang, &format!("cli.watch.{key}"), &values)).into_owned()
    }
}

impl Known {
    fn of(account: &Account) -> Self {
        Self { name: account.name().into(), w_id: account.w_id.clone(), last_login_at: account.last_login_at }
    }
}

/// Something that happened.
fn result(at: Stamp, map: Map<String, Value>, words: String) -> Line {
    Line { at, object: Some(Value::Object(map)), words: Some(words), note: false }
}

/// Something that only people are told.
const fn note(at: Stamp, words: String) -> Line {
    Line { at, object: None, words: Some(words), note: true }
}
