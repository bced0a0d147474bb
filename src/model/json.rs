//! The JSON objects of design.md §5 that more than one part writes: accounts, `logged_in`, `w_id_changed`.
//! Text goes in exactly as the gateway sent it.

use serde_json::{Map, Value, json};

use super::{Account, AttemptId, Budget, Cost, Device, Stamp, WId, WcId};

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

/// An account (design.md §5, last list) at `now`, by which its budget is counted. `device` is there where one is set.
pub fn account(account: &Account, now: Stamp) -> Value {
    let mut map = json!({
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
        "budget": budget(account.budget.as_deref(), now),
    });
    if let (Some(fields), Some(set)) = (map.as_object_mut(), account.device.as_deref().filter(|set| !set.is_empty())) {
        fields.insert("device".into(), device(set));
    }
    map
}

/// What an account has cost in the 24 hours before `now`, and until when it rests, if it still does.
fn budget(budget: Option<&Budget>, now: Stamp) -> Value {
    let spent = |cost| budget.map_or(0, |budget| budget.spent(cost, now));
    let rests_until = budget.and_then(|budget| budget.rest(now));
    json!({
        "second_logins": spent(Cost::SecondLogin),
        "codes": spent(Cost::Code),
        "rests_until": rests_until.map(Stamp::rfc3339),
    })
}

/// Device and network, what is set of them, never the own proxy's password. `proxy` is a region's number or the address
/// of an own proxy, as in the config.
pub fn device(device: &Device) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() && value != "" {
            map.insert(name.into(), value);
        }
    };
    put("type", json!(device.device_type));
    match &device.own_proxy {
        Some(own) => {
            put("proxy", json!(own.address));
            put("proxy_user", json!(own.user));
        }
        None => put("proxy", json!(device.region)),
    }
    put("aid", json!(device.aid));
    put("ttuid", json!(device.ttuid));
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::OwnProxy;
    use super::*;

    #[test]
    fn a_device_is_told_where_one_is_set_and_without_its_password() {
        let mut known = Account::new("wxid_a".into());
        assert_eq!(account(&known, Stamp(0)).get("device"), None);
        known.device = Some(Box::new(Device { device_type: Some("mac".into()), region: Some(7), ..Device::default() }));
        assert_eq!(account(&known, Stamp(0))["device"], json!({"type": "mac", "proxy": 7}));
        let own =
            OwnProxy { address: "203.0.113.9:1080".into(), user: "me".into(), password: SecretString::from("hunter2") };
        known.device = Some(Box::new(Device { own_proxy: Some(own), aid: Some("a".into()), ..Device::default() }));
        let expected = json!({"proxy": "203.0.113.9:1080", "proxy_user": "me", "aid": "a"});
        assert_eq!(account(&known, Stamp(0))["device"], expected);
    }

    #[test]
    fn a_budget_counts_the_last_day() {
        const HOUR: i64 = 3_600_000;
        let mut known = Account::new("wxid_a".into());
        let none = json!({"second_logins": 0, "codes": 0, "rests_until": null});
        assert_eq!(account(&known, Stamp(0))["budget"], none);
        let mut spent = Budget::default();
        spent.spend(Cost::SecondLogin, Stamp(0));
        spent.spend(Cost::Code, Stamp(HOUR));
        spent.refused(Stamp(HOUR));
        known.budget = Some(Box::new(spent));
        let rests = json!({"second_logins": 1, "codes": 1, "rests_until": "1970-01-01T01:10:00.000Z"});
        assert_eq!(account(&known, Stamp(HOUR))["budget"], rests);
        assert_eq!(account(&known, Stamp(26 * HOUR))["budget"], none, "what was is over");
    }
}
