//! The environment as a value, so that nothing below reads the process's own.

use std::collections::BTreeMap;
use std::fmt;

/// The environment variables that saoma reads. `Debug` shows names only: some of the values are secrets.
#[derive(Clone, Default)]
pub struct Env {
    values: BTreeMap<String, String>,
    /// The first of ours whose value is no UTF-8.
    unreadable: Option<String>,
}

/// The variables that are read from the process; everything else is left alone.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

impl Env {
    /// What the process was started with.
    pub fn from_process() -> Self {
        let mut env = Self::default();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            let ours = name.starts_with("SAOMA_");
            match value.into_string() {
                Ok(value) if ours || LOCALE.contains(&name.as_str()) => {
                    env.values.insert(name, value);
                }
                Err(_) if ours => env.unreadable = Some(name),
                Ok(_) | Err(_) => {}
            }
        }
        env
    }

    /// The variable of ours that cannot be read.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// A variable's value; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The locale that POSIX's order of variables gives: `LC_ALL`, `LC_MESSAGES`, `LANG`.
    pub fn locale(&self) -> Option<&str> {
        LOCALE.iter().find_map(|name| self.get(name))
    }
}

impl FromIterator<(String, String)> for Env {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self { values: pairs.into_iter().collect(), unreadable: None }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}
