//! The judge as a table: what goes in, in which order, and what is believed after it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::property::cases;
use proptest::prelude::*;

use super::*;
use crate::model::Order;

const RULES: Rules = Rules { offline_after: 2, checks: true };
const V1: Rules = Rules { offline_after: 2, checks: false };

/// A judge, the accounts as a store would keep them, and a clock.
struct Court {
    judge: Judge,
    accounts: HashMap<WcId, Account>,
    busy: HashSet<WcId>,
    /// The monotonic clock, in milliseconds, and how far the wall clock is from it.
    clock: i64,
    wall: i64,
    /// The number of the store's last change.
    order: i64,
    /// The last question.
    asked: Began,
}

impl Court {
    /// `online` accounts that are online with wIds `w0`, `w1`, …
    fn new(rules: Rules, online: usize) -> Self {
        let accounts = (0..online).map(|number| account(number, Presence::Online));
        let accounts = accounts.map(|account| (account.wc_id.clone(), account)).collect();
        Self {
            judge: Judge::new(rules),
            accounts,
            busy: HashSet::new(),
            clock: 1_000_000,
            wall: 0,
            order: 0,
            asked: Began::default(),
        }
    }

    /// A question that is asked now.
    fn now(&self) -> Began {
        let mono = Duration::from_millis(self.clock.unsigned_abs());
        Began { at: Stamp(self.clock + self.wall), mono, order: Order(self.order) }
    }

    fn tick(&mut self) -> Began {
        self.clock += 30_000;
        self.asked = self.now();
        self.asked
    }

    /// What the store does with a judgement.
    fn keep(&mut self, judgement: &Judgement) {
        self.order += 1;
        for verdict in &judgement.verdicts {
            let account = self.accounts.get_mut(&verdict.wc_id).unwrap();
            account.presence = verdict.presence;
            account.source = Some(verdict.source);
            account.observed_at = Some(verdict.began.at);
            account.observed = verdict.began.order;
            account.reason = verdict.reason.or(account.reason);
        }
    }

    /// A list that lacks these.
    fn list_without(&mut self, missing: impl IntoIterator<Item = usize>) -> Judgement {
        let missing: HashSet<usize> = missing.into_iter().collect();
        let count = self.accounts.len();
        let entries: Vec<_> = (0..count).filter(|number| !missing.contains(number)).map(entry).collect();
        self.list(&entries)
    }

    fn list(&mut self, entries: &Entries) -> Judgement {
        let at = self.tick();
        let judgement = self.judge.list(at, entries, &self.accounts, &self.busy);
        self.keep(&judgement);
        judgement
    }

    fn asked(&mut self, judgement: &Judgement, answer: impl Fn(usize) -> Answer) -> Judgement {
        let answers: Vec<_> =
            judgement.ask.iter().enumerate().map(|(number, (wc_id, _))| (wc_id.clone(), answer(number))).collect();
        let judgement = self.judge.asked(self.asked, &[], &answers, &self.accounts, &self.busy);
        self.keep(&judgement);
        judgement
    }

    fn notice(&mut self, number: usize, w_id: Option<&str>) -> Hinted {
        let at = self.tick().mono;
        let w_id = w_id.map(WId::from);
        self.judge.notice(at, self.accounts.get(&id(number)), w_id.as_ref(), Some("kicked".into()), &self.busy)
    }

    fn check(&mut self, number: usize, answer: Answer) -> Judgement {
        let at = self.tick();
        let w_id = WId::new(format!("w{number}"));
        let judgement = self.judge.checked(at, &w_id, answer, self.accounts.get(&id(number)), &self.busy);
        self.keep(&judgement);
        judgement
    }

    fn presence(&self, number: usize) -> Presence {
        self.accounts[&id(number)].presence
    }

    fn change(&mut self, number: usize, change: impl FnOnce(&mut Account)) {
        change(self.accounts.get_mut(&id(number)).unwrap());
    }
}

fn id(number: usize) -> WcId {
    WcId::new(format!("wxid_{number:05}"))
}

fn entry(number: usize) -> (WcId, Option<WId>) {
    (id(number), Some(WId::new(format!("w{number}"))))
}

fn account(number: usize, presence: Presence) -> Account {
    Account {
        w_id: Some(WId::new(format!("w{number}"))),
        w_id_confirmed: true,
        presence,
        source: Some(Source::List),
        observed_at: Some(Stamp(1)),
        ..Account::new(id(number))
    }
}

fn events(judgement: &Judgement) -> Vec<&'static str> {
    judgement.alerts.iter().map(|alert| alert.event).collect()
}

fn quiet(judgement: &Judgement) -> bool {
    judgement.verdicts.is_empty() && judgement.alerts.is_empty() && judgement.turn.is_none()
}

#[test]
fn a_drop_is_believed_after_enough_lists_and_not_before() {
    for (from, after, expected) in [
        (Presence::Online, 2, vec![false, true]),
        (Presence::Unknown, 2, vec![false, true]),
        (Presence::Online, 1, vec![true]),
        (Presence::Online, 3, vec![false, false, true]),
        (Presence::Offline, 2, vec![false, false, false]),
    ] {
        let mut court = Court::new(Rules { offline_after: after, ..RULES }, 10);
        court.change(3, |account| account.presence = from);
        for (round, believed) in expected.into_iter().enumerate() {
            let judgement = court.list_without([3]);
            assert!(judgement.plausible);
            let offline: Vec<_> = judgement.verdicts.iter().map(|v| (v.wc_id.clone(), v.presence)).collect();
            let wanted = if believed { vec![(id(3), Presence::Offline)] } else { vec![] };
            assert_eq!(offline, wanted, "{from:?} after {after}, round {round}");
            let alerts = if believed && from == Presence::Online { vec!["dropped"] } else { vec![] };
            assert_eq!(events(&judgement), alerts);
        }
    }
}

#[test]
fn whoever_has_just_come_need_not_wait_an_interval() {
    let mut court = Court::new(RULES, 2);
    court.change(1, |account| account.presence = Presence::Unknown);
    let first = court.list_without([1]);
    assert!(quiet(&first) && first.again == Some(Again::Soon), "{first:?}");
    let second = court.list_without([1]);
    assert_eq!((second.again, court.presence(1)), (None, Presence::Offline));
    // Of somebody who was online it is no hurry: that may be a flap.
    assert_eq!(court.list_without([0]).again, None);
}

#[test]
fn a_flap_of_one_interval_raises_nothing() {
    let mut court = Court::new(RULES, 10);
    for round in 0..6 {
        let missing = if round % 2 == 0 { vec![3, 4] } else { vec![] };
        assert!(quiet(&court.list_without(missing)), "round {round}");
    }
    // Nor one of many: the list is asked again, and settled.
    let gone = court.list_without(0..10);
    assert!(!gone.plausible && quiet(&gone));
    assert_eq!(gone.again, Some(Again::Suspect));
    let back = court.list_without([]);
    assert!(back.plausible && quiet(&back));
}

#[test]
fn many_at_once_are_asked_for_and_told_as_one() {
    for (online, gone) in [(50, 50), (50, 10), (100, 20), (3, 3), (10, 4)] {
        let mut court = Court::new(RULES, online);
        assert!(quiet(&court.list_without(0..gone)), "{gone} of {online}");
        let again = court.list_without(0..gone);
        assert!(quiet(&again) && !again.plausible);
        assert_eq!(again.ask.len(), gone.min(5));
        let judged = court.asked(&again, |number| if number == 0 { Answer::Refused } else { Answer::Offline });
        assert_eq!(events(&judged), ["mass_drop"], "{gone} of {online}");
        assert_eq!(judged.mass.len(), gone);
        let told = judged.alerts[0].fields.iter().find(|(key, _)| *key == "wc_ids").unwrap();
        assert_eq!(told.1.as_array().unwrap().len(), gone);
        assert_eq!(judged.turn, None);
        let believed = (0..online).filter(|number| court.presence(*number) == Presence::Offline);
        // The list of these answers was empty here: whoever else it lacks has one observation against him.
        assert_eq!(believed.collect::<Vec<_>>(), (0..gone).collect::<Vec<_>>());
    }
}

#[test]
fn fewer_than_a_fifth_are_believed_as_usual() {
    for (online, gone, alerts) in
        [(100, 9, vec!["dropped"; 9]), (100, 19, vec!["mass_drop"]), (10_000, 50, vec!["mass_drop"])]
    {
        let mut court = Court::new(RULES, online);
        let first = court.list_without(0..gone);
        assert!(first.plausible && quiet(&first));
        let judgement = court.list_without(0..gone);
        assert_eq!(events(&judgement), alerts);
        assert_eq!(judgement.verdicts.len(), gone);
        assert_eq!(judgement.mass.len(), if alerts.len() == 1 { gone } else { 0 });
    }
}

#[test]
fn one_that_is_online_or_silent_makes_it_an_outage() {
    for answer in [Answer::Online, Answer::Failed] {
        let mut court = Court::new(RULES, 50);
        court.list_without(0..50);
        let since = court.asked;
        let again = court.list_without(0..50);
        let judged = court.asked(&again, |number| if number == 4 { answer } else { Answer::Offline });
        assert_eq!(judged.turn, Some(Turn::Outage(since)));
        assert!(judged.verdicts.is_empty() && judged.alerts.is_empty() && !judged.plausible);
        assert!((0..50).all(|number| court.presence(number) == Presence::Online));
        // It is said once. From now on every such list is followed by questions at once.
        let later = court.list_without(0..50);
        assert_eq!((later.ask.len(), later.again), (5, None));
        assert_eq!(court.asked(&later, |_| answer).turn, None);
        let over = court.list_without([7]);
        assert_eq!((over.turn, over.plausible), (Some(Turn::OutageOver(since)), true));
        assert!(quiet(&court.list_without([])));
    }
}

#[test]
fn an_outage_may_turn_out_to_be_a_drop() {
    let mut court = Court::new(RULES, 50);
    court.list_without(0..50);
    let again = court.list_without(0..50);
    court.asked(&again, |_| Answer::Failed);
    let later = court.list_without(0..50);
    let judged = court.asked(&later, |_| Answer::Offline);
    assert!(matches!(judged.turn, Some(Turn::OutageOver(_))));
    assert_eq!(events(&judged), ["mass_drop"]);
}

#[test]
fn the_last_ones_can_drop_too() {
    for (rules, online) in [(RULES, 1), (RULES, 2), (V1, 1), (V1, 2)] {
        let mut court = Court::new(rules, online);
        let first = court.list(&[]);
        assert!(quiet(&first) && first.again == Some(Again::Suspect) && first.ask.is_empty());
        let second = court.list(&[]);
        assert!(quiet(&second) && second.again.is_none() && second.ask.is_empty());
        let third = court.list(&[]);
        assert_eq!(events(&third), vec!["dropped"; online], "{rules:?}");
        assert!(third.plausible);
    }
}

#[test]
fn v1_believes_many_after_one_list_more() {
    let mut court = Court::new(V1, 50);
    assert!(quiet(&court.list(&[])) && quiet(&court.list(&[])));
    assert_eq!(events(&court.list(&[])), ["mass_drop"]);
}

#[test]
fn an_empty_list_of_nobody_online_is_plausible() {
    let mut court = Court::new(RULES, 0);
    court.accounts.insert(id(1), Account::new(id(1)));
    assert!(court.list(&[]).plausible);
    assert!(court.list(&[]).plausible);
    assert_eq!(court.presence(1), Presence::Offline);
}

#[test]
fn lists_that_fail_are_an_outage_and_never_a_drop() {
    let mut court = Court::new(RULES, 10);
    let mut turns = Vec::new();
    let mut since = None;
    for _ in 0..6 {
        let at = court.tick();
        since.get_or_insert(at);
        let judgement = court.judge.list_failed(at, true);
        assert!(judgement.verdicts.is_empty() && judgement.alerts.is_empty());
        turns.push(judgement.turn);
    }
    let since = since.unwrap();
    assert_eq!(turns, [None, None, Some(Turn::Outage(since)), None, None, None]);
    let over = court.list_without([]);
    assert_eq!(over.turn, Some(Turn::OutageOver(since)));
    // A refused token is no outage, however often.
    for _ in 0..6 {
        let at = court.tick();
        assert_eq!(court.judge.list_failed(at, false), Judgement::default());
    }
    // Two failures are none yet, and a list begins the count anew.
    for _ in 0..3 {
        for _ in 0..2 {
            let at = court.tick();
            assert_eq!(court.judge.list_failed(at, true).turn, None);
        }
        assert!(quiet(&court.list_without([])));
    }
}

#[test]
fn a_suspect_list_and_a_gateway_that_is_gone_are_an_outage() {
    let mut court = Court::new(RULES, 10);
    court.list_without(0..10);
    let since = court.asked;
    let at = court.tick();
    assert_eq!(court.judge.list_failed(at, true).turn, Some(Turn::Outage(since)));
}

#[test]
fn a_gateway_that_comes_back_empty_is_asked_again_before_anybody_has_dropped() {
    // Its first list after an outage lacks everybody, and so would an old wId be unknown to it; the next one is right.
    for suspect_before in [false, true] {
        let mut court = Court::new(RULES, 10);
        if suspect_before {
            assert!(quiet(&court.list(&[])));
        }
        let mut turns = Vec::new();
        for _ in 0..3 {
            let at = court.tick();
            turns.extend(court.judge.list_failed(at, true).turn);
        }
        assert!(matches!(turns[..], [Turn::Outage(_)]), "{turns:?}");
        let back = court.list(&[]);
        assert!(quiet(&back) && back.ask.is_empty(), "{back:?}");
        assert_eq!(back.again, Some(Again::Suspect));
        let over = court.list_without([]);
        assert!(matches!(over.turn, Some(Turn::OutageOver(_))), "{over:?}");
        assert!(over.verdicts.is_empty() && over.alerts.is_empty(), "{over:?}");
    }
}

#[test]
fn a_notice_and_one_check_are_a_drop() {
    let mut court = Court::new(RULES, 10);
    assert_eq!(court.notice(3, Some("w3")), Hinted::Check("w3".into()));
    let judgement = court.check(3, Answer::Offline);
    assert_eq!(events(&judgement), ["dropped"]);
    assert_eq!(judgement.verdicts[0].source, Source::Notice);
    assert_eq!(judgement.words, [(id(3), "kicked".into())]);
    // Doubled: it is off line already.
    assert_eq!(court.notice(3, Some("w3")), Hinted::Ignore);
}

#[test]
fn a_notice_and_one_list_are_a_drop() {
    for rules in [RULES, V1] {
        let mut court = Court::new(rules, 10);
        let hinted = court.notice(3, Some("w3"));
        assert_eq!(hinted, if rules.checks { Hinted::Check("w3".into()) } else { Hinted::List });
        assert_eq!(events(&court.list_without([3])), ["dropped"]);
    }
}

#[test]
fn few_who_were_all_named_by_notices_wait_no_five_seconds() {
    for (rules, online, named, again) in [
        (V1, 1, 1, Again::Soon),
        (V1, 2, 2, Again::Soon),
        (RULES, 2, 2, Again::Soon),
        (RULES, 2, 1, Again::Suspect),
        (RULES, 1, 0, Again::Suspect),
        (V1, 3, 3, Again::Suspect),
    ] {
        let mut court = Court::new(rules, online);
        for number in 0..named {
            court.notice(number, None);
        }
        let first = court.list_without(0..online);
        assert!(quiet(&first));
        assert_eq!(first.again, Some(again), "{named} of {online}");
        if named == online {
            // The notices counted as one list of the three.
            assert_eq!(court.list_without(0..online).verdicts.len(), online);
        }
    }
}

#[test]
fn a_notice_alone_is_no_evidence() {
    for after in [1, 2, 3] {
        let mut court = Court::new(Rules { offline_after: after, ..RULES }, 10);
        for _ in 0..5 {
            court.notice(3, Some("w3"));
        }
        assert_eq!(court.presence(3), Presence::Online);
        // What is seen after it settles it.
        assert!(quiet(&court.check(3, Answer::Online)));
        assert_eq!(court.list_without([3]).verdicts.len(), usize::from(after == 1));
    }
}

#[test]
fn many_notices_count_as_one() {
    let mut court = Court::new(Rules { offline_after: 4, ..RULES }, 10);
    court.notice(3, Some("w3"));
    assert!(quiet(&court.check(3, Answer::Offline)));
    court.notice(3, Some("w3"));
    court.notice(3, Some("w3"));
    assert!(quiet(&court.check(3, Answer::Offline)));
    assert_eq!(events(&court.check(3, Answer::Offline)), ["dropped"]);
}

#[test]
fn notices_that_say_nothing_are_ignored() {
    let mut court = Court::new(RULES, 4);
    court.change(1, |account| account.presence = Presence::Offline);
    court.busy.insert(id(2));
    for (number, w_id) in [(0, Some("w-older")), (1, Some("w1")), (2, Some("w2")), (9, Some("w9"))] {
        assert_eq!(court.notice(number, w_id), Hinted::Ignore, "{number}");
    }
    // Without a wId it may be about this one; a second later it is not checked again.
    assert_eq!(court.notice(0, None), Hinted::Check("w0".into()));
    court.clock += 1_000;
    let at = court.now().mono;
    let again = court.judge.notice(at, court.accounts.get(&id(0)), None, None, &court.busy);
    assert_eq!(again, Hinted::Ignore);
}

#[test]
fn a_refused_check_counts_only_with_a_list_that_agrees() {
    let mut court = Court::new(RULES, 10);
    let refused = court.check(3, Answer::Refused);
    assert!(quiet(&refused) && refused.again == Some(Again::Soon));
    assert!(quiet(&court.list_without([])));
    assert!(quiet(&court.list_without([3])));
    court.list_without([]);
    court.check(3, Answer::Refused);
    let judgement = court.list_without([3]);
    assert_eq!((events(&judgement), judgement.verdicts[0].source), (vec!["dropped"], Source::Refusal));
}

#[test]
fn no_answer_proves_nothing() {
    let mut court = Court::new(RULES, 10);
    court.notice(3, Some("w3"));
    for _ in 0..10 {
        assert!(quiet(&court.check(3, Answer::Failed)));
    }
    assert_eq!(court.presence(3), Presence::Online);
}

#[test]
fn a_refusal_is_an_observation() {
    let mut court = Court::new(RULES, 10);
    let at = court.tick();
    let account = court.accounts[&id(3)].clone();
    assert!(quiet(&court.judge.refused(at, &account, &court.busy)));
    assert_eq!(events(&court.list_without([3])), ["dropped"]);
}

#[test]
fn an_account_that_answers_is_online() {
    let mut court = Court::new(RULES, 10);
    court.change(3, |account| account.presence = Presence::Offline);
    let judgement = court.check(3, Answer::Online);
    assert_eq!(events(&judgement), ["recovered"]);
    assert_eq!(court.presence(3), Presence::Online);
}

#[test]
fn what_was_overtaken_changes_nothing() {
    let mut court = Court::new(Rules { offline_after: 1, ..RULES }, 10);
    let asked = court.tick();
    court.check(3, Answer::Offline);
    assert_eq!(court.presence(3), Presence::Offline);
    // The list was asked for before the check and came after it.
    let entries: Vec<_> = (0..10).map(entry).collect();
    let late = court.judge.list(asked, &entries, &court.accounts, &court.busy);
    assert!(quiet(&late), "{late:?}");
    // A check of a wId that is not the current one any more.
    court.change(4, |account| account.w_id = Some("other".into()));
    assert!(quiet(&court.check(4, Answer::Offline)));
}

#[test]
fn another_w_id_is_adopted_when_two_lists_in_a_row_agree() {
    let mut court = Court::new(RULES, 1);
    let listed = |w_id: &str| vec![(id(0), Some(WId::from(w_id)))];
    let first = court.list(&listed("x2"));
    assert!(first.again == Some(Again::Soon) && first.adopt.is_empty());
    let other = court.list(&listed("x3"));
    assert!(other.again == Some(Again::Soon) && other.adopt.is_empty());
    let since = court.asked;
    assert_eq!(court.list(&listed("x3")).adopt, [(id(0), WId::from("x3"), since)]);
}

#[test]
fn a_known_w_id_is_confirmed_by_one_list() {
    let mut court = Court::new(RULES, 1);
    court.change(0, |account| account.w_id_confirmed = false);
    let judgement = court.list_without([]);
    assert_eq!((judgement.confirm.len(), judgement.again), (1, None));
}

#[test]
fn a_list_that_shows_another_w_id_puts_the_known_one_in_doubt_also_while_a_login_is_open() {
    for (busy, presence) in [(false, Presence::Online), (true, Presence::Online), (true, Presence::Offline)] {
        let mut court = Court::new(RULES, 1);
        court.change(0, |account| account.presence = presence);
        if busy {
            court.busy.insert(id(0));
        }
        let judgement = court.list(&[(id(0), Some(WId::from("x2")))]);
        assert_eq!(judgement.doubt, [(id(0), WId::from("x2"))], "{busy} {presence:?}");
        // Whoever is being logged in is online by that login, which tells it.
        assert!(judgement.verdicts.is_empty() && judgement.alerts.is_empty(), "{busy} {presence:?}: {judgement:?}");
    }
}

#[test]
fn an_open_attempt_keeps_the_evidence_out() {
    let mut court = Court::new(Rules { offline_after: 1, ..RULES }, 10);
    court.busy.insert(id(3));
    for round in 0..5 {
        let judgement = if round % 2 == 0 { court.list_without([3]) } else { court.check(3, Answer::Offline) };
        assert!(quiet(&judgement) && judgement.adopt.is_empty());
    }
}

#[test]
fn evidence_older_than_the_last_login_changes_nothing() {
    let mut court = Court::new(Rules { offline_after: 1, ..RULES }, 10);
    let settled = Order(court.order + 1);
    court.change(3, |account| account.settled = settled);
    assert!(quiet(&court.list_without([3])));
    assert_eq!(events(&court.list_without([3])), ["dropped"]);
}

#[test]
fn a_list_without_w_ids_proves_presence_only() {
    let mut court = Court::new(V1, 1);
    court.change(0, |account| account.presence = Presence::Offline);
    let judgement = court.list(&[(id(0), None)]);
    assert_eq!(events(&judgement), ["recovered"]);
    assert!(judgement.adopt.is_empty() && judgement.again.is_none());
}

#[test]
fn a_list_that_lags_behind_our_own_offline_does_not_revive_the_account() {
    let mut court = Court::new(RULES, 1);
    court.change(0, |account| account.presence = Presence::Offline);
    court.clock += 5_000;
    court.judge.took_offline(&id(0), court.now().mono);
    assert!(quiet(&court.list_without([])));
    assert_eq!(events(&court.list_without([])), ["recovered"]);
}

#[test]
fn unknown_w_c_ids_come_out_once_each() {
    let mut court = Court::new(RULES, 0);
    let judgement = court.list(&[entry(1), entry(1)]);
    assert_eq!(judgement.unknown, [entry(1)]);
}

#[test]
fn belief_comes_to_rest_on_lists() {
    let mut court = Court::new(RULES, 2);
    court.change(0, |account| account.source = Some(Source::Login));
    court.change(1, |account| (account.source, account.presence) = (Some(Source::Notice), Presence::Offline));
    let judgement = court.list_without([1]);
    let sources: Vec<_> = judgement.verdicts.iter().map(|verdict| verdict.source).collect();
    assert_eq!(sources, [Source::List; 2]);
    assert!(judgement.alerts.is_empty());
    assert!(court.list_without([1]).verdicts.is_empty());
}

#[test]
fn a_first_night_drop_is_labelled() {
    let mut court = Court::new(Rules { offline_after: 1, ..RULES }, 10);
    let first = court.now().at;
    court.change(3, |account| {
        account.logged_in(true, first);
        account.last_login_at = Some(first);
    });
    let judgement = court.list_without([3, 4]);
    let mut labels: Vec<_> = judgement.alerts.iter().map(|a| (a.wc_id.clone(), a.fields[0].1.clone())).collect();
    labels.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(labels, [(Some(id(3)), true.into()), (Some(id(4)), false.into())]);
}

#[test]
fn staleness_needs_old_evidence_or_an_outage() {
    let interval = Duration::from_secs(30);
    let mut account = account(0, Presence::Online);
    account.observed_at = None;
    assert!(is_stale(&account, Stamp(0), interval));
    account.observed_at = Some(Stamp(0));
    assert!(!is_stale(&account, Stamp(300_000), interval));
    assert!(is_stale(&account, Stamp(300_001), interval));
    assert!(!is_stale(&account, Stamp(600_000), Duration::from_secs(200)));
    // What lies ahead is of no known age, but for what a clock is corrected by now and then.
    assert!(!is_stale(&account, Stamp(-10_000), interval));
    for ahead in [10_001, 600_000, 8 * 3_600_000] {
        assert!(is_stale(&account, Stamp(-ahead), interval), "{ahead}");
    }
    let outage = |order| Some(Began { order: Order(order), ..Began::default() });
    account.observed = Order(5);
    assert!(is_stale_in_outage(&account, outage(6)));
    assert!(!is_stale_in_outage(&account, outage(5)));
    assert!(!is_stale_in_outage(&account, None));
    account.presence = Presence::Unknown;
    assert!(!is_stale(&account, Stamp(900_000), interval));
    assert!(!is_stale_in_outage(&account, outage(6)));
}

#[derive(Clone, Debug)]
enum Piece {
    List(Vec<usize>),
    Failed(bool),
    Notice(usize, bool),
    Check(usize, u8),
    Login(usize),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        proptest::collection::vec(0_usize..8, 0..8).prop_map(Piece::List),
        any::<bool>().prop_map(Piece::Failed),
        (0_usize..8, any::<bool>()).prop_map(|(number, current)| Piece::Notice(number, current)),
        (0_usize..8, 0_u8..4).prop_map(|(number, answer)| Piece::Check(number, answer)),
        (0_usize..8).prop_map(Piece::Login),
    ]
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever comes, in whatever order and whatever the clock says: nothing panics, nobody drops who was not asked about with
    /// the answer no, and an outage begins and ends in turns.
    #[test]
    fn random_evidence(pieces in proptest::collection::vec((piece(), -100_000_i64..100_000), 0..60), checks: bool) {
        let mut court = Court::new(Rules { offline_after: 2, checks }, 8);
        let mut against: HashMap<WcId, usize> = HashMap::new();
        let mut outage = None;
        for (piece, late) in pieces {
            // A clock that is set, by whatever: nothing may hang on it.
            court.wall += late * 1_000;
            let judgement = match &piece {
                Piece::List(missing) => {
                    for number in missing {
                        *against.entry(id(*number)).or_default() += 1;
                    }
                    let judged = court.list_without(missing.iter().copied());
                    if judged.ask.is_empty() { judged } else { court.asked(&judged, |_| Answer::Offline) }
                }
                Piece::Failed(gone) => {
                    let at = court.tick();
                    court.judge.list_failed(at, *gone)
                }
                Piece::Notice(number, current) => {
                    let w_id = if *current { format!("w{number}") } else { "old".to_owned() };
                    court.notice(*number, Some(&w_id));
                    Judgement::default()
                }
                Piece::Check(number, answer) => {
                    let answer =
                        [Answer::Online, Answer::Offline, Answer::Refused, Answer::Failed][usize::from(*answer)];
                    if answer == Answer::Offline {
                        *against.entry(id(*number)).or_default() += 1;
                    }
                    court.check(*number, answer)
                }
                Piece::Login(number) => {
                    let at = court.tick().at;
                    court.order += 1;
                    let settled = Order(court.order);
                    court.change(*number, |account| {
                        account.presence = Presence::Online;
                        account.last_login_at = Some(at);
                        (account.settled, account.observed) = (settled, settled);
                    });
                    court.judge.logged_in(&id(*number));
                    Judgement::default()
                }
            };
            for verdict in &judgement.verdicts {
                if verdict.presence == Presence::Offline {
                    // `asked` is given an empty list here, so everybody may be missing.
                    let asked = judgement.mass.contains(&verdict.wc_id) || judgement.plausible;
                    prop_assert!(asked || against.contains_key(&verdict.wc_id));
                }
            }
            match judgement.turn {
                Some(Turn::Outage(since)) => {
                    prop_assert_eq!(outage, None);
                    outage = Some(since);
                }
                Some(Turn::OutageOver(since)) => {
                    prop_assert_eq!(outage, Some(since));
                    outage = None;
                }
                None => {}
            }
            prop_assert_eq!(court.judge.outage(), outage);
        }
    }
}

/// Only the gateway's own word is an answer: what a proxy says, or half of one, leaves the account as it is.
#[test]
fn what_is_no_answer_says_neither_online_nor_offline() {
    use crate::gateway::{Call, Error, Kind};
    let failed = |kind| {
        let (call, detail) = (Call::IsOnline, "".into());
        super::answer(Err(Error { call, kind, gateway_message: None, detail, sent: true, status: None }))
    };
    for status in 300..600 {
        assert_eq!(failed(Kind::Http(status)), Answer::Failed, "{status}");
    }
    for kind in [Kind::Unreachable, Kind::TimedOut, Kind::Malformed, Kind::TooLarge, Kind::TokenSuspect] {
        assert_eq!(failed(kind.clone()), Answer::Failed, "{kind:?}");
    }
    for kind in [Kind::Refused, Kind::RefusedInside] {
        assert_eq!(failed(kind), Answer::Refused);
    }
    assert_eq!((super::answer(Ok(true)), super::answer(Ok(false))), (Answer::Online, Answer::Offline));
}

/// How far a clock is set.
const JUMPS: [i64; 8] = [-31_536_000_000, -28_800_000, -600_000, -3_000, 3_000, 600_000, 28_800_000, 31_536_000_000];

#[test]
fn a_drop_takes_as_many_lists_as_ever_however_the_clock_is_set() {
    for rules in [RULES, V1, Rules { offline_after: 1, ..RULES }, Rules { offline_after: 4, ..V1 }] {
        for jump in JUMPS {
            // Set before this step, and right again before a later one: a login, lists that lack nobody, lists that lack one.
            for (set, right) in (0..8).flat_map(|set| (set + 1..=8).map(move |right| (set, right))) {
                let mut court = Court::new(rules, 20);
                let mut step = 0;
                let mut lists = 0;
                let mut next = |court: &mut Court| {
                    court.wall = if (set..right).contains(&step) { jump } else { 0 };
                    step += 1;
                };
                next(&mut court);
                court.order += 1;
                let (settled, at) = (Order(court.order), court.tick().at);
                court.change(3, |account| {
                    (account.settled, account.observed) = (settled, settled);
                    (account.last_login_at, account.observed_at) = (Some(at), Some(at));
                    account.source = Some(Source::Login);
                });
                court.judge.logged_in(&id(3));
                for _ in 0..2 {
                    next(&mut court);
                    assert!(court.list_without([]).alerts.is_empty());
                }
                while court.presence(3) == Presence::Online {
                    next(&mut court);
                    court.list_without([3]);
                    lists += 1;
                }
                assert_eq!(lists, rules.offline_after, "{rules:?} {jump} {set} {right}");
                next(&mut court);
                assert_eq!(events(&court.list_without([])), ["recovered"], "{jump} {set} {right}");
            }
        }
    }
}

#[test]
fn what_waits_and_what_is_forgotten_goes_by_no_clock_that_is_set() {
    for jump in JUMPS {
        // A notice waits for the check that agrees.
        let mut court = Court::new(RULES, 10);
        court.notice(3, Some("w3"));
        court.wall = jump;
        assert_eq!(events(&court.check(3, Answer::Offline)), ["dropped"], "{jump}");
        // It is forgotten after ten minutes, not by a jump, and then it counts for nothing.
        let mut court = Court::new(RULES, 10);
        court.notice(3, Some("w3"));
        court.clock += 600_000;
        court.wall = jump;
        court.list_without([]);
        assert!(quiet(&court.list_without([3])), "{jump}");
        // A list still shows what we took off line ourselves: for half a minute.
        let mut court = Court::new(RULES, 10);
        court.change(0, |account| account.presence = Presence::Offline);
        court.judge.took_offline(&id(0), court.now().mono);
        court.wall = jump;
        assert!(quiet(&court.list_without([])), "{jump}");
        assert_eq!(events(&court.list_without([])), ["recovered"], "{jump}");
        // Another wId, in two lists.
        let mut court = Court::new(RULES, 1);
        let listed = [(id(0), Some(WId::from("x2")))];
        assert!(court.list(&listed).adopt.is_empty());
        court.wall = jump;
        assert_eq!(court.list(&listed).adopt.len(), 1, "{jump}");
    }
}
