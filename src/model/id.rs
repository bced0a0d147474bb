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
