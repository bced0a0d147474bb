//! The exit codes of design.md §5.

use crate::model::Reason;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Anything else.
    Other = 1,
    /// Usage.
    Usage = 2,
    /// Expired, nobody scanned.
    Expired = 3,
    /// Refused or failed on the phone.
    Refused = 4,
    /// Another account scanned.
    WrongAccount = 5,
    /// Token missing or rejected.
    Token = 6,
    /// Gateway unreachable.
    Unreachable = 7,
    /// Verification needed and nobody to ask.
    Verification = 8,
    /// Another process or operator is logging this account in.
    Busy = 9,
    /// No such account, or ambiguous.
    NoAccount = 10,
    /// Account not online.
    NotOnline = 11,
    /// The account rests.
    Resting = 12,
    /// SIGHUP.
    Hangup = 129,
    /// SIGINT.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: [Self; 16] = [
        Self::Done,
        Self::Other,
        Self::Usage,
        Self::Expired,
        Self::Refused,
        Self::WrongAccount,
        Self::Token,
        Self::Unreachable,
        Self::Verification,
        Self::Busy,
        Self::NoAccount,
        Self::NotOnline,
        Self::Resting,
        Self::Hangup,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether a signal has ended the program.
    pub const fn is_signal(self) -> bool {
        matches!(self, Self::Hangup | Self::Interrupted | Self::Terminated)
    }

    /// What a login that ended with this reason comes to. `phone` says whether a phone was shown anything yet: what
    /// the gateway says after that is the phone's doing.
    pub const fn of_reason(reason: Reason, phone: bool) -> Self {
        match reason {
            Reason::NobodyScanned => Self::Expired,
            Reason::Refused | Reason::Cancelled => Self::Refused,
            Reason::VerificationNeeded => Self::Verification,
            Reason::WrongAccount => Self::WrongAccount,
            Reason::TokenRejected => Self::Token,
            Reason::GatewayDown => Self::Unreachable,
            Reason::Superseded | Reason::TakenOver => Self::Busy,
            Reason::Resting => Self::Resting,
            Reason::NowhereToShow => Self::Usage,
            Reason::GatewaySaid if phone => Self::Refused,
            Reason::GatewaySaid
            | Reason::PlatformFrozen
            | Reason::PlatformExpired
            | Reason::SlotsFull
            | Reason::ProxyFailed
            | Reason::ImageFailed
            | Reason::Interrupted
            | Reason::Abandoned
            | Reason::LoginInterrupted
            | Reason::NeedsPassword
            | Reason::Dropped
            | Reason::TakenOffline => Self::Other,
        }
    }

    /// What several outcomes come to: 0 if all are, the common code if all failures agree, else 1.
    pub fn of_all(outcomes: impl IntoIterator<Item = Self>) -> Self {
        let mut common = Self::Done;
        for outcome in outcomes.into_iter().filter(|outcome| *outcome != Self::Done) {
            if common != Self::Done && common != outcome {
                return Self::Other;
            }
            common = outcome;
        }
        common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_accounts_agree_or_not() {
        for (outcomes, all) in [
            (&[][..], Exit::Done),
            (&[Exit::Done, Exit::Done], Exit::Done),
            (&[Exit::Done, Exit::Refused], Exit::Refused),
            (&[Exit::Refused, Exit::Refused], Exit::Refused),
            (&[Exit::Refused, Exit::Expired], Exit::Other),
            (&[Exit::Refused, Exit::Expired, Exit::Refused], Exit::Other),
        ] {
            assert_eq!(Exit::of_all(outcomes.iter().copied()), all, "{outcomes:?}");
        }
    }

    #[test]
    fn what_the_gateway_says_counts_as_the_phones_once_it_rang() {
        assert_eq!(Exit::of_reason(Reason::GatewaySaid, false), Exit::Other);
        assert_eq!(Exit::of_reason(Reason::GatewaySaid, true), Exit::Refused);
    }
}
