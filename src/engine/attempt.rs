//! Runs one login machine: does what it says, feeds it what comes of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::api::LoginStep;
use super::login::{Input, Machine, Output, Picture, Remains, Swapped};
use super::shared::Shared;
use crate::gateway::{Error, Kind, Online};
use crate::model::{
    Account, AttemptId, Began, Device, Dialect, Edit, Presence, Reason, Record, Rung, Source, Stamp, WId, WcId, from_ms,
};
use crate::qr::{self, Code};
use crate::store::{self, LogEntry, SECOND_LOGIN_FAILED, Stored, Verdict};

/// How long an old code is listened to after it was renewed.
const GRACE_MS: i64 = 60_000;

/// What a running login tells the hub, in order.
#[derive(Debug)]
pub(super) enum FromLogin {
    /// For the front end.
    Told(AttemptId, LoginStep),
    /// A success is in the store.
    Swapped(AttemptId, Box<Stored>),
    /// Nobody waits for it any more.
    Abandoned(AttemptId),
    /// Another process observes the fleet.
    ObservesNoLonger,
    /// A renewed code's old wId goes on by itself.
    Twin(AttemptId, Remains, Option<WcId>),
    /// The gateway took, or refused, the token.
    Token(bool),
    /// It waits for another token.
    NeedsToken(AttemptId),
    /// The store fails.
    StoreFailed(String),
    /// It is over; nothing more comes.
    Over(AttemptId),
}

/// One login under way.
pub(super) struct Runner {
    pub(super) id: AttemptId,
    pub(super) wc_id: Option<WcId>,
    pub(super) machine: Machine,
    pub(super) shared: Arc<Shared>,
    pub(super) hub: UnboundedSender<FromLogin>,
    pub(super) inbox: UnboundedReceiver<Input>,
    /// What kind of process goes on with it instead (empty: not known), once it is no longer this one's.
    pub(super) lost_to: Option<Box<str>>,
    /// Whether that was told.
    pub(super) told_lost: bool,
}

type Pending = FuturesUnordered<BoxFuture<'static, Input>>;

impl Runner {
    /// Runs to the end. Dropped in the middle, it leaves its row to whoever resumes it.
    pub(super) async fn run(mut self) {
        let mut pending = Pending::new();
        let mut queue = VecDeque::from([Input::Start]);
        let mut closing = false;
        loop {
            while let Some(input) = queue.pop_front() {
                if let Input::TakenOver { by } = &input {
                    self.lost_to.get_or_insert_with(|| by.clone());
                }
                self.machine.set_somebody(self.shared.is_somebody_there());
                let outputs = self.machine.on(input, self.shared.now());
                for output in outputs {
                    match self.do_output(output, &mut pending, &mut queue).await {
                        Ok(()) => {}
                        // What is left to do of this is the other's; what is left to tell is not.
                        Err(store::Error::Replaced) => {
                            let by = self.shared.who_took(&self.id).await;
                            tracing::warn!(attempt = %self.id, by = &*by, "taken over");
                            self.lost_to = Some(by.clone());
                            queue.push_back(Input::TakenOver { by });
                        }
                        Err(error) => {
                            self.tell_hub(FromLogin::StoreFailed(error.to_string()));
                            queue.push_front(Input::RowFailed { detail: error.to_string().into() });
                            break;
                        }
                    }
                }
            }
            if self.machine.is_over() {
                break;
            }
            if closing {
                // The engine stops. An answer that has arrived already may carry a wId: it is not thrown away.
                match pending.next().now_or_never().flatten() {
                    Some(input) => queue.push_back(input),
                    None => return,
                }
                continue;
            }
            let wake = self.machine.next_wake().filter(|_| self.lost_to.is_none()).map(|at| self.shared.instant(at));
            if self.lost_to.is_some() && self.machine.is_abandoned() && pending.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                input = self.inbox.recv() => match input {
                    Some(input) => queue.push_back(input),
                    None => closing = true,
                },
                Some(input) = pending.next(), if !pending.is_empty() => queue.push_back(input),
                () = sleep_until(wake), if wake.is_some() => queue.push_back(Input::Tick),
            }
        }
        self.shared.store.let_go(&self.id);
        self.tell_hub(FromLogin::Over(self.id.clone()));
    }

    /// Does what the machine says, as long as the attempt is this process's. Of a lost one only a success still counts:
    /// it is offered to the store, and told.
    async fn do_output(
        &mut self,
        output: Output,
        pending: &mut Pending,
        queue: &mut VecDeque<Input>,
    ) -> Result<(), store::Error> {
        let ours_only = match &output {
            Output::StoreLogin(_) | Output::Adopt { .. } | Output::Tell(_) => false,
            Output::AskList { .. }
            | Output::Probe { .. }
            | Output::SecondLogin { .. }
            | Output::IPadLogin { .. }
            | Output::Fetch { .. }
            | Output::Poll { .. }
            | Output::CheckToken { .. }
            | Output::NeedToken => {
                // Whoever could not act for a while finds out what it has lost before it acts again.
                let store = &self.shared.store;
                if self.lost_to.is_none() && store.has_lapsed() && !store.still_mine(&self.id).await? {
                    return Err(store::Error::Replaced);
                }
                true
            }
            Output::Issued { .. }
            | Output::TakeBack(_)
            | Output::SecondFailed { .. }
            | Output::Abandon
            | Output::End { .. }
            | Output::Forget
            | Output::FirstDrop => true,
        };
        match (output, &self.lost_to) {
            (_, Some(_)) if ours_only => Ok(()),
            // What was told as another's is not told as an end of this one too; the account says the rest.
            (Output::Tell(_), Some(_)) if self.told_lost => Ok(()),
            // However it ended here, there it goes on.
            (Output::Tell(step), Some(by)) if step.ends() && !is_final(&step) => {
                let step = LoginStep::TakenOver { by: by.clone() };
                self.told_lost = true;
                self.perform(Output::Tell(step), pending, queue).await
            }
            (Output::Tell(step), Some(_)) => {
                self.told_lost = matches!(step, LoginStep::TakenOver { .. });
                self.perform(Output::Tell(step), pending, queue).await
            }
            (output, _) => self.perform(output, pending, queue).await,
        }
    }

    /// Tells of a store that failed. That another process has taken the attempt over is no failure: it is given back.
    fn unless_replaced(&self, written: store::Result<()>) -> store::Result<()> {
        match written {
            Err(error) if !matches!(error, store::Error::Replaced) => {
                self.tell_hub(FromLogin::StoreFailed(error.to_string()));
                Ok(())
            }
            written => written,
        }
    }

    fn tell_hub(&self, news: FromLogin) {
        // The hub is gone only when everything ends.
        let _ = self.hub.send(news);
    }

    #[expect(clippy::needless_pass_by_ref_mut, reason = "a shared reference to the futures could not cross threads")]
    async fn perform(
        &self,
        output: Output,
        pending: &mut Pending,
        queue: &mut VecDeque<Input>,
    ) -> Result<(), store::Error> {
        let shared = Arc::clone(&self.shared);
        match output {
            Output::AskList { generation, pause } => {
                let wc_id = self.wc_id.clone();
                let own = self.own_w_id().await?;
                pending.push(Box::pin(async move {
                    tokio::time::sleep(pause).await;
                    let began = shared.begin().await;
                    // No list can be asked (V1 without the password): the machine does not wish for one then.
                    let result = shared.list().await.unwrap_or_else(|| Ok(Online::default()));
                    let result = result.map(|list| find(list.entries, wc_id.as_ref(), own.as_ref()));
                    Input::Listed { generation, began, result }
                }));
            }
            Output::Probe { generation, w_id, pause, limit } => pending.push(Box::pin(async move {
                tokio::time::sleep(pause).await;
                let result = shared.gateway.get_i_pad_login_info(&w_id, None, limit).await;
                Input::Probed { generation, result }
            })),
            Output::SecondLogin { generation, deadline, limit, again } => {
                let Some(wc_id) = self.wc_id.clone() else { return Ok(()) };
                if !again {
                    self.row_requesting(Rung::SecondLogin).await?;
                }
                let left = self.left_until(deadline);
                shared.store.attempt_issued(&self.id, None, None, deadline, left).await?;
                let device = self.makes_with().await?;
                pending.push(Box::pin(async move {
                    let result = shared.gateway.second_login(&wc_id, &device, limit).await;
                    Input::SecondAnswered { generation, result }
                }));
            }
            Output::IPadLogin { generation, again } => {
                if !again {
                    self.row_requesting(Rung::QrLogin).await?;
                }
                let wc_id = self.wc_id.clone();
                let device = self.makes_with().await?;
                pending.push(Box::pin(async move {
                    let result = shared.gateway.i_pad_login(wc_id.as_ref(), &device).await;
                    Input::Issued { generation, result }
                }));
            }
            Output::Issued { w_id, image_url, deadline } => {
                let left = self.left_until(deadline);
                shared.store.attempt_issued(&self.id, Some(&w_id), Some(&image_url), deadline, left).await?;
                self.tell_hub(FromLogin::Token(true));
            }
            Output::Fetch { generation, image_url } => pending.push(Box::pin(async move {
                let result = match shared.gateway.image(&image_url).await {
                    Ok(image) => read_picture(image.0).await,
                    Err(error) => Err(error.detail),
                };
                Input::Pictured { generation, result }
            })),
            Output::Poll { generation, w_id, verify_code, limit } => pending.push(Box::pin(async move {
                let result = shared.gateway.get_i_pad_login_info(&w_id, verify_code.as_ref(), limit).await;
                Input::Polled { generation, result }
            })),
            Output::CheckToken { generation, error } => {
                let hub = self.hub.clone();
                pending.push(Box::pin(async move {
                    let good = shared.is_token_good().await;
                    // A gateway that does not answer has not said that the token is good either.
                    if let Some(good) = good {
                        let _ = hub.send(FromLogin::Token(good));
                    }
                    Input::TokenChecked { generation, rejected: good == Some(false), error }
                }));
            }
            Output::NeedToken => self.tell_hub(FromLogin::NeedsToken(self.id.clone())),
            Output::TakeBack(cost) => {
                // A day's budget that stays one too low is no reason to give the login up.
                if let Some(wc_id) = &self.wc_id
                    && let Err(error) = shared.store.take_back(wc_id, cost).await
                {
                    self.tell_hub(FromLogin::StoreFailed(error.to_string()));
                }
            }
            Output::SecondFailed { rang, reason, gateway_message } => {
                self.second_failed(rang, reason, gateway_message).await;
            }
            Output::StoreLogin(record) => {
                let made_with = self.made_with().await;
                let mut stored = self.store_login(&record).await;
                self.remember_device(&mut stored, made_with).await;
                self.swapped(record, stored, false, queue);
            }
            Output::Adopt { wc_id, w_id, lists } => self.adopt(wc_id, w_id, lists, queue).await?,
            Output::Abandon => {
                // A row that cannot be marked is no reason to give up what a phone may still answer.
                self.unless_replaced(shared.store.abandon_attempt(&self.id).await)?;
                self.tell_hub(FromLogin::Abandoned(self.id.clone()));
            }
            Output::End { event, reason, gateway_message } => {
                let at = shared.now().wall;
                // A row that cannot be ended stays for the next start; the login is over for the person all the same.
                let ended = shared.store.end_attempt(&self.id, event, reason, gateway_message.as_deref(), at).await;
                self.unless_replaced(ended)?;
            }
            // As above.
            Output::Forget => self.unless_replaced(shared.store.forget_attempt(&self.id).await)?,
            // Not noted, the next login of it takes a code once more.
            Output::FirstDrop => self.unless_replaced(shared.store.attempt_after_first_drop(&self.id).await)?,
            Output::Tell(step) => self.tell_hub(FromLogin::Told(self.id.clone(), step)),
        }
        Ok(())
    }

    fn left_until(&self, deadline: Stamp) -> Duration {
        from_ms(deadline.ms_since(self.shared.now().wall))
    }

    /// The wId of this attempt's row, for finding a login in the list whose account is not known.
    async fn own_w_id(&self) -> Result<Option<WId>, store::Error> {
        if self.wc_id.is_some() {
            return Ok(None);
        }
        Ok(self.shared.store.attempt(&self.id).await?.and_then(|attempt| attempt.w_id))
    }

    /// A second login that did not work goes into the log; one that the phone refused lets second logins rest. Where no
    /// phone rang, it was the gateway that refused.
    async fn second_failed(&self, rang: bool, reason: Reason, gateway_message: Option<Box<str>>) {
        let at = self.shared.now().wall;
        let store = &self.shared.store;
        let noted = match (&self.wc_id, reason) {
            (Some(wc_id), Reason::Refused) if rang => store.refused(wc_id, gateway_message.as_deref(), at).await,
            (wc_id, reason) => {
                let wc_id = wc_id.clone();
                let event = SECOND_LOGIN_FAILED.into();
                let cause = (reason == Reason::Refused).then(|| "gateway".into());
                let entry = LogEntry { at, wc_id, event, reason: Some(reason), gateway_message, w_id: None, cause };
                store.log(&entry).await
            }
        };
        let noted = match noted {
            Ok(()) if reason == Reason::LoginInterrupted => self.shared.store.doubt_w_id(&self.id, at).await,
            noted => noted,
        };
        // The login goes on all the same.
        if let Err(error) = noted {
            self.tell_hub(FromLogin::StoreFailed(error.to_string()));
        }
    }

    /// What V3 is told of the account's device and network.
    async fn device(&self) -> Result<Device, store::Error> {
        let account = match &self.wc_id {
            Some(wc_id) => self.shared.store.account(wc_id).await?,
            None => None,
        };
        let own = account.as_ref().and_then(|account| account.device.as_deref());
        Ok(Device::settled(own, &self.shared.options.device))
    }

    /// The same, for a login that goes out with it: the row keeps it for whoever hears of the success.
    async fn makes_with(&self) -> Result<Device, store::Error> {
        let device = self.device().await?;
        if self.shared.options.dialect == Dialect::V3 {
            self.shared.store.attempt_made_with(&self.id, &device).await?;
        }
        Ok(device)
    }

    /// What this login was made with, maybe by a process with other defaults.
    async fn made_with(&self) -> Option<Device> {
        if self.shared.options.dialect != Dialect::V3 {
            return None;
        }
        let kept = self.shared.store.what_attempt_was_made_with(&self.id).await;
        kept.unwrap_or_else(|error| {
            self.tell_hub(FromLogin::StoreFailed(error.to_string()));
            None
        })
    }

    /// An account keeps the device and network that it was logged in with, however the profile's defaults change later
    /// (protocol.md §3.2). What it has of its own stays: a code for any phone does not change it.
    async fn remember_device(&self, stored: &mut Stored, made_with: Option<Device>) {
        if self.shared.options.dialect != Dialect::V3 || !stored.current {
            return;
        }
        match self.try_remember_device(&stored.account, made_with).await {
            Ok(Some(account)) => stored.account = account,
            Ok(None) => {}
            Err(error) => self.tell_hub(FromLogin::StoreFailed(error.to_string())),
        }
    }

    async fn try_remember_device(
        &self,
        account: &Account,
        made_with: Option<Device>,
    ) -> Result<Option<Account>, store::Error> {
        let own = account.device.as_deref();
        let made_with = match made_with {
            Some(device) => device,
            None => self.device().await?,
        };
        let device = Device::settled(own, &made_with);
        if own == Some(&device) {
            return Ok(None);
        }
        let edit = Edit { device: Some(device), ..Edit::default() };
        self.shared.store.put_account(&account.wc_id, &edit, self.shared.now().wall).await?;
        self.shared.store.account(&account.wc_id).await
    }

    async fn row_requesting(&self, rung: Rung) -> Result<(), store::Error> {
        let at = self.shared.now().wall;
        let before = self.shared.store.attempt(&self.id).await?;
        let twin = self.shared.store.attempt_requesting(&self.id, rung, at).await?;
        if let (Some(twin), Some(before)) = (twin, before) {
            if let Some(device) = self.made_with().await {
                self.shared.store.attempt_made_with(&twin, &device).await?;
            }
            let remains = Remains {
                rung: Rung::QrLogin,
                w_id: before.w_id,
                image_url: None,
                deadline: Some(at.plus_ms(GRACE_MS)),
                requested_at: before.requested_at,
                abandoned: true,
                known_w_id: None,
                orphan: false,
            };
            self.tell_hub(FromLogin::Twin(twin, remains, self.wc_id.clone()));
        }
        Ok(())
    }

    /// A wId must not be lost: it is kept here and tried again until the store takes it.
    async fn store_login(&self, record: &Record) -> Stored {
        let mut pause = Duration::from_millis(100);
        loop {
            let at = self.shared.now().wall;
            match self.shared.store.store_login(&self.id, record, at).await {
                Ok(stored) => return stored,
                Err(error) => self.tell_hub(FromLogin::StoreFailed(error.to_string())),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    }

    async fn adopt(
        &self,
        wc_id: WcId,
        w_id: WId,
        lists: [Began; 2],
        queue: &mut VecDeque<Input>,
    ) -> Result<(), store::Error> {
        let store = &self.shared.store;
        let stored = match store.adopt(Some(&self.id), &wc_id, &w_id, lists).await? {
            Some(stored) => stored,
            // Online under the very wId that is stored: nothing to swap, and nothing to ring a phone for.
            None => match store.account(&wc_id).await? {
                Some(account) if account.w_id.as_ref() == Some(&w_id) => {
                    match store.end_attempt(&self.id, "adopted", None, None, self.shared.now().wall).await {
                        // It lives, whoever writes the line.
                        Ok(()) | Err(store::Error::Replaced) => {}
                        Err(error) => return Err(error),
                    }
                    // It lives: what was doubted of it is believed again.
                    let [began, _] = lists;
                    match self.lives(&wc_id, &w_id, began).await {
                        // What a login has seen counts whoever observes the fleet.
                        Err(store::Error::ObservesNoLonger) => {
                            self.tell_hub(FromLogin::ObservesNoLonger);
                            self.lives(&wc_id, &w_id, began).await?;
                        }
                        noted => noted?,
                    }
                    let account = store.account(&wc_id).await?.unwrap_or(account);
                    Stored { account, previous_w_id: Some(w_id.clone()), current: true, new_account: false }
                }
                Some(_) | None => {
                    queue.push_back(Input::NotAdopted);
                    return Ok(());
                }
            },
        };
        let account = &stored.account;
        let record = Record {
            wc_id,
            w_id,
            nick_name: account.nick_name.clone(),
            w_account: account.w_account.clone(),
            sex: account.sex,
            avatar_url: account.avatar_url.clone(),
        };
        self.swapped(record, stored, true, queue);
        Ok(())
    }

    /// The wId that is stored already was seen to live.
    async fn lives(&self, wc_id: &WcId, w_id: &WId, began: Began) -> Result<(), store::Error> {
        self.shared.store.confirm_w_ids(&[(wc_id.clone(), w_id.clone())]).await?;
        let (presence, source) = (Presence::Online, Source::List);
        let verdict = Verdict { wc_id: wc_id.clone(), presence, source, began, reason: None };
        self.shared.store.note(&[verdict], &[]).await?;
        Ok(())
    }

    fn swapped(&self, record: Record, stored: Stored, adopted: bool, queue: &mut VecDeque<Input>) {
        let swapped = Swapped { current: stored.current, previous_w_id: stored.previous_w_id.clone() };
        self.tell_hub(FromLogin::Token(true));
        self.tell_hub(FromLogin::Swapped(self.id.clone(), Box::new(stored)));
        queue.push_back(Input::Stored { record, adopted, swapped });
    }
}

/// The list's entry for an account; for an unknown one, the entry with the wId of its attempt.
fn find(list: Vec<(WcId, Option<WId>)>, wc_id: Option<&WcId>, w_id: Option<&WId>) -> Option<(WcId, Option<WId>)> {
    list.into_iter().find(|(listed, listed_w_id)| match wc_id {
        Some(wc_id) => listed == wc_id,
        None => listed_w_id.is_some() && listed_w_id.as_ref() == w_id,
    })
}

/// Whether an end is one for everybody, and not only that nothing more is done here: a wId came, or a person was told so.
const fn is_final(step: &LoginStep) -> bool {
    matches!(
        step,
        LoginStep::LoggedIn { .. }
            | LoginStep::Adopted { .. }
            | LoginStep::WrongAccount { .. }
            | LoginStep::Cancelled
            | LoginStep::Superseded
            | LoginStep::TakenOver { .. }
    )
}

/// Reads and encodes a picture off the engine's thread, and reads the result back before anybody is shown it.
async fn read_picture(bytes: Vec<u8>) -> Result<Picture, Box<str>> {
    let read = tokio::task::spawn_blocking(move || {
        let payload = qr::read::read(&bytes).map_err(|error| error.to_string())?;
        let code = Code::encode(&payload).map_err(|error| error.to_string())?;
        if !qr::verify::verify(&code, &payload) {
            return Err("the drawn code does not read back as the picture".to_owned());
        }
        Ok::<_, String>(Picture { code: Arc::new(code), payload })
    });
    match read.await {
        Ok(Ok(picture)) => Ok(picture),
        Ok(Err(detail)) => Err(detail.into()),
        Err(_) => Err("the picture could not be read".into()),
    }
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// Whether a failed call says that the token was not taken.
pub(super) const fn is_suspect(error: &Error) -> bool {
    matches!(error.kind, Kind::TokenSuspect)
}
