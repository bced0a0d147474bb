//! Posts events to the `[alerts] webhook`, signed.
//!
//! The body is the object that the command gets. `X-Saoma-Delivery` is the same for every try of an event, so that a
//! receiver can tell a repetition; `X-Saoma-Timestamp` is when this try was made, in seconds since the Unix epoch;
//! `X-Saoma-Signature` is `sha256=` and the HMAC-SHA256 of `<timestamp>.<body>` in hexadecimal, under the key that both
//! sides know. Any 2xx status means taken. Redirects are not followed: a body that was signed for one host is not for another.

use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, Request, StatusCode, Url, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::Refusal;
use crate::engine::{Webhook, WebhookKey};
use crate::store::OutboxItem;

/// From the first byte out to the status line in.
const LIMIT: Duration = Duration::from_secs(10);

/// One webhook, with what is kept between its posts.
pub(super) struct Post {
    hook: Webhook,
    /// Made at the first post: reading the system's certificates takes its time.
    client: Option<Client>,
    key: Option<SecretString>,
}

impl Post {
    pub(super) const fn new(hook: Webhook) -> Self {
        Self { hook, client: None, key: None }
    }

    /// Posts one event once. `now`: milliseconds since the Unix epoch.
    pub(super) async fn send(&mut self, json: &str, delivery: &str, now: i64) -> Result<(), Refusal> {
        let refuse = |detail: String, absent| Refusal { detail, absent };
        let url = Url::parse(&self.hook.url).map_err(|error| refuse(error.to_string(), true))?;
        let host = host(&url);
        let key = self.key().await.map_err(|detail| refuse(detail, true))?;
        let client = self.client().map_err(|error| refuse(cause(&error), true))?;
        let stamp = (now / 1_000).to_string();
        let mut request = client
            .request(Method::POST, url)
            .header(CONTENT_TYPE, "application/json")
            .header("X-Saoma-Timestamp", &stamp)
            .header("X-Saoma-Delivery", delivery);
        if let Some(key) = &key {
            request = request.header("X-Saoma-Signature", signature(key, &stamp, json));
        }
        let request: Request = request
            .body(json.to_owned())
            .build()
            .map_err(|error| refuse(format!("{host}: {}", cause(&error)), true))?;
        let status = match client.execute(request).await {
            Ok(response) => response.status(),
            Err(error) => return Err(refuse(format!("{host}: {}", cause(&error)), true)),
        };
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            // The key may have been changed on both sides: it is asked for anew.
            self.key = None;
        }
        if status.is_success() {
            return Ok(());
        }
        let hint = if status.is_redirection() { ": redirects are not followed, write the final address" } else { "" };
        Err(refuse(format!("{host}: HTTP {}{hint}", status.as_u16()), false))
    }

    async fn key(&mut self) -> Result<Option<SecretString>, String> {
        let Some(WebhookKey(get)) = self.hook.secret.clone() else { return Ok(None) };
        if self.key.is_none() {
            let got = tokio::task::spawn_blocking(move || get()).await;
            self.key = Some(got.map_err(|error| error.to_string()).and_then(|got| got)?);
        }
        Ok(self.key.clone())
    }

    fn client(&mut self) -> Result<Client, reqwest::Error> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        // Fails only when somebody has installed one already, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("saoma/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(0)
            .retry(retry::never())
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(LIMIT)
            .build()?;
        Ok(self.client.insert(client).clone())
    }
}

/// What names an event to its receiver, the same at every try, by whichever process.
pub(super) fn delivery_id(account: &str, gateway: &str, item: &OutboxItem) -> String {
    let mut hash = Sha256::new();
    for part in [account, gateway, &item.receiver, &item.id.to_string(), &item.json] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(hash.finalize().get(..16).unwrap_or_default())
}

/// The value of `X-Saoma-Signature`.
fn signature(key: &SecretString, stamp: &str, body: &str) -> String {
    format!("sha256={}", hex(&mac(key.expose_secret().as_bytes(), &[stamp.as_bytes(), b".", body.as_bytes()])))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // A key of any length is taken; there is no error to come.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Host and port as written: the path may be a secret.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The innermost cause of a failure: the outer ones repeat the URL.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", LIMIT.as_secs());
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if innermost.is::<reqwest::Error>() { "the request failed".to_owned() } else { innermost.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1, 2, 3 and 6.
    #[test]
    fn the_mac_is_that_of_the_rfc() {
        let long = [0xaa; 131];
        for (key, data, expected) in [
            (&[0x0b; 20][..], &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                &long,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&mac(key, &[data])), expected);
            let (head, tail) = data.split_at(3);
            assert_eq!(hex(&mac(key, &[head, tail])), expected, "in parts");
        }
    }

    #[test]
    fn a_signature_covers_time_and_body() {
        let key = SecretString::from("key");
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        let expected = "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
        assert_eq!(signature(&key, "1700000000", "{}"), expected);
        assert_ne!(signature(&key, "1700000001", "{}"), expected);
    }

    #[test]
    fn a_delivery_keeps_its_name_and_shares_it_with_no_other() {
        let item = |id, json: &str| OutboxItem { id, receiver: "webhook".into(), json: json.into(), tries: 0 };
        let name = delivery_id("138", "http://h:1", &item(1, "{}"));
        assert_eq!(name.len(), 32);
        assert_eq!(name, delivery_id("138", "http://h:1", &OutboxItem { tries: 7, ..item(1, "{}") }));
        for other in [item(2, "{}"), item(1, "{\"a\":1}")] {
            assert_ne!(name, delivery_id("138", "http://h:1", &other));
        }
        assert_ne!(name, delivery_id("139", "http://h:1", &item(1, "{}")));
    }

    #[test]
    fn a_url_is_shown_as_its_host() {
        let url = Url::parse("https://example.org:8443/secret?token=secret").unwrap();
        assert_eq!(host(&url), "example.org:8443");
        let hook = Webhook { url: url.to_string(), secret: None };
        assert!(!format!("{hook:?}").contains("secret\""), "{hook:?}");
        assert!(!format!("{hook:?}").contains("token="), "{hook:?}");
    }
}
