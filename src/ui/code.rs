//! The code on the screen: how much room it needs, and its cells.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use crate::app::Code;

/// Quiet zones in the order they are tried (qr.md §0): never none.
pub(super) const QUIET: [u16; 3] = [4, 2, 1];

/// Columns and rows of a code with a quiet zone.
pub(super) fn size(code: &Code, quiet: u16) -> (u16, u16) {
    let modules = code.size().saturating_add(quiet.saturating_mul(2));
    (modules, modules.div_ceil(2))
}

/// The widest quiet zone with which the code fits; `None` when it fits with none.
pub(super) fn fit(code: &Code, columns: u16, rows: u16) -> Option<u16> {
    QUIET.into_iter().find(|quiet| {
        let (wide, high) = size(code, *quiet);
        wide <= columns && high <= rows
    })
}

/// Draws a code at the top of an area, in its middle. Colours of its own, whatever the theme (qr.md §0).
pub(super) fn draw(buffer: &mut Buffer, area: Rect, code: &Arc<Code>, quiet: u16, invert: bool) {
    let (columns, rows) = size(code, quiet);
    let area = area.intersection(buffer.area);
    let left = area.width.saturating_sub(columns) / 2;
    let (dark, light) = (Color::Indexed(16), Color::Indexed(231));
    let plain = if invert { Style::new().fg(light).bg(dark) } else { Style::new().fg(dark).bg(light) };
    let quiet = i32::from(quiet);
    for row in 0..rows.min(area.height) {
        for column in 0..columns.min(area.width) {
            let (x, y) = (i32::from(column) - quiet, i32::from(row) * 2 - quiet);
            let (upper, lower) = (code.is_dark(x, y), code.is_dark(x, y + 1));
            let style = if upper { plain.add_modifier(Modifier::REVERSED) } else { plain };
            if let Some(cell) = buffer.cell_mut((area.x + left + column, area.y + row)) {
                cell.reset();
                cell.set_symbol(if upper == lower { " " } else { "▄" }).set_style(style);
            }
        }
    }
}
