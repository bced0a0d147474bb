//! `[alerts]`: who is told of what happens, and the key that webhooks are signed with.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::file::AlertsTable;
use super::{Error, Origin, command, error::unreadable};

/// Every event that receivers can be told of (design.md §5).
pub const EVENTS: [&str; 11] = [
    "logged_in",
    "w_id_changed",
    "dropped",
    "recovered",
    "mass_drop",
    "outage",
    "outage_over",
    "login_needed",
    "token_rejected",
    "observation_lost",
    "observation_back",
];

/// `[alerts]`, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// Run through `sh -c`; one JSON object on stdin.
    pub command: Option<String>,
    /// Where the same object is posted: an http(s) URL without user and password.
    pub webhook: Option<WebhookUrl>,
    /// Prints the key that webhooks are signed with.
    pub webhook_secret_command: Option<String>,
    /// Holds the key that webhooks are signed with; nobody else may be able to read it.
    pub webhook_secret_file: Option<PathBuf>,
    /// The events that are told; `None`: all.
    pub events: Option<Vec<String>>,
}

/// A URL whose path may be a secret of the receiver's: `Debug` shows the host only.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(pub String);

impl WebhookUrl {
    /// The host, with the port if one is written.
    pub fn host(&self) -> String {
        let url = reqwest::Url::parse(&self.0).ok();
        let host = url.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), url.port())));
        match host {
            Some((host, Some(port))) => format!("{host}:{port}"),
            Some((host, None)) => host,
            None => String::new(),
        }
    }
}

impl std::fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebhookUrl({})", self.host())
    }
}

/// Reads the table. `origin` says where a key stands.
pub(super) fn read(table: &AlertsTable, origin: impl Fn(&str) -> Origin) -> Result<Alerts, Error> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let bad = |setting: &'static str, value: &str, rule: &'static str| Error::BadValue {
        origin: origin(setting).to_string(),
        setting,
        value: value.to_owned(),
        rule,
    };
    let webhook = match filled(&table.webhook) {
        Some(text) => {
            let url = checked_url(&text).ok_or_else(|| {
                // A path may be a secret, and so may what stands before an `@`.
                bad("alerts.webhook", text.split_once("://").map_or("…", |(scheme, _)| scheme), "config.rule.webhook")
            })?;
            Some(WebhookUrl(url))
        }
        None => None,
    };
    if let Some(events) = &table.events {
        for event in events {
            if !EVENTS.contains(&event.as_str()) {
                return Err(bad("alerts.events", event, "config.rule.alert_events"));
            }
        }
    }
    Ok(Alerts {
        command: filled(&table.command),
        webhook,
        webhook_secret_command: filled(&table.webhook_secret_command),
        webhook_secret_file: filled(&table.webhook_secret_file).map(PathBuf::from),
        events: table.events.clone(),
    })
}

fn checked_url(text: &str) -> Option<String> {
    let url = reqwest::Url::parse(text.trim()).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.password().is_none();
    plain.then(|| url.to_string())
}

impl Alerts {
    /// Who is to be told, by the names that the outbox knows them by.
    pub fn receivers(&self) -> Vec<String> {
        let command = self.command.iter().map(|_| "command".to_owned());
        command.chain(self.webhook.iter().map(|_| "webhook".to_owned())).collect()
    }

    /// Whether webhooks are signed.
    pub const fn is_signed(&self) -> bool {
        self.webhook_secret_command.is_some() || self.webhook_secret_file.is_some()
    }

    /// The key that webhooks are signed with: the first line that `webhook_secret_command` prints (it is run now and
    /// may take a minute), else the first line of `webhook_secret_file`. A file that others can read is refused.
    pub fn webhook_secret(&self) -> Result<Option<SecretString>, Error> {
        if let Some(line) = &self.webhook_secret_command {
            return command::first_line("webhook_secret_command", line, command::LIMIT).map(Some);
        }
        let Some(path) = &self.webhook_secret_file else { return Ok(None) };
        let mode = std::fs::metadata(path).map_err(unreadable(path))?.mode();
        let refuse = |detail: &str| Error::Command { name: "webhook_secret_file", detail: detail.to_owned() };
        if mode & 0o077 != 0 {
            return Err(refuse("others can read it; chmod 600"));
        }
        let text = SecretString::from(std::fs::read_to_string(path).map_err(unreadable(path))?);
        let secret = text.expose_secret().lines().next().unwrap_or_default().trim();
        if secret.is_empty() { Err(refuse("its first line is empty")) } else { Ok(Some(secret.into())) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn read_url(webhook: &str) -> Result<Alerts, Error> {
        let table = AlertsTable { webhook: Some(webhook.to_owned()), ..AlertsTable::default() };
        read(&table, |_| Origin::Default)
    }

    #[test]
    fn a_webhook_is_a_url_without_a_password() {
        for url in ["https://example.org/hook/T0P", "http://127.0.0.1:9000/"] {
            assert_eq!(read_url(url).unwrap().webhook, Some(WebhookUrl(url.to_owned())));
        }
        assert_eq!(read_url(" ").unwrap().webhook, None);
        for url in ["ftp://example.org/", "example.org/hook-secret", "https://user:hook-secret@example.org/"] {
            let error = read_url(url).unwrap_err();
            assert!(matches!(error, Error::BadValue { setting: "alerts.webhook", .. }), "{error:?}");
            assert!(!format!("{error:?}").contains("hook-secret"), "{error:?}");
        }
        let shown = format!("{:?}", read_url("https://example.org:8443/hook/T0P").unwrap());
        assert!(shown.contains("example.org:8443") && !shown.contains("T0P"), "{shown}");
    }

    #[test]
    fn only_known_events_can_be_asked_for() {
        let table = |event: &str| AlertsTable { events: Some(vec![event.to_owned()]), ..AlertsTable::default() };
        assert!(read(&table("mass_drop"), |_| Origin::Default).is_ok());
        assert!(read(&table("massdrop"), |_| Origin::Default).is_err());
    }

    #[test]
    fn the_key_comes_from_a_command_or_from_a_private_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key");
        std::fs::write(&path, "from-file\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let file = Alerts { webhook_secret_file: Some(path.clone()), ..Alerts::default() };
        let key = |alerts: &Alerts| alerts.webhook_secret().map(|key| key.map(|key| key.expose_secret().to_owned()));
        assert_eq!(key(&file).unwrap().as_deref(), Some("from-file"));
        let both = Alerts { webhook_secret_command: Some("echo from-command".into()), ..file.clone() };
        assert_eq!(key(&both).unwrap().as_deref(), Some("from-command"));
        assert_eq!(key(&Alerts::default()).unwrap(), None);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = key(&file).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}
