//! The login machine as tables and by properties: no I/O, no clock.

use std::sync::Arc;
use std::time::Duration;

use crate::property::cases;
use proptest::prelude::*;
use secrecy::SecretString;

use super::api::Way;
use super::login::table::line;
use super::login::{Generation, Input, Machine, Output, Picture, Remains, Swapped, Wish};
use crate::gateway::{Call, Error, Kind, PollReply, QrIssued};
use crate::model::{Began, Dialect, Now, Order, Record, Rung, Stamp, WId, WcId};
use crate::qr::Code;

mod ladder;
mod odd;
mod token;
mod world;

const LIMIT: i64 = 150_000;

fn at(ms: i64) -> Now {
    Now { wall: Stamp(1_700_000_000_000 + ms), mono: Duration::from_millis(ms.unsigned_abs()) }
}

fn began(ms: i64) -> Began {
    Began { at: at(ms).wall, mono: at(ms).mono, order: Order(ms) }
}

fn wish(way: Way, dialect: Dialect, renewals: u8) -> Wish {
    Wish::new(Some(WcId::from("wxid_a")), way, dialect, renewals)
}

fn record(wc_id: &str, w_id: &str) -> Record {
    Record {
        wc_id: WcId::from(wc_id),
        w_id: WId::from(w_id),
        nick_name: "小诺".into(),
        w_account: "nuo".into(),
        sex: None,
        avatar_url: "".into(),
    }
}

fn issued(w_id: &str) -> QrIssued {
    QrIssued { w_id: WId::from(w_id), image_url: SecretString::from("http://127.0.0.1/1.png") }
}

fn picture() -> Picture {
    let payload = SecretString::from("http://weixin.qq.com/x/SAOMA-0123456789ab");
    Picture { code: Arc::new(Code::encode(&payload).unwrap()), payload }
}

fn error(kind: Kind) -> Error {
    Error {
        call: Call::GetIPadLoginInfo,
        kind,
        gateway_message: Some("失败".into()),
        detail: "no".into(),
        sent: true,
        status: None,
    }
}

fn swapped(current: bool) -> Swapped {
    Swapped { current, previous_w_id: None }
}

/// The generation of the newest question among outputs.
fn question(outputs: &[Output]) -> Option<Generation> {
    outputs.iter().rev().find_map(|output| match output {
        Output::AskList { generation, .. }
        | Output::Probe { generation, .. }
        | Output::SecondLogin { generation, .. }
        | Output::IPadLogin { generation, .. }
        | Output::Poll { generation, .. }
        | Output::CheckToken { generation, .. } => Some(*generation),
        Output::Issued { .. }
        | Output::Fetch { .. }
        | Output::StoreLogin(_)
        | Output::Adopt { .. }
        | Output::Abandon
        | Output::Forget
        | Output::FirstDrop
        | Output::NeedToken
        | Output::TakeBack(_)
        | Output::SecondFailed { .. }
        | Output::End { .. }
        | Output::Tell(_) => None,
    })
}

/// What happens next in a script; the newest generation is filled in.
#[derive(Clone, Debug)]
enum Then {
    Start,
    /// The account's wId in the list; an empty one stands for V1's list, which has none.
    List(Result<Option<&'static str>, Kind>),
    Probe(Result<(&'static str, &'static str), Kind>),
    Second(Result<(&'static str, &'static str), Kind>),
    Issued(Result<&'static str, Kind>),
    Picture(bool),
    In(&'static str, &'static str),
    NotDone(Option<i64>),
    Expired,
    AskCode,
    Verify(&'static str),
    PollFails(Kind),
    Token(bool),
    NewToken,
    /// Another token although nothing was known against the one before.
    OtherToken,
    NoToken,
    Tick,
    Type,
    Cancel,
    Supersede,
    Stored(&'static str, &'static str, bool),
    AdoptedAs(&'static str),
    NotAdopted,
    RowFails,
}

struct Play {
    machine: Machine,
    newest: Generation,
}

impl Play {
    fn new(machine: Machine) -> Self {
        Self { machine, newest: 0 }
    }

    fn input(&self, then: &Then) -> Input {
        let generation = self.newest;
        match then.clone() {
            Then::Start => Input::Start,
            Then::List(result) => Input::Listed {
                generation,
                began: began(0),
                result: result
                    .map(|w_id| {
                        w_id.map(|w_id| {
                            (WcId::from("wxid_a"), Some(w_id).filter(|w_id| !w_id.is_empty()).map(WId::from))
                        })
                    })
                    .map_err(error),
            },
            Then::Probe(result) => Input::Probed {
                generation,
                result: result.map(|(wc_id, w_id)| PollReply::LoggedIn(record(wc_id, w_id))).map_err(error),
            },
            Then::Second(result) => Input::SecondAnswered {
                generation,
                result: result.map(|(wc_id, w_id)| record(wc_id, w_id)).map_err(error),
            },
            Then::Issued(result) => Input::Issued { generation, result: result.map(issued).map_err(error) },
            Then::Picture(good) => {
                Input::Pictured { generation, result: if good { Ok(picture()) } else { Err("no code".into()) } }
            }
            Then::In(wc_id, w_id) => Input::Polled { generation, result: Ok(PollReply::LoggedIn(record(wc_id, w_id))) },
            Then::NotDone(status) => Input::Polled { generation, result: Ok(PollReply::NotDone { status }) },
            Then::Expired => Input::Polled {
                generation,
                result: Ok(PollReply::Expired { gateway_message: "二维码已过期".into() }),
            },
            Then::AskCode => Input::Polled {
                generation,
                result: Ok(PollReply::VerifyCode {
                    given: None, gateway_message: "请在ipad上输入验证码".into()
                }),
            },
            Then::Verify(url) => {
                Input::Polled { generation, result: Ok(PollReply::DeviceVerification { url: url.into() }) }
            }
            Then::PollFails(kind) => Input::Polled { generation, result: Err(error(kind)) },
            Then::Token(rejected) => Input::TokenChecked { generation, rejected, error: error(Kind::TokenSuspect) },
            Then::NewToken => Input::NewToken { was_dead: true },
            Then::OtherToken => Input::NewToken { was_dead: false },
            Then::NoToken => Input::NoToken,
            Then::Tick => Input::Tick,
            Then::Type => Input::VerifyCode(SecretString::from("123456")),
            Then::Cancel => Input::Cancel,
            Then::Supersede => Input::Supersede,
            Then::Stored(wc_id, w_id, current) => {
                Input::Stored { record: record(wc_id, w_id), adopted: false, swapped: swapped(current) }
            }
            Then::AdoptedAs(w_id) => {
                Input::Stored { record: record("wxid_a", w_id), adopted: true, swapped: swapped(true) }
            }
            Then::NotAdopted => Input::NotAdopted,
            Then::RowFails => Input::RowFailed { detail: "disk full".into() },
        }
    }

    fn then(&mut self, now: Now, then: &Then) -> Vec<Output> {
        let outputs = self.machine.on(self.input(then), now);
        if let Some(generation) = question(&outputs) {
            self.newest = generation;
        }
        outputs
    }
}

/// How far a clock is set.
const JUMPS: [i64; 8] = [-31_536_000_000, -28_800_000, -600_000, -3_000, 3_000, 600_000, 28_800_000, 31_536_000_000];

/// Plays a script of (time in ms, what happens, the lines that must come out): the same lines however the wall clock is
/// set between the steps. What a process left that is gone, and what was spent before, is reckoned by that clock alone.
fn play(machine: Machine, script: &[(i64, Then, &[&str])]) -> Machine {
    for jump in JUMPS.into_iter().filter(|_| !machine.has_a_past()) {
        // From the second step on, for it alone, and for every second one.
        for is_set in [|step: usize| step > 0, |step: usize| step == 1, |step: usize| step % 2 == 1] {
            play_by(machine.clone(), script, |step| if is_set(step) { jump } else { 0 });
        }
    }
    play_by(machine, script, |_| 0)
}

fn play_by(machine: Machine, script: &[(i64, Then, &[&str])], set: impl Fn(usize) -> i64) -> Machine {
    let mut play = Play::new(machine);
    for (number, (ms, then, expected)) in script.iter().enumerate() {
        let set = set(number);
        let now = Now { wall: at(*ms).wall.plus_ms(set), ..at(*ms) };
        // When it is polled again is told for people, by the clock that they see.
        let told = |line: String| match line.strip_prefix("tell poll_broken ").and_then(|at| at.parse::<i64>().ok()) {
            Some(at) => format!("tell poll_broken {}", at - set),
            None => line,
        };
        let lines: Vec<String> = play.then(now, then).iter().map(line).map(told).collect();
        assert_eq!(lines, *expected, "step {number}: {then:?} at {ms} ms, set by {set} ms");
    }
    play.machine
}

const NOT_LISTED: &str = "tell stepped_down adopt not_listed";
const FIRST_NIGHT: &str = "tell stepped_down second_login first_night";
const QR_OUT: &[&str] = &["row w1", "poll w1 for 150 s", "fetch"];
const SHOWN: &[&str] = &["tell qr w1", "tell waiting"];

fn qr(renewals: u8) -> Machine {
    Machine::new(wish(Way::Qr, Dialect::V2, renewals))
}

#[test]
fn a_qr_login_that_works() {
    let machine = play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (100, Then::Issued(Ok("w1")), QR_OUT),
            (200, Then::Picture(true), SHOWN),
            (9_000, Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
            (9_010, Then::Stored("wxid_a", "w1", true), &["tell logged_in w1"]),
        ],
    );
    assert!(machine.is_over());
}

#[test]
fn the_ladder_steps_down() {
    for refused in [Kind::RefusedInside, Kind::Refused, Kind::TimedOut] {
        let reason = if refused == Kind::TimedOut { "nobody_scanned" } else { error(refused.clone()).reason().code() };
        play(
            Machine::new(wish(Way::Ladder, Dialect::V2, 0)),
            &[
                (0, Then::Start, &["tell started", "tell requesting adopt", "list after 0 ms"]),
                (
                    100,
                    Then::List(Ok(None)),
                    &[NOT_LISTED, "tell requesting second_login", "POST secondLogin", "tell second_login_sent"],
                ),
                (
                    5_000,
                    Then::Second(Err(refused)),
                    &[
                        &format!("note {reason}"),
                        &format!("tell second_login_failed {reason}"),
                        "tell requesting qr_login",
                        "POST iPadLogin",
                    ],
                ),
                (5_100, Then::Issued(Ok("w1")), QR_OUT),
            ],
        );
    }
}

#[test]
fn the_ladder_adopts_what_two_lists_show() {
    let machine = play(
        Machine::new(wish(Way::Ladder, Dialect::V2, 0)),
        &[
            (0, Then::Start, &["tell started", "tell requesting adopt", "list after 0 ms"]),
            (100, Then::List(Ok(Some("w7"))), &["list after 1000 ms"]),
            (1_200, Then::List(Ok(Some("w8"))), &["list after 1000 ms"]),
            (2_300, Then::List(Ok(Some("w8"))), &["adopt wxid_a w8"]),
            (2_310, Then::AdoptedAs("w8"), &["tell adopted w8"]),
        ],
    );
    assert!(machine.is_over());
}

#[test]
fn the_ladder_rings_no_phone_when_nobody_answers() {
    for kind in [Kind::Unreachable, Kind::TimedOut] {
        let mut machine = Machine::new(wish(Way::Ladder, Dialect::V2, 0));
        let generation = question(&machine.on(Input::Start, at(0))).unwrap();
        let result = Err(Error { sent: kind == Kind::TimedOut, ..error(kind) });
        let outputs = machine.on(Input::Listed { generation, began: Began::default(), result }, at(100));
        let lines: Vec<String> = outputs.iter().map(line).collect();
        assert_eq!(lines, ["end failed gateway_down", "tell failed gateway_down"]);
        assert!(machine.is_over());
    }
}

#[test]
fn after_the_first_night_the_ladder_goes_straight_to_a_code() {
    let first_night = |dialect| Machine::new(Wish { first_night: true, ..wish(Way::Ladder, dialect, 0) });
    play(
        first_night(Dialect::V2),
        &[
            (0, Then::Start, &["tell started", "tell requesting adopt", "list after 0 ms"]),
            (100, Then::List(Ok(None)), &[NOT_LISTED, FIRST_NIGHT, "tell requesting qr_login", "POST iPadLogin"]),
        ],
    );
    play(
        first_night(Dialect::V1),
        &[(0, Then::Start, &["tell started", FIRST_NIGHT, "tell requesting qr_login", "POST iPadLogin"])],
    );
}

#[test]
fn a_first_drop_that_the_ladder_itself_finds_is_one_too() {
    let listing: &[&str] = &["tell started", "tell requesting adopt", "list after 0 ms"];
    let first_day = || Machine::new(Wish { first_day: true, ..wish(Way::Ladder, Dialect::V2, 0) });
    play(
        first_day(),
        &[
            (0, Then::Start, listing),
            (
                100,
                Then::List(Ok(None)),
                &["note the first drop", NOT_LISTED, FIRST_NIGHT, "tell requesting qr_login", "POST iPadLogin"],
            ),
        ],
    );
    // A list that says nothing has found nothing.
    let list_failed: &str = "tell stepped_down adopt list_failed";
    let second = &[list_failed, "tell requesting second_login", "POST secondLogin", "tell second_login_sent"];
    play(first_day(), &[(0, Then::Start, listing), (100, Then::List(Err(Kind::Refused)), second)]);
}

#[test]
fn a_refusal_that_only_looks_like_a_dead_token_is_told_as_a_refusal() {
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (1, Then::Issued(Err(Kind::TokenSuspect)), &["check token"]),
            (2, Then::Token(false), &["end failed gateway_said", "tell failed gateway_said"]),
        ],
    );
}

#[test]
fn v1_has_no_adopt_rung() {
    play(
        Machine::new(wish(Way::Ladder, Dialect::V1, 0)),
        &[(
            0,
            Then::Start,
            &["tell started", "tell requesting second_login", "POST secondLogin", "tell second_login_sent"],
        )],
    );
}

#[test]
fn a_lone_second_login_ends_where_the_ladder_would_go_on() {
    let sent: &[&str] = &["tell started", "tell requesting second_login", "POST secondLogin", "tell second_login_sent"];
    for (kind, end) in [
        (Kind::TimedOut, ["end second_login_failed nobody_scanned", "tell expired renewing=false"]),
        (Kind::RefusedInside, ["end second_login_failed gateway_said", "tell failed gateway_said"]),
    ] {
        let reason = if kind == Kind::TimedOut { "nobody_scanned" } else { "gateway_said" };
        let failed = format!("tell second_login_failed {reason}");
        play(
            Machine::new(wish(Way::Second, Dialect::V2, 5)),
            &[
                (0, Then::Start, sent),
                (9_000, Then::Second(Err(kind)), &[&format!("note {reason}"), &failed, end[0], end[1]]),
            ],
        );
    }
    play(
        Machine::new(wish(Way::Second, Dialect::V2, 0)),
        &[
            (0, Then::Start, sent),
            (9_000, Then::Second(Ok(("wxid_a", "w9"))), &["store wxid_a w9"]),
            (9_001, Then::Stored("wxid_a", "w9", true), &["tell logged_in w9"]),
        ],
    );
}

#[test]
fn a_ring_ends_where_the_ladder_would_ask_for_a_code() {
    let sent = &[NOT_LISTED, "tell requesting second_login", "POST secondLogin", "tell second_login_sent"];
    for (kind, ends) in [
        (Kind::RefusedInside, ["end second_login_failed gateway_said", "tell failed gateway_said"]),
        (Kind::TimedOut, ["end second_login_failed nobody_scanned", "tell expired renewing=false"]),
    ] {
        let reason = if kind == Kind::TimedOut { "nobody_scanned" } else { "gateway_said" };
        let failed = format!("tell second_login_failed {reason}");
        let machine = play(
            Machine::new(wish(Way::Ring, Dialect::V2, 5)),
            &[
                (0, Then::Start, &["tell started", "tell requesting adopt", "list after 0 ms"]),
                (100, Then::List(Ok(None)), sent),
                (9_000, Then::Second(Err(kind)), &[&format!("note {reason}"), &failed, ends[0], ends[1]]),
            ],
        );
        assert!(machine.is_over());
    }
}

#[test]
fn one_code_is_never_renewed() {
    let machine = play(
        Machine::new(wish(Way::OneCode, Dialect::V2, 5)),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (100, Then::Issued(Ok("w1")), QR_OUT),
            (200, Then::Picture(true), SHOWN),
            (90_000, Then::Expired, &["end expired nobody_scanned", "tell expired renewing=false"]),
        ],
    );
    assert!(machine.is_over());
}

#[test]
fn a_broken_poll_is_polled_again_with_the_same_w_id_and_growing_pauses() {
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (100, Then::Picture(true), SHOWN),
            (1_000, Then::PollFails(Kind::Unreachable), &["tell poll_broken 2000"]),
            (1_500, Then::Tick, &[]),
            (2_000, Then::Tick, &["poll w1 for 148 s"]),
            (2_000, Then::PollFails(Kind::Http(502)), &["tell poll_broken 4000"]),
            (4_000, Then::Tick, &["poll w1 for 146 s"]),
            (4_000, Then::PollFails(Kind::Malformed), &["tell poll_broken 8000"]),
            (8_000, Then::Tick, &["poll w1 for 142 s"]),
            (8_000, Then::PollFails(Kind::Unreachable), &["tell poll_broken 16000"]),
            (16_000, Then::Tick, &["poll w1 for 134 s"]),
            (16_000, Then::PollFails(Kind::Unreachable), &["tell poll_broken 26000"]),
            (26_000, Then::Tick, &["poll w1 for 124 s"]),
            (30_000, Then::NotDone(Some(2)), &["tell scanned"]),
            (31_000, Then::Tick, &["poll w1 for 119 s"]),
            (31_500, Then::PollFails(Kind::Unreachable), &["tell poll_broken 32500"]),
        ],
    );
}

#[test]
fn a_thousand_that_is_no_success_is_not_done() {
    let mut script: Vec<(i64, Then, &[&str])> = vec![
        (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
        (0, Then::Issued(Ok("w1")), QR_OUT),
        (0, Then::Picture(true), SHOWN),
    ];
    for (second, status) in [Some(0), Some(1), None, Some(1)].into_iter().enumerate() {
        let ms = second as i64 * 1_000;
        script.push((ms, Then::NotDone(status), &[]));
        script.push((ms + 999, Then::Tick, &[]));
        let poll: &[&str] = match second {
            0 => &["poll w1 for 149 s"],
            1 => &["poll w1 for 148 s"],
            2 => &["poll w1 for 147 s"],
            _ => &["poll w1 for 146 s"],
        };
        script.push((ms + 1_000, Then::Tick, poll));
    }
    script.push((4_500, Then::NotDone(Some(2)), &["tell scanned"]));
    script.push((5_500, Then::Tick, &["poll w1 for 144 s"]));
    script.push((5_600, Then::NotDone(Some(2)), &[]));
    play(qr(0), &script);
}

#[test]
fn an_expired_code_is_renewed_while_somebody_is_there() {
    play(
        qr(1),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (0, Then::Picture(true), SHOWN),
            (60_000, Then::Expired, &["tell expired renewing=true", "tell requesting qr_login", "POST iPadLogin"]),
            (60_100, Then::Issued(Ok("w2")), &["row w2", "poll w2 for 150 s", "fetch"]),
            (120_000, Then::Expired, &["end expired nobody_scanned", "tell expired renewing=false"]),
        ],
    );
    let mut nobody = qr(5);
    nobody.set_somebody(false);
    play(
        nobody,
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (60_000, Then::Expired, &["end expired nobody_scanned", "tell expired renewing=false"]),
        ],
    );
}

#[test]
fn the_deadline_is_one_last_short_poll() {
    let begin: &[(i64, Then, &[&str])] = &[
        (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
        (0, Then::Issued(Ok("w1")), QR_OUT),
        (0, Then::Picture(true), SHOWN),
        (LIMIT, Then::PollFails(Kind::TimedOut), &["poll w1 for 5 s"]),
    ];
    let ends: [(Then, &[&str]); 4] = [
        (Then::PollFails(Kind::TimedOut), &["end expired nobody_scanned", "tell expired renewing=false"]),
        (Then::PollFails(Kind::Refused), &["end expired nobody_scanned", "tell expired renewing=false"]),
        (Then::NotDone(Some(1)), &["end expired nobody_scanned", "tell expired renewing=false"]),
        (Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
    ];
    for (then, end) in ends {
        let mut script = begin.to_vec();
        script.push((LIMIT + 100, then, end));
        play(qr(0), &script);
    }
}

#[test]
fn a_failure_the_gateway_does_not_name_is_expiry_only_near_the_end() {
    for (ms, end) in [
        (LIMIT - 10_001, ["end failed gateway_said", "tell failed gateway_said"]),
        (LIMIT - 10_000, ["end expired nobody_scanned", "tell expired renewing=false"]),
    ] {
        play(
            qr(0),
            &[
                (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
                (0, Then::Issued(Ok("w1")), QR_OUT),
                (ms, Then::PollFails(Kind::Refused), &end),
            ],
        );
    }
}

#[test]
fn cancel_hides_and_a_late_success_is_stored_and_told() {
    let machine = play(
        qr(5),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (0, Then::Picture(true), SHOWN),
            (5_000, Then::Cancel, &["abandon", "tell cancelled"]),
            (5_001, Then::Cancel, &[]),
            (6_000, Then::PollFails(Kind::Unreachable), &[]),
            (7_000, Then::Tick, &["poll w1 for 143 s"]),
            (9_000, Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
            (9_001, Then::Stored("wxid_a", "w1", true), &["tell logged_in w1"]),
        ],
    );
    assert!(machine.is_over());
    play(
        Machine::new(wish(Way::Ladder, Dialect::V1, 5)),
        &[
            (
                0,
                Then::Start,
                &["tell started", "tell requesting second_login", "POST secondLogin", "tell second_login_sent"],
            ),
            (5_000, Then::Cancel, &["abandon", "tell cancelled"]),
            // The dialog is refused: the ladder does not go on behind the operator's back.
            (9_000, Then::Second(Err(Kind::RefusedInside)), &["note gateway_said", "end abandoned -"]),
        ],
    );
}

#[test]
fn cancel_in_every_state() {
    let started: &[&str] = &["tell started", "tell requesting adopt", "list after 0 ms"];
    play(
        Machine::new(wish(Way::Ladder, Dialect::V2, 0)),
        &[
            (0, Then::Start, started),
            (1, Then::Cancel, &["end cancelled cancelled", "tell cancelled"]),
            (2, Then::List(Ok(None)), &[]),
        ],
    );
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (1, Then::Cancel, &["abandon", "tell cancelled"]),
            // Nobody has seen that code.
            (2, Then::Issued(Ok("w1")), &["end abandoned -"]),
        ],
    );
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (1, Then::Issued(Ok("w1")), QR_OUT),
            (2, Then::AskCode, &["tell verify_code_required"]),
            (3, Then::Cancel, &["end cancelled cancelled", "tell cancelled"]),
        ],
    );
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (1, Then::Issued(Ok("w1")), QR_OUT),
            (2, Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
            (3, Then::Cancel, &[]),
            (4, Then::Stored("wxid_a", "w1", true), &["tell logged_in w1"]),
        ],
    );
}

#[test]
fn a_verification_code_may_be_corrected() {
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (0, Then::Picture(true), SHOWN),
            (9_000, Then::AskCode, &["tell verify_code_required"]),
            (20_000, Then::Type, &["poll w1 for 130 s with code", "tell waiting"]),
            (21_000, Then::AskCode, &["tell verify_code_required"]),
            (30_000, Then::Type, &["poll w1 for 120 s with code", "tell waiting"]),
            (31_000, Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
        ],
    );
}

#[test]
fn a_picture_that_comes_late_does_not_cover_what_the_phone_wants() {
    for wants in [Then::AskCode, Then::Verify("http://x/1")] {
        let told = if matches!(wants, Then::AskCode) {
            "tell verify_code_required"
        } else {
            "tell device_verification http://x/1"
        };
        for picture in [true, false] {
            play(
                qr(0),
                &[
                    (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
                    (0, Then::Issued(Ok("w1")), QR_OUT),
                    (10, wants.clone(), &[told]),
                    (20, Then::Picture(picture), &[]),
                    (30, Then::Picture(true), &[]),
                ],
            );
        }
    }
}

#[test]
fn a_code_that_the_gateway_refuses_in_other_words_may_be_corrected_too() {
    let begin: &[(i64, Then, &[&str])] = &[
        (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
        (0, Then::Issued(Ok("w1")), QR_OUT),
        (0, Then::Picture(true), SHOWN),
        (9_000, Then::AskCode, &["tell verify_code_required"]),
        (20_000, Then::Type, &["poll w1 for 130 s with code", "tell waiting"]),
    ];
    let script = |rest: &[(i64, Then, &'static [&'static str])]| [begin, rest].concat();
    play(
        qr(0),
        &script(&[
            // The line broke first: the code is still on trial.
            (21_000, Then::PollFails(Kind::Unreachable), &["tell poll_broken 22000"]),
            (22_000, Then::Tick, &["poll w1 for 128 s"]),
            (23_000, Then::PollFails(Kind::Refused), &["tell verify_code_required"]),
            (30_000, Then::Type, &["poll w1 for 120 s with code", "tell waiting"]),
            (31_000, Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
        ]),
    );
    // In words that might be about the token: it is the code, and is not sent again as it is.
    play(
        qr(0),
        &script(&[
            (21_000, Then::PollFails(Kind::TokenSuspect), &["check token"]),
            (21_100, Then::Token(false), &["tell verify_code_required"]),
        ]),
    );
    // Once it was taken, a refusal is the phone's.
    play(
        qr(0),
        &script(&[
            (21_000, Then::NotDone(Some(1)), &[]),
            (22_000, Then::Tick, &["poll w1 for 128 s"]),
            (23_000, Then::PollFails(Kind::Refused), &["end failed gateway_said", "tell failed gateway_said"]),
        ]),
    );
}

#[test]
fn a_device_verification_is_told_once_and_polled_on() {
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (1_000, Then::Verify("http://x/1"), &["tell device_verification http://x/1"]),
            (3_000, Then::Tick, &["poll w1 for 147 s"]),
            (3_100, Then::Verify("http://x/1"), &[]),
            (5_100, Then::Tick, &["poll w1 for 144 s"]),
        ],
    );
}

#[test]
fn a_picture_is_fetched_again_before_anything_is_said() {
    play(
        qr(5),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (100, Then::Picture(false), &[]),
            (1_100, Then::Tick, &["fetch"]),
            (1_200, Then::Picture(false), &[]),
            (4_200, Then::Tick, &["fetch"]),
            (4_300, Then::Picture(false), &["tell no_picture"]),
            // A code that nobody saw is not renewed: the next one would be as unreadable.
            (60_000, Then::Expired, &["end failed image_failed", "tell failed image_failed"]),
        ],
    );
}

#[test]
fn the_wrong_phone_is_stored_as_its_own() {
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (9_000, Then::In("wxid_b", "w1"), &["store wxid_b w1"]),
            (9_001, Then::Stored("wxid_b", "w1", true), &["tell wrong_account wxid_b"]),
        ],
    );
}

#[test]
fn a_success_that_a_later_login_has_overtaken_is_superseded() {
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (9_000, Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
            (9_001, Then::Stored("wxid_a", "w1", false), &["tell superseded"]),
        ],
    );
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (9_000, Then::Supersede, &["abandon", "tell superseded"]),
        ],
    );
}

#[test]
fn a_dead_token_is_confirmed_before_it_is_believed() {
    let begin: &[(i64, Then, &[&str])] =
        &[(0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"])];
    let mut dead = begin.to_vec();
    dead.push((1, Then::Issued(Err(Kind::TokenSuspect)), &["check token"]));
    dead.push((2, Then::Token(true), &["end failed token_rejected", "tell failed token_rejected"]));
    play(qr(0), &dead);
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (1_000, Then::PollFails(Kind::TokenSuspect), &["check token"]),
            (2_000, Then::Token(false), &["tell poll_broken 3000"]),
            (3_000, Then::Tick, &["poll w1 for 147 s"]),
            // Doubted again: the pauses grow, or each second would cost two calls.
            (3_000, Then::PollFails(Kind::TokenSuspect), &["check token"]),
            (3_000, Then::Token(false), &["tell poll_broken 5000"]),
        ],
    );
}

#[test]
fn a_row_that_cannot_be_written_stops_the_login() {
    play(
        qr(0),
        &[
            (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
            (1, Then::RowFails, &["end failed interrupted", "tell failed interrupted"]),
        ],
    );
}

fn remains(rung: Rung, w_id: Option<&str>, left_ms: i64) -> Remains {
    Remains {
        rung,
        w_id: w_id.map(WId::from),
        image_url: w_id.map(|_| SecretString::from("http://127.0.0.1/1.png")),
        deadline: Some(at(left_ms).wall),
        requested_at: at(0).wall,
        abandoned: false,
        known_w_id: Some(WId::from("w0")),
        orphan: true,
    }
}

#[test]
fn a_resumed_code_is_shown_again_and_polled() {
    let resumed = Machine::resumed(wish(Way::Qr, Dialect::V2, 0), remains(Rung::QrLogin, Some("w1"), 90_000), true);
    play(
        resumed,
        &[
            (0, Then::Start, &["tell resumed", "fetch", "poll w1 for 90 s", "tell waiting"]),
            (100, Then::Picture(true), SHOWN),
            (9_000, Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
        ],
    );
}

#[test]
fn a_resumed_code_is_polled_once_even_after_its_deadline_and_the_list_has_the_last_word() {
    let late = || Machine::resumed(wish(Way::Qr, Dialect::V2, 0), remains(Rung::QrLogin, Some("w1"), -5_000), false);
    play(
        late(),
        &[
            (0, Then::Start, &["poll w1 for 5 s"]),
            (1, Then::PollFails(Kind::Refused), &["list after 0 ms"]),
            (2, Then::List(Ok(Some("w1"))), &["store wxid_a w1"]),
        ],
    );
    play(
        late(),
        &[
            (0, Then::Start, &["poll w1 for 5 s"]),
            (1, Then::PollFails(Kind::Refused), &["list after 0 ms"]),
            (2, Then::List(Ok(Some("w0"))), &["end abandoned -"]),
        ],
    );
}

#[test]
fn an_interrupted_second_login_is_decided_by_the_list() {
    let interrupted =
        || Machine::resumed(wish(Way::Second, Dialect::V2, 0), remains(Rung::SecondLogin, None, 20_000), true);
    play(
        interrupted(),
        &[
            (0, Then::Start, &["tell resumed", "list after 0 ms"]),
            (100, Then::List(Ok(Some("w0"))), &["list after 5000 ms"]),
            (6_000, Then::List(Ok(Some("w5"))), &["list after 1000 ms"]),
            (7_100, Then::List(Ok(Some("w5"))), &["adopt wxid_a w5"]),
            (7_101, Then::AdoptedAs("w5"), &["tell adopted w5"]),
        ],
    );
    play(
        interrupted(),
        &[
            (0, Then::Start, &["tell resumed", "list after 0 ms"]),
            (100, Then::List(Ok(None)), &["list after 5000 ms"]),
            (20_001, Then::List(Ok(None)), &["end failed interrupted", "tell failed interrupted"]),
        ],
    );
    play(
        Machine::resumed(wish(Way::Second, Dialect::V1, 0), remains(Rung::SecondLogin, None, 20_000), true),
        &[(0, Then::Start, &["tell resumed", "end failed login_interrupted", "tell failed login_interrupted"])],
    );
}

#[test]
fn an_interrupted_second_login_is_looked_for_unseen_after_a_cancel_and_after_an_older_list() {
    let begin: &[(i64, Then, &[&str])] = &[(0, Then::Start, &["tell resumed", "list after 0 ms"])];
    for (leave, tell) in [(Then::Cancel, "tell cancelled"), (Then::Supersede, "tell superseded")] {
        let machine =
            Machine::resumed(wish(Way::Second, Dialect::V2, 0), remains(Rung::SecondLogin, None, 20_000), true);
        let script: &[(i64, Then, &[&str])] = &[
            begin[0].clone(),
            (50, leave, &["abandon", tell]),
            (100, Then::List(Ok(Some("w5"))), &["list after 1000 ms"]),
            (1_100, Then::List(Ok(Some("w5"))), &["adopt wxid_a w5"]),
            // A login was stored since the first of the two.
            (1_101, Then::NotAdopted, &["list after 5000 ms"]),
            (6_200, Then::List(Ok(Some("w5"))), &["list after 1000 ms"]),
            (7_300, Then::List(Ok(Some("w5"))), &["adopt wxid_a w5"]),
            (7_301, Then::AdoptedAs("w5"), &["tell adopted w5"]),
        ];
        assert!(play(machine, script).is_over());
    }
}

#[test]
fn v1_says_that_it_does_not_know_how_an_orphaned_code_ended() {
    let orphan =
        |left_ms| Machine::resumed(wish(Way::Qr, Dialect::V1, 0), remains(Rung::QrLogin, Some("w1"), left_ms), false);
    // A success that is told once may have been told to the process that died.
    for (kind, end) in [
        (Kind::Refused, &["end failed login_interrupted"][..]),
        (Kind::RefusedInside, &["end failed login_interrupted"]),
        (Kind::TimedOut, &["end abandoned -"]),
    ] {
        let ends = (1, Then::PollFails(kind), end);
        play(orphan(-5_000), &[(0, Then::Start, &["poll w1 for 5 s"]), ends]);
    }
    play(orphan(-5_000), &[(0, Then::Start, &["poll w1 for 5 s"]), (1, Then::Expired, &["end abandoned -"])]);
    // A line that breaks once is no last word.
    let broken = || Then::PollFails(Kind::Unreachable);
    play(
        orphan(-5_000),
        &[
            (0, Then::Start, &["poll w1 for 5 s"]),
            (1, broken(), &[]),
            (1_001, Then::Tick, &["poll w1 for 5 s"]),
            (1_002, broken(), &[]),
            (2_002, Then::Tick, &["poll w1 for 5 s"]),
            (2_003, broken(), &["end failed login_interrupted"]),
        ],
    );
    // While the code lives a broken line is no end.
    play(orphan(90_000), &[(0, Then::Start, &["poll w1 for 90 s"]), (1, Then::PollFails(Kind::Unreachable), &[])]);
    // The old code of a process that lives was told to nobody.
    let twin = Remains { orphan: false, abandoned: true, ..remains(Rung::QrLogin, Some("w1"), -5_000) };
    play(
        Machine::resumed(wish(Way::Qr, Dialect::V1, 0), twin, false),
        &[(0, Then::Start, &["poll w1 for 5 s"]), (1, Then::PollFails(Kind::Refused), &["end abandoned -"])],
    );
}

#[test]
fn the_old_code_of_a_renewed_one_is_listened_to_although_the_gateway_calls_it_expired() {
    for (dialect, end) in [(Dialect::V1, "end abandoned -"), (Dialect::V2, "list after 0 ms")] {
        let twin = || {
            let remains = Remains { orphan: false, abandoned: true, ..remains(Rung::QrLogin, Some("w1"), 60_000) };
            Machine::resumed(wish(Way::Qr, dialect, 0), remains, false)
        };
        let begin: &[(i64, Then, &[&str])] = &[
            (0, Then::Start, &["poll w1 for 60 s"]),
            (10, Then::Expired, &[]),
            (5_010, Then::Tick, &["poll w1 for 54 s"]),
        ];
        play(twin(), &[begin, &[(5_100, Then::In("wxid_a", "w1"), &["store wxid_a w1"])]].concat());
        // Then it knows it no more.
        play(twin(), &[begin, &[(5_100, Then::PollFails(Kind::Refused), &[end])]].concat());
        let over: &[(i64, Then, &[&str])] = &[
            (58_000, Then::Expired, &[]),
            (60_000, Then::Tick, &["poll w1 for 5 s"]),
            (60_100, Then::Expired, &[end]),
        ];
        play(twin(), &[begin, over].concat());
    }
}

#[test]
fn an_orphan_that_waits_for_a_verification_code_waits_on() {
    let orphan = remains(Rung::QrLogin, Some("w1"), 90_000);
    play(
        Machine::resumed(wish(Way::Qr, Dialect::V2, 0), orphan, false),
        &[
            (0, Then::Start, &["poll w1 for 90 s"]),
            (1, Then::AskCode, &[]),
            (90_000, Then::Tick, &["poll w1 for 5 s"]),
            (90_001, Then::AskCode, &["list after 0 ms"]),
            (90_002, Then::List(Ok(None)), &["end abandoned -"]),
        ],
    );
}

// ── Properties ───────────────────────────────────────────────────────────────────────────────────────────────────

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unreachable),
        Just(Kind::TimedOut),
        Just(Kind::Http(500)),
        Just(Kind::Http(404)),
        Just(Kind::TokenSuspect),
        Just(Kind::Malformed),
        Just(Kind::Refused),
        Just(Kind::RefusedInside),
    ]
}

fn any_then() -> impl Strategy<Value = Then> {
    prop_oneof![
        Just(Then::Start),
        any_kind().prop_map(|kind| Then::List(Err(kind))),
        prop_oneof![Just(None), Just(Some("w1")), Just(Some("w2"))].prop_map(|w_id| Then::List(Ok(w_id))),
        any_kind().prop_map(|kind| Then::Second(Err(kind))),
        Just(Then::Second(Ok(("wxid_a", "w9")))),
        any_kind().prop_map(|kind| Then::Issued(Err(kind))),
        prop_oneof![Just("w1"), Just("w2"), Just("w3")].prop_map(|w_id| Then::Issued(Ok(w_id))),
        any::<bool>().prop_map(Then::Picture),
        prop_oneof![Just("wxid_a"), Just("wxid_b")].prop_map(|wc_id| Then::In(wc_id, "w1")),
        prop_oneof![Just(None), (0_i64..3).prop_map(Some)].prop_map(Then::NotDone),
        Just(Then::Expired),
        Just(Then::AskCode),
        Just(Then::Verify("http://x/1")),
        any_kind().prop_map(Then::PollFails),
        any::<bool>().prop_map(Then::Token),
        Just(Then::NewToken),
        Just(Then::OtherToken),
        Just(Then::NoToken),
        any_kind().prop_map(|kind| Then::Probe(Err(kind))),
        prop_oneof![Just("wxid_a"), Just("wxid_b")].prop_map(|wc_id| Then::Probe(Ok((wc_id, "w1")))),
        Just(Then::List(Ok(Some("")))),
        Just(Then::Tick),
        Just(Then::Type),
        Just(Then::Cancel),
        Just(Then::Supersede),
        any::<bool>().prop_map(|current| Then::Stored("wxid_a", "w1", current)),
        Just(Then::AdoptedAs("w2")),
        Just(Then::NotAdopted),
        Just(Then::RowFails),
    ]
}

fn any_machine() -> impl Strategy<Value = Machine> {
    let way = prop_oneof![Just(Way::Ladder), Just(Way::Qr), Just(Way::Second), Just(Way::Ring), Just(Way::OneCode)];
    let dialect = prop_oneof![Just(Dialect::V1), Just(Dialect::V2), Just(Dialect::V3)];
    let history = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0_u8..4, 0_u8..13);
    (way, dialect, 0_u8..6, any::<bool>(), any::<bool>(), any::<bool>(), history).prop_map(
        |(way, dialect, renewals, resumed, with_w_id, visible, history)| {
            let (first_night, can_list, waits_for_token, forced, seconds, codes) = history;
            let mut wish =
                Wish { first_night, first_day: !first_night, waits_for_token, forced, ..wish(way, dialect, renewals) };
            wish.can_list |= can_list;
            wish.known_w_id = can_list.then(|| WId::from("w0"));
            wish.budget.second_logins = vec![at(0).wall; seconds.into()];
            wish.budget.codes = vec![at(0).wall; codes.into()];
            if resumed {
                let rung = if with_w_id { Rung::QrLogin } else { Rung::SecondLogin };
                Machine::resumed(wish, remains(rung, with_w_id.then_some("w1"), 60_000), visible)
            } else {
                Machine::new(wish)
            }
        },
    )
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Random, late, doubled and reordered messages: no panic, at most one secondLogin and 1 + renewals codes (and once
    /// more with another token, where the token was refused), a success always goes to the store, an end is told at
    /// most once and the row is ended or handed over with it.
    #[test]
    fn whatever_happens_a_wish_stays_within_its_means(
        machine in any_machine(),
        script in proptest::collection::vec((any_then(), 0_i64..40_000, 0_u32..3), 0..60),
    ) {
        let mut play = Play::new(machine);
        let (mut ms, mut seconds, mut codes, mut ends, mut tokens, mut again) = (0, 0, 0, 0, 0, 0);
        for (then, pause, lag) in script {
            ms += pause;
            // Some answers carry the number of an older question.
            let newest = play.newest;
            play.newest = newest.saturating_sub(lag);
            let was_over = play.machine.is_over();
            let success = matches!(then, Then::In(..) | Then::Second(Ok(_)));
            let stored = matches!(then, Then::Stored(..) | Then::AdoptedAs(_));
            tokens += usize::from(matches!(then, Then::NewToken | Then::OtherToken));
            let outputs = play.then(at(ms), &then);
            play.newest = play.newest.max(newest).max(question(&outputs).unwrap_or(0));
            prop_assert!(!success || outputs.iter().any(|output| matches!(output, Output::StoreLogin(_))));
            for output in &outputs {
                match output {
                    Output::SecondLogin { again: false, .. } => seconds += 1,
                    Output::IPadLogin { again: false, .. } => codes += 1,
                    Output::SecondLogin { again: true, .. } | Output::IPadLogin { again: true, .. } => again += 1,
                    // What the store answered is told as often as it answers; every other end is told once.
                    Output::Tell(step) if step.ends() => ends += usize::from(!stored),
                    _ => {}
                }
            }
            if was_over && !success && !matches!(then, Then::Stored(..) | Then::AdoptedAs(_)) {
                prop_assert!(outputs.is_empty(), "{then:?} woke the dead: {outputs:?}");
            }
            if let Some(wake) = play.machine.next_wake() {
                prop_assert!(!play.machine.is_over());
                prop_assert!(wake <= at(ms).mono + Duration::from_secs(600));
            }
        }
        prop_assert!(seconds <= 1, "{seconds} second logins");
        prop_assert!(codes <= 6, "{codes} codes");
        prop_assert!(again <= tokens, "{again} sent again with {tokens} tokens");
        prop_assert!(ends <= 1, "{ends} ends");
    }

    /// Left alone with a gateway that answers nothing but timeouts, every machine comes to an end.
    #[test]
    fn every_attempt_has_an_end(machine in any_machine()) {
        let mut play = Play::new(machine);
        let mut ms = 0;
        let mut outputs = play.then(at(ms), &Then::Start);
        for _ in 0..200 {
            if play.machine.is_over() {
                break;
            }
            let asked = outputs.iter().rev().find_map(|output| match output {
                Output::AskList { .. } => Some((1_000, Then::List(Ok(None)))),
                Output::Probe { limit, .. } => Some((limit.as_millis() as i64, Then::Probe(Err(Kind::TimedOut)))),
                Output::SecondLogin { limit, .. } => Some((limit.as_millis() as i64, Then::Second(Err(Kind::TimedOut)))),
                Output::IPadLogin { .. } => Some((100, Then::Issued(Ok("w1")))),
                Output::Poll { limit, .. } => Some((limit.as_millis() as i64, Then::PollFails(Kind::TimedOut))),
                Output::CheckToken { .. } => Some((10, Then::Token(false))),
                _ => None,
            });
            let (pause, then) = asked.unwrap_or_else(|| {
                let wake = play.machine.next_wake().expect("something to wait for");
                ((wake.as_millis() as i64 - ms).max(1), Then::Tick)
            });
            ms += pause;
            outputs = play.then(at(ms), &then);
        }
        prop_assert!(play.machine.is_over(), "{:?}", play.machine);
    }
}
