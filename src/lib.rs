//! saoma (扫码, "scan the code") signs WeChat accounts in to an iPad-protocol gateway and keeps them signed in, from
//! a terminal.
//!
//! A walk through the house, from the inside out:
//!
//! * [`model`] is plain data; [`i18n`] holds the words; [`child`] runs the commands of the settings.
//! * [`gateway`] speaks HTTP, [`qr`] turns a picture into terminal cells, [`store`] keeps what must not be lost.
//! * [`engine`] does the work: pure machines inside, one tokio driver around them. It takes a
//!   [`engine::api::Command`] and tells [`engine::api::Event`]s.
//! * [`app`] is the mind of the TUI (pure), [`ui`] draws it, [`tui`] is its body: the terminal, the loop.
//! * [`cli`] is the other front end: one command, words or JSON, an exit code.
//! * [`config`] says where every setting came from; [`simulator`] is a gateway for demo, tests and integrators.
//!
//! Who may import whom is in `design`'s words in ARCHITECTURE.md and enforced by `tests/house.rs`.

rust_i18n::i18n!("locales", fallback = "en");

pub mod action;
pub mod app;
pub mod child;
pub mod cli;
pub mod config;
pub mod engine;
pub mod gateway;
pub mod i18n;
pub mod model;
pub mod qr;
pub mod simulator;
pub mod store;
pub mod tui;
pub mod ui;

#[cfg(test)]
#[path = "../tests/property/mod.rs"]
mod property;
