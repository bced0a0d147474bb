//! What every part of a running engine can reach.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::attempt::is_suspect;
use super::{Options, Renewal, Role};
use crate::gateway::{Gateway, Online};
use crate::model::{AttemptId, Began, Dialect, Now, Owner, Stamp, WId};
use crate::store::Store;

/// How long a call that only asks something may take.
const HARMLESS_LIMIT: Duration = Duration::from_secs(10);

/// What every part of a running engine can reach.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) gateway: Gateway,
    pub(super) store: Store,
    started: Instant,
    /// V1's list needs the platform password; a sign-in may store one later.
    password: RwLock<Option<SecretString>>,
    /// When somebody was last there, in milliseconds after `started`, plus one; 0: never.
    somebody: AtomicU64,
}

impl Shared {
    pub(super) fn new(options: Options, gateway: Gateway, store: Store) -> Self {
        let password = RwLock::new(options.password.clone());
        Self { options, gateway, store, started: Instant::now(), password, somebody: AtomicU64::new(0) }
    }

    /// Both clocks.
    pub(super) fn now(&self) -> Now {
        let offset_ms = self.options.wall_offset_ms.load(Ordering::Relaxed);
        let wall = Stamp(jiff::Timestamp::now().as_millisecond()).plus_ms(offset_ms);
        Now { wall, mono: self.started.elapsed() }
    }

    /// A question is about to leave. Where the store cannot say how far it is, the answer is no news of anything it knows.
    pub(super) async fn begin(&self) -> Began {
        let order = self.store.order().await.unwrap_or_default();
        let now = self.now();
        Began { at: now.wall, mono: now.mono, order }
    }

    /// A monotonic time as the timer's own.
    pub(super) fn instant(&self, mono: Duration) -> Instant {
        self.started + mono
    }

    pub(super) fn somebody_is_there(&self) {
        let millis = u64::try_from(self.now().mono.as_millis()).unwrap_or(u64::MAX - 1);
        self.somebody.store(millis + 1, Ordering::Relaxed);
    }

    /// Whether a code may be renewed for whoever looks at it.
    pub(super) fn is_somebody_there(&self) -> bool {
        match self.options.renewal {
            Renewal::Times(times) => times > 0,
            Renewal::WhileSomebodyIsThere { within, .. } => {
                let last = self.somebody.load(Ordering::Relaxed);
                last > 0 && self.now().mono.saturating_sub(Duration::from_millis(last - 1)) <= within
            }
        }
    }

    /// Whether an attempt of this owner is for this process to go on with. A command that passes by leaves alone what
    /// belongs to a process that only sleeps: it would soon let go of it again.
    pub(super) fn is_orphaned(&self, owner: &Owner) -> bool {
        match self.options.role {
            Role::Command => !self.store.is_alive(owner),
            Role::Screen | Role::Watch => !self.store.is_able(owner),
        }
    }

    /// What kind of process holds an attempt that this one has lost; empty where nobody knows.
    pub(super) async fn who_took(&self, id: &AttemptId) -> Box<str> {
        // A store that fails says so where something is to be written.
        match self.store.attempt(id).await {
            Ok(Some(attempt)) => self.role_of(&attempt.owner),
            Ok(None) | Err(_) => Box::default(),
        }
    }

    /// The same, of an owner. This process's own name stands there where a new login has displaced its attempt, and
    /// nobody has taken it yet.
    pub(super) fn role_of(&self, owner: &Owner) -> Box<str> {
        let other = Some(owner).filter(|owner| *owner != self.store.owner());
        other.and_then(|owner| self.store.role_of(owner)).unwrap_or_default().into()
    }

    /// Who is online, in the words of the profile's dialect; `None` where no list can be asked (V1 without password).
    pub(super) async fn list(&self) -> Option<Result<Online, crate::gateway::Error>> {
        if self.options.dialect.lists_w_ids() {
            return Some(self.gateway.query_login_wx().await);
        }
        let password = self.password()?;
        Some(self.gateway.get_login_wc_ids(&self.options.account, &password).await)
    }

    /// The second, harmless call that confirms or clears the suspicion that the token is dead; `None` when nobody
    /// answers it.
    pub(super) async fn is_token_good(&self) -> Option<bool> {
        let error = match (self.options.dialect, self.password()) {
            (Dialect::V2 | Dialect::V3, _) => self.gateway.query_login_wx().await.err(),
            (Dialect::V1, Some(_)) => self.list().await.and_then(Result::err),
            // The only question V1 answers without the password: about a wId that nobody has.
            (Dialect::V1, None) => {
                let nobody = WId::from("00000000-0000-0000-0000-000000000000");
                self.gateway.get_i_pad_login_info(&nobody, None, HARMLESS_LIMIT).await.err()
            }
        };
        match error {
            Some(error) if is_suspect(&error) => Some(false),
            Some(error) if error.is_transport() => None,
            Some(_) | None => Some(true),
        }
    }

    /// Whether that call has confirmed the suspicion.
    pub(super) async fn is_token_rejected(&self) -> bool {
        self.is_token_good().await == Some(false)
    }

    /// The platform password, where it is known.
    pub(super) fn password(&self) -> Option<SecretString> {
        self.password.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the fleet list can be asked: V1's needs the platform password.
    pub(super) fn can_list(&self) -> bool {
        self.options.dialect.lists_w_ids() || self.password().is_some()
    }

    /// Uses a platform password that was stored. True if it is another one.
    pub(super) fn set_password(&self, password: SecretString) -> bool {
        let mut known = self.password.write().unwrap_or_else(PoisonError::into_inner);
        let same = known.as_ref().is_some_and(|known| known.expose_secret() == password.expose_secret());
        *known = Some(password);
        !same
    }

    /// Uses another token from now on.
    pub(super) fn set_token(&self, token: SecretString) {
        self.gateway.set_token(token);
    }
}
