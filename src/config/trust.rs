//! Whether others may change a file that saoma obeys: it names the gateway that gets the token, and commands to run.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use super::Error;
use super::credentials::is_ours;
use super::error::unreadable;
use super::paths::{behind_links, folder_of};

/// Rights of others to write.
const OTHERS_WRITE: u32 = 0o022;
/// In such a folder others can neither remove nor rename what is not theirs.
const STICKY: u32 = 0o1000;

/// Reads a file of settings. `None` where it is not there; an error where anybody but this user and root may change it,
/// or put another in its place.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    if is_named_pipe(path) {
        return Err(unreadable(path)(std::io::Error::other("not an ordinary file")));
    }
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path)(error)),
    };
    // Of what is open, not of what stands there a moment later.
    check(path, &file.metadata().map_err(unreadable(path))?)?;
    check_folder(path)?;
    let real = behind_links(path);
    if real != path {
        // A link is as good as the file.
        check_owner(path, &std::fs::symlink_metadata(path).map_err(unreadable(path))?)?;
        check_folder(&real)?;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable(path))?;
    Ok(Some(text))
}

/// A pipe with a place on the disk keeps whoever opens it waiting for a writer. The shell's own (`<(…)`) have none, or one
/// among the open files.
fn is_named_pipe(path: &Path) -> bool {
    let real = behind_links(path);
    let is_pipe = std::fs::symlink_metadata(&real).is_ok_and(|there| there.file_type().is_fifo());
    is_pipe && !real.starts_with("/dev/fd")
}

fn check_folder(path: &Path) -> Result<(), Error> {
    let folder = folder_of(path);
    // Where there is no such folder the file is none of the disk's: a pipe, say.
    std::fs::metadata(folder).map_or(Ok(()), |there| check(folder, &there))
}

fn check(path: &Path, there: &Metadata) -> Result<(), Error> {
    // What is written into a device (`/dev/null`) is not what is read from it.
    if is_read_only(path) || there.file_type().is_char_device() {
        return Ok(());
    }
    check_owner(path, there)?;
    let mode = there.mode() & 0o7777;
    let kept = there.is_dir() && mode & STICKY != 0;
    if mode & OTHERS_WRITE != 0 && !kept { Err(Error::Open { path: path.to_owned(), mode }) } else { Ok(()) }
}

fn check_owner(path: &Path, there: &Metadata) -> Result<(), Error> {
    let owner = there.uid();
    if owner == 0 || is_ours(there) { Ok(()) } else { Err(Error::Foreign { path: path.to_owned(), owner }) }
}

/// What is mounted read-only (into a container, say) nobody writes, whatever its rights are.
fn is_read_only(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|on| on.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The file or folder that is complained of, with its rights.
    fn complaint(path: &Path) -> Option<(String, u32)> {
        match read(path) {
            Ok(text) => {
                assert_eq!(text.as_deref(), Some("text"));
                None
            }
            Err(Error::Open { path, mode }) => Some((path.file_name().unwrap().to_string_lossy().into_owned(), mode)),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn what_others_may_write_is_not_obeyed() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("saoma");
        let file = folder.join("config.toml");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(&file, "text").unwrap();
        for (of_folder, of_file, at) in [
            (0o700, 0o600, None),
            (0o755, 0o644, None),
            (0o750, 0o440, None),
            (0o700, 0o620, Some(("config.toml", 0o620))),
            (0o700, 0o664, Some(("config.toml", 0o664))),
            (0o700, 0o602, Some(("config.toml", 0o602))),
            (0o700, 0o666, Some(("config.toml", 0o666))),
            (0o770, 0o600, Some(("saoma", 0o770))),
            (0o775, 0o600, Some(("saoma", 0o775))),
            (0o703, 0o600, Some(("saoma", 0o703))),
            (0o777, 0o600, Some(("saoma", 0o777))),
            (0o1777, 0o600, None),
            (0o1777, 0o666, Some(("config.toml", 0o666))),
        ] {
            set(&file, of_file);
            set(&folder, of_folder);
            let at = at.map(|(name, mode)| (name.to_owned(), mode));
            assert_eq!(complaint(&file), at, "{of_folder:o} {of_file:o}");
        }
        set(&folder, 0o700);
        set(&file, 0o600);
        // Behind a link both folders count.
        let links = home.path().join("links");
        std::fs::create_dir(&links).unwrap();
        let link = links.join("config.toml");
        symlink(&file, &link).unwrap();
        set(&links, 0o755);
        assert_eq!(complaint(&link), None);
        set(&links, 0o777);
        assert_eq!(complaint(&link), Some(("links".into(), 0o777)));
        set(&links, 0o755);
        set(&folder, 0o777);
        assert_eq!(complaint(&link), Some(("saoma".into(), 0o777)));
        set(&folder, 0o700);
        set(&file, 0o666);
        assert_eq!(complaint(&link), Some(("config.toml".into(), 0o666)));
    }

    #[test]
    fn what_somebody_else_owns_is_not_obeyed() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        std::fs::write(&file, "text").unwrap();
        set(&file, 0o644);
        let mine = rustix::process::geteuid().as_raw();
        let foreign = |path: &Path| matches!(read(path), Err(Error::Foreign { owner: 4711, .. }));
        if chown(&file, Some(4711), None).is_err() {
            // Only root gives a file away; for others a look at what root owns is what can be looked at.
            assert_ne!(mine, 0);
            assert!(check_owner(Path::new("/"), &std::fs::metadata("/").unwrap()).is_ok());
            return;
        }
        assert!(foreign(&file));
        chown(&file, Some(mine), None).unwrap();
        assert!(!foreign(&file));
        chown(home.path(), Some(4711), None).unwrap();
        assert!(foreign(&file));
        chown(home.path(), Some(mine), None).unwrap();
        let link = home.path().join("link");
        symlink(&file, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(4711), None).unwrap();
        assert!(foreign(&link));
    }

    #[test]
    fn what_is_no_file_is_said() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(read(&home.path().join("nowhere")), Ok(None));
        assert_eq!(read(Path::new("/dev/null")), Ok(Some(String::new())));
        let gbk = home.path().join("gbk");
        std::fs::write(&gbk, b"# \xc4\xe3\xba\xc3\n").unwrap();
        let (pipe, link) = (home.path().join("pipe"), home.path().join("link"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        symlink(&pipe, &link).unwrap();
        for path in [home.path(), &gbk, &gbk.join("below"), &pipe, &link] {
            assert!(matches!(read(path), Err(Error::Unreadable { .. })), "{}", path.display());
        }
    }

    #[test]
    fn a_pipe_of_the_shell_is_read() {
        use std::io::Write as _;
        use std::os::fd::AsRawFd as _;
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"text").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        assert_eq!(complaint(Path::new(&path)), None);
    }
}
