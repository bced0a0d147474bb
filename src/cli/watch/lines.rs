//! An event of the engine → lines: a JSON object of design.md §5, words for people. Pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::context::local;
use super::super::exit::Exit;
use super::super::fail::{Failure, next_words, reason_words, with_detail};
use super::super::printer::{Printer, Words};
use crate::engine::api::{Event, Fleet, LoginEvent, LoginStep, Token};
use crate::i18n::{Lang, t, tf};
use crate::model::text::clean;
use crate::model::{Account, Dialect, Presence, Reason, Stamp, WId, WcId, json as objects};

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
    /// Whether being off line now is the drop that every account has once (protocol.md §4, rule 4).
    first_night: bool,
    gateway_message: Option<Box<str>>,
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
    pub(super) fn new(profile: &str, gateway: &str, dialect: Dialect, lang: Lang, interval: Duration) -> Self {
        Self {
            printer: Printer { profile: profile.to_owned(), lang, show_payload: false },
            gateway: gateway.to_owned(),
            dialect: dialect.name(),
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
            Event::LoginNeeded { wc_id, account, reason, at } => vec![self.login_needed(&wc_id, &account, reason, at)],
            Event::MassDrop { wc_ids, at } => vec![self.mass_drop(&wc_ids, at)],
            Event::Outage { since, at } => vec![self.outage("outage", since, at)],
            Event::OutageOver { since, at } => vec![self.outage("outage_over", since, at)],
            Event::ObservationLost { since, reason, at } => {
                let mut line = self.outage("observation_lost", since, at);
                if let Some(Value::Object(map)) = &mut line.object {
                    map.insert("reason".into(), json!(reason.code()));
                }
                vec![line]
            }
            Event::ObservationBack { since, at } => vec![self.outage("observation_back", since, at)],
            Event::Fleet(fleet) => self.fleet(fleet, now),
            Event::Token(token) => self.token(token, now),
            Event::Fault { message } => {
                let failure = Failure::new(Exit::Other, "fault", clean(&message));
                vec![self.error(&failure, now)]
            }
            Event::Rejected { reason, gateway_message, detail, .. } => {
                let exit = Exit::of_reason(reason, false);
                let gateway = gateway_message.as_deref();
                let failure = Failure::of_reason(self.printer.lang, reason, gateway, exit).because(reason, &detail);
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
            | Event::Store { .. }
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
        let known = before.as_ref().and_then(|before| before.last_login_at);
        let login = account.last_login_at.is_some() && account.last_login_at != known;
        // A new account that a list has shown was told to nobody before.
        if (before.is_none() && !login) || (before.is_some() && previous == Some(w_id)) {
            return Vec::new();
        }
        let at = account.last_login_at.filter(|_| login).or(account.observed_at).unwrap_or(now).not_after(now);
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
        let known = self.known.get(wc_id);
        let first_night = known.is_some_and(|known| known.first_night);
        let gateway_message = known.and_then(|known| known.gateway_message.as_deref());
        let why = reason_words(lang, reason, gateway_message);
        let mut map = self.about("dropped", at, wc_id, account);
        map.insert("reason".into(), json!(reason.code()));
        map.insert("message".into(), json!(why));
        map.insert("first_night".into(), json!(first_night));
        if let Some(words) = gateway_message {
            map.insert("gateway_message".into(), json!(words));
        }
        let next = if first_night { t(lang, "cli.watch.next_first_night") } else { next_words(lang, reason) };
        let values = [("who", self.name(account, wc_id)), ("why", why), ("next", next.into_owned())];
        result(at, map, self.say("dropped", &values))
    }

    fn login_needed(&self, wc_id: &WcId, account: &str, reason: Reason, at: Stamp) -> Line {
        let lang = self.printer.lang;
        let gateway_message = self.known.get(wc_id).and_then(|known| known.gateway_message.as_deref());
        let why = reason_words(lang, reason, gateway_message);
        let mut map = self.about("login_needed", at, wc_id, account);
        map.insert("reason".into(), json!(reason.code()));
        map.insert("message".into(), json!(why));
        let values = [("who", self.name(account, wc_id)), ("why", why)];
        result(at, map, self.say("login_needed", &values))
    }

    fn mass_drop(&self, wc_ids: &[WcId], at: Stamp) -> Line {
        let mut map = objects::event("mass_drop", at, &self.printer.profile);
        map.insert("wc_ids".into(), json!(wc_ids));
        map.insert("reason".into(), json!(Reason::Dropped.code()));
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
            Fleet::Failing { reason, gateway_message, detail, .. } => {
                if std::mem::replace(&mut self.failing, true) || reason == Reason::TokenRejected {
                    return Vec::new();
                }
                let gateway = gateway_message.as_deref();
                let why = with_detail(reason_words(lang, reason, gateway), reason, gateway, &detail);
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
                let mut map = objects::event("token_rejected", now, &self.printer.profile);
                map.insert("reason".into(), json!(Reason::TokenRejected.code()));
                let object = Line { words: None, ..result(now, map, String::new()) };
                vec![object, self.error(&failure.hint(t(lang, "cli.watch.token_wait")), now)]
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
        Self {
            name: account.name().into(),
            w_id: account.w_id.clone(),
            last_login_at: account.last_login_at,
            first_night: account.is_first_drop(),
            gateway_message: account.gateway_message.clone(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AttemptId;

    fn teller() -> Teller {
        Teller::new("default", "http://h:1", Dialect::V2, Lang::En, Duration::from_secs(30))
    }

    fn account(w_id: &str, last_login_at: Option<i64>) -> Account {
        Account {
            w_id: Some(w_id.into()),
            w_id_confirmed: true,
            presence: Presence::Online,
            last_login_at: last_login_at.map(Stamp),
            nick_name: "Bela\u{1b}[31m".into(),
            ..Account::new("wxid_b".into())
        }
    }

    fn events(lines: &[Line]) -> Vec<String> {
        let name = |line: &Line| line.object.as_ref().map_or_else(|| "-".into(), |object| object["event"].to_string());
        lines.iter().map(|line| name(line).trim_matches('"').to_owned()).collect()
    }

    fn begun(accounts: Vec<Account>) -> Teller {
        let mut teller = teller();
        assert!(!teller.is_ready());
        let lines = teller.tell(Event::Accounts(accounts), Stamp(0));
        assert_eq!(events(&lines), ["watching"]);
        assert!(teller.is_ready() && lines[0].note);
        teller
    }

    #[test]
    fn a_new_w_id_is_told_once_whoever_brought_it() {
        let mut teller = begun(vec![account("w1", Some(1))]);
        let mut tell = |account: Account| events(&teller.tell(Event::Account(Box::new(account)), Stamp(9)));
        assert_eq!(tell(account("w1", Some(1))), [] as [&str; 0]);
        assert_eq!(tell(account("w2", Some(5))), ["logged_in", "w_id_changed"]);
        assert_eq!(tell(account("w2", Some(5))), [] as [&str; 0]);
        assert_eq!(tell(account("w3", Some(5))), ["w_id_changed"]);
        assert_eq!(tell(Account { w_id_confirmed: false, ..account("w4", Some(5)) }), [] as [&str; 0]);
    }

    #[test]
    fn a_login_that_goes_on_here_is_told_before_its_w_id() {
        let mut teller = begun(vec![account("w1", Some(1))]);
        let login = |step| {
            Event::Login(LoginEvent {
                attempt: AttemptId::from("a"),
                wc_id: Some("wxid_b".into()),
                account: "Bela".into(),
                at: Stamp(5),
                step,
            })
        };
        let resumed = LoginStep::Resumed { rung: crate::model::Rung::QrLogin, expires_at: None };
        assert_eq!(events(&teller.tell(login(resumed), Stamp(4))), ["resumed"]);
        let came = Event::Account(Box::new(account("w2", Some(5))));
        assert_eq!(events(&teller.tell(came, Stamp(5))), [] as [&str; 0]);
        let done = LoginStep::LoggedIn {
            w_id: "w2".into(),
            previous_w_id: Some("w1".into()),
            nick_name: "Bela".into(),
            w_account: "".into(),
        };
        assert_eq!(events(&teller.tell(login(done), Stamp(6))), ["logged_in", "w_id_changed"]);
    }

    #[test]
    fn trouble_is_told_once_and_its_end_too() {
        let mut teller = begun(Vec::new());
        let failing = || {
            Event::Fleet(Fleet::Failing {
                since: Stamp(1),
                reason: Reason::GatewayDown,
                gateway_message: None,
                detail: "".into(),
            })
        };
        assert_eq!(events(&teller.tell(failing(), Stamp(2))), ["-"]);
        assert_eq!(teller.tell(failing(), Stamp(3)), []);
        assert_eq!(events(&teller.tell(Event::Fleet(Fleet::Ok { at: Stamp(4) }), Stamp(4))), ["-"]);
        assert_eq!(teller.tell(Event::Fleet(Fleet::Ok { at: Stamp(5) }), Stamp(5)), []);
        let lines = teller.tell(Event::Token(Token::Rejected), Stamp(6));
        assert_eq!(events(&lines), ["token_rejected", "error"]);
        assert!(!lines[0].note && lines[1].note);
        assert_eq!(teller.tell(Event::Token(Token::Rejected), Stamp(7)), []);
        assert_eq!(events(&teller.tell(Event::Token(Token::Ok), Stamp(8))), ["-"]);
    }

    #[test]
    fn objects_are_exact_and_words_are_clean() {
        let mut teller = begun(vec![account("w1", Some(1))]);
        let gone = |reason| Event::Dropped { wc_id: "wxid_b".into(), account: "".into(), reason, at: Stamp(9) };
        let lines = teller.tell(gone(Reason::Dropped), Stamp(9));
        let object = lines[0].object.as_ref().unwrap();
        assert_eq!((&object["reason"], &object["first_night"]), (&json!("dropped"), &json!(false)));
        let words = lines[0].words.as_ref().unwrap();
        assert!(words.starts_with("Bela is off line: ") && !words.contains('\u{1b}'), "{words:?}");
        let lines = teller.tell(Event::MassDrop { wc_ids: vec!["wxid_b".into(); 9], at: Stamp(9) }, Stamp(9));
        let words = lines[0].words.as_ref().unwrap();
        assert!(words.contains('9') && words.contains('…'), "{words}");
        assert_eq!(lines[0].object.as_ref().unwrap()["wc_ids"].as_array().unwrap().len(), 9);
    }
}
