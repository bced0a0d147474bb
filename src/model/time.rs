//! Time as data. The pure parts of the program are handed a [`Now`]; they own no clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A span in whole milliseconds, as the store and JSON carry it.
pub fn to_ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// The other way; none where it is negative.
pub fn from_ms(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// A wall clock that goes back by less is only being slowed down.
pub const SET_BACK_MS: i64 = 1_000;

/// A moment of wall-clock time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamp(pub i64);

impl Stamp {
    /// This moment plus some milliseconds, which may be negative.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This moment, or `now` if it lies ahead of it: what has happened cannot be to come, whatever clock told its time.
    #[must_use]
    pub fn not_after(self, now: Self) -> Self {
        self.min(now)
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC with milliseconds, as JSON output carries it.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map_or_else(|_| String::from("1970-01-01T00:00:00Z"), |t| format!("{t:.3}"))
    }

    /// Reads RFC 3339; `None` when the text is not a time.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }
}

/// One reading of both clocks: `wall` for people and for the store, `mono` for waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock; it may jump.
    pub wall: Stamp,
    /// Time since some fixed start; it never goes back.
    pub mono: Duration,
}

impl Now {
    /// What the wall clock would have said at that start. It is another moment once the wall clock has been set.
    pub fn start(self) -> Stamp {
        self.wall.plus_ms(-to_ms(self.mono))
    }
}

/// A place in the order of a profile's changes: the store numbers them as they are committed. What came before what is
/// asked of these numbers and never of a wall clock, which may be set at any time, and is on every machine another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Order(pub i64);

/// When a question was asked of the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Began {
    /// For people.
    pub at: Stamp,
    /// For how long ago it was, in this process.
    pub mono: Duration,
    /// The last change that was in the store then: the answer knows of that one, and of none after it.
    pub order: Order,
}
