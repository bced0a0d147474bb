//! The ladder of a login: what was tried, what came of each rung and why.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Look, pen};
use crate::app::logins::{Login, RungState};
use crate::i18n::{t, tf};
use crate::model::text::{clean, cut, width, wrap};
use crate::model::{Reason, Rung};

fn glyph(look: &Look, state: &RungState) -> (&'static str, Style, Style) {
    let theme = look.theme;
    match state {
        RungState::Ahead => ("·", theme.dim(), theme.dim()),
        RungState::Passed | RungState::Skipped(_) => ("–", theme.dim(), theme.dim()),
        RungState::Running => ("▸", theme.accent(), theme.strong()),
        RungState::Failed(_) => ("✗", theme.bad(), theme.text()),
        RungState::Done => ("✓", theme.good(), theme.strong()),
    }
}

/// The rungs in one row.
pub(super) fn row(look: &Look, buffer: &mut Buffer, area: Rect, y: u16, login: &Login) {
    // Short words where the long ones do not fit.
    let words = |short: &str| -> Vec<_> {
        let key = |rung: &Rung| format!("ui.rung{short}.{}", rung.name());
        login.ladder().iter().map(|rung| t(look.lang, &key(rung))).collect()
    };
    let long = words("");
    let needed = long.iter().map(|word| width(word) + 4).sum::<usize>().saturating_sub(2);
    let words = if needed <= usize::from(area.width) { long } else { words("_short") };
    let mut x = 0;
    for (rung, word) in login.ladder().iter().zip(&words) {
        let (glyph, style, word_style) = glyph(look, login.rung(*rung));
        x = pen::write(buffer, area, x, y, glyph, style);
        x = pen::write(buffer, area, x + 1, y, word, word_style) + 2;
    }
}

/// How many rows [`rows`] takes: none where no rung has anything to say beside its name.
pub(super) fn count(login: &Login) -> u16 {
    if login.last_left().is_some() && login.ladder().len() > 1 { pen::columns(login.ladder().len()) } else { 0 }
}

/// The rungs in a row each, with the reason of those that led nowhere. Gives the row behind them.
pub(super) fn rows(look: &Look, buffer: &mut Buffer, area: Rect, y: u16, login: &Login) -> u16 {
    let mut y = y;
    for rung in login.ladder() {
        let (glyph, style, word_style) = glyph(look, login.rung(*rung));
        let x = pen::write(buffer, area, 0, y, glyph, style);
        let mut x = pen::write(buffer, area, x + 1, y, &t(look.lang, &format!("ui.rung.{}", rung.name())), word_style);
        if let Some(why) = why(look, login, *rung, usize::from(area.width.saturating_sub(x + 2))) {
            x = pen::write(buffer, area, x, y, &t(look.lang, "ui.colon"), look.theme.dim());
            pen::write(buffer, area, x, y, &why, look.theme.dim());
        }
        y += 1;
    }
    y
}

/// The rungs with everything that is known of them, wrapped to `columns`: sign, its style, words, their style; none
/// where there is nothing to say beside their names.
pub(super) fn lines(look: &Look, login: &Login, columns: usize) -> Vec<(&'static str, Style, String, Style)> {
    if count(login) == 0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for rung in login.ladder() {
        let (glyph, style, word_style) = glyph(look, login.rung(*rung));
        let name = t(look.lang, &format!("ui.rung.{}", rung.name()));
        let Some(why) = why(look, login, *rung, usize::MAX) else {
            lines.push((glyph, style, name.into_owned(), word_style));
            continue;
        };
        let text = format!("{name}{}{why}", t(look.lang, "ui.colon"));
        for (at, line) in wrap(&text, columns).into_iter().enumerate() {
            lines.push((if at == 0 { glyph } else { " " }, style, line, look.theme.dim()));
        }
    }
    lines
}

/// Draws [`lines`] from row `y` on; gives the row behind them.
pub(super) fn whole(look: &Look, buffer: &mut Buffer, area: Rect, y: u16, login: &Login) -> u16 {
    let lines = lines(look, login, usize::from(area.width.saturating_sub(2).max(2)));
    for ((glyph, style, line, line_style), y) in lines.iter().zip(y..) {
        let x = pen::write(buffer, area, 0, y, glyph, *style);
        pen::write(buffer, area, x + 1, y, line, *line_style);
    }
    y + pen::columns(lines.len())
}

/// Why a rung led nowhere, with the gateway's words where there is room for them.
fn why(look: &Look, login: &Login, rung: Rung, room: usize) -> Option<String> {
    let (reason, said) = match login.rung(rung) {
        RungState::Skipped(why) => (t(look.lang, &format!("step_down.{}", why.name())), false),
        RungState::Failed(reason) => {
            (t(look.lang, &format!("reason.{}", reason.code())), *reason == Reason::GatewaySaid)
        }
        RungState::Ahead | RungState::Passed | RungState::Running | RungState::Done => return None,
    };
    let Some(words) = login.rung_words(rung) else { return Some(reason.into_owned()) };
    let quoted = words.behind(look.lang);
    if width(&reason) + width(&quoted) <= room {
        return Some(format!("{reason}{quoted}"));
    }
    // That the gateway said something is no news: what it said is.
    Some(if said { clean(words.text()).into_owned() } else { reason.into_owned() })
}

/// The last rung that led nowhere and why, and what to do instead, for the one row above a code.
pub(super) fn instead(look: &Look, login: &Login, room: usize) -> Option<String> {
    let rung = login.last_left().filter(|rung| *rung != Rung::QrLogin)?;
    let key = match login.rung(rung) {
        RungState::Skipped(_) => "ui.login.scan_now",
        _ => "ui.login.scan_instead",
    };
    let frame = width(&tf(look.lang, key, &[("reason", "")]));
    let reason = why(look, login, rung, room.saturating_sub(frame))?;
    let reason = cut(&reason, room.saturating_sub(frame));
    Some(tf(look.lang, key, &[("reason", &reason)]))
}
