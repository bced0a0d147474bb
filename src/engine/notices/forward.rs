//! Passes on what was heard, whole: the gateway has one callback, and the bots live on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Client, Url, header, redirect, retry};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use super::Call;

/// Marks what has been passed on, so that two that pass on to one another do not do so for ever.
pub(super) const PASSED_ON: &str = "x-saoma-passed-on";

/// Calls that wait to be passed on, and their bytes; beyond them they are lost, which is said.
const WAITING: usize = 2_048;
const WAITING_BYTES: usize = 32 * 1024 * 1024;
/// How long the receiver may take: as long as the gateway itself would wait (protocol.md §3.11).
const LIMIT: Duration = Duration::from_secs(6);
/// Pauses before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// The queue to the receiver.
pub(super) struct Forwarder {
    calls: Sender<Call>,
    fault: Arc<dyn Fn(String) + Send + Sync>,
    /// How many bytes wait.
    bytes: Arc<AtomicUsize>,
    /// Whether the last call found room.
    full: AtomicBool,
}

impl Forwarder {
    /// Fails on a URL that is none. The error does not repeat it.
    pub(super) fn start(
        url: &str,
        stop: CancellationToken,
        fault: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| "[watch] forward is no URL".to_owned())?;
        let builder = Client::builder()
            .http1_only()
            .no_proxy()
            .referer(false)
            .retry(retry::never())
            .redirect(redirect::Policy::none())
            .connect_timeout(LIMIT)
            .timeout(LIMIT);
        // Reading the system's certificates is for those who need them.
        let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        let client = builder.build().map_err(|error| error.without_url().to_string())?;
        let (calls, inbox) = channel(WAITING);
        let fault: Arc<dyn Fn(String) + Send + Sync> = Arc::new(fault);
        let told = Arc::clone(&fault);
        let bytes = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&bytes);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = run(client, url, inbox, left, told) => {}
            }
        });
        Ok(Self { calls, fault, bytes, full: AtomicBool::new(false) })
    }

    /// Never waits.
    pub(super) fn pass_on(&self, call: Call) {
        let size = call.body.len();
        let waiting = self.bytes.fetch_add(size, Ordering::Relaxed);
        let full = waiting + size > WAITING_BYTES || self.calls.try_send(call).is_err();
        if full {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
        }
        if full && !self.full.swap(full, Ordering::Relaxed) {
            (self.fault)("too much waits to be passed on; some of it was dropped".to_owned());
        } else if !full {
            self.full.store(false, Ordering::Relaxed);
        }
    }
}

/// One after another, in the order they came.
async fn run(
    client: Client,
    url: Url,
    mut calls: Receiver<Call>,
    bytes: Arc<AtomicUsize>,
    fault: Arc<dyn Fn(String) + Send + Sync>,
) {
    while let Some(call) = calls.recv().await {
        let mut pauses = PAUSES.iter();
        loop {
            let Err(error) = post(&client, &url, &call).await else { break };
            match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => {
                    fault(error);
                    break;
                }
            }
        }
        bytes.fetch_sub(call.body.len(), Ordering::Relaxed);
    }
}

async fn post(client: &Client, url: &Url, call: &Call) -> Result<(), String> {
    let mut request = client.post(url.clone()).header(PASSED_ON, "1").body(call.body.clone());
    if let Some(content_type) = &call.content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    match request.send().await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(format!("HTTP {}", response.status().as_u16())),
        Err(error) => Err(error.without_url().to_string()),
    }
}
