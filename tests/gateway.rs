//! The gateway client over real HTTP: against raw sockets that misbehave, and against a small gateway of its own.

#[cfg(test)]
#[path = "gateway/calls.rs"]
mod calls;
#[cfg(test)]
#[path = "gateway/dialects.rs"]
mod dialects;
#[cfg(test)]
#[path = "gateway/faults.rs"]
mod faults;
#[cfg(test)]
#[path = "gateway/once.rs"]
mod once;
#[cfg(test)]
#[path = "gateway/picture.rs"]
mod picture;
#[cfg(test)]
#[path = "gateway/server.rs"]
mod server;
#[cfg(test)]
#[path = "gateway/words.rs"]
mod words;
