//! The endpoints of the gateway (protocol.md §3): what each one does and answers.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::device::{self, SimDevice};
use super::knobs::{FailureShape, ReplyWId};
use super::logins::{CodeState, DialogState};
use super::reply::Reply;
use super::server::Shared;
use super::world::{Member, Ms, World};
use crate::model::Dialect;

/// A request's body. Numbers may come as strings and the other way round.
pub(super) struct Asked<'a>(pub(super) &'a Map<String, Value>);

impl Asked<'_> {
    /// A string, or a number written as one; none if absent, null or empty.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| !value.is_null())
    }

    pub(super) fn int(&self, key: &str) -> Option<i64> {
        self.text(key)?.trim().parse().ok()
    }
}

/// Which dialects' documents have the endpoint; none: no document has it.
pub(super) fn documented(endpoint: &str) -> Option<&'static [Dialect]> {
    use Dialect::{V1, V2, V3};
    Some(match endpoint {
        "member/login"
        | "iPadLogin"
        | "getIPadLoginInfo"
        | "secondLogin"
        | "member/offline"
        | "initAddressList"
        | "getAddressList"
        | "setHttpCallbackUrl"
        | "cancelHttpCallbackUrl" => &[V1, V2, V3],
        "isOnline" | "queryLoginWx" => &[V2, V3],
        "member/getLoginWcIds" | "logout" | "member/logout" => &[V1, V2],
        "offlineReason" | "setproxy" => &[V3],
        _ => return None,
    })
}

/// Does what the request asks. `None` if there is no such endpoint.
pub(super) async fn call(shared: &Arc<Shared>, endpoint: &str, asked: &Asked<'_>) -> Option<Reply> {
    Some(match endpoint {
        "getIPadLoginInfo" => poll(shared, asked).await,
        "secondLogin" => second_login(shared, asked).await,
        "member/login" => sign_in(&mut shared.lock(), shared.wall_ms(), asked),
        _ => {
            let now = shared.now();
            let mut world = shared.lock();
            world.expire(now);
            match endpoint {
                "iPadLogin" => ipad_login(&mut world, now, asked),
                "isOnline" => is_online(&world, now, asked),
                "queryLoginWx" => query_login_wx(&mut world, now),
                "member/getLoginWcIds" => login_wc_ids(&mut world, now, asked),
                "logout" => logout(&mut world, now, asked),
                "member/offline" => member_offline(&mut world, now, asked),
                "member/logout" => member_logout(&mut world, now),
                "initAddressList" => address_list(&world, asked, Reply::ok("初始化通讯录成功", Value::Null)),
                "getAddressList" => address_list(
                    &world,
                    asked,
                    Reply::ok(
                        "获取通讯录成功",
                        json!({"chatrooms": [], "friends": ["weixin"], "ghs": [], "others": ["fmessage"]}),
                    ),
                ),
                "setHttpCallbackUrl" => set_callback(&mut world, asked),
                "cancelHttpCallbackUrl" => {
                    world.callback = None;
                    Reply::ok("成功", Value::Null)
                }
                "offlineReason" => offline_reason(&mut world, now, asked),
                "setproxy" => match asked.text("wcId").and_then(|w| world.find(&w).ok()) {
                    Some(_) => Reply::ok("设置成功", Value::Null),
                    None => Reply::failed(),
                },
                _ => return None,
            }
        }
    })
}

fn sign_in(world: &mut World, wall_ms: i64, asked: &Asked<'_>) -> Reply {
    let right = asked.text("account").as_deref() == Some(&world.account)
        && asked.text("password").as_deref() == Some(&world.password);
    if !right {
        return Reply::failed();
    }
    let token = world.issue_token();
    let status = world.knobs.platform_status;
    let status = if world.knobs.envelope.status_as_string { json!(status.to_string()) } else { json!(status) };
    let mut data = json!({"Authorization": token, "status": status, "callbackUrl": world.callback});
    if world.dialect != Dialect::V3
        && let Some(map) = data.as_object_mut()
    {
        const DAY: i64 = 86_400_000;
        let more = json!({
            "name": "saoma simulator", "account": world.account, "accountType": 1,
            "overdueTime": wall_ms + 365 * DAY, "createTime": wall_ms - 30 * DAY, "modifyTime": wall_ms - DAY,
            "lastTime": wall_ms, "availableNumber": world.knobs.slots, "callbackType": 1, "wcIds": null,
        });
        map.extend(more.as_object().cloned().unwrap_or_default());
    }
    Reply::ok("成功", data)
}

fn ipad_login(world: &mut World, now: Ms, asked: &Asked<'_>) -> Reply {
    if world.knobs.strict_fields {
        let complete = match world.dialect {
            Dialect::V1 | Dialect::V2 => asked.int("type") == Some(2),
            Dialect::V3 => device::is_complete(asked),
        };
        if !complete {
            return Reply::fail("参数错误");
        }
    }
    let wc_id = asked.text("wcId");
    let others = world.members.iter().filter(|m| m.w_id().is_some() && wc_id.as_deref() != Some(&m.spec.wc_id)).count();
    if others >= world.knobs.slots as usize {
        return Reply::fail(&world.knobs.slots_full_text);
    }
    let device = SimDevice::of(world.dialect, asked);
    if let Some(words) = world.refuses_device(wc_id.as_deref(), device.as_ref()) {
        return Reply::fail(&words);
    }
    let at = world.new_code(now, wc_id);
    if let Some(code) = world.codes.get_mut(at) {
        code.device = device;
    }
    let base = &world.image_base;
    let data = world.codes.get(at).map(|c| json!({"wId": c.w_id, "qrCodeUrl": format!("{base}/{}", c.image)}));
    data.map_or_else(Reply::failed, |data| Reply::ok("登录成功", data))
}

/// Counts a poll as open while it lives.
struct PollGuard<'a> {
    shared: &'a Shared,
    code: usize,
}

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        if let Some(code) = self.shared.lock().codes.get_mut(self.code) {
            code.open_polls = code.open_polls.saturating_sub(1);
        }
    }
}

async fn poll(shared: &Arc<Shared>, asked: &Asked<'_>) -> Reply {
    let Some(w_id) = asked.text("wId") else { return Reply::fail("参数错误") };
    {
        let world = shared.lock();
        let auto_check = asked.0.get("autoCheck").is_some_and(Value::is_boolean);
        if world.knobs.strict_fields && world.dialect == Dialect::V3 && !auto_check {
            return Reply::fail("参数错误");
        }
    }
    let mut changed = shared.changed();
    let started = shared.now();
    let first;
    let guard = {
        let mut world = shared.lock();
        world.expire(started);
        let Some(&code) = world.code_index.get(&w_id) else {
            // Not a code: an instance that is signed in already tells who it is (protocol.md §3.4).
            return match world.by_w_id(&w_id) {
                Some(member) => finished(&mut world, member, Some(w_id)),
                None => Reply::failed(),
            };
        };
        if let Some(code) = world.codes.get_mut(code) {
            code.open_polls += 1;
        }
        let tries = world.knobs.verify_code_tries;
        if let (Some(wanted), Some(given)) = (world.knobs.verify_code.clone(), asked.text("verifyCode"))
            && let Some(code) = world.codes.get_mut(code)
        {
            let right = wanted == given;
            code.verified |= right;
            code.wrong_codes += u32::from(!right);
            if !right && tries.is_some_and(|tries| code.wrong_codes >= tries) {
                code.state = CodeState::Cancelled;
            }
        }
        world.settle(started, code);
        first = world.codes.get(code).map(|c| c.state.clone());
        PollGuard { shared, code }
    };
    loop {
        let until = {
            let now = shared.now();
            let mut world = shared.lock();
            world.expire(now);
            match look(&mut world, now, started, guard.code, first.as_ref()) {
                Ok(reply) => {
                    drop(world);
                    return reply;
                }
                Err(until) => until,
            }
        };
        tokio::select! {
            _ = changed.changed() => {}
            () = shared.sleep_until(until) => {}
        }
    }
}

/// What a poll sees: a reply, or how long to wait at most.
fn look(world: &mut World, now: Ms, started: Ms, at: usize, first: Option<&CodeState>) -> Result<Reply, Ms> {
    let limit = world.knobs.poll_ms.unwrap_or_else(|| world.limit());
    let Some(code) = world.codes.get_mut(at) else { return Ok(Reply::failed()) };
    match code.state {
        CodeState::Done(member) => {
            code.told += 1;
            if code.told > 1 && !world.knobs.success_replay {
                return Ok(Reply::failed());
            }
            let (polled, live) = (code.w_id.clone(), code.final_w_id.clone());
            let shown = match world.reply_w_id() {
                ReplyWId::Missing => None,
                ReplyWId::Same => Some(polled),
                ReplyWId::Different | ReplyWId::Sample => Some(live),
            };
            Ok(finished(world, member, shown))
        }
        CodeState::Cancelled => Ok(Reply::fail(&world.knobs.cancel_text)),
        CodeState::Over => Ok(Reply::fail("二维码已过期")),
        CodeState::Confirmed(_) if world.knobs.verify_code.is_some() && !code.verified => {
            let mut reply = Reply::fail("请在ipad上输入验证码");
            if world.knobs.verify_code_in_reply {
                reply.extra = Some(("verifyCode", json!(world.knobs.verify_code)));
            }
            Ok(reply)
        }
        CodeState::Confirmed(_) if world.knobs.device_verification && !code.device_asked => {
            code.device_asked = true;
            let url = format!("{}/verify/{}", world.image_base, code.w_id);
            let mut reply = Reply::ok("处理成功", json!({"url": url}));
            reply.code = "200";
            Ok(reply)
        }
        CodeState::Waiting | CodeState::Scanned(_) | CodeState::Confirmed(_) => {
            let status = match code.state {
                CodeState::Waiting => 1,
                _ => 2,
            };
            let (w_id, expires, state) = (code.w_id.clone(), code.expires, code.state.clone());
            if world.knobs.poll_tells_status {
                let slice = started + world.knobs.status_poll_ms;
                if now >= slice || Some(&state) != first {
                    let mut data = json!({"wId": w_id, "status": status_of(world, status)});
                    if let (CodeState::Scanned(at) | CodeState::Confirmed(at), Some(map)) =
                        (&state, data.as_object_mut())
                        && let Some(member) = world.member(*at)
                    {
                        map.insert("nickName".into(), json!(nick_name(world, member)));
                        map.insert("headUrl".into(), json!(HEAD));
                    }
                    return Ok(Reply::ok("成功", data));
                }
                return Err(slice.min(expires));
            }
            if now >= started + limit {
                return Ok(Reply::fail(&world.knobs.poll_timeout_text));
            }
            Err(expires.min(started + limit))
        }
    }
}

const HEAD: &str = "http://wx.qlogo.cn/mmhead/ver_1/SAOMA-dummy/0";

fn status_of(world: &World, status: u8) -> Value {
    if world.knobs.envelope.status_as_string { json!(status.to_string()) } else { json!(status) }
}

/// The nickname as replies carry it.
fn nick_name(world: &World, member: &Member) -> String {
    if world.knobs.hostile_names {
        format!("\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31m\u{202e}{}\r\n\u{9b}5mx", member.spec.nick_name)
    } else {
        member.spec.nick_name.clone()
    }
}

/// What V2 and V3 tell of an account.
fn record(world: &World, member: &Member) -> Map<String, Value> {
    let spec = &member.spec;
    let record = json!({
        "wcId": spec.wc_id, "nickName": nick_name(world, member), "headUrl": HEAD, "smallHeadImgUrl": HEAD,
        "wAccount": spec.w_account, "country": spec.country, "city": spec.city, "signature": spec.signature,
        "sex": spec.sex, "status": status_of(world, 3),
    });
    let mut record = record.as_object().cloned().unwrap_or_default();
    if world.knobs.envelope.extra_keys {
        record.insert("newDevice".into(), json!(1));
        record.insert("deviceId".into(), json!("SAOMA"));
    }
    record
}

/// The reply of a poll on a login that is done.
fn finished(world: &mut World, at: usize, w_id: Option<String>) -> Reply {
    let blob = (world.dialect == Dialect::V1 && world.knobs.v1_blob).then(|| world.blob());
    let Some(member) = world.member(at) else { return Reply::failed() };
    let mut data = record(world, member);
    match world.dialect {
        Dialect::V1 => data.retain(|key, _| ["wcId", "nickName", "headUrl"].contains(&key.as_str())),
        Dialect::V2 => {}
        Dialect::V3 => {
            let more = json!({"type": 2, "deviceType": "android", "uin": 1_000_000_u32, "mobilePhone": "",
                              "username": member.spec.wc_id});
            data.extend(more.as_object().cloned().unwrap_or_default());
        }
    }
    if let Some(w_id) = w_id {
        data.insert("wId".into(), json!(w_id));
    }
    if let Some(blob) = blob {
        data.insert("data".into(), json!(blob));
    }
    Reply::ok("成功", Value::Object(data))
}

/// Knows when the client of a second login has gone.
struct DialogGuard<'a> {
    shared: &'a Shared,
    dialog: usize,
}

impl Drop for DialogGuard<'_> {
    fn drop(&mut self) {
        let now = self.shared.now();
        let mut world = self.shared.lock();
        if !world.knobs.second_login_dies_with_socket {
            return;
        }
        if let Some(dialog) = world.dialogs.get_mut(self.dialog)
            && dialog.state == DialogState::Open
        {
            dialog.state = DialogState::Failed;
            let at = dialog.member;
            world.tell(now, "dialog_gone", json!({"wc_id": world.wc_id(at)}));
        }
    }
}

async fn second_login(shared: &Arc<Shared>, asked: &Asked<'_>) -> Reply {
    let Some(wc_id) = asked.text("wcId") else { return Reply::fail("参数错误") };
    let mut changed = shared.changed();
    let guard = {
        let now = shared.now();
        let mut world = shared.lock();
        world.expire(now);
        match world.new_dialog(now, &wc_id) {
            Some(dialog) => DialogGuard { shared, dialog },
            None => return second_login_failed(&world),
        }
    };
    loop {
        let until = {
            let now = shared.now();
            let mut world = shared.lock();
            world.expire(now);
            let Some(dialog) = world.dialogs.get(guard.dialog) else { return Reply::failed() };
            match &dialog.state {
                DialogState::Open => dialog.expires,
                DialogState::Failed => return second_login_failed(&world),
                DialogState::Confirmed(w_id, at) if now >= *at => {
                    let w_id = w_id.clone();
                    let Some(member) = world.member(dialog.member) else { return Reply::failed() };
                    let mut data = record(&world, member);
                    data.insert("wId".into(), json!(w_id));
                    return Reply::ok("成功", Value::Object(data));
                }
                DialogState::Confirmed(_, at) => *at,
            }
        };
        tokio::select! {
            _ = changed.changed() => {}
            () = shared.sleep_until(until) => {}
        }
    }
}

fn second_login_failed(world: &World) -> Reply {
    match world.knobs.second_login_failure {
        FailureShape::Nested => Reply::nested(&world.knobs.envelope),
        FailureShape::Plain => Reply::fail("系统失败,请重试"),
    }
}

fn is_online(world: &World, now: Ms, asked: &Asked<'_>) -> Reply {
    let Some(w_id) = asked.text("wId") else { return Reply::fail("参数错误") };
    let then = now.saturating_sub(world.knobs.list_lag_ms);
    let online = world.members.iter().any(|m| m.w_id_at(then) == Some(&w_id));
    if !online && world.knobs.unknown_w_id_fails {
        return Reply::failed();
    }
    Reply::ok("成功", json!({"isOnline": online}))
}

/// Whether this list call is one of those that answer nothing.
fn empty_now(world: &mut World) -> bool {
    let empty = world.knobs.empty_lists > 0;
    world.knobs.empty_lists = world.knobs.empty_lists.saturating_sub(1);
    empty
}

/// A list, or what a short one has of it: spread over the whole, and at least one fewer.
fn shortened(world: &mut World, mut list: Vec<Value>) -> Value {
    if world.knobs.short_lists > 0 {
        world.knobs.short_lists -= 1;
        let percent = usize::from(world.knobs.short_list_percent.min(100));
        let keep = (list.len() * percent / 100).min(list.len().saturating_sub(1));
        list.truncate(keep);
    }
    Value::Array(list)
}

fn query_login_wx(world: &mut World, now: Ms) -> Reply {
    if empty_now(world) {
        return Reply::ok("成功", json!([]));
    }
    let then = now.saturating_sub(world.knobs.list_lag_ms);
    let online = world.members.iter().filter_map(|m| Some(json!({"wcId": m.spec.wc_id, "wId": m.w_id_at(then)?})));
    let online = online.collect();
    Reply::ok("成功", shortened(world, online))
}

fn login_wc_ids(world: &mut World, now: Ms, asked: &Asked<'_>) -> Reply {
    let right = asked.text("account").as_deref() == Some(&world.account)
        && asked.text("password").as_deref() == Some(&world.password);
    if !right {
        return Reply::failed();
    }
    if empty_now(world) {
        return Reply::ok("成功", json!([]));
    }
    let then = now.saturating_sub(world.knobs.list_lag_ms);
    let online = world.members.iter().filter(|m| m.w_id_at(then).is_some()).map(|m| json!(m.spec.wc_id));
    let online = online.collect();
    Reply::ok("成功", shortened(world, online))
}

fn logout(world: &mut World, now: Ms, asked: &Asked<'_>) -> Reply {
    let live = asked.text("wId").and_then(|w_id| world.by_w_id(&w_id));
    match live {
        Some(at) if world.log_out(now, at, None, false) => Reply::ok("成功", Value::Null),
        _ => Reply::failed(),
    }
}

fn member_offline(world: &mut World, now: Ms, asked: &Asked<'_>) -> Reply {
    if asked.text("account").as_deref() != Some(&world.account) {
        return Reply::failed();
    }
    let Some(Value::Array(wc_ids)) = asked.0.get("wcIds") else { return Reply::fail("参数错误") };
    for wc_id in wc_ids.iter().filter_map(Value::as_str) {
        if let Ok(at) = world.find(wc_id) {
            world.log_out(now, at, None, false);
        }
    }
    Reply::ok("成功", Value::Null)
}

fn member_logout(world: &mut World, now: Ms) -> Reply {
    for at in 0..world.members.len() {
        world.log_out(now, at, None, false);
    }
    world.tokens.clear();
    Reply::ok("成功", Value::Null)
}

fn address_list(world: &World, asked: &Asked<'_>, reply: Reply) -> Reply {
    match asked.text("wId").and_then(|w_id| world.by_w_id(&w_id)) {
        Some(_) => reply,
        None => Reply::failed(),
    }
}

fn set_callback(world: &mut World, asked: &Asked<'_>) -> Reply {
    if world.knobs.strict_fields && world.dialect == Dialect::V3 && asked.int("type") != Some(2) {
        return Reply::fail("参数错误");
    }
    let url = asked.text("httpUrl").filter(|url| super::callback::target(url).is_some());
    match url {
        Some(url) => {
            world.callback = Some(url);
            world.queue_test_push();
            Reply::ok("设置成功", Value::Null)
        }
        None => Reply::fail("回调地址不可用: only loopback http addresses in the simulator"),
    }
}

fn offline_reason(world: &mut World, now: Ms, asked: &Asked<'_>) -> Reply {
    let interval = world.knobs.reason_interval_ms;
    let Some(at) = asked.text("wcId").and_then(|wc_id| world.find(&wc_id).ok()) else { return Reply::failed() };
    let Some(member) = world.members.get_mut(at) else { return Reply::failed() };
    if member.reason_asked.is_some_and(|asked| now < asked + interval) {
        return Reply::fail(&world.knobs.reason_limit_text);
    }
    member.reason_asked = Some(now);
    member.reasons += 1;
    let (wc_id, reason) = (member.spec.wc_id.clone(), member.reason.clone().filter(|_| member.w_id().is_none()));
    let reason = reason.map(|words| world.wrapped(&words));
    Reply::ok("获取离线原因成功", json!([{"wcId": wc_id, "reason": reason}]))
}
