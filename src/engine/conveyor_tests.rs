//! Tables for each rule, and whatever may happen in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::property::cases;
use proptest::prelude::*;

use super::api::{Fleet, LoginStep, Phase, Place};
use super::conveyor::{Conveyor, Facts, Input, Output, Settings};
use crate::model::{AttemptId, Budget, Cost, Limits, Now, Over, Reason, Stamp, WId, WcId};

const SETTINGS: Settings = Settings { at_once: 3, limits: Limits { second_logins: 3, codes: 12 }, force: false };

fn facts(holder: &str, name: &str, can_ring: bool) -> Facts {
    Facts { holder: holder.into(), name: name.into(), can_ring, ..Facts::default() }
}

fn spent(cost: Cost, times: u8) -> Option<Box<Budget>> {
    let mut budget = Budget::default();
    for at in 0..times {
        budget.spend(cost, Stamp(i64::from(at)));
    }
    Some(Box::new(budget))
}

/// Plays a conveyor; what it begins has begun at once, as attempt `a1`, `a2` … of account `a`.
struct Play {
    conveyor: Conveyor,
    now: Now,
    begun: BTreeMap<String, u32>,
}

impl Play {
    fn new(accounts: Vec<(&str, Facts)>, settings: Settings) -> Self {
        let now = Now { wall: Stamp(1_000), mono: Duration::from_secs(1) };
        let accounts = accounts.into_iter().map(|(wc_id, facts)| (WcId::from(wc_id), facts));
        Self { conveyor: Conveyor::preview(accounts, settings, now), now, begun: BTreeMap::new() }
    }

    /// Accounts named by letters: capitals can be rung, the others get codes.
    fn of(names: &str) -> Self {
        let account = |name: char| (name.to_string(), facts("", &name.to_lowercase().to_string(), name.is_uppercase()));
        let accounts: Vec<(String, Facts)> = names.chars().map(account).collect();
        Self::new(accounts.iter().map(|(name, facts)| (name.as_str(), facts.clone())).collect(), SETTINGS)
    }

    fn started(names: &str) -> (Self, Vec<String>) {
        let mut play = Self::of(names);
        let out = play.on(Input::Start);
        (play, out)
    }

    fn on(&mut self, input: Input) -> Vec<String> {
        let mut lines = Vec::new();
        let mut outputs = self.conveyor.on(input, self.now);
        while !outputs.is_empty() {
            let output = outputs.remove(0);
            let wc_id = match output {
                Output::Ring(wc_id) => {
                    lines.push(format!("ring {wc_id}"));
                    wc_id
                }
                Output::Code(wc_id) => {
                    lines.push(format!("code {wc_id}"));
                    wc_id
                }
                Output::Cancel(attempt) => {
                    lines.push(format!("cancel {attempt}"));
                    continue;
                }
                Output::AskList => {
                    lines.push("list".to_owned());
                    continue;
                }
            };
            let number = self.begun.entry(wc_id.to_string()).or_default();
            *number += 1;
            let attempt = AttemptId::from(format!("{wc_id}{number}"));
            outputs.extend(self.conveyor.on(Input::Begun { wc_id, attempt }, self.now));
        }
        lines
    }

    fn told(&mut self, attempt: &str, step: LoginStep) -> Vec<String> {
        self.on(Input::Told { attempt: AttemptId::from(attempt), step })
    }

    fn later(&mut self, by: Duration) {
        self.now.mono += by;
        self.now.wall = self.now.wall.plus_ms(i64::try_from(by.as_millis()).unwrap());
    }

    fn places(&self) -> String {
        let letter = |place: &Place| match place {
            Place::WaitsToRing => 'w',
            Place::Ringing => 'R',
            Place::WaitsForCode => 'c',
            Place::Shown => 'S',
            Place::Done => '+',
            Place::Left(_) => 'x',
            Place::Resting { .. } => 'z',
        };
        self.conveyor.view().items.iter().map(|item| letter(&item.place)).collect()
    }

    fn queue(&self) -> String {
        self.conveyor.view().queue.iter().map(ToString::to_string).collect()
    }

    fn phase(&self) -> Phase {
        self.conveyor.phase()
    }
}

fn logged_in() -> LoginStep {
    LoginStep::LoggedIn { w_id: WId::from("w"), previous_w_id: None, nick_name: "".into(), w_account: "".into() }
}

fn sent() -> LoginStep {
    LoginStep::SecondLoginSent { expires_at: Stamp(0) }
}

fn failed(reason: Reason) -> LoginStep {
    LoginStep::Failed { reason, gateway_message: None, detail: "".into() }
}

fn expired() -> LoginStep {
    LoginStep::Expired { renewing: false }
}

fn wrong(expected: &str, came: &str) -> LoginStep {
    LoginStep::WrongAccount {
        expected_wc_id: WcId::from(expected),
        wc_id: WcId::from(came),
        w_id: WId::from("w"),
        nick_name: "".into(),
    }
}

fn online(name: &str) -> Input {
    Input::Account { wc_id: WcId::from(name), facts: Facts { online: true, ..facts("", name, true) } }
}

fn down() -> Input {
    Input::Fleet(Fleet::Failing {
        since: Stamp(0),
        reason: Reason::GatewayDown,
        gateway_message: None,
        detail: "".into(),
    })
}

fn none() -> Vec<String> {
    Vec::new()
}

// ── The preview ──────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_preview_says_who_is_rung_who_scans_and_who_rests() {
    let rests = |until| Some(Box::new(Budget { rests_until: Some(Stamp(until)), ..Budget::default() }));
    let both = |until| {
        let spent = spent(Cost::Code, 12).map(|budget| *budget).unwrap_or_default();
        Some(Box::new(Budget { rests_until: Some(Stamp(until)), ..spent }))
    };
    let mut plans = [
        (facts("", "a", true), Place::WaitsToRing, Place::WaitsToRing),
        (facts("", "b", false), Place::WaitsForCode, Place::WaitsForCode),
        // Its second logins are spent, codes are left.
        (
            Facts { budget: spent(Cost::SecondLogin, 3), ..facts("", "c", true) },
            Place::WaitsForCode,
            Place::WaitsToRing,
        ),
        // Codes are spent, a second login is left.
        (Facts { budget: spent(Cost::Code, 12), ..facts("", "d", true) }, Place::WaitsToRing, Place::WaitsToRing),
        (
            Facts { budget: spent(Cost::Code, 12), ..facts("", "e", false) },
            Place::Resting { until: Stamp(86_400_000) },
            Place::WaitsForCode,
        ),
        // Second logins of it rest: a code is another way.
        (Facts { budget: rests(5_000), ..facts("", "f", true) }, Place::WaitsForCode, Place::WaitsToRing),
        (
            Facts { budget: both(5_000), ..facts("", "h", true) },
            Place::Resting { until: Stamp(5_000) },
            Place::WaitsToRing,
        ),
        // It has rested.
        (Facts { budget: rests(900), ..facts("", "g", true) }, Place::WaitsToRing, Place::WaitsToRing),
    ];
    plans.sort_by_key(|(facts, ..)| facts.name.clone());
    for (force, pick) in [(false, 1), (true, 2)] {
        let accounts = plans.iter().map(|(facts, ..)| (&*facts.name, facts.clone())).collect();
        let play = Play::new(accounts, Settings { force, ..SETTINGS });
        let view = play.conveyor.view();
        let places: Vec<&Place> = view.items.iter().map(|item| &item.place).collect();
        let expected: Vec<&Place> = plans.iter().map(|plan| if pick == 1 { &plan.1 } else { &plan.2 }).collect();
        assert_eq!(places, expected, "force {force}");
        assert_eq!(view.counts(), if force { (6, 2, 0) } else { (3, 3, 2) });
        assert_eq!(view.total(), if force { 8 } else { 6 });
        assert_eq!(view.phase, Phase::Preview);
    }
}

#[test]
fn accounts_are_sorted_by_holder_then_name_and_online_ones_are_left_out() {
    let accounts = vec![
        ("1", facts("", "Nobody's", true)),
        ("2", facts("Li", "Tea", true)),
        ("3", Facts { online: true, ..facts("Ann", "Bar", true) }),
        ("4", facts("Li", "Bar", false)),
        ("5", facts("Ann", "Zoo", true)),
        ("2", facts("Li", "Tea", true)),
    ];
    let play = Play::new(accounts, SETTINGS);
    let order: Vec<String> = play.conveyor.view().items.iter().map(|item| item.wc_id.to_string()).collect();
    assert_eq!(order, ["5", "4", "2", "1"]);
}

#[test]
fn nothing_is_sent_before_the_start_and_nobody_needs_a_conveyor_of_nobody() {
    let mut play = Play::of("Ab");
    for input in [Input::Skip, Input::Drop, Input::Resume, Input::Tick, Input::Token { usable: true }] {
        assert_eq!(play.on(input), none());
    }
    // Whoever comes online meanwhile has no place on it.
    assert_eq!(play.on(online("A")), none());
    assert_eq!(play.places(), "c");
    assert_eq!(play.on(Input::Start), ["code b"]);
    let (play, out) = Play::started("");
    assert_eq!((out, play.phase()), (none(), Phase::Done));
}

// ── The rules ────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn three_phones_ring_at_once_and_the_next_when_one_has_answered() {
    let (mut play, out) = Play::started("ABCDE");
    assert_eq!(out, ["ring A", "ring B", "ring C"]);
    assert_eq!(play.told("B1", sent()), none());
    assert_eq!(play.told("B1", logged_in()), ["ring D"]);
    assert_eq!(play.told("A1", failed(Reason::Refused)), ["ring E", "code A"]);
    assert_eq!(play.places(), "S+RRR");
    for attempt in ["C1", "D1", "E1", "A2"] {
        assert_eq!(play.told(attempt, logged_in()), none());
    }
    assert_eq!((play.phase(), play.places().as_str()), (Phase::Done, "+++++"));
    assert_eq!((play.conveyor.view().settled(), play.conveyor.view().total()), (5, 5));
}

#[test]
fn how_many_ring_at_once_is_an_option() {
    for at_once in [0, 1, 2, 9] {
        let accounts = ["a", "b", "c", "d"].map(|name| (name, facts("", name, true))).to_vec();
        let mut play = Play::new(accounts, Settings { at_once, ..SETTINGS });
        assert_eq!(play.on(Input::Start).len(), usize::from(at_once.clamp(1, 4)));
    }
}

#[test]
fn codes_are_shown_one_after_another_by_themselves() {
    let (mut play, out) = Play::started("abc");
    assert_eq!(out, ["code a"]);
    assert_eq!(play.queue(), "bc");
    assert_eq!(play.told("a1", LoginStep::Waiting), none());
    assert_eq!(play.told("a1", logged_in()), ["code b"]);
    assert_eq!(play.told("b1", LoginStep::Superseded), ["code c"]);
    assert_eq!(play.told("c1", logged_in()), none());
    assert_eq!(play.phase(), Phase::Done);
}

#[test]
fn what_a_second_login_ends_with_decides_what_comes() {
    // What is told, what is sent then, where the account is.
    let spent = Over::Spent { cost: Cost::SecondLogin, next: 4, limit: 3, free_at: Stamp(0) };
    let over = |over| LoginStep::OverBudget { over, way: super::api::Way::Ring };
    for (step, out, places) in [
        (logged_in(), vec![], "+"),
        (LoginStep::Adopted { w_id: WId::from("w"), previous_w_id: None }, vec![], "+"),
        (failed(Reason::Refused), vec!["code A"], "S"),
        (failed(Reason::GatewaySaid), vec!["code A"], "S"),
        (failed(Reason::ProxyFailed), vec!["code A"], "S"),
        (expired(), vec!["code A"], "S"),
        (over(spent), vec!["code A"], "S"),
        (over(Over::Resting { until: Stamp(9_999) }), vec!["code A"], "S"),
        (LoginStep::Cancelled, vec![], "x"),
        (failed(Reason::SlotsFull), vec![], "c"),
        (failed(Reason::PlatformFrozen), vec![], "c"),
    ] {
        let (mut play, _) = Play::started("A");
        play.told("A1", sent());
        assert_eq!(play.told("A1", step.clone()), out, "{step:?}");
        assert_eq!(play.places(), places, "{step:?}");
    }
}

#[test]
fn what_a_code_ends_with_decides_what_comes() {
    for (step, out, places) in [
        (logged_in(), vec!["code b"], "+S"),
        (expired(), vec!["code b"], "cS"),
        (failed(Reason::ImageFailed), vec!["code b"], "cS"),
        (failed(Reason::Interrupted), vec!["code b"], "cS"),
        (failed(Reason::GatewaySaid), vec!["code b"], "xS"),
        (failed(Reason::ProxyFailed), vec!["code b"], "xS"),
        (LoginStep::Cancelled, vec!["code b"], "xS"),
        (
            LoginStep::OverBudget { over: Over::Resting { until: Stamp(9) }, way: super::api::Way::OneCode },
            vec!["code b"],
            "xS",
        ),
        (failed(Reason::SlotsFull), vec![], "cc"),
        (wrong("a", "stranger"), vec!["code a"], "Sc"),
        (wrong("a", "b"), vec!["code a"], "S+"),
    ] {
        let (mut play, _) = Play::started("ab");
        assert_eq!(play.told("a1", step.clone()), out, "{step:?}");
        assert_eq!(play.places(), places, "{step:?}");
    }
}

#[test]
fn a_code_nobody_scanned_goes_to_the_back_and_a_round_without_a_scan_pauses() {
    let (mut play, _) = Play::started("abc");
    assert_eq!(play.told("a1", expired()), ["code b"]);
    assert_eq!(play.queue(), "ca");
    assert_eq!(play.told("b1", logged_in()), ["code c"]);
    // Somebody was there after a's turn: a round is full when all have had theirs since.
    assert_eq!(play.told("c1", expired()), ["code a"]);
    assert_eq!(play.told("a2", expired()), none());
    assert_eq!((play.phase(), play.queue().as_str()), (Phase::Paused, "ca"));
    assert_eq!(play.on(Input::Tick), none());
    assert_eq!(play.on(Input::Resume), ["code c"]);
    assert_eq!(play.phase(), Phase::Running);
    let view = play.conveyor.view();
    assert_eq!(view.items.iter().map(|item| item.unscanned).collect::<Vec<_>>(), [2, 0, 1]);
}

#[test]
fn a_scan_without_a_confirm_is_a_sign_of_somebody() {
    let (mut play, _) = Play::started("ab");
    play.told("a1", expired());
    play.told("b1", LoginStep::Scanned);
    assert_eq!(play.told("b1", expired()), ["code a"]);
    assert_eq!(play.told("a2", expired()), none());
    assert_eq!(play.phase(), Phase::Paused);
}

#[test]
fn while_phones_ring_a_round_without_a_scan_only_waits() {
    let (mut play, out) = Play::started("Ab");
    assert_eq!(out, ["ring A", "code b"]);
    assert_eq!(play.told("b1", expired()), none());
    assert_eq!(play.phase(), Phase::Running);
    // Somebody confirmed: somebody may scan.
    assert_eq!(play.told("A1", logged_in()), ["code b"]);
    let (mut play, _) = Play::started("Ab");
    play.told("b1", expired());
    // What the ring left has had no turn yet.
    assert_eq!(play.told("A1", expired()), ["code A"]);
    assert_eq!(play.told("A2", expired()), none());
    assert_eq!(play.phase(), Phase::Paused);
}

#[test]
fn skipping_takes_the_next_and_a_late_scan_still_counts() {
    let (mut play, _) = Play::started("abc");
    assert_eq!(play.on(Input::Skip), ["cancel a1", "code b"]);
    assert_eq!(play.told("a1", LoginStep::Cancelled), none());
    assert_eq!(play.queue(), "ca");
    assert_eq!(play.on(online("a")), none());
    assert_eq!(play.told("a1", logged_in()), none());
    assert_eq!((play.places().as_str(), play.queue().as_str()), ("+Sc", "c"));
    // Its old code is scanned while its new one is shown.
    assert_eq!(play.on(Input::Skip), ["cancel b1", "code c"]);
    // A round of skips is a round without a scan.
    assert_eq!(play.on(Input::Skip), ["cancel c1"]);
    assert_eq!(play.on(Input::Resume), ["code b"]);
    assert_eq!(play.on(online("b")), ["cancel b2", "code c"]);
    assert_eq!(play.places(), "++S");
}

#[test]
fn dropping_takes_an_account_off_the_queue() {
    let (mut play, _) = Play::started("ab");
    assert_eq!(play.on(Input::Drop), ["cancel a1", "code b"]);
    assert_eq!((play.places().as_str(), play.queue().as_str()), ("xS", ""));
    assert_eq!(play.conveyor.view().items[0].place, Place::Left(Reason::Cancelled));
    assert_eq!(play.told("b1", logged_in()), none());
    assert_eq!(play.phase(), Phase::Done);
    // What scans it after all is believed.
    play.on(online("a"));
    assert_eq!(play.places(), "++");
}

#[test]
fn any_success_settles_an_account_wherever_it_is() {
    let (mut play, _) = Play::started("ABCDe");
    // Waiting to ring, ringing, shown.
    assert_eq!(play.on(online("D")), none());
    assert_eq!(play.on(online("A")), none(), "its phone still shows the dialog");
    assert_eq!(play.on(online("e")), ["cancel e1"]);
    assert_eq!(play.places(), "+RR++");
    // The dialog of the one that is online already ends: no code is asked for it.
    assert_eq!(play.told("A1", failed(Reason::Refused)), none());
    assert_eq!(play.places(), "+RR++");
}

#[test]
fn whoever_scans_out_of_turn_is_done_and_the_code_comes_again_at_once() {
    let (mut play, _) = Play::started("abc");
    assert_eq!(play.told("a1", wrong("a", "c")), ["code a"]);
    assert_eq!((play.places().as_str(), play.queue().as_str()), ("Sc+", "b"));
    // The store tells the same once more.
    assert_eq!(play.on(online("c")), none());
    assert_eq!(play.told("a2", logged_in()), ["code b"]);
}

#[test]
fn a_wish_buys_one_second_login_and_six_codes() {
    let (mut play, _) = Play::started("Ab");
    play.told("A1", failed(Reason::Refused));
    let mut codes = 0;
    for turn in 1..50 {
        let Some((wc_id, attempt)) = play.conveyor.view().shown else { break };
        codes += u32::from(wc_id.as_str() == "A");
        play.told(attempt.unwrap().as_str(), wrong(wc_id.as_str(), "stranger"));
        assert!(turn < 49);
    }
    assert_eq!((codes, play.begun["A"], play.begun["b"]), (6, 7, 6));
    assert_eq!(play.phase(), Phase::Done);
    for item in play.conveyor.view().items {
        assert_eq!(item.place, Place::Left(Reason::NobodyScanned));
    }
}

#[test]
fn the_budget_of_the_day_ends_it_earlier() {
    let few = Facts { budget: spent(Cost::Code, 10), ..facts("", "a", false) };
    let mut play = Play::new(vec![("a", few.clone())], SETTINGS);
    assert_eq!(play.on(Input::Start), ["code a"]);
    assert_eq!(play.told("a1", wrong("a", "x")), ["code a"]);
    assert_eq!(play.told("a2", wrong("a", "x")), none());
    assert_eq!(play.conveyor.view().items[0].place, Place::Left(Reason::Resting));
    // With force the wish's own six are the end.
    let mut play = Play::new(vec![("a", few)], Settings { force: true, ..SETTINGS });
    play.on(Input::Start);
    for number in 1..=6 {
        play.told(&format!("a{number}"), wrong("a", "x"));
    }
    assert_eq!(play.begun["a"], 6);
    assert_eq!(play.phase(), Phase::Done);
}

#[test]
fn a_refusal_rests_the_dialog_and_not_the_code() {
    let (mut play, _) = Play::started("AB");
    let resting = |name: &str| Input::Account {
        wc_id: WcId::from(name),
        facts: Facts {
            budget: Some(Box::new(Budget { rests_until: Some(Stamp(600_000)), ..Budget::default() })),
            ..facts("", name, true)
        },
    };
    play.told("A1", sent());
    play.on(resting("A"));
    assert_eq!(play.told("A1", failed(Reason::Refused)), ["code A"]);
    // Refused elsewhere, while it waited here.
    let (mut play, _) = Play::started("ab");
    play.on(resting("b"));
    assert_eq!(play.told("a1", logged_in()), ["code b"]);
}

#[test]
fn what_somebody_else_is_at_goes_to_the_back() {
    let mut play = Play::of("abC");
    assert_eq!(play.conveyor.on(Input::Start, play.now), [Output::Ring("C".into()), Output::Code("a".into())]);
    assert_eq!(play.on(Input::NotBegun { wc_id: "a".into() }), ["code b"]);
    assert_eq!(play.on(Input::NotBegun { wc_id: "C".into() }), none());
    assert_eq!((play.places().as_str(), play.queue().as_str()), ("cSc", "aC"));
    // Skipped before it had begun: it is cancelled when it has.
    let mut play = Play::of("ab");
    play.conveyor.on(Input::Start, play.now);
    assert_eq!(play.on(Input::Skip), ["code b"]);
    assert_eq!(play.on(Input::Begun { wc_id: "a".into(), attempt: "a9".into() }), ["cancel a9"]);
}

// ── Gateway and token ────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn without_a_gateway_nothing_is_sent_and_it_goes_on_by_itself() {
    let (mut play, _) = Play::started("ABCDef");
    assert_eq!(play.on(down()), none());
    // What is open goes on.
    assert_eq!(play.told("A1", logged_in()), none());
    assert_eq!(play.told("e1", logged_in()), none());
    let wake = play.conveyor.next_wake().unwrap();
    play.now.mono = wake;
    assert_eq!(play.on(Input::Tick), ["list"]);
    assert!(play.conveyor.next_wake().unwrap() > wake);
    // A list from before says nothing.
    assert_eq!(play.on(Input::Fleet(Fleet::Ok { at: Stamp(0) })), none());
    let at = play.now.wall;
    assert_eq!(play.on(Input::Fleet(Fleet::Ok { at })), ["ring D", "code f"]);
    assert_eq!(play.conveyor.next_wake(), None);
}

#[test]
fn a_login_that_did_not_reach_the_gateway_comes_again_but_no_phone_is_rung_twice() {
    let (mut play, _) = Play::started("ABcd");
    play.told("B1", sent());
    assert_eq!(play.told("A1", failed(Reason::GatewayDown)), none());
    assert_eq!(play.told("B1", failed(Reason::GatewayDown)), none());
    assert_eq!(play.places(), "wcSc");
    play.later(Duration::from_secs(3));
    let at = play.now.wall;
    assert_eq!(play.on(Input::Fleet(Fleet::Ok { at })), ["ring A"]);
    assert_eq!(play.told("c1", logged_in()), ["code B"]);
}

#[test]
fn a_code_that_did_not_reach_the_gateway_is_next_and_three_in_a_row_pause() {
    let (mut play, _) = Play::started("ab");
    for number in 1..=3 {
        assert_eq!(play.told(&format!("a{number}"), failed(Reason::GatewayDown)), none());
        if number < 3 {
            play.later(Duration::from_secs(5));
            let at = play.now.wall;
            assert_eq!(play.on(Input::Fleet(Fleet::Ok { at })), ["code a"]);
        }
    }
    assert_eq!(play.phase(), Phase::Paused);
    // The list answers all along: that is no news.
    let at = play.now.wall;
    assert_eq!(play.on(Input::Fleet(Fleet::Ok { at: at.plus_ms(-1) })), none());
    assert_eq!(play.phase(), Phase::Paused);
    // A person says that it is there again: it looks at once.
    assert_eq!(play.on(Input::Resume), none());
    assert_eq!(play.conveyor.next_wake(), Some(play.now.mono));
    assert_eq!(play.on(Input::Tick), ["list"]);
    let at = play.now.wall;
    assert_eq!(play.on(Input::Fleet(Fleet::Ok { at })), ["code a"]);
}

#[test]
fn where_no_list_can_be_asked_it_tries_again_after_a_while() {
    let (mut play, _) = Play::started("a");
    play.on(Input::Fleet(Fleet::NeedsPassword));
    play.told("a1", failed(Reason::GatewayDown));
    assert_eq!(play.on(Input::Tick), none(), "not yet");
    play.now.mono = play.conveyor.next_wake().unwrap();
    assert_eq!(play.on(Input::Tick), ["code a"]);
}

#[test]
fn a_gateway_without_a_list_is_tried_with_one_login_first() {
    let mut play = Play::of("ABc");
    assert_eq!(play.on(down()), none());
    assert_eq!(play.on(Input::Start), none());
    for _ in 0..3 {
        play.now.mono = play.conveyor.next_wake().unwrap();
        assert_eq!(play.on(Input::Tick), ["list"]);
        assert_eq!(play.on(down()), none());
    }
    play.now.mono = play.conveyor.next_wake().unwrap();
    assert_eq!(play.on(Input::Tick), ["ring A"]);
    play.told("A1", sent());
    // The list's failing is no news; a login that is answered is.
    assert_eq!(play.on(down()), none());
    assert_eq!(play.conveyor.next_wake(), None);
    assert_eq!(play.told("A1", failed(Reason::Refused)), ["ring B", "code A"]);
}

#[test]
fn an_outage_that_it_paused_for_ends_the_pause() {
    let (mut play, _) = Play::started("a");
    play.on(down());
    // The first one only confirms what the list said.
    for number in 1..=4 {
        assert_eq!(play.told(&format!("a{number}"), failed(Reason::GatewayDown)), none());
        for look in 0..4 {
            let Some(wake) = play.conveyor.next_wake() else { panic!("it does not look any more") };
            play.now.mono = wake;
            let out = play.on(Input::Tick);
            assert_eq!(out, [if look == 3 && number < 4 { "code a" } else { "list" }], "{number} {look}");
        }
    }
    assert_eq!(play.phase(), Phase::Paused);
    let at = play.now.wall;
    assert_eq!(play.on(Input::Fleet(Fleet::Ok { at })), ["code a"]);
    assert_eq!(play.phase(), Phase::Running);
}

#[test]
fn without_a_token_nothing_is_sent() {
    let (mut play, _) = Play::started("AbC");
    play.on(Input::Token { usable: false });
    assert_eq!(play.told("A1", LoginStep::WaitingForToken), none());
    assert_eq!(play.told("b1", failed(Reason::TokenRejected)), none());
    assert_eq!(play.told("C1", failed(Reason::TokenRejected)), none());
    assert_eq!(play.places(), "Rcw");
    assert_eq!(play.on(Input::Token { usable: true }), ["ring C", "code b"]);
}

#[test]
fn a_stop_cancels_what_is_open_and_nothing_more_comes() {
    let (mut play, _) = Play::started("ABCDef");
    assert_eq!(play.on(Input::Stop), ["cancel A1", "cancel B1", "cancel C1", "cancel e1"]);
    for input in [Input::Start, Input::Resume, Input::Tick, online("A"), Input::Token { usable: true }] {
        assert_eq!(play.on(input), none());
    }
    assert_eq!(play.phase(), Phase::Done);
}

#[test]
fn an_account_that_is_removed_has_no_place_any_more() {
    let (mut play, _) = Play::started("ab");
    assert_eq!(play.on(Input::Gone { wc_id: "a".into() }), ["cancel a1", "code b"]);
    assert_eq!(play.places(), "S");
}

// ── Whatever happens ─────────────────────────────────────────────────────────────────────────────────────────────

/// The world around a conveyor: what was sent, what is open, who is online.
struct World {
    conveyor: Conveyor,
    settings: Settings,
    now: Now,
    names: Vec<WcId>,
    /// Attempts in the order they began: whose, whether a ring, whether still open.
    attempts: Vec<(WcId, bool, bool)>,
    /// Phones that have shown a dialog.
    rung: Vec<WcId>,
    codes: BTreeMap<WcId, u32>,
    online: BTreeSet<WcId>,
    resting: BTreeSet<WcId>,
    dropped: BTreeSet<WcId>,
    usable: bool,
    reachable: bool,
    /// Whether the last list was answered: only then is a failing one news.
    heard: bool,
    /// Looks since the gateway was told to be gone.
    ticks: u32,
}

impl World {
    fn new(kinds: &[u8], at_once: u8) -> Self {
        let now = Now { wall: Stamp(1_000_000), mono: Duration::ZERO };
        let settings = Settings { at_once, ..SETTINGS };
        let names: Vec<WcId> = (0..kinds.len()).map(|at| WcId::from(format!("n{at:02}"))).collect();
        let accounts = names.iter().zip(kinds).map(|(name, kind)| (name.clone(), Self::facts(name, *kind)));
        let conveyor = Conveyor::preview(accounts, settings, now);
        let rests = |place: &Place| matches!(place, Place::Resting { .. });
        let resting =
            conveyor.view().items.iter().filter(|item| rests(&item.place)).map(|item| item.wc_id.clone()).collect();
        Self {
            conveyor,
            settings,
            now,
            names,
            attempts: Vec::new(),
            rung: Vec::new(),
            codes: BTreeMap::new(),
            online: BTreeSet::new(),
            resting,
            dropped: BTreeSet::new(),
            usable: true,
            reachable: true,
            heard: true,
            ticks: 0,
        }
    }

    fn facts(name: &WcId, kind: u8) -> Facts {
        let budget = (kind.is_multiple_of(7))
            .then(|| Box::new(Budget { rests_until: Some(Stamp(i64::MAX)), ..Budget::default() }));
        Facts { budget, ..facts(if kind.is_multiple_of(3) { "Li" } else { "" }, name.as_str(), kind.is_multiple_of(2)) }
    }

    fn id(at: usize) -> AttemptId {
        AttemptId::from(format!("{at:04}"))
    }

    fn on(&mut self, input: Input) {
        let before = self.conveyor.phase();
        let mut outputs = self.conveyor.on(input, self.now);
        while !outputs.is_empty() {
            let (wc_id, ring) = match outputs.remove(0) {
                Output::Ring(wc_id) => (wc_id, true),
                Output::Code(wc_id) => (wc_id, false),
                Output::Cancel(attempt) => {
                    let at: usize = attempt.as_str().parse().unwrap();
                    self.attempts[at].2 = false;
                    continue;
                }
                Output::AskList => continue,
            };
            assert!(self.usable && self.reachable, "{wc_id} was sent without a gateway or a token");
            assert_ne!(before, Phase::Done);
            assert!(!self.online.contains(&wc_id), "{wc_id} is online already");
            assert!(!self.resting.contains(&wc_id), "{wc_id} rests");
            if !ring {
                *self.codes.entry(wc_id.clone()).or_default() += 1;
            }
            self.attempts.push((wc_id.clone(), ring, true));
            let attempt = Self::id(self.attempts.len() - 1);
            outputs.extend(self.conveyor.on(Input::Begun { wc_id, attempt }, self.now));
        }
        self.check();
    }

    fn check(&self) {
        let open = |ring: bool| self.attempts.iter().filter(move |attempt| attempt.1 == ring && attempt.2);
        assert!(open(true).count() <= usize::from(self.settings.at_once), "too many phones ring");
        assert!(open(false).count() <= 1, "two codes are shown");
        for attempt in open(true) {
            assert!(open(false).all(|code| code.0 != attempt.0), "{} is asked by both", attempt.0);
        }
        let mut rung = self.rung.clone();
        rung.sort();
        rung.dedup();
        assert_eq!(rung.len(), self.rung.len(), "a phone was rung twice: {:?}", self.rung);
        assert!(self.codes.values().all(|codes| *codes <= 6));
        let view = self.conveyor.view();
        assert_eq!(view.items.len(), self.names.len());
        let mut waiting = BTreeSet::new();
        for item in &view.items {
            let here = view.shown.as_ref().is_some_and(|(wc_id, _)| *wc_id == item.wc_id);
            assert_eq!(item.place == Place::Shown, here, "{item:?}");
            if item.place == Place::WaitsForCode {
                waiting.insert(item.wc_id.clone());
            }
            if self.online.contains(&item.wc_id) && !self.resting.contains(&item.wc_id) {
                assert_eq!(item.place, Place::Done, "{} is online", item.wc_id);
            }
            if item.place == Place::Done {
                assert!(self.online.contains(&item.wc_id), "{} is not online", item.wc_id);
            }
        }
        assert_eq!(view.queue.len(), waiting.len());
        assert_eq!(view.queue.iter().cloned().collect::<BTreeSet<_>>(), waiting);
        let open = view.items.iter().filter(|item| {
            matches!(item.place, Place::WaitsToRing | Place::Ringing | Place::WaitsForCode | Place::Shown)
        });
        assert_eq!(view.total(), view.settled() + open.count());
        assert_eq!(view.total() + self.resting.len(), view.items.len());
        if view.phase == Phase::Done {
            assert_eq!(view.settled(), view.total());
        }
    }

    fn comes_online(&mut self, wc_id: &WcId) {
        self.online.insert(wc_id.clone());
        let facts = Facts { online: true, ..facts("", wc_id.as_str(), true) };
        // Others of its logins are superseded.
        self.on(Input::Account { wc_id: wc_id.clone(), facts });
        let others: Vec<usize> =
            (0..self.attempts.len()).filter(|at| self.attempts[*at].2 && self.attempts[*at].0 == *wc_id).collect();
        for at in others {
            self.attempts[at].2 = false;
            self.told(at, LoginStep::Superseded);
        }
    }

    fn told(&mut self, at: usize, step: LoginStep) {
        self.on(Input::Told { attempt: Self::id(at), step });
    }

    /// Something happens: what, to whom, how.
    fn happen(&mut self, what: u8, whom: u8, how: u8) {
        self.now.mono += Duration::from_secs(1);
        self.now.wall = self.now.wall.plus_ms(1_000);
        let open: Vec<usize> = (0..self.attempts.len()).filter(|at| self.attempts[*at].2).collect();
        let one = open.get(usize::from(whom) % open.len().max(1)).copied();
        let name = self.names[usize::from(whom) % self.names.len()].clone();
        match what % 16 {
            0..=4 => {
                let Some(at) = one else { return };
                let (wc_id, ring, _) = self.attempts[at].clone();
                if ring && how.is_multiple_of(2) && !self.rung.contains(&wc_id) {
                    self.rung.push(wc_id.clone());
                    self.told(at, sent());
                }
                let asked = ring && self.rung.contains(&wc_id);
                self.attempts[at].2 = false;
                let step = match how % 10 {
                    0..=2 => {
                        // A late or a timely success: stored first, then told.
                        self.comes_online(&wc_id);
                        logged_in()
                    }
                    3 => expired(),
                    4 => failed(Reason::Refused),
                    5 => failed(Reason::GatewayDown),
                    6 => failed(Reason::SlotsFull),
                    7 if !ring => {
                        let came = self.names[usize::from(how) % self.names.len()].clone();
                        if came == wc_id {
                            expired()
                        } else {
                            self.comes_online(&came);
                            wrong(wc_id.as_str(), came.as_str())
                        }
                    }
                    8 if asked || !ring => failed(Reason::TokenRejected),
                    _ => failed(Reason::GatewaySaid),
                };
                self.told(at, step);
            }
            // An attempt that nobody waits for any more says something.
            5 if !self.attempts.is_empty() => {
                let at = usize::from(whom) % self.attempts.len();
                if !self.attempts[at].2 {
                    let wc_id = self.attempts[at].0.clone();
                    match how % 3 {
                        0 => {
                            self.comes_online(&wc_id);
                            self.told(at, logged_in());
                        }
                        1 => self.told(at, LoginStep::Cancelled),
                        _ => self.told(at, expired()),
                    }
                }
            }
            6 => {
                if !self.resting.contains(&name) {
                    self.comes_online(&name);
                }
            }
            7 | 8 => self.on(Input::Skip),
            9 if how.is_multiple_of(4) => {
                if let Some((wc_id, _)) = self.conveyor.view().shown {
                    self.dropped.insert(wc_id);
                }
                self.on(Input::Drop);
            }
            10 => self.on(Input::Resume),
            11 => {
                if self.heard && self.conveyor.phase() == Phase::Running && self.conveyor.next_wake().is_none() {
                    self.reachable = false;
                    self.ticks = 0;
                }
                self.heard = false;
                self.on(down());
            }
            12 => self.answers(),
            13 => {
                self.usable = how.is_multiple_of(2);
                self.on(Input::Token { usable: self.usable });
            }
            14 => self.on(Input::Start),
            _ => {
                self.now.mono += Duration::from_secs(u64::from(how));
                // After some looks one login is tried all the same.
                self.ticks += 1;
                self.reachable |= self.ticks > 3;
                self.on(Input::Tick);
            }
        }
    }

    fn answers(&mut self) {
        self.reachable = true;
        self.heard = true;
        let at = self.now.wall;
        self.on(Input::Fleet(Fleet::Ok { at }));
    }

    /// From now on everybody scans and confirms.
    fn all_goes_well(&mut self) {
        self.on(Input::Start);
        self.usable = true;
        self.on(Input::Token { usable: true });
        for _ in 0..1_000 {
            if self.conveyor.phase() == Phase::Done {
                return;
            }
            self.answers();
            if self.conveyor.phase() == Phase::Paused {
                self.on(Input::Resume);
            }
            if let Some(at) = (0..self.attempts.len()).find(|at| self.attempts[*at].2) {
                let wc_id = self.attempts[at].0.clone();
                self.attempts[at].2 = false;
                self.comes_online(&wc_id);
                self.told(at, logged_in());
            }
        }
        panic!("it does not end: {:?}", self.conveyor.view());
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn whatever_happens_nobody_is_asked_twice_and_everybody_settles(
        kinds in prop::collection::vec(any::<u8>(), 1..24),
        at_once in 1_u8..5,
        script in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 0..120),
    ) {
        let mut world = World::new(&kinds, at_once);
        world.check();
        world.on(Input::Start);
        for (what, whom, how) in script {
            world.happen(what, whom, how);
        }
        world.all_goes_well();
        for item in world.conveyor.view().items {
            match item.place {
                Place::Left(Reason::Cancelled) => prop_assert!(world.dropped.contains(&item.wc_id)),
                // Online, or its codes, or what the gateway said of it, were the end.
                Place::Done | Place::Left(_) => {}
                Place::Resting { .. } => prop_assert!(world.resting.contains(&item.wc_id)),
                other => prop_assert!(false, "{} is {other:?}", item.wc_id),
            }
        }
    }
}
