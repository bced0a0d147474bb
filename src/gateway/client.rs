//! The client: one method a call.

use std::time::Duration;

use secrecy::SecretString;

use super::Error;
use crate::model::{Dialect, Record, WId, WcId};

/// What the client needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Base URL, `http://host:port[/path]`; a trailing `/` is stripped.
    pub base: String,
    /// Which generation of the API.
    pub dialect: Dialect,
    /// The raw `Authorization` value, once there is one.
    pub token: Option<SecretString>,
    /// Proxy for our own HTTP, only if the profile sets it.
    pub http_proxy: Option<String>,
}

/// A token and what `member/login` tells of the platform account.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The `Authorization` value.
    pub token: SecretString,
    /// The callback URL the gateway has registered, if it said.
    pub callback_url: Option<String>,
    /// Free login slots, if it said.
    pub available_number: Option<i64>,
}

/// What `iPadLogin` gave.
#[derive(Clone, Debug)]
pub struct QrIssued {
    /// The new instance.
    pub w_id: WId,
    /// Where the picture of the code is; as secret as its payload.
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

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({} bytes)", self.0.len())
    }
}

/// A client of one gateway. Cheap to clone; clones share the connections and the token.
#[derive(Clone, Debug)]
pub struct Gateway;

impl Gateway {
    /// Builds the client; fails on a URL that is none.
    pub fn new(_options: Options) -> Result<Self, Error> {
        unimplemented!()
    }

    /// Replaces the token in this client and all its clones.
    pub fn set_token(&self, _token: SecretString) {
        unimplemented!()
    }

    /// The dialect this client speaks.
    pub fn dialect(&self) -> Dialect {
        unimplemented!()
    }

    /// `/member/login` (protocol.md §3.1).
    pub async fn member_login(&self, _account: &str, _password: &SecretString) -> Result<SignIn, Error> {
        unimplemented!()
    }

    /// `/iPadLogin` (protocol.md §3.2), with the wcId for a known account.
    pub async fn i_pad_login(&self, _wc_id: Option<&WcId>) -> Result<QrIssued, Error> {
        unimplemented!()
    }

    /// `/getIPadLoginInfo` (protocol.md §3.4): waits at most `limit` for the answer.
    pub async fn get_i_pad_login_info(
        &self,
        _w_id: &WId,
        _verify_code: Option<&SecretString>,
        _limit: Duration,
    ) -> Result<PollReply, Error> {
        unimplemented!()
    }

    /// `/secondLogin` (protocol.md §3.5): waits at most `limit` for the phone.
    pub async fn second_login(&self, _wc_id: &WcId, _limit: Duration) -> Result<Record, Error> {
        unimplemented!()
    }

    /// `/queryLoginWx` (protocol.md §3.7; V2, V3): who is online, with wIds.
    pub async fn query_login_wx(&self) -> Result<Vec<(WcId, WId)>, Error> {
        unimplemented!()
    }

    /// `/member/getLoginWcIds` (protocol.md §3.8; V1, V2): who is online, without wIds.
    pub async fn get_login_wc_ids(&self, _account: &str, _password: &SecretString) -> Result<Vec<WcId>, Error> {
        unimplemented!()
    }

    /// `/isOnline` (protocol.md §3.6; V2, V3).
    pub async fn is_online(&self, _w_id: &WId) -> Result<bool, Error> {
        unimplemented!()
    }

    /// `/member/offline` (protocol.md §3.9).
    pub async fn member_offline(&self, _account: &str, _wc_ids: &[WcId]) -> Result<(), Error> {
        unimplemented!()
    }

    /// The picture at `qrCodeUrl`: without Authorization, http(s) only, at most 3 redirects, 10 s, 2 MiB; a loopback
    /// host is re-rooted onto the gateway's host when the gateway is elsewhere (design.md §4).
    pub async fn image(&self, _url: &SecretString) -> Result<Image, Error> {
        unimplemented!()
    }
}
