//! What people set of an account.

use super::{Device, WId};

/// Fields of an account that people set. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// A known wId (import); stored as not confirmed.
    pub w_id: Option<WId>,
    /// Whether it is known to have been logged in before, elsewhere (import).
    pub was_logged_in: bool,
    /// Nickname (import).
    pub nick_name: Option<Box<str>>,
    /// WeChat number (import).
    pub w_account: Option<Box<str>>,
    /// Whose phone.
    pub holder: Option<Box<str>>,
    /// Labels.
    pub tags: Option<Vec<Box<str>>>,
    /// Free words.
    pub note: Option<Box<str>>,
    /// V3's device and network, as a whole.
    pub device: Option<Device>,
}
