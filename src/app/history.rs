//! The history of an account or of the fleet while it is open, and the fleet's online count over the day.

use std::time::Duration;

use super::Effect;
use super::popup::Popup;
use super::state::{SPIN, State};
use super::strips;
use crate::action::{Action, Key, KeyCode};
use crate::engine::api::{Command, History};
use crate::model::{Now, WcId};

/// An answer that comes within this time is shown without a spinner before it.
const SOON: Duration = Duration::from_millis(200);
/// The fleet's day is asked for again when the count has changed and this much time has passed.
const DAY_AGAIN: Duration = Duration::from_secs(600);

/// The open history.
#[derive(Clone, Debug)]
pub struct HistoryView {
    /// Whose; `None`: the fleet's.
    pub wc_id: Option<WcId>,
    /// The account that it was opened for: the key goes back and forth between it and the fleet.
    opened_for: Option<WcId>,
    /// When it was asked.
    since: Duration,
    /// What came.
    pub answer: Option<Box<History>>,
    /// First line shown.
    pub top: usize,
}

impl HistoryView {
    /// The account that it was opened for, if it was opened for one.
    pub const fn opened_for(&self) -> Option<&WcId> {
        self.opened_for.as_ref()
    }

    /// Whether the answer has been awaited for long enough to show that.
    pub fn spins(&self, now: Now) -> bool {
        self.answer.is_none() && now.mono >= self.since + SOON
    }

    /// When the screen changes by itself, while the answer is awaited.
    fn wake(&self, now: Now) -> Option<Duration> {
        if self.answer.is_some() {
            return None;
        }
        if !self.spins(now) {
            return Some((self.since + SOON).saturating_sub(now.mono));
        }
        let into = now.mono.as_millis() % SPIN.as_millis();
        Some(SPIN.saturating_sub(Duration::from_millis(u64::try_from(into).unwrap_or(0))))
    }
}

/// How the history's screen is divided: numbers only, for scrolling and for drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// Whether it has a box.
    pub boxed: bool,
    /// Whether parts have gaps between them, and the day its hours.
    pub roomy: bool,
    /// Whether the figures have a heading.
    pub heading: bool,
    /// Rows of the fleet's chart, or 1 for an account's strip; 0: not drawn.
    pub chart: u16,
    /// Rows above the lines of what happened.
    pub head: u16,
    /// Rows for these lines.
    pub lines: u16,
}

impl Division {
    /// Divides a screen of this size.
    pub fn of((columns, rows): (u16, u16), fleet: bool) -> Self {
        let body = rows.saturating_sub(u16::from(rows >= 3));
        let boxed = columns >= 60 && rows >= 19;
        let inner = body.saturating_sub(if boxed { 2 } else { 1 });
        let roomy = inner >= if fleet { 16 } else { 14 };
        let chart = match (fleet, roomy) {
            (true, true) if inner >= 24 => 6,
            (true, true) => 4,
            _ if inner >= 6 => 1,
            _ => 0,
        };
        let head = if roomy {
            // Heading and three spans, a gap, the chart and its axis, a gap.
            4 + 1 + chart + 1 + 1
        } else if inner >= 6 {
            3 + chart + u16::from(inner >= 8) + u16::from(inner >= 10)
        } else {
            0
        };
        Self { boxed, roomy, heading: inner >= 8, chart, head, lines: inner.saturating_sub(head) }
    }
}

/// The fleet's online count over the last 24 hours, as far as it was asked.
#[derive(Debug, Default)]
pub struct Day {
    /// Oldest first.
    pub online: Vec<u32>,
    asked: Option<Duration>,
    /// How many were online when it was asked.
    count: usize,
}

impl State {
    /// The history, if it is open.
    pub(crate) fn history(&self) -> Option<&HistoryView> {
        match self.popup.as_ref().map(|shown| &shown.popup) {
            Some(Popup::History(view)) => Some(view),
            _ => None,
        }
    }

    /// When the history on the screen changes by itself.
    pub(super) fn history_wake(&self, now: Now) -> Option<Duration> {
        self.history().and_then(|view| view.wake(now))
    }

    /// Opens the history of an account, or of the fleet, and asks for it.
    pub(super) fn open_history(&mut self, wc_id: Option<WcId>, now: Now) -> Vec<Effect> {
        let view = HistoryView { opened_for: wc_id.clone(), wc_id, since: now.mono, answer: None, top: 0 };
        let wc_id = view.wc_id.clone();
        self.open(Popup::History(Box::new(view)));
        vec![Effect::Engine(Command::History { wc_id })]
    }

    /// Takes an answer: onto the screen if its question is still the one, and the fleet's day beside it.
    pub(super) fn take_history(&mut self, history: Box<History>) {
        if history.wc_id.is_none() {
            self.day.online.clone_from(&history.online);
        }
        if let Some(shown) = &mut self.popup
            && let Popup::History(view) = &mut shown.popup
            && view.wc_id == history.wc_id
        {
            view.answer = Some(history);
        }
    }

    /// How many cells the fleet's day has in the heading of the accounts; none where there is no room.
    pub(crate) fn day_cells(&self) -> u16 {
        let layout = self.layout();
        if layout.accounts.height == 0 || layout.single { 0 } else { strips::cells(layout.accounts.width) }
    }

    /// Asks for the fleet's day where it is drawn: once, then when another number is online than then, at most every
    /// ten minutes. Never by a timer: the last cell is always the number of now.
    pub(super) fn follow_day(&mut self, now: Now) -> Option<Effect> {
        let count = self.accounts.counts().first().copied().unwrap_or(0);
        let again = self.day.asked.is_none_or(|asked| now.mono >= asked + DAY_AGAIN && count != self.day.count);
        if !again || self.fleet.is_none() || self.day_cells() == 0 || self.sign_in.is_some() {
            return None;
        }
        self.day.asked = Some(now.mono);
        self.day.count = count;
        Some(Effect::Engine(Command::History { wc_id: None }))
    }
}

/// Takes a key while the history is open.
pub(super) fn key(state: &mut State, key: Key, action: Option<Action>, now: Now) -> Vec<Effect> {
    let size = state.size;
    let Some(shown) = &mut state.popup else { return Vec::new() };
    let Popup::History(view) = &mut shown.popup else { return Vec::new() };
    let page = usize::from(Division::of(size, view.wc_id.is_none()).lines).max(1);
    let lines = view.answer.as_ref().map_or(0, |history| history.lines.len());
    let most = lines.saturating_sub(page);
    match action {
        Some(Action::History) => {
            let next = if view.wc_id.is_some() { None } else { view.opened_for.clone() };
            let opened_for = view.opened_for.clone();
            let effects = state.open_history(next, now);
            if let Some(shown) = &mut state.popup
                && let Popup::History(view) = &mut shown.popup
            {
                view.opened_for = opened_for;
                // It lies where the last one lay: nobody can mistake it.
                shown.drawn = true;
            }
            return effects;
        }
        Some(Action::Down) => view.top += 1,
        Some(Action::Up) => view.top = view.top.saturating_sub(1),
        Some(Action::PageDown) => view.top += page,
        Some(Action::PageUp) => view.top = view.top.saturating_sub(page),
        Some(Action::First) => view.top = 0,
        Some(Action::Last) => view.top = most,
        Some(Action::Close | Action::Quit) => {
            state.popup = None;
            return Vec::new();
        }
        _ if key.code == KeyCode::Esc => {
            state.popup = None;
            return Vec::new();
        }
        _ => {}
    }
    view.top = view.top.min(most);
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_lines_fill_the_screen_and_never_more() {
        for columns in [20, 40, 60, 80, 120] {
            for rows in 0..60 {
                for fleet in [false, true] {
                    let division = Division::of((columns, rows), fleet);
                    let frame = u16::from(rows >= 3) + if division.boxed { 2 } else { 1 };
                    let used = division.head + division.lines + frame;
                    assert!(used <= rows.max(frame), "{columns}x{rows} {division:?}");
                    assert!(rows < 12 || division.lines >= 3, "{columns}x{rows} {division:?}");
                }
            }
        }
    }
}
