//! Time as a row of cells: a day's strip, bars, the fleet's online count. By glyph and by colour: each says it alone.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Look, pen};
use crate::app::Strip;
use crate::model::Presence;

/// The levels of a count. Half a block is left out: it belongs to the codes, wherever glyphs have to be replaced.
const LEVELS: [&str; 7] = ["▁", "▂", "▃", "▅", "▆", "▇", "█"];
/// In eighths, what each level fills.
const EIGHTHS: [u32; 7] = [1, 2, 3, 5, 6, 7, 8];

/// Glyph and style of one cell.
pub(super) fn cell(look: &Look, presence: Presence) -> (&'static str, Style) {
    match presence {
        Presence::Online => ("━", look.theme.good()),
        Presence::Offline => ("×", look.theme.bad()),
        Presence::Unknown => ("·", look.theme.dim()),
    }
}

const fn rank(presence: Presence) -> u8 {
    match presence {
        Presence::Offline => 2,
        Presence::Unknown => 1,
        Presence::Online => 0,
    }
}

/// Draws a day in this many cells: 12 take two hours each and show the worse one, 48 show each hour twice.
pub(super) fn draw(look: &Look, buffer: &mut Buffer, area: Rect, x: u16, y: u16, strip: &Strip, cells: u16) -> u16 {
    let hours = strip.0.len();
    let count = usize::from(cells).max(1);
    let mut x = x;
    let mut run = (String::new(), Style::new());
    for at in 0..count {
        let (from, to) = (at * hours / count, ((at + 1) * hours).div_ceil(count));
        let worst = strip.0.get(from..to).unwrap_or_default().iter().copied().max_by_key(|presence| rank(*presence));
        let (glyph, style) = cell(look, worst.unwrap_or_default());
        if style != run.1 {
            x = pen::write(buffer, area, x, y, &run.0, run.1);
            run = (String::new(), style);
        }
        run.0.push_str(glyph);
    }
    pen::write(buffer, area, x, y, &run.0, run.1)
}

/// Draws a share of one as a bar: thick for what is, thin for what is missing; dotted where nothing is known.
pub(super) fn bar(look: &Look, buffer: &mut Buffer, area: Rect, x: u16, y: u16, share: Option<f64>, cells: u16) -> u16 {
    let Some(share) = share else {
        return pen::write(buffer, area, x, y, &"·".repeat(usize::from(cells)), look.theme.dim());
    };
    let mut full = share_of(share, cells);
    // Nearly all is not all, and next to nothing is not nothing.
    if full == cells && share < 1.0 {
        full = full.saturating_sub(1);
    } else if full == 0 && share > 0.0 {
        full = 1.min(cells);
    }
    let style = if share >= 1.0 { look.theme.good() } else { look.theme.text() };
    let x = pen::write(buffer, area, x, y, &"━".repeat(usize::from(full)), style);
    pen::write(buffer, area, x, y, &"─".repeat(usize::from(cells - full)), look.theme.dim())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1 times a u16")]
fn share_of(share: f64, cells: u16) -> u16 {
    (share.clamp(0.0, 1.0) * f64::from(cells)).round() as u16
}

/// The counts in this many cells, the least of each cell's share: a dip is never smoothed away.
pub(super) fn shrink(counts: &[u32], cells: u16) -> Vec<u32> {
    let cells = usize::from(cells).max(1);
    (0..cells)
        .filter_map(|at| {
            let from = at * counts.len() / cells;
            let to = ((at + 1) * counts.len()).div_ceil(cells);
            counts.get(from..to)?.iter().copied().min()
        })
        .collect()
}

/// Draws counts as columns, `rows` high, the lowest row at `y + rows - 1`; `most` fills a column.
pub(super) fn columns(
    buffer: &mut Buffer,
    area: Rect,
    (x, y): (u16, u16),
    counts: &[u32],
    most: u32,
    rows: u16,
    style: Style,
) {
    let full = u64::from(rows) * 8;
    for row in 0..rows {
        let below = u64::from(rows - 1 - row) * 8;
        let line: String = counts
            .iter()
            .map(|count| {
                let height = (u64::from(*count) * full).div_ceil(u64::from(most.max(1))).min(full);
                let rest = u32::try_from(height.saturating_sub(below)).unwrap_or(8);
                level(rest, below == 0)
            })
            .collect();
        pen::write(buffer, area, x, y + row, &line, style);
    }
}

/// Counts as one line of levels; `most` is a full one.
pub(super) fn line(counts: &[u32], most: u32) -> String {
    let height = |count: &u32| (u64::from(*count) * 8).div_ceil(u64::from(most.max(1))).min(8);
    counts.iter().map(|count| level(u32::try_from(height(count)).unwrap_or(8), true)).collect()
}

/// The glyph for so many eighths; none is a blank, on the ground a line.
fn level(eighths: u32, ground: bool) -> &'static str {
    if eighths == 0 {
        return if ground { "▁" } else { " " };
    }
    let at = EIGHTHS.iter().rposition(|level| *level <= eighths).unwrap_or(0);
    LEVELS.get(at).copied().unwrap_or("█")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::theme::Theme;
    use crate::i18n::Lang;
    use crate::model::Now;

    #[test]
    fn two_hours_in_a_cell_show_the_worse_one() {
        let mut strip = Strip([Presence::Online; 24]);
        strip.0[3] = Presence::Offline;
        strip.0[6] = Presence::Unknown;
        let look = Look { theme: Theme::new(false), lang: Lang::En, now: Now::default() };
        for (cells, shown) in [
            (24, "━━━×━━·━━━━━━━━━━━━━━━━━"),
            (12, "━×━·━━━━━━━━"),
            (48, "━━━━━━××━━━━··━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━"),
        ] {
            let mut buffer = Buffer::empty(Rect::new(0, 0, cells, 1));
            let area = buffer.area;
            assert_eq!(draw(&look, &mut buffer, area, 0, 0, &strip, cells), cells);
            assert_eq!(buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect::<String>(), shown);
        }
    }

    #[test]
    fn a_dip_stays_however_few_the_cells() {
        assert_eq!(shrink(&[9, 9, 9, 9, 0, 9], 3), [9, 9, 0]);
        assert_eq!(shrink(&[5, 6], 4), [5, 5, 6, 6]);
        assert_eq!(shrink(&[], 4), Vec::<u32>::new());
    }

    #[test]
    fn a_column_is_as_high_as_its_share() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 5, 2));
        let area = buffer.area;
        columns(&mut buffer, area, (0, 0), &[0, 1, 4, 6, 8], 8, 2, Style::new());
        let mut expected = Buffer::with_lines(["   ▃█", "▁▂███"]);
        expected.set_style(area, Style::new());
        let text = |buffer: &Buffer| buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
        assert_eq!(text(&buffer), text(&expected));
    }
}
