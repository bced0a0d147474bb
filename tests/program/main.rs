//! The whole program: the real binary in a real PTY or without one, against a simulated gateway over real HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail anywhere, its helpers included"
)]

mod company;
mod endings;
mod eye;
mod families;
mod faults;
mod files;
mod graphics;
mod headless;
mod kit;
mod late;
mod locked;
mod logins;
mod output;
mod places;
mod queue;
mod screens;
mod secrets;
mod tape;
mod unseen;
mod watch;
