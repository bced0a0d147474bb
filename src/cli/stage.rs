//! What works behind the TUI: a thread with the tokio runtime, on which the engine runs and sign-ins are made.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::context::Context;
use super::fail::Failure;
use super::pictures::Pictures;
use super::sign_in::{self, sign_in};
use crate::config::{Origin, Profile, Sourced};
use crate::engine::api::{Command, Event};
use crate::engine::{Engine, Listen, Options, Renewal, Secret, Sink, Webhook, WebhookKey};
use crate::gateway::{self, Gateway};
use crate::i18n::t;
use crate::model::{Account, Dialect};
use crate::store::Store;
use crate::tui::{self, Backstage, DemoPhone, Effect, Inbox, Msg, SignInForm};

/// How often an expired code is renewed while somebody is there (design.md §4).
pub const RENEWALS: u8 = 5;
/// How long somebody counts as there after a key.
const SOMEBODY: Duration = Duration::from_secs(300);
/// How long a program that was asked to quit waits for what is on its way into the store.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How long one that is about to be stopped waits for what it holds to be given up.
const GIVE_UP: Duration = Duration::from_millis(500);
/// How long one that was told to end by a signal does.
const LAST_BLINK: Duration = Duration::from_millis(40);

/// An engine's makings: whose, with which rows.
#[derive(Debug)]
pub struct Parts {
    /// Engine options.
    pub options: Options,
    /// The gateway, with its token if there is one.
    pub gateway: gateway::Options,
    /// The profile's rows.
    pub store: Store,
    /// What the first frame showed, if that was all; else the engine reads and tells them.
    pub accounts: Option<Vec<Account>>,
}

/// What makes the simulated phones act, in the demo.
pub type Phones = Box<dyn Fn(DemoPhone, &Inbox) + Send>;

/// Where sign-ins of the TUI's form go.
#[derive(Debug)]
pub struct Home {
    /// The settings.
    pub context: Context,
    /// The profile in use, if there is one.
    pub profile: Option<Profile>,
}

enum Job {
    Command(Command),
    SignIn(SignInForm),
    Demo(DemoPhone),
}

/// See the module. Dropped, it ends the engine.
#[derive(Debug)]
pub struct Stage {
    jobs: UnboundedSender<Job>,
    pictures: Pictures,
}

/// Tells when everything behind the TUI has ended.
#[derive(Debug)]
pub struct Ended(mpsc::Receiver<()>);

impl Ended {
    /// Waits for what is on its way into the store: a moment after a quit; a blink after a signal or a hang-up, since
    /// the store survives any end.
    pub fn wait(&self, exit: tui::Exit) {
        let patience = if exit == tui::Exit::Quit { LAST_WAIT } else { LAST_BLINK };
        // Both an end and the end of patience are an end.
        let _ = self.0.recv_timeout(patience);
    }
}

/// The two ends of the word that everything has ended.
pub fn ending() -> (mpsc::Sender<()>, Ended) {
    let (tell, told) = mpsc::channel();
    (tell, Ended(told))
}

impl Stage {
    /// Starts the thread. `parts` are made on it, since a token may come from a command that takes its time; `ended` is
    /// dropped with the last of it.
    pub fn start(
        runtime: Runtime,
        inbox: Inbox,
        home: Home,
        parts: impl FnOnce(&Home) -> Result<Option<Parts>, Failure> + Send + 'static,
        phones: Option<Phones>,
        ended: mpsc::Sender<()>,
    ) -> Self {
        let (jobs, inlet) = unbounded_channel();
        let complaints = inbox.clone();
        let context = &home.context;
        let pictures = Pictures::new(inbox.clone(), context.config.paths.state.clone(), context.lang);
        let work = move || {
            let back = Back { inbox, home, phones, running: None };
            runtime.block_on(back.run(parts, inlet));
            runtime.shutdown_background();
            drop(ended);
        };
        if let Err(error) = thread::Builder::new().name("engine".to_owned()).spawn(work) {
            complaints.send(Msg::Notice { message: error.to_string() });
        }
        Self { jobs, pictures }
    }
}

impl Backstage for Stage {
    fn perform(&mut self, effect: Effect) {
        let job = match effect {
            Effect::Engine(command) => Job::Command(command),
            Effect::SignIn(form) => Job::SignIn(form),
            Effect::Demo(phone) => Job::Demo(phone),
            Effect::WritePng { login, wc_id, code } => return self.pictures.write(login, wc_id.as_ref(), code),
            Effect::RemovePng { login } => return self.pictures.remove(login),
            // The loop does these itself.
            Effect::Copy(_)
            | Effect::Bell
            | Effect::Notify { .. }
            | Effect::Repaint
            | Effect::Suspend
            | Effect::Quit => return,
        };
        let _ = self.jobs.send(job);
    }

    fn give_up(&mut self) {
        let (tell, told) = mpsc::channel();
        let _ = self.jobs.send(Job::Command(Command::GiveUp { told: tell }));
        // An engine that does not answer is found out by the others, only later. Without one nobody holds the other end.
        let _ = told.recv_timeout(GIVE_UP);
    }

    fn come_back(&mut self) {
        let _ = self.jobs.send(Job::Command(Command::ComeBack));
    }
}

/// An engine, its end, and the store that is closed after it.
struct Running {
    engine: Engine,
    ended: JoinHandle<()>,
    store: Store,
}

struct Back {
    inbox: Inbox,
    home: Home,
    phones: Option<Phones>,
    running: Option<Running>,
}

impl Back {
    async fn run(
        mut self,
        parts: impl FnOnce(&Home) -> Result<Option<Parts>, Failure>,
        mut jobs: UnboundedReceiver<Job>,
    ) {
        match parts(&self.home) {
            Ok(Some(parts)) => self.start_engine(parts).await,
            Ok(None) => {}
            Err(failure) => self.inbox.send(Msg::Notice { message: failure.words() }),
        }
        while let Some(job) = jobs.recv().await {
            match job {
                Job::Command(command) => {
                    if let Some(Running { engine, .. }) = &self.running {
                        engine.send(command);
                    }
                }
                Job::SignIn(form) => self.sign_in(form).await,
                Job::Demo(phone) => {
                    if let Some(phones) = &self.phones {
                        phones(phone, &self.inbox);
                    }
                }
            }
        }
        self.stop_engine().await;
    }

    async fn start_engine(&mut self, parts: Parts) {
        self.stop_engine().await;
        let gateway = match Gateway::new(parts.gateway) {
            Ok(gateway) => gateway,
            Err(error) => {
                let failure = Failure::gateway(self.home.context.lang, &error);
                return self.inbox.send(Msg::Notice { message: failure.words() });
            }
        };
        let inbox = self.inbox.clone();
        let sink: Sink = Arc::new(move |event| inbox.send(Msg::Engine(event)));
        let store = parts.store.clone();
        let (engine, ended) = Engine::start(parts.options, gateway, parts.store, parts.accounts, sink);
        self.running = Some(Running { engine, ended, store });
    }

    async fn stop_engine(&mut self) {
        if let Some(Running { engine, ended, store }) = self.running.take() {
            engine.send(Command::Stop);
            let _ = ended.await;
            // What the journal still holds of erased secrets goes with it.
            store.close().await;
        }
    }

    async fn sign_in(&mut self, form: SignInForm) {
        match self.try_sign_in(form).await {
            Ok(profile) => self.inbox.send(Msg::SignedIn { profile }),
            Err(failure) => self.inbox.send(Msg::SignInFailed { message: failure.words() }),
        }
    }

    /// Gets a token, keeps it, and goes on with it: with the engine that runs if it is the same platform account,
    /// else with one of its own.
    async fn try_sign_in(&mut self, form: SignInForm) -> Result<String, Failure> {
        let context = &self.home.context;
        let lang = context.lang;
        let gateway = gateway::base_url(&form.gateway).map_err(|error| Failure::gateway(lang, &error))?;
        let profile = profile_of(&form, gateway, self.home.profile.as_ref());
        let signed_in = sign_in(lang, &context.config, &profile, &form.password, form.keep_password).await?;
        let same = self.home.profile.as_ref().is_some_and(|before| before.id() == profile.id());
        match &self.running {
            Some(Running { engine, .. }) if same => engine.send(Command::Token { token: signed_in.reply.token }),
            Some(_) | None => {
                let store = context.store(&profile).await?;
                let accounts = context.accounts(&store).await?;
                let mut options = engine_options(context, &profile, true)?;
                options.password = form.keep_password.then(|| form.password.clone());
                let gateway = gateway::Options {
                    base: profile.gateway.value.clone(),
                    dialect: profile.dialect.value,
                    token: Some(signed_in.reply.token),
                    http_proxy: profile.http_proxy.clone(),
                };
                self.inbox.send(Msg::Engine(Event::Accounts(accounts.clone())));
                self.start_engine(Parts { options, gateway, store, accounts: Some(accounts) }).await;
            }
        }
        let name = profile.name.clone();
        self.home.profile = Some(profile);
        Ok(name)
    }
}

/// The profile that the form describes, on top of the one in use.
fn profile_of(form: &SignInForm, gateway: String, before: Option<&Profile>) -> Profile {
    let given = |value| Sourced::new(value, Origin::Flag("form"));
    Profile {
        name: before.map_or_else(|| "default".to_owned(), |before| before.name.clone()),
        gateway: given(gateway),
        dialect: Sourced::new(form.dialect, Origin::Flag("form")),
        account: given(form.account.trim().to_owned()),
        token_command: before.and_then(|before| before.token_command.clone()),
        password_command: before.and_then(|before| before.password_command.clone()),
        device: before.map(|before| before.device.clone()).unwrap_or_default(),
        proxy_password_command: before.and_then(|before| before.proxy_password_command.clone()),
        http_proxy: before.and_then(|before| before.http_proxy.clone()),
        in_file: before.is_some_and(|before| before.in_file),
    }
}

/// The webhook, if there is one. Its key is asked for when there is something to sign.
fn webhook(context: &Context) -> Option<Webhook> {
    let alerts = context.config.alerts.clone();
    let url = alerts.webhook.clone()?.0;
    let lang = context.lang;
    let secret = alerts.is_signed().then(|| {
        WebhookKey(Arc::new(move || match alerts.webhook_secret() {
            Ok(Some(secret)) => Ok(secret),
            // Signed it is to be: never without.
            Ok(None) => Err(t(lang, "cli.watch.no_key").into_owned()),
            Err(error) => Err(error.message(lang)),
        }))
    });
    Some(Webhook { url, secret })
}

/// The engine's options for the TUI on a profile. Fails when the password of its own proxy cannot be got.
pub fn engine_options(context: &Context, profile: &Profile, has_token: bool) -> Result<Options, Failure> {
    let failed = |error| Failure::config(context.lang, &error);
    let device = profile.device().map_err(failed)?;
    // Registering asks the gateway whom it calls now, which only a sign-in tells.
    let registers = context.config.watch.listen.as_ref().is_some_and(|listen| listen.register);
    let password = if registers { context.config.password(profile).map_err(failed)? } else { None };
    Ok(Options {
        account: profile.account.value.clone(),
        dialect: profile.dialect.value,
        password: password.map(|password| password.value),
        has_token,
        interval: Some(context.config.watch.interval.value),
        offline_after: u8::try_from(context.config.watch.offline_after.value).unwrap_or(u8::MAX),
        alert_command: context.config.alerts.command.clone(),
        webhook: webhook(context),
        alert_events: context.config.alerts.events.clone(),
        role: context.role,
        listen: listen(context)?,
        device,
        renewer: sign_in::renewer(context, profile),
        stored_token: sign_in::stored_token(context, profile),
        waits_for_token: true,
        renewal: Renewal::WhileSomebodyIsThere { times: RENEWALS, within: SOMEBODY },
        show_resumed: true,
        revive: None,
        lang: context.lang,
        wall_offset_ms: Arc::default(),
        ..Options::default()
    })
}

/// Where notices are listened for, if the config says so.
fn listen(context: &Context) -> Result<Option<Listen>, Failure> {
    let Some(listen) = &context.config.watch.listen else { return Ok(None) };
    let secret = context.config.notice_secret().map_err(|error| Failure::config(context.lang, &error))?;
    Ok(Some(Listen {
        address: listen.address.value,
        secret: Secret(secret),
        forward: listen.forward.clone(),
        public_url: listen.public_url.clone(),
        register: listen.register,
    }))
}

/// Whether the password is of any use: only V1's list asks for it (protocol.md §3.8).
pub const fn needs_password(dialect: Dialect) -> bool {
    !dialect.lists_w_ids()
}
