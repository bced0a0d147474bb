//! How often an account's phone may be asked in a day, and how long it rests after it said no: pure.
//!
//! What was refused rests, and nothing else: a refused second login rests second logins. A code rings nobody's phone, and
//! is the way that is advised then.
//!
//! Every second login pops a dialog on a person's phone and every code is a new instance at the gateway; both in
//! numbers look like abuse to WeChat. The budget is kept per account in the store. Adopting costs nothing.

use serde::{Deserialize, Serialize};

use super::Stamp;

/// What is counted, over this long.
const DAY_MS: i64 = 24 * 3_600_000;
/// How long an account rests after its first, second, third and every further refusal.
const RESTS_MS: [i64; 3] = [600_000, 3_600_000, 6 * 3_600_000];
/// So many of a kind are remembered however old they are: the clock that calls them old may be ahead.
const REMEMBERED: usize = 16;

/// What an account may cost in 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// secondLogins.
    pub second_logins: u8,
    /// Codes.
    pub codes: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self { second_logins: 3, codes: 12 }
    }
}

/// What an account has cost lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// When secondLogins were sent, oldest first.
    #[serde(default)]
    pub second_logins: Vec<Stamp>,
    /// When codes were asked for, oldest first.
    #[serde(default)]
    pub codes: Vec<Stamp>,
    /// Refusals in a row: a login ends the row.
    #[serde(default)]
    pub refusals: u8,
    /// Until when second logins rest, if one was refused.
    #[serde(default)]
    pub rests_until: Option<Stamp>,
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cost {
    /// A secondLogin.
    SecondLogin,
    /// A code.
    Code,
}

/// Why a login is beyond the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// It would be number `next` of this kind in 24 hours; `free_at`: when the oldest is a day old.
    Spent {
        /// Of which kind.
        cost: Cost,
        /// The number it would have.
        next: u8,
        /// How many there may be.
        limit: u8,
        /// When there is room again.
        free_at: Stamp,
    },
    /// Second logins rest after refusals.
    Resting {
        /// Until when.
        until: Stamp,
    },
}

impl Over {
    /// When there is room again.
    pub const fn until(self) -> Stamp {
        match self {
            Self::Spent { free_at: until, .. } | Self::Resting { until } => until,
        }
    }
}

impl Budget {
    /// How many of a kind were sent in the 24 hours before `now`.
    pub fn spent(&self, cost: Cost, now: Stamp) -> u8 {
        let recent = self.of(cost).iter().filter(|at| now.ms_since(**at) < DAY_MS).count();
        u8::try_from(recent).unwrap_or(u8::MAX)
    }

    /// Why one more of a kind is beyond the budget; `None`: it is not.
    pub fn over(&self, cost: Cost, limits: Limits, now: Stamp) -> Option<Over> {
        if let (Cost::SecondLogin, Some(until)) = (cost, self.rest(now)) {
            return Some(Over::Resting { until });
        }
        let limit = match cost {
            Cost::SecondLogin => limits.second_logins,
            Cost::Code => limits.codes,
        };
        let spent = self.spent(cost, now);
        if spent < limit {
            return None;
        }
        // Room comes when the one that is `limit` from the end is a day old.
        let counted = self.of(cost);
        let oldest = counted.len().checked_sub(usize::from(limit)).and_then(|at| counted.get(at));
        let free_at = oldest.map_or(now, |at| at.not_after(now).plus_ms(DAY_MS));
        Some(Over::Spent { cost, next: spent.saturating_add(1), limit, free_at })
    }

    /// Until when second logins rest, if they do. However far ahead the clock was that noted it: no longer than a refusal like the
    /// last one lets it rest.
    pub fn rest(&self, now: Stamp) -> Option<Stamp> {
        let longest = now.plus_ms(rest_ms(self.refusals.saturating_sub(1)));
        self.rests_until.map(|until| until.min(longest)).filter(|until| now < *until)
    }

    /// What a clock that was ahead has noted counts as noted at `now`: from here on it ages like everything else.
    pub fn bring_back(&mut self, now: Stamp) {
        for sent in self.second_logins.iter_mut().chain(&mut self.codes) {
            *sent = sent.not_after(now);
        }
        let rest = self.rest(now);
        self.rests_until = self.rests_until.filter(|until| *until <= now).or(rest);
    }

    /// Notes one of a kind, sent at `at`; what was older than a day when the one before it was sent goes.
    pub fn spend(&mut self, cost: Cost, at: Stamp) {
        let counted = match cost {
            Cost::SecondLogin => &mut self.second_logins,
            Cost::Code => &mut self.codes,
        };
        let before = counted.last().copied().unwrap_or(at);
        let mut forgettable = counted.len().saturating_sub(REMEMBERED);
        counted.retain(|sent| {
            let keep = forgettable == 0 || before.ms_since(*sent).abs() < DAY_MS;
            forgettable = forgettable.saturating_sub(1);
            keep
        });
        counted.push(at);
    }

    /// Takes the last of a kind back: it was noted, and then could not be sent.
    pub fn take_back(&mut self, cost: Cost) {
        match cost {
            Cost::SecondLogin => self.second_logins.pop(),
            Cost::Code => self.codes.pop(),
        };
    }

    /// The phone said no to a second login at `at`: there is none for a while.
    pub fn refused(&mut self, at: Stamp) {
        let rest = rest_ms(self.refusals);
        self.refusals = self.refusals.saturating_add(1);
        self.rests_until = Some(at.plus_ms(rest));
    }

    /// A login succeeded: the rest is over.
    pub const fn succeeded(&mut self) {
        self.refusals = 0;
        self.rests_until = None;
    }

    fn of(&self, cost: Cost) -> &[Stamp] {
        match cost {
            Cost::SecondLogin => &self.second_logins,
            Cost::Code => &self.codes,
        }
    }
}

/// How long a refusal after so many others lets an account rest.
fn rest_ms(refusals: u8) -> i64 {
    RESTS_MS.get(usize::from(refusals)).or(RESTS_MS.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn the_fourth_of_a_day_is_over_and_has_room_a_day_after_the_first() {
        let mut budget = Budget::default();
        for hour in [0, 2, 5] {
            assert_eq!(budget.over(Cost::SecondLogin, Limits::default(), Stamp(hour * HOUR)), None);
            budget.spend(Cost::SecondLogin, Stamp(hour * HOUR));
        }
        let over = budget.over(Cost::SecondLogin, Limits::default(), Stamp(6 * HOUR));
        let expected = Over::Spent { cost: Cost::SecondLogin, next: 4, limit: 3, free_at: Stamp(24 * HOUR) };
        assert_eq!(over, Some(expected));
        assert_eq!(budget.over(Cost::Code, Limits::default(), Stamp(6 * HOUR)), None, "codes count for themselves");
        assert_eq!(budget.over(Cost::SecondLogin, Limits::default(), Stamp(24 * HOUR)), None);
        // Sent all the same, on a person's yes: room comes later.
        budget.spend(Cost::SecondLogin, Stamp(7 * HOUR));
        budget.spend(Cost::SecondLogin, Stamp(7 * HOUR + 1));
        budget.take_back(Cost::SecondLogin);
        budget.take_back(Cost::Code);
        let Some(Over::Spent { next, free_at, .. }) =
            budget.over(Cost::SecondLogin, Limits::default(), Stamp(8 * HOUR))
        else {
            panic!("not over")
        };
        assert_eq!((next, free_at), (5, Stamp(26 * HOUR)));
    }

    #[test]
    fn refusals_rest_longer_each_time_and_a_login_ends_that() {
        let mut budget = Budget::default();
        for (round, rest) in [600_000, HOUR, 6 * HOUR, 6 * HOUR].into_iter().enumerate() {
            let at = Stamp(round as i64 * 24 * HOUR);
            budget.refused(at);
            let until = at.plus_ms(rest);
            let over = |cost, ms| budget.over(cost, Limits::default(), until.plus_ms(ms));
            assert_eq!(over(Cost::SecondLogin, -1), Some(Over::Resting { until }));
            assert_eq!(over(Cost::Code, -1), None, "a code is another way");
            assert_eq!(over(Cost::SecondLogin, 0), None);
        }
        budget.refused(Stamp(0));
        budget.succeeded();
        assert_eq!(budget, Budget::default());
    }

    #[test]
    fn what_a_clock_that_was_ahead_noted_lasts_no_longer_than_its_kind() {
        let ahead = |ms: i64| Stamp(365 * 24 * HOUR + ms);
        let mut budget = Budget::default();
        budget.spend(Cost::Code, Stamp(0));
        for ms in 0..3 {
            budget.spend(Cost::SecondLogin, ahead(ms));
        }
        budget.refused(ahead(3));
        // The clock is right again, and everything was just now.
        let now = Stamp(HOUR);
        assert_eq!(budget.rest(now), Some(now.plus_ms(600_000)));
        assert_eq!((budget.spent(Cost::SecondLogin, now), budget.spent(Cost::Code, now)), (3, 1));
        budget.bring_back(now);
        let over = |at: Stamp| budget.over(Cost::SecondLogin, Limits::default(), at);
        assert_eq!(over(now), Some(Over::Resting { until: now.plus_ms(600_000) }));
        let spent = Over::Spent { cost: Cost::SecondLogin, next: 4, limit: 3, free_at: now.plus_ms(24 * HOUR) };
        assert_eq!(over(now.plus_ms(600_000)), Some(spent));
        assert_eq!(over(now.plus_ms(24 * HOUR)), None);
        // Nothing is different the second time, nor of a budget that no such clock has touched.
        for at in [now, now.plus_ms(HOUR)] {
            let mut again = budget.clone();
            again.bring_back(at);
            assert_eq!(again, budget);
        }
    }

    #[test]
    fn a_clock_that_is_ahead_makes_nobody_forget() {
        let mut budget = Budget::default();
        for hour in 0..3 {
            budget.spend(Cost::Code, Stamp(hour * HOUR));
        }
        for _ in 0..3 {
            budget.spend(Cost::Code, Stamp(9_000 * HOUR));
        }
        assert_eq!(budget.spent(Cost::Code, Stamp(4 * HOUR)), 6);
        // Nor does it grow for ever.
        for day in 0..99 {
            budget.spend(Cost::Code, Stamp(day * 25 * HOUR));
        }
        assert!(budget.codes.len() <= REMEMBERED + 1, "{}", budget.codes.len());
    }
}
