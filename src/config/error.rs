//! What can be wrong with the settings, and the words for it.

use std::path::PathBuf;

use crate::i18n::{Lang, t, tf};
use crate::model::Trouble;
use crate::model::text::clean;

/// What is wrong with the settings. [`Error::message`] and [`Error::hint`] are for people; `Display` is for logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{path}: {detail}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What stands in the way, if it is one of the usual things.
        trouble: Option<Trouble>,
        /// The system's words.
        detail: String,
    },
    /// A file that settings are read from is not there, or is no text.
    #[error("{path}: {detail}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// Others may change the file, and saoma does what it says.
    #[error("{path}: others may write it ({mode:o})")]
    Open {
        /// The file or its folder.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// Somebody else owns the file or its folder.
    #[error("{path}: owned by {owner}")]
    Foreign {
        /// The file or its folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// A file with a secret that others can read, and whose rights are not this user's to change.
    #[error("{path}: others can read it ({mode:o})")]
    OpenToOthers {
        /// Which.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// The home directory is not known.
    #[error("no home directory")]
    NoHome,
    /// The file is no TOML, or a value has the wrong type.
    #[error("{path}:{line}: {detail}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1; 0 when not known.
        line: usize,
        /// The parser's words.
        detail: String,
    },
    /// A key that no setting has.
    #[error("{path}:{line}: unknown key {key}")]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// The key with its table.
        key: String,
        /// The key that may have been meant.
        near: Option<String>,
    },
    /// A value that cannot be.
    #[error("{origin}: {setting} = {value:?}")]
    BadValue {
        /// Where it stands.
        origin: String,
        /// Which setting.
        setting: &'static str,
        /// What it says; never a secret.
        value: String,
        /// The locale key that says what it may be.
        rule: &'static str,
    },
    /// No profile is configured.
    #[error("no profile")]
    NoProfile,
    /// There is no profile of this name.
    #[error("no profile {name:?}")]
    UnknownProfile {
        /// The name asked for.
        name: String,
        /// The ones there are.
        known: Vec<String>,
    },
    /// There are several, and none was named.
    #[error("several profiles: {known:?}")]
    AmbiguousProfile {
        /// The ones there are.
        known: Vec<String>,
    },
    /// A setting that a profile must have is missing.
    #[error("profile {profile:?} has no {setting}")]
    Missing {
        /// Which profile.
        profile: String,
        /// Which setting.
        setting: &'static str,
    },
    /// `token_command`, `password_command` or `proxy_password_command` did not give a secret.
    #[error("{name}: {detail}")]
    Command {
        /// Which of them.
        name: &'static str,
        /// What went wrong, without the output.
        detail: String,
    },
    /// PostgreSQL is not built in yet.
    #[error("postgres is not supported yet")]
    NotYet,
}

impl Error {
    /// What is wrong, for people; cleaned.
    pub fn message(&self, lang: Lang) -> String {
        let say = |key: &str, values: &[(&str, &str)]| clean(&tf(lang, key, values)).into_owned();
        match self {
            Self::Open { path, mode } => {
                say("config.error.open", &[("path", &path.display().to_string()), ("mode", &format!("{mode:04o}"))])
            }
            Self::Foreign { path, owner } => {
                say("config.error.foreign", &[("path", &path.display().to_string()), ("owner", &owner.to_string())])
            }
            Self::Io { path, trouble: Some(trouble), .. } => {
                say(&format!("trouble.{}.what", trouble.key()), &[("path", &path.display().to_string())])
            }
            Self::Io { path, trouble: None, detail } | Self::Unreadable { path, detail } => {
                say("config.error.io", &[("path", &path.display().to_string()), ("detail", detail)])
            }
            Self::OpenToOthers { path, mode } => {
                let (path, mode) = (path.display().to_string(), format!("{mode:o}"));
                say("config.error.open_to_others", &[("path", &path), ("mode", &mode)])
            }
            Self::NoHome => t(lang, "config.error.no_home").into_owned(),
            Self::Syntax { path, line, detail } => {
                say("config.error.syntax", &[("where", &place(path, *line)), ("detail", detail)])
            }
            Self::UnknownKey { path, line, key, .. } => {
                say("config.error.unknown_key", &[("where", &place(path, *line)), ("key", key)])
            }
            Self::BadValue { origin, setting, value, .. } => {
                say("config.error.bad_value", &[("where", origin), ("setting", setting), ("value", value)])
            }
            Self::NoProfile => t(lang, "config.error.no_profile").into_owned(),
            Self::UnknownProfile { name, known } => {
                say("config.error.unknown_profile", &[("name", name), ("known", &list(known))])
            }
            Self::AmbiguousProfile { known } => say("config.error.ambiguous_profile", &[("known", &list(known))]),
            Self::Missing { profile, setting } => {
                say("config.error.missing", &[("profile", profile), ("setting", setting)])
            }
            Self::Command { name, detail } => say("config.error.command", &[("name", name), ("detail", detail)]),
            Self::NotYet => t(lang, "config.error.not_yet").into_owned(),
        }
    }

    /// What to do about it, for people.
    pub fn hint(&self, lang: Lang) -> Option<String> {
        Some(match self {
            Self::UnknownKey { near: Some(near), .. } => tf(lang, "config.hint.near", &[("near", near)]),
            Self::BadValue { rule, .. } => t(lang, rule).into_owned(),
            Self::NoProfile | Self::Missing { .. } => t(lang, "config.hint.sign_in").into_owned(),
            Self::UnknownProfile { .. } | Self::AmbiguousProfile { .. } => t(lang, "config.hint.profile").into_owned(),
            Self::NotYet => t(lang, "config.hint.sqlite").into_owned(),
            Self::Open { path, .. } => {
                clean(&tf(lang, "config.hint.open", &[("path", &path.display().to_string())])).into_owned()
            }
            Self::Foreign { path, .. } => {
                clean(&tf(lang, "config.hint.foreign", &[("path", &path.display().to_string())])).into_owned()
            }
            Self::Io { trouble: Some(trouble), .. } => t(lang, &format!("trouble.{}.next", trouble.key())).into_owned(),
            Self::OpenToOthers { .. } => t(lang, "config.hint.open_to_others").into_owned(),
            Self::NoHome => t(lang, "config.hint.no_home").into_owned(),
            Self::Io { trouble: None, .. }
            | Self::Unreadable { .. }
            | Self::Syntax { .. }
            | Self::UnknownKey { near: None, .. }
            | Self::Command { .. } => return None,
        })
    }
}

fn place(path: &std::path::Path, line: usize) -> String {
    if line == 0 { path.display().to_string() } else { format!("{}:{line}", path.display()) }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

/// An error of a file that settings are read from.
pub(crate) fn unreadable(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |error| Error::Unreadable { path, detail: error.to_string() }
}

/// An I/O error of a path.
pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |error| Error::Io { path, trouble: Trouble::of(&error), detail: error.to_string() }
}
