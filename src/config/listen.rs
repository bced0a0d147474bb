//! `[watch] listen` and what goes with it: where the gateway's notices are listened for, and the secret of its path.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::file::WatchTable;
use super::paths::private_folder;
use super::{Error, Origin, Paths, Sourced, error::io};

/// Bytes of randomness in the path.
const SECRET_BYTES: usize = 16;

/// Where notices are listened for.
#[derive(Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address and port of this machine.
    pub address: Sourced<SocketAddr>,
    /// How the gateway reaches it, without the secret path; without a trailing `/`.
    pub public_url: Option<String>,
    /// Whether the gateway's callback may be set to it.
    pub register: bool,
    /// Where everything that is heard is passed on to. Its path may be a secret.
    pub forward: Option<String>,
}

impl std::fmt::Debug for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listen")
            .field("address", &self.address)
            .field("public_url", &self.public_url)
            .field("register", &self.register)
            .field("forward", &self.forward.is_some())
            .finish()
    }
}

/// Reads what `[watch]` says of it. `origin` says where a key stands.
pub(super) fn read(table: &WatchTable, origin: impl Fn(&str) -> Origin) -> Result<Option<Listen>, Error> {
    let filled =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let bad = |setting: &'static str, value: &str, rule: &'static str| Error::BadValue {
        origin: origin(setting).to_string(),
        setting,
        value: value.to_owned(),
        rule,
    };
    let register = table.register.unwrap_or(false);
    let public_url = match filled(&table.public_url) {
        Some(text) => {
            let url = crate::model::base::base_url(&text).ok();
            Some(url.ok_or_else(|| bad("watch.public_url", scheme(&text), "config.rule.public_url"))?)
        }
        None => None,
    };
    let forward = match filled(&table.forward) {
        Some(text) => {
            let url = reqwest::Url::parse(&text).ok();
            let good = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            Some(good.ok_or_else(|| bad("watch.forward", scheme(&text), "config.rule.forward"))?.to_string())
        }
        None => None,
    };
    let Some(text) = filled(&table.listen) else {
        return if register { Err(bad("watch.register", "true", "config.rule.register")) } else { Ok(None) };
    };
    if register && public_url.is_none() {
        return Err(bad("watch.register", "true", "config.rule.register"));
    }
    let address = text.replacen("localhost:", "127.0.0.1:", 1).parse();
    let address = address.map_err(|_no_address| bad("watch.listen", &text, "config.rule.listen"))?;
    let address = Sourced::new(address, origin("watch.listen"));
    Ok(Some(Listen { address, public_url, register, forward }))
}

/// What may be shown of a URL that is none: it may hold a secret.
fn scheme(text: &str) -> &str {
    text.split_once("://").map_or("…", |(scheme, _)| scheme)
}

/// The secret part of the listener's path, made when it is first asked for; 0600. The same for all profiles and as
/// long as the file is there: delete it for another one.
pub(super) fn secret(paths: &Paths) -> Result<SecretString, Error> {
    let path = paths.notice_path();
    if let Some(secret) = stored(&path)? {
        return Ok(secret);
    }
    private_folder(&paths.state)?;
    let mut random = [0_u8; SECRET_BYTES];
    let source = Path::new("/dev/urandom");
    std::fs::File::open(source).and_then(|mut file| file.read_exact(&mut random)).map_err(io(source))?;
    let secret: SecretString = random.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    let mut file = tempfile::Builder::new().prefix(".saoma-").tempfile_in(&paths.state).map_err(io(&paths.state))?;
    writeln!(file, "{}", secret.expose_secret()).map_err(io(&path))?;
    file.as_file().sync_all().map_err(io(&path))?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(secret),
        // Another process was quicker: its secret holds.
        Err(error) => stored(&path)?.ok_or_else(|| io(&path)(error.error)),
    }
}

fn stored(path: &Path) -> Result<Option<SecretString>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(path)(error)),
    };
    super::credentials::close_to_others(path)?;
    let secret = text.expose_secret().trim();
    // Whatever else stands there would make a path that is easily guessed, or none.
    let good = secret.len() >= 16 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let bad = || Error::Syntax { path: path.to_owned(), line: 1, detail: "[A-Za-z0-9_-]{16,}".to_owned() };
    good.then(|| Some(secret.into())).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn table(listen: &str, public_url: &str, register: bool, forward: &str) -> WatchTable {
        let text = |text: &str| Some(text.to_owned());
        WatchTable {
            listen: text(listen),
            public_url: text(public_url),
            register: Some(register),
            forward: text(forward),
            ..WatchTable::default()
        }
    }

    #[test]
    fn a_listener_has_an_address_and_perhaps_more() {
        let read = |table: WatchTable| read(&table, |_| Origin::Default);
        assert_eq!(read(table("", "", false, "")).unwrap(), None);
        let plain = read(table("127.0.0.1:18090", "", false, "")).unwrap().unwrap();
        assert_eq!((plain.address.value.port(), plain.public_url, plain.forward), (18_090, None, None));
        let full = table("localhost:1", "bots.example/saoma/", true, "http://bot.example/?token=hunter2");
        let full = read(full).unwrap().unwrap();
        assert_eq!(full.public_url.as_deref(), Some("http://bots.example/saoma"));
        assert!(full.register && !format!("{full:?}").contains("hunter2"));
        for (table, setting) in [
            (table("18090", "", false, ""), "watch.listen"),
            (table("", "http://a", true, ""), "watch.register"),
            (table("127.0.0.1:1", "", true, ""), "watch.register"),
            (table("127.0.0.1:1", "http://u:hunter2@a", false, ""), "watch.public_url"),
            (table("127.0.0.1:1", "", false, "hunter2"), "watch.forward"),
        ] {
            let error = read(table).unwrap_err();
            assert!(matches!(&error, Error::BadValue { setting: at, .. } if *at == setting), "{error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert!(error.hint(crate::i18n::Lang::En).is_some_and(|hint| !hint.starts_with("config.")), "{error:?}");
        }
    }

    #[test]
    fn the_secret_is_made_once_and_is_private() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths { config: Sourced::default_of(home.path().join("c")), state: home.path().join("state") };
        let first = secret(&paths).unwrap();
        assert_eq!(first.expose_secret().len(), 2 * SECRET_BYTES);
        assert_eq!(secret(&paths).unwrap().expose_secret(), first.expose_secret());
        let mode = || std::fs::metadata(paths.notice_path()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(paths.notice_path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        secret(&paths).unwrap();
        assert_eq!(mode(), 0o600);
        for short in ["", "abc", "a path/with strange things"] {
            std::fs::write(paths.notice_path(), short).unwrap();
            assert!(matches!(secret(&paths), Err(Error::Syntax { .. })), "{short:?}");
        }
    }
}
