//! One gateway of the config.

use super::file::{ProfileTable, Proxy};
use super::{Error, Origin, Sourced};
use crate::model::{Device, Dialect, ProfileId, base};

/// The kinds of proxies for saoma's own requests.
const PROXY_SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// One gateway of the config, with everything that says how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its local name.
    pub name: String,
    /// Base URL, normalised by [`base::base_url`].
    pub gateway: Sourced<String>,
    /// Which API.
    pub dialect: Sourced<Dialect>,
    /// Platform account.
    pub account: Sourced<String>,
    /// Prints the token.
    pub token_command: Option<String>,
    /// Prints the platform password.
    pub password_command: Option<String>,
    /// V3: device and network of accounts that have none of their own; an own proxy without its password, which
    /// [`Profile::device`] adds.
    pub device: Device,
    /// V3: prints the own proxy's password.
    pub proxy_password_command: Option<String>,
    /// Proxy for saoma's own HTTP.
    pub http_proxy: Option<String>,
    /// Whether the config file has it.
    pub in_file: bool,
}

impl Profile {
    /// What keys its rows in the store and its secrets in `credentials.toml`.
    pub fn id(&self) -> ProfileId {
        base::profile_id(&self.account.value, &self.gateway.value)
    }

    /// V3: device and network of accounts that have none of their own. Runs `proxy_password_command` where the dialect
    /// has a use for it: call it where logins begin. An error when the command gives nothing.
    pub fn device(&self) -> Result<Device, Error> {
        let mut device = self.device.clone();
        let command = self.proxy_password_command.as_ref().filter(|line| !line.trim().is_empty());
        if let (Dialect::V3, Some(own), Some(line)) = (self.dialect.value, &mut device.own_proxy, command) {
            own.password = super::command::first_line("proxy_password_command", line, super::command::LIMIT)?;
        }
        Ok(device)
    }
}

/// Reads device and network of a profile's table; `origin` gives a key's place.
pub(crate) fn checked_device(table: &ProfileTable, origin: impl Fn(&str) -> Origin) -> Result<Device, Error> {
    let bad = |setting: &'static str, value: &str, rule| {
        // A user and password in an address must not be echoed.
        let value = value.rsplit('@').next().unwrap_or_default().to_owned();
        Error::BadValue { origin: origin(setting).to_string(), setting, value, rule }
    };
    let filled = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(Box::<str>::from);
    let device_type = table.device.as_deref().and_then(filled);
    if let Some(word) = device_type.as_deref().filter(|word| !Device::is_type(word)) {
        return Err(bad("device", word, "config.rule.device"));
    }
    let mut device = Device { device_type, ..Device::default() };
    if let Some(proxy) = &table.proxy {
        let text = match proxy {
            Proxy::Region(number) => number.to_string(),
            Proxy::Text(text) => text.clone(),
        };
        if !text.trim().is_empty() {
            device.set_proxy(&text).ok_or_else(|| bad("proxy", &text, "config.rule.proxy"))?;
        }
    }
    let user = table.proxy_user.clone().map(String::from).filter(|user| !user.is_empty());
    let command = table.proxy_password_command.as_ref().filter(|line| !line.trim().is_empty());
    match (&mut device.own_proxy, user, command) {
        (Some(own), user, _) => own.user = user.unwrap_or_default().into(),
        (None, Some(user), _) => return Err(bad("proxy_user", &user, "config.rule.proxy_user")),
        (None, None, Some(line)) => return Err(bad("proxy_password_command", line, "config.rule.proxy_user")),
        (None, None, None) => {}
    }
    Ok(device)
}

/// Checks the proxy for saoma's own requests: one that is not understood would be passed by in silence.
pub(crate) fn checked_http_proxy(table: &ProfileTable, origin: impl Fn(&str) -> Origin) -> Result<(), Error> {
    let Some(text) = table.http_proxy.as_deref().map(str::trim).filter(|text| !text.is_empty()) else { return Ok(()) };
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = reqwest::Url::parse(&whole).ok();
    let known = url.filter(|url| url.has_host() && PROXY_SCHEMES.contains(&url.scheme()));
    known.map(|_| ()).ok_or_else(|| Error::BadValue {
        origin: origin("http_proxy").to_string(),
        setting: "http_proxy",
        // There may be a password in the rest.
        value: text.split_once("://").map_or("…", |(scheme, _)| scheme).to_owned(),
        rule: "config.rule.http_proxy",
    })
}

/// Checks and normalises a gateway's URL of whatever origin.
pub(crate) fn checked_gateway(setting: &Sourced<String>) -> Result<Sourced<String>, Error> {
    let url = base::base_url(&setting.value);
    url.map(|url| Sourced::new(url, setting.origin.clone())).map_err(|_words_for_logs| Error::BadValue {
        origin: setting.origin.to_string(),
        setting: "gateway",
        // A user and password in the URL must not be echoed.
        value: setting.value.rsplit('@').next().unwrap_or_default().to_owned(),
        rule: "config.rule.gateway",
    })
}

/// Reads a dialect of whatever origin.
pub(crate) fn checked_dialect(text: &str, origin: Origin) -> Result<Sourced<Dialect>, Error> {
    match text.parse() {
        Ok(dialect) => Ok(Sourced::new(dialect, origin)),
        Err(_) => Err(Error::BadValue {
            origin: origin.to_string(),
            setting: "dialect",
            value: text.to_owned(),
            rule: "config.rule.dialect",
        }),
    }
}
