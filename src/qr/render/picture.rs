//! Modules → a picture in the terminal's own graphics: kitty's protocol, iTerm2's inline images, sixel.
//!
//! A picture takes whole cells and squares of whole pixels, black on white with the quiet zone in it. Under it lie blanks
//! in the colour of the quiet zone, so that nothing older shows where the terminal draws none, and none of the code
//! stays where the cells change.

use std::io::{Cursor, Write as _};
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use ratatui::widgets::Widget;

use super::{Missing, Palette, QUIET};
use crate::qr::Code;

/// The number that our picture has in kitty's protocol: one at a time, so that one number is enough.
const ID: u32 = 0x5A0A;
/// The longest piece that kitty's protocol takes.
const CHUNK: usize = 4096;
/// Rows of pixels in one band of a sixel picture.
const BAND: u32 = 6;
/// A module is never smaller, in pixels.
const SMALLEST: u32 = 3;

/// How a terminal takes pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// kitty's graphics protocol: a picture lies over the cells and is deleted by its number.
    Kitty,
    /// iTerm2's inline images: a picture is in the cells and goes when they are written.
    Iterm2,
    /// DEC's sixel, as iTerm2's.
    Sixel,
}

impl Protocol {
    /// For people and for JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kitty => "kitty",
            Self::Iterm2 => "iterm2",
            Self::Sixel => "sixel",
        }
    }

    /// What takes our picture off the screen. Nothing where it goes with its cells.
    pub fn removal(self) -> Vec<u8> {
        match self {
            Self::Kitty => format!("\x1b_Ga=d,d=I,i={ID},q=2\x1b\\").into_bytes(),
            Self::Iterm2 | Self::Sixel => Vec::new(),
        }
    }

    /// Whether the terminal's last row has to stay free of pictures: some scroll by a row after one that ends there.
    pub const fn spares_last_row(self) -> bool {
        matches!(self, Self::Iterm2 | Self::Sixel)
    }
}

/// Whether this is the number of our picture.
pub const fn is_ours(id: u32) -> bool {
    id == ID
}

/// Where a picture fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Pixels of a module's side.
    pub module: u32,
    /// Light modules around the code: 4, 2 or 1.
    pub quiet: u16,
    /// Columns of the whole.
    pub columns: u16,
    /// Rows of the whole.
    pub rows: u16,
    /// A cell's width and height in pixels.
    pub cell: (u16, u16),
}

/// The largest picture of a code of `code_size` modules in `columns` × `rows` cells of `cell` pixels: with a quiet zone
/// of 4 if a module keeps half a column's width, which phones read from near, else with a smaller one. No module is wider
/// than two columns: that is as large as the wide layout.
///
/// # Errors
/// [`Missing`] when not even the smallest modules with a quiet zone of 1 fit.
pub fn fit(code_size: u16, columns: u16, rows: u16, cell: (u16, u16)) -> Result<Place, Missing> {
    let (wide, high) = (u32::from(cell.0.max(1)), u32::from(cell.1.max(1)));
    let smallest = wide.div_ceil(2).max(SMALLEST);
    let takes = |quiet: u16, module: u32| {
        let side = (u32::from(code_size) + 2 * u32::from(quiet)) * module;
        // Whole bands, so that no picture reaches into a row that it does not cover.
        (side.div_ceil(wide), side.next_multiple_of(BAND).div_ceil(high))
    };
    for quiet in QUIET {
        let across = u32::from(columns) * wide / (u32::from(code_size) + 2 * u32::from(quiet));
        let largest = across.min((2 * wide).max(smallest));
        let fitting = (smallest..=largest).rev().find_map(|module| {
            let (across, down) = takes(quiet, module);
            let (across, down) = (u16::try_from(across).ok()?, u16::try_from(down).ok()?);
            let place = Place { module, quiet, columns: across, rows: down, cell };
            (across <= columns && down <= rows).then_some(place)
        });
        if let Some(place) = fitting {
            return Ok(place);
        }
    }
    let (across, down) = takes(1, smallest);
    let missing = |needed: u32, there: u16| u16::try_from(needed).unwrap_or(u16::MAX).saturating_sub(there);
    Err(Missing { columns: missing(across, columns), rows: missing(down, rows) })
}

/// A code to be shown as a picture. Says nothing in `Debug` but its size: its modules are the payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    code: Arc<Code>,
    protocol: Protocol,
    place: Place,
    corner: (u16, u16),
    ground: Color,
    invert: bool,
}

impl Picture {
    /// `code` at the upper left corner `corner` (column, row) of the screen. `invert` swaps dark and light.
    pub fn new(
        code: Arc<Code>,
        protocol: Protocol,
        place: Place,
        corner: (u16, u16),
        palette: Palette,
        invert: bool,
    ) -> Self {
        let ground = if invert { palette.dark() } else { palette.light() };
        Self { code, protocol, place, corner, ground, invert }
    }

    /// How the terminal takes it.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The cells that it takes.
    pub const fn area(&self) -> Rect {
        Rect::new(self.corner.0, self.corner.1, self.place.columns, self.place.rows)
    }

    /// Whether the cells under it are all there and nothing else is drawn on them.
    pub fn has_its_cells(&self, buffer: &Buffer) -> bool {
        let area = self.area();
        area.intersection(buffer.area) == area
            && area.positions().all(|at| {
                buffer
                    .cell(at)
                    .is_some_and(|cell| cell.symbol() == " " && cell.bg == self.ground && cell.modifier.is_empty())
            })
    }

    /// What shows it, for a cursor at its upper left corner. Where the cursor is afterwards terminals differ in. `None`
    /// when the encoder fails, which it has no reason to.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self.protocol {
            Protocol::Kitty => Some(kitty(self.place, &self.png()?)),
            Protocol::Iterm2 => Some(iterm2(self.place, &self.png()?)),
            Protocol::Sixel => Some(self.sixel()),
        }
    }

    /// Pixels of the whole: all of its cells.
    fn pixels(&self) -> (u32, u32) {
        let Place { columns, rows, cell, .. } = self.place;
        (u32::from(columns) * u32::from(cell.0), u32::from(rows) * u32::from(cell.1))
    }

    /// For each pixel of a row or column of `length`, its module; the quiet zone's are outside of the code.
    fn modules(&self, length: u32) -> Vec<i32> {
        let Place { module, .. } = self.place;
        let before = length.saturating_sub(u32::from(self.code.size()) * module) / 2;
        (0..length)
            .map(|pixel| (i64::from(pixel) - i64::from(before)).div_euclid(i64::from(module.max(1))))
            .map(|module| i32::try_from(module).unwrap_or(-1))
            .collect()
    }

    fn png(&self) -> Option<Vec<u8>> {
        let (width, height) = self.pixels();
        let (across, down) = (self.modules(width), self.modules(height));
        let grey: Vec<u8> = down
            .iter()
            .flat_map(|y| across.iter().map(|x| if self.code.is_dark(*x, *y) == self.invert { 255 } else { 0 }))
            .collect();
        let mut bytes = Vec::new();
        PngEncoder::new_with_quality(Cursor::new(&mut bytes), CompressionType::Default, FilterType::Up)
            .write_image(&grey, width, height, ExtendedColorType::L8)
            .ok()?;
        Some(bytes)
    }

    /// Bands of six rows, each first filled with the quiet zone's colour, then the modules of the other one drawn over.
    fn sixel(&self) -> Vec<u8> {
        let (width, height) = self.pixels();
        let height = height - height % BAND;
        let (across, down) = (self.modules(width), self.modules(height));
        let (ground, ink) = if self.invert { (0, 100) } else { (100, 0) };
        let mut out = Vec::new();
        // Writing to memory does not fail.
        let _ = write!(out, "\x1bP0;1;0q\"1;1;{width};{height}#0;2;{ground};{ground};{ground}#1;2;{ink};{ink};{ink}");
        for (band, rows) in down.chunks(6).enumerate() {
            if band > 0 {
                out.push(b'-');
            }
            out.extend_from_slice(b"#0");
            run(&mut out, b'~', width);
            let mut runs: Vec<(u8, u32)> = Vec::new();
            for x in &across {
                let bits = (0..).zip(rows).fold(0, |bits, (row, y)| bits | u8::from(self.code.is_dark(*x, *y)) << row);
                match runs.last_mut() {
                    Some((last, count)) if *last == bits => *count += 1,
                    _ => runs.push((bits, 1)),
                }
            }
            while runs.last().is_some_and(|(bits, _)| *bits == 0) {
                runs.pop();
            }
            if !runs.is_empty() {
                out.extend_from_slice(b"$#1");
            }
            for (bits, count) in runs {
                run(&mut out, b'?' + bits, count);
            }
        }
        out.extend_from_slice(b"\x1b\\");
        out
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}, {:?})", self.protocol.name(), self.area())
    }
}

/// Draws the cells that lie under it; nothing at all where they are not all on the screen.
impl Widget for &Picture {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let place = self.area();
        if area.intersection(buffer.area).intersection(place) != place {
            return;
        }
        for at in place.positions() {
            if let Some(cell) = buffer.cell_mut(at) {
                cell.reset();
                cell.bg = self.ground;
                cell.modifier = Modifier::empty();
            }
        }
    }
}

/// A sixel of `count` columns in a row.
fn run(out: &mut Vec<u8>, sixel: u8, count: u32) {
    if count > 3 {
        // Writing to memory does not fail.
        let _ = write!(out, "!{count}");
        out.push(sixel);
    } else {
        out.extend((0..count).map(|_| sixel));
    }
}

/// Shown at once, scaled to its cells (which is no change when they have the size that was told), the cursor left alone.
/// The terminal says only what fails (`q=1`).
fn kitty(place: Place, png: &[u8]) -> Vec<u8> {
    let data = BASE64_STANDARD.encode(png);
    let Place { columns, rows, .. } = place;
    let mut out = Vec::new();
    let pieces = data.as_bytes().chunks(CHUNK);
    let last = pieces.len().saturating_sub(1);
    for (at, piece) in pieces.enumerate() {
        out.extend_from_slice(b"\x1b_G");
        if at == 0 {
            out.extend_from_slice(format!("a=T,f=100,i={ID},p=1,c={columns},r={rows},C=1,").as_bytes());
        }
        out.extend_from_slice(format!("q=1,m={};", u8::from(at < last)).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\x1b\\");
    }
    out
}

fn iterm2(place: Place, png: &[u8]) -> Vec<u8> {
    let Place { columns, rows, .. } = place;
    let head = format!(
        "\x1b]1337;File=inline=1;size={};width={columns};height={rows};preserveAspectRatio=1;doNotMoveCursor=1:",
        png.len()
    );
    [head.as_bytes(), BASE64_STANDARD.encode(png).as_bytes(), b"\x07"].concat()
}
