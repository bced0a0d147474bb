//! The selected account when no login is open on it: who, wId, holder, presence with its evidence, what next.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Look, clock, pen, rungs};
use crate::app::logins::{Ending, Login, RungState};
use crate::app::state::Pane;
use crate::app::{Action, State};
use crate::i18n::{t, tf};
use crate::model::text::{clean, cut, fit, width, wrap};
use crate::model::{Account, Presence, Reason, Rung};

/// Draws the account pane.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, boxed: bool) {
    let theme = look.theme;
    let focused = state.focus == Pane::Login;
    let Some(account) = state.account() else {
        let title = t(look.lang, "ui.pane.account");
        let inner = pen::titled(buffer, area, theme, &title, &[], focused, boxed);
        let words = tf(look.lang, "ui.empty.account", &[("key", &state.keymap.labels(Action::LoginNew))]);
        for (line, y) in wrap(&words, usize::from(inner.width)).iter().zip(1..) {
            pen::write(buffer, inner, 0, y, line, theme.dim());
        }
        return;
    };
    let name = clean(account.name());
    let inner = pen::titled(buffer, area, theme, &name, &[], focused, boxed);
    let mut y = 0;
    if let Some(login) = state.selected_login() {
        y = outcome(state, look, buffer, inner, login);
    }
    for (key, value, style) in lines(state, look, account) {
        y = row(look, buffer, inner, y, key, &value, style);
    }
    let told = state.selected_login().is_some();
    if account.reason.is_none() && !told && account.presence != Presence::Online {
        let key = state.keymap.label(Action::Login).unwrap_or_default();
        paragraph(buffer, inner, y + 1, &tf(look.lang, "ui.account.next", &[("key", &key)]), theme.dim());
    }
    if let Some(reason) = account.reason.filter(|_| !told && account.presence != Presence::Online) {
        y += 1;
        let words = account.gateway_message.as_deref().unwrap_or_default();
        y = paragraph(buffer, inner, y, &reason_words(look, reason.code(), words), theme.text());
        let next = if account.is_first_drop() {
            t(look.lang, "ui.account.first_drop")
        } else {
            t(look.lang, &format!("next.{}", reason.code()))
        };
        paragraph(buffer, inner, y, &next, theme.dim());
    }
}

/// A reason, and the gateway's words behind it.
fn reason_words(look: &Look, code: &str, words: &str) -> String {
    let mut text = t(look.lang, &format!("reason.{code}")).into_owned();
    let words = clean(words);
    if !words.trim().is_empty() {
        text.push_str(&tf(look.lang, "ui.quoted", &[("words", &words)]));
    }
    text
}

/// How the last login of this account ended, while that is news.
fn outcome(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, login: &Login) -> u16 {
    let theme = look.theme;
    let Some(ending) = login.ending() else { return 0 };
    let y = match ending {
        Ending::LoggedIn(_) => {
            let x = pen::write(buffer, area, 0, 0, "✓ ", theme.good());
            pen::write(buffer, area, x, 0, &t(look.lang, "ui.outcome.logged_in"), theme.strong());
            if login.was_known {
                let key = state.keymap.label(Action::Login).unwrap_or_default();
                paragraph(buffer, area, 1, &tf(look.lang, "ui.outcome.was_known", &[("key", &key)]), theme.dim())
            } else {
                1
            }
        }
        Ending::Adopted(_) => {
            let x = pen::write(buffer, area, 0, 0, "✓ ", theme.good());
            pen::write(buffer, area, x, 0, &t(look.lang, "ui.outcome.adopted"), theme.strong());
            1
        }
        Ending::Not(reason) => {
            let words = login.words.as_deref().unwrap_or_default();
            let style = theme.doubt();
            let x = pen::write(buffer, area, 0, 0, "– ", style);
            let rest = Rect::new(area.x + x.min(area.width), area.y, area.width.saturating_sub(x), area.height);
            let y = paragraph(buffer, rest, 0, &reason_words(look, reason.code(), words), theme.strong());
            let next = if *reason == Reason::NobodyScanned && login.rung(Rung::QrLogin) != &RungState::Ahead {
                let key = state.keymap.label(Action::LoginQr).unwrap_or_default();
                tf(look.lang, "ui.outcome.again", &[("key", &key)])
            } else {
                t(look.lang, &format!("next.{}", reason.code())).into_owned()
            };
            paragraph(buffer, rest, y, &next, theme.dim())
        }
    };
    // What became of each rung, where more than one was tried and the words above do not tell it.
    let gap = u16::from(area.height >= 16 && rungs::count(login) > 0);
    let y = if area.height >= 9 { rungs::whole(look, buffer, area, y + gap, login) } else { y };
    y + 1
}

/// What is known, as label and value. What is empty is left out, but for the wId: that there is none matters.
fn lines(state: &State, look: &Look, account: &Account) -> Vec<(&'static str, String, Style)> {
    let theme = look.theme;
    let word = |key: &str| t(look.lang, key).into_owned();
    let at = |stamp| clock::long(stamp, look.now, state.offset_seconds);
    let mut lines = Vec::new();
    let (glyph, style) = look.presence(account.presence);
    let mut presence = format!("{glyph} {}", look.presence_word(account.presence));
    if account.stale {
        presence.push_str(&word("ui.account.stale"));
    }
    lines.push(("ui.account.presence", presence, if account.stale { theme.dim() } else { style }));
    let evidence = match (account.source, account.observed_at) {
        (Some(source), Some(seen)) => format!("{}  {}", word(&format!("ui.source.{}", source.name())), at(seen)),
        (Some(source), None) => word(&format!("ui.source.{}", source.name())),
        (None, Some(seen)) => at(seen),
        (None, None) => String::new(),
    };
    lines.push(("ui.account.evidence", evidence, theme.dim()));
    match &account.w_id {
        Some(w_id) => {
            let confirmed = account.w_id_confirmed;
            lines.push(("ui.account.wid", clean(w_id.as_str()).into_owned(), theme.text()));
            if !confirmed {
                lines.push(("", word("ui.account.not_confirmed"), theme.doubt()));
            }
        }
        None => lines.push(("ui.account.wid", word("ui.account.none"), theme.dim())),
    }
    lines.push(("ui.account.wcid", clean(account.wc_id.as_str()).into_owned(), theme.text()));
    lines.push(("ui.account.number", clean(&account.w_account).into_owned(), theme.text()));
    lines.push(("ui.account.holder", clean(&account.holder).into_owned(), theme.text()));
    lines.push(("ui.account.tags", clean(&account.tags.join(" ")).into_owned(), theme.text()));
    lines.push(("ui.account.note", clean(&account.note).into_owned(), theme.text()));
    lines.push(("ui.account.last_login", account.last_login_at.map(at).unwrap_or_default(), theme.text()));
    lines.retain(|(_, value, _)| !value.trim().is_empty());
    lines
}

fn row(look: &Look, buffer: &mut Buffer, area: Rect, y: u16, key: &str, value: &str, style: Style) -> u16 {
    let label = if key.is_empty() { String::new() } else { t(look.lang, key).into_owned() };
    let label_width = ["presence", "evidence", "wid", "wcid", "number", "holder", "tags", "note", "last_login"]
        .into_iter()
        .map(|key| width(&t(look.lang, &format!("ui.account.{key}"))))
        .max()
        .unwrap_or(0);
    if usize::from(area.width) < label_width + 12 {
        return y + u16::from(pen::write(buffer, area, 0, y, &cut(value, usize::from(area.width)), style) > 0);
    }
    let x = pen::write(buffer, area, 0, y, &fit(&label, label_width), look.theme.dim());
    let x = x + 1;
    let rest = Rect::new(area.x + x.min(area.width), area.y, area.width.saturating_sub(x), area.height);
    // A wId is for reading and comparing: it is broken over rows rather than cut.
    let mut y = y;
    for line in wrap(value, usize::from(rest.width)).into_iter().take(3) {
        pen::write(buffer, rest, 0, y, &line, style);
        y += 1;
    }
    y
}

/// Writes text over as many rows as it takes; gives the row behind it.
pub(super) fn paragraph(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) -> u16 {
    let mut y = y;
    if area.width == 0 {
        return y;
    }
    for line in wrap(text, usize::from(area.width)) {
        pen::write(buffer, area, 0, y, &line, style);
        y = y.saturating_add(1);
    }
    y
}
