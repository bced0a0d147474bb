//! What saoma starts: the commands of the settings. Each is a family, a process group of its own that ends as a whole:
//! at its limit, after its first process, and with saoma.
//!
//! It ends even if saoma is killed: a guard beside it, a shell that waits for the end of a pipe of ours, sees to that. What
//! waits in the store is told again then, and an old telling must not come to its end after the new one.
//!
//! A shell that is killed leaves its children behind, and one of them may hold the output open for hours. So nobody here
//! waits for the end of an output, and what is left of a group is ended when its first process has ended. What is to
//! stay has to take a session of its own (`setsid`), as every daemon does.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid};

/// How long a family may take to end after SIGTERM; then comes SIGKILL.
const GRACE: Duration = Duration::from_secs(1);
/// The same when saoma itself ends.
const LAST_GRACE: Duration = Duration::from_millis(300);
/// How long an output that somebody else holds open is listened to after the command's end.
const LINGER: Duration = Duration::from_millis(250);
/// Between two looks at a family that was told to end.
const LOOK: Duration = Duration::from_millis(10);

/// A command line for `sh -c`, and what is wanted of it. `Debug` shows its name only: its arguments may be secrets.
pub struct Run {
    /// The command line.
    pub line: String,
    /// What it gets on standard input.
    pub input: Vec<u8>,
    /// How much of its output is looked at for the first line, which is all that is waited for; 0: it is dropped.
    pub keep: usize,
    /// Whether its standard error is ours, so that its own words are seen, unless a screen is there.
    pub speaks: bool,
    /// How long it may take.
    pub limit: Duration,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("name", &name(&self.line)).finish_non_exhaustive()
    }
}

/// Why a command did not do its work. Its words are English, and never any of the command's own.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It could not be started, or not be listened to.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It failed.
    #[error("{0}")]
    Failed(ExitStatus),
    /// It was not done in time.
    #[error("no end after {} s", .0.as_secs())]
    Late(Duration),
    /// It was stopped by the terminal, of which it wanted something.
    #[error("it wants to ask on the terminal, where it cannot be answered")]
    Asks,
}

/// What names a command line in a log: its first word, if that is plainly the name of a program. What else stands
/// there may be a secret, the value of a variable in front of it too.
pub fn name(line: &str) -> Option<&str> {
    let word = line.split_whitespace().next()?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '~');
    word.chars().all(plain).then_some(word)
}

/// Runs a command to its end and gives what it printed. Blocks, but never longer than its limit and a grace.
///
/// # Errors
///
/// It could not be started, failed, or was not done in time.
pub fn run(run: &Run) -> Result<Vec<u8>, Fault> {
    let mut family = Family::start(run)?;
    let mut output = Vec::new();
    let came = family.follow(run, &mut output);
    let status = family.end()?;
    match came? {
        Came::Late => Err(Fault::Late(run.limit)),
        Came::Asks => Err(Fault::Asks),
        Came::Exited => match status {
            Some(status) if status.success() => Ok(output),
            Some(status) => Err(Fault::Failed(status)),
            None => Err(Fault::Late(run.limit)),
        },
    }
}

/// The same on a thread of its own.
///
/// # Errors
///
/// As [`run`].
pub async fn run_beside(wanted: Run) -> Result<Vec<u8>, Fault> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let work = move || {
        // Nobody listens any more when the engine has ended.
        let _ = tell.send(run(&wanted));
    };
    thread::Builder::new().name("command".to_owned()).spawn(work)?;
    told.await.unwrap_or_else(|_| Err(Fault::Io(io::Error::other("the command's thread ended"))))
}

/// From now on nothing that is started speaks on our standard error: a screen is there.
pub fn hush() {
    HUSHED.store(true, Ordering::Relaxed);
}

/// Ends all that was started, and lets nothing more be started: for the end of the program. Takes a moment only where
/// something runs.
pub fn end_all() {
    let mut families = lock();
    families.closed = true;
    let living = families.living.clone();
    drop(families);
    for family in &living {
        send(*family, Signal::TERM);
    }
    let until = Instant::now() + LAST_GRACE;
    while !lock().living.is_empty() && Instant::now() < until {
        thread::sleep(LOOK);
    }
    for family in &lock().living {
        send(*family, Signal::KILL);
    }
}

/// The families that live. A family is here until nothing of it is left.
#[derive(Debug)]
struct Families {
    living: Vec<Pid>,
    closed: bool,
}

/// See [`hush`].
static HUSHED: AtomicBool = AtomicBool::new(false);

static FAMILIES: Mutex<Families> = Mutex::new(Families { living: Vec::new(), closed: false });

fn lock() -> MutexGuard<'static, Families> {
    FAMILIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To all of a family. One that is gone, or that may not be sent signals, is left alone.
fn send(family: Pid, signal: Signal) {
    let _gone = kill_process_group(family, signal);
}

/// What a command came to first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Exited,
    Asks,
    Late,
}

/// A command that runs.
struct Family {
    /// Its first process, which gives the group its number.
    first: Child,
    group: Pid,
    /// Tells of the first process: see [`watch`].
    news: UnixStream,
    guard: Option<Guard>,
}

/// Kills a family when saoma is gone, however that went. Dropped, it does nothing.
struct Guard(Child);

impl Guard {
    /// Without one the family does its work all the same.
    fn over(group: Pid) -> Option<Self> {
        let mut guard = Command::new("sh");
        guard.arg("-c").arg(format!("read -r end; kill -9 -{}", group.as_raw_pid())).env_clear().process_group(0);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        guard.spawn().ok().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before its pipe is closed: it must not act.
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

impl Family {
    fn start(run: &Run) -> Result<Self, Fault> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&run.line).process_group(0);
        command.stdin(if run.input.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(if run.keep == 0 { Stdio::null() } else { Stdio::piped() });
        command.stderr(if run.speaks && !HUSHED.load(Ordering::Relaxed) { Stdio::inherit() } else { Stdio::null() });
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("SAOMA_") {
                command.env_remove(variable);
            }
        }
        let (news, tell) = UnixStream::pair()?;
        let mut families = lock();
        if families.closed {
            return Err(io::Error::other("saoma ends").into());
        }
        let first = command.spawn()?;
        let group = Pid::from_child(&first);
        families.living.push(group);
        drop(families);
        let family = Self { first, group, news, guard: Guard::over(group) };
        match thread::Builder::new().name("command's end".to_owned()).spawn(move || watch(group, tell)) {
            Ok(_) => Ok(family),
            Err(error) => {
                send(group, Signal::KILL);
                family.end()?;
                Err(error.into())
            }
        }
    }

    /// Feeds and hears it until its first process has ended, or has to.
    fn follow(&mut self, run: &Run, output: &mut Vec<u8>) -> io::Result<Came> {
        let begun = Instant::now();
        let mut stdin = self.first.stdin.take();
        let mut stdout = self.first.stdout.take();
        if let Some(stdin) = &stdin {
            rustix::io::ioctl_fionbio(stdin, true)?;
        }
        if let Some(stdout) = &stdout {
            rustix::io::ioctl_fionbio(stdout, true)?;
        }
        let mut rest = run.input.as_slice();
        let mut ended: Option<Instant> = None;
        loop {
            stdin = stdin.filter(|_| !rest.is_empty() && ended.is_none());
            let whole_line = || output.contains(&b'\n');
            let left = match ended {
                Some(at) if stdout.is_some() && !whole_line() => LINGER.checked_sub(at.elapsed()),
                Some(_) => None,
                None => match run.limit.checked_sub(begun.elapsed()) {
                    None => return Ok(Came::Late),
                    left => left,
                },
            };
            let Some(left) = left else { return Ok(Came::Exited) };
            // Once it has told of the end it has nothing more to say, and would not let us sleep.
            let news = ended.is_none().then_some(&self.news);
            let ready = wait(news, stdin.as_ref(), stdout.as_ref(), left)?;
            if ready.news {
                if self.stopped() {
                    return Ok(Came::Asks);
                }
                ended = Some(Instant::now());
            }
            if let Some(pipe) = stdin.as_mut().filter(|_| ready.stdin) {
                match pipe.write(rest) {
                    Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                    Err(error) if is_later(&error) => {}
                    // One that does not read its input may still do its work: its exit code decides.
                    Err(_) => rest = &[],
                }
            }
            // After the end once more, whatever was told before: what it printed last is in the pipe.
            if (ready.stdout || ended.is_some()) && !read(stdout.as_mut(), run.keep, output)? {
                stdout = None;
            }
        }
    }

    /// What was told of the first process: whether the terminal has stopped it, else it has ended.
    fn stopped(&mut self) -> bool {
        let mut told = [0];
        matches!(self.news.read(&mut told), Ok(1)) && told == [STOPPED]
    }

    /// Ends what is left of it. How its first process ended; `None` if not even SIGKILL has ended it by now.
    fn end(mut self) -> io::Result<Option<ExitStatus>> {
        // As long as nobody has waited for the first process its number is the group's and nobody else's.
        send(self.group, Signal::TERM);
        // A stopped one hears nothing.
        send(self.group, Signal::CONT);
        let until = Instant::now() + GRACE;
        let mut status = self.first.try_wait()?;
        while status.is_none() && Instant::now() < until {
            thread::sleep(LOOK);
            status = self.first.try_wait()?;
        }
        if status.is_none() {
            send(self.group, Signal::KILL);
            let until = Instant::now() + GRACE;
            while status.is_none() && Instant::now() < until {
                thread::sleep(LOOK);
                status = self.first.try_wait()?;
            }
        }
        if status.is_some() && test_kill_process_group(self.group).is_err() {
            forget(self.group);
            return Ok(status);
        }
        // Others of it are left. Whoever ran it need not wait for them.
        let group = self.group;
        let see = move || {
            let _status = self.first.wait();
            see_off(group, until);
            drop(self.guard);
        };
        if let Err(error) = thread::Builder::new().name("command's rest".to_owned()).spawn(see) {
            send(group, Signal::KILL);
            forget(group);
            return Err(error);
        }
        Ok(status)
    }
}

/// Sleeps until something can be done with a command's ends.
fn wait(
    news: Option<&UnixStream>,
    stdin: Option<&ChildStdin>,
    stdout: Option<&ChildStdout>,
    left: Duration,
) -> io::Result<Ready> {
    let mut fds = Vec::with_capacity(3);
    fds.extend(news.map(|news| PollFd::new(news, PollFlags::IN)));
    fds.extend(stdin.map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
    fds.extend(stdout.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut told = fds.iter().map(|fd| !fd.revents().is_empty());
    let mut next = |asked: bool| asked && told.next().unwrap_or_default();
    Ok(Ready { news: next(news.is_some()), stdin: next(stdin.is_some()), stdout: next(stdout.is_some()) })
}

/// What can be done with a command's ends.
struct Ready {
    news: bool,
    stdin: bool,
    stdout: bool,
}

/// Told by [`watch`].
const STOPPED: u8 = b's';
const EXITED: u8 = b'e';

/// Waits for the end of a command's first process, and leaves it to be waited for; tells that the terminal has stopped it.
fn watch(first: Pid, mut tell: UnixStream) {
    let wants_terminal = |signal| [Signal::TTIN, Signal::TTOU].iter().any(|stop| stop.as_raw() == signal);
    let mut wanted = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
    loop {
        let told = match waitid(WaitId::Pid(first), wanted) {
            Ok(Some(status)) if status.stopped() => {
                // Told once. Whatever else has stopped it may let it go on.
                wanted.remove(WaitIdOptions::STOPPED);
                if !status.stopping_signal().is_some_and(wants_terminal) {
                    continue;
                }
                STOPPED
            }
            Err(rustix::io::Errno::INTR) => continue,
            // It has ended; with an error, somebody else has waited for it.
            Ok(_) | Err(_) => EXITED,
        };
        // Nobody listens any more when it was late.
        let _ = tell.write_all(&[told]);
        return;
    }
}

/// Takes what there is to read, up to `most` bytes in all; `false` when nothing more is to come or wanted.
fn read(pipe: Option<&mut ChildStdout>, most: usize, output: &mut Vec<u8>) -> io::Result<bool> {
    let Some(pipe) = pipe else { return Ok(false) };
    let mut buffer = [0; 4096];
    while output.len() < most {
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => output.extend(buffer.iter().take(count.min(most - output.len()))),
            Err(error) if is_later(&error) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Waits until nothing of a family is left; kills what is at `until`.
fn see_off(group: Pid, until: Instant) {
    while test_kill_process_group(group).is_ok() {
        if Instant::now() >= until {
            send(group, Signal::KILL);
            break;
        }
        thread::sleep(LOOK);
    }
    forget(group);
}

fn forget(group: Pid) {
    lock().living.retain(|living| *living != group);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn wanted(line: &str) -> Run {
        Run { line: line.to_owned(), input: Vec::new(), keep: 4096, speaks: false, limit: LONG }
    }

    fn eventually(what: &str, condition: impl Fn() -> bool) {
        let until = Instant::now() + LONG;
        while !condition() {
            assert!(Instant::now() < until, "waited for {what}");
            thread::sleep(LOOK);
        }
    }

    /// A process is gone when it is nobody's, or a zombie that its new parent has not looked at yet.
    fn is_gone(pid: &str) -> bool {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
        stat.rsplit(") ").next().is_some_and(|state| state.starts_with('Z'))
    }

    /// The numbers that a command wrote into a file, one a line.
    fn pids(file: &std::path::Path, count: usize) -> Vec<String> {
        let read = || std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
        eventually("the pids", || read().len() == count);
        read()
    }

    #[test]
    fn input_goes_in_and_output_comes_out() {
        let run = |line: &str, input: Vec<u8>| super::run(&Run { input, ..wanted(line) });
        assert_eq!(run("cat", b"one\n".to_vec()).unwrap(), b"one\n");
        // More than a pipe holds, to one that reads it and to one that does not.
        let long = vec![b'a'; 1 << 20];
        assert_eq!(run("wc -c | tr -d ' '", long.clone()).unwrap(), b"1048576\n");
        assert_eq!(run("exit 0", long).unwrap(), b"");
    }

    #[test]
    fn an_output_without_end_has_one() {
        let output = run(&wanted("yes; exit 0")).unwrap();
        assert_eq!(output.len(), 4096);
    }

    #[test]
    fn the_family_ends_with_its_first_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        for (at, end) in ["exit 0", "exit 3", "kill -9 $$"].into_iter().enumerate() {
            let line = format!(
                "sh -c 'sleep 3600 & echo $! >> {0}; wait' & echo $! >> {0}; while [ $(wc -l < {0}) -lt {1} ]; do sleep 0.01; done; {end}",
                file.display(),
                2 * (at + 1)
            );
            let went = run(&wanted(&line));
            assert_eq!(went.is_ok(), end == "exit 0", "{went:?}");
            for pid in pids(&file, 2 * (at + 1)) {
                eventually("its children's end", || is_gone(&pid));
            }
        }
    }

    #[test]
    fn the_family_ends_at_its_limit_even_if_it_does_not_want_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        let stubborn = "trap \"\" TERM; echo $$ >> F; while :; do sleep 0.1; done";
        let line = format!("({stubborn}) & sh -c '{stubborn}' & {stubborn}").replace('F', &file.display().to_string());
        let run = Run { limit: Duration::from_secs(3), ..wanted(&line) };
        assert!(matches!(super::run(&run), Err(Fault::Late(_))));
        for pid in pids(&file, 3) {
            eventually("its end", || is_gone(&pid));
        }
    }

    #[test]
    fn only_a_plain_program_is_named() {
        for (line, shown) in [
            ("/usr/local/bin/on-saoma --token secret", Some("/usr/local/bin/on-saoma")),
            ("  curl -H 'X: secret'", Some("curl")),
            ("~/bin/x", Some("~/bin/x")),
            ("TOKEN=secret curl x", None),
            ("'secret' x", None),
            ("\"$secret\"", None),
            ("https://user:secret@host", None),
            ("a;secret", None),
            ("", None),
        ] {
            assert_eq!(name(line), shown, "{line}");
            assert!(!format!("{:?}", wanted(line)).contains("secret"));
        }
    }
}
