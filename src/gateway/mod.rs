//! The gateway's HTTP API: what goes out, what comes back, in the words of `model`.
//!
//! * [`client`]: one method a call;
//! * `dialect`: what each generation of the API is sent, and which calls it has;
//! * `transport`: one request, one answer, with every limit on time and size;
//! * `json`: what came as characters and JSON, mended where it is broken;
//! * `wire`: tolerant decoding of it;
//! * [`notice`]: what the gateway, or a relay, tells a listener;
//! * `reason`: a reason for a drop, out of its wrapping;
//! * `image`: where a picture may be fetched from;
//! * [`base`]: the base URL and the profile id that follows from it;
//! * [`error`]: the one error type.

pub mod base;
pub mod client;
mod dialect;
pub mod error;
mod image;
mod json;
pub mod notice;
mod reason;
mod transport;
mod wire;

pub use base::{base_url, profile_id, sends_in_the_clear};
pub use client::{Gateway, Image, Online, Options, PollReply, QrIssued, SignIn, token_mark};
pub use error::{Call, Error, Kind, WORDS_COLUMNS};
pub use notice::Notice;
pub use transport::Limits;
