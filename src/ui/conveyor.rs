//! The conveyor: who has to confirm now, the preview, the queue and how it ended.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::account::paragraph;
use super::{Look, clock, pen, popups};
use crate::app::conveyor::{SHEET_ROWS, Sheet, listed};
use crate::app::state::Pane;
use crate::app::{Action, ConveyorView, Item, Phase, Place, State};
use crate::i18n::{t, tf};
use crate::model::WcId;
use crate::model::text::{clean, cut, width};

/// `3/20`, while the conveyor runs.
pub(super) fn progress(state: &State) -> Option<String> {
    state.conveyor.progress().map(|(settled, total)| format!("{settled}/{total}"))
}

/// `3 of 20`, while the conveyor runs.
pub(super) fn progress_words(state: &State, look: &Look) -> Option<String> {
    let (settled, total) = state.conveyor.progress()?;
    let values = [("settled", settled.to_string()), ("total", total.to_string())];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Some(tf(look.lang, "ui.conveyor.progress", &values))
}

/// An account and whose phone it lives on, in at most `room` columns: the holder is who has to be told, so the name
/// gives way first.
pub(super) fn phone(state: &State, wc_id: &WcId, room: usize) -> String {
    let Some(account) = state.accounts.get(wc_id) else { return cut(&clean(wc_id.as_str()), room).into_owned() };
    let (name, holder) = (clean(account.name()), clean(&account.holder));
    if holder.trim().is_empty() {
        return cut(&name, room).into_owned();
    }
    let holder = cut(&holder, room.saturating_sub(3) / 2);
    let name = cut(&name, room.saturating_sub(3 + width(&holder)));
    format!("{name} · {holder}")
}

/// Draws what stands in the login's place while nobody has to scan: whose phone rings, and how long.
pub(super) fn pane(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, boxed: bool) {
    let theme = look.theme;
    let title = t(look.lang, "ui.conveyor.title");
    let right = progress_words(state, look).unwrap_or_default();
    let focused = state.focus == Pane::Login;
    let inner = pen::titled(buffer, area, theme, &title, &[(&right, theme.strong())], focused, boxed);
    let ringing: Vec<_> = state.ringing().collect();
    let mut y = 0;
    if state.conveyor.pauses() {
        let key = state.keymap.label(Action::Conveyor).unwrap_or_default();
        y = paragraph(buffer, inner, y, &tf(look.lang, "ui.conveyor.paused", &[("key", &key)]), theme.doubt()) + 1;
    }
    let waiting = state.conveyor.view().map_or(&[][..], |view| view.queue.as_slice());
    if ringing.is_empty() {
        if !state.conveyor.pauses() {
            paragraph(buffer, inner, y, &t(look.lang, "ui.conveyor.next_soon"), theme.dim());
        }
        return;
    }
    y = paragraph(buffer, inner, y, &t(look.lang, "ui.conveyor.confirm"), theme.text());
    // A row stays for who is next.
    let room = usize::from(inner.height.saturating_sub(y)).saturating_sub(if waiting.is_empty() { 0 } else { 2 });
    for (wc_id, deadline) in ringing.into_iter().take(room.max(1)) {
        let left = deadline.and_then(|deadline| clock::left(deadline, look.now.wall)).unwrap_or_default();
        let columns = usize::from(inner.width).saturating_sub(width(&left) + 3);
        pen::write(buffer, inner, 0, y, "▸", theme.accent());
        pen::write(buffer, inner, 2, y, &phone(state, wc_id, columns), theme.strong());
        let x = inner.width.saturating_sub(pen::columns(width(&left)));
        pen::write(buffer, inner, x, y, &left, theme.text());
        y += 1;
    }
    if !waiting.is_empty() {
        let names: Vec<String> = waiting.iter().take(8).map(|wc_id| phone(state, wc_id, 24)).collect();
        let names = names.join(&*t(look.lang, "ui.comma"));
        let text = tf(look.lang, "ui.conveyor.then_codes", &[("names", &names)]);
        pen::write(buffer, inner, 0, y + 1, &text, theme.dim());
    }
}

/// Draws one of the conveyor's lists over the screen.
pub(super) fn sheet(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect, sheet: Sheet, top: usize) {
    let theme = look.theme;
    let Some(view) = state.conveyor.view() else { return };
    let figures = figures(look, view, sheet);
    let total = listed(view, sheet).count();
    let page = state.sheet_page().min(total);
    let columns = screen.width.saturating_sub(4).min(64);
    let gap = u16::from(total > 0);
    let rows = pen::columns(figures.len() + page) + gap + 2;
    let title = match sheet {
        Sheet::Preview => tf(look.lang, "ui.conveyor.preview", &[("count", &view.total().to_string())]),
        Sheet::Queue => format!(
            "{}{}{}",
            t(look.lang, "ui.conveyor.title"),
            t(look.lang, "ui.colon"),
            progress_words(state, look).unwrap_or_default()
        ),
        Sheet::Summary => t(look.lang, "ui.conveyor.done").into_owned(),
    };
    let inner = popups::dialog(look, buffer, screen, &title, columns, rows.min(screen.height.saturating_sub(2)));
    let mut y = 0;
    let digits = figures.iter().map(|(count, ..)| count.to_string().len()).max().unwrap_or(0);
    for (count, words, style) in &figures {
        let text = format!("{count:>digits$} ");
        let x = pen::write(buffer, inner, 0, y, &text, *style);
        pen::write(buffer, inner, x, y, words, theme.text());
        y += 1;
    }
    let y = y + gap;
    let bottom = inner.height.saturating_sub(2);
    let shown = usize::from(bottom.saturating_sub(y));
    let top = top.min(total.saturating_sub(shown));
    let lines: Vec<Line<'_>> =
        listed(view, sheet).skip(top).take(shown).map(|item| Line::of(state, look, item)).collect();
    // The words as far as they go, a third at least for the names.
    let all = usize::from(inner.width).saturating_sub(4);
    let words = lines.iter().map(|line| width(&line.words)).max().unwrap_or(0);
    let room = all.saturating_sub(words).clamp(all / 3, 34.max(all / 3));
    for (line, y) in lines.iter().zip(y..bottom) {
        line.draw(state, look, buffer, Rect::new(inner.x, inner.y + y, inner.width, 1), room);
    }
    if total > shown && shown > 0 {
        let text = format!(" {}–{}/{total} ", top + 1, (top + shown).min(total));
        let edge = Rect::new(inner.x, inner.bottom(), inner.width, 1);
        pen::write(buffer, edge, inner.width.saturating_sub(pen::columns(width(&text))), 0, &text, theme.dim());
    }
    let key = match sheet {
        Sheet::Preview if view.total() == 0 => "ui.conveyor.keys_summary",
        Sheet::Preview => "ui.conveyor.keys_preview",
        Sheet::Queue => "ui.conveyor.keys_queue",
        Sheet::Summary => "ui.conveyor.keys_summary",
    };
    pen::write(buffer, inner, 0, inner.height.saturating_sub(1), &t(look.lang, key), theme.dim());
}

/// The figures at a sheet's head: how many of what. What there is none of is left out.
fn figures(look: &Look, view: &ConveyorView, sheet: Sheet) -> Vec<(usize, String, Style)> {
    let theme = look.theme;
    let count = |wanted: fn(&Place) -> bool| view.items.iter().filter(|item| wanted(&item.place)).count();
    let resting = count(|place| matches!(place, Place::Resting { .. }));
    let lines = match sheet {
        Sheet::Preview => {
            let (second, codes, resting) = view.counts();
            vec![
                (second, "ui.conveyor.second_logins", theme.strong()),
                (codes, "ui.conveyor.codes", theme.strong()),
                (resting, "ui.conveyor.resting", theme.doubt()),
            ]
        }
        Sheet::Queue | Sheet::Summary => {
            let open = |place: &Place| {
                matches!(place, Place::WaitsToRing | Place::Ringing | Place::WaitsForCode | Place::Shown)
            };
            vec![
                (count(|place| *place == Place::Done), "ui.conveyor.online", theme.good()),
                (count(open), "ui.conveyor.open", theme.strong()),
                (count(|place| matches!(place, Place::Left(_))), "ui.conveyor.left", theme.bad()),
                (resting, "ui.conveyor.resting", theme.doubt()),
            ]
        }
    };
    let told =
        |(count, key, style): (usize, &str, Style)| (count > 0).then(|| (count, t(look.lang, key).into(), style));
    lines.into_iter().filter_map(told).collect()
}

/// One account of a sheet: whose phone, and where it is.
struct Line<'a> {
    wc_id: &'a WcId,
    glyph: (&'static str, Style),
    words: String,
}

impl<'a> Line<'a> {
    fn of(state: &State, look: &Look, item: &'a Item) -> Self {
        let theme = look.theme;
        let word = |key: &str| t(look.lang, key).into_owned();
        let planned = state.conveyor.view().is_some_and(|view| view.phase == Phase::Preview);
        let (glyph, words) = match &item.place {
            Place::WaitsToRing if planned => (("·", theme.dim()), word("ui.place.rings")),
            Place::WaitsToRing => (("·", theme.dim()), word("ui.place.waits_to_ring")),
            Place::Ringing => (("▸", theme.accent()), word("ui.place.ringing")),
            Place::WaitsForCode if planned => (("·", theme.dim()), word("ui.place.code")),
            Place::WaitsForCode if item.unscanned > 0 => {
                let count = item.unscanned.to_string();
                (("·", theme.dim()), tf(look.lang, "ui.place.unscanned", &[("count", &count)]))
            }
            Place::WaitsForCode => (("·", theme.dim()), word("ui.place.waits_for_code")),
            Place::Shown => (("▸", theme.accent()), word("ui.place.shown")),
            Place::Done => (("✓", theme.good()), word("ui.presence.online")),
            Place::Left(reason) => (("–", theme.bad()), word(&format!("reason.{}", reason.code()))),
            Place::Resting { until } => {
                let time = clock::long(*until, look.now, state.offset_seconds);
                (("–", theme.doubt()), tf(look.lang, "ui.place.resting", &[("time", &time)]))
            }
        };
        Self { wc_id: &item.wc_id, glyph, words }
    }

    /// Draws it, with `room` columns for whose phone it is.
    fn draw(&self, state: &State, look: &Look, buffer: &mut Buffer, area: Rect, room: usize) {
        let (glyph, style) = self.glyph;
        pen::write(buffer, area, 0, 0, glyph, style);
        pen::write(buffer, area, 2, 0, &phone(state, self.wc_id, room), look.theme.text());
        pen::write(buffer, area, pen::columns(2 + room + 2), 0, &self.words, look.theme.dim());
    }
}

const _: () = assert!(SHEET_ROWS == 8, "the sheet is laid out for this many rows beside its accounts");
