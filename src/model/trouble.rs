//! Why a file cannot be used, as far as a person can do something about it.

use std::io::ErrorKind;

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Its file system is mounted read-only.
    ReadOnly,
    /// This user lacks the rights.
    Denied,
    /// Another program holds it locked.
    Locked,
    /// The disk, or a quota, is full.
    Full,
}

impl Trouble {
    /// What an error of the system means; `None` where it is something else.
    pub fn of(error: &std::io::Error) -> Option<Self> {
        match error.kind() {
            ErrorKind::ReadOnlyFilesystem => Some(Self::ReadOnly),
            ErrorKind::PermissionDenied => Some(Self::Denied),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(Self::Full),
            _ => None,
        }
    }

    /// The last part of the locale keys for it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::Denied => "denied",
            Self::Locked => "locked",
            Self::Full => "full",
        }
    }

    /// In English, for logs and details.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ReadOnly => "its file system is read-only",
            Self::Denied => "this user does not have the rights",
            Self::Locked => "another program holds it locked",
            Self::Full => "the disk or a quota is full",
        }
    }
}
