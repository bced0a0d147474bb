//! The one error type of the gateway client.

use std::fmt;

use crate::model::{Reason, text};

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
    /// `/offlineReason`
    OfflineReason,
    /// `/setHttpCallbackUrl`
    SetHttpCallbackUrl,
    /// The picture at `qrCodeUrl`.
    Image,
    /// No call at all: the client could not be built from its options.
    Setup,
}

impl Call {
    /// Every call, for tables and tests.
    pub const ALL: &'static [Self] = &[
        Self::MemberLogin,
        Self::IPadLogin,
        Self::GetIPadLoginInfo,
        Self::SecondLogin,
        Self::QueryLoginWx,
        Self::GetLoginWcIds,
        Self::IsOnline,
        Self::MemberOffline,
        Self::OfflineReason,
        Self::SetHttpCallbackUrl,
        Self::Image,
        Self::Setup,
    ];

    /// The last part of its locale key `gateway.call.<name>`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MemberLogin => "member_login",
            Self::IPadLogin => "i_pad_login",
            Self::GetIPadLoginInfo => "get_i_pad_login_info",
            Self::SecondLogin => "second_login",
            Self::QueryLoginWx => "query_login_wx",
            Self::GetLoginWcIds => "get_login_wc_ids",
            Self::IsOnline => "is_online",
            Self::MemberOffline => "member_offline",
            Self::OfflineReason => "offline_reason",
            Self::SetHttpCallbackUrl => "set_http_callback_url",
            Self::Image => "image",
            Self::Setup => "setup",
        }
    }
}

/// What went wrong, for the callers that branch on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No connection, a reset, a DNS failure, an answer that broke off: the line does not hold.
    Unreachable,
    /// The request is there, and no answer began before the time for this call was over.
    TimedOut,
    /// An HTTP status that is neither a success nor about the token; or one that a web server on the way has put into
    /// an envelope, under a success.
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
    /// The options are unusable: a base URL or a proxy that is none. Nothing was sent.
    BadSettings,
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
    /// What failed technically, in English, without secrets.
    pub detail: Box<str>,
    /// Whether the request may have reached the gateway: not if no connection came about.
    pub sent: bool,
    /// The HTTP status of an answer that was no success; with a [`Kind::TokenSuspect`] it is what the suspicion rests on.
    pub status: Option<u16>,
}

/// How many columns of the gateway's own words a message for people repeats.
pub const WORDS_COLUMNS: usize = 200;

impl Error {
    /// The stable code of design.md §4 for this failure.
    ///
    /// A second login whose time ran out is `nobody_scanned`: the request had been delivered (a gateway that cannot
    /// be reached is [`Kind::Unreachable`]), so it was the person who did not answer.
    pub fn reason(&self) -> Reason {
        if self.call == Call::Image {
            return Reason::ImageFailed;
        }
        match &self.kind {
            Kind::TimedOut if self.call == Call::SecondLogin => Reason::NobodyScanned,
            Kind::Unreachable
            | Kind::TimedOut
            | Kind::Http(_)
            | Kind::Malformed
            | Kind::TooLarge
            | Kind::BadSettings => Reason::GatewayDown,
            Kind::TokenSuspect => Reason::TokenRejected,
            Kind::Platform(reason) => *reason,
            Kind::BadImage => Reason::ImageFailed,
            Kind::Refused | Kind::RefusedInside => self.reason_of_refusal(),
        }
    }

    fn reason_of_refusal(&self) -> Reason {
        let words = self.gateway_message.as_deref().unwrap_or_default();
        // The documents spell it 链接; 连接 is the usual word for the same (protocol.md §6).
        if ["网络链接异常", "网络连接异常"].iter().any(|known| words.contains(known)) {
            Reason::ProxyFailed
        } else if words.contains("登录数量已满") {
            Reason::SlotsFull
        } else if self.call == Call::SecondLogin {
            Reason::Refused
        } else {
            Reason::GatewaySaid
        }
    }

    /// What a suspicion of the token comes to when another call shows that the token is good: somebody on the way said
    /// 401 or 403, which is no answer of the gateway's, or the gateway said no in words that only sound like the token.
    #[must_use]
    pub fn with_good_token(self) -> Self {
        match (&self.kind, self.status) {
            (Kind::TokenSuspect, Some(status)) => Self { kind: Kind::Http(status), ..self },
            (Kind::TokenSuspect, None) => Self { kind: Kind::Refused, ..self },
            _ => self,
        }
    }

    /// Whether what answered a sign-in is not a gateway, or not the part of it that signs in: then account and password
    /// have not been looked at.
    pub const fn is_wrong_address(&self) -> bool {
        match self.kind {
            Kind::Http(status) => {
                status < 500 && !matches!(status, 408 | 425 | 429) && matches!(self.call, Call::MemberLogin)
            }
            Kind::Malformed | Kind::TooLarge => matches!(self.call, Call::MemberLogin),
            Kind::Unreachable
            | Kind::TimedOut
            | Kind::TokenSuspect
            | Kind::Refused
            | Kind::RefusedInside
            | Kind::Platform(_)
            | Kind::BadImage
            | Kind::BadSettings => false,
        }
    }

    /// Whether the line or the gateway's web server broke, rather than the gateway having answered the question. Such
    /// a poll may be sent again with the same wId; iPadLogin and secondLogin never (design.md §3 rule 6).
    pub const fn is_transport(&self) -> bool {
        match self.kind {
            Kind::Unreachable | Kind::TimedOut | Kind::Http(_) | Kind::Malformed | Kind::TooLarge => true,
            Kind::TokenSuspect
            | Kind::Refused
            | Kind::RefusedInside
            | Kind::Platform(_)
            | Kind::BadImage
            | Kind::BadSettings => false,
        }
    }

    /// Whether no whole answer of the gateway's came although the request may have reached it: it may have done what it
    /// was asked for. A proxy's status says nothing of what the gateway behind it has done. Where nothing was sent, or
    /// time merely ran out, it is not so.
    pub const fn is_lost_answer(&self) -> bool {
        self.is_transport() && self.sent && !matches!(self.kind, Kind::TimedOut)
    }

    /// What failed, the gateway's own words (cleaned, at most 200 columns), and what to do next, for people.
    ///
    /// `words` looks a locale key up and fills its placeholders in, as `i18n::tf` does for a language:
    /// `error.describe(|key, values| i18n::tf(lang, key, values))`. It is handed in because this part of the house
    /// knows no languages (design.md §3).
    pub fn describe(&self, words: impl Fn(&str, &[(&str, &str)]) -> String) -> String {
        let what = words(&format!("gateway.call.{}", self.call.name()), &[]);
        let (kind, status) = self.kind_key();
        let why = words(&format!("gateway.kind.{kind}"), &[("status", &status)]);
        let next = words(&format!("gateway.next.{}", self.next_key()), &[]);
        let said = self.gateway_message.as_deref().map(text::clean).unwrap_or_default();
        match said.trim() {
            "" => words("gateway.sentence", &[("what", &what), ("why", &why), ("next", &next)]),
            said => {
                let said = text::cut(said, WORDS_COLUMNS);
                words(
                    "gateway.sentence_with_words",
                    &[("what", &what), ("why", &why), ("words", &said), ("next", &next)],
                )
            }
        }
    }

    /// The last part of `gateway.kind.…` and the HTTP status that goes into it.
    fn kind_key(&self) -> (&'static str, String) {
        let key = match &self.kind {
            Kind::Unreachable => "unreachable",
            Kind::TimedOut => "timed_out",
            Kind::Http(status) => return ("http", status.to_string()),
            Kind::TokenSuspect => "token_suspect",
            Kind::Malformed => "malformed",
            Kind::TooLarge => "too_large",
            Kind::Refused => "refused",
            Kind::RefusedInside => "refused_inside",
            Kind::Platform(Reason::PlatformFrozen) => "platform_frozen",
            Kind::Platform(_) => "platform_expired",
            Kind::BadImage => "bad_image",
            Kind::BadSettings => "bad_settings",
        };
        (key, String::new())
    }

    /// The last part of `gateway.next.…`.
    fn next_key(&self) -> &'static str {
        match (&self.kind, self.call) {
            (_, Call::Setup) | (Kind::BadSettings, _) => "settings",
            (_, Call::Image) | (Kind::BadImage, _) => "image",
            (Kind::TimedOut, Call::SecondLogin) => "phone",
            (Kind::Unreachable | Kind::TimedOut, _) => "reach",
            (Kind::Http(408 | 425 | 429 | 499 | 500..), _) => "wait",
            (Kind::Http(_) | Kind::Malformed | Kind::TooLarge, _) => "address",
            (Kind::TokenSuspect, _) => "sign_in",
            (Kind::Platform(_), _) => "vendor",
            (Kind::Refused | Kind::RefusedInside, call) => match self.reason_of_refusal() {
                Reason::ProxyFailed => "proxy",
                Reason::SlotsFull => "slots",
                _ if call == Call::MemberLogin => "password",
                _ if call == Call::SecondLogin => "qr",
                _ => "words",
            },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.call, self.detail)
    }
}

impl std::error::Error for Error {}
