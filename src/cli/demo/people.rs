//! Who is there in the demo besides the simulator's own few, and what their operator wrote down of each.

use crate::simulator::SimAccount;

/// More accounts, most of them dropped: something for the conveyor to do.
pub(super) fn more() -> Vec<SimAccount> {
    let named = |wc_id: &str, nick: &str, number: &str, city: &str| SimAccount {
        w_account: number.into(),
        city: city.into(),
        ..SimAccount::new(wc_id, nick)
    };
    vec![
        named("wxid_kefuchen0009", "客服小陈", "chen-kf", "Guangzhou"),
        named("wxid_springhotel", "Spring Hotel", "spring.hotel", "Hangzhou"),
        named("wxid_chaguan00011", "城南茶馆", "chengnan-cha", "Chengdu"),
        SimAccount { qr_only: true, ..named(FIRST_DAY, "新店开业", "xindian-01", "Shenzhen") },
        named("wxid_njfruit00013", "南京水果", "nj-fruit", "Nanjing"),
        named("wxid_riverbooks14", "Books by the River", "riverbooks", "Shanghai").online(),
    ]
}

/// It was signed in for the first time less than a day ago, and has dropped once since, as all do.
pub(super) const FIRST_DAY: &str = "wxid_xindian00012";
/// Its phone said no a few minutes ago: it rests.
pub(super) const REFUSED: &str = "wxid_kefuchen0009";

/// What an operator wrote down of an account.
pub(super) struct Notes {
    pub(super) holder: &'static str,
    pub(super) tags: &'static [&'static str],
    pub(super) note: &'static str,
}

/// Holder, tags and note; accounts of a scenario get a holder by their number.
pub(super) fn notes(wc_id: &str, number: usize) -> Notes {
    let notes = |holder, tags, note| Notes { holder, tags, note };
    match wc_id {
        "wxid_xiaonuo0001" => notes("Wang Fang", &["售前", "广州"], ""),
        "wxid_bridgetea02" => notes("Chen Jie", &["tea"], "Bot answers until 18:00"),
        "wxid_laozhang003" => notes("李强", &["auto"], ""),
        "wxid_nightdesk04" => notes("Zhao Lei", &["night"], ""),
        "wxid_lixiaomei05" => notes("Wang Fang", &["售前", "深圳"], "Second phone, left drawer"),
        "wxid_shouhou0006" => notes("李强", &["售后", "广州"], ""),
        "wxid_oliverchen7" => notes("Chen Jie", &["vip"], "Ask before ringing"),
        "wxid_tuangou0008" => notes("Wang Fang", &["团购"], ""),
        REFUSED => notes("李强", &["售前"], ""),
        "wxid_springhotel" => notes("Wang Fang", &["hotel", "vip"], "Front desk has the phone"),
        "wxid_chaguan00011" => notes("Chen Jie", &["tea"], ""),
        FIRST_DAY => notes("Zhao Lei", &["new"], "Signed in yesterday"),
        "wxid_njfruit00013" => notes("Zhao Lei", &["fruit"], ""),
        "wxid_riverbooks14" => notes("Chen Jie", &["books"], ""),
        _ => {
            let holders = ["Wang Fang", "李强", "Chen Jie", "Zhao Lei"];
            notes(holders.get(number % holders.len()).copied().unwrap_or_default(), &[], "")
        }
    }
}
