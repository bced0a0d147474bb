//! The accounts: one row each, and only the rows that are on the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Look, clock, filter, pen, strip};
use crate::app::logins::{Login, Stage};
use crate::app::state::{Pane, Selected};
use crate::app::strips;
use crate::app::{Action, State};
use crate::i18n::{t, tf};
use crate::model::text::{clean, width};
use crate::model::{Account, Presence, Reason};

/// Where the columns of a row are; a column that does not fit has no room.
struct Columns {
    name: usize,
    presence: usize,
    time: usize,
    /// Cells of the day's strip, behind the time.
    strip: u16,
}

impl Columns {
    /// design.md §7: cursor, mark, name 18, glyph and presence, time 5, flag. Narrow panes give up the time, then
    /// shorten the name; wide ones lengthen it.
    fn of(columns: u16, look: &Look) -> Self {
        let columns = usize::from(columns);
        let presence = 2 + [Presence::Online, Presence::Offline, Presence::Unknown]
            .into_iter()
            .map(|presence| width(&look.presence_word(presence)))
            .max()
            .unwrap_or(0);
        // Cursor and mark, a space behind each of name, presence and time, five columns of flag.
        let full = 2 + 18 + 1 + presence + 1 + 5 + 1 + 5;
        if columns >= full {
            let strip = strips::cells(pen::columns(columns));
            let spare = columns - full - if strip > 0 { usize::from(strip) + 1 } else { 0 };
            return Self { name: (18 + spare).min(32), presence, time: 5, strip };
        }
        let name = columns.saturating_sub(2 + 1 + presence + 1 + 1);
        if name >= 6 {
            return Self { name: name.min(18), presence, time: 0, strip: 0 };
        }
        Self { name: columns.saturating_sub(2 + 1 + 1), presence: 1, time: 0, strip: 0 }
    }

    /// Where the strip begins.
    fn strip_at(&self) -> u16 {
        pen::columns(2 + self.name + 1 + self.presence + 1 + self.time + 1)
    }
}

/// Draws the accounts pane.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, boxed: bool) {
    let theme = look.theme;
    let title = t(look.lang, "ui.pane.accounts");
    let focused = state.focus == Pane::Accounts;
    let mut right =
        filter::heading(state, look, usize::from(area.width).saturating_sub(width(&title) + if boxed { 9 } else { 5 }));
    let used: usize = right.iter().map(|(text, _)| width(text)).sum();
    let day = day(state, area.width, width(&title) + used);
    if !day.is_empty() {
        let label = format!("{} ", t(look.lang, "ui.history.day"));
        right.splice(0..0, [(label, theme.dim()), (day, theme.good()), ("  ".to_owned(), theme.dim())]);
    }
    let right: Vec<_> = right.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    let inner = pen::titled(buffer, area, theme, &title, &right, focused, boxed);
    let inner = outage(state, look, buffer, inner);
    let inner = filter::line(state, look, buffer, inner);
    if state.rows() == 0 {
        empty(state, look, buffer, inner);
        return;
    }
    let columns = Columns::of(inner.width, look);
    for line in 0..inner.height {
        let row = state.top + usize::from(line);
        let area = Rect::new(inner.x, inner.y + line, inner.width, 1);
        match state.row(row) {
            Selected::Nothing => break,
            Selected::New(number) => {
                let login = state.logins.get(number);
                let selected = state.selected == Selected::New(number);
                let name = t(look.lang, "ui.new_account");
                draw_name(look, buffer, area, &columns, &name, selected);
                if let Some(login) = login {
                    flag(look, buffer, area, &columns, Some(login), None, false);
                }
            }
            Selected::Account(wc_id) => {
                let Some(account) = state.accounts.get(&wc_id) else { continue };
                let selected = matches!(&state.selected, Selected::Account(id) if *id == wc_id);
                let login = state.logins.of(&wc_id).filter(|login| login.is_open());
                draw_account(state, look, buffer, area, &columns, account, selected);
                let queues = state.conveyor.queues(&wc_id);
                flag(look, buffer, area, &columns, login, Some(account), queues);
            }
        }
    }
}

/// How many were online over the last day, the last cell being now; empty where it has no room or is not known.
fn day(state: &State, columns: u16, used: usize) -> String {
    let cells = state.day_cells();
    if cells == 0 || state.day.online.is_empty() || usize::from(columns) < used + usize::from(cells) + 22 {
        return String::new();
    }
    let mut counts = strip::shrink(&state.day.online, cells);
    let now = state.accounts.counts().first().copied().unwrap_or(0);
    if let Some(last) = counts.last_mut() {
        *last = u32::try_from(now).unwrap_or(u32::MAX);
    }
    let most = u32::try_from(state.accounts.total()).unwrap_or(u32::MAX);
    strip::line(&counts, counts.iter().copied().max().unwrap_or(0).max(most))
}

/// The one line above the accounts while the gateway has an outage; gives the area below.
fn outage(state: &State, look: &Look, buffer: &mut Buffer, area: Rect) -> Rect {
    let Some(since) = state.outage else { return area };
    if area.height == 0 {
        return area;
    }
    let time = clock::long(since, look.now, state.offset_seconds);
    let words = ["ui.banner.outage", "ui.banner.outage_short", "ui.banner.outage_shortest"]
        .map(|key| tf(look.lang, key, &[("time", &time)]));
    let room = usize::from(area.width).saturating_sub(2);
    let fits = words.iter().find(|words| width(words) <= room).or(words.last());
    let x = pen::write(buffer, area, 0, 0, "! ", look.theme.doubt());
    if let Some(words) = fits {
        pen::write(buffer, area, x, 0, words, look.theme.doubt());
    }
    Rect::new(area.x, area.y + 1, area.width, area.height - 1)
}

/// The selected row has a marker and a bold name: a move of the cursor changes few cells (perf.md G11).
fn draw_name(look: &Look, buffer: &mut Buffer, area: Rect, columns: &Columns, name: &str, selected: bool) {
    let theme = look.theme;
    let name = crate::model::text::cut(name, columns.name);
    if selected {
        // One run in one style: the marker in the accent's colour would cost as many bytes as the name.
        pen::write(buffer, area, 0, 0, &format!("▸ {name}"), theme.strong());
    } else {
        pen::write(buffer, area, 2, 0, &name, theme.text());
    }
}

fn draw_account(
    state: &State,
    look: &Look,
    buffer: &mut Buffer,
    area: Rect,
    columns: &Columns,
    account: &Account,
    selected: bool,
) {
    let theme = look.theme;
    draw_name(look, buffer, area, columns, &clean(account.name()), selected);
    if state.marks.has(&account.wc_id) {
        pen::write(buffer, area, 1, 0, "•", theme.accent());
    }
    let x = pen::columns(2 + columns.name + 1);
    let (glyph, style) = look.presence(account.presence);
    let stale = account.stale || state.outage.is_some();
    let (style, word_style) = if stale { (theme.dim(), theme.dim()) } else { (style, theme.text()) };
    pen::write(buffer, area, x, 0, glyph, style);
    if columns.presence > 1 {
        let word = look.presence_word(account.presence);
        pen::write(buffer, area, x + 2, 0, &word, word_style);
    }
    if columns.time > 0
        && stale
        && let Some(at) = account.observed_at
    {
        let time = clock::short(at.not_after(look.now.wall), look.now, state.offset_seconds);
        pen::write(buffer, area, x + pen::columns(columns.presence + 1), 0, &time, theme.dim());
    }
    if columns.strip > 0
        && let Some(strip) = state.strips.get(&account.wc_id)
    {
        strip::draw(look, buffer, area, columns.strip_at(), 0, strip, columns.strip);
    }
}

/// What a row wants to be looked at for: its login, or why it is not online.
fn flag(
    look: &Look,
    buffer: &mut Buffer,
    area: Rect,
    columns: &Columns,
    login: Option<&Login>,
    account: Option<&Account>,
    queues: bool,
) {
    let theme = look.theme;
    let behind = 2 + columns.name + 1 + columns.presence + 1;
    let strip = if columns.strip > 0 { usize::from(columns.strip) + 1 } else { 0 };
    let x = pen::columns(behind + if columns.time > 0 { columns.time + 1 } else { 0 } + strip);
    let room = usize::from(area.width).saturating_sub(usize::from(x));
    let (key, style) = match (login.map(|login| &login.stage), account) {
        (Some(Stage::Wished | Stage::Requesting | Stage::Renewing | Stage::Checking | Stage::Resumed), _) => {
            ("ui.flag.busy", theme.dim())
        }
        (Some(Stage::Token { .. }), _) => ("ui.flag.token", theme.doubt()),
        (Some(Stage::Dialog | Stage::Scanned), _) => ("ui.flag.phone", theme.accent()),
        (Some(Stage::Scan | Stage::NoPicture), _) => ("ui.flag.code", theme.accent()),
        (Some(Stage::Verify { .. } | Stage::Device { .. }), _) => ("ui.flag.verify", theme.doubt()),
        (Some(Stage::Ended(_)), _) | (None, None) => return,
        (None, Some(_)) if queues => ("ui.flag.queue", theme.dim()),
        (None, Some(account)) => match account.reason {
            _ if account.is_first_drop() => ("ui.flag.first_drop", theme.dim()),
            None | Some(Reason::Dropped | Reason::NeedsPassword | Reason::TakenOffline) => return,
            Some(_) if account.presence == Presence::Online => return,
            Some(_) => ("ui.flag.reason", theme.doubt()),
        },
    };
    let word = t(look.lang, key);
    if width(&word) <= room {
        pen::write(buffer, area, x, 0, &word, style);
    } else if room > 0 {
        let glyph = match login {
            Some(_) => "›",
            None if queues => "·",
            None => "!",
        };
        pen::write(buffer, area, x, 0, glyph, style);
    }
}

fn empty(state: &State, look: &Look, buffer: &mut Buffer, area: Rect) {
    let theme = look.theme;
    let key = if state.accounts.total() == 0 {
        "ui.empty.accounts"
    } else if state.accounts.query().is_empty() {
        "ui.empty.filtered"
    } else {
        "ui.empty.no_match"
    };
    let label = |action| state.keymap.label(action).unwrap_or_default();
    let words = tf(
        look.lang,
        key,
        &[
            ("new", &label(Action::LoginNew)),
            ("add", &label(Action::Add)),
            ("all", &label(Action::ShowAll)),
            ("close", &label(Action::Close)),
        ],
    );
    let lines = crate::model::text::wrap(&words, usize::from(area.width));
    for (line, y) in lines.iter().zip(1..) {
        pen::write(buffer, area, 0, y, line, theme.dim());
    }
}
