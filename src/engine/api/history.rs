//! What happened, and what follows from it in figures.

use crate::model::{Presence, Reason, Stamp, WId, WcId};

/// The answer to [`super::Command::History`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Of one account; `None`: of the fleet.
    pub wc_id: Option<WcId>,
    /// What happened, newest first.
    pub lines: Vec<HistoryLine>,
    /// Over 24 hours, 7 and 30 days.
    pub figures: [Figures; 3],
    /// The account's last 24 hours, oldest first; for the fleet, empty.
    pub strip: Strip,
    /// The fleet's online count over the last 24 hours, oldest first; for an account, empty.
    pub online: Vec<u32>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryLine {
    /// When.
    pub at: Stamp,
    /// The account, if one.
    pub wc_id: Option<WcId>,
    /// Its name for people, uncleaned.
    pub account: Box<str>,
    /// The event's name (design.md §5).
    pub event: Box<str>,
    /// Who or what caused it: `screen`, `command`, `watch`, `list`, `check`, `notice`, `phone`, `gateway`.
    pub cause: Option<Box<str>>,
    /// Why.
    pub reason: Option<Reason>,
    /// The gateway's words, uncleaned.
    pub gateway_message: Option<Box<str>>,
    /// The wId, where it is about one.
    pub w_id: Option<WId>,
}

/// Figures of one account over a span of time; for the fleet, sums over its accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// The span, in milliseconds.
    pub span_ms: i64,
    /// For how long of it the account was known to be online.
    pub online_ms: i64,
    /// For how long of it it was known to be online or offline.
    pub known_ms: i64,
    /// Drops in it; our own `offline` and outages of the gateway are none.
    pub drops: u32,
}

impl Figures {
    /// The online part of the known time, 0 to 1; `None` where nothing is known.
    pub fn uptime(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a month are far below 2^53")]
        (self.known_ms > 0).then(|| self.online_ms as f64 / self.known_ms as f64)
    }

    /// Mean time online between drops, in milliseconds; `None` without a drop.
    pub fn between_drops_ms(&self) -> Option<i64> {
        (self.drops > 0).then(|| self.online_ms / i64::from(self.drops))
    }
}

/// A day in 24 cells, oldest first: the worst of each hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strip(pub [Presence; 24]);

impl Default for Strip {
    fn default() -> Self {
        Self([Presence::Unknown; 24])
    }
}
