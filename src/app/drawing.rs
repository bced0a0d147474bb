//! In which form a code is shown: what was wished, what the terminal is good for, what fits.

use super::logins::Login;
use super::popup::Popup;
use super::state::State;
use crate::action::Action;
use crate::config::qr_layout::QrLayout;
use crate::engine::api::Code;
use crate::i18n::{t, tf};
use crate::model::Now;
use crate::qr::render::Layout;
use crate::qr::render::picture::Protocol;

/// The form of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawing {
    /// Drawn in cells.
    Cells(Layout),
    /// Drawn by the terminal, in squares of whole pixels.
    Picture {
        /// How it takes pictures.
        protocol: Protocol,
        /// A cell's width and height in pixels.
        cell: (u16, u16),
    },
    /// The payload in letters: somebody said yes to that for this code.
    Text,
    /// The payload in letters is what the settings wish, but nobody has said yes for this code.
    Asks,
}

impl State {
    /// The form of a login's code in an area of `columns` × `rows` cells.
    pub(crate) fn drawing(&self, login: &Login, code: &Code, columns: u16, rows: u16) -> Drawing {
        if login.as_text {
            return Drawing::Text;
        }
        let terminal = &self.terminal;
        match (self.qr_chosen.unwrap_or(self.qr_layout), terminal.picture()) {
            (QrLayout::Half, _) => Drawing::Cells(Layout::Half),
            (QrLayout::Wide, _) => Drawing::Cells(Layout::wide(terminal.cell_px)),
            (QrLayout::Text, _) => Drawing::Asks,
            (QrLayout::Image, Some((protocol, cell))) => Drawing::Picture { protocol, cell },
            (QrLayout::Auto, _) | (QrLayout::Image, None) => {
                Drawing::Cells(Layout::auto(terminal.lacks_block(), terminal.cell_px, code.size(), columns, rows))
            }
        }
    }

    /// The area that the code has now, without its pane's heading or box.
    pub(crate) fn code_area(&self) -> (u16, u16) {
        let layout = self.layout();
        if self.full_screen || layout.single {
            return self.size;
        }
        let (columns, rows) = (layout.login.width, layout.login.height);
        if layout.boxed {
            (columns.saturating_sub(4), rows.saturating_sub(2))
        } else {
            (columns, rows.saturating_sub(1))
        }
    }
}

/// The next layout: half, wide, image where the terminal has pictures, text after a yes, half. It stays for the session;
/// text for this code only.
pub(super) fn next(state: &mut State, now: Now) {
    let (columns, rows) = state.code_area();
    let shown = state.login().and_then(|login| {
        let code = login.code(now.wall)?;
        Some((login.number, std::sync::Arc::clone(code), state.drawing(login, code, columns, rows)))
    });
    let Some((number, code, drawing)) = shown else {
        state.say(t(state.lang, "ui.toast.no_code").into_owned(), now);
        return;
    };
    match drawing {
        Drawing::Cells(Layout::Half) => choose(state, QrLayout::Wide, now),
        Drawing::Cells(Layout::Wide | Layout::Wide3) if state.terminal.picture().is_some() => {
            choose(state, QrLayout::Image, now);
        }
        Drawing::Cells(Layout::Wide | Layout::Wide3) | Drawing::Picture { .. } | Drawing::Asks => {
            state.open(Popup::Text { login: number, code });
        }
        Drawing::Text => choose(state, QrLayout::Half, now),
    }
}

/// Draws codes in this layout from now on, whatever the settings say.
pub(super) fn choose(state: &mut State, layout: QrLayout, now: Now) {
    state.qr_chosen = Some(layout);
    if let Some(number) = state.login().map(|login| login.number)
        && let Some(login) = state.logins.get_mut(number)
    {
        login.as_text = false;
    }
    let name = t(state.lang, &format!("ui.layout.{}", layout.name()));
    let key = state.keymap.label(Action::NextLayout).unwrap_or_default();
    let text = tf(state.lang, "ui.toast.layout", &[("layout", &name), ("key", &key)]);
    state.say(text, now);
}
