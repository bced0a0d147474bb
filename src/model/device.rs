//! What V3 wants to know of the device an account lives on (protocol.md §3.2). V1 and V2 never see any of it.

use secrecy::{ExposeSecret as _, SecretString};

/// The `deviceType` of an account that nobody chose one for: the one the documents recommend, and the one that leaves
/// the person's desktop client alone (protocol.md §3.2, §4 rule 9).
pub const DEVICE_TYPE: &str = "ipad";

/// The region of an account that nobody chose one for. `proxy` is required (protocol.md §3.2), so a login without it
/// cannot be sent, and no region can be known to be right; what harms is one that changes. So it is always this one,
/// the first of the list and part of every edition of it, until somebody sets another.
pub const REGION: u16 = 1;

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

    /// Whether it says where the account's traffic comes out: a region, an own proxy or a tunnel.
    pub const fn has_network(&self) -> bool {
        self.region.is_some() || self.has_tunnel()
    }

    const fn has_tunnel(&self) -> bool {
        self.own_proxy.is_some() || self.aid.is_some() || self.ttuid.is_some()
    }

    /// This device, with what it leaves open taken from `defaults`.
    ///
    /// Where the traffic comes out is one choice: a device that names a region of its own is not sent through the
    /// default's proxy or tunnel, which would override it. The default's region only fills a place that a proxy or
    /// tunnel of this device overrides anyway.
    #[must_use]
    pub fn or(&self, defaults: &Self) -> Self {
        let network = if self.has_network() { self } else { defaults };
        Self {
            device_type: self.device_type.clone().or_else(|| defaults.device_type.clone()),
            region: self.region.or(defaults.region),
            own_proxy: network.own_proxy.clone(),
            aid: network.aid.clone(),
            ttuid: network.ttuid.clone(),
        }
    }

    /// What a V3 login of an account with this device goes out as, and what is to be remembered of it: `own` before
    /// the profile's `defaults`, and what neither says as [`DEVICE_TYPE`] and [`REGION`]. An account that has logged in
    /// once keeps what comes out of this, however the defaults change later.
    #[must_use]
    pub fn settled(own: Option<&Self>, defaults: &Self) -> Self {
        own.map_or_else(|| defaults.clone(), |own| own.or(defaults)).complete()
    }

    /// Whether a word can be a `deviceType`. Which words a gateway knows is its own affair (`ipad`, `mac`, `ipadpro`
    /// and `car` are met, protocol.md §3.2), so only the shape is looked at.
    pub fn is_type(word: &str) -> bool {
        !word.is_empty()
            && word.len() <= 32
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    }

    /// Sets the network as people write it: a region's number (1 to 99; the list has 30 and has changed before), or the
    /// `ip:port` of an own SOCKS5 proxy, whose user and password stay as they are if it is the same address. What was
    /// the other of the two is taken away. `None` and nothing changed for what is neither.
    pub fn set_proxy(&mut self, text: &str) -> Option<()> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            self.region = Some(text.parse().ok().filter(|region| (1..=99).contains(region))?);
            self.own_proxy = None;
            return Some(());
        }
        let own = OwnProxy::at(text.strip_prefix("socks5://").unwrap_or(text))?;
        match &mut self.own_proxy {
            Some(before) if before.address == own.address => {}
            before => *before = Some(own),
        }
        self.region = None;
        Some(())
    }

    /// The network as [`Device::set_proxy`] reads it; `None` where neither a region nor an own proxy is set.
    pub fn proxy(&self) -> Option<String> {
        match (&self.own_proxy, self.region) {
            (Some(own), _) => Some(own.address.to_string()),
            (None, region) => region.map(|region| region.to_string()),
        }
    }

    /// With `deviceType` and region, the two fields that V3 requires.
    #[must_use]
    pub fn complete(mut self) -> Self {
        self.device_type.get_or_insert_with(|| DEVICE_TYPE.into());
        self.region.get_or_insert(REGION);
        self
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

impl OwnProxy {
    /// A proxy that needs no user, from `host:port`; `None` for what is no address. The protocol asks for an `ip:port`
    /// (§3.2), but it is the gateway that resolves it, so a host name is let through.
    pub fn at(address: &str) -> Option<Self> {
        let address = address.trim();
        let (host, port) = address.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(ip) => ip.strip_suffix(']').filter(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok())?,
            None => host,
        };
        let is_host = !host.is_empty()
            && host.len() <= 253
            && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
        let bare = !address.starts_with('[') && host.contains(':');
        let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
        (is_host && is_port && !bare).then(|| Self {
            address: address.into(),
            user: "".into(),
            password: SecretString::default(),
        })
    }
}

impl PartialEq for OwnProxy {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
            && self.user == other.user
            && self.password.expose_secret() == other.password.expose_secret()
    }
}

impl Eq for OwnProxy {}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(text: &str) -> Device {
        let mut device = Device::default();
        for (name, value) in text.split_whitespace().filter_map(|part| part.split_once('=')) {
            match name {
                "type" => device.device_type = Some(value.into()),
                "region" => device.region = value.parse().ok(),
                "own" => device.own_proxy = OwnProxy::at(value),
                "aid" => device.aid = Some(value.into()),
                "ttuid" => device.ttuid = Some(value.into()),
                other => panic!("{other}"),
            }
        }
        device
    }

    #[test]
    fn an_account_keeps_its_own_and_takes_the_rest() {
        let proxy = "own=203.0.113.9:1080";
        for (own, defaults, both) in [
            ("", "type=mac region=7", "type=mac region=7"),
            ("region=3", "type=mac region=7", "type=mac region=3"),
            ("type=ipad", "type=mac region=7 aid=a", "type=ipad region=7 aid=a"),
            // Its own region is not overridden by a proxy or tunnel of the profile.
            ("region=3", &*format!("region=7 {proxy} aid=a ttuid=t"), "region=3"),
            (proxy, "region=7 aid=a", &*format!("region=7 {proxy}")),
            ("ttuid=t", &*format!("region=7 {proxy}"), "region=7 ttuid=t"),
        ] {
            assert_eq!(device(own).or(&device(defaults)), device(both), "{own:?} or {defaults:?}");
        }
    }

    #[test]
    fn what_goes_out_has_both_required_fields_and_settles() {
        assert_eq!(Device::settled(None, &Device::default()), device("type=ipad region=1"));
        let first = Device::settled(None, &device("type=mac region=7 own=203.0.113.9:1080"));
        assert_eq!(first, device("type=mac region=7 own=203.0.113.9:1080"));
        for later in ["", "type=ipad region=9", "aid=a"] {
            assert_eq!(Device::settled(Some(&first), &device(later)), first, "defaults that change later: {later:?}");
        }
    }

    #[test]
    fn addresses_of_own_proxies() {
        for good in ["203.0.113.9:1080", "[2001:db8::1]:1080", "socks.example:1", " 203.0.113.9:1080 "] {
            assert_eq!(OwnProxy::at(good).map(|own| own.address).as_deref(), Some(good.trim()), "{good}");
        }
        for bad in
            ["", "7", "203.0.113.9", ":1080", "h:0", "h:99999", "h:+1", "2001:db8::1:1080", "u:p@h:1", "a b:1", "[x]:1"]
        {
            assert!(OwnProxy::at(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_a_region_or_an_address() {
        let mut own = device("type=mac aid=a");
        assert_eq!((own.set_proxy(" 7 "), own.proxy().as_deref()), (Some(()), Some("7")));
        assert_eq!((own.set_proxy("socks5://203.0.113.9:1080"), own.region), (Some(()), None));
        own.own_proxy.as_mut().unwrap().user = "me".into();
        assert_eq!((own.set_proxy("203.0.113.9:1080"), own.proxy().as_deref()), (Some(()), Some("203.0.113.9:1080")));
        assert_eq!(&*own.own_proxy.as_ref().unwrap().user, "me");
        let before = own.clone();
        for bad in ["", "0", "100", "-3", "x", "socks5://me:secret@203.0.113.9:1080", "http://203.0.113.9:1080"] {
            assert_eq!(own.set_proxy(bad), None, "{bad}");
            assert_eq!(own, before);
        }
        assert_eq!((own.set_proxy("3"), &own), (Some(()), &device("type=mac aid=a region=3")));
        assert!(Device::is_type("ipadpro") && !Device::is_type("i pad") && !Device::is_type(""));
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let mut own = OwnProxy::at("203.0.113.9:1080").unwrap();
        own.password = "hunter2".into();
        assert!(!format!("{own:?}").contains("hunter2"));
    }
}
