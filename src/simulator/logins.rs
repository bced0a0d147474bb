//! Logins under way: codes that wait for a phone, dialogs that wait for an answer.

use serde_json::json;

use super::act::ActError;
use super::device::SimDevice;
use super::knobs::{PollNeed, ReplyWId};
use super::setup::SimAccount;
use super::world::{Ms, World};
use crate::model::Dialect;

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
    /// V3: the device it signs in from.
    pub(super) device: Option<SimDevice>,
    /// Wrong verification codes so far.
    pub(super) wrong_codes: u32,
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

impl World {
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
            device: None,
            wrong_codes: 0,
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
        let device = code.device.clone();
        let shape = self.reply_w_id();
        let w_id = if shape == ReplyWId::Different { self.new_w_id() } else { polled.clone() };
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
        self.log_in(now, member, &w_id, "code", Some(&polled));
        if let Some(device) = device {
            self.note_device(now, member, device);
        }
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
            Some(w_id) => self.log_in(now, member, &w_id, "dialog", None),
            None => self.tell(now, "refused", json!({"wc_id": self.wc_id(member)})),
        }
    }
}
