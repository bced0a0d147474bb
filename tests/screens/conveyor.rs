//! The conveyor as a person sees it: no key between two scans, and nothing a phone could notice by accident.

use saoma::app::{Effect, Msg};
use saoma::engine::api::{ConveyorView, Event, Item, LoginStep, Phase, Place, StepDown, Way};
use saoma::i18n::Lang;
use saoma::model::{Presence, Reason, Rung, Stamp, WId};

use crate::kit::{NOON, Screen, account, started, usual};
use crate::pictures::{everywhere, picture};

pub(crate) const EIGHT: [&str; 8] =
    ["wxid_dan", "wxid_first", "wxid_li", "wxid_zhang", "wxid_eve", "wxid_new", "wxid_a1", "wxid_a2"];

fn item(wc_id: &str, place: Place) -> Item {
    Item { wc_id: wc_id.into(), place, unscanned: 0 }
}

/// A conveyor of some accounts; who waits for a code is its queue.
pub(crate) fn view(phase: Phase, items: Vec<Item>) -> ConveyorView {
    let shown = items.iter().find(|item| item.place == Place::Shown).map(|item| (item.wc_id.clone(), None));
    let queue = items.iter().filter(|item| item.place == Place::WaitsForCode).map(|item| item.wc_id.clone()).collect();
    ConveyorView { phase, items, shown, queue }
}

fn tell(screen: &mut Screen, view: ConveyorView) -> Vec<Effect> {
    screen.engine(Event::Conveyor(Some(Box::new(view))))
}

/// The usual screen with two accounts more and some holders.
fn people(size: (u16, u16), lang: Lang) -> Screen {
    let mut screen = usual(size, lang);
    for (wc_id, name, holder) in [
        ("wxid_a1", "Anna-Lena Wiesengrund", "Li Wei"),
        ("wxid_a2", "售后-小美", "老王"),
        ("wxid_dan", "Dan", "Li Wei"),
    ] {
        let account = account(wc_id, name, Presence::Offline);
        screen.engine(Event::Account(Box::new(saoma::model::Account { holder: holder.into(), ..account })));
    }
    for (wc_id, name) in [("wxid_eve", "Eve"), ("wxid_new", "")] {
        screen.engine(Event::Account(Box::new(account(wc_id, name, Presence::Offline))));
    }
    screen.wait(4_000);
    screen.send(Msg::Drawn);
    screen
}

fn plan() -> ConveyorView {
    let until = Stamp(NOON + 600_000);
    let place = |index: usize| match index {
        0..3 => Place::WaitsToRing,
        3..7 => Place::WaitsForCode,
        _ => Place::Resting { until },
    };
    view(Phase::Preview, EIGHT.iter().enumerate().map(|(index, wc_id)| item(wc_id, place(index))).collect())
}

/// The preview asked for, told and drawn.
fn previewed(size: (u16, u16), lang: Lang) -> Screen {
    let mut screen = people(size, lang);
    assert_eq!(screen.keys(&["S"]).len(), 1);
    tell(&mut screen, plan());
    screen.send(Msg::Drawn);
    screen
}

fn begun(size: (u16, u16), lang: Lang) -> Screen {
    let mut screen = previewed(size, lang);
    let effects = screen.keys(&["enter"]);
    assert_eq!(format!("{effects:?}"), "[Engine(Conveyor(Start))]");
    screen
}

fn places(places: [Place; 8]) -> Vec<Item> {
    EIGHT.iter().zip(places).map(|(wc_id, place)| item(wc_id, place)).collect()
}

/// Three online, 张三's code on the screen, one phone rings.
fn with_code(size: (u16, u16), lang: Lang) -> Screen {
    let mut screen = begun(size, lang);
    let until = Stamp(NOON + 600_000);
    let items = places([
        Place::Done,
        Place::Ringing,
        Place::Left(Reason::Refused),
        Place::Shown,
        Place::WaitsForCode,
        Place::WaitsForCode,
        Place::WaitsToRing,
        Place::Resting { until },
    ]);
    tell(&mut screen, view(Phase::Running, items));
    screen.login("A7", Some("wxid_zhang"), started(Way::Qr));
    let code = screen.code(29);
    screen.login("A7", Some("wxid_zhang"), code);
    screen.send(Msg::Drawn);
    screen
}

/// Three phones ring, no code yet.
fn ringing(size: (u16, u16), lang: Lang) -> Screen {
    let mut screen = begun(size, lang);
    let until = Stamp(NOON + 600_000);
    for (attempt, wc_id, late) in [("A1", "wxid_dan", 0), ("A2", "wxid_a1", 21_000), ("A3", "wxid_a2", 40_000)] {
        screen.login(attempt, Some(wc_id), started(Way::Ladder));
        let expires_at = screen.now.wall.plus_ms(90_000 + late);
        screen.login(attempt, Some(wc_id), LoginStep::SecondLoginSent { expires_at });
    }
    let mut items = places([
        Place::Ringing,
        Place::WaitsForCode,
        Place::WaitsToRing,
        Place::WaitsForCode,
        Place::WaitsForCode,
        Place::Resting { until },
        Place::Ringing,
        Place::Ringing,
    ]);
    items[1].unscanned = 1;
    tell(&mut screen, view(Phase::Running, items));
    screen.send(Msg::Drawn);
    screen
}

fn ended() -> ConveyorView {
    view(
        Phase::Done,
        places([
            Place::Done,
            Place::Done,
            Place::Left(Reason::Refused),
            Place::Done,
            Place::Left(Reason::NobodyScanned),
            Place::Left(Reason::Cancelled),
            Place::Done,
            Place::Resting { until: Stamp(NOON + 600_000) },
        ]),
    )
}

/// Each of the conveyor's faces once.
pub(crate) fn every_face() -> Vec<Screen> {
    let (size, lang) = ((80, 24), Lang::Zh);
    let mut queue = ringing(size, lang);
    queue.keys(&["S"]);
    let mut stop = with_code(size, lang);
    stop.keys(&["c"]);
    let mut done = with_code(size, lang);
    tell(&mut done, ended());
    vec![previewed(size, lang), with_code(size, lang), ringing(size, lang), queue, stop, done]
}

#[test]
fn pictures() {
    everywhere("conveyor_preview", previewed);
    everywhere("conveyor_code", with_code);
    everywhere("conveyor_ringing", ringing);
    everywhere("conveyor_queue", |size, lang| {
        let mut screen = ringing(size, lang);
        screen.keys(&["S"]);
        screen
    });
    everywhere("conveyor_stop", |size, lang| {
        let mut screen = with_code(size, lang);
        screen.keys(&["c"]);
        screen
    });
    everywhere("conveyor_paused", |size, lang| {
        let mut screen = begun(size, lang);
        let mut items = places([
            Place::Done,
            Place::Done,
            Place::Left(Reason::Refused),
            Place::WaitsForCode,
            Place::WaitsForCode,
            Place::WaitsForCode,
            Place::Done,
            Place::Resting { until: Stamp(NOON + 600_000) },
        ]);
        items.iter_mut().skip(3).take(3).for_each(|item| item.unscanned = 1);
        tell(&mut screen, view(Phase::Running, items.clone()));
        tell(&mut screen, view(Phase::Paused, items));
        screen
    });
    everywhere("conveyor_done", |size, lang| {
        let mut screen = with_code(size, lang);
        tell(&mut screen, ended());
        screen
    });
    let mut screen = with_code((40, 18), Lang::Zh);
    picture("conveyor_code", (40, 18), Lang::Zh, &mut screen);
}

fn effects(screen: &mut Screen, keys: &[&str]) -> Vec<String> {
    let told = |effect: &Effect| format!("{effect:?}");
    screen.keys(keys).iter().map(told).filter(|effect| effect != "Engine(SomebodyIsThere)").collect()
}

fn marked(screen: &mut Screen) -> String {
    let text = screen.text();
    text.lines().find(|line| line.starts_with('▸')).unwrap_or_default().to_owned()
}

#[test]
fn the_preview_is_asked_for_the_marked_else_the_offline_ones_shown() {
    let ids = |effects: &[String]| {
        let one = effects.concat();
        ["wxid_dan", "wxid_li", "wxid_zhang", "wxid_first", "wxid_amy"].map(|id| one.contains(id))
    };
    let mut screen = usual((80, 24), Lang::En);
    assert_eq!(ids(&effects(&mut screen, &["S"])), [true, true, true, true, false]);
    // Once until it is answered, or should have been.
    assert_eq!(effects(&mut screen, &["S"]), Vec::<String>::new());
    screen.wait(3_000);
    assert_eq!(effects(&mut screen, &["S"]).len(), 1);
    // Marks hold whatever is shown.
    let mut screen = usual((80, 24), Lang::En);
    screen.keys(&["space", "/", "A", "m", "y", "enter", "space", "esc"]);
    assert_eq!(ids(&effects(&mut screen, &["S"])), [true, false, false, false, true]);
    // Nobody.
    let mut screen = usual((80, 24), Lang::En);
    screen.keys(&["3"]);
    assert_eq!(effects(&mut screen, &["S"]), Vec::<String>::new());
    assert!(screen.text().contains("Nobody here is off line"), "{}", screen.text());
}

#[test]
fn a_preview_is_started_by_enter_only_after_it_was_seen_and_left_by_escape_without_a_word() {
    let mut screen = people((80, 24), Lang::En);
    screen.keys(&["S"]);
    // It is not there yet: the key must not ring the selected account's phone instead.
    assert_eq!(effects(&mut screen, &["enter", "s", "r"]), Vec::<String>::new());
    tell(&mut screen, plan());
    assert!(screen.send(Msg::Key("enter".parse().unwrap())).is_empty(), "nobody saw it");
    screen.send(Msg::Drawn);
    // Another plan under the hand has to be seen as well.
    let mut other = plan();
    other.items.pop();
    tell(&mut screen, other);
    assert!(screen.send(Msg::Key("enter".parse().unwrap())).is_empty());
    screen.send(Msg::Drawn);
    assert_eq!(effects(&mut screen, &["esc"]), Vec::<String>::new());
    assert!(!screen.text().contains("To log in"), "{}", screen.text());
    // It was ours to start; one that nobody asked for opens nothing.
    tell(&mut screen, plan());
    assert!(!screen.text().contains("second logins"), "{}", screen.text());
}

#[test]
fn the_selection_follows_the_codes_without_a_key() {
    let mut screen = with_code((80, 24), Lang::En);
    assert!(marked(&mut screen).contains("张三"), "{}", screen.text());
    let text = screen.text();
    assert!(text.contains("张三 · 老王") && text.contains("2/7"), "{text}");
    // He is online; the next one comes by itself, at once, and its code too.
    let logged_in = LoginStep::LoggedIn {
        w_id: WId::from("w"),
        previous_w_id: None,
        nick_name: "张三".into(),
        w_account: "".into(),
    };
    screen.login("A7", Some("wxid_zhang"), logged_in);
    let mut items = places(std::array::from_fn(|_| Place::Done));
    items[4].place = Place::Shown;
    tell(&mut screen, view(Phase::Running, items.clone()));
    assert!(marked(&mut screen).contains("Eve"), "{}", screen.text());
    screen.login("A8", Some("wxid_eve"), started(Way::Qr));
    let code = screen.code(29);
    screen.login("A8", Some("wxid_eve"), code);
    assert!(screen.text().contains('▄'));
    screen.send(Msg::Drawn);
    // A move by hand lets go until the next code, which comes when the hand rests.
    screen.keys(&["k"]);
    let there = marked(&mut screen);
    tell(&mut screen, view(Phase::Running, items.clone()));
    assert_eq!(marked(&mut screen), there);
    items[4].place = Place::WaitsForCode;
    items[5].place = Place::Shown;
    tell(&mut screen, view(Phase::Running, items.clone()));
    assert_eq!(marked(&mut screen), there);
    // Once for the strips of what is selected now, then for the hand.
    screen.wait(150);
    assert_eq!(screen.state.next_wake(screen.now).unwrap().as_millis(), 2_850);
    screen.wait(2_850);
    assert!(marked(&mut screen).contains("wxid_new"), "{}", screen.text());
    // Or at once, from the queue.
    screen.send(Msg::Drawn);
    screen.keys(&["g"]);
    assert!(!marked(&mut screen).contains("wxid_new"));
    assert_eq!(effects(&mut screen, &["S", "enter"]), Vec::<String>::new());
    assert!(marked(&mut screen).contains("wxid_new"), "{}", screen.text());
}

#[test]
fn full_screen_and_the_small_screens_pane_stay_over_the_codes() {
    for (size, keys) in [((80, 24), &["z"][..]), ((40, 18), &[])] {
        let mut screen = with_code(size, Lang::En);
        screen.keys(keys);
        assert!(screen.text().contains('▄') && !screen.text().contains("Accounts"), "{}", screen.text());
        screen.login("A7", Some("wxid_zhang"), LoginStep::Expired { renewing: false });
        let mut items = places(std::array::from_fn(|_| Place::Done));
        items[3].place = Place::WaitsForCode;
        tell(&mut screen, view(Phase::Running, items.clone()));
        assert!(!screen.text().contains("Accounts"), "{}", screen.text());
        items[5].place = Place::Shown;
        tell(&mut screen, view(Phase::Running, items));
        screen.login("A8", Some("wxid_new"), started(Way::Qr));
        let code = screen.code(29);
        screen.login("A8", Some("wxid_new"), code);
        let text = screen.text();
        assert!(text.contains('▄') && text.starts_with("6/8 wxid_new"), "{text}");
    }
}

#[test]
fn a_conveyor_that_ends_at_once_is_told_too() {
    let mut screen = begun((80, 24), Lang::En);
    tell(&mut screen, ended());
    assert!(screen.text().contains("Conveyor: done"), "{}", screen.text());
}

#[test]
fn a_preview_of_others_than_were_asked_for_opens_nothing() {
    let mut screen = people((80, 24), Lang::En);
    screen.keys(&["g", "space", "S"]);
    tell(&mut screen, plan());
    assert!(!screen.text().contains("To log in"), "{}", screen.text());
    tell(&mut screen, view(Phase::Preview, vec![item("wxid_a1", Place::WaitsForCode)]));
    assert!(screen.text().contains("To log in: 1"), "{}", screen.text());
}

#[test]
fn skip_and_drop_are_for_the_code_that_is_seen_and_once() {
    let mut screen = with_code((80, 24), Lang::En);
    assert_eq!(effects(&mut screen, &["x", "x", "X"]), ["Engine(Conveyor(Skip))"]);
    let mut screen = with_code((80, 24), Lang::En);
    assert_eq!(effects(&mut screen, &["X"]), ["Engine(Conveyor(Drop))"]);
    // Another row is selected: the code is not on the screen.
    let mut screen = with_code((80, 24), Lang::En);
    assert_eq!(effects(&mut screen, &["G", "x", "X"]), Vec::<String>::new());
    // The code has just changed: the key was meant for the one before.
    let mut screen = with_code((80, 24), Lang::En);
    let mut items = places(std::array::from_fn(|_| Place::Done));
    items[4].place = Place::Shown;
    tell(&mut screen, view(Phase::Running, items));
    let told = screen.send(Msg::Key("x".parse().unwrap()));
    assert_eq!(format!("{told:?}"), "[Engine(SomebodyIsThere)]");
    // Without a conveyor.
    let mut screen = usual((80, 24), Lang::En);
    assert_eq!(effects(&mut screen, &["x", "X"]), Vec::<String>::new());
}

#[test]
fn cancelling_asks_this_one_or_the_queue() {
    let mut screen = with_code((80, 24), Lang::En);
    assert_eq!(effects(&mut screen, &["c", "esc", "c", "enter", "y", "n"]), Vec::<String>::new());
    assert_eq!(effects(&mut screen, &["c", "1"]), [r#"Engine(Cancel { attempt: AttemptId("A7") })"#]);
    assert_eq!(effects(&mut screen, &["c", "2"]), ["Engine(Conveyor(Stop))"]);
    // A login beside it is no part of it.
    let mut screen = with_code((80, 24), Lang::En);
    screen.keys(&["n"]);
    screen.login("B1", None, started(Way::Qr));
    screen.send(Msg::Drawn);
    assert_eq!(effects(&mut screen, &["c"]), [r#"Engine(Cancel { attempt: AttemptId("B1") })"#]);
    // Without a login here, only the queue can be meant.
    let mut screen = with_code((80, 24), Lang::En);
    assert_eq!(effects(&mut screen, &["G", "c", "1", "2"]), ["Engine(Conveyor(Stop))"]);
}

#[test]
fn a_pause_says_so_and_goes_on_at_a_key() {
    let mut screen = with_code((80, 24), Lang::En);
    let mut items = places(std::array::from_fn(|_| Place::Done));
    items[3].place = Place::WaitsForCode;
    let told = tell(&mut screen, view(Phase::Paused, items.clone()));
    assert!(matches!(told.as_slice(), [Effect::Bell]), "{told:?}");
    screen.login("A7", Some("wxid_zhang"), LoginStep::Expired { renewing: false });
    assert!(screen.text().contains("Nobody scanned a full round."), "{}", screen.text());
    // Also while somebody else is looked at.
    screen.keys(&["G"]);
    assert!(screen.text().contains("Nobody scanned a full round. S goes on."), "{}", screen.text());
    assert_eq!(effects(&mut screen, &["S"]), ["Engine(Conveyor(Resume))"]);
}

#[test]
fn the_end_is_told_once_and_goes_at_escape() {
    let mut screen = with_code((80, 24), Lang::En);
    screen.keys(&["?"]);
    tell(&mut screen, ended());
    assert!(screen.text().contains("next row"), "the help stays: {}", screen.text());
    screen.keys(&["esc"]);
    assert!(screen.text().contains("Conveyor: done"), "{}", screen.text());
    assert_eq!(effects(&mut screen, &["esc"]), Vec::<String>::new());
    assert!(!screen.text().contains("Conveyor"), "{}", screen.text());
    // Told again, it is no news.
    tell(&mut screen, ended());
    assert!(!screen.text().contains("Conveyor"), "{}", screen.text());
    assert_eq!(screen.state.next_wake(screen.now).filter(|wake| wake.as_secs() > 60), None);
}

#[test]
fn phones_that_ring_count_down_and_nothing_else_ticks() {
    let mut screen = ringing((80, 24), Lang::En);
    let text = screen.text();
    for words in ["Dan · Li Wei", "售后-小美 · 老王", "1:30", "1:51", "2:10", "0 of 7"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert_eq!(screen.state.next_wake(screen.now).unwrap().as_millis(), 1_000);
    // Looking at somebody else: their time is not on the screen.
    screen.keys(&["G"]);
    // The strips of the rows that stand still now are asked for once.
    screen.wait(150);
    assert_eq!(screen.state.next_wake(screen.now), None);
}

#[test]
fn the_reasons_of_the_rungs_stay_above_the_code() {
    for size in [(80, 24), (120, 40)] {
        let mut screen = usual(size, Lang::En);
        screen.keys(&["enter"]);
        screen.login("A1", Some("wxid_dan"), started(Way::Ladder));
        let why = StepDown::NotListed;
        screen.login("A1", Some("wxid_dan"), LoginStep::SteppedDown { rung: Rung::Adopt, why, gateway_message: None });
        let gateway_message = Some("二次登录失败".into());
        let reason = Reason::GatewaySaid;
        screen.login("A1", Some("wxid_dan"), LoginStep::SecondLoginFailed { reason, gateway_message });
        let code = screen.code(29);
        screen.login("A1", Some("wxid_dan"), code);
        let text = screen.text();
        assert!(text.contains("二次登录失败") && text.contains('▄'), "{text}");
        assert_eq!(text.contains("not in the list"), size.0 == 120, "{text}");
        // And on the account's pane when it is over.
        screen.login("A1", Some("wxid_dan"), LoginStep::Expired { renewing: false });
        let text = screen.text();
        for words in ["not in the list", "二次登录失败", "QR login: nobody scanned", "r shows a new code"] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }
}

#[test]
fn why_the_phone_was_no_use_stays_above_the_code_that_follows() {
    let mut screen = begun((80, 24), Lang::En);
    screen.login("A1", Some("wxid_dan"), started(Way::Ladder));
    screen.login("A1", Some("wxid_dan"), LoginStep::Requesting { rung: Rung::SecondLogin });
    let reason = Reason::Refused;
    screen.login("A1", Some("wxid_dan"), LoginStep::Failed { reason, gateway_message: None, detail: "".into() });
    // Its code comes later, as a login of its own.
    let mut items = places(std::array::from_fn(|_| Place::Done));
    items[0].place = Place::Shown;
    tell(&mut screen, view(Phase::Running, items));
    screen.login("A9", Some("wxid_dan"), started(Way::Qr));
    let code = screen.code(29);
    screen.login("A9", Some("wxid_dan"), code);
    let text = screen.text();
    assert!(text.contains("✗ second login  ▸ QR login") && text.contains("refused: scan instead"), "{text}");
}

#[test]
fn a_dead_token_holds_the_code_back_and_the_next_poll_brings_it_again() {
    let mut screen = with_code((80, 24), Lang::En);
    screen.login("A7", Some("wxid_zhang"), LoginStep::WaitingForToken);
    let text = screen.text();
    assert!(text.contains("waits for another token") && !text.contains('▄'), "{text}");
    screen.login("A7", Some("wxid_zhang"), LoginStep::Waiting);
    assert!(screen.text().contains('▄'));
}

#[test]
fn a_thousand_accounts_on_the_conveyor_scroll() {
    let many: Vec<Item> = (0..1_000).map(|n| item(&format!("wxid_{n:04}"), Place::WaitsToRing)).collect();
    let all = many.iter().map(|item| account(item.wc_id.as_str(), "", Presence::Offline)).collect();
    let mut screen = people((80, 24), Lang::En);
    screen.engine(Event::Accounts(all));
    screen.keys(&["S"]);
    tell(&mut screen, view(Phase::Preview, many));
    screen.send(Msg::Drawn);
    screen.keys(&["G"]);
    assert!(screen.text().contains("wxid_0999"), "{}", screen.text());
    screen.keys(&["pgup", "k", "g", "j"]);
    assert!(screen.text().contains("wxid_0001") && !screen.text().contains("wxid_0000"), "{}", screen.text());
}

#[test]
fn a_phone_that_was_no_use_is_told_once_and_its_row_says_that_it_queues() {
    for (lang, queue) in [(Lang::En, "queue"), (Lang::Zh, "排队")] {
        let mut screen = ringing((80, 24), lang);
        let (reason, words) = (Reason::Refused, "二次登录失败");
        let step = LoginStep::SecondLoginFailed { reason, gateway_message: Some(words.into()) };
        screen.login("A2", Some("wxid_a1"), step);
        let events = |screen: &mut Screen| {
            let text = screen.text();
            let lines = text.lines().skip_while(|line| !line.contains("Events") && !line.contains("动态"));
            lines.filter(|line| line.contains("Anna")).count()
        };
        let before = events(&mut screen);
        assert_eq!(before, 2, "the phone asks, and why it was no use: {}", screen.text());
        let step = LoginStep::Failed { reason, gateway_message: Some(words.into()), detail: "".into() };
        let effects = screen.login("A2", Some("wxid_a1"), step);
        assert!(!format!("{effects:?}").contains("Bell"), "{effects:?}");
        assert_eq!(events(&mut screen), before, "told twice: {}", screen.text());
        assert!(!screen.text().contains("QR login."), "{}", screen.text());
        let mut items = places(std::array::from_fn(|_| Place::WaitsForCode));
        items[0].place = Place::Ringing;
        tell(&mut screen, view(Phase::Running, items));
        let text = screen.text();
        let row = text.lines().find(|line| line.contains("Anna-Lena") && line.contains('○')).unwrap_or_default();
        assert!(row.contains(queue), "{text}");
    }
}

#[test]
fn who_scanned_a_code_of_the_conveyor_is_told_without_a_question() {
    let mut screen = with_code((80, 24), Lang::En);
    let step = LoginStep::WrongAccount {
        expected_wc_id: "wxid_zhang".into(),
        wc_id: "wxid_other".into(),
        w_id: "w".into(),
        nick_name: "过路人".into(),
    };
    screen.login("A7", Some("wxid_zhang"), step);
    // The next code comes by itself.
    screen.login("A8", Some("wxid_zhang"), started(Way::Qr));
    let code = screen.code(29);
    screen.login("A8", Some("wxid_zhang"), code);
    let text = screen.text();
    assert!(text.contains("another account scanned") && text.contains("(“过路"), "{text}");
    assert!(text.contains("✓ 过路人 logged in") && text.contains('▄'), "{text}");
    assert!(!text.contains("y yes"), "{text}");
    // Who is not on it has no next code: that stays until it was read.
    let mut screen = with_code((80, 24), Lang::En);
    screen.login("B1", Some("wxid_not_on_it"), started(Way::Qr));
    let step = LoginStep::WrongAccount {
        expected_wc_id: "wxid_not_on_it".into(),
        wc_id: "wxid_other".into(),
        w_id: "w".into(),
        nick_name: "过路人".into(),
    };
    screen.login("B1", Some("wxid_not_on_it"), step);
    screen.wait(60_000);
    let text = screen.text();
    assert!(text.contains("another account scanned"), "{text}");
}
