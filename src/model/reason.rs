//! Why something is as it is: the stable codes of design.md §4.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A stable code for why a login ended or an account is not online. The words for people are the locale
        /// keys `reason.<code>` (what happened) and `next.<code>` (what to do).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $($(#[$doc])* $variant),+
        }

        impl Reason {
            /// Every reason, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code used in JSON and in the store.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Reads [`Reason::code`].
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

impl Reason {
    /// Whether what failed technically tells more than the reason: the gateway is out of reach or talks nonsense, or it
    /// failed without a word (`silent`).
    pub const fn wants_cause(self, silent: bool) -> bool {
        match self {
            Self::GatewayDown => true,
            Self::GatewaySaid | Self::TokenRejected | Self::ImageFailed | Self::Interrupted => silent,
            Self::NobodyScanned
            | Self::Refused
            | Self::Cancelled
            | Self::VerificationNeeded
            | Self::WrongAccount
            | Self::PlatformFrozen
            | Self::PlatformExpired
            | Self::SlotsFull
            | Self::ProxyFailed
            | Self::Superseded
            | Self::TakenOver
            | Self::Abandoned
            | Self::Resting
            | Self::NowhereToShow
            | Self::LoginInterrupted
            | Self::NeedsPassword
            | Self::Dropped
            | Self::TakenOffline => false,
        }
    }
}

reasons! {
    /// The code or the dialog ran out and nobody acted: idle, not failed.
    NobodyScanned = "nobody_scanned",
    /// The phone said no, or the gateway said so.
    Refused = "refused",
    /// The operator cancelled.
    Cancelled = "cancelled",
    /// A verification code is needed and nobody is there to ask.
    VerificationNeeded = "verification_needed",
    /// Another account's phone scanned.
    WrongAccount = "wrong_account",
    /// The gateway does not take the token.
    TokenRejected = "token_rejected",
    /// The gateway cannot be reached, or answers with what is no answer.
    GatewayDown = "gateway_down",
    /// The platform account is frozen (member/login status 1).
    PlatformFrozen = "platform_frozen",
    /// The platform account has expired (member/login status 2).
    PlatformExpired = "platform_expired",
    /// No login slot is free.
    SlotsFull = "slots_full",
    /// The gateway's proxy for this account does not work.
    ProxyFailed = "proxy_failed",
    /// The picture of the code cannot be fetched or read.
    ImageFailed = "image_failed",
    /// The program stopped in the middle.
    Interrupted = "interrupted",
    /// A login of this account that was asked for later has succeeded already.
    Superseded = "superseded",
    /// This process could not act for a while, and another one goes on with the attempt.
    TakenOver = "taken_over",
    /// Hidden, and running on silently.
    Abandoned = "abandoned",
    /// Second logins of the account rest after refusals, or the day's logins are spent.
    Resting = "resting",
    /// Only a code would help, and nobody could see one here.
    NowhereToShow = "nowhere_to_show",
    /// Something the gateway said that no rule knows.
    GatewaySaid = "gateway_said",
    /// V1 only: a login was interrupted and no list can tell how it ended.
    LoginInterrupted = "login_interrupted",
    /// V1 only: the list needs the platform password, which is not kept.
    NeedsPassword = "needs_password",
    /// The account dropped: it was online and lists say it no longer is.
    Dropped = "dropped",
    /// We took it off line ourselves.
    TakenOffline = "taken_offline",
}
