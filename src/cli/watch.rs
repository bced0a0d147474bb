//! `saoma watch`: stays, observes, fires alerts, and tells what happens, one JSON object a line (design.md §5).
//!
//! One engine per profile, all on this thread. On a terminal people get words instead of objects. It ends by a signal,
//! or, started by a person, when nobody reads its output any more. No other trouble of the output ends it.

use std::io::IsTerminal as _;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use self::lines::{Line, Teller};
use self::service::Service;
use super::args::WatchArgs;
use super::context::{Context, local, now};
use super::exit::Exit;
use super::fail::Failure;
use super::suspend;
use super::{out, signals, stage};
use crate::config::Profile;
use crate::engine::api::{Command, Event};
use crate::engine::notices::Ports;
use crate::engine::{Engine, Renewal, Sink};
use crate::gateway::{self, Gateway};
use crate::store::Store;

mod lines;
mod service;

/// One profile that is watched.
struct Watched {
    profile: Profile,
    engine: Engine,
    ended: JoinHandle<()>,
    store: Store,
    teller: Teller,
    over: bool,
}

/// Runs the command.
pub async fn run(context: &Context, args: &WatchArgs) -> Result<Exit, Failure> {
    out::stay(context.lang);
    let profiles = profiles(context, args.all_profiles)?;
    let objects = context.json || !std::io::stdout().is_terminal();
    let several = profiles.len() > 1;
    let (to, mut events) = unbounded_channel();
    let mut watched: Vec<Watched> = Vec::new();
    let ports = Ports::default();
    for profile in profiles {
        let name = profile.name.clone();
        match start(context, profile, &ports, watched.len(), several, &to).await {
            Ok(one) => watched.push(one),
            // One that cannot be watched does not keep the others from it.
            Err(failure) if several => tell_failure(&failure, objects, &name),
            Err(failure) => return Err(failure),
        }
    }
    if watched.is_empty() {
        return Err(Failure::new(Exit::Other, "config", context.t("cli.watch.nothing")));
    }
    // From now on it ends in its own time. Before, the commands of the settings may take theirs, and nobody would hear.
    let mut signals = signals::interrupts();
    let engines = watched.iter().map(|one| one.engine.clone()).collect();
    suspend::watch(engines).map_err(|error| Failure::io("signals", &error))?;
    let mut service = Service::new();
    let gone = reader_gone();
    tokio::pin!(gone);
    let exit = loop {
        let next_ping = service.next_ping();
        tokio::select! {
            biased;
            Some(exit) = signals.recv() => break exit,
            () = &mut gone => break Exit::Done,
            Some((at, event)) = events.recv() => {
                let Some(one) = watched.get_mut(at) else { continue };
                one.over |= matches!(event, Event::Stopped);
                let told = one.teller.tell(event, now());
                tell(told, objects, several.then_some(one.profile.name.as_str()));
                if watched.iter().all(|one| one.over) {
                    break Exit::Other;
                }
                if watched.iter().all(|one| one.teller.is_ready()) {
                    service.ready();
                }
            }
            () = sleep_until(next_ping.unwrap_or_else(Instant::now)), if next_ping.is_some() => service.ping(),
        }
    };
    service.stopping();
    stop(watched, &mut signals).await;
    Ok(exit)
}

/// The profiles to be watched: the one in use, or all of the file, each platform account at one gateway once.
fn profiles(context: &Context, all: bool) -> Result<Vec<Profile>, Failure> {
    let names = context.config.profile_names();
    if !all || names.len() < 2 {
        return Ok(vec![context.profile()?]);
    }
    if let Some(variable) = context.config.gateway_variable() {
        return Err(Failure::usage(context.tf("cli.watch.variable", &[("variable", variable)])));
    }
    let mut profiles: Vec<Profile> = Vec::new();
    for name in names {
        let profile = context.config.profile_named(name).map_err(|error| Failure::config(context.lang, &error))?;
        match profiles.iter().find(|known| known.id() == profile.id()) {
            Some(known) => {
                let values = [("profile", profile.name.as_str()), ("same", known.name.as_str())];
                out::say(&context.tf("cli.watch.same", &values));
            }
            None => profiles.push(profile),
        }
    }
    Ok(profiles)
}

/// Starts the engine of a profile; its events come with the place it has among all.
async fn start(
    context: &Context,
    profile: Profile,
    ports: &Ports,
    at: usize,
    several: bool,
    to: &UnboundedSender<(usize, Event)>,
) -> Result<Watched, Failure> {
    context.tell_repaired(&profile);
    let failed = |error| Failure::config(context.lang, &error);
    let token = context.config.token(&profile).map_err(failed)?.map(|token| token.value);
    if token.is_none() && !several {
        // Nobody has signed in yet: whoever started this should know at once.
        context.gateway_options(&profile)?;
    }
    let mut options = stage::engine_options(context, &profile, token.is_some())?;
    options.renewal = Renewal::Times(0);
    options.show_resumed = true;
    // The settings name one address for all profiles.
    options.ports = ports.clone();
    if stage::needs_password(profile.dialect.value) {
        options.password = context.config.password(&profile).map_err(failed)?.map(|password| password.value);
    }
    let gateway = Gateway::new(gateway::Options {
        base: profile.gateway.value.clone(),
        dialect: profile.dialect.value,
        token,
        http_proxy: profile.http_proxy.clone(),
    })
    .map_err(|error| Failure::gateway(context.lang, &error))?;
    let store = context.store(&profile).await?;
    let (url, dialect) = (&profile.gateway.value, profile.dialect.value);
    let teller = Teller::new(&profile.name, url, dialect, context.lang, context.config.watch.interval.value);
    let to = to.clone();
    let sink: Sink = Arc::new(move |event| {
        // Nobody listens any more once the command is over.
        let _ = to.send((at, event));
    });
    let (engine, ended) = Engine::start(options, gateway, store.clone(), None, sink);
    Ok(Watched { profile, engine, ended, store, teller, over: false })
}

/// Prints lines.
fn tell(lines: Vec<Line>, objects: bool, profile: Option<&str>) {
    for line in lines {
        if let Some(object) = line.object.filter(|_| objects) {
            out::line(&object.to_string());
        }
        let Some(words) = line.words else { continue };
        let profile = profile.map(|profile| format!("{profile}  ")).unwrap_or_default();
        let words = format!("{}  {profile}{words}", local(line.at, "%H:%M:%S"));
        if line.note {
            out::say(&words);
        } else if !objects {
            out::line(&words);
        }
    }
}

fn tell_failure(failure: &Failure, objects: bool, profile: &str) {
    if objects {
        failure.tell(true, now(), Some(profile));
    }
    out::say(&format!("saoma: {profile}: {}", failure.words()));
}

/// Ends when the reader of stdout has gone: a pipe tells so without being written to. Never where a service manager has
/// started us: its journal may be started anew, and what we do is done all the same.
async fn reader_gone() {
    if out::is_service() {
        return std::future::pending().await;
    }
    tokio::select! {
        () = pipe_broken() => {}
        () = out::closed() => {}
    }
}

/// The same, told by the pipe. Never where stdout is none.
async fn pipe_broken() {
    use rustix::event::{PollFd, PollFlags, poll};
    let (ring, rung) = oneshot::channel();
    let stdout = std::io::stdout();
    // A terminal that has vanished looks broken too, and is no reader that had enough.
    let is_pipe = |stat: rustix::fs::Stat| {
        use rustix::fs::FileType;
        matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket)
    };
    if rustix::fs::fstat(&stdout).is_ok_and(is_pipe) {
        let wait = move || {
            let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
            loop {
                let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
                match poll(&mut fds, None) {
                    Ok(_) if fds.iter().any(|fd| fd.revents().intersects(broken)) => break,
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    // The next line that is written will tell.
                    Err(_) => return,
                }
            }
            // Nobody waits for it any more when the command is over.
            let _ = ring.send(());
        };
        // Without a thread the next line that is written will tell.
        let _ = std::thread::Builder::new().name("stdout".to_owned()).spawn(wait);
    }
    if rung.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ends all engines: what is on its way into the store gets there, what is due to the bots is tried. A second signal does not
/// wait for the bots; the outbox keeps what they have not been told.
async fn stop(watched: Vec<Watched>, signals: &mut UnboundedReceiver<Exit>) {
    for one in &watched {
        one.engine.send(Command::Stop);
    }
    let all = async {
        for one in watched {
            // How it ended does not matter here.
            let _ = one.ended.await;
            one.store.close().await;
        }
    };
    tokio::select! {
        () = all => {}
        _ = signals.recv() => {}
    }
}
