//! `saoma simulate`: the simulated gateway alone, for integrators and scripts.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::exit::Exit;
use super::{out, signals};
use crate::i18n::{Lang, t, tf};
use crate::model::{Dialect, Stamp};
use crate::simulator::{Scenario, Setup, Simulator};

/// Run a simulated gateway on this machine, with phones, faults and scenarios
#[derive(Clone, Debug, clap::Args)]
pub struct SimulateArgs {
    /// Where to listen; loopback addresses only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18081")]
    pub listen: SocketAddr,
    /// Where to serve the pictures of codes [default: a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub image_listen: Option<SocketAddr>,
    /// Which generation of the API to speak: v1, v2 or v3 [default: v2, or the scenario's]
    #[arg(long, value_name = "DIALECT")]
    pub dialect: Option<Dialect>,
    /// A scenario file (TOML or JSON), or one of: empty, demo, auto, drops, hostile, strict
    #[arg(long, value_name = "FILE", default_value = "demo")]
    pub scenario: String,
    /// Where randomness comes from; the same seed gives the same ids [default: 1, or the scenario's]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Simulated seconds per real second [default: 1, or the scenario's]
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f64>,
    /// So many generated accounts, besides the scenario's
    #[arg(long, value_name = "NUMBER")]
    pub accounts: Option<usize>,
    /// Phones act by themselves
    #[arg(long)]
    pub auto: bool,
}

/// Serves until SIGINT or SIGTERM. Writes one JSON object a line to stdout: first `listening`, then what happens.
///
/// A reader that goes away ends it quietly with the next line; one that only stops reading misses lines, and nobody waits
/// for it.
///
/// # Errors
/// When the scenario does not read, or an address cannot be listened on.
pub async fn run(args: SimulateArgs, lang: Lang) -> anyhow::Result<Exit> {
    let setup = setup(&args, lang)?;
    let (dialect, seed) = (setup.dialect, setup.seed);
    let mut interrupts = signals::interrupts();
    let simulator = Simulator::start(setup)
        .await
        .with_context(|| tf(lang, "simulator.cannot_listen", &[("address", &args.listen.to_string())]))?;
    let mut events = simulator.events();
    let url = simulator.url();
    // Everything secret about a simulator is a dummy, and its users need it here to sign in.
    let mut told = Told::default();
    told.say(&json!({
        "event": "listening",
        "url": url,
        "dialect": dialect,
        "seed": seed,
        "account": simulator.account(),
        "password": simulator.password(),
        "token_from": format!("POST {url}/member/login {{\"account\",\"password\"}}, or GET {}/_control/token", simulator.root()),
        "control": format!("{}/_control/state", simulator.root()),
    }));
    let exit = loop {
        tokio::select! {
            Some(exit) = interrupts.recv() => break exit,
            () = out::closed(), if !out::is_service() => break Exit::Done,
            event = events.recv() => match event {
                Ok(event) => told.say(&event),
                Err(RecvError::Lagged(missed)) => told.missed += missed,
                Err(RecvError::Closed) => break Exit::Done,
            },
        }
    };
    simulator.stop();
    told.say(&json!({"event": "stopped"}));
    // A signal is how it is meant to end.
    Ok(if exit == Exit::Hangup { exit } else { Exit::Done })
}

/// What the arguments and the scenario add up to; arguments win.
fn setup(args: &SimulateArgs, lang: Lang) -> anyhow::Result<Setup> {
    let mut setup = Setup { listen: args.listen, ..Setup::default() };
    if !args.listen.ip().is_loopback() || args.image_listen.is_some_and(|address| !address.ip().is_loopback()) {
        bail!("{}", t(lang, "simulator.loopback_only"));
    }
    if args.speed.is_some_and(|speed| !(speed.is_finite() && speed > 0.0)) {
        bail!("{}", t(lang, "simulator.bad_speed"));
    }
    if let Some(address) = args.image_listen {
        setup.image_listen = address;
    }
    setup.seed = args.seed.unwrap_or(setup.seed);
    let scenario = if let Some(scenario) = Scenario::built_in(&args.scenario) {
        scenario
    } else {
        let path = PathBuf::from(&args.scenario);
        let names = Scenario::names().collect::<Vec<_>>().join(", ");
        let text = std::fs::read_to_string(&path)
            .with_context(|| tf(lang, "simulator.no_scenario", &[("file", &args.scenario), ("names", &names)]))?;
        Scenario::parse(&text).with_context(|| tf(lang, "simulator.bad_scenario", &[("file", &args.scenario)]))?
    };
    scenario.apply(&mut setup).with_context(|| tf(lang, "simulator.bad_scenario", &[("file", &args.scenario)]))?;
    setup.dialect = args.dialect.unwrap_or(setup.dialect);
    setup.seed = args.seed.unwrap_or(setup.seed);
    setup.speed = args.speed.unwrap_or(setup.speed);
    setup.generated = args.accounts.unwrap_or(setup.generated);
    setup.auto |= args.auto;
    Ok(setup)
}

/// What stdout was told.
#[derive(Debug, Default)]
struct Told {
    /// Events that it was not told of since the last one.
    missed: u64,
}

impl Told {
    /// One line on stdout, after one that says how many are missing before it.
    fn say(&mut self, event: &Value) {
        if self.missed > 0 && line(&json!({"event": "missed", "count": self.missed})) {
            self.missed = 0;
        }
        if self.missed > 0 || !line(event) {
            self.missed += 1;
        }
    }
}

fn line(event: &Value) -> bool {
    let mut event = event.clone();
    if let Some(map) = event.as_object_mut() {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let at = Stamp(i64::try_from(wall.as_millis()).unwrap_or(0));
        map.insert("schema".into(), json!(crate::model::json::SCHEMA));
        map.insert("at".into(), json!(at.rfc3339()));
    }
    out::line(&event.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn read(line: &[&str]) -> anyhow::Result<Setup> {
        let line = Line::try_parse_from([&["simulate"], line].concat())?;
        setup(&line.args, Lang::En)
    }

    #[test]
    fn arguments_go_before_the_scenario() {
        let plain = read(&[]).unwrap();
        assert_eq!((plain.listen.to_string().as_str(), plain.dialect, plain.seed), ("127.0.0.1:18081", Dialect::V2, 1));
        assert!(!plain.accounts.is_empty() && !plain.auto);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mine.toml");
        std::fs::write(&file, "dialect = 'v1'\nseed = 5\nspeed = 3.0\ngenerated = 4\n").unwrap();
        let file = file.to_str().unwrap();
        let theirs = read(&["--scenario", file]).unwrap();
        assert_eq!((theirs.dialect, theirs.seed, theirs.generated), (Dialect::V1, 5, 4));
        let ours = ["--scenario", file, "--dialect", "v3", "--seed", "9", "--accounts", "50", "--speed", "2", "--auto"];
        let ours = read(&ours).unwrap();
        assert_eq!((ours.dialect, ours.seed, ours.generated, ours.auto), (Dialect::V3, 9, 50, true));
    }

    #[test]
    fn what_cannot_be_is_refused_with_words() {
        for wrong in [
            &["--listen", "0.0.0.0:18081"][..],
            &["--image-listen", "192.0.2.1:1"],
            &["--scenario", "/no/such/file"],
            &["--speed", "0"],
        ] {
            let words = format!("{:#}", read(wrong).unwrap_err());
            assert!(!words.is_empty() && !words.starts_with("simulator."), "{words}");
        }
    }
}
