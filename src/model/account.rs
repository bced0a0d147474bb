//! An account and what is believed of it.

use serde::{Deserialize, Serialize};

use super::{Began, Budget, Device, Order, Reason, Stamp, WId, WcId};

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

/// What has become of the one drop that follows an account's first login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FirstNight {
    /// It logged in for the first time, and has not dropped since.
    Ahead,
    /// It has dropped, in time to be the one, and was not online since.
    Dropped,
    /// It has had it, or was logged in elsewhere before saoma first did it.
    Over,
}

impl FirstNight {
    /// The word used in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Dropped => "dropped",
            Self::Over => "over",
        }
    }

    /// Reads [`FirstNight::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ahead" => Self::Ahead,
            "dropped" => Self::Dropped,
            "over" => Self::Over,
            _ => return None,
        })
    }
}

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
    /// The account's first login of all, where it was saoma's: a code, before which nothing knew the account online.
    pub first_login_at: Option<Stamp>,
    /// The drop that follows the first login; `None`: as far as is known it never was logged in.
    pub first_night: Option<FirstNight>,
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
            first_night: None,
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

    /// Whether a login of this account was ever stored, or a wId or a login time of it imported: such an account can surely be
    /// asked for a second login; of others only the gateway knows (protocol.md §3.5).
    pub const fn was_logged_in(&self) -> bool {
        self.w_id.is_some() || self.last_login_at.is_some() || self.first_night.is_some()
    }

    /// A login was stored at `at`. `first`: a code's, and nothing knew the account online before.
    pub fn logged_in(&mut self, first: bool, at: Stamp) {
        if first {
            self.first_login_at = Some(at);
            self.first_night = Some(FirstNight::Ahead);
        } else if self.first_night != Some(FirstNight::Ahead) {
            self.first_night = Some(FirstNight::Over);
        }
    }

    /// It is online by other means than a login of ours.
    pub fn came_online(&mut self) {
        if self.first_night == Some(FirstNight::Dropped) {
            self.first_night = Some(FirstNight::Over);
        }
    }

    /// It was online, as far as is known, and is off line since `at`, which was not our doing.
    pub fn dropped(&mut self, at: Stamp) {
        if self.first_night == Some(FirstNight::Ahead) {
            self.first_night = Some(if self.is_first_day(at) { FirstNight::Dropped } else { FirstNight::Over });
        }
    }

    /// Whether it is off line as every account is once: by the first drop within a day of its first login
    /// (protocol.md §4, rule 4).
    pub fn is_first_drop(&self) -> bool {
        self.reason == Some(Reason::Dropped) && self.is_after_first_night()
    }

    /// Whether a second login of it would fail, as its first night has ended it and it was not online since. A try that
    /// led to nothing does not change that.
    pub fn is_after_first_night(&self) -> bool {
        self.presence == Presence::Offline && self.first_night == Some(FirstNight::Dropped)
    }

    /// Whether it would be its first night that has ended it, should it turn out at `now` to be off line.
    pub fn may_be_after_first_night(&self, now: Stamp) -> bool {
        self.presence != Presence::Offline
            && match self.first_night {
                Some(FirstNight::Ahead) => self.is_first_day(now),
                Some(FirstNight::Dropped) => true,
                Some(FirstNight::Over) | None => false,
            }
    }

    /// Whether evidence is too old to change anything: when it was asked for, the store did not know of the account's last
    /// login yet, or of the wId that lists have shown since.
    pub fn outdates(&self, began: Began) -> bool {
        began.order < self.settled
    }

    /// What came before the first login by this clock came after it all the same, by a clock that was set meanwhile.
    fn is_first_day(&self, at: Stamp) -> bool {
        self.first_login_at.is_some_and(|first| at.ms_since(first) <= FIRST_DAY_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn first() -> Account {
        let mut account = Account { presence: Presence::Online, ..Account::new(WcId::from("wxid_a")) };
        account.logged_in(true, Stamp(0));
        account
    }

    fn drop(account: &mut Account, at: i64) {
        account.dropped(Stamp(at));
        (account.presence, account.reason) = (Presence::Offline, Some(Reason::Dropped));
    }

    fn back(account: &mut Account) {
        account.came_online();
        (account.presence, account.reason) = (Presence::Online, None);
    }

    #[test]
    fn the_first_drop_of_the_first_day_is_the_one_and_no_other() {
        for (at, is) in [(2, true), (24, true), (25, false), (-8, true)] {
            let mut account = first();
            drop(&mut account, at * HOUR);
            assert_eq!((account.is_first_drop(), account.is_after_first_night()), (is, is), "{at}");
        }
        // Whatever is tried meanwhile, until it is online again; then never more.
        let mut account = first();
        drop(&mut account, HOUR);
        account.reason = Some(Reason::NobodyScanned);
        assert!(account.is_after_first_night() && !account.is_first_drop());
        account.presence = Presence::Unknown;
        assert!(account.may_be_after_first_night(Stamp(40 * HOUR)));
        back(&mut account);
        drop(&mut account, 2 * HOUR);
        assert!(!account.is_after_first_night());
        let mut account = first();
        drop(&mut account, HOUR);
        account.logged_in(false, Stamp(2 * HOUR));
        back(&mut account);
        drop(&mut account, 3 * HOUR);
        assert!(!account.is_after_first_night());
    }

    #[test]
    fn another_login_before_the_drop_leaves_the_night_ahead() {
        let mut account = first();
        account.logged_in(false, Stamp(HOUR));
        assert!(account.may_be_after_first_night(Stamp(2 * HOUR)));
        drop(&mut account, 2 * HOUR);
        assert!(account.is_first_drop());
    }

    #[test]
    fn who_was_logged_in_before_has_no_first_night() {
        let mut account = Account { presence: Presence::Online, ..Account::new(WcId::from("wxid_a")) };
        account.logged_in(false, Stamp(0));
        assert_eq!(account.first_login_at, None);
        assert!(!account.may_be_after_first_night(Stamp(HOUR)));
        drop(&mut account, HOUR);
        assert!(!account.is_after_first_night());
    }

    #[test]
    fn what_was_online_on_its_first_day_may_have_dropped_unseen() {
        let of = |presence, at| Account { presence, ..first() }.may_be_after_first_night(Stamp(at));
        assert!(of(Presence::Online, HOUR) && of(Presence::Unknown, HOUR));
        assert!(!of(Presence::Offline, HOUR), "taken off line by us");
        assert!(!of(Presence::Online, 25 * HOUR));
    }
}
