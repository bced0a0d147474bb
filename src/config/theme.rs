//! How things look. Only the sixteen colours of the terminal's own palette, bold and dim, on its own background: so
//! that a dark and a light terminal are both right. No meaning rests on a colour alone.

use ratatui::style::{Color, Modifier, Style};

/// Styles by what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Whether colours are used at all (`NO_COLOR`).
    pub colour: bool,
}

impl Theme {
    /// With the terminal's colours, or without any.
    pub const fn new(colour: bool) -> Self {
        Self { colour }
    }

    const fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// Plain text.
    pub const fn text(self) -> Style {
        Style::new()
    }

    /// What matters in a line.
    pub const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What may be overlooked: labels, rules, old things.
    pub const fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The one accent: where the hand is, which keys there are.
    pub const fn accent(self) -> Style {
        if self.colour { Style::new().fg(Color::Magenta) } else { self.strong() }
    }

    /// Well.
    pub const fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    /// Not well.
    pub const fn bad(self) -> Style {
        self.coloured(Color::Red)
    }

    /// Not certain, or worth a look.
    pub const fn doubt(self) -> Style {
        self.coloured(Color::Yellow)
    }
}
