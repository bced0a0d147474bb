//! Listening sockets whose connections can be reset on demand.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Resets one connection: its next write sends RST instead of bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Kill(Arc<AtomicBool>);

impl Kill {
    /// From now on nothing more is written.
    pub(super) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    kill: Kill,
    /// Every connection of the server ends with this.
    all: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: bool,
}

impl Socket {
    fn reset(&mut self) -> io::Error {
        self.ended = true;
        // Without lingering, closing sends RST. If the system refuses, the client sees a plain end instead.
        self.stream.set_zero_linger().ok();
        io::Error::from(io::ErrorKind::ConnectionReset)
    }

    fn over(&mut self, cx: &mut Context<'_>) -> bool {
        self.ended || self.kill.0.load(Ordering::Relaxed) || self.all.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.over(cx) {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.over(cx) {
            return Poll::Ready(Err(self.reset()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A listening socket. `all` is asked for at each accept, so that it can be replaced.
pub(super) struct Door<F> {
    pub(super) listener: TcpListener,
    pub(super) all: F,
}

impl<F: Fn() -> CancellationToken + Send + 'static> Listener for Door<F> {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    stream.set_nodelay(true).ok();
                    let all = Box::pin((self.all)().cancelled_owned());
                    return (Socket { stream, kill: Kill::default(), all, ended: false }, address);
                }
                // Out of file handles, or the client has gone already: try again, but not in a spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl<F: Fn() -> CancellationToken + Send + 'static> Connected<IncomingStream<'_, Door<F>>> for Kill {
    fn connect_info(stream: IncomingStream<'_, Door<F>>) -> Self {
        stream.io().kill.clone()
    }
}
