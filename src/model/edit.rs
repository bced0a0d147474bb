//! What people set of an account.

use super::{Device, WId};

/// Fields of an account that people set. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// A known wId (import); stored as not confirmed.
    pub w_id: Option<WId>,
    /// Whether it is known to have been logged in before, elsewhere (import).
    pub was_logged_in: bool,
    /// Nickname (import).
    pub nick_name: Option<Box<str>>,
    /// WeChat number (import).
    pub w_account: Option<Box<str>>,
    /// Whose phone.
    pub holder: Option<Box<str>>,
    /// Labels.
    pub tags: Option<Vec<Box<str>>>,
    /// Free words.
    pub note: Option<Box<str>>,
    /// V3's device and network, as a whole.
    pub device: Option<Device>,
}

/// Labels as people and spreadsheets write them, each once: between them commas, semicolons or bars, of either script.
/// No label holds one of these, so that a list of labels can be written in one cell and read back.
pub fn tags(text: &str) -> Vec<Box<str>> {
    let mut tags: Vec<Box<str>> = Vec::new();
    let parts = text.split([',', ';', '|', '，', '；', '｜', '、', '\n', '\r']);
    for tag in parts.map(str::trim).filter(|tag| !tag.is_empty()) {
        if !tags.iter().any(|known| &**known == tag) {
            tags.push(tag.into());
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_between_many_signs() {
        for text in ["a, b，c;a、 ", "a|b|c", "a｜b；c", "|a||b;;c|", "a\nb\r\nc"] {
            assert_eq!(tags(text), ["a".into(), "b".into(), "c".into()] as [Box<str>; 3], "{text:?}");
        }
        assert_eq!(tags(" | ; "), [] as [Box<str>; 0]);
        assert_eq!(tags("a b/c"), ["a b/c".into()] as [Box<str>; 1]);
    }
}
