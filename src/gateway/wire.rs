//! Tolerant decoding of what the gateway sends (protocol.md §1.1, §3): loose about how a value is written, strict
//! about what it takes to be a success. Personal data in a reply (mobile number, uin, …) is never looked at.

use std::borrow::Cow;

use secrecy::SecretString;
use serde_json::Value;

use super::client::{Online, PollReply, QrIssued, SignIn};
use super::error::Kind;
use super::json::{self, Unread};
use crate::model::{Reason, Record, WId, WcId};

/// Longest id that is taken: real ones have some 36 bytes. An id is stored, sent back and handed to bots.
const ID_BYTES: usize = 512;
/// Longest piece of the gateway's own words that is kept.
const MESSAGE_BYTES: usize = 4096;

/// A reply that is not what the caller hoped for; the call is known elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What went wrong.
    pub(super) kind: Kind,
    /// The gateway's own words.
    pub(super) message: Option<Box<str>>,
    /// What failed, in English, without anything from the reply but codes.
    pub(super) detail: Box<str>,
}

impl Fault {
    fn malformed(message: Option<Box<str>>, detail: impl Into<Box<str>>) -> Self {
        Self { kind: Kind::Malformed, message, detail: detail.into() }
    }
}

/// An envelope's code (protocol.md §1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Code {
    /// 1000
    Success,
    /// 200: a URL is to be opened (V3)
    DeviceVerification,
    /// 1001 or 10001
    Failure,
    /// Something else; as it was written, shortened.
    Other(Box<str>),
}

impl Code {
    /// Reads a code that is a string or a number, padded or not, `1000.0` included. `None` when there is none.
    fn read(value: Option<&Value>) -> Option<Self> {
        let text = scalar(value?)?;
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let number = text.parse::<i64>().ok().or_else(|| whole(text.parse::<f64>().ok()?));
        Some(match number {
            Some(1000) => Self::Success,
            Some(200) => Self::DeviceVerification,
            Some(1001 | 10001) => Self::Failure,
            Some(number) => Self::Other(number.to_string().into()),
            None => Self::Other(text.chars().filter(|c| !c.is_control()).take(20).collect::<String>().into()),
        })
    }

    /// The HTTP status that this is.
    fn http(&self) -> Option<u16> {
        match self {
            Self::Other(text) => text.parse().ok().filter(|status| (300..600).contains(status)),
            Self::Success | Self::DeviceVerification | Self::Failure => None,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Success => "1000",
            Self::DeviceVerification => "200",
            Self::Failure => "1001",
            Self::Other(text) => text,
        }
    }
}

/// A reply's outer layer.
#[derive(Debug)]
pub(super) struct Envelope {
    code: Code,
    message: Option<Box<str>>,
    verify_code: Option<SecretString>,
    /// Whether there was a `data` key at all.
    has_data: bool,
    data: Value,
}

/// What an envelope says, both of its layers taken together.
enum Verdict<'a> {
    /// 1000, and nothing inside speaks against it: the data to look for ids in.
    Success(&'a Value),
    /// Not a success.
    Failure(Failure<'a>),
}

/// A failure, and which layer told it.
struct Failure<'a> {
    nested: bool,
    code: Code,
    message: Option<Box<str>>,
    data: &'a Value,
}

/// Whether the words are about an account or a password.
fn names_credentials(words: &str) -> bool {
    let words = words.to_lowercase();
    ["密码", "账号", "帐号", "账户", "帐户", "password"].iter().any(|word| words.contains(word))
}

/// Whether the words of a refused sign-in are those of another call, which wants a token, or of no call at all.
fn names_another_call(words: &str) -> bool {
    let lower = words.to_lowercase();
    let names = |known: &[&str]| known.iter().any(|word| lower.contains(word));
    let is_missing = names(&["not found", "does not exist"]) && !names(&["user", "account", "member"]);
    (is_missing || lower.contains("接口不存在") || names_token(words)) && !names_credentials(words)
}

impl Envelope {
    /// Decodes a reply's bytes; `content_type` is only a hint for the characters.
    pub(super) fn decode(bytes: &[u8], content_type: Option<&str>) -> Result<Self, Fault> {
        let (envelope, message) = Self::read(bytes, content_type)?;
        envelope.ok_or_else(|| Fault::malformed(message, "the answer is JSON without a code"))
    }

    /// The gateway's own words in a reply whose HTTP status says failure already, if there are any.
    pub(super) fn words(bytes: &[u8], content_type: Option<&str>) -> Option<Box<str>> {
        Self::read(bytes, content_type).ok().and_then(|(_, message)| message)
    }

    fn read(bytes: &[u8], content_type: Option<&str>) -> Result<(Option<Self>, Option<Box<str>>), Fault> {
        let value = json::read(bytes, content_type).map_err(|unread| {
            let what = match unread {
                Unread::Empty => "the answer is empty".to_owned(),
                Unread::Html => "the answer is an HTML page, not JSON".to_owned(),
                Unread::Cut => format!("the answer breaks off after {} bytes of JSON", bytes.len()),
                Unread::Other => format!("the answer is not JSON ({} bytes)", bytes.len()),
            };
            Fault::malformed(None, what)
        })?;
        let Value::Object(mut fields) = value else {
            return Err(Fault::malformed(None, "the answer is JSON but no object"));
        };
        let message = message(fields.get("message")).or_else(|| message(fields.get("msg")));
        let code = Code::read(fields.get("code"));
        let verify_code = fields.get("verifyCode").and_then(secret);
        let data = fields.remove("data");
        let envelope = code.map(|code| Self {
            code,
            message: message.clone(),
            verify_code,
            has_data: data.is_some(),
            data: data.unwrap_or(Value::Null),
        });
        Ok((envelope, message))
    }

    /// Weighs both layers. A failure inside is told by a code of its own in `data`, never by `data.data`, which in V1
    /// is a blob (protocol.md §9.2).
    fn verdict(&self) -> Verdict<'_> {
        if self.code != Code::Success {
            return Verdict::Failure(Failure {
                nested: false,
                code: self.code.clone(),
                message: self.message.clone(),
                data: &self.data,
            });
        }
        match Code::read(self.data.get("code")) {
            None => Verdict::Success(&self.data),
            // An envelope in an envelope, both content: the ids are one layer down, if that is an object.
            Some(Code::Success) => match self.data.get("data") {
                Some(inner @ Value::Object(_)) => Verdict::Success(inner),
                _ => Verdict::Success(&self.data),
            },
            Some(code) => Verdict::Failure(Failure {
                nested: true,
                code,
                message: message(self.data.get("message")).or_else(|| message(self.data.get("msg"))),
                data: self.data.get("data").unwrap_or(&Value::Null),
            }),
        }
    }

    /// The data of a success; every other verdict as a [`Fault`].
    fn success(&self) -> Result<&Value, Fault> {
        match self.verdict() {
            Verdict::Success(data) => Ok(data),
            Verdict::Failure(failure) => Err(failure.fault()),
        }
    }

    /// The same where a refusal has consequences: only the code for one is believed.
    fn clear_success(&self) -> Result<&Value, Fault> {
        match self.verdict() {
            Verdict::Success(data) => Ok(data),
            Verdict::Failure(failure) => Err(failure.clear_fault(true)),
        }
    }

    fn malformed(&self, detail: &str) -> Fault {
        Fault::malformed(self.message.clone(), detail)
    }

    /// `member/login` (protocol.md §3.1).
    pub(super) fn sign_in(&self) -> Result<SignIn, Fault> {
        let own = matches!(self.code, Code::Success | Code::Failure);
        let data = self.success().map_err(|fault| match fault.kind {
            // The gateway answers, but not the part of it that signs in.
            _ if own && fault.message.as_deref().is_some_and(names_another_call) => {
                Fault { kind: Kind::Malformed, ..fault }
            }
            // No token was sent, so none can be wrong.
            Kind::TokenSuspect => Fault { kind: Kind::Refused, ..fault },
            _ if own => fault,
            _ if fault.message.as_deref().is_some_and(names_credentials) => Fault { kind: Kind::Refused, ..fault },
            // Nobody has looked at account and password: another service answers, or a proxy.
            _ => Fault { kind: Kind::Malformed, ..fault },
        })?;
        let unusable = match integer(data.get("status")) {
            Some(1) => Some((Reason::PlatformFrozen, "the platform account is frozen (status 1)")),
            Some(2) => Some((Reason::PlatformExpired, "the platform account has expired (status 2)")),
            _ => None,
        };
        if let Some((reason, detail)) = unusable {
            return Err(Fault { kind: Kind::Platform(reason), message: self.message.clone(), detail: detail.into() });
        }
        let token = string(data.get("Authorization")).trim();
        if token.is_empty() || token.chars().any(char::is_control) {
            return Err(self.malformed("the answer to member/login carries no usable Authorization"));
        }
        Ok(SignIn {
            token: token.into(),
            callback_url: Some(string(data.get("callbackUrl")).trim()).filter(|url| !url.is_empty()).map(Into::into),
            available_number: integer(data.get("availableNumber")),
        })
    }

    /// Whether a reply to a sign-in that HTTP calls unauthorised is about account and password: the gateway's own way of
    /// saying no, or its words. Else whoever answers has asked for something that is none of ours.
    pub(super) fn refuses_sign_in(bytes: &[u8], content_type: Option<&str>) -> bool {
        let Ok((envelope, message)) = Self::read(bytes, content_type) else { return false };
        let words = message.as_deref().unwrap_or_default();
        let is_own = envelope.is_some_and(|envelope| envelope.code == Code::Failure);
        (is_own && !names_another_call(words)) || names_credentials(words)
    }

    /// `iPadLogin` (protocol.md §3.2). Without a wId nothing was issued. Without a URL the instance is there all the
    /// same and its code may still be scanned somewhere, so the wId is kept and the URL left empty; fetching the
    /// picture then fails.
    pub(super) fn qr_issued(&self) -> Result<QrIssued, Fault> {
        let data = self.success()?;
        let w_id = id(data.get("wId")).ok_or_else(|| self.malformed("the answer to iPadLogin carries no wId"))?;
        Ok(QrIssued { w_id: WId::new(w_id), image_url: string(data.get("qrCodeUrl")).trim().into() })
    }

    /// `getIPadLoginInfo` of the instance `polled`. `with_code`: the poll carried a verification code.
    pub(super) fn poll(&self, polled: &WId, with_code: bool) -> Result<PollReply, Fault> {
        let failure = match self.verdict() {
            Verdict::Success(data) => {
                let status = integer(data.get("status"));
                let waiting = matches!(status, Some(0..=2));
                return Ok(match record(data, Some(polled)) {
                    Some(record) if !waiting => PollReply::LoggedIn(record),
                    _ => match self.asks_for_code(self.message.as_deref(), data) {
                        Some(reply) => reply,
                        None => PollReply::NotDone { status },
                    },
                });
            }
            Verdict::Failure(failure) => failure,
        };
        let words = failure.message.as_deref().unwrap_or_default();
        if bare(words) == "二维码已过期" {
            return Ok(PollReply::Expired { gateway_message: words.into() });
        }
        if failure.code == Code::DeviceVerification {
            let url = [failure.data, &self.data]
                .iter()
                .map(|data| string(data.get("url")).trim())
                .find(|url| !url.is_empty());
            return Ok(match url {
                Some(url) => PollReply::DeviceVerification { url: url.to_owned() },
                // Neither success nor failure, and nothing to open: the poll goes on.
                None => PollReply::NotDone { status: integer(failure.data.get("status")) },
            });
        }
        // Words that answer a verification code may be about that, whatever the code beside them.
        let is_about_it = with_code && failure.message.is_some();
        self.asks_for_code(failure.message.as_deref(), failure.data)
            .ok_or_else(|| if is_about_it { failure.fault() } else { failure.clear_fault(false) })
    }

    /// Whether a reply that is no success wants a verification code: by its words, or by a `verifyCode` that is not
    /// empty, at the top or in the data.
    fn asks_for_code(&self, words: Option<&str>, data: &Value) -> Option<PollReply> {
        let given = self
            .verify_code
            .clone()
            .or_else(|| data.get("verifyCode").and_then(secret))
            .or_else(|| self.data.get("verifyCode").and_then(secret));
        let words = words.unwrap_or_default();
        let asked = words.contains("验证码") && words.contains("输入");
        (asked || given.is_some()).then(|| PollReply::VerifyCode { given, gateway_message: words.into() })
    }

    /// `secondLogin` (protocol.md §3.5): both ids, or it is no success.
    pub(super) fn second_login(&self) -> Result<Record, Fault> {
        record(self.clear_success()?, None)
            .ok_or_else(|| self.malformed("the answer to secondLogin lacks a wcId or a wId"))
    }

    /// `queryLoginWx` (protocol.md §3.7). An entry without a wcId names nobody yet (an instance whose code is not
    /// scanned) and is left out. `data: null` is an empty list, a missing `data` is no list.
    pub(super) fn online(&self) -> Result<Online, Fault> {
        let mut online = Online::default();
        for entry in self.list("queryLoginWx")? {
            let wc_id = entry.get("wcId").filter(|wc_id| !is_blank(wc_id));
            match (entry, wc_id, id(wc_id)) {
                // Online, and nobody can say as which instance: V1's entries are no more.
                (Value::Object(fields), _, Some(wc_id)) => {
                    online.entries.push((WcId::new(wc_id), id(fields.get("wId")).map(WId::new)));
                }
                (Value::Object(_), None, _) => {}
                _ => online.unread += 1,
            }
        }
        self.some_read(online, "queryLoginWx")
    }

    /// `member/getLoginWcIds` (protocol.md §3.8).
    pub(super) fn online_wc_ids(&self) -> Result<Online, Fault> {
        let mut online = Online::default();
        for entry in self.list("getLoginWcIds")? {
            let wc_id = if entry.is_object() { entry.get("wcId") } else { Some(entry) };
            match (wc_id.filter(|wc_id| !is_blank(wc_id)), id(wc_id)) {
                (_, Some(wc_id)) => online.entries.push((WcId::new(wc_id), None)),
                (None, None) => {}
                (Some(_), None) => online.unread += 1,
            }
        }
        self.some_read(online, "getLoginWcIds")
    }

    /// One odd entry is skipped; a list of nothing else is none that we know.
    fn some_read(&self, online: Online, call: &str) -> Result<Online, Fault> {
        if online.entries.is_empty() && online.unread > 1 {
            return Err(self.malformed(&format!("no entry of {call} can be read")));
        }
        Ok(online)
    }

    fn list(&self, call: &str) -> Result<&[Value], Fault> {
        match self.success()? {
            Value::Array(list) => Ok(list),
            Value::Null if self.has_data => Ok(&[]),
            _ => Err(self.malformed(&format!("the answer to {call} carries no list"))),
        }
    }

    /// `isOnline` (protocol.md §3.6).
    pub(super) fn is_online(&self) -> Result<bool, Fault> {
        let data = self.clear_success()?;
        let value = data.get("isOnline").unwrap_or(data);
        let text = scalar(value).unwrap_or_default();
        match text.trim() {
            text if text.eq_ignore_ascii_case("true") || text == "1" => Ok(true),
            text if text.eq_ignore_ascii_case("false") || text == "0" => Ok(false),
            _ => Err(self.malformed("the answer to isOnline does not say whether")),
        }
    }

    /// `offlineReason` (protocol.md §3.12): the reason of the entry for this account, or of one that names nobody.
    /// Another's reason is none.
    pub(super) fn offline_reason(&self, wc_id: &WcId) -> Result<Option<Box<str>>, Fault> {
        let entries = match self.success()? {
            Value::Array(entries) => entries.as_slice(),
            entry @ Value::Object(_) => std::slice::from_ref(entry),
            Value::Null if self.has_data => &[],
            _ => return Err(self.malformed("the answer to offlineReason carries no list")),
        };
        let is_for_it = |entry: &&Value| id(entry.get("wcId")).is_none_or(|listed| *listed == *wc_id.as_str());
        let entry = entries.iter().find(is_for_it);
        Ok(entry.and_then(|entry| entry.get("reason")).and_then(reason))
    }

    /// A call whose success carries nothing, such as `member/offline` (protocol.md §3.9).
    pub(super) fn done(&self) -> Result<(), Fault> {
        self.success().map(|_| ())
    }
}

impl Failure<'_> {
    /// A failure under a code that this API does not have for one is no answer: somebody else has given it, or nobody knows
    /// what it means. `inside`: but one inside a success is the gateway's own.
    fn clear_fault(self, inside: bool) -> Fault {
        let is_clear = self.code == Code::Failure || (inside && self.nested);
        match self.fault() {
            Fault { kind: Kind::Refused | Kind::RefusedInside, message, detail } if !is_clear => {
                Fault { kind: Kind::Malformed, message, detail }
            }
            fault => fault,
        }
    }

    /// A refusal; one that names the token is only suspected, and only when the outer layer says so: a refused second
    /// login names `登录` as well, inside (design.md §4).
    fn fault(self) -> Fault {
        let words = self.message.as_deref().unwrap_or_default();
        let (kind, detail) = if let Some(status) = self.code.http() {
            // No code of this API: a web server on the way puts its own status into an envelope.
            (Kind::Http(status), format!("code {status}"))
        } else if self.nested {
            (Kind::RefusedInside, format!("code 1000, and inside it code {}", self.code.name()))
        } else if self.code == Code::Failure && names_token(words) {
            (Kind::TokenSuspect, "code 1001 about the token".to_owned())
        } else {
            (Kind::Refused, format!("code {}", self.code.name()))
        };
        Fault { kind, message: self.message, detail: detail.into() }
    }
}

/// Whether the gateway's words are about the token (design.md §4).
fn names_token(words: &str) -> bool {
    let words = words.to_lowercase();
    ["授权", "token", "authorization"].iter().any(|name| words.contains(name))
}

/// Words without the spaces and punctuation around them.
fn bare(words: &str) -> &str {
    words.trim_matches(|c: char| !c.is_alphanumeric())
}

/// The account record in the data of a login reply; `None` without a wcId, or without a wId and a polled one.
fn record(data: &Value, polled: Option<&WId>) -> Option<Record> {
    let wc_id = id(data.get("wcId"))?;
    let w_id = id(data.get("wId")).map(WId::new).or_else(|| polled.cloned())?;
    Some(Record {
        wc_id: WcId::new(wc_id),
        w_id,
        nick_name: text(data.get("nickName")),
        w_account: text(data.get("wAccount")),
        sex: integer(data.get("sex")).and_then(|sex| u8::try_from(sex).ok()),
        avatar_url: text(data.get("headUrl")),
    })
}

/// A string, number or bool as text; other values have none.
fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A string value; anything else is empty.
fn string(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// Free text as it came; empty when it is none. Zeros go: not every database takes them.
fn text(value: Option<&Value>) -> Box<str> {
    match value {
        Some(Value::String(text)) => text.replace('\0', "\u{fffd}").into(),
        Some(Value::Number(number)) => number.to_string().into(),
        _ => "".into(),
    }
}

/// The gateway's own words; `None` when blank.
fn message(value: Option<&Value>) -> Option<Box<str>> {
    let words = scalar(value?)?;
    Some(shortened(words.trim())).filter(|words| !words.is_empty())
}

/// A reason out of its wrapping; one that was not even written down as a text is unwrapped from what it is.
pub(super) fn reason(value: &Value) -> Option<Box<str>> {
    let words = match value {
        Value::Null => None,
        Value::String(text) => super::reason::words(text),
        value => super::reason::words(&value.to_string()),
    };
    words.map(|words| shortened(&words))
}

/// At most [`MESSAGE_BYTES`] of a text.
fn shortened(words: &str) -> Box<str> {
    let end = (0..=words.len().min(MESSAGE_BYTES)).rev().find(|&at| words.is_char_boundary(at)).unwrap_or(0);
    words.get(..end).unwrap_or_default().replace('\0', "\u{fffd}").into()
}

/// An id: a string without the blanks around it, or a whole number. Blank, `null` written as text, control characters,
/// characters that were lost on the way, absurd length and numbers that have lost digits are none.
pub(super) fn id(value: Option<&Value>) -> Option<Box<str>> {
    let id: Cow<'_, str> = match value? {
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(number) if number.is_f64() => Cow::Owned(whole(number.as_f64()?)?.to_string()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let bare = trimmed(&id);
    let lost = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    let usable = !bare.is_empty() && bare != "null" && bare.len() <= ID_BYTES && !bare.contains(lost);
    usable.then(|| bare.into())
}

/// Without blanks around it, those that nobody sees included.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{200b}' | '\u{feff}'))
}

/// Whether a value is nothing, or written as nothing.
fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| matches!(trimmed(text), "" | "null"))
}

/// A number, or a string that holds one.
pub(super) fn integer(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A float without a fraction that is exact as an integer.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within ±2^53")]
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

/// A secret that is a nonblank string or a number.
fn secret(value: &Value) -> Option<SecretString> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests;
