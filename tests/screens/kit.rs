//! What the screen tests share: a state with people in it, a clock, and the screen as text and as styles.

use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use saoma::action::{Key, KeyCode};
use saoma::app::{Capabilities, Effect, Msg, Start, State, update};
use saoma::config::QrLayout;
use saoma::config::keymap::Keymap;
use saoma::engine::api::{Event, Fleet, LoginEvent, LoginStep, Token, Way};
use saoma::i18n::Lang;
use saoma::model::{Account, Dialect, FirstNight, Limits, Now, Presence, Reason, Source, Stamp, WId, WcId};
use saoma::qr::Code;
use unicode_width::UnicodeWidthStr;

/// 2026-01-15 10:30:00 UTC; the tests' zone is two hours ahead of it, so that a forgotten offset shows.
pub(crate) const NOON: i64 = 1_768_473_000_000;
pub(crate) const OFFSET: i32 = 7200;

/// `ms` after the start of the test, on both clocks.
pub(crate) fn at(ms: i64) -> Now {
    Now { wall: Stamp(NOON + ms), mono: Duration::from_millis(1_000_000 + u64::try_from(ms).unwrap()) }
}

/// A state and the moment it is in.
pub(crate) struct Screen {
    pub(crate) state: State,
    pub(crate) now: Now,
    terminal: Terminal<TestBackend>,
}

impl Screen {
    pub(crate) fn new(start: Start) -> Self {
        let (columns, rows) = start.size;
        Self { state: State::new(start), now: at(0), terminal: Terminal::new(TestBackend::new(columns, rows)).unwrap() }
    }

    pub(crate) fn send(&mut self, msg: Msg) -> Vec<Effect> {
        let by_hand = matches!(msg, Msg::Key(_) | Msg::Paste(_));
        let effects = update(&mut self.state, msg, self.now);
        if !by_hand {
            // A frame is made as soon as it may; whether it is shown is what `Msg::Drawn` says.
            self.state.dirty |= self.state.take_dirty();
        }
        effects
    }

    pub(crate) fn engine(&mut self, event: Event) -> Vec<Effect> {
        self.send(Msg::Engine(event))
    }

    /// Presses keys as the config spells them, with a frame after each.
    pub(crate) fn keys(&mut self, keys: &[&str]) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in keys {
            effects.extend(self.send(Msg::Key(key.parse().unwrap())));
            self.send(Msg::Drawn);
        }
        effects
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.send(Msg::Key(Key::code(KeyCode::Char(c))));
        }
    }

    pub(crate) fn wait(&mut self, ms: i64) {
        self.now = Now {
            wall: self.now.wall.plus_ms(ms),
            mono: self.now.mono + Duration::from_millis(u64::try_from(ms).unwrap()),
        };
        self.send(Msg::Tick);
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.terminal.backend_mut().resize(columns, rows);
        self.send(Msg::Resize { columns, rows });
    }

    pub(crate) fn login(&mut self, attempt: &str, wc_id: Option<&str>, step: LoginStep) -> Vec<Effect> {
        let at = self.now.wall;
        self.engine(Event::Login(LoginEvent {
            attempt: attempt.into(),
            wc_id: wc_id.map(WcId::from),
            account: "".into(),
            at,
            step,
        }))
    }

    pub(crate) fn code(&self, modules: u16) -> LoginStep {
        code(modules, self.now.wall.plus_ms(133_000))
    }

    pub(crate) fn buffer(&mut self) -> Buffer {
        let (state, now) = (&self.state, self.now);
        self.terminal.draw(|frame| saoma::ui::view(state, now, frame)).unwrap().buffer.clone()
    }

    pub(crate) fn text(&mut self) -> String {
        screen_text(&self.buffer())
    }

    /// Text and styles, for a snapshot.
    pub(crate) fn picture(&mut self) -> String {
        let buffer = self.buffer();
        format!("{}\n{}", screen_text(&buffer), screen_styles(&buffer))
    }
}

/// A code that looks like one: finders and a fixed pattern.
pub(crate) fn some_code(modules: u16) -> Arc<Code> {
    Arc::new(Code::from_fn(modules, |x, y| {
        let finder = |cx: u16, cy: u16| {
            let (dx, dy) = (x.abs_diff(cx), y.abs_diff(cy));
            (dx.max(dy) <= 3).then(|| dx.max(dy) != 2)
        };
        finder(3, 3)
            .or_else(|| finder(modules - 4, 3))
            .or_else(|| finder(3, modules - 4))
            .unwrap_or((x * 7 + y * 11 + x * y) % 5 < 2)
    }))
}

pub(crate) fn code(modules: u16, expires_at: Stamp) -> LoginStep {
    LoginStep::Qr {
        w_id: WId::from("0000016e-63eb-f319-0001-ed01076abf1f"),
        expires_at,
        code: some_code(modules),
        payload: "http://weixin.qq.com/x/SAOMA-0123456789ab".into(),
    }
}

pub(crate) fn account(wc_id: &str, nick_name: &str, presence: Presence) -> Account {
    Account {
        nick_name: nick_name.into(),
        presence,
        w_id: Some(WId::from(format!("0000016e-63ef-3a9c-0001-{wc_id:0>12}"))),
        w_id_confirmed: true,
        source: Some(Source::List),
        observed_at: Some(Stamp(NOON - 20_000)),
        last_login_at: Some(Stamp(NOON - 3 * 86_400_000)),
        ..Account::new(WcId::from(wc_id))
    }
}

/// A small fleet with every kind of row in it.
pub(crate) fn fleet() -> Vec<Account> {
    vec![
        Account {
            w_account: "zhangsan_88".into(),
            holder: "老王".into(),
            tags: vec!["售前".into(), "上海".into()],
            reason: Some(Reason::Dropped),
            ..account("wxid_zhang", "张三", Presence::Offline)
        },
        Account {
            reason: Some(Reason::Refused),
            gateway_message: Some("二次登录失败，请重新扫码登录".into()),
            ..account("wxid_li", "售前客服-小诺 (9:00–18:00)", Presence::Offline)
        },
        Account { reason: Some(Reason::TakenOffline), ..account("wxid_dan", "Dan", Presence::Offline) },
        Account {
            w_id_confirmed: false,
            reason: Some(Reason::LoginInterrupted),
            ..account("wxid_eve", "Eve \u{1b}[31mred\u{202e}", Presence::Unknown)
        },
        Account {
            w_id: None,
            last_login_at: None,
            source: None,
            observed_at: None,
            ..account("wxid_new", "", Presence::Unknown)
        },
        Account {
            first_login_at: Some(Stamp(NOON - 3_600_000)),
            last_login_at: Some(Stamp(NOON - 3_600_000)),
            first_night: Some(FirstNight::Dropped),
            reason: Some(Reason::Dropped),
            ..account("wxid_first", "第一天", Presence::Offline)
        },
        account("wxid_amy", "Amy", Presence::Online),
        account("wxid_bob", "Bob Montgomery-Featherstonehaugh III", Presence::Online),
        Account {
            stale: true,
            observed_at: Some(Stamp(NOON - 8_000_000)),
            ..account("wxid_cat", "猫咪👩‍👩‍👧", Presence::Online)
        },
        account("wxid_chen", "陈经理", Presence::Online),
    ]
}

pub(crate) fn start(size: (u16, u16), lang: Lang) -> Start {
    Start {
        profile: Some("default".into()),
        gateway: "http://203.0.113.7:9899".into(),
        dialect: Dialect::V2,
        account: "13800000000".into(),
        lang,
        offset_seconds: OFFSET,
        demo: false,
        keymap: Keymap::default(),
        colour: true,
        qr_layout: QrLayout::Auto,
        limits: Limits::default(),
        terminal: Capabilities::default(),
        accounts: fleet(),
        counts: None,
        size,
    }
}

/// The usual screen: the fleet, a good token, a good list, some events.
pub(crate) fn usual(size: (u16, u16), lang: Lang) -> Screen {
    let mut screen = Screen::new(start(size, lang));
    screen.engine(Event::Token(Token::Ok));
    screen.engine(Event::Fleet(Fleet::Ok { at: Stamp(NOON - 20_000) }));
    for (minutes, wc_id, reason) in [(52, "wxid_dan", Reason::TakenOffline), (9, "wxid_zhang", Reason::Dropped)] {
        let at = Stamp(NOON - minutes * 60_000);
        screen.engine(Event::Dropped { wc_id: wc_id.into(), account: "".into(), reason, at });
    }
    screen.send(Msg::Drawn);
    screen.engine(Event::Recovered { wc_id: "wxid_chen".into(), account: "".into(), at: Stamp(NOON - 60_000) });
    screen
}

pub(crate) fn started(way: Way) -> LoginStep {
    LoginStep::Started { way }
}

/// The screen as text; the second half of a wide character is left out.
pub(crate) fn screen_text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in buffer.area.rows() {
        let mut line = String::new();
        let mut skip = 0;
        for x in y.columns() {
            let symbol = buffer[(x.x, x.y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = symbol.width().max(1);
            }
            skip -= 1;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The screen's styles: one letter a cell, `.` for plain, and what the letters mean.
pub(crate) fn screen_styles(buffer: &Buffer) -> String {
    let mut legend: Vec<(Color, Color, Modifier)> = Vec::new();
    let mut out = String::new();
    for y in buffer.area.rows() {
        let mut line = String::new();
        for x in y.columns() {
            let cell = &buffer[(x.x, x.y)];
            let style = (cell.fg, cell.bg, cell.modifier);
            if style == (Color::Reset, Color::Reset, Modifier::empty()) {
                line.push('.');
                continue;
            }
            let index = legend.iter().position(|known| *known == style).unwrap_or_else(|| {
                legend.push(style);
                legend.len() - 1
            });
            line.push(char::from(b'a' + u8::try_from(index).unwrap()));
        }
        out.push_str(line.trim_end_matches('.'));
        out.push('\n');
    }
    for (index, (fg, bg, modifier)) in legend.iter().enumerate() {
        let letter = char::from(b'a' + u8::try_from(index).unwrap());
        out.push_str(&format!("{letter}: {fg:?} on {bg:?} {modifier:?}\n"));
    }
    out
}
