//! The handle on a running simulator.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};

use super::act::{Act, ActError};
use super::device::SimDevice;
use super::fault::Fault;
use super::knobs::Knobs;
use super::listener::{Door, Kill};
use super::log::Logged;
use super::server::{self, Running, Shared};
use super::setup::Setup;
use super::world::World;
use crate::model::{WId, WcId};

/// How long a gateway that comes up waits for its port.
const PORT_PATIENCE: Duration = Duration::from_secs(5);

/// Whom a phone's act was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whose phone.
    pub wc_id: WcId,
    /// The wId of the scanned code, or the live one after a confirm, where there is one.
    pub w_id: Option<WId>,
}

/// A running simulator. Clones are handles on the same one; it stops with the last of them.
///
/// Its tasks run on the tokio runtime that `start` was called on; a current-thread runtime is enough. All methods
/// but `start` and `up` are immediate and may be called from anywhere.
#[derive(Clone, Debug)]
pub struct Simulator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    url: String,
    account: String,
    password: String,
    events: broadcast::Sender<Value>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Simulator {
    /// Starts a simulator: binds both ports (127.0.0.1 and free ones unless the setup says otherwise) and serves.
    ///
    /// # Errors
    /// An address that is not loopback is refused (`InvalidInput`); else what binding says.
    pub async fn start(setup: Setup) -> io::Result<Self> {
        for address in [setup.listen, setup.image_listen] {
            if !address.ip().is_loopback() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("{address} is not a loopback address; the simulator listens on loopback only"),
                ));
            }
        }
        let listener = TcpListener::bind(setup.listen).await?;
        let images = TcpListener::bind(setup.image_listen).await?;
        let address = listener.local_addr()?;
        let (changed, _) = watch::channel(0);
        let (events, _) = broadcast::channel(4_096);
        let mut world = World::new(&setup, changed.clone(), events.clone());
        world.image_base = format!("http://{}", images.local_addr()?);
        let shared = Arc::new(Shared::new(world, changed, setup.speed, &setup.prefix, address));
        let prefix = if shared.prefix.is_empty() { String::new() } else { format!("/{}", shared.prefix) };
        spawn_images(&shared, images);
        tokio::spawn(server::pulse(Arc::clone(&shared)));
        let gateway = serve(&shared, listener);
        *running(&shared) = Some(gateway);
        Ok(Self {
            inner: Arc::new(Inner {
                url: format!("http://{address}{prefix}"),
                shared,
                account: setup.account,
                password: setup.password,
                events,
            }),
        })
    }

    /// The gateway's base URL, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The address without the prefix: the control API is under `<root>/_control/`.
    pub fn root(&self) -> String {
        format!("http://{}", self.inner.shared.address)
    }

    /// The platform account.
    pub fn account(&self) -> &str {
        &self.inner.account
    }

    /// The platform account's password, a dummy.
    pub fn password(&self) -> &str {
        &self.inner.password
    }

    /// The token that was issued last; the first one is there from the start.
    pub fn token(&self) -> String {
        self.inner.shared.lock().newest_token.clone()
    }

    // ---- phones ----------------------------------------------------------------------------------------------

    /// Does one act.
    ///
    /// # Errors
    /// When there is nothing to do it to.
    pub fn act(&self, act: Act) -> Result<Value, ActError> {
        if matches!(act, Act::BreakConnections) {
            self.inner.shared.break_connections();
        }
        let now = self.inner.shared.now();
        self.inner.shared.lock().act(now, act)
    }

    fn phone(&self, act: Act) -> Result<Asked, ActError> {
        let done = self.act(act)?;
        let text = |key: &str| done.get(key).and_then(Value::as_str);
        Ok(Asked { wc_id: text("wc_id").unwrap_or_default().into(), w_id: text("w_id").map(WId::from) })
    }

    /// A phone scans the newest code that waits for it: this account's, or with `None` whichever waits, as the
    /// account the code was made for, or as a new one.
    ///
    /// # Errors
    /// When no code waits, or no account has the wcId.
    pub fn scan(&self, wc_id: Option<WcId>) -> Result<Asked, ActError> {
        self.phone(Act::Scan { wc_id: name(wc_id), w_id: None, payload: None })
    }

    /// A phone scans what is written in a code, as a camera would; `wc_id` may be another account than the code
    /// was made for.
    ///
    /// # Errors
    /// When no code has this payload or it is over, or no account has the wcId.
    pub fn scan_payload(&self, payload: &str, wc_id: Option<WcId>) -> Result<Asked, ActError> {
        self.phone(Act::Scan { wc_id: name(wc_id), w_id: None, payload: Some(payload.into()) })
    }

    /// A phone scans the code that `iPadLogin` gave with this wId.
    ///
    /// # Errors
    /// As [`Self::scan_payload`].
    pub fn scan_code(&self, w_id: &WId, wc_id: Option<WcId>) -> Result<Asked, ActError> {
        self.phone(Act::Scan { wc_id: name(wc_id), w_id: Some(w_id.as_str().into()), payload: None })
    }

    /// A phone confirms: its dialog, else the code it scanned. With `None` the phone that was asked last.
    ///
    /// # Errors
    /// When no phone is asked anything.
    pub fn confirm(&self, wc_id: Option<WcId>) -> Result<Asked, ActError> {
        self.phone(Act::Confirm { wc_id: name(wc_id) })
    }

    /// A phone cancels; else as [`Self::confirm`].
    ///
    /// # Errors
    /// When no phone is asked anything.
    pub fn cancel(&self, wc_id: Option<WcId>) -> Result<Asked, ActError> {
        self.phone(Act::Cancel { wc_id: name(wc_id) })
    }

    /// A phone lets run out what it is asked, even if phones act by themselves.
    ///
    /// # Errors
    /// When no phone is asked anything.
    pub fn ignore(&self, wc_id: Option<WcId>) -> Result<Asked, ActError> {
        self.phone(Act::Ignore { wc_id: name(wc_id) })
    }

    /// The account drops off line.
    ///
    /// # Errors
    /// When it is not known or not online.
    pub fn drop_account(&self, wc_id: &WcId) -> Result<(), ActError> {
        self.act(Act::Drop { wc_id: wc_id.as_str().into() }).map(drop)
    }

    /// Risk control kicks the account: second login is refused until the next QR login.
    ///
    /// # Errors
    /// When it is not known or not online.
    pub fn kick(&self, wc_id: &WcId) -> Result<(), ActError> {
        self.act(Act::Kick { wc_id: wc_id.as_str().into() }).map(drop)
    }

    /// Lets all phones act by themselves, or stops them.
    pub fn set_auto(&self, on: bool) {
        let now = self.inner.shared.now();
        self.inner.shared.lock().set_auto(now, on);
    }

    // ---- knobs and faults ------------------------------------------------------------------------------------

    /// Turns knobs.
    pub fn knobs(&self, turn: impl FnOnce(&mut Knobs)) {
        let mut world = self.inner.shared.lock();
        turn(&mut world.knobs);
        world.touch();
    }

    /// Queues a fault for the next `times` calls of the endpoint (`iPadLogin`, `image`, `*` …); `None` is until
    /// [`Self::clear_faults`].
    pub fn fault(&self, endpoint: &str, fault: Fault, times: impl Into<Option<u32>>) {
        let times = times.into();
        self.act(Act::Fault { endpoint: endpoint.into(), fault, times }).ok();
    }

    /// Takes all queued faults away.
    pub fn clear_faults(&self) {
        self.act(Act::ClearFaults { endpoint: None }).ok();
    }

    /// Makes every token invalid; `member/login` issues new ones.
    pub fn revoke_tokens(&self) {
        self.act(Act::RevokeTokens).ok();
    }

    /// Resets every open connection, long polls included.
    pub fn break_connections(&self) {
        self.inner.shared.break_connections();
    }

    // ---- looking ---------------------------------------------------------------------------------------------

    /// The requests so far (the newest 20 000), redacted, oldest first.
    pub fn requests(&self) -> Vec<Logged> {
        self.inner.shared.lock().log.iter().cloned().collect()
    }

    /// Which accounts are online now, whatever lag the lists have.
    pub fn online(&self) -> Vec<(WcId, WId)> {
        let world = self.inner.shared.lock();
        let live = world.members.iter().filter_map(|m| Some((m.spec.wc_id.as_str().into(), m.w_id()?.into())));
        live.collect()
    }

    /// What is written in the code that `iPadLogin` gave with this wId: a dummy.
    pub fn payload(&self, w_id: &WId) -> Option<String> {
        let world = self.inner.shared.lock();
        let at = world.code_index.get(w_id.as_str())?;
        world.codes.get(*at).map(|code| code.payload.clone())
    }

    /// The wIds of the codes that wait to be scanned, oldest first.
    pub fn waiting_codes(&self) -> Vec<WId> {
        let now = self.inner.shared.now();
        let mut world = self.inner.shared.lock();
        world.expire(now);
        let waits = |c: &&super::logins::Code| c.state == super::logins::CodeState::Waiting;
        world.codes.iter().filter(waits).map(|c| c.w_id.as_str().into()).collect()
    }

    /// How many confirm dialogs the account's phone has shown: at most one for each wish.
    pub fn dialogs(&self, wc_id: &WcId) -> u32 {
        self.count(wc_id, |m| m.dialogs)
    }

    /// How many logins of the account have succeeded.
    pub fn logins(&self, wc_id: &WcId) -> u32 {
        self.count(wc_id, |m| m.logins)
    }

    /// How many devices the account has been signed in on: one more for each QR login without its wcId.
    pub fn devices(&self, wc_id: &WcId) -> u32 {
        self.count(wc_id, |m| m.devices)
    }

    /// How often a login of the account came from another device or network than the one before (V3).
    pub fn device_changes(&self, wc_id: &WcId) -> u32 {
        self.count(wc_id, |m| m.device_changes)
    }

    /// How often the account's reason was asked for and told (V3).
    pub fn reasons(&self, wc_id: &WcId) -> u32 {
        self.count(wc_id, |m| m.reasons)
    }

    /// Where the account was signed in from last (V3).
    pub fn device(&self, wc_id: &WcId) -> Option<SimDevice> {
        let world = self.inner.shared.lock();
        world.find(wc_id.as_str()).ok().and_then(|at| world.member(at)?.device.clone())
    }

    fn count(&self, wc_id: &WcId, of: impl Fn(&super::world::Member) -> u32) -> u32 {
        let world = self.inner.shared.lock();
        world.find(wc_id.as_str()).ok().and_then(|at| world.member(at)).map_or(0, of)
    }

    /// What happens from now on, redacted: one object an event, with `event` and `at_ms`.
    pub fn events(&self) -> broadcast::Receiver<Value> {
        self.inner.events.subscribe()
    }

    // ---- up and down -----------------------------------------------------------------------------------------

    /// The gateway goes down: its port is closed and open connections are reset. What it knows stays.
    pub fn down(&self) {
        down(&self.inner.shared);
    }

    /// The gateway comes up again on the same port. Nothing happens if it is up.
    ///
    /// # Errors
    /// When the port has been taken meanwhile.
    pub async fn up(&self) -> io::Result<()> {
        up(&self.inner.shared).await
    }

    /// The gateway restarts by itself: down at once, up again after so many simulated milliseconds.
    pub fn restart(&self, down_ms: u64) {
        self.act(Act::Restart { down_ms }).ok();
    }

    /// Stops everything: ports are closed, open connections reset.
    pub fn stop(&self) {
        self.inner.shared.stop.cancel();
        self.inner.shared.lock().tell(self.inner.shared.now(), "stopped", json!({}));
    }
}

fn name(wc_id: Option<WcId>) -> Option<String> {
    wc_id.map(|wc_id| wc_id.as_str().to_owned())
}

fn running(shared: &Shared) -> std::sync::MutexGuard<'_, Option<Running>> {
    shared.gateway.lock().unwrap_or_else(PoisonError::into_inner)
}

fn down(shared: &Shared) {
    if let Some(running) = running(shared).as_ref() {
        running.close.cancel();
    }
    shared.break_connections();
}

async fn up(shared: &Arc<Shared>) -> io::Result<()> {
    let before = {
        let mut gateway = running(shared);
        match gateway.as_ref() {
            Some(running) if !running.close.is_cancelled() => return Ok(()),
            _ => gateway.take(),
        }
    };
    if let Some(before) = before {
        // The port is free when the task has ended; how it ended does not matter.
        before.task.await.ok();
    }
    let until = tokio::time::Instant::now() + PORT_PATIENCE;
    let listener = loop {
        match TcpListener::bind(shared.address).await {
            // The system may have lent it to a connection meanwhile.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tokio::time::Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            bound => break bound?,
        }
    };
    *running(shared) = Some(serve(shared, listener));
    Ok(())
}

/// Goes down for so many simulated milliseconds.
pub(super) async fn restart(shared: Arc<Shared>, down_ms: u64) {
    down(&shared);
    tokio::select! {
        () = shared.stop.cancelled() => return,
        () = tokio::time::sleep(shared.real(down_ms)) => {}
    }
    let back = up(&shared).await;
    shared.lock().tell(shared.now(), "restarted", json!({"back": back.is_ok()}));
}

fn serve(shared: &Arc<Shared>, listener: TcpListener) -> Running {
    let close = shared.stop.child_token();
    let door = {
        let shared = Arc::clone(shared);
        Door { listener, all: move || shared.connections() }
    };
    let router = Router::new().fallback(server::gateway).with_state(Arc::clone(shared));
    let service = router.into_make_service_with_connect_info::<Kill>();
    let closed = close.clone();
    let shared = Arc::clone(shared);
    let task = tokio::spawn(async move {
        tokio::select! {
            () = closed.cancelled() => {}
            _ = async { axum::serve(door, service).await } => {}
        }
        // Whoever slipped in while the door was closing.
        shared.break_connections();
    });
    Running { close, task }
}

fn spawn_images(shared: &Arc<Shared>, listener: TcpListener) {
    let stop = shared.stop.clone();
    let all = stop.clone();
    let door = Door { listener, all: move || all.clone() };
    let router = Router::new().fallback(server::image).with_state(Arc::clone(shared));
    let service = router.into_make_service_with_connect_info::<Kill>();
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = async { axum::serve(door, service).await } => {}
        }
    });
}
