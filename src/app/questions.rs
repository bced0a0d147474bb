//! Questions that a login comes back with: an account whose budget is spent or that rests, and the wrong phone.

use std::time::Duration;

use super::Effect;
use super::keys::show_login;
use super::logins::LoginNumber;
use super::popup::Popup;
use super::state::{Selected, State};
use crate::action::{Key, KeyCode};
use crate::engine::api::{Command, LoginEvent, LoginStep, Way};
use crate::i18n::tf;
use crate::model::text::clean;
use crate::model::{Now, Over, WcId};

/// `Enter` says yes only after this time: the question comes by itself, and a key struck twice must not ring a phone.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether to log an account in although that is beyond its budget.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whom.
    pub wc_id: WcId,
    /// Why it is beyond.
    pub over: Over,
    /// How many refusals in a row it had.
    pub refusals: u8,
    way: Way,
    opened: Duration,
}

/// What a step asks.
pub(super) enum Asked {
    Over { wc_id: WcId, over: Over, way: Way },
    Wrong { expected: Box<str>, wc_id: WcId, name: Box<str> },
}

/// What a step asks, if it does.
pub(super) fn of(state: &State, event: &LoginEvent) -> Option<Asked> {
    match &event.step {
        LoginStep::OverBudget { over, way } => {
            Some(Asked::Over { wc_id: event.wc_id.clone()?, over: *over, way: *way })
        }
        LoginStep::WrongAccount { expected_wc_id, wc_id, nick_name, .. } => Some(Asked::Wrong {
            expected: state.name_of("", Some(expected_wc_id)),
            wc_id: wc_id.clone(),
            name: state.name_of(nick_name, Some(wc_id)),
        }),
        _ => None,
    }
}

/// Puts it to the person, where a key of this screen wished the login and nothing else is in hand. False where the
/// login's end has to be told otherwise.
pub(super) fn ask(state: &mut State, number: LoginNumber, asked: Asked, now: Now) -> bool {
    let ours = state.logins.get(number).is_some_and(|login| login.ours);
    let free = state.popup.is_none() && state.sign_in.is_none() && state.typing.is_none() && !state.verifying();
    match asked {
        Asked::Over { wc_id, over, way } => {
            // Nothing was sent: there is no login to remember.
            state.logins.remove(number);
            if ours && free {
                let budget = state.accounts.get(&wc_id).and_then(|account| account.budget.as_ref());
                let refusals = budget.map_or(0, |budget| budget.refusals);
                state.open(Popup::Over(Question { wc_id, over, refusals, way, opened: now.mono }));
            } else {
                let name = state.name_of("", Some(&wc_id));
                let text = tf(state.lang, "ui.over.not_asked", &[("account", &clean(&name))]);
                state.complain(text);
            }
            true
        }
        Asked::Wrong { expected, wc_id, name } => {
            // Nothing comes between two scans of the conveyor; the words are on the account's pane.
            if !ours || !free || state.conveyor.active().is_some() {
                return false;
            }
            state.open(Popup::Wrong { expected, wc_id, name });
            true
        }
    }
}

/// Takes a key while a question is open and was drawn.
pub(super) fn answer(state: &mut State, key: Key, now: Now) -> Vec<Effect> {
    let plain = !key.ctrl && !key.alt;
    let y = plain && matches!(key.code, KeyCode::Char('y' | 'Y'));
    let enter = plain && key.code == KeyCode::Enter;
    let no = plain && matches!(key.code, KeyCode::Esc | KeyCode::Char('n' | 'N' | 'q'));
    match state.popup.as_ref().map(|shown| &shown.popup) {
        Some(Popup::Over(question)) => {
            if no {
                state.popup = None;
            } else if y || (enter && now.mono >= question.opened + PAUSE) {
                let (wc_id, way) = (question.wc_id.clone(), question.way);
                state.popup = None;
                return force(state, wc_id, way, now);
            }
        }
        Some(Popup::Wrong { wc_id, name, .. }) => {
            if y {
                let wc_ids = vec![wc_id.clone()];
                let text = tf(state.lang, "ui.toast.taking_offline", &[("account", &clean(name))]);
                state.popup = None;
                state.say(text, now);
                return vec![Effect::Engine(Command::Offline { wc_ids })];
            }
            if no || enter {
                state.popup = None;
            }
        }
        _ => {}
    }
    Vec::new()
}

/// The login once more, on a person's yes.
fn force(state: &mut State, wc_id: WcId, way: Way, now: Now) -> Vec<Effect> {
    if state.accounts.place(&wc_id).is_some() {
        state.selected = Selected::Account(wc_id.clone());
    }
    show_login(state);
    if state.logins.of(&wc_id).is_some_and(super::logins::Login::is_open) {
        return Vec::new();
    }
    state.logins.wish(Some(wc_id.clone()), way, now);
    vec![Effect::Engine(Command::Login { wc_id: Some(wc_id), way, force: true })]
}
