//! What each dialect's gateway sees of every call, read off the socket.

use saoma::gateway::{Call, Gateway, Kind, Limits};
use saoma::model::{Device, Dialect, OwnProxy, WId, WcId};
use serde_json::{Value, json};

use crate::server::{self, PATIENCE, Server};

/// A device with everything in it.
fn full() -> Device {
    Device {
        device_type: Some("mac".into()),
        region: Some(7),
        own_proxy: Some(OwnProxy { address: "203.0.113.9:1080".into(), user: "me".into(), password: "hunter2".into() }),
        aid: Some("aid-1".into()),
        ttuid: Some("ttuid-1".into()),
    }
}

/// A gateway that has an answer to everything.
async fn any_gateway() -> Server {
    Server::answering(|seen| {
        let data = match seen.line() {
            "POST /member/login" => json!({"Authorization": "t", "callbackUrl": " http://203.0.113.5/hook "}),
            "POST /queryLoginWx" | "POST /member/getLoginWcIds" => json!([]),
            "POST /isOnline" => json!({"isOnline": true}),
            "POST /offlineReason" => json!([
                {"wcId": "wxid_b", "reason": "another's"},
                {"wcId": "wxid_a", "reason": "<e><Content><![CDATA[环境异常]]></Content></e>"},
            ]),
            "POST /member/offline" | "POST /setHttpCallbackUrl" => Value::Null,
            _ => json!({"wcId": "wxid_a", "wId": "w", "qrCodeUrl": "http://127.0.0.1:1/q.png"}),
        };
        server::json(&json!({"code": "1000", "data": data}).to_string())
    })
    .await
}

/// Makes every call that there is, with everything that can be given; those that the dialect has not, are named.
async fn all_calls(gateway: &Gateway) -> Vec<Call> {
    let (wc_id, w_id, device, password) = (WcId::from("wxid_a"), WId::from("w"), full(), "hunter3".into());
    let code = "123456".into();
    let results = [
        gateway.member_login("138", &password).await.map(drop),
        gateway.i_pad_login(None, &device).await.map(drop),
        gateway.i_pad_login(Some(&wc_id), &device).await.map(drop),
        gateway.get_i_pad_login_info(&w_id, None, PATIENCE).await.map(drop),
        gateway.get_i_pad_login_info(&w_id, Some(&code), PATIENCE).await.map(drop),
        gateway.second_login(&wc_id, &device, PATIENCE).await.map(drop),
        gateway.query_login_wx().await.map(drop),
        gateway.get_login_wc_ids("138", &password).await.map(drop),
        gateway.is_online(&w_id).await.map(drop),
        gateway.offline_reason(&wc_id).await.map(drop),
        gateway.set_http_callback_url(&"http://203.0.113.5/secret".into()).await,
        gateway.member_offline("138", std::slice::from_ref(&wc_id)).await,
    ];
    let absent = results.into_iter().filter_map(Result::err).map(|error| {
        assert_eq!(error.kind, Kind::Http(404), "{error}");
        assert!(error.detail.contains("nothing was sent"), "{error}");
        error.call
    });
    absent.collect()
}

/// What a dialect's gateway saw: the path and the body of every request.
async fn seen_by(dialect: Dialect) -> (Vec<(String, Value)>, Vec<Call>) {
    let server = any_gateway().await;
    let absent = all_calls(&server::client(&server.url(), dialect, None, Limits::default())).await;
    let seen = server.seen();
    let told = seen.iter().map(|seen| (seen.line().trim_start_matches("POST /").to_owned(), seen.json()));
    (told.collect(), absent)
}

#[tokio::test]
async fn v1_and_v2_never_see_a_field_or_a_call_of_v3() {
    for (dialect, missing) in [
        (Dialect::V1, &[Call::QueryLoginWx, Call::IsOnline, Call::OfflineReason][..]),
        (Dialect::V2, &[Call::OfflineReason]),
    ] {
        let (seen, absent) = seen_by(dialect).await;
        assert_eq!(absent, missing, "{dialect}");
        for (path, body) in &seen {
            let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
            let expected: &[&str] = match path.as_str() {
                "member/login" | "member/getLoginWcIds" => &["account", "password"],
                "iPadLogin" if keys.contains(&"wcId") => &["type", "wcId"],
                "iPadLogin" => &["type"],
                "secondLogin" => &["type", "wcId"],
                "getIPadLoginInfo" if keys.contains(&"verifyCode") => &["verifyCode", "wId"],
                "getIPadLoginInfo" | "isOnline" => &["wId"],
                "queryLoginWx" => &[],
                "setHttpCallbackUrl" => &["httpUrl"],
                "member/offline" => &["account", "wcIds"],
                other => panic!("{dialect} was asked {other}"),
            };
            let mut keys = keys.clone();
            keys.sort_unstable();
            assert_eq!(keys, expected, "{dialect} {path}");
        }
        let text = format!("{seen:?}");
        for value in ["hunter2", "203.0.113.9", "aid-1", "mac", "autoCheck"] {
            assert!(!text.contains(value), "{dialect}: {value}");
        }
    }
}

#[tokio::test]
async fn v3_sees_its_own_fields_and_never_a_type_with_a_login() {
    let (seen, absent) = seen_by(Dialect::V3).await;
    assert_eq!(absent, [Call::GetLoginWcIds]);
    let login = |wc_id: &str| {
        json!({"wcId": wc_id, "deviceType": "mac", "proxy": 7, "proxyIp": "203.0.113.9:1080", "proxyUser": "me",
               "proxyPassword": "hunter2", "aid": "aid-1", "ttuid": "ttuid-1"})
    };
    let expected = [
        ("member/login", json!({"account": "138", "password": "hunter3"})),
        ("iPadLogin", login("")),
        ("iPadLogin", login("wxid_a")),
        ("getIPadLoginInfo", json!({"wId": "w", "autoCheck": false})),
        ("getIPadLoginInfo", json!({"wId": "w", "autoCheck": false, "verifyCode": "123456"})),
        ("secondLogin", json!({"wcId": "wxid_a", "aid": "aid-1", "ttuid": "ttuid-1"})),
        ("queryLoginWx", json!({})),
        ("isOnline", json!({"wId": "w"})),
        ("offlineReason", json!({"wcId": "wxid_a"})),
        ("setHttpCallbackUrl", json!({"httpUrl": "http://203.0.113.5/secret", "type": 2})),
        ("member/offline", json!({"account": "138", "wcIds": ["wxid_a"]})),
    ];
    assert_eq!(seen, expected.map(|(path, body)| (path.to_owned(), body)));
}

#[tokio::test]
async fn the_answers_of_the_new_calls_are_read() {
    let server = any_gateway().await;
    let gateway = server::client(&server.url(), Dialect::V3, None, Limits::default());
    assert_eq!(gateway.offline_reason(&"wxid_a".into()).await.unwrap().as_deref(), Some("环境异常"));
    assert_eq!(gateway.offline_reason(&"wxid_c".into()).await.unwrap(), None, "another's reason is none");
    let signed_in = gateway.member_login("138", &"hunter3".into()).await.unwrap();
    assert_eq!(signed_in.callback_url.as_deref(), Some("http://203.0.113.5/hook"));
    for (data, reason) in [
        (r#"[{"wcId":"wxid_a","reason":null}]"#, Ok(None)),
        (r#"[{"reason":"x"}]"#, Ok(Some("x"))),
        (r#"{"wcId":"wxid_a","reason":"x"}"#, Ok(Some("x"))),
        (r#"[{"wcId":"wxid_a","reason":{"errMsg":"<Content>y</Content>"}}]"#, Ok(Some("y"))),
        ("[]", Ok(None)),
        ("null", Ok(None)),
        ("\"what\"", Err(Kind::Malformed)),
    ] {
        let server = Server::always(server::json(&format!(r#"{{"code":"1000","data":{data}}}"#))).await;
        let gateway = server::client(&server.url(), Dialect::V3, None, Limits::default());
        let told = gateway.offline_reason(&"wxid_a".into()).await.map_err(|error| error.kind);
        assert_eq!(told.as_ref().map(Option::as_deref), reason.as_ref().copied(), "{data}");
    }
}

#[tokio::test]
async fn words_that_repeat_a_proxys_password_or_a_secret_path_are_covered() {
    let words = r#"{"code":"1001","message":"网络链接异常 me:hunter2@203.0.113.9:1080 http://b/secret"}"#;
    let server = Server::always(server::json(words)).await;
    let gateway = server::client(&server.url(), Dialect::V3, None, Limits::default());
    let error = gateway.i_pad_login(None, &full()).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    assert_eq!(error.reason(), saoma::model::Reason::ProxyFailed);
    let error = gateway.set_http_callback_url(&"http://b/secret".into()).await.unwrap_err();
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
