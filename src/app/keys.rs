//! What a key does: to whatever lies on top, else through the keymap.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::accounts::Filter;
use super::edit::EditForm;
use super::heard::open_sign_in;
use super::logins::Stage;
use super::popup::{HELP_HEAD, Popup, help_lines};
use super::sign_in::Outcome;
use super::state::{Pane, Selected, State};
use super::{DemoPhone, Effect, conveyor, drawing, filter, marks, questions};
use crate::action::{Action, Key, KeyCode, Scope};
use crate::config::qr_layout::QrLayout;
use crate::engine::api::{Command, Way};
use crate::i18n::{t, tf};
use crate::model::text::clean;
use crate::model::{Dialect, Now, Presence, WcId};

/// The engine is told at most this often that somebody is there.
const TELL: Duration = Duration::from_secs(30);
/// A second Ctrl-C within this time always leaves.
const TWICE: Duration = Duration::from_secs(2);

/// Takes a key.
pub(super) fn key(state: &mut State, key: Key, now: Now) -> Vec<Effect> {
    state.last_key = Some(now.mono);
    state.conveyor.give_up(now.mono);
    if state.toast.as_ref().is_some_and(|toast| toast.until.is_none()) {
        state.toast = None;
        state.dirty = true;
    }
    let mut effects = Vec::new();
    let told_lately = state.last_told.is_some_and(|told| now.mono < told + TELL);
    if !told_lately && state.logins.open().next().is_some() {
        state.last_told = Some(now.mono);
        effects.push(Effect::Engine(Command::SomebodyIsThere));
    }
    effects.extend(top(state, key, now));
    effects
}

/// The topmost thing on the screen takes the key.
fn top(state: &mut State, key: Key, now: Now) -> Vec<Effect> {
    let action = state.keymap.action(key);
    // In a field a letter is text, whatever the config binds it to.
    let letter = matches!(key.code, KeyCode::Char(_)) && !key.ctrl && !key.alt;
    let field = state.sign_in.is_some()
        || state.typing.is_some()
        || state.verifying()
        || state.popup.as_ref().is_some_and(|shown| matches!(shown.popup, Popup::Add { .. } | Popup::Edit(_)));
    match action.filter(|_| !(letter && field)) {
        Some(Action::Interrupt) => return interrupt(state, now),
        Some(Action::Repaint) => {
            state.dirty = true;
            return vec![Effect::Repaint];
        }
        Some(Action::Suspend) => return vec![Effect::Suspend],
        _ => {}
    }
    if state.popup.is_some() {
        return popup(state, key, action, now);
    }
    if state.sign_in.is_some() {
        return sign_in(state, key, now);
    }
    if state.typing.is_some() {
        return filter::key(state, key, action);
    }
    if state.verifying() && !matches!(key.code, KeyCode::Tab | KeyCode::Esc) {
        return verify(state, key);
    }
    let Some(action) = action else { return Vec::new() };
    let allowed = action.scope() != Scope::Demo || state.demo;
    let in_full_screen = matches!(
        action,
        Action::FullScreen
            | Action::Close
            | Action::Invert
            | Action::NextLayout
            | Action::WritePng
            | Action::Cancel
            | Action::Skip
            | Action::DropFromQueue
            | Action::Conveyor
            | Action::Quit
            | Action::Help
            | Action::DemoScan
            | Action::DemoConfirm
            | Action::DemoCancel
            | Action::DemoDrop
            | Action::DemoAuto
    );
    if !allowed || (state.shows_full_screen() && !in_full_screen) {
        return Vec::new();
    }
    state.dirty = true;
    act(state, action, now)
}

/// Takes a paste: into the field on top, or nowhere.
pub(super) fn paste(state: &mut State, text: &str) {
    if let Some(shown) = &mut state.popup {
        match &mut shown.popup {
            Popup::Add { field, wrong } if shown.drawn => {
                field.paste(text);
                *wrong = None;
                state.dirty = true;
            }
            Popup::Edit(form) if shown.drawn => {
                form.paste(text);
                state.dirty = true;
            }
            _ => {}
        }
    } else if let Some(form) = &mut state.sign_in {
        state.dirty |= state.sign_in_drawn && form.paste(text);
    } else if state.typing.is_some() {
        filter::paste(state, text);
    } else if state.verifying()
        && let Some(number) = state.login().map(|login| login.number)
        && let Some(login) = state.logins.get_mut(number)
        && let Stage::Verify { field, drawn: true, .. } = &mut login.stage
    {
        field.paste(text);
        state.dirty = true;
    }
}

fn interrupt(state: &mut State, now: Now) -> Vec<Effect> {
    let twice = state.last_interrupt.is_some_and(|last| now.mono <= last + TWICE);
    let asked = state.popup.as_ref().is_some_and(|shown| matches!(shown.popup, Popup::Quit) && shown.drawn);
    state.last_interrupt = Some(now.mono);
    if twice || asked || state.logins.open().next().is_none() {
        return vec![Effect::Quit];
    }
    state.open(Popup::Quit);
    state.dirty = true;
    Vec::new()
}

fn popup(state: &mut State, key: Key, action: Option<Action>, now: Now) -> Vec<Effect> {
    let Some(shown) = &mut state.popup else { return Vec::new() };
    if !shown.drawn {
        return Vec::new();
    }
    state.dirty = true;
    let plain = !key.ctrl && !key.alt;
    let yes = plain && matches!(key.code, KeyCode::Enter | KeyCode::Char('y' | 'Y'));
    let no = plain && matches!(key.code, KeyCode::Esc | KeyCode::Char('n' | 'N' | 'q'));
    match &mut shown.popup {
        Popup::Help { top } => {
            let page = usize::from(state.size.1.saturating_sub(2)).max(1);
            let most = (HELP_HEAD + help_lines(state.demo).count()).saturating_sub(page);
            match action {
                Some(Action::Down) => *top += 1,
                Some(Action::Up) => *top = top.saturating_sub(1),
                Some(Action::PageDown) => *top += page,
                Some(Action::PageUp) => *top = top.saturating_sub(page),
                Some(Action::First) => *top = 0,
                Some(Action::Last) => *top = most,
                Some(Action::Help | Action::Close | Action::Quit | Action::Login) => {
                    state.popup = None;
                    return Vec::new();
                }
                _ if key.code == KeyCode::Esc => {
                    state.popup = None;
                    return Vec::new();
                }
                _ => {}
            }
            *top = (*top).min(most);
        }
        Popup::Add { field, wrong } => match key.code {
            KeyCode::Esc => state.popup = None,
            KeyCode::Enter => {
                let text = field.text();
                if let Some(wc_id) = WcId::checked(text) {
                    state.popup = None;
                    state.focus = Pane::Accounts;
                    if state.accounts.get(&wc_id).is_some() && state.accounts.place(&wc_id).is_none() {
                        state.accounts.show_all();
                    }
                    state.awaited = Some(wc_id.clone());
                    return vec![Effect::Engine(Command::AddAccount { wc_id })];
                }
                let text = text.trim();
                *wrong = Some(match text {
                    "" => "ui.add.empty",
                    _ if text.contains(char::is_whitespace) => "ui.add.spaces",
                    _ => "ui.add.no_wc_id",
                });
            }
            _ => {
                if field.key(key) {
                    *wrong = None;
                }
            }
        },
        Popup::Edit(_) => return super::edit::key(state, key),
        Popup::History(_) => return super::history::key(state, key, action, now),
        Popup::Offline { wc_id } => {
            if yes {
                let wc_ids = vec![wc_id.clone()];
                let name = state.name_of("", wc_ids.first());
                let text = tf(state.lang, "ui.toast.taking_offline", &[("account", &clean(&name))]);
                state.popup = None;
                state.say(text, now);
                return vec![Effect::Engine(Command::Offline { wc_ids })];
            }
            if no {
                state.popup = None;
            }
        }
        Popup::Text { login, code } => {
            let (number, code) = (*login, Arc::clone(code));
            if yes {
                state.popup = None;
                let same = |login: &&mut super::logins::Login| {
                    login.code(now.wall).is_some_and(|shown| Arc::ptr_eq(shown, &code))
                };
                match state.logins.get_mut(number).filter(same) {
                    Some(login) => login.as_text = true,
                    None => say(state, "ui.toast.no_code", now),
                }
            } else if no {
                state.popup = None;
                // On in the circle: without this the layouts behind the question could not be reached.
                drawing::choose(state, QrLayout::Half, now);
            }
        }
        Popup::Quit => {
            if yes {
                return vec![Effect::Quit];
            }
            if no {
                state.popup = None;
            }
        }
        Popup::Conveyor { .. } | Popup::Stop { .. } => return conveyor::answer(state, key, action, now),
        Popup::Over(_) | Popup::Wrong { .. } => return questions::answer(state, key, now),
    }
    Vec::new()
}

fn sign_in(state: &mut State, key: Key, now: Now) -> Vec<Effect> {
    if !state.sign_in_drawn {
        return Vec::new();
    }
    let Some(form) = &mut state.sign_in else { return Vec::new() };
    match form.key(key, now.mono) {
        Outcome::Nothing => Vec::new(),
        Outcome::Changed => {
            state.dirty = true;
            Vec::new()
        }
        Outcome::Close => {
            state.sign_in = None;
            state.dirty = true;
            Vec::new()
        }
        Outcome::Submit(form) => {
            state.dirty = true;
            state.asked = Some((form.gateway.clone(), form.dialect, form.account.clone()));
            vec![Effect::SignIn(form)]
        }
    }
}

/// The field of a verification code.
fn verify(state: &mut State, key: Key) -> Vec<Effect> {
    let Some(number) = state.login().map(|login| login.number) else { return Vec::new() };
    let Some(login) = state.logins.get_mut(number) else { return Vec::new() };
    let Stage::Verify { field, drawn: true, .. } = &mut login.stage else { return Vec::new() };
    state.dirty = true;
    if key.code != KeyCode::Enter {
        field.key(key);
        return Vec::new();
    }
    let code = field.text().trim().to_owned();
    let Some(attempt) = login.attempt.clone().filter(|_| !code.is_empty()) else { return Vec::new() };
    login.stage = Stage::Checking;
    vec![Effect::Engine(Command::VerifyCode { attempt, code: SecretString::from(code) })]
}

fn act(state: &mut State, action: Action, now: Now) -> Vec<Effect> {
    match action {
        Action::Down => step(state, 1),
        Action::Up => step(state, -1),
        Action::PageDown => step(state, page(state)),
        Action::PageUp => step(state, -page(state)),
        Action::First => step(state, isize::MIN),
        Action::Last => step(state, isize::MAX),
        Action::NextPane => focus(state, true),
        Action::PreviousPane => focus(state, false),
        Action::Login => {
            if state.focus != Pane::Events {
                return login(state, Way::Ladder, now);
            }
        }
        Action::LoginQr => return login(state, Way::Qr, now),
        Action::SecondLogin => return login(state, Way::Second, now),
        Action::LoginNew => return login_new(state, now),
        Action::Cancel => return cancel(state, now),
        Action::FullScreen => {
            if state.full_screen {
                state.full_screen = false;
            } else if state.login().is_some_and(|login| login.code(now.wall).is_some()) {
                state.full_screen = true;
            } else {
                say(state, "ui.toast.no_code", now);
            }
        }
        Action::NextLayout => drawing::next(state, now),
        Action::WritePng => return write_png(state, now),
        Action::Invert => {
            state.invert = !state.invert;
            if state.invert {
                let key = state.keymap.label(Action::Invert).unwrap_or_default();
                let text = tf(state.lang, "ui.toast.inverted", &[("key", &key)]);
                state.complain(text);
            } else {
                say(state, "ui.toast.not_inverted", now);
            }
        }
        Action::Add => state.open(Popup::Add { field: super::field::Field::default(), wrong: None }),
        Action::Offline => match state.account().map(|account| (account.wc_id.clone(), account.presence)) {
            Some(_) if !is_sure(state) => {}
            Some((wc_id, Presence::Online | Presence::Unknown)) => state.open(Popup::Offline { wc_id }),
            Some((_, Presence::Offline)) => say(state, "ui.toast.is_offline", now),
            None => {}
        },
        Action::ShowAll => show(state, Filter::All),
        Action::ShowOffline => show(state, Filter::Offline),
        Action::ShowUnknown => show(state, Filter::Unknown),
        Action::Mark => {
            if is_sure(state) {
                marks::toggle(state);
                step(state, 1);
            }
        }
        Action::MarkAll => marks::mark_all(state),
        Action::Unmark => marks::clear(state),
        Action::Filter => filter::open(state),
        Action::Conveyor => return conveyor::wish(state, now),
        Action::Skip => return conveyor::skip(state, now),
        Action::DropFromQueue => return conveyor::drop(state, now),
        Action::Edit => {
            if let Some(account) = state.account().filter(|_| is_sure(state)) {
                let form = EditForm::new(account, state.dialect == Dialect::V3);
                state.open(Popup::Edit(Box::new(form)));
            }
        }
        Action::History => return state.open_history(selected_wc_id(state), now),
        Action::OfflineReason => return offline_reason(state, now),
        Action::Refresh => return vec![Effect::Engine(Command::Refresh)],
        Action::CopyWId => return copy_w_id(state, now),
        Action::CopyWcId => {
            if let Some(wc_id) = state.account().map(|account| account.wc_id.to_string()) {
                say(state, "ui.toast.copied_wcid", now);
                return vec![Effect::Copy(wc_id)];
            }
        }
        Action::SignIn => {
            if !state.demo {
                open_sign_in(state);
            }
        }
        Action::Close => close(state),
        Action::Help => state.open(Popup::Help { top: 0 }),
        Action::Quit => return vec![Effect::Quit],
        Action::DemoScan => return vec![Effect::Demo(DemoPhone::Scan(selected_wc_id(state)))],
        Action::DemoConfirm => return vec![Effect::Demo(DemoPhone::Confirm(selected_wc_id(state)))],
        Action::DemoCancel => return vec![Effect::Demo(DemoPhone::Cancel(selected_wc_id(state)))],
        Action::DemoDrop => {
            return selected_wc_id(state).map(|wc_id| Effect::Demo(DemoPhone::Drop(wc_id))).into_iter().collect();
        }
        Action::DemoAuto => return vec![Effect::Demo(DemoPhone::Auto)],
        // The last three are taken before anything else, whatever lies on top.
        Action::Interrupt | Action::Repaint | Action::Suspend => {}
    }
    Vec::new()
}

/// Asks why the selected account is off line.
fn offline_reason(state: &mut State, now: Now) -> Vec<Effect> {
    let Some(account) = state.account() else { return Vec::new() };
    if state.dialect != Dialect::V3 {
        say(state, "ui.toast.only_v3", now);
    } else if account.presence != Presence::Offline {
        say(state, "ui.toast.not_offline", now);
    } else {
        let wc_id = account.wc_id.clone();
        say(state, "ui.toast.asking_reason", now);
        return vec![Effect::Engine(Command::OfflineReason { wc_id })];
    }
    Vec::new()
}

pub(super) fn say(state: &mut State, key: &str, now: Now) {
    let text = t(state.lang, key).into_owned();
    state.say(text, now);
}

fn selected_wc_id(state: &State) -> Option<WcId> {
    match &state.selected {
        Selected::Account(wc_id) => Some(wc_id.clone()),
        Selected::Nothing | Selected::New(_) => None,
    }
}

fn page(state: &State) -> isize {
    let layout = state.layout();
    let rows = if state.focus == Pane::Events { layout.rows_in(layout.events) } else { state.list_rows() };
    isize::try_from(rows).unwrap_or(1).max(1)
}

fn step(state: &mut State, by: isize) {
    if state.focus == Pane::Events {
        state.events_top = state.events_top.saturating_add_signed(by).min(state.events.len());
        return;
    }
    let row = state.selected_row().unwrap_or(state.last_row);
    state.awaited = None;
    state.select_row(row.saturating_add_signed(by));
}

const fn focus(state: &mut State, forward: bool) {
    state.focus = match (state.focus, forward) {
        (Pane::Accounts, true) | (Pane::Events, false) => Pane::Login,
        (Pane::Login, true) | (Pane::Accounts, false) => Pane::Events,
        (Pane::Events, true) | (Pane::Login, false) => Pane::Accounts,
    };
}

/// Moves the selection by a row or a page while something else has the keys.
pub(super) fn scroll(state: &mut State, action: Option<Action>) {
    match action {
        Some(Action::Down) => step(state, 1),
        Some(Action::Up) => step(state, -1),
        Some(Action::PageDown) => step(state, page(state)),
        Some(Action::PageUp) => step(state, -page(state)),
        _ => {}
    }
}

fn show(state: &mut State, filter: Filter) {
    state.accounts.set_filter(filter);
    state.focus = Pane::Accounts;
}

/// Whether the selection is what the person sees. A row that moved away by itself, or one that is still awaited, must
/// not hand a key that was meant for it to its neighbour's phone; nor may a key that was meant for a preview.
pub(super) fn is_sure(state: &State) -> bool {
    state.seen == state.selected && state.awaited.is_none() && !state.conveyor.is_asked()
}

/// A wish for the selected account. With an open login on it, the wish only shows that login.
fn login(state: &mut State, way: Way, now: Now) -> Vec<Effect> {
    if !is_sure(state) {
        return Vec::new();
    }
    let Some(wc_id) = selected_wc_id(state) else {
        if state.login().is_some() {
            show_login(state);
        }
        return Vec::new();
    };
    if state.login().is_some() {
        show_login(state);
        return Vec::new();
    }
    state.logins.wish(Some(wc_id.clone()), way, now);
    show_login(state);
    vec![Effect::Engine(Command::Login { wc_id: Some(wc_id), way, force: false })]
}

fn login_new(state: &mut State, now: Now) -> Vec<Effect> {
    let open = state.logins.new_ones().next().map(|login| login.number);
    if let Some(number) = open {
        state.selected = Selected::New(number);
        show_login(state);
        return Vec::new();
    }
    let number = state.logins.wish(None, Way::Qr, now);
    state.selected = Selected::New(number);
    show_login(state);
    vec![Effect::Engine(Command::Login { wc_id: None, way: Way::Qr, force: false })]
}

/// Where only one pane is shown, a login that was wished for is the one to show.
pub(super) fn show_login(state: &mut State) {
    if state.layout().single {
        state.focus = Pane::Login;
    }
}

fn cancel(state: &mut State, now: Now) -> Vec<Effect> {
    if !is_sure(state) || conveyor::asks_which(state) {
        return Vec::new();
    }
    match state.login().map(|login| login.attempt.clone()) {
        Some(Some(attempt)) => vec![Effect::Engine(Command::Cancel { attempt })],
        // The engine has not named it yet: nothing to cancel by.
        Some(None) => Vec::new(),
        None => {
            say(state, "ui.toast.nothing_to_cancel", now);
            Vec::new()
        }
    }
}

fn write_png(state: &mut State, now: Now) -> Vec<Effect> {
    let shown = state.login().and_then(|login| {
        let code = login.code(now.wall)?;
        Some((login.number, login.wc_id.clone(), Arc::clone(code)))
    });
    let Some((number, wc_id, code)) = shown else {
        say(state, "ui.toast.no_code", now);
        return Vec::new();
    };
    state.pngs.retain(|(other, _)| *other != number);
    state.pngs.push((number, Arc::clone(&code)));
    vec![Effect::WritePng { login: number.0, wc_id, code }]
}

fn copy_w_id(state: &mut State, now: Now) -> Vec<Effect> {
    if let Some(Stage::Device { url }) = state.login().map(|login| &login.stage) {
        let url = clean(url).into_owned();
        say(state, "ui.toast.copied_url", now);
        return vec![Effect::Copy(url)];
    }
    let Some(account) = state.account() else { return Vec::new() };
    match account.w_id.as_ref().map(ToString::to_string) {
        Some(w_id) => {
            let key = if account.w_id_confirmed { "ui.toast.copied_wid" } else { "ui.toast.copied_wid_unconfirmed" };
            say(state, key, now);
            vec![Effect::Copy(w_id)]
        }
        None => {
            let name = clean(account.name()).into_owned();
            let text = tf(state.lang, "ui.toast.no_wid", &[("account", &name)]);
            state.say(text, now);
            Vec::new()
        }
    }
}

/// Esc: full screen, then the words of an ended login, then the small screen's pane, then the filter.
fn close(state: &mut State) {
    state.awaited = None;
    if state.full_screen {
        state.full_screen = false;
    } else if state.focus != Pane::Accounts {
        state.focus = Pane::Accounts;
    } else if state.selected_login().is_some_and(|login| !login.is_open()) {
        let wc_id = selected_wc_id(state);
        state.logins.forget(wc_id.as_ref());
    } else if !state.accounts.query().is_empty() {
        state.accounts.set_query(filter::Query::default());
    } else if state.accounts.filter() != Filter::All {
        state.accounts.set_filter(Filter::All);
    }
}
