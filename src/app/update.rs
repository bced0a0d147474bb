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
    state.logins.keep_time(now);
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
            let before = state.terminal;
            state.know_terminal(terminal);
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
            return state.follow_strips(now).into_iter().collect();
        }
        Msg::Tick => {
            tick(state, now);
            state.follow_strips(now).into_iter().collect()
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
    state.order_wished = rests && state.accounts.is_due();
    state.dirty |= state.order_wished;
    conveyor::follow(state, now);
    state.settle();
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
            state.store_fails = false;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::Start;
    use crate::engine::api::{Command, Event, Token};
    use crate::model::{Account, Presence, Stamp};

    fn at(ms: u64) -> Now {
        Now { wall: Stamp(0), mono: Duration::from_millis(ms) }
    }

    fn account(number: usize, presence: Presence) -> Account {
        Account { presence, ..Account::new(format!("wxid_{number:04}").into()) }
    }

    fn state(size: (u16, u16)) -> State {
        let accounts = (0..100).map(|number| account(number, Presence::Online)).collect();
        State::new(Start { profile: Some("p".into()), accounts, size, ..Start::default() })
    }

    fn first(state: &State) -> &str {
        state.accounts.at(0).map_or("", |account| account.wc_id.as_str())
    }

    #[test]
    fn many_changes_are_put_in_order_once_and_for_the_frame_that_shows_them() {
        let mut state = state((80, 24));
        state.take_dirty();
        for number in 50..100 {
            let dropped = account(number, Presence::Offline);
            update(&mut state, Msg::Engine(Event::Account(Box::new(dropped))), at(10));
            assert_eq!(first(&state), "wxid_0000", "not sorted for each of them");
        }
        assert!(state.take_dirty());
        assert_eq!(first(&state), "wxid_0050");
        update(&mut state, Msg::Drawn, at(11));
        assert!(!state.take_dirty(), "one frame");
    }

    #[test]
    fn a_key_before_the_frame_keeps_the_rows_where_they_are() {
        let mut state = state((80, 24));
        update(&mut state, Msg::Engine(Event::Account(Box::new(account(70, Presence::Offline)))), at(10));
        update(&mut state, Msg::Key("j".parse().unwrap()), at(20));
        state.take_dirty();
        assert_eq!(first(&state), "wxid_0000");
        assert_eq!(state.next_wake(at(20)), Some(HAND));
        update(&mut state, Msg::Tick, Now { mono: at(20).mono + HAND, ..at(20) });
        assert!(state.take_dirty());
        assert_eq!(first(&state), "wxid_0070");
    }

    #[test]
    fn strips_are_asked_for_rows_that_a_frame_has_shown() {
        let mut state = state((120, 40));
        let asks = |effects: Vec<Effect>| {
            effects.iter().filter(|effect| matches!(effect, Effect::Engine(Command::Strips { .. }))).count()
        };
        assert_eq!(asks(update(&mut state, Msg::Engine(Event::Token(Token::Ok)), at(0))), 0);
        for key in 0..200 {
            assert_eq!(asks(update(&mut state, Msg::Key("j".parse().unwrap()), at(key))), 0);
            assert_eq!(state.strips.due(), None, "keys that wait for one frame ask nothing");
        }
        update(&mut state, Msg::Drawn, at(200));
        assert_eq!(asks(update(&mut state, Msg::Tick, at(349))), 0);
        assert_eq!(asks(update(&mut state, Msg::Tick, at(350))), 1);
    }
}
