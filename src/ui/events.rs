//! What happened, newest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Look, clock, pen};
use crate::app::State;
use crate::app::events::{EventLine, Happening};
use crate::app::state::Pane;
use crate::i18n::{t, tf};
use crate::model::text::{clean, cut};

/// Draws the events pane.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, boxed: bool) {
    let theme = look.theme;
    let title = t(look.lang, "ui.pane.events");
    let inner = pen::titled(buffer, area, theme, &title, &[], state.focus == Pane::Events, boxed);
    if state.events.is_empty() {
        pen::write(buffer, inner, 0, 0, &t(look.lang, "ui.empty.events"), theme.dim());
    }
    for (line, y) in state.events.from(state.events_top).zip(0..inner.height) {
        draw_line(state, look, buffer, Rect::new(inner.x, inner.y + y, inner.width, 1), line);
    }
}

fn draw_line(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, line: &EventLine) {
    let theme = look.theme;
    let (glyph, style) = match line.what {
        Happening::LoggedIn | Happening::Adopted => ("✓", theme.good()),
        Happening::Recovered | Happening::ListBack | Happening::OutageOver | Happening::ObservationBack => {
            ("●", theme.good())
        }
        Happening::Dropped | Happening::MassDrop(_) => ("○", theme.bad()),
        Happening::FirstDrop => ("○", theme.dim()),
        Happening::Outage
        | Happening::ObservationLost
        | Happening::TokenRejected
        | Happening::ListFailing
        | Happening::SecondLoginFailed => ("!", theme.bad()),
        Happening::Verification => ("!", theme.doubt()),
        Happening::Ended => ("–", theme.dim()),
        Happening::WIdChanged
        | Happening::TakenOffline
        | Happening::Code
        | Happening::Dialog
        | Happening::Scanned
        | Happening::Resumed => ("·", theme.dim()),
    };
    let time = clock::short(line.at, look.now, state.offset_seconds);
    let x = pen::write(buffer, area, 0, 0, &time, theme.dim());
    let x = pen::write(buffer, area, x + 1, 0, glyph, style);
    let about_gateway = matches!(
        line.what,
        Happening::ListFailing
            | Happening::ListBack
            | Happening::TokenRejected
            | Happening::Outage
            | Happening::OutageOver
            | Happening::ObservationLost
            | Happening::ObservationBack
            | Happening::MassDrop(_)
    );
    let name = if line.account.is_empty() && !about_gateway {
        t(look.lang, "ui.new_account")
    } else {
        clean(&line.account).into_owned().into()
    };
    let share = usize::from(area.width).saturating_sub(8) * 2 / 5;
    let x = pen::write(buffer, area, x + 1, 0, &cut(&name, share.clamp(6, 24)), theme.text());
    let x = if name.is_empty() { x } else { x + 1 };
    let mut words = match line.what {
        Happening::MassDrop(count) => tf(look.lang, line.what.key(), &[("count", &count.to_string())]),
        what => t(look.lang, what.key()).into_owned(),
    };
    if let Some(reason) = line.reason {
        let reason = t(look.lang, &format!("reason.{}", reason.code()));
        if line.what == Happening::Ended {
            words = reason.into_owned();
        } else {
            words = format!("{words}{}{reason}", t(look.lang, "ui.colon"));
        }
    }
    pen::write(buffer, area, x, 0, &words, theme.dim());
}
