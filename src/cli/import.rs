//! `saoma accounts import` and `export`: CSV or JSON in, the same out.

use std::io::{IsTerminal, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::accounts::{checked_wc_id, show, split_tags};
use super::args::ImportArgs;
use super::context::{Context, now};
use super::fail::Failure;
use super::out;
use crate::config::Profile;
use crate::model::text::clean;
use crate::model::{Account, WId, WcId};
use crate::store::{Edit, Store};

const COLUMNS: [&str; 7] = ["wc_id", "w_id", "nick_name", "w_account", "holder", "tags", "note"];

/// What is wrong with an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Not UTF-8.
    Encoding,
    /// Neither CSV nor JSON; the parser's words.
    Syntax(String),
    /// No wcId, or none that can be, in this row from 1.
    WcId(usize, String),
    /// No column `wc_id`.
    NoColumn,
}

/// One account of a JSON import; other fields of an exported account are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    wc_id: String,
    w_id: Option<String>,
    nick_name: Option<String>,
    w_account: Option<String>,
    holder: Option<String>,
    tags: Option<Vec<String>>,
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Json {
    Rows(Vec<Row>),
    Object { accounts: Vec<Row> },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Row {
    Id(String),
    Entry(Box<Entry>),
}

/// Reads accounts: JSON (an array of objects or wcIds, or what `accounts --json` and `export --json` print), or CSV
/// with a heading, or one wcId a line. An empty field leaves what is known.
pub fn parse(bytes: &[u8]) -> Result<Vec<(WcId, Edit)>, Bad> {
    let text = std::str::from_utf8(bytes).map_err(|_not_utf8| Bad::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with(['[', '{']) { parse_json(text) } else { parse_csv(text) }
}

fn parse_json(text: &str) -> Result<Vec<(WcId, Edit)>, Bad> {
    let rows = match serde_json::from_str(text).map_err(|error| Bad::Syntax(error.to_string()))? {
        Json::Rows(rows) | Json::Object { accounts: rows } => rows,
    };
    let entries = rows.into_iter().enumerate().map(|(at, row)| {
        let entry = match row {
            Row::Id(wc_id) => Entry { wc_id, ..Entry::default() },
            Row::Entry(entry) => *entry,
        };
        let tags = entry.tags.map(|tags| tags.into_iter().map(Into::into).collect());
        row_of(
            at + 1,
            &entry.wc_id,
            Edit {
                w_id: entry.w_id.filter(|text| !text.is_empty()).map(WId::from),
                nick_name: filled(entry.nick_name.as_deref()),
                w_account: filled(entry.w_account.as_deref()),
                holder: filled(entry.holder.as_deref()),
                tags,
                note: filled(entry.note.as_deref()),
                device: None,
            },
        )
    });
    entries.collect()
}

fn parse_csv(text: &str) -> Result<Vec<(WcId, Edit)>, Bad> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut records = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| Bad::Syntax(error.to_string()))?;
        let row = record.position().map_or(records.len() + 1, |at| usize::try_from(at.line()).unwrap_or(0));
        if record.iter().any(|field| !field.is_empty()) && !record.get(0).unwrap_or_default().starts_with('#') {
            records.push((row, record));
        }
    }
    let Some((_, first)) = records.first() else { return Ok(Vec::new()) };
    let heads: Vec<String> = first.iter().map(|head| head.to_ascii_lowercase().replace('-', "_")).collect();
    let is_heading = heads.iter().any(|head| COLUMNS.contains(&head.as_str()) || head == "wcid");
    if !is_heading {
        if records.iter().any(|(_, record)| record.len() > 1) {
            return Err(Bad::NoColumn);
        }
        return records
            .iter()
            .map(|(row, record)| row_of(*row, record.get(0).unwrap_or_default(), Edit::default()))
            .collect();
    }
    // `wcId` is how the gateway writes it.
    let column = |name: &str| heads.iter().position(|head| head.replace('_', "") == name.replace('_', ""));
    let wc_id = column("wc_id").ok_or(Bad::NoColumn)?;
    let rest = COLUMNS.map(column);
    let [_, w_id, nick_name, w_account, holder, tags, note] = rest;
    records
        .iter()
        .skip(1)
        .map(|(row, record)| {
            let get = |at: Option<usize>| filled(at.and_then(|at| record.get(at)));
            row_of(
                *row,
                record.get(wc_id).unwrap_or_default(),
                Edit {
                    w_id: get(w_id).map(WId::new),
                    nick_name: get(nick_name),
                    w_account: get(w_account),
                    holder: get(holder),
                    tags: get(tags).map(|tags| split_tags(&tags)),
                    note: get(note),
                    device: None,
                },
            )
        })
        .collect()
}

fn filled(text: Option<&str>) -> Option<Box<str>> {
    text.filter(|text| !text.is_empty()).map(Into::into)
}

fn row_of(row: usize, wc_id: &str, edit: Edit) -> Result<(WcId, Edit), Bad> {
    checked_wc_id(wc_id).map(|wc_id| (wc_id, edit)).ok_or_else(|| Bad::WcId(row, wc_id.to_owned()))
}

/// Accounts as CSV, with a heading; what [`parse`] reads.
pub fn to_csv(accounts: &[Account]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for account in accounts {
        writer.write_record([
            account.wc_id.as_str(),
            account.w_id.as_ref().map(WId::as_str).unwrap_or_default(),
            &account.nick_name,
            &account.w_account,
            &account.holder,
            &account.tags.join(";"),
            &account.note,
        ])?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `accounts import FILE`: all rows or none.
pub async fn import(context: &Context, profile: &Profile, store: &Store, args: &ImportArgs) -> Result<(), Failure> {
    let bytes = read(&args.file)?;
    let rows = parse(&bytes).map_err(|bad| words(context, &args.file, &bad))?;
    let created = store.import(&rows, now()).await.map_err(|error| Failure::store(context.lang, &error))?;
    if context.json {
        let mut map = context.object(profile, "imported");
        map.insert("read".into(), json!(rows.len()));
        map.insert("created".into(), json!(created));
        return out::object(map);
    }
    let (read, created) = (rows.len().to_string(), created.to_string());
    out::say(&context.tf("cli.accounts.imported", &[("read", &read), ("created", &created)]));
    Ok(())
}

/// `accounts export`: CSV, or with `--json` one object.
pub async fn export(context: &Context, profile: &Profile, store: &Store) -> Result<(), Failure> {
    let accounts = context.accounts(store).await?;
    if context.json {
        return show(context, profile, "accounts", &accounts, None);
    }
    let text = to_csv(&accounts).map_err(|error| Failure::io("csv", &std::io::Error::other(error)))?;
    if std::io::stdout().is_terminal() {
        // A file gets names exactly as they are; a terminal must not obey them.
        let lines: Vec<_> = text.lines().map(clean).collect();
        return out::data(&format!("{}\n", lines.join("\n")));
    }
    out::data(&text)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        return match std::io::stdin().read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Failure::io("-", &error)),
        };
    }
    std::fs::read(path).map_err(|error| Failure::io(&path.display().to_string(), &error))
}

fn words(context: &Context, file: &Path, bad: &Bad) -> Failure {
    let file = file.display().to_string();
    let message = match bad {
        Bad::Encoding => context.tf("cli.import.encoding", &[("file", &file)]),
        Bad::Syntax(detail) => context.tf("cli.import.syntax", &[("file", &file), ("detail", detail)]),
        Bad::WcId(row, text) => {
            context.tf("cli.import.wc_id", &[("file", &file), ("row", &row.to_string()), ("text", text)])
        }
        Bad::NoColumn => context.tf("cli.import.no_column", &[("file", &file)]),
    };
    Failure::usage(message).hint(context.t("cli.import.hint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(rows: &[(WcId, Edit)]) -> Vec<&str> {
        rows.iter().map(|(wc_id, _)| wc_id.as_str()).collect()
    }

    #[test]
    fn csv_in_many_shapes() {
        let rows =
            parse("\u{feff}nick_name,wcId,tags,other\r\n张三,wxid_a,\"a;b\",1\r\n\r\n,wxid_b\r\n".as_bytes()).unwrap();
        assert_eq!(ids(&rows), ["wxid_a", "wxid_b"]);
        assert_eq!(rows[0].1.nick_name.as_deref(), Some("张三"));
        assert_eq!(rows[0].1.tags, Some(vec!["a".into(), "b".into()]));
        assert_eq!(rows[1].1, Edit::default());
        assert_eq!(ids(&parse(b"# mine\nwxid_a\nwxid_b\n").unwrap()), ["wxid_a", "wxid_b"]);
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn json_in_many_shapes() {
        for text in [
            r#"["wxid_a", {"wc_id": "wxid_b", "w_id": "w", "holder": "", "unknown": 3}]"#,
            r#"{"schema":1,"accounts":[{"wc_id":"wxid_a","w_id":null},{"wc_id":"wxid_b","w_id":"w","sex":1}]}"#,
        ] {
            let rows = parse(text.as_bytes()).unwrap();
            assert_eq!(ids(&rows), ["wxid_a", "wxid_b"], "{text}");
            assert_eq!(rows[1].1, Edit { w_id: Some("w".into()), ..Edit::default() });
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(parse(b"\xff\xfe"), Err(Bad::Encoding));
        assert!(matches!(parse(b"[1"), Err(Bad::Syntax(_))));
        assert_eq!(parse(b"a,b\nc,d"), Err(Bad::NoColumn));
        assert_eq!(parse(b"holder\nme"), Err(Bad::NoColumn));
        assert_eq!(parse(b"wc_id\nwxid_a\nwx id"), Err(Bad::WcId(3, "wx id".into())));
    }

    #[test]
    fn what_is_exported_can_be_imported() {
        let account = Account {
            w_id: Some("w-1".into()),
            nick_name: "a \"quoted\", name".into(),
            holder: "me".into(),
            tags: vec!["x".into(), "y".into()],
            note: "two\nlines".into(),
            ..Account::new("wxid_a".into())
        };
        let rows = parse(to_csv(std::slice::from_ref(&account)).unwrap().as_bytes()).unwrap();
        let edit = &rows[0].1;
        assert_eq!(edit.nick_name.as_deref(), Some(&*account.nick_name));
        assert_eq!(edit.tags.as_deref(), Some(&*account.tags));
        assert_eq!(edit.note.as_deref(), Some("two\nlines"));
        assert_eq!(edit.w_id, account.w_id);
    }
}
