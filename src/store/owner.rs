//! Owners: a process owns its attempts for as long as it holds the lock on its owner file.
//!
//! The folder `<database>.owners/` has one file per owner, named by a ULID. The owner holds it locked exclusively
//! (flock: the kernel lets go when the process dies in whatever way). Everybody else only ever takes it *shared*, so
//! that two who ask at the same moment do not take each other for the owner.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ulid::Ulid;

use super::Result;
use super::lease::{Leases, is_shared};
use super::place::{refused, with_suffix};
use crate::model::Owner;

/// This process's ownership, and the way to ask about others.
#[derive(Debug)]
pub(super) struct Ownership {
    folder: PathBuf,
    me: Owner,
    // Holds the lock.
    file: Mutex<File>,
    leases: Leases,
}

impl Ownership {
    /// Makes and locks a new owner file next to the database, and clears away the files of dead owners.
    /// `role`: what kind of process this is.
    pub(super) fn take(database: &Path, role: &str) -> Result<Self> {
        let folder = with_suffix(database, ".owners");
        let wrong = |error| refused(&folder, "cannot take the owner lock in", &error);
        make(&folder).map_err(wrong)?;
        let (name, file) = lock_new(&folder).map_err(wrong)?;
        let me = Owner(name.into());
        let leases = Leases::new(&folder, &me, role);
        let taken = Self { folder, me, file: Mutex::new(file), leases };
        taken.clear_dead();
        Ok(taken)
    }

    /// Takes the lock once more where its folder has become another one: others look for it there.
    pub(super) fn settle(&self) -> Result<()> {
        let wrong = |error| refused(&self.folder, "cannot take the owner lock in", &error);
        let path = self.folder.join(&*self.me.0);
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = held.metadata().map_err(wrong)?;
        if std::fs::metadata(&path).is_ok_and(|found| (found.dev(), found.ino()) == (mine.dev(), mine.ino())) {
            return Ok(());
        }
        make(&self.folder).map_err(wrong)?;
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(wrong)?;
        file.lock().map_err(wrong)?;
        *held = file;
        self.leases.settle();
        Ok(())
    }

    /// Who this process is.
    pub(super) fn me(&self) -> &Owner {
        &self.me
    }

    /// Whether the owner's process lives. A name that could lead out of the folder is nobody's.
    pub(super) fn is_alive(&self, owner: &Owner) -> bool {
        if *owner == self.me {
            return true;
        }
        if Ulid::from_string(&owner.0).is_err() {
            return false;
        }
        match File::open(self.folder.join(&*owner.0)) {
            Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }

    /// Whether the owner's process lives and has said lately that it can act; this process always can.
    pub(super) fn is_able(&self, owner: &Owner) -> bool {
        *owner == self.me || (self.is_alive(owner) && self.leases.left(owner).is_none_or(|left| !left.is_zero()))
    }

    /// Whether the owner's process lives and may be telling receivers something just now.
    pub(super) fn may_be_telling(&self, owner: &Owner) -> bool {
        *owner == self.me || (self.is_alive(owner) && self.leases.may_be_telling(owner))
    }

    /// The leases, this process's own and the others'.
    pub(super) const fn leases(&self) -> &Leases {
        &self.leases
    }

    /// How many other owners live.
    pub(super) fn living_others(&self) -> usize {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return 0 };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.map(|name| Owner(name.into())).filter(|owner| *owner != self.me && self.is_alive(owner)).count()
    }

    /// Removes what dead owners left. A file is removed while held shared: its owner is then dead, or has made the
    /// file but not locked it yet, and will see that it is gone and make another (see [`lock_new`]).
    fn clear_dead(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_owner = name.to_str().is_some_and(|name| Ulid::from_string(name).is_ok() && *name != *self.me.0);
            if !is_owner {
                continue;
            }
            if let Ok(file) = File::open(entry.path())
                && file.try_lock_shared().is_ok()
            {
                // Somebody else may have been quicker.
                let _ = std::fs::remove_file(entry.path());
                self.leases.clear(&Owner(name.to_string_lossy().into()));
            }
        }
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // Still locked here, so nobody can mistake the moment. If it fails, the next one to open clears it away.
        let _ = std::fs::remove_file(self.folder.join(&*self.me.0));
    }
}

/// The folder of the owners, if it is not there.
fn make(folder: &Path) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Makes a file with a new name and locks it. Between the two somebody may have taken it for a dead owner's and
/// removed it; then the lock is worth nothing and another name is tried.
fn lock_new(folder: &Path) -> std::io::Result<(String, File)> {
    loop {
        let name = Ulid::new().to_string();
        let path = folder.join(&name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        if is_shared(folder) {
            // Others of a group use this folder too, and have to be able to see whether we live. There is nothing in it.
            file.set_permissions(Permissions::from_mode(0o660))?;
        }
        file.lock()?;
        match std::fs::metadata(&path) {
            Ok(found) if found.ino() == file.metadata()?.ino() => return Ok((name, file)),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_the_folder_can_see_who_lives() {
        for (folder, file) in [(0o700, 0o600), (0o750, 0o600), (0o770, 0o660)] {
            let home = tempfile::tempdir().unwrap();
            std::fs::set_permissions(home.path(), Permissions::from_mode(folder)).unwrap();
            let (name, _held) = lock_new(home.path()).unwrap();
            let found = std::fs::metadata(home.path().join(name)).unwrap();
            assert_eq!(found.permissions().mode() & 0o777, file, "{folder:o}");
            let _leases = Leases::new(home.path(), &Owner("one".into()), "watch");
            let lease = std::fs::metadata(home.path().join("leases/one")).unwrap();
            assert_eq!(lease.permissions().mode() & 0o777, file, "{folder:o}");
        }
    }
}
