//! Listens for the gateway's offline notices, whether the gateway itself calls or a bot passes its calls on.
//!
//! Whoever does not know the secret path is a stranger and gets 404. Everybody else is answered at once; what was
//! posted is looked at afterwards. A notice proves nothing: it is a hint to check (protocol.md §9.12). What is heard is
//! passed on whole where [`Listen::forward`] says so, whatever it is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::forward::{Forwarder, PASSED_ON};
use self::port::{Port, Readers};
use self::twice::Twice;
use super::Listen;
use crate::gateway::{Notice, notice};
use crate::model::{Dialect, WId, WcId};

mod door;
mod forward;
mod port;
mod twice;

pub use self::port::Ports;

/// The largest body that is taken: a message with a small picture in it has to reach the bots it is passed on to.
const BODY_BYTES: usize = 1024 * 1024;
/// A larger body is no notice, and not looked at.
const NOTICE_BYTES: usize = 64 * 1024;
/// How long a body may take.
const BODY_LIMIT: Duration = Duration::from_secs(6);

/// A notice that an instance went off line, heard for the first time.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) wc_id: WcId,
    pub(super) w_id: Option<WId>,
    /// The gateway's words, uncleaned.
    pub(super) reason: Option<Box<str>>,
}

/// One call that came in by the secret path.
#[derive(Clone, Debug)]
struct Call {
    body: Bytes,
    content_type: Option<HeaderValue>,
    /// Whether another saoma has passed it on: it is not passed on again.
    passed_on: bool,
}

/// A reader of what comes in; the last one that is dropped closes the port.
#[derive(Debug)]
pub(super) struct Listener {
    _port: Arc<Port>,
    stop: CancellationToken,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The URL that the gateway is to call, with the secret; `None` where the config does not say how it reaches us.
pub(super) fn callback_url(listen: &Listen) -> Option<SecretString> {
    let base = listen.public_url.as_deref().map(str::trim).filter(|url| !url.is_empty())?;
    Some(format!("{}/{}", base.trim_end_matches('/'), listen.secret.0.expose_secret()).into())
}

/// Starts to listen: what is heard for the first time goes to `to`, what cannot be passed on is told to `fault`.
pub(super) fn start(
    ports: &Ports,
    listen: &Listen,
    dialect: Dialect,
    to: Sender<Heard>,
    fault: impl Fn(String) + Send + Sync + 'static,
) -> io::Result<Listener> {
    let (port, calls) = ports.open(listen, fault)?;
    let stop = CancellationToken::new();
    tokio::spawn(look_at(calls, dialect, to, stop.clone()));
    Ok(Listener { _port: port, stop })
}

/// `/<secret>`, and the same below the public URL's path, for a proxy that leaves it on.
fn paths(listen: &Listen) -> Vec<SecretString> {
    let secret = listen.secret.0.expose_secret();
    let below = listen.public_url.as_deref().and_then(|url| reqwest::Url::parse(url).ok());
    let below = below.map(|url| url.path().trim_end_matches('/').to_owned()).filter(|path| !path.is_empty());
    let mut paths = vec![format!("/{secret}").into()];
    paths.extend(below.map(|path| format!("{path}/{secret}").into()));
    paths
}

/// What the listener's requests share.
struct Desk {
    paths: Vec<SecretString>,
    readers: Arc<Readers>,
    forwarder: Option<Forwarder>,
}

impl Desk {
    fn knows(&self, path: &str) -> bool {
        let path = path.strip_suffix('/').unwrap_or(path);
        self.paths.iter().any(|known| is_same(known.expose_secret().as_bytes(), path.as_bytes()))
    }
}

/// Compares without telling by its time how much was right.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

async fn take(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    if !desk.knows(request.uri().path()) {
        return answer(StatusCode::NOT_FOUND, "");
    }
    if request.method() != Method::POST {
        let mut refused = answer(StatusCode::METHOD_NOT_ALLOWED, "");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return refused;
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
    let passed_on = request.headers().contains_key(PASSED_ON);
    let body = match tokio::time::timeout(BODY_LIMIT, to_bytes(request.into_body(), BODY_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_too_large)) => return answer(StatusCode::PAYLOAD_TOO_LARGE, ""),
        Err(_elapsed) => return answer(StatusCode::REQUEST_TIMEOUT, ""),
    };
    let call = Call { body, content_type, passed_on };
    if call.body.len() <= NOTICE_BYTES {
        desk.readers.hand_out(&call);
    }
    if let Some(forwarder) = desk.forwarder.as_ref().filter(|_| !call.passed_on) {
        forwarder.pass_on(call);
    }
    answer(StatusCode::OK, "{}")
}

fn answer(status: StatusCode, body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // No idle connection wakes us.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Reads, leaves out what was heard before.
async fn look_at(mut calls: Receiver<Call>, dialect: Dialect, to: Sender<Heard>, stop: CancellationToken) {
    let start = Instant::now();
    let mut twice = Twice::default();
    loop {
        let call = tokio::select! {
            () = stop.cancelled() => return,
            call = calls.recv() => call,
        };
        let Some(call) = call else { return };
        let content_type = call.content_type.as_ref().and_then(|value| value.to_str().ok());
        let Some(body) = notice::value(&call.body, content_type) else { continue };
        let Notice::Offline { wc_id, w_id, reason } = notice::of(&body, dialect) else { continue };
        let message = twice::message_id(&body);
        if twice.is_new(start.elapsed(), &wc_id, w_id.as_ref(), message.as_deref()) {
            // Full: the lists find out.
            let _ = to.try_send(Heard { wc_id, w_id, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Secret;

    fn listen(public_url: Option<&str>) -> Listen {
        Listen {
            address: ([127, 0, 0, 1], 0).into(),
            secret: Secret("s3cret".into()),
            forward: None,
            public_url: public_url.map(Into::into),
            register: false,
        }
    }

    #[test]
    fn only_the_secret_path_is_known() {
        let paths = paths(&listen(Some("https://bots.example/saoma/")));
        let desk = Desk { paths, readers: Arc::default(), forwarder: None };
        for path in ["/s3cret", "/s3cret/", "/saoma/s3cret"] {
            assert!(desk.knows(path), "{path}");
        }
        for path in ["/", "", "/s3cre", "/s3cret2", "/S3cret", "/other/s3cret", "/s3cret/x", "//s3cret"] {
            assert!(!desk.knows(path), "{path}");
        }
    }

    #[test]
    fn the_callback_is_the_public_url_and_the_secret() {
        let url = |public| callback_url(&listen(public)).map(|url| url.expose_secret().to_owned());
        assert_eq!(url(Some("http://203.0.113.9:18090/")).as_deref(), Some("http://203.0.113.9:18090/s3cret"));
        assert_eq!((url(Some(" ")), url(None)), (None, None));
    }
}
