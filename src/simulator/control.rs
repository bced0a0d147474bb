//! The control API under `/_control/`: what a test's hand does to the simulator over HTTP. It needs no token; the
//! simulator listens on loopback only. docs/simulator.md describes it for its users.

use std::sync::Arc;

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::act::{Act, ActError};
use super::logins::{CodeState, DialogState};
use super::server::{Shared, json_answer};
use super::world::World;

/// `GET state|requests|knobs|faults|token` reads, `POST <act>` does an [`Act`] whose fields are the body,
/// `POST act` takes the act's name from the body's `do`, `DELETE requests` empties the log.
pub(super) fn handle(shared: &Arc<Shared>, method: &Method, what: &str, query: Option<&str>, body: &[u8]) -> Response {
    if *method == Method::GET {
        let mut world = shared.lock();
        let now = shared.now();
        world.expire(now);
        let value = match what {
            "" | "state" => state(&world, now),
            "requests" => {
                let endpoint = query.and_then(|q| q.strip_prefix("endpoint="));
                let wanted = world.log.iter().filter(|logged| endpoint.is_none_or(|e| e == logged.endpoint));
                json!(wanted.collect::<Vec<_>>())
            }
            "knobs" => json!(world.knobs),
            "faults" => json!(world.faults),
            "token" => {
                json!({"token": world.newest_token, "account": world.account, "password": world.password})
            }
            _ => return refuse(404, "no_such_thing", "no such thing to read"),
        };
        return json_answer(200, &value);
    }
    if *method == Method::DELETE && what == "requests" {
        shared.lock().log.clear();
        return json_answer(200, &json!({}));
    }
    if *method != Method::POST {
        return refuse(405, "method", "use GET or POST");
    }
    let body = match body.trim_ascii() {
        b"" => json!({}),
        bytes => match serde_json::from_slice(bytes) {
            Ok(body) => body,
            Err(error) => return refuse(400, "bad", &error.to_string()),
        },
    };
    match read_act(what, body) {
        Ok(act) => {
            if matches!(act, Act::BreakConnections) {
                // The reply to this very request is lost with the others.
                shared.break_connections();
            }
            let now = shared.now();
            match shared.lock().act(now, act) {
                Ok(done) => json_answer(200, &done),
                Err(error @ ActError::Bad(_)) => refuse(400, error.code(), &error.to_string()),
                Err(error) => refuse(409, error.code(), &error.to_string()),
            }
        }
        Err(error) => refuse(400, "bad", &error.to_string()),
    }
}

fn read_act(what: &str, body: Value) -> Result<Act, serde_json::Error> {
    let mut body = match (what, body) {
        // The knobs themselves are the body, without the detour over `set`.
        ("knobs", body) if body.get("set").is_none() => json!({"set": body}),
        (_, body) => body,
    };
    if what != "act"
        && let Some(map) = body.as_object_mut()
    {
        map.insert("do".into(), json!(what));
    }
    serde_json::from_value(body)
}

fn refuse(status: u16, code: &str, words: &str) -> Response {
    json_answer(status, &json!({"error": code, "detail": words}))
}

/// Everything at a glance.
fn state(world: &World, now: u64) -> Value {
    let accounts = world.members.iter().map(|m| {
        json!({
            "wc_id": m.spec.wc_id, "nick_name": m.spec.nick_name, "w_id": m.w_id(), "known": m.known,
            "qr_only": m.qr_only, "logins": m.logins, "dialogs": m.dialogs, "devices": m.devices,
            "remembered": m.remembered, "device": m.device, "device_changes": m.device_changes, "reasons": m.reasons,
        })
    });
    let codes = world.codes.iter().map(|c| {
        let (state, member) = match c.state {
            CodeState::Waiting => ("waiting", None),
            CodeState::Scanned(m) => ("scanned", Some(m)),
            CodeState::Confirmed(m) => ("confirmed", Some(m)),
            CodeState::Done(m) => ("done", Some(m)),
            CodeState::Cancelled => ("cancelled", None),
            CodeState::Over => ("over", None),
        };
        json!({
            "w_id": c.w_id, "asked_for": c.wc_id, "state": state, "wc_id": member.map(|m| world.wc_id(m)),
            "payload": c.payload, "image": format!("{}/{}", world.image_base, c.image), "expires_ms": c.expires,
            "open_polls": c.open_polls, "told": c.told,
        })
    });
    let dialogs = world.dialogs.iter().map(|d| {
        let state = match d.state {
            DialogState::Open => "open",
            DialogState::Confirmed(..) => "confirmed",
            DialogState::Failed => "failed",
        };
        json!({"wc_id": world.wc_id(d.member), "state": state, "expires_ms": d.expires})
    });
    json!({
        "dialect": world.dialect, "now_ms": now, "auto": world.auto, "callback": world.callback,
        "accounts": accounts.collect::<Vec<_>>(), "codes": codes.collect::<Vec<_>>(),
        "dialogs": dialogs.collect::<Vec<_>>(),
    })
}
