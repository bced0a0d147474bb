//! V3 in full: its fields, devices, reasons; and what the gateway as a whole can do to its clients.

use pretty_assertions::assert_eq;
use saoma::simulator::{ChangedDevice, ReasonShape, SimDevice};

use super::*;

fn third() -> Setup {
    Setup { dialect: Dialect::V3, ..two() }
}

fn login(wc_id: &str, device: &str, proxy: u16) -> Value {
    json!({"wcId": wc_id, "deviceType": device, "proxy": proxy})
}

/// Signs the account in with a code; gives the live wId.
async fn sign_in(w: &World, body: Value) -> WId {
    let wc_id = body["wcId"].as_str().unwrap().to_owned();
    let reply = w.call("iPadLogin", body).await;
    assert_eq!(reply["code"], "1000", "{reply}");
    let w_id: WId = reply["data"]["wId"].as_str().unwrap().into();
    w.sim.scan(wc(&wc_id)).unwrap();
    w.sim.confirm(wc(&wc_id)).unwrap();
    assert_eq!(w.poll(&w_id).await.unwrap()["data"]["wcId"], json!(wc_id));
    w.online(&wc_id).unwrap()
}

#[tokio::test]
async fn required_fields_are_required() {
    let w = World::new(third()).await;
    let good = login("", "ipad", 7);
    assert_eq!(w.call("iPadLogin", good.clone()).await["code"], "1000");
    for (field, value) in [
        ("wcId", Value::Null),
        ("deviceType", Value::Null),
        ("deviceType", json!("watch")),
        ("proxy", Value::Null),
        ("proxy", json!(0)),
        ("proxy", json!(31)),
        ("proxy", json!("north")),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        assert_eq!(w.call("iPadLogin", body).await["code"], "1001", "{field} = {value}");
    }
    for (value, code) in [(Value::Null, "1001"), (json!("no"), "1001"), (json!(false), "1000")] {
        let live = w.online("wxid_on").unwrap();
        let body = json!({"wId": live, "autoCheck": value});
        assert_eq!(w.call("getIPadLoginInfo", body).await["code"], code);
    }
    let url = "http://127.0.0.1:9/x";
    assert_eq!(w.call("setHttpCallbackUrl", json!({"httpUrl": url})).await["code"], "1001");
    assert_eq!(w.call("setHttpCallbackUrl", json!({"httpUrl": url, "type": 2})).await["code"], "1000");
}

#[tokio::test]
async fn fields_of_another_dialect_may_be_refused() {
    for (dialect, endpoint, good, foreign) in [
        (Dialect::V1, "iPadLogin", json!({"type": 2}), json!({"proxy": 2})),
        (Dialect::V2, "iPadLogin", json!({"type": 2, "proxy": 2}), json!({"deviceType": "ipad"})),
        (Dialect::V2, "iPadLogin", json!({"type": 2}), json!({"proxyPassword": ""})),
        (Dialect::V2, "getIPadLoginInfo", json!({"wId": "LIVE"}), json!({"autoCheck": false})),
        (Dialect::V2, "setHttpCallbackUrl", json!({"httpUrl": "http://127.0.0.1:9/x"}), json!({"type": 2})),
        (Dialect::V3, "iPadLogin", login("", "ipad", 7), json!({"type": 2})),
    ] {
        let w = World::new(Setup { dialect, ..two() }).await;
        w.sim.knobs(|k| k.refuse_foreign_fields = true);
        let live = json!(w.online("wxid_on"));
        let fill = |mut body: Value| {
            if body.get("wId").is_some() {
                body["wId"] = live.clone();
            }
            body
        };
        assert_eq!(w.call(endpoint, fill(good.clone())).await["code"], "1000", "{dialect} {good}");
        let mut bad = fill(good);
        bad.as_object_mut().unwrap().extend(foreign.as_object().unwrap().clone());
        assert_eq!(w.call(endpoint, bad).await["code"], "1001", "{dialect} {foreign}");
        w.sim.knobs(|k| k.refuse_foreign_fields = false);
    }
    let w = World::new(third()).await;
    w.sim.knobs(|k| k.refuse_foreign_fields = true);
    assert_eq!(w.call("secondLogin", json!({"wcId": "wxid_off", "type": 2})).await["code"], "1001");
    assert_eq!(w.sim.dialogs(&"wxid_off".into()), 0);
}

#[tokio::test]
async fn devices_are_remembered_and_changes_told() {
    let w = World::new(third()).await;
    let off = WcId::from("wxid_off");
    assert_eq!(w.sim.device(&off), None);
    sign_in(&w, login("wxid_off", "mac", 14)).await;
    let mac = SimDevice { device_type: "mac".into(), network: "14".into() };
    assert_eq!((w.sim.device(&off), w.sim.device_changes(&off)), (Some(mac), 0));
    sign_in(&w, login("wxid_off", "mac", 14)).await;
    assert_eq!(w.sim.device_changes(&off), 0);
    let mut own = login("wxid_off", "mac", 14);
    own["proxyIp"] = json!("203.0.113.9:1080");
    own["proxyPassword"] = json!("hunter2");
    sign_in(&w, own).await;
    assert_eq!(w.sim.device_changes(&off), 1, "an own proxy overrides the region");
    assert_eq!(w.sim.device(&off).unwrap().network, "203.0.113.9:1080");
    let (_, state) = w.control(Method::GET, "state", json!({})).await;
    let shown = state["accounts"].as_array().unwrap().iter().find(|a| a["wc_id"] == "wxid_off").unwrap();
    assert_eq!((&shown["device_changes"], &shown["device"]["device_type"]), (&json!(1), &json!("mac")));
    assert!(!serde_json::to_string(&w.sim.requests()).unwrap().contains("hunter2"));

    w.sim.knobs(|k| k.changed_device = ChangedDevice::Refuse);
    assert_eq!(w.call("iPadLogin", login("wxid_off", "mac", 14)).await["code"], "1001");
    assert_eq!(w.call("iPadLogin", login("wxid_new", "ipad", 3)).await["code"], "1000", "nobody knows this one");
}

#[tokio::test]
async fn a_login_from_elsewhere_may_end_in_a_kick() {
    let mut setup = Setup { speed: 1_000.0, ..third() };
    setup.accounts[1].device = Some(SimDevice { device_type: "ipad".into(), network: "7".into() });
    setup.knobs.changed_device = ChangedDevice::Kick;
    let w = World::new(setup).await;
    sign_in(&w, login("wxid_off", "ipad", 8)).await;
    w.until("it is kicked", |w| w.online("wxid_off").is_none()).await;
    assert_eq!(w.call("secondLogin", json!({"wcId": "wxid_off"})).await["data"]["code"], "1001");
}

#[tokio::test]
async fn a_broken_proxy_fails_with_its_words() {
    let w = World::new(third()).await;
    w.sim.knobs(|k| k.broken_proxies = vec!["7".into(), "203.0.113.9:1080".into()]);
    let broken = w.call("iPadLogin", login("", "ipad", 7)).await;
    assert_eq!(broken["code"], "1001");
    assert!(broken["message"].as_str().unwrap().contains("网络链接异常"));
    assert_eq!(w.call("iPadLogin", login("", "ipad", 8)).await["code"], "1000");
    let mut own = login("", "ipad", 8);
    own["proxyIp"] = json!("203.0.113.9:1080");
    assert_eq!(w.call("iPadLogin", own).await["code"], "1001");
}

#[tokio::test]
async fn a_reason_is_told_once_in_twelve_hours() {
    let w = World::new(Setup { speed: 10.0, ..third() }).await;
    w.sim.knobs(|k| k.reason_interval_ms = 3_000);
    w.sim.drop_account(&"wxid_on".into()).unwrap();
    let ask = async || w.call("offlineReason", json!({"wcId": "wxid_on"})).await;
    let reason = ask().await["data"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("<Content><![CDATA[登录出现错误，请你重新登录。]]></Content>"), "{reason}");
    assert_eq!(ask().await["code"], "1001");
    assert_eq!(w.sim.reasons(&"wxid_on".into()), 1);
    let deadline = Instant::now() + Duration::from_secs(10);
    w.sim.knobs(|k| k.reason_shape = ReasonShape::Json);
    let reason = loop {
        let reply = ask().await;
        if let Some(reason) = reply["data"][0]["reason"].as_str() {
            break reason.to_owned();
        }
        assert!(Instant::now() < deadline, "{reply}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let inner: Value = serde_json::from_str(&reason).unwrap();
    assert_eq!(inner["baseResponse"]["ret"], -100);
    w.sim.knobs(|k| (k.reason_shape, k.reason_interval_ms) = (ReasonShape::Plain, 0));
    assert_eq!(ask().await["data"][0]["reason"], "登录出现错误，请你重新登录。");
}

#[tokio::test]
async fn the_gateway_restarts_by_itself() {
    let w = World::new(Setup { speed: 10.0, ..two() }).await;
    let before = w.sim.online();
    let (w_id, _) = w.code(None).await;
    let poll = tokio::spawn(w.ask("getIPadLoginInfo", &json!({"wId": w_id})).send());
    w.open("getIPadLoginInfo", 1).await;
    w.sim.act(Act::Restart { down_ms: 3_000 }).unwrap();
    assert!(poll.await.unwrap().is_err(), "open connections are reset");
    let ask = async || w.ask("queryLoginWx", &json!({})).send().await;
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut refused = 0;
    while let Err(error) = ask().await {
        refused += u32::from(error.is_connect());
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(refused > 0, "it was away");
    assert_eq!(w.sim.online(), before, "it knows what it knew");
    assert_eq!(w.call("getIPadLoginInfo", json!({"wId": before[0].1})).await["code"], "1000");
}

#[tokio::test]
async fn many_drop_at_once_and_lists_may_be_short() {
    let w = World::new(Setup { generated: 50, ..Setup::default() }).await;
    let online = w.sim.online().len();
    assert_eq!(online, 40);
    let listed = async || w.call("queryLoginWx", json!({})).await["data"].as_array().unwrap().len();
    w.sim.knobs(|k| (k.empty_lists, k.short_lists, k.short_list_percent) = (1, 2, 25));
    assert_eq!([listed().await, listed().await, listed().await, listed().await], [0, 10, 10, 40]);
    w.sim.knobs(|k| (k.short_lists, k.short_list_percent) = (1, 100));
    assert_eq!(listed().await, 39, "a short list lacks at least one");
    let one = w.sim.online()[0].clone();
    w.sim.knobs(|k| (k.short_lists, k.short_list_percent) = (1, 0));
    assert_eq!(w.call("isOnline", json!({"wId": one.1})).await["data"]["isOnline"], true, "one by one they are there");
    assert_eq!(w.control(Method::POST, "mass_drop", json!({"count": 30})).await.1, json!({"count": 30}));
    assert_eq!(w.sim.online().len(), 10);
    let last = json!({"wc_ids": [w.sim.online()[0].0, one.0]});
    assert_eq!(w.control(Method::POST, "mass_drop", last).await.1, json!({"count": 1}), "one was gone already");
    assert_eq!(w.control(Method::POST, "mass_drop", json!({"wc_ids": ["nobody"]})).await.0, 409);
    assert_eq!(w.control(Method::POST, "mass_drop", json!({})).await.1, json!({"count": 9}));
    assert_eq!(w.sim.online().len(), 0);
}

#[tokio::test]
async fn wrong_verification_codes_may_end_it() {
    let w = World::new(third()).await;
    w.sim.knobs(|k| (k.verify_code, k.verify_code_tries) = (Some("4711".into()), Some(2)));
    let reply = w.call("iPadLogin", login("wxid_off", "ipad", 7)).await;
    let w_id: WId = reply["data"]["wId"].as_str().unwrap().into();
    w.sim.scan(None).unwrap();
    w.sim.confirm(None).unwrap();
    let with = async |code: &str| {
        let body = json!({"wId": w_id, "autoCheck": false, "verifyCode": code});
        w.call("getIPadLoginInfo", body).await["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(with("1").await, "请在ipad上输入验证码");
    assert_eq!(with("2").await, "失败");
    assert_eq!(with("4711").await, "失败", "it is over");
}
