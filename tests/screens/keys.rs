//! Each key in each context, with the effects asserted whole.

use saoma::app::{Msg, Start};
use saoma::config::keymap::Keymap;
use saoma::engine::api::{Event, Fleet, LoginStep, Token, Way};
use saoma::i18n::Lang;
use saoma::model::{Presence, Reason, Rung, Stamp, WId};

use crate::kit::{NOON, Screen, account, code, start, started, usual};

const SIZE: (u16, u16) = (80, 24);

fn screen() -> Screen {
    usual(SIZE, Lang::En)
}

/// The effects of some keys, as `Debug` tells them.
fn effects(screen: &mut Screen, keys: &[&str]) -> Vec<String> {
    screen.keys(keys).iter().map(|effect| format!("{effect:?}")).collect()
}

fn login(wc_id: &str, way: &str) -> String {
    format!(r#"Engine(Login {{ wc_id: Some(WcId("{wc_id}")), way: {way}, force: false }})"#)
}

const THERE: &str = "Engine(SomebodyIsThere)";

#[test]
fn keys_on_a_resting_screen() {
    // Dan, offline and taken off line by us, is the first row; Chen, online, the last.
    for (keys, wanted) in [
        (vec!["enter"], vec![login("wxid_dan", "Ladder")]),
        (vec!["r"], vec![login("wxid_dan", "Qr")]),
        (vec!["s"], vec![login("wxid_dan", "Second")]),
        (vec!["n"], vec!["Engine(Login { wc_id: None, way: Qr, force: false })".into()]),
        (vec!["j", "enter"], vec![login("wxid_li", "Ladder")]),
        (vec!["down", "k", "enter"], vec![login("wxid_dan", "Ladder")]),
        (vec!["G", "g", "enter"], vec![login("wxid_dan", "Ladder")]),
        (vec!["pgdn", "enter"], vec![login("wxid_chen", "Ladder")]),
        (vec!["tab", "enter"], vec![login("wxid_dan", "Ladder")]),
        (vec!["tab", "tab", "enter"], vec![]),
        (vec!["shift-tab", "enter"], vec![]),
        (vec!["c"], vec![]),
        (vec!["z"], vec![]),
        (vec!["i"], vec![]),
        (vec!["esc"], vec![]),
        (vec!["R"], vec!["Engine(Refresh)".into()]),
        (vec!["F5"], vec!["Engine(Refresh)".into()]),
        (vec!["y"], vec![r#"Copy("0000016e-63ef-3a9c-0001-0000wxid_dan")"#.into()]),
        (vec!["Y"], vec![r#"Copy("wxid_dan")"#.into()]),
        (vec!["3", "j", "y"], vec![]),
        (vec!["o", "y"], vec![]),
        (vec!["G", "o"], vec![]),
        (vec!["G", "o", "esc"], vec![]),
        (vec!["G", "o", "n"], vec![]),
        (vec!["G", "o", "y"], vec![r#"Engine(Offline { wc_ids: [WcId("wxid_chen")] })"#.into()]),
        (vec!["G", "o", "enter"], vec![r#"Engine(Offline { wc_ids: [WcId("wxid_chen")] })"#.into()]),
        (vec!["?", "enter", "q"], vec!["Quit".into()]),
        (vec!["?", "q"], vec![]),
        (vec!["q"], vec!["Quit".into()]),
        (vec!["ctrl-c"], vec!["Quit".into()]),
        (vec!["ctrl-l"], vec!["Repaint".into()]),
        (vec!["ctrl-z"], vec!["Suspend".into()]),
        (vec!["6"], vec![]),
        (vec!["0"], vec![]),
        (vec!["x", "ctrl-q", "F9"], vec![]),
    ] {
        let got = effects(&mut screen(), &keys);
        // `o` on an offline account opens nothing, so that the `y` behind it copies.
        let got = if keys == ["o", "y"] { got.into_iter().filter(|e| !e.starts_with("Copy")).collect() } else { got };
        assert_eq!(got, wanted, "{keys:?}");
    }
}

#[test]
fn demo_digits_move_the_phones() {
    let mut screen = Screen::new(Start { demo: true, ..start(SIZE, Lang::En) });
    screen.send(Msg::Drawn);
    assert_eq!(
        effects(&mut screen, &["6", "7", "8", "9", "0"]),
        [
            r#"Demo(Scan(Some(WcId("wxid_dan"))))"#,
            r#"Demo(Confirm(Some(WcId("wxid_dan"))))"#,
            r#"Demo(Cancel(Some(WcId("wxid_dan"))))"#,
            r#"Demo(Drop(WcId("wxid_dan")))"#,
            "Demo(Auto)",
        ]
    );
    screen.keys(&["n"]);
    assert_eq!(effects(&mut screen, &["6", "9"]), [THERE, "Demo(Scan(None))"]);
}

#[test]
fn a_repeated_key_on_an_open_attempt_only_selects() {
    let mut screen = screen();
    assert_eq!(effects(&mut screen, &["enter"]), [login("wxid_dan", "Ladder")]);
    // Not even before the engine has taken the wish up; somebody is told to be there once.
    assert_eq!(effects(&mut screen, &["enter", "r", "s", "enter"]), [THERE]);
    screen.login("A1", Some("wxid_dan"), started(Way::Ladder));
    assert_eq!(effects(&mut screen, &["enter", "r", "s"]), Vec::<String>::new());
    // Another account is another wish.
    assert_eq!(effects(&mut screen, &["j", "enter"]), [login("wxid_li", "Ladder")]);
    screen.keys(&["n"]);
    assert_eq!(effects(&mut screen, &["n", "n"]), Vec::<String>::new());
}

#[test]
fn a_wish_that_was_not_taken_up_can_be_made_again() {
    for event in [
        Event::Busy { wc_id: Some("wxid_dan".into()), attempt: None },
        Event::Rejected {
            wc_id: Some("wxid_dan".into()),
            reason: Reason::Resting,
            gateway_message: None,
            detail: "".into(),
        },
    ] {
        let mut screen = screen();
        screen.keys(&["enter"]);
        screen.engine(event);
        screen.send(Msg::Drawn);
        assert_eq!(effects(&mut screen, &["enter"]), [login("wxid_dan", "Ladder")]);
    }
}

#[test]
fn somebody_is_told_to_be_there_at_most_every_half_minute() {
    let mut screen = screen();
    screen.keys(&["enter"]);
    screen.login("A1", Some("wxid_dan"), started(Way::Ladder));
    assert_eq!(effects(&mut screen, &["j", "k"]), [THERE]);
    screen.wait(29_000);
    assert_eq!(effects(&mut screen, &["j"]), Vec::<String>::new());
    screen.wait(1_000);
    assert_eq!(effects(&mut screen, &["k"]), [THERE]);
    screen.login("A1", Some("wxid_dan"), LoginStep::Cancelled);
    screen.wait(60_000);
    assert_eq!(effects(&mut screen, &["j"]), Vec::<String>::new());
}

#[test]
fn ctrl_c_asks_once_while_codes_wait_and_twice_always_leaves() {
    let mut screen = screen();
    screen.keys(&["n"]);
    screen.login("A1", None, started(Way::Qr));
    assert_eq!(effects(&mut screen, &["ctrl-c", "esc"]), [THERE]);
    screen.wait(2_001);
    assert_eq!(effects(&mut screen, &["ctrl-c", "y"]), ["Quit"]);
    screen.keys(&["esc"]);
    screen.wait(2_001);
    // Twice in two seconds, even if no frame showed the question.
    screen.send(Msg::Key("ctrl-c".parse().unwrap()));
    let quit = screen.send(Msg::Key("ctrl-c".parse().unwrap()));
    assert_eq!(format!("{quit:?}"), "[Quit]");
}

#[test]
fn a_popup_takes_keys_only_after_it_was_drawn() {
    let mut screen = screen();
    screen.keys(&["G"]);
    screen.send(Msg::Key("o".parse().unwrap()));
    assert!(screen.send(Msg::Key("y".parse().unwrap())).is_empty(), "typed before anybody saw the question");
    screen.send(Msg::Drawn);
    assert_eq!(effects(&mut screen, &["y"]), [r#"Engine(Offline { wc_ids: [WcId("wxid_chen")] })"#]);
}

#[test]
fn a_row_that_moved_by_itself_does_not_hand_its_key_to_its_neighbour() {
    let mut screen = screen();
    screen.keys(&["2"]);
    screen.wait(4_000);
    // Dan leaves the filtered list: another row is selected, which nobody has seen.
    screen.engine(Event::Account(Box::new(account("wxid_dan", "Dan", Presence::Online))));
    assert!(screen.send(Msg::Key("enter".parse().unwrap())).is_empty());
    screen.send(Msg::Drawn);
    assert_eq!(effects(&mut screen, &["enter"]), [login("wxid_li", "Ladder")]);
}

#[test]
fn rows_rest_under_a_hand() {
    let mut screen = screen();
    screen.keys(&["j"]);
    let before = screen.text();
    screen.engine(Event::Account(Box::new(account("wxid_amy", "Amy", Presence::Offline))));
    let row = |text: &str| text.lines().position(|line| line.contains("Amy"));
    assert_eq!(row(&screen.text()), row(&before));
    screen.wait(150);
    let wake = screen.state.next_wake(screen.now).unwrap();
    assert_eq!(wake.as_millis(), 2_850);
    screen.wait(2_850);
    assert!(row(&screen.text()) < row(&before));
    assert_eq!(screen.state.next_wake(screen.now), None);
    // The selection stayed with its account.
    assert!(screen.text().lines().any(|line| line.starts_with("▸ 售前")));
}

#[test]
fn an_added_account_is_selected_and_enter_cannot_ring_another_phone() {
    let mut screen = screen();
    screen.keys(&["a"]);
    screen.type_text("wxid_added");
    assert_eq!(effects(&mut screen, &["enter"]), [r#"Engine(AddAccount { wc_id: WcId("wxid_added") })"#]);
    assert_eq!(effects(&mut screen, &["enter"]), Vec::<String>::new(), "its row is not there yet");
    screen.engine(Event::Account(Box::new(account("wxid_added", "", Presence::Unknown))));
    screen.send(Msg::Drawn);
    assert_eq!(effects(&mut screen, &["enter"]), [login("wxid_added", "Ladder")]);
}

#[test]
fn what_is_not_a_wc_id_is_not_added() {
    for (typed, words) in [
        ("张三", "letters, digits"),
        ("wxid_a;张三", "letters, digits"),
        ("a@b", "letters, digits"),
        ("a b", "no spaces"),
        ("", "Type a wcId"),
    ] {
        let mut screen = screen();
        screen.keys(&["a"]);
        screen.type_text(typed);
        assert_eq!(effects(&mut screen, &["enter"]), Vec::<String>::new(), "{typed}");
        assert!(screen.text().contains(words), "{typed}: {}", screen.text());
    }
}

#[test]
fn pastes_go_into_fields_only() {
    let mut screen = screen();
    assert!(screen.send(Msg::Paste("q\nq\r".into())).is_empty());
    screen.keys(&["a"]);
    screen.send(Msg::Paste(" wxid_pasted\n".into()));
    assert_eq!(effects(&mut screen, &["enter"]), [r#"Engine(AddAccount { wc_id: WcId("wxid_pasted") })"#]);
}

#[test]
fn a_verification_code_is_typed_and_sent_once() {
    let mut screen = screen();
    screen.keys(&["r"]);
    screen.login("A1", Some("wxid_dan"), started(Way::Qr));
    screen.login("A1", Some("wxid_dan"), LoginStep::VerifyCodeRequired { gateway_message: "code".into() });
    screen.type_text("99");
    screen.send(Msg::Drawn);
    screen.type_text("12");
    let sent = effects(&mut screen, &["enter"]);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].starts_with("Engine(VerifyCode") && !sent[0].contains("12"), "{sent:?}");
    assert_eq!(effects(&mut screen, &["enter"]), Vec::<String>::new());
}

#[test]
fn the_address_of_a_device_verification_can_be_copied() {
    let mut screen = screen();
    screen.keys(&["r"]);
    screen.login("A1", Some("wxid_dan"), started(Way::Qr));
    screen.login("A1", Some("wxid_dan"), LoginStep::DeviceVerification { url: "http://x/v\u{1b}[2J".into() });
    assert_eq!(effects(&mut screen, &["y"]).last().unwrap(), r#"Copy("http://x/v")"#);
}

#[test]
fn a_new_login_becomes_the_accounts_own_row() {
    let mut screen = screen();
    screen.keys(&["n"]);
    screen.login("A1", None, started(Way::Qr));
    let code = screen.code(29);
    screen.login("A1", None, code);
    assert!(screen.text().contains("▸ new account"));
    screen.login(
        "A1",
        Some("wxid_fresh"),
        LoginStep::LoggedIn {
            w_id: WId::from("w"),
            previous_w_id: None,
            nick_name: "Fresh".into(),
            w_account: "".into(),
        },
    );
    screen.engine(Event::Account(Box::new(account("wxid_fresh", "Fresh", Presence::Online))));
    let text = screen.text();
    assert!(text.contains("▸ Fresh") && !text.contains("new account logged"), "{text}");
    assert!(text.contains("logged in"));
}

#[test]
fn a_second_login_is_open_to_an_account_that_saoma_never_logged_in() {
    // Added by its wcId: whoever knows that had it logged in elsewhere. If not, the gateway refuses and no phone rings.
    for (key, way) in [("s", "Second"), ("enter", "Ladder")] {
        let mut screen = screen();
        screen.keys(&["3", "j"]);
        assert_eq!(effects(&mut screen, &[key]), [login("wxid_new", way)]);
    }
}

#[test]
fn cancel_hides_and_escape_does_nothing_a_phone_could_notice() {
    let mut screen = screen();
    screen.keys(&["enter"]);
    screen.login("A1", Some("wxid_dan"), started(Way::Ladder));
    let expires_at = screen.now.wall.plus_ms(9_000);
    screen.login("A1", Some("wxid_dan"), code(29, expires_at));
    assert_eq!(effects(&mut screen, &["z", "esc", "esc", "tab", "esc", "esc"]), [THERE]);
    assert_eq!(effects(&mut screen, &["c"]), [r#"Engine(Cancel { attempt: AttemptId("A1") })"#]);
}

#[test]
fn full_screen_shows_the_code_alone_and_goes_with_it() {
    let mut screen = screen();
    screen.keys(&["r"]);
    screen.login("A1", Some("wxid_dan"), started(Way::Qr));
    let code = screen.code(29);
    screen.login("A1", Some("wxid_dan"), code);
    assert_eq!(effects(&mut screen, &["z", "n", "s", "a", "enter"]), [THERE]);
    assert!(!screen.text().contains("Accounts"));
    screen.login("A1", Some("wxid_dan"), LoginStep::Expired { renewing: false });
    let text = screen.text();
    assert!(text.contains("Accounts") && text.contains("nobody scanned"), "{text}");
}

#[test]
fn what_broke_is_told_and_not_put_into_the_gateways_mouth() {
    let told = |screen: &mut Screen| screen.text().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut screen = Screen::new(start((120, 40), Lang::En));
    screen.engine(Event::Fleet(Fleet::Failing {
        since: Stamp(NOON),
        reason: Reason::GatewayDown,
        gateway_message: None,
        detail: "HTTP 502".into(),
    }));
    let text = told(&mut screen);
    assert!(text.contains("no usable answer from the gateway (HTTP 502)."), "{text}");
    assert!(text.contains("saoma keeps trying"), "{text}");
    // A login that failed is not tried again by itself, and says so.
    screen.keys(&["n"]);
    screen.login("A1", None, started(Way::Qr));
    let failed = |reason, detail: &str| LoginStep::Failed { reason, gateway_message: None, detail: detail.into() };
    screen.login("A1", None, failed(Reason::GatewayDown, "the answer is an HTML page, not JSON"));
    let text = told(&mut screen);
    assert!(text.contains("(the answer is an HTML page, not JSON)") && text.contains("then try again."), "{text}");
    assert!(!text.contains("keeps trying") && !text.contains('“'), "{text}");
    // Refused without a word: what there is to know is said, and no QR login advised after one.
    screen.keys(&["n"]);
    screen.login("A2", None, started(Way::Qr));
    screen.login("A2", None, failed(Reason::GatewaySaid, "HTTP 401"));
    let text = told(&mut screen);
    assert!(text.contains("the gateway said no (HTTP 401).") && !text.contains("try a QR login"), "{text}");
}

#[test]
fn the_sign_in_form_checks_and_asks_once() {
    let mut screen =
        Screen::new(Start { profile: None, gateway: String::new(), account: String::new(), ..start(SIZE, Lang::En) });
    assert!(screen.send(Msg::Key("enter".parse().unwrap())).is_empty(), "not drawn yet");
    screen.send(Msg::Drawn);
    screen.type_text("ftp://gateway:9899/");
    screen.keys(&["tab", "tab"]);
    screen.type_text("138");
    screen.keys(&["tab"]);
    screen.type_text("geheim q");
    assert_eq!(effects(&mut screen, &["enter"]), Vec::<String>::new());
    assert!(screen.text().contains("http://HOST:PORT"));
    // A missing http:// is added, as everywhere.
    screen.keys(&["home", "delete", "delete", "delete", "delete", "delete", "delete"]);
    screen.keys(&["tab", "tab", "tab"]);
    let sent = effects(&mut screen, &["enter"]);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].contains(r#"gateway: "http://gateway:9899""#) && !sent[0].contains("geheim"), "{sent:?}");
    assert_eq!(effects(&mut screen, &["enter", "esc"]), Vec::<String>::new());
    assert!(screen.state.next_wake(screen.now).is_some(), "a spinner turns");
    screen.send(Msg::SignedIn { profile: "default".into() });
    assert!(screen.text().contains("Accounts"));
    assert!(!format!("{:?}", screen.state).contains("geheim q"));
}

#[test]
fn a_refused_token_opens_the_form_once() {
    let mut screen = screen();
    screen.engine(Event::Token(Token::Rejected));
    assert!(screen.text().contains("Sign in"));
    screen.send(Msg::Drawn);
    screen.keys(&["esc"]);
    screen.engine(Event::Token(Token::Rejected));
    assert!(screen.text().contains("The gateway refuses the token"));
    screen.keys(&["t"]);
    assert!(screen.text().contains("203.0.113.7"));
}

#[test]
fn an_idle_screen_has_no_timer() {
    let mut screen = screen();
    // The strips of what is on the screen are asked for once.
    screen.send(Msg::Drawn);
    screen.wait(150);
    assert_eq!(screen.state.next_wake(screen.now), None);
    screen.state.dirty = false;
    screen.wait(60_000);
    assert!(!screen.state.dirty);
    // A login whose pane is not on the screen does not tick either.
    screen.keys(&["r"]);
    screen.login("A1", Some("wxid_dan"), started(Way::Qr));
    let expires_at = screen.now.wall.plus_ms(10_500);
    screen.login("A1", Some("wxid_dan"), code(29, expires_at));
    assert_eq!(screen.state.next_wake(screen.now).unwrap().as_millis(), 500);
    screen.keys(&["j"]);
    screen.wait(150);
    assert_eq!(screen.state.next_wake(screen.now), None);
}

#[test]
fn a_move_of_the_cursor_changes_few_cells_of_the_list() {
    let mut screen = screen();
    let before = screen.buffer();
    screen.keys(&["j"]);
    let after = screen.buffer();
    let changed =
        (0..24).flat_map(|y| (0..42).map(move |x| (x, y))).filter(|place| before[*place] != after[*place]).count();
    // Two markers and two names.
    assert!(changed <= 2 + 3 + 18, "{changed} cells");
}

#[test]
fn a_success_after_the_code_was_hidden_is_told() {
    let mut screen = screen();
    screen.keys(&["enter"]);
    screen.login("A1", Some("wxid_dan"), started(Way::Ladder));
    screen.login("A1", Some("wxid_dan"), LoginStep::Requesting { rung: Rung::QrLogin });
    screen.login("A1", Some("wxid_dan"), LoginStep::Cancelled);
    screen.login(
        "A1",
        Some("wxid_dan"),
        LoginStep::LoggedIn {
            w_id: WId::from("w"),
            previous_w_id: None,
            nick_name: "Dan".into(),
            w_account: "".into(),
        },
    );
    assert!(screen.text().contains("✓ Dan logged in"), "{}", screen.text());
}

#[test]
fn signing_in_to_another_gateway_forgets_the_accounts_of_the_old_one() {
    let mut screen = screen();
    screen.keys(&["t", "shift-tab", "shift-tab", "shift-tab", "ctrl-u"]);
    screen.type_text("https://other:1/");
    screen.keys(&["tab", "tab", "tab"]);
    screen.type_text("geheim");
    assert_eq!(screen.keys(&["enter"]).len(), 1);
    // Nobody has to wait in the form for a gateway that does not answer.
    screen.keys(&["esc"]);
    assert!(screen.text().contains("Dan"));
    screen.send(Msg::SignedIn { profile: "default".into() });
    let text = screen.text();
    assert!(text.contains("https://other:1") && !text.contains("Dan"), "{text}");
}

#[test]
fn a_login_of_an_earlier_process_is_shown_and_can_be_cancelled() {
    let mut screen = screen();
    let expires_at = Some(screen.now.wall.plus_ms(60_000));
    screen.login("A9", Some("wxid_dan"), LoginStep::Resumed { rung: Rung::QrLogin, expires_at });
    screen.send(Msg::Drawn);
    let text = screen.text();
    assert!(text.contains("A login from before goes on") && text.contains("1:00"), "{text}");
    assert_eq!(effects(&mut screen, &["enter", "c"]), [THERE, r#"Engine(Cancel { attempt: AttemptId("A9") })"#]);
}

#[test]
fn taking_off_line_says_so_until_it_is_done() {
    let mut screen = screen();
    screen.keys(&["G", "o", "y"]);
    assert!(screen.text().contains("Asking the gateway to take"), "{}", screen.text());
    let at = screen.now.wall;
    screen.engine(Event::TakenOffline { wc_ids: vec!["wxid_chen".into()], at });
    screen.engine(Event::Dropped { wc_id: "wxid_chen".into(), account: "".into(), reason: Reason::TakenOffline, at });
    assert_eq!(screen.text().matches("taken off line").count(), 2, "{}", screen.text());
}

#[test]
fn a_letter_in_a_field_is_text_whatever_it_is_bound_to() {
    let keymap = Keymap::with([("suspend", "x"), ("repaint", "p"), ("interrupt", "_")]).unwrap();
    let mut screen = Screen::new(Start { keymap, ..start(SIZE, Lang::En) });
    screen.send(Msg::Drawn);
    assert_eq!(effects(&mut screen, &["x", "p"]), ["Suspend", "Repaint"]);
    assert_eq!(
        effects(&mut screen, &["a", "x", "p", "_", "q", "enter"]),
        [r#"Engine(AddAccount { wc_id: WcId("xp_q") })"#]
    );
    assert_eq!(effects(&mut screen, &["_"]), ["Quit"]);
}
