//! The environment as a value, so that nothing below reads the process's own.

use std::collections::BTreeMap;
use std::fmt;

/// The environment variables that saoma reads. `Debug` shows names only: some of the values are secrets.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

/// The variables that are read from the process; everything else is left alone.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

impl Env {
    /// What the process was started with. Values that are not UTF-8 are passed over.
    pub fn from_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("SAOMA_") || LOCALE.contains(&name.as_str()))
            .collect()
    }

    /// A variable's value; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The locale that POSIX's order of variables gives: `LC_ALL`, `LC_MESSAGES`, `LANG`.
    pub fn locale(&self) -> Option<&str> {
        LOCALE.iter().find_map(|name| self.get(name))
    }
}

impl FromIterator<(String, String)> for Env {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
