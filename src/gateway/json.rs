//! Reads what the gateway sends, once and in one place: characters, then JSON, mended where it is broken.
//!
//! Names are cut in the middle of an emoji, control bytes stand in strings, numbers lie beyond every type, a comma is
//! missing: none of that is a reason to lose a login or a list. Only the spelling is mended. What is cut off stays
//! malformed, since a list that ends in the middle would say that the rest is off line; a value that cannot be read
//! becomes one that says nothing, and never a `null`, a `false` or a text, which would say something.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_8, WINDOWS_1252};
use serde::Deserialize as _;
use serde_json::Value;

/// Deeper values are left out: the reader would refuse the whole for them.
const DEPTH: usize = 100;
/// What stands for a value that cannot be read: no text, no number, no list, no yes and no no.
const NOTHING: &str = "{}";

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is nothing in it.
    Empty,
    /// It is a page for people.
    Html,
    /// It ends in the middle.
    Cut,
    /// It is something else.
    Other,
}

/// The first JSON value in the bytes; `content_type` is only a hint for the characters. What stands behind it is ignored.
pub(super) fn read(bytes: &[u8], content_type: Option<&str>) -> Result<Value, Unread> {
    let texts = texts(bytes, content_type);
    let mut why = Unread::Other;
    for (at, text) in texts.iter().flatten().enumerate() {
        match strictly(bare(text)) {
            Ok(value) => return Ok(value),
            Err(unread) if at == 0 => why = unread,
            Err(_) => {}
        }
    }
    for ends in [Ends::Plain, Ends::Escaped] {
        let mended = texts.iter().flatten().map(|text| mend(bare(text), ends)).collect::<Vec<_>>();
        if let Some(value) = mended.iter().flatten().find_map(|text| strictly(text).ok()) {
            return Ok(value);
        }
        if mended.contains(&Err(Broken::Cut)) {
            break;
        }
    }
    Err(why)
}

fn strictly(text: &str) -> Result<Value, Unread> {
    let mut reader = serde_json::Deserializer::from_str(text);
    Value::deserialize(&mut reader).map_err(|error| {
        if text.is_empty() {
            Unread::Empty
        } else if text.starts_with('<') {
            Unread::Html
        } else if error.is_eof() {
            Unread::Cut
        } else {
            Unread::Other
        }
    })
}

/// Without blanks, byte order marks and zeros around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0')
}

// ── Characters ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// The characters of a body, the likeliest reading first. JSON is UTF-8, whatever a web server's default label claims. What
/// is not is read as labelled, or as GB18030, the other encoding of the place; or it is UTF-8 with a name cut in the
/// middle of a character.
fn texts<'a>(bytes: &'a [u8], content_type: Option<&str>) -> [Option<Cow<'a, str>>; 2] {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return [Some(encoding.decode(bytes).0), None];
    }
    if let Ok(text) = str::from_utf8(bytes) {
        return [Some(Cow::Borrowed(text)), None];
    }
    let utf_8 = String::from_utf8_lossy(bytes);
    let labelled = content_type.and_then(charset).and_then(|label| Encoding::for_label(label.as_bytes()));
    // Neither label says anything: one is the default, and of the other these bytes are not.
    match labelled.filter(|encoding| *encoding != WINDOWS_1252 && *encoding != UTF_8) {
        Some(encoding) => [Some(encoding.decode_without_bom_handling(bytes).0), Some(utf_8)],
        None => {
            let other = GB18030.decode_without_bom_handling(bytes).0;
            if is_mostly_utf_8(bytes) { [Some(utf_8), Some(other)] } else { [Some(other), Some(utf_8)] }
        }
    }
}

/// Whether more characters beyond ASCII are UTF-8 than are not: of another encoding's, hardly any is by chance.
fn is_mostly_utf_8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > bad
}

/// The `charset` parameter of a Content-Type.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

// ── Mending ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/// What may come next in an object or a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The first item.
    First,
    /// A further item, with or without a comma before it.
    More,
    /// The colon behind a key.
    Colon,
    /// The value behind a colon.
    Value,
}

/// An object or list that is open.
struct Open {
    closes: u8,
    next: Next,
}

impl Open {
    /// Whether the next item is a key.
    fn wants_key(&self) -> bool {
        self.closes == b'}' && matches!(self.next, Next::First | Next::More)
    }
}

/// Which quotes end a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Those without a backslash before them.
    Plain,
    /// Those with one as well, where what follows goes on as behind a text: a name was cut behind a backslash.
    Escaped,
}

/// Why a text was not mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// It ends too early.
    Cut,
    /// It is no JSON, however it may go on.
    Wrong,
}

/// Writes broken JSON anew, in one pass and in memory that its length bounds.
///
/// With [`Ends::Escaped`], a text that was ended by a guess may not be the last one, nothing may stand behind the whole, and
/// between the texts nothing is mended: else a name with brackets in it could end a list in the middle.
fn mend(text: &str, ends: Ends) -> Result<String, Broken> {
    if !text.starts_with(['{', '[']) {
        return Err(Broken::Wrong);
    }
    let strict = ends == Ends::Escaped;
    let mut mended = Mended { out: String::with_capacity(text.len() + 64), open: Vec::new(), strict, comma: false };
    let mut rest = text;
    let mut guessed = false;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}');
        let Some((token, tail)) = token(rest, ends) else {
            // Where a colon is due, half a token is no better than a whole one.
            let wrong = !rest.is_empty() && mended.open.last().is_some_and(|open| open.next == Next::Colon);
            return Err(if wrong { Broken::Wrong } else { Broken::Cut });
        };
        if let Token::Text(inside) = token {
            guessed = ends_in_backslash(inside);
        }
        mended.spell(&token).and_then(|()| mended.take(token)).ok_or(Broken::Wrong)?;
        if mended.open.is_empty() {
            let doubtful = strict && (guessed || !tail.is_empty());
            return if doubtful { Err(Broken::Wrong) } else { Ok(mended.out) };
        }
        rest = tail;
    }
}

/// Whether the last character is a backslash that nothing escapes.
fn ends_in_backslash(inside: &str) -> bool {
    inside.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Whether this can stand behind a text: the end of an object or a list, or a comma and a further item.
fn goes_on(text: &str) -> bool {
    let text = text.trim_start();
    match text.strip_prefix(',') {
        Some(item) => item.trim_start().starts_with(['"', '{']),
        None => text.starts_with(['}', ']']),
    }
}

enum Token<'a> {
    /// What stands between quotes.
    Text(&'a str),
    /// A bracket, a comma, a colon.
    Mark(u8),
    /// Anything else up to the next of these.
    Word(&'a str),
}

/// The next token and what stands behind it.
fn token(text: &str, ends: Ends) -> Option<(Token<'_>, &str)> {
    let first = *text.as_bytes().first()?;
    match first {
        b'"' => {
            let inside = text.get(1..)?;
            let mut escaped = false;
            let (end, _) = inside.bytes().enumerate().find(|&(at, byte)| {
                let is_end =
                    byte == b'"' && (!escaped || (ends == Ends::Escaped && inside.get(at + 1..).is_some_and(goes_on)));
                escaped = byte == b'\\' && !escaped;
                is_end
            })?;
            Some((Token::Text(inside.get(..end)?), inside.get(end + 1..)?))
        }
        b'{' | b'}' | b'[' | b']' | b',' | b':' => Some((Token::Mark(first), text.get(1..)?)),
        _ => {
            let ends = |c: char| c.is_whitespace() || c.is_control() || "{}[],:\"".contains(c);
            let (word, tail) = text.split_at(text.find(ends)?);
            Some((Token::Word(word), tail))
        }
    }
}

struct Mended {
    out: String,
    open: Vec<Open>,
    /// Whether whatever stands between texts has to be as it should.
    strict: bool,
    /// Whether a comma came last.
    comma: bool,
}

impl Mended {
    /// Fails where the token is out of its place, if that counts: a comma that is missing, a key without a value, a word that
    /// is none.
    fn spell(&mut self, token: &Token<'_>) -> Option<()> {
        let comma = std::mem::replace(&mut self.comma, matches!(token, Token::Mark(b',')));
        let Some(open) = self.open.last().filter(|_| self.strict) else { return Some(()) };
        let is_key = open.wants_key();
        let may_begin = comma || open.next != Next::More;
        let fits = match (token, open.next) {
            (Token::Mark(b':'), next) => next == Next::Colon,
            (_, Next::Colon) | (Token::Mark(b',' | b'}' | b']'), Next::Value) => false,
            (Token::Mark(b'}' | b']'), _) => true,
            (Token::Mark(b','), next) => next == Next::More && !comma,
            (Token::Mark(_), _) => !is_key && may_begin,
            (Token::Text(_), _) => may_begin,
            (Token::Word(word), _) => {
                let is_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
                !is_key && may_begin && (is_number || ["true", "false", "null"].contains(word))
            }
        };
        fits.then_some(())
    }

    fn take(&mut self, token: Token<'_>) -> Option<()> {
        match token {
            Token::Mark(mark @ (b'{' | b'[')) => {
                self.item(false)?;
                self.put(if mark == b'{' { "{" } else { "[" });
                self.open.push(Open { closes: if mark == b'{' { b'}' } else { b']' }, next: Next::First });
                if self.open.len() == DEPTH + 1 {
                    self.out.truncate(self.out.len() - 1);
                    self.out.push_str(NOTHING);
                }
            }
            Token::Mark(mark @ (b'}' | b']')) => {
                self.no_value();
                let open = self.open.pop().filter(|open| open.closes == mark)?;
                self.put_at(self.open.len() + 1, if open.closes == b'}' { "}" } else { "]" });
            }
            Token::Mark(b':') => {
                let open = self.open.last_mut().filter(|open| open.next == Next::Colon)?;
                open.next = Next::Value;
                self.put(":");
            }
            // A comma is written where an item follows.
            Token::Mark(_) => self.no_value(),
            Token::Text(inside) => {
                self.item(true)?;
                if self.is_shown() {
                    self.text(inside);
                }
            }
            Token::Word(word) => {
                let is_key = self.item(true)?;
                if self.is_shown() {
                    self.word(word, is_key);
                }
            }
        }
        Some(())
    }

    /// Whether what comes is written at all.
    fn is_shown(&self) -> bool {
        self.open.len() <= DEPTH
    }

    fn put(&mut self, text: &str) {
        self.put_at(self.open.len(), text);
    }

    fn put_at(&mut self, depth: usize, text: &str) {
        if depth <= DEPTH {
            self.out.push_str(text);
        }
    }

    /// An item begins. Says whether it is a key; fails where there can be none.
    fn item(&mut self, may_be_key: bool) -> Option<bool> {
        let shown = self.is_shown();
        let Some(open) = self.open.last_mut() else { return Some(false) };
        let comma = open.next == Next::More;
        let is_key = open.wants_key();
        if open.next == Next::Colon || (is_key && !may_be_key) {
            return None;
        }
        open.next = if is_key { Next::Colon } else { Next::More };
        if comma && shown {
            self.out.push(',');
        }
        Some(is_key)
    }

    /// A key whose value is missing.
    fn no_value(&mut self) {
        let shown = self.is_shown();
        let Some(open) = self.open.last_mut().filter(|open| matches!(open.next, Next::Colon | Next::Value)) else {
            return;
        };
        let colon = if open.next == Next::Colon { ":" } else { "" };
        open.next = Next::More;
        if shown {
            self.out.push_str(colon);
            self.out.push_str(NOTHING);
        }
    }

    /// What stands between quotes, with every control byte written as an escape, and every escape that is none as what it
    /// shows. Half of a surrogate pair is no character: the sign for that stands in its place.
    fn text(&mut self, inside: &str) {
        self.out.push('"');
        let mut rest = inside;
        while let Some(at) = rest.find(|c: char| c == '\\' || c < ' ') {
            let (before, tail) = rest.split_at(at);
            self.out.push_str(before);
            rest = self.oddity(tail);
        }
        self.out.push_str(rest);
        self.out.push('"');
    }

    /// Writes the escape or the control byte that a text begins with; gives what stands behind it.
    fn oddity<'a>(&mut self, text: &'a str) -> &'a str {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some('\\'), Some('u')) => match unit(text) {
                Some(high @ 0xd800..=0xdbff) => {
                    let tail = text.get(6..).unwrap_or_default();
                    match unit(tail) {
                        Some(low @ 0xdc00..=0xdfff) => {
                            self.out.push_str(&format!("\\u{high:04x}\\u{low:04x}"));
                            tail.get(6..).unwrap_or_default()
                        }
                        _ => self.lost(tail),
                    }
                }
                Some(0xdc00..=0xdfff) => self.lost(text.get(6..).unwrap_or_default()),
                Some(unit) => {
                    self.out.push_str(&format!("\\u{unit:04x}"));
                    text.get(6..).unwrap_or_default()
                }
                None => self.backslash(text),
            },
            (Some('\\'), Some(c)) if "\"\\/bfnrt".contains(c) => {
                self.out.extend(['\\', c]);
                chars.as_str()
            }
            (Some('\\'), Some('\'')) => {
                self.out.push('\'');
                chars.as_str()
            }
            (Some('\\'), _) => self.backslash(text),
            (Some(control), _) => {
                self.out.push_str(&format!("\\u{:04x}", u32::from(control)));
                text.get(1..).unwrap_or_default()
            }
            (None, _) => "",
        }
    }

    fn lost<'a>(&mut self, tail: &'a str) -> &'a str {
        self.out.push(char::REPLACEMENT_CHARACTER);
        tail
    }

    /// A backslash that escapes nothing stands for itself.
    fn backslash<'a>(&mut self, text: &'a str) -> &'a str {
        self.out.push_str("\\\\");
        text.get(1..).unwrap_or_default()
    }

    /// What stands without quotes: a number or a word, or a key whose quotes were left away.
    fn word(&mut self, word: &str, is_key: bool) {
        let is_number = serde_json::from_str::<serde_json::Number>(word).is_ok();
        let looks_like_one = word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
        match word {
            _ if is_key => self.text(word),
            "true" | "True" | "TRUE" => self.out.push_str("true"),
            "false" | "False" | "FALSE" => self.out.push_str("false"),
            "null" => self.out.push_str("null"),
            _ if is_number => self.out.push_str(word),
            // `007` and `+7`: as it was written, no digit lost.
            _ if looks_like_one => self.text(word),
            _ => self.out.push_str(NOTHING),
        }
    }
}

/// The code unit of a `\uXXXX` that a text begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::property::cases;

    fn value(text: &str) -> Result<Value, Unread> {
        read(text.as_bytes(), None)
    }

    #[test]
    fn what_is_broken_is_mended() {
        for (text, expected) in [
            // Names cut in the middle of a character.
            (r#"{"a":"abc\ud83d","b":1}"#, json!({"a": "abc\u{fffd}", "b": 1})),
            (
                r#"{"a":"\udc00x\ud83d\ud83d\ude00","b":"\uD83D\u0041"}"#,
                json!({"a": "\u{fffd}x\u{fffd}😀", "b": "\u{fffd}A"}),
            ),
            (r#"{"a":"\ud83d\\"}"#, json!({"a": "\u{fffd}\\"})),
            (r#"{"\ud83d":1}"#, json!({"\u{fffd}": 1})),
            // Control bytes in texts and between them.
            ("{\"a\":\"x\u{1}\n\ty\",\u{2}\"b\":1}", json!({"a": "x\u{1}\n\ty", "b": 1})),
            ("{\"a\":\"x\u{0}\"}", json!({"a": "x\u{0}"})),
            // Escapes that are none.
            (r#"{"a":"it\'s \x41 \u12 \q"}"#, json!({"a": r"it's \x41 \u12 \q"})),
            (r#"{"a":"\u12G4"}"#, json!({"a": r"\u12G4"})),
            // Names cut behind a backslash.
            (r#"{"a":{"b":"x\","c":1}}"#, json!({"a": {"b": r"x\", "c": 1}})),
            (
                r#"[{"a":"x\" } , {"a":"\"y\" \\","b":"\ud83d"}]"#,
                json!([{"a": r"x\"}, {"a": r#""y" \"#, "b": "\u{fffd}"}]),
            ),
            (r#"{"a":"x\\\","b":"y\", "c":""}"#, json!({"a": r"x\\", "b": r"y\", "c": ""})),
            // Numbers.
            (
                r#"{"a":1e999,"b":-1E+999,"c":NaN,"d":-Infinity,"e":undefined,"f":None}"#,
                json!({"a": {}, "b": {}, "c": {}, "d": {}, "e": {}, "f": {}}),
            ),
            (
                r#"[007,+7,.5,1.,-,True,FALSE,null,12345678901234567890]"#,
                json!(["007", "+7", ".5", "1.", {}, true, false, null, 12_345_678_901_234_567_890_u64]),
            ),
            // Commas.
            (r#"{"a":1,"b":[1,2,],}"#, json!({"a": 1, "b": [1, 2]})),
            (r#"{"a":1 "b":[1 2 "x" {"c":3}[4]]"c":3}"#, json!({"a": 1, "b": [1, 2, "x", {"c": 3}, [4]], "c": 3})),
            (r#"{,"a":1,,"b":2}"#, json!({"a": 1, "b": 2})),
            // Values and quotes that are missing.
            (r#"{"a":,"b":,"c"}"#, json!({"a": {}, "b": {}, "c": {}})),
            (r#"{code:1000,"a":1,}"#, json!({"code": 1000, "a": 1})),
            // What stands behind.
            (r#"{"a":1}<!-- served in 3 ms -->"#, json!({"a": 1})),
            (r#"{"a":1,}{"a":2}"#, json!({"a": 1})),
            (r#"{"a":1}]}"#, json!({"a": 1})),
            ("\u{feff}\u{0} {\"a\":1}\u{0}\u{0}", json!({"a": 1})),
            // Of two keys the later counts, as everywhere.
            (r#"{"a":1,"a":2}"#, json!({"a": 2})),
            (r#"{"a":1,"a":2,}"#, json!({"a": 2})),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_cut_or_is_no_json_stays_so() {
        for (text, expected) in [
            ("", Unread::Empty),
            ("\u{feff} \0", Unread::Empty),
            ("<html>{\"code\":\"1000\"}", Unread::Html),
            (r#"{"data":[{"wcId":"a"},"#, Unread::Cut),
            (r#"{"data":[{"wcId":"a\ud83d"},"#, Unread::Other),
            (r#"{"data":[{"wcId":"a"}"#, Unread::Cut),
            (r#"{"a":"b"#, Unread::Cut),
            (r#"{"a":"b\"}"#, Unread::Cut),
            (r#"[{"a":"x\"},{"a":"y"},"#, Unread::Other),
            (r#"[{"a":"x\"},{"a":"y\"}]"#, Unread::Other),
            (r#"[{"a":"x\"},{"a":"y\"}]z"},{"a":"z"}]"#, Unread::Other),
            (r#"[{"a":"x\"},{"a":"\"}["},{"a":"]]"#, Unread::Other),
            (r#"{"a":tru"#, Unread::Cut),
            (r#"{"a":1]"#, Unread::Other),
            (r#"{"a":1,"b":[1}"#, Unread::Other),
            (r#"{"a" 1}"#, Unread::Other),
            (r#"{{"a":1}}"#, Unread::Other),
            (r#"{"a":"he said "hi" to me","b":1}"#, Unread::Other),
            ("Warning: mysql {\"a\":1}", Unread::Other),
            ("callback({\"a\":1})", Unread::Other),
        ] {
            assert_eq!(value(text), Err(expected), "{text}");
        }
        assert_eq!(value("1000 and more"), Ok(json!(1000)), "no object, as the caller will say");
    }

    #[test]
    fn the_characters_are_those_that_make_sense() {
        let text = r#"{"code":"1001","message":"二维码已过期","nickName":"售前客服"}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        let (gbk, ..) = GB18030.encode(text);
        // Whatever the label says that web servers put there by themselves.
        for label in [
            None,
            Some("application/json"),
            Some("application/json;charset=UTF-8"),
            Some("text/html; charset=iso-8859-1"),
        ] {
            assert_eq!(read(&gbk, label), Ok(expected.clone()), "{label:?}");
            assert_eq!(read(text.as_bytes(), label), Ok(expected.clone()), "{label:?}");
        }
        // A name that is cut spoils neither the words nor the ids beside it, in either encoding.
        for (good, cut) in
            [("\u{201c}", &b"\xe5\xbc"[..]), ("张", b"\xe5"), ("x", b"\xff\xfe"), ("三", b"\xf0\x9f\x98")]
        {
            let words = format!(r#"{{"message":"二维码已过期","wcId":"wxid_a","name":"{good}"#);
            let body = [words.as_bytes(), cut, b"\"}"].concat();
            let read = read(&body, None).unwrap();
            assert_eq!((&read["message"], &read["wcId"]), (&json!("二维码已过期"), &json!("wxid_a")), "{cut:?}");
        }
        let (words, ..) = GB18030.encode(r#"{"message":"二维码已过期","name":"张"#);
        let body = [&*words, b"\xd5\"}"].concat();
        assert_eq!(read(&body, None).unwrap()["message"], json!("二维码已过期"));
    }

    #[test]
    fn hostile_depth_spoils_only_itself() {
        let deep = format!(
            r#"{{"wcId":"a","x":{}{},"wId":"w"}}"#,
            "[{\"y\":".repeat(50_000),
            "1".to_owned() + &"}]".repeat(50_000)
        );
        let read = value(&deep).unwrap();
        assert_eq!((&read["wcId"], &read["wId"]), (&json!("a"), &json!("w")));
        assert_eq!(value(&"[".repeat(1 << 20)), Err(Unread::Other));
        assert!(value(&format!("{{{}", "\"a\":\"\\ud83d\",".repeat(50_000))).is_err());
    }

    /// What a text grows to at most, each byte of it written as an escape.
    #[test]
    fn what_is_mended_stays_in_proportion() {
        let controls = format!("{{\"a\":\"{}\"}}", "\u{1}".repeat(100_000));
        assert!(mend(&controls, Ends::Plain).unwrap().len() <= 6 * controls.len());
        let commas = format!("[{}]", ",{},".repeat(50_000));
        assert!(mend(&commas, Ends::Plain).unwrap().len() <= 6 * commas.len());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9_f64..1e9).prop_map(|number| json!(number)),
            ".{0,12}".prop_map(Value::from),
            "[\\x00-\\x1f\"\\\\u{}\\[\\],:]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,6}", inner), 0..6).prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(cases(512))]

        /// What is whole comes out as it went in: mending changes spelling, never meaning.
        #[test]
        fn mending_what_is_whole_changes_nothing(value in any_json()) {
            let value = json!([value]);
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let mended = mend(&text, Ends::Plain).unwrap();
                let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                prop_assert_eq!(read(&mended), read(&text));
            }
        }

        #[test]
        fn whatever_was_mended_is_json(text in "[\\[{][\\x00-\\x20\"\\\\uda8{}\\[\\],:0-9.eE+tNx\u{1f600}-]{0,60}") {
            for mended in [Ends::Plain, Ends::Escaped].into_iter().filter_map(|ends| mend(&text, ends).ok()) {
                prop_assert!(serde_json::from_str::<Value>(&mended).is_ok(), "{} became {}", text, mended);
            }
        }

        #[test]
        fn what_is_cut_is_never_whole(value in any_json(), cut in 1_usize..200) {
            let text = json!([value]).to_string();
            let end = (1..=cut.min(text.len() - 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            prop_assert!(read(&text.as_bytes()[..end], None).is_err());
        }

        /// The same where one of the names was cut behind a backslash.
        #[test]
        fn what_is_cut_behind_a_backslash_is_never_whole(
            names in prop::collection::vec("[a1\"\\\\{}\\[\\],: ]{0,8}", 2..5),
            broken in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let broken = broken.index(names.len());
            let entry = |(at, name)| match at == broken {
                true => r#"{"name":"x\","id":1}"#.to_owned(),
                false => json!({"name": name, "id": 1}).to_string(),
            };
            let text = format!("[{}]", names.iter().enumerate().map(entry).collect::<Vec<_>>().join(","));
            prop_assert!(read(&text.as_bytes()[..cut.index(text.len())], None).is_err(), "{}", text);
        }
    }
}
