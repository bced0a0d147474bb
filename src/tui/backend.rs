//! The terminal as ratatui draws on it: few bytes, one write a frame, nothing for a frame that changes nothing.
//!
//! ratatui's own backend moves the cursor over every gap, sends resets with every frame and asks for the size each
//! time (perf.md §3.3, §3.4). This one knows what is on the screen, so it can rewrite a short gap when that is cheaper
//! than moving over it, erase the rest of a row, leave out what cannot be seen, and keep silent.

use std::io::{self, Write};

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Cell, CellWidth};
use ratatui::layout::{Position, Size};

use super::pen::{self, Pen};

/// Begin and end of a synchronised update (DEC 2026): terminals that know it show the frame as one, others ignore it.
const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
const END_FRAME: &[u8] = b"\x1b[?2026l";
/// No colours, cursor to the corner, erase all.
const CLEAR: &[u8] = b"\x1b[m\x1b[H\x1b[2J";
/// No gap wider than this is ever cheaper to rewrite than to move over.
const WIDEST_BRIDGE: u16 = 10;

/// Draws on a terminal through any writer; a writer that would block keeps the rest of the frame for later.
#[derive(Debug)]
pub struct Screen<W> {
    writer: W,
    size: Size,
    /// What the terminal shows, row by row. The right half of a wide character is a cell without a symbol.
    shown: Vec<Cell>,
    /// Where the terminal's cursor is; `None` when that is not sure.
    at: Option<Position>,
    pen: Pen,
    caret_shown: bool,
    caret: Option<Position>,
    clear_first: bool,
    /// The frame being put together.
    frame: Vec<u8>,
    /// Bytes on their way to the terminal, the first `sent` of them written already.
    out: Vec<u8>,
    sent: usize,
    frames: u64,
}

impl<W: Write> Screen<W> {
    /// A blank screen of this size with a hidden cursor and no colours set; writes nothing.
    pub fn new(writer: W, size: Size) -> Self {
        Self {
            writer,
            size,
            shown: vec![Cell::EMPTY; usize::from(size.width) * usize::from(size.height)],
            at: None,
            pen: Pen::default(),
            caret_shown: false,
            caret: None,
            clear_first: false,
            frame: Vec::new(),
            out: Vec::new(),
            sent: 0,
            frames: 0,
        }
    }

    /// The terminal has another size now; the next frame clears it and draws all of it.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        self.forget();
    }

    /// Nothing is known of the screen any more: the next frame clears it first.
    fn forget(&mut self) {
        self.shown.clear();
        self.shown.resize(usize::from(self.size.width) * usize::from(self.size.height), Cell::EMPTY);
        // The clearing sequence brings both about.
        self.at = Some(Position::ORIGIN);
        self.pen = Pen::default();
        self.frame.clear();
        self.clear_first = true;
    }

    /// Queues bytes that draw nothing (bell, clipboard, modes) before the next frame; [`Screen::push_out`] sends them.
    pub fn queue(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// The terminal was set up anew: it shows a blank screen, a hidden cursor and no colours.
    pub fn entered(&mut self) {
        self.forget();
        self.clear_first = false;
        self.at = None;
        self.caret_shown = false;
        self.caret = None;
    }

    /// Whether bytes wait for a terminal that takes no more at the moment. No frame should be drawn while they do.
    pub const fn is_stalled(&self) -> bool {
        self.sent < self.out.len()
    }

    /// Whether a part of what waits was written already, so that it may end inside an escape sequence.
    pub const fn is_torn(&self) -> bool {
        self.sent > 0 && self.is_stalled()
    }

    /// How many frames went out; a frame without changes is none.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// The writer.
    pub const fn writer(&self) -> &W {
        &self.writer
    }

    /// Writes what waits. A terminal that takes no more is no error: see [`Screen::is_stalled`].
    ///
    /// # Errors
    ///
    /// The terminal is gone.
    pub fn push_out(&mut self) -> io::Result<()> {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.writer.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Puts one row's changes into the frame.
    fn draw_row(&mut self, y: u16, changes: &[(u16, Cell)]) {
        let width = usize::from(self.size.width);
        let from = usize::from(y) * width;
        let Some(old) = self.shown.get(from..from + width) else { return };
        let mut row = old.to_vec();
        let mut covered = 0;
        for (x, cell) in changes {
            // What ratatui sends for the right half of a wide character would cut it in two.
            if *x >= covered {
                covered = *x + put(&mut row, usize::from(*x), cell);
            }
        }
        let changed: Vec<bool> = row.iter().zip(old).map(|(new, old)| new != old).collect();
        self.emit_row(y, &row, &changed);
        if let Some(old) = self.shown.get_mut(from..from + width) {
            old.clone_from_slice(&row);
        }
    }

    fn emit_row(&mut self, y: u16, row: &[Cell], changed: &[bool]) {
        let Some(last) = changed.iter().rposition(|changed| *changed) else { return };
        // From here on the row is empty: erasing it may be cheaper than blanks.
        let empty_from = row.iter().rposition(|cell| *cell != Cell::EMPTY).map_or(0, |x| x + 1);
        let mut x = 0;
        while x <= last {
            let here = column(x);
            match (row.get(x), changed.get(x)) {
                (Some(cell), Some(true)) if !cell.symbol().is_empty() => {
                    let target = Position::new(here, y);
                    if x >= empty_from {
                        let erase = self.pen.for_erasing();
                        if self.pen.cost(erase) + 3 < last + 1 - x {
                            self.go(target, row);
                            self.pen.change(erase, &mut self.frame);
                            self.pen = erase;
                            self.frame.extend_from_slice(b"\x1b[K");
                            return;
                        }
                    }
                    self.go(target, row);
                    self.write_cell(target, cell);
                    x += usize::from(cell.symbol().cell_width().max(1));
                }
                _ => x += 1,
            }
        }
    }

    /// Writes one cell at the cursor, which is at `at`.
    fn write_cell(&mut self, at: Position, cell: &Cell) {
        let pen = self.pen.for_cell(cell);
        self.pen.change(pen, &mut self.frame);
        self.pen = pen;
        let symbol = cell.symbol();
        let width = symbol.cell_width();
        let sure = is_sure(symbol);
        if !sure && width > 1 {
            // Terminals differ in how wide they take this one to be: blanks first, so that no half of what stood here
            // is left over in those that take it to be narrow.
            self.frame.extend(std::iter::repeat_n(b' ', usize::from(width)));
            self.at = None;
            move_to(None, at, &mut self.frame);
        }
        self.frame.extend_from_slice(symbol.as_bytes());
        let next = at.x + width;
        // After the last column terminals differ in where the cursor is.
        self.at = (sure && next < self.size.width).then_some(Position::new(next, at.y));
    }

    /// Brings the cursor to `to`, by rewriting the unchanged cells in between where that is cheaper than a move.
    fn go(&mut self, to: Position, row: &[Cell]) {
        if self.at == Some(to) {
            return;
        }
        let mut moving = Vec::new();
        move_to(self.at, to, &mut moving);
        let bridged = match self.at {
            Some(at) if at.y == to.y && at.x < to.x && to.x - at.x <= WIDEST_BRIDGE => {
                self.bridge(at, to, row, moving.len())
            }
            _ => None,
        };
        match bridged {
            Some((bytes, pen)) => {
                self.frame.extend_from_slice(&bytes);
                self.pen = pen;
            }
            None => self.frame.extend_from_slice(&moving),
        }
        self.at = Some(to);
    }

    /// The bytes that rewrite the cells from `at` to `to`, if they are no more than a move of `moving` bytes, both with
    /// what the next cell's colours cost after them.
    fn bridge(&self, at: Position, to: Position, row: &[Cell], moving: usize) -> Option<(Vec<u8>, Pen)> {
        let target = row.get(usize::from(to.x))?;
        let limit = moving + self.pen.cost(self.pen.for_cell(target));
        let mut bytes = Vec::new();
        let mut pen = self.pen;
        for cell in row.get(usize::from(at.x)..usize::from(to.x))? {
            if cell.symbol().is_empty() {
                continue;
            }
            let next = pen.for_cell(cell);
            pen.change(next, &mut bytes);
            pen = next;
            bytes.extend_from_slice(cell.symbol().as_bytes());
            if bytes.len() > limit || !is_sure(cell.symbol()) {
                return None;
            }
        }
        // A gap that begins inside a wide character cannot be rewritten.
        let starts_whole = row.get(usize::from(at.x)).is_some_and(|cell| !cell.symbol().is_empty());
        (starts_whole && bytes.len() + pen.cost(pen.for_cell(target)) <= limit).then_some((bytes, pen))
    }
}

impl<W: Write> Backend for Screen<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut row: Vec<(u16, Cell)> = Vec::new();
        let mut y = 0;
        for (x, cell_y, cell) in content {
            if cell_y != y {
                self.draw_row(y, &row);
                row.clear();
                y = cell_y;
            }
            row.push((x, cell.clone()));
        }
        if !row.is_empty() {
            self.draw_row(y, &row);
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.caret = None;
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.caret = self.caret.or(Some(Position::ORIGIN));
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        // Asking the terminal would cost a round trip, and some never answer.
        Ok(self.caret.unwrap_or(Position::ORIGIN))
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        if self.caret.is_some() {
            self.caret = Some(position.into());
        }
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.forget();
        Ok(())
    }

    fn clear_region(&mut self, _region: ClearType) -> io::Result<()> {
        self.clear()
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.caret {
            Some(caret) => {
                if self.at != Some(caret) {
                    move_to(self.at, caret, &mut self.frame);
                    self.at = Some(caret);
                }
                if !self.caret_shown {
                    self.frame.extend_from_slice(b"\x1b[?25h");
                    self.caret_shown = true;
                }
            }
            None if self.caret_shown => {
                self.frame.extend_from_slice(b"\x1b[?25l");
                self.caret_shown = false;
            }
            None => {}
        }
        if !self.frame.is_empty() || self.clear_first {
            self.out.extend_from_slice(BEGIN_FRAME);
            if std::mem::take(&mut self.clear_first) {
                self.out.extend_from_slice(CLEAR);
            }
            self.out.append(&mut self.frame);
            self.out.extend_from_slice(END_FRAME);
            self.frames += 1;
        }
        self.push_out()
    }
}

/// Puts `cell` into `row` at column `x` and mends what it cuts in two; how many columns it covers.
fn put(row: &mut [Cell], x: usize, cell: &Cell) -> u16 {
    let mut new = cell.clone();
    new.diff_option = Cell::EMPTY.diff_option;
    // Control characters would be obeyed rather than shown; the sanitiser stands before this, this is the last door.
    let width = if new.symbol().chars().any(char::is_control) { 0 } else { new.symbol().cell_width() };
    let fits = x + usize::from(width) <= row.len();
    if width == 0 || !fits {
        new.set_symbol(" ");
    }
    pen::normalise(&mut new);
    let width = if width == 0 || !fits { 1 } else { usize::from(width) };
    // A wide character whose half is covered shows nothing any more.
    let start = (0..x).rev().find(|i| row.get(*i).is_some_and(|cell| !cell.symbol().is_empty()));
    if row.get(x).is_some_and(|cell| cell.symbol().is_empty())
        && let Some(start) = start
    {
        blank(row, start, x);
    }
    let end = x + width;
    let rest = row.iter().skip(end).take_while(|cell| cell.symbol().is_empty()).count();
    blank(row, end, end + rest);
    for slot in row.iter_mut().take(end).skip(x + 1) {
        slot.clone_from(&new);
        slot.set_symbol("");
    }
    if let Some(slot) = row.get_mut(x) {
        *slot = new;
    }
    column(width)
}

/// Makes blanks of columns `from..to`, in their own background.
fn blank(row: &mut [Cell], from: usize, to: usize) {
    for slot in row.iter_mut().take(to).skip(from) {
        slot.set_symbol(" ");
        pen::normalise(slot);
    }
}

/// Whether all terminals agree on how many columns the symbol takes.
fn is_sure(symbol: &str) -> bool {
    let mut chars = symbol.chars();
    let (Some(only), None) = (chars.next(), chars.next()) else { return false };
    matches!(u32::from(only),
        0x20..=0x7e | 0xa1..=0x17f | 0x2010..=0x2027 | 0x2190..=0x21ff
        // Lines and blocks, then Chinese, Japanese and Korean signs and their full-width forms.
        | 0x2500..=0x25ff | 0x2e80..=0x303e | 0x3041..=0x3096 | 0x30a1..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff
        | 0xac00..=0xd7a3 | 0xff01..=0xff60)
}

/// Appends the shortest way of the cursor from `from` to `to`.
fn move_to(from: Option<Position>, to: Position, out: &mut Vec<u8>) {
    let mut best = match (to.x, to.y) {
        (0, 0) => b"\x1b[H".to_vec(),
        (0, y) => format!("\x1b[{}H", y + 1).into_bytes(),
        (x, 0) => format!("\x1b[;{}H", x + 1).into_bytes(),
        (x, y) => format!("\x1b[{};{}H", y + 1, x + 1).into_bytes(),
    };
    if let Some(from) = from
        && to.y >= from.y
    {
        let down = usize::from(to.y - from.y);
        let vertical = if down > 4 { format!("\x1b[{down}B") } else { "\n".repeat(down) };
        let mut consider = |across: String| {
            if across.len() + vertical.len() < best.len() {
                best = format!("{across}{vertical}").into_bytes();
            }
        };
        let right = |count: u16| match count {
            0 => String::new(),
            1 => String::from("\x1b[C"),
            count => format!("\x1b[{count}C"),
        };
        if to.x >= from.x {
            consider(right(to.x - from.x));
        } else if from.x - to.x <= 4 {
            consider("\u{8}".repeat(usize::from(from.x - to.x)));
        } else {
            consider(format!("\x1b[{}D", from.x - to.x));
        }
        consider(format!("\r{}", right(to.x)));
    }
    out.append(&mut best);
}

/// Columns are few enough for the terminal's own type.
fn column(x: usize) -> u16 {
    u16::try_from(x).unwrap_or(u16::MAX)
}
