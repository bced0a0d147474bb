//! The gateway's HTTP API: what goes out, what comes back, in the words of `model`.

pub mod client;
pub mod error;

pub use client::{Gateway, Image, Options, PollReply, QrIssued, SignIn};
pub use error::{Call, Error, Kind};
