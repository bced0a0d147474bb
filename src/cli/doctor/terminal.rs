//! The terminal, as far as codes depend on it.

use serde_json::{Value, json};

use super::super::board;
use super::{Check, Mark, say};
use crate::config::QrLayout;
use crate::i18n::{Lang, t};
use crate::qr::Layout;
use crate::qr::render::picture;
use crate::tui::{Capabilities, Multiplexer, Palette, capabilities, probe};

/// What was found of the terminal.
#[derive(Debug)]
pub(super) struct Seen {
    terminal: bool,
    term: String,
    size: (u16, u16),
    able: Capabilities,
    layout: &'static str,
    /// Why that layout: `setting`, `no_image`, `not_utf8`, `block_wide`, `tall_cells`, `tmux`, `no_answer`,
    /// `block_narrow`.
    why: &'static str,
}

/// A login's code is a version 3 (qr.md §2).
const USUAL: u16 = 29;

impl Seen {
    pub(super) fn look(wished: QrLayout) -> Self {
        let terminal = board::is_paper();
        let able = if terminal { probe::ask_all() } else { capabilities::of_process() };
        let size = if terminal { capabilities::size(rustix::stdio::stdout()) } else { (0, 0) };
        let (layout, why) = choice(wished, &able, size);
        let term = std::env::var("TERM").unwrap_or_default();
        Self { terminal, term, size, able, layout, why }
    }

    pub(super) fn check(&self, lang: Lang) -> Check {
        if !self.terminal {
            return Check::new("terminal", Mark::Ok, t(lang, "cli.doctor.no_terminal"));
        }
        let word = |key: &str| t(lang, &format!("cli.doctor.{key}")).into_owned();
        let cell = self.able.cell_px.map_or_else(|| word("unknown"), |(width, height)| format!("{width}×{height}"));
        let block = match self.able.block_is_two_columns {
            Some(true) => "2".to_owned(),
            Some(false) => "1".to_owned(),
            None => word("unknown"),
        };
        let values = [
            ("term", self.term.as_str()),
            ("columns", &self.size.0.to_string()),
            ("rows", &self.size.1.to_string()),
            ("cell", &cell),
            ("colours", colours(self.able.palette)),
            ("block", &block),
            ("between", &multiplexer(self.able.multiplexer).map_or_else(|| word("nothing"), str::to_owned)),
            ("pictures", &self.protocol().map_or_else(|| word("none"), str::to_owned)),
            ("layout", self.layout),
            ("why", &word(&format!("why.{}", self.why))),
        ];
        let (columns, rows) = self.size;
        let enough = self.layout == "text" || {
            let layout = match self.layout {
                "half" => Layout::Half,
                "wide3" => Layout::Wide3,
                _ => Layout::Wide,
            };
            match self.able.picture() {
                Some((_, cell)) if self.layout == "image" => picture::fit(USUAL, columns, rows, cell).is_ok(),
                _ => crate::qr::render::fit(USUAL, columns, rows, layout).is_ok(),
            }
        };
        let mut check = Check::new(
            "terminal",
            if enough { Mark::Ok } else { Mark::Warn },
            say(lang, "cli.doctor.terminal", &values),
        );
        if !enough {
            check.hint = Some(word("small"));
        }
        check
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "is_terminal": self.terminal,
            "term": self.term,
            "columns": self.size.0,
            "rows": self.size.1,
            "cell_px": self.able.cell_px.map(|(width, height)| [width, height]),
            "colours": colours(self.able.palette),
            "utf8": self.able.utf8,
            "multiplexer": multiplexer(self.able.multiplexer),
            "block_columns": self.able.block_is_two_columns.map(|two| if two { 2 } else { 1 }),
            "pictures": self.protocol(),
            "layout": self.layout,
            "why": self.why,
        })
    }

    /// How the terminal shows pictures, if it does.
    fn protocol(&self) -> Option<&'static str> {
        self.able.picture().map(|(protocol, _)| protocol.name())
    }
}

/// The layout that a usual code gets on the whole terminal, and why.
fn choice(wished: QrLayout, able: &Capabilities, (columns, rows): (u16, u16)) -> (&'static str, &'static str) {
    if wished == QrLayout::Text {
        return ("text", "setting");
    }
    if wished == QrLayout::Image && able.picture().is_some() {
        return ("image", "setting");
    }
    let layout = board::layout(wished, able, USUAL, columns, rows);
    let name = match layout {
        Layout::Half => "half",
        Layout::Wide => "wide",
        Layout::Wide3 => "wide3",
    };
    let why = match wished {
        QrLayout::Half | QrLayout::Wide => "setting",
        QrLayout::Image => "no_image",
        QrLayout::Auto | QrLayout::Text => match (able.utf8, able.block_is_two_columns) {
            (false, _) => "not_utf8",
            (true, Some(true)) => "block_wide",
            _ if layout == Layout::Wide3 => "tall_cells",
            (true, None) if able.multiplexer == Some(Multiplexer::Tmux) => "tmux",
            (true, None) => "no_answer",
            (true, Some(false)) => "block_narrow",
        },
    };
    (name, why)
}

const fn colours(palette: Palette) -> &'static str {
    match palette {
        Palette::Indexed => "256",
        Palette::Sixteen => "16",
    }
}

fn multiplexer(between: Option<Multiplexer>) -> Option<&'static str> {
    between.map(|between| match between {
        Multiplexer::Tmux => "tmux",
        Multiplexer::Screen => "screen",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::Pictures;

    #[test]
    fn every_choice_has_its_reason() {
        let able = Capabilities::default();
        let narrow = Capabilities { block_is_two_columns: Some(false), ..able };
        let pictures = Capabilities { pictures: Pictures::Sixel, cell_px: Some((9, 18)), ..narrow };
        let between = Capabilities { multiplexer: Some(Multiplexer::Screen), ..pictures };
        for (wished, able, told) in [
            (QrLayout::Auto, narrow, ("half", "block_narrow")),
            (QrLayout::Auto, able, ("half", "no_answer")),
            (QrLayout::Auto, Capabilities { multiplexer: Some(Multiplexer::Tmux), ..able }, ("half", "tmux")),
            (QrLayout::Auto, Capabilities { block_is_two_columns: Some(true), ..able }, ("wide", "block_wide")),
            (QrLayout::Auto, Capabilities { utf8: false, ..able }, ("wide", "not_utf8")),
            (QrLayout::Auto, Capabilities { cell_px: Some((6, 18)), ..narrow }, ("wide3", "tall_cells")),
            (QrLayout::Half, Capabilities { block_is_two_columns: Some(true), ..able }, ("half", "setting")),
            (QrLayout::Wide, narrow, ("wide", "setting")),
            (QrLayout::Text, narrow, ("text", "setting")),
            (QrLayout::Image, narrow, ("half", "no_image")),
            (QrLayout::Image, pictures, ("image", "setting")),
            (QrLayout::Image, Capabilities { cell_px: None, ..pictures }, ("half", "no_image")),
            (QrLayout::Image, between, ("half", "no_image")),
            (QrLayout::Auto, pictures, ("half", "block_narrow")),
        ] {
            assert_eq!(choice(wished, &able, (200, 60)), told, "{wished:?} {able:?}");
            for lang in [Lang::En, Lang::Zh] {
                let key = format!("cli.doctor.why.{}", told.1);
                assert_ne!(t(lang, &key), key);
            }
        }
    }
}
