//! The filter's line at the bottom of the accounts, and what the accounts' heading says.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::conveyor::progress_words;
use super::{Look, pen};
use crate::app::State;
use crate::app::accounts::Filter;
use crate::i18n::{t, tf};
use crate::model::text::{clean, cut, width};

/// What stands between two things of the heading.
const BETWEEN: &str = " · ";
/// A filter's text is not cut shorter than this.
const LEAST: usize = 6;

/// The right end of the accounts' heading: how far the conveyor is, how many are marked, the filter, how many are
/// listed. Where there is little room the filter's text is cut, then the marks go, then the conveyor.
pub(super) fn heading(state: &State, look: &Look, room: usize) -> Vec<(String, Style)> {
    let theme = look.theme;
    let (total, listed) = (state.accounts.total(), state.accounts.len());
    let filtered = state.accounts.filter() != Filter::All || !state.accounts.query().is_empty();
    let mut last = if filtered { format!("{listed}/{total}") } else { total.to_string() };
    let presence = match state.accounts.filter() {
        Filter::All => None,
        Filter::Offline => Some("ui.presence.offline"),
        Filter::Unknown => Some("ui.presence.unknown"),
    };
    if let Some(key) = presence {
        last = format!("{} {last}", t(look.lang, key));
    }
    let mut parts: Vec<(String, Style)> = Vec::new();
    if let Some(progress) = progress_words(state, look) {
        parts.push((progress, theme.strong()));
    }
    if !state.marks.is_empty() {
        let count = state.marks.len().to_string();
        parts.push((tf(look.lang, "ui.marked", &[("count", &count)]), theme.accent()));
    }
    let query = state.accounts.query();
    // While it is typed it stands in its line.
    let text = (!query.is_empty() && state.typing.is_none()).then(|| format!("/{}", clean(query.text())));
    let used = |parts: &[(String, Style)]| -> usize {
        parts.iter().map(|(text, _)| width(text) + BETWEEN.len() - 1).sum::<usize>() + width(&last)
    };
    while !parts.is_empty() && used(&parts) + text.as_ref().map_or(0, |_| LEAST + 3) > room {
        // The marks stand last.
        parts.pop();
    }
    if let Some(text) = text {
        let left = room.saturating_sub(used(&parts) + 3);
        parts.push((cut(&text, left).into_owned(), theme.text()));
    }
    parts.push((last, theme.dim()));
    let mut out: Vec<(String, Style)> = Vec::new();
    for part in parts {
        if !out.is_empty() {
            out.push((BETWEEN.to_owned(), theme.dim()));
        }
        out.push(part);
    }
    out
}

/// Draws the line while it is open; gives the rows above it.
pub(super) fn line(state: &State, look: &Look, buffer: &mut Buffer, area: Rect) -> Rect {
    let Some(field) = state.typing.as_ref().map(|typing| &typing.field) else { return area };
    let theme = look.theme;
    let Some(rows) = area.height.checked_sub(1) else { return area };
    let place = Rect::new(area.x, area.y + rows, area.width, 1);
    let x = pen::write(buffer, place, 0, 0, "/ ", theme.accent());
    let rest = Rect::new(place.x + x.min(place.width), place.y, place.width.saturating_sub(x), 1);
    pen::field(buffer, rest, 0, field.halves(), false, true, theme.strong());
    if field.text().is_empty() {
        pen::write(buffer, rest, 1, 0, &t(look.lang, "ui.filter.help"), theme.dim());
    }
    Rect::new(area.x, area.y, area.width, rows)
}
