//! Times as people read them, in the zone that the state was given.

use crate::model::{Now, Stamp};

/// `HH:MM` today, `MM-DD` on other days: five columns.
pub(super) fn short(at: Stamp, now: Now, offset_seconds: i32) -> String {
    let Some(then) = local(at, offset_seconds) else { return String::new() };
    if local(now.wall, offset_seconds).is_some_and(|today| today.date() == then.date()) {
        format!("{:02}:{:02}", then.hour(), then.minute())
    } else {
        format!("{:02}-{:02}", then.month(), then.day())
    }
}

/// `HH:MM` today, else with the date before it.
pub(super) fn long(at: Stamp, now: Now, offset_seconds: i32) -> String {
    let Some(then) = local(at, offset_seconds) else { return String::new() };
    let clock = format!("{:02}:{:02}", then.hour(), then.minute());
    match local(now.wall, offset_seconds) {
        Some(today) if today.date() == then.date() => clock,
        Some(today) if today.year() == then.year() => format!("{:02}-{:02} {clock}", then.month(), then.day()),
        _ => format!("{}-{:02}-{:02} {clock}", then.year(), then.month(), then.day()),
    }
}

/// `HH:MM:SS`.
pub(super) fn seconds(at: Stamp, offset_seconds: i32) -> String {
    local(at, offset_seconds)
        .map(|then| format!("{:02}:{:02}:{:02}", then.hour(), then.minute(), then.second()))
        .unwrap_or_default()
}

/// What is left until a deadline, as `M:SS`; `None` when nothing is.
pub(super) fn left(deadline: Stamp, now: Stamp) -> Option<String> {
    let left = deadline.ms_since(now);
    if left <= 0 {
        return None;
    }
    let seconds = left.saturating_add(999) / 1000;
    Some(format!("{}:{:02}", seconds / 60, seconds % 60))
}

fn local(at: Stamp, offset_seconds: i32) -> Option<jiff::civil::DateTime> {
    let offset = jiff::tz::Offset::from_seconds(offset_seconds).ok()?;
    jiff::Timestamp::from_millisecond(at.0).ok().map(|at| offset.to_datetime(at))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// 2026-01-15 23:30:00 UTC.
    const LATE: i64 = 1_768_519_800_000;

    #[test]
    fn today_is_the_zones_today() {
        let now = Now { wall: Stamp(LATE), mono: Duration::ZERO };
        let hour_ago = Stamp(LATE - 3_600_000);
        assert_eq!(short(hour_ago, now, 0), "22:30");
        // One hour east of there it is tomorrow already.
        assert_eq!(short(hour_ago, now, 3_600), "01-15");
        assert_eq!(long(hour_ago, now, 3_600), "01-15 23:30");
        assert_eq!(long(Stamp(LATE - 86_400_000 * 20), now, 0), "2025-12-26 23:30");
        assert_eq!(seconds(Stamp(LATE + 5_000), -3_600), "22:30:05");
    }

    #[test]
    fn a_second_is_shown_until_it_is_over() {
        let now = Stamp(LATE);
        for (ms, text) in [(133_000, "2:13"), (132_001, "2:13"), (132_000, "2:12"), (1, "0:01")] {
            assert_eq!(left(now.plus_ms(ms), now).as_deref(), Some(text));
        }
        assert_eq!(left(now, now), None);
        assert_eq!(left(Stamp(i64::MIN), Stamp(i64::MAX)), None);
    }

    #[test]
    fn times_outside_the_calendar_are_blank() {
        let now = Now { wall: Stamp(LATE), mono: Duration::ZERO };
        assert_eq!(short(Stamp(i64::MAX), now, 0), "");
        assert_eq!(long(Stamp(LATE), now, i32::MAX), "");
    }
}
