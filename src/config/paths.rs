//! The two folders of design.md §6.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;

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
        let xdg = Xdg::new().map_err(|_no_home| Error::NoHome)?;
        let config = match (config, env.get("SAOMA_CONFIG")) {
            (Some(path), _) => Sourced::new(path.to_owned(), Origin::Flag("--config")),
            (None, Some(path)) => Sourced::new(PathBuf::from(path), Origin::Env("SAOMA_CONFIG")),
            (None, None) => Sourced::default_of(xdg.config_dir().join("saoma").join("config.toml")),
        };
        let state = xdg.state_dir().unwrap_or_else(|| xdg.home_dir().join(".local/state")).join("saoma");
        Ok(Self { config, state })
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

    /// Makes the state folder, 0700. A folder that others can enter is closed to them.
    pub fn make_state(&self) -> Result<(), Error> {
        private_folder(&self.state)
    }
}

/// Makes a folder (and those above it) with 0700, and takes the rights of others away from one that is there.
pub(crate) fn private_folder(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path))?;
    let mode = std::fs::metadata(path).map_err(io(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(io(path))?;
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
