//! What saoma costs on a terminal, beside a bare ratatui program in the same run: see docs/performance.md.
//!
//! `cargo bench --bench start`, or with the names of some parts: `start keys status code list rest exit`.
//! `SAOMA_BENCH_ROUNDS` says how often programs start in turn (15), `SAOMA_BENCH_PROGRAM` names another saoma to measure. Absolute times are this machine's: ratios of programs that
//! ran in turn are what counts.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench prints, and when it fails says where"
)]

mod home;
mod process;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use saoma::model::{Began, Presence, Source, Stamp};
use saoma::store::{Edit, Verdict};

use self::home::{Home, bare, floor};
use self::terminal::Terminal;

/// How many accounts.
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Longer than anything that is under way takes, and than the pause between two frames.
const SETTLED: Duration = Duration::from_millis(300);
/// A fleet list that comes once.
const ONCE: &str = "1h";

struct Bench {
    program: PathBuf,
    floor: PathBuf,
    homes: Vec<(usize, Home)>,
    rounds: usize,
}

fn main() -> Result<()> {
    let wished: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_saoma"));
    build_floor(&ours)?;
    let program = std::env::var_os("SAOMA_BENCH_PROGRAM").map_or_else(|| ours.clone(), PathBuf::from);
    let rounds = std::env::var("SAOMA_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(15);
    // The gateways run beside the programs that are measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let mut homes = Vec::new();
    for count in SIZES {
        homes.push((count, handle.block_on(Home::new(count))?));
    }
    let bench = Bench {
        floor: Some(floor(&program)).filter(|path| path.exists()).unwrap_or_else(|| floor(&ours)),
        program,
        homes,
        rounds,
    };
    let parts: [(&str, &dyn Fn() -> Result<()>); 7] = [
        ("start", &|| bench.start()),
        ("keys", &|| bench.keys()),
        ("status", &|| handle.block_on(bench.status())),
        ("code", &|| bench.code()),
        ("list", &|| bench.list()),
        ("rest", &|| bench.rest()),
        ("exit", &|| bench.exit()),
    ];
    for (name, part) in parts {
        if wished.is_empty() || wished.iter().any(|wish| wish == name) {
            part().with_context(|| format!("in {name}"))?;
        }
    }
    Ok(())
}

/// The floor is an example, which `cargo bench` does not build.
fn build_floor(saoma: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let optimised = saoma.parent().is_some_and(|folder| folder.ends_with("release"));
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--example", "hello"])
        .args(optimised.then_some("--release"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    ensure!(built.success(), "the floor program does not build");
    Ok(())
}

/// One start.
#[derive(Clone, Copy, Debug, Default)]
struct Start {
    ms: f64,
    face_ms: f64,
    all_ms: f64,
    bytes: usize,
    rss: u64,
    anon: u64,
    threads: usize,
}

impl Bench {
    fn home(&self, count: usize) -> &Home {
        &self.homes.iter().find(|(size, _)| *size == count).unwrap().1
    }

    /// A program whose first frames are through.
    fn settled(&self, count: usize, interval: &str, columns: u16, rows: u16) -> Result<Terminal> {
        let mut terminal = Terminal::start(self.home(count).command(&self.program, interval)?, columns, rows)?;
        terminal.first()?;
        terminal.collect(Duration::from_millis(1_500))?;
        Ok(terminal)
    }

    fn once(&self, count: Option<usize>, columns: u16, rows: u16) -> Result<(Start, usize)> {
        let command = match count {
            Some(count) => self.home(count).command(&self.program, ONCE)?,
            None => bare(&self.floor),
        };
        let mut terminal = Terminal::start(command, columns, rows)?;
        let burst = terminal.first()?;
        let used = terminal.used();
        let text = terminal.text();
        let whole = match count {
            Some(_) => text.matches("Agent ").count() + text.matches("售前客服").count() >= 10 && text.contains("quit"),
            None => text.matches("hello").count() > 100,
        };
        ensure!(whole, "the first frame is not whole:\n{text}");
        let (rss, anon) = process::memory(terminal.pid());
        let queries = terminal.queries;
        let start = Start {
            ms: ms(burst.took),
            face_ms: ns(used.face),
            all_ms: ns(used.all),
            bytes: burst.bytes.len(),
            rss,
            anon,
            threads: used.threads,
        };
        terminal.kill(Signal::TERM)?;
        Ok((start, queries))
    }

    fn start(&self) -> Result<()> {
        let subjects: Vec<Option<usize>> = std::iter::once(None).chain(SIZES.map(Some)).collect();
        let mut found: Vec<Vec<Start>> = vec![Vec::new(); subjects.len()];
        let mut queries = 0;
        for round in 0..=self.rounds {
            for (subject, found) in subjects.iter().zip(&mut found) {
                let (start, asked) = self.once(*subject, 80, 24)?;
                queries += asked;
                // The first round warms the caches.
                if round > 0 {
                    found.push(start);
                }
            }
        }
        println!("\n## Start to first frame, 80x24, {} rounds in turn\n", self.rounds);
        println!(
            "| program | ms median (min) | x hello | CPU ms to first frame | x hello | CPU ms all | B | B 200x50 | RSS MB (anon) | threads |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        let floor = found[0].clone();
        for (subject, starts) in subjects.iter().zip(&found) {
            let (large, _) = self.once(*subject, 200, 50)?;
            let name = subject.map_or_else(|| "ratatui hello".to_owned(), |count| format!("saoma, {count} accounts"));
            let of = |starts: &[Start], field: fn(&Start) -> f64| median(starts.iter().map(field).collect());
            let ratio = |field: fn(&Start) -> f64| {
                median(starts.iter().zip(&floor).map(|(this, floor)| field(this) / field(floor)).collect())
            };
            println!(
                "| {name} | {:.2} ({:.2}) | {:.2} | {:.2} | {:.2} | {:.2} | {} | {} | {:.1} ({:.1}) | {} |",
                of(starts, |start| start.ms),
                starts.iter().map(|start| start.ms).fold(f64::INFINITY, f64::min),
                ratio(|start| start.ms),
                of(starts, |start| start.face_ms),
                ratio(|start| start.face_ms),
                of(starts, |start| start.all_ms),
                starts.last().map_or(0, |start| start.bytes),
                large.bytes,
                of(starts, |start| start.rss as f64 / 1024.0),
                of(starts, |start| start.anon as f64 / 1024.0),
                starts.last().map_or(0, |start| start.threads),
            );
        }
        println!("\nQueries to the terminal: {queries}. Binary: {:.2} MB.", process::size(&self.program) as f64 / 1e6);
        Ok(())
    }

    fn keys(&self) -> Result<()> {
        println!("\n## Keys, 80x24\n");
        println!("| what | B | ms median (p95) | CPU ms | frames |");
        println!("|---|--:|--:|--:|--:|");
        for count in [100, 10_000] {
            let mut terminal = self.settled(count, ONCE, 80, 24)?;
            let within: Vec<&[u8]> =
                (0..100).map(|at: usize| if (at / 10).is_multiple_of(2) { b"j".as_slice() } else { b"k" }).collect();
            per_key(&mut terminal, &format!("cursor key, {count} accounts"), &within)?;
            terminal.send(&b"j".repeat(14), SETTLED)?;
            per_key(&mut terminal, &format!("the same, scrolling, {count} accounts"), &[b"j".as_slice(); 50])?;
            for keys in [200, 10_000] {
                terminal.send(b"g", SETTLED)?;
                let before = terminal.used();
                let burst = terminal.send(&b"jjjj".repeat(keys / 4), SETTLED)?;
                println!(
                    "| {keys} keys in one write, {count} accounts | {} | {:.2} | {:.2} | {} |",
                    burst.bytes.len(),
                    ms(burst.took),
                    ns(terminal.used().all - before.all),
                    burst.frames()
                );
            }
            terminal.kill(Signal::TERM)?;
        }
        Ok(())
    }

    async fn status(&self) -> Result<()> {
        println!("\n## Changes that another process stores, 10,000 accounts, 80x24\n");
        println!("| what | B | CPU ms | frames |");
        println!("|---|--:|--:|--:|");
        let home = self.home(10_000);
        let mut terminal = self.settled(10_000, ONCE, 80, 24)?;
        terminal.collect(Duration::from_secs(7))?;
        let mut presence = Presence::Offline;
        for (what, place, hand) in [
            ("presence on the screen, rows at rest", 5, true),
            ("the same, back", 5, true),
            ("presence off the screen, rows at rest", 4_000, true),
            ("the same, back", 4_000, true),
            ("presence on the screen, rows move", 5, false),
            ("the same, back", 5, false),
        ] {
            presence = if presence == Presence::Offline { Presence::Unknown } else { Presence::Offline };
            if hand {
                // A key that changes nothing keeps the rows where they are.
                terminal.collect(Duration::from_millis(1_500))?;
                terminal.send_quietly(b"g")?;
                terminal.collect(Duration::from_millis(300))?;
            } else {
                terminal.collect(Duration::from_secs(4))?;
            }
            let verdict = Verdict {
                wc_id: home.listed[place].clone(),
                presence: if place == 4_000 && presence == Presence::Offline { Presence::Online } else { presence },
                source: Source::Check,
                began: Began { at: now(), order: home.store.order().await?, ..Began::default() },
                reason: None,
            };
            let before = terminal.used();
            home.store.note(&[verdict], &[]).await?;
            let burst = terminal.collect(Duration::from_millis(if hand { 1_000 } else { 2_000 }))?;
            let after = terminal.used();
            println!("| {what} | {} | {:.2} | {} |", burst.bytes.len(), ns(after.all - before.all), burst.frames());
        }
        let before = terminal.used();
        let note = Edit { note: Some(format!("bench {}", now().0).into()), ..Edit::default() };
        home.store.put_account(&home.listed[4_000], &note, now()).await?;
        let burst = terminal.collect(Duration::from_secs(1))?;
        let cpu = ns(terminal.used().all - before.all);
        println!("| a note off the screen | {} | {cpu:.2} | {} |", burst.bytes.len(), burst.frames());
        terminal.kill(Signal::TERM)?;
        Ok(())
    }

    fn code(&self) -> Result<()> {
        println!("\n## A code of version 3, 1,000 accounts\n");
        println!("| size | B of the frame with the code | B per second of the countdown | CPU ms per second |");
        println!("|---|--:|--:|--:|");
        for (columns, rows) in [(80, 24), (200, 50)] {
            let mut terminal = self.settled(1_000, ONCE, columns, rows)?;
            let burst = terminal.send(b"n", SETTLED)?;
            ensure!(terminal.text().matches('▄').count() > 100, "no code:\n{}", terminal.text());
            let before = terminal.used();
            let seconds = terminal.collect(Duration::from_secs(5))?;
            let cpu = ns(terminal.used().all - before.all) / 5.0;
            println!("| {columns}x{rows} | {} | {} | {cpu:.2} |", burst.largest_frame(), seconds.bytes.len() / 5);
            terminal.kill(Signal::TERM)?;
        }
        Ok(())
    }

    fn list(&self) -> Result<()> {
        println!("\n## A fleet list that changes nothing (every 5 s), per list\n");
        println!("| accounts | B | CPU ms | of it the screen's thread | switches |");
        println!("|---|--:|--:|--:|--:|");
        for count in SIZES {
            let mut terminal = self.settled(count, "5s", 80, 24)?;
            terminal.collect(Duration::from_secs(7))?;
            let seen = self.home(count).simulator.requests().len();
            let before = terminal.used();
            let burst = terminal.collect(Duration::from_secs(21))?;
            let after = terminal.used();
            let lists = (self.home(count).simulator.requests().len() - seen).max(1);
            println!(
                "| {count} | {} | {:.2} | {:.2} | {} |",
                burst.bytes.len() / lists,
                ns(after.all - before.all) / lists as f64,
                ns(after.face - before.face) / lists as f64,
                (after.switches - before.switches) / lists as u64
            );
            terminal.kill(Signal::TERM)?;
        }
        Ok(())
    }

    fn rest(&self) -> Result<()> {
        println!("\n## At rest for 10 s, after the first list\n");
        println!("| accounts | B | CPU ms | switches | RSS MB (anon) | threads |");
        println!("|---|--:|--:|--:|--:|--:|");
        for count in SIZES {
            let mut terminal = self.settled(count, ONCE, 80, 24)?;
            // Threads that wait for work end after 10 s.
            terminal.collect(Duration::from_secs(12))?;
            let before = terminal.used();
            let burst = terminal.collect(Duration::from_secs(10))?;
            let after = terminal.used();
            let (rss, anon) = process::memory(terminal.pid());
            println!(
                "| {count} | {} | {:.2} | {} | {:.1} ({:.1}) | {} |",
                burst.bytes.len(),
                ns(after.all - before.all),
                after.switches - before.switches,
                rss as f64 / 1024.0,
                anon as f64 / 1024.0,
                after.threads
            );
            terminal.kill(Signal::TERM)?;
        }
        Ok(())
    }

    fn exit(&self) -> Result<()> {
        println!("\n## Gone, 1,000 accounts\n");
        println!("| cause | ms median | ended with |");
        println!("|---|--:|---|");
        type Cause = fn(Terminal) -> std::io::Result<(Duration, std::process::ExitStatus)>;
        let causes: [(&str, Cause); 4] = [
            ("SIGTERM", |terminal| terminal.kill(Signal::TERM)),
            ("SIGHUP", |terminal| terminal.kill(Signal::HUP)),
            ("the terminal closed", Terminal::close),
            ("q", |terminal| terminal.quit(b"q")),
        ];
        for (name, cause) in causes {
            let mut times = Vec::new();
            let mut last = String::new();
            for _ in 0..3 {
                let (took, status) = cause(self.settled(1_000, ONCE, 80, 24)?)?;
                times.push(ms(took));
                last = status.to_string();
            }
            println!("| {name} | {:.1} | {last} |", median(times));
        }
        Ok(())
    }
}

fn per_key(terminal: &mut Terminal, what: &str, keys: &[&[u8]]) -> Result<()> {
    let before = terminal.used();
    let mut times = Vec::new();
    let (mut bytes, mut frames) = (0, 0);
    for key in keys {
        let burst = terminal.send(key, Duration::from_millis(8))?;
        times.push(ms(burst.took));
        bytes += burst.bytes.len();
        frames += burst.frames();
    }
    let cpu = ns(terminal.used().all - before.all) / keys.len() as f64;
    times.sort_by(f64::total_cmp);
    let p95 = times[times.len() * 95 / 100];
    println!("| {what} | {} | {:.2} ({p95:.2}) | {cpu:.3} | {frames} |", bytes / keys.len(), median(times));
    Ok(())
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn ns(time: u64) -> f64 {
    time as f64 / 1e6
}

fn now() -> Stamp {
    Stamp(jiff::Timestamp::now().as_millisecond())
}
