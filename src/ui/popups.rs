//! What lies over the panes: help, a wcId to add, questions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Look, pen};
use crate::app::State;
use crate::app::popup::{Popup, help_lines};
use crate::i18n::{t, tf};
use crate::model::text::{clean, width, wrap};

/// Draws the popup over the screen.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect, popup: &Popup) {
    match popup {
        Popup::Help { top } => help(state, look, buffer, screen, *top),
        Popup::Add { field, wrong } => {
            let inner = dialog(look, buffer, screen, &t(look.lang, "ui.add.title"), 46, 4);
            pen::write(buffer, inner, 0, 0, &t(look.lang, "ui.add.words"), look.theme.dim());
            pen::field(buffer, inner, 1, field.halves(), false, true, look.theme.strong());
            match wrong {
                Some(key) => pen::write(buffer, inner, 0, 2, &t(look.lang, key), look.theme.bad()),
                None => 0,
            };
            pen::write(buffer, inner, 0, 3, &t(look.lang, "ui.add.keys"), look.theme.dim());
        }
        Popup::Offline { wc_id } => {
            let name = state.name_of("", Some(wc_id));
            let words = tf(look.lang, "ui.offline.words", &[("account", &clean(&name))]);
            question(look, buffer, screen, &t(look.lang, "ui.offline.title"), &words);
        }
        Popup::Text { .. } => {
            question(look, buffer, screen, &t(look.lang, "ui.text.title"), &t(look.lang, "ui.text.words"));
        }
        Popup::Quit => {
            let count = state.logins.open().count().to_string();
            let words = tf(look.lang, "ui.quit.words", &[("count", &count)]);
            question(look, buffer, screen, &t(look.lang, "ui.quit.title"), &words);
        }
    }
}

fn question(look: &Look, buffer: &mut Buffer, screen: Rect, title: &str, words: &str) {
    let columns = usize::from(screen.width.saturating_sub(6)).min(44);
    let lines = wrap(words, columns);
    let rows = pen::columns(lines.len());
    let inner = dialog(look, buffer, screen, title, 44, rows + 2);
    for (line, y) in lines.iter().zip(0..) {
        pen::write(buffer, inner, 0, y, line, look.theme.text());
    }
    let y = (rows + 1).min(inner.height.saturating_sub(1));
    let x = pen::write(buffer, inner, 0, y, "y", look.theme.accent());
    let x = pen::write(buffer, inner, x + 1, y, &t(look.lang, "ui.yes"), look.theme.text());
    let x = pen::write(buffer, inner, x + 2, y, "Esc", look.theme.accent());
    pen::write(buffer, inner, x + 1, y, &t(look.lang, "ui.no"), look.theme.text());
}

/// A box in the middle of the screen with room for this much; gives the room.
fn dialog(look: &Look, buffer: &mut Buffer, screen: Rect, title: &str, columns: u16, rows: u16) -> Rect {
    let place = pen::centred(screen, columns.saturating_add(4), rows.saturating_add(2));
    pen::clear(buffer, place);
    pen::titled(buffer, place, look.theme, title, &[], true, true)
}

/// One line an action: its keys, what it does.
fn help(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect, top: usize) {
    let shown: Vec<_> = help_lines(state.demo).collect();
    let keys = shown.iter().map(|info| width(&state.keymap.labels(info.action))).max().unwrap_or(0);
    let docs = shown.iter().map(|info| width(&t(look.lang, &info.action.doc_key()))).max().unwrap_or(0);
    let inner = dialog(
        look,
        buffer,
        screen,
        &t(look.lang, "ui.help.title"),
        pen::columns(keys + 2 + docs),
        pen::columns(shown.len()),
    );
    let page = usize::from(inner.height);
    let top = top.min(shown.len().saturating_sub(page));
    for (info, y) in shown.iter().skip(top).zip(0..inner.height) {
        pen::write(buffer, inner, 0, y, &state.keymap.labels(info.action), look.theme.accent());
        pen::write(buffer, inner, pen::columns(keys + 2), y, &t(look.lang, &info.action.doc_key()), look.theme.text());
    }
    if shown.len() > page && page > 0 {
        let text = format!(" {}–{}/{} ", top + 1, (top + page).min(shown.len()), shown.len());
        let x = inner.width.saturating_sub(pen::columns(width(&text)));
        let edge = Rect::new(inner.x, inner.bottom(), inner.width, 1);
        pen::write(buffer, edge, x, 0, &text, look.theme.dim());
    }
}
