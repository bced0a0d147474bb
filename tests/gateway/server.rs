//! A raw HTTP server that does to its connections what a test wants, and remembers what it was asked.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use saoma::gateway::{Gateway, Limits, Options};
use saoma::model::Dialect;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The token that every client here carries.
pub(crate) const TOKEN: &str = "eyJ-dummy-token-0123456789";

/// Long enough for the slowest machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    /// Method and target.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap().trim_end_matches(" HTTP/1.1")
    }

    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server on loopback that ends with the runtime of its test.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepted: Arc<Mutex<Vec<SocketAddr>>>,
    markers: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Server {
    /// Hands every connection, unread, to `handle`, with a way to note what was read from it.
    pub(crate) async fn raw<F>(handle: impl Fn(TcpStream, Self) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = Self { addr, seen: Arc::default(), accepted: Arc::default(), markers: Arc::default() };
        let own = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                own.accepted.lock().unwrap().push(peer);
                tokio::spawn(handle(stream, own.clone()));
            }
        });
        server
    }

    /// Reads one request a connection, answers with what `answer` makes of it, and closes.
    pub(crate) async fn answering(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::raw(move |mut stream, server| {
            let answer = Arc::clone(&answer);
            async move {
                if let Some(seen) = server.read(&mut stream).await {
                    let _gone = stream.write_all(&answer(&seen)).await;
                    let _gone = stream.shutdown().await;
                }
            }
        })
        .await
    }

    /// Answers every request with the same bytes.
    pub(crate) async fn always(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::answering(move |_| answer.clone()).await
    }

    /// Reads one whole request and notes it; `None` when the connection ends before.
    pub(crate) async fn read(&self, stream: &mut TcpStream) -> Option<Seen> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut seen = Seen { head, body: String::new() };
        let length: usize = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
        while bytes.len() < end + length {
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
        seen.body = String::from_utf8(bytes[end..end + length].to_vec()).unwrap();
        self.seen.lock().unwrap().push(seen.clone());
        Some(seen)
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections clients have opened before this call: one more is made here, and waited for, since
    /// connections are accepted in their order.
    pub(crate) async fn connections(&self) -> usize {
        let marker = TcpStream::connect(self.addr).await.unwrap();
        let mine = marker.local_addr().unwrap();
        self.markers.lock().unwrap().push(mine);
        let position = || self.accepted.lock().unwrap().iter().position(|peer| *peer == mine);
        tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(before) = position() {
                    return before - (self.markers.lock().unwrap().len() - 1);
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the marker is accepted")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A V2 client of this server.
    pub(crate) fn client(&self) -> Gateway {
        self.client_with(Limits::default())
    }

    pub(crate) fn client_with(&self, limits: Limits) -> Gateway {
        client(&self.url(), Dialect::V2, None, limits)
    }
}

pub(crate) fn client(base: &str, dialect: Dialect, http_proxy: Option<String>, limits: Limits) -> Gateway {
    let options = Options { base: base.to_owned(), dialect, token: Some(TOKEN.into()), http_proxy };
    Gateway::with_limits(options, limits).unwrap()
}

/// A whole HTTP answer.
pub(crate) fn http(status: &str, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer =
        format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// A 200 with JSON.
pub(crate) fn json(body: &str) -> Vec<u8> {
    http("200 OK", "application/json", body)
}

/// A redirect.
pub(crate) fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}
