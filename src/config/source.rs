//! Where a setting came from.

use std::fmt;
use std::path::PathBuf;

/// Where a setting came from, for error messages and for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The config file.
    File {
        /// Which file.
        path: PathBuf,
        /// The line of the key, from 1; 0 when not known.
        line: usize,
    },
    /// An environment variable.
    Env(&'static str),
    /// A flag of the command line, or an answer at a prompt.
    Flag(&'static str),
    /// `credentials.toml`.
    Credentials,
    /// A command of the config (`token_command`, `password_command`).
    Command(&'static str),
}

impl fmt::Display for Origin {
    /// Names, not words: `SAOMA_GATEWAY`, `--gateway`, `/path/config.toml:3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) | Self::Flag(name) | Self::Command(name) => f.write_str(name),
            Self::Credentials => f.write_str("credentials.toml"),
        }
    }
}

/// A setting together with where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The setting.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Sourced<T> {
    /// A setting from somewhere.
    pub const fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// A setting that nobody set.
    pub const fn default_of(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }
}
