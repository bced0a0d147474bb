//! The request log: what clients asked, with tokens and passwords taken out.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Map, Value};

/// Whether a request brought a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSeen {
    /// No `Authorization` header.
    Missing,
    /// One that this gateway issued and still takes.
    Good,
    /// Another one.
    Bad,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is being worked on.
    Open,
    /// It was answered as the gateway means it.
    Answered,
    /// A fault answered.
    Faulted,
    /// The client went away first.
    Abandoned,
}

/// One request to the gateway or to the image port.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Logged {
    /// Simulated milliseconds since the start.
    pub at_ms: u64,
    /// `POST` in a client that does it right.
    pub method: String,
    /// The endpoint without its leading slash; `image` for a picture.
    pub endpoint: String,
    /// Whether a token came along. The token itself is not kept.
    pub token: TokenSeen,
    /// The `Content-Type`, if there was one.
    pub content_type: Option<String>,
    /// The body with the passwords replaced; null when it is not JSON or empty.
    pub body: Value,
    /// The HTTP status of the reply, once there is one.
    pub status: Option<u16>,
    /// The envelope's code of the reply, once there is one.
    pub code: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
}

/// The newest requests. Each has a number that stays valid when older ones are forgotten.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<Logged>,
    /// The number of the oldest one that is kept.
    first: usize,
}

impl Log {
    /// More than any test asks for; a simulator that runs for weeks must not grow.
    const KEPT: usize = 20_000;

    pub(super) fn push(&mut self, logged: Logged) -> usize {
        if self.entries.len() == Self::KEPT {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.push_back(logged);
        self.first + self.entries.len() - 1
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Logged> {
        self.entries.get_mut(number.checked_sub(self.first)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Logged> {
        self.entries.iter()
    }

    pub(super) fn clear(&mut self) {
        self.first += self.entries.len();
        self.entries.clear();
    }
}

/// Replaces what a log must not hold.
pub(super) fn redact(body: &Map<String, Value>) -> Value {
    let hidden = |(key, value): (&String, &Value)| {
        let lower = key.to_ascii_lowercase();
        let secret = ["password", "authorization", "token"].iter().any(|word| lower.contains(word));
        (key.clone(), if secret { Value::from("[redacted]") } else { value.clone() })
    };
    Value::Object(body.iter().map(hidden).collect())
}
