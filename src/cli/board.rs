//! A login's code in a terminal that is not ours alone: drawn where the cursor is, with words under it, drawn over in
//! place when it is renewed, covered when it is over.

use std::cell::RefCell;

use rustix::termios::isatty;

use super::out;
use crate::config::QrLayout;
use crate::i18n::{Lang, t, tf};
use crate::model::text::wrap;
use crate::qr::ansi::Inline;
use crate::qr::render::{self, Layout, Palette};
use crate::qr::{Code, Missing};
use crate::tui::{Capabilities, capabilities, quiet};

/// Where a code is drawn, and how.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// Whether stdout is a terminal: elsewhere nothing is drawn.
    pub terminal: bool,
    /// What the terminal is able to do.
    pub able: Capabilities,
    /// What is wished.
    pub layout: QrLayout,
    /// The language for words.
    pub lang: Lang,
}

/// The block of lines with the code, while it is there.
#[derive(Debug)]
pub struct Board {
    paper: Paper,
    block: RefCell<Block>,
}

#[derive(Debug, Default)]
struct Block {
    inline: Inline,
    up: bool,
    code: Option<Code>,
    /// Columns and rows that the block was drawn for.
    size: (u16, u16),
    /// Columns and rows that it takes.
    takes: (u16, u16),
}

impl Board {
    /// A board that shows nothing yet.
    pub fn new(paper: Paper) -> Self {
        Self { paper, block: RefCell::default() }
    }

    /// The paper as the terminal describes itself by now: over a slow line its answer comes late.
    fn paper(&self) -> Paper {
        let able = quiet::told_late().unwrap_or(self.paper.able);
        Paper { able, ..self.paper }
    }

    /// Shows a code with words under it, over the block that was there; false where nothing is drawn.
    pub fn show(&self, code: &Code, words: &str) -> bool {
        if !self.paper.terminal || self.paper.layout == QrLayout::Text {
            return false;
        }
        let mut block = self.block.borrow_mut();
        block.code = Some(code.clone());
        put(&block.draw(&self.paper(), size(), words));
        true
    }

    /// Says something under the code, instead of what was said there; false where no block is up.
    pub fn say(&self, words: &str) -> bool {
        let mut block = self.block.borrow_mut();
        if !block.up {
            return false;
        }
        put(&block.draw(&self.paper(), size(), words));
        true
    }

    /// The code is over: words in its place, to be drawn over by the next code. False where no block is up.
    pub fn cover(&self, words: &str) -> bool {
        self.block.borrow_mut().code = None;
        self.say(words)
    }

    /// What comes next is written below.
    pub fn leave(&self) {
        let mut block = self.block.borrow_mut();
        block.inline.leave();
        block.up = false;
        block.code = None;
    }
}

impl Drop for Board {
    /// However the command ends, no code stays behind.
    fn drop(&mut self) {
        let mut block = self.block.borrow_mut();
        if block.up && block.code.take().is_some() {
            put(&block.draw(&self.paper(), size(), ""));
        }
    }
}

impl Block {
    /// The bytes that bring the terminal to the code, if there is one, and the words under it.
    fn draw(&mut self, paper: &Paper, size: (u16, u16), words: &str) -> String {
        let (columns, rows) = size;
        let mut out = String::new();
        // A window that was made too small for the block has wrapped or scrolled it: nobody knows where it is now.
        if self.up && size != self.size && (self.takes.0 > columns || self.takes.1 >= rows) {
            out.push_str("\x1b[H\x1b[2J");
            self.inline.leave();
        }
        let mut lines = wrap(words, usize::from(columns).max(2));
        lines.retain(|line| !line.is_empty());
        let below = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        // The cursor stands below the block.
        let room = rows.saturating_sub(below).saturating_sub(1);
        let drawn = match &self.code {
            Some(code) => match fit(paper, code, columns, room) {
                Ok(cells) => Some(cells),
                Err((missing, layout)) => {
                    let text = too_small(paper, missing, layout);
                    lines = wrap(&text, usize::from(columns).max(2)).into_iter().chain(lines).collect();
                    None
                }
            },
            None => None,
        };
        let words: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        out.push_str(&match &drawn {
            Some(cells) => self.inline.draw(cells, &words, columns),
            None => self.inline.cover(&words, columns),
        });
        let (wide, high) = drawn.as_ref().map_or((0, 0), |cells| (cells.columns(), cells.rows()));
        self.up = true;
        self.size = size;
        self.takes = (wide, high.saturating_add(u16::try_from(words.len()).unwrap_or(u16::MAX)));
        out
    }
}

/// The layout that a code of this size gets.
pub fn layout(wished: QrLayout, able: &Capabilities, code_size: u16, columns: u16, rows: u16) -> Layout {
    match wished {
        QrLayout::Half => Layout::Half,
        QrLayout::Wide => Layout::wide(able.cell_px),
        QrLayout::Auto | QrLayout::Image | QrLayout::Text => {
            Layout::auto(able.lacks_block(), able.cell_px, code_size, columns, rows)
        }
    }
}

fn fit(paper: &Paper, code: &Code, columns: u16, rows: u16) -> Result<render::Cells, (Missing, Layout)> {
    let layout = layout(paper.layout, &paper.able, code.size(), columns, rows);
    let placement = render::fit(code.size(), columns, rows, layout).map_err(|missing| (missing, layout))?;
    let palette: Palette = paper.able.palette;
    Ok(render::cells(code, placement, palette, false))
}

fn too_small(paper: &Paper, missing: Missing, layout: Layout) -> String {
    let (columns, rows) = (missing.columns.to_string(), missing.rows.to_string());
    let text = tf(paper.lang, "cli.login.too_small", &[("columns", &columns), ("rows", &rows)]);
    if !paper.able.utf8 {
        return format!("{text} {}", t(paper.lang, "cli.login.not_utf8"));
    }
    if layout != Layout::Half && !paper.able.lacks_block() {
        return format!("{text} {}", t(paper.lang, "cli.login.try_half"));
    }
    text
}

fn size() -> (u16, u16) {
    capabilities::size(rustix::stdio::stdout())
}

/// A terminal that has gone away does not end a login.
fn put(text: &str) {
    let _gone = out::data(text);
}

/// Whether stdout is a terminal that obeys cursor movements.
pub fn is_paper() -> bool {
    let term = std::env::var("TERM").unwrap_or_default();
    isatty(rustix::stdio::stdout()) && !capabilities::is_dumb(&term)
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn paper(layout: QrLayout) -> Paper {
        Paper { terminal: true, able: Capabilities::default(), layout, lang: Lang::En }
    }

    fn code(text: &str) -> Code {
        Code::encode(&SecretString::from(text)).unwrap()
    }

    fn terminal(columns: u16, rows: u16) -> vt100::Parser {
        vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0)
    }

    fn cells(terminal: &vt100::Parser) -> usize {
        let (rows, columns) = terminal.screen().size();
        let (rows, columns) = (rows.get(), columns.get());
        (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .filter(|(row, column)| {
                terminal.screen().cell(*row, *column).is_some_and(|cell| cell.bgcolor() == vt100::Color::Idx(231))
            })
            .count()
    }

    #[test]
    fn a_code_is_renewed_in_place_and_covered() {
        let size = (80, 24);
        let mut terminal = terminal(80, 24);
        let mut block = Block::default();
        terminal.process(b"$ saoma login\r\n");
        for text in ["http://weixin.qq.com/x/SAOMA-0123456789ab", "http://weixin.qq.com/x/SAOMA-ba9876543210"] {
            block.code = Some(code(text));
            terminal.process(block.draw(&paper(QrLayout::Auto), size, "scan it").as_bytes());
            assert_eq!(cells(&terminal), 37 * 19);
            assert_eq!(terminal.screen().contents().matches("scan it").count(), 1);
        }
        terminal.process(block.draw(&paper(QrLayout::Auto), size, "the line broke").as_bytes());
        assert_eq!(cells(&terminal), 37 * 19);
        block.code = None;
        terminal.process(block.draw(&paper(QrLayout::Auto), size, "over").as_bytes());
        assert_eq!(terminal.screen().contents().trim_end(), "$ saoma login\nover");
    }

    #[test]
    fn what_is_missing_is_said_and_a_shrunken_window_keeps_no_piece_of_a_code() {
        let mut block = Block { code: Some(code("http://weixin.qq.com/x/SAOMA-0123456789ab")), ..Block::default() };
        let text = block.draw(&paper(QrLayout::Auto), (30, 14), "scan it");
        let flat = text.replace("\r\n", " ");
        assert!(!text.contains("231") && flat.contains("1 columns"), "{text}");
        let mut terminal = terminal(80, 24);
        terminal.process(block.draw(&paper(QrLayout::Auto), (80, 24), "scan it").as_bytes());
        assert!(cells(&terminal) > 0);
        terminal.screen_mut().set_size(12.try_into().unwrap(), 40.try_into().unwrap());
        block.code = None;
        terminal.process(block.draw(&paper(QrLayout::Auto), (40, 12), "over").as_bytes());
        assert_eq!(cells(&terminal), 0);
    }

    #[test]
    fn layouts_are_as_wished() {
        let half = Block { code: Some(code("x")), ..Block::default() }.draw(&paper(QrLayout::Half), (90, 60), "");
        let wide = Block { code: Some(code("x")), ..Block::default() }.draw(&paper(QrLayout::Wide), (90, 60), "");
        assert!(half.contains('▄') && !wide.contains('▄'));
        let able = Capabilities { block_is_two_columns: Some(true), ..Capabilities::default() };
        let narrow = Paper { able, ..paper(QrLayout::Auto) };
        assert!(!Block { code: Some(code("x")), ..Block::default() }.draw(&narrow, (90, 60), "").contains('▄'));
    }
}
