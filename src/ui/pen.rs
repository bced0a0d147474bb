//! Writing on the screen, clipped: nothing here can leave its area, whatever the size.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::config::theme::Theme;
use crate::model::text::{cut, width};

/// A run of text in one style.
pub(super) type Span<'a> = (&'a str, Style);

/// Writes text at a column and row of an area; gives the column behind it. The text is cut with `…` at the edge.
pub(super) fn write(buffer: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    let area = area.intersection(buffer.area);
    if x >= area.width || y >= area.height || text.is_empty() {
        return x;
    }
    let room = usize::from(area.width - x);
    let text = cut(text, room);
    // What was written here before, a rule say, leaves no style behind.
    for column in x..x.saturating_add(columns(width(&text))).min(area.width) {
        if let Some(cell) = buffer.cell_mut((area.x + column, area.y + y)) {
            cell.reset();
        }
    }
    let (end, _) = buffer.set_stringn(area.x + x, area.y + y, &text, room, style);
    end.saturating_sub(area.x)
}

/// Writes runs of text one behind the other.
pub(super) fn spans(buffer: &mut Buffer, area: Rect, x: u16, y: u16, spans: &[Span<'_>]) -> u16 {
    let mut x = x;
    for (text, style) in spans {
        x = write(buffer, area, x, y, text, *style);
    }
    x
}

/// How wide runs of text are.
pub(super) fn spans_width(spans: &[Span<'_>]) -> u16 {
    columns(spans.iter().map(|(text, _)| width(text)).sum())
}

/// A number of columns as the screen counts them.
pub(super) fn columns(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// A title with a rule behind it, and a word at its right end. Gives the area below.
pub(super) fn titled(
    buffer: &mut Buffer,
    area: Rect,
    theme: Theme,
    title: &str,
    right: &[Span<'_>],
    focused: bool,
    boxed: bool,
) -> Rect {
    if area.width == 0 || area.height == 0 {
        return Rect::default();
    }
    let title_style = if focused { theme.accent() } else { theme.strong() };
    let last = area.width.saturating_sub(1);
    if boxed {
        frame(buffer, area, theme.dim());
    } else {
        for x in 0..area.width {
            write(buffer, area, x, 0, "─", theme.dim());
        }
    }
    let inset = if boxed { 2 } else { 0 };
    let right_width = spans_width(right);
    let mut room = last.saturating_sub(inset);
    if right_width > 0 && right_width + 4 < room {
        let x = area.width.saturating_sub(right_width + inset);
        write(buffer, area, x.saturating_sub(1), 0, " ", theme.text());
        let end = spans(buffer, area, x, 0, right);
        if boxed {
            write(buffer, area, end, 0, " ", theme.text());
        }
        room = x.saturating_sub(inset + 2);
    }
    let title = cut(title, usize::from(room));
    if boxed {
        write(buffer, area, inset.saturating_sub(1), 0, " ", theme.text());
    }
    let end = write(buffer, area, inset, 0, &title, title_style);
    if end <= last {
        write(buffer, area, end, 0, " ", theme.text());
    }
    if boxed {
        Rect::new(
            area.x.saturating_add(2).min(area.right()),
            area.y + 1,
            area.width.saturating_sub(4),
            area.height.saturating_sub(2),
        )
    } else {
        Rect::new(area.x, area.y + 1, area.width, area.height - 1)
    }
}

/// A box of thin lines with round corners.
pub(super) fn frame(buffer: &mut Buffer, area: Rect, style: Style) {
    let (right, bottom) = (area.width.saturating_sub(1), area.height.saturating_sub(1));
    for x in 0..area.width {
        write(buffer, area, x, 0, "─", style);
        write(buffer, area, x, bottom, "─", style);
    }
    for y in 0..area.height {
        write(buffer, area, 0, y, "│", style);
        write(buffer, area, right, y, "│", style);
    }
    for (x, y, corner) in [(0, 0, "╭"), (right, 0, "╮"), (0, bottom, "╰"), (right, bottom, "╯")] {
        write(buffer, area, x, y, corner, style);
    }
}

/// Empties an area that lies over others.
pub(super) fn clear(buffer: &mut Buffer, area: Rect) {
    let area = area.intersection(buffer.area);
    // A wide character that reaches into the area from the left would be cut in half on the terminal.
    if let Some(x) = area.x.checked_sub(1) {
        for y in area.top()..area.bottom() {
            if let Some(cell) = buffer.cell_mut((x, y))
                && width(cell.symbol()) > 1
            {
                cell.set_symbol(" ");
            }
        }
    }
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}

/// An area of this size in the middle of another.
pub(super) fn centred(area: Rect, columns: u16, rows: u16) -> Rect {
    let (columns, rows) = (columns.min(area.width), rows.min(area.height));
    Rect::new(area.x + (area.width - columns) / 2, area.y + (area.height - rows) / 2, columns, rows)
}

/// Draws a text field on one row: its text, and the cursor as a reversed cell. Shows the part around the cursor.
pub(super) fn field(
    buffer: &mut Buffer,
    area: Rect,
    row: u16,
    (before, after): (&str, &str),
    masked: bool,
    focused: bool,
    style: Style,
) {
    let mask = |text: &str| {
        if masked { "•".repeat(text.chars().count()) } else { crate::model::text::clean(text).into_owned() }
    };
    let (before, after) = (mask(before), mask(after));
    let room = usize::from(area.width).saturating_sub(1);
    // Only the end of what stands before the cursor matters when there is little room.
    let mut start = 0;
    while width(before.get(start..).unwrap_or_default()) > room {
        start += before.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
    }
    let x = write(buffer, area, 0, row, before.get(start..).unwrap_or_default(), style);
    if !focused {
        write(buffer, area, x, row, &after, style);
        return;
    }
    let mut rest = after.chars();
    let under = rest.next().map_or_else(|| String::from(" "), String::from);
    let x = write(buffer, area, x, row, &under, style.add_modifier(Modifier::REVERSED));
    write(buffer, area, x, row, rest.as_str(), style);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever lays out counts with `width`; were the canvas to count otherwise, text would be cut off without a `…`.
    #[test]
    fn the_canvas_counts_columns_as_the_layout_does() {
        let area = Rect::new(0, 0, 40, 1);
        let mut buffer = Buffer::empty(area);
        let signs = (' '..=char::MAX).filter(|c| !c.is_control()).map(String::from);
        let pairs = ["لا", "ｶﾞ", "ﾞ", "가\u{11d93}", "ᄀᄀᄀ", "👩‍👩‍👧", "☝\u{fe0f}", "ᨕᨗ\u{200d}ᨐ", "ⵏ⵿ⴾ", "ꓹꓼ", "\u{600}1"]
            .map(String::from);
        for text in signs.chain(pairs) {
            let end = write(&mut buffer, area, 0, 0, &text, Style::new());
            assert_eq!(usize::from(end), width(&text), "{text:?}");
        }
    }
}
