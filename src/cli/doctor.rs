//! `saoma doctor`: settings, token, gateway, store, observer, receivers, terminal: what works, what does not, what to do.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::args::DoctorArgs;
use super::context::{Context, now};
use super::exit::Exit;
use super::fail::Failure;
use super::out;
use crate::config::credentials::is_ours;
use crate::config::{Config, Profile, QrLayout};
use crate::gateway::{Gateway, Kind};
use crate::i18n::{Lang, t, tf};
use crate::model::json as objects;
use crate::model::text::{clean, fit, width};

use self::terminal::Seen;

mod keeping;
mod receivers;
mod terminal;

/// An answer that takes longer is worth a word.
const SLOW: Duration = Duration::from_secs(3);

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ok,
    /// It works, but somebody should know.
    Warn,
    Fail,
}

impl Mark {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Check {
    name: &'static str,
    mark: Mark,
    message: String,
    hint: Option<String>,
}

impl Check {
    fn new(name: &'static str, mark: Mark, message: impl Into<String>) -> Self {
        Self { name, mark, message: message.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn failed(name: &'static str, failure: Failure) -> Self {
        Self { hint: failure.hint, ..Self::new(name, Mark::Fail, failure.message) }
    }
}

/// Looks at everything and tells; exit 0 where all of it works. What cannot be looked at because of what failed before it
/// is left out.
pub async fn run(
    config: Result<Config, crate::config::Error>,
    args: &DoctorArgs,
    json: bool,
    lang: Lang,
) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    let mut profile_name = None;
    let mut layout = QrLayout::Auto;
    let lang = config.as_ref().map_or(lang, |config| config.ui.lang.value);
    match config {
        Ok(config) => {
            layout = config.ui.qr_layout.value;
            let path = config.paths.config.value.display().to_string();
            let key = if config.exists { "cli.doctor.config" } else { "cli.doctor.no_config" };
            let readable = Check::new("config", Mark::Ok, say(lang, key, &[("path", &path)]));
            let rights = rights(&config, lang);
            let context = Context::new(config, json);
            // Only the screen reads the keys, and would not start.
            checks.push(
                super::screen::keymap(&context).map_or_else(|failure| Check::failed("config", failure), |_| readable),
            );
            checks.extend(rights);
            profile_name = context.config.profile_name().ok().flatten();
            match context.profile() {
                Ok(profile) => checks.extend(profile_checks(&context, &profile, args).await),
                Err(failure) => checks.push(Check::failed("profile", failure)),
            }
        }
        Err(error) => checks.push(Check::failed("config", Failure::config(lang, &error))),
    }
    let seen = Seen::look(layout);
    checks.push(seen.check(lang));
    let ok = checks.iter().all(|check| check.mark != Mark::Fail);
    if json {
        let object = object(&checks, &seen, ok, profile_name.as_deref());
        out::data(&format!("{}\n", crate::model::text::json(&object.to_string())))?;
    } else {
        out::data(&words(&checks, lang))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Other })
}

fn say(lang: Lang, key: &str, values: &[(&str, &str)]) -> String {
    clean(&tf(lang, key, values)).into_owned()
}

/// Who else can read what is secret: looked at before anything repairs it.
fn rights(config: &Config, lang: Lang) -> Vec<Check> {
    let database = config.database.value.clone();
    let paths = [config.paths.state.clone(), config.paths.credentials(), database, config.paths.log()];
    let found: Vec<(String, bool)> = paths.iter().filter_map(|path| others(path)).collect();
    let list = |wanted: bool| -> Vec<String> {
        found.iter().filter(|(_, shared)| *shared == wanted).map(|(words, _)| words.clone()).collect()
    };
    let (open, shared) = (list(false), list(true));
    if open.is_empty() && !shared.is_empty() {
        let words = say(lang, "cli.doctor.rights_shared", &[("list", &shared.join(", "))]);
        return vec![Check::new("rights", Mark::Warn, words).hint(t(lang, "cli.doctor.rights_shared_hint"))];
    }
    if open.is_empty() {
        let state = config.paths.state.display().to_string();
        return vec![Check::new("rights", Mark::Ok, say(lang, "cli.doctor.rights", &[("path", &state)]))];
    }
    let list = open.into_iter().chain(shared).collect::<Vec<_>>().join(", ");
    let mut check = Check::new("rights", Mark::Fail, say(lang, "cli.doctor.rights_open", &[("list", &list)]));
    check.hint = Some(t(lang, "cli.doctor.rights_hint").into_owned());
    vec![check]
}

/// The path and its rights, if others have any; and whether that is only a place of another owner's that saoma may use: a
/// folder, where the files are private by themselves, or what a group shares.
fn others(path: &Path) -> Option<(String, bool)> {
    let found = std::fs::metadata(path).ok()?;
    let mode = found.mode() & 0o777;
    let shared = !is_ours(&found) && (found.is_dir() || mode & 0o007 == 0);
    (mode & 0o077 != 0).then(|| (format!("{} ({mode:o})", path.display()), shared))
}

async fn profile_checks(context: &Context, profile: &Profile, args: &DoctorArgs) -> Vec<Check> {
    let lang = context.lang;
    let dialect = profile.dialect.value.name();
    let named = [
        ("profile", profile.name.as_str()),
        ("gateway", profile.gateway.value.as_str()),
        ("dialect", dialect),
        ("account", profile.account.value.as_str()),
    ];
    let mut checks = vec![Check::new("profile", Mark::Ok, say(lang, "cli.doctor.profile", &named))];
    match context.config.token(profile) {
        Ok(Some(token)) => {
            let origin = token.origin.to_string();
            checks.push(Check::new("token", Mark::Ok, say(lang, "cli.doctor.token", &[("origin", &origin)])));
            checks.push(gateway(context, profile).await);
        }
        Ok(None) => {
            let failure = Failure::new(Exit::Token, "token_missing", context.t("cli.error.token_missing"))
                .hint(context.t("cli.error.token_hint"));
            checks.push(Check::failed("token", failure));
        }
        Err(error) => checks.push(Check::failed("token", Failure::config(lang, &error))),
    }
    checks.extend(keeping::checks(context, profile).await);
    checks.extend(receivers::checks(context, args.show_notice_url));
    checks
}

/// One list: the harmless call.
async fn gateway(context: &Context, profile: &Profile) -> Check {
    let lang = context.lang;
    let client = match context.gateway(profile) {
        Ok(client) => client,
        Err(failure) => return Check::failed("gateway", failure),
    };
    let list = async |client: &Gateway| {
        if profile.dialect.value.lists_w_ids() {
            return client.query_login_wx().await.map(|online| Some(online.entries.len()));
        }
        let Ok(Some(password)) = context.config.password(profile) else { return Ok(None) };
        client.get_login_wc_ids(&profile.account.value, &password.value).await.map(|online| Some(online.entries.len()))
    };
    let mut begun = Instant::now();
    let mut answer = list(&client).await;
    if answer.as_ref().is_err_and(|error| error.kind == Kind::TokenSuspect) {
        // A suspect token is confirmed by a second call (design.md §4).
        begun = Instant::now();
        answer = list(&client).await;
    }
    let took = begun.elapsed();
    match answer {
        Ok(Some(online)) => {
            let values = [("online", online.to_string()), ("took", took.as_millis().to_string())];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            let mark = if took > SLOW { Mark::Warn } else { Mark::Ok };
            Check::new("gateway", mark, say(lang, "cli.doctor.gateway", &values))
        }
        // The lists of V2 and V3 are what V1 does not have.
        Err(error) if error.kind == Kind::Http(404) && profile.dialect.value.lists_w_ids() => {
            let check = Check::failed("gateway", Failure::gateway(lang, &error));
            check.hint(t(lang, "cli.doctor.other_dialect"))
        }
        Ok(None) => Check::new("gateway", Mark::Warn, t(lang, "cli.doctor.gateway_not_asked")),
        Err(error) => Check::failed("gateway", Failure::gateway(lang, &error)),
    }
}

fn words(checks: &[Check], lang: Lang) -> String {
    let name = |check: &Check| t(lang, &format!("cli.doctor.name.{}", check.name)).into_owned();
    let mark = |check: &Check| t(lang, &format!("cli.doctor.mark.{}", check.mark.name())).into_owned();
    let names = checks.iter().map(|check| width(&name(check))).max().unwrap_or_default();
    let marks = checks.iter().map(|check| width(&mark(check))).max().unwrap_or_default();
    let mut text = String::new();
    for check in checks {
        text.push_str(&format!("{}  {}  {}\n", fit(&mark(check), marks), fit(&name(check), names), check.message));
        if let Some(hint) = &check.hint {
            text.push_str(&format!("{}{hint}\n", " ".repeat(names + marks + 4)));
        }
    }
    text
}

fn object(checks: &[Check], seen: &Seen, ok: bool, profile: Option<&str>) -> Value {
    let list: Vec<Value> = checks
        .iter()
        .map(|check| {
            json!({"name": check.name, "state": check.mark.name(), "message": check.message, "hint": check.hint})
        })
        .collect();
    let mut map = objects::event("doctor", now(), profile.unwrap_or_default());
    map.insert("profile".into(), json!(profile));
    map.insert("ok".into(), json!(ok));
    map.insert("checks".into(), list.into());
    map.insert("terminal".into(), seen.json());
    Value::Object(map)
}
