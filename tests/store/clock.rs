//! Clocks that are set: back and ahead, by seconds and by a year, in the middle of everything, under two processes that
//! share one store. What counts as newer, what is believed, what is kept and what is due must not hang on them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::property::cases;
use proptest::prelude::*;
use saoma::engine::presence::{Judge, Rules, is_stale};
use saoma::model::{Account, Began, Cost, Presence, Rung, Stamp, WId, WcId};
use saoma::store::Store;

use super::support::{CODE_LIFE, beside, raw, record, started};

const NOW: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const YEAR: i64 = 365 * 24 * HOUR;
const OFFLINE_AFTER: u8 = 2;
/// The longest rest, the window of a budget, the longest pause of an alert.
const REST: i64 = 6 * HOUR;
const DAY: i64 = 24 * HOUR;
const PAUSE: i64 = 15 * MINUTE;
/// Others who are online all the time, so that one who is missing is no outage.
const OTHERS: usize = 6;
const INTERVAL: Duration = Duration::from_secs(30);

/// How far a clock is from the right one.
fn offset() -> impl Strategy<Value = i64> {
    let set = [3_000, 10 * MINUTE, 8 * HOUR, YEAR];
    let set = set.into_iter().flat_map(|ms| [ms, -ms]).collect::<Vec<_>>();
    prop_oneof![2 => Just(0), 3 => proptest::sample::select(set)]
}

/// What happens, and by which of the two processes.
#[derive(Clone, Copy, Debug)]
enum What {
    /// A login, to its end.
    Login,
    /// The account drops, and is looked for until that is believed.
    Drop,
    /// It comes back by itself.
    Recover,
    /// Somebody else logs it in: lists show another wId.
    Elsewhere,
    /// A code that was asked for before all that came since is confirmed now.
    Late,
    /// The phone says no to a second login.
    Refuse,
    /// The bots are told what they can be told.
    Tell,
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        3 => Just(What::Login),
        3 => Just(What::Drop),
        2 => Just(What::Recover),
        2 => Just(What::Elsewhere),
        2 => Just(What::Late),
        1 => Just(What::Refuse),
        1 => Just(What::Tell),
    ]
}

struct Process {
    store: Store,
    judge: Judge,
    known: HashMap<WcId, Account>,
}

impl Process {
    fn new(store: Store) -> Self {
        let judge = Judge::new(Rules { offline_after: OFFLINE_AFTER, checks: true });
        Self { store, judge, known: HashMap::new() }
    }
}

struct World {
    folder: tempfile::TempDir,
    processes: [Process; 2],
    /// Real time, and how far from it the clock is from one moment to the next.
    real: i64,
    offsets: std::iter::Cycle<std::vec::IntoIter<i64>>,
    offset: i64,
    /// The wId that lives, and the account's last one.
    live: Option<String>,
    current: Option<String>,
    made: u32,
    lines: i64,
}

fn wc_id() -> WcId {
    "wxid_a".into()
}

impl World {
    async fn new(offsets: Vec<i64>) -> Self {
        let (folder, store) = super::support::store().await;
        let other = beside(&folder).await;
        let mut world = Self {
            folder,
            processes: [Process::new(store), Process::new(other)],
            real: NOW,
            offsets: offsets.into_iter().cycle(),
            offset: 0,
            live: None,
            current: None,
            made: 0,
            lines: 0,
        };
        world.list(0).await;
        world.login(0).await;
        world
    }

    /// The clock, which may be set at any moment.
    fn clock(&mut self) -> Stamp {
        self.real += 1_000;
        self.offset = self.offsets.next().unwrap();
        Stamp(self.real + self.offset)
    }

    fn new_w_id(&mut self) -> String {
        self.made += 1;
        format!("w{}", self.made)
    }

    async fn begin(&mut self, by: usize) -> Began {
        let at = self.clock();
        let mono = Duration::from_millis((self.real - NOW).unsigned_abs());
        Began { at, mono, order: self.processes[by].store.order().await.unwrap() }
    }

    /// A list is asked for, judged and stored, as the engine does it.
    async fn list(&mut self, by: usize) {
        let began = self.begin(by).await;
        let others = (0..OTHERS).map(|n| (format!("wxid_{n}").into(), Some(format!("o{n}").into())));
        let own = self.live.as_deref().map(|w_id| (wc_id(), Some(WId::from(w_id))));
        let entries: Vec<(WcId, Option<WId>)> = others.chain(own).collect();
        let Process { store, judge, known } = &mut self.processes[by];
        let accounts = store.accounts().await.unwrap();
        let accounts: HashMap<WcId, Account> =
            accounts.into_iter().map(|account| (account.wc_id.clone(), account)).collect();
        for (wc_id, account) in &accounts {
            let Some(before) = known.get(wc_id) else { continue };
            if before.presence != account.presence {
                judge.decided(wc_id);
            }
            if before.settled < account.settled {
                judge.logged_in(wc_id);
            }
        }
        let judgement = judge.list(began, &entries, &accounts, &HashSet::new());
        assert!(judgement.plausible && judgement.ask.is_empty());
        store.note_list(began, &judgement.verdicts, &judgement.unknown, &judgement.alerts).await.unwrap();
        store.confirm_w_ids(&judgement.confirm).await.unwrap();
        for (wc_id, w_id, first) in &judgement.adopt {
            store.adopt(None, wc_id, w_id, [*first, began]).await.unwrap();
        }
        let accounts = store.accounts().await.unwrap();
        *known = accounts.into_iter().map(|account| (account.wc_id.clone(), account)).collect();
    }

    async fn account(&self) -> Account {
        self.processes[0].store.account(&wc_id()).await.unwrap().unwrap()
    }

    /// A code goes out.
    async fn ask(&mut self, by: usize) -> (saoma::model::AttemptId, String) {
        let (at, later, w_id) = (self.clock(), self.clock(), self.new_w_id());
        let store = &self.processes[by].store;
        let id = started(store.begin_attempt(Some(&wc_id()), Rung::QrLogin, at).await.unwrap());
        store.attempt_requesting(&id, Rung::QrLogin, later).await.unwrap();
        store.attempt_issued(&id, Some(&w_id.as_str().into()), None, later.plus_ms(150_000), CODE_LIFE).await.unwrap();
        (id, w_id)
    }

    async fn login(&mut self, by: usize) {
        let (id, w_id) = self.ask(by).await;
        let at = self.clock();
        let stored = self.processes[by].store.store_login(&id, &record("wxid_a", &w_id), at).await.unwrap();
        assert!(stored.current, "the newest login is superseded");
        (self.live, self.current) = (Some(w_id.clone()), Some(w_id));
    }

    async fn step(&mut self, what: What, by: usize) {
        match what {
            What::Login => self.login(by).await,
            What::Drop => {
                if self.account().await.presence != Presence::Online {
                    return;
                }
                self.live = None;
                let mut lists = 0;
                while self.account().await.presence == Presence::Online {
                    self.list(by).await;
                    lists += 1;
                    assert!(lists <= OFFLINE_AFTER, "a drop is not seen");
                }
                assert_eq!(lists, OFFLINE_AFTER, "a drop is seen too early");
            }
            What::Recover => {
                self.live.clone_from(&self.current);
                self.list(by).await;
                assert_eq!(self.account().await.presence, Presence::Online);
            }
            What::Elsewhere => {
                let w_id = self.new_w_id();
                (self.live, self.current) = (Some(w_id.clone()), Some(w_id));
                for _ in 0..2 {
                    self.list(by).await;
                }
            }
            What::Late => {
                let (id, w_id) = self.ask(by).await;
                self.processes[by].store.abandon_attempt(&id).await.unwrap();
                self.login(1 - by).await;
                let at = self.clock();
                let store = &self.processes[by].store;
                let late = store.store_login(&id, &record("wxid_a", &w_id), at).await.unwrap();
                assert!(!late.current, "an older login has replaced a newer one");
            }
            What::Refuse => {
                let at = self.clock();
                let begun = self.processes[by].store.begin_attempt(Some(&wc_id()), Rung::SecondLogin, at).await;
                let (attempt, later) = (started(begun.unwrap()), self.clock());
                let store = &self.processes[by].store;
                store.attempt_requesting(&attempt, Rung::SecondLogin, later).await.unwrap();
                store.refused(&wc_id(), None, later).await.unwrap();
                store.end_attempt(&attempt, "failed", None, None, later).await.unwrap();
            }
            What::Tell => {
                let now = self.clock();
                let store = &self.processes[by].store;
                let due = store.outbox_next(now).await.unwrap();
                let items = store.outbox_take(now).await.unwrap();
                assert_eq!(due.is_some_and(|due| due <= now), !items.is_empty());
                for (number, item) in items.into_iter().enumerate() {
                    if number % 2 == 0 {
                        store.outbox_failed(item.id, now.plus_ms(PAUSE)).await.unwrap();
                    } else {
                        store.outbox_done(item.id).await.unwrap();
                    }
                }
            }
        }
    }

    async fn check(&mut self) {
        let account = self.account().await;
        assert_eq!(account.w_id.as_ref().map(WId::as_str), self.current.as_deref());
        // The clock is set once more, and every process looks.
        let now = self.clock();
        let handed_out =
            account.presence == Presence::Online && account.w_id_confirmed && !is_stale(&account, now, INTERVAL);
        assert!(
            !handed_out || account.w_id.as_ref().map(WId::as_str) == self.live.as_deref(),
            "a dead wId: {account:?}"
        );
        let store = &self.processes[0].store;
        store.bring_back(now).await.unwrap();
        let budget = self.account().await.budget.map(|budget| *budget).unwrap_or_default();
        assert!(budget.rests_until.is_none_or(|until| until.ms_since(now) <= REST), "{budget:?} at {now:?}");
        for cost in [Cost::SecondLogin, Cost::Code] {
            if let Some(saoma::model::Over::Spent { free_at, .. }) = budget.over(cost, Default::default(), now) {
                assert!(free_at.ms_since(now) <= DAY, "{budget:?} at {now:?}");
            }
        }
        for attempt in store.attempts().await.unwrap() {
            assert!(attempt.deadline.is_none_or(|deadline| deadline.ms_since(now) <= 600_000));
        }
        let due = store.outbox_next(now).await.unwrap();
        assert!(due.is_none_or(|due| due.ms_since(now) <= PAUSE));
        // The past is whole, and past.
        let mut connection = raw(&self.folder.path().join("saoma.db")).await;
        let lines: i64 = sqlx::query_scalar("SELECT count(*) FROM log").fetch_one(&mut connection).await.unwrap();
        assert!(lines >= self.lines, "lines of the history are gone");
        self.lines = lines;
        let told = store.history(None, Stamp(i64::MIN), u32::MAX, now).await.unwrap();
        assert_eq!(told.len() as i64, lines);
        assert!(told.iter().all(|line| line.at <= now) && told.is_sorted_by(|newer, older| newer.at >= older.at));
        let turns = store.presences(Some(&wc_id()), Stamp(i64::MIN), now).await.unwrap();
        assert!(turns.iter().all(|turn| turn.at <= now));
        assert_eq!(turns.last().map(|turn| turn.presence), Some(account.presence));
        assert!(turns.is_sorted_by(|one, next| one.at <= next.at && one.presence != next.presence), "{turns:?}");
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn nothing_hangs_on_a_clock_that_is_set(
        steps in prop::collection::vec((what(), 0_usize..2), 1..16),
        offsets in prop::collection::vec(offset(), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(offsets).await;
            for (what, by) in steps {
                world.step(what, by).await;
                world.check().await;
            }
        });
    }
}

/// Each kind of step, with the clock set before each of its parts in turn and right again after it.
#[test]
fn each_part_of_each_step_bears_a_clock_that_is_set() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let round = [
        What::Login,
        What::Drop,
        What::Login,
        What::Late,
        What::Elsewhere,
        What::Drop,
        What::Recover,
        What::Refuse,
        What::Tell,
        What::Login,
        What::Drop,
    ];
    for offset in [10 * MINUTE, -10 * MINUTE, 8 * HOUR, -8 * HOUR, YEAR, -YEAR] {
        for set in 0..5 {
            let offsets = (0..5).map(|part| if part == set { offset } else { 0 }).collect();
            runtime.block_on(async {
                let mut world = World::new(offsets).await;
                for (number, what) in round.into_iter().enumerate() {
                    world.step(what, number % 2).await;
                    world.check().await;
                }
            });
        }
    }
}
