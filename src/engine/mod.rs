//! What does the work for both front ends: logins, presence, the wId's way to the bots.

pub mod api;
