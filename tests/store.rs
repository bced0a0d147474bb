//! The store from outside: the rules of the swap, and what is promised when other processes write at the same time
//! or die by `kill -9` (design.md §3 rules 2 to 4); what is kept of the past, and who observes.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

#[path = "store/asked.rs"]
mod asked;
#[path = "store/clock.rs"]
mod clock;
#[path = "store/first_login.rs"]
mod first_login;
#[path = "store/kill.rs"]
mod kill;
#[path = "store/migration.rs"]
mod migration;
#[path = "store/moved.rs"]
mod moved;
#[path = "store/past.rs"]
mod past;
#[path = "store/places.rs"]
mod places;
mod property;
#[path = "store/random.rs"]
mod random;
#[path = "store/rules.rs"]
mod rules;
#[path = "store/support.rs"]
mod support;
