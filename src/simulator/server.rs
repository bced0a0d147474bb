//! The HTTP side: requests in, faults in between, replies out.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::endpoints::{self, Asked};
use super::fault::{self, Fault};
use super::knobs::BadToken;
use super::listener::Kill;
use super::log::{Logged, Outcome, TokenSeen, redact};
use super::logins::CodeState;
use super::reply::Reply;
use super::world::{Ms, World};
use super::{callback, control, device, handle, picture};

/// What all tasks of one simulator share.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    changed: watch::Sender<u64>,
    start: Instant,
    wall_start_ms: i64,
    speed: f64,
    pub(super) prefix: String,
    /// Ends everything.
    pub(super) stop: CancellationToken,
    /// Ends the connections that are open now.
    connections: Mutex<CancellationToken>,
    /// The gateway's port while it is up, and where that is.
    pub(super) gateway: Mutex<Option<Running>>,
    pub(super) address: SocketAddr,
}

/// A listening port.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) close: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Shared {
    pub(super) fn new(
        world: World,
        changed: watch::Sender<u64>,
        speed: f64,
        prefix: &str,
        address: SocketAddr,
    ) -> Self {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let stop = CancellationToken::new();
        Self {
            world: Mutex::new(world),
            changed,
            start: Instant::now(),
            wall_start_ms: i64::try_from(wall.as_millis()).unwrap_or(0),
            speed: if speed.is_finite() && speed > 0.0 { speed } else { 1.0 },
            prefix: prefix.trim_matches('/').into(),
            connections: Mutex::new(stop.child_token()),
            gateway: Mutex::new(None),
            address,
            stop,
        }
    }

    /// The state. Never held over an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Simulated milliseconds since the start.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times are small and positive")]
    pub(super) fn now(&self) -> Ms {
        (self.start.elapsed().as_secs_f64() * self.speed * 1_000.0) as Ms
    }

    /// The simulated wall clock, in milliseconds since the epoch.
    pub(super) fn wall_ms(&self) -> i64 {
        self.wall_start_ms.saturating_add_unsigned(self.now())
    }

    /// So many simulated milliseconds as real time.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(super) fn real(&self, ms: Ms) -> Duration {
        Duration::try_from_secs_f64(ms as f64 / self.speed / 1_000.0).unwrap_or(Duration::from_secs(86_400))
    }

    pub(super) async fn sleep_until(&self, until: Ms) {
        // A millisecond more, so that a rounded clock has really passed the moment.
        tokio::time::sleep(self.real(until.saturating_sub(self.now())) + Duration::from_millis(1)).await;
    }

    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The token that ends the connections which are accepted now.
    pub(super) fn connections(&self) -> CancellationToken {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resets every open connection.
    pub(super) fn break_connections(&self) {
        let next = self.stop.child_token();
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *connections, next).cancel();
    }
}

/// Runs what is due, sends notices, until the simulator stops.
pub(super) async fn pulse(shared: Arc<Shared>) {
    let mut changed = shared.changed();
    loop {
        let now = shared.now();
        let (next, acts, outbox, restarts) = {
            let mut world = shared.lock();
            let acts = world.run_due(now);
            (world.next_due(), acts, std::mem::take(&mut world.outbox), std::mem::take(&mut world.restarts))
        };
        for _ in acts {
            shared.break_connections();
        }
        for down_ms in restarts {
            tokio::spawn(handle::restart(Arc::clone(&shared), down_ms));
        }
        if !outbox.is_empty() {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                for notice in outbox {
                    let taken = callback::post(&notice, shared.real(callback::BUDGET_MS)).await;
                    shared.lock().tell(shared.now(), "notice_sent", serde_json::json!({"taken": taken}));
                }
            });
        }
        let wait = async {
            match next {
                Some(next) => shared.sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = changed.changed() => {}
            () = wait => {}
        }
    }
}

/// Notes how a request ended, also when its client hung up.
struct Entry {
    shared: Arc<Shared>,
    at: usize,
    done: bool,
}

impl Entry {
    fn open(shared: &Arc<Shared>, logged: Logged) -> Self {
        let at = shared.lock().log.push(logged);
        Self { shared: Arc::clone(shared), at, done: false }
    }

    fn close(&mut self, outcome: Outcome, status: Option<u16>, code: Option<&str>) {
        self.done = true;
        let now = self.shared.now();
        let mut world = self.shared.lock();
        let Some(logged) = world.log.get_mut(self.at) else { return };
        logged.outcome = outcome;
        logged.status = status;
        logged.code = code.map(str::to_owned);
        let event = serde_json::json!({"endpoint": logged.endpoint, "outcome": outcome, "status": status,
                                       "code": code, "asked_ms": logged.at_ms, "body": logged.body});
        world.tell(now, "request", event);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.done {
            self.close(Outcome::Abandoned, None, None);
        }
    }
}

fn answer(status: u16, mime: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    response
}

pub(super) const JSON: &str = "application/json;charset=UTF-8";
const HTML: &str = "text/html; charset=utf-8";
const PAGE: &str = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to \
                    nginx!</h1></body></html>\n";

pub(super) fn json_answer(status: u16, value: &Value) -> Response {
    answer(status, JSON, value.to_string())
}

/// Every request to the gateway's port.
pub(super) async fn gateway(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(kill): ConnectInfo<Kill>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    // Trailing and doubled slashes mean nothing.
    let path = parts.uri.path().split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let Ok(bytes) = axum::body::to_bytes(body, 1 << 20).await else {
        return answer(413, "text/plain", "too much");
    };
    if let Some(what) = path.strip_prefix("_control") {
        return control::handle(&shared, &parts.method, what.trim_matches('/'), parts.uri.query(), &bytes);
    }
    let path = match shared.prefix.as_str() {
        "" => path.as_str(),
        prefix => match path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')) {
            Some(rest) => rest,
            None => return answer(404, HTML, "<h1>404 Not Found</h1>"),
        },
    };
    let token = match parts.headers.get(header::AUTHORIZATION) {
        None => TokenSeen::Missing,
        Some(value) if shared.lock().tokens.iter().any(|t| t.as_bytes() == value.as_bytes()) => TokenSeen::Good,
        Some(_) => TokenSeen::Bad,
    };
    let body = read_body(&bytes);
    let mut entry = Entry::open(
        &shared,
        Logged {
            at_ms: shared.now(),
            method: parts.method.to_string(),
            endpoint: path.into(),
            token,
            content_type: parts
                .headers
                .get(header::CONTENT_TYPE)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            body: body.as_ref().map_or(Value::Null, redact),
            status: None,
            code: None,
            outcome: Outcome::Open,
        },
    );
    let fault = fault::take(&mut shared.lock().faults, path);
    if let Some(fault) = &fault
        && let Some(response) = instead(&shared, fault, &kill).await
    {
        let status = response.status().as_u16();
        entry.close(Outcome::Faulted, Some(status), None);
        return response;
    }
    let reply = if parts.method == Method::POST {
        reply(&shared, path, token, body.as_ref()).await
    } else {
        Reply::fail("Request method not supported").http(405)
    };
    let style = shared.lock().knobs.envelope.clone();
    let bytes = reply.bytes(&style);
    let response = match &fault {
        Some(fault) => afterwards(&shared, fault, &kill, reply.status, bytes).await,
        None => answer(reply.status, JSON, bytes),
    };
    let outcome = if fault.is_some() { Outcome::Faulted } else { Outcome::Answered };
    entry.close(outcome, Some(response.status().as_u16()), Some(reply.shown_code(&style)));
    response
}

/// A body as an object: nothing and `null` are `{}`. `None` if it is neither.
fn read_body(bytes: &[u8]) -> Option<Map<String, Value>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    if bytes.is_empty() {
        return Some(Map::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Some(map),
        Ok(Value::Null) => Some(Map::new()),
        _ => None,
    }
}

/// The reply as the gateway means it.
async fn reply(shared: &Arc<Shared>, path: &str, token: TokenSeen, body: Option<&Map<String, Value>>) -> Reply {
    let documented = endpoints::documented(path);
    {
        let world = shared.lock();
        let here = documented.is_some_and(|dialects| dialects.contains(&world.dialect));
        if !here && (world.knobs.strict_endpoints || documented.is_none()) {
            let status = if world.knobs.strict_endpoints { 404 } else { 200 };
            return Reply::fail("接口不存在").http(status);
        }
        if path != "member/login" && token != TokenSeen::Good {
            return match world.knobs.bad_token {
                BadToken::Http401 => Reply::fail("授权失败").http(401),
                BadToken::Http403 => Reply::fail("授权失败").http(403),
                BadToken::Envelope => Reply::fail("授权失败，Authorization无效"),
            };
        }
    }
    if let Some(body) = body {
        let world = shared.lock();
        if world.knobs.refuse_foreign_fields && device::has_foreign(world.dialect, path, &Asked(body)) {
            return Reply::fail("参数错误: a field of another dialect");
        }
    }
    match body {
        Some(body) => endpoints::call(shared, path, &Asked(body)).await.unwrap_or_else(Reply::failed),
        None => Reply::fail("参数错误"),
    }
}

/// A fault that answers in the gateway's place.
async fn instead(shared: &Arc<Shared>, fault: &Fault, kill: &Kill) -> Option<Response> {
    Some(match fault {
        Fault::Http(status) => answer(*status, HTML, format!("<html><h1>{status}</h1></html>")),
        Fault::Html => answer(200, HTML, PAGE),
        Fault::Empty => answer(200, JSON, Body::empty()),
        Fault::Garbage => answer(200, "application/octet-stream", shared.lock().garbage()),
        Fault::Hang => std::future::pending().await,
        Fault::Reset => reset(kill),
        Fault::Huge => huge(),
        Fault::Fail(words) => envelope(shared, &Reply::fail(words)),
        Fault::Nested => {
            let style = shared.lock().knobs.envelope.clone();
            answer(200, JSON, Reply::nested(&style).bytes(&style))
        }
        Fault::NullData => envelope(shared, &Reply::ok("成功", Value::Null)),
        Fault::Redirect(to) => {
            let mut response = answer(302, HTML, Body::empty());
            if let Ok(to) = HeaderValue::from_str(to) {
                response.headers_mut().insert(header::LOCATION, to);
            }
            response
        }
        Fault::Truncated | Fault::Bom | Fault::Slow(_) | Fault::Drip(_) | Fault::LostReply | Fault::ExpiredPicture => {
            return None;
        }
    })
}

/// A fault that spoils the true reply.
async fn afterwards(shared: &Arc<Shared>, fault: &Fault, kill: &Kill, status: u16, mut bytes: Vec<u8>) -> Response {
    match fault {
        Fault::Truncated => bytes.truncate(bytes.len() / 2),
        Fault::Bom => {
            bytes.splice(0..0, *b"\xef\xbb\xbf");
        }
        Fault::Slow(ms) => tokio::time::sleep(shared.real(*ms)).await,
        Fault::Drip(ms) => {
            let pause = shared.real(*ms);
            let drops = futures_util::stream::iter(bytes).then(move |byte| async move {
                tokio::time::sleep(pause).await;
                Ok::<_, std::io::Error>(Bytes::copy_from_slice(&[byte]))
            });
            return answer(status, JSON, Body::from_stream(drops));
        }
        Fault::LostReply => return reset(kill),
        _ => {}
    }
    answer(status, JSON, bytes)
}

fn envelope(shared: &Arc<Shared>, reply: &Reply) -> Response {
    let style = shared.lock().knobs.envelope.clone();
    answer(reply.status, JSON, reply.bytes(&style))
}

fn reset(kill: &Kill) -> Response {
    kill.now();
    answer(200, JSON, Body::empty())
}

/// 256 MiB that begin like a reply.
fn huge() -> Response {
    let chunk = Bytes::from_static(&[b'a'; 65_536]);
    let start = futures_util::stream::once(async { Bytes::from_static(b"{\"code\":\"1000\",\"message\":\"") });
    let rest = futures_util::stream::iter(std::iter::repeat_n(chunk, 4_096));
    answer(200, JSON, Body::from_stream(start.chain(rest).map(Ok::<_, std::io::Error>)))
}

/// Every request to the image port.
pub(super) async fn image(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(kill): ConnectInfo<Kill>,
    request: Request,
) -> Response {
    let name = request.uri().path().trim_matches('/').to_owned();
    let token = if request.headers().contains_key(header::AUTHORIZATION) { TokenSeen::Bad } else { TokenSeen::Missing };
    let mut entry = Entry::open(
        &shared,
        Logged {
            at_ms: shared.now(),
            method: request.method().to_string(),
            endpoint: "image".into(),
            token,
            content_type: None,
            body: Value::Null,
            status: None,
            code: None,
            outcome: Outcome::Open,
        },
    );
    let fault = fault::take(&mut shared.lock().faults, "image");
    if let Some(fault) = &fault
        && let Some(response) = instead(&shared, fault, &kill).await
    {
        entry.close(Outcome::Faulted, Some(response.status().as_u16()), None);
        return response;
    }
    let found = {
        let mut world = shared.lock();
        world.expire(shared.now());
        let format = world.knobs.picture;
        let expire = world.knobs.pictures_expire;
        world.codes.iter().find(|code| code.image == name).map(|code| {
            let over = matches!(code.state, CodeState::Over | CodeState::Cancelled) && expire;
            (code.payload.clone(), format, over || fault == Some(Fault::ExpiredPicture))
        })
    };
    let response = match found {
        None if name.starts_with("verify/") => answer(200, HTML, "<h1>device verification</h1>"),
        None => answer(404, HTML, "<h1>404 Not Found</h1>"),
        Some((payload, format, over)) => {
            let (bytes, mime) = if over { picture::expired(format) } else { picture::of(&payload, format) };
            match &fault {
                Some(fault) => {
                    let mut response = afterwards(&shared, fault, &kill, 200, bytes).await;
                    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
                    response
                }
                None => answer(200, mime, bytes),
            }
        }
    };
    let outcome = if fault.is_some() { Outcome::Faulted } else { Outcome::Answered };
    entry.close(outcome, Some(response.status().as_u16()), None);
    response
}
