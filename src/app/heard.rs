//! What the engine tells, taken into the state.

use super::events::{EventLine, Happening};
use super::logins::{Ending, Stage};
use super::said::{self, Said};
use super::sign_in::SignIn;
use super::state::{Pane, Selected, State};
use super::{Effect, conveyor, notify, questions};
use crate::engine::api::{Event, Fleet, LoginEvent, LoginStep, Token};
use crate::i18n::{Lang, t, tf};
use crate::model::text::clean;
use crate::model::{Account, Now, Reason, Stamp};

/// Takes one event in.
pub(super) fn heard(state: &mut State, event: Event, now: Now) -> Vec<Effect> {
    let mut effects: Vec<Effect> = notify::of(state, &event).into_iter().collect();
    match event {
        Event::Accounts(accounts) => {
            state.accounts.replace(accounts);
            state.marks.keep(&state.accounts);
        }
        Event::Account(account) => {
            let awaited = state.awaited.as_ref() == Some(&account.wc_id);
            if state.edited.take_if(|wc_id| *wc_id == account.wc_id).is_some() {
                let text = t(state.lang, "ui.toast.saved").into_owned();
                state.say(text, now);
            }
            state.accounts.put(*account);
            if awaited {
                // Somebody wants to see this one: a filter that hides it gives way.
                let hidden = state.awaited.as_ref().is_some_and(|wc_id| state.accounts.place(wc_id).is_none());
                if hidden {
                    state.accounts.show_all();
                }
            }
        }
        Event::AccountRemoved(wc_id) => {
            state.accounts.remove(&wc_id);
            state.marks.remove(&wc_id);
        }
        Event::Login(event) => login(state, event, now, &mut effects),
        Event::Busy { wc_id, attempt } => {
            state.logins.unwish(wc_id.as_ref());
            if attempt.is_none() {
                state.complain(t(state.lang, "ui.busy_elsewhere").into_owned());
            }
        }
        Event::Rejected { wc_id, reason, gateway_message, detail } => {
            state.logins.unwish(wc_id.as_ref());
            state.awaited = None;
            state.conveyor.refused();
            let name = state.name_of("", wc_id.as_ref());
            let said = Said::of(reason, gateway_message, detail);
            let text = reason_text(state.lang, &name, reason, said.as_ref(), &said::next(state.lang, reason, true));
            state.complain(text);
        }
        Event::WIdChanged { wc_id, account, w_id: _, previous_w_id: _, at } => {
            let name = state.name_of(&account, Some(&wc_id));
            state.note(at, Happening::WIdChanged, &name, None);
        }
        Event::Dropped { wc_id, account, reason, at } => {
            let name = state.name_of(&account, Some(&wc_id));
            if reason == Reason::TakenOffline {
                // Our own doing is told as such, and once: `TakenOffline` may come beside it.
                taken_offline(state, at, &name);
            } else if state.accounts.get(&wc_id).is_some_and(Account::is_first_drop) {
                state.note(at, Happening::FirstDrop, &name, None);
            } else {
                state.note(at, Happening::Dropped, &name, (reason != Reason::Dropped).then_some(reason));
            }
        }
        Event::Recovered { wc_id, account, at } => {
            let name = state.name_of(&account, Some(&wc_id));
            state.note(at, Happening::Recovered, &name, None);
        }
        Event::TakenOffline { wc_ids, at } => {
            for wc_id in wc_ids {
                let name = state.name_of("", Some(&wc_id));
                taken_offline(state, at, &name);
                let text = tf(state.lang, "ui.toast.taken_offline", &[("account", &clean(&name))]);
                state.say(text, now);
            }
        }
        Event::Conveyor(view) => conveyor::heard(state, view, now, &mut effects),
        Event::Fleet(fleet) => self::fleet(state, fleet, now),
        Event::Token(token) => self::token(state, token, now),
        Event::Store { works } => state.store_fails = !works,
        Event::Fault { message } => {
            state.awaited = None;
            state.edited = None;
            state.complain(clean(&message).into_owned());
        }
        Event::MassDrop { wc_ids, at } => state.mass_dropped(wc_ids.len(), at),
        Event::Outage { since, at } => state.outage_began(since, at),
        Event::OutageOver { since: _, at } => state.outage_ended(at),
        Event::ObservationLost { since: _, reason, at } => {
            state.note(at, Happening::ObservationLost, "", Some(reason));
        }
        Event::ObservationBack { since: _, at } => state.note(at, Happening::ObservationBack, "", None),
        Event::OfflineReason { wc_id, words, at } => state.told_why(wc_id, words, at, now),
        Event::History(history) => state.take_history(history),
        Event::Strips(strips) => state.strips.take(strips),
        // That a login is needed its row says, and the login's end was told.
        Event::LoginNeeded { .. } | Event::Stopped => {}
    }
    effects
}

fn taken_offline(state: &mut State, at: Stamp, name: &str) {
    let told = |line: &EventLine| {
        line.what == Happening::TakenOffline && *line.account == *name && at.ms_since(line.at).unsigned_abs() < 60_000
    };
    if !state.events.from(0).take(20).any(told) {
        state.note(at, Happening::TakenOffline, name, None);
    }
}

/// A reason as a sentence for the line above the hints.
fn reason_text(lang: Lang, name: &str, reason: Reason, said: Option<&Said>, next: &str) -> String {
    let code = reason.code();
    let name = clean(name);
    let mut text = String::new();
    if !name.is_empty() {
        text.push_str(&name);
        text.push_str(": ");
    }
    text.push_str(&t(lang, &format!("reason.{code}")));
    if let Some(said) = said {
        text.push_str(&said.behind(lang));
    }
    text.push_str(&t(lang, "ui.stop"));
    text.push_str(next);
    text
}

fn fleet(state: &mut State, fleet: Fleet, now: Now) {
    match &fleet {
        Fleet::Ok { at } => {
            if state.stale_since.take().is_some() {
                // What was said in passing about the failing list is no longer true.
                state.toast.take_if(|toast| toast.until.is_some());
                // The end of an outage is told as such.
                if state.outage.is_none() {
                    state.note(*at, Happening::ListBack, "", None);
                }
            }
        }
        Fleet::Failing { since, reason, gateway_message, detail } => {
            if state.stale_since.replace(*since).is_none() && state.outage.is_none() {
                state.note(now.wall, Happening::ListFailing, "", Some(*reason));
                let said = Said::of(*reason, gateway_message.clone(), detail.clone());
                let next = t(state.lang, &format!("next.{}", reason.code()));
                let text = reason_text(state.lang, "", *reason, said.as_ref(), &next);
                state.say(text, now);
            }
        }
        Fleet::Asking => {}
        Fleet::NeedsPassword => {
            if state.fleet != Some(Fleet::NeedsPassword) {
                let text =
                    reason_text(state.lang, "", Reason::NeedsPassword, None, &t(state.lang, "next.needs_password"));
                state.say(text, now);
            }
        }
    }
    state.fleet = Some(fleet);
}

fn token(state: &mut State, token: Token, now: Now) {
    let before = state.token.replace(token);
    match token {
        Token::Ok => {
            // Whoever has signed in elsewhere has signed in here too: the form that came by itself goes by itself.
            if std::mem::take(&mut state.sign_in_offered)
                && state.sign_in.take_if(|form| form.waiting.is_none()).is_some()
            {
                let text = t(state.lang, "ui.toast.signed_in_elsewhere").into_owned();
                state.say(text, now);
            }
        }
        Token::Missing | Token::Rejected => {
            if token == Token::Rejected && before != Some(token) {
                state.note(now.wall, Happening::TokenRejected, "", None);
                // The standing line about the token is the news now, not why the list failed before.
                state.toast = None;
            }
            if !state.demo && !state.sign_in_offered && state.sign_in.is_none() {
                state.sign_in_offered = true;
                open_sign_in(state);
                if token == Token::Rejected
                    && let Some(form) = &mut state.sign_in
                {
                    let next = t(state.lang, "next.token_rejected");
                    form.failed = Some(reason_text(state.lang, "", Reason::TokenRejected, None, &next));
                }
            }
        }
    }
}

/// Opens the sign-in form with what is known.
pub(super) fn open_sign_in(state: &mut State) {
    let form = SignIn::new(&state.gateway, state.dialect, &state.platform_account, state.profile.is_some());
    state.sign_in = Some(form);
    state.sign_in_drawn = false;
    state.popup = None;
}

fn login(state: &mut State, event: LoginEvent, now: Now, effects: &mut Vec<Effect>) {
    let name = state.name_of(&event.account, event.wc_id.as_ref());
    let at = event.at;
    let noted = happening(&event.step);
    let ends = event.step.ends();
    let success = matches!(event.step, LoginStep::LoggedIn { .. } | LoginStep::Adopted { .. });
    let came = match &event.step {
        LoginStep::LoggedIn { nick_name, .. } if !nick_name.trim().is_empty() => nick_name.clone(),
        _ => name.clone(),
    };
    let stranger = match &event.step {
        LoginStep::WrongAccount { wc_id, nick_name, .. } => Some(state.name_of(nick_name, Some(wc_id))),
        _ => None,
    };
    let cancelled = matches!(event.step, LoginStep::Cancelled);
    let wc_id = event.wc_id.clone();
    let question = questions::of(state, &event);
    let asks = matches!(event.step, LoginStep::VerifyCodeRequired { .. } | LoginStep::DeviceVerification { .. });
    let goes_on = wc_id.as_ref().is_some_and(|wc_id| state.conveyor.goes_on(wc_id, &event.step));
    // Why the second login was no use is told already.
    let told = goes_on && matches!(event.step, LoginStep::Failed { .. });
    let number = state.logins.event(event, now);
    if let Some((what, reason)) = noted.filter(|_| !told) {
        state.note(at, what, &came, reason);
    }
    if let Some(stranger) = &stranger {
        state.note(at, Happening::LoggedIn, stranger, None);
    }
    let Some(number) = number else { return };
    let mine = match &state.selected {
        Selected::New(selected) => *selected == number,
        Selected::Account(selected) => Some(selected) == wc_id.as_ref(),
        Selected::Nothing => false,
    };
    // A new account's row becomes the account's own as soon as it is known whose it is.
    if let (Selected::New(selected), Some(wc_id)) = (&state.selected, &wc_id)
        && *selected == number
        && (success || !ends)
    {
        state.awaited = Some(wc_id.clone());
    }
    if asks && mine {
        // The code is used up, and what is asked for needs the pane.
        state.full_screen = false;
        if state.popup.is_none() && state.typing.is_none() {
            state.focus = Pane::Login;
        }
    }
    if !ends {
        return;
    }
    if mine && state.layout().single && !state.conveyor.follows() {
        state.focus = Pane::Accounts;
    }
    if question.is_some_and(|question| questions::ask(state, number, question, now)) {
        return effects.push(Effect::Bell);
    }
    let Some(login) = state.logins.get(number) else { return };
    let ending = match &login.stage {
        Stage::Ended(ending) => ending.clone(),
        _ => return,
    };
    let words = login.words.clone();
    let code = login.reached_code();
    let gone = login.wc_id.is_none();
    match ending {
        Ending::LoggedIn(_) => {
            let key = if login.was_known { "ui.toast.was_known" } else { "ui.toast.logged_in" };
            let text = tf(state.lang, key, &[("account", &clean(&came))]);
            state.say(text, now);
        }
        Ending::Adopted(_) => {
            let text = tf(state.lang, "ui.toast.adopted", &[("account", &clean(&came))]);
            state.say(text, now);
        }
        // The conveyor's next code comes by itself and takes the pane, so this says who it was.
        Ending::Not(reason @ Reason::WrongAccount) if wc_id.as_ref().is_some_and(|wc_id| state.conveyor.has(wc_id)) => {
            effects.push(Effect::Bell);
            let said = stranger.map(Said::Gateway);
            let text = reason_text(state.lang, &name, reason, said.as_ref(), &said::next(state.lang, reason, true));
            state.say(text, now);
        }
        // Nobody has to do anything: its code comes by itself.
        Ending::Not(_) if goes_on => {}
        Ending::Not(reason) => {
            if !cancelled {
                effects.push(Effect::Bell);
            }
            // A known account keeps the words on its own pane; a new one has none.
            if cancelled {
                let text = t(state.lang, "ui.toast.cancelled").into_owned();
                state.say(text, now);
            } else if gone || !mine || state.layout().single {
                let next = said::next(state.lang, reason, code);
                let text = reason_text(state.lang, &name, reason, words.as_ref(), &next);
                if wc_id.as_ref().is_some_and(|wc_id| state.conveyor.has(wc_id)) {
                    // The conveyor goes on: nobody has to press a key for that to be read and gone.
                    state.say(text, now);
                } else {
                    state.complain(text);
                }
            }
        }
    }
    if gone {
        state.logins.remove(number);
    }
}

/// The line of the events pane for a step, if it deserves one.
const fn happening(step: &LoginStep) -> Option<(Happening, Option<Reason>)> {
    Some(match step {
        LoginStep::Started { .. }
        | LoginStep::Requesting { .. }
        | LoginStep::Waiting
        | LoginStep::PollBroken { .. }
        | LoginStep::SteppedDown { .. }
        | LoginStep::WaitingForToken
        | LoginStep::OverBudget { .. }
        | LoginStep::Expired { renewing: true } => return None,
        LoginStep::Resumed { .. } => (Happening::Resumed, None),
        LoginStep::SecondLoginSent { .. } => (Happening::Dialog, None),
        LoginStep::SecondLoginFailed { reason, .. } => (Happening::SecondLoginFailed, Some(*reason)),
        LoginStep::Qr { .. } => (Happening::Code, None),
        LoginStep::NoPicture { .. } => (Happening::Ended, Some(Reason::ImageFailed)),
        LoginStep::Scanned => (Happening::Scanned, None),
        LoginStep::VerifyCodeRequired { .. } | LoginStep::DeviceVerification { .. } => (Happening::Verification, None),
        LoginStep::LoggedIn { .. } => (Happening::LoggedIn, None),
        LoginStep::Adopted { .. } => (Happening::Adopted, None),
        LoginStep::WrongAccount { .. } => (Happening::Ended, Some(Reason::WrongAccount)),
        LoginStep::Expired { renewing: false } => (Happening::Ended, Some(Reason::NobodyScanned)),
        LoginStep::Cancelled => (Happening::Ended, Some(Reason::Cancelled)),
        LoginStep::Superseded => (Happening::Ended, Some(Reason::Superseded)),
        LoginStep::TakenOver { .. } => (Happening::Ended, Some(Reason::TakenOver)),
        LoginStep::Failed { reason, .. } => (Happening::Ended, Some(*reason)),
    })
}
