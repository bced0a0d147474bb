//! Glyphs for terminals in which lines, dots and arrows take two columns (qr.md §3c) or cannot be shown at all.
//!
//! The screen is drawn as always and then put into ASCII: a name from the gateway may hold such a character too, and
//! one of them would shift all that follows in its row.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthChar as _;

use crate::model::text::width;

/// Characters of the screen's own and of ordinary words, and what stands for them.
const TABLE: &[(char, &str)] = &[
    ('─', "-"),
    ('│', "|"),
    ('╭', "+"),
    ('╮', "+"),
    ('╰', "+"),
    ('╯', "+"),
    ('●', "*"),
    ('○', "o"),
    ('▸', ">"),
    ('›', ">"),
    ('‹', "<"),
    ('✓', "+"),
    ('✗', "x"),
    ('·', "."),
    ('•', "*"),
    ('–', "-"),
    ('—', "-"),
    ('…', "~"),
    ('×', "x"),
    ('↑', "^"),
    ('↓', "v"),
    ('←', "<"),
    ('→', ">"),
    ('“', "\""),
    ('”', "\""),
    ('‘', "'"),
    ('’', "'"),
    ('━', "="),
    ('▁', "_"),
    ('▂', "."),
    ('▃', "-"),
    ('▅', "="),
    ('▆', "+"),
    ('▇', "*"),
    ('█', "#"),
    ('⠋', "|"),
    ('⠙', "/"),
    ('⠸', "-"),
    ('⠴', "\\"),
];

/// The code's own glyph: whoever wants half blocks in such a terminal gets them.
const BLOCK: &str = "▄";
/// For a character of one column that has no better one.
const UNKNOWN: &str = "?";

/// What stands for a symbol; `None` where it may stay. With `utf8` only what is of doubtful width goes, without it
/// everything of one column: what takes two has no counterpart.
fn plain(symbol: &str, utf8: bool) -> Option<&'static str> {
    let mut chars = symbol.chars();
    let (first, rest) = (chars.next()?, chars.as_str());
    if first.is_ascii() && rest.is_empty() || symbol == BLOCK {
        return None;
    }
    if let Some((_, plain)) = TABLE.iter().find(|(known, _)| *known == first) {
        return Some(plain);
    }
    let narrow = width(symbol) == 1;
    let doubtful = symbol.chars().any(|c| c.width_cjk() != c.width());
    (narrow && (doubtful || !utf8)).then_some(UNKNOWN)
}

/// Whether two cells have one background.
fn same_ground(one: &Cell, other: &Cell) -> bool {
    one.bg == other.bg && one.modifier.contains(Modifier::REVERSED) == other.modifier.contains(Modifier::REVERSED)
}

/// Puts what was drawn into characters that stay one column wide.
pub(super) fn narrow(buffer: &mut Buffer, utf8: bool) {
    let columns = usize::from(buffer.area.width).max(1);
    for row in buffer.content.chunks_mut(columns) {
        for x in 0..row.len() {
            // An ellipsis in front of blanks has room for three dots; at an edge it is one sign. A blank that looks
            // otherwise belongs to something else: to a code's quiet zone, say.
            if let Some([dots, first, second]) = row.get_mut(x..x.saturating_add(3))
                && dots.symbol() == "…"
                && [&*first, &*second].iter().all(|blank| blank.symbol() == " " && same_ground(dots, blank))
            {
                let style = dots.style();
                for cell in [dots, first, second] {
                    cell.set_symbol(".").set_style(style);
                }
            }
            if let Some(cell) = row.get_mut(x)
                && let Some(plain) = plain(cell.symbol(), utf8)
            {
                cell.set_symbol(plain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Style};

    use super::*;

    #[test]
    fn what_is_left_has_one_width_everywhere() {
        for line in ["─● ○ ? ▸ a…", "é Ω ж ° “扫码” · 猫", "…  x… ", "⠋ ✓ ✗ ▄"] {
            for utf8 in [true, false] {
                let mut buffer = Buffer::with_lines([line]);
                narrow(&mut buffer, utf8);
                for cell in &buffer.content {
                    let symbol = cell.symbol();
                    let sure = symbol.chars().all(|c| c.width() == c.width_cjk());
                    assert!(sure || symbol == BLOCK, "{line}: {symbol}");
                    assert!(utf8 || symbol.is_ascii() || symbol == BLOCK || width(symbol) == 2, "{line}: {symbol}");
                }
            }
        }
    }

    #[test]
    fn an_ellipsis_is_three_dots_where_there_is_room() {
        let mut buffer = Buffer::with_lines(["asking…   ab…|"]);
        narrow(&mut buffer, true);
        assert_eq!(buffer, Buffer::with_lines(["asking... ab~|"]));
        // Not over the quiet zone of the code beside it.
        let mut buffer = Buffer::with_lines(["asking…    "]);
        let quiet = Style::new().bg(Color::Indexed(231));
        buffer.set_style(Rect::new(8, 0, 3, 1), quiet);
        narrow(&mut buffer, true);
        assert_eq!(buffer.content[6].symbol(), "~");
        assert!(buffer.content[7..].iter().all(|cell| cell.symbol() == " "));
    }
}
