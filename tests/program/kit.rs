//! What the tests stand on: a gateway, a home of its own for every test, the binary with and without a terminal.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use saoma::gateway::profile_id;
use saoma::model::{Dialect, WId};
use saoma::simulator::{Setup, SimAccount, Simulator};
use serde_json::{Value, json};

/// How long anything may take before the test gives up on it; a loaded machine is no failure.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// The binary under test.
const SAOMA: &str = env!("CARGO_BIN_EXE_saoma");

/// Where the simulated gateways live: one thread for all of them.
static RUNTIME: LazyLock<tokio::runtime::Handle> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
});

/// Runs a future on the gateways' runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// So many tests run at once, however many threads the machine has.
static PLACES: (Mutex<usize>, Condvar) = (Mutex::new(4), Condvar::new());

/// One of the places; given back when dropped.
pub(crate) struct Place;

impl Place {
    pub(crate) fn take() -> Self {
        let free = PLACES.0.lock().unwrap();
        *PLACES.1.wait_while(free, |free| *free == 0).unwrap() -= 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *PLACES.0.lock().unwrap() += 1;
        PLACES.1.notify_one();
    }
}

/// Waits for a condition.
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    eventually_within(LONG, what, condition);
}

/// As [`eventually`], with a limit of its own.
pub(crate) fn eventually_within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < until, "waited for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

// ───── a home and a gateway ─────

/// A home with a profile on a gateway of its own.
pub(crate) struct Desk {
    pub(crate) home: tempfile::TempDir,
    pub(crate) sim: Simulator,
    pub(crate) dialect: Dialect,
    _place: Place,
}

/// How a command went.
#[derive(Debug)]
pub(crate) struct Went {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Went {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// stdout as JSON lines.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}")))
            .collect()
    }

    /// The names of the events on stdout.
    pub(crate) fn events(&self) -> Vec<String> {
        self.lines().iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
    }
}

/// Three accounts that were signed in before: the first is online, the others are not.
pub(crate) fn three() -> Setup {
    let mut accounts = vec![
        SimAccount::new("wxid_anna", "Anna 安娜").online(),
        SimAccount::new("wxid_bela", "Bela"),
        SimAccount::new("wxid_chen", "陈晨"),
    ];
    accounts[1].w_account = "bela-1".into();
    Setup { accounts, ..Setup::default() }
}

impl Desk {
    /// A gateway; a home whose profile has its token, and which knows the gateway's accounts (with wIds from before).
    pub(crate) fn new(setup: Setup) -> Self {
        let desk = Self::bare(setup.clone());
        desk.configure("1h");
        desk.write_token();
        let known: Vec<Value> = setup
            .accounts
            .iter()
            .filter(|account| account.known)
            .map(|account| {
                json!({
                    "wc_id": account.wc_id,
                    "nick_name": account.nick_name,
                    "w_id": format!("before-{}", account.wc_id),
                })
            })
            .collect();
        if !known.is_empty() {
            let went = desk.run_with(&["accounts", "import", "-"], &Value::from(known).to_string());
            assert_eq!(went.code, 0, "{went:?}");
        }
        desk
    }

    /// A gateway and an empty home.
    pub(crate) fn bare(setup: Setup) -> Self {
        let place = Place::take();
        let dialect = setup.dialect;
        let sim = block_on(Simulator::start(setup)).unwrap();
        Self { home: tempfile::tempdir().unwrap(), sim, dialect, _place: place }
    }

    /// Writes `config.toml`, with the fleet list at this interval.
    pub(crate) fn configure(&self, interval: &str) {
        let text = format!(
            "[profile.default]\ngateway = '{}'\ndialect = '{}'\naccount = '{}'\n[watch]\ninterval = '{interval}'\n",
            self.sim.url(),
            self.dialect.name(),
            self.sim.account()
        );
        std::fs::create_dir_all(self.home.path().join("config/saoma")).unwrap();
        std::fs::write(self.config(), text).unwrap();
    }

    /// Writes `credentials.toml` as a sign-in leaves it: with the token, for V1 with the password too.
    pub(crate) fn write_token(&self) {
        let id = profile_id(self.sim.account(), self.sim.url());
        let mut text = format!("[profile.\"{}\"]\ntoken = '{}'\n", id.as_str(), self.sim.token());
        if self.dialect == Dialect::V1 {
            text.push_str(&format!("password = '{}'\n", self.sim.password()));
        }
        std::fs::create_dir_all(self.state()).unwrap();
        std::fs::write(self.state().join("credentials.toml"), text).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(self.state().join("credentials.toml"), std::fs::Permissions::from_mode(0o600))
            .unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.home.path().join("config/saoma/config.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state/saoma")
    }

    /// The program without a terminal.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(SAOMA);
        command.args(arguments).env_clear().envs(environment(self.home.path())).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Went {
        Went::of(self.command(arguments).output().unwrap())
    }

    /// Runs with something on stdin.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Went {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Went::of(child.wait_with_output().unwrap())
    }

    /// Starts a command; the phones may act while it runs.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        // A group of its own, as a shell with job control would give it.
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap();
        Running::new(child)
    }

    /// `saoma wid`, which has to succeed.
    pub(crate) fn wid(&self, account: &str) -> WId {
        let went = self.run(&["wid", account]);
        assert_eq!(went.code, 0, "{went:?}");
        WId::new(went.out.trim())
    }

    /// The account's object in `saoma accounts --json`.
    pub(crate) fn account(&self, wc_id: &str) -> Value {
        let went = self.run(&["accounts", "--json"]);
        assert_eq!(went.code, 0, "{went:?}");
        let accounts = went.lines().remove(0)["accounts"].take();
        let found = accounts.as_array().unwrap().iter().find(|account| account["wc_id"] == wc_id);
        found.cloned().unwrap_or_else(|| panic!("{wc_id} is not in {accounts}"))
    }

    /// The wId that is live on the gateway.
    pub(crate) fn live(&self, wc_id: &str) -> Option<WId> {
        self.sim.online().into_iter().find(|(online, _)| online.as_str() == wc_id).map(|(_, w_id)| w_id)
    }

    /// That the store knows the gateway's live wId, and knows it to be so.
    pub(crate) fn assert_stored(&self, wc_id: &str) {
        let live = self.live(wc_id);
        let account = self.account(wc_id);
        assert_eq!(account["w_id"].as_str(), live.as_ref().map(WId::as_str), "{account}");
        assert_eq!((&account["presence"], &account["w_id_confirmed"]), (&json!("online"), &json!(true)), "{account}");
        assert_eq!(Some(self.wid(wc_id)), live);
    }

    /// The TUI, when its first frame is there.
    pub(crate) fn tui(&self) -> Tui {
        self.tui_at(80, 24)
    }

    pub(crate) fn tui_at(&self, columns: u16, rows: u16) -> Tui {
        self.opened(Tui::start(self.home.path(), &[], columns, rows))
    }

    /// With more in its environment.
    pub(crate) fn tui_with(&self, env: &[(&str, &str)]) -> Tui {
        let mut command = Tui::command(self.home.path(), &[]);
        for (name, value) in env {
            command.env(name, value);
        }
        self.opened(Tui::spawn(command, 80, 24))
    }

    fn opened(&self, tui: Tui) -> Tui {
        tui.wait("the first frame", |screen| screen.alternate_screen() && !screen.contents().trim().is_empty());
        tui
    }

    /// How often an endpoint was asked.
    pub(crate) fn asked(&self, endpoint: &str) -> usize {
        self.sim.requests().iter().filter(|request| request.endpoint == endpoint).count()
    }

    /// Waits until so many codes wait to be scanned on the gateway; gives their wIds.
    pub(crate) fn codes(&self, count: usize) -> Vec<WId> {
        eventually("codes", || self.sim.waiting_codes().len() == count);
        self.sim.waiting_codes()
    }
}

/// JSON lines that are still being written: the last one may be on its way.
pub(crate) fn whole_lines(text: &str) -> Vec<Value> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A command that runs.
pub(crate) struct Running {
    child: Option<std::process::Child>,
    out: Arc<Mutex<Vec<u8>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn new(mut child: std::process::Child) -> Self {
        let out = Arc::new(Mutex::new(Vec::new()));
        let (mut stdout, into) = (child.stdout.take().unwrap(), Arc::clone(&out));
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                into.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { child: Some(child), out, reader: Some(reader) }
    }

    /// Waits until it has told an event.
    #[track_caller]
    pub(crate) fn wait_event(&self, event: &str) {
        let wanted = format!("\"event\":\"{event}\"");
        eventually(event, || self.said().contains(&wanted));
    }

    pub(crate) fn end(mut self) -> Went {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        self.reader.take().unwrap().join().unwrap();
        Went { out: self.said(), ..Went::of(output) }
    }

    /// What it has said so far; a letter may have come by half.
    fn said(&self) -> String {
        String::from_utf8_lossy(&self.out.lock().unwrap()).into_owned()
    }

    /// What it has told so far, whole lines, as JSON.
    pub(crate) fn told(&self) -> Vec<Value> {
        whole_lines(&self.said())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.as_ref().unwrap().id()).unwrap()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

fn environment(home: &Path) -> Vec<(&'static str, std::ffi::OsString)> {
    vec![
        ("HOME", home.into()),
        ("XDG_CONFIG_HOME", home.join("config").into()),
        ("XDG_STATE_HOME", home.join("state").into()),
        ("TMPDIR", home.into()),
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("TERM", "xterm-256color".into()),
        ("TZ", "UTC".into()),
        ("SAOMA_LANG", "en".into()),
    ]
}

// ───── the program in a terminal ─────

/// Who reads what is typed into a shell's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    Shell,
    Program,
}

/// The program in a terminal of its own.
pub(crate) struct Tui {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
    gone: Arc<AtomicBool>,
    before: String,
}

struct Seen {
    parser: vt100::Parser<Strange>,
    bytes: Vec<u8>,
}

/// What the terminal was told that it does not know, and what a program must not do to it behind a person's back.
#[derive(Default)]
pub(crate) struct Strange(pub(crate) Vec<String>);

impl vt100::Callbacks for Strange {
    fn set_window_icon_name(&mut self, _: &mut vt100::Screen, name: &[u8]) {
        self.0.push(format!("icon name {name:?}"));
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.0.push(format!("title {title:?}"));
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.0.push(format!("clipboard {}", String::from_utf8_lossy(data)));
    }

    fn unhandled_char(&mut self, _: &mut vt100::Screen, c: char) {
        self.0.push(format!("character {c:?}"));
    }

    fn unhandled_control(&mut self, _: &mut vt100::Screen, b: u8) {
        self.0.push(format!("control {b}"));
    }

    fn unhandled_escape(&mut self, _: &mut vt100::Screen, i1: Option<u8>, i2: Option<u8>, b: u8) {
        // ST, the end of a question in kitty's protocol, is told apart from what it ends.
        if (i1, i2, b) != (None, None, b'\\') {
            self.0.push(format!("escape {i1:?} {i2:?} {b}"));
        }
    }

    fn unhandled_csi(&mut self, _: &mut vt100::Screen, i1: Option<u8>, i2: Option<u8>, params: &[&[u16]], c: char) {
        // Synchronised output, and the questions of the first frame: the width of a block, the size of a cell, what kind of
        // terminal it is, its name.
        let synchronised = (i1, i2, params) == (Some(b'?'), None, &[&[2026]]);
        let asks = (i1, i2) == (None, None) && matches!((params, c), ([[6]], 'n') | ([[16]], 't') | ([] | [[0]], 'c'));
        let name = (i1, i2, c) == (Some(b'>'), None, 'q');
        if !synchronised && !asks && !name {
            self.0.push(format!("csi {i1:?} {i2:?} {params:?} {c:?}"));
        }
    }

    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        self.0.push(format!("osc {params:?}"));
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Tui {
    /// Starts the program; waits for nothing.
    pub(crate) fn start(home: &Path, arguments: &[&str], columns: u16, rows: u16) -> Self {
        Self::spawn(Self::command(home, arguments), columns, rows)
    }

    /// The same in a terminal of this name.
    pub(crate) fn in_terminal(home: &Path, arguments: &[&str], term: Option<&str>) -> Self {
        let mut command = Self::command(home, arguments);
        match term {
            Some(term) => command.env("TERM", term),
            None => command.env_remove("TERM"),
        }
        Self::spawn(command, 80, 24)
    }

    fn command(home: &Path, arguments: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(SAOMA);
        command.args(arguments);
        command.env_clear();
        for (name, value) in environment(home) {
            command.env(name, value);
        }
        command.cwd(home);
        command
    }

    /// A shell with a bare prompt, as recorders start it, that finds the program.
    pub(crate) fn shell(home: &Path, env: &[(impl AsRef<OsStr>, impl AsRef<OsStr>)], columns: u16, rows: u16) -> Self {
        let mut command = CommandBuilder::new("bash");
        command.args(["--noprofile", "--norc", "+o", "history"]);
        command.env_clear();
        for (name, value) in environment(home).into_iter().filter(|(name, _)| *name != "SAOMA_LANG") {
            command.env(name, value);
        }
        let mut path = Path::new(SAOMA).parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.env("PATH", path);
        command.env("PS1", "> ");
        for (name, value) in env {
            command.env(name, value);
        }
        command.cwd(home);
        Self::spawn(command, columns, rows)
    }

    fn spawn(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let before = format!("{:?}", pair.master.get_termios().unwrap());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let parser = vt100::Parser::new_with_callbacks(
            rows.try_into().unwrap(),
            columns.try_into().unwrap(),
            0,
            Strange::default(),
        );
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new() }));
        let gone = Arc::new(AtomicBool::new(false));
        let (into, leave) = (Arc::clone(&seen), Arc::clone(&gone));
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if leave.load(Ordering::Relaxed) {
                    break;
                }
                let mut seen = into.lock().unwrap();
                seen.parser.process(&buffer[..count]);
                seen.bytes.extend(&buffer[..count]);
            }
        });
        Self { master: Some(pair.master), writer, child, seen, gone, before }
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, condition: impl Fn(&vt100::Screen) -> bool) {
        let until = Instant::now() + LONG;
        while !condition(self.seen.lock().unwrap().parser.screen()) {
            assert!(Instant::now() < until, "waited for {what}; the screen shows:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until the screen shows this, wherever lines break.
    #[track_caller]
    pub(crate) fn wait_text(&self, text: &str) {
        self.wait(text, |screen| shows(screen, text));
    }

    /// Waits until the account's row says this.
    #[track_caller]
    pub(crate) fn wait_row(&self, name: &str, word: &str) {
        self.wait(&format!("{name} {word}"), |screen| row(screen, name).is_some_and(|row| row.contains(word)));
    }

    /// Waits until the program has acted on all that was typed: it repaints the screen when it comes to that.
    #[track_caller]
    fn wait_for_keys(&mut self) {
        let before = self.bytes();
        self.send(b"\x0c");
        let clear = b"\x1b[2J";
        eventually("a repaint", || self.raw()[before..].windows(clear.len()).any(|window| window == clear));
    }

    /// Puts the cursor on an account's row. Rows may move meanwhile.
    #[track_caller]
    pub(crate) fn select(&mut self, name: &str) {
        let until = Instant::now() + LONG;
        while Instant::now() < until {
            // A key that is still on its way would move the cursor on; and after the first key it stays on its account.
            self.wait_for_keys();
            let at = |screen: &vt100::Screen| {
                let rows = pane(screen);
                let wanted = rows.iter().position(|row| names(row, name))?;
                Some((wanted, rows.iter().position(|row| row.contains('▸'))?))
            };
            match self.look(at) {
                Some((wanted, cursor)) if wanted == cursor => return,
                Some((wanted, cursor)) => self.send(if wanted > cursor { b"j" } else { b"k" }),
                None => {}
            }
        }
        panic!("{name} is not reached:\n{}", self.text());
    }

    /// Looks at the screen as it is now.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&vt100::Screen) -> T) -> T {
        at(self.seen.lock().unwrap().parser.screen())
    }

    pub(crate) fn text(&self) -> String {
        self.look(vt100::Screen::contents)
    }

    /// What the terminal did not know or should not have been told.
    pub(crate) fn strange(&self) -> Vec<String> {
        self.seen.lock().unwrap().parser.callbacks().0.clone()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
        self.writer.flush().unwrap();
    }

    /// How many bytes the terminal got.
    pub(crate) fn bytes(&self) -> usize {
        self.seen.lock().unwrap().bytes.len()
    }

    /// Everything the terminal got.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.seen.lock().unwrap().bytes.clone()
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.seen.lock().unwrap().parser.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
        self.master.as_ref().unwrap().resize(size(columns, rows)).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until keys are the shell's, or those of what it started. A Ctrl-C before that is for the other of the two.
    #[track_caller]
    pub(crate) fn wait_for_keys_of(&self, whose: Keys) {
        let shell = self.pid().as_raw_nonzero().get();
        let owner = || self.master.as_ref().unwrap().process_group_leader();
        eventually("the terminal's new owner", || {
            owner().is_some_and(|owner| (owner == shell) == (whose == Keys::Shell))
        });
    }

    /// Its state as `ps` shows it: `T` when stopped.
    pub(crate) fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> u32 {
        let until = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < until, "still alive; the screen shows:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it as a person does.
    #[track_caller]
    pub(crate) fn quit(&mut self) {
        self.send(b"q");
        assert_eq!(self.exit_code(), 0);
        self.assert_whole();
    }

    /// kill -9
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _status = self.child.wait().unwrap();
    }

    /// The terminal vanishes: with the next bytes that it is sent, since the reader has a hold on it until then.
    pub(crate) fn vanish(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        drop(self.master.take());
        self.writer = Box::new(std::io::sink());
    }

    /// That the terminal is as the program found it.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        self.wait("a terminal given back", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
        let now = self.master.as_ref().unwrap().get_termios().unwrap();
        assert_eq!(format!("{now:?}"), self.before);
    }

    /// How often its threads went to sleep and woke up again.
    pub(crate) fn wakes(&self) -> u64 {
        wakes(self.pid())
    }
}

/// How often a process's threads went to sleep and woke up again.
pub(crate) fn wakes(pid: Pid) -> u64 {
    let tasks = format!("/proc/{}/task", pid.as_raw_nonzero());
    let count = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        switches.trim().parse::<u64>().ok()
    };
    let mut sum = None;
    // Again, where a thread has ended between its name and its count.
    eventually("all threads at once", || {
        sum = std::fs::read_dir(&tasks).unwrap().map(|task| count(task.unwrap())).sum();
        sum.is_some()
    });
    sum.unwrap()
}

impl Drop for Tui {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Rows and columns.
pub(crate) fn dimensions(screen: &vt100::Screen) -> (u16, u16) {
    let (rows, columns) = screen.size();
    (rows.into(), columns.into())
}

/// Whether the screen shows a text, wherever its lines break.
pub(crate) fn shows(screen: &vt100::Screen, text: &str) -> bool {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let whole = squeezed(&screen.contents());
    // Panes side by side: each by itself too.
    let (_, columns) = dimensions(screen);
    let part = |from: u16, width: u16| squeezed(&screen.rows(from, width).collect::<Vec<_>>().join(" "));
    let wanted = squeezed(text);
    whole.contains(&wanted)
        || (columns >= 60
            && [27, 42, 43, 60]
                .into_iter()
                .any(|cut| part(0, cut).contains(&wanted) || part(cut, columns.saturating_sub(cut)).contains(&wanted)))
}

/// The lines of the accounts pane, the status line left out.
fn pane(screen: &vt100::Screen) -> Vec<String> {
    let (_, columns) = dimensions(screen);
    let width = match columns {
        120.. => 60,
        80.. => 42,
        60.. => 26,
        _ => columns,
    };
    screen
        .rows(0, width)
        .skip(1)
        .take_while(|row| !row.trim_start_matches(['┌', '╭', '└', '╰', '─']).starts_with("Events"))
        .collect()
}

fn names(row: &str, name: &str) -> bool {
    row.trim_start_matches(['│', ' ', '▸']).starts_with(name)
}

/// An account's row in the accounts pane.
pub(crate) fn row(screen: &vt100::Screen, name: &str) -> Option<String> {
    pane(screen).into_iter().find(|row| names(row, name))
}
