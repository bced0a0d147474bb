//! A store that another program keeps locked: what was to be written waits, but no signal and no key that ends a command does.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Signal;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::kit::{Desk, Tui, three};

/// How long it is kept: a little less than the store waits for a single statement.
const KEPT: Duration = Duration::from_secs(14);

/// Another program's hold on a desk's store.
struct Lock {
    let_go: mpsc::Sender<()>,
    /// Whether it was let go of in time.
    thread: JoinHandle<bool>,
}

impl Lock {
    fn of(desk: &Desk) -> Self {
        let ((let_go, told), (taken, is_taken)) = (mpsc::channel(), mpsc::channel());
        let options = SqliteConnectOptions::new().filename(desk.state().join("saoma.db"));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut connection = runtime.block_on(options.connect()).unwrap();
            runtime.block_on(sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut connection)).unwrap();
            taken.send(()).unwrap();
            let in_time = told.recv_timeout(KEPT).is_ok();
            runtime.block_on(connection.close()).unwrap();
            in_time
        });
        is_taken.recv().unwrap();
        Self { let_go, thread }
    }

    /// That it was held until now.
    #[track_caller]
    fn assert_held(self) {
        // Nobody listens where it has run out.
        let _ = self.let_go.send(());
        assert!(self.thread.join().unwrap(), "it ended only when it had the store");
    }
}

#[test]
fn a_watch_ends_while_the_store_is_locked() {
    let desk = Desk::new(three());
    let watch = desk.start(&["watch", "--json"]);
    watch.wait_event("watching");
    let lock = Lock::of(&desk);
    watch.signal(Signal::TERM);
    assert_eq!(watch.end().code, 143);
    lock.assert_held();
}

#[test]
fn a_login_ends_while_the_store_is_locked_and_its_scan_is_found_at_the_next_start() {
    let desk = Desk::new(three());
    let login = desk.start(&["login", "wxid_bela", "--json"]);
    let w_id = desk.codes(1).remove(0);
    let lock = Lock::of(&desk);
    desk.sim.scan_code(&w_id, Some("wxid_bela".into())).unwrap();
    desk.sim.confirm(None).unwrap();
    login.signal(Signal::INT);
    assert_eq!(login.end().code, 130);
    lock.assert_held();
    let mut screen = Tui::start(desk.home.path(), &[], 80, 24);
    screen.wait_row("Bela", "online");
    screen.quit();
    assert_eq!(desk.account("wxid_bela")["w_id"], w_id.as_str());
}

#[test]
fn a_screen_ends_while_the_store_is_locked() {
    let desk = Desk::new(three());
    let mut screen = Tui::start(desk.home.path(), &[], 80, 24);
    screen.wait_text("list ok");
    let lock = Lock::of(&desk);
    screen.send(b"q");
    assert_eq!(screen.exit_code(), 0);
    lock.assert_held();
}
