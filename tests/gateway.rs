//! The gateway client over real HTTP: against raw sockets that misbehave, and against a small gateway of its own.

#[path = "gateway/calls.rs"]
mod calls;
#[path = "gateway/faults.rs"]
mod faults;
#[path = "gateway/once.rs"]
mod once;
#[path = "gateway/picture.rs"]
mod picture;
#[path = "gateway/server.rs"]
mod server;
#[path = "gateway/words.rs"]
mod words;
