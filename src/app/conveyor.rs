//! The conveyor as the screen knows it: what the engine tells of it, whether the selection goes along with its codes,
//! and what keys do to it.
//!
//! Nobody has to press a key between two scans: the selection follows the account whose code is shown. A move by hand
//! lets go, so that the list can be looked at; it comes back with the next code once the hand rests, or at a wish.

use std::collections::HashSet;
use std::time::Duration;

use super::Effect;
use super::keys::{is_sure, say, show_login};
use super::logins::Stage;
use super::popup::Popup;
use super::state::{HAND, Pane, Selected, State};
use crate::action::{Action, Key, KeyCode};
use crate::engine::api::{Command, ConveyorView, ConveyorWish, Item, LoginStep, Phase, Place};
use crate::model::{AttemptId, Now, Presence, Reason, Stamp, WcId};

/// A preview that has not come after this time may be asked for again.
const ASKED: Duration = Duration::from_secs(3);

/// Why the conveyor's accounts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// Before it starts.
    Preview,
    /// While it runs.
    Queue,
    /// At its end.
    Summary,
}

/// What the screen knows of the conveyor.
#[derive(Debug, Default)]
pub struct Conveyor {
    view: Option<Box<ConveyorView>>,
    /// When a preview was asked for that has not come, and of whom.
    asked: Option<(Duration, HashSet<WcId>)>,
    /// Whether it was started and has not told so.
    begun: bool,
    /// Whether the selection goes along with the codes.
    follows: bool,
    /// The account whose code was the last to come.
    target: Option<WcId>,
    /// Whether the selection has to go there as soon as the hand rests.
    due: bool,
    /// The account whose turn it is, if the last frame showed it.
    drawn: Option<WcId>,
    /// The code that a key was pressed about: once is enough.
    answered: Option<(WcId, Option<AttemptId>)>,
    /// Whether it has ended and nobody has seen how.
    summary_due: bool,
}

impl Conveyor {
    /// What the engine told last.
    pub fn view(&self) -> Option<&ConveyorView> {
        self.view.as_deref()
    }

    /// It, while it runs or pauses.
    pub fn active(&self) -> Option<&ConveyorView> {
        self.view().filter(|view| matches!(view.phase, Phase::Running | Phase::Paused))
    }

    /// Whether it waits for somebody to go on.
    pub fn pauses(&self) -> bool {
        self.view().is_some_and(|view| view.phase == Phase::Paused)
    }

    /// Whether an account is on it while it runs or pauses.
    pub fn has(&self, wc_id: &WcId) -> bool {
        self.active().is_some_and(|view| view.items.iter().any(|item| item.wc_id == *wc_id))
    }

    /// Where an account is on it while it runs or pauses.
    fn place(&self, wc_id: &WcId) -> Option<&Place> {
        self.active().and_then(|view| view.items.iter().find(|item| item.wc_id == *wc_id)).map(|item| &item.place)
    }

    /// Whether an account's code comes by itself when its turn has come.
    pub fn queues(&self, wc_id: &WcId) -> bool {
        matches!(self.place(wc_id), Some(Place::WaitsForCode))
    }

    /// Whether a login on it ended only for its code to come later: the phone that it rang was no use.
    pub(super) fn goes_on(&self, wc_id: &WcId, step: &LoginStep) -> bool {
        let no_use = matches!(
            step,
            LoginStep::Failed { reason: Reason::Refused | Reason::GatewaySaid, .. }
                | LoginStep::Expired { renewing: false }
        );
        no_use && matches!(self.place(wc_id), Some(Place::Ringing))
    }

    /// Whether the selection goes along with its codes.
    pub fn follows(&self) -> bool {
        self.follows && self.active().is_some()
    }

    /// The account whose code is on the screen or on its way there.
    pub fn shown(&self) -> Option<&WcId> {
        self.active().and_then(|view| view.shown.as_ref()).map(|(wc_id, _)| wc_id)
    }

    /// How many accounts are done with, and of how many, while it runs or pauses.
    pub fn progress(&self) -> Option<(usize, usize)> {
        self.active().map(|view| (view.settled(), view.total()))
    }

    /// A wish was refused: it may be made again.
    pub(super) fn refused(&mut self) {
        self.asked = None;
    }

    /// Whether a preview is on its way: what is typed on is meant for it.
    pub(super) const fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// A preview that has not come by now is not waited for any more.
    pub(super) fn give_up(&mut self, now: Duration) {
        self.asked.take_if(|(asked, _)| *asked + ASKED <= now);
    }

    fn phase(&self) -> Option<Phase> {
        self.view().map(|view| view.phase)
    }
}

/// The accounts that a sheet lists: a summary leaves out those that are online.
pub fn listed(view: &ConveyorView, sheet: Sheet) -> impl Iterator<Item = &Item> {
    view.items.iter().filter(move |item| sheet != Sheet::Summary || item.place != Place::Done)
}

/// Rows of a sheet that are no account's: its border, its figures with a gap behind them, the keys with a gap before.
pub const SHEET_ROWS: u16 = 2 + 4 + 2;

impl State {
    /// How many accounts a sheet has room for.
    pub(crate) fn sheet_page(&self) -> usize {
        usize::from(self.size.1.saturating_sub(SHEET_ROWS)).max(1)
    }

    /// Whether the login pane tells of the conveyor rather than of the selected account: nobody has to scan now.
    pub(crate) fn shows_conveyor(&self) -> bool {
        self.conveyor.follows()
            && self.login().is_none_or(|login| {
                let own = login.wc_id.as_ref().is_some_and(|wc_id| self.conveyor.has(wc_id));
                let shown = login.wc_id.as_ref() == self.conveyor.shown();
                own && !shown && matches!(login.stage, Stage::Wished | Stage::Requesting | Stage::Dialog)
            })
    }

    /// Whether the whole screen stays the code's although none is there: the next one comes by itself.
    pub(crate) fn keeps_full_screen(&self) -> bool {
        self.full_screen && self.conveyor.follows()
    }

    /// Whose phones show a dialog now, and until when.
    pub(crate) fn ringing(&self) -> impl Iterator<Item = (&WcId, Option<Stamp>)> {
        let items = self.conveyor.active().into_iter().flat_map(|view| &view.items);
        items.filter(|item| item.place == Place::Ringing).map(|item| {
            let deadline = self.logins.of(&item.wc_id).filter(|login| login.is_open()).and_then(|login| login.deadline);
            (&item.wc_id, deadline)
        })
    }

    /// Whether the conveyor's own pane is on the screen.
    fn conveyor_is_drawn(&self) -> bool {
        self.sign_in.is_none()
            && self.shows_conveyor()
            && (self.full_screen || !self.layout().single || self.focus == Pane::Login)
    }

    /// Whether a time is running down on the conveyor's pane.
    pub(crate) fn conveyor_counts_down(&self) -> bool {
        self.conveyor_is_drawn() && self.ringing().any(|(_, deadline)| deadline.is_some())
    }

    /// How long until the conveyor changes the screen by itself.
    pub(crate) fn conveyor_wake(&self, now: Now) -> Option<Duration> {
        let follow = (self.conveyor.due && !busy(self))
            .then(|| self.last_key.map_or(Duration::ZERO, |key| key + HAND).saturating_sub(now.mono));
        let second = self
            .ringing()
            .filter(|_| self.conveyor_is_drawn())
            .filter_map(|(_, deadline)| {
                let left = u64::try_from(deadline?.ms_since(now.wall)).ok().filter(|left| *left > 0)?;
                Some(Duration::from_millis(if left % 1000 == 0 { 1000 } else { left % 1000 }))
            })
            .min();
        [follow, second].into_iter().flatten().min()
    }
}

/// Whether something has the keys that the selection must not be taken away from under.
fn busy(state: &State) -> bool {
    state.popup.is_some() || state.sign_in.is_some() || state.typing.is_some() || state.verifying()
}

/// Takes in what the engine tells.
pub(super) fn heard(state: &mut State, view: Option<Box<ConveyorView>>, now: Now, effects: &mut Vec<Effect>) {
    let before = state.conveyor.phase();
    let ran = state.conveyor.begun || matches!(before, Some(Phase::Running | Phase::Paused));
    let Some(view) = view else {
        if ran {
            say(state, "ui.toast.conveyor_over", now);
        }
        state.conveyor = Conveyor::default();
        close_sheet(state);
        return;
    };
    match view.phase {
        Phase::Preview => return previewed(state, view, now),
        Phase::Running | Phase::Paused => {
            if !matches!(before, Some(Phase::Running | Phase::Paused)) {
                state.conveyor.follows = true;
                state.conveyor.target = None;
            }
            if view.phase == Phase::Paused && before != Some(Phase::Paused) {
                effects.push(Effect::Bell);
            }
        }
        Phase::Done => {
            if !ran && before != Some(Phase::Done) {
                // Seen and closed, or never begun here.
                return;
            }
            if ran {
                state.conveyor.summary_due = true;
                effects.push(Effect::Bell);
            }
            state.conveyor.follows = false;
            state.conveyor.due = false;
        }
    }
    let over = view.phase == Phase::Done;
    state.conveyor.begun = false;
    state.conveyor.view = Some(view);
    // What lies over the panes was about another phase.
    let stale = state.popup.as_ref().is_some_and(|shown| match &shown.popup {
        Popup::Conveyor { sheet: Sheet::Preview, .. } => true,
        Popup::Conveyor { sheet: Sheet::Queue, .. } | Popup::Stop { .. } => over,
        _ => false,
    });
    if stale {
        state.popup = None;
    }
}

fn previewed(state: &mut State, view: Box<ConveyorView>, now: Now) {
    // An older plan that changed meanwhile is not the one that was asked for.
    let whole = |(_, asked): &mut (Duration, HashSet<WcId>)| view.items.iter().all(|item| asked.contains(&item.wc_id));
    let asked = state.conveyor.asked.take_if(whole).is_some();
    let open =
        state.popup.as_mut().filter(|shown| matches!(shown.popup, Popup::Conveyor { sheet: Sheet::Preview, .. }));
    if let Some(shown) = open {
        // Another plan than the one that was read: it has to be seen before it can be started.
        shown.drawn &= state.conveyor.view.as_ref().is_some_and(|old| old.items == view.items);
        state.conveyor.view = Some(view);
    } else if asked && !busy(state) && state.conveyor.active().is_none() {
        if view.items.is_empty() {
            say(state, "ui.toast.none_to_log_in", now);
            return;
        }
        state.conveyor.view = Some(view);
        state.open(Popup::Conveyor { sheet: Sheet::Preview, top: 0 });
    }
}

fn close_sheet(state: &mut State) {
    if state.popup.as_ref().is_some_and(|shown| matches!(shown.popup, Popup::Conveyor { .. } | Popup::Stop { .. })) {
        state.popup = None;
    }
}

/// The key: a preview of what would be done; while it runs, who is where; in a pause, on with it.
pub(super) fn wish(state: &mut State, now: Now) -> Vec<Effect> {
    match state.conveyor.phase() {
        Some(Phase::Running) => state.open(Popup::Conveyor { sheet: Sheet::Queue, top: 0 }),
        Some(Phase::Paused) => {
            back(state);
            return vec![Effect::Engine(Command::Conveyor(ConveyorWish::Resume))];
        }
        Some(Phase::Done) => state.open(Popup::Conveyor { sheet: Sheet::Summary, top: 0 }),
        Some(Phase::Preview) | None => return preview(state, now),
    }
    Vec::new()
}

fn preview(state: &mut State, now: Now) -> Vec<Effect> {
    if state.conveyor.is_asked() {
        return Vec::new();
    }
    let wc_ids: Vec<WcId> = if state.marks.is_empty() {
        let shown = (0..state.accounts.len()).filter_map(|place| state.accounts.at(place));
        shown.filter(|account| account.presence == Presence::Offline).map(|account| account.wc_id.clone()).collect()
    } else {
        state.marks.all()
    };
    if wc_ids.is_empty() {
        say(state, "ui.toast.none_to_log_in", now);
        return Vec::new();
    }
    state.conveyor.asked = Some((now.mono, wc_ids.iter().cloned().collect()));
    vec![Effect::Engine(Command::Conveyor(ConveyorWish::Preview { wc_ids, force: false }))]
}

/// The code on the screen goes to the back of the queue.
pub(super) fn skip(state: &mut State, now: Now) -> Vec<Effect> {
    shown(state, ConveyorWish::Skip, now)
}

/// The account on the screen leaves the queue.
pub(super) fn drop(state: &mut State, now: Now) -> Vec<Effect> {
    shown(state, ConveyorWish::Drop, now)
}

/// A wish about the code on the screen: only if the person sees the one that the engine means.
fn shown(state: &mut State, wish: ConveyorWish, now: Now) -> Vec<Effect> {
    let turn = state.conveyor.active().and_then(|view| view.shown.clone());
    if turn.is_none() || state.conveyor.drawn.as_ref() != state.conveyor.shown() || !is_sure(state) {
        say(state, "ui.toast.no_conveyor_code", now);
        return Vec::new();
    }
    if turn == state.conveyor.answered {
        return Vec::new();
    }
    state.conveyor.answered = turn;
    vec![Effect::Engine(Command::Conveyor(wish))]
}

/// Where `c` could mean this login or the whole queue, asks; true if it did.
pub(super) fn asks_which(state: &mut State) -> bool {
    if state.conveyor.active().is_none() {
        return false;
    }
    let login = state.login();
    if login.is_some_and(|login| login.wc_id.as_ref().is_none_or(|wc_id| !state.conveyor.has(wc_id))) {
        return false;
    }
    let login = login.map(|login| login.number);
    state.open(Popup::Stop { login });
    true
}

/// Takes a key while one of the conveyor's popups is open and was drawn.
pub(super) fn answer(state: &mut State, key: Key, action: Option<Action>, now: Now) -> Vec<Effect> {
    let Some(shown) = &mut state.popup else { return Vec::new() };
    let plain = !key.ctrl && !key.alt;
    let leaves = plain && matches!(key.code, KeyCode::Esc | KeyCode::Char('n' | 'N' | 'q'));
    match &mut shown.popup {
        Popup::Stop { login } => {
            let login = *login;
            if leaves {
                state.popup = None;
            } else if plain && key.code == KeyCode::Char('2') {
                state.popup = None;
                return vec![Effect::Engine(Command::Conveyor(ConveyorWish::Stop))];
            } else if plain
                && key.code == KeyCode::Char('1')
                && let Some(number) = login
            {
                state.popup = None;
                let login = state.logins.get(number).filter(|login| login.is_open());
                return match login.map(|login| login.attempt.clone()) {
                    Some(Some(attempt)) => vec![Effect::Engine(Command::Cancel { attempt })],
                    Some(None) => Vec::new(),
                    None => {
                        say(state, "ui.toast.nothing_to_cancel", now);
                        Vec::new()
                    }
                };
            }
        }
        Popup::Conveyor { sheet, top } => {
            let (sheet, mut line) = (*sheet, *top);
            let rows = state.conveyor.view.as_ref().map_or(0, |view| listed(view, sheet).count());
            let page = usize::from(state.size.1.saturating_sub(SHEET_ROWS)).max(1);
            let most = rows.saturating_sub(page);
            match action {
                _ if leaves => return leave(state, sheet),
                _ if plain && key.code == KeyCode::Enter => return enter(state, sheet),
                Some(Action::Conveyor) if sheet != Sheet::Preview => return leave(state, sheet),
                Some(Action::Down) => line += 1,
                Some(Action::Up) => line = line.saturating_sub(1),
                Some(Action::PageDown) => line += page,
                Some(Action::PageUp) => line = line.saturating_sub(page),
                Some(Action::First) => line = 0,
                Some(Action::Last) => line = most,
                _ => {}
            }
            *top = line.min(most);
        }
        _ => {}
    }
    Vec::new()
}

/// A sheet goes; nothing a phone could notice.
fn leave(state: &mut State, sheet: Sheet) -> Vec<Effect> {
    state.popup = None;
    if sheet != Sheet::Queue {
        // A preview that nobody started, or an end that was read.
        state.conveyor.view = None;
    }
    Vec::new()
}

fn enter(state: &mut State, sheet: Sheet) -> Vec<Effect> {
    match sheet {
        Sheet::Preview => {
            if state.conveyor.view().is_none_or(|view| view.total() == 0) {
                return Vec::new();
            }
            state.popup = None;
            (state.conveyor.follows, state.conveyor.begun) = (true, true);
            show_login(state);
            vec![Effect::Engine(Command::Conveyor(ConveyorWish::Start))]
        }
        Sheet::Queue => {
            state.popup = None;
            back(state);
            Vec::new()
        }
        Sheet::Summary => leave(state, sheet),
    }
}

/// Back to the code that is shown.
fn back(state: &mut State) {
    state.conveyor.follows = true;
    state.conveyor.due = true;
    show_login(state);
}

/// After a key: a move by hand lets go of the codes, a move back takes hold of them again.
pub(super) fn moved(state: &mut State, before: &Selected) {
    if state.conveyor.active().is_none() || state.selected == *before {
        return;
    }
    let there = match (&state.selected, state.conveyor.shown()) {
        (Selected::Account(selected), Some(shown)) => selected == shown,
        _ => false,
    };
    state.conveyor.follows = there;
    state.conveyor.due = false;
}

/// After every message: the selection goes to the code that is shown, if it is to; an end that nobody has seen is told.
pub(super) fn follow(state: &mut State, now: Now) {
    if state.conveyor.summary_due && !busy(state) {
        state.conveyor.summary_due = false;
        state.full_screen = false;
        state.open(Popup::Conveyor { sheet: Sheet::Summary, top: 0 });
        state.dirty = true;
    }
    let shown = state.conveyor.shown().cloned();
    if state.conveyor.target != shown {
        state.conveyor.due = shown.is_some();
        state.conveyor.target.clone_from(&shown);
    }
    let rests = state.last_key.is_none_or(|key| key + HAND <= now.mono);
    let Some(wc_id) = shown.filter(|_| state.conveyor.due && (rests || state.conveyor.follows) && !busy(state)) else {
        return;
    };
    state.conveyor.due = false;
    if state.accounts.get(&wc_id).is_none() {
        return;
    }
    if state.accounts.place(&wc_id).is_none() {
        // Its phone is wanted now: a filter that hides it gives way.
        state.accounts.show_all();
    }
    state.conveyor.follows = true;
    state.selected = Selected::Account(wc_id);
    show_login(state);
    state.dirty = true;
}

/// A frame was written: what it showed can be skipped.
pub(super) fn drawn(state: &mut State) {
    let seen = match (&state.selected, state.conveyor.shown()) {
        (Selected::Account(selected), Some(shown)) => (selected == shown).then(|| shown.clone()),
        _ => None,
    };
    state.conveyor.drawn = seen;
}
