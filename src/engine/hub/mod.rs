//! The hub: the one task that owns the accounts, the running logins and the judge.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::{Command, Event, Fleet, Token};
use super::attempt::FromLogin;
use super::login::Input;
use super::notices::Listener;
use super::presence::{Answer, Judge, Rules};
use super::shared::Shared;
use super::{Sink, alerts};
use crate::gateway::{Error, Online};
use crate::i18n::tf;
use crate::model::{Account, AttemptId, Began, Order, Owner, Stamp, WId, WcId};
use crate::store::Changed;

mod commands;
mod conveyor;
mod edits;
mod fleet;
mod hints;
mod history;
mod known;
mod listening;
mod logins;
mod observer;
mod reasons;
mod token;

/// The interval that staleness is reckoned with where no list is asked regularly.
const USUAL_INTERVAL: Duration = Duration::from_secs(30);
/// More changed accounts than this are read in one go.
const MANY: usize = 200;
/// How long a success may take into the store at the end.
const LAST_STORE: Duration = Duration::from_secs(5);
/// The same where the store has not answered in time before that.
const LATE_STORE: Duration = Duration::from_secs(1);
/// How long the bots may take at the end.
const LAST_DELIVERY: Duration = Duration::from_secs(5);
/// The same where somebody waits for them.
const PATIENT_DELIVERY: Duration = Duration::from_secs(40);

/// A fleet list as [`Shared::list`] gives it.
type List = Option<Result<Online, Error>>;

/// What comes back from the calls the hub makes itself.
enum News {
    /// The fleet list was answered; `None`: no list can be asked.
    Listed { began: Began, result: List, rejected: bool },
    /// A list with entries that could not be read was filled in as far as possible.
    ListedWhole { began: Began, list: Online },
    /// Some of those whom this list lacks have answered.
    Asked { began: Began, entries: Vec<(WcId, Option<WId>)>, answers: Vec<(WcId, Answer)> },
    /// A single check was answered.
    Checked { began: Began, wc_id: WcId, w_id: WId, answer: Answer },
    /// `member/offline` was answered.
    TakenOffline { began: Began, wc_ids: Vec<WcId>, result: Result<(), Error>, rejected: bool },
    /// `/offlineReason` was answered.
    OfflineReason { began: Began, wc_id: WcId, result: reasons::Words },
    /// Another process may have written.
    StoreChanged,
    /// The file with the tokens was written.
    TokenStored,
    /// A token of whom nothing is known yet was tried with a harmless call.
    TokenTried { rejected: bool },
    /// The renewer was asked for another token.
    Renewed(Result<SecretString, String>),
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
    /// The living owners of other processes' attempts, when they were last looked at.
    others: HashSet<Owner>,
    renewals: token::Renewals,
    runners: TaskTracker,
    judge: Judge,
    seq: i64,
    from_logins: (UnboundedSender<FromLogin>, UnboundedReceiver<FromLogin>),
    news: (UnboundedSender<News>, UnboundedReceiver<News>),
    kick: Arc<Notify>,
    closing: CancellationToken,
    token: Option<Token>,
    /// The mark of the refused token that was told last.
    told_of_token: Option<String>,
    fleet: Option<Fleet>,
    /// Whether `fleet` was told since somebody asked.
    fleet_told: bool,
    /// Since when the gateway has an outage, as the observer sees it.
    outage: Option<Began>,
    asking: bool,
    /// A list was wanted while one was being asked; whether by a person.
    ask_again: Option<bool>,
    /// The same, due now.
    next_wish: Option<bool>,
    next_list: Option<Instant>,
    /// Since when nobody sees the fleet, if that was told.
    lost: Option<Stamp>,
    /// How old evidence may be, while no list comes and what is believed is old news.
    blind: Option<Duration>,
    /// What this process's own last try for a list came to.
    own_try: observer::OwnTry,
    /// When this process says again that it can act, while it holds attempts.
    lease_due: Option<Instant>,
    /// When a process that has attempts may have stopped being able.
    others_due: Option<Instant>,
    /// Whether this process asks the lists.
    observing: bool,
    /// Whether the next list follows one that a person wished for.
    following: bool,
    /// Whom other processes are logging in, as of the last list's request.
    busy_elsewhere: HashSet<WcId>,
    hints: hints::Hints,
    registered: bool,
    listener: Option<Listener>,
    /// When to try again to listen, and how often that has failed.
    listen_due: Option<Instant>,
    listen_tries: u8,
    /// Taken-over attempts that nobody watches, with the number of their account's last login before.
    orphans: HashMap<AttemptId, Order>,
    failures: u32,
    last_fault: Option<String>,
    /// Whether the store did what it was asked last.
    store_works: bool,
    /// How many entries of the last list could not be read.
    unread: usize,
    /// Whose strips somebody looks at, and whether one of them is another one now.
    strips_of: Vec<WcId>,
    strips_due: bool,
    conveyor: conveyor::Seat,
    /// What the wall clock said when the monotonic one began, as of the last look.
    clock: Option<Stamp>,
}

impl Hub {
    pub(super) fn new(shared: Arc<Shared>, sink: Sink, commands: UnboundedReceiver<Command>) -> Self {
        let (offline_after, checks) = (shared.options.offline_after, shared.options.dialect.lists_w_ids());
        let judge = Judge::new(Rules { offline_after, checks });
        Self {
            shared,
            sink,
            commands,
            accounts: HashMap::new(),
            logins: HashMap::new(),
            others: HashSet::new(),
            renewals: token::Renewals::default(),
            runners: TaskTracker::new(),
            judge,
            seq: 0,
            from_logins: unbounded_channel(),
            news: unbounded_channel(),
            kick: Arc::new(Notify::new()),
            closing: CancellationToken::new(),
            token: None,
            told_of_token: None,
            fleet: None,
            fleet_told: true,
            outage: None,
            lost: None,
            blind: None,
            own_try: observer::OwnTry::default(),
            lease_due: None,
            others_due: None,
            asking: false,
            ask_again: None,
            next_wish: None,
            next_list: None,
            observing: false,
            following: false,
            busy_elsewhere: HashSet::new(),
            hints: hints::Hints::default(),
            registered: false,
            listener: None,
            listen_due: None,
            listen_tries: 0,
            orphans: HashMap::new(),
            failures: 0,
            last_fault: None,
            store_works: true,
            unread: 0,
            strips_of: Vec::new(),
            strips_due: false,
            conveyor: conveyor::Seat::default(),
            clock: None,
        }
    }

    /// Runs until [`Command::Stop`]. A store that answers nobody holds that up for [`LAST_STORE`] at most: what it was asked
    /// then is given up, and is found again at the next start.
    pub(super) async fn run(mut self, accounts: Option<Vec<Account>>, ending: CancellationToken) {
        let watch = self.watch_store();
        let mut alerts = None;
        let late = async {
            ending.cancelled().await;
            tokio::time::sleep(LAST_STORE).await;
        };
        let in_time = tokio::select! {
            () = self.work(accounts, &mut alerts) => true,
            () = late => false,
        };
        watch.abort();
        self.stop(alerts, in_time).await;
    }

    /// What it does until it is to stop. Can be dropped at any point.
    async fn work(&mut self, accounts: Option<Vec<Account>>, alerts: &mut Option<JoinHandle<()>>) {
        self.seq = self.shared.store.seq();
        match accounts {
            Some(accounts) => self.accounts = by_wc_id(accounts),
            None => self.read_all().await,
        }
        self.look_at_the_clock().await;
        if !self.shared.options.has_token {
            self.set_token(Token::Missing);
        }
        self.take_over_orphans().await;
        self.revive().await;
        *alerts = self.start_alerts();
        self.begin_observing().await;
        loop {
            if let Some(wished) = self.next_wish.take() {
                self.ask_list(wished).await;
            }
            let next_list = self.next_list.filter(|_| !self.asking);
            let hints_due = self.hints.due;
            let listen_due = self.listen_due;
            let conveyor = self.conveyor_wake();
            let (lease_due, others_due) = (self.lease_due, self.others_due);
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Stop) | None => return,
                    Some(command) => self.command(command).await,
                },
                Some(news) = self.from_logins.1.recv() => self.login_told(news).await,
                Some(news) = self.news.1.recv() => self.news(news).await,
                Some(heard) = self.hints.heard() => self.heard(heard),
                () = sleep_until(hints_due), if hints_due.is_some() => self.follow_hints().await,
                () = sleep_until(listen_due), if listen_due.is_some() => self.start_listening(),
                () = sleep_until(lease_due), if lease_due.is_some() => self.look_after_lease().await,
                () = sleep_until(others_due), if others_due.is_some() => self.take_over_orphans().await,
                () = sleep_until(next_list), if next_list.is_some() => self.list_is_due().await,
                () = sleep_until(conveyor), if conveyor.is_some() => self.conveyor.tick(),
            }
            self.tell_due_strips().await;
            self.run_conveyor().await;
        }
    }

    async fn stop(mut self, alerts: Option<JoinHandle<()>>, in_time: bool) {
        let patience = if in_time { LAST_STORE } else { LATE_STORE };
        // The logins leave their rows to whoever resumes them; a success that is on its way into the store gets there.
        self.logins.clear();
        self.runners.close();
        let settle = async {
            self.observe_no_longer().await;
            self.runners.wait().await;
        };
        let _ = tokio::time::timeout(patience, settle).await;
        while let Ok(news) = self.from_logins.1.try_recv() {
            match news {
                FromLogin::Told(..) | FromLogin::Swapped(..) => self.login_told(news).await,
                FromLogin::Abandoned(_)
                | FromLogin::ObservesNoLonger
                | FromLogin::Twin(..)
                | FromLogin::Token(_)
                | FromLogin::NeedsToken(_)
                | FromLogin::StoreFailed(_)
                | FromLogin::Over(_) => {}
            }
        }
        self.closing.cancel();
        if let Some(alerts) = alerts {
            let patience = match (in_time, self.shared.options.is_patient) {
                (false, _) => LATE_STORE,
                (true, true) => PATIENT_DELIVERY,
                (true, false) => LAST_DELIVERY,
            };
            let _ = tokio::time::timeout(patience, alerts).await;
        }
        self.tell(Event::Stopped);
    }

    fn watch_store(&self) -> JoinHandle<()> {
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let beside = shared.options.stored_token.as_ref().map(|stored| stored.file.clone());
            let mut watch = shared.store.watch(beside.as_deref());
            if let Some(error) = watch.trouble() {
                let words = tf(shared.options.lang, "engine.watch_failed", &[("error", error)]);
                let _ = news.send(News::Fault(words));
            }
            if beside.is_some() {
                // It may have been written between our reading of it and this watch.
                let _ = news.send(News::TokenStored);
            }
            loop {
                let changed = match watch.changed().await {
                    Changed::Store => News::StoreChanged,
                    Changed::File => News::TokenStored,
                };
                if news.send(changed).is_err() {
                    return;
                }
            }
        })
    }

    fn start_alerts(&self) -> Option<JoinHandle<()>> {
        let (shared, kick, news) = (Arc::clone(&self.shared), Arc::clone(&self.kick), self.news.0.clone());
        // Who stays, not a command that is over in a moment.
        if shared.options.interval.is_some() {
            tokio::spawn(alerts::forget(Arc::clone(&shared), self.closing.clone()));
        }
        if !alerts::has_receivers(&shared.options) {
            return None;
        }
        let (lang, closing) = (shared.options.lang, self.closing.clone());
        Some(tokio::spawn(alerts::run(shared, kick, closing, move |key, error| {
            let _ = news.send(News::Fault(tf(lang, key, &[("error", error)])));
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
        if std::mem::take(&mut self.store_works) {
            self.tell(Event::Store { works: false });
        }
    }

    /// It did what it was asked. Whoever observes says so only of what was written: a full disk still reads.
    fn store_did(&mut self) {
        if !std::mem::replace(&mut self.store_works, true) {
            // The same trouble is news when it comes again.
            self.last_fault = None;
            self.tell(Event::Store { works: true });
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
