//! Keys, and the table of everything a key can do: keymap, hints, help and documents are made from [`TABLE`].

use std::fmt;
use std::str::FromStr;

/// One key press, free of any terminal library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// With Ctrl.
    pub ctrl: bool,
    /// With Alt.
    pub alt: bool,
    /// With Shift, where it does not show in the character already (so never for `Char`).
    pub shift: bool,
}

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyCode {
    /// A character as typed: `S` is `Char('S')`. With Ctrl always in lower case.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Backspace.
    Backspace,
    /// Tab; Shift-Tab is `Tab` with `shift`.
    Tab,
    /// Cursor keys and their neighbours.
    Up,
    /// ↓
    Down,
    /// ←
    Left,
    /// →
    Right,
    /// Home
    Home,
    /// End
    End,
    /// Page up
    PageUp,
    /// Page down
    PageDown,
    /// Delete
    Delete,
    /// Insert
    Insert,
    /// F1 to F12.
    F(u8),
}

impl Key {
    /// A character without Ctrl or Alt.
    pub const fn char(c: char) -> Self {
        Self::code(KeyCode::Char(c))
    }

    /// A key without modifiers.
    pub const fn code(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// A character with Ctrl.
    pub const fn ctrl(c: char) -> Self {
        Self { code: KeyCode::Char(c), ctrl: true, alt: false, shift: false }
    }

    /// How the key is written for people: `Ctrl-L`, `Enter`, `↓`.
    pub fn label(&self) -> String {
        let mut out = String::new();
        for (on, name) in [(self.ctrl, "Ctrl-"), (self.alt, "Alt-"), (self.shift, "Shift-")] {
            if on {
                out.push_str(name);
            }
        }
        match self.code {
            KeyCode::Char(' ') => out.push_str("Space"),
            KeyCode::Char(c) if self.ctrl => out.extend(c.to_uppercase()),
            KeyCode::Char(c) => out.push(c),
            KeyCode::F(n) => out.push_str(&format!("F{n}")),
            code => out.push_str(NAMED.iter().find(|(named, ..)| *named == code).map_or("", |(_, _, label)| label)),
        }
        out
    }
}

/// Keys with a name: the key, how the config spells it, how people read it.
const NAMED: &[(KeyCode, &str, &str)] = &[
    (KeyCode::Enter, "enter", "Enter"),
    (KeyCode::Esc, "esc", "Esc"),
    (KeyCode::Backspace, "backspace", "Backspace"),
    (KeyCode::Tab, "tab", "Tab"),
    (KeyCode::Up, "up", "↑"),
    (KeyCode::Down, "down", "↓"),
    (KeyCode::Left, "left", "←"),
    (KeyCode::Right, "right", "→"),
    (KeyCode::Home, "home", "Home"),
    (KeyCode::End, "end", "End"),
    (KeyCode::PageUp, "pgup", "PgUp"),
    (KeyCode::PageDown, "pgdn", "PgDn"),
    (KeyCode::Delete, "delete", "Del"),
    (KeyCode::Insert, "insert", "Ins"),
];

impl fmt::Display for Key {
    /// As the config spells it: `ctrl-l`, `s`, `F5`, `shift-tab`, `space`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (on, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if on {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            code => f.write_str(NAMED.iter().find(|(named, ..)| *named == code).map_or("", |(_, name, _)| name)),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    /// Reads what [`Display`](fmt::Display) writes; names and modifiers in any case. The error is the text itself.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut key = Self::code(KeyCode::Esc);
        let mut rest = text.trim();
        // A lone `-` is a key; a modifier needs something behind its dash.
        while let Some((head, tail)) = rest.split_once('-').filter(|(head, tail)| !head.is_empty() && !tail.is_empty())
        {
            match head.to_ascii_lowercase().as_str() {
                "ctrl" | "c" => key.ctrl = true,
                "alt" | "m" => key.alt = true,
                "shift" => key.shift = true,
                _ => return Err(text.to_owned()),
            }
            rest = tail;
        }
        let mut chars = rest.chars();
        key.code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => KeyCode::Char(c),
            _ => {
                let name = rest.to_ascii_lowercase();
                let function =
                    name.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()).filter(|n| (1..=12).contains(n));
                match (name.as_str(), function) {
                    ("space", _) => KeyCode::Char(' '),
                    (_, Some(n)) => KeyCode::F(n),
                    (name, None) => NAMED
                        .iter()
                        .find(|(_, named, _)| *named == name)
                        .map(|(code, ..)| *code)
                        .ok_or_else(|| text.to_owned())?,
                }
            }
        };
        if let KeyCode::Char(c) = key.code {
            let c = if key.shift { c.to_uppercase().next().unwrap_or(c) } else { c };
            key.shift = false;
            key.code = KeyCode::Char(if key.ctrl { c.to_lowercase().next().unwrap_or(c) } else { c });
        }
        Ok(key)
    }
}

/// Where an action can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Anywhere but in a text field.
    Everywhere,
    /// On the main screen: accounts, login and events.
    Main,
    /// In `saoma demo` only.
    Demo,
}

/// One line of the Action table.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The action.
    pub action: Action,
    /// Its name in the config's `[keys]`.
    pub id: &'static str,
    /// Its keys unless the config says otherwise, as [`Key`] spells them.
    pub keys: &'static [&'static str],
    /// Where it can be done.
    pub scope: Scope,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, [$($key:literal),+], $scope:ident;)+) => {
        /// What a person can bind a key to (design.md §2). The words are the locale keys `action.<id>` (a line for
        /// the help) and `hint.<id>` (a word for the bottom row).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $variant),+ }

        /// Every action, in the order of the help.
        pub const TABLE: &[Info] = &[
            $(Info { action: Action::$variant, id: $id, keys: &[$($key),+], scope: Scope::$scope }),+
        ];

        impl Action {
            /// Its name in the config.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }

            /// Where it can be done.
            pub const fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope),+ }
            }

            /// Reads [`Action::id`].
            pub fn from_id(id: &str) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

actions! {
    /// Select the next row.
    Down = "down", ["j", "down"], Main;
    /// Select the previous row.
    Up = "up", ["k", "up"], Main;
    /// Select the first row.
    First = "first", ["g", "home"], Main;
    /// Select the last row.
    Last = "last", ["G", "end"], Main;
    /// One page on.
    PageDown = "page_down", ["pgdn"], Main;
    /// One page back.
    PageUp = "page_up", ["pgup"], Main;
    /// Focus the next pane.
    NextPane = "next_pane", ["tab"], Main;
    /// Focus the previous pane.
    PreviousPane = "previous_pane", ["shift-tab"], Main;
    /// The ladder for the selected account.
    Login = "login", ["enter"], Main;
    /// A QR login of any phone.
    LoginNew = "login_new", ["n"], Main;
    /// A QR login of the selected account.
    LoginQr = "login_qr", ["r"], Main;
    /// A second login of the selected account.
    SecondLogin = "second_login", ["s"], Main;
    /// Hide the selected account's login.
    Cancel = "cancel", ["c"], Main;
    /// The code on the whole screen, and back.
    FullScreen = "full_screen", ["z"], Main;
    /// The code in the next layout.
    NextLayout = "next_layout", ["L"], Main;
    /// The code as a PNG file.
    WritePng = "write_png", ["w"], Main;
    /// The code light on dark, and back.
    Invert = "invert", ["i"], Main;
    /// Add an account by wcId.
    Add = "add", ["a"], Main;
    /// Take the selected account off line.
    Offline = "offline", ["o"], Main;
    /// Show all accounts.
    ShowAll = "show_all", ["1"], Main;
    /// Show the offline ones.
    ShowOffline = "show_offline", ["2"], Main;
    /// Show the unknown ones.
    ShowUnknown = "show_unknown", ["3"], Main;
    /// Mark the selected account, or take its mark away.
    Mark = "mark", ["space"], Main;
    /// Mark all accounts shown.
    MarkAll = "mark_all", ["*"], Main;
    /// Take all marks away.
    Unmark = "unmark", ["u"], Main;
    /// The conveyor: preview, then log in all marked, else all offline ones shown.
    Conveyor = "conveyor", ["S"], Main;
    /// Conveyor: the code on the screen goes to the back of the queue.
    Skip = "skip", ["x"], Main;
    /// Conveyor: the account on the screen leaves the queue.
    DropFromQueue = "drop_from_queue", ["X"], Main;
    /// Edit holder, note, tags.
    Edit = "edit", ["e"], Main;
    /// Show only what a text, tag, holder or status says.
    Filter = "filter", ["/"], Main;
    /// The history of the selected account.
    History = "history", ["h"], Main;
    /// V3: ask the gateway why the account is off line.
    OfflineReason = "offline_reason", ["W"], Main;
    /// Ask the gateway now.
    Refresh = "refresh", ["R", "F5"], Main;
    /// Copy the wId (or the URL of a device verification).
    CopyWId = "copy_wid", ["y"], Main;
    /// Copy the wcId.
    CopyWcId = "copy_wcid", ["Y"], Main;
    /// Sign in to the gateway again.
    SignIn = "sign_in", ["t"], Main;
    /// Close what is open; nothing a phone could notice.
    Close = "close", ["esc"], Everywhere;
    /// The keys.
    Help = "help", ["?"], Everywhere;
    /// Draw everything anew.
    Repaint = "repaint", ["ctrl-l"], Everywhere;
    /// Give the terminal back for a while.
    Suspend = "suspend", ["ctrl-z"], Everywhere;
    /// Leave.
    Quit = "quit", ["q"], Everywhere;
    /// Leave; asks once while codes wait.
    Interrupt = "interrupt", ["ctrl-c"], Everywhere;
    /// Demo: scan the code.
    DemoScan = "demo_scan", ["6"], Demo;
    /// Demo: confirm on the phone.
    DemoConfirm = "demo_confirm", ["7"], Demo;
    /// Demo: cancel on the phone.
    DemoCancel = "demo_cancel", ["8"], Demo;
    /// Demo: drop the account.
    DemoDrop = "demo_drop", ["9"], Demo;
    /// Demo: let the phones act by themselves.
    DemoAuto = "demo_auto", ["0"], Demo;
}

impl Action {
    /// The locale key of the help's line for it.
    pub fn doc_key(self) -> String {
        format!("action.{}", self.id())
    }

    /// The locale key of the bottom row's word for it.
    pub fn hint_key(self) -> String {
        format!("hint.{}", self.id())
    }
}

#[cfg(test)]
mod tests {
    use crate::property::cases;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_read_as_the_config_spells_them() {
        for (text, key) in [
            ("s", Key::char('s')),
            ("S", Key::char('S')),
            ("shift-s", Key::char('S')),
            ("ctrl-l", Key::ctrl('l')),
            ("Ctrl-L", Key::ctrl('l')),
            ("F5", Key::code(KeyCode::F(5))),
            ("f5", Key::code(KeyCode::F(5))),
            ("f", Key::char('f')),
            ("-", Key::char('-')),
            ("ctrl--", Key::ctrl('-')),
            ("space", Key::char(' ')),
            ("码", Key::char('码')),
            ("shift-tab", Key { shift: true, ..Key::code(KeyCode::Tab) }),
            ("PgDn", Key::code(KeyCode::PageDown)),
        ] {
            assert_eq!(text.parse(), Ok(key), "{text}");
        }
        for wrong in ["", "hyper-x", "enterx", "F13", "F0", "ctrl-"] {
            assert!(wrong.parse::<Key>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_default_key_is_read_and_none_is_given_twice() {
        let mut seen = std::collections::HashMap::new();
        for info in TABLE {
            for text in info.keys {
                let key: Key = text.parse().unwrap();
                assert_eq!(key.to_string(), *text);
                assert!(!key.label().is_empty());
                assert_eq!(seen.insert(key, info.id), None, "{text} is given twice");
            }
            assert_eq!(Action::from_id(info.id), Some(info.action));
        }
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn a_written_key_is_read_back(c in proptest::char::any(), ctrl: bool, alt: bool) {
            prop_assume!(!c.is_control() && !c.is_whitespace());
            prop_assume!(!ctrl || c.to_lowercase().eq([c]));
            let key = Key { ctrl, alt, ..Key::char(c) };
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
