//! The hub: the one task that owns the accounts, the running logins and the judge.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::{Command, Event, Fleet, LoginEvent, LoginStep, Token, Way};
use super::attempt::{FromLogin, Runner, is_suspect};
use super::login::{Input, Machine, Remains, Wish};
use super::presence::{Judge, is_stale, taken_offline};
use super::shared::Shared;
use super::{Sink, alerts};
use crate::gateway::{Error, Kind};
use crate::i18n::tf;
use crate::model::{Account, Attempt, AttemptId, AttemptState, Presence, Reason, Stamp, WId, WcId};
use crate::store::{Begun, Stored};

/// The interval that staleness is reckoned with where no list is asked regularly.
const USUAL_INTERVAL: Duration = Duration::from_secs(30);
/// Between two lists that must agree.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The longest pause between lists while they fail.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// More changed accounts than this are read in one go.
const MANY: usize = 200;
/// How long a success may take into the store at the end.
const LAST_STORE: Duration = Duration::from_secs(5);
/// How long the bots may take at the end.
const LAST_DELIVERY: Duration = Duration::from_secs(40);

/// A fleet list as [`Shared::list`] gives it.
type List = Option<Result<Vec<(WcId, Option<WId>)>, Error>>;

/// What comes back from the calls the hub makes itself.
enum News {
    /// The fleet list was answered; `None`: no list can be asked.
    Listed { at: Stamp, result: List, rejected: bool },
    /// `member/offline` was answered.
    TakenOffline { at: Stamp, wc_ids: Vec<WcId>, result: Result<(), Error> },
    /// Another process may have written.
    StoreChanged,
    /// A part without a channel of its own failed.
    Fault(String),
}

/// A login under way in this process.
struct Login {
    wc_id: Option<WcId>,
    abandoned: bool,
    to: UnboundedSender<Input>,
}

/// See the module.
pub(super) struct Hub {
    shared: Arc<Shared>,
    sink: Sink,
    commands: UnboundedReceiver<Command>,
    accounts: HashMap<WcId, Account>,
    logins: HashMap<AttemptId, Login>,
    runners: TaskTracker,
    judge: Judge,
    seq: i64,
    from_logins: (UnboundedSender<FromLogin>, UnboundedReceiver<FromLogin>),
    news: (UnboundedSender<News>, UnboundedReceiver<News>),
    kick: Arc<Notify>,
    closing: CancellationToken,
    token: Option<Token>,
    fleet: Option<Fleet>,
    asking: bool,
    ask_again: bool,
    next_list: Option<Instant>,
    failures: u32,
    last_fault: Option<String>,
}

impl Hub {
    pub(super) fn new(shared: Arc<Shared>, sink: Sink, commands: UnboundedReceiver<Command>) -> Self {
        let judge = Judge::new(shared.options.offline_after);
        Self {
            shared,
            sink,
            commands,
            accounts: HashMap::new(),
            logins: HashMap::new(),
            runners: TaskTracker::new(),
            judge,
            seq: 0,
            from_logins: unbounded_channel(),
            news: unbounded_channel(),
            kick: Arc::new(Notify::new()),
            closing: CancellationToken::new(),
            token: None,
            fleet: None,
            asking: false,
            ask_again: false,
            next_list: None,
            failures: 0,
            last_fault: None,
        }
    }

    pub(super) async fn run(mut self, accounts: Option<Vec<Account>>) {
        let watch = self.watch_store();
        self.seq = self.shared.store.seq();
        match accounts {
            Some(accounts) => self.accounts = by_wc_id(accounts),
            None => self.read_all().await,
        }
        if !self.shared.options.has_token {
            self.set_token(Token::Missing);
        }
        self.take_over_orphans().await;
        let alerts = self.start_alerts();
        if self.shared.options.interval.is_some() {
            self.next_list = Some(Instant::now());
        }
        loop {
            let next_list = self.next_list.filter(|_| !self.asking);
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Stop) | None => break,
                    Some(command) => self.command(command).await,
                },
                Some(news) = self.from_logins.1.recv() => self.login_told(news).await,
                Some(news) = self.news.1.recv() => self.news(news).await,
                () = sleep_until(next_list), if next_list.is_some() => self.ask_list(false).await,
            }
        }
        self.stop(watch, alerts).await;
    }

    async fn stop(mut self, watch: tokio::task::JoinHandle<()>, alerts: Option<tokio::task::JoinHandle<()>>) {
        watch.abort();
        // The logins leave their rows to whoever resumes them; a success that is on its way into the store gets there.
        self.logins.clear();
        self.runners.close();
        let _ = tokio::time::timeout(LAST_STORE, self.runners.wait()).await;
        while let Ok(news) = self.from_logins.1.try_recv() {
            match news {
                FromLogin::Told(..) | FromLogin::Swapped(..) => self.login_told(news).await,
                FromLogin::Abandoned(_)
                | FromLogin::Twin(..)
                | FromLogin::Token(_)
                | FromLogin::StoreFailed(_)
                | FromLogin::Over(_) => {}
            }
        }
        if let Some(alerts) = alerts {
            self.closing.cancel();
            let _ = tokio::time::timeout(LAST_DELIVERY, alerts).await;
        }
        self.tell(Event::Stopped);
    }

    fn watch_store(&self) -> tokio::task::JoinHandle<()> {
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let mut watch = match shared.store.watch() {
                Ok(watch) => watch,
                Err(error) => {
                    let words = tf(shared.options.lang, "engine.watch_failed", &[("error", &error.to_string())]);
                    let _ = news.send(News::Fault(words));
                    return;
                }
            };
            loop {
                watch.changed().await;
                if news.send(News::StoreChanged).is_err() {
                    return;
                }
            }
        })
    }

    fn start_alerts(&self) -> Option<tokio::task::JoinHandle<()>> {
        self.shared.options.alert_command.as_ref()?;
        let (shared, kick, news) = (Arc::clone(&self.shared), Arc::clone(&self.kick), self.news.0.clone());
        let lang = shared.options.lang;
        let closing = self.closing.clone();
        Some(tokio::spawn(alerts::run(shared, kick, closing, move |error| {
            let _ = news.send(News::Fault(tf(lang, "engine.hook_failed", &[("error", &error)])));
        })))
    }

    fn tell(&self, event: Event) {
        (self.sink)(event);
    }

    /// Said once per cause, until something else fails.
    fn fault(&mut self, message: String) {
        if self.last_fault.as_ref() != Some(&message) {
            tracing::warn!(%message, "fault");
            self.tell(Event::Fault { message: message.clone().into() });
            self.last_fault = Some(message);
        }
    }

    fn store_failed(&mut self, error: &str) {
        self.fault(tf(self.shared.options.lang, "engine.store_failed", &[("error", error)]));
    }

    // ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────

    async fn command(&mut self, command: Command) {
        match command {
            Command::Login { wc_id, way } => self.login(wc_id, way).await,
            Command::Cancel { attempt } => self.to_login(&attempt, Input::Cancel),
            Command::VerifyCode { attempt, code } => self.to_login(&attempt, Input::VerifyCode(code)),
            Command::SomebodyIsThere => self.shared.somebody_is_there(),
            Command::Refresh => self.ask_list(true).await,
            Command::Offline { wc_ids } => self.take_offline(wc_ids),
            Command::AddAccount { wc_id } => self.add_account(wc_id).await,
            Command::Token { token } => self.use_token(token).await,
            // Taken by the loop.
            Command::Stop => {}
        }
    }

    fn to_login(&self, attempt: &AttemptId, input: Input) {
        if let Some(login) = self.logins.get(attempt) {
            let _ = login.to.send(input);
        }
    }

    async fn login(&mut self, wc_id: Option<WcId>, way: Way) {
        self.shared.somebody_is_there();
        if let Some(attempt) = self.open_login(wc_id.as_ref()) {
            return self.tell(Event::Busy { wc_id, attempt: Some(attempt) });
        }
        if matches!(self.token, Some(Token::Missing)) {
            return self.tell(Event::Rejected { wc_id, reason: Reason::TokenRejected, gateway_message: None });
        }
        let machine = Machine::new(Wish {
            wc_id: wc_id.clone(),
            way,
            dialect: self.shared.options.dialect,
            renewals: self.shared.options.renewal.times(),
            first_night: wc_id.as_ref().and_then(|wc_id| self.accounts.get(wc_id)).is_some_and(Account::is_first_drop),
        });
        let at = self.shared.now().wall;
        match self.shared.store.begin_attempt(wc_id.as_ref(), machine.first_rung(), at).await {
            Ok(Begun::Started(id)) => {
                self.spawn(id, wc_id, machine);
                self.take_over_orphans().await;
            }
            Ok(Begun::Busy(_)) => self.tell(Event::Busy { wc_id, attempt: None }),
            Err(error) => {
                self.store_failed(&error.to_string());
                self.tell(Event::Rejected { wc_id, reason: Reason::Interrupted, gateway_message: None });
            }
        }
    }

    /// The open login of this process on an account; for `None`, the one of a new account.
    fn open_login(&self, wc_id: Option<&WcId>) -> Option<AttemptId> {
        self.logins
            .iter()
            .find(|(_, login)| !login.abandoned && login.wc_id.as_ref() == wc_id)
            .map(|(id, _)| id.clone())
    }

    fn spawn(&mut self, id: AttemptId, wc_id: Option<WcId>, machine: Machine) {
        let (to, inbox) = unbounded_channel();
        let abandoned = machine.is_abandoned();
        self.logins.insert(id.clone(), Login { wc_id: wc_id.clone(), abandoned, to });
        let (shared, hub) = (Arc::clone(&self.shared), self.from_logins.0.clone());
        self.runners.spawn(Runner { id, wc_id, machine, shared, hub, inbox }.run());
    }

    fn take_offline(&self, wc_ids: Vec<WcId>) {
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let at = shared.now().wall;
            let result = shared.gateway.member_offline(&shared.options.account, &wc_ids).await;
            let _ = news.send(News::TakenOffline { at, wc_ids, result });
        });
    }

    async fn add_account(&mut self, wc_id: WcId) {
        let at = self.shared.now().wall;
        match self.shared.store.put_account(&wc_id, &crate::store::Edit::default(), at).await {
            Ok(_) => self.read_one(&wc_id).await,
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    async fn use_token(&mut self, token: SecretString) {
        self.shared.set_token(token);
        self.token = None;
        self.ask_list(false).await;
    }

    // ── Logins ───────────────────────────────────────────────────────────────────────────────────────────────────

    async fn login_told(&mut self, news: FromLogin) {
        match news {
            FromLogin::Told(attempt, step) => self.told(attempt, step),
            FromLogin::Swapped(attempt, stored) => self.swapped(&attempt, *stored),
            FromLogin::Abandoned(attempt) => {
                if let Some(login) = self.logins.get_mut(&attempt) {
                    login.abandoned = true;
                }
            }
            FromLogin::Twin(twin, remains, wc_id) => {
                let machine = Machine::resumed(self.wish_of(wc_id.clone()), remains, false);
                self.spawn(twin, wc_id, machine);
            }
            FromLogin::Token(taken) => self.set_token(if taken { Token::Ok } else { Token::Rejected }),
            FromLogin::StoreFailed(error) => self.store_failed(&error),
            FromLogin::Over(attempt) => {
                let wc_id = self.logins.remove(&attempt).and_then(|login| login.wc_id);
                if let Some(wc_id) = wc_id {
                    self.read_one(&wc_id).await;
                }
            }
        }
    }

    fn wish_of(&self, wc_id: Option<WcId>) -> Wish {
        Wish {
            wc_id,
            way: Way::Qr,
            dialect: self.shared.options.dialect,
            renewals: self.shared.options.renewal.times(),
            first_night: false,
        }
    }

    fn told(&mut self, attempt: AttemptId, step: LoginStep) {
        if let Some(login) = self.logins.get_mut(&attempt).filter(|_| step.ends()) {
            login.abandoned = true;
        }
        let wc_id = self.logins.get(&attempt).and_then(|login| login.wc_id.clone());
        let account = wc_id.as_ref().and_then(|wc_id| self.accounts.get(wc_id)).map_or("", Account::name).into();
        tracing::info!(attempt = %attempt, step = step_name(&step), "login");
        self.tell(Event::Login(LoginEvent { attempt, wc_id, account, at: self.shared.now().wall, step }));
    }

    /// A wId was swapped: everybody who should know is told, and older wishes on the account are over.
    fn swapped(&mut self, attempt: &AttemptId, stored: Stored) {
        let wc_id = stored.account.wc_id.clone();
        self.judge.logged_in(&wc_id);
        self.kick.notify_one();
        if let Some(login) = self.logins.get_mut(attempt)
            && login.wc_id.is_none()
        {
            login.wc_id = Some(wc_id.clone());
        }
        self.account_changed(stored.account);
        if stored.current {
            self.supersede(&wc_id, Some(attempt));
        }
    }

    /// Ends every other open login of an account: it is online now.
    fn supersede(&self, wc_id: &WcId, except: Option<&AttemptId>) {
        for (id, login) in &self.logins {
            if Some(id) != except && !login.abandoned && login.wc_id.as_ref() == Some(wc_id) {
                let _ = login.to.send(Input::Supersede);
            }
        }
    }

    /// Goes on with the attempts of processes that are dead.
    async fn take_over_orphans(&mut self) {
        let attempts = match self.shared.store.attempts().await {
            Ok(attempts) => attempts,
            Err(error) => return self.store_failed(&error.to_string()),
        };
        for attempt in attempts {
            let ours = attempt.owner == *self.shared.store.owner();
            if ours || self.shared.store.is_alive(&attempt.owner) {
                continue;
            }
            match self.shared.store.take_over(&attempt.id).await {
                Ok(true) => self.resume(attempt).await,
                Ok(false) => {}
                Err(error) => self.store_failed(&error.to_string()),
            }
        }
    }

    async fn resume(&mut self, attempt: Attempt) {
        tracing::info!(attempt = %attempt.id, rung = attempt.rung.name(), "taking over");
        let known_w_id =
            attempt.wc_id.as_ref().and_then(|wc_id| self.accounts.get(wc_id)).and_then(|account| account.w_id.clone());
        let revived = self.shared.options.revive.as_ref() == Some(&attempt.id);
        // A person who has started a new login meanwhile looks at that one.
        let busy = self.open_login(attempt.wc_id.as_ref()).is_some();
        let remains = Remains {
            rung: attempt.rung,
            w_id: attempt.w_id,
            image_url: attempt.image_url,
            deadline: attempt.deadline,
            requested_at: attempt.requested_at,
            abandoned: busy || (attempt.state == AttemptState::Abandoned && !revived),
            known_w_id,
            orphan: true,
        };
        let machine = Machine::resumed(self.wish_of(attempt.wc_id.clone()), remains, self.shared.options.show_resumed);
        // What goes on unseen must not stand in the way of whoever wants to log the account in now.
        if machine.is_abandoned()
            && attempt.state == AttemptState::Open
            && let Err(error) = self.shared.store.abandon_attempt(&attempt.id).await
        {
            self.store_failed(&error.to_string());
        }
        self.spawn(attempt.id, attempt.wc_id, machine);
    }

    // ── Presence ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// Asks the fleet list; `wished`: a person waits for it.
    async fn ask_list(&mut self, wished: bool) {
        if self.asking {
            self.ask_again |= wished;
            return;
        }
        self.asking = true;
        if wished {
            self.tell(Event::Fleet(Fleet::Asking));
            // Whatever comes is told, also when nothing changed: somebody asked.
            self.fleet = None;
        }
        self.take_over_orphans().await;
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let at = shared.now().wall;
            let result = shared.list().await;
            let suspect = matches!(&result, Some(Err(error)) if is_suspect(error));
            let rejected = suspect && shared.is_token_rejected().await;
            let _ = news.send(News::Listed { at, result, rejected });
        });
    }

    async fn news(&mut self, news: News) {
        match news {
            News::Listed { at, result, rejected } => {
                self.asking = false;
                self.listed(at, result, rejected).await;
                if std::mem::take(&mut self.ask_again) {
                    self.ask_list(true).await;
                }
            }
            News::TakenOffline { at, wc_ids, result } => self.taken_offline(at, wc_ids, result).await,
            News::StoreChanged => {
                // What a process that died has left in the outbox is told from here.
                self.kick.notify_one();
                self.store_changed().await;
            }
            News::Fault(message) => self.fault(message),
        }
    }

    async fn listed(&mut self, at: Stamp, result: List, rejected: bool) {
        match result {
            None => {
                self.set_fleet(Fleet::NeedsPassword);
                self.next_list = None;
            }
            Some(Ok(entries)) => {
                self.failures = 0;
                self.set_token(Token::Ok);
                let look_again = self.judge_list(at, &entries).await;
                self.set_fleet(Fleet::Ok { at });
                self.schedule(look_again.then_some(LOOK_AGAIN));
            }
            Some(Err(error)) => {
                self.failures = self.failures.saturating_add(1);
                if rejected {
                    self.set_token(Token::Rejected);
                }
                self.list_failed(&error).await;
                self.schedule(None);
            }
        }
    }

    /// The next list: soon, or after the interval with ±10 % jitter, longer while lists fail.
    fn schedule(&mut self, soon: Option<Duration>) {
        let Some(interval) = self.shared.options.interval else {
            self.next_list = soon.map(|pause| Instant::now() + pause);
            return;
        };
        let factor = 1_u32 << self.failures.min(2);
        let longest = LONGEST_PAUSE.max(interval);
        let pause = soon.unwrap_or_else(|| {
            interval
                .saturating_mul(if self.failures == 0 { 1 } else { factor / 2 })
                .min(longest)
                .mul_f64(0.9 + 0.2 * fastrand::f64())
        });
        self.next_list = Some(Instant::now() + pause);
    }

    /// Returns whether a second list should settle something soon.
    async fn judge_list(&mut self, at: Stamp, entries: &[(WcId, Option<WId>)]) -> bool {
        let busy: HashSet<WcId> =
            self.logins.values().filter(|login| !login.abandoned).filter_map(|login| login.wc_id.clone()).collect();
        let judgement = self.judge.list(at, entries, self.accounts.values(), &busy);
        let was_stale = self.accounts.values().any(|account| account.stale);
        match self.shared.store.note_list(at, &judgement.verdicts, &judgement.unknown).await {
            Ok(changed) => {
                for account in changed {
                    self.presence_changed(account, at);
                }
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
        if !judgement.confirm.is_empty() {
            match self.shared.store.confirm_w_ids(&judgement.confirm).await {
                Ok(changed) => {
                    for account in changed {
                        self.account_changed(account);
                    }
                }
                Err(error) => self.store_failed(&error.to_string()),
            }
        }
        for (wc_id, w_id, since) in judgement.adopt {
            self.adopt(&wc_id, &w_id, since, at).await;
        }
        if was_stale {
            self.read_all().await;
        } else {
            self.freshen(at);
        }
        judgement.look_again
    }

    /// A list confirms what is believed of everybody: the copies here age like the store's rows.
    fn freshen(&mut self, at: Stamp) {
        for account in self.accounts.values_mut().filter(|account| account.presence != Presence::Unknown) {
            account.observed_at = account.observed_at.max(Some(at));
        }
    }

    fn presence_changed(&mut self, account: Account, at: Stamp) {
        let before = self.accounts.get(&account.wc_id).map(|before| before.presence);
        let (wc_id, name, now) = (account.wc_id.clone(), account.name().into(), account.presence);
        let reason = account.reason.unwrap_or(Reason::Dropped);
        self.account_changed(account);
        match (before, now) {
            (Some(Presence::Online), Presence::Offline) => {
                self.tell(Event::Dropped { wc_id, account: name, reason, at });
            }
            (Some(Presence::Offline), Presence::Online) => self.tell(Event::Recovered { wc_id, account: name, at }),
            _ => {}
        }
    }

    async fn adopt(&mut self, wc_id: &WcId, w_id: &WId, since: Stamp, at: Stamp) {
        match self.shared.store.adopt(None, wc_id, w_id, since).await {
            Ok(Some(stored)) => {
                let account = stored.account.name().into();
                self.account_changed(stored.account);
                self.kick.notify_one();
                self.tell(Event::WIdChanged {
                    wc_id: wc_id.clone(),
                    account,
                    w_id: w_id.clone(),
                    previous_w_id: stored.previous_w_id,
                    at,
                });
            }
            Ok(None) => self.read_one(wc_id).await,
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    async fn list_failed(&mut self, error: &Error) {
        let since = match &self.fleet {
            Some(Fleet::Failing { since, .. }) => *since,
            _ => match self.shared.store.last_list().await {
                Ok(Some(at)) => at,
                Ok(None) | Err(_) => self.shared.now().wall,
            },
        };
        let reason = error.reason();
        self.set_fleet(Fleet::Failing { since, reason, gateway_message: error.gateway_message.clone() });
        if let Kind::Platform(reason) = error.kind {
            tracing::warn!(reason = reason.code(), "platform account");
        }
        let now = self.shared.now().wall;
        let interval = self.shared.options.interval.unwrap_or(USUAL_INTERVAL);
        let aged = self.accounts.values().any(|account| !account.stale && is_stale(account, now, interval));
        if aged {
            self.read_all().await;
        }
    }

    async fn taken_offline(&mut self, at: Stamp, wc_ids: Vec<WcId>, result: Result<(), Error>) {
        if let Err(error) = result {
            if is_suspect(&error) && self.shared.is_token_rejected().await {
                self.set_token(Token::Rejected);
            }
            let wc_id = wc_ids.first().cloned();
            let gateway_message = error.gateway_message.clone();
            return self.tell(Event::Rejected { wc_id, reason: error.reason(), gateway_message });
        }
        for wc_id in &wc_ids {
            self.judge.took_offline(wc_id, at);
        }
        match self.shared.store.note(&taken_offline(&wc_ids, at)).await {
            Ok(changed) => {
                for account in changed {
                    self.account_changed(account);
                }
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
        self.tell(Event::TakenOffline { wc_ids, at });
    }

    // ── What is known ────────────────────────────────────────────────────────────────────────────────────────────

    fn account_changed(&mut self, mut account: Account) {
        account.stale = self.stale(&account);
        if self.accounts.get(&account.wc_id) != Some(&account) {
            self.accounts.insert(account.wc_id.clone(), account.clone());
            self.tell(Event::Account(Box::new(account)));
        }
    }

    fn stale(&self, account: &Account) -> bool {
        let interval = self.shared.options.interval.unwrap_or(USUAL_INTERVAL);
        is_stale(account, self.shared.now().wall, interval)
    }

    async fn read_one(&mut self, wc_id: &WcId) {
        match self.shared.store.account(wc_id).await {
            Ok(Some(account)) => self.account_changed(account),
            Ok(None) => {
                if self.accounts.remove(wc_id).is_some() {
                    self.tell(Event::AccountRemoved(wc_id.clone()));
                }
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    async fn read_all(&mut self) {
        match self.shared.store.accounts().await {
            Ok(mut accounts) => {
                for account in &mut accounts {
                    account.stale = self.stale(account);
                }
                self.accounts = by_wc_id(accounts.clone());
                self.tell(Event::Accounts(accounts));
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    /// Another process has written: read what it changed.
    async fn store_changed(&mut self) {
        let changes = match self.shared.store.changes(self.seq).await {
            Ok(changes) => changes,
            Err(error) => return self.store_failed(&error.to_string()),
        };
        self.seq = changes.seq;
        if changes.wc_ids.len() > MANY {
            return self.read_all().await;
        }
        for wc_id in changes.wc_ids {
            let before = self.accounts.get(&wc_id).and_then(|account| account.last_login_at);
            self.read_one(&wc_id).await;
            let after = self.accounts.get(&wc_id).and_then(|account| account.last_login_at);
            if after > before {
                self.judge.logged_in(&wc_id);
                self.supersede(&wc_id, None);
            }
        }
    }

    fn set_token(&mut self, token: Token) {
        if self.token != Some(token) {
            self.token = Some(token);
            self.tell(Event::Token(token));
        }
    }

    fn set_fleet(&mut self, fleet: Fleet) {
        if self.fleet.as_ref() != Some(&fleet) {
            self.fleet = Some(fleet.clone());
            self.tell(Event::Fleet(fleet));
        }
    }
}

fn by_wc_id(accounts: Vec<Account>) -> HashMap<WcId, Account> {
    accounts.into_iter().map(|account| (account.wc_id.clone(), account)).collect()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The step's name for the log: never its contents.
const fn step_name(step: &LoginStep) -> &'static str {
    match step {
        LoginStep::Started { .. } => "started",
        LoginStep::Resumed { .. } => "resumed",
        LoginStep::Requesting { .. } => "requesting",
        LoginStep::SecondLoginSent { .. } => "second_login_sent",
        LoginStep::SecondLoginFailed { .. } => "second_login_failed",
        LoginStep::Qr { .. } => "qr",
        LoginStep::NoPicture { .. } => "no_picture",
        LoginStep::Waiting => "waiting",
        LoginStep::PollBroken { .. } => "poll_broken",
        LoginStep::Scanned => "scanned",
        LoginStep::VerifyCodeRequired { .. } => "verify_code_required",
        LoginStep::DeviceVerification { .. } => "device_verification",
        LoginStep::LoggedIn { .. } => "logged_in",
        LoginStep::Adopted { .. } => "adopted",
        LoginStep::WrongAccount { .. } => "wrong_account",
        LoginStep::Expired { .. } => "expired",
        LoginStep::Cancelled => "cancelled",
        LoginStep::Superseded => "superseded",
        LoginStep::Failed { .. } => "failed",
    }
}
