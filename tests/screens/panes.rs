//! The edit form, histories, strips, the banners of outages and mass drops, the account pane: how they look and what
//! their keys do.

use saoma::app::{Effect, Msg, Start};
use saoma::engine::api::{Command, Event, Figures, Fleet, History, HistoryLine, Strip};
use saoma::i18n::Lang;
use saoma::model::{Account, Budget, Device, Dialect, OwnProxy, Presence, Reason, Stamp, WcId};

use crate::kit::{NOON, Screen, account, fleet, start, usual};
use crate::pictures::{everywhere, picture};

const HOUR: i64 = 3_600_000;

fn v3(size: (u16, u16), lang: Lang) -> Screen {
    let mut accounts = fleet();
    accounts.retain(|account| account.wc_id.as_str() != "wxid_zhang");
    accounts.push(everything());
    let mut screen = Screen::new(Start { dialect: Dialect::V3, accounts, ..start(size, lang) });
    screen.send(Msg::Drawn);
    screen
}

/// An account of which everything is known.
fn everything() -> Account {
    let own = OwnProxy { address: "203.0.113.9:1080".into(), user: "saoma-op".into(), password: "geheim-1".into() };
    Account {
        w_account: "zhangsan_88".into(),
        holder: "老王".into(),
        tags: vec!["售前".into(), "上海".into()],
        note: "Second phone in the left drawer; ask for the charger".into(),
        reason: Some(Reason::Refused),
        gateway_message: Some("二次登录失败，请重新扫码登录".into()),
        device: Some(Box::new(Device {
            device_type: Some("ipad".into()),
            own_proxy: Some(own),
            aid: Some("tunnel-17".into()),
            ..Device::default()
        })),
        budget: Some(Box::new(Budget {
            second_logins: vec![Stamp(NOON - 5 * HOUR), Stamp(NOON - 600_000)],
            codes: vec![Stamp(NOON - 5 * HOUR), Stamp(NOON - 2 * HOUR), Stamp(NOON - HOUR)],
            refusals: 2,
            rests_until: Some(Stamp(NOON + 600_000)),
        })),
        ..account("wxid_zhang", "张三", Presence::Offline)
    }
}

fn strip(pattern: &str) -> Strip {
    let mut strip = Strip::default();
    for (cell, sign) in strip.0.iter_mut().zip(pattern.chars()) {
        *cell = match sign {
            '=' => Presence::Online,
            'x' => Presence::Offline,
            _ => Presence::Unknown,
        };
    }
    strip
}

const DAY: &str = "..==========xx=========x";

fn line(minutes: i64, event: &str, cause: Option<&str>) -> HistoryLine {
    HistoryLine {
        at: Stamp(NOON - minutes * 60_000),
        wc_id: Some("wxid_zhang".into()),
        account: "张三".into(),
        event: event.into(),
        cause: cause.map(Into::into),
        reason: None,
        gateway_message: None,
        w_id: None,
    }
}

fn lines() -> Vec<HistoryLine> {
    let mut lines = vec![
        HistoryLine { reason: Some(Reason::Dropped), ..line(9, "dropped", Some("list")) },
        HistoryLine {
            reason: Some(Reason::Refused),
            gateway_message: Some("二次登录失败，请重新扫码登录\u{1b}[2J".into()),
            ..line(240, "second_login_failed", Some("screen"))
        },
        line(250, "logged_in", Some("phone")),
        HistoryLine { reason: Some(Reason::NobodyScanned), ..line(700, "expired", Some("command")) },
        line(1_500, "w_id_changed", Some("list")),
        line(2_900, "something_new", Some("elsewhere")),
    ];
    lines
        .extend((0..20).map(|n| line(3_000 + n * 700, if n % 2 == 0 { "recovered" } else { "dropped" }, Some("list"))));
    lines
}

fn figures(online: [f64; 3], drops: [u32; 3]) -> [Figures; 3] {
    let spans = [24, 168, 720].map(|hours| hours * HOUR);
    [0, 1, 2].map(|at| Figures {
        span_ms: spans[at],
        known_ms: spans[at],
        online_ms: (spans[at] as f64 * online[at]) as i64,
        drops: drops[at],
    })
}

fn of_account() -> History {
    History {
        wc_id: Some("wxid_zhang".into()),
        lines: lines(),
        figures: figures([0.875, 0.964, 1.0], [2, 3, 0]),
        strip: strip(DAY),
        online: Vec::new(),
    }
}

fn of_fleet() -> History {
    History {
        wc_id: None,
        lines: lines(),
        figures: figures([0.91, 0.982, 0.991], [7, 21, 64]),
        strip: Strip::default(),
        online: [9, 9, 9, 10, 10, 10, 8, 8, 8, 8, 9, 10, 10, 10, 10, 2, 0, 0, 4, 7, 9, 9, 9, 4].into(),
    }
}

/// The row of the account that the histories are about.
fn on_zhang(screen: &mut Screen) {
    let mut left = 20;
    while !screen.text().contains("▸ 张三") && left > 0 {
        screen.keys(&["j"]);
        left -= 1;
    }
}

#[test]
fn the_edit_form() {
    everywhere("edit", |size, lang| {
        let mut screen = usual(size, lang);
        on_zhang(&mut screen);
        screen.keys(&["e", "tab"]);
        screen
    });
    everywhere("edit_v3", |size, lang| {
        let mut screen = v3(size, lang);
        on_zhang(&mut screen);
        screen.keys(&["e", "tab", "tab", "tab", "tab", "ctrl-u"]);
        screen.type_text("somewhere");
        screen.keys(&["enter"]);
        screen
    });
}

#[test]
fn histories() {
    everywhere("history", |size, lang| {
        let mut screen = usual(size, lang);
        on_zhang(&mut screen);
        screen.keys(&["h"]);
        screen.engine(Event::History(Box::new(of_account())));
        screen.keys(&["j"]);
        screen
    });
    everywhere("history_fleet", |size, lang| {
        let mut screen = usual(size, lang);
        on_zhang(&mut screen);
        screen.keys(&["h", "h"]);
        screen.engine(Event::History(Box::new(of_fleet())));
        screen
    });
    everywhere("history_empty", |size, lang| {
        let mut screen = Screen::new(Start { accounts: Vec::new(), ..start(size, lang) });
        screen.send(Msg::Drawn);
        screen.keys(&["h"]);
        screen.engine(Event::History(Box::default()));
        screen
    });
}

#[test]
fn strips_in_a_wide_list() {
    for (size, lang) in [((120, 40), Lang::En), ((120, 40), Lang::Zh), ((150, 42), Lang::En), ((112, 30), Lang::Zh)] {
        let mut screen = usual(size, lang);
        let patterns = [
            DAY,
            "========================",
            "xxxxxxxxxxxxxxxxxxxxxxxx",
            ".....................===",
            "==x==x==x==============",
        ];
        let strips = fleet().into_iter().zip(patterns.iter().cycle());
        let strips = strips.map(|(account, pattern)| (account.wc_id, strip(pattern))).collect();
        screen.engine(Event::Strips(strips));
        screen.engine(Event::History(Box::new(of_fleet())));
        picture("strips", size, lang, &mut screen);
    }
    // Where lines and blocks take two columns, signs of ASCII say the same.
    let mut screen = usual((120, 40), Lang::En);
    let able = saoma::app::Capabilities { block_is_two_columns: Some(true), ..Default::default() };
    screen.send(Msg::Terminal(able));
    screen.engine(Event::Strips(vec![("wxid_amy".into(), strip(DAY))]));
    screen.engine(Event::History(Box::new(of_fleet())));
    picture("strips_ascii", (120, 40), Lang::En, &mut screen);
}

#[test]
fn an_outage_and_a_mass_drop() {
    everywhere("outage", |size, lang| {
        let mut screen = usual(size, lang);
        screen.engine(Event::Outage { since: Stamp(NOON - 300_000), at: Stamp(NOON) });
        screen.keys(&["G"]);
        screen
    });
    everywhere("mass_drop", |size, lang| {
        let mut screen = usual(size, lang);
        let wc_ids = (0..50).map(|n| WcId::from(format!("wxid_{n}"))).collect();
        screen.engine(Event::MassDrop { wc_ids, at: Stamp(NOON) });
        screen
    });
}

#[test]
fn account_panes() {
    everywhere("account_full", |size, lang| {
        let mut screen = v3(size, lang);
        on_zhang(&mut screen);
        screen.engine(Event::Strips(vec![("wxid_zhang".into(), strip(DAY))]));
        let words = Some("账号在其他设备登录".into());
        screen.engine(Event::OfflineReason { wc_id: "wxid_zhang".into(), words, at: Stamp(NOON - 60_000) });
        if size.0 < 60 {
            screen.keys(&["tab"]);
        }
        screen
    });
    everywhere("account_bare", |size, lang| {
        let bare = Account::new("wxid_bare".into());
        let mut screen = Screen::new(Start { accounts: vec![bare], ..start(size, lang) });
        screen.send(Msg::Drawn);
        if size.0 < 60 {
            screen.keys(&["tab"]);
        }
        screen
    });
}

fn engine_commands(effects: Vec<Effect>) -> Vec<Command> {
    let commands = effects.into_iter().filter_map(|effect| match effect {
        Effect::Engine(command) => Some(command),
        _ => None,
    });
    commands.collect()
}

#[test]
fn enter_sends_only_what_changed_and_esc_nothing() {
    let mut screen = v3((80, 24), Lang::En);
    on_zhang(&mut screen);
    // A key that was typed before the form was seen does nothing to it.
    screen.send(Msg::Key("e".parse().unwrap()));
    assert!(screen.send(Msg::Key("enter".parse().unwrap())).is_empty());
    screen.send(Msg::Drawn);
    screen.keys(&["shift-tab"]);
    screen.send(Msg::Paste("tt-4\n".into()));
    screen.keys(&["tab", "tab", "tab", "end"]);
    screen.type_text("! q");
    let effects = engine_commands(screen.keys(&["enter"]));
    let [Command::Edit { wc_id, edit }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(wc_id.as_str(), "wxid_zhang");
    assert_eq!((&edit.holder, &edit.tags), (&None, &None));
    assert_eq!(edit.note.as_deref(), Some("Second phone in the left drawer; ask for the charger! q"));
    let device = edit.device.as_ref().unwrap();
    let before = everything().device.unwrap();
    assert_eq!(*device, Device { ttuid: Some("tt-4".into()), ..*before });
    assert!(!screen.text().contains("Holder") && !screen.text().contains("Saved."));
    screen.engine(Event::Account(Box::new(everything())));
    assert!(screen.text().contains("Saved."));

    screen.keys(&["e"]);
    screen.type_text("somebody else");
    assert!(screen.keys(&["esc"]).is_empty());
    // Nothing changed: nothing is sent.
    assert!(screen.keys(&["e", "enter"]).is_empty());
    assert!(!screen.text().contains("Holder"));
}

#[test]
fn no_password_is_ever_on_the_screen() {
    let mut screen = v3((120, 40), Lang::En);
    on_zhang(&mut screen);
    assert!(!screen.text().contains("geheim"));
    screen.keys(&["e", "tab", "tab", "tab", "tab", "tab", "tab"]);
    assert!(screen.text().contains("kept"), "{}", screen.text());
    screen.type_text("hunter2");
    let text = screen.text();
    assert!(!text.contains("geheim") && !text.contains("hunter2") && text.contains("•••••••"), "{text}");
}

#[test]
fn a_history_is_asked_each_time_and_late_answers_go_nowhere() {
    let mut screen = usual((120, 40), Lang::En);
    on_zhang(&mut screen);
    let asked = |effects: Vec<Effect>| match &engine_commands(effects)[..] {
        [Command::History { wc_id }] => wc_id.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(screen.keys(&["h"])), Some("wxid_zhang".into()));
    // An answer that comes soon is shown without a spinner before it.
    assert!(!screen.text().contains("reading"));
    assert!(screen.state.next_wake(screen.now).is_some_and(|wake| wake.as_millis() <= 200));
    screen.wait(200);
    assert!(screen.text().contains("reading"));
    assert_eq!(asked(screen.keys(&["h"])), None);
    screen.engine(Event::History(Box::new(of_account())));
    assert!(!screen.text().contains("second login failed"), "the account's answer came for the fleet's question");
    screen.engine(Event::History(Box::new(of_fleet())));
    let text = screen.text();
    assert!(text.contains("History · all accounts") && text.contains("0 to 10 of 10"), "{text}");
    assert_eq!(asked(screen.keys(&["h"])), Some("wxid_zhang".into()));
    screen.engine(Event::History(Box::new(of_account())));
    screen.resize(80, 24);
    screen.keys(&["G"]);
    assert!(screen.text().contains("/26"), "{}", screen.text());
    screen.keys(&["esc"]);
    assert!(screen.text().contains("Accounts"));
    assert_eq!(asked(screen.keys(&["h"])), Some("wxid_zhang".into()));
}

#[test]
fn strips_are_asked_for_when_the_list_stands_still() {
    let many = (0..1_000).map(|n| account(&format!("wxid_{n:04}"), &format!("n {n:04}"), Presence::Online)).collect();
    let mut screen = Screen::new(Start { accounts: many, ..start((120, 40), Lang::En) });
    screen.engine(Event::Token(saoma::engine::api::Token::Ok));
    screen.send(Msg::Drawn);
    let strips = |screen: &mut Screen, ms: i64| {
        screen.now.mono += std::time::Duration::from_millis(u64::try_from(ms).unwrap());
        let effects = engine_commands(screen.send(Msg::Tick));
        effects.into_iter().find_map(|command| match command {
            Command::Strips { wc_ids } => Some(wc_ids),
            _ => None,
        })
    };
    let first = strips(&mut screen, 150).unwrap();
    assert_eq!(first.len(), 28);
    assert!(screen.state.next_wake(screen.now).is_none(), "nothing is awaited");
    // A key held down asks nothing; when it is let go, one question.
    for _ in 0..30 {
        assert!(engine_commands(screen.keys(&["pgdn"])).is_empty());
        assert_eq!(strips(&mut screen, 30), None);
    }
    assert!(screen.state.next_wake(screen.now).is_some());
    let last = strips(&mut screen, 150).unwrap();
    assert!(last.iter().all(|wc_id| !first.contains(wc_id)), "{last:?}");
    // Moving within the rows asks nothing.
    screen.keys(&["k", "k"]);
    assert_eq!(strips(&mut screen, 500), None);
    assert!(screen.state.next_wake(screen.now).is_none());
}

#[test]
fn a_store_that_does_no_work_is_said_where_the_list_is() {
    for (lang, words, list) in [(Lang::En, "store fails", "list ok"), (Lang::Zh, "无法存储", "列表正常")] {
        let mut screen = usual((80, 24), lang);
        screen.engine(Event::Fleet(Fleet::Ok { at: Stamp(NOON) }));
        screen.engine(Event::Store { works: false });
        let header = screen.text().lines().next().unwrap().to_owned();
        assert!(header.contains(words) && !header.contains(list), "{header}");
        screen.engine(Event::Store { works: true });
        let header = screen.text().lines().next().unwrap().to_owned();
        assert!(!header.contains(words) && header.contains(list), "{header}");
    }
}

#[test]
fn an_outage_has_one_banner_and_ends_with_a_line() {
    let mut screen = usual((80, 24), Lang::En);
    let since = Stamp(NOON - 300_000);
    screen.engine(Event::Outage { since, at: Stamp(NOON) });
    screen.engine(Event::Outage { since, at: Stamp(NOON) });
    screen.engine(Event::Fleet(Fleet::Failing {
        since,
        reason: Reason::GatewayDown,
        gateway_message: None,
        detail: "".into(),
    }));
    let text = screen.text();
    assert_eq!(text.matches("the gateway has an outage").count(), 1, "{text}");
    assert!(text.contains("outage since 12:25"), "{text}");
    screen.engine(Event::OutageOver { since, at: Stamp(NOON + 60_000) });
    screen.engine(Event::Fleet(Fleet::Ok { at: Stamp(NOON + 60_000) }));
    let text = screen.text();
    assert!(!text.contains("outage since") && text.contains("the outage is over"), "{text}");
    assert!(!text.contains("the list is back"), "one end, one line: {text}");
}

#[test]
fn many_drops_are_one_line_and_name_the_key_that_helps() {
    let mut screen = usual((80, 24), Lang::En);
    let wc_ids = (0..50).map(|n| WcId::from(format!("wxid_{n}"))).collect();
    screen.engine(Event::MassDrop { wc_ids, at: Stamp(NOON) });
    screen.wait(60_000);
    assert!(screen.text().contains("50 accounts dropped at once. S logs them"), "{}", screen.text());
    screen.keys(&["j"]);
    assert_eq!(screen.text().matches("50 accounts dropped at once").count(), 1);
}

#[test]
fn only_v3_is_asked_for_a_reason() {
    let mut screen = usual((80, 24), Lang::En);
    on_zhang(&mut screen);
    assert!(screen.keys(&["W"]).is_empty());
    assert!(screen.text().contains("Only a V3 gateway"));
    let mut screen = v3((80, 24), Lang::En);
    on_zhang(&mut screen);
    let effects = engine_commands(screen.keys(&["W"]));
    assert!(matches!(&effects[..], [Command::OfflineReason { wc_id }] if wc_id.as_str() == "wxid_zhang"));
    screen.engine(Event::OfflineReason { wc_id: "wxid_zhang".into(), words: None, at: screen.now.wall });
    assert!(screen.text().contains("knows no reason"));
    screen.keys(&["G"]);
    assert!(screen.keys(&["W"]).is_empty());
    assert!(screen.text().contains("It is not off line"));
}
