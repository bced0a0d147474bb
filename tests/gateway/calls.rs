//! Every call against a well-behaved gateway: what goes out, what comes back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use saoma::gateway::{self, Gateway};
use saoma::gateway::{Kind, Limits, Options, PollReply};
use saoma::model::{Device, Dialect, WId, WcId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::server::{self, PATIENCE, Server, TOKEN};

#[derive(Clone, Debug, PartialEq)]
struct Asked {
    path: String,
    authorization: Option<String>,
    content_type: Option<String>,
    body: Value,
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// A gateway that always succeeds, under the prefix `/wk`.
async fn gateway() -> (String, Log) {
    async fn answer(State(log): State<Log>, uri: Uri, headers: HeaderMap, body: Bytes) -> String {
        let header = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let body: Value = serde_json::from_slice(&body).unwrap();
        let record = json!({"wcId": "wxid_a", "wId": "w2", "nickName": "小诺", "wAccount": "xn", "sex": "2", "status": 3,
            "headUrl": "http://h/0", "mobilePhone": "13800000000", "uin": 42});
        let data = match uri.path() {
            "/wk/member/login" => json!({"Authorization": "new-token", "status": 0, "availableNumber": "3"}),
            "/wk/iPadLogin" => json!({"wId": "w1", "qrCodeUrl": "http://127.0.0.1:1/q.png"}),
            "/wk/getIPadLoginInfo" | "/wk/secondLogin" => record,
            "/wk/queryLoginWx" => json!([{"wcId": "wxid_a", "wId": "w2"}]),
            "/wk/member/getLoginWcIds" => json!(["wxid_a", "wxid_b"]),
            "/wk/isOnline" => json!({"isOnline": true}),
            "/wk/member/offline" => Value::Null,
            other => panic!("no such path: {other}"),
        };
        log.lock().unwrap().push(Asked {
            path: uri.path().to_owned(),
            authorization: header("authorization"),
            content_type: header("content-type"),
            body,
        });
        json!({"code": "1000", "message": "成功", "data": data}).to_string()
    }
    let log = Log::default();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&log));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/wk/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (base, log)
}

fn client(base: &str, dialect: Dialect) -> Gateway {
    server::client(base, dialect, None, Limits::default())
}

#[tokio::test]
async fn every_call_sends_what_the_api_wants_and_reads_what_it_says() {
    let (base, log) = gateway().await;
    let gateway = client(&base, Dialect::V2);
    let wc_id = WcId::from("wxid_a");

    let signed_in = gateway.member_login("13800000000", &"hunter2".into()).await.unwrap();
    assert_eq!((signed_in.token.expose_secret(), signed_in.available_number), ("new-token", Some(3)));

    let issued = gateway.i_pad_login(None, &Device::default()).await.unwrap();
    assert_eq!((issued.w_id.as_str(), issued.image_url.expose_secret()), ("w1", "http://127.0.0.1:1/q.png"));
    gateway.i_pad_login(Some(&wc_id), &Device::default()).await.unwrap();

    let PollReply::LoggedIn(record) = gateway.get_i_pad_login_info(&WId::from("w1"), None, PATIENCE).await.unwrap()
    else {
        panic!("not logged in");
    };
    assert_eq!((record.wc_id.as_str(), record.w_id.as_str(), record.sex), ("wxid_a", "w2", Some(2)));
    assert_eq!((&*record.nick_name, &*record.w_account, &*record.avatar_url), ("小诺", "xn", "http://h/0"));
    assert!(!format!("{record:?}").contains("13800000000"));

    assert_eq!(gateway.second_login(&wc_id, &Device::default(), PATIENCE).await.unwrap(), record);
    assert_eq!(gateway.query_login_wx().await.unwrap().entries, [(wc_id.clone(), Some(WId::from("w2")))]);
    assert_eq!(
        gateway.get_login_wc_ids("13800000000", &"hunter2".into()).await.unwrap().entries,
        [(wc_id.clone(), None), (WcId::from("wxid_b"), None)]
    );
    assert!(gateway.is_online(&WId::from("w2")).await.unwrap());

    // A new token reaches clones that were made before.
    gateway.clone().set_token("changed".into());
    gateway.member_offline("13800000000", std::slice::from_ref(&wc_id)).await.unwrap();

    let log = log.lock().unwrap().clone();
    assert!(log.iter().all(|asked| asked.content_type.as_deref() == Some("application/json")), "{log:?}");
    let asked: Vec<_> =
        log.iter().map(|asked| (asked.path.as_str(), asked.authorization.as_deref(), asked.body.clone())).collect();
    assert_eq!(
        asked,
        [
            ("/wk/member/login", None, json!({"account": "13800000000", "password": "hunter2"})),
            ("/wk/iPadLogin", Some(TOKEN), json!({"type": 2})),
            ("/wk/iPadLogin", Some(TOKEN), json!({"wcId": "wxid_a", "type": 2})),
            ("/wk/getIPadLoginInfo", Some(TOKEN), json!({"wId": "w1"})),
            ("/wk/secondLogin", Some(TOKEN), json!({"wcId": "wxid_a", "type": 2})),
            ("/wk/queryLoginWx", Some(TOKEN), json!({})),
            ("/wk/member/getLoginWcIds", Some(TOKEN), json!({"account": "13800000000", "password": "hunter2"})),
            ("/wk/isOnline", Some(TOKEN), json!({"wId": "w2"})),
            ("/wk/member/offline", Some("changed"), json!({"account": "13800000000", "wcIds": ["wxid_a"]})),
        ]
    );
}

#[tokio::test]
async fn v1_is_never_sent_what_came_later() {
    let (base, log) = gateway().await;
    let gateway = client(&base, Dialect::V1);
    for error in [gateway.query_login_wx().await.unwrap_err(), gateway.is_online(&WId::from("w")).await.unwrap_err()] {
        assert_eq!(error.kind, Kind::Http(404));
        assert!(error.detail.contains("nothing was sent"), "{error}");
    }
    gateway.i_pad_login(Some(&WcId::from("wxid_a")), &Device::default()).await.unwrap();
    gateway.get_i_pad_login_info(&WId::from("w"), None, PATIENCE).await.unwrap();
    let bodies: Vec<_> = log.lock().unwrap().iter().map(|asked| asked.body.clone()).collect();
    assert_eq!(bodies, [json!({"wcId": "wxid_a", "type": 2}), json!({"wId": "w"})]);
}

#[tokio::test]
async fn without_a_usable_token_nothing_is_sent() {
    let (base, log) = gateway().await;
    for token in [None, Some("  "), Some("line\nbreak")] {
        let gateway = Gateway::new(Options {
            base: base.clone(),
            dialect: Dialect::V2,
            token: token.map(Into::into),
            http_proxy: None,
        })
        .unwrap();
        let error = gateway.second_login(&WcId::from("wxid_a"), &Device::default(), PATIENCE).await.unwrap_err();
        assert_eq!(error.kind, Kind::TokenSuspect, "{token:?}");
        // Signing in needs none.
        gateway.member_login("138", &"hunter2".into()).await.unwrap();
    }
    assert!(log.lock().unwrap().iter().all(|asked| asked.path == "/wk/member/login"));
}

#[test]
fn what_shows_itself_shows_no_secret() {
    let options = Options {
        base: "http://203.0.113.7:9899".to_owned(),
        dialect: Dialect::V1,
        token: Some(TOKEN.into()),
        http_proxy: Some("http://user:hunter2@203.0.113.8:3128".to_owned()),
    };
    let told = format!("{options:?}");
    let gateway = Gateway::new(options).unwrap();
    let told = format!("{told} {gateway:?}");
    assert!(!told.contains(TOKEN) && !told.contains("hunter2"), "{told}");
    assert_eq!((gateway.dialect(), gateway.base()), (Dialect::V1, "http://203.0.113.7:9899"));

    for (base, proxy) in [("ftp://u:hunter2@h", None), ("http://h", Some("http://u:hunter2@:x/"))] {
        let error = Gateway::new(Options {
            base: base.to_owned(),
            dialect: Dialect::V2,
            token: None,
            http_proxy: proxy.map(str::to_owned),
        })
        .unwrap_err();
        assert_eq!(error.kind, Kind::BadSettings);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn the_gateways_words_do_not_repeat_our_secrets() {
    let server = Server::always(server::json(&format!(
        r#"{{"code":"1001","message":"token {TOKEN} or password hunter2 is wrong"}}"#
    )))
    .await;
    let gateway = server.client();
    let error = gateway.get_login_wc_ids("138", &"hunter2".into()).await.unwrap_err();
    assert_eq!(error.kind, Kind::TokenSuspect);
    assert_eq!(error.gateway_message.as_deref(), Some("token ••• or password ••• is wrong"));
    let error = gateway.member_login("138", &"hunter2".into()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert_eq!(error.gateway_message.as_deref(), Some("token ••• or password ••• is wrong"));
}

#[tokio::test]
async fn the_gateways_words_do_not_repeat_a_verification_code() {
    let code = SecretString::from("582914");
    let poll = async |message: &str| {
        let server = Server::always(server::json(&format!(r#"{{"code":"1001","message":"{message}"}}"#))).await;
        server.client().get_i_pad_login_info(&"w-1".into(), Some(&code), Duration::from_secs(5)).await
    };
    let error = poll("582914 不正确").await.unwrap_err();
    assert_eq!((error.kind, error.gateway_message.as_deref()), (Kind::Refused, Some("••• 不正确")));
    let asked = poll("请在ipad上输入验证码，582914 有误").await.unwrap();
    let PollReply::VerifyCode { gateway_message, .. } = asked else { panic!("{asked:?}") };
    assert_eq!(&*gateway_message, "请在ipad上输入验证码，••• 有误");
}

#[tokio::test]
async fn a_proxy_is_used_only_when_it_is_set() {
    let proxy = Server::always(server::json(r#"{"code":"1000","data":[]}"#)).await;
    let gateway = server::client("http://gw.test:9899", Dialect::V2, Some(proxy.url()), Limits::default());
    assert!(gateway.query_login_wx().await.unwrap().entries.is_empty());
    assert_eq!(proxy.seen()[0].line(), "POST http://gw.test:9899/queryLoginWx");
}

/// The other half of the next test, which runs it in a process of its own where the environment names a proxy.
#[tokio::test]
async fn under_a_proxy_environment() {
    let Ok(base) = std::env::var("SAOMA_TEST_BASE") else { return };
    assert!(client(&base, Dialect::V2).query_login_wx().await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn the_environments_proxy_is_ignored() {
    let server = Server::always(server::json(r#"{"code":"1000","data":[]}"#)).await;
    let proxy = Server::always(server::json(r#"{"code":"1000","data":[]}"#)).await;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "calls::under_a_proxy_environment"]).env("SAOMA_TEST_BASE", server.url());
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, proxy.url());
    }
    for name in ["NO_PROXY", "no_proxy"] {
        child.env_remove(name);
    }
    let done = tokio::time::timeout(PATIENCE, child.output()).await.unwrap().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"));
    assert_eq!((server.seen().len(), proxy.connections().await), (1, 0));
}

#[tokio::test]
async fn many_polls_wait_side_by_side() {
    let server = Server::answering(|seen| {
        let w_id = seen.json()["wId"].as_str().unwrap().to_owned();
        server::json(&json!({"code": "1000", "data": {"wcId": format!("wxid_{w_id}")}}).to_string())
    })
    .await;
    let gateway = server.client();
    let polls = (0..50).map(|n| {
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.get_i_pad_login_info(&WId::from(format!("w{n}")), None, PATIENCE).await })
    });
    for (n, poll) in polls.collect::<Vec<_>>().into_iter().enumerate() {
        match poll.await.unwrap().unwrap() {
            PollReply::LoggedIn(record) => {
                assert_eq!((record.wc_id.as_str(), record.w_id.as_str()), (&*format!("wxid_w{n}"), &*format!("w{n}")));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_profile_is_named_by_what_it_is() {
    assert_eq!(gateway::profile_id("138", "http://gw.example/wk/").as_str(), "138@gw.example:80/wk");
    assert_eq!(gateway::base_url("gw.example:9899/").as_deref(), Ok("http://gw.example:9899"));
    assert!(gateway::sends_in_the_clear("gw.example:9899"));
    assert_eq!(Limits::default().connect, Duration::from_secs(5));
}
