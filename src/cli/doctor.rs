//! `saoma doctor`: settings, token, gateway, store, terminal: what works, what does not, what to do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::termios::tcgetwinsize;
use serde_json::{Value, json};

use super::context::{Context, now};
use super::exit::Exit;
use super::fail::Failure;
use super::{board, out};
use crate::config::{Config, Profile, QrLayout};
use crate::gateway::{Gateway, Kind};
use crate::i18n::{Lang, t, tf};
use crate::model::json as objects;
use crate::model::text::{clean, fit, width};
use crate::qr::Layout;
use crate::tui::{Capabilities, Multiplexer, Palette, capabilities, probe};

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

    fn failed(name: &'static str, failure: Failure) -> Self {
        Self { hint: failure.hint, ..Self::new(name, Mark::Fail, failure.message) }
    }
}

/// Looks at everything and tells; exit 0 where all of it works. What cannot be looked at because of what failed before it
/// is left out.
pub async fn run(config: Result<Config, crate::config::Error>, json: bool, lang: Lang) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    let mut profile_name = None;
    let mut layout = QrLayout::Auto;
    let lang = config.as_ref().map_or(lang, |config| config.ui.lang.value);
    match config {
        Ok(config) => {
            layout = config.ui.qr_layout.value;
            let path = config.paths.config.value.display().to_string();
            let key = if config.exists { "cli.doctor.config" } else { "cli.doctor.no_config" };
            checks.push(Check::new("config", Mark::Ok, say(lang, key, &[("path", &path)])));
            checks.extend(rights(&config, lang));
            let context = Context::new(config, json);
            profile_name = context.config.profile_name().ok().flatten();
            match context.profile() {
                Ok(profile) => checks.extend(profile_checks(&context, &profile).await),
                Err(failure) => checks.push(Check::failed("profile", failure)),
            }
        }
        Err(error) => checks.push(Check::failed("config", Failure::config(lang, &error))),
    }
    let seen = Seen::look(layout);
    checks.push(seen.check(lang));
    let ok = checks.iter().all(|check| check.mark != Mark::Fail);
    if json {
        out::line(&object(&checks, &seen, ok, profile_name.as_deref()).to_string())
            .map_err(|error| Failure::io("stdout", &error))?;
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
    let open: Vec<String> = paths.iter().filter_map(|path| others(path)).collect();
    if open.is_empty() {
        let state = config.paths.state.display().to_string();
        return vec![Check::new("rights", Mark::Ok, say(lang, "cli.doctor.rights", &[("path", &state)]))];
    }
    let list = open.join(", ");
    let mut check = Check::new("rights", Mark::Fail, say(lang, "cli.doctor.rights_open", &[("list", &list)]));
    check.hint = Some(t(lang, "cli.doctor.rights_hint").into_owned());
    vec![check]
}

/// The path and its rights, if others have any.
fn others(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| format!("{} ({mode:o})", path.display()))
}

async fn profile_checks(context: &Context, profile: &Profile) -> Vec<Check> {
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
    checks.push(store(context, profile).await);
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
            return client.query_login_wx().await.map(|online| Some(online.len()));
        }
        let Ok(Some(password)) = context.config.password(profile) else { return Ok(None) };
        client.get_login_wc_ids(&profile.account.value, &password.value).await.map(|online| Some(online.len()))
    };
    let mut answer = list(&client).await;
    if answer.as_ref().is_err_and(|error| error.kind == Kind::TokenSuspect) {
        // A suspect token is confirmed by a second call (design.md §4).
        answer = list(&client).await;
    }
    match answer {
        Ok(Some(online)) => {
            let online = online.to_string();
            Check::new("gateway", Mark::Ok, say(lang, "cli.doctor.gateway", &[("online", &online)]))
        }
        Ok(None) => Check::new("gateway", Mark::Warn, t(lang, "cli.doctor.gateway_not_asked")),
        Err(error) => Check::failed("gateway", Failure::gateway(lang, &error)),
    }
}

async fn store(context: &Context, profile: &Profile) -> Check {
    let lang = context.lang;
    let path = context.config.database.value.display().to_string();
    let opened = match context.store(profile).await {
        Ok(store) => store,
        Err(failure) => return Check::failed("store", failure),
    };
    let rows = opened.accounts().await;
    opened.close().await;
    match rows {
        Ok(rows) => {
            let count = rows.len().to_string();
            Check::new("store", Mark::Ok, say(lang, "cli.doctor.store", &[("path", &path), ("count", &count)]))
        }
        Err(error) => Check::failed("store", Failure::store(lang, &error)),
    }
}

/// What was found of the terminal.
#[derive(Debug)]
struct Seen {
    terminal: bool,
    term: String,
    size: (u16, u16),
    able: Capabilities,
    layout: &'static str,
    /// Why that layout: `setting`, `not_utf8`, `block_wide`, `tall_cells`, `tmux`, `no_answer`, `block_narrow`.
    why: &'static str,
}

/// A login's code is a version 3 (qr.md §2).
const USUAL: u16 = 29;

impl Seen {
    fn look(wished: QrLayout) -> Self {
        let terminal = board::is_paper();
        let able = if terminal { probe::ask() } else { capabilities::of_process() };
        let size = tcgetwinsize(rustix::stdio::stdout()).map_or((0, 0), |size| (size.ws_col, size.ws_row));
        let (layout, why) = choice(wished, &able, size);
        let term = std::env::var("TERM").unwrap_or_default();
        Self { terminal, term, size, able, layout, why }
    }

    fn check(&self, lang: Lang) -> Check {
        if !self.terminal {
            return Check::new("terminal", Mark::Ok, t(lang, "cli.doctor.no_terminal"));
        }
        let word = |key: &str| t(lang, &format!("cli.doctor.{key}")).into_owned();
        let cell = self.able.cell_px.map_or_else(|| word("unknown"), |(width, height)| format!("{width}×{height}"));
        let block = match self.able.block_is_two_columns {
            Some(true) => "2".to_owned(),
            Some(false) => "1".to_owned(),
            None => word("unknown"),
        };
        let values = [
            ("term", self.term.as_str()),
            ("columns", &self.size.0.to_string()),
            ("rows", &self.size.1.to_string()),
            ("cell", &cell),
            ("colours", colours(self.able.palette)),
            ("block", &block),
            ("between", &multiplexer(self.able.multiplexer).map_or_else(|| word("nothing"), str::to_owned)),
            ("layout", self.layout),
            ("why", &word(&format!("why.{}", self.why))),
        ];
        let enough = self.layout == "text" || {
            let layout = match self.layout {
                "half" => Layout::Half,
                "wide3" => Layout::Wide3,
                _ => Layout::Wide,
            };
            crate::qr::render::fit(USUAL, self.size.0, self.size.1, layout).is_ok()
        };
        let mut check = Check::new(
            "terminal",
            if enough { Mark::Ok } else { Mark::Warn },
            say(lang, "cli.doctor.terminal", &values),
        );
        if !enough {
            check.hint = Some(word("small"));
        }
        check
    }

    fn json(&self) -> Value {
        json!({
            "is_terminal": self.terminal,
            "term": self.term,
            "columns": self.size.0,
            "rows": self.size.1,
            "cell_px": self.able.cell_px.map(|(width, height)| [width, height]),
            "colours": colours(self.able.palette),
            "utf8": self.able.utf8,
            "multiplexer": multiplexer(self.able.multiplexer),
            "block_columns": self.able.block_is_two_columns.map(|two| if two { 2 } else { 1 }),
            "layout": self.layout,
            "why": self.why,
        })
    }
}

/// The layout that a usual code gets on the whole terminal, and why.
fn choice(wished: QrLayout, able: &Capabilities, (columns, rows): (u16, u16)) -> (&'static str, &'static str) {
    if wished == QrLayout::Text {
        return ("text", "setting");
    }
    let layout = board::layout(wished, able, USUAL, columns, rows);
    let name = match layout {
        Layout::Half => "half",
        Layout::Wide => "wide",
        Layout::Wide3 => "wide3",
    };
    let why = match wished {
        QrLayout::Half | QrLayout::Wide => "setting",
        QrLayout::Auto | QrLayout::Image | QrLayout::Text => match (able.utf8, able.block_is_two_columns) {
            (false, _) => "not_utf8",
            (true, Some(true)) => "block_wide",
            _ if layout == Layout::Wide3 => "tall_cells",
            (true, None) if able.multiplexer == Some(Multiplexer::Tmux) => "tmux",
            (true, None) => "no_answer",
            (true, Some(false)) => "block_narrow",
        },
    };
    (name, why)
}

const fn colours(palette: Palette) -> &'static str {
    match palette {
        Palette::Indexed => "256",
        Palette::Sixteen => "16",
    }
}

fn multiplexer(between: Option<Multiplexer>) -> Option<&'static str> {
    between.map(|between| match between {
        Multiplexer::Tmux => "tmux",
        Multiplexer::Screen => "screen",
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_has_its_reason() {
        let able = Capabilities::default();
        let narrow = Capabilities { block_is_two_columns: Some(false), ..able };
        for (wished, able, told) in [
            (QrLayout::Auto, narrow, ("half", "block_narrow")),
            (QrLayout::Auto, able, ("half", "no_answer")),
            (QrLayout::Auto, Capabilities { multiplexer: Some(Multiplexer::Tmux), ..able }, ("half", "tmux")),
            (QrLayout::Auto, Capabilities { block_is_two_columns: Some(true), ..able }, ("wide", "block_wide")),
            (QrLayout::Auto, Capabilities { utf8: false, ..able }, ("wide", "not_utf8")),
            (QrLayout::Auto, Capabilities { cell_px: Some((6, 18)), ..narrow }, ("wide3", "tall_cells")),
            (QrLayout::Half, Capabilities { block_is_two_columns: Some(true), ..able }, ("half", "setting")),
            (QrLayout::Wide, narrow, ("wide", "setting")),
            (QrLayout::Text, narrow, ("text", "setting")),
        ] {
            assert_eq!(choice(wished, &able, (200, 60)), told, "{wished:?} {able:?}");
            for lang in [Lang::En, Lang::Zh] {
                let key = format!("cli.doctor.why.{}", told.1);
                assert_ne!(t(lang, &key), key);
            }
        }
    }
}
