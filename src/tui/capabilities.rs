//! What the terminal is able to do, from the environment and the system. What only the terminal itself can tell is asked
//! in [`probe`](super::probe).

use std::ffi::OsString;
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

use crate::app::{Capabilities, Multiplexer, Palette, Pictures};

/// More columns and rows than the largest screens have in the smallest print.
const LARGEST: (u16, u16) = (1024, 512);

/// What the environment and the system say of the terminal on stdout.
pub fn of_process() -> Capabilities {
    let known = of_environment(|name| std::env::var_os(name));
    Capabilities { cell_px: cell_px(rustix::stdio::stdout()), ..known }
}

/// Columns and rows of a terminal; 80×24 for one that does not know. No window has more than a limit that is absurd already: memory for the
/// cells of one that says so (65,535 × 65,535) is nowhere.
pub fn size(terminal: impl AsFd) -> (u16, u16) {
    match tcgetwinsize(terminal) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => believed(size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

fn believed(columns: u16, rows: u16) -> (u16, u16) {
    (columns.min(LARGEST.0), rows.min(LARGEST.1))
}

/// A cell's width and height in pixels, where the terminal told the system.
pub fn cell_px(terminal: impl AsFd) -> Option<(u16, u16)> {
    let size = tcgetwinsize(terminal).ok()?;
    let side = |pixels: u16, cells: u16| pixels.checked_div(cells).filter(|side| *side > 0);
    Some((side(size.ws_xpixel, size.ws_col)?, side(size.ws_ypixel, size.ws_row)?))
}

/// What an environment says.
pub fn of_environment(get: impl Fn(&str) -> Option<OsString>) -> Capabilities {
    let get =
        |name: &str| get(name).map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty());
    let term = get("TERM").unwrap_or_default();
    let multiplexer = if get("TMUX").is_some() || term.starts_with("tmux") {
        Some(Multiplexer::Tmux)
    } else if get("STY").is_some() || term.starts_with("screen") {
        Some(Multiplexer::Screen)
    } else {
        None
    };
    let locale = get("LC_ALL").or_else(|| get("LC_CTYPE")).or_else(|| get("LANG"));
    Capabilities {
        block_is_two_columns: None,
        cell_px: None,
        palette: palette(&term, get("COLORTERM").as_deref()),
        multiplexer,
        dumb: is_dumb(&term),
        utf8: !is_dumb(&term) && !names_other_charset(locale.as_deref().unwrap_or_default()),
        pictures: pictures(&term, get("TERM_PROGRAM").as_deref(), multiplexer),
    }
}

/// Whether a terminal of this name is to be asked for pictures: one that may have them, and that swallows what it does
/// not know. The Linux console of old, urxvt, st and the like have none; Apple's terminal prints the question.
fn pictures(term: &str, program: Option<&str>, multiplexer: Option<Multiplexer>) -> Pictures {
    const MAY: [&str; 7] = ["xterm", "foot", "wezterm", "konsole", "mlterm", "contour", "mintty"];
    let may = MAY.iter().any(|name| term.starts_with(name)) && program != Some("Apple_Terminal");
    if may && multiplexer.is_none() { Pictures::Asked } else { Pictures::None }
}

/// Whether a terminal of this name obeys no cursor movements.
pub fn is_dumb(term: &str) -> bool {
    term.is_empty() || term == "dumb"
}

/// Whether a locale names a charset that is not UTF-8. One that names none (`C`, nothing at all) is what servers and
/// containers have, with a UTF-8 terminal at the other end.
fn names_other_charset(locale: &str) -> bool {
    let charset = locale.split_once('.').map(|(_, rest)| rest.split('@').next().unwrap_or_default());
    charset.is_some_and(|charset| !matches!(charset.to_ascii_lowercase().as_str(), "utf-8" | "utf8" | ""))
}

/// 256 colours unless the terminal's name says that there are fewer.
fn palette(term: &str, colorterm: Option<&str>) -> Palette {
    let more = matches!(colorterm, Some("truecolor" | "24bit")) || term.contains("256color");
    let few = is_dumb(term)
        || ["linux", "vt", "ansi", "cons", "cygwin", "sun"].iter().any(|name| term.starts_with(name))
        || ["-16color", "-8color", "-mono", "-m"].iter().any(|end| term.ends_with(end));
    if few && !more { Palette::Sixteen } else { Palette::Indexed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Capabilities {
        of_environment(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn colours_by_the_terminals_name() {
        for (term, colorterm, palette) in [
            ("xterm-256color", "", Palette::Indexed),
            ("xterm", "", Palette::Indexed),
            ("st", "", Palette::Indexed),
            ("screen", "", Palette::Indexed),
            ("linux", "", Palette::Sixteen),
            ("linux", "truecolor", Palette::Indexed),
            ("vt220", "", Palette::Sixteen),
            ("xterm-16color", "", Palette::Sixteen),
            ("dumb", "", Palette::Sixteen),
        ] {
            assert_eq!(of(&[("TERM", term), ("COLORTERM", colorterm)]).palette, palette, "{term} {colorterm}");
        }
    }

    #[test]
    fn no_size_is_believed_that_no_window_has() {
        for (told, taken) in [
            ((80, 24), (80, 24)),
            ((1, 1), (1, 1)),
            ((1024, 512), (1024, 512)),
            ((65_535, 65_535), (1024, 512)),
            ((65_535, 1), (1024, 1)),
            ((2, 65_535), (2, 512)),
        ] {
            assert_eq!(believed(told.0, told.1), taken);
        }
    }

    #[test]
    fn only_who_may_have_pictures_is_asked() {
        for (variables, asked) in [
            (&[("TERM", "xterm-256color")][..], true),
            (&[("TERM", "xterm-kitty")], true),
            (&[("TERM", "foot")], true),
            (&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "Apple_Terminal")], false),
            (&[("TERM", "xterm-256color"), ("TMUX", "/tmp/x,1,0")], false),
            (&[("TERM", "xterm-256color"), ("STY", "1.x")], false),
            (&[("TERM", "screen.xterm-256color")], false),
            (&[("TERM", "linux")], false),
            (&[("TERM", "rxvt-unicode-256color")], false),
            (&[("TERM", "st-256color")], false),
            (&[("TERM", "alacritty")], false),
            (&[("TERM", "vt220")], false),
            (&[("TERM", "dumb")], false),
            (&[], false),
        ] {
            assert_eq!(of(variables).pictures, if asked { Pictures::Asked } else { Pictures::None }, "{variables:?}");
        }
    }

    #[test]
    fn multiplexers_and_charsets() {
        let multiplexer = |variables: &[(&str, &str)]| of(variables).multiplexer;
        assert_eq!(multiplexer(&[("TERM", "screen-256color"), ("TMUX", "/tmp/x,1,0")]), Some(Multiplexer::Tmux));
        assert_eq!(multiplexer(&[("TERM", "tmux-256color")]), Some(Multiplexer::Tmux));
        assert_eq!(multiplexer(&[("TERM", "screen.xterm-256color"), ("STY", "1.x")]), Some(Multiplexer::Screen));
        assert_eq!(multiplexer(&[("TERM", "xterm"), ("TMUX", "")]), None);
        for (locale, utf8) in [
            ("zh_CN.UTF-8", true),
            ("C.utf8", true),
            ("C", true),
            ("", true),
            ("zh_CN.GB18030", false),
            ("de_DE.ISO-8859-15@euro", false),
        ] {
            assert_eq!(of(&[("TERM", "xterm"), ("LC_ALL", locale)]).utf8, utf8, "{locale}");
        }
        let dumb = of(&[("TERM", "dumb"), ("LANG", "C.UTF-8")]);
        assert!(!dumb.utf8 && dumb.dumb);
        assert!(!of(&[("TERM", "xterm"), ("LC_ALL", "C.GBK")]).dumb);
        assert!(!of(&[("TERM", "xterm"), ("LC_ALL", "C.GBK"), ("LANG", "C.UTF-8")]).utf8);
    }
}
