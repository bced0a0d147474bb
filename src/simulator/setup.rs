//! What a simulator starts with: accounts, their phones, knobs, faults, timed events.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::act::Act;
use super::device::SimDevice;
use super::fault::QueuedFault;
use super::knobs::Knobs;
use crate::model::Dialect;

/// What a phone does at last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Presses confirm.
    #[default]
    Confirm,
    /// Presses cancel.
    Cancel,
    /// Does nothing more.
    Ignore,
}

/// What one phone does by itself. Times are simulated milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhoneScript {
    /// From the code to its scan; none: it never scans. Only codes made for this account's wcId are scanned.
    pub scan_ms: Option<u64>,
    /// From the scan, or from the dialog of a second login, to the last step.
    pub answer_ms: u64,
    /// The last step.
    pub then: Then,
}

/// One WeChat account that the simulated gateway, or at least a phone, knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimAccount {
    /// WeChat's permanent id.
    pub wc_id: String,
    /// The nickname.
    pub nick_name: String,
    /// The WeChat number people see.
    pub w_account: String,
    /// 1 male, 2 female.
    pub sex: u8,
    /// Country in the record.
    pub country: String,
    /// City in the record.
    pub city: String,
    /// The motto.
    pub signature: String,
    /// Whether it is signed in at the start.
    pub online: bool,
    /// Whether the gateway has signed it in before (so second login works). An online account always was.
    pub known: bool,
    /// Whether second login is refused until the next QR login.
    pub qr_only: bool,
    /// What its phone does by itself.
    pub script: Option<PhoneScript>,
    /// The account whose phone scans the codes that are made for this one, when phones act by themselves: the wrong
    /// phone. None: its own.
    pub scanned_by: Option<String>,
    /// V3: where it was signed in from last; none: nobody knows, any device will do.
    pub device: Option<SimDevice>,
}

impl Default for SimAccount {
    fn default() -> Self {
        Self {
            wc_id: String::new(),
            nick_name: String::new(),
            w_account: String::new(),
            sex: 0,
            country: "CN".into(),
            city: String::new(),
            signature: String::new(),
            online: false,
            known: true,
            qr_only: false,
            script: None,
            scanned_by: None,
            device: None,
        }
    }
}

impl SimAccount {
    /// An account that was signed in before and is offline now.
    pub fn new(wc_id: impl Into<String>, nick_name: impl Into<String>) -> Self {
        Self { wc_id: wc_id.into(), nick_name: nick_name.into(), ..Self::default() }
    }

    /// The same account, signed in at the start.
    #[must_use]
    pub fn online(mut self) -> Self {
        self.online = true;
        self
    }

    /// The same account, never signed in through this gateway.
    #[must_use]
    pub fn new_here(mut self) -> Self {
        self.known = false;
        self
    }

    /// The same account with a phone that acts by itself.
    #[must_use]
    pub fn script(mut self, script: PhoneScript) -> Self {
        self.script = Some(script);
        self
    }
}

/// Something that happens by itself at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Simulated milliseconds since the start.
    pub at_ms: u64,
    /// What happens.
    #[serde(flatten)]
    pub act: Act,
}

/// What a simulator starts with. `Setup::default()` is an empty V2 gateway on a free port.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Where the gateway listens; loopback only. Port 0 is a free one.
    pub listen: SocketAddr,
    /// Where the pictures are served; loopback only. Port 0 is a free one.
    pub image_listen: SocketAddr,
    /// A path in front of every endpoint, such as `/gw`; empty for none.
    pub prefix: String,
    /// Which generation of the API is spoken.
    pub dialect: Dialect,
    /// Where all randomness comes from: the same seed gives the same wIds, payloads, tokens and names.
    pub seed: u64,
    /// Simulated seconds per real second.
    pub speed: f64,
    /// The platform account.
    pub account: String,
    /// Its password: a dummy, never one that is used elsewhere.
    pub password: String,
    /// The accounts.
    pub accounts: Vec<SimAccount>,
    /// So many generated accounts more; of every five, four are online.
    pub generated: usize,
    /// How the gateway behaves.
    pub knobs: Knobs,
    /// Whether all phones act by themselves.
    pub auto: bool,
    /// Faults that are queued from the start.
    pub faults: Vec<QueuedFault>,
    /// What happens by itself, and when.
    pub events: Vec<Timed>,
}

impl Default for Setup {
    fn default() -> Self {
        let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            listen: anywhere,
            image_listen: anywhere,
            prefix: String::new(),
            dialect: Dialect::V2,
            seed: 1,
            speed: 1.0,
            account: "13800000000".into(),
            password: "saoma-dummy".into(),
            accounts: Vec::new(),
            generated: 0,
            knobs: Knobs::default(),
            auto: false,
            faults: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// A handful of accounts to look at: Chinese and English names, some online, some dropped, one that needs a QR login.
pub fn demo_setup(seed: u64) -> Setup {
    let named = |wc_id: &str, nick: &str, number: &str, sex, city: &str, motto: &str| SimAccount {
        w_account: number.into(),
        sex,
        city: city.into(),
        signature: motto.into(),
        ..SimAccount::new(wc_id, nick)
    };
    let accounts = vec![
        named("wxid_xiaonuo0001", "售前客服-小诺", "xiaonuo-kf", 2, "Guangzhou", "工作日 9:00–18:00").online(),
        named("wxid_bridgetea02", "Bridge Tea House", "bridgetea", 2, "Hangzhou", "Fresh leaves every Friday").online(),
        named("wxid_laozhang003", "老张修车", "laozhang-auto", 1, "Nanjing", "随叫随到"),
        named("wxid_nightdesk04", "Night Desk", "night.desk", 0, "Shanghai", "22:00 – 06:00").online(),
        named("wxid_lixiaomei05", "李小美🌸", "xiaomei_li", 2, "Shenzhen", "认真生活"),
        named("wxid_shouhou0006", "售后服务中心", "shouhou-01", 0, "Guangzhou", "请先留言").online(),
        SimAccount {
            qr_only: true,
            ..named("wxid_oliverchen7", "Oliver Chen 陈立", "oliver-chen", 1, "Shanghai", "back on Monday")
        },
        named("wxid_tuangou0008", "团购群主·王姐", "wangjie-tg", 2, "Chengdu", "接龙看公告").online(),
    ];
    Setup { seed, accounts, ..Setup::default() }
}

const SURNAMES: [&str; 16] =
    ["王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "林"];
const GIVEN: [&str; 16] =
    ["小明", "芳", "伟", "秀英", "娜", "敏", "静", "丽", "强", "磊", "洋", "艳", "勇", "晓燕", "杰", "思远"];
const ENGLISH: [&str; 16] = [
    "Alice", "Ben", "Chloe", "Daniel", "Emma", "Felix", "Grace", "Henry", "Iris", "Jack", "Kelly", "Leo", "Mia",
    "Nathan", "Olivia", "Peter",
];
const CITIES: [&str; 8] = ["Guangzhou", "Nanjing", "Hangzhou", "Shanghai", "Shenzhen", "Beijing", "Chengdu", "Wuhan"];

/// The `index`th generated account; two out of three have Chinese names.
pub(super) fn generated(rng: &mut fastrand::Rng, index: usize) -> SimAccount {
    let pick = |rng: &mut fastrand::Rng, from: &[&'static str]| rng.choice(from).copied().unwrap_or_default();
    let nick_name = if index % 3 == 2 {
        format!("{} {}", pick(rng, &ENGLISH), index + 1)
    } else {
        format!("{}{}{}", pick(rng, &SURNAMES), pick(rng, &GIVEN), index + 1)
    };
    SimAccount {
        w_account: format!("saoma-{:05}", index + 1),
        sex: rng.u8(0..=2),
        city: pick(rng, &CITIES).into(),
        online: index % 5 != 4,
        ..SimAccount::new(format!("wxid_sim{:04}{:05}", rng.u16(0..10_000), index + 1), nick_name)
    }
}
