//! Snapshots of every pane and popup, `<what>__<language>_<columns>x<rows>`.

use saoma::app::{Msg, Start};
use saoma::engine::api::{Event, Fleet, LoginStep, Token, Way};
use saoma::i18n::Lang;
use saoma::model::{Reason, Rung, Stamp, WId};

use crate::kit::{NOON, Screen, at, start, started, usual};

const SIZES: [(u16, u16); 4] = [(120, 40), (80, 24), (60, 20), (40, 12)];

/// Takes the picture of a screen at every size and in both languages.
pub(crate) fn everywhere(what: &str, make: impl Fn((u16, u16), Lang) -> Screen) {
    for size in SIZES {
        for lang in [Lang::En, Lang::Zh] {
            let mut screen = make(size, lang);
            picture(what, size, lang, &mut screen);
        }
    }
}

pub(crate) fn picture(what: &str, (columns, rows): (u16, u16), lang: Lang, screen: &mut Screen) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!(format!("{what}__{}_{columns}x{rows}", lang.code()), screen.picture());
    });
}

#[test]
fn accounts() {
    everywhere("accounts", usual);
}

#[test]
fn code() {
    everywhere("code", |size, lang| {
        let mut screen = usual(size, lang);
        screen.keys(&["j", "j", "enter"]);
        screen.login("A1", Some("wxid_zhang"), started(Way::Ladder));
        screen.login("A1", Some("wxid_zhang"), LoginStep::Requesting { rung: Rung::SecondLogin });
        let reason = Reason::Refused;
        screen.login("A1", Some("wxid_zhang"), LoginStep::SecondLoginFailed { reason, gateway_message: None });
        let code = screen.code(29);
        screen.login("A1", Some("wxid_zhang"), code);
        screen
    });
}

#[test]
fn dialog_on_the_phone() {
    everywhere("dialog", |size, lang| {
        let mut screen = usual(size, lang);
        screen.keys(&["j", "j", "enter"]);
        screen.login("A1", Some("wxid_zhang"), started(Way::Ladder));
        let expires_at = screen.now.wall.plus_ms(150_000);
        screen.login("A1", Some("wxid_zhang"), LoginStep::SecondLoginSent { expires_at });
        screen.wait(17_400);
        screen
    });
}

#[test]
fn verification() {
    everywhere("verify", |size, lang| {
        let mut screen = usual(size, lang);
        screen.keys(&["j", "j", "r"]);
        screen.login("A1", Some("wxid_zhang"), started(Way::Qr));
        let gateway_message = "请在ipad上输入验证码".into();
        screen.login("A1", Some("wxid_zhang"), LoginStep::VerifyCodeRequired { gateway_message });
        screen.send(Msg::Drawn);
        screen.type_text("4711");
        screen
    });
}

#[test]
fn failed_login() {
    everywhere("failed", |size, lang| {
        let mut screen = usual(size, lang);
        screen.keys(&["j", "j", "enter"]);
        screen.login("A1", Some("wxid_zhang"), started(Way::Ladder));
        screen.login(
            "A1",
            Some("wxid_zhang"),
            LoginStep::Failed {
                reason: Reason::GatewaySaid,
                gateway_message: Some("系统失败,请重试\u{1b}[2J".into()),
                detail: "".into(),
            },
        );
        screen
    });
}

#[test]
fn popups() {
    everywhere("help", |size, lang| {
        let mut screen = usual(size, lang);
        screen.keys(&["?"]);
        screen
    });
    everywhere("add", |size, lang| {
        let mut screen = usual(size, lang);
        screen.keys(&["a"]);
        screen.type_text("wxid two");
        screen.keys(&["enter"]);
        screen
    });
    everywhere("offline", |size, lang| {
        let mut screen = usual(size, lang);
        screen.keys(&["G", "o"]);
        screen
    });
    everywhere("quit", |size, lang| {
        let mut screen = usual(size, lang);
        screen.keys(&["n"]);
        screen.login("A1", None, started(Way::Qr));
        screen.keys(&["ctrl-c"]);
        screen
    });
}

#[test]
fn sign_in() {
    everywhere("sign_in", |size, lang| {
        let mut screen = Screen::new(Start { profile: None, accounts: Vec::new(), ..start(size, lang) });
        screen.send(Msg::Drawn);
        screen.type_text("geheim");
        screen.keys(&["shift-tab", "shift-tab", "right", "right"]);
        screen.send(Msg::SignInFailed { message: "“用户名或密码错误”".into() });
        screen
    });
}

#[test]
fn nothing_there_yet() {
    everywhere("empty", |size, lang| {
        let mut screen = Screen::new(Start { accounts: Vec::new(), ..start(size, lang) });
        screen.engine(Event::Fleet(Fleet::Asking));
        screen
    });
}

#[test]
fn the_gateway_is_down_and_the_token_refused() {
    everywhere("trouble", |size, lang| {
        let mut screen = usual(size, lang);
        screen.engine(Event::Fleet(Fleet::Failing {
            since: Stamp(NOON - 300_000),
            reason: Reason::GatewayDown,
            gateway_message: None,
            detail: "HTTP 502".into(),
        }));
        screen.engine(Event::Token(Token::Rejected));
        screen.send(Msg::Drawn);
        screen.keys(&["esc"]);
        screen
    });
}

#[test]
fn demo_digits() {
    for lang in [Lang::En, Lang::Zh] {
        let mut screen = Screen::new(Start { demo: true, ..start((80, 24), lang) });
        screen.keys(&["n"]);
        screen.login("A1", None, started(Way::Qr));
        let code = screen.code(29);
        screen.login("A1", None, code);
        picture("demo", (80, 24), lang, &mut screen);
    }
}

#[test]
fn larger_codes() {
    for (modules, size) in
        [(25, (80, 24)), (33, (80, 24)), (37, (80, 24)), (41, (80, 24)), (61, (120, 40)), (33, (60, 20))]
    {
        let mut screen = usual(size, Lang::En);
        screen.keys(&["j", "j", "r"]);
        screen.login("A1", Some("wxid_zhang"), started(Way::Qr));
        let code = screen.code(modules);
        screen.login("A1", Some("wxid_zhang"), code);
        picture(&format!("code{modules}"), size, Lang::En, &mut screen);
    }
}

#[test]
fn full_screen() {
    for size in [(80, 24), (60, 20), (40, 18)] {
        let mut screen = usual(size, Lang::En);
        screen.keys(&["j", "j", "r"]);
        screen.login("A1", Some("wxid_zhang"), started(Way::Qr));
        let code = screen.code(29);
        screen.login("A1", Some("wxid_zhang"), code);
        screen.keys(&["z"]);
        picture("full", size, Lang::En, &mut screen);
    }
}

#[test]
fn logged_in_and_device_and_small() {
    let mut screen = usual((80, 24), Lang::En);
    screen.keys(&["j", "j", "s"]);
    screen.login("A1", Some("wxid_zhang"), started(Way::Second));
    screen.login(
        "A1",
        Some("wxid_zhang"),
        LoginStep::LoggedIn {
            w_id: WId::from("new"),
            previous_w_id: None,
            nick_name: "张三".into(),
            w_account: "".into(),
        },
    );
    picture("logged_in", (80, 24), Lang::En, &mut screen);

    let mut screen = usual((80, 24), Lang::En);
    screen.keys(&["j", "j", "r"]);
    screen.login("A1", Some("wxid_zhang"), started(Way::Qr));
    screen.login(
        "A1",
        Some("wxid_zhang"),
        LoginStep::DeviceVerification { url: "http://203.0.113.7:9899/verify?id=42".into() },
    );
    picture("device", (80, 24), Lang::En, &mut screen);

    for size in [(20, 6), (30, 9)] {
        let mut screen = usual(size, Lang::Zh);
        picture("small", size, Lang::Zh, &mut screen);
    }
    let mut screen = Screen::new(Start { colour: false, ..start((80, 24), Lang::En) });
    screen.now = at(1000);
    picture("no_colour", (80, 24), Lang::En, &mut screen);
}
