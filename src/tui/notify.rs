//! Calls somebody to the terminal: the bell, and desktop notifications (OSC 9, OSC 777) where they are understood.

use std::ffi::OsString;

use crate::config::Notify;
use crate::model::text::{clean, cut};

/// Longest title and body, in columns: notifications show about as much.
const LONGEST: usize = 120;

/// A sequence that makes a desktop notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    /// One text: iTerm2, kitty, WezTerm, Ghostty and others.
    Osc9,
    /// Title and text: urxvt, foot, Ghostty and others.
    Osc777,
}

/// How this terminal is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    bell: bool,
    sequence: Option<Sequence>,
}

impl Caller {
    /// What the setting means on the terminal of this process.
    pub fn of_process(setting: Notify) -> Self {
        Self::of(setting, |name| std::env::var_os(name))
    }

    /// What the setting means in an environment. By itself a sequence is sent only to terminals that are known to
    /// understand it, and never through a multiplexer, which would drop it or worse.
    pub fn of(setting: Notify, get: impl Fn(&str) -> Option<OsString>) -> Self {
        match setting {
            Notify::Auto => Self { bell: true, sequence: known(get) },
            Notify::Bell => Self { bell: true, sequence: None },
            Notify::Osc9 => Self { bell: false, sequence: Some(Sequence::Osc9) },
            Notify::Osc777 => Self { bell: false, sequence: Some(Sequence::Osc777) },
            Notify::Off => Self { bell: false, sequence: None },
        }
    }

    /// The bytes of a mere bell; where notifications take its place there is no text to send.
    pub const fn bell(self) -> &'static [u8] {
        if self.bell { b"\x07" } else { b"" }
    }

    /// The bytes that call somebody.
    pub fn call(self, title: &str, body: &str) -> Vec<u8> {
        let mut bytes = self.bell().to_vec();
        let plain = |text: &str| cut(clean(text).trim(), LONGEST).into_owned();
        let (title, body) = (plain(title), plain(body));
        match self.sequence {
            // With a word in front, since a number there means something else to some terminals.
            Some(Sequence::Osc9) => bytes.extend_from_slice(format!("\x1b]9;{title}: {body}\x1b\\").as_bytes()),
            Some(Sequence::Osc777) => {
                // A semicolon would end the title.
                let title = title.replace(';', ",");
                bytes.extend_from_slice(format!("\x1b]777;notify;{title};{body}\x1b\\").as_bytes());
            }
            None => {}
        }
        bytes
    }
}

/// What the terminal is known to understand.
fn known(get: impl Fn(&str) -> Option<OsString>) -> Option<Sequence> {
    let get = |name: &str| get(name).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
    let term = get("TERM");
    let between = !get("TMUX").is_empty() || !get("STY").is_empty();
    if between || term.starts_with("tmux") || term.starts_with("screen") {
        return None;
    }
    match term.as_str() {
        "xterm-kitty" | "wezterm" => return Some(Sequence::Osc9),
        "xterm-ghostty" => return Some(Sequence::Osc777),
        term if term.starts_with("foot") || term.starts_with("rxvt-unicode") => return Some(Sequence::Osc777),
        _ => {}
    }
    match get("TERM_PROGRAM").as_str() {
        "iTerm.app" | "WezTerm" => Some(Sequence::Osc9),
        "ghostty" => Some(Sequence::Osc777),
        // What SSH passes on of iTerm2.
        _ => (get("LC_TERMINAL") == "iTerm2").then_some(Sequence::Osc9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(setting: Notify, variables: &[(&str, &str)]) -> String {
        let caller =
            Caller::of(setting, |name| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| v.into()));
        String::from_utf8(caller.call("saoma", "Bela dropped")).unwrap()
    }

    #[test]
    fn a_sequence_goes_only_where_it_is_understood_or_wished() {
        let bell = "\x07";
        let osc9 = "\x07\x1b]9;saoma: Bela dropped\x1b\\";
        let osc777 = "\x07\x1b]777;notify;saoma;Bela dropped\x1b\\";
        for (variables, expected) in [
            (&[("TERM", "xterm-256color")][..], bell),
            (&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")], osc9),
            (&[("TERM", "xterm-256color"), ("LC_TERMINAL", "iTerm2")], osc9),
            (&[("TERM", "xterm-kitty")], osc9),
            (&[("TERM", "foot-extra")], osc777),
            (&[("TERM", "rxvt-unicode-256color")], osc777),
            (&[("TERM", "tmux-256color"), ("TERM_PROGRAM", "WezTerm")], bell),
            (&[("TERM", "xterm-kitty"), ("TMUX", "/tmp/x,1,0")], bell),
            (&[("TERM", "linux")], bell),
        ] {
            assert_eq!(on(Notify::Auto, variables), expected, "{variables:?}");
        }
        assert_eq!(on(Notify::Bell, &[("TERM", "xterm-kitty")]), bell);
        assert_eq!(on(Notify::Osc777, &[]), osc777.trim_start_matches('\x07'));
        assert_eq!(on(Notify::Off, &[("TERM", "xterm-kitty")]), "");
    }

    #[test]
    fn hostile_names_cannot_end_the_sequence() {
        let caller = Caller { bell: false, sequence: Some(Sequence::Osc777) };
        let bytes = caller.call("a;b", "x\x07\x1b]0;evil\x1b\\y\u{202e}z\u{9c}");
        let text = String::from_utf8(bytes).unwrap();
        let inside = text.strip_prefix("\x1b]777;notify;a,b;").unwrap().strip_suffix("\x1b\\").unwrap();
        assert!(!inside.chars().any(char::is_control), "{inside:?}");
        assert!(!inside.contains('\u{202e}'), "{inside:?}");
        let long = caller.call("t", &"长".repeat(1_000));
        assert!(long.len() < 600, "{}", long.len());
    }
}
