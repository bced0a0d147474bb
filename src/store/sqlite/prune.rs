//! What is old goes, and only where the clock that calls it old can be believed.

use sqlx::sqlite::SqliteConnection;

use super::super::types::Result;
use super::Sqlite;
use crate::model::Stamp;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Old things are looked for this often, as long as anything is written.
const LOOK_MS: i64 = 6 * HOUR_MS;
/// A clock that goes back by more than this was set.
const SLACK_MS: i64 = HOUR_MS;
/// How long an ended attempt is remembered, for a success that is told again or late: far longer than any code lives.
const ATTEMPTS_MS: i64 = 30 * DAY_MS;
/// Every line of so many days of the log is kept, what was believed then, and when somebody looked: a month's figures
/// are counted from them.
const MONTH_MS: i64 = 31 * DAY_MS;
/// No line is kept longer.
const LONGEST_MS: i64 = 90 * DAY_MS;
/// Of the lines between the two, those among the file's newest so many.
const LINES: i64 = 200_000;

/// What a clock says that was last looked at when it said `last`, and has gone on without a jump since `from`.
#[derive(Debug, PartialEq, Eq)]
enum Clock {
    /// It was looked at a moment ago.
    Same,
    /// It is not known yet whether it can be believed: it runs since this moment, or it was set, or nobody looked for
    /// longer than a day, which is the same from here.
    New,
    /// It goes on. Whether what it calls old may go: it has run for a day.
    GoesOn { believed: bool },
}

fn look(from: i64, last: i64, at: i64) -> Clock {
    match at.saturating_sub(last) {
        passed if !(-SLACK_MS..=DAY_MS).contains(&passed) => Clock::New,
        passed if passed < LOOK_MS => Clock::Same,
        _ => Clock::GoesOn { believed: at.saturating_sub(from) >= DAY_MS },
    }
}

impl Sqlite {
    /// Deletes what is older than it is worth, a few times a day. Belongs into a transaction that writes at `at`.
    ///
    /// A clock that is ahead would call everything old. What is stored tells one that has jumped from one that has gone
    /// on: a clock that stands more than a day past the last that was stored deletes nothing before it has run on for
    /// a day.
    pub(super) async fn prune(&self, tx: &mut SqliteConnection, at: Stamp) -> Result<()> {
        let query = sqlx::query_as(sql!("clock")).bind(self.profile());
        let (from, last): (Option<i64>, Option<i64>) = query.fetch_one(&mut *tx).await?;
        let known = from.zip(last);
        let clock = known.map_or(Clock::New, |(from, last)| look(from, last, at.0));
        let (from, believed) = match (clock, known) {
            (Clock::Same, _) => return Ok(()),
            (Clock::GoesOn { believed }, Some((from, _))) => (from, believed),
            (Clock::New | Clock::GoesOn { .. }, _) => (at.0, false),
        };
        sqlx::query(sql!("clock_set")).bind(self.profile()).bind(from).bind(at.0).execute(&mut *tx).await?;
        if !believed {
            return Ok(());
        }
        let old = |kept: i64| at.plus_ms(-kept).0;
        for (statement, before) in [
            (sql!("attempts_prune"), old(ATTEMPTS_MS)),
            (sql!("presences_prune"), old(MONTH_MS)),
            (sql!("watched_prune"), old(MONTH_MS)),
        ] {
            sqlx::query(statement).bind(self.profile()).bind(before).execute(&mut *tx).await?;
        }
        let log = sqlx::query(sql!("log_prune")).bind(self.profile()).bind(old(MONTH_MS)).bind(old(LONGEST_MS));
        log.bind(LINES).execute(tx).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_believed_when_it_has_run_for_a_day() {
        let year = 365 * DAY_MS;
        for (from, last, at, clock) in [
            (0, 0, LOOK_MS - 1, Clock::Same),
            (0, 0, LOOK_MS, Clock::GoesOn { believed: false }),
            (0, DAY_MS - LOOK_MS, DAY_MS, Clock::GoesOn { believed: true }),
            (0, 9 * DAY_MS, 10 * DAY_MS, Clock::GoesOn { believed: true }),
            // It jumped ahead, or nobody looked.
            (0, 9 * DAY_MS, 10 * DAY_MS + 1, Clock::New),
            (0, year, 2 * year, Clock::New),
            // It jumped back; by little, it is as good as the same.
            (0, year, year - SLACK_MS, Clock::Same),
            (0, year, year - SLACK_MS - 1, Clock::New),
            (0, year, 0, Clock::New),
        ] {
            assert_eq!(look(from, last, at), clock, "{from} {last} {at}");
        }
    }
}
