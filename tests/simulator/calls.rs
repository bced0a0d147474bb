//! What the endpoints do when nothing goes wrong.

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn a_qr_login_from_code_to_list() {
    let w = World::new(two()).await;
    let (w_id, image) = w.code(Some("wxid_off")).await;
    assert!(!image.starts_with(w.sim.url()), "the pictures are on another port");
    let picture = w.http.get(&image).send().await.unwrap();
    assert_eq!(picture.headers()["content-type"], "image/png");
    let payload = read(&picture.bytes().await.unwrap());
    assert!(payload.starts_with("http://weixin.qq.com/x/SAOMA-") && payload.len() == 43, "{payload}");
    assert_eq!(Some(&payload), w.sim.payload(&w_id).as_ref());

    let polls = [w.poll(&w_id), w.poll(&w_id)];
    w.open("getIPadLoginInfo", 2).await;
    let scanned = w.sim.scan_payload(&payload, None).unwrap();
    assert_eq!(scanned.wc_id.as_str(), "wxid_off");
    let confirmed = w.sim.confirm(None).unwrap();
    for poll in polls {
        let reply = poll.await.unwrap();
        assert_eq!(
            reply,
            json!({"code": "1000", "message": "成功", "data": {
                "wcId": "wxid_off", "nickName": "Dropped", "wAccount": "", "country": "CN", "city": "",
                "signature": "", "sex": 0, "status": 3,
                "headUrl": reply["data"]["headUrl"], "smallHeadImgUrl": reply["data"]["headUrl"],
            }})
        );
    }
    assert_eq!(confirmed.w_id.as_ref(), Some(&w_id));
    assert_eq!(w.online("wxid_off"), Some(w_id.clone()));
    let list = w.call("queryLoginWx", json!({})).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    assert_eq!(w.call("isOnline", json!({"wId": w_id})).await["data"], json!({"isOnline": true}));
    assert_eq!(
        w.call("isOnline", json!({"wId": "gone"})).await,
        json!({"code": "1000", "message": "成功", "data": {"isOnline": false}})
    );
}

#[tokio::test]
async fn a_new_phone_becomes_an_account_and_the_device_is_counted() {
    let w = World::new(two()).await;
    let (first, _) = w.code(None).await;
    let stranger = w.sim.scan(None).unwrap().wc_id;
    w.sim.confirm(None).unwrap();
    let (second, _) = w.code(Some(stranger.as_str())).await;
    assert_ne!(first, second);
    w.sim.scan(Some(stranger.clone())).unwrap();
    w.sim.confirm(Some(stranger.clone())).unwrap();
    assert_eq!(w.online(stranger.as_str()), Some(second));
    assert_eq!((w.sim.devices(&stranger), w.sim.logins(&stranger)), (1, 2), "the second login passed the wcId");
    w.code(None).await;
    w.sim.scan(Some(stranger.clone())).unwrap();
    w.sim.confirm(None).unwrap();
    assert_eq!(w.sim.devices(&stranger), 2, "a known account without its wcId is a new device");
}

#[tokio::test]
async fn a_second_login_brings_a_new_w_id_and_one_dialog() {
    let w = World::new(two()).await;
    let call = w.start("secondLogin", json!({"wcId": "wxid_off", "type": 2}));
    w.open("secondLogin", 1).await;
    assert!(w.sim.scan(None).is_err(), "there is no code");
    let confirmed = w.sim.confirm(wc("wxid_off")).unwrap();
    let reply = call.await.unwrap();
    assert_eq!((&reply["code"], &reply["data"]["wcId"]), (&json!("1000"), &json!("wxid_off")));
    assert_eq!(reply["data"]["wId"], json!(confirmed.w_id));
    assert_eq!(w.online("wxid_off"), confirmed.w_id);
    assert_eq!(w.sim.dialogs(&"wxid_off".into()), 1);
}

#[tokio::test]
async fn a_refused_second_login_fails_in_either_shape() {
    let w = World::new(two()).await;
    for (shape, expected) in [
        (
            FailureShape::Nested,
            json!({"code": "1000", "message": "成功",
                   "data": {"code": "1001", "message": "二次登录失败，请重新扫码登录", "data": null}}),
        ),
        (FailureShape::Plain, json!({"code": "1001", "message": "系统失败,请重试", "data": null})),
    ] {
        w.sim.knobs(|k| k.second_login_failure = shape);
        let call = w.start("secondLogin", json!({"wcId": "wxid_off"}));
        w.open("secondLogin", 1).await;
        w.sim.cancel(None).unwrap();
        assert_eq!(call.await.unwrap(), expected);
    }
    assert_eq!(w.sim.dialogs(&"wxid_off".into()), 2);
    let unknown = w.call("secondLogin", json!({"wcId": "wxid_nobody"})).await;
    assert_eq!(unknown["code"], "1001", "a first login must be a QR login, and no phone rings");
}

#[tokio::test]
async fn a_kick_or_a_first_day_drop_wants_a_qr_login() {
    let w = World::new(two()).await;
    w.sim.kick(&"wxid_on".into()).unwrap();
    assert_eq!(w.call("secondLogin", json!({"wcId": "wxid_on"})).await["data"]["code"], "1001");
    w.code(None).await;
    let new = w.sim.scan(None).unwrap().wc_id;
    w.sim.confirm(None).unwrap();
    w.sim.drop_account(&new).unwrap();
    assert_eq!(w.call("secondLogin", json!({"wcId": new})).await["data"]["code"], "1001");
    assert_eq!(w.sim.dialogs(&new), 0);
    w.code(Some(new.as_str())).await;
    w.sim.scan(Some(new.clone())).unwrap();
    w.sim.confirm(None).unwrap();
    w.sim.drop_account(&new).unwrap();
    let call = w.start("secondLogin", json!({"wcId": new}));
    w.open("secondLogin", 1).await;
    w.sim.confirm(None).unwrap();
    assert_eq!(call.await.unwrap()["data"]["wcId"], json!(new), "the second drop is an ordinary one");
}

#[tokio::test]
async fn going_offline_is_three_different_calls() {
    let setup = Setup { generated: 50, ..two() };
    let w = World::new(setup).await;
    let w_id = w.online("wxid_on").unwrap();
    assert_eq!(w.call("logout", json!({"wId": w_id})).await, json!({"code": "1000", "message": "成功", "data": null}));
    assert_eq!(w.call("logout", json!({"wId": w_id})).await["code"], "1001", "it is offline already");
    let count = w.sim.online().len();
    let victim = w.sim.online()[0].0.clone();
    let wrong_case = json!({"account": w.sim.account(), "wcids": [victim]});
    assert_eq!(w.call("member/offline", wrong_case).await["code"], "1001");
    w.call("member/offline", json!({"account": w.sim.account(), "wcIds": [victim]})).await;
    assert_eq!(w.sim.online().len(), count - 1);
    w.call("member/logout", json!({})).await;
    assert!(w.sim.online().is_empty());
    let dead = w.ask("queryLoginWx", &json!({})).send().await.unwrap();
    assert_eq!(dead.status(), 401, "the token died with it");
}

#[tokio::test]
async fn signing_in_gives_a_token_that_works() {
    let w = World::new(two()).await;
    let right = json!({"account": w.sim.account(), "password": w.sim.password()});
    let first = w.sim.token();
    let reply = w.call("member/login", right).await;
    assert_eq!(reply["data"]["status"], json!(0));
    assert!(reply["data"]["callbackUrl"].is_null() && reply["data"]["overdueTime"].is_i64());
    assert_eq!(reply["data"]["Authorization"], json!(w.sim.token()));
    assert_ne!(first, w.sim.token());
    let wrong = w.call("member/login", json!({"account": w.sim.account(), "password": "wrong"})).await;
    assert_eq!(wrong, json!({"code": "1001", "message": "失败", "data": null}));
    let log = serde_json::to_string(&w.sim.requests()).unwrap();
    assert!(!log.contains(w.sim.password()) && !log.contains(&w.sim.token()), "{log}");
}

#[tokio::test]
async fn v1_and_v3_speak_differently() {
    let w = World::new(Setup { dialect: Dialect::V1, ..two() }).await;
    let (w_id, _) = w.code(Some("wxid_off")).await;
    assert!(w_id.as_str().starts_with("0000019b-"), "it begins with milliseconds: {w_id}");
    w.sim.scan(None).unwrap();
    w.sim.confirm(None).unwrap();
    let reply = w.poll(&w_id).await.unwrap();
    let mut keys: Vec<_> = reply["data"].as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["data", "headUrl", "nickName", "wId", "wcId"]);
    assert_eq!(reply["data"]["data"].as_str().unwrap().len(), 700);
    assert_ne!(reply["data"]["wId"], json!(w_id), "the sample shows another one");
    assert_eq!(reply["data"]["wId"], json!(w.online("wxid_off")));
    let body = json!({"account": w.sim.account(), "password": w.sim.password()});
    assert_eq!(w.call("member/getLoginWcIds", body).await["data"], json!(["wxid_on", "wxid_off"]));
    assert_eq!(w.call("member/getLoginWcIds", json!({})).await["code"], "1001");
    assert_eq!(w.call("iPadLogin", json!({"wcId": "x"})).await["code"], "1001", "type: 2 is required");
    assert_eq!(w.call("queryLoginWx", json!({})).await["code"], "1000", "lenient: it exists");
    w.sim.knobs(|k| k.strict_endpoints = true);
    assert_eq!(w.ask("queryLoginWx", &json!({})).send().await.unwrap().status(), 404);

    let w = World::new(Setup { dialect: Dialect::V3, ..two() }).await;
    assert_eq!(w.call("iPadLogin", json!({"type": 2})).await["code"], "1001");
    let body = json!({"wcId": "", "deviceType": "ipad", "proxy": "2"});
    let w_id: WId = w.call("iPadLogin", body).await["data"]["wId"].as_str().unwrap().into();
    w.sim.knobs(|k| {
        k.verify_code = Some("4711".into());
        k.device_verification = true;
    });
    w.sim.scan(wc("wxid_off")).unwrap();
    w.sim.confirm(None).unwrap();
    assert_eq!(w.poll(&w_id).await.unwrap()["message"], "请在ipad上输入验证码");
    let wrong = w.call("getIPadLoginInfo", json!({"wId": w_id, "autoCheck": false, "verifyCode": "1"})).await;
    assert_eq!(wrong["code"], "1001");
    let device = w.call("getIPadLoginInfo", json!({"wId": w_id, "autoCheck": false, "verifyCode": 4711})).await;
    assert_eq!((&device["code"], &device["message"]), (&json!("200"), &json!("处理成功")));
    assert!(device["data"]["url"].is_string());
    let done = w.call("getIPadLoginInfo", json!({"wId": w_id, "autoCheck": false})).await;
    assert_eq!((&done["data"]["wcId"], &done["data"]["type"]), (&json!("wxid_off"), &json!(2)));
    w.sim.drop_account(&"wxid_off".into()).unwrap();
    let reason = w.call("offlineReason", json!({"wcId": "wxid_off"})).await;
    assert!(reason["data"][0]["reason"].is_string());
    assert_eq!(
        w.call("offlineReason", json!({"wcId": "wxid_on"})).await["data"],
        json!([{"wcId": "wxid_on", "reason": null}])
    );
}

#[tokio::test]
async fn loose_requests_are_understood() {
    let w = World::new(two()).await;
    let url = w.sim.url();
    let token = w.sim.token();
    let post = |path: &str| w.http.post(format!("{url}{path}")).header("Authorization", token.clone());
    for request in [
        post("/queryLoginWx"),
        post("/queryLoginWx").body("null"),
        post("/queryLoginWx/").body("{}").header("Content-Type", "application/json;charset=utf-8"),
        post("//queryLoginWx").body("\u{feff}{\"extra\": [1]}").header("Content-Type", "text/plain"),
    ] {
        let reply: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(reply["code"], "1000");
    }
    assert_eq!(w.call("iPadLogin", json!({"type": "2", "wcId": null, "proxy": "3", "more": {}})).await["code"], "1000");
    let broken: Value = post("/queryLoginWx").body("{").send().await.unwrap().json().await.unwrap();
    assert_eq!(broken["code"], "1001");
    let unknown = w.call("getHttpCallbackUrl", json!({})).await;
    assert_eq!(unknown["code"], "1001");
}

#[tokio::test]
async fn address_lists_want_a_live_w_id() {
    let w = World::new(two()).await;
    let w_id = w.online("wxid_on").unwrap();
    let first = w.call("initAddressList", json!({"wId": w_id})).await;
    assert_eq!(first, json!({"code": "1000", "message": "初始化通讯录成功", "data": null}));
    let list = w.call("getAddressList", json!({"wId": w_id})).await;
    for key in ["chatrooms", "friends", "ghs", "others"] {
        assert!(list["data"][key].is_array(), "{key}");
    }
    assert_eq!(w.call("getAddressList", json!({"wId": "dead"})).await["code"], "1001");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_names() {
    let setup = || Setup { generated: 10, ..demo_setup(7) };
    let (a, b) = (World::new(setup()).await, World::new(setup()).await);
    assert_eq!(a.sim.online(), b.sim.online());
    assert_eq!(a.sim.token(), b.sim.token());
    let (code_a, code_b) = (a.code(None).await.0, b.code(None).await.0);
    assert_eq!(code_a, code_b);
    assert_eq!(a.sim.payload(&code_a), b.sim.payload(&code_b));
    let c = World::new(Setup { seed: 8, ..setup() }).await;
    assert_ne!(a.sim.online(), c.sim.online());
}

#[tokio::test]
async fn ten_thousand_accounts_are_listed() {
    let w = World::new(Setup { generated: 10_000, ..Setup::default() }).await;
    let list = w.call("queryLoginWx", json!({})).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 8_000);
}

#[tokio::test]
async fn notices_are_sent_in_the_dialects_form() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for (dialect, expected) in [
        (Dialect::V1, json!({"message": {"data": "W", "messageType": 3}, "wcId": "wxid_on"})),
        (Dialect::V2, json!({"account": "13800000000", "data": {"wId": "W"}, "messageType": 4, "wcId": "wxid_on"})),
        (
            Dialect::V3,
            json!({"account": "13800000000", "wcId": "wxid_on", "messageType": "30000",
                   "data": {"wId": "W", "reason": "登录出现错误，请你重新登录。"}}),
        ),
    ] {
        let w = World::new(Setup { dialect, ..two() }).await;
        let receiver = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", receiver.local_addr().unwrap());
        let far = w.call("setHttpCallbackUrl", json!({"httpUrl": "http://203.0.113.7/hook", "type": 2})).await;
        assert_eq!(far["code"], "1001", "loopback only");
        assert_eq!(w.call("setHttpCallbackUrl", json!({"httpUrl": url, "type": 2})).await["code"], "1000");
        let next = async || {
            let (mut stream, _) = receiver.accept().await.unwrap();
            let mut text = Vec::new();
            loop {
                let mut chunk = [0; 1024];
                let n = stream.read(&mut chunk).await.unwrap();
                text.extend_from_slice(&chunk[..n]);
                let whole = String::from_utf8_lossy(&text).into_owned();
                if let Some((_, body)) = whole.split_once("\r\n\r\n")
                    && let Ok(value) = serde_json::from_str::<Value>(body)
                {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                    return value;
                }
            }
        };
        assert_eq!(next().await["data"]["content"], "验证回调地址是否可用");
        let mut expected = expected;
        let w_id = json!(w.online("wxid_on"));
        match dialect {
            Dialect::V1 => expected["message"]["data"] = w_id,
            Dialect::V2 | Dialect::V3 => expected["data"]["wId"] = w_id,
        }
        w.sim.drop_account(&"wxid_on".into()).unwrap();
        assert_eq!(next().await, expected);
        w.sim.act(Act::Notice { wc_id: "wxid_on".into(), w_id: Some("stale".into()), times: Some(2) }).unwrap();
        assert_eq!(next().await, next().await, "duplicates are wanted");
    }
}
