//! The code on the screen: where it fits, its cells, its picture, or its text.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use secrecy::{ExposeSecret, SecretString};

use super::pen;
use crate::app::{Code, Protocol, State};
use crate::model::text::{clean, wrap};
use crate::qr::render::picture::{self, Picture};
use crate::qr::render::{self, Layout, Missing, Placement};

/// How a code is drawn where it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In cells.
    Cells(Layout),
    /// As a picture, by this protocol, in cells of so many pixels.
    Picture(Protocol, (u16, u16)),
}

/// Where it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its cells.
    Cells(Placement),
    /// Its picture.
    Picture(Protocol, picture::Place),
}

impl Place {
    pub(super) const fn columns(self) -> u16 {
        match self {
            Self::Cells(placement) => placement.columns,
            Self::Picture(_, place) => place.columns,
        }
    }

    pub(super) const fn rows(self) -> u16 {
        match self {
            Self::Cells(placement) => placement.rows,
            Self::Picture(_, place) => place.rows,
        }
    }

    /// The greater, the better it is read: the quiet zone, then a picture's modules as far as they are smaller than those
    /// of half blocks.
    fn rank(self) -> (u16, u32) {
        match self {
            Self::Cells(placement) => (placement.quiet, 0),
            Self::Picture(_, place) => (place.quiet, place.module.min(place.cell.0.into())),
        }
    }
}

/// The largest quiet zone with which the code fits under some rows of words, at most `above`, and how many of them stay:
/// the words give way to a larger quiet zone.
pub(super) fn fit_below(
    state: &State,
    code: &Code,
    area: Rect,
    above: u16,
    form: Form,
) -> Result<(Place, u16), Missing> {
    let fits = |above: u16| {
        let below = Rect { y: area.y.saturating_add(above), height: area.height.checked_sub(above)?, ..area };
        fit(state, code, below, form).ok().map(|place| (place, above))
    };
    let best = (0..=above).filter_map(fits).max_by_key(|(place, above)| (place.rank(), *above));
    match best {
        Some(best) => Ok(best),
        None => fit(state, code, area, form).map(|place| (place, 0)),
    }
}

/// Where the code fits in an area.
pub(super) fn fit(state: &State, code: &Code, area: Rect, form: Form) -> Result<Place, Missing> {
    match form {
        Form::Cells(layout) => render::fit(code.size(), area.width, area.height, layout).map(Place::Cells),
        Form::Picture(protocol, cell) => {
            let spared = protocol.spares_last_row() && area.bottom() >= state.size.1;
            let rows = area.height.saturating_sub(u16::from(spared));
            picture::fit(code.size(), area.width, rows, cell).map(|place| Place::Picture(protocol, place))
        }
    }
}

/// Draws a code at the top of an area, in its middle. Colours of its own, whatever the theme (qr.md §0). Gives the picture
/// that belongs over what was drawn, where it is shown as one.
pub(super) fn draw(state: &State, buffer: &mut Buffer, area: Rect, code: &Arc<Code>, place: Place) -> Option<Picture> {
    let left = area.width.saturating_sub(place.columns()) / 2;
    let on = Rect::new(area.x.saturating_add(left), area.y, place.columns(), place.rows());
    if area.intersection(on) != on {
        return None;
    }
    let palette = state.terminal.palette;
    match place {
        Place::Cells(placement) => {
            (&render::cells(code, placement, palette, state.invert)).render(on, buffer);
            None
        }
        Place::Picture(protocol, place) => {
            let picture = Picture::new(Arc::clone(code), protocol, place, (on.x, on.y), palette, state.invert);
            (&picture).render(on, buffer);
            Some(picture)
        }
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
