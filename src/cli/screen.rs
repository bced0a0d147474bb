//! `saoma`: the TUI on the profile in use, or with the sign-in form where there is none.

use tokio::runtime::Runtime;

use super::context::Context;
use super::exit::Exit;
use super::fail::Failure;
use super::stage::{Home, Parts, Stage, ending, engine_options, needs_password};
use crate::child;
use crate::config::keymap::{Keymap, KeymapError};
use crate::config::{Error, Profile};
use crate::gateway;
use crate::i18n::{Lang, tf};
use crate::qr;
use crate::store::{FirstAccounts, Store};
use crate::tui::{self, Start};

/// So many accounts are read before the first frame: more rows than terminals have, and no more work for 10,000 accounts
/// than for these. The engine tells all.
const FIRST: u32 = 100;

/// A runtime for everything that waits: one thread, and a few for what blocks.
pub fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(std::time::Duration::from_secs(10))
        .max_blocking_threads(4)
        .build()
        .map_err(|error| Failure::io("tokio", &error))
}

/// Seconds that local time is ahead of UTC.
pub fn offset_seconds() -> i32 {
    let zone = zone_file().unwrap_or_else(jiff::tz::TimeZone::system);
    zone.to_offset(jiff::Timestamp::now()).seconds()
}

/// The one file that says which time zone this is. jiff's own way reads the folders of the whole database for its name,
/// some hundred system calls before the first frame; it is left for what is not a plain file.
fn zone_file() -> Option<jiff::tz::TimeZone> {
    let path = match std::env::var("TZ") {
        Err(std::env::VarError::NotPresent) => "/etc/localtime".into(),
        Ok(name) if std::env::var_os("TZDIR").is_none() => {
            let name = name.strip_prefix(':').unwrap_or(&name);
            std::path::Path::new("/usr/share/zoneinfo").join(Some(name).filter(|name| !name.is_empty())?)
        }
        Ok(_) | Err(std::env::VarError::NotUnicode(_)) => return None,
    };
    jiff::tz::TimeZone::tzif("", &std::fs::read(path).ok()?).ok()
}

/// Whether colours are wished: `NO_COLOR` takes them away, except the code's own.
pub fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Runs the TUI. Nothing slow stands before the first frame: it comes from the store alone.
pub fn run(context: Context) -> Result<Exit, Failure> {
    let profile = match context.profile() {
        Ok(profile) => Some(profile),
        Err(failure) if wants_form(&context) => {
            drop(failure);
            None
        }
        Err(failure) => return Err(failure),
    };
    let runtime = runtime()?;
    let rows = match &profile {
        Some(profile) => Some(runtime.block_on(rows(&context, profile))?),
        None => None,
    };
    let start = start(&context, profile.as_ref(), rows.as_ref().map(|(_, first)| first))?;
    let options = tui::Options {
        lang: context.lang,
        reports: Some(context.config.paths.state.clone()),
        wall_offset_ms: 0,
        notify: context.config.ui.notify,
        caught: Some(qr::read::catches_panics),
    };
    let (tell, ended) = ending();
    let home = Home { context, profile };
    let lang = options.lang;
    child::hush();
    let exit = tui::open(start, options, move |inbox| {
        Box::new(Stage::start(runtime, inbox, home, |home| parts(home, rows), None, tell))
    })
    .map_err(|error| no_screen(lang, &error))?;
    ended.wait(exit);
    Ok(exit_of(exit))
}

/// What a terminal that fails is told as.
pub fn no_screen(lang: Lang, error: &tui::Error) -> Failure {
    match error {
        tui::Error::NoTerminal => super::start::no_terminal(lang),
        tui::Error::Io(_) => Failure::new(Exit::Other, "terminal_failed", error.words(lang)),
    }
}

/// Whether the form can mend what is missing.
fn wants_form(context: &Context) -> bool {
    matches!(context.config.profile(), Err(Error::NoProfile | Error::Missing { .. }))
}

async fn rows(context: &Context, profile: &Profile) -> Result<(Store, FirstAccounts), Failure> {
    let store = context.store(profile).await?;
    let first = context.first_accounts(&store, FIRST).await?;
    Ok((store, first))
}

fn start(context: &Context, profile: Option<&Profile>, first: Option<&FirstAccounts>) -> Result<Start, Failure> {
    let draft = context.config.draft(&context.config.profile_name().ok().flatten().unwrap_or_default()).ok();
    let gateway = draft.as_ref().and_then(|draft| draft.gateway.clone()).map(|gateway| gateway.value);
    let account = draft.as_ref().and_then(|draft| draft.account.clone()).map(|account| account.value);
    let dialect = draft.as_ref().and_then(|draft| draft.dialect.clone()).map(|dialect| dialect.value);
    Ok(Start {
        profile: profile.map(|profile| profile.name.clone()),
        gateway: gateway.unwrap_or_default(),
        dialect: dialect.unwrap_or_default(),
        account: account.unwrap_or_default(),
        lang: context.lang,
        offset_seconds: offset_seconds(),
        demo: false,
        keymap: keymap(context)?,
        colour: colour(),
        qr_layout: context.config.ui.qr_layout.value,
        limits: crate::model::Limits::default(),
        terminal: tui::capabilities::of_process(),
        accounts: first.map(|first| first.accounts.clone()).unwrap_or_default(),
        counts: first.filter(|first| !first.is_all()).map(|first| [first.online, first.offline, first.unknown]),
        size: (80, 24),
    })
}

/// On the engine's thread: the token may come from a command.
fn parts(home: &Home, rows: Option<(Store, FirstAccounts)>) -> Result<Option<Parts>, Failure> {
    let (Some(profile), Some((store, first))) = (&home.profile, rows) else { return Ok(None) };
    let accounts = first.is_all().then_some(first.accounts);
    let context = &home.context;
    let failed = |error| Failure::config(context.lang, &error);
    let token = context.config.token(profile).map_err(failed)?.map(|token| token.value);
    let mut options = engine_options(context, profile, token.is_some())?;
    if needs_password(profile.dialect.value) {
        options.password = context.config.password(profile).map_err(failed)?.map(|password| password.value);
    }
    let gateway = gateway::Options {
        base: profile.gateway.value.clone(),
        dialect: profile.dialect.value,
        token,
        http_proxy: profile.http_proxy.clone(),
    };
    Ok(Some(Parts { options, gateway, store, accounts }))
}

/// The words for a `[keys]` table that cannot be used.
fn keymap_words(lang: Lang, error: &KeymapError) -> String {
    match error {
        KeymapError::NoSuchAction(action) => tf(lang, "cli.keys.no_such_action", &[("action", action)]),
        KeymapError::NoSuchKey { action, key } => tf(lang, "cli.keys.no_such_key", &[("action", action), ("key", key)]),
        KeymapError::Twice { key, first, second } => {
            tf(lang, "cli.keys.twice", &[("key", key), ("first", first), ("second", second)])
        }
        KeymapError::Reserved(action) => tf(lang, "cli.keys.reserved", &[("action", action)]),
    }
}

/// How the program ends after the TUI.
pub fn exit_of(exit: tui::Exit) -> Exit {
    match exit {
        tui::Exit::Quit => Exit::Done,
        tui::Exit::Gone => Exit::Hangup,
        tui::Exit::Signal(number) => match number {
            1 => Exit::Hangup,
            2 => Exit::Interrupted,
            15 => Exit::Terminated,
            _ => Exit::Other,
        },
    }
}

/// A runtime and the keymap are what the demo needs too.
pub fn keymap(context: &Context) -> Result<Keymap, Failure> {
    let lines = context.config.keys.iter().map(|(action, keys)| (action.as_str(), keys.as_str().unwrap_or_default()));
    Keymap::with(lines).map_err(|error| {
        let line = context.config.origin_of_keys(error.action());
        Failure::usage(format!("{line}: {}", keymap_words(context.lang, &error)))
    })
}
