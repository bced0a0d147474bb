//! Connections, few and short: strangers may knock as much as they like without keeping anybody out.
//!
//! Everybody is let in at once. Where that makes too many, one has to go: of the host that has most of them the one that
//! has been there longest. A notice is said within one round trip of the line, so whoever has it to say is out again long
//! before that turn comes; and a host that holds hundreds open pushes out its own.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::time::Sleep;

/// So many connections at once.
const CONNECTIONS: usize = 64;
/// The longest a connection lasts.
const LIFE: Duration = Duration::from_secs(10);

pub(super) struct Door {
    socket: TcpListener,
    guests: Arc<Mutex<Guests>>,
}

impl Door {
    pub(super) fn new(socket: TcpListener) -> Self {
        Self { socket, guests: Arc::default() }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.socket).await;
        let (number, gone) = lock(&self.guests).enter(host(address.ip()));
        let guests = Arc::clone(&self.guests);
        (Guest { stream, end: Box::pin(tokio::time::sleep(LIFE)), gone, number, guests }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Whom an address belongs to: with IPv6 one has a whole network of them.
fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// Who is there.
#[derive(Debug, Default)]
struct Guests {
    /// In the order of their coming, with their host; who has left by himself is not in `there` any more.
    order: VecDeque<(u64, IpAddr)>,
    there: HashMap<u64, Sender<()>>,
    next: u64,
}

impl Guests {
    /// One more; somebody else is shown out where that makes too many. The guest has to go when the receiver ends.
    fn enter(&mut self, host: IpAddr) -> (u64, Receiver<()>) {
        self.order.retain(|(number, _)| self.there.contains_key(number));
        while self.order.len() >= CONNECTIONS {
            let Some(number) = self.oldest_of_the_most() else { break };
            self.there.remove(&number);
            self.order.retain(|(one, _)| *one != number);
        }
        let (out, gone) = channel();
        let number = self.next;
        self.next += 1;
        self.there.insert(number, out);
        self.order.push_back((number, host));
        (number, gone)
    }

    fn leave(&mut self, number: u64) {
        self.there.remove(&number);
    }

    fn oldest_of_the_most(&self) -> Option<u64> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for (_, host) in &self.order {
            *counts.entry(*host).or_default() += 1;
        }
        let most = counts.values().max()?;
        self.order.iter().find(|(_, host)| counts.get(host) == Some(most)).map(|(number, _)| *number)
    }
}

fn lock(guests: &Mutex<Guests>) -> MutexGuard<'_, Guests> {
    guests.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that ends by itself, or when its place is needed.
pub(super) struct Guest {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    gone: Receiver<()>,
    number: u64,
    guests: Arc<Mutex<Guests>>,
}

impl Guest {
    /// Whether it is over.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        self.end.as_mut().poll(context).is_ready() || Pin::new(&mut self.gone).poll(context).is_ready()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        lock(&self.guests).leave(self.number);
    }
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_over(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // One whose place is needed may still be told what it asked for.
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Who of those that came has not been shown out.
    fn there(came: &mut [(IpAddr, u64, Receiver<()>)]) -> Vec<u64> {
        let mut there = Vec::new();
        for (_, number, gone) in came.iter_mut() {
            if matches!(gone.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Empty)) {
                there.push(*number);
            }
        }
        there
    }

    #[test]
    fn a_crowd_pushes_out_its_own_oldest_and_nobody_else() {
        let mut guests = Guests::default();
        let mut came = Vec::new();
        let mut enter = |guests: &mut Guests, host| {
            let (number, gone) = guests.enter(host);
            came.push((host, number, gone));
            number
        };
        let first = enter(&mut guests, address(1));
        let crowd: Vec<u64> = (0..1000).map(|_| enter(&mut guests, address(2))).collect();
        let same = enter(&mut guests, address(2));
        let there = there(&mut came);
        assert_eq!(there.len(), CONNECTIONS);
        assert!(there.contains(&first) && there.contains(&same));
        assert_eq!(there[1..CONNECTIONS - 1], crowd[1000 - (CONNECTIONS - 2)..]);
        assert_eq!(guests.there.len(), CONNECTIONS, "nothing is remembered of those who have gone");
        // Whoever has left makes room.
        guests.leave(first);
        guests.enter(address(3));
        assert!(guests.there.contains_key(&crowd[1000 - (CONNECTIONS - 2)]));
    }

    #[test]
    fn a_network_of_one_is_one_host() {
        let of = |text: &str| host(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
