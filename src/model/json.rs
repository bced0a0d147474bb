//! The JSON objects of design.md §5 that more than one part writes: accounts, `logged_in`, `w_id_changed`.
//! Text goes in exactly as the gateway sent it.

use serde_json::{Map, Value, json};

use super::{Account, AttemptId, Stamp, WId, WcId};

/// The version that every object carries as `schema`.
pub const SCHEMA: u32 = 1;

/// The fields every object has: `schema`, `event`, `at`, `profile`.
pub fn event(event: &str, at: Stamp, profile: &str) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("schema".into(), json!(SCHEMA));
    map.insert("event".into(), json!(event));
    map.insert("at".into(), json!(at.rfc3339()));
    map.insert("profile".into(), json!(profile));
    map
}

/// [`event`] plus what every login event has: `attempt`, `wc_id` (null when not known), `account`.
pub fn login_event(
    name: &str,
    at: Stamp,
    profile: &str,
    attempt: Option<&AttemptId>,
    wc_id: Option<&WcId>,
    account: &str,
) -> Map<String, Value> {
    let mut map = event(name, at, profile);
    map.insert("attempt".into(), json!(attempt));
    map.insert("wc_id".into(), json!(wc_id));
    map.insert("account".into(), json!(account));
    map
}

/// `logged_in`: the account as it is after the swap.
pub fn logged_in(
    at: Stamp,
    profile: &str,
    attempt: Option<&AttemptId>,
    account: &Account,
    w_id: &WId,
    previous_w_id: Option<&WId>,
) -> Map<String, Value> {
    let mut map = login_event("logged_in", at, profile, attempt, Some(&account.wc_id), account.name());
    map.insert("w_id".into(), json!(w_id));
    map.insert("nick_name".into(), json!(account.nick_name));
    map.insert("w_account".into(), json!(account.w_account));
    map.insert("previous_w_id".into(), json!(previous_w_id));
    map
}

/// `w_id_changed`, with its cause (`adopted`, `login`).
pub fn w_id_changed(
    at: Stamp,
    profile: &str,
    account: &Account,
    w_id: &WId,
    previous_w_id: Option<&WId>,
    cause: &str,
) -> Map<String, Value> {
    let mut map = login_event("w_id_changed", at, profile, None, Some(&account.wc_id), account.name());
    map.insert("w_id".into(), json!(w_id));
    map.insert("previous_w_id".into(), json!(previous_w_id));
    map.insert("cause".into(), json!(cause));
    map
}

/// An account (design.md §5, last list).
pub fn account(account: &Account) -> Value {
    json!({
        "wc_id": account.wc_id,
        "w_id": account.w_id,
        "w_id_confirmed": account.w_id_confirmed,
        "nick_name": account.nick_name,
        "w_account": account.w_account,
        "sex": account.sex,
        "avatar_url": account.avatar_url,
        "presence": account.presence,
        "stale": account.stale,
        "source": account.source,
        "observed_at": account.observed_at.map(Stamp::rfc3339),
        "last_login_at": account.last_login_at.map(Stamp::rfc3339),
        "holder": account.holder,
        "tags": account.tags,
        "note": account.note,
    })
}
