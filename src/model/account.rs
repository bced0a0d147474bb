//! An account and what is believed of it.

use serde::{Deserialize, Serialize};

use super::{Budget, Device, Order, Reason, Stamp, WId, WcId};

/// What is believed of an account (design.md §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// A list, a check or a login said so.
    Online,
    /// Enough agreeing observations said so.
    Offline,
    /// Nothing is known, or nothing certain.
    #[default]
    Unknown,
}

impl Presence {
    /// The word used in JSON and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
        }
    }

    /// Reads [`Presence::name`]; anything else is unknown.
    pub fn from_name(name: &str) -> Self {
        match name {
            "online" => Self::Online,
            "offline" => Self::Offline,
            _ => Self::Unknown,
        }
    }
}

/// Where a piece of evidence about an account came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `queryLoginWx` or `member/getLoginWcIds`.
    List,
    /// A single `isOnline`.
    Check,
    /// The gateway's offline notice.
    Notice,
    /// A login's own result.
    Login,
    /// A call that the gateway refused because the account is off line.
    Refusal,
    /// Our own `member/offline`.
    Own,
    /// An import or `accounts add`.
    Import,
}

impl Source {
    /// The word used in JSON and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Check => "check",
            Self::Notice => "notice",
            Self::Login => "login",
            Self::Refusal => "refusal",
            Self::Own => "own",
            Self::Import => "import",
        }
    }

    /// Reads [`Source::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "list" => Self::List,
            "check" => Self::Check,
            "notice" => Self::Notice,
            "login" => Self::Login,
            "refusal" => Self::Refusal,
            "own" => Self::Own,
            "import" => Self::Import,
            _ => return None,
        })
    }
}

/// How long after a first login one drop is normal (protocol.md §4, rule 4).
const FIRST_DAY_MS: i64 = 24 * 3_600_000;

/// One WeChat account of one profile, as the store keeps it and the screen shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// WeChat's permanent id.
    pub wc_id: WcId,
    /// The newest wId we know of; see `w_id_confirmed`.
    pub w_id: Option<WId>,
    /// Whether a login reply or a V2/V3 list carried this wId (design.md §2).
    pub w_id_confirmed: bool,
    /// The nickname, exactly as the gateway sent it: hostile until cleaned.
    pub nick_name: Box<str>,
    /// The WeChat number that people see; may change, never a key.
    pub w_account: Box<str>,
    /// As the gateway sent it (1 male, 2 female), if it did.
    pub sex: Option<u8>,
    /// URL of the avatar; never fetched.
    pub avatar_url: Box<str>,
    /// What is believed.
    pub presence: Presence,
    /// Whether the belief is older than it should be (no list has confirmed it lately).
    pub stale: bool,
    /// Where the newest evidence came from.
    pub source: Option<Source>,
    /// When the request behind the newest evidence was started.
    pub observed_at: Option<Stamp>,
    /// The same in the store's order.
    pub observed: Order,
    /// Since when it is believed to be off line: when the request behind the first such evidence was started. Later
    /// evidence moves `observed_at`, not this. `None` while it is not off line, or where it is not known.
    pub offline_since: Option<Stamp>,
    /// The last login that was stored.
    pub last_login_at: Option<Stamp>,
    /// The number under which a login, or another wId that lists showed, was stored last: what was asked before that is
    /// of the past.
    pub settled: Order,
    /// The first login that saoma saw, or an import's time.
    pub first_login_at: Option<Stamp>,
    /// Whose phone this account lives on.
    pub holder: Box<str>,
    /// Free labels.
    pub tags: Vec<Box<str>>,
    /// Free words.
    pub note: Box<str>,
    /// Why the account is offline or unknown, or how its last login ended, if that is worth a flag.
    pub reason: Option<Reason>,
    /// The gateway's own words for `reason`, if it had any.
    pub gateway_message: Option<Box<str>>,
    /// V3: the device and network it was last logged in with, or is to be; `None` where nothing is set.
    pub device: Option<Box<Device>>,
    /// What it has cost lately; `None`: nothing.
    pub budget: Option<Box<Budget>>,
}

impl Account {
    /// An account of which only the wcId is known.
    pub fn new(wc_id: WcId) -> Self {
        Self {
            wc_id,
            w_id: None,
            w_id_confirmed: false,
            nick_name: "".into(),
            w_account: "".into(),
            sex: None,
            avatar_url: "".into(),
            presence: Presence::Unknown,
            stale: false,
            source: None,
            observed_at: None,
            observed: Order::default(),
            offline_since: None,
            last_login_at: None,
            settled: Order::default(),
            first_login_at: None,
            holder: "".into(),
            tags: Vec::new(),
            note: "".into(),
            reason: None,
            gateway_message: None,
            device: None,
            budget: None,
        }
    }

    /// The best name for people: nickname, else WeChat number, else wcId. Not cleaned.
    pub fn name(&self) -> &str {
        [&*self.nick_name, &*self.w_account]
            .into_iter()
            .find(|text| !text.trim().is_empty())
            .unwrap_or_else(|| self.wc_id.as_str())
    }

    /// Whether a login of this account was ever stored, or a wId of it imported: such an account can surely be
    /// asked for a second login; of others only the gateway knows (protocol.md §3.5).
    pub const fn was_logged_in(&self) -> bool {
        self.w_id.is_some() || self.last_login_at.is_some() || self.first_login_at.is_some()
    }

    /// Whether it is off line as every account is once: dropped within a day of its first login, with none since
    /// (protocol.md §4, rule 4).
    pub fn is_first_drop(&self) -> bool {
        self.reason == Some(Reason::Dropped) && self.is_after_first_night()
    }

    /// Whether a second login of it would fail, as its first night has ended it and it was not logged in since. A try
    /// that led to nothing does not change that.
    pub fn is_after_first_night(&self) -> bool {
        let dropped = match self.reason {
            Some(Reason::Dropped) => true,
            Some(Reason::TakenOffline) => false,
            // How a login has ended since. What was only imported may have been off line all the time.
            Some(_) | None => self.last_login_at.is_some(),
        };
        self.presence == Presence::Offline
            && dropped
            && self.offline_since.or(self.observed_at).is_some_and(|since| self.is_first_day(since))
    }

    /// Whether it would be its first night that has ended it, should it turn out at `now` to be off line.
    pub fn may_be_after_first_night(&self, now: Stamp) -> bool {
        let was_online = match self.presence {
            Presence::Online => true,
            Presence::Unknown => self.last_login_at.is_some(),
            Presence::Offline => false,
        };
        was_online && self.is_first_day(now)
    }

    fn is_first_day(&self, at: Stamp) -> bool {
        self.first_login_at.is_some_and(|first| {
            self.last_login_at.is_none_or(|last| last <= first) && (0..=FIRST_DAY_MS).contains(&at.ms_since(first))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn account(presence: Presence, reason: Option<Reason>, logged_in: bool) -> Account {
        Account {
            presence,
            reason,
            first_login_at: Some(Stamp(0)),
            last_login_at: logged_in.then_some(Stamp(0)),
            offline_since: (presence == Presence::Offline).then_some(Stamp(2 * HOUR)),
            ..Account::new(WcId::from("wxid_a"))
        }
    }

    #[test]
    fn the_first_night_lasts_until_a_login_whatever_was_tried() {
        let of = |reason, logged_in| account(Presence::Offline, reason, logged_in).is_after_first_night();
        assert!(of(Some(Reason::Dropped), true) && of(Some(Reason::NobodyScanned), true));
        assert!(!of(Some(Reason::TakenOffline), true), "not a drop");
        // Imported: its drop was seen, or nobody knows since when it is off line.
        assert!(of(Some(Reason::Dropped), false) && !of(None, false) && !of(Some(Reason::Refused), false));
        let again =
            Account { last_login_at: Some(Stamp(HOUR)), ..account(Presence::Offline, Some(Reason::Dropped), true) };
        assert!(!again.is_after_first_night());
    }

    #[test]
    fn what_was_online_on_its_first_day_may_have_dropped_unseen() {
        let of = |presence, logged_in, at| account(presence, None, logged_in).may_be_after_first_night(Stamp(at));
        assert!(of(Presence::Online, false, HOUR) && of(Presence::Unknown, true, HOUR));
        assert!(!of(Presence::Unknown, false, HOUR) && !of(Presence::Offline, true, HOUR));
        assert!(!of(Presence::Online, true, 25 * HOUR));
    }
}
