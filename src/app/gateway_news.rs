//! What concerns the gateway or many accounts at once: outages, mass drops, why an account is off line.

use super::events::Happening;
use super::state::State;
use crate::action::Action;
use crate::i18n::{t, tf};
use crate::model::{Now, Presence, Stamp, WcId};

impl State {
    /// One line for all that dropped, and what helps.
    pub(super) fn mass_dropped(&mut self, count: usize, at: Stamp) {
        self.note(at, Happening::MassDrop(u32::try_from(count).unwrap_or(u32::MAX)), "", None);
        let key = self.keymap.label(Action::Conveyor).unwrap_or_default();
        let text = tf(self.lang, "ui.toast.mass_drop", &[("count", &count.to_string()), ("key", &key)]);
        self.complain(text);
    }

    pub(super) fn outage_began(&mut self, since: Stamp, at: Stamp) {
        if self.outage.replace(since).is_none() {
            self.note(at, Happening::Outage, "", None);
            // What was said in passing about the failing list is part of it.
            self.toast.take_if(|toast| toast.until.is_some());
        }
    }

    pub(super) fn outage_ended(&mut self, at: Stamp) {
        if self.outage.take().is_some() {
            self.note(at, Happening::OutageOver, "", None);
            // The list that ends it is no news beside it.
            if self.stale_since.take().is_some() {
                self.toast.take_if(|toast| toast.until.is_some());
            }
        }
    }

    pub(super) fn told_why(&mut self, wc_id: WcId, words: Option<Box<str>>, at: Stamp, now: Now) {
        if words.as_ref().is_none_or(|words| words.trim().is_empty()) {
            let text = t(self.lang, "ui.toast.no_reason").into_owned();
            self.say(text, now);
        } else {
            // It is on the pane now.
            self.toast.take_if(|toast| toast.until.is_some());
        }
        let settled = self.accounts.get(&wc_id).map(|account| account.settled).unwrap_or_default();
        self.offline_words.insert(wc_id, (words, at, settled));
    }

    /// What the gateway said of why an account is off line, while it is.
    pub(crate) fn why_offline(&self, wc_id: &WcId) -> Option<(Option<&str>, Stamp)> {
        let account = self.accounts.get(wc_id)?;
        let (words, at, settled) = self.offline_words.get(wc_id)?;
        let holds = account.presence == Presence::Offline && account.settled == *settled;
        holds.then(|| (words.as_deref().filter(|words| !words.trim().is_empty()), *at))
    }
}
