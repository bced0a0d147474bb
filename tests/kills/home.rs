//! One operator's machine: the program's folders, its processes, its database.

use std::path::PathBuf;
use std::process::Stdio;

use saoma::gateway::{self, Gateway};
use saoma::model::Dialect;
use saoma::simulator::Simulator;
use saoma::store::{Scope, Store};
use secrecy::SecretString;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;
use tokio::process::Command;

/// Longer than any code or dialog lives by the program's clock (150 s).
const LATER_MS: i64 = 400_000;

/// One operator's machine.
pub(crate) struct Home {
    dir: TempDir,
    dialect: Dialect,
    url: String,
    account: String,
    token: String,
    password: String,
}

impl Home {
    pub(crate) fn new(sim: &Simulator, dialect: Dialect) -> Self {
        let home = Self {
            dir: tempfile::tempdir().unwrap(),
            dialect,
            url: sim.url().to_owned(),
            account: sim.account().to_owned(),
            token: sim.token(),
            password: sim.password().to_owned(),
        };
        let name = if dialect == Dialect::V1 { "v1" } else { "v2" };
        let config = format!(
            "[profile.default]\ngateway = \"{}\"\ndialect = \"{name}\"\naccount = \"{}\"\n\n[alerts]\ncommand = \"{}\"\n",
            home.url,
            home.account,
            home.hook()
        );
        std::fs::create_dir_all(home.path("config/saoma")).unwrap();
        std::fs::write(home.path("config/saoma/config.toml"), config).unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn hook(&self) -> String {
        format!("cat >> {}", self.path("told").display())
    }

    /// What the hook has been told, a JSON object a line.
    pub(crate) fn told(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.path("told")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn database(&self) -> PathBuf {
        self.path("state/saoma/saoma.db")
    }

    /// The program, without a terminal and without anything of ours in the environment.
    pub(crate) fn saoma(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saoma"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.dir.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SAOMA_TOKEN", &self.token)
            .env("SAOMA_PASSWORD", &self.password)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn gateway(&self) -> Gateway {
        Gateway::new(gateway::Options {
            base: self.url.clone(),
            dialect: self.dialect,
            token: Some(SecretString::from(self.token.clone())),
            http_proxy: None,
        })
        .unwrap()
    }

    /// The store, as a process of its own would open it.
    pub(crate) async fn store(&self) -> Store {
        std::fs::create_dir_all(self.path("state/saoma")).unwrap();
        let scope = Scope {
            profile: gateway::profile_id(&self.account, self.gateway().base()),
            name: "default".into(),
            cause: "command",
            receivers: vec![saoma::engine::alerts::COMMAND.to_owned()],
            lists_w_ids: self.dialect.lists_w_ids(),
        };
        Store::open(&self.database(), scope).await.unwrap()
    }

    /// What a resident engine works with.
    pub(crate) fn engine_options(&self) -> saoma::engine::Options {
        saoma::engine::Options {
            account: self.account.clone(),
            dialect: self.dialect,
            password: Some(SecretString::from(self.password.clone())),
            has_token: true,
            interval: Some(std::time::Duration::from_secs(1)),
            offline_after: 2,
            alert_command: Some(self.hook()),
            renewal: saoma::engine::Renewal::Times(0),
            show_resumed: false,
            revive: None,
            lang: saoma::i18n::Lang::En,
            wall_offset_ms: std::sync::Arc::default(),
            role: saoma::engine::Role::Screen,
            ..saoma::engine::Options::default()
        }
    }

    /// The database as it is, beside the program.
    pub(crate) async fn raw(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.database());
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    /// Time passes: everything in the store is older afterwards.
    pub(crate) async fn later(&self) {
        let mut connection = self.raw().await;
        for (table, columns) in [
            ("attempts", &["requested_at", "deadline", "deadline_boot_ms"][..]),
            ("accounts", &["observed_at", "last_login_at", "first_login_at"]),
            ("w_ids", &["requested_at", "stored_at"]),
            ("log", &["at"]),
            ("outbox", &["due"]),
            ("profiles", &["last_list_at"]),
        ] {
            let set: Vec<_> = columns.iter().map(|column| format!("{column} = {column} - {LATER_MS}")).collect();
            let sql = format!("UPDATE {table} SET {}", set.join(", "));
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    /// All that the database says, for a failure's story.
    pub(crate) async fn dump(&self) -> String {
        let mut connection = self.raw().await;
        let mut text = String::new();
        for (table, row) in [
            ("accounts", "wc_id, w_id, w_id_confirmed, presence, source, last_login_at, reason, success_order"),
            ("attempts", "id, wc_id, rung, state, w_id, requested_at, requested_order, deadline"),
            ("w_ids", "wc_id, w_id, source, attempt, requested_at, stored_at"),
            ("log", "at, wc_id, event, reason, gateway_message, w_id"),
            ("outbox", "json, due, tries, claimed_by"),
        ] {
            let sql = format!("SELECT json_array({row}) FROM {table}");
            let rows: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
            text += &format!("  {table} ({row})\n");
            for row in rows {
                text += &format!("    {row}\n");
            }
        }
        text
    }
}
