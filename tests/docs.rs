//! The documents say what the program does: their tables are made from its own, their samples are read by it.
//!
//! Tables between `<!-- name -->` markers are written by this test when `SAOMA_DOCS=write` is set.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pretty_assertions::assert_eq;
use saoma::action::{Scope, TABLE};
use saoma::cli::exit::Exit;
use saoma::cli::printer::{Printer, outcome};
use saoma::config::keymap::Keymap;
use saoma::config::{Config, Env, Overrides, Paths, Sourced};
use saoma::engine::api::{LoginEvent, LoginStep, Way};
use saoma::i18n::{Lang, t};
use saoma::model::{Account, AttemptId, Reason, Rung, Stamp, json};
use saoma::qr::Code;
use secrecy::SecretString;

const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/configuration.md",
    "docs/json.md",
    "docs/login.md",
    "docs/simulator.md",
    "docs/systemd.md",
];

fn path_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn document(name: &str) -> String {
    std::fs::read_to_string(path_of(name)).unwrap()
}

/// What stands between `<!-- name -->` and `<!-- /name -->`, trimmed.
fn part<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<!-- {name} -->")).unwrap_or_else(|| panic!("no {name} marker"));
    rest.split_once(&format!("<!-- /{name} -->")).unwrap_or_else(|| panic!("{name} has no end")).0.trim()
}

/// Compares a generated part with the document's, or writes it there.
fn generated(file: &str, name: &str, wanted: &str) {
    let text = document(file);
    let there = part(&text, name);
    if std::env::var("SAOMA_DOCS").as_deref() == Ok("write") {
        let start = format!("<!-- {name} -->\n");
        let (head, rest) = text.split_once(&start).unwrap();
        let (_, tail) = rest.split_once(&format!("<!-- /{name} -->")).unwrap();
        // Whole or not at all: the other tests are reading.
        let new = path_of(&format!("{file}.new"));
        std::fs::write(&new, format!("{head}{start}{}\n<!-- /{name} -->{tail}", wanted.trim())).unwrap();
        std::fs::rename(&new, path_of(file)).unwrap();
        return;
    }
    assert_eq!(there, wanted.trim(), "{file}: run SAOMA_DOCS=write cargo test --test docs");
}

/// The first cell of every row of a Markdown table, without backticks, head and rule left out.
fn first_cells(table: &str) -> Vec<String> {
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.split('|').nth(1).unwrap().trim().trim_matches('`').to_owned()).collect()
}

fn in_code(keys: &str) -> String {
    keys.split(' ').map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_readmes_keys_are_the_programs() {
    let keymap = Keymap::default();
    let cells: Vec<String> = TABLE
        .iter()
        .filter(|info| info.scope != Scope::Demo)
        .map(|info| format!("{} | {}", in_code(&keymap.labels(info.action)), t(Lang::En, &info.action.doc_key())))
        .collect();
    let rows = cells.len().div_ceil(2);
    let mut table = "| key | does | key | does |\n|---|---|---|---|\n".to_owned();
    for (at, left) in cells.iter().take(rows).enumerate() {
        let right = cells.get(rows + at).map_or(" | ", String::as_str);
        writeln!(table, "| {left} | {right} |").unwrap();
    }
    generated("README.md", "keys", &table);
    // The digits are told of in the text above it.
    for info in TABLE.iter().filter(|info| info.scope == Scope::Demo) {
        let readme = document("README.md");
        for key in info.keys {
            assert!(readme.contains(&format!("`{key}` ")), "the README does not tell of {key}");
        }
    }
}

#[test]
fn every_action_can_be_looked_up_by_the_name_that_the_config_takes() {
    let keymap = Keymap::default();
    let mut table = "| action | keys | does |\n|---|---|---|\n".to_owned();
    for info in TABLE.iter().filter(|info| info.scope != Scope::Demo) {
        let (keys, does) = (info.keys.join(" "), t(Lang::En, &info.action.doc_key()));
        assert!(!keymap.keys(info.action).is_empty());
        writeln!(table, "| `{}` | {} | {does} |", info.id, in_code(&keys)).unwrap();
    }
    generated("docs/configuration.md", "actions", &table);
}

/// Loads the TOML blocks of a part of a document as a config file.
fn load(file: &str, name: &str) -> Config {
    let text = document(file);
    let toml: String = part(&text, name)
        .lines()
        .filter(|line| !line.starts_with("```"))
        .fold(String::new(), |all, line| all + line + "\n");
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    std::fs::write(&config, toml).unwrap();
    let paths = Paths { config: Sourced::default_of(config), state: home.path().join("state") };
    Config::load_from(paths, Env::default(), Overrides::default()).unwrap()
}

#[test]
fn the_samples_of_the_config_are_read_by_the_program() {
    for (file, name) in [("README.md", "config"), ("docs/configuration.md", "config")] {
        let config = load(file, name);
        assert_eq!(config.strange, [], "{file}");
        let profile = config.profile().unwrap();
        assert_eq!(profile.gateway.value, "http://203.0.113.7:9899");
        assert_eq!(profile.account.value, "13800000000");
        assert_eq!(config.watch.interval.value.as_secs(), 30);
        assert_eq!(config.watch.offline_after.value, 2);
        assert_eq!(config.alerts.command.as_deref(), Some("/usr/local/bin/on-saoma"));
        assert_eq!(config.ui.lang.value, Lang::Zh);
        let keys = config.keys.iter().map(|(action, keys)| (action.as_str(), keys.as_str().unwrap()));
        assert_eq!(Keymap::with(keys).unwrap(), Keymap::default(), "{file}");
    }
}

fn steps() -> Vec<LoginStep> {
    let payload = SecretString::from("http://weixin.qq.com/x/SAOMA-0123456789ab");
    let code = Arc::new(Code::encode(&payload).unwrap());
    let at = Stamp(0);
    vec![
        LoginStep::Started { way: Way::Ladder },
        LoginStep::Resumed { rung: Rung::Adopt, expires_at: None },
        LoginStep::Requesting { rung: Rung::QrLogin },
        LoginStep::SecondLoginSent { expires_at: at },
        LoginStep::SecondLoginFailed { reason: Reason::Refused, gateway_message: None },
        LoginStep::Qr { w_id: "w".into(), expires_at: at, code, payload },
        LoginStep::NoPicture { detail: "d".into(), expires_at: at },
        LoginStep::Waiting,
        LoginStep::PollBroken { retry_at: at, detail: "d".into() },
        LoginStep::Scanned,
        LoginStep::VerifyCodeRequired { gateway_message: "m".into() },
        LoginStep::DeviceVerification { url: "u".into() },
        LoginStep::LoggedIn { w_id: "w".into(), previous_w_id: None, nick_name: "n".into(), w_account: "a".into() },
        LoginStep::Adopted { w_id: "w".into(), previous_w_id: None },
        LoginStep::WrongAccount {
            expected_wc_id: "a".into(),
            wc_id: "b".into(),
            w_id: "w".into(),
            nick_name: "n".into(),
        },
        LoginStep::Expired { renewing: false },
        LoginStep::Cancelled,
        LoginStep::Superseded,
        LoginStep::TakenOver { by: "watch".into() },
        LoginStep::Failed { reason: Reason::GatewaySaid, gateway_message: None, detail: "d".into() },
    ]
}

#[test]
fn every_event_of_a_login_is_told_of_with_its_fields() {
    let text = document("docs/json.md");
    let table = part(&text, "events");
    let printer = Printer { profile: "default".into(), lang: Lang::En, show_payload: true };
    let common: BTreeSet<&str> = ["schema", "event", "at", "profile", "attempt", "wc_id", "account"].into();
    let mut told = Vec::new();
    for step in steps() {
        let event = LoginEvent {
            attempt: AttemptId::from("a"),
            wc_id: Some("b".into()),
            account: "n".into(),
            at: Stamp(0),
            step: step.clone(),
        };
        let Some(object) = printer.object(&event, Some(Path::new("code.png"))) else { continue };
        let object = object.as_object().unwrap();
        let name = object.get("event").unwrap().as_str().unwrap().to_owned();
        let row = table.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap_or_else(|| {
            panic!("docs/json.md says nothing of {name}");
        });
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let documented: BTreeSet<&str> = cells
            .get(2)
            .unwrap()
            .split(',')
            .map(|cell| cell.trim().trim_matches('`'))
            .filter(|f| !f.is_empty())
            .collect();
        let own: BTreeSet<&str> = object.keys().map(String::as_str).filter(|key| !common.contains(key)).collect();
        let documented: BTreeSet<&str> = documented.difference(&common).copied().collect();
        assert_eq!(documented, own, "{name}");
        let ends = matches!(*cells.get(3).unwrap(), "yes" | "when false");
        assert_eq!(ends, step.ends(), "{name}");
        assert_eq!(ends, outcome(&step, true).is_some(), "{name}");
        told.push(name);
    }
    assert_eq!(first_cells(table), told, "the document tells of others, or in another order");
}

#[test]
fn an_accounts_fields_are_all_told_of() {
    let text = document("docs/json.md");
    let cells = first_cells(part(&text, "account"));
    let told: BTreeSet<String> =
        cells.iter().flat_map(|cell| cell.split(',')).map(|name| name.trim().trim_matches('`').to_owned()).collect();
    let mut account = Account::new("a".into());
    account.device = Some(Box::new(saoma::model::Device::default().complete()));
    let account = json::account(&account, Stamp(0));
    let fields: BTreeSet<String> = account.as_object().unwrap().keys().cloned().collect();
    assert_eq!(told, fields);
}

#[test]
fn the_exit_codes_are_the_programs() {
    const ALL: &[Exit] = &[
        Exit::Done,
        Exit::Other,
        Exit::Usage,
        Exit::Expired,
        Exit::Refused,
        Exit::WrongAccount,
        Exit::Token,
        Exit::Unreachable,
        Exit::Verification,
        Exit::Busy,
        Exit::NoAccount,
        Exit::NotOnline,
        Exit::Resting,
        Exit::Hangup,
        Exit::Interrupted,
        Exit::Terminated,
    ];
    let text = document("docs/json.md");
    let codes: Vec<String> = ALL.iter().map(|exit| exit.code().to_string()).collect();
    assert_eq!(first_cells(part(&text, "exit codes")), codes);
    for reason in Reason::ALL {
        assert!(ALL.contains(&Exit::of_reason(*reason, false)), "{}", reason.code());
    }
}

#[test]
fn the_reasons_are_the_programs() {
    let mut table = "| reason | | what to do |\n|---|---|---|\n".to_owned();
    for reason in Reason::ALL {
        let code = reason.code();
        let (words, next) = (t(Lang::En, &format!("reason.{code}")), t(Lang::En, &format!("next.{code}")));
        writeln!(table, "| `{code}` | {words} | {next} |").unwrap();
    }
    generated("docs/json.md", "reasons", &table);
}

#[test]
fn the_login_machines_table_is_what_the_machine_does() {
    generated("docs/login.md", "machine", &saoma::engine::login::table::markdown());
}

/// Runs the README's hook with these programs, and gives whether it took the event.
fn hook(bots: &Path, programs: &Path, wc_id: &str, w_id: &str) -> bool {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let text = document("README.md");
    let (_, script) = text.split_once("```sh\n#!/bin/sh\n").unwrap();
    let script = script.split("```").next().unwrap().replace("/var/lib/bots", bots.to_str().unwrap());
    let mut hook = Command::new("/bin/sh");
    hook.arg("-c").arg(script).env("PATH", programs).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut hook = hook.spawn().unwrap();
    let event = serde_json::json!({"event": "logged_in", "wc_id": wc_id, "w_id": w_id, "account": "a\n'b' $(c)"});
    // One that fails before it reads is told apart by its exit code.
    let _gone = writeln!(hook.stdin.take().unwrap(), "{event}");
    hook.wait().unwrap().success()
}

/// A folder with the programs that the hook uses; jq is `jq`, a script.
fn programs(jq: Option<&str>) -> tempfile::TempDir {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let mv = ["/bin/mv", "/usr/bin/mv"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    symlink(mv, folder.path().join("mv")).unwrap();
    if let Some(jq) = jq {
        let path = folder.path().join("jq");
        std::fs::write(&path, format!("#!/bin/sh\n{jq}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// The files of a folder with what is in them, hidden ones too.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<(String, String)> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn the_readmes_hook_fails_rather_than_lose_a_w_id() {
    for (what, jq) in [
        ("no jq", None),
        ("a jq that fails", Some("exit 5")),
        ("a jq that fails late", Some("echo wxid_a w-1; exit 5")),
        ("a jq that is killed", Some("echo wxid_a w-1; kill -9 $$")),
    ] {
        let bots = tempfile::tempdir().unwrap();
        assert!(!hook(bots.path(), programs(jq).path(), "wxid_a", "w-1"), "{what} is no success");
        assert_eq!(files(bots.path()), [], "{what}");
    }
    let bots = tempfile::tempdir().unwrap();
    assert!(hook(bots.path(), programs(Some("echo wxid_a w-1")).path(), "wxid_a", "w-1"));
    assert_eq!(files(bots.path()), [("wxid_a".to_owned(), "w-1\n".to_owned())]);
    assert!(hook(bots.path(), programs(Some("exit 0")).path(), "", ""), "an event without a wId is nothing to do");
    assert!(!hook(&bots.path().join("gone"), programs(Some("echo wxid_b w-2")).path(), "wxid_b", "w-2"));
}

#[test]
fn the_readmes_hook_keeps_every_account_apart() {
    let Some(jq) = ["/usr/bin/jq", "/usr/local/bin/jq", "/bin/jq"].into_iter().find(|path| Path::new(path).exists())
    else {
        // What jq makes of a name only jq can say. Where all has to be tried, that is no pass.
        assert!(std::env::var_os("CI").is_none(), "jq is not there");
        return;
    };
    let programs = programs(Some(&format!("exec {jq} \"$@\"")));
    let outside = tempfile::tempdir().unwrap();
    let bots = outside.path().join("bots");
    std::fs::create_dir(&bots).unwrap();
    let odd = [
        "wxid_a",
        "wxid_a b",
        "wxid_a/b",
        "wxid_a%20b",
        "../wxid_a",
        "..",
        ".wxid_a.new",
        "wxid_a.new",
        "-f",
        "张三",
        "wxid_a\tb",
        "wxid_a\n",
        "*",
        "$(id)",
        "'",
    ];
    for (at, wc_id) in odd.iter().enumerate() {
        assert!(hook(&bots, programs.path(), wc_id, &format!("w-{at}")), "{wc_id:?}");
    }
    assert!(hook(&bots, programs.path(), "wxid_a", "w-new"));
    let files = files(&bots);
    let held: BTreeSet<&str> = files.iter().map(|(_, w_id)| w_id.trim_end()).collect();
    let wanted: Vec<String> = (1..odd.len()).map(|at| format!("w-{at}")).chain(["w-new".to_owned()]).collect();
    assert_eq!(held, wanted.iter().map(String::as_str).collect(), "{files:?}");
    assert_eq!(files.len(), odd.len(), "{files:?}");
    assert!(files.contains(&("wxid_a".to_owned(), "w-new\n".to_owned())), "an ordinary name is as it is: {files:?}");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1, "nothing is written elsewhere");
}

#[test]
fn who_imports_whom_is_what_the_house_test_enforces() {
    let test = document("tests/house.rs");
    let (_, rest) = test.split_once("const MAY_IMPORT").unwrap();
    let (table, _) = rest.split_once("];").unwrap();
    let quoted: Vec<Vec<&str>> =
        table.split("\n    (").skip(1).map(|row| row.split('"').skip(1).step_by(2).collect()).collect();
    assert!(quoted.len() > 10, "{quoted:?}");
    let mut lines = "```\n".to_owned();
    for names in quoted {
        let (room, may) = names.split_first().unwrap();
        let may = if may.is_empty() { "nothing of ours".to_owned() } else { may.join(", ") };
        writeln!(lines, "{room:<9} → {may}").unwrap();
    }
    generated("ARCHITECTURE.md", "imports", &(lines + "```"));
}

#[test]
fn links_lead_somewhere_and_pictures_are_small() {
    let mut links = 0;
    for name in DOCUMENTS {
        let text = document(name);
        let folder = path_of(name).parent().unwrap().to_owned();
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            links += 1;
            let file = folder.join(target.split('#').next().unwrap());
            assert!(file.exists(), "{name}: {target} is not there");
            if target.ends_with(".png") {
                let size = std::fs::metadata(&file).unwrap().len();
                assert!((1000..120_000).contains(&size), "{target}: {size} bytes");
            }
        }
    }
    assert!(links > 8, "only {links} links found");
}

#[test]
fn the_readme_stays_short_and_names_only_commands_that_exist() {
    let readme = document("README.md");
    assert!(readme.lines().count() < 200, "{} lines", readme.lines().count());
    let command = saoma::cli::help::command(Lang::En);
    let known: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let mut told = BTreeSet::new();
    for rest in readme.split("`saoma ").skip(1) {
        let name = rest.split([' ', '`']).next().unwrap();
        if name.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
            assert!(known.contains(name), "saoma {name}");
            told.insert(name);
        }
    }
    assert_eq!(told, known, "the README leaves a command out");
}
