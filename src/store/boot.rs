//! The clock that nobody sets: milliseconds since the machine started, the same for every process on it.
//!
//! Whether somebody is overdue is never reckoned with the wall clock, which may be wrong, be put right, or jump.

use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};

/// A moment on the boot clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BootMs(pub(super) i64);

impl BootMs {
    /// Now. A machine that was suspended has gone on counting (Linux; elsewhere the clock stands still meanwhile).
    pub(super) fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let now = clock_gettime(clock);
        Self(now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000))
    }

    /// Milliseconds since another moment.
    pub(super) const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Which start of the machine the clock counts from: 36 characters. A stamp of another start says nothing.
pub(super) fn boot_id() -> &'static str {
    const NONE: &str = "------------------------------------";
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let id = id.trim();
        if id.len() == NONE.len() && id.is_ascii() { id.to_owned() } else { NONE.to_owned() }
    })
}
