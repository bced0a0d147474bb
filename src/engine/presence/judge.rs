//! The judge: remembers between pieces of evidence what is not settled yet. Only exceptions take memory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::doubt::{Doubt, is_mass, suspicious};
use super::{
    Again, Answer, Entries, Hinted, Judgement, Rules, Turn, dropped_alert, is_moot, mass_drop_alert, recovered_alert,
};
use crate::model::{Account, Began, Presence, Reason, Source, Stamp, WId, WcId};
use crate::store::Verdict;

/// For this long after our own `member/offline` a list may still show the account (protocol.md §3.9).
const OFFLINE_LAG: Duration = Duration::from_secs(30);
/// So long after a question left, an older one may still be answered.
const OVERTAKEN: Duration = Duration::from_secs(300);
/// A hint that nothing has confirmed for so long is forgotten.
const HINT: Duration = Duration::from_secs(600);
/// An account is checked on notices at most this often.
const BETWEEN_CHECKS: Duration = Duration::from_secs(3);

/// A notice or a refusal that waits for an answer that agrees.
#[derive(Clone, Debug)]
struct Hint {
    at: Duration,
    notice: bool,
    refusal: bool,
    words: Option<Box<str>>,
    /// Whether it has been counted with an answer.
    counted: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Judge {
    rules: Rules,
    /// Agreeing observations against accounts that are not believed off line yet.
    against: HashMap<WcId, u8>,
    hints: HashMap<WcId, Hint>,
    changed: HashMap<WcId, (WId, Began)>,
    taken_offline: HashMap<WcId, Duration>,
    /// When that was asked for what was believed of whom lately, and the last list.
    rests_on: HashMap<WcId, Duration>,
    last_list: Duration,
    doubt: Option<Doubt>,
    /// Lists in a row that did not come, and since when.
    failures: u8,
    failing_since: Option<Began>,
    outage: Option<Began>,
}

impl Judge {
    /// A judge that knows nothing yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules: Rules { offline_after: rules.offline_after.max(1), ..rules },
            against: HashMap::new(),
            hints: HashMap::new(),
            changed: HashMap::new(),
            taken_offline: HashMap::new(),
            rests_on: HashMap::new(),
            last_list: Duration::ZERO,
            doubt: None,
            failures: 0,
            failing_since: None,
            outage: None,
        }
    }

    /// Since when the gateway has an outage.
    pub const fn outage(&self) -> Option<Began> {
        self.outage
    }

    /// Takes over what another observer found, or what the store says.
    pub const fn set_outage(&mut self, since: Option<Began>) {
        self.outage = since;
    }

    /// Whether a list that lacks many is to be confirmed or refuted by the next.
    pub const fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Whether something waits for further evidence: another list would settle it.
    pub fn is_undecided(&self) -> bool {
        self.doubt.is_some() || !self.against.is_empty() || !self.changed.is_empty() || !self.hints.is_empty()
    }

    /// Notes that we took the account off line ourselves, at a moment of the monotonic clock.
    pub fn took_offline(&mut self, wc_id: &WcId, at: Duration) {
        self.settle(wc_id);
        self.taken_offline.insert(wc_id.clone(), at);
    }

    /// Notes that a login of the account was stored: what was seen before is settled.
    pub fn logged_in(&mut self, wc_id: &WcId) {
        self.taken_offline.remove(wc_id);
        self.changed.remove(wc_id);
        self.settle(wc_id);
    }

    /// Notes that another process has decided what is to be believed of the account.
    pub fn decided(&mut self, wc_id: &WcId) {
        self.settle(wc_id);
    }

    fn settle(&mut self, wc_id: &WcId) {
        self.against.remove(wc_id);
        self.hints.remove(wc_id);
        if let Some(doubt) = &mut self.doubt {
            doubt.missing.remove(wc_id);
        }
    }

    /// Judges a list. `busy`: accounts with an open attempt of ours.
    pub fn list(
        &mut self,
        began: Began,
        entries: &Entries,
        accounts: &HashMap<WcId, Account>,
        busy: &HashSet<WcId>,
    ) -> Judgement {
        self.failures = 0;
        let Some((missing, online)) = suspicious(began, entries, accounts.values(), busy) else {
            return self.believe(began, entries, accounts, busy, None);
        };
        let doubt = Doubt::add(self.doubt.take(), began, missing, online);
        let sample = if self.rules.checks && !doubt.is_small() {
            doubt.sample(|wc_id| accounts.get(wc_id).and_then(|account| account.w_id.as_ref()))
        } else {
            Vec::new()
        };
        let mut judgement = Judgement::default();
        if sample.is_empty() {
            // One list more than usual; notices of all who are missing count as one.
            let noticed = doubt.missing.iter().all(|wc_id| self.hints.get(wc_id).is_some_and(|hint| hint.notice));
            if doubt.lists.saturating_add(u8::from(noticed)) > self.rules.offline_after {
                return self.believe(began, entries, accounts, busy, Some(&doubt));
            }
            // Few who were all named by notices are no outage: the next list may come at once.
            let soon = noticed && doubt.is_small();
            judgement.again = (doubt.lists == 1).then_some(if soon { Again::Soon } else { Again::Suspect });
        } else if doubt.lists > 1 {
            judgement.ask = sample;
        } else {
            judgement.again = Some(Again::Suspect);
        }
        self.doubt = Some(doubt);
        judgement
    }

    /// Judges the suspect list again, with what single accounts answered since ([`Judgement::ask`]).
    pub fn asked(
        &mut self,
        began: Began,
        entries: &Entries,
        answers: &[(WcId, Answer)],
        accounts: &HashMap<WcId, Account>,
        busy: &HashSet<WcId>,
    ) -> Judgement {
        let Some(doubt) = self.doubt.clone() else { return Judgement::default() };
        // The list lacks them, so a refusal to answer agrees with it (protocol.md §3.6).
        let offline = |answer: &Answer| matches!(answer, Answer::Offline | Answer::Refused);
        if !answers.is_empty() && answers.iter().all(|(_, answer)| offline(answer)) {
            return self.believe(began, entries, accounts, busy, Some(&doubt));
        }
        Judgement { turn: self.begin_outage(doubt.since), ..Judgement::default() }
    }

    /// No list came. `gone`: because the gateway is not there, or answers with what is no answer; a refused token is
    /// something else.
    pub fn list_failed(&mut self, began: Began, gone: bool) -> Judgement {
        let mut judgement = Judgement::default();
        if !gone {
            return judgement;
        }
        if self.failures == 0 {
            self.failing_since = Some(began);
            judgement.again = self.outage.is_none().then_some(Again::Suspect);
        }
        self.failures = self.failures.saturating_add(1);
        let since = self.doubt.as_ref().map(|doubt| doubt.since).or(self.failing_since).unwrap_or(began);
        if let Some(doubt) = &mut self.doubt {
            // A gateway that comes back may not know its instances at once: two lists have to agree anew.
            doubt.lists = 0;
        }
        if self.doubt.is_some() || self.failures > self.rules.offline_after {
            judgement.turn = self.begin_outage(since);
            judgement.again = None;
        }
        judgement
    }

    fn begin_outage(&mut self, since: Began) -> Option<Turn> {
        if self.outage.is_some() {
            return None;
        }
        self.outage = Some(since);
        Some(Turn::Outage(since))
    }

    /// A list that is believed. `doubt`: whoever it names as missing has dropped, whatever was counted.
    fn believe(
        &mut self,
        began: Began,
        entries: &Entries,
        accounts: &HashMap<WcId, Account>,
        busy: &HashSet<WcId>,
        doubt: Option<&Doubt>,
    ) -> Judgement {
        let nobody = BTreeSet::new();
        let gone = doubt.map_or(&nobody, |doubt| &doubt.missing);
        self.doubt = None;
        let turn = self.outage.take().map(Turn::OutageOver);
        let mut judgement = Judgement { plausible: true, turn, ..Judgement::default() };
        let mut listed: HashMap<&WcId, Option<&WId>> = HashMap::with_capacity(entries.len());
        for (wc_id, w_id) in entries {
            listed.insert(wc_id, w_id.as_ref());
        }
        let within = |since: Duration, limit| began.mono.saturating_sub(since) <= limit;
        self.taken_offline.retain(|_, since| within(*since, OFFLINE_LAG));
        self.hints.retain(|_, hint| within(hint.at, HINT));
        self.rests_on.retain(|_, since| within(*since, OVERTAKEN));
        for account in accounts.values() {
            let entry = listed.remove(&account.wc_id);
            if account.outdates(began) {
                continue;
            }
            match entry {
                Some(w_id) => self.present(began, account, w_id, busy, &mut judgement),
                None => self.absent(began, account, busy, gone, &mut judgement),
            }
        }
        self.last_list = self.last_list.max(began.mono);
        self.remember(&judgement);
        judgement.unknown = entries
            .iter()
            .filter(|(wc_id, _)| listed.remove(wc_id).is_some())
            .map(|(wc_id, w_id)| (wc_id.clone(), w_id.clone()))
            .collect();
        // Without a doubt the list lacks fewer than a fifth: it takes ten to be told as one.
        judgement.tell_as_one(doubt.map_or(usize::MAX, |doubt| doubt.online), began.at);
        judgement
    }

    fn present(
        &mut self,
        began: Began,
        account: &Account,
        w_id: Option<&WId>,
        busy: &HashSet<WcId>,
        judgement: &mut Judgement,
    ) {
        if self.is_overtaken(account, began) {
            return;
        }
        self.against.remove(&account.wc_id);
        if self.hints.get(&account.wc_id).is_some_and(|hint| hint.at <= began.mono) {
            self.hints.remove(&account.wc_id);
        }
        let same = w_id.is_none() || w_id == account.w_id.as_ref();
        if same && self.taken_offline.contains_key(&account.wc_id) {
            return;
        }
        if let Some(w_id) = w_id.filter(|_| !same) {
            if account.w_id_confirmed && account.w_id.is_some() {
                judgement.doubt.push((account.wc_id.clone(), w_id.clone()));
            }
            if busy.contains(&account.wc_id) {
                // What is online is what the login under way has brought: the login tells it.
                self.changed.remove(&account.wc_id);
                return;
            }
        }
        if account.presence != Presence::Online || account.source != Some(Source::List) {
            judgement.online(account, Source::List, began);
        }
        let Some(w_id) = w_id else { return };
        if same && !account.w_id_confirmed {
            judgement.confirm.push((account.wc_id.clone(), w_id.clone()));
        }
        if same {
            self.changed.remove(&account.wc_id);
            return;
        }
        match self.changed.get(&account.wc_id) {
            Some((seen, since)) if seen == w_id => {
                judgement.adopt.push((account.wc_id.clone(), w_id.clone(), *since));
                self.changed.remove(&account.wc_id);
            }
            Some(_) | None => {
                self.changed.insert(account.wc_id.clone(), (w_id.clone(), began));
                judgement.again = Some(Again::Soon);
            }
        }
    }

    fn absent(
        &mut self,
        began: Began,
        account: &Account,
        busy: &HashSet<WcId>,
        gone: &BTreeSet<WcId>,
        judgement: &mut Judgement,
    ) {
        self.changed.remove(&account.wc_id);
        if busy.contains(&account.wc_id) {
            self.against.remove(&account.wc_id);
            return;
        }
        if self.is_overtaken(account, began) {
            return;
        }
        if account.presence == Presence::Offline {
            self.against.remove(&account.wc_id);
            self.hints.remove(&account.wc_id);
            if account.source != Some(Source::List) {
                // What is believed rests on lists from now on, and is as fresh as they are.
                judgement.offline(account, Source::List, began, None);
            }
            return;
        }
        let wanted = if gone.contains(&account.wc_id) { 0 } else { self.rules.offline_after };
        self.count(began, account, Source::List, wanted, judgement);
    }

    /// An answer that says offline: with those before it, and with the hints that waited for it.
    fn count(&mut self, began: Began, account: &Account, source: Source, wanted: u8, judgement: &mut Judgement) {
        let mut weight = 1;
        if let Some(hint) = self.hints.get_mut(&account.wc_id).filter(|hint| !hint.counted) {
            hint.counted = true;
            weight += u8::from(hint.notice) + u8::from(hint.refusal);
        }
        let against = self.against.entry(account.wc_id.clone()).or_insert(0);
        *against = against.saturating_add(weight);
        if *against < wanted {
            if account.presence == Presence::Unknown && source == Source::List {
                // Nothing is believed of it yet, so nothing can flap: whoever has just come need not wait an interval.
                judgement.again.get_or_insert(Again::Soon);
            }
            return;
        }
        self.against.remove(&account.wc_id);
        let hint = self.hints.remove(&account.wc_id);
        let source = match &hint {
            Some(hint) if hint.notice => Source::Notice,
            Some(hint) if hint.refusal => Source::Refusal,
            Some(_) | None => source,
        };
        judgement.offline(account, source, began, hint.and_then(|hint| hint.words));
    }

    /// A notice of the gateway, heard at a moment of the monotonic clock. `account`: the one it names, if it is known.
    pub fn notice(
        &mut self,
        at: Duration,
        account: Option<&Account>,
        w_id: Option<&WId>,
        words: Option<Box<str>>,
        busy: &HashSet<WcId>,
    ) -> Hinted {
        let Some(account) = account else { return Hinted::Ignore };
        let other = matches!((w_id, &account.w_id), (Some(told), Some(current)) if told != current);
        if other || account.presence == Presence::Offline || busy.contains(&account.wc_id) {
            return Hinted::Ignore;
        }
        let recent = |hint: &Hint| hint.notice && at.saturating_sub(hint.at) < BETWEEN_CHECKS;
        if self.hints.get(&account.wc_id).is_some_and(recent) {
            return Hinted::Ignore;
        }
        let before = self.hints.remove(&account.wc_id);
        let refusal = before.as_ref().is_some_and(|hint| hint.refusal);
        let counted = before.as_ref().is_some_and(|hint| hint.notice && hint.counted);
        let words = words.or_else(|| before.and_then(|hint| hint.words));
        self.hints.insert(account.wc_id.clone(), Hint { at, notice: true, refusal, words, counted });
        match &account.w_id {
            Some(w_id) if self.rules.checks => Hinted::Check(w_id.clone()),
            Some(_) | None => Hinted::List,
        }
    }

    /// A single check of a wId was answered.
    pub fn checked(
        &mut self,
        began: Began,
        w_id: &WId,
        answer: Answer,
        account: Option<&Account>,
        busy: &HashSet<WcId>,
    ) -> Judgement {
        let mut judgement = Judgement::default();
        let Some(account) = account.filter(|account| account.w_id.as_ref() == Some(w_id)) else { return judgement };
        if is_moot(account, began, busy) || self.is_overtaken(account, began) {
            return judgement;
        }
        match answer {
            Answer::Online => {
                self.settle(&account.wc_id);
                if account.presence != Presence::Online && !self.taken_offline.contains_key(&account.wc_id) {
                    judgement.online(account, Source::Check, began);
                }
            }
            Answer::Offline if account.presence == Presence::Offline => self.settle(&account.wc_id),
            Answer::Offline => self.count(began, account, Source::Check, self.rules.offline_after, &mut judgement),
            Answer::Refused => {
                let hint = Hint { at: began.mono, notice: false, refusal: false, words: None, counted: false };
                self.hints.entry(account.wc_id.clone()).or_insert(hint).refusal = true;
                judgement.again = Some(Again::Soon);
            }
            Answer::Failed => {}
        }
        self.remember(&judgement);
        judgement
    }

    /// A call was refused because the account is off line: an observation like any other.
    pub fn refused(&mut self, began: Began, account: &Account, busy: &HashSet<WcId>) -> Judgement {
        let mut judgement = Judgement::default();
        let news = account.presence != Presence::Offline && !is_moot(account, began, busy);
        if news && !self.is_overtaken(account, began) {
            self.count(began, account, Source::Refusal, self.rules.offline_after, &mut judgement);
        }
        self.remember(&judgement);
        judgement
    }

    /// Notes what is believed from now on, and when that was asked for.
    fn remember(&mut self, judgement: &Judgement) {
        for verdict in &judgement.verdicts {
            self.rests_on.insert(verdict.wc_id.clone(), verdict.began.mono);
        }
    }

    /// Whether the belief rests on evidence that was asked for after this: by the store's numbers, and of what has no
    /// number between it, by the clock of this process.
    fn is_overtaken(&self, account: &Account, began: Began) -> bool {
        account.observed > began.order
            || self.rests_on.get(&account.wc_id).is_some_and(|since| *since > began.mono)
            || (account.source == Some(Source::List) && self.last_list > began.mono)
    }
}

impl Judgement {
    fn online(&mut self, account: &Account, source: Source, began: Began) {
        if account.presence == Presence::Offline {
            self.alerts.push(recovered_alert(account, began.at));
        }
        let wc_id = account.wc_id.clone();
        self.verdicts.push(Verdict { wc_id, presence: Presence::Online, source, began, reason: None });
    }

    fn offline(&mut self, account: &Account, source: Source, began: Began, words: Option<Box<str>>) {
        let dropped = account.presence == Presence::Online;
        if dropped {
            self.alerts.push(dropped_alert(account, words.as_deref(), began.at));
        }
        let (wc_id, reason) = (account.wc_id.clone(), dropped.then_some(Reason::Dropped));
        if let Some(words) = words {
            self.words.push((wc_id.clone(), words));
        }
        self.verdicts.push(Verdict { wc_id, presence: Presence::Offline, source, began, reason });
    }

    /// One alert for many drops.
    fn tell_as_one(&mut self, online: usize, at: Stamp) {
        let dropped = |verdict: &&Verdict| verdict.reason == Some(Reason::Dropped);
        let mut mass: Vec<WcId> = self.verdicts.iter().filter(dropped).map(|verdict| verdict.wc_id.clone()).collect();
        if !is_mass(mass.len(), online) {
            return;
        }
        mass.sort();
        self.alerts.retain(|alert| alert.event != "dropped");
        self.alerts.push(mass_drop_alert(&mass, at));
        self.mass = mass;
    }
}
