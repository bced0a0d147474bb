//! File, environment and flags together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::file::{File, ProfileTable};
use super::profile::{checked_device, checked_dialect, checked_gateway, checked_http_proxy};
use super::{
    Alerts, Credentials, Env, Error, Listen, Notify, Origin, Paths, Profile, QrLayout, Sourced, alerts, command,
    duration, error::unreadable, listen, trust,
};
use crate::i18n::Lang;
use crate::model::{Device, Dialect};

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--profile`
    pub profile: Option<String>,
    /// `--gateway` (sign-in)
    pub gateway: Option<String>,
    /// `--dialect` (sign-in)
    pub dialect: Option<Dialect>,
    /// `--account` (sign-in)
    pub account: Option<String>,
    /// `--qr-layout`
    pub qr_layout: Option<QrLayout>,
    /// Whether the config file may be missing although it was named (sign-in, the TUI's form).
    pub may_create: bool,
}

/// `[watch]`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// How often the fleet list is asked for; at least 5 s.
    pub interval: Sourced<Duration>,
    /// Agreeing observations before a drop is believed; at least 1.
    pub offline_after: Sourced<u32>,
    /// Where notices are listened for.
    pub listen: Option<Listen>,
}

/// `[ui]`, checked as far as config can.
#[derive(Clone, Debug, PartialEq)]
pub struct Ui {
    /// The language for words.
    pub lang: Sourced<Lang>,
    /// As written.
    pub theme: Option<toml::Value>,
    /// How codes are to be drawn.
    pub qr_layout: Sourced<QrLayout>,
    /// How somebody is called to the terminal.
    pub notify: Notify,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the files are.
    pub paths: Paths,
    /// Whether `config.toml` exists.
    pub exists: bool,
    /// `[watch]`
    pub watch: Watch,
    /// `[alerts]`
    pub alerts: Alerts,
    /// `[ui]`
    pub ui: Ui,
    /// `[keys]`, as written.
    pub keys: toml::Table,
    /// The database file.
    pub database: Sourced<PathBuf>,
    /// Tables that this version does not know: name and line.
    pub strange: Vec<(String, usize)>,
    file: File,
    env: Env,
    flags: Overrides,
}

/// What `SAOMA_LOG` may be.
const LOG_LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The shortest interval of the fleet list (design.md §6).
pub const MIN_INTERVAL: Duration = Duration::from_secs(5);
/// The longest. What is rarer is a slip of the hand, and a drop would be seen days later.
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 3600);

impl Config {
    /// Reads and checks everything but the profiles. A missing file is no error, unless it was named.
    pub fn load(env: Env, flags: Overrides) -> Result<Self, Error> {
        let paths = Paths::discover(&env, flags.config.as_deref())?;
        Self::load_from(paths, env, flags)
    }

    /// The same, with the paths known.
    pub fn load_from(paths: Paths, env: Env, flags: Overrides) -> Result<Self, Error> {
        let path = &paths.config.value;
        if let Some(name) = env.unreadable() {
            // Its value may be a secret.
            return Err(Error::BadValue {
                origin: name.to_owned(),
                setting: "environment",
                value: "…".to_owned(),
                rule: "config.rule.utf8",
            });
        }
        if let Some(level) = env.get("SAOMA_LOG").filter(|level| !LOG_LEVELS.contains(&&*level.to_ascii_lowercase())) {
            return Err(bad(&Origin::Env("SAOMA_LOG"), "log", level, "config.rule.log"));
        }
        // Sign-in may make the file that was named; whatever else is told to use it needs it there.
        let must_exist = paths.config.origin != Origin::Default && !flags.may_create;
        let (file, exists) = match trust::read(path)? {
            Some(text) => (File::parse(&text, path)?, true),
            None if !must_exist => (File::default(), false),
            None => return Err(unreadable(path)(std::io::ErrorKind::NotFound.into())),
        };
        let origin = |key: &str| Origin::File { path: path.clone(), line: file.line(key) };

        let interval = match &file.watch.interval {
            None => Sourced::default_of(Duration::from_secs(30)),
            Some(text) => {
                let origin = origin("watch.interval");
                let span = duration::parse(text).filter(|span| (MIN_INTERVAL..=MAX_INTERVAL).contains(span));
                Sourced::new(span.ok_or_else(|| bad(&origin, "watch.interval", text, "config.rule.interval"))?, origin)
            }
        };
        let offline_after = match file.watch.offline_after {
            None => Sourced::default_of(2),
            Some(number) => {
                let origin = origin("watch.offline_after");
                let count = u32::try_from(number).ok().filter(|count| (1..=100).contains(count));
                let count = count.ok_or_else(|| {
                    bad(&origin, "watch.offline_after", &number.to_string(), "config.rule.offline_after")
                })?;
                Sourced::new(count, origin)
            }
        };
        let listen = listen::read(&file.watch, origin)?;
        let lang = lang(&env, file.ui.lang.as_deref().map(|text| (text, origin("ui.lang"))))?;
        let qr_layout = match (flags.qr_layout, &file.ui.qr_layout) {
            (Some(layout), _) => Sourced::new(layout, Origin::Flag("--qr-layout")),
            (None, Some(text)) => {
                let origin = origin("ui.qr_layout");
                let layout = text.parse().map_err(|_text| bad(&origin, "qr_layout", text, "config.rule.qr_layout"))?;
                Sourced::new(layout, origin)
            }
            (None, None) => Sourced::default_of(QrLayout::Auto),
        };
        let notify = match &file.ui.notify {
            Some(text) => {
                text.parse().map_err(|_text| bad(&origin("ui.notify"), "notify", text, "config.rule.notify"))?
            }
            None => Notify::default(),
        };
        let alerts = alerts::read(&file.alerts, origin)?;
        let database = database(&env, &paths)?;
        Ok(Self {
            exists,
            watch: Watch { interval, offline_after, listen },
            alerts,
            ui: Ui { lang, theme: file.ui.theme.clone(), qr_layout, notify },
            keys: file.keys.clone(),
            database,
            strange: file.strange.clone(),
            paths,
            file,
            env,
            flags,
        })
    }

    /// Where the file says which keys an action has.
    pub fn origin_of_keys(&self, action: &str) -> Origin {
        Origin::File { path: self.paths.config.value.clone(), line: self.file.line(&format!("keys.{action}")) }
    }

    /// The names of the file's profiles, sorted.
    pub fn profile_names(&self) -> Vec<String> {
        self.file.profile.keys().cloned().collect()
    }

    /// Whether there is anything to choose from: a profile in the file, or one in the environment.
    pub fn has_profile(&self) -> bool {
        !self.file.profile.is_empty() || self.ad_hoc()
    }

    /// The name of the profile in use: `--profile`, else `default`, else the only one, else the one that the
    /// environment makes. `Ok(None)` when nothing is configured at all.
    pub fn profile_name(&self) -> Result<Option<String>, Error> {
        let known = &self.file.profile;
        if let Some(name) = &self.flags.profile {
            return if known.contains_key(name) || self.ad_hoc() || known.is_empty() || self.flags.may_create {
                Ok(Some(name.clone()))
            } else {
                Err(Error::UnknownProfile { name: name.clone(), known: self.profile_names() })
            };
        }
        if known.contains_key("default") {
            return Ok(Some("default".to_owned()));
        }
        match (known.len(), known.keys().next()) {
            (1, Some(only)) => Ok(Some(only.clone())),
            (0, _) => Ok(self.ad_hoc().then(|| "default".to_owned())),
            _ if self.ad_hoc() => Ok(Some("env".to_owned())),
            _ => Err(Error::AmbiguousProfile { known: self.profile_names() }),
        }
    }

    /// The profile in use, whole and checked.
    pub fn profile(&self) -> Result<Profile, Error> {
        self.profile_named(self.profile_name()?.ok_or(Error::NoProfile)?)
    }

    /// A profile by its name, whole and checked.
    pub fn profile_named(&self, name: String) -> Result<Profile, Error> {
        let draft = self.draft(&name)?;
        let missing = |setting| Error::Missing { profile: name.clone(), setting };
        if !draft.in_file && draft.gateway.is_none() && draft.account.is_none() {
            return Err(match &self.flags.profile {
                Some(name) if self.exists => Error::UnknownProfile { name: name.clone(), known: self.profile_names() },
                _ => Error::NoProfile,
            });
        }
        Ok(Profile {
            gateway: draft.gateway.ok_or_else(|| missing("gateway"))?,
            account: draft.account.ok_or_else(|| missing("account"))?,
            dialect: draft.dialect.unwrap_or(Sourced::default_of(Dialect::V2)),
            token_command: draft.table.token_command,
            password_command: draft.table.password_command,
            device: draft.device,
            proxy_password_command: draft.table.proxy_password_command,
            http_proxy: draft.table.http_proxy,
            in_file: draft.in_file,
            name,
        })
    }

    /// What is known of a profile that may not be whole yet: what the sign-in asks about is missing.
    pub fn draft(&self, name: &str) -> Result<Draft, Error> {
        let table = self.file.profile.get(name).cloned();
        let in_file = table.is_some();
        let table = table.unwrap_or_default();
        let origin = |key: &str| Origin::File {
            path: self.paths.config.value.clone(),
            line: self.file.line(&format!("profile.{name}.{key}")),
        };
        let pick = |flag: Option<&String>, flag_name, variable: &'static str, file: Option<String>, key: &str| {
            flag.map(|value| Sourced::new(value.clone(), Origin::Flag(flag_name)))
                .or_else(|| self.env.get(variable).map(|value| Sourced::new(value.to_owned(), Origin::Env(variable))))
                .or_else(|| file.map(|value| Sourced::new(value, origin(key))))
                .map(|setting| Sourced::new(setting.value.trim().to_owned(), setting.origin))
                .filter(|setting| !setting.value.is_empty())
        };
        let gateway = pick(self.flags.gateway.as_ref(), "--gateway", "SAOMA_GATEWAY", table.gateway.clone(), "gateway")
            .map(|setting| checked_gateway(&setting))
            .transpose()?;
        let account = pick(
            self.flags.account.as_ref(),
            "--account",
            "SAOMA_ACCOUNT",
            table.account.clone().map(String::from),
            "account",
        );
        let dialect = match self.flags.dialect {
            Some(dialect) => Some(Sourced::new(dialect, Origin::Flag("--dialect"))),
            None => pick(None, "", "SAOMA_DIALECT", table.dialect.clone(), "dialect")
                .map(|setting| checked_dialect(&setting.value, setting.origin))
                .transpose()?,
        };
        let device = checked_device(&table, origin)?;
        checked_http_proxy(&table, origin)?;
        Ok(Draft { gateway, account, dialect, device, in_file, table })
    }

    /// The token of a profile: `SAOMA_TOKEN`, else `token_command` (which is run now), else `credentials.toml`.
    pub fn token(&self, profile: &Profile) -> Result<Option<Sourced<SecretString>>, Error> {
        if let Some(token) = self.env.get("SAOMA_TOKEN") {
            return Ok(Some(Sourced::new(token.into(), Origin::Env("SAOMA_TOKEN"))));
        }
        if let Some(line) = &profile.token_command {
            let token = command::first_line("token_command", line, command::LIMIT)?;
            return Ok(Some(Sourced::new(token, Origin::Command("token_command"))));
        }
        let stored = Credentials::open(&self.paths)?.token(&profile.id());
        Ok(stored.map(|token| Sourced::new(token, Origin::Credentials)))
    }

    /// The platform password of a profile: `SAOMA_PASSWORD`, else `password_command` (which is run now), else what
    /// sign-in kept.
    pub fn password(&self, profile: &Profile) -> Result<Option<Sourced<SecretString>>, Error> {
        if let Some(password) = self.env.get("SAOMA_PASSWORD") {
            return Ok(Some(Sourced::new(password.into(), Origin::Env("SAOMA_PASSWORD"))));
        }
        if let Some(line) = &profile.password_command {
            let password = command::first_line("password_command", line, command::LIMIT)?;
            return Ok(Some(Sourced::new(password, Origin::Command("password_command"))));
        }
        let stored = Credentials::open(&self.paths)?.password(&profile.id());
        Ok(stored.map(|password| Sourced::new(password, Origin::Credentials)))
    }

    /// `[watch] listen`, as it is written.
    pub fn listen_as_written(&self) -> Option<&str> {
        self.file.watch.listen.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    /// The first environment variable that says how to reach a gateway: it holds for whatever profile is used.
    pub fn gateway_variable(&self) -> Option<&'static str> {
        ["SAOMA_GATEWAY", "SAOMA_DIALECT", "SAOMA_ACCOUNT", "SAOMA_TOKEN", "SAOMA_PASSWORD"]
            .into_iter()
            .find(|name| self.env.get(name).is_some())
    }

    /// The secret part of the path that notices are listened for at; made when it is first asked for.
    pub fn notice_secret(&self) -> Result<SecretString, Error> {
        listen::secret(&self.paths)
    }

    /// Whether another token can be got without a person: by `token_command` (unless `SAOMA_TOKEN` beats it), or with
    /// a password from `SAOMA_PASSWORD` or `password_command`. A token that the environment sets is the operator's.
    pub fn can_renew_token(&self, profile: &Profile) -> bool {
        self.env.get("SAOMA_TOKEN").is_none()
            && (profile.token_command.is_some()
                || profile.password_command.is_some()
                || self.env.get("SAOMA_PASSWORD").is_some())
    }

    /// The environment variable that holds the token, if one does.
    pub fn token_variable(&self) -> Option<&'static str> {
        self.env.get("SAOMA_TOKEN").map(|_| "SAOMA_TOKEN")
    }

    fn ad_hoc(&self) -> bool {
        self.env.get("SAOMA_GATEWAY").is_some() && self.env.get("SAOMA_ACCOUNT").is_some()
    }
}

/// See [`Config::draft`].
#[derive(Clone, Debug)]
pub struct Draft {
    /// Base URL, normalised.
    pub gateway: Option<Sourced<String>>,
    /// Platform account.
    pub account: Option<Sourced<String>>,
    /// Which API.
    pub dialect: Option<Sourced<Dialect>>,
    /// V3: device and network, without the own proxy's password.
    pub device: Device,
    /// Whether the file has a profile of this name.
    pub in_file: bool,
    /// What the file says of it.
    pub table: ProfileTable,
}

/// The language for words before the file is read: `SAOMA_LANG`, else the locale, else English.
pub fn early_lang(env: &Env) -> Lang {
    env.get("SAOMA_LANG").or_else(|| env.locale()).and_then(Lang::parse).unwrap_or_default()
}

fn lang(env: &Env, file: Option<(&str, Origin)>) -> Result<Sourced<Lang>, Error> {
    let set = env.get("SAOMA_LANG").map(|text| (text, Origin::Env("SAOMA_LANG"))).or(file);
    match set {
        Some((text, origin)) => match Lang::parse(text) {
            Some(lang) => Ok(Sourced::new(lang, origin)),
            None => Err(bad(&origin, "lang", text, "config.rule.lang")),
        },
        None => Ok(Sourced::default_of(early_lang(env))),
    }
}

fn database(env: &Env, paths: &Paths) -> Result<Sourced<PathBuf>, Error> {
    let Some(url) = env.get("SAOMA_DATABASE_URL") else { return Ok(Sourced::default_of(paths.database())) };
    let origin = Origin::Env("SAOMA_DATABASE_URL");
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Err(Error::NotYet);
    }
    let path = url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    // What other programs mean by a URL without a file would become the name of one.
    let is_file = |path: &&str| {
        // A shell's variable or quotes that nobody took away.
        let plain = !path.contains(['?', '#', '"', '\'', '$']) && path.trim() == *path;
        let known = !path.is_empty() && plain && !path.starts_with([':', '~']);
        known && !path.ends_with('/') && !path.to_ascii_lowercase().starts_with("file:") && !Path::new(path).is_dir()
    };
    match path.filter(is_file) {
        Some(path) => Ok(Sourced::new(path.into(), origin)),
        None => {
            // The URL of another database may carry a password.
            let shown = if path.is_some() { url } else { url.split(':').next().unwrap_or_default() };
            Err(bad(&origin, "database", shown, "config.rule.database"))
        }
    }
}

fn bad(origin: &Origin, setting: &'static str, value: &str, rule: &'static str) -> Error {
    Error::BadValue { origin: origin.to_string(), setting, value: value.to_owned(), rule }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    /// Loads a config file with this text.
    fn load(text: &str, env: Env, flags: Overrides) -> Result<Config, Error> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        if !text.is_empty() {
            std::fs::write(&path, text).unwrap();
        }
        let paths = Paths { config: Sourced::default_of(path), state: home.path().join("state") };
        Config::load_from(paths, env, flags)
    }

    fn plain(text: &str) -> Result<Config, Error> {
        load(text, Env::default(), Overrides::default())
    }

    #[test]
    fn a_layout_is_one_of_five_and_the_flag_wins() {
        let wide = "[ui]\nqr_layout = 'wide'";
        assert_eq!(plain("").unwrap().ui.qr_layout, Sourced::default_of(QrLayout::Auto));
        assert_eq!(plain(wide).unwrap().ui.qr_layout.value, QrLayout::Wide);
        let flags = Overrides { qr_layout: Some(QrLayout::Half), ..Overrides::default() };
        assert_eq!(load(wide, Env::default(), flags).unwrap().ui.qr_layout.value, QrLayout::Half);
        let error = plain("[ui]\n\nqr_layout = 'big'").unwrap_err();
        assert!(error.message(Lang::En).contains("config.toml:3: qr_layout cannot be \"big\""), "{error}");
        assert!(error.hint(Lang::En).unwrap().contains("half"));
    }

    const ONE: &str = "[profile.one]\ngateway = 'http://one:1'\naccount = '1'\ndialect = 'v1'\n";
    const TWO: &str = "[profile.two]\ngateway = 'http://two:1'\naccount = '2'\n";
    const DEFAULT: &str = "[profile.default]\ngateway = 'http://def:1'\naccount = '3'\n";

    #[test]
    fn the_profile_is_the_named_the_default_or_the_only_one() {
        let named = |name: &str| Overrides { profile: Some(name.into()), ..Overrides::default() };
        let both = [("SAOMA_GATEWAY", "env:1"), ("SAOMA_ACCOUNT", "9")];
        let none = Env::default;
        for (text, env, flags, name) in [
            (ONE.to_owned(), none(), Overrides::default(), Ok("one")),
            (ONE.to_owned() + TWO, none(), named("two"), Ok("two")),
            (ONE.to_owned() + DEFAULT, none(), Overrides::default(), Ok("default")),
            (String::new(), Env::from(both), Overrides::default(), Ok("default")),
            (ONE.to_owned() + TWO, Env::from(both), Overrides::default(), Ok("env")),
            (String::new(), none(), Overrides::default(), Err(Error::NoProfile)),
            (
                ONE.to_owned() + TWO,
                none(),
                Overrides::default(),
                Err(Error::AmbiguousProfile { known: vec!["one".into(), "two".into()] }),
            ),
            (
                ONE.to_owned(),
                none(),
                named("x"),
                Err(Error::UnknownProfile { name: "x".into(), known: vec!["one".into()] }),
            ),
        ] {
            let got = load(&text, env, flags).unwrap().profile().map(|profile| profile.name);
            assert_eq!(got.as_deref().map_err(Clone::clone), name, "{text}");
        }
    }

    #[test]
    fn flags_beat_the_environment_and_that_beats_the_file() {
        let profile = plain(ONE).unwrap().profile().unwrap();
        assert_eq!((profile.gateway.value.as_str(), profile.dialect.value), ("http://one:1", Dialect::V1));
        assert!(profile.gateway.origin.to_string().ends_with("config.toml:2"));
        let env = || Env::from([("SAOMA_GATEWAY", "env:2"), ("SAOMA_DIALECT", "v2")]);
        let profile = load(ONE, env(), Overrides::default()).unwrap().profile().unwrap();
        assert_eq!((profile.gateway.value.as_str(), profile.dialect.value), ("http://env:2", Dialect::V2));
        assert_eq!((profile.gateway.origin, profile.account.value.as_str()), (Origin::Env("SAOMA_GATEWAY"), "1"));
        let flags = Overrides { gateway: Some("flag:3/".into()), dialect: Some(Dialect::V3), ..Overrides::default() };
        let profile = load(ONE, env(), flags).unwrap().profile().unwrap();
        assert_eq!((profile.gateway.value.as_str(), profile.dialect.value), ("http://flag:3", Dialect::V3));
    }

    #[test]
    fn values_are_checked() {
        for (text, setting) in [
            ("[watch]\ninterval = '4s'", "watch.interval"),
            ("[watch]\ninterval = '25h'", "watch.interval"),
            ("[watch]\ninterval = 'often'", "watch.interval"),
            ("[watch]\noffline_after = 0", "watch.offline_after"),
            ("[ui]\nlang = 'fr'", "lang"),
        ] {
            let Err(Error::BadValue { setting: at, origin, .. }) = plain(text) else { panic!("{text}: no error") };
            assert_eq!(at, setting);
            assert!(origin.ends_with(":2"), "{origin}");
        }
        for (variable, value) in
            [("SAOMA_LANG", "fr"), ("SAOMA_LOG", "loud"), ("SAOMA_DATABASE_URL", "mysql://user:secret@h")]
        {
            let error = load("", Env::from([(variable, value)]), Overrides::default()).unwrap_err();
            assert!(matches!(&error, Error::BadValue { origin, .. } if origin == variable), "{error:?}");
            assert!(!format!("{error:?}").contains("secret"));
        }
        let wrong = "[profile.a]\ngateway = 'ftp://user:secret@h'\naccount = '1'";
        let error = plain(wrong).unwrap().profile().unwrap_err();
        assert!(matches!(error, Error::BadValue { setting: "gateway", .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"));
        let half = plain("[profile.a]\ngateway = 'h:1'").unwrap().profile().unwrap_err();
        assert_eq!(half, Error::Missing { profile: "a".into(), setting: "account" });
    }

    #[test]
    fn a_profile_names_device_and_network() {
        let of = |text: &str| plain(&format!("{ONE}{text}")).unwrap().profile();
        let profile = of("").unwrap();
        assert_eq!((profile.device.is_empty(), profile.device().unwrap()), (true, Device::default()));
        let region = of("device = 'mac'\nproxy = 7").unwrap().device().unwrap();
        assert_eq!((region.device_type.as_deref(), region.region), (Some("mac"), Some(7)));
        assert_eq!(of("proxy = '7'").unwrap().device().unwrap().region, Some(7));
        let text = ONE.replace("v1", "v3")
            + "proxy = '203.0.113.9:1080'\nproxy_user = 'me'\nproxy_password_command = 'echo hunter2'\n";
        let profile = plain(&text).unwrap().profile().unwrap();
        let own = profile.device().unwrap().own_proxy.unwrap();
        assert_eq!((&*own.address, &*own.user, own.password.expose_secret()), ("203.0.113.9:1080", "me", "hunter2"));
        // Other dialects have no use for it: no password store is opened.
        let other = plain(&text.replace("v3", "v2").replace("echo", "false")).unwrap().profile().unwrap();
        assert!(other.device().is_ok());
        for (text, setting) in [
            ("proxy = 0", "proxy"),
            ("proxy = -7", "proxy"),
            ("proxy = 'socks5://me:hunter2@203.0.113.9:1080'", "proxy"),
            ("device = 'my ipad'", "device"),
            ("proxy = 7\nproxy_user = 'me'", "proxy_user"),
            ("proxy_password_command = 'x'", "proxy_password_command"),
        ] {
            let error = of(text).unwrap_err();
            let Error::BadValue { setting: at, value, .. } = &error else { panic!("{text}: {error:?}") };
            assert_eq!(*at, setting, "{text}");
            assert!(!value.contains("hunter2"), "{error:?}");
            assert!(error.hint(Lang::En).is_some_and(|hint| !hint.starts_with("config.")), "{error:?}");
        }
    }

    #[test]
    fn a_proxy_that_would_be_passed_by_is_refused() {
        let of = |url: &str| plain(&format!("{ONE}http_proxy = '{url}'")).unwrap().profile();
        for url in ["", " ", "socks5://127.0.0.1:1080", "http://me:pw@proxy:3128", "localhost:3128", "127.0.0.1:3128"] {
            assert!(of(url).is_ok(), "{url}");
        }
        for url in ["ftp://me:hunter2@h", "http://[bad:hunter2", "socks6://h:1", "http://", "me:hunter2@"] {
            let error = of(url).unwrap_err();
            assert!(matches!(&error, Error::BadValue { setting: "http_proxy", .. }), "{url}: {error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert!(error.hint(Lang::En).unwrap().contains("socks5"), "{error}");
        }
    }

    #[test]
    fn the_database_is_sqlite_for_now() {
        let at = |url: &str| load("", Env::from([("SAOMA_DATABASE_URL", url)]), Overrides::default());
        assert_eq!(at("sqlite:/a/b.db").unwrap().database.value, PathBuf::from("/a/b.db"));
        assert_eq!(at("sqlite:///a/b.db").unwrap().database.value, PathBuf::from("/a/b.db"));
        assert_eq!(at("sqlite:b.db").unwrap().database.value, PathBuf::from("b.db"));
        assert_eq!(at("sqlite://a/b.db").unwrap().database.value, PathBuf::from("a/b.db"));
        for url in ["postgres://user:secret@h/db", "postgresql://h/db"] {
            assert_eq!(at(url).unwrap_err(), Error::NotYet);
        }
        for url in [
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:",
            "sqlite://",
            "sqlite:///",
            "sqlite:/tmp",
            "sqlite:a/",
            "sqlite:a.db?mode=memory",
            "sqlite:file:a.db",
            "sqlite:~/a.db",
            "sqlite: ",
            "sqlite:\"/p\"",
            "sqlite:$HOME/a.db",
            "/a/b.db",
            "SQLITE:a.db",
            "sqlite3:a.db",
            "file:a.db",
            "mysql://user:secret@h/db",
            "user:secret@h",
        ] {
            let error = at(url).unwrap_err();
            assert!(matches!(&error, Error::BadValue { setting: "database", .. }), "{url}: {error:?}");
            assert!(!error.message(Lang::En).contains("secret"), "{error}");
            assert!(error.hint(Lang::En).unwrap().contains("sqlite:PATH"), "{error}");
        }
    }

    #[test]
    fn secrets_come_from_the_environment_then_a_command() {
        let text = ONE.to_owned() + "token_command = 'echo from-command'\n";
        let config = load(&text, Env::from([("SAOMA_TOKEN", "from-env")]), Overrides::default()).unwrap();
        let profile = config.profile().unwrap();
        let token = config.token(&profile).unwrap().unwrap();
        assert_eq!((token.value.expose_secret(), token.origin), ("from-env", Origin::Env("SAOMA_TOKEN")));
        assert!(!format!("{config:?}").contains("from-env"));
        let config = plain(&text).unwrap();
        let token = config.token(&profile).unwrap().unwrap();
        assert_eq!(token.value.expose_secret(), "from-command");
        let config = plain(ONE).unwrap();
        assert!(config.token(&config.profile().unwrap()).unwrap().is_none());
    }
}
