//! Which key does what: the Action table's defaults, changed by the config's `[keys]`.

use std::collections::HashMap;

use crate::action::{Action, Key, TABLE};

/// Which key does what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    actions: HashMap<Key, Action>,
    keys: HashMap<Action, Vec<Key>>,
}

/// What is wrong with one line of `[keys]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No action has this name.
    #[error("no action is called {0:?}")]
    NoSuchAction(String),
    /// Not a key's name.
    #[error("{action}: {key:?} is no key; write s, S, ctrl-l, F5, enter, space or the like")]
    NoSuchKey {
        /// The line.
        action: String,
        /// What stands there.
        key: String,
    },
    /// One key for two actions.
    #[error("{key} is given to both {first} and {second}")]
    Twice {
        /// The key.
        key: String,
        /// One action.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// Ctrl-C has to leave, whatever the config says.
    #[error("ctrl-c always leaves and cannot be given to {0}")]
    Reserved(&'static str),
}

impl KeymapError {
    /// The action whose line is wrong, as the config calls it.
    pub fn action(&self) -> &str {
        match self {
            Self::NoSuchAction(action) | Self::NoSuchKey { action, .. } => action,
            Self::Twice { second, .. } => second,
            Self::Reserved(action) => action,
        }
    }
}

impl Default for Keymap {
    fn default() -> Self {
        let mut map = Self { actions: HashMap::new(), keys: HashMap::new() };
        for info in TABLE {
            let keys = info.keys.iter().filter_map(|text| text.parse().ok()).collect();
            map.give(info.action, keys);
        }
        map
    }
}

impl Keymap {
    /// The defaults, with lines of `[keys]` in their place: an action's name, and its keys separated by spaces (none:
    /// the action has no key). A key taken from another action's defaults is that action's loss, said by nobody;
    /// two lines that give the same key are an error.
    pub fn with<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, KeymapError> {
        let mut map = Self::default();
        let mut given: HashMap<Key, Action> = HashMap::new();
        for (name, text) in lines {
            let action = Action::from_id(name).ok_or_else(|| KeymapError::NoSuchAction(name.to_owned()))?;
            let mut keys = Vec::new();
            for word in text.split_whitespace() {
                let key: Key = word.parse().map_err(|key| KeymapError::NoSuchKey { action: name.to_owned(), key })?;
                if key == Key::ctrl('c') && action != Action::Interrupt {
                    return Err(KeymapError::Reserved(action.id()));
                }
                if let Some(other) = given.insert(key, action).filter(|other| *other != action) {
                    return Err(KeymapError::Twice { key: key.to_string(), first: other.id(), second: action.id() });
                }
                keys.push(key);
            }
            if action == Action::Interrupt && !keys.contains(&Key::ctrl('c')) {
                keys.push(Key::ctrl('c'));
            }
            map.take(action, &given);
            map.give(action, keys);
        }
        Ok(map)
    }

    /// What a key does.
    pub fn action(&self, key: Key) -> Option<Action> {
        self.actions.get(&key).copied()
    }

    /// The keys of an action, the first one first in hints.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.keys.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The first key of an action as people read it; `None` when it has none.
    pub fn label(&self, action: Action) -> Option<String> {
        self.keys(action).first().map(Key::label)
    }

    /// All keys of an action as people read them, with spaces between.
    pub fn labels(&self, action: Action) -> String {
        self.keys(action).iter().map(Key::label).collect::<Vec<_>>().join(" ")
    }

    /// Takes an action's keys away, except those that a line of the config has just given to another action.
    fn take(&mut self, action: Action, given: &HashMap<Key, Action>) {
        for key in self.keys.remove(&action).unwrap_or_default() {
            if given.get(&key).is_none_or(|owner| *owner == action) {
                self.actions.remove(&key);
            }
        }
    }

    fn give(&mut self, action: Action, keys: Vec<Key>) {
        for key in &keys {
            if let Some(loser) = self.actions.insert(*key, action).filter(|loser| *loser != action)
                && let Some(theirs) = self.keys.get_mut(&loser)
            {
                theirs.retain(|other| other != key);
            }
        }
        self.keys.insert(action, keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::KeyCode;

    #[test]
    fn the_defaults_are_the_tables() {
        let map = Keymap::default();
        assert_eq!(map.action(Key::char('s')), Some(Action::SecondLogin));
        assert_eq!(map.action(Key::code(KeyCode::F(5))), Some(Action::Refresh));
        assert_eq!(map.labels(Action::Refresh), "R F5");
        assert_eq!(map.action(Key::char('Q')), None);
    }

    #[test]
    fn a_line_replaces_the_defaults_and_takes_keys_from_others() {
        let map = Keymap::with([("second_login", "x n")]).unwrap();
        assert_eq!(map.action(Key::char('s')), None);
        assert_eq!(map.action(Key::char('n')), Some(Action::SecondLogin));
        assert_eq!(map.keys(Action::LoginNew), []);
        assert_eq!(map.label(Action::SecondLogin).as_deref(), Some("x"));
    }

    #[test]
    fn two_actions_can_swap_their_keys() {
        let map = Keymap::with([("login_new", "s"), ("second_login", "n")]).unwrap();
        assert_eq!(map.action(Key::char('s')), Some(Action::LoginNew));
        assert_eq!(map.action(Key::char('n')), Some(Action::SecondLogin));
    }

    #[test]
    fn wrong_lines_say_what_is_wrong() {
        for (lines, error) in [
            (vec![("dance", "d")], KeymapError::NoSuchAction("dance".into())),
            (vec![("quit", "hyper-q")], KeymapError::NoSuchKey { action: "quit".into(), key: "hyper-q".into() }),
            (vec![("quit", "x"), ("help", "x")], KeymapError::Twice { key: "x".into(), first: "quit", second: "help" }),
            (vec![("help", "ctrl-c")], KeymapError::Reserved("help")),
        ] {
            assert_eq!(Keymap::with(lines), Err(error));
        }
    }

    #[test]
    fn ctrl_c_always_leaves() {
        let map = Keymap::with([("interrupt", "")]).unwrap();
        assert_eq!(map.action(Key::ctrl('c')), Some(Action::Interrupt));
    }
}
