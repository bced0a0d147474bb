//! The names of things: small string types that cannot be mistaken for one another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Box<str>);

        impl $type {
            /// Wraps the text as it came; nothing is trimmed or checked.
            pub fn new(text: impl Into<Box<str>>) -> Self {
                Self(text.into())
            }

            /// The text as it came. Pass it through [`super::text::clean`] before a terminal sees it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $type {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
    };
}

name! {
    /// WeChat's own permanent id of an account (protocol.md §2).
    WcId
}
name! {
    /// The id of one signed-in session, new at every login (protocol.md §2).
    WId
}
name! {
    /// The id of one login under way: a ULID, so that ids sort by the time they were made.
    AttemptId
}
name! {
    /// `platform account @ host:port/path`: keys every stored row together with the wcId.
    ProfileId
}

/// WeChat's ids have 6 to 28 characters; more than this is something else.
const MAX_WC_ID: usize = 64;

impl WcId {
    /// A wcId as people type it or a file has it: `wxid_…`, or an old-style id of letters, digits, `_` and `-`. Blanks
    /// around it are dropped; a name, a phrase, several ids in one or an option are refused.
    pub fn checked(text: &str) -> Option<Self> {
        let text = text.trim();
        let fine = text.len() <= MAX_WC_ID
            && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        fine.then(|| Self::from(text))
    }

    /// Whether a text has the form of WeChat's own ids: whoever writes it means an id, whatever names there are.
    pub fn is_own_form(text: &str) -> bool {
        text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("wxid_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wc_id_is_letters_digits_and_two_signs() {
        for text in ["wxid_a", " wxid_a\t", "a", "old-style_Id1", "13800000000", "_x", &"a".repeat(64)] {
            assert_eq!(WcId::checked(text).map(|id| id.to_string()).as_deref(), Some(text.trim()));
        }
        for text in [
            "",
            "  ",
            "张三",
            "wxid_张",
            "ｗｘｉｄ_ａ",
            "a b",
            "a\u{a0}b",
            "@file",
            "-",
            "-a",
            "--yes",
            "#a",
            "a#b",
            "=a",
            "a,b",
            "a;b",
            "a|b",
            "a\tb",
            "a，b",
            "\"a\"",
            "a\u{1b}b",
            "a\u{200b}",
            "a/b",
            "../a",
            "a.b",
            "1@chatroom",
            &"a".repeat(65),
        ] {
            assert_eq!(WcId::checked(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_form_of_an_id_is_known() {
        for (text, is) in [("wxid_a", true), ("WXID_", true), ("wxi", false), ("boss", false), ("张三三三", false)]
        {
            assert_eq!(WcId::is_own_form(text), is, "{text}");
        }
    }
}
