//! The two folders of design.md §6.

use std::path::{Path, PathBuf};

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

/// Replaces a file whole: a temporary file beside it (0600), synced, renamed over it, the folder synced. A symbolic
/// link stays one; what it points at is replaced.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write;
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut file = tempfile::Builder::new().prefix(".saoma-").tempfile_in(&folder).map_err(io(&folder))?;
    file.write_all(bytes).map_err(io(path))?;
    file.as_file().sync_all().map_err(io(path))?;
    file.persist(&target).map_err(|error| io(path)(error.error))?;
    // Without this the new name may be lost with the power; a file system that cannot sync a folder is no reason to
    // fail.
    let _ = std::fs::File::open(&folder).and_then(|folder| folder.sync_all());
    Ok(())
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
    fn a_replaced_file_is_private_and_a_link_stays_a_link() {
        let home = tempfile::tempdir().unwrap();
        let (file, link) = (home.path().join("real"), home.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert!(std::fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
