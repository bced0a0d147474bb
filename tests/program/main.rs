//! The whole program: the real binary in a real PTY or without one, against a simulated gateway over real HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail anywhere, its helpers included"
)]

mod endings;
mod eye;
mod families;
mod faults;
mod graphics;
mod headless;
mod kit;
mod logins;
mod output;
mod queue;
mod screens;
mod secrets;
mod tape;
mod watch;
