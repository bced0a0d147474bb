//! Where the picture of a code may be fetched from. Its URL comes over plain HTTP from elsewhere, so nothing in it is
//! trusted: not its scheme, its host or where it leads on to.

use reqwest::Url;

use crate::model::base::is_loopback;

/// Reads a `qrCodeUrl` or a redirect's target: relative ones start at `from`; only http(s); credentials are dropped,
/// as they would become an Authorization header. A loopback host means the gateway's own machine, so it is re-rooted
/// onto the gateway's host, the port kept, when the gateway is elsewhere (design.md §4); this also keeps a gateway
/// from making us ask something on the operator's machine. The error says why, without the URL.
pub(super) fn target(text: &str, from: &Url, gateway: &Url) -> Result<Url, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the gateway gave no URL for the picture");
    }
    let mut url = from.join(text).map_err(|_error| "the URL of the picture cannot be read")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the URL of the picture is neither http nor https");
    }
    let stripped = url.set_username("").is_ok() && url.set_password(None).is_ok();
    if !stripped {
        return Err("the URL of the picture has no host");
    }
    if is_loopback(&url) && !is_loopback(gateway) {
        url.set_host(gateway.host_str()).map_err(|_error| "the URL of the picture has no usable host")?;
    }
    Ok(url)
}

/// Whether these bytes begin like a PNG or a JPEG, the two that gateways serve (protocol.md §5).
pub(super) fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(b"\xff\xd8\xff")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, gateway: &str) -> Result<String, &'static str> {
        let gateway = Url::parse(gateway).unwrap();
        target(text, &gateway, &gateway).map(String::from)
    }

    #[test]
    fn a_loopback_host_becomes_the_gateways_and_keeps_its_port() {
        for (text, becomes) in [
            ("http://127.0.0.1:18081/a.png?k=1", "http://203.0.113.7:18081/a.png?k=1"),
            ("http://localhost/a.png", "http://203.0.113.7/a.png"),
            ("http://img.localhost:1/a.png", "http://203.0.113.7:1/a.png"),
            ("http://[::1]:7/a.png", "http://203.0.113.7:7/a.png"),
            ("http://[::ffff:127.0.0.1]:7/a.png", "http://203.0.113.7:7/a.png"),
            ("http://0.0.0.0:7/a.png", "http://203.0.113.7:7/a.png"),
            ("http://0x7f.1:7/a.png", "http://203.0.113.7:7/a.png"),
            ("https://127.8.9.1/a.png", "https://203.0.113.7/a.png"),
            ("http://oss.example/a.png", "http://oss.example/a.png"),
            ("http://user:pw@oss.example/a.png", "http://oss.example/a.png"),
            ("/qr/a.png", "http://203.0.113.7:9899/qr/a.png"),
            ("a.png", "http://203.0.113.7:9899/wk/a.png"),
            ("//oss.example/a.png", "http://oss.example/a.png"),
            (" http://oss.example/a.png\n", "http://oss.example/a.png"),
        ] {
            assert_eq!(at(text, "http://203.0.113.7:9899/wk/").as_deref(), Ok(becomes), "{text}");
        }
    }

    #[test]
    fn a_gateway_on_this_machine_keeps_loopback_pictures() {
        assert_eq!(
            at("http://127.0.0.1:18082/a.png", "http://localhost:18081/").as_deref(),
            Ok("http://127.0.0.1:18082/a.png")
        );
    }

    #[test]
    fn other_schemes_are_refused() {
        for text in
            ["", "  ", "file:///etc/passwd", "data:image/png;base64,AAAA", "ftp://h/a.png", "javascript:1", "http://"]
        {
            assert!(at(text, "http://203.0.113.7:9899/").is_err(), "{text}");
        }
    }
}
