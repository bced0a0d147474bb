//! A token that dies in the middle.

use super::*;

const WAITS: &[&str] = &["tell waiting_for_token", "need token"];
const POLL: &[&str] = &["tell started", "tell requesting qr_login", "POST iPadLogin"];

fn waiting(way: Way) -> Wish {
    Wish { waits_for_token: true, ..wish(way, Dialect::V2, 2) }
}

#[test]
fn a_refused_request_is_sent_again_with_another_token_and_still_is_the_one() {
    play(
        Machine::new(waiting(Way::Second)),
        &[
            (
                0,
                Then::Start,
                &["tell started", "tell requesting second_login", "POST secondLogin", "tell second_login_sent"],
            ),
            (100, Then::Second(Err(Kind::TokenSuspect)), &["check token"]),
            (200, Then::Token(true), WAITS),
            (60_000, Then::Tick, &[]),
            (
                90_000,
                Then::NewToken,
                &["tell requesting second_login", "POST secondLogin again", "tell second_login_sent"],
            ),
            (95_000, Then::Second(Ok(("wxid_a", "w9"))), &["store wxid_a w9"]),
        ],
    );
    play(
        Machine::new(waiting(Way::Qr)),
        &[
            (0, Then::Start, POLL),
            (100, Then::Issued(Err(Kind::TokenSuspect)), &["check token"]),
            (200, Then::Token(true), WAITS),
            (90_000, Then::NewToken, &["tell requesting qr_login", "POST iPadLogin again"]),
            (90_100, Then::Issued(Ok("w1")), QR_OUT),
        ],
    );
    play(
        Machine::new(waiting(Way::Ladder)),
        &[
            (0, Then::Start, &["tell started", "tell requesting adopt", "list after 0 ms"]),
            (100, Then::List(Err(Kind::TokenSuspect)), &["check token"]),
            (200, Then::Token(true), WAITS),
            (90_000, Then::NewToken, &["list after 0 ms"]),
        ],
    );
}

#[test]
fn a_code_is_polled_on_with_the_same_w_id_and_its_countdown_runs_meanwhile() {
    let begin: &[(i64, Then, &[&str])] = &[
        (0, Then::Start, POLL),
        (0, Then::Issued(Ok("w1")), QR_OUT),
        (0, Then::Picture(true), SHOWN),
        (20_000, Then::PollFails(Kind::TokenSuspect), &["check token"]),
        (20_100, Then::Token(true), WAITS),
    ];
    let mut script = begin.to_vec();
    script.push((80_000, Then::NewToken, &["poll w1 for 70 s", "tell waiting"]));
    script.push((90_000, Then::In("wxid_a", "w1"), &["store wxid_a w1"]));
    play(Machine::new(waiting(Way::Qr)), &script);
    // It runs out: covered, the row free, not renewed. With a token it is polled a last time.
    let mut script = begin.to_vec();
    script.push((LIMIT - 1, Then::Tick, &[]));
    script.push((LIMIT, Then::Tick, &["abandon", "tell expired renewing=false"]));
    script.push((200_000, Then::NewToken, &["poll w1 for 5 s"]));
    script.push((200_100, Then::In("wxid_a", "w1"), &["store wxid_a w1"]));
    script.push((200_200, Then::Stored("wxid_a", "w1", true), &["tell logged_in w1"]));
    play(Machine::new(waiting(Way::Qr)), &script);
    // Nobody ever signs in.
    let mut script = begin.to_vec();
    script.push((LIMIT, Then::Tick, &["abandon", "tell expired renewing=false"]));
    script.push((620_100, Then::Tick, &["end abandoned -"]));
    assert!(play(Machine::new(waiting(Way::Qr)), &script).is_over());
    // V1 has no list that would tell later.
    script.pop();
    script.push((620_100, Then::Tick, &["end failed login_interrupted"]));
    let v1 = Wish { waits_for_token: true, ..wish(Way::Qr, Dialect::V1, 2) };
    play(Machine::new(v1), &script);
}

#[test]
fn where_nobody_can_sign_in_a_code_stays_for_the_next_process() {
    let begin: &[(i64, Then, &[&str])] = &[
        (0, Then::Start, POLL),
        (0, Then::Issued(Ok("w1")), QR_OUT),
        (20_000, Then::PollFails(Kind::TokenSuspect), &["check token"]),
    ];
    let mut script = begin.to_vec();
    script.push((20_100, Then::Token(true), &["tell failed token_rejected"]));
    assert!(play(qr(2), &script).is_over());
    // A renewer was hoped for, and failed.
    let mut script = begin.to_vec();
    script.push((20_100, Then::Token(true), WAITS));
    script.push((21_000, Then::NoToken, &["tell failed token_rejected"]));
    assert!(play(Machine::new(waiting(Way::Qr)), &script).is_over());
}

#[test]
fn an_orphan_is_not_given_up_for_a_dead_token() {
    // Whoever goes on with it unseen may be a command that is gone in a moment: the row must not end.
    let orphan =
        |left| Machine::resumed(wish(Way::Qr, Dialect::V2, 0), remains(Rung::QrLogin, Some("w1"), left), false);
    play(
        orphan(-5_000),
        &[
            (0, Then::Start, &["poll w1 for 5 s"]),
            (1, Then::PollFails(Kind::TokenSuspect), &["check token"]),
            (2, Then::Token(true), &["need token"]),
            (3, Then::NoToken, &[]),
            (9_000, Then::NewToken, &["poll w1 for 5 s"]),
            (9_001, Then::In("wxid_a", "w1"), &["store wxid_a w1"]),
        ],
    );
    play(
        orphan(-5_000),
        &[
            (0, Then::Start, &["poll w1 for 5 s"]),
            (1, Then::Expired, &["list after 0 ms"]),
            (2, Then::List(Err(Kind::TokenSuspect)), &["check token"]),
            (3, Then::Token(true), &["need token"]),
            (9_000, Then::NewToken, &["poll w1 for 5 s"]),
        ],
    );
    play(
        Machine::resumed(wish(Way::Second, Dialect::V2, 0), remains(Rung::SecondLogin, None, 20_000), true),
        &[
            (0, Then::Start, &["tell resumed", "list after 0 ms"]),
            (1, Then::List(Err(Kind::TokenSuspect)), &["check token"]),
            (2, Then::Token(true), &["tell failed token_rejected"]),
        ],
    );
}

#[test]
fn a_token_that_came_meanwhile_is_used_at_once() {
    // While the refused request was on its way.
    play(
        Machine::new(waiting(Way::Qr)),
        &[
            (0, Then::Start, POLL),
            (50, Then::NewToken, &[]),
            (100, Then::Issued(Err(Kind::TokenSuspect)), &["tell requesting qr_login", "POST iPadLogin again"]),
            // Once for each token.
            (200, Then::Issued(Err(Kind::TokenSuspect)), &["check token"]),
        ],
    );
    // While the other call was: what that said is of the old token, or of the new one; the request was of the old.
    for rejected in [true, false] {
        play(
            Machine::new(waiting(Way::Qr)),
            &[
                (0, Then::Start, POLL),
                (0, Then::Issued(Ok("w1")), QR_OUT),
                (1_000, Then::PollFails(Kind::TokenSuspect), &["check token"]),
                (1_050, Then::NewToken, &[]),
                (1_100, Then::Token(rejected), &["poll w1 for 148 s", "tell waiting"]),
            ],
        );
    }
}

#[test]
fn a_phone_is_not_asked_again_because_of_words_that_name_the_token() {
    // Somebody signed in while the dialog was up; the old token had worked, so the phone may have said no.
    play(
        Machine::new(waiting(Way::Second)),
        &[
            (
                0,
                Then::Start,
                &["tell started", "tell requesting second_login", "POST secondLogin", "tell second_login_sent"],
            ),
            (50, Then::OtherToken, &[]),
            (100, Then::Second(Err(Kind::TokenSuspect)), &["check token"]),
            (
                200,
                Then::Token(false),
                &[
                    "note gateway_said",
                    "tell second_login_failed gateway_said",
                    "end failed gateway_said",
                    "tell failed gateway_said",
                ],
            ),
        ],
    );
    // The same while the other call was on its way.
    play(
        Machine::new(waiting(Way::Qr)),
        &[
            (0, Then::Start, POLL),
            (100, Then::Issued(Err(Kind::TokenSuspect)), &["check token"]),
            (150, Then::OtherToken, &[]),
            (200, Then::Token(false), &["end failed gateway_said", "tell failed gateway_said"]),
        ],
    );
    // That call says that the old one was refused, or the new one is: nothing has reached the phone.
    play(
        Machine::new(waiting(Way::Qr)),
        &[
            (0, Then::Start, POLL),
            (100, Then::Issued(Err(Kind::TokenSuspect)), &["check token"]),
            (150, Then::OtherToken, &[]),
            (200, Then::Token(true), &["tell requesting qr_login", "POST iPadLogin again"]),
        ],
    );
}

#[test]
fn a_wait_can_be_cancelled() {
    play(
        Machine::new(waiting(Way::Second)),
        &[
            (
                0,
                Then::Start,
                &["tell started", "tell requesting second_login", "POST secondLogin", "tell second_login_sent"],
            ),
            (100, Then::Second(Err(Kind::TokenSuspect)), &["check token"]),
            (200, Then::Token(true), WAITS),
            // It never reached the phone.
            (300, Then::Cancel, &["end cancelled cancelled", "tell cancelled"]),
            (400, Then::NewToken, &[]),
        ],
    );
    play(
        Machine::new(waiting(Way::Second)),
        &[
            (
                0,
                Then::Start,
                &["tell started", "tell requesting second_login", "POST secondLogin", "tell second_login_sent"],
            ),
            (50, Then::Cancel, &["abandon", "tell cancelled"]),
            (100, Then::Second(Err(Kind::TokenSuspect)), &["check token"]),
            (200, Then::Token(true), &["end abandoned -"]),
        ],
    );
}

#[test]
fn a_code_typed_while_the_token_is_dead_goes_out_with_the_next_one() {
    play(
        Machine::new(waiting(Way::Qr)),
        &[
            (0, Then::Start, POLL),
            (0, Then::Issued(Ok("w1")), QR_OUT),
            (9_000, Then::AskCode, &["tell verify_code_required"]),
            (10_000, Then::Type, &["poll w1 for 140 s with code", "tell waiting"]),
            (10_100, Then::PollFails(Kind::TokenSuspect), &["check token"]),
            (10_200, Then::Token(true), WAITS),
            (30_000, Then::NewToken, &["poll w1 for 120 s with code", "tell waiting"]),
        ],
    );
}
