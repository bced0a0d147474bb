//! The state of the simulated gateway: accounts, codes, dialogs, tokens. No I/O and no clock; every function is
//! handed the simulated time.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

use super::act::ActError;
use super::device::SimDevice;
use super::fault::QueuedFault;
use super::knobs::Knobs;
use super::log::Log;
use super::logins::{Code, Dialog};
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
    /// V3: where it was signed in from last.
    pub(super) device: Option<SimDevice>,
    /// How often a login came from elsewhere than the one before.
    pub(super) device_changes: u32,
    /// When its reason was asked for last.
    pub(super) reason_asked: Option<Ms>,
    /// How often its reason was asked for.
    pub(super) reasons: u32,
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
    /// Restarts that the server has still to do: how long each lasts.
    pub(super) restarts: Vec<Ms>,
    pub(super) rng: fastrand::Rng,
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
            restarts: Vec::new(),
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

    pub(super) fn url_safe(&mut self, count: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
        (0..count).map(|_| char::from(self.rng.choice(ALPHABET).copied().unwrap_or(b'A'))).collect()
    }

    pub(super) fn id_ms(&mut self) -> u64 {
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
            device: spec.device.clone(),
            device_changes: 0,
            reason_asked: None,
            reasons: 0,
            spec,
        });
        at
    }

    /// A phone that nobody has seen yet: a given account that was never signed in, else a made-up one.
    pub(super) fn stranger(&mut self) -> usize {
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

    /// `code`: the wId under which the code was polled, where one was scanned.
    pub(super) fn log_in(&mut self, now: Ms, at: usize, w_id: &str, how: &str, code: Option<&str>) {
        self.set_w_id(now, at, Some(w_id.into()));
        if let Some(member) = self.members.get_mut(at) {
            member.logins += 1;
            member.reason = None;
            if !member.known {
                member.known = true;
                member.first_login = Some(now);
            }
        }
        self.tell(now, "online", json!({"wc_id": self.wc_id(at), "w_id": w_id, "how": how, "code": code}));
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
        if why.is_some() && self.knobs.notices {
            self.queue_notice(now, at, Some(&w_id), self.knobs.notice_copies);
        }
        true
    }

    /// An account comes online without the gateway's login calls.
    pub(super) fn come_online(&mut self, now: Ms, at: usize) {
        let w_id = self.new_w_id();
        self.log_in(now, at, &w_id, "elsewhere", None);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::property::cases;
    use proptest::prelude::*;

    use super::super::act::Act;
    use super::super::knobs::PollNeed;
    use super::*;

    fn empty(setup: &Setup) -> World {
        World::new(setup, watch::channel(0).0, broadcast::channel(16).0)
    }

    /// Everything that can come from outside, at any moment.
    #[derive(Clone, Debug)]
    enum Step {
        Code(Option<u8>),
        Dialog(u8),
        Act(Box<Act>),
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
            someone().prop_map(|wc_id| Step::Act(Box::new(Act::Scan { wc_id, w_id: None, payload: None }))),
            someone().prop_map(|wc_id| Step::Act(Box::new(Act::Confirm { wc_id }))),
            someone().prop_map(|wc_id| Step::Act(Box::new(Act::Cancel { wc_id }))),
            someone().prop_map(|wc_id| Step::Act(Box::new(Act::Ignore { wc_id }))),
            account().prop_map(|wc_id| Step::Act(Box::new(Act::Drop { wc_id }))),
            account().prop_map(|wc_id| Step::Act(Box::new(Act::Kick { wc_id }))),
            account().prop_map(|wc_id| Step::Act(Box::new(Act::Online { wc_id }))),
            any::<bool>().prop_map(|on| Step::Act(Box::new(Act::Auto { on }))),
            (0u32..5).prop_map(|count| Step::Act(Box::new(Act::MassDrop { count: Some(count), wc_ids: None }))),
        ]
    }

    proptest! {
        #![proptest_config(cases(256))]

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
                        world.act(now, *act).ok();
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
