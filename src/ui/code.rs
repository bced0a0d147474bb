//! The code on the screen: where it fits, its cells, or its text.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use secrecy::{ExposeSecret, SecretString};

use super::pen;
use crate::app::{Code, State};
use crate::model::text::{clean, wrap};
use crate::qr::render::{self, Layout, Missing, Placement};

/// The largest quiet zone with which the code fits under some rows of words, at most `above`, and how many of them stay:
/// the words give way to a larger quiet zone.
pub(super) fn fit_below(code: &Code, area: Rect, above: u16, layout: Layout) -> Result<(Placement, u16), Missing> {
    let fits = |above: u16| {
        let rows = area.height.checked_sub(above)?;
        render::fit(code.size(), area.width, rows, layout).ok().map(|placement| (placement, above))
    };
    let best = (0..=above).filter_map(fits).max_by_key(|(placement, above)| (placement.quiet, *above));
    match best {
        Some(best) => Ok(best),
        None => fit(code, area, layout).map(|placement| (placement, 0)),
    }
}

/// Where the code fits in an area.
pub(super) fn fit(code: &Code, area: Rect, layout: Layout) -> Result<Placement, Missing> {
    render::fit(code.size(), area.width, area.height, layout)
}

/// Draws a code at the top of an area, in its middle. Colours of its own, whatever the theme (qr.md §0).
pub(super) fn draw(state: &State, buffer: &mut Buffer, area: Rect, code: &Code, placement: Placement) {
    let cells = render::cells(code, placement, state.terminal.palette, state.invert);
    let left = area.width.saturating_sub(placement.columns) / 2;
    let place = Rect::new(area.x.saturating_add(left), area.y, placement.columns, placement.rows);
    if area.intersection(place) == place {
        (&cells).render(place, buffer);
    }
}

/// Writes what the code says over as many rows as it takes: whole, or not at all.
pub(super) fn text(
    buffer: &mut Buffer,
    area: Rect,
    payload: &SecretString,
    style: ratatui::style::Style,
) -> Result<(), Missing> {
    let payload = clean(payload.expose_secret());
    let lines = wrap(&payload, usize::from(area.width).max(1));
    let rows = pen::columns(lines.len());
    if area.width == 0 || rows > area.height {
        return Err(Missing { columns: 0, rows: rows.saturating_sub(area.height).max(1) });
    }
    for (line, y) in lines.iter().zip(0..) {
        pen::write(buffer, area, 0, y, line, style);
    }
    Ok(())
}
