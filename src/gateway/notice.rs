//! What the gateway posts to a callback, or a bot passes on (protocol.md §3.11): decoded, pure.
//!
//! The same numbers mean different things in different dialects: `3` is a drop in V1 and some message in V2, `4` is a
//! drop in V2 and "other" in V1. A body of the profile's own dialect counts as a drop where number and `data` agree: V1's
//! is the wId itself, V2's is an object. Where it is nested, and whether a number is written as a text, says nothing.
//! A bot may pass on what came in another dialect, and a gateway may be renewed before a profile is, so another dialect's
//! body counts where it is of that dialect's whole shape, which no other message has: V1's is nested and names nothing but
//! the wId, V2's is flat and its `data` names nothing but the wId. V3's five digits are used by no other dialect.

use serde_json::{Map, Value};

use super::json;
use super::wire::{id, integer, reason};
use crate::model::{Dialect, WId, WcId};

/// What a notice says, as far as it concerns saoma. All text in it is hostile until cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The gateway says that an instance has gone off line: a hint to check, no evidence by itself, since notices come
    /// twice and late.
    Offline {
        /// Which account.
        wc_id: WcId,
        /// Which instance, if it says; an older one than the current is no news.
        w_id: Option<WId>,
        /// Why, if it says, unwrapped.
        reason: Option<Box<str>>,
    },
    /// The message that is pushed when a callback is set, to see whether it works.
    Test,
    /// Anything else: messages, friends, groups, what is not JSON.
    Other,
}

/// What a test message contains, in whatever dialect.
const TEST_WORDS: &str = "验证回调地址是否可用";

/// The body of a notice as JSON, mended where it is broken; `None` when it is none.
pub fn value(body: &[u8], content_type: Option<&str>) -> Option<Value> {
    json::read(body, content_type).ok()
}

/// Reads the body of a notice. `content_type` is only a hint for the characters. Never fails: what is no notice of a
/// known shape is [`Notice::Other`].
pub fn decode(body: &[u8], content_type: Option<&str>, dialect: Dialect) -> Notice {
    value(body, content_type).map_or(Notice::Other, |body| of(&body, dialect))
}

/// The same of a body that was read already.
pub fn of(body: &Value, dialect: Dialect) -> Notice {
    let Value::Object(outer) = body else { return Notice::Other };
    // V1 nests all but the wcId under `message`; elsewhere that key would hold words.
    let inner = outer.get("message").and_then(Value::as_object).unwrap_or(outer);
    let get = |key: &str| inner.get(key).or_else(|| outer.get(key)).filter(|value| !value.is_null());
    let nested = outer.get("message").is_some_and(Value::is_object);
    let Some(kind) = Kind::read(get("messageType"), get("data"), nested, dialect) else {
        return if is_test(inner) { Notice::Test } else { Notice::Other };
    };
    match kind {
        Kind::Test => Notice::Test,
        Kind::Offline => {
            let data = get("data");
            let field = |key: &str| data.and_then(|data| data.get(key));
            let Some(wc_id) = id(get("wcId")).or_else(|| id(field("wcId"))) else { return Notice::Other };
            Notice::Offline {
                wc_id: WcId::new(wc_id),
                w_id: id(field("wId")).or_else(|| id(data.filter(|data| data.is_string()))).map(WId::new),
                reason: field("reason").and_then(reason),
            }
        }
    }
}

enum Kind {
    Offline,
    Test,
}

impl Kind {
    /// What a `messageType` and the shape of `data` say together; `None`: neither of the two.
    fn read(message_type: Option<&Value>, data: Option<&Value>, nested: bool, dialect: Dialect) -> Option<Self> {
        // A text of five zeros is V3's; as a number it would be V1's and V2's first kind of message.
        if message_type.and_then(Value::as_str).is_some_and(|text| text.trim() == "00000") {
            return Some(Self::Test);
        }
        let bare = data.is_none_or(Value::is_string);
        let object = data.is_none_or(Value::is_object);
        match (integer(message_type)?, dialect) {
            (30_000, _) => Some(Self::Offline),
            (3, Dialect::V1) if bare => Some(Self::Offline),
            (3, Dialect::V2 | Dialect::V3) if nested && data.is_some_and(Value::is_string) => Some(Self::Offline),
            (4, Dialect::V2) if object => Some(Self::Offline),
            (4, Dialect::V1 | Dialect::V3) if !nested && data.is_some_and(is_w_id_alone) => Some(Self::Offline),
            (0, Dialect::V3) => Some(Self::Test),
            _ => None,
        }
    }
}

/// Whether this is an object that names a wId and nothing else.
fn is_w_id_alone(data: &Value) -> bool {
    data.as_object().is_some_and(|fields| fields.len() == 1 && id(fields.get("wId")).is_some())
}

/// Whether a body of unknown type is the test message: its words, and nobody who would have sent them.
fn is_test(fields: &Map<String, Value>) -> bool {
    let said = |value: &Value| match value {
        Value::String(text) => text.contains(TEST_WORDS),
        Value::Object(fields) => {
            let sent = ["fromUser", "fromGroup", "msgId", "newMsgId"].iter().any(|key| fields.contains_key(*key));
            !sent && fields.values().any(|value| value.as_str().is_some_and(|text| text.contains(TEST_WORDS)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    };
    fields.values().any(said)
}

#[cfg(test)]
mod tests {
    use crate::property::cases;
    use proptest::prelude::*;

    use super::*;

    const ALL: [Dialect; 3] = [Dialect::V1, Dialect::V2, Dialect::V3];

    /// The three dialects' own bodies, as documented.
    const V1: &str = r#"{"message":{"data":"w-1","messageType":3},"wcId":"wxid_a"}"#;
    const V2: &str = r#"{"account":"138","data":{"wId":"w-1"},"messageType":4,"wcId":"wxid_a"}"#;
    const V3: &str = r#"{"account":"138","wcId":"wxid_a","messageType":"30000","data":{"wId":"w-1"}}"#;

    fn read(body: &str, dialect: Dialect) -> Notice {
        decode(body.as_bytes(), None, dialect)
    }

    fn drop_of(w_id: Option<&str>, reason: Option<&str>) -> Notice {
        Notice::Offline { wc_id: "wxid_a".into(), w_id: w_id.map(Into::into), reason: reason.map(Into::into) }
    }

    #[test]
    fn each_dialect_reads_all_three_shapes_and_no_other() {
        let drop = || drop_of(Some("w-1"), None);
        for (body, said) in [
            (V1, [drop(), drop(), drop()]),
            (V2, [drop(), drop(), drop()]),
            (V3, [drop(), drop(), drop()]),
            // Another dialect's numbers without its shape.
            (r#"{"data":"w-1","messageType":3,"wcId":"wxid_a"}"#, [drop(), Notice::Other, Notice::Other]),
            (
                r#"{"account":"138","data":{"wId":"w-1","content":"x"},"messageType":4,"wcId":"wxid_a"}"#,
                [Notice::Other, drop(), Notice::Other],
            ),
            // V1's "other" and V2's message of kind 3.
            (
                r#"{"message":{"data":"w-1","messageType":4},"wcId":"wxid_a"}"#,
                [Notice::Other, Notice::Other, Notice::Other],
            ),
            (
                r#"{"account":"138","data":{"wId":"w-1","content":"x"},"messageType":3,"wcId":"wxid_a"}"#,
                [Notice::Other, Notice::Other, Notice::Other],
            ),
        ] {
            assert_eq!(ALL.map(|dialect| read(body, dialect)), said, "{body}");
        }
    }

    #[test]
    fn how_it_is_written_does_not_matter() {
        let drop = || drop_of(Some("w-1"), None);
        for (body, dialect) in [
            (V1.replace('3', "\"3\""), Dialect::V1),
            (r#"{"data":"w-1","messageType":3,"wcId":"wxid_a","new":[1]}"#.to_owned(), Dialect::V1),
            (format!("\u{feff} {V2}\r\n\0"), Dialect::V2),
            (V2.replace(":4", ":\"4\""), Dialect::V2),
            (V2.replace(":4", ":4.0"), Dialect::V2),
            (format!(r#"{{"message":{V2},"relay":"bot"}}"#), Dialect::V2),
            (V3.replace("\"30000\"", "30000"), Dialect::V3),
            (V3.replace("\"data\":{", "\"data\":{\"newMsgId\":9223372036854775807,\"reason\":null,"), Dialect::V3),
        ] {
            assert_eq!(read(&body, dialect), drop(), "{body}");
        }
    }

    #[test]
    fn what_is_missing_is_missing() {
        assert_eq!(read(r#"{"wcId":"wxid_a","messageType":"30000"}"#, Dialect::V3), drop_of(None, None));
        assert_eq!(
            read(r#"{"wcId":"wxid_a","messageType":"30000","data":{"wId":""}}"#, Dialect::V3),
            drop_of(None, None)
        );
        assert_eq!(read(r#"{"wcId":"","messageType":4,"data":{"wId":"w-1"}}"#, Dialect::V2), Notice::Other);
        let with = V3.replace("\"w-1\"", r#""w-1","reason":"<e><Content><![CDATA[环境异常]]></Content></e>""#);
        assert_eq!(read(&with, Dialect::V3), drop_of(Some("w-1"), Some("环境异常")));
    }

    #[test]
    fn the_test_message_is_known_in_all_dialects() {
        for body in [
            r#"{"messageType":"00000","wcId":"","data":{"content":"验证回调地址是否可用"}}"#,
            r#"{"message":"验证回调地址是否可用"}"#,
            r#"{"message":{"data":"验证回调地址是否可用","messageType":9}}"#,
            r#"{"data":{"msg":"测试：验证回调地址是否可用"}}"#,
        ] {
            assert_eq!(ALL.map(|dialect| read(body, dialect)), [const { Notice::Test }; 3], "{body}");
        }
        // Somebody who sends these words in a chat is no test.
        let chat = r#"{"wcId":"wxid_a","messageType":5,"data":{"fromUser":"wxid_b","content":"验证回调地址是否可用"}}"#;
        assert_eq!(read(chat, Dialect::V2), Notice::Other);
        assert_eq!(read(r#"{"messageType":0,"data":{"content":"hi"}}"#, Dialect::V1), Notice::Other);
        assert_eq!(read(r#"{"messageType":0,"data":{}}"#, Dialect::V3), Notice::Test);
    }

    #[test]
    fn what_is_no_notice_is_other() {
        for body in ["", "null", "[]", "3", "<html>", "{", "{}", r#"{"messageType":{}}"#, r#"{"messageType":99}"#] {
            assert_eq!(ALL.map(|dialect| read(body, dialect)), [const { Notice::Other }; 3], "{body}");
        }
        assert_eq!(decode(&[0xff, 0xfe, 0, 1, 2], None, Dialect::V3), Notice::Other);
    }

    #[test]
    fn what_is_broken_is_read_all_the_same() {
        for body in [
            r#"{"wcId":" wxid_a ","messageType":"30000","data":{"wId":"w-1\n","reason":"环境\ud83d"}}"#,
            "{\"wcId\":\"wxid_a\",\"messageType\":30000,\"data\":{\"wId\":\"w-1\",\"reason\":\"环\u{1}境\"},}",
            r#"{"wcId":"wxid_a" "messageType":30000 "data":{"wId":"w-1","timestamp":1e999}}<br>"#,
        ] {
            match read(body, Dialect::V3) {
                Notice::Offline { wc_id, w_id: Some(w_id), .. } => {
                    assert_eq!((wc_id.as_str(), w_id.as_str()), ("wxid_a", "w-1"), "{body}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn other_encodings_are_read() {
        let (bytes, _, _) =
            encoding_rs::GB18030.encode(r#"{"wcId":"wxid_a","messageType":30000,"data":{"reason":"环境"}}"#);
        for content_type in [None, Some("application/json; charset=gbk")] {
            assert_eq!(decode(&bytes, content_type, Dialect::V3), drop_of(None, Some("环境")));
        }
    }

    /// Bodies that are nearly notices.
    fn nearly() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("3".to_owned()),
            Just("4".to_owned()),
            Just("30000".to_owned()),
            Just("\"30000\"".to_owned()),
            Just("\"00000\"".to_owned()),
            Just("\"w-1\"".to_owned()),
            Just("1e400".to_owned()),
            Just("-9223372036854775809".to_owned()),
            "\"[a-z\\u{202e}一]{0,8}\"",
        ];
        let key = prop_oneof![
            Just("message"),
            Just("messageType"),
            Just("data"),
            Just("wcId"),
            Just("wId"),
            Just("reason"),
            Just("x")
        ];
        leaf.prop_recursive(4, 24, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec((key.clone(), inner.clone()), 0..5).prop_map(|fields| {
                    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                    format!("{{{}}}", fields.join(","))
                }),
                proptest::collection::vec(inner, 0..3).prop_map(|values| format!("[{}]", values.join(","))),
            ]
        })
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn random_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..200), label in "[ -~]{0,30}") {
            for dialect in ALL {
                let is_drop = matches!(decode(&bytes, Some(&label), dialect), Notice::Offline { .. });
                prop_assert!(!is_drop);
            }
        }

        #[test]
        fn near_notices_are_borne(body in nearly(), cut in 0usize..200) {
            for dialect in ALL {
                let bytes = body.as_bytes();
                decode(&bytes[..cut.min(bytes.len())], None, dialect);
                if let Notice::Offline { wc_id, .. } = decode(bytes, None, dialect) {
                    prop_assert!(!wc_id.as_str().is_empty());
                }
            }
        }
    }
}
