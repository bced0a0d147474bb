//! What starts something larger: the TUI, the demo, the simulated gateway; and what is printed from tables.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;

use super::all_offline::{self, Belt};
use super::args::{DemoArgs, LoginArgs, SecondLoginArgs};
use super::board::{Board, Paper};
use super::check::{self, Asked};
use super::context::{Context, now};
use super::exit::Exit;
use super::fail::Failure;
use super::login::{self, Draw, Plan, Ports};
use super::printer::Printer;
use super::simulate::{self, SimulateArgs};
use super::{board, demo, help, log, out, screen, seen, signals, stage, suspend};
use crate::action::TABLE;
use crate::config::{Env, Profile, QrLayout};
use crate::engine::api::Command;
use crate::engine::{Engine, Renewal, Role, Sink};
use crate::gateway::Gateway;
use crate::i18n::{Lang, t};
use crate::model::text::{self, clean};
use crate::model::{Account, json as objects};
use crate::qr;
use crate::store::Store;
use crate::tui::{capabilities, probe};

/// When a person is told what is still waited for.
const LONG: Duration = Duration::from_secs(3);

/// `saoma` where there is no terminal to draw on.
pub fn no_terminal(lang: Lang) -> Failure {
    Failure::usage(t(lang, "cli.error.no_terminal")).hint(t(lang, "cli.error.no_terminal_hint"))
}

/// `saoma`: the TUI on the profile in use, or with the sign-in form where there is none.
pub fn tui(context: Context) -> Result<Exit, Failure> {
    let _guard = log::start(&context.config.paths, &Env::from_process());
    // What the settings gave cause to say stands above the screen, not in it.
    out::settle();
    screen::run(context.with_role(Role::Screen))
}

/// `saoma demo`: the TUI on a simulated gateway in this process.
pub fn demo(args: &DemoArgs, lang: Lang) -> Result<Exit, Failure> {
    if !out::can_draw() {
        return Err(no_terminal(lang));
    }
    demo::run(args, lang)
}

/// `saoma simulate`: the simulated gateway alone.
pub fn simulate(args: SimulateArgs, lang: Lang) -> Result<Exit, Failure> {
    out::stay(lang);
    let done = screen::runtime()?.block_on(simulate::run(args, lang));
    done.map_err(|error| Failure::new(Exit::Other, "simulator", clean(&format!("{error:#}")).into_owned()))
}

/// `saoma login [ACCOUNT]`
pub async fn login(context: &Context, args: LoginArgs) -> Result<Exit, Failure> {
    let place = seen::place(context, &args);
    if args.all_offline {
        // Whoever cannot answer cannot see a code either, as a rule: that is what to mend first.
        place.clone()?;
        if !args.yes && !out::can_ask() {
            return Err(Failure::usage(context.t("cli.error.needs_yes")));
        }
    }
    out::stay(context.lang);
    let profile = context.profile()?;
    let gateway = context.gateway(&profile)?;
    let store = context.store(&profile).await?;
    if args.all_offline {
        return all_offline(context, &profile, gateway, store, args).await;
    }
    let accounts = context.accounts(&store).await?;
    let attempts = store.attempts().await.map_err(|error| Failure::store(context.lang, &error))?;
    let show_payload = args.show_payload;
    if !context.json && context.config.ui.qr_layout.value == QrLayout::Image {
        out::say(&context.t("cli.login.no_image"));
    }
    let mut plan = Plan::login(context, args, &accounts, &attempts)?;
    plan.unseen = place?;
    drive(context, &profile, gateway, store, accounts, plan, show_payload, None).await
}

/// `saoma login --all-offline`
async fn all_offline(
    context: &Context,
    profile: &Profile,
    gateway: Gateway,
    store: Store,
    args: LoginArgs,
) -> Result<Exit, Failure> {
    // Phones are rung for what the gateway says now, not for what was believed hours ago.
    if check::ask(context, profile, &store).await? == Asked::NeedsPassword {
        out::say(&context.t("all_offline.not_asked"));
    }
    let accounts = context.accounts(&store).await?;
    let belt = Belt::new(&args, &accounts);
    let plan = Plan::none(args);
    drive(context, profile, gateway, store, accounts, plan, false, Some(belt)).await
}

/// `saoma second-login ACCOUNT…`
pub async fn second_login(context: &Context, args: SecondLoginArgs) -> Result<Exit, Failure> {
    out::stay(context.lang);
    let profile = context.profile()?;
    let gateway = context.gateway(&profile)?;
    let store = context.store(&profile).await?;
    let accounts = context.accounts(&store).await?;
    let plan = Plan::second_login(context, &args, &accounts)?;
    drive(context, &profile, gateway, store, accounts, plan, false, None).await
}

/// Runs an engine for the plan's wishes, or for a conveyor, and ends it when each is over and the bots have been told.
#[expect(clippy::too_many_arguments, reason = "all that a command has gathered")]
async fn drive(
    context: &Context,
    profile: &Profile,
    gateway: Gateway,
    store: Store,
    accounts: Vec<Account>,
    plan: Plan,
    show_payload: bool,
    belt: Option<Belt>,
) -> Result<Exit, Failure> {
    let mut options = stage::engine_options(context, profile, true)?;
    options.interval = None;
    options.ring_at_once = belt.as_ref().map_or(0, Belt::at_once);
    options.waits_for_token = false;
    options.renewal = Renewal::Times(plan.renew);
    options.no_codes = plan.unseen.is_some();
    options.show_resumed = plan.resume.is_some();
    options.revive.clone_from(&plan.resume);
    if stage::needs_password(profile.dialect.value) {
        let password = context.config.password(profile).map_err(|error| Failure::config(context.lang, &error))?;
        options.password = password.map(|password| password.value);
    }
    // Alone, it sees to it that the bots get what it brings; else whoever stays does.
    options.is_patient = is_alone(&store).await;
    let mut interrupts = signals::interrupts();
    let (tell, mut events) = unbounded_channel();
    let sink: Sink = Arc::new(move |event| {
        // Events that nobody waits for any more: the command is over.
        let _ = tell.send(event);
    });
    let (engine, ended) = Engine::start(options, gateway, store.clone(), Some(accounts), sink);
    suspend::watch(vec![engine.clone()]).map_err(|error| Failure::io("signals", &error))?;
    let printer = Printer { profile: profile.name.clone(), lang: context.lang, show_payload };
    let board = Board::new(paper(context));
    let ports = Ports {
        send: &|command| engine.send(command),
        data: &|text| {
            if !text.is_empty() {
                // A reader that has gone away does not end a login.
                out::line(text);
            }
        },
        words: &out::say,
        draw: &|picture| draw(&board, picture),
        png: &|code| qr::png::png(code).map_err(|error| error.to_string()),
        ask: login::ask_here(),
    };
    let exit = match belt {
        Some(belt) => {
            all_offline::drive(belt, plan, &ports, &printer, context.json, &mut events, &mut interrupts).await
        }
        None => login::drive(plan, &ports, &printer, context.json, &mut events, &mut interrupts).await,
    };
    engine.send(Command::Stop);
    let done = async {
        // How it ended does not matter here.
        let _ = ended.await;
        store.close().await;
    };
    let long = async {
        tokio::time::sleep(LONG).await;
        if exit == Exit::Done {
            out::say(&context.t("cli.bots.waiting"));
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = done => {}
        // A second signal does not wait for the bots; the outbox keeps what they have not been told.
        _ = interrupts.recv() => {}
        () = long => {}
    }
    Ok(exit)
}

/// Whether nobody else is there who tells the bots what waits for them.
async fn is_alone(store: &Store) -> bool {
    // Where the store does not say so, somebody may be.
    store.watchers().await.is_ok_and(|watchers| watchers.observer.is_none())
}

/// What a login's code is drawn on: asks the terminal, once, where a code may come.
fn paper(context: &Context) -> Paper {
    let terminal = !context.json && board::is_paper();
    let layout = context.config.ui.qr_layout.value;
    let able = if terminal && matches!(layout, QrLayout::Auto | QrLayout::Image) {
        out::settle();
        probe::ask()
    } else {
        capabilities::of_process()
    };
    Paper { terminal, able, layout, lang: context.lang }
}

/// Draws; words that went under the code are told again where stderr is no terminal.
fn draw(board: &Board, picture: Draw<'_>) -> bool {
    let (taken, words) = match picture {
        Draw::Code(code, words) => (board.show(code, words), words),
        Draw::Words(words) => (board.say(words), words),
        Draw::Cover(words) => (board.cover(words), words),
        Draw::Leave => {
            board.cover("");
            board.leave();
            return false;
        }
    };
    if taken && !words.is_empty() && !std::io::stderr().is_terminal() {
        out::say(words);
    }
    taken
}

/// `saoma keys`
pub fn keys(context: &Context) -> Result<Exit, Failure> {
    let keymap = screen::keymap(context)?;
    let rows: Vec<(String, &str, String)> = TABLE
        .iter()
        .map(|info| (keymap.labels(info.action), info.action.id(), context.t(&info.action.doc_key())))
        .collect();
    if context.json {
        let list: Vec<serde_json::Value> =
            rows.iter().map(|(keys, id, doc)| serde_json::json!({"keys": keys, "action": id, "does": doc})).collect();
        let mut map =
            objects::event("keys", now(), context.config.profile_name().ok().flatten().as_deref().unwrap_or_default());
        map.insert("keys".into(), list.into());
        out::object(map)?;
        return Ok(Exit::Done);
    }
    let width = rows.iter().map(|(keys, ..)| text::width(keys)).max().unwrap_or_default();
    let names = rows.iter().map(|(_, id, _)| text::width(id)).max().unwrap_or_default();
    let lines: String = rows
        .iter()
        .map(|(keys, id, doc)| format!("{}  {}  {doc}\n", text::fit(keys, width), text::fit(id, names)))
        .collect();
    out::data(&lines).map(|()| Exit::Done)
}

/// `saoma completions SHELL`, with the words in the language in use.
pub fn completions(shell: clap_complete::Shell, lang: Lang) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut help::command(lang), "saoma", &mut script);
    out::data(&String::from_utf8_lossy(&script)).map(|()| Exit::Done)
}
