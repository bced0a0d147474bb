//! A thousand kills: the real program is killed at random moments of logins, over all settings of the
//! simulated gateway's knobs. No wId may be lost that reached this machine or that the gateway still tells, and no two
//! accounts may be mixed.
//!
//! `SAOMA_KILLS` says how many (60 without it), `SAOMA_SEED` tries other rounds, `SAOMA_ROUND` one round of them.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "kills/check.rs"]
mod check;
#[path = "kills/home.rs"]
mod home;
#[path = "kills/knobs.rs"]
mod knobs;
#[path = "kills/round.rs"]
mod round;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Rounds at a time: they mostly wait.
const WORKERS: usize = 8;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn no_kill_loses_a_w_id_or_mixes_accounts() {
    let wanted = usize::try_from(number("SAOMA_KILLS").unwrap_or(60)).unwrap();
    let seed = number("SAOMA_SEED").unwrap_or(0x5A0);
    let only = number("SAOMA_ROUND").map(|round| usize::try_from(round).unwrap());
    let pairs = knobs::pairs_take(seed);
    println!("SAOMA_SEED={seed}, {wanted} kills, every pair of settings in {pairs} rounds");
    let started = Instant::now();
    let (next, kills, stop) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let tally = Arc::new(Mutex::new(round::Tally::default()));
    let failures = Arc::new(Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..if only.is_some() { 1 } else { WORKERS })
        .map(|_| {
            let (next, kills, stop) = (Arc::clone(&next), Arc::clone(&kills), Arc::clone(&stop));
            let (tally, failures) = (Arc::clone(&tally), Arc::clone(&failures));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let enough = || kills.load(Ordering::Relaxed) >= wanted && next.load(Ordering::Relaxed) >= pairs;
                while !enough() && !stop.load(Ordering::Relaxed) {
                    let number = only.unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed));
                    let done = runtime.block_on(round::run(seed, number));
                    kills.fetch_add(done.tally.kills, Ordering::Relaxed);
                    tally.lock().unwrap().add(&done.tally);
                    if let Some(story) = done.failure {
                        let mut failures = failures.lock().unwrap();
                        println!("SAOMA_SEED={seed} SAOMA_ROUND={number}:\n{story}\n");
                        failures.push(number);
                        stop.store(failures.len() >= 3, Ordering::Relaxed);
                    }
                    if only.is_some() {
                        break;
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("a worker panicked");
    }
    let tally = tally.lock().unwrap();
    println!("{tally}, {:.0} s", started.elapsed().as_secs_f64());
    let failures = failures.lock().unwrap();
    assert!(failures.is_empty(), "SAOMA_SEED={seed}: rounds {failures:?} went wrong (see above)");
    assert!(only.is_some() || tally.logins > wanted / 20, "too little happened: {tally}");
}
