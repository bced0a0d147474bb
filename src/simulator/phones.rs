//! Phones: what they do when told, and what they do by themselves.

use serde_json::json;

use super::act::{Act, ActError};
use super::fault::QueuedFault;
use super::logins::{CodeState, DialogState};
use super::setup::Then;
use super::world::{Due, Ms, World};

/// What WeChat says of a plain drop (protocol.md §3.12).
const DROPPED: &str = "登录出现错误，请你重新登录。";

/// What a phone is asked.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Code(usize),
    Dialog(usize),
}

impl World {
    /// What this phone, or the phone that was asked last, is asked. A dialog goes before a scanned code.
    fn asked(&self, wc_id: Option<&str>) -> Result<(Asked, usize), ActError> {
        let member = wc_id.map(|wc_id| self.find(wc_id)).transpose()?;
        let wanted = |at: usize| member.is_none_or(|m| m == at);
        let dialog = self.dialogs.iter().rposition(|d| d.state == DialogState::Open && wanted(d.member));
        let code = self.codes.iter().rposition(|c| matches!(c.state, CodeState::Scanned(m) if wanted(m) && !c.lost));
        let dialog = dialog.and_then(|at| self.dialogs.get(at).map(|d| (Asked::Dialog(at), d.member)));
        let code = code.and_then(|at| {
            self.codes.get(at).and_then(|c| match c.state {
                CodeState::Scanned(m) => Some((Asked::Code(at), m)),
                _ => None,
            })
        });
        dialog.or(code).ok_or(ActError::NothingToConfirm)
    }

    /// Scans as [`Act::Scan`] says. Gives the code and the account.
    pub(super) fn phone_scan(
        &mut self,
        now: Ms,
        wc_id: Option<&str>,
        w_id: Option<&str>,
        payload: Option<&str>,
    ) -> Result<(usize, usize), ActError> {
        self.expire(now);
        let member = wc_id.map(|wc_id| self.find(wc_id)).transpose()?;
        let code = self.code_to_scan(wc_id, w_id, payload)?;
        let member = self.scan(now, code, member)?;
        self.plan_answer(now, code, member);
        Ok((code, member))
    }

    /// Confirms or cancels what the phone is asked. Gives the account.
    pub(super) fn phone_answer(&mut self, now: Ms, wc_id: Option<&str>, confirm: bool) -> Result<usize, ActError> {
        self.expire(now);
        let (asked, member) = self.asked(wc_id)?;
        match asked {
            Asked::Dialog(at) => self.answer_dialog(now, at, confirm),
            Asked::Code(at) if confirm => self.confirm_code(now, at),
            Asked::Code(at) => self.cancel_code(now, at),
        }
        Ok(member)
    }

    fn cancel_code(&mut self, now: Ms, at: usize) {
        let Some(code) = self.codes.get_mut(at) else { return };
        code.state = CodeState::Cancelled;
        let w_id = code.w_id.clone();
        self.tell(now, "cancelled", json!({"w_id": w_id}));
    }

    /// The phone lets its dialog or code run out.
    fn phone_ignore(&mut self, wc_id: Option<&str>) -> Result<usize, ActError> {
        let (asked, member) = self.asked(wc_id)?;
        match asked {
            Asked::Dialog(at) => {
                if let Some(dialog) = self.dialogs.get_mut(at) {
                    dialog.ignored = true;
                }
            }
            Asked::Code(at) => {
                if let Some(code) = self.codes.get_mut(at) {
                    code.ignored = true;
                }
            }
        }
        Ok(member)
    }

    /// Does what is asked. Gives whom it was done to, where there is one.
    pub(super) fn act(&mut self, now: Ms, act: Act) -> Result<serde_json::Value, ActError> {
        let done = match act {
            Act::Scan { wc_id, w_id, payload } => {
                let (code, member) = self.phone_scan(now, wc_id.as_deref(), w_id.as_deref(), payload.as_deref())?;
                json!({"wc_id": self.wc_id(member), "w_id": self.codes.get(code).map(|c| &c.w_id)})
            }
            Act::Confirm { wc_id } => {
                let at = self.phone_answer(now, wc_id.as_deref(), true)?;
                json!({"wc_id": self.wc_id(at), "w_id": self.member(at).and_then(|m| m.w_id())})
            }
            Act::Cancel { wc_id } => {
                let at = self.phone_answer(now, wc_id.as_deref(), false)?;
                json!({"wc_id": self.wc_id(at)})
            }
            Act::Ignore { wc_id } => {
                let at = self.phone_ignore(wc_id.as_deref())?;
                json!({"wc_id": self.wc_id(at)})
            }
            Act::Drop { wc_id } => self.down(now, &wc_id, DROPPED, false)?,
            Act::Kick { wc_id } => self.down(now, &wc_id, "当前登录环境异常，请重新扫码登录。", true)?,
            Act::MassDrop { count, wc_ids } => {
                let online = self.members.iter().filter(|m| m.w_id().is_some()).map(|m| m.spec.wc_id.clone());
                let chosen: Vec<String> = match wc_ids {
                    Some(wc_ids) => wc_ids,
                    None => online.take(count.map_or(usize::MAX, |count| count as usize)).collect(),
                };
                for wc_id in &chosen {
                    self.find(wc_id)?;
                }
                let gone = chosen.iter().filter(|wc_id| self.down(now, wc_id, DROPPED, false).is_ok()).count();
                json!({"count": gone})
            }
            Act::Restart { down_ms } => {
                self.restarts.push(down_ms);
                self.tell(now, "restart", json!({"down_ms": down_ms}));
                json!({"down_ms": down_ms})
            }
            Act::TestNotice => {
                self.queue_test_push();
                json!({"callback": self.callback.is_some()})
            }
            Act::Online { wc_id } => {
                let at = self.find(&wc_id)?;
                self.come_online(now, at);
                json!({"wc_id": wc_id, "w_id": self.member(at).and_then(|m| m.w_id())})
            }
            Act::Auto { on } => {
                self.set_auto(now, on);
                json!({"auto": on})
            }
            Act::Script { wc_id, script } => {
                let at = self.find(&wc_id)?;
                if let Some(member) = self.members.get_mut(at) {
                    member.spec.script = script;
                }
                json!({"wc_id": wc_id})
            }
            Act::Account(spec) => {
                let wc_id = spec.wc_id.clone();
                if wc_id.is_empty() {
                    return Err(ActError::Bad("an account needs a wc_id".into()));
                }
                self.add(spec);
                json!({"wc_id": wc_id})
            }
            Act::Fault { endpoint, fault, times } => {
                self.faults.push(QueuedFault { endpoint: endpoint.trim_matches('/').into(), fault, times });
                json!({"queued": self.faults.len()})
            }
            Act::ClearFaults { endpoint } => {
                self.faults.retain(|q| endpoint.as_ref().is_some_and(|e| *e != q.endpoint));
                json!({"queued": self.faults.len()})
            }
            Act::Knobs { set } => {
                self.turn(&set)?;
                json!({})
            }
            Act::RevokeTokens => {
                self.tokens.clear();
                json!({})
            }
            // The connections are the server's; it has seen to them already.
            Act::BreakConnections => json!({}),
            Act::Notice { wc_id, w_id, times } => {
                let at = self.find(&wc_id)?;
                self.queue_notice(now, at, w_id.as_deref(), times.unwrap_or(1));
                json!({"wc_id": wc_id})
            }
        };
        self.touch();
        Ok(done)
    }

    fn down(&mut self, now: Ms, wc_id: &str, why: &str, kicked: bool) -> Result<serde_json::Value, ActError> {
        let at = self.find(wc_id)?;
        if self.log_out(now, at, Some(why), kicked) {
            Ok(json!({"wc_id": wc_id}))
        } else {
            Err(ActError::NotOnline(wc_id.into()))
        }
    }

    /// Turns some knobs; nothing changes if one of them does not read.
    pub(super) fn turn(&mut self, set: &serde_json::Value) -> Result<(), ActError> {
        let bad = |error: serde_json::Error| ActError::Bad(error.to_string());
        let mut all = serde_json::to_value(&self.knobs).map_err(bad)?;
        merge(&mut all, set);
        self.knobs = serde_json::from_value(all).map_err(bad)?;
        self.touch();
        Ok(())
    }

    // ---- by themselves ---------------------------------------------------------------------------------------

    /// Lets all phones act by themselves; what waits already is not forgotten.
    pub(super) fn set_auto(&mut self, now: Ms, on: bool) {
        let was = std::mem::replace(&mut self.auto, on);
        if !on {
            let timers = std::mem::take(&mut self.timers);
            let kept = timers.into_iter().filter(|(_, due)| match due {
                Due::Act(_) => true,
                Due::Scan { member, .. } => self.scripted(*member),
                Due::AnswerCode { code, .. } => self.scripted(self.scanner(*code)),
                Due::AnswerDialog { dialog, .. } => self.scripted(self.dialogs.get(*dialog).map(|d| d.member)),
            });
            self.timers = kept.collect();
        } else if !was {
            for at in 0..self.codes.len() {
                match self.codes.get(at).map(|c| c.state.clone()) {
                    Some(CodeState::Waiting) if !self.scripted(self.made_for(at)) => self.plan_scan(now, at),
                    Some(CodeState::Scanned(member)) if !self.scripted(Some(member)) => {
                        self.plan_answer(now, at, member);
                    }
                    _ => {}
                }
            }
            for at in 0..self.dialogs.len() {
                let open = self.dialogs.get(at).filter(|d| d.state == DialogState::Open).map(|d| d.member);
                if open.is_some() && !self.scripted(open) {
                    self.plan_dialog(now, at);
                }
            }
        }
        self.tell(now, "auto", json!({"on": on}));
    }

    /// Whether this account's phone has a script of its own.
    fn scripted(&self, member: Option<usize>) -> bool {
        member.and_then(|at| self.member(at)).is_some_and(|m| m.spec.script.is_some())
    }

    /// The account that a code was made for, if it is known.
    fn made_for(&self, code: usize) -> Option<usize> {
        self.codes.get(code).and_then(|c| c.wc_id.as_ref()).and_then(|wc_id| self.index.get(wc_id)).copied()
    }

    /// The account whose phone has scanned a code.
    fn scanner(&self, code: usize) -> Option<usize> {
        match self.codes.get(code)?.state {
            CodeState::Scanned(member) => Some(member),
            _ => None,
        }
    }

    fn between(&mut self, range: (u64, u64)) -> u64 {
        self.phone_rng.u64(range.0.min(range.1)..=range.1.max(range.0))
    }

    /// What a phone that acts by itself does in the end, by chance.
    fn chance(&mut self) -> Then {
        let roll = self.phone_rng.u8(0..100);
        let auto = &self.knobs.auto;
        if roll < auto.ignore_percent {
            Then::Ignore
        } else if roll < auto.ignore_percent.saturating_add(auto.cancel_percent) {
            Then::Cancel
        } else {
            Then::Confirm
        }
    }

    /// Plans the scan of a new code, if a phone acts by itself.
    pub(super) fn plan_scan(&mut self, now: Ms, code: usize) {
        let asked = self.made_for(code);
        let script = asked.and_then(|at| self.member(at)).and_then(|m| m.spec.script.clone());
        let by = asked.and_then(|at| self.member(at)?.spec.scanned_by.as_ref());
        let scans = by.and_then(|wc_id| self.index.get(wc_id).copied()).or(asked);
        let wait = match (script, self.auto) {
            (Some(script), _) => script.scan_ms,
            (None, true) => Some(self.between(self.knobs.auto.scan_ms)),
            (None, false) => None,
        };
        if let Some(wait) = wait {
            self.timers.push((now + wait, Due::Scan { code, member: scans }));
            self.touch();
        }
    }

    /// Plans the answer of a phone that has just scanned, if it acts by itself.
    pub(super) fn plan_answer(&mut self, now: Ms, code: usize, member: usize) {
        let script = self.member(member).and_then(|m| m.spec.script.clone());
        let (wait, then) = match (script, self.auto) {
            (Some(script), _) => (script.answer_ms, script.then),
            (None, true) => (self.between(self.knobs.auto.confirm_ms), self.chance()),
            (None, false) => return,
        };
        if then != Then::Ignore {
            self.timers.push((now + wait, Due::AnswerCode { code, confirm: then == Then::Confirm }));
            self.touch();
        }
    }

    /// Plans the answer to a new dialog, if the phone acts by itself.
    pub(super) fn plan_dialog(&mut self, now: Ms, dialog: usize) {
        let member = self.dialogs.get(dialog).map(|d| d.member);
        let script = member.and_then(|at| self.member(at)).and_then(|m| m.spec.script.clone());
        let (wait, then) = match (script, self.auto) {
            (Some(script), _) => (script.answer_ms, script.then),
            (None, true) => (self.between(self.knobs.auto.scan_ms), self.chance()),
            (None, false) => return,
        };
        if then != Then::Ignore {
            self.timers.push((now + wait, Due::AnswerDialog { dialog, confirm: then == Then::Confirm }));
            self.touch();
        }
    }

    /// Does everything that is due. Gives the acts that only the server can do.
    pub(super) fn run_due(&mut self, now: Ms) -> Vec<Act> {
        let mut for_server = Vec::new();
        while let Some(at) =
            (0..self.timers.len()).filter(|at| self.due_at(*at) <= now).min_by_key(|at| self.due_at(*at))
        {
            let (due_at, due) = self.timers.remove(at);
            // Whatever ran out before this was due comes first.
            self.expire(due_at.min(now));
            match due {
                Due::Scan { code, member } => {
                    if self.codes.get(code).is_some_and(|c| !c.ignored)
                        && let Ok(member) = self.scan(now, code, member)
                    {
                        self.plan_answer(now, code, member);
                    }
                }
                Due::AnswerCode { code, confirm } => {
                    let scanned = matches!(self.codes.get(code), Some(c) if !c.ignored && matches!(c.state, CodeState::Scanned(_)));
                    if scanned && confirm {
                        self.confirm_code(now, code);
                    } else if scanned {
                        self.cancel_code(now, code);
                    }
                }
                Due::AnswerDialog { dialog, confirm } => {
                    if self.dialogs.get(dialog).is_some_and(|d| !d.ignored) {
                        self.answer_dialog(now, dialog, confirm);
                    }
                }
                Due::Act(act) => {
                    if matches!(*act, Act::BreakConnections) {
                        for_server.push(Act::BreakConnections);
                    }
                    if let Err(error) = self.act(now, *act) {
                        self.tell(now, "event_failed", json!({"reason": error.code(), "detail": error.to_string()}));
                    }
                }
            }
        }
        self.expire(now);
        for_server
    }

    fn due_at(&self, at: usize) -> Ms {
        self.timers.get(at).map_or(Ms::MAX, |(due, _)| *due)
    }
}

/// Lays an object over another, deeply; everything else replaces.
pub(super) fn merge(into: &mut serde_json::Value, from: &serde_json::Value) {
    match (into, from) {
        (serde_json::Value::Object(into), serde_json::Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
