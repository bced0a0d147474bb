//! What every command works with: settings, language, clock, store, gateway.

use serde_json::{Map, Value};

use super::exit::Exit;
use super::fail::Failure;
use super::out;
use crate::config::{Config, Credentials, Profile};
use crate::engine::Role;
use crate::engine::presence::{is_older_than, is_stale, is_stale_in_outage};
use crate::gateway::{self, Gateway};
use crate::i18n::{Lang, t, tf};
use crate::model::text::clean;
use crate::model::{Account, Stamp, json as objects};
use crate::store::{FirstAccounts, Scope, Store};

/// What every command works with.
#[derive(Debug)]
pub struct Context {
    /// All settings.
    pub config: Config,
    /// `--json`
    pub json: bool,
    /// The language for words.
    pub lang: Lang,
    /// What kind of process this is: who is called when, and the cause of what it does.
    pub role: Role,
}

/// The wall clock.
pub fn now() -> Stamp {
    Stamp(jiff::Timestamp::now().as_millisecond())
}

/// A time as people in this time zone read it, in a `strftime` format.
pub fn local(at: Stamp, format: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| String::new(), |at| at.to_zoned(jiff::tz::TimeZone::system()).strftime(format).to_string())
}

impl Context {
    /// Takes the settings; warns of what this version does not know.
    pub fn new(config: Config, json: bool) -> Self {
        let lang = config.ui.lang.value;
        for (table, line) in &config.strange {
            let place = format!("{}:{line}", config.paths.config.value.display());
            out::say(&clean(&tf(lang, "config.error.strange", &[("where", &place), ("table", table)])));
        }
        Self { config, json, lang, role: Role::Command }
    }

    /// The same as another kind of process.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Words for a key.
    pub fn t(&self, key: &str) -> String {
        t(self.lang, key).into_owned()
    }

    /// Words for a key, with values, cleaned: values may come from outside.
    pub fn tf(&self, key: &str, values: &[(&str, &str)]) -> String {
        clean(&tf(self.lang, key, values)).into_owned()
    }

    /// The profile in use.
    pub fn profile(&self) -> Result<Profile, Failure> {
        self.config.profile().map_err(|error| Failure::config(self.lang, &error))
    }

    /// The profile's rows.
    pub async fn store(&self, profile: &Profile) -> Result<Store, Failure> {
        self.config.paths.make_state().map_err(|error| Failure::config(self.lang, &error))?;
        Store::open(&self.config.database.value, self.scope(profile))
            .await
            .map_err(|error| Failure::store(self.lang, &error))
    }

    /// Whose rows, and who is to be told of them.
    pub fn scope(&self, profile: &Profile) -> Scope {
        Scope {
            profile: profile.id(),
            name: profile.name.clone(),
            cause: self.role.name(),
            receivers: self.config.alerts.receivers(),
            lists_w_ids: profile.dialect.value.lists_w_ids(),
        }
    }

    /// What the gateway client needs to know; without a token the outcome is exit 6.
    pub fn gateway_options(&self, profile: &Profile) -> Result<gateway::Options, Failure> {
        self.tell_repaired(profile);
        let token = self.config.token(profile).map_err(|error| Failure::config(self.lang, &error))?;
        let Some(token) = token else {
            return Err(Failure::new(Exit::Token, "token_missing", self.t("cli.error.token_missing"))
                .hint(self.t("cli.error.token_hint")));
        };
        Ok(gateway::Options {
            base: profile.gateway.value.clone(),
            dialect: profile.dialect.value,
            token: Some(token.value),
            http_proxy: profile.http_proxy.clone(),
        })
    }

    /// A client with the profile's token.
    pub fn gateway(&self, profile: &Profile) -> Result<Gateway, Failure> {
        Gateway::new(self.gateway_options(profile)?).map_err(|error| Failure::gateway(self.lang, &error))
    }

    /// Says so when the rights of `credentials.toml` had to be repaired. Whoever opens the file first learns of it, so
    /// this comes before a secret is asked for; what else is wrong with the file is said when it is needed.
    pub fn tell_repaired(&self, profile: &Profile) {
        let opened = Credentials::open(&self.config.paths);
        let Some(mode) = opened.ok().and_then(|credentials| credentials.repaired) else { return };
        tracing::warn!(profile = profile.name, mode, "credentials.toml could be read by others");
        let path = self.config.paths.credentials().display().to_string();
        out::say(&self.tf("config.error.repaired", &[("path", &path), ("mode", &format!("{mode:o}"))]));
    }

    /// A JSON object with what every object has.
    pub fn object(&self, profile: &Profile, event: &str) -> Map<String, Value> {
        objects::event(event, now(), &profile.name)
    }

    /// All accounts, each with its staleness; in an outage of the gateway, what was believed before it is stale, and so is
    /// everything while whoever observes brings no lists.
    pub async fn accounts(&self, store: &Store) -> Result<Vec<Account>, Failure> {
        let failed = |error| Failure::store(self.lang, &error);
        let accounts = store.accounts().await.map_err(failed)?;
        let watchers = store.watchers().await.map_err(failed)?;
        let (outage, blind, now) = (watchers.outage(), watchers.blind(), now());
        let aged = |account: Account| {
            let old_news = blind.is_some_and(|limit| is_older_than(&account, now, limit));
            let stale = account.stale || old_news || is_stale_in_outage(&account, outage);
            Account { stale, ..account }
        };
        Ok(self.dated(accounts).into_iter().map(aged).collect())
    }

    /// What a first screen shows of the accounts, each with its staleness.
    pub async fn first_accounts(&self, store: &Store, limit: u32) -> Result<FirstAccounts, Failure> {
        let first = store.first_accounts(limit).await.map_err(|error| Failure::store(self.lang, &error))?;
        Ok(FirstAccounts { accounts: self.dated(first.accounts), ..first })
    }

    fn dated(&self, accounts: Vec<Account>) -> Vec<Account> {
        let (now, interval) = (now(), self.config.watch.interval.value);
        let dated = |account: Account| Account { stale: is_stale(&account, now, interval), ..account };
        accounts.into_iter().map(dated).collect()
    }
}
