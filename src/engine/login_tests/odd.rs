//! Odd answers: what somebody on the way says, or half of an answer, ends no login.

use super::*;

const DIALECTS: [Dialect; 3] = [Dialect::V1, Dialect::V2, Dialect::V3];
const BEGUN: (i64, Then, &[&str]) = (0, Then::Start, &["tell started", "tell requesting qr_login", "POST iPadLogin"]);

/// Everything that a poll may come to without the gateway having answered it.
fn odd() -> Vec<Error> {
    let statuses = (300..600).map(|status| Error { status: Some(status), ..error(Kind::Http(status)) });
    let cuts = [Kind::Unreachable, Kind::TimedOut, Kind::Malformed, Kind::TooLarge].map(error);
    let refused = Error { sent: false, ..error(Kind::Unreachable) };
    statuses.chain(cuts).chain([refused]).collect()
}

/// A 401 or 403 as it comes from the client: the token is doubted first.
fn doubted(status: u16) -> Error {
    Error { status: Some(status), ..error(Kind::TokenSuspect) }
}

fn lines(outputs: &[Output]) -> Vec<String> {
    outputs.iter().map(line).collect()
}

/// A machine whose code is out, and the number of its poll.
fn polling(wish: Wish) -> (Machine, Generation) {
    let mut machine = Machine::new(wish);
    let generation = question(&machine.on(Input::Start, at(0))).unwrap();
    let outputs = machine.on(Input::Issued { generation, result: Ok(issued("w1")) }, at(0));
    (machine, question(&outputs).unwrap())
}

/// Feeds ticks until a poll goes out; gives its number and when.
fn next_poll(machine: &mut Machine) -> (Generation, i64) {
    for _ in 0..3 {
        let ms = i64::try_from(machine.next_wake().expect("something is due").as_millis()).unwrap();
        let outputs = machine.on(Input::Tick, at(ms));
        if let Some(generation) = question(&outputs) {
            return (generation, ms);
        }
    }
    panic!("no poll");
}

#[test]
fn no_odd_answer_to_a_poll_ends_a_login() {
    for dialect in DIALECTS {
        for answer in odd() {
            for times in [1, 2, 5] {
                let (mut machine, mut generation) = polling(wish(Way::Qr, dialect, 0));
                let mut ms = 0;
                for _ in 0..times {
                    let outputs = machine.on(Input::Polled { generation, result: Err(answer.clone()) }, at(ms + 100));
                    assert!(!lines(&outputs).iter().any(|line| line.contains("end ")), "{dialect} {answer:?}");
                    let before = ms + 100;
                    (generation, ms) = next_poll(&mut machine);
                    assert!(
                        (1_000..=10_000).contains(&(ms - before)),
                        "{dialect} {answer:?}: after {} ms",
                        ms - before
                    );
                }
                let result = Ok(PollReply::LoggedIn(record("wxid_a", "w1")));
                let outputs = machine.on(Input::Polled { generation, result }, at(ms + 100));
                assert_eq!(lines(&outputs), ["store wxid_a w1"], "{dialect} {answer:?}");
            }
        }
    }
}

#[test]
fn a_status_about_the_token_is_a_broken_poll_where_the_token_is_good_or_nobody_knows() {
    for status in [401, 403] {
        let (mut machine, generation) = polling(wish(Way::Qr, Dialect::V2, 0));
        let outputs = machine.on(Input::Polled { generation, result: Err(doubted(status)) }, at(100));
        assert_eq!(lines(&outputs), ["check token"]);
        let generation = question(&outputs).unwrap();
        let checked = Input::TokenChecked { generation, rejected: false, error: doubted(status) };
        assert_eq!(lines(&machine.on(checked, at(200))), ["tell poll_broken 1200"]);
    }
}

#[test]
fn one_odd_answer_after_the_deadline_is_no_last_word() {
    let broken = || Then::PollFails(Kind::Http(502));
    let begin: &[(i64, Then, &[&str])] = &[
        BEGUN,
        (0, Then::Issued(Ok("w1")), QR_OUT),
        (LIMIT, Then::PollFails(Kind::TimedOut), &["poll w1 for 5 s"]),
        (LIMIT + 100, broken(), &[]),
        (LIMIT + 1_100, Then::Tick, &["poll w1 for 5 s"]),
    ];
    let ends: [&[(i64, Then, &[&str])]; 3] = [
        &[(LIMIT + 1_200, Then::In("wxid_a", "w1"), &["store wxid_a w1"])],
        &[(LIMIT + 1_200, Then::NotDone(Some(1)), &["end expired nobody_scanned", "tell expired renewing=false"])],
        // A gateway that is gone is said to be gone.
        &[
            (LIMIT + 1_200, broken(), &[]),
            (LIMIT + 2_200, Then::Tick, &["poll w1 for 5 s"]),
            (LIMIT + 2_300, broken(), &["end failed gateway_down", "tell failed gateway_down"]),
        ],
    ];
    for end in ends {
        play(qr(0), &[begin, end].concat());
    }
    // A token that is good after all does not end it either.
    let (mut machine, generation) = polling(wish(Way::Qr, Dialect::V1, 0));
    let outputs = machine.on(Input::Polled { generation, result: Err(error(Kind::TimedOut)) }, at(LIMIT));
    let generation = question(&outputs).unwrap();
    let outputs = machine.on(Input::Polled { generation, result: Err(doubted(403)) }, at(LIMIT + 10));
    let generation = question(&outputs).unwrap();
    let checked = Input::TokenChecked { generation, rejected: false, error: doubted(403) };
    assert_eq!(lines(&machine.on(checked, at(LIMIT + 20))), [""; 0]);
    assert_eq!(next_poll(&mut machine).1, LIMIT + 1_020);
}

#[test]
fn a_verification_code_survives_a_broken_answer_and_is_sent_again_only_where_it_is_wanted() {
    let begin: &[(i64, Then, &[&str])] = &[
        BEGUN,
        (0, Then::Issued(Ok("w1")), QR_OUT),
        (9_000, Then::AskCode, &["tell verify_code_required"]),
        (20_000, Then::Type, &["poll w1 for 130 s with code", "tell waiting"]),
        (21_000, Then::PollFails(Kind::Http(502)), &["tell poll_broken 22000"]),
        // The gateway may have taken it.
        (22_000, Then::Tick, &["poll w1 for 128 s"]),
    ];
    let ends: [&[(i64, Then, &[&str])]; 5] = [
        // Sent twice at most: it may be wrong.
        &[
            (23_000, Then::AskCode, &[]),
            (24_000, Then::Tick, &["poll w1 for 126 s with code"]),
            (25_000, Then::PollFails(Kind::Http(502)), &["tell poll_broken 26000"]),
            (26_000, Then::Tick, &["poll w1 for 124 s"]),
            (27_000, Then::AskCode, &["tell verify_code_required"]),
        ],
        &[(23_000, Then::In("wxid_a", "w1"), &["store wxid_a w1"])],
        &[(23_000, Then::NotDone(Some(2)), &["tell scanned"]), (24_000, Then::Tick, &["poll w1 for 126 s"])],
        // It has not: nobody has to type it again.
        &[
            (23_000, Then::AskCode, &[]),
            (24_000, Then::Tick, &["poll w1 for 126 s with code"]),
            (25_000, Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
        ],
        // It was wrong.
        &[
            (23_000, Then::AskCode, &[]),
            (24_000, Then::Tick, &["poll w1 for 126 s with code"]),
            (25_000, Then::AskCode, &["tell verify_code_required"]),
        ],
    ];
    for end in ends {
        play(qr(0), &[begin, end].concat());
    }
}

#[test]
fn a_verification_code_that_never_left_or_was_refused_with_its_token_goes_with_the_next_poll() {
    let typed = || {
        let (mut machine, generation) = polling(wish(Way::Qr, Dialect::V3, 0));
        let asked = Ok(PollReply::VerifyCode { given: None, gateway_message: "请在ipad上输入验证码".into() });
        machine.on(Input::Polled { generation, result: asked }, at(100));
        let outputs = machine.on(Input::VerifyCode("123456".into()), at(200));
        let generation = question(&outputs).unwrap();
        (machine, generation)
    };
    let (mut machine, generation) = typed();
    let unsent = Error { sent: false, ..error(Kind::Unreachable) };
    machine.on(Input::Polled { generation, result: Err(unsent) }, at(300));
    assert_eq!(lines(&machine.on(Input::Tick, at(1_300))), ["poll w1 for 248 s with code"]);

    let (mut machine, generation) = typed();
    machine.on(Input::NewToken { was_dead: true }, at(300));
    let outputs = machine.on(Input::Polled { generation, result: Err(doubted(401)) }, at(400));
    assert_eq!(lines(&outputs), ["poll w1 for 249 s with code", "tell waiting"]);

    // A proxy's 403 with words of its own asks nobody to type it again.
    let (mut machine, generation) = typed();
    let outputs = machine.on(Input::Polled { generation, result: Err(doubted(403)) }, at(300));
    let generation = question(&outputs).unwrap();
    let checked = Input::TokenChecked { generation, rejected: false, error: doubted(403) };
    assert_eq!(lines(&machine.on(checked, at(400))), ["tell poll_broken 1400"]);
    assert_eq!(lines(&machine.on(Input::Tick, at(1_400))), ["poll w1 for 248 s"]);
}

#[test]
fn an_odd_answer_to_a_second_login_is_no_refusal() {
    for dialect in DIALECTS {
        let statuses = (300..600).filter(|status| ![401, 403].contains(status));
        let odd = statuses.map(|status| error(Kind::Http(status))).chain([Kind::Malformed, Kind::TooLarge].map(error));
        // What is left of a 403 once the token is known to be good.
        for answer in odd.chain([doubted(401), doubted(403)]) {
            let mut machine = Machine::new(wish(Way::Second, dialect, 0));
            let mut generation = question(&machine.on(Input::Start, at(0))).unwrap();
            let suspect = answer.kind == Kind::TokenSuspect;
            let mut outputs = machine.on(Input::SecondAnswered { generation, result: Err(answer.clone()) }, at(5_000));
            if suspect {
                generation = question(&outputs).unwrap();
                let checked = Input::TokenChecked { generation, rejected: false, error: answer.clone() };
                outputs = machine.on(checked, at(5_100));
            }
            let lines = lines(&outputs);
            if dialect.lists_w_ids() {
                assert_eq!(lines.last().unwrap(), "list after 0 ms", "{dialect} {answer:?}");
                assert!(!machine.is_over());
            } else {
                assert_eq!(lines.last().unwrap(), "tell failed login_interrupted", "{answer:?}");
            }
        }
    }
}

#[test]
fn an_odd_answer_to_a_code_is_the_gateways_trouble_and_is_not_asked_for_again() {
    let codes = || {
        let mut machine = Machine::new(wish(Way::Qr, Dialect::V2, 5));
        let generation = question(&machine.on(Input::Start, at(0))).unwrap();
        (machine, generation)
    };
    for answer in odd() {
        let (mut machine, generation) = codes();
        let outputs = lines(&machine.on(Input::Issued { generation, result: Err(answer) }, at(100)));
        assert_eq!(outputs.last().unwrap(), "tell failed gateway_down");
        assert!(!outputs.iter().any(|line| line.starts_with("POST")));
    }
    let (mut machine, generation) = codes();
    let outputs = machine.on(Input::Issued { generation, result: Err(doubted(403)) }, at(100));
    let generation = question(&outputs).unwrap();
    let checked = Input::TokenChecked { generation, rejected: false, error: doubted(403) };
    assert_eq!(lines(&machine.on(checked, at(200))), ["end failed gateway_down", "tell failed gateway_down"]);
}

#[test]
fn one_odd_answer_on_the_first_rung_rings_no_phone() {
    let listing: (i64, Then, &[&str]) = (0, Then::Start, &["tell started", "tell requesting adopt", "list after 0 ms"]);
    let second: &[&str] = &["tell requesting second_login", "POST secondLogin", "tell second_login_sent"];
    for kind in [Kind::Http(502), Kind::Malformed, Kind::Unreachable, Kind::TooLarge] {
        let broken = || Then::List(Err(kind.clone()));
        let begin = [listing.clone(), (100, broken(), &["list after 1000 ms"])];
        let adopts: &[(i64, Then, &[&str])] = &[
            (1_100, Then::List(Ok(Some("w2"))), &["list after 1000 ms"]),
            (2_200, Then::List(Ok(Some("w2"))), &["adopt wxid_a w2"]),
        ];
        play(Machine::new(wish(Way::Ladder, Dialect::V2, 0)), &[&begin, adopts].concat());
    }
    let broken = || Then::List(Err(Kind::Http(502)));
    let failed = [&["tell stepped_down adopt list_failed"], second].concat();
    play(
        Machine::new(wish(Way::Ladder, Dialect::V2, 0)),
        &[
            listing.clone(),
            (100, broken(), &["list after 1000 ms"]),
            (1_200, broken(), &["list after 1000 ms"]),
            (2_300, broken(), &failed),
        ],
    );
    // A gateway without this list says so each time.
    let missing = (100, Then::List(Err(Kind::Http(404))), &*failed);
    play(Machine::new(wish(Way::Ladder, Dialect::V2, 0)), &[listing.clone(), missing]);
    // V1's instance.
    let v1 = || {
        Machine::new(Wish { can_list: true, known_w_id: Some(WId::from("w0")), ..wish(Way::Ladder, Dialect::V1, 0) })
    };
    let odd = || Then::Probe(Err(Kind::Http(400)));
    let begin: &[(i64, Then, &[&str])] = &[
        listing,
        (100, Then::List(Ok(Some(""))), &["probe w0 for 4 s"]),
        (200, odd(), &["probe w0 for 4 s after 1000 ms"]),
    ];
    play(v1(), &[begin, &[(1_300, Then::Probe(Ok(("wxid_a", "w0"))), &["adopt wxid_a w0"])]].concat());
    let silent = [&["tell stepped_down adopt no_answer"], second].concat();
    let gone = [(1_300, odd(), &["probe w0 for 4 s after 1000 ms"][..]), (2_400, odd(), &silent)];
    play(v1(), &[begin, &gone].concat());
}

#[test]
fn the_list_that_has_the_last_word_is_asked_again_when_its_answer_breaks() {
    let remains = || Remains { orphan: true, ..remains(Rung::QrLogin, Some("w1"), -5_000) };
    let begin: &[(i64, Then, &[&str])] = &[
        (0, Then::Start, &["tell resumed", "poll w1 for 5 s"]),
        (1, Then::PollFails(Kind::TimedOut), &["list after 0 ms"]),
        (2, Then::List(Err(Kind::Http(503))), &["list after 1000 ms"]),
    ];
    let resumed = || Machine::resumed(wish(Way::Qr, Dialect::V2, 0), remains(), true);
    play(resumed(), &[begin, &[(1_002, Then::List(Ok(Some("w1"))), &["store wxid_a w1"])]].concat());
    let broken = || Then::List(Err(Kind::Malformed));
    let down: &[(i64, Then, &[&str])] = &[
        (1_002, broken(), &["list after 1000 ms"]),
        (2_002, broken(), &["end failed gateway_down", "tell failed gateway_down"]),
    ];
    play(resumed(), &[begin, down].concat());
}

#[test]
fn where_only_polls_can_tell_the_token_is_dead_after_half_a_minute_of_refusals() {
    let (mut machine, mut generation) = polling(wish(Way::Qr, Dialect::V1, 0));
    let (mut ms, mut said) = (0, Vec::new());
    while said.is_empty() {
        let outputs = machine.on(Input::Polled { generation, result: Err(doubted(401)) }, at(ms));
        generation = question(&outputs).expect("the token is tried");
        let checked = Input::TokenChecked { generation, rejected: true, error: doubted(401) };
        said = lines(&machine.on(checked, at(ms + 10)));
        if said.iter().all(|line| line.starts_with("tell poll_broken")) {
            said.clear();
            (generation, ms) = next_poll(&mut machine);
        }
    }
    assert_eq!(said, ["tell failed token_rejected"]);
    assert!((30_000..45_000).contains(&ms), "after {ms} ms");
    // With another call to ask, at once.
    let (mut machine, generation) = polling(Wish { can_list: true, ..wish(Way::Qr, Dialect::V1, 0) });
    let outputs = machine.on(Input::Polled { generation, result: Err(doubted(401)) }, at(0));
    let generation = question(&outputs).unwrap();
    let checked = Input::TokenChecked { generation, rejected: true, error: doubted(401) };
    assert_eq!(lines(&machine.on(checked, at(10))), ["tell failed token_rejected"]);
}
