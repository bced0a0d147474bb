//! The port that notices come in by, and who reads what comes. Engines of several profiles in one process share one: a
//! notice names its account, and whoever does not know that account ignores it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::Router;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use super::door::Door;
use super::forward::Forwarder;
use super::{Call, Desk, paths, take};
use crate::engine::Listen;

/// Bodies that wait to be looked at; beyond them they are dropped: lists find out all the same.
const WAITING: usize = 256;

/// So many may be at the door before it is opened to them; who is not let in knocks again only after a second, then three.
const AT_THE_DOOR: u32 = 1024;

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library does: connections that linger from before are no reason to wait.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(AT_THE_DOOR)
}

/// The ports that this process has open for notices. Engines that are given clones of one share them.
#[derive(Clone, Debug, Default)]
pub struct Ports(Arc<Mutex<HashMap<SocketAddr, Weak<Port>>>>);

/// An open port; closed when nobody reads from it any more.
#[derive(Debug)]
pub(super) struct Port {
    listen: Listen,
    readers: Arc<Readers>,
    stop: CancellationToken,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Who reads the calls of one port.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<Vec<Sender<Call>>>);

impl Readers {
    /// Never waits. Where a reader has no room, whoever calls would only call again, and a list settles it.
    pub(super) fn hand_out(&self, call: &Call) {
        let gone = |reader: &Sender<Call>| matches!(reader.try_send(call.clone()), Err(TrySendError::Closed(_)));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|reader| !gone(reader));
    }

    fn add(&self) -> Receiver<Call> {
        let (to, inbox) = channel(WAITING);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(to);
        inbox
    }
}

impl Ports {
    /// One more reader of a port, which is opened if this process has not done so yet. `fault` is told what cannot be
    /// passed on, by whoever opened it.
    pub(super) fn open(
        &self,
        listen: &Listen,
        fault: impl Fn(String) + Send + Sync + 'static,
    ) -> io::Result<(Arc<Port>, Receiver<Call>)> {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = ports.get(&listen.address).and_then(Weak::upgrade).filter(|port| port.listen == *listen) {
            let inbox = port.readers.add();
            return Ok((port, inbox));
        }
        let socket = bind(listen.address)?;
        let stop = CancellationToken::new();
        let forwarder = match listen.forward.as_deref() {
            Some(url) => Some(Forwarder::start(url, stop.clone(), fault).map_err(io::Error::other)?),
            None => None,
        };
        let readers = Arc::new(Readers::default());
        let inbox = readers.add();
        let desk = Arc::new(Desk { paths: paths(listen), readers: Arc::clone(&readers), forwarder });
        let router = Router::new().fallback(take).with_state(desk);
        let closed = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = closed.cancelled() => {}
                _ = async { axum::serve(Door::new(socket), router).await } => {}
            }
        });
        let port = Arc::new(Port { listen: listen.clone(), readers, stop });
        ports.insert(listen.address, Arc::downgrade(&port));
        Ok((port, inbox))
    }
}
