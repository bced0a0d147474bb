//! What the terminal is able to do, as far as the screen depends on it: data, found out elsewhere.

pub use crate::qr::render::Palette;
pub use crate::qr::render::picture::Protocol;

/// Something between the program and the terminal that a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiplexer {
    /// tmux: answers for its own grid, whatever the terminal behind it does (qr.md §3c).
    Tmux,
    /// GNU screen: passes the truth on.
    Screen,
}

/// What is known of a terminal's pictures. Answers come one by one: the greatest of what they say is what holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pictures {
    /// It has none, or does not say so, or something lies in between that would not pass them on.
    #[default]
    None,
    /// It is being asked.
    Asked,
    /// It says that it draws sixel (DA1).
    Sixel,
    /// It takes kitty's graphics: it said OK to a question in that protocol.
    Kitty,
    /// It is one whose pictures are iTerm2's (by its own name).
    Iterm2,
    /// It refused one, or by its own name it lies between us and the terminal that a person sees.
    Barred,
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
    /// Whether that is because of the terminal's name, which is that of a dumb one or none at all.
    pub dumb: bool,
    /// Pictures.
    pub pictures: Pictures,
}

impl Default for Capabilities {
    /// What most terminals are.
    fn default() -> Self {
        Self {
            block_is_two_columns: None,
            cell_px: None,
            palette: Palette::Indexed,
            multiplexer: None,
            utf8: true,
            dumb: false,
            pictures: Pictures::None,
        }
    }
}

impl Capabilities {
    /// Whether ▄ cannot be had in one column: half blocks are unreadable then, and rules and glyphs have to be ASCII.
    pub const fn lacks_block(&self) -> bool {
        !self.utf8 || matches!(self.block_is_two_columns, Some(true))
    }

    /// How a picture can be shown, and how many pixels a cell has: where the terminal said both, and nothing lies in
    /// between.
    pub const fn picture(&self) -> Option<(Protocol, (u16, u16))> {
        let (Some(cell), None) = (self.cell_px, self.multiplexer) else { return None };
        match self.pictures {
            Pictures::Kitty => Some((Protocol::Kitty, cell)),
            Pictures::Iterm2 => Some((Protocol::Iterm2, cell)),
            Pictures::Sixel => Some((Protocol::Sixel, cell)),
            Pictures::None | Pictures::Asked | Pictures::Barred => None,
        }
    }
}
