//! The base URL of a gateway, and the profile id that follows from it: one reading for config and client.

use std::net::IpAddr;

use url::Url;

use super::ProfileId;

/// Why a text is no base URL, in English. It never repeats the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadBase(pub Box<str>);

/// Checks a base URL and writes it in one way: `http://host:port[/prefix]`, without a trailing `/`.
///
/// Only `http` and `https`; `host:port` alone is taken as `http://host:port`, as most gateways are (protocol.md §1).
/// No credentials, query or fragment.
pub fn base_url(text: &str) -> Result<String, BadBase> {
    parse(text).map(|url| url.as_str().trim_end_matches('/').to_owned())
}

/// Names a profile by what it is: `account@host:port/prefix`, the port always explicit (design.md §2). The scheme is
/// no part of it, so that a gateway that moves behind TLS on its port keeps its rows. Takes any spelling that
/// [`base_url`] accepts; a text that it refuses stands for itself.
pub fn profile_id(account: &str, base: &str) -> ProfileId {
    let account = account.trim();
    let place = parse(base).map_or_else(
        |_| base.trim().to_owned(),
        |url| {
            let host = url.host_str().unwrap_or_default();
            let port = url.port_or_known_default().unwrap_or_default();
            format!("{host}:{port}{}", url.path().trim_end_matches('/'))
        },
    );
    ProfileId::new(format!("{account}@{place}"))
}

/// Whether the token and the password would cross a network unencrypted: plain `http` to a host that is not this
/// machine. For a warning, never for a refusal: most gateways have no TLS (protocol.md §9.11).
pub fn sends_in_the_clear(base: &str) -> bool {
    parse(base).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url))
}

/// Whether the URL's host means the machine that resolves it.
pub fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let name = host.trim_end_matches('.');
    if name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost") {
        return true;
    }
    match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(ip) => {
            let ip = ip.to_canonical();
            ip.is_loopback() || ip.is_unspecified()
        }
        Err(_) => false,
    }
}

/// Reads and checks; see [`base_url`].
pub fn parse(text: &str) -> Result<Url, BadBase> {
    let text = text.trim();
    if text.is_empty() {
        return Err(bad("there is no gateway URL"));
    }
    let lower = text.to_ascii_lowercase();
    let has_scheme = text.contains("://");
    if !has_scheme && (lower.starts_with("http:") || lower.starts_with("https:")) {
        return Err(bad("the gateway URL lacks // after its scheme"));
    }
    let full = if has_scheme { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&full).map_err(|error| bad(&format!("the gateway URL cannot be read: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("the gateway URL is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(
            "the gateway URL holds credentials; the platform account and password are asked for elsewhere",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("the gateway URL ends in a query or a fragment"));
    }
    if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
        return Err(bad("the gateway URL has no usable host and port"));
    }
    Ok(url)
}

fn bad(detail: &str) -> BadBase {
    BadBase(detail.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_written_in_one_way() {
        for (text, base, id) in [
            ("http://203.0.113.7:9899", "http://203.0.113.7:9899", "138@203.0.113.7:9899"),
            (" http://203.0.113.7:9899/ ", "http://203.0.113.7:9899", "138@203.0.113.7:9899"),
            ("203.0.113.7:9899", "http://203.0.113.7:9899", "138@203.0.113.7:9899"),
            ("localhost:9899/wk//", "http://localhost:9899/wk", "138@localhost:9899/wk"),
            ("localhost:18081", "http://localhost:18081", "138@localhost:18081"),
            ("http://gw.example", "http://gw.example", "138@gw.example:80"),
            ("http://gw.example:80", "http://gw.example", "138@gw.example:80"),
            ("https://gw.example/", "https://gw.example", "138@gw.example:443"),
            ("HTTPS://GW.Example:443/a/b/", "https://gw.example/a/b", "138@gw.example:443/a/b"),
            ("[::1]:8080", "http://[::1]:8080", "138@[::1]:8080"),
        ] {
            assert_eq!(base_url(text).as_deref(), Ok(base), "{text}");
            assert_eq!(base_url(base).as_deref(), Ok(base), "{text} is stable");
            assert_eq!(profile_id(" 138 ", text).as_str(), id, "{text}");
            assert_eq!(profile_id("138", base).as_str(), id, "{text}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_without_being_repeated() {
        for text in [
            "",
            "   ",
            "ftp://gw.example",
            "file:///etc/passwd",
            "http:gw.example",
            "http:/gw.example:80",
            "http://",
            "http://user:hunter2@gw.example",
            "user:hunter2@gw.example:9899",
            "http://gw.example/?token=hunter2",
            "http://gw.example/#hunter2",
            "http://gw.example:99999",
            "http://gw.example:0",
            "gw example",
        ] {
            let error = base_url(text).unwrap_err();
            assert!(!error.0.is_empty() && !error.0.contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn only_plain_http_to_elsewhere_is_in_the_clear() {
        for base in ["203.0.113.7:9899", "http://203.0.113.7:9899", "http://localhost.example"] {
            assert!(sends_in_the_clear(base), "{base}");
        }
        for base in [
            "https://203.0.113.7",
            "https://gw.example",
            "127.0.0.1:1",
            "http://127.0.0.1:18081",
            "http://localhost",
            "http://[::1]:18081",
            "not a url",
        ] {
            assert!(!sends_in_the_clear(base), "{base}");
        }
    }
}
