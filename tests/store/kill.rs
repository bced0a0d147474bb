//! Two processes on one file, killed at random moments: no double owner of an attempt, no half swap, no missed
//! change, no idle wake-up. The test program runs itself again as the process to be killed.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use saoma::model::{Attempt, AttemptId, Presence, Reason, Rung, Source, Stamp, WId, WcId};
use saoma::store::{Alert, Begun, Store, Verdict};
use sqlx::sqlite::SqliteConnection;

use super::support::{CODE_LIFE, asked, raw, record, scope};

const FILE: &str = "SAOMA_TEST_STORE_FILE";
const ROLE: &str = "SAOMA_TEST_STORE_ROLE";
const ACCOUNTS: [&str; 3] = ["wxid_a", "wxid_b", "wxid_c"];

fn now() -> Stamp {
    Stamp(jiff::Timestamp::now().as_millisecond())
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// Not a test: what the child process does. Without the variables it returns at once.
#[test]
fn child() {
    let (Some(file), Ok(role)) = (std::env::var_os(FILE), std::env::var(ROLE)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&PathBuf::from(file), scope()).await.unwrap();
        match role.as_str() {
            "work" => work(&store).await,
            "watch" => watch(&store).await,
            "observe" => observe(&store).await,
            "flap" => flap(&store).await,
            role => panic!("no role {role}"),
        }
    });
}

/// Logs accounts in, one after the other, and takes over what dead processes left, until it is killed.
async fn work(store: &Store) {
    let mut random = fastrand::Rng::with_seed(5);
    say("ready");
    for turn in 0_u32.. {
        for attempt in store.attempts().await.unwrap() {
            if !store.is_alive(&attempt.owner)
                && let Some(attempt) = store.take_over(&attempt.id).await.unwrap()
            {
                finish(store, &attempt.id, attempt.wc_id.as_ref().unwrap(), attempt.w_id).await;
            }
        }
        let wc_id = WcId::from(ACCOUNTS[random.usize(..ACCOUNTS.len())]);
        match store.begin_attempt(Some(&wc_id), Rung::QrLogin, now()).await.unwrap() {
            Begun::Started(id) => {
                let w_id = WId::from(format!("{}-{turn}", std::process::id()));
                store
                    .attempt_issued(
                        &id,
                        Some(&w_id),
                        Some(&"http://203.0.113.7/1.png".to_owned().into()),
                        now(),
                        CODE_LIFE,
                    )
                    .await
                    .unwrap();
                let renewed = turn % 5 == 0;
                if renewed {
                    let twin = store.attempt_requesting(&id, Rung::QrLogin, now()).await.unwrap().unwrap();
                    let newer = WId::from(format!("{w_id}-renewed"));
                    store.attempt_issued(&id, Some(&newer), None, now(), CODE_LIFE).await.unwrap();
                    finish(store, &id, &wc_id, Some(newer)).await;
                    // The old code was scanned after all.
                    finish(store, &twin, &wc_id, Some(w_id)).await;
                } else {
                    finish(store, &id, &wc_id, Some(w_id)).await;
                }
            }
            Begun::Busy(attempt) => assert!(attempt.wc_id == Some(wc_id)),
        }
    }
}

/// Ends an attempt that this process owns, and says so only afterwards.
async fn finish(store: &Store, id: &AttemptId, wc_id: &WcId, w_id: Option<WId>) {
    let mine = |attempt: &Attempt| attempt.id == *id && attempt.owner == *store.owner();
    assert!(store.attempts().await.unwrap().iter().any(mine), "somebody else took {id}");
    if let Some(w_id) = w_id {
        let record = record(wc_id.as_str(), w_id.as_str());
        store.store_login(id, &record, now()).await.unwrap();
        say(&format!("stored {wc_id} {w_id}"));
    } else {
        store.end_attempt(id, "failed", None, None, now()).await.unwrap();
    }
    say(&format!("ended {id}"));
}

/// Says every change as it hears of it.
async fn watch(store: &Store) {
    let mut watch = store.watch(None);
    let mut seq = store.seq();
    say("ready");
    loop {
        watch.changed().await;
        let changes = store.changes(seq).await.unwrap();
        seq = changes.seq;
        say(&format!("seen {}", changes.wc_ids.iter().map(WcId::as_str).collect::<Vec<_>>().join(" ")));
    }
}

/// Observes, and then only lives.
async fn observe(store: &Store) {
    assert!(store.observe(2, Duration::from_secs(30), None).await.unwrap());
    say("ready");
    std::future::pending::<()>().await;
}

/// Lets an account drop and come back, with an alert each time, and takes what is to be told without telling it, until
/// it is killed.
async fn flap(store: &Store) {
    let wc_id = WcId::from("wxid_flap");
    store.put_account(&wc_id, &saoma::store::Edit::default(), Stamp(1)).await.unwrap();
    say("ready");
    loop {
        let presence = match store.account(&wc_id).await.unwrap().unwrap().presence {
            Presence::Online => Presence::Offline,
            Presence::Offline | Presence::Unknown => Presence::Online,
        };
        let event = if presence == Presence::Offline { "dropped" } else { "recovered" };
        // Two turns never share a millisecond: that would be one.
        let before = now();
        while now() == before {
            tokio::task::yield_now().await;
        }
        let (at, reason) = (now(), (presence == Presence::Offline).then_some(Reason::Dropped));
        let began = asked(store, at.0).await;
        let verdict = Verdict { wc_id: wc_id.clone(), presence, source: Source::List, began, reason };
        let alert = Alert { event, wc_id: Some(wc_id.clone()), at, reason, fields: Vec::new() };
        assert_eq!(store.note_list(began, &[verdict], &[], &[alert]).await.unwrap().len(), 1);
        say(&format!("told {event}"));
        store.outbox_take(now()).await.unwrap();
    }
}

/// A running child and what it has said so far.
struct Worker {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Worker {
    fn start(file: &Path, role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
            .env(FILE, file)
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let out = BufReader::new(child.stdout.take().unwrap());
        let into = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                into.lock().unwrap().push(line);
            }
        });
        Self { child, said, reader: Some(reader) }
    }

    fn wait_for(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        wait_until(what, || self.said.lock().unwrap().iter().any(|line| wanted(line)));
    }

    /// kill -9; everything it said until then. It must not have ended by itself before (a failed assertion).
    fn kill(mut self) -> Vec<String> {
        assert!(self.child.try_wait().unwrap().is_none(), "the child ended by itself");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        std::mem::take(&mut self.said.lock().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What a third process knows that only ever looks when the watch wakes it.
type Replica = Arc<Mutex<BTreeMap<String, Option<String>>>>;

fn follow(file: PathBuf, replica: Replica) -> std::thread::JoinHandle<()> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(&file, scope()).await.unwrap();
            let mut watch = store.watch(None);
            let mut seq = store.seq();
            ready.send(()).unwrap();
            loop {
                watch.changed().await;
                let changes = store.changes(seq).await.unwrap();
                seq = changes.seq;
                for wc_id in changes.wc_ids {
                    let w_id = store.account(&wc_id).await.unwrap().and_then(|account| account.w_id);
                    replica.lock().unwrap().insert(wc_id.to_string(), w_id.map(|w_id| w_id.to_string()));
                }
                if replica.lock().unwrap().contains_key("stop") {
                    break;
                }
            }
        });
    });
    is_ready.recv().unwrap();
    thread
}

async fn count(sql: &'static str, connection: &mut SqliteConnection) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

/// Everything that must hold whenever nobody is in the middle of a transaction.
async fn check(connection: &mut SqliteConnection, confirmed: &HashSet<(String, String)>) {
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(verdict, "ok");
    let kept: Vec<(String, String)> = sqlx::query_as("SELECT wc_id, w_id FROM w_ids WHERE source = 'login'")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let kept: HashSet<_> = kept.into_iter().collect();
    let lost: Vec<_> = confirmed.difference(&kept).collect();
    assert!(lost.is_empty(), "confirmed, then lost: {lost:?}");
    for (what, sql) in [
        (
            "an account's wId is that of the newest success",
            "SELECT count(*) FROM accounts AS a WHERE w_id IS NOT (SELECT w_id FROM w_ids AS w
             WHERE w.wc_id = a.wc_id
             ORDER BY (SELECT max(requested_order) FROM attempts AS t WHERE t.w_id = w.w_id) DESC LIMIT 1)",
        ),
        (
            "every wId was logged",
            "SELECT count(*) FROM (SELECT wc_id, w_id FROM w_ids EXCEPT SELECT wc_id, w_id FROM log)",
        ),
        (
            "every wId was logged once",
            "SELECT count(*) FROM (SELECT 1 FROM log WHERE event IN ('logged_in', 'superseded')
             GROUP BY wc_id, w_id HAVING count(*) > 1)",
        ),
        (
            "what became current is told",
            "SELECT count(*) FROM (SELECT wc_id, w_id FROM log WHERE event = 'logged_in'
             EXCEPT SELECT json ->> 'wc_id', json ->> 'w_id' FROM outbox WHERE json ->> 'event' = 'logged_in')",
        ),
        (
            "and told once, and nothing else is told",
            "SELECT (SELECT count(*) FROM log WHERE event = 'logged_in')
             - (SELECT count(*) FROM outbox WHERE json ->> 'event' = 'logged_in')",
        ),
        (
            "a wId has no attempt any more",
            "SELECT count(*) FROM w_ids AS w JOIN attempts AS a ON a.w_id = w.w_id WHERE a.state <> 'ended'",
        ),
        (
            "what is believed is what was believed last",
            "SELECT count(*) FROM accounts AS a WHERE presence IS NOT (SELECT presence FROM presences AS p
             WHERE p.profile = a.profile AND p.wc_id = a.wc_id ORDER BY n DESC LIMIT 1)",
        ),
        (
            "no ended attempt keeps its picture",
            "SELECT count(*) FROM attempts WHERE state = 'ended' AND image_url IS NOT NULL",
        ),
        (
            "one open attempt at most on an account",
            "SELECT count(*) FROM (SELECT 1 FROM attempts WHERE state = 'open' GROUP BY wc_id HAVING count(*) > 1)",
        ),
    ] {
        assert_eq!(count(sql, connection).await, 0, "{what}");
    }
}

#[test]
fn two_processes_and_kill_9() {
    const ROUNDS: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saoma.db");
    let replica = Replica::default();
    let follower = follow(file.clone(), Arc::clone(&replica));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut connection = runtime.block_on(raw(&file));
    let mut random = fastrand::Rng::with_seed(7);
    let mut confirmed = HashSet::new();
    let mut ended = HashSet::new();
    for _ in 0..ROUNDS {
        let workers = [Worker::start(&file, "work"), Worker::start(&file, "work")];
        for worker in &workers {
            worker.wait_for("a worker is ready", |line| line.ends_with("ready"));
        }
        for worker in workers {
            std::thread::sleep(Duration::from_micros(random.u64(..40_000)));
            for line in worker.kill() {
                match line.split(' ').collect::<Vec<_>>().as_slice() {
                    ["stored", wc_id, w_id] => drop(confirmed.insert(((*wc_id).to_owned(), (*w_id).to_owned()))),
                    ["ended", id] => assert!(ended.insert((*id).to_owned()), "{id} ended twice: it had two owners"),
                    _ => {}
                }
            }
        }
        runtime.block_on(check(&mut connection, &confirmed));
        // Nobody writes now, so what the follower has not heard of yet it must hear of without another write.
        let rows: Vec<(String, Option<String>)> =
            runtime.block_on(sqlx::query_as("SELECT wc_id, w_id FROM accounts").fetch_all(&mut connection)).unwrap();
        let truth: BTreeMap<_, _> = rows.into_iter().collect();
        wait_until("the follower knows every change", || *replica.lock().unwrap() == truth);
    }
    assert!(confirmed.len() > ROUNDS, "too little happened: {}", confirmed.len());
    replica.lock().unwrap().insert("stop".into(), None);
    runtime.block_on(async {
        let store = Store::open(&file, scope()).await.unwrap();
        store.put_account(&"wxid_last".into(), &saoma::store::Edit::default(), now()).await.unwrap();
    });
    follower.join().unwrap();
}

#[test]
fn a_drop_and_its_alert_are_there_together_after_kill_9() {
    const ROUNDS: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saoma.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    let mut said = 0;
    let mut events = Vec::new();
    for _ in 0..ROUNDS {
        let worker = Worker::start(&file, "flap");
        worker.wait_for("an account drops", |line| line == "told dropped");
        std::thread::sleep(Duration::from_micros(random.u64(..20_000)));
        said += worker.kill().iter().filter(|line| line.starts_with("told")).count();
        runtime.block_on(async {
            let store = Store::open(&file, scope()).await.unwrap();
            // The next process takes everything that was told, claimed by the dead one or not, one after another.
            while let [row] = store.outbox_take(now()).await.unwrap().as_slice() {
                let json: serde_json::Value = serde_json::from_str(&row.json).unwrap();
                events.push(json["event"].as_str().unwrap().to_owned());
                assert!(store.outbox_take(now()).await.unwrap().is_empty(), "taken once");
                store.outbox_done(row.id).await.unwrap();
            }
            let account = store.account(&"wxid_flap".into()).await.unwrap().unwrap();
            let turns = store.presences(None, Stamp(0), Stamp(i64::MAX)).await.unwrap();
            let log = store.history(None, Stamp(0), u32::MAX, Stamp(i64::MAX)).await.unwrap();
            // Every turn has its line, its alert and its place in the history, and they agree: none was torn off.
            assert_eq!(events.len(), turns.len(), "alerts and turns");
            let lines: Vec<String> = log.iter().rev().map(|entry| entry.event.to_string()).collect();
            assert_eq!(lines, events);
            assert!(said <= events.len(), "said {said}, told {}", events.len());
            let last = turns.last().unwrap();
            assert_eq!((last.presence, Some(last.at)), (account.presence, account.observed_at));
            assert_eq!(events.last().unwrap() == "dropped", account.presence == Presence::Offline);
        });
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_watch_hears_of_an_owners_death_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saoma.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(Store::open(&file, scope())).unwrap();
    for _ in 0..10 {
        let worker = Worker::start(&file, "observe");
        worker.wait_for("somebody observes", |line| line.ends_with("ready"));
        // It sleeps from here on: nothing is written any more, and its death writes nothing either.
        let mut watch = store.watch(None);
        runtime.block_on(async {
            let saoma::store::Place { owner, rank, .. } = store.watchers().await.unwrap().observer.unwrap();
            assert_eq!(rank, 2);
            let quiet = tokio::time::timeout(Duration::from_millis(20), watch.changed()).await;
            assert!(quiet.is_err(), "it woke up for nothing");
            worker.kill();
            tokio::time::timeout(Duration::from_secs(20), watch.changed()).await.unwrap();
            // Awake, it finds the owner dead: it would not be woken once more.
            assert!(!store.is_alive(&owner));
            assert_eq!(store.watchers().await.unwrap().observer.map(|place| place.owner), None);
        });
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_watch_hears_when_a_store_is_dropped_or_closed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saoma.db");
    let store = Store::open(&file, scope()).await.unwrap();
    for close in [false, true] {
        let other = Store::open(&file, scope()).await.unwrap();
        assert!(other.observe(1, Duration::from_secs(30), None).await.unwrap());
        let owner = other.owner().clone();
        let mut watch = store.watch(None);
        if close {
            other.close().await;
        } else {
            drop(other);
        }
        let gone = async {
            while store.is_alive(&owner) {
                watch.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
        assert_eq!(store.watchers().await.unwrap().observer.map(|place| place.owner), None);
    }
}

/// How often each thread of a process went to sleep so far, and how long it worked (in clock ticks). One that has ended is
/// not there any more.
#[cfg(target_os = "linux")]
fn wake_ups(pid: u32) -> BTreeMap<String, (u64, u64)> {
    let count = |task: &std::path::Path| {
        let status = std::fs::read_to_string(task.join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        let stat = std::fs::read_to_string(task.join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some((line.split_whitespace().nth(1)?.parse().ok()?, ticks(11)? + ticks(12)?))
    };
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap().path());
    tasks.filter_map(|task| Some((task.file_name()?.to_string_lossy().into_owned(), count(&task)?))).collect()
}

/// What of it was done since.
#[cfg(target_os = "linux")]
fn woke_since(pid: u32, before: &BTreeMap<String, (u64, u64)>) -> Vec<String> {
    let now = wake_ups(pid).into_iter();
    now.filter(|(task, count)| before.get(task) != Some(count)).map(|(task, _)| task).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_watch_sleeps_until_something_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saoma.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(Store::open(&file, scope())).unwrap();
    let watcher = Worker::start(&file, "watch");
    watcher.wait_for("the watcher is ready", |line| line.ends_with("ready"));
    let put = |wc_id: &str| {
        runtime.block_on(store.put_account(&wc_id.into(), &saoma::store::Edit::default(), now())).unwrap();
        watcher.wait_for("the watcher has seen it", |line| line.starts_with("seen") && line.ends_with(wc_id));
    };
    put("wxid_a");
    // It may wake up once more for the same write; then it must come to rest.
    let pid = watcher.child.id();
    let deadline = Instant::now() + Duration::from_secs(20);
    let before = loop {
        assert!(Instant::now() < deadline, "it does not come to rest");
        let before = wake_ups(pid);
        std::thread::sleep(Duration::from_millis(200));
        if woke_since(pid, &before).is_empty() {
            break before;
        }
    };
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(woke_since(pid, &before), [""; 0], "it woke up although nothing was written");
    // Reading and asking for changes is no reason either.
    for _ in 0..20 {
        runtime.block_on(store.accounts()).unwrap();
        runtime.block_on(store.changes(store.seq())).unwrap();
    }
    assert_eq!(woke_since(pid, &before), [""; 0], "it woke up although somebody only read");
    put("wxid_b");
    watcher.kill();
}
