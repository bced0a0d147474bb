//! The history of an account or of the fleet: figures as bars, the day as a strip or as columns, then what happened.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Look, clock, hints, pen, spinner, strip};
use crate::app::history::{Division, HistoryView};
use crate::app::{Action, Figures, History, HistoryLine, State, Strip};
use crate::i18n::{t, tf};
use crate::model::text::{clean, cut, fit, width};
use crate::model::{Presence, Stamp};

/// Draws the history over the whole screen.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect, view: &HistoryView) {
    let theme = look.theme;
    let division = Division::of((screen.width, screen.height), view.wc_id.is_none());
    pen::clear(buffer, screen);
    let hint_rows = u16::from(screen.height >= 3);
    let body = Rect::new(screen.x, screen.y, screen.width, screen.height - hint_rows);
    let title = match &view.wc_id {
        Some(wc_id) => tf(look.lang, "ui.history.of", &[("account", &clean(&state.name_of("", Some(wc_id))))]),
        None => t(look.lang, "ui.history.of_fleet").into_owned(),
    };
    let count = view.answer.as_ref().map_or(0, |history| history.lines.len());
    let page = usize::from(division.lines);
    let top = view.top.min(count.saturating_sub(page));
    let seen = if count > page && page > 0 {
        format!("{}–{}/{count}", top + 1, (top + page).min(count))
    } else {
        String::new()
    };
    let inner = pen::titled(buffer, body, theme, &title, &[(&seen, theme.dim())], true, division.boxed);
    if let Some(history) = &view.answer {
        head(state, look, buffer, inner, history, division);
        let lines = Rect::new(inner.x, inner.y + division.head.min(inner.height), inner.width, division.lines);
        what_happened(state, look, buffer, lines, history, top);
    } else if view.spins(look.now) {
        let words = format!("{} {}", spinner(look.now), t(look.lang, "ui.history.asking"));
        pen::write(buffer, inner, 0, 0, &words, theme.dim());
    }
    if let Some((message, error)) = hints::message(state, look) {
        hints::draw_message(look, buffer, inner, &message, error);
    }
    let keys = Rect::new(screen.x, body.bottom(), screen.width, hint_rows);
    let other = if view.wc_id.is_some() { "ui.history.key_fleet" } else { "ui.history.key_account" };
    let other = (Action::History, t(look.lang, other));
    let plain = |action: Action| (action, t(look.lang, &action.hint_key()));
    let has_other = view.wc_id.is_some() || view.opened_for().is_some();
    let actions = [plain(Action::Close)].into_iter().chain(has_other.then_some(other));
    let actions = actions.chain([Action::Down, Action::Up, Action::PageDown].map(plain));
    hints::draw_keys(state, look, buffer, keys, actions);
}

/// Figures, then the day.
fn head(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, history: &History, division: Division) {
    if division.head == 0 {
        return;
    }
    let mut y = 0;
    let table = Table::of(look, area.width);
    if division.heading {
        table.heading(look, buffer, area);
        y += 1;
    }
    for (figures, key) in history.figures.iter().zip(["ui.history.day", "ui.history.week", "ui.history.month"]) {
        table.row(look, buffer, area, y, &t(look.lang, key), figures);
        y += 1;
    }
    y += u16::from(division.roomy);
    if division.chart == 0 {
        return;
    }
    let x = pen::columns(table.label + 2);
    match &history.wc_id {
        Some(_) => day(look, buffer, area, (x, y), &history.strip, division),
        None => fleet_day(state, look, buffer, area, (x, y), &history.online, division),
    }
}

/// Where the columns of the figures are. A narrow screen gives up the time between drops.
struct Table {
    label: usize,
    bar: usize,
    uptime: usize,
    drops: usize,
    between: usize,
}

impl Table {
    fn of(look: &Look, columns: u16) -> Self {
        let wide = |keys: &[&str]| keys.iter().map(|key| width(&t(look.lang, key))).max().unwrap_or(0);
        let label = wide(&["ui.history.day", "ui.history.week", "ui.history.month", "ui.history.strip"]);
        let uptime = wide(&["ui.history.uptime"]).max(7);
        let drops = wide(&["ui.history.drops"]).max(5);
        let between = wide(&["ui.history.between"]).max(14);
        let columns = usize::from(columns);
        let fixed = label + 2 + 2 + uptime + 2 + drops;
        let between = if columns >= fixed + 16 + 2 + between { between } else { 0 };
        let used = fixed + if between > 0 { 2 + between } else { 0 };
        Self { label, bar: columns.saturating_sub(used).min(48), uptime, drops, between }
    }

    fn heading(&self, look: &Look, buffer: &mut Buffer, area: Rect) {
        let right = |key: &str, columns: usize| right(&t(look.lang, key), columns);
        let mut x = self.label + 2 + self.bar + 2;
        pen::write(buffer, area, pen::columns(x), 0, &right("ui.history.uptime", self.uptime), look.theme.dim());
        x += self.uptime + 2;
        pen::write(buffer, area, pen::columns(x), 0, &right("ui.history.drops", self.drops), look.theme.dim());
        x += self.drops + 2;
        if self.between > 0 {
            pen::write(buffer, area, pen::columns(x), 0, &right("ui.history.between", self.between), look.theme.dim());
        }
    }

    fn row(&self, look: &Look, buffer: &mut Buffer, area: Rect, y: u16, label: &str, figures: &Figures) {
        let theme = look.theme;
        let uptime = figures.uptime();
        pen::write(buffer, area, 0, y, &fit(label, self.label), theme.dim());
        let mut x = self.label + 2;
        strip::bar(look, buffer, area, pen::columns(x), y, uptime, pen::columns(self.bar));
        x += self.bar + 2;
        let words = uptime.map_or_else(|| "–".into(), percent);
        pen::write(buffer, area, pen::columns(x), y, &right(&words, self.uptime), theme.strong());
        x += self.uptime + 2;
        let known = figures.known_ms > 0 || figures.drops > 0;
        let words = if known { figures.drops.to_string() } else { "–".into() };
        pen::write(buffer, area, pen::columns(x), y, &right(&words, self.drops), theme.text());
        x += self.drops + 2;
        if self.between > 0 {
            let words = figures.between_drops_ms().map_or_else(|| "–".into(), |ms| long_time(look, ms));
            pen::write(buffer, area, pen::columns(x), y, &right(&words, self.between), theme.text());
        }
    }
}

/// An account's day, with its hours and what the glyphs say beneath.
fn day(look: &Look, buffer: &mut Buffer, area: Rect, (x, y): (u16, u16), strip: &Strip, division: Division) {
    let theme = look.theme;
    pen::write(buffer, area, 0, y, &t(look.lang, "ui.history.strip"), theme.dim());
    let room = area.width.saturating_sub(x);
    let cells = [48, 24, 12].into_iter().find(|cells| *cells <= room).unwrap_or(0);
    if cells == 0 {
        return;
    }
    strip::draw(look, buffer, area, x, y, strip, cells);
    if division.roomy {
        axis(look, buffer, area, (x, y + 1), cells);
        let mut legend = x + cells + 3;
        let needed: usize = [Presence::Online, Presence::Offline, Presence::Unknown]
            .into_iter()
            .map(|presence| width(&look.presence_word(presence)) + 4)
            .sum();
        if usize::from(area.width.saturating_sub(legend)) + 2 < needed {
            return;
        }
        for presence in [Presence::Online, Presence::Offline, Presence::Unknown] {
            let (glyph, style) = strip::cell(look, presence);
            legend = pen::write(buffer, area, legend, y, glyph, style) + 1;
            legend = pen::write(buffer, area, legend, y, &look.presence_word(presence), theme.dim()) + 2;
        }
    }
}

/// How many were online over the day: columns, the most and the least beside them.
fn fleet_day(
    state: &State,
    look: &Look,
    buffer: &mut Buffer,
    area: Rect,
    (x, y): (u16, u16),
    online: &[u32],
    division: Division,
) {
    let theme = look.theme;
    let rows = division.chart;
    let total = u32::try_from(state.accounts.total()).unwrap_or(u32::MAX);
    let most = online.iter().copied().max().unwrap_or(0).max(total);
    pen::write(buffer, area, 0, y, &t(look.lang, "ui.history.online"), theme.dim());
    if online.is_empty() {
        pen::write(buffer, area, x, y, &t(look.lang, "ui.history.nothing_known"), theme.dim());
        return;
    }
    let scale = if rows > 1 { width(&most.to_string()) + 1 } else { 0 };
    let left = x + pen::columns(scale);
    let cells = [48, 24, 12].into_iter().find(|cells| *cells <= area.width.saturating_sub(left)).unwrap_or(0);
    if cells == 0 {
        return;
    }
    if rows > 1 {
        pen::write(buffer, area, x, y, &right(&most.to_string(), scale - 1), theme.dim());
        pen::write(buffer, area, x, y + rows - 1, &right("0", scale - 1), theme.dim());
    }
    strip::columns(buffer, area, (left, y), &strip::shrink(online, cells), most, rows, theme.good());
    if division.roomy {
        axis(look, buffer, area, (left, y + rows), cells);
    }
    let words = tf(
        look.lang,
        "ui.history.least_most",
        &[
            ("least", &online.iter().copied().min().unwrap_or(0).to_string()),
            ("most", &online.iter().copied().max().unwrap_or(0).to_string()),
            ("total", &total.to_string()),
        ],
    );
    let beside = left + cells + 3;
    if usize::from(area.width.saturating_sub(beside)) >= width(&words) {
        pen::write(buffer, area, beside, y, &words, theme.dim());
    }
}

/// How long ago the beginning and the middle are.
fn axis(look: &Look, buffer: &mut Buffer, area: Rect, (x, y): (u16, u16), cells: u16) {
    let theme = look.theme;
    let now = t(look.lang, "ui.history.now");
    pen::write(buffer, area, x, y, &tf(look.lang, "ui.history.ago", &[("hours", "24")]), theme.dim());
    let end = (x + cells).saturating_sub(pen::columns(width(&now)));
    let middle = tf(look.lang, "ui.history.ago", &[("hours", "12")]);
    if cells >= 24 && x + cells / 2 + pen::columns(width(&middle)) < end {
        pen::write(buffer, area, x + cells / 2, y, &middle, theme.dim());
    }
    pen::write(buffer, area, end, y, &now, theme.dim());
}

/// The lines from one place on, or that there are none.
fn what_happened(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, history: &History, top: usize) {
    if history.lines.is_empty() {
        pen::write(buffer, area, 0, 0, &t(look.lang, "ui.history.nothing"), look.theme.dim());
        return;
    }
    let fleet = history.wc_id.is_none();
    let shown: Vec<&HistoryLine> = history.lines.iter().skip(top).take(usize::from(area.height)).collect();
    // Every column is as wide as its widest word on the screen.
    let wide = |words: &dyn Fn(&HistoryLine) -> String| shown.iter().map(|line| width(&words(line))).max().unwrap_or(0);
    let time = |line: &HistoryLine| at(look, line.at, state.offset_seconds);
    let mut columns = Columns {
        time: wide(&time),
        name: if fleet { wide(&|line| name(state, line)).min(usize::from(area.width) / 4).min(20) } else { 0 },
        event: wide(&|line| event_words(look, line)).min(22),
        cause: wide(&|line| cause_words(look, line)).min(12),
    };
    // On a very narrow screen the reason needs the room more.
    if area.width < 50 || columns.width() > usize::from(area.width) {
        columns.cause = 0;
    }
    for (line, y) in shown.iter().zip(0..) {
        let theme = look.theme;
        let (glyph, style) = glyph(look, line);
        let mut x = pen::write(buffer, area, 0, y, &right(&time(line), columns.time), theme.dim()) + 1;
        x = pen::write(buffer, area, x, y, glyph, style) + 1;
        if columns.name > 0 {
            x = pen::write(buffer, area, x, y, &fit(&name(state, line), columns.name), theme.text()) + 1;
        }
        x = pen::write(buffer, area, x, y, &fit(&event_words(look, line), columns.event), theme.text()) + 2;
        if columns.cause > 0 {
            x = pen::write(buffer, area, x, y, &fit(&cause_words(look, line), columns.cause), theme.dim()) + 2;
        }
        pen::write(buffer, area, x, y, &why(look, line), theme.dim());
    }
}

struct Columns {
    time: usize,
    name: usize,
    event: usize,
    cause: usize,
}

impl Columns {
    /// Of all of them, with what is between.
    const fn width(&self) -> usize {
        let name = if self.name > 0 { self.name + 1 } else { 0 };
        self.time + 3 + name + self.event + 2 + self.cause
    }
}

fn at(look: &Look, at: Stamp, offset_seconds: i32) -> String {
    clock::long(at, look.now, offset_seconds)
}

fn name(state: &State, line: &HistoryLine) -> String {
    clean(&state.name_of(&line.account, line.wc_id.as_ref())).into_owned()
}

/// The event in words; one that this program does not know, as it is called.
fn event_words(look: &Look, line: &HistoryLine) -> String {
    known(look, "history_event", &line.event)
}

fn cause_words(look: &Look, line: &HistoryLine) -> String {
    line.cause.as_deref().map(|cause| known(look, "cause", cause)).unwrap_or_default()
}

fn known(look: &Look, area: &str, name: &str) -> String {
    let key = format!("ui.{area}.{name}");
    let words = t(look.lang, &key);
    if words == key { clean(&name.replace('_', " ")).into_owned() } else { words.into_owned() }
}

/// The reason, where the event does not say it already, and the gateway's words.
fn why(look: &Look, line: &HistoryLine) -> String {
    let mut words = match line.reason {
        Some(reason) if reason.code() != &*line.event => {
            t(look.lang, &format!("reason.{}", reason.code())).into_owned()
        }
        _ => String::new(),
    };
    if let Some(said) = line.gateway_message.as_deref().map(clean).filter(|said| !said.trim().is_empty()) {
        if words.is_empty() {
            words = format!("“{said}”");
        } else {
            words.push_str(&tf(look.lang, "ui.quoted", &[("words", &said)]));
        }
    }
    words
}

fn glyph(look: &Look, line: &HistoryLine) -> (&'static str, Style) {
    let theme = look.theme;
    match &*line.event {
        "logged_in" | "adopted" => ("✓", theme.good()),
        "recovered" | "outage_over" | "observation_back" => ("●", theme.good()),
        "dropped" | "mass_drop" => ("○", theme.bad()),
        "outage"
        | "observation_lost"
        | "token_rejected"
        | "failed"
        | "second_login_failed"
        | "wrong_account"
        | "refused" => ("!", theme.bad()),
        "verify_code_required" | "device_verification" | "login_needed" => ("!", theme.doubt()),
        "expired" | "cancelled" | "superseded" | "taken_over" | "abandoned" => ("–", theme.dim()),
        _ => ("·", theme.dim()),
    }
}

/// Rounded down: only what was whole says 100.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of one, in thousandths")]
fn percent(share: f64) -> String {
    let thousandths = (share.clamp(0.0, 1.0) * 1000.0 + 1e-6).floor() as u32;
    if thousandths == 1000 { "100 %".into() } else { format!("{}.{} %", thousandths / 10, thousandths % 10) }
}

/// A span in its two largest units.
fn long_time(look: &Look, ms: i64) -> String {
    let minutes = ms.max(0) / 60_000;
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let values = [("days", days.to_string()), ("hours", hours.to_string()), ("minutes", rest.to_string())];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let key = match (days, hours) {
        (0, 0) => "ui.history.minutes",
        (0, _) => "ui.history.hours_minutes",
        _ => "ui.history.days_hours",
    };
    tf(look.lang, key, &values)
}

/// Text at the right end of its columns.
fn right(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let blank = columns.saturating_sub(width(&text));
    format!("{}{text}", " ".repeat(blank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_whole_says_a_hundred() {
        for (share, words) in [(1.0, "100 %"), (0.99999, "99.9 %"), (0.964, "96.4 %"), (0.0, "0.0 %")] {
            assert_eq!(percent(share), words);
        }
    }
}
