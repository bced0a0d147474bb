//! Codes in every layout, size and terminal: whole or not at all, and what is said then.

use std::sync::Arc;

use crate::property::cases;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use ratatui::style::{Color, Modifier};
use saoma::app::{Capabilities, Effect, Msg, Multiplexer, Palette, Pictures, Protocol, Start};
use saoma::config::QrLayout;
use saoma::engine::api::{LoginStep, Way};
use saoma::i18n::Lang;
use saoma::qr::Code;
use saoma::qr::render::{Layout, Placement, cells};
use saoma::tui::backend::Painter;
use saoma::ui::Picture;
use unicode_width::UnicodeWidthChar as _;

use crate::kit::{Screen, some_code, start, started, usual};

const PAYLOAD: &str = "http://weixin.qq.com/x/SAOMA-0123456789ab";

/// The usual screen with a code on it.
fn with_code(size: (u16, u16), lang: Lang, modules: u16) -> Screen {
    let mut screen = usual(size, lang);
    scan(&mut screen, modules);
    screen
}

fn scan(screen: &mut Screen, modules: u16) {
    screen.keys(&["r"]);
    screen.login("A1", Some("wxid_dan"), started(Way::Qr));
    let code = screen.code(modules);
    screen.login("A1", Some("wxid_dan"), code);
    screen.send(Msg::Drawn);
}

fn terminal(screen: &mut Screen, change: impl FnOnce(&mut Capabilities)) -> Vec<Effect> {
    let mut able = Capabilities::default();
    change(&mut able);
    screen.send(Msg::Terminal(able))
}

/// The area that has a code's colours, if any cell has.
fn coloured(buffer: &Buffer) -> Option<(u16, u16, u16, u16)> {
    let is_code = |x: u16, y: u16| buffer[(x, y)].bg == Color::Indexed(231);
    let area = buffer.area;
    let places = (0..area.height).flat_map(|y| (0..area.width).map(move |x| (x, y))).filter(|(x, y)| is_code(*x, *y));
    places.fold(None, |found: Option<(u16, u16, u16, u16)>, (x, y)| {
        let (left, top, right, bottom) = found.unwrap_or((x, y, x, y));
        Some((left.min(x), top.min(y), right.max(x), bottom.max(y)))
    })
}

/// The layout and quiet zone of the code on the screen; fails where it is not whole and exact.
fn whole(buffer: &Buffer, code: &Code) -> Option<(Layout, u16)> {
    let (left, top, right, bottom) = coloured(buffer)?;
    let size = (right - left + 1, bottom - top + 1);
    for layout in [Layout::Half, Layout::Wide, Layout::Wide3] {
        for quiet in [4, 2, 1] {
            let (columns, rows) = layout.area(code.size(), quiet);
            if (columns, rows) != size {
                continue;
            }
            let drawn = cells(code, Placement { layout, quiet, columns, rows }, Palette::Indexed, false);
            for (y, line) in (top..).zip(drawn.lines()) {
                for (x, cell) in (left..).zip(line) {
                    let shown = &buffer[(x, y)];
                    assert_eq!(shown.symbol(), cell.symbol(), "{x},{y}");
                    assert_eq!((shown.fg, shown.bg), (Color::Indexed(16), Color::Indexed(231)), "{x},{y}");
                    assert_eq!(shown.modifier.contains(Modifier::REVERSED), cell.reversed(), "{x},{y}");
                }
            }
            return Some((layout, quiet));
        }
    }
    panic!("a piece of a code: {size:?} at {left},{top}");
}

/// A whole code, or words that say what is missing and which key helps.
fn whole_or_said(screen: &mut Screen, code: &Code, what: &str) {
    let buffer = screen.buffer();
    if whole(&buffer, code).is_some() {
        return;
    }
    let text = crate::kit::screen_text(&buffer).replace('\n', " ");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("Missing"), "{what}: {flat}");
    assert!(flat.contains(" z gives") || flat.contains(" L: ") || flat.contains("L: a smaller"), "{what}: {flat}");
}

#[test]
fn at_every_size_a_code_is_whole_or_the_screen_says_what_is_missing() {
    let layouts = [QrLayout::Auto, QrLayout::Half, QrLayout::Wide];
    // Every size meets one of the combinations, and every combination sizes all over.
    let mut turn = 0;
    let mut screens: Vec<(String, Screen, Arc<Code>)> = Vec::new();
    for version in 1..=6 {
        for layout in layouts {
            for full in [false, true] {
                let modules = 17 + 4 * version;
                let mut screen = Screen::new(Start { qr_layout: layout, ..start((80, 24), Lang::En) });
                scan(&mut screen, modules);
                if full {
                    screen.keys(&["z"]);
                }
                screens.push((format!("version {version} {layout:?} {full}"), screen, some_code(modules)));
            }
        }
    }
    for rows in 6..=60 {
        for columns in (20..=200).filter(|columns| (columns + rows) % 5 == 0 || *columns < 45 && rows < 24) {
            turn = (turn + 7) % screens.len();
            let (what, screen, code) = &mut screens[turn];
            screen.resize(columns, rows);
            // One pane at a time: the login's.
            if columns < 60 || rows < 19 {
                while !matches!(shows(screen), Shows::Login) {
                    screen.keys(&["tab"]);
                }
            }
            whole_or_said(screen, code, &format!("{what} at {columns}x{rows}"));
        }
    }
}

/// The whole screen, and the picture that belongs over it.
fn painted(screen: &mut Screen) -> (Buffer, Option<Picture>) {
    let buffer = screen.buffer();
    let mut picture = None;
    let (state, now, area) = (&screen.state, screen.now, buffer.area);
    let mut painter = Painter::new(Vec::new(), Size::new(area.width, area.height)).unwrap();
    painter
        .draw_with(|frame| {
            picture = saoma::ui::paint(state, now, frame);
            assert_eq!(*frame.buffer_mut(), buffer);
            picture.clone()
        })
        .unwrap();
    (buffer, picture)
}

fn with_pictures(pictures: Pictures) -> Capabilities {
    Capabilities { pictures, cell_px: Some((9, 18)), ..Capabilities::default() }
}

#[test]
fn at_every_size_a_picture_is_whole_or_the_screen_says_what_is_missing() {
    let mut found = (0, 0);
    for (version, pictures) in [(3, Pictures::Kitty), (3, Pictures::Sixel), (6, Pictures::Iterm2)] {
        for full in [false, true] {
            let start =
                Start { qr_layout: QrLayout::Image, terminal: with_pictures(pictures), ..start((80, 24), Lang::En) };
            let mut screen = Screen::new(start);
            scan(&mut screen, 17 + 4 * version);
            if full {
                screen.keys(&["z"]);
            }
            for rows in 6..=60 {
                for columns in (20..=200).filter(|columns| (columns * 3 + rows) % 53 == 0) {
                    let what = format!("version {version}, {pictures:?} at {columns}x{rows}");
                    screen.resize(columns, rows);
                    for _ in 0..3 {
                        if matches!(shows(&mut screen), Shows::Other) {
                            screen.keys(&["tab"]);
                        }
                    }
                    let (buffer, picture) = painted(&mut screen);
                    let Some(picture) = picture else {
                        found.1 += 1;
                        assert_eq!(coloured(&buffer), None, "{what}");
                        let text = crate::kit::screen_text(&buffer).replace('\n', " ");
                        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
                        assert!(flat.contains("Missing"), "{what}: {flat}");
                        assert!(flat.contains(" z gives") || flat.contains("L: "), "{what}: {flat}");
                        continue;
                    };
                    found.0 += 1;
                    let area = picture.area();
                    assert!(picture.has_its_cells(&buffer), "{what}");
                    let whole = (area.left(), area.top(), area.right() - 1, area.bottom() - 1);
                    assert_eq!(coloured(&buffer), Some(whole), "{what}");
                    let last = area.bottom() == rows;
                    assert!(!last || pictures == Pictures::Kitty, "{what}: a picture in the last row scrolls");
                }
            }
        }
    }
    assert!(found.0 > 700 && found.1 > 5, "{found:?}");
}

#[test]
fn image_is_on_the_way_only_where_there_are_pictures_and_is_covered_like_any_code() {
    let code = some_code(29);
    let mut screen = with_code((80, 24), Lang::En, 29);
    screen.send(Msg::Terminal(with_pictures(Pictures::Kitty)));
    let auto = painted(&mut screen);
    assert!(auto.1.is_none() && whole(&auto.0, &code).is_some(), "auto stays with half blocks");
    screen.keys(&["L", "L"]);
    assert!(screen.text().contains("Layout: image"), "{}", screen.text());
    let (_, shown) = painted(&mut screen);
    assert_eq!(shown.as_ref().map(Picture::protocol), Some(Protocol::Kitty));
    // The same picture in every frame, whatever else changes.
    screen.wait(1000);
    assert_eq!(painted(&mut screen).1, shown);
    screen.keys(&["i"]);
    let (buffer, inverted) = painted(&mut screen);
    assert!(inverted.is_some() && inverted != shown && coloured(&buffer).is_none());
    screen.keys(&["i"]);
    for key in ["?", "L"] {
        screen.keys(&[key]);
        let (buffer, picture) = painted(&mut screen);
        assert!(picture.is_none() && coloured(&buffer).is_none(), "{key} lies over it");
        screen.keys(&["esc"]);
        screen.keys(if key == "L" { &["L", "L"] } else { &[] });
        assert!(painted(&mut screen).1.is_some());
    }
    // Another row is selected; its time is over; it is used.
    screen.keys(&["j"]);
    assert!(painted(&mut screen).1.is_none());
    screen.keys(&["k"]);
    assert!(painted(&mut screen).1.is_some());
    let now = screen.now;
    screen.now.wall = screen.now.wall.plus_ms(200_000);
    let (buffer, picture) = painted(&mut screen);
    assert!(picture.is_none() && coloured(&buffer).is_none(), "its time is over");
    screen.now = now;
    screen.login("A1", Some("wxid_dan"), LoginStep::Scanned);
    let (buffer, picture) = painted(&mut screen);
    assert!(picture.is_none() && coloured(&buffer).is_none(), "it is used");
    // Where there are none, the key does not lead there.
    for able in [
        Capabilities::default(),
        Capabilities { cell_px: None, ..with_pictures(Pictures::Kitty) },
        Capabilities { multiplexer: Some(Multiplexer::Screen), ..with_pictures(Pictures::Kitty) },
        with_pictures(Pictures::Barred),
        with_pictures(Pictures::Asked),
    ] {
        let mut screen = with_code((120, 40), Lang::En, 29);
        screen.send(Msg::Terminal(able));
        screen.keys(&["L", "L"]);
        assert!(screen.text().contains("Show the code as text?"), "{able:?}");
    }
}

#[test]
fn that_image_is_not_there_is_said_once_it_is_known() {
    let start = |pictures| {
        let terminal = with_pictures(pictures);
        Screen::new(Start { qr_layout: QrLayout::Image, terminal, ..start((80, 24), Lang::En) })
    };
    let said = |screen: &mut Screen| screen.text().contains("image is not available");
    let mut screen = start(Pictures::Asked);
    assert!(!said(&mut screen), "it is being asked");
    screen.send(Msg::Terminal(with_pictures(Pictures::None)));
    assert!(said(&mut screen));
    // A key takes it away, and it is not said again.
    screen.keys(&["j"]);
    screen.send(Msg::Terminal(Capabilities { palette: Palette::Sixteen, ..with_pictures(Pictures::None) }));
    assert!(!said(&mut screen));
    // A late answer.
    let mut screen = start(Pictures::None);
    assert!(said(&mut screen));
    screen.send(Msg::Terminal(with_pictures(Pictures::Sixel)));
    assert!(!said(&mut screen));
    scan(&mut screen, 29);
    assert!(painted(&mut screen).1.is_some());
    // It refuses a picture: half blocks, and a word.
    screen.send(Msg::Terminal(with_pictures(Pictures::Barred)));
    let (buffer, picture) = painted(&mut screen);
    assert!(picture.is_none() && said(&mut screen));
    assert_eq!(whole(&buffer, &some_code(29)).map(|(layout, _)| layout), Some(Layout::Half));
}

#[test]
fn the_help_page_says_which_pictures_were_found() {
    let mut screen = usual((120, 40), Lang::En);
    screen.keys(&["?"]);
    assert!(screen.text().contains("no pictures"), "{}", screen.text());
    screen.send(Msg::Terminal(with_pictures(Pictures::Iterm2)));
    assert!(screen.text().contains("pictures: iterm2"), "{}", screen.text());
}

enum Shows {
    Login,
    Other,
}

fn shows(screen: &mut Screen) -> Shows {
    let buffer = screen.buffer();
    let text = crate::kit::screen_text(&buffer);
    if coloured(&buffer).is_some() || text.contains("Missing") { Shows::Login } else { Shows::Other }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn nothing_lies_over_a_part_of_a_code(
        size in (20u16..=200, 6u16..=60),
        version in 1u16..=6,
        keys in proptest::collection::vec(
            proptest::sample::select(vec!["L", "y", "esc", "z", "w", "?", "a", "c", "tab", "1", "q", "ctrl-c"]),
            0..8,
        ),
        notice: bool,
        wide: bool,
    ) {
        let modules = 17 + 4 * version;
        let mut screen = usual(size, Lang::En);
        if wide {
            terminal(&mut screen, |able| able.block_is_two_columns = Some(true));
        }
        scan(&mut screen, modules);
        for key in keys {
            screen.keys(&[key]);
            if notice {
                screen.send(Msg::Notice { message: "Something that takes its room. ".repeat(4) });
            }
            if let Some((_, quiet)) = whole(&screen.buffer(), &some_code(modules)) {
                prop_assert!(quiet >= 1);
            }
        }
        // Never a stale one.
        screen.login("A1", Some("wxid_dan"), LoginStep::Scanned);
        prop_assert!(coloured(&screen.buffer()).is_none());
    }
}

#[test]
fn cut_words_beside_a_code_leave_its_quiet_zone_alone() {
    for columns in (60..=100).step_by(5) {
        let mut screen = usual((columns, 20), Lang::En);
        terminal(&mut screen, |able| able.block_is_two_columns = Some(true));
        scan(&mut screen, 25);
        // Half blocks although they are in doubt here: whoever chooses them gets them.
        screen.keys(&["L", "esc"]);
        for length in 60..120 {
            screen.send(Msg::Notice { message: "Takes its room. ".repeat(10).chars().take(length).collect() });
            assert!(whole(&screen.buffer(), &some_code(25)).is_some(), "{columns} {length}");
        }
    }
}

#[test]
fn the_layouts_go_round_and_text_wants_a_yes() {
    let mut screen = with_code((120, 50), Lang::En, 29);
    let code = some_code(29);
    let shown = |screen: &mut Screen| whole(&screen.buffer(), &code).map(|(layout, _)| layout);
    assert_eq!(shown(&mut screen), Some(Layout::Half));
    screen.keys(&["z", "L"]);
    assert_eq!(shown(&mut screen), Some(Layout::Wide));
    screen.keys(&["L"]);
    let text = screen.text();
    assert!(text.contains("Show the code as text?") && !text.contains("SAOMA"), "{text}");
    assert_eq!(shown(&mut screen), None, "nothing of a code beside a question");
    screen.keys(&["y"]);
    let text = screen.text();
    assert!(text.contains(PAYLOAD) && text.contains("As secret as a password"), "{text}");
    assert!(!format!("{:?}", screen.state).contains("SAOMA"), "the state says it");
    // For this code only; the layout stays.
    let next = screen.code(29);
    screen.login("A1", Some("wxid_dan"), LoginStep::Expired { renewing: true });
    assert!(!screen.text().contains("SAOMA"));
    screen.login("A1", Some("wxid_dan"), next);
    assert!(!screen.text().contains("SAOMA"));
    assert_eq!(shown(&mut screen), Some(Layout::Wide));
    screen.keys(&["L", "esc"]);
    assert_eq!(shown(&mut screen), Some(Layout::Half));
    // A yes to a question about a code that is over shows nothing.
    screen.keys(&["L", "L"]);
    let next = screen.code(29);
    screen.login("A1", Some("wxid_dan"), next);
    screen.keys(&["y"]);
    assert!(!screen.text().contains("SAOMA"), "{}", screen.text());
}

#[test]
fn text_by_the_settings_waits_for_a_yes() {
    let mut screen = Screen::new(Start { qr_layout: QrLayout::Text, ..start((80, 24), Lang::En) });
    scan(&mut screen, 29);
    assert!(screen.text().contains("asks for a yes"), "{}", screen.text());
    assert!(coloured(&screen.buffer()).is_none());
    screen.keys(&["L", "y"]);
    let text = screen.text();
    assert!(text.contains("SAOMA-") && text.contains("0123456789ab"), "{text}");
}

#[test]
fn what_keeps_a_code_from_fitting_is_named() {
    let flat = |screen: &mut Screen| screen.text().split_whitespace().collect::<Vec<_>>().join(" ");
    // What is to be read, and what is not; in two sizes, whole screen or not.
    for (change, size, lang, words) in [
        ((|able| able.utf8 = false) as fn(&mut Capabilities), (80, 24), Lang::En, "LANG=C.UTF-8"),
        (|able| able.utf8 = false, (60, 20), Lang::En, "LANG=C.UTF-8"),
        (|able| able.utf8 = false, (80, 24), Lang::Zh, "LANG=C.UTF-8"),
        (|able| (able.utf8, able.dumb) = (false, true), (80, 24), Lang::En, "TERM is dumb or not set"),
        (|able| (able.utf8, able.dumb) = (false, true), (80, 24), Lang::Zh, "TERM 为 dumb"),
        // The window is in the way all the same, or nothing but it.
        (|able| able.utf8 = false, (70, 14), Lang::En, "Missing"),
        (|able| able.block_is_two_columns = Some(true), (80, 24), Lang::En, "Missing"),
    ] {
        for full in [false, true] {
            let mut screen = with_code(size, lang, 29);
            terminal(&mut screen, change);
            if full {
                screen.keys(&["z"]);
            }
            let text = flat(&mut screen);
            let said = text.replace(' ', "").contains(&words.replace(' ', ""));
            assert!(said || size == (70, 14) && !full, "{size:?} {full}: {words}\n{}", screen.text());
            assert_eq!(
                text.contains("Missing") || text.contains("还差"),
                words == "Missing" && said,
                "{}",
                screen.text()
            );
            assert_eq!(coloured(&screen.buffer()), None);
        }
    }
}

#[test]
fn image_says_that_it_is_not_there() {
    let mut screen = Screen::new(Start { qr_layout: QrLayout::Image, ..start((80, 24), Lang::En) });
    assert!(screen.text().contains("image is not available"), "{}", screen.text());
    scan(&mut screen, 29);
    assert_eq!(whole(&screen.buffer(), &some_code(29)), Some((Layout::Half, 4)));
}

#[test]
fn auto_follows_the_terminal() {
    let code = some_code(29);
    for (change, size, layout) in [
        ((|_| {}) as fn(&mut Capabilities), (80, 24), Some(Layout::Half)),
        (|able| able.block_is_two_columns = Some(false), (80, 24), Some(Layout::Half)),
        (|able| able.block_is_two_columns = Some(true), (80, 24), None),
        (|able| able.block_is_two_columns = Some(true), (160, 50), Some(Layout::Wide)),
        (|able| able.utf8 = false, (160, 50), Some(Layout::Wide)),
        (|able| able.multiplexer = Some(Multiplexer::Tmux), (160, 50), Some(Layout::Half)),
        // Tall cells: squares, where there is room for them.
        (|able| able.cell_px = Some((6, 18)), (160, 50), Some(Layout::Wide3)),
        (|able| able.cell_px = Some((6, 18)), (80, 24), Some(Layout::Half)),
    ] {
        let mut screen = with_code(size, Lang::En, 29);
        terminal(&mut screen, change);
        if size.0 > 100 {
            screen.keys(&["z"]);
        }
        assert_eq!(whole(&screen.buffer(), &code).map(|(layout, _)| layout), layout, "{size:?}\n{}", screen.text());
    }
    let mut screen = with_code((80, 24), Lang::En, 29);
    terminal(&mut screen, |able| able.palette = Palette::Sixteen);
    let buffer = screen.buffer();
    assert!(buffer.content.iter().any(|cell| (cell.fg, cell.bg) == (Color::Black, Color::Gray)));
    assert!(coloured(&buffer).is_none());
    let mut painter = Painter::new(Vec::new(), Size::new(80, 24)).unwrap();
    let (state, now) = (&screen.state, screen.now);
    painter.draw(|frame| saoma::ui::view(state, now, frame)).unwrap();
    let bytes = String::from_utf8_lossy(painter.screen().writer()).into_owned();
    let sgr: Vec<&str> =
        bytes.split('\x1b').filter_map(|rest| rest.strip_prefix('[')?.split_once('m')).map(|(sgr, _)| sgr).collect();
    let sets = |code: &str| sgr.iter().any(|sgr| sgr.split(';').any(|one| one == code));
    assert!(sets("30") && sets("47") && !sets("38") && !sets("48"), "the sixteen as 30 and 47: {sgr:?}");
}

#[test]
fn a_terminal_that_turns_out_wide_is_drawn_anew_and_holds_nothing_doubtful() {
    for (size, lang) in [((80, 24), Lang::En), ((120, 40), Lang::Zh), ((40, 12), Lang::Zh)] {
        let mut screen = with_code(size, lang, 29);
        let effects = terminal(&mut screen, |able| able.block_is_two_columns = Some(true));
        assert!(matches!(effects.as_slice(), [Effect::Repaint]), "{effects:?}");
        for keys in [&[][..], &["tab"], &["?"], &["esc", "a"]] {
            screen.keys(keys);
            for cell in &screen.buffer().content {
                assert!(cell.symbol().chars().all(|c| c.width() == c.width_cjk()), "{:?}", cell.symbol());
            }
        }
        // Known already: nothing to do.
        assert!(terminal(&mut screen, |able| able.block_is_two_columns = Some(true)).is_empty());
    }
}

#[test]
fn pictures_of_wide_terminals() {
    for (size, lang) in [((80, 24), Lang::En), ((120, 40), Lang::Zh)] {
        let mut screen = with_code(size, lang, 29);
        terminal(&mut screen, |able| able.block_is_two_columns = Some(true));
        crate::pictures::picture("doubtful", size, lang, &mut screen);
    }
    let mut screen = Screen::new(Start { qr_layout: QrLayout::Wide, ..start((120, 40), Lang::En) });
    scan(&mut screen, 25);
    screen.keys(&["z"]);
    crate::pictures::picture("wide", (120, 40), Lang::En, &mut screen);
}

#[test]
fn a_file_is_asked_for_and_goes_with_its_code() {
    let written =
        |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::WritePng { .. })).count();
    let removed =
        |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::RemovePng { .. })).count();
    let mut screen = usual((80, 24), Lang::En);
    assert_eq!(written(&screen.keys(&["w"])), 0);
    assert!(screen.text().contains("no code to show"));
    for end in [
        LoginStep::Scanned,
        LoginStep::Cancelled,
        LoginStep::Expired { renewing: true },
        LoginStep::Expired { renewing: false },
    ] {
        let mut screen = with_code((80, 24), Lang::En, 29);
        assert_eq!(written(&screen.keys(&["w"])), 1);
        // Whatever is selected meanwhile.
        screen.keys(&["j"]);
        let effects = screen.login("A1", Some("wxid_dan"), end);
        assert_eq!(removed(&effects), 1, "{effects:?}");
        let effects = screen.login("A1", Some("wxid_dan"), LoginStep::Waiting);
        assert_eq!(removed(&effects), 0);
    }
    // At its deadline, with another row selected and nobody telling.
    let mut screen = with_code((80, 24), Lang::En, 29);
    screen.keys(&["w", "j"]);
    assert!(screen.state.next_wake(screen.now).is_some());
    screen.now.wall = screen.now.wall.plus_ms(200_000);
    assert_eq!(removed(&screen.send(Msg::Tick)), 1);
    // A clock that is set back makes no code last longer.
    let mut screen = with_code((80, 24), Lang::En, 29);
    screen.keys(&["w", "j"]);
    screen.now.wall = screen.now.wall.plus_ms(-28_800_000);
    assert_eq!(removed(&screen.send(Msg::Tick)), 0);
    screen.now.wall = screen.now.wall.plus_ms(200_000);
    screen.now.mono += std::time::Duration::from_millis(200_000);
    assert_eq!(removed(&screen.send(Msg::Tick)), 1);
    // A new code for the old one.
    let mut screen = with_code((80, 24), Lang::En, 29);
    screen.keys(&["w"]);
    let next = screen.code(29);
    assert_eq!(removed(&screen.login("A1", Some("wxid_dan"), next)), 1);
}

/// Bytes of a frame through the program's own screen.
fn bytes(painter: &mut Painter<Vec<u8>>, screen: &Screen) -> usize {
    let before = painter.screen().writer().len();
    let (state, now) = (&screen.state, screen.now);
    painter.draw(|frame| saoma::ui::view(state, now, frame)).unwrap();
    painter.screen().writer().len() - before
}

/// qr.md §5.5.
#[test]
fn a_code_costs_few_bytes_and_an_unchanged_frame_none() {
    use ratatui::widgets::Widget as _;
    let code = Code::encode(&secrecy::SecretString::from("http://weixin.qq.com/x/SAOMA-0123456789abcdefgh")).unwrap();
    assert_eq!(code.version(), 3);
    let placement = Placement { layout: Layout::Half, quiet: 4, columns: 37, rows: 19 };
    let drawn = cells(&code, placement, Palette::Indexed, false);
    let mut painter = Painter::new(Vec::new(), Size::new(80, 24)).unwrap();
    let alone = |frame: &mut ratatui::Frame<'_>| {
        (&drawn).render(ratatui::layout::Rect::new(43, 4, 37, 19), frame.buffer_mut());
    };
    painter.draw(alone).unwrap();
    let code_bytes = painter.screen().writer().len();
    painter.draw(alone).unwrap();
    assert_eq!(painter.screen().writer().len(), code_bytes, "an unchanged frame");

    let mut screen = usual((80, 24), Lang::En);
    screen.keys(&["r"]);
    screen.login("A1", Some("wxid_dan"), started(Way::Qr));
    let mut painter = Painter::new(Vec::new(), Size::new(80, 24)).unwrap();
    bytes(&mut painter, &screen);
    let expires_at = screen.now.wall.plus_ms(133_000);
    let step = LoginStep::Qr { w_id: "w".into(), expires_at, code: Arc::new(code), payload: PAYLOAD.into() };
    screen.login("A1", Some("wxid_dan"), step);
    let frame = bytes(&mut painter, &screen);
    println!("v3, quiet zone 4: {code_bytes} bytes alone, {frame} with all that changes on the screen beside it");
    assert!(code_bytes <= 2800, "{code_bytes}");
    assert!(frame <= 2800 + 400, "{frame}");
    assert_eq!(bytes(&mut painter, &screen), 0);
}
