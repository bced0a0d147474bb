//! The envelope (protocol.md §1.1): what the gateway means to say, and how it is written down.

use serde_json::{Map, Value, json};

use super::knobs::Envelope;

/// What the gateway means to say.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// `1000`, `1001` or `200`.
    pub(super) code: &'static str,
    pub(super) message: String,
    /// None: the key is left out, as in V3's sample of a failed queryLoginWx.
    pub(super) data: Option<Value>,
    /// A key beside `code` and `message`.
    pub(super) extra: Option<(&'static str, Value)>,
}

impl Reply {
    pub(super) fn ok(message: &str, data: Value) -> Self {
        Self { status: 200, code: "1000", message: message.into(), data: Some(data), extra: None }
    }

    pub(super) fn fail(message: &str) -> Self {
        Self { status: 200, code: "1001", message: message.into(), data: Some(Value::Null), extra: None }
    }

    /// `1001 失败`, as most failure samples read.
    pub(super) fn failed() -> Self {
        Self::fail("失败")
    }

    /// A failure inside a success, as a failed second login shows it.
    pub(super) fn nested(style: &Envelope) -> Self {
        let inner = Self::fail("二次登录失败，请重新扫码登录").value(style);
        Self::ok("成功", inner)
    }

    pub(super) fn http(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The code as the reply shows it.
    pub(super) const fn shown_code(&self, style: &Envelope) -> &'static str {
        if style.failure_10001 && self.code.len() == 4 && matches!(self.code.as_bytes(), [_, _, _, b'1']) {
            "10001"
        } else {
            self.code
        }
    }

    fn value(&self, style: &Envelope) -> Value {
        let code = self.shown_code(style);
        let mut map = Map::new();
        let number = style.code_as_int.then(|| code.parse::<u32>().ok()).flatten();
        map.insert("code".into(), number.map_or_else(|| json!(code), |n| json!(n)));
        map.insert(if style.msg { "msg" } else { "message" }.into(), json!(self.message));
        match &self.data {
            Some(Value::Null) if style.omit_null_data => {}
            Some(data) => {
                map.insert("data".into(), data.clone());
            }
            None => {}
        }
        if let Some((key, value)) = &self.extra {
            map.insert((*key).into(), value.clone());
        }
        if style.extra_keys {
            map.insert("traceId".into(), json!("saoma-9007199254740993"));
            map.insert("newMsgId".into(), json!(9_007_199_254_740_993_u64));
        }
        Value::Object(map)
    }

    /// The bytes on the wire.
    pub(super) fn bytes(&self, style: &Envelope) -> Vec<u8> {
        let mut bytes = if style.bom { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        bytes.extend_from_slice(self.value(style).to_string().as_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reply: &Reply, style: &Envelope) -> Value {
        serde_json::from_slice(&reply.bytes(style)).unwrap()
    }

    #[test]
    fn replies_look_like_the_samples() {
        let plain = Envelope::default();
        assert_eq!(shown(&Reply::failed(), &plain), json!({"message": "失败", "code": "1001", "data": null}));
        assert_eq!(
            shown(&Reply::nested(&plain), &plain),
            json!({"message": "成功", "code": "1000",
                   "data": {"message": "二次登录失败，请重新扫码登录", "code": "1001", "data": null}})
        );
    }

    #[test]
    fn knobs_change_how_it_is_written() {
        let style =
            Envelope { code_as_int: true, failure_10001: true, msg: true, omit_null_data: true, ..Envelope::default() };
        assert_eq!(shown(&Reply::failed(), &style), json!({"msg": "失败", "code": 10001}));
        assert_eq!(shown(&Reply::ok("成功", json!([])), &style), json!({"msg": "成功", "code": 1000, "data": []}));
        let bom = Envelope { bom: true, ..Envelope::default() };
        assert!(Reply::failed().bytes(&bom).starts_with(b"\xef\xbb\xbf{"));
    }
}
