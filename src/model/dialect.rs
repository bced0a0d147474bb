//! The three generations of the gateway's API (protocol.md, first table).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which generation of the gateway's API a profile speaks. A setting, never a guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// 2020-04: `type: 2`; no `isOnline`, no `queryLoginWx`.
    V1,
    /// 2020-07 to 2020-11: adds `isOnline` and `queryLoginWx`.
    #[default]
    V2,
    /// 2022 to 2026: `deviceType` and `proxy` instead of `type`; polls up to 250 s.
    V3,
}

impl Dialect {
    /// The name used in the config, on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }

    /// How long a code or a confirm dialog lives after the gateway's reply, in milliseconds
    /// (protocol.md §3.4; design.md §4).
    pub const fn login_limit_ms(self) -> i64 {
        match self {
            Self::V1 | Self::V2 => 150_000,
            Self::V3 => 250_000,
        }
    }

    /// Whether the fleet list carries wIds (`queryLoginWx`, protocol.md §3.7).
    pub const fn lists_w_ids(self) -> bool {
        match self {
            Self::V1 => false,
            Self::V2 | Self::V3 => true,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "v1" | "1" => Ok(Self::V1),
            "v2" | "2" => Ok(Self::V2),
            "v3" | "3" => Ok(Self::V3),
            _ => Err(format!("unknown dialect {text:?}: use v1, v2 or v3")),
        }
    }
}
