//! One round: a gateway with phones, one machine, some logins that are killed, and what comes after.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use saoma::engine::Engine;
use saoma::engine::api::Command;
use saoma::model::{Dialect, WId, WcId};
use saoma::simulator::{Act, PhoneScript, Setup, SimAccount, Simulator, Then};
use saoma::store::{Edit, Store};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::check;
use super::home::Home;
use super::knobs::{self, Setting};

/// Simulated seconds per real second: a code of 150 s lives 1.5 s.
const SPEED: f64 = 100.0;
/// What nobody has killed by then is killed.
const LONGEST: Duration = Duration::from_millis(2_500);
/// How long everything may take to settle.
const PATIENCE: Duration = Duration::from_secs(20);

const KNOWN: [&str; 3] = ["wxid_amy", "wxid_bob", "wxid_cai"];
const ANYONE: [&str; 4] = ["wxid_amy", "wxid_bob", "wxid_cai", "wxid_dan"];

/// What has been done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rounds: usize,
    pub(crate) kills: usize,
    pub(crate) processes: usize,
    pub(crate) logins: usize,
    pub(crate) stored: usize,
    pub(crate) resumed: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.kills += other.kills;
        self.processes += other.processes;
        self.logins += other.logins;
        self.stored += other.stored;
        self.resumed += other.resumed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, kills, processes, logins, stored, resumed } = self;
        write!(
            f,
            "{kills} kills of {processes} processes in {rounds} rounds; the gateway saw {logins} logins, the machine \
             stored {stored} wIds, {resumed} of them after their own process"
        )
    }
}

/// What came of a round.
pub(crate) struct Done {
    pub(crate) tally: Tally,
    /// The story of a round that went wrong.
    pub(crate) failure: Option<String>,
}

/// One process's wish.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) wc_id: Option<String>,
    /// Whether it may ring the phone.
    pub(crate) dialog: bool,
    /// How many codes it may ask for.
    pub(crate) codes: usize,
}

/// When a process is killed.
#[derive(Clone, Debug)]
enum Moment {
    /// So long after its start.
    After(Duration),
    /// Right after it printed such a line.
    Line(&'static str, Duration),
    /// Right after such a thing happened at the gateway, of a request: when it was answered.
    Event(&'static str, Option<&'static str>, Duration),
}

/// Everything that the parts of a round share.
pub(crate) struct Stage {
    pub(crate) sim: Simulator,
    pub(crate) home: Home,
    pub(crate) setting: Setting,
    /// Which wIds were live before anything happened.
    pub(crate) first: Vec<(WcId, WId)>,
    pub(crate) wishes: Mutex<Vec<Wish>>,
    /// Whose wIds processes printed as logged in.
    pub(crate) printed: Mutex<Vec<(String, String)>>,
    /// All that happened at the gateway.
    pub(crate) events: Arc<Mutex<Vec<Value>>>,
    persons: Mutex<JoinSet<()>>,
    tally: Mutex<Tally>,
    story: Mutex<Vec<String>>,
    started: Instant,
}

impl Stage {
    fn tell(&self, line: impl fmt::Display) {
        let ms = self.started.elapsed().as_millis();
        self.story.lock().unwrap().push(format!("{ms:>6} {line}"));
    }
}

fn ms(random: &mut fastrand::Rng, most: u64) -> Duration {
    Duration::from_micros(random.u64(..most * 1_000))
}

type Events = &'static [(&'static str, Option<&'static str>)];

/// What happens in a process's life that it may be killed after: lines, and events at the gateway.
fn stations(way: &str) -> (&'static [&'static str], Events) {
    const CODE: Events = &[
        ("code", None),
        ("scanned", None),
        ("confirmed", None),
        ("online", None),
        ("online", None),
        ("request", Some("iPadLogin")),
        ("request", Some("getIPadLoginInfo")),
        ("request", Some("image")),
    ];
    const LIST: Events = &[("request", Some("queryLoginWx")), ("request", Some("getIPadLoginInfo"))];
    const DIALOG: Events = &[("dialog", None), ("online", None), ("request", Some("secondLogin"))];
    match way {
        "code" => (&["qr", "waiting", "logged_in"], CODE),
        "list" => (&["status"], LIST),
        _ => (&["second_login_sent", "logged_in"], DIALOG),
    }
}

fn moment(way: &str, random: &mut fastrand::Rng) -> Moment {
    let (lines, events) = stations(way);
    match random.u8(..10) {
        0 => Moment::After(ms(random, 1_500)),
        1..4 => Moment::After(ms(random, 300)),
        4..6 => Moment::Line(random.choice(lines).unwrap(), ms(random, 4)),
        _ => {
            let (event, endpoint) = random.choice(events).unwrap();
            let most = if random.bool() { 3 } else { 25 };
            Moment::Event(event, *endpoint, ms(random, most))
        }
    }
}

/// A round from its beginning to its end.
pub(crate) async fn run(seed: u64, number: usize) -> Done {
    let setting = knobs::setting(seed, number);
    let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003) ^ number as u64);
    let setup = Setup {
        dialect: setting.dialect,
        seed: random.u64(..),
        speed: SPEED,
        accounts: vec![
            SimAccount::new("wxid_amy", "Amy 客服"),
            SimAccount::new("wxid_bob", "Bob").online(),
            SimAccount::new("wxid_cai", "小蔡"),
            SimAccount::new("wxid_dan", "新号").new_here(),
        ],
        knobs: setting.knobs(),
        ..Setup::default()
    };
    let sim = Simulator::start(setup).await.unwrap();
    let home = Home::new(&sim, setting.dialect);
    let first = sim.online();
    let store = home.store().await;
    for wc_id in KNOWN {
        let w_id = first.iter().find(|(id, _)| id.as_str() == wc_id).map(|(_, w_id)| w_id.clone());
        let at = saoma::model::Stamp(jiff::Timestamp::now().as_millisecond());
        store.put_account(&wc_id.into(), &Edit { w_id, ..Edit::default() }, at).await.unwrap();
    }
    store.close().await;
    let stage = Arc::new(Stage {
        events: Arc::new(Mutex::new(Vec::new())),
        sim,
        home,
        setting,
        first,
        wishes: Mutex::default(),
        printed: Mutex::default(),
        persons: Mutex::default(),
        tally: Mutex::new(Tally { rounds: 1, ..Tally::default() }),
        story: Mutex::new(vec![format!("{setting:?}")]),
        started: Instant::now(),
    });
    let listening = listen(&stage);
    // In some rounds a program stays all the while, as the TUI does.
    let observer = if random.u8(..4) == 0 { Some(Resident::start(&stage).await) } else { None };
    for _ in 0..random.usize(3..9) {
        step(&stage, &mut random).await;
    }
    if let Some(observer) = observer {
        observer.stop().await;
    }
    let wrongs = settle(&stage, &mut random).await;
    let failure = if wrongs.is_empty() {
        None
    } else {
        let story = stage.story.lock().unwrap().join("\n");
        Some(format!("{story}\n{}wrong:\n  {}", stage.home.dump().await, wrongs.join("\n  ")))
    };
    stage.sim.stop();
    listening.abort();
    let mut tally = stage.tally.lock().unwrap().clone();
    let facts = check::facts(&stage).await;
    tally.logins = facts.logins;
    tally.stored = facts.stored;
    let printed = stage.printed.lock().unwrap().len();
    tally.resumed = facts.stored.saturating_sub(printed);
    Done { tally, failure }
}

/// Keeps what happens at the gateway.
fn listen(stage: &Arc<Stage>) -> JoinHandle<()> {
    let (mut events, stage) = (stage.sim.events(), Arc::clone(stage));
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(event) => {
                    stage.tell(format_args!("  gateway: {event}"));
                    stage.events.lock().unwrap().push(event);
                }
                Err(RecvError::Lagged(_)) => panic!("the test is too slow for the simulator's events"),
                Err(RecvError::Closed) => return,
            }
        }
    })
}

/// One or two processes, killed or not.
async fn step(stage: &Arc<Stage>, random: &mut fastrand::Rng) {
    if random.u8(..6) == 0 {
        let wc_id = WcId::from(random.choice(ANYONE).unwrap());
        if stage.sim.drop_account(&wc_id).is_ok() {
            stage.tell(format_args!("{wc_id} drops"));
        }
    }
    for wc_id in ANYONE {
        // What the phone does with a dialog, or after a scan.
        let script = PhoneScript {
            scan_ms: None,
            answer_ms: random.u64(..12_000),
            then: match random.u8(..10) {
                0 => Then::Cancel,
                1 => Then::Ignore,
                _ => Then::Confirm,
            },
        };
        stage.sim.act(Act::Script { wc_id: wc_id.into(), script: Some(script) }).unwrap();
    }
    let whom = random.usize(..KNOWN.len());
    let mut running = vec![tokio::spawn(process(Arc::clone(stage), KNOWN[whom], random.fork()))];
    if random.u8(..5) == 0 {
        let other = KNOWN[(whom + random.usize(1..KNOWN.len())) % KNOWN.len()];
        running.push(tokio::spawn(process(Arc::clone(stage), other, random.fork())));
    }
    for process in running {
        process.await.unwrap();
    }
    if random.bool() {
        sleep(ms(random, 150)).await;
    }
}

/// A process from its start to its death.
async fn process(stage: Arc<Stage>, wc_id: &'static str, mut random: fastrand::Rng) {
    let renew = random.u8(..3).to_string();
    let codes = renew.parse::<usize>().unwrap() + 1;
    let (arguments, wish) = match random.u8(..10) {
        0..3 => (vec!["login", wc_id, "--renew", &renew], Some((Some(wc_id), false, codes))),
        3..5 => (vec!["login", wc_id, "--ladder", "--renew", &renew], Some((Some(wc_id), true, codes))),
        5..8 => (vec!["second-login", wc_id], Some((Some(wc_id), true, 0))),
        8 => (vec!["login", "--renew", &renew], Some((None, false, codes))),
        _ => (vec!["status"], None),
    };
    let mut arguments = arguments;
    // Refused phones rest, and a day has only so many; mostly somebody says that it may be asked all the same.
    if wish.is_some() && random.u8(..4) > 0 {
        arguments.push("--force");
    }
    if let Some((wc_id, dialog, codes)) = wish {
        stage.wishes.lock().unwrap().push(Wish { wc_id: wc_id.map(str::to_owned), dialog, codes });
    }
    let moment = match wish {
        None if random.bool() => None,
        _ if random.u8(..12) == 0 => None,
        _ => {
            let way = match &wish {
                None => "list",
                Some((_, dialog, codes)) if !dialog || (*codes > 0 && random.u8(..3) == 0) => "code",
                Some(_) => "dialog",
            };
            Some(moment(way, &mut random))
        }
    };
    let killed = run_program(&stage, &arguments, moment, &mut random).await;
    let mut tally = stage.tally.lock().unwrap();
    tally.processes += 1;
    tally.kills += usize::from(killed);
}

/// Runs the program until it ends or is killed. Whether it was.
async fn run_program(
    stage: &Arc<Stage>,
    arguments: &[&str],
    moment: Option<Moment>,
    random: &mut fastrand::Rng,
) -> bool {
    let name = arguments.join(" ");
    stage.tell(format_args!("{name}: starts, to be killed {moment:?}"));
    let mut events = stage.sim.events();
    let mut child = stage.home.saoma(arguments).arg("--json").spawn().unwrap();
    let started = Instant::now();
    let mut stderr = child.stderr.take().unwrap();
    let words = tokio::spawn(async move {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text).await;
        text
    });
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kill_at = match &moment {
        Some(Moment::After(pause)) => started + *pause,
        Some(Moment::Line(..) | Moment::Event(..)) => started + LONGEST,
        // Nobody kills it: it may look again as long as it has to, which is seconds where a list is suspect.
        None => started + PATIENCE,
    };
    loop {
        tokio::select! {
            biased;
            () = sleep_until(kill_at) => {
                // SIGKILL; it may have ended by itself just now.
                let _ = child.start_kill();
                break;
            }
            event = events.recv() => {
                if let (Ok(event), Some(Moment::Event(wanted, endpoint, pause))) = (&event, &moment)
                    && event["event"] == *wanted
                    && endpoint.is_none_or(|endpoint| event["endpoint"] == endpoint)
                {
                    kill_at = kill_at.min(Instant::now() + *pause);
                }
            }
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    let event = said(stage, &name, &line, random);
                    if let Some(Moment::Line(wanted, pause)) = &moment && event == *wanted {
                        kill_at = kill_at.min(Instant::now() + *pause);
                    }
                }
                Ok(None) | Err(_) => break,
            },
        }
    }
    let status = child.wait().await.unwrap();
    // What it said before it died counts.
    while let Ok(Some(line)) = lines.next_line().await {
        said(stage, &name, &line, random);
    }
    let words = words.await.unwrap();
    stage.tell(format_args!("{name}: {status} {words}"));
    status.signal() == Some(9)
}

/// Takes a line that a process printed; its event.
fn said(stage: &Arc<Stage>, name: &str, line: &str, random: &mut fastrand::Rng) -> String {
    stage.tell(format_args!("{name}: {line}"));
    let Ok(object) = serde_json::from_str::<Value>(line) else { return String::new() };
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let event = text("event");
    match event.as_str() {
        "qr" => person(stage, WId::from(text("w_id")), object["wc_id"].as_str(), random),
        "logged_in" | "adopted" | "wrong_account" => {
            stage.printed.lock().unwrap().push((text("wc_id"), text("w_id")));
        }
        _ => {}
    }
    event
}

/// Somebody sees a code: mostly the right phone scans it and confirms, whatever becomes of the program.
fn person(stage: &Arc<Stage>, w_id: WId, wc_id: Option<&str>, random: &mut fastrand::Rng) {
    let whose = match random.u8(..12) {
        0 => Some(random.choice(ANYONE).unwrap().to_owned()),
        1 => return,
        _ => wc_id.map(str::to_owned),
    };
    let (scans, confirms) = (ms(random, 90), ms(random, 90));
    let here = Arc::clone(stage);
    stage.persons.lock().unwrap().spawn(async move {
        sleep(scans).await;
        if let Ok(asked) = here.sim.scan_code(&w_id, whose.map(WcId::from)) {
            sleep(confirms).await;
            // It may be over, or the phone's own script may have been quicker.
            let _ = here.sim.confirm(Some(asked.wc_id));
        }
    });
}

/// Everybody goes home; much later somebody comes back, and all must be well. What is not.
async fn settle(stage: &Arc<Stage>, random: &mut fastrand::Rng) -> Vec<String> {
    let mut persons = std::mem::take(&mut *stage.persons.lock().unwrap());
    while persons.join_next().await.is_some() {}
    // Until every code and every dialog is over at the gateway.
    let limit = stage.setting.knobs().code_life_ms.unwrap_or(150_000);
    sleep(Duration::from_secs_f64(limit as f64 / 1_000.0 / SPEED) + Duration::from_millis(20)).await;
    stage.home.later().await;
    stage.tell("much later");
    match random.u8(..3) {
        0 => resident(stage).await,
        1 => {
            run_program(stage, &["status"], None, random).await;
            check::wrongs(stage).await
        }
        _ => {
            let wc_id = random.choice(KNOWN).unwrap();
            stage.wishes.lock().unwrap().push(Wish { wc_id: Some(wc_id.into()), dialog: false, codes: 1 });
            run_program(stage, &["login", wc_id, "--timeout", "1s"], None, random).await;
            let mut persons = std::mem::take(&mut *stage.persons.lock().unwrap());
            while persons.join_next().await.is_some() {}
            sleep(Duration::from_secs_f64(limit as f64 / 1_000.0 / SPEED) + Duration::from_millis(20)).await;
            stage.home.later().await;
            run_program(stage, &["status"], None, random).await;
            check::wrongs(stage).await
        }
    }
}

/// A program that stays: it takes over what the dead left, and asks the list.
struct Resident {
    engine: Engine,
    ended: JoinHandle<()>,
    store: Store,
}

impl Resident {
    async fn start(stage: &Stage) -> Self {
        stage.tell("a program that stays starts");
        let store = stage.home.store().await;
        let (gateway, options) = (stage.home.gateway(), stage.home.engine_options());
        let (engine, ended) = Engine::start(options, gateway, store.clone(), None, Arc::new(|_| {}));
        Self { engine, ended, store }
    }

    async fn stop(self) {
        self.engine.send(Command::Stop);
        self.ended.await.unwrap();
        self.store.close().await;
    }
}

/// All is well at last where a program stays.
async fn resident(stage: &Stage) -> Vec<String> {
    let resident = Resident::start(stage).await;
    let deadline = Instant::now() + PATIENCE;
    let wrongs = loop {
        let wrongs = check::wrongs(stage).await;
        if wrongs.is_empty() || Instant::now() > deadline {
            break wrongs;
        }
        sleep(Duration::from_millis(50)).await;
    };
    resident.stop().await;
    wrongs
}

/// Whether the dialect's list can tell which wId is live.
pub(crate) const fn lists_w_ids(setting: Setting) -> bool {
    matches!(setting.dialect, Dialect::V2 | Dialect::V3)
}
