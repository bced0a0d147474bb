//! Leases: how long a process may be taken to be able to act.
//!
//! A process that is stopped, or blocked for good, keeps its lock and yet does nothing. So whoever holds an attempt
//! writes down, on the boot clock, until when others have to take it at its word, and does so again every
//! [`RENEW_EVERY`]; a lease that is over frees what its process holds. An observer writes when each of its tries began.
//!
//! The folder `<database>.owners/leases/` has one file per owner, of one line of fixed width that is written in one
//! piece. It is a folder of its own because every process watches the one above it: a lease that is renewed wakes
//! nobody.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::boot::{BootMs, boot_id};
use crate::model::{Owner, from_ms, to_ms};

/// How long a lease lasts.
const LASTS_MS: i64 = 30_000;
/// The longest that it takes to tell one receiver one thing.
const TELLS_MS: i64 = 60_000;
/// How often it is renewed by a process that holds something.
pub const RENEW_EVERY: Duration = Duration::from_secs(10);

/// What a process says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// Until when it is able.
    pub(super) until: BootMs,
    /// Until when it may be telling receivers something.
    pub(super) telling: BootMs,
    /// When its last try for a list began, and how long the request may take, 0 once it has ended; `None`: no try yet.
    pub(super) trying: Option<(BootMs, i64)>,
    /// What kind of process it is.
    pub(super) role: String,
}

impl Lease {
    /// As its line. The numbers have a fixed width, so that a shorter one leaves nothing of a longer one behind.
    fn line(&self) -> String {
        let (began, limit) = self.trying.unwrap_or((BootMs(0), 0));
        let (until, telling) = (self.until.0.max(0), self.telling.0.max(0));
        format!("1 {} {until:020} {telling:020} {:020} {limit:010} {:<10}\n", boot_id(), began.0, self.role)
    }

    /// Reads a line; `None` where it is none, or was written before the machine's last start.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let known = words.next()? == "1" && words.next()? == boot_id();
        let mut number = || words.next()?.parse::<i64>().ok();
        let (until, telling, began, limit) = (number()?, number()?, number()?, number()?);
        let trying = (began > 0).then_some((BootMs(began), limit));
        known.then(|| Self {
            until: BootMs(until),
            telling: BootMs(telling),
            trying,
            role: words.next().unwrap_or_default().to_owned(),
        })
    }
}

/// This process's lease, and the way to read those of others.
#[derive(Debug)]
pub(super) struct Leases {
    folder: PathBuf,
    mine: Mutex<Mine>,
}

#[derive(Debug)]
struct Mine {
    name: Owner,
    file: Option<File>,
    lease: Lease,
    /// Whether it was over since this process last looked after what it holds.
    lapsed: bool,
}

impl Leases {
    /// Makes this process's file, holding nothing. A folder that takes no file is no reason to fail: the process is
    /// then able for as long as it lives.
    pub(super) fn new(owners: &Path, me: &Owner, role: &str) -> Self {
        let lease = Lease { until: BootMs(0), telling: BootMs(0), trying: None, role: role.to_owned() };
        let mine = Mutex::new(Mine { name: me.clone(), file: None, lease, lapsed: false });
        let leases = Self { folder: owners.join("leases"), mine };
        leases.settle();
        leases
    }

    /// Makes the file, also where the folder has become another one.
    pub(super) fn settle(&self) {
        // Others of a group that use the folder above too have to write and read here as well.
        let shared = self.folder.parent().is_some_and(is_shared);
        match DirBuilder::new().mode(0o700).create(&self.folder) {
            Ok(()) if shared => open_to_group(&self.folder, 0o770),
            Err(error) if error.kind() != ErrorKind::AlreadyExists => tracing::warn!(%error, "no folder for leases"),
            Ok(()) | Err(_) => {}
        }
        let mut mine = self.mine();
        let path = self.folder.join(&*mine.name.0);
        mine.file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).ok();
        drop(mine);
        if shared {
            open_to_group(&path, 0o660);
        }
        self.write(|_| {});
    }

    /// This process is able for a while from now on. That it was not for a while is not forgotten.
    pub(super) fn renew(&self) {
        let mut mine = self.mine();
        let now = BootMs::now();
        mine.lapsed |= mine.lease.until.0 > 0 && mine.lease.until < now;
        drop(mine);
        self.write(|lease| lease.until = BootMs(now.0 + LASTS_MS));
    }

    /// This process has found out what is left of what it held.
    pub(super) fn looked_after(&self) {
        self.mine().lapsed = false;
    }

    /// This process is about to stop: what it holds is free at once.
    pub(super) fn give_up(&self) {
        self.mine().lapsed = true;
        self.write(|lease| (lease.until, lease.telling, lease.trying) = (BootMs(0), BootMs(0), None));
    }

    /// Whether this process's own lease is over, or was since it last looked after what it holds: others may have taken
    /// that.
    pub(super) fn has_lapsed(&self) -> bool {
        let mine = self.mine();
        mine.lapsed || mine.lease.until < BootMs::now()
    }

    /// This process is about to tell a receiver something.
    pub(super) fn tells(&self) {
        self.write(|lease| lease.telling = BootMs(BootMs::now().0 + TELLS_MS));
    }

    /// A try for a list begins, whose request may take so long.
    pub(super) fn try_begins(&self, limit: Duration) {
        let limit = to_ms(limit);
        self.write(|lease| lease.trying = Some((BootMs::now(), limit)));
    }

    /// It has ended, however.
    pub(super) fn try_ended(&self) {
        self.write(|lease| lease.trying = lease.trying.map(|(began, _)| (began, 0)));
    }

    fn mine(&self) -> MutexGuard<'_, Mine> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, change: impl FnOnce(&mut Lease)) {
        let mut mine = self.mine();
        change(&mut mine.lease);
        let line = mine.lease.line();
        // A full disk does not end the process, and a line that was there before is overwritten in place.
        if let Some(file) = &mine.file
            && let Err(error) = file.write_all_at(line.as_bytes(), 0)
        {
            tracing::warn!(%error, "the lease cannot be renewed");
        }
    }

    /// What another process says of itself; `None` where it says nothing that holds (an older saoma, or a file system
    /// that took no file): it is then able for as long as it lives.
    pub(super) fn of(&self, owner: &Owner) -> Option<Lease> {
        Lease::read(&std::fs::read_to_string(self.folder.join(&*owner.0)).ok()?)
    }

    /// Whether another process that lives may be telling receivers something.
    pub(super) fn may_be_telling(&self, owner: &Owner) -> bool {
        self.of(owner).is_none_or(|lease| lease.telling > BootMs::now())
    }

    /// For how long still another process has to be taken to be able.
    pub(super) fn left(&self, owner: &Owner) -> Option<Duration> {
        let lease = self.of(owner)?;
        Some(from_ms(lease.until.since(BootMs::now())))
    }

    /// Removes what a dead owner left.
    pub(super) fn clear(&self, owner: &Owner) {
        let _ = std::fs::remove_file(self.folder.join(&*owner.0));
    }
}

/// Whether a folder is used by the members of a group.
pub(super) fn is_shared(folder: &Path) -> bool {
    std::fs::metadata(folder).is_ok_and(|found| found.mode() & 0o070 == 0o070)
}

fn open_to_group(path: &Path, mode: u32) {
    if let Err(error) = std::fs::set_permissions(path, Permissions::from_mode(mode)) {
        tracing::warn!(%error, "others of the group cannot see the leases");
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        let name = self.mine().name.clone();
        self.clear(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_written_and_nothing_of_another_start() {
        let (until, telling) = (BootMs(123), BootMs(67));
        let lease = Lease { until, telling, trying: Some((BootMs(45), 6_000)), role: "watch".to_owned() };
        let line = lease.line();
        assert_eq!(Lease::read(&line), Some(lease.clone()));
        assert_eq!(Lease { until: BootMs(i64::MAX), ..lease }.line().len(), line.len(), "one width");
        let other = line.replace(boot_id(), "00000000-0000-0000-0000-000000000000");
        for broken in ["", "1", "1 x", line.get(..40).unwrap(), &other, &line.replacen('1', "2", 1)] {
            assert_eq!(Lease::read(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_lease_holds_for_a_while_and_is_free_once_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Owner("one".into()), Owner("two".into()));
        let (mine, other) = (Leases::new(folder.path(), &one, "screen"), Leases::new(folder.path(), &two, "watch"));
        assert!(mine.has_lapsed() && other.left(&one).unwrap().is_zero());
        mine.renew();
        assert!(!mine.has_lapsed() && other.left(&one).unwrap() > Duration::from_secs(20));
        mine.try_begins(Duration::from_secs(9));
        assert_eq!(other.of(&one).unwrap().trying.unwrap().1, 9_000);
        assert!(!other.may_be_telling(&one));
        mine.tells();
        assert!(other.may_be_telling(&one));
        mine.give_up();
        assert!(!other.may_be_telling(&one));
        assert!(mine.has_lapsed() && other.left(&one).unwrap().is_zero());
        assert_eq!(other.of(&one).unwrap().role, "screen");
        // Renewed by whoever begins something new: what was held before may be another's all the same.
        mine.renew();
        assert!(mine.has_lapsed() && !other.left(&one).unwrap().is_zero());
        mine.looked_after();
        assert!(!mine.has_lapsed());
        drop(mine);
        assert_eq!(other.of(&one), None);
    }
}
