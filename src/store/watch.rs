//! Hearing of other processes' writes without a timer; where the system has no watch left, by looking now and then.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventHandler, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::place::with_suffix;

/// How often the files are looked at where there is no watch.
const LOOK: Duration = Duration::from_secs(1);
/// The longest that the kernel takes for it.
const LETS_GO: Duration = Duration::from_secs(1);
/// How often a watch is tried for then.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The store, or who lives.
    Store,
    /// The file that was to be watched beside it.
    File,
}

/// See [`super::Store::watch`]. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    files: Arc<Files>,
    make: fn(&Arc<Files>) -> notify::Result<Vec<RecommendedWatcher>>,
    watchers: Vec<RecommendedWatcher>,
    trouble: Option<String>,
    try_again: Instant,
    seen: Vec<Look>,
}

/// What is watched, and who is to be woken.
#[derive(Debug)]
struct Files {
    database: PathBuf,
    wal: PathBuf,
    owners: PathBuf,
    beside: Option<PathBuf>,
    store: Notify,
    file: Notify,
    /// A watched folder was moved or removed: the watch on it is worth nothing any more.
    lost: Notify,
}

/// What of a file differs after a write.
type Look = Option<(u64, u64, i64, i64)>;

fn look(path: &Path) -> Look {
    std::fs::metadata(path).ok().map(|found| (found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

impl Watch {
    /// Watches the folder for events on the database file and its WAL. The folder, because the WAL comes and goes:
    /// the last process to leave removes it. And the folder of owners: a process that ends, in whatever way, closes
    /// its lock file there, which the kernel tells on Linux (other systems have no such event; there the next change
    /// has to do).
    pub(super) fn new(database: &Path, beside: Option<&Path>) -> Self {
        Self::with(database, beside, watchers)
    }

    fn with(
        database: &Path,
        beside: Option<&Path>,
        make: fn(&Arc<Files>) -> notify::Result<Vec<RecommendedWatcher>>,
    ) -> Self {
        let files = Arc::new(Files {
            database: database.to_owned(),
            wal: with_suffix(database, "-wal"),
            owners: with_suffix(database, ".owners"),
            beside: beside.map(Path::to_owned),
            store: Notify::new(),
            file: Notify::new(),
            lost: Notify::new(),
        });
        let seen = files.looks();
        let mut watch = Self { files, make, watchers: Vec::new(), trouble: None, try_again: Instant::now(), seen };
        watch.begin();
        watch
    }

    /// Why there is no watch, if there is none: then a change is found a second later.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn begin(&mut self) {
        match (self.make)(&self.files) {
            Ok(watchers) => {
                self.watchers = watchers;
                self.trouble = None;
            }
            Err(error) => {
                tracing::warn!(%error, "no watch on the store; looking at it now and then");
                self.trouble = Some(error.to_string());
                self.try_again = Instant::now() + TRY_AGAIN;
            }
        }
    }

    /// Returns when something may have been written since the last call; several writes may come as one.
    pub async fn changed(&mut self) -> Changed {
        loop {
            if self.watchers.is_empty() {
                sleep(LOOK).await;
                if Instant::now() >= self.try_again {
                    self.begin();
                }
                let seen = std::mem::replace(&mut self.seen, self.files.looks());
                // What came between the last look and a watch that has just begun is in this look.
                if let Some(changed) = self.files.difference(&seen, &self.seen) {
                    return changed;
                }
                continue;
            }
            tokio::select! {
                () = self.files.store.notified() => return Changed::Store,
                () = self.files.file.notified() => return Changed::File,
                () = self.files.lost.notified() => {
                    self.watchers.clear();
                    self.try_again = Instant::now();
                    return Changed::Store;
                }
            }
        }
    }
}

impl Files {
    /// The file beside first.
    fn looks(&self) -> Vec<Look> {
        let beside = self.beside.as_deref().and_then(look);
        vec![beside, look(&self.database), look(&self.wal), look(&self.owners)]
    }

    fn difference(&self, before: &[Look], after: &[Look]) -> Option<Changed> {
        if before.get(1..) != after.get(1..) {
            // A difference in both is found at the next look only if this one leaves it there.
            if before.first() != after.first() {
                self.file.notify_one();
            }
            return Some(Changed::Store);
        }
        (before.first() != after.first()).then_some(Changed::File)
    }
}

fn watchers(files: &Arc<Files>) -> notify::Result<Vec<RecommendedWatcher>> {
    let folder = files.database.parent().unwrap_or_else(|| Path::new("/"));
    let mut watcher = notify::recommended_watcher(Handler(Arc::clone(files)))?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    watcher.watch(&files.owners, RecursiveMode::NonRecursive)?;
    let beside = files.beside.as_deref().and_then(Path::parent);
    if let Some(beside) = beside.filter(|beside| *beside != folder && beside.is_dir()) {
        watcher.watch(beside, RecursiveMode::NonRecursive)?;
    }
    Ok(vec![watcher])
}

/// Runs on the watcher's own thread.
struct Handler(Arc<Files>);

impl Files {
    /// Whether it is an owner's lock file, not the lock of migrations.
    fn is_owner(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(std::ffi::OsStr::to_str);
        path.parent() == Some(&self.owners) && name.is_some_and(|name| ulid::Ulid::from_string(name).is_ok())
    }

    /// Whether it is a folder that is watched.
    fn is_folder(&self, path: &Path) -> bool {
        path == self.owners || Some(path) == self.database.parent()
    }
}

/// The kernel tells of the close a moment before it lets go of the lock. Whoever is woken must find the owner dead. Not
/// for ever: it may have been another who closed it, and the owner lives.
fn wait_for_lock(path: &Path) {
    // A file that is gone has no owner either.
    let Ok(file) = File::open(path) else { return };
    let until = std::time::Instant::now() + LETS_GO;
    while matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl EventHandler for Handler {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        let files = &*self.0;
        let event = match event {
            Ok(event) if !event.need_rescan() => event,
            // The kernel's queue ran over, or the watch is in doubt: better once too often.
            Ok(_) | Err(_) => {
                files.file.notify_one();
                return files.store.notify_one();
            }
        };
        if event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write)) {
            let owner = event.paths.iter().find(|path| files.is_owner(path));
            if owner.inspect(|path| wait_for_lock(path)).is_some() {
                files.store.notify_one();
            }
        }
        // Opening and reading change nothing; without this every reader would wake every other.
        if event.kind.is_access() {
            return;
        }
        let moved = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(notify::event::ModifyKind::Name(_)));
        for path in &event.paths {
            if moved && files.is_folder(path) {
                files.lost.notify_one();
            } else if *path == files.database || *path == files.wal {
                files.store.notify_one();
            } else if Some(path) == files.beside.as_ref() {
                files.file.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &Arc<Files>) -> notify::Result<Vec<RecommendedWatcher>> {
        Err(notify::Error::generic("no instances left"))
    }

    #[tokio::test]
    async fn without_a_watch_the_files_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let (database, beside) = (folder.path().join("saoma.db"), folder.path().join("credentials.toml"));
        std::fs::write(&database, "a").unwrap();
        let mut watch = Watch::with(&database, Some(&beside), none);
        assert!(watch.trouble().is_some());
        std::fs::write(with_suffix(&database, "-wal"), "b").unwrap();
        assert_eq!(watch.changed().await, Changed::Store);
        std::fs::write(&beside, "c").unwrap();
        assert_eq!(watch.changed().await, Changed::File);
        // As soon as there is one to be had, it is had again.
        watch.make = watchers;
        watch.try_again = Instant::now();
        std::fs::create_dir(with_suffix(&database, ".owners")).unwrap();
        assert_eq!(watch.changed().await, Changed::Store);
        assert_eq!(watch.trouble(), None);
        std::fs::write(&database, "d").unwrap();
        assert_eq!(watch.changed().await, Changed::Store);
    }

    #[tokio::test]
    async fn a_file_beside_is_told_apart_from_the_store() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let database = folder.path().canonicalize().unwrap().join("saoma.db");
        std::fs::create_dir(with_suffix(&database, ".owners")).unwrap();
        for beside in [database.with_file_name("credentials.toml"), other.path().canonicalize().unwrap().join("c.toml")]
        {
            let mut watch = Watch::new(&database, Some(&beside));
            assert_eq!(watch.trouble(), None);
            // Replaced as a sign-in does it.
            let new = beside.with_extension("new");
            std::fs::write(&new, "token").unwrap();
            std::fs::rename(&new, &beside).unwrap();
            assert_eq!(watch.changed().await, Changed::File);
        }
    }
}
