//! Plain data that every part of the program speaks in: no I/O, no clock, nothing of ours imported.

pub mod account;
pub mod attempt;
pub mod base;
pub mod budget;
pub mod device;
pub mod device_edit;
pub mod dialect;
pub mod edit;
pub mod id;
pub mod json;
pub mod reason;
pub mod record;
pub mod text;
pub mod time;
pub mod trouble;

pub use account::{Account, FirstNight, Presence, Source};
pub use attempt::{Attempt, AttemptState, LONGEST_LIFE_MS, Owner, Rung};
pub use budget::{Budget, Cost, Limits, Over};
pub use device::{Device, OwnProxy};
pub use device_edit::{BadDevice, DeviceEdit};
pub use dialect::Dialect;
pub use edit::Edit;
pub use id::{AttemptId, ProfileId, WId, WcId};
pub use reason::Reason;
pub use record::Record;
pub use time::{Began, Now, Order, SET_BACK_MS, Stamp, from_ms, to_ms};
pub use trouble::Trouble;
