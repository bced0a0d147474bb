//! Modules → cells.
//!
//! Only two glyphs, space and ▄ (U+2584): ▀ does not reach the top of the cell in several fonts, and cuts the finder
//! patterns. Only two colours, named ones, set for every cell alike; what is dark is reverse video. Every other way to
//! draw scanned worse somewhere or cost more bytes (qr.md §3).

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use ratatui::widgets::Widget;

use super::code::Code;

pub mod picture;

/// Quiet zones in the order in which they are tried, in modules. Less than 1 does not scan on dark backgrounds.
const QUIET: [u16; 3] = [4, 2, 1];
/// From this many tenths of its width a cell's height makes two columns a module too narrow for a square.
const TALL_TENTHS: u32 = 26;

/// How modules become cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One column and half a row a module, with ▄.
    #[default]
    Half,
    /// Two columns and one row a module; spaces only, so that no font and no width setting can break it.
    Wide,
    /// Three columns and one row a module: [`Wide`](Self::Wide) where the cell is much taller than wide.
    Wide3,
}

impl Layout {
    /// The spaces-only layout for cells of this many pixels; `None` when the terminal does not say.
    pub fn wide(cell: Option<(u16, u16)>) -> Self {
        match cell {
            Some((width, height)) if width > 0 && u32::from(height) * 10 >= u32::from(width) * TALL_TENTHS => {
                Self::Wide3
            }
            _ => Self::Wide,
        }
    }

    /// The layout to begin with for a code of `code_size` modules in `columns` × `rows` cells: [`Half`](Self::Half),
    /// unless the terminal cannot show ▄ in one column (`no_block`), where every half-block code is unreadable
    /// (qr.md §3c), or its cells are so tall that half blocks are no squares and the other layout fits. `cell` as in
    /// [`wide`](Self::wide).
    pub fn auto(no_block: bool, cell: Option<(u16, u16)>, code_size: u16, columns: u16, rows: u16) -> Self {
        let wide = Self::wide(cell);
        let squarer = wide == Self::Wide3 && fit(code_size, columns, rows, wide).is_ok();
        if no_block || squarer { wide } else { Self::Half }
    }

    /// Columns of one module.
    pub const fn columns(self) -> u16 {
        match self {
            Self::Half => 1,
            Self::Wide => 2,
            Self::Wide3 => 3,
        }
    }

    /// Modules in one row of cells.
    const fn modules_a_row(self) -> u16 {
        match self {
            Self::Half => 2,
            Self::Wide | Self::Wide3 => 1,
        }
    }

    /// Columns and rows of a code of `size` modules with `quiet` modules around it.
    pub const fn area(self, size: u16, quiet: u16) -> (u16, u16) {
        let side = size + 2 * quiet;
        (side * self.columns(), side.div_ceil(self.modules_a_row()))
    }
}

/// Where a code fits: its quiet zone, and the cells that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Placement {
    /// How its modules become cells.
    pub layout: Layout,
    /// Light modules around the code: 4, 2 or 1.
    pub quiet: u16,
    /// Columns of the whole, quiet zone included.
    pub columns: u16,
    /// Rows of the whole, quiet zone included.
    pub rows: u16,
}

/// What is missing for the smallest whole code: at least one of the two is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Missing {
    /// Columns too few.
    pub columns: u16,
    /// Rows too few.
    pub rows: u16,
}

/// The widest quiet zone with which a code of `code_size` modules is whole in `columns` × `rows` cells.
///
/// # Errors
/// [`Missing`] when not even a quiet zone of 1 fits: a clipped code is never drawn.
pub fn fit(code_size: u16, columns: u16, rows: u16, layout: Layout) -> Result<Placement, Missing> {
    for quiet in QUIET {
        let (wide, high) = layout.area(code_size, quiet);
        if wide <= columns && high <= rows {
            return Ok(Placement { layout, quiet, columns: wide, rows: high });
        }
    }
    let (wide, high) = layout.area(code_size, 1);
    Err(Missing { columns: wide.saturating_sub(columns), rows: high.saturating_sub(rows) })
}

/// The two colours of a code. Never the terminal's defaults, which are the wrong way round in half of the themes, and
/// no RGB, which GNU screen does not know. `NO_COLOR` does not touch them: without them there is no code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Palette {
    /// Indexed 16 on 231, which no theme changes.
    #[default]
    Indexed,
    /// Black on white of the sixteen (30 and 47), where there are no 256.
    Sixteen,
}

impl Palette {
    /// The colour of what is dark, as every cell's foreground.
    pub const fn dark(self) -> Color {
        match self {
            Self::Indexed => Color::Indexed(16),
            Self::Sixteen => Color::Black,
        }
    }

    /// The colour of what is light, as every cell's background.
    pub const fn light(self) -> Color {
        match self {
            Self::Indexed => Color::Indexed(231),
            Self::Sixteen => Color::Gray,
        }
    }

    /// The parameters of the SGR sequence that sets both.
    pub(super) const fn sgr(self) -> &'static str {
        match self {
            Self::Indexed => "38;5;16;48;5;231",
            Self::Sixteen => "30;47",
        }
    }
}

/// One cell: its upper and its lower half. Says nothing in `Debug`: cells in a row are the payload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Whether the upper half is dark.
    pub upper: bool,
    /// Whether the lower half is dark.
    pub lower: bool,
}

impl Cell {
    /// The glyph: a space where the halves agree, else ▄.
    pub const fn symbol(self) -> &'static str {
        if self.upper == self.lower { " " } else { "▄" }
    }

    /// Whether the cell is in reverse video: its upper half is dark.
    pub const fn reversed(self) -> bool {
        self.upper
    }
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cell")
    }
}

/// A drawn code, ready for a screen. Says nothing in `Debug` but its size: the cells are the payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Cells {
    columns: u16,
    rows: u16,
    palette: Palette,
    cells: Box<[Cell]>,
}

/// Draws `code` as `placement` says. `invert` swaps dark and light, quiet zone included; most phones do not read that.
pub fn cells(code: &Code, placement: Placement, palette: Palette, invert: bool) -> Cells {
    let Placement { layout, quiet, .. } = placement;
    // Both from the code and not from the placement, so that what is drawn is whole in any case.
    let (columns, rows) = layout.area(code.size(), quiet);
    let quiet = i32::from(quiet);
    let dark = |column: u16, line: u16| {
        let x = i32::from(column / layout.columns()) - quiet;
        let y = i32::from(line) - quiet;
        code.is_dark(x, y) != invert
    };
    let step = layout.modules_a_row();
    let cells = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (column, row)))
        .map(|(column, row)| Cell { upper: dark(column, row * step), lower: dark(column, row * step + step - 1) })
        .collect();
    Cells { columns, rows, palette, cells }
}

impl Cells {
    /// Columns, quiet zone included.
    pub const fn columns(&self) -> u16 {
        self.columns
    }

    /// Rows, quiet zone included.
    pub const fn rows(&self) -> u16 {
        self.rows
    }

    /// The colours it is to be drawn in.
    pub const fn palette(&self) -> Palette {
        self.palette
    }

    /// The rows from the top, each from the left.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[Cell]> {
        self.cells.chunks(usize::from(self.columns).max(1))
    }
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cells({}x{})", self.columns, self.rows)
    }
}

/// Draws at the area's upper left corner; nothing at all where the area is too small, for a clipped code must not look
/// like one that could be scanned.
impl Widget for &Cells {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if area.width < self.columns || area.height < self.rows {
            return;
        }
        for (y, line) in (area.y..).zip(self.lines()) {
            for (x, cell) in (area.x..).zip(line) {
                if let Some(to) = buffer.cell_mut((x, y)) {
                    to.reset();
                    to.set_symbol(cell.symbol());
                    to.fg = self.palette.dark();
                    to.bg = self.palette.light();
                    to.modifier = if cell.reversed() { Modifier::REVERSED } else { Modifier::empty() };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn code() -> Code {
        Code::encode(&SecretString::from("http://weixin.qq.com/x/SAOMA-0123456789ab")).unwrap()
    }

    /// qr.md §2.
    #[test]
    fn areas_are_as_measured() {
        assert_eq!(Layout::Half.area(29, 4), (37, 19));
        assert_eq!(Layout::Half.area(29, 2), (33, 17));
        assert_eq!(Layout::Half.area(29, 1), (31, 16));
        assert_eq!(Layout::Half.area(25, 1), (27, 14));
        assert_eq!(Layout::Wide.area(29, 1), (62, 31));
        assert_eq!(Layout::Wide3.area(29, 1), (93, 31));
    }

    #[test]
    fn fits_or_says_what_is_missing() {
        let quiet = |columns, rows| fit(29, columns, rows, Layout::Half).map(|placement| placement.quiet);
        assert_eq!(quiet(37, 19), Ok(4));
        assert_eq!(quiet(36, 19), Ok(2));
        assert_eq!(quiet(200, 18), Ok(2));
        assert_eq!(quiet(32, 60), Ok(1));
        assert_eq!(quiet(31, 16), Ok(1));
        assert_eq!(quiet(30, 16), Err(Missing { columns: 1, rows: 0 }));
        assert_eq!(quiet(20, 6), Err(Missing { columns: 11, rows: 10 }));
        assert_eq!(fit(29, 78, 21, Layout::Wide), Err(Missing { columns: 0, rows: 10 }));
    }

    #[test]
    fn every_cell_is_the_modules_it_stands_for() {
        let code = code();
        for layout in [Layout::Half, Layout::Wide, Layout::Wide3] {
            for quiet in QUIET {
                for invert in [false, true] {
                    let (columns, rows) = layout.area(code.size(), quiet);
                    let drawn = cells(&code, Placement { layout, quiet, columns, rows }, Palette::Indexed, invert);
                    assert_eq!((drawn.columns(), drawn.rows()), (columns, rows));
                    for (row, line) in (0..).zip(drawn.lines()) {
                        assert_eq!(line.len(), usize::from(columns));
                        for (column, cell) in (0..).zip(line) {
                            let x = column / i32::from(layout.columns()) - i32::from(quiet);
                            let (upper, lower) =
                                if layout == Layout::Half { (2 * row, 2 * row + 1) } else { (row, row) };
                            assert_eq!(cell.upper, code.is_dark(x, upper - i32::from(quiet)) != invert);
                            assert_eq!(cell.lower, code.is_dark(x, lower - i32::from(quiet)) != invert);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_widget_is_whole_or_nothing_and_keeps_nothing_below() {
        let code = code();
        let drawn = cells(&code, fit(29, 37, 19, Layout::Half).unwrap(), Palette::Indexed, false);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 19));
        let empty = buffer.clone();
        (&drawn).render(Rect::new(4, 0, 36, 19), &mut buffer);
        (&drawn).render(Rect::new(4, 0, 40, 19), &mut buffer);
        assert_eq!(buffer, empty);
        buffer.set_style(buffer.area, ratatui::style::Style::new().bold().underlined());
        (&drawn).render(Rect::new(3, 0, 37, 19), &mut buffer);
        for y in 0..19 {
            for x in 3..40 {
                let cell = &buffer[(x, y)];
                assert_eq!((cell.fg, cell.bg), (Color::Indexed(16), Color::Indexed(231)));
                assert!(matches!(cell.symbol(), " " | "▄"));
                assert!((Modifier::REVERSED).contains(cell.modifier));
            }
        }
    }

    #[test]
    fn tall_cells_take_three_columns() {
        assert_eq!(Layout::wide(None), Layout::Wide);
        assert_eq!(Layout::wide(Some((0, 0))), Layout::Wide);
        assert_eq!(Layout::wide(Some((8, 16))), Layout::Wide);
        assert_eq!(Layout::wide(Some((6, 18))), Layout::Wide3);
        // Where there is room for it, also without being asked.
        assert_eq!(Layout::auto(false, Some((6, 18)), 29, 93, 31), Layout::Wide3);
        assert_eq!(Layout::auto(false, Some((6, 18)), 29, 92, 31), Layout::Half);
        assert_eq!(Layout::auto(false, Some((8, 16)), 29, 200, 60), Layout::Half);
        assert_eq!(Layout::auto(true, None, 29, 20, 6), Layout::Wide);
    }

    #[test]
    fn hides_itself() {
        let drawn = cells(&code(), fit(29, 37, 19, Layout::Half).unwrap(), Palette::Sixteen, false);
        assert_eq!(format!("{drawn:?}"), "Cells(37x19)");
    }
}
