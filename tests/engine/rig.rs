//! An engine, its store and the simulated gateway, over real HTTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use saoma::engine::api::{Command, Event, Fleet, LoginStep, Way};
use saoma::engine::notices::Ports;
use saoma::engine::{Engine, Listen, Options, Renewal, Renewer, Role, StoredToken};
use saoma::gateway::{self, Gateway};
use saoma::i18n::Lang;
use saoma::model::{Account, AttemptId, Dialect, Stamp, WId, WcId};
use saoma::simulator::{Setup, SimAccount, Simulator};
use saoma::store::{Scope, Store};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// The longest any test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const SHORT: Duration = Duration::from_millis(120);

pub(crate) struct Rig {
    pub(crate) sim: Simulator,
    pub(crate) dir: TempDir,
    pub(crate) dialect: Dialect,
    pub(crate) front: Front,
}

/// One process's worth of saoma: an engine on a store.
pub(crate) struct Front {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) ended: JoinHandle<()>,
    events: UnboundedReceiver<Event>,
    seen: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct How {
    pub(crate) interval: Option<Duration>,
    pub(crate) renewals: u8,
    pub(crate) hook: Option<String>,
    pub(crate) show_resumed: bool,
    pub(crate) has_token: bool,
    pub(crate) password: bool,
    /// Put into the store before the engine starts.
    pub(crate) import: Vec<(WcId, saoma::store::Edit)>,
    /// `None`: a TUI where there is an interval, else a command.
    pub(crate) role: Option<Role>,
    pub(crate) listen: Option<Listen>,
    /// Engines of one process share theirs.
    pub(crate) ports: Ports,
    /// Logins wait for a token that somebody gives.
    pub(crate) waits: bool,
    /// Gets tokens by itself.
    pub(crate) renewer: Option<Renewer>,
    /// How many phones a conveyor rings at once; 0: as many as usual.
    pub(crate) ring_at_once: u8,
    /// Somebody has come back to this attempt.
    pub(crate) revive: Option<AttemptId>,
    /// V3's defaults for device and network.
    pub(crate) device: saoma::model::Device,
    /// Another token than the gateway's.
    pub(crate) token: Option<&'static str>,
    /// Where other processes put tokens.
    pub(crate) stored_token: Option<StoredToken>,
    /// Who stands between saoma and the gateway: where requests go instead.
    pub(crate) base: Option<String>,
    /// How far ahead this process's clock is, in milliseconds; may be set while it runs.
    pub(crate) ahead_ms: Arc<AtomicI64>,
    /// How fast a person may say no; these are faster than any.
    pub(crate) tap: Option<Duration>,
}

impl Default for How {
    fn default() -> Self {
        Self {
            interval: None,
            renewals: 0,
            hook: None,
            show_resumed: false,
            has_token: true,
            password: true,
            import: Vec::new(),
            role: None,
            listen: None,
            ports: Ports::default(),
            waits: false,
            renewer: None,
            ring_at_once: 0,
            revive: None,
            device: saoma::model::Device::default(),
            token: None,
            stored_token: None,
            base: None,
            ahead_ms: Arc::default(),
            tap: Some(Duration::ZERO),
        }
    }
}

pub(crate) fn accounts() -> Vec<SimAccount> {
    vec![
        SimAccount::new("wxid_amy", "Amy 客服"),
        SimAccount::new("wxid_bob", "Bob"),
        SimAccount::new("wxid_cai", "小蔡").online(),
        SimAccount::new("wxid_new", "新号").new_here(),
    ]
}

/// So many accounts that are online.
pub(crate) fn online(count: usize) -> Vec<SimAccount> {
    (0..count).map(|number| SimAccount::new(name(number), format!("No {number}")).online()).collect()
}

pub(crate) fn name(number: usize) -> String {
    format!("wxid_on{number:04}")
}

pub(crate) fn id(number: usize) -> WcId {
    WcId::new(name(number))
}

pub(crate) async fn rig(count: usize, how: How) -> Rig {
    Rig::with(Setup { accounts: online(count), ..Setup::default() }, how).await
}

pub(crate) fn every(interval: Duration) -> How {
    How { interval: Some(interval), ..How::default() }
}

/// A hook that keeps what it is told, a line each.
pub(crate) fn kept() -> (tempfile::TempDir, PathBuf, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("told");
    let hook = format!("cat >> '{}'", file.display());
    (dir, file, hook)
}

/// The events in the file, in order.
pub(crate) fn told(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // The last line may be on its way.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            json.get("event").and_then(serde_json::Value::as_str).unwrap().to_owned()
        })
        .collect()
}

/// What the clock says.
pub(crate) fn now() -> Stamp {
    Stamp(jiff::Timestamp::now().as_millisecond())
}

pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, async || holds()).await;
}

/// As [`wait_until`], where the condition itself has to be awaited.
pub(crate) async fn wait_for(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "{what} never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a list was believed.
pub(crate) async fn a_list(front: &mut Front) -> Stamp {
    front
        .until("a list", |event| match event {
            Event::Fleet(Fleet::Ok { at }) => Some(*at),
            _ => None,
        })
        .await
}

pub(crate) fn dropped(event: &Event) -> Option<WcId> {
    match event {
        Event::Dropped { wc_id, .. } => Some(wc_id.clone()),
        _ => None,
    }
}

impl Rig {
    pub(crate) async fn new(dialect: Dialect) -> Self {
        Self::with(Setup { dialect, accounts: accounts(), ..Setup::default() }, How::default()).await
    }

    pub(crate) async fn with(setup: Setup, how: How) -> Self {
        let dialect = setup.dialect;
        let sim = Simulator::start(setup).await.expect("the simulator starts");
        let dir = tempfile::tempdir().unwrap();
        let front = Front::start(&sim, dir.path(), dialect, how).await;
        Self { sim, dir, dialect, front }
    }

    /// A further process on the same store.
    pub(crate) async fn another(&self, how: How) -> Front {
        Front::start(&self.sim, self.dir.path(), self.dialect, how).await
    }

    /// Waits until a code waits for a phone at the gateway and has been shown here; returns its wId.
    pub(crate) async fn shown(&mut self) -> WId {
        self.front.shown().await
    }

    /// Scans and confirms the code, as the phone of this account.
    pub(crate) fn phone(&self, w_id: &WId, wc_id: &str) {
        let asked = self.sim.scan_code(w_id, Some(WcId::from(wc_id))).expect("the code can be scanned");
        self.sim.confirm(Some(asked.wc_id)).expect("the phone can confirm");
    }

    /// A new token, as the platform gives it.
    pub(crate) async fn sign_in(&self) -> SecretString {
        let options =
            gateway::Options { base: self.sim.url().to_owned(), dialect: self.dialect, token: None, http_proxy: None };
        let password = SecretString::from(self.sim.password().to_owned());
        Gateway::new(options).unwrap().member_login(self.sim.account(), &password).await.unwrap().token
    }

    pub(crate) fn live_w_id(&self, wc_id: &str) -> Option<WId> {
        self.sim.online().into_iter().find(|(id, _)| id.as_str() == wc_id).map(|(_, w_id)| w_id)
    }

    /// How often an endpoint was called, with the wcId it was called for.
    pub(crate) fn calls(&self, endpoint: &str) -> Vec<Option<String>> {
        self.sim
            .requests()
            .into_iter()
            .filter(|request| request.endpoint == endpoint)
            .map(|request| request.body.get("wcId").and_then(|wc_id| wc_id.as_str().map(str::to_owned)))
            .collect()
    }
}

impl Front {
    pub(crate) async fn start(sim: &Simulator, dir: &Path, dialect: Dialect, how: How) -> Self {
        let token = how.token.map_or_else(|| SecretString::from(sim.token()), SecretString::from);
        let gateway = Gateway::new(gateway::Options {
            base: how.base.clone().unwrap_or_else(|| sim.url().to_owned()),
            dialect,
            token: how.has_token.then_some(token),
            http_proxy: None,
        })
        .unwrap();
        let scope = Scope {
            profile: gateway::profile_id(sim.account(), gateway.base()),
            name: "test".into(),
            cause: "command",
            receivers: how.hook.iter().map(|_| saoma::engine::alerts::COMMAND.to_owned()).collect(),
            lists_w_ids: dialect.lists_w_ids(),
        };
        let store = Store::open(&dir.join("saoma.db"), scope).await.unwrap();
        for account in ["wxid_amy", "wxid_bob", "wxid_cai"] {
            let edit = saoma::store::Edit::default();
            store.put_account(&WcId::from(account), &edit, saoma::model::Stamp(1)).await.unwrap();
        }
        store.import(&how.import, saoma::model::Stamp(1)).await.unwrap();
        let options = Options {
            account: sim.account().to_owned(),
            dialect,
            password: how.password.then(|| SecretString::from(sim.password().to_owned())),
            has_token: how.has_token,
            interval: how.interval,
            offline_after: 2,
            alert_command: how.hook,
            role: how.role.unwrap_or(if how.interval.is_some() { Role::Screen } else { Role::Command }),
            listen: how.listen,
            ports: how.ports,
            renewal: Renewal::Times(how.renewals),
            show_resumed: how.show_resumed,
            waits_for_token: how.waits,
            renewer: how.renewer,
            stored_token: how.stored_token,
            ring_at_once: how.ring_at_once,
            revive: how.revive,
            device: how.device,
            tap: how.tap,
            lang: Lang::En,
            wall_offset_ms: how.ahead_ms,
            ..Options::default()
        };
        let (to, events) = unbounded_channel();
        let sink = Arc::new(move |event| drop(to.send(event)));
        let (engine, ended) = Engine::start(options, gateway, store.clone(), None, sink);
        Self { store, engine, ended, events, seen: Vec::new() }
    }

    pub(crate) fn login(&self, wc_id: &str, way: Way) {
        self.engine.send(Command::Login { wc_id: Some(WcId::from(wc_id)), way, force: false });
    }

    /// Takes events until one is what is waited for; on time-out, says what came instead.
    pub(crate) async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match tokio::time::timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => {
                    let found = wanted(&event);
                    self.seen.push(format!("{event:?}"));
                    if let Some(found) = found {
                        return found;
                    }
                }
                Ok(None) => panic!("the engine ended while waiting for {what}:\n{}", self.seen.join("\n")),
                Err(_) => panic!("no {what}; what came:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Waits for the step that ends a login.
    pub(crate) async fn end(&mut self) -> (AttemptId, LoginStep) {
        self.until("end of a login", |event| match event {
            Event::Login(event) if event.step.ends() => Some((event.attempt.clone(), event.step.clone())),
            _ => None,
        })
        .await
    }

    pub(crate) async fn logged_in(&mut self) -> WId {
        match self.end().await.1 {
            LoginStep::LoggedIn { w_id, .. } => w_id,
            other => panic!("not logged in: {other:?}\n{}", self.seen.join("\n")),
        }
    }

    pub(crate) async fn step(&mut self, what: &str, wanted: impl Fn(&LoginStep) -> bool) -> AttemptId {
        self.until(what, |event| match event {
            Event::Login(event) if wanted(&event.step) => Some(event.attempt.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn account(&self, wc_id: &str) -> Account {
        self.store.account(&WcId::from(wc_id)).await.unwrap().expect("the account is in the store")
    }

    /// Waits until the account in the store is as wanted.
    pub(crate) async fn account_is(&self, wc_id: &str, what: &str, wanted: impl Fn(&Account) -> bool) -> Account {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(account) = self.store.account(&WcId::from(wc_id)).await.unwrap()
                && wanted(&account)
            {
                return account;
            }
            assert!(tokio::time::Instant::now() < deadline, "{wc_id} is not {what}: {:?}", self.account(wc_id).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a code has been shown; returns its wId.
    pub(crate) async fn shown(&mut self) -> WId {
        self.until("a code", |event| match event {
            Event::Login(event) => match &event.step {
                LoginStep::Qr { w_id, .. } => Some(w_id.clone()),
                _ => None,
            },
            _ => None,
        })
        .await
    }

    pub(crate) async fn stop(self) {
        self.engine.send(Command::Stop);
        self.ended.await.unwrap();
        self.store.close().await;
    }
}

/// What is left when the process has died without a word.
pub(crate) struct Rest {
    pub(crate) sim: Simulator,
    dir: TempDir,
    dialect: Dialect,
}

impl Rig {
    /// The process dies: its engine stops without ending anything, its owner lock is gone.
    pub(crate) async fn die(self) -> Rest {
        let Self { sim, dir, dialect, front } = self;
        front.stop().await;
        Rest { sim, dir, dialect }
    }
}

impl Rest {
    pub(crate) async fn another(&self, how: How) -> Front {
        Front::start(&self.sim, self.dir.path(), self.dialect, how).await
    }

    pub(crate) fn phone(&self, w_id: &WId, wc_id: &str) {
        let asked = self.sim.scan_code(w_id, Some(WcId::from(wc_id))).expect("the code can be scanned");
        self.sim.confirm(Some(asked.wc_id)).expect("the phone can confirm");
    }

    pub(crate) fn live_w_id(&self, wc_id: &str) -> Option<WId> {
        self.sim.online().into_iter().find(|(id, _)| id.as_str() == wc_id).map(|(_, w_id)| w_id)
    }

    pub(crate) fn calls(&self, endpoint: &str) -> Vec<String> {
        self.sim.requests().into_iter().map(|request| request.endpoint).filter(|name| name == endpoint).collect()
    }
}
