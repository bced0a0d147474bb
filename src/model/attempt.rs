//! One login under way, as its row in the store tells it.

use std::time::Duration;

use secrecy::SecretString;

use super::{AttemptId, Order, Stamp, WId, WcId};

/// More than any code or dialog lives: a deadline further away comes from a clock that was wrong.
pub const LONGEST_LIFE_MS: i64 = 600_000;

/// One rung of the ladder (design.md §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rung {
    /// The account is online already under another wId: take that one.
    Adopt,
    /// `secondLogin`: the phone shows a confirm dialog.
    SecondLogin,
    /// `iPadLogin`, a code, `getIPadLoginInfo`.
    QrLogin,
}

impl Rung {
    /// The word used in the store and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::SecondLogin => "second_login",
            Self::QrLogin => "qr_login",
        }
    }

    /// Reads [`Rung::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "adopt" => Self::Adopt,
            "second_login" => Self::SecondLogin,
            "qr_login" => Self::QrLogin,
            _ => return None,
        })
    }
}

/// Whether anybody still waits for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// On the screen of its owner.
    Open,
    /// Hidden by a cancel or a renewal; polled silently until it answers or its deadline passes (design.md §4).
    Abandoned,
    /// Over.
    Ended,
}

impl AttemptState {
    /// The word used in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Abandoned => "abandoned",
            Self::Ended => "ended",
        }
    }

    /// Reads [`AttemptState::name`]; an unknown word is taken as ended.
    pub fn from_name(name: &str) -> Self {
        match name {
            "open" => Self::Open,
            "abandoned" => Self::Abandoned,
            _ => Self::Ended,
        }
    }
}

/// The process that runs an attempt. Alive as long as it holds the lock on its owner file; the kernel drops the lock
/// when the process dies in whatever way, so no pid can be mistaken and nothing has to beat.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner(pub Box<str>);

/// One login under way.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its id, the same from the wish to the end, over rungs and renewals.
    pub id: AttemptId,
    /// The account that was asked for; `None` for a new one (any phone).
    pub wc_id: Option<WcId>,
    /// The rung it is on.
    pub rung: Rung,
    /// Whether somebody still waits for it.
    pub state: AttemptState,
    /// The wId that `iPadLogin` gave, once it did.
    pub w_id: Option<WId>,
    /// Where the picture of the code is; as secret as the payload, erased when the attempt ends.
    pub image_url: Option<SecretString>,
    /// When the current rung's request was started.
    pub requested_at: Stamp,
    /// The number under which that was written down: successes are ordered by this.
    pub requested: Order,
    /// When the code or the dialog is over.
    pub deadline: Option<Stamp>,
    /// How long still until then, by a clock that nobody sets; `None` where there is no deadline, or it was written before
    /// the machine's last start.
    pub left: Option<Duration>,
    /// Whether it began after the account's first drop, which nothing else has noted.
    pub first_drop: bool,
    /// Who runs it.
    pub owner: Owner,
}
