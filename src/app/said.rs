//! What is told beside a reason: the gateway's own words in quotation marks, a technical cause in brackets.

use crate::i18n::{Lang, t, tf};
use crate::model::Reason;
use crate::model::text::clean;

/// What is known of a failure besides its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The gateway's own words, uncleaned.
    Gateway(Box<str>),
    /// What failed technically, where the gateway had no words.
    Cause(Box<str>),
}

impl Said {
    /// What tells most about a failure: what the gateway said, else what broke where the reason alone would not tell.
    /// A gateway that is out of reach or talks nonsense says nothing that matters.
    pub fn of(reason: Reason, gateway_message: Option<Box<str>>, detail: Box<str>) -> Option<Self> {
        let words = gateway_message.filter(|words| !clean(words).trim().is_empty());
        let wants_cause = !detail.trim().is_empty() && reason.wants_cause(words.is_none());
        if wants_cause { Some(Self::Cause(detail)) } else { words.map(Self::Gateway) }
    }

    /// The bare words, uncleaned.
    pub fn text(&self) -> &str {
        match self {
            Self::Gateway(words) | Self::Cause(words) => words,
        }
    }

    /// As it stands behind a reason; cleaned, and nothing where nothing is left.
    pub fn behind(&self, lang: Lang) -> String {
        let words = clean(self.text());
        match (words.trim(), self) {
            ("", _) => String::new(),
            (words, Self::Gateway(_)) => tf(lang, "ui.quoted", &[("words", words)]),
            (words, Self::Cause(_)) => tf(lang, "ui.behind", &[("words", words)]),
        }
    }
}

/// What to do after a wish that failed: nothing goes on by itself then. `code`: it was on its way to a code or had
/// one, so that is no way out.
pub fn next(lang: Lang, reason: Reason, code: bool) -> String {
    let key = match reason {
        Reason::GatewayDown => "next_login",
        Reason::GatewaySaid if code => "next_login",
        _ => "next",
    };
    t(lang, &format!("{key}.{}", reason.code())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_not_put_into_the_gateways_mouth() {
        let told = |reason, words: Option<&str>, detail: &str| {
            Said::of(reason, words.map(Into::into), detail.into()).map(|said| said.behind(Lang::En)).unwrap_or_default()
        };
        assert_eq!(told(Reason::GatewayDown, None, "HTTP 500"), " (HTTP 500)");
        assert_eq!(told(Reason::GatewayDown, Some("No message"), "HTTP 500"), " (HTTP 500)");
        assert_eq!(told(Reason::GatewayDown, Some("维护中"), ""), " (“维护中”)");
        assert_eq!(told(Reason::GatewaySaid, Some("失败"), "code 1001"), " (“失败”)");
        assert_eq!(told(Reason::GatewaySaid, Some("\u{1b}[m"), "HTTP 401"), " (HTTP 401)");
        assert_eq!(told(Reason::Refused, None, "code 1001"), "");
    }

    #[test]
    fn a_failed_login_is_not_said_to_go_on() {
        for lang in [Lang::En, Lang::Zh] {
            assert_ne!(next(lang, Reason::GatewayDown, false), t(lang, "next.gateway_down"));
            assert_ne!(next(lang, Reason::GatewaySaid, true), t(lang, "next.gateway_said"));
            assert_eq!(next(lang, Reason::GatewaySaid, false), t(lang, "next.gateway_said"));
            assert_eq!(next(lang, Reason::Refused, true), t(lang, "next.refused"));
        }
    }
}
