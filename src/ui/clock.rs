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
