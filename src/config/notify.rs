//! `[ui] notify`: how the terminal is told that somebody should look.

use std::str::FromStr;

/// How the terminal is told that somebody should look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Notify {
    /// The bell; and a desktop notification where the terminal is known to understand it.
    #[default]
    Auto,
    /// The bell.
    Bell,
    /// A desktop notification by OSC 9.
    Osc9,
    /// A desktop notification by OSC 777.
    Osc777,
    /// Not at all.
    Off,
}

impl Notify {
    /// Every value, as it is written.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Auto, "auto"),
        (Self::Bell, "bell"),
        (Self::Osc9, "osc9"),
        (Self::Osc777, "osc777"),
        (Self::Off, "off"),
    ];
}

impl FromStr for Notify {
    type Err = String;

    /// Reads a value as it is written. The error is the text itself.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|(_, name)| *name == text.trim());
        known.map(|(notify, _)| notify).ok_or_else(|| text.to_owned())
    }
}
