//! The cells of a code as text for a plain terminal, and how to draw over them when the code is renewed.

use std::fmt::Write as _;

use crate::model::text;

use super::render::Cells;

/// The lines of `cells`, each complete in itself: colours set once, reverse video switched where it changes, everything
/// reset at its end. Without line ends.
pub fn lines(cells: &Cells) -> impl ExactSizeIterator<Item = String> {
    cells.lines().map(|line| {
        let mut out = String::with_capacity(cells.columns().into());
        let mut reversed = line.first().is_some_and(|cell| cell.reversed());
        let also = if reversed { ";7" } else { "" };
        // A write to a String cannot fail.
        let _ = write!(out, "\x1b[{}{also}m", cells.palette().sgr());
        for cell in line {
            if cell.reversed() != reversed {
                reversed = cell.reversed();
                out.push_str(if reversed { "\x1b[7m" } else { "\x1b[27m" });
            }
            out.push_str(cell.symbol());
        }
        out.push_str("\x1b[m");
        out
    })
}

/// A block of lines in a terminal that is not ours alone: a code and words under it, drawn at the cursor and drawn over
/// in place when the code is renewed, covered or gone. The caller writes what it gets, and nothing else in between; after
/// a resize, which may have wrapped lines, it calls [`leave`](Self::leave).
#[derive(Debug, Default)]
pub struct Inline {
    /// Lines of the block between its first line and the cursor.
    above: u16,
}

impl Inline {
    /// The code with `words` under it, over what was drawn before. `columns` is the terminal's width: words are cleaned
    /// and cut to it, because a line that wraps would shift the block. Whether the block is whole on the terminal
    /// ([`fit`](super::render::fit) with the words' rows taken off) is the caller's to see to.
    pub fn draw(&mut self, cells: &Cells, words: &[&str], columns: u16) -> String {
        self.over(lines(cells), words, columns)
    }

    /// Only `words`, over what was drawn before: the code is gone from the screen.
    pub fn cover(&mut self, words: &[&str], columns: u16) -> String {
        self.over(std::iter::empty(), words, columns)
    }

    /// Forgets the block: the next one is drawn below it.
    pub const fn leave(&mut self) {
        self.above = 0;
    }

    fn over(&mut self, code: impl Iterator<Item = String>, words: &[&str], columns: u16) -> String {
        let mut out = String::new();
        if self.above > 0 {
            // From the block's first column down: what the new block does not reach must not stay.
            let _ = write!(out, "\r\x1b[{}A\x1b[J", self.above);
        }
        let words = words.iter().map(|line| {
            let line = text::clean(line);
            text::cut(&line, usize::from(columns)).into_owned()
        });
        self.above = 0;
        for line in code.chain(words) {
            out.push_str(&line);
            // CR as well, for a terminal in raw mode.
            out.push_str("\r\n");
            self.above = self.above.saturating_add(1);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::render::{Layout, Palette, cells, fit};
    use super::super::{Code, Missing};
    use super::*;

    fn drawn(columns: u16, palette: Palette) -> Result<Cells, Missing> {
        // 47 bytes, as in qr.md §3.
        let code = Code::encode(&SecretString::from("http://weixin.qq.com/x/SAOMA-0123456789abcdefgh")).unwrap();
        Ok(cells(&code, fit(code.size(), columns, 99, Layout::Half)?, palette, false))
    }

    /// The goals of qr.md §5.5.
    #[test]
    fn costs_few_bytes() {
        let bytes = |columns, palette| Inline::default().draw(&drawn(columns, palette).unwrap(), &[], 80).len();
        let measured = [37, 33, 31].map(|columns| bytes(columns, Palette::Indexed));
        println!("v3, half, 16 on 231: q4 {} q2 {} q1 {}", measured[0], measured[1], measured[2]);
        assert!(measured[0] <= 2700 && measured[1] <= 2500 && measured[2] <= 2300, "{measured:?}");
        assert!(bytes(37, Palette::Sixteen) < measured[0]);
    }

    #[test]
    fn every_line_stands_alone() {
        for line in lines(&drawn(37, Palette::Indexed).unwrap()) {
            assert!(line.starts_with("\x1b[38;5;16;48;5;231") && line.ends_with("\x1b[m"));
            assert_eq!(line.matches("48;5;231").count(), 1);
            assert!(!line.contains(['\r', '\n']));
        }
    }

    #[test]
    fn a_terminal_shows_the_cells_and_a_renewed_code_in_their_place() {
        let cells = drawn(37, Palette::Indexed).unwrap();
        let mut inline = Inline::default();
        let size = |n| std::num::NonZero::new(n).unwrap();
        let mut terminal = vt100::Parser::new(size(24), size(80), 0);
        terminal.process(b"before\r\n");
        terminal.process(inline.draw(&cells, &["scan \x1b[31mme", &"x".repeat(200)], 80).as_bytes());
        terminal.process(inline.draw(&cells, &["scan me"], 80).as_bytes());
        let screen = terminal.screen();
        for (row, line) in (1..).zip(cells.lines()) {
            for (column, cell) in (0..).zip(line) {
                let shown = screen.cell(row, column).unwrap();
                let symbol = if shown.contents().is_empty() { " " } else { shown.contents() };
                assert_eq!((symbol, shown.inverse()), (cell.symbol(), cell.reversed()));
                assert_eq!((shown.fgcolor(), shown.bgcolor()), (vt100::Color::Idx(16), vt100::Color::Idx(231)));
            }
        }
        let rows: Vec<String> = screen.rows(0, 80).collect();
        assert_eq!((rows[0].as_str(), rows[20].as_str(), rows[21].as_str()), ("before", "scan me", ""));
        terminal.process(inline.cover(&["expired"], 80).as_bytes());
        assert_eq!(terminal.screen().contents().trim_end(), "before\nexpired");
    }
}
