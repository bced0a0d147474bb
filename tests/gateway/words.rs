//! What a failed call says to people, in both languages, and the stable code it stands for.

use saoma::gateway::{Call, Error, Kind};
use saoma::i18n::{self, Lang};
use saoma::model::{Reason, text};

fn error(call: Call, kind: Kind, words: Option<&str>) -> Error {
    Error { call, kind, gateway_message: words.map(Into::into), detail: "".into(), sent: true, status: None }
}

fn describe(error: &Error, lang: Lang) -> String {
    error.describe(|key, values| i18n::tf(lang, key, values))
}

fn kinds() -> Vec<Kind> {
    vec![
        Kind::Unreachable,
        Kind::TimedOut,
        Kind::Http(404),
        Kind::Http(502),
        Kind::TokenSuspect,
        Kind::Malformed,
        Kind::TooLarge,
        Kind::Refused,
        Kind::RefusedInside,
        Kind::Platform(Reason::PlatformFrozen),
        Kind::Platform(Reason::PlatformExpired),
        Kind::BadImage,
        Kind::BadSettings,
    ]
}

#[test]
fn a_reason_for_every_failure() {
    use Reason::*;
    for (call, kind, words, reason) in [
        (Call::QueryLoginWx, Kind::Unreachable, None, GatewayDown),
        (Call::GetIPadLoginInfo, Kind::TimedOut, None, GatewayDown),
        (Call::SecondLogin, Kind::TimedOut, None, NobodyScanned),
        (Call::SecondLogin, Kind::Unreachable, None, GatewayDown),
        (Call::IPadLogin, Kind::Http(500), Some("空指针"), GatewayDown),
        (Call::IPadLogin, Kind::Malformed, None, GatewayDown),
        (Call::IPadLogin, Kind::TooLarge, None, GatewayDown),
        (Call::IPadLogin, Kind::TokenSuspect, None, TokenRejected),
        (Call::MemberLogin, Kind::Platform(PlatformFrozen), None, PlatformFrozen),
        (Call::MemberLogin, Kind::Platform(PlatformExpired), None, PlatformExpired),
        (Call::MemberLogin, Kind::Refused, Some("失败"), GatewaySaid),
        (Call::SecondLogin, Kind::Refused, Some("系统失败,请重试"), Refused),
        (Call::SecondLogin, Kind::RefusedInside, Some("二次登录失败，请重新扫码登录"), Refused),
        (Call::SecondLogin, Kind::RefusedInside, None, Refused),
        (Call::SecondLogin, Kind::Refused, Some("网络链接异常，请更换代理"), ProxyFailed),
        (Call::IPadLogin, Kind::RefusedInside, Some("网络连接异常"), ProxyFailed),
        (Call::IPadLogin, Kind::Refused, Some("登录数量已满"), SlotsFull),
        (Call::IPadLogin, Kind::Refused, Some("用户名或密码错误"), GatewaySaid),
        (Call::GetIPadLoginInfo, Kind::Refused, Some("失败"), GatewaySaid),
        (Call::Image, Kind::Unreachable, None, ImageFailed),
        (Call::Image, Kind::Http(404), None, ImageFailed),
        (Call::Image, Kind::BadImage, None, ImageFailed),
    ] {
        let error = error(call, kind, words);
        assert_eq!(error.reason(), reason, "{error:?}");
    }
}

#[test]
fn there_are_words_for_every_failure_in_both_languages() {
    for &call in Call::ALL {
        for kind in kinds() {
            for words in [None, Some("失败"), Some("登录数量已满"), Some("网络链接异常")] {
                let error = error(call, kind.clone(), words);
                let (en, zh) = (describe(&error, Lang::En), describe(&error, Lang::Zh));
                for told in [&en, &zh] {
                    assert!(!told.contains("gateway.") && !told.contains("%{"), "{told}");
                    assert_eq!(told.contains(words.unwrap_or("\u{0}")), words.is_some(), "{told}");
                }
                assert_ne!(en, zh);
            }
        }
    }
}

#[test]
fn the_words_as_people_read_them() {
    let refused = error(Call::SecondLogin, Kind::RefusedInside, Some("二次登录失败，请重新扫码登录"));
    assert_eq!(
        describe(&refused, Lang::En),
        "The second login failed: the gateway refused. The gateway says: “二次登录失败，请重新扫码登录”. \
         Log this account in with a QR code."
    );
    assert_eq!(
        describe(&error(Call::QueryLoginWx, Kind::Http(502), None), Lang::Zh),
        "查询在线账号失败：服务器返回 HTTP 502。网关自身出错，请稍后重试。"
    );
    let shown: Vec<_> =
        [Kind::Unreachable, Kind::TokenSuspect, Kind::Malformed, Kind::Platform(Reason::PlatformFrozen)]
            .into_iter()
            .map(|kind| describe(&error(Call::MemberLogin, kind, None), Lang::En))
            .collect();
    assert_eq!(
        shown,
        [
            "Signing in to the platform failed: the gateway cannot be reached, or the line broke. \
             Check the gateway's address and the network, then try again.",
            "Signing in to the platform failed: the token was not accepted. Sign in to the platform again.",
            "Signing in to the platform failed: the answer is not one of this API. \
             Check that the gateway's URL, port and dialect are right.",
            "Signing in to the platform failed: the platform account is frozen. Ask the platform's vendor.",
        ]
    );
}

#[test]
fn hostile_words_are_cleaned_and_cut() {
    let hostile = format!("\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}{}", "恶意".repeat(3000));
    let said = error(Call::IPadLogin, Kind::Refused, Some(&hostile));
    let told = describe(&said, Lang::En);
    assert!(!told.chars().any(char::is_control) && !told.contains('\u{202e}'), "{told}");
    assert!(text::width(&told) < 400, "{}", text::width(&told));
    // Words that name our placeholders stay words.
    let tricky = error(Call::IPadLogin, Kind::Refused, Some("%{next} %{what}"));
    assert!(describe(&tricky, Lang::En).contains("%{next} %{what}"), "{}", describe(&tricky, Lang::En));
    // Nothing but controls is nothing said.
    let empty = error(Call::IPadLogin, Kind::Refused, Some("\u{1b}[31m \u{7}"));
    assert!(!describe(&empty, Lang::En).contains("says"));
}

#[test]
fn whose_answer_is_lost_may_have_been_done() {
    for status in 300..600 {
        let error = error(Call::SecondLogin, Kind::Http(status), None);
        assert!(error.is_lost_answer() && error.is_transport(), "{status}");
        assert_eq!(error.reason(), Reason::GatewayDown, "{status}");
    }
    for kind in kinds() {
        let lost = matches!(kind, Kind::Unreachable | Kind::Http(_) | Kind::Malformed | Kind::TooLarge);
        let error = error(Call::SecondLogin, kind, None);
        assert_eq!(error.is_lost_answer(), lost, "{error:?}");
        assert!(!Error { sent: false, ..error }.is_lost_answer(), "what never left");
    }
}

#[test]
fn a_suspicion_that_is_cleared_leaves_what_was_said() {
    let suspect = |status| Error { status, ..error(Call::GetIPadLoginInfo, Kind::TokenSuspect, Some("无权限")) };
    assert_eq!(suspect(Some(403)).with_good_token().kind, Kind::Http(403), "somebody on the way");
    assert_eq!(suspect(None).with_good_token().kind, Kind::Refused, "the gateway, of something else");
    for kind in kinds().into_iter().filter(|kind| *kind != Kind::TokenSuspect) {
        assert_eq!(error(Call::IsOnline, kind.clone(), None).with_good_token().kind, kind);
    }
}
