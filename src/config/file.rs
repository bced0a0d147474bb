//! `config.toml` as it is written (design.md §6), and the search for keys that no setting has.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml_edit::{Document, Table};

use super::Error;

/// The file, as written. Values are checked where they are used.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
    /// `[profile.NAME]`
    pub profile: BTreeMap<String, ProfileTable>,
    /// `[watch]`
    pub watch: WatchTable,
    /// `[alerts]`
    pub alerts: AlertsTable,
    /// `[ui]`
    pub ui: UiTable,
    /// `[keys]`, as it is: `keymap` reads it.
    pub keys: toml::Table,
    /// The line of each key, `table.key` → line from 1.
    #[serde(skip)]
    pub lines: BTreeMap<String, usize>,
    /// Top-level tables that no part of this version knows, with their lines: a later version's, so only warned of.
    #[serde(skip)]
    pub strange: Vec<(String, usize)>,
}

/// `[profile.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ProfileTable {
    /// Base URL.
    pub gateway: Option<String>,
    /// `v1`, `v2` or `v3`.
    pub dialect: Option<String>,
    /// Platform account.
    pub account: Option<Text>,
    /// Prints the token.
    pub token_command: Option<String>,
    /// Prints the platform password.
    pub password_command: Option<String>,
    /// V3: `deviceType` of accounts that have none of their own.
    pub device: Option<String>,
    /// V3: a region's number, or an own SOCKS5 proxy as `ip:port`.
    pub proxy: Option<Proxy>,
    /// V3: the own proxy's user.
    pub proxy_user: Option<Text>,
    /// V3: prints the own proxy's password.
    pub proxy_password_command: Option<String>,
    /// Proxy for saoma's own HTTP.
    pub http_proxy: Option<String>,
}

/// A text that people like to write as a number: a platform account is a phone number.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// Quoted.
    Text(String),
    /// Bare digits.
    Number(u64),
}

/// A region's number or an address.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Proxy {
    /// Bare digits.
    Region(i64),
    /// Quoted.
    Text(String),
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text {
            Text::Text(text) => text,
            Text::Number(number) => number.to_string(),
        }
    }
}

/// `[watch]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WatchTable {
    /// How often the fleet list is asked for.
    pub interval: Option<String>,
    /// Agreeing observations before a drop is believed.
    pub offline_after: Option<i64>,
    /// Where notices are listened for.
    pub listen: Option<String>,
    /// What the gateway would call.
    pub public_url: Option<String>,
    /// Whether the gateway's callback may be set.
    pub register: Option<bool>,
}

/// `[alerts]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AlertsTable {
    /// Gets one JSON object on stdin.
    pub command: Option<String>,
}

/// `[ui]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct UiTable {
    /// `en` or `zh`.
    pub lang: Option<String>,
    /// A name, or a table of colours: `theme` reads it.
    pub theme: Option<toml::Value>,
    /// `auto` or the name of a layout.
    pub qr_layout: Option<String>,
}

const TABLES: [&str; 5] = ["profile", "watch", "alerts", "ui", "keys"];
const PROFILE: [&str; 10] = [
    "gateway",
    "dialect",
    "account",
    "token_command",
    "password_command",
    "device",
    "proxy",
    "proxy_user",
    "proxy_password_command",
    "http_proxy",
];
const WATCH: [&str; 5] = ["interval", "offline_after", "listen", "public_url", "register"];
const ALERTS: [&str; 1] = ["command"];
const UI: [&str; 3] = ["lang", "theme", "qr_layout"];

impl File {
    /// Reads the text of the file at `path` (the path is for messages only). A key that no setting has is an error
    /// within a known table, and a table whose name is nearly a known one too; other tables are only noted.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let syntax = |span: Option<std::ops::Range<usize>>, detail: &str| Error::Syntax {
            path: path.to_owned(),
            line: span.map_or(0, |span| line_of(text, span.start)),
            detail: detail.to_owned(),
        };
        let document = Document::parse(text).map_err(|error| syntax(error.span(), error.message()))?;
        let mut walk = Walk { text, path, lines: BTreeMap::new(), strange: Vec::new() };
        walk.root(document.as_table())?;
        let Walk { lines, strange, .. } = walk;
        let file: Self = toml::from_str(text).map_err(|error| syntax(error.span(), error.message()))?;
        Ok(Self { lines, strange, ..file })
    }

    /// The line of `table.key`, from 1; 0 when not known.
    pub fn line(&self, key: &str) -> usize {
        self.lines.get(key).copied().unwrap_or(0)
    }
}

/// Goes through the document with the lists of known keys in hand.
struct Walk<'a> {
    text: &'a str,
    path: &'a Path,
    lines: BTreeMap<String, usize>,
    strange: Vec<(String, usize)>,
}

impl Walk<'_> {
    fn root(&mut self, root: &Table) -> Result<(), Error> {
        for (name, item) in root {
            let line = self.line(root.key(name));
            let table = item.as_table_like();
            match (name, table) {
                ("profile", Some(profiles)) => {
                    for (profile, item) in profiles.iter() {
                        self.table(&format!("profile.{profile}"), item, &PROFILE)?;
                    }
                }
                ("watch", Some(_)) => self.table(name, item, &WATCH)?,
                ("alerts", Some(_)) => self.table(name, item, &ALERTS)?,
                ("ui", Some(_)) => self.table(name, item, &UI)?,
                ("keys", Some(keys)) => {
                    for (key, _) in keys.iter() {
                        let line = self.line(keys.key(key));
                        self.lines.insert(format!("keys.{key}"), line);
                    }
                }
                // A value where a table belongs: serde says what was expected.
                ("profile" | "watch" | "alerts" | "ui" | "keys", None) => {}
                (_, Some(_)) if near(name, &TABLES).is_none() => self.strange.push((name.to_owned(), line)),
                (_, _) => return Err(self.unknown(name, line, near(name, &TABLES))),
            }
        }
        Ok(())
    }

    fn table(&mut self, table: &str, item: &toml_edit::Item, known: &[&str]) -> Result<(), Error> {
        let Some(keys) = item.as_table_like() else { return Ok(()) };
        for (key, _) in keys.iter() {
            let line = self.line(keys.key(key));
            if !known.contains(&key) {
                return Err(self.unknown(&format!("{table}.{key}"), line, near(key, known)));
            }
            self.lines.insert(format!("{table}.{key}"), line);
        }
        Ok(())
    }

    fn line(&self, key: Option<&toml_edit::Key>) -> usize {
        key.and_then(toml_edit::Key::span).map_or(0, |span| line_of(self.text, span.start))
    }

    fn unknown(&self, key: &str, line: usize, near: Option<&str>) -> Error {
        Error::UnknownKey { path: self.path.to_owned(), line, key: key.to_owned(), near: near.map(str::to_owned) }
    }
}

/// The line of a byte offset, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The known name that a typing error may have been meant for: at most two edits away, and nearer than its length.
pub(crate) fn near<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (distance(&name.to_ascii_lowercase(), candidate), *candidate))
        .filter(|(edits, candidate)| *edits <= 2 && *edits < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, by characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = (corner + usize::from(x != *y)).min(left + 1).min(above + 1);
            corner = *above;
            left = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"
[profile.default]
gateway = "http://203.0.113.7:9899"
dialect = "v2"
account = "13800000000"
token_command = "pass saoma/token"
device  = "ipad"
proxy   = 7
[watch]
interval = "30s"
offline_after = 2
listen = "127.0.0.1:18090"
public_url = ""
register = false
[alerts]
command = "/usr/local/bin/on-saoma"
[ui]
lang = "zh"
theme = "auto"
qr_layout = "auto"
[keys]
second_login = "s"
"#;

    fn parse(text: &str) -> Result<File, Error> {
        File::parse(text, Path::new("config.toml"))
    }

    #[test]
    fn the_sample_of_the_design_is_read() {
        let file = parse(SAMPLE).unwrap();
        assert_eq!(file.profile["default"].gateway.as_deref(), Some("http://203.0.113.7:9899"));
        assert_eq!(file.watch.offline_after, Some(2));
        assert_eq!(file.keys["second_login"].as_str(), Some("s"));
        assert_eq!(file.line("profile.default.gateway"), 3);
        assert_eq!(file.line("keys.second_login"), 22);
    }

    #[test]
    fn a_typing_error_is_named_with_its_line() {
        for (text, line, key, near) in [
            ("[profile.x]\ngatway = 'a'", 2, "profile.x.gatway", Some("gateway")),
            ("\n[wach]\ninterval = '30s'", 2, "wach", Some("watch")),
            ("[ui]\nlang = 'en'\nfont = 'x'", 3, "ui.font", None),
            ("lang = 'en'", 1, "lang", None),
        ] {
            let Err(Error::UnknownKey { line: at, key: name, near: meant, .. }) = parse(text) else {
                panic!("{text}: no error")
            };
            assert_eq!((at, name.as_str(), meant.as_deref()), (line, key, near), "{text}");
        }
    }

    #[test]
    fn a_later_versions_table_is_only_noted() {
        assert_eq!(parse("[hours]\nquiet = 1").unwrap().strange, [("hours".to_owned(), 1)]);
    }

    #[test]
    fn syntax_and_types_are_errors_with_lines() {
        for (text, at) in [("[ui]\nlang = ", 2), ("[watch]\n\noffline_after = 'two'", 3), ("[ui", 1), ("ui = 3", 1)] {
            let Err(Error::Syntax { line, .. }) = parse(text) else { panic!("{text}: no error") };
            assert_eq!(line, at, "{text}");
        }
    }

    #[test]
    fn an_account_may_be_written_as_a_number() {
        let file = parse("[profile.a]\naccount = 13800000000").unwrap();
        assert_eq!(file.profile["a"].account.clone().map(String::from).as_deref(), Some("13800000000"));
    }

    #[test]
    fn distances() {
        for (a, b, edits) in [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("gatway", "gateway", 1)] {
            assert_eq!(distance(a, b), edits);
        }
    }
}
