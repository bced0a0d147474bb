//! The two folders of design.md §6.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::{Env, Error, Origin, Sourced, error::io};

/// Where saoma's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `config.toml`.
    pub config: Sourced<PathBuf>,
    /// The folder of credentials, database and log.
    pub state: PathBuf,
}

impl Paths {
    /// Follows `--config`, `SAOMA_CONFIG`, `XDG_CONFIG_HOME` and `XDG_STATE_HOME`. Creates nothing.
    pub fn discover(env: &Env, config: Option<&Path>) -> Result<Self, Error> {
        // Asked for only where it is needed: in a container there may be no home.
        let home = || etcetera::home_dir().map_err(|_unknown| Error::NoHome);
        Self::found(env, config, |name| std::env::var_os(name).map(PathBuf::from), home)
    }

    fn found(
        env: &Env,
        config: Option<&Path>,
        get: impl Fn(&str) -> Option<PathBuf>,
        home: impl Fn() -> Result<PathBuf, Error>,
    ) -> Result<Self, Error> {
        let base = |name, below_home| match get(name).filter(|path| path.is_absolute()) {
            Some(path) => Ok(path),
            None => Ok(home()?.join(below_home)),
        };
        let config = match (config, env.get("SAOMA_CONFIG")) {
            (Some(path), _) => Sourced::new(path.to_owned(), Origin::Flag("--config")),
            (None, Some(path)) => Sourced::new(PathBuf::from(path), Origin::Env("SAOMA_CONFIG")),
            (None, None) => Sourced::default_of(base("XDG_CONFIG_HOME", ".config")?.join("saoma").join("config.toml")),
        };
        Ok(Self { config, state: base("XDG_STATE_HOME", ".local/state")?.join("saoma") })
    }

    /// `credentials.toml`.
    pub fn credentials(&self) -> PathBuf {
        self.state.join("credentials.toml")
    }

    /// The database, unless `SAOMA_DATABASE_URL` says otherwise.
    pub fn database(&self) -> PathBuf {
        self.state.join("saoma.db")
    }

    /// The secret part of the path that notices are listened for at.
    pub fn notice_path(&self) -> PathBuf {
        self.state.join("notice-path")
    }

    /// `saoma.log`.
    pub fn log(&self) -> PathBuf {
        self.state.join("saoma.log")
    }

    /// Makes the state folder, 0700. A folder that others can enter is closed to them, if it is ours.
    pub fn make_state(&self) -> Result<(), Error> {
        private_folder(&self.state)
    }
}

/// Makes a folder (and those above it) with 0700, and takes the rights of others away from one that is there. One whose
/// rights are not ours to change (a volume, a folder that a group shares) is taken as it is, if it can be written: the files
/// in it are private by themselves.
pub(crate) fn private_folder(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path))?;
    let mode = std::fs::metadata(path).map_err(io(path))?.permissions().mode();
    if mode & 0o077 != 0
        && let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
    {
        use rustix::fs::{Access, access};
        return match access(path, Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => Ok(()),
            Err(_) => Err(io(path)(error)),
        };
    }
    Ok(())
}

/// How long another process may take over its own change of a file.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Replaces a file whole: a temporary file beside it (0600), synced, renamed over it, the folder synced. A symbolic link
/// is replaced itself, so that nothing is written where somebody else's link leads. Gives the file that is there now.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<File, Error> {
    match std::fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(io(path)(ErrorKind::IsADirectory.into())),
        // A device or a pipe, perhaps behind a link (`/dev/stdout`), is no place for a file.
        Ok(there) if !there.is_file() => return Err(io(path)(std::io::Error::other("not an ordinary file"))),
        Ok(_) | Err(_) => {}
    }
    let folder = folder_of(path);
    let mut file = tempfile::Builder::new().prefix(".saoma-").tempfile_in(folder).map_err(io(folder))?;
    file.write_all(bytes).map_err(io(path))?;
    file.as_file().sync_all().map_err(io(path))?;
    let file = file.persist(path).map_err(|error| io(path)(error.error))?;
    // Without this the new name may be lost with the power; a file system that cannot sync a folder is no reason to
    // fail.
    let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    Ok(file)
}

/// Where a file of settings really is: people keep the file itself elsewhere and link to it.
pub(super) fn behind_links(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Keeps other processes from changing a file as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "kept for its drop")] File);

/// Waits until nobody else changes a file. The lock is a file of its own beside it: the file itself is another one after
/// each change, and a folder cannot be locked everywhere.
pub(super) fn lock(path: &Path) -> Result<Lock, Error> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".lock");
    let beside = folder_of(path).join(name);
    let no_follow = i32::from_ne_bytes(OFlags::NOFOLLOW.bits().to_ne_bytes());
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600).custom_flags(no_follow);
    let file = options.open(&beside).map_err(io(&beside))?;
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                let held = format!("another process has held it for {} s", LOCK_PATIENCE.as_secs());
                return Err(io(&beside)(std::io::Error::other(held)));
            }
            // A file system without locks is no reason to fail.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(Lock(file)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn flags_beat_the_environment() {
        let env = Env::from([("SAOMA_CONFIG", "/env.toml")]);
        let both = Paths::discover(&env, Some(Path::new("/flag.toml"))).unwrap();
        assert_eq!(both.config, Sourced::new("/flag.toml".into(), Origin::Flag("--config")));
        let env = Paths::discover(&env, None).unwrap();
        assert_eq!(env.config, Sourced::new("/env.toml".into(), Origin::Env("SAOMA_CONFIG")));
    }

    #[test]
    fn a_home_is_needed_only_for_what_no_variable_names() {
        let none = Env::from([("SAOMA_LANG", "en")]);
        let of = |env: &Env, config: Option<&str>, set: &[(&str, &str)], home: Option<&str>| {
            let get = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, path)| PathBuf::from(path));
            let home = || home.map(PathBuf::from).ok_or(Error::NoHome);
            Paths::found(env, config.map(Path::new), get, home).map(|paths| (paths.config.value, paths.state))
        };
        let (config, state) = (("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s"));
        let both = Ok(("/c/saoma/config.toml".into(), "/s/saoma".into()));
        assert_eq!(of(&none, None, &[config, state], None), both);
        assert_eq!(of(&none, None, &[config, state], Some("/h")), both);
        assert_eq!(of(&none, Some("/x.toml"), &[state], None), Ok(("/x.toml".into(), "/s/saoma".into())));
        let env = Env::from([("SAOMA_CONFIG", "/e.toml")]);
        assert_eq!(of(&env, None, &[state], None), Ok(("/e.toml".into(), "/s/saoma".into())));
        for set in [&[config][..], &[state], &[], &[config, ("XDG_STATE_HOME", "not/absolute")]] {
            assert_eq!(of(&none, None, set, None), Err(Error::NoHome), "{set:?}");
        }
        let of_home = Ok(("/h/.config/saoma/config.toml".into(), "/h/.local/state/saoma".into()));
        assert_eq!(of(&none, None, &[], Some("/h")), of_home);
    }

    #[test]
    fn the_state_folder_is_private() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("a/saoma");
        std::fs::create_dir_all(&state).unwrap();
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o755)).unwrap();
        private_folder(&state).unwrap();
        assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_replaced_file_is_private_and_no_link_is_followed() {
        let home = tempfile::tempdir().unwrap();
        let (victim, path) = (home.path().join("victim"), home.path().join("code"));
        std::fs::write(&victim, "precious").unwrap();
        for target in [victim.clone(), home.path().join("nowhere"), "code".into()] {
            let _ = std::fs::remove_file(&path);
            std::os::unix::fs::symlink(&target, &path).unwrap();
            replace(&path, b"new").unwrap();
            let there = std::fs::symlink_metadata(&path).unwrap();
            assert!(there.is_file(), "{}", target.display());
            assert_eq!(there.permissions().mode() & 0o777, 0o600);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert!(!home.path().join("nowhere").exists());
        // What is there already keeps no rights of its own, and a second name of it no content.
        std::fs::set_permissions(&victim, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::hard_link(&victim, home.path().join("second")).unwrap();
        replace(&victim, b"new").unwrap();
        assert_eq!(std::fs::metadata(&victim).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(home.path().join("second")).unwrap(), "precious");
    }

    #[test]
    fn only_files_are_replaced() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        std::fs::create_dir(at("folder")).unwrap();
        std::os::unix::fs::symlink(at("folder"), at("to-folder")).unwrap();
        std::os::unix::fs::symlink("/dev/null", at("to-device")).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(pipe.success());
        for name in ["folder", "to-folder", "to-device", "pipe"] {
            let before = std::fs::symlink_metadata(at(name)).unwrap().file_type();
            replace(&at(name), b"new").unwrap_err();
            assert_eq!(std::fs::symlink_metadata(at(name)).unwrap().file_type(), before, "{name}");
        }
        let left = std::fs::read_dir(home.path()).unwrap().count();
        assert_eq!(left, 4, "no temporary file stays");
    }

    #[test]
    fn a_lock_is_one_process_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, "0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let _held = lock(&path).unwrap();
                        let count: u32 = std::fs::read_to_string(&path).unwrap().parse().unwrap();
                        replace(&path, (count + 1).to_string().as_bytes()).unwrap();
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "160");
    }
}
