//! Durations as people write them.

use std::time::Duration;

/// Reads `30s`, `5m`, `1h 30m`, or a plain number of seconds. `None` when it is none, negative or zero.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let span = match text.parse::<u32>() {
        Ok(seconds) => Duration::from_secs(u64::from(seconds)),
        Err(_) => Duration::try_from(text.parse::<jiff::SignedDuration>().ok()?).ok()?,
    };
    (!span.is_zero()).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_durations_in_many_ways() {
        for (text, seconds) in
            [("30s", Some(30)), ("5m", Some(300)), ("1h 30m", Some(5400)), ("90", Some(90)), ("PT30S", Some(30))]
        {
            assert_eq!(parse(text).map(|d| d.as_secs()), seconds, "{text}");
        }
        for text in ["", "0", "0s", "-5s", "soon", "30 parsecs", "99999999999999999999h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
