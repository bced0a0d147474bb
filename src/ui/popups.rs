//! What lies over the panes: help, a wcId to add, questions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Look, conveyor, edit, history, pen, questions};
use crate::app::popup::{HELP_HEAD, Popup, help_lines};
use crate::app::{Action, Multiplexer, Palette, State};
use crate::config::qr_layout::QrLayout;
use crate::i18n::{t, tf};
use crate::model::text::{clean, width, wrap};
use crate::qr::render::Layout;

/// Draws the popup over the screen.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect, popup: &Popup) {
    match popup {
        Popup::Help { top } => help(state, look, buffer, screen, *top),
        Popup::Add { field, wrong } => {
            let inner = dialog(look, buffer, screen, &t(look.lang, "ui.add.title"), 52, 4);
            pen::write(buffer, inner, 0, 0, &t(look.lang, "ui.add.words"), look.theme.dim());
            pen::field(buffer, inner, 1, field.halves(), false, true, look.theme.strong());
            match wrong {
                Some(key) => pen::write(buffer, inner, 0, 2, &t(look.lang, key), look.theme.bad()),
                None => 0,
            };
            pen::write(buffer, inner, 0, 3, &t(look.lang, "ui.add.keys"), look.theme.dim());
        }
        Popup::Edit(form) => edit::draw(state, look, buffer, screen, form),
        Popup::History(view) => history::draw(state, look, buffer, screen, view),
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
        Popup::Conveyor { sheet, top } => conveyor::sheet(state, look, buffer, screen, *sheet, *top),
        Popup::Stop { login } => questions::stop(state, look, buffer, screen, *login),
        Popup::Over(question) => questions::over(state, look, buffer, screen, question),
        Popup::Wrong { expected, wc_id, name } => questions::wrong(look, buffer, screen, expected, wc_id, name),
    }
}

/// Draws a question that takes yes or no.
pub(super) fn question(look: &Look, buffer: &mut Buffer, screen: Rect, title: &str, words: &str) {
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
pub(super) fn dialog(look: &Look, buffer: &mut Buffer, screen: Rect, title: &str, columns: u16, rows: u16) -> Rect {
    let place = pen::centred(screen, columns.saturating_add(4), rows.saturating_add(2));
    pen::clear(buffer, place);
    pen::titled(buffer, place, look.theme, title, &[], true, true)
}

/// What was found of the terminal and the layout in use, in one line.
fn terminal(state: &State, look: &Look) -> String {
    let able = &state.terminal;
    let word = |key: &str| t(look.lang, &format!("ui.terminal.{key}")).into_owned();
    let mut parts = vec![word(match able.palette {
        Palette::Indexed => "colours_256",
        Palette::Sixteen => "colours_16",
    })];
    if let Some((width, height)) = able.cell_px {
        parts.push(tf(
            look.lang,
            "ui.terminal.cell",
            &[("width", &width.to_string()), ("height", &height.to_string())],
        ));
    }
    parts.push(word(match able.block_is_two_columns {
        _ if !able.utf8 => "not_utf8",
        Some(true) => "block_wide",
        Some(false) => "block_narrow",
        None => "block_unknown",
    }));
    match able.multiplexer {
        Some(Multiplexer::Tmux) => parts.push("tmux".to_owned()),
        Some(Multiplexer::Screen) => parts.push("screen".to_owned()),
        None => {}
    }
    let wished = state.qr_chosen.unwrap_or(state.qr_layout);
    let name = |layout: QrLayout| t(look.lang, &format!("ui.layout.{}", layout.name()));
    let (columns, rows) = state.code_area();
    let auto = || match Layout::auto(able.lacks_block(), able.cell_px, USUAL, columns, rows) {
        Layout::Half => format!("{} ({})", name(QrLayout::Half), name(QrLayout::Auto)),
        Layout::Wide | Layout::Wide3 => format!("{} ({})", name(QrLayout::Wide), name(QrLayout::Auto)),
    };
    parts.push(match (wished, able.picture()) {
        (QrLayout::Auto, _) | (QrLayout::Image, None) => auto(),
        (wished, _) => name(wished).into_owned(),
    });
    parts.push(match able.picture() {
        Some((protocol, _)) => tf(look.lang, "ui.terminal.pictures", &[("protocol", protocol.name())]),
        None => word("no_pictures"),
    });
    parts.join(" · ")
}

/// A login's code is a version 3 (qr.md §2).
const USUAL: u16 = 29;

/// The terminal's line, then one line an action: its keys, what it does.
fn help(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect, top: usize) {
    let shown: Vec<_> = help_lines(state.demo).collect();
    let keys = shown.iter().map(|info| width(&state.keymap.labels(info.action))).max().unwrap_or(0);
    let docs = shown.iter().map(|info| width(&t(look.lang, &info.action.doc_key()))).max().unwrap_or(0);
    let lines = HELP_HEAD + shown.len();
    let head = terminal(state, look);
    if lines + 2 >= usize::from(screen.height) {
        // From top to bottom: halves of the status and of the hints beside it would be clutter.
        pen::clear(buffer, screen);
    }
    let inner = dialog(
        look,
        buffer,
        screen,
        &t(look.lang, "ui.help.title"),
        pen::columns((keys + 2 + docs).max(width(&head))),
        pen::columns(lines),
    );
    let page = usize::from(inner.height);
    let top = top.min(lines.saturating_sub(page));
    for (line, y) in (top..lines).zip(0..inner.height) {
        let Some(info) = line.checked_sub(HELP_HEAD).and_then(|at| shown.get(at)) else {
            pen::write(buffer, inner, 0, y, &head, look.theme.dim());
            continue;
        };
        pen::write(buffer, inner, 0, y, &state.keymap.labels(info.action), look.theme.accent());
        pen::write(buffer, inner, pen::columns(keys + 2), y, &t(look.lang, &info.action.doc_key()), look.theme.text());
    }
    // It takes the row of the hints: how one gets out stands on its edge.
    let edge = Rect::new(inner.x, inner.bottom(), inner.width, 1);
    if let Some(key) = state.keymap.label(Action::Close) {
        let end = pen::write(buffer, edge, 0, 0, &format!(" {key}"), look.theme.accent());
        pen::write(buffer, edge, end, 0, &format!(" {} ", t(look.lang, &Action::Close.hint_key())), look.theme.dim());
    }
    if lines > page && page > 0 {
        let text = format!(" {}–{}/{} ", top + 1, (top + page).min(lines), lines);
        let x = inner.width.saturating_sub(pen::columns(width(&text)));
        pen::write(buffer, edge, x, 0, &text, look.theme.dim());
    }
}
