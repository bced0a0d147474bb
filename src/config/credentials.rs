//! `credentials.toml`: one token, and for V1 perhaps a password, per profile id. 0600, replaced whole.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use toml_edit::{DocumentMut, Item, Table, value};

use super::error::{io, unreadable};
use super::paths::{lock, private_folder, replace};
use super::{Error, Paths};
use crate::model::ProfileId;

/// What `credentials.toml` holds. `Debug` shows only the path.
pub struct Credentials {
    path: PathBuf,
    document: DocumentMut,
    /// The rights the file had, if others could read it; they were taken away when it was opened.
    pub repaired: Option<u32>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the file; a missing one is empty. Rights that others have on it are taken away, and
    /// [`Credentials::repaired`] says so; where that fails the file is refused.
    pub fn open(paths: &Paths) -> Result<Self, Error> {
        Self::open_at(&paths.credentials())
    }

    fn open_at(path: &Path) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unreadable(path)(error)),
        };
        let repaired = if path.exists() { close_to_others(path)? } else { None };
        // The parser's message shows the line it stumbled over, which may be a secret: only the place is told.
        let document = text.parse::<DocumentMut>().map_err(|error| Error::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(0, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1),
            detail: "TOML".to_owned(),
        })?;
        Ok(Self { path: path.to_owned(), document, repaired })
    }

    /// The token of a profile.
    pub fn token(&self, id: &ProfileId) -> Option<SecretString> {
        self.get(id, "token")
    }

    /// The platform password of a profile, if it was kept.
    pub fn password(&self, id: &ProfileId) -> Option<SecretString> {
        self.get(id, "password")
    }

    fn get(&self, id: &ProfileId, key: &str) -> Option<SecretString> {
        let text = self.document.get("profile")?.get(id.as_str())?.get(key)?.as_str()?;
        (!text.is_empty()).then(|| text.into())
    }

    /// Stores a token, and the password if it is to be kept (an older one goes otherwise), on top of what other
    /// processes wrote meanwhile. The file is replaced whole, so that a crash leaves the old or the new.
    pub fn save(
        paths: &Paths,
        id: &ProfileId,
        token: &SecretString,
        password: Option<&SecretString>,
    ) -> Result<(), Error> {
        private_folder(&paths.state)?;
        // Two sign-ins at once must not lose one another's token.
        let _held = lock(&paths.credentials())?;
        let mut file = Self::open(paths)?;
        let profiles = file.document.entry("profile").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        let mut entry = Table::new();
        entry.insert("token", value(token.expose_secret()));
        if let Some(password) = password {
            entry.insert("password", value(password.expose_secret()));
        }
        match profiles.as_table_like_mut() {
            Some(profiles) => profiles.insert(id.as_str(), Item::Table(entry)),
            None => return Err(Error::Syntax { path: file.path, line: 0, detail: "[profile]".to_owned() }),
        };
        replace(&file.path, file.document.to_string().as_bytes()).map(drop)
    }
}

/// Takes the rights of others on a file away. The rights it had, if there was something to take. Another owner's file that
/// only a group shares (as a container's volume is, for whatever user it runs as) is taken as it is.
pub(super) fn close_to_others(path: &Path) -> Result<Option<u32>, Error> {
    let metadata = std::fs::metadata(path).map_err(io(path))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(None);
    }
    match std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        Ok(()) => Ok(Some(mode)),
        Err(_) if mode & 0o007 == 0 && !is_ours(&metadata) => Ok(None),
        Err(_) => Err(Error::OpenToOthers { path: path.to_owned(), mode }),
    }
}

/// Whether this process's user owns it.
pub(crate) fn is_ours(metadata: &std::fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sourced;

    fn paths(home: &Path) -> Paths {
        Paths { config: Sourced::default_of(home.join("config.toml")), state: home.join("state") }
    }

    fn expose(secret: Option<SecretString>) -> Option<String> {
        secret.map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn secrets_come_back_and_the_file_is_private() {
        let home = tempfile::tempdir().unwrap();
        let paths = paths(home.path());
        let (a, b) = (ProfileId::from("138@h:80"), ProfileId::from("139@h:80/x"));
        Credentials::save(&paths, &a, &"token-a".into(), Some(&"pass\"word".into())).unwrap();
        Credentials::save(&paths, &b, &"token-b".into(), None).unwrap();
        let read = Credentials::open(&paths).unwrap();
        assert_eq!(expose(read.token(&a)).as_deref(), Some("token-a"));
        assert_eq!(expose(read.password(&a)).as_deref(), Some("pass\"word"));
        assert_eq!(expose(read.token(&b)).as_deref(), Some("token-b"));
        assert_eq!(expose(read.password(&b)), None);
        assert_eq!(std::fs::metadata(paths.credentials()).unwrap().mode() & 0o777, 0o600);
        assert!(!format!("{read:?}").contains("token-a"));
        // Signing in again without keeping the password forgets it.
        Credentials::save(&paths, &a, &"token-c".into(), None).unwrap();
        assert_eq!(expose(Credentials::open(&paths).unwrap().password(&a)), None);
    }

    #[test]
    fn tokens_that_are_saved_at_the_same_time_are_all_kept() {
        let home = tempfile::tempdir().unwrap();
        let paths = paths(home.path());
        let id = |at: usize| ProfileId::from(format!("138{at}@h:80"));
        std::thread::scope(|scope| {
            for at in 0..12 {
                let paths = &paths;
                scope.spawn(move || Credentials::save(paths, &id(at), &format!("t{at}").into(), None).unwrap());
            }
        });
        let read = Credentials::open(&paths).unwrap();
        for at in 0..12 {
            assert_eq!(expose(read.token(&id(at))), Some(format!("t{at}")));
        }
    }

    #[test]
    fn a_planted_link_gets_no_token() {
        let home = tempfile::tempdir().unwrap();
        let paths = paths(home.path());
        let victim = home.path().join("victim");
        std::fs::write(&victim, "").unwrap();
        paths.make_state().unwrap();
        std::os::unix::fs::symlink(&victim, paths.credentials()).unwrap();
        Credentials::save(&paths, &"a@b:1".into(), &"t".into(), None).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "");
        assert!(std::fs::symlink_metadata(paths.credentials()).unwrap().is_file());
        // Nor is a lock taken where one leads.
        std::fs::remove_file(home.path().join("state/.credentials.toml.lock")).unwrap();
        std::os::unix::fs::symlink(&victim, home.path().join("state/.credentials.toml.lock")).unwrap();
        Credentials::save(&paths, &"a@b:1".into(), &"t".into(), None).unwrap_err();
    }

    #[test]
    fn open_rights_are_repaired_and_told() {
        let home = tempfile::tempdir().unwrap();
        let paths = paths(home.path());
        Credentials::save(&paths, &"a@b:1".into(), &"t".into(), None).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o660, 0o666, 0o777] {
            std::fs::set_permissions(paths.credentials(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Credentials::open(&paths).unwrap().repaired, Some(mode), "{mode:o}");
            assert_eq!(std::fs::metadata(paths.credentials()).unwrap().mode() & 0o777, 0o600);
            assert_eq!(Credentials::open(&paths).unwrap().repaired, None, "{mode:o}");
        }
    }

    #[test]
    fn a_broken_file_is_named_without_its_content() {
        let home = tempfile::tempdir().unwrap();
        let paths = paths(home.path());
        paths.make_state().unwrap();
        std::fs::write(paths.credentials(), "\ntoken = very-secret\n").unwrap();
        let error = Credentials::open(&paths).unwrap_err();
        assert!(matches!(error, Error::Syntax { line: 2, .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
