//! A panic gives the terminal back before it says anything.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::ThreadId;
use std::time::SystemTime;

use super::{Inbox, terminal};
use crate::app::Msg;
use crate::i18n::{Lang, t, tf};

/// What the hook needs to know while the loop runs.
struct Watch {
    thread: ThreadId,
    inbox: Inbox,
    lang: Lang,
    reports: PathBuf,
    caught: Option<fn() -> bool>,
}

static WATCH: Mutex<Option<Watch>> = Mutex::new(None);
static INSTALLED: Once = Once::new();

/// Ends the watch.
pub(super) struct Watching(());

impl Drop for Watching {
    fn drop(&mut self) {
        // The hook of a panic that is under way has run already.
        *WATCH.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// From now on a panic on this thread gives the terminal back, writes a report into `reports` and tells; one on
/// another thread writes a report and sends a notice, because the screen is still in use.
pub(super) fn watch(inbox: Inbox, lang: Lang, reports: PathBuf, caught: Option<fn() -> bool>) -> Watching {
    *WATCH.lock().unwrap_or_else(PoisonError::into_inner) =
        Some(Watch { thread: std::thread::current().id(), inbox, lang, reports, caught });
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !tell(panic) {
                before(panic);
            }
        }));
    });
    Watching(())
}

/// Whether the panic was ours to tell.
fn tell(panic: &PanicHookInfo<'_>) -> bool {
    let watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(watch) = watch.as_ref() else { return false };
    if watch.caught.is_some_and(|caught| caught()) {
        return true;
    }
    let ours = watch.thread == std::thread::current().id();
    if ours {
        terminal::leave_active();
    }
    // What a library said may carry anything; it is going to a terminal.
    let message: String = words(panic).chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let report = write_report(&watch.reports, &message, &place);
    let path = report.map_or_else(|| t(watch.lang, "tui.no_report").into_owned(), |path| path.display().to_string());
    let values = [("message", message.as_str()), ("place", place.as_str()), ("path", path.as_str())];
    if ours {
        let told = tf(watch.lang, "tui.crashed", &values);
        let report = tf(watch.lang, "tui.report", &values);
        let _closed = writeln!(std::io::stderr(), "{told}\n{report}");
    } else {
        watch.inbox.send(Msg::Notice { message: tf(watch.lang, "tui.part_failed", &values) });
    }
    true
}

fn words<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    panic.payload_as_str().unwrap_or("?")
}

/// Version, thread, place and words of the panic; nothing of what the program was working on.
fn write_report(folder: &Path, message: &str, place: &str) -> Option<PathBuf> {
    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let path = folder.join(format!("saoma-crash-{at}-{}.txt", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).ok()?;
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("?");
    let system = (std::env::consts::OS, std::env::consts::ARCH);
    let backtrace = std::backtrace::Backtrace::force_capture();
    writeln!(
        file,
        "saoma {} on {} {}\nthread {name}\nat {place}\n{message}\n\n{backtrace}",
        env!("CARGO_PKG_VERSION"),
        system.0,
        system.1,
    )
    .ok()?;
    Some(path)
}
