//! The gateways that there may be: every pair of settings of two knobs comes up.

use saoma::model::Dialect;
use saoma::simulator::{Knobs, PollNeed, ReplyWId};

/// One setting of everything that nobody knows of the real gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) dialect: Dialect,
    need: PollNeed,
    dies_with_socket: bool,
    pub(crate) replay: bool,
    new_kills_old: bool,
    reply: ReplyWId,
    short_codes: bool,
    tells_status: bool,
    slow_second: bool,
}

/// How many values each knob has, in the order of [`Setting`]'s fields.
const SIZES: [usize; 9] = [2, 3, 2, 2, 2, 3, 2, 2, 2];

type Row = [usize; SIZES.len()];

/// Rows in which every pair of values of two knobs occurs: greedy, from random rows.
fn rows(random: &mut fastrand::Rng) -> Vec<Row> {
    let mut missing = std::collections::HashSet::new();
    for (a, size_a) in SIZES.iter().enumerate() {
        for (b, size_b) in SIZES.iter().enumerate().skip(a + 1) {
            missing.extend((0..*size_a).flat_map(|x| (0..*size_b).map(move |y| (a, x, b, y))));
        }
    }
    let mut rows = Vec::new();
    while !missing.is_empty() {
        let candidates = (0..50).map(|_| SIZES.map(|size| random.usize(..size)));
        let hits = |row: &Row| missing.iter().filter(|(a, x, b, y)| row[*a] == *x && row[*b] == *y).count();
        let best = candidates.max_by_key(hits).unwrap();
        missing.retain(|(a, x, b, y)| !(best[*a] == *x && best[*b] == *y));
        rows.push(best);
    }
    rows
}

/// How many rounds it takes until every pair has come up.
pub(crate) fn pairs_take(seed: u64) -> usize {
    rows(&mut fastrand::Rng::with_seed(seed)).len()
}

/// The setting of a round: first those that cover all pairs, then any.
pub(crate) fn setting(seed: u64, round: usize) -> Setting {
    let rows = rows(&mut fastrand::Rng::with_seed(seed));
    let row = rows.get(round).copied().unwrap_or_else(|| {
        let mut random = fastrand::Rng::with_seed(seed ^ (round as u64) << 20);
        SIZES.map(|size| random.usize(..size))
    });
    Setting {
        dialect: [Dialect::V1, Dialect::V2][row[0]],
        need: [PollNeed::No, PollNeed::Later, PollNeed::Lost][row[1]],
        dies_with_socket: row[2] == 1,
        replay: row[3] == 1,
        new_kills_old: row[4] == 1,
        reply: [ReplyWId::Same, ReplyWId::Different, ReplyWId::Missing][row[5]],
        short_codes: row[6] == 1,
        tells_status: row[7] == 1,
        slow_second: row[8] == 1,
    }
}

impl Setting {
    pub(crate) fn knobs(self) -> Knobs {
        // Simulated milliseconds: a hundredth of that in real time.
        let life = self.short_codes.then_some(25_000);
        Knobs {
            login_needs_poll: self.need,
            second_login_dies_with_socket: self.dies_with_socket,
            success_replay: self.replay,
            new_code_kills_old: self.new_kills_old,
            reply_w_id: self.reply,
            code_life_ms: life,
            dialog_life_ms: life,
            poll_tells_status: self.tells_status,
            second_login_slow_ms: if self.slow_second { 4_000 } else { 0 },
            ..Knobs::default()
        }
    }
}
