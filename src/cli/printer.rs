//! A step of a login → a JSON line (design.md §5), words for a plain terminal, an exit code. Pure.

use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::context::local;
use super::exit::Exit;
use super::fail::{next_words, reason_words, with_detail};
use crate::engine::api::{LoginEvent, LoginStep};
use crate::i18n::{Lang, t, tf};
use crate::model::text::clean;
use crate::model::{Cost, Over, Reason, Rung, Stamp, json as objects};

/// How steps are told.
#[derive(Clone, Debug)]
pub struct Printer {
    /// The profile's name, for JSON.
    pub profile: String,
    /// The language for words.
    pub lang: Lang,
    /// Whether the code's text may be told.
    pub show_payload: bool,
}

/// Words, and where they belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// A result: stdout.
    Data(String),
    /// Everything else: stderr.
    Note(String),
}

impl Printer {
    /// The JSON object of a step; `None` for steps that the contract does not name. `png` is where the code was written.
    pub fn object(&self, event: &LoginEvent, png: Option<&Path>) -> Option<Value> {
        let named = |name: &str| {
            objects::login_event(
                name,
                event.at,
                &self.profile,
                Some(&event.attempt),
                event.wc_id.as_ref(),
                &event.account,
            )
        };
        let map = match &event.step {
            LoginStep::Started { .. }
            | LoginStep::Requesting { .. }
            | LoginStep::NoPicture { .. }
            | LoginStep::SteppedDown { .. }
            | LoginStep::WaitingForToken
            | LoginStep::PollBroken { .. } => return None,
            LoginStep::OverBudget { over, .. } => with(
                self.reasoned(named("failed"), Reason::Resting, None),
                [("message", json!(over_words(self.lang, *over)))],
            ),
            LoginStep::Resumed { rung, expires_at } => {
                with(named("resumed"), [("rung", json!(rung.name())), ("expires_at", time(*expires_at))])
            }
            LoginStep::SecondLoginSent { expires_at } => {
                with(named("second_login_sent"), [("expires_at", time(Some(*expires_at)))])
            }
            LoginStep::SecondLoginFailed { reason, gateway_message } => {
                self.reasoned(named("second_login_failed"), *reason, gateway_message.as_deref())
            }
            LoginStep::Qr { w_id, expires_at, payload, .. } => {
                let mut map = with(named("qr"), [("w_id", json!(w_id)), ("expires_at", time(Some(*expires_at)))]);
                if let Some(png) = png {
                    map.insert("png".into(), json!(png.display().to_string()));
                }
                if self.show_payload {
                    map.insert("payload".into(), json!(payload.expose_secret()));
                }
                map
            }
            LoginStep::Waiting => named("waiting"),
            LoginStep::Scanned => named("scanned"),
            LoginStep::VerifyCodeRequired { gateway_message } => {
                with(named("verify_code_required"), [("gateway_message", json!(gateway_message))])
            }
            LoginStep::DeviceVerification { url } => with(named("device_verification"), [("url", json!(url))]),
            LoginStep::LoggedIn { w_id, previous_w_id, nick_name, w_account } => with(
                named("logged_in"),
                [
                    ("w_id", json!(w_id)),
                    ("nick_name", json!(nick_name)),
                    ("w_account", json!(w_account)),
                    ("previous_w_id", json!(previous_w_id)),
                ],
            ),
            LoginStep::Adopted { w_id, previous_w_id } => {
                with(named("adopted"), [("w_id", json!(w_id)), ("previous_w_id", json!(previous_w_id))])
            }
            LoginStep::WrongAccount { expected_wc_id, wc_id, w_id, nick_name } => with(
                named("wrong_account"),
                [
                    ("expected_wc_id", json!(expected_wc_id)),
                    ("wc_id", json!(wc_id)),
                    ("w_id", json!(w_id)),
                    ("nick_name", json!(nick_name)),
                ],
            ),
            LoginStep::Expired { renewing } => with(named("expired"), [("renewing", json!(renewing))]),
            LoginStep::Cancelled => named("cancelled"),
            LoginStep::Superseded => named("superseded"),
            LoginStep::TakenOver { by } => with(named("taken_over"), [("by", json!(by))]),
            LoginStep::Failed { reason, gateway_message, detail } => {
                let gateway = gateway_message.as_deref();
                let words = with_detail(reason_words(self.lang, *reason, gateway), *reason, gateway, detail);
                with(self.reasoned(named("failed"), *reason, gateway), [("message", json!(words))])
            }
        };
        Some(Value::Object(map))
    }

    fn reasoned(&self, map: Map<String, Value>, reason: Reason, gateway_message: Option<&str>) -> Map<String, Value> {
        with(
            map,
            [
                ("reason", json!(reason.code())),
                ("message", json!(reason_words(self.lang, reason, gateway_message))),
                ("gateway_message", json!(gateway_message)),
            ],
        )
    }

    /// The words of a step, cleaned; `None` where there is nothing to say.
    pub fn words(&self, event: &LoginEvent) -> Option<Words> {
        let who = if event.account.trim().is_empty() {
            match &event.wc_id {
                Some(wc_id) => wc_id.to_string(),
                None => t(self.lang, "cli.login.anyone").into_owned(),
            }
        } else {
            event.account.to_string()
        };
        let say = |key: &str, values: &[(&str, &str)]| {
            let mut all = vec![("who", who.as_str())];
            all.extend_from_slice(values);
            clean(&tf(self.lang, &format!("cli.login.{key}"), &all)).into_owned()
        };
        let until = |at: Stamp| local(at, "%H:%M:%S");
        let why = |reason: Reason, message: Option<&str>| reason_words(self.lang, reason, message);
        Some(match &event.step {
            LoginStep::Started { .. } | LoginStep::Waiting => return None,
            LoginStep::SteppedDown { rung, why, gateway_message } => {
                let why = t(self.lang, &format!("step_down.{}", why.name()));
                let rung = t(self.lang, &format!("rung.{}", rung.name()));
                let said = gateway_message.as_deref().filter(|said| !said.trim().is_empty());
                let said = said.map(|said| tf(self.lang, "cli.login.gateway_words", &[("gateway", said)]));
                let said = said.unwrap_or_default();
                Words::Note(say("stepped_down", &[("rung", &rung), ("why", &why), ("said", &said)]))
            }
            LoginStep::WaitingForToken => Words::Note(say("waiting_for_token", &[])),
            LoginStep::OverBudget { over, .. } => {
                let why = over_words(self.lang, *over);
                Words::Note(say("over_budget", &[("why", &why)]))
            }
            LoginStep::Resumed { .. } => Words::Note(say("resumed", &[])),
            LoginStep::Requesting { rung } => Words::Note(match rung {
                Rung::Adopt => say("asking_list", &[]),
                Rung::SecondLogin => say("asking_second", &[]),
                Rung::QrLogin => say("asking_code", &[]),
            }),
            LoginStep::SecondLoginSent { expires_at } => {
                Words::Note(say("second_login_sent", &[("until", &until(*expires_at))]))
            }
            LoginStep::SecondLoginFailed { reason, gateway_message } => {
                let why = why(*reason, gateway_message.as_deref());
                Words::Note(say("second_login_failed", &[("why", &why)]))
            }
            LoginStep::Qr { expires_at, .. } => Words::Note(say("scan", &[("until", &until(*expires_at))])),
            LoginStep::NoPicture { detail, .. } => Words::Note(say("no_picture", &[("detail", detail)])),
            LoginStep::PollBroken { detail, retry_at } => {
                Words::Note(say("poll_broken", &[("detail", detail), ("retry", &until(*retry_at))]))
            }
            LoginStep::Scanned => Words::Note(say("scanned", &[])),
            LoginStep::VerifyCodeRequired { gateway_message } => {
                Words::Note(say("verify_code_required", &[("gateway", gateway_message)]))
            }
            LoginStep::DeviceVerification { url } => Words::Note(say("device_verification", &[("url", url)])),
            LoginStep::LoggedIn { w_id, .. } => Words::Data(say("logged_in", &[("w_id", w_id.as_str())])),
            LoginStep::Adopted { w_id, .. } => Words::Data(say("adopted", &[("w_id", w_id.as_str())])),
            LoginStep::WrongAccount { wc_id, nick_name, w_id, .. } => Words::Note(say(
                "wrong_account",
                &[("came", nick_name), ("wc_id", wc_id.as_str()), ("w_id", w_id.as_str())],
            )),
            LoginStep::Expired { renewing: true } => Words::Note(say("renewing", &[])),
            LoginStep::Expired { renewing: false } => Words::Note(say("expired", &[])),
            LoginStep::Cancelled => Words::Note(say("cancelled", &[])),
            LoginStep::Superseded => Words::Note(say("superseded", &[])),
            LoginStep::TakenOver { by } => {
                let by = t(self.lang, &format!("cli.login.by.{}", if by.is_empty() { "other" } else { by }));
                Words::Note(say("taken_over", &[("by", &by)]))
            }
            LoginStep::Failed { reason, gateway_message, detail } => {
                tracing::info!(reason = reason.code(), %detail, "a login failed");
                let gateway = gateway_message.as_deref();
                let why = with_detail(why(*reason, gateway), *reason, gateway, detail);
                let next = next_words(self.lang, *reason);
                Words::Note(say("failed", &[("why", &why), ("next", &next)]))
            }
        })
    }
}

/// Why a login is beyond its account's budget, and until when.
fn over_words(lang: Lang, over: Over) -> String {
    let until = |at: Stamp| local(at, "%m-%d %H:%M");
    match over {
        Over::Resting { until: at } => tf(lang, "cli.login.resting", &[("until", &until(at))]),
        Over::Spent { cost, next, limit, free_at } => {
            let what = match cost {
                Cost::SecondLogin => "cli.login.spent_second",
                Cost::Code => "cli.login.spent_code",
            };
            let (next, limit, until) = (next.to_string(), limit.to_string(), until(free_at));
            tf(lang, what, &[("next", &next), ("limit", &limit), ("until", &until)])
        }
    }
}

/// What a step comes to, if it is the last of its attempt. `phone`: a phone was shown something before.
pub const fn outcome(step: &LoginStep, phone: bool) -> Option<Exit> {
    Some(match step {
        LoginStep::LoggedIn { .. } | LoginStep::Adopted { .. } => Exit::Done,
        LoginStep::WrongAccount { .. } => Exit::WrongAccount,
        LoginStep::Expired { renewing: false } => Exit::Expired,
        LoginStep::Cancelled => Exit::Other,
        LoginStep::Superseded | LoginStep::TakenOver { .. } => Exit::Busy,
        LoginStep::Failed { reason, .. } => Exit::of_reason(*reason, phone),
        LoginStep::OverBudget { .. } => Exit::Resting,
        LoginStep::Started { .. }
        | LoginStep::SteppedDown { .. }
        | LoginStep::WaitingForToken
        | LoginStep::Resumed { .. }
        | LoginStep::Requesting { .. }
        | LoginStep::SecondLoginSent { .. }
        | LoginStep::SecondLoginFailed { .. }
        | LoginStep::Qr { .. }
        | LoginStep::NoPicture { .. }
        | LoginStep::Waiting
        | LoginStep::PollBroken { .. }
        | LoginStep::Scanned
        | LoginStep::VerifyCodeRequired { .. }
        | LoginStep::DeviceVerification { .. }
        | LoginStep::Expired { renewing: true } => return None,
    })
}

fn with<const N: usize>(mut map: Map<String, Value>, fields: [(&str, Value); N]) -> Map<String, Value> {
    for (key, value) in fields {
        map.insert(key.into(), value);
    }
    map
}

fn time(at: Option<Stamp>) -> Value {
    json!(at.map(Stamp::rfc3339))
}
