//! What V3 wants to know of the device an account lives on (protocol.md §3.2). V1 and V2 never see any of it.

use secrecy::{ExposeSecret as _, SecretString};

/// Device and network of an account in V3: remembered per account and sent with every login, since a login from
/// elsewhere risks a ban (protocol.md §3.2). `None` fields are taken from the profile's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// `deviceType`: `ipad`, `mac`, or another word the gateway knows.
    pub device_type: Option<Box<str>>,
    /// `proxy`: number of the gateway's own region.
    pub region: Option<u16>,
    /// An own SOCKS5 proxy; it overrides the region.
    pub own_proxy: Option<OwnProxy>,
    /// `aid`: tunnel of a helper program on a PC; it overrides the region.
    pub aid: Option<Box<str>>,
    /// `ttuid`: tunnel of a helper program on a phone.
    pub ttuid: Option<Box<str>>,
}

impl Device {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This device, with what it leaves open taken from `defaults`.
    #[must_use]
    pub fn or(&self, defaults: &Self) -> Self {
        Self {
            device_type: self.device_type.clone().or_else(|| defaults.device_type.clone()),
            region: self.region.or(defaults.region),
            own_proxy: self.own_proxy.clone().or_else(|| defaults.own_proxy.clone()),
            aid: self.aid.clone().or_else(|| defaults.aid.clone()),
            ttuid: self.ttuid.clone().or_else(|| defaults.ttuid.clone()),
        }
    }
}

/// A SOCKS5 proxy of the operator's own.
#[derive(Clone, Debug)]
pub struct OwnProxy {
    /// `ip:port`.
    pub address: Box<str>,
    /// User name; empty where it needs none.
    pub user: Box<str>,
    /// Password; empty where it needs none.
    pub password: SecretString,
}

impl PartialEq for OwnProxy {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
            && self.user == other.user
            && self.password.expose_secret() == other.password.expose_secret()
    }
}

impl Eq for OwnProxy {}
