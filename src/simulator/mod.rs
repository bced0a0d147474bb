//! A gateway over real HTTP, with phones.
//!
//! Written from protocol.md alone, sharing no wire type with [`crate::gateway`]: two readings of one protocol, so
//! that a misreading shows. It listens on loopback only, and everything that looks secret in it is a visible dummy.
//!
//! * [`Setup`] says what there is at the start, [`Simulator`] is the handle on a running one.
//! * [`Knobs`] change how it behaves where the protocol is silent, [`Fault`]s make single calls go wrong.
//! * [`Act`] is everything that can be done to it; the control API (`/_control/`) and scenario files speak it too.
//!
//! docs/simulator.md tells integrators how to test their own bots against it.

mod act;
mod callback;
mod control;
mod device;
mod endpoints;
mod fault;
mod handle;
mod knobs;
mod listener;
mod log;
mod logins;
mod phones;
mod picture;
mod reply;
mod scenario;
mod server;
mod setup;
mod world;

pub use act::{Act, ActError};
pub use device::SimDevice;
pub use fault::{Fault, QueuedFault};
pub use handle::{Asked, Simulator};
pub use knobs::{
    AutoPhones, BadToken, ChangedDevice, Envelope, FailureShape, Knobs, Picture, PollNeed, ReasonShape, ReplyWId,
};
pub use log::{Logged, Outcome, TokenSeen};
pub use scenario::{Scenario, ScenarioError};
pub use setup::{PhoneScript, Setup, SimAccount, Then, Timed, demo_setup};
