//! What the rows of an import say: checked, each account once.

use std::collections::HashMap;

use secrecy::SecretString;

use super::{entries, sheet};
use crate::model::edit::tags;
use crate::model::{Account, BadDevice, Device, DeviceEdit, Edit, WId, WcId};

/// The columns, as they are exported.
pub(super) const COLUMNS: [&str; 14] = [
    "wc_id",
    "w_id",
    "nick_name",
    "w_account",
    "holder",
    "tags",
    "note",
    "device",
    "proxy",
    "proxy_user",
    "proxy_password",
    "aid",
    "ttuid",
    "last_login_at",
];
/// The column that every row needs.
pub(super) const WC_ID: usize = 0;
/// Several in one cell.
pub(super) const TAGS: usize = 5;
/// The one that may well have lines.
pub(super) const NOTE: usize = 6;
/// From here on, up to [`LAST_LOGIN`], they are of an account's device; an export has them only where an account has one.
pub(super) const DEVICE: usize = 7;
/// The column that an export has only on an explicit wish.
pub(super) const PASSWORD: usize = 10;

/// The column that an export has only where an account was logged in: whoever imports it knows then that it was.
pub(super) const LAST_LOGIN: usize = 13;

/// The column that a heading or a key names: `wcId` is how the gateway writes `wc_id`.
pub(super) fn column(name: &str) -> Option<usize> {
    let plain = |name: &str| name.trim().to_ascii_lowercase().replace(['_', '-', ' '], "");
    let name = plain(name);
    // What people call it.
    let name = if name == "wxid" { "wcid" } else { &name };
    COLUMNS.iter().position(|column| plain(column) == name)
}

/// Why nothing of a file can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadFile {
    /// No JSON; the parser's words.
    Syntax(String),
    /// JSON without a list of accounts.
    NoList,
    /// A heading without the column `wc_id`.
    NoColumn,
    /// Several cells a row and no heading that says what they are.
    NoHeading,
    /// A heading that names this column twice.
    TwiceColumn(&'static str),
}

/// Why a row cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// What stands there for a wcId is none.
    WcId(String),
    /// It has other cells than the heading.
    Cells {
        /// How many it has.
        found: usize,
        /// How many the heading has.
        wanted: usize,
    },
    /// A quote is opened and not closed, or something stands behind the closing one.
    Quote,
    /// A quoted cell holds what looks like other rows.
    Swallows,
    /// A JSON line that is none; the parser's words.
    Json(String),
    /// Neither a wcId nor an object.
    Entry,
    /// This field has a value that cannot be.
    Field(String),
    /// This field is there twice, with two values.
    Twice(&'static str),
    /// This row says something else of the same account.
    Conflict(usize),
    /// What no device can be.
    Device(BadDevice),
}

/// What was read of a file, before it is checked.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// What each row says, with its number from 1.
    pub(super) entries: Vec<(usize, Result<Fields, Wrong>)>,
    /// Whether the numbers are lines; else they count entries.
    pub(super) in_lines: bool,
    /// Columns that are none of ours.
    pub(super) ignored: Vec<String>,
}

/// What one row says; an empty cell says nothing.
#[derive(Clone, Default)]
pub(super) struct Fields {
    cells: [Option<Box<str>>; COLUMNS.len()],
    tags: Option<Vec<Box<str>>>,
}

impl std::fmt::Debug for Fields {
    /// Without what it says: there may be a password among it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}

impl Fields {
    /// Sets a column.
    pub(super) fn put(&mut self, column: usize, text: &str) -> Result<(), Wrong> {
        if text.is_empty() {
            return Ok(());
        }
        if column == TAGS {
            return self.put_tags(tags(text));
        }
        let Some(cell) = self.cells.get_mut(column) else { return Ok(()) };
        match cell {
            Some(there) if **there != *text => Err(Wrong::Twice(COLUMNS.get(column).copied().unwrap_or_default())),
            _ => {
                *cell = Some(text.into());
                Ok(())
            }
        }
    }

    /// Sets the labels: also to none.
    pub(super) fn put_tags(&mut self, tags: Vec<Box<str>>) -> Result<(), Wrong> {
        match &self.tags {
            Some(there) if *there != tags => Err(Wrong::Twice("tags")),
            _ => {
                self.tags = Some(tags);
                Ok(())
            }
        }
    }

    /// Adds what another row of the same account says. False if it says something else.
    fn merge(&mut self, other: Self) -> bool {
        fn lay<T: PartialEq>(mine: &mut Option<T>, other: Option<T>) -> bool {
            match (&mine, other) {
                (Some(mine), Some(other)) => *mine == other,
                (None, other @ Some(_)) => {
                    *mine = other;
                    true
                }
                (_, None) => true,
            }
        }
        let cells = self.cells.iter_mut().zip(other.cells).skip(1);
        cells.fold(lay(&mut self.tags, other.tags), |fine, (mine, other)| lay(mine, other) && fine)
    }

    fn split(self) -> (Edit, DeviceEdit) {
        let [_, w_id, nick_name, w_account, holder, _, note, device, proxy, user, password, aid, ttuid, last] =
            self.cells;
        let edit = Edit {
            w_id: w_id.as_deref().map(str::trim).filter(|w_id| !w_id.is_empty()).map(WId::from),
            was_logged_in: last.is_some_and(|last| !last.trim().is_empty()),
            nick_name,
            w_account,
            holder,
            tags: self.tags,
            note,
            device: None,
        };
        let text = |cell: Option<Box<str>>| cell.map(String::from).filter(|text| !text.trim().is_empty());
        let device = DeviceEdit {
            device_type: text(device),
            proxy: text(proxy),
            proxy_user: text(user),
            proxy_password: password.map(SecretString::from),
            aid: text(aid),
            ttuid: text(ttuid),
        };
        (edit, device)
    }
}

/// What is to be imported.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Each account once, as the store takes it: its device laid over what is known of it.
    pub(super) good: Vec<(WcId, Edit)>,
    /// The rows that cannot be read, in their order.
    pub(super) bad: Vec<(usize, Wrong)>,
    /// Whether the numbers are lines; else they count entries.
    pub(super) in_lines: bool,
    /// Columns that are none of ours.
    pub(super) ignored: Vec<String>,
}

/// Reads and checks a whole file.
pub(super) fn parse(text: &str, known: &[Account]) -> Result<Rows, BadFile> {
    let read = if entries::is_json(text) { entries::read(text) } else { sheet::read(text) }?;
    let mut rows = Rows { in_lines: read.in_lines, ignored: read.ignored, ..Rows::default() };
    // Each account with its rows, in the order of the first ones.
    let mut accounts: Vec<(WcId, Vec<(usize, Fields)>)> = Vec::new();
    let mut places: HashMap<WcId, usize> = HashMap::new();
    for (number, fields) in read.entries {
        let checked = fields.and_then(|fields| {
            let text = fields.cells.first().and_then(Option::as_deref).unwrap_or_default();
            // A heading in between, where files were put together, is no account either.
            match WcId::checked(text).filter(|_| column(text) != Some(WC_ID)) {
                Some(wc_id) => Ok((wc_id, fields)),
                None => Err(Wrong::WcId(text.to_owned())),
            }
        });
        match checked {
            Ok((wc_id, fields)) => match places.get(&wc_id).and_then(|at| accounts.get_mut(*at)) {
                Some((_, rows)) => rows.push((number, fields)),
                None => {
                    places.insert(wc_id.clone(), accounts.len());
                    accounts.push((wc_id, vec![(number, fields)]));
                }
            },
            Err(wrong) => rows.bad.push((number, wrong)),
        }
    }
    let devices: HashMap<&WcId, &Device> =
        known.iter().filter_map(|account| Some((&account.wc_id, account.device.as_deref()?))).collect();
    for (wc_id, said) in accounts {
        let numbers: Vec<usize> = said.iter().map(|(number, _)| *number).collect();
        let mut whole = Fields::default();
        let agree = said.into_iter().fold(true, |agree, (_, fields)| whole.merge(fields) && agree);
        // Which of them is right nobody knows. One alone agrees with itself.
        if let (false, [first, second, ..]) = (agree, numbers.as_slice()) {
            let other = |number| if number == first { *second } else { *first };
            rows.bad.extend(numbers.iter().map(|number| (*number, Wrong::Conflict(other(number)))));
            continue;
        }
        let (mut edit, device) = whole.split();
        if !device.is_empty() {
            match device.apply(devices.get(&wc_id).copied()) {
                Ok(after) => edit.device = Some(after),
                Err(bad) => {
                    rows.bad.extend(numbers.iter().map(|number| (*number, Wrong::Device(bad))));
                    continue;
                }
            }
        }
        rows.good.push((wc_id, edit));
    }
    rows.bad.sort_by_key(|(number, _)| *number);
    Ok(rows)
}
