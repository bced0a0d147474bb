//! The file under the path has become another one, or is gone: it was moved, deleted or replaced while it was open. To go on
//! in the old one would be to write where nobody looks. What is there now is opened, and that is told.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::sqlite::SqliteConnection;

use super::super::place::{self, with_suffix};
use super::super::types::{Error, Result};
use super::{Sqlite, Subject, open};

/// Which file is open, as far as the system tells it from others.
#[derive(Debug)]
pub(super) struct Opened {
    device: AtomicU64,
    inode: AtomicU64,
    /// Its journal's; 0: there was none when it was last looked for.
    journal: AtomicU64,
    /// Whether that has changed since somebody asked.
    news: AtomicBool,
}

fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.ino())
}

impl Opened {
    pub(super) fn of(path: &Path) -> Self {
        let opened = Self { device: 0.into(), inode: 0.into(), journal: 0.into(), news: AtomicBool::new(false) };
        opened.note(path);
        opened
    }

    fn note(&self, path: &Path) {
        if let Ok(found) = std::fs::metadata(path) {
            self.device.store(found.dev(), Ordering::Relaxed);
            self.inode.store(found.ino(), Ordering::Relaxed);
        }
        self.journal.store(inode(&with_suffix(path, "-wal")), Ordering::Relaxed);
    }

    /// Whether the path leads to another file, or to none.
    pub(super) fn is_another(&self, path: &Path) -> bool {
        let (device, inode_) = (self.device.load(Ordering::Relaxed), self.inode.load(Ordering::Relaxed));
        let same = std::fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (device, inode_));
        if same {
            self.journal.store(inode(&with_suffix(path, "-wal")), Ordering::Relaxed);
        }
        !same
    }
}

impl Sqlite {
    /// Opens what is there now; an empty store where nothing is, as long as its folder is there.
    pub(super) async fn reopen(&self, connection: &mut SqliteConnection) -> Result<()> {
        let path = &self.place.path;
        let shown = path.display();
        if !path.parent().is_some_and(Path::is_dir) {
            return Err(Error::Open(format!(
                "the store {shown} was moved or deleted with its folder: end saoma, or put it back"
            )));
        }
        tracing::warn!(path = %shown, "the store was moved, deleted or replaced; opening what is there now");
        if path.exists() {
            open::look(&self.place).await?;
        }
        // The journal of the old file, left behind, would be taken for the new one's.
        let journal = self.file.journal.load(Ordering::Relaxed);
        if journal != 0 && inode(&with_suffix(path, "-wal")) == journal {
            for end in ["-wal", "-shm"] {
                let (from, to) = (with_suffix(path, end), with_suffix(path, &format!("{end}.left")));
                match std::fs::rename(&from, to) {
                    // Another process has put it aside.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    renamed => renamed.map_err(|error| place::refused(&from, "cannot put aside", &error))?,
                }
            }
        }
        // As far as the old one counted. Where it can no longer say, what this process has read of it has to do.
        let newest = sqlx::query_scalar::<_, i64>(sql!("order_newest")).fetch_one(&mut *connection).await;
        let newest = newest.unwrap_or_default().max(self.seen.load(Ordering::Relaxed));
        let place = place::prepare(path)?;
        self.owners.settle()?;
        let (mut another, version) = open::connect(&place).await?;
        open::migrate(&mut another, &place, version).await?;
        let (profile, seen) = open::profile(&mut another, &self.scope.profile).await?;
        // SQLite leaves the names of a file alone that is no longer where it was opened.
        *connection = another;
        self.profile.store(profile, Ordering::Relaxed);
        self.seen.store(seen, Ordering::Relaxed);
        *self.epoch() = None;
        self.held().clear();
        self.count_on(connection, newest).await?;
        self.file.note(path);
        self.file.news.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Has the file count on from where the old one was: answers to what was asked before must not pass for newer than
    /// what is asked from now on.
    async fn count_on(&self, connection: &mut SqliteConnection, newest: i64) -> Result<()> {
        let mut tx = super::begin(connection).await?;
        // The counter is there from the first change on.
        if self.changed(&mut tx, Subject::Fleet).await?.0 < newest {
            sqlx::query(sql!("order_count_on")).bind(newest).execute(&mut *tx).await?;
            self.changed(&mut tx, Subject::Fleet).await?;
        }
        Ok(tx.commit().await?)
    }

    /// See [`super::super::Store::was_replaced`].
    pub(in super::super) async fn was_replaced(&self) -> Result<bool> {
        drop(self.lock().await?);
        // Whoever removes a store may remove our lock after we have opened another.
        self.owners.settle()?;
        Ok(self.file.news.swap(false, Ordering::Relaxed))
    }
}
