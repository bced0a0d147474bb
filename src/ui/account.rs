//! The selected account when no login is open on it: who, wId, holder, presence with its evidence, what next.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Look, clock, pen, rungs, strip};
use crate::app::logins::{Ending, Login};
use crate::app::said::{self, Said};
use crate::app::state::Pane;
use crate::app::{Action, State, Strip};
use crate::i18n::{t, tf};
use crate::model::text::{clean, fit, width, wrap};
use crate::model::{Account, Cost, Dialect, Presence, Reason};

/// Something on the pane that is shown whole or not at all; where there is little room the lightest give way.
struct Part {
    /// 0 is never left out as long as there is a row.
    weight: u8,
    /// Whether a row is left free before it, where there is one to spare.
    gap: bool,
    rows: Vec<Row>,
}

/// One row of the pane.
enum Row {
    /// A label, which may be empty, and what stands behind it.
    Labelled(&'static str, String, Style),
    /// A label and the last 24 hours.
    Day(&'static str, Strip),
    /// A sign and words.
    Marked(&'static str, Style, String, Style),
    /// Words.
    Words(String, Style),
}

/// Draws the account pane.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, boxed: bool) {
    let theme = look.theme;
    let focused = state.focus == Pane::Login;
    let Some(account) = state.account() else {
        let title = t(look.lang, "ui.pane.account");
        let inner = pen::titled(buffer, area, theme, &title, &[], focused, boxed);
        let words = tf(look.lang, "ui.empty.account", &[("key", &state.keymap.labels(Action::LoginNew))]);
        for (line, y) in wrap(&words, usize::from(inner.width)).iter().zip(1..) {
            pen::write(buffer, inner, 0, y, line, theme.dim());
        }
        return;
    };
    let name = clean(account.name());
    let inner = pen::titled(buffer, area, theme, &name, &[], focused, boxed);
    let label = label_width(look, usize::from(inner.width));
    let parts = choose(parts(state, look, account, usize::from(inner.width), label), inner.height);
    let gap = |part: &Part| part.gap.then_some(None);
    let rows = parts.iter().flat_map(|part| gap(part).into_iter().chain(part.rows.iter().map(Some)));
    for (row, y) in rows.zip(0..) {
        if let Some(row) = row {
            draw_row(look, buffer, inner, y, row, label);
        }
    }
}

/// The parts that have room, in their order: the weightiest first, then the gaps.
fn choose(mut parts: Vec<Part>, rows: u16) -> Vec<Part> {
    let mut left = usize::from(rows);
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| parts.get(*at).map_or(u8::MAX, |part| part.weight));
    let mut kept = vec![false; parts.len()];
    for at in order {
        let needed = parts.get(at).map_or(usize::MAX, |part| part.rows.len());
        if let Some(keep) = kept.get_mut(at).filter(|_| needed <= left || left == usize::from(rows)) {
            *keep = true;
            left = left.saturating_sub(needed);
        }
    }
    let mut keep = kept.into_iter();
    parts.retain(|_| keep.next().unwrap_or(false));
    for (at, part) in parts.iter_mut().enumerate() {
        part.gap &= at > 0 && left > 0;
        left -= usize::from(part.gap);
    }
    parts
}

/// Everything that is known, in the order of the pane.
fn parts(state: &State, look: &Look, account: &Account, columns: usize, label: usize) -> Vec<Part> {
    let theme = look.theme;
    let room = if label > 0 { columns.saturating_sub(label + 1) } else { columns };
    let words = |text: &str, style: Style| -> Vec<Row> {
        wrap(text, columns.max(2)).into_iter().map(|line| Row::Words(line, style)).collect()
    };
    let mut parts = Vec::new();
    let told = state.selected_login().filter(|login| login.ending().is_some());
    if let Some(login) = told {
        parts.push(Part { weight: 0, gap: false, rows: outcome(state, look, login, columns) });
        // What became of each rung, where the words above do not tell it.
        let ladder = rungs::lines(look, login, columns.saturating_sub(2).max(2));
        let rows: Vec<Row> =
            ladder.into_iter().map(|(glyph, style, line, text)| Row::Marked(glyph, style, line, text)).collect();
        if !rows.is_empty() {
            parts.push(Part { weight: 4, gap: true, rows });
        }
    }
    let mut gap = told.is_some();
    for (weight, lines) in facts(state, look, account, room) {
        let rows: Vec<Row> = lines
            .into_iter()
            .flat_map(|fact| match fact {
                Fact::Text(key, value, style) => {
                    // A wId is for reading and comparing: it is broken over rows rather than cut.
                    let lines = wrap(&value, room.max(2)).into_iter().take(3).enumerate();
                    let key = move |at| if at == 0 { key } else { "" };
                    lines.map(|(at, line)| Row::Labelled(key(at), line, style)).collect::<Vec<_>>()
                }
                Fact::Day(strip) => vec![Row::Day("ui.account.day", strip)],
            })
            .collect();
        parts.push(Part { weight, gap, rows });
        gap = false;
    }
    if account.presence == Presence::Online {
        return parts;
    }
    let mut gap = true;
    let mut say = |weight: u8, text: &str, style: Style| {
        parts.push(Part { weight, gap, rows: words(text, style) });
        gap = false;
    };
    if let (Some(reason), None) = (account.reason, told) {
        say(1, &reason_words(look, reason, account.gateway_message.clone().map(Said::Gateway).as_ref()), theme.text());
    }
    if let Some((said, at)) = state.why_offline(&account.wc_id) {
        let time = clock::long(at, look.now, state.offset_seconds);
        match said {
            // It stands beside the reason already.
            Some(said) if account.gateway_message.as_deref() == Some(said) => {}
            Some(said) => {
                say(2, &tf(look.lang, "ui.account.why", &[("time", &time), ("words", &clean(said))]), theme.text());
            }
            None => say(6, &tf(look.lang, "ui.account.no_why", &[("time", &time)]), theme.dim()),
        }
    }
    match (account.reason, told) {
        (_, Some(_)) => {}
        (None, None) => {
            let key = state.keymap.label(Action::Login).unwrap_or_default();
            say(1, &tf(look.lang, "ui.account.next", &[("key", &key)]), theme.dim());
        }
        (Some(_), None) if account.is_first_drop() => say(1, &t(look.lang, "ui.account.first_drop"), theme.dim()),
        (Some(reason), None) => say(1, &t(look.lang, &format!("next.{}", reason.code())), theme.dim()),
    }
    parts
}

fn draw_row(look: &Look, buffer: &mut Buffer, area: Rect, y: u16, row: &Row, label: usize) {
    let label_style = look.theme.dim();
    let behind = |buffer: &mut Buffer, key: &str| {
        if label == 0 {
            return 0;
        }
        let words = if key.is_empty() { String::new() } else { t(look.lang, key).into_owned() };
        pen::write(buffer, area, 0, y, &fit(&words, label), label_style) + 1
    };
    match row {
        Row::Labelled(key, value, style) => {
            let x = behind(buffer, key);
            pen::write(buffer, area, x, y, value, *style);
        }
        Row::Day(key, day) => {
            let x = behind(buffer, key);
            let room = area.width.saturating_sub(x);
            if let Some(cells) = [24, 12].into_iter().find(|cells| *cells <= room) {
                strip::draw(look, buffer, area, x, y, day, cells);
            }
        }
        Row::Marked(glyph, glyph_style, words, style) => {
            let x = pen::write(buffer, area, 0, y, glyph, *glyph_style);
            pen::write(buffer, area, x + 1, y, words, *style);
        }
        Row::Words(words, style) => {
            pen::write(buffer, area, 0, y, words, *style);
        }
    }
}

/// How wide the labels are; 0 where there is no room for any.
fn label_width(look: &Look, columns: usize) -> usize {
    let labels = [
        "presence",
        "evidence",
        "day",
        "wid",
        "wcid",
        "number",
        "holder",
        "tags",
        "note",
        "last_login",
        "today",
        "rest",
        "device",
        "proxy",
        "tunnel",
    ];
    let wide = labels.into_iter().map(|key| width(&t(look.lang, &format!("ui.account.{key}")))).max().unwrap_or(0);
    if columns < wide + 12 { 0 } else { wide }
}

/// A reason, and the gateway's words behind it.
fn reason_words(look: &Look, reason: Reason, said: Option<&Said>) -> String {
    let mut text = t(look.lang, &format!("reason.{}", reason.code())).into_owned();
    if let Some(said) = said {
        text.push_str(&said.behind(look.lang));
    }
    text
}

/// How the last login of this account ended, while that is news.
fn outcome(state: &State, look: &Look, login: &Login, columns: usize) -> Vec<Row> {
    let theme = look.theme;
    let label = |action| state.keymap.label(action).unwrap_or_default();
    let good = |key: &str| vec![Row::Marked("✓", theme.good(), t(look.lang, key).into_owned(), theme.strong())];
    let behind = columns.saturating_sub(2).max(2);
    match login.ending() {
        None => Vec::new(),
        Some(Ending::LoggedIn(_)) => {
            let mut told = good("ui.outcome.logged_in");
            if login.was_known {
                let words = tf(look.lang, "ui.outcome.was_known", &[("key", &label(Action::Login))]);
                told.extend(wrap(&words, columns.max(2)).into_iter().map(|line| Row::Words(line, theme.dim())));
            }
            told
        }
        Some(Ending::Adopted(_)) => good("ui.outcome.adopted"),
        Some(Ending::Not(reason)) => {
            let said = wrap(&reason_words(look, *reason, login.words.as_ref()), behind);
            let next = if *reason == Reason::NobodyScanned && login.reached_code() {
                tf(look.lang, "ui.outcome.again", &[("key", &label(Action::LoginQr))])
            } else {
                said::next(look.lang, *reason, login.reached_code())
            };
            let said = said.into_iter().map(|line| (line, theme.strong()));
            let lines = said.chain(wrap(&next, behind).into_iter().map(|line| (line, theme.dim()))).enumerate();
            lines
                .map(|(at, (line, style))| Row::Marked(if at == 0 { "–" } else { " " }, theme.doubt(), line, style))
                .collect()
        }
    }
}

/// One thing that is known.
enum Fact {
    Text(&'static str, String, Style),
    Day(Strip),
}

/// What is known, with the weight of each. What is empty is left out, but for the wId: that there is none matters.
fn facts(state: &State, look: &Look, account: &Account, room: usize) -> Vec<(u8, Vec<Fact>)> {
    let theme = look.theme;
    let word = |key: &str| t(look.lang, key).into_owned();
    let at = |stamp| clock::long(stamp, look.now, state.offset_seconds);
    let text = |key: &'static str, value: &str| vec![Fact::Text(key, clean(value).into_owned(), theme.text())];
    let (glyph, style) = look.presence(account.presence);
    let stale = account.stale || state.outage.is_some();
    let mut presence = format!("{glyph} {}", look.presence_word(account.presence));
    if stale {
        presence.push_str(&word("ui.account.stale"));
    }
    let presence = Fact::Text("ui.account.presence", presence, if stale { theme.dim() } else { style });
    let evidence = match (account.source, account.observed_at) {
        (Some(source), Some(seen)) => format!("{}  {}", word(&format!("ui.source.{}", source.name())), at(seen)),
        (Some(source), None) => word(&format!("ui.source.{}", source.name())),
        (None, Some(seen)) => at(seen),
        (None, None) => String::new(),
    };
    let w_id = match &account.w_id {
        Some(w_id) => {
            let mut facts = text("ui.account.wid", w_id.as_str());
            if !account.w_id_confirmed {
                facts.push(Fact::Text("", word("ui.account.not_confirmed"), theme.doubt()));
            }
            facts
        }
        None => vec![Fact::Text("ui.account.wid", word("ui.account.none"), theme.dim())],
    };
    let mut facts = vec![
        (0, vec![presence]),
        (3, vec![Fact::Text("ui.account.evidence", evidence, theme.dim())]),
        (4, state.strips.get(&account.wc_id).map(|strip| Fact::Day(*strip)).into_iter().collect()),
        (1, w_id),
        (5, text("ui.account.wcid", account.wc_id.as_str())),
        (7, text("ui.account.number", &account.w_account)),
        (2, text("ui.account.holder", &account.holder)),
        (6, text("ui.account.tags", &account.tags.join(" · "))),
        (7, text("ui.account.note", &account.note)),
        (4, text("ui.account.last_login", &account.last_login_at.map(at).unwrap_or_default())),
        (5, spent(state, look, account, room)),
        (2, rests(state, look, account)),
    ];
    if state.dialect == Dialect::V3 {
        facts.extend(device(look, account));
    }
    for (_, lines) in &mut facts {
        lines.retain(|fact| match fact {
            Fact::Text(_, value, _) => !value.trim().is_empty(),
            Fact::Day(_) => room >= 12,
        });
    }
    facts.retain(|(_, lines)| !lines.is_empty());
    facts
}

/// What the account has cost today.
fn spent(state: &State, look: &Look, account: &Account, room: usize) -> Vec<Fact> {
    let theme = look.theme;
    let Some(budget) = &account.budget else { return Vec::new() };
    let limits = state.limits;
    let mut facts = Vec::new();
    let kinds = [
        (Cost::SecondLogin, limits.second_logins, "ui.account.second_logins"),
        (Cost::Code, limits.codes, "ui.account.codes"),
    ];
    let counts = kinds.map(|(cost, limit, key)| {
        let spent = budget.spent(cost, look.now.wall);
        (spent, tf(look.lang, key, &[("spent", &spent.to_string()), ("limit", &limit.to_string())]), spent >= limit)
    });
    if counts.iter().any(|(spent, ..)| *spent > 0) {
        let joined = counts.iter().map(|(_, words, _)| words.as_str()).collect::<Vec<_>>().join(" · ");
        let style = |full: bool| if full { theme.doubt() } else { theme.text() };
        if width(&joined) <= room {
            let full = counts.iter().any(|(.., full)| *full);
            facts.push(Fact::Text("ui.account.today", joined, style(full)));
        } else {
            for (number, (_, words, full)) in counts.into_iter().enumerate() {
                facts.push(Fact::Text(if number == 0 { "ui.account.today" } else { "" }, words, style(full)));
            }
        }
    }
    facts
}

/// Until when it rests, if it was refused.
fn rests(state: &State, look: &Look, account: &Account) -> Vec<Fact> {
    let Some(budget) = &account.budget else { return Vec::new() };
    let Some(until) = budget.rest(look.now.wall) else { return Vec::new() };
    let time = clock::long(until, look.now, state.offset_seconds);
    let times = budget.refusals.max(1);
    let key = if times == 1 { "ui.account.rests_once" } else { "ui.account.rests" };
    let words = tf(look.lang, key, &[("time", &time), ("times", &times.to_string())]);
    vec![Fact::Text("ui.account.rest", words, look.theme.doubt())]
}

/// V3: device, proxy and tunnels, as far as they are set; never a password.
fn device(look: &Look, account: &Account) -> Vec<(u8, Vec<Fact>)> {
    let Some(device) = account.device.as_deref() else { return Vec::new() };
    let text = |key: &'static str, value: &str| vec![Fact::Text(key, clean(value).into_owned(), look.theme.text())];
    let proxy = match (&device.own_proxy, device.region) {
        (Some(own), _) if own.user.trim().is_empty() => own.address.to_string(),
        (Some(own), _) => tf(look.lang, "ui.account.proxy_user", &[("address", &own.address), ("user", &own.user)]),
        (None, Some(region)) => tf(look.lang, "ui.account.region", &[("number", &region.to_string())]),
        (None, None) => String::new(),
    };
    let tunnels = [("aid", &device.aid), ("ttuid", &device.ttuid)];
    let tunnels: Vec<_> = tunnels.iter().filter_map(|(name, id)| Some(format!("{name} {}", id.as_deref()?))).collect();
    vec![
        (6, text("ui.account.device", device.device_type.as_deref().unwrap_or_default())),
        (6, text("ui.account.proxy", &proxy)),
        (7, text("ui.account.tunnel", &tunnels.join(" · "))),
    ]
}

/// Writes text over as many rows as it takes; gives the row behind it.
pub(super) fn paragraph(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) -> u16 {
    let mut y = y;
    if area.width == 0 {
        return y;
    }
    for line in wrap(text, usize::from(area.width)) {
        pen::write(buffer, area, 0, y, &line, style);
        y = y.saturating_add(1);
    }
    y
}
