//! Faults: answers that are not what the gateway meant to say, queued per endpoint.

use serde::{Deserialize, Serialize};

/// One way for a call to go wrong. Unless said otherwise, the call has no effect on the gateway's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// This HTTP status, with a short HTML page as the body.
    Http(u16),
    /// HTTP 200 with an HTML page, as a proxy in between would show one.
    Html,
    /// HTTP 200 without a body.
    Empty,
    /// The true reply (with its effects), cut in the middle.
    Truncated,
    /// 512 random bytes; on the image endpoint: bytes that are no image.
    Garbage,
    /// A byte order mark before the true reply (with its effects).
    Bom,
    /// The true reply (with its effects), but not before so many simulated milliseconds.
    Slow(u64),
    /// The headers at once, then a byte of the true reply each so many simulated milliseconds.
    Drip(u64),
    /// Nothing at all; the connection stays open until the client leaves.
    Hang,
    /// The connection is reset before anything is done.
    Reset,
    /// The call takes effect, then the connection is reset instead of the reply.
    LostReply,
    /// 256 MiB of body, made while they are sent.
    Huge,
    /// A failure envelope with this text.
    Fail(String),
    /// An outer success with a failure inside, as a failed second login shows it.
    Nested,
    /// An outer success whose `data` is null.
    NullData,
    /// HTTP 302 to this address.
    Redirect(String),
    /// Image endpoint: a grey picture without a code.
    ExpiredPicture,
}

/// A fault waiting for its calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueuedFault {
    /// The endpoint without its leading slash (`iPadLogin`, `member/login`), `image`, or `*` for every endpoint.
    pub endpoint: String,
    /// What happens.
    pub fault: Fault,
    /// For how many calls; none is until cleared.
    #[serde(default)]
    pub times: Option<u32>,
}

/// Takes the first fault that is meant for the endpoint, counting it down.
pub(super) fn take(queue: &mut Vec<QueuedFault>, endpoint: &str) -> Option<Fault> {
    let at = queue
        .iter()
        .position(|q| (q.endpoint == endpoint || (q.endpoint == "*" && endpoint != "image")) && q.times != Some(0))?;
    let queued = queue.get_mut(at)?;
    let fault = queued.fault.clone();
    if let Some(times) = &mut queued.times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            queue.remove(at);
        }
    }
    Some(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_taken_in_order_and_counted() {
        let queued = |endpoint: &str, fault, times| QueuedFault { endpoint: endpoint.into(), fault, times };
        let mut queue = vec![
            queued("a", Fault::Empty, Some(2)),
            queued("*", Fault::Html, Some(1)),
            queued("a", Fault::Reset, None),
        ];
        assert_eq!(take(&mut queue, "image"), None);
        assert_eq!(take(&mut queue, "a"), Some(Fault::Empty));
        assert_eq!(take(&mut queue, "b"), Some(Fault::Html));
        assert_eq!(take(&mut queue, "a"), Some(Fault::Empty));
        assert_eq!(take(&mut queue, "b"), None);
        assert_eq!(take(&mut queue, "a"), Some(Fault::Reset));
        assert_eq!(take(&mut queue, "a"), Some(Fault::Reset));
    }
}
