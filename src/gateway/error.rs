//! The one error type of the gateway client.

use std::fmt;

use crate::model::Reason;

/// Which call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `/member/login`
    MemberLogin,
    /// `/iPadLogin`
    IPadLogin,
    /// `/getIPadLoginInfo`
    GetIPadLoginInfo,
    /// `/secondLogin`
    SecondLogin,
    /// `/queryLoginWx`
    QueryLoginWx,
    /// `/member/getLoginWcIds`
    GetLoginWcIds,
    /// `/isOnline`
    IsOnline,
    /// `/member/offline`
    MemberOffline,
    /// The picture at `qrCodeUrl`.
    Image,
}

/// What went wrong, for the callers that branch on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No connection, a reset, a DNS failure: nobody answered.
    Unreachable,
    /// The time for this call was over.
    TimedOut,
    /// An HTTP status that is neither 200 nor about the token.
    Http(u16),
    /// HTTP 401 or 403, or an outer 1001 naming the token: to be confirmed by a second harmless call (design.md §4).
    TokenSuspect,
    /// The answer is not what the API speaks: HTML, an empty body, truncated JSON, missing ids.
    Malformed,
    /// The answer is larger than it may be.
    TooLarge,
    /// A business failure: HTTP 200 and an outer code that is not 1000.
    Refused,
    /// An outer 1000 whose `data` carries a failure of its own (protocol.md §1.1).
    RefusedInside,
    /// `member/login` said frozen (1) or expired (2).
    Platform(Reason),
    /// The URL, the redirect or the bytes of the picture are not acceptable.
    BadImage,
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Which call.
    pub call: Call,
    /// What went wrong.
    pub kind: Kind,
    /// The gateway's own words, uncleaned, if it had any.
    pub gateway_message: Option<Box<str>>,
    /// What failed technically, in English, without secrets: for logs and `doctor`.
    pub detail: Box<str>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.call, self.detail)
    }
}

impl std::error::Error for Error {}
