//! `saoma accounts import` and `export`: CSV or JSON in, the same out.

use std::collections::HashMap;
use std::io::{IsTerminal, Read};
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::accounts::{checked_wc_id, split_tags};
use super::args::{ExportArgs, ImportArgs};
use super::context::{Context, now};
use super::fail::Failure;
use super::out;
use crate::config::Profile;
use crate::model::text::clean;
use crate::model::{Account, BadDevice, Device, DeviceEdit, Stamp, WId, WcId, json as objects};
use crate::store::{Edit, Store};

const COLUMNS: [&str; 14] = [
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
    LAST_LOGIN,
];
/// The columns that an export has only where an account has a device.
const DEVICE_COLUMNS: [&str; 6] = ["device", "proxy", "proxy_user", PASSWORD, "aid", "ttuid"];
/// The column that an export has only where an account was logged in: whoever imports it knows then that it was.
const LAST_LOGIN: &str = "last_login_at";
/// The column that an export has only on an explicit wish.
const PASSWORD: &str = "proxy_password";

/// One account of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number in the file, from 1: a line, or an entry.
    pub number: usize,
    /// Whom.
    pub wc_id: WcId,
    /// What is set; `device` is not, since it is laid over what is known of the account.
    pub edit: Edit,
    /// What is set of its device and network.
    pub device: DeviceEdit,
}

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
    /// What no device can be, in this row from 1.
    Device(usize, BadDevice),
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
    last_login_at: Option<String>,
    device: Option<JsonDevice>,
    #[serde(flatten)]
    network: Network,
}

/// A device as an exported account has it, or its type alone beside the fields of the network.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum JsonDevice {
    Type(String),
    Whole {
        #[serde(rename = "type", default)]
        device_type: Option<String>,
        #[serde(flatten)]
        network: Network,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    proxy: Option<JsonProxy>,
    proxy_user: Option<String>,
    proxy_password: Option<SecretString>,
    aid: Option<String>,
    ttuid: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum JsonProxy {
    Region(u64),
    Text(String),
}

impl Network {
    fn edit(self, device_type: Option<String>) -> DeviceEdit {
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let proxy = self.proxy.map(|proxy| match proxy {
            JsonProxy::Region(number) => number.to_string(),
            JsonProxy::Text(text) => text,
        });
        DeviceEdit {
            device_type: filled(device_type),
            proxy: filled(proxy),
            proxy_user: filled(self.proxy_user),
            proxy_password: self.proxy_password.filter(|password| !password.expose_secret().is_empty()),
            aid: filled(self.aid),
            ttuid: filled(self.ttuid),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Json {
    Rows(Vec<JsonRow>),
    Object { accounts: Vec<JsonRow> },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum JsonRow {
    Id(String),
    Entry(Box<Entry>),
}

/// Reads accounts: JSON (an array of objects or wcIds, or what `accounts --json` and `export --json` print), or CSV
/// with a heading, or one wcId a line. An empty field leaves what is known.
pub fn parse(bytes: &[u8]) -> Result<Vec<Row>, Bad> {
    let text = std::str::from_utf8(bytes).map_err(|_not_utf8| Bad::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with(['[', '{']) { parse_json(text) } else { parse_csv(text) }
}

fn parse_json(text: &str) -> Result<Vec<Row>, Bad> {
    let rows = match serde_json::from_str(text).map_err(|error| Bad::Syntax(error.to_string()))? {
        Json::Rows(rows) | Json::Object { accounts: rows } => rows,
    };
    let entries = rows.into_iter().enumerate().map(|(at, row)| {
        let entry = match row {
            JsonRow::Id(wc_id) => Entry { wc_id, ..Entry::default() },
            JsonRow::Entry(entry) => *entry,
        };
        let device = match entry.device {
            None => entry.network.edit(None),
            Some(JsonDevice::Type(device_type)) => entry.network.edit(Some(device_type)),
            Some(JsonDevice::Whole { device_type, network }) => network.edit(device_type),
        };
        let tags = entry.tags.map(|tags| tags.into_iter().map(Into::into).collect());
        row_of(
            at + 1,
            &entry.wc_id,
            Edit {
                w_id: entry.w_id.filter(|text| !text.is_empty()).map(WId::from),
                was_logged_in: filled(entry.last_login_at.as_deref()).is_some(),
                nick_name: filled(entry.nick_name.as_deref()),
                w_account: filled(entry.w_account.as_deref()),
                holder: filled(entry.holder.as_deref()),
                tags,
                note: filled(entry.note.as_deref()),
                device: None,
            },
            device,
        )
    });
    entries.collect()
}

fn parse_csv(text: &str) -> Result<Vec<Row>, Bad> {
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
            .map(|(row, record)| {
                row_of(*row, record.get(0).unwrap_or_default(), Edit::default(), DeviceEdit::default())
            })
            .collect();
    }
    // `wcId` is how the gateway writes it.
    let column = |name: &str| heads.iter().position(|head| head.replace('_', "") == name.replace('_', ""));
    let wc_id = column("wc_id").ok_or(Bad::NoColumn)?;
    let rest = COLUMNS.map(column);
    let [
        _,
        w_id,
        nick_name,
        w_account,
        holder,
        tags,
        note,
        device,
        proxy,
        proxy_user,
        proxy_password,
        aid,
        ttuid,
        last,
    ] = rest;
    records
        .iter()
        .skip(1)
        .map(|(row, record)| {
            let get = |at: Option<usize>| filled(at.and_then(|at| record.get(at)));
            let text = |at: Option<usize>| get(at).map(String::from);
            row_of(
                *row,
                record.get(wc_id).unwrap_or_default(),
                Edit {
                    w_id: get(w_id).map(WId::new),
                    was_logged_in: get(last).is_some(),
                    nick_name: get(nick_name),
                    w_account: get(w_account),
                    holder: get(holder),
                    tags: get(tags).map(|tags| split_tags(&tags)),
                    note: get(note),
                    device: None,
                },
                DeviceEdit {
                    device_type: text(device),
                    proxy: text(proxy),
                    proxy_user: text(proxy_user),
                    proxy_password: text(proxy_password).map(SecretString::from),
                    aid: text(aid),
                    ttuid: text(ttuid),
                },
            )
        })
        .collect()
}

fn filled(text: Option<&str>) -> Option<Box<str>> {
    text.filter(|text| !text.is_empty()).map(Into::into)
}

fn row_of(number: usize, wc_id: &str, edit: Edit, device: DeviceEdit) -> Result<Row, Bad> {
    let known = checked_wc_id(wc_id).ok_or_else(|| Bad::WcId(number, wc_id.to_owned()))?;
    Ok(Row { number, wc_id: known, edit, device })
}

/// The rows as the store takes them: each device laid over what is known of its account.
pub fn settle(rows: Vec<Row>, known: &[Account]) -> Result<Vec<(WcId, Edit)>, Bad> {
    let mut devices: HashMap<WcId, Device> =
        known.iter().filter_map(|account| Some((account.wc_id.clone(), account.device.as_deref()?.clone()))).collect();
    rows.into_iter()
        .map(|Row { number, wc_id, mut edit, device }| {
            if !device.is_empty() {
                let after = device.apply(devices.get(&wc_id)).map_err(|bad| Bad::Device(number, bad))?;
                // A later row of the same account is laid over this one.
                devices.insert(wc_id.clone(), after.clone());
                edit.device = Some(after);
            }
            Ok((wc_id, edit))
        })
        .collect()
}

/// Accounts as CSV, with a heading; what [`parse`] reads. Devices where there are any; the passwords of own proxies only on an explicit wish.
pub fn to_csv(accounts: &[Account], passwords: bool) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let devices = accounts.iter().any(|account| account.device.as_deref().is_some_and(|device| !device.is_empty()));
    let logins = accounts.iter().any(|account| account.last_login_at.is_some());
    let is_told = |column: &str| {
        let is_device = DEVICE_COLUMNS.contains(&column);
        (logins || column != LAST_LOGIN) && (!is_device || (devices && (passwords || column != PASSWORD)))
    };
    writer.write_record(COLUMNS.iter().filter(|column| is_told(column)))?;
    for account in accounts {
        let device = account.device.as_deref().cloned().unwrap_or_default();
        let own = device.own_proxy.as_ref();
        let fields: [&str; COLUMNS.len()] = [
            account.wc_id.as_str(),
            account.w_id.as_ref().map(WId::as_str).unwrap_or_default(),
            &account.nick_name,
            &account.w_account,
            &account.holder,
            &account.tags.join(";"),
            &account.note,
            device.device_type.as_deref().unwrap_or_default(),
            &device.proxy().unwrap_or_default(),
            own.map(|own| &*own.user).unwrap_or_default(),
            own.map(|own| own.password.expose_secret()).unwrap_or_default(),
            device.aid.as_deref().unwrap_or_default(),
            device.ttuid.as_deref().unwrap_or_default(),
            &account.last_login_at.map(Stamp::rfc3339).unwrap_or_default(),
        ];
        writer
            .write_record(fields.iter().zip(COLUMNS).filter(|(_, column)| is_told(column)).map(|(field, _)| field))?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `accounts import FILE`: all rows or none.
pub async fn import(context: &Context, profile: &Profile, store: &Store, args: &ImportArgs) -> Result<(), Failure> {
    let bytes = read(&args.file)?;
    let known = context.accounts(store).await?;
    let rows = parse(&bytes).and_then(|rows| settle(rows, &known)).map_err(|bad| words(context, &args.file, &bad))?;
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
pub async fn export(context: &Context, profile: &Profile, store: &Store, args: &ExportArgs) -> Result<(), Failure> {
    let accounts = context.accounts(store).await?;
    if context.json {
        let mut map = context.object(profile, "accounts");
        let now = now();
        let objects = accounts.iter().map(|account| {
            let mut object = objects::account(account, now);
            let own = account.device.as_deref().and_then(|device| device.own_proxy.as_ref());
            if let (true, Some(own), Some(Value::Object(device))) =
                (args.with_proxy_passwords, own, object.get_mut("device"))
            {
                device.insert(PASSWORD.into(), json!(own.password.expose_secret()));
            }
            object
        });
        map.insert("accounts".into(), objects.collect());
        return out::object(map);
    }
    let text = to_csv(&accounts, args.with_proxy_passwords)
        .map_err(|error| Failure::io("csv", &std::io::Error::other(error)))?;
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
        Bad::Device(row, bad) => {
            let detail = context.t(&format!("cli.device.{}", bad.name()));
            context.tf("cli.import.device", &[("file", &file), ("row", &row.to_string()), ("detail", &detail)])
        }
        Bad::NoColumn => context.tf("cli.import.no_column", &[("file", &file)]),
    };
    Failure::usage(message).hint(context.t("cli.import.hint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| row.wc_id.as_str()).collect()
    }

    #[test]
    fn csv_in_many_shapes() {
        let rows =
            parse("\u{feff}nick_name,wcId,tags,other\r\n张三,wxid_a,\"a;b\",1\r\n\r\n,wxid_b\r\n".as_bytes()).unwrap();
        assert_eq!(ids(&rows), ["wxid_a", "wxid_b"]);
        assert_eq!(rows[0].edit.nick_name.as_deref(), Some("张三"));
        assert_eq!(rows[0].edit.tags, Some(vec!["a".into(), "b".into()]));
        assert_eq!(rows[1].edit, Edit::default());
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
            assert_eq!(rows[1].edit, Edit { w_id: Some("w".into()), ..Edit::default() });
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
        let rows = parse(to_csv(std::slice::from_ref(&account), false).unwrap().as_bytes()).unwrap();
        let edit = &rows[0].edit;
        assert_eq!(edit.nick_name.as_deref(), Some(&*account.nick_name));
        assert_eq!(edit.tags.as_deref(), Some(&*account.tags));
        assert_eq!(edit.note.as_deref(), Some("two\nlines"));
        assert_eq!(edit.w_id, account.w_id);
    }
    /// An account with everything V3 is told.
    fn far() -> Account {
        let change = DeviceEdit {
            device_type: Some("mac".into()),
            proxy: Some("203.0.113.9:1080".into()),
            proxy_user: Some("me".into()),
            proxy_password: Some("hunter2".into()),
            aid: Some("a-1".into()),
            ttuid: Some("t-1".into()),
        };
        Account { device: Some(Box::new(change.apply(None).unwrap())), ..Account::new("wxid_a".into()) }
    }

    #[test]
    fn that_an_account_was_logged_in_goes_along() {
        let known = Account { last_login_at: Some(Stamp(1_000)), ..Account::new("wxid_a".into()) };
        let named = Account::new("wxid_b".into());
        let both = [known, named.clone()];
        let csv = to_csv(&both, false).unwrap();
        let json = json!({"accounts": both.each_ref().map(|account| objects::account(account, Stamp(0)))}).to_string();
        for text in [csv.as_str(), json.as_str(), "wcId,lastLoginAt\nwxid_a,2026-11-01 9:00\nwxid_b,"] {
            let told: Vec<bool> = parse(text.as_bytes()).unwrap().iter().map(|row| row.edit.was_logged_in).collect();
            assert_eq!(told, [true, false], "{text}");
        }
        assert!(!to_csv(&[named], false).unwrap().contains(LAST_LOGIN), "nothing to tell, no column");
    }

    #[test]
    fn a_device_goes_out_and_comes_in_and_its_password_only_on_a_wish() {
        let account = far();
        let accounts = std::slice::from_ref(&account);
        let full = settle(parse(to_csv(accounts, true).unwrap().as_bytes()).unwrap(), &[]).unwrap();
        assert_eq!(full[0].1.device.as_ref(), account.device.as_deref());
        let csv = to_csv(accounts, false).unwrap();
        assert!(!csv.contains("hunter2") && !csv.contains(PASSWORD), "{csv}");
        // Laid over what is known, nothing is lost; elsewhere the password is still to be given.
        let known = settle(parse(csv.as_bytes()).unwrap(), accounts).unwrap();
        assert_eq!(known[0].1.device.as_ref(), account.device.as_deref());
        let elsewhere = settle(parse(csv.as_bytes()).unwrap(), &[]).unwrap();
        let own = elsewhere[0].1.device.as_ref().unwrap().own_proxy.as_ref().unwrap();
        assert_eq!((&*own.user, own.password.expose_secret()), ("me", ""));
        let json = json!({"accounts": [objects::account(&account, crate::model::Stamp(0))]}).to_string();
        assert!(!json.contains("hunter2"));
        assert_eq!(settle(parse(json.as_bytes()).unwrap(), accounts).unwrap()[0].1.device, known[0].1.device);
    }

    #[test]
    fn a_device_comes_in_many_shapes() {
        for text in [
            "wc_id,device,proxy\nwxid_a,mac,7",
            r#"[{"wc_id":"wxid_a","device":"mac","proxy":"7"}]"#,
            r#"[{"wc_id":"wxid_a","device":{"type":"mac","proxy":7,"aid":"","new":1}}]"#,
        ] {
            let rows = settle(parse(text.as_bytes()).unwrap(), &[]).unwrap();
            let device = Device { device_type: Some("mac".into()), region: Some(7), ..Device::default() };
            assert_eq!(rows[0].1.device, Some(device), "{text}");
        }
        let two = parse(b"wc_id,device,proxy\nwxid_a,mac,\nwxid_a,,7").unwrap();
        let after = settle(two, &[]).unwrap()[1].1.device.clone().unwrap();
        assert_eq!((after.device_type.as_deref(), after.region), (Some("mac"), Some(7)));
        let plain = settle(parse(b"wc_id,holder\nwxid_a,me").unwrap(), &[far()]).unwrap();
        assert_eq!(plain[0].1.device, None, "what is not told of stays");
        let bad = settle(parse(b"wc_id,proxy\nwxid_a,7\nwxid_b,me:pw@h:1").unwrap(), &[]);
        assert_eq!(bad, Err(Bad::Device(3, BadDevice::Proxy)));
    }
}
