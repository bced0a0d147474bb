//! The ladder: adopting in V1, the reasons for leaving a rung, the budget.

use super::*;
use crate::engine::api::LoginStep;
use crate::model::{Budget, Cost, Limits, Reason};

const SECOND: &[&str] = &["tell requesting second_login", "POST secondLogin", "tell second_login_sent"];
const CODE: &[&str] = &["tell requesting qr_login", "POST iPadLogin"];
const LISTING: &[&str] = &["tell started", "tell requesting adopt", "list after 0 ms"];

fn v1() -> Wish {
    let known_w_id = Some(WId::from("w0"));
    Wish { can_list: true, known_w_id, ..wish(Way::Ladder, Dialect::V1, 0) }
}

fn with<'a>(first: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    [first, rest].concat()
}

#[test]
fn v1_asks_the_instance_it_holds_and_adopts_what_it_answers() {
    for answered in ["w0", "w8"] {
        let adopt = format!("adopt wxid_a {answered}");
        let machine = play(
            Machine::new(v1()),
            &[
                (0, Then::Start, LISTING),
                (100, Then::List(Ok(Some(""))), &["probe w0 for 4 s"]),
                (200, Then::Probe(Ok(("wxid_a", answered))), &[&adopt]),
                (210, Then::AdoptedAs(answered), &[&format!("tell adopted {answered}")]),
            ],
        );
        assert!(machine.is_over());
    }
}

#[test]
fn v1_goes_down_when_the_instance_is_silent_or_somebody_elses() {
    let down = with(&["tell stepped_down adopt no_answer"], SECOND);
    for answer in [Then::Probe(Err(Kind::TimedOut)), Then::Probe(Err(Kind::Refused)), Then::Probe(Ok(("wxid_b", "w0")))]
    {
        play(
            Machine::new(v1()),
            &[
                (0, Then::Start, LISTING),
                (100, Then::List(Ok(Some(""))), &["probe w0 for 4 s"]),
                (4_100, answer, &down),
            ],
        );
    }
    let not_listed = with(&[NOT_LISTED], SECOND);
    play(Machine::new(v1()), &[(0, Then::Start, LISTING), (100, Then::List(Ok(None)), &not_listed)]);
    let failed = with(&["tell stepped_down adopt list_failed"], SECOND);
    play(Machine::new(v1()), &[(0, Then::Start, LISTING), (100, Then::List(Err(Kind::Refused)), &failed)]);
}

#[test]
fn v1_without_password_or_w_id_has_nothing_to_adopt_from() {
    let begin = with(&["tell started"], SECOND);
    play(Machine::new(Wish { can_list: false, ..v1() }), &[(0, Then::Start, &begin)]);
    play(Machine::new(Wish { known_w_id: None, ..v1() }), &[(0, Then::Start, &begin)]);
}

#[test]
fn a_cancelled_probe_is_no_login() {
    play(
        Machine::new(v1()),
        &[
            (0, Then::Start, LISTING),
            (100, Then::List(Ok(Some(""))), &["probe w0 for 4 s"]),
            (150, Then::Cancel, &["end cancelled cancelled", "tell cancelled"]),
            (200, Then::Probe(Ok(("wxid_a", "w0"))), &[]),
        ],
    );
}

#[test]
fn both_shapes_of_1001_step_down() {
    for kind in [Kind::Refused, Kind::RefusedInside] {
        let failed = Error { call: Call::SecondLogin, ..error(kind) };
        let mut machine = Machine::new(wish(Way::Second, Dialect::V2, 0));
        let sent = machine.on(Input::Start, at(0));
        let generation = question(&sent).unwrap();
        let outputs = machine.on(Input::SecondAnswered { generation, result: Err(failed) }, at(9_000));
        let lines: Vec<String> = outputs.iter().map(line).collect();
        let end = [
            "note refused",
            "tell second_login_failed refused",
            "end second_login_failed refused",
            "tell failed refused",
        ];
        assert_eq!(lines, end);
    }
}

fn spent(cost: Cost, times: u8, way: Way, renewals: u8) -> Wish {
    let mut wish = wish(way, Dialect::V2, renewals);
    for _ in 0..times {
        wish.budget.spend(cost, at(-1_000).wall);
    }
    wish
}

#[test]
fn beyond_the_budget_nothing_is_sent_unless_a_person_said_so() {
    let second = |times| spent(Cost::SecondLogin, times, Way::Ladder, 0);
    let below = with(&[NOT_LISTED], SECOND);
    play(Machine::new(second(2)), &[(0, Then::Start, LISTING), (100, Then::List(Ok(None)), &below)]);
    let over: &[&str] = &[NOT_LISTED, "forget", "tell over_budget 4 of 3"];
    let machine = play(Machine::new(second(3)), &[(0, Then::Start, LISTING), (100, Then::List(Ok(None)), over)]);
    assert!(machine.is_over());
    let forced = Wish { forced: true, ..second(3) };
    play(Machine::new(forced), &[(0, Then::Start, LISTING), (100, Then::List(Ok(None)), &below)]);
    // A second login does not use up the codes, and adopting costs nothing.
    let begin = with(&["tell started"], CODE);
    play(Machine::new(Wish { way: Way::Qr, ..second(3) }), &[(0, Then::Start, &begin)]);
    play(
        Machine::new(second(3)),
        &[
            (0, Then::Start, LISTING),
            (100, Then::List(Ok(Some("w8"))), &["list after 1000 ms"]),
            (1_100, Then::List(Ok(Some("w8"))), &["adopt wxid_a w8"]),
        ],
    );
    let codes = spent(Cost::Code, 12, Way::Qr, 5);
    play(Machine::new(codes), &[(0, Then::Start, &["tell started", "forget", "tell over_budget 13 of 12"])]);
}

#[test]
fn a_refused_second_login_rests_second_logins_and_a_code_is_another_way() {
    for (dialect, way) in [
        (Dialect::V1, Way::Second),
        (Dialect::V1, Way::Ring),
        (Dialect::V1, Way::Qr),
        (Dialect::V1, Way::OneCode),
        (Dialect::V1, Way::Ladder),
        (Dialect::V2, Way::Second),
        (Dialect::V3, Way::Ladder),
    ] {
        let mut wish = wish(way, dialect, 0);
        wish.budget.refused(at(-1_000).wall);
        let code = with(&["tell started"], CODE);
        let lists = dialect.lists_w_ids() && way == Way::Ladder;
        let left = if lists { NOT_LISTED } else { "tell started" };
        let ladder = with(&[left, "tell stepped_down second_login resting"], CODE);
        let outputs: &[&str] = match way {
            Way::Second | Way::Ring => &["tell started", "forget", "tell over_budget resting"],
            Way::Qr | Way::OneCode => &code,
            Way::Ladder => &ladder,
        };
        let script: &[(i64, Then, &[&str])] = if lists {
            &[(0, Then::Start, LISTING), (100, Then::List(Ok(None)), outputs)]
        } else {
            &[(0, Then::Start, outputs)]
        };
        play(Machine::new(wish.clone()), script);
        // The rest is over, or a person says that the phone may be asked all the same.
        let rung = with(&["tell started"], SECOND);
        let rings = !lists && matches!(way, Way::Second | Way::Ring | Way::Ladder);
        for again in [Wish { forced: true, ..wish.clone() }, Wish { budget: Budget::default(), ..wish.clone() }] {
            if rings {
                play(Machine::new(again), &[(0, Then::Start, &rung)]);
            }
        }
    }
}

#[test]
fn a_yes_to_one_more_code_rings_no_phone() {
    let wish = Wish { first_night: true, ..spent(Cost::Code, 12, Way::Ladder, 0) };
    let mut machine = Machine::new(wish);
    machine.on(Input::Start, at(0));
    let outputs = machine.on(Input::Listed { generation: 1, began: Began::default(), result: Ok(None) }, at(1));
    let asked = outputs.iter().find_map(|output| match output {
        Output::Tell(LoginStep::OverBudget { way, .. }) => Some(*way),
        _ => None,
    });
    assert_eq!(asked, Some(Way::Qr));
}

/// What a second login's refusal comes to after so long: whether the account is to rest.
fn rang(wish: Wish, after: i64, token_doubted: bool) -> bool {
    let refusal = |kind| Error { call: Call::SecondLogin, ..error(kind) };
    let mut machine = Machine::new(wish);
    let sent = question(&machine.on(Input::Start, at(0))).unwrap();
    let mut now = at(after);
    // The wall clock may be set meanwhile.
    now.wall = now.wall.plus_ms(-8 * 3_600_000);
    let kind = if token_doubted { Kind::TokenSuspect } else { Kind::RefusedInside };
    let mut outputs = machine.on(Input::SecondAnswered { generation: sent, result: Err(refusal(kind)) }, now);
    if token_doubted {
        let generation = question(&outputs).unwrap();
        let error = refusal(Kind::TokenSuspect);
        outputs = machine.on(Input::TokenChecked { generation, rejected: false, error }, at(after + 9_000));
    }
    let noted = outputs.iter().find_map(|output| match output {
        Output::SecondFailed { rang, reason, .. } => Some((*rang, *reason)),
        _ => None,
    });
    let (rang, reason) = noted.unwrap();
    assert_eq!(reason, Reason::Refused, "whoever refused, the login was");
    rang
}

#[test]
fn what_is_refused_faster_than_a_person_taps_rang_no_phone() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        for (after, token_doubted, rests) in
            [(3, false, false), (900, false, false), (1_000, false, true), (6_000, false, true), (3, true, false)]
        {
            assert_eq!(rang(wish(Way::Second, dialect, 0), after, token_doubted), rests, "{dialect} {after}");
        }
        let quick = Wish { tap: Duration::ZERO, ..wish(Way::Second, dialect, 0) };
        assert!(rang(quick, 3, false));
    }
}

#[test]
fn where_nobody_would_see_a_code_the_ladder_ends_above_it() {
    let unseen = |wish: Wish| Machine::new(Wish { shows_codes: false, ..wish });
    // Whatever it is that comes before the code, it is tried.
    play(
        unseen(wish(Way::Ladder, Dialect::V1, 5)),
        &[
            (0, Then::Start, &with(&["tell started"], SECOND)),
            (
                5_000,
                Then::Second(Err(Kind::RefusedInside)),
                &[
                    "note gateway_said",
                    "tell second_login_failed gateway_said",
                    "tell stepped_down qr_login nowhere_to_show",
                    "end second_login_failed gateway_said",
                    "tell failed gateway_said",
                ],
            ),
        ],
    );
    // An answer that is lost is looked for as a lone second login's is.
    play(
        unseen(wish(Way::Ladder, Dialect::V2, 5)),
        &[
            (0, Then::Start, LISTING),
            (100, Then::List(Ok(None)), &with(&[NOT_LISTED], SECOND)),
            (5_000, Then::Second(Err(Kind::Unreachable)), LOST),
        ],
    );
    play(
        unseen(wish(Way::Ladder, Dialect::V2, 5)),
        &[
            (0, Then::Start, LISTING),
            (100, Then::List(Ok(Some("w8"))), &["list after 1000 ms"]),
            (1_100, Then::List(Ok(Some("w8"))), &["adopt wxid_a w8"]),
        ],
    );
    // A code is all that would help: nothing of it is remembered, since nothing was sent.
    let nowhere: &[&str] =
        &[NOT_LISTED, "tell stepped_down second_login first_night", "forget", "tell failed nowhere_to_show"];
    let first_night = Wish { first_night: true, ..wish(Way::Ladder, Dialect::V2, 5) };
    play(unseen(first_night), &[(0, Then::Start, LISTING), (100, Then::List(Ok(None)), nowhere)]);
    let none: &[&str] = &["tell started", "forget", "tell failed nowhere_to_show"];
    play(unseen(wish(Way::Qr, Dialect::V3, 5)), &[(0, Then::Start, none)]);
    // The rest is what a person could do something about.
    let mut rests = wish(Way::Ladder, Dialect::V1, 5);
    rests.budget.refused(at(-1_000).wall);
    play(unseen(rests), &[(0, Then::Start, &["tell started", "forget", "tell over_budget resting"])]);
}

#[test]
fn a_refusal_does_not_hold_the_same_ladder_up() {
    play(
        Machine::new(wish(Way::Ladder, Dialect::V1, 0)),
        &[
            (0, Then::Start, &with(&["tell started"], SECOND)),
            (
                5_000,
                Then::Second(Err(Kind::RefusedInside)),
                &with(&["note gateway_said", "tell second_login_failed gateway_said"], CODE),
            ),
        ],
    );
}

#[test]
fn renewal_ends_with_the_days_codes() {
    let eleven = spent(Cost::Code, 11, Way::Qr, 5);
    let script: &[(i64, Then, &[&str])] = &[
        (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]),
        (0, Then::Issued(Ok("w1")), QR_OUT),
        (0, Then::Picture(true), SHOWN),
        (60_000, Then::Expired, &["end expired nobody_scanned", "tell expired renewing=false"]),
    ];
    play(Machine::new(eleven.clone()), script);
    // A person's yes bought one code, not its renewals.
    play(Machine::new(Wish { forced: true, ..spent(Cost::Code, 12, Way::Qr, 5) }), script);
    let room = Wish { limits: Limits { codes: 13, ..Limits::default() }, ..eleven };
    let renewed: &[&str] = &["tell expired renewing=true", "tell requesting qr_login", "POST iPadLogin"];
    play(
        Machine::new(room),
        &[script[0].clone(), script[1].clone(), script[2].clone(), (60_000, Then::Expired, renewed)],
    );
    // A new account has no budget.
    let anyone = Wish { wc_id: None, ..spent(Cost::Code, 12, Way::Qr, 5) };
    play(Machine::new(anyone), &[script[0].clone()]);
}

const LOST: &[&str] = &["tell poll_broken 5000", "list after 0 ms"];

fn second(dialect: Dialect) -> Machine {
    Machine::new(Wish { known_w_id: Some(WId::from("w0")), ..wish(Way::Second, dialect, 0) })
}

#[test]
fn a_second_login_whose_answer_is_lost_is_told_by_the_list() {
    for kind in [Kind::Unreachable, Kind::Http(502), Kind::Malformed] {
        let broken = [
            (0, Then::Start, &with(&["tell started"], SECOND)[..]),
            (5_000, Then::Second(Err(kind)), LOST),
            (5_100, Then::List(Ok(Some("w0"))), &["list after 5000 ms"]),
        ];
        let confirmed: &[(i64, Then, &[&str])] = &[
            (10_100, Then::List(Ok(Some("w1"))), &["list after 1000 ms"]),
            (11_100, Then::List(Ok(Some("w1"))), &["adopt wxid_a w1"]),
            (11_200, Then::AdoptedAs("w1"), &["tell adopted w1"]),
        ];
        assert!(play(second(Dialect::V2), &[&broken, confirmed].concat()).is_over());
        let not: &[(i64, Then, &[&str])] = &[
            (LIMIT, Then::List(Err(Kind::Unreachable)), &["list after 5000 ms"]),
            (
                LIMIT + 5_000,
                Then::List(Ok(None)),
                &[
                    "note gateway_down",
                    "tell second_login_failed gateway_down",
                    "end second_login_failed gateway_down",
                    "tell failed gateway_down",
                ],
            ),
        ];
        assert!(play(second(Dialect::V2), &[&broken, not].concat()).is_over());
        // Whoever cancels has the row back; the phone may confirm all the same.
        let cancelled: &[(i64, Then, &[&str])] = &[
            (6_000, Then::Cancel, &["abandon", "tell cancelled"]),
            (10_100, Then::List(Ok(Some("w1"))), &["list after 1000 ms"]),
            (11_100, Then::List(Ok(Some("w1"))), &["adopt wxid_a w1"]),
        ];
        play(second(Dialect::V2), &[&broken, cancelled].concat());
    }
}

#[test]
fn v1_cannot_tell_how_a_second_login_ended_whose_answer_is_lost() {
    let failed: &[&str] = &[
        "note login_interrupted",
        "tell second_login_failed login_interrupted",
        "end second_login_failed login_interrupted",
        "tell failed login_interrupted",
    ];
    let begin = with(&["tell started"], SECOND);
    play(second(Dialect::V1), &[(0, Then::Start, &begin), (5_000, Then::Second(Err(Kind::Unreachable)), failed)]);
    let stepped = with(&["note login_interrupted", "tell second_login_failed login_interrupted"], CODE);
    play(
        Machine::new(wish(Way::Ladder, Dialect::V1, 0)),
        &[(0, Then::Start, &begin), (5_000, Then::Second(Err(Kind::Unreachable)), &stepped)],
    );
    // Cancelled before: nobody hears of it, and the wId is doubted all the same.
    play(
        second(Dialect::V1),
        &[
            (0, Then::Start, &begin),
            (1_000, Then::Cancel, &["abandon", "tell cancelled"]),
            (5_000, Then::Second(Err(Kind::Unreachable)), &["note login_interrupted", "end abandoned -"]),
        ],
    );
}

#[test]
fn where_nothing_was_sent_nothing_is_doubted() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        let mut machine = second(dialect);
        let generation = question(&machine.on(Input::Start, at(0))).unwrap();
        let failed = Error { call: Call::SecondLogin, sent: false, ..error(Kind::Unreachable) };
        let outputs = machine.on(Input::SecondAnswered { generation, result: Err(failed) }, at(9_000));
        let lines: Vec<String> = outputs.iter().map(line).collect();
        let end = [
            "take back a second login",
            "note gateway_down",
            "tell second_login_failed gateway_down",
            "end second_login_failed gateway_down",
            "tell failed gateway_down",
        ];
        assert_eq!(lines, end);
    }
}

#[test]
fn what_the_store_does_not_take_of_a_resumed_login_is_looked_for_again() {
    let remains = Remains {
        rung: Rung::SecondLogin,
        w_id: None,
        image_url: None,
        deadline: Some(at(60_000).wall),
        requested_at: at(0).wall,
        abandoned: false,
        known_w_id: None,
        orphan: true,
    };
    play(
        Machine::resumed(wish(Way::Qr, Dialect::V2, 0), remains, true),
        &[
            (0, Then::Start, &["tell resumed", "list after 0 ms"]),
            (0, Then::List(Ok(Some("w1"))), &["list after 1000 ms"]),
            (1_000, Then::List(Ok(Some("w1"))), &["adopt wxid_a w1"]),
            (1_100, Then::NotAdopted, &["list after 5000 ms"]),
            (6_100, Then::List(Ok(Some("w1"))), &["list after 1000 ms"]),
            (7_100, Then::List(Ok(Some("w1"))), &["adopt wxid_a w1"]),
        ],
    );
}

#[test]
fn a_resumed_second_login_goes_on_unseen_when_it_is_left() {
    for (input, said) in [(Then::Cancel, "tell cancelled"), (Then::Supersede, "tell superseded")] {
        let remains = Remains {
            rung: Rung::SecondLogin,
            w_id: None,
            image_url: None,
            deadline: Some(at(60_000).wall),
            requested_at: at(0).wall,
            abandoned: false,
            known_w_id: None,
            orphan: true,
        };
        let machine = play(
            Machine::resumed(wish(Way::Qr, Dialect::V2, 0), remains, true),
            &[
                (0, Then::Start, &["tell resumed", "list after 0 ms"]),
                (0, Then::List(Ok(None)), &["list after 5000 ms"]),
                (1_000, input, &["abandon", said]),
                (5_000, Then::List(Ok(Some("w1"))), &["list after 1000 ms"]),
                (6_000, Then::List(Ok(Some("w1"))), &["adopt wxid_a w1"]),
            ],
        );
        assert!(machine.is_abandoned());
    }
}

#[test]
fn a_request_that_never_left_costs_nothing() {
    let unsent = || Error { sent: false, ..error(Kind::Unreachable) };
    let lines = |machine: &mut Machine, input| machine.on(input, at(1)).iter().map(line).collect::<Vec<_>>();
    for (sent, taken_back) in [(false, true), (true, false)] {
        let mut second = Machine::new(wish(Way::Second, Dialect::V1, 0));
        second.on(Input::Start, at(0));
        let answer = Input::SecondAnswered { generation: 1, result: Err(Error { sent, ..unsent() }) };
        assert_eq!(lines(&mut second, answer).contains(&"take back a second login".to_owned()), taken_back);
        let mut code = Machine::new(wish(Way::Qr, Dialect::V2, 0));
        code.on(Input::Start, at(0));
        let answer = Input::Issued { generation: 1, result: Err(Error { sent, ..unsent() }) };
        assert_eq!(lines(&mut code, answer).contains(&"take back a code".to_owned()), taken_back);
    }
    // Cancelled meanwhile, it still did not leave.
    let mut cancelled = Machine::new(wish(Way::Qr, Dialect::V2, 0));
    cancelled.on(Input::Start, at(0));
    cancelled.on(Input::Cancel, at(0));
    let outputs = lines(&mut cancelled, Input::Issued { generation: 1, result: Err(unsent()) });
    assert_eq!(outputs.first().map(String::as_str), Some("take back a code"));
    // On the ladder as well, each for itself; a new account has no budget.
    let mut ladder = Machine::new(Wish { can_list: false, ..wish(Way::Ladder, Dialect::V1, 0) });
    ladder.on(Input::Start, at(0));
    let outputs = lines(&mut ladder, Input::SecondAnswered { generation: 1, result: Err(unsent()) });
    assert_eq!(outputs.first().map(String::as_str), Some("take back a second login"));
    let outputs = lines(&mut ladder, Input::Issued { generation: 2, result: Err(unsent()) });
    assert_eq!(outputs.first().map(String::as_str), Some("take back a code"));
    let mut new = Machine::new(Wish { wc_id: None, ..wish(Way::Qr, Dialect::V2, 0) });
    new.on(Input::Start, at(0));
    let outputs = lines(&mut new, Input::Issued { generation: 1, result: Err(unsent()) });
    assert!(!outputs.iter().any(|line| line.starts_with("take back")));
}
