//! Output holds nothing up and ends nothing: a pipe that nobody reads, a terminal that was stopped, a full disk, a reader
//! that goes away. And it is all there for whoever reads it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use saoma::model::Dialect;
use saoma::simulator::{Act, Setup};

use crate::kit::{Desk, Tui, eventually, three};

/// A command, ended when dropped.
struct Started(Child);

impl Started {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    #[track_caller]
    fn code(&mut self) -> Option<i32> {
        eventually("its end", || self.0.try_wait().unwrap().is_some());
        self.0.wait().unwrap().code()
    }

    fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// What it said, when it is over.
    fn said(&mut self) -> String {
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn start(desk: &Desk, arguments: &[&str], stdout: impl Into<Stdio>) -> Started {
    start_with(desk, arguments, stdout, &[])
}

fn start_with(desk: &Desk, arguments: &[&str], stdout: impl Into<Stdio>, env: &[(&str, &str)]) -> Started {
    let mut command = desk.command(arguments);
    command.envs(env.iter().copied()).stdout(stdout).stderr(Stdio::piped());
    Started(command.spawn().unwrap())
}

/// A pipe without room for another byte: the end that nobody reads, and the other.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    rustix::pipe::fcntl_setpipe_size(&write, 4096).unwrap();
    rustix::io::ioctl_fionbio(&write, true).unwrap();
    while rustix::io::write(&write, &[b'\n'; 512]) != Err(Errno::AGAIN) {}
    rustix::io::ioctl_fionbio(&write, false).unwrap();
    (read, write)
}

/// A desk whose list is asked for every five seconds and whose hook writes into a file, given too.
fn observed() -> (Desk, impl Fn() -> String) {
    let desk = Desk::new(three());
    desk.configure("5s");
    let log = desk.home.path().join("hook.log");
    let hook = format!("[alerts]\ncommand = 'cat >> {}'\n", log.display());
    OpenOptions::new().append(true).open(desk.config()).unwrap().write_all(hook.as_bytes()).unwrap();
    (desk, move || std::fs::read_to_string(&log).unwrap_or_default())
}

/// That it looks and alerts: a drop reaches the bots.
#[track_caller]
fn assert_works(desk: &Desk, hooked: &impl Fn() -> String) {
    eventually("anna online", || desk.account("wxid_anna")["presence"] == "online");
    desk.sim.drop_account(&"wxid_anna".into()).unwrap();
    eventually("the alert", || hooked().contains("\"dropped\""));
}

#[test]
fn a_watch_that_nobody_reads_looks_alerts_and_ends() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let (desk, hooked) = observed();
        let (_nobody, full) = full_pipe();
        let mut watch = start(&desk, &["watch"], full);
        assert_works(&desk, &hooked);
        watch.signal(signal);
        assert_eq!(watch.code(), Some(code));
        // The line that it had to tell of itself, and the drop.
        assert!(watch.said().contains("Output lines dropped: "), "it says what is missing");
        let log = std::fs::read_to_string(desk.state().join("saoma.log")).unwrap();
        assert!(log.contains("lines of the output were dropped"), "{log}");
    }
}

#[test]
fn a_watch_whose_words_nobody_reads_either_does_too() {
    let (desk, hooked) = observed();
    let (_nobody, full) = full_pipe();
    let mut command = desk.command(&["watch"]);
    let mut watch = Started(command.stdout(full.try_clone().unwrap()).stderr(full).spawn().unwrap());
    assert_works(&desk, &hooked);
    watch.signal(Signal::TERM);
    assert_eq!(watch.code(), Some(143));
}

#[test]
fn a_watch_on_a_terminal_that_was_stopped_looks_alerts_and_ends() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let (desk, hooked) = observed();
        let mut tui = Tui::start(desk.home.path(), &["watch"], 80, 24);
        tui.wait_text("watching 3");
        tui.send(b"\x13");
        assert_works(&desk, &hooked);
        assert!(!tui.text().contains("off line"), "the terminal takes nothing: {}", tui.text());
        tui.signal(signal);
        assert_eq!(tui.exit_code(), code);
    }
}

#[test]
fn when_the_terminal_goes_on_the_lines_come_in_order() {
    let (desk, hooked) = observed();
    let mut tui = Tui::start(desk.home.path(), &["watch"], 80, 24);
    tui.wait_text("watching 3");
    tui.send(b"\x13");
    assert_works(&desk, &hooked);
    desk.sim.act(Act::Online { wc_id: "wxid_bela".into() }).unwrap();
    eventually("bela's wId", || hooked().contains("wxid_bela"));
    tui.send(b"\x11");
    tui.wait("both lines", |screen| {
        let text = screen.contents();
        text.find("Anna").is_some_and(|anna| text.find("Bela").is_some_and(|bela| anna < bela))
    });
    assert!(!tui.text().contains("dropped:"), "nothing was dropped");
    tui.signal(Signal::TERM);
    assert_eq!(tui.exit_code(), 143);
}

#[test]
fn a_full_disk_and_a_vanished_terminal_do_not_end_a_watch() {
    let terminal = || {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        // Not its controlling terminal: no SIGHUP comes when it vanishes.
        let slave = rustix::fs::open(name, rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY, 0.into()).unwrap();
        drop(master);
        slave
    };
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    for (what, stdout) in [("No space left", Stdio::from(full())), ("Input/output error", Stdio::from(terminal()))] {
        let (desk, hooked) = observed();
        let mut watch = start(&desk, &["watch", "--json"], stdout);
        assert_works(&desk, &hooked);
        assert!(!watch.is_over());
        watch.signal(Signal::TERM);
        assert_eq!(watch.code(), Some(143));
        let said = watch.said();
        assert!(said.contains(what) && said.contains("Output lines dropped: "), "{said}");
    }
}

#[test]
fn a_service_outlives_its_journal() {
    for name in ["NOTIFY_SOCKET", "JOURNAL_STREAM"] {
        let (desk, hooked) = observed();
        let path = desk.home.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let value = if name == "NOTIFY_SOCKET" { path.to_str().unwrap() } else { "8:12345" };
        let mut watch = start_with(&desk, &["watch"], Stdio::piped(), &[(name, value)]);
        let mut first = String::new();
        let mut reader = BufReader::new(watch.0.stdout.take().unwrap());
        reader.read_line(&mut first).unwrap();
        assert!(first.contains("\"watching\""), "{first}");
        drop(reader);
        assert_works(&desk, &hooked);
        assert!(!watch.is_over(), "{name}");
        watch.signal(Signal::TERM);
        assert_eq!(watch.code(), Some(143), "{name}");
    }
}

#[test]
fn a_login_that_nobody_reads_is_stored() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        let desk = Desk::new(Setup { dialect, ..three() });
        let (_nobody, full) = full_pipe();
        let mut login = start(&desk, &["login", "wxid_bela", "--json"], full.try_clone().unwrap());
        desk.codes(1);
        desk.sim.scan(None).unwrap();
        desk.sim.confirm(None).unwrap();
        assert_eq!(login.code(), Some(0), "{dialect:?}");
        assert!(login.said().contains("Output lines dropped: "), "{dialect:?}");
        desk.assert_stored("wxid_bela");
        // A signal is heard too.
        let mut login = start(&desk, &["login", "wxid_chen", "--json"], full);
        desk.codes(1);
        login.signal(Signal::TERM);
        assert_eq!(login.code(), Some(143), "{dialect:?}");
    }
}

#[test]
fn a_login_on_a_terminal_that_was_stopped_is_stored() {
    for before in [true, false] {
        let desk = Desk::new(three());
        let mut tui = Tui::start(desk.home.path(), &["login", "wxid_bela"], 80, 40);
        if before {
            tui.send(b"\x13");
        }
        desk.codes(1);
        if !before {
            tui.wait("the code", |screen| crate::eye::code(screen).is_some());
            tui.send(b"\x13");
        }
        desk.sim.scan(None).unwrap();
        desk.sim.confirm(None).unwrap();
        assert_eq!(tui.exit_code(), 0);
        desk.assert_stored("wxid_bela");
    }
}

#[test]
fn the_last_lines_of_a_login_wait_a_moment_for_their_reader() {
    let desk = Desk::new(three());
    let (nobody_yet, full) = full_pipe();
    let mut login = start(&desk, &["login", "wxid_bela", "--json"], full);
    desk.codes(1);
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    eventually("the login", || desk.live("wxid_bela").is_some());
    // Until it has nothing left to do but to tell of it. Where that takes longer, the reader is only early.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let mut text = String::new();
    File::from(nobody_yet).read_to_string(&mut text).unwrap();
    assert_eq!(login.code(), Some(0));
    let events: Vec<&str> =
        text.lines().filter_map(|line| line.split("\"event\":\"").nth(1)?.split('"').next()).collect();
    // The phone may have been quicker than the picture.
    assert_eq!(events.last(), Some(&"logged_in"), "{text}");
    assert_eq!(login.said(), "");
}

/// One request, answered whole.
fn get(url: &str) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
}

#[test]
fn a_simulator_of_which_only_the_first_line_is_read_goes_on_answering() {
    let desk = Desk::bare(three());
    for signal in [Signal::TERM, Signal::INT] {
        let arguments = ["simulate", "--listen", "127.0.0.1:0", "--scenario", "empty"];
        let mut simulate = start(&desk, &arguments, Stdio::piped());
        let mut reader = BufReader::with_capacity(1, simulate.0.stdout.take().unwrap());
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        let first: serde_json::Value = serde_json::from_str(&first).unwrap();
        assert_eq!(first["event"], "listening");
        // It held one byte, so nothing stays behind in it.
        let reader = BufReader::new(reader.into_inner());
        let url = first["url"].as_str().unwrap();
        for _ in 0..1000 {
            get(&format!("{url}/{}", "x".repeat(200)));
        }
        if signal == Signal::TERM {
            simulate.signal(signal);
            assert_eq!(simulate.code(), Some(0));
            continue;
        }
        // All is there for whoever begins to read.
        simulate.signal(signal);
        let lines: Vec<String> = reader.lines().map(Result::unwrap).collect();
        assert_eq!(simulate.code(), Some(0));
        let requests = lines.iter().filter(|line| line.contains("\"request\"")).count();
        assert!(requests >= 1000 && lines.last().unwrap().contains("\"stopped\""), "{requests} of {}", lines.len());
        assert!(!lines.iter().any(|line| line.contains("\"missed\"")));
    }
}

#[test]
fn a_command_that_cannot_say_its_answer_fails_and_one_whose_reader_had_enough_does_not() {
    let desk = Desk::new(three());
    assert_eq!(desk.run(&["status"]).code, 0);
    for arguments in [
        &["accounts"][..],
        &["accounts", "--json"],
        &["status"],
        &["wid", "wxid_anna"],
        &["history", "--json"],
        &["accounts", "export"],
        &["doctor"],
        &["keys"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["login", "--help"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut failed = start(&desk, arguments, full);
        assert_eq!(failed.code(), Some(1), "{arguments:?}");
        let said = failed.said();
        assert_eq!(said.matches("No space left").count(), 1, "{arguments:?}: {said}");
        let (nobody, pipe) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        drop(nobody);
        let mut enough = start(&desk, arguments, pipe);
        assert_eq!(enough.code(), Some(0), "{arguments:?}");
        let said = enough.said();
        assert!(!said.contains("panicked") && !said.contains("roken pipe"), "{arguments:?}: {said}");
    }
}

#[test]
fn an_answer_waits_for_a_slow_reader_even_where_the_pipe_does_not() {
    let desk = Desk::new(three());
    let csv: String = (0..2000).map(|number| format!("wxid_{number:08}\n")).collect();
    assert_eq!(desk.run_with(&["accounts", "import", "-"], &csv).code, 0);
    let (reader, pipe) = full_pipe();
    // As a shell script that left it so.
    rustix::io::ioctl_fionbio(&pipe, true).unwrap();
    let mut command = start(&desk, &["accounts", "--json"], pipe);
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    assert_eq!(command.code(), Some(0));
    let object: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(object["accounts"].as_array().unwrap().len(), 2003);
}

#[test]
fn a_signal_ends_a_command_that_nobody_reads() {
    let desk = Desk::new(three());
    // Not SIGHUP: whoever runs the tests with nohup wants it ignored by such commands.
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let (_nobody, full) = full_pipe();
        let mut command = start(&desk, &["accounts"], full);
        let thread =
            |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.ok()?.path().join("comm")).ok();
        let tasks = format!("/proc/{}/task", command.0.id());
        // Its work is done, and its output waits.
        eventually("the output", || {
            std::fs::read_dir(&tasks).unwrap().filter_map(thread).any(|name| name.trim() == "stdout")
        });
        command.signal(signal);
        assert_eq!(command.code(), Some(code));
    }
}
