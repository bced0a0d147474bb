//! The first row: profile, gateway, token, how many are what, how the list fares.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Look, clock, pen, spinner};
use crate::app::{Fleet, State, Token};
use crate::i18n::{t, tf};
use crate::model::Presence;
use crate::model::text::clean;

/// Runs of text, each in one style.
type Runs = Vec<(String, Style)>;

/// Draws the status line. What does not fit goes in the order of its weight: the list's state is the last to go.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, area: Rect) {
    let theme = look.theme;
    let word = |key: &str| t(look.lang, key).into_owned();
    let (list, list_style) = list(state, look);
    let token = match state.token {
        Some(Token::Ok) => (word("ui.status.token_ok"), theme.dim()),
        Some(Token::Missing) => (word("ui.status.token_missing"), theme.bad()),
        Some(Token::Rejected) => (word("ui.status.token_rejected"), theme.bad()),
        None => (String::new(), theme.dim()),
    };
    let counts = |words: bool| {
        let mut out: Vec<(String, Style)> = Vec::new();
        let [online, offline, unknown] = state.accounts.counts();
        for (presence, count) in
            [(Presence::Online, online), (Presence::Offline, offline), (Presence::Unknown, unknown)]
        {
            let (glyph, style) = look.presence(presence);
            out.push((glyph.into(), style));
            let name =
                if words { format!(" {count} {}  ", look.presence_word(presence)) } else { format!(" {count}  ") };
            out.push((name, theme.text()));
        }
        out
    };
    let profile = clean(state.profile.as_deref().unwrap_or("saoma")).into_owned();
    let gateway = clean(&state.gateway).trim_start_matches("http://").to_owned();
    let left = |with_gateway: bool, with_token: bool| {
        let mut out = vec![(profile.clone(), theme.strong())];
        if with_gateway && !gateway.is_empty() {
            out.push((String::from("  "), theme.text()));
            out.push((gateway.clone(), theme.dim()));
        }
        if !token.0.is_empty() && (with_token || state.token != Some(Token::Ok)) {
            out.push((String::from("  "), theme.text()));
            out.push(token.clone());
        }
        out
    };
    let right = |words: bool, with_counts: bool| {
        let mut out = if with_counts { counts(words) } else { Vec::new() };
        if list.is_empty() {
            // Nothing follows the counts: the gap behind them goes too.
            if let Some((last, _)) = out.last_mut() {
                last.truncate(last.trim_end().len());
            }
        }
        out.push((list.clone(), list_style));
        out
    };
    let variants = [
        (left(true, true), right(true, true)),
        (left(true, true), right(false, true)),
        (left(true, false), right(false, true)),
        (left(false, true), right(false, true)),
        (left(false, false), right(false, true)),
        (left(false, false), right(false, false)),
        (Vec::new(), right(false, false)),
    ];
    let fits = |(left, right): &(Runs, Runs)| width(left) + width(right) + 2 <= area.width || left.is_empty();
    if let Some((left, right)) = variants.into_iter().find(fits) {
        put(buffer, area, 0, &left);
        put(buffer, area, area.width.saturating_sub(width(&right)), &right);
    }
}

fn list(state: &State, look: &Look) -> (String, Style) {
    let theme = look.theme;
    if state.store_fails {
        return (t(look.lang, "ui.status.store_fails").into_owned(), theme.bad());
    }
    if let Some(since) = state.outage.filter(|_| state.fleet != Some(Fleet::Asking)) {
        let at = clock::long(since, look.now, state.offset_seconds);
        return (tf(look.lang, "ui.status.outage", &[("time", &at)]), theme.doubt());
    }
    match (&state.fleet, state.stale_since) {
        (Some(Fleet::Asking), _) => {
            (format!("{} {}", spinner(look.now), t(look.lang, "ui.status.asking")), theme.dim())
        }
        (Some(Fleet::NeedsPassword), _) => (t(look.lang, "ui.status.needs_password").into_owned(), theme.doubt()),
        (_, Some(since)) => {
            let at = clock::long(since, look.now, state.offset_seconds);
            (tf(look.lang, "ui.status.stale", &[("time", &at)]), theme.doubt())
        }
        (Some(Fleet::Ok { .. }), None) => (t(look.lang, "ui.status.list_ok").into_owned(), theme.dim()),
        (Some(Fleet::Failing { .. }) | None, None) => (String::new(), theme.dim()),
    }
}

fn width(spans: &[(String, Style)]) -> u16 {
    pen::columns(spans.iter().map(|(text, _)| crate::model::text::width(text)).sum())
}

fn put(buffer: &mut Buffer, area: Rect, x: u16, spans: &[(String, Style)]) {
    let mut x = x;
    for (text, style) in spans {
        x = pen::write(buffer, area, x, 0, text, *style);
    }
}
