//! The machine's table for the documents, made by running the machine itself: every state, every event that does
//! something there, what comes of it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::{Input, Machine, Output, Phase, Picture, Remains, State, Swapped, Wish};
use crate::engine::api::{LoginStep, Way};
use crate::gateway::{Call, Error, Kind, PollReply, QrIssued};
use crate::model::{Began, Cost, Dialect, Now, Reason, Record, Rung, Stamp, WId, WcId, to_ms};
use crate::qr::Code;

/// When everything begins, in milliseconds: any time will do.
const BEGIN: i64 = 1_700_000_000_000;

/// The table as Markdown: state, event, next state, outputs. Events that change nothing are left out; what comes to the
/// same in many states stands at the end.
pub fn markdown() -> String {
    let situations = situations();
    let mut table = "| state | event | next state | outputs |\n|---|---|---|---|\n".to_owned();
    for situation in &situations {
        let mut name = situation.name;
        for event in EVENTS {
            let wanted = situation.only.map_or(!COMMON.contains(&event.0), |only| only.contains(&event.0));
            let Some((next, outputs)) = situation.outcome(event).filter(|_| wanted) else { continue };
            let next = if next == state(&situation.machine) { "the same".to_owned() } else { next };
            row(&mut table, name, event.0, &next, &outputs);
            name = "";
        }
    }
    for event in EVENTS.iter().filter(|event| COMMON.contains(&event.0)) {
        let mut groups: Vec<((String, String), Vec<&str>)> = Vec::new();
        for situation in situations.iter().filter(|situation| situation.only.is_none()) {
            let Some(outcome) = situation.outcome(event) else { continue };
            match groups.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, names)) => names.push(situation.name),
                None => groups.push((outcome, vec![situation.name])),
            }
        }
        for ((next, outputs), names) in groups {
            row(&mut table, &names.join(", "), event.0, &next, &outputs);
        }
    }
    table
}

fn row(table: &mut String, state: &str, event: &str, next: &str, outputs: &str) {
    // A `String` takes whatever is written.
    let _ = writeln!(table, "| {state} | {event} | {next} | {outputs} |");
}

/// The events that come to much the same wherever they happen.
const COMMON: &[&str] = &["secondLogin: in", "poll: in", "row cannot be written", "cancel", "a later login succeeded"];

/// A machine in some state.
struct Situation {
    name: &'static str,
    machine: Machine,
    now: Now,
    /// The events that are of interest; none: all.
    only: Option<&'static [&'static str]>,
}

impl Situation {
    /// The next state and the outputs; nothing where the event changes nothing, or cannot happen.
    fn outcome(&self, event: &Event) -> Option<(String, String)> {
        let mut machine = self.machine.clone();
        let now = if event.0 == TIME { at_wake(&machine, self.now) } else { self.now };
        let outputs: Vec<String> = machine.on(input(event, &machine)?, now).iter().map(line).collect();
        let next = state(&machine);
        (!outputs.is_empty() || next != state(&self.machine)).then(|| (next, outputs.join("; ")))
    }
}

type Event = (&'static str, fn(&Machine) -> Option<Input>);

const TIME: &str = "time";

/// Everything that can happen, with a representative of each kind.
const EVENTS: &[Event] = &[
    ("start", |_| Some(Input::Start)),
    ("not in the list", |machine| Some(listed(machine, Ok(None)))),
    ("in the list with a wId", |machine| Some(listed(machine, Ok(Some(("wxid_a".into(), Some("w2".into()))))))),
    ("in V1's list", |machine| Some(listed(machine, Ok(Some(("wxid_a".into(), None)))))),
    ("list refused", |machine| Some(listed(machine, Err(error(Call::QueryLoginWx, Kind::Refused))))),
    ("list: gateway gone", |machine| Some(listed(machine, Err(error(Call::QueryLoginWx, Kind::Unreachable))))),
    ("list: token doubted", |machine| Some(listed(machine, Err(error(Call::QueryLoginWx, Kind::TokenSuspect))))),
    ("instance answers", |machine| Some(probed(machine, Ok(PollReply::LoggedIn(record()))))),
    ("instance does not answer", |machine| Some(probed(machine, Err(error(Call::GetIPadLoginInfo, Kind::TimedOut))))),
    ("secondLogin: in", |machine| Some(second(machine, Ok(record())))),
    ("secondLogin: refused", |machine| Some(second(machine, Err(error(Call::SecondLogin, Kind::RefusedInside))))),
    ("secondLogin: nobody answered", |machine| Some(second(machine, Err(error(Call::SecondLogin, Kind::TimedOut))))),
    ("secondLogin: line broke", |machine| Some(second(machine, Err(error(Call::SecondLogin, Kind::Unreachable))))),
    ("secondLogin: token doubted", |machine| Some(second(machine, Err(error(Call::SecondLogin, Kind::TokenSuspect))))),
    ("iPadLogin: code", |machine| {
        let image_url = SecretString::from("http://127.0.0.1/1.png");
        Some(issued(machine, Ok(QrIssued { w_id: "w1".into(), image_url })))
    }),
    ("iPadLogin: refused", |machine| Some(issued(machine, Err(error(Call::IPadLogin, Kind::Refused))))),
    ("iPadLogin: token doubted", |machine| Some(issued(machine, Err(error(Call::IPadLogin, Kind::TokenSuspect))))),
    ("picture read", |machine| picture().map(|picture| pictured(machine, Ok(picture)))),
    ("picture missing", |machine| Some(pictured(machine, Err("HTTP 404".into())))),
    ("poll: in", |machine| Some(polled(machine, Ok(PollReply::LoggedIn(record()))))),
    ("poll: not done", |machine| Some(polled(machine, Ok(PollReply::NotDone { status: Some(1) })))),
    ("poll: scanned", |machine| Some(polled(machine, Ok(PollReply::NotDone { status: Some(2) })))),
    ("poll: verification code wanted", |machine| {
        Some(polled(machine, Ok(PollReply::VerifyCode { given: None, gateway_message: "".into() })))
    }),
    ("poll: device verification", |machine| {
        Some(polled(machine, Ok(PollReply::DeviceVerification { url: "URL".into() })))
    }),
    ("poll: expired", |machine| Some(polled(machine, Ok(PollReply::Expired { gateway_message: "".into() })))),
    ("poll: refused", |machine| Some(polled(machine, Err(error(Call::GetIPadLoginInfo, Kind::Refused))))),
    ("poll: line broke", |machine| Some(polled(machine, Err(error(Call::GetIPadLoginInfo, Kind::Unreachable))))),
    ("poll: token doubted", |machine| Some(polled(machine, Err(error(Call::GetIPadLoginInfo, Kind::TokenSuspect))))),
    ("token is good after all", |machine| Some(checked(machine, false))),
    ("token is dead", |machine| Some(checked(machine, true))),
    ("another token", |_| Some(Input::NewToken { was_dead: true })),
    ("no other token to be had", |_| Some(Input::NoToken)),
    (TIME, |_| Some(Input::Tick)),
    ("code typed", |_| Some(Input::VerifyCode(SecretString::from("123456")))),
    ("stored", |machine| stored(machine, State::Storing, false)),
    ("adopted", |machine| stored(machine, State::Adopting, true)),
    ("evidence outdated", |_| Some(Input::NotAdopted)),
    ("row cannot be written", |_| Some(Input::RowFailed { detail: "disk full".into() })),
    ("cancel", |_| Some(Input::Cancel)),
    ("a later login succeeded", |_| Some(Input::Supersede)),
    ("another process took it over", |_| Some(Input::TakenOver { by: "watch".into() })),
];

fn situations() -> Vec<Situation> {
    let v1 = || Wish { can_list: true, known_w_id: Some("w0".into()), ..wish(Way::Ladder, Dialect::V1) };
    let first_night = Wish { first_night: true, ..wish(Way::Ladder, Dialect::V2) };
    let first_day = Wish { first_day: true, ..wish(Way::Ladder, Dialect::V2) };
    let mut spent = wish(Way::Ladder, Dialect::V2);
    for _ in 0..spent.limits.second_logins {
        spent.budget.spend(Cost::SecondLogin, Stamp(BEGIN));
    }
    let mut rests = wish(Way::Ladder, Dialect::V2);
    rests.budget.refused(Stamp(BEGIN));
    let unseen = |first_night| Wish { shows_codes: false, first_night, ..wish(Way::Ladder, Dialect::V2) };
    let last = || Wish { renewals: 0, ..wish(Way::Qr, Dialect::V2) };
    let headless = Wish { waits_for_token: false, ..wish(Way::Qr, Dialect::V2) };
    let polling: &[&str] = &["start", "iPadLogin: code"];
    let with = |further: &[&'static str]| [polling, further].concat();
    vec![
        played("New", wish(Way::Ladder, Dialect::V2), &[], None),
        played("New, QR login", wish(Way::Qr, Dialect::V2), &[], Some(&["start"])),
        played("Listing", wish(Way::Ladder, Dialect::V2), &["start"], None),
        played(
            "Listing, seen once",
            wish(Way::Ladder, Dialect::V2),
            &["start", "in the list with a wId"],
            Some(&["in the list with a wId"]),
        ),
        played("Listing, first night", first_night, &["start"], Some(&["not in the list"])),
        played("Listing, first day", first_day, &["start"], Some(&["not in the list"])),
        played("Listing, second logins spent", spent, &["start"], Some(&["not in the list"])),
        played("Listing, second logins rest", rests, &["start"], Some(&["not in the list"])),
        played("Listing, first night, nobody would see a code", unseen(true), &["start"], Some(&["not in the list"])),
        played("Listing, V1", v1(), &["start"], Some(&["in V1's list"])),
        played("Probing", v1(), &["start", "in V1's list"], None),
        played("Second", wish(Way::Ladder, Dialect::V2), &["start", "not in the list"], None),
        played(
            "Second, no ladder",
            wish(Way::Second, Dialect::V2),
            &["start"],
            Some(&["secondLogin: refused", "secondLogin: nobody answered", "secondLogin: line broke"]),
        ),
        played(
            "Second, nobody would see a code",
            unseen(false),
            &["start", "not in the list"],
            Some(&["secondLogin: refused"]),
        ),
        played("Second, no ladder, V1", wish(Way::Second, Dialect::V1), &["start"], Some(&["secondLogin: line broke"])),
        played(
            "Second, line broke",
            wish(Way::Second, Dialect::V2),
            &["start", "secondLogin: line broke"],
            Some(&["in the list with a wId", "not in the list", "list: gateway gone", "cancel"]),
        ),
        played(
            "AwaitingToken",
            wish(Way::Second, Dialect::V2),
            &["start", "secondLogin: token doubted", "token is dead"],
            None,
        ),
        played("Requesting", wish(Way::Qr, Dialect::V2), &["start"], None),
        played("Polling: asking", wish(Way::Qr, Dialect::V2), polling, None),
        played("Polling: asking, no renewal left", last(), polling, Some(&["poll: expired"])),
        played(
            "Polling: pausing",
            wish(Way::Qr, Dialect::V2),
            &with(&["picture read", "poll: not done"]),
            Some(&[TIME]),
        ),
        played(
            "Polling: awaiting a code",
            wish(Way::Qr, Dialect::V2),
            &with(&["picture read", "poll: verification code wanted"]),
            Some(&["code typed", TIME, "cancel"]),
        ),
        played(
            "Polling: asking with a code",
            wish(Way::Qr, Dialect::V2),
            &with(&["picture read", "poll: verification code wanted", "code typed"]),
            Some(&["poll: verification code wanted", "poll: refused", "poll: not done"]),
        ),
        played(
            "Polling: checking the token",
            wish(Way::Qr, Dialect::V2),
            &with(&["picture read", "poll: token doubted"]),
            Some(&["token is dead", "token is good after all"]),
        ),
        played(
            "Polling: checking, nobody to sign in",
            headless,
            &with(&["picture read", "poll: token doubted"]),
            Some(&["token is dead"]),
        ),
        played(
            "Polling: awaiting a token",
            wish(Way::Qr, Dialect::V2),
            &with(&["picture read", "poll: token doubted", "token is dead"]),
            Some(&["another token", "no other token to be had", TIME]),
        ),
        played("Polling: hidden", wish(Way::Qr, Dialect::V2), &with(&["cancel"]), None),
        resumed("Resumed code", Some("w1"), &[], Some(&["start"])),
        resumed("Resumed code, polled", Some("w1"), &["start"], Some(&["poll: expired", "poll: refused"])),
        twin("Old code of a renewed one", &["start"], Some(&["poll: expired", "poll: refused"])),
        resumed(
            "Resumed code, the list asked",
            Some("w2"),
            &["start", "poll: expired"],
            Some(&["in the list with a wId", "not in the list"]),
        ),
        resumed("Resumed second login", None, &[], Some(&["start"])),
        resumed(
            "Resumed second login, the list asked",
            None,
            &["start"],
            Some(&["in the list with a wId", "not in the list", "list refused", "cancel"]),
        ),
        played(
            "Adopting",
            wish(Way::Ladder, Dialect::V2),
            &["start", "in the list with a wId", "in the list with a wId"],
            None,
        ),
        played("Storing", wish(Way::Second, Dialect::V2), &["start", "secondLogin: in"], None),
        played("Over", wish(Way::Second, Dialect::V2), &["start", "secondLogin: in", "stored"], None),
    ]
}

/// A visible login of somebody who can sign in, with one renewal left.
fn wish(way: Way, dialect: Dialect) -> Wish {
    Wish { waits_for_token: true, ..Wish::new(Some("wxid_a".into()), way, dialect, 1) }
}

fn played(name: &'static str, wish: Wish, events: &[&str], only: Option<&'static [&'static str]>) -> Situation {
    play(name, Machine::new(wish), events, only)
}

fn resumed(
    name: &'static str,
    w_id: Option<&str>,
    events: &[&str],
    only: Option<&'static [&'static str]>,
) -> Situation {
    let remains = Remains {
        rung: if w_id.is_some() { Rung::QrLogin } else { Rung::SecondLogin },
        w_id: w_id.map(WId::from),
        image_url: None,
        deadline: Some(Stamp(BEGIN + 60_000)),
        requested_at: Stamp(BEGIN),
        abandoned: false,
        known_w_id: Some("w0".into()),
        orphan: true,
    };
    play(name, Machine::resumed(wish(Way::Qr, Dialect::V2), remains, true), events, only)
}

/// The old code of a renewed one, listened to by the process that asked for it.
fn twin(name: &'static str, events: &[&str], only: Option<&'static [&'static str]>) -> Situation {
    let remains = Remains {
        rung: Rung::QrLogin,
        w_id: Some("w1".into()),
        image_url: None,
        deadline: Some(Stamp(BEGIN + 60_000)),
        requested_at: Stamp(BEGIN),
        abandoned: true,
        known_w_id: None,
        orphan: false,
    };
    play(name, Machine::resumed(wish(Way::Qr, Dialect::V2), remains, false), events, only)
}

fn play(name: &'static str, mut machine: Machine, events: &[&str], only: Option<&'static [&'static str]>) -> Situation {
    let now = Now { wall: Stamp(BEGIN), mono: Duration::ZERO };
    for name in events {
        let event = EVENTS.iter().find(|event| event.0 == *name);
        if let Some(input) = event.and_then(|event| input(event, &machine)) {
            machine.on(input, now);
        }
    }
    Situation { name, machine, now, only }
}

fn input(event: &Event, machine: &Machine) -> Option<Input> {
    (event.1)(machine)
}

/// The time for which the machine has asked to be woken, if it has.
fn at_wake(machine: &Machine, now: Now) -> Now {
    let mono = machine.next_wake().unwrap_or(now.mono);
    let later = mono.saturating_sub(now.mono);
    Now { wall: now.wall.plus_ms(to_ms(later)), mono }
}

// ── Representatives ──────────────────────────────────────────────────────────────────────────────────────────────

fn listed(machine: &Machine, result: Result<Option<(WcId, Option<WId>)>, Error>) -> Input {
    Input::Listed { generation: machine.generation, began: Began { at: Stamp(BEGIN), ..Began::default() }, result }
}

fn probed(machine: &Machine, result: Result<PollReply, Error>) -> Input {
    Input::Probed { generation: machine.generation, result }
}

fn second(machine: &Machine, result: Result<Record, Error>) -> Input {
    Input::SecondAnswered { generation: machine.generation, result }
}

fn issued(machine: &Machine, result: Result<QrIssued, Error>) -> Input {
    Input::Issued { generation: machine.generation, result }
}

fn polled(machine: &Machine, result: Result<PollReply, Error>) -> Input {
    Input::Polled { generation: machine.generation, result }
}

fn pictured(machine: &Machine, result: Result<Picture, Box<str>>) -> Input {
    Input::Pictured { generation: machine.generation, result }
}

fn checked(machine: &Machine, rejected: bool) -> Input {
    let error = error(Call::GetIPadLoginInfo, Kind::TokenSuspect);
    Input::TokenChecked { generation: machine.generation, rejected, error }
}

/// The store answers only where something is with it.
fn stored(machine: &Machine, asked: State, adopted: bool) -> Option<Input> {
    let asked = std::mem::discriminant(&asked) == std::mem::discriminant(&machine.state);
    asked.then(|| Input::Stored { record: record(), adopted, swapped: swapped() })
}

fn error(call: Call, kind: Kind) -> Error {
    Error { call, kind, gateway_message: None, detail: "".into(), sent: true, status: None }
}

fn record() -> Record {
    Record {
        wc_id: "wxid_a".into(),
        w_id: "w1".into(),
        nick_name: "".into(),
        w_account: "".into(),
        sex: None,
        avatar_url: "".into(),
    }
}

fn picture() -> Option<Picture> {
    let payload = SecretString::from("http://weixin.qq.com/x/SAOMA-0123456789ab");
    let code = Code::encode(&payload).ok()?;
    Some(Picture { code: Arc::new(code), payload })
}

const fn swapped() -> Swapped {
    Swapped { current: true, previous_w_id: None }
}

// ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The state in a few words.
fn state(machine: &Machine) -> String {
    let name = match &machine.state {
        State::New => "New",
        State::Listing { .. } => "Listing",
        State::Probing { .. } => "Probing",
        State::Second => "Second",
        State::Requesting => "Requesting",
        State::Polling(polling) => match polling.phase {
            Phase::Asking => "Polling: asking",
            Phase::Pausing(_) => "Polling: pausing",
            Phase::AwaitingCode => "Polling: awaiting a code",
            Phase::Last => "Polling: last look",
            Phase::CheckingToken(_) => "Polling: checking the token",
            Phase::AwaitingToken(_) => "Polling: awaiting a token",
        },
        State::AwaitingToken { .. } => "AwaitingToken",
        State::Adopting => "Adopting",
        State::Storing => "Storing",
        State::Over => "Over",
    };
    if machine.abandoned && !machine.is_over() { format!("{name}, hidden") } else { name.to_owned() }
}

/// An output in one line, without secrets and generations: what tables compare.
pub(in crate::engine) fn line(output: &Output) -> String {
    match output {
        Output::AskList { pause, .. } => format!("list after {} ms", pause.as_millis()),
        Output::Probe { w_id, pause, limit, .. } => {
            let after = if pause.is_zero() { String::new() } else { format!(" after {} ms", pause.as_millis()) };
            format!("probe {w_id} for {} s{after}", limit.as_secs())
        }
        Output::SecondLogin { again: false, .. } => "POST secondLogin".into(),
        Output::SecondLogin { again: true, .. } => "POST secondLogin again".into(),
        Output::IPadLogin { again: false, .. } => "POST iPadLogin".into(),
        Output::IPadLogin { again: true, .. } => "POST iPadLogin again".into(),
        Output::Issued { w_id, .. } => format!("row {w_id}"),
        Output::Fetch { .. } => "fetch".into(),
        Output::Poll { w_id, limit, verify_code, .. } => {
            let with = if verify_code.is_some() { " with code" } else { "" };
            format!("poll {w_id} for {} s{with}", limit.as_secs())
        }
        Output::CheckToken { .. } => "check token".into(),
        Output::NeedToken => "need token".into(),
        Output::TakeBack(Cost::SecondLogin) => "take back a second login".into(),
        Output::TakeBack(Cost::Code) => "take back a code".into(),
        Output::SecondFailed { reason, .. } => format!("note {}", reason.code()),
        Output::StoreLogin(record) => format!("store {} {}", record.wc_id, record.w_id),
        Output::Adopt { wc_id, w_id, .. } => format!("adopt {wc_id} {w_id}"),
        Output::Abandon => "abandon".into(),
        Output::End { event, reason, .. } => format!("end {event} {}", reason.map_or("-", Reason::code)),
        Output::Forget => "forget".into(),
        Output::FirstDrop => "note the first drop".into(),
        Output::Tell(step) => format!("tell {}", step_line(step)),
    }
}

fn step_line(step: &LoginStep) -> String {
    match step {
        LoginStep::Started { .. } => "started".into(),
        LoginStep::Resumed { .. } => "resumed".into(),
        LoginStep::Requesting { rung } => format!("requesting {}", rung.name()),
        LoginStep::SecondLoginSent { .. } => "second_login_sent".into(),
        LoginStep::SecondLoginFailed { reason, .. } => format!("second_login_failed {}", reason.code()),
        LoginStep::Qr { w_id, .. } => format!("qr {w_id}"),
        LoginStep::NoPicture { .. } => "no_picture".into(),
        LoginStep::SteppedDown { rung, why, .. } => format!("stepped_down {} {}", rung.name(), why.name()),
        LoginStep::WaitingForToken => "waiting_for_token".into(),
        LoginStep::OverBudget { over, .. } => match over {
            crate::model::Over::Spent { next, limit, .. } => format!("over_budget {next} of {limit}"),
            crate::model::Over::Resting { .. } => "over_budget resting".into(),
        },
        LoginStep::Waiting => "waiting".into(),
        LoginStep::PollBroken { retry_at, .. } => format!("poll_broken {}", retry_at.ms_since(Stamp(BEGIN))),
        LoginStep::Scanned => "scanned".into(),
        LoginStep::VerifyCodeRequired { .. } => "verify_code_required".into(),
        LoginStep::DeviceVerification { url } => format!("device_verification {url}"),
        LoginStep::LoggedIn { w_id, .. } => format!("logged_in {w_id}"),
        LoginStep::Adopted { w_id, .. } => format!("adopted {w_id}"),
        LoginStep::WrongAccount { wc_id, .. } => format!("wrong_account {wc_id}"),
        LoginStep::Expired { renewing } => format!("expired renewing={renewing}"),
        LoginStep::Cancelled => "cancelled".into(),
        LoginStep::Superseded => "superseded".into(),
        LoginStep::TakenOver { .. } => "taken_over".into(),
        LoginStep::Failed { reason, .. } => format!("failed {}", reason.code()),
    }
}
