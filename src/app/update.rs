//! The one function that changes the state.

use std::sync::Arc;

use super::events::Events;
use super::heard::heard;
use super::history::Day;
use super::keys::{key, paste};
use super::logins::{LoginNumber, Logins, Stage};
use super::marks::Marks;
use super::state::{HAND, State};
use super::strips::Strips;
use super::{Effect, Msg, conveyor};
use crate::engine::api::Code;
use crate::i18n::t;
use crate::model::Now;
use crate::model::text::clean;

/// Takes what happened, changes the state, says what is to be done. Never panics, whatever comes in whatever order.
pub fn update(state: &mut State, msg: Msg, now: Now) -> Vec<Effect> {
    state.accounts.set_clock(now.wall);
    let mut effects = match msg {
        Msg::Key(pressed) => {
            // What a filter selects, nobody knows before it is drawn.
            let seen = state.seen == state.selected && state.typing.is_none();
            let before = state.selected.clone();
            let effects = key(state, pressed, now);
            state.settle();
            if seen {
                state.seen = state.selected.clone();
            }
            conveyor::moved(state, &before);
            effects
        }
        Msg::Paste(text) => {
            paste(state, &text);
            Vec::new()
        }
        Msg::Resize { columns, rows } => {
            state.dirty |= state.size != (columns, rows);
            state.size = (columns, rows);
            Vec::new()
        }
        Msg::Terminal(terminal) => {
            let before = std::mem::replace(&mut state.terminal, terminal);
            state.dirty |= before != terminal;
            // What was drawn with characters of another width than thought stands in the wrong columns.
            let anew = before.lacks_block() != terminal.lacks_block();
            if anew { vec![Effect::Repaint] } else { Vec::new() }
        }
        Msg::Engine(event) => {
            state.dirty = true;
            heard(state, event, now)
        }
        Msg::Drawn => {
            drawn(state);
            return Vec::new();
        }
        Msg::Tick => {
            tick(state, now);
            Vec::new()
        }
        Msg::SignedIn { profile } => {
            signed_in(state, profile, now);
            Vec::new()
        }
        Msg::SignInFailed { message } => {
            if let Some(form) = &mut state.sign_in {
                form.waiting = None;
                form.failed = Some(clean(&message).into_owned());
            } else {
                state.complain(clean(&message).into_owned());
            }
            state.dirty = true;
            Vec::new()
        }
        Msg::Notice { message } => {
            state.say(clean(&message).into_owned(), now);
            state.dirty = true;
            Vec::new()
        }
        Msg::Repaint => {
            state.dirty = true;
            Vec::new()
        }
        Msg::DemoAuto(on) => {
            state.demo_auto = on;
            let text = t(state.lang, if on { "ui.demo.auto_on" } else { "ui.demo.auto_off" }).into_owned();
            state.say(text, now);
            state.dirty = true;
            Vec::new()
        }
    };
    let rests = state.last_key.is_none_or(|key| key + HAND <= now.mono);
    if rests && state.accounts.is_due() {
        state.accounts.sort();
        state.dirty = true;
    }
    conveyor::follow(state, now);
    state.settle();
    effects.extend(state.follow_strips(now));
    effects.extend(state.follow_day(now));
    effects.extend(dead_pngs(state, now));
    effects
}

/// The files whose codes are over, used, renewed or gone.
fn dead_pngs(state: &mut State, now: Now) -> Vec<Effect> {
    let State { pngs, logins, .. } = state;
    let alive = |(number, code): &(LoginNumber, Arc<Code>)| {
        logins.get(*number).and_then(|login| login.code(now.wall)).is_some_and(|shown| Arc::ptr_eq(shown, code))
    };
    let dead = pngs.extract_if(.., |png| !alive(png)).map(|(number, _)| Effect::RemovePng { login: number.0 });
    dead.collect()
}

/// A frame showed everything that is open: it takes keys now.
fn drawn(state: &mut State) {
    if let Some(shown) = &mut state.popup {
        shown.drawn = true;
    }
    conveyor::drawn(state);
    state.sign_in_drawn = state.sign_in.is_some();
    state.seen = state.selected.clone();
    if state.verifying()
        && let Some(number) = state.login().map(|login| login.number)
        && let Some(login) = state.logins.get_mut(number)
        && let Stage::Verify { drawn, .. } = &mut login.stage
    {
        *drawn = true;
    }
}

fn tick(state: &mut State, now: Now) {
    if state.toast.as_ref().and_then(|toast| toast.until).is_some_and(|until| until <= now.mono) {
        state.toast = None;
        state.dirty = true;
    }
    // A countdown's second, its end, or a spinner's frame.
    state.dirty |= state.history().is_some_and(|view| view.spins(now));
    state.dirty |= state.spins()
        || state.visible_login().is_some_and(|login| login.deadline.is_some())
        || state.conveyor_counts_down();
}

fn signed_in(state: &mut State, profile: String, now: Now) {
    state.sign_in = None;
    if let Some((gateway, dialect, account)) = state.asked.take() {
        if state.profile.is_some() && (gateway != state.gateway || account != state.platform_account) {
            // Another platform account has other accounts; the engine will tell which.
            state.accounts.replace(Vec::new());
            state.accounts.show_all();
            state.marks = Marks::default();
            state.conveyor = conveyor::Conveyor::default();
            state.logins = Logins::default();
            state.events = Events::default();
            state.fleet = None;
            state.stale_since = None;
            state.outage = None;
            state.offline_words.clear();
        }
        (state.gateway, state.dialect, state.platform_account) = (gateway, dialect, account);
    }
    // Another engine: it knows nothing of what was asked.
    state.strips = Strips::default();
    state.day = Day::default();
    state.profile = Some(profile);
    state.token = None;
    state.sign_in_offered = false;
    let text = t(state.lang, "ui.toast.signed_in").into_owned();
    state.say(text, now);
    state.dirty = true;
}
