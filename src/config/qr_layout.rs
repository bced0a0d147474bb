//! `qr_layout`: how codes are to be drawn.

use std::str::FromStr;

/// How codes are to be drawn, as the config, `--qr-layout` and the key for the next layout say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum QrLayout {
    /// Whatever the terminal is found to be good for.
    #[default]
    Auto,
    /// Two modules a cell, with ▄.
    Half,
    /// Spaces only, two or three columns a module.
    Wide,
    /// A picture by a graphics protocol; taken as [`Auto`](Self::Auto) where the terminal has none.
    Image,
    /// The payload as text, after a yes.
    Text,
}

impl QrLayout {
    /// Every value, as it is written.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Auto, "auto"),
        (Self::Half, "half"),
        (Self::Wide, "wide"),
        (Self::Image, "image"),
        (Self::Text, "text"),
    ];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Half => "half",
            Self::Wide => "wide",
            Self::Image => "image",
            Self::Text => "text",
        }
    }
}

impl FromStr for QrLayout {
    type Err = String;

    /// Reads [`QrLayout::name`]. The error is the text itself.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|(_, name)| *name == text.trim());
        known.map(|(layout, _)| layout).ok_or_else(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for (layout, name) in QrLayout::ALL {
            assert_eq!((layout.name(), name.parse()), (name, Ok(layout)));
        }
        assert!("big".parse::<QrLayout>().is_err());
    }
}
