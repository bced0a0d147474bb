//! Gateways that break, stall, lie or overflow: each gives one clear error, in bounded time and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use saoma::cli::exit::Exit;
use saoma::cli::fail::Failure;
use saoma::gateway::{Call, Error, Gateway, Kind, Limits, PollReply};
use saoma::i18n::Lang;
use saoma::model::{Device, Dialect, Reason, WId, WcId};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;

use crate::server::{self, PATIENCE, Server, http, json, redirect};

/// Limits that a test can wait for.
const SHORT: Limits = Limits {
    connect: Duration::from_secs(5),
    headers: Duration::from_millis(300),
    issue: Duration::from_millis(300),
    read: Duration::from_millis(300),
    body: Duration::from_millis(900),
    image: Duration::from_millis(900),
    reply_bytes: 1 << 20,
    image_bytes: 2 << 20,
};

/// Every call that carries the token, at once.
async fn every_call(gateway: &Gateway) -> Vec<Error> {
    let (w_id, wc_id) = (WId::from("w"), WcId::from("wxid_a"));
    vec![
        gateway.i_pad_login(None, &Device::default()).await.unwrap_err(),
        gateway.get_i_pad_login_info(&w_id, None, PATIENCE).await.unwrap_err(),
        gateway.second_login(&wc_id, &Device::default(), PATIENCE).await.unwrap_err(),
        gateway.query_login_wx().await.unwrap_err(),
        gateway.get_login_wc_ids("138", &"hunter2".into()).await.unwrap_err(),
        gateway.is_online(&w_id).await.unwrap_err(),
        gateway.member_offline("138", &[wc_id]).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_that_says_so() {
    let random: Vec<u8> = {
        let mut rng = fastrand::Rng::with_seed(7);
        (0..512).map(|_| rng.u8(..)).collect()
    };
    for (name, answer, kind, transport, words) in [
        ("401", http("401 Unauthorized", "text/html", "<html>no</html>"), Kind::TokenSuspect, false, None),
        (
            "403 with words",
            http("403 Forbidden", "application/json", r#"{"code":"1001","message":"没有权限"}"#),
            Kind::TokenSuspect,
            false,
            Some("没有权限"),
        ),
        ("500", http("500 Internal Server Error", "text/html", "<html>oops</html>"), Kind::Http(500), true, None),
        (
            "500 with words",
            http("500 Oops", "application/json", r#"{"status":500,"message":"空指针"}"#),
            Kind::Http(500),
            true,
            Some("空指针"),
        ),
        ("502 without a body", http("502 Bad Gateway", "text/plain", ""), Kind::Http(502), true, None),
        ("404", http("404 Not Found", "text/plain", "no"), Kind::Http(404), true, None),
        (
            "HTML",
            http("200 OK", "text/html", "<!DOCTYPE html><html><body>welcome</body></html>"),
            Kind::Malformed,
            true,
            None,
        ),
        ("HTML that claims to be JSON", json("<html></html>"), Kind::Malformed, true, None),
        ("an empty body", json(""), Kind::Malformed, true, None),
        ("204", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), Kind::Malformed, true, None),
        ("truncated JSON", json(r#"{"code":"1000","data":{"wId":"w","wcId":"wxid_a","#), Kind::Malformed, true, None),
        ("random bytes in a body", http("200 OK", "application/json", &random), Kind::Malformed, true, None),
        ("random bytes for an answer", random.clone(), Kind::Malformed, true, None),
        ("not HTTP", b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec(), Kind::Malformed, true, None),
        (
            "a body that breaks off",
            b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"code\":".to_vec(),
            Kind::Unreachable,
            true,
            None,
        ),
        (
            "a chunk that breaks off",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{\"code\":".to_vec(),
            Kind::Unreachable,
            true,
            None,
        ),
        ("half a head", b"HTTP/1.1 200 OK\r\ncontent-".to_vec(), Kind::Unreachable, true, None),
        ("no answer", Vec::new(), Kind::Unreachable, true, None),
        (
            "an outer failure",
            json(r#"{"code":"1001","message":"失败","data":null}"#),
            Kind::Refused,
            false,
            Some("失败"),
        ),
        (
            "a nested failure",
            json(r#"{"code":"1000","message":"成功","data":{"code":"1001","message":"二次登录失败"}}"#),
            Kind::RefusedInside,
            false,
            Some("二次登录失败"),
        ),
    ] {
        let server = Server::always(answer).await;
        for error in every_call(&server.client()).await {
            assert_eq!(error.kind, kind, "{name}: {error}");
            assert_eq!(error.is_transport(), transport, "{name}: {error}");
            assert_eq!(error.gateway_message.as_deref(), words, "{name}: {error}");
        }
        assert_eq!(server.connections().await, 7, "{name}: one request a call");
    }
}

#[tokio::test]
async fn a_refused_sign_in_is_about_the_password_not_the_token() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let server = Server::always(http(status, "application/json", r#"{"message":"密码错误"}"#)).await;
        let error = server.client().member_login("138", &"hunter2".into()).await.unwrap_err();
        assert_eq!((&error.kind, error.reason()), (&Kind::Refused, Reason::GatewaySaid));
        assert_eq!(error.gateway_message.as_deref(), Some("密码错误"));
    }
}

#[tokio::test]
async fn a_sign_in_at_a_wrong_address_is_about_the_address() {
    let page = "<html>no</html>";
    let text = |status: &str, body: &str| http(status, "application/json", body);
    for answer in [
        http("404 Not Found", "text/html", page),
        text("404 Not Found", r#"{"timestamp":1,"status":404,"error":"Not Found","path":"/x/member/login"}"#),
        http("405 Method Not Allowed", "text/html", page),
        http("400 Bad Request", "text/html", "<html>The plain HTTP request was sent to HTTPS port</html>"),
        http("410 Gone", "text/plain", ""),
        redirect("https://user:pass@elsewhere.example/login?ticket=1#x"),
        redirect("/login"),
        http("200 OK", "text/html", page),
        http("200 OK", "text/plain", ""),
        json("[]"),
        json(r#"{"status":"ok"}"#),
        json(r#"{"code":0,"data":{"version":"1.2"}}"#),
        json(r#"{"code":200,"message":"ok"}"#),
        json(r#"{"code":404,"msg":"请求路径不存在"}"#),
        json(r#"{"code":401,"msg":"请求访问：/member/login，认证失败，无法访问系统资源"}"#),
        json(r#"{"code":"500","message":"No static resource member/login."}"#),
        json(r#"{"code":1000,"data":{}}"#),
        http("401 Unauthorized", "text/html", page),
        text("401 Unauthorized", r#"{"status":401,"error":"Unauthorized"}"#),
        text("403 Forbidden", r#"{"message":"Forbidden"}"#),
        // The gateway itself, at another of its paths.
        json(r#"{"code":"1001","message":"接口不存在","data":null}"#),
        json(r#"{"code":"1001","message":"Authorization 无效","data":null}"#),
        json(r#"{"code":"1001","message":"token不能为空","data":null}"#),
        json(r#"{"code":"1001","message":"Path not found","data":null}"#),
        text("401 Unauthorized", r#"{"code":"1001","message":"接口不存在"}"#),
        text("401 Unauthorized", r#"{"code":"1001","message":"Authorization 无效"}"#),
    ] {
        let server = Server::always(answer.clone()).await;
        for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
            let gateway = server::client(&server.url(), dialect, None, Limits::default());
            let error = gateway.member_login("138", &"hunter2".into()).await.unwrap_err();
            let answer = String::from_utf8_lossy(&answer);
            assert!(error.is_wrong_address() && error.reason() == Reason::GatewayDown, "{answer}: {error:?}");
            assert!(!error.detail.contains("ticket") && !error.detail.contains("pass@"), "{error:?}");
            assert_eq!(error.detail.contains("elsewhere.example/login"), answer.contains("ticket"), "{error:?}");
            for lang in [Lang::En, Lang::Zh] {
                let failure = Failure::gateway(lang, &error);
                let (wanted, wrong) = if lang == Lang::En { ("path", "password") } else { ("路径", "密码") };
                assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains(wanted)), "{answer}: {failure:?}");
                assert!(!failure.words().contains(wrong), "{answer}: {failure:?}");
                assert_eq!(failure.exit, Exit::Unreachable, "{answer}");
            }
        }
    }
    // The gateway itself has looked at them, or is not to blame for where it stands.
    for answer in [
        json(r#"{"code":"1001","message":"失败","data":null}"#),
        json(r#"{"code":"10001","message":"失败"}"#),
        json(r#"{"code":401,"msg":"用户名或密码错误"}"#),
        text("401 Unauthorized", r#"{"code":"1001","message":"失败"}"#),
        json(r#"{"code":"1001","message":"账号或密码错误，无法获取token"}"#),
        json(r#"{"code":"1001","message":"User not found"}"#),
        text("401 Unauthorized", r#"{"code":"1001","message":"账号不存在"}"#),
    ] {
        let server = Server::always(answer).await;
        let error = server.client().member_login("138", &"hunter2".into()).await.unwrap_err();
        assert!(!error.is_wrong_address() && error.reason() == Reason::GatewaySaid, "{error:?}");
        let failure = Failure::gateway(Lang::En, &error);
        assert!(failure.hint.is_some_and(|hint| hint.contains("password")), "{error:?}");
        assert_eq!(failure.exit, Exit::Token, "{error:?}");
    }
    for status in ["500 Oops", "502 Bad Gateway", "503 Busy", "429 Too Many Requests"] {
        let server = Server::always(http(status, "text/html", page)).await;
        let error = server.client().member_login("138", &"hunter2".into()).await.unwrap_err();
        assert!(!error.is_wrong_address() && error.reason() == Reason::GatewayDown, "{error:?}");
    }
}

#[tokio::test]
async fn nobody_there() {
    // A port that was free a moment ago, and a name that no resolver knows (RFC 6761).
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for base in [&*closed, "http://saoma.invalid:9899"] {
        let gateway = server::client(base, Dialect::V2, None, Limits::default());
        let error = gateway.query_login_wx().await.unwrap_err();
        assert_eq!((&error.kind, error.reason()), (&Kind::Unreachable, Reason::GatewayDown), "{error}");
        assert!(error.is_transport() && error.detail.starts_with("no connection: "), "{error}");
    }
}

#[tokio::test]
async fn a_reset_connection() {
    let server = Server::raw(|mut stream, server| async move {
        let _seen = server.read(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    for error in every_call(&server.client()).await {
        assert_eq!(error.kind, Kind::Unreachable, "{error}");
    }
}

/// A server that sends a 200 and then 256 MiB, and counts what it could get rid of.
async fn flood(head: &'static str, chunked: bool) -> (Server, Arc<AtomicU64>, Arc<Notify>) {
    let (sent, done) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
    let (counter, notify) = (Arc::clone(&sent), Arc::clone(&done));
    let server = Server::raw(move |mut stream, server| {
        let (counter, notify) = (Arc::clone(&counter), Arc::clone(&notify));
        async move {
            if server.read(&mut stream).await.is_none() {
                return;
            }
            let mut piece = if chunked { b"10000\r\n".to_vec() } else { Vec::new() };
            piece.extend(std::iter::repeat_n(b' ', 0x10000));
            if chunked {
                piece.extend(b"\r\n");
            }
            let mut alive = stream.write_all(head.as_bytes()).await.is_ok();
            for _ in 0..4096 {
                alive = alive && stream.write_all(&piece).await.is_ok();
                if !alive {
                    break;
                }
                counter.fetch_add(0x10000, Ordering::SeqCst);
            }
            notify.notify_one();
        }
    })
    .await;
    (server, sent, done)
}

#[tokio::test]
async fn a_quarter_of_a_gigabyte_is_not_swallowed() {
    // What the kernel's buffers on both sides may hold beyond our own limit.
    const BUFFERS: u64 = 24 << 20;
    for (name, head, chunked, kind) in [
        ("announced", "HTTP/1.1 200 OK\r\ncontent-length: 268435456\r\n\r\n", false, Kind::TooLarge),
        ("not announced", "HTTP/1.1 200 OK\r\n\r\n", false, Kind::TooLarge),
        ("in chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", true, Kind::TooLarge),
        ("under a 500", "HTTP/1.1 500 Oops\r\n\r\n", false, Kind::Http(500)),
    ] {
        let (server, sent, done) = flood(head, chunked).await;
        let gateway = server.client();
        let error = gateway.get_i_pad_login_info(&WId::from("w"), None, PATIENCE).await.unwrap_err();
        assert_eq!(error.kind, kind, "{name}");
        assert!(error.is_transport(), "{name}");
        tokio::time::timeout(PATIENCE, done.notified()).await.expect("the server is hung up on");
        let sent = sent.load(Ordering::SeqCst);
        assert!(sent < (1 << 20) + BUFFERS, "{name}: {sent} bytes went out");

        let error = gateway.image(&format!("{}/q.png", server.url()).into()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{name}, as a picture");
    }
}

#[tokio::test]
async fn an_answer_of_just_one_mebibyte_is_read() {
    let most = Limits::default().reply_bytes;
    let fill = |length: usize| {
        let text = r#"{"code":"1001","message":"失败"}"#;
        json(&format!("{text}{}", " ".repeat(length - text.len())))
    };
    let server = Server::always(fill(most)).await;
    assert_eq!(server.client().query_login_wx().await.unwrap_err().kind, Kind::Refused);
    let server = Server::always(fill(most + 1)).await;
    assert_eq!(server.client().query_login_wx().await.unwrap_err().kind, Kind::TooLarge);
}

#[tokio::test]
async fn slow_answers_end_at_their_limits() {
    let silent = Server::raw(|mut stream, server| async move {
        let _seen = server.read(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let never_reads = Server::raw(|stream, _| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let drips_head = Server::raw(|mut stream, server| async move {
        let _seen = server.read(&mut stream).await;
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let stops = Server::raw(|mut stream, server| async move {
        let _seen = server.read(&mut stream).await;
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{").await;
        std::future::pending::<()>().await;
    })
    .await;
    let drips_body = Server::raw(|mut stream, server| async move {
        let _seen = server.read(&mut stream).await;
        let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let cases = [
        ("silent", silent, Kind::TimedOut),
        ("never reads", never_reads, Kind::TimedOut),
        ("drips its head", drips_head, Kind::TimedOut),
        ("stops", stops, Kind::Unreachable),
        ("drips its body", drips_body, Kind::Unreachable),
    ];
    let all = join_all(cases.iter().map(|(name, server, kind)| async move {
        let gateway = server.client_with(SHORT);
        let limit = Duration::from_millis(300);
        let (w_id, wc_id, url) = (WId::from("w"), WcId::from("wxid_a"), format!("{}/q.png", server.url()).into());
        let device = Device::default();
        let (list, issued, poll, second, image) = tokio::join!(
            gateway.query_login_wx(),
            gateway.i_pad_login(None, &device),
            gateway.get_i_pad_login_info(&w_id, None, limit),
            gateway.second_login(&wc_id, &device, limit),
            gateway.image(&url),
        );
        let logins = [issued.unwrap_err(), second.unwrap_err()];
        for error in [list.unwrap_err(), poll.unwrap_err(), image.unwrap_err()].iter().chain(&logins) {
            assert_eq!(error.kind, *kind, "{name}: {error}");
            assert!(error.is_transport(), "{name}: {error}");
        }
    }));
    tokio::time::timeout(PATIENCE, all).await.expect("every call ends");
}

#[tokio::test]
async fn a_long_poll_waits_its_own_limit_and_an_answer_that_has_begun_is_read() {
    // Silent for longer than ordinary calls may take, then for longer than the poll may take in the midst of the body.
    let server = Server::raw(|mut stream, server| async move {
        let _seen = server.read(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"code\":\"1000\",").await.unwrap();
        tokio::time::sleep(Duration::from_millis(2000)).await;
        stream.write_all(br#""data":{"wcId":"wxid_a","wId":"w2"}}"#).await.unwrap();
    })
    .await;
    let limits = Limits { read: PATIENCE, body: PATIENCE, ..SHORT };
    let gateway = server.client_with(limits);
    assert_eq!(gateway.query_login_wx().await.unwrap_err().kind, Kind::TimedOut);
    let limit = Duration::from_secs(3);
    match gateway.get_i_pad_login_info(&WId::from("w"), None, limit).await.unwrap() {
        PollReply::LoggedIn(record) => assert_eq!(record.w_id.as_str(), "w2"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_token() {
    let elsewhere = Server::always(json(r#"{"code":"1000","data":[]}"#)).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let to = format!("HTTP/1.1 {status}\r\nlocation: {}/\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
        let server = Server::always(to).await;
        for error in every_call(&server.client()).await {
            assert!(matches!(error.kind, Kind::Http(300..=399)), "{status}: {error}");
        }
    }
    let server = Server::always(redirect(&elsewhere.url())).await;
    let error = server.client().member_login("138", &"hunter2".into()).await.unwrap_err();
    assert_eq!((error.call, error.kind), (Call::MemberLogin, Kind::Http(302)));
    assert_eq!(elsewhere.connections().await, 0);
}

#[tokio::test]
async fn no_tls_where_tls_was_expected() {
    let server = Server::raw(|mut stream, _| async move {
        let _gone = stream.write_all(&http("400 Bad Request", "text/plain", "plain HTTP")).await;
    })
    .await;
    let base = server.url().replace("http://", "https://");
    let gateway = server::client(&base, Dialect::V2, None, Limits::default());
    let error = gateway.query_login_wx().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable, "{error}");
}

#[tokio::test]
async fn the_limit_for_connecting_is_its_own() {
    // A proxy that never opens the tunnel keeps the connection from being there.
    let silent = Server::raw(|mut stream, server| async move {
        let _seen = server.read(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let limits = Limits { connect: Duration::from_millis(300), headers: PATIENCE, ..Limits::default() };
    let gateway = server::client("https://gw.test", Dialect::V2, Some(silent.url()), limits);
    let error = gateway.query_login_wx().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable, "{error}");
}

#[tokio::test]
async fn no_limit_at_all_is_a_limit_too() {
    let server = Server::always(json(r#"{"code":"1001","message":"二维码已过期"}"#)).await;
    let reply = server.client().get_i_pad_login_info(&WId::from("w"), None, Duration::MAX).await;
    assert!(matches!(reply, Ok(PollReply::Expired { .. })), "{reply:?}");
}
