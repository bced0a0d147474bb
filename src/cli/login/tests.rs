//! Tables of hand-made events.

use std::cell::RefCell;
use std::collections::VecDeque;

use serde_json::Value;

use super::*;
use crate::i18n::Lang;
use crate::model::{Order, Owner, Reason, Rung, Stamp, WId};

const PLAN: fn() -> Plan = || Plan {
    wishes: vec![Some("wxid_a".into())],
    way: Way::Qr,
    resume: None,
    known: HashSet::new(),
    timeout: None,
    verify_code: None,
    png: None,
    renew: 0,
    force: false,
    unseen: None,
};

fn step(attempt: &str, wc_id: Option<&str>, step: LoginStep) -> Event {
    Event::Login(LoginEvent {
        attempt: attempt.into(),
        wc_id: wc_id.map(WcId::from),
        account: "张三".into(),
        at: Stamp(1_000),
        step,
    })
}

fn mine(what: LoginStep) -> Event {
    step("A1", Some("wxid_a"), what)
}

fn started() -> Event {
    mine(LoginStep::Started { way: Way::Qr })
}

fn logged_in() -> LoginStep {
    LoginStep::LoggedIn {
        w_id: "w-2".into(),
        previous_w_id: Some("w-1".into()),
        nick_name: "张三".into(),
        w_account: "zhangsan".into(),
    }
}

fn failed(reason: Reason) -> LoginStep {
    LoginStep::Failed { reason, gateway_message: Some("不行".into()), detail: "x".into() }
}

/// What a run left behind.
#[derive(Debug)]
struct Ran {
    exit: Exit,
    sent: Vec<Command>,
    data: Vec<String>,
    words: Vec<String>,
}

impl Ran {
    fn events(&self) -> Vec<String> {
        self.data
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
            .collect()
    }

    fn codes(&self) -> Vec<String> {
        self.sent
            .iter()
            .filter_map(|command| match command {
                Command::VerifyCode { code, .. } => Some(code.expose_secret().to_owned()),
                _ => None,
            })
            .collect()
    }

    fn cancels(&self) -> usize {
        self.sent.iter().filter(|command| matches!(command, Command::Cancel { .. })).count()
    }
}

/// Feeds events; each command that goes in brings the next batch of `replies` out.
async fn run(plan: Plan, json: bool, ask: Option<Ask>, first: Vec<Event>, replies: Vec<Vec<Event>>) -> Ran {
    run_with(plan, json, ask, first, replies, &[]).await
}

async fn run_with(
    plan: Plan,
    json: bool,
    ask: Option<Ask>,
    first: Vec<Event>,
    replies: Vec<Vec<Event>>,
    signals: &[Exit],
) -> Ran {
    let (send, mut events) = unbounded_channel();
    let (interrupt, mut interrupts) = unbounded_channel();
    for event in first {
        send.send(event).unwrap();
    }
    for signal in signals {
        interrupt.send(*signal).unwrap();
    }
    let replies = RefCell::new(VecDeque::from(replies));
    let (sent, data, words) = (RefCell::default(), RefCell::default(), RefCell::default());
    let printer = Printer { profile: "default".into(), lang: Lang::En, show_payload: false };
    let exit = {
        let ports = Ports {
            send: &|command| {
                if !matches!(command, Command::Login { .. }) {
                    for event in replies.borrow_mut().pop_front().unwrap_or_default() {
                        send.send(event).unwrap();
                    }
                }
                RefCell::<Vec<Command>>::borrow_mut(&sent).push(command);
            },
            data: &|line| RefCell::<Vec<String>>::borrow_mut(&data).push(line.to_owned()),
            words: &|line| RefCell::<Vec<String>>::borrow_mut(&words).push(line.to_owned()),
            draw: &|picture| {
                let line = match picture {
                    Draw::Code(code, _) => format!("code of {}", code.size()),
                    Draw::Words(_) | Draw::Leave => return false,
                    Draw::Cover(_) => "covered".to_owned(),
                };
                RefCell::<Vec<String>>::borrow_mut(&data).push(line);
                false
            },
            png: &|_| Ok(b"png".to_vec()),
            ask,
        };
        drive(plan, &ports, &printer, json, &mut events, &mut interrupts).await
    };
    Ran { exit, sent: sent.into_inner(), data: data.into_inner(), words: words.into_inner() }
}

#[tokio::test]
async fn each_end_has_its_exit_code() {
    let w_id = || "w-9".into();
    for (end, exit, event) in [
        (logged_in(), Exit::Done, "logged_in"),
        (LoginStep::Adopted { w_id: w_id(), previous_w_id: None }, Exit::Done, "adopted"),
        (
            LoginStep::WrongAccount {
                expected_wc_id: "wxid_a".into(),
                wc_id: "wxid_b".into(),
                w_id: w_id(),
                nick_name: "".into(),
            },
            Exit::WrongAccount,
            "wrong_account",
        ),
        (LoginStep::Expired { renewing: false }, Exit::Expired, "expired"),
        (LoginStep::Superseded, Exit::Busy, "superseded"),
        (failed(Reason::Refused), Exit::Refused, "failed"),
        (failed(Reason::GatewayDown), Exit::Unreachable, "failed"),
        (failed(Reason::TokenRejected), Exit::Token, "failed"),
        (failed(Reason::Resting), Exit::Resting, "failed"),
        (failed(Reason::GatewaySaid), Exit::Refused, "failed"),
    ] {
        let ran = run(PLAN(), true, None, vec![started(), mine(LoginStep::Waiting), mine(end)], vec![]).await;
        assert_eq!(ran.exit, exit, "{event}");
        assert_eq!(ran.events(), ["waiting", event]);
        assert_eq!(ran.words, [] as [&str; 0]);
    }
    // Before a phone was shown anything it is not the phone's doing.
    let ran = run(PLAN(), true, None, vec![started(), mine(failed(Reason::GatewaySaid))], vec![]).await;
    assert_eq!(ran.exit, Exit::Other);
}

#[tokio::test]
async fn every_line_has_the_fields_of_the_contract() {
    let ran = run(PLAN(), true, None, vec![started(), mine(logged_in())], vec![]).await;
    let line: Value = serde_json::from_str(&ran.data[0]).unwrap();
    assert_eq!(
        line,
        serde_json::json!({
            "schema": 1, "event": "logged_in", "at": "1970-01-01T00:00:01.000Z", "profile": "default",
            "attempt": "A1", "wc_id": "wxid_a", "account": "张三", "w_id": "w-2", "nick_name": "张三",
            "w_account": "zhangsan", "previous_w_id": "w-1",
        })
    );
    let ran = run(PLAN(), true, None, vec![started(), mine(failed(Reason::Refused))], vec![]).await;
    let line: Value = serde_json::from_str(&ran.data[0]).unwrap();
    assert_eq!((&line["reason"], &line["gateway_message"]), (&"refused".into(), &"不行".into()));
    assert!(line["message"].as_str().unwrap().contains("不行"));
}

#[tokio::test]
async fn others_logins_are_not_ours() {
    let other = |what| step("B1", Some("wxid_b"), what);
    let events = vec![started(), other(LoginStep::Waiting), other(logged_in()), mine(LoginStep::Superseded)];
    let ran = run(PLAN(), true, None, events, vec![]).await;
    assert_eq!((ran.exit, ran.events()), (Exit::Busy, vec!["superseded".to_owned()]));
    // A late scan of an older code of the same account is what was wished for.
    let ran = run(PLAN(), true, None, vec![started(), step("A0", Some("wxid_a"), logged_in())], vec![]).await;
    assert_eq!(ran.exit, Exit::Done);
    // A new account: the first attempt that starts without a wcId.
    let plan = Plan { wishes: vec![None], ..PLAN() };
    let new = |wc_id, what| step("N1", wc_id, what);
    let events = vec![new(None, LoginStep::Started { way: Way::Qr }), new(Some("wxid_n"), logged_in())];
    assert_eq!(run(plan, true, None, events, vec![]).await.exit, Exit::Done);
}

#[tokio::test]
async fn several_accounts_agree_or_not() {
    let plan = || Plan { wishes: vec![Some("wxid_a".into()), Some("wxid_b".into())], way: Way::Second, ..PLAN() };
    let other = |what| step("B1", Some("wxid_b"), what);
    let begin = || vec![started(), other(LoginStep::Started { way: Way::Second })];
    for (a, b, exit) in [
        (logged_in(), logged_in(), Exit::Done),
        (logged_in(), failed(Reason::Refused), Exit::Refused),
        (LoginStep::Expired { renewing: false }, failed(Reason::Refused), Exit::Other),
    ] {
        let mut events = begin();
        events.extend([mine(a), other(b)]);
        let ran = run(plan(), true, None, events, vec![]).await;
        assert_eq!(ran.exit, exit);
        assert_eq!(ran.sent.len(), 2);
    }
}

#[tokio::test]
async fn a_verification_code_comes_from_the_command_line_then_from_the_person() {
    let asked = || mine(LoginStep::VerifyCodeRequired { gateway_message: "请在ipad上输入验证码".into() });
    // Nobody to ask: the attempt is left pending, not cancelled.
    let ran = run(PLAN(), true, None, vec![started(), asked()], vec![]).await;
    assert_eq!((ran.exit, ran.cancels()), (Exit::Verification, 0));
    assert_eq!(ran.events(), ["verify_code_required"]);
    assert!(ran.words.last().unwrap().ends_with("saoma login wxid_a --verify-code CODE"), "{:?}", ran.words);
    // Given beforehand, and wrong: then the person is asked.
    let plan = || Plan { verify_code: Some("111".into()), ..PLAN() };
    let ask: Ask = Arc::new(|_| Some("222".into()));
    let ran =
        run(plan(), true, Some(ask), vec![started(), asked()], vec![vec![asked()], vec![mine(logged_in())]]).await;
    assert_eq!((ran.exit, ran.codes()), (Exit::Done, vec!["111".to_owned(), "222".to_owned()]));
    // A pending attempt is gone on with: nothing new is started.
    let resumed = mine(LoginStep::Resumed { rung: Rung::QrLogin, expires_at: None });
    let plan = Plan { resume: Some("A1".into()), ..plan() };
    let ran = run(plan, true, None, vec![resumed, asked()], vec![vec![mine(logged_in())]]).await;
    assert_eq!((ran.exit, ran.codes()), (Exit::Done, vec!["111".to_owned()]));
    assert!(!ran.sent.iter().any(|command| matches!(command, Command::Login { .. })));
    // A person who does not answer leaves it pending too.
    let ran = run(PLAN(), true, Some(Arc::new(|_| None)), vec![started(), asked()], vec![]).await;
    assert_eq!(ran.exit, Exit::Verification);
}

#[tokio::test(start_paused = true)]
async fn the_timeout_cancels() {
    let plan = || Plan { timeout: Some(Duration::from_secs(60)), ..PLAN() };
    let ran = run(plan(), true, None, vec![started()], vec![vec![mine(LoginStep::Cancelled)]]).await;
    assert_eq!((ran.exit, ran.cancels(), ran.events()), (Exit::Expired, 1, vec!["cancelled".to_owned()]));
    // An engine that does not answer is not waited for.
    let ran = run(plan(), true, None, vec![started()], vec![]).await;
    assert_eq!((ran.exit, ran.cancels()), (Exit::Expired, 1));
    // A success that comes just then counts.
    let ran = run(plan(), true, None, vec![started()], vec![vec![mine(logged_in())]]).await;
    assert_eq!(ran.exit, Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn a_signal_cancels_and_names_itself() {
    for signal in [Exit::Interrupted, Exit::Terminated, Exit::Hangup] {
        let cancelled = vec![vec![mine(LoginStep::Cancelled)]];
        let ran = run_with(PLAN(), true, None, vec![started()], cancelled, &[signal]).await;
        assert_eq!((ran.exit, ran.cancels()), (signal, 1));
        // A second one does not wait.
        let ran = run_with(PLAN(), true, None, vec![started()], vec![], &[signal, Exit::Interrupted]).await;
        assert_eq!(ran.exit, Exit::Interrupted);
    }
}

#[tokio::test]
async fn an_account_that_is_being_logged_in_is_busy() {
    let busy = |attempt| Event::Busy { wc_id: Some("wxid_a".into()), attempt };
    let ran = run(PLAN(), true, None, vec![busy(None)], vec![]).await;
    assert_eq!((ran.exit, ran.events()), (Exit::Busy, vec!["error".to_owned()]));
    let line: Value = serde_json::from_str(&ran.data[0]).unwrap();
    assert_eq!((&line["reason"], &line["wc_id"]), (&"busy".into(), &"wxid_a".into()));
    // Our own process's attempt is followed.
    let ran = run(PLAN(), true, None, vec![busy(Some("A1".into())), mine(logged_in())], vec![]).await;
    assert_eq!(ran.exit, Exit::Done);
}

#[tokio::test]
async fn a_wish_that_is_not_taken_up_is_an_error() {
    let rejected = Event::Rejected {
        wc_id: Some("wxid_a".into()),
        reason: Reason::TokenRejected,
        gateway_message: None,
        detail: "".into(),
    };
    let ran = run(PLAN(), true, None, vec![rejected.clone()], vec![]).await;
    assert_eq!((ran.exit, ran.events()), (Exit::Token, vec!["error".to_owned()]));
    let ran = run(PLAN(), false, None, vec![rejected], vec![]).await;
    assert_eq!((ran.exit, ran.data.len()), (Exit::Token, 0));
    assert!(ran.words[0].contains("wxid_a"));
}

#[tokio::test]
async fn an_engine_that_ends_leaves_no_success() {
    let ran = run(PLAN(), true, None, vec![started(), Event::Stopped], vec![]).await;
    assert_eq!(ran.exit, Exit::Other);
}

#[tokio::test]
async fn words_are_clean_and_results_go_to_stdout() {
    let hostile = Event::Login(LoginEvent {
        attempt: "A1".into(),
        wc_id: Some("wxid_a".into()),
        account: "\u{1b}[31mevil\u{7}".into(),
        at: Stamp(0),
        step: logged_in(),
    });
    let events = vec![started(), mine(LoginStep::Scanned), hostile];
    let ran = run(PLAN(), false, None, events, vec![]).await;
    assert_eq!(ran.data, ["evil is online, wId w-2"]);
    assert_eq!(ran.words.len(), 1);
    assert!(ran.words[0].contains("张三"));
}

#[test]
fn a_verification_code_without_an_account_is_for_what_somebody_waited_for() {
    let attempt = |id: &str, wc_id: &str, state, at| Attempt {
        id: id.into(),
        wc_id: Some(wc_id.into()),
        rung: Rung::QrLogin,
        state,
        w_id: Some(WId::from("w")),
        image_url: None,
        requested_at: Stamp(at),
        requested: Order(at),
        deadline: Some(Stamp(150_000)),
        left: None,
        first_drop: false,
        owner: Owner("o".into()),
    };
    let (open, hidden) = (AttemptState::Open, AttemptState::Abandoned);
    let logged_in = Account { settled: Order(5_000), ..Account::new("wxid_b".into()) };
    let accounts = [Account::new("wxid_a".into()), logged_in];
    let ids = |attempts: &[Attempt], wc_id: Option<&WcId>| -> Vec<String> {
        waiting(&accounts, attempts, wc_id, Stamp(10_000)).iter().map(|attempt| attempt.id.to_string()).collect()
    };
    // A cancelled code of another account is still listened to, and one is left of a login that has worked since.
    let mut all = vec![attempt("A1", "wxid_a", hidden, 1_000), attempt("B1", "wxid_b", hidden, 2_000)];
    assert_eq!(ids(&all, None), ["A1"]);
    all.push(attempt("C1", "wxid_c", open, 3_000));
    assert_eq!(ids(&all, None), ["C1"]);
    all.push(attempt("D1", "wxid_d", open, 4_000));
    assert_eq!(ids(&all, None), ["D1", "C1"]);
    assert_eq!(ids(&all, Some(&"wxid_b".into())), ["B1"]);
}
