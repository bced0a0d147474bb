//! `saoma demo`: the TUI on a simulated gateway in this process. Needs nothing, keeps nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::args::DemoArgs;
use super::context::{Context, now};
use super::exit::Exit;
use super::fail::Failure;
use super::screen::{colour, exit_of, no_screen, offset_seconds, runtime};
use super::stage::{Home, Parts, Phones, RENEWALS, Stage, ending};
use crate::config::keymap::Keymap;
use crate::config::{Config, Env, Notify, Overrides, Paths, Sourced};
use crate::engine::{Options, Renewal, Role};
use crate::gateway;
use crate::i18n::{Lang, t, tf};
use crate::model::{Dialect, Stamp};
use crate::qr;
use crate::simulator::{ActError, Scenario, Setup, Simulator, demo_setup};
use crate::store::{Scope, Store};
use crate::tui::{self, DemoPhone, Inbox, Msg, Start};

mod past;
mod people;

/// The demo's profile.
const PROFILE: &str = "demo";
/// Short, so that a dropped account is seen to drop.
const INTERVAL: Duration = Duration::from_secs(3);

/// Runs the demo.
pub fn run(args: &DemoArgs, lang: Lang) -> Result<Exit, Failure> {
    let setup = setup(args, lang)?;
    let (dialect, auto) = (setup.dialect, setup.auto);
    let wall_offset_ms = match &args.at {
        Some(text) => {
            let at =
                Stamp::parse(text).ok_or_else(|| Failure::usage(tf(lang, "cli.demo.bad_time", &[("time", text)])))?;
            at.ms_since(now())
        }
        None => 0,
    };
    let offset_seconds = if args.at.is_some() { 0 } else { offset_seconds() };
    let folder =
        tempfile::Builder::new().prefix("saoma-demo-").tempdir().map_err(|error| Failure::io("tmp", &error))?;
    let runtime = runtime()?;
    let (simulator, store, accounts) = runtime.block_on(async {
        let (known, seed) = (setup.accounts.clone(), setup.seed);
        let simulator = Simulator::start(setup).await.map_err(|error| Failure::io("127.0.0.1", &error))?;
        let store = open(folder.path(), &simulator, dialect, lang).await?;
        let at = now().plus_ms(wall_offset_ms);
        let accounts =
            past::fill(&store, &simulator, &known, seed, at).await.map_err(|error| Failure::store(lang, &error))?;
        Ok::<_, Failure>((simulator, store, accounts))
    })?;
    let start = Start {
        profile: Some(PROFILE.to_owned()),
        gateway: simulator.url().to_owned(),
        dialect,
        account: simulator.account().to_owned(),
        lang,
        offset_seconds,
        demo: true,
        keymap: Keymap::default(),
        colour: colour(),
        qr_layout: args.qr_layout.unwrap_or_default(),
        limits: crate::model::Limits::default(),
        terminal: tui::capabilities::of_process(),
        accounts: accounts.clone(),
        counts: None,
        size: (80, 24),
    };
    let parts = Parts {
        options: Options {
            account: simulator.account().to_owned(),
            dialect,
            // Only V1's list asks for it.
            password: (!dialect.lists_w_ids()).then(|| SecretString::from(simulator.password())),
            has_token: true,
            interval: Some(INTERVAL),
            offline_after: 2,
            alert_command: None,
            role: Role::Screen,
            renewal: Renewal::WhileSomebodyIsThere { times: RENEWALS, within: Duration::from_secs(300) },
            show_resumed: true,
            revive: None,
            lang,
            wall_offset_ms: Arc::new(wall_offset_ms.into()),
            ..Options::default()
        },
        gateway: gateway::Options {
            base: simulator.url().to_owned(),
            dialect,
            token: Some(SecretString::from(simulator.token())),
            http_proxy: None,
        },
        store,
        accounts: Some(accounts),
    };
    let (tell, ended) = ending();
    let options = tui::Options {
        lang,
        reports: None,
        wall_offset_ms,
        notify: Notify::default(),
        caught: Some(qr::read::catches_panics),
    };
    // Of the person's own settings the demo reads none.
    let home = Home { context: bare_context(lang, folder.path())?, profile: None };
    let exit = tui::open(start, options, move |inbox| {
        let phones = phones(simulator, auto, lang);
        Box::new(Stage::start(runtime, inbox, home, |_| Ok(Some(parts)), Some(phones), tell))
    })
    .map_err(|error| no_screen(lang, &error))?;
    // The folder goes with the last of those who write into it.
    ended.wait(exit);
    drop(folder);
    Ok(exit_of(exit))
}

/// Settings that begin and end with the demo.
fn bare_context(lang: Lang, folder: &Path) -> Result<Context, Failure> {
    let paths = Paths { config: Sourced::default_of(folder.join("config.toml")), state: folder.to_owned() };
    let env = Env::from([("SAOMA_LANG", lang.code())]);
    let config = Config::load_from(paths, env, Overrides::default()).map_err(|error| Failure::config(lang, &error))?;
    Ok(Context::new(config, false))
}

fn setup(args: &DemoArgs, lang: Lang) -> Result<Setup, Failure> {
    let seed = args.seed.unwrap_or(1);
    let mut setup = demo_setup(seed);
    setup.accounts.extend(people::more());
    if let Some(path) = &args.scenario {
        // What a scenario has no word of is as in `saoma simulate`: the demo's accounts are there if it says so.
        setup = Setup { seed, ..Setup::default() };
        let bad = |detail: String| {
            let file = path.display().to_string();
            Failure::usage(tf(lang, "cli.demo.bad_scenario", &[("file", &file), ("detail", &detail)]))
        };
        let built_in = path.to_str().and_then(Scenario::built_in);
        let scenario = match built_in {
            Some(scenario) => scenario,
            None => {
                let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
                Scenario::parse(&text).map_err(|error| bad(error.to_string()))?
            }
        };
        if scenario.demo_accounts {
            setup.accounts = people::more();
        }
        scenario.apply(&mut setup).map_err(|error| bad(error.to_string()))?;
    }
    if let Some(seed) = args.seed {
        setup.seed = seed;
    }
    if let Some(speed) = args.speed {
        if !speed.is_finite() || speed <= 0.0 {
            return Err(Failure::usage(tf(lang, "cli.demo.bad_speed", &[("speed", &speed.to_string())])));
        }
        setup.speed = speed;
    }
    Ok(setup)
}

async fn open(folder: &Path, simulator: &Simulator, dialect: Dialect, lang: Lang) -> Result<Store, Failure> {
    let profile = gateway::profile_id(simulator.account(), simulator.url());
    let (name, receivers) = (PROFILE.to_owned(), Vec::new());
    let scope = Scope { profile, name, cause: "screen", receivers, lists_w_ids: dialect.lists_w_ids() };
    Store::open(&folder.join("saoma.db"), scope).await.map_err(|error| Failure::store(lang, &error))
}

/// The digits: what the simulated phones do.
fn phones(simulator: Simulator, auto: bool, lang: Lang) -> Phones {
    let auto = std::sync::atomic::AtomicBool::new(auto);
    Box::new(move |phone: DemoPhone, inbox: &Inbox| {
        let done = match phone {
            DemoPhone::Scan(wc_id) => simulator.scan(wc_id).map(drop),
            DemoPhone::Confirm(wc_id) => simulator.confirm(wc_id).map(drop),
            DemoPhone::Cancel(wc_id) => simulator.cancel(wc_id).map(drop),
            DemoPhone::Drop(wc_id) => simulator.drop_account(&wc_id),
            DemoPhone::Auto => {
                let on = !auto.fetch_xor(true, std::sync::atomic::Ordering::Relaxed);
                simulator.set_auto(on);
                inbox.send(Msg::DemoAuto(on));
                Ok(())
            }
        };
        if let Err(error) = done {
            inbox.send(Msg::Notice { message: act_words(lang, &error) });
        }
    })
}

fn act_words(lang: Lang, error: &ActError) -> String {
    t(lang, &format!("simulator.{}", error.code())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scenario: Option<&str>) -> Setup {
        let scenario = scenario.map(Into::into);
        setup(&DemoArgs { seed: Some(7), at: None, speed: None, scenario, qr_layout: None }, Lang::En).unwrap()
    }

    #[test]
    fn every_scenario_is_played_as_the_simulator_plays_it() {
        // The demo has some accounts more, for a fuller screen; nothing else is its own.
        let mut alone = demo_setup(7);
        alone.accounts.extend(people::more());
        assert_eq!(of(None), alone);
        for name in Scenario::names() {
            let scenario = Scenario::built_in(name).unwrap();
            let accounts = if scenario.demo_accounts { people::more() } else { Vec::new() };
            let mut alone = Setup { seed: 7, accounts, ..Setup::default() };
            scenario.apply(&mut alone).unwrap();
            assert_eq!(of(Some(name)), alone, "{name}");
            let file = format!("{}/examples/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            if Path::new(&file).exists() {
                assert_eq!(of(Some(&file)), alone, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn an_operator_knows_what_the_gateway_knows() {
        let folder = tempfile::tempdir().unwrap();
        let setup = of(Some("v3-devices"));
        let known = setup.accounts.clone();
        let simulator = Simulator::start(setup).await.unwrap();
        let store = open(folder.path(), &simulator, Dialect::V2, Lang::En).await.unwrap();
        let accounts = past::fill(&store, &simulator, &known, 1, Stamp(1_000_000)).await.unwrap();
        let names: Vec<_> = accounts.iter().map(|account| account.wc_id.as_str()).collect();
        assert_eq!(names, ["wxid_laozhang003", "wxid_nightdesk04"], "who is new here is not known");
        let device = past::device_of(known[1].device.as_ref().unwrap());
        assert_eq!(
            (device.device_type.as_deref(), device.proxy().as_deref()),
            (Some("ipad"), Some("203.0.113.9:1080"))
        );
        assert_eq!(past::device_of(known[0].device.as_ref().unwrap()).region, Some(14));
        store.close().await;
    }
}
