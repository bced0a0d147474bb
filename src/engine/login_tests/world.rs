//! A small world around the machine: two accounts with a phone each, a gateway whose token may die, a store, a process
//! that may be killed. Whatever the order of things, no two accounts are mixed, no wId that the gateway still tells is
//! lost, and no attempt stays without an end.

use std::collections::{HashMap, VecDeque};

use super::*;

const NAMES: [&str; 2] = ["wxid_a", "wxid_b"];
/// How long a dead token stays dead at most: less than a login waits for another one.
const DEAD_MS: i64 = 300_000;
/// How long an old code is listened to after its renewal.
const GRACE_MS: i64 = 60_000;

/// A code at the gateway.
struct Issued {
    w_id: String,
    at: i64,
    /// Whether it got as far as a screen.
    shown: bool,
    scanned_by: Option<usize>,
}

/// A confirm dialog on a phone.
struct Dialog {
    whose: usize,
    confirmed: Option<String>,
    refused: bool,
    gone: bool,
    until: i64,
}

#[derive(Clone)]
struct Row {
    whose: usize,
    rung: Rung,
    w_id: Option<String>,
    deadline: Option<i64>,
    requested_at: i64,
    abandoned: bool,
    ended: bool,
}

/// A question on its way, and whether its token was dead when it left.
struct Asked {
    generation: Generation,
    refused: bool,
    what: What,
}

enum What {
    List { at: i64 },
    Probe(String),
    Second { dialog: usize, until: i64 },
    Code,
    Poll { w_id: String, last: bool },
    Check(Error),
}

struct Run {
    row: usize,
    way: Way,
    machine: Machine,
    asked: Vec<Asked>,
    seconds: u32,
    codes: u32,
}

struct World {
    dialect: Dialect,
    waits: bool,
    renewals: u8,
    ms: i64,
    /// Since when the token is dead.
    dead: Option<i64>,
    codes: Vec<Issued>,
    dialogs: Vec<Dialog>,
    online: [Option<String>; 2],
    owners: HashMap<String, usize>,
    /// wIds that came of a confirm dialog.
    by_dialog: Vec<String>,
    kills: u32,
    rows: Vec<Row>,
    runs: Vec<Run>,
    history: Vec<(usize, String)>,
    /// The current wId and when its login was asked for; when it was stored.
    current: [Option<(i64, String)>; 2],
    stored_at: [i64; 2],
    /// Whose list evidence was not taken, since another login of the account was open: left to the observer's lists.
    left_to_lists: [bool; 2],
    wrongs: Vec<String>,
}

impl World {
    fn new(dialect: Dialect, waits: bool, renewals: u8) -> Self {
        Self {
            dialect,
            waits,
            renewals,
            ms: 0,
            dead: None,
            codes: Vec::new(),
            dialogs: Vec::new(),
            online: [None, None],
            owners: HashMap::new(),
            by_dialog: Vec::new(),
            kills: 0,
            rows: Vec::new(),
            runs: Vec::new(),
            history: Vec::new(),
            current: [None, None],
            stored_at: [-1, -1],
            left_to_lists: [false, false],
            wrongs: Vec::new(),
        }
    }

    fn wish(&self, whose: usize, way: Way) -> Wish {
        let known_w_id = self.current[whose].as_ref().map(|(_, w_id)| WId::from(w_id.as_str()));
        Wish {
            waits_for_token: self.waits,
            can_list: true,
            known_w_id,
            forced: true,
            ..Wish::new(Some(WcId::from(NAMES[whose])), way, self.dialect, self.renewals)
        }
    }

    /// The newest wId that the gateway gives.
    fn new_w_id(&mut self, whose: Option<usize>) -> String {
        let w_id = format!("w{}", self.codes.len() + self.dialogs.len() + self.by_dialog.len());
        if let Some(whose) = whose {
            self.owners.insert(w_id.clone(), whose);
        }
        w_id
    }

    // ── What may happen ──────────────────────────────────────────────────────────────────────────────────────────

    fn act(&mut self, action: u8, a: u8, b: u8) {
        let whose = usize::from(a % 2);
        match action {
            0 => self.log_in(whose, [Way::Ladder, Way::Qr, Way::Second, Way::Ring][usize::from(b % 4)]),
            1..=4 => self.answer_one(a.into(), b.into(), false),
            5 => self.answer_one(a.into(), b.into(), true),
            6 | 7 => self.pass(i64::from(a) * 80 + i64::from(b)),
            8 => self.scan(b.into(), whose),
            9 => self.answer_dialog(whose, !b.is_multiple_of(5)),
            10 => self.feed(a.into(), Input::Cancel),
            11 => self.die(b.is_multiple_of(2)),
            12 => self.dead = self.dead.or(Some(self.ms)),
            _ => self.revive_token(),
        }
    }

    fn log_in(&mut self, whose: usize, way: Way) {
        let busy = |run: &Run| self.rows[run.row].whose == whose && !run.machine.is_abandoned();
        if self.runs.iter().any(busy) {
            return;
        }
        let machine = Machine::new(self.wish(whose, way));
        let row = Row {
            whose,
            rung: machine.first_rung(),
            w_id: None,
            deadline: None,
            requested_at: self.ms,
            abandoned: false,
            ended: false,
        };
        self.rows.push(row);
        self.run(self.rows.len() - 1, way, machine);
    }

    fn run(&mut self, row: usize, way: Way, machine: Machine) {
        self.runs.push(Run { row, way, machine, asked: Vec::new(), seconds: 0, codes: 0 });
        self.feed(self.runs.len() - 1, Input::Start);
    }

    fn pass(&mut self, ms: i64) {
        self.ms += ms;
        if self.dead.is_some_and(|since| self.ms - since > DEAD_MS) {
            self.revive_token();
        }
        for run in 0..self.runs.len() {
            let due = self.runs[run].machine.next_wake().is_some_and(|wake| wake <= at(self.ms).mono);
            if due {
                self.feed(run, Input::Tick);
            }
        }
    }

    fn scan(&mut self, code: usize, whose: usize) {
        let now = self.ms;
        let open: Vec<usize> = (0..self.codes.len())
            .filter(|code| {
                let code = &self.codes[*code];
                code.shown && code.scanned_by.is_none() && now < code.at + LIMIT
            })
            .collect();
        let Some(code) = open.get(code % open.len().max(1)) else { return };
        let code = &mut self.codes[*code];
        code.scanned_by = Some(whose);
        self.owners.insert(code.w_id.clone(), whose);
        self.online[whose] = Some(code.w_id.clone());
    }

    fn answer_dialog(&mut self, whose: usize, yes: bool) {
        let open = |dialog: &Dialog| {
            let answered = dialog.confirmed.is_some() || dialog.refused;
            dialog.whose == whose && !answered && !dialog.gone && self.ms < dialog.until
        };
        let Some(at) = self.dialogs.iter().position(open) else { return };
        if yes {
            let w_id = self.new_w_id(Some(whose));
            self.by_dialog.push(w_id.clone());
            self.online[whose] = Some(w_id.clone());
            self.dialogs[at].confirmed = Some(w_id);
        } else {
            self.dialogs[at].refused = true;
        }
    }

    fn revive_token(&mut self) {
        self.dead = None;
        for run in 0..self.runs.len() {
            self.feed(run, Input::NewToken { was_dead: true });
        }
    }

    /// The process is killed; the next one goes on with what is left.
    fn die(&mut self, visible: bool) {
        self.kills += 1;
        self.runs.clear();
        self.resume(visible);
    }

    fn resume(&mut self, visible: bool) {
        for at in 0..self.rows.len() {
            let row = self.rows[at].clone();
            if row.ended || self.runs.iter().any(|run| run.row == at && !run.machine.is_over()) {
                continue;
            }
            let wish = self.wish(row.whose, Way::Qr);
            let remains = Remains {
                rung: row.rung,
                w_id: row.w_id.as_deref().map(WId::from),
                image_url: None,
                deadline: row.deadline.map(|ms| super::at(0).wall.plus_ms(ms)),
                requested_at: super::at(0).wall.plus_ms(row.requested_at),
                abandoned: row.abandoned,
                known_w_id: wish.known_w_id.clone(),
                orphan: true,
            };
            self.rows[at].abandoned |= !visible;
            self.run(at, Way::Qr, Machine::resumed(wish, remains, visible));
        }
    }

    // ── The gateway ──────────────────────────────────────────────────────────────────────────────────────────────

    /// Answers one of the questions that are on their way; `breaks`: the line does.
    fn answer_one(&mut self, run: usize, asked: usize, breaks: bool) {
        let open: Vec<usize> = (0..self.runs.len()).filter(|run| !self.runs[*run].asked.is_empty()).collect();
        let Some(run) = open.get(run % open.len().max(1)).copied() else { return };
        let asked = asked % self.runs[run].asked.len();
        if let Some(input) = self.answer(run, asked, breaks) {
            self.runs[run].asked.remove(asked);
            self.feed(run, input);
        }
    }

    /// `None`: it cannot be answered yet.
    fn answer(&mut self, run: usize, asked: usize, breaks: bool) -> Option<Input> {
        let whose = self.rows[self.runs[run].row].whose;
        let Asked { generation, refused, what } = &self.runs[run].asked[asked];
        let generation = *generation;
        let trouble = match (refused, breaks) {
            (true, _) => Some(Kind::TokenSuspect),
            (false, true) => Some(Kind::Unreachable),
            (false, false) => None,
        };
        Some(match what {
            What::List { at: since } if self.ms < *since => return None,
            What::List { at: since } => {
                let entry = self.online[whose].as_deref().map(|w_id| {
                    (WcId::from(NAMES[whose]), Some(WId::from(w_id)).filter(|_| self.dialect.lists_w_ids()))
                });
                let began = super::began(*since);
                Input::Listed { generation, began, result: trouble.map_or(Ok(entry), |kind| Err(error(kind))) }
            }
            What::Probe(w_id) => {
                let lives = self.online[whose].as_ref() == Some(w_id);
                let answer =
                    if lives { Ok(PollReply::LoggedIn(record(NAMES[whose], w_id))) } else { Err(error(Kind::Refused)) };
                Input::Probed { generation, result: trouble.map_or(answer, |kind| Err(error(kind))) }
            }
            What::Second { dialog, until } => {
                let (dialog, until) = (*dialog, *until);
                let result = match (trouble, self.dialogs.get(dialog).filter(|_| !refused)) {
                    // The list tells this one, to a second login alone: a ladder has gone on to its code, and leaves it
                    // to the observer's lists. V1 has none that could.
                    (Some(Kind::Unreachable), Some(Dialog { confirmed: Some(_), .. }))
                        if !self.dialect.lists_w_ids() || self.runs[run].way == Way::Ladder =>
                    {
                        return None;
                    }
                    (Some(kind), _) => Err(kind),
                    (None, Some(Dialog { confirmed: Some(w_id), .. })) => Ok(record(NAMES[whose], w_id)),
                    (None, Some(Dialog { refused: true, .. })) => Err(Kind::RefusedInside),
                    (None, _) if self.ms >= until => Err(Kind::TimedOut),
                    (None, _) => return None,
                };
                // The dialog goes, unless the line broke and somebody looks at the list for it.
                let looks = self.dialect.lists_w_ids() && self.runs[run].way != Way::Ladder;
                let stays = looks && matches!(result, Err(Kind::Unreachable));
                if let (Err(_), Some(dialog), false) = (&result, self.dialogs.get_mut(dialog), stays) {
                    dialog.gone = true;
                }
                Input::SecondAnswered { generation, result: result.map_err(error) }
            }
            What::Code => {
                if let Some(kind) = trouble {
                    return Some(Input::Issued { generation, result: Err(error(kind)) });
                }
                let w_id = self.new_w_id(None);
                self.codes.push(Issued { w_id: w_id.clone(), at: self.ms, shown: false, scanned_by: None });
                Input::Issued { generation, result: Ok(issued(&w_id)) }
            }
            What::Poll { w_id, last } => {
                let code = self.codes.iter().find(|code| code.w_id == *w_id).expect("a code of ours");
                let result = match (trouble, code.scanned_by) {
                    (Some(Kind::Unreachable), _) if *last => return None,
                    (Some(kind), _) => Err(error(kind)),
                    (None, Some(whose)) => Ok(PollReply::LoggedIn(record(NAMES[whose], w_id))),
                    (None, None) if self.ms >= code.at + LIMIT => {
                        Ok(PollReply::Expired { gateway_message: "二维码已过期".into() })
                    }
                    (None, None) => Ok(PollReply::NotDone { status: None }),
                };
                Input::Polled { generation, result }
            }
            What::Check(error) => {
                Input::TokenChecked { generation, rejected: self.dead.is_some(), error: error.clone() }
            }
        })
    }

    // ── The runner, the hub and the store ────────────────────────────────────────────────────────────────────────

    fn feed(&mut self, run: usize, input: Input) {
        if run >= self.runs.len() {
            return;
        }
        let mut queue = VecDeque::from([input]);
        while let Some(input) = queue.pop_front() {
            for output in self.runs[run].machine.on(input, at(self.ms)) {
                queue.extend(self.perform(run, output));
            }
        }
    }

    fn ask(&mut self, run: usize, generation: Generation, what: What) {
        let refused = self.dead.is_some();
        self.runs[run].asked.push(Asked { generation, refused, what });
    }

    fn perform(&mut self, run: usize, output: Output) -> Option<Input> {
        let row = self.runs[run].row;
        let whose = self.rows[row].whose;
        match output {
            Output::AskList { generation, pause } => {
                let at = self.ms + i64::try_from(pause.as_millis()).unwrap();
                self.ask(run, generation, What::List { at });
            }
            Output::Probe { generation, w_id, .. } => self.ask(run, generation, What::Probe(w_id.to_string())),
            Output::SecondLogin { generation, deadline, again, .. } => {
                self.runs[run].seconds += u32::from(!again);
                let until = deadline.ms_since(at(0).wall);
                let row = &mut self.rows[row];
                (row.rung, row.w_id, row.deadline) = (Rung::SecondLogin, None, Some(until));
                if !again {
                    row.requested_at = self.ms;
                }
                if self.dead.is_none() {
                    self.dialogs.push(Dialog { whose, confirmed: None, refused: false, gone: false, until });
                }
                self.ask(run, generation, What::Second { dialog: self.dialogs.len().wrapping_sub(1), until });
            }
            Output::IPadLogin { generation, again } => {
                self.runs[run].codes += u32::from(!again);
                if !again {
                    self.renew(row);
                }
                self.ask(run, generation, What::Code);
            }
            Output::Issued { w_id, deadline, .. } => {
                for code in self.codes.iter_mut().filter(|code| code.w_id == w_id.as_str()) {
                    code.shown = true;
                }
                let row = &mut self.rows[row];
                (row.w_id, row.deadline) = (Some(w_id.to_string()), Some(deadline.ms_since(at(0).wall)));
            }
            Output::Poll { generation, w_id, limit, .. } => {
                let last = limit == Duration::from_secs(5);
                self.ask(run, generation, What::Poll { w_id: w_id.to_string(), last });
            }
            Output::CheckToken { generation, error } => self.ask(run, generation, What::Check(error)),
            Output::StoreLogin(record) => return Some(self.store(run, record, None)),
            Output::Adopt { wc_id, w_id, lists } => {
                let record = record(wc_id.as_str(), w_id.as_str());
                return Some(self.store(run, record, Some(lists[0].at.ms_since(super::at(0).wall))));
            }
            Output::Abandon => self.rows[row].abandoned = true,
            Output::End { .. } | Output::Forget => self.rows[row].ended = true,
            Output::Fetch { .. }
            | Output::FirstDrop
            | Output::NeedToken
            | Output::TakeBack(_)
            | Output::SecondFailed { .. }
            | Output::Tell(_) => {}
        }
        None
    }

    /// The row's next code; its old one goes on as a twin.
    fn renew(&mut self, row: usize) {
        let before = self.rows[row].clone();
        let next = &mut self.rows[row];
        (next.rung, next.w_id, next.deadline, next.requested_at) = (Rung::QrLogin, None, None, self.ms);
        let Some(w_id) = before.w_id.clone() else { return };
        let twin = Row { abandoned: true, ..before };
        let remains = Remains {
            rung: Rung::QrLogin,
            w_id: Some(WId::from(w_id.as_str())),
            image_url: None,
            deadline: Some(at(self.ms + GRACE_MS).wall),
            requested_at: at(twin.requested_at).wall,
            abandoned: true,
            known_w_id: None,
            orphan: false,
        };
        let machine = Machine::resumed(self.wish(twin.whose, Way::Qr), remains, false);
        self.rows.push(twin);
        self.run(self.rows.len() - 1, Way::Qr, machine);
    }

    /// The store's answer to a success, or to what a list showed at `evidence`.
    fn store(&mut self, run: usize, record: Record, evidence: Option<i64>) -> Input {
        let whose = NAMES.iter().position(|name| *name == record.wc_id.as_str()).expect("one of ours");
        let w_id = record.w_id.to_string();
        if self.owners.get(&w_id) != Some(&whose) {
            self.wrongs.push(format!("mixed: {w_id} is kept for {whose}"));
        }
        let row = self.runs[run].row;
        let known = self.current[whose].as_ref().is_some_and(|(_, current)| *current == w_id);
        // As the store does: not while another login of the account is open, nor on older evidence than its last one.
        if let Some(evidence) = evidence
            && !known
            && (evidence <= self.stored_at[whose] || self.is_open(whose, row))
        {
            self.left_to_lists[whose] |= self.is_open(whose, row);
            return Input::NotAdopted;
        }
        let requested_at = evidence.unwrap_or(self.rows[row].requested_at);
        let current = known || self.current[whose].as_ref().is_none_or(|(newest, _)| *newest <= requested_at);
        if current && !known {
            self.current[whose] = Some((requested_at, w_id.clone()));
            self.stored_at[whose] = self.ms;
        }
        // A login that ends with what the list shows may have a dialog of its own out still.
        let open = |dialog: &Dialog| dialog.whose == whose && dialog.confirmed.is_none() && self.ms < dialog.until;
        self.left_to_lists[whose] |= evidence.is_some() && self.dialogs.iter().any(open);
        self.history.push((whose, w_id.clone()));
        for other in &mut self.rows {
            other.ended |= other.w_id.as_ref() == Some(&w_id) && evidence.is_none();
        }
        self.rows[row].ended = true;
        for other in 0..self.runs.len() {
            let open = current && other != run && self.rows[self.runs[other].row].whose == whose;
            if open && !self.runs[other].machine.is_abandoned() {
                self.feed(other, Input::Supersede);
            }
        }
        Input::Stored { record, adopted: evidence.is_some(), swapped: swapped(current) }
    }

    /// Whether another login of the account is open in this process.
    fn is_open(&self, whose: usize, except: usize) -> bool {
        let open = |run: &Run| {
            let row = &self.rows[run.row];
            run.row != except && row.whose == whose && !row.ended && !row.abandoned
        };
        self.runs.iter().any(open)
    }

    // ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Nobody does anything any more, and the gateway answers all.
    fn settle(&mut self) {
        self.revive_token();
        for _ in 0..1_000 {
            for run in 0..self.runs.len() {
                let mut asked = 0;
                while asked < self.runs[run].asked.len() {
                    match self.answer(run, asked, false) {
                        Some(input) => {
                            self.runs[run].asked.remove(asked);
                            self.feed(run, input);
                        }
                        None => asked += 1,
                    }
                }
            }
            if self.runs.iter().all(|run| run.machine.is_over()) {
                return;
            }
            self.pass(1_000);
        }
        let open = self.runs.iter().filter(|run| !run.machine.is_over()).map(|run| format!("{:?}", run.machine));
        self.wrongs.push(format!("without an end: {:?}", open.collect::<Vec<_>>()));
    }

    fn check(&mut self) -> Vec<String> {
        for run in &self.runs {
            if run.seconds > 1 || run.codes > 1 + u32::from(self.renewals) {
                self.wrongs.push(format!("asked {} times, {} codes", run.seconds, run.codes));
            }
        }
        self.settle();
        // What was left to the next process.
        self.resume(false);
        self.settle();
        for (at, row) in self.rows.iter().enumerate() {
            if !row.ended {
                self.wrongs.push(format!("row {at} stays open"));
            }
        }
        for (whose, live) in self.online.iter().enumerate() {
            // No login is open any more, and two lists show it: the observer adopts it.
            let Some(live) = live.as_ref().filter(|_| !self.left_to_lists[whose]) else { continue };
            // V1 has no list: a dialog that was confirmed while nobody listened is told by nothing.
            let untold = !self.dialect.lists_w_ids() && self.by_dialog.contains(live) && self.kills > 0;
            if !untold && !self.history.contains(&(whose, live.clone())) {
                self.wrongs.push(format!("lost: {live} of {whose}"));
            }
        }
        for (whose, current) in self.current.iter().enumerate() {
            if let Some((_, w_id)) = current
                && self.owners.get(w_id) != Some(&whose)
            {
                self.wrongs.push(format!("mixed: {whose} holds {w_id}"));
            }
        }
        std::mem::take(&mut self.wrongs)
    }
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn two_accounts_are_never_mixed_no_w_id_is_lost_and_every_attempt_ends(
        dialect in prop_oneof![Just(Dialect::V1), Just(Dialect::V2), Just(Dialect::V3)],
        waits in any::<bool>(),
        renewals in 0_u8..3,
        actions in proptest::collection::vec((0_u8..14, any::<u8>(), any::<u8>()), 0..120),
    ) {
        let mut world = World::new(dialect, waits, renewals);
        for (action, a, b) in actions {
            world.act(action, a, b);
        }
        let wrongs = world.check();
        prop_assert!(wrongs.is_empty(), "{wrongs:#?}");
    }
}
