//! What follows from what happened: uptime, drops, strips, the fleet's online count. Pure: time is an argument, and all
//! of it is reckoned in milliseconds of UTC, in which an hour is an hour and a day is 24 of them.
//!
//! Three sources, and each says only what it knows. Changes of belief say what was believed since when. The times when
//! the fleet was looked at say for how long that belief was worth something: what was believed while nobody looked, or
//! while the gateway had an outage, is not known time. The log says what was a drop: our own `offline` is none.
//!
//! A stretch of time has its beginning and not its end; a drop belongs to the stretch that ends with it.

use std::collections::HashMap;

use super::api::{Figures, History, HistoryLine, Strip};
use super::past::Past;
use crate::model::{Presence, Stamp, WcId};
use crate::store::{LogEntry, PresenceChange};

const HOUR_MS: i64 = 3_600_000;
/// The spans that figures are told for: 24 hours, 7 and 30 days.
pub const SPANS_MS: [i64; 3] = [24 * HOUR_MS, 7 * 24 * HOUR_MS, 30 * 24 * HOUR_MS];
/// How many points the fleet's online count of a day has.
pub const POINTS: usize = 48;
/// Between two of them.
const STEP_MS: i64 = HOUR_MS / 2;

/// When the fleet was looked at, in a form that answers quickly for how much of a stretch.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Begin, end, and how much there was before it; in order, apart from each other.
    spans: Vec<(i64, i64, i64)>,
}

impl Watched {
    /// From the store's spans, in whatever order.
    pub fn new(spans: &[(Stamp, Stamp)]) -> Self {
        let mut sorted: Vec<(i64, i64)> = spans.iter().map(|(since, until)| (since.0, until.0)).collect();
        sorted.sort_unstable();
        let mut apart: Vec<(i64, i64)> = Vec::new();
        for (since, until) in sorted {
            match apart.last_mut() {
                Some(last) if since <= last.1 => last.1 = last.1.max(until),
                _ => apart.push((since, until)),
            }
        }
        let mut before = 0;
        let spans = apart.into_iter().filter(|(since, until)| since < until).map(|(since, until)| {
            let span = (since, until, before);
            before += until - since;
            span
        });
        Self { spans: spans.collect() }
    }

    /// How many milliseconds from `from` to `to` somebody looked.
    pub fn ms(&self, from: Stamp, to: Stamp) -> i64 {
        if to <= from { 0 } else { self.until(to.0) - self.until(from.0) }
    }

    /// How much there was before a moment.
    fn until(&self, at: i64) -> i64 {
        let next = self.spans.partition_point(|(since, _, _)| *since < at);
        let last = next.checked_sub(1).and_then(|last| self.spans.get(last));
        last.map_or(0, |(since, until, before)| before + at.min(*until) - since)
    }
}

/// What was believed of one account from when to when, up to `now`; its changes in their order.
fn stretches<'a>(changes: &'a [&PresenceChange], now: Stamp) -> impl Iterator<Item = (Stamp, Stamp, Presence)> + 'a {
    changes.iter().enumerate().filter_map(move |(at, change)| {
        let end = changes.get(at + 1).map_or(now, |next| next.at.min(now));
        (change.at < end).then_some((change.at, end, change.presence))
    })
}

/// The changes of each account, in their order.
fn by_account(changes: &[PresenceChange]) -> HashMap<&WcId, Vec<&PresenceChange>> {
    let mut accounts: HashMap<&WcId, Vec<&PresenceChange>> = HashMap::new();
    for change in changes {
        accounts.entry(&change.wc_id).or_default().push(change);
    }
    accounts
}

/// Figures up to `now`, of one account or summed over many. `changes`: those since the longest span's begin and each
/// account's last one before; `drops`: when there was one.
pub fn figures(changes: &[PresenceChange], watched: &Watched, drops: &[Stamp], now: Stamp) -> [Figures; 3] {
    let accounts = by_account(changes);
    SPANS_MS.map(|span_ms| {
        let from = now.plus_ms(-span_ms);
        let mut figures = Figures { span_ms, ..Figures::default() };
        for (since, until, presence) in accounts.values().flat_map(|changes| stretches(changes, now)) {
            let ms = watched.ms(since.max(from), until);
            match presence {
                Presence::Online => {
                    figures.online_ms += ms;
                    figures.known_ms += ms;
                }
                Presence::Offline => figures.known_ms += ms,
                Presence::Unknown => {}
            }
        }
        let dropped = drops.iter().filter(|at| **at > from && **at <= now).count();
        figures.drops = u32::try_from(dropped).unwrap_or(u32::MAX);
        figures
    })
}

/// The 24 hours before `now` of one account. Of each hour the worst: offline, however short, since that is what a strip
/// is looked at for; online where some of it was seen and none of it offline; unknown only where nothing is known of the
/// whole hour, since not having looked is no bad news of the account.
pub fn strip(changes: &[&PresenceChange], watched: &Watched, now: Stamp) -> Strip {
    let mut strip = Strip::default();
    let mut from = now.plus_ms(-24 * HOUR_MS);
    for cell in &mut strip.0 {
        let to = from.plus_ms(HOUR_MS);
        for (since, until, presence) in stretches(changes, now) {
            let known = presence != Presence::Unknown && watched.ms(since.max(from), until.min(to)) > 0;
            if known && *cell != Presence::Offline {
                *cell = presence;
            }
        }
        from = to;
    }
    strip
}

/// [`strip`] of several accounts, in the order asked for.
pub fn strips(wc_ids: &[WcId], changes: &[PresenceChange], watched: &Watched, now: Stamp) -> Vec<(WcId, Strip)> {
    let accounts = by_account(changes);
    let of = |wc_id: &WcId| accounts.get(wc_id).map_or_else(Strip::default, |changes| strip(changes, watched, now));
    wc_ids.iter().map(|wc_id| (wc_id.clone(), of(wc_id))).collect()
}

/// How many accounts were believed online at each of [`POINTS`] moments half an hour apart, the last of them `now`. What
/// nobody looked at counts as last believed: a gap is not a fleet that fell.
pub fn online(changes: &[PresenceChange], now: Stamp) -> Vec<u32> {
    let moments: Vec<Stamp> = (0..POINTS).rev().map(|back| now.plus_ms(-(back as i64) * STEP_MS)).collect();
    let first_from = |at: Stamp| moments.partition_point(|moment| *moment < at);
    // How many begin and how many end at each moment.
    let mut turns = [(0_u32, 0_u32); POINTS];
    for changes in by_account(changes).values() {
        for (at, change) in changes.iter().enumerate().filter(|(_, change)| change.presence == Presence::Online) {
            let begin = first_from(change.at);
            let end = changes.get(at + 1).map_or(POINTS, |next| first_from(next.at));
            if begin < end {
                turns.get_mut(begin).into_iter().for_each(|turn| turn.0 += 1);
                turns.get_mut(end).into_iter().for_each(|turn| turn.1 += 1);
            }
        }
    }
    let mut count = 0;
    turns
        .iter()
        .map(|(begin, end)| {
            count = count + begin - end;
            count
        })
        .collect()
}

/// Lines of the log for people; `name` knows what an account is called.
pub fn lines(entries: Vec<LogEntry>, name: impl Fn(&WcId) -> Option<Box<str>>) -> Vec<HistoryLine> {
    let line = |entry: LogEntry| HistoryLine {
        account: entry
            .wc_id
            .as_ref()
            .map(|wc_id| name(wc_id).unwrap_or_else(|| wc_id.as_str().into()))
            .unwrap_or_default(),
        at: entry.at,
        wc_id: entry.wc_id,
        event: entry.event,
        cause: entry.cause,
        reason: entry.reason,
        gateway_message: entry.gateway_message,
        w_id: entry.w_id,
    };
    entries.into_iter().map(line).collect()
}

/// The whole history of one account, or of the fleet.
pub fn history(wc_id: Option<WcId>, past: Past, name: impl Fn(&WcId) -> Option<Box<str>>, now: Stamp) -> History {
    let watched = Watched::new(&past.watched);
    let figures = figures(&past.changes, &watched, &past.drops, now);
    let (strip, online) = match &wc_id {
        Some(_) => (strip(&past.changes.iter().collect::<Vec<_>>(), &watched, now), Vec::new()),
        None => (Strip::default(), online(&past.changes, now)),
    };
    History { wc_id, lines: lines(past.entries, name), figures, strip, online }
}
