//! Every scenario file is played: what its `about` says comes true.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use pretty_assertions::assert_eq;
use saoma::simulator::Scenario;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// The scenarios that are played below.
const PLAYED: [&str; 18] = [
    "conveyor",
    "device-verification",
    "first-night",
    "flap",
    "lagging-list",
    "mass-drop",
    "notices",
    "offline-reason",
    "outage",
    "proxy-broken",
    "refusals",
    "refused-fields",
    "silent-drop",
    "slots-full",
    "token-dies",
    "v3-devices",
    "verify-code",
    "wrong-phone",
];

async fn play(name: &str, speed: f64) -> World {
    let mut setup = Setup::default();
    let file = format!("{}/examples/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    Scenario::parse(&std::fs::read_to_string(file).unwrap()).unwrap().apply(&mut setup).unwrap();
    setup.speed = speed;
    World::new(setup).await
}

impl World {
    fn v3(wc_id: &str, device: &str, proxy: u16) -> Value {
        json!({"wcId": wc_id, "deviceType": device, "proxy": proxy})
    }

    async fn list(&self) -> usize {
        self.call("queryLoginWx", json!({})).await["data"].as_array().unwrap().len()
    }
}

/// A receiver of notices; gives its URL and what came.
async fn receiver() -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
    let to = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let body = loop {
                if stream.read_buf(&mut bytes).await.unwrap() == 0 {
                    break None;
                }
                let text = String::from_utf8_lossy(&bytes);
                let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
                if body.is_some() {
                    break body;
                }
            };
            to.lock().unwrap().extend(body);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    });
    (url, heard)
}

#[test]
fn every_file_is_played_built_in_and_told_of() {
    let folder = format!("{}/examples/scenarios", env!("CARGO_MANIFEST_DIR"));
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().trim_end_matches(".toml").to_owned())
        .collect();
    let played: BTreeSet<String> = PLAYED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(files, played);
    let manual = include_str!("../../docs/simulator.md");
    for name in PLAYED {
        assert!(Scenario::names().any(|known| known == name), "{name} is not built in");
        let scenario = Scenario::built_in(name).unwrap();
        assert!(scenario.about.is_some_and(|about| about.len() > 20), "{name}");
        assert!(manual.contains(&format!("| `{name}` |")), "docs/simulator.md does not tell of {name}");
    }
}

#[tokio::test]
async fn conveyor() {
    let w = play("conveyor", 20.0).await;
    let names: Vec<String> = (1..=20).map(|n| format!("wxid_morning{n:04}")).collect();
    assert_eq!((w.sim.online().len(), w.list().await), (0, 0));
    let calls: Vec<_> =
        names.iter().map(|name| (name, w.start("secondLogin", json!({"wcId": name, "type": 2})))).collect();
    let mut wants_code = Vec::new();
    for (name, call) in calls {
        let reply = call.await.unwrap();
        if reply["data"]["wId"].is_null() {
            assert_eq!(reply["data"]["code"], "1001");
            wants_code.push(name);
        }
    }
    assert_eq!(wants_code.len(), 8);
    for name in wants_code {
        let (w_id, _) = w.code(Some(name)).await;
        if name.ends_with("12") {
            continue;
        }
        assert_eq!(w.poll(&w_id).await.unwrap()["data"]["wcId"], json!(name));
    }
    assert_eq!(w.sim.online().len(), 19, "one scans nothing");
}

#[tokio::test]
async fn verify_code() {
    let w = play("verify-code", 100.0).await;
    let (w_id, _) = w.code(Some("wxid_laozhang003")).await;
    assert_eq!(w.poll(&w_id).await.unwrap()["message"], "请在ipad上输入验证码");
    let with = async |code: &str| w.call("getIPadLoginInfo", json!({"wId": w_id, "verifyCode": code})).await;
    assert_eq!(with("0815").await["message"], "请在ipad上输入验证码");
    assert_eq!(with("4711").await["data"]["wcId"], "wxid_laozhang003");
    let (w_id, _) = w.code(Some("wxid_lixiaomei05")).await;
    w.poll(&w_id).await.unwrap();
    let with = async |code: &str| w.call("getIPadLoginInfo", json!({"wId": w_id, "verifyCode": code})).await;
    for code in ["1", "2"] {
        assert_eq!(with(code).await["message"], "请在ipad上输入验证码");
    }
    assert_eq!(with("3").await["message"], "失败");
    assert_eq!(w.online("wxid_lixiaomei05"), None);
}

#[tokio::test]
async fn device_verification() {
    let w = play("device-verification", 100.0).await;
    let (w_id, _) = w.code(Some("wxid_laozhang003")).await;
    let first = w.poll(&w_id).await.unwrap();
    assert_eq!(first["code"], "200");
    let page = w.http.get(first["data"]["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(w.poll(&w_id).await.unwrap()["data"]["wcId"], "wxid_laozhang003");
}

#[tokio::test]
async fn wrong_phone() {
    let w = play("wrong-phone", 100.0).await;
    let (w_id, _) = w.code(Some("wxid_laozhang003")).await;
    assert_eq!(w.poll(&w_id).await.unwrap()["data"]["wcId"], "wxid_oliverchen7");
    assert_eq!(w.online("wxid_laozhang003"), None);
    assert!(w.online("wxid_oliverchen7").is_some());
}

#[tokio::test]
async fn refusals() {
    let w = play("refusals", 100.0).await;
    for (wc_id, code) in [("wxid_laozhang003", "1001"), ("wxid_lixiaomei05", "1001"), ("wxid_nightdesk04", "1000")] {
        let reply = w.call("secondLogin", json!({"wcId": wc_id, "type": 2})).await;
        assert_eq!(reply["code"], code, "{wc_id}");
        assert!(code == "1000" || reply["message"] == "系统失败,请重试");
        assert_eq!(w.sim.dialogs(&wc_id.into()), 1);
    }
    let (w_id, _) = w.code(Some("wxid_laozhang003")).await;
    assert_eq!(w.poll(&w_id).await.unwrap()["message"], "失败", "it cancels the code too");
}

#[tokio::test]
async fn first_night() {
    let w = play("first-night", 100.0).await;
    let (w_id, _) = w.code(None).await;
    assert_eq!(w.poll(&w_id).await.unwrap()["data"]["wcId"], "wxid_newhere0001");
    w.until("it drops", |w| w.sim.online().is_empty()).await;
    let reply = w.call("secondLogin", json!({"wcId": "wxid_newhere0001", "type": 2})).await;
    assert_eq!(reply["data"]["code"], "1001");
    assert_eq!(w.sim.dialogs(&"wxid_newhere0001".into()), 0, "no phone has rung");
    let (w_id, _) = w.code(Some("wxid_newhere0001")).await;
    assert_eq!(w.poll(&w_id).await.unwrap()["data"]["wcId"], "wxid_newhere0001");
}

#[tokio::test]
async fn slots_full() {
    let w = play("slots-full", 1.0).await;
    let reply = w.call("iPadLogin", json!({"type": 2, "wcId": "wxid_laozhang003"})).await;
    assert_eq!((&reply["code"], &reply["message"]), (&json!("1001"), &json!("登录数量已满")));
    w.call("member/offline", json!({"account": w.sim.account(), "wcIds": ["wxid_nightdesk04"]})).await;
    w.code(Some("wxid_laozhang003")).await;
}

#[tokio::test]
async fn proxy_broken() {
    let w = play("proxy-broken", 1.0).await;
    let broken = w.call("iPadLogin", World::v3("wxid_laozhang003", "ipad", 1)).await;
    assert!(broken["message"].as_str().unwrap().contains("网络链接异常"), "{broken}");
    assert_eq!(w.call("iPadLogin", World::v3("wxid_laozhang003", "ipad", 7)).await["code"], "1000");
}

#[tokio::test]
async fn v3_devices() {
    let w = play("v3-devices", 100.0).await;
    let refused = w.call("iPadLogin", World::v3("wxid_nightdesk04", "ipad", 14)).await;
    assert_eq!(refused["code"], "1001");
    let reply = w.call("iPadLogin", World::v3("wxid_nightdesk04", "mac", 14)).await;
    let w_id: WId = reply["data"]["wId"].as_str().unwrap().into();
    assert_eq!(w.poll(&w_id).await.unwrap()["data"]["wcId"], "wxid_nightdesk04");
    let mut own = World::v3("wxid_laozhang003", "ipad", 1);
    assert_eq!(w.call("iPadLogin", own.clone()).await["code"], "1001");
    own["proxyIp"] = json!("203.0.113.9:1080");
    assert_eq!(w.call("iPadLogin", own).await["code"], "1000");
    assert_eq!(w.call("iPadLogin", World::v3("wxid_lixiaomei05", "ipad", 3)).await["code"], "1000", "new here");
}

#[tokio::test]
async fn offline_reason() {
    let w = play("offline-reason", 100.0).await;
    w.until("it drops", |w| w.online("wxid_nightdesk04").is_none()).await;
    let ask = async || w.call("offlineReason", json!({"wcId": "wxid_nightdesk04"})).await;
    assert!(ask().await["data"][0]["reason"].as_str().unwrap().contains("当前登录环境异常"));
    assert_eq!(ask().await["code"], "1001", "once in twelve hours");
}

#[tokio::test]
async fn token_dies() {
    let w = play("token-dies", 100.0).await;
    let old = w.sim.token();
    let deadline = Instant::now() + Duration::from_secs(10);
    let refused = loop {
        let reply = w.call("queryLoginWx", json!({})).await;
        if reply["code"] == "1001" {
            break reply;
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(refused["message"].as_str().unwrap().contains("授权"));
    let body = json!({"account": "13800000000", "password": "saoma-dummy"});
    assert_eq!(w.call("member/login", body).await["code"], "1000");
    assert_ne!(w.sim.token(), old);
    assert_eq!(w.call("queryLoginWx", json!({})).await["code"], "1000");
}

#[tokio::test]
async fn notices() {
    let w = play("notices", 20.0).await;
    let (url, heard) = receiver().await;
    assert_eq!(w.call("setHttpCallbackUrl", json!({"httpUrl": url})).await["code"], "1000");
    let deadline = Instant::now() + Duration::from_secs(10);
    while heard.lock().unwrap().len() < 6 {
        assert!(Instant::now() < deadline, "{heard:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let heard = heard.lock().unwrap().clone();
    let kinds: Vec<_> = heard.iter().map(|notice| notice["messageType"].clone()).collect();
    assert_eq!(kinds, [json!("00000"), json!(4), json!("00000"), json!(4), json!(4), json!(4)]);
    assert_eq!(heard[1]["data"]["wId"], "00000000-0000-4000-8000-000000000000", "nobody's");
    assert_eq!((&heard[3], &heard[4]), (&heard[4], &heard[5]), "the same three times");
}

#[tokio::test]
async fn silent_drop() {
    let w = play("silent-drop", 100.0).await;
    let (url, heard) = receiver().await;
    w.call("setHttpCallbackUrl", json!({"httpUrl": url})).await;
    w.until("both are gone", |w| w.sim.online().len() == 3).await;
    assert_eq!(w.list().await, 3);
    assert!(heard.lock().unwrap().iter().all(|notice| notice["messageType"] == "00000"), "{heard:?}");
}

#[tokio::test]
async fn flap() {
    let w = play("flap", 100.0).await;
    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while seen.len() < 3 {
        seen.insert(w.list().await);
        assert!(Instant::now() < deadline, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(seen, [0, 2, 5].into());
    assert_eq!((w.sim.online().len(), w.list().await), (5, 5), "nobody has dropped");
}

#[tokio::test]
async fn lagging_list() {
    let w = play("lagging-list", 10.0).await;
    w.until("it drops", |w| w.sim.online().len() == 4).await;
    assert_eq!(w.list().await, 5, "the list does not know yet");
    let deadline = Instant::now() + Duration::from_secs(10);
    while w.list().await != 4 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn outage() {
    let w = play("outage", 50.0).await;
    let everybody = w.sim.online();
    let deadline = Instant::now() + Duration::from_secs(10);
    let (mut away, mut empty) = (false, 0);
    loop {
        match w.ask("queryLoginWx", &json!({})).send().await {
            Err(_) => away = true,
            Ok(reply) => {
                let listed = reply.json::<Value>().await.unwrap()["data"].as_array().unwrap().len();
                empty += u32::from(away && listed == 0);
                if away && listed == everybody.len() {
                    break;
                }
            }
        }
        assert!(Instant::now() < deadline, "{away} {empty}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(empty > 0);
    assert_eq!(w.sim.online(), everybody);
}

#[tokio::test]
async fn mass_drop() {
    let w = play("mass-drop", 100.0).await;
    assert_eq!(w.sim.online().len(), 50);
    w.until("forty are gone", |w| w.sim.online().len() != 50).await;
    assert_eq!((w.sim.online().len(), w.list().await), (10, 10), "at the same moment");
}

#[tokio::test]
async fn refused_fields() {
    let w = play("refused-fields", 1.0).await;
    w.code(None).await;
    let body = json!({"type": 2, "deviceType": "ipad"});
    assert_eq!(w.call("iPadLogin", body).await["code"], "1001");
    assert_eq!(w.ask("offlineReason", &json!({"wcId": "wxid_laozhang003"})).send().await.unwrap().status(), 404);
}
