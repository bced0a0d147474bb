//! The state of the simulated gateway: accounts, codes, dialogs, tokens. No I/O and no clock; every function is
//! handed the simulated time.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

use super::act::ActError;
use super::fault::QueuedFault;
use super::knobs::{Knobs, PollNeed, ReplyWId};
use super::log::Log;
use super::setup::{self, Setup, SimAccount};
use crate::model::Dialect;

/// Simulated milliseconds since the start.
pub(super) type Ms = u64;

/// Ids count from this moment (2026-01-01), one second each, so that they depend on the seed alone.
const ID_EPOCH_MS: u64 = 1_767_225_600_000;
const DAY_MS: Ms = 86_400_000;

/// One account as the gateway sees it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) spec: SimAccount,
    /// Whether the gateway has signed it in before.
    pub(super) known: bool,
    /// Whether second login is refused until the next QR login.
    pub(super) qr_only: bool,
    /// Every change of the live wId, oldest first; the last one is what is true now.
    pub(super) history: Vec<(Ms, Option<String>)>,
    /// The first login that this simulator saw.
    pub(super) first_login: Option<Ms>,
    pub(super) dropped_before: bool,
    /// Why it is offline, for `offlineReason`.
    pub(super) reason: Option<String>,
    /// Logins that succeeded.
    pub(super) logins: u32,
    /// Confirm dialogs its phone has shown.
    pub(super) dialogs: u32,
    /// Devices that WeChat has seen: one more for every login of a known account without its wcId.
    pub(super) devices: u32,
    /// Logins that came with the wcId and found the device again.
    pub(super) remembered: u32,
}

impl Member {
    /// The live wId.
    pub(super) fn w_id(&self) -> Option<&str> {
        self.history.last().and_then(|(_, w_id)| w_id.as_deref())
    }

    /// What was true at that time.
    pub(super) fn w_id_at(&self, time: Ms) -> Option<&str> {
        self.history.iter().rev().find(|(at, _)| *at <= time).and_then(|(_, w_id)| w_id.as_deref())
    }
}

/// How far a code is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CodeState {
    /// Nobody scanned.
    Waiting,
    /// This account's phone scanned and shows its confirm button.
    Scanned(usize),
    /// Confirmed, but the login still waits: for a poll, a verification code, a device verification.
    Confirmed(usize),
    /// Signed in.
    Done(usize),
    /// The phone cancelled.
    Cancelled,
    /// Ran out, or a newer code ended it.
    Over,
}

/// One QR login.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) w_id: String,
    pub(super) wc_id: Option<String>,
    pub(super) image: String,
    pub(super) payload: String,
    pub(super) expires: Ms,
    pub(super) state: CodeState,
    /// Polls that are open now.
    pub(super) open_polls: u32,
    /// How often the success was told.
    pub(super) told: u32,
    /// The live wId that the login ended in.
    pub(super) final_w_id: String,
    /// Whether the person typed the right verification code.
    pub(super) verified: bool,
    /// Whether the device verification was asked.
    pub(super) device_asked: bool,
    /// Whether phones that act by themselves leave it alone.
    pub(super) ignored: bool,
    /// Whether the phone confirmed and the gateway never heard of it.
    pub(super) lost: bool,
}

/// How a dialog is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DialogState {
    /// On the phone.
    Open,
    /// Confirmed; the new wId, and when the reply may leave.
    Confirmed(String, Ms),
    /// Cancelled, run out, replaced by a newer one, or gone with its client.
    Failed,
}

/// One second login.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) member: usize,
    pub(super) expires: Ms,
    pub(super) state: DialogState,
    pub(super) ignored: bool,
}

/// What a timer does when it is due.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// The phone scans this code, as this account or a new one.
    Scan { code: usize, member: Option<usize> },
    /// The phone answers this code.
    AnswerCode { code: usize, confirm: bool },
    /// The phone answers this dialog.
    AnswerDialog { dialog: usize, confirm: bool },
    /// Something from the setup.
    Act(Box<super::act::Act>),
}

/// A notice on its way to the registered callback.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) url: String,
    pub(super) body: String,
}

/// Everything behind the one mutex.
#[derive(Debug)]
pub(super) struct World {
    pub(super) dialect: Dialect,
    pub(super) knobs: Knobs,
    pub(super) account: String,
    pub(super) password: String,
    pub(super) tokens: Vec<String>,
    pub(super) newest_token: String,
    pub(super) callback: Option<String>,
    pub(super) members: Vec<Member>,
    pub(super) index: HashMap<String, usize>,
    pub(super) codes: Vec<Code>,
    pub(super) code_index: HashMap<String, usize>,
    pub(super) dialogs: Vec<Dialog>,
    pub(super) faults: Vec<QueuedFault>,
    pub(super) timers: Vec<(Ms, Due)>,
    pub(super) auto: bool,
    pub(super) log: Log,
    pub(super) image_base: String,
    pub(super) outbox: Vec<Notice>,
    rng: fastrand::Rng,
    pub(super) phone_rng: fastrand::Rng,
    serial: u64,
    strangers: usize,
    changed: watch::Sender<u64>,
    events: broadcast::Sender<Value>,
}

impl World {
    pub(super) fn new(setup: &Setup, changed: watch::Sender<u64>, events: broadcast::Sender<Value>) -> Self {
        let mut world = Self {
            dialect: setup.dialect,
            knobs: setup.knobs.clone(),
            account: setup.account.clone(),
            password: setup.password.clone(),
            tokens: Vec::new(),
            newest_token: String::new(),
            callback: None,
            members: Vec::new(),
            index: HashMap::new(),
            codes: Vec::new(),
            code_index: HashMap::new(),
            dialogs: Vec::new(),
            faults: setup.faults.clone(),
            timers: setup.events.iter().map(|timed| (timed.at_ms, Due::Act(Box::new(timed.act.clone())))).collect(),
            auto: setup.auto,
            log: Log::default(),
            image_base: String::new(),
            outbox: Vec::new(),
            rng: fastrand::Rng::with_seed(setup.seed),
            phone_rng: fastrand::Rng::with_seed(setup.seed ^ 0x9e37_79b9_7f4a_7c15),
            serial: 0,
            strangers: 0,
            changed,
            events,
        };
        world.issue_token();
        for account in &setup.accounts {
            world.add(account.clone());
        }
        let mut names = fastrand::Rng::with_seed(setup.seed ^ 0x5eed);
        for index in 0..setup.generated {
            world.add(setup::generated(&mut names, index));
        }
        world
    }

    // ---- time and tidings ------------------------------------------------------------------------------------

    /// Wakes everything that waits for the state to change.
    pub(super) fn touch(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Tells what happened. Nothing secret may be in it.
    pub(super) fn tell(&self, now: Ms, event: &str, mut fields: Value) {
        if let Some(map) = fields.as_object_mut() {
            map.insert("event".into(), json!(event));
            map.insert("at_ms".into(), json!(now));
        }
        // Nobody listening is fine.
        self.events.send(fields).ok();
        self.touch();
    }

    // ---- names -----------------------------------------------------------------------------------------------

    fn url_safe(&mut self, count: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
        (0..count).map(|_| char::from(self.rng.choice(ALPHABET).copied().unwrap_or(b'A'))).collect()
    }

    fn id_ms(&mut self) -> u64 {
        self.serial += 1;
        ID_EPOCH_MS + self.serial * 1_000
    }

    /// A wId in the dialect's shape (protocol.md §2).
    pub(super) fn new_w_id(&mut self) -> String {
        let ms = self.id_ms();
        let tail = self.rng.u64(..) & 0xffff_ffff_ffff;
        match self.dialect {
            // The sample's first 16 digits are a time in milliseconds.
            Dialect::V1 => {
                format!("{:08x}-{:04x}-{:04x}-0001-{tail:012x}", ms >> 32, (ms >> 16) & 0xffff, ms & 0xffff)
            }
            Dialect::V2 | Dialect::V3 => format!(
                "{:08x}-{:04x}-4{:03x}-{:04x}-{tail:012x}",
                self.rng.u32(..),
                self.rng.u16(..),
                self.rng.u16(..) & 0xfff,
                self.rng.u16(..) & 0x3fff | 0x8000,
            ),
        }
    }

    /// Issues a token: shaped like a JWT, but nothing can be read from it.
    pub(super) fn issue_token(&mut self) -> String {
        let body = self.url_safe(28);
        let tail = self.url_safe(43);
        let token = format!("eyJhbGciOiJub25lIn0.SAOMA-DUMMY-{body}.{tail}");
        if self.knobs.new_token_kills_old {
            self.tokens.clear();
        }
        self.tokens.push(token.clone());
        self.newest_token.clone_from(&token);
        token
    }

    /// A blob as V1 sends one (protocol.md §3.4): base64, about 700 characters, meaning nothing.
    pub(super) fn blob(&mut self) -> String {
        let mut blob = self.url_safe(698).replace(['-', '_'], "A");
        blob.push_str("==");
        blob
    }

    /// Random bytes that are neither JSON nor a picture.
    pub(super) fn garbage(&mut self) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..512).map(|_| self.rng.u8(..)).collect();
        if let Some(first) = bytes.first_mut() {
            *first = 0xff;
        }
        bytes
    }

    // ---- accounts --------------------------------------------------------------------------------------------

    /// Adds an account, or replaces what is known of one. Gives its place.
    pub(super) fn add(&mut self, spec: SimAccount) -> usize {
        if let Some(&at) = self.index.get(&spec.wc_id) {
            if let Some(member) = self.members.get_mut(at) {
                member.qr_only = spec.qr_only;
                member.spec = spec;
            }
            return at;
        }
        let w_id = spec.online.then(|| self.new_w_id());
        let known = spec.known || spec.online;
        let at = self.members.len();
        self.index.insert(spec.wc_id.clone(), at);
        self.members.push(Member {
            known,
            qr_only: spec.qr_only,
            history: vec![(0, w_id)],
            first_login: None,
            dropped_before: false,
            reason: None,
            logins: 0,
            dialogs: 0,
            devices: u32::from(known),
            remembered: 0,
            spec,
        });
        at
    }

    /// A phone that nobody has seen yet: a given account that was never signed in, else a made-up one.
    fn stranger(&mut self) -> usize {
        let waiting = self.members.iter().position(|m| !m.known && m.logins == 0 && m.w_id().is_none());
        if let Some(at) = waiting {
            return at;
        }
        self.strangers += 1;
        let number = self.strangers;
        let spec = SimAccount {
            w_account: format!("saoma-new-{number}"),
            known: false,
            ..SimAccount::new(
                format!("wxid_new{:04}{number:04}", self.phone_rng.u16(0..10_000)),
                if number % 2 == 1 { format!("新朋友{number}") } else { format!("Newcomer {number}") },
            )
        };
        self.add(spec)
    }

    pub(super) fn find(&self, wc_id: &str) -> Result<usize, ActError> {
        self.index.get(wc_id).copied().ok_or_else(|| ActError::NoSuchAccount(wc_id.into()))
    }

    pub(super) fn member(&self, at: usize) -> Option<&Member> {
        self.members.get(at)
    }

    pub(super) fn wc_id(&self, at: usize) -> &str {
        self.members.get(at).map_or("", |m| &m.spec.wc_id)
    }

    /// The account that this wId is live for.
    pub(super) fn by_w_id(&self, w_id: &str) -> Option<usize> {
        self.members.iter().position(|m| m.w_id() == Some(w_id))
    }

    fn set_w_id(&mut self, now: Ms, at: usize, w_id: Option<String>) {
        if let Some(member) = self.members.get_mut(at) {
            member.history.push((now, w_id));
        }
    }

    fn log_in(&mut self, now: Ms, at: usize, w_id: &str, how: &str) {
        self.set_w_id(now, at, Some(w_id.into()));
        if let Some(member) = self.members.get_mut(at) {
            member.logins += 1;
            member.reason = None;
            if !member.known {
                member.known = true;
                member.first_login = Some(now);
            }
        }
        self.tell(now, "online", json!({"wc_id": self.wc_id(at), "w_id": w_id, "how": how}));
    }

    /// Takes an account off line. `why` none: somebody asked the gateway to.
    pub(super) fn log_out(&mut self, now: Ms, at: usize, why: Option<&str>, kicked: bool) -> bool {
        let first_day = self.knobs.first_day_drop;
        let Some(member) = self.members.get_mut(at) else { return false };
        let Some(w_id) = member.w_id().map(str::to_owned) else { return false };
        if let Some(why) = why {
            member.reason = Some(why.into());
            let in_first_day = member.first_login.is_some_and(|first| now.saturating_sub(first) < DAY_MS);
            if kicked || (first_day && in_first_day && !member.dropped_before) {
                member.qr_only = true;
            }
            member.dropped_before = true;
        } else {
            member.reason = Some("主动下线".into());
        }
        self.set_w_id(now, at, None);
        self.tell(now, "offline", json!({"wc_id": self.wc_id(at), "w_id": w_id, "asked": why.is_none()}));
        if why.is_some() {
            self.queue_notice(now, at, Some(&w_id), 1);
        }
        true
    }

    /// An account comes online without the gateway's login calls.
    pub(super) fn come_online(&mut self, now: Ms, at: usize) {
        let w_id = self.new_w_id();
        self.log_in(now, at, &w_id, "elsewhere");
    }

    // ---- QR login --------------------------------------------------------------------------------------------

    /// How long the dialect lets a login wait.
    pub(super) fn limit(&self) -> Ms {
        u64::try_from(self.dialect.login_limit_ms()).unwrap_or(150_000)
    }

    /// A new code. Gives its place.
    pub(super) fn new_code(&mut self, now: Ms, wc_id: Option<String>) -> usize {
        if self.knobs.new_code_kills_old && wc_id.is_some() {
            for code in &mut self.codes {
                let waits = matches!(code.state, CodeState::Waiting | CodeState::Scanned(_) | CodeState::Confirmed(_));
                if waits && code.wc_id == wc_id {
                    code.state = CodeState::Over;
                }
            }
        }
        let w_id = self.new_w_id();
        let ms = self.id_ms();
        let image = format!("{ms}-{}.png", self.rng.u32(100_000..1_000_000));
        let payload = format!("http://weixin.qq.com/x/SAOMA-{}", self.url_safe(14));
        let life = self.knobs.code_life_ms.unwrap_or_else(|| self.limit());
        let at = self.codes.len();
        self.tell(now, "code", json!({"w_id": w_id, "wc_id": wc_id, "expires_ms": now + life}));
        self.code_index.insert(w_id.clone(), at);
        self.codes.push(Code {
            final_w_id: w_id.clone(),
            w_id,
            wc_id,
            image,
            payload,
            expires: now + life,
            state: CodeState::Waiting,
            open_polls: 0,
            told: 0,
            verified: false,
            device_asked: false,
            ignored: false,
            lost: false,
        });
        self.plan_scan(now, at);
        at
    }

    /// Ends codes and dialogs that have run out.
    pub(super) fn expire(&mut self, now: Ms) {
        let mut over = Vec::new();
        for code in &mut self.codes {
            let waits = matches!(code.state, CodeState::Waiting | CodeState::Scanned(_) | CodeState::Confirmed(_));
            if waits && now >= code.expires {
                code.state = CodeState::Over;
                over.push(code.w_id.clone());
            }
        }
        let mut failed = Vec::new();
        for dialog in &mut self.dialogs {
            if dialog.state == DialogState::Open && now >= dialog.expires {
                dialog.state = DialogState::Failed;
                failed.push(dialog.member);
            }
        }
        for w_id in over {
            self.tell(now, "code_over", json!({"w_id": w_id}));
        }
        for at in failed {
            self.tell(now, "dialog_over", json!({"wc_id": self.wc_id(at)}));
        }
    }

    /// When something runs out or is due next.
    pub(super) fn next_due(&self) -> Option<Ms> {
        let codes = self.codes.iter().filter_map(|code| {
            matches!(code.state, CodeState::Waiting | CodeState::Scanned(_) | CodeState::Confirmed(_))
                .then_some(code.expires)
        });
        let dialogs = self.dialogs.iter().filter(|d| d.state == DialogState::Open).map(|d| d.expires);
        codes.chain(dialogs).chain(self.timers.iter().map(|(at, _)| *at)).min()
    }

    /// Whether the code still waits for its phone.
    fn waits(&self, at: usize) -> bool {
        self.codes.get(at).is_some_and(|c| c.state == CodeState::Waiting)
    }

    /// Which code a phone would scan.
    pub(super) fn code_to_scan(
        &self,
        wc_id: Option<&str>,
        w_id: Option<&str>,
        payload: Option<&str>,
    ) -> Result<usize, ActError> {
        if w_id.is_some() || payload.is_some() {
            let at = self
                .codes
                .iter()
                .rposition(|c| w_id.is_none_or(|w| c.w_id == w) && payload.is_none_or(|p| c.payload == p))
                .ok_or(ActError::NothingToScan)?;
            return if self.waits(at) { Ok(at) } else { Err(ActError::CodeOver) };
        }
        let newest = |wanted: &dyn Fn(&Code) -> bool| {
            self.codes.iter().rposition(|c| c.state == CodeState::Waiting && wanted(c))
        };
        match wc_id {
            Some(wc_id) => newest(&|c| c.wc_id.as_deref() == Some(wc_id)).or_else(|| newest(&|c| c.wc_id.is_none())),
            None => newest(&|_| true),
        }
        .ok_or(ActError::NothingToScan)
    }

    /// A phone scans this code. Gives whose phone it was.
    pub(super) fn scan(&mut self, now: Ms, code: usize, member: Option<usize>) -> Result<usize, ActError> {
        if !self.waits(code) {
            return Err(ActError::CodeOver);
        }
        let asked = self.codes.get(code).and_then(|c| c.wc_id.clone());
        let member = match (member, asked) {
            (Some(member), _) => member,
            (None, Some(asked)) => match self.index.get(&asked) {
                Some(&at) => at,
                None => self.add(SimAccount { known: false, ..SimAccount::new(asked.clone(), asked) }),
            },
            (None, None) => self.stranger(),
        };
        let mut w_id = String::new();
        if let Some(code) = self.codes.get_mut(code) {
            code.state = CodeState::Scanned(member);
            w_id.clone_from(&code.w_id);
        }
        self.tell(now, "scanned", json!({"w_id": w_id, "wc_id": self.wc_id(member)}));
        Ok(member)
    }

    /// The phone that scanned presses confirm.
    pub(super) fn confirm_code(&mut self, now: Ms, at: usize) {
        let Some(code) = self.codes.get_mut(at) else { return };
        let CodeState::Scanned(member) = code.state else { return };
        let lost = self.knobs.login_needs_poll == PollNeed::Lost && code.open_polls == 0;
        if lost {
            // The phone believes it is done and shows nothing any more; the gateway has heard nothing.
            code.lost = true;
            let w_id = code.w_id.clone();
            self.tell(now, "confirm_lost", json!({"w_id": w_id, "wc_id": self.wc_id(member)}));
            return;
        }
        code.state = CodeState::Confirmed(member);
        let w_id = code.w_id.clone();
        self.tell(now, "confirmed", json!({"w_id": w_id, "wc_id": self.wc_id(member)}));
        self.settle(now, at);
    }

    /// Signs a confirmed code's account in, unless something is still missing.
    pub(super) fn settle(&mut self, now: Ms, at: usize) {
        let verify = self.knobs.verify_code.is_some();
        let device = self.knobs.device_verification;
        let needs_poll = self.knobs.login_needs_poll != PollNeed::No;
        let Some(code) = self.codes.get(at) else { return };
        let CodeState::Confirmed(member) = code.state else { return };
        if (needs_poll && code.open_polls == 0) || (verify && !code.verified) || (device && !code.device_asked) {
            return;
        }
        let with_wc_id = code.wc_id.as_deref() == Some(self.wc_id(member));
        let polled = code.w_id.clone();
        let shape = self.reply_w_id();
        let w_id = if shape == ReplyWId::Different { self.new_w_id() } else { polled };
        if let Some(code) = self.codes.get_mut(at) {
            code.state = CodeState::Done(member);
            code.final_w_id.clone_from(&w_id);
        }
        if let Some(member) = self.members.get_mut(member) {
            member.qr_only = false;
            if with_wc_id && member.known {
                member.remembered += 1;
            } else {
                member.devices += 1;
            }
        }
        self.log_in(now, member, &w_id, "code");
    }

    /// Which wId replies carry, with the dialect's sample resolved.
    pub(super) fn reply_w_id(&self) -> ReplyWId {
        match (self.knobs.reply_w_id, self.dialect) {
            (ReplyWId::Sample, Dialect::V1 | Dialect::V3) => ReplyWId::Different,
            (ReplyWId::Sample, Dialect::V2) => ReplyWId::Missing,
            (other, _) => other,
        }
    }

    // ---- second login ----------------------------------------------------------------------------------------

    /// The phone shows a confirm dialog. None: the gateway fails at once.
    pub(super) fn new_dialog(&mut self, now: Ms, wc_id: &str) -> Option<usize> {
        let member = self.index.get(wc_id).copied()?;
        let state = self.members.get_mut(member)?;
        if !state.known || state.qr_only {
            return None;
        }
        state.dialogs += 1;
        for dialog in &mut self.dialogs {
            if dialog.member == member && dialog.state == DialogState::Open {
                dialog.state = DialogState::Failed;
            }
        }
        let life = self.knobs.dialog_life_ms.unwrap_or_else(|| self.limit());
        let at = self.dialogs.len();
        self.dialogs.push(Dialog { member, expires: now + life, state: DialogState::Open, ignored: false });
        self.tell(now, "dialog", json!({"wc_id": wc_id, "expires_ms": now + life}));
        self.plan_dialog(now, at);
        Some(at)
    }

    /// Ends an open dialog in a login or a failure.
    pub(super) fn answer_dialog(&mut self, now: Ms, at: usize, confirm: bool) {
        let slow = self.knobs.second_login_slow_ms;
        let Some(member) = self.dialogs.get(at).filter(|d| d.state == DialogState::Open).map(|d| d.member) else {
            return;
        };
        let w_id = confirm.then(|| self.new_w_id());
        if let Some(dialog) = self.dialogs.get_mut(at) {
            dialog.state = w_id.clone().map_or(DialogState::Failed, |w_id| DialogState::Confirmed(w_id, now + slow));
        }
        match w_id {
            Some(w_id) => self.log_in(now, member, &w_id, "dialog"),
            None => self.tell(now, "refused", json!({"wc_id": self.wc_id(member)})),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::super::act::Act;
    use super::*;

    fn empty(setup: &Setup) -> World {
        World::new(setup, watch::channel(0).0, broadcast::channel(16).0)
    }

    /// Everything that can come from outside, at any moment.
    #[derive(Clone, Debug)]
    enum Step {
        Code(Option<u8>),
        Dialog(u8),
        Act(Act),
        Poll(usize),
        Wait(u32),
    }

    fn account() -> impl Strategy<Value = String> {
        (0u8..4).prop_map(|n| format!("wxid_{n}"))
    }

    fn step() -> impl Strategy<Value = Step> {
        let someone = || proptest::option::of(account());
        prop_oneof![
            proptest::option::of(0u8..4).prop_map(Step::Code),
            (0u8..4).prop_map(Step::Dialog),
            (0usize..8).prop_map(Step::Poll),
            (0u32..100_000).prop_map(Step::Wait),
            someone().prop_map(|wc_id| Step::Act(Act::Scan { wc_id, w_id: None, payload: None })),
            someone().prop_map(|wc_id| Step::Act(Act::Confirm { wc_id })),
            someone().prop_map(|wc_id| Step::Act(Act::Cancel { wc_id })),
            someone().prop_map(|wc_id| Step::Act(Act::Ignore { wc_id })),
            account().prop_map(|wc_id| Step::Act(Act::Drop { wc_id })),
            account().prop_map(|wc_id| Step::Act(Act::Kick { wc_id })),
            account().prop_map(|wc_id| Step::Act(Act::Online { wc_id })),
            any::<bool>().prop_map(|on| Step::Act(Act::Auto { on })),
        ]
    }

    proptest! {
        #[test]
        fn no_order_of_things_breaks_the_world(
            steps in proptest::collection::vec(step(), 0..60),
            seed in any::<u64>(),
            need in prop_oneof![Just(PollNeed::No), Just(PollNeed::Later), Just(PollNeed::Lost)],
        ) {
            let accounts = (0..4).map(|n| SimAccount::new(format!("wxid_{n}"), "n")).collect();
            let mut world = empty(&Setup { seed, accounts, ..Setup::default() });
            world.knobs.login_needs_poll = need;
            let (mut now, mut rung, mut seen) = (0, 0, HashSet::new());
            for step in steps {
                match step {
                    Step::Code(who) => {
                        world.new_code(now, who.map(|n| format!("wxid_{n}")));
                    }
                    Step::Dialog(who) => rung += u32::from(world.new_dialog(now, &format!("wxid_{who}")).is_some()),
                    Step::Act(act) => {
                        // That there is nothing to scan is an answer too.
                        world.act(now, act).ok();
                    }
                    Step::Poll(at) => {
                        if let Some(code) = world.codes.get_mut(at) {
                            code.open_polls ^= 1;
                        }
                        world.settle(now, at);
                    }
                    Step::Wait(ms) => now += Ms::from(ms),
                }
                world.run_due(now);
                prop_assert!(world.next_due().is_none_or(|due| due > now), "nothing that is due stays undone");
                let live: Vec<_> = world.members.iter().filter_map(Member::w_id).collect();
                prop_assert_eq!(live.len(), live.iter().collect::<HashSet<_>>().len(), "a wId is one account's");
                for member in &world.members {
                    for (at, w_id) in member.history.iter().skip(1) {
                        prop_assert!(*at <= now);
                        if let Some(w_id) = w_id {
                            seen.insert((member.spec.wc_id.clone(), w_id.clone()));
                        }
                    }
                }
                let w_ids: HashSet<_> = seen.iter().map(|(_, w_id)| w_id).collect();
                prop_assert_eq!(w_ids.len(), seen.len(), "a wId never comes back for another account");
            }
            prop_assert_eq!(rung, world.members.iter().map(|m| m.dialogs).sum::<u32>());
        }
    }
}
