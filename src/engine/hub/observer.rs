//! One process per profile asks the lists: `watch` before a TUI, the first of equals. The others hear of what it finds
//! through the store, and take its place when it is gone.

use tokio::time::Instant;

use super::fleet::jittered;
use super::{Hub, USUAL_INTERVAL};
use crate::engine::Role;
use crate::engine::api::Fleet;
use crate::store::Watchers;

/// A list that is older than so many intervals is overdue.
const OVERDUE: u32 = 3;

impl Hub {
    /// The role's rank among observers; `None`: it never is one.
    fn rank(&self) -> Option<u8> {
        match (self.shared.options.role, self.shared.options.interval) {
            (Role::Watch, Some(_)) => Some(2),
            (Role::Screen, Some(_)) => Some(1),
            (Role::Command, _) | (_, None) => None,
        }
    }

    /// Begins: as the observer with a list at once, else with what the observer has found.
    pub(super) async fn begin_observing(&mut self) {
        let Some(rank) = self.rank() else { return };
        match self.shared.store.observe(rank).await {
            Ok(true) => self.observe(true).await,
            Ok(false) => self.wait_for_the_observer(),
            Err(error) => {
                self.store_failed(&error.to_string());
                self.wait_for_the_observer();
            }
        }
        self.fleet_changed().await;
    }

    /// Takes the observer's place if it is free now.
    pub(super) async fn try_to_observe(&mut self) {
        let Some(rank) = self.rank().filter(|_| !self.observing && self.can_observe) else { return };
        // Looked at before, since every write of anybody leads here, and taking the place is a write.
        if let Ok(Watchers { observer: Some((_, held)), .. }) = self.shared.store.watchers().await
            && held >= rank
        {
            return;
        }
        match self.shared.store.observe(rank).await {
            Ok(true) => self.observe(false).await,
            Ok(false) => {}
            Err(error) => self.store_failed(&error.to_string()),
        }
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
        let interval = self.shared.options.interval.unwrap_or(USUAL_INTERVAL);
        let now = Instant::now();
        // Whoever takes over goes on where the other stopped: two processes make the calls of one.
        let last = if starting { None } else { self.shared.store.last_list().await.ok().flatten() };
        let age = last.map(|(last, _)| self.shared.now().wall.ms_since(last));
        let rest = age.and_then(|age| u64::try_from(age).ok()).map(std::time::Duration::from_millis);
        self.next_list = Some(now + rest.map_or_else(Default::default, |age| jittered(interval).saturating_sub(age)));
    }

    /// Leaves the role; `again`: it may come back.
    pub(super) async fn observe_no_longer(&mut self, again: bool) {
        self.can_observe = again;
        if !self.observing {
            return;
        }
        self.step_down();
        if let Err(error) = self.shared.store.observe_no_longer().await {
            self.store_failed(&error.to_string());
        }
    }

    fn step_down(&mut self) {
        tracing::info!("observing no longer");
        self.observing = false;
        self.stop_listening();
        self.wait_for_the_observer();
    }

    /// Looks after the observer when its list is overdue.
    pub(super) fn wait_for_the_observer(&mut self) {
        let interval = self.shared.options.interval.filter(|_| self.rank().is_some());
        self.next_list = interval.map(|interval| Instant::now() + jittered(interval.saturating_mul(OVERDUE)));
    }

    /// The timer of lists has run out.
    pub(super) async fn list_is_due(&mut self) {
        self.next_list = None;
        if self.observing || self.rank().is_none() || self.following {
            // Elsewhere than with the observer a person's wish goes on here: two lists have to agree.
            return self.ask_list(false).await;
        }
        self.try_to_observe().await;
        if !self.observing {
            self.wait_for_the_observer();
        }
    }

    /// Another process noted a list, became the observer, or found an outage or its end.
    pub(super) async fn fleet_changed(&mut self) {
        let watchers = match self.shared.store.watchers().await {
            Ok(watchers) => watchers,
            Err(error) => return self.store_failed(&error.to_string()),
        };
        if self.observing {
            let ours = watchers.observer.as_ref().is_none_or(|(owner, _)| owner == self.shared.store.owner());
            if ours {
                return;
            }
            self.step_down();
        }
        let at = self.shared.now().wall;
        self.set_outage(watchers.outage(), at);
        if let Ok(Some((at, order))) = self.shared.store.last_list().await {
            // The store keeps the newest: any other is a newer one.
            let newer = match &self.fleet {
                Some(Fleet::Ok { at: known }) => *known != at,
                Some(Fleet::Failing { since, .. }) => *since != at,
                Some(Fleet::Asking | Fleet::NeedsPassword) | None => true,
            };
            if newer {
                self.set_fleet(Fleet::Ok { at });
                self.freshen(at, order);
                self.wait_for_the_observer();
            }
        }
    }
}
