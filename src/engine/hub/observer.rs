//! One process per profile asks the lists: `watch` before a TUI, the first of equals. The others hear of what it finds
//! through the store, look after it, and take its place when it is gone, silent for too long, or fails where they do not.

use std::time::Duration;

use tokio::time::Instant;

use super::fleet::jittered;
use super::{Hub, USUAL_INTERVAL};
use crate::engine::Role;
use crate::engine::api::{Event, Fleet, Token};
use crate::engine::presence::observation_lost_alert;
use crate::model::{Order, Reason, Stamp, to_ms};
use crate::store::{Error, Moment, Place, Watchers};

/// From so many intervals without a list on, where it is neither an outage nor the token, it is told that nobody sees
/// the fleet.
const LOST: u32 = 5;
/// Who cannot list itself asks again so many intervals later whether it can by now.
const SELDOM: u32 = 3;
/// Behind the moment at which the observer is overdue: its last note may be on its way.
const GRACE: Duration = Duration::from_millis(50);

/// What this process's own last try for a list came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OwnTry {
    /// There was none yet.
    #[default]
    None,
    /// A list, at that moment.
    Listed(Moment),
    /// Nothing.
    Failed,
}

impl OwnTry {
    const fn listed(self) -> Option<Moment> {
        match self {
            Self::Listed(at) => Some(at),
            Self::None | Self::Failed => None,
        }
    }
}

impl Hub {
    /// The role's rank among observers; `None`: it never is one.
    fn rank(&self) -> Option<u8> {
        match (self.shared.options.role, self.shared.options.interval) {
            (Role::Watch, Some(_)) => Some(2),
            (Role::Screen, Some(_)) => Some(1),
            (Role::Command, _) | (_, None) => None,
        }
    }

    fn interval(&self) -> Duration {
        self.shared.options.interval.unwrap_or(USUAL_INTERVAL)
    }

    /// Begins: as the observer with a list at once, else with what the observer has found.
    pub(super) async fn begin_observing(&mut self) {
        let Some(rank) = self.rank() else { return };
        if self.shared.can_list() {
            match self.shared.store.observe(rank, self.interval(), None).await {
                Ok(true) => self.observe(true).await,
                Ok(false) => {}
                Err(error) => self.store_error(&error).await,
            }
        }
        self.fleet_changed().await;
        if !self.observing {
            self.wait_for_the_observer().await;
        }
    }

    /// Takes the observer's place if it may.
    pub(super) async fn try_to_observe(&mut self) {
        let Some(rank) = self.rank().filter(|_| !self.observing && self.shared.can_list()) else { return };
        // Looked at before, since every write of anybody leads here, and taking the place is a write.
        let me = self.shared.store.owner();
        match self.shared.store.watchers().await {
            Ok(Watchers { observer: Some(place), .. }) if place.owner != *me && !self.may_take(&place, rank) => return,
            Ok(_) => {}
            Err(error) => return self.store_error(&error).await,
        }
        match self.shared.store.observe(rank, self.interval(), self.own_try.listed()).await {
            Ok(true) => self.observe(false).await,
            Ok(false) => {}
            Err(error) => self.store_error(&error).await,
        }
    }

    /// Whoever cannot list itself takes the place of nobody who may.
    fn may_take(&self, place: &Place, rank: u8) -> bool {
        let outranks = place.rank < rank && self.own_try != OwnTry::Failed;
        outranks || place.is_free_for(self.own_try.listed())
    }

    async fn observe(&mut self, starting: bool) {
        tracing::info!(starting, "observing");
        self.observing = true;
        self.failures = 0;
        // An outage goes on whoever looks at it.
        if let Ok(watchers) = self.shared.store.watchers().await {
            let at = self.shared.now().wall;
            self.set_outage(watchers.outage(), at);
        }
        self.start_listening();
        let interval = self.interval();
        let now = Instant::now();
        // Whoever takes over goes on where the other stopped: two processes make the calls of one.
        let last = if starting { None } else { self.shared.store.last_list().await.ok().flatten() };
        let age = last.map(|(last, _)| self.shared.now().wall.ms_since(last));
        let rest = age.and_then(|age| u64::try_from(age).ok()).map(Duration::from_millis);
        self.next_list = Some(now + rest.map_or_else(Default::default, |age| jittered(interval).saturating_sub(age)));
    }

    /// Leaves the role.
    pub(super) async fn observe_no_longer(&mut self) {
        if !self.observing {
            return;
        }
        self.step_down();
        if let Err(error) = self.shared.store.observe_no_longer().await {
            self.store_failed(&error.to_string());
        }
        self.wait_for_the_observer().await;
    }

    fn step_down(&mut self) {
        tracing::info!("observing no longer");
        self.observing = false;
        self.stop_listening();
    }

    /// The store says that another process has taken the place: nothing of what was about to be written was, and no list
    /// is asked as the observer any more.
    pub(super) async fn replaced(&mut self) {
        if self.observing {
            self.step_down();
            self.fleet_changed().await;
            self.wait_for_the_observer().await;
        }
    }

    /// Nobody observes in a store that has just taken the place of another; who did in that one goes on.
    pub(super) async fn observes_another_store(&mut self) {
        if self.observing {
            self.step_down();
        }
        self.try_to_observe().await;
        if !self.observing {
            self.wait_for_the_observer().await;
        }
    }

    /// Looks after the observer when it is overdue; where its tries fail, tries itself before.
    pub(super) async fn wait_for_the_observer(&mut self) {
        if self.observing {
            return;
        }
        let Some(interval) = self.shared.options.interval.filter(|_| self.rank().is_some()) else {
            self.next_list = None;
            return;
        };
        let place = self.shared.store.watchers().await.ok().and_then(|watchers| watchers.observer);
        self.next_list = Some(Instant::now() + self.pause_before_looking(place.as_ref(), interval));
    }

    /// How long who does not observe waits before it looks after who does.
    fn pause_before_looking(&self, place: Option<&Place>, interval: Duration) -> Duration {
        let seldom = || jittered(interval.saturating_mul(SELDOM));
        let lost = interval.saturating_mul(LOST);
        match place {
            // A word of its next try comes from the observer.
            Some(place) if self.lists_where_it_fails(place) => seldom(),
            Some(place) if place.failing.is_some() || self.is_outranked_unable(place) => match self.own_try {
                OwnTry::None | OwnTry::Listed(_) => jittered(interval),
                OwnTry::Failed => seldom(),
            },
            Some(place) if !place.is_overdue() => place.able_for + GRACE,
            // Overdue, and this process cannot take its place: it tells that nobody sees the fleet, when that is due.
            Some(place) if place.unlisted < lost => lost.saturating_sub(place.unlisted) + GRACE,
            Some(_) | None => seldom(),
        }
    }

    /// Whether this process has had a list since the observer's tries began to fail: if its next one fails too, this
    /// process takes its place.
    fn lists_where_it_fails(&self, place: &Place) -> bool {
        place.failing_since.is_some_and(|since| self.own_try.listed().is_some_and(|listed| listed > since))
    }

    /// Whether the place is held by somebody of a lower rank only because this process could not list.
    fn is_outranked_unable(&self, place: &Place) -> bool {
        self.own_try == OwnTry::Failed && self.rank().is_some_and(|rank| place.rank < rank)
    }

    /// The timer of lists has run out.
    pub(super) async fn list_is_due(&mut self) {
        self.next_list = None;
        if self.observing || self.rank().is_none() || self.following {
            // Elsewhere than with the observer a person's wish goes on here: two lists have to agree.
            return self.ask_list(false).await;
        }
        self.try_to_observe().await;
        if self.observing {
            return;
        }
        self.fleet_changed().await;
        let place = self.shared.store.watchers().await.ok().and_then(|watchers| watchers.observer);
        // Whoever observes fails; whether it is the gateway or only that process, a list of one's own tells.
        let tries = place.is_some_and(|place| {
            let fails = place.failing.is_some() && !self.lists_where_it_fails(&place);
            fails || self.is_outranked_unable(&place)
        });
        if tries && self.shared.can_list() && !self.observing {
            return self.ask_list(false).await;
        }
        self.wait_for_the_observer().await;
    }

    /// Another process noted a list or that none came, became the observer, or found an outage or its end; or it is time
    /// to look whether lists still come.
    pub(super) async fn fleet_changed(&mut self) {
        let watchers = match self.shared.store.watchers().await {
            Ok(watchers) => watchers,
            Err(error) => return self.store_error(&error).await,
        };
        if self.observing {
            let ours = watchers.observer.as_ref().is_none_or(|place| place.owner == *self.shared.store.owner());
            if ours {
                return self.look_whether_anybody_sees(&watchers).await;
            }
            self.step_down();
            self.wait_for_the_observer().await;
        }
        let at = self.shared.now().wall;
        self.set_outage(watchers.outage(), at);
        self.set_lost(watchers.lost_since, None, at);
        let last = self.shared.store.last_list().await.ok().flatten();
        match &watchers.observer {
            Some(place) if place.failing.is_some() || place.blind().is_some() => {
                let (since, detail) = (last.map_or(at, |(at, _)| at), "".into());
                let reason = place.failing.unwrap_or(Reason::Interrupted);
                self.set_fleet(Fleet::Failing { since, reason, gateway_message: None, detail });
            }
            // The list needs the password, and nobody is there who knows it.
            None if !self.shared.can_list() => self.set_fleet(Fleet::NeedsPassword),
            Some(_) | None => {
                if let Some((at, order)) = last {
                    self.list_of_another(at, order).await;
                }
            }
        }
        self.set_blind(watchers.blind());
        self.look_whether_anybody_sees(&watchers).await;
        if let Some(place) = watchers.observer.as_ref().filter(|place| place.failing.is_some()) {
            self.try_to_observe().await;
            if let Some(due) = self.next_list.filter(|_| !self.observing) {
                // Sooner than a silent one is looked after.
                let pause = self.pause_before_looking(Some(place), self.interval());
                self.next_list = Some(due.min(Instant::now() + pause));
            }
        }
    }

    /// The observer, or whoever was asked by a person, has had a list.
    async fn list_of_another(&mut self, at: Stamp, order: Order) {
        // The store keeps the newest: any other is a newer one.
        let newer = match &self.fleet {
            Some(Fleet::Ok { at: known }) => *known != at,
            // Whatever it names as its last one, it is the newest, and lists come again.
            Some(Fleet::Failing { .. } | Fleet::Asking | Fleet::NeedsPassword) | None => true,
        };
        if newer {
            self.set_fleet(Fleet::Ok { at });
            self.freshen(at, order);
            if !self.asking {
                self.wait_for_the_observer().await;
            }
        }
    }

    /// No list comes, and it is neither an outage nor the token nor a password that nobody gave: tells that, once
    /// among all processes.
    pub(super) async fn look_whether_anybody_sees(&mut self, watchers: &Watchers) {
        let Some(place) = watchers.observer.as_ref().filter(|_| self.rank().is_some()) else { return };
        let told_otherwise = watchers.outage_since.is_some()
            || watchers.lost_since.is_some()
            || matches!(self.token, Some(Token::Rejected | Token::Missing))
            || matches!(place.failing, Some(Reason::TokenRejected | Reason::NeedsPassword))
            // One that tries still tells of an outage itself.
            || (place.failing == Some(Reason::GatewayDown) && !place.is_overdue());
        if told_otherwise || !place.is_silent() || place.unlisted < place.interval.saturating_mul(LOST) {
            return;
        }
        let at = self.shared.now().wall;
        let unlisted = to_ms(place.unlisted);
        let since = self.shared.store.last_list().await.ok().flatten().map_or(at.plus_ms(-unlisted), |(at, _)| at);
        let reason = place.failing.unwrap_or(Reason::Interrupted);
        match self.shared.store.observation_lost(since, &observation_lost_alert(since, reason, at)).await {
            Ok(_) => {
                self.kick.notify_one();
                self.set_lost(Some(since), Some(reason), at);
            }
            Err(error) => self.store_failed(&error.to_string()),
        }
    }

    /// Tells that nobody sees the fleet, or that somebody does again, whoever found it.
    pub(super) fn set_lost(&mut self, since: Option<Stamp>, reason: Option<Reason>, at: Stamp) {
        match (std::mem::replace(&mut self.lost, since), since) {
            (None, Some(since)) => {
                tracing::warn!(since = since.rfc3339(), "nobody sees the fleet");
                self.tell(Event::ObservationLost { since, reason: reason.unwrap_or(Reason::Interrupted), at });
            }
            (Some(since), None) => {
                tracing::info!(since = since.rfc3339(), "the fleet is seen again");
                self.tell(Event::ObservationBack { since, at });
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// What is believed is old news while nobody who could look does.
    fn set_blind(&mut self, limit: Option<Duration>) {
        let before = std::mem::replace(&mut self.blind, limit);
        if before.is_some() || limit.is_some() {
            self.age();
        }
    }

    /// This process is about to be stopped for an unknown time: others go on with what it does.
    pub(super) async fn give_up(&mut self) {
        if self.observing {
            self.step_down();
        }
        self.next_list = None;
        if let Err(error) = self.shared.store.give_up().await {
            self.store_failed(&error.to_string());
        }
    }

    /// It goes on: with what nobody has taken over meanwhile.
    pub(super) async fn come_back(&mut self) {
        self.look_after_lease().await;
        self.store_changed().await;
        self.fleet_changed().await;
        self.try_to_observe().await;
        if !self.observing {
            self.wait_for_the_observer().await;
        }
    }

    /// What the store says went wrong; that another process has the place is no fault.
    pub(super) async fn store_error(&mut self, error: &Error) {
        match error {
            Error::ObservesNoLonger => Box::pin(self.replaced()).await,
            Error::Open(_)
            | Error::Refused { .. }
            | Error::Watch(_)
            | Error::Sql(_)
            | Error::Damaged(_)
            | Error::Replaced => {
                self.store_failed(&error.to_string());
            }
        }
    }
}
