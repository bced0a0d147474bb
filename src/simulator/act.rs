//! Everything that can be done to a running simulator from outside, as data: the control API, scenario files and
//! timers speak this one vocabulary.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::setup::{PhoneScript, SimAccount};

/// One thing done to the simulator: by a phone, by WeChat, or by the hand that turns knobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Act {
    /// A phone scans a code: the one with this wId or this payload, else the newest that waits for this account,
    /// else the newest that waits for any. Without a wcId the code's own account scans, or a new phone.
    Scan {
        /// Whose phone.
        #[serde(default)]
        wc_id: Option<String>,
        /// Which code, by the wId that `iPadLogin` gave.
        #[serde(default)]
        w_id: Option<String>,
        /// Which code, by what is written in it.
        #[serde(default)]
        payload: Option<String>,
    },
    /// The phone confirms: its newest dialog, or the code it scanned last.
    Confirm {
        /// Whose phone; none is whichever was asked last.
        #[serde(default)]
        wc_id: Option<String>,
    },
    /// The phone cancels.
    Cancel {
        /// Whose phone; none is whichever was asked last.
        #[serde(default)]
        wc_id: Option<String>,
    },
    /// The phone does nothing about what it is asked, even if phones act by themselves.
    Ignore {
        /// Whose phone; none is whichever was asked last.
        #[serde(default)]
        wc_id: Option<String>,
    },
    /// The account drops off line; an offline notice is sent.
    Drop {
        /// Which account.
        wc_id: String,
    },
    /// Many accounts drop at the same moment.
    MassDrop {
        /// The first so many that are online; none is all.
        #[serde(default)]
        count: Option<u32>,
        /// These instead.
        #[serde(default)]
        wc_ids: Option<Vec<String>>,
    },
    /// WeChat's risk control kicks the account: like a drop, and second login is refused until the next QR login.
    Kick {
        /// Which account.
        wc_id: String,
    },
    /// The account comes online under a new wId without any of the gateway's login calls (another operator's).
    Online {
        /// Which account.
        wc_id: String,
    },
    /// All phones act by themselves, or stop doing so.
    Auto {
        /// Whether they do.
        on: bool,
    },
    /// Gives one phone a script, or takes it away.
    Script {
        /// Whose phone.
        wc_id: String,
        /// The script; none takes it away.
        #[serde(default)]
        script: Option<PhoneScript>,
    },
    /// Adds an account, or replaces what is known of one; an account that is there keeps its state.
    Account(SimAccount),
    /// Queues a fault.
    Fault {
        /// The endpoint without its leading slash, `image`, or `*`.
        endpoint: String,
        /// What happens.
        fault: Fault,
        /// For how many calls; none is until cleared.
        #[serde(default)]
        times: Option<u32>,
    },
    /// Takes queued faults away.
    ClearFaults {
        /// Of which endpoint; none is all.
        #[serde(default)]
        endpoint: Option<String>,
    },
    /// Turns knobs: an object with some of the keys of [`super::Knobs`].
    Knobs {
        /// What to change.
        set: serde_json::Value,
    },
    /// Makes every token invalid.
    RevokeTokens,
    /// Resets every open connection to the gateway.
    BreakConnections,
    /// The gateway restarts: every connection is reset, its port is closed for so long, then it is back and knows what
    /// it knew.
    Restart {
        /// How long it is away.
        down_ms: u64,
    },
    /// Sends the test message to the registered callback, as when it was set.
    TestNotice,
    /// Sends an offline notice to the registered callback without anything having happened.
    Notice {
        /// For which account.
        wc_id: String,
        /// Naming which wId; none is the live one, or the last.
        #[serde(default)]
        w_id: Option<String>,
        /// How often; none is once.
        #[serde(default)]
        times: Option<u32>,
    },
}

/// Why something could not be done. `code` is stable; the words are for logs and for the control API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// No code waits to be scanned.
    #[error("no code is waiting to be scanned")]
    NothingToScan,
    /// No phone was asked anything.
    #[error("no phone is asked to confirm anything")]
    NothingToConfirm,
    /// The code is known but over.
    #[error("this code is over")]
    CodeOver,
    /// No account has this wcId.
    #[error("no account {0}")]
    NoSuchAccount(String),
    /// The account is not online.
    #[error("account {0} is not online")]
    NotOnline(String),
    /// The knobs do not read.
    #[error("{0}")]
    Bad(String),
}

impl ActError {
    /// A stable code; the locale key is `simulator.<code>`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NothingToScan => "nothing_to_scan",
            Self::NothingToConfirm => "nothing_to_confirm",
            Self::CodeOver => "code_over",
            Self::NoSuchAccount(_) => "no_such_account",
            Self::NotOnline(_) => "not_online",
            Self::Bad(_) => "bad",
        }
    }
}
