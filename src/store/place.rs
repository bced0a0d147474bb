//! Where the database file lies: made with the right modes from the start, and never on a network file system.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::types::code;
use super::{Error, Result};
use crate::model::Trouble;

/// What [`prepare`] found or made.
#[derive(Debug)]
pub(super) struct Place {
    /// The file's one true path, without links, so that every process names the same owner folder and WAL.
    pub(super) path: PathBuf,
    /// Whether the file was made just now.
    pub(super) new: bool,
}

/// Makes the folder (0700) and an empty database file (0600) where they are missing. SQLite gives the WAL and its
/// index the mode of the database file, so these are private from their first byte as well.
///
/// An existing database file is never opened here: POSIX drops all of a process's locks on a file when any of its
/// descriptors is closed, and this process may have the file open in another store.
pub(super) fn prepare(path: &Path) -> Result<Place> {
    let wrong = |error| refused(path, "cannot open the store", &error);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if !folder.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| refused(folder, "cannot make the folder", &error))?;
    }
    if let Some(name) = network_file_system(folder) {
        return Err(Error::Open(format!(
            "the store {} is on a network file system ({name}), where two processes cannot share it safely; \
             put it on a local disk (SAOMA_DATABASE_URL)",
            path.display()
        )));
    }
    let new = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        // It is the folder that takes no file.
        Err(error) => return Err(refused(folder, "cannot make the store in", &error)),
    };
    let path = path.canonicalize().map_err(wrong)?;
    if !path.is_file() {
        return Err(Error::Open(format!("{} is not a file, so it cannot be the store", path.display())));
    }
    if !new {
        keep_private(&path).map_err(wrong)?;
    }
    Ok(Place { path, new })
}

/// What the system says of a file or folder, in plain words where it is one of the usual things.
pub(super) fn refused(path: &Path, what: &str, error: &std::io::Error) -> Error {
    match Trouble::of(error) {
        Some(trouble) => Error::Refused { path: path.display().to_string(), trouble },
        None => Error::Open(format!("{what} {}: {error}", path.display())),
    }
}

/// What SQLite's refusal to open or to write the database is due to. It tells only that it could not.
pub(super) fn trouble(path: &Path, error: &sqlx::Error) -> Option<Error> {
    let refused = |path: &Path, trouble| Error::Refused { path: path.display().to_string(), trouble };
    match code(error)? {
        // Busy, or locked.
        5 | 6 => Some(refused(path, Trouble::Locked)),
        13 => Some(refused(path, Trouble::Full)),
        // No permission, an error of reading or writing, read-only, cannot be opened.
        3 | 8 | 10 | 14 => {
            let folder = path.parent().unwrap_or_else(|| Path::new("."));
            let files = ["", "-wal", "-shm"].map(|end| with_suffix(path, end));
            let ways = files.iter().map(|file| (file.as_path(), Access::READ_OK | Access::WRITE_OK));
            let folder = (folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK);
            let full = || {
                let full =
                    code(error) == Some(10) && rustix::fs::statvfs(folder.0).is_ok_and(|disk| disk.f_bavail == 0);
                full.then(|| refused(path, Trouble::Full))
            };
            let barred = ways.chain([folder]).find_map(|(path, way)| match access(path, way) {
                Err(rustix::io::Errno::ROFS) => Some(refused(path, Trouble::ReadOnly)),
                Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => Some(refused(path, Trouble::Denied)),
                // What is not there may be made, if the folder takes it.
                Ok(()) | Err(_) => None,
            });
            barred.or_else(full)
        }
        _ => None,
    }
}

/// Takes rights of group and others away from a file that came from elsewhere (a backup, another tool). Another owner's,
/// on a volume that a group shares, stays as it is.
fn keep_private(path: &Path) -> std::io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        let file = with_suffix(path, end);
        match std::fs::metadata(&file) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                let closed = std::fs::set_permissions(&file, Permissions::from_mode(0o600));
                if let Err(error) = closed
                    && access(&file, Access::READ_OK | Access::WRITE_OK).is_err()
                {
                    return Err(error);
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the new file's name outlive a power cut: its folder and the folder above are written through.
pub(super) fn sync_folders(path: &Path) {
    for folder in path.ancestors().skip(1).take(2) {
        if let Ok(folder) = std::fs::File::open(folder) {
            // Some file systems refuse to sync a folder; SQLite does not insist either.
            let _ = folder.sync_all();
        }
    }
}

/// The path with something behind its file name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The kind of network file system that the folder is on; `None` for a local one, or when it cannot be told.
#[cfg(target_os = "linux")]
fn network_file_system(folder: &Path) -> Option<String> {
    const FUSE: i128 = 0x6573_5546;
    // The field's type differs from platform to platform; every one of them fits.
    let kind = i128::from(rustix::fs::statfs(folder).ok()?.f_type);
    if kind != FUSE {
        return network_magic(kind).map(str::to_owned);
    }
    let folder = folder.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let name = mount_kind(&mounts, &folder)?;
    network_fuse(&name).then_some(name)
}

/// macOS by intent only: SQLite's own locks are all there is.
#[cfg(not(target_os = "linux"))]
fn network_file_system(_folder: &Path) -> Option<String> {
    None
}

/// The numbers of statfs(2) and linux/magic.h that mean another machine, or a host's folder inside a guest.
#[cfg(target_os = "linux")]
fn network_magic(kind: i128) -> Option<&'static str> {
    Some(match kind & 0xffff_ffff {
        0x6969 => "nfs",
        0x517b => "smb",
        0xff53_4d42 => "cifs",
        0xfe53_4d42 => "smb3",
        0x0102_1997 => "9p",
        0x7375_7245 => "coda",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x564c => "ncp",
        0x00c3_6400 => "ceph",
        0x0bd0_0bd0 => "lustre",
        0x4750_4653 => "gpfs",
        _ => return None,
    })
}

/// Whether a FUSE file system of this kind reaches over a network; others (fuseblk, overlays, virtiofs) do not.
#[cfg(target_os = "linux")]
fn network_fuse(kind: &str) -> bool {
    const REMOTE: [&str; 14] = [
        "sshfs",
        "rclone",
        "s3fs",
        "davfs",
        "curlftpfs",
        "gcsfuse",
        "goofys",
        "glusterfs",
        "cephfs",
        "smbnetfs",
        "gvfsd-fuse",
        "juicefs",
        "moosefs",
        "nfs",
    ];
    kind.strip_prefix("fuse.").is_some_and(|kind| REMOTE.iter().any(|remote| kind.starts_with(remote)))
}

/// The file system kind of the mount that the folder is under, from the text of `/proc/self/mountinfo`.
#[cfg(target_os = "linux")]
fn mount_kind(mounts: &str, folder: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?.replace("\\040", " ");
        let kind = right.split(' ').next()?;
        let deep = Path::new(&point).components().count();
        // A later mount on the same point hides the earlier one.
        if folder.starts_with(&point) && best.is_none_or(|(depth, _)| deep >= depth) {
            best = Some((deep, kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,nosuid shared:2 - nfs4 server:/home rw
31 22 0:41 / /mnt/a\\040b rw - fuse.sshfs me@host:/ rw
32 22 0:42 / /mnt/disk rw - fuseblk /dev/sdb1 rw
33 22 0:43 / /mnt/disk rw shared:9 master:3 - fuse.rclone remote: rw
";

    #[test]
    fn the_deepest_and_latest_mount_counts() {
        for (folder, kind) in [
            ("/var/lib/saoma", "ext4"),
            ("/home/me", "nfs4"),
            ("/homes", "ext4"),
            ("/mnt/a b/state", "fuse.sshfs"),
            ("/mnt/disk", "fuse.rclone"),
        ] {
            assert_eq!(mount_kind(MOUNTS, Path::new(folder)).as_deref(), Some(kind), "{folder}");
        }
    }

    #[test]
    fn only_what_reaches_over_a_network_is_refused() {
        for (kind, refused) in [
            ("fuse.sshfs", true),
            ("fuse.rclone", true),
            ("fuse.fuse-overlayfs", false),
            ("fuseblk", false),
            ("virtiofs", false),
        ] {
            assert_eq!(network_fuse(kind), refused, "{kind}");
        }
        assert_eq!(network_magic(0x6969), Some("nfs"));
        // On some platforms the field is signed and 32 bits wide.
        assert_eq!(network_magic(i128::from(0xff53_4d42_u32.cast_signed())), Some("cifs"));
        assert_eq!(network_magic(0xef53), None);
    }
}
