//! From a buffer of cells to the terminal: few bytes, one write a frame, nothing for a frame that changes nothing.
//!
//! ratatui's own way moves the cursor over every gap and sends resets with every frame (perf.md §3.3, §3.4), and its
//! comparison of two buffers forgets the right half of a wide character that is overlapped by another one. This knows
//! what is on the screen, so it can rewrite a short gap when that is cheaper than moving over it, erase the rest of a
//! row, leave out what cannot be seen, and keep silent.

use std::io::{self, Write};

use ratatui::buffer::{Buffer, Cell, CellWidth};
use ratatui::layout::{Position, Rect, Size};

use super::pen::{self, Pen};
use crate::ui::Picture;

/// Begin and end of a synchronised update (DEC 2026): terminals that know it show the frame as one, others ignore it.
const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
const END_FRAME: &[u8] = b"\x1b[?2026l";
/// No colours, cursor to the corner, erase all.
const CLEAR: &[u8] = b"\x1b[m\x1b[H\x1b[2J";
/// What no cell holds: a place whose cell has to be written, whatever it is.
const UNKNOWN: &str = "\0";
/// No gap wider than this is ever cheaper to rewrite than to move over.
const WIDEST_BRIDGE: u16 = 10;

/// Draws on a terminal through any writer; a writer that would block keeps the rest of the frame for later.
#[derive(Debug)]
pub struct Screen<W> {
    writer: W,
    size: Size,
    /// What the terminal shows, row by row. The right half of a wide character is a cell without a symbol.
    shown: Vec<Cell>,
    /// The picture that lies over the cells.
    picture: Option<Picture>,
    /// Where the terminal's cursor is; `None` when that is not sure.
    at: Option<Position>,
    pen: Pen,
    caret_shown: bool,
    clear_first: bool,
    /// Goes out in front of the next frame's cells.
    aside: Vec<u8>,
    /// The frame being put together.
    frame: Vec<u8>,
    /// Bytes on their way to the terminal, the first `sent` of them written already.
    out: Vec<u8>,
    sent: usize,
    /// The terminal took no more the last time.
    blocked: bool,
    frames: u64,
}

impl<W: Write> Screen<W> {
    /// A blank screen of this size with a hidden cursor and no colours set; writes nothing.
    pub fn new(writer: W, size: Size) -> Self {
        Self {
            writer,
            size,
            shown: vec![Cell::EMPTY; usize::from(size.width) * usize::from(size.height)],
            picture: None,
            at: None,
            pen: Pen::default(),
            caret_shown: false,
            clear_first: false,
            aside: Vec::new(),
            frame: Vec::new(),
            out: Vec::new(),
            sent: 0,
            blocked: false,
            frames: 0,
        }
    }

    /// The terminal has another size now; the next frame clears it and draws all of it.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        self.forget();
    }

    /// Nothing is known of the screen any more: the next frame clears it first.
    pub fn forget(&mut self) {
        // Clearing takes what lies in the cells, and not everywhere what lies over them.
        let over = self.picture.take().map(|picture| picture.protocol().removal());
        self.aside.extend(over.into_iter().flatten());
        self.shown.clear();
        self.shown.resize(usize::from(self.size.width) * usize::from(self.size.height), Cell::EMPTY);
        // The clearing sequence brings both about.
        self.at = Some(Position::ORIGIN);
        self.pen = Pen::default();
        self.frame.clear();
        self.clear_first = true;
    }

    /// Puts bytes into the next frame, in front of its cells and shown with them: for a screen that is blank or about to
    /// be cleared. They leave it blank, the cursor in its corner and no colours set.
    pub fn ask(&mut self, bytes: &[u8]) {
        self.aside.extend_from_slice(bytes);
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
        self.out.clear();
        self.sent = 0;
        if std::mem::take(&mut self.blocked) {
            // The rest of the frame that was under way is gone: end the sequence that it may have been cut in (CAN).
            self.out.push(0x18);
        }
        self.caret_shown = false;
    }

    /// Whether bytes wait for a terminal that takes no more at the moment. No frame should be drawn while they do.
    pub const fn is_stalled(&self) -> bool {
        self.blocked
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
        self.blocked = false;
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.writer.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Brings the screen to what `buffer` holds, with the text cursor at `caret` or hidden, in one write; without a
    /// picture.
    ///
    /// # Errors
    ///
    /// The terminal is gone.
    pub fn show(&mut self, buffer: &Buffer, caret: Option<Position>) -> io::Result<()> {
        self.show_with(buffer, caret, None)
    }

    /// The same with a picture over its cells. It is sent once, and taken down when it is another one, when none is wished
    /// for, or when anything else is drawn on its cells.
    ///
    /// # Errors
    ///
    /// The terminal is gone.
    pub fn show_with(&mut self, buffer: &Buffer, caret: Option<Position>, picture: Option<Picture>) -> io::Result<()> {
        let width = usize::from(self.size.width);
        if width == 0 || buffer.area.width != self.size.width {
            return Ok(());
        }
        let picture = picture.filter(|picture| picture.has_its_cells(buffer));
        let changed = picture != self.picture;
        if changed {
            self.take_down();
        }
        let mut shown = std::mem::take(&mut self.shown);
        let mut row = Vec::with_capacity(width);
        for (y, (old, new)) in shown.chunks_mut(width).zip(buffer.content.chunks(width)).enumerate() {
            if looks_like(old, new) {
                continue;
            }
            lay_out(new, &mut row);
            if row != old {
                let changed: Vec<bool> = row.iter().zip(&*old).map(|(new, old)| new != old).collect();
                self.emit_row(column(y), &row, &changed);
                old.clone_from_slice(&row);
            }
        }
        self.shown = shown;
        if changed {
            self.put_up(picture);
        }
        self.set_caret(caret);
        if !self.frame.is_empty() || self.clear_first || !self.aside.is_empty() {
            self.out.extend_from_slice(BEGIN_FRAME);
            if std::mem::take(&mut self.clear_first) {
                self.out.extend_from_slice(CLEAR);
            }
            self.out.append(&mut self.aside);
            self.out.append(&mut self.frame);
            self.out.extend_from_slice(END_FRAME);
            self.frames += 1;
        }
        self.push_out()
    }

    /// Takes the picture off the screen; where it lies in its cells, by writing all of them.
    fn take_down(&mut self) {
        let Some(old) = self.picture.take() else { return };
        let removal = old.protocol().removal();
        if removal.is_empty() {
            for at in old.area().positions().filter(|at| at.x < self.size.width) {
                let place = usize::from(at.y) * usize::from(self.size.width) + usize::from(at.x);
                if let Some(cell) = self.shown.get_mut(place) {
                    cell.set_symbol(UNKNOWN);
                }
            }
        }
        self.frame.extend(removal);
    }

    /// Shows a picture over its cells, which are there.
    fn put_up(&mut self, picture: Option<Picture>) {
        if let Some(bytes) = picture.as_ref().and_then(Picture::bytes) {
            let corner = picture.as_ref().map_or(Position::ORIGIN, |picture| picture.area().as_position());
            move_to(self.at, corner, &mut self.frame);
            self.frame.extend(bytes);
            self.at = None;
            self.picture = picture;
        }
    }

    fn set_caret(&mut self, caret: Option<Position>) {
        if let Some(caret) = caret
            && self.at != Some(caret)
        {
            move_to(self.at, caret, &mut self.frame);
            self.at = Some(caret);
        }
        if caret.is_some() != self.caret_shown {
            self.caret_shown = caret.is_some();
            self.frame.extend_from_slice(if self.caret_shown { b"\x1b[?25h" } else { b"\x1b[?25l" });
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
        let gap = Rect { x: at.x, y: at.y, width: to.x - at.x, height: 1 };
        if self.picture.as_ref().is_some_and(|picture| picture.area().intersects(gap)) {
            // Writing its cells would take it away.
            return None;
        }
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

/// A quick look that tells most unchanged rows; `false` means nothing.
fn looks_like(shown: &[Cell], cells: &[Cell]) -> bool {
    let mut x = 0;
    while let (Some(old), Some(new)) = (shown.get(x), cells.get(x)) {
        if old != new {
            return false;
        }
        x += usize::from(old.symbol().cell_width().max(1));
    }
    true
}

/// Makes of a buffer's row what a terminal shows of it: a wide character owns the columns that it covers, what cannot
/// be shown is a blank, and equal-looking cells are equal.
fn lay_out(cells: &[Cell], row: &mut Vec<Cell>) {
    row.clear();
    while let Some(cell) = cells.get(row.len()) {
        let mut new = cell.clone();
        new.diff_option = Cell::EMPTY.diff_option;
        // Control characters would be obeyed rather than shown; the sanitiser stands before this, this is the last door.
        let control = new.symbol().chars().any(char::is_control);
        let width = if control { 0 } else { usize::from(new.symbol().cell_width()) };
        if width == 0 || row.len() + width > cells.len() {
            new.set_symbol(" ");
        }
        pen::normalise(&mut new);
        let covers = if new.symbol() == " " { 1 } else { width };
        row.push(new);
        for _ in 1..covers {
            let mut half = row.last().cloned().unwrap_or_default();
            half.set_symbol("");
            row.push(half);
        }
    }
}

/// Whether all terminals agree on how many columns the symbol takes. Those left out cost a cursor move after them, no more.
fn is_sure(symbol: &str) -> bool {
    let mut chars = symbol.chars();
    let (Some(only), None) = (chars.next(), chars.next()) else { return false };
    matches!(
        only,
        ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{17f}' | '\u{2010}'..='\u{2027}'
        // Arrows, lines and blocks, marks without an emoji of the same code, Braille.
        | '\u{2190}'..='\u{21ff}' | '\u{2500}'..='\u{25fc}' | '✓' | '✕' | '✗' | '✘' | '\u{2800}'..='\u{28ff}'
        // Chinese, Japanese and Korean signs and their full-width forms.
        | '\u{2e80}'..='\u{3029}' | '\u{3030}'..='\u{303e}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{ff01}'..='\u{ff60}'
    )
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

#[cfg(test)]
mod tests {
    use crate::property::cases;
    use proptest::prelude::*;
    use ratatui::style::{Color, Modifier, Style};

    use super::*;

    const COLUMNS: u16 = 24;
    const ROWS: u16 = 5;

    fn screen(columns: u16, rows: u16) -> Screen<Vec<u8>> {
        Screen::new(Vec::new(), Size::new(columns, rows))
    }

    /// Shows `buffer` and gives the bytes of that frame.
    fn draw(screen: &mut Screen<Vec<u8>>, buffer: &Buffer) -> Vec<u8> {
        screen.show(buffer, None).unwrap();
        std::mem::take(&mut screen.writer)
    }

    fn parser(columns: u16, rows: u16) -> vt100::Parser {
        let size = |n| std::num::NonZero::new(n).unwrap();
        vt100::Parser::new(size(rows), size(columns), 0)
    }

    fn colour(colour: vt100::Color) -> Color {
        match colour {
            vt100::Color::Default => Color::Reset,
            vt100::Color::Idx(index) => Color::Indexed(index),
            vt100::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
        }
    }

    /// The terminal's screen must look like the buffer.
    fn assert_shows(parser: &vt100::Parser, buffer: &Buffer) {
        let screen = parser.screen();
        for y in 0..buffer.area.height {
            let mut x = 0;
            while x < buffer.area.width {
                let want = &buffer[(x, y)];
                let is = screen.cell(y, x).unwrap();
                let text = if is.contents().is_empty() { " " } else { is.contents() };
                assert_eq!(text, want.symbol(), "text at {x},{y} in {:?}", screen.contents());
                assert_eq!(colour(is.bgcolor()), want.bg, "background at {x},{y}");
                assert_eq!(is.inverse(), want.modifier.contains(Modifier::REVERSED), "reverse at {x},{y}");
                assert_eq!(is.underline(), want.modifier.contains(Modifier::UNDERLINED), "underline at {x},{y}");
                if text != " " || is.inverse() || is.underline() {
                    assert_eq!(colour(is.fgcolor()), want.fg, "foreground at {x},{y}");
                    // The test's terminal knows either bold or dim.
                    if !want.modifier.contains(Modifier::BOLD | Modifier::DIM) {
                        assert_eq!(is.bold(), want.modifier.contains(Modifier::BOLD), "bold at {x},{y}");
                        assert_eq!(is.dim(), want.modifier.contains(Modifier::DIM), "dim at {x},{y}");
                    }
                    assert_eq!(is.italic(), want.modifier.contains(Modifier::ITALIC), "italic at {x},{y}");
                }
                x += want.symbol().cell_width().max(1);
            }
        }
    }

    fn style() -> impl Strategy<Value = Style> {
        let colours = prop_oneof![
            4 => Just(Color::Reset),
            2 => (0_u8..=255).prop_map(Color::Indexed),
            1 => Just(Color::Rgb(1, 2, 3)),
        ];
        let attributes = prop_oneof![
            3 => Just(Modifier::empty()),
            2 => Just(Modifier::REVERSED),
            1 => proptest::sample::select(vec![
                Modifier::BOLD,
                Modifier::DIM,
                Modifier::BOLD | Modifier::REVERSED,
                Modifier::ITALIC | Modifier::UNDERLINED,
            ]),
        ];
        (colours.clone(), colours, attributes)
            .prop_map(|(fg, bg, attributes)| Style::new().fg(fg).bg(bg).add_modifier(attributes))
    }

    /// Pieces of text to be laid over the screen before: where, what, how.
    fn strokes() -> impl Strategy<Value = Vec<(u16, u16, &'static str, Style)>> {
        let texts = proptest::sample::select(vec![
            "a",
            " ",
            "   ",
            "          ",
            "saoma",
            "扫码",
            "扫",
            "x扫y",
            "▄▀ █",
            "é",
            "e\u{301}x",
            "🙂",
            "漢字かな한글",
            "abcdefghijklmnopqrstuvwxyz",
        ]);
        proptest::collection::vec((0..COLUMNS, 0..ROWS, texts, style()), 0..6)
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn the_terminal_shows_what_was_drawn(frames in proptest::collection::vec((strokes(), any::<bool>()), 1..12)) {
            let mut screen = screen(COLUMNS, ROWS);
            let mut parser = parser(COLUMNS, ROWS);
            let mut buffer = Buffer::empty(Rect::new(0, 0, COLUMNS, ROWS));
            for (strokes, clear) in frames {
                if clear {
                    buffer.reset();
                }
                for (x, y, text, style) in strokes {
                    buffer.set_string(x, y, text, style);
                    // What a new stroke cuts in two is no character any more; panes that overlap do the same.
                    for x in 0..COLUMNS {
                        let width = buffer[(x, y)].symbol().cell_width();
                        if width > 1 && (x + 1 == COLUMNS || buffer[(x + 1, y)].symbol() != " ") {
                            buffer[(x, y)].set_symbol(" ");
                        }
                    }
                }
                let bytes = draw(&mut screen, &buffer);
                parser.process(&bytes);
                assert_shows(&parser, &buffer);
                prop_assert!(draw(&mut screen, &buffer).is_empty(), "an unchanged frame is silent");
            }
        }
    }

    #[test]
    fn a_frame_is_one_write_and_nothing_is_written_for_none() {
        #[derive(Debug, Default)]
        struct Counting(Vec<usize>);
        impl Write for Counting {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.len());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                panic!("nothing to flush")
            }
        }
        let mut screen = Screen::new(Counting::default(), Size::new(80, 24));
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
        screen.show(&buffer, None).unwrap();
        assert_eq!(screen.writer().0.len(), 0, "an empty first frame");
        for frame in 1..4 {
            buffer.set_string(3, 3, frame.to_string(), Style::new());
            for _ in 0..3 {
                screen.show(&buffer, None).unwrap();
            }
            assert_eq!(screen.writer().0.len(), frame);
        }
    }

    #[test]
    fn a_terminal_that_takes_little_at_a_time_gets_everything_and_no_frame_twice() {
        #[derive(Debug, Default)]
        struct Slow(Vec<u8>, bool);
        impl Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    self.0.extend(&bytes[..bytes.len().min(5)]);
                    Ok(bytes.len().min(5))
                } else {
                    Err(io::ErrorKind::WouldBlock.into())
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut screen = Screen::new(Slow::default(), Size::new(20, 2));
        screen.show(&Buffer::with_lines(["twenty columns of it", ""]), None).unwrap();
        assert!(screen.is_stalled());
        while screen.is_stalled() {
            screen.push_out().unwrap();
        }
        let mut parser = parser(20, 2);
        parser.process(&screen.writer().0);
        assert_eq!(parser.screen().contents().trim_end(), "twenty columns of it");
    }

    #[test]
    fn the_text_cursor_stands_where_it_should_or_is_hidden() {
        let mut screen = screen(20, 4);
        let mut parser = parser(20, 4);
        parser.process(b"\x1b[?25l");
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 4));
        for (text, caret) in
            [("a", Some((1, 0))), ("扫", Some((2, 0))), ("扫", None), ("b", Some((0, 3))), ("c", Some((19, 2)))]
        {
            buffer.set_string(0, 0, text, Style::new());
            screen.show(&buffer, caret.map(Position::from)).unwrap();
            parser.process(&std::mem::take(&mut screen.writer));
            assert_eq!(parser.screen().hide_cursor(), caret.is_none());
            if let Some((x, y)) = caret {
                assert_eq!(parser.screen().cursor_position(), (y, x));
            }
            screen.show(&buffer, caret.map(Position::from)).unwrap();
            assert!(screen.writer.is_empty(), "an unchanged frame is silent");
        }
    }

    #[test]
    fn control_characters_in_cells_are_not_obeyed() {
        let mut screen = screen(10, 1);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 1));
        buffer[(0, 0)].set_symbol("\x1b]0;title\x07");
        buffer[(1, 0)].set_symbol("\u{9b}");
        buffer[(2, 0)].set_symbol("\n");
        buffer[(3, 0)].set_symbol("x");
        let bytes = draw(&mut screen, &buffer);
        let shown = String::from_utf8(bytes).unwrap().replace("\x1b[?2026h", "").replace("\x1b[?2026l", "");
        assert!(
            shown.ends_with('x') && !shown.contains(['\x07', '\n', '\u{9b}']) && !shown.contains("title"),
            "{shown:?}"
        );
    }

    /// A screen as saoma's: a list of accounts on the left, the code or facts on the right.
    fn accounts(selected: u16, changed: Option<u16>) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
        buffer.set_string(
            0,
            0,
            "saoma  default  gateway ok  token ok  7 online 6 offline 1 unknown  list 12:03:20",
            Style::new(),
        );
        for row in 0..14 {
            let (marker, style) =
                if row == selected { ("▸", Style::new().add_modifier(Modifier::BOLD)) } else { (" ", Style::new()) };
            let y = row + 2;
            buffer.set_string(0, y, marker, Style::new());
            buffer.set_string(3, y, format!("王小明 account {row:02}"), style);
            let (sign, colour) =
                if changed == Some(row) { ("✗ offline", Color::Red) } else { ("● online ", Color::Green) };
            buffer.set_string(22, y, sign, Style::new().fg(colour));
            buffer.set_string(33, y, "12:03", Style::new().add_modifier(Modifier::DIM));
        }
        for y in 2..20 {
            buffer.set_string(43, y, "wId  0000-1111-2222", Style::new());
        }
        buffer
    }

    #[test]
    fn moving_the_cursor_and_changing_a_status_take_few_bytes() {
        let mut screen = screen(80, 24);
        let first = draw(&mut screen, &accounts(3, None));
        let visible: usize =
            accounts(3, None).content.iter().filter(|cell| cell.symbol() != " ").map(|cell| cell.symbol().len()).sum();
        let moved = draw(&mut screen, &accounts(4, None));
        let status = draw(&mut screen, &accounts(4, Some(9)));
        let figures =
            format!("first {} ({visible} visible), move {}, status {}", first.len(), moved.len(), status.len());
        // perf.md G5, G11, G7.
        assert!(first.len() <= 2200, "{figures}");
        assert!(moved.len() <= 80, "{figures}: {:?}", String::from_utf8_lossy(&moved));
        assert!(status.len() <= 40 + BEGIN_FRAME.len(), "{figures}: {:?}", String::from_utf8_lossy(&status));
    }

    /// Random modules as half blocks: `▄` and space, one pair of colours, the rest by reversing it.
    fn code(seed: u64) -> Buffer {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 40));
        for y in 0..33 {
            for x in 0..65 {
                let (symbol, reversed) = (random.bool(), random.bool());
                let style = Style::new().fg(Color::Indexed(16)).bg(Color::Indexed(231));
                let style = if reversed { style.add_modifier(Modifier::REVERSED) } else { style };
                buffer.set_string(x + 10, y + 2, if symbol { "▄" } else { " " }, style);
            }
        }
        buffer
    }

    /// What the rows of the code cost when each is written from end to end.
    fn whole_rows(buffer: &Buffer) -> usize {
        let mut bytes = BEGIN_FRAME.len() + END_FRAME.len() + "\x1b[38;5;16;48;5;231m".len();
        let mut reversed = false;
        for y in 2..35 {
            bytes += format!("\x1b[{};11H", y + 1).len();
            for x in 10..75 {
                let cell = &buffer[(x, y)];
                let reverse = cell.modifier.contains(Modifier::REVERSED);
                bytes += cell.symbol().len();
                if reverse != reversed {
                    bytes += if reverse { "\x1b[7m".len() } else { "\x1b[27m".len() };
                    reversed = reverse;
                }
            }
        }
        bytes
    }

    #[test]
    fn a_code_costs_no_more_than_its_rows() {
        let mut screen = screen(80, 40);
        let (one, two) = (code(1), code(2));
        let (first, rows) = (draw(&mut screen, &one).len(), whole_rows(&one));
        assert!(first <= rows, "first {first}, whole rows {rows}");
        let (refresh, rows) = (draw(&mut screen, &two).len(), whole_rows(&two));
        assert!(refresh <= rows, "refresh {refresh}, whole rows {rows}");
    }

    // ───── pictures ─────

    use std::sync::Arc;

    use ratatui::widgets::Widget as _;

    use crate::app::{Code, Palette, Protocol};
    use crate::ui::place;

    const TAKEN: &[u8] = b"\x1b_Ga=d,d=I,";

    fn count(bytes: &[u8], what: &[u8]) -> usize {
        bytes.windows(what.len()).filter(|window| *window == what).count()
    }

    fn begins(protocol: Protocol) -> &'static [u8] {
        match protocol {
            Protocol::Kitty => b"\x1b_Ga=T,",
            Protocol::Iterm2 => b"\x1b]1337;File=",
            Protocol::Sixel => b"\x1bP0;1;0q",
        }
    }

    /// A screen of words with a picture at 40,2.
    fn pictured(protocol: Protocol, salt: u16) -> (Buffer, Picture) {
        let code = Arc::new(Code::from_fn(29, |x, y| (x * 7 + y * 3 + salt) % 5 < 2));
        let place = place(29, 38, 20, (9, 18)).unwrap();
        let picture = Picture::new(code, protocol, place, (40, 2), Palette::Indexed, false);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
        for y in 0..24 {
            buffer.set_string(0, y, format!("{y} words on both sides"), Style::new());
            buffer.set_string(78, y, "ab", Style::new());
        }
        (&picture).render(buffer.area, &mut buffer);
        (buffer, picture)
    }

    fn draw_with(screen: &mut Screen<Vec<u8>>, buffer: &Buffer, picture: Option<&Picture>) -> Vec<u8> {
        screen.show_with(buffer, None, picture.cloned()).unwrap();
        std::mem::take(&mut screen.writer)
    }

    const ALL: [Protocol; 3] = [Protocol::Kitty, Protocol::Iterm2, Protocol::Sixel];

    #[test]
    fn a_picture_is_sent_once_and_an_unchanged_frame_is_nothing() {
        for protocol in ALL {
            let mut screen = screen(80, 24);
            let mut parser = parser(80, 24);
            let (mut buffer, picture) = pictured(protocol, 0);
            let bytes = draw_with(&mut screen, &buffer, Some(&picture));
            assert_eq!(count(&bytes, begins(protocol)), 1);
            // The cursor is at its corner.
            let at = bytes.windows(begins(protocol).len()).position(|window| window == begins(protocol)).unwrap();
            parser.process(&bytes[..at]);
            assert_eq!(parser.screen().cursor_position(), (2, 40));
            assert_eq!(draw_with(&mut screen, &buffer, Some(&picture)), b"");
            // Words beside it come without it, and not over it.
            buffer.set_string(36, 5, "xxxx", Style::new());
            buffer.set_string(78, 5, "yz", Style::new());
            let bytes = draw_with(&mut screen, &buffer, Some(&picture));
            assert!(bytes.len() < 60 && count(&bytes, b"  ") == 0, "{:?}", String::from_utf8_lossy(&bytes));
            // And the same picture under a small gap of its own.
            assert_eq!(draw_with(&mut screen, &buffer, Some(&picture)), b"");
        }
    }

    #[test]
    fn a_picture_goes_with_the_frame_that_has_another_or_none_or_something_on_its_cells() {
        for protocol in ALL {
            let (with, picture) = pictured(protocol, 0);
            let mut covered = with.clone();
            covered.set_string(50, 9, "x", Style::new());
            let mut without = with.clone();
            for at in picture.area().positions() {
                without[at].reset();
            }
            let (_, other) = pictured(protocol, 1);
            for (buffer, wished, again) in [
                (&with, None, 0),
                (&without, None, 0),
                (&covered, Some(&picture), 0),
                (&without, Some(&picture), 0),
                (&with, Some(&other), 1),
            ] {
                let mut screen = screen(80, 24);
                let mut parser = parser(80, 24);
                parser.process(&draw_with(&mut screen, &with, Some(&picture)));
                assert_eq!(screen.at, None, "terminals differ in where the cursor is after a picture");
                let bytes = draw_with(&mut screen, buffer, wished);
                assert_eq!(count(&bytes, begins(protocol)), again);
                assert_eq!(count(&bytes, TAKEN), usize::from(protocol == Protocol::Kitty));
                if protocol != Protocol::Kitty {
                    // All of its cells are written: where letters stand for the picture, none is left.
                    parser.process(b"\x1b7\x1b[m");
                    for at in picture.area().positions() {
                        parser.process(format!("\x1b[{};{}H#", at.y + 1, at.x + 1).as_bytes());
                    }
                    parser.process(b"\x1b8");
                }
                parser.process(&bytes);
                assert_shows(&parser, buffer);
                let area = screen.picture.as_ref().map(Picture::area);
                assert_eq!(area, (again == 1).then(|| other.area()));
                assert_eq!(draw_with(&mut screen, buffer, wished), b"");
            }
        }
    }

    #[test]
    fn a_picture_goes_with_a_cleared_screen_and_comes_again() {
        for protocol in ALL {
            let (buffer, picture) = pictured(protocol, 0);
            let mut screen = screen(80, 24);
            draw_with(&mut screen, &buffer, Some(&picture));
            for step in 0..3 {
                match step {
                    0 => screen.forget(),
                    1 => screen.resize(Size::new(80, 24)),
                    _ => screen.entered(),
                }
                let bytes = draw_with(&mut screen, &buffer, Some(&picture));
                let (taken, sent) = (count(&bytes, TAKEN), count(&bytes, begins(protocol)));
                assert_eq!((taken, sent), (usize::from(protocol == Protocol::Kitty), 1), "{step}");
                assert_eq!(draw_with(&mut screen, &buffer, Some(&picture)), b"");
            }
            // In a window that has become too small for it.
            screen.resize(Size::new(30, 10));
            let small = Buffer::empty(Rect::new(0, 0, 30, 10));
            let bytes = draw_with(&mut screen, &small, Some(&picture));
            assert_eq!((count(&bytes, begins(protocol)), count(&bytes, CLEAR)), (0, 1));
        }
    }
}
