//! Why WeChat ended a session, out of what it is wrapped in (protocol.md §3.12): JSON, XML in it, CDATA in that.

use serde_json::Value;

/// The person's part of a reason: the CDATA of `<Content>` where there is one, else its text, else the whole as it
/// came. `None` when nothing but blanks is left. Never fails; the words are hostile until cleaned.
pub(super) fn words(reason: &str) -> Option<Box<str>> {
    let bare = reason.trim();
    let inner = match serde_json::from_str::<Value>(bare) {
        Ok(value) => find(&value).unwrap_or_else(|| match value {
            // A text that is quoted once more than it has to be.
            Value::String(text) => content(&text).unwrap_or(text),
            _ => bare.to_owned(),
        }),
        Err(_no_json) => content(bare).unwrap_or_else(|| bare.to_owned()),
    };
    let inner = inner.trim();
    (!inner.is_empty()).then(|| inner.into())
}

/// The first text in a JSON value that holds a `<Content>`, unwrapped.
fn find(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => content(text),
        Value::Array(values) => values.iter().find_map(find),
        Value::Object(fields) => fields.values().find_map(find),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// What `<Content>` holds, if that is more than blanks.
fn content(xml: &str) -> Option<String> {
    let (_, rest) = xml.split_once("<Content>")?;
    let rest = rest.trim_start();
    let text = match rest.strip_prefix("<![CDATA[") {
        Some(data) => data.split("]]>").next().unwrap_or_default().to_owned(),
        None => unescape(rest.split('<').next().unwrap_or_default()),
    };
    (!text.trim().is_empty()).then_some(text)
}

/// XML's five entities; `&amp;` last, so that nothing is unescaped twice.
fn unescape(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

#[cfg(test)]
mod tests {
    use crate::property::cases;
    use proptest::prelude::*;

    use super::*;

    const XML: &str = "<e>\n<ShowType>8</ShowType>\n<Content><![CDATA[登录出现错误，请你重新登录。]]></Content>\n\
                       <Url><![CDATA[]]></Url>\n</e>";

    #[test]
    fn the_persons_part_is_unwrapped() {
        let said = "登录出现错误，请你重新登录。";
        let deep = serde_json::json!({"baseResponse": {"ret": -100, "errMsg": {"string": XML}}}).to_string();
        for wrapped in [XML, &deep, &serde_json::json!(XML).to_string(), said, &format!(" {said}\n")] {
            assert_eq!(words(wrapped).as_deref(), Some(said), "{wrapped}");
        }
    }

    #[test]
    fn what_is_broken_is_told_as_it_is() {
        for (wrapped, expected) in [
            ("", None),
            (" \n", None),
            ("\"\"", None),
            ("<e><Content><![CDATA[half", Some("half")),
            ("<Content>a &amp;lt; b</Content>", Some("a &lt; b")),
            ("<Content></Content>", Some("<Content></Content>")),
            ("<e>x</e>", Some("<e>x</e>")),
            ("{\"ret\":-100}", Some("{\"ret\":-100}")),
            ("-100", Some("-100")),
        ] {
            assert_eq!(words(wrapped).as_deref(), expected, "{wrapped}");
        }
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn whatever_comes_is_borne(reason in "(<Content>|<!\\[CDATA\\[|\\]\\]>|</Content>|[\"{}<&;一x ]){0,20}") {
            prop_assert!(words(&reason).is_none_or(|words| !words.trim().is_empty()));
        }
    }
}
