//! The last row: the keys that make sense now and fit; above it, what has to be said.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Look, pen};
use crate::app::accounts::Filter;
use crate::app::state::{Pane, Selected};
use crate::app::{Action, State, Token};
use crate::i18n::{t, tf};
use crate::model::text::{cut, width, wrap};
use crate::model::{Dialect, Presence};

/// The keys that make sense now, the most useful first.
fn useful(state: &State, look: &Look) -> Vec<Action> {
    let code = state.login().is_some_and(|login| login.code(look.now.wall).is_some());
    let mut actions = Vec::new();
    let conveyor = state.conveyor.active().is_some();
    if state.conveyor.pauses() {
        actions.push(Action::Conveyor);
    }
    if state.demo {
        if state.login().is_some() {
            actions.extend([Action::DemoScan, Action::DemoConfirm, Action::DemoCancel, Action::DemoAuto]);
        } else if state.account().is_some_and(|account| account.presence == Presence::Online) {
            actions.push(Action::DemoDrop);
        }
    }
    if !state.demo && matches!(state.token, Some(Token::Missing | Token::Rejected)) {
        actions.push(Action::SignIn);
    }
    if state.focus == Pane::Events {
        actions.extend([Action::Close, Action::Down, Action::Up]);
    } else if conveyor && state.conveyor.follows() {
        if state.conveyor.shown().is_some() {
            actions.extend([Action::Skip, Action::DropFromQueue]);
        }
        if code {
            actions.push(Action::FullScreen);
        }
        actions.extend([Action::Cancel, Action::Conveyor]);
        if code {
            actions.push(Action::NextLayout);
        }
    } else if state.login().is_some() {
        if code {
            actions.push(Action::FullScreen);
        }
        actions.extend([Action::Cancel]);
        if code {
            actions.extend([Action::NextLayout, Action::WritePng]);
            actions.push(Action::Invert);
        }
        actions.push(Action::LoginNew);
    } else {
        if let Selected::Account(_) = state.selected {
            actions.push(Action::Login);
        }
        if !state.marks.is_empty() || conveyor {
            actions.push(Action::Conveyor);
        }
        if !state.marks.is_empty() {
            actions.extend([Action::Mark, Action::Unmark]);
        }
        actions.push(Action::LoginNew);
        if let Some(account) = state.account() {
            actions.push(Action::LoginQr);
            if account.was_logged_in() {
                actions.push(Action::SecondLogin);
            }
            if account.presence != Presence::Offline {
                actions.push(Action::Offline);
            }
            if account.w_id.is_some() {
                actions.push(Action::CopyWId);
            }
            actions.extend([Action::History, Action::Edit]);
            if state.dialect == Dialect::V3 && account.presence == Presence::Offline {
                actions.push(Action::OfflineReason);
            }
        }
        actions.extend([Action::Add, Action::Refresh]);
    }
    match state.accounts.filter() {
        Filter::All if state.login().is_some() || state.accounts.is_empty() => {}
        Filter::All => actions.extend([Action::ShowOffline, Action::Filter]),
        Filter::Offline | Filter::Unknown => actions.push(Action::ShowAll),
    }
    if state.demo && state.login().is_none() {
        actions.push(Action::DemoAuto);
    }
    let mut seen = Vec::new();
    actions.retain(|action| {
        !seen.contains(action) && {
            seen.push(*action);
            true
        }
    });
    actions
}

/// Draws the hints. Help and quit are always among them where anything fits.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, area: Rect) {
    let theme = look.theme;
    let pairs = |actions: &[Action]| -> Vec<(String, String)> {
        let pair =
            |action: &Action| Some((state.keymap.label(*action)?, t(look.lang, &action.hint_key()).into_owned()));
        actions.iter().filter_map(pair).collect()
    };
    let wide = |(key, word): &(String, String)| width(key) + 1 + width(word) + 2;
    if state.typing.is_some() {
        return typing(look, buffer, area);
    }
    // In a field the letters are text.
    let (now, always): (Vec<Action>, &[Action]) = if state.verifying() {
        (vec![Action::Close, Action::NextPane], &[])
    } else {
        (useful(state, look), &[Action::Help, Action::Quit])
    };
    let last = pairs(always);
    let mut room = usize::from(area.width).saturating_sub(last.iter().map(wide).sum());
    let mut shown = Vec::new();
    for pair in pairs(&now) {
        if wide(&pair) <= room {
            room -= wide(&pair);
            shown.push(pair);
        }
    }
    shown.extend(last);
    let mut x = 0;
    for (key, word) in &shown {
        if usize::from(x) + width(key) + 1 + width(word) > usize::from(area.width) {
            break;
        }
        x = pen::write(buffer, area, x, 0, key, theme.accent());
        x = pen::write(buffer, area, x + 1, 0, word, theme.dim()) + 2;
    }
}

/// Draws these keys with their words, as many as fit.
pub(super) fn draw_keys<'a>(
    state: &State,
    look: &Look,
    buffer: &mut Buffer,
    area: Rect,
    actions: impl Iterator<Item = (Action, std::borrow::Cow<'a, str>)>,
) {
    let mut x = 0;
    for (action, word) in actions {
        let Some(key) = state.keymap.label(action) else { continue };
        if usize::from(x) + width(&key) + 1 + width(&word) > usize::from(area.width) {
            break;
        }
        x = pen::write(buffer, area, x, 0, &key, look.theme.accent());
        x = pen::write(buffer, area, x + 1, 0, &word, look.theme.dim()) + 2;
    }
}

/// The keys of the filter's line: fixed ones, since letters are text there.
fn typing(look: &Look, buffer: &mut Buffer, area: Rect) {
    let theme = look.theme;
    let mut x = 0;
    for (key, word) in [("Enter", "ui.filter.keep"), ("Esc", "ui.filter.clear"), ("↑ ↓", "ui.filter.move")] {
        x = pen::write(buffer, area, x, 0, key, theme.accent());
        x = pen::write(buffer, area, x + 1, 0, &t(look.lang, word), theme.dim()) + 2;
    }
}

/// What stands above the hints: a message, or that the token is no good.
pub(super) fn message(state: &State, look: &Look) -> Option<(String, bool)> {
    if let Some(toast) = &state.toast {
        return Some((toast.text.clone(), toast.until.is_none()));
    }
    let key = match state.token {
        Some(Token::Missing) => "ui.banner.token_missing",
        Some(Token::Rejected) => "ui.banner.token_rejected",
        Some(Token::Ok) | None if state.conveyor.pauses() && !state.shows_conveyor() => {
            let key = state.keymap.label(Action::Conveyor).unwrap_or_default();
            return Some((tf(look.lang, "ui.conveyor.paused", &[("key", &key)]), true));
        }
        Some(Token::Ok) | None => return None,
    };
    Some((tf(look.lang, key, &[("key", &state.keymap.label(Action::SignIn).unwrap_or_default())]), true))
}

/// Draws the message at the bottom of an area, over as many rows as it needs, at most four.
pub(super) fn draw_message(look: &Look, buffer: &mut Buffer, area: Rect, message: &str, error: bool) {
    let theme = look.theme;
    let columns = usize::from(area.width).saturating_sub(2);
    if columns < 4 || area.height == 0 {
        return;
    }
    let mut lines = wrap(message, columns);
    let most = usize::from(area.height).min(4);
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1)).join(" ");
        lines.push(cut(&rest, columns).into_owned());
    }
    let rows = pen::columns(lines.len());
    let place = Rect::new(area.x, area.bottom().saturating_sub(rows), area.width, rows);
    pen::clear(buffer, place);
    for (line, y) in lines.iter().zip(0..) {
        if y == 0 {
            pen::write(
                buffer,
                place,
                0,
                y,
                if error { "!" } else { "›" },
                if error { theme.bad() } else { theme.accent() },
            );
        }
        pen::write(buffer, place, 2, y, line, theme.strong());
    }
}
