//! What happened, as the events pane tells it: newest first.

use std::collections::VecDeque;

use crate::model::{Reason, Stamp};

/// What kind of thing happened; the words are `ui.event.<key>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Logged in.
    LoggedIn,
    /// It was online already; its wId was taken over.
    Adopted,
    /// It has another wId than we knew.
    WIdChanged,
    /// It is off line.
    Dropped,
    /// It is off line as every account is once, on its first day.
    FirstDrop,
    /// So many are off line at once.
    MassDrop(u32),
    /// It is online again without us.
    Recovered,
    /// We took it off line.
    TakenOffline,
    /// A code is there to be scanned.
    Code,
    /// The phone shows a dialog.
    Dialog,
    /// The phone scanned.
    Scanned,
    /// The gateway wants a code or a device verification.
    Verification,
    /// A second login did not work.
    SecondLoginFailed,
    /// A login ended without success.
    Ended,
    /// A login of an earlier process goes on.
    Resumed,
    /// The fleet list fails.
    ListFailing,
    /// The fleet list is back.
    ListBack,
    /// The gateway has an outage.
    Outage,
    /// The outage is over.
    OutageOver,
    /// No process can list the accounts.
    ObservationLost,
    /// One can again.
    ObservationBack,
    /// The token is refused.
    TokenRejected,
}

impl Happening {
    /// The locale key of its words.
    pub const fn key(self) -> &'static str {
        match self {
            Self::LoggedIn => "ui.event.logged_in",
            Self::Adopted => "ui.event.adopted",
            Self::WIdChanged => "ui.event.w_id_changed",
            Self::Dropped => "ui.event.dropped",
            Self::FirstDrop => "ui.event.first_drop",
            Self::MassDrop(_) => "ui.event.mass_drop",
            Self::Recovered => "ui.event.recovered",
            Self::TakenOffline => "ui.event.taken_offline",
            Self::Code => "ui.event.code",
            Self::Dialog => "ui.event.dialog",
            Self::Scanned => "ui.event.scanned",
            Self::Verification => "ui.event.verification",
            Self::SecondLoginFailed => "ui.event.second_login_failed",
            Self::Ended => "ui.event.ended",
            Self::Resumed => "ui.event.resumed",
            Self::ListFailing => "ui.event.list_failing",
            Self::ListBack => "ui.event.list_back",
            Self::Outage => "ui.event.outage",
            Self::OutageOver => "ui.event.outage_over",
            Self::ObservationLost => "ui.event.observation_lost",
            Self::ObservationBack => "ui.event.observation_back",
            Self::TokenRejected => "ui.event.token_rejected",
        }
    }
}

/// One line of the events pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine {
    /// When.
    pub at: Stamp,
    /// What.
    pub what: Happening,
    /// Whom, uncleaned; empty for the gateway itself or a new account.
    pub account: Box<str>,
    /// Why.
    pub reason: Option<Reason>,
}

/// How many lines are kept.
const KEPT: usize = 200;

/// The lines, newest first.
#[derive(Debug, Default)]
pub struct Events {
    lines: VecDeque<EventLine>,
}

impl Events {
    /// Adds a line; the oldest goes when there are too many.
    pub fn add(&mut self, line: EventLine) {
        self.lines.push_front(line);
        self.lines.truncate(KEPT);
    }

    /// The lines from one place on.
    pub fn from(&self, top: usize) -> impl Iterator<Item = &EventLine> {
        self.lines.iter().skip(top)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
