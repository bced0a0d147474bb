//! What the kernel says of a running program.

use std::fs;
use std::path::Path;

/// What one program has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// Processor time of all living threads, ns.
    pub(crate) all: u64,
    /// The same without the threads that start behind the first frame.
    pub(crate) face: u64,
    /// Switches of all living threads.
    pub(crate) switches: u64,
    /// Living threads.
    pub(crate) threads: usize,
}

/// Threads that work behind the first frame: the engine's, and the one that watches the store.
const BEHIND: [&str; 2] = ["engine", "notify-rs"];

impl Used {
    /// Of the process with this id; zero where the kernel does not say.
    pub(crate) fn of(pid: u32) -> Self {
        let mut used = Self::default();
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let task = task.path();
            let read = |name: &str| fs::read_to_string(task.join(name)).unwrap_or_default();
            let name = read("comm");
            let ns = read("schedstat").split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0_u64);
            used.all += ns;
            if !BEHIND.iter().any(|behind| name.trim().starts_with(behind)) {
                used.face += ns;
            }
            used.switches +=
                read("status").lines().filter(|line| line.contains("ctxt_switches")).map(number).sum::<u64>();
            used.threads += 1;
        }
        used
    }
}

/// Resident memory and the part of it that no file stands behind, KiB.
pub(crate) fn memory(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let of = |key: &str| status.lines().find(|line| line.starts_with(key)).map_or(0, number);
    (of("VmRSS:"), of("RssAnon:"))
}

/// The size of a file, bytes.
pub(crate) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// The first number behind the colon.
fn number(line: &str) -> u64 {
    let rest = line.split_once(':').map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
