//! A change of an account's device and network, as people, files and forms write it.

use secrecy::{ExposeSecret as _, SecretString};

use super::Device;

/// What is to change. `None` leaves a field as it is, a blank takes it away, so that the profile's default holds again.
#[derive(Clone, Debug, Default)]
pub struct DeviceEdit {
    /// `deviceType`.
    pub device_type: Option<String>,
    /// A region's number or the address of an own proxy ([`Device::set_proxy`]).
    pub proxy: Option<String>,
    /// The own proxy's user.
    pub proxy_user: Option<String>,
    /// The own proxy's password.
    pub proxy_password: Option<SecretString>,
    /// Tunnel of a helper program on a PC.
    pub aid: Option<String>,
    /// Tunnel of a helper program on a phone.
    pub ttuid: Option<String>,
}

/// Why a change cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadDevice {
    /// What is no `deviceType`.
    Type,
    /// Neither a region's number nor an address.
    Proxy,
    /// User or password of a proxy that is not there.
    NoOwnProxy,
    /// A tunnel's name with blanks or controls in it, or without end.
    Tunnel,
}

impl BadDevice {
    /// The last part of its locale key `cli.device.<name>`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Proxy => "proxy",
            Self::NoOwnProxy => "no_own_proxy",
            Self::Tunnel => "tunnel",
        }
    }
}

impl DeviceEdit {
    /// Whether it changes nothing.
    pub const fn is_empty(&self) -> bool {
        self.device_type.is_none()
            && self.proxy.is_none()
            && self.proxy_user.is_none()
            && self.proxy_password.is_none()
            && self.aid.is_none()
            && self.ttuid.is_none()
    }

    /// The device after the change. Nothing is changed where one part of it cannot be.
    pub fn apply(&self, before: Option<&Device>) -> Result<Device, BadDevice> {
        let mut device = before.cloned().unwrap_or_default();
        if let Some(word) = &self.device_type {
            let word = word.trim();
            if !word.is_empty() && !Device::is_type(word) {
                return Err(BadDevice::Type);
            }
            device.device_type = filled(word);
        }
        match self.proxy.as_deref().map(str::trim) {
            Some("") => (device.region, device.own_proxy) = (None, None),
            Some(proxy) => device.set_proxy(proxy).ok_or(BadDevice::Proxy)?,
            None => {}
        }
        match &mut device.own_proxy {
            Some(own) => {
                if let Some(user) = &self.proxy_user {
                    own.user = user.trim().into();
                }
                if let Some(password) = &self.proxy_password {
                    own.password = password.clone();
                }
            }
            None => {
                let user = self.proxy_user.as_deref().is_some_and(|user| !user.trim().is_empty());
                let password = self.proxy_password.as_ref().is_some_and(|it| !it.expose_secret().is_empty());
                if user || password {
                    return Err(BadDevice::NoOwnProxy);
                }
            }
        }
        for (text, field) in [(&self.aid, &mut device.aid), (&self.ttuid, &mut device.ttuid)] {
            if let Some(text) = text.as_deref().map(str::trim) {
                if text.len() > 256 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
                    return Err(BadDevice::Tunnel);
                }
                *field = filled(text);
            }
        }
        Ok(device)
    }
}

impl PartialEq for DeviceEdit {
    fn eq(&self, other: &Self) -> bool {
        let password = |edit: &Self| edit.proxy_password.as_ref().map(|it| it.expose_secret().to_owned());
        let rest = |edit: &Self| {
            (
                edit.device_type.clone(),
                edit.proxy.clone(),
                edit.proxy_user.clone(),
                edit.aid.clone(),
                edit.ttuid.clone(),
            )
        };
        rest(self) == rest(other) && password(self) == password(other)
    }
}

impl Eq for DeviceEdit {}

fn filled(text: &str) -> Option<Box<str>> {
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn fields_are_set_kept_and_taken_away() {
        let first = DeviceEdit {
            device_type: some("mac"),
            proxy: some("203.0.113.9:1080"),
            proxy_user: some("me"),
            proxy_password: Some("hunter2".into()),
            aid: some(" aid-1 "),
            ttuid: None,
        };
        assert!(!format!("{first:?}").contains("hunter2"));
        let device = first.apply(None).unwrap();
        let own = device.own_proxy.as_ref().unwrap();
        assert_eq!((&*own.user, own.password.expose_secret(), device.aid.as_deref()), ("me", "hunter2", Some("aid-1")));
        assert_eq!(DeviceEdit::default().apply(Some(&device)).unwrap(), device);
        let region = DeviceEdit { proxy: some("7"), ..DeviceEdit::default() }.apply(Some(&device)).unwrap();
        assert_eq!((region.region, &region.own_proxy, region.device_type.as_deref()), (Some(7), &None, Some("mac")));
        let bare = DeviceEdit {
            device_type: some(""),
            proxy: some(" "),
            aid: some(""),
            proxy_user: some(""),
            ..DeviceEdit::default()
        };
        assert!(bare.apply(Some(&device)).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let of = |set: fn(&mut DeviceEdit)| {
            let mut edit = DeviceEdit::default();
            set(&mut edit);
            edit.apply(None).unwrap_err()
        };
        assert_eq!(of(|edit| edit.device_type = some("my ipad")), BadDevice::Type);
        assert_eq!(of(|edit| edit.proxy = some("u:p@203.0.113.9:1080")), BadDevice::Proxy);
        assert_eq!(of(|edit| edit.proxy_user = some("me")), BadDevice::NoOwnProxy);
        assert_eq!(of(|edit| edit.proxy_password = Some("hunter2".into())), BadDevice::NoOwnProxy);
        assert_eq!(of(|edit| edit.ttuid = some("a b")), BadDevice::Tunnel);
    }
}
