//! The picture of a code: fetched from wherever a plain HTTP answer says, so with care.

use saoma::gateway::{Error, Gateway, Kind, Limits};
use saoma::model::{Dialect, Reason};

use crate::server::{self, Server, http, json, redirect};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n SAOMA-0123456789ab";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0 SAOMA-0123456789ab";

/// Fetches, and checks that no error holds the URL or what it leads to.
async fn fetch(gateway: &Gateway, url: &str) -> Result<Vec<u8>, Error> {
    let result = gateway.image(&url.into()).await;
    if let Err(error) = &result {
        let told = format!("{error} {error:?} {}", error.describe(|key, values| format!("{key}{values:?}")));
        assert!(!told.contains("hush"), "{told}");
        assert_eq!(error.reason(), Reason::ImageFailed);
    } else {
        assert!(!format!("{result:?}").contains("SAOMA"));
    }
    result.map(|image| image.0)
}

#[tokio::test]
async fn a_picture_comes_without_the_token_whatever_its_label() {
    let store = Server::answering(|seen| match seen.line() {
        "GET /hush.png?k=1" => http("200 OK", "text/html", PNG),
        "GET /hush.jpg" => http("200 OK", "image/png", JPEG),
        other => panic!("{other}"),
    })
    .await;
    let gateway = Server::always("").await;
    let client = gateway.client();
    assert_eq!(fetch(&client, &format!("{}/hush.png?k=1", store.url())).await.unwrap(), PNG);
    assert_eq!(fetch(&client, &format!("http://u:pw@{}/hush.jpg", store.addr)).await.unwrap(), JPEG);
    for seen in store.seen() {
        assert!(seen.header("authorization").is_none() && seen.header("referer").is_none(), "{seen:?}");
    }
    assert_eq!(gateway.connections().await, 0);
}

#[tokio::test]
async fn a_relative_url_starts_at_the_gateway() {
    let gateway = Server::answering(|seen| match seen.line() {
        "GET /qr/hush.png" | "GET /wk/hush.png" => http("200 OK", "image/png", PNG),
        other => panic!("{other}"),
    })
    .await;
    let client = server::client(&format!("{}/wk", gateway.url()), Dialect::V2, None, Limits::default());
    assert!(fetch(&client, "/qr/hush.png").await.is_ok());
    assert!(fetch(&client, "hush.png").await.is_ok());
}

#[tokio::test]
async fn a_loopback_host_means_the_gateways_machine() {
    // The proxy plays every host: the gateway is elsewhere, as its name is not loopback's.
    let proxy = Server::answering(|seen| match seen.line() {
        "GET http://gw.test:18081/hush.png" => http("200 OK", "image/png", PNG),
        "GET http://oss.test/hop" => redirect("http://localhost:18081/hush.png"),
        other => panic!("{other}"),
    })
    .await;
    let client = server::client("http://gw.test:9899", Dialect::V2, Some(proxy.url()), Limits::default());
    assert_eq!(fetch(&client, "http://127.0.0.1:18081/hush.png").await.unwrap(), PNG);
    assert_eq!(fetch(&client, "http://oss.test/hop").await.unwrap(), PNG);
}

#[tokio::test]
async fn three_redirects_and_no_more() {
    let store = Server::answering(|seen| match seen.line() {
        "GET /hush/3" => redirect("/hush/2"),
        "GET /hush/2" => redirect("1"),
        "GET /hush/1" => redirect("0"),
        "GET /hush/0" => http("200 OK", "image/png", PNG),
        "GET /hush/loop" => redirect("/hush/loop"),
        "GET /hush/4" => redirect("/hush/3"),
        "GET /hush/nowhere" => b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
        "GET /hush/file" => redirect("file:///etc/hush"),
        "GET /hush/data" => redirect("data:image/png;base64,hush"),
        other => panic!("{other}"),
    })
    .await;
    let client = store.client();
    let url = |path: &str| format!("{}/hush/{path}", store.url());
    assert_eq!(fetch(&client, &url("3")).await.unwrap(), PNG);
    for path in ["4", "loop", "nowhere", "file", "data"] {
        assert_eq!(fetch(&client, &url(path)).await.unwrap_err().kind, Kind::BadImage, "{path}");
    }
    assert_eq!(store.seen().iter().filter(|seen| seen.line() == "GET /hush/loop").count(), 4);
    assert!(store.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[tokio::test]
async fn what_is_no_picture_is_none() {
    for (name, answer, kind) in [
        ("HTML", http("200 OK", "image/png", "<html>expired</html>"), Kind::BadImage),
        ("JSON", json(r#"{"code":"1001","message":"hush"}"#), Kind::BadImage),
        ("empty", http("200 OK", "image/png", ""), Kind::BadImage),
        ("GIF", http("200 OK", "image/gif", "GIF89a"), Kind::BadImage),
        ("gone", http("404 Not Found", "text/plain", "hush"), Kind::Http(404)),
        ("private", http("403 Forbidden", "text/xml", "<Error>hush</Error>"), Kind::Http(403)),
        ("broken", http("500 Oops", "text/plain", ""), Kind::Http(500)),
        ("cut", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n\x89PNG".to_vec(), Kind::Unreachable),
        ("nothing", Vec::new(), Kind::Unreachable),
        ("noise", b"\x00\x01\x02\x03\r\n\r\n".to_vec(), Kind::Malformed),
    ] {
        let store = Server::always(answer).await;
        let error = fetch(&store.client(), &format!("{}/hush.png", store.url())).await.unwrap_err();
        assert_eq!(error.kind, kind, "{name}: {error}");
    }
}

#[tokio::test]
async fn only_http_is_asked() {
    let gateway = Server::always("").await;
    for url in [
        "",
        "file:///etc/hush",
        "data:image/png;base64,hush",
        "ftp://h/hush",
        "javascript:hush",
        "http://[hush",
        "unix:/hush",
    ] {
        assert_eq!(fetch(&gateway.client(), url).await.unwrap_err().kind, Kind::BadImage, "{url}");
    }
    assert_eq!(gateway.connections().await, 0);
    let nobody = fetch(&gateway.client(), "http://hush.invalid/hush.png").await.unwrap_err();
    assert_eq!(nobody.kind, Kind::Unreachable);
}
