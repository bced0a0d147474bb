//! What the TUI knows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::accounts::Accounts;
use super::capabilities::{Capabilities, Pictures};
use super::conveyor::Conveyor;
use super::events::{EventLine, Events, Happening};
use super::filter::Typing;
use super::history::Day;
use super::layout::Layout;
use super::logins::{Login, LoginNumber, Logins, Stage};
use super::marks::Marks;
use super::popup::{Popup, Shown};
use super::sign_in::SignIn;
use super::strips::Strips;
use crate::config::keymap::Keymap;
use crate::config::qr_layout::QrLayout;
use crate::engine::api::{Code, Fleet, Token};
use crate::i18n::{Lang, t};
use crate::model::{Account, Dialect, Limits, Now, Order, Reason, Stamp, WcId};

/// A pane that can have the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The accounts.
    #[default]
    Accounts,
    /// The selected account, or its login.
    Login,
    /// What happened.
    Events,
}

/// The selected row: a thing, never a number, so that it stays when rows move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selected {
    /// There is no row.
    #[default]
    Nothing,
    /// The open login of a new account.
    New(LoginNumber),
    /// An account.
    Account(WcId),
}

/// A short message above the hints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// For people, in their language, cleaned.
    pub text: String,
    /// When it goes by itself, on the monotonic clock; `None`: at the next key.
    pub until: Option<Duration>,
}

/// What the TUI is started with.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The profile's name; `None` opens the sign-in form.
    pub profile: Option<String>,
    /// The gateway's URL, as far as known.
    pub gateway: String,
    /// Which API.
    pub dialect: Dialect,
    /// The platform account, as far as known.
    pub account: String,
    /// The person's language.
    pub lang: Lang,
    /// Seconds that local time is ahead of UTC.
    pub offset_seconds: i32,
    /// Whether this is `saoma demo`.
    pub demo: bool,
    /// Which key does what.
    pub keymap: Keymap,
    /// Whether colours are wished (`NO_COLOR`); the code has its own always.
    pub colour: bool,
    /// How codes are to be drawn.
    pub qr_layout: QrLayout,
    /// What is known of the terminal before it was asked.
    pub terminal: Capabilities,
    /// What the store knows already, so that the first frame is whole.
    pub accounts: Vec<Account>,
    /// How many are online, offline, unknown, if `accounts` are only the first ones in their order; the engine tells all.
    pub counts: Option<[usize; 3]>,
    /// What an account may cost in a day.
    pub limits: Limits,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
}

/// What the TUI knows: everything that a frame shows follows from it.
#[derive(Debug, Default)]
pub struct State {
    /// Set when a frame would look different from the last one.
    pub dirty: bool,
    /// The rows stand otherwise than they should and no hand is near: the next frame puts them in order.
    pub(crate) order_wished: bool,
    pub(crate) profile: Option<String>,
    pub(crate) gateway: String,
    pub(crate) dialect: Dialect,
    pub(crate) platform_account: String,
    pub(crate) lang: Lang,
    pub(crate) offset_seconds: i32,
    pub(crate) demo: bool,
    pub(crate) demo_auto: bool,
    pub(crate) keymap: Keymap,
    pub(crate) colour: bool,
    pub(crate) size: (u16, u16),
    pub(crate) terminal: Capabilities,
    pub(crate) qr_layout: QrLayout,
    /// The layout that a key has chosen, for the session.
    pub(crate) qr_chosen: Option<QrLayout>,
    /// It was said that there are no pictures here.
    pub(crate) no_image_said: bool,
    /// The codes that are in PNG files.
    pub(crate) pngs: Vec<(LoginNumber, Arc<Code>)>,
    pub(crate) accounts: Accounts,
    pub(crate) marks: Marks,
    /// The filter's line, while it is open.
    pub(crate) typing: Option<Typing>,
    pub(crate) conveyor: Conveyor,
    pub(crate) logins: Logins,
    pub(crate) events: Events,
    pub(crate) fleet: Option<Fleet>,
    /// Since when the fleet list is stale, if it is: kept while it is being asked again.
    pub(crate) stale_since: Option<Stamp>,
    pub(crate) token: Option<Token>,
    /// Whether nothing is stored just now.
    pub(crate) store_fails: bool,
    /// Since when the gateway has an outage, if it has.
    pub(crate) outage: Option<Stamp>,
    /// An account whose edit is on its way into the store.
    pub(crate) edited: Option<WcId>,
    /// What the gateway said of why an account is off line, when, and the number of the login that it was off line since.
    pub(crate) offline_words: HashMap<WcId, (Option<Box<str>>, Stamp, Order)>,
    pub(crate) strips: Strips,
    pub(crate) day: Day,
    pub(crate) limits: Limits,
    pub(crate) focus: Pane,
    pub(crate) selected: Selected,
    /// The selection as a frame last showed it, moved along by keys: what reaches a phone needs it to be the selection.
    pub(crate) seen: Selected,
    /// The row the selection was last seen in: where it goes when its thing is gone.
    pub(crate) last_row: usize,
    /// First listed row on the screen.
    pub(crate) top: usize,
    /// First event on the screen.
    pub(crate) events_top: usize,
    /// An account to be selected as soon as it is listed.
    pub(crate) awaited: Option<WcId>,
    pub(crate) popup: Option<Shown>,
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) sign_in_drawn: bool,
    /// Gateway, API and platform account of the sign-in that is under way or was the last.
    pub(crate) asked: Option<(String, Dialect, String)>,
    /// Whether the form has opened by itself since the token was last good.
    pub(crate) sign_in_offered: bool,
    pub(crate) full_screen: bool,
    pub(crate) invert: bool,
    pub(crate) toast: Option<Toast>,
    /// When the last key came: rows rest for a while after it.
    pub(crate) last_key: Option<Duration>,
    /// When the engine was last told that somebody is there.
    pub(crate) last_told: Option<Duration>,
    /// When Ctrl-C was last pressed.
    pub(crate) last_interrupt: Option<Duration>,
}

/// Rows do not move for this long after a key.
pub(crate) const HAND: Duration = Duration::from_secs(3);
/// A toast that is no error stays this long.
const TOAST: Duration = Duration::from_secs(6);
/// One frame of a spinner.
pub(crate) const SPIN: Duration = Duration::from_millis(250);

impl State {
    /// The state before the first frame.
    pub fn new(start: Start) -> Self {
        let mut state = Self {
            dirty: true,
            sign_in: start.profile.is_none().then(|| SignIn::new(&start.gateway, start.dialect, &start.account, false)),
            profile: start.profile,
            gateway: start.gateway,
            dialect: start.dialect,
            platform_account: start.account,
            lang: start.lang,
            offset_seconds: start.offset_seconds,
            demo: start.demo,
            keymap: start.keymap,
            colour: start.colour,
            size: start.size,
            terminal: start.terminal,
            qr_layout: start.qr_layout,
            limits: start.limits,
            ..Self::default()
        };
        state.know_terminal(start.terminal);
        state.accounts.replace(start.accounts);
        if let Some(counts) = start.counts {
            state.accounts.expect(counts);
        }
        state.settle();
        state
    }

    /// How long until something visible changes by itself (a countdown's second, a toast's end); `None` while nothing
    /// on the screen moves, so that an idle screen has no timer.
    pub fn next_wake(&self, now: Now) -> Option<Duration> {
        let until = |at: Duration| at.saturating_sub(now.mono);
        let toast = self.toast.as_ref().and_then(|toast| toast.until).map(until);
        let order = self.accounts.is_due().then(|| until(self.last_key.map_or(Duration::ZERO, |key| key + HAND)));
        let second = self.visible_login().and_then(|login| login.deadline).and_then(|deadline| {
            let left = u64::try_from(deadline.ms_since(now.wall)).ok().filter(|left| *left > 0)?;
            Some(Duration::from_millis(if left % 1000 == 0 { 1000 } else { left % 1000 }))
        });
        let spin = self.spins().then(|| {
            let into = now.mono.as_millis() % SPIN.as_millis();
            SPIN.saturating_sub(Duration::from_millis(u64::try_from(into).unwrap_or(0)))
        });
        // A picture in a file goes with its code, whether the login is on the screen or not.
        let png = self.pngs.iter().filter_map(|(number, _)| self.logins.get(*number)?.deadline).min().map(|deadline| {
            Duration::from_millis(u64::try_from(deadline.ms_since(now.wall)).unwrap_or(0).clamp(1, 60_000))
        });
        let strips = self.strips.due().map(until);
        let history = self.history_wake(now);
        let conveyor = self.conveyor_wake(now);
        [toast, order, second, spin, png, strips, history, conveyor].into_iter().flatten().min()
    }

    /// Takes the wish for a frame. The rows are put in order for it: once, however many of them have changed since the
    /// last one.
    pub fn take_dirty(&mut self) -> bool {
        if std::mem::take(&mut self.order_wished) && self.accounts.is_due() {
            self.accounts.sort();
            self.settle();
        }
        std::mem::take(&mut self.dirty)
    }

    /// Whether a spinner is on the screen.
    pub(crate) fn spins(&self) -> bool {
        if let Some(form) = &self.sign_in {
            return form.waiting.is_some();
        }
        self.visible_login().is_some_and(Login::spins)
            || (self.fleet == Some(Fleet::Asking)
                && self.history().is_none()
                && !self.shows_full_screen()
                && self.size.1 >= 4)
    }

    /// The panes of the screen as it is now.
    pub(crate) fn layout(&self) -> Layout {
        Layout::of(self.size.0, self.size.1, self.focus)
    }

    /// The selected row's open login.
    pub(crate) fn login(&self) -> Option<&Login> {
        self.selected_login().filter(|login| login.is_open())
    }

    /// The selected row's login, open or ended.
    pub(crate) fn selected_login(&self) -> Option<&Login> {
        match &self.selected {
            Selected::Nothing => None,
            Selected::New(number) => self.logins.get(*number),
            Selected::Account(wc_id) => self.logins.of(wc_id),
        }
    }

    /// The selected row's open login, if its pane is on the screen.
    pub(crate) fn visible_login(&self) -> Option<&Login> {
        let shown = self.sign_in.is_none()
            && self.history().is_none()
            && (self.full_screen || !self.layout().single || self.focus == Pane::Login);
        self.login().filter(|_| shown)
    }

    /// The selected account.
    pub(crate) fn account(&self) -> Option<&Account> {
        match &self.selected {
            Selected::Account(wc_id) => self.accounts.get(wc_id),
            Selected::Nothing | Selected::New(_) => None,
        }
    }

    /// Whether the code has the whole screen: by wish.
    pub(crate) fn shows_full_screen(&self) -> bool {
        self.full_screen && self.sign_in.is_none() && (self.login().is_some() || self.keeps_full_screen())
    }

    /// Whether the field of a verification code takes the keys.
    pub(crate) fn verifying(&self) -> bool {
        self.sign_in.is_none()
            && self.popup.is_none()
            && self.typing.is_none()
            && self.focus == Pane::Login
            && self.login().is_some_and(|login| matches!(login.stage, Stage::Verify { .. }))
    }

    /// How many accounts the list shows at a time: the filter's line takes one, and so does what is said above it.
    pub(crate) fn list_rows(&self) -> usize {
        let layout = self.layout();
        layout
            .rows_in(layout.accounts)
            .saturating_sub(usize::from(self.typing.is_some()) + usize::from(self.outage.is_some()))
    }

    /// How many rows the list has: open logins of new accounts, then accounts.
    pub(crate) fn rows(&self) -> usize {
        self.logins.new_ones().count() + self.accounts.len()
    }

    /// The row of the selection.
    pub(crate) fn selected_row(&self) -> Option<usize> {
        match &self.selected {
            Selected::Nothing => None,
            Selected::New(number) => self.logins.new_ones().position(|login| login.number == *number),
            Selected::Account(wc_id) => self.accounts.place(wc_id).map(|place| place + self.logins.new_ones().count()),
        }
    }

    /// What is in a row.
    pub(crate) fn row(&self, row: usize) -> Selected {
        let new = self.logins.new_ones().count();
        if row < new {
            return self.logins.new_ones().nth(row).map_or(Selected::Nothing, |login| Selected::New(login.number));
        }
        self.accounts.at(row - new).map_or(Selected::Nothing, |account| Selected::Account(account.wc_id.clone()))
    }

    /// Selects a row, or the last one.
    pub(crate) fn select_row(&mut self, row: usize) {
        self.selected = self.row(row.min(self.rows().saturating_sub(1)));
        self.settle();
    }

    /// Brings selection, scrolling, focus and full screen back into what there is.
    pub(crate) fn settle(&mut self) {
        if let Some(wc_id) = self.awaited.take() {
            if self.accounts.place(&wc_id).is_some() {
                self.selected = Selected::Account(wc_id);
            } else {
                self.awaited = Some(wc_id);
            }
        }
        if self.last_key.is_none() && self.login().is_none() {
            // Nobody has chosen yet: while the first accounts come in, the cursor stays on the first row.
            self.selected = self.row(0);
        }
        let rows = self.rows();
        let row = match self.selected_row() {
            Some(row) => row,
            None => {
                let row = self.last_row.min(rows.saturating_sub(1));
                self.selected = self.row(row);
                row
            }
        };
        self.last_row = row;
        let layout = self.layout();
        let page = self.list_rows().max(1);
        self.top = self.top.min(row).max((row + 1).saturating_sub(page)).min(rows.saturating_sub(page));
        let page = layout.rows_in(layout.events).max(1);
        self.events_top = self.events_top.min(self.events.len().saturating_sub(page));
        if self.full_screen && self.login().is_none() && !self.keeps_full_screen() {
            self.full_screen = false;
        }
    }

    /// Says something that goes by itself.
    pub(crate) fn say(&mut self, text: String, now: Now) {
        self.toast = Some(Toast { text, until: Some(now.mono + TOAST) });
    }

    /// Says something that stays until a key.
    pub(crate) fn complain(&mut self, text: String) {
        self.toast = Some(Toast { text, until: None });
    }

    /// Takes what is known of the terminal now. Pictures that are wished for and not to be had are said to be so, once.
    pub(crate) fn know_terminal(&mut self, terminal: Capabilities) {
        let before = std::mem::replace(&mut self.terminal, terminal);
        self.dirty |= before != terminal;
        if self.qr_chosen.unwrap_or(self.qr_layout) != QrLayout::Image || terminal.pictures == Pictures::Asked {
            return;
        }
        let complaint = t(self.lang, "ui.toast.no_image");
        let missing = terminal.picture().is_none();
        if missing && !self.no_image_said {
            self.complain(complaint.into_owned());
        } else if !missing && self.no_image_said {
            // The answer came late.
            self.toast.take_if(|toast| toast.text == complaint);
        }
        self.no_image_said = missing;
    }

    /// Opens a popup.
    pub(crate) fn open(&mut self, popup: Popup) {
        self.popup = Some(Shown { popup, drawn: false });
    }

    /// Notes what happened.
    pub(crate) fn note(&mut self, at: Stamp, what: Happening, account: &str, reason: Option<Reason>) {
        self.events.add(EventLine { at, what, account: account.into(), reason });
        if self.events_top > 0 {
            self.events_top += 1;
        }
    }

    /// The best name for an account: what the event says, else what is known.
    pub(crate) fn name_of(&self, told: &str, wc_id: Option<&WcId>) -> Box<str> {
        if !told.trim().is_empty() {
            return told.into();
        }
        match wc_id {
            Some(wc_id) => self.accounts.get(wc_id).map_or_else(|| wc_id.as_str(), Account::name).into(),
            None => "".into(),
        }
    }
}
