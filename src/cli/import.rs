//! `saoma accounts import` and `export`: CSV or JSON in, the same out.

use std::io::IsTerminal as _;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use self::rows::{BadFile, COLUMNS, DEVICE, LAST_LOGIN, PASSWORD, Rows, Wrong, parse};
use super::args::{ExportArgs, ImportArgs};
use super::context::{Context, now};
use super::decode::{self, Encoding};
use super::fail::Failure;
use super::out::{self, ranges};
use crate::config::Profile;
use crate::model::text::{clean, cut};
use crate::model::{Account, Stamp, WId, json as objects};
use crate::store::Store;

mod entries;
mod rows;
mod sheet;

/// So many rows are told what is wrong with them; of the others the numbers alone.
const MAX_TOLD: usize = 20;

/// What a bad cell is shown of.
const CELL_COLUMNS: usize = 40;

/// What makes a spreadsheet take a file for UTF-8.
const MARK: &str = "\u{feff}";

/// Accounts as CSV, with a heading; what an import reads. Devices where there are any; the passwords of own proxies only
/// on an explicit wish.
pub fn to_csv(accounts: &[Account], passwords: bool) -> String {
    let devices = accounts.iter().any(|account| account.device.as_deref().is_some_and(|device| !device.is_empty()));
    let logins = accounts.iter().any(|account| account.last_login_at.is_some());
    let is_told = |at: usize| match at {
        LAST_LOGIN => logins,
        DEVICE.. => devices && (passwords || at != PASSWORD),
        _ => true,
    };
    let mut text = String::new();
    let mut row = |fields: [&str; COLUMNS.len()]| {
        let told = fields.iter().enumerate().filter(|(at, _)| is_told(*at));
        let told: Vec<&str> = told.map(|(_, field)| *field).collect();
        text.push_str(&sheet::row(&told));
        text.push('\n');
    };
    row(COLUMNS);
    for account in accounts {
        let device = account.device.as_deref().cloned().unwrap_or_default();
        let own = device.own_proxy.as_ref();
        row([
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
        ]);
    }
    text
}

/// `accounts import FILE`: all rows or none, unless it is told to leave out the bad ones.
pub async fn import(context: &Context, profile: &Profile, store: &Store, args: &ImportArgs) -> Result<(), Failure> {
    let file = args.file.display().to_string();
    let refuse = |message: String| Failure::other("import", message).hint(context.t("cli.import.hint"));
    let bytes = decode::read(context, &args.file)?;
    let (text, encoding) = decode::text(&bytes).map_err(|bad| refuse(bad.words(context, &file)))?;
    let known = context.accounts(store).await?;
    let rows = parse(&text, &known).map_err(|bad| refuse(file_words(context, &file, &bad)))?;
    if !rows.bad.is_empty() && !args.skip_bad {
        let told = told(context, &rows, "refused", &file);
        return Err(refuse(told).hint(context.t("cli.import.skip_hint")));
    }
    let created = store.import(&rows.good, now()).await.map_err(|error| Failure::store(context.lang, &error))?;
    if context.json {
        let mut map = context.object(profile, "imported");
        for (key, value) in [
            ("read", json!(rows.good.len())),
            ("created", json!(created)),
            ("skipped", rows.bad.iter().map(|(number, _)| json!(number)).collect()),
            ("ignored_columns", json!(rows.ignored)),
            ("encoding", json!(encoding.name())),
        ] {
            map.insert(key.into(), value);
        }
        return out::object(map);
    }
    if !rows.bad.is_empty() {
        out::say(&told(context, &rows, "skipped", &file));
    }
    if !rows.ignored.is_empty() {
        out::say(&context.tf("cli.import.ignored", &[("columns", &rows.ignored.join(", "))]));
    }
    if encoding != Encoding::Utf8 {
        out::say(&context.tf("cli.import.read_as", &[("file", &file), ("encoding", encoding.name())]));
    }
    let (read, created) = (rows.good.len().to_string(), created.to_string());
    out::say(&context.tf("cli.accounts.imported", &[("read", &read), ("created", &created)]));
    Ok(())
}

/// `accounts export`: CSV, or with `--json` one object.
pub async fn export(context: &Context, profile: &Profile, store: &Store, args: &ExportArgs) -> Result<(), Failure> {
    if args.bom && context.json {
        return Err(Failure::usage(context.tf("cli.usage.conflict", &[("argument", "--bom"), ("other", "--json")])));
    }
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
                device.insert("proxy_password".into(), json!(own.password.expose_secret()));
            }
            object
        });
        map.insert("accounts".into(), objects.collect());
        return out::object(map);
    }
    let text = to_csv(&accounts, args.with_proxy_passwords);
    if std::io::stdout().is_terminal() {
        // A file gets names exactly as they are; a terminal must not obey them.
        let lines: Vec<_> = text.lines().map(clean).collect();
        return out::data(&format!("{}\n", lines.join("\n")));
    }
    out::data(&format!("{}{text}", if args.bom { MARK } else { "" }))
}

/// Which rows cannot be read, all of them, and why.
fn told(context: &Context, rows: &Rows, key: &str, file: &str) -> String {
    let unit = if rows.in_lines { "lines" } else { "entries" };
    let numbers: Vec<usize> = rows.bad.iter().map(|(number, _)| *number).collect();
    let values = [("file", file), ("count", &numbers.len().to_string()), ("numbers", &ranges(&numbers))];
    let mut lines = vec![context.tf(&format!("cli.import.{key}_{unit}"), &values)];
    for (number, wrong) in rows.bad.iter().take(MAX_TOLD) {
        let values = [("number", &*number.to_string()), ("why", &row_words(context, wrong))];
        lines.push(format!("  {}", context.tf(&format!("cli.import.row_{unit}"), &values)));
    }
    if rows.bad.len() > MAX_TOLD {
        lines.push("  …".to_owned());
    }
    lines.join("\n")
}

fn row_words(context: &Context, wrong: &Wrong) -> String {
    match wrong {
        Wrong::WcId(text) if text.is_empty() => context.t("cli.import.why.no_wc_id"),
        Wrong::WcId(text) => context.tf("cli.import.why.wc_id", &[("text", &cut(&clean(text), CELL_COLUMNS))]),
        Wrong::Cells { found, wanted } => {
            let (found, wanted) = (found.to_string(), wanted.to_string());
            context.tf("cli.import.why.cells", &[("found", &found), ("wanted", &wanted)])
        }
        Wrong::Quote => context.t("cli.import.why.quote"),
        Wrong::Swallows => context.t("cli.import.why.swallows"),
        Wrong::Json(detail) => context.tf("cli.import.why.json", &[("detail", detail)]),
        Wrong::Entry => context.t("cli.import.why.entry"),
        Wrong::Field(name) => context.tf("cli.import.why.field", &[("name", name)]),
        Wrong::Twice(name) => context.tf("cli.import.why.twice", &[("name", name)]),
        Wrong::Conflict(other) => context.tf("cli.import.why.conflict", &[("number", &other.to_string())]),
        Wrong::Device(bad) => context.t(&format!("cli.device.{}", bad.name())),
    }
}

fn file_words(context: &Context, file: &str, bad: &BadFile) -> String {
    match bad {
        BadFile::Syntax(detail) => context.tf("cli.import.syntax", &[("file", file), ("detail", detail)]),
        BadFile::NoList => context.tf("cli.import.no_list", &[("file", file)]),
        BadFile::NoColumn => context.tf("cli.import.no_column", &[("file", file)]),
        BadFile::NoHeading => context.tf("cli.import.no_heading", &[("file", file)]),
        BadFile::TwiceColumn(name) => context.tf("cli.import.twice", &[("file", file), ("name", name)]),
    }
}

#[cfg(test)]
mod tests;
