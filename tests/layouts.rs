//! The whole program in a PTY, on a simulated gateway: a code in a plain terminal, its file, what `doctor` finds.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot be set up has failed")]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use saoma::simulator::{Simulator, demo_setup};

const LONG: Duration = Duration::from_secs(20);
const PROGRAM: &str = env!("CARGO_BIN_EXE_saoma");

/// A gateway in this process, and a home.
struct World {
    home: tempfile::TempDir,
    simulator: Simulator,
}

impl World {
    fn new() -> Self {
        let (give, take) = std::sync::mpsc::channel();
        // Ends with the test's process.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                give.send(Simulator::start(demo_setup(1)).await.unwrap()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        Self { home: tempfile::tempdir().unwrap(), simulator: take.recv().unwrap() }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let home = self.home.path();
        let folder = |name: &str| home.join(name).display().to_string();
        vec![
            ("HOME", folder("")),
            ("XDG_CONFIG_HOME", folder("config")),
            ("XDG_STATE_HOME", folder("state")),
            ("TERM", "xterm-256color".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("SAOMA_GATEWAY", self.simulator.url().to_owned()),
            ("SAOMA_ACCOUNT", self.simulator.account().to_owned()),
            ("SAOMA_TOKEN", self.simulator.token()),
        ]
    }
}

/// The program in a terminal that answers in which column the cursor is.
struct Run {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    seen: Arc<Mutex<(vt100::Parser, Vec<u8>)>>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Run {
    fn start(world: &World, arguments: &[&str], size: (u16, u16), column: u16) -> Self {
        Self::answering(world, arguments, size, &format!("\x1b[1;{column}R"), Duration::ZERO)
    }

    /// In one that answers this, over a line that takes so long.
    fn answering(world: &World, arguments: &[&str], (columns, rows): (u16, u16), answer: &str, line: Duration) -> Self {
        let mut command = CommandBuilder::new(PROGRAM);
        command.args(arguments);
        command.env_clear();
        for (name, value) in world.environment() {
            command.env(name, value);
        }
        let size = PtySize { rows, cols: columns, pixel_width: columns * 9, pixel_height: rows * 18 };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (mut reader, mut writer) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
        let parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let seen = Arc::new(Mutex::new((parser, Vec::new())));
        let into = Arc::clone(&seen);
        let answer = answer.to_owned();
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let bytes = &buffer[..count];
                let mut seen = into.lock().unwrap();
                seen.0.process(bytes);
                seen.1.extend(bytes);
                drop(seen);
                if bytes.windows(4).any(|window| window == b"\x1b[6n") {
                    std::thread::sleep(line);
                    let _gone = writer.write_all(answer.as_bytes());
                }
            }
        });
        Self { child, seen, _master: pair.master }
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let until = Instant::now() + LONG;
        while !condition(self) {
            assert!(Instant::now() < until, "waited for {what}:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn text(&self) -> String {
        self.seen.lock().unwrap().0.screen().contents()
    }

    /// Cells in the code's light colour.
    fn code_cells(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        let (rows, columns) = seen.0.screen().size();
        let all = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        all.filter(|(row, column)| {
            seen.0.screen().cell(*row, *column).is_some_and(|cell| cell.bgcolor() == vt100::Color::Idx(231))
        })
        .count()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn exit_code(&mut self) -> u32 {
        let until = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < until, "still there:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn is_there(path: &Path) -> bool {
    path.exists()
}

#[test]
fn a_signal_covers_the_code_and_takes_its_file() {
    let world = World::new();
    let png = world.home.path().join("code.png");
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let mut run = Run::start(&world, &["login", "--qr-png", png.to_str().unwrap()], (80, 24), 2);
        run.wait_for("a code and its file", |run| {
            run.code_cells() > 400 && is_there(&png) && run.text().contains("scan")
        });
        assert_eq!(std::fs::metadata(&png).unwrap().permissions().mode() & 0o777, 0o600);
        run.signal(signal);
        assert_eq!(run.exit_code(), code, "{signal:?}");
        assert!(!is_there(&png), "{signal:?}");
        run.wait_for("the code to be covered", |run| run.code_cells() == 0);
    }
}

#[test]
fn layouts_follow_the_flag_and_the_terminal() {
    let world = World::new();
    // Half blocks; spaces where the block takes two columns; no code where there is no room for it.
    for (arguments, size, column, block, drawn) in [
        (&["login"][..], (100, 50), 2, true, true),
        (&["login"], (100, 50), 3, false, true),
        (&["login", "--qr-layout", "wide"], (100, 50), 2, false, true),
        (&["login", "--qr-layout", "half"], (100, 50), 3, true, true),
        (&["login"], (80, 24), 3, false, false),
    ] {
        let mut run = Run::start(&world, arguments, size, column);
        run.wait_for("the words", |run| run.text().contains("scan with the phone"));
        assert_eq!(run.code_cells() > 0, drawn, "{arguments:?} {column}");
        assert_eq!(drawn && run.text().contains('▄'), block, "{arguments:?} {column}");
        assert_eq!(run.text().contains("missing"), !drawn);
        run.signal(Signal::INT);
        assert_eq!(run.exit_code(), 130);
    }
}

#[test]
fn nothing_is_drawn_where_stdout_is_no_terminal() {
    let world = World::new();
    let output =
        Command::new(PROGRAM).arg("login").env_clear().envs(world.environment()).stdin(Stdio::null()).output().unwrap();
    // And no code is asked for either.
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(2), ""));
    assert!(world.simulator.requests().iter().all(|request| request.endpoint != "iPadLogin"));
}

#[test]
fn doctor_finds_the_terminal_and_the_gateway() {
    let world = World::new();
    let mut run = Run::start(&world, &["doctor"], (120, 40), 3);
    assert_eq!(run.exit_code(), 0);
    run.wait_for("the terminal's line", |run| run.text().contains("takes columns: 2"));
    let text = run.text();
    assert!(text.contains("cell 9×18 px") && text.contains("layout wide"), "{text}");
    // Over a slow line too, and nothing of the answers is left for the shell.
    let answer = "\x1bP>|kitty(0.40.0)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?62;c\x1b[6;18;9t\x1b[1;2R";
    let mut run = Run::answering(&world, &["doctor"], (120, 40), answer, Duration::from_millis(500));
    assert_eq!(run.exit_code(), 0);
    run.wait_for("the terminal's line", |run| run.text().contains("takes columns: 1"));
    assert!(run.text().contains("pictures: kitty") && !run.text().contains("0.40"), "{}", run.text());

    let doctor = |token: &str, config: &str| {
        let folder = world.home.path().join("config/saoma");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), config).unwrap();
        let output = Command::new(PROGRAM)
            .args(["doctor", "--json"])
            .env_clear()
            .envs(world.environment())
            .env("SAOMA_TOKEN", token)
            .output()
            .unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(!String::from_utf8_lossy(&output.stdout).contains(&world.simulator.token()));
        let failed: Vec<String> = told["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["state"] == "fail")
            .map(|check| check["name"].as_str().unwrap().to_owned())
            .collect();
        (output.status.code().unwrap(), failed)
    };
    assert_eq!(doctor(&world.simulator.token(), ""), (0, vec![]));
    assert_eq!(doctor("SAOMA-wrong", ""), (1, vec!["gateway".to_owned()]));
    // Where notices are to be posted is said, the secret in it only to who asks for it.
    doctor(&world.simulator.token(), "[watch]\nlisten = '127.0.0.1:1'");
    let notices = |more: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(["doctor", "--json"])
            .args(more)
            .env_clear()
            .envs(world.environment())
            .env("SAOMA_TOKEN", world.simulator.token())
            .output()
            .unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let check = told["checks"].as_array().unwrap().iter().find(|check| check["name"] == "notices").unwrap();
        (check["message"].to_string(), check["hint"].to_string(), String::from_utf8(output.stdout).unwrap())
    };
    let (message, hint, all) = notices(&[]);
    let path = hint.split_whitespace().find(|word| word.contains("notice-path")).unwrap().trim_end_matches(['.', ';']);
    let secret = std::fs::read_to_string(path).unwrap();
    assert!(message.contains("http://127.0.0.1:1/…") && !all.contains(secret.trim()), "{all}");
    let (message, ..) = notices(&["--show-notice-url"]);
    assert!(message.contains(&format!("http://127.0.0.1:1/{}", secret.trim())), "{message}");
    assert_eq!(doctor(&world.simulator.token(), "[ui]\nqr_layout = 'big'"), (1, vec!["config".to_owned()]));
    // Only the screen reads the keys, and would not start with these.
    assert_eq!(doctor(&world.simulator.token(), "[keys]\nfrobnicate = 's'"), (1, vec!["config".to_owned()]));
}
