//! The other front end: one file per command; prints, never draws.

pub mod accounts;
pub mod all_offline;
pub mod args;
pub mod board;
pub mod check;
pub mod context;
pub mod decode;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod fail;
pub mod help;
pub mod history;
pub mod import;
pub mod init;
pub mod log;
pub mod login;
pub mod man;
pub mod offline;
pub mod orphans;
pub mod out;
pub mod pictures;
pub mod png;
pub mod printer;
pub mod resolve;
pub mod screen;
pub mod seen;
pub mod sign_in;
pub mod signals;
pub mod simulate;
pub mod stage;
pub mod start;
pub mod status;
mod suspend;
pub mod table;
pub mod watch;
pub mod wid;

use std::ffi::OsString;

use clap::{FromArgMatches as _, Parser as _};

use self::args::{Cli, Command};
use self::context::{Context, now};
use self::exit::Exit;
use self::fail::Failure;
use crate::child;
use crate::config::load::early_lang;
use crate::config::{Config, Env, Overrides};
use crate::engine::Role;
use crate::i18n::Lang;
use crate::tui::quiet;

/// Runs the program with its arguments; returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    // Whatever is created is for its owner's eyes only (design.md §6).
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    leave_no_core();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(code) = init::run(&arguments) {
        return code;
    }
    quiet_caught_panics();
    // Whatever the terminal still has to say is not left to the shell.
    let _quiet = quiet::AtEnd;
    let env = Env::from_process();
    let lang = early_lang(&env);
    let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    let parsed = parse(arguments, lang);
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, lang, json).code(),
    };
    // The profile that errors name: the one that was asked for, until the settings say which it is.
    let mut profile = cli.global.profile.clone();
    let mut log = None;
    let done = dispatch(cli, env, lang, &mut profile, &mut log);
    if let Some(code) = signals::ending() {
        child::end_all();
        return code;
    }
    let exit = match done {
        Ok(exit) => exit,
        Err(failure) => {
            failure.tell(json, now(), profile.as_deref());
            failure.exit
        }
    };
    // What was started ends with us.
    child::end_all();
    let exit = end_output(exit);
    drop(log);
    exit.code()
}

/// Brings out what was written. Where that fails the command has failed, unless it had failed already.
fn end_output(exit: Exit) -> Exit {
    let Err(failure) = out::finish(signals::came()) else { return exit };
    // On stderr: stdout is what cannot be written.
    failure.tell(false, now(), None);
    let _told = out::finish(false);
    if exit == Exit::Done { failure.exit } else { exit }
}

/// Reads the command line. The words for help and wrong uses take longer than the reading (perf.md G1), so they are
/// fetched only for those, `-h` and `-V` among them: to the plain command line they are unknown.
fn parse(arguments: Vec<OsString>, lang: Lang) -> Result<Cli, clap::Error> {
    if let [_program] = arguments.as_slice() {
        // The screen starts so. There is nothing to read, and getting ready to read takes a tenth of the start.
        return Ok(Cli { global: args::Global::default(), qr_layout: None, command: None });
    }
    Cli::try_parse_from(&arguments).or_else(|_plain| {
        help::command(lang).try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches))
    })
}

/// A core file would hold token, password and codes. Nor does anybody else of this user's read them out of our memory: the
/// limit alone is not heeded where cores go to a program. What we start may have cores again: it only has to raise its
/// limit.
fn leave_no_core() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Core);
    // Lowering one's own limit is always allowed.
    let _allowed = setrlimit(Resource::Core, Rlimit { current: Some(0), ..limit });
    #[cfg(target_os = "linux")]
    let _allowed = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// A decoder that panics over a hostile picture is caught, and a picture that cannot be read is what is told.
fn quiet_caught_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !crate::qr::read::catches_panics() {
            before(panic);
        }
    }));
}

/// Help and version go to stdout, a wrong use is told.
fn refuse(error: &clap::Error, lang: Lang, json: bool) -> Exit {
    match help::usage_failure(error, lang) {
        Some(failure) => {
            failure.tell(json, now(), None);
            end_output(failure.exit)
        }
        None => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            match error.print() {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    let failure = Failure::io("stdout", &error);
                    failure.tell(false, now(), None);
                    end_output(failure.exit)
                }
                // A reader that has gone away had enough.
                Err(_) | Ok(()) => exit,
            }
        }
    }
}

fn dispatch(
    cli: Cli,
    env: Env,
    lang: Lang,
    profile: &mut Option<String>,
    log: &mut Option<log::Guard>,
) -> Result<Exit, Failure> {
    if !matches!(cli.command, None | Some(Command::Demo(_))) {
        // The screen hears them in its own way.
        signals::listen().map_err(|error| Failure::io("signals", &error))?;
    }
    let command = match cli.command {
        None if !out::can_draw() => return Err(start::no_terminal(lang)),
        None => {
            let overrides = Overrides { may_create: true, qr_layout: cli.qr_layout, ..Overrides::default() };
            return start::tui(load(&cli.global, env, lang, overrides)?);
        }
        // These read no settings: a broken config must not stand in their way.
        Some(Command::Completions(args)) => return start::completions(args.shell, lang),
        Some(Command::Man) => return man::run(lang),
        Some(Command::Demo(args)) => return start::demo(&args, lang),
        Some(Command::Simulate(args)) => return start::simulate(args, lang),
        // A broken config is among what it has to tell.
        Some(Command::Doctor(args)) => {
            let (config, profile) = (cli.global.config, cli.global.profile);
            let overrides = Overrides { config, profile, qr_layout: cli.qr_layout, ..Overrides::default() };
            return block_on(doctor::run(Config::load(env, overrides), &args, cli.global.json, lang));
        }
        Some(command) => command,
    };
    let mut overrides = Overrides { qr_layout: cli.qr_layout, ..Overrides::default() };
    if let Command::Login(args) = &command {
        overrides.qr_layout = args.qr_layout.or(cli.qr_layout);
    }
    if let Command::SignIn(args) = &command {
        overrides.may_create = true;
        overrides.gateway.clone_from(&args.gateway);
        overrides.dialect = args.dialect;
        overrides.account.clone_from(&args.account);
    }
    let log_env = env.clone();
    let mut context = load(&cli.global, env, lang, overrides)?;
    if let Command::Watch(_) = &command {
        context = context.with_role(Role::Watch);
    }
    *profile = context.config.profile_name().ok().flatten().or_else(|| profile.take());
    if let Command::Keys = command {
        return start::keys(&context);
    }
    *log = log::start(&context.config.paths, &log_env);
    block_on(async {
        match command {
            Command::SignIn(args) => sign_in::run(&context, &args).await,
            Command::Login(args) => start::login(&context, args).await,
            Command::SecondLogin(args) => start::second_login(&context, args).await,
            Command::Accounts(args) => accounts::run(&context, args).await,
            Command::Status(args) => status::run(&context, &args).await,
            Command::Wid(args) => wid::run(&context, &args).await,
            Command::Watch(args) => watch::run(&context, &args).await,
            Command::Offline(args) => offline::run(&context, &args).await,
            Command::History(args) => history::run(&context, &args).await,
            Command::Demo(_)
            | Command::Simulate(_)
            | Command::Doctor(_)
            | Command::Keys
            | Command::Completions(_)
            | Command::Man => Ok(Exit::Done),
        }
    })
}

fn load(global: &args::Global, env: Env, lang: Lang, overrides: Overrides) -> Result<Context, Failure> {
    let overrides = Overrides { config: global.config.clone(), profile: global.profile.clone(), ..overrides };
    let config = Config::load(env, overrides).map_err(|error| Failure::config(lang, &error))?;
    Ok(Context::new(config, global.json))
}

/// Runs one command to its end. What still waits for a line of input does not hold the program up.
fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("tokio", &error))?;
    let done = runtime.block_on(command);
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_arguments_are_read_as_clap_reads_them() {
        let read = Cli::try_parse_from(["saoma"]).unwrap();
        let bare = parse(vec!["saoma".into()], Lang::En).unwrap();
        assert_eq!(format!("{bare:?}"), format!("{read:?}"));
    }
}
