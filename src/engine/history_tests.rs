//! [`super::history`] as tables, and against a reckoning minute by minute as a spreadsheet does it.

use crate::property::cases;
use proptest::prelude::*;

use super::api::{Figures, Strip};
use super::history::{POINTS, SPANS_MS, Watched, figures, history, online, strip, strips};
use super::past::Past;
use crate::model::Presence::{self, Offline, Online, Unknown};
use crate::model::{Stamp, WcId};
use crate::store::{LogEntry, PresenceChange};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Some moment, far enough from the epoch for a month before it; on no round hour.
const NOW: Stamp = Stamp(1_790_000_000_123);

/// So long before now.
fn ago(ms: i64) -> Stamp {
    NOW.plus_ms(-ms)
}

fn change(wc_id: &str, at: Stamp, presence: Presence) -> PresenceChange {
    PresenceChange { wc_id: wc_id.into(), at, presence }
}

fn of_a(changes: &[(i64, Presence)]) -> Vec<PresenceChange> {
    changes.iter().map(|(back, presence)| change("a", ago(*back), *presence)).collect()
}

fn looked(spans: &[(i64, i64)]) -> Watched {
    let spans: Vec<(Stamp, Stamp)> = spans.iter().map(|(since, until)| (ago(*since), ago(*until))).collect();
    Watched::new(&spans)
}

/// Online and known hours of the last day, and drops.
fn day(changes: &[(i64, Presence)], watched: &Watched, drops: &[i64]) -> (i64, i64, u32) {
    let drops: Vec<Stamp> = drops.iter().map(|back| ago(*back)).collect();
    let [day, ..] = figures(&of_a(changes), watched, &drops, NOW);
    (day.online_ms, day.known_ms, day.drops)
}

#[test]
fn the_figures_of_a_day() {
    let always = looked(&[(40 * DAY, 0)]);
    for (what, changes, drops, expected) in [
        ("nothing is known", &[][..], &[][..], (0, 0, 0)),
        ("online all along", &[(50 * HOUR, Online)], &[], (24 * HOUR, 24 * HOUR, 0)),
        ("since its begin to the millisecond", &[(DAY, Online)], &[], (DAY, DAY, 0)),
        ("known for six hours", &[(6 * HOUR, Online)], &[], (6 * HOUR, 6 * HOUR, 0)),
        (
            "a drop of two hours",
            &[(50 * HOUR, Online), (5 * HOUR, Offline), (3 * HOUR, Online)],
            &[5 * HOUR],
            (22 * HOUR, 24 * HOUR, 1),
        ),
        (
            "taken off line by us: offline, but no drop",
            &[(50 * HOUR, Online), (4 * HOUR, Offline)],
            &[],
            (20 * HOUR, 24 * HOUR, 0),
        ),
        (
            "unknown in between is not known",
            &[(50 * HOUR, Online), (4 * HOUR, Unknown), (HOUR, Online)],
            &[],
            (21 * HOUR, 21 * HOUR, 0),
        ),
        ("back at the very begin", &[(30 * HOUR, Offline), (DAY, Online)], &[], (DAY, DAY, 0)),
        ("a drop at the very begin is the day before's", &[(30 * HOUR, Online), (DAY, Offline)], &[DAY], (0, DAY, 0)),
        (
            "a drop this very moment counts, and has taken no time",
            &[(30 * HOUR, Online), (0, Offline)],
            &[0],
            (DAY, DAY, 1),
        ),
        ("what is to come changes nothing", &[(30 * HOUR, Online), (-HOUR, Offline)], &[-HOUR], (DAY, DAY, 0)),
    ] {
        assert_eq!(day(changes, &always, drops), expected, "{what}");
    }
}

#[test]
fn only_watched_time_is_known() {
    let changes = [(50 * HOUR, Online), (10 * HOUR, Offline), (2 * HOUR, Online)];
    for (what, watched, expected) in [
        ("nobody ever looked", looked(&[]), (0, 0)),
        ("one list at one moment", looked(&[(5 * HOUR, 5 * HOUR)]), (0, 0)),
        ("an outage of four hours", looked(&[(DAY, 8 * HOUR), (4 * HOUR, 0)]), (14 * HOUR + 2 * HOUR, 20 * HOUR)),
        ("spans that touch and overlap", looked(&[(3 * HOUR, HOUR), (2 * HOUR, 0), (HOUR, 0)]), (2 * HOUR, 3 * HOUR)),
    ] {
        let (online, known, _) = day(&changes, &watched, &[]);
        assert_eq!((online, known), expected, "{what}");
    }
}

#[test]
fn the_longer_spans_hold_the_shorter_and_the_fleet_is_the_sum() {
    let always = looked(&[(40 * DAY, 0)]);
    let mut changes = of_a(&[(40 * DAY, Online), (20 * DAY, Offline), (19 * DAY, Online), (2 * DAY, Offline)]);
    let drops = [ago(20 * DAY), ago(2 * DAY)];
    let [day, week, month] = figures(&changes, &always, &drops, NOW);
    assert_eq!((day.online_ms, week.online_ms, month.online_ms), (0, 5 * DAY, 27 * DAY));
    assert_eq!((day.drops, week.drops, month.drops), (0, 1, 2));
    assert_eq!([day, week, month].map(|figures| figures.span_ms), SPANS_MS);
    assert_eq!(month.uptime(), Some(0.9));
    assert_eq!(month.between_drops_ms(), Some(27 * DAY / 2));
    // Another account, online for a day and known for no longer.
    changes.push(change("b", ago(DAY), Online));
    let [_, _, fleet] = figures(&changes, &always, &drops, NOW);
    assert_eq!(fleet, Figures { online_ms: 28 * DAY, known_ms: 31 * DAY, ..month });
}

#[test]
fn a_strip_shows_the_worst_of_each_hour() {
    let always = looked(&[(2 * DAY, 0)]);
    // Hour 3 from the end has a minute offline; the next hour begins online on its boundary.
    let changes = of_a(&[(20 * HOUR, Online), (2 * HOUR + MINUTE, Offline), (2 * HOUR, Online), (HOUR + 10, Unknown)]);
    let Strip(cells) = strip(&changes.iter().collect::<Vec<_>>(), &always, NOW);
    let mut expected = [Online; 24];
    expected[..4].fill(Unknown);
    expected[21] = Offline;
    expected[23] = Unknown;
    assert_eq!(cells, expected);
    // Nobody looked while it was off line.
    let gap = looked(&[(2 * DAY, 3 * HOUR), (2 * HOUR, 0)]);
    let Strip(cells) = strip(&changes.iter().collect::<Vec<_>>(), &gap, NOW);
    assert_eq!(cells[21], Unknown);
    let asked = ["b".into(), "a".into()] as [WcId; 2];
    let both = strips(&asked, &changes, &gap, NOW);
    assert_eq!(both, [("b".into(), Strip::default()), ("a".into(), Strip(cells))]);
}

#[test]
fn the_online_count_is_taken_every_half_hour() {
    let changes = [
        change("a", ago(50 * HOUR), Online),
        change("b", ago(2 * HOUR), Online),
        change("a", ago(HOUR), Offline),
        change("b", ago(1), Unknown),
        change("a", ago(0), Online),
    ];
    let counts = online(&changes, NOW);
    assert_eq!(counts.len(), POINTS);
    assert_eq!(counts[..43], [1; 43]);
    // Two hours ago to the moment b was online; an hour ago to the moment a was not.
    assert_eq!(counts[43..], [2, 2, 1, 1, 1]);
    assert_eq!(online(&[], NOW), vec![0; POINTS]);
}

#[test]
fn a_history_has_what_belongs_to_whom_it_is_of() {
    let entry = LogEntry {
        at: ago(HOUR),
        wc_id: Some("a".into()),
        event: "dropped".into(),
        reason: None,
        gateway_message: None,
        w_id: None,
        cause: Some("list".into()),
    };
    let past = || Past {
        entries: vec![entry.clone(), LogEntry { wc_id: Some("gone".into()), ..entry.clone() }],
        changes: of_a(&[(2 * DAY, Online)]),
        drops: vec![ago(HOUR)],
        watched: vec![(ago(40 * DAY), NOW)],
    };
    let name = |wc_id: &WcId| (wc_id.as_str() == "a").then(|| "小诺".into());
    let one = history(Some("a".into()), past(), name, NOW);
    assert_eq!((one.strip, one.online.len(), one.figures[0].drops), (Strip([Online; 24]), 0, 1));
    let names: Vec<&str> = one.lines.iter().map(|line| &*line.account).collect();
    assert_eq!(names, ["小诺", "gone"], "an account that was removed is named by its id");
    assert_eq!(one.lines[0].cause.as_deref(), Some("list"));
    let fleet = history(None, past(), name, NOW);
    assert_eq!((fleet.strip, fleet.online), (Strip::default(), vec![1; POINTS]));
}

/// A month as a spreadsheet has it: a row a minute, what was believed in it, whether somebody looked.
struct Sheet {
    rows: Vec<(Presence, bool)>,
    drops: Vec<bool>,
}

const MINUTES: usize = 30 * 24 * 60;

impl Sheet {
    fn new(changes: &[(usize, Presence)], spans: &[(usize, usize)], drops: &[usize]) -> Self {
        let believed =
            |minute: usize| changes.iter().rfind(|(at, _)| *at <= minute).map_or(Unknown, |(_, presence)| *presence);
        let seen = |minute: usize| spans.iter().any(|(since, until)| (*since..*until).contains(&minute));
        let rows = (0..MINUTES).map(|minute| (believed(minute), seen(minute))).collect();
        Self { rows, drops: (0..MINUTES).map(|minute| drops.contains(&minute)).collect() }
    }

    fn figures(&self, minutes: usize) -> Figures {
        let rows = &self.rows[MINUTES - minutes..];
        let count = |wanted: &[Presence]| {
            rows.iter().filter(|(presence, seen)| *seen && wanted.contains(presence)).count() as i64 * MINUTE
        };
        Figures {
            span_ms: minutes as i64 * MINUTE,
            online_ms: count(&[Online]),
            known_ms: count(&[Online, Offline]),
            drops: self.drops[MINUTES - minutes..].iter().filter(|drop| **drop).count() as u32,
        }
    }

    fn strip(&self) -> Strip {
        let mut cells = [Unknown; 24];
        for (cell, hour) in cells.iter_mut().zip(self.rows[MINUTES - 24 * 60..].chunks(60)) {
            let seen = |presence| hour.contains(&(presence, true));
            *cell = if seen(Offline) {
                Offline
            } else if seen(Online) {
                Online
            } else {
                Unknown
            };
        }
        Strip(cells)
    }
}

/// Minutes, many of them in the last day, where all the spans have their say.
fn minute() -> impl Strategy<Value = usize> {
    prop_oneof![0..MINUTES, MINUTES - 24 * 60..MINUTES, (0..30_usize * 24).prop_map(|hour| hour * 60)]
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn the_figures_are_a_spreadsheets(
        mut changes in prop::collection::btree_map(minute(), prop::sample::select(vec![Online, Offline, Unknown]), 0..30),
        mut edges in prop::collection::btree_set(minute(), 0..12),
        drops in prop::collection::btree_set(minute(), 0..8),
        before in prop::option::of(prop::sample::select(vec![Online, Offline])),
    ) {
        let begin = ago(MINUTES as i64 * MINUTE);
        let at = |minute: usize| begin.plus_ms(minute as i64 * MINUTE);
        if edges.len() % 2 == 1 {
            edges.pop_last();
        }
        let edges: Vec<usize> = edges.into_iter().collect();
        let spans: Vec<(usize, usize)> = edges.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        let mut rows: Vec<PresenceChange> = before.map(|presence| change("a", begin.plus_ms(-DAY), presence)).into_iter().collect();
        rows.extend(changes.iter().map(|(minute, presence)| change("a", at(*minute), *presence)));
        if let Some(presence) = before {
            changes.entry(0).or_insert(presence);
        }
        let changes: Vec<(usize, Presence)> = changes.into_iter().collect();
        let sheet_drops: Vec<usize> = drops.iter().copied().collect();
        let sheet = Sheet::new(&changes, &spans, &sheet_drops);
        let watched: Vec<(Stamp, Stamp)> = spans.iter().map(|(since, until)| (at(*since), at(*until))).collect();
        let watched = Watched::new(&watched);
        // A drop within its minute, not on its edge.
        let drops: Vec<Stamp> = drops.iter().map(|minute| at(*minute).plus_ms(1)).collect();
        let figures = figures(&rows, &watched, &drops, NOW);
        prop_assert_eq!(figures, [24 * 60, 7 * 24 * 60, MINUTES].map(|minutes| sheet.figures(minutes)));
        prop_assert_eq!(strip(&rows.iter().collect::<Vec<_>>(), &watched, NOW), sheet.strip());
        let counts: Vec<u32> = (0..POINTS).rev().map(|back| {
            // The row that begins at the moment; at the moment itself, now, the last one.
            let minute = MINUTES - back * 30;
            u32::from(sheet.rows.get(minute).or(sheet.rows.last()).is_some_and(|(presence, _)| *presence == Online))
        }).collect();
        prop_assert_eq!(online(&rows, NOW), counts);
    }
}
