//! One call is one request: a login rings a human's phone, so nothing below us may send it again.

use std::time::Duration;

use saoma::gateway::{Error, Gateway};
use saoma::model::{Device, WcId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::server::{PATIENCE, Server, json};

const ISSUED: &str = r#"{"code":"1000","data":{"wId":"w1","qrCodeUrl":"http://h/q.png"}}"#;

async fn both_logins(gateway: &Gateway) -> [Result<(), Error>; 2] {
    let qr = gateway.i_pad_login(Some(&WcId::from("wxid_a")), &Device::default()).await.map(|_| ());
    let second = gateway.second_login(&WcId::from("wxid_a"), &Device::default(), PATIENCE).await.map(|_| ());
    [qr, second]
}

/// Both logins fail, each over one connection.
async fn fails_once(name: &str, server: Server) {
    let client = server.client();
    for result in tokio::time::timeout(PATIENCE, both_logins(&client)).await.unwrap() {
        assert!(result.unwrap_err().is_transport(), "{name}");
    }
    assert_eq!(server.connections().await, 2, "{name}");
    assert!(server.seen().len() <= 2, "{name}");
}

#[tokio::test]
async fn a_login_that_breaks_is_not_sent_again() {
    fails_once("closed before the request is read", Server::raw(|stream, _| async move { drop(stream) }).await).await;
    fails_once(
        "reset before the request is read",
        Server::raw(|stream, _| async move { stream.set_zero_linger().unwrap() }).await,
    )
    .await;
    fails_once(
        "closed in the middle of the request",
        Server::raw(|mut stream, _| async move {
            let mut some = [0; 16];
            let _read = stream.read(&mut some).await;
        })
        .await,
    )
    .await;
    fails_once(
        "reset after the request",
        Server::raw(|mut stream, server| async move {
            let _seen = server.read(&mut stream).await;
            stream.set_zero_linger().unwrap();
        })
        .await,
    )
    .await;
    fails_once("closed after the request", Server::always("").await).await;
    fails_once("closed in the middle of the answer", Server::always("HTTP/1.1 200 OK\r\ncontent-le").await).await;
    fails_once(
        "closed in the middle of the body",
        Server::always("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"code\":\"1000\"").await,
    )
    .await;
    fails_once(
        "asked to come again",
        Server::always("HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n").await,
    )
    .await;
    fails_once("asked to try again", Server::always("HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\n\r\n").await).await;
}

#[tokio::test]
async fn a_gateway_that_closes_after_each_reply_despite_keep_alive_is_no_trouble() {
    let server = Server::raw(|mut stream, server| async move {
        let _seen = server.read(&mut stream).await;
        let mut answer = json(ISSUED);
        let at = b"HTTP/1.1 200 OK\r\n".len();
        answer.splice(at..at, *b"connection: keep-alive\r\nkeep-alive: timeout=60\r\n");
        stream.write_all(&answer).await.unwrap();
        // The client has its answer and may start the next call while this one is being closed.
        tokio::time::sleep(Duration::from_millis(5)).await;
    })
    .await;
    let gateway = server.client();
    for _ in 0..40 {
        gateway.i_pad_login(None, &Device::default()).await.unwrap();
    }
    assert_eq!((server.seen().len(), server.connections().await), (40, 40));
}

#[tokio::test]
async fn a_finished_call_leaves_no_connection_behind() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::raw(move |mut stream, server| {
        let tell = tell.clone();
        async move {
            let _seen = server.read(&mut stream).await;
            stream.write_all(&json(ISSUED)).await.unwrap();
            // The end of the stream: the client has hung up.
            let mut rest = Vec::new();
            let _reset = stream.read_to_end(&mut rest).await;
            tell.send(rest).unwrap();
        }
    })
    .await;
    let gateway = server.client();
    gateway.i_pad_login(None, &Device::default()).await.unwrap();
    let rest = tokio::time::timeout(PATIENCE, told.recv()).await.expect("the client hangs up").unwrap();
    assert!(rest.is_empty());
    drop(gateway);
}

#[tokio::test]
async fn a_poll_that_is_dropped_hangs_up() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::raw(move |mut stream, server| {
        let tell = tell.clone();
        async move {
            let _seen = server.read(&mut stream).await;
            tell.send("asked").unwrap();
            let _reset = stream.read(&mut [0]).await;
            tell.send("hung up").unwrap();
        }
    })
    .await;
    let gateway = server.client();
    let poll = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.get_i_pad_login_info(&"w".into(), None, PATIENCE).await.map(|_| ()) }
    });
    let mut next = async || tokio::time::timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
    assert_eq!(next().await, "asked");
    poll.abort();
    assert_eq!(next().await, "hung up");
}
