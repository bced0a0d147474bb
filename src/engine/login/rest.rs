//! Going on with what a dead process left, or with an old code after its renewal.

use std::time::Duration;

use super::ladder::{Entry, LIST_PAUSE};
use super::{Doubted, LAST_POLL, Machine, NEARLY_OVER, Output, Outputs, Phase, PictureState, Polling, Remains, State};
use crate::engine::api::LoginStep;
use crate::gateway::{Error, Kind};
use crate::model::{Began, LONGEST_LIFE_MS, Now, Reason, Record, Rung, Stamp, WId};
use crate::store::SECOND_LOGIN_FAILED;

/// Between lists while an interrupted second login may still be confirmed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a list that cannot be asked is waited for, after the dialog is over.
const LISTLESS: Duration = Duration::from_secs(120);

/// What is left until a moment that a process has noted which is gone.
fn left_ms(until: Stamp, now: Now) -> i64 {
    until.ms_since(now.wall).clamp(0, LONGEST_LIFE_MS)
}

impl Machine {
    pub(super) fn resume(&mut self, remains: Remains, now: Now, out: &mut Outputs) {
        // One that lies further ahead than anything lives was noted by a clock that was ahead.
        let latest = now.wall.plus_ms(LONGEST_LIFE_MS);
        let expires_at = remains.deadline.map(|deadline| deadline.min(latest));
        self.tell(LoginStep::Resumed { rung: remains.rung, expires_at }, out);
        let Some(w_id) = remains.w_id else {
            // Without a wId only the list can tell; V1's has none (design.md §4).
            if self.wish.dialect.lists_w_ids() && self.wish.wc_id.is_some() {
                return self.ask_list(Some(self.rest_until(&remains, now)), out);
            }
            // Where no phone was asked, nothing can have come of it.
            let harmless = remains.rung == Rung::Adopt;
            let reason = if harmless || self.wish.dialect.lists_w_ids() || self.wish.wc_id.is_none() {
                Reason::Interrupted
            } else {
                Reason::LoginInterrupted
            };
            return self.fail(reason, None, "the program that ran this login is gone".into(), out);
        };
        let left_ms = remains.deadline.map_or(0, |deadline| left_ms(deadline, now));
        let left = Duration::from_millis(left_ms.unsigned_abs());
        let deadline = Now { wall: now.wall.plus_ms(left_ms), mono: now.mono + left };
        let wanted = !self.abandoned && left > NEARLY_OVER;
        let generation = self.ask();
        let mut polling = Polling::new(w_id.clone(), remains.image_url.clone(), deadline, generation);
        if !wanted {
            polling.picture = PictureState::Unwanted;
        }
        if let (true, Some(image_url)) = (wanted, remains.image_url) {
            out.push(Output::Fetch { generation, image_url });
        }
        let limit = if left.is_zero() {
            polling.phase = Phase::Last;
            LAST_POLL
        } else {
            left
        };
        out.push(Output::Poll { generation, w_id, verify_code: None, limit });
        self.state = State::Polling(polling);
        if !left.is_zero() {
            self.tell(LoginStep::Waiting, out);
        }
    }

    /// How long the list is asked about an interrupted login without a wId: as long as a phone may confirm.
    fn rest_until(&self, remains: &Remains, now: Now) -> Duration {
        let limit_ms = if remains.rung == Rung::SecondLogin { self.wish.dialect.login_limit_ms() } else { 0 };
        let until = remains.deadline.unwrap_or_else(|| remains.requested_at.plus_ms(limit_ms));
        now.mono + Duration::from_millis(left_ms(until, now).unsigned_abs())
    }

    /// An interrupted login without a wId: the list decides, until its dialog is over.
    pub(super) fn listed_for_rest(
        &mut self,
        seen: Option<(WId, Began)>,
        until: Duration,
        began: Began,
        result: Result<Option<Entry>, Error>,
        now: Now,
        out: &mut Outputs,
    ) {
        self.dialog_until = Some(until);
        let remains = self.resumed.as_ref();
        let known = remains.map_or(&self.wish.known_w_id, |remains| &remains.known_w_id).clone();
        if let Err(error) = &result
            && error.kind == Kind::TokenSuspect
        {
            self.state = State::Listing { seen: None, until: Some(until) };
            return self.suspect(error.clone(), now, out);
        }
        let unseen = result.is_err();
        let news = match result {
            Ok(Some((wc_id, Some(w_id)))) if Some(&w_id) != known.as_ref() => Some((wc_id, w_id)),
            Ok(_) | Err(_) => None,
        };
        match (news, seen) {
            (Some((wc_id, w_id)), Some((seen, first))) if seen == w_id => {
                self.state = State::Adopting;
                out.push(Output::Adopt { wc_id, w_id, lists: [first, began] });
            }
            (Some((_, w_id)), _) => {
                self.state = State::Listing { seen: Some((w_id, began)), until: Some(until) };
                let generation = self.ask();
                out.push(Output::AskList { generation, pause: LIST_PAUSE });
            }
            (None, _) => self.look_again(until, unseen, now, out),
        }
    }

    /// The answer to a second login was lost, and its phone may confirm all the same: the list tells.
    pub(super) fn answer_lost(&mut self, error: &Error, until: Duration, now: Now, out: &mut Outputs) {
        self.lost = Some(error.clone());
        self.tell(LoginStep::PollBroken { retry_at: now.wall, detail: error.detail.clone() }, out);
        self.ask_list(Some(until), out);
    }

    /// The list told nothing of an interrupted login: it is asked again as long as a phone may confirm, and a while
    /// longer if this one was no evidence (`unseen`): nothing seen is not the same as seen nothing.
    pub(super) fn look_again(&mut self, until: Duration, unseen: bool, now: Now, out: &mut Outputs) {
        let last = if unseen { until.saturating_add(LISTLESS) } else { until };
        if now.mono >= last {
            return self.nothing_came(out);
        }
        self.state = State::Listing { seen: None, until: Some(until) };
        let generation = self.ask();
        out.push(Output::AskList { generation, pause: LOOK_AGAIN });
    }

    fn nothing_came(&mut self, out: &mut Outputs) {
        let Some(error) = self.lost.take() else {
            return self.fail(Reason::Interrupted, None, "the program that ran this login is gone".into(), out);
        };
        let (reason, gateway_message) = (error.reason(), error.gateway_message.clone());
        out.push(Output::SecondFailed { rang: true, reason, gateway_message: gateway_message.clone() });
        if self.abandoned {
            return self.idle(out);
        }
        self.tell(LoginStep::SecondLoginFailed { reason, gateway_message: gateway_message.clone() }, out);
        self.end(SECOND_LOGIN_FAILED, Some(reason), gateway_message.clone(), out);
        self.tell(LoginStep::Failed { reason, gateway_message, detail: error.detail }, out);
    }

    /// Before a resumed attempt ends without success: one look at the list for its wId.
    pub(super) fn ask_at_the_end(&mut self, pause: Duration, out: &mut Outputs) {
        let generation = self.ask();
        if let State::Polling(polling) = &mut self.state {
            polling.phase = Phase::Last;
        }
        out.push(Output::AskList { generation, pause });
    }

    /// A resumed code has no success to tell any more: perhaps it was told to the process that died.
    pub(super) fn listed_at_the_end(
        &mut self,
        mut polling: Polling,
        result: Result<Option<Entry>, Error>,
        now: Now,
        out: &mut Outputs,
    ) {
        match result {
            Ok(Some((wc_id, Some(w_id)))) if w_id == polling.w_id => {
                self.state = State::Storing;
                out.push(Output::StoreLogin(Record {
                    wc_id,
                    w_id,
                    nick_name: "".into(),
                    w_account: "".into(),
                    sex: None,
                    avatar_url: "".into(),
                }));
            }
            Err(error) if error.kind == Kind::TokenSuspect => {
                polling.phase = Phase::CheckingToken(Doubted::LastList);
                self.state = State::Polling(polling);
                self.suspect(error, now, out);
            }
            Ok(_) => self.idle(out),
            Err(error) => {
                self.state = State::Polling(polling);
                self.last_list_broke(&error, out);
            }
        }
    }

    /// The list that has the last word on a resumed code did not come.
    pub(super) fn last_list_broke(&mut self, error: &Error, out: &mut Outputs) {
        let again = self.polling().is_some_and(|polling| {
            let again = polling.may_ask_again(error);
            polling.broken_at_the_end += u8::from(again);
            again
        });
        match again {
            true => self.ask_at_the_end(LIST_PAUSE, out),
            false if error.is_transport() && !self.abandoned => self.fail_with(error, out),
            false => self.idle(out),
        }
    }

    /// Whether this is the old code of a renewed one, listened to for a late scan.
    pub(super) fn is_twin(&self) -> bool {
        self.resumed.as_ref().is_some_and(|remains| !remains.orphan)
    }

    /// Whether this is the old code of a renewed one, whoever listens to it now: nobody has seen its picture since.
    pub(super) fn is_old_code(&self) -> bool {
        let old = |remains: &Remains| remains.abandoned && remains.w_id.is_some() && remains.image_url.is_none();
        self.resumed.as_ref().is_some_and(old)
    }

    /// Whether only polls can tell how a dead process's login ended: a gateway that tells a success once may have told
    /// it to that process, and no list will say (V1).
    pub(super) fn is_told_by_polls_alone(&self) -> bool {
        self.resumed.as_ref().is_some_and(|remains| remains.orphan) && !self.wish.dialect.lists_w_ids()
    }
}
