//! Tables of hand-made events.

use std::collections::VecDeque;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;

use super::*;
use crate::cli::login::Ask;
use crate::engine::api::{Item, Way};
use crate::i18n::Lang;
use crate::model::Stamp;
use crate::qr::Code;

fn account(name: &str, holder: &str, tag: &str, presence: Presence) -> Account {
    Account { holder: holder.into(), tags: vec![tag.into()], presence, ..Account::new(format!("wxid_{name}").into()) }
}

fn args(tag: Option<&str>, holder: Option<&str>) -> LoginArgs {
    LoginArgs { tag: tag.map(Into::into), holder: holder.map(Into::into), ..LoginArgs::default() }
}

fn belt(yes: bool) -> Belt {
    let accounts = ["a", "b", "c"].map(|name| account(name, "Ann", "t", Presence::Offline)).to_vec();
    Belt { accounts, force: false, yes, at_once: 0 }
}

fn view(phase: Phase, places: [Place; 3]) -> Event {
    let items = ["wxid_a", "wxid_b", "wxid_c"]
        .into_iter()
        .zip(places)
        .map(|(wc_id, place)| Item { wc_id: wc_id.into(), place, unscanned: 0 })
        .collect();
    Event::Conveyor(Some(Box::new(ConveyorView { phase, items, shown: None, queue: Vec::new() })))
}

fn step(name: &str, number: u8, step: LoginStep) -> Event {
    Event::Login(LoginEvent {
        attempt: format!("{name}{number}").into(),
        wc_id: Some(format!("wxid_{name}").into()),
        account: name.to_uppercase().into(),
        at: Stamp(1_000),
        step,
    })
}

fn code() -> LoginStep {
    LoginStep::Qr {
        w_id: "w-1".into(),
        expires_at: Stamp(9_000),
        code: Arc::new(Code::encode(&"http://weixin.qq.com/x/SAOMA-0123456789ab".into()).unwrap()),
        payload: "http://weixin.qq.com/x/SAOMA-0123456789ab".into(),
    }
}

fn logged_in() -> LoginStep {
    LoginStep::LoggedIn { w_id: "w-2".into(), previous_w_id: None, nick_name: "".into(), w_account: "".into() }
}

fn failed(reason: Reason) -> LoginStep {
    LoginStep::Failed { reason, gateway_message: None, detail: "x".into() }
}

/// What a run left behind.
#[derive(Debug)]
struct Ran {
    exit: Exit,
    sent: Vec<String>,
    out: Vec<String>,
}

/// How a run goes.
struct How {
    belt: Belt,
    json: bool,
    draws: bool,
    answers: Option<Vec<&'static str>>,
    timeout: Option<Duration>,
    signals: Vec<Exit>,
}

impl Default for How {
    fn default() -> Self {
        Self { belt: belt(true), json: false, draws: true, answers: None, timeout: None, signals: Vec::new() }
    }
}

/// Each wish that goes in brings the next batch of `replies` out.
async fn run(how: How, replies: Vec<Vec<Event>>) -> Ran {
    let (send, mut events) = unbounded_channel();
    let (interrupt, mut interrupts) = unbounded_channel();
    for signal in how.signals {
        interrupt.send(signal).unwrap();
    }
    let replies = RefCell::new(VecDeque::from(replies));
    let (sent, out) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let answers = how.answers.map(|answers| std::sync::Mutex::new(VecDeque::from(answers)));
    let ask = answers
        .map(|answers| -> Ask { Arc::new(move |_| answers.lock().unwrap().pop_front().map(SecretString::from)) });
    let printer = Printer { profile: "default".into(), lang: Lang::En, show_payload: false };
    let plan = Plan { timeout: how.timeout, ..Plan::none(LoginArgs::default()) };
    let exit = {
        let ports = Ports {
            send: &|command| {
                let Command::Conveyor(wish) = command else { panic!("{command:?} is no wish for a conveyor") };
                for event in replies.borrow_mut().pop_front().unwrap_or_default() {
                    send.send(event).unwrap();
                }
                let words = format!("{wish:?}");
                sent.borrow_mut().push(words.split([' ', '{']).next().unwrap_or_default().to_owned());
            },
            data: &|line| out.borrow_mut().push(line.to_owned()),
            words: &|line| out.borrow_mut().push(line.to_owned()),
            draw: &|picture| {
                let line = match picture {
                    Draw::Code(_, words) => format!("[{words}]"),
                    Draw::Leave => "[]".to_owned(),
                    Draw::Words(_) | Draw::Cover(_) => return false,
                };
                let drawn = how.draws && !line.starts_with("[]");
                if how.draws {
                    out.borrow_mut().push(line);
                }
                drawn
            },
            png: &|_| Ok(b"png".to_vec()),
            ask,
        };
        drive(how.belt, plan, &ports, &printer, how.json, &mut events, &mut interrupts).await
    };
    Ran { exit, sent: sent.into_inner(), out: out.into_inner() }
}

const W: Place = Place::WaitsToRing;
const C: Place = Place::WaitsForCode;
const D: Place = Place::Done;
const X: Place = Place::Left(Reason::Refused);
const Z: Place = Place::Resting { until: Stamp(0) };

#[test]
fn who_is_off_line_and_fits() {
    let accounts = [
        account("a", "Ann", "shop", Presence::Offline),
        account("b", "Li", "shop", Presence::Offline),
        account("c", "Ann", "bot", Presence::Offline),
        account("d", "Ann", "shop", Presence::Online),
        account("e", "Ann", "shop", Presence::Unknown),
    ];
    for (tag, holder, fit) in [
        (None, None, vec!["wxid_a", "wxid_b", "wxid_c"]),
        (Some("shop"), None, vec!["wxid_a", "wxid_b"]),
        (None, Some("Ann"), vec!["wxid_a", "wxid_c"]),
        (Some("bot"), Some("Li"), vec![]),
    ] {
        let belt = Belt::new(&args(tag, holder), &accounts);
        let names: Vec<&str> = belt.accounts.iter().map(|account| account.wc_id.as_str()).collect();
        assert_eq!(names, fit, "{tag:?} {holder:?}");
    }
}

#[tokio::test]
async fn the_preview_is_echoed_and_asked_for() {
    let preview = || vec![view(Phase::Preview, [W, C, Z])];
    let asked = |answer| How { belt: belt(false), answers: Some(vec![answer]), ..How::default() };
    let ran = run(asked("y"), vec![preview(), vec![view(Phase::Done, [D, D, Z])]]).await;
    assert_eq!(ran.sent, ["Preview", "Start"]);
    assert_eq!(ran.exit, Exit::Resting, "one was not tried");
    assert_eq!(ran.out[0], "3 accounts: 1 second logins, 1 codes, 1 resting.");
    assert_eq!(ran.out[1], "  Ann  wxid_a: second login");
    assert_eq!(ran.out[2], "  Ann  wxid_b: code");
    assert!(ran.out[3].starts_with("  Ann  wxid_c: rests until"), "{:?}", ran.out);
    let ran = run(asked("n"), vec![preview(), vec![Event::Conveyor(None)]]).await;
    assert_eq!((ran.exit, ran.sent), (Exit::Other, vec!["Preview".to_owned(), "Stop".to_owned()]));
    let ran = run(How::default(), vec![vec![view(Phase::Preview, [Z, Z, Z])]]).await;
    assert_eq!((ran.exit, ran.sent), (Exit::Resting, vec!["Preview".to_owned()]));
    let nobody = How { belt: Belt { accounts: Vec::new(), ..belt(true) }, ..How::default() };
    assert_eq!(run(nobody, Vec::new()).await.exit, Exit::Done);
}

#[tokio::test]
async fn the_exit_code_is_the_common_one() {
    for (places, exit) in [
        ([D, D, D], Exit::Done),
        ([D, X, X], Exit::Refused),
        ([D, X, Place::Left(Reason::NobodyScanned)], Exit::Other),
        ([Place::Left(Reason::Resting), D, Z], Exit::Resting),
    ] {
        let replies = vec![vec![view(Phase::Preview, [W, W, W])], vec![view(Phase::Done, places.clone())]];
        assert_eq!(run(How::default(), replies).await.exit, exit, "{places:?}");
    }
}

#[tokio::test]
async fn codes_stay_below_what_the_others_tell() {
    let sent = LoginStep::SecondLoginSent { expires_at: Stamp(9_000) };
    let refused = LoginStep::SecondLoginFailed { reason: Reason::Refused, gateway_message: None };
    let happens = || {
        vec![
            view(Phase::Running, [W, C, C]),
            step("a", 1, LoginStep::Started { way: Way::Ring }),
            step("b", 1, LoginStep::Started { way: Way::OneCode }),
            step("b", 1, code()),
            step("a", 1, sent.clone()),
            step("a", 1, refused.clone()),
            step("a", 1, failed(Reason::Refused)),
            view(Phase::Running, [C, D, C]),
            step("b", 1, logged_in()),
            view(Phase::Done, [D, D, D]),
        ]
    };
    let ran = run(How::default(), vec![vec![view(Phase::Preview, [W, C, C])], happens()]).await;
    assert_eq!(ran.exit, Exit::Done);
    let shown: Vec<String> = ran.out[4..].iter().map(|line| line.replace(char::is_numeric, "#")).collect();
    let code = "[# of # · Ann · B: scan with the phone (until ##:##:##).]";
    assert_eq!(
        shown,
        [
            code,
            "[]",
            "A: confirm on the phone (until ##:##:##).",
            code,
            "[]",
            "A: the second login did not work: refused",
            code,
            "[]",
            "B is online, wId w-#",
            "# of # are online."
        ]
    );
    // Where no code is drawn, whose turn it is is said, once.
    let ran = run(How { draws: false, ..How::default() }, vec![vec![view(Phase::Preview, [W, C, C])], happens()]).await;
    assert_eq!(ran.out.iter().filter(|line| *line == "1 of 3 · Ann").count(), 1, "{:?}", ran.out);
}

#[tokio::test]
async fn json_is_one_object_a_line_of_each_login() {
    let happens = vec![
        step("a", 1, LoginStep::Started { way: Way::OneCode }),
        step("a", 1, code()),
        view(Phase::Done, [D, D, D]),
        // The last success is told although the conveyor is done already.
        step("a", 1, logged_in()),
    ];
    let how = How { json: true, draws: false, ..How::default() };
    let ran = run(how, vec![vec![view(Phase::Preview, [C, C, C])], happens]).await;
    let events: Vec<String> = ran
        .out
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|object| object["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(events, ["qr", "logged_in"]);
}

#[tokio::test]
async fn a_pause_asks_and_ends_it_where_nobody_is_there() {
    let begin = || vec![view(Phase::Preview, [C, C, C])];
    let paused = || vec![view(Phase::Running, [C, C, C]), view(Phase::Paused, [D, C, C])];
    let how = How { answers: Some(vec!["y"]), ..How::default() };
    let ran = run(how, vec![begin(), paused(), vec![view(Phase::Done, [D, D, D])]]).await;
    assert_eq!((ran.exit, ran.sent.last().map(String::as_str)), (Exit::Done, Some("Resume")));
    let gone = || vec![Event::Conveyor(None)];
    let ran = run(How::default(), vec![begin(), paused(), gone()]).await;
    assert_eq!((ran.exit, ran.sent.last().map(String::as_str)), (Exit::Expired, Some("Stop")));
    assert!(ran.out.iter().any(|line| line == "Nobody scans any more: 2 of 3 are left."), "{:?}", ran.out);
    // What paused it is told instead, and is the exit code.
    let mut down = paused();
    down.insert(1, step("a", 1, failed(Reason::GatewayDown)));
    let ran = run(How::default(), vec![begin(), down, gone()]).await;
    assert_eq!(ran.exit, Exit::Unreachable);
}

#[tokio::test]
async fn a_dead_token_a_signal_and_the_timeout_stop_it() {
    let begin = || vec![view(Phase::Preview, [C, C, C])];
    let running = |last: Event| vec![view(Phase::Running, [D, C, C]), last];
    let gone = || vec![Event::Conveyor(None)];
    let refused = step("b", 1, failed(Reason::TokenRejected));
    let ran = run(How::default(), vec![begin(), running(refused), gone()]).await;
    assert_eq!((ran.exit, ran.sent.last().map(String::as_str)), (Exit::Token, Some("Stop")));
    let how = How { signals: vec![Exit::Terminated], ..How::default() };
    assert_eq!(run(how, vec![Vec::new(), gone()]).await.exit, Exit::Terminated);
    let how = How { timeout: Some(Duration::from_millis(20)), ..How::default() };
    let started = step("b", 1, LoginStep::Started { way: Way::OneCode });
    let cancelled = vec![Event::Conveyor(None), step("b", 1, LoginStep::Cancelled)];
    let ran = run(how, vec![begin(), running(started), cancelled]).await;
    assert_eq!((ran.exit, ran.sent.last().map(String::as_str)), (Exit::Expired, Some("Stop")));
    assert!(ran.out.iter().any(|line| line.starts_with("B: cancelled")), "{:?}", ran.out);
}

#[tokio::test]
async fn that_no_list_comes_is_told_once_until_one_does() {
    let failing = |detail: &str| {
        let (reason, detail) = (Reason::GatewayDown, detail.into());
        Event::Fleet(Fleet::Failing { since: Stamp(1), reason, gateway_message: None, detail })
    };
    let mut events = vec![view(Phase::Preview, [C, C, C])];
    events.extend(["HTTP 502", "HTTP 503", "it took too long"].map(failing));
    events.extend([Event::Fleet(Fleet::Ok { at: Stamp(2) }), failing("HTTP 504")]);
    let ran = run(How::default(), vec![events, vec![Event::Conveyor(None)]]).await;
    let told = |what: &str| ran.out.iter().filter(|line| line.contains(what)).count();
    let all = ["HTTP 502", "HTTP 503", "took too long", "HTTP 504"].map(told);
    assert_eq!(all, [1, 0, 0, 1], "{:?}", ran.out);
}
