//! Knobs, faults, phones that act by themselves, the control API.

use pretty_assertions::assert_eq;

use super::*;

/// A code lives a few real milliseconds.
fn fast() -> Setup {
    Setup { speed: 1_000.0, ..two() }
}

#[tokio::test]
async fn a_code_runs_out() {
    let w = World::new(fast()).await;
    let (w_id, image) = w.code(None).await;
    let reply = w.poll(&w_id).await.unwrap();
    assert_eq!(reply, json!({"code": "1001", "message": "二维码已过期", "data": null}));
    assert!(w.sim.scan(None).is_err());
    let gone = w.http.get(&image).send().await.unwrap().bytes().await.unwrap();
    let grey = image::load_from_memory(&gone).unwrap();
    assert_eq!(grey.width(), 444, "a picture without a code");
    let dialog = w.call("secondLogin", json!({"wcId": "wxid_off"})).await;
    assert_eq!(dialog["data"]["code"], "1001", "nobody answered");
}

#[tokio::test]
async fn a_cancelled_code_fails_at_once() {
    let w = World::new(two()).await;
    let (w_id, _) = w.code(None).await;
    let poll = w.poll(&w_id);
    assert!(w.sim.cancel(None).is_err(), "nobody has scanned");
    w.sim.scan(wc("wxid_off")).unwrap();
    w.sim.cancel(None).unwrap();
    assert_eq!(poll.await.unwrap()["code"], "1001");
    assert_eq!(w.online("wxid_off"), None);
}

#[tokio::test]
async fn another_phone_may_scan() {
    let w = World::new(two()).await;
    let (w_id, _) = w.code(Some("wxid_off")).await;
    w.sim.scan_code(&w_id, wc("wxid_on")).unwrap();
    w.sim.confirm(None).unwrap();
    let reply = w.poll(&w_id).await.unwrap();
    assert_eq!(reply["data"]["wcId"], "wxid_on");
    assert_eq!((w.online("wxid_on"), w.online("wxid_off")), (Some(w_id), None));
}

#[tokio::test]
async fn a_new_code_kills_the_old_one_or_does_not() {
    let w = World::new(two()).await;
    let (old, _) = w.code(Some("wxid_off")).await;
    w.code(Some("wxid_off")).await;
    assert_eq!(w.poll(&old).await.unwrap()["message"], "二维码已过期");
    w.sim.knobs(|k| k.new_code_kills_old = false);
    let (old, _) = w.code(Some("wxid_off")).await;
    w.code(Some("wxid_off")).await;
    w.sim.scan_code(&old, None).unwrap();
    w.sim.confirm(None).unwrap();
    assert_eq!(w.poll(&old).await.unwrap()["data"]["wcId"], "wxid_off");
}

#[tokio::test]
async fn a_login_may_need_its_poll() {
    let w = World::new(two()).await;
    w.sim.knobs(|k| k.login_needs_poll = PollNeed::Later);
    let (w_id, _) = w.code(None).await;
    w.sim.scan(wc("wxid_off")).unwrap();
    w.sim.confirm(None).unwrap();
    assert_eq!(w.online("wxid_off"), None, "nobody polls");
    assert_eq!(w.poll(&w_id).await.unwrap()["data"]["wcId"], "wxid_off");
    assert_eq!(w.online("wxid_off"), Some(w_id));

    w.sim.knobs(|k| k.login_needs_poll = PollNeed::Lost);
    let (w_id, _) = w.code(None).await;
    w.sim.scan(wc("wxid_on")).unwrap();
    let poll = w.http.post(format!("{}/getIPadLoginInfo", w.sim.url())).header("Authorization", w.sim.token());
    let poll = tokio::spawn(poll.json(&json!({"wId": w_id})).send());
    w.open("getIPadLoginInfo", 1).await;
    poll.abort();
    w.until("the gateway has noticed", |w| w.sim.requests().last().unwrap().outcome == Outcome::Abandoned).await;
    let before = w.online("wxid_on");
    w.sim.confirm(None).unwrap();
    assert_eq!(w.online("wxid_on"), before, "the confirm was lost");
    assert!(w.sim.confirm(None).is_err(), "the phone shows nothing any more");
}

#[tokio::test]
async fn a_second_login_may_die_with_its_socket() {
    let w = World::new(two()).await;
    for dies in [false, true] {
        w.sim.knobs(|k| k.second_login_dies_with_socket = dies);
        let call = tokio::spawn(w.ask("secondLogin", &json!({"wcId": "wxid_off"})).send());
        w.open("secondLogin", 1).await;
        call.abort();
        w.open("secondLogin", 0).await;
        let confirmed = w.sim.confirm(wc("wxid_off"));
        assert_eq!(confirmed.is_err(), dies);
        if !dies {
            let list = w.call("queryLoginWx", json!({})).await;
            let w_id = confirmed.unwrap().w_id;
            assert!(list["data"].as_array().unwrap().contains(&json!({"wcId": "wxid_off", "wId": w_id})));
            w.sim.drop_account(&"wxid_off".into()).unwrap();
        }
    }
}

#[tokio::test]
async fn success_may_be_told_once() {
    let w = World::new(two()).await;
    for (replay, second) in [(true, "1000"), (false, "1001")] {
        w.sim.knobs(|k| k.success_replay = replay);
        let (w_id, _) = w.code(None).await;
        w.sim.scan(wc("wxid_off")).unwrap();
        w.sim.confirm(None).unwrap();
        assert_eq!(w.poll(&w_id).await.unwrap()["code"], "1000");
        assert_eq!(w.poll(&w_id).await.unwrap()["code"], second);
    }
}

#[tokio::test]
async fn the_replys_w_id_is_a_knob() {
    let w = World::new(two()).await;
    for shape in [ReplyWId::Same, ReplyWId::Different, ReplyWId::Missing] {
        w.sim.knobs(|k| k.reply_w_id = shape);
        let (w_id, _) = w.code(None).await;
        w.sim.scan(wc("wxid_off")).unwrap();
        w.sim.confirm(None).unwrap();
        let reply = w.poll(&w_id).await.unwrap();
        let live = w.online("wxid_off").unwrap();
        match shape {
            ReplyWId::Same => assert_eq!((&reply["data"]["wId"], &live), (&json!(w_id), &w_id)),
            ReplyWId::Missing => assert_eq!((reply["data"].get("wId"), &live), (None, &w_id)),
            _ => assert!(reply["data"]["wId"] == json!(live) && live != w_id),
        }
    }
}

#[tokio::test]
async fn polls_may_tell_the_status() {
    let w = World::new(two()).await;
    w.sim.knobs(|k| {
        k.poll_tells_status = true;
        k.status_poll_ms = 30;
    });
    let (w_id, _) = w.code(None).await;
    assert_eq!(w.poll(&w_id).await.unwrap()["data"], json!({"wId": w_id, "status": 1}));
    w.sim.scan(wc("wxid_off")).unwrap();
    let scanned = w.poll(&w_id).await.unwrap();
    assert_eq!((&scanned["data"]["status"], &scanned["data"]["nickName"]), (&json!(2), &json!("Dropped")));
}

#[tokio::test]
async fn lists_may_lag_or_be_empty() {
    let w = World::new(two()).await;
    w.sim.knobs(|k| k.empty_lists = 1);
    assert_eq!(w.call("queryLoginWx", json!({})).await["data"], json!([]));
    assert_eq!(w.call("queryLoginWx", json!({})).await["data"].as_array().unwrap().len(), 1);
    w.sim.knobs(|k| k.list_lag_ms = 3_600_000);
    let w_id = w.online("wxid_on").unwrap();
    w.sim.drop_account(&"wxid_on".into()).unwrap();
    assert_eq!(w.call("queryLoginWx", json!({})).await["data"].as_array().unwrap().len(), 1);
    assert_eq!(w.call("isOnline", json!({"wId": w_id})).await["data"]["isOnline"], true);
    w.sim.knobs(|k| k.list_lag_ms = 0);
    assert_eq!(w.call("isOnline", json!({"wId": w_id})).await["data"]["isOnline"], false);
}

#[tokio::test]
async fn slots_run_out() {
    let w = World::new(two()).await;
    w.sim.knobs(|k| k.slots = 1);
    assert_eq!(w.call("iPadLogin", json!({"type": 2})).await["message"], "登录数量已满");
    assert_eq!(w.call("iPadLogin", json!({"type": 2, "wcId": "wxid_on"})).await["code"], "1000", "it has its slot");
}

#[tokio::test]
async fn tokens_are_refused_as_the_knob_says() {
    let w = World::new(two()).await;
    w.sim.revoke_tokens();
    for (knob, status) in [(BadToken::Http401, 401), (BadToken::Http403, 403), (BadToken::Envelope, 200)] {
        w.sim.knobs(|k| k.bad_token = knob);
        let reply = w.ask("queryLoginWx", &json!({})).send().await.unwrap();
        assert_eq!(reply.status(), status);
        let reply: Value = reply.json().await.unwrap();
        assert_eq!(reply["code"], "1001");
        assert!(reply["message"].as_str().unwrap().contains("授权"));
    }
    assert_eq!(w.sim.requests().last().unwrap().token, TokenSeen::Bad);
    let right = json!({"account": w.sim.account(), "password": w.sim.password()});
    w.call("member/login", right).await;
    assert_eq!(w.call("queryLoginWx", json!({})).await["code"], "1000");
}

#[tokio::test]
async fn the_envelope_may_be_loose() {
    let w = World::new(two()).await;
    w.sim.knobs(|k| {
        k.envelope =
            Envelope { code_as_int: true, failure_10001: true, msg: true, omit_null_data: true, ..Envelope::default() };
    });
    assert_eq!(w.call("logout", json!({"wId": "dead"})).await, json!({"code": 10001, "msg": "失败"}));
    let nested = w.call("secondLogin", json!({"wcId": "wxid_nobody"})).await;
    assert_eq!(
        nested,
        json!({"code": 1000, "msg": "成功", "data": {"code": 10001, "msg": "二次登录失败，请重新扫码登录"}})
    );
    w.sim.knobs(|k| k.envelope = Envelope { bom: true, extra_keys: true, ..Envelope::default() });
    let bytes = w.ask("queryLoginWx", &json!({})).send().await.unwrap().bytes().await.unwrap();
    assert!(bytes.starts_with(b"\xef\xbb\xbf{"));
}

#[tokio::test]
async fn pictures_come_as_jpeg_too_and_may_be_broken() {
    let w = World::new(two()).await;
    w.sim.knobs(|k| k.picture = Picture::Jpeg);
    let (w_id, url) = w.code(None).await;
    let get = async || w.http.get(&url).send().await.unwrap();
    let jpeg = get().await.bytes().await.unwrap();
    assert!(jpeg.starts_with(b"\xff\xd8\xff"));
    assert_eq!(Some(read(&jpeg)), w.sim.payload(&w_id));
    w.sim.fault("image", Fault::Http(404), 1);
    assert_eq!(get().await.status(), 404);
    w.sim.fault("image", Fault::Garbage, 1);
    assert!(image::load_from_memory(&get().await.bytes().await.unwrap()).is_err());
    w.sim.fault("image", Fault::ExpiredPicture, 1);
    assert_ne!(get().await.bytes().await.unwrap(), jpeg);
    w.sim.fault("image", Fault::Truncated, 1);
    assert_eq!(get().await.bytes().await.unwrap().len(), jpeg.len() / 2);
    assert_eq!(get().await.bytes().await.unwrap(), jpeg, "the faults are used up");
}

#[tokio::test]
async fn faults_answer_in_the_gateways_place() {
    let w = World::new(two()).await;
    let ask = async |fault: Fault| -> reqwest::Result<Response> {
        w.sim.fault("queryLoginWx", fault, 1);
        w.ask("queryLoginWx", &json!({})).send().await
    };
    assert_eq!(ask(Fault::Http(500)).await.unwrap().status(), 500);
    assert!(ask(Fault::Html).await.unwrap().text().await.unwrap().contains("<html>"));
    assert_eq!(ask(Fault::Empty).await.unwrap().text().await.unwrap(), "");
    assert_eq!(ask(Fault::Garbage).await.unwrap().bytes().await.unwrap().len(), 512);
    assert!(ask(Fault::Truncated).await.unwrap().json::<Value>().await.is_err());
    assert!(ask(Fault::Reset).await.is_err());
    assert_eq!(
        ask(Fault::Fail("网络链接异常".into())).await.unwrap().json::<Value>().await.unwrap()["message"],
        "网络链接异常"
    );
    assert_eq!(ask(Fault::Nested).await.unwrap().json::<Value>().await.unwrap()["data"]["code"], "1001");
    assert_eq!(
        ask(Fault::NullData).await.unwrap().json::<Value>().await.unwrap(),
        json!({"code": "1000", "message": "成功", "data": null})
    );
    assert_eq!(ask(Fault::Slow(30)).await.unwrap().json::<Value>().await.unwrap()["code"], "1000");
    assert_eq!(ask(Fault::Drip(1)).await.unwrap().json::<Value>().await.unwrap()["code"], "1000");
    let mut huge = ask(Fault::Huge).await.unwrap();
    let mut seen = 0;
    while seen < 4 << 20 {
        seen += huge.chunk().await.unwrap().expect("more").len();
    }
    drop(huge);
    w.sim.fault("*", Fault::Http(502), None);
    for _ in 0..3 {
        assert_eq!(w.ask("queryLoginWx", &json!({})).send().await.unwrap().status(), 502);
    }
    w.sim.clear_faults();
    assert_eq!(w.call("queryLoginWx", json!({})).await["code"], "1000");
}

#[tokio::test]
async fn a_lost_reply_has_its_effect() {
    let w = World::new(two()).await;
    let w_id = w.online("wxid_on").unwrap();
    w.sim.fault("logout", Fault::LostReply, 1);
    assert!(w.ask("logout", &json!({"wId": w_id})).send().await.is_err());
    assert!(w.sim.online().is_empty());
}

#[tokio::test]
async fn the_gateway_goes_down_and_comes_up() {
    let w = World::new(two()).await;
    let (w_id, _) = w.code(None).await;
    let poll = tokio::spawn(w.ask("getIPadLoginInfo", &json!({"wId": w_id})).send());
    w.open("getIPadLoginInfo", 1).await;
    w.sim.down();
    assert!(poll.await.unwrap().is_err());
    w.sim.up().await.unwrap();
    let url = w.sim.url().to_owned();
    let poll = w.poll(&w_id);
    w.open("getIPadLoginInfo", 1).await;
    w.sim.scan(wc("wxid_off")).unwrap();
    w.sim.confirm(None).unwrap();
    assert_eq!(poll.await.unwrap()["data"]["wcId"], "wxid_off");
    w.sim.stop();
    let refused = async || w.http.post(format!("{url}/queryLoginWx")).send().await.is_err();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !refused().await {
        assert!(Instant::now() < deadline, "it still answers");
    }
}

#[tokio::test]
async fn phones_act_by_themselves() {
    let mut setup = Setup { speed: 200.0, auto: true, ..two() };
    setup.knobs.auto.cancel_percent = 0;
    setup.knobs.auto.ignore_percent = 0;
    setup.accounts.push(SimAccount::new("wxid_no", "Says no").script(PhoneScript {
        scan_ms: Some(500),
        answer_ms: 500,
        then: Then::Cancel,
    }));
    let w = World::new(setup).await;
    let (w_id, _) = w.code(Some("wxid_off")).await;
    assert_eq!(w.poll(&w_id).await.unwrap()["data"]["wcId"], "wxid_off");
    assert_eq!(w.call("secondLogin", json!({"wcId": "wxid_on"})).await["data"]["wcId"], "wxid_on");
    let (w_id, _) = w.code(Some("wxid_no")).await;
    assert_eq!(w.poll(&w_id).await.unwrap()["message"], "失败", "its phone has a script");
    w.sim.set_auto(false);
    let call = w.start("secondLogin", json!({"wcId": "wxid_off"}));
    w.open("secondLogin", 1).await;
    w.sim.set_auto(true);
    assert_eq!(call.await.unwrap()["data"]["wcId"], "wxid_off", "what waits already is not forgotten");
}

#[tokio::test]
async fn events_happen_at_their_time() {
    let scenario = "speed = 100\n[[accounts]]\nwc_id = 'wxid_a'\nonline = true\n[[events]]\nat_ms = 2000\ndo = 'drop'\n\
                    wc_id = 'wxid_a'\n";
    let mut setup = Setup::default();
    saoma::simulator::Scenario::parse(scenario).unwrap().apply(&mut setup).unwrap();
    let w = World::new(setup).await;
    assert_eq!(w.sim.online().len(), 1);
    w.until("it dropped", |w| w.sim.online().is_empty()).await;
}

#[tokio::test]
async fn the_control_api_does_it_all_over_http() {
    let w = World::new(two()).await;
    let (w_id, _) = w.code(Some("wxid_off")).await;
    let (status, state) = w.control(Method::GET, "state", json!({})).await;
    assert_eq!((status, &state["codes"][0]["state"]), (200, &json!("waiting")));
    let (status, done) = w.control(Method::POST, "scan", json!({"payload": state["codes"][0]["payload"]})).await;
    assert_eq!((status, done), (200, json!({"wc_id": "wxid_off", "w_id": w_id})));
    assert_eq!(w.control(Method::POST, "confirm", json!({})).await.1, json!({"wc_id": "wxid_off", "w_id": w_id}));
    let (status, refused) = w.control(Method::POST, "confirm", json!({})).await;
    assert_eq!((status, &refused["error"]), (409, &json!("nothing_to_confirm")));
    assert_eq!(w.control(Method::POST, "drop", json!({"wc_id": "wxid_nobody"})).await.1["error"], "no_such_account");
    assert_eq!(w.control(Method::POST, "act", json!({"do": "drop", "wc_id": "wxid_off"})).await.0, 200);
    assert_eq!(w.control(Method::POST, "knobs", json!({"slots": 3, "envelope": {"msg": true}})).await.0, 200);
    let knobs = w.control(Method::GET, "knobs", json!({})).await.1;
    assert_eq!(
        (&knobs["slots"], &knobs["envelope"]["msg"], &knobs["v1_blob"]),
        (&json!(3), &json!(true), &json!(true))
    );
    assert_eq!(w.control(Method::POST, "knobs", json!({"slotz": 3})).await.0, 400);
    assert_eq!(w.control(Method::POST, "fly", json!({})).await.0, 400);
    let fault = json!({"endpoint": "/queryLoginWx", "fault": {"http": 503}, "times": 1});
    assert_eq!(w.control(Method::POST, "fault", fault).await.0, 200);
    assert_eq!(w.ask("queryLoginWx", &json!({})).send().await.unwrap().status(), 503);
    assert_eq!(w.control(Method::POST, "account", json!({"wc_id": "wxid_more", "online": true})).await.0, 200);
    assert!(w.online("wxid_more").is_some());
    assert_eq!(w.control(Method::GET, "token", json!({})).await.1["token"], json!(w.sim.token()));
    let (_, requests) = w.control(Method::GET, "requests?endpoint=queryLoginWx", json!({})).await;
    assert_eq!((&requests[0]["status"], &requests[0]["outcome"]), (&json!(503), &json!("faulted")));
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let setup = Setup { listen: "0.0.0.0:0".parse().unwrap(), ..Setup::default() };
    assert_eq!(Simulator::start(setup).await.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_prefix_goes_before_everything() {
    let w = World::new(Setup { prefix: "/gw/".into(), ..two() }).await;
    assert!(w.sim.url().ends_with("/gw"));
    assert_eq!(w.call("queryLoginWx", json!({})).await["code"], "1000");
    let outside = w.http.post(format!("{}/queryLoginWx", w.sim.root())).send().await.unwrap();
    assert_eq!(outside.status(), 404);
}

#[tokio::test]
async fn events_tell_no_secrets() {
    let w = World::new(two()).await;
    let mut events = w.sim.events();
    w.call("member/login", json!({"account": w.sim.account(), "password": w.sim.password()})).await;
    let (w_id, _) = w.code(None).await;
    w.sim.scan(None).unwrap();
    w.sim.confirm(None).unwrap();
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event);
    }
    let names: Vec<_> = told.iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["request", "code", "request", "scanned", "confirmed", "online"]);
    let text = format!("{told:?}");
    for secret in [w.sim.password().to_owned(), w.sim.token(), w.sim.payload(&w_id).unwrap()] {
        assert!(!text.contains(&secret));
    }
}

/// The scenario that docs/simulator.md shows is one that reads, and its tables name every knob and every fault.
#[test]
fn the_manual_is_true() {
    let manual = include_str!("../../docs/simulator.md");
    let scenario = manual.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let mut setup = Setup::default();
    saoma::simulator::Scenario::parse(scenario).unwrap().apply(&mut setup).unwrap();
    assert_eq!((setup.accounts.len(), setup.events.len(), setup.faults.len()), (2, 1, 1));
    let knobs = serde_json::to_value(saoma::simulator::Knobs::default()).unwrap();
    for (name, inner) in knobs.as_object().unwrap() {
        assert!(manual.contains(&format!("`{name}`")), "{name}");
        for name in inner.as_object().into_iter().flat_map(|map| map.keys()) {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
    }
    let faults = manual.split("## Faults").nth(1).unwrap().split("## Knobs").next().unwrap();
    let mut shown = 0;
    for row in faults.lines().filter(|row| row.starts_with("| `")) {
        let fault = row.split('`').nth(1).unwrap();
        serde_json::from_str::<Fault>(fault).unwrap_or_else(|error| panic!("{fault}: {error}"));
        shown += 1;
    }
    assert_eq!(shown, 17);
    for name in saoma::simulator::Scenario::names() {
        assert!(manual.contains(&format!("`{name}`")), "{name}");
    }
}

#[tokio::test]
async fn the_smaller_knobs_turn_too() {
    let w = World::new(two()).await;
    w.sim.knobs(|k| {
        k.platform_status = 2;
        k.envelope.status_as_string = true;
        k.new_token_kills_old = true;
        k.hostile_names = true;
        k.poll_ms = Some(20);
        k.poll_timeout_text = "超时".into();
        k.verify_code = Some("4711".into());
        k.verify_code_in_reply = true;
        k.second_login_slow_ms = 20;
    });
    let old = w.sim.token();
    let right = json!({"account": w.sim.account(), "password": w.sim.password()});
    assert_eq!(w.call("member/login", right).await["data"]["status"], json!("2"));
    let url = format!("{}/queryLoginWx", w.sim.url());
    assert_eq!(w.http.post(url).header("Authorization", old).send().await.unwrap().status(), 401);
    let (w_id, _) = w.code(None).await;
    assert_eq!(w.poll(&w_id).await.unwrap()["message"], "超时", "the code lives on");
    w.sim.scan(wc("wxid_off")).unwrap();
    w.sim.confirm(None).unwrap();
    assert_eq!(w.poll(&w_id).await.unwrap()["verifyCode"], "4711");
    let done = w.call("getIPadLoginInfo", json!({"wId": w_id, "verifyCode": "4711"})).await;
    assert!(done["data"]["nickName"].as_str().unwrap().starts_with("\u{1b}]0;"));
    assert_eq!(done["data"]["status"], "3");
    let call = w.start("secondLogin", json!({"wcId": "wxid_on"}));
    w.open("secondLogin", 1).await;
    let live = w.sim.confirm(None).unwrap().w_id;
    assert_eq!(call.await.unwrap()["data"]["wId"], json!(live));
    let known = w.call("getIPadLoginInfo", json!({"wId": live})).await;
    assert_eq!(known["data"]["wcId"], "wxid_on", "a live wId tells who it is");
    assert_eq!(w.call("getIPadLoginInfo", json!({"wId": "dead"})).await["code"], "1001");
}

#[tokio::test]
async fn many_polls_wait_side_by_side_and_may_be_left() {
    let w = World::new(Setup { generated: 40, ..Setup::default() }).await;
    let names: Vec<WcId> = w.sim.online().into_iter().map(|(wc_id, _)| wc_id).collect();
    let mut polls = Vec::new();
    for name in &names {
        let (w_id, _) = w.code(Some(name.as_str())).await;
        let left = tokio::spawn(w.ask("getIPadLoginInfo", &json!({"wId": w_id})).send());
        polls.push((name, w_id.clone(), left, w.poll(&w_id)));
    }
    w.open("getIPadLoginInfo", 2 * names.len()).await;
    for (_, _, left, _) in &polls {
        left.abort();
    }
    w.open("getIPadLoginInfo", names.len()).await;
    for name in names.iter().rev() {
        w.sim.scan(Some(name.clone())).unwrap();
        w.sim.confirm(Some(name.clone())).unwrap();
    }
    for (name, w_id, _, poll) in polls {
        assert_eq!(poll.await.unwrap()["data"]["wcId"], json!(name));
        assert_eq!(w.online(name.as_str()), Some(w_id));
    }
}
