//! One file per pane; draws State, changes nothing.

mod account;
mod accounts;
mod clock;
mod code;
mod conveyor;
mod edit;
mod events;
mod filter;
mod glyphs;
mod hints;
mod history;
mod login;
mod pen;
mod popups;
mod questions;
mod rungs;
mod sign_in;
mod status;
mod strip;

use std::borrow::Cow;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::State;
use crate::app::layout::Layout;
use crate::config::theme::Theme;
use crate::i18n::{Lang, t};
use crate::model::{Now, Presence};
/// What [`paint`] gives.
pub use crate::qr::render::picture::{Picture, fit as place, is_ours};

/// What every pane needs to know beside the state.
struct Look {
    theme: Theme,
    lang: Lang,
    now: Now,
}

impl Look {
    /// Glyph and colour of a presence; the word stands beside it wherever there is room.
    fn presence(&self, presence: Presence) -> (&'static str, Style) {
        match presence {
            Presence::Online => ("●", self.theme.good()),
            Presence::Offline => ("○", self.theme.bad()),
            Presence::Unknown => ("?", self.theme.doubt()),
        }
    }

    fn presence_word(&self, presence: Presence) -> Cow<'static, str> {
        t(
            self.lang,
            match presence {
                Presence::Online => "ui.presence.online",
                Presence::Offline => "ui.presence.offline",
                Presence::Unknown => "ui.presence.unknown",
            },
        )
    }
}

/// The spinner's frame at a moment: four a second, drawn only while something of unknown length is asked.
fn spinner(now: Now) -> &'static str {
    match (now.mono.as_millis() / 250) % 4 {
        0 => "⠋",
        1 => "⠙",
        2 => "⠸",
        _ => "⠴",
    }
}

/// Draws the whole screen; for who has no use for a picture.
pub fn view(state: &State, now: Now, frame: &mut Frame<'_>) {
    let _picture = paint(state, now, frame);
}

/// Draws the whole screen. Gives the picture that belongs over its cells, if one does.
pub fn paint(state: &State, now: Now, frame: &mut Frame<'_>) -> Option<Picture> {
    let look = Look { theme: Theme::new(state.colour), lang: state.lang, now };
    let screen = frame.area();
    let buffer = frame.buffer_mut();
    let picture = if let Some(form) = &state.sign_in {
        sign_in::draw(&look, buffer, screen, form);
        None
    } else {
        main_screen(state, &look, buffer, screen)
    };
    if let Some(shown) = &state.popup {
        popups::draw(state, &look, buffer, screen, &shown.popup);
    }
    if state.terminal.lacks_block() {
        glyphs::narrow(buffer, state.terminal.utf8);
    }
    picture
}

fn main_screen(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect) -> Option<Picture> {
    let layout = Layout::of(screen.width, screen.height, state.focus);
    let login = state.login();
    let whole = state.shows_full_screen()
        || (layout.single
            && layout.login != Rect::default()
            && login.is_some_and(|login| login.code(look.now.wall).is_some()));
    if whole && let Some(login) = login.filter(|_| !state.shows_conveyor()) {
        return login::full_screen(state, look, buffer, screen, login);
    }
    if whole && state.shows_conveyor() {
        conveyor::pane(state, look, buffer, screen, false);
        return None;
    }
    let mut picture = None;
    status::draw(state, look, buffer, layout.status);
    if layout.accounts.height > 0 {
        accounts::draw(state, look, buffer, layout.accounts, layout.boxed);
    }
    if layout.events.height > 0 {
        events::draw(state, look, buffer, layout.events, layout.boxed);
    }
    if layout.login.height > 0 {
        match login.filter(|_| !state.shows_conveyor()) {
            Some(login) => picture = login::draw(state, look, buffer, layout.login, layout.boxed, login),
            None if state.shows_conveyor() => conveyor::pane(state, look, buffer, layout.login, layout.boxed),
            None => account::draw(state, look, buffer, layout.login, layout.boxed),
        }
    }
    hints::draw(state, look, buffer, layout.hints);
    if let Some((message, error)) = hints::message(state, look) {
        // Beside a code, never over it: on a split screen the events' last rows are taken.
        let (x, right, bottom) = if layout.boxed {
            (layout.events.x + 2, layout.events.right().saturating_sub(2), layout.events.bottom().saturating_sub(1))
        } else if layout.single {
            // The filter's line stays in sight.
            (0, screen.width, layout.hints.y.saturating_sub(u16::from(state.typing.is_some())))
        } else {
            (0, layout.events.right(), layout.hints.y)
        };
        let top = layout.status.bottom();
        let above = Rect::new(x, top, right.saturating_sub(x), bottom.saturating_sub(top));
        hints::draw_message(look, buffer, above, &message, error);
    }
    picture
}
