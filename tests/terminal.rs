//! The terminal layer in a real PTY: a toy mind in the real loop, driven by keys, signals and a terminal that is slow,
//! silent or gone. The toy is this very test binary, started again with `SAOMA_TOY` set.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail anywhere, its helpers included"
)]

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Paragraph, Widget as _, Wrap};
use rustix::process::{Pid, Signal, kill_process};
use saoma::action::{Key, KeyCode};
use saoma::app::{Code, Effect, Msg, Palette, Protocol};
use saoma::model::Now;
use saoma::tui::{self, Backstage, Inbox, Mind, Options};
use saoma::ui::Picture;

const LONG: Duration = Duration::from_secs(20);
const FRAME: &[u8] = b"\x1b[?2026h";

// ───── the toy ─────

#[derive(Default)]
struct Toy {
    keys: usize,
    log: String,
    notices: usize,
    size: (u16, u16),
    /// Fills the screen with something different for every key.
    noisy: bool,
    dirty: bool,
    ticks: usize,
    ticks_wanted: usize,
    /// What is known of pictures.
    picture: Option<(Protocol, (u16, u16))>,
    /// Shows one, if it can.
    shows: bool,
    /// The width of the block is in the log.
    told: bool,
}

impl Mind for Toy {
    fn update(&mut self, msg: Msg, _now: Now) -> Vec<Effect> {
        self.dirty |= !matches!(msg, Msg::Drawn);
        let mut effects = Vec::new();
        match msg {
            Msg::Key(key) => {
                self.keys += 1;
                self.log.push_str(&format!("{} ", name(key)));
                match key.code {
                    KeyCode::Char('q') => effects.push(Effect::Quit),
                    KeyCode::Char('p') => panic!("the toy \u{1b}[31mbreaks"),
                    KeyCode::Char('z') if key.ctrl => effects.push(Effect::Suspend),
                    KeyCode::Char('l') if key.ctrl => effects.push(Effect::Repaint),
                    KeyCode::Char('y') => effects.push(Effect::Copy("wxid_1".to_owned())),
                    KeyCode::Char('b') => effects.push(Effect::Bell),
                    KeyCode::Char('w') => self.ticks_wanted = 3,
                    KeyCode::Char('n') => self.noisy = true,
                    KeyCode::Char('o') => self.shows = !self.shows,
                    KeyCode::Char(' ') => self.log.clear(),
                    KeyCode::Char('t' | 'm') => {
                        let phone = saoma::app::DemoPhone::Auto;
                        effects.push(if key.code == KeyCode::Char('t') {
                            Effect::Demo(phone)
                        } else {
                            Effect::Demo(saoma::app::DemoPhone::Scan(None))
                        });
                    }
                    _ => {}
                }
            }
            Msg::Tick => self.ticks += 1,
            Msg::Terminal(able) if able.block_is_two_columns.is_some() && !self.told => {
                self.told = true;
                self.picture = able.picture();
                self.log.push_str(if able.block_is_two_columns == Some(true) { "wide " } else { "narrow " });
            }
            Msg::Terminal(able) => self.picture = able.picture(),
            Msg::Paste(text) => self.log.push_str(&format!("paste<{text}> ")),
            Msg::Resize { columns, rows } => self.size = (columns, rows),
            Msg::Notice { message } => {
                self.notices += 1;
                if message != "storm" {
                    self.log.push_str(&message);
                }
            }
            _ => {}
        }
        effects
    }

    fn view(&self, _now: Now, frame: &mut Frame<'_>) {
        let area = frame.area();
        let head = format!(
            "toy {}x{} keys={} notices={} buffer={}x{} ticks={}",
            self.size.0, self.size.1, self.keys, self.notices, area.width, area.height, self.ticks
        );
        let [first, rest] = [Rect { height: 1, ..area }, Rect { y: 1, height: area.height.saturating_sub(1), ..area }];
        frame.render_widget(head, first);
        let text = if self.noisy {
            (0..usize::from(rest.width) * usize::from(rest.height))
                .map(|i| char::from(b'a' + u8::try_from((i * 7 + i / 13 + self.keys) % 26).unwrap()))
                .collect()
        } else {
            self.log.clone()
        };
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }), rest);
    }

    fn paint(&self, now: Now, frame: &mut Frame<'_>) -> Option<Picture> {
        self.view(now, frame);
        let (protocol, cell) = self.picture.filter(|_| self.shows)?;
        let code = Arc::new(Code::from_fn(29, |x, y| (x * 7 + y * 3) % 5 < 2));
        let place = saoma::ui::place(29, 37, 20, cell).ok()?;
        let picture = Picture::new(code, protocol, place, (40, 2), Palette::Indexed, false);
        (&picture).render(frame.area(), frame.buffer_mut());
        Some(picture)
    }

    fn next_wake(&self, _now: Now) -> Option<Duration> {
        (self.ticks < self.ticks_wanted).then_some(Duration::from_millis(40))
    }

    fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    fn is_dirty(&self) -> bool {
        self.dirty
    }
}

fn name(key: Key) -> String {
    let code = match key.code {
        KeyCode::Char(char) => char.to_string(),
        other => format!("{other:?}"),
    };
    format!(
        "{}{}{}{code}",
        if key.ctrl { "C-" } else { "" },
        if key.alt { "A-" } else { "" },
        if key.shift { "S-" } else { "" }
    )
}

struct Helpers(Inbox);

impl Backstage for Helpers {
    fn perform(&mut self, effect: Effect) {
        let inbox = self.0.clone();
        let storm = matches!(effect, Effect::Demo(saoma::app::DemoPhone::Scan(_)));
        let helper = std::thread::spawn(move || {
            assert!(storm, "a helper breaks");
            for _ in 0..1000 {
                inbox.send(Msg::Notice { message: "storm".to_owned() });
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        drop(helper);
    }
}

/// Not a test of its own: what the tests below start in their PTYs.
#[test]
fn toy() {
    let Some(reports) = std::env::var_os("SAOMA_TOY") else { return };
    let options = Options { reports: Some(reports.into()), ..Options::default() };
    let code = match tui::run(Toy::default(), options, |inbox| Box::new(Helpers(inbox))) {
        Ok(exit) => exit.code(),
        Err(error) => {
            eprintln!("{error}");
            3
        }
    };
    std::process::exit(code.into());
}

// ───── the terminal around it ─────

struct Rig {
    master: Box<dyn MasterPty + Send>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
    paused: Arc<AtomicBool>,
    before: String,
    reports: tempfile::TempDir,
}

struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn command(reports: &tempfile::TempDir) -> CommandBuilder {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "toy", "--nocapture", "--test-threads=1"]);
    environment(&mut command, reports);
    command
}

fn environment(command: &mut CommandBuilder, reports: &tempfile::TempDir) {
    command.env("SAOMA_TOY", reports.path());
    command.env("TERM", "xterm-256color");
    for name in
        ["TMUX", "STY", "LC_ALL", "LC_CTYPE", "LANG", "SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT", "RUST_BACKTRACE"]
    {
        command.env_remove(name);
    }
}

impl Rig {
    fn start() -> Self {
        Self::start_with(|_, _| {})
    }

    /// Over SSH, as far as the program can tell.
    fn slow_line() -> Self {
        Self::start_with(|command, _| command.env("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22"))
    }

    fn start_with(change: impl FnOnce(&mut CommandBuilder, &tempfile::TempDir)) -> Self {
        Self::start_answering(&[], change)
    }

    /// A terminal that answers where the cursor is, in these pieces.
    fn start_answering(
        answer: &'static [&'static [u8]],
        change: impl FnOnce(&mut CommandBuilder, &tempfile::TempDir),
    ) -> Self {
        let reports = tempfile::tempdir().unwrap();
        let mut command = command(&reports);
        change(&mut command, &reports);
        let pair = native_pty_system().openpty(size(80, 24)).unwrap();
        let before = format!("{:?}", pair.master.get_termios().unwrap());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = Arc::new(Mutex::new(pair.master.take_writer().unwrap()));
        let back = Arc::clone(&writer);
        let parser = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new() }));
        let paused = Arc::new(AtomicBool::new(false));
        let (into, wait) = (Arc::clone(&seen), Arc::clone(&paused));
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut seen = into.lock().unwrap();
                seen.parser.process(&buffer[..count]);
                seen.bytes.extend(&buffer[..count]);
                drop(seen);
                if buffer[..count].windows(4).any(|window| window == b"\x1b[6n") {
                    // No key comes between its pieces.
                    let mut back = back.lock().unwrap();
                    for piece in answer {
                        back.write_all(piece).unwrap();
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
                while wait.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let rig = Self { master: pair.master, writer, child, seen, paused, before, reports };
        rig.wait_for("the toy's first frame", |screen| {
            screen.contents().contains("toy 80x24") && screen.alternate_screen()
        });
        rig
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&vt100::Screen) -> bool) {
        let until = Instant::now() + LONG;
        while !condition(self.seen.lock().unwrap().parser.screen()) {
            assert!(Instant::now() < until, "waited for {what}; the screen shows:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contents().replace('\n', "").contains(text));
    }

    fn wait_for_bytes(&self, bytes: &str) {
        let until = Instant::now() + LONG;
        while count(&self.since(0), bytes) == 0 {
            assert!(Instant::now() < until, "waited for {bytes:?}; the screen shows:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn text(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    #[expect(clippy::needless_pass_by_ref_mut, reason = "one hand types")]
    fn send(&mut self, bytes: &[u8]) {
        let mut writer = self.writer.lock().unwrap();
        writer.write_all(bytes).unwrap();
        writer.flush().unwrap();
    }

    fn bytes(&self) -> usize {
        self.seen.lock().unwrap().bytes.len()
    }

    fn since(&self, start: usize) -> Vec<u8> {
        self.seen.lock().unwrap().bytes[start..].to_vec()
    }

    fn frames_since(&self, start: usize) -> usize {
        self.since(start).windows(FRAME.len()).filter(|window| *window == FRAME).count()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    fn exit_code(&mut self) -> u32 {
        let until = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < until, "still alive; the screen shows:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn assert_whole(&self) {
        self.wait_for("a terminal given back", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
        assert_eq!(format!("{:?}", self.master.get_termios().unwrap()), self.before);
    }

    /// How often the process's threads went to sleep and woke up again, and their processor time in ticks.
    fn activity(&self) -> (u64, u64) {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid().as_raw_nonzero())).unwrap();
        let mut sum = (0, 0);
        for task in tasks {
            let path = task.unwrap().path();
            let status = std::fs::read_to_string(path.join("status")).unwrap();
            let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
            sum.0 += switches.trim().parse::<u64>().unwrap();
            let stat = std::fs::read_to_string(path.join("stat")).unwrap();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
            sum.1 += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        }
        sum
    }

    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.paused.store(false, Ordering::Relaxed);
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

// ───── keys ─────

/// Clears the log, sends the pieces with 150 ms between them and a dot at the end; gives the longest gap there was.
fn send_slowly(rig: &mut Rig, pieces: &[&[u8]]) -> Duration {
    rig.send(b" ");
    rig.wait_for("an empty log", |screen| screen.contents().lines().nth(1).is_none_or(|line| line.trim().is_empty()));
    let mut longest = Duration::ZERO;
    let mut last: Option<Instant> = None;
    for piece in pieces {
        if last.is_some() {
            std::thread::sleep(Duration::from_millis(150));
        }
        rig.send(piece);
        let now = Instant::now();
        longest = longest.max(last.map_or(Duration::ZERO, |last| now - last));
        last = Some(now);
    }
    rig.send(b".");
    rig.wait_for("the last key", |screen| screen.contents().contains('.'));
    longest
}

#[test]
fn a_key_is_one_key_wherever_a_slow_line_cuts_it() {
    let table: [(&[u8], &str); 9] = [
        (b"\x1b[A", "Up"),
        (b"\x1bOB", "Down"),
        (b"\x1b[6~", "PageDown"),
        (b"\x1b[1;5C", "C-Right"),
        (b"\x1b[15~", "F(5)"),
        (b"\x1b[Z", "S-Tab"),
        ("扫".as_bytes(), "扫"),
        (b"\x1b[24;80R", ""),
        (b"\x1b]11;rgb:1e/1e/2e\x1b\\", ""),
    ];
    std::thread::scope(|scope| {
        for (bytes, name) in table {
            scope.spawn(move || {
                let mut rig = Rig::slow_line();
                let want = format!("{name}{}.", if name.is_empty() { "" } else { " " });
                let cuts = (1..bytes.len()).map(|cut| bytes.split_at(cut)).map(|(head, tail)| vec![head, tail]);
                for pieces in cuts.chain([bytes.chunks(1).collect()]) {
                    // A busy machine may sleep for too long; then that was no test.
                    while send_slowly(&mut rig, &pieces) > Duration::from_millis(190) {}
                    let log: String = rig.text().lines().skip(1).collect();
                    assert_eq!(log.trim_end(), want, "{pieces:?}");
                }
            });
        }
    });
}

#[test]
fn a_paste_is_one_piece_and_escape_a_key() {
    let mut rig = Rig::slow_line();
    let paste = "\x1b[200~q扫\x03[A\x1b[201~".as_bytes();
    for piece in paste.chunks(3) {
        rig.send(piece);
        std::thread::sleep(Duration::from_millis(20));
    }
    rig.wait_for_text("paste<q扫[A>");
    rig.send(b"\x1b");
    rig.wait_for_text("Esc");
    rig.send(b"q");
    assert_eq!(rig.exit_code(), 0);
    rig.assert_whole();
}

#[test]
fn two_hundred_keys_at_once_are_one_frame() {
    let mut rig = Rig::start();
    let start = rig.bytes();
    rig.send(&[b'j'; 200]);
    rig.wait_for_text("keys=200");
    assert!(rig.frames_since(start) <= 2, "{} frames", rig.frames_since(start));
    let start = rig.bytes();
    rig.send(b" ");
    rig.wait_for_text("keys=201");
    rig.send(b"\x1b[B");
    rig.wait_for_text("keys=202");
    assert_eq!(rig.frames_since(start), 2, "a key is a frame");
}

// ───── what the terminal gets ─────

fn count(bytes: &[u8], what: &str) -> usize {
    bytes.windows(what.len()).filter(|window| *window == what.as_bytes()).count()
}

#[test]
fn little_is_asked_and_nothing_happens_while_nothing_happens() {
    let mut rig = Rig::start();
    let first = rig.since(0);
    for query in ["\x1b[0c", "\x1b[5n", "$p", "\x1b]10;?", "\x1b]11;?", "\x1bP", "\x1b[?u", "\x1b[18t", "\x1b[14t"] {
        assert_eq!(count(&first, query), 0, "{query:?} in the first frame");
    }
    // But for what the first frame carries: the width of the block; name, kitty's pictures, kind, cells.
    for query in ["\x1b[6n", "\x1b[>q", "\x1b_G", "\x1b[c", "\x1b[16t"] {
        assert_eq!(count(&first, query), 1, "{query:?} in the first frame");
    }
    assert_eq!(count(&first, "\x1b[>"), 1);
    // Nothing of pictures where there are none: old consoles print what they do not know.
    for term in ["linux", "rxvt-unicode-256color", "st-256color", "alacritty", "vt220", "screen-256color"] {
        let rig = Rig::start_with(|command, _| command.env("TERM", term));
        for query in ["\x1b[>q", "\x1b_G", "\x1b[c", "\x1b[16t"] {
            assert_eq!(count(&rig.since(0), query), 0, "{query:?} in {term}");
        }
    }
    assert_eq!(rig.frames_since(0), 1);
    rig.send(b"j");
    rig.wait_for_text("keys=1");
    // Until it sleeps: nothing for a while.
    let mut calm = (rig.bytes(), rig.activity());
    let until = Instant::now() + LONG;
    loop {
        std::thread::sleep(Duration::from_millis(1000));
        let now = (rig.bytes(), rig.activity());
        if now == calm {
            break;
        }
        assert!(Instant::now() < until, "never idle: {calm:?}, then {now:?}");
        calm = now;
    }
}

#[test]
fn the_width_of_the_block_is_heard_however_the_answer_comes() {
    static ANSWERS: [(&[&[u8]], &str); 4] = [
        (&[b"\x1b[2;3R"], "wide"),
        (&[b"\x1b[2;2R"], "narrow"),
        (&[b"\x1b", b"[", b"2", b";", b"3", b"R"], "wide"),
        // The same by a terminal that tells its cells' size as well.
        (&[b"\x1b[6;18;9t\x1b[2;", b"3R"], "wide"),
    ];
    for (answer, told) in ANSWERS {
        let mut rig = Rig::start_answering(answer, |_, _| {});
        rig.send(b"x");
        rig.wait_for_text("keys=1");
        // On a busy machine the answer may have come too late to count; it is no key in any case.
        let log = rig.text().lines().nth(1).unwrap_or_default().trim().to_owned();
        assert!(log == format!("{told} x") || log == format!("x {told}") || log == "x", "{answer:?}: {log}");
        rig.send(b"q");
        assert_eq!(rig.exit_code(), 0);
        rig.assert_whole();
    }
    let rig = Rig::start_answering(&[b"\x1b[2;3R"], |command, _| command.env("TMUX", "/tmp/tmux-0/default,1,0"));
    assert!(!rig.since(0).windows(4).any(|window| window == b"\x1b[6n"), "asked inside tmux");
}

/// What a terminal answers to the questions of the first frame, in their order, and how it then shows pictures.
const ANSWERS: [(&str, &[&[u8]], &str); 6] = [
    ("kitty", &[b"\x1bP>|kitty(0.40.0)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?62;c\x1b[6;18;9t\x1b[2;2R"], "\x1b_Ga=T,f=100,"),
    (
        "in pieces",
        &[
            b"\x1bP>|kit",
            b"ty(0.40.0)\x1b",
            b"\\\x1b_Gi=3",
            b"1;OK\x1b\\\x1b",
            b"[?62;c\x1b[6;1",
            b"8;9t\x1b[2;2",
            b"R",
        ],
        "\x1b_Ga=T,f=100,",
    ),
    (
        "iTerm2",
        &[b"\x1bP>|iTerm2 3.5.4\x1b\\\x1b[?64;1;2;4;6;17;18;21;22c\x1b[6;18;9t\x1b[2;2R"],
        "\x1b]1337;File=inline=1;",
    ),
    ("sixel", &[b"\x1bP>|XTerm(379)\x1b\\\x1b[?63;1;2;4;6c\x1b[6;18;9t\x1b[2;2R"], "\x1bP0;1;0q"),
    ("no size of cells", &[b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c\x1b[2;2R"], ""),
    ("no pictures", &[b"\x1b_Gi=31;ENOTSUP:q\x1b\\\x1b[?62;22c\x1b[6;18;9t\x1b[2;2R"], ""),
];

/// Waits until a key was drawn, and one after it: whatever the first one brought about is on the screen.
fn press(rig: &mut Rig, key: &[u8], keys: &mut usize) {
    rig.send(key);
    *keys += 1;
    rig.wait_for_text(&format!("keys={keys} "));
}

#[test]
fn pictures_are_shown_where_the_terminal_says_how_and_leave_with_their_cells() {
    for (name, answer, begins) in ANSWERS {
        let mut rig = Rig::start_answering(answer, |_, _| {});
        let mut keys = 0;
        rig.wait_for("the last answer", |screen| screen.contents().contains("narrow"));
        let start = rig.bytes();
        press(&mut rig, b"o", &mut keys);
        press(&mut rig, b"x", &mut keys);
        let sent = rig.since(start);
        if begins.is_empty() {
            for begins in ["\x1b_G", "\x1b]1337", "\x1bP"] {
                assert_eq!(count(&sent, begins), 0, "{name}");
            }
            let log = rig.text().lines().nth(1).unwrap_or_default().trim().to_owned();
            assert_eq!(log, "narrow o x", "{name}: no answer is a key");
            continue;
        }
        assert_eq!(count(&sent, begins), 1, "{name}: once");
        let log: String = rig.text().lines().nth(1).unwrap_or_default().chars().take(38).collect();
        assert_eq!(log.trim(), "narrow o x", "{name}: no answer is a key");
        let start = rig.bytes();
        press(&mut rig, b"o", &mut keys);
        let sent = rig.since(start);
        let kitty = begins.contains("_G");
        assert_eq!((count(&sent, begins), count(&sent, "\x1b_Ga=d,d=I,")), (0, usize::from(kitty)), "{name}");
        rig.send(b"q");
        assert_eq!(rig.exit_code(), 0);
        rig.assert_whole();
    }
}

#[test]
fn a_picture_is_taken_away_however_the_program_ends_or_stops() {
    for (name, answer, begins) in [ANSWERS[0], ANSWERS[3]] {
        // Quit, panic, a signal, a stop.
        for end in ["q", "p", "TERM", "TSTP"] {
            let mut rig = Rig::start_answering(answer, |_, _| {});
            let mut keys = 0;
            rig.wait_for("the last answer", |screen| screen.contents().contains("narrow"));
            press(&mut rig, b"o", &mut keys);
            let shown = rig.bytes();
            assert_eq!(count(&rig.since(0), begins), 1, "{name}");
            match end {
                "TERM" => rig.signal(Signal::TERM),
                "TSTP" => rig.signal(Signal::TSTP),
                key => rig.send(key.as_bytes()),
            }
            rig.wait_for("the terminal given back", |screen| !screen.alternate_screen());
            let sent = rig.since(shown);
            let away = if name == "kitty" { "\x1b_Ga=d,d=I," } else { "\x1b[H\x1b[J" };
            let at = sent.windows(away.len()).position(|window| window == away.as_bytes());
            let left = sent.windows(8).position(|window| window == b"\x1b[?1049l");
            assert!(at.is_some() && at < left, "{name} {end}: {:?}", String::from_utf8_lossy(&sent));
            if end == "TSTP" {
                rig.wait_for("the stop", |_| rig.state() == 'T');
                let start = rig.bytes();
                rig.signal(Signal::CONT);
                rig.wait_for("the screen again", |screen| screen.contents().contains("keys=1 "));
                press(&mut rig, b"x", &mut keys);
                assert_eq!(count(&rig.since(start), begins), 1, "{name}: it comes again");
                let start = rig.bytes();
                rig.master.resize(size(30, 10)).unwrap();
                rig.wait_for_text("toy 30x10");
                let sent = rig.since(start);
                assert_eq!(count(&sent, begins), 0, "{name}: not where it does not fit");
                assert_eq!(count(&sent, "\x1b_Ga=d,d=I,"), usize::from(name == "kitty"));
            }
        }
    }
}

#[test]
fn late_answers_are_heard_and_are_no_keys() {
    let mut rig = Rig::start();
    let mut keys = 0;
    // After this nothing is waited for any more.
    std::thread::sleep(Duration::from_millis(400));
    press(&mut rig, b"x", &mut keys);
    for piece in [b"\x1bP>|kitty(0.4".as_slice(), b"0.0)\x1b\\", b"\x1b_Gi=31;O", b"K\x1b", b"\\\x1b[6;18", b";9t"] {
        rig.send(piece);
        std::thread::sleep(Duration::from_millis(20));
    }
    press(&mut rig, b"o", &mut keys);
    rig.wait_for_bytes("\x1b_Ga=T,");
    let log: String = rig.text().lines().nth(1).unwrap_or_default().chars().take(38).collect();
    assert_eq!(log.trim(), "x o");
    // It says that the picture failed: there are none, then.
    rig.send(b"\x1b_Gi=23050,p=1;ENOSPC:q\x1b\\");
    rig.wait_for_bytes("\x1b_Ga=d,d=I,");
    press(&mut rig, b"x", &mut keys);
    assert_eq!(count(&rig.since(0), "\x1b_Ga=T,"), 1);
}

#[test]
fn the_width_of_the_block_is_heard_late_too() {
    let mut rig = Rig::slow_line();
    let mut keys = 0;
    // After this nothing is waited for any more.
    std::thread::sleep(Duration::from_millis(400));
    press(&mut rig, b"x", &mut keys);
    rig.send(b"\x1b[2;3R");
    rig.wait_for_text("x wide");
    // It has been heard: what looks like it is a key again, and not another width.
    rig.send(b"\x1b[2;2R");
    press(&mut rig, b"o", &mut keys);
    assert_eq!(rig.text().lines().nth(1).unwrap_or_default().trim(), "x wide o");
}

#[test]
fn a_signal_does_not_leave_an_answer_to_the_shell() {
    for end in ["q", "TERM", "p"] {
        let mut rig = Rig::slow_line();
        match end {
            "TERM" => rig.signal(Signal::TERM),
            key => rig.send(key.as_bytes()),
        }
        rig.wait_for("the terminal given back", |screen| !screen.alternate_screen());
        rig.send(b"\x1bP>|XTerm(379)\x1b\\\x1b[?62;22c\x1b[6;18;9t\x1b[2;2R");
        rig.exit_code();
        rig.assert_whole();
        // What nobody has read would be read by whoever has the terminal next.
        let slave = rustix::fs::open(
            rig.master.tty_name().unwrap(),
            rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY,
            rustix::fs::Mode::empty(),
        );
        // Not as lines: what has no end yet counts too.
        let slave = slave.unwrap();
        let mut raw = rustix::termios::tcgetattr(&slave).unwrap();
        raw.make_raw();
        rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &raw).unwrap();
        assert_eq!(rustix::io::ioctl_fionread(&slave).unwrap(), 0, "{end}");
    }
}

#[test]
fn keys_that_change_nothing_send_nothing_and_the_clipboard_and_bell_arrive() {
    let mut rig = Rig::start();
    rig.send(b"yb");
    rig.wait_for_text("keys=2");
    let bytes = rig.since(0);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("\x1b]52;c;d3hpZF8x"), "{text:?}");
    rig.wait_for("the bell", |_| true);
    assert!(rig.since(0).contains(&7));
}

#[test]
fn timers_tick_while_the_mind_wants_them() {
    let mut rig = Rig::start();
    rig.send(b"w");
    rig.wait_for_text("ticks=3");
    rig.send(b"j");
    rig.wait_for_text("keys=2");
    std::thread::sleep(Duration::from_millis(200));
    assert!(rig.text().contains("ticks=3"), "{}", rig.text());
}

#[test]
fn a_screen_that_others_wrote_on_is_repainted() {
    let mut rig = Rig::start();
    rig.send(b"j");
    rig.wait_for_text("keys=1");
    rig.seen.lock().unwrap().parser.process(b"\x1b[2J\x1b[31;7mwall: the system is going down");
    rig.send(b"\x0c");
    rig.wait_for("a clean screen", |screen| {
        let contents = screen.contents();
        contents.contains("keys=2") && contents.contains("j C-l") && !contents.contains("wall")
    });
    rig.seen.lock().unwrap().parser.process(b"\x1b[2J\x1b[Hwall: again\x1b[?1049l\x1b[?25h");
    rig.signal(Signal::CONT);
    rig.wait_for("a clean screen", |screen| {
        screen.alternate_screen()
            && screen.hide_cursor()
            && screen.contents().contains("keys=2")
            && !screen.contents().contains("wall")
    });
}

#[test]
fn a_dumb_terminal_without_utf8_starts_too() {
    let mut rig = Rig::start_with(|command, _| {
        command.env("TERM", "dumb");
        command.env("LC_ALL", "C");
    });
    rig.send(b"q");
    assert_eq!(rig.exit_code(), 0);
    rig.assert_whole();
}

#[test]
fn a_storm_of_messages_is_few_frames_and_keys_come_through() {
    let mut rig = Rig::start();
    let (start, began) = (rig.bytes(), Instant::now());
    rig.send(b"m");
    rig.wait_for_text("keys=1");
    rig.send(b"j");
    rig.wait_for_text("keys=2");
    rig.wait_for_text("notices=1000");
    let most = usize::try_from(began.elapsed().as_millis() / 50).unwrap() + 4;
    assert!(rig.frames_since(start) <= most, "{} frames, at most {most}", rig.frames_since(start));
}

#[test]
fn twenty_sizes_are_few_frames() {
    let rig = Rig::start();
    let (start, began) = (rig.bytes(), Instant::now());
    for step in 1..=20 {
        rig.master.resize(size(80 + step, 24)).unwrap();
        std::thread::sleep(Duration::from_millis(4));
    }
    rig.wait_for_text("toy 100x24 keys=0 notices=0 buffer=100x24");
    let most = usize::try_from(began.elapsed().as_millis() / 80).unwrap() + 2;
    assert!(rig.frames_since(start) <= most, "{} frames, at most {most}", rig.frames_since(start));
}

// ───── the terminal comes back ─────

#[test]
fn every_signal_gives_the_terminal_back() {
    let signals = [
        (Signal::HUP, 129),
        (Signal::INT, 130),
        (Signal::QUIT, 131),
        (Signal::USR1, 138),
        (Signal::USR2, 140),
        (Signal::ALARM, 142),
        (Signal::TERM, 143),
    ];
    for (signal, code) in signals {
        let mut rig = Rig::start();
        rig.signal(signal);
        assert_eq!(rig.exit_code(), code, "{signal:?}");
        rig.assert_whole();
    }
}

#[test]
fn a_stop_gives_the_terminal_back_and_going_on_takes_it_again() {
    let mut rig = Rig::start();
    for round in 0..2 {
        rig.signal(Signal::TSTP);
        rig.wait_for("the stop", |_| rig.state() == 'T');
        rig.assert_whole();
        rig.master.resize(size(80, 20 + round)).unwrap();
        rig.signal(Signal::CONT);
        rig.wait_for("the screen again", |screen| {
            screen.alternate_screen() && screen.hide_cursor() && screen.contents().contains("toy 80x2")
        });
    }
    rig.wait_for_text("toy 80x21");
    rig.send(b"j");
    rig.wait_for_text("keys=1");
    rig.send(b"q");
    assert_eq!(rig.exit_code(), 0);
    rig.assert_whole();
}

#[test]
fn ctrl_z_stops_under_a_shell_and_only_there() {
    let mut alone = Rig::start();
    alone.send(b"\x1aj");
    alone.wait_for_text("keys=2");
    assert_ne!(alone.state(), 'T', "nobody could wake it");

    let mut rig = Rig::start_with(|command, reports| {
        let inner = format!("{} --exact toy --nocapture --test-threads=1", std::env::current_exe().unwrap().display());
        *command = CommandBuilder::new("sh");
        command.args(["-mc", &format!("{inner}; echo stopped; read line; fg >/dev/null; echo left $?")]);
        environment(command, reports);
    });
    rig.send(b"\x1a");
    rig.wait_for("the shell", |screen| screen.contents().contains("stopped") && !screen.alternate_screen());
    rig.send(b"\n");
    rig.wait_for("the screen again", |screen| screen.alternate_screen() && screen.contents().contains("keys=1"));
    rig.send(b"q");
    rig.wait_for_text("left 0");
    rig.assert_whole();
}

#[test]
fn a_panic_gives_the_terminal_back_and_says_where_the_report_is() {
    let mut rig = Rig::start();
    rig.send(b"p");
    assert_eq!(rig.exit_code(), 101);
    rig.assert_whole();
    rig.wait_for_text("saoma has crashed");
    rig.wait_for_text("the toy  [31mbreaks");
    let reports: Vec<_> = std::fs::read_dir(rig.reports.path()).unwrap().map(|entry| entry.unwrap()).collect();
    let [report] = reports.as_slice() else { panic!("{reports:?}") };
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(report.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(report.path()).unwrap();
    assert!(
        text.contains(env!("CARGO_PKG_VERSION")) && text.contains("breaks") && text.contains("terminal.rs"),
        "{text}"
    );
}

#[test]
fn a_panic_behind_the_stage_is_a_notice() {
    let mut rig = Rig::start();
    rig.send(b"t");
    rig.wait_for_text("A part of saoma has crashed: a helper breaks");
    rig.send(b"q");
    assert_eq!(rig.exit_code(), 0);
    rig.assert_whole();
}

#[test]
fn a_terminal_that_takes_nothing_holds_nobody_and_gets_no_old_frames() {
    let mut rig = Rig::start();
    rig.send(b"n");
    rig.wait_for_text("keys=1 ");
    rig.paused.store(true, Ordering::Relaxed);
    // Each key changes all cells: far more than the line holds.
    for _ in 0..300 {
        rig.send(b"j");
        std::thread::sleep(Duration::from_millis(2));
    }
    let start = rig.bytes();
    rig.paused.store(false, Ordering::Relaxed);
    rig.wait_for_text("keys=301 ");
    assert!(rig.frames_since(start) < 200, "{} frames", rig.frames_since(start));
    rig.paused.store(true, Ordering::Relaxed);
    for _ in 0..300 {
        rig.send(b"j");
        std::thread::sleep(Duration::from_millis(1));
    }
    rig.signal(Signal::TERM);
    assert_eq!(rig.exit_code(), 143);
    assert_eq!(format!("{:?}", rig.master.get_termios().unwrap()), rig.before);
}

#[test]
fn when_the_terminal_is_gone_so_is_the_program() {
    let reports = tempfile::tempdir().unwrap();
    let pair = native_pty_system().openpty(size(80, 24)).unwrap();
    let mut child = pair.slave.spawn_command(command(&reports)).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut bytes: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while !bytes.windows(6).any(|window| window == b"toy 80") {
        let count = reader.read(&mut buffer).unwrap();
        bytes.extend(&buffer[..count]);
    }
    drop(reader);
    drop(pair.master);
    let until = Instant::now() + LONG;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("still there");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(status.exit_code(), 129);
}

#[test]
fn without_a_terminal_it_says_so() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "toy", "--nocapture", "--test-threads=1"])
        .env("SAOMA_TOY", std::env::temp_dir())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a terminal"));
}
