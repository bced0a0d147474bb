//! The client: one method a call.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::transport::{Answer, Transport, deadline, failed};
use super::wire::{Envelope, Fault};
use super::{Call, Error, Kind, Limits, base, dialect, image};
use crate::model::{Device, Dialect, Record, WId, WcId};

/// How many redirects a picture may take (design.md §4).
const REDIRECTS: usize = 3;

/// What the client needs to know.
#[derive(Clone)]
pub struct Options {
    /// Base URL in any spelling that [`super::base_url`] accepts.
    pub base: String,
    /// Which generation of the API.
    pub dialect: Dialect,
    /// The raw `Authorization` value, once there is one.
    pub token: Option<SecretString>,
    /// Proxy for our own HTTP, only if the profile sets it.
    pub http_proxy: Option<String>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither URL is shown: both may have been written with a password in them.
        f.debug_struct("Options")
            .field("dialect", &self.dialect)
            .field("token", &self.token)
            .field("http_proxy", &self.http_proxy.is_some())
            .finish_non_exhaustive()
    }
}

/// A token and what `member/login` tells of the platform account.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The `Authorization` value.
    pub token: SecretString,
    /// The callback URL the gateway has registered, if it said; without blanks around it. It may hold a secret path.
    pub callback_url: Option<String>,
    /// Free login slots, if it said.
    pub available_number: Option<i64>,
}

/// Who is online, as a list tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Online {
    /// The accounts, with the wId where the list has one that can be read: V1's has none.
    pub entries: Vec<(WcId, Option<WId>)>,
    /// How many entries could not be read: as many accounts may be online and not be among the others.
    pub unread: usize,
}

/// What `iPadLogin` gave.
#[derive(Clone, Debug)]
pub struct QrIssued {
    /// The new instance.
    pub w_id: WId,
    /// Where the picture of the code is; as secret as its payload. Empty when the gateway gave none: the instance can
    /// be polled all the same, [`Gateway::image`] then fails.
    pub image_url: SecretString,
}

/// An answered poll. A failure the gateway names, other than the ones here, is an [`Error`].
#[derive(Clone, Debug)]
pub enum PollReply {
    /// Confirmed on the phone.
    LoggedIn(Record),
    /// A 1000 that is no success: status 0, 1, 2 or no wcId (design.md §4). Poll again.
    NotDone {
        /// 0 expired, 1 waiting, 2 scanned (protocol.md §3.4), when sent.
        status: Option<i64>,
    },
    /// `二维码已过期`.
    Expired {
        /// The gateway's words.
        gateway_message: Box<str>,
    },
    /// `请在ipad上输入验证码`: poll again with the code that the phone shows.
    VerifyCode {
        /// A `verifyCode` that came beside it, if one did.
        given: Option<SecretString>,
        /// The gateway's words.
        gateway_message: Box<str>,
    },
    /// Code 200 with a URL: open it, then poll on with the same wId.
    DeviceVerification {
        /// The URL to open on the phone.
        url: String,
    },
}

/// The bytes of a fetched picture; holds the payload, so `Debug` tells only the length.
pub struct Image(pub Vec<u8>);

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes)", self.0.len())
    }
}

/// A client of one gateway. Cheap to clone; clones share the settings and the token.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    /// Ends in `/`, so that relative URLs and paths can be joined to it.
    base: Url,
    dialect: Dialect,
    token: RwLock<Option<SecretString>>,
    transport: Transport,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("base", &self.inner.base.as_str())
            .field("dialect", &self.inner.dialect)
            .field("transport", &self.inner.transport)
            .finish_non_exhaustive()
    }
}

/// Tells a token from others without giving it away: a part of its hash. Tokens are long and random, so it cannot be
/// guessed back.
pub fn token_mark(token: &SecretString) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(token.expose_secret().as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Gateway {
    /// Builds the client with the usual [`Limits`]; fails on a base or proxy URL that is none. Sends nothing.
    pub fn new(options: Options) -> Result<Self, Error> {
        Self::with_limits(options, Limits::default())
    }

    /// Builds the client with limits of one's own.
    pub fn with_limits(options: Options, limits: Limits) -> Result<Self, Error> {
        let mut base = base::parse(&options.base)?;
        let path = format!("{}/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        Ok(Self {
            inner: Arc::new(Inner {
                base,
                dialect: options.dialect,
                token: RwLock::new(options.token),
                transport: Transport::new(options.http_proxy.as_deref(), limits)?,
            }),
        })
    }

    /// Replaces the token in this client and all its clones.
    pub fn set_token(&self, token: SecretString) {
        *self.inner.token.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    /// Tells the token in use from others without giving it away; see [`token_mark`].
    pub fn token_mark(&self) -> Option<String> {
        self.inner.token.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(token_mark)
    }

    /// The dialect this client speaks.
    pub fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    /// The base URL, without a trailing `/`.
    pub fn base(&self) -> &str {
        self.inner.base.as_str().trim_end_matches('/')
    }

    /// `/member/login` (protocol.md §3.1). The token in the answer is not taken over: see [`Gateway::set_token`].
    pub async fn member_login(&self, account: &str, password: &SecretString) -> Result<SignIn, Error> {
        let body = json!({ "account": account, "password": password.expose_secret() });
        let secrets = [password.expose_secret()];
        self.ask(Call::MemberLogin, &body, None, &secrets, Envelope::sign_in).await
    }

    /// `/iPadLogin` (protocol.md §3.2), with the wcId for a known account. Sent once, never repeated. `device` is for
    /// V3, which is always told a `deviceType` and a region ([`Device::complete`]); V1 and V2 see nothing of it.
    pub async fn i_pad_login(&self, wc_id: Option<&WcId>, device: &Device) -> Result<QrIssued, Error> {
        let body = dialect::i_pad_login(self.inner.dialect, wc_id, device);
        let limit = self.inner.transport.limits().issue;
        let secret = device.own_proxy.as_ref().map(|own| own.password.expose_secret());
        self.ask(Call::IPadLogin, &body, Some(limit), secret.as_slice(), Envelope::qr_issued).await
    }

    /// `/getIPadLoginInfo` (protocol.md §3.4): waits at most `limit` for the answer to begin.
    pub async fn get_i_pad_login_info(
        &self,
        w_id: &WId,
        verify_code: Option<&SecretString>,
        limit: Duration,
    ) -> Result<PollReply, Error> {
        let body = dialect::get_i_pad_login_info(self.inner.dialect, w_id, verify_code);
        let code = verify_code.map(ExposeSecret::expose_secret);
        let reply = self
            .ask(Call::GetIPadLoginInfo, &body, Some(limit), code.as_slice(), |reply| reply.poll(w_id, code.is_some()))
            .await?;
        Ok(match (reply, code) {
            (PollReply::VerifyCode { given, gateway_message }, Some(code)) => {
                PollReply::VerifyCode { given, gateway_message: without(gateway_message, code) }
            }
            (reply, _) => reply,
        })
    }

    /// `/secondLogin` (protocol.md §3.5): waits at most `limit` for the answer to begin. Sent once, never repeated. Of
    /// `device`, V3 is told the tunnels; V1 and V2 see nothing of it.
    pub async fn second_login(&self, wc_id: &WcId, device: &Device, limit: Duration) -> Result<Record, Error> {
        let body = dialect::second_login(self.inner.dialect, wc_id, device);
        self.ask(Call::SecondLogin, &body, Some(limit), &[], Envelope::second_login).await
    }

    /// `/queryLoginWx` (protocol.md §3.7; V2, V3): who is online, with wIds. V1 has no such call: nothing is sent.
    pub async fn query_login_wx(&self) -> Result<Online, Error> {
        self.ask(Call::QueryLoginWx, &json!({}), None, &[], Envelope::online).await
    }

    /// `/member/getLoginWcIds` (protocol.md §3.8; V1, V2): who is online, without wIds. V3 has no such call: nothing
    /// is sent.
    pub async fn get_login_wc_ids(&self, account: &str, password: &SecretString) -> Result<Online, Error> {
        let body = json!({ "account": account, "password": password.expose_secret() });
        let secrets = [password.expose_secret()];
        self.ask(Call::GetLoginWcIds, &body, None, &secrets, Envelope::online_wc_ids).await
    }

    /// `/isOnline` (protocol.md §3.6; V2, V3). V1 has no such call: nothing is sent.
    pub async fn is_online(&self, w_id: &WId) -> Result<bool, Error> {
        self.ask(Call::IsOnline, &json!({ "wId": w_id }), None, &[], Envelope::is_online).await
    }

    /// `/member/offline` (protocol.md §3.9).
    pub async fn member_offline(&self, account: &str, wc_ids: &[WcId]) -> Result<(), Error> {
        let body = json!({ "account": account, "wcIds": wc_ids });
        self.ask(Call::MemberOffline, &body, None, &[], Envelope::done).await
    }

    /// `/offlineReason` (protocol.md §3.12; V3): why the account is off line, unwrapped of its XML, uncleaned; `None`
    /// when the gateway knows no reason or the account is online. At most once per 12 hours and account, which is the
    /// caller's to keep. V1 and V2 have no such call: nothing is sent.
    pub async fn offline_reason(&self, wc_id: &WcId) -> Result<Option<Box<str>>, Error> {
        let body = json!({ "wcId": wc_id });
        self.ask(Call::OfflineReason, &body, None, &[], |reply| reply.offline_reason(wc_id)).await
    }

    /// `/setHttpCallbackUrl` (protocol.md §3.11): replaces the one callback of the platform account, which others may
    /// live on; look at [`SignIn::callback_url`] before. The gateway pushes a test message to `url` at once. No error
    /// holds the URL.
    pub async fn set_http_callback_url(&self, url: &SecretString) -> Result<(), Error> {
        let url = url.expose_secret();
        let body = dialect::set_http_callback_url(self.inner.dialect, url);
        self.ask(Call::SetHttpCallbackUrl, &body, None, &[url], Envelope::done).await
    }

    /// The picture at `qrCodeUrl`: without Authorization, http(s) only, at most 3 redirects, 10 s, 2 MiB; a loopback
    /// host is re-rooted onto the gateway's host when the gateway is elsewhere (design.md §4). Whether a code can be
    /// read in it is not looked at. No error holds the URL.
    pub async fn image(&self, url: &SecretString) -> Result<Image, Error> {
        let transport = &self.inner.transport;
        let bad = |detail: &str| failed(Call::Image, Kind::BadImage, detail);
        let by = deadline(transport.limits().image);
        let mut from = self.inner.base.clone();
        let mut next = url.expose_secret().to_owned();
        for _ in 0..=REDIRECTS {
            let target = image::target(&next, &from, &self.inner.base).map_err(bad)?;
            let answer = transport.get(Call::Image, target.clone(), by).await?;
            match answer.status {
                200..=299 => {
                    let bytes = answer.body?;
                    return if image::is_picture(&bytes) {
                        Ok(Image(bytes))
                    } else {
                        Err(bad("what came is neither PNG nor JPEG"))
                    };
                }
                301 | 302 | 303 | 307 | 308 => {
                    next = answer.location.ok_or_else(|| bad("a redirect leads nowhere"))?;
                    from = target;
                }
                status => return Err(failed(Call::Image, Kind::Http(status), format!("HTTP {status}"))),
            }
        }
        Err(bad("too many redirects"))
    }

    /// One call: sends it, reads the answer, weighs it. `limit` is how long the answer may take to begin, the usual
    /// when `None`. `secrets` are values that the gateway's own words must not repeat; the token is one anyway.
    async fn ask<T>(
        &self,
        call: Call,
        body: &Value,
        limit: Option<Duration>,
        secrets: &[&str],
        read: impl FnOnce(&Envelope) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let Inner { base, dialect, transport, .. } = &*self.inner;
        if !dialect::has(*dialect, call) {
            let detail = format!("dialect {dialect} has no such call; nothing was sent");
            return Err(Error { sent: false, ..failed(call, Kind::Http(404), detail) });
        }
        let token = self.inner.token.read().unwrap_or_else(PoisonError::into_inner).clone();
        let authorization = match call {
            Call::MemberLogin => None,
            _ => Some(authorization(call, token.as_ref())?),
        };
        let url = base
            .join(dialect::path(call).trim_start_matches('/'))
            .map_err(|error| failed(call, Kind::BadSettings, format!("no URL for this call: {error}")))?;
        let limit = limit.unwrap_or_else(|| transport.limits().headers);
        let result = match transport.post(call, url, authorization, body, limit).await {
            Ok(answer) => weigh(call, answer, read),
            Err(error) => Err(error),
        };
        result.map_err(|mut error| {
            let token = token.as_ref().map(ExposeSecret::expose_secret);
            for secret in secrets.iter().copied().chain(token) {
                error.gateway_message = error.gateway_message.map(|words| without(words, secret));
            }
            error
        })
    }
}

/// The header that carries the token raw (protocol.md §1). Without a usable token nothing is sent.
fn authorization(call: Call, token: Option<&SecretString>) -> Result<HeaderValue, Error> {
    let suspect = |detail: &str| failed(call, Kind::TokenSuspect, detail);
    let token = token.map(|token| token.expose_secret().trim()).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| suspect("there is no token; nothing was sent"))?;
    let mut value = HeaderValue::from_str(token)
        .map_err(|_error| suspect("the token holds characters that no header may carry; nothing was sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Turns an answer into a result: HTTP's say first, then the envelope's.
fn weigh<T>(call: Call, answer: Answer, read: impl FnOnce(&Envelope) -> Result<T, Fault>) -> Result<T, Error> {
    let Answer { status, content_type, location, body } = answer;
    let content_type = content_type.as_deref();
    if !(200..300).contains(&status) {
        let bytes = body.unwrap_or_default();
        let gateway_message = Envelope::words(&bytes, content_type);
        let kind = match (status, call) {
            // No token was sent, so it is the account or the password, if it is the gateway that says so.
            (401 | 403, Call::MemberLogin) if Envelope::refuses_sign_in(&bytes, content_type) => Kind::Refused,
            (401 | 403, Call::MemberLogin) => Kind::Http(status),
            (401 | 403, _) => Kind::TokenSuspect,
            _ => Kind::Http(status),
        };
        let detail = match location.filter(|_| call == Call::MemberLogin).and_then(|to| elsewhere(&to)) {
            Some(to) => format!("HTTP {status}, which leads to {to}"),
            None => format!("HTTP {status}"),
        };
        let (detail, status) = (detail.into(), Some(status));
        return Err(Error { call, kind, gateway_message, detail, sent: true, status });
    }
    let bytes = body?;
    Envelope::decode(&bytes, content_type)
        .and_then(|envelope| read(&envelope))
        .map_err(|fault| Error { gateway_message: fault.message, ..failed(call, fault.kind, fault.detail) })
}

/// Where a redirect leads, without what may be secret in it.
fn elsewhere(location: &str) -> Option<String> {
    let mut url = Url::parse(location).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    let _no_host = url.set_username("").and_then(|()| url.set_password(None));
    Some(url.to_string())
}

/// The gateway's words without a secret that they repeat.
fn without(words: Box<str>, secret: &str) -> Box<str> {
    if secret.len() >= 4 && words.contains(secret) { words.replace(secret, "•••").into() } else { words }
}
