//! The form in which people set holder, tags and note of an account, and in V3 its device and network.

use secrecy::{ExposeSecret as _, SecretString};

use super::Effect;
use super::field::Field;
use super::popup::Popup;
use super::state::State;
use crate::action::{Key, KeyCode};
use crate::engine::api::Command;
use crate::model::{Account, Device, Edit, OwnProxy, WcId, edit};

/// A line of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// Whose phone.
    Holder,
    /// Labels, separated by commas.
    Tags,
    /// Free words.
    Note,
    /// V3: `deviceType`.
    DeviceType,
    /// V3: a region's number, or `ip:port` of an own proxy.
    Proxy,
    /// V3: the own proxy's user.
    ProxyUser,
    /// V3: the own proxy's password.
    ProxyPassword,
    /// V3: tunnel of a helper on a PC.
    Aid,
    /// V3: tunnel of a helper on a phone.
    Ttuid,
}

impl Line {
    /// The locale key of its label.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Holder => "ui.edit.holder",
            Self::Tags => "ui.edit.tags",
            Self::Note => "ui.edit.note",
            Self::DeviceType => "ui.edit.device_type",
            Self::Proxy => "ui.edit.proxy",
            Self::ProxyUser => "ui.edit.proxy_user",
            Self::ProxyPassword => "ui.edit.proxy_password",
            Self::Aid => "ui.edit.aid",
            Self::Ttuid => "ui.edit.ttuid",
        }
    }
}

/// The lines, and how many of them V1 and V2 have.
const LINES: [Line; 9] = [
    Line::Holder,
    Line::Tags,
    Line::Note,
    Line::DeviceType,
    Line::Proxy,
    Line::ProxyUser,
    Line::ProxyPassword,
    Line::Aid,
    Line::Ttuid,
];
const PLAIN: usize = 3;

/// A line, and the locale key of what is wrong with it.
type Wrong = (Line, &'static str);

/// The form while it is open.
#[derive(Clone, Debug)]
pub struct EditForm {
    /// Whose.
    pub wc_id: WcId,
    /// What each line holds, in the order of [`EditForm::lines`].
    fields: Vec<Field>,
    /// What each line held at first.
    first: Vec<String>,
    /// The device as it was: what no line shows stays.
    device: Device,
    /// Whether a hand was at the password: only then is it another one.
    password_touched: bool,
    /// Where the hand is.
    at: usize,
    /// What is wrong, by its locale key.
    pub wrong: Option<&'static str>,
}

impl EditForm {
    /// A form with what is known of an account; the hand on the first line.
    pub fn new(account: &Account, v3: bool) -> Self {
        let device = account.device.as_deref().cloned().unwrap_or_default();
        let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
        let own = device.own_proxy.as_ref();
        let proxy = match (own, device.region) {
            (Some(own), _) => own.address.to_string(),
            (None, Some(region)) => region.to_string(),
            (None, None) => String::new(),
        };
        let mut first = vec![account.holder.to_string(), account.tags.join(", "), account.note.to_string()];
        if v3 {
            // A stored password never goes into a field: whoever types there sets another one.
            let user = own.map(|own| own.user.to_string()).unwrap_or_default();
            first.extend([
                text(&device.device_type),
                proxy,
                user,
                String::new(),
                text(&device.aid),
                text(&device.ttuid),
            ]);
        }
        let fields = first.iter().map(|text| Field::new(text)).collect();
        Self { wc_id: account.wc_id.clone(), fields, first, device, password_touched: false, at: 0, wrong: None }
    }

    /// The lines, their fields, and whether the hand is there.
    pub fn lines(&self) -> impl Iterator<Item = (Line, &Field, bool)> {
        let lines = LINES.iter().zip(&self.fields).enumerate();
        lines.map(|(at, (line, field))| (*line, field, at == self.at))
    }

    /// How many lines there are.
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none; there always are.
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Where the hand is.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Whether it has the lines of V3.
    pub const fn has_device(&self) -> bool {
        self.fields.len() > PLAIN
    }

    /// Whether a password is stored that stays as it is.
    pub fn keeps_password(&self) -> bool {
        !self.password_touched
            && self.device.own_proxy.as_ref().is_some_and(|own| !own.password.expose_secret().is_empty())
    }

    /// Takes a paste into the line under the hand.
    pub(super) fn paste(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.at) {
            field.paste(text);
            self.touched();
        }
    }

    fn key(&mut self, key: Key) {
        if let Some(field) = self.fields.get_mut(self.at)
            && field.key(key)
        {
            self.touched();
        }
    }

    fn touched(&mut self) {
        self.wrong = None;
        self.password_touched |= LINES.get(self.at) == Some(&Line::ProxyPassword);
    }

    const fn step(&mut self, forward: bool) {
        let count = self.fields.len();
        self.at = if forward { (self.at + 1) % count } else { (self.at + count - 1) % count };
    }

    fn text(&self, line: Line) -> &str {
        let at = LINES.iter().position(|other| *other == line);
        at.and_then(|at| self.fields.get(at)).map_or("", |field| field.text().trim())
    }

    fn changed(&self, line: Line) -> bool {
        let at = LINES.iter().position(|other| *other == line);
        at.and_then(|at| self.first.get(at)).is_some_and(|first| first.trim() != self.text(line))
    }

    /// What was changed, and nothing else; the line and the locale key of what is wrong with it.
    fn edit(&self) -> Result<Edit, Wrong> {
        let given = |line: Line| self.changed(line).then(|| Box::from(self.text(line)));
        let tags = self.changed(Line::Tags).then(|| edit::tags(self.text(Line::Tags)));
        let device = if self.has_device() { self.edited_device()? } else { None };
        Ok(Edit { holder: given(Line::Holder), tags, note: given(Line::Note), device, ..Edit::default() })
    }

    fn edited_device(&self) -> Result<Option<Device>, Wrong> {
        let word = |line: Line| -> Result<Option<Box<str>>, Wrong> {
            let text = self.text(line);
            if text.contains(char::is_whitespace) {
                return Err((line, "ui.edit.wrong_spaces"));
            }
            Ok((!text.is_empty()).then(|| Box::from(text)))
        };
        let mut device = Device {
            device_type: word(Line::DeviceType)?,
            aid: word(Line::Aid)?,
            ttuid: word(Line::Ttuid)?,
            ..self.device.clone()
        };
        if self.changed(Line::Proxy) {
            (device.region, device.own_proxy) = proxy(self.text(Line::Proxy))?;
        }
        let (user, password) = (self.text(Line::ProxyUser), self.field_of_password());
        match &mut device.own_proxy {
            Some(own) => {
                own.user = Box::from(user);
                own.password = match &self.device.own_proxy {
                    _ if self.password_touched => SecretString::from(password),
                    // Another proxy does not get the password of this one.
                    Some(before) if before.address == own.address => before.password.clone(),
                    _ => SecretString::default(),
                };
                if user.is_empty() && !own.password.expose_secret().is_empty() {
                    if self.password_touched {
                        return Err((Line::ProxyUser, "ui.edit.wrong_user"));
                    }
                    own.password = SecretString::default();
                }
            }
            None if self.changed(Line::ProxyUser) && !user.is_empty() || !password.is_empty() => {
                return Err((Line::Proxy, "ui.edit.wrong_own"));
            }
            None => {}
        }
        Ok((device != self.device).then_some(device))
    }

    /// As typed: a password may begin or end with a space.
    fn field_of_password(&self) -> &str {
        let at = LINES.iter().position(|line| *line == Line::ProxyPassword);
        at.and_then(|at| self.fields.get(at)).map_or("", Field::text)
    }
}

/// A region's number, or host and port of an own proxy (protocol.md §3.2); empty is neither.
fn proxy(text: &str) -> Result<(Option<u16>, Option<OwnProxy>), Wrong> {
    let wrong = Err((Line::Proxy, "ui.edit.wrong_proxy"));
    if text.is_empty() {
        return Ok((None, None));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(region) => Ok((Some(region), None)),
            Err(_) => wrong,
        };
    }
    let Some((host, port)) = text.rsplit_once(':') else { return wrong };
    let port_is_one = port.parse::<u16>().is_ok_and(|port| port > 0);
    if host.is_empty() || text.contains(char::is_whitespace) || text.contains('/') || !port_is_one {
        return wrong;
    }
    let own = OwnProxy { address: text.into(), user: "".into(), password: SecretString::default() };
    Ok((None, Some(own)))
}

/// Takes a key while the form is open.
pub(super) fn key(state: &mut State, key: Key) -> Vec<Effect> {
    let Some(shown) = &mut state.popup else { return Vec::new() };
    let Popup::Edit(form) = &mut shown.popup else { return Vec::new() };
    match (key.code, key.shift) {
        (KeyCode::Esc, _) => state.popup = None,
        (KeyCode::Tab, true) | (KeyCode::Up, _) => form.step(false),
        (KeyCode::Tab | KeyCode::Down, _) => form.step(true),
        (KeyCode::Enter, _) => match form.edit() {
            Ok(edit) => {
                let wc_id = form.wc_id.clone();
                state.popup = None;
                if edit != Edit::default() {
                    state.edited = Some(wc_id.clone());
                    return vec![Effect::Engine(Command::Edit { wc_id, edit })];
                }
            }
            Err((line, wrong)) => {
                form.at = LINES.iter().position(|other| *other == line).unwrap_or(form.at);
                form.wrong = Some(wrong);
            }
        },
        _ => form.key(key),
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let own =
            OwnProxy { address: "203.0.113.9:1080".into(), user: "op".into(), password: SecretString::from("geheim") };
        Account {
            holder: "老王".into(),
            tags: vec!["上海".into(), "vip".into()],
            device: Some(Box::new(Device {
                device_type: Some("ipad".into()),
                region: Some(7),
                own_proxy: Some(own),
                ..Device::default()
            })),
            ..Account::new("wxid_a".into())
        }
    }

    fn set(form: &mut EditForm, line: Line, text: &str) {
        form.at = LINES.iter().position(|other| *other == line).unwrap();
        form.key(Key::ctrl('u'));
        form.paste(text);
    }

    #[test]
    fn only_what_changed_is_sent() {
        let mut form = EditForm::new(&account(), true);
        assert_eq!(form.edit(), Ok(Edit::default()));
        set(&mut form, Line::Tags, "上海， 北京,vip、vip;");
        let edit = form.edit().unwrap();
        assert_eq!(edit.tags, Some(vec!["上海".into(), "北京".into(), "vip".into()]));
        assert_eq!(edit, Edit { tags: edit.tags.clone(), ..Edit::default() });
        set(&mut form, Line::Holder, "");
        assert_eq!(form.edit().unwrap().holder.as_deref(), Some(""));
    }

    #[test]
    fn a_password_stays_with_its_proxy_and_goes_with_it() {
        let password = |form: &EditForm| {
            let device = form.edit().unwrap().device.unwrap();
            (device.region, device.own_proxy.map(|own| own.password.expose_secret().to_owned()))
        };
        let mut form = EditForm::new(&account(), true);
        assert!(form.keeps_password());
        set(&mut form, Line::Aid, "tunnel1");
        assert_eq!(password(&form), (Some(7), Some("geheim".into())));
        set(&mut form, Line::Proxy, "203.0.113.10:1080");
        assert_eq!(password(&form), (None, Some(String::new())));
        set(&mut form, Line::ProxyPassword, "neu");
        form.key(Key::char(' '));
        assert_eq!(password(&form), (None, Some("neu ".into())));
        set(&mut form, Line::ProxyUser, "");
        assert_eq!(form.edit(), Err((Line::ProxyUser, "ui.edit.wrong_user")));
        let mut form = EditForm::new(&account(), true);
        set(&mut form, Line::Proxy, "12");
        assert_eq!(password(&form), (Some(12), None));
        let mut form = EditForm::new(&account(), true);
        set(&mut form, Line::ProxyPassword, "");
        assert_eq!(password(&form), (Some(7), Some(String::new())), "cleared by hand");
    }

    #[test]
    fn what_is_no_proxy_is_said() {
        for wrong in ["70000", "somewhere", "1.2.3.4:", "1.2.3.4:0", ":1080", "socks5://1.2.3.4:1080", "a b:1"] {
            assert!(proxy(wrong).is_err(), "{wrong}");
        }
        for right in ["", "7", "1.2.3.4:1080", "proxy.example:1080", "[2001:db8::1]:1080"] {
            assert!(proxy(right).is_ok(), "{right}");
        }
        let mut form = EditForm::new(&Account::new("wxid_a".into()), true);
        set(&mut form, Line::ProxyUser, "op");
        assert_eq!(form.edit(), Err((Line::Proxy, "ui.edit.wrong_own")));
    }

    #[test]
    fn the_form_never_shows_its_secrets_in_debug() {
        let mut form = EditForm::new(&account(), true);
        set(&mut form, Line::ProxyPassword, "hunter2");
        let debug = format!("{form:?}");
        assert!(!debug.contains("hunter2") && !debug.contains("geheim"), "{debug}");
    }
}
