//! How the terminal draws the next character, and the shortest way from one such state to another.

use std::fmt::Write as _;

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// What a blank cell shows of its attributes; the others make no difference to it.
const VISIBLE_ON_BLANK: Modifier = Modifier::REVERSED
    .union(Modifier::UNDERLINED)
    .union(Modifier::SLOW_BLINK)
    .union(Modifier::RAPID_BLINK)
    .union(Modifier::CROSSED_OUT);

/// Attribute, the code that sets it, the code that takes it away.
const ATTRIBUTES: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// Colours and attributes as set in the terminal (SGR).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pen {
    fg: Color,
    bg: Color,
    underline: Color,
    modifier: Modifier,
}

impl Pen {
    /// The pen that draws `cell` and is nearest to `self`: a blank needs its background only, so it takes over what
    /// cannot be seen on it.
    pub(super) fn for_cell(self, cell: &Cell) -> Self {
        if is_blank(cell) {
            Self { bg: cell.bg, modifier: self.modifier.difference(VISIBLE_ON_BLANK), ..self }
        } else {
            Self { fg: cell.fg, bg: cell.bg, underline: cell.underline_color, modifier: cell.modifier }
        }
    }

    /// The pen that erases to the terminal's own background and is nearest to `self`.
    pub(super) fn for_erasing(self) -> Self {
        Self { bg: Color::Reset, modifier: self.modifier.difference(VISIBLE_ON_BLANK), ..self }
    }

    /// Appends the shortest sequence that turns `self` into `to`; nothing when they are the same.
    pub(super) fn change(self, to: Self, out: &mut Vec<u8>) {
        if self == to {
            return;
        }
        let mut step = String::new();
        self.codes(to, &mut step);
        let mut anew = String::new();
        Self::default().codes(to, &mut anew);
        out.extend_from_slice(b"\x1b[");
        // `ESC [ m` resets; with more codes to follow, an empty first one does.
        let reset = usize::from(!anew.is_empty());
        if anew.len() + reset < step.len() {
            if !anew.is_empty() {
                out.push(b';');
                out.extend_from_slice(anew.as_bytes());
            }
        } else {
            out.extend_from_slice(step.as_bytes());
        }
        out.push(b'm');
    }

    /// How many bytes [`Pen::change`] takes.
    pub(super) fn cost(self, to: Self) -> usize {
        if self == to {
            return 0;
        }
        let mut scratch = Vec::new();
        self.change(to, &mut scratch);
        scratch.len()
    }

    /// Appends the codes from `self` to `to`, separated by semicolons.
    fn codes(self, to: Self, codes: &mut String) {
        let gone = self.modifier.difference(to.modifier);
        let mut added = to.modifier.difference(self.modifier);
        for code in 22..=29_u8 {
            let pair = ATTRIBUTES.iter().filter(|(_, _, off)| *off == code);
            let both = pair.fold(Modifier::empty(), |all, (attribute, _, _)| all.union(*attribute));
            if gone.intersects(both) {
                push(codes, code);
                // One code takes bold and dim away together: the one that stays is set again.
                added = added.union(to.modifier.intersection(both));
            }
        }
        for (attribute, on, _) in ATTRIBUTES {
            if added.contains(attribute) {
                push(codes, on);
            }
        }
        if self.fg != to.fg {
            colour(codes, to.fg, 30);
        }
        if self.bg != to.bg {
            colour(codes, to.bg, 40);
        }
        if self.underline != to.underline {
            colour(codes, to.underline, 50);
        }
    }
}

/// Whether the cell is a space that shows nothing but its background.
pub(super) fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && !cell.modifier.intersects(VISIBLE_ON_BLANK)
}

/// Takes away from a blank cell what cannot be seen on it, so that equal-looking cells are equal.
pub(super) fn normalise(cell: &mut Cell) {
    if is_blank(cell) {
        let bg = cell.bg;
        cell.reset();
        cell.bg = bg;
    }
}

fn push(codes: &mut String, code: u8) {
    if !codes.is_empty() {
        codes.push(';');
    }
    let _infallible = write!(codes, "{code}");
}

/// Appends the code of a colour; `base` is 30 for the foreground, 40 for the background, 50 for the underline.
fn colour(codes: &mut String, colour: Color, base: u8) {
    let index = match colour {
        Color::Reset => return push(codes, base + 9),
        Color::Rgb(red, green, blue) => {
            push(codes, base + 8);
            return [2, red, green, blue].into_iter().for_each(|part| push(codes, part));
        }
        Color::Indexed(index) => {
            push(codes, base + 8);
            push(codes, 5);
            return push(codes, index);
        }
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    match base {
        // Underlines know no named colours; the first sixteen of the palette are the same ones.
        50 => [58, 5, index].into_iter().for_each(|part| push(codes, part)),
        _ if index < 8 => push(codes, base + index),
        _ => push(codes, base + 52 + index),
    }
}
