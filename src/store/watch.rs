//! Hearing of other processes' writes without a timer.

use std::path::Path;
use std::sync::Arc;

use notify::{EventHandler, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::{Error, Result};

/// See [`super::Store::watch`]. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
    written: Arc<Notify>,
}

impl Watch {
    /// Watches the folder for events on the database file and its WAL. The folder, because the WAL comes and goes:
    /// the last process to leave removes it.
    pub(super) fn new(database: &Path) -> Result<Self> {
        let wrong = |error: notify::Error| Error::Watch(error.to_string());
        let folder = database.parent().unwrap_or_else(|| Path::new("/"));
        let name = database.file_name().unwrap_or_default().to_owned();
        let written = Arc::new(Notify::new());
        let handler = Handler {
            wal: [name.as_os_str(), "-wal".as_ref()].into_iter().collect(),
            name,
            written: Arc::clone(&written),
        };
        let mut watcher = notify::recommended_watcher(handler).map_err(wrong)?;
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(wrong)?;
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
    written: Arc<Notify>,
}

impl EventHandler for Handler {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        let wake = match event {
            // The kernel's queue ran over, or the watch is in doubt: better once too often.
            Err(_) => true,
            Ok(event) if event.need_rescan() => true,
            // Opening and reading change nothing; without this every reader would wake every other.
            Ok(event) if event.kind.is_access() => false,
            Ok(event) => event
                .paths
                .iter()
                .any(|path| path.file_name().is_some_and(|name| *name == *self.name || *name == *self.wal)),
        };
        if wake {
            self.written.notify_one();
        }
    }
}
