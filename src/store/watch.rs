//! Hearing of other processes' writes without a timer.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{EventHandler, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::place::with_suffix;
use super::{Error, Result};

/// See [`super::Store::watch`]. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
    written: Arc<Notify>,
}

impl Watch {
    /// Watches the folder for events on the database file and its WAL. The folder, because the WAL comes and goes:
    /// the last process to leave removes it. And the folder of owners: a process that ends, in whatever way, closes
    /// its lock file there, which the kernel tells on Linux (other systems have no such event; there the next change
    /// has to do).
    pub(super) fn new(database: &Path) -> Result<Self> {
        let wrong = |error: notify::Error| Error::Watch(error.to_string());
        let folder = database.parent().unwrap_or_else(|| Path::new("/"));
        let name = database.file_name().unwrap_or_default().to_owned();
        let owners = with_suffix(database, ".owners");
        let written = Arc::new(Notify::new());
        let handler = Handler {
            wal: [name.as_os_str(), "-wal".as_ref()].into_iter().collect(),
            name,
            owners: owners.clone(),
            written: Arc::clone(&written),
        };
        let mut watcher = notify::recommended_watcher(handler).map_err(wrong)?;
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(wrong)?;
        watcher.watch(&owners, RecursiveMode::NonRecursive).map_err(wrong)?;
        Ok(Self { _watcher: watcher, written })
    }

    /// Returns when something may have been written since the last call; several writes may come as one.
    pub async fn changed(&mut self) {
        self.written.notified().await;
    }
}

/// Runs on the watcher's own thread.
struct Handler {
    name: std::ffi::OsString,
    wal: std::ffi::OsString,
    owners: PathBuf,
    written: Arc<Notify>,
}

impl Handler {
    /// Whether it is an owner's lock file, not the lock of migrations.
    fn is_owner(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(std::ffi::OsStr::to_str);
        path.parent() == Some(&self.owners) && name.is_some_and(|name| ulid::Ulid::from_string(name).is_ok())
    }
}

/// The kernel tells of the close a moment before it lets go of the lock. Whoever is woken must find the owner dead.
fn wait_for_lock(path: &Path) {
    // A file that is gone has no owner either.
    if let Ok(file) = File::open(path) {
        let _ = file.lock_shared();
    }
}

impl EventHandler for Handler {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        let wake = match event {
            // The kernel's queue ran over, or the watch is in doubt: better once too often.
            Err(_) => true,
            Ok(event) if event.need_rescan() => true,
            Ok(event) if event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                let owner = event.paths.iter().find(|path| self.is_owner(path));
                owner.inspect(|path| wait_for_lock(path)).is_some()
            }
            // Opening and reading change nothing; without this every reader would wake every other.
            Ok(event) if event.kind.is_access() => false,
            Ok(event) => event
                .paths
                .iter()
                .filter(|path| path.parent() != Some(&self.owners))
                .any(|path| path.file_name().is_some_and(|name| *name == *self.name || *name == *self.wal)),
        };
        if wake {
            self.written.notify_one();
        }
    }
}
