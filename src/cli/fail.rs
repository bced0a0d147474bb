//! The one place where a failure becomes words, JSON and an exit code.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::exit::Exit;
use super::out;
use crate::i18n::{Lang, t, tf};
use crate::model::text::{clean, cut};
use crate::model::{Reason, Stamp, json as objects};
use crate::{config, gateway, store};

/// Why a command did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// A stable code: one of [`Reason`]'s, or `usage`, `config`, `store`, `io`, `no_such_account`, `ambiguous`,
    /// `not_online`, `busy`, `token_missing`.
    pub reason: &'static str,
    /// What failed, for people; cleaned.
    pub message: String,
    /// What to do, for people.
    pub hint: Option<String>,
    /// The gateway's own words, exactly.
    pub gateway_message: Option<Box<str>>,
}

impl Failure {
    /// A failure with words of its own.
    pub fn new(exit: Exit, reason: &'static str, message: impl Into<String>) -> Self {
        Self { exit, reason, message: message.into(), hint: None, gateway_message: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A wrong use of the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// A failure without an exit code of its own.
    pub fn other(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Other, reason, message)
    }

    /// A failure for one of the stable reasons, with the gateway's words if it had any.
    pub fn of_reason(lang: Lang, reason: Reason, gateway_message: Option<&str>, exit: Exit) -> Self {
        let message = reason_words(lang, reason, gateway_message);
        Self { gateway_message: gateway_message.map(Into::into), ..Self::new(exit, reason.code(), message) }
            .hint(next_words(lang, reason))
    }

    /// The same with the technical cause, where the words alone would not tell what went wrong.
    #[must_use]
    pub fn because(mut self, reason: Reason, detail: &str) -> Self {
        self.message = with_detail(self.message, reason, self.gateway_message.as_deref(), detail);
        self
    }

    /// A failed call to the gateway. A suspect token counts as rejected: the caller has confirmed it.
    pub fn gateway(lang: Lang, error: &gateway::Error) -> Self {
        tracing::warn!(call = ?error.call, kind = ?error.kind, detail = %error.detail, "the gateway failed");
        let reason = error.reason();
        let exit = match (reason, error.call) {
            // Without a token from the sign-in there is none.
            (Reason::GatewaySaid | Reason::PlatformFrozen | Reason::PlatformExpired, gateway::Call::MemberLogin) => {
                Exit::Token
            }
            _ => Exit::of_reason(reason, false),
        };
        let mut failure =
            Self::of_reason(lang, reason, error.gateway_message.as_deref(), exit).because(reason, &error.detail);
        if matches!((reason, error.call), (Reason::GatewaySaid, gateway::Call::MemberLogin)) {
            failure.hint = Some(t(lang, "cli.sign_in.refused_hint").into_owned());
        }
        if error.is_wrong_address() {
            failure.hint = Some(t(lang, "cli.sign_in.address_hint").into_owned());
        }
        failure
    }

    /// The settings are wrong.
    pub fn config(lang: Lang, error: &config::Error) -> Self {
        let (exit, reason) = match error {
            config::Error::Io { .. } => (Exit::Other, "io"),
            config::Error::Command { .. } => (Exit::Token, "config"),
            config::Error::NoHome
            | config::Error::Unreadable { .. }
            | config::Error::Open { .. }
            | config::Error::Foreign { .. }
            | config::Error::OpenToOthers { .. }
            | config::Error::Syntax { .. }
            | config::Error::UnknownKey { .. }
            | config::Error::BadValue { .. }
            | config::Error::NoProfile
            | config::Error::UnknownProfile { .. }
            | config::Error::AmbiguousProfile { .. }
            | config::Error::Missing { .. }
            | config::Error::NotYet => (Exit::Usage, "config"),
        };
        Self { hint: error.hint(lang), ..Self::new(exit, reason, error.message(lang)) }
    }

    /// The store failed.
    pub fn store(lang: Lang, error: &store::Error) -> Self {
        tracing::error!(%error, "the store failed");
        if let store::Error::Refused { path, trouble } = error {
            let words = tf(lang, &format!("trouble.{}.what", trouble.key()), &[("path", path)]);
            return Self::new(Exit::Other, "store", clean(&words))
                .hint(t(lang, &format!("trouble.{}.next", trouble.key())));
        }
        let message = clean(&tf(lang, "cli.error.store", &[("detail", &error.to_string())])).into_owned();
        let failure = Self::new(Exit::Other, "store", message);
        match error {
            _ if error.is_damaged() => failure.hint(t(lang, "cli.error.store_damaged")),
            store::Error::Sql(_) => failure.hint(t(lang, "cli.error.store_next")),
            // These say themselves what to do.
            store::Error::Open(_)
            | store::Error::Refused { .. }
            | store::Error::Watch(_)
            | store::Error::Damaged(_)
            | store::Error::Replaced
            | store::Error::ObservesNoLonger => failure,
        }
    }

    /// The system refused something.
    pub fn io(what: &str, error: &std::io::Error) -> Self {
        Self::new(Exit::Other, "io", clean(&format!("{what}: {error}")).into_owned())
    }

    /// Message and hint in one line, for the TUI.
    pub fn words(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} {hint}", self.message),
            None => self.message.clone(),
        }
    }

    /// `{"event":"error","reason","message","hint"}`; `profile` is null as long as none is chosen.
    pub fn json(&self, at: Stamp, profile: Option<&str>) -> Value {
        let mut map = objects::event("error", at, profile.unwrap_or_default());
        map.insert("profile".into(), json!(profile));
        map.insert("reason".into(), json!(self.reason));
        map.insert("message".into(), json!(self.message));
        map.insert("hint".into(), json!(self.hint));
        if let Some(words) = &self.gateway_message {
            map.insert("gateway_message".into(), json!(words));
        }
        Value::Object(map)
    }

    /// Tells it: JSON on stdout, words on stderr.
    pub fn tell(&self, json: bool, at: Stamp, profile: Option<&str>) {
        if json {
            // With stdout gone there is nobody to tell.
            let _ = out::line(&self.json(at, profile).to_string());
            return;
        }
        out::say(&format!("saoma: {}", self.message));
        if let Some(hint) = &self.hint {
            out::say(&format!("  {hint}"));
        }
    }
}

/// The words for a reason, with the gateway's own, cleaned and cut: all of them are in the JSON.
pub fn reason_words(lang: Lang, reason: Reason, gateway_message: Option<&str>) -> String {
    let words = t(lang, &format!("reason.{}", reason.code()));
    match gateway_message.map(clean).filter(|message| !message.trim().is_empty()) {
        Some(message) => {
            let message = cut(&message, gateway::WORDS_COLUMNS);
            tf(lang, "cli.error.with_gateway", &[("words", &words), ("gateway", &message)])
        }
        None => words.into_owned(),
    }
}

/// What to do next. A command is over when it has failed: it does not keep trying, and any rung may have failed.
pub fn next_words(lang: Lang, reason: Reason) -> Cow<'static, str> {
    match reason {
        Reason::GatewayDown | Reason::GatewaySaid => t(lang, &format!("next_login.{}", reason.code())),
        _ => t(lang, &format!("next.{}", reason.code())),
    }
}

/// Adds the technical cause where the words alone would not tell what went wrong.
pub fn with_detail(words: String, reason: Reason, gateway_message: Option<&str>, detail: &str) -> String {
    let silent = gateway_message.is_none_or(|message| clean(message).trim().is_empty());
    if reason.wants_cause(silent) && !detail.trim().is_empty() { format!("{words} ({})", clean(detail)) } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Trouble;

    #[test]
    fn a_failure_without_words_of_the_gateway_names_its_cause() {
        let told = |reason, gateway| with_detail("w".into(), reason, gateway, "HTTP 502");
        assert_eq!(told(Reason::GatewayDown, Some("No message")), "w (HTTP 502)");
        assert_eq!(told(Reason::TokenRejected, None), "w (HTTP 502)");
        assert_eq!(told(Reason::GatewaySaid, Some("失败")), "w");
        assert_eq!(told(Reason::Refused, None), "w");
        assert_eq!(
            next_words(Lang::En, Reason::GatewayDown),
            "Check the network and the gateway's address, then try again."
        );
    }

    #[test]
    fn a_failing_store_says_what_to_do_and_a_long_answer_has_an_end() {
        let damaged = store::Error::Damaged("cannot open the store x: file is not a database (SQLite 26)".into());
        assert!(Failure::store(Lang::En, &damaged).hint.is_some_and(|hint| hint.contains("backup")));
        let full = store::Error::Sql(sqlx::Error::PoolClosed);
        assert!(Failure::store(Lang::En, &full).hint.is_some_and(|hint| hint.contains("room")));
        for (trouble, what, next) in [
            (Trouble::ReadOnly, "read-only", "XDG_STATE_HOME"),
            (Trouble::Denied, "rights", "chown"),
            (Trouble::Locked, "another program", "Close"),
            (Trouble::Full, "full", "room"),
        ] {
            let refused = store::Error::Refused { path: "/x/saoma.db".into(), trouble };
            let failure = Failure::store(Lang::En, &refused);
            assert!(failure.message.contains("/x/saoma.db") && failure.message.contains(what), "{failure:?}");
            assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains(next)), "{failure:?}");
            assert_eq!(failure.words().contains("room"), trouble == Trouble::Full, "{failure:?}");
            assert!(!failure.words().contains("SQLite"));
        }
        let newer = store::Error::Open("the store x was written by a newer saoma: update saoma".into());
        assert_eq!(Failure::store(Lang::En, &newer).hint, None);
        let long = "长".repeat(3000);
        let failure = Failure::of_reason(Lang::Zh, Reason::GatewaySaid, Some(&long), Exit::Other);
        assert!(crate::model::text::width(&failure.message) < 300, "{}", failure.message);
        assert_eq!(failure.gateway_message.as_deref(), Some(&*long));
    }
}
