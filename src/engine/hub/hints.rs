//! Notices, followed: gathered for a moment, then each account is checked, or all of them by one list.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use super::fleet::check;
use super::{Hub, News};
use crate::engine::notices::Heard;
use crate::engine::presence::{Answer, Hinted, is_many};
use crate::model::{Began, Presence, WId, WcId};

/// Notices of one drop of many come together: so long they are gathered.
const GATHER: Duration = Duration::from_millis(200);
/// Between two lists that notices lead to: together with [`GATHER`] and an answer, well within the two seconds in which a
/// notice is to be followed.
const BETWEEN_LISTS: Duration = Duration::from_secs(1);
/// With fewer accounts online than this, a list that lacks those who have gone may be empty, and is not believed at once.
const FEW: usize = 3;
/// More accounts than this are not checked one by one.
const SINGLE: usize = 5;
/// Notices that wait to be looked at; beyond them, the lists find out.
const WAITING: usize = 1_024;

/// What notices have hinted at, and who hears them.
#[derive(Debug)]
pub(super) struct Hints {
    from: (Sender<Heard>, Receiver<Heard>),
    /// Whom to check.
    check: Vec<(WcId, WId)>,
    /// Whether a list is wanted.
    list: bool,
    /// When they are followed.
    pub(super) due: Option<Instant>,
    last_list: Option<Instant>,
}

impl Default for Hints {
    fn default() -> Self {
        Self { from: channel(WAITING), check: Vec::new(), list: false, due: None, last_list: None }
    }
}

impl Hints {
    /// The next notice.
    pub(super) async fn heard(&mut self) -> Option<Heard> {
        self.from.1.recv().await
    }

    /// Where a listener puts what it hears.
    pub(super) fn sender(&self) -> Sender<Heard> {
        self.from.0.clone()
    }
}

impl Hub {
    pub(super) fn heard(&mut self, heard: Heard) {
        let at = self.shared.now().mono;
        let busy = self.busy();
        let account = self.accounts.get(&heard.wc_id);
        match self.judge.notice(at, account, heard.w_id.as_ref(), heard.reason, &busy) {
            Hinted::Ignore => return,
            Hinted::Check(w_id) => self.hints.check.push((heard.wc_id, w_id)),
            Hinted::List => self.hints.list = true,
        }
        self.hints.due.get_or_insert_with(|| Instant::now() + GATHER);
    }

    /// Asks the gateway about what was heard.
    pub(super) async fn follow_hints(&mut self) {
        self.hints.due = None;
        if self.judge.is_in_doubt() {
            // A list that lacks many is to be asked again shortly; it settles these too, and tells them with the others.
            self.hints.check.clear();
        }
        let now = Instant::now();
        let earliest = self.hints.last_list.map(|last| last + BETWEEN_LISTS).filter(|earliest| *earliest > now);
        let online = self.accounts.values().filter(|account| account.presence == Presence::Online).count();
        let count = self.hints.check.len();
        // Where one has gone, others may have: a list costs as much as a check, and shows all that are gone at once.
        let few = count <= 1 || online < FEW || (earliest.is_some() && count <= SINGLE && !is_many(count, online));
        if !self.hints.list && few {
            for (wc_id, w_id) in std::mem::take(&mut self.hints.check) {
                self.check(wc_id, w_id);
            }
            return;
        }
        if let Some(earliest) = earliest {
            self.hints.due = Some(earliest);
            return;
        }
        self.hints.last_list = Some(now);
        self.hints.list = false;
        self.hints.check.clear();
        self.ask_list(false).await;
    }

    fn check(&self, wc_id: WcId, w_id: WId) {
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            let began = shared.begin().await;
            let answer = check(&shared, &w_id).await;
            let _ = news.send(News::Checked { began, wc_id, w_id, answer });
        });
    }

    pub(super) async fn checked(&mut self, began: Began, wc_id: &WcId, w_id: &WId, answer: Answer) {
        let busy = self.busy();
        let judgement = self.judge.checked(began, w_id, answer, self.accounts.get(wc_id), &busy);
        if !judgement.verdicts.is_empty() {
            match self.shared.store.note(&judgement.verdicts, &judgement.alerts).await {
                Ok(changed) => self.presences_changed(changed, judgement.words, &[], began).await,
                Err(error) => self.store_error(&error).await,
            }
            self.kick.notify_one();
        }
        if judgement.again.is_some() {
            self.hints.list = true;
            self.hints.due.get_or_insert_with(Instant::now);
        }
    }
}
