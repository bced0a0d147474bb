//! Knobs: how the simulated gateway behaves where protocol.md leaves a choice or says "unknown".

use serde::{Deserialize, Serialize};

/// Whether a QR login needs an open poll at the moment the phone confirms (protocol.md does not say).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollNeed {
    /// The confirm alone signs the account in; a poll only learns of it.
    #[default]
    No,
    /// The confirm takes effect at the next poll, if one comes while the code lives.
    Later,
    /// A confirm without an open poll is lost; the code runs out.
    Lost,
}

/// Which wId the reply to a finished poll carries (protocol.md §3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyWId {
    /// What the dialect's own sample shows: V1 and V3 another one, V2 none.
    #[default]
    Sample,
    /// The polled one.
    Same,
    /// Another one; it is the live one from then on, the polled one is dead.
    Different,
    /// None; the polled one is live.
    Missing,
}

/// The shape of a failed second login (protocol.md §1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureShape {
    /// An outer success that carries a failure in `data`.
    #[default]
    Nested,
    /// `{"code":"1001","message":"系统失败,请重试","data":null}`.
    Plain,
}

/// What a bad or missing token is answered with (protocol.md §6: unknown).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadToken {
    /// HTTP 401.
    #[default]
    Http401,
    /// HTTP 403.
    Http403,
    /// HTTP 200 and a failure envelope that names 授权.
    Envelope,
}

/// What happens to a login of a known account from another device or network than its last one (V3; protocol.md §3.2
/// says that it risks a ban, not how that shows).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangedDevice {
    /// It goes through; it is counted and told.
    #[default]
    Warn,
    /// `iPadLogin` fails.
    Refuse,
    /// It goes through, and half a minute later WeChat kicks the account (protocol.md §4, rule 8).
    Kick,
}

/// What a reason for a drop is wrapped in (protocol.md §3.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonShape {
    /// Just the words.
    Plain,
    /// WeChat's XML.
    #[default]
    Xml,
    /// That XML in a JSON text, with `baseResponse.ret` -100.
    Json,
}

/// The format of the picture of a code (protocol.md §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// PNG.
    #[default]
    Png,
    /// Grey JPEG, still under a `.png` name as clients have seen it.
    Jpeg,
}

/// How replies are written down (protocol.md §1.1). Everything off is what the samples show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Envelope {
    /// `code` as a JSON number.
    pub code_as_int: bool,
    /// Failures are `10001` instead of `1001`.
    pub failure_10001: bool,
    /// The text is under `msg` instead of `message`.
    pub msg: bool,
    /// `data` is left out where it would be null.
    pub omit_null_data: bool,
    /// `status` of an account or of the platform as a string.
    pub status_as_string: bool,
    /// A byte order mark before the JSON.
    pub bom: bool,
    /// Keys that no document knows, in the envelope and in account records.
    pub extra_keys: bool,
}

/// How phones act when they act by themselves. Times are simulated milliseconds, chances are out of 100.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoPhones {
    /// Shortest and longest time from a code to its scan, or from a dialog to its answer.
    pub scan_ms: (u64, u64),
    /// Shortest and longest time from scan to confirm.
    pub confirm_ms: (u64, u64),
    /// How often of 100 the phone cancels instead of confirming.
    pub cancel_percent: u8,
    /// How often of 100 nobody looks at the phone.
    pub ignore_percent: u8,
}

impl Default for AutoPhones {
    fn default() -> Self {
        Self { scan_ms: (1_500, 4_000), confirm_ms: (900, 2_500), cancel_percent: 6, ignore_percent: 4 }
    }
}

/// Everything that can be turned while the simulator runs. Times are simulated milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// How replies are written down.
    pub envelope: Envelope,
    /// Endpoints that the dialect's documents do not have answer HTTP 404 (protocol.md §8.1); off, they work.
    pub strict_endpoints: bool,
    /// Required fields are required: `type: 2` in V1 and V2; in V3 `wcId`, `deviceType` and `proxy` of `iPadLogin`,
    /// `autoCheck` of `getIPadLoginInfo`, `type: 2` of `setHttpCallbackUrl`.
    pub strict_fields: bool,
    /// Fields of another dialect are refused: `type` of a login in V3, V3's own in V1 and V2.
    pub refuse_foreign_fields: bool,
    /// What a bad token is answered with.
    pub bad_token: BadToken,
    /// A new `member/login` makes the tokens before it invalid.
    pub new_token_kills_old: bool,
    /// `status` in the reply of `member/login`: 0 normal, 1 frozen, 2 expired (protocol.md §3.1).
    pub platform_status: u8,
    /// Login slots (`availableNumber`); `iPadLogin` fails when as many other accounts are online.
    pub slots: u32,
    /// The text of that failure (protocol.md §6: unknown).
    pub slots_full_text: String,
    /// Whether a login needs an open poll at the moment the phone confirms.
    pub login_needs_poll: PollNeed,
    /// Whether a second login's dialog vanishes when its client hangs up. Off, the dialog stays, can still be
    /// confirmed, and the login then shows in the lists only.
    pub second_login_dies_with_socket: bool,
    /// The shape of a failed second login.
    pub second_login_failure: FailureShape,
    /// Extra time between the phone's confirm and the reply of a second login.
    pub second_login_slow_ms: u64,
    /// Whether a poll on a finished wId tells the success again; off, only one poll hears it, later ones get 1001.
    pub success_replay: bool,
    /// Whether `iPadLogin` for a wcId ends the older code of the same wcId.
    pub new_code_kills_old: bool,
    /// How long a code lives; none is the dialect's 150 s or 250 s.
    pub code_life_ms: Option<u64>,
    /// How long a confirm dialog lives; none is the dialect's 150 s or 250 s.
    pub dialog_life_ms: Option<u64>,
    /// How long a poll is held; none is the dialect's 150 s or 250 s.
    pub poll_ms: Option<u64>,
    /// The text when a poll is held too long while its code still lives (protocol.md §3.4: unknown).
    pub poll_timeout_text: String,
    /// The text when the phone cancels a QR login (protocol.md §3.4: unknown).
    pub cancel_text: String,
    /// Whether polls ever answer 1000 with status 1 or 2: at a scan, and every `status_poll_ms`.
    pub poll_tells_status: bool,
    /// How long a poll is held before it answers with status 1 or 2.
    pub status_poll_ms: u64,
    /// Which wId a finished poll's reply carries.
    pub reply_w_id: ReplyWId,
    /// V1's base64 blob in `data.data` of a finished poll.
    pub v1_blob: bool,
    /// Asks for this code on the iPad after the phone confirmed (`请在ipad上输入验证码`).
    pub verify_code: Option<String>,
    /// Whether the reply that asks carries the code as top-level `verifyCode`.
    pub verify_code_in_reply: bool,
    /// So many wrong codes and the login is over; none is without end.
    pub verify_code_tries: Option<u32>,
    /// Asks for device verification once after the phone confirmed (code 200 with `data.url`).
    pub device_verification: bool,
    /// The lists and `isOnline` tell what was true so long ago.
    pub list_lag_ms: u64,
    /// So many of the next list calls answer `[]`.
    pub empty_lists: u32,
    /// So many of the next list calls leave accounts out, after those that answer `[]`; `isOnline` knows better.
    pub short_lists: u32,
    /// Of 100 online accounts, so many are in a short list.
    pub short_list_percent: u8,
    /// What happens to a login from another device or network (V3).
    pub changed_device: ChangedDevice,
    /// Regions (`"7"`) and own proxies (`"203.0.113.9:1080"`) that do not work: `iPadLogin` through one of them fails.
    pub broken_proxies: Vec<String>,
    /// The text of that failure (protocol.md §6: it contains `网络链接异常`).
    pub proxy_failed_text: String,
    /// What `offlineReason` wraps a reason in; notices have the bare words.
    pub reason_shape: ReasonShape,
    /// `offlineReason` may be asked once in this time for each account (protocol.md §3.12).
    pub reason_interval_ms: u64,
    /// The text when it is asked too early (unknown).
    pub reason_limit_text: String,
    /// Whether a drop sends a notice at all.
    pub notices: bool,
    /// How often a drop's notice is sent.
    pub notice_copies: u32,
    /// Whether `isOnline` for a wId that is not live answers 1001 instead of `false`.
    pub unknown_w_id_fails: bool,
    /// Whether the first drop within 24 hours of an account's first login refuses second login (protocol.md §4.4).
    pub first_day_drop: bool,
    /// The format of the picture of a code.
    pub picture: Picture,
    /// Whether the picture of a code that is over is replaced by a grey one without a code.
    pub pictures_expire: bool,
    /// Nicknames in replies are made of terminal escape sequences.
    pub hostile_names: bool,
    /// How phones act when they act by themselves.
    pub auto: AutoPhones,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            envelope: Envelope::default(),
            strict_endpoints: false,
            strict_fields: true,
            refuse_foreign_fields: false,
            bad_token: BadToken::default(),
            new_token_kills_old: false,
            platform_status: 0,
            slots: 20_000,
            slots_full_text: "登录数量已满".into(),
            login_needs_poll: PollNeed::default(),
            second_login_dies_with_socket: false,
            second_login_failure: FailureShape::default(),
            second_login_slow_ms: 0,
            success_replay: true,
            new_code_kills_old: true,
            code_life_ms: None,
            dialog_life_ms: None,
            poll_ms: None,
            poll_timeout_text: "失败".into(),
            cancel_text: "失败".into(),
            poll_tells_status: false,
            status_poll_ms: 5_000,
            reply_w_id: ReplyWId::default(),
            v1_blob: true,
            verify_code: None,
            verify_code_in_reply: false,
            verify_code_tries: None,
            device_verification: false,
            list_lag_ms: 0,
            empty_lists: 0,
            short_lists: 0,
            short_list_percent: 50,
            changed_device: ChangedDevice::default(),
            broken_proxies: Vec::new(),
            proxy_failed_text: "网络链接异常，请检查代理后重试".into(),
            reason_shape: ReasonShape::default(),
            reason_interval_ms: 12 * 3_600_000,
            reason_limit_text: "查询过于频繁".into(),
            notices: true,
            notice_copies: 1,
            unknown_w_id_fails: false,
            first_day_drop: true,
            picture: Picture::default(),
            pictures_expire: true,
            hostile_names: false,
            auto: AutoPhones::default(),
        }
    }
}
