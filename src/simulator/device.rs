//! V3's devices and networks (protocol.md §3.2): what a login brings, what an account had before.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::endpoints::Asked;
use super::knobs::ChangedDevice;
use super::world::{Due, Ms, World};
use crate::model::Dialect;

/// How long after a login from elsewhere WeChat kicks the account.
const KICK_MS: Ms = 30_000;

/// The device and network an account was last signed in from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimDevice {
    /// `deviceType`.
    pub device_type: String,
    /// Where it comes out: `proxyIp`, else the `aid` or `ttuid` of a tunnel, else the region's number.
    pub network: String,
}

/// V3's fields that V1 and V2 do not know, by endpoint. `proxy` is V2's too.
const V3_FIELDS: [&str; 7] = ["deviceType", "proxyIp", "proxyUser", "proxyPassword", "ttuid", "aid", "autoCheck"];
/// The regions of the list (protocol.md §3.2).
const REGIONS: std::ops::RangeInclusive<i64> = 1..=30;

/// Whether a request has a field that only another dialect knows.
pub(super) fn has_foreign(dialect: Dialect, endpoint: &str, asked: &Asked<'_>) -> bool {
    let typed_callback = endpoint == "setHttpCallbackUrl" && asked.has("type");
    match dialect {
        Dialect::V3 => ["iPadLogin", "secondLogin", "getIPadLoginInfo"].contains(&endpoint) && asked.has("type"),
        Dialect::V1 | Dialect::V2 if typed_callback => true,
        Dialect::V2 => V3_FIELDS.iter().any(|field| asked.has(field)),
        Dialect::V1 => asked.has("proxy") || V3_FIELDS.iter().any(|field| asked.has(field)),
    }
}

/// Whether a V3 `iPadLogin` has what it must have.
pub(super) fn is_complete(asked: &Asked<'_>) -> bool {
    let device = asked.text("deviceType");
    asked.has("wcId")
        && asked.int("proxy").is_some_and(|region| REGIONS.contains(&region))
        && device.is_some_and(|device| ["ipad", "mac", "ipadpro", "car"].contains(&device.as_str()))
}

impl SimDevice {
    /// What a login brings along; none of it in V1 and V2.
    pub(super) fn of(dialect: Dialect, asked: &Asked<'_>) -> Option<Self> {
        if dialect != Dialect::V3 {
            return None;
        }
        let tunnel = |field: &str| asked.text(field).map(|id| format!("{field}:{id}"));
        let network = asked.text("proxyIp").or_else(|| tunnel("aid")).or_else(|| tunnel("ttuid"));
        Some(Self {
            device_type: asked.text("deviceType").unwrap_or_default(),
            network: network.or_else(|| asked.text("proxy")).unwrap_or_default(),
        })
    }
}

impl World {
    /// Why a login with this device cannot begin; none: it can.
    pub(super) fn refuses_device(&self, wc_id: Option<&str>, device: Option<&SimDevice>) -> Option<String> {
        let device = device?;
        if self.knobs.broken_proxies.contains(&device.network) {
            return Some(self.knobs.proxy_failed_text.clone());
        }
        let before = wc_id.and_then(|wc_id| self.find(wc_id).ok()).and_then(|at| self.member(at)?.device.as_ref());
        let changed = before.is_some_and(|before| before != device);
        (changed && self.knobs.changed_device == ChangedDevice::Refuse).then(|| "设备信息与上次登录不一致".to_owned())
    }

    /// An account has been signed in from this device.
    pub(super) fn note_device(&mut self, now: Ms, at: usize, device: SimDevice) {
        let kick = self.knobs.changed_device == ChangedDevice::Kick;
        let Some(member) = self.members.get_mut(at) else { return };
        let before = member.device.replace(device.clone());
        let Some(before) = before.filter(|before| *before != device) else { return };
        member.device_changes += 1;
        let wc_id = member.spec.wc_id.clone();
        self.tell(now, "device_changed", json!({"wc_id": wc_id, "before": before, "now": device}));
        if kick {
            self.timers.push((now + KICK_MS, Due::Act(Box::new(super::act::Act::Kick { wc_id }))));
            self.touch();
        }
    }
}
