//! What each generation of the API is sent (protocol.md §3), and which calls it has.
//!
//! V3's own settings (`deviceType`, `proxy` and the like) come in here once an account can carry them; until then V3
//! gets the recommended device and no proxy.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Call;
use crate::model::{Dialect, WId, WcId};

/// The constant that V1 and V2 want as `type` (protocol.md §3.2, §3.5).
const TYPE: i64 = 2;

/// The path of a call; empty for the calls that have none of their own.
pub(super) const fn path(call: Call) -> &'static str {
    match call {
        Call::MemberLogin => "/member/login",
        Call::IPadLogin => "/iPadLogin",
        Call::GetIPadLoginInfo => "/getIPadLoginInfo",
        Call::SecondLogin => "/secondLogin",
        Call::QueryLoginWx => "/queryLoginWx",
        Call::GetLoginWcIds => "/member/getLoginWcIds",
        Call::IsOnline => "/isOnline",
        Call::MemberOffline => "/member/offline",
        Call::Image | Call::Setup => "",
    }
}

/// Whether the dialect has the call at all.
pub(super) const fn has(dialect: Dialect, call: Call) -> bool {
    match call {
        Call::QueryLoginWx | Call::IsOnline => match dialect {
            Dialect::V1 => false,
            Dialect::V2 | Dialect::V3 => true,
        },
        Call::GetLoginWcIds => match dialect {
            Dialect::V1 | Dialect::V2 => true,
            Dialect::V3 => false,
        },
        Call::MemberLogin
        | Call::IPadLogin
        | Call::GetIPadLoginInfo
        | Call::SecondLogin
        | Call::MemberOffline
        | Call::Image
        | Call::Setup => true,
    }
}

/// `/iPadLogin`. A known account must be named, or it gets a fresh device and frequent drops (protocol.md §4.3); a
/// new one is left out in V1 and V2, and empty in V3.
pub(super) fn i_pad_login(dialect: Dialect, wc_id: Option<&WcId>) -> Value {
    let wc_id = wc_id.map(WcId::as_str).filter(|id| !id.is_empty());
    match (dialect, wc_id) {
        (Dialect::V1 | Dialect::V2, Some(wc_id)) => json!({ "wcId": wc_id, "type": TYPE }),
        (Dialect::V1 | Dialect::V2, None) => json!({ "type": TYPE }),
        (Dialect::V3, wc_id) => json!({ "wcId": wc_id.unwrap_or_default(), "deviceType": "ipad" }),
    }
}

/// `/getIPadLoginInfo`. The verification code goes out only when the gateway has asked for one, so a gateway that
/// does not know the field never sees it.
pub(super) fn get_i_pad_login_info(dialect: Dialect, w_id: &WId, verify_code: Option<&SecretString>) -> Value {
    let mut body = match dialect {
        Dialect::V1 | Dialect::V2 => json!({ "wId": w_id }),
        Dialect::V3 => json!({ "wId": w_id, "autoCheck": false }),
    };
    if let (Some(code), Some(fields)) = (verify_code, body.as_object_mut()) {
        fields.insert("verifyCode".to_owned(), Value::String(code.expose_secret().to_owned()));
    }
    body
}

/// `/secondLogin`. Its key is the wcId (protocol.md §9.4).
pub(super) fn second_login(dialect: Dialect, wc_id: &WcId) -> Value {
    match dialect {
        Dialect::V1 | Dialect::V2 => json!({ "wcId": wc_id, "type": TYPE }),
        Dialect::V3 => json!({ "wcId": wc_id }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_and_v2_send_the_constant_type_and_nothing_later() {
        for dialect in [Dialect::V1, Dialect::V2] {
            assert_eq!(i_pad_login(dialect, None), json!({"type": 2}));
            assert_eq!(i_pad_login(dialect, Some(&"wxid_a".into())), json!({"wcId": "wxid_a", "type": 2}));
            assert_eq!(i_pad_login(dialect, Some(&"".into())), json!({"type": 2}));
            assert_eq!(second_login(dialect, &"wxid_a".into()), json!({"wcId": "wxid_a", "type": 2}));
            assert_eq!(get_i_pad_login_info(dialect, &"w".into(), None), json!({"wId": "w"}));
        }
    }

    #[test]
    fn v3_sends_its_own_fields() {
        assert_eq!(i_pad_login(Dialect::V3, None), json!({"wcId": "", "deviceType": "ipad"}));
        assert_eq!(second_login(Dialect::V3, &"wxid_a".into()), json!({"wcId": "wxid_a"}));
        assert_eq!(
            get_i_pad_login_info(Dialect::V3, &"w".into(), Some(&"123456".into())),
            json!({"wId": "w", "autoCheck": false, "verifyCode": "123456"})
        );
    }

    #[test]
    fn the_lists_belong_to_their_dialects() {
        assert!(!has(Dialect::V1, Call::QueryLoginWx) && !has(Dialect::V1, Call::IsOnline));
        assert!(has(Dialect::V1, Call::GetLoginWcIds) && has(Dialect::V2, Call::QueryLoginWx));
        assert!(!has(Dialect::V3, Call::GetLoginWcIds));
    }
}
