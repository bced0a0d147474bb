//! What must hold whatever comes in whatever order, at whatever size.

use std::time::Duration;

use crate::property::cases;
use proptest::prelude::*;
use ratatui::style::Color;
use saoma::action::{Key, KeyCode, TABLE};
use saoma::app::{Effect, Msg, Start};
use saoma::engine::api::{
    Command, ConveyorWish, Event, Figures, Fleet, History, HistoryLine, Item, LoginStep, Phase, Place, StepDown, Strip,
    Token, Way,
};
use saoma::i18n::Lang;
use saoma::model::{Cost, Device, Dialect, Over, OwnProxy, Presence, Reason, Rung, Stamp, WId, WcId};

use crate::kit::{Screen, account, code, start};

#[derive(Clone, Debug)]
enum Do {
    Send(Msg),
    Login {
        attempt: u8,
        wc_id: Option<u8>,
        step: Step,
    },
    /// Phase, where each account is, who is on.
    Conveyor(u8, Vec<(u8, u8)>),
    Wait(i64),
    Look,
}

/// Steps are made when they are sent: a code's end depends on the clock then.
#[derive(Clone, Copy, Debug)]
enum Step {
    Started(bool),
    Resumed,
    Requesting(bool),
    Dialog,
    SecondFailed,
    Code(u16, i64),
    NoPicture,
    Waiting,
    Broken,
    Scanned,
    Verify,
    Device,
    LoggedIn,
    Adopted,
    Wrong,
    Expired(bool),
    Cancelled,
    Superseded,
    Failed(usize),
    Skipped(bool),
    Token,
    Over(bool),
}

impl Step {
    fn make(self, now: Stamp) -> LoginStep {
        let expires_at = now.plus_ms(20_000);
        match self {
            Self::Started(ladder) => LoginStep::Started { way: if ladder { Way::Ladder } else { Way::Qr } },
            Self::Resumed => LoginStep::Resumed { rung: Rung::SecondLogin, expires_at: Some(expires_at) },
            Self::Requesting(qr) => LoginStep::Requesting { rung: if qr { Rung::QrLogin } else { Rung::SecondLogin } },
            Self::Dialog => LoginStep::SecondLoginSent { expires_at },
            Self::SecondFailed => {
                LoginStep::SecondLoginFailed { reason: Reason::Refused, gateway_message: Some("\u{1b}]0;x".into()) }
            }
            Self::Code(modules, ms) => code(modules, now.plus_ms(ms)),
            Self::NoPicture => LoginStep::NoPicture { detail: "".into(), expires_at },
            Self::Waiting => LoginStep::Waiting,
            Self::Broken => LoginStep::PollBroken { retry_at: expires_at, detail: "".into() },
            Self::Scanned => LoginStep::Scanned,
            Self::Verify => LoginStep::VerifyCodeRequired { gateway_message: "请在ipad上输入验证码".into() },
            Self::Device => LoginStep::DeviceVerification { url: "http://x/very/long/address?with=things".into() },
            Self::LoggedIn => LoginStep::LoggedIn {
                w_id: WId::from("w"),
                previous_w_id: None,
                nick_name: "来人".into(),
                w_account: "".into(),
            },
            Self::Adopted => LoginStep::Adopted { w_id: WId::from("w"), previous_w_id: None },
            Self::Wrong => LoginStep::WrongAccount {
                expected_wc_id: "wxid_1".into(),
                wc_id: "wxid_2".into(),
                w_id: WId::from("w"),
                nick_name: "other".into(),
            },
            Self::Expired(renewing) => LoginStep::Expired { renewing },
            Self::Skipped(adopt) => LoginStep::SteppedDown {
                rung: if adopt { Rung::Adopt } else { Rung::SecondLogin },
                why: StepDown::NoAnswer,
                gateway_message: Some("\u{1b}[2J".into()),
            },
            Self::Token => LoginStep::WaitingForToken,
            Self::Over(rests) => LoginStep::OverBudget {
                over: if rests {
                    Over::Resting { until: expires_at }
                } else {
                    Over::Spent { cost: Cost::Code, next: 13, limit: 12, free_at: expires_at }
                },
                way: Way::Ladder,
            },
            Self::Cancelled => LoginStep::Cancelled,
            Self::Superseded => LoginStep::Superseded,
            Self::Failed(reason) => LoginStep::Failed {
                reason: Reason::ALL[reason % Reason::ALL.len()],
                gateway_message: None,
                detail: "".into(),
            },
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Started),
        1 => Just(Step::Resumed),
        2 => any::<bool>().prop_map(Step::Requesting),
        1 => Just(Step::Dialog),
        1 => Just(Step::SecondFailed),
        6 => (21u16..62, -1_000i64..150_000).prop_map(|(modules, ms)| Step::Code(modules, ms)),
        1 => Just(Step::NoPicture),
        1 => Just(Step::Waiting),
        1 => Just(Step::Broken),
        1 => Just(Step::Scanned),
        1 => Just(Step::Verify),
        1 => Just(Step::Device),
        1 => Just(Step::LoggedIn),
        1 => Just(Step::Adopted),
        1 => Just(Step::Wrong),
        1 => any::<bool>().prop_map(Step::Expired),
        1 => Just(Step::Cancelled),
        1 => Just(Step::Superseded),
        1 => (0usize..40).prop_map(Step::Failed),
        1 => any::<bool>().prop_map(Step::Skipped),
        1 => Just(Step::Token),
        2 => any::<bool>().prop_map(Step::Over),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    let bound: Vec<Key> = TABLE.iter().flat_map(|info| info.keys).map(|key| key.parse().unwrap()).collect();
    prop_oneof![
        8 => proptest::sample::select(bound),
        1 => any::<char>().prop_map(Key::char),
        1 => proptest::sample::select(vec!["backspace", "left", "right", "delete", "ctrl-w"]).prop_map(|k| k.parse().unwrap()),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let presence = proptest::sample::select(vec![Presence::Online, Presence::Offline, Presence::Unknown]);
    let accounts = proptest::collection::vec((0u8..30, presence.clone()), 0..30);
    let wc = |id: u8| format!("wxid_{id}");
    prop_oneof![
        accounts.prop_map(move |list| Event::Accounts(
            list.into_iter().map(|(id, p)| account(&wc(id), "名字", p)).collect()
        )),
        (0u8..30, presence, "\\PC{0,20}").prop_map(move |(id, p, name)| Event::Account(Box::new(account(
            &wc(id),
            &name,
            p
        )))),
        (0u8..30).prop_map(move |id| Event::AccountRemoved(wc(id).into())),
        (0u8..30, any::<bool>()).prop_map(move |(id, ours)| Event::Busy {
            wc_id: (id > 3).then(|| wc(id).into()),
            attempt: ours.then(|| "A1".into()),
        }),
        (0u8..30).prop_map(move |id| Event::Rejected {
            wc_id: Some(wc(id).into()),
            reason: Reason::Resting,
            gateway_message: Some("\u{1b}[2J".into()),
            detail: "".into(),
        }),
        (0u8..4).prop_map(|n| {
            Event::Fleet(match n {
                0 => Fleet::Asking,
                1 => Fleet::Ok { at: Stamp(0) },
                2 => Fleet::Failing {
                    since: Stamp(-5),
                    reason: Reason::GatewayDown,
                    gateway_message: None,
                    detail: "".into(),
                },
                _ => Fleet::NeedsPassword,
            })
        }),
        proptest::sample::select(vec![Token::Ok, Token::Missing, Token::Rejected]).prop_map(Event::Token),
        "\\PC{0,60}".prop_map(|message| Event::Fault { message: message.into() }),
        news(),
    ]
}

/// Outages, drops, histories, strips.
fn news() -> impl Strategy<Value = Event> {
    let wc = |id: u8| WcId::from(format!("wxid_{id}"));
    let presence = proptest::sample::select(vec![Presence::Online, Presence::Offline, Presence::Unknown]);
    let counts = proptest::collection::vec(any::<u32>(), 0..60);
    let figures = (any::<i64>(), any::<i64>(), any::<u32>());
    let lines = proptest::collection::vec((any::<i64>(), "\\PC{0,12}", 0usize..40), 0..40);
    prop_oneof![
        (0u8..30, 0usize..40, any::<i64>()).prop_map(move |(id, reason, at)| Event::Dropped {
            wc_id: wc(id),
            account: "".into(),
            reason: Reason::ALL[reason % Reason::ALL.len()],
            at: Stamp(at),
        }),
        (0u8..30).prop_map(move |count| Event::MassDrop { wc_ids: (0..count).map(wc).collect(), at: Stamp(0) }),
        any::<bool>().prop_map(|works| Event::Store { works }),
        any::<i64>().prop_map(|at| Event::Outage { since: Stamp(at), at: Stamp(at) }),
        any::<i64>().prop_map(|at| Event::OutageOver { since: Stamp(at), at: Stamp(at) }),
        (0u8..30, proptest::option::of(".{0,20}"), any::<i64>()).prop_map(move |(id, words, at)| {
            Event::OfflineReason { wc_id: wc(id), words: words.map(Into::into), at: Stamp(at) }
        }),
        proptest::collection::vec((0u8..30, presence), 0..30).prop_map(move |strips| {
            Event::Strips(strips.into_iter().map(|(id, presence)| (wc(id), Strip([presence; 24]))).collect())
        }),
        (proptest::option::of(0u8..30), counts, figures, lines).prop_map(move |(id, online, figures, lines)| {
            let (online_ms, known_ms, drops) = figures;
            let line = |(at, text, reason): (i64, String, usize)| HistoryLine {
                at: Stamp(at),
                wc_id: id.map(wc),
                account: text.as_str().into(),
                event: text.as_str().into(),
                cause: Some(text.as_str().into()),
                reason: Some(Reason::ALL[reason % Reason::ALL.len()]),
                gateway_message: Some(text.into()),
                w_id: None,
            };
            Event::History(Box::new(History {
                wc_id: id.map(wc),
                lines: lines.into_iter().map(line).collect(),
                figures: [Figures { span_ms: 1, online_ms, known_ms, drops }; 3],
                strip: Strip::default(),
                online,
            }))
        }),
    ]
}

fn act() -> impl Strategy<Value = Do> {
    prop_oneof![
        8 => key().prop_map(|key| Do::Send(Msg::Key(key))),
        1 => ".{0,20}".prop_map(|text| Do::Send(Msg::Paste(text))),
        4 => Just(Do::Send(Msg::Drawn)),
        2 => (1u16..140, 1u16..60).prop_map(|(columns, rows)| Do::Send(Msg::Resize { columns, rows })),
        4 => event().prop_map(|event| Do::Send(Msg::Engine(event))),
        8 => (0u8..6, proptest::option::of(0u8..30), step())
            .prop_map(|(attempt, wc_id, step)| Do::Login { attempt, wc_id, step }),
        3 => (0u8..5, proptest::collection::vec((0u8..30, 0u8..7), 0..12))
            .prop_map(|(phase, items)| Do::Conveyor(phase, items)),
        1 => "\\PC{0,40}".prop_map(|message| Do::Send(Msg::SignInFailed { message })),
        1 => "\\PC{0,40}".prop_map(|message| Do::Send(Msg::Notice { message })),
        1 => Just(Do::Send(Msg::SignedIn { profile: "default".into() })),
        3 => (0i64..40_000).prop_map(Do::Wait),
        4 => Just(Do::Look),
    ]
}

/// What the engine could say of the conveyor, and what it could not.
fn conveyor(phase: u8, items: Vec<(u8, u8)>, now: Stamp) -> Event {
    let phase = match phase {
        0 => Phase::Preview,
        1 | 2 => Phase::Running,
        3 => Phase::Paused,
        _ => Phase::Done,
    };
    let place = |place: u8| match place {
        0 => Place::WaitsToRing,
        1 => Place::Ringing,
        2 => Place::WaitsForCode,
        3 => Place::Shown,
        4 => Place::Done,
        5 => Place::Left(Reason::Refused),
        _ => Place::Resting { until: now.plus_ms(60_000) },
    };
    let items: Vec<Item> = items
        .into_iter()
        .map(|(id, at)| Item { wc_id: format!("wxid_{id}").into(), place: place(at), unscanned: at })
        .collect();
    Event::Conveyor((!items.is_empty()).then(|| Box::new(crate::conveyor::view(phase, items))))
}

/// What reaches a phone, or a login under way.
fn reaches_a_phone(effect: &Effect) -> bool {
    match effect {
        Effect::Engine(command) => match command {
            Command::Login { .. } | Command::Cancel { .. } | Command::VerifyCode { .. } | Command::Offline { .. } => {
                true
            }
            Command::Conveyor(wish) => !matches!(wish, ConveyorWish::Preview { .. }),
            _ => false,
        },
        _ => false,
    }
}

/// What only a popup's answer can send.
fn answers_a_popup(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Engine(
            Command::Login { force: true, .. }
                | Command::Offline { .. }
                | Command::Conveyor(ConveyorWish::Start | ConveyorWish::Stop)
        )
    )
}

/// Whether any cell has the code's own colours.
fn shows_code(screen: &mut Screen) -> bool {
    screen.buffer().content.iter().any(|cell| cell.bg == Color::Indexed(231) || cell.bg == Color::Indexed(16))
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn nothing_breaks_and_no_dead_code_is_shown(
        size in (1u16..140, 1u16..60),
        zh: bool,
        v3: bool,
        acts in proptest::collection::vec(act(), 1..80),
    ) {
        let lang = if zh { Lang::Zh } else { Lang::En };
        let dialect = if v3 { Dialect::V3 } else { Dialect::V2 };
        let mut screen = Screen::new(Start { dialect, ..start(size, lang) });
        let mut strips_asked = None;
        // The wishes the engine was asked for, and the codes that are alive.
        let mut alive: Vec<(u8, Stamp)> = Vec::new();
        let conveyed = acts.iter().any(|act| matches!(act, Do::Conveyor(..)));
        for act in acts {
            let key = match &act {
                Do::Send(Msg::Key(key)) => Some(*key),
                _ => None,
            };
            let effects = match act {
                Do::Send(Msg::Resize { columns, rows }) => {
                    screen.resize(columns, rows);
                    Vec::new()
                }
                Do::Send(msg) => screen.send(msg),
                Do::Login { attempt, wc_id, step } => {
                    match step {
                        Step::Code(_, ms) => alive.push((attempt, screen.now.wall.plus_ms(ms))),
                        Step::Waiting | Step::Broken | Step::Token => {}
                        _ => alive.retain(|(other, _)| *other != attempt),
                    }
                    let made = step.make(screen.now.wall);
                    let wc_id = wc_id.map(|id| format!("wxid_{id}"));
                    screen.login(&format!("A{attempt}"), wc_id.as_deref(), made)
                }
                Do::Conveyor(phase, items) => {
                    let event = conveyor(phase, items, screen.now.wall);
                    screen.engine(event)
                }
                Do::Wait(ms) => {
                    screen.wait(ms);
                    Vec::new()
                }
                Do::Look => {
                    let now = screen.now.wall;
                    if shows_code(&mut screen) {
                        prop_assert!(alive.iter().any(|(_, end)| *end > now), "a dead code is on the screen");
                    }
                    Vec::new()
                }
            };
            let phones = effects.iter().filter(|effect| reaches_a_phone(effect)).count();
            prop_assert!(phones <= usize::from(key.is_some()), "one key, one wish; no key, none: {effects:?}");
            prop_assert!(phones == 0 || key != Some(Key::code(KeyCode::Esc)), "Esc reached a phone: {effects:?}");
            let asked = effects.iter().filter(|effect| matches!(effect, Effect::Engine(Command::Strips { .. }))).count();
            prop_assert!(asked <= 1);
            if asked == 1 {
                let last = strips_asked.replace(screen.now.mono);
                prop_assert!(last.is_none_or(|last| screen.now.mono - last >= Duration::from_millis(150)), "a storm");
            }
            let wake = screen.state.next_wake(screen.now);
            prop_assert!(wake.is_none_or(|wake| wake.as_secs() <= 60), "{wake:?}");
        }
        // Selection and screen agree: one marker at most, and one where there are rows.
        let text = screen.text();
        let markers = text.lines().filter(|line| line.trim_start_matches('│').trim_start().starts_with('▸')).count();
        // The conveyor's own rows have them too.
        prop_assert!(conveyed || markers <= 2, "{}", text);
    }

    #[test]
    fn what_no_frame_showed_takes_no_key(acts in proptest::collection::vec(act(), 1..80)) {
        let mut screen = Screen::new(start((80, 24), Lang::En));
        screen.send(Msg::Drawn);
        for act in acts {
            let effects = match act {
                // From here on nobody sees anything.
                Do::Send(Msg::Drawn) | Do::Look => Vec::new(),
                Do::Send(msg) => screen.send(msg),
                Do::Login { attempt, wc_id, step } => {
                    let made = step.make(screen.now.wall);
                    screen.login(&format!("A{attempt}"), wc_id.map(|id| format!("wxid_{id}")).as_deref(), made)
                }
                Do::Conveyor(phase, items) => {
                    let event = conveyor(phase, items, screen.now.wall);
                    screen.engine(event)
                }
                Do::Wait(ms) => {
                    screen.wait(ms);
                    Vec::new()
                }
            };
            prop_assert!(!effects.iter().any(answers_a_popup), "{effects:?}");
        }
    }

    #[test]
    fn hostile_names_never_reach_the_terminal(name in ".{0,40}", size in (1u16..100, 1u16..40)) {
        let mut hostile = account("wxid_h", &name, Presence::Offline);
        hostile.holder = name.clone().into();
        hostile.gateway_message = Some(name.clone().into());
        hostile.note = name.clone().into();
        hostile.tags = vec![name.clone().into()];
        let own = OwnProxy { address: name.clone().into(), user: name.clone().into(), password: "".into() };
        hostile.device = Some(Box::new(Device { own_proxy: Some(own), aid: Some(name.clone().into()), ..Device::default() }));
        hostile.reason = Some(Reason::GatewaySaid);
        let mut screen =
            Screen::new(Start { accounts: vec![hostile], dialect: Dialect::V3, ..start(size, Lang::En) });
        screen.engine(Event::Rejected { wc_id: Some("wxid_h".into()), reason: Reason::Refused, gateway_message: Some(name.clone().into()), detail: "".into() });
        let hostile = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        prop_assert!(!screen.text().chars().any(hostile));
        let words = Some(name.clone().into());
        screen.engine(Event::OfflineReason { wc_id: "wxid_h".into(), words, at: screen.now.wall });
        prop_assert!(!screen.text().chars().any(hostile));
        screen.keys(&["e"]);
        prop_assert!(!screen.text().chars().any(hostile));
        screen.keys(&["esc", "h"]);
        let line = HistoryLine {
            at: screen.now.wall,
            wc_id: Some("wxid_h".into()),
            account: name.clone().into(),
            event: name.clone().into(),
            cause: Some(name.clone().into()),
            reason: None,
            gateway_message: Some(name.into()),
            w_id: None,
        };
        let history = History { wc_id: Some("wxid_h".into()), lines: vec![line], ..History::default() };
        screen.engine(Event::History(Box::new(history)));
        prop_assert!(!screen.text().chars().any(hostile));
    }
}

#[test]
fn every_size_can_be_drawn() {
    let mut screens: Vec<Screen> = Vec::new();
    for keys in [&["j"][..], &["?"], &["a"], &["G", "o"], &["t"], &["r"], &["n", "ctrl-c"], &["e"], &["h"], &["h", "h"]]
    {
        let mut screen = Screen::new(Start { dialect: Dialect::V3, ..start((80, 24), Lang::Zh) });
        screen.send(Msg::Drawn);
        screen.engine(Event::Outage { since: Stamp(0), at: Stamp(0) });
        screen.keys(keys);
        if keys.contains(&"h") {
            let wc_id = (keys.len() == 1).then(|| "wxid_dan".into());
            screen.engine(Event::History(Box::new(History { wc_id, online: vec![3, 0, 9], ..History::default() })));
        }
        if keys == ["r"] {
            screen.login("A1", Some("wxid_dan"), LoginStep::Started { way: Way::Qr });
            let code = screen.code(29);
            screen.login("A1", Some("wxid_dan"), code);
        }
        screens.push(screen);
    }
    screens.extend(crate::conveyor::every_face());
    screens.extend(crate::filters::every_face());
    for screen in &mut screens {
        for (columns, rows) in (1..=300)
            .step_by(23)
            .flat_map(|c| (1..=100).step_by(9).map(move |r| (c, r)))
            .chain((1..70).map(|n| (n, n / 3 + 1)))
        {
            screen.resize(columns, rows);
            screen.buffer();
        }
    }
}

#[test]
fn ten_thousand_accounts_draw_only_what_is_seen() {
    let many = (0..10_000).map(|n| account(&format!("wxid_{n}"), &format!("name {n}"), Presence::Online)).collect();
    let mut screen = Screen::new(Start { accounts: many, ..start((80, 24), Lang::En) });
    screen.keys(&["G"]);
    let text = screen.text();
    assert_eq!(
        text.lines().filter(|line| line.get(2..).is_some_and(|row| row.starts_with("name 99"))).count(),
        13,
        "{text}"
    );
    assert!(text.contains("▸ name 9999"), "{text}");
    screen.keys(&["g", "pgdn"]);
    assert!(screen.text().contains("▸ name 1"), "{}", screen.text());
}

/// The bytes of a frame that differs from the one before by some keys.
fn bytes_of(screen: &mut Screen, keys: &[&str]) -> usize {
    use ratatui::backend::{Backend, CrosstermBackend};
    let before = screen.buffer();
    screen.keys(keys);
    let after = screen.buffer();
    let mut out = Vec::new();
    CrosstermBackend::new(&mut out).draw(before.diff(&after).into_iter()).unwrap();
    out.len()
}

#[test]
fn a_key_costs_few_bytes() {
    let many =
        (0..1_000).map(|n| account(&format!("wxid_{n:04}"), &format!("客服 {n:04}"), Presence::Online)).collect();
    let mut screen = Screen::new(Start { accounts: many, ..start((80, 24), Lang::En) });
    screen.send(Msg::Drawn);
    let list_and_pane = bytes_of(&mut screen, &["j"]);
    screen.resize(40, 12);
    let list = bytes_of(&mut screen, &["j"]);
    assert!(list <= 100, "{list} bytes");
    assert!(list_and_pane <= 200, "{list_and_pane} bytes");
}
