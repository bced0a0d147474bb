//! An account's device as one column of JSON. The own proxy's password is in it: nothing here is ever shown.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::model::{Device, OwnProxy};

#[derive(Serialize, Deserialize)]
struct Column {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_type: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own_proxy: Option<Proxy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aid: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttuid: Option<Box<str>>,
}

#[derive(Serialize, Deserialize)]
struct Proxy {
    address: Box<str>,
    user: Box<str>,
    password: String,
}

/// The column of a device.
pub(super) fn json(device: &Device) -> String {
    let column = Column {
        device_type: device.device_type.clone(),
        region: device.region,
        own_proxy: device.own_proxy.as_ref().map(|proxy| Proxy {
            address: proxy.address.clone(),
            user: proxy.user.clone(),
            password: proxy.password.expose_secret().to_owned(),
        }),
        aid: device.aid.clone(),
        ttuid: device.ttuid.clone(),
    };
    // Text and a number: it cannot fail.
    serde_json::to_string(&column).unwrap_or_default()
}

/// The device of a column; `None` where nothing is set, or it is not readable.
pub(super) fn read(json: &str) -> Option<Device> {
    let column: Column = serde_json::from_str(json).ok()?;
    let device = Device {
        device_type: column.device_type,
        region: column.region,
        own_proxy: column.own_proxy.map(|proxy| OwnProxy {
            address: proxy.address,
            user: proxy.user,
            password: SecretString::from(proxy.password),
        }),
        aid: column.aid,
        ttuid: column.ttuid,
    };
    (!device.is_empty()).then_some(device)
}
