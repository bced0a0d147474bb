//! The one conveyor of this process: fed with what the hub knows, told on every change.

use std::collections::{HashSet, VecDeque};

use tokio::time::Instant;

use super::Hub;
use crate::engine::api::{ConveyorView, ConveyorWish, Event, Fleet, LoginStep, Phase, Token, Way};
use crate::engine::conveyor::{AT_ONCE, Conveyor, Facts, Input, Output, Settings};
use crate::engine::login;
use crate::model::{AttemptId, AttemptState, WcId};

/// The conveyor, if there is one, and what it has been told.
#[derive(Debug, Default)]
pub(super) struct Seat {
    machine: Option<Conveyor>,
    inbox: VecDeque<Input>,
    view: Option<ConveyorView>,
    usable: Option<bool>,
    fleet: Option<Fleet>,
}

impl Seat {
    /// A login told a step.
    pub(super) fn told(&mut self, attempt: &AttemptId, step: &LoginStep) {
        self.put(|| Input::Told { attempt: attempt.clone(), step: step.clone() });
    }

    /// [`Hub::conveyor_wake`] has come.
    pub(super) fn tick(&mut self) {
        self.put(|| Input::Tick);
    }

    fn put(&mut self, input: impl FnOnce() -> Input) {
        if self.machine.is_some() {
            self.inbox.push_back(input());
        }
    }
}

impl Hub {
    pub(super) async fn conveyor_wished(&mut self, wish: ConveyorWish) {
        match wish {
            ConveyorWish::Preview { wc_ids, force } => self.preview(wc_ids, force).await,
            ConveyorWish::Start => self.conveyor.put(|| Input::Start),
            ConveyorWish::Skip => self.conveyor.put(|| Input::Skip),
            ConveyorWish::Drop => self.conveyor.put(|| Input::Drop),
            ConveyorWish::Resume => self.conveyor.put(|| Input::Resume),
            ConveyorWish::Stop => self.stop_conveyor().await,
        }
    }

    async fn preview(&mut self, wc_ids: Vec<WcId>, force: bool) {
        // One at a time: whoever asks is shown the one that runs.
        let runs = |machine: &Conveyor| matches!(machine.phase(), Phase::Running | Phase::Paused);
        self.conveyor.view = None;
        if self.conveyor.machine.as_ref().is_some_and(runs) {
            return;
        }
        let busy = self.busy_accounts().await;
        let accounts = wc_ids
            .iter()
            .filter(|wc_id| !busy.contains(*wc_id))
            .filter_map(|wc_id| self.accounts.get(wc_id))
            .map(|account| (account.wc_id.clone(), Facts::of(account)));
        let options = &self.shared.options;
        let at_once = if options.ring_at_once == 0 { AT_ONCE } else { options.ring_at_once };
        let settings = Settings { at_once, limits: options.limits, force };
        let machine = Conveyor::preview(accounts, settings, self.shared.now());
        self.conveyor = Seat { machine: Some(machine), ..Seat::default() };
    }

    /// The accounts that somebody is logging in: here or in another process.
    async fn busy_accounts(&mut self) -> HashSet<WcId> {
        let mut busy: HashSet<WcId> =
            self.logins.values().filter(|login| !login.abandoned).filter_map(|login| login.wc_id.clone()).collect();
        match self.shared.store.attempts().await {
            Ok(attempts) => busy.extend(
                attempts
                    .into_iter()
                    .filter(|attempt| attempt.state == AttemptState::Open)
                    .filter_map(|attempt| attempt.wc_id),
            ),
            Err(error) => self.store_failed(&error.to_string()),
        }
        busy
    }

    async fn stop_conveyor(&mut self) {
        let Some(mut machine) = self.conveyor.machine.take() else { return };
        for output in machine.on(Input::Stop, self.shared.now()) {
            self.perform(output).await;
        }
        self.conveyor = Seat::default();
        self.tell(Event::Conveyor(None));
    }

    /// Gives the conveyor what has happened since, does what it says, tells what changed. Called after everything
    /// that the hub does.
    pub(super) async fn run_conveyor(&mut self) {
        // What logins have told is heard first: a success is told before what follows from it.
        if self.conveyor.machine.is_none() || !self.from_logins.1.is_empty() {
            return;
        }
        loop {
            self.observe_for_conveyor();
            let Some(input) = self.conveyor.inbox.pop_front() else { break };
            let now = self.shared.now();
            let outputs = self.conveyor.machine.as_mut().map(|machine| machine.on(input, now)).unwrap_or_default();
            for output in outputs {
                self.perform(output).await;
            }
        }
        let view = self.conveyor.machine.as_ref().map(Conveyor::view);
        if self.conveyor.view != view {
            self.conveyor.view.clone_from(&view);
            self.tell(Event::Conveyor(view.map(Box::new)));
        }
    }

    /// What changed in what the conveyor reckons with goes before what was told: a success is known of its account
    /// before anything is sent for the next one.
    fn observe_for_conveyor(&mut self) {
        let Some(machine) = &self.conveyor.machine else { return };
        let mut news = Vec::new();
        let usable = !matches!(self.token, Some(Token::Missing | Token::Rejected));
        if self.conveyor.usable.replace(usable) != Some(usable) {
            news.push(Input::Token { usable });
        }
        if self.conveyor.fleet != self.fleet {
            self.conveyor.fleet.clone_from(&self.fleet);
            news.extend(self.fleet.clone().map(Input::Fleet));
        }
        for (wc_id, known) in machine.facts() {
            match self.accounts.get(wc_id) {
                Some(account) if !known.are_of(account) => {
                    news.push(Input::Account { wc_id: wc_id.clone(), facts: Facts::of(account) });
                }
                Some(_) => {}
                None => news.push(Input::Gone { wc_id: wc_id.clone() }),
            }
        }
        for input in news.into_iter().rev() {
            self.conveyor.inbox.push_front(input);
        }
    }

    async fn perform(&mut self, output: Output) {
        match output {
            Output::Ring(wc_id) => self.begin(wc_id, Way::Ring).await,
            Output::Code(wc_id) => self.begin(wc_id, Way::OneCode).await,
            Output::Cancel(attempt) => self.to_login(&attempt, login::Input::Cancel),
            Output::AskList => self.ask_list(false).await,
        }
    }

    /// Begins a login as a place on the conveyor. Its budget was reckoned there, for the wish as a whole.
    async fn begin(&mut self, wc_id: WcId, way: Way) {
        let busy = self.open_login(Some(&wc_id)).is_some();
        if !busy {
            self.login(Some(wc_id.clone()), way, true).await;
        }
        let begun = self.open_login(Some(&wc_id)).filter(|_| !busy);
        self.conveyor.inbox.push_back(match begun {
            Some(attempt) => Input::Begun { wc_id, attempt },
            None => Input::NotBegun { wc_id },
        });
    }

    /// When the conveyor wants to be woken.
    pub(super) fn conveyor_wake(&self) -> Option<Instant> {
        self.conveyor.machine.as_ref().and_then(Conveyor::next_wake).map(|at| self.shared.instant(at))
    }
}
