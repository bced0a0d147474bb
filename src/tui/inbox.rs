//! The way into the loop from other threads.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::Msg;

/// The way into the loop from other threads: queues a message and wakes the loop.
#[derive(Clone)]
pub struct Inbox(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    wake: UnixStream,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Msg>,
    /// A wake-up is on its way already.
    woken: bool,
    closed: bool,
}

/// The loop's end of the [`Inbox`].
pub(super) struct Outlet {
    shared: Arc<Shared>,
    woken: UnixStream,
}

impl Inbox {
    /// An inbox and the end that empties it.
    pub(super) fn new() -> io::Result<(Self, Outlet)> {
        let (woken, wake) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let shared = Arc::new(Shared { queue: Mutex::default(), wake });
        Ok((Self(Arc::clone(&shared)), Outlet { shared, woken }))
    }

    /// Queues `msg` and wakes the loop. Never blocks; after the loop's end it does nothing.
    pub fn send(&self, msg: Msg) {
        let mut queue = lock(&self.0.queue);
        if queue.closed {
            return;
        }
        queue.messages.push_back(msg);
        if !std::mem::replace(&mut queue.woken, true) {
            // A full pipe wakes just as well.
            let _full = (&self.0.wake).write(&[0]);
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}

impl Outlet {
    /// All messages so far.
    pub(super) fn take(&self) -> VecDeque<Msg> {
        let mut queue = lock(&self.shared.queue);
        if std::mem::take(&mut queue.woken) {
            let _empty = (&self.woken).read(&mut [0; 16]);
        }
        std::mem::take(&mut queue.messages)
    }
}

impl AsFd for Outlet {
    /// Becomes readable when there are messages.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let mut queue = lock(&self.shared.queue);
        queue.closed = true;
        queue.messages.clear();
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
