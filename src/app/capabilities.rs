//! What the terminal is able to do, as far as the screen depends on it: data, found out elsewhere.

pub use crate::qr::render::Palette;

/// Something between the program and the terminal that a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiplexer {
    /// tmux: answers for its own grid, whatever the terminal behind it does (qr.md §3c).
    Tmux,
    /// GNU screen: passes the truth on.
    Screen,
}

/// What the terminal is able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether ▄, and with it rules and most glyphs, takes two columns; `None` while that is not known.
    pub block_is_two_columns: Option<bool>,
    /// A cell's width and height in pixels, where the terminal says.
    pub cell_px: Option<(u16, u16)>,
    /// The code's colours.
    pub palette: Palette,
    /// What lies in between, if anything.
    pub multiplexer: Option<Multiplexer>,
    /// Whether characters beyond ASCII can be shown: the locale is UTF-8, and the terminal is not a dumb one.
    pub utf8: bool,
}

impl Default for Capabilities {
    /// What most terminals are.
    fn default() -> Self {
        Self { block_is_two_columns: None, cell_px: None, palette: Palette::Indexed, multiplexer: None, utf8: true }
    }
}

impl Capabilities {
    /// Whether ▄ cannot be had in one column: half blocks are unreadable then, and rules and glyphs have to be ASCII.
    pub const fn lacks_block(&self) -> bool {
        !self.utf8 || matches!(self.block_is_two_columns, Some(true))
    }
}
