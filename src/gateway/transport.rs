//! One request, one answer, with every limit on time and size.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Client, Proxy, RequestBuilder, Response, Url, redirect, retry};
use tokio::time::{Instant, timeout_at};

use super::{Call, Error, Kind};

/// How long and how much, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until there is a connection: names, TCP and TLS.
    pub connect: Duration,
    /// From the start of an ordinary call to the first line of its answer. A long poll has its own.
    pub headers: Duration,
    /// The same for iPadLogin: behind it the gateway asks WeChat, over a proxy, and an answer that nobody waits for is
    /// a code that nobody sees.
    pub issue: Duration,
    /// Without one more byte of an answer that has begun.
    pub read: Duration,
    /// For the body of an answer that has begun, however steadily it drips.
    pub body: Duration,
    /// For a picture, from the first connection to its last byte, redirects included.
    pub image: Duration,
    /// Bytes of an answer.
    pub reply_bytes: usize,
    /// Bytes of a picture.
    pub image_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            headers: Duration::from_secs(20),
            issue: Duration::from_secs(60),
            read: Duration::from_secs(10),
            body: Duration::from_secs(20),
            image: Duration::from_secs(10),
            reply_bytes: 1 << 20,
            image_bytes: 2 << 20,
        }
    }
}

/// An answer: whatever its status, its body is read up to the limit.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) location: Option<String>,
    pub(super) body: Result<Vec<u8>, Error>,
}

/// The connections of one gateway.
pub(super) struct Transport {
    limits: Limits,
    proxy: Option<Proxy>,
    plain: Client,
    secure: OnceLock<Client>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("limits", &self.limits).field("proxy", &self.proxy.is_some()).finish()
    }
}

impl Transport {
    /// Prepares; nothing is sent. Fails on a proxy URL that is none.
    pub(super) fn new(http_proxy: Option<&str>, limits: Limits) -> Result<Self, Error> {
        // Fails only when somebody has installed one already, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let proxy = match http_proxy.map(str::trim).filter(|url| !url.is_empty()) {
            // The error is dropped: it repeats the URL, which may hold a password.
            Some(url) => Some(Proxy::all(url).map_err(|_error| setup("http_proxy is not a URL that can be used"))?),
            None => None,
        };
        // Without the system's certificates: reading them takes milliseconds that a start does not have, may fail
        // where there are none, and most gateways speak plain HTTP.
        let plain = client(proxy.as_ref(), limits)
            .tls_certs_only([])
            .build()
            .map_err(|error| setup(&format!("no HTTP client: {}", cause(&error))))?;
        Ok(Self { limits, proxy, plain, secure: OnceLock::new() })
    }

    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    /// The client for a URL's scheme; the one for TLS is built on first use.
    fn client_for(&self, call: Call, url: &Url) -> Result<&Client, Error> {
        if url.scheme() != "https" {
            return Ok(&self.plain);
        }
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let client = client(self.proxy.as_ref(), self.limits)
            .build()
            .map_err(|error| failed(call, Kind::Unreachable, format!("TLS cannot be set up: {}", cause(&error))))?;
        Ok(self.secure.get_or_init(|| client))
    }

    /// Sends one POST with a JSON body, once. The first line of the answer must be there within `wait`; its body then
    /// has its own limits, so that an answer that has begun is not thrown away at the last moment.
    pub(super) async fn post(
        &self,
        call: Call,
        url: Url,
        authorization: Option<HeaderValue>,
        body: &serde_json::Value,
        wait: Duration,
    ) -> Result<Answer, Error> {
        let mut request = self.client_for(call, &url)?.post(url).json(body);
        if let Some(token) = authorization {
            request = request.header(AUTHORIZATION, token);
        }
        let by = deadline(wait);
        let response = send(call, request, by).await?;
        let by = deadline(self.limits.body);
        self.answer(call, response, by, self.limits.reply_bytes).await
    }

    /// Sends one GET for a picture, without any header of ours. Everything must be there by `by`.
    pub(super) async fn get(&self, call: Call, url: Url, by: Instant) -> Result<Answer, Error> {
        let request = self.client_for(call, &url)?.get(url);
        let response = send(call, request, by).await?;
        self.answer(call, response, by, self.limits.image_bytes).await
    }

    async fn answer(&self, call: Call, mut response: Response, by: Instant, most: usize) -> Result<Answer, Error> {
        let header = |name| response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        let (content_type, location): (Option<String>, Option<String>) = (header(CONTENT_TYPE), header(LOCATION));
        let status = response.status().as_u16();
        let body = self.body(call, &mut response, by, most).await;
        Ok(Answer { status, content_type, location, body })
    }

    /// Reads the body piece by piece and hangs up at the first byte too many.
    async fn body(&self, call: Call, response: &mut Response, by: Instant, most: usize) -> Result<Vec<u8>, Error> {
        let too_large = || failed(call, Kind::TooLarge, format!("the answer is larger than {most} bytes"));
        let told = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if told.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > most)) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        loop {
            let next = by.min(deadline(self.limits.read));
            let chunk = match timeout_at(next, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(body),
                Ok(Err(error)) => {
                    return Err(failed(call, Kind::Unreachable, format!("the answer broke off: {}", cause(&error))));
                }
                Err(_elapsed) => {
                    let detail = format!("the answer stopped after {} bytes", body.len());
                    return Err(failed(call, Kind::Unreachable, detail));
                }
            };
            if body.len() + chunk.len() > most {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
    }
}

/// What both clients have in common.
///
/// A connection carries one request. A kept connection may be closed by the gateway at the moment it is used again;
/// then either the request is lost, or the HTTP library sends it once more on its own, and nobody can be sure that a
/// phone has rung once. A fresh connection has neither problem: what fails before it is there was never sent, and
/// what fails after it is never repeated. The price is one handshake a call, to a gateway that is asked every half
/// minute; the gain, besides, is that no idle connection wakes us. HTTP/1.1 only, for the same reason: HTTP/2 may
/// share a connection and repeats what a server has refused.
fn client(proxy: Option<&Proxy>, limits: Limits) -> reqwest::ClientBuilder {
    let builder = Client::builder()
        .user_agent(concat!("saoma/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .pool_max_idle_per_host(0)
        .retry(retry::never())
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(limits.connect)
        // A long poll is silent for minutes: the probes keep a NAT awake and find a dead line.
        .tcp_keepalive(Duration::from_secs(30));
    match proxy {
        Some(proxy) => builder.proxy(proxy.clone()),
        None => builder.no_proxy(),
    }
}

async fn send(call: Call, request: RequestBuilder, by: Instant) -> Result<Response, Error> {
    match timeout_at(by, request.send()).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => {
            let cause = cause(&error);
            // No type of the library's tells an answer that is not HTTP from a line that broke; its words do.
            let no_http = !error.is_connect() && (cause.contains("parsed") || cause.contains("head is too large"));
            Err(if error.is_builder() {
                failed(call, Kind::BadSettings, format!("the request cannot be made: {cause}"))
            } else if no_http {
                failed(call, Kind::Malformed, format!("the answer is not HTTP: {cause}"))
            } else if error.is_connect() {
                Error { sent: false, ..failed(call, Kind::Unreachable, format!("no connection: {cause}")) }
            } else {
                failed(call, Kind::Unreachable, format!("the line broke: {cause}"))
            })
        }
        Err(_elapsed) => Err(failed(call, Kind::TimedOut, "no answer in time")),
    }
}

/// That long from now; a day at most, so that no duration can overflow the clock.
pub(super) fn deadline(wait: Duration) -> Instant {
    Instant::now() + wait.min(Duration::from_secs(86_400))
}

/// The innermost cause of a failure, which says most and holds no URL.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<reqwest::Error>() {
        Some(_) if error.is_timeout() => "it took too long".to_owned(),
        // Its own text may repeat the URL.
        Some(_) => "the request failed".to_owned(),
        // The system's number beside its words helps nobody.
        None => {
            let words = innermost.to_string();
            words.split_once(" (os error ").map_or(words.as_str(), |(words, _number)| words).to_owned()
        }
    }
}

pub(super) fn failed(call: Call, kind: Kind, detail: impl Into<Box<str>>) -> Error {
    let sent = !matches!(kind, Kind::BadSettings);
    Error { call, kind, gateway_message: None, detail: detail.into(), sent, status: None }
}

fn setup(detail: &str) -> Error {
    failed(Call::Setup, Kind::BadSettings, detail)
}
