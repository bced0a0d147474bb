//! What each generation of the API is sent (protocol.md §3), and which calls it has.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::Call;
use crate::model::{Device, Dialect, WId, WcId};

/// The constant that V1 and V2 want as `type` (protocol.md §3.2, §3.5), and V3 with a callback's URL (§3.11).
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
        Call::OfflineReason => "/offlineReason",
        Call::SetHttpCallbackUrl => "/setHttpCallbackUrl",
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
        Call::OfflineReason => match dialect {
            Dialect::V1 | Dialect::V2 => false,
            Dialect::V3 => true,
        },
        Call::MemberLogin
        | Call::IPadLogin
        | Call::GetIPadLoginInfo
        | Call::SecondLogin
        | Call::MemberOffline
        | Call::SetHttpCallbackUrl
        | Call::Image
        | Call::Setup => true,
    }
}

/// `/iPadLogin`. A known account must be named, or it gets a fresh device and frequent drops (protocol.md §4.3); a
/// new one is left out in V1 and V2, and empty in V3. Only V3 is told of the device, and always of both fields that
/// it requires ([`Device::complete`]); `proxy` is a number there, as its field table says.
pub(super) fn i_pad_login(dialect: Dialect, wc_id: Option<&WcId>, device: &Device) -> Value {
    let wc_id = wc_id.map(WcId::as_str).filter(|id| !id.is_empty());
    match (dialect, wc_id) {
        (Dialect::V1 | Dialect::V2, Some(wc_id)) => json!({ "wcId": wc_id, "type": TYPE }),
        (Dialect::V1 | Dialect::V2, None) => json!({ "type": TYPE }),
        (Dialect::V3, wc_id) => {
            let device = device.clone().complete();
            let mut body = Map::new();
            body.insert("wcId".to_owned(), json!(wc_id.unwrap_or_default()));
            body.insert("deviceType".to_owned(), json!(device.device_type));
            body.insert("proxy".to_owned(), json!(device.region));
            if let Some(own) = &device.own_proxy {
                optional(&mut body, "proxyIp", &own.address);
                optional(&mut body, "proxyUser", &own.user);
                optional(&mut body, "proxyPassword", own.password.expose_secret());
            }
            tunnels(&mut body, &device);
            Value::Object(body)
        }
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

/// `/secondLogin`. Its key is the wcId (protocol.md §9.4). V3 is told of the tunnels, nothing else of the device.
pub(super) fn second_login(dialect: Dialect, wc_id: &WcId, device: &Device) -> Value {
    match dialect {
        Dialect::V1 | Dialect::V2 => json!({ "wcId": wc_id, "type": TYPE }),
        Dialect::V3 => {
            let mut body = Map::new();
            body.insert("wcId".to_owned(), json!(wc_id));
            tunnels(&mut body, device);
            Value::Object(body)
        }
    }
}

/// `/setHttpCallbackUrl` (protocol.md §3.11).
pub(super) fn set_http_callback_url(dialect: Dialect, url: &str) -> Value {
    match dialect {
        Dialect::V1 | Dialect::V2 => json!({ "httpUrl": url }),
        Dialect::V3 => json!({ "httpUrl": url, "type": TYPE }),
    }
}

fn tunnels(body: &mut Map<String, Value>, device: &Device) {
    optional(body, "ttuid", device.ttuid.as_deref().unwrap_or_default());
    optional(body, "aid", device.aid.as_deref().unwrap_or_default());
}

/// An optional field is left out where there is nothing to say.
fn optional(body: &mut Map<String, Value>, name: &str, value: &str) {
    if !value.is_empty() {
        body.insert(name.to_owned(), Value::String(value.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OwnProxy;

    /// A device with everything in it.
    fn full() -> Device {
        Device {
            device_type: Some("mac".into()),
            region: Some(7),
            own_proxy: Some(OwnProxy {
                address: "203.0.113.9:1080".into(),
                user: "me".into(),
                password: "hunter2".into(),
            }),
            aid: Some("aid-1".into()),
            ttuid: Some("ttuid-1".into()),
        }
    }

    #[test]
    fn v1_and_v2_send_the_constant_type_and_nothing_later() {
        for dialect in [Dialect::V1, Dialect::V2] {
            for device in [Device::default(), full()] {
                assert_eq!(i_pad_login(dialect, None, &device), json!({"type": 2}));
                assert_eq!(i_pad_login(dialect, Some(&"wxid_a".into()), &device), json!({"wcId": "wxid_a", "type": 2}));
                assert_eq!(i_pad_login(dialect, Some(&"".into()), &device), json!({"type": 2}));
                assert_eq!(second_login(dialect, &"wxid_a".into(), &device), json!({"wcId": "wxid_a", "type": 2}));
            }
            assert_eq!(get_i_pad_login_info(dialect, &"w".into(), None), json!({"wId": "w"}));
            assert_eq!(set_http_callback_url(dialect, "http://b/"), json!({"httpUrl": "http://b/"}));
        }
    }

    #[test]
    fn v3_sends_its_own_fields_and_never_a_type_with_a_login() {
        let plain = Device::default();
        assert_eq!(
            i_pad_login(Dialect::V3, None, &plain),
            json!({"wcId": "", "deviceType": "ipad", "proxy": 1}),
            "both required fields, whatever is known"
        );
        assert_eq!(
            i_pad_login(Dialect::V3, Some(&"wxid_a".into()), &full()),
            json!({"wcId": "wxid_a", "deviceType": "mac", "proxy": 7, "proxyIp": "203.0.113.9:1080", "proxyUser": "me",
                   "proxyPassword": "hunter2", "ttuid": "ttuid-1", "aid": "aid-1"})
        );
        let open = Device { own_proxy: OwnProxy::at("203.0.113.9:1080"), ..Device::default() };
        assert_eq!(
            i_pad_login(Dialect::V3, None, &open),
            json!({"wcId": "", "deviceType": "ipad", "proxy": 1, "proxyIp": "203.0.113.9:1080"})
        );
        assert_eq!(second_login(Dialect::V3, &"wxid_a".into(), &plain), json!({"wcId": "wxid_a"}));
        assert_eq!(
            second_login(Dialect::V3, &"wxid_a".into(), &full()),
            json!({"wcId": "wxid_a", "ttuid": "ttuid-1", "aid": "aid-1"})
        );
        assert_eq!(get_i_pad_login_info(Dialect::V3, &"w".into(), None), json!({"wId": "w", "autoCheck": false}));
        assert_eq!(
            get_i_pad_login_info(Dialect::V3, &"w".into(), Some(&"123456".into())),
            json!({"wId": "w", "autoCheck": false, "verifyCode": "123456"})
        );
        assert_eq!(set_http_callback_url(Dialect::V3, "http://b/"), json!({"httpUrl": "http://b/", "type": 2}));
    }

    #[test]
    fn the_calls_belong_to_their_dialects() {
        let of = |call| [Dialect::V1, Dialect::V2, Dialect::V3].map(|dialect| has(dialect, call));
        for call in Call::ALL {
            let expected = match call {
                Call::QueryLoginWx | Call::IsOnline => [false, true, true],
                Call::GetLoginWcIds => [true, true, false],
                Call::OfflineReason => [false, false, true],
                _ => [true; 3],
            };
            assert_eq!(of(*call), expected, "{call:?}");
        }
    }
}
